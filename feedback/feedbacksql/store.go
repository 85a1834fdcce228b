package feedbacksql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/internal/sqlkit"
)

// Dialect is the engine behind a *sql.DB.
type Dialect = sqlkit.Dialect

// The dialects.
const (
	SQLite   = sqlkit.SQLite
	Postgres = sqlkit.Postgres
)

// Option is an option of [New] and [Files]. There is one: [Prefix].
type Option = sqlkit.Option

// Prefix puts a prefix before the names of all tables and indexes, so that several
// installations share a database: "crm_" makes crm_feedback_response, "crm." puts them into
// PostgreSQL's schema crm, which [Store.Migrate] creates, and "crm.eu_" does both.
// A name is of 20 lower-case letters, digits and underscores at most.
func Prefix(prefix string) Option { return sqlkit.Prefix(prefix) }

//go:embed migrations
var migrations embed.FS

var component = sqlkit.Component{Name: "feedback", Embedded: migrations, Lock: `DELETE FROM feedback_contact WHERE id = ''`}

// Files holds the migrations as plain SQL, <dialect>/0001_feedback.sql and so on, for
// who applies them with a tool of their own instead of [Store.Migrate]; such a tool
// creates the schema of a prefix itself.
func Files(options ...Option) fs.FS { return component.Files(options) }

// base is a database, or a caller's transaction in it.
type base struct {
	d     Dialect
	pool  *sqlkit.Pool
	bound *sqlkit.Bound // nil outside of a caller's transaction
	// conflict is the error of the package whose store it is.
	conflict error
}

func (b base) within(tx *sql.Tx) base {
	b.bound = b.pool.Bind(tx)
	return b
}

// inside names an error that the caller's transaction ends with.
func (b base) inside(err error) error {
	if sqlkit.Retryable(err) {
		err = fmt.Errorf("%w: %w", b.conflict, err)
	}
	return b.wrap(err)
}

// read runs f, which runs one statement.
func (b base) read(ctx context.Context, f func(sqlkit.Executor) error) error {
	if b.bound != nil {
		return b.bound.Run(f, b.inside)
	}
	return b.wrap(b.pool.Do(ctx, f))
}

// write runs deletions and puts; one that is not at its version is a conflict.
// It is one statement on PostgreSQL, unless records are to be absent, and one
// transaction on SQLite.
func (b base) write(ctx context.Context, c *changes) error {
	if c.err != nil {
		return b.wrap(c.err)
	}
	all := func(ex sqlkit.Executor) error {
		for _, absent := range c.absent {
			if err := absent(ctx, ex); err != nil {
				return err
			}
		}
		return sqlkit.Exec(ctx, b.d, ex, c.parts)
	}
	switch {
	case b.bound != nil:
		return b.bound.Run(all, b.inside)
	case len(c.absent) > 0:
		return b.wrap(b.pool.Write(ctx, all))
	case b.d == Postgres:
		return b.wrap(b.pool.Do(ctx, all))
	}
	return b.wrap(b.pool.Add(ctx, all))
}

func (b base) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlkit.ErrGuard) || sqlkit.IsUnique(err):
		return fmt.Errorf("feedbacksql: %w: %w", b.conflict, err)
	}
	return fmt.Errorf("feedbacksql: %w", err)
}

// Store is a [feedback.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type Store struct{ base }

var _ feedback.Store = (*Store)(nil)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	pool, err := component.Open(db, dialect, options)
	if err != nil {
		return nil, fmt.Errorf("feedbacksql: %w: %w", feedback.ErrInvalid, err)
	}
	return &Store{base{d: dialect, pool: pool, conflict: feedback.ErrConflict}}, nil
}

// Migrate creates or updates the tables of both stores. Any number of processes
// may call it at once.
func (s *Store) Migrate(ctx context.Context) error { return s.wrap(s.pool.Migrate(ctx)) }

// WithTx is the store inside a transaction of the caller, for
// [feedback.Collector.WithStore]. Records that it gets by their keys stay locked
// until the transaction ends. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store { return &Store{s.within(tx)} }

