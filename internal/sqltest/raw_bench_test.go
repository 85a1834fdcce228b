package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

var benchOperations = flag.Int("bench.operations", 200, "how many operations the benchmarks of single writes time")

// benchStores are what the benchmarks of operations run on. On SQLite "full"
// waits for the disk at each commit and "normal" does not; PostgreSQL does, and
// with "asynchronous" does not.
var benchStores = []engine{
	{"sqlite", sqlkit.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 2, "normal") }},
	{"sqlite full", sqlkit.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 2, "full") }},
	{"postgres", sqlkit.Postgres, func(t testing.TB) *sql.DB { return Postgres(t, 4) }},
	{"postgres asynchronous", sqlkit.Postgres, func(t testing.TB) *sql.DB {
		return open(t, "pgx", PostgresSource(t)+" synchronous_commit=off", 4)
	}},
}

// BenchmarkSingleWrite sets an operation beside SQL for the same rows: what the
// operation changes is recorded once, row by row, and then written again into a
// second database by statements for exactly these rows. "raw" is what a careful
// engineer writes: a transaction in which every row to change, and every key of
// the caller's, is read by its key, and every row is written by a prepared
// statement. "two" is what a specialist makes of it on PostgreSQL: one prepared
// statement that reads all and one that writes all. Neither decides anything,
// encodes anything, or notices that somebody else was faster.
func BenchmarkSingleWrite(b *testing.B) {
	for _, e := range benchStores {
		for _, op := range operations {
			b.Run(e.name+"/"+op.name, func(b *testing.B) {
				ctx := context.Background()
				n := *benchOperations
				recorded := recordRows(b, e, op, n)
				do := op.begin(b, e.open(b), e.dialect, n)
				raw := newReplay(b, e, op, recorded)
				var two *replay
				pairs := make([]pair, n)
				if e.dialect == sqlkit.Postgres {
					two = newReplay(b, e, op, recorded)
					for i := range pairs {
						pairs[i] = pairOf(recorded.ops[i])
					}
				}
				var ours, raws, twos []time.Duration
				timed := func(into *[]time.Duration, f func() error) {
					began := time.Now()
					err := f()
					*into = append(*into, time.Since(began))
					require.NoError(b, err)
				}
				for b.Loop() {
					require.Empty(b, ours, "run it with -benchtime 1x")
					for i := range n {
						timed(&ours, func() error { return do(ctx, i) })
						timed(&raws, func() error { return raw.one(ctx, recorded.ops[i]) })
						if two != nil {
							timed(&twos, func() error { return two.two(ctx, pairs[i]) })
						}
					}
				}
				b.ReportMetric(middle(ours)/middle(raws), "x-of-raw")
				if two != nil {
					b.ReportMetric(middle(ours)/middle(twos), "x-of-two")
				}
				b.ReportMetric(middle(ours)*1e6, "us/ours")
				b.ReportMetric(float64(recorded.written)/float64(n), "rows/op")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// middle is the median without the first tenth, in seconds.
func middle(d []time.Duration) float64 {
	d = slices.Sorted(slices.Values(d[len(d)/10:]))
	return d[len(d)/2].Seconds()
}

// tableShape is what the rows of a table look like.
type tableShape struct {
	name, given    string // given is a column whose value the engine gives
	columns, types []string
	key            []int // columns of the primary key
}

// row is the values of a table's row.
type row []any

func (t *tableShape) keyOf(r row) string {
	var b strings.Builder
	for _, i := range t.key {
		fmt.Fprintf(&b, "%v\x00", r[i])
	}
	return b.String()
}

// rowChange is a row before and after an operation; nil is absent.
type rowChange struct {
	table       *tableShape
	was, is     row
	looked      bool // its key is looked up first
	read, write string
}

// recording is the rows before the first operation, and what each then changed.
type recording struct {
	tables  []*tableShape
	before  []rowChange
	ops     [][]rowChange
	written int
}

// recordRows runs an operation for so many customers and keeps what it wrote.
func recordRows(b testing.TB, e engine, op operation, n int) *recording {
	b.Helper()
	ctx := context.Background()
	db := e.open(b)
	do := op.begin(b, db, e.dialect, n)
	rec := &recording{}
	var c component
	for _, c = range components {
		if c.name == op.component {
			break
		}
	}
	for _, name := range c.tables(b, e.dialect) {
		rec.tables = append(rec.tables, shapeOfTable(b, db, e.dialect, name))
	}
	have := make([]map[string]row, len(rec.tables))
	// differences takes in the tables as they are now.
	differences := func() (out []rowChange) {
		for i, t := range rec.tables {
			now := map[string]row{}
			err := sqlkit.Scan(ctx, db, func(r *sql.Rows) error {
				values, into := make(row, len(t.columns)), make([]any, len(t.columns))
				for c := range values {
					into[c] = &values[c]
				}
				err := r.Scan(into...)
				now[t.keyOf(values)] = values
				return err
			}, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name)
			require.NoError(b, err)
			for _, key := range slices.Sorted(maps.Keys(now)) {
				was := have[i][key]
				if was == nil || !slices.EqualFunc(was, now[key], func(x, y any) bool { return fmt.Sprint(x) == fmt.Sprint(y) }) {
					out = append(out, rowChange{table: t, was: was, is: now[key]})
				}
			}
			for _, key := range slices.Sorted(maps.Keys(have[i])) {
				if now[key] == nil {
					out = append(out, rowChange{table: t, was: have[i][key]})
				}
			}
			have[i] = now
		}
		return out
	}
	rec.before = differences()
	for i := range n {
		require.NoError(b, do(ctx, i))
		changes := differences()
		require.NotEmpty(b, changes)
		for i := range changes {
			c := &changes[i]
			c.looked = c.was != nil || slices.Contains(op.looks, c.table.name)
			c.statements(e.dialect)
		}
		rec.ops = append(rec.ops, changes)
		rec.written += len(changes)
	}
	return rec
}

func shapeOfTable(b testing.TB, db *sql.DB, d sqlkit.Dialect, name string) *tableShape {
	b.Helper()
	t := &tableShape{name: name}
	text := "SELECT c.column_name, c.data_type, k.column_name IS NOT NULL, c.is_identity = 'YES' FROM information_schema.columns c " +
		"LEFT JOIN information_schema.key_column_usage k ON k.table_name = c.table_name AND k.column_name = c.column_name " +
		"AND k.constraint_name = c.table_name || '_pkey' WHERE c.table_name = $1 AND c.table_schema = 'public' ORDER BY c.ordinal_position"
	if d == sqlkit.SQLite {
		text = "SELECT name, type, pk > 0, false FROM pragma_table_info($1) ORDER BY cid"
	}
	require.NoError(b, sqlkit.Scan(context.Background(), db, func(r *sql.Rows) error {
		var column, kind string
		var key, given bool
		err := r.Scan(&column, &kind, &key, &given)
		if given {
			t.given = column
		}
		if key {
			t.key = append(t.key, len(t.columns))
		}
		t.columns, t.types = append(t.columns, column), append(t.types, kind)
		return err
	}, text, name))
	require.NotEmpty(b, t.key, name)
	return t
}

// statements writes the texts for a change. The numbers of parameters are $1 …
// in the order of [rowChange.args].
func (c *rowChange) statements(d sqlkit.Dialect) {
	t, n := c.table, 0
	param := func(column int) string {
		if n++; d == sqlkit.SQLite {
			return "?"
		}
		return fmt.Sprintf("$%d::%s", n, t.types[column])
	}
	where := func() string {
		var out []string
		for _, i := range t.key {
			out = append(out, t.columns[i]+" = "+param(i))
		}
		return " WHERE " + strings.Join(out, " AND ")
	}
	var values []string
	switch {
	case c.is == nil:
		c.write = "DELETE FROM " + t.name + where()
	case c.was == nil:
		for i := range t.columns {
			values = append(values, param(i))
		}
		overriding := ""
		if t.given != "" {
			overriding = "OVERRIDING SYSTEM VALUE "
		}
		c.write = "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") " + overriding + "VALUES (" + strings.Join(values, ", ") + ")"
	default:
		for i, column := range t.columns {
			if !slices.Contains(t.key, i) {
				values = append(values, column+" = "+param(i))
			}
		}
		c.write = "UPDATE " + t.name + " SET " + strings.Join(values, ", ") + where()
	}
	n = 0
	c.read = "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name + where()
}

func (c *rowChange) keyArgs() (out []any) {
	r := c.is
	if r == nil {
		r = c.was
	}
	for _, i := range c.table.key {
		out = append(out, r[i])
	}
	return out
}

func (c *rowChange) args() (out []any) {
	switch {
	case c.is == nil:
		return c.keyArgs()
	case c.was == nil:
		return c.is
	}
	for i := range c.table.columns {
		if !slices.Contains(c.table.key, i) {
			out = append(out, c.is[i])
		}
	}
	return append(out, c.keyArgs()...)
}

// replay writes recorded rows by statements of its own.
type replay struct {
	db       *sql.DB
	d        sqlkit.Dialect
	prepared map[string]*sql.Stmt
	t        testing.TB
}

func newReplay(b testing.TB, e engine, op operation, rec *recording) *replay {
	b.Helper()
	ctx := context.Background()
	r := &replay{db: e.open(b), d: e.dialect, prepared: map[string]*sql.Stmt{}, t: b}
	for _, c := range components {
		if c.name == op.component {
			require.NoError(b, c.migrate(ctx, r.db, e.dialect))
		}
	}
	for _, t := range rec.tables {
		_, err := r.db.Exec("DELETE FROM " + t.name)
		require.NoError(b, err)
	}
	tx, err := r.db.BeginTx(ctx, nil)
	require.NoError(b, err)
	for _, c := range rec.before {
		c.statements(e.dialect)
		_, err := tx.ExecContext(ctx, c.write, c.args()...)
		require.NoError(b, err, c.write)
	}
	require.NoError(b, tx.Commit())
	return r
}

func (r *replay) statement(text string) (*sql.Stmt, error) {
	s := r.prepared[text]
	if s == nil {
		var err error
		if s, err = r.db.Prepare(text); err != nil {
			return nil, err
		}
		r.prepared[text] = s
		r.t.Cleanup(func() { require.NoError(r.t, s.Close()) })
	}
	return s, nil
}

// one is a transaction of a statement for each row.
func (r *replay) one(ctx context.Context, changes []rowChange) error {
	for i := range changes {
		for _, text := range []string{changes[i].read, changes[i].write} {
			if _, err := r.statement(text); err != nil {
				return err
			}
		}
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := range changes {
		if c := &changes[i]; c.looked {
			if err := drain(tx.StmtContext(ctx, r.prepared[c.read]).QueryContext(ctx, c.keyArgs()...)); err != nil {
				return err
			}
		}
	}
	for i := range changes {
		if _, err := tx.StmtContext(ctx, r.prepared[changes[i].write]).ExecContext(ctx, changes[i].args()...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// pair is what an operation changes as one statement that reads and one that
// writes.
type pair struct {
	read, write string
	keys, args  []any
}

func pairOf(changes []rowChange) (p pair) {
	var reads, writes []string
	for i := range changes {
		c := &changes[i]
		if c.looked {
			columns := strings.Join(c.table.columns, ", ")
			read := strings.Replace(c.read, columns, fmt.Sprintf("%d, ROW(%s)::text", i, columns), 1)
			reads = append(reads, renumber(read, len(p.keys)))
			p.keys = append(p.keys, c.keyArgs()...)
		}
		writes = append(writes, fmt.Sprintf("p%d AS (%s RETURNING 1)", i, renumber(c.write, len(p.args))))
		p.args = append(p.args, c.args()...)
	}
	p.read, p.write = strings.Join(reads, " UNION ALL "), "WITH "+strings.Join(writes, ", ")+" SELECT 1"
	return p
}

func (r *replay) two(ctx context.Context, p pair) error {
	if p.read != "" {
		read, err := r.statement(p.read)
		if err != nil {
			return err
		}
		if err := drain(read.QueryContext(ctx, p.keys...)); err != nil {
			return err
		}
	}
	write, err := r.statement(p.write)
	if err != nil {
		return err
	}
	_, err = write.ExecContext(ctx, p.args...)
	return err
}

// renumber moves the numbers of parameters up.
func renumber(text string, by int) string {
	return regexp.MustCompile(`\$\d+`).ReplaceAllStringFunc(text, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		return "$" + strconv.Itoa(n+by)
	})
}

// drain reads rows to their end.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return rows.Err()
}
