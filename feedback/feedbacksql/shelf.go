package feedbacksql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// shelf is a table of records: an ID, columns to select by, the record as JSON,
// its version.
type shelf[R any] struct {
	name    string
	columns []sqlkit.Column
	// describe gives the record's ID and the values of its columns.
	describe func(d sqlkit.Dialect, r *R) (id string, values []any)
	version  func(r *R) *uint64

	insert, update, delete *sqlkit.Statement
}

func newShelf[R any](name, columns string, describe func(sqlkit.Dialect, *R) (string, []any), version func(*R) *uint64) *shelf[R] {
	id, stored := sqlkit.Columns("id"), sqlkit.Columns("record:jsonb row_version:bigint")
	s := &shelf[R]{name: name, columns: sqlkit.Columns(columns), describe: describe, version: version}
	sets := slices.Concat(s.columns, stored)
	s.insert = sqlkit.Insert(name, slices.Concat(id, sets), "")
	s.update = sqlkit.Update(name, sets, id, sqlkit.Columns("row_version:bigint"))
	s.delete = sqlkit.Delete(name, id, sqlkit.Columns("row_version:bigint"))
	return s
}

// changes are what a commit writes.
type changes struct {
	d      sqlkit.Dialect
	parts  []sqlkit.Part
	absent []func(context.Context, sqlkit.Executor) error // checks, made first
	err    error
}

// change deletes and puts records, each kind sorted by ID, so that commits lock
// rows in one order.
func (s *shelf[R]) change(c *changes, deleted, put []R) {
	var deletes, inserts, updates [][]any
	for i := range deleted {
		id, _ := s.describe(c.d, &deleted[i])
		version := *s.version(&deleted[i])
		if version == 0 {
			c.absent = append(c.absent, func(ctx context.Context, ex sqlkit.Executor) error { return s.absent(ctx, c.d, ex, id) })
			continue
		}
		deletes = append(deletes, []any{id, int64(version)})
	}
	for _, r := range put {
		version := *s.version(&r)
		*s.version(&r) = 0
		text, err := json.Marshal(r)
		if err != nil {
			c.err = fmt.Errorf("%s: %w", s.name, err)
			return
		}
		id, values := s.describe(c.d, &r)
		stored := append(values, string(text), int64(version+1))
		if version == 0 {
			inserts = append(inserts, append([]any{id}, stored...))
		} else {
			updates = append(updates, append(stored, id, int64(version)))
		}
	}
	sorted := func(statement *sqlkit.Statement, rows [][]any, at int) {
		slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(a[at].(string), b[at].(string)) })
		if len(rows) > 0 {
			c.parts = append(c.parts, sqlkit.Part{Statement: statement, Rows: rows})
		}
	}
	sorted(s.delete, deletes, 0)
	sorted(s.insert, inserts, 0)
	sorted(s.update, updates, len(s.columns)+2)
}

// absent fails where there is a record.
func (s *shelf[R]) absent(ctx context.Context, d sqlkit.Dialect, ex sqlkit.Executor, id string) error {
	var n int
	err := ex.QueryRowContext(ctx, d.Bind("SELECT count(*) FROM "+s.name+" t WHERE t.id = $1"), id).Scan(&n)
	if err == nil && n != 0 {
		err = sqlkit.ErrGuard
	}
	return err
}

// lookUp is one statement that finds records of several shelves.
type lookUp struct {
	d    sqlkit.Dialect
	lock bool // the records found

	with, parts []string
	args        []any
	found       []func(record []byte, version int64) error
}

