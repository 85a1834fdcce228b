package sqlkit

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Column is a column of an [Insert] with its PostgreSQL type: text, bigint,
// timestamptz, bytea.
type Column struct {
	Name string
	Type string
}

// Insert writes many rows with one statement (SQLite: one for each few hundred
// parameters).
type Insert struct {
	table   string
	columns []Column
	tail    string
	head    string
	arrays  string // PostgreSQL: the whole statement
	single  string // SQLite: the statement for one row
}

// NewInsert prepares the texts of an insert. tail follows the rows: an ON
// CONFLICT clause, or nothing.
func NewInsert(table string, columns []Column, tail string) *Insert {
	in := &Insert{table: table, columns: columns, tail: tail}
	var names, unnest, alias []string
	for i, c := range columns {
		names = append(names, c.Name)
		unnest = append(unnest, "$"+strconv.Itoa(i+1)+"::"+c.Type+"[]")
		alias = append(alias, "c"+strconv.Itoa(i+1))
	}
	in.head = "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ")"
	in.arrays = in.head + " SELECT * FROM unnest(" + strings.Join(unnest, ", ") + ") AS v(" + strings.Join(alias, ", ") + ") " + tail
	in.single = in.values(1)
	return in
}

func (in *Insert) values(rows int) string {
	var b strings.Builder
	b.WriteString(in.head)
	b.WriteString(" VALUES ")
	n := 0
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range in.columns {
			if c > 0 {
				b.WriteByte(',')
			}
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		}
		b.WriteByte(')')
	}
	b.WriteByte(' ')
	b.WriteString(in.tail)
	return b.String()
}

// maxParameters bounds one SQLite statement: long texts cost more to parse than they save.
const maxParameters = 600

// Exec writes the rows, each with a value per column, and returns how many
// rows were affected. A value is nil, string, int64, []byte, or what [Dialect.Time] gives.
func (in *Insert) Exec(ctx context.Context, d Dialect, ex Executor, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if d == Postgres {
		args := make([]any, len(in.columns))
		for c := range in.columns {
			lit, err := arrayLiteral(rows, c)
			if err != nil {
				return 0, fmt.Errorf("sqlkit: %s.%s: %w", in.table, in.columns[c].Name, err)
			}
			args[c] = lit
		}
		return affected(ex.ExecContext(ctx, in.arrays, args...))
	}
	var total int64
	step := max(1, maxParameters/len(in.columns))
	for len(rows) > 0 {
		part := rows[:min(step, len(rows))]
		rows = rows[len(part):]
		text := in.single
		args := part[0]
		if len(part) > 1 {
			text = in.values(len(part))
			args = make([]any, 0, len(part)*len(in.columns))
			for _, r := range part {
				args = append(args, r...)
			}
		}
		n, err := affected(ex.ExecContext(ctx, text, args...))
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
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
