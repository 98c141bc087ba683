package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"

	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Spec says everything about a node type in one place. C is its config struct:
// what an author may write, by the fields' types and their `yaml`, `doc`,
// `enum` and `default` tags (see docs/adding-a-node.md). A type has either New
// or Source.
type Spec[C any] struct {
	// Type is the name in the file, FAMILY.VERB.
	Type string
	// Doc is Markdown; its first sentence stands alone in lists.
	Doc string
	// New makes the node, once per node of a flow, after the config is
	// complete. It must not wait for anything outside the process.
	New func(*C, Deps) (Node, error)
	// Source makes the source, in the same way.
	Source func(*C, Deps) (Source, error)
	// Output types nodes.NAME; nil for a node that gives nothing.
	Output func(*C) expr.Type
	// Event types `event`; sources only.
	Event func(*C) expr.Type
	// Vars types the variables that the node writes.
	Vars func(*C) map[string]expr.Type
	// Check finds what the field types cannot say, such as two fields that
	// exclude each other. It sees expressions before they are compiled.
	Check func(*C) []Finding
	// Verify finds what is wrong once the expressions are compiled and their
	// types known.
	Verify func(*C) []Finding
	// Traits are what the loader must know of the type to check a graph.
	Traits
	// MayLose says why the node may lose a message without an error, "" if it
	// cannot or the author allows it.
	MayLose func(*C) Finding
	// Conflict says why two sources of this type cannot be in one app, "" if
	// they can.
	Conflict func(a, b *C) string
	// IAM says what the node does in the account; nil for nothing.
	IAM func(*C) []Statement
	// Trigger says what brings a source its messages where the app is called;
	// nil for a source that cannot be called.
	Trigger  func(*C) Trigger
	Examples []Example
}

// Traits tell how nodes of a type take part in a graph.
type Traits struct {
	// Answer names the form of answer that a source takes or a node gives, such
	// as "http"; "" where there is none.
	Answer string
	// Answered: somebody waits for an answer of this source's form, so that no
	// way may end without one.
	Answered bool
	// Acknowledges: settling this source's message tells somebody outside that
	// it was done.
	Acknowledges bool
	// Replies: the node answers whoever waits at a source of its form.
	Replies bool
	// Ends: the node is an end on purpose; nothing may follow it.
	Ends bool
	// OnlyPorts: messages leave by the ports in the config, never by Next.
	OnlyPorts bool
}

// Finding is something wrong with a config.
type Finding struct {
	// Field is the key it is about, with dots and indexes for what is inside:
	// "retry.attempts", "cases[1]"; "" for the whole node.
	Field   string
	Message string
	Hint    string
}

// Example shows a node in use. Its YAML is what stands behind `type:` in a
// file; the tests load it.
type Example struct {
	Doc, YAML string
}

// ResourceSpec says everything about a resource type. C is its config struct.
type ResourceSpec[C any] struct {
	Type, Doc string
	// Check finds what the field types cannot say.
	Check func(*C) []Finding
	// CheckName finds what is wrong with the resource's name where the service
	// is to know the resource by it.
	CheckName func(c *C, resource string) []Finding
	Examples  []Example
}

// Deps is what a node or source is made with.
type Deps struct {
	Log *slog.Logger
	// App, Flow and Node say where the node stands.
	App, Flow, Node string
	// Dir is the folder that paths in the app are relative to.
	Dir      string
	Services *Services
	// Var gives the slot of a variable that the node's Spec.Vars names.
	Var func(name string) int
}

// Services are what nodes of one family share in a process: clients, servers,
// connections. They are put in before the app is built, one of each Go type.
type Services struct{ byType map[reflect.Type]any }

// Provide adds a service.
func Provide[T any](s *Services, service T) {
	if s.byType == nil {
		s.byType = map[reflect.Type]any{}
	}
	s.byType[reflect.TypeFor[T]()] = service
}

// Service finds a service of type T. Its absence is a mistake of the program
// that built the app, which the error says.
func Service[T any](d Deps) (T, error) {
	if d.Services != nil {
		if s, ok := d.Services.byType[reflect.TypeFor[T]()].(T); ok {
			return s, nil
		}
	}
	var none T
	return none, fmt.Errorf("no %s is provided to this app", reflect.TypeFor[T]())
}

// Kind is a Spec whose config struct is not part of its type.
type Kind struct {
	Type, Doc string
	Traits
	Config   reflect.Type
	Examples []Example

	newNode   func(config any, d Deps) (Node, error)
	newSource func(config any, d Deps) (Source, error)
	output    func(config any) expr.Type
	event     func(config any) expr.Type
	vars      func(config any) map[string]expr.Type
	check     func(config any) []Finding
	checkName func(config any, resource string) []Finding
	verify    func(config any) []Finding
	mayLose   func(config any) Finding
	conflict  func(a, b any) string
	iam       func(config any) []Statement
	trigger   func(config any) Trigger
}

