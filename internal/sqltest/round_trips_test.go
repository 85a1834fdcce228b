package sqltest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
)

// TestTwoRoundTripsAnOperation counts what goes to PostgreSQL and back: a single
// write of each store is at most two statements, one that reads and one that
// writes, and no transaction around them. The ledger, which keeps accounts in
// memory, and the segments need one.
func TestTwoRoundTripsAnOperation(t *testing.T) {
	most := map[string]int{"observe": 2, "observe-known": 2, "apply": 1, "step": 2, "response": 2, "post": 1}
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			f := &Faults{}
			db := Faulty(t, "pgx", PostgresSource(t), 4, f)
			do := op.begin(t, db, sqlkit.Postgres, 20)
			require.NoError(t, do(context.Background(), 0)) // the first of a process may ask for more, such as the rules
			for i := 1; i < 20; i++ {
				f.Count()
				require.NoError(t, do(context.Background(), i))
				calls, _ := f.Count()
				require.LessOrEqual(t, calls, most[op.name], "operation %d", i)
			}
		})
	}
}

// TestTwoRoundTripsALookUp: what a shop asks of a customer is one statement, or
// two where identifiers were released.
func TestTwoRoundTripsALookUp(t *testing.T) {
	ctx := context.Background()
	f := &Faults{}
	s := profileStore(t, Faulty(t, "pgx", PostgresSource(t), 4, f), sqlkit.Postgres)
	dir, err := profile.New(profile.Config{Store: s, MaxAhead: -1})
	require.NoError(t, err)
	_, err = dir.Observe(ctx, benchEvent(1))
	require.NoError(t, err)
	for name, ask := range map[string]func(id profile.ID) error{
		"look-up": func(profile.ID) error {
			_, err := dir.Lookup(ctx, profile.Identifier{Kind: "phone", Value: "13800000001"})
			return err
		},
		"get": func(id profile.ID) error { _, err := dir.Get(ctx, id); return err },
	} {
		id, err := dir.Lookup(ctx, profile.Identifier{Kind: "phone", Value: "13800000001"})
		require.NoError(t, err)
		f.Count()
		require.NoError(t, ask(id))
		calls, _ := f.Count()
		require.LessOrEqual(t, calls, 2, name)
	}
}
