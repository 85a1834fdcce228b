package segment

import (
	"math/bits"

	"github.com/cxkit/cxkit/profile"
)

// attrLanes reads an attribute of one customer after the other. Numbers and
// instants lie in bit planes, of which 64 neighbors are read at once when the
// first of them is asked about.
type attrLanes struct {
	name  string
	col   *attrColumn // nil where nobody has the attribute
	worth uint32      // the first of 64 neighbors who are worth it, or noGroup
	have  uint32      // the first of those who are read, or noGroup
	// Who of them has a whole number, another number, an instant.
	whole, decimal, time uint64
	numbers, times       [64]int64
}

const (
	noGroup = 1 // is the first of no 64 neighbors
	// lanesMin is how many of 64 neighbors must be in question for reading
	// them at once to cost less than one by one.
	lanesMin = 4
)

// get reads the attribute of a customer.
func (l *attrLanes) get(d uint32) profile.Value {
	switch {
	case l.col == nil:
		return profile.Value{}
	case l.have == d&^63:
	case l.worth == d&^63:
		l.read(d &^ 63)
		return l.get(d)
	default:
		return l.col.get(d)
	}
	switch bit := uint64(1) << (d & 63); {
	case l.whole&bit != 0:
		return profile.Int(l.numbers[d&63])
	case l.decimal&bit != 0:
		return plainNumber(profile.Dec(l.numbers[d&63], l.col.places))
	case l.time&bit != 0:
		return profile.Time(instant(l.times[d&63]))
	}
	return l.col.get(d)
}

// read reads 64 neighbors.
func (l *attrLanes) read(first uint32) {
	l.have, l.whole, l.decimal = first, 0, 0
	if has := l.col.numbers.group(first, &l.numbers); l.col.places == 0 {
		l.whole = has
	} else {
		l.decimal = has
	}
	l.time = l.col.times.group(first, &l.times)
}

// narrowByFunction keeps of w, in a block, whom the function accepts, and
// reports whether there may be any.
func (l *leaf) narrowByFunction(q *query, block int, w *words) bool {
	fn := l.node.fn
	o := newManyReader(q, l)
	c := &customer{fn: fn, read: o, lanes: make([]attrLanes, len(fn.attrs))}
	for i, name := range fn.attrs {
		c.lanes[i].name, c.lanes[i].col, c.lanes[i].have = name, q.view.attrs[name], noGroup
	}
	some := false
	for k, x := range w {
		if x == 0 {
			continue
		}
		first := uint32(block)<<blockBits | uint32(k)<<6
		worth := first
		if bits.OnesCount64(x) < lanesMin {
			worth = noGroup
		}
		for i := range c.lanes {
			c.lanes[i].worth = worth
		}
		hit := uint64(0)
		for rest := x; rest != 0; rest &= rest - 1 {
			bit := bits.TrailingZeros64(rest)
			c.d = first | uint32(bit)
			o.d = c.d
			pass := uint64(0) // without a branch that is hard to predict
			if fn.call(Customer{c}) {
				pass = 1
			}
			hit |= pass << bit
		}
		w[k] = hit
		some = some || hit != 0
	}
	return some
}

// manyReader is what a function reads of one customer after the other, with all
// that is the same for all of them found beforehand.
type manyReader struct {
	one
	leaf     *leaf
	measures []manyMeasure
	members  []*set // of the segments, nil where they are evaluated
}

// manyMeasure is a measure with the column that it is of and the edges of its
// window.
type manyMeasure struct {
	Measure
	column *seriesColumn
	lo, hi int64
}

func newManyReader(q *query, l *leaf) *manyReader {
	r := &manyReader{one: one{p: &q.view, t: q.t}, leaf: l}
	fn := l.node.fn
	for i, name := range fn.measures {
		m := manyMeasure{Measure: fn.deps.Measures[name], column: q.view.series[l.of[i]]}
		m.lo, m.hi = m.of.window.bounds(l.clocks, q.t)
		r.measures = append(r.measures, m)
	}
	for _, c := range l.needs {
		r.members = append(r.members, q.view.members[c])
	}
	return r
}

func (r *manyReader) funcAttr(i int) profile.Value { return r.attr(r.leaf.node.fn.attrs[i]) }

func (r *manyReader) funcMeasure(i int) profile.Value {
	m := &r.measures[i]
	facts := m.column.get(r.d)
	if len(r.p.coming) > 0 {
		facts = r.run(r.leaf.of[i])
	}
	if facts.from != nil {
		facts, _ = facts.in(r.leaf.clocks, m.of.window, r.t)
	} else {
		facts = facts.between(m.lo, m.hi)
	}
	return facts.measure(m.agg)
}

func (r *manyReader) funcSegment(i int) bool {
	if s := r.members[i]; s != nil {
		return s.has(r.d)
	}
	in, _ := r.member(r.leaf.needs[i], r.t)
	return in
}
