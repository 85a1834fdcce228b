package segment

import (
	"math"
	"math/bits"
)

// planes holds one whole number for each of some customers, cut into bits: the
// numbers of 64 neighbors lie in as many words as the numbers have bits, word
// after word. So a comparison with a constant reads each word once and decides
// 64 customers at a time.
type planes struct {
	chunks []*planeChunk
	epoch  uint64 // chunks of an older one are shared with a reader
	n      int    // customers with a number
}

const (
	chunkBits   = 12
	chunkSize   = 1 << chunkBits
	chunkGroups = chunkSize / 64
	chunksBlock = blockSize / chunkSize // chunks to a block of a set
)

// planeChunk holds the numbers of 4,096 neighbors as offsets from base.
type planeChunk struct {
	base    int64
	width   int // bits of an offset
	present [chunkGroups]uint64
	words   []uint64 // width words for each group, the lowest bit first
	epoch   uint64
}

// get reads a number.
func (p *planes) get(d uint32) (int64, bool) {
	i := int(d >> chunkBits)
	if i >= len(p.chunks) || p.chunks[i] == nil {
		return 0, false
	}
	return p.chunks[i].get(d % chunkSize)
}

func (c *planeChunk) get(at uint32) (int64, bool) {
	group, bit := int(at/64), at%64
	if c.present[group]&(1<<bit) == 0 {
		return 0, false
	}
	var offset uint64
	for i, w := range c.words[group*c.width : (group+1)*c.width] {
		offset |= (w >> bit & 1) << i
	}
	return c.base + int64(offset), true
}

// chunk gives the chunk of d to be written, its own copy if a reader has it.
func (p *planes) chunk(d uint32) *planeChunk {
	i := int(d >> chunkBits)
	if i >= len(p.chunks) {
		p.chunks = append(p.chunks, make([]*planeChunk, i+1-len(p.chunks))...)
	}
	c := p.chunks[i]
	switch {
	case c == nil:
		c = &planeChunk{epoch: p.epoch}
		p.chunks[i] = c
	case c.epoch != p.epoch:
		own := *c
		own.words = append([]uint64(nil), c.words...)
		own.epoch = p.epoch
		c = &own
		p.chunks[i] = c
	}
	return c
}

// set gives d a number.
func (p *planes) set(d uint32, n int64) {
	c := p.chunk(d)
	at := d % chunkSize
	group, bit := int(at/64), at%64
	if c.present[group]&(1<<bit) == 0 {
		p.n++
	}
	if offset := uint64(n) - uint64(c.base); n < c.base || bits.Len64(offset) > c.width {
		c.widen(n)
	}
	c.present[group] |= 1 << bit
	offset := uint64(n) - uint64(c.base)
	words := c.words[group*c.width : (group+1)*c.width]
	for i := range words {
		words[i] = words[i]&^(1<<bit) | (offset >> i & 1 << bit)
	}
}

// unset takes the number of d away.
func (p *planes) unset(d uint32) {
	if _, ok := p.get(d); !ok {
		return
	}
	c := p.chunk(d)
	at := d % chunkSize
	c.present[at/64] &^= 1 << (at % 64)
	p.n--
}

