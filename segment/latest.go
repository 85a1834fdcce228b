package segment

import (
	"math"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// latestColumn holds for every customer the k latest instants of a stream, which
// is all that counting up to k asks for: what is older can only come back by a
// retraction, and then the customer is read anew. A page keeps whole seconds in
// four bytes until an instant comes that is none.
type latestColumn struct {
	k       int
	pages   []*latestPage
	epoch   uint64
	touched uint32
}

type latestPage struct {
	epoch  uint64
	narrow []uint32 // seconds since 1970 plus one, the latest first; 0 for none
	wide   []int64  // microseconds, the latest first; noInstant for none
}

const noInstant = math.MinInt64

// latestMax is the greatest k for which instants are kept so.
const latestMax = 8

func (c *latestColumn) page(d uint32) *latestPage {
	if i := int(d >> pageBits); i < len(c.pages) {
		return c.pages[i]
	}
	return nil
}

// own gives the page of d to be written.
func (c *latestColumn) own(d uint32) *latestPage {
	i := int(d >> pageBits)
	if i >= len(c.pages) {
		c.pages = append(c.pages, make([]*latestPage, i+1-len(c.pages))...)
	}
	p := c.pages[i]
	switch {
	case p == nil:
		p = &latestPage{epoch: c.epoch, narrow: make([]uint32, pageSize*c.k)}
		c.pages[i] = p
	case p.epoch != c.epoch:
		p = &latestPage{c.epoch, slices.Clone(p.narrow), slices.Clone(p.wide)}
		c.pages[i] = p
	}
	return p
}

// narrowed gives whole seconds within reach in their four bytes.
func narrowed(at int64) (uint32, bool) {
	const second = 1_000_000
	if at < 0 || at%second != 0 || at/second >= math.MaxUint32 {
		return 0, false
	}
	return uint32(at/second) + 1, true
}

func (p *latestPage) widen() {
	p.wide = make([]int64, len(p.narrow))
	for i, s := range p.narrow {
		p.wide[i] = noInstant
		if s != 0 {
			p.wide[i] = int64(s-1) * 1_000_000
		}
	}
	p.narrow = nil
}

// add puts in an instant, if it is among the k latest.
func (c *latestColumn) add(d uint32, at int64) {
	p := c.own(d)
	row := int(d%pageSize) * c.k
	if p.wide == nil {
		if s, ok := narrowed(at); ok {
			addLatest(p.narrow[row:row+c.k], s)
			return
		}
		p.widen()
	}
	addLatest(p.wide[row:row+c.k], at)
}

// addLatest puts an instant in at its place i and gives what went out at the
// end. Where it is not among the latest i is the length of the row.
func addLatest[T uint32 | int64](row []T, at T) (i int, out T) {
	i = len(row) - 1
	if out = row[i]; out >= at {
		return len(row), out
	}
	for ; i > 0 && row[i-1] < at; i-- {
		row[i] = row[i-1]
	}
	row[i] = at
	return i, out
}

// count puts an instant into a column of latest instants, and looks at the
// leaves that it brings to their number.
func (e *Engine) count(col *seriesColumn, d uint32, at int64) {
	c := col.latest
	p := c.own(d)
	row := int(d%pageSize) * c.k
	if p.wide == nil {
		if s, ok := narrowed(at); ok {
			countInto(e, col.leaves, d, p.narrow[row:row+c.k], s, narrowEdge)
			return
		}
		p.widen()
	}
	countInto(e, col.leaves, d, p.wide[row:row+c.k], at, func(lo int64) int64 { return lo })
}

// narrowEdge is the edge of a window for instants in four bytes.
func narrowEdge(lo int64) uint32 {
	const second = 1_000_000
	if lo < 0 {
		return 0
	}
	return uint32(min(lo/second+1, math.MaxUint32))
}

func countInto[T uint32 | int64](e *Engine, leaves []*leafState, d uint32, row []T, at T, edge func(int64) T) {
	i, out := addLatest(row, at)
	if i == len(row) {
		return
	}
	for _, l := range leaves {
		turn := l.leaf.counting.turn
		if turn == 0 {
			e.look(l, d)
			continue
		}
		if turn <= i { // the instant that decides is where it was
			continue
		}
		before := out
		if turn < len(row) {
			before = row[turn]
		}
		lo := edge(l.edge(e.clock))
		if row[turn-1] > lo && before <= lo {
			e.reach(l, d)
		}
	}
}

// touch reads rows that are about to be used. The reads do not wait for each
// other, so that many cost little more than one.
func (c *latestColumn) touch(rows []uint32) {
	sum := uint32(0)
	for _, d := range rows {
		if i := int(d >> pageBits); i < len(c.pages) && c.pages[i] != nil {
			p := c.pages[i]
			at := int(d%pageSize) * c.k
			if p.wide != nil {
				sum += uint32(p.wide[at])
			} else {
				sum += p.narrow[at]
			}
		}
	}
	c.touched = sum // so that the reads are not left out
}

// kth is the instant at which the k-th latest lies; ok is false where there are
// fewer.
func (c *latestColumn) kth(d uint32, k int) (at int64, ok bool) {
	p := c.page(d)
	if p == nil {
		return 0, false
	}
	i := int(d%pageSize)*c.k + k - 1
	if p.wide != nil {
		return p.wide[i], p.wide[i] != noInstant
	}
	return int64(p.narrow[i]-1) * 1_000_000, p.narrow[i] != 0
}

// set replaces the instants of d by the latest of these, which ascend.
func (c *latestColumn) set(d uint32, ascending []int64) {
	if p := c.page(d); p == nil && len(ascending) == 0 {
		return
	}
	p := c.own(d)
	row := int(d%pageSize) * c.k
	if p.wide == nil {
		clear(p.narrow[row : row+c.k])
	} else {
		for i := range c.k {
			p.wide[row+i] = noInstant
		}
	}
	for _, at := range ascending[max(0, len(ascending)-c.k):] {
		c.add(d, at)
	}
}

// get lists the instants of d, the latest first.
func (c *latestColumn) get(d uint32, into *[latestMax]int64) []int64 {
	p := c.page(d)
	if p == nil {
		return nil
	}
	row := int(d%pageSize) * c.k
	n := 0
	if p.wide != nil {
		for n < c.k && p.wide[row+n] != noInstant {
			into[n] = p.wide[row+n]
			n++
		}
		return into[:n]
	}
	for n < c.k && p.narrow[row+n] != 0 {
		into[n] = int64(p.narrow[row+n]-1) * 1_000_000
		n++
	}
	return into[:n]
}

// run gives the instants of d as facts.
func (c *latestColumn) run(d uint32) run {
	var room [latestMax]int64
	at := slices.Clone(c.get(d, &room))
	slices.Reverse(at)
	return run{at: at}
}

// pin is the column as it is, for a reader; the writer's lock must be held.
func (c *latestColumn) pin() *latestColumn {
	out := &latestColumn{k: c.k, pages: slices.Clone(c.pages)}
	c.epoch++
	return out
}

// bytes is the memory that it takes.
func (c *latestColumn) bytes() int {
	n := 8 * len(c.pages)
	for _, p := range c.pages {
		if p != nil {
			n += 56 + 4*len(p.narrow) + 8*len(p.wide)
		}
	}
	return n
}

// counting is a leaf that asks how many of a stream lie in a window that ends at
// t, and for which more than k are as good as k.
type counting struct {
	k     int
	holds [latestMax + 1]bool // by count, up to k
	// turn is the only count at which the answer turns, 0 where there are
	// several: at least turn, or fewer.
	turn   int
	window Window
}

// countingOf recognizes such a leaf.
func countingOf(n *node) (c counting, ok bool) {
	m := n.measure
	if n.kind != nodeMeasure || m.agg != aggCount || m.of.source != sourceEvents {
		return c, false
	}
	c.window = m.of.window
	if !(c.window.kind == windowEver || c.window.kind == windowRolling || c.window.kind == windowCalendar && c.window.skip == 0) {
		return c, false
	}
	// The answer is the same for every count above all numbers of the test.
	most := int64(0)
	for _, v := range append([]profile.Value{n.pred.lo.value, n.pred.hi.value}, n.pred.values...) {
		whole, places, isNumber := v.Dec()
		switch {
		case !isNumber:
		case places > 0:
			whole = whole / int64(math.Pow10(int(places)))
			fallthrough
		default:
			most = max(most, whole)
		}
	}
	if most+1 > latestMax {
		return c, false
	}
	c.k = int(most) + 1
	for i := range c.k + 1 {
		c.holds[i] = n.pred.holds(profile.Int(int64(i)))
	}
	for c.k > 1 && c.holds[c.k] == c.holds[c.k-1] {
		c.k--
	}
	turns := 0
	for i := 1; i <= c.k; i++ {
		if c.holds[i] != c.holds[i-1] {
			turns++
			c.turn = i
		}
	}
	if turns > 1 {
		c.turn = 0
	}
	return c, true
}
