package loyalty

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Balance is what an account has of a unit at an instant. Holds that have
// timed out and lots that have expired by then are out of it, whether or not a
// sweep has recorded that.
type Balance struct {
	Account string `json:"account"`
	Unit    Unit   `json:"unit"`
	// Usable can be spent, but for what is held; Pending is not usable yet.
	Usable  int64 `json:"usable"`
	Pending int64 `json:"pending"`
	// Held is the part of Usable that holds pin, Debt is what is owed.
	Held int64 `json:"held"`
	Debt int64 `json:"debt"`
}

// Total is the account's balance in the books: usable and pending, less debt.
func (b Balance) Total() int64 { return b.Usable + b.Pending - b.Debt }

// Available is what a redemption could spend: usable, less held, less debt. It
// is negative where more is owed than is usable.
func (b Balance) Available() int64 { return b.Usable - b.Held - b.Debt }

// String says the balance in words.
func (b Balance) String() string {
	s := fmt.Sprintf("%d %s available", b.Available(), b.Unit)
	if b.Pending != 0 {
		s += fmt.Sprintf(", %d pending", b.Pending)
	}
	if b.Held != 0 {
		s += fmt.Sprintf(", %d held", b.Held)
	}
	if b.Debt != 0 {
		s += fmt.Sprintf(", %d owed", b.Debt)
	}
	return s
}

// AsOf fixes the two times of a read. The zero AsOf is "now, with all that is known".
type AsOf struct {
	// Effective is the instant asked about; zero is now. It may be in the
	// future: the answer is then what happens if nothing happens.
	Effective time.Time
	// Known leaves out what was recorded later; zero leaves out nothing. An
	// answer for a fixed Known never changes: within a process exactly so,
	// between processes but for what is being written while their clocks
	// differ. It must not be in the future.
	Known time.Time
}

func (a AsOf) now() bool { return a == AsOf{} }

// balance reads the sums of a state in which what is due at the instant is settled.
func (s *state) balance(unit Unit, at time.Time) Balance {
	b := Balance{Account: s.ID, Unit: unit}
	if u := s.findUnit(unit); u != nil {
		u.at(at)
		b.Usable, b.Pending, b.Held, b.Debt = u.usable, u.pending, u.held, u.Debt
	}
	return b
}

// settledAt is the state as it is at an instant: itself, or a copy in which
// what is due happened.
func (s *state) settledAt(at time.Time, cfg *Config) *state {
	if s.due().After(at) {
		return s
	}
	c := s.clone()
	d := desk{cfg: cfg, now: at}
	d.settle(c, at)
	return c
}

// Account reads the head of an account, or gives [ErrNotFound].
func (l *Ledger) Account(ctx context.Context, id string) (Account, error) {
	s, err := l.current(ctx, id)
	if err != nil {
		return Account{}, err
	}
	if s.Seq == 0 {
		return Account{}, ErrNotFound
	}
	return s.head(), nil
}

// Balance reads the balance of an account in a unit (empty: [Points]). An
// account that does not exist has none. A merged account answers for itself: it is
// empty. Cost: a look at the account; with an [AsOf], a fold over its transactions.
func (l *Ledger) Balance(ctx context.Context, account string, unit Unit, at AsOf) (Balance, error) {
	unit = orPoints(unit)
	if at.now() {
		return l.currentBalance(ctx, account, unit)
	}
	s, err := l.stateAt(ctx, account, &at)
	if err != nil {
		return Balance{}, err
	}
	return s.balance(unit, at.Effective), nil
}

// Lots are the open lots of an account in a unit (empty: [Points]), in the
// order of consumption, with the expiry in force in Expires.
func (l *Ledger) Lots(ctx context.Context, account string, unit Unit, at AsOf) ([]Lot, error) {
	s, err := l.stateAt(ctx, account, &at)
	if err != nil {
		return nil, err
	}
	var lots []Lot
	for _, sl := range s.findUnit(orPoints(unit)).open() {
		lot := *sl.lot
		lot.Expires = sl.expires
		lots = append(lots, lot)
	}
	return lots, nil
}

