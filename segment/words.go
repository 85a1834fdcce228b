package segment

import "math/bits"

// fuse intersects sets, of which some are turned around, in one pass over a
// block, and counts. out may be nil.
func (q *query) fuse(i int, sets []bySet, out *words) int {
	var pos, neg [fuseMax]*words
	var posArray, negArray [fuseMax]*block
	np, nn, npa, nna := 0, 0, 0, 0
	for _, s := range sets {
		switch b := s.set.block(i); {
		case s.without && b == nil:
		case b == nil:
			if out != nil {
				clear(out[:])
			}
			return 0
		case s.without && b.words != nil:
			neg[nn] = b.words
			nn++
		case s.without:
			negArray[nna] = b
			nna++
		case b.words != nil:
			pos[np] = b.words
			np++
		default:
			posArray[npa] = b
			npa++
		}
	}
	if np+npa == 0 {
		var room words
		q.everyone(i, &room)
		pos[0], np = &room, 1
	}
	passes := func(low uint16) bool {
		word, bit := low>>6, uint64(1)<<(low&63)
		for _, w := range pos[:np] {
			if w[word]&bit == 0 {
				return false
			}
		}
		for _, w := range neg[:nn] {
			if w[word]&bit != 0 {
				return false
			}
		}
		return true
	}
	n := 0
	if npa > 0 { // few can pass
		if out != nil {
			clear(out[:])
		}
		for _, low := range posArray[0].array {
			if !passes(low) || !inAll(posArray[1:npa], low) || inAny(negArray[:nna], low) {
				continue
			}
			n++
			if out != nil {
				out[low>>6] |= 1 << (low & 63)
			}
		}
		return n
	}
	n = fuseWords(pos[:np], neg[:nn], out)
	if out == nil && nna == 1 && np <= 2 && nn == 0 {
		// The common case without a branch: those of two sets in the array.
		a, b := pos[0], pos[max(np, 1)-1]
		for _, low := range negArray[0].array {
			word := low >> 6
			n -= int(a[word] & b[word] >> (low & 63) & 1)
		}
		return n
	}
	for k, b := range negArray[:nna] {
		for _, low := range b.array {
			if !passes(low) || inAny(negArray[:k], low) {
				continue
			}
			n--
			if out != nil {
				out[low>>6] &^= 1 << (low & 63)
			}
		}
	}
	return n
}

// fuseMax is how many sets one pass takes, the mask included.
const fuseMax = 8

func inAll(blocks []*block, low uint16) bool {
	for _, b := range blocks {
		if !b.has(low) {
			return false
		}
	}
	return true
}

func inAny(blocks []*block, low uint16) bool {
	for _, b := range blocks {
		if b.has(low) {
			return true
		}
	}
	return false
}

// fuseWords intersects pos, of which there is at least one, without neg.
func fuseWords(pos, neg []*words, out *words) int {
	a, b := pos[0], pos[0]
	if len(pos) > 1 {
		b = pos[1]
	}
	c := &noWords
	if len(neg) > 0 {
		c = neg[0]
	}
	switch {
	case len(pos) <= 2 && len(neg) == 0 && out == nil:
		return onesOfAnd(a, b)
	case len(pos) <= 2 && len(neg) == 1 && out == nil:
		return onesOfAndNot(a, b, c)
	}
	var room words
	if out == nil {
		out = &room
	}
	for k := range a {
		out[k] = a[k] & b[k] &^ c[k]
	}
	for _, w := range pos[min(2, len(pos)):] {
		for k := range w {
			out[k] &= w[k]
		}
	}
	for _, w := range neg[min(1, len(neg)):] {
		for k := range w {
			out[k] &^= w[k]
		}
	}
	return onesOf(out)
}

var noWords words

// The loops that count take eight words at a time into four sums, which the
// processor adds up side by side.

func onesOf(a *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 8 {
		a8 := (*[8]uint64)(a[k:])
		n0 += bits.OnesCount64(a8[0]) + bits.OnesCount64(a8[4])
		n1 += bits.OnesCount64(a8[1]) + bits.OnesCount64(a8[5])
		n2 += bits.OnesCount64(a8[2]) + bits.OnesCount64(a8[6])
		n3 += bits.OnesCount64(a8[3]) + bits.OnesCount64(a8[7])
	}
	return n0 + n1 + n2 + n3
}

func onesOfAnd(a, b *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 8 {
		a8, b8 := (*[8]uint64)(a[k:]), (*[8]uint64)(b[k:])
		n0 += bits.OnesCount64(a8[0]&b8[0]) + bits.OnesCount64(a8[4]&b8[4])
		n1 += bits.OnesCount64(a8[1]&b8[1]) + bits.OnesCount64(a8[5]&b8[5])
		n2 += bits.OnesCount64(a8[2]&b8[2]) + bits.OnesCount64(a8[6]&b8[6])
		n3 += bits.OnesCount64(a8[3]&b8[3]) + bits.OnesCount64(a8[7]&b8[7])
	}
	return n0 + n1 + n2 + n3
}

func onesOfAndNot(a, b, c *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 8 {
		a8, b8, c8 := (*[8]uint64)(a[k:]), (*[8]uint64)(b[k:]), (*[8]uint64)(c[k:])
		n0 += bits.OnesCount64(a8[0]&b8[0]&^c8[0]) + bits.OnesCount64(a8[4]&b8[4]&^c8[4])
		n1 += bits.OnesCount64(a8[1]&b8[1]&^c8[1]) + bits.OnesCount64(a8[5]&b8[5]&^c8[5])
		n2 += bits.OnesCount64(a8[2]&b8[2]&^c8[2]) + bits.OnesCount64(a8[6]&b8[6]&^c8[6])
		n3 += bits.OnesCount64(a8[3]&b8[3]&^c8[3]) + bits.OnesCount64(a8[7]&b8[7]&^c8[7])
	}
	return n0 + n1 + n2 + n3
}

// intersect keeps of a who is in b and reports whether anyone is left.
func intersect(a, b *words) bool {
	left := uint64(0)
	for k := range a {
		a[k] &= b[k]
		left |= a[k]
	}
	return left != 0
}

// narrowBySet keeps of w who is in a block of a set, or who is not.
func narrowBySet(b *block, without bool, w *words) bool {
	switch {
	case b == nil && without:
		return true
	case b == nil:
		clear(w[:])
		return false
	case b.words != nil && without:
		return minus(w, b.words)
	case b.words != nil:
		return intersect(w, b.words)
	case without:
		for _, low := range b.array {
			w[low>>6] &^= 1 << (low & 63)
		}
		return true
	}
	// Few are left: take those out that are in w.
	var kept [arrayMax]uint16
	n := 0
	for _, low := range b.array {
		if w[low>>6]&(1<<(low&63)) != 0 {
			kept[n] = low
			n++
		}
	}
	clear(w[:])
	for _, low := range kept[:n] {
		w[low>>6] |= 1 << (low & 63)
	}
	return n > 0
}
