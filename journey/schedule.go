package journey

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
	"github.com/cxkit/cxkit/profile"
)

// Recurrence is when a schedule comes round, in the journey's time zone.
type Recurrence struct {
	Every    period         `json:"every,omitempty"`
	Days     []time.Weekday `json:"days,omitempty"`
	Day      int            `json:"day,omitempty"`
	Month    time.Month     `json:"month,omitempty"`
	Calendar string         `json:"calendar,omitempty"`
	Clock    string         `json:"clock,omitempty"`
}

type period string

const (
	everyDay   period = "day"
	everyMonth period = "month"
	everyYear  period = "year"
)

// Daily comes round every day at a local time, "09:00".
func Daily(clock string) Recurrence { return Recurrence{Every: everyDay, Clock: clock} }

// Weekly comes round on these days of the week at a local time.
func Weekly(clock string, days ...time.Weekday) Recurrence {
	if days == nil {
		days = []time.Weekday{}
	}
	return Recurrence{Every: everyDay, Days: days, Clock: clock}
}

// Monthly comes round on a day of every month, 1 to 31, at a local time; months
// that are shorter take their last day.
func Monthly(day int, clock string) Recurrence {
	return Recurrence{Every: everyMonth, Day: day, Clock: clock}
}

// Yearly comes round on a date of every year at a local time; 29 February falls on
// the 28th in other years.
func Yearly(month time.Month, day int, clock string) Recurrence {
	return Recurrence{Every: everyYear, Month: month, Day: day, Clock: clock}
}

// OnCalendar comes round when the calendar registered under the name says so;
// see [Config].Calendars.
func OnCalendar(name string) Recurrence { return Recurrence{Calendar: name} }

// Calendar is a user's own calendar: the first date after an instant, in a time
// zone; ok is false for never. A schedule asks with the zero Value, a date with
// the value of its field, such as a lunar birthday. It must be a pure function.
type Calendar func(v profile.Value, after time.Time, zone *time.Location) (at time.Time, ok bool)

// Listing lists the members of an audience as of an instant.
type Listing func(ctx context.Context, at time.Time) iter.Seq2[profile.ID, error]

type scheduleSpec struct {
	Name     string     `json:"name"`
	When     Recurrence `json:"when"`
	Audience string     `json:"audience"`
}

// Every gives the journey a schedule. When it comes round, every member of the
// audience gets a [Tick] of that name, which only this journey hears; use it
// with Enter. Members are listed by [Config].Members.
func (b *Builder) Every(name string, when Recurrence, audience string) *Builder {
	b.spec.Schedules = append(b.spec.Schedules, scheduleSpec{name, when, audience})
	return b
}

// String is the recurrence in words.
func (r Recurrence) String() string {
	switch {
	case r.Calendar != "":
		return "by calendar " + r.Calendar
	case r.Every == everyMonth:
		return fmt.Sprintf("on day %d of the month at %s", r.Day, r.Clock)
	case r.Every == everyYear:
		return fmt.Sprintf("every %d %s at %s", r.Day, r.Month, r.Clock)
	case len(r.Days) > 0:
		var days []string
		for _, d := range r.Days {
			days = append(days, d.String()[:3])
		}
		return "every " + strings.Join(days, ", ") + " at " + r.Clock
	}
	return "every day at " + r.Clock
}

// check says what is wrong with the recurrence, "" for nothing.
func (r Recurrence) check() string {
	if r.Calendar != "" {
		if r.Every != "" {
			return "a calendar needs no period"
		}
		return ""
	}
	if _, err := localtime.Parse(r.Clock); err != nil {
		return err.Error()
	}
	switch {
	case r.Every == everyDay && (r.Days == nil || len(r.Days) > 0):
		for _, d := range r.Days {
			if d < time.Sunday || d > time.Saturday {
				return "there is no such weekday"
			}
		}
		return ""
	case r.Every == everyDay:
		return "no weekday is named"
	case r.Every == everyMonth && r.Day >= 1 && r.Day <= 31:
		return ""
	case r.Every == everyYear && r.Month >= time.January && r.Month <= time.December && r.Day >= 1 && r.Day <= 31:
		return ""
	}
	return "there is no such period or day"
}

