package pack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/lambda"
)

// reserved are the environment variables that Lambda sets itself and refuses in
// a function's configuration ("Using Lambda environment variables", reserved
// environment variables), besides AWS_LAMBDA_*.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// variableName is how a function's variables may be called (Lambda API
// reference, Environment).
var variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]+$`)

// settingNames finds settings that cannot reach a function.
func settingNames(l *linter) {
	for _, s := range l.Settings {
		if !l.reads(s.Name) {
			continue
		}
		switch {
		case slices.Contains(reserved, s.Name) || strings.HasPrefix(s.Name, "AWS_LAMBDA_"):
			l.setting(s.Name, "", "aws-env", fmt.Sprintf("AWS Lambda sets the environment variable %s itself", s.Name), "choose another name, such as APP_"+strings.Trim(s.Name, "_"))
		case strings.HasPrefix(s.Name, "FLOWCTL_"):
			l.setting(s.Name, "", "aws-env", "names that begin with FLOWCTL_ are those of the packaged function itself", "choose another name")
		case !variableName.MatchString(s.Name):
			l.setting(s.Name, "", "aws-env", fmt.Sprintf("AWS Lambda takes no environment variable of the name %s", s.Name), "use two letters, digits and _ or more, and begin with a letter")
		}
	}
}

// reads reports whether one of the flows that are looked at reads the setting.
func (l *linter) reads(setting string) bool {
	return slices.ContainsFunc(l.flows, func(f *flows.Flow) bool { return slices.Contains(l.SettingsOf(f.Name), setting) })
}

// settingValues finds settings without a value that decide whether a resource
// is made or is there already. Other settings without a value are asked for
// when the template is deployed.
func settingValues(l *linter) {
	given := map[string]bool{}
	for _, s := range l.Settings {
		given[s.Name] = s.Given
	}
	for _, r := range l.resources {
		field := addressField(r)
		if r.Kind.Type == brokerType || !l.ResourceSays(r.Name, field) {
			continue
		}
		for _, s := range l.SettingsAt(r.Name, field) {
			if !given[s] {
				l.setting(s, "", "aws-env-value", fmt.Sprintf("%s of the resource %s reads %s, which has no value: nobody can tell whether the template is to make the resource", field, r.Name, s),
					fmt.Sprintf(`give %s a default: the address, or "" for a resource of the app's own`, s))
			}
		}
	}
}

// maxEnvironment is how large all variables of a function are together ("Lambda
// quotas").
const maxEnvironment = 4 << 10

// environmentSizes finds flows whose settings do not fit.
func environmentSizes(l *linter) {
	for _, f := range l.flows {
		size := len(lambda.EnvFlow) + len(f.Name)
		largest, most := "", 0
		read := l.SettingsOf(f.Name)
		for _, s := range l.Settings {
			if !slices.Contains(read, s.Name) {
				continue
			}
			n := len(s.Name) + len(s.Value)
			if s.Secret {
				n = len(lambda.EnvSecret(s.Name)) + len("ssm:/"+l.Name+"/"+s.Name)
			}
			size += n
			if n > most {
				largest, most = s.Name, n
			}
		}
		if size > maxEnvironment {
			l.setting(largest, "default", "aws-env-size", fmt.Sprintf("the settings of the flow %s have %d bytes, and the environment of a Lambda function takes %d", f.Name, size, maxEnvironment),
				fmt.Sprintf("shorten them; the largest is %s with %d bytes", largest, most))
		}
	}
}
