package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// prefixes are one installation's that is used, beside others that are not.
var prefixes = map[sqlkit.Dialect]struct {
	used   string
	others []string
}{
	sqlkit.SQLite:   {"crm_", []string{"", "crm_eu_", "other_"}},
	sqlkit.Postgres: {"crm.eu_", []string{"", "crm.", "eu_", "other.eu_"}},
}

func option(prefix string) []sqlkit.Option {
	if prefix == "" {
		return nil
	}
	return []sqlkit.Option{sqlkit.Prefix(prefix)}
}

// TestInstallationsSideBySide: the suites pass on tables with a prefix or in a
// schema, and what they write is not seen by other installations in the same database.
func TestInstallationsSideBySide(t *testing.T) {
	for _, e := range engines[1:] {
		p := prefixes[e.dialect]
		for _, c := range components {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				ctx := context.Background()
				db := e.open(t)
				for _, prefix := range append([]string{p.used}, p.others...) {
					require.NoError(t, c.migrate(ctx, db, e.dialect, option(prefix)...))
				}
				before := contents(t, db, c, e.dialect, p.others)
				fresh := c.fresh(t, e.dialect, p.used)
				c.suite(t, db, e.dialect, func(t testing.TB) {
					t.Helper()
					for _, text := range fresh {
						_, err := db.Exec(text)
						require.NoError(t, err)
					}
				}, option(p.used)...)
				require.Equal(t, before, contents(t, db, c, e.dialect, p.others))
			})
		}
	}
}

// TestAPrefixedInstallationIsAlone: without tables of no prefix there is nothing
// that a statement could touch by mistake.
func TestAPrefixedInstallationIsAlone(t *testing.T) {
	for _, e := range engines[1:] {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			for _, c := range components {
				require.NoError(t, c.migrate(ctx, db, e.dialect, option(prefixes[e.dialect].used)...))
			}
			for _, name := range schema(t, db, e.dialect) {
				require.True(t, strings.HasPrefix(name, prefixes[e.dialect].used), name)
			}
		})
	}
}

// contents are all rows of the tables of some installations.
func contents(t testing.TB, db *sql.DB, c component, d sqlkit.Dialect, prefixes []string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, prefix := range prefixes {
		for _, table := range append(c.tables(t, d), "cxkit_migration") {
			out[prefix+table] = rowsOf(t, db, prefix+table)
		}
	}
	return out
}

// rowsOf are the rows of a table as texts, sorted.
func rowsOf(t testing.TB, db *sql.DB, table string) []string {
	t.Helper()
	out := []string{}
	require.NoError(t, sqlkit.Scan(context.Background(), db, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		err = rows.Scan(dest...)
		out = append(out, fmt.Sprint(values...))
		return err
	}, "SELECT * FROM "+table))
	slices.Sort(out)
	return out
}

// schema are the names of a database's tables, indexes and sequences, with their
// schema unless that is the usual one.
func schema(t testing.TB, db *sql.DB, d sqlkit.Dialect) (out []string) {
	t.Helper()
	text := "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
	if d == sqlkit.Postgres {
		text = `SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'`
	}
	require.NoError(t, sqlkit.Scan(context.Background(), db, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		out = append(out, name)
		return err
	}, text))
	slices.Sort(out)
	return out
}

// TestFilesForAnotherTool: who applies the plain SQL with a tool of their own
// comes to the same tables as Migrate.
func TestFilesForAnotherTool(t *testing.T) {
	for _, e := range engines[1:] {
		for _, prefix := range []string{"", prefixes[e.dialect].used} {
			t.Run(e.name+"/"+prefix, func(t *testing.T) {
				migrated, applied := e.open(t), e.open(t)
				if name, _, ok := strings.Cut(prefix, "."); ok {
					_, err := applied.Exec("CREATE SCHEMA " + name)
					require.NoError(t, err)
				}
				for _, c := range components {
					require.NoError(t, c.migrate(context.Background(), migrated, e.dialect, option(prefix)...))
					files := c.files(option(prefix)...)
					names, err := fs.Glob(files, e.dialect.String()+"/*.sql")
					require.NoError(t, err)
					require.NotEmpty(t, names)
					for _, name := range names {
						text, err := fs.ReadFile(files, name)
						require.NoError(t, err)
						for _, statement := range sqlkit.Statements(string(text)) {
							_, err := applied.Exec(statement)
							require.NoError(t, err, statement)
						}
					}
				}
				want := slices.DeleteFunc(schema(t, migrated, e.dialect), func(s string) bool { return strings.Contains(s, "cxkit_migration") })
				require.Equal(t, want, schema(t, applied, e.dialect))
			})
		}
	}
}

// TestPrefixesThatAreRefused: by New, before anything of them reaches a database.
func TestPrefixesThatAreRefused(t *testing.T) {
	db := SQLite(t, 1, "off")
	for _, prefix := range []string{
		"Crm_", "1_", "crm-", "crm..", ".crm", "a.b.c", "crm ", "x; DROP TABLE orders", `"`, "顾客_", "crm_\n", "a.b\n", strings.Repeat("a", 21), "crm.",
	} {
		for _, c := range components {
			require.Panics(t, func() { _ = c.migrate(context.Background(), db, sqlkit.SQLite, sqlkit.Prefix(prefix)) }, "%s %q", c.name, prefix)
			_, err := fs.ReadFile(c.files(sqlkit.Prefix(prefix)), "sqlite/0001_"+c.name+".sql")
			require.Error(t, err, "%s %q", c.name, prefix)
		}
	}
	require.Empty(t, schema(t, db, sqlkit.SQLite))
}

// TestPrefixedNamesFitPostgreSQL, which cuts names off at 63 bytes.
func TestPrefixedNamesFitPostgreSQL(t *testing.T) {
	const longest = 20
	for _, c := range components {
		all, err := sqlkit.Migrations(c.files(), sqlkit.Postgres)
		require.NoError(t, err)
		for _, m := range all {
			for _, word := range strings.FieldsFunc(m.SQL, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
				require.LessOrEqual(t, len(word)+longest, 63, word)
			}
		}
	}
}
