package client

import (
	"slices"
	"sync"
	"sync/atomic"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// arrival is a message on its way from the connection to the handler.
type arrival struct {
	link    *link
	paho    paho.Message
	message Message
}

func (a *arrival) acknowledge() {
	if a.message.QoS > 0 && a.link.finish(a.paho.MessageID()) {
		a.paho.Ack()
	}
}

// link is one connection as its messages see it.
type link struct {
	session atomic.Pointer[session] // nil until CONNACK; messages may be there before

	mu      sync.Mutex
	pending map[uint16]bool // packet identifiers that are not acknowledged
}

// begin notes a packet identifier; it says no to one that is already here.
func (l *link) begin(id uint16) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending[id] {
		return false
	}
	l.pending[id] = true
	return true
}

// finish forgets a packet identifier, which the broker may use again as soon as it has the acknowledgement. It says
// whether there is a connection to acknowledge on.
func (l *link) finish(id uint16) bool {
	l.mu.Lock()
	delete(l.pending, id)
	l.mu.Unlock()
	return l.alive()
}

func (l *link) alive() bool {
	s := l.session.Load()
	return s == nil || s.alive()
}

// maxQueuedQoS0 bounds the messages of QoS 0 that wait. Those of QoS 1 and 2 are bounded by the broker, which has only
// so many unacknowledged at a time.
const maxQueuedQoS0 = 1000

// inbox is the queue in front of the handlers.
type inbox struct {
	mu      sync.Mutex
	filled  sync.Cond
	queue   []*arrival
	qos0    int // in queue
	dropped int
	stopped bool
}

func newInbox() *inbox {
	b := &inbox{}
	b.filled.L = &b.mu
	return b
}

// put queues a message and returns 0, or drops it, being of QoS 0 and too many, and returns how many were dropped.
func (b *inbox) put(a *arrival) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.message.QoS == 0 {
		if b.qos0 == maxQueuedQoS0 {
			b.dropped++
			return b.dropped
		}
		b.qos0++
	}
	b.queue = append(b.queue, a)
	b.filled.Signal()
	return 0
}

// take waits for a message; nil means that there will be none any more.
func (b *inbox) take() *arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 && !b.stopped {
		b.filled.Wait()
	}
	if b.stopped {
		return nil
	}
	a := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	if a.message.QoS == 0 {
		b.qos0--
	}
	return a
}

// discard takes the messages of QoS 1 and 2 of one link out of the queue.
func (b *inbox) discard(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.DeleteFunc(b.queue, func(a *arrival) bool { return a.link == l && a.message.QoS > 0 })
}

// stop wakes all who wait and leaves what is queued unhandled, hence unacknowledged.
func (b *inbox) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.filled.Broadcast()
}

// left counts the messages of QoS 1 and 2 in the queue.
func (b *inbox) left() (n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.queue {
		if a.message.QoS > 0 {
			n++
		}
	}
	return n
}
