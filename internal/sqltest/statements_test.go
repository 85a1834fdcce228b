package sqltest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/feedback/feedbacktest"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/journey/journeytest"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/profile/profiletest"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmentsql"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

// recorded are the statements that went through a database, each with the
// parameters of one run.
type recorded struct {
	mu   sync.Mutex
	args map[string][]any
}

func (r *recorded) see(query string, args []driver.NamedValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.args[query]; ok {
		return
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	r.args[query] = values
}

// component is a package's store: how its tables come to be, and its suite.
type component struct {
	name    string
	files   func(...sqlkit.Option) fs.FS
	migrate func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error
	suite   func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // two dialects and an open database are never refused
	}
	return v
}

var components = []component{
	{"profile", profilesql.Files, func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error {
		return must(profilesql.New(db, d, o...)).Migrate(ctx)
	}, func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option) {
		profiletest.TestStore(t, func(t testing.TB) profile.Store { empty(t); return must(profilesql.New(db, d, o...)) })
	}},
	{"segment", segmentsql.Files, func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error {
		return must(segmentsql.New(db, d, o...)).Migrate(ctx)
	}, func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option) {
		segmenttest.TestStore(t, func(t testing.TB) segment.Store { empty(t); return must(segmentsql.New(db, d, o...)) })
	}},
	{"journey", journeysql.Files, func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error {
		return must(journeysql.New(db, d, o...)).Migrate(ctx)
	}, func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option) {
		journeytest.TestStore(t, func(t testing.TB) journey.Store { empty(t); return must(journeysql.New(db, d, o...)) })
	}},
	{"feedback", feedbacksql.Files, func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error {
		return must(feedbacksql.New(db, d, o...)).Migrate(ctx)
	}, func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option) {
		feedbacktest.TestStore(t, func(t testing.TB) feedback.Store { empty(t); return must(feedbacksql.New(db, d, o...)) })
		feedbacktest.TestCareStore(t, func(t testing.TB) care.Store { empty(t); return must(feedbacksql.New(db, d, o...)).Care() })
	}},
	{"loyalty", loyaltysql.Files, func(ctx context.Context, db *sql.DB, d sqlkit.Dialect, o ...sqlkit.Option) error {
		return must(loyaltysql.New(db, d, o...)).Migrate(ctx)
	}, func(t *testing.T, db *sql.DB, d sqlkit.Dialect, empty func(testing.TB), o ...sqlkit.Option) {
		loyaltytest.TestStore(t, func(t testing.TB) loyalty.Store { empty(t); return must(loyaltysql.New(db, d, o...)) })
		loyaltytest.TestProgramStore(t, func(t testing.TB) program.Store { empty(t); return must(loyaltysql.New(db, d, o...)).Tiers() })
	}},
}

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// tables are those that a component's migrations create on a dialect.
func (c component) tables(t testing.TB, d sqlkit.Dialect) []string {
	t.Helper()
	all, err := sqlkit.Migrations(c.files(), d)
	require.NoError(t, err)
	var out []string
	for _, m := range all {
		for _, found := range createTable.FindAllStringSubmatch(m.SQL, -1) {
			out = append(out, found[1])
		}
	}
	require.NotEmpty(t, out)
	return out
}

// fresh are the statements that make tables with a prefix as they are after the migrations.
func (c component) fresh(t testing.TB, d sqlkit.Dialect, prefix string) (out []string) {
	for _, table := range c.tables(t, d) {
		switch table {
		case "profile_feed":
			out = append(out, "UPDATE "+prefix+"profile_feed SET last = 0, dropped = 0, rules = ''")
		case "segment_head":
			out = append(out, "UPDATE "+prefix+"segment_head SET last_input = 0, last_transition = 0")
		default:
			out = append(out, "DELETE FROM "+prefix+table)
		}
	}
	if c.name == "profile" && d == sqlkit.SQLite {
		out = append(out, "DELETE FROM sqlite_sequence WHERE name = '"+prefix+"profile_change'")
	}
	return out
}

