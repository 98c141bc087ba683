package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/nodes"
	httpnode "github.com/flowctl-dev/flowctl/nodes/http"
	"github.com/flowctl-dev/flowctl/nodes/logic"
	"github.com/flowctl-dev/flowctl/nodes/sqs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 90 * time.Second

// bomb is a node type that panics on the messages it is told to.
type bomb struct {
	When expr.Condition `yaml:"when,required" doc:"The messages to panic on."`
}

// seen are the bodies that came past a bomb.
type seen struct {
	mu     sync.Mutex
	bodies map[string]bool
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func bombKind(s *seen) *engine.Kind {
	return engine.Define(engine.Spec[bomb]{Type: "test.bomb", New: func(c *bomb, _ engine.Deps) (engine.Node, error) {
		return engine.NodeFunc(func(_ context.Context, m *engine.Message) (engine.Port, error) {
			if hit, err := c.When.Holds(&m.Env); err != nil || hit {
				panic("the bomb went off")
			}
			id, err := m.Env.Event.Field("message_id")
			if err != nil {
				return 0, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.bodies[fmt.Sprint(id)] = true
			return engine.Next, nil
		}), nil
	}})
}

const bombApp = `
version: 1
resources:
  work: {type: sqs.queue, dead_letter: {after: 2}}
flows:
  work:
    nodes:
      work: {type: sqs.in, queue: work, backoff: {base: 1s, max: 1s}, next: bomb}
      bomb: {type: test.bomb, when: event.body.bad == true}
`

func startApp(t *testing.T, text string, registry *engine.Registry, change func(*Options)) *Host {
	t.Helper()
	app, found := flows.Parse("app.flow.yaml", []byte(text), flows.Options{Registry: registry})
	if len(found) > 0 {
		t.Fatal(found)
	}
	o := Options{App: app, HTTPAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: t.TempDir(),
		Grace: patience, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	h, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return h
}

// background runs the host until the returned function is called.
func background(t *testing.T, h *Host) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatalf("it never came that %s", what)
		}
	}
}

func depth(t *testing.T, c *sdk.Client, url string) int {
	t.Helper()
	out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, key := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		var part int
		if _, err := fmt.Sscan(out.Attributes[key], &part); err != nil {
			t.Fatal(err)
		}
		n += part
	}
	return n
}

