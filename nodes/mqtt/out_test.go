package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	embedded "github.com/flowctl-dev/flowctl/internal/local/mqtt"
)

func withQoS(qos int) func(*Out) { return func(c *Out) { c.QoS = qos } }

func TestPublishReachesSubscribersAtEachQoS(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	got := make(chan map[string]any, 10)
	run(t, s, broker, func(_ context.Context, m *engine.Message) error {
		all, err := m.Env.Event.Fields()
		got <- all
		return err
	}, asText, func(c *In) { c.QoS = 2 })
	for qos := range 3 {
		t.Run(fmt.Sprintf("QoS%d", qos), func(t *testing.T) {
			n := outNode(t, s, broker, withQoS(qos))
			r := n.Do(t.Context(), map[string]any{"topic": "a/b c", "body": "hi"})
			if r.Err != nil || r.Port != "next" {
				t.Fatalf("port %s, error %v", r.Port, r.Err)
			}
			if topic, err := r.Output.(expr.Record).Field("topic"); topic != "a/b c" || err != nil {
				t.Errorf("output %v", r.Output)
			}
			want := map[string]any{"body": "hi", "topic": "a/b c", "qos": qos, "retain": false, "duplicate": false}
			if all := receive(t, "message", got); !reflect.DeepEqual(all, want) {
				t.Errorf("got %v, want %v", all, want)
			}
		})
	}
}

func TestPayloadLeavesInTheFormOfItsValue(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText)
	n := outNode(t, s, broker)
	for name, tt := range map[string]struct {
		body any
		want string
	}{
		"a document byte for byte": {value.NewDoc([]byte(`{ "n": 1.50,"n2":12345678901234567890 }`)), `{ "n": 1.50,"n2":12345678901234567890 }`},
		"a text":                   {"héllo", "héllo"},
		"bytes":                    {[]byte("raw"), "raw"},
		"an object":                {map[string]any{"b": 1, "a": value.Number("0.12345678901234567890123456789012345678")}, `{"a":0.12345678901234567890123456789012345678,"b":1}`},
		"a list":                   {[]any{true, nil}, `[true,null]`},
		"a number":                 {42, "42"},
		"an empty text":            {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			publish(t, n, "a/x", tt.body)
			if body := receive(t, "message", got); body != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
		})
	}
}

func TestRetainedMessageWaitsForLaterSubscribers(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	publish(t, outNode(t, s, broker, func(c *Out) { c.Retain = true }), "a/state", "open")
	got := make(chan *engine.Message, 1)
	run(t, s, broker, func(_ context.Context, m *engine.Message) error { got <- m; return nil }, asText)
	m := receive(t, "message", got)
	if text(t, m) != "open" || field(t, m, "retain") != true {
		t.Errorf("body %s, retain %v", text(t, m), field(t, m, "retain"))
	}
}

// The broker takes each message and breaks off before it acknowledges: not one of them may count as published.
func TestConnectionDroppedBetweenPublishAndAcknowledgementIsNeverSuccess(t *testing.T) {
	for _, tt := range []struct{ qos, publishes int }{{1, 2}, {2, 1}} {
		t.Run(fmt.Sprintf("QoS%d", tt.qos), func(t *testing.T) {
			b := script(t, func(int, *packets.PublishPacket) bool { return false })
			n := outNode(t, services(t), site(t, b.url), withQoS(tt.qos))
			for i := range 3 {
				r := n.Do(t.Context(), map[string]any{"topic": "a", "body": fmt.Sprint(i)})
				if r.Err == nil {
					t.Fatal("success without an acknowledgement")
				}
				if engine.ClassOf(r.Err) != engine.Retryable || engine.CodeOf(r.Err) != "unavailable" {
					t.Errorf("class %v, code %s of %v", engine.ClassOf(r.Err), engine.CodeOf(r.Err), r.Err)
				}
			}
			if _, payloads := b.seen(); len(payloads) != 3*tt.publishes {
				t.Errorf("the broker saw %v, want each message %d times", payloads, tt.publishes)
			}
		})
	}
}

