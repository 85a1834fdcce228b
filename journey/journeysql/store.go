package journeysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"

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

//go:embed migrations
var migrations embed.FS

// Files holds the migrations as plain SQL: sqlite/0001_journey.sql, postgres/0001_journey.sql.
func Files() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrations
	}
	return files
}

// Store is a [journey.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type Store struct {
	db      *sql.DB
	dialect Dialect
	pool    *sqlkit.Pool
	bound   *bound // nil outside of a caller's transaction
	*statements
}

// bound is a caller's transaction. After the first failure every further use
// fails with it: a batch may be half written, and only the rollback undoes that.
type bound struct {
	tx     *sql.Tx
	mu     sync.Mutex
	failed error
}

var (
	_ journey.Store    = (*Store)(nil)
	_ journey.Gatherer = (*Store)(nil)
)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect) (*Store, error) {
	if db == nil {
		return nil, errors.New("journeysql: no database")
	}
	if err := dialect.Check(); err != nil {
		return nil, fmt.Errorf("journeysql: %w", err)
	}
	return &Store{
		db: db, dialect: dialect, statements: newStatements(dialect),
		pool: sqlkit.NewPool(db, dialect, `DELETE FROM journey_claim WHERE kind = ''`),
	}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if err := sqlkit.Migrate(ctx, s.dialect, s.db, "journey", Files()); err != nil {
		return fmt.Errorf("journeysql: %w", err)
	}
	return nil
}

// WithTx is the store inside a transaction of the caller, for
// [journey.Engine.WithStore]. Contact rows and open instances that it reads stay
// locked until the transaction ends. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in := *s
	in.bound = &bound{tx: tx}
	return &in
}

// read runs one query.
func (s *Store) read(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.within(f)
	}
	return wrap(s.pool.Do(ctx, f))
}

// write runs f in a transaction: the caller's, or one of its own.
func (s *Store) write(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.within(f)
	}
	return wrap(s.pool.Write(ctx, f))
}

func (s *Store) within(f func(sqlkit.Executor) error) error {
	b := s.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	err := f(b.tx)
	if err != nil && !errors.Is(err, journey.ErrConflict) && sqlkit.Retryable(err) {
		err = fmt.Errorf("%w: %w", journey.ErrConflict, err)
	}
	b.failed = wrap(err)
	return b.failed
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("journeysql: %w", err)
}
