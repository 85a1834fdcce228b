package care

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hours describes a business calendar. A day's text lists its shifts in order,
// apart by spaces: "09:00-12:00 13:30-18:00". A shift that ends at or before
// its start ends on the next day: "22:00-06:00"; "00:00-24:00" is the whole
// day. The empty text is a day off.
//
// Its JSON form carries "format":1 and refuses unknown fields.
type Hours struct {
	// Zone is the IANA name of the time zone; empty means UTC.
	Zone string
	// Week holds the text of each weekday, Sunday first as in time.Weekday.
	Week [7]string
	// Days overrides single dates, "2006-01-02": "" for a holiday, shifts for
	// a make-up workday or a short day.
	Days map[string]string
}

// MondayToFriday is a week of equal workdays.
func MondayToFriday(shifts string) [7]string {
	return [7]string{"", shifts, shifts, shifts, shifts, shifts, ""}
}

// EveryDay is a week of seven equal days.
func EveryDay(shifts string) [7]string {
	return [7]string{shifts, shifts, shifts, shifts, shifts, shifts, shifts}
}

// Calendar counts business time. It is immutable and safe for concurrent use.
//
// A shift belongs to the date on which it starts: a holiday does not cut short
// the night shift of the day before. Shifts that overlap across dates count
// once. Where the wall clock jumps, a shift starts and ends the first time the
// clock shows its time or a later one: a shift within a skipped hour is empty,
// one that spans a repeated hour is an hour longer.
type Calendar struct {
	hours Hours
	zone  *time.Location
	week  [7][]shift
	days  map[int64][]shift // by days since 1970-01-01
	last  int64             // greatest key of days; meaningless when empty
	works bool              // some weekday has a shift
}

// shift is [from, to) in minutes of wall time from the start of its date.
type shift struct{ from, to int }

// NewCalendar compiles hours; the error matches [ErrInvalid] and names the day.
func NewCalendar(h Hours) (*Calendar, error) {
	zone, err := time.LoadLocation(h.Zone)
	if err != nil || h.Zone == "Local" {
		return nil, fmt.Errorf("%w: calendar: zone %q is unknown", ErrInvalid, h.Zone)
	}
	h.Days = maps.Clone(h.Days)
	c := &Calendar{hours: h, zone: zone, days: make(map[int64][]shift, len(h.Days))}
	for d, text := range h.Week {
		if c.week[d], err = parseShifts(text); err != nil {
			return nil, fmt.Errorf("%w: calendar: %s: %w", ErrInvalid, time.Weekday(d), err)
		}
		c.works = c.works || len(c.week[d]) > 0
	}
	for _, date := range slices.Sorted(maps.Keys(h.Days)) {
		day, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return nil, fmt.Errorf("%w: calendar: %q is no date", ErrInvalid, date)
		}
		shifts, err := parseShifts(h.Days[date])
		if err != nil {
			return nil, fmt.Errorf("%w: calendar: %s: %w", ErrInvalid, date, err)
		}
		n := dayNumber(day)
		c.days[n] = shifts
		if len(c.days) == 1 || n > c.last {
			c.last = n
		}
	}
	return c, nil
}

// Hours returns the description that the calendar was made from.
func (c *Calendar) Hours() Hours {
	h := c.hours
	h.Days = maps.Clone(h.Days)
	return h
}

func dayNumber(day time.Time) int64 { return day.Unix() / 86400 }

func parseShifts(text string) ([]shift, error) {
	var out []shift
	for _, part := range strings.Fields(text) {
		from, to, ok := strings.Cut(part, "-")
		f, okFrom := parseClock(from)
		t, okTo := parseClock(to)
		if !ok || !okFrom || !okTo || f == 1440 {
			return nil, fmt.Errorf("%q is no shift such as 09:00-18:00", part)
		}
		if t <= f {
			t += 1440
		}
		if len(out) > 0 && f < out[len(out)-1].to {
			return nil, fmt.Errorf("shift %q starts before the one before it ends", part)
		}
		out = append(out, shift{f, t})
	}
	return out, nil
}

// parseClock reads "HH:MM" up to 24:00.
func parseClock(s string) (minutes int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	h, errH := strconv.ParseUint(s[:2], 10, 8)
	m, errM := strconv.ParseUint(s[3:], 10, 8)
	if errH != nil || errM != nil || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return int(h*60 + m), true
}

func (c *Calendar) shifts(day time.Time) []shift {
	if s, ok := c.days[dayNumber(day)]; ok {
		return s
	}
	return c.week[day.Weekday()]
}

