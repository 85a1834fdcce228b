package loyalty

import (
	"slices"
	"time"
)

// Shortfall says what happens when returned points are already spent.
type Shortfall string

// The shortfall policies. The award's own lots come first under each.
const (
	// Owe books a debt that later awards settle first, up to
	// [UnitConfig.MaxDebt]; what is above that is forgiven. It is the default.
	Owe Shortfall = "owe"
	// Clamp forgives what is not there any more, unless a reversal brings it back.
	Clamp Shortfall = "clamp"
	// Refuse rejects the return with [ErrShortfall].
	Refuse Shortfall = "refuse"
)

func (c Return) check(cfg *Config) error {
	for i, l := range c.Lines {
		if err := checkOptional("Line", l.Line); err != nil {
			return err
		}
		if l.Basis < 0 {
			return invalid("Basis must not be negative")
		}
		if slices.ContainsFunc(c.Lines[:i], func(o ReturnLine) bool { return o.Line == l.Line }) {
			return invalid("Line is there twice")
		}
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Award", c.Award), cfg.checkPast("At", c.At),
		checkOptional("Order", c.Order), checkOptional("Actor", c.Actor))
}

func (c Return) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Award)
	e.uint(uint64(len(c.Lines)))
	for _, l := range c.Lines {
		e.text(l.Line)
		e.int(l.Basis)
	}
	e.time(c.At)
	e.text(c.Order)
	e.text(c.Actor)
}

func (c Return) decide(d *desk, t *Transaction) error {
	award, s, err := d.award(t, c.Award)
	if err != nil {
		return err
	}
	t.Of, t.Unit, t.Order, t.Actor = c.Award, award.Unit, c.Order, c.Actor
	if !c.At.IsZero() {
		t.Effective = instant(c.At)
	}
	if t.Effective.Before(award.Effective) {
		t.Effective = award.Effective
	}
	return d.takeBack(t, award, s, c.Lines)
}

// takeBack takes back an award, or lines of it. The lots that it opened keep
// the count of what was returned; the points come from the account that holds them now.
func (d *desk) takeBack(t *Transaction, award *Transaction, s *state, lines []ReturnLine) error {
	earner, err := d.account(t, award.Links[0].Account)
	if err != nil {
		return err
	}
	whole := len(lines) == 0
	var owed int64
	found := 0
	for i := range award.Opens {
		opened := &award.Opens[i]
		var basis int64
		if !whole {
			at := slices.IndexFunc(lines, func(l ReturnLine) bool { return l.Line == opened.Line })
			if at < 0 {
				continue
			}
			basis = lines[at].Basis
			found++
		}
		row, err := d.lot(earner, opened.ID)
		if err != nil {
			return err
		}
		if row == nil {
			return ErrNotFound
		}
		open := opened.Basis - row.BasisReturned
		if basis == 0 {
			basis = open
		}
		if basis > open {
			return &InsufficientError{Unit: t.Unit, Available: open, Asked: basis}
		}
		given := award.given(opened.ID)
		due := share(given, row.BasisReturned+basis, opened.Basis) - row.Returned
		if basis > 0 || due > 0 {
			t.Changes = append(t.Changes, LotChange{Account: earner.ID, Lot: opened.ID, Basis: basis, Returned: due})
		}
		lacking, err := d.claw(t, s, opened.ID, due)
		if err != nil {
			return err
		}
		owed += lacking
	}
	switch {
	case found < len(lines):
		return ErrNotFound
	case len(t.Changes) == 0:
		return ErrReversed
	}
	return d.shortfall(t, s, owed)
}

// given is what a transaction put into a lot that it opened.
func (t *Transaction) given(lot string) int64 {
	for i := 0; i+1 < len(t.Entries); i += 2 {
		if e := &t.Entries[i+1]; e.Lot == lot && (t.Entries[i].Book == BookIssuer || t.Entries[i].Book == BookAdjusted) {
			return e.Amount
		}
	}
	return 0
}

// claw takes points of a lot back, first what is there, then what expired
// unspent, and says how much is lacking.
func (d *desk) claw(t *Transaction, s *state, lot string, due int64) (int64, error) {
	if due == 0 {
		return 0, nil
	}
	l, err := d.lot(s, lot)
	if err != nil || l == nil {
		return due, err
	}
	to := BookIssuer
	if n := min(due, l.free()); n > 0 {
		t.move(s.book(), to, s.ID, t.Unit, lot, n)
		due -= n
	}
	if n := min(due, l.Expired); n > 0 {
		t.move(BookExpired, to, s.ID, t.Unit, lot, n)
		due -= n
	}
	return due, nil
}

