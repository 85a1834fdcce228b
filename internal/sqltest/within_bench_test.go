package sqltest

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
)

// BenchmarkInTheCallersTransaction: one operation of one package in a transaction
// of the caller's on SQLite, which is to reuse the statements that are prepared.
func BenchmarkInTheCallersTransaction(b *testing.B) {
	type operation func(ctx context.Context, s *shop, tx *sql.Tx, op string) error
	operations := map[string]operation{
		"points": func(ctx context.Context, s *shop, tx *sql.Tx, op string) error {
			_, err := s.ledger.WithStore(s.points.WithTx(tx)).Post(ctx, loyalty.Earn{Key: op, Account: account(1), Amount: 5})
			return err
		},
		"journey": func(ctx context.Context, s *shop, tx *sql.Tx, op string) error {
			_, err := s.journeys.WithStore(s.routes.WithTx(tx)).Ingest(ctx, s.input(op))
			return err
		},
		"invitation": func(ctx context.Context, s *shop, tx *sql.Tx, op string) error {
			_, err := s.surveys.WithStore(s.answers.WithTx(tx)).Invite(ctx, s.request(op))
			return err
		},
		"profile": func(ctx context.Context, s *shop, tx *sql.Tx, op string) error {
			_, err := s.customers.WithStore(s.profiles.WithTx(tx)).Observe(ctx, s.event(op))
			return err
		},
	}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		do := operations[name]
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			db := SQLite(b, 4, "off")
			require.NoError(b, migrateShop(ctx, db, dialectOf("sqlite")))
			s, err := openShop(ctx, db, dialectOf("sqlite"))
			require.NoError(b, err)
			require.NoError(b, s.journeys.Deploy(ctx, thanks()))
			n := 0
			for b.Loop() {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(b, err)
				require.NoError(b, do(ctx, s, tx, orderOp+"/"+strconv.Itoa(n)))
				require.NoError(b, tx.Rollback()) // so that the tables do not grow
				n++
				if n == 8 {
					// What a process does beside: the pool has a free moment.
					require.NoError(b, s.do(ctx, earnOp+"/1", nil))
					require.NoError(b, s.do(ctx, inputOp+"/1", nil))
					require.NoError(b, s.do(ctx, askOp+"/1", nil))
					require.NoError(b, s.do(ctx, seenOp+"/1", nil))
				}
			}
		})
	}
}
