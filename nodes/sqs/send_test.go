package sqs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// send makes a sqs.send that sends event.body.
func (s *sandbox) send(queue engine.Ref[Queue], change func(*Send)) *enginetest.Node {
	s.t.Helper()
	c := enginetest.Config[Send](s.t)
	c.Queue, c.Body = queue, enginetest.Expr[[]byte](s.t, "${{ event.body }}")
	if change != nil {
		change(c)
	}
	return enginetest.New(s.t, sendKind, c, s.services)
}

func body(v any) map[string]any { return map[string]any{"body": v} }

func wantFailure(t *testing.T, err error, class engine.Class, code, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	if engine.ClassOf(err) != class || engine.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("%s %s: %v\nwant %s %s: …%s…", engine.ClassOf(err), engine.CodeOf(err), err, class, code, text)
	}
}

func TestSentMessageIsInTheQueueWithItsAttributes(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	n := s.send(queue, func(c *Send) {
		c.Attributes = enginetest.Expr[map[string]any](t, `${{ event.attributes }}`)
	})
	m := engine.NewMessage(expr.Fields{"body": map[string]any{"id": 7}, "attributes": map[string]any{
		"kind": "order", "priority": 3, "raw": []byte{0, 1}, "left_out": nil}}, "corr-1")
	r := n.DoMessage(ctx, m)
	if r.Err != nil || r.Port != "next" {
		t.Fatalf("%+v", r)
	}
	got := s.take(url)
	if texts(got) != `{"id":7}` {
		t.Fatalf("the queue has %q", texts(got))
	}
	a := got[0].MessageAttributes
	if len(a) != 4 || *a["kind"].StringValue != "order" || *a["priority"].StringValue != "3" || *a["priority"].DataType != "Number" ||
		!bytes.Equal(a["raw"].BinaryValue, []byte{0, 1}) || *a["correlation_id"].StringValue != "corr-1" {
		t.Errorf("attributes %+v", a)
	}
	out := r.Output.(expr.Record)
	all, _ := out.Fields()
	if len(all) != 2 || all["message_id"] != *got[0].MessageId || all["md5"] != *got[0].MD5OfBody {
		t.Errorf("output %v", all)
	}
	for name, want := range all {
		if v, err := out.Field(name); v != want || err != nil {
			t.Errorf("output %s is %v", name, v)
		}
	}
}

func TestCorrelationOfTheAuthorIsKept(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	n := s.send(queue, func(c *Send) {
		c.Attributes = enginetest.Expr[map[string]any](t, `${{ {"correlation_id": "mine"} }}`)
	})
	if r := n.Do(ctx, body("x")); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := *s.take(url)[0].MessageAttributes["correlation_id"].StringValue; got != "mine" {
		t.Errorf("correlation_id %q", got)
	}
}

func TestCorrelationDoesNotCrowdOutTheAuthorsTenAttributes(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	ten := map[string]any{}
	for i := range maxAttributes {
		ten[fmt.Sprint("a", i)] = "x"
	}
	n := s.send(queue, func(c *Send) { c.Attributes = enginetest.Expr[map[string]any](t, `${{ event.attributes }}`) })
	if r := n.Do(ctx, map[string]any{"body": "x", "attributes": ten}); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := s.take(url)[0].MessageAttributes; len(got) != maxAttributes || got["correlation_id"].StringValue != nil {
		t.Errorf("%v", got)
	}
	ten["eleventh"] = "x"
	r := n.Do(ctx, map[string]any{"body": "x", "attributes": ten})
	wantFailure(t, r.Err, engine.Permanent, "invalid_message", "11 attributes")
}

func TestTraceHeaderIsPassedOn(t *testing.T) {
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
	s := open(t)
	queue, url := s.queue("orders", nil)
	n := s.send(queue, nil)
	for _, c := range []struct {
		about, want string
		ctx         context.Context
		origin      any
	}{
		{"from the message that led to it", trace, ctx, &Delivery{System: map[string]string{"AWSTraceHeader": trace}}},
		//lint:ignore SA1029 aws-lambda-go uses this very key
		{"from the Lambda invocation", trace, context.WithValue(ctx, lambdaTrace, trace), nil},
		//lint:ignore SA1029 aws-lambda-go uses this very key
		{"not from what is none", "", context.WithValue(ctx, lambdaTrace, "nonsense"), nil},
	} {
		m := engine.NewMessage(expr.Fields(body("x")), "")
		m.Origin = c.origin
		if r := n.DoMessage(c.ctx, m); r.Err != nil {
			t.Fatal(r.Err)
		}
		if got := s.take(url)[0].Attributes["AWSTraceHeader"]; got != c.want {
			t.Errorf("%s: %q", c.about, got)
		}
	}
}

