package sqs

import (
	"sync"

	"github.com/flowctl-dev/flowctl/nodes/awsclient"
)

const (
	// eager is how many batches may be in flight before further entries wait
	// for company: below it every entry leaves at once.
	eager = 4
	// flights is how many batches may be in flight at all.
	flights = 32
)

// collector puts entries that come at the same time into batches of up to 10.
// An entry never waits for time to pass, only for calls under way. It holds no
// goroutine while nothing is in flight.
type collector[T any] struct {
	// run makes the call and settles every entry. It must come to an end.
	run func([]T)
	// size is what an entry adds to the call's bytes; nil counts none.
	size func(T) int
	// lane names what must stay in order: entries of one lane are never in two
	// batches at once. Nil, or the lane "", is no order.
	lane func(T) string

	mu       sync.Mutex
	waiting  []T
	inFlight int
	busy     map[string]struct{}
}

// add takes an entry. It does not block.
func (c *collector[T]) add(entry T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, entry)
	for c.inFlight < eager || c.inFlight < flights && len(c.waiting) >= maxBatch {
		batch := c.take()
		if batch == nil {
			return
		}
		c.inFlight++
		go c.fly(batch)
	}
}

// fly runs batches until nothing waits.
func (c *collector[T]) fly(batch []T) {
	awsclient.GrowStack()
	for batch != nil {
		c.run(batch)
		c.mu.Lock()
		c.release(batch)
		if batch = c.take(); batch == nil {
			c.inFlight--
		}
		c.mu.Unlock()
	}
}

// take cuts the next batch from the entries that wait, nil if none may leave.
func (c *collector[T]) take() []T {
	if len(c.waiting) == 0 {
		return nil
	}
	batch := make([]T, 0, min(maxBatch, len(c.waiting)))
	rest, bytes, full := c.waiting[:0], 0, false
	for _, entry := range c.waiting {
		if full = full || len(batch) == maxBatch; !full && !c.held(entry) {
			size := c.sizeOf(entry)
			if len(batch) == 0 || bytes+size <= maxBytes {
				batch, bytes = append(batch, entry), bytes+size
				continue
			}
			full = true
		}
		rest = append(rest, entry)
	}
	clear(c.waiting[len(rest):])
	c.waiting = rest
	if len(batch) == 0 {
		return nil
	}
	c.hold(batch)
	return batch
}

func (c *collector[T]) sizeOf(entry T) int {
	if c.size == nil {
		return 0
	}
	return c.size(entry)
}

func (c *collector[T]) held(entry T) bool {
	if c.lane == nil {
		return false
	}
	_, held := c.busy[c.lane(entry)]
	return held
}

func (c *collector[T]) hold(batch []T) {
	if c.lane == nil {
		return
	}
	if c.busy == nil {
		c.busy = map[string]struct{}{}
	}
	for _, entry := range batch {
		if lane := c.lane(entry); lane != "" {
			c.busy[lane] = struct{}{}
		}
	}
}

func (c *collector[T]) release(batch []T) {
	if c.lane == nil {
		return
	}
	for _, entry := range batch {
		delete(c.busy, c.lane(entry))
	}
}
