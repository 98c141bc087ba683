package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/lambda/event"
)

// sample is one of the samples of package event.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("event", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everything is a flow with a source of each kind that says by which one a
// message came.
const everything = `
nodes:
  route: {type: http.in, method: ANY, path: "/{rest...}", next: by_route}
  queue: {type: sqs.in, queue: jobs, format: text, next: by_queue}
  schedule: {type: schedule.in, every: 5m, next: by_schedule}
  topic: {type: sns.in, topic: news, format: text, next: by_topic}
  bucket: {type: s3.in, bucket: photos, events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"], next: by_bucket}
  bus: {type: event.in, pattern: {detail-type: [{exists: true}]}, next: by_bus}
  by_route: {type: test.hook, body: route, next: answer}
  answer: {type: http.response}
  by_queue: {type: test.hook, body: queue}
  by_schedule: {type: test.hook, body: schedule}
  by_topic: {type: test.hook, body: topic}
  by_bucket: {type: test.hook, body: bucket}
  by_bus: {type: test.hook, body: bus}`

const everythingsResources = jobs + "\nnews: {type: sns.topic}\nphotos: {type: s3.bucket}"

const direct = `
  call: {type: invoke.in, next: by_call}
  by_call: {type: test.hook, body: call, next: reply}
  reply: {type: invoke.reply, value: "${{ event.body }}"}`

func TestAnEventGoesToTheSourceThatDeclaresItsKind(t *testing.T) {
	for _, c := range []struct{ sample, source, alone string }{
		{"rest-api", "route", "route"},
		{"http-api", "route", "route"},
		{"http-api-v1", "route", "route"},
		{"function-url", "route", "route"},
		{"alb", "route", "route"},
		{"sqs-standard", "queue", "queue"},
		{"sqs-fifo", "queue", "queue"},
		{"schedule-rule", "schedule", "schedule"},
		{"schedule-scheduler", "schedule", "schedule"},
		{"sns", "topic", "topic"},
		{"s3", "bucket", "bucket"},
		{"s3-test", "", ""},
		{"eventbridge", "bus", "bus"},
		{"kinesis", "call", "refused"},
		{"dynamodb", "call", "refused"},
		{"websocket-message", "call", "refused"},
		{"iot-rule", "call", "refused"},
		{"step-functions-task", "call", "refused"},
	} {
		for _, flow := range []struct{ about, text, want string }{
			{"beside invoke.in", everything + direct, c.source},
			{"without invoke.in", everything, c.alone},
		} {
			t.Run(c.sample+" "+flow.about, func(t *testing.T) {
				var mu sync.Mutex
				by := map[string]bool{}
				f := app{flow: flow.text, resources: everythingsResources, do: func(_ context.Context, body []byte) error {
					mu.Lock()
					defer mu.Unlock()
					by[string(body)] = true
					return nil
				}}.function(t)
				_, err := f.Invoke(t.Context(), sample(t, c.sample))
				if flow.want == "refused" {
					var e *Error
					kind := event.Detect(sample(t, c.sample))
					if !errors.As(err, &e) || e.Code != CodeUnexpectedEvent || !strings.Contains(e.Message, kind.Name()) || len(by) > 0 {
						t.Errorf("%v, ran by %v", err, by)
					}
					return
				}
				if err != nil || len(by) > 1 || flow.want != "" && !by[flow.want] {
					t.Errorf("ran by %v, %v; want %q", by, err, flow.want)
				}
			})
		}
	}
}

func TestAnEventForNoSourceIsNamedWithWhatTheFlowTakes(t *testing.T) {
	f := app{flow: fromJobs, resources: jobs}.function(t)
	for _, c := range []struct{ sample, is string }{
		{"sns", "an Amazon SNS message"}, {"rest-api", "an API Gateway REST request"}, {"schedule-rule", "a scheduled event"},
		{"eventbridge", "an Amazon EventBridge event"}, {"s3", "an Amazon S3 notification"}, {"iot-rule", "a direct invocation"},
	} {
		_, err := f.Invoke(t.Context(), sample(t, c.sample))
		want := "this is " + c.is + ", but the flow work takes messages of the SQS queue jobs;"
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", c.sample, err, want)
		}
	}
	all := app{flow: everything, resources: everythingsResources}.function(t)
	_, err := all.Invoke(t.Context(), sample(t, "kinesis"))
	want := "takes HTTP requests for ANY /{rest...}, messages of the SQS queue jobs, what the schedule rate(5 minutes) brings, messages of the SNS topic news, changes in the S3 bucket photos, EventBridge events that fit the pattern of bus;"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// Whatever vendors have published as samples is run or refused with an error
// that names its kind, and nothing else happens.
func TestEverySampleIsTakenOrRefusedByName(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("event", "testdata", "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	for about, flow := range map[string]string{"all sources": everything, "a queue": fromJobs} {
		resources := everythingsResources
		if flow == fromJobs {
			resources = jobs
		}
		f := app{flow: flow, resources: resources}.function(t)
		for _, file := range files {
			payload, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := f.Invoke(t.Context(), payload)
			var e *Error
			switch {
			case err == nil && !json.Valid(reply):
				t.Errorf("%s, %s: the reply is not JSON: %s", about, file, reply)
			case err != nil && (!errors.As(err, &e) || !strings.Contains(e.Message, event.Detect(payload).Name())):
				t.Errorf("%s, %s: %v", about, file, err)
			}
		}
	}
}