func TestSendToAFIFOQueue(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", func(q *Queue) { q.FIFO = true })
	n := s.send(queue, func(c *Send) {
		c.Group, c.Dedup = enginetest.Expr[string](t, "${{ event.group }}"), enginetest.Expr[string](t, "${{ event.id }}")
	})
	first := n.Do(ctx, map[string]any{"body": "a", "group": "g", "id": "1"})
	twice := n.Do(ctx, map[string]any{"body": "a", "group": "g", "id": "1"})
	if first.Err != nil || twice.Err != nil {
		t.Fatal(first.Err, twice.Err)
	}
	got := s.take(url)
	if texts(got) != "a" || got[0].Attributes["MessageGroupId"] != "g" {
		t.Errorf("%q %v", texts(got), got[0].Attributes)
	}
	number, _ := first.Output.(expr.Record).Field("sequence_number")
	all, _ := first.Output.(expr.Record).Fields()
	if number != got[0].Attributes["SequenceNumber"] || all["sequence_number"] != number {
		t.Errorf("sequence number %v, output %v", number, all)
	}
}

func TestMessagesThatSQSCannotTakeFailForGoodAndAreNotSent(t *testing.T) {
	s := open(t)
	queue, _ := s.queue("orders", func(q *Queue) { q.MaxSize = 2 << 10 })
	ordered, _ := s.queue("ordered", fifo)
	attributes := func(c *Send) { c.Attributes = enginetest.Expr[map[string]any](t, `${{ event.attributes }}`) }
	for _, c := range []struct {
		about  string
		queue  engine.Ref[Queue]
		change func(*Send)
		event  map[string]any
		code   string
		text   string
	}{
		{"an empty body", queue, nil, body(""), "invalid_message", "body is empty"},
		{"a body that is no UTF-8", queue, nil, body("ab\xff"), "invalid_message", "byte 2 is not valid UTF-8"},
		{"a body with a zero", queue, nil, body("ab\x00"), "invalid_message", "U+0000 at byte 2"},
		{"a body with a noncharacter", queue, nil, body("\uFFFE"), "invalid_message", "U+FFFE"},
		{"a body over the queue's size", queue, nil, body(strings.Repeat("x", 2<<10+1)), "too_large", "takes 2048"},
		{"a body that fits but for its attributes", queue, nil, body(strings.Repeat("x", 2<<10)), "too_large", "with its attributes"},
		{"an attribute with a space in its name", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"a b": 1}}, "invalid_message", `"a b"`},
		{"an attribute of Amazon", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"AWS.x": 1}}, "invalid_message", "AWS."},
		{"an empty attribute", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"a": ""}}, "invalid_message", "give null"},
		{"an attribute that is an object", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"a": map[string]any{}}}, "invalid_message", "is an object"},
		{"an attribute that is a list", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"a": []any{1}}}, "invalid_message", "is a list"},
		{"an attribute with a zero", queue, attributes, map[string]any{"body": "x", "attributes": map[string]any{"a": "\x00"}}, "invalid_message", "U+0000"},
		{"a delay over 15m", queue, func(c *Send) { c.Delay = enginetest.Expr[time.Duration](t, "16m") }, body("x"), "invalid_message", "0s to 15m"},
		{"a group with a space", ordered, func(c *Send) { c.Group = enginetest.Expr[string](t, "a b") }, body("x"), "invalid_message", `group "a b"`},
		{"an empty dedup", ordered, func(c *Send) { c.Group, c.Dedup = expr.Of("g"), expr.Of("") }, body("x"), "invalid_message", `dedup ""`},
	} {
		t.Run(c.about, func(t *testing.T) {
			s.front.set(nil)
			r := s.send(c.queue, c.change).Do(ctx, c.event)
			wantFailure(t, r.Err, engine.Permanent, c.code, c.text)
			if n := s.front.calls("SendMessageBatch"); n != 0 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestCharactersThatSQSCarriesArriveAsTheyWere(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	want := "tab\t line\n return\r \u0085 \uD7FF \uE000 \uFFFD 💡 \U0010FFFF \"\\<&>"
	if r := s.send(queue, nil).Do(ctx, body(want)); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := texts(s.take(url)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCheckOfASend(t *testing.T) {
	standard := engine.Ref[Queue]{Name: "orders", Resource: &Queue{}}
	ordered := engine.Ref[Queue]{Name: "ordered", Resource: &Queue{FIFO: true}}
	content := engine.Ref[Queue]{Name: "content", Resource: &Queue{FIFO: true, ContentDedup: true}}
	given := enginetest.Expr[string](t, "${{ event.x }}")
	for _, c := range []struct {
		about string
		send  Send
		field string
	}{
		{"a standard queue", Send{Queue: standard, Group: given}, ""},
		{"dedup on a standard queue", Send{Queue: standard, Dedup: given}, "dedup"},
		{"FIFO with group and dedup", Send{Queue: ordered, Group: given, Dedup: given}, ""},
		{"FIFO without group", Send{Queue: ordered, Dedup: given}, "group"},
		{"FIFO without dedup", Send{Queue: ordered, Group: given}, "dedup"},
		{"FIFO with content_dedup", Send{Queue: content, Group: given}, ""},
		{"FIFO with a delay", Send{Queue: content, Group: given, Delay: enginetest.Expr[time.Duration](t, "1s")}, "delay"},
		{"a delay over 15m", Send{Queue: standard, Delay: expr.Value[time.Duration]{}}, ""},
		{"an unknown queue", Send{}, ""},
	} {
		t.Run(c.about, func(t *testing.T) { wantFinding(t, c.send.check(), c.field) })
	}
	long := Send{Queue: standard}
	long.Delay.Set(expr.Text("16m"))
	wantFinding(t, long.check(), "delay")
	empty := Send{Queue: standard}
	empty.Body.Set(expr.Text(""))
	wantFinding(t, empty.check(), "body")
}

func TestSequenceNumberIsKnownOfFIFOQueuesOnly(t *testing.T) {
	for _, f := range []bool{false, true} {
		c := Send{Queue: engine.Ref[Queue]{Resource: &Queue{FIFO: f}}}
		if _, ok := c.output().Field("sequence_number"); ok != f {
			t.Errorf("FIFO %t: sequence_number known: %t", f, ok)
		}
	}
}

// jam holds the first calls back, so that what is sent meanwhile shares batches.
func (s *sandbox) jam(hook func(*call)) (jammed, open func()) {
	var calls atomic.Int32
	held, goOn := make(chan struct{}, eager), make(chan struct{})
	s.front.set(func(c *call) {
		if c.op != "SendMessageBatch" {
			return
		}
		if calls.Add(1) <= eager {
			held <- struct{}{}
			<-goOn
			return
		}
		if hook != nil {
			hook(c)
		}
	})
	return func() {
			for range eager {
				<-held
			}
		}, func() {
			close(goOn)
		}
}

// sendAll sends the bodies at the same time, those behind the first while the calls are jammed, and gives their errors.
func (s *sandbox) sendAll(queue engine.Ref[Queue], hook func(*call), bodies ...string) []error {
	s.t.Helper()
	n := s.send(queue, nil)
	h := n.Handler()
	jammed, release := s.jam(hook)
	errs := make([]error, eager+len(bodies))
	var wg sync.WaitGroup
	start := func(i int, text string) {
		wg.Go(func() { errs[i] = h(ctx, engine.NewMessage(expr.Fields(body(text)), "")) })
	}
	for i := range eager {
		start(i, fmt.Sprint("jam", i))
	}
	jammed()
	for i, b := range bodies {
		start(eager+i, b)
	}
	awaitWaiting(s, queue, len(bodies))
	release()
	wg.Wait()
	for i := range eager {
		if errs[i] != nil {
			s.t.Errorf("jam%d: %v", i, errs[i])
		}
	}
	return errs[eager:]
}

// awaitWaiting waits until n messages wait in the queue's sender.
func awaitWaiting(s *sandbox, queue engine.Ref[Queue], n int) {
	s.t.Helper()
	a, err := addressOf(queue, engine.Deps{Services: s.services})
	if err != nil {
		s.t.Fatal(err)
	}
	out := senderOf(a)
	for {
		out.batches.mu.Lock()
		waiting := len(out.batches.waiting)
		out.batches.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

func TestMessagesSentTogetherShareACall(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	for i, err := range s.sendAll(queue, nil, "a", "b", "c", "d", "e") {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := s.front.calls("SendMessageBatch"); n != eager+1 {
		t.Errorf("%d calls for %d messages, want %d", n, eager+5, eager+1)
	}
	if got := s.counts(url); got != fmt.Sprintf("%d/0/0", eager+5) {
		t.Errorf("the queue has %s", got)
	}
}

func TestRefusedMessageFailsAloneInItsBatch(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", func(q *Queue) { q.MaxSize = 1 << 10 })
	queue.Resource.MaxSize = maxBytes // the file does not know of the smaller queue
	errs := s.sendAll(queue, nil, "a", strings.Repeat("x", 2<<10), "c")
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("neighbours failed: %v", errs)
	}
	wantFailure(t, errs[1], engine.Permanent, "invalid_parameter_value", "refused the message")
	if got := s.counts(url); got != fmt.Sprintf("%d/0/0", eager+2) {
		t.Errorf("the queue has %s", got)
	}
}

func TestMessageThatSpoilsAWholeCallFailsAlone(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	errs := s.sendAll(queue, func(c *call) {
		if bytes.Contains(c.body, []byte("poison")) {
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#InvalidMessageContents", Message: "no poison here"}
		}
	}, "a", "poison", "c")
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("neighbours failed: %v", errs)
	}
	wantFailure(t, errs[1], engine.Permanent, "invalid_message_contents", "no poison here")
	if got := s.counts(url); got != fmt.Sprintf("%d/0/0", eager+2) {
		t.Errorf("the queue has %s", got)
	}
}

func TestMessageStoredDamagedIsARetryableErrorOfItsOwn(t *testing.T) {
	s := open(t)
	queue, _ := s.queue("orders", nil)
	errs := s.sendAll(queue, func(c *call) {
		c.rewrite = func(answer []byte) []byte {
			return bytes.ReplaceAll(answer, []byte(md5Of("b")), []byte(md5Of("other")))
		}
	}, "a", "b")
	if errs[0] != nil {
		t.Errorf("the neighbour failed: %v", errs[0])
	}
	wantFailure(t, errs[1], engine.Retryable, "checksum", "MD5")
}

func TestMessageThatTheServiceDoesNotMentionIsARetryableError(t *testing.T) {
	s := open(t)
	queue, _ := s.queue("orders", nil)
	s.front.set(func(c *call) {
		if c.op == "SendMessageBatch" {
			c.rewrite = func([]byte) []byte { return []byte(`{"Successful":[],"Failed":[]}`) }
		}
	})
	r := s.send(queue, nil).Do(ctx, body("x"))
	wantFailure(t, r.Err, engine.Retryable, "unavailable", "no answer for this message")
}

func TestThrottledSendIsTriedAgain(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	var calls atomic.Int32
	s.front.set(func(c *call) {
		if c.op == "SendMessageBatch" && calls.Add(1) == 1 {
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#RequestThrottled", Message: "slow down"}
		}
	})
	if r := s.send(queue, nil).Do(ctx, body("x")); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := s.counts(url); got != "1/0/0" {
		t.Errorf("the queue has %s", got)
	}
}

func TestSendWhoseAnswerIsLostIsSentAgain(t *testing.T) {
	s := open(t)
	standard, url := s.queue("orders", nil)
	ordered, fifoURL := s.queue("ordered", fifo)
	for _, c := range []struct {
		about  string
		queue  engine.Ref[Queue]
		url    string
		change func(*Send)
		want   string
	}{
		{"and may be twice in a standard queue", standard, url, nil, "2/0/0"},
		{"and is once in a FIFO queue", ordered, fifoURL, func(c *Send) { c.Group = expr.Of("g") }, "1/0/0"},
	} {
		t.Run(c.about, func(t *testing.T) {
			var calls atomic.Int32
			s.front.set(func(call *call) {
				call.dropAfter = call.op == "SendMessageBatch" && calls.Add(1) == 1
			})
			if r := s.send(c.queue, c.change).Do(ctx, body("x")); r.Err != nil {
				t.Fatal(r.Err)
			}
			if got := s.counts(c.url); got != c.want {
				t.Errorf("the queue has %s, want %s", got, c.want)
			}
		})
	}
}

func TestQueueThatDoesNotExistIsAPermanentError(t *testing.T) {
	s := open(t)
	queue := engine.Ref[Queue]{Name: "nowhere", Resource: enginetest.Config[Queue](t)}
	n := s.send(queue, nil)
	wantFailure(t, n.Do(ctx, body("x")).Err, engine.Permanent, "not_found", `"nowhere"`)
	if _, err := Create(ctx, s.Client, "nowhere", queue.Resource); err != nil {
		t.Fatal(err)
	}
	if r := n.Do(ctx, body("x")); r.Err != nil {
		t.Errorf("the failed look-up was kept: %v", r.Err)
	}
}

func TestCallerWithoutTimeLeftDoesNotSend(t *testing.T) {
	s := open(t)
	queue, _ := s.queue("orders", nil)
	s.front.set(nil)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	r := s.send(queue, nil).Do(gone, body("x"))
	if !errors.Is(r.Err, context.Canceled) || s.front.calls("SendMessageBatch") != 0 {
		t.Errorf("error %v after %d calls", r.Err, s.front.calls("SendMessageBatch"))
	}
}

func TestBytesGoThroughAQueueInBase64(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	n := s.send(queue, func(c *Send) { c.Body = enginetest.Expr[[]byte](t, "${{ toBase64(event.text) }}") })
	if r := n.Do(ctx, map[string]any{"text": "\xff\x00"}); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := texts(s.take(url)); got != "/wA=" {
		t.Errorf("%q", got)
	}
}

func TestCallerThatGivesUpLeavesNothingRunning(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	n := s.send(queue, nil)
	gone := make(chan struct{}, 1)
	limited, cancel := context.WithCancel(ctx)
	s.front.set(func(c *call) {
		if c.op != "SendMessageBatch" {
			return
		}
		cancel()
		<-c.ctx.Done() // the call itself is broken off, not only the waiting for it
		c.dropBefore = true
		gone <- struct{}{}
	})
	r := n.Do(limited, body("x"))
	<-gone
	if !errors.Is(r.Err, context.Canceled) || engine.ClassOf(r.Err) != engine.Retryable {
		t.Errorf("error %v", r.Err)
	}
	if got := s.counts(url); got != "0/0/0" {
		t.Errorf("the queue has %s", got)
	}
}

func TestCallerThatGivesUpDoesNotHarmTheOthersOfItsBatch(t *testing.T) {
	s := open(t)
	queue, url := s.queue("orders", nil)
	h := s.send(queue, nil).Handler()
	jammed, release := s.jam(nil)
	var wg sync.WaitGroup
	for i := range eager {
		wg.Go(func() {
			if err := h(ctx, engine.NewMessage(expr.Fields(body(fmt.Sprint("jam", i))), "")); err != nil {
				t.Error(err)
			}
		})
	}
	jammed()
	wg.Go(func() {
		if err := h(ctx, engine.NewMessage(expr.Fields(body("stays")), "")); err != nil {
			t.Error(err)
		}
	})
	awaitWaiting(s, queue, 1)
	limited, cancel := context.WithCancel(ctx)
	left := make(chan error)
	go func() { left <- h(limited, engine.NewMessage(expr.Fields(body("leaves")), "")) }()
	awaitWaiting(s, queue, 2)
	cancel()
	wantFailure(t, <-left, engine.Retryable, "stopped", "")
	release()
	wg.Wait()
	if got := s.counts(url); got != fmt.Sprintf("%d/0/0", eager+1) {
		t.Errorf("the queue has %s: the withdrawn message must not be there", got)
	}
}

func TestMessagesOfAGroupKeepTheOrderInWhichTheyWereSent(t *testing.T) {
	s := open(t)
	queue, url := s.queue("ordered", fifo)
	h := s.send(queue, func(c *Send) { c.Group = enginetest.Expr[string](t, "${{ event.group }}") }).Handler()
	const groups, each = 5, 12
	var wg sync.WaitGroup
	for g := range groups {
		wg.Go(func() {
			for i := range each {
				event := expr.Fields{"body": fmt.Sprintf("%d-%03d", g, i), "group": fmt.Sprint("g", g)}
				if err := h(ctx, engine.NewMessage(event, "")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	last := map[string]string{}
	for range groups * each {
		got := s.take(url)
		for _, m := range got {
			g := m.Attributes["MessageGroupId"]
			if *m.Body <= last[g] {
				t.Errorf("%s after %s", *m.Body, last[g])
			}
			last[g] = *m.Body
		}
		if len(got) == 0 {
			break
		}
		for _, m := range got {
			s.remove(url, m)
		}
	}
	for g, body := range last {
		if !strings.HasSuffix(body, "-011") {
			t.Errorf("group %s ended at %s", g, body)
		}
	}
}
