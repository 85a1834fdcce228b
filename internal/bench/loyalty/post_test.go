package loyalty_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqltest"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
)

func TestMain(m *testing.M) { os.Exit(sqltest.Main(m)) }

var (
	members = flag.Int("loyalty.members", 100_000, "members of the large program in the benchmark of growth")
	kept    = flag.String("loyalty.kept", "", "folder in which the benchmark of growth keeps its filled databases")
)

func earn(i int) loyalty.Command {
	return loyalty.Earn{Key: "key-" + strconv.Itoa(i), Account: "m" + strconv.Itoa(i%rawMembers), Amount: 100, Order: "order"}
}

func ledgerOn(b *testing.B, db *sql.DB, d loyaltysql.Dialect, cfg loyalty.Config) *loyalty.Ledger {
	b.Helper()
	s, err := loyaltysql.New(db, d)
	require.NoError(b, err)
	require.NoError(b, s.Migrate(context.Background()))
	cfg.Store = s
	l, err := loyalty.New(cfg)
	require.NoError(b, err)
	return l
}

// warm opens the accounts, as rawSchema does.
func warm(b *testing.B, ls ...*loyalty.Ledger) {
	b.Helper()
	for n, l := range ls {
		cmds := make([]loyalty.Command, 0, rawMembers)
		for i := range rawMembers {
			cmds = append(cmds, loyalty.Earn{Key: fmt.Sprint("warm", n, "-", i), Account: "m" + strconv.Itoa(i), Amount: 1})
		}
		postAll(b, l, cmds)
	}
}

func postAll(b *testing.B, l *loyalty.Ledger, cmds []loyalty.Command) {
	b.Helper()
	_, errs := l.PostBatch(context.Background(), cmds)
	for _, err := range errs {
		require.NoError(b, err)
	}
}

