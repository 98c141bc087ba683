package sqs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flowctl-dev/flowctl/engine"
)

// inFlight is a received message until it is deleted or given back.
type inFlight struct {
	Delivery
	handle *string
	// damaged says that the body is not what the service has stored.
	damaged bool
	shift   *shift
	// Of the shift, under its mutex: the message is settled; it is no longer
	// ours.
	closed, lost bool
}

// accept takes what a receive brought. The messages have their slots.
func (r *run) accept(got []types.Message) {
	r.counts.received.Add(int64(len(got)))
	s := &shift{run: r, since: r.clock.now()}
	for i := range got {
		s.messages = append(s.messages, newInFlight(&got[i], s))
	}
	s.start()
	var ordered []*inFlight
	for _, f := range s.messages {
		if f.System["SequenceNumber"] != "" { // which only a FIFO queue gives
			ordered = append(ordered, f)
		} else {
			r.working.Go(func() { r.handle(f, func() {}) })
		}
	}
	r.lanes.add(ordered)
}

func newInFlight(m *types.Message, s *shift) *inFlight {
	f := &inFlight{handle: m.ReceiptHandle, shift: s}
	f.MessageID, f.Body, f.System = aws.ToString(m.MessageId), aws.ToString(m.Body), m.Attributes
	f.damaged = m.MD5OfBody != nil && *m.MD5OfBody != md5Of(f.Body)
	if len(m.MessageAttributes) > 0 {
		f.Attributes = make(map[string]string, len(m.MessageAttributes))
		for name, a := range m.MessageAttributes {
			f.Attributes[name] = attributeText(a)
		}
	}
	return f
}

// handle works on a message and settles it. It is false when those behind it in
// a FIFO group must wait for it; undone is then called before the service can
// give out anything of the group again.
func (r *run) handle(f *inFlight, undone func()) (settled bool) {
	defer r.slots.release(1)
	if r.isStopping() {
		undone()
		r.giveBack([]*inFlight{f})
		return false
	}
	err := r.try(f)
	if r.work.Err() == nil {
		r.outage.settled(err)
	}
	f.close()
	if err != nil {
		undone()
		r.postpone(f, err)
		return false
	}
	if err := r.settle.remove(f); err != nil {
		undone()
		r.counts.undeleted.Add(1)
		r.log.Warn("a message was worked on but could not be deleted; it will come again", r.about(f, err)...)
		return false
	}
	r.counts.done.Add(1)
	return true
}

// try delivers a message. A panic is an error of the message.
func (r *run) try(f *inFlight) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = engine.Fail(engine.Permanent, "panic", fmt.Sprintf("the delivery panicked: %v", p), nil)
			r.log.Error("a delivery panicked; the message fails, the source goes on", append(r.about(f, err), "stack", string(debug.Stack()))...)
		}
	}()
	if f.damaged {
		err = engine.Fail(engine.Retryable, "checksum", "the message was damaged on its way from the queue: the MD5 sums differ", nil)
		r.log.Warn("a message was received damaged", r.about(f, err)...)
		return err
	}
	m, err := r.Message(&f.Delivery)
	if err != nil {
		r.log.Error("a message cannot be taken into the flow", r.about(f, err)...)
		return err
	}
	if m == nil {
		r.log.Debug("a message asks for nothing to be done and is deleted", "message_id", f.MessageID)
		return nil
	}
	return r.deliver(r.work, m)
}

func (r *run) about(f *inFlight, err error) []any {
	return []any{"message_id", f.MessageID, "receive_count", f.ReceiveCount(), "class", engine.ClassOf(err).String(), "code", engine.CodeOf(err), "error", err.Error()}
}

// postpone hides a message that failed until it is tried again. One that was
// cut off at the end of the grace period is not to blame and comes at once.
func (r *run) postpone(f *inFlight, failure error) {
	r.counts.failed.Add(1)
	var d time.Duration
	if r.work.Err() == nil && !r.isLast(f) {
		d = engine.Backoff(f.ReceiveCount(), r.firstPause(failure), r.longestPause())
	}
	if r.log.Enabled(r.work, slog.LevelDebug) {
		r.log.Debug("a message goes back to the queue", append(r.about(f, failure), "pause", d.String())...)
	}
	if err := r.settle.hide([]*inFlight{f}, d); err != nil {
		r.log.Warn("a failed message could not be given its pause; it comes again when its visibility timeout ends", r.about(f, err)...)
	}
}

// isLast reports whether this was the message's last delivery: the service moves
// it to the dead-letter queue when it is asked for it again, so that a pause
// would only keep it from there. One that comes yet again was not moved, as
// where the dead-letter queue was deleted. What holds for a queue outside, the
// file does not tell.
func (r *run) isLast(f *inFlight) bool {
	q := r.Queue.Resource
	return !q.URL.Given() && !q.DeadLetter.Off && f.ReceiveCount() == q.After()
}

