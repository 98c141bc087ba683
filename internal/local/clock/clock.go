// Package clock lets the stand-ins be tested without waiting: everything that depends on the time takes a Clock.
package clock

import "time"

// Clock tells the time and runs timers. All methods may be called by any goroutine.
type Clock interface {
	// Now is the wall clock: what users see and what is written to disk. It may jump when the machine's time is set.
	Now() time.Time
	// Monotonic is the time since an arbitrary start. It never jumps, so deadlines inside a process are kept in it.
	Monotonic() time.Duration
	// NewTimer sends on the timer's channel once d has passed, at once when d is not positive.
	NewTimer(d time.Duration) Timer
	// AfterFunc runs f in a goroutine of its own once d has passed. The timer's C is nil.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is one pending event. Stop and Reset report whether the timer was still pending, as those of time.Timer do.
type Timer interface {
	C() <-chan time.Time
	Stop() bool
	Reset(d time.Duration) bool
}

// System is the machine's clock.
func System() Clock { return system{start: time.Now()} }

type system struct{ start time.Time }

func (system) Now() time.Time { return time.Now() }

func (s system) Monotonic() time.Duration { return time.Since(s.start) }

func (system) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

func (system) AfterFunc(d time.Duration, f func()) Timer {
	return systemTimer{time.AfterFunc(d, f)}
}

type systemTimer struct{ timer *time.Timer }

func (t systemTimer) C() <-chan time.Time        { return t.timer.C }
func (t systemTimer) Stop() bool                 { return t.timer.Stop() }
func (t systemTimer) Reset(d time.Duration) bool { return t.timer.Reset(d) }
