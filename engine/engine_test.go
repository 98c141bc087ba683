package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// work is a node whose Do is given by the test.
type work struct {
	Other engine.Wire `yaml:"other"`
	do    func(ctx context.Context, m *engine.Message) (engine.Port, error)
}

var workKind = engine.Define(engine.Spec[work]{Type: "work", New: func(c *work, _ engine.Deps) (engine.Node, error) {
	return engine.NodeFunc(c.do), nil
}})

// feed is a source that delivers what the test sends to it.
type feed struct{ in chan delivery }

type delivery struct {
	message *engine.Message
	settled chan error
}

func (f *feed) Run(ctx context.Context, deliver engine.Handler) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-f.in:
			wg.Go(func() { d.settled <- deliver(engine.Work(ctx), d.message) })
		}
	}
}

var feedKind = engine.Define(engine.Spec[feed]{Type: "feed", Source: func(f *feed, _ engine.Deps) (engine.Source, error) { return f, nil }})

type node struct {
	name        string
	next, catch []string
	other       []string
	retry       engine.Retry
	timeout     time.Duration
	do          func(ctx context.Context, m *engine.Message) (engine.Port, error)
}

// build makes a flow whose source "in" leads to the first node.
func build(t testing.TB, o engine.Options, flow engine.FlowPlan, nodes ...node) (*engine.App, *feed) {
	t.Helper()
	in := &feed{in: make(chan delivery)}
	flow.Name = "flow"
	flow.Nodes = []*engine.NodePlan{{Name: "in", Kind: feedKind, Config: in, Next: []string{nodes[0].name}}}
	for i, n := range nodes {
		c := &work{do: n.do, Other: engine.Wire{Targets: n.other}}
		flow.Nodes = append(flow.Nodes, &engine.NodePlan{Name: n.name, Slot: i + 1, Kind: workKind, Config: c, Next: n.next, Catch: n.catch,
			Wires: []engine.NamedWire{{Key: "other", Wire: &c.Other}}, Retry: n.retry, Timeout: n.timeout})
	}
	app, err := engine.Build(&engine.Plan{Name: "app", Flows: []*engine.FlowPlan{&flow}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return app, in
}

func handle(t testing.TB, app *engine.App, ctx context.Context) (*engine.Message, error) {
	t.Helper()
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		t.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{"n": 1}, "")
	return m, h(ctx, m)
}

// visits records the names of nodes, safely.
type visits struct {
	mu    sync.Mutex
	names []string
}

func (v *visits) add(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.names = append(v.names, name)
}

func (v *visits) pass(name string) func(context.Context, *engine.Message) (engine.Port, error) {
	return func(context.Context, *engine.Message) (engine.Port, error) { v.add(name); return engine.Next, nil }
}

func (v *visits) fail(name string, err error) func(context.Context, *engine.Message) (engine.Port, error) {
	return func(context.Context, *engine.Message) (engine.Port, error) { v.add(name); return engine.Next, err }
}

func (v *visits) way() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.names, " ")
}

var errBroken = engine.Fail(engine.Permanent, "broken", "it is broken", nil)
var errDown = engine.Fail(engine.Retryable, "down", "it is down", nil)

func TestAMessageFollowsTheWires(t *testing.T) {
	v := &visits{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{},
		node{name: "a", next: []string{"b"}, do: v.pass("a")},
		node{name: "b", next: []string{"never"}, other: []string{"c"}, do: func(context.Context, *engine.Message) (engine.Port, error) {
			v.add("b")
			return engine.Port(1), nil
		}},
		node{name: "c", do: v.pass("c")},
		node{name: "never", do: v.pass("never")},
	)
	if _, err := handle(t, app, t.Context()); err != nil || v.way() != "a b c" {
		t.Errorf("way %q, %v", v.way(), err)
	}
}

func TestEveryBranchOfAFanOutMustSettle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		b, c  error
		class string
	}{
		{"both do", nil, nil, ""},
		{"one fails for good", errBroken, nil, "permanent"},
		{"one may pass later", errBroken, errDown, "retryable"},
		{"both fail for good", errBroken, errBroken, "permanent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &visits{}
			app, _ := build(t, engine.Options{}, engine.FlowPlan{},
				node{name: "a", next: []string{"b", "c"}, do: v.pass("a")},
				node{name: "b", do: v.fail("b", tt.b)},
				node{name: "c", do: v.fail("c", tt.c)},
			)
			_, err := handle(t, app, t.Context())
			if (err == nil) != (tt.class == "") || err != nil && engine.ClassOf(err).String() != tt.class {
				t.Errorf("err = %v (%v); want class %q", err, engine.ClassOf(err), tt.class)
			}
			got := strings.Fields(v.way())
			slices.Sort(got)
			if strings.Join(got, " ") != "a b c" {
				t.Errorf("visited %v", got)
			}
		})
	}
}