// giveBack makes messages that were not started visible at once.
func (r *run) giveBack(messages []*inFlight) {
	for _, f := range messages {
		f.close()
	}
	r.counts.released.Add(int64(len(messages)))
	if err := r.settle.hide(messages, 0); err != nil {
		r.log.Warn("messages could not be given back; they come again when their visibility timeout ends", "messages", len(messages), "error", err.Error())
	}
}

// lanes keep the messages of a FIFO group in order: each lane works on one at
// a time.
type lanes struct {
	*run
	mu      sync.Mutex
	byGroup map[string][]*inFlight
}

// add takes what one receive brought, all at once: a message that fails must find
// those behind it in its lane.
func (l *lanes) add(messages []*inFlight) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range messages {
		group := f.System["MessageGroupId"]
		waiting, running := l.byGroup[group]
		l.byGroup[group] = append(waiting, f)
		if !running {
			l.working.Go(func() { l.drain(group) })
		}
	}
}

// drain works through a lane. The first message that is not done sends all
// behind it back.
func (l *lanes) drain(group string) {
	for {
		f := l.next(group)
		if f == nil {
			return
		}
		var rest []*inFlight
		if l.handle(f, func() { rest = l.rest(group) }) {
			continue
		}
		if len(rest) > 0 {
			l.giveBack(rest)
			l.slots.release(len(rest))
		}
		// What was received meanwhile goes on: the service gave it out after
		// the failed one came back, or went to the dead-letter queue.
	}
}

// next is the lane's next message; nil closes the lane.
func (l *lanes) next(group string) *inFlight {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.byGroup[group]
	if len(waiting) == 0 {
		delete(l.byGroup, group)
		return nil
	}
	l.byGroup[group] = waiting[1:]
	return waiting[0]
}

func (l *lanes) rest(group string) []*inFlight {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.byGroup[group]
	l.byGroup[group] = nil
	return rest
}

// shift is what one receive brought; it is kept hidden from others together.
type shift struct {
	*run
	messages []*inFlight
	since    time.Duration // of the receive, by the clock

	mu    sync.Mutex
	timer timer
	open  int
}

// endMargin is how long before the service's 12 hours end prolonging does.
const endMargin = 10 * time.Second

func (s *shift) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = len(s.messages)
	s.timer = s.clock.after(s.visibility()/2, s.beat)
}

// close says that the message is about to be settled: it is prolonged no
// longer, and no call that prolongs it is under way.
func (f *inFlight) close() {
	s := f.shift
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	if s.open--; s.open == 0 {
		s.timer.Stop()
	}
}

// beat prolongs the messages that are still worked on.
func (s *shift) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []*inFlight
	for _, f := range s.messages {
		if !f.closed && !f.lost {
			open = append(open, f)
		}
	}
	if len(open) == 0 {
		return
	}
	d := min(s.visibility(), s.left().Truncate(time.Second))
	if d < time.Second {
		for _, f := range open {
			s.lose(f, "it has been worked on for 12 hours, the longest SQS allows")
		}
		return
	}
	again := s.visibility() / 2
	if !s.prolong(open, d) {
		again = s.visibility() / 8
	}
	s.timer.Reset(again)
}

// prolong is false when some of the messages must be tried again soon.
func (s *shift) prolong(open []*inFlight, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(s.settle.life, max(s.visibility()/2, time.Second))
	defer cancel()
	batch := make([]*settling, len(open))
	for i, f := range open {
		batch[i] = &settling{handle: f.handle, seconds: wholeUp(d)}
	}
	failed, err := s.settle.change(ctx, batch)
	if err != nil {
		s.log.Warn("messages being worked on could not be kept hidden; trying again", "messages", len(open), "error", err.Error())
		return false
	}
	all := true
	for i := range failed {
		place := placeOf(failed[i].Id, len(open))
		if place < 0 {
			continue
		}
		if passing(&failed[i]) {
			all = false
		} else {
			s.lose(open[place], aws.ToString(failed[i].Message))
		}
	}
	return all
}

// lose notes that a message is visible to others, or soon will be, though it is
// still worked on.
func (s *shift) lose(f *inFlight, why string) {
	f.lost = true
	s.counts.expired.Add(1)
	s.log.Warn("a message being worked on can no longer be kept hidden; it may be worked on twice", "message_id", f.MessageID, "reason", why, "expired_so_far", s.counts.expired.Load())
}

// wholeUp is a duration in seconds, rounded up.
func wholeUp(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }
