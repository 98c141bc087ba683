package sqs

import (
	"context"
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const (
	expiredHandle = "The receipt handle has expired."
	notAvailable  = "Message does not exist or is not available for visibility timeout change."
)

func (s *Service) deleteMessage(_ context.Context, in *deleteRequest) (*empty, error) {
	_, failures, err := s.deleteAll(in.QueueUrl, []settleEntry{in.settleEntry})
	return oneOf(failures, err)
}

func (s *Service) deleteMessageBatch(_ context.Context, in *settleBatchRequest) (*batchReply[doneEntry], error) {
	return s.batch("DeleteMessage", in, s.deleteAll)
}

func (s *Service) changeMessageVisibility(_ context.Context, in *visibilityRequest) (*empty, error) {
	_, failures, err := s.changeVisibility(in.QueueUrl, []settleEntry{in.settleEntry})
	return oneOf(failures, err)
}

func (s *Service) changeMessageVisibilityBatch(_ context.Context, in *settleBatchRequest) (*batchReply[doneEntry], error) {
	return s.batch("ChangeMessageVisibility", in, s.changeVisibility)
}

// refusal is what was wrong with one entry.
type refusal struct {
	id  string
	err *awsjson.Error
}

// oneOf is the outcome of an operation on a single message.
func oneOf(failures []refusal, err error) (*empty, error) {
	if err == nil && len(failures) > 0 {
		return nil, failures[0].err
	}
	return &empty{}, err
}

type settler func(queueURL string, entries []settleEntry) (done []string, failures []refusal, err error)

func (s *Service) batch(action string, in *settleBatchRequest, run settler) (*batchReply[doneEntry], error) {
	if _, err := s.find(in.QueueUrl); err != nil {
		return nil, err
	}
	if err := checkBatch(action, in.Entries, func(e settleEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	done, failures, err := run(in.QueueUrl, in.Entries)
	if err != nil {
		return nil, err
	}
	reply := &batchReply[doneEntry]{}
	for _, id := range done {
		reply.Successful = append(reply.Successful, doneEntry{id})
	}
	for _, f := range failures {
		reply.Failed = append(reply.Failed, failed(f.id, f.err))
	}
	return reply, nil
}

// deleteAll deletes the messages of the entries. A message that is already gone counts as deleted.
func (s *Service) deleteAll(queueURL string, entries []settleEntry) (done []string, failures []refusal, err error) {
	q, err := s.find(queueURL)
	if err != nil {
		return nil, nil, err
	}
	var messages []*message
	q.mu.Lock()
	now := s.advance(q)
	for _, e := range entries {
		m, err := q.toDelete(e.ReceiptHandle, now)
		if err != nil {
			failures = append(failures, refusal{e.Id, err})
			continue
		}
		if m != nil {
			messages = append(messages, m)
		}
		done = append(done, e.Id)
	}
	q.mu.Unlock()
	if len(messages) == 0 {
		return done, failures, nil
	}
	return done, failures, s.erase(q, messages)
}

// byHandle gives the message of a receipt handle, nil when it is gone. The caller holds q.mu.
func (q *queue) byHandle(text string) (handle, *message, *awsjson.Error) {
	if text == "" {
		return handle{}, nil, missingParameter("ReceiptHandle")
	}
	h, ok := parseHandle(text)
	if !ok {
		return handle{}, nil, receiptHandleIsInvalid("The input receipt handle \"%s\" is not a valid receipt handle.", text)
	}
	if h.queue != q.id {
		return handle{}, nil, receiptHandleIsInvalid("The receipt handle \"%s\" is not valid for this queue.", text)
	}
	return h, q.messages[h.seq], nil
}

// toDelete finds the message to delete. Standard queues take any handle that the message was ever received with, until
// 12 hours after the last receive; FIFO queues only that of the last receive, and only while it is in flight. Of a message
// that was never received, but for its handle, the receive was lost in a crash before it was written.
func (q *queue) toDelete(text string, now instant) (*message, *awsjson.Error) {
	h, m, err := q.byHandle(text)
	if err != nil || m == nil {
		return nil, err
	}
	expired := m.state != inFlight && m.count > 0 && now > m.received.after(maxVisibility)
	if q.fifo {
		expired = m.state != inFlight || m.receipt != h.receipt
	}
	if expired {
		return nil, invalidValue(text, "ReceiptHandle", expiredHandle)
	}
	return m, nil
}

// changeVisibility sets anew how long from now the messages stay hidden.
func (s *Service) changeVisibility(queueURL string, entries []settleEntry) (done []string, failures []refusal, err error) {
	q, err := s.find(queueURL)
	if err != nil {
		return nil, nil, err
	}
	q.mu.Lock()
	now := s.advance(q)
	for _, e := range entries {
		if err := s.hide(q, e, now); err != nil {
			failures = append(failures, refusal{e.Id, err})
			continue
		}
		done = append(done, e.Id)
	}
	q.signal()
	q.mu.Unlock()
	if len(done) == 0 {
		return done, failures, nil
	}
	return done, failures, s.book.wait()
}

// hide is changeVisibility for one message, under q.mu. As with deletions, a standard queue takes any handle that the
// message was ever received with. When its visibility timeout has ended the call succeeds and changes nothing.
func (s *Service) hide(q *queue, e settleEntry, now instant) *awsjson.Error {
	if e.VisibilityTimeout == nil {
		return missingParameter("VisibilityTimeout")
	}
	if err := checkVisibility(*e.VisibilityTimeout); err != nil {
		return err
	}
	h, m, err := q.byHandle(e.ReceiptHandle)
	switch {
	case err != nil:
		return err
	case m == nil:
		return invalidValue(e.ReceiptHandle, "ReceiptHandle", notAvailable)
	case q.fifo && (m.state != inFlight || m.receipt != h.receipt):
		return invalidValue(e.ReceiptHandle, "ReceiptHandle", expiredHandle)
	case m.state != inFlight:
		return nil
	}
	due := now.after(time.Duration(*e.VisibilityTimeout) * time.Second)
	if due > m.received.after(maxVisibility) {
		return invalidValue(*e.VisibilityTimeout, "VisibilityTimeout",
			"Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	}
	q.reschedule(m, due)
	if due <= now {
		q.turn(m, ready)
	}
	s.book.note(q, m)
	return nil
}
