package loyaltysql

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// Load implements [loyalty.Store]. Accounts alone are read with one statement,
// unless they have holds or debts; everything else in one read transaction.
func (s *Store) Load(ctx context.Context, q loyalty.Query) (loyalty.Answer, error) {
	alone := len(q.Keys) == 0 && len(q.Lots) == 0 && q.Bindings == (loyalty.BindingQuery{})
	var a loyalty.Answer
	if alone && s.bound == nil {
		var more bool
		err := s.one(ctx, func(ex sqlkit.Executor) (err error) {
			a, more, err = s.contentsOf(ctx, ex, q)
			return err
		})
		if err != nil || !more {
			return a, err
		}
	}
	err := s.read(ctx, func(ex sqlkit.Executor) (err error) {
		a, err = s.load(ctx, ex, q)
		return err
	})
	return a, err
}

func (s *Store) load(ctx context.Context, ex sqlkit.Executor, q loyalty.Query) (loyalty.Answer, error) {
	if s.bound != nil && len(q.Accounts) > 0 {
		if err := s.lock(ctx, ex, q); err != nil {
			return loyalty.Answer{}, err
		}
	}
	a, more, err := s.contentsOf(ctx, ex, q)
	if err != nil {
		return a, err
	}
	if more {
		if err := s.holdsAndStandings(ctx, ex, q.Program, a.Accounts); err != nil {
			return a, err
		}
	}
	if a.Transactions, err = s.recorded(ctx, ex, q.Program, q.Keys); err != nil {
		return a, err
	}
	if a.Lots, err = s.lots(ctx, ex, q); err != nil {
		return a, err
	}
	a.Bindings, err = s.bindings(ctx, ex, q.Program, q.Bindings)
	return a, err
}

// lock locks accounts, in their order, before anything of them is read: what
// is read by a later statement is then what the lock protects.
func (s *Store) lock(ctx context.Context, ex sqlkit.Executor, q loyalty.Query) error {
	if s.dialect == SQLite {
		return nil
	}
	return sqlkit.Scan(ctx, ex, func(*sql.Rows) error { return nil }, s.lockAccounts, q.Program, s.dialect.List(wanted(q)))
}

func wanted(q loyalty.Query) []string {
	ids := make([]string, len(q.Accounts))
	for i, w := range q.Accounts {
		ids[i] = w.Account
	}
	return ids
}

// contentsOf reads accounts with their open lots. more says that some have
// holds or standings, which are still to be read.
func (s *Store) contentsOf(ctx context.Context, ex sqlkit.Executor, q loyalty.Query) (a loyalty.Answer, more bool, err error) {
	if len(q.Accounts) == 0 {
		return a, false, nil
	}
	at := make(map[string]int, len(q.Accounts)) // -1: there, and not wanted
	scan := func(r *sql.Rows) error {
		var acc accountRow
		var lot lotScan
		if err := r.Scan(append(acc.dest(), lot.dest()...)...); err != nil {
			return err
		}
		i, seen := at[acc.account]
		if !seen {
			i = len(a.Accounts)
			if have(q, acc.account) == uint64(acc.seq) {
				i = -1
			} else {
				c, err := acc.value()
				if err != nil {
					return err
				}
				a.Accounts = append(a.Accounts, loyalty.Contents{Account: c})
				more = more || acc.holds > 0 || acc.standings > 0
			}
			at[acc.account] = i
		}
		if i >= 0 && lot.lot.Valid {
			a.Accounts[i].Lots = append(a.Accounts[i].Lots, lot.value())
		}
		return nil
	}
	if len(q.Accounts) == 1 {
		w := q.Accounts[0]
		err = sqlkit.Scan(ctx, ex, scan, s.current, int64(w.Have), q.Program, w.Account)
	} else {
		err = sqlkit.Scan(ctx, ex, scan, s.contents, q.Program, s.dialect.List(wanted(q)))
	}
	for _, w := range q.Accounts {
		if _, ok := at[w.Account]; !ok {
			a.Missing = append(a.Missing, w.Account)
		}
	}
	return a, more, err
}

func have(q loyalty.Query, account string) uint64 {
	for _, w := range q.Accounts {
		if w.Account == account {
			return w.Have
		}
	}
	return 0
}

