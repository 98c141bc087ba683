package host

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/lambda/event"
	"github.com/flowctl-dev/flowctl/nodes"
)

const calledApp = `
version: 1
name: called
resources:
  orders: {type: sqs.queue, url: "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"}
  news: {type: sns.topic}
  photos: {type: s3.bucket}
flows:
  work:
    nodes:
      orders: {type: sqs.in, queue: orders, next: [left, right]}
      left: {type: log, message: left}
      right:
        type: switch
        cases: [{when: event.body.bad == true, next: refused}]
        default: fine
      refused: {type: fail, message: it is bad}
      fine: {type: log, message: fine}
  pick:
    nodes:
      photos: {type: s3.in, bucket: photos, next: done}
      news: {type: sns.in, topic: news, next: done}
      call: {type: invoke.in, next: reply}
      done: {type: log, message: done}
      reply: {type: invoke.reply, value: "${{ event.body }}"}
  nightly:
    nodes:
      night: {type: schedule.in, every: 1h, next: done}
      done: {type: switch, cases: [{when: event.time.Year() == 2026, next: fine}], default: other}
      fine: {type: log, message: fine}
      other: {type: fail, message: another year}
`

// called is the app above, started without stand-ins.
func called(t *testing.T, log *slog.Logger) (*Host, *Journal) {
	t.Helper()
	app, found := flows.Parse("flow.yaml", []byte(calledApp), flows.Options{Registry: nodes.All()})
	if len(found) > 0 {
		t.Fatal(found)
	}
	j := &Journal{}
	h, err := Start(t.Context(), Options{App: app, HTTPAddr: Off, MQTTAddr: Off, AWSAddr: Off, DataDir: t.TempDir(), Sourceless: true, Recorder: j, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h, j
}

func batch(bodies ...string) []byte {
	var records []string
	for i, body := range bodies {
		records = append(records, fmt.Sprintf(`{"messageId": "m-%d", "body": %q, "attributes": {}, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders"}`, i, body))
	}
	return []byte(`{"Records": [` + strings.Join(records, ",") + `]}`)
}

func TestTopicsAndBucketsNeedNoStandIns(t *testing.T) {
	h, _ := called(t, slog.New(slog.DiscardHandler)) // with every server off, so that a need for one is an error
	if h.AWSEndpoint() != "" || h.MQTTAddr() != "" {
		t.Errorf("there are stand-ins at %q and %q", h.AWSEndpoint(), h.MQTTAddr())
	}
}

func TestCallTellsTheWayOfEachMessageOfABatch(t *testing.T) {
	h, j := called(t, slog.New(slog.DiscardHandler))
	c, err := h.Call(t.Context(), j, "work", "", batch(`{}`, `{"bad": true}`, `{}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != event.SQS || len(c.Runs) != 3 || string(c.Reply) != `{"batchItemFailures":[{"itemIdentifier":"m-1"}]}` || !c.Failed() {
		t.Fatalf("kind %s, %d runs, reply %s, failed %t", c.Kind, len(c.Runs), c.Reply, c.Failed())
	}
	for i, r := range c.Runs {
		if bad := i == 1; (r.Err != nil) != bad || r.Source != "orders" || r.Flow != "work" || len(r.Steps) != 3 {
			t.Errorf("run %d of %s: %d steps, %v", i, r.Source, len(r.Steps), r.Err)
		}
	}
}

func TestCallChoosesTheSourceByTheEvent(t *testing.T) {
	h, j := called(t, slog.New(slog.DiscardHandler))
	const photo = `{"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]}`
	const news = `{"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "MessageId": "n", "Message": "x"}}]}`
	for _, c := range []struct{ source, payload, took, reply string }{
		{"", photo, "photos", "null"},
		{"", news, "news", "null"},
		{"", `[1]`, "call", "[1]"},
		{"call", photo, "call", photo},
	} {
		got, err := h.Call(t.Context(), j, "pick", c.source, []byte(c.payload))
		if err != nil || len(got.Runs) != 1 || got.Runs[0].Source != c.took || string(got.Reply) != c.reply || got.Failed() {
			t.Errorf("%s: %+v, %v; want a run of %s", c.payload, got, err, c.took)
		}
	}
}

func TestCallRefusesAnEventOfAnotherKindAndLogsNothing(t *testing.T) {
	var log bytes.Buffer
	h, j := called(t, slog.New(slog.NewTextHandler(&log, nil)))
	for _, c := range []struct{ flow, source, want string }{
		{"nightly", "", "this is an Amazon SQS batch, but the flow nightly takes"},
		{"pick", "photos", "this is an Amazon SQS batch, but the flow pick takes changes in the S3 bucket photos;"},
		{"pick", "x", `the flow pick has no source "x"`},
		{"x", "", `the app has no flow "x"`},
	} {
		if _, err := h.Call(t.Context(), j, c.flow, c.source, batch(`{}`)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.flow, err, c.want)
		}
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
}

func TestWhatACallLogsIsNotLost(t *testing.T) {
	var log bytes.Buffer
	h, j := called(t, slog.New(slog.NewTextHandler(&log, nil)))
	if _, err := h.Call(t.Context(), j, "work", "", batch(`{"bad": true}`)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "some messages of the batch are not done") {
		t.Errorf("logged %s", log.String())
	}
}

func TestRawTellsEventsOfServicesFromWhatExpressionsRead(t *testing.T) {
	h, _ := called(t, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		flow, source, document string
		want                   bool
	}{
		{"work", "", `{"body": {}}`, false},
		{"work", "", string(batch(`{}`)), true},
		{"pick", "", `{"key": "k"}`, false},
		{"pick", "call", `{"body": {}}`, true},
	} {
		if raw, err := h.Raw(c.flow, c.source, []byte(c.document)); err != nil || raw != c.want {
			t.Errorf("%s of %s: %t, %v", c.document, c.flow, raw, err)
		}
	}
	if _, err := h.Raw("pick", "x", nil); err == nil {
		t.Error("a source that is not there was found")
	}
}

func TestTimesOfAnEventThatIsWrittenByHandAreTimes(t *testing.T) {
	h, j := called(t, slog.New(slog.DiscardHandler))
	inv, err := h.Invoke(t.Context(), j, "nightly", "", map[string]any{"time": "2026-03-01T12:00:00Z"})
	if err != nil || inv.Err != nil {
		t.Errorf("%+v, %v", inv, err)
	}
	if inv, err = h.Invoke(t.Context(), j, "nightly", "", map[string]any{"time": "2025-03-01T12:00:00Z"}); err != nil || inv.Err == nil {
		t.Errorf("another year: %+v, %v", inv, err)
	}
	if _, err = h.Invoke(t.Context(), j, "nightly", "", map[string]any{"time": "noon"}); err == nil || !strings.Contains(err.Error(), `"time" of the event is "noon"`) {
		t.Errorf("no time: %v", err)
	}
}
