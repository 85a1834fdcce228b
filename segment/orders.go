package segment

import (
	"cmp"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// order is one order of a customer with what its events say beside commerce.
type order struct {
	commerce.Order
	brand string
}

// orderFact is a fact about an order with what the profile event adds.
type orderFact struct {
	commerce.Event
	brand string
}

// orderFactOf reads the order event of a profile event; ok is false without one.
func orderFactOf(e *profile.Event) (f orderFact, ok bool) {
	if e.Order == nil {
		return f, false
	}
	return orderFact{e.Order.Identified(e.ID, e.Time), e.Brand}, true
}

// compareFacts orders facts by time, then ID.
func compareFacts(a, b orderFact) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return cmp.Compare(a.ID, b.ID)
}

// foldOrders makes orders of facts sorted by compareFacts. An order whose
// facts contradict each other is none, and counted as refused. The brand is that
// of the first fact that has one.
func foldOrders(facts []orderFact) (orders []order, refused int) {
	plain := make([]commerce.Event, len(facts))
	for i, f := range facts {
		plain[i] = f.Event
	}
	// An order that is refused is none, which is an answer and no failure;
	// explanations say so.
	folded, err := commerce.FoldAll(plain)
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		refused = len(several.Unwrap())
	}
	orders = make([]order, len(folded))
	for i, o := range folded {
		orders[i].Order = o
		for _, f := range facts {
			if f.brand != "" && (f.Order == o.Key || slices.Contains(o.Aliases, f.Order)) {
				orders[i].brand = f.brand
				break
			}
		}
	}
	return orders, refused
}

// orderStretch is a stretch of time in which orders that belong together look
// the same: one order, or several that are only later known to be one.
type orderStretch struct {
	from, to int64
	orders   []order
	refused  int // orders that are none, as their facts contradict each other
}

// refusedAt counts the orders that are none at t.
func refusedAt(stretches []orderStretch, t int64) (n int) {
	for i := range stretches {
		if h := &stretches[i]; h.from <= t && t < h.to {
			n += h.refused
		}
	}
	return n
}

// orderHistory says how the orders of the events looked over time. At every
// instant it is what the facts up to then come to, so that no fact changes
// anything before it.
func orderHistory(events []profile.Event) []orderStretch {
	return orderBookOf(events).stretches()
}

// stretchesOf follows one group of facts, in order, through time.
func stretchesOf(group []orderFact) []orderStretch {
	var out []orderStretch
	for i, f := range group {
		from := micros(f.Time)
		if i+1 < len(group) && micros(group[i+1].Time) == from {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].to = from
		}
		orders, refused := foldOrders(group[:i+1])
		out = append(out, orderStretch{from, never, orders, refused})
	}
	return out
}

// orderBook keeps the orders of one customer, group by group, so that a new
// fact costs the folding of its own order only.
type orderBook struct{ groups []orderGroup }

type orderGroup struct {
	facts     []orderFact
	stretches []orderStretch
}

// add takes a fact in; one of an ID that is there changes nothing.
func (b *orderBook) add(f orderFact) {
	facts := []orderFact{f}
	b.groups = slices.DeleteFunc(b.groups, func(g orderGroup) bool {
		if !g.shares(f) {
			return false
		}
		facts = append(facts, g.facts...)
		return true
	})
	slices.SortStableFunc(facts, compareFacts)
	facts = slices.CompactFunc(facts, func(a, b orderFact) bool { return a.ID == b.ID })
	b.groups = append(b.groups, orderGroup{facts, stretchesOf(facts)})
}

func (g *orderGroup) shares(f orderFact) bool {
	for _, h := range g.facts {
		if h.names(f.Order) || slices.ContainsFunc(f.Aliases, h.names) {
			return true
		}
	}
	return false
}

func (f *orderFact) names(k commerce.Key) bool {
	return f.Order == k || slices.Contains(f.Aliases, k)
}

// stretches lists those of all groups.
func (b *orderBook) stretches() []orderStretch {
	if b == nil {
		return nil
	}
	var out []orderStretch
	for _, g := range b.groups {
		out = append(out, g.stretches...)
	}
	return out
}

