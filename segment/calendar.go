package segment

import "time"

// Instants inside the package are Unix microseconds.
const (
	never  = int64(1<<63 - 1) // after every instant
	always = -int64(1 << 62)  // before every instant; far enough from the edge to subtract from

	microsPerDay = int64(24 * time.Hour / time.Microsecond)
)

func micros(t time.Time) int64 { return t.UnixMicro() }

func instant(m int64) time.Time {
	if m == never {
		return time.Time{}
	}
	return time.UnixMicro(m).UTC()
}

// Unit is a calendar unit of a named zone.
type Unit uint8

// The calendar units. A week begins on Monday.
const (
	Day Unit = iota + 1
	Week
	Month
	Quarter
	Year
)

var unitNames = [...]string{"", "day", "week", "month", "quarter", "year"}

func (u Unit) String() string {
	if u >= Day && u <= Year {
		return unitNames[u]
	}
	return "unit(?)"
}

// date is a day of the proleptic Gregorian calendar, without a zone.
type date struct {
	year  int
	month time.Month
	day   int
}

func (d date) add(days int) date {
	t := time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC)
	return date{t.Year(), t.Month(), t.Day()}
}

// clocks is calendar arithmetic in one zone. A day begins at the first instant
// whose local date is that day or a later one: where clocks skip midnight it
// begins when they have skipped it, and an hour that occurs twice belongs to
// the day in which it occurs first. So days never overlap and leave no gap.
type clocks struct{ loc *time.Location }

// start is the first instant of a day.
func (c clocks) start(d date) int64 {
	wall := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC)
	_, early := wall.Add(-26 * time.Hour).In(c.loc).Zone()
	_, late := wall.Add(26 * time.Hour).In(c.loc).Zone()
	first := wall.Add(-time.Duration(max(early, late)) * time.Second)
	if early == late {
		return first.UnixMicro()
	}
	// The offset changes near this midnight. Walk from before it to the first
	// instant whose local date has come: at an offset's own midnight or where
	// an offset begins.
	for t := first.Add(-2 * time.Hour); ; {
		_, offset := t.In(c.loc).Zone()
		_, end := t.In(c.loc).ZoneBounds()
		midnight := wall.Add(-time.Duration(offset) * time.Second)
		if midnight.Before(t) {
			midnight = t
		}
		if end.IsZero() || midnight.Before(end) {
			return midnight.UnixMicro()
		}
		t = end
	}
}

// day is the day to which an instant belongs.
func (c clocks) day(m int64) date {
	t := time.UnixMicro(m).In(c.loc)
	d := date{t.Year(), t.Month(), t.Day()}
	// A local date that occurs again after the next day has begun.
	if next := d.add(1); c.start(next) <= m {
		return next
	}
	return d
}

// floor is the first day of the unit that holds d.
func (u Unit) floor(d date) date {
	switch u {
	case Week:
		wd := int(time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Weekday())
		return d.add(-(wd + 6) % 7)
	case Month:
		return date{d.year, d.month, 1}
	case Quarter:
		return date{d.year, d.month - (d.month-1)%3, 1}
	case Year:
		return date{d.year, time.January, 1}
	}
	return d
}

// shift moves the first day of a unit by n units.
func (u Unit) shift(d date, n int) date {
	switch u {
	case Week:
		return d.add(7 * n)
	case Month:
		return addMonths(d, n)
	case Quarter:
		return addMonths(d, 3*n)
	case Year:
		return addMonths(d, 12*n)
	}
	return d.add(n)
}

func addMonths(d date, n int) date {
	t := time.Date(d.year, d.month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return date{t.Year(), t.Month(), 1}
}

// boundary is the first instant of the unit that lies n units after the one
// that holds m.
func (c clocks) boundary(u Unit, m int64, n int) int64 {
	return c.start(u.shift(u.floor(c.day(m)), n))
}
