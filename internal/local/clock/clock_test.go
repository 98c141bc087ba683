package clock

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestFakeFiresTimersInOrderOfTheirDeadlines(t *testing.T) {
	f := NewFake(start)
	var got []string
	note := func(name string) func() {
		return func() { got = append(got, name+"@"+f.Monotonic().String()) }
	}
	f.AfterFunc(3*time.Second, note("c"))
	f.AfterFunc(time.Second, func() {
		note("a")()
		f.AfterFunc(time.Second, note("b"))
	})
	f.AfterFunc(10*time.Second, note("never"))
	f.Advance(5 * time.Second)
	want := []string{"a@1s", "b@2s", "c@3s"}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatalf("fired %v, want %v", got, want)
	}
	if n := f.Timers(); n != 1 {
		t.Errorf("%d timers pending, want 1", n)
	}
	if !f.Now().Equal(start.Add(5 * time.Second)) {
		t.Errorf("now %v", f.Now())
	}
}

func TestFakeTimerChannelStopAndReset(t *testing.T) {
	f := NewFake(start)
	timer := f.NewTimer(time.Second)
	if !timer.Stop() || timer.Stop() {
		t.Error("Stop must report true exactly while pending")
	}
	timer.Reset(2 * time.Second)
	f.Advance(time.Second)
	select {
	case <-timer.C():
		t.Fatal("fired a second early")
	default:
	}
	f.Advance(time.Second)
	if at := <-timer.C(); !at.Equal(start.Add(2 * time.Second)) {
		t.Errorf("fired at %v", at)
	}
	if timer.Reset(0) {
		t.Error("a fired timer is not pending")
	}
	<-timer.C()
}

func TestJumpMovesTheWallClockOnly(t *testing.T) {
	f := NewFake(start)
	timer := f.NewTimer(time.Minute)
	f.Jump(time.Hour)
	if f.Monotonic() != 0 || !f.Now().Equal(start.Add(time.Hour)) {
		t.Errorf("monotonic %v, now %v", f.Monotonic(), f.Now())
	}
	select {
	case <-timer.C():
		t.Error("a jump of the wall clock fired a timer")
	default:
	}
}

func TestAwaitTimersReturnsOnceTheTimerIsSet(t *testing.T) {
	f := NewFake(start)
	fired := make(chan time.Time)
	go func() { fired <- <-f.NewTimer(time.Second).C() }()
	f.AwaitTimers(1)
	f.Advance(time.Second)
	<-fired
}

func TestAwaitTimerInReturnsOnceTheTimerIsSetAnew(t *testing.T) {
	f := NewFake(start)
	timer := f.NewTimer(time.Minute)
	go timer.Reset(time.Second)
	f.AwaitTimerIn(time.Second)
	f.Advance(time.Second)
	<-timer.C()
}

func TestSystemClockRunsTimersAndMovesForward(t *testing.T) {
	c := System()
	before := c.Monotonic()
	<-c.NewTimer(time.Millisecond).C()
	if c.Monotonic()-before < time.Millisecond {
		t.Error("monotonic time did not pass")
	}
	done := make(chan struct{})
	timer := c.AfterFunc(time.Hour, func() { close(done) })
	if !timer.Reset(0) {
		t.Error("timer was not pending")
	}
	<-done
	if c.Now().IsZero() {
		t.Error("no wall time")
	}
}