func (d *desk) shortfall(t *Transaction, s *state, owed int64) error {
	if owed == 0 {
		return nil
	}
	cfg := d.cfg.unit(t.Unit)
	switch cfg.Shortfall {
	case Refuse:
		return ErrShortfall
	case Clamp:
		t.Forgiven = owed
		return nil
	}
	debt := s.unit(t.Unit).Debt
	n := owed
	if cfg.MaxDebt > 0 {
		n = min(owed, max(cfg.MaxDebt-debt, 0))
	}
	t.Forgiven = owed - n
	if n > 0 {
		t.Entries = append(t.Entries,
			Entry{Book: BookDebt, Account: s.ID, Unit: t.Unit, Amount: -n},
			Entry{Book: BookIssuer, Account: s.ID, Unit: t.Unit, Amount: n})
	}
	return nil
}

func (c Reverse) check(*Config) error {
	switch c.Cause {
	case "", ByMerchant, ByCustomer:
	default:
		return invalid("Cause is unknown")
	}
	if c.Amount < 0 || c.Amount > MaxAmount {
		return invalid("Amount must be from 0 to %d", int64(MaxAmount))
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Of", c.Of), checkOptional("Reason", c.Reason),
		checkOptional("Actor", c.Actor))
}

func (c Reverse) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Of)
	e.int(c.Amount)
	e.text(string(c.Cause))
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Reverse) decide(d *desk, t *Transaction) error {
	of, err := d.transaction(c.Of)
	if err != nil {
		return err
	}
	t.Of, t.Unit, t.Order, t.Reason, t.Actor = c.Of, of.Unit, of.Order, c.Reason, c.Actor
	switch of.Kind {
	case KindEarn, KindImport:
		return c.reverseAward(d, t)
	case KindAdjust:
		if len(of.Opens) > 0 {
			return c.reverseAward(d, t)
		}
		return c.giveBack(d, t, of, BookAdjusted)
	case KindRedeem, KindCapture:
		return c.giveBack(d, t, of, BookRedeemed)
	case KindTransfer:
		return c.reverseTransfer(d, t, of)
	}
	return ErrNotReversible
}

func (c Reverse) reverseAward(d *desk, t *Transaction) error {
	if c.Amount != 0 {
		return invalid("Amount is for redemptions; use Return for a part of an award")
	}
	award, s, err := d.award(t, c.Of)
	if err != nil {
		return err
	}
	return d.takeBack(t, award, s, nil)
}

// giveBack returns what a transaction took of lots, the last taken first.
func (c Reverse) giveBack(d *desk, t *Transaction, of *Recorded, from Book) error {
	taker, err := d.account(t, of.Links[0].Account)
	if err != nil {
		return err
	}
	s, err := d.live(t, taker.ID)
	if err != nil {
		return err
	}
	open := of.restorable()
	var left int64
	for _, p := range open {
		left += p.Amount
	}
	if left == 0 {
		return ErrReversed
	}
	amount := c.Amount
	if amount == 0 {
		amount = left
	}
	if amount > left {
		return &InsufficientError{Unit: t.Unit, Available: left, Asked: amount}
	}
	for _, p := range slices.Backward(open) {
		if n := min(p.Amount, amount); n > 0 {
			if err := c.restore(d, t, taker, s, p.Lot, n, from); err != nil {
				return err
			}
			amount -= n
		}
	}
	return nil
}

// restorable is what a transaction took of each lot and no reversal gave back.
func (r *Recorded) restorable() []Pin {
	var parts []Pin
	account := r.Links[0].Account
	took := func(entries []Entry) {
		for i := range entries {
			e := &entries[i]
			if e.Account != account || e.Lot == "" || (e.Book != BookRedeemed && e.Book != BookAdjusted) {
				continue
			}
			at := slices.IndexFunc(parts, func(p Pin) bool { return p.Lot == e.Lot })
			if at < 0 {
				parts = append(parts, Pin{Lot: e.Lot})
				at = len(parts) - 1
			}
			parts[at].Amount += e.Amount
		}
	}
	took(r.Entries)
	for i := range r.Followers {
		if r.Followers[i].Kind == KindReverse {
			took(r.Followers[i].Entries)
		}
	}
	return parts
}

