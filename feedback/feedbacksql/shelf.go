package feedbacksql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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

	insert, update *sqlkit.Statement
}

func newShelf[R any](name, columns string, describe func(sqlkit.Dialect, *R) (string, []any), version func(*R) *uint64) *shelf[R] {
	id, stored := sqlkit.Columns("id"), sqlkit.Columns("record:jsonb row_version:bigint")
	s := &shelf[R]{name: name, columns: sqlkit.Columns(columns), describe: describe, version: version}
	sets := slices.Concat(s.columns, stored)
	s.insert = sqlkit.Insert(name, slices.Concat(id, sets), "")
	s.update = sqlkit.Update(name, sets, id, sqlkit.Columns("row_version:bigint"))
	return s
}

// parts are the statements that put records, sorted by ID.
func (s *shelf[R]) parts(d sqlkit.Dialect, records []R) ([]sqlkit.Part, error) {
	var inserts, updates [][]any
	for _, r := range records {
		version := *s.version(&r)
		*s.version(&r) = 0
		text, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		id, values := s.describe(d, &r)
		stored := append(values, string(text), int64(version+1))
		if version == 0 {
			inserts = append(inserts, append([]any{id}, stored...))
		} else {
			updates = append(updates, append(stored, id, int64(version)))
		}
	}
	at := len(s.columns) + 2
	slices.SortFunc(inserts, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	slices.SortFunc(updates, func(a, b []any) int { return strings.Compare(a[at].(string), b[at].(string)) })
	return []sqlkit.Part{{Statement: s.insert, Rows: inserts}, {Statement: s.update, Rows: updates}}, nil
}

// remove deletes records that are at their versions; 0 is not there.
func (s *shelf[R]) remove(ctx context.Context, d sqlkit.Dialect, ex sqlkit.Executor, records []R) error {
	versions := make(map[string]uint64, len(records))
	var ids []string
	for i := range records {
		id, _ := s.describe(d, &records[i])
		versions[id] = *s.version(&records[i])
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		var have int64
		err := ex.QueryRowContext(ctx, "SELECT t.row_version FROM "+s.name+" t WHERE t.id = $1"+d.ForUpdate("t"), id).Scan(&have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if uint64(have) != versions[id] {
			return sqlkit.ErrGuard
		}
		if _, err := ex.ExecContext(ctx, "DELETE FROM "+s.name+" WHERE id = $1", id); err != nil {
			return err
		}
	}
	return nil
}

// find reads the records with these IDs; inside a caller's transaction it locks them.
func (s *shelf[R]) find(ctx context.Context, d sqlkit.Dialect, ex sqlkit.Executor, ids []string, lock bool) ([]R, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	text := "SELECT t.record, t.row_version FROM " + s.name + " t WHERE " + d.Any("t.id", 1) + " ORDER BY t.id"
	if lock {
		text += d.ForUpdate("t")
	}
	return s.scan(ctx, ex, text, d.List(ids))
}

func (s *shelf[R]) scan(ctx context.Context, ex sqlkit.Executor, text string, args ...any) ([]R, error) {
	var out []R
	err := sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
		var record []byte
		var version int64
		if err := rows.Scan(&record, &version); err != nil {
			return err
		}
		var r R
		if err := json.Unmarshal(record, &r); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		*s.version(&r) = uint64(version)
		out = append(out, r)
		return nil
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
	return s.scan(ctx, ex, fmt.Sprintf("%s ORDER BY t.%s, t.id LIMIT $%d", text, at, len(args)), args...)
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
