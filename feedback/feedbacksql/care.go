package feedbacksql

import (
	"context"
	"database/sql"
	"time"

	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/internal/sqlkit"
)

// CareStore is a [care.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type CareStore struct{ base }

var _ care.Store = (*CareStore)(nil)

// Care is the store of cases on the same database.
func (s *Store) Care() *CareStore {
	b := s.base
	b.conflict = care.ErrConflict
	return &CareStore{b}
}

// WithTx is the store inside a transaction of the caller, for
// [care.Desk.WithStore], as [Store.WithTx] is for surveys.
func (s *CareStore) WithTx(tx *sql.Tx) *CareStore { return &CareStore{s.within(tx)} }

// Get implements [care.Store].
func (s *CareStore) Get(ctx context.Context, keys care.Keys) (care.Records, error) {
	var out care.Records
	l := lookUp{d: s.d, lock: s.bound != nil}
	caseShelf.find(&l, keys.Cases, &out.Cases)
	loanShelf.find(&l, keys.Loans, &out.Loans)
	productShelf.find(&l, keys.Products, &out.Products)
	if err := s.read(ctx, l.run(ctx)); err != nil {
		return care.Records{}, err
	}
	return out, nil
}

// Commit implements [care.Store].
func (s *CareStore) Commit(ctx context.Context, batch care.Batch) error {
	c := changes{d: s.d}
	caseShelf.change(&c, batch.Delete.Cases, batch.Put.Cases)
	loanShelf.change(&c, batch.Delete.Loans, batch.Put.Loans)
	productShelf.change(&c, batch.Delete.Products, batch.Put.Products)
	return s.write(ctx, &c)
}

// Page implements [care.Store].
func (s *CareStore) Page(ctx context.Context, q care.Query) (out []care.Case, err error) {
	filters := spanned(s.d, "opened_at", string(q.Customer), q.From, q.To)
	if q.Kind != "" {
		filters = append(filters, filter{"kind", "=", string(q.Kind)})
	}
	more := ""
	if q.Open {
		more = "t.phase NOT IN ('" + string(care.Resolved) + "', '" + string(care.Closed) + "')"
	}
	err = s.read(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = caseShelf.page(ctx, s.d, ex, "opened_at", filters, more, q.After.Time, q.After.ID, limitOf(q.Limit, care.DefaultPage))
		return err
	})
	return out, err
}

// Products implements [care.Store].
func (s *CareStore) Products(ctx context.Context, q care.Query) (out []care.Product, err error) {
	filters := spanned(s.d, "bought_at", string(q.Customer), q.From, q.To)
	err = s.read(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = productShelf.page(ctx, s.d, ex, "bought_at", filters, "", q.After.Time, q.After.ID, limitOf(q.Limit, care.DefaultPage))
		return err
	})
	return out, err
}

// Due implements [care.Store].
func (s *CareStore) Due(ctx context.Context, now time.Time, limit int) (out []care.Case, err error) {
	err = s.read(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = caseShelf.page(ctx, s.d, ex, "next_due", []filter{{"next_due", "<=", s.d.Time(now)}}, "", time.Time{}, "", limit)
		return err
	})
	return out, err
}

var (
	caseShelf = newShelf("care_case",
		"kind customer opened_at:timestamptz mode brand priority topic product outlet pick_up state phase assignee loaner "+
			"warranty_until:timestamptz next_due:timestamptz recorded_at:timestamptz",
		func(d sqlkit.Dialect, r *care.Case) (string, []any) {
			t := sqlkit.Text
			return r.ID, []any{
				string(r.Kind), string(r.Customer), d.Time(r.Time), r.Mode.String(), t(r.Brand), t(r.Priority), t(r.Topic), t(r.Product),
				t(r.Outlet), t(r.PickUp), r.State, string(r.Phase), t(r.Assignee), t(r.Loaner),
				d.Time(r.WarrantyUntil), d.Time(r.NextDue), d.Time(r.RecordedAt),
			}
		}, func(r *care.Case) *uint64 { return &r.Version })
	loanShelf = newShelf("care_loan", "service_case",
		func(_ sqlkit.Dialect, r *care.Loan) (string, []any) { return r.Item, []any{sqlkit.Text(r.Case)} },
		func(r *care.Loan) *uint64 { return &r.Version })
	productShelf = newShelf("care_product", "customer sku bought_at:timestamptz warranty_until:timestamptz",
		func(d sqlkit.Dialect, r *care.Product) (string, []any) {
			return r.ID, []any{string(r.Customer), sqlkit.Text(r.SKU), d.Time(r.BoughtAt), d.Time(r.WarrantyUntil)}
		}, func(r *care.Product) *uint64 { return &r.Version })
)
