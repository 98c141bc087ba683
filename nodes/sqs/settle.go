package sqs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const (
	// settleLimit bounds a delete or a change of visibility, its repetitions
	// included: they are finished even when the source is to stop.
	settleLimit = 20 * time.Second
	// settleRounds is how often an entry that the service could not settle for
	// reasons of its own is tried.
	settleRounds = 3
	settleBase   = 100 * time.Millisecond
	settleMost   = time.Second
	// lastLimit bounds all that is left to be settled when the grace period is
	// over.
	lastLimit = 3 * time.Second
)

// settler deletes messages and changes when they are visible, in batches.
type settler struct {
	address *address
	// life outlasts the context of deliveries by lastLimit.
	life     context.Context
	removals collector[*settling]
	changes  collector[*settling]
}

// settling is one message's part of a batch.
type settling struct {
	handle  *string
	seconds int32
	err     error
	done    chan struct{}
}

func newSettler(a *address, work context.Context) *settler {
	life, end := context.WithCancel(context.Background())
	context.AfterFunc(work, func() { time.AfterFunc(lastLimit, end) })
	t := &settler{address: a, life: life}
	t.removals.run = func(batch []*settling) { t.settle(batch, t.delete) }
	t.changes.run = func(batch []*settling) { t.settle(batch, t.change) }
	return t
}

// remove deletes a message and waits for the service's answer.
func (t *settler) remove(f *inFlight) error {
	e := &settling{handle: f.handle, done: make(chan struct{})}
	t.removals.add(e)
	<-e.done
	return e.err
}

// hide makes messages visible after d, rounded up to seconds, and waits for the
// service's answer.
func (t *settler) hide(messages []*inFlight, d time.Duration) error {
	all := make([]*settling, len(messages))
	for i, f := range messages {
		all[i] = &settling{handle: f.handle, seconds: wholeUp(min(d, f.shift.left())), done: make(chan struct{})}
		t.changes.add(all[i])
	}
	var errs []error
	for _, e := range all {
		<-e.done
		errs = append(errs, e.err)
	}
	return errors.Join(errs...)
}

// left is how long the service would still hide the messages.
func (s *shift) left() time.Duration {
	return max(0, maxVisibility-endMargin-(s.clock.now()-s.since))
}

type settleCall func(context.Context, []*settling) ([]types.BatchResultErrorEntry, error)

// settle makes the call for a batch, and again for what the service could not
// do for reasons of its own.
func (t *settler) settle(batch []*settling, call settleCall) {
	ctx, cancel := context.WithTimeout(t.life, settleLimit)
	defer cancel()
	for round := 1; ; round++ {
		batch = attempt(ctx, batch, call, round == settleRounds)
		if len(batch) == 0 {
			return
		}
		engine.Pause(ctx, engine.Backoff(round, settleBase, settleMost))
	}
}

// attempt makes the call and gives what is worth another one.
func attempt(ctx context.Context, batch []*settling, call settleCall, last bool) (again []*settling) {
	failed, err := call(ctx, batch)
	if err != nil && engine.ClassOf(err) == engine.Retryable && !last && ctx.Err() == nil {
		return batch
	}
	errs := make([]error, len(batch))
	for i := range failed {
		if place := placeOf(failed[i].Id, len(batch)); place >= 0 {
			errs[place] = refusal(&failed[i])
		}
	}
	for i, e := range batch {
		switch {
		case err != nil:
			e.end(err)
		case errs[i] != nil && engine.ClassOf(errs[i]) == engine.Retryable && !last:
			again = append(again, e)
		default:
			e.end(errs[i])
		}
	}
	return again
}

func (e *settling) end(err error) {
	e.err = err
	close(e.done)
}

// passing reports whether an entry failed for a reason that may pass.
func passing(f *types.BatchResultErrorEntry) bool {
	class, _ := awsclient.ClassifyCode(aws.ToString(f.Code), f.SenderFault)
	return class == engine.Retryable
}

func refusal(f *types.BatchResultErrorEntry) error {
	class, code := awsclient.ClassifyCode(aws.ToString(f.Code), f.SenderFault)
	return engine.Fail(class, code, fmt.Sprintf("%s (%s)", aws.ToString(f.Message), aws.ToString(f.Code)), nil)
}

func (t *settler) delete(ctx context.Context, batch []*settling) ([]types.BatchResultErrorEntry, error) {
	at, err := t.address.target(ctx)
	if err != nil {
		return nil, err
	}
	in := &sdk.DeleteMessageBatchInput{QueueUrl: &at.url, Entries: make([]types.DeleteMessageBatchRequestEntry, len(batch))}
	for i, e := range batch {
		in.Entries[i] = types.DeleteMessageBatchRequestEntry{Id: ids[i], ReceiptHandle: e.handle}
	}
	out, err := at.DeleteMessageBatch(ctx, in, at.options...)
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("deleting from the queue %q", t.address.resource), err)
	}
	return out.Failed, nil
}

func (t *settler) change(ctx context.Context, batch []*settling) ([]types.BatchResultErrorEntry, error) {
	at, err := t.address.target(ctx)
	if err != nil {
		return nil, err
	}
	in := &sdk.ChangeMessageVisibilityBatchInput{QueueUrl: &at.url, Entries: make([]types.ChangeMessageVisibilityBatchRequestEntry, len(batch))}
	for i, e := range batch {
		in.Entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{Id: ids[i], ReceiptHandle: e.handle, VisibilityTimeout: e.seconds}
	}
	out, err := at.ChangeMessageVisibilityBatch(ctx, in, at.options...)
	if err != nil {
		return nil, awsclient.Fail(fmt.Sprintf("changing the visibility of messages in the queue %q", t.address.resource), err)
	}
	return out.Failed, nil
}
