// Package localtime does the calendar arithmetic of journeys and contact
// policies: wall-clock times in a place, with gaps and folds of the clock
// resolved in one stated way.
//
// A wall-clock time that the clocks skip is the first instant after the gap; one
// that they show twice is the first of the two.
package localtime

import (
	"errors"
	"fmt"
	"time"
)

// ErrFormat reports a time of day or a date that is not written as expected.
var ErrFormat = errors.New("localtime: not a time")

// Parse reads a time of day, "09:00" to "23:59", as minutes after midnight.
func Parse(s string) (minute int, err error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return 0, fmt.Errorf("%w: %q is no time of day such as 09:00", ErrFormat, s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// Format writes minutes after midnight as "09:00".
func Format(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// Date is a day of the calendar, without a place.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads "2026-11-10".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%w: %q is no date such as 2026-11-10", ErrFormat, s)
	}
	return DateOf(t, time.UTC), nil
}

// DateOf is the date on which t falls in loc.
func DateOf(t time.Time, loc *time.Location) Date {
	y, m, d := t.In(loc).Date()
	return Date{y, m, d}
}

// Plus is the date n days later, or earlier for a negative n.
func (d Date) Plus(days int) Date {
	return DateOf(time.Date(d.Year, d.Month, d.Day+days, 0, 0, 0, 0, time.UTC), time.UTC)
}

// Compare orders dates: −1, 0 or +1.
func (d Date) Compare(e Date) int {
	return d.at(0, time.UTC).Compare(e.at(0, time.UTC))
}

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.at(0, time.UTC).Weekday() }

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

func (d Date) at(minute int, loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, minute, 0, 0, loc)
}

// At is the instant at which the clocks of loc show the given minute of the day.
func (d Date) At(minute int, loc *time.Location) time.Time {
	t := d.at(minute, loc)
	want := d.at(minute, time.UTC).Unix()
	start, end := t.ZoneBounds()
	switch shown := wall(t); {
	case shown > want:
		return start.In(loc) // the clocks jumped over it
	case shown < want:
		return end.In(loc)
	}
	if !start.IsZero() {
		_, before := start.Add(-1).In(loc).Zone()
		if first := time.Unix(want-int64(before), 0); first.Before(start) {
			return first.In(loc)
		}
	}
	return t
}

// wall is the reading of the clock at t as seconds, as if it were UTC.
func wall(t time.Time) int64 {
	_, offset := t.Zone()
	return t.Unix() + int64(offset)
}

// Next is the first instant after t at which the clocks of loc show the given
// minute of the day.
func Next(t time.Time, minute int, loc *time.Location) time.Time {
	if at, ok := nextSteady(t, minute, loc); ok {
		return at
	}
	return nextByDay(t, minute, loc)
}

// nextByDay is Next, by trying one day after the other.
func nextByDay(t time.Time, minute int, loc *time.Location) time.Time {
	for d := DateOf(t, loc).Plus(-1); ; d = d.Plus(1) {
		if at := d.At(minute, loc); at.After(t) {
			return at
		}
	}
}

// nextSteady is Next where the clocks of loc do not change from a day before t to a
// day after the answer, as it is nearly always; ok is false elsewhere.
func nextSteady(t time.Time, minute int, loc *time.Location) (at time.Time, ok bool) {
	const day = 24 * 60 * 60
	t = t.In(loc)
	start, end := t.ZoneBounds()
	now := t.Unix()
	shown := wall(t)
	next := now - (shown%day+day)%day + 60*int64(minute)
	if next <= now {
		next += day
	}
	if !start.IsZero() && now-day < start.Unix() || !end.IsZero() && next+day > end.Unix() {
		return time.Time{}, false
	}
	return time.Unix(next, 0).In(loc), true
}

// MinuteOf is the minute of the day that the clocks of loc show at t.
func MinuteOf(t time.Time, loc *time.Location) int {
	h, m, _ := t.In(loc).Clock()
	return h*60 + m
}

// AddMonths is the date n months later, on the last day of the month where the
// day does not exist there.
func (d Date) AddMonths(n int) Date {
	first := time.Date(d.Year, d.Month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Date{first.Year(), first.Month(), min(d.Day, last)}
}
