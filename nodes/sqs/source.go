package sqs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// Counts are what a source has seen since it started.
type Counts struct {
	// Received counts deliveries; every one ends as one of the others.
	Received int64
	// Done were worked on and deleted.
	Done int64
	// Failed went back to the queue with a pause.
	Failed int64
	// Released went back unstarted: the source stopped, or a message before
	// them in their group failed.
	Released int64
	// Undeleted were worked on but could not be deleted, and will come again.
	Undeleted int64
	// Expired is how many became visible to others while they were worked on;
	// they count as something else too.
	Expired int64
}

type counters struct{ received, done, failed, released, undeleted, expired atomic.Int64 }

// source is a sqs.in in a flow.
type source struct {
	*In
	address *address
	log     *slog.Logger
	clock   clock
	counts  counters
}

var _ engine.Source = (*source)(nil)

func newSource(c *In, d engine.Deps) (*source, error) {
	a, err := addressOf(c.Queue, d)
	if err != nil {
		return nil, err
	}
	return &source{In: c, address: a, log: d.Log.With("flow", d.Flow, "source", d.Node, "queue", c.Queue.Name), clock: systemClock{time.Now()}}, nil
}

// Counts tell what has become of the messages.
func (s *source) Counts() Counts {
	c := &s.counts
	return Counts{Received: c.received.Load(), Done: c.done.Load(), Failed: c.failed.Load(), Released: c.released.Load(),
		Undeleted: c.undeleted.Load(), Expired: c.expired.Load()}
}

// Run receives until ctx ends. An error says that the queue cannot be received
// from at all: it does not exist, or the account may not.
func (s *source) Run(ctx context.Context, deliver engine.Handler) error {
	r := newRun(ctx, s, deliver)
	stop := context.AfterFunc(ctx, r.stopped)
	defer stop()
	err := r.receive(ctx)
	r.stopped() // an error ends the run as well
	r.working.Wait()
	c := s.Counts()
	s.log.Debug("the source has stopped", "received", c.Received, "done", c.Done, "failed", c.Failed, "released", c.Released, "undeleted", c.Undeleted, "expired", c.Expired)
	return err
}

// run is one Run of a source.
type run struct {
	*source
	deliver engine.Handler
	// taking is the context of receiving, work that of deliveries, which outlives
	// it.
	taking   context.Context
	work     context.Context
	stopping chan struct{}
	stopOnce sync.Once
	slots    *slots
	settle   *settler
	lanes    *lanes
	outage   *outage
	// working are the messages in hand.
	working sync.WaitGroup
}

func newRun(ctx context.Context, s *source, deliver engine.Handler) *run {
	r := &run{source: s, deliver: deliver, taking: ctx, work: engine.Work(ctx), stopping: make(chan struct{}), slots: newSlots(s.MaxInFlight)}
	r.settle = newSettler(s.address, r.work)
	r.outage = newOutage(s.clock, s.log)
	r.lanes = &lanes{run: r, byGroup: map[string][]*inFlight{}}
	return r
}

func (r *run) stopped() { r.stopOnce.Do(func() { close(r.stopping) }) }

func (r *run) isStopping() bool {
	select {
	case <-r.stopping:
		return true
	default:
		// stopped runs a moment after its context has ended.
		return r.taking.Err() != nil
	}
}

// request is what every receive asks for but its number of messages.
func (r *run) request(t *target) *sdk.ReceiveMessageInput {
	return &sdk.ReceiveMessageInput{
		QueueUrl:                    &t.url,
		WaitTimeSeconds:             int32(r.Wait.Std() / time.Second),
		VisibilityTimeout:           int32(r.visibility() / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	}
}

// pollMargin is what a long poll's answer may take beyond its waiting time.
const pollMargin = 5 * time.Second

// poll is one receive. When ctx ends it is broken off; messages that the
// service was giving out at that moment come again after their visibility
// timeout.
func (r *run) poll(ctx context.Context, n int) ([]types.Message, error) {
	t, err := r.address.target(ctx)
	if err != nil {
		return nil, err
	}
	in := r.request(t)
	in.MaxNumberOfMessages = int32(n)
	if strings.HasSuffix(t.url, fifoSuffix) {
		// The SDK's repetition of a call whose answer was lost then brings the same messages again, instead of finding
		// their groups closed until they are visible.
		in.ReceiveRequestAttemptId = aws.String(engine.NewID())
	}
	out, err := t.ReceiveMessage(awsclient.WithAttemptTimeout(ctx, r.Wait.Std()+pollMargin), in, t.options...)
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("receiving from the queue %q", r.Queue.Name), err)
	}
	// There is a place for each that was asked for. What a strange service gives
	// beyond them comes again after its visibility timeout.
	return out.Messages[:min(len(out.Messages), n)], nil
}