// find adds the records with these IDs to what is looked up.
func (s *shelf[R]) find(l *lookUp, ids []string, out *[]R) {
	if len(ids) == 0 {
		return
	}
	n := len(l.args) + 1
	where, arg := fmt.Sprintf("t.id = $%d", n), any(ids[0])
	if len(ids) > 1 {
		where, arg = l.d.Any("t.id", n), l.d.List(ids)
	}
	from := s.name + " t WHERE " + where
	if lock := l.d.ForUpdate("t"); l.lock && lock != "" {
		l.with = append(l.with, fmt.Sprintf("l%d AS MATERIALIZED (SELECT t.record, t.row_version FROM %s ORDER BY t.id%s)", n, from, lock))
		from = fmt.Sprintf("l%d t", n)
	}
	l.parts = append(l.parts, fmt.Sprintf("SELECT %d, t.record, t.row_version FROM %s", len(l.found), from))
	l.args = append(l.args, arg)
	l.found = append(l.found, func(record []byte, version int64) error {
		r, err := s.decode(record, version)
		*out = append(*out, r)
		return err
	})
}

// run is the look-up; a second run finds everything anew.
func (l *lookUp) run(ctx context.Context) func(sqlkit.Executor) error {
	text := strings.Join(l.parts, " UNION ALL ")
	if len(l.with) > 0 {
		text = "WITH " + strings.Join(l.with, ", ") + " " + text
	}
	text = l.d.Bind(text)
	return func(ex sqlkit.Executor) error {
		if text == "" {
			return nil
		}
		type row struct {
			shelf   int
			record  []byte
			version int64
		}
		var rows []row
		err := sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var one row
			err := r.Scan(&one.shelf, &one.record, &one.version)
			rows = append(rows, one)
			return err
		}, text, l.args...)
		for i := 0; err == nil && i < len(rows); i++ {
			err = l.found[rows[i].shelf](rows[i].record, rows[i].version)
		}
		return err
	}
}

func (s *shelf[R]) decode(record []byte, version int64) (R, error) {
	var r R
	if err := json.Unmarshal(record, &r); err != nil {
		return r, fmt.Errorf("%s: %w", s.name, err)
	}
	*s.version(&r) = uint64(version)
	return r, nil
}

func (s *shelf[R]) scan(ctx context.Context, ex sqlkit.Executor, text string, args ...any) ([]R, error) {
	var out []R
	err := sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
		var record []byte
		var version int64
		if err := rows.Scan(&record, &version); err != nil {
			return err
		}
		r, err := s.decode(record, version)
		out = append(out, r)
		return err
	}, text, args...)
	return out, err
}

// filter is a condition on a column: "=", ">=", "<".
type filter struct {
	column, op string
	value      any
}

// page reads records in the order of (at, id), from behind a place on.
func (s *shelf[R]) page(ctx context.Context, d sqlkit.Dialect, ex sqlkit.Executor, at string, filters []filter, more string, afterTime time.Time, afterID string, limit int) ([]R, error) {
	var where []string
	var args []any
	for _, f := range filters {
		args = append(args, f.value)
		where = append(where, fmt.Sprintf("t.%s %s $%d", f.column, f.op, len(args)))
	}
	if !afterTime.IsZero() || afterID != "" {
		args = append(args, d.Time(afterTime), afterID)
		where = append(where, fmt.Sprintf("(t.%s, t.id) > ($%d, $%d)", at, len(args)-1, len(args)))
	}
	if more != "" {
		where = append(where, more)
	}
	text := "SELECT t.record, t.row_version FROM " + s.name + " t"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, int64(limit))
	return s.scan(ctx, ex, d.Bind(fmt.Sprintf("%s ORDER BY t.%s, t.id LIMIT $%d", text, at, len(args))), args...)
}

// spanned are the filters of a customer and a span of time.
func spanned(d sqlkit.Dialect, at, customer string, from, to time.Time) []filter {
	var out []filter
	if customer != "" {
		out = append(out, filter{"customer", "=", customer})
	}
	if !from.IsZero() {
		out = append(out, filter{at, ">=", d.Time(from)})
	}
	if !to.IsZero() {
		out = append(out, filter{at, "<", d.Time(to)})
	}
	return out
}
