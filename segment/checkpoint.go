package segment

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// The sections of an engine's container, in their order.
const (
	sectionPlace uint64 = iota + 1
	sectionCustomers
	sectionDefinitions
	sectionAttributes
	sectionSeries
	sectionOrders
	sectionWaiting
	sectionMembers
	sectionHandOvers // there where there are any
)

// waitingEvent is a future event as it is kept.
type waitingEvent struct {
	Customer uint32        `json:"customer"`
	Seq      uint64        `json:"seq"`
	Event    profile.Event `json:"event"`
	Cause    Cause         `json:"cause"`
	Mode     profile.Mode  `json:"mode,omitempty"`
}

// keptFact is a fact about an order as it is kept.
type keptFact struct {
	Event commerce.Event `json:"event"`
	Brand string         `json:"brand,omitempty"`
}

// pack writes the state of the engine as a container.
func (e *Engine) pack() ([]byte, error) {
	e.writeOut() // the position in the feed is part of it
	p := newPacker(kindEngine)
	var err error
	keep := func(problem error) {
		if err == nil && problem != nil {
			err = fmt.Errorf("segment: write checkpoint: %w", problem)
		}
	}
	doc := func(p *packer, v any) {
		b, problem := json.Marshal(v)
		keep(problem)
		p.bytes(b)
	}
	p.section(sectionPlace, func(p *packer) {
		p.uint(e.position)
		p.int(e.clock)
		p.uint(e.seq)
	})
	p.section(sectionCustomers, func(p *packer) {
		p.uint(uint64(e.dict.len()))
		for d := range e.dict.len() {
			p.text(string(e.dict.key(d)))
		}
		keep(packSet(p, e.shot(&e.alive)))
	})
	p.section(sectionDefinitions, func(p *packer) {
		p.uint(uint64(len(e.topology)))
		for _, s := range e.topology {
			doc(p, s.def)
		}
	})
	p.section(sectionAttributes, func(p *packer) {
		names := slices.Sorted(maps.Keys(e.attrs))
		names = slices.DeleteFunc(names, func(name string) bool { return len(e.attrs[name].leaves) == 0 })
		p.uint(uint64(len(names)))
		for _, name := range names {
			p.text(name)
			col := e.attrs[name]
			packColumn(p, e.dict.len(), func(d uint32) bool { return !col.get(d).IsZero() }, func(d uint32) { p.value(col.get(d)) })
		}
	})
	p.section(sectionSeries, func(p *packer) {
		var cols []*seriesColumn
		for _, col := range e.series {
			if col != nil && !col.stream.source.ofOrders() && len(col.leaves) > 0 {
				cols = append(cols, col)
			}
		}
		slices.SortFunc(cols, func(a, b *seriesColumn) int { return cmp.Compare(a.stream.key, b.stream.key) })
		p.uint(uint64(len(cols)))
		for _, col := range cols {
			p.text(col.stream.key)
			k := 0
			if col.latest != nil {
				k = col.latest.k
			}
			p.uint(uint64(k))
			packColumn(p, e.dict.len(), func(d uint32) bool { return col.get(d).len() > 0 }, func(d uint32) {
				r := col.get(d)
				p.ascending(r.at)
				for _, v := range r.val {
					p.value(v)
				}
			})
		}
	})
	p.section(sectionOrders, func(p *packer) {
		p.bool(e.orders != nil)
		packColumn(p, e.dict.len(), func(d uint32) bool { return e.orders[d] != nil }, func(d uint32) {
			var facts []keptFact
			for _, g := range e.orders[d].groups {
				for _, f := range g.facts {
					facts = append(facts, keptFact{f.Event, f.brand})
				}
			}
			doc(p, facts)
		})
	})
	p.section(sectionWaiting, func(p *packer) {
		var waiting []waitingEvent
		for _, f := range e.waiting {
			if f.epoch == e.epochs[f.d] {
				waiting = append(waiting, waitingEvent{f.d, f.seq, f.event, f.cause.Cause, f.cause.mode})
			}
		}
		slices.SortFunc(waiting, func(a, b waitingEvent) int {
			return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Event.ID, b.Event.ID))
		})
		doc(p, waiting)
	})
	p.section(sectionMembers, func(p *packer) {
		for _, s := range e.topology {
			keep(packSet(p, e.shot(&s.members)))
			packColumn(p, e.dict.len(), func(d uint32) bool { return s.turns.newest(d) != 0 }, func(d uint32) { p.ascending(s.turns.instants(d)) })
		}
	})
	if len(e.handOvers) > 0 {
		p.section(sectionHandOvers, func(p *packer) { doc(p, e.handOvers) })
	}
	if err != nil {
		return nil, err
	}
	return p.seal(), nil
}

