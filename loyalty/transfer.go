package loyalty

import "slices"

func (c Transfer) check(cfg *Config) error {
	if c.From == c.To {
		return invalid("From and To are the same")
	}
	return firstErr(checkCommandKey(c.Key), checkKey("From", c.From), checkKey("To", c.To), cfg.checkUnit(c.Unit),
		checkAmount("Amount", c.Amount), checkOptional("Reason", c.Reason), checkOptional("Actor", c.Actor))
}

func (c Transfer) content(e *encoder) {
	e.text(c.Key)
	e.text(c.From)
	e.text(c.To)
	e.text(string(c.Unit))
	e.int(c.Amount)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Transfer) decide(d *desk, t *Transaction) error {
	from, err := d.live(t, c.From)
	if err != nil {
		return err
	}
	to, err := d.live(t, c.To)
	if err != nil {
		return err
	}
	if from == to {
		return ErrMerged
	}
	t.Unit, t.Reason, t.Actor = orPoints(c.Unit), c.Reason, c.Actor
	parts, err := d.pick(from, t.Unit, c.Amount)
	if err != nil {
		return err
	}
	t.Activity = d.restarts(from, t.Unit) && to.Kind == Pool
	for _, p := range parts {
		l := from.lot(p.Lot)
		terms := l.Terms
		terms.Expires = from.expiry(l)
		if err := d.hand(t, from, to, l, terms, p.Amount); err != nil {
			return err
		}
	}
	return nil
}

// hand moves a part of a lot to another account, opening it there with the
// terms given unless it was there before.
func (d *desk) hand(t *Transaction, from, to *state, l *Lot, terms Terms, n int64) error {
	there, err := d.lot(to, l.ID)
	if err != nil {
		return err
	}
	if there == nil {
		t.Opens = append(t.Opens, Lot{Account: to.ID, ID: l.ID, Unit: l.Unit, Opened: t.Key, Terms: terms})
	} else if !to.expiry(there).Equal(terms.Expires) || !there.UsableFrom.Equal(terms.UsableFrom) {
		t.Changes = append(t.Changes, LotChange{
			Account: to.ID, Lot: l.ID, UsableFrom: terms.UsableFrom,
			Expires: later(to.expiry(there), terms.Expires),
		})
	}
	t.Entries = append(t.Entries,
		Entry{Book: from.book(), Account: from.ID, Unit: l.Unit, Lot: l.ID, Amount: -n},
		Entry{Book: to.book(), Account: to.ID, Unit: l.Unit, Lot: l.ID, Amount: n})
	return nil
}

func (c Merge) check(*Config) error {
	if c.From == c.Into {
		return invalid("From and Into are the same")
	}
	return firstErr(checkCommandKey(c.Key), checkKey("From", c.From), checkKey("Into", c.Into),
		checkOptional("Reason", c.Reason), checkOptional("Actor", c.Actor))
}

func (c Merge) content(e *encoder) {
	e.text(c.Key)
	e.text(c.From)
	e.text(c.Into)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Merge) decide(d *desk, t *Transaction) error {
	from, err := d.account(t, c.From)
	if err != nil {
		return err
	}
	into, err := d.live(t, c.Into)
	if err != nil {
		return err
	}
	switch {
	case from.Seq == 0:
		return ErrNotFound
	case from.MergedInto != "" || from == into:
		return ErrMerged
	case len(from.holds) > 0:
		return ErrOpenHolds
	case from.Kind != into.kindOr(from.Kind):
		return invalid("a membership and a pool do not merge")
	}
	t.Reason, t.Actor = c.Reason, c.Actor
	for _, u := range from.units {
		for _, sl := range u.lots {
			terms := sl.lot.Terms
			terms.Expires = sl.expires
			if err := d.hand(t, from, into, sl.lot, terms, sl.lot.Remaining); err != nil {
				return err
			}
		}
		if u.Debt > 0 {
			t.Entries = append(t.Entries,
				Entry{Book: BookDebt, Account: into.ID, Unit: u.Unit, Amount: -u.Debt},
				Entry{Book: BookDebt, Account: from.ID, Unit: u.Unit, Amount: u.Debt})
		}
	}
	return nil
}

func (c Split) check(*Config) error {
	return firstErr(checkCommandKey(c.Key), checkKey("Merge", c.Merge), checkOptional("Reason", c.Reason),
		checkOptional("Actor", c.Actor))
}

func (c Split) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Merge)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Split) decide(d *desk, t *Transaction) error {
	merge, err := d.transaction(c.Merge)
	if err != nil {
		return err
	}
	if merge.Kind != KindMerge {
		return ErrNotFound
	}
	to, err := d.account(t, merge.Links[0].Account)
	if err != nil {
		return err
	}
	undone := func(t Transaction) bool { return t.Kind == KindSplit }
	if to.MergedInto == "" || slices.ContainsFunc(merge.Followers, undone) {
		return ErrReversed
	}
	from, err := d.live(t, to.MergedInto)
	if err != nil {
		return err
	}
	t.Of, t.Reason, t.Actor = c.Merge, c.Reason, c.Actor
	for i := 0; i+1 < len(merge.Entries); i += 2 {
		moved := &merge.Entries[i+1]
		if moved.Book == BookDebt {
			if n := min(moved.Amount, from.unit(moved.Unit).Debt); n > 0 {
				t.Entries = append(t.Entries,
					Entry{Book: BookDebt, Account: to.ID, Unit: moved.Unit, Amount: -n},
					Entry{Book: BookDebt, Account: from.ID, Unit: moved.Unit, Amount: n})
			}
			continue
		}
		l, err := d.lot(from, moved.Lot)
		if err != nil {
			return err
		}
		if l == nil || l.free() <= 0 {
			continue
		}
		terms := l.Terms
		terms.Expires = from.expiry(l)
		if err := d.hand(t, from, to, l, terms, min(l.free(), moved.Amount)); err != nil {
			return err
		}
	}
	return nil
}
