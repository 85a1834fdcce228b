package loyalty

import "slices"

func (c Redeem) check(cfg *Config) error {
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit),
		checkAmount("Amount", c.Amount), checkOptional("Order", c.Order), checkOptional("Reason", c.Reason),
		checkOptional("Actor", c.Actor))
}

func (c Redeem) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.int(c.Amount)
	e.text(c.Order)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Redeem) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Order, t.Reason, t.Actor = orPoints(c.Unit), c.Order, c.Reason, c.Actor
	t.Activity = d.restarts(s, t.Unit)
	return d.take(t, s, t.Unit, c.Amount, BookRedeemed)
}

// restarts reports whether an activity in the unit restarts a clock.
func (d *desk) restarts(s *state, unit Unit) bool {
	u := s.findUnit(unit)
	return u != nil && u.idle > 0 || d.cfg.unit(unit).Expiry.idle()
}

// take moves available points into a book of the program.
func (d *desk) take(t *Transaction, s *state, unit Unit, amount int64, to Book) error {
	parts, err := d.pick(s, unit, amount)
	if err != nil {
		return err
	}
	t.Entries = make([]Entry, 0, 2*len(parts))
	for _, p := range parts {
		t.move(s.book(), to, s.ID, unit, p.Lot, p.Amount)
	}
	return nil
}

// pick chooses available lots in the order of consumption.
func (d *desk) pick(s *state, unit Unit, amount int64) ([]Pin, error) {
	u := s.findUnit(unit)
	var available int64
	if u != nil {
		available = u.available(d.now)
	}
	if amount > available {
		return nil, &InsufficientError{Unit: unit, Available: available, Asked: amount}
	}
	parts := make([]Pin, 0, 2)
	for _, sl := range u.lots {
		l := sl.lot
		if l.UsableFrom.After(d.now) || l.free() <= 0 {
			continue
		}
		n := min(l.free(), amount)
		parts = append(parts, Pin{l.ID, n})
		if amount -= n; amount == 0 {
			break
		}
	}
	return parts, nil
}

func (c Hold) check(cfg *Config) error {
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit),
		checkAmount("Amount", c.Amount), checkTime("Until", c.Until), checkOptional("Order", c.Order),
		checkOptional("Actor", c.Actor))
}

func (c Hold) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.int(c.Amount)
	e.time(c.Until)
	e.text(c.Order)
	e.text(c.Actor)
}

func (c Hold) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Order, t.Actor = orPoints(c.Unit), c.Order, c.Actor
	t.Amount, t.Until = c.Amount, instant(c.Until)
	if t.Until.IsZero() {
		t.Until = Forever
	}
	if !t.Until.After(d.now) {
		return invalid("Until is not in the future")
	}
	parts, err := d.pick(s, t.Unit, c.Amount)
	if err != nil {
		return err
	}
	for _, p := range parts {
		t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: p.Lot, Held: p.Amount})
	}
	return nil
}

func (c Capture) check(*Config) error {
	if c.Amount < 0 || c.Amount > MaxAmount {
		return invalid("Amount must be from 0 to %d", int64(MaxAmount))
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Hold", c.Hold), checkOptional("Order", c.Order),
		checkOptional("Actor", c.Actor))
}

func (c Capture) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Hold)
	e.int(c.Amount)
	e.text(c.Order)
	e.text(c.Actor)
}

func (c Capture) decide(d *desk, t *Transaction) error {
	s, h, err := d.held(t, c.Hold, c.Amount)
	if err != nil {
		return err
	}
	t.Of, t.Unit, t.Order, t.Actor = c.Hold, h.Unit, c.Order, c.Actor
	t.Activity = d.restarts(s, t.Unit)
	for _, p := range unpin(s, h, c.Amount, false) {
		t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: p.Lot, Held: -p.Amount})
		t.move(s.book(), BookRedeemed, s.ID, h.Unit, p.Lot, p.Amount)
	}
	return nil
}

func (c Release) check(*Config) error {
	if c.Amount < 0 || c.Amount > MaxAmount {
		return invalid("Amount must be from 0 to %d", int64(MaxAmount))
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Hold", c.Hold), checkOptional("Actor", c.Actor))
}

func (c Release) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Hold)
	e.int(c.Amount)
	e.text(c.Actor)
}

func (c Release) decide(d *desk, t *Transaction) error {
	s, h, err := d.held(t, c.Hold, c.Amount)
	if err != nil {
		return err
	}
	t.Of, t.Unit, t.Actor = c.Hold, h.Unit, c.Actor
	t.release(s, h, unpin(s, h, c.Amount, true))
	return nil
}

// release frees pinned parts; what is freed of an expired lot expires with it.
func (t *Transaction) release(s *state, h *Reservation, parts []Pin) {
	for _, p := range parts {
		t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: p.Lot, Held: -p.Amount})
		if l := s.lot(p.Lot); l != nil && !s.expiry(l).After(t.Effective) {
			t.move(s.book(), BookExpired, s.ID, h.Unit, p.Lot, p.Amount)
		}
	}
}

// held finds the open hold of a capture or release.
func (d *desk) held(t *Transaction, key string, amount int64) (*state, *Reservation, error) {
	placed, err := d.transaction(key)
	if err != nil {
		return nil, nil, err
	}
	if placed.Kind != KindHold {
		return nil, nil, ErrNotFound
	}
	s, err := d.account(t, placed.Links[0].Account)
	if err != nil {
		return nil, nil, err
	}
	h := s.hold(key)
	if h == nil {
		return nil, nil, ErrHoldOver
	}
	if amount > h.Open() {
		return nil, nil, &InsufficientError{Unit: h.Unit, Available: h.Open(), Asked: amount}
	}
	return s, h, nil
}

// unpin lists the parts of a hold that make up amount (0 is all): in the order
// of consumption, or against it, so that what stays pinned expires first.
func unpin(s *state, h *Reservation, amount int64, backward bool) []Pin {
	if amount == 0 {
		amount = h.Open()
	}
	pins := slices.Clone(h.Pins)
	slices.SortFunc(pins, func(a, b Pin) int {
		la, lb := s.lot(a.Lot), s.lot(b.Lot)
		c := compareSlots(slot{s.expiry(la), la}, slot{s.expiry(lb), lb})
		if backward {
			return -c
		}
		return c
	})
	for i := range pins {
		pins[i].Amount = min(pins[i].Amount, amount)
		if amount -= pins[i].Amount; amount == 0 {
			return pins[:i+1]
		}
	}
	return pins
}
