package journeysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// written are the rows of a batch as the tables have them, each table's in the
// order of their keys, so that writers lock in the same order.
type written struct {
	t    *table
	rows [][]any
}

// versioned are the tables with compare-and-swap, in the order of locking.
var versioned = []*table{&contacts, &instances, &effects, &entries, &definitions}

func valuesOf[T any](d sqlkit.Dialect, t *table, rows []T, values func(sqlkit.Dialect, *T) ([]any, error)) (written, error) {
	w := written{t, make([][]any, len(rows))}
	for i := range rows {
		var err error
		if w.rows[i], err = values(d, &rows[i]); err != nil {
			return w, fmt.Errorf("%s: %w", t.name, err)
		}
	}
	slices.SortStableFunc(w.rows, func(a, b []any) int {
		for i := range t.keys {
			if c := strings.Compare(a[i].(string), b[i].(string)); c != 0 {
				return c
			}
		}
		return 0
	})
	return w, nil
}

func (s *Store) values(b *journey.Batch) ([]written, error) {
	var out []written
	var failed error
	add := func(w written, err error) {
		out = append(out, w)
		failed = errors.Join(failed, err)
	}
	d := s.dialect
	add(valuesOf(d, &contacts, b.Contacts, contactValues))
	add(valuesOf(d, &instances, b.Instances, instanceValues))
	add(valuesOf(d, &effects, b.Effects, effectValues))
	add(valuesOf(d, &entries, b.Entries, entryValues))
	add(valuesOf(d, &definitions, b.Definitions, definitionValues))
	return out, failed
}

// Commit implements [journey.Store]: on PostgreSQL with one statement, on SQLite with
// one prepared statement a row. A batch that erases takes a few more.
func (s *Store) Commit(ctx context.Context, b *journey.Batch) error {
	rows, err := s.values(b)
	if err != nil {
		return wrap(err)
	}
	run := s.write
	if s.dialect == sqlkit.Postgres && len(b.Erase) == 0 {
		run = s.read // one statement needs no transaction around it
	}
	return run(ctx, func(ex sqlkit.Executor) error {
		force := len(b.Erase) > 0
		if force {
			if err := s.takeLock(ctx, ex); err != nil {
				return err
			}
			if err := s.check(ctx, ex, b, rows); err != nil {
				return err
			}
			ids := s.dialect.List(idsOf(b.Erase))
			for _, e := range s.erase {
				if _, err := ex.ExecContext(ctx, e.text, slices.Repeat([]any{ids}, e.params)...); err != nil {
					return err
				}
			}
		}
		if s.dialect == sqlkit.Postgres {
			return s.putAll(ctx, ex, b, rows, force)
		}
		return s.putEach(ctx, ex, b, rows, force)
	})
}

func conflict(what string) error { return fmt.Errorf("%w: %s", journey.ErrConflict, what) }

// unique names what a row that is there already means.
func unique(err error, what string) error {
	if sqlkit.IsUnique(err) {
		return conflict(what)
	}
	return err
}

