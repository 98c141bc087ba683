package sqs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

const (
	notification = `{"Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:aws:sns:eu-west-1:1:orders", "Subject": "New", "Message": "{\"id\":9223372036854775808}",
		"Timestamp": "2026-03-01T12:00:00.000Z", "MessageAttributes": {"kind": {"Type": "String", "Value": "order"}, "correlation_id": {"Type": "String", "Value": "c-1"}}}`
	bucketChange = `{"Records": [{"eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-03-01T12:00:00.000Z", "eventName": "ObjectCreated:Put",
		"s3": {"bucket": {"name": "photos"}, "object": {"key": "a+b.jpg", "size": 10, "eTag": "e", "sequencer": "1"}}}]}`
	busEvent = `{"version": "0", "id": "e-1", "detail-type": "Order placed", "source": "shop.orders", "account": "123456789012",
		"time": "2026-03-01T12:00:00Z", "region": "eu-west-1", "resources": [], "detail": {"id": 1}}`
	bucketTest = `{"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01T12:00:00.000Z", "Bucket": "photos", "RequestId": "R", "HostId": "H"}`
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// wantAll compares the event with what its type says and gives its fields.
func wantAll(t *testing.T, in *In, m *engine.Message) map[string]any {
	t.Helper()
	all, err := m.Env.Event.Fields()
	if err != nil {
		t.Fatal(err)
	}
	if typed := in.eventType().FieldNames(); !slices.Equal(typed, value.Keys(all)) {
		t.Errorf("fields %v are typed, there are %v", typed, value.Keys(all))
	}
	for name, v := range all {
		if object, ok := v.(map[string]any); ok && name == "envelope" {
			typed, _ := in.eventType().Field(name)
			if !slices.Equal(typed.FieldNames(), value.Keys(object)) {
				t.Errorf("fields %v of the envelope are typed, there are %v", typed.FieldNames(), value.Keys(object))
			}
		}
		if one := field(t, m, name); name == "message_id" && one != v {
			t.Errorf("%s is %v alone and %v with all", name, one, v)
		}
	}
	return all
}

func TestUnwrapTakesAMessageOutOfItsNotification(t *testing.T) {
	in := &In{Format: formatJSON, Unwrap: unwrapSNS}
	d := &Delivery{MessageID: "m-1", Body: notification, Attributes: map[string]string{"kind": "bulk", "own": "1"}}
	m, err := in.Message(d)
	if err != nil {
		t.Fatal(err)
	}
	all := wantAll(t, in, m)
	if doc := all["body"].(*value.Doc); string(doc.Raw()) != `{"id":9223372036854775808}` {
		t.Errorf("body %s", doc.Raw())
	}
	if a := all["attributes"].(map[string]any); len(a) != 3 || a["kind"] != "bulk" || a["own"] != "1" || a["correlation_id"] != "c-1" {
		t.Errorf("attributes %v", a)
	}
	e := all["envelope"].(map[string]any)
	if e["topic"] != "arn:aws:sns:eu-west-1:1:orders" || e["subject"] != "New" || e["message_id"] != "n-1" || e["time"] != noon {
		t.Errorf("envelope %v", e)
	}
	if m.Correlation != "c-1" || m.Origin != d || all["message_id"] != "m-1" || len(d.Attributes) != 2 {
		t.Errorf("correlation %s, message_id %v, attributes of the delivery %v", m.Correlation, all["message_id"], d.Attributes)
	}
	text := &In{Format: formatText, Unwrap: unwrapSNS}
	if m, err = text.Message(d); err != nil || field(t, m, "body") != `{"id":9223372036854775808}` {
		t.Errorf("as a text: %v", err)
	}
}

func TestUnwrapTakesTheDetailOutOfAnEvent(t *testing.T) {
	in := &In{Format: formatJSON, Unwrap: unwrapEventBridge}
	m, err := in.Message(&Delivery{MessageID: "m-1", Body: busEvent})
	if err != nil {
		t.Fatal(err)
	}
	all := wantAll(t, in, m)
	if doc := all["body"].(*value.Doc); string(doc.Raw()) != `{"id": 1}` {
		t.Errorf("body %s", doc.Raw())
	}
	if e := all["envelope"].(map[string]any); e["source"] != "shop.orders" || e["detail_type"] != "Order placed" || e["id"] != "e-1" || e["time"] != noon {
		t.Errorf("envelope %v", e)
	}
}

func TestUnwrapTakesTheChangesOutOfANotificationOfABucket(t *testing.T) {
	in := &In{Format: formatJSON, Unwrap: unwrapS3}
	m, err := in.Message(&Delivery{MessageID: "m-1", Body: bucketChange})
	if err != nil {
		t.Fatal(err)
	}
	all := wantAll(t, in, m)
	records := all["body"].(map[string]any)["records"].([]any)
	if r := records[0].(map[string]any); len(records) != 1 || r["bucket"] != "photos" || r["key"] != "a b.jpg" || r["size"] != 10 || r["time"] != noon {
		t.Errorf("records %v", records)
	}
	m, err = in.Message(&Delivery{MessageID: "m-1", Body: bucketTest})
	if m != nil || err != nil {
		t.Errorf("the test event: %v, %v", m, err)
	}
}

func TestWhatIsNotWrappedAsSaidFailsForGood(t *testing.T) {
	for unwrap, want := range map[string]string{
		unwrapSNS:         "the message's body cannot be unwrapped (if the subscription delivers raw messages, remove unwrap): it is not an Amazon SNS notification",
		unwrapS3:          "the message's body cannot be unwrapped: it is not an event of Amazon S3",
		unwrapEventBridge: "the message's body cannot be unwrapped: it is not an event of Amazon EventBridge",
	} {
		for _, body := range []string{`{"id":1}`, `no JSON`, `[]`, ``} {
			_, err := (&In{Format: formatJSON, Unwrap: unwrap}).Message(&Delivery{MessageID: "m-1", Body: body})
			if err == nil || !strings.Contains(err.Error(), want) || engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != "invalid_body" {
				t.Errorf("unwrap: %s of %q: %v, want %q", unwrap, body, err, want)
			}
		}
	}
}

func TestTheSchemaIsThatOfWhatIsInside(t *testing.T) {
	schema := engine.Schema{Name: "Order", Type: expr.OpenObject(nil, expr.Any), Validate: func(v any) error {
		if m, ok := v.(map[string]any); !ok || m["id"] == nil {
			return errors.New("id is missing")
		}
		return nil
	}}
	for unwrap, body := range map[string]string{unwrapSNS: notification, unwrapEventBridge: busEvent} {
		in := &In{Format: formatJSON, Unwrap: unwrap, Body: schema}
		if _, err := in.Message(&Delivery{Body: body}); err != nil {
			t.Errorf("%s: %v", unwrap, err)
		}
		_, err := in.Message(&Delivery{Body: strings.NewReplacer(`{\"id\"`, `{\"no\"`, `{"id": 1}`, `{}`).Replace(body)})
		wantFailure(t, err, engine.Permanent, "invalid_body", "the message's body breaks the schema Order: id is missing")
	}
}

func TestThereIsAnEnvelopeOnlyWhereSomethingIsUnwrapped(t *testing.T) {
	for _, unwrap := range []string{"", unwrapS3} {
		if _, ok := (&In{Unwrap: unwrap}).eventType().Field("envelope"); ok {
			t.Errorf("unwrap %q has an envelope", unwrap)
		}
	}
	records, _ := (&In{Unwrap: unwrapS3}).eventType().Field("body")
	list, ok := records.Field("records")
	if key, known := list.Elem().Field("key"); !ok || !known || key.String() != "string" {
		t.Errorf("records are %s", list)
	}
	if m, err := (&In{}).Message(&Delivery{}); err != nil || field(t, m, "envelope") != nil {
		t.Errorf("an envelope without unwrap: %v", err)
	}
}

func TestCheckOfUnwrap(t *testing.T) {
	schema := engine.Schema{Name: "Order", Validate: func(any) error { return nil }}
	for _, c := range []struct {
		about  string
		change func(*In)
		field  string
	}{
		{"sns", func(c *In) { c.Unwrap, c.Body = unwrapSNS, schema }, ""},
		{"sns of texts", func(c *In) { c.Unwrap, c.Format = unwrapSNS, formatText }, ""},
		{"s3", func(c *In) { c.Unwrap = unwrapS3 }, ""},
		{"s3 with a schema", func(c *In) { c.Unwrap, c.Body = unwrapS3, schema }, "body"},
		{"s3 of texts", func(c *In) { c.Unwrap, c.Format = unwrapS3, formatText }, "format"},
		{"eventbridge with a schema", func(c *In) { c.Unwrap, c.Body = unwrapEventBridge, schema }, ""},
		{"eventbridge of bytes", func(c *In) { c.Unwrap, c.Format = unwrapEventBridge, formatBytes }, "format"},
	} {
		t.Run(c.about, func(t *testing.T) {
			in := enginetest.Config[In](t)
			c.change(in)
			wantFinding(t, inKind.Check(in), c.field)
		})
	}
}

func TestTheTestEventOfABucketIsDeletedWithoutARun(t *testing.T) {
	s := open(t)
	queue, url := s.queue("changes", nil)
	s.put(url, bucketTest)
	deleted := make(chan struct{})
	s.front.set(func(c *call) {
		if c.op == "DeleteMessageBatch" {
			c.after = func() { close(deleted) }
		}
	})
	src := s.in(queue, func(c *In) { c.Unwrap = unwrapS3 })
	r := s.start(src, func(_ context.Context, m *engine.Message) error {
		t.Errorf("a run of %s", textOf(m))
		return nil
	})
	<-deleted
	r.end()
	if c := src.Counts(); c.Done != 1 || c.Failed != 0 {
		t.Errorf("counts %+v", c)
	}
}

// FuzzUnwrap: whatever a queue holds, it is a message whose fields can be read,
// nothing to do, or a permanent error.
func FuzzUnwrap(f *testing.F) {
	for _, body := range []string{notification, bucketChange, busEvent, bucketTest, `{}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, unwrap := range []string{unwrapSNS, unwrapS3, unwrapEventBridge} {
			in := &In{Format: formatJSON, Unwrap: unwrap}
			m, err := in.Message(&Delivery{MessageID: "m", Body: body})
			switch {
			case err != nil && (m != nil || engine.ClassOf(err) != engine.Permanent):
				t.Errorf("%s: %v with %v", unwrap, m, err)
			case err == nil && m == nil && unwrap != unwrapS3:
				t.Errorf("%s: nothing to do", unwrap)
			case m != nil:
				wantAll(t, in, m)
			}
		}
	})
}
