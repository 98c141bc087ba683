package lambdatest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/flowctl-dev/flowctl/internal/lambda/runtimeapi"
	"github.com/flowctl-dev/flowctl/internal/local"
)

// record is a message of a batch; group is for FIFO queues.
type record struct{ id, group, do string }

// batchEvent is an event of the queue with a body for each record.
func batchEvent(t testing.TB, queue string, records []record) []byte {
	t.Helper()
	e := events.SQSEvent{}
	for i, r := range records {
		m := sqsRecord(queue, r.id, fmt.Sprintf(`{"do":%q}`, r.do))
		if r.do == "not JSON" {
			m.Body = "{"
		}
		if r.group != "" {
			m.Attributes["MessageGroupId"], m.Attributes["SequenceNumber"], m.Attributes["MessageDeduplicationId"] = r.group, fmt.Sprintf("1884%016d", i), r.id
		}
		e.Records = append(e.Records, m)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// sqsRecord is a message as an event has it that was received for the first
// time.
func sqsRecord(queue, id, body string) events.SQSMessage {
	return events.SQSMessage{MessageId: id, ReceiptHandle: "handle-" + id, Body: body, EventSource: "aws:sqs", AWSRegion: local.Region,
		EventSourceARN: "arn:aws:sqs:" + local.Region + ":" + local.Account + ":" + queue, MessageAttributes: map[string]events.SQSMessageAttribute{},
		Attributes: map[string]string{"ApproximateReceiveCount": "1", "SentTimestamp": "1795420800000", "SenderId": "AIDA", "ApproximateFirstReceiveTimestamp": "1795420800001"}}
}

// listed are the identifiers in a reply, sorted. It checks the reply's form to
// the letter, as the service does.
func listed(t testing.TB, reply []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(reply)))
	decoder.DisallowUnknownFields()
	var r struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := decoder.Decode(&r); err != nil || r.Failures == nil {
		t.Fatalf("the reply is %s (%v)", reply, err)
	}
	ids := []string{}
	for _, f := range r.Failures {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return ids
}

// ten are ten records, of which those at the given places do something else
// than succeed.
func ten(do string, at ...int) []record {
	all := make([]record, 10)
	for i := range all {
		all[i] = record{id: fmt.Sprint("m", i)}
		if slices.Contains(at, i) {
			all[i].do = do
		}
	}
	return all
}

func grouped(records ...string) (all []record) {
	for i, text := range records {
		group, do, _ := strings.Cut(text, " ")
		all = append(all, record{id: fmt.Sprint("m", i), group: group, do: do})
	}
	return all
}

func TestABatchReportsExactlyTheMessagesThatFailed(t *testing.T) {
	t.Parallel()
	f := startFunction(t, functionOptions{program: panicking, path: "testdata/batches", flow: "work"})
	for _, c := range []struct {
		name, queue string
		records     []record
		want        []string
	}{
		{"all succeed", "work", ten(""), []string{}},
		{"three of ten fail", "work", ten("fail", 1, 4, 9), []string{"m1", "m4", "m9"}},
		{"all fail", "work", ten("fail", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}},
		{"one panics", "work", ten("panic", 5), []string{"m5"}},
		{"all panic", "work", ten("panic", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}},
		{"two are no JSON", "work", ten("not JSON", 0, 9), []string{"m0", "m9"}},
		{"a group on a standard queue orders nothing", "work", grouped("a", "a fail", "a"), []string{"m1"}},
		{"all of a FIFO batch succeed", "ordered.fifo", grouped("a", "b", "a"), []string{}},
		{"a failure takes along what is behind it in its group", "ordered.fifo", grouped("a", "b", "a fail", "b", "a", "c", "a"), []string{"m2", "m4", "m6"}},
		{"failures in two groups", "ordered.fifo", grouped("a fail", "b", "b panic", "a", "c", "b"), []string{"m0", "m2", "m3", "m5"}},
		{"a FIFO message that is no JSON", "ordered.fifo", grouped("a", "a not JSON", "a", "b"), []string{"m1", "m2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply := f.invoke(batchEvent(t, c.queue, c.records), invocationTimeout)
			if got := listed(t, reply); !slices.Equal(got, c.want) {
				t.Errorf("the reply lists %v, want %v", got, c.want)
			}
		})
	}
}

func TestMessagesBehindAFailureOfTheirGroupAreNotWorkedOn(t *testing.T) {
	t.Parallel()
	f := startFunction(t, functionOptions{program: panicking, path: "testdata/batches", flow: "work"})
	f.invoke(batchEvent(t, "ordered.fifo", grouped("a", "a fail", "a", "b", "a")), invocationTimeout)
	f.stop(terminate) // so that all of its log is read
	for id, want := range map[string]bool{"m0": true, "m1": false, "m2": false, "m3": true, "m4": false} {
		if got := strings.Contains(f.log(), `"done `+id+`"`); got != want {
			t.Errorf("%s was worked on: %v, want %v", id, got, want)
		}
	}
}

// margin is what the reply leaves of the time until the deadline: at least 500
// ms, that is what is promised.
const margin = 500 * time.Millisecond

// timed invokes the function and tells how long before the deadline the reply
// was there, by the API's own clock.
func timed(t *testing.T, f *function, payload []byte, timeout time.Duration) (reply []byte, left time.Duration) {
	t.Helper()
	end := time.Now().Add(timeout)
	reply, failure, err := f.api.Invoke(context.Background(), payload, runtimeapi.Call{Timeout: timeout})
	left = time.Until(end)
	if err != nil || failure != nil {
		t.Fatalf("invocation: %v %v\n%s", err, failure, f.tail())
	}
	return reply, left
}

func TestWhatIsNotDoneNearTheDeadlineIsReportedBeforeIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, flow, queue string
		records           []record
		want              []string
	}{
		{"a node that heeds its context", "work", "work", ten("wait", 3, 7), []string{"m3", "m7"}},
		{"a node that does not", "work", "work", ten("hang", 3, 7), []string{"m3", "m7"}},
		{"nothing but nodes that do not", "work", "work", ten("hang", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}},
		{"what is behind in the group is untouched", "work", "ordered.fifo", grouped("a", "a hang", "a", "b"), []string{"m1", "m2"}},
		{"what had no turn because one at a time is worked on", "narrow", "work", ten("hang", 0), []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startFunction(t, functionOptions{program: panicking, path: "testdata/batches", flow: c.flow})
			reply, left := timed(t, f, batchEvent(t, c.queue, c.records), 4*time.Second)
			if got := listed(t, reply); !slices.Equal(got, c.want) {
				t.Errorf("the reply lists %v, want %v", got, c.want)
			}
			if left < margin {
				t.Errorf("the reply came %s before the deadline, want at least %s", left, margin)
			}
			// The process is not spent: what hung is left behind.
			if c.flow == "work" {
				if got := listed(t, f.invoke(batchEvent(t, "work", ten("fail", 2)), invocationTimeout)); !slices.Equal(got, []string{"m2"}) {
					t.Errorf("the next batch's reply lists %v", got)
				}
			}
		})
	}
}

func TestARequestNearTheDeadlineIsAnsweredBeforeIt(t *testing.T) {
	t.Parallel()
	f := startFunction(t, functionOptions{program: panicking, path: "testdata/batches", flow: "api"})
	for do, want := range map[string]int{"": 200, "panic": 500, "wait": 504, "hang": 504} {
		payload, err := json.Marshal(eventV2(t, request{method: "POST", path: "/ask", body: fmt.Appendf(nil, `{"do":%q}`, do)}))
		if err != nil {
			t.Fatal(err)
		}
		reply, left := timed(t, f, payload, 3*time.Second)
		if got := answerOf(t, reply); got.status != want {
			t.Errorf("%q is answered with %d, want %d: %s", do, got.status, want, got.body)
		}
		if left < margin {
			t.Errorf("%q: the reply came %s before the deadline, want at least %s", do, left, margin)
		}
	}
}