// widen lays the chunk out anew so that n has room too.
func (c *planeChunk) widen(n int64) {
	old := *c
	lo, hi := n, n
	for at := range uint32(chunkSize) {
		if v, ok := old.get(at); ok {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	// Of the bases that need no more bits the roundest, so that bounds look the
	// same in all chunks.
	c.width = bits.Len64(uint64(hi) - uint64(lo))
	c.base = lo
	for zeros := c.width; zeros > 0; zeros-- {
		if round := lo >> zeros << zeros; zeros < 64 && bits.Len64(uint64(hi)-uint64(round)) <= c.width {
			c.base = round
			break
		}
	}
	c.words = make([]uint64, chunkGroups*c.width)
	for at := range uint32(chunkSize) {
		v, ok := old.get(at)
		if !ok {
			continue
		}
		offset := uint64(v) - uint64(c.base)
		words := c.words[int(at/64)*c.width:]
		for i := range c.width {
			words[i] |= offset >> i & 1 << (at % 64)
		}
	}
}

// pin is the planes as they are, for a reader; the writer's lock must be held.
func (p *planes) pin() *planes {
	out := &planes{chunks: append([]*planeChunk(nil), p.chunks...), n: p.n}
	p.epoch++
	return out
}

// within writes who in a block has a number from lo to hi, both included.
func (p *planes) within(block int, lo, hi int64, out *[blockWords]uint64) {
	for i := range out {
		out[i] = math.MaxUint64
	}
	p.narrow(block, lo, hi, out)
}

// narrow keeps of w, in a block, who has a number from lo to hi, both included,
// and reports whether there may be any.
func (p *planes) narrow(block int, lo, hi int64, w *[blockWords]uint64) bool {
	some := false
	for i := range chunksBlock {
		part := (*[chunkGroups]uint64)(w[i*chunkGroups:])
		at := block*chunksBlock + i
		if at >= len(p.chunks) || p.chunks[at] == nil {
			clear(part[:])
			continue
		}
		some = p.chunks[at].narrow(lo, hi, part) || some
	}
	return some
}

func (c *planeChunk) narrow(lo, hi int64, w *[chunkGroups]uint64) bool {
	top := uint64(math.MaxUint64)
	if c.width < 64 {
		top = 1<<c.width - 1
	}
	if lo > hi || hi < c.base || lo > c.base && uint64(lo)-uint64(c.base) > top {
		clear(w[:])
		return false
	}
	from, to := uint64(0), top
	if lo > c.base {
		from = uint64(lo) - uint64(c.base)
	}
	if hi >= c.base {
		to = min(top, uint64(hi)-uint64(c.base))
	}
	switch {
	case from == 0 && to == top:
		for g := range w {
			w[g] &= c.present[g]
		}
	case from == 0:
		c.above(to, w, math.MaxUint64)
	case to == top:
		c.above(from-1, w, 0)
	default:
		c.between(from, to, w)
	}
	return true
}

// above keeps offsets above a bound, or where turned is all ones those that are
// not. It goes from the lowest bit up: an offset is above where its bit is 1 and
// the bound's is 0, or where the bits are equal and it was above so far. The
// lowest bits of the bound that are 1 make no difference. Four groups at a time
// keep the processor busy; those of which nobody is asked about are left out.
func (c *planeChunk) above(bound uint64, w *[chunkGroups]uint64, turned uint64) {
	width := c.width
	skip := min(bits.TrailingZeros64(^bound), width)
	var room [64]bool
	one := room[:width-skip]
	for i := range one {
		one[i] = bound>>(skip+i)&1 != 0
	}
	for g := 0; g < chunkGroups; g += 4 {
		if w[g]|w[g+1]|w[g+2]|w[g+3] == 0 {
			continue
		}
		w1 := c.words[g*width+skip:][:len(one)]
		w2 := c.words[(g+1)*width+skip:][:len(one)]
		w3 := c.words[(g+2)*width+skip:][:len(one)]
		w4 := c.words[(g+3)*width+skip:][:len(one)]
		var a1, a2, a3, a4 uint64
		for i := range one {
			if one[i] {
				a1, a2, a3, a4 = a1&w1[i], a2&w2[i], a3&w3[i], a4&w4[i]
			} else {
				a1, a2, a3, a4 = a1|w1[i], a2|w2[i], a3|w3[i], a4|w4[i]
			}
		}
		w[g] &= c.present[g] & (a1 ^ turned)
		w[g+1] &= c.present[g+1] & (a2 ^ turned)
		w[g+2] &= c.present[g+2] & (a3 ^ turned)
		w[g+3] &= c.present[g+3] & (a4 ^ turned)
	}
}

// between keeps offsets above from−1 and not above to, where from is not 0, in
// one pass.
func (c *planeChunk) between(from, to uint64, w *[chunkGroups]uint64) {
	width := c.width
	from--
	skip := min(bits.TrailingZeros64(^from), bits.TrailingZeros64(^to), width)
	var room [64]uint8
	steps := room[:width-skip]
	for i := range steps {
		steps[i] = uint8(from>>(skip+i)&1 | to>>(skip+i)&1<<1)
	}
	for g := 0; g < chunkGroups; g += 4 {
		if w[g]|w[g+1]|w[g+2]|w[g+3] == 0 {
			continue
		}
		w1 := c.words[g*width+skip:][:len(steps)]
		w2 := c.words[(g+1)*width+skip:][:len(steps)]
		w3 := c.words[(g+2)*width+skip:][:len(steps)]
		w4 := c.words[(g+3)*width+skip:][:len(steps)]
		var a1, a2, a3, a4, b1, b2, b3, b4 uint64 // above from−1, above to
		for i, step := range steps {
			x1, x2, x3, x4 := w1[i], w2[i], w3[i], w4[i]
			switch step {
			case 0:
				a1, a2, a3, a4 = a1|x1, a2|x2, a3|x3, a4|x4
				b1, b2, b3, b4 = b1|x1, b2|x2, b3|x3, b4|x4
			case 1:
				a1, a2, a3, a4 = a1&x1, a2&x2, a3&x3, a4&x4
				b1, b2, b3, b4 = b1|x1, b2|x2, b3|x3, b4|x4
			case 2:
				a1, a2, a3, a4 = a1|x1, a2|x2, a3|x3, a4|x4
				b1, b2, b3, b4 = b1&x1, b2&x2, b3&x3, b4&x4
			default:
				a1, a2, a3, a4 = a1&x1, a2&x2, a3&x3, a4&x4
				b1, b2, b3, b4 = b1&x1, b2&x2, b3&x3, b4&x4
			}
		}
		w[g] &= c.present[g] & a1 &^ b1
		w[g+1] &= c.present[g+1] & a2 &^ b2
		w[g+2] &= c.present[g+2] & a3 &^ b3
		w[g+3] &= c.present[g+3] & a4 &^ b4
	}
}

// has writes who in a block has a number at all.
func (p *planes) has(block int, out *[blockWords]uint64) {
	p.within(block, math.MinInt64, math.MaxInt64, out)
}

// bytes is the memory that the numbers take.
func (p *planes) bytes() int {
	n := 0
	for _, c := range p.chunks {
		if c != nil {
			n += 8*(chunkGroups+len(c.words)) + 48
		}
	}
	return n + 8*len(p.chunks)
}
