package loyaltysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/loyalty"
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

// Files holds the migrations as plain SQL: <dialect>/0001_ledger.sql and so on.
func Files() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrations
	}
	return files
}

// Store is a [loyalty.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type Store struct {
	db      *sql.DB
	pool    *sqlkit.Pool // for commits that begin with a write
	tx      *sql.Tx
	dialect Dialect
	*statements
	tiers tierStatements
}

var _ loyalty.Store = (*Store)(nil)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect) (*Store, error) {
	if db == nil {
		return nil, fmt.Errorf("loyaltysql: %w: no database", loyalty.ErrInvalid)
	}
	if err := dialect.Check(); err != nil {
		return nil, fmt.Errorf("loyaltysql: %w: %w", loyalty.ErrInvalid, err)
	}
	return &Store{db: db, pool: sqlkit.NewPool(db, dialect, ""), dialect: dialect, statements: newStatements(dialect), tiers: newTierStatements()}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if err := sqlkit.Migrate(ctx, s.dialect, s.db, "loyalty", Files()); err != nil {
		return fmt.Errorf("loyaltysql: %w", err)
	}
	return nil
}

// WithTx is the store inside a transaction of the caller, for
// [loyalty.Ledger.WithStore]. Accounts that it reads stay locked until the
// transaction ends.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	bound := *s
	bound.tx = tx
	return &bound
}

// reader runs single reads: in the caller's transaction, or on its own.
func (s *Store) reader() sqlkit.Executor {
	if s.tx != nil {
		return s.tx
	}
	return s.db
}

// write runs f in a transaction: the caller's, or one of its own.
func (s *Store) write(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.tx == nil {
		return sqlkit.Write(ctx, s.dialect, s.db, f)
	}
	return s.conflict(f(s.tx))
}

// conflict names what a caller's transaction must be run again for.
func (s *Store) conflict(err error) error {
	if err != nil && !errors.Is(err, loyalty.ErrConflict) && (sqlkit.Retryable(err) || sqlkit.IsUnique(err)) {
		return fmt.Errorf("%w: %w", loyalty.ErrConflict, err)
	}
	return err
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("loyaltysql: %w", err)
}