// putEach writes row by row, for SQLite.
func (s *Store) putEach(ctx context.Context, ex sqlkit.Executor, b *journey.Batch, rows []written, force bool) error {
	if len(b.Inputs) > 0 {
		w, err := valuesOf(s.dialect, &inputs, b.Inputs, inputValues)
		if err != nil {
			return err
		}
		if _, err := s.addInput.run(ctx, ex, w.rows); err != nil {
			return unique(err, "input")
		}
	}
	for _, w := range rows {
		version := w.t.index("row_version")
		p := s.puts[w.t]
		var there []string
		var fresh [][]any
		for _, row := range w.rows {
			expect := row[version].(int64) - 1
			if expect == 0 {
				fresh = append(fresh, row)
				continue
			}
			if err := putRow(ctx, ex, w.t, p, row, expect, force); err != nil {
				return err
			}
			there = append(there, row[0].(string))
		}
		if _, err := p.insert.run(ctx, ex, fresh); err != nil {
			return unique(err, w.t.name)
		}
		if p.unclaim != "" && len(there) > 1 { // that of a single row is left to the next claim
			if _, err := ex.ExecContext(ctx, p.unclaim, s.dialect.List(there)); err != nil {
				return err
			}
		}
	}
	var last sql.Result
	var same [][]any // lines of one width that are not written yet
	for i := range b.History {
		v, err := recordValues(s.dialect, &b.History[i], false)
		if err != nil {
			return err
		}
		same = append(same, v)
		if i+1 < len(b.History) && wide(&b.History[i]) == wide(&b.History[i+1]) {
			continue
		}
		p := &s.addMove
		if wide(&b.History[i]) {
			p = &s.addLine
		}
		if last, err = p.run(ctx, ex, same); err != nil {
			return err
		}
		same = same[:0]
	}
	if last == nil {
		return nil
	}
	if err := s.place(ctx, ex, b.History, last); err != nil {
		return err
	}
	return s.own(ctx, ex, b)
}

// historyBlock is how many lines of history a block has, as in the migrations.
const historyBlock = 1024

// place notes in which blocks of the history journeys have lines. last is the
// insert of the last line; they have been numbered one after the other.
func (s *Store) place(ctx context.Context, ex sqlkit.Executor, lines []journey.Record, last sql.Result) error {
	end, err := last.LastInsertId()
	if err != nil {
		return err
	}
	type block struct {
		journey string
		n       int64
	}
	noted := map[block]bool{}
	for i := range lines {
		b := block{lines[i].Journey, (end - int64(len(lines)-1-i)) / historyBlock}
		if noted[b] {
			continue
		}
		noted[b] = true
		if _, err := ex.ExecContext(ctx, s.addBlock, b.journey, b.n); err != nil {
			return err
		}
	}
	return nil
}

// own notes which customers have lines of an instance that is not theirs.
func (s *Store) own(ctx context.Context, ex sqlkit.Executor, b *journey.Batch) error {
	type pair struct {
		instance string
		customer profile.ID
	}
	known := make(map[pair]bool, len(b.Instances))
	for i := range b.Instances {
		in := &b.Instances[i].Instance
		known[pair{in.ID, in.Customer}] = true
	}
	for i := range b.History {
		p := pair{b.History[i].Instance, b.History[i].Customer}
		if known[p] {
			continue
		}
		known[p] = true
		if _, err := ex.ExecContext(ctx, s.addOwner, string(p.customer), p.instance, p.instance, string(p.customer)); err != nil {
			return err
		}
	}
	return nil
}

// putRow writes a row that is there.
func putRow(ctx context.Context, ex sqlkit.Executor, t *table, p put, row []any, expect int64, force bool) error {
	updates := p.updates
	if t.over(row) {
		updates = updates[1:]
	}
	for i := range updates {
		if p.moving != "" && i == len(updates)-1 {
			if _, err := ex.ExecContext(ctx, p.moving, row[0], row[customerColumn]); err != nil {
				return err
			}
		}
		if n, err := updates[i].run(ctx, ex, row, expect); err != nil || n > 0 {
			return err
		}
	}
	if !force {
		return conflict(t.name)
	}
	_, err := p.insert.run(ctx, ex, [][]any{row}) // erased a moment ago
	return unique(err, t.name)
}

