// Package pack makes what is deployed of an app: the zip, the template, the
// permissions.
package pack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// Policy is what the function of one flow may do in the account: what its nodes
// need, its own log group and the secrets that it reads.
type Policy struct {
	Flow string
	// Settings are the names of those that the flow reads, sorted: what the
	// function's environment has to give, the secret ones by reference.
	Settings   []string
	Statements []Statement
}

// Statement allows actions on one thing. A Policy has one Statement for each
// Target.
type Statement struct {
	// Sid is unique within the policy and has letters and digits only.
	Sid string
	// Actions are sorted.
	Actions []string
	Target  Target
	// Nodes are those that need it, in the order of the file; none for what
	// every function has.
	Nodes []Need
}

// Need is a node that needs a Statement, and the actions that it needs of it.
type Need struct {
	Node, Type string
	At         flows.Position
	Actions    []string
}

// TargetKind says what a Target is.
type TargetKind string

const (
	// OnResource: a resource of the app, Name; what it is called in the account
	// is the template's to say.
	OnResource TargetKind = "resource"
	// OnARN: the thing that ARN names.
	OnARN TargetKind = "arn"
	// OnLogGroup: the log group of the function.
	OnLogGroup TargetKind = "log-group"
	// OnFailedEvents: the queue for events on which the function failed for good.
	OnFailedEvents TargetKind = "failed-events"
	// OnSecret: the parameter or secret that holds the value of the setting
	// Name.
	OnSecret TargetKind = "secret"
	// OnAll: a service that has no resources of its own, "*".
	OnAll TargetKind = "all"
)

// Target is what a Statement is about.
type Target struct {
	Kind TargetKind
	// Name is that of the resource or the setting.
	Name string
	// Below is what follows the resource's own ARN, such as "/index/by_status".
	Below string
	// ARN may hold ${AWS::Partition}, ${AWS::Region} and ${AWS::AccountId}.
	ARN string
}

// Policies are those of the app's flows, in the order of the file. The error
// names a node that needs something of which the file does not say what it is.
func Policies(app *flows.App) ([]Policy, error) {
	var all []Policy
	for _, f := range app.Flows {
		p, err := policyOf(app, f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Tracing is what a function may do besides in a stack that is deployed with
// tracing on: what AWS's own policy AWSXRayDaemonWriteAccess allows. X-Ray knows
// no resources to limit it to.
func Tracing() Statement {
	return Statement{Sid: "Tracing", Target: Target{Kind: OnAll}, Actions: []string{
		"xray:GetSamplingRules", "xray:GetSamplingStatisticSummaries", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}}
}

func policyOf(app *flows.App, f *flows.Flow) (Policy, error) {
	p := Policy{Flow: f.Name, Settings: app.SettingsOf(f.Name)}
	byTarget := map[Target]*Statement{}
	for _, n := range f.Nodes {
		for _, s := range n.Kind.IAM(n.Config) {
			target, err := targetOf(app, s)
			if err != nil {
				return p, fmt.Errorf("flow %s, node %s: %w", f.Name, n.Name, err)
			}
			if byTarget[target] == nil {
				byTarget[target] = &Statement{Target: target}
			}
			byTarget[target].need(n, app.Position(f.Name, n.Name), s.Actions)
		}
	}
	rank := map[string]int{}
	for i, r := range app.Resources {
		rank[r.Name] = i
	}
	for _, t := range slices.SortedFunc(maps.Keys(byTarget), func(a, b Target) int { return compareTargets(rank, a, b) }) {
		p.Statements = append(p.Statements, *byTarget[t])
	}
	p.Statements = append(p.Statements, secrets(app, p.Settings)...)
	if asynchronous(f) {
		p.Statements = append(p.Statements, Statement{Target: Target{Kind: OnFailedEvents}, Actions: []string{"sqs:SendMessage"}})
	}
	p.Statements = append(p.Statements, Statement{Target: Target{Kind: OnLogGroup}, Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}})
	nameStatements(app, p.Statements)
	return p, nil
}

func targetOf(app *flows.App, s engine.Statement) (Target, error) {
	switch {
	case s.ARN != "":
		return Target{Kind: OnARN, ARN: s.ARN + s.Below}, nil
	case resourceOf(app, s.Resource) == nil:
		return Target{}, fmt.Errorf("it asks for %s on %q, which is no resource of the app", strings.Join(s.Actions, ", "), s.Resource)
	}
	return Target{Kind: OnResource, Name: s.Resource, Below: s.Below}, nil
}

func resourceOf(app *flows.App, name string) *flows.Resource {
	for _, r := range app.Resources {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// need adds what a node needs; two statements of one node on one target are
// one.
func (s *Statement) need(n *engine.NodePlan, at flows.Position, actions []string) {
	s.Actions = merged(s.Actions, actions)
	if last := len(s.Nodes) - 1; last >= 0 && s.Nodes[last].Node == n.Name {
		s.Nodes[last].Actions = merged(s.Nodes[last].Actions, actions)
		return
	}
	s.Nodes = append(s.Nodes, Need{Node: n.Name, Type: n.Kind.Type, At: at, Actions: merged(nil, actions)})
}

func merged(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// compareTargets puts resources first, in the order of the file.
func compareTargets(rank map[string]int, a, b Target) int {
	kinds := []TargetKind{OnResource, OnARN}
	return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(rank[a.Name], rank[b.Name]), cmp.Compare(a.Below, b.Below), cmp.Compare(a.ARN, b.ARN))
}

// secrets are the statements for the secret settings that the flow reads.
func secrets(app *flows.App, read []string) []Statement {
	var out []Statement
	for _, s := range app.Settings {
		if s.Secret && slices.Contains(read, s.Name) {
			out = append(out, Statement{Target: Target{Kind: OnSecret, Name: s.Name}, Actions: []string{"ssm:GetParameter"}})
		}
	}
	return out
}

// nameStatements gives the statements of a policy their Sids.
func nameStatements(app *flows.App, list []Statement) {
	taken := map[string]bool{}
	for i := range list {
		sid := unique(sidOf(app, list[i].Target), func(sid string) bool { return taken[sid] })
		taken[sid] = true
		list[i].Sid = sid
	}
}

func sidOf(app *flows.App, t Target) string {
	switch t.Kind {
	case OnResource:
		_, thing, _ := strings.Cut(resourceOf(app, t.Name).Kind.Type, ".")
		return camel(thing + "_" + t.Name + "_" + t.Below)
	case OnSecret:
		return "Secret" + camel(strings.ToLower(t.Name))
	case OnFailedEvents:
		return "FailedEvents"
	case OnLogGroup:
		return "Logs"
	}
	// arn:PARTITION:SERVICE:REGION:…
	parts := strings.Split(strings.ReplaceAll(t.ARN, "${AWS::Partition}", "aws"), ":")
	return camel(parts[min(2, len(parts)-1)])
}

// camel joins the words of a name: AreaCode for area_code.
func camel(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
