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
	// words has for every four groups, side by side, a word of each bit of an
	// offset, the lowest first: (*planeChunk).word.
	words []uint64
	epoch uint64
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
	for i := range c.width {
		offset |= (*c.word(group, i) >> bit & 1) << i
	}
	return c.base + int64(offset), true
}

// group reads the numbers of 64 neighbors at once; where has is 0 there is none.
func (c *planeChunk) group(group int, out *[64]int64) (has uint64) {
	has = c.present[group]
	if has == 0 {
		return 0
	}
	if c.width == 0 {
		for i := range out {
			out[i] = c.base
		}
		return has
	}
	words := c.words[group&^3*c.width+group&3:]
	var rows [8]uint64
	for i := range min(8, c.width) {
		rows[i] = words[4*i]
	}
	transpose(&rows)
	for i, row := range rows {
		lanes := (*[8]int64)(out[8*i:])
		lanes[0] = c.base + int64(row&0xFF)
		lanes[1] = c.base + int64(row>>8&0xFF)
		lanes[2] = c.base + int64(row>>16&0xFF)
		lanes[3] = c.base + int64(row>>24&0xFF)
		lanes[4] = c.base + int64(row>>32&0xFF)
		lanes[5] = c.base + int64(row>>40&0xFF)
		lanes[6] = c.base + int64(row>>48&0xFF)
		lanes[7] = c.base + int64(row>>56)
	}
	for from := 8; from < c.width; from += 8 {
		rows = [8]uint64{}
		for i := range min(8, c.width-from) {
			rows[i] = words[4*(from+i)]
		}
		transpose(&rows)
		for i, row := range rows {
			lanes := (*[8]int64)(out[8*i:])
			lanes[0] += int64(row & 0xFF << from)
			lanes[1] += int64(row >> 8 & 0xFF << from)
			lanes[2] += int64(row >> 16 & 0xFF << from)
			lanes[3] += int64(row >> 24 & 0xFF << from)
			lanes[4] += int64(row >> 32 & 0xFF << from)
			lanes[5] += int64(row >> 40 & 0xFF << from)
			lanes[6] += int64(row >> 48 & 0xFF << from)
			lanes[7] += int64(row >> 56 << from)
		}
	}
	return has
}

// transpose turns eight rows of 64 bits into 64 columns of eight: a byte each,
// the first in the lowest of rows[0]. It exchanges blocks of bytes across the
// rows, then blocks of bits within each.
func transpose(rows *[8]uint64) {
	for i := range 4 {
		t := (rows[i]>>32 ^ rows[i+4]) & (1<<32 - 1)
		rows[i] ^= t << 32
		rows[i+4] ^= t
	}
	for _, i := range [...]int{0, 1, 4, 5} {
		t := (rows[i]>>16 ^ rows[i+2]) & 0x0000_FFFF_0000_FFFF
		rows[i] ^= t << 16
		rows[i+2] ^= t
	}
	for i := 0; i < 8; i += 2 {
		t := (rows[i]>>8 ^ rows[i+1]) & 0x00FF_00FF_00FF_00FF
		rows[i] ^= t << 8
		rows[i+1] ^= t
	}
	for i, x := range rows {
		t := (x ^ x>>7) & 0x00AA_00AA_00AA_00AA
		x ^= t ^ t<<7
		t = (x ^ x>>14) & 0x0000_CCCC_0000_CCCC
		x ^= t ^ t<<14
		t = (x ^ x>>28) & 0x0000_0000_F0F0_F0F0
		rows[i] = x ^ t ^ t<<28
	}
}

// word is that of a bit of the offsets of a group.
func (c *planeChunk) word(group, bit int) *uint64 {
	return &c.words[(group&^3*c.width)+bit*4+group&3]
}

// group reads the numbers of the 64 neighbors of d at once, and says who has one.
func (p *planes) group(d uint32, out *[64]int64) (has uint64) {
	i := int(d >> chunkBits)
	if i >= len(p.chunks) || p.chunks[i] == nil {
		return 0
	}
	return p.chunks[i].group(int(d%chunkSize/64), out)
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
	for i := range c.width {
		w := c.word(group, i)
		*w = *w&^(1<<bit) | (offset >> i & 1 << bit)
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
		for i := range c.width {
			*c.word(int(at/64), i) |= offset >> i & 1 << (at % 64)
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
func (p *planes) within(block int, lo, hi int64, out *[blockWords]uint64) bool {
	for i := range out {
		out[i] = math.MaxUint64
	}
	return p.narrow(block, lo, hi, out)
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
	var lower, upper bitBound
	if from > 0 {
		lower = boundOf(from-1, c.width)
	}
	if to < top {
		upper = boundOf(to, c.width)
	}
	for g := 0; g < chunkGroups; g += 4 {
		four, present := (*[4]uint64)(w[g:]), (*[4]uint64)(c.present[g:])
		if four[0]|four[1]|four[2]|four[3] == 0 {
			continue // nobody is asked about
		}
		four[0], four[1], four[2], four[3] = four[0]&present[0], four[1]&present[1], four[2]&present[2], four[3]&present[3]
		words := c.words[g*c.width:][:4*c.width]
		if from > 0 {
			a1, a2, a3, a4 := lower.above(words)
			four[0], four[1], four[2], four[3] = four[0]&a1, four[1]&a2, four[2]&a3, four[3]&a4
		}
		if to < top {
			a1, a2, a3, a4 := upper.above(words)
			four[0], four[1], four[2], four[3] = four[0]&^a1, four[1]&^a2, four[2]&^a3, four[3]&^a4
		}
	}
	return true
}

// bitBound is a bound made ready for comparison with offsets of some width.
type bitBound struct {
	skip  int // its lowest bits, all 1, make no difference
	odd   bool
	n     int
	pairs [32]uint8 // the bits after those, and after one more if odd, two by two
}

func boundOf(bound uint64, width int) (b bitBound) {
	b.skip = min(bits.TrailingZeros64(^bound), width)
	at := b.skip
	if b.odd = (width-at)%2 == 1; b.odd {
		at++
	}
	for ; at < width; at += 2 {
		b.pairs[b.n] = uint8(bound >> at & 3)
		b.n++
	}
	return b
}

// above marks the offsets of four groups that lie above the bound. It goes from
// the lowest bit up: an offset is above where its bit is 1 and the bound's is 0,
// or where the bits are equal and it was above so far. So a bit is one operation
// on a word. The first bit that counts is 0 in the bound.
func (b *bitBound) above(words []uint64) (a1, a2, a3, a4 uint64) {
	words = words[4*b.skip:]
	if b.odd {
		a1, a2, a3, a4 = words[0], words[1], words[2], words[3]
		words = words[4:]
	}
	for _, pair := range b.pairs[:b.n] {
		if len(words) < 8 {
			break // never, but the compiler knows then
		}
		x := (*[8]uint64)(words)
		words = words[8:]
		switch pair {
		case 0:
			a1, a2, a3, a4 = a1|x[0]|x[4], a2|x[1]|x[5], a3|x[2]|x[6], a4|x[3]|x[7]
		case 1:
			a1, a2, a3, a4 = a1&x[0]|x[4], a2&x[1]|x[5], a3&x[2]|x[6], a4&x[3]|x[7]
		case 2:
			a1, a2, a3, a4 = (a1|x[0])&x[4], (a2|x[1])&x[5], (a3|x[2])&x[6], (a4|x[3])&x[7]
		default:
			a1, a2, a3, a4 = a1&x[0]&x[4], a2&x[1]&x[5], a3&x[2]&x[6], a4&x[3]&x[7]
		}
	}
	return a1, a2, a3, a4
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
