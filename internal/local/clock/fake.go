package clock

import (
	"sync"
	"time"
)

// Fake is a Clock that stands still until a test moves it. The zero value is not usable; call NewFake.
type Fake struct {
	mu      sync.Mutex
	changed *sync.Cond
	wall    time.Time
	elapsed time.Duration
	timers  map[*fakeTimer]struct{}
	started uint64
}

var _ Clock = (*Fake)(nil)

// NewFake gives a clock that shows the given wall time.
func NewFake(now time.Time) *Fake {
	f := &Fake{wall: now, timers: make(map[*fakeTimer]struct{})}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// Now is the wall time as moved by Advance and Jump.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

// Monotonic is the sum of all that Advance was given.
func (f *Fake) Monotonic() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.elapsed
}

// Advance lets d pass. Timers fire in the order of their deadlines, each seeing its own deadline as the time;
// functions of AfterFunc run one after the other before Advance returns, and may set further timers.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	end := f.elapsed + d
	for {
		t := f.next(end)
		if t == nil {
			break
		}
		f.move(max(t.due, f.elapsed))
		delete(f.timers, t)
		if t.run == nil {
			select {
			case t.c <- f.wall:
			default:
			}
			continue
		}
		f.mu.Unlock()
		t.run()
		f.mu.Lock()
	}
	f.move(max(end, f.elapsed)) // a function may have advanced the clock further
	f.changed.Broadcast()
	f.mu.Unlock()
}

// Jump sets the wall clock forward or back by d, as an operator or NTP would: no monotonic time passes, no timer fires.
func (f *Fake) Jump(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = f.wall.Add(d)
}

// AwaitTimers blocks until at least n timers are pending, so that a test can advance the clock only when the code under
// test has come to wait.
func (f *Fake) AwaitTimers(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.timers) < n {
		f.changed.Wait()
	}
}

// AwaitTimerIn blocks until a timer is pending that is due in exactly d: when the code under test has set its timers anew,
// their number does not tell.
func (f *Fake) AwaitTimerIn(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.isDueIn(d) {
		f.changed.Wait()
	}
}

func (f *Fake) isDueIn(d time.Duration) bool {
	for t := range f.timers {
		if t.due == f.elapsed+d {
			return true
		}
	}
	return false
}

// Timers is the number of pending timers.
func (f *Fake) Timers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.timers)
}

// NewTimer implements Clock.
func (f *Fake) NewTimer(d time.Duration) Timer {
	t := &fakeTimer{clock: f, c: make(chan time.Time, 1)}
	t.start(d)
	return t
}

// AfterFunc implements Clock; a duration that is not positive runs fn at the next Advance.
func (f *Fake) AfterFunc(d time.Duration, fn func()) Timer {
	t := &fakeTimer{clock: f, run: fn}
	t.start(d)
	return t
}

func (f *Fake) move(to time.Duration) {
	f.wall = f.wall.Add(to - f.elapsed)
	f.elapsed = to
}

// next is the timer to fire first among those due by end. Callers hold mu.
func (f *Fake) next(end time.Duration) *fakeTimer {
	var first *fakeTimer
	for t := range f.timers {
		if t.due <= end && (first == nil || t.due < first.due || t.due == first.due && t.order < first.order) {
			first = t
		}
	}
	return first
}

type fakeTimer struct {
	clock *Fake
	c     chan time.Time
	run   func()
	due   time.Duration
	order uint64
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.cancel()
}

func (t *fakeTimer) Reset(d time.Duration) bool {
	pending := t.Stop()
	t.start(d)
	return pending
}

// cancel also empties the channel, as time.Timer does since Go 1.23.
func (t *fakeTimer) cancel() bool {
	_, pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	select {
	case <-t.c:
	default:
	}
	return pending
}

func (t *fakeTimer) start(d time.Duration) {
	f := t.clock
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started++
	t.order = f.started
	t.due = f.elapsed + d
	if d <= 0 && t.c != nil {
		t.c <- f.wall
		return
	}
	f.timers[t] = struct{}{}
	f.changed.Broadcast()
}
