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

// Option is an option of [New] and [Files]. There is one: [Prefix].
type Option = sqlkit.Option

// Prefix puts a prefix before the names of all tables and indexes, so that several
// installations share a database: "crm_" makes crm_profile_event, "crm." puts them into
// PostgreSQL's schema crm, which [Store.Migrate] creates, and "crm.eu_" does both.
// A name is of 20 lower-case letters, digits and underscores at most.
func Prefix(prefix string) Option { return sqlkit.Prefix(prefix) }

//go:embed migrations
var migrations embed.FS

var component = sqlkit.Component{
	Name: "profile", Embedded: migrations, Lock: `DELETE FROM profile_feed WHERE id = 0`, Also: ownOfMonths,
}

// Files holds the migrations as plain SQL, <dialect>/0001_profile.sql and so on, for
// who applies them with a tool of their own instead of [Store.Migrate]; such a tool
// creates the schema of a prefix itself.
func Files(options ...Option) fs.FS { return component.Files(options) }

// Store is a [profile.Store] and a [profile.RulesStore] on a database. It is
// safe for concurrent use, unless it is bound to a transaction.
type Store struct {
	d     Dialect
	pool  *sqlkit.Pool
	bound *sqlkit.Bound // nil outside of a caller's transaction
	*shared
}

// shared is what a store and those bound to transactions have in common.
type shared struct {
	statements
	node uint64 // tells the versions of processes apart

	mu      sync.Mutex
	version uint64            // the last given
	arrival uint64            // the last given; SQLite's alone
	loads   map[shape]loading // the statements that load
}

var (
	_ profile.RulesStore = (*Store)(nil)
	_ profile.Purger     = (*Store)(nil)
)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	pool, err := component.Open(db, dialect, options)
	if err != nil {
		return nil, fmt.Errorf("profilesql: %w", err)
	}
	return &Store{
		d: dialect, pool: pool,
		shared: &shared{statements: newStatements(dialect), node: rand.Uint64N(1 << nodeBits), loads: map[shape]loading{}},
	}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error { return wrap(s.pool.Migrate(ctx)) }

// WithTx is the store inside a transaction of the caller, for
// [profile.Directory.WithStore]. [profile.ErrConflict] then means: roll back and
// run again. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in := *s
	in.bound = s.pool.Bind(tx)
	return &in
}

// one runs f, which runs one statement.
func (s *Store) one(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Do(ctx, f))
}

// write runs f in a transaction: the caller's, or one of its own.
func (s *Store) write(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Write(ctx, f))
}

// add is write for an f that begins with a statement that writes.
func (s *Store) add(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Add(ctx, f))
}

// read runs f in a transaction that sees one moment, or in the caller's.
func (s *Store) read(ctx context.Context, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(s.pool.Read(ctx, f))
}

// inside names an error that the caller's transaction ends with.
func inside(err error) error {
	if sqlkit.Retryable(err) && !errors.Is(err, profile.ErrConflict) {
		err = fmt.Errorf("%w: %w", profile.ErrConflict, err)
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
