package profile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Release declares that a value came to somebody else as of a time: a phone
// number that was given up and assigned anew. Events from then on are another
// person's; the periods do not link, whenever their events arrive. Errors are
// [ErrInvalidDecision], and [ErrNotFound] for an identifier that is not known.
// To release again as of the same time changes nothing.
func (d *Directory) Release(ctx context.Context, id Identifier, at time.Time, by Decision) error {
	if err := by.check(); err != nil {
		return err
	}
	nm, reason := d.rules().name(id, "")
	switch {
	case reason != 0:
		return fmt.Errorf("%w: the identifier is %s", ErrInvalidDecision, reason)
	case at.UnixMicro() < minInstant || at.UnixMicro() > maxInstant:
		return fmt.Errorf("%w: the time is outside the years 1 to 9999", ErrInvalidDecision)
	}
	micro := at.UnixMicro()
	return d.update(ctx, Query{Names: []Name{nm.row()}}, func(g *graph) error {
		base := g.findNode(nm)
		switch {
		case base == nil:
			return ErrNotFound
		case slices.Contains(base.releases(), micro):
			return nil
		}
		g.release(base, micro)
		return nil
	})
}

func (n *node) releases() []int64 {
	if n.extra == nil {
		return nil
	}
	return n.extra.releases
}

// inEra is the name of a value as it was owned at an instant.
func (n *node) inEra(at int64) name {
	era := ""
	for _, r := range n.releases() {
		if r <= at {
			era = "\x00" + strconv.FormatInt(r, 10)
		}
	}
	return name{kind: n.kind, value: n.value + era}
}

// nodeAt finds the node of a value as it was owned at an instant; nil where
// nothing holds it, or a Store has to be asked for it first.
func (g *graph) nodeAt(nm name, at int64) *node {
	n := g.findNode(nm)
	if n == nil || len(n.releases()) == 0 {
		return n
	}
	nm = n.inEra(at)
	g.ask(nm)
	return g.findNode(nm)
}

// ask notes a name that a session did not load.
func (g *graph) ask(nm name) {
	if g.stored && !g.askedNames[nm.row()] {
		g.missing.names = append(g.missing.names, nm.row())
	}
}

// settle gives the names of a prepared event the eras of its time, with the key
// that they make; false where a Store has to be asked for them first.
func (g *graph) settle(p *prepared) (names []name, key EvidenceKey, ok bool) {
	names = slices.Clone(p.names)
	for i, nm := range names {
		if base := g.findNode(nm); base != nil && len(base.releases()) > 0 {
			names[i] = base.inEra(p.at)
			g.ask(names[i])
		}
	}
	slices.SortFunc(names, compareNames)
	key = evidenceKey(names)
	if g.stored && !g.askedEvidence[key] {
		g.missing.evidence = append(g.missing.evidence, key)
	}
	if g.stored {
		for _, h := range g.rules.hashes(&prepared{names: names, key: key}) {
			if !g.askedTombstones[h] {
				g.missing.tombstones = append(g.missing.tombstones, h)
			}
		}
	}
	return names, key, !g.missing.any()
}

// release moves the events of a new period to evidence of their own.
func (g *graph) release(base *node, at int64) {
	before := base.inEra(at)
	g.ask(before)
	var holders []*evidence
	if old := g.findNode(before); old != nil {
		g.wholly(old.home)
		holders = old.heldBy()
	}
	for _, e := range holders {
		g.complete(e)
	}
	if g.missing.any() {
		return
	}
	base.more().releases = append(base.more().releases, at)
	slices.Sort(base.extra.releases)
	g.released = true
	now := g.feed.clock(g.now())
	for _, e := range holders {
		g.reassign(e, before, base, now)
	}
}

// wholly asks for all of a profile that a session loaded in part.
func (g *graph) wholly(c *cluster) {
	if c != nil && c.partial {
		g.missing.profiles = append(g.missing.profiles, c.parts...)
	}
}