// packColumn writes how many customers have something, and their numbers, each
// followed by what they have.
func packColumn(p *packer, n uint32, has func(uint32) bool, write func(uint32)) {
	count := uint64(0)
	for d := range n {
		if has(d) {
			count++
		}
	}
	p.uint(count)
	for d := range n {
		if has(d) {
			p.uint(uint64(d))
			write(d)
		}
	}
}

// column reads what packColumn writes.
func (u *unpacker) column(n uint32, read func(d uint32)) {
	next := uint64(0)
	for range u.count() {
		d := u.uint()
		if d < next || d >= uint64(n) {
			u.fail("customer out of order")
		}
		if u.err != nil {
			return
		}
		read(uint32(d))
		next = d + 1
	}
}

// shot is a set as it is, taken beside readers.
func (e *Engine) shot(m *bitmap) (s *set) {
	e.locked(func() { s = m.snapshot() })
	return s
}

// packSet writes a set as a portable roaring bitmap.
func packSet(p *packer, s *set) error {
	b, err := roaringOf(s).ToBytes()
	p.bytes(b)
	return err
}

// bitmap reads a portable roaring bitmap whose members are below limit.
func (u *unpacker) bitmap(limit uint64) *set {
	raw := u.bytes()
	s, ok := readPortable(raw, limit)
	if !ok || u.err != nil {
		u.fail("bitmap")
		return &set{}
	}
	return s
}

// unpack makes a new engine what a container says.
func (e *Engine) unpack(data []byte) error {
	u, err := unpack(data, kindEngine)
	if err != nil {
		return err
	}
	doc := func(u *unpacker, v any) {
		raw := u.bytes()
		if u.err == nil && json.Unmarshal(raw, v) != nil {
			u.fail("document")
		}
	}
	place := u.section(sectionPlace)
	e.position, e.clock, e.seq = place.uint(), place.int(), place.uint()

	customers := u.section(sectionCustomers)
	for range customers.count() {
		e.dict.add(profile.ID(customers.text()))
	}
	n := e.dict.len()
	e.alive.assign(customers.bitmap(uint64(n)))
	if err := firstOf(place.end(), customers.end()); err != nil {
		return err
	}

	definitions := u.section(sectionDefinitions)
	var compiledOnes []*compiled
	known := map[string]*compiled{}
	for range definitions.count() {
		raw := definitions.bytes()
		if definitions.err != nil {
			break
		}
		def, err := ParseDefinition(raw, e.functions...)
		if err != nil {
			return err
		}
		c, err := e.catalog.compile(def, known)
		if err != nil {
			return err
		}
		known[def.Name] = c
		compiledOnes = append(compiledOnes, c)
	}

	var loaded needs
	attributes := u.section(sectionAttributes)
	for range attributes.count() {
		col := newAttrColumn(attributes.text())
		attributes.column(n, func(d uint32) { col.set(d, attributes.value()) })
		loaded.attrs = append(loaded.attrs, col)
	}
	series := u.section(sectionSeries)
	for range series.count() {
		s := e.catalog.streams[series.text()]
		if s == nil {
			series.fail("stream")
			break
		}
		k := series.uint()
		if k > latestMax {
			series.fail("instants")
			break
		}
		col := newSeriesColumn(s, int(k))
		series.column(n, func(d uint32) {
			r := run{at: series.ascending()}
			if s.property != "" {
				for range r.at {
					r.val = append(r.val, series.value())
				}
			}
			col.set(d, r)
		})
		loaded.series = append(loaded.series, col)
	}
	orders := u.section(sectionOrders)
	if orders.bool() {
		loaded.orders = map[uint32]*orderBook{}
	}
	orders.column(n, func(d uint32) {
		var facts []keptFact
		doc(orders, &facts)
		book := &orderBook{}
		for _, f := range facts {
			book.add(orderFact{f.Event, f.Brand})
		}
		if loaded.orders != nil {
			loaded.orders[d] = book
		}
	})
	waiting := u.section(sectionWaiting)
	var events []waitingEvent
	doc(waiting, &events)
	for _, w := range events {
		if w.Customer >= n {
			waiting.fail("customer")
			break
		}
		at := micros(w.Event.Time)
		heap.Push(&e.waiting, future{at, w.Seq, w.Customer, 0, w.Event, cause{w.Cause, at, w.Mode}})
	}
	if err := firstOf(definitions.end(), attributes.end(), series.end(), orders.end(), waiting.end()); err != nil {
		return err
	}
	if err := e.restore(compiledOnes, loaded); err != nil {
		return err
	}

	membership := u.section(sectionMembers)
	for _, s := range e.topology {
		s.members.assign(membership.bitmap(uint64(n)))
		membership.column(n, func(d uint32) {
			for i, at := range membership.ascending() {
				s.turns.add(d, at, i%2 == 0)
			}
		})
	}
	if err := membership.end(); err != nil {
		return err
	}
	if len(u.b) > 0 {
		if err := e.unpackHandOvers(u.section(sectionHandOvers)); err != nil {
			return err
		}
	}
	if err := u.end(); err != nil {
		return err
	}
	return e.lookAgain()
}

