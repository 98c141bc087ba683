package sqs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

// sender sends to one queue for all nodes of the process that do.
type sender struct {
	address *address
	batches collector[*outgoing]
}

// outgoing is a message on its way to the queue.
type outgoing struct {
	entry  types.SendMessageBatchRequestEntry
	size   int
	ctx    context.Context
	state  atomic.Int32
	flight *flight
	done   chan struct{}
	// sent and err are set before done is closed.
	sent types.SendMessageBatchResultEntry
	err  error
}

const (
	stateWaiting int32 = iota
	stateFlying
	stateAbandoned
)

// flight is a batch on its way. It ends early when nobody waits for it.
type flight struct {
	waiting atomic.Int32
	cancel  context.CancelFunc
	landed  chan struct{}
}

func (f *flight) leave() {
	if f.waiting.Add(-1) == 0 {
		f.cancel()
	}
}

// batchLimit bounds a batch whose messages have no deadline of their own.
const batchLimit = 30 * time.Second

// senderOf is the one sender of a queue in the process.
func senderOf(a *address) *sender {
	return awsclient.Keep(a.clients, a, func() *sender { return newSender(a) })
}

func newSender(a *address) *sender {
	s := &sender{address: a}
	s.batches.run = s.send
	s.batches.size = func(o *outgoing) int { return o.size }
	if a.queue.IsFIFO() || a.queue.URL.Given() { // the file may not know what a queue behind a URL is
		s.batches.lane = func(o *outgoing) string { return aws.ToString(o.entry.MessageGroupId) }
	}
	return s
}

// deliver sends the message and waits for the service's answer. When ctx ends
// first, a message that has not left is withdrawn; of one that has, nobody
// knows whether it arrived.
func (s *sender) deliver(ctx context.Context, o *outgoing) (types.SendMessageBatchResultEntry, error) {
	if ctx.Err() != nil {
		return o.sent, s.withdrawn(ctx)
	}
	o.ctx, o.done = ctx, make(chan struct{})
	s.batches.add(o)
	select {
	case <-o.done:
		return o.sent, o.err
	case <-ctx.Done():
	}
	if o.state.CompareAndSwap(stateWaiting, stateAbandoned) {
		return o.sent, s.withdrawn(ctx)
	}
	o.flight.leave()
	if o.flight.waiting.Load() == 0 {
		<-o.flight.landed // it was cancelled: wait, so that nothing runs on behind the caller's back
	}
	select {
	case <-o.done:
		return o.sent, o.err
	default:
		return o.sent, awsclient.Fail(fmt.Sprintf("the queue %q did not say whether it has the message", s.address.resource), context.Cause(ctx))
	}
}

func (s *sender) withdrawn(ctx context.Context) error {
	return awsclient.Fail(fmt.Sprintf("the message was not sent to the queue %q", s.address.resource), context.Cause(ctx))
}

// send is a flight of the messages that are still wanted.
func (s *sender) send(batch []*outgoing) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &flight{cancel: cancel, landed: make(chan struct{})}
	defer close(f.landed)
	f.waiting.Store(1) // our own hold, until all are aboard
	aboard := make([]*outgoing, 0, len(batch))
	for _, o := range batch {
		o.flight = f
		f.waiting.Add(1)
		if o.state.CompareAndSwap(stateWaiting, stateFlying) {
			aboard = append(aboard, o)
		} else {
			f.waiting.Add(-1)
		}
	}
	f.leave()
	if len(aboard) == 0 {
		return
	}
	ctx, cancelLimit := context.WithDeadline(ctx, deadlineOf(aboard))
	defer cancelLimit()
	t, err := s.address.target(ctx)
	if err != nil {
		fail(aboard, err)
		return
	}
	s.call(ctx, t, aboard)
}

