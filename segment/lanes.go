package segment

import (
	"math/bits"

	"github.com/cxkit/cxkit/profile"
)

// attrLanes reads an attribute of one customer after the other. Numbers and
// instants lie in bit planes, of which 64 neighbors are read at once when the
// first of them is asked about.
type attrLanes struct {
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
	o := &one{p: &q.view, t: q.t}
	fn := l.node.fn
	c := &customer{
		fn: fn, read: &factReader{facts: o, leaf: l, t: q.t, until: never},
		lanes: make([]attrLanes, len(fn.attrs)),
	}
	for i, name := range fn.attrs {
		c.lanes[i].col, c.lanes[i].have = q.view.attrs[name], noGroup
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
