package flows_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/nodes/logic"
)

type idle struct{}

func (idle) Run(context.Context, engine.Handler) error { return nil }

// inKind is a source for tests to deliver by hand.
var inKind = engine.Define(engine.Spec[struct{}]{Type: "test.in",
	Source: func(*struct{}, engine.Deps) (engine.Source, error) { return idle{}, nil }})

// work fails as often as it is told to, or hangs until its context ends.
type work struct {
	Fails int                `yaml:"fails"`
	Hangs bool               `yaml:"hangs"`
	Gives expr.Value[string] `yaml:"gives"`
	Other engine.Wire        `yaml:"other"`
	Sides []side             `yaml:"sides"`

	mu    sync.Mutex
	tries int
}

type side struct {
	Name string      `yaml:"name"`
	To   engine.Wire `yaml:"to"`
}

func (w *work) Do(ctx context.Context, m *engine.Message) (engine.Port, error) {
	if w.Hangs {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries++; w.tries <= w.Fails {
		return 0, engine.Fail(engine.Retryable, "broken", "not yet", nil)
	}
	given, err := w.Gives.Get(&m.Env)
	if err != nil {
		return 0, err
	}
	m.SetOutput(given)
	if given == "other" {
		return w.Other.Port(), nil
	}
	for i := range w.Sides {
		if w.Sides[i].Name == given {
			return w.Sides[i].To.Port(), nil
		}
	}
	return engine.Next, nil
}

var workKind = engine.Define(engine.Spec[work]{Type: "test.work",
	New:    func(w *work, _ engine.Deps) (engine.Node, error) { return w, nil },
	Output: func(*work) expr.Type { return expr.String }})

func testRegistry() *engine.Registry {
	return engine.NewRegistry(append(logic.Kinds(), inKind, workKind), nil)
}

// load loads a flow f, given by what stands below `f:`.
func load(t *testing.T, flow string) *flows.App {
	t.Helper()
	text := "version: 1\nenv: {STAGE: test}\nflows:\n  f:\n    " + strings.ReplaceAll(strings.TrimSpace(flow), "\n", "\n    ") + "\n"
	app, ds := flows.Parse("app.flow.yaml", []byte(text), flows.Options{Registry: testRegistry()})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	return app
}

// trace keeps the steps of a run as NODE:PORT, or NODE!CODE of a failed one.
type trace struct {
	mu    sync.Mutex
	steps []string
	last  map[string]any
}

func (r *trace) Record(s engine.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := s.Node + ":" + s.Port
	if s.Err != nil {
		step = s.Node + "!" + engine.CodeOf(s.Err)
	}
	if s.Attempts > 1 {
		step += "*" + strings.Repeat("*", s.Attempts-2)
	}
	r.steps = append(r.steps, step)
	if s.Output != nil {
		r.last[s.Node] = s.Output
	}
}

// run sends a message through the flow f.
func run(t *testing.T, app *flows.App, event map[string]any) (*trace, error) {
	t.Helper()
	plan, err := app.Plan()
	if err != nil {
		t.Fatal(err)
	}
	r := &trace{last: map[string]any{}}
	built, err := engine.Build(plan, engine.Options{Recorder: r})
	if err != nil {
		t.Fatal(err)
	}
	handle, err := built.Flow("f").Handler("in")
	if err != nil {
		t.Fatal(err)
	}
	err = handle(t.Context(), engine.NewMessage(expr.Fields(event), ""))
	return r, errors.Join(err, built.Close(t.Context()))
}

func TestAMessageGoesTheWayOfTheFile(t *testing.T) {
	const pick = `
nodes:
  in: {type: test.in, next: pick}
  pick:
    type: switch
    value: event.kind
    cases:
      - {is: a, next: first}
      - {is: [b, c], next: [second]}
      - {when: event.size > 3, next: third}
    default: rest
  first: {type: test.work}
  second: {type: test.work}
  third: {type: test.work}
  rest: {type: drop}`
	const catches = `
catch: last
nodes:
  in: {type: test.in, next: a}
  a: {type: test.work, gives: "${{ event.kind }}", other: own, next: b}
  b: {type: fail, message: "no b", code: no_b}
  own: {type: fail, message: "no own", code: no_own, catch: rescue}
  rescue: {type: test.work, gives: "${{ error.code }} at ${{ error.node }}"}
  last: {type: test.work, gives: "${{ error.code }} of ${{ run.flow }}"}`
	for _, tt := range []struct {
		name, flow  string
		event       map[string]any
		want        string
		code        string
		node, gives string
	}{
		{"a case", pick, map[string]any{"kind": "a", "size": 9}, "pick:cases[0].next first:next", "", "", ""},
		{"a case of a list", pick, map[string]any{"kind": "c", "size": 0}, "pick:cases[1].next second:next", "", "", ""},
		{"a condition", pick, map[string]any{"kind": "d", "size": 4}, "pick:cases[2].next third:next", "", "", ""},
		{"the default", pick, map[string]any{"kind": "d", "size": 3}, "pick:default rest:next", "", "", ""},
		{"the flow's catch", catches, map[string]any{"kind": "x"}, "a:next b!no_b last:next", "", "last", "no_b of f"},
		{"a node's catch", catches, map[string]any{"kind": "other"}, "a:other own!no_own rescue:next", "", "rescue", "no_own at own"},
		{"a failure that nothing catches", "nodes: {in: {type: test.in, next: a}, a: {type: fail, message: x, code: c, class: retryable}}", nil, "a!c", "c", "", ""},
		{"a port in a list", "nodes: {in: {type: test.in, next: a}, a: {type: test.work, gives: y, sides: [{name: x, to: b}, {name: y, to: c}]}, b: {type: drop}, c: {type: drop}}", nil, "a:sides[1].to c:next", "", "", ""},
		{"a second attempt", "nodes: {in: {type: test.in, next: a}, a: {type: test.work, fails: 2, retry: {attempts: 3, backoff: 1ns}}}", nil, "a:next**", "", "", ""},
		{"attempts used up", "nodes: {in: {type: test.in, next: a}, a: {type: test.work, fails: 2, retry: {attempts: 2, backoff: 1ns}, catch: b}, b: {type: drop}}", nil, "a!broken* b:next", "", "", ""},
		{"a timeout", "nodes: {in: {type: test.in, next: a}, a: {type: test.work, hangs: true, timeout: 1ms, catch: b}, b: {type: drop}}", nil, "a!timeout b:next", "", "", ""},
		{"variables and outputs", "nodes: {in: {type: test.in, next: a}, a: {type: set, vars: {y: 1, x: \"${{ event.n + 1 }}\"}, next: b}, b: {type: set, vars: {y: \"${{ vars.x * 2 }}\"}, next: c}, c: {type: test.work, gives: \"${{ vars.x }}\", next: d}, d: {type: test.work, gives: \"${{ vars.x }} ${{ vars.y }} ${{ nodes.c }} ${{ env.STAGE }}\"}}",
			map[string]any{"n": 4}, "a:next b:next c:next d:next", "", "d", "5 10 5 test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := run(t, load(t, tt.flow), tt.event)
			if got := strings.Join(r.steps, " "); got != tt.want {
				t.Errorf("went %s; want %s", got, tt.want)
			}
			if err != nil && engine.CodeOf(err) != tt.code || err == nil && tt.code != "" {
				t.Errorf("ended with %v; want the code %q", err, tt.code)
			}
			if tt.node != "" && r.last[tt.node] != tt.gives {
				t.Errorf("nodes.%s is %v; want %q", tt.node, r.last[tt.node], tt.gives)
			}
		})
	}
}

