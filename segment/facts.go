package segment

import (
	"cmp"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// Record is what is known of one customer.
type Record struct {
	// ID is the customer's key.
	ID profile.ID
	// Traits are the attributes as they stand.
	Traits profile.Values
	// Events are the customer's, in any order; of several with one ID the
	// first counts.
	Events []profile.Event
	// HandOvers are those of any relations, in any order. One that names nobody
	// or the same party twice is left out. Default: none.
	HandOvers []profile.HandOver `json:",omitempty"`
}

// run is the facts of a stream, in order of time, then value. All but from and
// to are columns of equal length.
type run struct {
	at  []int64
	val []profile.Value // nil where only the times matter
	// from and to bound when each fact is one: an order counts until it is
	// refunded. nil where facts hold from their time on for ever.
	from, to []int64
}

func (r run) len() int { return len(r.at) }

// in gives the facts that count at t in the window, and the next instant after
// t at which that may change.
func (r run) in(c clocks, w Window, t int64) (sel run, until int64) {
	lo, hi := w.bounds(c, t)
	until = never
	if r.from == nil {
		i, j := r.place(lo, hi)
		if j < len(r.at) {
			until = later(w.enter(c, r.at[j]), t)
		}
		if i < j {
			until = min(until, later(w.leave(c, r.at[i]), t))
		}
		return r.slice(i, j), until
	}
	for i, m := range r.at {
		on, off := max(r.from[i], w.enter(c, m)), min(r.to[i], w.leave(c, m))
		switch {
		case on >= off || off <= t:
		case t < on:
			until = min(until, on)
		default:
			until = min(until, off)
			sel.at = append(sel.at, m)
			if r.val != nil {
				sel.val = append(sel.val, r.val[i])
			}
		}
	}
	return sel, until
}

// between gives the facts after lo and not after hi, of a run without from.
func (r run) between(lo, hi int64) run { return r.slice(r.place(lo, hi)) }

func (r run) place(lo, hi int64) (i, j int) {
	i, _ = slices.BinarySearch(r.at, lo+1)
	j, _ = slices.BinarySearch(r.at[i:], hi+1)
	return i, i + j
}

func (r run) slice(i, j int) (sel run) {
	if i < j {
		sel.at = r.at[i:j]
		if r.val != nil {
			sel.val = r.val[i:j]
		}
	}
	return sel
}

// later keeps an instant only if it lies after t.
func later(m, t int64) int64 {
	if m > t {
		return m
	}
	return never
}

// measure computes the aggregate of the facts.
func (r run) measure(agg aggregate) profile.Value {
	switch agg {
	case aggCount:
		return profile.Int(int64(len(r.at)))
	case aggDistinct:
		return profile.Int(int64(distinct(r.val)))
	case aggSum:
		return sumOf(r.val)
	case aggAverage:
		return averageOf(r.val)
	case aggMin, aggMax:
		var best profile.Value
		for _, v := range r.val {
			if !numeric(v) {
				continue
			}
			if order, _ := v.Compare(best); best.IsZero() || (agg == aggMin) == (order < 0) && order != 0 {
				best = v
			}
		}
		return best
	case aggFirst:
		if len(r.val) > 0 {
			return r.val[0]
		}
	case aggLast:
		if len(r.val) > 0 {
			return r.val[len(r.val)-1]
		}
	}
	return profile.Value{}
}

func distinct(values []profile.Value) int {
	if len(values) > 16 {
		seen := make(map[profile.Value]struct{}, len(values))
		for _, v := range values {
			seen[v] = struct{}{}
		}
		return len(seen)
	}
	n := 0
	for i, v := range values {
		if !slices.Contains(values[:i], v) {
			n++
		}
	}
	return n
}

// filter evaluates attribute tests over properties.
func (n *node) filter(property func(string) profile.Value) bool {
	if n == nil {
		return true
	}
	switch n.kind {
	case nodeAll:
		for _, k := range n.kids {
			if !k.filter(property) {
				return false
			}
		}
		return true
	case nodeAny:
		for _, k := range n.kids {
			if k.filter(property) {
				return true
			}
		}
		return false
	case nodeNot:
		return !n.kids[0].filter(property)
	}
	return n.pred.holds(property(n.attr))
}

// eventProperty reads a property of an event.
func eventProperty(e *profile.Event, name string) profile.Value {
	if v, ok := e.Properties[name]; ok {
		return plainNumber(v)
	}
	switch {
	case name == "source" && e.Source != "":
		return profile.Text(e.Source)
	case name == "brand" && e.Brand != "":
		return profile.Text(e.Brand)
	}
	return profile.Value{}
}

// take reads the event as a fact of the stream; ok is false where it is none.
func (s *stream) take(e *profile.Event) (at int64, v profile.Value, ok bool) {
	switch {
	case s.source == sourceRelations:
		v, ok = packActs(e, s.event)
		return micros(e.Time), v, ok
	case s.source != sourceEvents || s.event != e.Name:
		return 0, v, false
	}
	if s.where != nil && !s.where.filter(func(name string) profile.Value { return eventProperty(e, name) }) {
		return 0, v, false
	}
	if s.property != "" {
		if v = eventProperty(e, s.property); v.IsZero() {
			return 0, v, false
		}
	}
	return micros(e.Time), v, true
}

// runOf collects the facts of the stream.
func (s *stream) runOf(events []profile.Event, orders []orderStretch) run {
	var r run
	if !s.source.ofOrders() {
		for i := range events {
			if at, v, ok := s.take(&events[i]); ok {
				r.at = append(r.at, at)
				if s.property != "" {
					r.val = append(r.val, v)
				}
			}
		}
	} else {
		for i := range orders {
			orders[i].addTo(&r, s)
		}
	}
	r.sort()
	return r
}

func (r *run) sort() {
	if slices.IsSorted(r.at) && r.val == nil && r.from == nil {
		return
	}
	index := make([]int, len(r.at))
	for i := range index {
		index[i] = i
	}
	slices.SortFunc(index, func(a, b int) int {
		if o := cmp.Compare(r.at[a], r.at[b]); o != 0 {
			return o
		}
		if r.val != nil {
			if o := compareValues(r.val[a], r.val[b]); o != 0 {
				return o
			}
		}
		if r.from != nil {
			return cmp.Compare(r.from[a], r.from[b])
		}
		return 0
	})
	pick := func(from []int64) []int64 {
		if from == nil {
			return nil
		}
		out := make([]int64, len(from))
		for i, k := range index {
			out[i] = from[k]
		}
		return out
	}
	r.at, r.from, r.to = pick(r.at), pick(r.from), pick(r.to)
	if r.val != nil {
		val := make([]profile.Value, len(r.val))
		for i, k := range index {
			val[i] = r.val[k]
		}
		r.val = val
	}
}
