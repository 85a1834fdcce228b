package segment

import (
	"container/heap"
	"slices"
)

// wheel keeps for one leaf which customers have to be looked at when. What lies
// ahead is filed by bucket of about 72 minutes, four bytes a customer and
// without the instant, which the leaf can tell. A bucket that has begun is
// sorted; what is filed for it afterwards goes into the heap near.
type wheel struct {
	open   int64    // buckets up to this one have begun
	sorted []uint64 // of one bucket, from done on: microseconds into it, then the customer
	done   int
	// touched is up to where the rows of sorted were read in advance.
	touched int
	begun   int64 // the bucket of sorted
	near    []timer

	ring   []uint32         // bucket to its first chunk plus one, where it is near enough
	far    map[int64]uint32 // the same for the others
	keys   keyHeap          // buckets that have a chunk
	chunks []chunk
	free   uint32 // first chunk that is not in use, plus one
}

type timer struct {
	due int64
	d   uint32
}

// chunk is a piece of a bucket's list of customers, the size of a cache line.
type chunk struct {
	next uint32 // the one before it in the bucket, plus one
	n    uint32
	d    [14]uint32
}

const (
	bucketBits = 32      // of microseconds
	maxRing    = 1 << 13 // buckets, 400 days
)

type keyHeap []int64

func (h keyHeap) Len() int           { return len(h) }
func (h keyHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h keyHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *keyHeap) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *keyHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// file notes that d is to be looked at at the instant.
func (w *wheel) file(due int64, d uint32) {
	key := due >> bucketBits
	if key <= w.open {
		w.pushNear(timer{due, d})
		return
	}
	if ahead := key - w.open; ahead < maxRing && ahead >= int64(len(w.ring)) {
		w.widen(ahead)
	}
	near := key-w.open < int64(len(w.ring))
	var first uint32
	if near {
		first = w.ring[key&int64(len(w.ring)-1)]
	} else {
		first = w.far[key]
	}
	if first != 0 && w.chunks[first-1].n < uint32(len(chunk{}.d)) {
		c := &w.chunks[first-1]
		c.d[c.n] = d
		c.n++
		return
	}
	if first == 0 {
		heap.Push(&w.keys, key)
	}
	first = w.fresh(first, d)
	switch {
	case near:
		w.ring[key&int64(len(w.ring)-1)] = first
	default:
		if w.far == nil {
			w.far = map[int64]uint32{}
		}
		w.far[key] = first
	}
}

// peek reads where somebody who is due at the instant would be filed.
func (w *wheel) peek(due int64) uint32 {
	key := due >> bucketBits
	if key <= w.open || key-w.open >= int64(len(w.ring)) {
		return 0
	}
	if first := w.ring[key&int64(len(w.ring)-1)]; first != 0 {
		return w.chunks[first-1].n
	}
	return 0
}

// fresh gives a chunk with a customer, before another.
func (w *wheel) fresh(next, d uint32) uint32 {
	i := w.free
	if i == 0 {
		w.chunks = append(w.chunks, chunk{})
		i = uint32(len(w.chunks))
	} else {
		w.free = w.chunks[i-1].next
	}
	c := &w.chunks[i-1]
	c.next, c.n, c.d[0] = next, 1, d
	return i
}

// widen makes the ring reach so many buckets ahead.
func (w *wheel) widen(ahead int64) {
	size := max(16, len(w.ring))
	for int64(size) <= ahead {
		size *= 2
	}
	ring := make([]uint32, size)
	for _, key := range w.keys {
		if key-w.open < int64(len(w.ring)) {
			ring[key&int64(size-1)] = w.ring[key&int64(len(w.ring)-1)]
		}
	}
	w.ring = ring
}

// next is the instant at which there may be something to do: the nearest due,
// or the beginning of a bucket, which has to be opened then.
func (w *wheel) next() int64 {
	next := never
	if len(w.near) > 0 {
		next = w.near[0].due
	}
	if w.done < len(w.sorted) {
		next = min(next, w.first().due)
	}
	if len(w.keys) > 0 {
		next = min(next, w.keys[0]<<bucketBits)
	}
	return next
}

