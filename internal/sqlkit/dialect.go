package sqlkit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Dialect is the engine behind a *sql.DB.
type Dialect uint8

// The dialects. Postgres stands for PostgreSQL 13 and later and for what
// speaks its protocol and SQL; SQLite for 3.38 and later.
const (
	SQLite Dialect = iota + 1
	Postgres
)

func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "sqlite"
	case Postgres:
		return "postgres"
	}
	return "dialect(" + strconv.Itoa(int(d)) + ")"
}

// Check refuses a dialect that is not one of the constants.
func (d Dialect) Check() error {
	if d != SQLite && d != Postgres {
		return fmt.Errorf("sqlkit: unknown %v", d)
	}
	return nil
}

// Any is the condition that a text column is one of the values of a [Dialect.List]
// given as parameter n.
func (d Dialect) Any(column string, n int) string {
	if d == Postgres {
		return fmt.Sprintf("%s = ANY($%d::text[])", column, n)
	}
	return fmt.Sprintf("%s IN (SELECT value FROM json_each($%d))", column, n)
}

// List is the parameter that goes with [Dialect.Any].
func (d Dialect) List(values []string) string {
	var b strings.Builder
	if d == Postgres {
		b.WriteByte('{')
		for i, v := range values {
			if i > 0 {
				b.WriteByte(',')
			}
			quoteArray(&b, v)
		}
		b.WriteByte('}')
		return b.String()
	}
	b.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		quoteJSON(&b, v)
	}
	b.WriteByte(']')
	return b.String()
}

// Value is the text given as parameter n, where a query selects it.
func (d Dialect) Value(n int) string {
	if d == Postgres {
		return fmt.Sprintf("$%d::text", n)
	}
	return fmt.Sprintf("$%d", n)
}

// Values is a query of one column over a [Dialect.List] given as parameter n.
// PostgreSQL does not see the list's length while it plans, as in [Dialect.Rows]:
// a plan for a short one would look cheaper than the one for all that it keeps,
// and so it would plan each time anew.
func (d Dialect) Values(n int) string {
	if d == Postgres {
		return fmt.Sprintf("SELECT unnest((SELECT $%d::text[]))", n)
	}
	return fmt.Sprintf("SELECT value FROM json_each($%d)", n)
}

// Rows is a query of some columns of text over a [Dialect.Table] given as the
// parameters from n on: one for each column on PostgreSQL, one alone on SQLite.
func (d Dialect) Rows(n, columns int) string {
	parts := make([]string, columns)
	for i := range parts {
		if d == Postgres {
			parts[i] = fmt.Sprintf("(SELECT $%d::text[])", n+i)
		} else {
			parts[i] = fmt.Sprintf("value ->> %d", i)
		}
	}
	if d == Postgres {
		return "SELECT * FROM unnest(" + strings.Join(parts, ", ") + ")"
	}
	return "SELECT " + strings.Join(parts, ", ") + fmt.Sprintf(" FROM json_each($%d)", n)
}

// Table is what goes with [Dialect.Rows]: rows of texts, at least one.
func (d Dialect) Table(rows [][]string) []any {
	if d == Postgres {
		out := make([]any, len(rows[0]))
		column := make([]string, len(rows))
		for c := range out {
			for i, r := range rows {
				column[i] = r[c]
			}
			out[c] = d.List(column)
		}
		return out
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(d.List(r))
	}
	b.WriteByte(']')
	return []any{b.String()}
}

// Bind rewrites a text that numbers its parameters in the order of their use,
// each used once, into the form that costs the engine's drivers least: SQLite's
// look up numbers by name.
func (d Dialect) Bind(text string) string {
	if d != SQLite {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		b.WriteByte('?')
		text = strings.TrimPrefix(text[i+1:], strconv.Itoa(n))
	}
}

// ForUpdate is the clause that locks the rows read until the transaction ends.
// SQLite locks the database instead. The table goes by its alias: a name with a
// schema is not taken there.
func (d Dialect) ForUpdate(table string) string {
	if d == Postgres {
		return " FOR UPDATE OF " + table
	}
	return ""
}

// sqliteTime has a fixed width, so that texts order as times do.
const sqliteTime = "2006-01-02T15:04:05.000000Z"

// postgresTime keeps the microsecond.
const postgresTime = "2006-01-02 15:04:05.999999Z"

// Time is the parameter for an instant; nil for the zero time.
func (d Dialect) Time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	if d == Postgres {
		return t.UTC()
	}
	return t.UTC().Format(sqliteTime)
}

// BeforeAll is the parameter for an instant before every other.
func (d Dialect) BeforeAll() any {
	if d == Postgres {
		return "-infinity"
	}
	return ""
}

// Time scans an instant of either engine; NULL is the zero time.
type Time struct{ time.Time }

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
		return nil
	case time.Time:
		t.Time = v.UTC()
		return nil
	case []byte:
		return t.parse(string(v))
	case string:
		return t.parse(v)
	}
	return fmt.Errorf("sqlkit: %T is no time", src)
}

func (t *Time) parse(s string) error {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("sqlkit: time: %w", err)
	}
	t.Time = at.UTC()
	return nil
}

// Text is the parameter for a text that may be absent: nil for the empty one.
func Text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func quoteArray(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
}

func quoteJSON(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
}
