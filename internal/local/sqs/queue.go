package sqs

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// state is where a message is in its life.
type state uint8

const (
	// pending: being written to disk, not to be seen by anybody yet.
	pending state = iota
	ready
	// delayed: waits for its due time, never received since it was sent.
	delayed
	// inFlight: received and hidden until its due time.
	inFlight
	// moving: being written to its dead-letter queue.
	moving
	// gone: no longer in the queue.
	gone
)

// message is the index entry of a message; its content is on disk only. All fields belong to the queue's lock.
type message struct {
	seq      uint64
	sent     instant // retention counts from here
	due      instant // end of delayed and inFlight
	received instant // last receive; the visibility timeout may not reach beyond 12 hours from it
	first    int64   // wall clock of the first receive, in milliseconds
	receipt  uint64  // token of the last receive
	count    uint32  // receives
	state    state
	dirty    bool // differs from its state record on disk

	group      *group
	prev, next *message // in its group
	// place is where the message is in the queue's backlog or timers, age where in its ages; -1 when it is in none.
	place, age int32
}

// group is a FIFO queue's message group: its messages in the order of their sequence numbers.
type group struct {
	name        string
	first, last *message
	available   bool // listed in queue.open
}

// queue is the in-memory index of one queue. Callers of its methods hold mu.
type queue struct {
	id   uint64
	name string
	arn  string
	fifo bool

	mu      sync.Mutex
	config  config
	tags    map[string]string
	created int64 // wall clock in seconds
	changed int64
	deleted bool

	messages map[uint64]*message
	backlog  backlog // ready messages of a standard queue
	groups   map[string]*group
	open     []*group // groups that have a message to give, oldest first
	timers   timerHeap
	ages     ageHeap
	counts   [gone]int
	waiters  []*waiter
	dedup    deduplication
	attempts attempts
	purged   instant
	tasks    []*moveTask
}

// waiter is a long poll. Its channel gets a value when there may be a message for it.
type waiter struct {
	wake chan struct{}
	// until is when it looks again by itself.
	until instant
}

func newQueue(id uint64, name string, c config) *queue {
	return &queue{
		id:       id,
		name:     name,
		fifo:     c.Fifo,
		config:   c,
		messages: make(map[uint64]*message),
		groups:   make(map[string]*group),
		dedup:    deduplication{entries: make(map[string]*duplicate)},
		attempts: attempts{made: make(map[string]*attempt)},
	}
}

// add takes a message into the index in its given state.
func (q *queue) add(m *message, groupName string) {
	m.place, m.age = -1, -1
	q.messages[m.seq] = m
	heap.Push(&q.ages, m)
	if q.fifo {
		g := q.groups[groupName]
		if g == nil {
			g = &group{name: groupName}
			q.groups[groupName] = g
		}
		m.group = g
		g.append(m)
	}
	initial := m.state
	m.state = pending
	q.counts[pending]++
	q.turn(m, initial)
}

// turn moves a message from its state to another and keeps every list and count right.
func (q *queue) turn(m *message, to state) {
	from := m.state
	q.counts[from]--
	switch {
	case m.place < 0:
	case from == ready:
		heap.Remove(&q.backlog, int(m.place))
	default:
		heap.Remove(&q.timers, int(m.place))
	}
	m.state = to
	if to != gone {
		q.counts[to]++
	}
	switch {
	case to == ready && m.group == nil:
		heap.Push(&q.backlog, m)
	case to == delayed, to == inFlight:
		heap.Push(&q.timers, m)
	}
	if g := m.group; g != nil {
		if to == gone {
			g.unlink(m)
		}
		q.review(g)
	}
	if to == gone {
		delete(q.messages, m.seq)
		heap.Remove(&q.ages, int(m.age))
	}
}

// review lists a group that has a message to give, and forgets one that is empty. A group gives its messages in their
// order, so one that is in flight holds back those behind it, but not those before it that have come back.
func (q *queue) review(g *group) {
	switch {
	case g.first == nil:
		// An emptied group may still be listed when another one has begun under its name.
		if q.groups[g.name] == g {
			delete(q.groups, g.name)
		}
	case g.first.state == ready && !g.available:
		g.available = true
		q.open = append(q.open, g)
	}
}

// advance brings the queue to the present: what is due becomes ready, what is too old is dropped and returned.
func (q *queue) advance(now instant) (expired []*message) {
	for len(q.timers) > 0 && q.timers[0].due <= now {
		m := q.timers[0]
		q.turn(m, ready)
	}
	for len(q.ages) > 0 && q.ages[0].sent.after(q.config.Retention) <= now {
		m := q.ages[0]
		q.turn(m, gone)
		expired = append(expired, m)
	}
	q.dedup.advance(now)
	q.attempts.advance(now)
	q.signal()
	return expired
}

