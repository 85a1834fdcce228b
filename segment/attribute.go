package segment

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Attribute names a trait of the customer or, inside [Behavior.Where], a
// property of the event. A missing value passes only [Attribute.Missing]; a
// value of another kind than the test's passes none. Integers and decimals
// compare by what they are worth.
type Attribute struct{ name string }

// Attr is the attribute of that name.
func Attr(name string) Attribute { return Attribute{name} }

func (a Attribute) test(p predicate) Rule {
	return Rule{&node{kind: nodeAttr, attr: a.name, pred: p}}
}

// Is holds where the attribute is one of the texts.
func (a Attribute) Is(texts ...string) Rule {
	return a.test(predicate{op: opEqual, values: textValues(texts)})
}

// Equals holds where the attribute is one of the values.
func (a Attribute) Equals(values ...profile.Value) Rule {
	return a.test(predicate{op: opEqual, values: distinctValues(values)})
}

// True holds where the attribute is a flag that is set.
func (a Attribute) True() Rule { return a.Equals(profile.Flag(true)) }

// Has holds where the attribute is a set of tags with at least one of these.
func (a Attribute) Has(tags ...string) Rule {
	return a.test(predicate{op: opTagged, values: textValues(tags)})
}

// AtLeast holds where the attribute is v or more: an integer, decimal, instant or text.
func (a Attribute) AtLeast(v profile.Value) Rule { return a.test(atLeast(v)) }

// AtMost holds where the attribute is v or less.
func (a Attribute) AtMost(v profile.Value) Rule { return a.test(atMost(v)) }

// Above holds where the attribute is more than v.
func (a Attribute) Above(v profile.Value) Rule { return a.test(above(v)) }

// Below holds where the attribute is less than v.
func (a Attribute) Below(v profile.Value) Rule { return a.test(below(v)) }

// Between holds where the attribute is lo, hi or between them.
func (a Attribute) Between(lo, hi profile.Value) Rule { return a.test(between(lo, hi)) }

// Known holds where the attribute has a value of any kind.
func (a Attribute) Known() Rule { return a.test(predicate{op: opExists}) }

// Missing holds where the attribute has no value.
func (a Attribute) Missing() Rule { return a.test(predicate{op: opMissing}) }

func atLeast(v profile.Value) predicate { return predicate{op: opRange, lo: bound{value: v}} }
func atMost(v profile.Value) predicate  { return predicate{op: opRange, hi: bound{value: v}} }
func above(v profile.Value) predicate {
	return predicate{op: opRange, lo: bound{value: v, strict: true}}
}

func below(v profile.Value) predicate {
	return predicate{op: opRange, hi: bound{value: v, strict: true}}
}

func between(lo, hi profile.Value) predicate {
	return predicate{op: opRange, lo: bound{value: lo}, hi: bound{value: hi}}
}

func textValues(texts []string) []profile.Value {
	values := make([]profile.Value, len(texts))
	for i, s := range texts {
		values[i] = profile.Text(s)
	}
	return distinctValues(values)
}

// Within holds where the attribute is an instant in the window: a member who
// joined in the last 30 days is Attr("joined").Within(Days(30)).
func (a Attribute) Within(w Window) Rule {
	return Rule{&node{kind: nodeDate, attr: a.name, date: dateTest{kind: dateWithin, window: w}}}
}

// Ahead holds where the attribute is an instant in (t, t+d]: a card that ends
// within the next week.
func (a Attribute) Ahead(d time.Duration) Rule {
	return Rule{&node{kind: nodeDate, attr: a.name, date: dateTest{kind: dateAhead, span: d.Microseconds()}}}
}

// Anniversary holds from days whole days before the anniversary of the
// attribute until its day ends, in the zone of the definition: a birthday
// today or in the next seven days is Attr("birthday").Anniversary(7). The
// attribute is an instant, read in that zone, or a text "2006-01-02" or
// "01-02". 29 February is kept on 28 February in common years. The day itself,
// the first of all, is no anniversary. days is 0 to 300.
func (a Attribute) Anniversary(days int) Rule {
	return Rule{&node{kind: nodeDate, attr: a.name, date: dateTest{kind: dateAnniversary, days: days}}}
}

// Calendar tells when yearly days of another calendar recur, such as birthdays
// by the Chinese lunar calendar. The function gives the days on which a value,
// as the attribute holds it, recurs in a Gregorian year: none, one or several,
// of whose times only the dates count. A value that it cannot read recurs in no
// year. It must be pure and may be called concurrently. The name stands for it
// as that of a function does in [Func].
type Calendar struct{ days *calendarDays }

type calendarDays struct {
	name string
	in   func(v profile.Value, year int) []time.Time
}

// NewCalendar makes a calendar of the caller's.
func NewCalendar(name string, days func(v profile.Value, year int) []time.Time) Calendar {
	return Calendar{&calendarDays{name, days}}
}

