package loyalty

import (
	"slices"
	"strconv"
	"time"
)

func (c Earn) check(cfg *Config) error {
	if err := firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit),
		checkOptional("Order", c.Order), checkOptional("Rule", c.Rule), checkOptional("Actor", c.Actor),
		c.Expiry.check(), cfg.checkPast("At", c.At), checkTime("UsableFrom", c.UsableFrom)); err != nil {
		return err
	}
	if c.UnitCost < 0 || c.Basis < 0 {
		return invalid("UnitCost and Basis must not be negative")
	}
	if len(c.Lines) == 0 {
		return checkAmount("Amount", c.Amount)
	}
	if c.Basis != 0 {
		return invalid("Basis belongs to the lines where there are lines")
	}
	var sum int64
	for i, l := range c.Lines {
		if err := checkKey("Line", l.Line); err != nil {
			return err
		}
		if slices.ContainsFunc(c.Lines[:i], func(o EarnLine) bool { return o.Line == l.Line }) {
			return invalid("Line is there twice")
		}
		if l.Amount < 0 || l.Amount > MaxAmount || l.Basis < 0 {
			return invalid("Amount and Basis of a line must be from 0 to %d", int64(MaxAmount))
		}
		var err error
		if sum, err = add(sum, l.Amount); err != nil {
			return err
		}
	}
	if c.Amount != 0 && c.Amount != sum {
		return invalid("Amount differs from the sum of the lines")
	}
	return checkAmount("Amount", sum)
}

func (c Earn) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.int(c.Amount)
	e.uint(uint64(len(c.Lines)))
	for _, l := range c.Lines {
		e.text(l.Line)
		e.int(l.Amount)
		e.int(l.Basis)
	}
	e.int(c.Basis)
	e.time(c.At)
	e.time(c.UsableFrom)
	e.expiry(c.Expiry)
	e.int(c.UnitCost)
	e.text(c.Order)
	e.text(c.Rule)
	e.text(c.Actor)
}

func (c Earn) decide(d *desk, t *Transaction) error {
	// Most awards need room for one of each.
	room := new(struct {
		link    [1]Link
		entries [2]Entry
		lot     [1]Lot
		balance [1]Balance
	})
	t.Links, t.Entries, t.Opens, d.room = room.link[:0], room.entries[:0], room.lot[:0], room.balance[:0]
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Order, t.Actor = orPoints(c.Unit), c.Order, c.Actor
	if !c.At.IsZero() {
		t.Effective = instant(c.At)
	}
	lines := c.Lines
	if len(lines) == 0 {
		lines = []EarnLine{{Amount: c.Amount, Basis: c.Basis}}
	} else {
		t.Opens = make([]Lot, 0, len(lines))
		t.Entries = make([]Entry, 0, 2*len(lines))
	}
	terms := Terms{
		EarnedAt: t.Effective, UsableFrom: instant(c.UsableFrom), Policy: c.Expiry,
		UnitCost: c.UnitCost, Order: c.Order, Rule: c.Rule, Origin: s.ID,
	}
	if terms.UsableFrom.IsZero() {
		terms.UsableFrom = t.Effective
	}
	d.date(&terms, t.Unit)
	for i := range lines {
		terms.Line, terms.Basis = lines[i].Line, lines[i].Basis
		if terms.Basis == 0 {
			terms.Basis = lines[i].Amount
		}
		t.open(s, i, t.Unit, &terms, lines[i].Amount, BookIssuer)
	}
	t.Activity = terms.Policy.idle() || d.restarts(s, t.Unit)
	d.settleDebt(t, s)
	return nil
}

// date completes the terms with the unit's policy and the instant that it gives.
func (d *desk) date(terms *Terms, unit Unit) {
	if terms.Policy.Kind == "" {
		terms.Policy = d.cfg.unit(unit).Expiry
	}
	if terms.Policy.Kind == "" {
		terms.Policy = Expiry{Kind: ExpireNever}
	}
	terms.Policy.Date = instant(terms.Policy.Date)
	start := terms.EarnedAt
	if terms.Policy.Clock == ClockUsable {
		start = terms.UsableFrom
	}
	if !start.Before(Forever) || terms.Policy.Kind == ExpireNever {
		terms.Expires = Forever
		return
	}
	last := &d.dates
	if day := dateOf(start, d.cfg.Zone); last.day != day || last.policy != terms.Policy {
		last.policy, last.day, last.expiry = terms.Policy, day, terms.Policy.after(day, d.cfg.Zone)
	}
	terms.Expires = last.expiry
}