// statements are all that a component's store runs while its suite passes.
func (c component) statements(t *testing.T, d sqlkit.Dialect) (db *sql.DB, r *recorded) {
	t.Helper()
	name, source := "sqlite", ""
	if d == sqlkit.Postgres {
		name, source = "pgx", PostgresSource(t)
	} else {
		source = SQLiteSource(t, "off")
	}
	r = &recorded{args: map[string][]any{}}
	through := Faulty(t, name, source, 4, &Faults{Seen: r.see})
	require.NoError(t, c.migrate(context.Background(), through, d))
	db = open(t, name, source, 1)
	fresh := c.fresh(t, d, "")
	if d == sqlkit.Postgres {
		// Counted while they are all but empty, tables would be read whole, and rightly;
		// uncounted ones are taken to be of some size.
		for _, table := range c.tables(t, d) {
			_, err := db.Exec("ALTER TABLE " + table + " SET (autovacuum_enabled = false)")
			require.NoError(t, err)
		}
	}
	clear(r.args) // the migrations are not what is asked for
	c.suite(t, through, d, func(t testing.TB) {
		t.Helper()
		for _, text := range fresh {
			_, err := db.Exec(text)
			require.NoError(t, err)
		}
	})
	require.NotEmpty(t, r.args)
	return db, r
}

// small are tables of one row or a few, or of what is read whole.
var small = map[string]bool{
	"cxkit_migration": true, "profile_feed": true, "profile_handover": true, "profile_change_new": true, "segment_head": true, "segment_checkpoint": true,
	"journey_definition": true, "journey_claim": true,
}

// TestEveryStatement reads the plan of every statement that the stores run while
// their suites pass: none reads a table from its beginning to its end, and on
// PostgreSQL none needs what the engines that speak its language lack.
func TestEveryStatement(t *testing.T) {
	for _, d := range []sqlkit.Dialect{sqlkit.SQLite, sqlkit.Postgres} {
		for _, c := range components {
			t.Run(d.String()+"/"+c.name, func(t *testing.T) {
				db, r := c.statements(t, d)
				ctx := context.Background()
				explain := "EXPLAIN QUERY PLAN "
				if d == sqlkit.Postgres {
					explain = "EXPLAIN (COSTS OFF) "
					for _, off := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
						_, err := db.Exec("SET " + off + " = off")
						require.NoError(t, err)
					}
				}
				tables := map[string]bool{}
				for _, table := range c.tables(t, d) {
					tables[table] = !small[table]
				}
				read := 0
				for _, text := range slices.Sorted(maps.Keys(r.args)) {
					verb, _, _ := strings.Cut(text, " ")
					if !slices.Contains([]string{"SELECT", "WITH", "UPDATE", "DELETE", "INSERT"}, verb) {
						continue
					}
					var plan []string
					err := sqlkit.Scan(ctx, db, func(rows *sql.Rows) error {
						var line string
						if d == sqlkit.Postgres {
							err := rows.Scan(&line)
							plan = append(plan, line)
							return err
						}
						var id, parent, unused int
						err := rows.Scan(&id, &parent, &unused, &line)
						plan = append(plan, line)
						return err
					}, explain+text, r.args[text]...)
					require.NoError(t, err, text)
					read++
					for _, scan := range fullScans(d, text, plan, tables) {
						t.Errorf("%s\n\tof %s\n\tin %s", scan, text, strings.Join(plan, "\n\t\t"))
					}
				}
				t.Logf("%d plans", read)
				if d == sqlkit.Postgres {
					portable(t, c, slices.Collect(maps.Keys(r.args)))
				}
			})
		}
	}
}

var (
	seqScan   = regexp.MustCompile(`Seq Scan on (\w+)`)
	indexScan = regexp.MustCompile(`Index (?:Only )?Scan .*on (\w+)`)
	liteScan  = regexp.MustCompile(`^(SCAN|SEARCH) (\w+)(.*)$`)
)

