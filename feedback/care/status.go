package care

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Status is how a case stands at an instant, in a form that explains itself.
type Status struct {
	Case     string    `json:"case"`
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"`
	State    string    `json:"state"`
	Phase    Phase     `json:"phase"`
	Since    time.Time `json:"since"` // when it came to this state
	Assignee string    `json:"assignee,omitempty"`
	// Can are the verbs that the state allows.
	Can    []string      `json:"can,omitempty"`
	Clocks []ClockStatus `json:"clocks,omitempty"`
	// Lapses are all that was over by time, in order.
	Lapses []Lapse `json:"lapses,omitempty"`
	// Promise is the last time promised, Broken that it passed unmet.
	Promise time.Time `json:"promise,omitzero"`
	Broken  bool      `json:"broken,omitempty"`
	// Loaner is out with the customer.
	Loaner string `json:"loaner,omitempty"`
	// WarrantyUntil is that of the product when the case was opened, and
	// UnderWarranty whether it held then.
	WarrantyUntil time.Time `json:"warranty_until,omitzero"`
	UnderWarranty bool      `json:"under_warranty,omitempty"`
}

// ClockStatus is how a clock stands at an instant.
type ClockStatus struct {
	Target string `json:"target"`
	// Within is the working time allowed, Consumed what has passed.
	Within   time.Duration `json:"within"`
	Consumed time.Duration `json:"consumed"`
	// DoneAt is when the goal was reached; zero while it is not.
	DoneAt time.Time `json:"done_at,omitzero"`
	// Standing says that the clock does not run: paused.
	Standing bool `json:"standing,omitempty"`
	// BreachedAt is the instant at which it was over, DueAt at which it will
	// be if the clock runs on; zero where neither applies.
	BreachedAt time.Time `json:"breached_at,omitzero"`
	DueAt      time.Time `json:"due_at,omitzero"`
}

// Breached reports whether any target was missed by the instant of the status.
func (s Status) Breached() bool {
	for _, k := range s.Clocks {
		if !k.BreachedAt.IsZero() {
			return true
		}
	}
	return false
}

// Status tells how a case stands at an instant, whether or not RunDue has run.
// An instant before the last action on the case counts as that of the action.
func (d *Desk) Status(ctx context.Context, id string, at time.Time) (Status, error) {
	c, err := d.Case(ctx, id)
	if err != nil {
		return Status{}, err
	}
	return d.StatusOf(c, at), nil
}

// StatusOf is Status of a case at hand.
func (d *Desk) StatusOf(c Case, at time.Time) Status {
	at = micro(at)
	if at.Before(c.lastTime()) {
		at = c.lastTime()
	}
	c = c.clone()
	d.clocks.settle(&c, at)
	s := Status{
		Case: c.ID, Kind: c.Kind, At: at, State: c.State, Phase: c.Phase, Since: c.Time, Assignee: c.Assignee,
		Can: d.flows[c.Kind].Verbs(c.State), Lapses: c.Lapses, Loaner: c.Loaner,
		WarrantyUntil: c.WarrantyUntil, UnderWarranty: c.UnderWarranty(),
	}
	for _, e := range c.History {
		if e.From != e.To {
			s.Since = e.Time
		}
	}
	if n := len(c.Promises); n > 0 {
		s.Promise = c.Promises[n-1].By
	}
	for _, l := range c.Lapses {
		s.Broken = s.Broken || l.Target == promiseLapse && l.Round == len(c.Promises)
	}
	upcoming := d.clocks.upcoming(&c)
	for _, k := range c.Clocks {
		ks := ClockStatus{
			Target: k.Target.Name, Within: k.Target.Within, Consumed: k.Consumed, DoneAt: k.DoneAt,
			Standing: k.Since.IsZero() && k.DoneAt.IsZero(),
		}
		for _, l := range c.Lapses {
			if l.Target == ks.Target && l.Percent == 100 {
				ks.BreachedAt = l.At
			}
		}
		for _, l := range upcoming {
			if l.Target == ks.Target && l.Percent == 100 {
				ks.DueAt = l.At
			}
		}
		s.Clocks = append(s.Clocks, ks)
	}
	return s
}

// String explains the case to a shop assistant; times are in UTC.
func (s Status) String() string { return s.In(time.UTC) }

// In is String with times in a zone.
func (s Status) In(zone *time.Location) string {
	at := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04") }
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s is %s since %s", s.Kind, s.Case, s.State, at(s.Since))
	for _, k := range s.Clocks {
		fmt.Fprintf(&b, "; %s: ", k.Target)
		used := fmt.Sprintf("%s of %s used", short(k.Consumed), short(k.Within))
		switch {
		case !k.DoneAt.IsZero() && k.BreachedAt.IsZero():
			fmt.Fprintf(&b, "met on %s, %s", at(k.DoneAt), used)
		case !k.DoneAt.IsZero():
			fmt.Fprintf(&b, "met late on %s, was over at %s", at(k.DoneAt), at(k.BreachedAt))
		case !k.BreachedAt.IsZero():
			fmt.Fprintf(&b, "over since %s", at(k.BreachedAt))
		case k.Standing:
			fmt.Fprintf(&b, "stands, %s", used)
		default:
			fmt.Fprintf(&b, "due before %s, %s", at(k.DueAt), used)
		}
	}
	if !s.Promise.IsZero() {
		fmt.Fprintf(&b, "; promised by %s", at(s.Promise))
		if s.Broken {
			b.WriteString(", not kept")
		}
	}
	switch {
	case s.UnderWarranty:
		fmt.Fprintf(&b, "; under warranty until %s", at(s.WarrantyUntil))
	case !s.WarrantyUntil.IsZero():
		fmt.Fprintf(&b, "; warranty was over at %s", at(s.WarrantyUntil))
	}
	if s.Loaner != "" {
		fmt.Fprintf(&b, "; loaner %s is out", s.Loaner)
	}
	return b.String()
}

// short writes a duration in hours and minutes: "3h20m", rounded down.
func short(d time.Duration) string {
	h, m := int64(d/time.Hour), int64(d%time.Hour/time.Minute)
	if h == 0 {
		return fmt.Sprintf("%dm", m)
	}
	return fmt.Sprintf("%dh%02dm", h, m)
}
