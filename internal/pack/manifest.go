package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/flows"
)

// Manifest says in JSON what a package consists of, for other tools. It has no
// values of secrets, no times and no paths of a machine.
type Manifest struct {
	App          string            `json:"app"`
	Stage        string            `json:"stage,omitempty"`
	Flowctl      string            `json:"flowctl"`
	Architecture Arch              `json:"architecture"`
	Format       Format            `json:"format"`
	Runtime      string            `json:"runtime"`
	Files        []ManifestFileSum `json:"files"`
	Zip          ManifestFileSum   `json:"zip"`
	Template     ManifestFileSum   `json:"template"`
	Functions    []Function        `json:"functions"`
	Resources    []Resource        `json:"resources"`
	Parameters   []Parameter       `json:"parameters"`
	Modules      []Module          `json:"modules"`
}

// ManifestFileSum is a file with its size in bytes and its SHA-256 in hex.
type ManifestFileSum struct {
	Name   string `json:"name"`
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`
}

// Function is the function of a flow.
type Function struct {
	Flow      string `json:"flow"`
	LogicalID string `json:"logical_id"`
	// Timeout is in seconds.
	Timeout     int          `json:"timeout"`
	Sources     []Source     `json:"sources"`
	Permissions []Permission `json:"permissions"`
	// Environment are the names of the variables.
	Environment []string `json:"environment"`
}

// Source is what calls a function.
type Source struct {
	Node string `json:"node"`
	Type string `json:"type"`
	// Brings says it in words: "POST /orders", "queue orders".
	Brings string `json:"brings"`
}

// Permission is what a function may do to one thing.
type Permission struct {
	Actions []string `json:"actions"`
	// Resource is the name of a resource of the app; Below what follows its ARN.
	Resource string `json:"resource,omitempty"`
	Below    string `json:"below,omitempty"`
	ARN      string `json:"arn,omitempty"`
	// Secret is the name of a setting.
	Secret string `json:"secret,omitempty"`
	// Logs: it is the function's own log group.
	Logs bool `json:"logs,omitempty"`
	// FailedEvents: it is the function's own queue for failed events.
	FailedEvents bool `json:"failed_events,omitempty"`
	// Nodes need it.
	Nodes []string `json:"nodes,omitempty"`
}

// Resource is a queue, table or the like.
type Resource struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// LogicalID is that of what the template makes, "" for what is there.
	LogicalID string `json:"logical_id,omitempty"`
}

// Parameter is a parameter of the template that a setting has.
type Parameter struct {
	Name    string `json:"name"`
	Setting string `json:"setting"`
	// Secret: the parameter says where the value is kept.
	Secret bool `json:"secret,omitempty"`
	// Needed: it has no default.
	Needed bool `json:"needed,omitempty"`
}

func fileSum(name string, data []byte) ManifestFileSum {
	sum := sha256.Sum256(data)
	return ManifestFileSum{name, len(data), hex.EncodeToString(sum[:])}
}

func manifest(o Options, p *Package, t *template) ([]byte, error) {
	m := Manifest{App: o.App.Name, Stage: o.Stage, Flowctl: o.Version, Architecture: o.Arch, Format: o.Format, Runtime: "provided.al2023",
		Zip: fileSum(p.ZipFile(), p.Zip), Template: fileSum(TemplateFile, p.Template), Functions: p.Functions,
		Files: []ManifestFileSum{}, Resources: []Resource{}, Parameters: []Parameter{}, Modules: []Module{}}
	for _, f := range slices.SortedFunc(slices.Values(p.Files), func(a, b File) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
		m.Files = append(m.Files, fileSum(f.Name, f.Data))
	}
	for _, r := range t.used() {
		m.Resources = append(m.Resources, Resource{r.Name, r.Kind.Type, t.places[r.Name].id})
	}
	for _, s := range o.App.Settings {
		if kept, ok := t.secrets[s.Name]; ok {
			m.Parameters = append(m.Parameters, Parameter{Name: kept.parameter, Setting: s.Name, Secret: true})
		} else if given := t.settings[s.Name]; given.parameter != "" {
			m.Parameters = append(m.Parameters, Parameter{Name: given.parameter, Setting: s.Name, Needed: given.needed})
		}
	}
	m.Modules = append(m.Modules, modules(o.Bootstrap)...)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(m)
	return out.Bytes(), err
}

func (t *template) describeFunction(f *flows.Flow) Function {
	out := Function{Flow: f.Name, LogicalID: t.functionIDs[f.Name], Timeout: t.timeouts[f.Name], Sources: []Source{}, Permissions: []Permission{}}
	for _, n := range sourcesOf(f) {
		out.Sources = append(out.Sources, Source{n.Name, n.Kind.Type, brings(n.Kind.Trigger(n.Config))})
	}
	for _, s := range t.policies[f.Name].Statements {
		p := Permission{Actions: s.Actions, Below: s.Target.Below, ARN: s.Target.ARN, Logs: s.Target.Kind == OnLogGroup, FailedEvents: s.Target.Kind == OnFailedEvents}
		switch s.Target.Kind {
		case OnResource:
			p.Resource = s.Target.Name
		case OnSecret:
			p.Secret = s.Target.Name
		}
		for _, n := range s.Nodes {
			p.Nodes = append(p.Nodes, n.Node)
		}
		out.Permissions = append(out.Permissions, p)
	}
	for _, e := range t.environment(f) {
		out.Environment = append(out.Environment, e.Key)
	}
	return out
}

// brings says in words what a trigger is.
func brings(t engine.Trigger) string {
	switch t := t.(type) {
	case engine.RouteTrigger:
		return t.Method + " " + t.Path
	case engine.QueueTrigger:
		return "queue " + t.Resource
	case engine.ScheduleTrigger:
		return t.Expression
	case engine.TopicTrigger:
		return "topic " + t.Resource
	case engine.BucketTrigger:
		return "bucket " + t.Resource
	case engine.PatternTrigger:
		return "events that fit a pattern"
	case engine.DirectTrigger:
		return "direct calls"
	}
	return fmt.Sprintf("%T", t)
}
