package care

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Goal is what stops a clock.
type Goal string

const (
	// Responded is reached by the first action with Reply, or when the case
	// leaves the phase [Waiting].
	Responded Goal = "responded"
	// Done is reached when the case is resolved or closed. Reopening sets the
	// clock going again, with what it had counted.
	Done Goal = "done"
)

// Target is a time within which a goal must be reached.
type Target struct {
	// Name appears in notices: "first response".
	Name string `json:"name"`
	// Goal stops the clock.
	Goal Goal `json:"goal"`
	// Within is the working time allowed, in whole microseconds. The goal must
	// be reached before it has passed.
	Within time.Duration `json:"within"`
	// Calendar names one of [Config.Calendars]; empty counts around the clock.
	Calendar string `json:"calendar,omitempty"`
	// EscalateAt are the percentages of Within, 1 to 99 and ascending, at
	// which the desk gives notice before.
	EscalateAt []int `json:"escalate_at,omitempty"`
	// ThroughPauses keeps the clock going while the case is paused.
	ThroughPauses bool `json:"through_pauses,omitempty"`
}

// Policy gives targets to cases. The first policy that matches a case applies.
//
// Its JSON form carries "format":1 and refuses unknown fields.
type Policy struct {
	// Kind, Brand and Priority must equal those of the case; empty matches all.
	Kind     Kind
	Brand    string
	Priority string
	// Targets are distinct by name.
	Targets []Target
}

func (p Policy) matches(o Opening) bool {
	return (p.Kind == "" || p.Kind == o.Kind) && (p.Brand == "" || p.Brand == o.Brand) &&
		(p.Priority == "" || p.Priority == o.Priority)
}

// validate checks the names of calendars only where these are given.
func (p Policy) validate(calendars map[string]*Calendar) error {
	for i, t := range p.Targets {
		fail := func(text string) error { return fmt.Errorf("%w: target %q: %s", ErrInvalid, t.Name, text) }
		switch {
		case t.Name == "" || t.Name == promiseLapse || len(t.Name) > maxKeyBytes:
			return fail("name: empty, too long or reserved")
		case slices.ContainsFunc(p.Targets[:i], func(o Target) bool { return o.Name == t.Name }):
			return fail("name: twice in a policy")
		case t.Goal != Responded && t.Goal != Done:
			return fail(fmt.Sprintf("goal %q is unknown", t.Goal))
		case t.Within <= 0 || t.Within%time.Microsecond != 0:
			return fail("within: not a positive number of microseconds")
		case calendars != nil && t.Calendar != "" && calendars[t.Calendar] == nil:
			return fail(fmt.Sprintf("calendar %q is unknown", t.Calendar))
		}
		for j, pct := range t.EscalateAt {
			if pct < 1 || pct > 99 || j > 0 && pct <= t.EscalateAt[j-1] {
				return fail("escalations: not ascending from 1 to 99")
			}
		}
	}
	return nil
}

// Clock measures a target of one case, as of the last action on it.
type Clock struct {
	Target Target `json:"target"`
	// Consumed is the working time counted until Since.
	Consumed time.Duration `json:"consumed"`
	// Since is when the clock was last set going or read; zero while it stands.
	Since time.Time `json:"since,omitzero"`
	// DoneAt is when the goal was reached; zero while it is not.
	DoneAt time.Time `json:"done_at,omitzero"`
}

// Lapse is one thing that was over by time.
type Lapse struct {
	// Target is the clock's, or "promise".
	Target string `json:"target"`
	// Percent of the target that had passed; 100 is the breach.
	Percent int `json:"percent"`
	// At is the exact instant.
	At time.Time `json:"at"`
	// Round numbers the promises of a case from 1; 0 for a clock.
	Round int `json:"round,omitempty"`
}

const promiseLapse = "promise"