// first is the first of those sorted, of whom there is one.
func (w *wheel) first() timer {
	x := w.sorted[w.done]
	return timer{w.begun<<bucketBits | int64(x>>32), uint32(x)}
}

// openUntil opens the buckets that have begun at the instant. due tells when
// each of their customers is to be looked at, or never; it may read a column.
func (w *wheel) openUntil(now int64, column *latestColumn, due func(d uint32) int64) {
	from := w.open
	w.open = max(w.open, now>>bucketBits)
	for len(w.keys) > 0 && w.keys[0] <= w.open {
		for ; w.done < len(w.sorted); w.done++ {
			w.pushNear(w.first())
		}
		w.begun = heap.Pop(&w.keys).(int64)
		w.sorted, w.done, w.touched = w.sorted[:0], 0, 0
		if w.begun-from < int64(len(w.ring)) {
			place := &w.ring[w.begun&int64(len(w.ring)-1)]
			w.spill(*place, column, due)
			*place = 0
		}
		w.spill(w.far[w.begun], column, due)
		delete(w.far, w.begun)
		slices.Sort(w.sorted)
		w.sorted = slices.Compact(w.sorted) // who was filed again and again is there once
	}
}

// spill takes the customers out of a list of chunks.
func (w *wheel) spill(first uint32, column *latestColumn, due func(d uint32) int64) {
	for i := first; i != 0 && column != nil && column.beyond(farRows); i = w.chunks[i-1].next {
		c := &w.chunks[i-1]
		column.touch(c.d[:c.n])
	}
	for i := first; i != 0; {
		c := w.chunks[i-1] // filing may move the chunks
		for _, d := range c.d[:c.n] {
			switch at := due(d); {
			case at == never:
			case at>>bucketBits == w.begun:
				w.sorted = append(w.sorted, uint64(at)<<32|uint64(d))
			default:
				w.file(at, d)
			}
		}
		w.chunks[i-1].next, w.free = w.free, i
		i = c.next
	}
}

// approach reads what is known of those who come next, a few at a time.
func (w *wheel) approach(column *latestColumn, answers *bitmap) {
	const few = 16
	if w.done < w.touched || !column.beyond(farRows) {
		return
	}
	w.touched = w.done + few
	sum := uint32(0)
	for _, x := range w.sorted[w.done:min(w.done+few, len(w.sorted))] {
		sum += column.peek(uint32(x)) + answers.peek(uint32(x))
	}
	column.touched = sum
}

// pop takes out who is to be looked at by an instant; ok is false for no one.
func (w *wheel) pop(now int64) (d uint32, ok bool) {
	if w.done < len(w.sorted) {
		if t := w.first(); len(w.near) == 0 || t.due <= w.near[0].due {
			if t.due > now {
				return 0, false
			}
			w.done++
			return t.d, true
		}
	}
	if len(w.near) > 0 && w.near[0].due <= now {
		return w.popNear().d, true
	}
	return 0, false
}

// The heap of the open bucket, without the interface of container/heap, as it
// is where the time goes.
func (w *wheel) pushNear(t timer) {
	h := append(w.near, t)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h[up].due <= h[i].due {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
	w.near = h
}

func (w *wheel) popNear() timer {
	h := w.near
	top := h[0]
	n := len(h) - 1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			break
		}
		if r := down + 1; r < n && h[r].due < h[down].due {
			down = r
		}
		if h[i].due <= h[down].due {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	w.near = h
	return top
}

// bytes is the memory that it takes.
func (w *wheel) bytes() int {
	return 16*cap(w.near) + 8*(cap(w.sorted)+cap(w.keys)) + 4*len(w.ring) + 24*len(w.far) + 64*cap(w.chunks)
}

// alarms orders leaves by when there is something to do for them.
type alarms []*leafState

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].alarm < h[j].alarm }
func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *alarms) Push(x any) {
	l := x.(*leafState)
	l.place = len(*h)
	*h = append(*h, l)
}

func (h *alarms) Pop() any {
	old := *h
	l := old[len(old)-1]
	*h = old[:len(old)-1]
	return l
}

// reset brings a leaf to its place after its wheel has changed.
func (h *alarms) reset(l *leafState) {
	if next := l.wheel.next(); next != l.alarm {
		l.alarm = next
		heap.Fix(h, l.place)
	}
}
