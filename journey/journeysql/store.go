package journeysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
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
// installations share a database: "crm_" makes crm_journey_instance, "crm." puts them into
// PostgreSQL's schema crm, which [Store.Migrate] creates, and "crm.eu_" does both.
// A name is of 20 lower-case letters, digits and underscores at most.
func Prefix(prefix string) Option { return sqlkit.Prefix(prefix) }

//go:embed migrations
var migrations embed.FS

var component = sqlkit.Component{Name: "journey", Embedded: migrations}

// Files holds the migrations as plain SQL, <dialect>/0001_journey.sql and so on, for
// who applies them with a tool of their own instead of [Store.Migrate]; such a tool
// creates the schema of a prefix itself.
func Files(options ...Option) fs.FS { return component.Files(options) }

// Store is a [journey.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type Store struct {
	dialect Dialect
	pool    *sqlkit.Pool
	bound   *sqlkit.Bound // nil outside of a caller's transaction
	*statements
}

var (
	_ journey.Store    = (*Store)(nil)
	_ journey.Gatherer = (*Store)(nil)
)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	pool, err := component.Open(db, dialect, options)
	if err != nil {
		return nil, fmt.Errorf("journeysql: %w", err)
	}
	return &Store{dialect: dialect, pool: pool, statements: newStatements(dialect)}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error { return wrap(s.pool.Migrate(ctx)) }

// WithTx is the store inside a transaction of the caller, for
// [journey.Engine.WithStore]. Contact rows and open instances that it reads stay
// locked until the transaction ends. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in := *s
	in.bound = s.pool.Bind(tx)
	return &in
}

// read runs one query.
func (s *Store) read(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Do(ctx, f))
}

// takeLock takes SQLite's write lock for a transaction that reads before it writes:
// else it would be turned away where somebody else writes in between.
func (s *Store) takeLock(ctx context.Context, ex sqlkit.Executor) error {
	if s.dialect != sqlkit.SQLite {
		return nil
	}
	_, err := ex.ExecContext(ctx, `DELETE FROM journey_claim WHERE kind = ''`)
	return err
}

// write runs f in a transaction: the caller's, or one of its own. Its first
// statement writes, or is takeLock's.
func (s *Store) write(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Write(ctx, f))
}

// inside names an error that the caller's transaction ends with.
func inside(err error) error {
	if sqlkit.Retryable(err) && !errors.Is(err, journey.ErrConflict) {
		err = fmt.Errorf("%w: %w", journey.ErrConflict, err)
	}
	return wrap(err)
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journeysql: %w", err)
}
