package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/segment"
)

var faultDepth = flag.Int("faults.depth", 8, "at most so many calls of an operation fail, one at a time")

// slow is how long a slow call takes at most.
const slow = 10 * time.Millisecond

// sqlState is an error of PostgreSQL's, resultCode one of SQLite's.
type (
	sqlState   string
	resultCode int
)

func (s sqlState) Error() string    { return "made up: " + string(s) }
func (s sqlState) SQLState() string { return string(s) }
func (c resultCode) Error() string  { return fmt.Sprint("made up: ", int(c)) }
func (c resultCode) Code() int      { return int(c) }

// fault is what strikes, and when it can.
type fault struct {
	name    string
	err     error
	moments []Moment
	retried bool // a store that runs alone tries again by itself
}

func faultsOf(d sqlkit.Dialect) []fault {
	lost := fault{"a lost connection", io.ErrUnexpectedEOF, []Moment{Before, During, After}, true}
	if d == sqlkit.Postgres {
		return []fault{
			lost,
			{"a serialization failure", sqlState("40001"), []Moment{Before, During}, true},
			{"a deadlock", sqlState("40P01"), []Moment{Before}, true},
			{"a full disk", sqlState("53100"), []Moment{Before, During}, false},
		}
	}
	return []fault{
		lost,
		{"a busy database", resultCode(5), []Moment{Before}, true},
		{"a full disk", resultCode(13), []Moment{Before, During}, false},
		{"a failing disk", resultCode(10), []Moment{Before}, false},
	}
}

// TestFaults lets every call to the database of every operation fail, in every
// way and at every moment: the error says what it was, what is then repeated by
// its key is done once, nothing is there by half, and nothing is left behind.
func TestFaults(t *testing.T) {
	for _, e := range []struct {
		driver string
		source func(testing.TB) string
	}{
		{"sqlite", func(t testing.TB) string { return SQLiteSource(t, "off") }},
		{"pgx", func(t testing.TB) string {
			source := PostgresSource(t)
			forgetful(t, open(t, "pgx", source, 1))
			return source
		}},
	} {
		d := dialectOf(e.driver)
		t.Run(d.String(), func(t *testing.T) {
			ctx := context.Background()
			var f Faults
			db := Faulty(t, e.driver, e.source(t), 3, &f)
			require.NoError(t, migrateShop(ctx, db, d))
			s, err := openShop(ctx, db, d)
			require.NoError(t, err)
			require.NoError(t, s.journeys.Deploy(ctx, thanks()))
			done := map[string]bool{}
			n := 0
			next := func(kind string) string {
				n++
				op := fmt.Sprint(kind, "/", n)
				done[op] = true
				return op
			}
			for _, kind := range kinds {
				require.NoError(t, s.try(ctx, next(kind)), "what is prepared once is prepared")
			}
			// ready is an operation that will find something to do.
			ready := func(kind string) string {
				switch kind {
				case stepOp:
					require.NoError(t, s.do(ctx, next(inputOp), nil))
				case followOp:
					require.NoError(t, s.do(ctx, next(seenOp), nil))
				}
				return next(kind)
			}
			before := runtime.NumGoroutine()
			struck, seen := 0, 0
			for _, kind := range kinds {
				require.NoError(t, s.try(ctx, next(kind)), "what is left from before")
				op := ready(kind)
				f.Count()
				require.NoError(t, s.try(ctx, op))
				calls, _ := f.Count()
				for at := 1; at <= min(calls, *faultDepth); at++ {
					for _, x := range faultsOf(d) {
						for _, m := range x.moments {
							op := ready(kind)
							f.Fail(at, m, x.err)
							err := s.try(ctx, op)
							if _, hit := f.Count(); hit {
								struck++
							}
							if err != nil {
								seen++
								if kind == followOp && m == After && errors.Is(err, segment.ErrConflict) {
									err = x.err // it was done, and then met itself
								}
								require.ErrorIs(t, err, x.err, "%s %s call %d of %s", x.name, m, at, kind)
							}
							require.NoError(t, s.do(ctx, op, nil), "again, after %s %s call %d", x.name, m, at)
						}
					}
					canceled := ready(kind)
					inner, cancel := context.WithCancel(ctx)
					f.Do(at, cancel)
					err := s.try(inner, canceled)
					cancel()
					f.Count()
					// The end of a transaction that was begun under the context
					// has names of database/sql's own.
					if err != nil && kind != orderOp {
						require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) || sqlkit.Lost(err), "canceled at call %d of %s: %v", at, kind, err)
					}
					require.NoError(t, s.do(ctx, canceled, nil))

					// A call that takes long is overtaken by another operation,
					// unless that has to wait for it.
					op, other := ready(kind), next(kind)
					overtook := make(chan error, 1)
					f.Do(at, func() {
						go func() { overtook <- s.do(ctx, other, nil) }()
						select {
						case err := <-overtook:
							overtook <- err
						case <-time.After(slow):
						}
					})
					require.NoError(t, s.do(ctx, op, nil), "slow call %d of %s", at, kind)
					if _, hit := f.Count(); hit {
						require.NoError(t, <-overtook, "overtaking call %d of %s", at, kind)
					} else {
						delete(done, other)
					}
				}
			}
			t.Logf("%d faults struck, %d were seen by the caller", struck, seen)
			require.Greater(t, struck, 100)
			require.Zero(t, db.Stats().InUse, "connections that were not given back")
			for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+2 && time.Now().Before(deadline); {
				runtime.Gosched()
			}
			require.LessOrEqual(t, runtime.NumGoroutine(), before+2, "goroutines that did not end")
			s.finish(t)
			s.verify(t, done, done)
		})
	}
}