func TestMessageOnAConnectionThatDiesGoesOutOnAnotherOne(t *testing.T) {
	b := script(t, func(number int, p *packets.PublishPacket) bool { return number > 0 || string(p.Payload) == "first" })
	n := outNode(t, services(t), site(t, b.url))
	publish(t, n, "a", "first")
	publish(t, n, "a", "second")
	connections, payloads := b.seen()
	if want := []string{"first", "second", "second"}; connections != 2 || !reflect.DeepEqual(payloads, want) {
		t.Errorf("%d connections, payloads %v, want 2 and %v", connections, payloads, want)
	}
}

func TestManyMessagesInFlightOnADyingConnectionAreAllAcknowledgedOrFailed(t *testing.T) {
	const messages = 200
	var acknowledged sync.Map
	var seen atomic.Int32
	b := script(t, func(number int, p *packets.PublishPacket) bool {
		if number < 3 && seen.Add(1)%50 == 0 {
			return false
		}
		acknowledged.Store(string(p.Payload), true)
		return true
	})
	h := outNode(t, services(t), site(t, b.url)).Handler()
	var wg sync.WaitGroup
	for i := range messages {
		wg.Go(func() {
			body := fmt.Sprint(i)
			err := h(t.Context(), engine.NewMessage(expr.Fields{"topic": "a", "body": body}, ""))
			if _, ok := acknowledged.Load(body); err == nil && !ok {
				t.Errorf("message %s succeeded without an acknowledgement", body)
			}
			if err != nil && engine.ClassOf(err) != engine.Retryable {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if connections, _ := b.seen(); connections < 2 {
		t.Errorf("%d connections, the test needs a break", connections)
	}
}

func TestFailuresToPublishTellWhetherToTryAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "mqtt://" + ln.Addr().String()
	_ = ln.Close()
	_, guarded := startBroker(t, func(o *embedded.Options) { o.User, o.Password = "ann", "right-password" })
	release := make(chan struct{})
	silent := script(t, func(int, *packets.PublishPacket) bool { <-release; return false })
	t.Cleanup(func() { close(release) })

	short := func(b *Broker) { b.PublishTimeout = engine.Duration(100 * time.Millisecond) }
	wrong := func(b *Broker) { b.Username, b.Password = expr.Of("ann"), expr.Of("hunter2") }
	for name, tt := range map[string]struct {
		broker engine.Ref[Broker]
		event  map[string]any
		class  engine.Class
		code   string
	}{
		"nobody listens":     {site(t, nobody), map[string]any{"topic": "a", "body": ""}, engine.Retryable, "unavailable"},
		"no acknowledgement": {site(t, silent.url, short), map[string]any{"topic": "a", "body": ""}, engine.Retryable, "timeout"},
		"a wrong password":   {site(t, guarded, wrong), map[string]any{"topic": "a", "body": ""}, engine.Permanent, "refused"},
		"no password":        {site(t, guarded), map[string]any{"topic": "a", "body": ""}, engine.Permanent, "refused"},
		"a wildcard":         {site(t, nobody), map[string]any{"topic": "a/+", "body": ""}, engine.Permanent, "invalid_topic"},
		"no topic":           {site(t, nobody), map[string]any{"topic": "", "body": ""}, engine.Permanent, "invalid_topic"},
		"a topic of null":    {site(t, nobody), map[string]any{"body": ""}, engine.Permanent, "expression"},
	} {
		t.Run(name, func(t *testing.T) {
			r := outNode(t, services(t), tt.broker).Do(t.Context(), tt.event)
			if r.Err == nil || engine.ClassOf(r.Err) != tt.class || engine.CodeOf(r.Err) != tt.code {
				t.Fatalf("class %v, code %s of %v", engine.ClassOf(r.Err), engine.CodeOf(r.Err), r.Err)
			}
			if strings.Contains(r.Err.Error(), "hunter2") {
				t.Errorf("%v tells the password", r.Err)
			}
		})
	}
}

func TestPublishEndsWithItsContextAndWithTheConnections(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	b := script(t, func(_ int, p *packets.PublishPacket) bool {
		if string(p.Payload) == "hold" {
			close(arrived)
			<-release
		}
		return true
	})
	s := &engine.Services{}
	connections := NewConnections()
	engine.Provide(s, connections)
	h := outNode(t, s, site(t, b.url)).Handler()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- h(ctx, engine.NewMessage(expr.Fields{"topic": "a", "body": "hold"}, ""))
	}()
	receive(t, "PUBLISH", arrived)
	cancel()
	if err := receive(t, "result", result); err == nil || engine.ClassOf(err) != engine.Retryable {
		t.Errorf("got %v, want a retryable error", err)
	}
	close(release)
	if err := connections.Close(t.Context()); err != nil {
		t.Error(err)
	}
	err := h(t.Context(), engine.NewMessage(expr.Fields{"topic": "a", "body": "late"}, ""))
	if err == nil || engine.CodeOf(err) != "stopped" || engine.ClassOf(err) != engine.Retryable {
		t.Errorf("after Close: got %v, want a retryable error of code stopped", err)
	}
}

func TestNodesOfABrokerShareOneConnection(t *testing.T) {
	b := script(t, func(int, *packets.PublishPacket) bool { return true })
	s, broker := services(t), site(t, b.url)
	var wg sync.WaitGroup
	for range 3 {
		h := outNode(t, s, broker).Handler()
		for range 20 {
			wg.Go(func() {
				if err := h(t.Context(), engine.NewMessage(expr.Fields{"topic": "a", "body": "x"}, "")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if connections, payloads := b.seen(); connections != 1 || len(payloads) != 60 {
		t.Errorf("%d connections, %d messages, want 1 and 60", connections, len(payloads))
	}
}

func TestOutFindsWhatItsFieldsCannotSay(t *testing.T) {
	topic := func(s string) func(*Out) { return func(c *Out) { c.Topic.Set(expr.Text(s)) } }
	for name, tt := range map[string]struct {
		change func(*Out)
		field  string
	}{
		"fine":                         {topic("a/${{ event.id }}"), ""},
		"a wildcard":                   {topic("a/#"), "topic"},
		"a wildcard beside a value":    {topic("a/${{ event.id }}/+"), "topic"},
		"a plus inside an expression":  {topic("a/${{ event.n + 1 }}"), ""},
		"an empty topic":               {topic(""), "topic"},
		"QoS 3":                        {withQoS(3), "qos"},
		"QoS -1":                       {withQoS(-1), "qos"},
		"allow_loss where none can be": {func(c *Out) { c.AllowLoss = true }, "allow_loss"},
		"allow_loss with QoS 0":        {func(c *Out) { c.QoS, c.AllowLoss = 0, true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := enginetest.Config[Out](t)
			tt.change(c)
			wantFinding(t, outKind.Check(c), tt.field)
		})
	}
}

func wantFinding(t *testing.T, found []engine.Finding, field string) {
	t.Helper()
	switch {
	case field == "" && len(found) > 0, field != "" && (len(found) != 1 || found[0].Field != field):
		t.Errorf("got %v, want a finding on %q", found, field)
	}
}

func TestQoS0MayLoseUnlessTheAuthorAllowsIt(t *testing.T) {
	for _, tt := range []struct {
		qos   int
		allow bool
		want  string
	}{{0, false, "qos"}, {0, true, ""}, {1, false, ""}, {2, false, ""}} {
		c := &Out{QoS: tt.qos, AllowLoss: tt.allow}
		if f := outKind.MayLose(c); f.Field != tt.want || (f.Message != "") != (tt.want != "") {
			t.Errorf("QoS %d, allow_loss %v: got %v", tt.qos, tt.allow, f)
		}
	}
}

func TestPublishIsLoggedWithItsRunAtDebugOnly(t *testing.T) {
	b := script(t, func(int, *packets.PublishPacket) bool { return true })
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		j, _ := newJournal()
		log := slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: level}))
		c := enginetest.Config[Out](t)
		c.Broker, c.Topic = site(t, b.url), topicField(t, "a")
		n, err := newOut(c, engine.Deps{Log: log, Services: services(t)})
		if err != nil {
			t.Fatal(err)
		}
		m := engine.NewMessage(expr.Fields{}, "")
		if err := n.publish(t.Context(), "a", nil); err != nil {
			t.Fatal(err)
		}
		n.logPublished(t.Context(), m, "a", 0)
		if told := strings.Contains(j.String(), m.ID); told != (level == slog.LevelDebug) {
			t.Errorf("at %v the log is %q", level, j)
		}
	}
}
