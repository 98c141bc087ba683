package envelope

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const notification = `{"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:orders", "Subject": "New",
	"Message": "{\"id\":1}", "Timestamp": "2026-03-01T12:00:00.123Z", "MessageAttributes": {
	"kind": {"Type": "String", "Value": "order"}, "size": {"Type": "Number", "Value": "3"},
	"tags": {"Type": "String.Array", "Value": "[\"a\",2,null]"}, "raw": {"Type": "Binary", "Value": "AAE="}}}`

func TestParseNotificationReadsWhatATopicPutIntoAQueue(t *testing.T) {
	n, err := ParseNotification([]byte(notification))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"topic": "arn:aws:sns:eu-west-1:1:orders", "subject": "New", "message_id": "m-1", "time": time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)}
	if got := n.Fields(); !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v", got)
	}
	if *n.Message != `{"id":1}` {
		t.Errorf("message %s", *n.Message)
	}
	if got := n.Texts(); !reflect.DeepEqual(got, map[string]string{"kind": "order", "size": "3", "tags": `["a",2,null]`, "raw": "AAE="}) {
		t.Errorf("attributes %v", got)
	}
	if got := n.Filtered(); !reflect.DeepEqual(got, map[string]any{"kind": "order", "size": 3, "tags": []any{"a", 2, nil}}) {
		t.Errorf("for a filter %v", got)
	}
	wantTyped(t, NotificationType, n.Fields())
}

func wantTyped(t *testing.T, typ expr.Type, fields map[string]any) {
	t.Helper()
	if names := value.Keys(fields); !slices.Equal(names, typ.FieldNames()) {
		t.Errorf("fields %v, typed are %v", names, typ.FieldNames())
	}
}

func TestParseNotificationsReadsTheEventOfAFunction(t *testing.T) {
	event := `{"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": ` + notification + `}, {"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Subject": null, "Message": ""}}]}`
	all, err := ParseNotifications([]byte(event))
	if err != nil || len(all) != 2 || all[0].MessageID != "m-1" || *all[1].Message != "" {
		t.Fatalf("%+v, %v", all, err)
	}
	if s := all[1].Fields()["subject"]; s != nil {
		t.Errorf("subject %v", s)
	}
}

const change = `{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-03-01T12:00:00.000Z",
	"eventName": "ObjectCreated:Put", "responseElements": {"x-amz-request-id": "R1"}, "s3": {"bucket": {"name": "photos", "arn": "arn:aws:s3:::photos"},
	"object": {"key": "a+b/%C3%BC%2B.jpg", "size": 1024, "eTag": "d41d", "versionId": "v1", "sequencer": "0055AED6"}}}`

func TestParseChangesReadsANotificationOfABucket(t *testing.T) {
	gone := `{"eventSource": "aws:s3", "eventName": "s3:ObjectRemoved:Delete", "s3": {"bucket": {"name": "photos"}, "object": {"key": "x"}}}`
	all, err := ParseChanges([]byte(`{"Records": [` + change + `,` + gone + `]}`))
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	want := map[string]any{"bucket": "photos", "key": "a b/ü+.jpg", "size": 1024, "etag": "d41d", "version_id": "v1", "sequencer": "0055AED6",
		"name": "ObjectCreated:Put", "time": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), "region": "eu-west-1"}
	if got := all[0].Fields(); !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v", got)
	}
	if all[0].Request() != "R1" || all[1].Request() != "" || all[1].Name() != "ObjectRemoved:Delete" {
		t.Errorf("requests %q and %q, name %q", all[0].Request(), all[1].Request(), all[1].Name())
	}
	for _, name := range []string{"size", "etag", "version_id", "sequencer", "time"} {
		if v := all[1].Fields()[name]; v != nil {
			t.Errorf("%s is %v", name, v)
		}
	}
	wantTyped(t, ChangeType, want)
}

