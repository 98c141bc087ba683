// Package cron reads schedules as crontab has them, tells when they are due, and
// writes them in the form of Amazon EventBridge Scheduler.
//
// A schedule has the five fields of POSIX crontab: minute, hour, day of the
// month, month, day of the week. Fields are numbers, names (JAN, MON), ranges
// (1-5), lists (1,15) and steps (*/5, 10-30/5); @hourly, @daily and their kin
// stand for the whole. Schedules that the service has no form for are refused.
package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Schedule says at which minutes something is due. It is safe for concurrent
// use.
type Schedule struct {
	minute, hour, day, month, weekday set
}

// set has bit n for the value n.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// kind is one of the five fields.
type kind struct {
	name        string
	least, most int
	names       []string // the first is the value least
}

var kinds = [5]kind{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of the week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Error says what is wrong with a schedule and what to write instead.
type Error struct{ Message, Hint string }

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

func refuse(hint, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Parse reads a schedule. The error is an *Error.
func Parse(text string) (*Schedule, error) {
	fields := strings.Fields(text)
	if len(fields) == 1 && strings.HasPrefix(fields[0], "@") {
		long, known := macros[strings.ToLower(fields[0])]
		if !known {
			return nil, refuse("write one of @hourly, @daily, @weekly, @monthly, @yearly, or five fields", "%s is no schedule", fields[0])
		}
		fields = strings.Fields(long)
	}
	if len(fields) != len(kinds) {
		return nil, wrongCount(text, len(fields))
	}
	var sets [5]set
	for i, f := range fields {
		var err error
		if sets[i], err = kinds[i].parse(f); err != nil {
			return nil, err
		}
	}
	s := &Schedule{sets[0], sets[1], sets[2], sets[3], sets[4]}
	if s.weekday.has(7) { // Sunday again
		s.weekday = s.weekday&^(1<<7) | 1
	}
	return s, s.check()
}

func wrongCount(text string, n int) error {
	const fields = "minute hour day-of-month month day-of-week"
	if n == 6 {
		return refuse("write "+fields+"; for EventBridge's form leave the year out and write * for ?", "a cron schedule has five fields here, not six")
	}
	return refuse("write "+fields+`, such as "0 6 * * MON-FRI"`, "%q has %d fields, a cron schedule has five", text, n)
}

func (s *Schedule) check() error {
	if !s.everyDay() && !s.everyWeekday() {
		return refuse("leave one of them *, or write two schedule.in sources",
			"it restricts the day of the month and the day of the week: crontab takes either, which EventBridge Scheduler has no form for")
	}
	for m := 1; m <= 12; m++ {
		if s.month.has(m) && bits.TrailingZeros64(uint64(s.day)) <= longest(m) {
			return nil
		}
	}
	return refuse("", "it is never due: no month in it has such a day")
}

// longest is how many days a month has at most.
func longest(month int) int {
	switch month {
	case 2:
		return 29
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func (s *Schedule) everyDay() bool { return s.day == full(1, 31) }

func (s *Schedule) everyWeekday() bool { return s.weekday == full(0, 6) }

func full(least, most int) set { return span(least, most, 1) }

func span(from, to, step int) set {
	var s set
	for n := from; n <= to; n += step {
		s |= 1 << n
	}
	return s
}

func (k *kind) parse(field string) (set, error) {
	var s set
	for _, part := range strings.Split(field, ",") {
		add, err := k.part(part)
		if err != nil {
			return 0, err
		}
		s |= add
	}
	return s, nil
}

// part is one element of a list.
func (k *kind) part(text string) (set, error) {
	values, stepText, stepped := strings.Cut(text, "/")
	first, last, ranged := strings.Cut(values, "-")
	from, to := k.least, k.most
	if len(k.names) == 7 {
		to = 6
	}
	if values != "*" {
		var err error
		if from, err = k.value(first); err != nil {
			return 0, err
		}
		to = from
		if ranged {
			if to, err = k.value(last); err != nil {
				return 0, err
			}
		}
	}
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil || n < 1 || n > k.most {
			return 0, refuse(fmt.Sprintf("give 1 to %d", k.most), "%q is no step of the %s", stepText, k.name)
		}
		if values != "*" && !ranged {
			return 0, refuse(fmt.Sprintf("write */%d, or %s-%d/%d", n, first, k.most, n), "%q: crontab takes steps of a range only", text)
		}
		step = n
	}
	if to < from {
		return 0, refuse("begin with the lower one, or write a list such as FRI,SAT,SUN", "the range %q runs backwards", values)
	}
	return span(from, to, step), nil
}

func (k *kind) value(text string) (int, error) {
	for i, name := range k.names {
		if strings.EqualFold(name, text) {
			return k.least + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "?":
		return 0, refuse("write *", "the ? of EventBridge is not known to crontab")
	case err != nil || text[0] == '+' || text[0] == '-':
		return 0, refuse(k.bounds(), "%q is no %s", text, k.name)
	case n < k.least || n > k.most:
		return 0, refuse(k.bounds(), "the %s %d is out of range", k.name, n)
	}
	return n, nil
}

func (k *kind) bounds() string {
	hint := fmt.Sprintf("give %d to %d", k.least, k.most)
	if k.names != nil {
		hint += ", or " + k.names[0] + " to " + k.names[len(k.names)-1]
	}
	return hint
}
