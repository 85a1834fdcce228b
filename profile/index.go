package profile

import (
	"hash/maphash"
	"iter"
)

// index finds entries by a number and a text that each knows itself. It is an
// open-addressing table that keeps the whole hash of each entry: to grow it
// reads no text, and to find one it reads only what is likely the one. A map of
// strings does both at a cache miss each.
type index[P indexed] struct {
	seed   maphash.Seed
	shards []shard[P] // a power of two; each grows alone, so that no growth takes long
}

// indexed is an entry of an index. The zero P is none.
type indexed interface {
	comparable
	is(number int, text string) bool
}

type shard[P indexed] struct {
	slots []slot[P] // a power of two; free ones end a search
	used  int
}

type slot[P indexed] struct {
	hash  uint64
	entry P
}

// directoryShards is for an index that may hold millions.
const directoryShards = 256

func newIndex[P indexed](shards int) index[P] {
	return index[P]{seed: maphash.MakeSeed(), shards: make([]shard[P], shards)}
}

func (x *index[P]) hash(number int, text string) uint64 {
	return maphash.String(x.seed, text) ^ uint64(number+1)*0x9e3779b97f4a7c15
}

func (x *index[P]) shard(hash uint64) *shard[P] { return &x.shards[hash>>32&uint64(len(x.shards)-1)] }

// get finds an entry; the zero P if there is none.
func (x *index[P]) get(number int, text string) P {
	hash := x.hash(number, text)
	var none P
	s := x.shard(hash)
	if len(s.slots) == 0 {
		return none
	}
	mask := uint64(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at := &s.slots[i]
		if at.entry == none || at.hash == hash && at.entry.is(number, text) {
			return at.entry
		}
	}
}

// put adds an entry that is not there.
func (x *index[P]) put(number int, text string, entry P) {
	hash := x.hash(number, text)
	s := x.shard(hash)
	if s.used >= len(s.slots)/4*3 {
		old := s.slots
		s.slots = make([]slot[P], max(8, 2*len(old)))
		for _, o := range old {
			s.place(o)
		}
	}
	s.place(slot[P]{hash, entry})
	s.used++
}

func (s *shard[P]) place(o slot[P]) {
	var none P
	if o.entry == none {
		return
	}
	mask := uint64(len(s.slots) - 1)
	i := o.hash & mask
	for s.slots[i].entry != none {
		i = (i + 1) & mask
	}
	s.slots[i] = o
}

// remove takes an entry out, and moves those up that its slot had displaced.
func (x *index[P]) remove(number int, text string) {
	hash := x.hash(number, text)
	s := x.shard(hash)
	if len(s.slots) == 0 {
		return
	}
	var none P
	mask := uint64(len(s.slots) - 1)
	i := hash & mask
	for s.slots[i].entry != none && !(s.slots[i].hash == hash && s.slots[i].entry.is(number, text)) {
		i = (i + 1) & mask
	}
	if s.slots[i].entry == none {
		return
	}
	s.used--
	for j := (i + 1) & mask; s.slots[j].entry != none; j = (j + 1) & mask {
		if home := s.slots[j].hash & mask; (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = slot[P]{}
}

// all yields every entry, in no order. The loop must not put or remove.
func (x *index[P]) all() iter.Seq[P] {
	return func(yield func(P) bool) {
		var none P
		for i := range x.shards {
			for _, at := range x.shards[i].slots {
				if at.entry != none && !yield(at.entry) {
					return
				}
			}
		}
	}
}

func (rec *record) is(_ int, id string) bool { return rec.id == id }