// Holds are the open holds of an account, by key.
func (l *Ledger) Holds(ctx context.Context, account string, at AsOf) ([]Reservation, error) {
	s, err := l.stateAt(ctx, account, &at)
	if err != nil {
		return nil, err
	}
	var holds []Reservation
	for _, h := range s.holds {
		holds = append(holds, *copyHold(h))
	}
	slices.SortFunc(holds, func(a, b Reservation) int { return compareText(a.Key, b.Key) })
	return holds, nil
}

// Expiring is an amount that is lost at an instant if it is not used.
type Expiring struct {
	Amount int64
	// At is the exclusive instant, LastDay the last local day (a date in UTC).
	At      time.Time
	LastDay time.Time
}

// Expiring lists what expires up to an instant, soonest first, pending lots
// included and held parts left out.
func (l *Ledger) Expiring(ctx context.Context, account string, unit Unit, until time.Time) ([]Expiring, error) {
	lots, err := l.Lots(ctx, account, unit, AsOf{})
	if err != nil {
		return nil, err
	}
	var out []Expiring
	for i := range lots {
		lot := &lots[i]
		if lot.Expires.After(until) || !lot.Expires.Before(Forever) || lot.free() == 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].At.Equal(lot.Expires) {
			out[n-1].Amount += lot.free()
			continue
		}
		out = append(out, Expiring{lot.free(), lot.Expires, LastDay(lot.Expires, l.cfg.Zone)})
	}
	return out, nil
}

// stateAt is an account as of two times, with what is due settled. It fills in at.
func (l *Ledger) stateAt(ctx context.Context, account string, at *AsOf) (*state, error) {
	if at.now() {
		at.Effective = l.now()
		s, err := l.current(ctx, account)
		if err != nil {
			return nil, err
		}
		return s.settledAt(at.Effective, &l.cfg), nil
	}
	if err := l.fix(ctx, at); err != nil {
		return nil, err
	}
	s, err := l.fold(ctx, account, func(t *Transaction) verdict {
		switch {
		case !at.Known.IsZero() && t.Recorded.After(at.Known):
			return stop
		case t.Effective.After(at.Effective):
			return skip
		}
		return take
	})
	if err != nil {
		return nil, err
	}
	return s.settledAt(at.Effective, &l.cfg), nil
}

// fix fills in the times of a read and remembers the latest known time asked for.
func (l *Ledger) fix(ctx context.Context, at *AsOf) error {
	now := l.now()
	at.Effective, at.Known = instant(at.Effective), instant(at.Known)
	if at.Effective.IsZero() {
		at.Effective = now
	}
	if at.Known.After(now) {
		return invalid("Known is in the future")
	}
	if at.Known.IsZero() {
		return nil
	}
	// What is recorded from here on is recorded later; what was on its way has
	// its time already, so the read waits for it.
	l.asked(at.Known)
	for _, ln := range l.lanes {
		if err := ln.fence(ctx); err != nil {
			return err
		}
	}
	return nil
}

type verdict uint8

const (
	take verdict = iota
	skip
	stop
)

// page is how many rows a read asks a store for at once.
const page = 512

// fold builds an account from its transactions. A recorded time never
// decreases along a chain, so what is known later ends the fold.
func (l *Ledger) fold(ctx context.Context, account string, choose func(*Transaction) verdict) (*state, error) {
	s := newState(account, Membership, l.cfg.Zone)
	for after := uint64(0); ; {
		ts, err := l.store.Entries(ctx, l.cfg.Program, account, after, page)
		if err != nil {
			return nil, err
		}
		for i := range ts {
			switch choose(&ts[i]) {
			case take:
				s.apply(&ts[i])
				s.dirtyLots, s.dirtyHolds = s.dirtyLots[:0], s.dirtyHolds[:0]
			case stop:
				return s, nil
			}
		}
		if len(ts) < page {
			return s, nil
		}
		after = ts[len(ts)-1].link(account).Seq
	}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
