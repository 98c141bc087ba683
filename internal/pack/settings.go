package pack

import (
	"regexp"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/lambda"
)

// setting is how a setting that is no secret reaches the functions.
type setting struct {
	// parameter is the name of the template's parameter, "" for a setting that
	// was decided when the template was made.
	parameter string
	value     string
	// needed: whoever deploys must give a value.
	needed bool
}

func (s setting) reference() any {
	if s.parameter == "" {
		return s.value
	}
	return ref(s.parameter)
}

// secret is where a secret setting's value is kept: the parameter that says so,
// and the condition that it is a parameter of AWS Systems Manager.
type secret struct{ parameter, inSSM string }

// secretPlace is what a secret's parameter takes: the reference that the
// function reads, without ARNs and versions, so that the permission can be made
// of it.
const secretPlace = `^(ssm:/[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@-]+(#[^:#]+)?)$`

func (t *template) addSettings() {
	decided, urls := t.decidingSettings(), t.brokerSettings()
	for _, s := range t.app.Settings {
		switch {
		case !t.readsSetting(s.Name):
		case s.Secret:
			t.addSecret(s)
		case decided[s.Name] && s.Value == "":
			t.settings[s.Name] = setting{}
		default:
			t.addSetting(s, urls[s.Name])
		}
	}
}

func (t *template) readsSetting(name string) bool {
	return slices.ContainsFunc(t.flows, func(f *flows.Flow) bool { return slices.Contains(t.app.SettingsOf(f.Name), name) })
}

// decidingSettings are those by which it was decided whether the template makes
// a resource.
func (t *template) decidingSettings() map[string]bool {
	out := map[string]bool{}
	for _, r := range t.app.Resources {
		if r.Kind.Type == brokerType {
			continue
		}
		for _, name := range t.app.SettingsAt(r.Name, addressField(r)) {
			out[name] = true
		}
	}
	return out
}

// brokerSettings are those that give the address of a broker, which on AWS must
// not be empty.
func (t *template) brokerSettings() map[string]bool {
	out := map[string]bool{}
	for _, r := range t.app.Resources {
		if r.Kind.Type != brokerType || outside(r) != "" {
			continue
		}
		for _, name := range t.app.SettingsAt(r.Name, "url") {
			out[name] = true
		}
	}
	return out
}

func (t *template) addSetting(s flows.Setting, mustSay bool) {
	name := t.id(camel(strings.ToLower(s.Name)))
	out := setting{parameter: name, value: s.Value, needed: !s.Given || mustSay && s.Value == ""}
	doc := s.Doc
	if doc == "" {
		doc = "The setting " + s.Name + "."
	}
	switch {
	case !out.needed:
		t.parameter(name, doc, Entry{Key: "Default", Value: s.Value})
	case mustSay:
		t.parameter(name, doc, Entry{Key: "MinLength", Value: 1})
	default:
		t.parameter(name, doc)
	}
	t.settings[s.Name] = out
}

func (t *template) addSecret(s flows.Setting) {
	name := t.id(camel(strings.ToLower(s.Name)) + "Secret")
	doc := "Where the value of " + s.Name + " is kept: ssm:/NAME for a parameter of AWS Systems Manager, secretsmanager:NAME or secretsmanager:NAME#KEY for a secret of AWS Secrets Manager."
	if s.Doc != "" {
		doc = s.Doc + " " + doc
	}
	t.parameter(name, doc, Entry{Key: "Default", Value: t.secretDefault(s.Name)}, Entry{Key: "AllowedPattern", Value: secretPlace})
	in := t.id(camel(strings.ToLower(s.Name)) + "InSSM")
	t.condition(in, Intrinsic{"Equals", []any{piece(0, ":", ref(name)), "ssm"}})
	t.secrets[s.Name] = secret{parameter: name, inSSM: in}
}

func (t *template) secretDefault(setting string) string {
	return "ssm:" + secretName(t.app, t.stage, setting)
}

// secretName is the parameter of AWS Systems Manager in which the value of a
// secret setting is looked for unless the template is told another place.
func secretName(app *flows.App, stage, setting string) string {
	if stage == "" {
		stage = "prod"
	}
	name := plainName(app.Name)
	if reservedParameter.MatchString(name) {
		name = "app-" + name
	}
	return "/" + name + "/" + stage + "/" + setting
}

// reservedParameter are beginnings that Systems Manager keeps for AWS itself
// ("Understanding parameter name requirements and constraints").
var reservedParameter = regexp.MustCompile(`(?i)^(aws|ssm)`)

// secretStatement is the permission to read a secret where its parameter says.
func (t *template) secretStatement(s Statement) any {
	kept := t.secrets[s.Target.Name]
	name := piece(1, ":", ref(kept.parameter))
	statement := func(action, arn string, name any) Map {
		return Map{{Key: "Sid", Value: s.Sid}, {Key: "Effect", Value: "Allow"}, {Key: "Action", Value: []string{action}},
			{Key: "Resource", Value: subWith(arn, Map{{Key: "Name", Value: name}})}}
	}
	// Secrets Manager ends the ARN of a secret with a hyphen and six characters
	// of its own choice, which a name does not tell.
	return ifElse(kept.inSSM,
		statement("ssm:GetParameter", "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Name}", name),
		statement("secretsmanager:GetSecretValue", "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Name}-??????", piece(0, "#", name)))
}

// environment are the variables of a flow's function.
func (t *template) environment(f *flows.Flow) Map {
	vars := Map{{Key: lambda.EnvFlow, Value: f.Name}}
	read := t.app.SettingsOf(f.Name)
	for _, s := range t.app.Settings {
		if !slices.Contains(read, s.Name) {
			continue
		}
		if s.Secret {
			vars = append(vars, Entry{Key: lambda.EnvSecret(s.Name), Value: ref(t.secrets[s.Name].parameter)})
			continue
		}
		vars = append(vars, Entry{Key: s.Name, Value: t.settings[s.Name].reference()})
	}
	for _, r := range t.app.Resources {
		if at := t.places[r.Name]; at.address != nil && uses(f, r.Name) {
			vars = append(vars, Entry{Key: lambda.EnvResource(r.Name), Value: at.address})
		}
	}
	return vars
}