func TestBranchesDoNotSeeEachOther(t *testing.T) {
	set := func(value any, next engine.Port) func(context.Context, *engine.Message) (engine.Port, error) {
		return func(_ context.Context, m *engine.Message) (engine.Port, error) {
			m.SetOutput(value)
			m.SetVar(0, value)
			return next, nil
		}
	}
	var mu sync.Mutex
	seen := map[any]bool{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{Vars: []string{"x"}},
		node{name: "a", next: []string{"b", "c"}, do: set("a", 0)},
		node{name: "b", next: []string{"end"}, do: set("b", 0)},
		node{name: "c", next: []string{"end"}, do: set("c", 0)},
		node{name: "end", do: func(_ context.Context, m *engine.Message) (engine.Port, error) {
			mu.Lock()
			defer mu.Unlock()
			seen[fmt.Sprint(m.Env.Vars[0], m.Env.Nodes[2], m.Env.Nodes[3])] = true
			return 0, nil
		}},
	)
	if _, err := handle(t, app, t.Context()); err != nil {
		t.Fatal(err)
	}
	if !seen["bb<nil>"] || !seen["c<nil>c"] {
		t.Errorf("the branches saw %v", seen)
	}
}

func TestForkTakesSeveralPortsAtOnce(t *testing.T) {
	v := &visits{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{},
		node{name: "a", next: []string{"b"}, other: []string{"c"}, do: func(_ context.Context, m *engine.Message) (engine.Port, error) {
			return m.Fork([]engine.Port{0, 1}), nil
		}},
		node{name: "b", do: v.pass("b")}, node{name: "c", do: v.pass("c")},
	)
	if _, err := handle(t, app, t.Context()); err != nil || len(v.names) != 2 {
		t.Errorf("visited %v, %v", v.names, err)
	}
}

func TestWhoTakesOverAFailure(t *testing.T) {
	for _, tt := range []struct {
		name      string
		nodeCatch []string
		flowCatch []string
		rescue    error
		way, err  string
	}{
		{"the node's catch", []string{"rescue"}, []string{"last"}, nil, "bad rescue", ""},
		{"the flow's catch", nil, []string{"last"}, nil, "bad last", ""},
		{"nobody", nil, nil, nil, "bad", "it is broken"},
		{"the flow's catch after the node's has failed", []string{"rescue"}, []string{"last"}, errBroken, "bad rescue last", ""},
		{"nobody after the node's catch has failed", []string{"rescue"}, nil, errBroken, "bad rescue", "node rescue of flow flow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := &visits{}
			app, _ := build(t, engine.Options{}, engine.FlowPlan{Catch: tt.flowCatch},
				node{name: "bad", catch: tt.nodeCatch, next: []string{"never"}, do: v.fail("bad", errBroken)},
				node{name: "never", do: v.pass("never")},
				node{name: "rescue", do: v.fail("rescue", tt.rescue)},
				node{name: "last", do: v.pass("last")},
			)
			_, err := handle(t, app, t.Context())
			if v.way() != tt.way || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("way %q, error %v; want %q, %q", v.way(), err, tt.way, tt.err)
			}
		})
	}
}

func TestAFailingFlowCatchGoesBackToTheSource(t *testing.T) {
	v := &visits{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{Catch: []string{"last"}},
		node{name: "bad", do: v.fail("bad", errBroken)}, node{name: "last", do: v.fail("last", errDown)})
	if _, err := handle(t, app, t.Context()); v.way() != "bad last" || engine.CodeOf(err) != "down" {
		t.Errorf("way %q, error %v", v.way(), err)
	}
}

