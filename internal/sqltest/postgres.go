// Package sqltest proves the SQL stores on real engines: SQLite in a file and
// a private PostgreSQL.
//
// The PostgreSQL is that of CXKIT_POSTGRES_URL (an empty database that tests may
// fill), or is started from local binaries in a temporary directory, reachable by
// a socket only. Where neither is there, tests say so and skip, unless
// CXKIT_REQUIRE_POSTGRES=1, as continuous integration sets it: then they fail.
package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Main runs the tests of a package and stops the PostgreSQL that they started.
// Call it from TestMain.
func Main(m *testing.M) int {
	defer stop()
	return m.Run()
}

var server struct {
	sync.Once
	url  string
	err  error
	stop func()
}

func stop() {
	if server.stop != nil {
		server.stop()
	}
}

var databases atomic.Int64

// Postgres opens a new, empty database with at most conns connections.
func Postgres(t testing.TB, conns int) *sql.DB {
	t.Helper()
	return open(t, "pgx", PostgresSource(t), conns)
}

// PostgresSource makes a new, empty database and returns its data source name.
func PostgresSource(t testing.TB) string {
	t.Helper()
	server.Do(func() { server.url, server.stop, server.err = find() })
	if server.err != nil {
		if os.Getenv("CXKIT_REQUIRE_POSTGRES") == "1" {
			t.Fatalf("PostgreSQL is required: %v", server.err)
		}
		t.Skipf("no PostgreSQL: %v", server.err)
	}
	admin := open(t, "pgx", server.url, 1)
	name := fmt.Sprintf("cxkit_%d_%d", os.Getpid(), databases.Add(1))
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin := open(t, "pgx", server.url, 1)
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return withDatabase(server.url, name)
}

// SQLite opens a new, empty database in a file, as the documentation of the
// stores recommends it. synchronous is "full" or "normal".
func SQLite(t testing.TB, conns int, synchronous string) *sql.DB {
	t.Helper()
	return open(t, "sqlite", SQLiteSource(t, synchronous), conns)
}

// SQLiteSource is the data source name of a new file.
func SQLiteSource(t testing.TB, synchronous string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.db")
	return "file:" + file + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(30000)&_pragma=synchronous(" + synchronous + ")&_txlock=immediate"
}

func open(t testing.TB, driver, source string, conns int) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func withDatabase(url, name string) string {
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		head, query, _ := strings.Cut(url, "?")
		if i := strings.LastIndexByte(head, '/'); i > len("postgresql://") {
			head = head[:i]
		}
		if query != "" {
			query = "?" + query
		}
		return head + "/" + name + query
	}
	var kept []string
	for _, field := range strings.Fields(url) {
		if !strings.HasPrefix(field, "dbname=") {
			kept = append(kept, field)
		}
	}
	return strings.Join(append(kept, "dbname="+name), " ")
}

// find returns the address of a PostgreSQL, started for the purpose unless one is named.
func find() (url string, stop func(), err error) {
	if url := os.Getenv("CXKIT_POSTGRES_URL"); url != "" {
		return url, nil, nil
	}
	bin, err := binaries()
	if err != nil {
		return "", nil, err
	}
	// A socket's path must be short, and the server's user must reach it.
	dir, err := os.MkdirTemp("/tmp", "cxkit-pg-")
	if err != nil {
		return "", nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	attr, name, err := unprivileged(dir)
	if err != nil {
		remove()
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := command(attr, dir, filepath.Join(bin, "initdb"), "-D", data, "--no-sync", "-A", "trust", "-U", name, "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	postgres := command(attr, dir, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		remove()
		return "", nil, err
	}
	postgres.Stdout, postgres.Stderr = log, log
	if err := postgres.Start(); err != nil {
		remove()
		return "", nil, err
	}
	stop = func() {
		_ = postgres.Process.Signal(syscall.SIGQUIT)
		_ = postgres.Wait()
		_ = log.Close()
		remove()
	}
	url = fmt.Sprintf("host=%s user=%s dbname=postgres sslmode=disable", dir, name)
	if err := await(url); err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return "", errors.New("neither CXKIT_POSTGRES_URL nor initdb in the path or under /usr/lib/postgresql")
	}
	return filepath.Dir(found[0]), nil
}

// unprivileged is how to run the server: PostgreSQL refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, string, error) {
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return nil, "", err
		}
		return &syscall.SysProcAttr{}, u.Username, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, "", err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, "", err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, "", err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, "", err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, "nobody", nil
}

func command(attr *syscall.SysProcAttr, dir, path string, args ...string) *exec.Cmd {
	c := exec.Command(path, args...)
	c.Dir, c.SysProcAttr = dir, attr
	// A server whose tests die must not outlive them.
	c.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	return c
}

// await returns once the server answers.
func await(url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, db.Close())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
