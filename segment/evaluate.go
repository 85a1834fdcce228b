package segment

import "github.com/cxkit/cxkit/profile"

// facts is what an evaluation reads of one customer.
type facts interface {
	key() profile.ID
	attr(name string) profile.Value
	run(s *stream) run
	handedOver() handOvers
	// member evaluates another segment at t, as eval does.
	member(c *compiled, t int64) (holds bool, until int64)
}

// eval evaluates the expression at t. The answer holds until the instant
// returned, or never changes if nothing happens.
func eval(s facts, e *expr, t int64) (holds bool, until int64) {
	switch e.kind {
	case nodeNot:
		holds, until = eval(s, e.kids[0], t)
		return !holds, until
	case nodeAll, nodeAny:
		// One member that decides keeps deciding until it changes; else all count.
		decisive := e.kind == nodeAny
		until = never
		var decided bool
		for _, k := range e.kids {
			v, u := eval(s, k, t)
			switch {
			case v == decisive && !decided:
				decided, until = true, u
			case v == decisive:
				until = max(until, u)
			case !decided:
				until = min(until, u)
			}
		}
		return decided == decisive, until
	}
	return e.leaf.eval(s, t)
}

func (l *leaf) eval(s facts, t int64) (holds bool, until int64) {
	n := l.node
	switch n.kind {
	case nodeIn:
		return s.member(l.needs[0], t)
	case nodeAttr:
		return n.pred.holds(s.attr(n.attr)), never
	case nodeDate:
		return n.date.at(l.clocks, s.attr(n.attr), t)
	case nodeMeasure:
		if v, ok := s.(*view); ok && l.counting != nil {
			return v.counts(l, t)
		}
		in, until := s.run(l.of[0]).in(l.clocks, n.measure.of.window, t)
		return n.pred.holds(in.measure(n.measure.agg)), until
	case nodeTrend:
		return trend(l, s.run(l.of[0]), t)
	case nodeSequence:
		return sequence(l, s.run(l.of[0]), s.run(l.of[1]), t)
	case nodeDebut:
		return debut(l, s.run(l.of[0]), t)
	case nodeRelation:
		return n.relation.at(l.clocks, s.run(l.of[0]), s.handedOver(), t)
	case nodeFunc:
		r := &factReader{facts: s, leaf: l, t: t, until: never}
		// Everything declared counts, read or not: what the function does not
		// read now it may read after a change.
		for i := range l.of {
			r.funcMeasure(i)
		}
		for i := range l.needs {
			r.funcSegment(i)
		}
		return n.fn.call(Customer{&customer{fn: n.fn, read: r}}), r.until
	}
	return false, never
}

// trend compares a measure with that of the window before.
func trend(l *leaf, r run, t int64) (holds bool, until int64) {
	m := l.node.measure
	past, _ := m.of.window.before()
	now, u1 := r.in(l.clocks, m.of.window, t)
	then, u2 := r.in(l.clocks, past, t)
	order, ok := now.measure(m.agg).Compare(then.measure(m.agg))
	return ok && (l.node.falling && order < 0 || !l.node.falling && order > 0), min(u1, u2)
}

// sequence looks for one that was, or was not, followed.
func sequence(l *leaf, first, next run, t int64) (holds bool, until int64) {
	n := l.node
	in, until := first.in(l.clocks, n.first.window, t)
	followers, soon := next.in(l.clocks, Window{}, t)
	until = min(until, soon)
	j := 0
	for _, a := range in.at {
		for j < len(followers.at) && followers.at[j] <= a {
			j++
		}
		followed := j < len(followers.at) && followers.at[j] <= a+n.span
		switch {
		case !n.without:
			holds = holds || followed
		case followed:
		case a+n.span <= t:
			holds = true
		default:
			until = min(until, a+n.span)
		}
	}
	return holds, until
}

// debut looks whether the first of all lies in the window.
func debut(l *leaf, r run, t int64) (holds bool, until int64) {
	all, until := r.in(l.clocks, Window{}, t)
	if len(all.at) == 0 {
		return false, until
	}
	w, m := l.node.window, all.at[0]
	on, off := max(m, w.enter(l.clocks, m)), w.leave(l.clocks, m)
	holds = on <= t && t < off
	return holds, min(until, later(on, t), later(off, t))
}

// factReader is what a function of the caller's reads.
type factReader struct {
	facts facts
	leaf  *leaf
	t     int64
	until int64
}

func (r *factReader) key() profile.ID { return r.facts.key() }

func (r *factReader) funcAttr(i int) profile.Value {
	return r.facts.attr(r.leaf.node.fn.attrs[i])
}

func (r *factReader) funcMeasure(i int) profile.Value {
	fn := r.leaf.node.fn
	m := fn.deps.Measures[fn.measures[i]]
	in, until := r.facts.run(r.leaf.of[i]).in(r.leaf.clocks, m.of.window, r.t)
	r.until = min(r.until, until)
	return in.measure(m.agg)
}

func (r *factReader) funcSegment(i int) bool {
	in, until := r.facts.member(r.leaf.needs[i], r.t)
	r.until = min(r.until, until)
	return in
}

// Bounds of the look ahead for the next change.
const (
	horizon  = maxDays * microsPerDay
	maxSteps = 100_000
)

// nextChange is the first instant after t at which the expression turns, or never.
func nextChange(s facts, e *expr, t int64) int64 {
	now, until := eval(s, e, t)
	limit := t + horizon
	for range maxSteps {
		if until == never || until > limit {
			return never
		}
		at := until
		var then bool
		if then, until = eval(s, e, at); then != now {
			return at
		}
	}
	return never
}
