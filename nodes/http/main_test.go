package http

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is a node of one function, for tests to put between a request and its
// answer.
type step struct {
	do func(context.Context, *engine.Message) error
}

var stepKind = engine.Define(engine.Spec[step]{Type: "test.step", New: func(s *step, _ engine.Deps) (engine.Node, error) {
	return engine.NodeFunc(func(ctx context.Context, m *engine.Message) (engine.Port, error) { return engine.Next, s.do(ctx, m) }), nil
}})

// kind finds one of the family's node types.
func kind(t testing.TB, name string) *engine.Kind {
	t.Helper()
	for _, k := range Kinds() {
		if k.Type == name {
			return k
		}
	}
	t.Fatalf("there is no node type %s", name)
	return nil
}

// in is the config of an http.in of this method and path.
func in(t testing.TB, method, path string, change ...func(*In)) *In {
	t.Helper()
	c := enginetest.Config[In](t)
	c.Method, c.Path = method, path
	for _, f := range change {
		f(c)
	}
	return c
}

// respond is the config of an http.response with this body, if any.
func respond(t testing.TB, status int, body any, change ...func(*Respond)) *Respond {
	t.Helper()
	c := enginetest.Config[Respond](t)
	c.Status = expr.Of(status)
	if body != nil {
		c.Body = compiled[any](t, body)
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func compiled[T any](t testing.TB, v any) expr.Value[T] {
	t.Helper()
	var f expr.Value[T]
	f.Set(tree(v))
	for _, p := range f.Compile(&expr.Scope{Run: engine.RunType}) {
		t.Fatalf("%v: %v", v, p.Error)
	}
	return f
}

// tree is a field's value as the loader gives it.
func tree(v any) *expr.Tree {
	switch v := v.(type) {
	case string:
		return expr.Text(v)
	case []any:
		t := &expr.Tree{Kind: expr.KindList}
		for _, e := range v {
			t.Items = append(t.Items, tree(e))
		}
		return t
	case map[string]any:
		t := &expr.Tree{Kind: expr.KindObject}
		for k, e := range v {
			t.Keys, t.Items = append(t.Keys, k), append(t.Items, tree(e))
		}
		return t
	}
	return &expr.Tree{Const: v}
}

// flow is an http.in and the nodes behind it, in a line.
type flow struct {
	in    *In
	nodes []any // *Respond or func(context.Context, *engine.Message) error
}

func flowOf(in *In, nodes ...any) flow { return flow{in, nodes} }

// plan is the app of the flows.
func plan(t testing.TB, flows []flow) *engine.Plan {
	t.Helper()
	p := &engine.Plan{Name: "test"}
	for i, f := range flows {
		fp := &engine.FlowPlan{Name: f.in.Path, Nodes: []*engine.NodePlan{{Name: "in", Kind: kind(t, "http.in"), Config: f.in}}}
		last := fp.Nodes[0]
		for j, n := range f.nodes {
			np := &engine.NodePlan{Name: string(rune('a' + j)), Slot: j + 1}
			switch n := n.(type) {
			case *Respond:
				np.Kind, np.Config = kind(t, "http.response"), n
			case func(context.Context, *engine.Message) error:
				np.Kind, np.Config = stepKind, &step{n}
			default:
				t.Fatalf("flow %d has a node of type %T", i, n)
			}
			last.Next = []string{np.Name}
			fp.Nodes = append(fp.Nodes, np)
			last = np
		}
		p.Flows = append(p.Flows, fp)
	}
	return p
}

// running is an app that serves on loopback.
type running struct {
	*Server
	url string
	log *journal
	// stop ends the app's sources and then the server, as a process that is
	// told to stop does. Tests need not call it.
	stop func()
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
	also io.Writer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(line)
	return j.also.Write(line)
}

// line is the first line with a text in it, "" if there is none.
func (j *journal) line(with string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.text.String()) {
		if strings.Contains(line, with) {
			return line
		}
	}
	return ""
}

// serve runs the flows with a real listener.
func serve(t testing.TB, o ServerOptions, flows ...flow) *running {
	t.Helper()
	kept := &journal{also: t.Output()}
	log := slog.New(slog.NewTextHandler(kept, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Log = log
	server := NewServer(o)
	app, err := engine.Build(plan(t, flows), engine.Options{Services: provided(server), Log: log, Grace: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, ran := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve() }()
	go func() { ran <- app.Run(ctx) }()
	server.SetReady(true)
	r := &running{Server: server, url: "http://" + server.Addr().String(), log: kept}
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ran, server.Shutdown(context.Background()), <-served, app.Close(context.Background())); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	r.awaitReady()
	return r
}

// awaitReady returns when all sources take requests.
func (r *running) awaitReady() {
	for code := 0; code != http.StatusOK; runtime.Gosched() {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		code = w.Code
	}
}

// findings are the fields and texts of what Check says.
func findings(k *engine.Kind, config any) string {
	var out []string
	for _, f := range k.Check(config) {
		out = append(out, f.Field+": "+f.Message)
	}
	return strings.Join(out, "\n")
}

// client is an HTTP client of its own for each test, so that no connection
// outlives it.
func client(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
