package segment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/cxkit/cxkit/profile"
)

// Memory is what an engine's index takes, in bytes. It counts what the index
// lays out, to which the allocator adds up to a fifth; only Orders is an estimate.
type Memory struct {
	// Customers is how many there are.
	Customers int
	// Keys is the dictionary: the keys and how they are found.
	Keys int
	// Attributes are the traits that rules read, by name.
	Attributes []MemoryOf
	// Behaviors are the streams of events and orders that rules read, by the
	// JSON form of the behavior without its window.
	Behaviors []MemoryOf
	// Orders are the facts from which orders are folded.
	Orders int
	// Segments are members, membership history and what is kept of the rules'
	// tests, by name; a test that several share counts with the first.
	Segments []MemoryOf
}

// MemoryOf is what one part of the index takes.
type MemoryOf struct {
	Name  string
	Bytes int
}

// Memory measures the index. It holds writers up while it does, for a time in
// proportion to the index, and others for no more than one attribute takes.
func (e *Engine) Memory() Memory {
	e.writer.Lock()
	defer e.writer.Unlock()
	m := Memory{Customers: e.alive.len(), Keys: e.dict.bytes() + e.alive.bytes()}
	for _, name := range slices.Sorted(maps.Keys(e.attrs)) {
		e.locked(func() { // a question may make sets of it
			m.Attributes = append(m.Attributes, MemoryOf{name, e.attrs[name].bytes()})
		})
	}
	for _, col := range e.series {
		if col != nil {
			m.Behaviors = append(m.Behaviors, MemoryOf{col.stream.key, col.bytes()})
		}
	}
	slices.SortFunc(m.Behaviors, func(a, b MemoryOf) int { return cmp.Compare(a.Name, b.Name) })
	for _, book := range e.orders {
		m.Orders += book.bytes()
	}
	counted := map[*leafState]bool{}
	for _, s := range e.topology {
		n := s.members.bytes() + s.turns.bytes()
		for _, l := range s.leaves {
			if !counted[l] {
				counted[l] = true
				n += l.bytes()
			}
		}
		m.Segments = append(m.Segments, MemoryOf{s.def.Name, n})
	}
	slices.SortFunc(m.Segments, func(a, b MemoryOf) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

// Total is the sum of all parts.
func (m Memory) Total() int {
	n := m.Keys + m.Orders
	for _, parts := range [][]MemoryOf{m.Attributes, m.Behaviors, m.Segments} {
		for _, p := range parts {
			n += p.Bytes
		}
	}
	return n
}

// PerCustomer spreads bytes over the customers, 0 without any.
func (m Memory) PerCustomer(bytes int) float64 {
	if m.Customers == 0 {
		return 0
	}
	return float64(bytes) / float64(m.Customers)
}

// String writes the report, a part to a line with its bytes per customer.
func (m Memory) String() string {
	var b strings.Builder
	line := func(kind, name string, bytes int) {
		fmt.Fprintf(&b, "%s %s: %d bytes, %.2f a customer\n", kind, name, bytes, m.PerCustomer(bytes))
	}
	line("all", fmt.Sprintf("of %d customers", m.Customers), m.Total())
	line("keys", "of customers", m.Keys)
	for _, p := range m.Attributes {
		line("attribute", p.Name, p.Bytes)
	}
	for _, p := range m.Behaviors {
		line("behavior", p.Name, p.Bytes)
	}
	if m.Orders > 0 {
		line("orders", "of customers", m.Orders)
	}
	for _, p := range m.Segments {
		line("segment", p.Name, p.Bytes)
	}
	return b.String()
}

const (
	sizeOfValue = int(unsafe.Sizeof(profile.Value{}))
	sizeOfFact  = int(unsafe.Sizeof(orderFact{}))
	sizeOfOrder = int(unsafe.Sizeof(order{}))
)

// bytes is the memory that the dictionary takes.
func (d *dictionary) bytes() int {
	n := 0
	for i := range d.shards {
		n += 8 * len(d.shards[i].Load().slots)
	}
	for i := range *d.pages.Load() {
		page := (*d.pages.Load())[i].Load()
		n += 8 + int(unsafe.Sizeof(*page)) + 16*len(page.keys) + len(page.text) + 4*len(page.ends)
		for _, key := range page.keys {
			n += len(key)
		}
	}
	return n
}

// bytes estimates the memory that a customer's orders take: facts, and the
// orders as they looked after each.
func (b *orderBook) bytes() int {
	n := 0
	for _, g := range b.groups {
		for _, f := range g.facts {
			n += sizeOfFact + 160*len(f.Lines)
		}
		for _, s := range g.stretches {
			n += 48 + sizeOfOrder*len(s.orders)
		}
	}
	return n
}
