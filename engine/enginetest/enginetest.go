// Package enginetest runs a single node or source as the engine would, for the
// tests of node families.
package enginetest

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// Expr is a config field with expressions, such as "${{ event.body.name }}",
// compiled against an event and variables of which nothing is known.
func Expr[T any](t testing.TB, text string) expr.Value[T] {
	t.Helper()
	var v expr.Value[T]
	v.Set(expr.Text(text))
	compile(t, &v)
	return v
}

// Condition is a condition compiled like Expr.
func Condition(t testing.TB, text string) expr.Condition {
	t.Helper()
	var c expr.Condition
	c.Set(expr.Text(text))
	compile(t, &c)
	return c
}

// Bare is a bare expression compiled like Expr.
func Bare(t testing.TB, text string) expr.Bare {
	t.Helper()
	var b expr.Bare
	b.Set(expr.Text(text))
	compile(t, &b)
	return b
}

func compile(t testing.TB, f expr.Field) {
	t.Helper()
	scope := &expr.Scope{Run: engine.RunType, InCatch: true, Failure: engine.FailureType, Env: map[string]string{}}
	for _, p := range f.Compile(scope) {
		t.Fatalf("%s: %v", p.Tree.Text, p.Error)
	}
}

// Node is one node, made and ready.
type Node struct {
	t    testing.TB
	app  *engine.App
	out  *step
	vars []string
}

// Result is what became of a message.
type Result struct {
	// Port is the key of the port it left by: "next", or a Wire's key.
	Port   string
	Output any
	Vars   map[string]any
	Err    error
}

type step struct {
	mu   sync.Mutex
	last engine.Step
	env  expr.Env
}

func (s *step) Record(st engine.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.env = st, st.Message.Env
}

type entry struct{}

func (entry) Run(context.Context, engine.Handler) error { return nil }

var entryKind = engine.Define(engine.Spec[struct{}]{Type: "test.in",
	Source: func(*struct{}, engine.Deps) (engine.Source, error) { return entry{}, nil }})

// Config is an empty config struct with its defaults, for a test to fill.
func Config[C any](t testing.TB) *C {
	t.Helper()
	c := new(C)
	engine.SetDefaults(c)
	compileFields(t, reflect.ValueOf(c).Elem())
	return c
}

// compileFields compiles the defaults that are values of expressions.
func compileFields(t testing.TB, v reflect.Value) {
	for i := range v.NumField() {
		if f, ok := v.Field(i).Addr().Interface().(expr.Field); ok {
			compile(t, f)
		}
	}
}

// New makes a node of the kind, with config a pointer to its config struct.
// Every Wire of the config is found and wired to nothing.
func New(t testing.TB, kind *engine.Kind, config any, services *engine.Services) *Node {
	t.Helper()
	n := &Node{t: t, out: &step{}}
	for name := range kind.Vars(config) {
		n.vars = append(n.vars, name)
	}
	plan := &engine.Plan{Name: "test", Flows: []*engine.FlowPlan{{Name: "flow", Vars: n.vars, Nodes: []*engine.NodePlan{
		{Name: "in", Slot: 0, Kind: entryKind, Config: &struct{}{}, Next: []string{"node"}},
		{Name: "node", Slot: 1, Kind: kind, Config: config, Wires: Wires(config)},
	}}}}
	app, err := engine.Build(plan, engine.Options{Services: services, Recorder: n.out, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatalf("making a %s: %v", kind.Type, err)
	}
	n.app = app
	t.Cleanup(func() {
		if err := app.Close(context.Background()); err != nil {
			t.Errorf("closing a %s: %v", kind.Type, err)
		}
	})
	return n
}

// Do sends a message with this event through the node. It is for one goroutine
// at a time; use Handler for more.
func (n *Node) Do(ctx context.Context, event map[string]any) Result {
	n.t.Helper()
	return n.DoMessage(ctx, engine.NewMessage(expr.Fields(event), ""))
}

// DoMessage sends a message through the node.
func (n *Node) DoMessage(ctx context.Context, m *engine.Message) Result {
	n.t.Helper()
	err := n.Handler()(ctx, m)
	n.out.mu.Lock()
	defer n.out.mu.Unlock()
	r := Result{Port: n.out.last.Port, Output: n.out.last.Output, Err: err, Vars: map[string]any{}}
	for i, name := range n.vars {
		r.Vars[name] = n.out.env.Vars[i]
	}
	return r
}

// Handler is the node as a flow of its own.
func (n *Node) Handler() engine.Handler {
	h, err := n.app.Flow("flow").Handler("in")
	if err != nil {
		n.t.Fatal(err)
	}
	return h
}

// Source makes a source of the kind.
func Source(t testing.TB, kind *engine.Kind, config any, services *engine.Services) engine.Source {
	t.Helper()
	plan := &engine.Plan{Name: "test", Flows: []*engine.FlowPlan{{Name: "flow", Nodes: []*engine.NodePlan{
		{Name: "in", Kind: kind, Config: config, Wires: Wires(config)},
	}}}}
	app, err := engine.Build(plan, engine.Options{Services: services, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatalf("making a %s: %v", kind.Type, err)
	}
	t.Cleanup(func() {
		if err := app.Close(context.Background()); err != nil {
			t.Errorf("closing a %s: %v", kind.Type, err)
		}
	})
	return app.Flow("flow").Source("in")
}

var wireType = reflect.TypeFor[engine.Wire]()

// Wires finds the wires of a config struct, under their yaml keys.
func Wires(config any) []engine.NamedWire {
	var out []engine.NamedWire
	var visit func(v reflect.Value, key string)
	visit = func(v reflect.Value, key string) {
		switch {
		case v.Type() == wireType:
			out = append(out, engine.NamedWire{Key: key, Wire: v.Addr().Interface().(*engine.Wire)})
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i), key)
			}
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					name := f.Tag.Get("yaml")
					if key != "" && name != "" {
						name = key + "." + name
					}
					visit(v.Field(i), name)
				}
			}
		}
	}
	visit(reflect.ValueOf(config).Elem(), "")
	return out
}
