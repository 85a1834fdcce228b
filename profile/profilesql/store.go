package profilesql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
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

// Files holds the migrations as plain SQL: sqlite/0001_profile.sql, postgres/0001_profile.sql.
func Files() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return migrations
	}
	return files
}

// Store is a [profile.Store] and a [profile.RulesStore] on a database. It is
// safe for concurrent use, unless it is bound to a transaction.
type Store struct {
	db    *sql.DB
	d     Dialect
	pool  *sqlkit.Pool
	bound *bound // nil outside of a caller's transaction
	*shared
}

// shared is what a store and those bound to transactions have in common.
type shared struct {
	statements
	node uint64 // tells the versions of processes apart

	mu      sync.Mutex
	version uint64            // the last given
	arrival uint64            // the last given; SQLite's alone
	loads   map[parts]loading // by what is asked
}

// bound is a caller's transaction. After the first failure every further use
// fails with it: a batch may be half written, and only the rollback undoes that.
type bound struct {
	ex     sqlkit.Executor
	mu     sync.Mutex
	failed error
}

var _ profile.RulesStore = (*Store)(nil)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect) (*Store, error) {
	if db == nil {
		return nil, errors.New("profilesql: no database")
	}
	if err := dialect.Check(); err != nil {
		return nil, fmt.Errorf("profilesql: %w", err)
	}
	return &Store{
		db: db, d: dialect, pool: sqlkit.NewPool(db, dialect, `DELETE FROM profile_feed WHERE id = 0`),
		shared: &shared{statements: newStatements(dialect), node: rand.Uint64N(1 << nodeBits), loads: map[parts]loading{}},
	}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	return wrap(sqlkit.Migrate(ctx, s.d, s.db, "profile", Files()))
}

// WithTx is the store inside a transaction of the caller, for
// [profile.Directory.WithStore]. [profile.ErrConflict] then means: roll back and
// run again. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in := *s
	in.bound = &bound{ex: s.pool.Within(tx)}
	return &in
}

// one runs f, which runs one statement.
func (s *Store) one(ctx context.Context, f func(sqlkit.Executor) error) error {
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

// read runs f in a transaction that sees one moment, or in the caller's.
func (s *Store) read(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.within(f)
	}
	return wrap(sqlkit.Read(ctx, s.d, s.db, f))
}

func (s *Store) within(f func(sqlkit.Executor) error) error {
	b := s.bound
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	err := f(b.ex)
	if sqlkit.Retryable(err) && !errors.Is(err, profile.ErrConflict) {
		err = fmt.Errorf("%w: %w", profile.ErrConflict, err)
	}
	if !errors.Is(err, profile.ErrCursorExpired) {
		b.failed = wrap(err)
	}
	return wrap(err)
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sqlkit.ErrGuard) || sqlkit.IsUnique(err) {
		return fmt.Errorf("profilesql: %w: %w", profile.ErrConflict, err)
	}
	return fmt.Errorf("profilesql: %w", err)
}

// nodeBits is how much of a version tells processes apart.
const nodeBits = 10

// next is a version above those that a commit touched, and above all that this
// store gave: a hybrid of Lamport's clock and the wall's, which no row gets
// twice, also where it was deleted in between.
func (s *shared) next(touched uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = max(s.version, touched, uint64(time.Now().UnixMicro())<<nodeBits-1)
	s.version = (s.version>>nodeBits+1)<<nodeBits | s.node
	return s.version
}

// give is the first of n arrival numbers above those in the database.
func (s *shared) give(known uint64, n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(s.arrival, known) + 1
	s.arrival = first + uint64(n) - 1
	return first
}