func TestAFanOutTakesAllBranches(t *testing.T) {
	r, err := run(t, load(t, "nodes: {in: {type: test.in, next: [a, b]}, a: {type: set, vars: {x: 1}, next: c}, b: {type: set, vars: {x: 2}, next: d}, c: {type: test.work, gives: \"${{ vars.x }}\"}, d: {type: test.work, gives: \"${{ vars.x }}\"}}"), nil)
	slices.Sort(r.steps)
	if got := strings.Join(r.steps, " "); got != "a:next b:next c:next d:next" || err != nil {
		t.Errorf("went %s and ended with %v", got, err)
	}
	if r.last["c"] != "1" || r.last["d"] != "2" {
		t.Errorf("the branches gave %v", r.last)
	}
}

func TestPlanSaysWhatTheFileSays(t *testing.T) {
	app := load(t, `
doc: What it is for.
concurrency: 7
timeout: 1m
catch: [c, d]
nodes:
  in: {type: test.in, doc: The way in., next: [a, b]}
  a: {type: test.work, other: [b, c], sides: [{name: x, to: d}], next: b, catch: d, timeout: 90s, retry: {attempts: 4, backoff: 10ms, max_backoff: 2s}}
  b: {type: set, vars: {z: 1, y: 2}}
  c: {type: set, vars: {x: 3, y: 4}}
  d: {type: drop}`)
	plan, err := app.Plan("f")
	if err != nil || len(plan.Flows) != 1 {
		t.Fatal(plan, err)
	}
	f := plan.Flows[0]
	if f.Name != "f" || f.Doc != "What it is for." || f.Concurrency != 7 || f.Timeout != time.Minute || !slices.Equal(f.Catch, []string{"c", "d"}) {
		t.Errorf("the flow is %+v", f)
	}
	if vars := slices.Sorted(slices.Values(f.Vars)); !slices.Equal(vars, []string{"x", "y", "z"}) {
		t.Errorf("the variables are %v", f.Vars)
	}
	slots := map[int]bool{}
	for _, n := range f.Nodes {
		slots[n.Slot] = true
	}
	if len(slots) != 5 || len(f.Nodes) != 5 {
		t.Errorf("%d nodes have %d slots", len(f.Nodes), len(slots))
	}
	a := f.Nodes[1]
	if a.Name != "a" || !slices.Equal(a.Next, []string{"b"}) || !slices.Equal(a.Catch, []string{"d"}) || a.Timeout != 90*time.Second ||
		a.Retry != (engine.Retry{Attempts: 4, Backoff: 10 * time.Millisecond, MaxBackoff: 2 * time.Second}) {
		t.Errorf("the node is %+v", a)
	}
	wires := map[string][]string{}
	for _, w := range a.Wires {
		wires[w.Key] = w.Wire.Targets
	}
	if want := map[string][]string{"other": {"b", "c"}, "sides[0].to": {"d"}}; !reflect.DeepEqual(wires, want) {
		t.Errorf("its ports are %v; want %v", wires, want)
	}
}

func TestPlanOfAFlowThatIsNotThere(t *testing.T) {
	app := load(t, "nodes: {in: {type: test.in, next: a}, a: {type: drop}}")
	if _, err := app.Plan("g"); err == nil || !strings.Contains(err.Error(), `no flow "g"`) {
		t.Errorf("Plan(g) = %v", err)
	}
}