// complete asks for all of evidence that a session loaded in part: its records,
// its identifiers, its profile.
func (g *graph) complete(e *evidence) bool {
	if len(e.records) != e.count {
		g.missing.records = append(g.missing.records, e.key)
	}
	g.wholly(e.home)
	return g.loaded(e)
}

// heldBy is all evidence that holds an identifier, in the order of folding.
func (n *node) heldBy() []*evidence {
	out := slices.Clone(n.holders())
	if n.home != nil {
		for _, e := range n.home.evidence {
			if slices.Contains(e.links, n) {
				out = append(out, e)
			}
		}
	}
	for _, r := range n.refusals() {
		if !slices.Contains(out, r.evidence) {
			out = append(out, r.evidence)
		}
	}
	slices.SortFunc(out, func(a, b *evidence) int { return a.position().compare(b.position()) })
	return out
}

// reassign moves the records of e that a new period of base claims.
func (g *graph) reassign(e *evidence, before name, base *node, now int64) {
	var names []name
	for _, n := range append(slices.Clip(e.links), e.others()...) {
		names = append(names, n.name)
	}
	var moving []*record
	for _, rec := range e.records {
		if base.inEra(rec.at) != before {
			moving = append(moving, rec)
		}
	}
	if len(moving) == 0 {
		return
	}
	names[slices.Index(names, before)] = base.inEra(moving[0].at)
	slices.SortFunc(names, compareNames)
	p := prepared{at: moving[0].at, names: names, key: evidenceKey(names)}

	from := g.before(e)
	e.records = slices.DeleteFunc(e.records, func(r *record) bool { return slices.Contains(moving, r) })
	if e.home != nil {
		e.home.events -= len(moving)
	}
	emptied := len(e.records) == 0
	g.reckon(e, from, now)

	to := g.evidence[p.key]
	switch {
	case to == nil:
		if g.stored && !g.askedEvidence[p.key] {
			g.missing.evidence = append(g.missing.evidence, p.key)
			return
		}
		for _, nm := range names {
			g.ask(nm)
		}
		if g.missing.any() {
			return
		}
		to = g.newEvidence(&p)
		g.arrive(to, now, Live)
	case !g.complete(to):
		return
	case p.at < to.first:
		g.advance(to, p.at, now, Live)
	}
	g.wholly(to.home)
	if g.missing.any() {
		return
	}
	into := g.before(to)
	for _, rec := range moving {
		rec.evidence = to
		to.keep(rec)
	}
	if to.home != nil {
		to.home.events += len(moving)
	}
	g.reckon(to, into, now)
	if emptied {
		for _, id := range append([]ID{e.anchor}, e.formers()...) { // a former ID follows its events
			g.anchors.set(id, to)
			to.more().formers = append(to.more().formers, id)
		}
	}
	if is := to.home.id(); from.id != "" && from.id != is {
		g.feed.add(change{kind: Split, profile: from.id, other: is, at: now})
	}
}

// before is a profile's golden record before the records of e change.
func (g *graph) before(e *evidence) golden {
	return golden{e.home.id(), append([]candidate{}, e.home.traitsOf()...)}
}

// reckon computes everything that follows from the records of e, after some
// came or went. With the last, the evidence goes.
func (g *graph) reckon(e *evidence, was golden, now int64) {
	e.count = len(e.records)
	if e.count == 0 {
		g.remove([]*evidence{e}, now)
		return
	}
	first := e.first
	g.replay(e)
	if e.first != first && len(e.links) > 0 {
		f := fold{g: g}
		f.touch(e)
		f.run(nil, nil, now, Live)
	}
	if e.home == nil {
		return
	}
	e.home.span()
	g.buildGolden(e.home)
	if e.home.id() == was.id {
		g.compareGolden(was.id, was.traits, e.home.traitsOf(), now, Live)
	}
}
