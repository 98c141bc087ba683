package sqs

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

const (
	// maxPollers bounds the receives under way at once.
	maxPollers = 8
	// gather is how long a receive waits for more free places than one, when
	// work is plenty: full receives are worth more than early ones.
	gather = 5 * time.Millisecond

	// hasty is the pause after a receive that brought nothing and did not wait
	// for it, as SQS would: from a service that has no long polls, or from
	// something before it that answers in its place.
	hasty = time.Second

	outageBase = 500 * time.Millisecond
	outageMost = 30 * time.Second
)

// receive runs the pollers: one while the queue is quiet, more while receives
// come back full.
func (r *run) receive(ctx context.Context) error {
	polling, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := &pollers{run: r, stop: stop, most: int32(min(maxPollers, (r.MaxInFlight+r.Batch-1)/r.Batch)),
		batch: min(r.Batch, r.MaxInFlight)}
	p.start(polling)
	p.wg.Wait()
	if ctx.Err() == nil {
		return context.Cause(polling)
	}
	return nil
}

// pollers are the receives under way and what they have seen of the queue.
type pollers struct {
	*run
	wg    sync.WaitGroup
	count atomic.Int32
	most  int32
	batch int
	stop  context.CancelCauseFunc

	mu       sync.Mutex
	received bool // at least one call has succeeded
	failures int  // in a row
}

// start adds a poller unless there are enough.
func (p *pollers) start(ctx context.Context) {
	if p.count.Add(1) > p.most {
		p.count.Add(-1)
		return
	}
	p.wg.Go(func() { p.loop(ctx) })
}

// leave takes a poller off unless this one is the last of them.
func (p *pollers) leave() bool {
	for {
		n := p.count.Load()
		if n <= 1 {
			return false
		}
		if p.count.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

func (p *pollers) loop(ctx context.Context) {
	for ctx.Err() == nil {
		n := p.outage.admit(ctx, p.batch)
		if n > 0 {
			n = p.slots.acquire(ctx, n)
		}
		if n == 0 {
			return
		}
		began := p.clock.now()
		got, err := p.poll(ctx, n)
		p.slots.release(n - len(got))
		if len(got) == 0 {
			p.outage.idle()
		}
		if err != nil {
			if ctx.Err() != nil || !p.failed(ctx, err) {
				return
			}
			continue
		}
		p.succeeded()
		if len(got) > 0 {
			p.accept(got)
		}
		switch {
		case len(got) == n && n == p.batch:
			p.start(ctx)
		case len(got) == 0 && p.leave():
			return
		case len(got) == 0 && p.clock.now()-began < p.Wait.Std()/2:
			p.pause(ctx, hasty)
		}
	}
}

// failed tells the first of a row of failures and pauses. It is false when this
// poller is to end.
func (p *pollers) failed(ctx context.Context, err error) bool {
	p.mu.Lock()
	p.failures++
	n, first := p.failures, p.failures == 1
	hopeless := !p.received && engine.ClassOf(err) == engine.Permanent
	p.mu.Unlock()
	if hopeless {
		p.stop(err)
		return false
	}
	if first {
		p.log.Warn("no messages can be received; trying again until it works", "error", err.Error(), "code", engine.CodeOf(err))
	}
	if p.leave() {
		return false
	}
	return p.pause(ctx, engine.Backoff(n, outageBase, outageMost))
}

func (p *pollers) succeeded() {
	p.mu.Lock()
	n := p.failures
	p.failures, p.received = 0, true
	p.mu.Unlock()
	if n > 0 {
		p.log.Info("messages can be received again", "failures", n)
	}
}

// pause waits, and reports whether it did so to the end.
func (r *run) pause(ctx context.Context, d time.Duration) bool {
	over := make(chan struct{})
	t := r.clock.after(d, func() { close(over) })
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// slots are the places for messages in hand.
type slots struct {
	free chan struct{}
	// gathering is held by the one receive that collects places, so that
	// several do not each end up with a few.
	gathering chan struct{}
}

func newSlots(n int) *slots {
	s := &slots{free: make(chan struct{}, n), gathering: make(chan struct{}, 1)}
	s.release(n)
	return s
}

func (s *slots) release(n int) {
	for range n {
		s.free <- struct{}{}
	}
}

// acquire takes between one and most places, as many as are free soon; 0 when
// ctx ended.
func (s *slots) acquire(ctx context.Context, most int) int {
	select {
	case s.gathering <- struct{}{}:
		defer func() { <-s.gathering }()
	case <-ctx.Done():
		return 0
	}
	select {
	case <-s.free:
	case <-ctx.Done():
		return 0
	}
	n := 1
	var soon *time.Timer
	for n < most {
		select {
		case <-s.free:
			n++
			continue
		default:
		}
		if soon == nil {
			soon = time.NewTimer(gather)
			defer soon.Stop()
		}
		select {
		case <-s.free:
			n++
		case <-soon.C:
			return n
		case <-ctx.Done():
			s.release(n)
			return 0
		}
	}
	return n
}
