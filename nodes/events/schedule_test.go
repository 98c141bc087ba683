package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
)

// clockwork runs a schedule.in inside a synctest bubble, where time passes when
// all wait for it. The bubble begins on Saturday 2000-01-01 at 00:00 UTC.
type clockwork struct {
	t    *testing.T
	runs chan run
	logs *bytes.Buffer
	// ahead is by how much the wall clock was set.
	ahead atomic.Int64
	stop  context.CancelFunc
	ended chan error
}

type run struct {
	*engine.Message
	at time.Time
	// settle ends the run.
	settle chan error
}

func (r run) due() string {
	v, _ := r.Env.Event.Field("time")
	return v.(time.Time).Format("2006-01-02 15:04:05")
}

func wind(t *testing.T, config ScheduleIn) *clockwork {
	w := &clockwork{t: t, runs: make(chan run), logs: &bytes.Buffer{}, ended: make(chan error, 1)}
	if found := scheduleKind.Check(&config); len(found) > 0 {
		t.Fatal(found)
	}
	made, err := newSchedule(&config, engine.Deps{Flow: "f", Node: "tick", Log: slog.New(slog.NewTextHandler(w.logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := made.(*scheduleSource)
	s.now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() {
		defer close(w.ended)
		w.ended <- s.Run(ctx, func(_ context.Context, m *engine.Message) error {
			r := run{m, time.Now().UTC(), make(chan error)}
			w.runs <- r
			return <-r.settle
		})
	}()
	return w
}

// next waits for the next run.
func (w *clockwork) next() run {
	w.t.Helper()
	return <-w.runs
}

// end stops the source, so that its log may be read; a second call does nothing.
func (w *clockwork) end() {
	w.t.Helper()
	w.stop()
	if err := <-w.ended; err != nil {
		w.t.Errorf("the source ended with %v", err)
	}
}

func every(d time.Duration) ScheduleIn { return ScheduleIn{Every: engine.Duration(d)} }

func TestAnIntervalIsDueOneIntervalAfterTheStartAndThenRegularly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(5*time.Minute))
		defer w.end()
		for _, want := range []string{"2000-01-01 00:05:00", "2000-01-01 00:10:00", "2000-01-01 00:15:00"} {
			r := w.next()
			if r.due() != want || r.at.Format(time.DateTime) != want {
				t.Errorf("due %s, run at %s, want %s", r.due(), r.at, want)
			}
			if id, _ := r.Env.Event.Field("id"); id == "" || id != r.Correlation {
				t.Errorf("id %v, correlation %s", id, r.Correlation)
			}
			r.settle <- nil
		}
		if w.logs.Len() > 0 {
			t.Errorf("logged %s", w.logs)
		}
	})
}

func TestACronScheduleGoesByTheClocksOfItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, ScheduleIn{Cron: "0 6 * * MON-FRI", Timezone: "Europe/Berlin"})
		defer w.end()
		for _, want := range []string{"2000-01-03 05:00:00", "2000-01-04 05:00:00"} { // UTC
			r := w.next()
			if r.due() != want || r.at.Format(time.DateTime) != want {
				t.Errorf("due %s, run at %s, want %s", r.due(), r.at, want)
			}
			r.settle <- nil
		}
	})
}

func TestRunsThatBecomeDueWhileOneIsUnderWayAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(time.Minute))
		defer w.end()
		slow := w.next()
		<-time.After(150 * time.Second)
		slow.settle <- nil
		r := w.next()
		if r.due() != "2000-01-01 00:04:00" {
			t.Errorf("the next is due %s", r.due())
		}
		r.settle <- nil
		w.end()
		if log := w.logs.String(); !strings.Contains(log, "runs were left out") || !strings.Contains(log, "first=2000-01-01T00:02:00.000Z") || !strings.Contains(log, "next=2000-01-01T00:04:00.000Z") {
			t.Errorf("logged %s", log)
		}
	})
}

func TestAFailureThatMayPassIsTriedAgainUntilTheNextRunIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(time.Minute))
		defer w.end()
		first := w.next()
		first.settle <- errors.New("the broker is down")
		second := w.next()
		if second.Attempt != 2 || second.due() != first.due() || second.Correlation != first.Correlation {
			t.Errorf("attempt %d, due %s, id %s; the first had %s, %s", second.Attempt, second.due(), second.Correlation, first.due(), first.Correlation)
		}
		if wait := second.at.Sub(first.at); wait < firstPause/2 || wait > firstPause {
			t.Errorf("tried again after %s", wait)
		}
		attempts, last := 2, second
		for last.due() == first.due() {
			attempts = last.Attempt
			last.settle <- errors.New("the broker is down")
			last = w.next()
		}
		if last.due() != "2000-01-01 00:02:00" || last.Attempt != 1 || attempts < 5 {
			t.Errorf("after %d attempts comes the one due %s, attempt %d", attempts, last.due(), last.Attempt)
		}
		last.settle <- nil
		w.end()
		if n := strings.Count(w.logs.String(), "a scheduled run failed"); n != 1 || !strings.Contains(w.logs.String(), "the broker is down") {
			t.Errorf("logged %s", w.logs)
		}
	})
}

func TestAFailureForGoodIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(time.Minute))
		defer w.end()
		w.next().settle <- engine.Fail(engine.Permanent, "broken", "it will not work", nil)
		r := w.next()
		if r.due() != "2000-01-01 00:02:00" || r.Attempt != 1 {
			t.Errorf("due %s, attempt %d", r.due(), r.Attempt)
		}
		r.settle <- nil
		w.end()
		if !strings.Contains(w.logs.String(), "level=ERROR") || !strings.Contains(w.logs.String(), "code=broken") {
			t.Errorf("logged %s", w.logs)
		}
	})
}

func TestAStopWaitsForTheRunUnderWayAndTriesNothingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(time.Minute))
		r := w.next()
		w.stop()
		synctest.Wait()
		select {
		case err := <-w.ended:
			t.Fatalf("ended with %v while a run was under way", err)
		default:
		}
		r.settle <- errors.New("the broker is down")
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		if !strings.Contains(w.logs.String(), "a scheduled run failed") {
			t.Errorf("logged %s", w.logs)
		}
	})
}

func TestAClockThatIsSetForwardBringsTheRunThatBecameDueOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, every(10*time.Minute))
		defer w.end()
		synctest.Wait()
		w.ahead.Store(int64(35 * time.Minute))
		r := w.next()
		if r.due() != "2000-01-01 00:10:00" || r.at.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) > longestSleep {
			t.Errorf("due %s, came at %s", r.due(), r.at)
		}
		r.settle <- nil
		if r = w.next(); r.due() != "2000-01-01 00:40:00" {
			t.Errorf("then %s", r.due())
		}
		r.settle <- nil
	})
}

func TestAClockThatIsSetBackBringsNoTimeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wind(t, ScheduleIn{Cron: "*/10 * * * *"})
		defer w.end()
		r := w.next()
		w.ahead.Store(int64(-5 * time.Minute))
		r.settle <- nil
		if r = w.next(); r.due() != "2000-01-01 00:20:00" || !r.at.Equal(time.Date(2000, 1, 1, 0, 25, 0, 0, time.UTC)) {
			t.Errorf("due %s, came at %s", r.due(), r.at)
		}
		r.settle <- nil
	})
}

func TestCheckOfASchedule(t *testing.T) {
	for _, c := range []struct {
		about string
		in    ScheduleIn
		field string
		want  string // "" for nothing wrong
	}{
		{"an interval", every(5 * time.Minute), "", ""},
		{"a schedule", ScheduleIn{Cron: "0 6 * * *", Timezone: "Europe/Berlin"}, "", ""},
		{"neither", ScheduleIn{}, "", "does not say when"},
		{"both", ScheduleIn{Every: engine.Duration(time.Hour), Cron: "0 6 * * *"}, "cron", "every says already"},
		{"half a minute", every(30 * time.Second), "every", "30s is not a whole number of minutes"},
		{"a minute and a half", every(90 * time.Second), "every", "1m30s is not a whole number of minutes"},
		{"a zone for an interval", ScheduleIn{Every: engine.Duration(time.Hour), Timezone: "Europe/Berlin"}, "timezone", "every counts real time"},
		{"a zone that is none", ScheduleIn{Cron: "0 6 * * *", Timezone: "Berlin"}, "timezone", `"Berlin" is no time zone`},
		{"the machine's zone", ScheduleIn{Cron: "0 6 * * *", Timezone: "Local"}, "timezone", `"Local" is no time zone`},
		{"an hour that is none", ScheduleIn{Cron: "0 25 * * *"}, "cron", "the hour 25 is out of range"},
		{"no schedule at all", ScheduleIn{Cron: "a; b"}, "cron", `"a; b" has 2 fields, a cron schedule has five`},
		{"both days", ScheduleIn{Cron: "0 0 1 * MON"}, "cron", "day of the month and the day of the week"},
	} {
		t.Run(c.about, func(t *testing.T) { wantFinding(t, scheduleKind.Check(&c.in), c.field, c.want) })
	}
}

func TestTriggerOfASchedule(t *testing.T) {
	for _, c := range []struct {
		in   ScheduleIn
		want engine.ScheduleTrigger
	}{
		{every(time.Minute), engine.ScheduleTrigger{Expression: "rate(1 minute)"}},
		{every(5 * time.Minute), engine.ScheduleTrigger{Expression: "rate(5 minutes)"}},
		{every(90 * time.Minute), engine.ScheduleTrigger{Expression: "rate(90 minutes)"}},
		{every(time.Hour), engine.ScheduleTrigger{Expression: "rate(1 hour)"}},
		{every(24 * time.Hour), engine.ScheduleTrigger{Expression: "rate(1 day)"}},
		{every(72 * time.Hour), engine.ScheduleTrigger{Expression: "rate(3 days)"}},
		{ScheduleIn{Cron: "0 6 * * MON-FRI", Timezone: "Europe/Berlin"}, engine.ScheduleTrigger{Expression: "cron(0 6 ? * MON-FRI *)", Timezone: "Europe/Berlin"}},
		{ScheduleIn{Cron: "@daily", Timezone: "UTC"}, engine.ScheduleTrigger{Expression: "cron(0 0 * * ? *)"}},
	} {
		if got := scheduleKind.Trigger(&c.in); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.in, got, c.want)
		}
	}
}

