package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrInvalidDecision reports a decision without actor, or about what cannot be decided.
var ErrInvalidDecision = errors.New("profile: invalid decision")

// Decision says who decided something about a customer's identity, and why.
type Decision struct {
	// Actor names the person or the process; required.
	Actor string `json:"actor"`
	// Reason is what the actor gave as reason.
	Reason string `json:"reason,omitempty"`
}

func (by Decision) check() error {
	for _, s := range [...]string{by.Actor, by.Reason} {
		if len(s) > MaxValueBytes || checkText(s) != nil {
			return fmt.Errorf("%w: Actor or Reason is too long or not text", ErrInvalidDecision)
		}
	}
	if by.Actor == "" {
		return fmt.Errorf("%w: Actor is missing", ErrInvalidDecision)
	}
	return nil
}

// tie is what a person declared about two identifiers.
type tie struct {
	a, b     *node // in the order of linking
	must     bool
	decision Decision
	beaten   bool // a must-link that a cannot-link beat
}

func (t *tie) other(n *node) *node {
	if t.a == n {
		return t.b
	}
	return t.a
}

func compareTies(s, t *tie) int {
	if c := compareNames(s.a.name, t.a.name); c != 0 {
		return c
	}
	return compareNames(s.b.name, t.b.name)
}

// Link declares that two identifiers are of one person, whatever the limits
// say; only Separate is stronger. Both must be known and of kinds that link:
// [ErrNotFound], [ErrInvalidDecision]. To declare it again changes nothing.
func (d *Directory) Link(ctx context.Context, a, b Identifier, by Decision) error {
	return d.declare(ctx, a, b, by, true)
}

// Separate declares that two identifiers are of different people: no evidence
// and no Link joins them. Errors are those of Link.
func (d *Directory) Separate(ctx context.Context, a, b Identifier, by Decision) error {
	return d.declare(ctx, a, b, by, false)
}

func (d *Directory) declare(ctx context.Context, a, b Identifier, by Decision, must bool) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.onPair(ctx, a, b, func(g *graph, x, y *node) error {
		list := (*node).cannot
		if must {
			list = (*node).must
		}
		if slices.ContainsFunc(list(x), func(t *tie) bool { return t.other(x) == y }) {
			return nil
		}
		t := &tie{a: x, b: y, must: must, decision: by}
		for _, n := range [...]*node{x, y} {
			if must {
				n.more().must = append(n.more().must, t)
			} else {
				n.more().cannot = append(n.more().cannot, t)
			}
		}
		kind := Unlinked
		if must {
			kind = Linked
		}
		g.refold(kind, x, y)
		return nil
	})
}

// Withdraw takes back what Link and Separate declared about two identifiers;
// [ErrNotFound] if they declared nothing.
func (d *Directory) Withdraw(ctx context.Context, a, b Identifier, by Decision) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.onPair(ctx, a, b, func(g *graph, x, y *node) error {
		was := len(x.must()) + len(x.cannot())
		kind := Unlinked
		for _, n := range [...]*node{x, y} {
			if n.extra == nil {
				continue
			}
			mine := func(t *tie) bool { return t.a == x && t.b == y }
			if slices.ContainsFunc(n.extra.cannot, mine) {
				kind = Linked
			}
			n.extra.must = slices.DeleteFunc(n.extra.must, mine)
			n.extra.cannot = slices.DeleteFunc(n.extra.cannot, mine)
		}
		if len(x.must())+len(x.cannot()) == was {
			return ErrNotFound
		}
		g.refold(kind, x, y)
		g.drop(x)
		g.drop(y)
		return nil
	})
}

// onPair runs f under the lock on the nodes of two known linking identifiers, in order.
func (d *Directory) onPair(ctx context.Context, a, b Identifier, f func(g *graph, x, y *node) error) error {
	names, err := d.rules().pair(a, b)
	if err != nil {
		return err
	}
	return d.update(ctx, Query{Names: []Name{names[0].row(), names[1].row()}}, func(g *graph) error {
		now := g.now().UnixMicro()
		x, y := g.nodeAt(names[0], now), g.nodeAt(names[1], now)
		switch {
		case x == nil || y == nil || g.over(x.home, now) || g.over(y.home, now):
			return ErrNotFound
		case !x.links() || !y.links():
			return fmt.Errorf("%w: an identifier does not link any more", ErrInvalidDecision)
		}
		return f(g, x, y)
	})
}

// pair normalizes two identifiers that something can be declared about, in order.
func (r *rules) pair(a, b Identifier) (names [2]name, err error) {
	for i, id := range [...]Identifier{a, b} {
		n, reason := r.name(id, "")
		switch {
		case reason != 0:
			return names, fmt.Errorf("%w: an identifier is %s", ErrInvalidDecision, reason)
		case n.kind.Use != Links || n.blocked():
			return names, fmt.Errorf("%w: an identifier does not link", ErrInvalidDecision)
		}
		names[i] = n
	}
	switch compareNames(names[0], names[1]) {
	case 0:
		return names, fmt.Errorf("%w: the identifiers are the same", ErrInvalidDecision)
	case 1:
		names[0], names[1] = names[1], names[0]
	}
	return names, nil
}

// refold folds what two identifiers touch, after a declaration about them.
func (g *graph) refold(kind ChangeKind, x, y *node) {
	f := fold{g: g, loose: []*node{x, y}}
	f.widen(x.home)
	f.widen(y.home)
	now := g.feed.clock(g.now())
	id, other := x.home.id(), y.home.id()
	if id == other {
		other = ""
	}
	g.feed.add(change{kind: kind, profile: id, other: other, at: now})
	f.run(nil, nil, now, Live)
}

