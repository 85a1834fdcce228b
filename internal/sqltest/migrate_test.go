package sqltest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// The environment of a process that migrates and ends.
const (
	migrateDriver = "CXKIT_MIGRATE_DRIVER"
	migrateSource = "CXKIT_MIGRATE_SOURCE"
	migratePrefix = "CXKIT_MIGRATE_PREFIX"
)

func init() {
	driver := os.Getenv(migrateDriver)
	if driver == "" {
		return
	}
	if err := migrateAll(driver, os.Getenv(migrateSource), os.Getenv(migratePrefix)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func migrateAll(driver, source, prefix string) error {
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, c := range components {
		if err := c.migrate(context.Background(), db, dialectOf(driver), option(prefix)...); err != nil {
			return err
		}
	}
	return nil
}

// TestTenProcessesMigrateAtOnce: real ones, which share nothing but the database.
func TestTenProcessesMigrateAtOnce(t *testing.T) {
	for _, e := range []struct {
		driver, prefix string
		source         func(testing.TB) string
	}{
		{"sqlite", "crm_", func(t testing.TB) string { return SQLiteSource(t, "off") }},
		{"pgx", "crm.", PostgresSource},
	} {
		t.Run(e.driver, func(t *testing.T) {
			source := e.source(t)
			self, err := os.Executable()
			require.NoError(t, err)
			var processes [10]*exec.Cmd
			var said [10]bytes.Buffer
			for i := range processes {
				p := exec.Command(self)
				p.Env = append(os.Environ(), migrateDriver+"="+e.driver, migrateSource+"="+source, migratePrefix+"="+e.prefix)
				p.Stderr = &said[i]
				processes[i] = p
				require.NoError(t, p.Start())
			}
			for i, p := range processes {
				if err := p.Wait(); err != nil {
					t.Errorf("process %d: %v: %s", i, err, said[i].String())
				}
			}
			want := 0
			for _, c := range components {
				all, err := sqlkit.Migrations(c.files(), dialectOf(e.driver))
				require.NoError(t, err)
				want += len(all)
			}
			var got int
			require.NoError(t, open(t, e.driver, source, 1).QueryRow("SELECT COUNT(*) FROM "+e.prefix+"cxkit_migration").Scan(&got))
			require.Equal(t, want, got)
		})
	}
}