func TestAMessageThatANodePanicsOnEndsInTheDeadLetterQueueAndHindersNobody(t *testing.T) {
	s := &seen{bodies: map[string]bool{}}
	registry := engine.NewRegistry(append(append(sqs.Kinds(), logic.Kinds()...), bombKind(s)), sqs.Resources())
	h := startApp(t, bombApp, registry, nil)
	stop := background(t, h)
	client, err := sqs.Client(t.Context(), h.clients, true)
	if err != nil {
		t.Fatal(err)
	}
	url := h.AWSEndpoint() + "/000000000000/work"
	for i := range 50 {
		body := fmt.Sprintf(`{"n":%d,"bad":%v}`, i, i%10 == 0)
		if _, err := client.SendMessage(t.Context(), &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the good messages are done", func() bool { return s.count() == 45 })
	eventually(t, "the bad ones are dead letters", func() bool { return depth(t, client, url+"-dead") == 5 && depth(t, client, url) == 0 })
	stop()
	if s.count() != 45 {
		t.Errorf("%d messages came past the bomb, want 45", s.count())
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	app, found, err := flows.Load("../../examples/taxi", flows.Options{Registry: nodes.All()})
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	for what, change := range map[string]func(*Options){
		"HTTP":             func(o *Options) { o.HTTPAddr = taken },
		"the AWS endpoint": func(o *Options) { o.AWSAddr = taken },
		"the MQTT broker":  func(o *Options) { o.MQTTAddr = taken },
	} {
		o := Options{App: app, HTTPAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}
		change(&o)
		_, err := Start(t.Context(), o)
		var a *local.AddrError
		if !errors.As(err, &a) || a.What != what || a.Addr != taken {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTheSeedIsWrittenOnceAndAfterAnInterruptedStart(t *testing.T) {
	dir := t.TempDir()
	app, found, err := flows.Load("../../examples/taxi", flows.Options{Registry: nodes.All()})
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	start := func() (seeded int, fresh bool) {
		h, err := Start(t.Context(), Options{App: app, HTTPAddr: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: dir, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close(context.Background())
		return h.Seeded("drivers")
	}
	if n, fresh := start(); n != 5 || !fresh {
		t.Errorf("the first start seeds %d, %v", n, fresh)
	}
	if n, fresh := start(); fresh {
		t.Errorf("the second start seeds %d again", n)
	}
	if err := os.Remove(filepath.Join(dir, "seeded-drivers")); err != nil {
		t.Fatal(err)
	}
	if n, fresh := start(); n != 5 || !fresh {
		t.Errorf("a start after one that broke off before its mark seeds %d, %v", n, fresh)
	}
}

func TestReadyzFollowsTheApp(t *testing.T) {
	h := startApp(t, `
version: 1
flows:
  hello:
    nodes:
      get: {type: http.in, method: GET, path: /hello, next: answer}
      answer: {type: http.response, body: hello}
`, engine.NewRegistry(append(httpnode.Kinds(), logic.Kinds()...), nil), nil)
	stop := background(t, h)
	url := "http://" + h.HTTPAddr().String()
	status := func(path string) int {
		resp, err := http.Get(url + path)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	eventually(t, "the app is ready", func() bool { return status("/readyz") == 200 })
	if s := status("/hello"); s != 200 {
		t.Errorf("GET /hello: %d", s)
	}
	if s := status("/healthz"); s != 200 {
		t.Errorf("GET /healthz: %d", s)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if s := status("/healthz"); s != 0 {
		t.Errorf("after the stop somebody answers: %d", s)
	}
}

func TestInvokeChecksTheEvent(t *testing.T) {
	app, found, err := flows.Load("../../examples/taxi", flows.Options{Registry: nodes.All()})
	if err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	j := &Journal{}
	h, err := Start(t.Context(), Options{App: app, HTTPAddr: Off, MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: t.TempDir(), Sourceless: true, Recorder: j, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	for _, tt := range []struct {
		flow, source string
		event        map[string]any
		want         string
	}{
		{"requests", "", nil, `no flow "requests"`},
		{"request", "x", nil, `no source "x"`},
		{"request", "", map[string]any{"areacode": "1"}, `no field "areacode"`},
		{"request", "", map[string]any{"body": map[string]any{"areacode": "1"}}, "name: is missing"},
	} {
		_, err := h.Invoke(t.Context(), j, tt.flow, tt.source, tt.event)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.flow, err, tt.want)
		}
	}
	inv, err := h.Invoke(t.Context(), j, "request", "", map[string]any{"body": map[string]any{"areacode": "1", "name": "J", "seat": "2"}})
	if err != nil || inv.Err != nil || len(inv.Steps) != 2 || inv.Response == nil || inv.Response.Status != 202 {
		t.Errorf("invocation %+v, %v", inv, err)
	}
}

// A request always has headers and a query, be they empty; so has an event that
// leaves them out.
func TestInvokeFillsInTheObjectsThatAnEventAlwaysHas(t *testing.T) {
	app, found := flows.Parse("x.flow.yaml", []byte(`
version: 1
flows:
  f:
    nodes:
      in: {type: http.in, method: POST, path: "/x/{id}", next: r}
      r: {type: http.response, body: "${{ [event.headers.accept, event.query.q, event.query_all.q, event.params.id, event.cookies.c, event.body] }}"}
`), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	j := &Journal{}
	h, err := Start(t.Context(), Options{App: app, HTTPAddr: Off, MQTTAddr: Off, AWSAddr: Off, DataDir: t.TempDir(), Sourceless: true, Recorder: j, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	inv, err := h.Invoke(t.Context(), j, "f", "", map[string]any{"query": map[string]any{"q": "a"}})
	if err != nil || inv.Err != nil || inv.Response == nil || string(inv.Response.Body) != `[null,"a",null,null,null,null]` {
		t.Errorf("invocation %+v, %v", inv, err)
	}
}
