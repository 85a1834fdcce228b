package loyaltysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/loyalty"
)

// maxRaces bounds how often a commit is tried again because another process
// created the same account or key in the same moment.
const maxRaces = 8

// Commit implements [loyalty.Store]. All postings share one database
// transaction. First it takes them all to be right and lets the rows' guards
// decide: one round trip on PostgreSQL. Where a guard fails, the sequences
// and keys are read, under lock, and the postings that cannot be are left out.
func (s *Store) Commit(ctx context.Context, postings []loyalty.Posting) []error {
	errs := make([]error, len(postings))
	err := error(sqlkit.ErrGuard)
	if s.bound == nil {
		err = s.hopeful(ctx, postings)
	}
	for range maxRaces {
		if !errors.Is(err, sqlkit.ErrGuard) && !sqlkit.IsUnique(err) && !sqlkit.Retryable(err) {
			break
		}
		clear(errs)
		err = s.write(ctx, func(ex sqlkit.Executor) error { return s.careful(ctx, ex, postings, errs) })
		if s.bound != nil {
			break
		}
	}
	if err != nil {
		for i := range errs {
			errs[i] = wrap(err)
		}
	}
	return errs
}

// hopeful writes postings that are taken to be right.
func (s *Store) hopeful(ctx context.Context, postings []loyalty.Posting) error {
	b := newBatch()
	for i := range postings {
		if len(postings[i].Bindings) > 0 || !b.follows(&postings[i]) {
			return sqlkit.ErrGuard
		}
		b.add(s.dialect, &postings[i])
	}
	if len(b.holds) == 0 && s.dialect == Postgres {
		return sqlkit.Exec(ctx, s.dialect, s.pool.Executor(), s.parts(b))
	}
	return s.pool.Add(ctx, func(ex sqlkit.Executor) error { return s.writeBatch(ctx, ex, b) })
}

// careful finds out which postings can be, and writes those.
func (s *Store) careful(ctx context.Context, ex sqlkit.Executor, postings []loyalty.Posting, errs []error) error {
	clear(errs)
	var programs []string
	for i := range postings {
		if !slices.Contains(programs, postings[i].Program) {
			programs = append(programs, postings[i].Program)
		}
	}
	slices.Sort(programs)
	b := newBatch()
	for _, program := range programs {
		if err := s.choose(ctx, ex, program, postings, errs, b); err != nil {
			return err
		}
	}
	return s.writeBatch(ctx, ex, b)
}

// batch is the rows of postings that are to be written.
type batch struct {
	accounts     map[rowKey]*accountChange // first and last state
	order        []rowKey
	transactions [][]any
	entries      [][]any
	changes      [][]any
	lots         map[rowKey]lotRow
	lotOrder     []rowKey
	holds        map[rowKey]*loyalty.Reservation
	holdOrder    []rowKey
}

// rowKey names an account, or a lot or hold of it.
type rowKey struct{ program, account, row string }

type accountChange struct {
	first, last *loyalty.AccountChange
}

type lotRow struct {
	lot    *loyalty.Lot
	opened bool // by a posting of this batch, on terms first
	first  loyalty.Terms
	n      int64
}

// plain reports whether the lot is as it was opened, full.
func (r *lotRow) plain() bool {
	l := r.lot
	return r.opened && l.Remaining == l.Original && l.Held|l.Redeemed|l.Expired|l.Clawed|l.Transferred|l.Adjusted == 0 &&
		l.BasisReturned == 0 && l.Returned == 0 && l.UsableFrom.Equal(r.first.UsableFrom) && l.Expires.Equal(r.first.Expires) && l.Moved.Equal(l.EarnedAt)
}

func newBatch() *batch {
	return &batch{
		accounts: map[rowKey]*accountChange{}, lots: map[rowKey]lotRow{}, holds: map[rowKey]*loyalty.Reservation{},
	}
}

func (s *Store) choose(ctx context.Context, ex sqlkit.Executor, program string, postings []loyalty.Posting, errs []error, b *batch) error {
	var ids, keys []string
	for i := range postings {
		if postings[i].Program != program {
			continue
		}
		for j := range postings[i].Accounts {
			ids = append(ids, postings[i].Accounts[j].ID)
		}
		for j := range postings[i].Transactions {
			keys = append(keys, postings[i].Transactions[j].Key)
		}
	}
	seqs, taken, err := s.check(ctx, ex, program, ids, keys)
	if err != nil {
		return err
	}
	for i := range postings {
		p := &postings[i]
		if p.Program != program {
			continue
		}
		if errs[i] = verdict(p, seqs, taken); errs[i] != nil {
			continue
		}
		if errs[i], err = s.bind(ctx, ex, p); err != nil {
			return err
		}
		if errs[i] != nil {
			continue
		}
		for j := range p.Accounts {
			seqs[p.Accounts[j].ID] = place{p.Accounts[j].Seq, p.Accounts[j].Head}
		}
		for j := range p.Transactions {
			taken[p.Transactions[j].Key] = true
		}
		b.add(s.dialect, p)
	}
	return nil
}

// place is how far an account's chain has come.
type place struct {
	seq  uint64
	head loyalty.Hash
}

