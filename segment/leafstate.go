package segment

import (
	"container/heap"
	"slices"
)

// leafState is a leaf with what the engine keeps of it.
type leafState struct {
	leaf *leaf
	// blank is the answer for a customer at whom nobody has looked: the one for
	// someone of whom nothing is known, false for functions, at which one looks
	// for every customer, and for segments, in which nobody begins. flipped has
	// those for whom the answer is the other one.
	blank   bool
	flipped bitmap
	users   []*segmentState

	// wheel says whom to look at again when. For a leaf that counts up to one
	// number it has everyone who has reached it: with more events their instant
	// can only become later, and is computed when the time comes; a customer
	// who is read anew is filed anew. For others due has it, 0 for none.
	wheel wheel
	due   paged[int64]
	alarm int64 // wheel.next as the engine knows it
	place int   // in the engine's alarms

	// A counting leaf reads its column without detour.
	column *seriesColumn
	lo     int64 // older edge of a calendar window, from
	loFrom int64 // this instant on until
	loTo   int64 // this one
}

// ready reports whether everybody has been looked at.
func (l *leafState) ready() bool { return l.place >= 0 }

func (l *leafState) holds(d uint32) bool { return l.flipped.has(d) != l.blank }

// edge is the older edge of the window of a counting leaf.
func (l *leafState) edge(t int64) int64 {
	w := &l.leaf.counting.window
	switch w.kind {
	case windowRolling:
		return t - w.span
	case windowEver:
		return always
	}
	if t < l.loFrom || t >= l.loTo {
		l.lo, _ = w.bounds(l.leaf.clocks, t)
		l.loFrom = l.leaf.clocks.boundary(w.unit, t, 0)
		l.loTo = l.leaf.clocks.boundary(w.unit, t, 1)
	}
	return l.lo
}

// look evaluates a leaf of a customer at the clock, sets when to look again,
// and notes the segments concerned if the answer is another.
func (e *Engine) look(l *leafState, d uint32) {
	var holds bool
	if l.leaf.counting != nil {
		holds = e.lookCounting(l, d)
	} else {
		var until int64
		e.reader = view{e, d, true}
		holds, until = l.leaf.eval(&e.reader, e.clock)
		e.arm(l, d, until)
	}
	e.answer(l, d, holds)
}

// answer sets the answer of a leaf for a customer, and notes the segments
// concerned if it is another.
func (e *Engine) answer(l *leafState, d uint32, holds bool) {
	if l.flipped.set(d, holds != l.blank) {
		for _, s := range l.users {
			e.concern(s, d)
		}
	}
}

// arm notes to look at a leaf of a customer at an instant, if that is not noted
// for an earlier one: what is noted then looks again anyway.
func (e *Engine) arm(l *leafState, d uint32, at int64) {
	if at == never {
		return
	}
	if place := l.due.at(d); *place == 0 || at < *place {
		*place = at
		e.file(l, d, at)
	}
}

// file puts a customer into the wheel of a leaf, whose buckets that have begun
// are opened first: what is next then always lies ahead of the clock.
func (e *Engine) file(l *leafState, d uint32, at int64) {
	if l.wheel.open < e.clock>>bucketBits {
		e.open(l)
	}
	l.wheel.file(at, d)
	if l.place >= 0 && at < l.alarm {
		e.alarms.reset(l)
	}
}

// open opens the buckets of a leaf that have begun.
func (e *Engine) open(l *leafState) {
	var column *latestColumn
	if l.column != nil {
		column = l.column.latest
	}
	l.wheel.openUntil(e.clock, column, func(d uint32) int64 { return e.dueOf(l, d) })
}

// lookCounting is look for a leaf that counts.
func (e *Engine) lookCounting(l *leafState, d uint32) bool {
	c := l.leaf.counting
	var room [latestMax]int64
	at := l.column.instants(d, &room)
	lo := l.edge(e.clock)
	n := 0
	for n < len(at) && n < c.k && at[n] > lo {
		n++
	}
	if c.turn == 0 {
		e.arm(l, d, c.turnsAt(l.leaf.clocks, at[:n]))
	} else if n >= c.turn {
		e.armCounting(l, d, at[c.turn-1])
	}
	return c.holds[n]
}

// armCounting sees to it that a customer whose count has reached the number, at
// the instant that decides, is looked at when it no longer does.
func (e *Engine) armCounting(l *leafState, d uint32, decides int64) {
	if due := l.leaf.counting.leave(l.leaf.clocks, decides); due != never {
		e.file(l, d, max(due, e.clock))
	}
}