func TestAnEventOfAnotherTopicOrBucketIsRefused(t *testing.T) {
	const flow = `
nodes:
  first: {type: sns.in, topic: news, format: text, next: by_first}
  second: {type: sns.in, topic: more, format: text, next: by_second}
  photo: {type: s3.in, bucket: photos, next: by_photo}
  by_first: {type: test.hook, body: first}
  by_second: {type: test.hook, body: second}
  by_photo: {type: test.hook, body: photo}`
	got := ""
	f := app{flow: flow, resources: "news: {type: sns.topic}\nmore: {type: sns.topic, arn: \"arn:aws:sns:us-east-1:1:more\"}\nphotos: {type: s3.bucket}",
		addresses: map[string]string{"news": "arn:aws:sns:us-east-1:1:news", "photos": "my-photos"},
		do: func(_ context.Context, body []byte) error {
			got = string(body)
			return nil
		}}.function(t)
	topic := func(arn string) []byte {
		return []byte(`{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"` + arn + `:1","Sns":{"Type":"Notification","MessageId":"1","TopicArn":"` + arn + `","Message":"m","Timestamp":"2019-01-02T12:45:07.000Z"}}]}`)
	}
	bucket := func(name string) []byte {
		return []byte(`{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2019-09-03T19:37:27.192Z","eventName":"ObjectCreated:Put","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"` + name + `","arn":"arn:aws:s3:::` + name + `"},"object":{"key":"a","size":1}}}]}`)
	}
	for _, c := range []struct {
		payload []byte
		want    string
	}{
		{topic("arn:aws:sns:us-east-1:1:news"), "first"}, {topic("arn:aws:sns:us-east-1:1:more"), "second"}, {topic("arn:aws:sns:us-east-1:1:other"), ""},
		{bucket("my-photos"), "photo"}, {bucket("others"), ""},
	} {
		got = ""
		if _, err := f.Invoke(t.Context(), c.payload); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", c.payload, got, err)
		}
	}
}

func TestADirectCallGetsTheFlowsAnswer(t *testing.T) {
	f := app{flow: everything + direct, resources: everythingsResources}.function(t)
	for payload, want := range map[string]string{`{"a":[1,2]}`: `{"a":[1,2]}`, `"text"`: `"text"`, `12345678901234567890123`: `12345678901234567890123`, `null`: `null`} {
		reply, err := f.Invoke(t.Context(), []byte(payload))
		if err != nil || string(reply) != want {
			t.Errorf("%s: %s, %v", payload, reply, err)
		}
	}
	silent := app{flow: "nodes:\n  call: {type: invoke.in, body: Order, next: work}\n  work: {type: test.hook, body: \"${{ event.body }}\"}",
		do: func(_ context.Context, body []byte) error { return errors.New("on purpose") }}.function(t)
	if _, err := silent.Invoke(t.Context(), []byte(`{"id":1}`)); err == nil || !strings.Contains(err.Error(), "on purpose") {
		t.Errorf("a run that fails: %v", err)
	}
	var e *Error
	if _, err := silent.Invoke(t.Context(), []byte(`{"id":"x"}`)); !errors.As(err, &e) || e.Code != "invalid_body" {
		t.Errorf("a payload that breaks its schema: %v", err)
	}
}

func TestOneOfSeveralMessagesThatFailsFailsTheEvent(t *testing.T) {
	object := func(key string) string {
		return `{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2019-09-03T19:37:27.192Z","eventName":"ObjectCreated:Put","s3":{"s3SchemaVersion":"1.0","bucket":{"name":"b","arn":"arn:aws:s3:::b"},"object":{"key":"` + key + `","size":1}}}`
	}
	f := app{flow: "nodes:\n  in: {type: s3.in, bucket: photos, next: work}\n  work: {type: test.hook, body: \"${{ event.key }}\"}", resources: "photos: {type: s3.bucket}",
		do: func(_ context.Context, body []byte) error {
			if string(body) == "two words" {
				return errors.New("on purpose")
			}
			return nil
		}}.function(t)
	if _, err := f.Invoke(t.Context(), []byte(`{"Records":[`+object("a")+`,`+object("two+words")+`,`+object("c")+`]}`)); err == nil || !strings.Contains(err.Error(), "1 of 3 messages of the event failed") {
		t.Errorf("%v", err)
	}
	if reply, err := f.Invoke(t.Context(), []byte(`{"Records":[`+object("a")+`,`+object("c")+`]}`)); err != nil || string(reply) != "null" {
		t.Errorf("%s, %v", reply, err)
	}
}

func TestAFlowThatNobodyCanCallIsRefused(t *testing.T) {
	_, err := app{flow: "nodes:\n  in: {type: test.mute, next: work}\n  work: {type: test.hook}"}.build(t)
	if err == nil || !strings.Contains(err.Error(), "in (test.mute)") {
		t.Error(err)
	}
	f := app{flow: "nodes:\n  in: {type: test.mute, next: work}\n  call: {type: invoke.in, next: work}\n  work: {type: test.hook}"}.function(t)
	if _, err := f.Invoke(t.Context(), []byte("{}")); err != nil {
		t.Error(err)
	}
}
