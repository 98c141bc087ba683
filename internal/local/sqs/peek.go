package sqs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// PeekOperation is an operation that SQS does not have: it shows the messages of a queue, those in flight and delayed too,
// and changes nothing. Receiving them would hide them and count towards the queue's maxReceiveCount. The request has
// QueueUrl, MaxNumberOfMessages from 1 to 1000, default 10, and After, the NextToken of the reply before; the reply is a
// PeekReply.
const PeekOperation = "FlowctlPeekMessages"

const (
	defaultPeek = 10
	maxPeek     = 1000
)

type peekRequest struct {
	QueueUrl            string
	MaxNumberOfMessages *int
	After               uint64 `json:",string"`
}

// PeekReply is the answer to PeekOperation. The messages are in the order in which they were sent to the queue.
type PeekReply struct {
	Messages []PeekedMessage
	// NextToken is there when there are more messages.
	NextToken uint64 `json:",string,omitempty"`
}

// PeekedMessage is a message as ReceiveMessage would give it with all its attributes, but without a receipt handle.
type PeekedMessage struct {
	MessageId         string
	Body              string
	Attributes        map[string]string
	MessageAttributes map[string]PeekedAttribute `json:",omitempty"`
	// State is "ready", "delayed" or "in_flight".
	State string
	// AvailableAfterSeconds is when a message that is delayed or in flight can be received again if nothing happens to it.
	AvailableAfterSeconds float64 `json:",omitempty"`
}

// PeekedAttribute is a user's attribute of a message; one of the values is set.
type PeekedAttribute = attributeValue

var stateNames = map[state]string{ready: "ready", delayed: "delayed", inFlight: "in_flight"}

// glimpse is a message's index entry as it was when the queue was looked at.
type glimpse struct {
	delivery
	state state
	wait  time.Duration
}

func (s *Service) peekMessages(_ context.Context, in *peekRequest) (*PeekReply, error) {
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	n := defaultPeek
	if in.MaxNumberOfMessages != nil {
		if n = *in.MaxNumberOfMessages; n < 1 || n > maxPeek {
			return nil, invalidValue(n, "MaxNumberOfMessages", "Must be between 1 and 1000, if provided.")
		}
	}
	seen, more := s.glimpses(q, in.After, n)
	reply := &PeekReply{Messages: []PeekedMessage{}}
	if more {
		reply.NextToken = seen[n-1].seq
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		for _, g := range seen {
			c, err := readContent(tx, messageKey(q.id, g.seq))
			if err != nil {
				return err
			}
			if c != nil {
				reply.Messages = append(reply.Messages, s.peeked(q, g, c))
			}
		}
		return nil
	})
	return reply, err
}

// glimpses are the first n messages behind a sequence number, and whether there are more.
func (s *Service) glimpses(q *queue, after uint64, n int) (seen []glimpse, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := s.advance(q)
	messages := slices.Collect(maps.Values(q.messages))
	messages = slices.DeleteFunc(messages, func(m *message) bool {
		_, named := stateNames[m.state]
		return m.seq <= after || !named
	})
	slices.SortFunc(messages, func(a, b *message) int { return cmp.Compare(a.seq, b.seq) })
	if more = len(messages) > n; more {
		messages = messages[:n]
	}
	for _, m := range messages {
		g := glimpse{delivery: m.delivery(), state: m.state}
		if m.state != ready {
			g.wait = now.until(m.due)
		}
		seen = append(seen, g)
	}
	return seen, more
}

func (s *Service) peeked(q *queue, g glimpse, c *content) PeekedMessage {
	m := PeekedMessage{
		MessageId:             uuidText(c.id),
		Body:                  c.body,
		Attributes:            s.systemAttributes(q, []string{"All"}, g.delivery, c),
		MessageAttributes:     values(c.attrs),
		State:                 stateNames[g.state],
		AvailableAfterSeconds: g.wait.Seconds(),
	}
	if g.first == 0 && c.first == 0 {
		delete(m.Attributes, "ApproximateFirstReceiveTimestamp")
	}
	return m
}