// AnniversaryBy is [Attribute.Anniversary] by another calendar. Every day that
// the calendar gives counts; those more than 60 years ahead are not foreseen.
func (a Attribute) AnniversaryBy(c Calendar, days int) Rule {
	return Rule{&node{kind: nodeDate, attr: a.name, date: dateTest{kind: dateAnniversary, days: days, calendar: c.days, foreign: true}}}
}

// dateTest relates a date to the instant of evaluation.
type dateTest struct {
	kind   dateKind
	window Window // within
	span   int64  // ahead
	days   int    // anniversary
	// foreign anniversaries are by a calendar of the caller's.
	foreign  bool
	calendar *calendarDays
}

type dateKind uint8

const (
	dateWithin dateKind = iota + 1
	dateAhead
	dateAnniversary
)

var dateNames = [...]string{"", "within", "ahead", "anniversary"}

// maxAnniversaryDays keeps the run-up to one anniversary apart from the last.
const maxAnniversaryDays = 300

func (d dateTest) check() string {
	switch {
	case d.kind == dateWithin:
		return d.window.err
	case d.kind == dateAhead && (d.span <= 0 || d.span > maxDays*microsPerDay):
		return fmt.Sprintf("a time ahead must be positive, at most %d days", maxDays)
	case d.kind == dateAnniversary && (d.days < 0 || d.days > maxAnniversaryDays):
		return fmt.Sprintf("the days before an anniversary are 0 to %d", maxAnniversaryDays)
	case d.foreign && (d.calendar == nil || d.calendar.name == "" || d.calendar.in == nil):
		return "a calendar needs a name and a function"
	}
	return ""
}

func (d dateTest) String() string {
	switch d.kind {
	case dateWithin:
		return d.window.String()
	case dateAhead:
		return "in the next " + spanText(d.span)
	}
	by := ""
	if d.foreign {
		by = " by calendar " + d.calendar.name
	}
	if d.days == 0 {
		return "anniversary" + by + " today"
	}
	return fmt.Sprintf("anniversary%s in the next %d days", by, d.days)
}

// at evaluates the test for value v at t. until is the next instant after t at
// which the answer may be another, or never.
func (d dateTest) at(c clocks, v profile.Value, t int64) (holds bool, until int64) {
	switch {
	case d.foreign:
		return d.calendar.anniversary(c, v, d.days, t)
	case d.kind == dateAnniversary:
		return anniversary(c, v, d.days, t)
	}
	at, ok := v.Time()
	if !ok {
		return false, never
	}
	m := micros(at)
	var from, to int64
	if d.kind == dateAhead {
		from, to = m-d.span, m
	} else {
		from, to = max(m, d.window.enter(c, m)), d.window.leave(c, m)
	}
	switch {
	case from >= to || t >= to:
		return false, never
	case t < from:
		return false, from
	}
	return true, to
}

// anniversary finds the yearly day of v around t.
func anniversary(c clocks, v profile.Value, days int, t int64) (holds bool, until int64) {
	born, ok := yearlyDay(c, v)
	if !ok {
		return false, never
	}
	for year := max(c.day(t).year-1, born.year+1); ; year++ {
		d := date{year, born.month, born.day}
		if born.month == time.February && born.day == 29 && !leap(year) {
			d.day = 28
		}
		end := c.start(d.add(1))
		if end <= t {
			continue
		}
		if begin := c.start(d.add(-days)); t < begin {
			return false, begin
		}
		return true, end
	}
}

// calendarYears is how far ahead days of a calendar are looked for: a leap month
// comes back within a few decades.
const calendarYears = 60

// anniversary finds the day of v around t.
func (k *calendarDays) anniversary(c clocks, v profile.Value, days int, t int64) (holds bool, until int64) {
	if v.IsZero() {
		return false, never
	}
	until = never
	today := c.day(t).year
	for year := today; year <= today+calendarYears && until == never; year++ {
		for _, day := range k.in(v, year) {
			d := date{day.Year(), day.Month(), day.Day()}
			end := c.start(d.add(1))
			if d.year != year || end <= t {
				continue
			}
			begin := c.start(d.add(-days))
			if begin <= t {
				return true, end
			}
			until = min(until, begin)
		}
	}
	return false, until
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// yearlyDay reads the month and day that recur; a text without a year recurs
// in every year.
func yearlyDay(c clocks, v profile.Value) (date, bool) {
	if at, ok := v.Time(); ok {
		return c.day(micros(at)), true
	}
	s, ok := v.Text()
	if !ok {
		return date{}, false
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return date{t.Year(), t.Month(), t.Day()}, true
	}
	// 2000 is a leap year, so that 02-29 is a day.
	if t, err := time.Parse(time.DateOnly, "2000-"+s); err == nil {
		return date{0, t.Month(), t.Day()}, true
	}
	return date{}, false
}
