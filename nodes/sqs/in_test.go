package sqs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// inbox takes deliveries and lets the test answer them.
type inbox struct {
	came chan *engine.Message
	goOn chan error
}

func newInbox() *inbox {
	return &inbox{came: make(chan *engine.Message, 100), goOn: make(chan error)}
}

func (b *inbox) deliver(ctx context.Context, m *engine.Message) error {
	b.came <- m
	select {
	case err := <-b.goOn:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errBroken = errors.New("something behind the source is broken")

func TestMessageIsDeletedOnceItIsDone(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	m := <-box.came
	if textOf(m) != "a" || m.Attempt != 1 || s.counts(url) != "0/1/0" {
		t.Errorf("%q, attempt %d, the queue has %s", textOf(m), m.Attempt, s.counts(url))
	}
	box.goOn <- nil
	r.end()
	if s.counts(url) != "0/0/0" || r.Counts() != (Counts{Received: 1, Done: 1}) {
		t.Errorf("the queue has %s, %+v", s.counts(url), r.Counts())
	}
}

func TestMessageThatFailsComesAgainWithAGrowingPauseAndThenDies(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", func(q *Queue) { q.DeadLetter.After = 3; q.Visibility = engine.Duration(time.Hour) })
	s.put(url, "a")
	pauses := make(chan int, 10)
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			n := int(c.entries()[0]["VisibilityTimeout"].(float64))
			c.after = func() { pauses <- n }
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, func(c *In) { c.Backoff.Base = engine.Duration(10 * time.Second) }), box.deliver)
	for attempt, class := range []engine.Class{engine.Retryable, engine.Permanent, engine.Retryable} {
		if m := <-box.came; m.Attempt != attempt+1 {
			t.Errorf("attempt %d, want %d", m.Attempt, attempt+1)
		}
		box.goOn <- engine.Fail(class, "broken", "", errBroken)
		full := 10 << attempt
		if attempt == 2 { // the last delivery: nothing is gained by waiting
			full = 0
		}
		if got := <-pauses; got < full/2 || got > full {
			t.Errorf("pause %d after attempt %d, want %d to %d", got, attempt+1, full/2, full)
		}
		s.clock.Advance(time.Duration(full) * time.Second)
		s.clock.Advance(maxWait) // a poll that began before ends now at the latest
	}
	r.end()
	dead := strings.TrimSuffix(url, "orders") + "orders-dead"
	// The service moves a message when it is asked for it; a poll that was broken off may be doing that now.
	for s.counts(url) != "0/0/0" {
		s.take(url)
	}
	if got := texts(s.take(dead)); got != "a" {
		t.Errorf("dead: %q", got)
	}
}

func TestMessageThatBreaksItsSchemaReachesNoNodeAndStays(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, `{"bad":1}`, `{"good":1}`)
	box := newInbox()
	hidden := make(chan struct{}, 1)
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			c.after = func() { hidden <- struct{}{} }
		}
	})
	r := s.start(s.in(queue, func(c *In) {
		c.Body = engine.Schema{Name: "Order", Validate: func(v any) error {
			if _, bad := v.(map[string]any)["bad"]; bad {
				return errors.New("bad is not allowed")
			}
			return nil
		}}
	}), box.deliver)
	if m := <-box.came; textOf(m) != `{"good":1}` {
		t.Errorf("delivered %s", textOf(m))
	}
	<-hidden
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 2, Done: 1, Failed: 1}) || s.counts(url) != "0/1/0" {
		t.Errorf("%+v, the queue has %s", r.Counts(), s.counts(url))
	}
}

func TestPanicOfADeliveryFailsTheMessageAndNotTheSource(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a", "b")
	done := make(chan struct{})
	r := s.start(s.in(queue, func(c *In) { c.MaxInFlight = 1 }), func(_ context.Context, m *engine.Message) error {
		if textOf(m) == "a" {
			panic("oh no")
		}
		close(done)
		return nil
	})
	<-done
	r.end()
	if r.Counts() != (Counts{Received: 2, Done: 1, Failed: 1}) {
		t.Errorf("%+v", r.Counts())
	}
}

