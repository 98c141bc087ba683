package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseRefusesWhatItDoesNotUnderstandAndSaysWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"":                    `"" has 0 fields`,
		"* * * *":             "has 4 fields",
		"0 6 ? * MON-FRI *":   "five fields here, not six",
		"0 6 ? * MON-FRI":     "the ? of EventBridge is not known to crontab; write *",
		"60 * * * *":          "the minute 60 is out of range; give 0 to 59",
		"* 24 * * *":          "the hour 24 is out of range; give 0 to 23",
		"* * 0 * *":           "the day of the month 0 is out of range; give 1 to 31",
		"* * * 13 *":          "the month 13 is out of range; give 1 to 12, or JAN to DEC",
		"* * * * 8":           "the day of the week 8 is out of range; give 0 to 7, or SUN to SAT",
		"* * * * MOND":        `"MOND" is no day of the week`,
		"* * L * *":           `"L" is no day of the month`,
		"-1 * * * *":          `"" is no minute`,
		"+1 * * * *":          `"+1" is no minute`,
		"1,,2 * * * *":        `"" is no minute`,
		"30-10 * * * *":       `the range "30-10" runs backwards`,
		"* * * * FRI-MON":     `the range "FRI-MON" runs backwards`,
		"*/0 * * * *":         `"0" is no step of the minute`,
		"*/x * * * *":         `"x" is no step of the minute`,
		"*/60 * * * *":        `"60" is no step of the minute`,
		"5/15 * * * *":        `"5/15": crontab takes steps of a range only; write */15, or 5-59/15`,
		"0 0 1 * MON":         "day of the month and the day of the week",
		"0 0 30 2 *":          "it is never due",
		"0 0 31 2,4,6,9,11 *": "it is never due",
		"@fortnightly":        "@fortnightly is no schedule; write one of @hourly",
	} {
		s, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v and %v, want an error with %q", text, s, err, want)
		}
	}
}

