package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

var writePast = flag.Bool("past.write", false, "write the rows of schema versions that have none yet, to testdata/past")

// TestUpgradesKeepTheRows: rows as they were written under each version of a
// schema, kept as plain SQL in testdata/past, are brought to the newest and read
// there by the store: what it answers is what was written down at the time.
//
// A migration comes with rows of its version. After adding one run
//
//	go test -run TestUpgradesKeepTheRows -past.write
//
// once, look at what it wrote, and never change it again.
func TestUpgradesKeepTheRows(t *testing.T) {
	for _, e := range engines[1:] {
		for i, c := range components {
			p := pasts[i]
			require.Equal(t, c.name, p.component)
			all, err := sqlkit.Migrations(c.files(), e.dialect)
			require.NoError(t, err)
			for _, m := range all {
				t.Run(fmt.Sprintf("%s/%s/%d", e.name, c.name, m.Version), func(t *testing.T) {
					ctx := context.Background()
					rows := filepath.Join("testdata", "past", c.name, fmt.Sprintf("%04d.%s.sql", m.Version, e.dialect))
					answers := filepath.Join("testdata", "past", c.name, fmt.Sprintf("%04d.txt", m.Version))
					db := e.open(t)
					require.NoError(t, sqlkit.Migrate(ctx, e.dialect, db, c.name, upTo(c.files(), m.Version)))
					if *writePast && !exists(rows) {
						p.write(t, db, e.dialect, m.Version)
						keep(t, rows, rowsAsSQL(t, db, e.dialect, c, m.Version))
						db = e.open(t)
						require.NoError(t, sqlkit.Migrate(ctx, e.dialect, db, c.name, upTo(c.files(), m.Version)))
					}
					script, err := os.ReadFile(rows)
					require.NoError(t, err, "a migration comes with rows of its version: see the comment of this test")
					for _, text := range sqlkit.Statements(string(script)) {
						_, err := db.Exec(text)
						require.NoError(t, err, text)
					}
					require.NoError(t, c.migrate(ctx, db, e.dialect))
					got := strings.Join(p.read(t, db, e.dialect, m.Version), "\n") + "\n"
					if *writePast && !exists(answers) {
						keep(t, answers, got)
					}
					want, err := os.ReadFile(answers)
					require.NoError(t, err)
					require.Equal(t, string(want), got)
				})
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func keep(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// rowsAsSQL writes the rows of a component's tables as statements, one in a line.
// Numbers that the database gives are left to it.
func rowsAsSQL(t testing.TB, db *sql.DB, d sqlkit.Dialect, c component, version int) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	tables, identity := c.tables(t, d), map[string]bool{}
	if d == sqlkit.Postgres {
		require.NoError(t, sqlkit.Scan(ctx, db, func(r *sql.Rows) error {
			var column string
			err := r.Scan(&column)
			identity[column] = true
			return err
		}, "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE is_identity = 'YES'"))
	}
	for _, table := range tables {
		var there int
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&there); err != nil {
			continue // of a later version
		}
		fmt.Fprintf(&b, "DELETE FROM %s;\n", table)
		var columns []string
		probe, err := db.Query("SELECT * FROM " + table + " LIMIT 0")
		require.NoError(t, err)
		all, err := probe.Columns()
		require.NoError(t, err)
		require.NoError(t, probe.Close())
		quoted := make([]string, 0, len(all))
		for _, name := range all {
			if identity[table+"."+name] {
				continue
			}
			columns = append(columns, name)
			if d == sqlkit.Postgres {
				quoted = append(quoted, "quote_nullable("+name+"::text)")
			} else {
				quoted = append(quoted, "quote("+name+")")
			}
		}
		order := "1"
		if len(columns) < len(all) {
			order = all[0]
		}
		require.NoError(t, sqlkit.Scan(ctx, db, func(r *sql.Rows) error {
			var row string
			err := r.Scan(&row)
			require.NotContains(t, row, "\n")
			fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES (%s);\n", table, strings.Join(columns, ", "), row)
			return err
		}, "SELECT "+strings.Join(quoted, " || ', ' || ")+" FROM "+table+" ORDER BY "+order))
	}
	if c.name == "profile" && d == sqlkit.Postgres {
		var n int
		require.NoError(t, db.QueryRow("SELECT last_value FROM profile_arrival").Scan(&n))
		fmt.Fprintf(&b, "SELECT setval('profile_arrival', %d);\n", n)
	}
	return fmt.Sprintf("-- Rows of %s under version %d of its schema. They are never changed.\n", c.name, version) + b.String()
}
