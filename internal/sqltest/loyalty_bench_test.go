package sqltest

import (
	"context"
	"database/sql"
	"fmt"
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
// balances. Run them together and look at ratios:
//
//	go test -run - -bench Loyalty -benchtime 2000x ./internal/sqltest

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

// callers runs b.N posts from a number of goroutines.
func callers(b *testing.B, n int, post func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if err := post(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}

func BenchmarkLoyalty(b *testing.B) {
	ctx := context.Background()
	b.Run("sqlite/alone/raw", func(b *testing.B) {
		db := SQLite(b, 4, "full")
		rawSchema(b, db)
		callers(b, 1, func(i int) error { return rawBatch(ctx, db, i, 1) })
	})
	b.Run("sqlite/alone/ledger", func(b *testing.B) {
		l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{Batch: 1})
		warm(b, l)
		callers(b, 1, func(i int) error { _, err := l.Post(ctx, earn(i)); return err })
	})
	b.Run("sqlite/hundreds/raw", func(b *testing.B) {
		db := SQLite(b, 4, "full")
		rawSchema(b, db)
		b.ResetTimer()
		for i := 0; i < b.N; i += 100 {
			require.NoError(b, rawBatch(ctx, db, i, min(100, b.N-i)))
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	})
	b.Run("sqlite/hundreds/ledger", func(b *testing.B) {
		l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
		warm(b, l)
		b.ResetTimer()
		for i := 0; i < b.N; i += 100 {
			var cmds []loyalty.Command
			for j := i; j < min(i+100, b.N); j++ {
				cmds = append(cmds, earn(j))
			}
			_, errs := l.PostBatch(ctx, cmds)
			for _, err := range errs {
				require.NoError(b, err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	})
	b.Run("sqlite/32 callers/ledger", func(b *testing.B) {
		l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
		warm(b, l)
		callers(b, 32, func(i int) error { _, err := l.Post(ctx, earn(i)); return err })
	})
	for _, conns := range []int{8, 32} {
		b.Run(fmt.Sprintf("postgres/%d/raw", conns), func(b *testing.B) {
			db := Postgres(b, conns)
			rawSchema(b, db)
			callers(b, conns, func(i int) error { return rawBatch(ctx, db, i, 1) })
		})
		b.Run(fmt.Sprintf("postgres/%d/raw in one statement", conns), func(b *testing.B) {
			db := Postgres(b, conns)
			rawSchema(b, db)
			callers(b, conns, func(i int) error {
				key, member, issuer := "key-"+strconv.Itoa(i), "m"+strconv.Itoa(i%rawMembers), "i"+strconv.Itoa(i%rawMembers)
				_, err := db.ExecContext(ctx, rawStatement, key, "2026-01-01T00:00:00.000000Z", issuer, member, int64(100))
				return err
			})
		})
		b.Run(fmt.Sprintf("postgres/%d/ledger", conns), func(b *testing.B) {
			l := benchLedger(b, Postgres(b, conns), loyaltysql.Postgres, loyalty.Config{})
			warm(b, l)
			callers(b, conns, func(i int) error { _, err := l.Post(ctx, earn(i)); return err })
		})
	}
	b.Run("postgres/32/ledger, 32 programs", func(b *testing.B) {
		db := Postgres(b, 32)
		store := loyaltyStore(b, db, loyaltysql.Postgres)
		ls := make([]*loyalty.Ledger, 32)
		for i := range ls {
			var err error
			ls[i], err = loyalty.New(loyalty.Config{Program: fmt.Sprint("p", i), Store: store})
			require.NoError(b, err)
		}
		warm(b, ls...)
		callers(b, 32, func(i int) error { _, err := ls[i%32].Post(ctx, earn(i)); return err })
	})
}

const rawStatement = `WITH t AS (INSERT INTO raw_transaction (key, at) VALUES ($1, $2)),
	e AS (INSERT INTO raw_entry (key, n, account, amount) VALUES ($1, 0, $3, -$5::bigint), ($1, 1, $4, $5::bigint)),
	a AS (UPDATE raw_balance SET balance = balance - $5::bigint WHERE account = $3)
	UPDATE raw_balance SET balance = balance + $5::bigint WHERE account = $4`

// BenchmarkLoyaltyGrowth posts to programs of different sizes and to an account
// with many open lots.
func BenchmarkLoyaltyGrowth(b *testing.B) {
	ctx := context.Background()
	for _, members := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("sqlite/%d members", members), func(b *testing.B) {
			l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
			for i := 0; i < members; i += 1000 {
				var cmds []loyalty.Command
				for j := i; j < i+1000; j++ {
					cmds = append(cmds, loyalty.Earn{Key: fmt.Sprint("warm", j), Account: fmt.Sprint("m", j), Amount: 1})
				}
				_, errs := l.PostBatch(ctx, cmds)
				for _, err := range errs {
					require.NoError(b, err)
				}
			}
			callers(b, 1, func(i int) error {
				_, err := l.Post(ctx, loyalty.Earn{Key: fmt.Sprint("k", i), Account: fmt.Sprint("m", i*7919%members), Amount: 1})
				return err
			})
		})
	}
	for _, lots := range []int{1, 1000} {
		b.Run(fmt.Sprintf("sqlite/%d lots", lots), func(b *testing.B) {
			l := benchLedger(b, SQLite(b, 4, "full"), loyaltysql.SQLite, loyalty.Config{})
			var cmds []loyalty.Command
			for j := range lots {
				cmds = append(cmds, loyalty.Earn{Key: fmt.Sprint("warm", j), Account: "m", Amount: 1_000_000_000, At: time.Now().Add(-time.Hour)})
			}
			_, errs := l.PostBatch(ctx, cmds)
			for _, err := range errs {
				require.NoError(b, err)
			}
			callers(b, 1, func(i int) error {
				_, err := l.Post(ctx, loyalty.Redeem{Key: fmt.Sprint("k", i), Account: "m", Amount: 1})
				return err
			})
		})
	}
}