func TestNoMoreIsReceivedThanCanBeWorkedOn(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	for i := range 20 {
		s.put(url, fmt.Sprint(i))
	}
	box := newInbox()
	r := s.start(s.in(queue, func(c *In) { c.MaxInFlight = 3 }), box.deliver)
	for range 3 {
		<-box.came
	}
	if got := s.counts(url); got != "17/3/0" {
		t.Errorf("the queue has %s", got)
	}
	for range 17 {
		box.goOn <- nil
		<-box.came
	}
	for range 3 {
		box.goOn <- nil
	}
	r.end()
	if r.Counts().Done != 20 {
		t.Errorf("%+v", r.Counts())
	}
}

func TestMessageIsKeptHiddenWhileItIsWorkedOn(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a", "b", "c")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	for range 3 {
		<-box.came
	}
	s.front.set(nil)
	for range 8 {
		s.clock.Advance(15 * time.Second)
	}
	if got := s.counts(url); got != "0/3/0" {
		t.Errorf("after four visibility timeouts the queue has %s", got)
	}
	if n := s.front.calls("ChangeMessageVisibilityBatch"); n < 8 || n > 8*3 {
		t.Errorf("%d calls", n)
	}
	for range 3 {
		box.goOn <- nil
	}
	r.end()
	if r.Counts() != (Counts{Received: 3, Done: 3}) || s.counts(url) != "0/0/0" {
		t.Errorf("%+v, the queue has %s", r.Counts(), s.counts(url))
	}
}

func TestHeartbeatThatFailsIsSoonTriedAgain(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	var beats atomic.Int32
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" && beats.Add(1) == 1 {
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#AccessDenied", Message: "not now"}
		}
	})
	s.clock.Advance(15 * time.Second) // fails
	s.clock.Advance(10 * time.Second) // succeeds, well before the 30 seconds are over
	if beats.Load() < 2 {
		t.Errorf("%d heartbeats", beats.Load())
	}
	s.clock.Advance(8 * time.Second)
	if got := s.counts(url); got != "0/1/0" {
		t.Errorf("the queue has %s", got)
	}
	box.goOn <- nil
	r.end()
}

func TestMessageThatCanNoLongerBeKeptIsCounted(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a", "b")
	box := newInbox()
	src := s.in(queue, func(c *In) { c.MaxInFlight = 2 })
	seen := &logs{}
	src.log = slog.New(seen)
	r := s.start(src, box.deliver)
	<-box.came
	<-box.came
	if _, err := s.PurgeQueue(ctx, purge(url)); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(15 * time.Second)
	if r.Counts().Expired != 2 || seen.count("can no longer be kept hidden") != 2 {
		t.Errorf("%+v, logged %v", r.Counts(), seen.lines)
	}
	s.clock.Advance(time.Minute)
	if r.Counts().Expired != 2 {
		t.Errorf("counted again: %+v", r.Counts())
	}
	box.goOn <- nil
	box.goOn <- errBroken
	r.end()
}

func TestProlongingEndsBeforeTheServicesTwelveHours(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	box := newInbox()
	src := s.in(queue, func(c *In) { c.Visibility = engine.Duration(2 * time.Hour); c.MaxInFlight = 1 })
	r := s.start(src, box.deliver)
	<-box.came
	var longest float64
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			longest = max(longest, c.entries()[0]["VisibilityTimeout"].(float64))
		}
	})
	for range 11 {
		s.clock.Advance(time.Hour)
		if n := r.Counts().Expired; n != 0 {
			t.Fatalf("expired early: %d", n)
		}
	}
	s.clock.Advance(time.Hour)
	if r.Counts().Expired != 1 || longest != 7200 {
		t.Errorf("%+v, longest %v", r.Counts(), longest)
	}
	box.goOn <- nil
	r.end()
}

