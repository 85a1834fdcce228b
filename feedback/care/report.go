package care

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Timeline tells the story of a case until an instant, in the form of its
// notices: opening, actions, and what was over by time, whether or not a sweep
// has run. DetectedAt is when the desk learned of an action; for a lapse it is
// EffectiveAt.
func (d *Desk) Timeline(c Case, at time.Time) []Notice {
	at = micro(at)
	c = c.clone()
	var out []Notice
	if !c.Time.After(at) {
		n := c.notice("opened", Opened, c.Time, c.RecordedAt, c.Mode)
		n.Phase = d.flows[c.Kind].States[d.flows[c.Kind].Start]
		out = append(out, n)
	}
	for _, l := range slices.Concat(c.Lapses, d.clocks.upcoming(&c)) {
		if !l.At.After(at) {
			n := c.lapseNotice(l, l.At)
			n.Phase = ""
			out = append(out, n)
		}
	}
	for _, e := range c.History {
		if !e.Time.After(at) {
			n := c.notice("act/"+e.ID, Acted, e.Time, e.RecordedAt, max(e.Mode, c.Mode))
			n.Verb, n.From, n.To, n.Phase, n.Promise = e.Verb, e.From, e.To, d.flows[c.Kind].States[e.To], e.Promise
			out = append(out, n)
		}
	}
	// What is over at the instant of an action was over when it was done.
	slices.SortStableFunc(out, func(a, b Notice) int { return a.EffectiveAt.Compare(b.EffectiveAt) })
	return out
}

// Attainment says how often a target was met.
type Attainment struct {
	Kind   Kind   `json:"kind"`
	Target string `json:"target"`
	// Met cases reached the goal in time, Missed ones did not or have run out
	// of time, Running ones can still do either.
	Met     int `json:"met"`
	Missed  int `json:"missed"`
	Running int `json:"running"`
	// Consumed is the working time of the cases that have reached the goal.
	Consumed time.Duration `json:"consumed"`
	reached  int
}

// Share is the part of the decided cases that met the target, 0 to 1; 0 where
// none is decided.
func (a Attainment) Share() float64 {
	if a.Met+a.Missed == 0 {
		return 0
	}
	return float64(a.Met) / float64(a.Met+a.Missed)
}

// Mean is the mean working time until the goal.
func (a Attainment) Mean() time.Duration {
	if a.reached == 0 {
		return 0
	}
	return a.Consumed / time.Duration(a.reached)
}

// String sums it up in a line.
func (a Attainment) String() string {
	return fmt.Sprintf("%s, %s: %.1f%% of %d in time, %s on average, %d running",
		a.Kind, a.Target, 100*a.Share(), a.Met+a.Missed, short(a.Mean()), a.Running)
}

// Attainment counts, for the cases that match, how often each target was met by
// an instant, ordered by kind and target. It reads all of them.
func (d *Desk) Attainment(ctx context.Context, q Query, at time.Time) ([]Attainment, error) {
	type key struct {
		kind   Kind
		target string
	}
	sums := map[key]*Attainment{}
	for c, err := range d.Cases(ctx, q) {
		if err != nil {
			return nil, err
		}
		for _, k := range d.StatusOf(c, at).Clocks {
			a := sums[key{c.Kind, k.Target}]
			if a == nil {
				a = &Attainment{Kind: c.Kind, Target: k.Target}
				sums[key{c.Kind, k.Target}] = a
			}
			switch {
			case !k.BreachedAt.IsZero():
				a.Missed++
			case !k.DoneAt.IsZero():
				a.Met++
			default:
				a.Running++
			}
			if !k.DoneAt.IsZero() {
				a.Consumed += k.Consumed
				a.reached++
			}
		}
	}
	out := make([]Attainment, 0, len(sums))
	for _, a := range sums {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Attainment) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Target, b.Target))
	})
	return out, nil
}
