package loyalty

import (
	"slices"
	"time"
)

// state is an account as the ledger works on it. Every change goes through
// apply, so that what a command decides, what a read folds and what Verify
// recomputes cannot differ.
type state struct {
	// First what every command looks at, side by side.
	Account
	zone  *time.Location
	units []*unitState
	// home is where a store in memory has the account.
	home *memoryAccount
	// next is the instant at which the next lot expires or hold times out,
	// where dated says so.
	next  time.Time
	dated bool
	// lean says that the lots are left to the store: only the sums are here.
	lean bool
	// asked says that a command wanted the lots.
	asked bool
	// cached is set while the state is in a lane's cache, busy while a batch
	// works on it then.
	cached, busy bool
	// current says that a batch knows it to be as the store has it; one that
	// comes from the cache may be behind another process.
	current bool
	// Most accounts have one unit: here is its room.
	first [1]*unitState
	only  unitState

	// fresh are lots that the transaction at hand opens.
	fresh      []*Lot
	dirtyLots  []*Lot
	dirtyHolds []*Reservation

	holds []*Reservation
	// open finds the lots of all units by ID; closed keeps the lots with nothing
	// remaining that a batch of commands touches.
	open   lotSet
	closed lotSet
}

// unitState is what an account has of one unit.
type unitState struct {
	Standing
	idle int    // how many lots have an idle policy
	kept bool   // the standing has a row, even if there is nothing in it any more
	lots []slot // open lots, in the order of consumption

	// Sums over the open lots as of an instant, and right from the last vesting
	// until the next. They do not look at expiry: whoever reads them settles what
	// is due first.
	usable, pending, held int64
	asOf, vested, vests   time.Time
}

func newState(id string, kind AccountKind, zone *time.Location) *state {
	return &state{Account: Account{ID: id, Kind: kind, Due: Forever}, zone: zone}
}

// load builds the state of an account from what a store keeps.
func load(c Contents, zone *time.Location) *state {
	s := &state{Account: c.Account, zone: zone, home: c.home}
	s.Account.Standings = nil
	for _, st := range c.Standings {
		u := s.addUnit(st.Unit)
		u.Standing, u.kept = st, true
	}
	s.sortUnits()
	for i := range c.Lots {
		u := s.unit(c.Lots[i].Unit)
		s.open.put(c.Lots[i].ID, &c.Lots[i])
		u.insert(&c.Lots[i], zone)
	}
	for i := range c.Holds {
		s.holds = append(s.holds, &c.Holds[i])
	}
	for _, u := range s.units {
		slices.SortFunc(u.lots, compareSlots)
		u.recount(time.Time{})
	}
	return s
}

// clone is a deep copy, for work that may come to nothing.
func (s *state) clone() *state {
	c := &state{Account: s.Account, zone: s.zone, asked: s.asked, current: s.current, home: s.home}
	for _, u := range s.units {
		v := *u
		v.lots = make([]slot, len(u.lots))
		for i, sl := range u.lots {
			lot := *sl.lot
			v.lots[i] = slot{sl.expires, &lot}
			c.open.put(lot.ID, &lot)
		}
		c.units = append(c.units, &v)
	}
	for _, h := range s.holds {
		c.holds = append(c.holds, copyHold(h))
	}
	for _, l := range s.closed.lots {
		lot := *l
		c.closed.put(lot.ID, &lot)
	}
	return c
}

func copyHold(h *Reservation) *Reservation {
	c := *h
	c.Pins = slices.Clone(h.Pins)
	return &c
}

func (s *state) findUnit(unit Unit) *unitState {
	for _, u := range s.units {
		if u.Unit == unit {
			return u
		}
	}
	return nil
}

// unit is the account's figures of a unit, made where there are none.
func (s *state) unit(unit Unit) *unitState {
	if u := s.findUnit(unit); u != nil {
		return u
	}
	u := s.addUnit(unit)
	s.sortUnits()
	return u
}

func (s *state) addUnit(unit Unit) *unitState {
	u := &s.only
	if len(s.units) == 0 {
		s.units = s.first[:0]
	} else {
		u = new(unitState)
	}
	*u = unitState{Standing: Standing{Unit: unit}, vests: Forever}
	s.units = append(s.units, u)
	return u
}