func TestAFailingCatchTellsWhatItWasDealingWith(t *testing.T) {
	v := &visits{}
	var got map[string]any
	app, _ := build(t, engine.Options{}, engine.FlowPlan{Catch: []string{"last"}},
		node{name: "bad", do: v.fail("bad", errBroken), catch: []string{"rescue"}},
		node{name: "rescue", do: v.fail("rescue", errDown)},
		node{name: "last", do: func(_ context.Context, m *engine.Message) (engine.Port, error) {
			got = m.Env.Failure
			return 0, errors.New("no place left")
		}})
	_, err := handle(t, app, t.Context())
	want := "node last of flow flow: no place left; it was dealing with: node rescue of flow flow: it is down; it was dealing with: node bad of flow flow: it is broken"
	if err == nil || err.Error() != want {
		t.Errorf("error %v; want %s", err, want)
	}
	if got["message"] != "it is down" {
		t.Errorf("the flow's catch reads %v", got)
	}
}

func TestACatchChainReadsTheFailure(t *testing.T) {
	var got map[string]any
	app, _ := build(t, engine.Options{}, engine.FlowPlan{},
		node{name: "bad", catch: []string{"rescue"}, do: func(context.Context, *engine.Message) (engine.Port, error) { return 0, errBroken }},
		node{name: "rescue", do: func(_ context.Context, m *engine.Message) (engine.Port, error) { got = m.Env.Failure; return 0, nil }})
	if _, err := handle(t, app, t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"message": "it is broken", "code": "broken", "class": "permanent", "node": "bad", "flow": "flow"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("error is %v; want %v", got, want)
	}
}

func TestAPanicIsAnErrorOfItsMessage(t *testing.T) {
	v := &visits{}
	app, _ := build(t, engine.Options{}, engine.FlowPlan{},
		node{name: "bad", do: func(context.Context, *engine.Message) (engine.Port, error) { panic("oh no") }})
	_, err := handle(t, app, t.Context())
	if engine.CodeOf(err) != "panic" || engine.ClassOf(err) != engine.Permanent || !strings.Contains(err.Error(), "node bad of flow flow") {
		t.Errorf("err = %v", err)
	}
	app, _ = build(t, engine.Options{Recorder: &recorder{}}, engine.FlowPlan{},
		node{name: "bad", catch: []string{"rescue"}, do: func(context.Context, *engine.Message) (engine.Port, error) { panic("oh no") }},
		node{name: "rescue", do: v.pass("rescue")})
	if _, err := handle(t, app, t.Context()); err != nil || v.way() != "rescue" {
		t.Errorf("a caught panic: %v, way %q", err, v.way())
	}
}

func TestRetryCoversTheNodeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name     string
			fails    int
			with     error
			attempts int
			tries    int
			ok       bool
		}{
			{"passes at the third try", 2, errDown, 5, 3, true},
			{"gives up", 9, errDown, 4, 4, false},
			{"does not repeat what cannot help", 9, errBroken, 4, 1, false},
			{"is not asked for", 9, errDown, 0, 1, false},
		} {
			tries, behind := 0, 0
			app, _ := build(t, engine.Options{}, engine.FlowPlan{},
				node{name: "a", next: []string{"b"}, retry: engine.Retry{Attempts: tt.attempts, Backoff: time.Second}, do: func(context.Context, *engine.Message) (engine.Port, error) {
					if tries++; tries <= tt.fails {
						return 0, tt.with
					}
					return 0, nil
				}},
				node{name: "b", do: func(context.Context, *engine.Message) (engine.Port, error) { behind++; return 0, nil }})
			start := time.Now()
			_, err := handle(t, app, t.Context())
			if tries != tt.tries || (err == nil) != tt.ok || (behind == 1) != tt.ok {
				t.Errorf("%s: %d tries, %d behind, %v", tt.name, tries, behind, err)
			}
			// Waits of 1 s, 2 s, 4 s … of which between half and all is taken.
			waited, most := time.Since(start), time.Duration(1<<(tries-1)-1)*time.Second
			if waited < most/2 || waited > most {
				t.Errorf("%s: waited %v; want between %v and %v", tt.name, waited, most/2, most)
			}
		}
	})
}

func TestTimeoutEndsANodesWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context, _ *engine.Message) (engine.Port, error) { <-ctx.Done(); return 0, ctx.Err() }
		v := &visits{}
		app, _ := build(t, engine.Options{}, engine.FlowPlan{},
			node{name: "slow", timeout: 3 * time.Second, retry: engine.Retry{Attempts: 2, Backoff: time.Second}, catch: []string{"rescue"}, do: hang},
			node{name: "rescue", do: v.pass("rescue")})
		start := time.Now()
		m, err := handle(t, app, t.Context())
		if took := time.Since(start); err != nil || took < 6500*time.Millisecond || took > 7*time.Second || m.Env.Failure["code"] != "timeout" {
			t.Errorf("err %v after %v, failure %v", err, took, m.Env.Failure)
		}
	})
}

func TestTheFlowsTimeoutCutsARunShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &visits{}
		app, _ := build(t, engine.Options{}, engine.FlowPlan{Timeout: time.Second, Catch: []string{"rescue"}},
			node{name: "slow", do: func(ctx context.Context, _ *engine.Message) (engine.Port, error) { <-ctx.Done(); return 0, ctx.Err() }},
			node{name: "rescue", do: v.pass("rescue")})
		_, err := handle(t, app, t.Context())
		if engine.CodeOf(err) != engine.CodeDeadline || engine.ClassOf(err) != engine.Retryable || v.way() != "" {
			t.Errorf("err = %v, way %q", err, v.way())
		}
	})
}

func TestConcurrencyBoundsAFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var in, most atomic.Int32
		release := make(chan struct{})
		app, _ := build(t, engine.Options{}, engine.FlowPlan{Concurrency: 3},
			node{name: "a", do: func(context.Context, *engine.Message) (engine.Port, error) {
				if n := in.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-release
				in.Add(-1)
				return 0, nil
			}})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := handle(t, app, t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if in.Load() != 3 {
			t.Errorf("%d messages in a flow with concurrency 3", in.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := handle(t, app, ctx); engine.CodeOf(err) != "busy" {
			t.Errorf("a message that could not wait: %v", err)
		}
		close(release)
		wg.Wait()
		if most.Load() != 3 {
			t.Errorf("at most %d at once", most.Load())
		}
	})
}

func TestRunStopsTakingThenFinishesThenCutsOff(t *testing.T) {
	for _, tt := range []struct {
		name   string
		needs  time.Duration // how long the work under way still takes
		want   error
		settle bool
	}{
		{"work that ends within the grace period", 5 * time.Second, nil, true},
		{"work that does not", time.Hour, engine.ErrGrace, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app, in := build(t, engine.Options{Grace: 20 * time.Second}, engine.FlowPlan{},
					node{name: "a", do: func(ctx context.Context, _ *engine.Message) (engine.Port, error) {
						select {
						case <-time.After(tt.needs):
							return 0, nil
						case <-ctx.Done():
							return 0, ctx.Err()
						}
					}})
				ctx, stop := context.WithCancel(t.Context())
				ran := make(chan error, 1)
				go func() { ran <- app.Run(ctx) }()
				d := delivery{engine.NewMessage(expr.Fields{}, ""), make(chan error, 1)}
				in.in <- d
				stop()
				if err := <-ran; !errors.Is(err, tt.want) {
					t.Errorf("Run = %v; want %v", err, tt.want)
				}
				if err := <-d.settled; (err == nil) != tt.settle {
					t.Errorf("the message settled with %v", err)
				}
			})
		})
	}
}

// TestNoGraceCutsNothingOffWhereNothingIsUnderWay has a source that ends only a
// moment after its work is cut off, as the poll of a queue does.
func TestNoGraceCutsNothingOffWhereNothingIsUnderWay(t *testing.T) {
	kind := engine.Define(engine.Spec[struct{}]{Type: "idle", Source: func(*struct{}, engine.Deps) (engine.Source, error) { return idleSource{}, nil }})
	app, err := engine.Build(&engine.Plan{Flows: []*engine.FlowPlan{{Name: "f", Nodes: []*engine.NodePlan{{Name: "s", Kind: kind, Config: &struct{}{}}}}}}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := app.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
}

type idleSource struct{}

func (idleSource) Run(ctx context.Context, _ engine.Handler) error {
	<-engine.Work(ctx).Done()
	return nil
}

func TestASourceThatFailsStopsTheApp(t *testing.T) {
	kind := engine.Define(engine.Spec[struct{}]{Type: "bad", Source: func(*struct{}, engine.Deps) (engine.Source, error) { return brokenSource{}, nil }})
	app, err := engine.Build(&engine.Plan{Flows: []*engine.FlowPlan{{Name: "f", Nodes: []*engine.NodePlan{{Name: "s", Kind: kind, Config: &struct{}{}}}}}}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Run(t.Context()); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "flow f, source s") {
		t.Errorf("Run = %v", err)
	}
}

type brokenSource struct{}

func (brokenSource) Run(context.Context, engine.Handler) error { return errDown }

type recorder struct {
	mu    sync.Mutex
	steps []engine.Step
}

func (r *recorder) Record(s engine.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, s)
}

