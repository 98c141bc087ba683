package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func snsEvent(message string) string {
	return fmt.Sprintf(`{"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "arn:aws:sns:eu-west-1:1:orders:s", "Sns": {
		"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:orders", "Subject": null, "Message": %s,
		"Timestamp": "2026-03-01T12:00:00.000Z", "MessageAttributes": {"kind": {"Type": "String", "Value": "order"}, "size": {"Type": "Number", "Value": "3"}}}}]}`, quoted(message))
}

func quoted(s string) string {
	b, err := value.Append(nil, s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func topicRef() engine.Ref[Topic] { return engine.Ref[Topic]{Name: "news", Resource: &Topic{}} }

func TestAnSNSMessageIsARun(t *testing.T) {
	s := made(t, snsKind, &SNSIn{Topic: topicRef(), Format: formatJSON})
	m := one(t, s, snsEvent(`{"id":1}`))
	want := map[string]any{"body": `{"id":1}`, "subject": nil, "message_id": "m-1", "topic": "arn:aws:sns:eu-west-1:1:orders",
		"attributes": map[string]any{"kind": "order", "size": "3"}, "time": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	wantEvent(t, snsKind, s, m, want)
	if m.Correlation != "m-1" {
		t.Errorf("correlation %s", m.Correlation)
	}
	m = one(t, s, strings.Replace(snsEvent(`{}`), `"kind":`, `"correlation_id": {"Type": "String", "Value": "c-1"}, "kind":`, 1))
	if m.Correlation != "c-1" {
		t.Errorf("correlation %s", m.Correlation)
	}
	wantRefusal(t, s, scheduledEvent, "not an event of Amazon SNS")
}

func TestFormatsOfAnSNSMessage(t *testing.T) {
	text := made(t, snsKind, &SNSIn{Topic: topicRef(), Format: formatText})
	if b, _ := one(t, text, snsEvent("hello")).Env.Event.Field("body"); b != "hello" {
		t.Errorf("text %v", b)
	}
	raw := made(t, snsKind, &SNSIn{Topic: topicRef(), Format: formatBytes})
	if b, _ := one(t, raw, snsEvent("hello")).Env.Event.Field("body"); string(b.([]byte)) != "hello" {
		t.Errorf("bytes %v", b)
	}
	s := made(t, snsKind, &SNSIn{Topic: topicRef(), Format: formatJSON, Body: order})
	one(t, s, snsEvent(`{"id":1}`))
	wantInvalidBody(t, s, snsEvent(`{}`), "the body breaks the schema Order: id is missing")
	wantInvalidBody(t, s, snsEvent(`hello`), "the body is not JSON")
	wantFinding(t, snsKind.Check(&SNSIn{Format: formatText, Body: order}), "body", "the format is text")
}

// compiled is a field that holds a constant.
func compiled(t testing.TB, m map[string]any) expr.Value[map[string]any] {
	t.Helper()
	var v expr.Value[map[string]any]
	v.Set(tree(m))
	for _, p := range v.Compile(&expr.Scope{OnlyEnv: true, Env: map[string]string{"KIND": "order"}}) {
		t.Fatal(p.Error)
	}
	return v
}

func tree(v any) *expr.Tree {
	switch v := v.(type) {
	case string:
		return expr.Text(v)
	case map[string]any:
		out := &expr.Tree{Kind: expr.KindObject}
		for _, name := range value.Keys(v) {
			out.Keys, out.Items = append(out.Keys, name), append(out.Items, tree(v[name]))
		}
		return out
	case []any:
		out := &expr.Tree{Kind: expr.KindList}
		for _, each := range v {
			out.Items = append(out.Items, tree(each))
		}
		return out
	}
	return &expr.Tree{Const: v}
}

func TestAMessageThatDoesNotFitTheFilterIsRefused(t *testing.T) {
	fits := &SNSIn{Topic: topicRef(), Filter: compiled(t, map[string]any{"kind": []any{"order"}, "size": []any{map[string]any{"numeric": []any{">", 2}}}})}
	one(t, made(t, snsKind, fits), snsEvent(`{}`))
	other := &SNSIn{Topic: topicRef(), Filter: compiled(t, map[string]any{"kind": []any{"bulk"}})}
	wantRefusal(t, made(t, snsKind, other), snsEvent(`{}`), "the attributes of the message m-1 do not fit the filter")
	got, ok := snsKind.Trigger(fits).(engine.TopicTrigger)
	if !ok || got.Resource != "news" || len(got.Filter) != 2 {
		t.Errorf("trigger %+v", got)
	}
	if all, ok := snsKind.Trigger(&SNSIn{Topic: topicRef()}).(engine.TopicTrigger); !ok || all.Filter != nil {
		t.Errorf("trigger %+v", all)
	}
}

func TestVerifyFindsWhatIsWrongWithAFilterOrAPattern(t *testing.T) {
	sns := func(m map[string]any) []engine.Finding {
		return snsKind.Verify(&SNSIn{Filter: compiled(t, m)})
	}
	wantFinding(t, sns(map[string]any{"kind": "order"}), "filter.kind", "a pattern has lists of values")
	wantFinding(t, sns(map[string]any{"kind": map[string]any{"a": []any{"b"}}}), "filter.kind", "a set of attributes has no objects inside")
	wantFinding(t, sns(map[string]any{"kind": []any{"${{ env.KIND }}"}}), "filter", "cannot hold expressions")
	six := map[string]any{}
	for _, name := range strings.Fields("a b c d e f") {
		six[name] = []any{"x"}
	}
	wantFinding(t, sns(six), "filter", "it names 6 attributes, and SNS takes 5")
	bus := func(m map[string]any) []engine.Finding {
		return eventKind.Verify(&EventIn{Pattern: compiled(t, m)})
	}
	wantFinding(t, bus(map[string]any{"detail_type": []any{"x"}}), "pattern.detail_type", `an event has no field "detail_type"`)
	wantFinding(t, bus(map[string]any{"detail": map[string]any{"a": []any{map[string]any{"begins": "x"}}}}), "pattern.detail.a[0]", `no operator "begins"`)
	wantFinding(t, bus(map[string]any{"source": []any{"${{ env.KIND }}"}}), "pattern", "cannot hold expressions")
}

const s3Event = `{"Records": [
	{"eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-03-01T12:00:00.000Z", "eventName": "ObjectCreated:Put", "responseElements": {"x-amz-request-id": "R1"},
		"s3": {"bucket": {"name": "photos"}, "object": {"key": "in/a+b.jpg", "size": 10, "eTag": "e", "versionId": "v", "sequencer": "1"}}},
	{"eventSource": "aws:s3", "eventName": "ObjectCreated:Copy", "s3": {"bucket": {"name": "photos"}, "object": {"key": "in/c.jpg"}}}]}`

func TestEachChangeInABucketIsARun(t *testing.T) {
	bucket := engine.Ref[Bucket]{Name: "photos", Resource: &Bucket{}}
	s := made(t, s3Kind, &S3In{Bucket: bucket})
	all, err := s.Messages([]byte(s3Event))
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	wantEvent(t, s3Kind, s, all[0], map[string]any{"bucket": "photos", "key": "in/a b.jpg", "size": 10, "etag": "e", "version_id": "v", "sequencer": "1",
		"name": "ObjectCreated:Put", "time": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), "region": "eu-west-1"})
	if all[0].Correlation != "R1" || all[1].Correlation != all[1].ID {
		t.Errorf("correlations %s and %s", all[0].Correlation, all[1].Correlation)
	}
	none, err := s.Messages([]byte(`{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}`))
	if err != nil || len(none) != 0 {
		t.Errorf("a test event: %v, %v", none, err)
	}
	wantRefusal(t, s, `{"Records": []}`, "not an event of Amazon S3")
	for _, c := range []S3In{{Prefix: "out/"}, {Suffix: ".png"}, {Events: []string{"s3:ObjectRemoved:*"}}, {Events: []string{"s3:ObjectCreated:Put"}}} {
		c.Bucket = bucket
		wantRefusal(t, made(t, s3Kind, &c), s3Event, "it takes "+c.events()[0])
	}
	if all, err := made(t, s3Kind, &S3In{Bucket: bucket, Prefix: "in/", Suffix: ".jpg", Events: []string{"s3:ObjectCreated:Copy", "s3:ObjectCreated:Put"}}).Messages([]byte(s3Event)); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestCheckAndTriggerOfABucketsSource(t *testing.T) {
	wantFinding(t, s3Kind.Check(&S3In{Events: []string{"s3:ObjectCreated:*", "s3:ObjectCreate:*"}}), "events[1]", `S3 has no event "s3:ObjectCreate:*"`)
	wantFinding(t, s3Kind.Check(&S3In{Events: []string{"ObjectCreated:Put"}}), "events[0]", "S3 has no event")
	wantFinding(t, s3Kind.Check(&S3In{Prefix: "in/*"}), "prefix", "* stands for itself")
	wantFinding(t, s3Kind.Check(&S3In{Suffix: "*.jpg"}), "suffix", "* stands for itself")
	got := s3Kind.Trigger(&S3In{Bucket: engine.Ref[Bucket]{Name: "photos"}, Prefix: "in/", Suffix: ".jpg"}).(engine.BucketTrigger)
	if got.Resource != "photos" || len(got.Events) != 1 || got.Events[0] != "s3:ObjectCreated:*" || got.Prefix != "in/" || got.Suffix != ".jpg" {
		t.Errorf("trigger %+v", got)
	}
}

const placed = `{"version": "0", "id": "e-1", "detail-type": "Order placed", "source": "shop.orders", "account": "123456789012",
	"time": "2026-03-01T12:00:00Z", "region": "eu-west-1", "resources": ["arn:x"], "detail": {"id": 9223372036854775808}}`

func TestAnEventOfABusIsARun(t *testing.T) {
	in := &EventIn{Bus: "shop", Pattern: compiled(t, map[string]any{"source": []any{"shop.orders"}, "detail": map[string]any{"id": []any{map[string]any{"exists": true}}}}), Body: order}
	s := made(t, eventKind, in)
	m := one(t, s, placed)
	wantEvent(t, eventKind, s, m, map[string]any{"id": "e-1", "source": "shop.orders", "detail_type": "Order placed", "time": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		"account": "123456789012", "region": "eu-west-1", "resources": []any{"arn:x"}, "body": `{"id": 9223372036854775808}`})
	if m.Correlation != "e-1" {
		t.Errorf("correlation %s", m.Correlation)
	}
	wantRefusal(t, s, strings.Replace(placed, "shop.orders", "shop.returns", 1), "it does not fit the pattern")
	wantRefusal(t, s, `{"source": "shop.orders"}`, "not an event of Amazon EventBridge")
	loose := *in
	loose.Pattern = compiled(t, map[string]any{"source": []any{"shop.orders"}})
	wantInvalidBody(t, made(t, eventKind, &loose), strings.Replace(placed, `"id": 922`, `"no": 922`, 1), "the body breaks the schema Order")
	trigger := eventKind.Trigger(in).(engine.PatternTrigger)
	if trigger.Bus != "shop" || len(trigger.Pattern) != 2 {
		t.Errorf("trigger %+v", trigger)
	}
	wantFinding(t, eventKind.Check(&EventIn{Bus: "my bus"}), "bus", "cannot be the name of an event bus")
	for _, bus := range []string{"", "shop", "arn:aws:events:eu-west-1:123456789012:event-bus/shop"} {
		wantFinding(t, eventKind.Check(&EventIn{Bus: bus}), "", "")
	}
}

func TestADirectCallIsARunWhosePayloadIsTheBody(t *testing.T) {
	s := made(t, invokeKind, &InvokeIn{})
	for payload, want := range map[string]string{`{"id": 1}`: `{"id": 1}`, "7": "7", ` "x" `: `"x"`, "null": "null", "": "null", "[1, 2]": "[1, 2]"} {
		wantEvent(t, invokeKind, s, one(t, s, payload), map[string]any{"body": want})
	}
	wantInvalidBody(t, s, `{`, "the payload is not JSON")
	checked := made(t, invokeKind, &InvokeIn{Body: order})
	one(t, checked, `{"id": 1}`)
	wantInvalidBody(t, checked, `{}`, "the body breaks the schema Order")
	if _, ok := invokeKind.Trigger(&InvokeIn{}).(engine.DirectTrigger); !ok {
		t.Error("it is not called directly")
	}
}

func TestTheReplyIsWhatInvokeReplyGave(t *testing.T) {
	for text, want := range map[string]string{
		"${{ event.body }}":           `{"n": 12345678901234567890}`, // byte for byte
		"${{ event.body.n }}":         `12345678901234567890`,
		"${{ event }}":                `{"body":{"n": 12345678901234567890}}`,
		"${{ [event.body, nil] }}":    `[{"n": 12345678901234567890},null]`,
		"accepted":                    `"accepted"`,
		"${{ run.flow }}":             `"flow"`,
		"${{ event.body.missing }}":   `null`,
		"${{ {\"r\": run.attempt} }}": `{"r":1}`,
	} {
		s := made(t, invokeKind, &InvokeIn{})
		m := one(t, s, `{"n": 12345678901234567890}`)
		n := enginetest.New(t, replyKind, &Reply{Value: enginetest.Expr[any](t, text)}, nil)
		if r := n.DoMessage(t.Context(), m); r.Err != nil || r.Port != "next" {
			t.Errorf("%s: port %s, %v", text, r.Port, r.Err)
			continue
		}
		if reply, err := s.Reply([]*engine.Message{m}); err != nil || string(reply) != want {
			t.Errorf("%s: the reply is %s, %v; want %s", text, reply, err, want)
		}
	}
}

func TestACallWithoutAnAnswerGetsNull(t *testing.T) {
	s := made(t, invokeKind, &InvokeIn{})
	for _, done := range [][]*engine.Message{nil, {one(t, s, `1`)}, {engine.NewMessage(nil, "")}} {
		if reply, err := s.Reply(done); err != nil || string(reply) != "null" {
			t.Errorf("reply %s, %v", reply, err)
		}
	}
	if reply, err := made(t, snsKind, &SNSIn{Topic: topicRef()}).Reply(nil); err != nil || string(reply) != "null" {
		t.Errorf("sns.in replies %s, %v", reply, err)
	}
}

func TestInvokeReplyFailsWhereItCannotAnswer(t *testing.T) {
	n := enginetest.New(t, replyKind, &Reply{Value: enginetest.Expr[any](t, "x")}, nil)
	for about, c := range map[string]struct {
		origin any
		code   string
	}{"nobody waits": {nil, "no_request"}, "it has an answer": {&Answer{answer: []byte("1")}, "already_answered"}} {
		m := engine.NewMessage(expr.Fields{}, "")
		m.Origin = c.origin
		if r := n.DoMessage(t.Context(), m); engine.CodeOf(r.Err) != c.code || engine.ClassOf(r.Err) != engine.Permanent {
			t.Errorf("%s: %v", about, r.Err)
		}
	}
	m := engine.NewMessage(expr.Fields{"body": value.NewDoc([]byte("{"))}, "")
	m.Origin = &Answer{}
	bad := enginetest.New(t, replyKind, &Reply{Value: enginetest.Expr[any](t, "${{ event.body }}")}, nil)
	if r := bad.DoMessage(t.Context(), m); engine.CodeOf(r.Err) != "bad_value" || engine.ClassOf(r.Err) != engine.Permanent {
		t.Errorf("no JSON: %v", r.Err)
	}
}

func TestSourcesThatAreCalledWaitForTheEndWhereNothingCallsThem(t *testing.T) {
	for _, s := range []engine.Source{
		made(t, snsKind, &SNSIn{Topic: topicRef()}), made(t, s3Kind, &S3In{}), made(t, invokeKind, &InvokeIn{}),
		made(t, eventKind, &EventIn{Pattern: compiled(t, map[string]any{"source": []any{"x"}})}),
	} {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- s.Run(ctx, func(context.Context, *engine.Message) error { return errors.New("nothing is to come") })
		}()
		select {
		case err := <-ended:
			t.Errorf("ended before the context, with %v", err)
			stop()
			continue
		default:
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestMessagesKeepNothingOfThePayload(t *testing.T) {
	for _, c := range []struct {
		s       invoked
		payload string
	}{
		{made(t, snsKind, &SNSIn{Topic: topicRef(), Format: formatJSON}), snsEvent(`{"id":1}`)},
		{made(t, s3Kind, &S3In{}), s3Event},
		{made(t, eventKind, &EventIn{Pattern: compiled(t, map[string]any{"source": []any{"shop.orders"}})}), placed},
		{made(t, invokeKind, &InvokeIn{}), `{"id": "one"}`},
		{made(t, scheduleKind, &ScheduleIn{Cron: "@daily"}), scheduledEvent},
	} {
		read := func(clobber bool) string {
			payload := []byte(c.payload)
			all, err := c.s.Messages(payload)
			if err != nil {
				t.Fatal(err)
			}
			if clobber {
				for i := range payload {
					payload[i] = 'x'
				}
			}
			var out strings.Builder
			for _, m := range all {
				fields, err := m.Env.Event.Fields()
				if err != nil {
					t.Fatal(err)
				}
				text, err := value.Append(nil, fields)
				if err != nil {
					t.Fatal(err)
				}
				out.Write(text)
			}
			return out.String()
		}
		if kept, gone := read(false), read(true); kept != gone {
			t.Errorf("%s became %s", kept, gone)
		}
	}
}

func TestCheckOfTopicsAndBuckets(t *testing.T) {
	var given expr.Value[string]
	given.Set(expr.Text("arn:aws:sns:eu-west-1:1:orders"))
	var wrong expr.Value[string]
	wrong.Set(expr.Text("Orders"))
	var read expr.Value[string]
	read.Set(expr.Text("${{ env.X }}"))
	for _, c := range []struct {
		about       string
		config      any
		field, want string
	}{
		{"the defaults", &Topic{}, "", ""},
		{"an arn", &Topic{ARN: given}, "", ""},
		{"an arn from env", &Topic{ARN: read}, "", ""},
		{"no arn", &Topic{ARN: wrong}, "arn", "is not the ARN of a topic"},
		{"an arn and a name", &Topic{ARN: given, TopicName: "x"}, "name", "has an arn already"},
		{"a name with a dot", &Topic{TopicName: "a.b"}, "name", "cannot be the name of a topic"},
		{"a FIFO topic", &Topic{TopicName: "a.fifo"}, "name", "a FIFO topic cannot call a function"},
		{"a bucket of the app", &Bucket{BucketName: "example-photos"}, "", ""},
		{"a bucket outside", &Bucket{Bucket: read}, "", ""},
		{"capitals", &Bucket{Bucket: wrong}, "bucket", "cannot be the name of a bucket"},
		{"two dots", &Bucket{BucketName: "a..b"}, "name", "cannot be the name of a bucket"},
		{"a bucket and a name", &Bucket{Bucket: read, BucketName: "abc"}, "name", "the bucket exists already"},
	} {
		kind := topicKind
		if _, ok := c.config.(*Bucket); ok {
			kind = bucketKind
		}
		t.Run(c.about, func(t *testing.T) { wantFinding(t, kind.Check(c.config), c.field, c.want) })
	}
	if name := (&Topic{}).Name("news"); name != "news" {
		t.Errorf("name %s", name)
	}
	if name := (&Topic{TopicName: "n"}).Name("news"); name != "n" {
		t.Errorf("name %s", name)
	}
	outside := &Topic{ARN: expr.Of("arn:x")}
	if arn, err := outside.Outside(); err != nil || arn != "arn:x" {
		t.Errorf("%s, %v", arn, err)
	}
	if name, err := (&Bucket{Bucket: expr.Of("b")}).Outside(); err != nil || name != "b" {
		t.Errorf("%s, %v", name, err)
	}
}

func TestEveryTypeIsDocumented(t *testing.T) {
	for _, k := range append(Kinds(), Resources()...) {
		first, _, ok := strings.Cut(k.Doc, ".")
		if !ok || len(first) < 10 || len(k.Examples) < 2 {
			t.Errorf("%s: doc %q, %d examples", k.Type, first, len(k.Examples))
		}
	}
}

func FuzzMessages(f *testing.F) {
	for _, text := range []string{snsEvent(`{"id":1}`), s3Event, placed, scheduledEvent, `1`} {
		f.Add([]byte(text))
	}
	var sources []invoked
	for kind, config := range map[*engine.Kind]any{
		snsKind: &SNSIn{Topic: topicRef(), Filter: compiled(f, map[string]any{"kind": []any{"order"}})}, s3Kind: &S3In{}, invokeKind: &InvokeIn{Body: order},
		eventKind: &EventIn{Pattern: compiled(f, map[string]any{"source": []any{"shop.orders"}})}, scheduleKind: &ScheduleIn{Cron: "@daily"},
	} {
		sources = append(sources, made(f, kind, config))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, s := range sources {
			all, err := s.Messages(payload)
			if err != nil && (len(all) > 0 || engine.ClassOf(err) != engine.Permanent) {
				t.Errorf("%d messages and %v", len(all), err)
			}
			for _, m := range all {
				if _, err := m.Env.Event.Fields(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
