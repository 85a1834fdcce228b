package segment

import (
	"encoding/binary"
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"
)

// roaringOf makes a roaring bitmap of a set.
func roaringOf(s *set) *roaring.Bitmap {
	out := roaring.New()
	many := make([]uint32, 0, 4096)
	s.each(func(d uint32) bool {
		if many = append(many, d); len(many) == cap(many) {
			out.AddMany(many)
			many = many[:0]
		}
		return true
	})
	out.AddMany(many)
	out.RunOptimize()
	return out
}

// The portable format of roaring bitmaps, as specified at
// https://github.com/RoaringBitmap/RoaringFormatSpec. The library's reader
// takes damaged buffers and panics on some, so this one is our own: it takes
// exactly what is well formed.
const (
	cookiePlain   = 12346
	cookieRuns    = 12347
	offsetsFrom   = 4 // bitmaps with runs have offsets from that many containers on
	portableArray = 4096
)

// readPortable reads a portable roaring bitmap that fills raw and whose members
// are below limit; ok is false for anything else.
func readPortable(raw []byte, limit uint64) (s *set, ok bool) {
	r := &portableReader{b: raw}
	var count int
	var runs []byte
	switch cookie := r.uint32(); {
	case cookie == cookiePlain:
		n := r.uint32()
		if n > blockSize {
			return nil, false
		}
		count = int(n)
	case cookie&0xffff == cookieRuns:
		count = int(cookie>>16) + 1
		runs = r.take((count + 7) / 8)
	default:
		return nil, false
	}
	header := &portableReader{b: r.take(4 * count)}
	var offsets *portableReader
	if runs == nil || count >= offsetsFrom {
		offsets = &portableReader{b: r.take(4 * count)}
	}
	if r.failed {
		return nil, false
	}
	s = &set{}
	for i := range count {
		key, n := int(header.uint16()), int(header.uint16())+1
		if offsets != nil && int(offsets.uint32()) != len(raw)-len(r.b) || key < len(s.blocks) {
			return nil, false
		}
		for len(s.blocks) < key {
			s.blocks = append(s.blocks, nil)
		}
		var room words
		switch {
		case runs != nil && runs[i/8]>>(i%8)&1 == 1:
			r.runs(&room)
		case n <= portableArray:
			r.array(n, &room)
		default:
			r.bitmap(&room)
		}
		if r.failed || onesOf(&room) != n {
			return nil, false
		}
		s.blocks = append(s.blocks, blockOf(&room, false))
		s.n += n
	}
	if len(r.b) > 0 || count > 0 && s.max() >= limit {
		return nil, false
	}
	return s, true
}

// max is the greatest member of a set that has one.
func (s *set) max() uint64 {
	last := len(s.blocks) - 1
	var room words
	s.blocks[last].fill(&room)
	for k := blockWords - 1; k >= 0; k-- {
		if room[k] != 0 {
			return uint64(last)<<blockBits | uint64(k<<6+bits.Len64(room[k])-1)
		}
	}
	return 0
}

// portableReader reads little-endian numbers; past the end it fails and gives zeros.
type portableReader struct {
	b      []byte
	failed bool
}

func (r *portableReader) take(n int) []byte {
	if n > len(r.b) {
		r.failed, r.b = true, nil
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *portableReader) uint16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *portableReader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

// array reads n members in ascending order.
func (r *portableReader) array(n int, into *words) {
	last := -1
	for range n {
		low := int(r.uint16())
		if r.failed || low <= last {
			r.failed = true
			return
		}
		into[low>>6] |= 1 << (low & 63)
		last = low
	}
}

func (r *portableReader) bitmap(into *words) {
	raw := r.take(8 * blockWords)
	for k := range into {
		into[k] = binary.LittleEndian.Uint64(raw[8*k:])
	}
}

// runs reads stretches of neighbors, in ascending order and apart.
func (r *portableReader) runs(into *words) {
	end := -1 // of the run before
	for range r.uint16() {
		start, more := int(r.uint16()), int(r.uint16())
		if r.failed || start <= end || start+more >= blockSize {
			r.failed = true
			return
		}
		for low := start; low <= start+more; low++ {
			into[low>>6] |= 1 << (low & 63)
		}
		end = start + more
	}
}