// instant is the first instant at which the zone's wall clock shows wall (given
// as if in UTC) or later.
func (c *Calendar) instant(wall time.Time) time.Time {
	// No zone is more than a day from UTC, so the clock has not shown it yet.
	t := wall.Add(-24 * time.Hour)
	for {
		_, offset := t.In(c.zone).Zone()
		start, end := t.In(c.zone).ZoneBounds()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if !start.IsZero() && at.Before(start) {
			return start.UTC() // skipped by the jump at start
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		t = end
	}
}

// spans yields the working spans that end after from, disjoint and in order,
// without end unless the calendar runs out of workdays.
func (c *Calendar) spans(from time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(start, end time.Time) bool) {
		y, m, d := from.In(c.zone).Date()
		day := time.Date(y, m, d-2, 0, 0, 0, 0, time.UTC)
		done := from
		for ; c.works || len(c.days) > 0 && dayNumber(day) <= c.last; day = day.AddDate(0, 0, 1) {
			if day.Year() > 9999 {
				return
			}
			for _, s := range c.shifts(day) {
				end := c.instant(day.Add(time.Duration(s.to) * time.Minute))
				if !end.After(done) {
					continue
				}
				start := c.instant(day.Add(time.Duration(s.from) * time.Minute))
				if start.Before(done) {
					start = done
				}
				if !yield(start, end) {
					return
				}
				done = end
			}
		}
	}
}

// Open reports whether t is working time.
func (c *Calendar) Open(t time.Time) bool {
	for start := range c.spans(t) {
		return !start.After(t)
	}
	return false
}

// Next is the first instant of working time from t on; zero where there is none.
func (c *Calendar) Next(t time.Time) time.Time {
	for start := range c.spans(t) {
		return start.UTC()
	}
	return time.Time{}
}

// Between is the working time from a until b; negative where b is before a. It
// costs a step per day between the two.
func (c *Calendar) Between(a, b time.Time) time.Duration {
	if b.Before(a) {
		return -c.Between(b, a)
	}
	var sum time.Duration
	for start, end := range c.spans(a) {
		if !start.Before(b) {
			break
		}
		if end.After(b) {
			end = b
		}
		sum += end.Sub(start)
	}
	return sum
}

// Add is the first instant by which d of working time has passed since t: with
// d of a whole shift from its start, the end of the shift, not the start of the
// next. For d ≤ 0 it is t. The zero time says that the calendar runs out of
// workdays first.
func (c *Calendar) Add(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return t.UTC()
	}
	for start, end := range c.spans(t) {
		if span := end.Sub(start); span < d {
			d -= span
			continue
		}
		return start.Add(d).UTC()
	}
	return time.Time{}
}

// AddDays is the end of the n-th workday after the local date of t, n ≥ 1: "in
// three workdays" promised on any time of a Thursday is the following Tuesday's
// close of business. A workday is a date with a shift. The zero time says that
// the calendar runs out of workdays first.
func (c *Calendar) AddDays(t time.Time, n int) time.Time {
	y, m, d := t.In(c.zone).Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	for n > 0 {
		day = day.AddDate(0, 0, 1)
		if day.Year() > 9999 || !c.works && dayNumber(day) > c.last {
			return time.Time{}
		}
		shifts := c.shifts(day)
		if len(shifts) == 0 {
			continue
		}
		if n--; n == 0 {
			return c.instant(day.Add(time.Duration(shifts[len(shifts)-1].to) * time.Minute)).UTC()
		}
	}
	return t.UTC()
}

type hoursJSON struct {
	Format int               `json:"format"`
	Zone   string            `json:"zone,omitempty"`
	Week   map[string]string `json:"week"`
	Days   map[string]string `json:"days,omitempty"`
}

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// MarshalJSON writes the hours with their format version, weekdays as "mon".
func (h Hours) MarshalJSON() ([]byte, error) {
	w := hoursJSON{Format: formatVersion, Zone: h.Zone, Week: map[string]string{}, Days: h.Days}
	for d, text := range h.Week {
		if text != "" {
			w.Week[dayNames[d]] = text
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes and validates it; the error
// matches [ErrInvalid].
func (h *Hours) UnmarshalJSON(b []byte) error {
	var w hoursJSON
	if err := decodeStrict(b, &w); err != nil {
		return fmt.Errorf("%w: calendar: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: calendar: format %d, want %d", ErrInvalid, w.Format, formatVersion)
	}
	out := Hours{Zone: w.Zone, Days: w.Days}
	for name, text := range w.Week {
		d := slices.Index(dayNames[:], name)
		if d < 0 {
			return fmt.Errorf("%w: calendar: %q is no weekday", ErrInvalid, name)
		}
		out.Week[d] = text
	}
	if _, err := NewCalendar(out); err != nil {
		return err
	}
	*h = out
	return nil
}