func verdict(p *loyalty.Posting, seqs map[string]place, taken map[string]bool) error {
	for j := range p.Transactions {
		if taken[p.Transactions[j].Key] {
			return loyalty.ErrDuplicate
		}
	}
	for j := range p.Accounts {
		if a := &p.Accounts[j]; seqs[a.ID] != (place{a.Expect, a.Before}) {
			return loyalty.ErrConflict
		}
	}
	return nil
}

func (s *Store) check(ctx context.Context, ex sqlkit.Executor, program string, ids, keys []string) (map[string]place, map[string]bool, error) {
	seqs, taken := make(map[string]place, len(ids)), make(map[string]bool, len(keys))
	if len(ids) > 0 {
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var id string
			var seq int64
			var head []byte
			err := r.Scan(&id, &seq, &head)
			at := place{seq: uint64(seq)}
			copy(at.head[:], head)
			seqs[id] = at
			return err
		}, s.checkAccounts, program, s.dialect.List(ids))
		if err != nil {
			return nil, nil, err
		}
	}
	if len(keys) > 0 {
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var key string
			err := r.Scan(&key)
			taken[key] = true
			return err
		}, s.checkKeys, program, s.dialect.List(keys))
		if err != nil {
			return nil, nil, err
		}
	}
	return seqs, taken, nil
}

// bind writes the bindings of a posting; the first error is the posting's verdict.
func (s *Store) bind(ctx context.Context, ex sqlkit.Executor, p *loyalty.Posting) (verdict, err error) {
	d := s.dialect
	if len(p.Bindings) == 0 {
		return nil, nil
	}
	// Whether all are at their versions is found out before the first is written.
	for i := range p.Bindings {
		b := &p.Bindings[i]
		have, err := s.bindings(ctx, ex, p.Program, loyalty.BindingQuery{Profile: b.Profile, Account: b.Account})
		if err != nil {
			return nil, err
		}
		var version uint64
		for _, h := range have {
			if h.From.Equal(b.From) {
				version = h.Version
			}
		}
		if version+1 != b.Version {
			return loyalty.ErrConflict, nil
		}
	}
	for i := range p.Bindings {
		b := &p.Bindings[i]
		var r sql.Result
		switch {
		case b.Version == 1:
			r, err = ex.ExecContext(ctx, s.insertBinding, p.Program, string(b.Profile), b.Account, d.Time(b.From), d.Time(b.Until),
				sqlkit.Text(b.Reason), sqlkit.Text(b.Actor), int64(b.Version))
		case b.Until.IsZero():
			r, err = ex.ExecContext(ctx, s.dropBind, p.Program, string(b.Profile), b.Account, d.Time(b.From), int64(b.Version-1))
		default:
			r, err = ex.ExecContext(ctx, s.updateBinding, d.Time(b.Until), sqlkit.Text(b.Reason), sqlkit.Text(b.Actor), int64(b.Version),
				p.Program, string(b.Profile), b.Account, d.Time(b.From), int64(b.Version-1))
		}
		if err != nil {
			return nil, err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return nil, errors.Join(err, loyalty.ErrConflict)
		}
	}
	return nil, nil
}

