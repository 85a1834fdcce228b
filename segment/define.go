package segment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Define adds a segment as of now: the clock advances to it, what the rule
// reads and the engine does not hold yet is read from the History, and every
// customer who belongs enters, marked ByDefinition and Backfill. The same
// definition again changes nothing; another of that name is [ErrDefined] (see
// [Engine.Redefine]). On an error nothing is defined. However long it takes,
// questions about other segments are answered meanwhile.
func (e *Engine) Define(ctx context.Context, now time.Time, def Definition) error {
	return e.write(ctx, func() error {
		if s := e.segments[def.Name]; s != nil {
			if s.hash == def.Hash() {
				return nil
			}
			return fmt.Errorf("%w: %s", ErrDefined, def.Name)
		}
		var c *compiled
		var err error
		e.locked(func() {
			if c, err = e.compile(def, e.catalog); err == nil {
				e.advance(micros(now))
			}
		})
		if err != nil {
			return err
		}
		need, err := e.gather(ctx, c)
		if err != nil {
			e.locked(func() { e.releaseAll(c) })
			return err
		}
		e.locked(func() { e.adopt(need) })
		s := e.build(c, true)
		why := e.byDefinition()
		for d := range e.dict.len() {
			if e.alive.has(d) && e.member(c.root, d) {
				s.members.set(d, true)
				e.record(s, d, true, e.clock, e.clock, why)
			}
		}
		e.locked(func() { e.publish(s) })
		return e.redefined()
	})
}

// locked does what readers must not see half done.
func (e *Engine) locked(f func()) {
	e.state.Lock()
	defer e.state.Unlock()
	f()
}

// byDefinition is the cause of what follows from a definition now.
func (e *Engine) byDefinition() cause {
	return cause{Cause: Cause{Kind: ByDefinition}, floor: e.clock, mode: profile.Backfill}
}

// compile makes a definition ready, beside what is defined.
func (e *Engine) compile(def Definition, into *catalog) (*compiled, error) {
	known := make(map[string]*compiled, len(e.segments))
	for name, s := range e.segments {
		known[name] = s.compiled
	}
	return into.compile(def, known)
}

// needs are the columns that a definition brings, filled.
type needs struct {
	attrs  []*attrColumn
	series []*seriesColumn
	orders map[uint32]*orderBook
}

// missing makes the columns that are read and that the engine lacks, empty.
func (e *Engine) missing(cs ...*compiled) (n needs) {
	reads := map[string]bool{}
	var leaves []*leaf
	for _, c := range cs {
		leaves = append(leaves, c.leaves...)
	}
	for _, l := range leaves {
		for _, name := range l.node.attrs() {
			if e.attrs[name] == nil && !reads[name] {
				reads[name] = true
				n.attrs = append(n.attrs, newAttrColumn(name))
			}
		}
		for _, s := range l.of {
			k := l.needsOf(s)
			if s.index < len(e.series) && e.series[s.index] != nil {
				have := e.series[s.index]
				if have.serves(k) {
					continue
				}
				k = e.widest(have, k)
			}
			at := slices.IndexFunc(n.series, func(col *seriesColumn) bool { return col.stream == s })
			switch {
			case at < 0:
				n.series = append(n.series, newSeriesColumn(s, k))
			case !n.series[at].serves(k):
				n.series[at] = newSeriesColumn(s, k)
			}
			if s.source.ofOrders() && e.orders == nil && n.orders == nil {
				n.orders = map[uint32]*orderBook{}
			}
		}
	}
	return n
}

// widest is what a column that is to replace another has to serve.
func (e *Engine) widest(have *seriesColumn, k int) int {
	if k == 0 || have.latest == nil {
		return 0
	}
	return max(k, have.latest.k)
}

// gather makes the columns that are read and that the engine lacks, and fills
// them.
func (e *Engine) gather(ctx context.Context, cs ...*compiled) (needs, error) {
	n := e.missing(cs...)
	if n.attrs == nil && n.series == nil {
		return n, nil
	}
	for d := range e.dict.len() {
		if !e.alive.has(d) {
			continue
		}
		r, there, err := e.load(ctx, e.dict.key(d), e.position)
		if err != nil {
			return n, err
		}
		if !there { // a change to come says so
			continue
		}
		for _, col := range n.attrs {
			if v := plainNumber(r.Traits[col.name]); !v.IsZero() {
				col.set(d, v)
			}
		}
		past := slices.DeleteFunc(r.Events, func(ev profile.Event) bool { return micros(ev.Time) > e.clock })
		book := e.orders[d]
		if n.orders != nil {
			if book = orderBookOf(past); book != nil {
				n.orders[d] = book
			}
		}
		for _, col := range n.series {
			if run := col.stream.runOf(past, book.stretches()); run.len() > 0 {
				col.set(d, run)
			}
		}
	}
	return n, nil
}