const scheduledEvent = `{"version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events", "account": "123456789012",
	"time": "2026-03-01T06:00:00Z", "region": "eu-west-1", "resources": ["arn:aws:events:eu-west-1:123456789012:rule/r"], "detail": {}}`

func TestAScheduledEventIsARun(t *testing.T) {
	s := made(t, scheduleKind, &ScheduleIn{Every: engine.Duration(time.Hour)})
	for about, payload := range map[string]string{
		"of a rule":                       scheduledEvent,
		"of the scheduler":                strings.NewReplacer("aws.events", "aws.scheduler", `"detail": {}`, `"detail": "{}"`).Replace(scheduledEvent),
		"for this very source":            strings.Replace(scheduledEvent, `"detail": {}`, `"detail": {"node": "in"}`, 1),
		"with the input of ScheduleInput": strings.NewReplacer("<aws.scheduler.execution-id>", "53dc4d37", "<aws.scheduler.scheduled-time>", "2026-03-01T06:00:00Z").Replace(ScheduleInput("in")),
	} {
		t.Run(about, func(t *testing.T) {
			m := one(t, s, payload)
			wantEvent(t, scheduleKind, s, m, map[string]any{"id": "53dc4d37", "time": time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)})
			if m.Correlation != "53dc4d37" {
				t.Errorf("correlation %s", m.Correlation)
			}
		})
	}
	wantRefusal(t, s, strings.Replace(scheduledEvent, "aws.events", "aws.ec2", 1), "no schedule made it")
	wantRefusal(t, s, strings.Replace(scheduledEvent, "T06", " 06", 1), "is not one of RFC 3339")
	wantRefusal(t, s, strings.Replace(scheduledEvent, `"detail": {}`, `"detail": {"node": "nightly"}`, 1), "it is for the schedule nightly")
	wantRefusal(t, s, `{}`, "not an event of Amazon EventBridge")
}

func TestScheduleInputIsJSONWithThePlacesThatTheServiceFillsIn(t *testing.T) {
	text := ScheduleInput(`x"y`)
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	if m["detail"].(map[string]any)["node"] != `x"y` || !strings.Contains(text, `"<aws.scheduler.scheduled-time>"`) {
		t.Errorf("input %s", text)
	}
}

func TestIntervalsCountFromTheirStart(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	i := interval{start, time.Hour}
	var got []string
	for _, after := range []time.Duration{-time.Hour, 0, time.Minute, time.Hour, 150 * time.Minute} {
		got = append(got, i.Next(start.Add(after)).Format("15:04"))
	}
	if want := []string{"13:00", "13:00", "13:00", "14:00", "15:00"}; !slices.Equal(got, want) {
		t.Errorf("due %v, want %v", got, want)
	}
}

func TestAScheduleRunsAFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := enginetest.Source(t, scheduleKind, &ScheduleIn{Cron: "30 12 * * *"}, nil)
		ctx, stop := context.WithCancel(t.Context())
		var due any
		err := s.Run(ctx, func(_ context.Context, m *engine.Message) error {
			due, _ = m.Env.Event.Field("time")
			stop()
			return nil
		})
		if err != nil || due != time.Date(2000, 1, 1, 12, 30, 0, 0, time.UTC) {
			t.Errorf("due %v, %v", due, err)
		}
	})
}

func TestTheFirstRunIsDueAsTheScheduleSays(t *testing.T) {
	start := time.Date(2026, 7, 1, 12, 0, 30, 0, time.UTC)
	for _, c := range []struct {
		config ScheduleIn
		want   string
	}{
		{ScheduleIn{Every: engine.Duration(5 * time.Minute)}, "2026-07-01T12:05:30Z"},
		{ScheduleIn{Cron: "0 6 * * *"}, "2026-07-02T06:00:00Z"},
		{ScheduleIn{Cron: "0 6 * * *", Timezone: "Europe/Berlin"}, "2026-07-02T06:00:00+02:00"},
	} {
		if due, err := c.config.FirstDue(start); err != nil || due.Format(time.RFC3339) != c.want {
			t.Errorf("%+v: %s, %v; want %s", c.config, due.Format(time.RFC3339), err, c.want)
		}
	}
	nowhere := ScheduleIn{Cron: "0 6 * * *", Timezone: "Europe/Nowhere"}
	if _, err := nowhere.FirstDue(start); err == nil {
		t.Error("there is no such time zone")
	}
}
