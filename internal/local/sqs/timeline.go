package sqs

import (
	"time"

	"github.com/flowctl-dev/flowctl/internal/local/clock"
)

// instant is a point on the service's own timeline, in milliseconds. Delays, visibility and retention are reckoned on it,
// so that setting the machine's clock while the service runs neither ends nor prolongs them, and the sleep of a laptop ends
// none.
type instant int64

func (i instant) after(d time.Duration) instant { return i + instant(d.Milliseconds()) }

// until is never negative.
func (i instant) until(later instant) time.Duration {
	return time.Duration(max(later-i, 0)) * time.Millisecond
}

// timeline runs on the monotonic clock. From one run to the next it continues by the wall clock: drift, what the wall
// clock was ahead at the last write, is kept in the store. It never goes back.
type timeline struct {
	clock clock.Clock
	start instant
}

func newTimeline(c clock.Clock, drift int64) timeline {
	return timeline{clock: c, start: instant(c.Now().UnixMilli() - drift - c.Monotonic().Milliseconds())}
}

// reach moves the timeline on to a moment that is known to be past, if it has not come to it.
func (t *timeline) reach(past instant) { t.start = t.start.after(t.now().until(past)) }

func (t timeline) now() instant { return t.start.after(t.clock.Monotonic()) }

// wall is the wall clock in milliseconds since 1970, for what users see.
func (t timeline) wall() int64 { return t.clock.Now().UnixMilli() }

func (t timeline) drift() int64 { return t.wall() - int64(t.now()) }
