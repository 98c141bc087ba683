package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flowctl-dev/flowctl/engine"
)

// A service that does not keep to the protocol, a stranger in its place, or one
// that is not set up as the file says.

func TestServiceThatDoesNotWaitForMessagesIsNotAskedWithoutPause(t *testing.T) {
	s := openStill(t)
	queue, _ := s.queue("orders", nil)
	src := s.in(queue, nil)
	pauses := tellingClock{stillClock{s.clock}, make(chan struct{}, 10)}
	src.clock = pauses
	s.front.set(func(c *call) {
		c.body = bytes.Replace(c.body, []byte(`"WaitTimeSeconds":20`), []byte(`"WaitTimeSeconds":0`), 1)
	})
	r := s.start(src, newInbox().deliver)
	for asked := 1; asked <= 3; asked++ {
		<-pauses.set
		if got := s.front.calls("ReceiveMessage"); got != asked {
			t.Errorf("asked %d times, want %d", got, asked)
		}
		s.clock.Advance(hasty)
	}
	r.end()
}

func TestSurplusMessagesOfAReceiveAreLeft(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	s.front.set(func(c *call) {
		if c.op != "ReceiveMessage" {
			return
		}
		c.rewrite = func(answer []byte) []byte {
			var out struct{ Messages []map[string]any }
			if err := json.Unmarshal(answer, &out); err != nil {
				panic(err)
			}
			for _, m := range out.Messages {
				out.Messages = append(out.Messages, m, m)
			}
			answer, _ = json.Marshal(out)
			return answer
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, func(c *In) { c.MaxInFlight = 1 }), box.deliver)
	<-box.came
	box.goOn <- nil
	s.front.until(2, 1) // it has the place again
	r.end()
	if r.Counts() != (Counts{Received: 1, Done: 1}) {
		t.Errorf("%+v", r.Counts())
	}
}

func TestServiceThatIsSilentDoesNotHoldUpTheEndOfTheGracePeriod(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", nil)
	s.put(url, "a")
	var calls atomic.Int32
	asked := make(chan struct{}, 10)
	s.front.set(func(c *call) {
		if c.op == "DeleteMessageBatch" {
			calls.Add(1)
			asked <- struct{}{}
			<-c.ctx.Done()
		}
	})
	box := newInbox()
	r := s.start(s.in(queue, nil), box.deliver)
	<-box.came
	box.goOn <- nil
	<-asked
	r.cut(engine.ErrGrace)
	r.end()
	if calls.Load() != 1 || r.Counts() != (Counts{Received: 1, Undeleted: 1}) {
		t.Errorf("asked %d times to delete the message, %+v", calls.Load(), r.Counts())
	}
}

func TestMessageThatNoDeadLetterQueueTakesIsNotTriedWithoutPause(t *testing.T) {
	s := openStill(t)
	queue, url := s.queue("orders", func(q *Queue) { q.DeadLetter.After = 1 })
	if _, err := s.SetQueueAttributes(ctx, &sdk.SetQueueAttributesInput{QueueUrl: &url, Attributes: map[string]string{"RedrivePolicy": ""}}); err != nil {
		t.Fatal(err)
	}
	s.put(url, "a")
	pauses := make(chan any, 10)
	s.front.set(func(c *call) {
		if c.op == "ChangeMessageVisibilityBatch" {
			pauses <- c.entries()[0]["VisibilityTimeout"]
		}
	})
	r := s.start(s.in(queue, nil), func(context.Context, *engine.Message) error { return errBroken })
	if last, next := <-pauses, <-pauses; last != 0.0 || next == 0.0 {
		t.Errorf("the pauses are %v and %v, want none and some", last, next)
	}
	r.end()
}
