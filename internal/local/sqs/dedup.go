package sqs

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// deduplicationInterval is how long a FIFO queue remembers what was sent to it.
const deduplicationInterval = 5 * time.Minute

// deduplication remembers the messages sent to a FIFO queue. It belongs to the queue's lock.
type deduplication struct {
	entries map[string]*duplicate
	// order lists the entries by expiry, with those replaced or withdrawn still in it.
	order []*duplicate
	// expired are those whose records wait to be removed from disk.
	expired []*duplicate
}

// duplicate is one remembered message. settled is closed when it is known whether the message was written.
type duplicate struct {
	key     string
	record  duplicateRecord
	settled chan struct{}
	failed  bool
}

// deduplicationKey is what two messages that count as the same have in common.
func (c *config) deduplicationKey(group, id string) string {
	if c.DeduplicationScope == scopeGroup {
		return group + "\x00" + id
	}
	return id
}

// claim remembers a message that is about to be written. When one of the same key is remembered already it gives that
// one and false.
func (d *deduplication) claim(key string, r duplicateRecord) (*duplicate, bool) {
	if e := d.entries[key]; e != nil {
		return e, false
	}
	e := &duplicate{key: key, record: r, settled: make(chan struct{})}
	d.entries[key] = e
	d.order = append(d.order, e)
	return e, true
}

// settle says whether the message that made the claim was written; if not, it is forgotten.
func (d *deduplication) settle(e *duplicate, written bool) {
	e.failed = !written
	if !written && d.entries[e.key] == e {
		delete(d.entries, e.key)
	}
	close(e.settled)
}

// settled gives the messages that are remembered and known to be written.
func (d *deduplication) settled() (all []*duplicate) {
	for _, e := range d.entries {
		if e.isSettled() {
			all = append(all, e)
		}
	}
	return all
}

// forget has a message remembered no longer.
func (d *deduplication) forget(e *duplicate) {
	if d.entries[e.key] == e {
		delete(d.entries, e.key)
	}
}

// restore remembers a message from before a restart; arrange follows the last one.
func (d *deduplication) restore(key string, r duplicateRecord) {
	e := &duplicate{key: key, record: r, settled: make(chan struct{})}
	close(e.settled)
	d.entries[key] = e
	d.order = append(d.order, e)
}

func (d *deduplication) arrange() {
	slices.SortStableFunc(d.order, func(a, b *duplicate) int { return cmp.Compare(a.record.Expires, b.record.Expires) })
}

// advance forgets what is older than the interval.
func (d *deduplication) advance(now instant) {
	for len(d.order) > 0 && d.order[0].record.Expires <= now {
		e := d.order[0]
		d.order = d.order[1:]
		if d.entries[e.key] == e {
			delete(d.entries, e.key)
			d.expired = append(d.expired, e)
		}
	}
}

// takeExpired hands over those whose records are to be removed.
func (d *deduplication) takeExpired() []*duplicate {
	expired := d.expired
	d.expired = nil
	return expired
}

// duplicatePlace is where the record of a remembered message is, and whose it is: when the message is forgotten another one
// may have been written there already.
type duplicatePlace struct {
	key []byte
	seq uint64
}

func (e *duplicate) place(queue uint64) duplicatePlace {
	return duplicatePlace{key: append(binary.BigEndian.AppendUint64(nil, queue), e.key...), seq: e.record.Seq}
}

// attempts remembers what FIFO receives with a ReceiveRequestAttemptId gave, so that one whose reply was lost can be
// repeated. It belongs to the queue's lock.
type attempts struct {
	made  map[string]*attempt
	order []*attempt // by expiry, with those replaced still in it
}

type attempt struct {
	id       string
	expires  instant
	messages []*message
	receipts []uint64
}

func (a *attempts) advance(now instant) {
	for len(a.order) > 0 && a.order[0].expires <= now {
		old := a.order[0]
		a.order = a.order[1:]
		if a.made[old.id] == old {
			delete(a.made, old.id)
		}
	}
}

// repeat gives the messages of an earlier attempt when all of them are still in flight as it left them.
func (a *attempts) repeat(id string) []*message {
	made, ok := a.made[id]
	if !ok {
		return nil
	}
	for i, m := range made.messages {
		if m.state != inFlight || m.receipt != made.receipts[i] {
			delete(a.made, id)
			return nil
		}
	}
	return made.messages
}

func (a *attempts) remember(id string, now instant, messages []*message) {
	made := &attempt{id: id, expires: now.after(deduplicationInterval), messages: messages}
	for _, m := range messages {
		made.receipts = append(made.receipts, m.receipt)
	}
	a.made[id] = made
	a.order = append(a.order, made)
}
