package loyalty

import (
	"fmt"
	"time"
)

// ExpiryKind says how the last valid day of a lot is found.
type ExpiryKind string

// The kinds of expiry policy. Days are those of the program's zone, and the
// last valid day is valid to its end.
const (
	ExpireNever        ExpiryKind = "never"          // no end
	ExpireDays         ExpiryKind = "days"           // N days after the clock's day
	ExpireMonths       ExpiryKind = "months"         // N months after it, clamped to the month's last day
	ExpireEndOfMonth   ExpiryKind = "end_of_month"   // last day of the N-th month after it (0: the same month)
	ExpireEndOfQuarter ExpiryKind = "end_of_quarter" // last day of the N-th quarter after it
	ExpireEndOfYear    ExpiryKind = "end_of_year"    // last day of the N-th year after it
	ExpireOnDate       ExpiryKind = "date"           // the local day of Date
	ExpireAnniversary  ExpiryKind = "anniversary"    // the N-th next anniversary of Date after it (N at least 1; 29 February becomes the 28th)
	ExpireIdleDays     ExpiryKind = "idle_days"      // N days after the account's latest activity in the unit
	ExpireIdleMonths   ExpiryKind = "idle_months"    // N months after it, clamped
)

// Clock names the start of the expiry clock.
type Clock string

// The starts of the expiry clock.
const (
	ClockEarned Clock = "earned" // when the lot was earned; the default
	ClockUsable Clock = "usable" // when the lot became usable
)

// Expiry says when the lots of an award expire. The zero Expiry leaves it to
// the unit's configuration. Activity that an idle policy counts is every
// earning, redemption, capture and contribution; not a transfer received, a correction or a sweep.
type Expiry struct {
	Kind  ExpiryKind `json:"kind"`
	N     int        `json:"n,omitempty"`
	Date  time.Time  `json:"date,omitzero"`
	Clock Clock      `json:"clock,omitempty"`
}

// maxPeriods bounds N: longer than any program, short enough for the calendar.
const maxPeriods = 40_000

func (e Expiry) check() error {
	least := 1
	switch e.Kind {
	case "":
		if e != (Expiry{}) {
			return invalid("Expiry.Kind is empty")
		}
		return nil
	case ExpireNever, ExpireOnDate:
		least = 0
	case ExpireEndOfMonth, ExpireEndOfQuarter, ExpireEndOfYear:
		least = 0
	case ExpireDays, ExpireMonths, ExpireAnniversary, ExpireIdleDays, ExpireIdleMonths:
	default:
		return invalid("Expiry.Kind is unknown")
	}
	if e.N < least || e.N > maxPeriods {
		return invalid("Expiry.N must be from %d to %d", least, maxPeriods)
	}
	if (e.Kind == ExpireOnDate || e.Kind == ExpireAnniversary) && e.Date.IsZero() {
		return invalid("Expiry.Date is missing")
	}
	switch e.Clock {
	case "", ClockEarned, ClockUsable:
	default:
		return invalid("Expiry.Clock is unknown")
	}
	return checkTime("Expiry.Date", e.Date)
}

// String says the policy in words.
func (e Expiry) String() string {
	from := "earning"
	if e.Clock == ClockUsable {
		from = "becoming usable"
	}
	switch e.Kind {
	case ExpireDays:
		return fmt.Sprintf("%d days after %s", e.N, from)
	case ExpireMonths:
		return fmt.Sprintf("%d months after %s", e.N, from)
	case ExpireEndOfMonth:
		return fmt.Sprintf("at the end of month +%d after %s", e.N, from)
	case ExpireEndOfQuarter:
		return fmt.Sprintf("at the end of quarter +%d after %s", e.N, from)
	case ExpireEndOfYear:
		return fmt.Sprintf("at the end of year +%d after %s", e.N, from)
	case ExpireOnDate:
		return "after " + e.Date.Format(time.DateOnly)
	case ExpireAnniversary:
		return fmt.Sprintf("at anniversary +%d of %s", e.N, e.Date.Format("01-02"))
	case ExpireIdleDays:
		return fmt.Sprintf("%d days after the latest activity", e.N)
	case ExpireIdleMonths:
		return fmt.Sprintf("%d months after the latest activity", e.N)
	}
	return "never"
}

