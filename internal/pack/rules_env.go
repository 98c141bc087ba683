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

// environmentSizes finds flows whose settings and addresses do not fit.
func environmentSizes(l *linter) {
	for _, f := range l.flows {
		settings, largest, most := l.settingsSize(f)
		size := len("{}") + variableSize(lambda.EnvFlow, len(f.Name)) + settings + l.addressesSize(f)
		if size <= maxEnvironment {
			continue
		}
		message := fmt.Sprintf("the settings of the flow %s and the addresses of its resources have %d bytes, and the environment of a Lambda function takes %d", f.Name, size, maxEnvironment)
		if largest == "" {
			l.flow(f, "", "aws-env-size", message, "divide the flow into several, or give the resources shorter names")
			continue
		}
		l.setting(largest, "default", "aws-env-size", message, fmt.Sprintf("shorten the settings, of which %s is the largest with %d bytes, or divide the flow into several", largest, most))
	}
}

// settingsSize is how large the flow's settings are together, and which is the
// largest.
func (l *linter) settingsSize(f *flows.Flow) (size int, largest string, most int) {
	read := l.SettingsOf(f.Name)
	for _, s := range l.Settings {
		if !slices.Contains(read, s.Name) {
			continue
		}
		n := variableSize(s.Name, len(s.Value))
		if s.Secret {
			n = variableSize(lambda.EnvSecret(s.Name), len("ssm:"+secretName(l.App, "", s.Name)))
		}
		if size += n; n > most {
			largest, most = s.Name, n
		}
	}
	return size, largest, most
}

// addressesSize is how large the addresses of the flow's resources are together.
func (l *linter) addressesSize(f *flows.Flow) (size int) {
	for _, r := range l.resources {
		if r.Kind.Type != brokerType && uses(f, r.Name) {
			size += variableSize(lambda.EnvResource(r.Name), addressSize(l.App, r))
		}
	}
	return size
}

// addressSize is how long the address of a resource is that functions get.
func addressSize(app *flows.App, r *flows.Resource) int {
	if at := outside(r); at != "" {
		return len(at)
	}
	before := ""
	switch r.Kind.Type {
	case queueType:
		before = "https://sqs.ap-southeast-1.amazonaws.com/123456789012/"
	case topicType:
		before = "arn:aws:sns:ap-southeast-1:123456789012:"
	}
	return len(before) + stageRoom + len(made(app, r)[0])
}

// variableSize is what a variable takes of the environment, which Lambda
// measures as a JSON object.
func variableSize(name string, value int) int { return len(name) + value + len(`"":"",`) }