func (u *update) run(ctx context.Context, ex sqlkit.Executor, row []any, expect int64) (int64, error) {
	args := make([]any, len(u.take))
	for i, at := range u.take {
		if at < 0 {
			args[i] = expect
		} else {
			args[i] = row[at]
		}
	}
	r, err := ex.ExecContext(ctx, u.text, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// commitKey names the form of PostgreSQL's commit.
type commitKey struct {
	tables         int // a bit for each of versioned
	input, history bool
	force          bool
}

// commitText is PostgreSQL's commit: every table's rows in one statement, which
// fails as a whole, by a division by zero, where a row was not written.
func commitText(k commitKey) string {
	var with, all []string
	n := 1
	add := func(t *table, text string) {
		with = append(with, text)
		all = append(all, t.written())
		n += len(t.columns)
	}
	plain := func(t *table, ordinal string) string {
		return fmt.Sprintf("v_%[1]s AS (SELECT * FROM %[2]s WITH ORDINALITY AS u(%[3]s, ordinal)), "+
			"put_%[1]s AS (INSERT INTO %[1]s (%[3]s) SELECT %[3]s FROM v_%[1]s ORDER BY ordinal%[4]s RETURNING 1)",
			t.name, sqlkit.Unnest(t.columns, n), names(t.columns), ordinal)
	}
	if k.input {
		add(&inputs, plain(&inputs, " ON CONFLICT DO NOTHING"))
	}
	for i, t := range versioned {
		if k.tables&(1<<i) != 0 {
			add(t, t.upsert(n, k.force))
		}
	}
	if k.history {
		add(&history, plain(&history, ""))
	}
	return "WITH " + strings.Join(with, ", ") + " SELECT 1 / CASE WHEN " + strings.Join(all, " AND ") + " THEN 1 ELSE 0 END"
}

// putAll writes everything at once, for PostgreSQL.
func (s *Store) putAll(ctx context.Context, ex sqlkit.Executor, b *journey.Batch, rows []written, force bool) error {
	key := commitKey{force: force, input: len(b.Inputs) > 0, history: len(b.History) > 0}
	var args []any
	add := func(t *table, rows [][]any) error {
		lists, err := sqlkit.Arrays(t.columns, rows)
		args = append(args, lists...)
		return err
	}
	if key.input {
		w, err := valuesOf(s.dialect, &inputs, b.Inputs, inputValues)
		if err := errors.Join(err, add(&inputs, w.rows)); err != nil {
			return err
		}
	}
	for i, w := range rows {
		if len(w.rows) == 0 {
			continue
		}
		key.tables |= 1 << i
		if err := add(w.t, w.rows); err != nil {
			return err
		}
	}
	if key.history {
		lines := make([][]any, len(b.History))
		for i := range b.History {
			var err error
			if lines[i], err = recordValues(s.dialect, &b.History[i], true); err != nil {
				return err
			}
		}
		if err := add(&history, lines); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		return nil
	}
	text, ok := s.commits.Load(key)
	if !ok {
		text, _ = s.commits.LoadOrStore(key, commitText(key))
	}
	_, err := ex.ExecContext(ctx, text.(string), args...)
	if unwritten(err) {
		return conflict("a row has changed")
	}
	return unique(err, "a row is there already")
}

// unwritten reports the error by which PostgreSQL's commit says that a row was not written.
func unwritten(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "22012"
}

// check compares versions before an erasure takes the rows away.
func (s *Store) check(ctx context.Context, ex sqlkit.Executor, b *journey.Batch, rows []written) error {
	for i := range b.Inputs {
		var n int64
		err := ex.QueryRowContext(ctx, s.dialect.Bind("SELECT COUNT(*) FROM journey_input WHERE id = $1"), b.Inputs[i].ID).Scan(&n)
		switch {
		case err != nil:
			return err
		case n > 0:
			return conflict("input")
		}
	}
	for _, w := range rows {
		version := w.t.index("row_version")
		var where []string
		for i, c := range w.t.columns[:w.t.keys] {
			where = append(where, fmt.Sprintf("t.%s = $%d", c.Name, i+1))
		}
		text := "SELECT " + w.t.selected(s.dialect, w.t.columns[version]) + " " + w.t.from(s.dialect) + " WHERE " + strings.Join(where, " AND ") + s.dialect.ForUpdate("t")
		for _, row := range w.rows {
			var n int64
			err := ex.QueryRowContext(ctx, s.dialect.Bind(text), row[:w.t.keys]...).Scan(&n)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if n != row[version].(int64)-1 {
				return conflict(w.t.name)
			}
		}
	}
	return nil
}
