package sqs

import (
	"errors"

	"go.etcd.io/bbolt"

	"github.com/flowctl-dev/flowctl/internal/local/store"
)

// errDestination says that the queue to which messages were to go has been deleted.
var errDestination = errors.New("the destination queue does not exist")

// deadLetter gives a queue's maxReceiveCount and dead-letter queue; 0 and nil when it has none or that is deleted, in
// which case messages go on being received.
func (s *Service) deadLetter(q *queue) (uint32, *queue) {
	c := q.currentConfig()
	if c.Redrive == nil {
		return 0, nil
	}
	dead := s.byARN(c.Redrive.Target)
	if dead == nil || dead == q {
		return 0, nil
	}
	return c.Redrive.MaxCount, dead
}

// bury marks a message that goes to a dead-letter queue. In a standard queue its age goes on counting from when it was
// first sent, in a FIFO queue it starts again. There the message's id takes the place of its deduplication id, so that
// messages of a dead-letter queue are told apart that had the same one, of groups or of times that were not compared.
func (s *Service) bury(source *queue) func(*content) {
	now, wall := s.time.now(), s.time.wall()
	return func(c *content) {
		c.source, c.due = source.arn, now
		if source.fifo {
			c.sent, c.sentWall, c.dedup = now, wall, uuidText(c.id)
		}
	}
}

// passage is one message on its way from a queue to another.
type passage struct {
	from, to *message
	key      []byte // of the new record
	moved    bool
	receives uint32 // of the message in its old queue
	first    int64
}

// transfer moves messages, which are in state moving, from a queue to another in one transaction, edited by edit. Those
// deleted meanwhile stay deleted; on an error all others are ready again in their queue. It gives how many were moved.
func (s *Service) transfer(from, to *queue, messages []*message, edit func(*content)) (int, error) {
	passages := s.admit(from, to, messages, edit)
	var missing bool
	err := s.update(func(tx *bbolt.Tx) error {
		missing = !exists(tx, to)
		for i := range passages {
			if passages[i].moved = false; missing {
				continue
			}
			if err := passages[i].write(tx, from, edit); err != nil {
				return err
			}
		}
		return nil
	})
	if missing && err == nil {
		err = errDestination
	}
	moved := 0
	to.mu.Lock()
	for _, p := range passages {
		if p.to.state != pending {
			continue
		}
		if err == nil && p.moved {
			moved++
			to.turn(p.to, ready)
		} else {
			to.turn(p.to, gone)
		}
	}
	to.signal()
	to.mu.Unlock()
	from.mu.Lock()
	defer from.mu.Unlock()
	for _, p := range passages {
		switch {
		case p.from.state != moving:
		case err == nil:
			from.turn(p.from, gone)
		default:
			from.turn(p.from, ready)
		}
	}
	from.signal()
	return moved, err
}

// admit enters the messages into the index of the queue they go to, not to be seen yet.
func (s *Service) admit(from, to *queue, messages []*message, edit func(*content)) []passage {
	passages := make([]passage, len(messages))
	groups := make([]string, len(messages))
	sent := make([]instant, len(messages))
	from.mu.Lock()
	for i, m := range messages {
		if m.group != nil {
			groups[i] = m.group.name
		}
		sent[i] = m.sent
		passages[i].receives, passages[i].first = m.count, m.first
	}
	from.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	for i, m := range messages {
		c := &content{sent: sent[i]}
		edit(c)
		entry := &message{seq: s.seq.Add(1), sent: c.sent, due: c.due, state: pending}
		to.add(entry, groups[i])
		passages[i].from, passages[i].to, passages[i].key = m, entry, messageKey(to.id, entry.seq)
	}
	return passages
}

// write moves the record.
func (p *passage) write(tx *bbolt.Tx, from *queue, edit func(*content)) error {
	old := messageKey(from.id, p.from.seq)
	c, err := readContent(tx, old)
	if err != nil || c == nil {
		return err
	}
	c.receives += p.receives
	if c.first == 0 {
		c.first = p.first
	}
	edit(c)
	p.moved = true
	if err := putMessage(tx, p.key, store.Seal(p.key, appendContent(nil, c)), p.to.seq); err != nil {
		return err
	}
	return deleteMessage(tx, old)
}

// exists says whether the very queue is still there, and not another of its name.
func exists(tx *bbolt.Tx, q *queue) bool {
	sealed := tx.Bucket(queuesBucket).Get([]byte(q.name))
	var r queueRecord
	return sealed != nil && parseJSON([]byte(q.name), sealed, &r) == nil && r.ID == q.id
}
