package sqs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// misbehave breaks one call in five in one of the ways a network and a busy service do.
func misbehave(random *rand.Rand, mu *sync.Mutex) func(*call) {
	return func(c *call) {
		mu.Lock()
		n := random.IntN(20)
		mu.Unlock()
		switch n {
		case 0:
			c.dropBefore = true
		case 1:
			c.dropAfter = true
		case 2:
			c.fail = &awsjson.Error{Type: "com.amazonaws.sqs#RequestThrottled", Message: "slow down"}
		case 3:
			c.fail = &awsjson.Error{Status: 503, Type: "ServiceUnavailable", Message: "come back later"}
		}
	}
}

// TestNothingIsLostBetweenTwoQueuesOnABadNetwork moves messages from one queue to another while one call in five fails:
// every message that a send confirmed must arrive, and none is deleted before the one behind it has been confirmed.
func TestNothingIsLostBetweenTwoQueuesOnABadNetwork(t *testing.T) {
	const messages = 200
	s := openStill(t)
	from, fromURL := s.queue("from", func(q *Queue) { q.DeadLetter.Off = true })
	to, toURL := s.queue("to", nil)
	for i := range messages {
		s.put(fromURL, fmt.Sprintf("%04d", i))
	}
	forward := s.send(to, func(c *Send) { c.Body = enginetest.Expr[[]byte](t, "${{ event.body }}") }).Handler()
	var mu sync.Mutex
	confirmed, broken := map[string]bool{}, 0
	enough := make(chan struct{})
	var once sync.Once
	deliver := func(ctx context.Context, m *engine.Message) error {
		text := textOf(m)
		mu.Lock()
		broken++
		fail := broken%7 == 0
		mu.Unlock()
		if fail {
			return errBroken
		}
		if err := forward(ctx, engine.NewMessage(expr.Fields{"body": text}, m.Correlation)); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		confirmed[text] = true
		if len(confirmed) == messages {
			once.Do(func() { close(enough) })
		}
		return nil
	}
	hook := misbehave(rand.New(rand.NewPCG(1, 2)), &sync.Mutex{})
	polled := make(chan struct{}, 1)
	s.front.set(func(c *call) {
		if c.op == "ReceiveMessage" {
			select {
			case polled <- struct{}{}:
			default:
			}
		}
		hook(c)
	})
	r := s.start(s.in(from, func(c *In) {
		c.Backoff = Backoff{Base: engine.Duration(time.Second), Max: engine.Duration(2 * time.Second)}
	}), deliver)
	// Time passes with every poll, so that lost receives and pauses come to their end.
	drive(s, polled, enough)
	r.end()
	s.front.set(nil)
	s.clock.Advance(time.Minute)
	stored := map[string]bool{}
	for got := s.take(toURL); len(got) > 0; got = s.take(toURL) {
		for _, m := range got {
			stored[*m.Body] = true
			s.remove(toURL, m)
		}
	}
	if len(stored) != messages {
		t.Errorf("%d of %d messages arrived; %+v", len(stored), messages, r.Counts())
	}
	for text := range confirmed {
		if !stored[text] {
			t.Errorf("%s was confirmed and is lost", text)
		}
	}
	t.Logf("%+v", r.Counts())
}

// drive lets 5 seconds pass with every poll, and while the source pauses, until enough.
func drive(s *sandbox, polled <-chan struct{}, enough <-chan struct{}) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-enough:
			return
		case <-polled:
		case <-tick.C:
		}
		s.clock.Advance(5 * time.Second)
	}
}
