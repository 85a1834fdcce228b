package loyalty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Anchor fixes the heads of all chains at a moment. Kept elsewhere (printed,
// mailed, notarized), it makes a later [Ledger.Verify] see even what a hash
// chain alone cannot: the rewriting of a whole chain, its truncation, the loss of an account.
type Anchor struct {
	Format  int          `json:"format"`
	Program string       `json:"program"`
	Heads   []AnchorHead `json:"heads"` // by account in byte order
}

// AnchorHead is the head of one account's chain.
type AnchorHead struct {
	Account string `json:"account"`
	Seq     uint64 `json:"seq"`
	Head    Hash   `json:"head"`
}

// anchorFormat is the version of the anchor's JSON.
const anchorFormat = 1

// Anchor takes an anchor of every account.
func (l *Ledger) Anchor(ctx context.Context) (Anchor, error) {
	a := Anchor{Format: anchorFormat, Program: l.cfg.Program}
	for acc, err := range l.Accounts(ctx) {
		if err != nil {
			return Anchor{}, err
		}
		a.Heads = append(a.Heads, AnchorHead{acc.ID, acc.Seq, acc.Head})
	}
	return a, nil
}

// TamperError names the first place at which a ledger is not what was written.
type TamperError struct {
	Account string
	Seq     uint64 // of the first bad transaction; 0 where the account as a whole is meant
	Key     string
	Problem string
}

func (e *TamperError) Error() string {
	if e.Seq == 0 {
		return fmt.Sprintf("%v: account %s: %s", ErrTampered, e.Account, e.Problem)
	}
	return fmt.Sprintf("%v: account %s, transaction %d (key %s): %s", ErrTampered, e.Account, e.Seq, e.Key, e.Problem)
}

// Is reports whether target is [ErrTampered].
func (e *TamperError) Is(target error) bool { return target == ErrTampered }

// Verified counts what a verification looked at.
type Verified struct {
	Accounts     int
	Transactions int
	Entries      int
}

// String counts in words.
func (v Verified) String() string {
	return fmt.Sprintf("%d accounts, %d transactions, %d entries verified", v.Accounts, v.Transactions, v.Entries)
}

// Verify recomputes every chain, checks that entries sum to zero, that the
// rows of accounts, lots and holds are the fold of the transactions, and that the
// anchor's heads (the zero Anchor has none) are there. The first deviation, by
// account and sequence, comes back as a [*TamperError].
func (l *Ledger) Verify(ctx context.Context, anchor Anchor) (Verified, error) {
	if anchor.Format != 0 && (anchor.Format != anchorFormat || anchor.Program != l.cfg.Program) {
		return Verified{}, invalid("Anchor is of another format or program")
	}
	anchored := make(map[string]AnchorHead, len(anchor.Heads))
	for _, h := range anchor.Heads {
		anchored[h.Account] = h
	}
	var v Verified
	for acc, err := range l.Accounts(ctx) {
		if err != nil {
			return v, err
		}
		h, ok := anchored[acc.ID]
		delete(anchored, acc.ID)
		var want *AnchorHead
		if ok {
			want = &h
		}
		if err := l.verifyAccount(ctx, acc.ID, want, &v); err != nil {
			return v, err
		}
		v.Accounts++
	}
	lost := ""
	for id := range anchored {
		if lost == "" || id < lost {
			lost = id
		}
	}
	if lost != "" {
		return v, &TamperError{Account: lost, Problem: "the account is gone"}
	}
	return v, nil
}

// errMoved says that an account was written to while it was verified.
var errMoved = errors.New("loyalty: account moved on")

func (l *Ledger) verifyAccount(ctx context.Context, id string, anchor *AnchorHead, v *Verified) error {
	for range maxTries {
		before := *v
		err := l.verifyOnce(ctx, id, anchor, v)
		if !errors.Is(err, errMoved) {
			return err
		}
		*v = before
	}
	return fmt.Errorf("%w: account is written to too often to be verified", ErrConflict)
}

func (l *Ledger) verifyOnce(ctx context.Context, id string, anchor *AnchorHead, v *Verified) error {
	a, err := l.store.Load(ctx, Query{Program: l.cfg.Program, Accounts: []Want{{Account: id}}})
	if err != nil {
		return err
	}
	if len(a.Accounts) == 0 {
		return &TamperError{Account: id, Problem: "the account is gone"}
	}
	stored := load(a.Accounts[0], l.cfg.Zone)
	s := newState(id, Membership, l.cfg.Zone)
	var content, buf encoder
	for t, err := range l.Transactions(ctx, id) {
		if err != nil {
			return err
		}
		bad := func(problem string) error {
			return &TamperError{Account: id, Seq: s.Seq + 1, Key: t.Key, Problem: problem}
		}
		if s.Seq == stored.Seq {
			return l.beyond(ctx, stored, bad("it stands behind the account's head"))
		}
		link := t.link(id)
		if link == nil || link.Seq != s.Seq+1 {
			return bad("a transaction is missing before it")
		}
		if t.Recorded.Before(s.Recorded) {
			return bad("it was recorded before its predecessor")
		}
		content.b = content.b[:0]
		content.transaction(&t)
		if link.seal(s.Head, content.b, &buf) != link.Hash {
			return bad("its content is not what was written")
		}
		if problem := unbalanced(&t); problem != "" {
			return bad(problem)
		}
		if anchor != nil && anchor.Seq == link.Seq && anchor.Head != link.Hash {
			return bad("it is not the transaction that was anchored")
		}
		s.apply(&t)
		v.Transactions++
		v.Entries += len(t.Entries)
	}
	if s.Seq < stored.Seq {
		return &TamperError{Account: id, Seq: s.Seq + 1, Problem: "the transaction is missing"}
	}
	if anchor != nil && s.Seq < anchor.Seq {
		return &TamperError{Account: id, Seq: s.Seq + 1, Problem: "it was anchored and is missing"}
	}
	if problem := s.differs(stored); problem != "" {
		return l.beyond(ctx, stored, &TamperError{Account: id, Problem: problem})
	}
	return l.verifyClosed(ctx, s)
}

// beyond is the finding, unless the account was written to meanwhile.
func (l *Ledger) beyond(ctx context.Context, stored *state, finding error) error {
	now, err := l.store.Load(ctx, Query{Program: l.cfg.Program, Accounts: []Want{{stored.ID, stored.Seq}}})
	switch {
	case err != nil:
		return err
	case len(now.Accounts) > 0:
		return errMoved
	}
	return finding
}

// verifyClosed compares the rows of lots that are used up.
func (l *Ledger) verifyClosed(ctx context.Context, s *state) error {
	ids := make([]LotKey, 0, len(s.closed.lots))
	for _, l := range s.closed.lots {
		ids = append(ids, LotKey{s.ID, l.ID})
	}
	slices.SortFunc(ids, func(a, b LotKey) int { return compareText(a.Lot, b.Lot) })
	for part := range slices.Chunk(ids, page) {
		a, err := l.store.Load(ctx, Query{
			Program: l.cfg.Program, Lots: part, Accounts: []Want{{Account: s.ID, Have: s.Seq}},
		})
		if err != nil {
			return err
		}
		if len(a.Accounts) > 0 {
			return errMoved
		}
		rows := make(map[string]*Lot, len(a.Lots))
		for i := range a.Lots {
			rows[a.Lots[i].ID] = &a.Lots[i]
		}
		for _, k := range part {
			if row := rows[k.Lot]; row == nil || !sameLot(row, s.lot(k.Lot)) {
				return &TamperError{Account: s.ID, Problem: "lot " + k.Lot + " is not what its transactions made of it"}
			}
		}
	}
	return nil
}

// unbalanced says what is wrong with the entries of a transaction.
func unbalanced(t *Transaction) string {
	if len(t.Entries)%2 != 0 {
		return "an entry has no other side"
	}
	for i := 0; i < len(t.Entries); i += 2 {
		a, b := &t.Entries[i], &t.Entries[i+1]
		if a.Unit != b.Unit || a.Amount != -b.Amount || a.Amount == 0 {
			return "its entries do not sum to zero"
		}
	}
	return ""
}

// differs says where a state that was loaded is not the one that was folded.
func (s *state) differs(stored *state) string {
	if s.Kind != stored.Kind || s.Head != stored.Head || s.MergedInto != stored.MergedInto ||
		!s.Opened.Equal(stored.Opened) || !s.Recorded.Equal(stored.Recorded) {
		return "its row is not what its transactions made of it"
	}
	if !s.due().Equal(stored.Due) {
		return "its due instant is not that of its lots and holds"
	}
	if stored.Holds != len(s.holds) {
		return "its row does not count its holds"
	}
	for _, u := range stored.units {
		if s.findUnit(u.Unit) == nil && (u.Debt != 0 || len(u.lots) > 0) {
			return "it has a unit that no transaction gave it"
		}
	}
	for _, u := range s.units {
		o := stored.unit(u.Unit)
		if u.Debt != o.Debt || !u.Activity.Equal(o.Activity) || !u.DebtAt.Equal(o.DebtAt) {
			return "its debt or activity is not what its transactions made of it"
		}
		if len(u.lots) != len(o.lots) {
			return "a lot is missing or there is one too many"
		}
		for i := range u.lots {
			if !sameLot(u.lots[i].lot, o.lots[i].lot) {
				return "lot " + u.lots[i].lot.ID + " is not what its transactions made of it"
			}
		}
	}
	if len(s.holds) != len(stored.holds) {
		return "a hold is missing or there is one too many"
	}
	for _, h := range s.holds {
		if o := stored.hold(h.Key); o == nil || !sameHold(h, o) {
			return "hold " + h.Key + " is not what its transactions made of it"
		}
	}
	return ""
}

func sameLot(a, b *Lot) bool {
	x, y := *a, *b
	same := x.EarnedAt.Equal(y.EarnedAt) && x.UsableFrom.Equal(y.UsableFrom) && x.Expires.Equal(y.Expires) &&
		x.Policy.Date.Equal(y.Policy.Date) && x.Moved.Equal(y.Moved)
	x.EarnedAt, x.UsableFrom, x.Expires, x.Policy.Date, x.Moved = y.EarnedAt, y.UsableFrom, y.Expires, y.Policy.Date, y.Moved
	return same && x == y
}

func sameHold(a, b *Reservation) bool {
	byLot := func(x, y Pin) int { return cmp.Or(compareText(x.Lot, y.Lot), cmp.Compare(x.Amount, y.Amount)) }
	return a.Account == b.Account && a.Unit == b.Unit && a.Amount == b.Amount && a.Captured == b.Captured &&
		a.Released == b.Released && a.Until.Equal(b.Until) &&
		slices.Equal(slices.SortedFunc(slices.Values(a.Pins), byLot), slices.SortedFunc(slices.Values(b.Pins), byLot))
}
