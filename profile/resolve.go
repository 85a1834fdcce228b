package profile

import (
	"math"
	"slices"
	"strings"
)

// summary is what of a cluster counts when a link is decided: its values of
// limited kinds with their first sights. It is immutable, so a refusal keeps
// the sides as they were at no cost.
type summary struct {
	entries []entry // by limit, first sight, value
}

type entry struct {
	node  *node
	since int64
}

var noLimits = &summary{}

func compareEntries(a, b entry) int {
	if a.node.kind.limit != b.node.kind.limit {
		return strings.Compare(a.node.kind.limit.kind, b.node.kind.limit.kind)
	}
	if a.since != b.since {
		return compareInt(a.since, b.since)
	}
	return compareNames(a.node.name, b.node.name)
}

func summaryOf(n *node, since int64) *summary {
	if n.kind.limit == nil {
		return noLimits
	}
	return &summary{entries: []entry{{n, since}}}
}

func (s *summary) join(t *summary) *summary {
	switch {
	case len(t.entries) == 0:
		return s
	case len(s.entries) == 0:
		return t
	}
	out := make([]entry, 0, len(s.entries)+len(t.entries))
	i, j := 0, 0
	for i < len(s.entries) && j < len(t.entries) {
		if compareEntries(s.entries[i], t.entries[j]) <= 0 {
			out = append(out, s.entries[i])
			i++
		} else {
			out = append(out, t.entries[j])
			j++
		}
	}
	out = append(out, s.entries[i:]...)
	out = append(out, t.entries[j:]...)
	return &summary{entries: out}
}

// verdict is why a link was refused; the zero verdict accepts it.
type verdict struct {
	reason Reason
	limit  *limit
}

// judge decides whether two clusters may become one. Only limits to which both
// sides contribute count: the link must be what exceeds them.
func judge(near, far *summary) verdict {
	a, b := near.entries, far.entries
	for len(a) > 0 && len(b) > 0 {
		la, lb := a[0].node.kind.limit, b[0].node.kind.limit
		if la != lb {
			if la.kind < lb.kind {
				a = after(a, la)
			} else {
				b = after(b, lb)
			}
			continue
		}
		restA, restB := after(a, la), after(b, la)
		if exceeds(la, a[:len(a)-len(restA)], b[:len(b)-len(restB)]) {
			return verdict{reason: ReasonLimit, limit: la}
		}
		a, b = restA, restB
	}
	return verdict{}
}

func after(s []entry, l *limit) []entry {
	i := 0
	for i < len(s) && s[i].node.kind.limit == l {
		i++
	}
	return s[i:]
}

// exceeds reports whether the union of two runs of values, each by first
// sight, breaks a limit. With a window, it does where more than the limit have
// their first sights less than the window apart, values of both sides among them.
func exceeds(l *limit, a, b []entry) bool {
	if l.within == 0 {
		return len(a)+len(b) > l.most
	}
	all := (&summary{entries: a}).join(&summary{entries: b}).entries
	for i := 0; i+l.most < len(all); i++ {
		j := i + l.most
		if all[j].since-all[i].since >= l.within {
			continue
		}
		// The window may reach beyond j; both sides must be in it.
		for j+1 < len(all) && all[j+1].since-all[i].since < l.within {
			j++
		}
		if bothSides(all[i:j+1], a, b) {
			return true
		}
	}
	return false
}

func bothSides(window, a, b []entry) bool {
	inA, inB := false, false
	for _, e := range window {
		if slices.ContainsFunc(a, func(x entry) bool { return x.node == e.node }) {
			inA = true
		} else {
			inB = true
		}
	}
	return inA && inB
}

// refusal is a link that was refused, with both sides at that instant.
type refusal struct {
	verdict
	evidence *evidence
	node     *node
	near     *summary
	far      *summary
}