// attrs lists the traits that a leaf reads.
func (n *node) attrs() []string {
	switch n.kind {
	case nodeAttr, nodeDate:
		return []string{n.attr}
	case nodeFunc:
		return n.fn.attrs
	}
	return nil
}

// build makes the state of a segment whose columns are there. With look, it
// looks at everyone at the clock. No reader sees it before it is published.
func (e *Engine) build(c *compiled, look bool) *segmentState {
	s := &segmentState{compiled: c, turns: &turnLog{}}
	c.state = s
	var fresh []*leafState
	e.locked(func() {
		for _, l := range c.leaves {
			st := e.leaves[l]
			if st == nil {
				st = e.installLeaf(l)
				fresh = append(fresh, st)
			}
			st.users = append(st.users, s)
			s.leaves = append(s.leaves, st)
		}
		e.bind(c.root)
		s.blank = c.root.blank()
	})
	if look {
		for _, l := range fresh {
			e.lookEverywhere(l)
		}
		e.unconcern()
	}
	return s
}

// publish shows readers segments that were built, and lets the clock ring their
// leaves.
func (e *Engine) publish(built ...*segmentState) {
	for _, s := range built {
		e.segments[s.def.Name] = s
		e.names.Store(s.def.Name, s)
		for _, l := range s.leaves {
			e.enlist(l)
		}
	}
	e.topology = append(e.topology, built...)
	e.reorder()
}

// reorder puts each segment after those that it is made of, and else leaves
// the order as it is.
func (e *Engine) reorder() {
	var ordered []*segmentState
	var visit func(s *segmentState)
	seen := map[*segmentState]bool{}
	visit = func(s *segmentState) {
		if seen[s] {
			return
		}
		seen[s] = true
		for _, l := range s.leaves {
			for _, c := range l.leaf.needs {
				visit(c.state)
			}
		}
		s.order = len(ordered)
		ordered = append(ordered, s)
	}
	e.welcoming = e.welcoming[:0]
	for _, s := range e.topology {
		visit(s)
		if s.blank {
			e.welcoming = append(e.welcoming, s)
		}
	}
	e.topology = ordered
}

// lookEverywhere looks at a leaf of everyone of whom anything is known that it
// reads; of the others its answer is the blank one.
func (e *Engine) lookEverywhere(l *leafState) {
	var pages []func(i int) bool
	for _, name := range l.leaf.node.attrs() {
		col := e.attrs[name]
		pages = append(pages, col.page)
	}
	for _, s := range l.leaf.of {
		col := e.series[s.index]
		pages = append(pages, col.page)
	}
	for i := range int(e.dict.len()+pageSize-1) / pageSize {
		known := len(l.leaf.needs) > 0 || l.leaf.node.kind == nodeFunc // which may go by the key
		for _, page := range pages {
			known = known || page(i)
		}
		if !known {
			continue
		}
		for d := uint32(i) * pageSize; d < min(uint32(i+1)*pageSize, e.dict.len()); d++ {
			if e.alive.has(d) {
				e.look(l, d)
			}
		}
	}
}

// unconcern drops all notes of customers to be looked at.
func (e *Engine) unconcern() {
	for _, s := range e.dirty {
		s.pending = s.pending[:0]
	}
	e.dirty = e.dirty[:0]
}

// adopt takes new columns in.
func (e *Engine) adopt(n needs) {
	for _, col := range n.attrs {
		e.attrs[col.name] = col
	}
	if n.orders != nil {
		e.orders = n.orders
	}
	for _, col := range n.series {
		for len(e.series) <= col.stream.index {
			e.series = append(e.series, nil)
		}
		old := e.series[col.stream.index]
		e.series[col.stream.index] = col
		if old != nil { // it takes the place of a narrower one
			col.leaves = old.leaves
			for _, l := range col.leaves {
				if l.leaf.counting != nil {
					l.column = col
				}
			}
		}
		switch {
		case !col.stream.source.ofOrders():
			to := e.byEvent[col.stream.feed()]
			if to == nil {
				to = &routes[*seriesColumn]{}
				e.byEvent[col.stream.feed()] = to
			}
			if old != nil {
				to.remove(addressOf(col.stream.where), old)
			}
			to.add(addressOf(col.stream.where), col)
		case old == nil:
			e.byOrder = append(e.byOrder, col)
		}
	}
}