// sortUnits keeps units in one order wherever an account was loaded from: what
// concerns several of them is recorded in it.
func (s *state) sortUnits() {
	slices.SortFunc(s.units, func(a, b *unitState) int { return compareText(string(a.Unit), string(b.Unit)) })
}

// lot finds a lot by ID, open or touched; nil for none.
func (s *state) lot(id string) *Lot {
	for _, l := range s.fresh {
		if l.ID == id {
			return l
		}
	}
	if s.lean {
		return nil
	}
	if i := s.open.find(id); i >= 0 {
		return s.open.lots[i]
	}
	if i := s.closed.find(id); i >= 0 {
		return s.closed.lots[i]
	}
	return nil
}

// remember takes in a closed lot that a command is about, unless the state
// already knows a newer row of it.
func (s *state) remember(l Lot) *Lot {
	if known := s.lot(l.ID); known != nil {
		return known
	}
	s.closed.put(l.ID, &l)
	return &l
}

func (s *state) hold(key string) *Reservation {
	for _, h := range s.holds {
		if h.Key == key {
			return h
		}
	}
	return nil
}

func (u *unitState) insert(l *Lot, zone *time.Location) {
	sl := slot{l.expiry(u.Activity, zone), l}
	if n := len(u.lots); n == 0 || compareSlots(u.lots[n-1], sl) < 0 { // what comes last mostly expires last
		u.lots = append(u.lots, sl)
	} else {
		at, _ := slices.BinarySearchFunc(u.lots, sl, compareSlots)
		u.lots = slices.Insert(u.lots, at, sl)
	}
	if l.Policy.idle() {
		u.idle++
	}
}

func (u *unitState) remove(l *Lot, zone *time.Location) {
	at, ok := slices.BinarySearchFunc(u.lots, slot{l.expiry(u.Activity, zone), l}, compareSlots)
	if !ok {
		return
	}
	u.lots = slices.Delete(u.lots, at, at+1)
	if l.Policy.idle() {
		u.idle--
	}
}

// count adds the lot's part of the sums, times sign.
func (u *unitState) count(l *Lot, sign int64) {
	u.held += sign * l.Held
	if l.UsableFrom.After(u.asOf) {
		u.pending += sign * l.Remaining
		if l.UsableFrom.Before(u.vests) {
			u.vests = l.UsableFrom
		}
		return
	}
	u.usable += sign * l.Remaining
	u.vested = later(u.vested, l.UsableFrom)
}

func (u *unitState) recount(now time.Time) {
	u.usable, u.pending, u.held = 0, 0, 0
	u.asOf, u.vested, u.vests = now, time.Time{}, Forever
	for _, sl := range u.lots {
		u.count(sl.lot, 1)
	}
}

// at brings the sums to an instant.
func (u *unitState) at(now time.Time) {
	if !u.right(now) {
		u.recount(now)
	}
	u.asOf = now // nothing vests in between
}

// right reports whether the sums are those of an instant.
func (u *unitState) right(now time.Time) bool { return !now.Before(u.vested) && now.Before(u.vests) }

// available is what can be spent at an instant: usable, less what holds pin,
// less what is owed.
func (u *unitState) available(now time.Time) int64 {
	u.at(now)
	return u.usable - u.held - u.Debt
}

func (u *unitState) touch(activity time.Time, zone *time.Location) {
	if !activity.After(u.Activity) {
		return
	}
	u.Activity = activity
	if u.idle == 0 {
		return
	}
	for i := range u.lots {
		u.lots[i].expires = u.lots[i].lot.expiry(activity, zone)
	}
	slices.SortFunc(u.lots, compareSlots)
}

// follow moves a transaction's effective instant up to the latest one of what
// it moves in the account.
func (t *Transaction) follow(s *state) {
	after := func(lot string) {
		if l := s.lot(lot); l != nil {
			t.Effective = later(t.Effective, l.Moved)
		}
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Account != s.ID {
			continue
		}
		if e.Lot != "" {
			after(e.Lot)
		}
		if e.Book == BookDebt {
			t.Effective = later(t.Effective, s.unit(e.Unit).DebtAt)
		}
	}
	for i := range t.Changes {
		if c := &t.Changes[i]; c.Account == s.ID {
			after(c.Lot)
		}
	}
}

// maxFresh bounds the lots that are searched one by one while they are fresh.
const maxFresh = 8

