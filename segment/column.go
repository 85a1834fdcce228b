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
type paged[T any] struct {
	pages []*page[T]
	epoch uint64 // pages of an older one are shared with a reader
}

type page[T any] struct {
	epoch uint64
	v     [pageSize]T
}

func (p *paged[T]) get(d uint32) (v T) {
	if i := int(d >> pageBits); i < len(p.pages) && p.pages[i] != nil {
		return p.pages[i].v[d%pageSize]
	}
	return v
}

// at gives the place of d, to be written.
func (p *paged[T]) at(d uint32) *T {
	i := int(d >> pageBits)
	if i >= len(p.pages) {
		p.pages = append(p.pages, make([]*page[T], i+1-len(p.pages))...)
	}
	switch own := p.pages[i]; {
	case own == nil:
		p.pages[i] = &page[T]{epoch: p.epoch}
	case own.epoch != p.epoch:
		p.pages[i] = &page[T]{epoch: p.epoch, v: own.v}
	}
	return &p.pages[i].v[d%pageSize]
}

// pin is the column as it is, for a reader; the writer's lock must be held.
func (p *paged[T]) pin() paged[T] {
	out := paged[T]{pages: slices.Clone(p.pages)}
	p.epoch++
	return out
}

// bytes is the memory of the pages, given the size of a T.
func (p *paged[T]) bytes(size int) int {
	n := 8 * len(p.pages)
	for _, page := range p.pages {
		if page != nil {
			n += pageSize * size
		}
	}
	return n
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
	// A reader may hold the run as it was: what it sees is not moved.
	r.at = insert(r.at, i, at)
	if c.stream.property != "" {
		r.val = insert(r.val, i, v)
	}
}

// insert puts in v without moving what is there, unless it is at the end.
func insert[T any](s []T, i int, v T) []T {
	if i == len(s) {
		return append(s, v)
	}
	out := make([]T, 0, len(s)+1+len(s)/4)
	out = append(out, s[:i]...)
	out = append(out, v)
	return append(out, s[i:]...)
}

// leafState is a leaf with what the engine keeps of it.
type leafState struct {
	leaf *leaf
	// blank is the answer for a customer of whom nothing is known; flipped has
	// those for whom the answer is the other one.
	blank   bool
	flipped bitmap
	due     paged[int64] // when to look again; 0 for never
	users   []*segmentState
}

func (l *leafState) holds(d uint32) bool { return l.flipped.has(d) != l.blank }