func (e *Engine) installLeaf(l *leaf) *leafState {
	st := &leafState{leaf: l, flipped: bitmap{alone: true}, place: -1}
	if l.node.kind != nodeIn && l.node.kind != nodeFunc {
		st.blank, _ = l.eval(blankFacts{}, 0)
	}
	e.leaves[l] = st
	if l.counting != nil {
		st.column = e.series[l.of[0].index]
	}
	for _, name := range l.node.attrs() {
		col := e.attrs[name]
		col.leaves = append(col.leaves, st)
		col.routes.add(addressOf(l.node), st)
	}
	var seen []*stream
	for _, s := range l.of {
		if !slices.Contains(seen, s) {
			seen = append(seen, s)
			e.series[s.index].leaves = append(e.series[s.index].leaves, st)
		}
	}
	for _, c := range l.needs {
		c.state.asLeaf = append(c.state.asLeaf, st)
	}
	if l.node.kind == nodeFunc {
		e.functionLeaves = append(e.functionLeaves, st)
	}
	return st
}

// bind ties the leaves of an expression to what the engine keeps of them.
func (e *Engine) bind(x *expr) {
	if x.leaf != nil {
		x.state = e.leaves[x.leaf]
	}
	for _, k := range x.kids {
		e.bind(k)
	}
}

// blank reports whether a customer belongs at whom no leaf has looked.
func (x *expr) blank() bool {
	switch x.kind {
	case nodeNot:
		return !x.kids[0].blank()
	case nodeAll:
		return !slices.ContainsFunc(x.kids, func(k *expr) bool { return !k.blank() })
	case nodeAny:
		return slices.ContainsFunc(x.kids, (*expr).blank)
	}
	return x.state.blank
}

// blankFacts is a customer of whom nothing is known. Neither functions, which
// may go by the key, nor other segments are asked about it.
type blankFacts struct{}

func (blankFacts) key() profile.ID           { return "" }
func (blankFacts) attr(string) profile.Value { return profile.Value{} }
func (blankFacts) run(*stream) run           { return run{} }
func (blankFacts) handedOver() handOvers     { return nil }

func (blankFacts) member(*compiled, int64) (bool, int64) { return false, never }

// Drop removes a segment as of now; its members exit, marked ByDefinition and
// Backfill. One that others are made of is [ErrInUse], one that is not there
// [ErrUnknownSegment].
func (e *Engine) Drop(ctx context.Context, now time.Time, segment string) error {
	return e.write(ctx, func() error {
		s := e.segments[segment]
		switch {
		case s == nil:
			return fmt.Errorf("%w: %s", ErrUnknownSegment, segment)
		case len(s.asLeaf) > 0:
			return fmt.Errorf("%w: %s", ErrInUse, segment)
		}
		e.locked(func() {
			e.advance(micros(now))
			why := e.byDefinition()
			for d := range e.dict.len() {
				if s.members.set(d, false) {
					e.record(s, d, false, e.clock, e.clock, why)
				}
			}
			delete(e.segments, s.def.Name)
			e.names.Delete(s.def.Name)
			e.topology = slices.Delete(e.topology, s.order, s.order+1)
			e.detach(s)
			e.reorder()
		})
		return e.redefined()
	})
}

// detach takes out the leaves and columns that only this segment uses; no other
// is made of it.
func (e *Engine) detach(s *segmentState) {
	for _, l := range s.leaves {
		l.users = slices.DeleteFunc(l.users, func(u *segmentState) bool { return u == s })
		if len(l.users) == 0 {
			e.removeLeaf(l)
		}
	}
	e.releaseAll(s.compiled)
}

// removeLeaf takes out a leaf that no segment uses, with the columns that no
// leaf reads.
func (e *Engine) removeLeaf(l *leafState) {
	without := func(leaves []*leafState) []*leafState {
		return slices.DeleteFunc(leaves, func(o *leafState) bool { return o == l })
	}
	delete(e.leaves, l.leaf)
	for _, name := range l.leaf.node.attrs() {
		col := e.attrs[name]
		col.routes.remove(addressOf(l.leaf.node), l)
		if col.leaves = without(col.leaves); len(col.leaves) == 0 {
			delete(e.attrs, name)
		}
	}
	for _, s := range l.leaf.of {
		col := e.series[s.index]
		if col == nil {
			continue
		}
		if col.leaves = without(col.leaves); len(col.leaves) > 0 {
			continue
		}
		e.series[s.index] = nil
		if !s.source.ofOrders() {
			to := e.byEvent[s.feed()]
			if to.remove(addressOf(s.where), col); to.empty() {
				delete(e.byEvent, s.feed())
				e.recent.to = nil
			}
			continue
		}
		e.byOrder = slices.DeleteFunc(e.byOrder, func(o *seriesColumn) bool { return o == col })
		if len(e.byOrder) == 0 {
			e.orders = nil
		}
	}
	for _, c := range l.leaf.needs {
		c.state.asLeaf = without(c.state.asLeaf)
	}
	e.functionLeaves = without(e.functionLeaves)
	e.delist(l)
}
