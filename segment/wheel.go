package segment

import (
	"cmp"
	"container/heap"
	"slices"
)

// wheel keeps for one leaf which customers have to be looked at when. What lies
// ahead is filed by bucket of about 72 minutes, four bytes a customer and
// without the instant, which the leaf can tell. A bucket that has begun is
// sorted into sorted; what is filed for it afterwards goes into the heap near.
type wheel struct {
	sorted []timer // from done on
	done   int
	near   []timer
	far    map[int64]*slots
	keys   keyHeap // buckets of far
	open   int64   // buckets up to this one are in sorted and near
}

const bucketBits = 32 // of microseconds

type timer struct {
	due int64
	d   uint32
}

// slots is a list of customers in pieces, so that no room is left unused.
type slots struct {
	full [][]uint32
	last []uint32
}

const slotsPiece = 256

func (s *slots) add(d uint32) {
	if len(s.last) == cap(s.last) {
		if s.last != nil && cap(s.last) < slotsPiece {
			s.last = slices.Grow(s.last, cap(s.last))
		} else {
			if s.last != nil {
				s.full = append(s.full, s.last)
			}
			s.last = make([]uint32, 0, 4)
		}
	}
	s.last = append(s.last, d)
}

func (s *slots) each(f func(d uint32)) {
	for _, piece := range s.full {
		for _, d := range piece {
			f(d)
		}
	}
	for _, d := range s.last {
		f(d)
	}
}

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
	s := w.far[key]
	if s == nil {
		if w.far == nil {
			w.far = map[int64]*slots{}
		}
		s = &slots{}
		w.far[key] = s
		heap.Push(&w.keys, key)
	}
	s.add(d)
}

// next is the instant at which there may be something to do: the nearest due,
// or the beginning of a bucket, which has to be opened then.
func (w *wheel) next() int64 {
	next := never
	if len(w.near) > 0 {
		next = w.near[0].due
	}
	if w.done < len(w.sorted) {
		next = min(next, w.sorted[w.done].due)
	}
	if len(w.keys) > 0 {
		next = min(next, w.keys[0]<<bucketBits)
	}
	return next
}

// openUntil opens the buckets that have begun at the instant. due tells when
// each of their customers is to be looked at, or never.
func (w *wheel) openUntil(now int64, due func(d uint32) int64) {
	w.open = max(w.open, now>>bucketBits)
	if len(w.keys) == 0 || w.keys[0] > w.open {
		return
	}
	w.sorted = append(w.sorted[:0], w.sorted[w.done:]...)
	w.done = 0
	for len(w.keys) > 0 && w.keys[0] <= w.open {
		key := heap.Pop(&w.keys).(int64)
		s := w.far[key]
		delete(w.far, key)
		s.each(func(d uint32) {
			switch at := due(d); {
			case at == never:
			case at>>bucketBits <= w.open:
				w.sorted = append(w.sorted, timer{at, d})
			default:
				w.file(at, d)
			}
		})
	}
	slices.SortFunc(w.sorted, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.d, b.d))
	})
	w.sorted = slices.Compact(w.sorted) // who was filed again and again is there once
}

// pop takes out who is to be looked at by an instant; ok is false for no one.
func (w *wheel) pop(now int64) (d uint32, ok bool) {
	if w.done < len(w.sorted) && (len(w.near) == 0 || w.sorted[w.done].due <= w.near[0].due) {
		if t := w.sorted[w.done]; t.due <= now {
			w.done++
			return t.d, true
		}
		return 0, false
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
	n := 16*(cap(w.near)+cap(w.sorted)) + 8*cap(w.keys)
	for _, s := range w.far {
		n += 100 + 4*cap(s.last) + 24*cap(s.full)
		for _, piece := range s.full {
			n += 4 * cap(piece)
		}
	}
	return n
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
