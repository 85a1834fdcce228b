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
	k int
	// The pages: whole seconds since 1970 plus one, the latest first, 0 for
	// none; or microseconds, the latest first, noInstant for none. A page is in
	// at most one of them.
	narrow  [][]uint32
	wide    [][]int64
	epochs  []uint64 // of the pages
	epoch   uint64   // pages of an older one are shared with a reader
	touched uint32
}

const noInstant = math.MinInt64

// latestMax is the greatest k for which instants are kept so.
const latestMax = 8

// has reports whether there is a page.
func (c *latestColumn) has(page int) bool {
	return page < len(c.narrow) && (c.narrow[page] != nil || c.wide[page] != nil)
}

// own makes a page ready to be written.
func (c *latestColumn) own(page int) {
	if missing := page + 1 - len(c.narrow); missing > 0 {
		c.narrow = append(c.narrow, make([][]uint32, missing)...)
		c.wide = append(c.wide, make([][]int64, missing)...)
		c.epochs = append(c.epochs, make([]uint64, missing)...)
	}
	switch {
	case !c.has(page):
		c.narrow[page] = make([]uint32, pageSize*c.k)
	case c.epochs[page] == c.epoch:
		return
	default:
		c.narrow[page], c.wide[page] = slices.Clone(c.narrow[page]), slices.Clone(c.wide[page])
	}
	c.epochs[page] = c.epoch
}

// narrowed gives whole seconds within reach in their four bytes.
func narrowed(at int64) (uint32, bool) {
	const second = 1_000_000
	if at < 0 || at%second != 0 || at/second >= math.MaxUint32 {
		return 0, false
	}
	return uint32(at/second) + 1, true
}

// widen makes a page, which is the writer's own, one of microseconds.
func (c *latestColumn) widen(page int) {
	narrow := c.narrow[page]
	wide := make([]int64, len(narrow))
	for i, s := range narrow {
		wide[i] = noInstant
		if s != 0 {
			wide[i] = int64(s-1) * 1_000_000
		}
	}
	c.narrow[page], c.wide[page] = nil, wide
}

// add puts in an instant, if it is among the k latest.
func (c *latestColumn) add(d uint32, at int64) {
	page, row := int(d>>pageBits), int(d%pageSize)*c.k
	c.own(page)
	if narrow := c.narrow[page]; narrow != nil {
		if s, ok := narrowed(at); ok {
			addLatest(narrow[row:row+c.k], s)
			return
		}
		c.widen(page)
	}
	addLatest(c.wide[page][row:row+c.k], at)
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
	page, row := int(d>>pageBits), int(d%pageSize)*c.k
	if page >= len(c.epochs) || c.epochs[page] != c.epoch || c.narrow[page] == nil {
		c.own(page)
	}
	if narrow := c.narrow[page]; narrow != nil {
		if s, ok := narrowed(at); ok {
			countInto(e, col.leaves, d, narrow[row:row+c.k], s, true)
			return
		}
		c.widen(page)
	}
	countInto(e, col.leaves, d, c.wide[page][row:row+c.k], at, false)
}

// countInto puts an instant into a row, narrow or wide.
func countInto[T uint32 | int64](e *Engine, leaves []*leafState, d uint32, row []T, at T, narrow bool) {
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
		lo := l.edge(e.clock)
		if narrow {
			lo = narrowEdge(lo)
		}
		if edge := T(lo); row[turn-1] > edge && before <= edge {
			decides := int64(row[turn-1])
			if narrow {
				decides = (decides - 1) * 1_000_000
			}
			e.reach(l, d, decides)
		}
	}
}

// narrowEdge is the edge of a window for whole seconds: what is greater is in.
func narrowEdge(lo int64) int64 {
	if lo < 0 {
		return 0
	}
	return min(lo/1_000_000+1, math.MaxUint32)
}

// beyond reports whether the column has more instants than that.
func (c *latestColumn) beyond(instants int) bool { return len(c.narrow)*pageSize*c.k > instants }

// From these sizes on a processor does not have at hand the rows, and what else
// an event changes.
const (
	farRows    = 1 << 19
	farAnswers = 1 << 23
)

// touch reads rows that are about to be used. The reads do not wait for each
// other, so that many cost little more than one.
func (c *latestColumn) touch(rows []uint32) {
	sum := uint32(0)
	for _, d := range rows {
		sum += c.peek(d)
	}
	c.touched = sum // so that the reads are not left out
}

// peek reads something of a row, at both ends of it, which may lie apart.
func (c *latestColumn) peek(d uint32) uint32 {
	page, row := int(d>>pageBits), int(d%pageSize)*c.k
	if page >= len(c.narrow) {
		return 0
	}
	if narrow := c.narrow[page]; row+c.k <= len(narrow) {
		return narrow[row] + narrow[row+c.k-1]
	}
	if wide := c.wide[page]; row+c.k <= len(wide) {
		return uint32(wide[row] + wide[row+c.k-1])
	}
	return 0
}

// kth is the instant at which the k-th latest lies; ok is false where there are
// fewer.
func (c *latestColumn) kth(d uint32, k int) (at int64, ok bool) {
	page, i := int(d>>pageBits), int(d%pageSize)*c.k+k-1
	if page >= len(c.narrow) {
		return 0, false
	}
	if narrow := c.narrow[page]; i < len(narrow) {
		return int64(narrow[i]-1) * 1_000_000, narrow[i] != 0
	}
	if wide := c.wide[page]; i < len(wide) {
		return wide[i], wide[i] != noInstant
	}
	return 0, false
}

// set replaces the instants of d by the latest of these, which ascend.
func (c *latestColumn) set(d uint32, ascending []int64) {
	page, row := int(d>>pageBits), int(d%pageSize)*c.k
	if !c.has(page) && len(ascending) == 0 {
		return
	}
	c.own(page)
	if narrow := c.narrow[page]; narrow != nil {
		clear(narrow[row : row+c.k])
	} else {
		for i := range c.k {
			c.wide[page][row+i] = noInstant
		}
	}
	for _, at := range ascending[max(0, len(ascending)-c.k):] {
		c.add(d, at)
	}
}

// get lists the instants of d, the latest first.
func (c *latestColumn) get(d uint32, into *[latestMax]int64) []int64 {
	n := 0
	for n < c.k {
		at, ok := c.kth(d, n+1)
		if !ok {
			break
		}
		into[n] = at
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
	out := &latestColumn{k: c.k, narrow: slices.Clone(c.narrow), wide: slices.Clone(c.wide)}
	c.epoch++
	return out
}

// bytes is the memory that it takes.
func (c *latestColumn) bytes() int {
	n := (24 + 24 + 8) * len(c.narrow)
	for i := range c.narrow {
		n += 4*len(c.narrow[i]) + 8*len(c.wide[i])
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
