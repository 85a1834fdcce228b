package loyaltysql

import (
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
// transaction: first the sequences and keys are read, under lock, and the
// postings that cannot be are left out; then the rows of the others are written.
func (s *Store) Commit(ctx context.Context, postings []loyalty.Posting) []error {
	errs := make([]error, len(postings))
	var err error
	for range maxRaces {
		clear(errs)
		err = s.write(ctx, func(ex sqlkit.Executor) error { return s.commit(ctx, ex, postings, errs) })
		if s.tx != nil || !sqlkit.IsUnique(err) {
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

func (s *Store) commit(ctx context.Context, ex sqlkit.Executor, postings []loyalty.Posting, errs []error) error {
	clear(errs)
	var programs []string
	for i := range postings {
		if !slices.Contains(programs, postings[i].Program) {
			programs = append(programs, postings[i].Program)
		}
	}
	slices.Sort(programs)
	for _, program := range programs {
		if err := s.commitProgram(ctx, ex, program, postings, errs); err != nil {
			return err
		}
	}
	return nil
}

// batch is the rows of the postings that may be written.
type batch struct {
	program      string
	accounts     map[string]*loyalty.AccountChange // last state
	first        map[string]bool                   // accounts that are new
	order        []string
	transactions [][]any
	entries      [][]any
	changes      [][]any
	lots         map[loyalty.LotKey]lotRow
	lotOrder     []loyalty.LotKey
	holds        map[[2]string]*loyalty.Reservation
	holdOrder    [][2]string
}

type lotRow struct {
	lot   *loyalty.Lot
	first loyalty.Terms
	n     int64
}

func (s *Store) commitProgram(ctx context.Context, ex sqlkit.Executor, program string, postings []loyalty.Posting, errs []error) error {
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
	b := &batch{
		program: program, accounts: map[string]*loyalty.AccountChange{}, first: map[string]bool{},
		lots: map[loyalty.LotKey]lotRow{}, holds: map[[2]string]*loyalty.Reservation{},
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
	return s.writeBatch(ctx, ex, b)
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

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (b *batch) add(d Dialect, p *loyalty.Posting) {
	for i := range p.Accounts {
		a := &p.Accounts[i]
		if b.accounts[a.ID] == nil {
			b.order = append(b.order, a.ID)
			b.first[a.ID] = a.Expect == 0
		}
		b.accounts[a.ID] = a
	}
	firsts := map[loyalty.LotKey]lotRow{}
	for i := range p.Transactions {
		t := &p.Transactions[i]
		for leg, l := range t.Links {
			b.transactions = append(b.transactions, []any{
				b.program, l.Account, int64(l.Seq), t.Key, int64(leg), string(t.Kind), sqlkit.Text(t.Of), d.Time(t.Effective),
				d.Time(t.Recorded), sqlkit.Text(t.Order), sqlkit.Text(t.Reason), sqlkit.Text(t.Actor), sqlkit.Text(string(t.Unit)),
				t.Amount, d.Time(t.Until), t.Forgiven, flag(t.Activity), t.Fingerprint[:], t.Links[leg].Hash[:],
			})
		}
		for n := range t.Entries {
			e := &t.Entries[n]
			b.entries = append(b.entries, []any{
				b.program, t.Key, int64(n), string(e.Book), e.Account, string(e.Unit), sqlkit.Text(e.Lot), e.Amount,
			})
		}
		for n := range t.Changes {
			c := &t.Changes[n]
			b.changes = append(b.changes, []any{
				b.program, t.Key, int64(n), c.Account, c.Lot, c.Held, c.Basis, c.Returned, d.Time(c.UsableFrom), d.Time(c.Expires),
			})
		}
		for n := range t.Opens {
			o := &t.Opens[n]
			firsts[loyalty.LotKey{Account: o.Account, Lot: o.ID}] = lotRow{first: o.Terms, n: int64(n)}
		}
	}
	for i := range p.Lots {
		l := &p.Lots[i]
		key := loyalty.LotKey{Account: l.Account, Lot: l.ID}
		row, seen := b.lots[key]
		if !seen {
			b.lotOrder = append(b.lotOrder, key)
			row = lotRow{first: l.Terms}
			if f, ok := firsts[key]; ok {
				row = f
			}
		}
		row.lot = l
		b.lots[key] = row
	}
	for i := range p.Holds {
		h := &p.Holds[i]
		key := [2]string{h.Account, h.Key}
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

// writeBatch writes the rows table by table, each in the order of its keys.
func (s *Store) writeBatch(ctx context.Context, ex sqlkit.Executor, b *batch) error {
	d := s.dialect
	var created, updated, standings, lots, holds, pins [][]any
	slices.Sort(b.order)
	for _, id := range b.order {
		a := b.accounts[id]
		row := []any{
			b.program, a.ID, string(a.Kind), int64(a.Seq), a.Head[:], d.Time(a.Opened), d.Time(a.Recorded),
			due(d, a.Due), sqlkit.Text(a.MergedInto), int64(a.Holds), int64(len(a.Standings)),
		}
		if b.first[id] {
			created = append(created, row)
		} else {
			updated = append(updated, row)
		}
		for _, st := range a.Standings {
			standings = append(standings, []any{b.program, a.ID, string(st.Unit), st.Debt, d.Time(st.Activity)})
		}
	}
	for _, key := range b.lotOrder {
		r := b.lots[key]
		l := r.lot
		lots = append(lots, []any{
			b.program, l.Account, l.ID, string(l.Unit), l.Opened, r.n, d.Time(l.EarnedAt), d.Time(l.UsableFrom), d.Time(l.Expires),
			d.Time(r.first.UsableFrom), d.Time(r.first.Expires), string(l.Policy.Kind), int64(l.Policy.N), d.Time(l.Policy.Date),
			sqlkit.Text(string(l.Policy.Clock)), l.UnitCost, sqlkit.Text(l.Order), sqlkit.Text(l.Line), l.Basis, sqlkit.Text(l.Rule),
			l.Origin, l.Original, l.Remaining, l.Held, l.Redeemed, l.Expired, l.Clawed, l.Transferred, l.Adjusted,
			l.BasisReturned, l.Returned,
		})
	}
	for _, key := range b.holdOrder {
		h := b.holds[key]
		holds = append(holds, []any{
			b.program, h.Account, h.Key, string(h.Unit), h.Amount, h.Captured, h.Released, d.Time(h.Until), flag(h.Open() > 0),
		})
		if _, err := ex.ExecContext(ctx, s.deletePins, b.program, h.Account, h.Key); err != nil {
			return err
		}
		for _, p := range h.Pins {
			pins = append(pins, []any{b.program, h.Account, h.Key, p.Lot, p.Amount})
		}
	}
	for _, w := range []struct {
		into *sqlkit.Insert
		rows [][]any
	}{
		{s.insertAccounts, created},
		{s.updateAccounts, updated},
		{s.insertTransactions, b.transactions},
		{s.insertEntries, b.entries},
		{s.insertChanges, b.changes},
		{s.upsertLots, lots},
		{s.upsertHolds, holds},
		{s.insertPins, pins},
		{s.upsertStandings, standings},
	} {
		if _, err := w.into.Exec(ctx, d, ex, w.rows); err != nil {
			return err
		}
	}
	return nil
}