// follows reports whether the posting takes its accounts up where the postings
// before it left them; of others the guards will see.
func (b *batch) follows(p *loyalty.Posting) bool {
	for i := range p.Accounts {
		a := &p.Accounts[i]
		if c := b.accounts[rowKey{p.Program, a.ID, ""}]; c != nil && (c.last.Seq != a.Expect || c.last.Head != a.Before) {
			return false
		}
	}
	return true
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (b *batch) add(d Dialect, p *loyalty.Posting) {
	for i := range p.Accounts {
		a := &p.Accounts[i]
		key := rowKey{p.Program, a.ID, ""}
		if c := b.accounts[key]; c != nil {
			c.last = a
			continue
		}
		b.order = append(b.order, key)
		b.accounts[key] = &accountChange{a, a}
	}
	opened := func(l *loyalty.Lot) lotRow {
		for i := range p.Transactions {
			for n := range p.Transactions[i].Opens {
				if o := &p.Transactions[i].Opens[n]; o.ID == l.ID && o.Account == l.Account {
					return lotRow{opened: true, first: o.Terms, n: int64(n)}
				}
			}
		}
		return lotRow{first: l.Terms} // it has a row, whose first terms stay
	}
	for i := range p.Transactions {
		t := &p.Transactions[i]
		for leg, l := range t.Links {
			b.transactions = append(b.transactions, []any{
				p.Program, l.Account, int64(l.Seq), t.Key, int64(leg), string(t.Kind), sqlkit.Text(t.Of), d.Time(t.Effective),
				d.Time(t.Recorded), sqlkit.Text(t.Order), sqlkit.Text(t.Reason), sqlkit.Text(t.Actor), sqlkit.Text(string(t.Unit)),
				t.Amount, d.Time(t.Until), t.Forgiven, flag(t.Activity), t.Fingerprint[:], t.Links[leg].Hash[:],
			})
		}
		for n := range t.Entries {
			e := &t.Entries[n]
			b.entries = append(b.entries, []any{
				p.Program, t.Key, int64(n), string(e.Book), e.Account, string(e.Unit), sqlkit.Text(e.Lot), e.Amount,
			})
		}
		for n := range t.Changes {
			c := &t.Changes[n]
			b.changes = append(b.changes, []any{
				p.Program, t.Key, int64(n), c.Account, c.Lot, c.Held, c.Basis, c.Returned, d.Time(c.UsableFrom), d.Time(c.Expires),
			})
		}
	}
	for i := range p.Lots {
		l := &p.Lots[i]
		key := rowKey{p.Program, l.Account, l.ID}
		row, seen := b.lots[key]
		if !seen {
			b.lotOrder = append(b.lotOrder, key)
			row = opened(l)
		}
		row.lot = l
		b.lots[key] = row
	}
	for i := range p.Holds {
		h := &p.Holds[i]
		key := rowKey{p.Program, h.Account, h.Key}
		if b.holds[key] == nil {
			b.holdOrder = append(b.holdOrder, key)
		}
		b.holds[key] = h
	}
}

// due is the parameter for an account's due instant; NULL is never.
func due(d Dialect, t time.Time) any {
	if !t.Before(loyalty.Forever) {
		return nil
	}
	return d.Time(t)
}

// writeBatch writes the rows, within a transaction.
func (s *Store) writeBatch(ctx context.Context, ex sqlkit.Executor, b *batch) error {
	for _, key := range b.holdOrder {
		if _, err := ex.ExecContext(ctx, s.deletePins, key.program, key.account, key.row); err != nil {
			return err
		}
	}
	return sqlkit.Exec(ctx, s.dialect, ex, s.parts(b))
}

// parts are the rows table by table.
func (s *Store) parts(b *batch) []sqlkit.Part {
	d := s.dialect
	var created, updated, standings, opened, lots, holds, pins [][]any
	slices.SortFunc(b.order, func(x, y rowKey) int {
		return cmp.Or(cmp.Compare(x.program, y.program), cmp.Compare(x.account, y.account))
	})
	for _, key := range b.order {
		c := b.accounts[key]
		a := &c.last.Account
		if c.first.Expect == 0 {
			created = append(created, []any{
				key.program, a.ID, string(a.Kind), int64(a.Seq), a.Head[:], d.Time(a.Opened), d.Time(a.Recorded),
				due(d, a.Due), sqlkit.Text(a.MergedInto), int64(a.Holds), int64(len(a.Standings)),
			})
		} else {
			updated = append(updated, []any{
				string(a.Kind), int64(a.Seq), a.Head[:], d.Time(a.Recorded), due(d, a.Due), sqlkit.Text(a.MergedInto),
				int64(a.Holds), int64(len(a.Standings)), key.program, a.ID, int64(c.first.Expect), c.first.Before[:],
			})
		}
		for _, st := range a.Standings {
			standings = append(standings, []any{key.program, a.ID, string(st.Unit), st.Debt, d.Time(st.Activity), d.Time(st.DebtAt)})
		}
	}
	for _, key := range b.lotOrder {
		r := b.lots[key]
		l := r.lot
		row := make([]any, 0, 32)
		row = append(row, key.program, l.Account, l.ID, string(l.Unit), l.Opened, r.n, d.Time(l.EarnedAt), d.Time(l.UsableFrom),
			d.Time(l.Expires), string(l.Policy.Kind), int64(l.Policy.N), d.Time(l.Policy.Date), sqlkit.Text(string(l.Policy.Clock)),
			l.UnitCost, sqlkit.Text(l.Order), sqlkit.Text(l.Line), l.Basis, sqlkit.Text(l.Rule), l.Origin, l.Original, l.Remaining)
		if r.plain() {
			opened = append(opened, row)
			continue
		}
		lots = append(lots, append(row, d.Time(r.first.UsableFrom), d.Time(r.first.Expires), l.Held, l.Redeemed, l.Expired,
			l.Clawed, l.Transferred, l.Adjusted, l.BasisReturned, l.Returned, d.Time(l.Moved)))
	}
	for _, key := range b.holdOrder {
		h := b.holds[key]
		holds = append(holds, []any{
			key.program, h.Account, h.Key, string(h.Unit), h.Amount, h.Captured, h.Released, d.Time(h.Until), flag(h.Open() > 0),
		})
		for _, p := range h.Pins {
			pins = append(pins, []any{key.program, h.Account, h.Key, p.Lot, p.Amount})
		}
	}
	return []sqlkit.Part{
		{Statement: s.updateAccounts, Rows: updated},
		{Statement: s.insertAccounts, Rows: created},
		{Statement: s.insertTransactions, Rows: b.transactions},
		{Statement: s.insertEntries, Rows: b.entries},
		{Statement: s.insertChanges, Rows: b.changes},
		{Statement: s.openLots, Rows: opened},
		{Statement: s.upsertLots, Rows: lots},
		{Statement: s.upsertHolds, Rows: holds},
		{Statement: s.insertPins, Rows: pins},
		{Statement: s.upsertStandings, Rows: standings},
	}
}
