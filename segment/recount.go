package segment

import (
	"cmp"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Recount evaluates like [Ruleset.Match], by the definitions of the rules and
// nothing else: it looks at every event for every test, folds the orders of the
// facts up to t anew, and keeps nothing. It is slow, and there to check other
// evaluators against. The error matches [ErrUnknownSegment].
func (rs *Ruleset) Recount(segment string, r Record, t time.Time) (bool, error) {
	c, err := rs.find(segment)
	if err != nil {
		return false, err
	}
	h := &recount{rules: rs, traits: r.Traits, id: r.ID}
	for _, x := range r.HandOvers {
		if _, err := handOverOf(x); err == nil {
			h.handOvers = append(h.handOvers, x)
		}
	}
	slices.SortFunc(h.handOvers, func(a, b profile.HandOver) int {
		return cmp.Or(cmp.Compare(micros(a.At), micros(b.At)), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, e := range distinctEvents(r.Events) {
		if !e.Time.After(t) {
			h.events = append(h.events, e)
		}
	}
	return h.holds(c.def.Rule.n, c.clocks, micros(t)), nil
}

// recount holds what had happened by the instant of evaluation.
type recount struct {
	rules  *Ruleset
	id     profile.ID
	traits profile.Values
	events []profile.Event
	// handOvers are by time, then parties.
	handOvers []profile.HandOver
}

// fact is something that happened, with the value of a property.
type fact struct {
	at    int64
	value profile.Value
}

func (h *recount) holds(n *node, c clocks, t int64) bool {
	switch n.kind {
	case nodeAll:
		return !slices.ContainsFunc(n.kids, func(k *node) bool { return !h.holds(k, c, t) })
	case nodeAny:
		return slices.ContainsFunc(n.kids, func(k *node) bool { return h.holds(k, c, t) })
	case nodeNot:
		return !h.holds(n.kids[0], c, t)
	case nodeIn:
		return h.member(n.segment, t)
	case nodeAttr:
		return n.pred.holds(h.traits[n.attr])
	case nodeDate:
		return h.date(n, c, t)
	case nodeMeasure:
		return n.pred.holds(h.measure(n.measure, n.measure.of.window, c, t))
	case nodeTrend:
		past, _ := n.measure.of.window.before()
		now, then := h.measure(n.measure, n.measure.of.window, c, t), h.measure(n.measure, past, c, t)
		order, ok := now.Compare(then)
		return ok && order != 0 && (order < 0) == n.falling
	case nodeSequence:
		next := h.facts(n.next, "", Ever(), c, t)
		for _, a := range h.facts(n.first, "", n.first.window, c, t) {
			followed := slices.ContainsFunc(next, func(b fact) bool { return a.at < b.at && b.at <= a.at+n.span })
			if n.without && !followed && a.at+n.span <= t || !n.without && followed {
				return true
			}
		}
		return false
	case nodeDebut:
		all := h.facts(n.first, "", Ever(), c, t)
		if len(all) == 0 {
			return false
		}
		first := slices.MinFunc(all, func(a, b fact) int { return int(min(1, max(-1, a.at-b.at))) })
		lo, hi := n.window.bounds(c, t)
		return lo < first.at && first.at <= hi
	case nodeRelation:
		return h.related(n.relation, t)
	case nodeFunc:
		return n.fn.call(Customer{&customer{fn: n.fn, read: &recountReader{h, n.fn, c, t}}})
	}
	return false
}

func (h *recount) member(segment string, t int64) bool {
	other := h.rules.segments[segment]
	return other != nil && h.holds(other.def.Rule.n, other.clocks, t)
}

func (h *recount) date(n *node, c clocks, t int64) bool {
	v := h.traits[n.attr]
	if n.date.foreign {
		today := c.day(t)
		for ahead := 0; !v.IsZero() && ahead <= n.date.days; ahead++ {
			d := today.add(ahead)
			for _, day := range n.date.calendar.in(v, d.year) {
				if day.Year() == d.year && day.Month() == d.month && day.Day() == d.day {
					return true
				}
			}
		}
		return false
	}
	if n.date.kind == dateAnniversary {
		born, ok := yearlyDay(c, v)
		today := c.day(t)
		for ahead := 0; ok && ahead <= n.date.days; ahead++ {
			d := today.add(ahead)
			kept := born.month == d.month && born.day == d.day ||
				born.month == time.February && born.day == 29 && d.month == time.February && d.day == 28 && !leap(d.year)
			if kept && d.year > born.year {
				return true
			}
		}
		return false
	}
	at, ok := v.Time()
	if !ok {
		return false
	}
	m := micros(at)
	if n.date.kind == dateAhead {
		return t < m && m <= t+n.date.span
	}
	lo, hi := n.date.window.bounds(c, t)
	return lo < m && m <= hi
}

// facts lists what counts at t in a window.
func (h *recount) facts(b Behavior, property string, w Window, c clocks, t int64) []fact {
	lo, hi := w.bounds(c, t)
	s := &stream{source: b.source, event: b.event, where: b.where, property: property}
	var out []fact
	keep := func(at int64, v profile.Value) {
		if lo < at && at <= hi {
			out = append(out, fact{at, v})
		}
	}
	if !b.source.ofOrders() {
		for i := range h.events {
			if at, v, ok := s.take(&h.events[i]); ok {
				keep(at, v)
			}
		}
		return out
	}
	var facts []orderFact
	for i := range h.events {
		if f, ok := orderFactOf(&h.events[i]); ok {
			facts = append(facts, f)
		}
	}
	slices.SortFunc(facts, compareFacts)
	orders, _ := foldOrders(facts)
	for _, o := range orders {
		if v, ok := o.factAt(s, time.UnixMicro(t)); ok {
			keep(micros(o.BoughtAt), v)
		}
	}
	return out
}

func (h *recount) measure(m Measure, w Window, c clocks, t int64) profile.Value {
	facts := h.facts(m.of, m.property, w, c, t)
	slices.SortFunc(facts, func(a, b fact) int {
		if a.at != b.at {
			return int(min(1, max(-1, a.at-b.at)))
		}
		return compareValues(a.value, b.value)
	})
	r := run{at: make([]int64, len(facts)), val: make([]profile.Value, len(facts))}
	for i, f := range facts {
		r.at[i], r.val[i] = f.at, f.value
	}
	return r.measure(m.agg)
}

// recountReader is what a function of the caller's reads in a recount.
type recountReader struct {
	h  *recount
	fn *goFunc
	c  clocks
	t  int64
}

func (r *recountReader) key() profile.ID { return r.h.id }

func (r *recountReader) funcAttr(i int) profile.Value {
	return plainNumber(r.h.traits[r.fn.attrs[i]])
}

func (r *recountReader) funcMeasure(i int) profile.Value {
	m := r.fn.deps.Measures[r.fn.measures[i]]
	return r.h.measure(m, m.of.window, r.c, r.t)
}

func (r *recountReader) funcSegment(i int) bool {
	return r.h.member(r.fn.deps.Segments[i], r.t)
}

// related goes through every act of the type up to t.
func (h *recount) related(test relationTest, t int64) bool {
	type stand struct {
		act profile.RelationAct
		by  *profile.Event
	}
	latest := map[string]stand{}
	for i := range h.events {
		e := &h.events[i]
		for _, act := range e.Relations {
			key := act.Party
			if test.single {
				key = ""
			}
			old := latest[key].by
			newer := old == nil || e.Time.After(old.Time) || micros(e.Time) == micros(old.Time) && e.ID > old.ID
			if act.Type == test.kind && newer {
				latest[key] = stand{act, e}
			}
		}
	}
	for _, s := range latest {
		party, since := s.act.Party, micros(s.by.Time)
		for _, x := range h.handOvers {
			if at := micros(x.At); x.Type == test.kind && x.From == party && since <= at && at <= t {
				party, since = x.To, at
			}
		}
		if !s.act.Ended && (s.act.Until.IsZero() || micros(s.act.Until) > t) && test.holds(party) {
			return true
		}
	}
	return false
}