// restore gives an amount back to a lot, and on to the account that took over
// from the one that spent it.
func (c Reverse) restore(d *desk, t *Transaction, taker, s *state, lot string, n int64, from Book) error {
	l, err := d.lot(taker, lot)
	if err != nil {
		return err
	}
	if l == nil {
		return ErrNotFound
	}
	if n, err = d.reclaim(t, taker, s, l, n, from); err != nil || n == 0 {
		return err
	}
	expires := taker.expiry(l)
	if taker != s {
		here, err := d.lot(s, lot)
		if err != nil {
			return err
		}
		if here != nil {
			expires = s.expiry(here)
		}
	}
	var renewed time.Time
	if !expires.After(d.now) {
		switch c.Cause {
		case ByCustomer:
			t.move(from, BookExpired, taker.ID, t.Unit, lot, n)
			return nil
		case ByMerchant:
			renewed = dateOf(d.now, d.cfg.Zone).addDays(d.cfg.MinimumValidity).end(d.cfg.Zone)
		default:
			return ErrCauseRequired
		}
	}
	t.move(from, taker.book(), taker.ID, t.Unit, lot, n)
	if !renewed.IsZero() {
		t.Changes = append(t.Changes, LotChange{Account: taker.ID, Lot: lot, Expires: renewed})
	}
	if taker == s {
		return nil
	}
	terms := l.Terms
	if !renewed.IsZero() {
		terms.Expires = renewed
	}
	if err := d.hand(t, taker, s, l, terms, n); err != nil {
		return err
	}
	if !renewed.IsZero() {
		t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: lot, Expires: renewed})
	}
	return nil
}

// reclaim takes of n points on their way back to a lot what returns of its award
// asked for when they were spent: it settles the debt of then or, under Clamp, ends what
// was forgiven. It gives what is left of n.
func (d *desk) reclaim(t *Transaction, taker, s *state, l *Lot, n int64, from Book) (int64, error) {
	missed, err := d.missed(t, taker, s, l)
	if err != nil || missed <= 0 {
		return n, err
	}
	missed = min(missed, n)
	if d.cfg.unit(t.Unit).Shortfall == Clamp {
		t.move(from, BookIssuer, taker.ID, t.Unit, l.ID, missed)
		return n - missed, nil
	}
	u := s.findUnit(t.Unit)
	if u == nil {
		return n, nil
	}
	owed := u.Debt
	for i := range t.Entries { // settled by the lots before it
		if e := &t.Entries[i]; e.Book == BookDebt && e.Account == s.ID {
			owed -= e.Amount
		}
	}
	pay := min(missed, owed)
	if pay <= 0 {
		return n, nil
	}
	t.move(from, BookDebt, taker.ID, t.Unit, l.ID, pay)
	if taker != s {
		t.Entries = append(t.Entries,
			Entry{Book: BookDebt, Account: taker.ID, Unit: t.Unit, Amount: -pay},
			Entry{Book: BookDebt, Account: s.ID, Unit: t.Unit, Amount: pay})
	}
	return n - pay, nil
}

// missed is what returns asked of a lot and did not find in it, where its
// earner's account is s or has been merged into s.
func (d *desk) missed(t *Transaction, taker, s *state, l *Lot) (int64, error) {
	earner := taker
	for id := l.Origin; id != taker.ID && id != s.ID; {
		e, ok := d.states[id] // only looked at: what is due in it is not settled here
		if !ok {
			d.needAccount(id)
			return 0, errNeed
		}
		if id = e.MergedInto; id == "" {
			return 0, nil // passed on: its earner owes
		}
	}
	if l.Origin != taker.ID {
		var err error
		if earner, err = d.account(t, l.Origin); err != nil {
			return 0, err
		}
	}
	var missed int64
	for i, at := range []*state{earner, taker, s} {
		if i > 0 && at == earner || i == 2 && at == taker {
			continue
		}
		row, err := d.lot(at, l.ID)
		if err != nil {
			return 0, err
		}
		if row != nil {
			missed += row.Returned - row.Clawed
		}
	}
	return missed, nil
}

// reverseTransfer moves back what the receiver still has of the lots; unless
// that is all, nothing moves.
func (c Reverse) reverseTransfer(d *desk, t *Transaction, of *Recorded) error {
	if c.Amount != 0 {
		return invalid("Amount is for redemptions")
	}
	for i := range of.Followers {
		if of.Followers[i].Kind == KindReverse {
			return ErrReversed
		}
	}
	from, err := d.live(t, of.Links[1].Account)
	if err != nil {
		return err
	}
	to, err := d.live(t, of.Links[0].Account)
	if err != nil {
		return err
	}
	if from == to {
		return ErrMerged
	}
	for i := 0; i+1 < len(of.Entries); i += 2 {
		e := &of.Entries[i+1]
		l, err := d.lot(from, e.Lot)
		if err != nil {
			return err
		}
		if l == nil || l.free() < e.Amount {
			var there int64
			if l != nil {
				there = l.free()
			}
			return &InsufficientError{Unit: t.Unit, Available: there, Asked: e.Amount}
		}
		terms := l.Terms
		terms.Expires = from.expiry(l)
		if err := d.hand(t, from, to, l, terms, e.Amount); err != nil {
			return err
		}
	}
	return nil
}
