package loyalty

import (
	"strings"
	"time"
)

// Lot is what one award put into one account. It keeps its terms wherever it
// moves: a transferred part has the same ID in the receiving account. At all times
//
//	Original = Remaining + Redeemed + Expired + Clawed + Transferred + Adjusted
//
// and none of them is negative.
type Lot struct {
	Account string `json:"account"`
	ID      string `json:"id"`
	Unit    Unit   `json:"unit"`
	// Opened is the key of the transaction that brought the lot into this account.
	Opened string `json:"opened"`
	Terms

	Original    int64 `json:"original"`              // what came in
	Remaining   int64 `json:"remaining"`             // what is still there, held or not
	Held        int64 `json:"held,omitempty"`        // the part of Remaining that holds pin
	Redeemed    int64 `json:"redeemed,omitempty"`    // spent
	Expired     int64 `json:"expired,omitempty"`     // lost by time
	Clawed      int64 `json:"clawed,omitempty"`      // taken back by a return, a reversal or an old debt
	Transferred int64 `json:"transferred,omitempty"` // gone to other accounts and not come back
	Adjusted    int64 `json:"adjusted,omitempty"`    // taken by hand

	// BasisReturned and Returned are the part of Basis whose return was posted
	// and the points that it took back, from wherever they came.
	BasisReturned int64 `json:"basis_returned,omitempty"`
	Returned      int64 `json:"returned,omitempty"`

	// Moved is the latest effective instant of what was done to the lot. What is
	// done later, backdated or not, does not count before it: so the books are
	// in order as of every instant.
	Moved time.Time `json:"moved"`
}

// Terms are the conditions of a lot.
type Terms struct {
	// EarnedAt is when it was earned; it orders the consumption of lots that
	// expire together.
	EarnedAt time.Time `json:"earned_at"`
	// UsableFrom ends the pending time; [Forever] is "until vested".
	UsableFrom time.Time `json:"usable_from"`
	// Expires is the exclusive instant of expiry; [Forever] is never. For an
	// idle policy it is only what an extension granted: the lot lives until
	// the later of it and of what activity gives.
	Expires time.Time `json:"expires"`
	// Policy is the expiry policy that the lot was earned under.
	Policy Expiry `json:"policy,omitzero"`
	// UnitCost is what one of the unit costs the program, in millionths of the
	// currency's minor unit.
	UnitCost int64 `json:"unit_cost,omitempty"`
	// Order and Line name the source.
	Order string `json:"order,omitempty"`
	Line  string `json:"line,omitempty"`
	// Basis is what the award was earned on, in minor units or pieces: returns
	// take back the part that is returned of it.
	Basis int64 `json:"basis,omitempty"`
	// Rule is the rule, with its version, that gave the award.
	Rule string `json:"rule,omitempty"`
	// Origin is the account that earned the lot.
	Origin string `json:"origin"`
}

// free is what is neither spent nor pinned.
func (l *Lot) free() int64 { return l.Remaining - l.Held }

// counter is where the lot counts what went to book b.
func (l *Lot) counter(b Book) *int64 {
	switch b {
	case BookRedeemed:
		return &l.Redeemed
	case BookExpired:
		return &l.Expired
	case BookAdjusted:
		return &l.Adjusted
	case BookMember, BookPool:
		return &l.Transferred
	}
	return &l.Clawed
}

// expiry is the instant of expiry in force, given the latest activity.
func (l *Lot) expiry(activity time.Time, zone *time.Location) time.Time {
	if !l.Policy.idle() {
		return l.Expires
	}
	start := l.EarnedAt
	if l.Policy.Clock == ClockUsable {
		start = l.UsableFrom
	}
	if activity.After(start) {
		start = activity
	}
	if e := l.Policy.Instant(start, zone); e.After(l.Expires) {
		return e
	}
	return l.Expires
}

// slot is an open lot in its place in the order of consumption: by expiry,
// then time of earning, then ID.
type slot struct {
	expires time.Time
	lot     *Lot
}

func compareSlots(a, b slot) int {
	if c := a.expires.Compare(b.expires); c != 0 {
		return c
	}
	if c := a.lot.EarnedAt.Compare(b.lot.EarnedAt); c != 0 {
		return c
	}
	return strings.Compare(a.lot.ID, b.lot.ID)
}

// Reservation is what a [Hold] sets aside for a later capture. It pins lots: nothing else
// can spend them. A pinned part outlives its lot's expiry until the hold ends;
// what is then released of an expired lot expires at that instant. At all times
//
//	Amount = Captured + Released + the sum of Pins
type Reservation struct {
	Account  string    `json:"account"`
	Key      string    `json:"key"` // of the [Hold] that placed it
	Unit     Unit      `json:"unit"`
	Amount   int64     `json:"amount"`
	Captured int64     `json:"captured,omitempty"`
	Released int64     `json:"released,omitempty"`
	Until    time.Time `json:"until"`          // exclusive; Forever is no time-out
	Pins     []Pin     `json:"pins,omitempty"` // by lot
}

// Pin is the part of a lot that a hold sets aside.
type Pin struct {
	Lot    string `json:"lot"`
	Amount int64  `json:"amount"`
}

// Open is what the hold still sets aside.
func (h *Reservation) Open() int64 { return h.Amount - h.Captured - h.Released }

// indexFrom is the number of lots from which a search by ID pays for an index.
const indexFrom = 128

// lotSet finds lots by ID: a few by the hashes of their IDs, which lie side by
// side, many by an index.
type lotSet struct {
	lots   []*Lot
	hashes []uint32
	index  map[string]int
}

func (s *lotSet) find(id string) int {
	if s.index != nil {
		if i, ok := s.index[id]; ok {
			return i
		}
		return -1
	}
	if len(s.lots) == 0 {
		return -1
	}
	hash := uint32(hashOf(id))
	for i := len(s.hashes) - 1; i >= 0; i-- {
		if s.hashes[i] == hash && s.lots[i].ID == id {
			return i
		}
	}
	return -1
}

func (s *lotSet) put(id string, l *Lot) {
	s.lots = append(s.lots, l)
	switch {
	case s.index != nil:
		s.index[id] = len(s.lots) - 1
	case len(s.lots) == indexFrom:
		s.index = make(map[string]int, 2*indexFrom)
		for i, l := range s.lots {
			s.index[l.ID] = i
		}
		s.hashes = nil
	default:
		s.hashes = append(s.hashes, uint32(hashOf(id)))
	}
}

func (s *lotSet) remove(i int) {
	last := len(s.lots) - 1
	if s.index != nil {
		delete(s.index, s.lots[i].ID)
		if i < last {
			s.index[s.lots[last].ID] = i
		}
	} else {
		s.hashes[i] = s.hashes[last]
		s.hashes = s.hashes[:last]
	}
	s.lots[i] = s.lots[last]
	clear(s.lots[last:])
	s.lots = s.lots[:last]
}

// clear removes all lots and keeps the room.
func (s *lotSet) clear() {
	clear(s.lots)
	s.lots, s.hashes, s.index = s.lots[:0], s.hashes[:0], nil
}
