package sqltest

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
)

var (
	growthFrom = flag.Int("bench.from", 10_000, "customers in the tables where the benchmark of growth begins")
	growthTo   = flag.Int("bench.to", 100_000, "customers in the tables where it ends; 10,000,000 want 30 GB of disk and an hour")
)

// BenchmarkGrowth times an operation over the rows of few customers and over
// those of many, which are the rows of the operation multiplied: keys in no
// order, identifiers that are minted by time in theirs.
func BenchmarkGrowth(b *testing.B) {
	for _, e := range []engine{benchStores[1], benchStores[2]} {
		for _, op := range operations {
			b.Run(e.name+"/"+op.name, func(b *testing.B) {
				few := newGrown(b, e, op, *growthFrom)
				many := newGrown(b, e, op, *growthTo)
				n := *benchOperations
				var at [2][]time.Duration
				for b.Loop() {
					require.Empty(b, at[0], "run it with -benchtime 1x")
					for i := range n {
						for side, g := range []*grown{few, many} {
							began := time.Now()
							require.NoError(b, g.do(context.Background(), i))
							at[side] = append(at[side], time.Since(began))
						}
					}
				}
				b.ReportMetric(middle(at[1])/middle(at[0]), "x-growth")
				b.ReportMetric(middle(at[0])*1e6, "us/few")
				b.ReportMetric(middle(at[1])*1e6, "us/many")
				b.ReportMetric(float64(many.bytes-few.bytes)/float64(*growthTo-*growthFrom), "B/customer")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// grown is an operation on tables with rows of many others.
type grown struct {
	do    func(context.Context, int) error
	bytes int64
}

func newGrown(b testing.TB, e engine, op operation, customers int) *grown {
	b.Helper()
	rec := recordRows(b, e, op, 3)
	db := e.open(b)
	do := op.begin(b, db, e.dialect, *benchOperations)
	multiply(b, db, e.dialect, rec, customers)
	g := &grown{do: do}
	text := "SELECT pg_database_size(current_database())"
	if e.dialect == sqlkit.SQLite {
		text = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	}
	require.NoError(b, db.QueryRow(text).Scan(&g.bytes))
	return g
}

// multiply inserts the rows that one operation left behind for so many others.
// A text that no other operation wrote is a key of its customer, and each of the
// others gets one of its own for it, also inside of documents.
func multiply(b testing.TB, db *sql.DB, d sqlkit.Dialect, rec *recording, n int) {
	b.Helper()
	rows := customerRows(rec, 1)
	keys := keysOf(rec)
	if d == sqlkit.SQLite {
		_, err := db.Exec("PRAGMA cache_size = -200000")
		require.NoError(b, err)
	}
	for ordinal, c := range rows {
		values := make([]string, len(c.table.columns))
		for i, v := range c.is {
			number := c.table.columns[i] == "arrival" || slices.Contains(c.table.key, i) && !rec.shared(c.table, i, v, keys)
			values[i] = valueSQL(d, c.table.types[i], v, number, ordinal, len(rows), keys)
		}
		from := fmt.Sprintf("generate_series(1, %d) AS g(i)", n)
		if d == sqlkit.SQLite {
			from = fmt.Sprintf("(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) SELECT i FROM g) AS g", n)
		}
		overriding := ""
		if c.table.given != "" {
			overriding = "OVERRIDING SYSTEM VALUE "
		}
		text := "INSERT INTO " + c.table.name + " (" + strings.Join(c.table.columns, ", ") + ") " + overriding + "SELECT " + strings.Join(values, ", ") + " FROM " + from
		_, err := db.Exec(text)
		require.NoError(b, err, text)
	}
	if d == sqlkit.Postgres {
		for _, text := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
			_, err := db.Exec(text)
			require.NoError(b, err)
		}
		return
	}
	var busy, log, moved int
	require.NoError(b, db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved))
}

// shared reports whether another customer has the same in a column.
func (rec *recording) shared(t *tableShape, column int, v any, own keys) bool {
	others := slices.Concat(rec.ops[0], rec.ops[2])
	for _, c := range rec.before {
		if !own.of(c) {
			others = append(others, c)
		}
	}
	return slices.ContainsFunc(others, func(c rowChange) bool { return c.table == t && c.is != nil && c.is[column] == v })
}

// of reports whether a row holds one of the keys.
func (k keys) of(c rowChange) bool {
	return slices.ContainsFunc(c.is, func(v any) bool {
		text, ok := textOf(v)
		return ok && k.in(text)
	})
}

// customerRows are the rows of one customer after all operations.
func customerRows(rec *recording, customer int) (out []rowChange) {
	at := map[string]int{}
	take := func(c rowChange) {
		key := c.table.name + c.table.keyOf(c.is)
		if i, ok := at[key]; ok {
			out[i] = c
			return
		}
		at[key] = len(out)
		out = append(out, c)
	}
	own := keysOf(rec)
	for _, c := range rec.before {
		if c.is != nil && own.of(c) {
			take(c)
		}
	}
	for _, c := range rec.ops[customer] {
		if c.is != nil && own.of(c) {
			take(c)
		}
	}
	return out
}

// words are what keys are made of.
var words = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-Za-z_+]{8,}`)

// keys are the words that only the second operation's rows hold.
type keys map[string]int

func (k keys) in(text string) bool {
	for _, w := range words.FindAllString(text, -1) {
		if _, ok := k[w]; ok {
			return true
		}
	}
	return false
}

func keysOf(rec *recording) keys {
	seen := [3]map[string]bool{}
	for i := range seen {
		seen[i] = map[string]bool{}
		for _, c := range rec.ops[i] {
			for _, v := range append(c.is[:len(c.is):len(c.is)], c.was...) {
				if text, ok := textOf(v); ok {
					for _, w := range words.FindAllString(text, -1) {
						seen[i][w] = true
					}
				}
			}
		}
	}
	out := keys{}
	for w := range seen[1] {
		if !seen[0][w] && !seen[2][w] {
			out[w] = len(out)
		}
	}
	return out
}

var uuidLike = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), json.Valid(v)
	}
	return "", false
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// valueSQL is the value of a column for customer g.i; number says that no two
// customers have the same.
func valueSQL(d sqlkit.Dialect, kind string, v any, number bool, ordinal, rows int, k keys) string {
	cast := func(text string) string {
		if d == sqlkit.Postgres {
			return "(" + text + ")::" + kind
		}
		return text
	}
	text, isText := textOf(v)
	switch {
	case v == nil:
		return "NULL"
	case isText && (d != sqlkit.SQLite || !sqliteTime.MatchString(text)):
		var parts []string
		at := 0
		for _, m := range words.FindAllStringIndex(text, -1) {
			w := text[m[0]:m[1]]
			number, ok := k[w]
			if !ok {
				continue
			}
			parts = append(parts, quoted(text[at:m[0]]), keySQL(d, w, number))
			at = m[1]
		}
		return cast(strings.Join(append(parts, quoted(text[at:])), " || "))
	case isText:
		return "strftime('%Y-%m-%dT%H:%M:%S', 1600000000 + g.i, 'unixepoch') || '.000000Z'"
	}
	switch v := v.(type) {
	case time.Time:
		return "timestamptz '2020-09-13' + g.i * interval '1 second'"
	case int64:
		if number {
			return fmt.Sprintf("%d + g.i * %d", 1_000_000+ordinal, rows)
		}
		return fmt.Sprint(v)
	case []byte:
		if d == sqlkit.Postgres {
			return fmt.Sprintf(`'\x%x'::bytea`, v)
		}
		return fmt.Sprintf("x'%x'", v)
	}
	return cast(quoted(fmt.Sprint(v)))
}

var sqliteTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)

// keySQL is a key of customer g.i: of the same length, in no order, but for those
// that are minted by time.
func keySQL(d sqlkit.Dialect, word string, number int) string {
	mixed := fmt.Sprintf("((g.i::bigint * 2654435761 + %d) %% 4294967296)", number)
	hex := func(of string, width int) string {
		return fmt.Sprintf("lpad(to_hex((%s)::bigint), %d, '0')", of, width)
	}
	if d == sqlkit.SQLite {
		mixed = fmt.Sprintf("((g.i * 2654435761 + %d) %% 4294967296)", number)
		hex = func(of string, width int) string { return fmt.Sprintf("printf('%%0%dx', %s)", width, of) }
	}
	if uuidLike.MatchString(word) {
		return quoted("01900000-") + " || " + hex("g.i / 65536", 4) + " || '-7000-8000-' || " + hex(fmt.Sprintf("g.i * 16 + %d", number%16), 12)
	}
	tail := ""
	if len(word) > 16 {
		tail = " || " + quoted(strings.Repeat("0", len(word)-16))
	}
	return hex(mixed, 8) + " || " + hex("g.i", 8) + tail
}

// BenchmarkThroughput is what one writer does in a second: events in batches of
// 100 new customers, steps of journeys, responses, and posts.
func BenchmarkThroughput(b *testing.B) {
	for _, e := range []engine{benchStores[1], benchStores[2]} {
		b.Run(e.name+"/observe-batch", func(b *testing.B) {
			ctx := context.Background()
			dir, err := profile.New(profile.Config{Store: profileStore(b, e.open(b), e.dialect), MaxAhead: -1})
			require.NoError(b, err)
			n := 0
			began := time.Now()
			for b.Loop() {
				batch := make([]profile.Event, 100)
				for i := range batch {
					batch[i] = benchEvent(n)
					n++
				}
				if _, err := dir.ObserveBatch(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(0, "ns/op")
		})
		for _, op := range operations {
			b.Run(e.name+"/"+op.name, func(b *testing.B) {
				const n = 1000
				do := op.begin(b, e.open(b), e.dialect, n)
				i := 0
				began := time.Now()
				for b.Loop() {
					if i == n {
						b.Fatal("run it with -benchtime 500x")
					}
					if err := do(context.Background(), i); err != nil {
						b.Fatal(err)
					}
					i++
				}
				b.ReportMetric(float64(i)/time.Since(began).Seconds(), op.name+"/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