func (r *refusal) refusal() Refusal {
	out := Refusal{Identifier: r.node.identifier(), Reason: r.reason, Evidence: r.evidence.key}
	if r.limit != nil {
		out.Kind = r.limit.kind
		for _, e := range r.far.entries {
			if e.node.kind.limit == r.limit {
				out.Witness = append(out.Witness, e.node.identifier())
			}
		}
	}
	return out
}

// arrive resolves new evidence. Where nothing that it touches lies after it,
// its own step is all there is to do; else what it touches is folded again.
func (g *graph) arrive(e *evidence, now int64, mode Mode) int {
	if len(e.links) == 0 {
		if e.selfRooted() {
			c := &cluster{limits: noLimits}
			c.hold(e)
			e.home = c
			g.feed.add(change{kind: Created, profile: c.id(), at: now, mode: mode})
		}
		return 1
	}
	f := fold{g: g}
	var merged []ID
	c := f.step(e, &merged)
	e.home = c
	id := c.id()
	if c.namer == e {
		g.feed.add(change{kind: Created, profile: id, at: now, mode: mode})
	}
	for _, m := range merged {
		g.feed.add(change{kind: Merged, profile: id, other: m, at: now, mode: mode})
	}
	return 1
}

// advance moves evidence to an earlier first sight.
func (g *graph) advance(e *evidence, at, now int64, mode Mode) int {
	e.first = at
	if e.home != nil {
		e.home.first = min(e.home.first, at)
	}
	return 1
}

// fold decides the links of evidence, one record after the other.
type fold struct {
	g *graph
}

// step places one evidence record: its root's cluster is its home, and each
// further identifier joins that cluster or is refused.
func (f *fold) step(e *evidence, merged *[]ID) *cluster {
	root := e.links[0]
	c := root.home
	if c == nil {
		c = &cluster{limits: summaryOf(root, e.first), nodes: []*node{root}}
		root.home, root.since = c, e.first
	}
	for _, n := range e.links[1:] {
		far := n.home
		if far == c {
			continue
		}
		limits := noLimits
		if far != nil {
			limits = far.limits
		} else if n.kind.limit != nil {
			limits = summaryOf(n, e.first)
		}
		if v := judge(c.limits, limits); v.reason != 0 {
			r := &refusal{verdict: v, evidence: e, node: n, near: c.limits, far: limits}
			e.verdicts = append(e.verdicts, r)
			n.refusals = append(n.refusals, r)
			if far != nil {
				far.reach(e.position())
			}
			continue
		}
		if far == nil {
			n.home, n.since = c, e.first
			c.nodes = append(c.nodes, n)
			c.limits = c.limits.join(limits)
			continue
		}
		c = f.g.merge(c, far, merged)
	}
	c.hold(e)
	return c
}

// merge makes one cluster of two and notes the ID that ends.
func (g *graph) merge(a, b *cluster, merged *[]ID) *cluster {
	if a.namer != nil && b.namer != nil {
		ends := a.id()
		if a.namer.arrival < b.namer.arrival {
			ends = b.id()
		}
		*merged = append(*merged, ends)
	}
	if len(a.nodes)+len(a.evidence) < len(b.nodes)+len(b.evidence) {
		a, b = b, a
	}
	g.mergeGolden(a, b)
	for _, n := range b.nodes {
		n.home = a
	}
	for _, e := range b.evidence {
		e.home = a
	}
	if a.namer == nil || b.namer != nil && b.namer.arrival < a.namer.arrival {
		a.namer = b.namer
	}
	if len(b.evidence) > 0 {
		if len(a.evidence) == 0 {
			a.first, a.last = math.MaxInt64, math.MinInt64
		}
		a.first, a.last = min(a.first, b.first), max(a.last, b.last)
	}
	a.nodes = append(a.nodes, b.nodes...)
	a.evidence = append(a.evidence, b.evidence...)
	a.limits = a.limits.join(b.limits)
	a.events += b.events
	a.reach(b.latest)
	return a
}