func TestStoppedSourceFinishesWhatItHas(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a", "b")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	<-box.came
	s.front.until(2, 1)
	r.stop()
	s.front.until(2, 0)
	select {
	case <-r.done:
		t.Fatal("Run returned while messages were worked on")
	case box.goOn <- nil:
	}
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 2, Done: 2}) || s.counts(url) != "0/0/0" {
		t.Errorf("%+v, the queue has %s", r.Counts(), s.counts(url))
	}
	s.put(url, "late")
	if got := s.counts(url); got != "1/0/0" {
		t.Errorf("a stopped source received: %s", got)
	}
}

func TestStoppedSourceGivesBackWhatItHasNotStarted(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("ordered", fifo)
	s.putIn(url, "g", "1", "2", "3")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	if m := <-box.came; textOf(m) != "1" {
		t.Errorf("first came %s", textOf(m))
	}
	s.front.until(2, 1)
	r.stop()
	s.front.until(2, 0)
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 3, Done: 1, Released: 2}) {
		t.Errorf("%+v", r.Counts())
	}
	if got := texts(s.take(url)); got != "2 3" {
		t.Errorf("visible at once: %q, want 2 and 3", got)
	}
}

func TestWorkThatIsCutOffAtTheEndOfTheGracePeriodComesBackAtOnce(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	s.front.until(2, 1)
	r.stop()
	s.front.until(2, 0)
	r.cut(engine.ErrGrace)
	r.end()
	if got := texts(s.take(url)); got != "a" {
		t.Errorf("visible at once: %q", got)
	}
}

func TestGroupIsWorkedOnInOrderAndGroupsSideBySide(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("ordered", fifo)
	s.putIn(url, "a", "a1", "a2")
	s.putIn(url, "b", "b1", "b2")
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	first := []string{textOf(<-box.came), textOf(<-box.came)}
	slices.Sort(first)
	if !slices.Equal(first, []string{"a1", "b1"}) {
		t.Errorf("at work: %v", first)
	}
	box.goOn <- nil
	box.goOn <- nil
	second := []string{textOf(<-box.came), textOf(<-box.came)}
	slices.Sort(second)
	if !slices.Equal(second, []string{"a2", "b2"}) {
		t.Errorf("then at work: %v", second)
	}
	box.goOn <- nil
	box.goOn <- nil
	r.end()
	if r.Counts().Done != 4 {
		t.Errorf("%+v", r.Counts())
	}
}

func TestFailureInAGroupSendsTheRestOfTheGroupBack(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("ordered", fifo)
	s.putIn(url, "a", "1", "2", "3")
	released := make(chan struct{}, 10)
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			n := len(c.entries())
			c.after = func() {
				for range n {
					released <- struct{}{}
				}
			}
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	if got := textOf(<-box.came); got != "1" {
		t.Fatalf("first came %s", got)
	}
	box.goOn <- errBroken
	for range 3 {
		<-released
	}
	s.clock.Advance(time.Second)
	s.clock.Advance(maxWait) // a poll that began before ends now at the latest
	for _, want := range []string{"1", "2", "3"} {
		if got := textOf(<-box.came); got != want {
			t.Errorf("then came %s, want %s", got, want)
		}
		box.goOn <- nil
	}
	r.end()
	if r.Counts() != (Counts{Received: 6, Done: 3, Failed: 1, Released: 2}) {
		t.Errorf("%+v", r.Counts())
	}
}

// A message that dies makes way for the next one of its group, which another receive brings before the failed one's
// pause is confirmed.
func TestMessageBehindADeadOneIsReceivedOnce(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("ordered", func(q *Queue) { fifo(q); q.DeadLetter.After = 1 })
	s.putIn(url, "a", "bad", "good")
	src := s.in(queue, func(c *In) { c.Batch = 1 })
	s.front.set(func(c *call) {
		if c.op != "ChangeMessageVisibilityBatch" {
			return
		}
		c.after = func() {
			look := time.NewTicker(5 * time.Millisecond)
			defer look.Stop()
			for src.Counts().Received < 2 && c.ctx.Err() == nil {
				<-look.C
			}
			<-look.C // it is in its lane by now, or all but
		}
	})
	box := newInbox()
	r := s.start(src, box.deliver)
	defer r.end()
	if got := textOf(<-box.came); got != "bad" {
		t.Errorf("came %s", got)
	}
	box.goOn <- engine.Fail(engine.Permanent, "bad", "bad", nil)
	select {
	case m := <-box.came:
		if textOf(m) != "good" || m.Attempt != 1 {
			t.Errorf("came %s, received %d times; want good, received once", textOf(m), m.Attempt)
		}
		box.goOn <- nil
	case <-time.After(30 * time.Second):
		t.Fatalf("the message behind never came; the dead-letter queue has %s", s.counts(strings.Replace(url, "ordered", "ordered-dead", 1)))
	}
}