// file puts fresh lots where they belong.
func (s *state) file() {
	for _, l := range s.fresh {
		if l.Remaining == 0 {
			if !s.lean {
				s.closed.put(l.ID, l)
			}
			continue
		}
		u := s.unit(l.Unit)
		u.count(l, 1)
		s.next = earlier(s.next, l.Expires) // of what is dated
		if s.lean {
			continue
		}
		s.dated = s.dated && !l.Policy.idle()
		s.open.put(l.ID, l)
		u.insert(l, s.zone)
	}
	clear(s.fresh)
	s.fresh = s.fresh[:0]
}

// edit changes a lot and keeps the order, the sums and the index right.
func (s *state) edit(id string, at time.Time, change func(*Lot)) {
	l := s.lot(id)
	if l == nil {
		return
	}
	if slices.Contains(s.fresh, l) { // not in order yet
		change(l)
		l.Moved = later(l.Moved, at)
		return
	}
	s.dated = false
	u := s.unit(l.Unit)
	before := l.Remaining
	usable, expires := l.UsableFrom, l.Expires
	if before != 0 {
		u.count(l, -1)
	}
	change(l)
	l.Moved = later(l.Moved, at)
	moved := l.UsableFrom != usable || l.Expires != expires
	if before != 0 && (l.Remaining == 0 || moved) {
		now := l.Terms
		l.UsableFrom, l.Expires = usable, expires
		u.remove(l, s.zone)
		l.Terms = now
	}
	switch {
	case l.Remaining == 0 && before != 0:
		s.open.remove(s.open.find(id))
		s.closed.put(l.ID, l)
	case l.Remaining != 0 && before == 0:
		s.closed.remove(s.closed.find(id))
		s.open.put(l.ID, l)
		u.insert(l, s.zone)
	case l.Remaining != 0 && moved:
		u.insert(l, s.zone)
	}
	if l.Remaining != 0 {
		u.count(l, 1)
	}
	if !slices.Contains(s.dirtyLots, l) {
		s.dirtyLots = append(s.dirtyLots, l)
	}
}

// apply folds a transaction into the account. It trusts the transaction.
func (s *state) apply(t *Transaction) {
	for i := range t.Opens {
		if t.Opens[i].Account == s.ID {
			lot := s.room()
			*lot = t.Opens[i] // new to the account: nobody has it yet
			s.dirtyLots = append(s.dirtyLots, lot)
			if len(t.Opens) <= maxFresh {
				s.fresh = append(s.fresh, lot)
			} else {
				s.closed.put(lot.ID, lot)
			}
		}
	}
	for i := 0; i+1 < len(t.Entries); i += 2 {
		s.applyPair(t, &t.Entries[i], &t.Entries[i+1])
	}
	if t.Kind == KindHold && t.Links[0].Account == s.ID {
		h := &Reservation{Account: s.ID, Key: t.Key, Unit: t.Unit, Amount: t.Amount, Until: t.Until}
		s.holds = append(s.holds, h)
		s.dated = false
	}
	for i := range t.Changes {
		if c := &t.Changes[i]; c.Account == s.ID {
			s.applyChange(t, c)
		}
	}
	s.file()
	s.applyHold(t)
	if t.Activity {
		for i := range t.Entries {
			if e := &t.Entries[i]; e.Account == s.ID {
				s.unit(e.Unit).touch(t.Effective, s.zone)
				s.dated = s.lean
			}
		}
	}
	s.applyHead(t)
}

func (s *state) applyPair(t *Transaction, from, to *Entry) {
	for _, e := range [2]*Entry{from, to} {
		if e.Book == BookDebt && e.Account == s.ID {
			u := s.unit(e.Unit)
			u.Debt -= e.Amount
			u.DebtAt = later(u.DebtAt, t.Effective)
		}
	}
	if from.Lot == "" {
		return
	}
	if from.Account == s.ID {
		s.edit(from.Lot, t.Effective, func(l *Lot) { flow(t, l, from, to) })
	}
	if to.Account == s.ID && to.Account != from.Account {
		s.edit(to.Lot, t.Effective, func(l *Lot) { flow(t, l, to, from) })
	}
}

