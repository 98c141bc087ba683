package sqs

import (
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

var systemAttributes = []string{"All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", "MessageGroupId", traceHeader, "DeadLetterQueueSourceArn"}

// reception is a checked ReceiveMessage.
type reception struct {
	max        int
	visibility time.Duration
	deadline   instant // end of the long poll
	system     []string
	user       []string
	attempt    string
}

// delivery is one receive of a message, as it was when the message was picked.
type delivery struct {
	seq     uint64
	receipt uint64
	count   uint32
	first   int64
}

func (s *Service) receiveMessage(ctx context.Context, in *receiveRequest) (*receiveReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	r, err := s.reception(q, in)
	if err != nil {
		return nil, err
	}
	for {
		got, w, pause, err := s.poll(ctx, q, r)
		if err != nil || w == nil && got == nil {
			return &receiveReply{}, err
		}
		if w != nil {
			s.rest(ctx, q, w, pause)
			continue
		}
		reply, err := s.deliver(q, r, got)
		if err != nil || len(reply.Messages) > 0 {
			return reply, err
		}
	}
}

// reception checks a request.
func (s *Service) reception(q *queue, in *receiveRequest) (*reception, error) {
	c := q.currentConfig()
	r := &reception{
		max:        1,
		visibility: c.Visibility,
		system:     append(slices.Clone(in.AttributeNames), in.MessageSystemAttributeNames...),
		user:       in.MessageAttributeNames,
		attempt:    in.ReceiveRequestAttemptId,
	}
	for _, name := range r.system {
		// AttributeNames shares its type with queues' attributes, so their names are let pass.
		if !slices.Contains(systemAttributes, name) && !isAttribute(name) {
			return nil, unknownAttribute(name)
		}
	}
	wait := c.Wait
	if n := in.MaxNumberOfMessages; n != nil {
		if r.max = *n; *n < 1 || *n > 10 {
			return nil, invalidValue(*n, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
		}
	}
	if n := in.VisibilityTimeout; n != nil {
		if err := checkVisibility(*n); err != nil {
			return nil, err
		}
		r.visibility = time.Duration(*n) * time.Second
	}
	if n := in.WaitTimeSeconds; n != nil {
		if *n < 0 || *n > 20 {
			return nil, invalidValue(*n, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
		}
		wait = time.Duration(*n) * time.Second
	}
	if r.attempt != "" {
		if !c.Fifo {
			return nil, invalidValue(r.attempt, "ReceiveRequestAttemptId", "The request include parameter that is not valid for this queue type.")
		}
		if !isGroupID(r.attempt) {
			return nil, invalidValue(r.attempt, "ReceiveRequestAttemptId",
				"ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
	}
	r.deadline = s.time.now().after(wait)
	return r, nil
}

func checkVisibility(seconds int) *awsjson.Error {
	if seconds < 0 || seconds > int(maxVisibility/time.Second) {
		return invalidValue(seconds, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
	}
	return nil
}

// poll picks messages. When there is none it gives a waiter and how long to wait for its signal at most; neither when
// the time of the poll is over.
func (s *Service) poll(ctx context.Context, q *queue, r *reception) ([]delivery, *waiter, time.Duration, error) {
	for {
		limit, dead := s.deadLetter(q)
		q.mu.Lock()
		got, exhausted, w, pause, err := s.pick(ctx, q, r, limit)
		q.mu.Unlock()
		if len(got) > 0 {
			s.book.kick()
		}
		if len(exhausted) > 0 {
			// When the dead-letter queue has just been deleted the next round receives the messages.
			_, err := s.transfer(q, dead, exhausted, s.bury(q))
			if err != nil && !errors.Is(err, errDestination) && len(got) == 0 {
				return nil, nil, 0, err
			}
			if len(got) == 0 {
				continue
			}
		}
		return got, w, pause, err
	}
}

// pick is poll under q.mu: it does not wait nor write.
func (s *Service) pick(ctx context.Context, q *queue, r *reception, limit uint32) (got []delivery, exhausted []*message,
	w *waiter, pause time.Duration, err error) {
	if q.deleted {
		return nil, nil, nil, 0, queueDoesNotExist()
	}
	// This wakes another one who waits if the message that this one was woken for is not taken now.
	now := s.advance(q)
	// Only who waits asks for Done: the server watches the connection from then on.
	if err := ctx.Err(); err != nil {
		return nil, nil, nil, 0, err
	}
	select {
	case <-s.closing:
		return nil, nil, nil, 0, nil
	default:
	}
	n := min(r.max, s.limit-q.counts[inFlight])
	if n <= 0 && !q.fifo {
		return nil, nil, nil, 0, overLimit("The queue has %d messages in flight, the most there can be: delete messages first.", s.limit)
	}
	if repeated := q.attempts.repeat(r.attempt); repeated != nil {
		for _, m := range repeated {
			q.reschedule(m, now.after(r.visibility))
			s.book.note(q, m)
			got = append(got, m.delivery())
		}
		return got, nil, nil, 0, nil
	}
	picked, exhausted := q.take(n, now, r.visibility, limit)
	for _, m := range picked {
		m.receipt = rand.Uint64()
		m.received = now
		m.count++
		if m.first == 0 {
			m.first = s.time.wall()
		}
		s.book.note(q, m)
		got = append(got, m.delivery())
	}
	if r.attempt != "" && len(picked) > 0 {
		q.attempts.remember(r.attempt, now, picked)
	}
	if len(got)+len(exhausted) > 0 || now >= r.deadline {
		return got, exhausted, nil, 0, nil
	}
	pause = now.until(r.deadline)
	if next, ok := q.next(); ok {
		pause = min(pause, now.until(next))
	}
	return nil, nil, q.wait(now.after(pause)), pause, nil
}

func (m *message) delivery() delivery {
	return delivery{seq: m.seq, receipt: m.receipt, count: m.count, first: m.first}
}

// reschedule changes when a message in flight is due.
func (q *queue) reschedule(m *message, due instant) {
	m.due = due
	heap.Fix(&q.timers, int(m.place))
}

// rest waits for a signal, the pause's end, the caller to leave or the service to close.
func (s *Service) rest(ctx context.Context, q *queue, w *waiter, pause time.Duration) {
	timer := s.clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-w.wake:
		return
	case <-timer.C():
	case <-ctx.Done():
	case <-s.closing:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leave(w)
}

// deliver reads the messages' content and makes the reply. Those that were deleted meanwhile are left out.
func (s *Service) deliver(q *queue, r *reception, got []delivery) (*receiveReply, error) {
	reply := &receiveReply{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, d := range got {
			c, err := readContent(tx, messageKey(q.id, d.seq))
			if err != nil {
				return err
			}
			if c != nil {
				reply.Messages = append(reply.Messages, s.received(q, r, d, c))
			}
		}
		return nil
	})
	return reply, err
}

func (s *Service) received(q *queue, r *reception, d delivery, c *content) receivedMessage {
	attrs := selected(c.attrs, r.user)
	return receivedMessage{
		MessageId:              uuidText(c.id),
		ReceiptHandle:          handle{queue: q.id, seq: d.seq, receipt: d.receipt}.String(),
		MD5OfBody:              md5Hex(c.body),
		Body:                   c.body,
		Attributes:             s.systemAttributes(q, r.system, d, c),
		MD5OfMessageAttributes: digest(attrs),
		MessageAttributes:      values(attrs),
	}
}

func (s *Service) systemAttributes(q *queue, names []string, d delivery, c *content) map[string]string {
	if len(names) == 0 {
		return nil
	}
	first := d.first
	if c.first != 0 {
		first = c.first
	}
	all := map[string]string{
		"SenderId":                         s.account,
		"SentTimestamp":                    strconv.FormatInt(c.sentWall, 10),
		"ApproximateReceiveCount":          strconv.FormatUint(uint64(c.receives)+uint64(d.count), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(first, 10),
		"MessageGroupId":                   c.group,
		"MessageDeduplicationId":           c.dedup,
		traceHeader:                        c.trace,
		"DeadLetterQueueSourceArn":         c.source,
	}
	if q.fifo {
		all["SequenceNumber"] = sequenceNumber(d.seq)
	}
	for name, value := range all {
		if value == "" || !slices.Contains(names, name) && !slices.Contains(names, "All") {
			delete(all, name)
		}
	}
	return all
}

// handle is a receipt handle: which message of which queue, and which of its receives.
type handle struct{ queue, seq, receipt uint64 }

const handleVersion = 1

func (h handle) String() string {
	b := []byte{handleVersion}
	for _, v := range []uint64{h.queue, h.seq, h.receipt} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.StdEncoding.EncodeToString(b)
}

func parseHandle(text string) (handle, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 29 || b[0] != handleVersion || binary.BigEndian.Uint32(b[25:]) != crc32.ChecksumIEEE(b[:25]) {
		return handle{}, false
	}
	return handle{
		queue:   binary.BigEndian.Uint64(b[1:]),
		seq:     binary.BigEndian.Uint64(b[9:]),
		receipt: binary.BigEndian.Uint64(b[17:]),
	}, true
}
