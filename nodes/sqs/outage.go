package sqs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

const (
	// outageAfter is how many messages fail retryably, with none done between
	// them, before the flow is taken to be unable to work at all.
	outageAfter = 5
	// Between probes lies a pause, short at first.
	probeBase = time.Second
	probeMost = 15 * time.Second
)

// outage keeps messages in the queue while what the flow works with is down.
// SQS counts every receipt, so that receiving them only to fail would push them
// all into the dead-letter queue. While it lasts, one message at a time is
// received to see whether it works again.
type outage struct {
	clock clock
	log   *slog.Logger

	mu       sync.Mutex
	failures int // retryable ones in a row
	open     bool
	probing  bool          // a probe is under way
	probes   int           // failed ones in a row
	next     time.Duration // when the next probe may start
	changed  chan struct{} // closed at the next change
}

func newOutage(c clock, log *slog.Logger) *outage {
	return &outage{clock: c, log: log, changed: make(chan struct{})}
}

// admit waits until messages may be received and gives how many: most, or one
// as a probe. It is 0 when ctx ended.
func (o *outage) admit(ctx context.Context, most int) int {
	for {
		o.mu.Lock()
		if !o.open {
			o.mu.Unlock()
			return most
		}
		pause := o.next - o.clock.now()
		if !o.probing && pause <= 0 {
			o.probing = true
			o.mu.Unlock()
			return 1
		}
		changed, probing := o.changed, o.probing
		o.mu.Unlock()
		due := make(chan struct{})
		var t timer
		if !probing {
			t = o.clock.after(pause, func() { close(due) })
		}
		select {
		case <-changed:
		case <-due:
		case <-ctx.Done():
		}
		if t != nil {
			t.Stop()
		}
		if ctx.Err() != nil {
			return 0
		}
	}
}

// idle says that a receive brought nothing, so that a probe tells nothing.
func (o *outage) idle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open && o.probing {
		o.probing = false
		o.notify()
	}
}

// settled takes the outcome of a message.
func (o *outage) settled(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		if o.open {
			o.log.Info("the flow works again; receiving as before")
		}
		o.open, o.probing, o.failures, o.probes = false, false, 0, 0
		o.notify()
	case engine.ClassOf(err) == engine.Permanent:
		// The message's own fault tells nothing of the outage.
		if o.probing {
			o.probing = false
			o.notify()
		}
	case o.open && o.probing:
		o.probing = false
		o.probes++
		o.next = o.clock.now() + engine.Backoff(o.probes, probeBase, probeMost)
		o.notify()
	case !o.open:
		if o.failures++; o.failures < outageAfter {
			return
		}
		o.open, o.probes = true, 1
		o.next = o.clock.now() + engine.Backoff(o.probes, probeBase, probeMost)
		o.log.Warn("every message fails for a reason that may pass; the others stay in the queue until one gets through", "code", engine.CodeOf(err), "error", err.Error())
		o.notify()
	}
}

func (o *outage) notify() {
	close(o.changed)
	o.changed = make(chan struct{})
}
