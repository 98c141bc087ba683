// Package fault makes the local stand-ins fail on demand, so that a flow's
// retries, catches and redeliveries can be tried: throttled and failed calls,
// delays, connections that break before or after the work, messages that come
// twice.
//
// What happens to an operation is drawn from the seed, the rule and the number
// of the operation among those that the rule is for, and from nothing else. Two
// runs that make the same operations in the same order meet the same faults;
// with operations at the same time, their order decides who meets which.
package fault

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
)

// Kind is what is done to an operation. Its text is its name in a rule.
type Kind string

const (
	// None lets the operation be.
	None Kind = ""
	// Throttle answers as a service does whose rate or capacity is exceeded. The operation is not done.
	Throttle Kind = "throttle"
	// Error answers with status 500. The operation is not done.
	Error Kind = "error"
	// Drop closes the connection. The operation is not done.
	Drop Kind = "drop"
	// DropReply does the operation and closes the connection instead of answering.
	DropReply Kind = "drop-reply"
	// Refuse is for MQTT: CONNACK says that the server is unavailable.
	Refuse Kind = "refuse"
)

// delay and duplicate are not kinds: they come beside one.
const (
	delay     = "delay"
	duplicate = "duplicate"
)

// Options are what an Injector works with.
type Options struct {
	Seed  uint64
	Rules []Rule
	Clock clock.Clock  // nil: the machine's
	Log   *slog.Logger // nil: nothing is logged
}

// Injector decides about operations by its rules. A nil one does nothing. Its
// methods may be called by any goroutine.
type Injector struct {
	seed   uint64
	rules  []*counted
	clock  clock.Clock
	log    *slog.Logger
	held   atomic.Bool
	ending chan struct{}
	closed sync.Once
}

// counted is a rule and how many operations it has been asked about.
type counted struct {
	Rule
	asked atomic.Uint64
}

// New makes an Injector; it is nil when there are no rules.
func New(o Options) *Injector {
	if len(o.Rules) == 0 {
		return nil
	}
	i := &Injector{seed: o.Seed, clock: o.Clock, log: o.Log, ending: make(chan struct{})}
	for _, r := range o.Rules {
		i.rules = append(i.rules, &counted{Rule: r})
	}
	if i.clock == nil {
		i.clock = clock.System()
	}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	return i
}

// Hold has all operations pass uncounted until Release, such as those that
// prepare the queues and tables of a run.
func (i *Injector) Hold() {
	if i != nil {
		i.held.Store(true)
	}
}

// Release ends Hold.
func (i *Injector) Release() {
	if i != nil {
		i.held.Store(false)
	}
}

// Close ends the delays that operations are in.
func (i *Injector) Close() {
	if i != nil {
		i.closed.Do(func() { close(i.ending) })
	}
}

// decision is what happens to one operation.
type decision struct {
	kind  Kind
	delay time.Duration
	// again are the draws of the rules that make messages come twice.
	again []duplication
}

// duplication decides about the messages of one reply.
type duplication struct {
	share float64
	draw  draw
}

// decide asks the rules. Of several that would break the operation the first
// one does; their delays add up.
func (i *Injector) decide(service, operation string) decision {
	var d decision
	if i == nil || i.held.Load() {
		return d
	}
	for _, r := range i.rules {
		if !r.isFor(service, operation) {
			continue
		}
		w := draw{i.seed, r.hash(), r.asked.Add(1)}
		d.delay += r.delayOf(w)
		if k := r.kindOf(w); k != None && d.kind == None {
			d.kind = k
			i.log.Info("fault injected", "operation", service+"."+operation, "fault", string(k), "rule", r.String(), "number", w.n)
		}
		if r.Duplicate > 0 {
			d.again = append(d.again, duplication{r.Duplicate, w})
		}
	}
	return d
}

// Act decides about one operation and returns once its delay has passed, with
// the error of ctx if that ended first.
func (i *Injector) Act(ctx context.Context, service, operation string) (Kind, error) {
	d := i.decide(service, operation)
	return d.kind, i.wait(ctx, d.delay)
}

func (i *Injector) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := i.clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-i.ending:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
