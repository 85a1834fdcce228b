package segment

import "github.com/cxkit/cxkit/profile"

// subject is one customer's data made ready for evaluation at any instant.
type subject struct {
	id     profile.ID
	traits profile.Values
	events []profile.Event
	orders []orderStretch
	folded bool
	runs   []run
	have   []bool
}

func newSubject(c *catalog, r Record) *subject {
	return &subject{
		id: r.ID, traits: r.Traits, events: distinctEvents(r.Events),
		runs: make([]run, len(c.streams)), have: make([]bool, len(c.streams)),
	}
}

// distinctEvents keeps the first event of each ID.
func distinctEvents(events []profile.Event) []profile.Event {
	seen := make(map[string]struct{}, len(events))
	out := make([]profile.Event, 0, len(events))
	for _, e := range events {
		if _, dup := seen[e.ID]; !dup {
			seen[e.ID] = struct{}{}
			out = append(out, e)
		}
	}
	return out
}

func (s *subject) run(st *stream) run {
	if !s.have[st.index] {
		if st.source != sourceEvents && !s.folded {
			s.orders, s.folded = orderHistory(s.events), true
		}
		s.runs[st.index], s.have[st.index] = st.runOf(s.events, s.orders), true
	}
	return s.runs[st.index]
}

func (s *subject) attr(name string) profile.Value { return plainNumber(s.traits[name]) }

// eval evaluates the expression at t. The answer holds until the instant
// returned, or never changes if nothing happens.
func (s *subject) eval(e *expr, t int64) (holds bool, until int64) {
	switch e.kind {
	case nodeNot:
		holds, until = s.eval(e.kids[0], t)
		return !holds, until
	case nodeAll, nodeAny:
		// One member that decides keeps deciding until it changes; else all count.
		decisive := e.kind == nodeAny
		until = never
		var decided bool
		for _, k := range e.kids {
			v, u := s.eval(k, t)
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
	return s.leaf(e.leaf, t)
}

func (s *subject) leaf(l *leaf, t int64) (holds bool, until int64) {
	n := l.node
	switch n.kind {
	case nodeIn:
		return s.eval(l.needs[0].root, t)
	case nodeAttr:
		return n.pred.holds(s.attr(n.attr)), never
	case nodeDate:
		return n.date.at(l.clocks, s.attr(n.attr), t)
	case nodeMeasure:
		in, until := s.run(l.of[0]).in(l.clocks, n.measure.of.window, t)
		return n.pred.holds(in.measure(n.measure.agg)), until
	case nodeTrend:
		return trend(l, s.run(l.of[0]), t)
	case nodeSequence:
		return sequence(l, s.run(l.of[0]), s.run(l.of[1]), t)
	case nodeDebut:
		return debut(l, s.run(l.of[0]), t)
	case nodeFunc:
		r := &subjectReader{s: s, leaf: l, t: t, until: never}
		// Everything declared counts, read or not: what the function does not
		// read now it may read after a change.
		for i := range l.of {
			r.funcMeasure(i)
		}
		for i := range l.needs {
			r.funcSegment(i)
		}
		return n.fn.call(Customer{id: s.id, fn: n.fn, read: r}), r.until
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

// subjectReader is what a function of the caller's reads of a subject.
type subjectReader struct {
	s     *subject
	leaf  *leaf
	t     int64
	until int64
}

func (r *subjectReader) funcAttr(i int) profile.Value {
	return r.s.attr(r.leaf.node.fn.attrs[i])
}

func (r *subjectReader) funcMeasure(i int) profile.Value {
	fn := r.leaf.node.fn
	m := fn.deps.Measures[fn.measures[i]]
	in, until := r.s.run(r.leaf.of[i]).in(r.leaf.clocks, m.of.window, r.t)
	r.until = min(r.until, until)
	return in.measure(m.agg)
}

func (r *subjectReader) funcSegment(i int) bool {
	in, until := r.s.eval(r.leaf.needs[i].root, r.t)
	r.until = min(r.until, until)
	return in
}

// Bounds of the look ahead for the next change.
const (
	horizon  = maxDays * microsPerDay
	maxSteps = 100_000
)

// nextChange is the first instant after t at which the expression turns, or never.
func (s *subject) nextChange(e *expr, t int64) int64 {
	now, until := s.eval(e, t)
	limit := t + horizon
	for range maxSteps {
		if until == never || until > limit {
			return never
		}
		at := until
		var then bool
		if then, until = s.eval(e, at); then != now {
			return at
		}
	}
	return never
}