func (e *Engine) unpackHandOvers(u *unpacker) error {
	var kept handOvers
	if raw := u.bytes(); u.err == nil && json.Unmarshal(raw, &kept) != nil {
		u.fail("document")
	}
	for kind, list := range kept { // in order and each once, whatever is written
		for _, x := range list {
			e.handOvers, _ = e.handOvers.with(kind, x)
		}
	}
	return u.end()
}

// firstOf is the first error of several.
func firstOf(errs ...error) error { return cmp.Or(errs...) }

// restore puts the definitions in with the columns that were kept.
func (e *Engine) restore(definitions []*compiled, loaded needs) error {
	for _, c := range definitions {
		n := e.missing(c)
		if n.orders != nil {
			n.orders = loaded.orders
			if n.orders == nil {
				return fmt.Errorf("%w: orders", ErrCorrupt)
			}
		}
		for i, col := range n.attrs {
			at := slices.IndexFunc(loaded.attrs, func(have *attrColumn) bool { return have.name == col.name })
			if at < 0 {
				return fmt.Errorf("%w: attribute", ErrCorrupt)
			}
			n.attrs[i] = loaded.attrs[at]
		}
		for i, col := range n.series {
			if col.stream.source.ofOrders() {
				books := n.orders
				if books == nil {
					books = e.orders
				}
				for d, book := range books {
					col.set(d, col.stream.runOf(nil, book.stretches()))
				}
				continue
			}
			at := slices.IndexFunc(loaded.series, func(have *seriesColumn) bool { return have.stream == col.stream })
			if at < 0 || col.latest == nil && loaded.series[at].latest != nil || col.latest != nil && !loaded.series[at].serves(col.latest.k) {
				return fmt.Errorf("%w: series", ErrCorrupt)
			}
			n.series[i] = loaded.series[at]
		}
		e.adopt(n)
		e.publish(e.build(c, false))
	}
	return nil
}

// lookAgain finds the truth of every leaf and when to look again, and checks
// that the members are those of the rules.
func (e *Engine) lookAgain() error {
	for _, s := range e.topology {
		for _, l := range s.leaves {
			if l.users[0] != s {
				continue
			}
			e.lookEverywhere(l)
		}
		for d := range e.dict.len() {
			if s.members.has(d) != (e.alive.has(d) && e.member(s.root, d)) {
				return fmt.Errorf("%w: members of %s are not those of its rule", ErrResume, s.def.Name)
			}
		}
	}
	e.unconcern()
	return nil
}