// fullScans are the lines of a plan that read a table whole. To read the first
// rows in the order of an index is none. PostgreSQL joins the rows that a
// statement writes with an empty table in any order, so there only reads are
// held to the conditions of their indexes.
func fullScans(d sqlkit.Dialect, text string, plan []string, tables map[string]bool) (out []string) {
	limited := strings.Contains(text, " LIMIT ")
	writes := strings.Contains(text, "UPDATE ") || strings.Contains(text, "DELETE FROM ")
	for i, line := range plan {
		if d == sqlkit.Postgres {
			if m := seqScan.FindStringSubmatch(line); m != nil && tables[m[1]] {
				out = append(out, line)
			}
			m := indexScan.FindStringSubmatch(line)
			bounded := i+1 < len(plan) && strings.Contains(plan[i+1], "Index Cond") || i > 0 && strings.Contains(plan[i-1], "Limit")
			filtered := i+1 < len(plan) && strings.Contains(plan[i+1], "Filter:")
			if m != nil && tables[m[1]] && !bounded && !writes && (!limited || filtered) {
				out = append(out, line)
			}
			continue
		}
		m := liteScan.FindStringSubmatch(line)
		if m == nil || m[1] == "SEARCH" && strings.Contains(m[3], "USING") {
			continue
		}
		table := m[2]
		if alias := regexp.MustCompile(`(\w+_\w+) (?:AS )?` + table + `\b`).FindStringSubmatch(text); alias != nil {
			if _, ok := tables[alias[1]]; ok {
				table = alias[1]
			}
		}
		if tables[table] && !(limited && strings.Contains(m[3], "INDEX")) {
			out = append(out, line)
		}
	}
	return out
}

// missingElsewhere is what PostgreSQL has and engines that speak its language do
// not, or not in the same way.
var missingElsewhere = []string{
	`pg_advisory\w+`, `pg_try_advisory\w+`, `LISTEN`, `NOTIFY`, `xid8`, `txid_\w+`, `pg_current_xact`, `pg_snapshot`, `ctid`, `xmin`,
	`LOCK TABLE`, `SAVEPOINT`, `CREATE TRIGGER`, `CREATE RULE`, `CREATE FUNCTION`, `CREATE EXTENSION`, `EXCLUDE USING`, `DEFERRABLE`, `INHERITS`,
	`TABLESAMPLE`, `MERGE INTO`, `ON CONSTRAINT`, `CREATE TEMP`, `UNLOGGED`, `DECLARE`, `SERIAL`, `TABLESPACE`, `CLUSTER`,
	`FOR NO KEY`, `FOR KEY SHARE`, `FOREIGN KEY`, `REFERENCES`, `DO \$\$`, `COPY`, `SET LOCAL`, `lastval`, `currval`, `hstore`, `citext`, `LATERAL`,
	`WITH RECURSIVE`, `GROUPING SETS`, `ROLLUP`, `CURRENT OF`, `CREATE DOMAIN`, `CREATE AGGREGATE`, `XMLTABLE`, `ROWS FROM`,
}

// nextvalIn is the one sequence: arrival numbers need be unique, not in order.
const nextvalIn = "profile_arrival"

var missingRE = regexp.MustCompile(`(?i)\b(` + strings.Join(missingElsewhere, "|") + `)\b`)

// apart are the tables of a component that several parts of one statement may
// change, because none of them changes a row that another does. PostgreSQL leaves
// open what would come of that, and CockroachDB wants to be told so in the
// session: enable_multiple_modifications_of_table.
var apart = map[string][]string{
	"profile": {"profile_evidence", "profile_identifier", "profile_customer", "profile_holding"},
	"segment": {"segment_input", "segment_transition"},
	"loyalty": {"loyalty_account", "loyalty_lot"},
}

var changing = regexp.MustCompile(`(UPDATE|DELETE FROM|INSERT INTO) ([a-z_.]+)`)