func (e Expiry) idle() bool { return e.Kind == ExpireIdleDays || e.Kind == ExpireIdleMonths }

// Instant is the moment from which a lot is expired, exclusive: the end of its
// last valid day in zone, given the start of its clock. [Forever] is never.
func (e Expiry) Instant(start time.Time, zone *time.Location) time.Time {
	if !start.Before(Forever) || e.Kind == "" || e.Kind == ExpireNever {
		return Forever
	}
	return e.after(dateOf(start, zone), zone)
}

// after is Instant for a clock that starts on a local day.
func (e Expiry) after(d date, zone *time.Location) time.Time {
	switch e.Kind {
	case ExpireDays, ExpireIdleDays:
		d = d.addDays(e.N)
	case ExpireMonths, ExpireIdleMonths:
		d = d.addMonths(e.N)
	case ExpireEndOfMonth:
		d = d.endOfMonth(e.N)
	case ExpireEndOfQuarter:
		d = d.endOfMonth(3*e.N + 2 - (int(d.month)-1)%3)
	case ExpireEndOfYear:
		d = d.endOfMonth(12*e.N + 12 - int(d.month))
	case ExpireOnDate:
		d = dateOf(e.Date, zone)
	case ExpireAnniversary:
		first := dateOf(e.Date, zone)
		n := 12 * (d.year - first.year)
		if !d.before(first.addMonths(n)) {
			n += 12
		}
		d = first.addMonths(n + 12*(e.N-1))
	}
	return d.end(zone)
}

// LastDay is the last local day on which something that ends at the exclusive
// instant end is valid; the zero time stands for "no end".
func LastDay(end time.Time, zone *time.Location) time.Time {
	if !end.Before(Forever) {
		return time.Time{}
	}
	d := dateOf(end.Add(-time.Microsecond), zone)
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC)
}

// AddMonths is the local day n months after that of t, clamped to the month's
// last day, as a date in UTC: 2024-02-29 and 12 months give 2025-02-28.
func AddMonths(t time.Time, n int, zone *time.Location) time.Time {
	d := dateOf(t, zone).addMonths(n)
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC)
}

// EndOfDay is the instant at which the local day of t is over in zone. Where
// the clocks are set back across midnight it is the last such instant; where
// midnight does not exist, the first instant after the gap.
func EndOfDay(t time.Time, zone *time.Location) time.Time { return dateOf(t, zone).end(zone) }

// date is a calendar day without a zone.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time, zone *time.Location) date {
	y, m, d := t.In(zone).Date()
	return date{y, m, d}
}

func (d date) before(e date) bool {
	if d.year != e.year {
		return d.year < e.year
	}
	if d.month != e.month {
		return d.month < e.month
	}
	return d.day < e.day
}

func (d date) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

func (d date) addDays(n int) date { return dateOf(d.utc().AddDate(0, 0, n), time.UTC) }

func (d date) addMonths(n int) date {
	last := d.endOfMonth(n)
	if d.day < last.day {
		last.day = d.day
	}
	return last
}

func (d date) endOfMonth(n int) date {
	return dateOf(time.Date(d.year, d.month+time.Month(n)+1, 0, 0, 0, 0, 0, time.UTC), time.UTC)
}

// end is the supremum of the instants whose local day is not after d. It looks
// at each span of constant offset around the day's end, because a calendar
// constructor alone does not say which side of a gap or fold it took.
func (d date) end(zone *time.Location) time.Time {
	midnight := d.addDays(1).utc()
	if midnight.Year() > 9998 {
		return Forever
	}
	at := midnight.Add(-30 * time.Hour).In(zone)
	limit := midnight.Add(30 * time.Hour)
	var end time.Time
	for {
		_, offset := at.Zone()
		_, next := at.ZoneBounds()
		e := midnight.Add(-time.Duration(offset) * time.Second)
		if !next.IsZero() && e.After(next) {
			e = next
		}
		if e.After(at) {
			end = e
		}
		if next.IsZero() || next.After(limit) {
			return instant(end)
		}
		at = next.In(zone)
	}
}
