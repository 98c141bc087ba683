package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
)

func ids(numbers ...int) []string {
	var all []string
	for _, n := range numbers {
		all = append(all, fmt.Sprintf("m%d", n))
	}
	return all
}

func TestABatchListsExactlyTheMessagesThatFailed(t *testing.T) {
	onPurpose := errors.New("on purpose")
	poison := numbered(10)
	poison[1].body = "{"
	schema := numbered(3)
	schema[0].body, schema[1].body, schema[2].body = `{"id":1}`, `{"id":"one"}`, `{"id":3}`
	for _, c := range []struct {
		about   string
		flow    string
		records []record
		do      func(n int) error
		want    []string
	}{
		{"none", fromJobs, numbered(10), func(int) error { return nil }, nil},
		{"three of ten", fromJobs, numbered(10), func(n int) error {
			if n == 2 || n == 5 || n == 9 {
				return onPurpose
			}
			return nil
		}, ids(2, 5, 9)},
		{"all", fromJobs, numbered(10), func(int) error { return onPurpose }, ids(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
		{"a permanent failure like any other", fromJobs, numbered(2), func(n int) error {
			if n == 1 {
				return engine.Fail(engine.Permanent, "bad", "never", nil)
			}
			return nil
		}, ids(1)},
		{"one whose node panics", fromJobs, numbered(10), func(n int) error {
			if n == 4 {
				panic("on purpose")
			}
			return nil
		}, ids(4)},
		{"one whose body is no JSON, when something looks inside", strings.Replace(fromJobs, "event.body", "event.body.n", 1), poison, func(int) error { return nil }, ids(1)},
		{"one whose body breaks its schema", strings.Replace(fromJobs, "queue: jobs", "queue: jobs, body: Order", 1), schema, func(int) error { return nil }, ids(1)},
		{"a batch of one", fromJobs, numbered(1), func(int) error { return onPurpose }, ids(0)},
		{"no messages", fromJobs, nil, nil, nil},
	} {
		t.Run(c.about, func(t *testing.T) {
			f := app{flow: c.flow, resources: jobs, do: func(_ context.Context, body []byte) error { return c.do(numberOf(body)) }}.function(t)
			event := batchOf(queueARN, c.records...)
			if c.records == nil {
				// An empty batch has no mark of its kind, so that it is told by its reader alone.
				if records, _, err := readBatch(event); err != nil || len(records) != 0 {
					t.Fatal(records, err)
				}
				return
			}
			reply, err := f.Invoke(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			if got := failures(t, reply); !slices.Equal(got, c.want) {
				t.Errorf("listed %v, want %v", got, c.want)
			}
		})
	}
}

func TestABatchThatCannotBeToldApartFailsWhole(t *testing.T) {
	f := app{flow: fromJobs, resources: jobs, do: func(context.Context, []byte) error {
		t.Error("a message was run")
		return nil
	}}.function(t)
	nameless := numbered(3)
	nameless[2].id = ""
	twoQueues := must(json.Marshal(map[string]any{"Records": []any{
		map[string]any{"messageId": "a", "eventSource": "aws:sqs", "eventSourceARN": queueARN},
		map[string]any{"messageId": "b", "eventSource": "aws:sqs", "eventSourceARN": queueARN + "2"}}}))
	for about, c := range map[string]struct {
		event []byte
		want  string
	}{
		"a message without an id": {batchOf(queueARN, nameless...), "record 3 of 3 has no messageId"},
		"two queues":              {twoQueues, "two queues"},
		"a body that is no text":  {[]byte(`{"Records":[{"eventSource":"aws:sqs","messageId":"a","body":{}}]}`), "malformed"},
	} {
		_, err := f.Invoke(t.Context(), c.event)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeMalformedEvent || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func TestAFailureInAGroupFailsTheRestOfThatGroupOnly(t *testing.T) {
	var records []record
	for i := range 12 {
		records = append(records, record{fmt.Sprintf("m%d", i), fmt.Sprintf(`{"n":%d}`, i), string(rune('a' + i%3))})
	}
	var mu sync.Mutex
	var ran []int
	f := app{flow: fromJobs, resources: fifoJobs, do: func(_ context.Context, body []byte) error {
		n := numberOf(body)
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, n)
		if n == 4 { // the second of group b: 1, 4, 7, 10
			return errors.New("on purpose")
		}
		return nil
	}}.function(t)
	reply, err := f.Invoke(t.Context(), batchOf(fifoARN, records...))
	if err != nil {
		t.Fatal(err)
	}
	if got := failures(t, reply); !slices.Equal(got, ids(4, 7, 10)) {
		t.Errorf("listed %v", got)
	}
	for group := range 3 {
		var inGroup []int
		for _, n := range ran {
			if n%3 == group {
				inGroup = append(inGroup, n)
			}
		}
		want := map[int][]int{0: {0, 3, 6, 9}, 1: {1, 4}, 2: {2, 5, 8, 11}}[group]
		if !slices.Equal(inGroup, want) {
			t.Errorf("group %c ran %v, want %v", 'a'+group, inGroup, want)
		}
	}
}

func TestGroupsOfAStandardQueueDoNotWaitForEachOther(t *testing.T) {
	f := app{flow: fromJobs, resources: jobs, do: func(_ context.Context, body []byte) error {
		if numberOf(body) == 0 {
			return errors.New("on purpose")
		}
		return nil
	}}.function(t)
	reply, err := f.Invoke(t.Context(), batchOf(queueARN, record{"m0", `{"n":0}`, "fair"}, record{"m1", `{"n":1}`, "fair"}))
	if err != nil || !slices.Equal(failures(t, reply), ids(0)) {
		t.Errorf("%s, %v", reply, err)
	}
}

func TestNoMoreMessagesAreRunAtATimeThanTheSourceAndTheFlowAllow(t *testing.T) {
	for _, c := range []struct {
		about, flow string
		most        int
	}{
		{"the source", strings.Replace(fromJobs, "queue: jobs", "queue: jobs, max_in_flight: 3", 1), 3},
		{"the flow", "concurrency: 2\n" + fromJobs, 2},
	} {
		t.Run(c.about, func(t *testing.T) {
			// All places are taken at once, or the test does not end, and no more than these.
			var mu sync.Mutex
			running, most := 0, 0
			full, release := make(chan struct{}), make(chan struct{})
			f := app{flow: c.flow, resources: jobs, do: func(context.Context, []byte) error {
				mu.Lock()
				running++
				most = max(most, running)
				if running == c.most && most == c.most {
					select {
					case <-full:
					default:
						close(full)
					}
				}
				mu.Unlock()
				<-release
				mu.Lock()
				running--
				mu.Unlock()
				return nil
			}}.function(t)
			go func() {
				<-full
				close(release)
			}()
			reply, err := f.Invoke(t.Context(), batchOf(queueARN, numbered(10)...))
			if err != nil || len(failures(t, reply)) > 0 || most != c.most {
				t.Errorf("%s, %v; %d ran at once, want %d", reply, err, most, c.most)
			}
		})
	}
}

func TestAMessageIsTheSameToTheFlowAsIfItWasReceived(t *testing.T) {
	const flow = `
nodes:
  in: {type: sqs.in, queue: jobs, next: work}
  work: {type: test.hook, body: {body: "${{ event.body }}", attributes: "${{ event.attributes }}", count: "${{ event.receive_count }}", group: "${{ event.group }}",
    dead: "${{ event.dead_letter_source }}", id: "${{ event.message_id }}", sent: "${{ event.sent_at }}", correlation: "${{ run.correlation }}", attempt: "${{ run.attempt }}"}}`
	const event = `{"Records":[{"messageId":"m1","receiptHandle":"h","body":"{\"big\":9007199254740993}","md5OfBody":"x","eventSource":"aws:sqs","awsRegion":"us-east-1",
	 "eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:jobs",
	 "attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1545082649183","SenderId":"A","ApproximateFirstReceiveTimestamp":"1545082649185","MessageGroupId":"g","DeadLetterQueueSourceArn":"arn:dead"},
	 "messageAttributes":{"correlation_id":{"stringValue":"c-1","stringListValues":[],"binaryListValues":[],"dataType":"String"},
	  "bytes":{"binaryValue":"AQID","dataType":"Binary"},"number":{"stringValue":"38.5","dataType":"Number"}}}]}`
	const want = `{"attempt":3,"attributes":{"bytes":"AQID","correlation_id":"c-1","number":"38.5"},"body":{"big":9007199254740993},"correlation":"c-1","count":3,"dead":"arn:dead","group":"g","id":"m1","sent":"2018-12-17T21:37:29.183Z"}`
	var got string
	f := app{flow: flow, resources: jobs, do: func(_ context.Context, body []byte) error {
		got = string(body)
		return nil
	}}.function(t)
	if reply, err := f.Invoke(t.Context(), []byte(event)); err != nil || len(failures(t, reply)) > 0 {
		t.Fatal(string(reply), err)
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheQueueOfABatchChoosesItsSource(t *testing.T) {
	const flow = `
nodes:
  one: {type: sqs.in, queue: one, next: first}
  two: {type: sqs.in, queue: two, next: second}
  first: {type: test.hook, body: first}
  second: {type: test.hook, body: second}`
	const resources = "one: {type: sqs.queue}\ntwo: {type: sqs.queue, name: deux}"
	const single = "nodes:\n  in: {type: sqs.in, queue: one, next: first}\n  first: {type: test.hook, body: first}"
	const arn = "arn:aws:sqs:us-east-1:123456789012:"
	for _, c := range []struct {
		about, flow, arn string
		addresses        map[string]string
		want, refusal    string
	}{
		{"by the resource's name", flow, arn + "one", nil, "first", ""},
		{"by the queue's name", flow, arn + "deux", nil, "second", ""},
		{"by its address", flow, arn + "stack-queue-1ABC", map[string]string{"two": "https://sqs.us-east-1.amazonaws.com/123456789012/stack-queue-1ABC"}, "second", ""},
		{"the only one whose address is not known", flow, arn + "other", map[string]string{"two": "https://sqs.us-east-1.amazonaws.com/1/x"}, "first", ""},
		{"none of two", flow, arn + "other", nil, "", "is none of the flow's"},
		{"the only one", single, arn + "other", nil, "first", ""},
		{"the only one, without an ARN", single, "", map[string]string{"one": "https://sqs.us-east-1.amazonaws.com/1/x"}, "first", ""},
		{"the only one, of another queue", single, arn + "other", map[string]string{"one": "https://sqs.us-east-1.amazonaws.com/1/x"}, "", "the queue " + arn + "other is none of the flow's"},
	} {
		t.Run(c.about, func(t *testing.T) {
			got, resources := "", resources
			if c.flow == single {
				resources = "one: {type: sqs.queue}"
			}
			f := app{flow: c.flow, resources: resources, addresses: c.addresses, do: func(_ context.Context, body []byte) error {
				got = string(body)
				return nil
			}}.function(t)
			_, err := f.Invoke(t.Context(), batchOf(c.arn, record{"m", "{}", ""}))
			if c.refusal == "" && (err != nil || got != c.want) {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
			if c.refusal != "" && (err == nil || got != "" || !strings.Contains(err.Error(), c.refusal)) {
				t.Errorf("%q, %v, want the refusal %q", got, err, c.refusal)
			}
		})
	}
}

func TestAMessageThatAsksForNothingIsDone(t *testing.T) {
	flow := strings.Replace(fromJobs, "queue: jobs", "queue: jobs, unwrap: s3", 1)
	f := app{flow: flow, resources: jobs, do: func(context.Context, []byte) error {
		t.Error("the flow ran")
		return nil
	}}.function(t)
	test := `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z","Bucket":"b","RequestId":"r","HostId":"h"}`
	if reply, err := f.Invoke(t.Context(), batchOf(queueARN, record{"m", test, ""})); err != nil || len(failures(t, reply)) > 0 {
		t.Error(string(reply), err)
	}
}

func TestTheLogTellsHowABatchEnded(t *testing.T) {
	var out strings.Builder
	f := app{flow: fromJobs, resources: jobs, log: slog.New(slog.NewTextHandler(&out, nil)), do: func(_ context.Context, body []byte) error {
		if numberOf(body) > 7 {
			return errors.New("on purpose")
		}
		return nil
	}}.function(t)
	if _, err := f.Invoke(t.Context(), batchOf(queueARN, numbered(10)...)); err != nil {
		t.Fatal(err)
	}
	if want := "messages=10 done=8 failed=2 cut_off=0 not_begun=0"; !strings.Contains(out.String(), want) {
		t.Errorf("the log has no %q:\n%s", want, &out)
	}
	if strings.Contains(out.String(), `"n"`) || strings.Contains(out.String(), `{"n`) {
		t.Errorf("the log shows a payload:\n%s", &out)
	}
}