func (s *Store) holdsAndStandings(ctx context.Context, ex sqlkit.Executor, program string, accounts []loyalty.Contents) error {
	ids := make([]string, len(accounts))
	at := make(map[string]*loyalty.Contents, len(accounts))
	for i := range accounts {
		ids[i] = accounts[i].ID
		at[accounts[i].ID] = &accounts[i]
	}
	list := s.dialect.List(ids)
	err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var h loyalty.Reservation
		var until sqlkit.Time
		err := r.Scan(&h.Account, &h.Key, &h.Unit, &h.Amount, &h.Captured, &h.Released, &until)
		h.Until = until.Time
		c := at[h.Account]
		c.Holds = append(c.Holds, h)
		return err
	}, s.holds, program, list)
	if err != nil {
		return err
	}
	err = sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var account, hold string
		var p loyalty.Pin
		if err := r.Scan(&account, &hold, &p.Lot, &p.Amount); err != nil {
			return err
		}
		for i := range at[account].Holds {
			if h := &at[account].Holds[i]; h.Key == hold {
				h.Pins = append(h.Pins, p)
			}
		}
		return nil
	}, s.pins, program, list)
	if err != nil {
		return err
	}
	err = sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var account string
		var st loyalty.Standing
		var activity, debtAt sqlkit.Time
		err := r.Scan(&account, &st.Unit, &st.Debt, &activity, &debtAt)
		st.Activity, st.DebtAt = activity.Time, debtAt.Time
		at[account].Standings = append(at[account].Standings, st)
		return err
	}, s.standings, program, list)
	if err != nil {
		return err
	}
	for i := range accounts {
		if c := &accounts[i]; len(c.Lots) > 0 && c.Account.Holds != len(c.Holds) {
			return fmt.Errorf("%w: account %s has not the holds that its row says", loyalty.ErrTampered, c.ID)
		}
	}
	return nil
}

func (s *Store) lots(ctx context.Context, ex sqlkit.Executor, q loyalty.Query) ([]loyalty.Lot, error) {
	byAccount := map[string][]string{}
	var order []string
	for _, k := range q.Lots {
		if _, ok := byAccount[k.Account]; !ok {
			order = append(order, k.Account)
		}
		byAccount[k.Account] = append(byAccount[k.Account], k.Lot)
	}
	var out []loyalty.Lot
	for _, account := range order {
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var lot lotScan
			err := r.Scan(lot.dest()...)
			out = append(out, lot.value())
			return err
		}, s.lotRow, q.Program, account, s.dialect.List(byAccount[account]))
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) bindings(ctx context.Context, ex sqlkit.Executor, program string, q loyalty.BindingQuery) ([]loyalty.Binding, error) {
	var text string
	args := []any{program}
	switch {
	case q == loyalty.BindingQuery{}:
		return nil, nil
	case q.Account == "":
		text, args = s.bindProfile, append(args, string(q.Profile))
	case q.Profile == "":
		text, args = s.bindAccount, append(args, q.Account)
	default:
		text, args = s.bindBoth, append(args, string(q.Profile), q.Account)
	}
	var out []loyalty.Binding
	err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var b loyalty.Binding
		var id string
		var from, until sqlkit.Time
		var reason, actor sql.NullString
		var version int64
		err := r.Scan(&id, &b.Account, &from, &until, &reason, &actor, &version)
		b.Profile, b.From, b.Until = profile.ID(id), from.Time, until.Time
		b.Reason, b.Actor, b.Version = reason.String, actor.String, uint64(version)
		out = append(out, b)
		return err
	}, text, args...)
	return out, err
}

// recorded reads transactions with those that continue them.
func (s *Store) recorded(ctx context.Context, ex sqlkit.Executor, program string, keys []string) ([]loyalty.Recorded, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	ts, err := s.transactions(ctx, ex, program, keys)
	if err != nil {
		return nil, err
	}
	out := make([]loyalty.Recorded, len(ts))
	for i := range ts {
		out[i].Transaction = ts[i]
		var later []string
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var key string
			err := r.Scan(&key)
			later = append(later, key)
			return err
		}, s.followers, program, ts[i].Key)
		if err != nil {
			return nil, err
		}
		if len(later) == 0 {
			continue
		}
		if out[i].Followers, err = s.transactions(ctx, ex, program, later); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// transactions reads whole transactions, in the order of the keys given.
