package sqs

import (
	"errors"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func TestEventOfADelivery(t *testing.T) {
	d := &Delivery{MessageID: "m-1", Body: `{"id":9223372036854775808}`, Attributes: map[string]string{"kind": "order", "correlation_id": "c-1"},
		System: map[string]string{"SentTimestamp": "1772366400123", "ApproximateFirstReceiveTimestamp": "1772366401000", "ApproximateReceiveCount": "3",
			"SenderId": "AIDA", "MessageGroupId": "g", "MessageDeduplicationId": "d", "SequenceNumber": "18", "DeadLetterQueueSourceArn": "arn:x",
			"AWSTraceHeader": "Root=1"}}
	m, err := (&In{Format: formatJSON}).Message(d)
	if err != nil {
		t.Fatal(err)
	}
	if m.Correlation != "c-1" || m.Attempt != 3 || m.Origin != d {
		t.Errorf("correlation %q, attempt %d", m.Correlation, m.Attempt)
	}
	want := map[string]any{
		"message_id": "m-1", "sent_at": time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC), "first_received_at": time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC),
		"receive_count": 3, "sender_id": "AIDA", "group": "g", "dedup": "d", "sequence_number": "18", "dead_letter_source": "arn:x", "trace_header": "Root=1",
	}
	all, err := m.Env.Event.Fields()
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if got := field(t, m, name); got != v || all[name] != v {
			t.Errorf("%s is %v and %v, want %v", name, got, all[name], v)
		}
	}
	if a := field(t, m, "attributes").(map[string]any); len(a) != 2 || a["kind"] != "order" {
		t.Errorf("attributes %v", a)
	}
	doc, err := field(t, m, "body").(*value.Doc).Value()
	if err != nil || doc.(map[string]any)["id"] != value.Number("9223372036854775808") {
		t.Errorf("body %v, %v", doc, err)
	}
	if len(all) != len(want)+2 {
		t.Errorf("%d fields, want %d", len(all), len(want)+2)
	}
}

func TestEveryFieldOfTheEventIsTyped(t *testing.T) {
	m, err := (&In{}).Message(&Delivery{})
	if err != nil {
		t.Fatal(err)
	}
	all, _ := m.Env.Event.Fields()
	names := (&In{}).eventType().FieldNames()
	if len(names) != len(all) {
		t.Errorf("%d fields are typed, there are %d", len(names), len(all))
	}
	for _, name := range names {
		if _, ok := all[name]; !ok {
			t.Errorf("the event has no %s", name)
		}
	}
}

func TestFieldsThatTheServiceDidNotSendAreNull(t *testing.T) {
	m, err := (&In{}).Message(&Delivery{MessageID: "m-1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sent_at", "group", "dead_letter_source", "no_such_field"} {
		if got := field(t, m, name); got != nil {
			t.Errorf("%s is %v", name, got)
		}
	}
	if m.Correlation != "m-1" || m.Attempt != 1 || field(t, m, "receive_count") != 1 {
		t.Errorf("correlation %q, attempt %d", m.Correlation, m.Attempt)
	}
}

func TestFormatsOfTheBody(t *testing.T) {
	schema := engine.Schema{Name: "Order", Type: expr.OpenObject(nil, expr.Any), Validate: func(v any) error {
		if _, ok := v.(map[string]any)["id"]; !ok {
			return errors.New("id is missing")
		}
		return nil
	}}
	for _, c := range []struct {
		about  string
		in     In
		body   string
		want   any // nil: a document
		failed string
	}{
		{"text", In{Format: formatText}, "{", "{", ""},
		{"JSON that nobody looks into", In{Format: formatJSON}, "no JSON", nil, ""},
		{"JSON that keeps its schema", In{Format: formatJSON, Body: schema}, `{"id":1}`, nil, ""},
		{"JSON that breaks its schema", In{Format: formatJSON, Body: schema}, `{}`, nil, "the message's body breaks the schema Order: id is missing"},
		{"no JSON though there is a schema", In{Format: formatJSON, Body: schema}, `{`, nil, "the message's body is not JSON"},
	} {
		t.Run(c.about, func(t *testing.T) {
			m, err := c.in.Message(&Delivery{Body: c.body})
			if c.failed != "" {
				wantFailure(t, err, engine.Permanent, "invalid_body", c.failed)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			switch got := field(t, m, "body").(type) {
			case *value.Doc:
				if string(got.Raw()) != c.body || c.want != nil {
					t.Errorf("document %s", got.Raw())
				}
			default:
				if got != c.want {
					t.Errorf("body %#v, want %#v", got, c.want)
				}
			}
		})
	}
	m, err := (&In{Format: formatBytes}).Message(&Delivery{Body: "ab"})
	if err != nil || string(field(t, m, "body").([]byte)) != "ab" {
		t.Errorf("bytes: %v", err)
	}
}

func TestLookingIntoABodyThatIsNoJSONIsAPermanentError(t *testing.T) {
	m, err := (&In{Format: formatJSON}).Message(&Delivery{Body: "no JSON"})
	if err != nil {
		t.Fatal(err)
	}
	v := enginetest.Expr[string](t, "${{ event.body.id }}")
	if _, err := v.Get(&m.Env); err == nil || engine.ClassOf(err) != engine.Permanent {
		t.Errorf("error %v", err)
	}
}

func TestCheckOfAnIn(t *testing.T) {
	for _, c := range []struct {
		about  string
		change func(*In)
		field  string
	}{
		{"the defaults", func(*In) {}, ""},
		{"no messages at a time", func(c *In) { c.Batch = 0 }, "batch"},
		{"11 at a time", func(c *In) { c.Batch = 11 }, "batch"},
		{"none in flight", func(c *In) { c.MaxInFlight = 0 }, "max_in_flight"},
		{"no wait at all", func(c *In) { c.Wait = 0 }, "wait"},
		{"a wait of 21s", func(c *In) { c.Wait = engine.Duration(21 * time.Second) }, "wait"},
		{"a visibility of 1s", func(c *In) { c.Visibility = engine.Duration(time.Second) }, "visibility"},
		{"a visibility of 90.5s", func(c *In) { c.Visibility = engine.Duration(90500 * time.Millisecond) }, "visibility"},
		{"a schema for text", func(c *In) { c.Format = formatText; c.Body.Validate = func(any) error { return nil } }, "body"},
		{"a backoff under 1s", func(c *In) { c.Backoff.Base = engine.Duration(time.Millisecond) }, "backoff.base"},
		{"a backoff over 12h", func(c *In) { c.Backoff.Max = engine.Duration(13 * time.Hour) }, "backoff.max"},
		{"a backoff that shrinks", func(c *In) {
			c.Backoff = Backoff{Base: engine.Duration(time.Minute), Max: engine.Duration(time.Second)}
		}, "backoff.max"},
		{"a long first backoff", func(c *In) { c.Backoff.Base = engine.Duration(time.Hour) }, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			in := enginetest.Config[In](t)
			c.change(in)
			wantFinding(t, inKind.Check(in), c.field)
		})
	}
}
