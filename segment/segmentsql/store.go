package segmentsql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
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
// installations share a database: "crm_" makes crm_segment_transition, "crm." puts them into
// PostgreSQL's schema crm, which [Store.Migrate] creates, and "crm.eu_" does both.
// A name is of 20 lower-case letters, digits and underscores at most.
func Prefix(prefix string) Option { return sqlkit.Prefix(prefix) }

//go:embed migrations
var migrations embed.FS

var component = sqlkit.Component{Name: "segment", Embedded: migrations, Lock: `DELETE FROM segment_head WHERE id = 0`}

// Files holds the migrations as plain SQL, <dialect>/0001_segment.sql and so on, for
// who applies them with a tool of their own instead of [Store.Migrate]; such a tool
// creates the schema of a prefix itself.
func Files(options ...Option) fs.FS { return component.Files(options) }

// Store is a [segment.Store] on a database. It is safe for concurrent use,
// unless it is bound to a transaction.
type Store struct {
	d     Dialect
	pool  *sqlkit.Pool
	bound *sqlkit.Bound // nil outside of a caller's transaction
	*statements
}

var _ segment.Purger = (*Store)(nil)

// New makes a store on a database that the caller opened and closes.
func New(db *sql.DB, dialect Dialect, options ...Option) (*Store, error) {
	pool, err := component.Open(db, dialect, options)
	if err != nil {
		return nil, fmt.Errorf("segmentsql: %w", err)
	}
	return &Store{d: dialect, pool: pool, statements: newStatements(dialect)}, nil
}

// Migrate creates or updates the tables. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error { return wrap(s.pool.Migrate(ctx)) }

// WithTx is the store inside a transaction of the caller; see the package page
// for what that means to an engine. After an error it is of no more use.
func (s *Store) WithTx(tx *sql.Tx) *Store {
	in := *s
	in.bound = s.pool.Bind(tx)
	return &in
}

func (s *Store) run(ctx context.Context, outside func(context.Context, func(sqlkit.Executor) error) error, f func(sqlkit.Executor) error) error {
	if s.bound != nil {
		return s.bound.Run(f, inside)
	}
	return wrap(outside(ctx, f))
}

// inside names an error that the caller's transaction ends with.
func inside(err error) error {
	if sqlkit.Retryable(err) {
		err = fmt.Errorf("%w: %w", segment.ErrConflict, err)
	}
	return wrap(err)
}

func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlkit.ErrGuard) || sqlkit.IsUnique(err):
		return fmt.Errorf("segmentsql: %w: %w", segment.ErrConflict, err)
	}
	return fmt.Errorf("segmentsql: %w", err)
}

// Load implements [segment.Store].
func (s *Store) Load(ctx context.Context) (cp segment.Checkpoint, err error) {
	err = s.run(ctx, s.pool.Do, func(ex sqlkit.Executor) error {
		cp = segment.Checkpoint{}
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error { return r.Scan(&cp.Position, &cp.Data) }, s.checkpoint)
	})
	return cp, err
}

// Inputs implements [segment.Store].
func (s *Store) Inputs(ctx context.Context, after uint64, limit int) (out []segment.Input, err error) {
	err = s.run(ctx, s.pool.Do, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var in segment.Input
			err := r.Scan(&in.Position, &in.Data)
			out = append(out, in)
			return err
		}, s.inputs, int64(after), int64(limit))
	})
	return out, err
}

// Transitions implements [segment.Store]. The feed has no gaps, so that one
// behind the position, or an end before the head's, tells what was purged.
func (s *Store) Transitions(ctx context.Context, after uint64, limit int) (out []segment.Transition, err error) {
	var last int64
	err = s.run(ctx, s.pool.Do, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			t, err := scanTransition(r, &last)
			if t.Seq > 0 {
				out = append(out, t)
			}
			return err
		}, s.transitions, int64(min(after, math.MaxInt64)), int64(limit))
	})
	oldest := uint64(last)
	if len(out) > 0 {
		oldest = out[0].Seq - 1
	}
	if err == nil && after < oldest && limit > 0 {
		return nil, wrap(&segment.ExpiredError{Oldest: oldest})
	}
	return out, err
}

// purgeAtOnce is how many rows are removed in one transaction.
const purgeAtOnce = 10_000

// Purge implements [segment.Purger], in transactions of 10,000 rows.
func (s *Store) Purge(ctx context.Context, before time.Time) (removed int, err error) {
	outside := s.pool.Do
	if s.d == SQLite {
		outside = s.pool.Write
	}
	for {
		var n int64
		err := s.run(ctx, outside, func(ex sqlkit.Executor) error {
			r, err := ex.ExecContext(ctx, s.purge, s.d.Time(before), int64(purgeAtOnce))
			if err != nil {
				return err
			}
			n, err = r.RowsAffected()
			return err
		})
		removed += int(n)
		if err != nil || n < purgeAtOnce {
			return removed, err
		}
	}
}

func scanTransition(r *sql.Rows, last *int64) (t segment.Transition, err error) {
	var seq, change sql.NullInt64
	var id, name, definition, customer, kind, cause, event, mode sql.NullString
	var effective, detected sqlkit.Time
	err = r.Scan(last, &seq, &id, &name, &definition, &customer, &kind, &effective, &detected, &cause, &change, &event, &mode)
	if err != nil || !seq.Valid {
		return t, err
	}
	t.Seq, t.ID, t.Segment, t.Definition, t.Cause.Change = uint64(seq.Int64), id.String, name.String, definition.String, uint64(change.Int64)
	for _, k := range [...]segment.TransitionKind{segment.Entered, segment.Exited} {
		if k.String() == kind.String {
			t.Kind = k
		}
	}
	for k := segment.ByEvent; k <= segment.ByHandOver; k++ {
		if k.String() == cause.String {
			t.Cause.Kind = k
		}
	}
	if mode.String == profile.Backfill.String() {
		t.Mode = profile.Backfill
	}
	t.Customer, t.Cause.Event = profile.ID(customer.String), event.String
	t.EffectiveAt, t.DetectedAt = effective.Time, detected.Time
	return t, nil
}