// open adds the n-th lot of a transaction to an account.
func (t *Transaction) open(s *state, n int, unit Unit, terms *Terms, amount int64, from Book) {
	id := t.Key + "~" + strconv.Itoa(n+1)
	t.Opens = append(t.Opens, Lot{Account: s.ID, ID: id, Unit: unit, Opened: t.Key, Terms: *terms})
	if amount > 0 {
		t.move(from, s.book(), s.ID, unit, id, amount)
		return
	}
	t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: id})
}

// settleDebt pays what the account owes out of the lots that t opens.
func (d *desk) settleDebt(t *Transaction, s *state) {
	u := s.findUnit(t.Unit)
	if u == nil {
		return
	}
	owed := u.Debt
	for i, n := 0, len(t.Entries); i < n && owed > 0; i += 2 {
		in := t.Entries[i+1]
		paid := min(owed, in.Amount)
		t.move(s.book(), BookDebt, s.ID, t.Unit, in.Lot, paid)
		owed -= paid
	}
}

func (c Vest) check(cfg *Config) error {
	for _, l := range c.Lines {
		if err := checkKey("Line", l); err != nil {
			return err
		}
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Award", c.Award), checkTime("UsableFrom", c.UsableFrom))
}

func (c Vest) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Award)
	e.uint(uint64(len(c.Lines)))
	for _, l := range c.Lines {
		e.text(l)
	}
	e.time(c.UsableFrom)
}

func (c Vest) decide(d *desk, t *Transaction) error {
	award, s, err := d.award(t, c.Award)
	if err != nil {
		return err
	}
	t.Of, t.Unit = c.Award, award.Unit
	usable := instant(c.UsableFrom)
	if usable.IsZero() {
		usable = t.Effective
	}
	for i := range award.Opens {
		opened := &award.Opens[i]
		if len(c.Lines) > 0 && !slices.Contains(c.Lines, opened.Line) {
			continue
		}
		l, err := d.lot(s, opened.ID)
		if err != nil {
			return err
		}
		if l == nil || !l.UsableFrom.After(d.now) || l.UsableFrom.Equal(usable) {
			continue
		}
		change := LotChange{Account: s.ID, Lot: l.ID, UsableFrom: usable}
		if l.Policy.Clock == ClockUsable {
			change.Expires = l.Policy.Instant(usable, d.cfg.Zone)
		}
		t.Changes = append(t.Changes, change)
	}
	for _, line := range c.Lines {
		if !slices.ContainsFunc(award.Opens, func(l Lot) bool { return l.Line == line }) {
			return ErrNotFound
		}
	}
	return nil
}

func (c Import) check(cfg *Config) error {
	if err := firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit),
		checkOptional("Actor", c.Actor)); err != nil {
		return err
	}
	if len(c.Lots) == 0 {
		return invalid("Lots is empty")
	}
	for _, l := range c.Lots {
		if err := firstErr(checkAmount("Amount", l.Amount), checkOptional("Order", l.Order), checkOptional("Line", l.Line),
			checkOptional("Rule", l.Rule), cfg.checkPast("EarnedAt", l.EarnedAt), checkTime("UsableFrom", l.UsableFrom),
			checkTime("Expires", l.Expires)); err != nil {
			return err
		}
		if l.EarnedAt.IsZero() {
			return invalid("EarnedAt is missing")
		}
		if l.UnitCost < 0 || l.Basis < 0 {
			return invalid("UnitCost and Basis must not be negative")
		}
	}
	return nil
}

func (c Import) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.text(c.Actor)
	e.uint(uint64(len(c.Lots)))
	for _, l := range c.Lots {
		e.int(l.Amount)
		e.time(l.EarnedAt)
		e.time(l.UsableFrom)
		e.time(l.Expires)
		e.int(l.UnitCost)
		e.text(l.Order)
		e.text(l.Line)
		e.int(l.Basis)
		e.text(l.Rule)
	}
}

func (c Import) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Actor = orPoints(c.Unit), c.Actor
	for i, l := range c.Lots {
		terms := Terms{
			EarnedAt: instant(l.EarnedAt), UsableFrom: instant(l.UsableFrom), Expires: instant(l.Expires),
			Policy: Expiry{Kind: ExpireOnDate, Date: instant(l.Expires)}, UnitCost: l.UnitCost,
			Order: l.Order, Line: l.Line, Basis: l.Basis, Rule: l.Rule, Origin: s.ID,
		}
		if terms.UsableFrom.IsZero() {
			terms.UsableFrom = terms.EarnedAt
		}
		if terms.Expires.IsZero() {
			terms.Expires, terms.Policy = Forever, Expiry{Kind: ExpireNever}
		}
		if terms.Basis == 0 {
			terms.Basis = l.Amount
		}
		t.open(s, i, t.Unit, &terms, l.Amount, BookIssuer)
	}
	d.settleDebt(t, s)
	return nil
}