// reach is the look at a counting leaf of a customer whose count has reached
// the number.
func (e *Engine) reach(l *leafState, d uint32, decides int64) {
	e.armCounting(l, d, decides)
	e.answer(l, d, l.leaf.counting.holds[l.leaf.counting.turn])
}

// peek reads what changes if another event of each of the customers is counted.
func (l *leafState) peek(c *latestColumn, clock int64, customers []uint32) uint32 {
	turn := l.leaf.counting.turn
	if turn < 2 {
		return 0
	}
	lo, sum := l.edge(clock), uint32(0)
	for _, d := range customers {
		if decides, ok := c.kth(d, turn-1); ok && decides > lo {
			if now, ok := c.kth(d, turn); !ok || now <= lo {
				sum += l.flipped.peek(d) + l.wheel.peek(l.leaf.counting.leave(l.leaf.clocks, decides))
			}
		}
	}
	return sum
}

// mayTurn reports whether one more instant may turn the answer for d at t.
func (l *leafState) mayTurn(d uint32, at, t int64) bool {
	c := l.leaf.counting
	if c == nil {
		return true
	}
	var room [latestMax]int64
	lo, _ := c.window.bounds(l.leaf.clocks, t)
	n := 0
	for _, have := range l.column.instants(d, &room) {
		if have > lo && n < c.k {
			n++
		}
	}
	return at > lo && c.holds[n] != c.holds[min(n+1, c.k)] || l.holds(d) != c.holds[n]
}

// leave is that of the window.
func (c *counting) leave(clocks clocks, at int64) int64 {
	if c.window.kind == windowRolling {
		return at + c.window.span
	}
	return c.window.leave(clocks, at)
}

// turnsAt is when the answer for the instants in the window, the latest first,
// turns if nothing is added.
func (c *counting) turnsAt(clocks clocks, at []int64) int64 {
	for n := len(at); n > 0; n-- {
		if c.holds[n-1] != c.holds[len(at)] {
			return c.window.leave(clocks, at[n-1])
		}
	}
	return never
}

// dueOf tells when a customer in the wheel of a leaf is to be looked at, or never.
func (e *Engine) dueOf(l *leafState, d uint32) int64 {
	c := l.leaf.counting
	if c == nil || c.turn == 0 {
		if due := l.due.get(d); due != 0 {
			return due
		}
		return never
	}
	at, ok := l.column.kth(d, c.turn)
	if !ok {
		return never
	}
	// One who is due already was filed for a time that has come.
	return max(c.leave(l.leaf.clocks, at), e.clock)
}

// ring looks at everyone of a leaf whose instant is the clock.
func (e *Engine) ring(l *leafState) {
	e.open(l)
	for {
		if l.column != nil && l.column.latest != nil {
			l.wheel.approach(l.column.latest, &l.flipped)
		}
		d, ok := l.wheel.pop(e.clock)
		if !ok {
			break
		}
		if c := l.leaf.counting; c != nil && c.turn != 0 {
			// Later facts may have put it off.
			if due := e.dueOf(l, d); due > e.clock {
				if due != never {
					l.wheel.file(due, d)
				}
				continue
			}
			e.answer(l, d, c.holds[c.turn-1])
			continue
		} else if place := l.due.at(d); *place == 0 || *place > e.clock {
			continue // noted for another instant by now
		} else {
			*place = 0
		}
		e.look(l, d)
	}
	e.alarms.reset(l)
}

// unlook forgets what a leaf knows of a customer who is gone.
func (l *leafState) unlook(d uint32) {
	l.flipped.set(d, false)
	if l.due.get(d) != 0 {
		*l.due.at(d) = 0
	}
}

// enlist puts a leaf among those that the clock rings, if it is not there yet.
func (e *Engine) enlist(l *leafState) {
	if l.place < 0 {
		l.alarm = l.wheel.next()
		heap.Push(&e.alarms, l)
	}
}

// delist takes it out.
func (e *Engine) delist(l *leafState) { heap.Remove(&e.alarms, l.place) }

// bytes is the memory that the leaf takes.
func (l *leafState) bytes() int {
	return l.flipped.bytes() + l.due.bytes(8) + l.wheel.bytes()
}

// needsOf is what a leaf asks of the column of a stream: k instants, or all
// facts where it is 0.
func (l *leaf) needsOf(s *stream) int {
	if l.counting != nil && slices.Contains(l.of, s) {
		return l.counting.k
	}
	return 0
}