// callers runs n posts, numbered from an offset, from a number of goroutines.
func callers(b *testing.B, workers, from, n int, post func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := post(from + i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// compare runs blocks of posts of both kinds in turn, so that whatever else the
// machine does hits both, and reports the median of the blocks' ratios: how
// many times as fast as the first the second is.
func compare(b *testing.B, of string, block int, first, second func(from, n int)) {
	b.Helper()
	const rounds = 21
	var ratios, firsts, seconds []float64
	at := 0
	for b.Loop() {
		for r := range rounds {
			start := time.Now()
			first(at, block)
			middle := time.Now()
			second(at, block)
			end := time.Now()
			if at += block; r == 0 {
				continue // warming up
			}
			firsts = append(firsts, middle.Sub(start).Seconds())
			seconds = append(seconds, end.Sub(middle).Seconds())
			ratios = append(ratios, middle.Sub(start).Seconds()/end.Sub(middle).Seconds())
		}
	}
	b.ReportMetric(median(ratios), "x-of-"+of)
	b.ReportMetric(float64(block)/median(firsts), of+"/s")
	b.ReportMetric(float64(block)/median(seconds), "ledger/s")
	b.ReportMetric(0, "ns/op")
}

func median(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }

func post(l *loyalty.Ledger) func(int) error {
	return func(i int) error { _, err := l.Post(context.Background(), earn(i)); return err }
}

func BenchmarkSQLite(b *testing.B) {
	ctx := context.Background()
	open := func(b *testing.B, cfg loyalty.Config) (*sql.DB, *loyalty.Ledger) {
		db := sqltest.SQLite(b, 4, "full")
		rawSchema(b, db)
		l := ledgerOn(b, sqltest.SQLite(b, 4, "full"), loyaltysql.SQLite, cfg)
		warm(b, l)
		return db, l
	}
	raw := func(db *sql.DB) func(from, n int) {
		return func(from, n int) { callers(b, 1, from, n, func(i int) error { return rawBatch(ctx, db, i, 1) }) }
	}
	b.Run("alone, group commit off", func(b *testing.B) {
		db, l := open(b, loyalty.Config{Batch: 1})
		compare(b, "raw", 100, raw(db), func(from, n int) { callers(b, 1, from, n, post(l)) })
	})
	b.Run("in hundreds", func(b *testing.B) {
		db, l := open(b, loyalty.Config{})
		compare(b, "raw", 500,
			func(from, n int) {
				for i := from; i < from+n; i += 100 {
					require.NoError(b, rawBatch(ctx, db, i, 100))
				}
			},
			func(from, n int) {
				for i := from; i < from+n; i += 100 {
					var cmds []loyalty.Command
					for j := i; j < i+100; j++ {
						cmds = append(cmds, earn(j))
					}
					postAll(b, l, cmds)
				}
			})
	})
	b.Run("32 callers", func(b *testing.B) {
		db, l := open(b, loyalty.Config{})
		compare(b, "raw", 320, raw(db), func(from, n int) { callers(b, 32, from, n, post(l)) })
	})
	b.Run("32 callers to one", func(b *testing.B) {
		_, l := open(b, loyalty.Config{})
		compare(b, "one-caller", 320,
			func(from, n int) { callers(b, 1, 2*from, n, post(l)) },
			func(from, n int) { callers(b, 32, 2*from+n, n, post(l)) })
	})
}

// BenchmarkPostgres compares to a raw post as programs write it, a transaction
// of five statements, and to one that a specialist has made a single statement.
func BenchmarkPostgres(b *testing.B) {
	ctx := context.Background()
	for _, conns := range []int{1, 8, 32} {
		for name, raw := range map[string]func(*sql.DB) func(int) error{
			"raw": func(db *sql.DB) func(int) error {
				return func(i int) error { return rawBatch(ctx, db, i, 1, unprepared) }
			},
			"raw-statement": func(db *sql.DB) func(int) error {
				return func(i int) error { return rawStatement(ctx, db, i) }
			},
		} {
			b.Run(fmt.Sprintf("%d connections/%s", conns, name), func(b *testing.B) {
				db := sqltest.Postgres(b, conns)
				rawSchema(b, db)
				l := ledgerOn(b, db, loyaltysql.Postgres, loyalty.Config{})
				warm(b, l)
				compare(b, name, 50*conns,
					func(from, n int) { callers(b, conns, from, n, raw(db)) },
					func(from, n int) { callers(b, conns, from, n, post(l)) })
			})
		}
	}
	b.Run("one program to 32", func(b *testing.B) {
		db := sqltest.Postgres(b, 32)
		ls := make([]*loyalty.Ledger, 33)
		for i := range ls {
			ls[i] = ledgerOn(b, db, loyaltysql.Postgres, loyalty.Config{Program: fmt.Sprint("p", i)})
		}
		warm(b, ls...)
		compare(b, "spread", 1600,
			func(from, n int) { callers(b, 32, from, n, func(i int) error { return post(ls[i%32])(i) }) },
			func(from, n int) { callers(b, 32, from, n, post(ls[32])) })
	})
}

// BenchmarkGrowth compares posts to a large program with posts to a small one,
// and posts to an account of a thousand lots with posts to one of one lot.
func BenchmarkGrowth(b *testing.B) {
	b.Run(fmt.Sprintf("%d members", *members), func(b *testing.B) {
		small, large := filled(b, 10_000, 1), filled(b, *members, 1)
		compare(b, "10000-members", 200, spread(b, small, 10_000), spread(b, large, *members))
	})
	b.Run("1000 lots", func(b *testing.B) {
		compare(b, "1-lot", 100, spread(b, filled(b, 1, 1), 1), spread(b, filled(b, 1, 1000), 1))
	})
}

// filled is a ledger in SQLite of so many members and lots.
func filled(b *testing.B, members, lots int) *loyalty.Ledger {
	b.Helper()
	dir := *kept
	if dir == "" {
		dir = b.TempDir()
	}
	file := filepath.Join(dir, fmt.Sprintf("%d-members-%d-lots.db", members, lots))
	open := func(synchronous string) *sql.DB {
		db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(30000)&_pragma=synchronous("+
			synchronous+")&_txlock=immediate")
		require.NoError(b, err)
		db.SetMaxOpenConns(4)
		db.SetMaxIdleConns(4)
		return db
	}
	if _, err := os.Stat(file); err != nil {
		db := open("off")
		l := ledgerOn(b, db, loyaltysql.SQLite, loyalty.Config{})
		const at = 4096
		for from := 0; from < members*lots; from += at {
			cmds := make([]loyalty.Command, 0, at)
			for i := from; i < min(from+at, members*lots); i++ {
				cmds = append(cmds, loyalty.Earn{
					Key: fmt.Sprint("warm", i), Account: fmt.Sprint("m", i%members), Amount: 1_000_000, At: time.Now().Add(-time.Hour),
				})
			}
			postAll(b, l, cmds)
		}
		_, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
		require.NoError(b, err)
		require.NoError(b, db.Close())
	}
	// A database at work is in the operating system's cache; one that is not
	// measures the disk's reads.
	f, err := os.Open(file)
	require.NoError(b, err)
	_, err = io.Copy(io.Discard, f)
	require.NoError(b, err)
	require.NoError(b, f.Close())
	db := open("full")
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return ledgerOn(b, db, loyaltysql.SQLite, loyalty.Config{})
}

// spread earns and redeems by turns, members in no order.
func spread(b *testing.B, l *loyalty.Ledger, members int) func(from, n int) {
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	return func(from, n int) {
		callers(b, 1, from, n, func(i int) error {
			key, account := run+"-"+strconv.Itoa(i), fmt.Sprint("m", i*7919%members)
			var cmd loyalty.Command = loyalty.Earn{Key: key, Account: account, Amount: 1}
			if i%2 == 1 {
				cmd = loyalty.Redeem{Key: key, Account: account, Amount: 1}
			}
			_, err := l.Post(context.Background(), cmd)
			return err
		})
	}
}

// BenchmarkAudit sets what the chain costs against a commit. Verify does all that
// the chain asks of a post, and more; what it takes beyond a fold of the same
// transactions, which hashes nothing, is what the chain costs at most.
func BenchmarkAudit(b *testing.B) {
	ctx := context.Background()
	memory, err := loyalty.New(loyalty.Config{})
	require.NoError(b, err)
	const transactions = 20 * rawMembers
	for from := 0; from < transactions; from += rawMembers {
		cmds := make([]loyalty.Command, 0, rawMembers)
		for i := from; i < from+rawMembers; i++ {
			cmds = append(cmds, earn(i))
		}
		postAll(b, memory, cmds)
	}
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("commits of %d", size), func(b *testing.B) {
			l := ledgerOn(b, sqltest.SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
			warm(b, l)
			var audit, commit []float64
			at := 0
			for b.Loop() {
				for range 11 {
					start := time.Now()
					_, err := memory.Verify(ctx, loyalty.Anchor{})
					require.NoError(b, err)
					verified := time.Now()
					for i := range rawMembers {
						_, err := memory.Balance(ctx, "m"+strconv.Itoa(i), "", loyalty.AsOf{Effective: verified})
						require.NoError(b, err)
					}
					audit = append(audit, (verified.Sub(start)-time.Since(verified)).Seconds()/transactions)
					cmds := make([]loyalty.Command, 0, size)
					for range size {
						cmds = append(cmds, earn(at))
						at++
					}
					start = time.Now()
					postAll(b, l, cmds)
					commit = append(commit, time.Since(start).Seconds()/float64(size))
				}
			}
			b.ReportMetric(100*median(audit)/median(commit), "%-of-commit")
			b.ReportMetric(median(audit)*1e9, "audit-ns")
			b.ReportMetric(median(commit)*1e9, "post-ns")
			b.ReportMetric(0, "ns/op")
		})
	}
}
