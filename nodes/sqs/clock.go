package sqs

import "time"

// clock is what heartbeats and pauses run on, so that tests need not wait.
type clock interface {
	// now is the time since an arbitrary start.
	now() time.Duration
	// after runs f in a goroutine of its own once d has passed.
	after(d time.Duration, f func()) timer
}

// timer is a pending call, as time.Timer is.
type timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

type systemClock struct{ start time.Time }

func (c systemClock) now() time.Duration { return time.Since(c.start) }

func (systemClock) after(d time.Duration, f func()) timer { return time.AfterFunc(d, f) }
