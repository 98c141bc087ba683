package pack

import (
	"slices"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// Codes are the codes of what Lint finds, with what they mean.
var Codes = map[string]string{
	"aws-address":    "An address from which no permission can be made.",
	"aws-body":       "A body that is larger than what AWS Lambda takes.",
	"aws-broker":     "A broker without a url: the one of flowctl run is not there on AWS.",
	"aws-deadline":   "An HTTP request that may take longer than API Gateway waits.",
	"aws-env":        "A setting that AWS Lambda does not let in.",
	"aws-env-size":   "Settings and addresses that together are larger than a function's environment may be.",
	"aws-env-value":  "A setting without a value that decides what is deployed.",
	"aws-key":        "A KMS key that is named by an alias, for which no permission can be written.",
	"aws-loop":       "A queue that its own flow feeds, which AWS stops after a while.",
	"aws-name":       "A name that is too long for what it names in the account, or there twice.",
	"aws-overlap":    "Two sources that AWS does not keep apart.",
	"aws-permission": "A permission without a bound.",
	"aws-preflight":  "CORS preflight requests that only one of two functions can answer.",
	"aws-route":      "A path that API Gateway routes in another way than flowctl run.",
	"aws-source":     "A source that nothing on AWS can call.",
	"aws-timeout":    "A flow that may run longer than a function.",
	"aws-tls":        "A file of a broker that is not packaged.",
	"aws-visibility": "A queue that shows a message again while it is worked on.",
}

// Lint finds what keeps a checked app, which may well run with flowctl run, from
// running as AWS Lambda functions behind Amazon API Gateway and Amazon SQS. Only
// the named flows and what they use are looked at, or with no name all.
func Lint(app *flows.App, only ...string) flows.Diagnostics {
	l := &linter{App: app, used: map[string]bool{}}
	for _, f := range app.Flows {
		if len(only) > 0 && !slices.Contains(only, f.Name) {
			continue
		}
		l.flows = append(l.flows, f)
		for _, n := range f.Nodes {
			for _, r := range engine.References(n.Config) {
				l.used[r.Target()] = true
			}
		}
	}
	for _, r := range app.Resources {
		if l.used[r.Name] || len(only) == 0 {
			l.resources = append(l.resources, r)
		}
	}
	for _, r := range rules {
		r(l)
	}
	l.found.Sort()
	return l.found
}

// rules are all that Lint looks for. Each adds what it finds.
var rules = []func(*linter){
	// rules_source.go
	sources, routes, preflights, bodies, selfFeeding,
	// rules_overlap.go
	repeats, notifications,
	// rules_time.go
	deadlines, timeouts, visibilities,
	// rules_env.go
	settingNames, settingValues, environmentSizes,
	// rules_resource.go
	names, twins, addresses, keyAliases, brokers, permissions,
}

// linter is one run of Lint: the app, and of it what is looked at.
type linter struct {
	*flows.App
	flows     []*flows.Flow
	resources []*flows.Resource
	// used are the resources that nodes of the flows name.
	used  map[string]bool
	found flows.Diagnostics
}

// node reports something wrong with a key of a node; "" is the node.
func (l *linter) node(f *flows.Flow, n *engine.NodePlan, field, code, message, hint string) {
	l.found = append(l.found, l.Finding(f.Name, n.Name, field, code, message, hint))
}

// flow reports something wrong with a key of a flow; "" is the flow.
func (l *linter) flow(f *flows.Flow, field, code, message, hint string) {
	l.found = append(l.found, l.Finding(f.Name, "", field, code, message, hint))
}

func (l *linter) resource(r *flows.Resource, field, code, message, hint string) {
	l.found = append(l.found, l.ResourceFinding(r.Name, field, code, message, hint))
}

func (l *linter) setting(name, field, code, message, hint string) {
	l.found = append(l.found, l.SettingFinding(name, field, code, message, hint))
}

// sourcesOf are the sources of a flow.
func sourcesOf(f *flows.Flow) []*engine.NodePlan {
	return slices.DeleteFunc(slices.Clone(f.Nodes), func(n *engine.NodePlan) bool { return !n.Kind.IsSource() })
}

// triggersOf are the triggers of a flow of type T, by their sources.
func triggersOf[T engine.Trigger](f *flows.Flow) map[*engine.NodePlan]T {
	out := map[*engine.NodePlan]T{}
	for _, n := range sourcesOf(f) {
		if t, ok := n.Kind.Trigger(n.Config).(T); ok {
			out[n] = t
		}
	}
	return out
}