func TestFIFOQueueThatTheFileDoesNotKnowToBeOneIsReceivedInOrder(t *testing.T) {
	s := openStill(t)
	_, url := s.queue("ordered", fifo)
	s.putIn(url, "a", "1", "2")
	given := enginetest.Config[Queue](t)
	given.URL = expr.Of(url)
	box := newInbox()
	r := s.start(s.in(engine.Ref[Queue]{Name: "ordered", Resource: given}, nil), box.deliver)
	for _, want := range []string{"1", "2"} {
		if got := textOf(<-box.came); got != want || len(box.came) > 0 {
			t.Errorf("came %s and %d more, want %s alone", got, len(box.came), want)
		}
		box.goOn <- nil
	}
	r.end()
}

func TestReceiveWhoseAnswerIsLostBringsTheGroupAgain(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("ordered", fifo)
	s.putIn(url, "a", "1")
	var calls atomic.Int32
	s.front.set(func(c *call) { c.dropAfter = c.op == "ReceiveMessage" && calls.Add(1) == 1 })
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	if got := textOf(<-box.came); got != "1" { // without waiting for its visibility timeout: the clock stands still
		t.Errorf("came %s", got)
	}
	box.goOn <- nil
	r.end()
}

// TestGroupsKeepTheirOrderThoughAThirdOfTheDeliveriesFails is F14 of the fault tests, in small.
func TestGroupsKeepTheirOrderThoughAThirdOfTheDeliveriesFails(t *testing.T) {
	const groups, each = 20, 20
	s := openStill(t)
	queue, url := s.queue("ordered", func(q *Queue) { fifo(q); q.HighThroughput = true; q.DeadLetter.After = 1000 })
	for g := range groups {
		for i := range each {
			s.putIn(url, fmt.Sprint("g", g), fmt.Sprintf("%02d-%03d", g, i))
		}
	}
	// A pause is over as soon as it is set.
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			c.after = func() { s.clock.Advance(time.Second) }
		}
	})
	var mu sync.Mutex
	last, deliveries := map[string]string{}, 0
	left := make(chan struct{}, groups*each)
	r := s.start(s.in(queue, func(c *In) {
		c.Visibility = engine.Duration(12 * time.Hour)
		c.Backoff = Backoff{Base: engine.Duration(time.Second), Max: engine.Duration(time.Second)}
	}), func(_ context.Context, m *engine.Message) error {
		mu.Lock()
		defer mu.Unlock()
		if deliveries++; deliveries%3 == 0 {
			return errBroken
		}
		text := textOf(m)
		if group := text[:2]; text <= last[group] {
			t.Errorf("%s after %s", text, last[group])
		} else {
			last[group] = text
		}
		left <- struct{}{}
		return nil
	})
	for range groups * each {
		<-left
	}
	r.end()
	if s.counts(url) != "0/0/0" || r.Counts().Done != groups*each || r.Counts().Failed < groups*each/3 {
		t.Errorf("the queue has %s, %+v", s.counts(url), r.Counts())
	}
}

