package sqltest

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

var crashCycles = flag.Int("crash.cycles", 10, "how often a process under load is killed on each engine")

// The environment of a process that is made to be killed.
const (
	crashDriver  = "CXKIT_CRASH_DRIVER"
	crashSource  = "CXKIT_CRASH_SOURCE"
	crashFrom    = "CXKIT_CRASH_FROM"    // the number of the first operation
	crashPending = "CXKIT_CRASH_PENDING" // operations of whom nothing was heard, to be repeated first
)

// crashWorkers is how many operations go on at once in a process.
const crashWorkers = 4

func dialectOf(driver string) sqlkit.Dialect {
	if driver == "pgx" {
		return sqlkit.Postgres
	}
	return sqlkit.SQLite
}

// A test binary that finds this environment is the process to be killed.
func init() {
	if os.Getenv(crashDriver) == "" {
		return
	}
	fmt.Fprintln(os.Stderr, doomed())
	os.Exit(1)
}

// doomed is the process under load: it says what it tries and what was
// acknowledged, until it is killed.
func doomed() error {
	ctx := context.Background()
	db, err := sql.Open(os.Getenv(crashDriver), os.Getenv(crashSource))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(crashWorkers)
	db.SetMaxIdleConns(crashWorkers)
	s, err := openShop(ctx, db, dialectOf(os.Getenv(crashDriver)))
	if err != nil {
		return err
	}
	if err := s.journeys.Deploy(ctx, thanks()); err != nil {
		return err
	}
	from, err := strconv.Atoi(os.Getenv(crashFrom))
	if err != nil {
		return err
	}
	for _, op := range strings.Fields(os.Getenv(crashPending)) {
		if err := s.do(ctx, op, nil); err != nil {
			return fmt.Errorf("%s again: %w", op, err)
		}
		fmt.Println("ok", op)
	}
	fmt.Println("ready")
	var next atomic.Int64
	next.Store(int64(from))
	errs := make(chan error, crashWorkers)
	for range crashWorkers {
		go func() {
			for {
				n := int(next.Add(1))
				op := ops[n%len(ops)] + "/" + strconv.Itoa(n)
				fmt.Println("try", op)
				if err := s.do(ctx, op, nil); err != nil {
					errs <- fmt.Errorf("%s: %w", op, err)
					return
				}
				fmt.Println("ok", op)
			}
		}()
	}
	return <-errs
}

var crashEngines = []struct {
	driver string
	source func(testing.TB) string
}{
	{"sqlite", func(t testing.TB) string { return SQLiteSource(t, "normal") }},
	{"pgx", PostgresSource},
}

// TestCrash kills a process under load at random moments and starts it again:
// nothing that it acknowledged is lost, nothing is done twice when what was open
// is repeated, and nothing is there by half.
func TestCrash(t *testing.T) {
	const seed = 8
	t.Logf("seed %d", seed)
	for _, e := range crashEngines {
		t.Run(dialectOf(e.driver).String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			source := e.source(t)
			db := open(t, e.driver, source, 2)
			require.NoError(t, migrateShop(context.Background(), db, dialectOf(e.driver)))
			acknowledged, attempted := map[string]bool{}, map[string]bool{}
			from := 0
			for cycle := 1; cycle <= *crashCycles; cycle++ {
				var pending []string
				for op := range attempted {
					if !acknowledged[op] {
						pending = append(pending, op)
					}
				}
				slices.Sort(pending)
				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), crashDriver+"="+e.driver, crashSource+"="+source,
					crashFrom+"="+strconv.Itoa(from), crashPending+"="+strings.Join(pending, " "))
				var complaint strings.Builder
				child.Stderr = &complaint
				out, err := child.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, child.Start())
				life := time.Duration(rng.IntN(100_000)) * time.Microsecond
				lines := bufio.NewScanner(out)
				var kill sync.Once
				for lines.Scan() {
					word, op, _ := strings.Cut(lines.Text(), " ")
					switch word {
					case "ready":
						time.AfterFunc(life, func() { kill.Do(func() { _ = child.Process.Kill() }) })
					case "try":
						attempted[op] = true
						_, n := split(op)
						from = max(from, n)
					case "ok":
						acknowledged[op] = true
					}
				}
				err = child.Wait()
				require.ErrorContains(t, err, "killed", "cycle %d: %s", cycle, &complaint)
				if cycle%50 == 0 || cycle == *crashCycles {
					settle(t, db, dialectOf(e.driver))
					s, err := openShop(context.Background(), db, dialectOf(e.driver))
					require.NoError(t, err)
					s.verify(t, acknowledged, attempted)
				}
			}
			settle(t, db, dialectOf(e.driver))
			// What is still open is repeated, and then all is there, once.
			s, err := openShop(context.Background(), db, dialectOf(e.driver))
			require.NoError(t, err)
			require.NoError(t, s.journeys.Deploy(context.Background(), thanks()))
			for op := range attempted {
				if !acknowledged[op] {
					require.NoError(t, s.do(context.Background(), op, nil))
				}
			}
			s.finish(t)
			s.verify(t, attempted, attempted)
			t.Logf("killed %d times, %d operations, %d of them open when it was killed", *crashCycles, len(attempted), len(attempted)-len(acknowledged))
			require.Greater(t, len(attempted), *crashCycles)
		})
	}
}

