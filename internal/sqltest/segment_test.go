package sqltest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmentsql"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

func segmentStore(t testing.TB, db *sql.DB, d segmentsql.Dialect) *segmentsql.Store {
	t.Helper()
	s, err := segmentsql.New(db, d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	return s
}

func TestSegmentStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			db := e.open(t)
			s := segmentStore(t, db, e.dialect)
			segmenttest.TestStore(t, func(t testing.TB) segment.Store {
				for _, text := range []string{
					"DELETE FROM segment_transition", "DELETE FROM segment_input", "DELETE FROM segment_checkpoint",
					"UPDATE segment_head SET last_input = 0, last_transition = 0",
				} {
					_, err := db.Exec(text)
					require.NoError(t, err)
				}
				return s
			})
		})
	}
}

// TestTransitionsInACallersTransaction: they go with it, and after a rollback
// the store takes the same commit again.
func TestTransitionsInACallersTransaction(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			s := segmentStore(t, db, e.dialect)
			c := segment.Commit{Inputs: []segment.Input{{Position: 1, Data: []byte("x")}}}
			for _, keep := range []bool{false, true} {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				require.NoError(t, s.WithTx(tx).Commit(ctx, c))
				if !keep {
					require.NoError(t, tx.Rollback())
					continue
				}
				require.NoError(t, tx.Commit())
			}
			inside, err := s.Inputs(ctx, 0, 10)
			require.NoError(t, err)
			require.Equal(t, c.Inputs, inside)

			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			late := s.WithTx(tx)
			require.ErrorIs(t, late.Commit(ctx, c), segment.ErrConflict)
			_, err = late.Inputs(ctx, 0, 10)
			require.ErrorIs(t, err, segment.ErrConflict)
			require.NoError(t, tx.Rollback())
		})
	}
}
