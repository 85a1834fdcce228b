package journey

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Explanation says where an instance stands, how it came there and what it
// waits for.
type Explanation struct {
	Row      InstanceRow
	Title    string
	StateIs  string // what people call the state
	Ways     []Way
	Effects  []EffectRow // those that are not finished
	History  []Record
	Location *time.Location // the customer's time zone, for String
}

// Way is one way out of the present state.
type Way struct {
	// What takes it, in words, and where it leads; a goal or exit by its name.
	What, To string
	// At is when a wait is over; the zero time where it is not a matter of time.
	At time.Time
}

// Explain says where an instance stands, how it came there and what it waits
// for. It fails with [ErrNotFound].
func (e *Engine) Explain(ctx context.Context, instance string) (Explanation, error) {
	f, err := e.store.Get(ctx, Lookup{Instance: instance})
	if err != nil {
		return Explanation{}, err
	}
	if f.Instance == nil {
		return Explanation{}, fmt.Errorf("%w: instance", ErrNotFound)
	}
	x := Explanation{Row: *f.Instance}
	in := &x.Row.Instance
	d, err := e.version(ctx, DefinitionKey{in.Journey, in.Version})
	if err != nil {
		return Explanation{}, err
	}
	x.Title, x.StateIs = d.Title(), in.State
	c, err := e.store.Get(ctx, Lookup{Customer: in.Customer})
	if err != nil {
		return Explanation{}, err
	}
	x.Location = e.zoneOf(d, &c.Contact.Row)
	if i := d.stateOf(in); i >= 0 {
		s := &d.states[i]
		if s.spec.Title != "" {
			x.StateIs = s.spec.Title
		}
		if in.Status == Active {
			facts, err := e.facts(ctx, d, &s.needs, in.Customer, &c.Contact.Row, e.now())
			if err != nil {
				return Explanation{}, err
			}
			x.Ways = d.ways(*in, s, facts)
		}
	}
	for row, err := range e.Effects(ctx, Filter{Instance: instance}) {
		if err != nil {
			return Explanation{}, err
		}
		if !row.State.Finished() {
			x.Effects = append(x.Effects, row)
		}
	}
	for r, err := range e.History(ctx, Filter{Instance: instance}) {
		if err != nil {
			return Explanation{}, err
		}
		x.History = append(x.History, r)
	}
	return x, nil
}

// ways are the ways out of a state: by time, earliest first, then by input.
func (d *Definition) ways(in Instance, s *state, f Facts) []Way {
	r, x := run{d: d}, Input{Facts: f}
	var timed, other []Way
	for _, list := range [][]edge{s.waits, s.inputs, s.whens, d.ends} {
		for i := range list {
			g := &list[i]
			w := Way{What: g.label(), To: g.spec.To}
			if g.spec.Name != "" {
				w.To = g.spec.Name
			}
			if g.spec.Wait == nil {
				other = append(other, w)
				continue
			}
			if at, ok := r.over(&in, &x, &g.wait); ok && in.untried(at, i) {
				w.At = at
				i := 0
				for i < len(timed) && !timed[i].At.After(at) {
					i++
				}
				timed = append(timed[:i], append([]Way{w}, timed[i:]...)...)
			}
		}
	}
	return append(timed, other...)
}

// String is the explanation for people, a line each.
func (x Explanation) String() string {
	var b strings.Builder
	in := &x.Row.Instance
	local := func(t time.Time) string { return t.In(x.Location).Format("2006-01-02 15:04") }
	fmt.Fprintf(&b, "%s, started %s", x.Title, local(in.StartedAt))
	if in.Key != "" {
		b.WriteString(" for " + in.Key)
	}
	if in.Status == Ended {
		fmt.Fprintf(&b, "\nended %s: %s", local(in.EndedAt), in.Outcome)
	} else {
		fmt.Fprintf(&b, "\nin %s since %s", x.StateIs, local(in.EnteredAt))
	}
	if x.Row.Error != "" {
		fmt.Fprintf(&b, "\n%d attempts failed: %s", x.Row.Attempts, x.Row.Error)
		if x.Row.Dead {
			b.WriteString("; given up until Retry")
		}
	}
	for _, w := range x.Ways {
		b.WriteString("\nwaits: ")
		if !w.At.IsZero() {
			b.WriteString(local(w.At) + ", ")
		}
		b.WriteString(w.What)
		if w.To != "" {
			b.WriteString(" → " + w.To)
		}
	}
	for _, f := range x.Effects {
		fmt.Fprintf(&b, "\n%s %s is %s", f.Effect.Kind, f.Effect.Name, f.State)
		if f.Decision.Verdict != 0 {
			b.WriteString(": " + f.Decision.String())
		}
	}
	for _, r := range x.History {
		b.WriteString("\n" + local(r.At) + "  " + r.String())
	}
	return b.String()
}
