package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
)

var benchRows = flag.Int("bench.rows", 10_000, "customers that are in the tables before the benchmarks of customers begin")

// benchStores are what the benchmarks of customers run on.
var benchStores = []engine{
	{"sqlite", profilesql.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 2, "normal") }},
	{"sqlite full", profilesql.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 2, "full") }},
	{"postgres", profilesql.Postgres, func(t testing.TB) *sql.DB { return Postgres(t, 4) }},
}

// crowd fills the tables with customers that nobody meets: what is measured is
// the size of the tables and of their indexes.
func crowd(t testing.TB, db *sql.DB, d sqlkit.Dialect, n int) {
	t.Helper()
	from := fmt.Sprintf("(WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) "+
		"SELECT i, printf('%%08x', (i * 2654435761) %% 4294967296) || printf('%%08x', i) || '0000000000000000' AS k FROM g) AS s", n)
	at := "'2025-01-01T00:00:00.000000Z'"
	if d == sqlkit.Postgres {
		from = fmt.Sprintf("(SELECT i, lpad(to_hex((i::bigint * 2654435761) %% 4294967296), 8, '0') || lpad(to_hex(i), 8, '0') || '0000000000000000' AS k "+
			"FROM generate_series(1, %d) AS i) AS s", n)
		at = "'2025-01-01'::timestamptz"
	}
	event := `'{"id":"' || k || '","source":"till","name":"order.paid","time":"2025-01-01T00:00:00Z","identifiers":[{"kind":"phone","value":"+86' || k || '"}]}'`
	record := `'{"links":[{"kind":"phone","value":"+86' || k || '"}]}'`
	if d == sqlkit.Postgres {
		event, record = "("+event+")::jsonb", "("+record+")::jsonb"
	}
	for _, text := range []string{
		"INSERT INTO profile_event (id, evidence, occurred_at, source, name, mode, retracted, record) SELECT k, k, " + at + ", 'till', 'order.paid', 'live', 0, " + event + " FROM " + from,
		"INSERT INTO profile_evidence (evidence, profile, anchor, arrival, first_seen, last_seen, events, record, row_version) SELECT k, k, k, i, " + at + ", " + at + ", 1, " + record + ", 1 FROM " + from,
		"INSERT INTO profile_identifier (kind, value, era, profile, since, uses, record, row_version) SELECT 'phone', '+86' || k, '', k, " + at + ", 1, '{}', 1 FROM " + from,
		"INSERT INTO profile_anchor (id, evidence) SELECT k, k FROM " + from,
		"INSERT INTO profile_customer (id, arrival, evidence, events, first_seen, last_seen, record, row_version) SELECT k, i, 1, 1, " + at + ", " + at + ", '{}', 1 FROM " + from,
	} {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
	if d == sqlkit.Postgres {
		_, err := db.Exec("ANALYZE")
		require.NoError(t, err)
	}
}

func benchEvent(i int) profile.Event {
	return profile.Event{
		ID: fmt.Sprintf("bench %08d", i), Source: "till", Name: "order.paid", Time: spring.Add(time.Duration(i) * time.Millisecond),
		Identifiers: []profile.Identifier{{Kind: "phone", Value: fmt.Sprintf("138%08d", i)}},
		Traits:      profile.Values{"city": profile.Text("Hangzhou")},
	}
}

// BenchmarkObserve is one event of a new customer: two round trips. Beside it the
// same reads and the same rows by statements written by hand.
func BenchmarkObserve(b *testing.B) {
	for _, e := range benchStores {
		b.Run(e.name, func(b *testing.B) {
			ctx := context.Background()
			db := e.open(b)
			s := profileStore(b, db, e.dialect)
			crowd(b, db, e.dialect, *benchRows)
			d, err := profile.New(profile.Config{Store: s, MaxAhead: -1})
			require.NoError(b, err)
			raw := newRawObserve(b, db, e.dialect)
			for i := range 50 {
				_, err := d.Observe(ctx, benchEvent(i))
				require.NoError(b, err)
				require.NoError(b, raw.observe(ctx, i))
			}
			var ours, theirs time.Duration
			n := 50
			for b.Loop() {
				e := benchEvent(n)
				began := time.Now()
				if _, err := d.Observe(ctx, e); err != nil {
					b.Fatal(err)
				}
				mid := time.Now()
				if err := raw.observe(ctx, n); err != nil {
					b.Fatal(err)
				}
				ours += mid.Sub(began)
				theirs += time.Since(mid)
				n++
			}
			b.ReportMetric(float64(ours)/float64(theirs), "x-of-raw")
			b.ReportMetric(float64(ours.Microseconds())/float64(n-50), "us/observe")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rawObserve writes the rows of an observed event by hand.
type rawObserve struct {
	db    *sql.DB
	d     sqlkit.Dialect
	reads []*sql.Stmt
	write []*sql.Stmt
}

func newRawObserve(t testing.TB, db *sql.DB, d sqlkit.Dialect) *rawObserve {
	t.Helper()
	r := &rawObserve{db: db, d: d}
	prepare := func(text string) *sql.Stmt {
		s, err := db.Prepare(d.Bind(text))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	inserts := []string{
		"INSERT INTO profile_event (id, evidence, occurred_at, source, name, mode, retracted, record) VALUES ($1, $2, $3, $4, $5, $6, 0, $7)",
		"INSERT INTO profile_evidence (evidence, profile, anchor, arrival, first_seen, last_seen, events, record, row_version) VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8)",
		"INSERT INTO profile_identifier (kind, value, era, profile, since, uses, record, row_version) VALUES ('phone', $1, '', $2, $3, 1, $4, $5)",
		"INSERT INTO profile_anchor (id, evidence) VALUES ($1, $2)",
		"INSERT INTO profile_customer (id, arrival, evidence, events, first_seen, last_seen, latest_at, latest_evidence, record, row_version) VALUES ($1, $2, 1, 1, $3, $4, $5, $6, $7, $8)",
	}
	if d == sqlkit.SQLite {
		change := "INSERT INTO profile_change (kind, profile, event, traits, recorded_at, mode) VALUES ($1, $2, $3, $4, $5, 'live')"
		for _, text := range append(inserts, change, change, change) {
			r.write = append(r.write, prepare(text))
		}
		for _, text := range []string{
			"SELECT evidence, retracted, record FROM profile_event WHERE id = $1",
			"SELECT profile, anchor, arrival, first_seen, last_seen, events, record, row_version FROM profile_evidence WHERE evidence = $1",
			"SELECT profile, since, uses, record, row_version FROM profile_identifier WHERE kind = 'phone' AND value = $1 AND era = ''",
			"SELECT max(arrival) FROM profile_evidence WHERE arrival > 0 AND 'x' <> $1",
		} {
			r.reads = append(r.reads, prepare(text))
		}
		return r
	}
	r.reads = []*sql.Stmt{prepare("SELECT 1, evidence, record::text, 0::bigint FROM profile_event WHERE id = $1 UNION ALL " +
		"SELECT 2, profile, record::text, row_version FROM profile_evidence WHERE evidence = $2 UNION ALL " +
		"SELECT 3, profile, record::text, row_version FROM profile_identifier WHERE kind = 'phone' AND value = $3 AND era = '' UNION ALL " +
		"SELECT 4, NULL, NULL, nextval('profile_arrival')")}
	changes := "INSERT INTO profile_change_new (lamport, ordinal, kind, profile, event, traits, recorded_at, mode) VALUES " +
		"($1, 0, 'created', $2, NULL, NULL, $3, 'live'), ($4, 1, 'observed', $5, $6, NULL, $7, 'live'), ($8, 2, 'trait', $9, NULL, $10, $11, 'live')"
	text, n := "", 0
	for i, insert := range append(inserts, changes) {
		text += []string{"WITH ", ", "}[min(i, 1)] + fmt.Sprintf("p%d AS (%s RETURNING 1)", i, renumber(insert, n))
		n += []int{7, 8, 5, 2, 8, 11}[i]
	}
	r.write = []*sql.Stmt{prepare(text + " SELECT 1")}
	return r
}

// renumber moves the numbers of parameters up.
func renumber(text string, by int) string {
	return regexp.MustCompile(`\$\d+`).ReplaceAllStringFunc(text, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		return "$" + strconv.Itoa(n+by)
	})
}

func (r *rawObserve) observe(ctx context.Context, i int) error {
	key := fmt.Sprintf("%032x", i)
	id, value := fmt.Sprintf("raw-0000-0000-0000-%017d", i), fmt.Sprintf("+87138%08d", i)
	at := r.d.Time(spring.Add(time.Duration(i) * time.Millisecond))
	event := fmt.Sprintf(`{"id":"raw %08d","source":"till","name":"order.paid","time":"2026-03-01T00:00:00Z","identifiers":[{"kind":"phone","value":"138%08d"}],"traits":{"city":"Hangzhou"}}`, i, i)
	evidence := fmt.Sprintf(`{"links":[{"kind":"phone","value":"%s"}],"traits":[{"name":"city","source":"till","value":"Hangzhou","event":"raw %08d","at":"2026-03-01T00:00:00Z"}]}`, value, i)
	golden := fmt.Sprintf(`{"traits":[{"name":"city","source":"till","value":"Hangzhou","event":"raw %08d","at":"2026-03-01T00:00:00Z"}]}`, i)
	name := fmt.Sprintf("raw %08d", i)
	args := [][]any{
		{name, key, at, "till", "order.paid", "live", event},
		{key, id, id, int64(-1 - i), at, at, evidence, int64(i)},
		{value, id, at, "{}", int64(i)},
		{id, key},
		{id, int64(i), at, at, at, key, golden, int64(i)},
	}
	if r.d == sqlkit.Postgres {
		if err := drain(r.reads[0].QueryContext(ctx, name, key, value)); err != nil {
			return err
		}
		var all []any
		for _, a := range args {
			all = append(all, a...)
		}
		all = append(all, int64(i), id, at, int64(i), id, name, at, int64(i), id, `["city"]`, at)
		_, err := r.write[0].ExecContext(ctx, all...)
		return err
	}
	for j, key := range []string{name, key, value, "y"} {
		if err := drain(r.reads[j].QueryContext(ctx, key)); err != nil {
			return err
		}
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	args = append(args, []any{"created", id, nil, nil, at}, []any{"observed", id, name, nil, at}, []any{"trait", id, nil, `["city"]`, at})
	for j, a := range args {
		if _, err := tx.StmtContext(ctx, r.write[j]).ExecContext(ctx, a...); err != nil {
			return err
		}
	}
	return tx.Commit()
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

// BenchmarkObserveBatch is 100 events of new customers in one commit.
func BenchmarkObserveBatch(b *testing.B) {
	for _, e := range benchStores {
		b.Run(e.name, func(b *testing.B) {
			ctx := context.Background()
			db := e.open(b)
			s := profileStore(b, db, e.dialect)
			crowd(b, db, e.dialect, *benchRows)
			d, err := profile.New(profile.Config{Store: s, MaxAhead: -1})
			require.NoError(b, err)
			n := 0
			began := time.Now()
			for b.Loop() {
				batch := make([]profile.Event, 100)
				for i := range batch {
					batch[i] = benchEvent(n)
					n++
				}
				if _, err := d.ObserveBatch(ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
		})
	}
}
