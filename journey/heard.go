package journey

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// heard is a history to simulate: the inputs that are heard, gathered by customer.
type heard struct {
	blocks    [][]happening
	n         int // of inputs
	ids       map[profile.ID]int32
	customers []hearer
	order     []int32 // of customers, by their keys; those that are left
	inputs    []int32 // by customer, in the order in which they were added
	lot       []*happening
	taken     map[string]struct{} // of a long lot
	seed      maphash.Seed
}

// happening is what a simulation keeps of an input; times are in microseconds.
type happening struct {
	id, name, instance, brand string
	props                     profile.Values
	consents                  []profile.ConsentAct
	time, received            int64
	hash                      uint64 // of the ID
	route                     *route
	customer                  int32
	kind                      InputKind
}

// hearer is a customer, with how many of the inputs are theirs, and up to where they
// lie in heard.inputs.
type hearer struct {
	id    profile.ID
	n, to int32
}

// input is the happening as an input; the customer is the walk's.
func (p *happening) input() Input {
	return Input{
		ID: p.id, Kind: p.kind, Name: p.name, Brand: p.brand, Instance: p.instance, Props: p.props, Consents: p.consents,
		Time: time.UnixMicro(p.time).UTC(), Received: time.UnixMicro(p.received).UTC(),
	}
}

// blockSize is how much is kept in a block: what is kept is never moved.
const blockSize = 1024

func (h *heard) at(n int32) *happening { return &h.blocks[n/blockSize][n%blockSize] }

// customer is the number of who has this key.
func (h *heard) customer(id profile.ID) int32 {
	i, ok := h.ids[id]
	if !ok {
		if h.ids == nil {
			h.ids = map[profile.ID]int32{}
		}
		i = int32(len(h.customers))
		h.ids[id] = i
		h.customers = append(h.customers, hearer{id: id})
	}
	return i
}

// add keeps an input that is heard.
func (h *heard) add(x *Input, r *route) error {
	if h.n == math.MaxInt32 {
		return fmt.Errorf("%w: more than %d inputs", ErrConfig, h.n)
	}
	if h.n == 0 {
		h.seed = maphash.MakeSeed()
	}
	if h.n%blockSize == 0 {
		h.blocks = append(h.blocks, make([]happening, 0, blockSize))
	}
	at, received := x.Time.UnixMicro(), x.Time.UnixMicro()
	if !x.Received.IsZero() {
		received = x.Received.UnixMicro()
	}
	c := h.customer(x.Customer)
	h.customers[c].n++
	b := &h.blocks[len(h.blocks)-1]
	*b = append(*b, happening{
		x.ID, x.Name, x.Instance, x.Brand, x.Props, x.Consents, at, received, maphash.String(h.seed, x.ID), r, c, x.Kind,
	})
	h.n++
	return nil
}

// first is when the first input was received.
func (h *heard) first() (time.Time, bool) {
	if h.n == 0 {
		return time.Time{}, false
	}
	first := h.at(0).received
	for _, b := range h.blocks {
		for i := range b {
			first = min(first, b[i].received)
		}
	}
	return time.UnixMicro(first).UTC(), true
}

// sort puts customers in the order of their keys.
func (h *heard) sort() {
	h.order = make([]int32, len(h.customers))
	for i := range h.order {
		h.order[i] = int32(i)
	}
	slices.SortFunc(h.order, func(a, b int32) int { return cmp.Compare(h.customers[a].id, h.customers[b].id) })
	to := int32(0)
	for i := range h.customers {
		c := &h.customers[i]
		c.to, to = to, to+c.n
	}
	h.inputs = make([]int32, h.n)
	n := int32(0)
	for _, b := range h.blocks {
		for i := range b {
			c := &h.customers[b[i].customer]
			h.inputs[c.to] = n
			c.to++
			n++
		}
	}
}

// next takes a customer off: what is heard of them, each ID once, in the order in
// which it was received. It is good until the next call, and empty at the end.
func (h *heard) next() (profile.ID, []*happening) {
	h.lot = h.lot[:0]
	for len(h.order) > 0 {
		c := &h.customers[h.order[0]]
		h.order = h.order[1:]
		if c.n == 0 {
			continue
		}
		for _, n := range h.inputs[c.to-c.n : c.to] {
			h.lot = append(h.lot, h.at(n))
		}
		slices.SortStableFunc(h.lot, func(a, b *happening) int {
			if a.received != b.received {
				return cmp.Compare(a.received, b.received)
			}
			return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id))
		})
		h.once()
		return c.id, h.lot
	}
	return "", nil
}

// once leaves the first input of each ID.
func (h *heard) once() {
	const few = 16
	kept := h.lot[:0]
	clear(h.taken)
	for _, x := range h.lot {
		again := false
		switch {
		case x.id == "":
		case len(h.lot) <= few:
			again = slices.ContainsFunc(kept, func(y *happening) bool { return x.hash == y.hash && x.id == y.id })
		default:
			if h.taken == nil {
				h.taken = map[string]struct{}{}
			}
			_, again = h.taken[x.id]
			h.taken[x.id] = struct{}{}
		}
		if !again {
			kept = append(kept, x)
		}
	}
	h.lot = kept
}
