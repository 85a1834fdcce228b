package profile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation says why two identifiers are one customer's, or why not.
type Explanation struct {
	// Profile has the first identifier, Other the second; equal where they are
	// one customer's, empty where an identifier is nobody's.
	Profile ID `json:"profile,omitempty"`
	Other   ID `json:"other,omitempty"`
	// Chain is a shortest chain of evidence and declarations from the first to
	// the second; empty where they are not one customer's.
	Chain []ChainLink `json:"chain,omitempty"`
	// Refused are the links between the two profiles that were refused, oldest
	// evidence first.
	Refused []Refusal `json:"refused,omitempty"`
	// Separated are the declarations that hold the two profiles apart.
	Separated []ChainLink `json:"separated,omitempty"`
}

// ChainLink joins two identifiers, by evidence or by declaration.
type ChainLink struct {
	From Identifier `json:"from"`
	To   Identifier `json:"to"`
	// Evidence held both, in so many events from First to Last.
	Evidence EvidenceKey `json:"evidence,omitzero"`
	Events   int         `json:"events,omitempty"`
	First    time.Time   `json:"first,omitzero"`
	Last     time.Time   `json:"last,omitzero"`
	// Declared is who said so; nil for evidence.
	Declared *Decision `json:"declared,omitempty"`
}

// String says it for people.
func (l ChainLink) String() string {
	from, to := shortKind(l.From), shortKind(l.To)
	if l.Declared != nil {
		return fmt.Sprintf("%s and %s: declared by %s", from, to, l.Declared.Actor)
	}
	if l.Events == 1 {
		return fmt.Sprintf("%s and %s: seen together on %s", from, to, l.First.Format(time.DateOnly))
	}
	return fmt.Sprintf("%s and %s: seen together in %d events, %s to %s", from, to, l.Events,
		l.First.Format(time.DateOnly), l.Last.Format(time.DateOnly))
}

func shortKind(id Identifier) string {
	name, _, _ := strings.Cut(id.Kind, "/")
	return name
}

// String says it for people: the whole chain, or what stands against it.
func (x Explanation) String() string {
	var lines []string
	switch {
	case x.Profile == "" || x.Other == "":
		lines = append(lines, "an identifier belongs to nobody")
	case x.Profile == x.Other:
		lines = append(lines, "one customer")
	default:
		lines = append(lines, "two customers")
	}
	for _, l := range x.Chain {
		lines = append(lines, l.String())
	}
	for _, l := range x.Separated {
		lines = append(lines, l.String()+" to be apart")
	}
	for _, r := range x.Refused {
		lines = append(lines, r.String())
	}
	if len(lines) == 1 && x.Profile != x.Other {
		lines = append(lines, "no evidence holds identifiers of both")
	}
	return strings.Join(lines, "\n")
}

// Explain says why two identifiers are one customer's: by a shortest chain of
// evidence and declarations; or, why not: by the links that were refused and the
// declarations that hold them apart. [ErrNotFound] where one is not known. The
// cost is that of walking the profiles.
func (d *Directory) Explain(ctx context.Context, a, b Identifier) (Explanation, error) {
	var names [2]name
	for i, id := range [...]Identifier{a, b} {
		n, reason := d.rules().name(id, "")
		if reason != 0 {
			return Explanation{}, ErrNotFound
		}
		names[i] = n
	}
	var out Explanation
	err := d.view(ctx, Query{Names: []Name{names[0].row(), names[1].row()}}, func(g *graph) (err error) {
		out, err = g.explain(names[0], names[1])
		return err
	})
	return out, err
}

