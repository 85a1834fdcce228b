package segment

import (
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// pageBits is the size of the pages in which columns by dense number grow.
const (
	pageBits = 10
	pageSize = 1 << pageBits
)

// paged is a column of T by dense number; what was never set is the zero T.
type paged[T any] struct{ pages []*[pageSize]T }

func (p *paged[T]) get(d uint32) (v T) {
	if i := int(d >> pageBits); i < len(p.pages) && p.pages[i] != nil {
		return p.pages[i][d%pageSize]
	}
	return v
}

// at gives the place of d, to be written.
func (p *paged[T]) at(d uint32) *T {
	i := int(d >> pageBits)
	if i >= len(p.pages) {
		p.pages = append(p.pages, make([]*[pageSize]T, i+1-len(p.pages))...)
	}
	if p.pages[i] == nil {
		p.pages[i] = new([pageSize]T)
	}
	return &p.pages[i][d%pageSize]
}

// attrColumn holds one trait of every customer.
type attrColumn struct {
	paged[profile.Value]
	name   string
	leaves []*leafState
}

// seriesColumn holds the facts of one stream of every customer, of those that
// have happened by the engine's clock.
type seriesColumn struct {
	paged[run]
	stream *stream
	leaves []*leafState
}

// add puts in one fact at its place.
func (c *seriesColumn) add(d uint32, at int64, v profile.Value) {
	r := c.at(d)
	i := len(r.at)
	for i > 0 && (r.at[i-1] > at || r.at[i-1] == at && c.stream.property != "" && compareValues(r.val[i-1], v) > 0) {
		i--
	}
	r.at = slices.Insert(r.at, i, at)
	if c.stream.property != "" {
		r.val = slices.Insert(r.val, i, v)
	}
}

// leafState is a leaf with what the engine keeps of it.
type leafState struct {
	leaf *leaf
	// blank is the answer for a customer of whom nothing is known; flipped has
	// those for whom the answer is the other one.
	blank   bool
	flipped bitset
	due     paged[int64] // when to look again; 0 for never
	users   []*segmentState
}

func (l *leafState) holds(d uint32) bool { return l.flipped.has(d) != l.blank }

// bitset is a set of dense numbers.
type bitset struct{ words []uint64 }

func (b *bitset) has(d uint32) bool {
	i := int(d >> 6)
	return i < len(b.words) && b.words[i]&(1<<(d&63)) != 0
}

// set makes d's membership so and reports whether that was news.
func (b *bitset) set(d uint32, in bool) bool {
	i := int(d >> 6)
	if i >= len(b.words) {
		if !in {
			return false
		}
		b.words = append(b.words, make([]uint64, i+1-len(b.words))...)
	}
	old := b.words[i]
	if in {
		b.words[i] |= 1 << (d & 63)
	} else {
		b.words[i] &^= 1 << (d & 63)
	}
	return b.words[i] != old
}
