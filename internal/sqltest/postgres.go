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
	"net/url"
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

func withDatabase(source, name string) string {
	if at, err := url.Parse(source); err == nil && strings.HasPrefix(at.Scheme, "postgres") {
		at.Path = "/" + name
		return at.String()
	}
	var kept []string
	for _, field := range strings.Fields(source) {
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
	own, err := startServer(bin)
	if err != nil {
		return "", nil, err
	}
	return own.url, own.stop, nil
}

// Server is a private PostgreSQL in a temporary directory.
type Server struct {
	bin, dir, url string
	attr          *syscall.SysProcAttr
	process       *exec.Cmd
	gone          chan error // what its end gave
	log           *os.File
}

// NewServer starts a PostgreSQL of the test's own, to be crashed. It skips where
// there are no binaries.
func NewServer(t testing.TB) *Server {
	t.Helper()
	bin, err := binaries()
	if err == nil {
		var s *Server
		if s, err = startServer(bin); err == nil {
			t.Cleanup(s.stop)
			return s
		}
	}
	if os.Getenv("CXKIT_REQUIRE_POSTGRES") == "1" {
		t.Fatalf("PostgreSQL's binaries are required: %v", err)
	}
	t.Skipf("no PostgreSQL of our own: %v", err)
	return nil
}

// Open opens the server's database with at most conns connections.
func (s *Server) Open(t testing.TB, conns int) *sql.DB { return open(t, "pgx", s.url, conns) }

// Crash kills the server where it stands, and starts it again: it recovers from
// its log.
func (s *Server) Crash() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	<-s.gone
	// The backends die when they notice; until then the new server refuses to start.
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if err = s.start(5 * time.Second); err == nil {
			return nil
		}
	}
	return err
}

func startServer(bin string) (*Server, error) {
	// A socket's path must be short, and the server's user must reach it.
	dir, err := os.MkdirTemp("/tmp", "cxkit-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	attr, name, err := unprivileged(dir)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.attr = attr
	initdb := command(attr, dir, filepath.Join(bin, "initdb"), "-D", s.data(), "--no-sync", "-A", "trust", "-U", name, "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		s.stop()
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		s.stop()
		return nil, err
	}
	s.url = fmt.Sprintf("host=%s user=%s dbname=postgres sslmode=disable", dir, name)
	if err := s.start(30 * time.Second); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// start returns once the server answers.
func (s *Server) start(patience time.Duration) error {
	p := command(s.attr, s.dir, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB")
	p.Stdout, p.Stderr = s.log, s.log
	if err := p.Start(); err != nil {
		return err
	}
	s.process = p
	gone := make(chan error, 1)
	go func() { gone <- p.Wait(); close(gone) }()
	s.gone = gone
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answers := make(chan error, 1)
	go func() { answers <- await(ctx, s.url) }()
	select {
	case err := <-gone:
		cancel()
		<-answers
		s.process = nil
		return fmt.Errorf("postgres ended: %w", err)
	case err := <-answers:
		return err
	}
}

func (s *Server) stop() {
	if s.process != nil {
		_ = s.process.Process.Signal(syscall.SIGQUIT)
		<-s.gone
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	_ = os.RemoveAll(s.dir)
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
func await(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, db.Close())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