// Get implements [feedback.Store].
func (s *Store) Get(ctx context.Context, keys feedback.Keys) (feedback.Records, error) {
	var out feedback.Records
	contacts := make([]string, len(keys.Contacts))
	for i, id := range keys.Contacts {
		contacts[i] = string(id)
	}
	l := lookUp{d: s.d, lock: s.bound != nil}
	contactShelf.find(&l, contacts, &out.Contacts)
	invitationShelf.find(&l, keys.Invitations, &out.Invitations)
	responseShelf.find(&l, keys.Responses, &out.Responses)
	if err := s.read(ctx, l.run(ctx)); err != nil {
		return feedback.Records{}, err
	}
	return out, nil
}

// Commit implements [feedback.Store].
func (s *Store) Commit(ctx context.Context, batch feedback.Batch) error {
	c := changes{d: s.d}
	contactShelf.change(&c, batch.Delete.Contacts, batch.Put.Contacts)
	invitationShelf.change(&c, batch.Delete.Invitations, batch.Put.Invitations)
	responseShelf.change(&c, batch.Delete.Responses, batch.Put.Responses)
	return s.write(ctx, &c)
}

func limitOf(limit, otherwise int) int {
	if limit <= 0 {
		return otherwise
	}
	return limit
}

func queryOf[R any](ctx context.Context, s *Store, shelf *shelf[R], at string, q feedback.Query) (out []R, err error) {
	filters := spanned(s.d, at, string(q.Customer), q.From, q.To)
	if q.Survey != "" {
		filters = append(filters, filter{"survey", "=", q.Survey})
	}
	err = s.read(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = shelf.page(ctx, s.d, ex, at, filters, "", q.After.Time, q.After.ID, limitOf(q.Limit, feedback.DefaultPage))
		return err
	})
	return out, err
}

// Invitations implements [feedback.Store].
func (s *Store) Invitations(ctx context.Context, q feedback.Query) ([]feedback.Invitation, error) {
	return queryOf(ctx, s, invitationShelf, "invited_at", q)
}

// Responses implements [feedback.Store].
func (s *Store) Responses(ctx context.Context, q feedback.Query) ([]feedback.Response, error) {
	return queryOf(ctx, s, responseShelf, "answered_at", q)
}

// Due implements [feedback.Store].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (out []feedback.Invitation, err error) {
	err = s.read(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = invitationShelf.page(ctx, s.d, ex, "deadline_at", []filter{{"deadline_at", "<=", s.d.Time(now)}}, "", time.Time{}, "", limit)
		return err
	})
	return out, err
}

var (
	invitationShelf = newShelf("feedback_invitation",
		"survey customer invited_at:timestamptz mode program brand state touchpoint order_number outlet product channel "+
			"sent_at:timestamptz expires_at:timestamptz answered_at:timestamptz response deadline_at:timestamptz",
		func(d sqlkit.Dialect, r *feedback.Invitation) (string, []any) {
			t, o := sqlkit.Text, &r.Occasion
			return r.ID, []any{
				r.Survey, string(r.Customer), d.Time(r.Time), r.Mode.String(), t(string(r.Program)), t(r.Brand), t(string(r.State)),
				t(o.Touchpoint), t(o.Order.Number), t(o.Outlet), t(o.Product), t(o.Channel),
				d.Time(r.SentAt), d.Time(r.ExpiresAt), d.Time(r.AnsweredAt), t(r.Response), d.Time(r.Deadline()),
			}
		}, func(r *feedback.Invitation) *uint64 { return &r.Version })
	responseShelf = newShelf("feedback_response",
		"survey customer answered_at:timestamptz mode program brand invitation touchpoint order_number outlet product channel recorded_at:timestamptz",
		func(d sqlkit.Dialect, r *feedback.Response) (string, []any) {
			t, o := sqlkit.Text, &r.Occasion
			return r.ID, []any{
				r.Survey, string(r.Customer), d.Time(r.Time), r.Mode.String(), t(string(r.Program)), t(r.Brand), t(r.Invitation),
				t(o.Touchpoint), t(o.Order.Number), t(o.Outlet), t(o.Product), t(o.Channel), d.Time(r.RecordedAt),
			}
		}, func(r *feedback.Response) *uint64 { return &r.Version })
	contactShelf = newShelf("feedback_contact", "",
		func(_ sqlkit.Dialect, r *feedback.Contact) (string, []any) { return string(r.Customer), nil },
		func(r *feedback.Contact) *uint64 { return &r.Version })
)
