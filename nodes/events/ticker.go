package events

import (
	"context"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
)

const (
	// longestSleep is how long the clock is not looked at: it may be set, and a
	// machine that was suspended does not count its timers on.
	longestSleep = time.Minute

	// The pause before a run that failed is tried again.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Run runs the flow at the due times until ctx ends. One run is under way at a
// time.
func (s *scheduleSource) Run(ctx context.Context, deliver engine.Handler) (err error) {
	if s.loc, err = s.location(); err != nil {
		return err
	}
	var plan schedule = s.cron
	if s.cron == nil {
		plan = interval{s.wall(), s.Every.Std()}
	}
	due := plan.Next(s.wall())
	for s.sleepUntil(ctx, due) {
		after := plan.Next(due)
		s.run(ctx, deliver, due, after)
		// A clock that was set back must not bring a time again.
		due = plan.Next(later(s.wall(), due))
		if after.Before(due) {
			s.deps.Log.Warn("runs were left out: they became due while another was under way, or the machine was not running",
				"flow", s.deps.Flow, "source", s.deps.Node, "first", after, "next", due)
		}
	}
	return nil
}

// wall is what the clocks of the schedule's place show; it may jump.
func (s *scheduleSource) wall() time.Time { return s.now().Round(0).In(s.loc) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleepUntil waits, and reports whether it did so to the end.
func (s *scheduleSource) sleepUntil(ctx context.Context, due time.Time) bool {
	for ctx.Err() == nil {
		left := due.Sub(s.wall())
		if left <= 0 {
			return true
		}
		engine.Pause(ctx, min(left, longestSleep))
	}
	return false
}

// run delivers until it succeeds, cannot, or the next run is due.
func (s *scheduleSource) run(ctx context.Context, deliver engine.Handler, due, next time.Time) {
	id := engine.NewID()
	for attempt := 1; ; attempt++ {
		m := scheduled(id, due)
		m.Attempt = attempt
		err := deliver(engine.Work(ctx), m)
		if err == nil {
			return
		}
		wait := engine.Backoff(attempt, firstPause, longestPause)
		if engine.ClassOf(err) == engine.Permanent || !s.wall().Add(wait).Before(next) || !engine.Pause(ctx, wait) {
			s.deps.Log.Error("a scheduled run failed", "flow", s.deps.Flow, "source", s.deps.Node, "due", due, "attempts", attempt,
				"class", engine.ClassOf(err).String(), "code", engine.CodeOf(err), "error", err.Error())
			return
		}
	}
}
