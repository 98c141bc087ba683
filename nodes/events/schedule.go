package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/events/cron"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

// ScheduleIn is the config of schedule.in.
type ScheduleIn struct {
	Every    engine.Duration `yaml:"every" doc:"The time between two runs, in whole minutes: 5m, 1h, 24h. Give either this or cron."`
	Cron     string          `yaml:"cron" doc:"When to run, as the five fields of crontab: minute, hour, day of the month, month, day of the week, such as \"0 6 * * MON-FRI\"; or @hourly, @daily, @weekly, @monthly, @yearly."`
	Timezone string          `yaml:"timezone" doc:"The place whose clocks cron goes by, such as Europe/Berlin; UTC if not given."`
}

var scheduleKind = engine.Define(engine.Spec[ScheduleIn]{
	Type: "schedule.in",
	Doc: `Runs the flow at set times. ` + "`event`" + ` has ` + "`time`" + `, when the run was due, and ` + "`id`" + `, which a repetition of the run keeps; the id is the run's correlation id.

` + "`flowctl run`" + ` goes by the machine's clock; with ` + "`every`" + ` the first run is that long after the start. A run that fails for a reason that may pass is tried again, with a pause that
grows up to 1m, until the next one is due. While a run takes longer than that, those that become due are left out, and a warning says so. Nothing is made up for what was due while
the app was not running.

Of the packaged app, Amazon EventBridge Scheduler calls the flow. There a run does not wait for the one before it.

With a time zone, clocks that are put forward or back are followed as the scheduler does it: a time that the clocks leave out is skipped, and one that they show twice comes once, the first time.
` + "`every`" + ` counts real time and does not see it.

Crontab runs when either of the two days fits, where both the day of the month and the day of the week are given. The scheduler has no form for that, so that it is refused: write two sources.`,
	Source: newSchedule,
	Event: func(*ScheduleIn) expr.Type {
		return expr.Object(map[string]expr.Type{"id": expr.String, "time": expr.Time})
	},
	Check:   (*ScheduleIn).check,
	Trigger: (*ScheduleIn).trigger,
	Examples: []engine.Example{
		{Doc: "Every five minutes.", YAML: `{type: schedule.in, every: 5m, next: done}`},
		{Doc: "On working days at six in the morning.", YAML: `{type: schedule.in, cron: "0 6 * * MON-FRI", timezone: Europe/Berlin, next: done}`},
	},
})

func (c *ScheduleIn) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	switch {
	case c.Every != 0 && c.Cron != "":
		add("cron", "every says already when to run", "give one of them")
	case c.Cron != "":
		var wrong *cron.Error
		if _, err := cron.Parse(c.Cron); errors.As(err, &wrong) {
			add("cron", wrong.Message, wrong.Hint)
		}
	case c.Every == 0:
		add("", "it does not say when to run", "give every, such as 5m, or cron, such as \"0 6 * * MON-FRI\"")
	case c.Every.Std() < time.Minute || c.Every.Std()%time.Minute != 0:
		add("every", fmt.Sprintf("%s is not a whole number of minutes", c.Every), "EventBridge Scheduler counts in minutes")
	}
	if c.Timezone != "" && c.Cron == "" {
		add("timezone", "every counts real time, which is the same in all time zones", "leave it out")
	} else if _, err := c.location(); err != nil && knowsZones() {
		add("timezone", fmt.Sprintf("%q is no time zone", c.Timezone), "write a name of the IANA database, such as Europe/Berlin or UTC")
	}
	return found
}

func (c *ScheduleIn) location() (*time.Location, error) {
	if c.Timezone == "Local" {
		return nil, fmt.Errorf("it depends on the machine")
	}
	return time.LoadLocation(c.Timezone) // "" is UTC
}

// knowsZones reports whether this machine has the database of time zones, which
// a function's need not: there the scheduler knows the zone, and whoever
// packaged the app had it checked.
func knowsZones() bool {
	_, err := time.LoadLocation("Europe/London")
	return err == nil
}

func (c *ScheduleIn) trigger() engine.Trigger {
	zone := c.Timezone
	if zone == "UTC" {
		zone = ""
	}
	if c.Cron == "" {
		return engine.ScheduleTrigger{Expression: rate(c.Every.Std())}
	}
	s, err := cron.Parse(c.Cron)
	if err != nil {
		return nil // which check has reported
	}
	return engine.ScheduleTrigger{Expression: s.Expression(), Timezone: zone}
}

