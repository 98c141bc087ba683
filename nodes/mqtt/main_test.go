package mqtt

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	embedded "github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none of them takes it unless it fails.
const patience = 30 * time.Second

func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s in %s", what, patience)
		panic("unreachable")
	}
}

// journal is a log that a test can read and wait for.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced with each line
}

func newJournal() (*journal, *slog.Logger) {
	j := &journal{more: make(chan struct{})}
	return j, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(line)
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns when the log holds the text at least so many times.
func (j *journal) await(t testing.TB, text string, times int) {
	t.Helper()
	for {
		j.mu.Lock()
		n, more := strings.Count(j.text.String(), text), j.more
		j.mu.Unlock()
		if n >= times {
			return
		}
		select {
		case <-more:
		case <-time.After(patience):
			t.Fatalf("no %q in %s, the log is:\n%s", text, patience, j)
		}
	}
}

// startBroker runs the embedded broker; it gives its URL too.
func startBroker(t testing.TB, change ...func(*embedded.Options)) (*embedded.Broker, string) {
	t.Helper()
	o := embedded.Options{Addr: "127.0.0.1:0", Dir: t.TempDir()}
	for _, c := range change {
		c(&o)
	}
	b, err := embedded.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	scheme := "mqtt://"
	if o.TLS != nil {
		scheme = "mqtts://"
	}
	return b, scheme + b.Addr()
}

// site is a reference to a broker at a URL, with timeouts that no test reaches unless it changes them.
func site(t testing.TB, url string, change ...func(*Broker)) engine.Ref[Broker] {
	t.Helper()
	b := enginetest.Config[Broker](t)
	b.URL = expr.Of(url)
	b.ConnectTimeout, b.PublishTimeout = engine.Duration(patience), engine.Duration(patience)
	for _, c := range change {
		c(b)
	}
	return engine.Ref[Broker]{Name: "site", Resource: b}
}

// services are those of a process; they are closed at the end of the test.
func services(t testing.TB) *engine.Services {
	t.Helper()
	s, c := &engine.Services{}, NewConnections()
	engine.Provide(s, c)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("closing the connections: %v", err)
		}
	})
	return s
}

func topicField(t testing.TB, text string) Topic {
	t.Helper()
	var f Topic
	f.Set(expr.Text(text))
	scope := &expr.Scope{Run: engine.RunType, Env: map[string]string{"PREFIX": "plant/7", "BAD": "a+b"}}
	for _, p := range f.Compile(scope) {
		t.Fatalf("%s: %v", p.Tree.Text, p.Error)
	}
	return f
}

// outNode is a mqtt.out that publishes event.body to event.topic, unless changed.
func outNode(t testing.TB, s *engine.Services, broker engine.Ref[Broker], change ...func(*Out)) *enginetest.Node {
	t.Helper()
	c := enginetest.Config[Out](t)
	c.Broker = broker
	c.Topic = topicField(t, "${{ event.topic }}")
	c.Payload = enginetest.Expr[[]byte](t, "${{ event.body }}")
	for _, f := range change {
		f(c)
	}
	return enginetest.New(t, outKind, c, s)
}

// publish sends one message, which must be acknowledged.
func publish(t testing.TB, n *enginetest.Node, topic string, body any) {
	t.Helper()
	if r := n.Do(t.Context(), map[string]any{"topic": topic, "body": body}); r.Err != nil {
		t.Fatalf("publishing to %s: %v", topic, r.Err)
	}
}

func filters(texts ...string) []expr.Value[string] {
	out := make([]expr.Value[string], len(texts))
	for i, text := range texts {
		out[i] = expr.Of(text)
		out[i].Set(expr.Text(text))
	}
	return out
}

// running is a mqtt.in that receives.
type running struct {
	*source
	t       testing.TB
	journal *journal
	ended   chan error
	stop    context.CancelFunc // no more messages
	cut     context.CancelFunc // no more work either
}

// run starts a mqtt.in of the filter a/# and returns when it is subscribed.
func run(t testing.TB, s *engine.Services, broker engine.Ref[Broker], deliver engine.Handler, change ...func(*In)) *running {
	t.Helper()
	r := start(t, s, broker, deliver, change...)
	r.journal.await(t, "msg=subscribed", 1)
	return r
}

func start(t testing.TB, s *engine.Services, broker engine.Ref[Broker], deliver engine.Handler, change ...func(*In)) *running {
	t.Helper()
	c := enginetest.Config[In](t)
	c.Broker, c.Topic = broker, filters("a/#")
	for _, f := range change {
		f(c)
	}
	if found := inKind.Check(c); len(found) > 0 {
		t.Fatalf("%v", found)
	}
	j, log := newJournal()
	src, err := newSource(c, engine.Deps{Log: log, Flow: "flow", Node: "in", Services: s})
	if err != nil {
		t.Fatal(err)
	}
	taking, stop := context.WithCancel(context.Background())
	work, cut := context.WithCancel(context.Background())
	r := &running{source: src, t: t, journal: j, ended: make(chan error, 1), stop: stop, cut: cut}
	go func() { r.ended <- src.Run(engine.WithWork(taking, work), deliver) }()
	t.Cleanup(r.end)
	return r
}

// end stops the source as an app does, and waits for it.
func (r *running) end() {
	r.t.Helper()
	if r.ended == nil {
		return
	}
	r.stop()
	if err := receive(r.t, "end of Run", r.ended); err != nil {
		r.t.Errorf("Run: %v", err)
	}
	r.ended = nil
	r.cut()
	if err := r.Close(context.Background()); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// field reads the event of a message.
func field(t testing.TB, m *engine.Message, name string) any {
	t.Helper()
	v, err := m.Env.Event.Field(name)
	if err != nil {
		t.Error(err)
	}
	return v
}

func text(t testing.TB, m *engine.Message) string { return fmt.Sprint(field(t, m, "body")) }

func asText(c *In) { c.Format = formatText }

func inSession(name string) func(*In) { return func(c *In) { c.Session = name } }

// collect is a handler that gives the bodies it gets, as texts.
func collect(t testing.TB) (engine.Handler, <-chan string) {
	got := make(chan string, 10000)
	return func(_ context.Context, m *engine.Message) error {
		got <- text(t, m)
		return nil
	}, got
}
