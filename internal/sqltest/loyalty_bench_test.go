package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
)

// The benchmarks compare a post of the ledger, with lots, idempotency and audit,
// to a raw double-entry post: a transaction under a unique key, two entries, two
// balances. ratio is the speed of the ledger over that of the other:
//
//	go test -run - -bench Loyalty -benchtime 1x ./internal/sqltest

const rawMembers = 1000

func rawSchema(b *testing.B, db *sql.DB) {
	b.Helper()
	for _, s := range []string{
		`CREATE TABLE raw_balance (account TEXT PRIMARY KEY, balance BIGINT NOT NULL)`,
		`CREATE TABLE raw_transaction (key TEXT PRIMARY KEY, at TEXT NOT NULL)`,
		`CREATE TABLE raw_entry (key TEXT NOT NULL, n BIGINT NOT NULL, account TEXT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (key, n))`,
	} {
		_, err := db.Exec(s)
		require.NoError(b, err)
	}
	tx, err := db.Begin()
	require.NoError(b, err)
	for i := range rawMembers {
		_, err := tx.Exec(`INSERT INTO raw_balance (account, balance) VALUES ($1, 0), ($2, 0)`, "m"+strconv.Itoa(i), "i"+strconv.Itoa(i))
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}

func rawPost(ctx context.Context, tx *sql.Tx, i int) error {
	key, member, issuer := "key-"+strconv.Itoa(i), "m"+strconv.Itoa(i%rawMembers), "i"+strconv.Itoa(i%rawMembers)
	for _, s := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO raw_transaction (key, at) VALUES ($1, $2)`, []any{key, "2026-01-01T00:00:00.000000Z"}},
		{`INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 0, $2, $3)`, []any{key, issuer, int64(-100)}},
		{`INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 1, $2, $3)`, []any{key, member, int64(100)}},
		{`UPDATE raw_balance SET balance = balance + $1 WHERE account = $2`, []any{int64(-100), issuer}},
		{`UPDATE raw_balance SET balance = balance + $1 WHERE account = $2`, []any{int64(100), member}},
	} {
		if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

func rawBatch(ctx context.Context, db *sql.DB, from, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := from; i < from+n; i++ {
		if err := rawPost(ctx, tx, i); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func earn(i int) loyalty.Command {
	return loyalty.Earn{Key: "key-" + strconv.Itoa(i), Account: "m" + strconv.Itoa(i%rawMembers), Amount: 100, Order: "order"}
}

func benchLedger(b *testing.B, db *sql.DB, d loyaltysql.Dialect, cfg loyalty.Config) *loyalty.Ledger {
	b.Helper()
	cfg.Store = loyaltyStore(b, db, d)
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
		_, errs := l.PostBatch(context.Background(), cmds)
		for _, err := range errs {
			require.NoError(b, err)
		}
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
// machine does hits both, and reports the median of the blocks' ratios.
func compare(b *testing.B, block int, raw, ledger func(from, n int)) {
	b.Helper()
	const rounds = 15
	var ratios, raws, ledgers []float64
	for range b.N {
		raw(0, block) // warm
		ledger(0, block)
		for r := range rounds {
			start := time.Now()
			raw((r+1)*block, block)
			middle := time.Now()
			ledger((r+1)*block, block)
			end := time.Now()
			raws = append(raws, middle.Sub(start).Seconds())
			ledgers = append(ledgers, end.Sub(middle).Seconds())
			ratios = append(ratios, middle.Sub(start).Seconds()/end.Sub(middle).Seconds())
		}
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(float64(block)/median(raws), "raw/s")
	b.ReportMetric(float64(block)/median(ledgers), "ledger/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkLoyalty(b *testing.B) {
	ctx := context.Background()
	post := func(l *loyalty.Ledger) func(int) error {
		return func(i int) error { _, err := l.Post(ctx, earn(i)); return err }
	}
	open := func(b *testing.B, cfg loyalty.Config) (*sql.DB, *loyalty.Ledger) {
		db := SQLite(b, 4, "full")
		rawSchema(b, db)
		l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, cfg)
		warm(b, l)
		return db, l
	}
	b.Run("sqlite alone, group commit off", func(b *testing.B) {
		db, l := open(b, loyalty.Config{Batch: 1})
		compare(b, 100,
			func(from, n int) { callers(b, 1, from, n, func(i int) error { return rawBatch(ctx, db, i, 1) }) },
			func(from, n int) { callers(b, 1, from, n, post(l)) })
	})
	b.Run("sqlite in hundreds", func(b *testing.B) {
		db, l := open(b, loyalty.Config{})
		compare(b, 500,
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
					_, errs := l.PostBatch(ctx, cmds)
					for _, err := range errs {
						require.NoError(b, err)
					}
				}
			})
	})
	b.Run("sqlite 32 callers to raw alone", func(b *testing.B) {
		db, l := open(b, loyalty.Config{})
		compare(b, 320,
			func(from, n int) { callers(b, 1, from, n, func(i int) error { return rawBatch(ctx, db, i, 1) }) },
			func(from, n int) { callers(b, 32, from, n, post(l)) })
	})
	b.Run("sqlite 32 callers to ledger alone", func(b *testing.B) {
		_, l := open(b, loyalty.Config{})
		compare(b, 320,
			func(from, n int) { callers(b, 1, 2*from, n, post(l)) },
			func(from, n int) { callers(b, 32, 2*from+n, n, post(l)) })
	})
	for _, conns := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("postgres %d to raw in six round trips", conns), func(b *testing.B) {
			db := Postgres(b, conns)
			rawSchema(b, db)
			l := benchLedger(b, db, loyaltysql.Postgres, loyalty.Config{})
			warm(b, l)
			compare(b, 50*conns,
				func(from, n int) { callers(b, conns, from, n, func(i int) error { return rawBatch(ctx, db, i, 1) }) },
				func(from, n int) { callers(b, conns, from, n, post(l)) })
		})
		b.Run(fmt.Sprintf("postgres %d to raw in one statement", conns), func(b *testing.B) {
			db := Postgres(b, conns)
			rawSchema(b, db)
			l := benchLedger(b, db, loyaltysql.Postgres, loyalty.Config{})
			warm(b, l)
			compare(b, 50*conns, func(from, n int) {
				callers(b, conns, from, n, func(i int) error {
					key, member, issuer := "key-"+strconv.Itoa(i), "m"+strconv.Itoa(i%rawMembers), "i"+strconv.Itoa(i%rawMembers)
					_, err := db.ExecContext(ctx, rawStatement, key, "2026-01-01T00:00:00.000000Z", issuer, member, int64(100))
					return err
				})
			}, func(from, n int) { callers(b, conns, from, n, post(l)) })
		})
	}
	b.Run("postgres 32, one program to 32 programs", func(b *testing.B) {
		db := Postgres(b, 32)
		store := loyaltyStore(b, db, loyaltysql.Postgres)
		ls := make([]*loyalty.Ledger, 33)
		for i := range ls {
			var err error
			ls[i], err = loyalty.New(loyalty.Config{Program: fmt.Sprint("p", i), Store: store})
			require.NoError(b, err)
		}
		warm(b, ls...)
		compare(b, 1600,
			func(from, n int) { callers(b, 32, from, n, func(i int) error { return post(ls[i%32])(i) }) },
			func(from, n int) { callers(b, 32, from, n, post(ls[32])) })
	})
}

const rawStatement = `WITH t AS (INSERT INTO raw_transaction (key, at) VALUES ($1, $2)),
	e AS (INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 0, $3, -$5::bigint), ($1, 1, $4, $5::bigint)),
	a AS (UPDATE raw_balance SET balance = balance - $5::bigint WHERE account = $3)
	UPDATE raw_balance SET balance = balance + $5::bigint WHERE account = $4`

// BenchmarkLoyaltyGrowth compares posts to a small program with posts to a large
// one, and posts to accounts of one lot with posts to one of a thousand.
func BenchmarkLoyaltyGrowth(b *testing.B) {
	ctx := context.Background()
	fill := func(b *testing.B, members, lots int) *loyalty.Ledger {
		l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
		var cmds []loyalty.Command
		for i := range members * lots {
			cmds = append(cmds, loyalty.Earn{
				Key: fmt.Sprint("warm", i), Account: fmt.Sprint("m", i%members), Amount: 1_000_000, At: time.Now().Add(-time.Hour),
			})
			if len(cmds) == 256 || i == members*lots-1 {
				_, errs := l.PostBatch(ctx, cmds)
				for _, err := range errs {
					require.NoError(b, err)
				}
				cmds = cmds[:0]
			}
		}
		return l
	}
	posts := func(l *loyalty.Ledger, members int) func(from, n int) {
		return func(from, n int) {
			callers(b, 1, from, n, func(i int) error {
				var cmd loyalty.Command = loyalty.Earn{Key: fmt.Sprint("k", i), Account: fmt.Sprint("m", i*7919%members), Amount: 1}
				if i%2 == 1 {
					cmd = loyalty.Redeem{Key: fmt.Sprint("k", i), Account: fmt.Sprint("m", i*7919%members), Amount: 1}
				}
				_, err := l.Post(ctx, cmd)
				return err
			})
		}
	}
	b.Run(fmt.Sprintf("sqlite, 10000 members to %d", *benchMembers), func(b *testing.B) {
		compare(b, 100, posts(fill(b, 10_000, 1), 10_000), posts(fill(b, *benchMembers, 1), *benchMembers))
	})
	b.Run("sqlite, 1 lot to 1000 lots", func(b *testing.B) {
		compare(b, 100, posts(fill(b, 1, 1), 1), posts(fill(b, 1, 1000), 1))
	})
}

var benchMembers = flag.Int("loyalty.members", 100_000, "members of the large program in the benchmark of growth")