// key names the lapse within its case.
func (l Lapse) key() string { return fmt.Sprintf("%s/%d/%d", l.Target, l.Round, l.Percent) }

// announcement names the lapse with its instant: a late report of a pause moves
// a lapse that was announced already, and the true one is announced again.
func (l Lapse) announcement() string {
	return fmt.Sprintf("%s/%d@%d", l.Target, l.Percent, l.At.UnixMicro())
}

// clockwork gives the calendars by name; around the clock for "".
type clockwork map[string]*Calendar

func (w clockwork) add(calendar string, t time.Time, d time.Duration) time.Time {
	if cal := w[calendar]; cal != nil {
		return cal.Add(t, d)
	}
	return t.Add(d)
}

func (w clockwork) between(calendar string, a, b time.Time) time.Duration {
	if cal := w[calendar]; cal != nil {
		return cal.Between(a, b)
	}
	return b.Sub(a)
}

// mark is the working time after which a percentage has passed, to the
// microsecond; 100 is the whole.
func (t Target) mark(percent int) time.Duration {
	micros := int64(t.Within / time.Microsecond)
	whole, rest := micros/100, micros%100
	return time.Duration(whole*int64(percent)+rest*int64(percent)/100) * time.Microsecond
}

// upcoming lists what lapses from the state of the case if nothing happens to
// it, in order, without what has lapsed already.
func (w clockwork) upcoming(c *Case) []Lapse {
	var out []Lapse
	add := func(l Lapse) {
		if !l.At.IsZero() && !slices.ContainsFunc(c.Lapses, func(o Lapse) bool { return o.key() == l.key() }) {
			out = append(out, l)
		}
	}
	for _, k := range c.Clocks {
		if k.Since.IsZero() {
			continue
		}
		for _, pct := range append(slices.Clone(k.Target.EscalateAt), 100) {
			left := k.Target.mark(pct) - k.Consumed
			add(Lapse{Target: k.Target.Name, Percent: pct, At: w.add(k.Target.Calendar, k.Since, left)})
		}
	}
	if n := len(c.Promises); n > 0 && !c.Phase.Done() {
		if p := c.Promises[n-1]; p.Mode == profile.Live && p.KeptAt.IsZero() {
			add(Lapse{Target: promiseLapse, Percent: 100, At: p.By, Round: n})
		}
	}
	slices.SortStableFunc(out, func(a, b Lapse) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Percent, b.Percent))
	})
	return out
}

// settle brings lapses and clocks up to t.
func (w clockwork) settle(c *Case, t time.Time) {
	for _, l := range w.upcoming(c) {
		if !l.At.After(t) {
			c.Lapses = append(c.Lapses, l)
		}
	}
	for i := range c.Clocks {
		if k := &c.Clocks[i]; !k.Since.IsZero() {
			k.Consumed += w.between(k.Target.Calendar, k.Since, t)
			k.Since = t
		}
	}
}

// align starts and stops clocks and promises for the state the case has at t;
// reply says that the customer was answered.
func (c *Case) align(t time.Time, reply bool) {
	for i := range c.Clocks {
		k := &c.Clocks[i]
		switch {
		case k.Target.Goal == Responded && k.DoneAt.IsZero() && (reply || c.Phase != Waiting),
			k.Target.Goal == Done && k.DoneAt.IsZero() && c.Phase.Done():
			k.DoneAt = t
		case k.Target.Goal == Done && !c.Phase.Done():
			k.DoneAt = time.Time{}
		}
		runs := k.DoneAt.IsZero() && (c.Phase != Paused || k.Target.ThroughPauses)
		switch {
		case runs && k.Since.IsZero():
			k.Since = t
		case !runs:
			k.Since = time.Time{}
		}
	}
	if n := len(c.Promises); n > 0 && c.Phase.Done() {
		if p := &c.Promises[n-1]; p.KeptAt.IsZero() && t.Before(p.By) {
			p.KeptAt = t
		}
	}
}
