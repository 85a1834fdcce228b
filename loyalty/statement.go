package loyalty

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// Transactions walks an account's transactions in the order of its chain.
func (l *Ledger) Transactions(ctx context.Context, account string) iter.Seq2[Transaction, error] {
	return func(yield func(Transaction, error) bool) {
		for after := uint64(0); ; {
			ts, err := l.store.Entries(ctx, l.cfg.Program, account, after, page)
			if err != nil {
				yield(Transaction{}, err)
				return
			}
			for i := range ts {
				after = ts[i].link(account).Seq
				if !yield(ts[i], nil) {
					return
				}
			}
			if len(ts) < page {
				return
			}
		}
	}
}

// Accounts walks the program's accounts by ID in byte order.
func (l *Ledger) Accounts(ctx context.Context) iter.Seq2[Account, error] {
	return func(yield func(Account, error) bool) {
		for after := ""; ; {
			as, err := l.store.Accounts(ctx, l.cfg.Program, after, page)
			if err != nil {
				yield(Account{}, err)
				return
			}
			for _, a := range as {
				after = a.ID
				if !yield(a, nil) {
					return
				}
			}
			if len(as) < page {
				return
			}
		}
	}
}

// Statement is what happened in an account over a time.
type Statement struct {
	Account string
	Unit    Unit
	From    time.Time // inclusive
	To      time.Time // exclusive
	Opening int64     // total just before From
	Lines   []StatementLine
	Closing int64 // total just before To
}

// StatementLine is a transaction that moved the account's total.
type StatementLine struct {
	Key       string
	Kind      Kind
	Order     string
	Effective time.Time
	Amount    int64
	Balance   int64 // the running total: usable and pending, less debt
}

// Statement reads what happened in an account from an instant to another
// (exclusive), by effective time, as of known (zero: all). Expiries are in it at
// their instant, whether or not a sweep has recorded them.
func (l *Ledger) Statement(ctx context.Context, account string, unit Unit, from, to, known time.Time) (Statement, error) {
	unit = orPoints(unit)
	st := Statement{Account: account, Unit: unit, From: instant(from), To: instant(to)}
	if !st.From.Before(st.To) {
		return Statement{}, invalid("from is not before to")
	}
	ts, err := l.history(ctx, account, AsOf{Effective: st.To.Add(-time.Microsecond), Known: known})
	if err != nil {
		return Statement{}, err
	}
	var total int64
	for i := range ts {
		t := &ts[i]
		var n int64
		for j := range t.Entries {
			if e := &t.Entries[j]; e.Account == account && e.Unit == unit && e.Book.own() {
				n += e.Amount
			}
		}
		total += n
		if t.Effective.Before(st.From) {
			st.Opening = total
			continue
		}
		if n != 0 {
			st.Lines = append(st.Lines, StatementLine{t.Key, t.Kind, t.Order, t.Effective, n, total})
		}
	}
	st.Closing = total
	return st, nil
}

// own reports whether the book is an account's and not the program's.
func (b Book) own() bool { return b == BookMember || b == BookPool || b == BookDebt }

// history is every transaction of an account up to an instant, by effective
// time and chain, with what is due by then and not recorded.
func (l *Ledger) history(ctx context.Context, account string, at AsOf) ([]Transaction, error) {
	if err := l.fix(ctx, &at); err != nil {
		return nil, err
	}
	var ts []Transaction
	s, err := l.fold(ctx, account, func(t *Transaction) verdict {
		switch {
		case !at.Known.IsZero() && t.Recorded.After(at.Known):
			return stop
		case t.Effective.After(at.Effective):
			return skip
		}
		ts = append(ts, *t)
		return take
	})
	if err != nil {
		return nil, err
	}
	if !s.due().After(at.Effective) {
		d := desk{cfg: &l.cfg, now: at.Effective}
		d.settle(s, at.Effective)
		ts = append(ts, d.settled...)
	}
	slices.SortStableFunc(ts, func(a, b Transaction) int { return cmp.Or(a.Effective.Compare(b.Effective), 0) })
	return ts, nil
}

// Movement is how a unit moved over a time, all accounts taken together. It
// ties: Opening and the movements sum to Closing.
type Movement struct {
	Unit    Unit  `json:"unit"`
	Opening int64 `json:"opening"`
	// The movements: what came in is positive, what went out negative.
	Earned   int64 `json:"earned"`   // by Earn and Import
	Returned int64 `json:"returned"` // taken back by returns and reversals of awards
	Redeemed int64 `json:"redeemed"`
	Restored int64 `json:"restored"` // redemptions reversed
	Expired  int64 `json:"expired"`  // less what was reinstated
	Adjusted int64 `json:"adjusted"`
	Closing  int64 `json:"closing"`
}

// Check reports whether the movement ties.
func (m Movement) Check() bool {
	return m.Opening+m.Earned+m.Returned+m.Redeemed+m.Restored+m.Expired+m.Adjusted == m.Closing
}

// Movements reports how every unit moved from an instant to another
// (exclusive), by effective time, as of known (zero: all). It reads every
// entry of the program. Transfers between accounts cancel out.
func (l *Ledger) Movements(ctx context.Context, from, to, known time.Time) ([]Movement, error) {
	from, to = instant(from), instant(to)
	if !from.Before(to) {
		return nil, invalid("from is not before to")
	}
	byUnit := map[Unit]*Movement{}
	for a, err := range l.Accounts(ctx) {
		if err != nil {
			return nil, err
		}
		ts, err := l.history(ctx, a.ID, AsOf{Effective: to.Add(-time.Microsecond), Known: known})
		if err != nil {
			return nil, err
		}
		for i := range ts {
			movements(byUnit, a.ID, &ts[i], from)
		}
	}
	var out []Movement
	for _, m := range byUnit {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b Movement) int { return cmp.Compare(a.Unit, b.Unit) })
	return out, nil
}

// movements adds what a transaction did in one account. The movements come
// from the program's books and the balances from the accounts', so that
// their agreement says something.
func movements(byUnit map[Unit]*Movement, account string, t *Transaction, from time.Time) {
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Account != account {
			continue
		}
		m := byUnit[e.Unit]
		if m == nil {
			m = &Movement{Unit: e.Unit}
			byUnit[e.Unit] = m
		}
		if e.Book.own() {
			m.Closing += e.Amount
			if t.Effective.Before(from) {
				m.Opening += e.Amount
			}
			continue
		}
		if t.Effective.Before(from) {
			continue
		}
		switch {
		case e.Book == BookExpired:
			m.Expired -= e.Amount
		case e.Book == BookAdjusted:
			m.Adjusted -= e.Amount
		case e.Book == BookIssuer && e.Amount < 0:
			m.Earned -= e.Amount
		case e.Book == BookIssuer:
			m.Returned -= e.Amount
		case e.Amount > 0:
			m.Redeemed -= e.Amount
		default:
			m.Restored -= e.Amount
		}
	}
}