// Define makes a Spec fit for a Registry.
func Define[C any](s Spec[C]) *Kind {
	k := &Kind{Type: s.Type, Doc: s.Doc, Traits: s.Traits, Config: reflect.TypeFor[C](), Examples: s.Examples}
	if s.New != nil {
		k.newNode = func(c any, d Deps) (Node, error) { return s.New(c.(*C), d) }
	}
	if s.Source != nil {
		k.newSource = func(c any, d Deps) (Source, error) { return s.Source(c.(*C), d) }
	}
	if s.Output != nil {
		k.output = func(c any) expr.Type { return s.Output(c.(*C)) }
	}
	if s.Event != nil {
		k.event = func(c any) expr.Type { return s.Event(c.(*C)) }
	}
	if s.Vars != nil {
		k.vars = func(c any) map[string]expr.Type { return s.Vars(c.(*C)) }
	}
	if s.Check != nil {
		k.check = func(c any) []Finding { return s.Check(c.(*C)) }
	}
	if s.Verify != nil {
		k.verify = func(c any) []Finding { return s.Verify(c.(*C)) }
	}
	if s.MayLose != nil {
		k.mayLose = func(c any) Finding { return s.MayLose(c.(*C)) }
	}
	if s.Conflict != nil {
		k.conflict = func(a, b any) string { return s.Conflict(a.(*C), b.(*C)) }
	}
	if s.IAM != nil {
		k.iam = func(c any) []Statement { return s.IAM(c.(*C)) }
	}
	if s.Trigger != nil {
		k.trigger = func(c any) Trigger { return s.Trigger(c.(*C)) }
	}
	return k
}

// DefineResource makes a ResourceSpec fit for a Registry.
func DefineResource[C any](s ResourceSpec[C]) *Kind {
	k := &Kind{Type: s.Type, Doc: s.Doc, Config: reflect.TypeFor[C](), Examples: s.Examples}
	if s.Check != nil {
		k.check = func(c any) []Finding { return s.Check(c.(*C)) }
	}
	if s.CheckName != nil {
		k.checkName = func(c any, resource string) []Finding { return s.CheckName(c.(*C), resource) }
	}
	return k
}

// IsSource reports whether nodes of this kind bring messages in.
func (k *Kind) IsSource() bool { return k.newSource != nil }

// NewConfig is a pointer to an empty config struct.
func (k *Kind) NewConfig() any { return reflect.New(k.Config).Interface() }

// Output types nodes.NAME for a node with this config; ok is false for a kind
// that gives nothing.
func (k *Kind) Output(config any) (t expr.Type, ok bool) {
	if k.output == nil {
		return expr.Null, false
	}
	return k.output(config), true
}

// Event types `event` behind a source with this config.
func (k *Kind) Event(config any) expr.Type {
	if k.event == nil {
		return expr.Any
	}
	return k.event(config)
}

// Vars types the variables that a node with this config writes.
func (k *Kind) Vars(config any) map[string]expr.Type {
	if k.vars == nil {
		return nil
	}
	return k.vars(config)
}

// Check finds what is wrong with a config beyond its fields' types.
func (k *Kind) Check(config any) []Finding {
	if k.check == nil {
		return nil
	}
	return k.check(config)
}

// CheckName finds what is wrong with a resource's name.
func (k *Kind) CheckName(config any, resource string) []Finding {
	if k.checkName == nil {
		return nil
	}
	return k.checkName(config, resource)
}

// Verify finds what is wrong with a config whose expressions are compiled.
func (k *Kind) Verify(config any) []Finding {
	if k.verify == nil {
		return nil
	}
	return k.verify(config)
}

// MayLose says why a node with this config may lose a message unnoticed; the
// Message is empty if it cannot.
func (k *Kind) MayLose(config any) Finding {
	if k.mayLose == nil {
		return Finding{}
	}
	return k.mayLose(config)
}

// Conflict says why two sources of this kind cannot be in one app, "" if they
// can.
func (k *Kind) Conflict(a, b any) string {
	if k.conflict == nil {
		return ""
	}
	return k.conflict(a, b)
}

// IAM says what a node with this config does in the account.
func (k *Kind) IAM(config any) []Statement {
	if k.iam == nil {
		return nil
	}
	return k.iam(config)
}

// Trigger says what brings a source with this config its messages where the app
// is called; nil for a source that cannot be called.
func (k *Kind) Trigger(config any) Trigger {
	if k.trigger == nil {
		return nil
	}
	return k.trigger(config)
}

// Registry is the node and resource types that an app may use.
type Registry struct{ nodes, resources map[string]*Kind }

// NewRegistry collects kinds. Two of one name are a mistake of the program and
// panic.
func NewRegistry(nodes, resources []*Kind) *Registry {
	r := &Registry{map[string]*Kind{}, map[string]*Kind{}}
	for _, set := range []struct {
		into  map[string]*Kind
		kinds []*Kind
	}{{r.nodes, nodes}, {r.resources, resources}} {
		for _, k := range set.kinds {
			if _, twice := set.into[k.Type]; twice {
				panic("two kinds are called " + k.Type)
			}
			set.into[k.Type] = k
		}
	}
	return r
}

// Node finds a node type by name, nil if there is none.
func (r *Registry) Node(name string) *Kind { return r.nodes[name] }

// Resource finds a resource type by name, nil if there is none.
func (r *Registry) Resource(name string) *Kind { return r.resources[name] }

// NodeTypes are the names of all node types, sorted.
func (r *Registry) NodeTypes() []string { return slices.Sorted(maps.Keys(r.nodes)) }

// ResourceTypes are the names of all resource types, sorted.
func (r *Registry) ResourceTypes() []string { return slices.Sorted(maps.Keys(r.resources)) }

// Schema is a config field that names a schema of the app.
type Schema struct {
	Name string
	// Type is what the schema says of a value, Any where no schema is named.
	Type expr.Type
	// Validate checks a decoded value; nil where no schema is named. Its error
	// says which field breaks the schema and how, one a line.
	Validate func(v any) error
}
