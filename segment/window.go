package segment

import (
	"fmt"
	"time"
)

// Window is the stretch of time, up to the instant of evaluation t, in which a
// behavior counts. The zero Window is [Ever]. Windows are exact to the
// microsecond; what happened at the older edge itself is out, what happens at
// t is in.
type Window struct {
	kind windowKind
	span int64 // rolling: microseconds
	unit Unit  // calendar
	back int   // calendar: the oldest unit is that many before the one of t
	skip int   // calendar: the newest unit is that many before the one of t
	from int64 // fixed
	to   int64 // fixed
	err  string
}

type windowKind uint8

const (
	windowEver windowKind = iota
	windowRolling
	windowCalendar
	windowFixed
	windowShifted // the rolling window before the rolling window
)

// Ever is all time up to t.
func Ever() Window { return Window{} }

// Last is the rolling window (t−d, t]. d is positive and counted in elapsed
// time: a change of the clocks does not lengthen or shorten it.
func Last(d time.Duration) Window {
	w := Window{kind: windowRolling, span: d.Microseconds()}
	if w.span <= 0 || w.span > maxDays*microsPerDay {
		w.err = fmt.Sprintf("a rolling window must be positive, at most %d days", maxDays)
	}
	return w
}

// Days is [Last] with n days of 24 hours each.
func Days(n int) Window {
	if n <= 0 || n > maxDays {
		return Window{kind: windowRolling, err: fmt.Sprintf("a rolling window has 1 to %d days", maxDays)}
	}
	return Window{kind: windowRolling, span: int64(n) * microsPerDay}
}

// maxDays bounds windows so that no arithmetic on instants overflows.
const maxDays = 200 * 366

// This is the calendar unit that holds t, from its beginning up to t, in the
// zone of the definition: This(Month) is this month so far.
func This(u Unit) Window { return calendarWindow(u, 0, 0) }

// Recent is the calendar unit that holds t and the n−1 before it: Recent(90, Day)
// is today so far and the 89 days before.
func Recent(n int, u Unit) Window { return calendarWindow(u, n-1, 0) }

// Previous is the n whole calendar units before the one that holds t:
// Previous(1, Month) is last month.
func Previous(n int, u Unit) Window { return calendarWindow(u, n, 1) }

func calendarWindow(u Unit, back, skip int) Window {
	w := Window{kind: windowCalendar, unit: u, back: back, skip: skip}
	if u < Day || u > Year {
		w.err = "unknown calendar unit"
	} else if back < skip || back > maxDays {
		w.err = fmt.Sprintf("a calendar window has 1 to %d units", maxDays)
	}
	return w
}

// Between is the fixed window [from, to); a zero from or to leaves that side open.
func Between(from, to time.Time) Window {
	if from.IsZero() && to.IsZero() {
		return Ever()
	}
	w := Window{kind: windowFixed, from: always, to: never}
	if !from.IsZero() {
		w.from = micros(from)
	}
	if !to.IsZero() {
		w.to = micros(to)
	}
	if w.from >= w.to {
		w.err = "a fixed window must end after it begins"
	}
	return w
}

// Grain makes a rolling window of days coarse: it then counts whole days of the
// definition's zone, today and the days before it, as [Recent] does. Every
// evaluator is bound by it. Only Day is a grain, and only of [Days].
func (w Window) Grain(u Unit) Window {
	if w.err == "" && (u != Day || w.kind != windowRolling || w.span%microsPerDay != 0) {
		w.err = "only a rolling window of days has a grain, and only Day is one"
		return w
	}
	if w.err != "" {
		return w
	}
	return Recent(int(w.span/microsPerDay), Day)
}

// String says the window as in "in 90 days".
func (w Window) String() string {
	switch w.kind {
	case windowRolling:
		return "in " + spanText(w.span)
	case windowCalendar:
		switch {
		case w.back == 0:
			return "this " + w.unit.String()
		case w.skip == 0:
			return fmt.Sprintf("in %d %ss up to now", w.back+1, w.unit)
		case w.back == 1:
			return "last " + w.unit.String()
		case w.skip == 1:
			return fmt.Sprintf("in the last %d whole %ss", w.back, w.unit)
		}
		return fmt.Sprintf("in the %d %ss before the last %d", w.back-w.skip+1, w.unit, w.skip-1)
	case windowShifted:
		return "in the " + spanText(w.span) + " before"
	case windowFixed:
		switch {
		case w.from == always:
			return "before " + instant(w.to).Format(time.DateTime) + " UTC"
		case w.to == never:
			return "since " + instant(w.from).Format(time.DateTime) + " UTC"
		}
		return "from " + instant(w.from).Format(time.DateTime) + " to " + instant(w.to).Format(time.DateTime) + " UTC"
	}
	return "ever"
}

// spanText writes a duration in the largest unit that divides it: "90 days", "36 hours".
func spanText(span int64) string {
	d := time.Duration(span) * time.Microsecond
	switch {
	case span == microsPerDay:
		return "1 day"
	case span%microsPerDay == 0:
		return fmt.Sprintf("%d days", span/microsPerDay)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.String()
}

// bounds gives the window at t: what happened at m is in it where lo < m ≤ hi.
func (w Window) bounds(c clocks, t int64) (lo, hi int64) {
	switch w.kind {
	case windowRolling:
		return t - w.span, t
	case windowShifted:
		return t - 2*w.span, t - w.span
	case windowCalendar:
		lo = c.boundary(w.unit, t, -w.back) - 1
		if w.skip == 0 {
			return lo, t
		}
		return lo, c.boundary(w.unit, t, 1-w.skip) - 1
	case windowFixed:
		return w.from - 1, min(t, w.to-1)
	}
	return always, t
}

// enter is the first instant at which what happened at m can be in the window,
// or never.
func (w Window) enter(c clocks, m int64) int64 {
	switch {
	case w.kind == windowShifted:
		return m + w.span
	case w.kind == windowCalendar && w.skip > 0:
		return c.boundary(w.unit, m, w.skip)
	case w.kind == windowFixed && m >= w.to:
		return never
	}
	return m
}

// leave is the first instant at which what happened at m is in the window no
// more, or never.
func (w Window) leave(c clocks, m int64) int64 {
	switch w.kind {
	case windowRolling:
		return m + w.span
	case windowShifted:
		return m + 2*w.span
	case windowCalendar:
		return c.boundary(w.unit, m, w.back+1)
	case windowFixed:
		if m < w.from {
			return always
		}
	}
	return never
}

// before is the window of the same length that ends where w begins; ok is
// false for a window that has none.
func (w Window) before() (v Window, ok bool) {
	switch w.kind {
	case windowRolling:
		return Window{kind: windowShifted, span: w.span}, true
	case windowCalendar:
		n := w.back - w.skip + 1
		return Window{kind: windowCalendar, unit: w.unit, back: w.back + n, skip: w.skip + n}, true
	}
	return Window{}, false
}
