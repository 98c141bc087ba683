package cron

import (
	"math/bits"
	"strconv"
	"strings"
)

// Expression is the schedule as Amazon EventBridge Scheduler takes it, such as
// cron(0 6 ? * MON-FRI *): minute, hour, day of the month, month, day of the
// week from SUN, year.
func (s *Schedule) Expression() string {
	day, weekday := "?", "?"
	if s.everyWeekday() {
		day = render(s.day, 1, 31)
	} else {
		weekday = s.weekdays()
	}
	return "cron(" + strings.Join([]string{render(s.minute, 0, 59), render(s.hour, 0, 23), day, render(s.month, 1, 12), weekday, "*"}, " ") + ")"
}

// render writes a set as *, as START/STEP or as a list.
func render(s set, least, most int) string {
	if s == full(least, most) {
		return "*"
	}
	from := bits.TrailingZeros64(uint64(s))
	if rest := s &^ (1 << from); bits.OnesCount64(uint64(rest)) > 1 {
		step := bits.TrailingZeros64(uint64(rest)) - from
		if step > 1 && s == span(from, most, step) {
			return strconv.Itoa(from) + "/" + strconv.Itoa(step)
		}
	}
	return list(s, strconv.Itoa)
}

func (s *Schedule) weekdays() string {
	return list(s.weekday, func(n int) string { return kinds[4].names[n] })
}

// list writes a set as values and ranges of three and more.
func list(s set, name func(int) string) string {
	var parts []string
	for s != 0 {
		from := bits.TrailingZeros64(uint64(s))
		length := bits.TrailingZeros64(^uint64(s >> from))
		if length < 3 {
			length = 1
			parts = append(parts, name(from))
		} else {
			parts = append(parts, name(from)+"-"+name(from+length-1))
		}
		s &^= full(from, from+length-1)
	}
	return strings.Join(parts, ",")
}