// TestProcessesShareAStore lets several processes do their work on one database
// at once: they meet on customers, cards, journeys and segments, whose outcome is
// that of one. Then all are killed, and what was open is repeated.
func TestProcessesShareAStore(t *testing.T) {
	const processes, each, apart = 3, 40, 100_000
	for _, e := range crashEngines {
		t.Run(dialectOf(e.driver).String(), func(t *testing.T) {
			ctx := context.Background()
			source := e.source(t)
			db := open(t, e.driver, source, 2)
			require.NoError(t, migrateShop(ctx, db, dialectOf(e.driver)))
			acknowledged, attempted := map[string]bool{}, map[string]bool{}
			var mu sync.Mutex
			var group sync.WaitGroup
			for p := range processes {
				group.Go(func() {
					child := exec.Command(os.Args[0])
					child.Env = append(os.Environ(), crashDriver+"="+e.driver, crashSource+"="+source, crashFrom+"="+strconv.Itoa(p*apart))
					var complaint strings.Builder
					child.Stderr = &complaint
					out, err := child.StdoutPipe()
					if !assert.NoError(t, err) || !assert.NoError(t, child.Start()) {
						return
					}
					done := 0
					for lines := bufio.NewScanner(out); lines.Scan(); {
						word, op, _ := strings.Cut(lines.Text(), " ")
						mu.Lock()
						switch word {
						case "try":
							attempted[op] = true
						case "ok":
							acknowledged[op] = true
							done++
						}
						mu.Unlock()
						if done == each {
							_ = child.Process.Kill()
						}
					}
					assert.ErrorContains(t, child.Wait(), "killed", "%s", &complaint)
				})
			}
			group.Wait()
			settle(t, db, dialectOf(e.driver))
			s, err := openShop(ctx, db, dialectOf(e.driver))
			require.NoError(t, err)
			require.NoError(t, s.journeys.Deploy(ctx, thanks()))
			s.verify(t, acknowledged, attempted)
			for op := range attempted {
				require.NoError(t, s.do(ctx, op, nil))
			}
			s.finish(t)
			s.verify(t, attempted, attempted)
			t.Logf("%d operations of %d processes, %d acknowledged", len(attempted), processes, len(acknowledged))
			require.GreaterOrEqual(t, len(acknowledged), processes*each)
		})
	}
}

var serverCrashes = flag.Int("crash.server", 2, "how often the PostgreSQL server is killed under load")

// TestTheServerCrashes kills the PostgreSQL server under load. Every operation
// is repeated by its key until it is acknowledged; each is then there once.
func TestTheServerCrashes(t *testing.T) {
	ctx := context.Background()
	server := NewServer(t)
	db := server.Open(t, crashWorkers)
	require.NoError(t, migrateShop(ctx, db, sqlkit.Postgres))
	s, err := openShop(ctx, db, sqlkit.Postgres)
	require.NoError(t, err)
	require.NoError(t, s.journeys.Deploy(ctx, thanks()))

	var mu sync.Mutex
	done, interrupted := map[string]bool{}, 0
	var next atomic.Int64
	var stop atomic.Bool
	outage := func(err error) bool {
		if !sqlkit.Lost(err) && !errors.As(err, new(*sqlkit.CommitError)) {
			return false
		}
		mu.Lock()
		interrupted++
		mu.Unlock()
		return true
	}
	var group sync.WaitGroup
	for range crashWorkers {
		group.Go(func() {
			for !stop.Load() {
				n := int(next.Add(1))
				op := ops[n%len(ops)] + "/" + strconv.Itoa(n)
				if err := s.do(ctx, op, outage); err != nil {
					t.Errorf("%s: %v", op, err)
					return
				}
				mu.Lock()
				done[op] = true
				mu.Unlock()
			}
		})
	}
	for range *serverCrashes {
		for goal := next.Load() + 60; next.Load() < goal && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, server.Crash())
	}
	stop.Store(true)
	group.Wait()
	t.Logf("%d operations, %d attempts met the outage", len(done), interrupted)
	s.finish(t)
	s.verify(t, done, done)
}
