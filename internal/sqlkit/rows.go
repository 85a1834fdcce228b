package sqlkit

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Column is a column of a [Statement] with its PostgreSQL type: text, bigint,
// timestamptz, bytea, jsonb.
type Column struct {
	Name string
	Type string
}

// Columns reads a list such as "program seq:bigint at:timestamptz"; text is the default.
func Columns(list string) []Column {
	var out []Column
	for _, f := range strings.Fields(list) {
		name, kind, ok := strings.Cut(f, ":")
		if !ok {
			kind = "text"
		}
		out = append(out, Column{name, kind})
	}
	return out
}

// Statement writes many rows of values: an insert or a guarded update. On
// PostgreSQL the rows are sent as one array per column, and one row alone as its
// values: cheaper to read, and to the planner the same whatever they are, so that
// it soon keeps the plan. On SQLite the statement for one row is prepared once
// and run for each.
type Statement struct {
	columns []Column
	arrays  func(unnest string) string
	single  string
	// pieces are single between its parameters.
	pieces []string
	// guarded statements must affect every row.
	guarded bool
	// plain is a text with parameters of its own instead, run for each row.
	plain string
}

// Insert inserts rows. tail follows the rows: an ON CONFLICT clause, or nothing.
func Insert(table string, columns []Column, tail string) *Statement {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	head := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	return statement(columns, false,
		func(unnest string) string { return head + "SELECT * FROM " + unnest + " " + tail },
		head+"VALUES (?"+strings.Repeat(", ?", len(columns)-1)+") "+tail)
}

func statement(columns []Column, guarded bool, arrays func(unnest string) string, single string) *Statement {
	pieces := strings.Split(single, "?")
	for i := range columns {
		pieces[i+1] = "::" + columns[i].Type + pieces[i+1]
	}
	return &Statement{columns: columns, guarded: guarded, arrays: arrays, single: single, pieces: pieces}
}

// Update sets columns of the rows whose key columns, and guard columns, have
// the values given. It is guarded: a row that is not there, or not as the guard
// wants it, fails the whole with [ErrGuard]. The values of a row are those of
// sets, keys, guards, in this order.
func Update(table string, sets, keys, guards []Column) *Statement {
	var columns []Column
	var set, setArrays, where, whereArrays []string
	for i, c := range sets {
		columns = append(columns, c)
		set = append(set, c.Name+" = ?")
		setArrays = append(setArrays, fmt.Sprintf("%s = v.c%d", c.Name, i+1))
	}
	for _, c := range append(append([]Column(nil), keys...), guards...) {
		columns = append(columns, c)
		where = append(where, c.Name+" = ?")
		whereArrays = append(whereArrays, fmt.Sprintf("t.%s = v.c%d", c.Name, len(columns)))
	}
	return statement(columns, true,
		func(unnest string) string {
			return "UPDATE " + table + " t SET " + strings.Join(setArrays, ", ") + " FROM " + unnest + " WHERE " + strings.Join(whereArrays, " AND ")
		},
		"UPDATE "+table+" SET "+strings.Join(set, ", ")+" WHERE "+strings.Join(where, " AND "))
}

// Delete removes the rows whose key columns, and guard columns, have the values
// given. It is guarded, as [Update] is.
func Delete(table string, keys, guards []Column) *Statement {
	columns := append(append([]Column(nil), keys...), guards...)
	var where, whereArrays []string
	for i, c := range columns {
		where = append(where, c.Name+" = ?")
		whereArrays = append(whereArrays, fmt.Sprintf("t.%s = v.c%d", c.Name, i+1))
	}
	return statement(columns, true,
		func(unnest string) string {
			return "DELETE FROM " + table + " t USING " + unnest + " WHERE " + strings.Join(whereArrays, " AND ")
		},
		"DELETE FROM "+table+" WHERE "+strings.Join(where, " AND "))
}

// Command is a statement of any form that runs once for each row, which holds
// its parameters. It numbers them in the order of their use, each used once.
func Command(d Dialect, text string) *Statement {
	return &Statement{plain: text, single: d.Bind(text)}
}

// Part is a statement with the rows to write. A value is nil, string, int64,
// []byte, or what [Dialect.Time] gives.
type Part struct {
	*Statement
	Rows [][]any
}

// ErrGuard reports that a guarded update did not find every row as it wanted it.
var ErrGuard = errors.New("sqlkit: a row is not as expected")

// Exec writes all parts, or fails. On PostgreSQL it is one statement, and so one
// round trip and one transaction whether or not one was begun; on SQLite it
// must run inside a transaction, which an error leaves to be rolled back.
func Exec(ctx context.Context, d Dialect, ex Executor, parts []Part) error {
	if d == SQLite {
		for i := range parts {
			if err := parts[i].each(ctx, ex); err != nil {
				return err
			}
		}
		return nil
	}
	text, args, err := combined(parts)
	if err != nil || text == "" {
		return err
	}
	_, err = ex.ExecContext(ctx, text, args...)
	var state interface{ SQLState() string }
	if errors.As(err, &state) && state.SQLState() == "22012" {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	return err
}

// each runs the statement for one row after the other. Without a network
// between that is faster than one statement with many rows, which drivers bind
// in the square of its parameters.
func (p *Part) each(ctx context.Context, ex Executor) (err error) {
	run := func(args []any) (sql.Result, error) { return ex.ExecContext(ctx, p.single, args...) }
	if len(p.Rows) > 1 {
		st, err := ex.PrepareContext(ctx, p.single)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		run = func(args []any) (sql.Result, error) { return st.ExecContext(ctx, args...) }
	}
	for _, row := range p.Rows {
		r, err := run(row)
		if err != nil {
			return err
		}
		if !p.guarded {
			continue
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, ErrGuard)
		}
	}
	return nil
}