// groupByOrder puts facts together that share a key or an alias, directly or
// through others, in order of their first.
func groupByOrder(facts []orderFact) [][]orderFact {
	group := map[commerce.Key]int{} // key to the group's first fact
	parent := make([]int, len(facts))
	var root func(i int) int
	root = func(i int) int {
		if parent[i] != i {
			parent[i] = root(parent[i])
		}
		return parent[i]
	}
	for i, f := range facts {
		parent[i] = i
		for _, k := range append([]commerce.Key{f.Order}, f.Aliases...) {
			if j, ok := group[k]; ok {
				a, b := root(i), root(j)
				parent[max(a, b)] = min(a, b)
			} else {
				group[k] = i
			}
		}
	}
	var groups [][]orderFact
	at := map[int]int{}
	for i, f := range facts {
		g, ok := at[root(i)]
		if !ok {
			g = len(groups)
			at[root(i)] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], f)
	}
	return groups
}

// addTo appends the facts of the stretch to the run of an order stream.
func (h *orderStretch) addTo(r *run, s *stream) {
	for i := range h.orders {
		o := &h.orders[i]
		v, ok := o.factAt(s, time.UnixMicro(h.from))
		if !ok {
			continue
		}
		at := micros(o.BoughtAt)
		// A stretch that goes on as the last one ended is one fact.
		if n := len(r.at) - 1; len(h.orders) == 1 && n >= 0 && r.at[n] == at && r.to[n] == h.from && (s.property == "" || r.val[n] == v) {
			r.to[n] = h.to
			continue
		}
		r.at = append(r.at, at)
		r.from = append(r.from, h.from)
		r.to = append(r.to, h.to)
		if s.property != "" {
			r.val = append(r.val, v)
		}
	}
}

// factAt reads the order as a fact of the stream at t; ok is false where it is none.
func (o *order) factAt(s *stream, t time.Time) (v profile.Value, ok bool) {
	net := s.source == sourceNetOrders
	if o.BoughtAt.IsZero() || o.BoughtAt.After(t) || net && !o.CountsAt(t) {
		return v, false
	}
	property := func(name string) profile.Value { return o.property(name, t, net) }
	if !s.where.filter(property) {
		return v, false
	}
	if s.property != "" {
		if v = property(s.property); v.IsZero() {
			return v, false
		}
	}
	return v, true
}

func (o *order) property(name string, t time.Time, net bool) profile.Value {
	texts := func(s string) profile.Value {
		if s == "" {
			return profile.Value{}
		}
		return profile.Text(s)
	}
	switch name {
	case "number":
		return texts(o.Key.Number)
	case "source":
		return texts(o.Key.Source)
	case "outlet":
		return texts(o.Key.Outlet)
	case "currency":
		return texts(o.Currency)
	case "brand":
		return texts(o.brand)
	case "amount":
		if net {
			return profile.Int(o.NetSpendAt(t))
		}
		return profile.Int(o.GrossAt(t))
	case "skus", "categories":
		var tags []string
		add := func(l commerce.Line) {
			tag := l.SKU
			if name == "categories" {
				tag = l.Category
			}
			if tag != "" {
				tags = append(tags, tag)
			}
		}
		if net {
			for _, kept := range o.KeptAt(t) {
				for _, l := range o.Lines {
					if l.ID == kept.Line {
						add(l.Line)
					}
				}
			}
		} else {
			for _, l := range o.Lines {
				if !l.Since.After(t) {
					add(l.Line)
				}
			}
		}
		if tags == nil {
			return profile.Value{}
		}
		return profile.Tags(tags...)
	}
	return profile.Value{}
}

// orderBookOf makes the book of a customer's events, nil without orders.
func orderBookOf(events []profile.Event) *orderBook {
	var facts []orderFact
	for i := range events {
		if f, ok := orderFactOf(&events[i]); ok {
			facts = append(facts, f)
		}
	}
	if facts == nil {
		return nil
	}
	slices.SortFunc(facts, compareFacts)
	book := &orderBook{}
	for _, group := range groupByOrder(facts) {
		book.groups = append(book.groups, orderGroup{group, stretchesOf(group)})
	}
	return book
}