// Commit implements [segment.Store]: one statement on PostgreSQL, one
// transaction on SQLite.
func (s *Store) Commit(ctx context.Context, c segment.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts := s.parts(&c)
	outside := s.pool.Do
	if s.d == SQLite {
		outside = s.pool.Add // its first statement writes the head
	}
	return s.run(ctx, outside, func(ex sqlkit.Executor) error { return sqlkit.Exec(ctx, s.d, ex, parts) })
}

func (s *Store) parts(c *segment.Commit) []sqlkit.Part {
	last := int64(c.After) + int64(len(c.Inputs))
	head := sqlkit.Part{Statement: s.head, Rows: [][]any{{last, int64(1), int64(c.After)}}}
	if n := len(c.Transitions); n > 0 {
		head = sqlkit.Part{Statement: s.heads, Rows: [][]any{{
			last, int64(c.Transitions[n-1].Seq), int64(1), int64(c.After), int64(c.Transitions[0].Seq) - 1,
		}}}
	}
	var erased, checkpoint, dropped, inputs, transitions [][]any
	if len(c.Erased) > 0 {
		ids := make([]string, len(c.Erased))
		for i, id := range c.Erased {
			ids[i] = string(id)
		}
		erased = [][]any{{s.d.List(ids)}}
	}
	done := uint64(0)
	if c.Checkpoint != nil {
		done = c.Checkpoint.Position
		checkpoint = [][]any{{int64(1), int64(done), c.Checkpoint.Data}}
		dropped = [][]any{{int64(done)}}
	}
	for _, in := range c.Inputs {
		if c.Checkpoint == nil || in.Position > done {
			inputs = append(inputs, []any{int64(in.Position), in.Data})
		}
	}
	for i := range c.Transitions {
		t := &c.Transitions[i]
		var customer any
		if !slices.Contains(c.Erased, t.Customer) {
			customer = sqlkit.Text(string(t.Customer))
		}
		transitions = append(transitions, []any{
			int64(t.Seq), t.ID, t.Segment, t.Definition, customer, t.Kind.String(), s.d.Time(t.EffectiveAt), s.d.Time(t.DetectedAt),
			t.Cause.Kind.String(), int64(t.Cause.Change), sqlkit.Text(t.Cause.Event), t.Mode.String(),
		})
	}
	return []sqlkit.Part{
		head,
		{Statement: s.erase, Rows: erased},
		{Statement: s.dropInputs, Rows: dropped},
		{Statement: s.putCheckpoint, Rows: checkpoint},
		{Statement: s.putInputs, Rows: inputs},
		{Statement: s.putTransitions, Rows: transitions},
	}
}

// statements are the texts of a dialect.
type statements struct {
	checkpoint, inputs, transitions, purge string

	head, heads, erase, dropInputs, putCheckpoint, putInputs, putTransitions *sqlkit.Statement
}

func newStatements(d Dialect) *statements {
	const transition = "seq:bigint id segment definition customer kind effective_at:timestamptz detected_at:timestamptz " +
		"cause cause_change:bigint cause_event mode"
	id := sqlkit.Columns("id:bigint")
	input, both := sqlkit.Columns("last_input:bigint"), sqlkit.Columns("last_input:bigint last_transition:bigint")
	return &statements{
		checkpoint: "SELECT position, data FROM segment_checkpoint WHERE id = 1",
		inputs:     d.Bind("SELECT position, data FROM segment_input WHERE position > $1 ORDER BY position LIMIT $2"),
		transitions: d.Bind("SELECT h.last_transition, t.seq, t.id, t.segment, t.definition, t.customer, t.kind, t.effective_at, t.detected_at, " +
			"t.cause, t.cause_change, t.cause_event, t.mode FROM segment_head h LEFT JOIN " +
			"(SELECT * FROM segment_transition WHERE seq > $1 ORDER BY seq LIMIT $2) t ON h.id = 1 WHERE h.id = 1 ORDER BY t.seq"),
		purge: "DELETE FROM segment_transition WHERE seq < coalesce(" +
			"(SELECT seq FROM segment_transition WHERE seq > 0 AND detected_at >= $1 ORDER BY seq LIMIT 1), " +
			"(SELECT last_transition + 1 FROM segment_head WHERE id = 1)) " +
			"AND seq < (SELECT seq + $2 FROM segment_transition WHERE seq > 0 ORDER BY seq LIMIT 1)",
		head:       sqlkit.Update("segment_head", input, id, input),
		heads:      sqlkit.Update("segment_head", both, id, both),
		erase:      sqlkit.Command(d, "UPDATE segment_transition SET customer = NULL WHERE "+d.Any("customer", 1)),
		dropInputs: sqlkit.Command(d, "DELETE FROM segment_input WHERE position <= $1"),
		putCheckpoint: sqlkit.Insert("segment_checkpoint", sqlkit.Columns("id:bigint position:bigint data:bytea"),
			"ON CONFLICT (id) DO UPDATE SET position = excluded.position, data = excluded.data"),
		putInputs:      sqlkit.Insert("segment_input", sqlkit.Columns("position:bigint data:bytea"), ""),
		putTransitions: sqlkit.Insert("segment_transition", sqlkit.Columns(transition), ""),
	}
}