func TestOutageIsToldOnceAndSoIsItsEnd(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	src := s.in(queue, func(c *In) { c.Wait = engine.Duration(time.Second); c.MaxInFlight = 1 })
	seen := &logs{}
	src.log = slog.New(seen)
	pauses := tellingClock{stillClock{s.clock}, make(chan struct{}, 1000)}
	src.clock = pauses
	var down atomic.Bool
	var failures atomic.Int32
	failed, worked := make(chan struct{}, 100), make(chan struct{}, 1000)
	s.front.set(func(c *call) {
		switch {
		case c.op != "ReceiveMessage":
		case down.Load():
			failures.Add(1)
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#AccessDenied", Message: "not now"}
			failed <- struct{}{}
		default:
			select {
			case worked <- struct{}{}:
			default:
			}
		}
	})
	box := newInbox()
	r := s.start(src, box.deliver)
	<-worked
	down.Store(true)
	for polling := true; polling; {
		select {
		case <-failed:
			failed <- struct{}{}
			polling = false
		default:
			s.clock.Advance(time.Second)
		}
	}
	for range 4 {
		<-failed
		<-pauses.set
		s.clock.Advance(outageMost)
	}
	for len(worked) > 0 {
		<-worked
	}
	down.Store(false)
	for up := false; !up; {
		select {
		case <-worked:
			up = true
		default:
			s.clock.Advance(outageMost)
		}
	}
	s.put(url, "a")
	<-box.came
	box.goOn <- nil
	r.end()
	if seen.count("no messages can be received") != 1 || seen.count("can be received again") != 1 {
		t.Errorf("logged %v", seen.lines)
	}
}

func TestQueueThatCannotBeReceivedFromAtAllEndsTheRun(t *testing.T) {
	s := openStill(t)
	queue := engine.Ref[Queue]{Name: "nowhere", Resource: enginetest.Config[Queue](t)}
	err := s.in(queue, nil).Run(ctx, func(context.Context, *engine.Message) error { return nil })
	wantFailure(t, err, engine.Permanent, "not_found", `looking up the queue "nowhere"`)
}

func TestMessageThatCannotBeDeletedIsCountedAndComesAgain(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	s.front.set(func(c *call) {
		if c.op == "DeleteMessageBatch" {
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#AccessDenied", Message: "no deleting here"}
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 1, Undeleted: 1}) || s.counts(url) != "0/1/0" {
		t.Errorf("%+v, the queue has %s", r.Counts(), s.counts(url))
	}
}

func TestDeleteThatTheServiceCouldNotDoIsTriedAgain(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	var calls atomic.Int32
	s.front.set(func(c *call) {
		if c.op == "DeleteMessageBatch" && calls.Add(1) < settleRounds {
			c.rewrite = func([]byte) []byte {
				return []byte(`{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false,"Message":"hiccup"}]}`)
			}
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 1, Done: 1}) || calls.Load() != settleRounds || s.counts(url) != "0/0/0" {
		t.Errorf("%+v after %d calls", r.Counts(), calls.Load())
	}
}

func TestDeleteThatIsThrottledForLongerThanTheSDKTriesIsTriedAgain(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	var calls atomic.Int32
	s.front.set(func(c *call) {
		if c.op == "DeleteMessageBatch" && calls.Add(1) <= 4 {
			c.fail = &awsjson.Error{Status: 503, Type: "ServiceUnavailable", Message: "come back later"}
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	box.goOn <- nil
	r.end()
	if r.Counts() != (Counts{Received: 1, Done: 1}) {
		t.Errorf("%+v after %d calls", r.Counts(), calls.Load())
	}
}

func TestDamagedMessageIsNotDelivered(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	hidden := make(chan struct{})
	s.front.set(func(c *call) {
		switch c.op {
		case "ReceiveMessage":
			c.rewrite = func(answer []byte) []byte {
				return []byte(strings.Replace(string(answer), `"Body":"a"`, `"Body":"b"`, 1))
			}
		case "ChangeMessageVisibilityBatch":
			c.after = func() { close(hidden) }
		}
	})
	r := s.start(s.in(queue, nil), func(_ context.Context, m *engine.Message) error {
		t.Errorf("delivered %s", textOf(m))
		return nil
	})
	<-hidden
	r.end()
	if r.Counts() != (Counts{Received: 1, Failed: 1}) {
		t.Errorf("%+v", r.Counts())
	}
}