// next is the first time after an instant at which the schedule comes round.
func (r Recurrence) next(after time.Time, zone *time.Location, calendars map[string]Calendar) (time.Time, bool) {
	if r.Calendar != "" {
		c := calendars[r.Calendar]
		if c == nil {
			return time.Time{}, false
		}
		at, ok := c(profile.Value{}, after, zone)
		return micro(at), ok && at.After(after)
	}
	minute, err := localtime.Parse(r.Clock)
	if err != nil {
		return time.Time{}, false
	}
	today := localtime.DateOf(after, zone)
	switch r.Every {
	case everyMonth:
		first := localtime.Date{Year: today.Year, Month: today.Month, Day: 1}
		for n := 0; ; n++ {
			d := first.AddMonths(n)
			d = d.Plus(min(r.Day, d.AddMonths(1).Plus(-1).Day) - 1)
			if at := d.At(minute, zone); at.After(after) {
				return micro(at), true
			}
		}
	case everyYear:
		for n := 0; ; n++ {
			first := localtime.Date{Year: today.Year + n, Month: r.Month, Day: 1}
			d := first.Plus(min(r.Day, first.AddMonths(1).Plus(-1).Day) - 1)
			if at := d.At(minute, zone); at.After(after) {
				return micro(at), true
			}
		}
	}
	at := localtime.Next(after, minute, zone)
	for len(r.Days) > 0 && !slices.Contains(r.Days, localtime.DateOf(at, zone).Weekday()) {
		at = localtime.Next(at, minute, zone)
	}
	return micro(at), true
}

// scheduleID is the row of the store that wakes when a schedule comes round: an
// instance of nobody.
func scheduleID(journey, name string) string { return "schedule/" + journey + "/" + name }

// schedules are the rows of a definition's schedules that have to be written
// when it is deployed.
func (e *Engine) schedules(ctx context.Context, d *Definition, now time.Time) ([]InstanceRow, error) {
	var out []InstanceRow
	for _, s := range d.spec.Schedules {
		f, err := e.store.Get(ctx, Lookup{Instance: scheduleID(d.Name(), s.Name)})
		if err != nil {
			return nil, err
		}
		row := InstanceRow{}
		if f.Instance != nil {
			row = *f.Instance
		}
		if row.Instance.Version == d.version && row.Instance.Status == Active {
			continue
		}
		row.Instance = Instance{
			ID: scheduleID(d.Name(), s.Name), Journey: d.Name(), Version: d.version, Status: Active, State: s.Name,
			StartedAt: now, EnteredAt: now, Seq: row.Instance.Seq + 1,
		}
		row.Dead, row.Attempts, row.Error = false, 0, ""
		row.Instance.Due, _ = s.When.next(now, d.zone, e.cfg.Calendars)
		row.Wake = row.Instance.Due
		out = append(out, row)
	}
	return out, nil
}

// tick is a schedule coming round for a customer.
func (d *Definition) tick(s *scheduleSpec, id profile.ID, at time.Time) Input {
	return Input{
		ID:   fmt.Sprintf("tick/%s/%s/%d/%s", d.Name(), s.Name, at.UnixMicro(), id),
		Kind: TickInput, Name: d.Name() + "/" + s.Name, Customer: id, Time: at, Received: at,
	}
}

// tickAll takes the ticks of members, gathered in a commit.
func (e *Engine) tickAll(ctx context.Context, lot []Input) error {
	if err := e.refresh(ctx); err != nil {
		return err
	}
	receipts := make([]Receipt, len(lot))
	if err := e.ingestWindow(ctx, lot, receipts, func(*Input) error { return nil }); err != nil {
		return err
	}
	for _, r := range receipts {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// tick gives every member of a schedule's audience its input, for each time at
// which the schedule has come round, and arms it anew. The inputs have IDs of
// their own, so that what breaks off is simply done again.
func (e *Engine) tick(ctx context.Context, row *InstanceRow, now time.Time) error {
	in := &row.Instance
	d, err := e.version(ctx, DefinitionKey{in.Journey, in.Version})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(d.spec.Schedules, func(s scheduleSpec) bool { return s.Name == in.State })
	current, err := e.store.Get(ctx, Lookup{Definition: DefinitionKey{Journey: in.Journey}})
	if err != nil {
		return err
	}
	if i < 0 || current.Definition == nil || current.Definition.Version != in.Version {
		in.Status, in.Due = Ended, time.Time{} // the version that replaced it does without
		return nil
	}
	s := &d.spec.Schedules[i]
	list := e.cfg.Members[s.Audience]
	if list == nil {
		return fmt.Errorf("%w: members of %q", ErrUnbound, s.Audience)
	}
	for !in.Due.IsZero() && !in.Due.After(now) {
		var lot []Input
		for id, err := range list(ctx, in.Due) {
			if err != nil {
				return fmt.Errorf("journey: members of %q: %w", s.Audience, err)
			}
			if lot = append(lot, d.tick(s, id, in.Due)); len(lot) == e.cfg.Gather {
				if err := e.tickAll(ctx, lot); err != nil {
					return err
				}
				lot = lot[:0]
			}
		}
		if err := e.tickAll(ctx, lot); err != nil {
			return err
		}
		in.EnteredAt = in.Due
		in.Due, _ = s.When.next(in.Due, d.zone, e.cfg.Calendars)
		in.Seq++
	}
	return nil
}
