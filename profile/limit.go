package profile

import (
	"slices"
	"strings"
)

// summary is what of a cluster counts when a link is decided: its values of
// limited kinds with their first sights, and its identifiers that a person
// declared apart from others. It is immutable, so a refusal keeps both sides
// as they were at no cost.
type summary struct {
	entries []entry // by limit, first sight, value
	apart   []*node // with cannot-links
}

type entry struct {
	node  *node
	since int64
}

// unseen is the first sight of an identifier that is in a cluster by a
// must-link alone. No window counts it.
const unseen = -1 << 63

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

// summaryOf is the summary of an identifier alone.
func summaryOf(n *node, since int64) *summary {
	if n.kind.limit == nil && len(n.cannot()) == 0 {
		return noLimits
	}
	s := newSummary(1)
	if n.kind.limit != nil {
		s.entries = append(s.entries, entry{n, since})
	}
	if len(n.cannot()) > 0 {
		s.apart = []*node{n}
	}
	return s
}

// newSummary is a summary with room for some entries, the few that most have
// in one piece of memory with it.
func newSummary(size int) *summary {
	if size > 4 {
		return &summary{entries: make([]entry, 0, size)}
	}
	small := &struct {
		summary
		room [4]entry
	}{}
	small.entries = small.room[:0]
	return &small.summary
}

// add puts an identifier that counts into a summary that nobody else has.
func (s *summary) add(n *node, since int64) {
	if n.kind.limit == nil {
		return
	}
	e := entry{n, since}
	i := len(s.entries)
	for i > 0 && compareEntries(e, s.entries[i-1]) < 0 {
		i--
	}
	s.entries = slices.Insert(s.entries, i, e)
}

func (s *summary) join(t *summary) *summary {
	switch {
	case len(t.entries) == 0 && len(t.apart) == 0:
		return s
	case len(s.entries) == 0 && len(s.apart) == 0:
		return t
	}
	out := newSummary(len(s.entries) + len(t.entries))
	out.apart = append(slices.Clip(s.apart), t.apart...)
	a, b := s.entries, t.entries
	for len(a) > 0 && len(b) > 0 {
		if compareEntries(a[0], b[0]) <= 0 {
			out.entries, a = append(out.entries, a[0]), a[1:]
		} else {
			out.entries, b = append(out.entries, b[0]), b[1:]
		}
	}
	out.entries = append(append(out.entries, a...), b...)
	return out
}

// seen is s with the first sight of an identifier that had none.
func (s *summary) seen(n *node, since int64) *summary {
	if n.kind.limit == nil {
		return s
	}
	rest := &summary{apart: s.apart, entries: slices.DeleteFunc(slices.Clone(s.entries), func(e entry) bool { return e.node == n })}
	return rest.join(&summary{entries: []entry{{n, since}}})
}

// apartFrom are the identifiers of the far side that were declared apart from
// one of the near side, in order.
func (s *summary) apartFrom(far *summary) []*node {
	var out []*node
	for _, n := range s.apart {
		for _, t := range n.cannot() {
			if other := t.other(n); slices.Contains(far.apart, other) && !slices.Contains(out, other) {
				out = append(out, other)
			}
		}
	}
	slices.SortFunc(out, func(a, b *node) int { return compareNames(a.name, b.name) })
	return out
}

// verdict is why a link was refused; the zero verdict accepts it.
type verdict struct {
	reason Reason
	limit  *limit // ReasonLimit
}

// judge decides whether two clusters may become one. Only limits to which both
// sides contribute count: the link must be what exceeds them.
func judge(near, far *summary) verdict {
	if len(near.apart) > 0 && len(near.apartFrom(far)) > 0 {
		return verdict{reason: ReasonCannotLink}
	}
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
		restA, restB := after(a, la), after(b, lb)
		if la.exceeded(a[:len(a)-len(restA)], b[:len(b)-len(restB)]) {
			return verdict{reason: ReasonLimit, limit: la}
		}
		a, b = restA, restB
	}
	return verdict{}
}

// after skips the values of a limit.
func after(s []entry, l *limit) []entry {
	i := 0
	for i < len(s) && s[i].node.kind.limit == l {
		i++
	}
	return s[i:]
}

// exceeded reports whether the union of two runs of values, each by first
// sight, breaks the limit. With a window, it does where more than the limit
// have their first sights less than the window apart, values of both sides
// among them.
func (l *limit) exceeded(a, b []entry) bool {
	if l.within == 0 {
		return len(a)+len(b) > l.most
	}
	i, j := 0, 0           // the window is [i:] of the merged runs up to here
	inA, inB := 0, 0       // values of each side in the window
	var times []sideOfTime // the merged runs
	for i < len(a) || j < len(b) {
		if j == len(b) || i < len(a) && a[i].since <= b[j].since {
			times = append(times, sideOfTime{a[i].since, true})
			i++
		} else {
			times = append(times, sideOfTime{b[j].since, false})
			j++
		}
	}
	start := 0
	for _, t := range times {
		if t.at == unseen {
			start++
			continue
		}
		if t.near {
			inA++
		} else {
			inB++
		}
		for t.at-times[start].at >= l.within {
			if times[start].near {
				inA--
			} else {
				inB--
			}
			start++
		}
		if inA+inB > l.most && inA > 0 && inB > 0 {
			return true
		}
	}
	return false
}

type sideOfTime struct {
	at   int64
	near bool
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
	switch r.reason {
	case ReasonLimit:
		out.Kind = r.limit.kind
		for _, e := range r.far.entries {
			if e.node.kind.limit == r.limit {
				out.Witness = append(out.Witness, e.node.identifier())
			}
		}
	case ReasonCannotLink:
		for _, n := range r.near.apartFrom(r.far) {
			out.Witness = append(out.Witness, n.identifier())
		}
	}
	return out
}