func (c Adjust) check(cfg *Config) error {
	if c.Amount == 0 || c.Amount > MaxAmount || c.Amount < -MaxAmount {
		return invalid("Amount must be from 1 to %d, or negative", int64(MaxAmount))
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit), c.Expiry.check(),
		checkKey("Reason", c.Reason), checkKey("Actor", c.Actor), cfg.checkPast("At", c.At))
}

func (c Adjust) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.int(c.Amount)
	e.time(c.At)
	e.expiry(c.Expiry)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Adjust) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Reason, t.Actor = orPoints(c.Unit), c.Reason, c.Actor
	if !c.At.IsZero() {
		t.Effective = instant(c.At)
	}
	if c.Amount < 0 {
		return d.take(t, s, t.Unit, -c.Amount, BookAdjusted)
	}
	terms := Terms{
		EarnedAt: t.Effective, UsableFrom: t.Effective, Policy: c.Expiry, Basis: c.Amount, Origin: s.ID,
	}
	d.date(&terms, t.Unit)
	t.open(s, 0, t.Unit, &terms, c.Amount, BookAdjusted)
	d.settleDebt(t, s)
	return nil
}

func (c OpenPool) check(*Config) error {
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account))
}

func (c OpenPool) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
}

func (c OpenPool) decide(d *desk, t *Transaction) error {
	s, err := d.account(t, c.Account)
	if err != nil {
		return err
	}
	if s.Seq != 0 {
		return invalid("Account is in use")
	}
	return nil
}

func (c Extend) check(cfg *Config) error {
	for _, l := range c.Lots {
		if l == "" {
			return invalid("Lots has an empty ID")
		}
	}
	if c.Until.IsZero() {
		return invalid("Until is missing")
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), cfg.checkUnit(c.Unit),
		checkTime("Until", c.Until), checkOptional("Reason", c.Reason), checkOptional("Actor", c.Actor))
}

func (c Extend) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.text(string(c.Unit))
	e.uint(uint64(len(c.Lots)))
	for _, l := range c.Lots {
		e.text(l)
	}
	e.time(c.Until)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Extend) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Unit, t.Reason, t.Actor = orPoints(c.Unit), c.Reason, c.Actor
	until := instant(c.Until)
	if !until.After(d.now) {
		return invalid("Until is not in the future")
	}
	u := s.findUnit(t.Unit)
	found := 0
	for _, sl := range u.open() {
		if len(c.Lots) > 0 && !slices.Contains(c.Lots, sl.lot.ID) {
			continue
		}
		found++
		if sl.expires.Before(until) && sl.expires.After(d.now) {
			t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: sl.lot.ID, Expires: until})
		}
	}
	if found < len(c.Lots) || found == 0 {
		return ErrNotFound
	}
	return nil
}

func (c Reinstate) check(*Config) error {
	if len(c.Lots) == 0 || slices.Contains(c.Lots, "") {
		return invalid("Lots is empty")
	}
	if len(slices.Compact(slices.Sorted(slices.Values(c.Lots)))) < len(c.Lots) {
		return invalid("Lots has an ID twice")
	}
	if c.Until.IsZero() {
		return invalid("Until is missing")
	}
	return firstErr(checkCommandKey(c.Key), checkKey("Account", c.Account), checkTime("Until", c.Until),
		checkOptional("Reason", c.Reason), checkOptional("Actor", c.Actor))
}

func (c Reinstate) content(e *encoder) {
	e.text(c.Key)
	e.text(c.Account)
	e.uint(uint64(len(c.Lots)))
	for _, l := range c.Lots {
		e.text(l)
	}
	e.time(c.Until)
	e.text(c.Reason)
	e.text(c.Actor)
}

func (c Reinstate) decide(d *desk, t *Transaction) error {
	s, err := d.live(t, c.Account)
	if err != nil {
		return err
	}
	t.Reason, t.Actor = c.Reason, c.Actor
	until := instant(c.Until)
	if !until.After(d.now) {
		return invalid("Until is not in the future")
	}
	units := make(map[Unit]bool, 1)
	for _, id := range c.Lots {
		l, err := d.lot(s, id)
		if err != nil {
			return err
		}
		if l == nil || l.Expired == 0 {
			return ErrNotFound
		}
		days := time.Duration(d.cfg.unit(l.Unit).ReinstateDays) * 24 * time.Hour
		if d.now.After(s.expiry(l).Add(days)) {
			return invalid("a lot expired before the reinstatement window")
		}
		if units[l.Unit] = true; len(units) == 1 {
			t.Unit = l.Unit
		} else {
			t.Unit = "" // several
		}
		t.move(BookExpired, s.book(), s.ID, l.Unit, l.ID, l.Expired)
		t.Changes = append(t.Changes, LotChange{Account: s.ID, Lot: l.ID, Expires: until})
	}
	return nil
}
