package journey

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// heard is a history to simulate: the inputs that are heard, gathered by customer.
type heard struct {
	blocks [][]happening
	index  []position
	lot    []happening         // of the customer at hand
	ids    map[string]struct{} // of a long lot
}

// happening is what a simulation keeps of an input; times are in microseconds.
type happening struct {
	id, name, instance, brand string
	props                     profile.Values
	consents                  []profile.ConsentAct
	time, received            int64
	route                     *route
	kind                      InputKind
}

// input is the happening as an input; the customer is the walk's.
func (p *happening) input() Input {
	return Input{
		ID: p.id, Kind: p.kind, Name: p.name, Brand: p.brand, Instance: p.instance, Props: p.props, Consents: p.consents,
		Time: time.UnixMicro(p.time).UTC(), Received: time.UnixMicro(p.received).UTC(),
	}
}

// position is where an input lies, with what it is sorted by.
type position struct {
	prefix   uint64 // the first bytes of the customer
	customer profile.ID
	received int64
	n        int
}

// blockSize is the number of inputs in a block: what is kept is never moved.
const blockSize = 1024

func (h *heard) add(x *Input, r *route) {
	if h.index == nil || len(h.index)%blockSize == 0 {
		h.blocks = append(h.blocks, make([]happening, 0, blockSize))
	}
	if x.Received.IsZero() {
		x.Received = x.Time
	}
	b := &h.blocks[len(h.blocks)-1]
	*b = append(*b, happening{
		x.ID, x.Name, x.Instance, x.Brand, x.Props, x.Consents,
		x.Time.UnixMicro(), x.Received.UnixMicro(), r, x.Kind,
	})
	var prefix [8]byte
	copy(prefix[:], x.Customer)
	h.index = append(h.index, position{binary.BigEndian.Uint64(prefix[:]), x.Customer, x.Received.UnixMicro(), len(h.index)})
}

func (h *heard) at(n int) *happening { return &h.blocks[n/blockSize][n%blockSize] }

// first is when the first input was received.
func (h *heard) first() (time.Time, bool) {
	if len(h.index) == 0 {
		return time.Time{}, false
	}
	p := slices.MinFunc(h.index, func(a, b position) int { return cmp.Compare(a.received, b.received) })
	return time.UnixMicro(p.received).UTC(), true
}

// sort puts customers in the order of their keys, and the inputs of each in the
// order in which they were received.
func (h *heard) sort() {
	slices.SortFunc(h.index, func(a, b position) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if c := cmp.Compare(a.customer, b.customer); c != 0 {
			return c
		}
		if a.received != b.received {
			return cmp.Compare(a.received, b.received)
		}
		x, y := h.at(a.n), h.at(b.n)
		return cmp.Or(cmp.Compare(x.time, y.time), cmp.Compare(x.id, y.id), cmp.Compare(a.n, b.n))
	})
}

// next takes the inputs of the first customer off the index, each ID once. They are
// good until the next call.
func (h *heard) next() []happening {
	customer := h.index[0].customer
	h.lot = h.lot[:0]
	clear(h.ids)
	for len(h.index) > 0 && h.index[0].customer == customer {
		x := h.at(h.index[0].n)
		if h.index = h.index[1:]; x.id == "" || !h.taken(x.id) {
			h.lot = append(h.lot, *x)
		}
	}
	return h.lot
}

// taken reports whether an input of this ID is in the lot, or, if the lot is long,
// notes that it will be.
func (h *heard) taken(id string) bool {
	const short = 16
	if len(h.lot) < short {
		return slices.ContainsFunc(h.lot, func(x happening) bool { return x.id == id })
	}
	if len(h.ids) == 0 {
		if h.ids == nil {
			h.ids = map[string]struct{}{}
		}
		for i := range h.lot {
			h.ids[h.lot[i].id] = struct{}{}
		}
	}
	_, ok := h.ids[id]
	h.ids[id] = struct{}{}
	return ok
}
