package mqtt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	embedded "github.com/flowctl-dev/flowctl/internal/local/mqtt"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

var (
	errPassing = engine.Fail(engine.Retryable, "busy", "not now", nil)
	errForGood = engine.Fail(engine.Permanent, "bad", "never", nil)
)

// order is a schema that wants an object with an id.
var order = engine.Schema{Name: "Order", Type: expr.Object(map[string]expr.Type{"id": expr.String}), Validate: func(v any) error {
	if o, ok := v.(map[string]any); !ok || o["id"] == nil {
		return errors.New("id is missing")
	}
	return nil
}}

func TestEventHoldsTheMessageAsItsFormatSays(t *testing.T) {
	for name, tt := range map[string]struct {
		format, payload string
		schema          engine.Schema
		want            any // nil is null, an error's code is a failure
	}{
		"JSON":                    {payload: `{"id":"7","n":12345678901234567890}`, want: map[string]any{"id": "7", "n": value.Number("12345678901234567890")}},
		"JSON by its schema":      {payload: `{"id":"7"}`, schema: order, want: map[string]any{"id": "7"}},
		"nothing":                 {payload: "", want: nil},
		"no JSON":                 {payload: "hello", want: errors.New("invalid_body")},
		"no JSON, with a schema":  {payload: "hello", schema: order, want: errors.New("invalid_body")},
		"broken schema":           {payload: `{"name":"x"}`, schema: order, want: errors.New("invalid_body")},
		"nothing, with a schema":  {payload: "", schema: order, want: errors.New("invalid_body")},
		"text":                    {format: formatText, payload: "héllo", want: "héllo"},
		"no text":                 {format: formatText, payload: "\xff", want: errors.New("invalid_body")},
		"empty text":              {format: formatText, payload: "", want: ""},
		"bytes":                   {format: formatBytes, payload: "\xff\x00", want: []byte("\xff\x00")},
		"JSON that is not looked": {format: formatBytes, payload: "{", want: []byte("{")},
	} {
		t.Run(name, func(t *testing.T) {
			c := enginetest.Config[In](t)
			c.Body = tt.schema
			if tt.format != "" {
				c.Format = tt.format
			}
			m, err := c.message(client.Message{Topic: "a", Payload: []byte(tt.payload), QoS: 1, Attempt: 3})
			if code, fails := tt.want.(error); fails {
				if engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != code.Error() {
					t.Errorf("got %v, want a permanent %v", err, code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := value.Plain(field(t, m, "body"))
			if err != nil || !reflect.DeepEqual(body, tt.want) {
				t.Errorf("got %#v, %v, want %#v", body, err, tt.want)
			}
			if m.Attempt != 3 || m.Correlation == "" {
				t.Errorf("attempt %d, correlation %q", m.Attempt, m.Correlation)
			}
		})
	}
}

func TestEventHasExactlyTheFieldsOfItsType(t *testing.T) {
	c := enginetest.Config[In](t)
	m, err := c.message(client.Message{Payload: []byte("1")})
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.Env.Event.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range inKind.Event(c).FieldNames() {
		one, err := m.Env.Event.Field(name)
		if got, ok := all[name]; !ok || err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%s: %v in all, %v alone, %v", name, got, one, err)
		}
		delete(all, name)
	}
	if len(all) > 0 {
		t.Errorf("the type does not know %v", all)
	}
}

// A message that fails retryably is worked on again and acknowledged in the end; then it never comes again.
func TestRetryableFailureKeepsTheMessageUntilItIsDone(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	attempts := make(chan int, 10)
	r := run(t, s, broker, func(_ context.Context, m *engine.Message) error {
		attempts <- m.Attempt
		if m.Attempt == 1 {
			return errPassing
		}
		return nil
	}, asText, inSession("keeper"))
	n := outNode(t, s, broker)
	publish(t, n, "a/x", "job")
	for want := 1; want <= 2; want++ {
		if got := receive(t, "attempt", attempts); got != want {
			t.Errorf("attempt %d, want %d", got, want)
		}
	}
	r.end()
	if got, want := r.Counts(), (Counts{Received: 2, Done: 1, Failed: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	publish(t, n, "a/x", "later")
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, inSession("keeper"))
	if body := receive(t, "message", got); body != "later" {
		t.Errorf("got %q, want the next message: the first was acknowledged", body)
	}
}

func TestMessageThatFailsForGoodIsLoggedAndAcknowledged(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	reached := make(chan string, 10)
	r := run(t, s, broker, func(_ context.Context, m *engine.Message) error {
		id, err := field(t, m, "body").(*value.Doc).Value()
		reached <- fmt.Sprint(id)
		return errors.Join(err, errForGood)
	}, func(c *In) { c.Body, c.Session, c.MaxInFlight = order, "keeper", 1 })
	n := outNode(t, s, broker)
	publish(t, n, "a/x", `{"name":"breaks the schema"}`)
	publish(t, n, "a/x", `{"id":"1"}`)
	if got := receive(t, "message", reached); got != "map[id:1]" {
		t.Errorf("got %s: what breaks the schema must not reach the flow", got)
	}
	r.journal.await(t, "is dropped", 2)
	r.end()
	if got, want := r.Counts(), (Counts{Received: 2, Dropped: 2}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if log := r.journal.String(); strings.Count(log, "level=ERROR") != 2 || !strings.Contains(log, "id is missing") || !strings.Contains(log, "never") {
		t.Errorf("the log does not tell of both:\n%s", log)
	}
	publish(t, n, "a/x", "later")
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, inSession("keeper"))
	if body := receive(t, "message", got); body != "later" {
		t.Errorf("got %q, want the next message: the others were acknowledged", body)
	}
}

func TestDeadLetterHoldsThePayloadAsItCame(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	letters := make(chan *engine.Message, 1)
	run(t, s, broker, func(_ context.Context, m *engine.Message) error { letters <- m; return nil }, asText,
		func(c *In) { c.Topic = filters("dead/+") })
	deliver, _ := collect(t)
	r := run(t, s, broker, deliver, func(c *In) { c.DeadLetter = expr.Of("dead/a") })
	publish(t, outNode(t, s, broker), "a/x", `{ "broken`)
	m := receive(t, "dead letter", letters)
	if text(t, m) != `{ "broken` || field(t, m, "topic") != "dead/a" || field(t, m, "qos") != 1 {
		t.Errorf("body %q, topic %v, qos %v", text(t, m), field(t, m, "topic"), field(t, m, "qos"))
	}
	r.journal.await(t, "is a dead letter", 1)
	if got, want := r.Counts(), (Counts{Received: 1, DeadLettered: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestMessageThatHasHadItsAttemptsIsADeadLetter(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	deliver, letters := collect(t)
	run(t, s, broker, deliver, asText, func(c *In) { c.Topic = filters("dead") })
	attempts := make(chan int, 10)
	runs := make(chan string, 10)
	r := run(t, s, broker, func(_ context.Context, m *engine.Message) error {
		attempts <- m.Attempt
		runs <- "run=" + m.ID + " correlation=" + m.Correlation
		return errPassing
	}, func(c *In) { c.MaxAttempts, c.DeadLetter = 2, expr.Of("dead") })
	publish(t, outNode(t, s, broker), "a/x", "1")
	if body := receive(t, "dead letter", letters); body != "1" {
		t.Errorf("got %q", body)
	}
	r.journal.await(t, "is a dead letter", 1)
	<-runs
	if last := <-runs; !strings.Contains(r.journal.String(), last) {
		t.Errorf("the log does not name the last run, %s:\n%s", last, r.journal.String())
	}
	if got, want := r.Counts(), (Counts{Received: 2, Failed: 1, DeadLettered: 1}); got != want || len(attempts) != 2 {
		t.Errorf("%d attempts, counts %+v, want %+v", len(attempts), got, want)
	}
}

func TestOnlyWhatHadItsTimeHasHadItsAttempts(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx          context.Context
		most         int
		attempt, qos int
		want         bool
	}{
		"the last attempt":   {t.Context(), 3, 3, 1, true},
		"an attempt is left": {t.Context(), 3, 2, 1, false},
		"no bound":           {t.Context(), 0, 100, 1, false},
		"cut off":            {ended, 3, 3, 1, false},
		"QoS 0":              {t.Context(), 1, 1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &source{In: &In{MaxAttempts: tt.most}}
			if got := s.exhausted(tt.ctx, client.Message{Attempt: tt.attempt, QoS: byte(tt.qos)}); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// While the dead letter cannot be published the message is not acknowledged.
func TestMessageWhoseDeadLetterIsNotAcknowledgedIsKept(t *testing.T) {
	connections := NewConnections()
	s := &engine.Services{}
	engine.Provide(s, connections)
	c := enginetest.Config[In](t)
	c.Broker, c.Topic, c.DeadLetter = site(t, "mqtt://127.0.0.1:1"), filters("a"), expr.Of("dead")
	src, err := newSource(c, engine.Deps{Services: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := connections.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = src.settle(t.Context(), nil, client.Message{Topic: "a", Payload: []byte("{"), QoS: 1})
	if err == nil || !strings.Contains(err.Error(), `"dead"`) {
		t.Errorf("got %v, want an error that names the dead-letter topic", err)
	}
	if got, want := src.Counts(), (Counts{Received: 1, Failed: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestSessionCollectsMessagesWhileTheAppIsDown(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, inSession("keeper")).end()
	n := outNode(t, s, broker)
	for i := range 20 {
		publish(t, n, "a/x", fmt.Sprint(i))
	}
	run(t, s, broker, deliver, asText, inSession("keeper"), func(c *In) { c.MaxInFlight = 1 })
	for i := range 20 {
		if body := receive(t, "message", got); body != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", body, i)
		}
	}
}

// Work that was taken before the end is finished and acknowledged after it.
func TestEndWaitsForTheWorkUnderWayAndAcknowledgesIt(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	working, proceed := make(chan struct{}), make(chan struct{})
	r := run(t, s, broker, func(ctx context.Context, _ *engine.Message) error {
		close(working)
		<-proceed
		return ctx.Err()
	}, asText, inSession("keeper"))
	n := outNode(t, s, broker)
	publish(t, n, "a/x", "job")
	receive(t, "delivery", working)
	r.stop()
	select {
	case err := <-r.ended:
		t.Fatalf("Run returned %v with work under way", err)
	default:
	}
	close(proceed)
	r.end()
	if got := r.Counts(); got.Done != 1 {
		t.Errorf("counts %+v, want the work done", got)
	}
	publish(t, n, "a/x", "later")
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, inSession("keeper"))
	if body := receive(t, "message", got); body != "later" {
		t.Errorf("got %q, want the next message", body)
	}
}

// Work that is cut off when the grace period ends is not acknowledged and comes again.
func TestWorkThatIsCutOffComesAgain(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	working := make(chan struct{})
	r := run(t, s, broker, func(ctx context.Context, _ *engine.Message) error {
		close(working)
		<-ctx.Done()
		return engine.Fail(engine.Retryable, "stopped", "cut short", ctx.Err())
	}, asText, inSession("keeper"))
	publish(t, outNode(t, s, broker), "a/x", "job")
	receive(t, "delivery", working)
	r.stop()
	r.cut()
	r.end()
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, inSession("keeper"))
	if body := receive(t, "message", got); body != "job" {
		t.Errorf("got %q, want the job again", body)
	}
}

func TestNoMoreMessagesAreWorkedOnThanMayBeInFlight(t *testing.T) {
	const most, messages = 3, 20
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	var now, peak atomic.Int32
	var once sync.Once
	full, done := make(chan struct{}), make(chan struct{}, messages)
	run(t, s, broker, func(context.Context, *engine.Message) error {
		n := now.Add(1)
		for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		if n == most {
			once.Do(func() { close(full) })
		}
		<-full // no one goes on before as many as may be are here
		now.Add(-1)
		done <- struct{}{}
		return nil
	}, asText, func(c *In) { c.MaxInFlight = most })
	n := outNode(t, s, broker)
	for i := range messages {
		publish(t, n, "a/x", fmt.Sprint(i))
	}
	for range messages {
		receive(t, "delivery", done)
	}
	if got := peak.Load(); got != most {
		t.Errorf("%d at a time, want %d", got, most)
	}
}

func TestMessagesOfQoS0AreDeliveredOnce(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	got := make(chan string, 10)
	r := run(t, s, broker, func(_ context.Context, m *engine.Message) error {
		got <- text(t, m)
		return errPassing
	}, asText, func(c *In) { c.QoS, c.MaxInFlight = 0, 1 })
	n := outNode(t, s, broker)
	for _, want := range []string{"one", "two"} {
		publish(t, n, "a/x", want)
		if body := receive(t, "message", got); body != want {
			t.Errorf("got %q, want %q: QoS 0 is not given again", body, want)
		}
	}
	r.end()
	if got, want := r.Counts(), (Counts{Received: 2, Failed: 2}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestSeveralFiltersAreOneSource(t *testing.T) {
	_, url := startBroker(t)
	s, broker := services(t), site(t, url)
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText, func(c *In) { c.Topic, c.MaxInFlight = filters("a/+/x", "b/#"), 1 })
	n := outNode(t, s, broker)
	for _, topic := range []string{"a/1/x", "a/1/y", "c", "b", "b/2/3"} {
		publish(t, n, topic, topic)
	}
	var bodies []string
	for range 3 {
		bodies = append(bodies, receive(t, "message", got))
	}
	slices.Sort(bodies) // MQTT keeps the order of one topic's messages only
	if want := []string{"a/1/x", "b", "b/2/3"}; !slices.Equal(bodies, want) {
		t.Errorf("got %q, want %q", bodies, want)
	}
}

func TestBrokerThatRefusesTheSourceEndsIt(t *testing.T) {
	_, url := startBroker(t, func(o *embedded.Options) { o.User, o.Password = "ann", "right-password" })
	broker := site(t, url, func(b *Broker) { b.Username, b.Password = expr.Of("ann"), expr.Of("hunter2") })
	deliver, _ := collect(t)
	r := start(t, services(t), broker, deliver)
	err := receive(t, "end of Run", r.ended)
	r.ended <- nil
	if err == nil || engine.ClassOf(err) != engine.Permanent {
		t.Errorf("got %v, want a permanent error", err)
	}
	if all := fmt.Sprint(err, r.journal); strings.Contains(all, "hunter2") {
		t.Errorf("the password is told: %s", all)
	}
}

func TestTwoSourcesOfOneSessionAreRefused(t *testing.T) {
	s := services(t)
	source := func(ref engine.Ref[Broker], name string) (*source, error) {
		c := enginetest.Config[In](t)
		c.Broker, c.Topic, c.Session = ref, filters("a"), name
		return newSource(c, engine.Deps{Flow: "f", Node: "n", Services: s})
	}
	one := site(t, "mqtt://127.0.0.1:1")
	other := site(t, "mqtt://127.0.0.1:1") // another resource, the same broker
	first, err := source(one, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source(other, "x"); err == nil || !strings.Contains(err.Error(), "f.n") {
		t.Errorf("got %v, want an error that names the other source", err)
	}
	for _, name := range []string{"y", ""} {
		if _, err := source(other, name); err != nil {
			t.Errorf("session %q: %v", name, err)
		}
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := source(other, "x"); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
}

func TestSourcesOfOneSessionAtOneBrokerConflict(t *testing.T) {
	in := func(broker, session string) *In {
		return &In{Broker: engine.Ref[Broker]{Name: broker}, Session: session}
	}
	for _, tt := range []struct {
		a, b *In
		want bool
	}{
		{in("site", "x"), in("site", "x"), true},
		{in("site", "x"), in("site", "y"), false},
		{in("site", "x"), in("other", "x"), false},
		{in("site", ""), in("site", ""), false},
	} {
		if got := inKind.Conflict(tt.a, tt.b); (got != "") != tt.want {
			t.Errorf("%s/%s and %s/%s: %q", tt.a.Broker.Name, tt.a.Session, tt.b.Broker.Name, tt.b.Session, got)
		}
	}
}

func TestInFindsWhatItsFieldsCannotSay(t *testing.T) {
	dead := func(topic string) func(*In) {
		return func(c *In) { c.DeadLetter.Set(expr.Text(topic)) }
	}
	for name, tt := range map[string]struct {
		change func(*In)
		field  string
	}{
		"fine":                            {func(c *In) { c.Topic = filters("a/+/#", "b") }, ""},
		"no filter":                       {func(c *In) { c.Topic = nil }, "topic"},
		"a bad filter":                    {func(c *In) { c.Topic = filters("a", "b#") }, "topic[1]"},
		"a filter of env":                 {func(c *In) { c.Topic[0].Set(expr.Text("${{ env.A }}#")) }, ""},
		"QoS 3":                           {func(c *In) { c.QoS = 3 }, "qos"},
		"nothing in flight":               {func(c *In) { c.MaxInFlight = 0 }, "max_in_flight"},
		"too much in flight":              {func(c *In) { c.MaxInFlight = 10001 }, "max_in_flight"},
		"a negative bound":                {func(c *In) { c.MaxAttempts = -1 }, "max_attempts"},
		"a schema of text":                {func(c *In) { c.Body, c.Format = order, formatText }, "body"},
		"a session without confirmation":  {func(c *In) { c.QoS, c.Session = 0, "x" }, "session"},
		"a dead letter with a wildcard":   {dead("dead/+"), "dead_letter"},
		"a dead letter to itself":         {dead("a/b"), "dead_letter"},
		"a dead letter to itself, shared": {func(c *In) { c.Topic = filters("$share/w/a/#"); dead("a/b")(c) }, "dead_letter"},
		"a dead letter beside its filter": {dead("b/a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := enginetest.Config[In](t)
			c.Topic = filters("a/#")
			tt.change(c)
			wantFinding(t, inKind.Check(c), tt.field)
		})
	}
}

func TestFiltersAndDeadLetterFromEnvAreCheckedAtStart(t *testing.T) {
	env := func(text string) (v expr.Value[string]) {
		v.Set(expr.Text(text))
		for _, p := range v.Compile(&expr.Scope{Env: map[string]string{"STAGE": "test", "BAD": "a#"}}) {
			t.Fatal(p.Error)
		}
		return v
	}
	for name, tt := range map[string]struct {
		topic, dead expr.Value[string]
		want        string
	}{
		"fine":                            {env("${{ env.STAGE }}/#"), env("dead/${{ env.STAGE }}"), ""},
		"a bad filter":                    {env("${{ env.BAD }}"), expr.Value[string]{}, "must stand alone"},
		"a bad dead letter":               {env("x"), env("${{ env.BAD }}"), "wildcard"},
		"a dead letter to itself":         {env("${{ env.STAGE }}/#"), env("${{ env.STAGE }}/dead"), "its own dead letters"},
		"a dead letter to itself, shared": {env("$share/w/${{ env.STAGE }}/#"), env("${{ env.STAGE }}/dead"), "its own dead letters"},
		"a filter of the message":         {env("${{ event.x }}"), expr.Value[string]{}, "only env can be read"},
	} {
		t.Run(name, func(t *testing.T) {
			c := enginetest.Config[In](t)
			c.Broker, c.Topic, c.DeadLetter = site(t, "mqtt://127.0.0.1:1"), []expr.Value[string]{tt.topic}, tt.dead
			_, err := newSource(c, engine.Deps{Services: services(t)})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