// take picks up to n messages to give out and turns them in flight until now+visibility. exhausted are messages whose
// receive count has reached limit (0: no limit); they turn to moving instead.
func (q *queue) take(n int, now instant, visibility time.Duration, limit uint32) (picked, exhausted []*message) {
	pick := func(m *message) bool {
		if limit > 0 && m.count >= limit {
			q.turn(m, moving)
			exhausted = append(exhausted, m)
			// The ones behind it in its group wait until it is settled where it goes.
			return false
		}
		m.due = now.after(visibility)
		q.turn(m, inFlight)
		picked = append(picked, m)
		return true
	}
	q.walk(func() bool { return len(picked) < n }, pick)
	return picked, exhausted
}

// withdraw turns up to n messages that could be received to moving.
func (q *queue) withdraw(n int) (messages []*message) {
	q.walk(func() bool { return len(messages) < n }, func(m *message) bool {
		q.turn(m, moving)
		messages = append(messages, m)
		return true
	})
	return messages
}

// walk calls pick, which must turn its message to another state, for messages that may be given out, in their order and
// while more holds. When pick returns false the rest of the message's group is left out.
func (q *queue) walk(more func() bool, pick func(*message) bool) {
	for len(q.backlog) > 0 && more() {
		pick(q.backlog[0])
	}
	for len(q.open) > 0 && more() {
		g := q.open[0]
		q.open = q.open[1:]
		g.available = false
		for m := g.first; m != nil && m.state == ready && more(); m = m.next {
			if !pick(m) {
				break
			}
		}
		// The group is listed again when what was picked has been settled, or at once if nothing was.
		q.review(g)
	}
}

// next is when the queue will next have something to give by the passing of time alone.
func (q *queue) next() (instant, bool) {
	if len(q.timers) == 0 {
		return 0, false
	}
	return q.timers[0].due, true
}

// signal wakes as many waiters as there may be messages for.
func (q *queue) signal() {
	n := q.counts[ready]
	if q.fifo {
		n = len(q.open)
	}
	for ; n > 0 && len(q.waiters) > 0; n-- {
		q.waiters[0].wake <- struct{}{}
		q.waiters = q.waiters[1:]
	}
	q.alarm()
}

// alarm wakes a waiter, to look again, when a message is due before any of them would: it was hidden or delayed after
// they began to wait.
func (q *queue) alarm() {
	next, ok := q.next()
	if !ok || len(q.waiters) == 0 || slices.ContainsFunc(q.waiters, func(w *waiter) bool { return w.until <= next }) {
		return
	}
	q.waiters[0].wake <- struct{}{}
	q.waiters = q.waiters[1:]
}

// wakeAll ends the waiting of all, when the queue is deleted.
func (q *queue) wakeAll() {
	for _, w := range q.waiters {
		w.wake <- struct{}{}
	}
	q.waiters = nil
}

// wait enters a long poll that will look again at until. Its wake gets at most one value, after which it is no longer waiting.
func (q *queue) wait(until instant) *waiter {
	w := &waiter{wake: make(chan struct{}, 1), until: until}
	q.waiters = append(q.waiters, w)
	return w
}

// leave ends a wait, passing on a signal that came too late for it.
func (q *queue) leave(w *waiter) {
	for i, other := range q.waiters {
		if other == w {
			q.waiters = append(q.waiters[:i:i], q.waiters[i+1:]...)
			return
		}
	}
	select {
	case <-w.wake:
		q.signal()
	default:
	}
}

func (g *group) unlink(m *message) {
	if m.prev == nil {
		g.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		g.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	m.prev, m.next = nil, nil
}

// append keeps the order of the sequence numbers.
func (g *group) append(m *message) {
	m.prev = g.last
	if g.last == nil {
		g.first = m
	} else {
		g.last.next = m
	}
	g.last = m
}

// backlog orders the ready messages by when they were sent: one that comes back goes before those sent after it.
type backlog []*message

func (h backlog) Len() int           { return len(h) }
func (h backlog) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h backlog) Swap(i, j int)      { swapPlaces(h, i, j) }
func (h *backlog) Push(x any)        { pushPlaced((*[]*message)(h), x.(*message)) }
func (h *backlog) Pop() any          { return popPlaced((*[]*message)(h)) }

// timerHeap orders delayed and in-flight messages by when they are due.
type timerHeap []*message

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { swapPlaces(h, i, j) }
func (h *timerHeap) Push(x any)   { pushPlaced((*[]*message)(h), x.(*message)) }
func (h *timerHeap) Pop() any     { return popPlaced((*[]*message)(h)) }

func swapPlaces(h []*message, i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}

func pushPlaced(h *[]*message, m *message) {
	m.place = int32(len(*h))
	*h = append(*h, m)
}

func popPlaced(h *[]*message) *message {
	m := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	m.place = -1
	return m
}

// ageHeap orders all messages by when they were sent.
type ageHeap []*message

func (h ageHeap) Len() int           { return len(h) }
func (h ageHeap) Less(i, j int) bool { return h[i].sent < h[j].sent }
func (h ageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].age, h[j].age = int32(i), int32(j)
}
func (h *ageHeap) Push(x any) {
	m := x.(*message)
	m.age = int32(len(*h))
	*h = append(*h, m)
}
func (h *ageHeap) Pop() any {
	m := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	m.age = -1
	return m
}