func TestARecorderSeesEveryStep(t *testing.T) {
	r := &recorder{}
	app, _ := build(t, engine.Options{Recorder: r}, engine.FlowPlan{},
		node{name: "a", next: []string{"b"}, do: func(_ context.Context, m *engine.Message) (engine.Port, error) {
			m.SetOutput("from a")
			return 0, nil
		}},
		node{name: "b", do: func(context.Context, *engine.Message) (engine.Port, error) { return 0, errBroken }})
	if _, err := handle(t, app, t.Context()); err == nil {
		t.Fatal("no error")
	}
	if len(r.steps) != 2 || r.steps[0].Node != "a" || r.steps[0].Port != "next" || r.steps[0].Output != "from a" ||
		r.steps[1].Node != "b" || !errors.Is(r.steps[1].Err, errBroken) || r.steps[1].Port != "" {
		t.Errorf("recorded %+v", r.steps)
	}
}

func TestALogLinePerRunTellsItsWay(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	v := &visits{}
	app, _ := build(t, engine.Options{Log: log}, engine.FlowPlan{},
		node{name: "a", next: []string{"b", "c"}, do: v.pass("a")}, node{name: "b", do: v.pass("b")}, node{name: "c", do: v.fail("c", errDown), catch: []string{"d"}}, node{name: "d", do: v.pass("d")})
	m, err := handle(t, app, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`msg="run done"`, `way="a > b > c > d"`, "run=" + m.ID, "correlation=" + m.Correlation, "flow=flow", "source=in"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log line lacks %s: %s", want, out.String())
		}
	}
}

func TestClassesOfErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want engine.Class
		code string
	}{
		{errDown, engine.Retryable, "down"},
		{fmt.Errorf("wrapped: %w", errBroken), engine.Permanent, "broken"},
		{errors.New("anything"), engine.Retryable, "error"},
		{&expr.EvalError{Err: errors.New("x")}, engine.Permanent, "expression"},
		{context.DeadlineExceeded, engine.Retryable, "timeout"},
		{retryability(false), engine.Permanent, "error"},
		{retryability(true), engine.Retryable, "error"},
	} {
		if c, code := engine.ClassOf(tt.err), engine.CodeOf(tt.err); c != tt.want || code != tt.code {
			t.Errorf("%v is %v %q; want %v %q", tt.err, c, code, tt.want, tt.code)
		}
	}
}

type retryability bool

func (r retryability) Error() string   { return "x" }
func (r retryability) Retryable() bool { return bool(r) }

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{"5": 5, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "1MB": 1e6, "7B": 7} {
		var s engine.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || int64(s) != want {
			t.Errorf("Size(%s) = %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5MiB", "99999999999GiB", "1TB"} {
		var s engine.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("Size(%q) = %d", text, s)
		}
	}
	var d engine.Duration
	if err := d.UnmarshalText([]byte("-1s")); err == nil {
		t.Error("a negative duration is taken")
	}
	if err := d.UnmarshalText([]byte("1m30s")); err != nil || d.Std() != 90*time.Second {
		t.Errorf("1m30s = %v, %v", d, err)
	}
}

// BenchmarkHop is the engine's own cost of going through a node.
func BenchmarkHop(b *testing.B) {
	const hops = 100
	nodes := make([]node, hops)
	for i := range nodes {
		nodes[i] = node{name: fmt.Sprint("n", i), do: func(context.Context, *engine.Message) (engine.Port, error) { return engine.Next, nil }}
		if i+1 < hops {
			nodes[i].next = []string{fmt.Sprint("n", i+1)}
		}
	}
	app, _ := build(b, engine.Options{}, engine.FlowPlan{}, nodes...)
	h, err := app.Flow("flow").Handler("in")
	if err != nil {
		b.Fatal(err)
	}
	m := engine.NewMessage(expr.Fields{}, "")
	b.ReportAllocs()
	for b.Loop() {
		if err := h(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/hops, "ns/hop")
}
