package segment

// turnLog remembers when customers entered and exited a segment. For one
// customer the instants never run backwards.
type turnLog struct {
	pieces [][]turnEntry
	n      uint32
	last   paged[uint32] // the customer's latest entry plus one
}

type turnEntry struct {
	at   int64
	d    uint32
	prev uint32 // the customer's entry before plus one, 0 for none
	in   bool
}

const turnPiece = 4096

func (l *turnLog) entry(i uint32) *turnEntry { return &l.pieces[i/turnPiece][i%turnPiece] }

// add notes that d entered or exited.
func (l *turnLog) add(d uint32, at int64, in bool) {
	if int(l.n/turnPiece) == len(l.pieces) {
		l.pieces = append(l.pieces, make([]turnEntry, 0, turnPiece))
	}
	place := l.last.at(d)
	piece := &l.pieces[l.n/turnPiece]
	*piece = append(*piece, turnEntry{at, d, *place, in})
	l.n++
	*place = l.n
}

// latest is when d turned last.
func (l *turnLog) latest(d uint32) (at int64, ok bool) {
	if i := l.last.get(d); i != 0 {
		return l.entry(i - 1).at, true
	}
	return 0, false
}

// contains reports whether d was a member at the instant.
func (l *turnLog) contains(d uint32, at int64) bool {
	for i := l.last.get(d); i != 0; {
		e := l.entry(i - 1)
		if e.at <= at {
			return e.in
		}
		i = e.prev
	}
	return false
}

// instants lists when d turned, entering first.
func (l *turnLog) instants(d uint32) []int64 {
	var out []int64
	for i := l.last.get(d); i != 0; {
		e := l.entry(i - 1)
		out = append(out, e.at)
		i = e.prev
	}
	for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	return out
}

// forget loses what is known of d.
func (l *turnLog) forget(d uint32) {
	for i := l.last.get(d); i != 0; {
		e := l.entry(i - 1)
		i = e.prev
		*e = turnEntry{at: always}
	}
	if l.last.get(d) != 0 {
		*l.last.at(d) = 0
	}
}

// membersAt takes what changed after an instant out of the members of now.
func (l *turnLog) membersAt(now *set, at int64) *set {
	changed := &bitmap{}
	was := &bitmap{}
	for _, piece := range l.pieces {
		for _, e := range piece {
			if e.at > at && changed.set(e.d, true) && l.contains(e.d, at) {
				was.set(e.d, true)
			}
		}
	}
	return combineSets(opOr, combineSets(opAndNot, now, changed.snapshot()), was.snapshot())
}