// deadlineOf is the latest of the messages' deadlines: each caller sees to its
// own.
func deadlineOf(batch []*outgoing) time.Time {
	var last time.Time
	for _, o := range batch {
		end, ok := o.ctx.Deadline()
		if !ok {
			return time.Now().Add(batchLimit)
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

func fail(batch []*outgoing, err error) {
	for _, o := range batch {
		o.settle(err)
	}
}

// settle tells the caller what became of the message; the first word counts.
// It belongs to the flight's goroutine.
func (o *outgoing) settle(err error) {
	select {
	case <-o.done:
	default:
		o.err = err
		close(o.done)
	}
}

// call sends the batch and settles its messages by what the service says of
// each.
func (s *sender) call(ctx context.Context, t *target, batch []*outgoing) {
	in := &sdk.SendMessageBatchInput{QueueUrl: &t.url, Entries: make([]types.SendMessageBatchRequestEntry, len(batch))}
	for i, o := range batch {
		o.entry.Id = ids[i]
		in.Entries[i] = o.entry
	}
	out, err := t.SendMessageBatch(ctx, in, t.options...)
	if err != nil {
		s.callFailed(ctx, t, batch, err)
		return
	}
	for i := range out.Successful {
		if o := entryOf(batch, out.Successful[i].Id); o != nil {
			o.sent = out.Successful[i]
			o.settle(checkSum(o, &out.Successful[i]))
		}
	}
	for i := range out.Failed {
		if o := entryOf(batch, out.Failed[i].Id); o != nil {
			o.settle(s.refused(&out.Failed[i]))
		}
	}
	for _, o := range batch {
		o.settle(engine.Fail(engine.Retryable, "unavailable", fmt.Sprintf("the queue %q gave no answer for this message", s.address.resource), nil))
	}
}

// callFailed tells all messages of a call that failed, or, where one of them
// may be at fault, sends each by itself so that the others do not suffer.
func (s *sender) callFailed(ctx context.Context, t *target, batch []*outgoing, err error) {
	failure := awsclient.Fail(fmt.Sprintf("sending to the queue %q", s.address.resource), err)
	if len(batch) == 1 || engine.ClassOf(failure) == engine.Retryable || !perMessage(engine.CodeOf(failure)) {
		fail(batch, failure)
		return
	}
	for i := range batch {
		s.call(ctx, t, batch[i:i+1])
	}
}

// perMessage reports whether an error can be one message's fault.
func perMessage(code string) bool {
	switch code {
	case "not_found", "access_denied", "tls", "config":
		return false
	}
	return true
}

func (s *sender) refused(f *types.BatchResultErrorEntry) error {
	class, code := awsclient.ClassifyCode(aws.ToString(f.Code), f.SenderFault)
	return engine.Fail(class, code, fmt.Sprintf("the queue %q refused the message: %s (%s)", s.address.resource, aws.ToString(f.Message), aws.ToString(f.Code)), nil)
}

// checkSum compares what the service says it has stored with what was sent.
func checkSum(o *outgoing, sent *types.SendMessageBatchResultEntry) error {
	if md5Of(aws.ToString(o.entry.MessageBody)) == aws.ToString(sent.MD5OfMessageBody) {
		return nil
	}
	return engine.Fail(engine.Retryable, "checksum", "the message was damaged on its way to the queue: the MD5 sums differ", nil)
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// ids are the entries' ids in a batch, by place.
var ids = func() (ids [maxBatch]*string) {
	for i := range ids {
		ids[i] = aws.String(strconv.Itoa(i))
	}
	return ids
}()

// placeOf is the place in a batch that an answer's id names, -1 if none.
func placeOf(id *string, n int) int {
	if i, err := strconv.Atoi(aws.ToString(id)); err == nil && i >= 0 && i < n {
		return i
	}
	return -1
}

func entryOf(batch []*outgoing, id *string) *outgoing {
	if i := placeOf(id, len(batch)); i >= 0 {
		return batch[i]
	}
	return nil
}