func (s *Store) transactions(ctx context.Context, ex sqlkit.Executor, program string, keys []string) ([]loyalty.Transaction, error) {
	list := s.dialect.List(keys)
	found := make(map[string]*loyalty.Transaction, len(keys))
	accounts, lots := map[string]bool{}, map[string]bool{}
	touched := func(account, lot string) {
		if lot != "" {
			accounts[account], lots[lot] = true, true
		}
	}
	err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error { return scanTransaction(r, found) }, s.byKeys, program, list)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	err = sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var key string
		var n int64
		var e loyalty.Entry
		var lot sql.NullString
		if err := r.Scan(&key, &n, &e.Book, &e.Account, &e.Unit, &lot, &e.Amount); err != nil {
			return err
		}
		e.Lot = lot.String
		touched(e.Account, e.Lot)
		if t := found[key]; t != nil {
			t.Entries = append(gap(t.Entries, n), e)
		}
		return nil
	}, s.entries, program, list)
	if err != nil {
		return nil, err
	}
	err = sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
		var key string
		var n int64
		var c loyalty.LotChange
		var usable, expires sqlkit.Time
		err := r.Scan(&key, &n, &c.Account, &c.Lot, &c.Held, &c.Basis, &c.Returned, &usable, &expires)
		c.UsableFrom, c.Expires = usable.Time, expires.Time
		touched(c.Account, c.Lot)
		if t := found[key]; t != nil {
			t.Changes = append(gap(t.Changes, n), c)
		}
		return err
	}, s.changes, program, list)
	if err != nil {
		return nil, err
	}
	if len(lots) > 0 {
		err = sqlkit.Scan(ctx, ex, func(r *sql.Rows) error { return scanOpened(r, found) }, s.opened, program,
			s.dialect.List(slices.Sorted(maps.Keys(accounts))), s.dialect.List(slices.Sorted(maps.Keys(lots))), list)
		if err != nil {
			return nil, err
		}
	}
	out := make([]loyalty.Transaction, 0, len(found))
	for _, key := range keys {
		if t := found[key]; t != nil {
			out = append(out, *t)
			delete(found, key)
		}
	}
	return out, nil
}

// Entries implements [loyalty.Store].
func (s *Store) Entries(ctx context.Context, program, account string, after uint64, limit int) ([]loyalty.Transaction, error) {
	var out []loyalty.Transaction
	err := s.read(ctx, func(ex sqlkit.Executor) error {
		out = nil
		var keys []string
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var key string
			err := r.Scan(&key)
			keys = append(keys, key)
			return err
		}, s.byAccount, program, account, int64(after), int64(limit))
		if err != nil || len(keys) == 0 {
			return err
		}
		out, err = s.transactions(ctx, ex, program, keys)
		return err
	})
	return out, err
}

// Due implements [loyalty.Store].
func (s *Store) Due(ctx context.Context, program string, now time.Time, after loyalty.Account, limit int) ([]loyalty.Account, error) {
	d := s.dialect
	if after.ID == "" {
		return s.heads(ctx, s.due, program, d.Time(now), int64(limit))
	}
	from := d.Time(after.Due)
	return s.heads(ctx, s.dueAfter, program, d.Time(now), from, from, after.ID, from, int64(limit))
}

// Accounts implements [loyalty.Store].
func (s *Store) Accounts(ctx context.Context, program, after string, limit int) ([]loyalty.Account, error) {
	return s.heads(ctx, s.list, program, after, int64(limit))
}

func (s *Store) heads(ctx context.Context, text string, args ...any) ([]loyalty.Account, error) {
	var out []loyalty.Account
	err := s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var acc accountRow
			if err := r.Scan(acc.dest()...); err != nil {
				return err
			}
			a, err := acc.value()
			out = append(out, a)
			return err
		}, text, args...)
	})
	return out, err
}

type accountRow struct {
	account, kind          string
	seq, holds, standings  int64
	head                   []byte
	opened, recorded, dueT sqlkit.Time
	merged                 sql.NullString
}

func (r *accountRow) dest() []any {
	return []any{
		&r.account, &r.kind, &r.seq, &r.head, &r.opened, &r.recorded, &r.dueT, &r.merged, &r.holds, &r.standings,
	}
}

func (r *accountRow) value() (loyalty.Account, error) {
	a := loyalty.Account{
		ID: r.account, Kind: loyalty.AccountKind(r.kind), Seq: uint64(r.seq), Opened: r.opened.Time, Recorded: r.recorded.Time,
		Due: r.dueT.Time, MergedInto: r.merged.String, Holds: int(r.holds),
	}
	if a.Due.IsZero() {
		a.Due = loyalty.Forever
	}
	if len(r.head) != len(a.Head) {
		return a, fmt.Errorf("loyalty_account.head has %d bytes", len(r.head))
	}
	copy(a.Head[:], r.head)
	return a, nil
}

// lotScan takes a row of a lot, or the NULLs of an account that has none.
type lotScan struct {
	account, lot, unit, opened, policy, clock, order, line, rule, origin sql.NullString
	earned, usable, expires, date, moved                                 sqlkit.Time
	policyN, cost, basis                                                 sql.NullInt64
	sums                                                                 [10]sql.NullInt64
}

