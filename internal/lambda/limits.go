package lambda

import (
	"context"
	"time"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const (
	// leastMargin and marginShare are what a reply leaves of the time until the
	// deadline: at the deadline Lambda ends the process and a batch counts as
	// failed whole.
	leastMargin = 500 * time.Millisecond
	marginShare = 20 // the twentieth part
	// farewell is what a run gets to return in when its context has ended,
	// writeUp what is left then to put the reply together.
	farewell = 50 * time.Millisecond
	writeUp  = 50 * time.Millisecond
)

// limits are the points in time that an invocation has to keep to.
type limits struct {
	// work is when the runs' context ends, reply when the invocation gives up
	// those that have not returned. Both are zero where there is no deadline.
	work, reply time.Time
}

// limitsOf takes the deadline of ctx, by the wall clock: the monotonic one may
// stand still while the process is frozen.
func limitsOf(ctx context.Context) limits {
	end, ok := ctx.Deadline()
	if !ok {
		return limits{}
	}
	end = end.Round(0)
	margin := max(leastMargin, end.Sub(time.Now().Round(0))/marginShare)
	return limits{work: end.Add(-margin - writeUp - farewell), reply: end.Add(-margin - writeUp)}
}

// context is the context of the invocation's runs.
func (l limits) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.work.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, l.work)
}

// within does some work and reports whether it ended before the reply must
// leave. Work that did not goes on, as nothing can stop it; it must not touch
// what the caller goes on with.
func (l limits) within(work func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		awsclient.GrowStack()
		work()
	}()
	if l.reply.IsZero() {
		<-done
		return true
	}
	t := time.NewTimer(time.Until(l.reply))
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}
