package segment

import (
	"hash/maphash"
	"math/bits"
	"strings"
	"sync/atomic"

	"github.com/cxkit/cxkit/profile"
)

// dictionary numbers customers densely in the order of their coming. One
// writer adds and removes while others look up without waiting. A number is
// never given twice.
type dictionary struct {
	seed   maphash.Seed
	shards [dictShards]atomic.Pointer[dictTable]
	pages  atomic.Pointer[[]atomic.Pointer[dictPage]]
	n      uint32
}

const (
	dictShards = 256 // each grows on its own, so that no growth is long
	dictMin    = 8
)

// dictPage is the keys of 1,024 numbers: each on its own while it fills up, all
// in one text from then on, which takes less memory and is quick to go through.
type dictPage struct {
	keys []profile.ID
	text string
	size int      // of every key, if all are equally long
	ends []uint32 // in text, if they are not
}

func (p *dictPage) key(at uint32) profile.ID {
	switch {
	case p.keys != nil:
		return p.keys[at]
	case p.ends == nil:
		return profile.ID(p.text[int(at)*p.size:][:p.size])
	case at == 0:
		return profile.ID(p.text[:p.ends[0]])
	}
	return profile.ID(p.text[p.ends[at-1]:p.ends[at]])
}

// packed is the page with its keys in one text.
func (p *dictPage) packed() *dictPage {
	out := &dictPage{size: len(p.keys[0])}
	size := 0
	for _, k := range p.keys {
		size += len(k)
	}
	var b strings.Builder
	b.Grow(size)
	ends := make([]uint32, len(p.keys))
	for i, k := range p.keys {
		b.WriteString(string(k))
		ends[i] = uint32(b.Len())
		if len(k) != out.size {
			out.ends = ends
		}
	}
	out.text = b.String()
	return out
}

// without is the page without one of its keys.
func (p *dictPage) without(at uint32) *dictPage {
	out := &dictPage{keys: make([]profile.ID, pageSize)}
	for i := range uint32(pageSize) {
		if i != at {
			out.keys[i] = p.key(i)
		}
	}
	if p.keys == nil {
		return out.packed()
	}
	return out
}

// dictTable is an open-addressing table of one shard. A slot holds the upper
// half of the hash and the number plus one; 0 is free, 1<<32−1 in the lower
// half was removed.
type dictTable struct {
	slots []atomic.Uint64
	used  int // removed ones included
}

const dictRemoved = 1<<32 - 1

func newDictionary() *dictionary {
	d := &dictionary{seed: maphash.MakeSeed()}
	for i := range d.shards {
		d.shards[i].Store(&dictTable{slots: make([]atomic.Uint64, dictMin)})
	}
	d.pages.Store(new([]atomic.Pointer[dictPage]))
	return d
}

// find gives the number of a customer. It is safe beside the writer.
func (d *dictionary) find(id profile.ID) (uint32, bool) {
	h := maphash.String(d.seed, string(id))
	t := d.shards[h%dictShards].Load()
	mask := uint64(len(t.slots) - 1)
	for i := h >> 8; ; i++ {
		slot := t.slots[i&mask].Load()
		if slot == 0 {
			return 0, false
		}
		low := uint32(slot)
		if slot>>32 == h>>32 && low != dictRemoved && d.key(low-1) == id {
			return low - 1, true
		}
	}
}

// key gives the customer of a number, "" for one who was removed. It is safe
// beside the writer.
func (d *dictionary) key(n uint32) profile.ID {
	pages := *d.pages.Load()
	if i := int(n >> pageBits); i < len(pages) {
		return pages[i].Load().key(n % pageSize)
	}
	return ""
}