func TestATestEventOfABucketHasNoChanges(t *testing.T) {
	all, err := ParseChanges([]byte(`{"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01T12:00:00.000Z", "Bucket": "photos", "RequestId": "5582815E1AEA5ADF"}`))
	if err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

const busEvent = `{"version": "0", "id": "e-1", "detail-type": "Order placed", "source": "shop.orders", "account": "123456789012",
	"time": "2026-03-01T12:00:00Z", "region": "eu-west-1", "resources": ["arn:x"], "detail": {"id": 9223372036854775808}}`

func TestParseEventReadsAnEventOfABus(t *testing.T) {
	e, err := ParseEvent([]byte(busEvent))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"id": "e-1", "source": "shop.orders", "detail_type": "Order placed", "time": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		"account": "123456789012", "region": "eu-west-1", "resources": []any{"arn:x"}}
	if got := e.Fields(); !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v", got)
	}
	wantTyped(t, EventType, want)
	if string(e.Body().Raw()) != `{"id": 9223372036854775808}` || e.Scheduled() {
		t.Errorf("body %s, scheduled %v", e.Body().Raw(), e.Scheduled())
	}
}

func TestScheduledTellsTheEventsOfSchedules(t *testing.T) {
	for text, want := range map[string]bool{
		`{"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}`:      true,
		`{"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}`: true,
		`{"source": "aws.ec2", "detail-type": "Scheduled Event"}`:                       false,
		`{"source": "aws.events", "detail-type": "Other"}`:                              false,
	} {
		e, err := ParseEvent([]byte(text))
		if err != nil || e.Scheduled() != want {
			t.Errorf("%s: %v, %v", text, e, err)
		}
	}
}

func TestOtherDocumentsAreRefusedForGood(t *testing.T) {
	parsers := map[string]func([]byte) error{
		"an Amazon SNS notification":     func(b []byte) error { _, err := ParseNotification(b); return err },
		"an event of Amazon SNS":         func(b []byte) error { _, err := ParseNotifications(b); return err },
		"an event of Amazon S3":          func(b []byte) error { _, err := ParseChanges(b); return err },
		"an event of Amazon EventBridge": func(b []byte) error { _, err := ParseEvent(b); return err },
	}
	for what, parse := range parsers {
		for _, text := range []string{``, `{`, `{}`, `[]`, `null`, `"x"`, `{"Records": []}`, `{"Records": [null]}`, `{"Records": [{"eventSource": "aws:sqs"}]}`, `{"Type": "SubscriptionConfirmation", "Message": ""}`, `{"source": "x"}`} {
			err := parse([]byte(text))
			if err == nil || engine.ClassOf(err) != engine.Permanent || engine.CodeOf(err) != CodeWrong || !strings.Contains(err.Error(), "it is not "+what) {
				t.Errorf("%s as %s: %v", text, what, err)
			}
		}
	}
	if _, err := ParseChanges([]byte(`{"Records": [` + strings.Replace(change, "%C3", "%zz", 1) + `]}`)); err == nil || !strings.Contains(err.Error(), "not encoded") {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestWhatWasReadKeepsNoMemoryOfTheDocument(t *testing.T) {
	data := []byte(busEvent)
	e, err := ParseEvent(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if e.ID != "e-1" || string(e.Body().Raw()) != `{"id": 9223372036854775808}` {
		t.Errorf("after the document is gone: %+v", e)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{notification, `{"Records":[` + change + `]}`, busEvent, `{"Records":[{"EventSource":"aws:sns","Sns":` + notification + `}]}`, `{"Event":"s3:TestEvent"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := ParseNotification(data); err == nil {
			wantTyped(t, NotificationType, n.Fields())
			n.Filtered()
		}
		if all, err := ParseNotifications(data); err == nil && len(all) == 0 {
			t.Error("no notification and no error")
		}
		changes, err := ParseChanges(data)
		for _, c := range changes {
			wantTyped(t, ChangeType, c.Fields())
			c.Request()
		}
		if err != nil && len(changes) > 0 {
			t.Error("changes and an error")
		}
		if e, err := ParseEvent(data); err == nil {
			wantTyped(t, EventType, e.Fields())
		}
	})
}
