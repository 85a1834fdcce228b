package segment

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// TestEffectiveInstants lets events come late and checks, change by change, that
// each transition takes effect at the instant since when, by all that is known,
// the membership has been what it is.
func TestEffectiveInstants(t *testing.T) {
	n := *worlds / 2
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	checked, err := EachSeed(*seed, n, lateWorld)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d transitions in the past", checked)
	if checked < n/10 {
		t.Errorf("only %d transitions took effect in the past", checked)
	}
}

func lateWorld(seed uint64) (checked int, err error) {
	w := newWorld(seed)
	ctx := context.Background()
	now := w.start.Add(19 * 24 * time.Hour)
	h := &MemoryHistory{Now: func() time.Time { return now }}
	e, err := New(Config{History: h})
	if err != nil {
		return 0, err
	}
	// Half of the worlds are about little but counting, whose past the columns
	// do not keep.
	rule := func(i int) Rule { return w.rule([]string{"s0"}[:i], 1+i) }
	event := w.event
	if seed%2 == 0 {
		rule = func(i int) Rule { return w.countRule(1 + i) }
		event = w.countEvent
		now = w.start.Add(10 * w.grid)
	}
	for i := range 2 {
		if err := e.Define(ctx, w.start, Definition{Name: fmt.Sprint("s", i), Zone: w.zone, Rule: rule(i)}); err != nil {
			return 0, err
		}
	}
	last := map[string]int64{}
	var cursor uint64
	for range 25 {
		if err := h.Observe("li", event()); err != nil {
			return 0, err
		}
		for c, err := range h.Changes(ctx, e.Position()) {
			if err != nil {
				return 0, err
			}
			if err := e.Apply(ctx, c); err != nil {
				return 0, err
			}
			n, err := inThePast(e, h, last, &cursor, 0)
			if err != nil {
				return 0, err
			}
			checked += n
		}
		if w.rng.IntN(4) == 0 {
			over := w.handOver()
			if err := e.HandOver(ctx, over); err != nil {
				return 0, err
			}
			n, err := inThePast(e, h, last, &cursor, micros(over.At))
			if err != nil {
				return 0, err
			}
			checked += n
		}
		now = now.Add(time.Duration(w.rng.IntN(3)) * w.grid)
		if err := e.Advance(ctx, now); err != nil {
			return 0, err
		}
		for tr, err := range e.Transitions(ctx, cursor) { // those are checked elsewhere
			if err != nil {
				return 0, err
			}
			cursor, last[tr.Segment] = tr.Seq, micros(tr.EffectiveAt)
		}
	}
	return checked, nil
}

// inThePast checks the instants of the transitions that have just come, of events
// and traits or of a hand-over as of an instant, and counts those in the past.
func inThePast(e *Engine, h *MemoryHistory, last map[string]int64, cursor *uint64, handedOver int64) (checked int, err error) {
	ctx := context.Background()
	d, _ := e.dict.find("li")
	r, _, err := recordOf(e, h, "li")
	if err != nil {
		return 0, err
	}
	for name := range r.Traits { // those of the next change are not there yet
		if col := e.attrs[name]; col != nil {
			r.Traits[name] = col.get(d)
		}
	}
	past := newSubject(e.catalog, r)
	for tr, err := range e.Transitions(ctx, *cursor) {
		if err != nil {
			return 0, err
		}
		*cursor = tr.Seq
		from := last[tr.Segment]
		last[tr.Segment] = micros(tr.EffectiveAt)
		switch tr.Cause.Kind {
		case ByEvent, ByTrait:
			ev, _, err := h.Event(ctx, tr.Cause.Event)
			if err != nil {
				return 0, err
			}
			from = max(from, micros(ev.Time))
		case ByHandOver:
			from = max(from, handedOver)
		default:
			continue
		}
		want := min(from, e.clock)
		for at, in := from, !(tr.Kind == Entered); at <= e.clock; {
			then, until := eval(past, e.segments[tr.Segment].root, at)
			if then != in && then == (tr.Kind == Entered) {
				want = at
			}
			in, at = then, until
		}
		if micros(tr.EffectiveAt) != want {
			return 0, fmt.Errorf("%s %s at %s by %s, expected %s\nrule: %s", tr.Kind, tr.Segment, tr.EffectiveAt, tr.Cause.Kind, instant(want), e.segments[tr.Segment].def.Rule)
		}
		if want < e.clock {
			checked++
		}
	}
	return checked, nil
}

func (w *world) countRule(depth int) Rule {
	if depth == 0 || w.rng.IntN(4) == 0 {
		b := Events("a").Within(Last(time.Duration(1+w.rng.IntN(8)) * w.grid))
		n := 1 + w.rng.IntN(4)
		return pick(w, b.AtLeast(n), b.AtLeast(n), b.AtMost(n-1), b.Exactly(n), b.Never(), Attr("tier").Is("gold"))
	}
	k := []Rule{w.countRule(depth - 1), w.countRule(depth - 1)}
	return pick(w, All(k...), Any(k...), Not(k[0]), All(k...))
}

func (w *world) countEvent() profile.Event {
	w.n++
	e := profile.Event{ID: fmt.Sprint("e", w.n), Name: "a", Time: w.start.Add(time.Duration(w.rng.IntN(30)) * w.grid)}
	if w.rng.IntN(4) == 0 {
		e.Name, e.Traits = "", profile.Values{"tier": profile.Text(pick(w, "gold", "basic"))}
	}
	return e
}