// each calls f for the customers of a set, in the order of their numbers, until
// it returns false. It is safe beside the writer.
func (d *dictionary) each(s *set, f func(profile.ID) bool) {
	const perPage = pageSize / 64 // words
	pages := *d.pages.Load()
	for i, b := range s.blocks {
		if b == nil {
			continue
		}
		first := i << (blockBits - pageBits)
		if b.words == nil {
			for _, low := range b.array {
				id := pages[first+int(low)>>pageBits].Load().key(uint32(low) % pageSize)
				if id != "" && !f(id) {
					return
				}
			}
			continue
		}
		for k := 0; k < blockWords; k += perPage {
			var page *dictPage
			for j, w := range b.words[k : k+perPage] {
				if w == 0 {
					continue
				}
				if page == nil {
					page = pages[first+k/perPage].Load()
				}
				if size := page.size; size > 0 && page.ends == nil { // all are there, and equally long
					text := page.text[j<<6*size:][:64*size]
					for ; w != 0; w &= w - 1 {
						if !f(profile.ID(text[bits.TrailingZeros64(w)*size:][:size])) {
							return
						}
					}
					continue
				}
				for ; w != 0; w &= w - 1 {
					id := page.key(uint32(j<<6 + bits.TrailingZeros64(w)))
					if id != "" && !f(id) {
						return
					}
				}
			}
		}
	}
}

// len counts the numbers given, those of removed customers included.
func (d *dictionary) len() uint32 { return d.n }

// add numbers a customer who has no number yet.
func (d *dictionary) add(id profile.ID) uint32 {
	n := d.n
	pages := *d.pages.Load()
	if int(n>>pageBits) == len(pages) {
		more := make([]atomic.Pointer[dictPage], len(pages)+1)
		for i := range pages {
			more[i].Store(pages[i].Load())
		}
		more[len(pages)].Store(&dictPage{keys: make([]profile.ID, pageSize)})
		d.pages.Store(&more)
		pages = more
	}
	// Readers come here only by way of a slot, which is written below.
	page := pages[n>>pageBits].Load()
	page.keys[n%pageSize] = id
	if d.n++; d.n%pageSize == 0 {
		pages[n>>pageBits].Store(page.packed())
	}
	if id != "" { // a removed one, of a checkpoint
		d.insert(id, n)
	}
	return n
}

func (d *dictionary) insert(id profile.ID, n uint32) {
	h := maphash.String(d.seed, string(id))
	shard := &d.shards[h%dictShards]
	t := shard.Load()
	if (t.used+1)*4 > len(t.slots)*3 {
		t = d.rehash(t)
		shard.Store(t)
	}
	t.put(h, n)
}

func (t *dictTable) put(h uint64, n uint32) {
	mask := uint64(len(t.slots) - 1)
	for i := h >> 8; ; i++ {
		if t.slots[i&mask].Load() == 0 {
			t.slots[i&mask].Store(h>>32<<32 | uint64(n+1))
			t.used++
			return
		}
	}
}

// rehash makes a larger table without the removed slots.
func (d *dictionary) rehash(t *dictTable) *dictTable {
	live := 0
	for i := range t.slots {
		if s := t.slots[i].Load(); s != 0 && uint32(s) != dictRemoved {
			live++
		}
	}
	size := dictMin
	for size < live*2+2 {
		size *= 2
	}
	out := &dictTable{slots: make([]atomic.Uint64, size)}
	for i := range t.slots {
		if s := t.slots[i].Load(); s != 0 && uint32(s) != dictRemoved {
			n := uint32(s) - 1
			out.put(maphash.String(d.seed, string(d.key(n))), n)
		}
	}
	return out
}

// remove forgets the key of a number.
func (d *dictionary) remove(id profile.ID) {
	n, ok := d.find(id)
	if !ok {
		return
	}
	h := maphash.String(d.seed, string(id))
	t := d.shards[h%dictShards].Load()
	mask := uint64(len(t.slots) - 1)
	for i := h >> 8; ; i++ {
		if slot := t.slots[i&mask].Load(); uint32(slot) == n+1 {
			t.slots[i&mask].Store(h>>32<<32 | dictRemoved)
			break
		}
	}
	// A reader may be at the page: it gets a new one without the key.
	pages := *d.pages.Load()
	pages[n>>pageBits].Store(pages[n>>pageBits].Load().without(n % pageSize))
}