// changedTwice are the tables that several parts of a statement change, unless
// all of them insert and do nothing else.
func changedTwice(text string) (out []string) {
	parts, more := map[string]int{}, map[string]bool{}
	for _, at := range changing.FindAllStringSubmatchIndex(text, -1) {
		if strings.HasSuffix(text[:at[0]], "FOR ") || strings.HasSuffix(text[:at[0]], "DO ") {
			continue // FOR UPDATE OF, DO UPDATE SET
		}
		verb, table := text[at[2]:at[3]], text[at[4]:at[5]]
		rest, _, _ := strings.Cut(text[at[0]:], " RETURNING ")
		parts[table]++
		more[table] = more[table] || verb != "INSERT INTO" || strings.Contains(rest, "ON CONFLICT")
	}
	for table, n := range parts {
		if n > 1 && more[table] {
			out = append(out, table)
		}
	}
	return out
}

// portable reads statements and migrations for what CockroachDB, YugabyteDB or
// Citus are known to lack.
func portable(t *testing.T, c component, texts []string) {
	t.Helper()
	all, err := sqlkit.Migrations(c.files(), sqlkit.Postgres)
	require.NoError(t, err)
	for _, m := range all {
		texts = append(texts, sqlkit.Statements(m.SQL)...)
	}
	twice := map[string]bool{}
	for _, text := range texts {
		for _, table := range changedTwice(text) {
			twice[table] = true
		}
		require.Empty(t, missingRE.FindString(text), text)
		if strings.Contains(text, "nextval") {
			require.Contains(t, text, nextvalIn)
		}
	}
	require.ElementsMatch(t, apart[c.name], slices.Collect(maps.Keys(twice)), "tables that several parts of one statement change")
}

// TestMigrateByTenAtOnce: any number may start at once, and none goes on with a
// schema that it does not know.
func TestMigrateByTenAtOnce(t *testing.T) {
	for _, e := range engines {
		for _, c := range components {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				ctx := context.Background()
				db := e.open(t)
				errs := make(chan error, 10)
				for range cap(errs) {
					go func() { errs <- c.migrate(ctx, db, e.dialect) }()
				}
				for range cap(errs) {
					require.NoError(t, <-errs)
				}
				all, err := sqlkit.Migrations(c.files(), e.dialect)
				require.NoError(t, err)
				var n int
				require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM cxkit_migration WHERE component = $1", c.name).Scan(&n))
				require.Equal(t, len(all), n)
				require.NoError(t, c.migrate(ctx, db, e.dialect), "again")
				_, err = db.Exec(fmt.Sprintf("UPDATE cxkit_migration SET checksum = 'x' WHERE component = '%s' AND version = 1", c.name))
				require.NoError(t, err)
				require.ErrorIs(t, c.migrate(ctx, db, e.dialect), sqlkit.ErrChangedMigration)
				_, err = db.Exec(fmt.Sprintf("INSERT INTO cxkit_migration (component, version, name, checksum, applied_at) VALUES ('%s', 99, 'later', 'x', 'now')", c.name))
				require.NoError(t, err)
				require.ErrorIs(t, c.migrate(ctx, db, e.dialect), sqlkit.ErrNewerSchema)
			})
		}
	}
}

// TestUpgradeFromEveryEarlierSchema: a database at any version comes to the newest.
func TestUpgradeFromEveryEarlierSchema(t *testing.T) {
	for _, e := range engines[1:] {
		for _, c := range components {
			all, err := sqlkit.Migrations(c.files(), e.dialect)
			require.NoError(t, err)
			for from := range len(all) {
				t.Run(fmt.Sprintf("%s/%s/%d", e.name, c.name, from), func(t *testing.T) {
					ctx := context.Background()
					db := e.open(t)
					require.NoError(t, sqlkit.Migrate(ctx, e.dialect, db, c.name, upTo(c.files(), from)))
					require.NoError(t, c.migrate(ctx, db, e.dialect))
					for _, table := range c.tables(t, e.dialect) {
						_, err := db.Exec("SELECT * FROM " + table)
						require.NoError(t, err)
					}
				})
			}
		}
	}
}

// upToFS are migrations without the later ones.
type upToFS struct {
	fs.FS
	last int
}

func upTo(files fs.FS, last int) fs.FS { return upToFS{files, last} }

// ReadDir implements fs.ReadDirFS.
func (f upToFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.FS, name)
	return entries[:min(len(entries), f.last)], err
}
