package segment

import (
	"math/bits"
	"slices"
)

// A set of dense numbers is cut into blocks of 65,536, each of which is a
// sorted array while it has few members and words of bits otherwise, as in
// roaring bitmaps. The blocks are our own because evaluation runs fused over
// the words of many sets, and because a writer replaces single blocks under
// readers that hold the others.
const (
	blockBits  = 16
	blockSize  = 1 << blockBits
	blockWords = blockSize / 64
	arrayMax   = 512 // members up to which a block is an array
)

// block is the part of a set in one range of numbers. A nil block is empty.
// Exactly one of words and array is used.
type block struct {
	words *[blockWords]uint64
	array []uint16
	n     int
	epoch uint64 // of the bitmap that may write to the words in place
}

func (b *block) has(low uint16) bool {
	switch {
	case b == nil:
		return false
	case b.words != nil:
		return b.words[low>>6]&(1<<(low&63)) != 0
	}
	_, ok := slices.BinarySearch(b.array, low)
	return ok
}

func (b *block) len() int {
	if b == nil {
		return 0
	}
	return b.n
}

// fill writes the block as words.
func (b *block) fill(words *[blockWords]uint64) {
	switch {
	case b == nil:
		clear(words[:])
	case b.words != nil:
		*words = *b.words
	default:
		clear(words[:])
		for _, low := range b.array {
			words[low>>6] |= 1 << (low & 63)
		}
	}
}

// blockOf packs words into a block, nil for none. It keeps the words it is
// given only where keep says so.
func blockOf(words *[blockWords]uint64, keep bool) *block {
	n := onesOf(words)
	switch {
	case n == 0:
		return nil
	case n <= arrayMax:
		array := make([]uint16, 0, n)
		for i, w := range words {
			for ; w != 0; w &= w - 1 {
				array = append(array, uint16(i<<6+bits.TrailingZeros64(w)))
			}
		}
		return &block{array: array, n: n}
	case !keep:
		own := *words
		words = &own
	}
	return &block{words: words, n: n}
}

// set is an immutable set of dense numbers. Its last block is not nil.
type set struct {
	blocks []*block
	n      int
}

func (s *set) has(d uint32) bool {
	i := int(d >> blockBits)
	return i < len(s.blocks) && s.blocks[i].has(uint16(d))
}

func (s *set) block(i int) *block {
	if i < len(s.blocks) {
		return s.blocks[i]
	}
	return nil
}

// each calls f for the members in ascending order until it returns false.
func (s *set) each(f func(d uint32) bool) bool {
	for i, b := range s.blocks {
		if !b.each(func(low uint16) bool { return f(uint32(i)<<blockBits | uint32(low)) }) {
			return false
		}
	}
	return true
}

func (b *block) each(f func(low uint16) bool) bool {
	switch {
	case b == nil:
	case b.words != nil:
		for i, w := range b.words {
			for ; w != 0; w &= w - 1 {
				if !f(uint16(i<<6 + bits.TrailingZeros64(w))) {
					return false
				}
			}
		}
	default:
		for _, low := range b.array {
			if !f(low) {
				return false
			}
		}
	}
	return true
}

// setOp is a set operation of two.
type setOp uint8

const (
	opAnd setOp = iota
	opOr
	opAndNot
	opXor
)

// combineSets makes the set of op.
func combineSets(op setOp, a, b *set) *set {
	out := &set{blocks: make([]*block, max(len(a.blocks), len(b.blocks)))}
	for i := range out.blocks {
		out.blocks[i] = combineBlocks(op, a.block(i), b.block(i))
		out.n += out.blocks[i].len()
	}
	for len(out.blocks) > 0 && out.blocks[len(out.blocks)-1] == nil {
		out.blocks = out.blocks[:len(out.blocks)-1]
	}
	return out
}

func combineBlocks(op setOp, a, b *block) *block {
	switch {
	case a == nil && (op == opAnd || op == opAndNot), b == nil && op == opAnd:
		return nil
	case a == nil:
		return b
	case b == nil:
		return a
	case a.words == nil && (op == opAnd || op == opAndNot):
		return arrayBlock(filterArray(a.array, b, op == opAnd))
	case b.words == nil && op == opAnd:
		return arrayBlock(filterArray(b.array, a, true))
	}
	var x, y [blockWords]uint64
	a.fill(&x)
	bw := b.words
	if bw == nil {
		b.fill(&y)
		bw = &y
	}
	switch op {
	case opAnd:
		for i := range x {
			x[i] &= bw[i]
		}
	case opOr:
		for i := range x {
			x[i] |= bw[i]
		}
	case opAndNot:
		for i := range x {
			x[i] &^= bw[i]
		}
	case opXor:
		for i := range x {
			x[i] ^= bw[i]
		}
	}
	return blockOf(&x, false)
}

func filterArray(array []uint16, by *block, keep bool) []uint16 {
	out := make([]uint16, 0, len(array))
	for _, low := range array {
		if by.has(low) == keep {
			out = append(out, low)
		}
	}
	return out
}

func arrayBlock(array []uint16) *block {
	if len(array) == 0 {
		return nil
	}
	return &block{array: array, n: len(array)}
}

// countAnd counts the members that two sets share, without making the set.
func countAnd(a, b *set) int {
	n := 0
	for i := range min(len(a.blocks), len(b.blocks)) {
		n += countAndBlocks(a.blocks[i], b.blocks[i])
	}
	return n
}

func countAndBlocks(a, b *block) int {
	switch {
	case a == nil || b == nil:
		return 0
	case a.words != nil && b.words != nil:
		return onesOfAnd(a.words, b.words)
	case a.words != nil:
		a, b = b, a
	}
	n := 0
	for _, low := range a.array {
		if b.has(low) {
			n++
		}
	}
	return n
}

// countOf counts what op would make, by inclusion and exclusion.
func countOf(op setOp, a, b *set) int {
	both := countAnd(a, b)
	switch op {
	case opAnd:
		return both
	case opOr:
		return a.n + b.n - both
	case opAndNot:
		return a.n - both
	}
	return a.n + b.n - 2*both
}

// setOf makes a set of numbers in ascending order.
func setOf(ascending []uint32) *set {
	out := &set{}
	for i := 0; i < len(ascending); {
		at := int(ascending[i] >> blockBits)
		j := i
		for j < len(ascending) && int(ascending[j]>>blockBits) == at {
			j++
		}
		for len(out.blocks) < at {
			out.blocks = append(out.blocks, nil)
		}
		var b *block
		if j-i <= arrayMax {
			array := make([]uint16, j-i)
			for k, d := range ascending[i:j] {
				array[k] = uint16(d)
			}
			b = arrayBlock(array)
		} else {
			words := new([blockWords]uint64)
			for _, d := range ascending[i:j] {
				words[uint16(d)>>6] |= 1 << (d & 63)
			}
			b = &block{words: words, n: j - i}
		}
		out.blocks = append(out.blocks, b)
		out.n += j - i
		i = j
	}
	return out
}
