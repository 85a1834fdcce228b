package segment

import (
	"slices"
	"sync/atomic"
)

// bitmap is a set of dense numbers that one writer changes while others read:
// [bitmap.has] at any time without waiting, and [bitmap.snapshot], under the
// writer's lock, an immutable set of the moment. After a snapshot the writer
// copies a block when it touches it for the first time.
type bitmap struct {
	root  atomic.Pointer[[]atomic.Pointer[block]]
	epoch uint64 // blocks of an older one are shared with a snapshot
	n     atomic.Int64
	// alone says that only the writer reads beside the writer, who then writes
	// in place without further ado. It is set before anything else.
	alone bool
	count int // n, where the writer is alone
}

func (m *bitmap) slots() []atomic.Pointer[block] {
	if root := m.root.Load(); root != nil {
		return *root
	}
	return nil
}

// has is safe beside the writer.
func (m *bitmap) has(d uint32) bool {
	slots := m.slots()
	i := int(d >> blockBits)
	if i >= len(slots) {
		return false
	}
	b := slots[i].Load()
	low := uint16(d)
	if b != nil && b.words != nil {
		return atomic.LoadUint64(&b.words[low>>6])&(1<<(low&63)) != 0
	}
	return b.has(low)
}

// peek reads where d is.
func (m *bitmap) peek(d uint32) uint32 {
	slots := m.slots()
	if i := int(d >> blockBits); i < len(slots) {
		if b := slots[i].Load(); b != nil && b.words != nil {
			return uint32(b.words[uint16(d)>>6])
		}
	}
	return 0
}

// len is safe beside the writer.
func (m *bitmap) len() int {
	if m.alone {
		return m.count
	}
	return int(m.n.Load())
}

// set makes d's membership so and reports whether that was news.
func (m *bitmap) set(d uint32, in bool) bool {
	i, low := int(d>>blockBits), uint16(d)
	slots := m.slots()
	if i >= len(slots) {
		if !in {
			return false
		}
		slots = m.grow(i + 1)
	}
	old := slots[i].Load()
	if m.alone && old != nil && old.words != nil && old.epoch == m.epoch && (in || old.n > arrayMax/2) {
		word, bit := &old.words[low>>6], uint64(1)<<(low&63)
		if (*word&bit != 0) == in {
			return false
		}
		*word ^= bit
		delta := 1
		if !in {
			delta = -1
		}
		old.n += delta
		m.count += delta
		return true
	}
	if old.has(low) == in {
		return false
	}
	delta := 1
	if !in {
		delta = -1
	}
	if m.alone {
		m.count += delta
	} else {
		m.n.Add(int64(delta))
	}
	bit := uint64(1) << (low & 63)
	switch {
	case m.alone && old != nil && old.epoch == m.epoch && old.words == nil && (!in || old.n < arrayMax):
		at, _ := slices.BinarySearch(old.array, low)
		if in {
			old.array = slices.Insert(old.array, at, low)
		} else {
			old.array = slices.Delete(old.array, at, at+1)
		}
		if old.n += delta; old.n == 0 {
			slots[i].Store(nil)
		}
	case old != nil && old.words != nil && old.epoch == m.epoch && (in || old.n > arrayMax/2):
		old.n += delta
		atomic.StoreUint64(&old.words[low>>6], old.words[low>>6]^bit)
	case old != nil && old.words != nil && (in || old.n > arrayMax/2):
		words := *old.words
		words[low>>6] ^= bit
		slots[i].Store(&block{words: &words, n: old.n + delta, epoch: m.epoch})
	case old != nil && old.words != nil: // few are left
		words := *old.words
		words[low>>6] ^= bit
		slots[i].Store(blockOf(&words, false))
	case old == nil:
		slots[i].Store(&block{array: []uint16{low}, n: 1, epoch: m.epoch})
	case in && old.n == arrayMax:
		words := new([blockWords]uint64)
		old.fill(words)
		words[low>>6] |= bit
		slots[i].Store(&block{words: words, n: old.n + 1, epoch: m.epoch})
	default:
		at, _ := slices.BinarySearch(old.array, low)
		array := make([]uint16, 0, old.n+delta)
		array = append(array, old.array[:at]...)
		if in {
			array = append(array, low)
		} else {
			at++
		}
		b := arrayBlock(append(array, old.array[at:]...))
		if b != nil {
			b.epoch = m.epoch
		}
		slots[i].Store(b)
	}
	return true
}

func (m *bitmap) grow(n int) []atomic.Pointer[block] {
	old := m.slots()
	slots := make([]atomic.Pointer[block], max(n, len(old)*2))
	for i := range old {
		slots[i].Store(old[i].Load())
	}
	m.root.Store(&slots)
	return slots
}

// snapshot is the set as it is; the writer's lock must be held.
func (m *bitmap) snapshot() *set {
	slots := m.slots()
	s := &set{blocks: make([]*block, len(slots)), n: m.len()}
	for i := range slots {
		s.blocks[i] = slots[i].Load()
	}
	for len(s.blocks) > 0 && s.blocks[len(s.blocks)-1] == nil {
		s.blocks = s.blocks[:len(s.blocks)-1]
	}
	m.epoch++
	return s
}

// assign replaces the whole content; the writer's lock must be held.
func (m *bitmap) assign(s *set) {
	slots := make([]atomic.Pointer[block], len(s.blocks))
	for i, b := range s.blocks {
		slots[i].Store(b)
	}
	m.epoch++
	m.root.Store(&slots)
	m.n.Store(int64(s.n))
	m.count = s.n
}

// bytes is the memory that the set takes.
func (m *bitmap) bytes() int {
	n := 0
	slots := m.slots()
	for i := range slots {
		n += 8
		switch b := slots[i].Load(); {
		case b == nil:
		case b.words != nil:
			n += 8*blockWords + 56
		default:
			n += 2*cap(b.array) + 56
		}
	}
	return n
}