// combined makes one statement of all parts. Where a guarded update misses a
// row, its last line divides by zero, which undoes the whole.
func combined(parts []Part) (string, []any, error) {
	var b strings.Builder
	var args []any
	var guards []string
	n := 0
	for _, p := range parts {
		if len(p.Rows) == 0 {
			continue
		}
		if p.plain != "" {
			for _, row := range p.Rows {
				b.WriteString([]string{"WITH ", ", "}[min(n, 1)])
				fmt.Fprintf(&b, "p%d AS (%s RETURNING 1)", n, renumbered(p.plain, len(args)))
				args = append(args, row...)
				n++
			}
			continue
		}
		if len(p.Rows) == 1 {
			fmt.Fprintf(&b, "%sp%d AS (", []string{"WITH ", ", "}[min(n, 1)], n)
			p.numbered(&b, len(args))
			b.WriteString(" RETURNING 1)")
			args = append(args, p.Rows[0]...)
			if p.guarded {
				guards = append(guards, fmt.Sprintf("EXISTS (SELECT 1 FROM p%d)", n))
			}
			n++
			continue
		}
		unnest, more, err := p.unnest(len(args))
		if err != nil {
			return "", nil, err
		}
		args = append(args, more...)
		b.WriteString([]string{"WITH ", ", "}[min(n, 1)])
		fmt.Fprintf(&b, "p%d AS (%s RETURNING 1)", n, p.arrays(unnest))
		if p.guarded {
			args = append(args, int64(len(p.Rows)))
			guards = append(guards, fmt.Sprintf("(SELECT count(*) FROM p%d) = $%d", n, len(args)))
		}
		n++
	}
	if n == 0 {
		return "", nil, nil
	}
	if len(guards) == 0 {
		b.WriteString(" SELECT 1")
	} else {
		b.WriteString(" SELECT 1 / CASE WHEN " + strings.Join(guards, " AND ") + " THEN 1 ELSE 0 END")
	}
	return b.String(), args, nil
}

// numbered writes the statement for one row, its parameters numbered from the
// offset on.
func (s *Statement) numbered(b *strings.Builder, offset int) {
	for i, piece := range s.pieces {
		if i > 0 {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(offset + i))
			b.WriteString(piece)
			continue
		}
		b.WriteString(piece)
	}
}

// renumbered moves the numbers of a text's parameters up.
func renumbered(text string, by int) string {
	var b strings.Builder
	for n := 1; ; n++ {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		b.WriteString("$" + strconv.Itoa(n+by))
		text = strings.TrimPrefix(text[i+1:], strconv.Itoa(n))
	}
}

// unnest is the table expression v(c1, c2, …) of the rows, with its parameters
// numbered from the offset on.
func (p *Part) unnest(offset int) (string, []any, error) {
	args, err := Arrays(p.columns, p.Rows)
	if err != nil {
		return "", nil, err
	}
	names := make([]string, len(p.columns))
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
	}
	return Unnest(p.columns, offset+1) + " AS v(" + strings.Join(names, ", ") + ")", args, nil
}

// Unnest is the table function that turns the parameters from n on, one for
// each column, back into the rows given to [Arrays]. It is PostgreSQL's alone.
func Unnest(columns []Column, n int) string {
	lists := make([]string, len(columns))
	for i, c := range columns {
		lists[i] = fmt.Sprintf("$%d::%s[]", n+i, c.Type)
	}
	return "unnest(" + strings.Join(lists, ", ") + ")"
}

// Arrays writes rows as one PostgreSQL array per column.
func Arrays(columns []Column, rows [][]any) ([]any, error) {
	args := make([]any, len(columns))
	for i, c := range columns {
		lit, err := arrayLiteral(rows, i)
		if err != nil {
			return nil, fmt.Errorf("sqlkit: %s: %w", c.Name, err)
		}
		args[i] = lit
	}
	return args, nil
}

// arrayLiteral writes column c of the rows as the text of a PostgreSQL array,
// which every driver can send.
func arrayLiteral(rows [][]any, c int) (string, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		switch v := r[c].(type) {
		case nil:
			b.WriteString("NULL")
		case string:
			quoteArray(&b, v)
		case int64:
			b.WriteString(strconv.FormatInt(v, 10))
		case time.Time:
			b.WriteByte('"')
			b.WriteString(v.Format(postgresTime))
			b.WriteByte('"')
		case []byte:
			b.WriteString(`"\\x`)
			b.WriteString(hex.EncodeToString(v))
			b.WriteByte('"')
		default:
			return "", fmt.Errorf("no array of %T", v)
		}
	}
	b.WriteByte('}')
	return b.String(), nil
}