// Unlink takes the linking power of a record of evidence away: its events stay
// with the profile of its root, and every profile concerned is what it would be
// had the evidence held its root alone. [ErrNotFound] for an unknown key. To
// unlink again changes nothing. Receipts and refusals name the key.
func (d *Directory) Unlink(ctx context.Context, key EvidenceKey, by Decision) error {
	return d.power(ctx, key, by, false)
}

// Relink gives back the linking power that Unlink took.
func (d *Directory) Relink(ctx context.Context, key EvidenceKey, by Decision) error {
	return d.power(ctx, key, by, true)
}

func (d *Directory) power(ctx context.Context, key EvidenceKey, by Decision, links bool) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.update(ctx, Query{Evidence: []EvidenceKey{key}}, func(g *graph) error {
		e := g.evidence[key]
		switch {
		case e == nil:
			return ErrNotFound
		case e.unlinked() != links:
			return nil
		}
		f := fold{g: g}
		kind := Linked
		if links {
			e.extra.unlinked = nil
			if !g.loaded(e) {
				return nil
			}
			f.touch(e)
		} else {
			e.more().unlinked = &by
			kind = Unlinked
			f.widen(e.home)
		}
		if len(e.links) == 0 {
			return nil
		}
		now := g.feed.clock(g.now())
		g.feed.add(change{kind: kind, profile: e.home.id(), at: now})
		f.run(nil, nil, now, Live)
		return nil
	})
}

// loaded reports whether the identifiers of e are at hand, and asks for those that are not.
func (g *graph) loaded(e *evidence) bool {
	for _, n := range append(slices.Clip(e.links), e.others()...) {
		if n.stub {
			g.missing.names = append(g.missing.names, n.row())
		}
	}
	return !g.missing.any()
}

// Retract removes an event as if it had never been: every profile concerned is
// what it would be without it. The ID stays taken, so that a redelivery does
// not bring the event back; what was true is reported under another ID.
// [ErrNotFound] for an unknown ID. To retract again changes nothing.
func (d *Directory) Retract(ctx context.Context, eventID string, by Decision) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.update(ctx, Query{Events: []string{eventID}}, func(g *graph) error {
		rec := g.events.get(0, eventID)
		switch {
		case rec == nil:
			return ErrNotFound
		case rec.evidence == nil:
			return nil
		}
		g.retract(rec.evidence, func(r *record) bool { return r.id == eventID })
		return nil
	})
}

// RetractEvidence is Retract for all events of a record of evidence.
// [ErrNotFound] for an unknown key.
func (d *Directory) RetractEvidence(ctx context.Context, key EvidenceKey, by Decision) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.update(ctx, Query{Evidence: []EvidenceKey{key}}, func(g *graph) error {
		e := g.evidence[key]
		if e == nil {
			return ErrNotFound
		}
		g.retract(e, func(*record) bool { return true })
		return nil
	})
}

// retract removes records of one evidence, and the evidence with its last.
func (g *graph) retract(e *evidence, goes func(*record) bool) {
	if !g.complete(e) {
		return
	}
	now := g.feed.clock(g.now())
	was := g.before(e)
	for _, rec := range e.records {
		if !goes(rec) {
			continue
		}
		if e.home != nil {
			g.feed.add(change{kind: Retracted, profile: was.id, event: rec.id, at: now, mode: rec.mode})
			e.home.events--
		}
		*rec = record{id: rec.id}
	}
	e.records = slices.DeleteFunc(e.records, func(r *record) bool { return r.evidence == nil })
	g.reckon(e, was, now)
}

// replay computes what evidence keeps of its records.
func (g *graph) replay(e *evidence) {
	e.first, e.last = e.records[0].at, e.records[len(e.records)-1].at
	e.traits = e.traits[:0]
	if e.extra != nil {
		e.extra.consents, e.extra.relations = nil, nil
	}
	home := e.home
	e.home = nil // the profile's golden record is built apart
	for _, rec := range e.records {
		g.report(e, rec, nil)
		e.consent(rec)
		e.relate(rec)
	}
	e.home = home
}

// span computes the first and last sight of a cluster.
func (c *cluster) span() {
	for i, e := range c.evidence {
		if i == 0 || e.first < c.first {
			c.first = e.first
		}
		if i == 0 || e.last > c.last {
			c.last = e.last
		}
	}
}

// remove takes evidence of one profile out of the graph.
func (g *graph) remove(gone []*evidence, now int64) {
	home := gone[0].home
	if home != nil && len(home.nodes) > 0 {
		f := fold{g: g}
		f.widen(home)
		f.run(nil, gone, now, Live)
	}
	for _, e := range gone {
		e.home = nil
		delete(g.evidence, e.key)
		for _, id := range append([]ID{e.anchor}, e.formers()...) {
			g.anchors.set(id, nil)
		}
		for _, n := range e.others() {
			n.more().holders = slices.DeleteFunc(n.more().holders, func(h *evidence) bool { return h == e })
			n.uses--
			g.drop(n)
		}
		for _, n := range e.links {
			n.uses--
			g.drop(n)
		}
	}
}

// drop forgets a node that nothing holds any more.
func (g *graph) drop(n *node) {
	if n.uses == 0 && len(n.must())+len(n.cannot())+len(n.releases()) == 0 {
		g.nodes.remove(n.kind.index, n.value)
	}
}