// rate is an interval as EventBridge Scheduler takes it, in the largest unit
// that divides it.
func rate(every time.Duration) string {
	const day = 24 * time.Hour
	n, unit := every/time.Minute, "minute"
	switch {
	case every%day == 0:
		n, unit = every/day, "day"
	case every%time.Hour == 0:
		n, unit = every/time.Hour, "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("rate(%d %s)", n, unit)
}

// ScheduleInput is the input with which EventBridge Scheduler is to call the
// flow for the schedule.in of the given name: what is between < and > it fills
// in. The source refuses one that names another, so that a flow may have
// several schedules.
func ScheduleInput(node string) string {
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "<aws.scheduler.execution-id>", "source": "aws.scheduler", "detail-type": "Scheduled Event",
		"time": "<aws.scheduler.scheduled-time>", "resources": []string{"<aws.scheduler.schedule-arn>"}, "detail": map[string]string{"node": node},
	})
	if err != nil {
		panic(err) // texts can always be marshalled
	}
	// json escapes < and > for HTML, which the service does not undo before it looks for them.
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(text))
}

// schedule tells when runs are due.
type schedule interface {
	// Next is the first time after t.
	Next(t time.Time) time.Time
}

// interval is due at whole multiples of a time since its start.
type interval struct {
	start time.Time
	every time.Duration
}

func (i interval) Next(t time.Time) time.Time {
	if t.Before(i.start) {
		return i.start.Add(i.every)
	}
	return i.start.Add((t.Sub(i.start)/i.every + 1) * i.every)
}

// FirstDue is when the first run is due of a source that starts at a time. It is
// on the clocks of the schedule's place.
func (c *ScheduleIn) FirstDue(start time.Time) (time.Time, error) {
	loc, err := c.location()
	if err != nil {
		return time.Time{}, err
	}
	start = start.Round(0).In(loc)
	if c.Cron == "" {
		return interval{start, c.Every.Std()}.Next(start), nil
	}
	s, err := cron.Parse(c.Cron)
	if err != nil {
		return time.Time{}, err
	}
	return s.Next(start), nil
}

type scheduleSource struct {
	*ScheduleIn
	deps engine.Deps
	loc  *time.Location // while it runs
	cron *cron.Schedule // nil for an interval
	now  func() time.Time
}

var _ engine.Invoked = (*scheduleSource)(nil)

func newSchedule(c *ScheduleIn, d engine.Deps) (engine.Source, error) {
	s := &scheduleSource{ScheduleIn: c, deps: d, now: time.Now}
	if c.Cron == "" {
		return s, nil
	}
	var err error
	s.cron, err = cron.Parse(c.Cron)
	return s, err
}

// Messages implements engine.Invoked.
func (s *scheduleSource) Messages(payload []byte) ([]*engine.Message, error) {
	e, err := envelope.ParseEvent(payload)
	if err != nil {
		return nil, wrongEvent(s.deps, "schedule.in", err)
	}
	if !e.Scheduled() {
		return nil, wrongEvent(s.deps, "schedule.in", envelope.Wrong("no schedule made it, its source is %s and its detail-type %s", *e.Source, *e.DetailType))
	}
	if node := nodeOf(e); node != "" && node != s.deps.Node {
		return nil, wrongEvent(s.deps, "schedule.in", envelope.Wrong("it is for the schedule %s", node))
	}
	due, ok := e.Instant().(time.Time)
	if !ok {
		return nil, wrongEvent(s.deps, "schedule.in", envelope.Wrong("its time %q is not one of RFC 3339", e.Time))
	}
	return []*engine.Message{scheduled(e.ID, due)}, nil
}

// nodeOf is the source that ScheduleInput put into the event, "" for none.
func nodeOf(e *envelope.Event) string {
	detail, err := value.Plain(e.Body())
	if err != nil {
		return ""
	}
	m, _ := detail.(map[string]any)
	node, _ := m["node"].(string)
	return node
}

// Reply implements engine.Invoked: nobody waits for one.
func (s *scheduleSource) Reply([]*engine.Message) ([]byte, error) { return []byte("null"), nil }

func scheduled(id string, due time.Time) *engine.Message {
	return engine.NewMessage(expr.Fields{"id": id, "time": due.UTC()}, id)
}