func (r *lotScan) dest() []any {
	out := []any{
		&r.account, &r.lot, &r.unit, &r.opened, &r.earned, &r.usable, &r.expires, &r.policy, &r.policyN, &r.date,
		&r.clock, &r.cost, &r.order, &r.line, &r.basis, &r.rule, &r.origin,
	}
	for i := range r.sums {
		out = append(out, &r.sums[i])
	}
	return append(out, &r.moved)
}

func (r *lotScan) value() loyalty.Lot {
	moved := r.moved.Time
	if moved.IsZero() {
		moved = r.earned.Time
	}
	return loyalty.Lot{
		Account: r.account.String, ID: r.lot.String, Unit: loyalty.Unit(r.unit.String), Opened: r.opened.String,
		Terms: loyalty.Terms{
			EarnedAt: r.earned.Time, UsableFrom: r.usable.Time, Expires: r.expires.Time,
			Policy: loyalty.Expiry{
				Kind: loyalty.ExpiryKind(r.policy.String), N: int(r.policyN.Int64), Date: r.date.Time, Clock: loyalty.Clock(r.clock.String),
			},
			UnitCost: r.cost.Int64, Order: r.order.String, Line: r.line.String, Basis: r.basis.Int64, Rule: r.rule.String,
			Origin: r.origin.String,
		},
		Original: r.sums[0].Int64, Remaining: r.sums[1].Int64, Held: r.sums[2].Int64, Redeemed: r.sums[3].Int64,
		Expired: r.sums[4].Int64, Clawed: r.sums[5].Int64, Transferred: r.sums[6].Int64, Adjusted: r.sums[7].Int64,
		BasisReturned: r.sums[8].Int64, Returned: r.sums[9].Int64, Moved: moved,
	}
}

// gap leaves a mark where the row before the n-th is missing, so that what is
// left does not look whole.
func gap[T any](rows []T, n int64) []T {
	if n != int64(len(rows)) {
		var mark T
		rows = append(rows, mark)
	}
	return rows
}

func scanOpened(r *sql.Rows, found map[string]*loyalty.Transaction) error {
	var l lotScan
	var n int64
	err := r.Scan(&l.opened, &n, &l.account, &l.lot, &l.unit, &l.earned, &l.usable, &l.expires, &l.policy, &l.policyN, &l.date,
		&l.clock, &l.cost, &l.order, &l.line, &l.basis, &l.rule, &l.origin)
	if t := found[l.opened.String]; t != nil {
		opened := l.value()
		opened.Moved = time.Time{} // nothing had moved
		t.Opens = append(gap(t.Opens, n), opened)
	}
	return err
}

func scanTransaction(r *sql.Rows, found map[string]*loyalty.Transaction) error {
	var t loyalty.Transaction
	var l loyalty.Link
	var seq, leg, activity int64
	var of, order, reason, actor, unit sql.NullString
	var effective, recorded, until sqlkit.Time
	var print, hash []byte
	err := r.Scan(&l.Account, &seq, &t.Key, &leg, &t.Kind, &of, &effective, &recorded, &order, &reason, &actor, &unit,
		&t.Amount, &until, &t.Forgiven, &activity, &print, &hash)
	if err != nil {
		return err
	}
	if len(print) != len(t.Fingerprint) || len(hash) != len(l.Hash) {
		return fmt.Errorf("loyalty_transaction: a fingerprint of %d or a hash of %d bytes", len(print), len(hash))
	}
	l.Seq = uint64(seq)
	copy(l.Hash[:], hash)
	copy(t.Fingerprint[:], print)
	t.Of, t.Order, t.Reason, t.Actor, t.Unit = of.String, order.String, reason.String, actor.String, loyalty.Unit(unit.String)
	t.Effective, t.Recorded, t.Until = effective.Time, recorded.Time, until.Time
	t.Activity = activity != 0
	first := found[t.Key]
	if first == nil {
		first = &t
		found[t.Key] = first
	}
	if !sameHead(first, &t) || leg != int64(len(first.Links)) {
		return fmt.Errorf("%w: the legs of transaction %s contradict each other", loyalty.ErrTampered, t.Key)
	}
	first.Links = append(first.Links, l)
	return nil
}

// sameHead compares what every leg of a transaction repeats.
func sameHead(a, b *loyalty.Transaction) bool {
	return a.Kind == b.Kind && a.Of == b.Of && a.Effective.Equal(b.Effective) && a.Recorded.Equal(b.Recorded) && a.Order == b.Order &&
		a.Reason == b.Reason && a.Actor == b.Actor && a.Unit == b.Unit && a.Amount == b.Amount && a.Until.Equal(b.Until) &&
		a.Forgiven == b.Forgiven && a.Activity == b.Activity && a.Fingerprint == b.Fingerprint
}
