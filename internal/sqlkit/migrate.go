package sqlkit

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNewerSchema reports a database that a later version of the library has migrated.
var ErrNewerSchema = errors.New("sqlkit: the schema is newer than this library")

// ErrChangedMigration reports a migration that was applied with other content.
var ErrChangedMigration = errors.New("sqlkit: an applied migration has changed")

// Migration is one plain SQL file.
type Migration struct {
	Version int
	Name    string
	SQL     string
}

func (m Migration) checksum() string {
	sum := sha256.Sum256([]byte(m.SQL))
	return hex.EncodeToString(sum[:8])
}

// Migrations reads the migrations of a dialect: files named
// <dialect>/0001_name.sql, numbered without gaps.
func Migrations(files fs.FS, d Dialect) ([]Migration, error) {
	entries, err := fs.ReadDir(files, d.String())
	if err != nil {
		return nil, fmt.Errorf("sqlkit: migrations: %w", err)
	}
	var out []Migration
	for _, e := range entries {
		number, name, ok := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		v, err := strconv.Atoi(number)
		if !ok || err != nil || !strings.HasSuffix(e.Name(), ".sql") {
			return nil, fmt.Errorf("sqlkit: migration %q is not named 0001_name.sql", e.Name())
		}
		text, err := fs.ReadFile(files, d.String()+"/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("sqlkit: migrations: %w", err)
		}
		out = append(out, Migration{v, name, string(text)})
	}
	slices.SortFunc(out, func(a, b Migration) int { return a.Version - b.Version })
	for i, m := range out {
		if m.Version != i+1 {
			return nil, fmt.Errorf("sqlkit: migration %d is missing", i+1)
		}
	}
	return out, nil
}

// ledgerTable is where applied migrations are noted.
const ledgerTable = "cxkit_migration"

const createLedger = `CREATE TABLE IF NOT EXISTS cxkit_migration (
	component  TEXT   NOT NULL,
	version    BIGINT NOT NULL,
	name       TEXT   NOT NULL,
	checksum   TEXT   NOT NULL,
	applied_at TEXT   NOT NULL,
	PRIMARY KEY (component, version)
)`

// Migrate applies what is missing of a component's migrations, each in a
// transaction of its own. Any number of processes may call it at once: who
// inserts the version's row first applies it, the others wait for that and find it done.
func Migrate(ctx context.Context, d Dialect, db *sql.DB, component string, files fs.FS) error {
	return migrate(ctx, d, db, component, files, nil)
}

func migrate(ctx context.Context, d Dialect, db *sql.DB, component string, files fs.FS, names *names) error {
	all, err := Migrations(files, d)
	if err != nil {
		return err
	}
	if err := create(ctx, db, names.of(createLedger)); err != nil {
		return fmt.Errorf("sqlkit: migrate %s: %w", component, err)
	}
	for {
		applied, err := appliedMigrations(ctx, db, component, names)
		if err != nil {
			return fmt.Errorf("sqlkit: migrate %s: %w", component, err)
		}
		if len(applied) > len(all) {
			return fmt.Errorf("%w: %s is at %d, known is %d", ErrNewerSchema, component, len(applied), len(all))
		}
		for i, sum := range applied {
			if sum != all[i].checksum() {
				return fmt.Errorf("%w: %s %d", ErrChangedMigration, component, i+1)
			}
		}
		if len(applied) == len(all) {
			return nil
		}
		if err := apply(ctx, d, db, component, all[len(applied)], names); err != nil && !IsUnique(err) {
			return fmt.Errorf("sqlkit: migrate %s to %d: %w", component, len(applied)+1, err)
		}
	}
}

// create runs a statement that makes what is not there yet. Making the same
// thing twice at once is an error on PostgreSQL even with IF NOT EXISTS; the loser
// finds it there the next time.
func create(ctx context.Context, db *sql.DB, text string) error {
	for attempt := 0; ; attempt++ {
		_, err := db.ExecContext(ctx, text)
		if err == nil || attempt+1 >= maxAttempts || !IsUnique(err) && !isDuplicate(err) && !Retryable(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// isDuplicate reports that another process created the schema, the table, or the
// type that goes with it, in the same moment.
func isDuplicate(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && (state.SQLState() == "42P06" || state.SQLState() == "42P07" || state.SQLState() == "42710")
}

func appliedMigrations(ctx context.Context, db *sql.DB, component string, names *names) ([]string, error) {
	var sums []string
	err := Scan(ctx, db, func(r *sql.Rows) error {
		var sum string
		err := r.Scan(&sum)
		sums = append(sums, sum)
		return err
	}, names.of(`SELECT checksum FROM cxkit_migration WHERE component = $1 ORDER BY version`), component)
	return sums, err
}

func apply(ctx context.Context, d Dialect, db *sql.DB, component string, m Migration, names *names) error {
	return Write(ctx, d, db, func(ex Executor) error {
		_, err := ex.ExecContext(ctx, names.of(`INSERT INTO cxkit_migration (component, version, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)`),
			component, int64(m.Version), m.Name, m.checksum(), time.Now().UTC().Format(time.RFC3339))
		if err != nil {
			return err
		}
		for _, statement := range Statements(m.SQL) {
			if _, err := ex.ExecContext(ctx, names.of(statement)); err != nil {
				return fmt.Errorf("%s: %w", firstLine(statement), err)
			}
		}
		return nil
	})
}

// Statements splits a script at the semicolons that end a line. Lines that
// begin with -- are comments.
func Statements(script string) []string {
	var out []string
	var b strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		b.WriteString(line)
		if strings.HasSuffix(strings.TrimSpace(line), ";") {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(b.String()), ";"))
			b.Reset()
		}
	}
	if rest := strings.TrimSpace(b.String()); rest != "" {
		out = append(out, rest)
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
