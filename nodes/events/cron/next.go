package cron

import (
	"math/bits"
	"time"
)

// horizon is within which every schedule is due: 29 February comes no later
// than after eight years.
const horizon = 8*366 + 1

// Next is the first time after t at which the schedule is due, on the clocks of
// t's location. As with EventBridge Scheduler, a time that clocks put forward
// leave out is skipped, and one that clocks put back show twice is due the
// first time only.
func (s *Schedule) Next(t time.Time) time.Time {
	year, month, day := t.Date()
	for i := range horizon {
		date := time.Date(year, month, day+i, 12, 0, 0, 0, time.UTC) // a calendar, without clocks
		if !s.month.has(int(date.Month())) || !s.day.has(date.Day()) || !s.weekday.has(int(date.Weekday())) {
			continue
		}
		if due, ok := s.within(date, t); ok {
			return due
		}
	}
	return time.Time{} // Parse has refused such a schedule
}

// within is the first time after t that is due on a day.
func (s *Schedule) within(date, t time.Time) (time.Time, bool) {
	for hours := s.hour; hours != 0; hours &= hours - 1 {
		hour := bits.TrailingZeros64(uint64(hours))
		for minutes := s.minute; minutes != 0; minutes &= minutes - 1 {
			minute := bits.TrailingZeros64(uint64(minutes))
			due, exists := first(date, hour, minute, t.Location())
			if exists && due.After(t) {
				return due, true
			}
		}
	}
	return time.Time{}, false
}

// first is when the clocks of a place show a time for the first time; exists is
// false when they leave it out.
func first(date time.Time, hour, minute int, loc *time.Location) (at time.Time, exists bool) {
	year, month, day := date.Date()
	at = time.Date(year, month, day, hour, minute, 0, 0, loc)
	if at.Hour() != hour || at.Minute() != minute || at.Day() != day {
		return at, false
	}
	start, _ := at.ZoneBounds()
	if start.IsZero() {
		return at, true
	}
	_, now := at.Zone()
	_, before := start.Add(-time.Second).Zone()
	earlier := at.Add(time.Duration(now-before) * time.Second)
	if earlier.Before(start) && earlier.Before(at) {
		return earlier, true
	}
	return at, true
}
