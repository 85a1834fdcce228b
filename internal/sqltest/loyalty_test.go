package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
	"github.com/cxkit/cxkit/loyalty/program"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

var loyaltyHistories = flag.Int("loyalty.histories", 12, "random histories of 100 commands on each engine")

// engine is a database to test on.
type engine struct {
	name    string
	dialect loyaltysql.Dialect
	open    func(t testing.TB) *sql.DB
}

var engines = []engine{
	{"sqlite", loyaltysql.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 4, "off") }},
	{"sqlite on one connection", loyaltysql.SQLite, func(t testing.TB) *sql.DB { return SQLite(t, 1, "off") }},
	{"postgres", loyaltysql.Postgres, func(t testing.TB) *sql.DB { return Postgres(t, 8) }},
}

func loyaltyStore(t testing.TB, db *sql.DB, d loyaltysql.Dialect) *loyaltysql.Store {
	t.Helper()
	s, err := loyaltysql.New(db, d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	return s
}

// emptied gives each case of a suite a store on the same database, in less
// time than a new database takes.
func emptied(t testing.TB, e engine) func(testing.TB) loyalty.Store {
	db := e.open(t)
	s := loyaltyStore(t, db, e.dialect)
	return func(t testing.TB) loyalty.Store {
		for _, table := range []string{"account", "standing", "transaction", "entry", "change", "lot", "hold", "pin", "binding"} {
			_, err := db.Exec("DELETE FROM loyalty_" + table)
			require.NoError(t, err)
		}
		return s
	}
}

func TestLoyaltyStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { loyaltytest.TestStore(t, emptied(t, e)) })
	}
}

func TestLoyaltyTierStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			db := e.open(t)
			s := loyaltyStore(t, db, e.dialect)
			loyaltytest.TestProgramStore(t, func(t testing.TB) program.Store {
				for _, table := range []string{"loyalty_tier", "loyalty_tier_change"} {
					_, err := db.Exec("DELETE FROM " + table)
					require.NoError(t, err)
				}
				return s.Tiers()
			})
		})
	}
}

// TestLoyaltyHistoriesAreEqual posts the same random histories in memory and on
// an engine. Every tenth checks all invariants on the way, the others one each,
// which costs less; all are programs of one database.
func TestLoyaltyHistoriesAreEqual(t *testing.T) {
	invariants := loyaltytest.Invariants()
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			n, shards := *loyaltyHistories, 4
			db := e.open(t)
			if e.name == "sqlite on one connection" {
				n, shards = min(n, 8), 1 // the engine is the same
			}
			if e.dialect == loyaltysql.Postgres {
				forgetful(t, db)
			}
			store := loyaltyStore(t, db, e.dialect)
			t.Run("in parallel", func(t *testing.T) {
				for shard := range shards {
					t.Run(fmt.Sprint(shard), func(t *testing.T) {
						t.Parallel()
						for seed := shard; seed < n; seed += shards {
							check := invariants[seed%len(invariants):][:1]
							if seed%10 == 0 {
								check = nil
							}
							want := loyaltytest.TestHistory(t, uint64(seed), 100, loyalty.NewMemoryStore(), check...)
							got := loyaltytest.TestHistory(t, uint64(seed), 100, store, check...)
							for i := range min(len(want), len(got)) {
								require.Equal(t, want[i], got[i], "seed %d, line %d", seed, i)
							}
							require.Equal(t, len(want), len(got), "seed %d", seed)
						}
					})
				}
			})
		})
	}
}

// forgetful lets the server lose the last commits in a crash, which no test of
// histories causes, for the sake of speed.
func forgetful(t testing.TB, db *sql.DB) {
	t.Helper()
	var name string
	require.NoError(t, db.QueryRow("SELECT current_database()").Scan(&name))
	_, err := db.Exec("ALTER DATABASE " + name + " SET synchronous_commit = off")
	require.NoError(t, err)
	db.SetMaxIdleConns(0) // sessions that begin from here on have the setting
	db.SetMaxIdleConns(8)
}

