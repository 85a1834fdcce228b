package loyalty

import (
	"sync"
	"time"
)

// Where the store is in memory, the cache leaves the lots to it until a command
// asks for them: an award needs the sums alone, as long as nothing vests or
// falls due meanwhile. So most members take little room in the cache, and
// an award looks at little of it.

// shed leaves the lots to the store, unless they are wanted or hang on more
// than their own terms.
func (s *state) shed() {
	if s.lean || s.asked || len(s.holds) > 0 {
		return
	}
	for _, u := range s.units {
		if u.idle > 0 {
			return
		}
	}
	s.due()
	for _, u := range s.units {
		u.lots = nil
	}
	s.open, s.closed, s.fresh, s.dirtyLots, s.dirtyHolds = lotSet{}, lotSet{}, nil, nil, nil
	s.lean = true
}

// tells reports whether the account without its lots tells what it is like at an instant.
func (s *state) tells(at time.Time) bool {
	if !s.lean {
		return true
	}
	if !s.next.After(at) {
		return false
	}
	for _, u := range s.units {
		if !u.right(at) {
			return false
		}
	}
	return true
}

// takes reports whether the account without its lots can tell what it is like
// after an award.
func (s *state) takes(t *Transaction) bool {
	if !s.lean {
		return true
	}
	if len(t.Opens) > maxFresh || !s.tells(t.Recorded) {
		return false
	}
	for i := range t.Opens {
		l := &t.Opens[i]
		u := s.findUnit(l.Unit)
		if u == nil || l.Policy.idle() || !l.Expires.After(t.Recorded) ||
			l.UsableFrom.After(u.asOf) && !l.UsableFrom.After(t.Recorded) {
			return false
		}
	}
	return true
}

// lots that were opened in accounts that do not keep them.
var passing = sync.Pool{New: func() any { return new(Lot) }}

// room is room for a lot that a transaction opens.
func (s *state) room() *Lot {
	if s.lean {
		return passing.Get().(*Lot)
	}
	return new(Lot)
}

// posted forgets the rows that a posting has taken over.
func (s *state) posted() {
	if s.lean {
		for _, l := range s.dirtyLots {
			passing.Put(l)
		}
	}
	s.dirtyLots, s.dirtyHolds = s.dirtyLots[:0], s.dirtyHolds[:0]
}

// ahead looks at an account's lines of memory in one go. They lie apart, mostly
// out of the processor's caches, and asked for together they come together.
func (s *state) ahead() int {
	u := &s.only
	return int(s.Seq) + s.Holds + len(s.units) + int(u.Debt) + len(u.lots) + int(u.held) + len(s.fresh) + len(s.dirtyHolds)
}