func TestExpressionIsTheScheduleAsEventBridgeSchedulerTakesIt(t *testing.T) {
	for text, want := range map[string]string{
		"* * * * *":              "cron(* * * * ? *)",
		"0 6 * * MON-FRI":        "cron(0 6 ? * MON-FRI *)",
		"0 6 * * mon-fri":        "cron(0 6 ? * MON-FRI *)",
		"0 6 * * 1-5":            "cron(0 6 ? * MON-FRI *)",
		"0 6 * * 0":              "cron(0 6 ? * SUN *)",
		"0 6 * * 7":              "cron(0 6 ? * SUN *)",
		"0 6 * * 5-7":            "cron(0 6 ? * SUN,FRI,SAT *)",
		"0 6 * * */2":            "cron(0 6 ? * SUN,TUE,THU,SAT *)",
		"0 6 * * 0-6":            "cron(0 6 * * ? *)",
		"*/5 * * * *":            "cron(0/5 * * * ? *)",
		"10-30/5 * * * *":        "cron(10,15,20,25,30 * * * ? *)",
		"10-59/5 * * * *":        "cron(10/5 * * * ? *)",
		"0 */6 * * *":            "cron(0 0/6 * * ? *)",
		"0 8-18 * * *":           "cron(0 8-18 * * ? *)",
		"0 8,9 * * *":            "cron(0 8,9 * * ? *)",
		"15,45 0 1,15 * *":       "cron(15,45 0 1,15 * ? *)",
		"0 0 1 JAN,JUL *":        "cron(0 0 1 1,7 ? *)",
		"0 0 1 */3 *":            "cron(0 0 1 1/3 ? *)",
		"0 0 29 2 *":             "cron(0 0 29 2 ? *)",
		"  0\t6 * *  *":          "cron(0 6 * * ? *)",
		"@daily":                 "cron(0 0 * * ? *)",
		"@Hourly":                "cron(0 * * * ? *)",
		"@weekly":                "cron(0 0 ? * SUN *)",
		"0 0 31 4,5 *":           "cron(0 0 31 4,5 ? *)",
		"1,2,3,10,20-22 * * * *": "cron(1-3,10,20-22 * * * ? *)",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := s.Expression(); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

const layout = "Mon 2006-01-02 15:04 MST"

func TestNextIsTheFirstTimeAfterAnother(t *testing.T) {
	for _, c := range []struct{ about, schedule, zone, after, want string }{
		{"the next minute", "* * * * *", "UTC", "2026-03-01 12:00:30", "Sun 2026-03-01 12:01 UTC"},
		{"a time itself is not after it", "0 12 * * *", "UTC", "2026-03-01 12:00:00", "Mon 2026-03-02 12:00 UTC"},
		{"working days", "0 6 * * MON-FRI", "UTC", "2026-03-06 06:00:00", "Mon 2026-03-09 06:00 UTC"},
		{"the end of a year", "0 0 1 1 *", "UTC", "2026-01-01 00:00:00", "Fri 2027-01-01 00:00 UTC"},
		{"a day that few months have", "0 0 31 * *", "UTC", "2026-03-31 00:00:00", "Sun 2026-05-31 00:00 UTC"},
		{"leap day over 2100", "0 0 29 2 *", "UTC", "2096-02-29 00:00:00", "Fri 2104-02-29 00:00 UTC"},
		{"a place's own clocks", "0 6 * * *", "Asia/Tokyo", "2026-03-01 06:00:00", "Mon 2026-03-02 06:00 JST"},
		{"clocks go forward: 2:30 is left out", "30 2 * * *", "Europe/Berlin", "2026-03-28 02:30:00", "Mon 2026-03-30 02:30 CEST"},
		{"clocks go forward: the hours around it are not", "0 * * * *", "Europe/Berlin", "2026-03-29 01:00:00", "Sun 2026-03-29 03:00 CEST"},
		{"clocks go back: 2:30 the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24 02:30:00", "Sun 2026-10-25 02:30 CEST"},
		{"half an hour back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00:00", "Sun 2026-04-05 01:45 +11"},
		{"a day left out", "0 12 30 12 *", "Pacific/Apia", "2011-12-29 12:00:00", "Sun 2012-12-30 12:00 +14"},
	} {
		t.Run(c.about, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			after, err := time.ParseInLocation(time.DateTime, c.after, loc)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(c.schedule)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Next(after).Format(layout); got != c.want {
				t.Errorf("after %s comes %s, want %s", after.Format(layout), got, c.want)
			}
		})
	}
}

func TestATimeThatComesTwiceIsDueTheFirstTimeOnly(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("0,30 1-3 * * *")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 10, 25, 0, 0, 0, 0, loc)
	var got []string
	for range 6 {
		at = s.Next(at)
		got = append(got, at.Format("15:04 MST"))
	}
	if want := "01:00 CEST 01:30 CEST 02:00 CEST 02:30 CEST 03:00 CET 03:30 CET"; strings.Join(got, " ") != want {
		t.Errorf("due at %s, want %s", strings.Join(got, " "), want)
	}
}

// FuzzParse looks that what is taken is due at a time that fits it, and that the
// expression written for the service is the same schedule.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"0 6 * * MON-FRI", "*/5 * * * *", "10-30/5 1,2 29 2 *", "@daily", "0 0 31 4,5 *", "* * * * 5-7", "? * * * *"} {
		f.Add(text, int64(1772366400))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		after := time.Unix(unix%4102444800, 0).In(berlin)
		due := s.Next(after)
		if !due.After(after) || !s.minute.has(due.Minute()) || !s.hour.has(due.Hour()) || !s.day.has(due.Day()) || !s.month.has(int(due.Month())) || !s.weekday.has(int(due.Weekday())) {
			t.Errorf("%q after %s is due at %s", text, after, due)
		}
		if again := reread(t, s.Expression()); *again != *s {
			t.Errorf("%q is %s, which is another schedule", text, s.Expression())
		}
	})
}

// reread reads the service's form back, by its documentation: ? and * are all
// values, A/B begins at A.
func reread(t *testing.T, expression string) *Schedule {
	fields := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(expression, "cron("), ")"))
	if len(fields) != 6 || fields[5] != "*" || (fields[2] == "?") == (fields[4] == "?") {
		t.Fatalf("%s is no expression of the service", expression)
	}
	for i, most := range []string{"59", "23", "31", "12", ""} {
		if fields[i] = strings.ReplaceAll(fields[i], "?", "*"); strings.Contains(fields[i], "/") {
			fields[i] = strings.Replace(fields[i], "/", "-"+most+"/", 1)
		}
	}
	s, err := Parse(strings.Join(fields[:5], " "))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return s
}