// flow books one movement on a lot: own is the side of its account.
func flow(t *Transaction, l *Lot, own, other *Entry) {
	mine := func(b Book) bool { return b == BookMember || b == BookPool }
	switch {
	case own.Account != other.Account: // transfer
		l.Remaining += own.Amount
		back := min(max(own.Amount, 0), l.Transferred)
		if own.Amount < 0 {
			back = own.Amount
		}
		l.Transferred -= back
		l.Original += max(own.Amount, 0) - max(back, 0)
	case mine(own.Book):
		book(t, l, own.Amount, other.Book)
	case mine(other.Book):
		book(t, l, other.Amount, own.Book)
	default: // between two of the program's books
		*l.counter(own.Book) += own.Amount
		*l.counter(other.Book) += other.Amount
	}
}

func book(t *Transaction, l *Lot, amount int64, against Book) {
	l.Remaining += amount
	if amount > 0 && l.Opened == t.Key && (against == BookIssuer || against == BookAdjusted) {
		l.Original += amount
		return
	}
	*l.counter(against) -= amount
}

func (s *state) applyChange(t *Transaction, c *LotChange) {
	s.edit(c.Lot, t.Effective, func(l *Lot) {
		l.Held += c.Held
		l.BasisReturned += c.Basis
		l.Returned += c.Returned
		if !c.UsableFrom.IsZero() {
			l.UsableFrom = c.UsableFrom
		}
		if !c.Expires.IsZero() {
			l.Expires = c.Expires
		}
	})
	if c.Held == 0 {
		return
	}
	key := t.Of
	if t.Kind == KindHold {
		key = t.Key
	}
	h := s.hold(key)
	if h == nil {
		return
	}
	switch at := slices.IndexFunc(h.Pins, func(p Pin) bool { return p.Lot == c.Lot }); {
	case at < 0:
		h.Pins = append(h.Pins, Pin{c.Lot, c.Held})
		slices.SortFunc(h.Pins, func(a, b Pin) int { return compareText(a.Lot, b.Lot) })
	case h.Pins[at].Amount+c.Held == 0:
		h.Pins = slices.Delete(h.Pins, at, at+1)
	default:
		h.Pins[at].Amount += c.Held
	}
	switch t.Kind {
	case KindCapture:
		h.Captured -= c.Held
	case KindRelease, KindTimeout:
		h.Released -= c.Held
	}
}

// applyHold notes the hold concerned as changed and drops it once it is over.
func (s *state) applyHold(t *Transaction) {
	key := t.Of
	switch t.Kind {
	case KindHold:
		key = t.Key
	case KindCapture, KindRelease, KindTimeout:
	default:
		return
	}
	h := s.hold(key)
	if h == nil {
		return
	}
	s.dated = false
	if !slices.Contains(s.dirtyHolds, h) {
		s.dirtyHolds = append(s.dirtyHolds, h)
	}
	if h.Open() == 0 {
		s.holds = slices.DeleteFunc(s.holds, func(x *Reservation) bool { return x == h })
	}
}

func (s *state) applyHead(t *Transaction) {
	switch {
	case t.Kind == KindOpenPool:
		s.Kind = Pool
	case t.Kind == KindMerge && t.Links[0].Account == s.ID:
		s.MergedInto = t.Links[1].Account
	case t.Kind == KindSplit && t.Links[0].Account == s.ID:
		s.MergedInto = ""
	}
	l := t.link(s.ID)
	if l.Seq == 1 {
		s.Opened = t.Recorded
	}
	s.Seq, s.Head, s.Recorded = l.Seq, l.Hash, t.Recorded
}

// due is the instant at which the next lot expires or hold times out.
func (s *state) due() time.Time {
	if !s.dated {
		s.next, s.dated = s.firstDue(), true
	}
	return s.next
}

func (s *state) firstDue() time.Time {
	next := Forever
	for _, h := range s.holds {
		if h.Until.Before(next) {
			next = h.Until
		}
	}
	for _, u := range s.units {
		for _, sl := range u.lots {
			if !sl.expires.Before(next) {
				break
			}
			if sl.lot.free() > 0 {
				next = sl.expires
				break
			}
		}
	}
	return next
}

// head is the account's row as it is now.
func (s *state) head() Account {
	a := s.Account
	a.Due, a.Holds = s.due(), len(s.holds)
	for _, u := range s.units {
		if u.kept = u.kept || u.Debt != 0 || !u.Activity.IsZero(); u.kept {
			a.Standings = append(a.Standings, u.Standing)
		}
	}
	return a
}

// expiry is the instant at which the lot expires in this account.
func (s *state) expiry(l *Lot) time.Time { return l.expiry(s.unit(l.Unit).Activity, s.zone) }