func TestLoyaltyInTheCallersTransaction(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			store := loyaltyStore(t, db, e.dialect)
			_, err := db.Exec("CREATE TABLE orders (number TEXT PRIMARY KEY)")
			require.NoError(t, err)
			now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
			ledger, err := loyalty.New(loyalty.Config{Store: store, Now: func() time.Time { return now }})
			require.NoError(t, err)

			order := func(number string, amount int64, fail error) error {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				defer tx.Rollback()
				if _, err := tx.Exec("INSERT INTO orders (number) VALUES ($1)", number); err != nil {
					return err
				}
				inside := ledger.WithStore(store.WithTx(tx))
				if _, err := inside.Post(ctx, loyalty.Earn{Key: "paid/" + number, Account: "card", Amount: amount}); err != nil {
					return err
				}
				// What was posted is there inside, and a retry gives it again.
				r, err := inside.Post(ctx, loyalty.Earn{Key: "paid/" + number, Account: "card", Amount: amount})
				require.NoError(t, err)
				require.True(t, r.Replayed)
				if _, err := inside.Post(ctx, loyalty.Redeem{Key: "spent/" + number, Account: "card", Amount: 1}); err != nil {
					return err
				}
				if fail != nil {
					return fail
				}
				return tx.Commit()
			}
			total := func() int64 {
				b, err := ledger.Balance(ctx, "card", "", loyalty.AsOf{})
				require.NoError(t, err)
				return b.Total()
			}
			orders := func() (n int) {
				require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM orders").Scan(&n))
				return n
			}

			_, err = ledger.Post(ctx, loyalty.Earn{Key: "welcome", Account: "card", Amount: 5})
			require.NoError(t, err)
			require.Equal(t, int64(5), total())
			require.NoError(t, order("1", 10, nil))
			require.Equal(t, int64(14), total())
			require.Equal(t, 1, orders())

			boom := errors.New("the user changed their mind")
			require.ErrorIs(t, order("2", 20, boom), boom)
			require.Equal(t, int64(14), total(), "points of an order that was rolled back")
			require.Equal(t, 1, orders())

			// A rejected command inside leaves the caller to decide.
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			_, err = ledger.WithStore(store.WithTx(tx)).Post(ctx, loyalty.Redeem{Key: "much", Account: "card", Amount: 1000})
			require.ErrorIs(t, err, loyalty.ErrInsufficient)
			_, err = tx.Exec("INSERT INTO orders (number) VALUES ('3')")
			require.NoError(t, err)
			require.NoError(t, tx.Commit())
			require.Equal(t, 2, orders())

			_, err = ledger.Post(ctx, loyalty.Redeem{Key: "after", Account: "card", Amount: 14})
			require.NoError(t, err)
			_, err = ledger.Verify(ctx, loyalty.Anchor{})
			require.NoError(t, err)
		})
	}
}

func TestLoyaltyMigratesFromTenProcessesAtOnce(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			db := e.open(t)
			errs := make(chan error, 10)
			for range cap(errs) {
				go func() {
					s, err := loyaltysql.New(db, e.dialect)
					if err == nil {
						err = s.Migrate(context.Background())
					}
					errs <- err
				}()
			}
			for range cap(errs) {
				require.NoError(t, <-errs)
			}
			var n int
			require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM cxkit_migration").Scan(&n))
			require.Equal(t, 2, n)
			_, err := db.Exec("INSERT INTO cxkit_migration (component, version, name, checksum, applied_at) VALUES ('loyalty', 99, 'later', 'x', 'now')")
			require.NoError(t, err)
			s, err := loyaltysql.New(db, e.dialect)
			require.NoError(t, err)
			require.ErrorContains(t, s.Migrate(context.Background()), "newer")
		})
	}
}
