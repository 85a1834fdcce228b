package segment

import "sync"

// turnLog remembers when customers entered and exited a segment. For one
// customer the instants never run backwards. The writer only appends; who asks
// about a customer first sees to it that the entries are chained.
type turnLog struct {
	pieces [][]turnEntry
	n      uint32

	mu      sync.Mutex // held to chain: readers beside each other may want to
	chained uint32
	last    paged[uint32] // the customer's latest chained entry plus one
}

type turnEntry struct {
	at   int64
	d    uint32
	prev uint32 // the customer's entry before plus one, 0 for none, doubled; odd for one who entered
}

const turnPiece = 4096

func (l *turnLog) entry(i uint32) *turnEntry { return &l.pieces[i/turnPiece][i%turnPiece] }

func (t *turnEntry) in() bool { return t.prev&1 != 0 }

// add notes that d entered or exited.
func (l *turnLog) add(d uint32, at int64, in bool) {
	if int(l.n/turnPiece) == len(l.pieces) {
		l.pieces = append(l.pieces, make([]turnEntry, 0, turnPiece))
	}
	piece := &l.pieces[l.n/turnPiece]
	t := turnEntry{at: at, d: d}
	if in {
		t.prev = 1
	}
	*piece = append(*piece, t)
	l.n++
	if l.n%turnPiece == 0 {
		l.chain()
	}
}

// chain ties the entries since to those of the same customer before.
func (l *turnLog) chain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.chained < l.n {
		piece := l.pieces[l.chained/turnPiece]
		for i := l.chained % turnPiece; i < uint32(len(piece)); i++ {
			t := &piece[i]
			l.chained++
			if t.at == always { // forgotten meanwhile
				continue
			}
			place := l.last.at(t.d)
			t.prev |= *place << 1
			*place = l.chained
		}
	}
}

// newest is the customer's latest entry plus one, 0 for none.
func (l *turnLog) newest(d uint32) uint32 {
	l.chain()
	return l.last.get(d)
}

// latest is when d turned last.
func (l *turnLog) latest(d uint32) (at int64, ok bool) {
	if i := l.newest(d); i != 0 {
		return l.entry(i - 1).at, true
	}
	return 0, false
}

// contains reports whether d was a member at the instant.
func (l *turnLog) contains(d uint32, at int64) bool {
	for i := l.newest(d); i != 0; {
		t := l.entry(i - 1)
		if t.at <= at {
			return t.in()
		}
		i = t.prev >> 1
	}
	return false
}

// instants lists when d turned, entering first.
func (l *turnLog) instants(d uint32) []int64 {
	var out []int64
	for i := l.newest(d); i != 0; {
		t := l.entry(i - 1)
		out = append(out, t.at)
		i = t.prev >> 1
	}
	for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	return out
}

// forget loses what is known of d.
func (l *turnLog) forget(d uint32) {
	newest := l.newest(d)
	for i := newest; i != 0; {
		t := l.entry(i - 1)
		i = t.prev >> 1
		*t = turnEntry{at: always}
	}
	if newest != 0 {
		*l.last.at(d) = 0
	}
}

// membersAt takes what changed after an instant out of the members of now.
func (l *turnLog) membersAt(now *set, at int64) *set {
	l.chain() // which others beside this may be at
	changed := &bitmap{}
	was := &bitmap{}
	for _, piece := range l.pieces {
		for _, t := range piece {
			if t.at > at && changed.set(t.d, true) && l.contains(t.d, at) {
				was.set(t.d, true)
			}
		}
	}
	return combineSets(opOr, combineSets(opAndNot, now, changed.snapshot()), was.snapshot())
}

// bytes is the memory that it takes.
func (l *turnLog) bytes() int { return 16*turnPiece*len(l.pieces) + l.last.bytes(4) }
