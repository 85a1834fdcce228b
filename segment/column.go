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
// have happened by the engine's clock: the k latest instants where no more is
// asked for, else all.
type seriesColumn struct {
	stream *stream
	leaves []*leafState
	latest *latestColumn // or else
	all    paged[*runBox]
}

// runBox is the run of a customer. One that was made before the last pin is
// not written to.
type runBox struct {
	run
	epoch uint64
}

// newSeriesColumn makes an empty column for k instants, or for all facts where k is 0.
func newSeriesColumn(s *stream, k int) *seriesColumn {
	c := &seriesColumn{stream: s}
	if k > 0 {
		c.latest = &latestColumn{k: k}
	}
	return c
}

// serves reports whether the column holds what k instants, or all facts where k
// is 0, ask for.
func (c *seriesColumn) serves(k int) bool {
	return c.latest == nil || k > 0 && k <= c.latest.k
}

// page reports whether anyone on a page may have facts.
func (c *seriesColumn) page(i int) bool {
	if c.latest != nil {
		return c.latest.has(i)
	}
	return i < len(c.all.pages) && c.all.pages[i] != nil
}

// add puts in one fact at its place.
func (c *seriesColumn) add(d uint32, at int64, v profile.Value) {
	if c.latest != nil {
		c.latest.add(d, at)
		return
	}
	place := c.all.at(d)
	box := *place
	switch {
	case box == nil:
		box = &runBox{epoch: c.all.epoch}
		*place = box
	case box.epoch != c.all.epoch:
		box = &runBox{box.run, c.all.epoch}
		*place = box
	}
	r := &box.run
	i := len(r.at)
	for i > 0 && (r.at[i-1] > at || r.at[i-1] == at && c.stream.property != "" && compareValues(r.val[i-1], v) > 0) {
		i--
	}
	r.at = insert(r.at, i, at)
	if c.stream.property != "" {
		r.val = insert(r.val, i, v)
	}
}

// insert puts in v without moving what is there, unless it is at the end: a
// reader may hold the slice as it was.
func insert[T any](s []T, i int, v T) []T {
	if i == len(s) {
		return append(s, v)
	}
	out := make([]T, 0, len(s)+1+len(s)/4)
	out = append(out, s[:i]...)
	out = append(out, v)
	return append(out, s[i:]...)
}

// get reads the facts of a customer.
func (c *seriesColumn) get(d uint32) run {
	if c.latest != nil {
		return c.latest.run(d)
	}
	if box := c.all.get(d); box != nil {
		return box.run
	}
	return run{}
}

// instants reads the latest instants of a customer, up to latestMax of them, the
// latest first.
func (c *seriesColumn) instants(d uint32, into *[latestMax]int64) []int64 {
	if c.latest != nil {
		return c.latest.get(d, into)
	}
	box := c.all.get(d)
	if box == nil {
		return nil
	}
	n := 0
	for i := len(box.at) - 1; i >= 0 && n < latestMax; i-- {
		into[n] = box.at[i]
		n++
	}
	return into[:n]
}

// kth is the k-th latest instant of a customer; ok is false where there are fewer.
func (c *seriesColumn) kth(d uint32, k int) (at int64, ok bool) {
	if c.latest != nil {
		return c.latest.kth(d, k)
	}
	box := c.all.get(d)
	if box == nil || len(box.at) < k {
		return 0, false
	}
	return box.at[len(box.at)-k], true
}

// set replaces the facts of a customer.
func (c *seriesColumn) set(d uint32, r run) {
	switch {
	case c.latest != nil:
		c.latest.set(d, r.at)
	case r.len() > 0:
		*c.all.at(d) = &runBox{r, c.all.epoch}
	case c.all.get(d) != nil:
		*c.all.at(d) = nil
	}
}

// pin is the column as it is, for a reader; the writer's lock must be held.
func (c *seriesColumn) pin() *seriesColumn {
	if c.latest != nil {
		return &seriesColumn{stream: c.stream, latest: c.latest.pin()}
	}
	return &seriesColumn{stream: c.stream, all: c.all.pin()}
}

// bytes is the memory that the column takes, texts aside.
func (c *seriesColumn) bytes() int {
	if c.latest != nil {
		return c.latest.bytes()
	}
	n := c.all.bytes(8)
	for _, page := range c.all.pages {
		if page == nil {
			continue
		}
		for _, box := range page.v {
			if box != nil {
				n += 104 + 8*(cap(box.at)+cap(box.from)+cap(box.to)) + 32*cap(box.val)
			}
		}
	}
	return n
}