func (g *graph) explain(a, b name) (Explanation, error) {
	now := g.now().UnixMicro()
	x, y := g.nodeAt(a, now), g.nodeAt(b, now)
	if x == nil || y == nil {
		return Explanation{}, ErrNotFound
	}
	from, to := x.homes(), y.homes()
	for _, homes := range [...][]*cluster{from, to} {
		if slices.ContainsFunc(homes, func(c *cluster) bool { return g.over(c, now) }) {
			return Explanation{}, ErrNotFound
		}
	}
	for _, c := range append(slices.Clip(from), to...) {
		if c.partial {
			g.missing.profiles = append(g.missing.profiles, c.parts...)
		}
	}
	if g.missing.any() {
		return Explanation{}, ErrNotFound
	}
	for _, c := range from {
		if slices.Contains(to, c) {
			return Explanation{Profile: c.id(), Other: c.id(), Chain: c.chain(x, y)}, nil
		}
	}
	var out Explanation
	if len(from) > 0 {
		out.Profile = from[0].id()
	}
	if len(to) > 0 {
		out.Other = to[0].id()
	}
	if len(from) > 0 && len(to) > 0 {
		out.Refused = append(from[0].refusedAt(to[0]), to[0].refusedAt(from[0])...)
		out.Separated = from[0].separated(to[0])
	} else {
		for _, n := range [...]*node{x, y} {
			for _, r := range n.refusals() {
				out.Refused = append(out.Refused, r.refusal())
			}
		}
	}
	return out, nil
}

// homes are the profiles that an identifier belongs to: one for one that links.
func (n *node) homes() []*cluster {
	if n.home != nil && n.since != unseen {
		return []*cluster{n.home}
	}
	var out []*cluster
	if n.answers() {
		for _, e := range n.holders() {
			if e.home != nil && !slices.Contains(out, e.home) {
				out = append(out, e.home)
			}
		}
	}
	return out
}

// chain walks breadth first from x to y over the evidence and declarations of c.
func (c *cluster) chain(x, y *node) []ChainLink {
	if x == y {
		return nil
	}
	holding := map[*node][]*evidence{}
	byPosition := slices.Clone(c.evidence)
	slices.SortFunc(byPosition, func(a, b *evidence) int { return a.position().compare(b.position()) })
	for _, e := range byPosition {
		for _, n := range e.together() {
			holding[n] = append(holding[n], e)
		}
	}
	type arrival struct {
		from *node
		link ChainLink
	}
	came := map[*node]arrival{x: {}}
	used := map[*evidence]bool{}
	for queue := []*node{x}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		reach := func(to *node, link ChainLink) {
			if _, seen := came[to]; !seen {
				link.From, link.To = n.identifier(), to.identifier()
				came[to] = arrival{n, link}
				queue = append(queue, to)
			}
		}
		for _, t := range slices.SortedFunc(slices.Values(n.must()), compareTies) {
			if !t.beaten {
				reach(t.other(n), ChainLink{Declared: &t.decision})
			}
		}
		for _, e := range holding[n] {
			if used[e] {
				continue
			}
			used[e] = true
			for _, to := range e.together() {
				reach(to, ChainLink{Evidence: e.key, Events: e.count, First: instant(e.first), Last: instant(e.last)})
			}
		}
		if _, done := came[y]; done {
			break
		}
	}
	var chain []ChainLink
	for n := y; n != x; n = came[n].from {
		if came[n].from == nil {
			return nil
		}
		chain = append(chain, came[n].link)
	}
	slices.Reverse(chain)
	return chain
}

// together are the identifiers that evidence ties or looks up in its home.
func (e *evidence) together() []*node {
	var out []*node
	for _, n := range e.links {
		if !slices.ContainsFunc(e.verdicts(), func(r *refusal) bool { return r.node == n }) {
			out = append(out, n)
		}
	}
	for _, n := range e.others() {
		if n.answers() {
			out = append(out, n)
		}
	}
	return out
}

// refusedAt are the links of c's evidence that were refused at identifiers of another profile.
func (c *cluster) refusedAt(far *cluster) []Refusal {
	var found []*refusal
	for _, e := range c.evidence {
		for _, r := range e.verdicts() {
			if r.node.home == far {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b *refusal) int { return a.evidence.position().compare(b.evidence.position()) })
	var out []Refusal
	for _, r := range found {
		out = append(out, r.refusal())
	}
	return out
}

func (c *cluster) separated(far *cluster) []ChainLink {
	var out []ChainLink
	for _, n := range c.nodes {
		for _, t := range n.cannot() {
			if t.other(n).home == far {
				out = append(out, ChainLink{From: n.identifier(), To: t.other(n).identifier(), Declared: &t.decision})
			}
		}
	}
	return out
}
