package sqltest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/profile/profiletest"
)

func profileStore(t testing.TB, db *sql.DB, d profilesql.Dialect) *profilesql.Store {
	t.Helper()
	s, err := profilesql.New(db, d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	return s
}

// emptyProfiles gives each case of a suite a store on the same database.
func emptyProfiles(t testing.TB, e engine) func(testing.TB) profile.Store {
	db := e.open(t)
	s := profileStore(t, db, e.dialect)
	tables := []string{"event", "evidence", "identifier", "holding", "anchor", "customer", "tombstone", "handover", "change"}
	empty := []string{"UPDATE profile_feed SET last = 0, dropped = 0, rules = ''"}
	if e.dialect == profilesql.SQLite {
		empty = append(empty, "DELETE FROM sqlite_sequence WHERE name = 'profile_change'")
	} else {
		tables = append(tables, "change_new")
	}
	for _, table := range tables {
		empty = append(empty, "DELETE FROM profile_"+table)
	}
	return func(t testing.TB) profile.Store {
		for _, text := range empty {
			_, err := db.Exec(text)
			require.NoError(t, err)
		}
		return s
	}
}

func TestProfileStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { profiletest.TestStore(t, emptyProfiles(t, e)) })
	}
}

var profileHistories = flag.Int("profile.histories", 2, "random histories of a directory on each engine")

func TestProfileHistoriesAreEqual(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyProfiles(t, e)
			for seed := range uint64(*profileHistories) {
				profiletest.TestHistories(t, 1000+seed, open)
			}
		})
	}
}

func changed(id string) profile.Batch {
	return profile.Batch{Changes: []profile.Change{{Kind: profile.Observed, Profile: "A", Event: id, RecordedAt: spring}}}
}

// follower reads the feed as a consumer does that remembers its position only.
type follower struct {
	cursor uint64
	seen   []string
}

func (f *follower) read(t testing.TB, s profile.Store) {
	t.Helper()
	for {
		rows, err := s.Changes(context.Background(), f.cursor, 3)
		require.NoError(t, err)
		for _, c := range rows {
			require.Equal(t, f.cursor+1, c.Seq, "the feed has no gap")
			f.cursor = c.Seq
			f.seen = append(f.seen, c.Event)
		}
		if len(rows) < 3 {
			return
		}
	}
}

// TestALateCommitIsNotHidden: a transaction that began before others and
// commits after them is found by a reader that has seen the others.
func TestALateCommitIsNotHidden(t *testing.T) {
	ctx := context.Background()
	db := Postgres(t, 8)
	s := profileStore(t, db, profilesql.Postgres)
	var f follower
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, s.WithTx(tx).Commit(ctx, changed("slow")))
	require.NoError(t, s.Commit(ctx, changed("fast")))
	f.read(t, s)
	require.Equal(t, []string{"fast"}, f.seen)
	require.NoError(t, tx.Commit())
	f.read(t, s)
	require.Equal(t, []string{"fast", "slow"}, f.seen)
}

// TestTheFeedUnderSlowAndFastWriters: every committed row is seen once, and
// none of those that were rolled back, whatever the order of the commits.
func TestTheFeedUnderSlowAndFastWriters(t *testing.T) {
	const writers, each = 6, 40
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			s := profileStore(t, db, e.dialect)
			var want sync.Map
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					rng := rand.New(rand.NewPCG(11, uint64(w)))
					for i := range each {
						id := fmt.Sprintf("%d-%d", w, i)
						if rng.IntN(3) == 0 {
							if assert.NoError(t, s.Commit(ctx, changed(id))) {
								want.Store(id, true)
							}
							continue
						}
						tx, err := db.BeginTx(ctx, nil)
						if !assert.NoError(t, err) {
							return
						}
						if !assert.NoError(t, s.WithTx(tx).Commit(ctx, changed(id))) {
							assert.NoError(t, tx.Rollback())
							return
						}
						for range rng.IntN(200) {
							runtime.Gosched()
						}
						if rng.IntN(4) == 0 {
							assert.NoError(t, tx.Rollback())
						} else if assert.NoError(t, tx.Commit()) {
							want.Store(id, true)
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { group.Wait(); close(done) }()
			var f follower
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				f.read(t, s)
			}
			seen := map[string]bool{}
			for _, id := range f.seen {
				require.False(t, seen[id], "seen twice: %s", id)
				seen[id] = true
				_, ok := want.Load(id)
				require.True(t, ok, "seen and not committed: %s", id)
			}
			want.Range(func(id, _ any) bool {
				require.True(t, seen[id.(string)], "committed and not seen: %s", id)
				return true
			})
		})
	}
}

// TestAnOrderAndItsEventInOneTransaction: both are there, or neither.
func TestAnOrderAndItsEventInOneTransaction(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			s := profileStore(t, db, e.dialect)
			customers, err := profile.New(profile.Config{Store: s, MaxAhead: -1})
			require.NoError(t, err)
			_, err = db.Exec("CREATE TABLE orders (number TEXT PRIMARY KEY)")
			require.NoError(t, err)
			seen := profile.Event{ID: "paid", Time: spring, Identifiers: []profile.Identifier{{Kind: "phone", Value: "13800138000"}}}
			for _, keep := range []bool{false, true} {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.Exec("INSERT INTO orders (number) VALUES ('1')")
				require.NoError(t, err)
				receipt, err := customers.WithStore(s.WithTx(tx)).Observe(ctx, seen)
				require.NoError(t, err)
				require.False(t, receipt.Duplicate)
				if !keep {
					require.NoError(t, tx.Rollback())
					_, _, err = customers.Event(ctx, "paid")
					require.ErrorIs(t, err, profile.ErrNotFound)
					continue
				}
				require.NoError(t, tx.Commit())
				_, owner, err := customers.Event(ctx, "paid")
				require.NoError(t, err)
				require.Equal(t, receipt.Profile, owner)
			}
		})
	}
}

// TestAnExpiredCursorIsToldSo: what is removed from the feed is never skipped in
// silence, and numbering goes on where it was.
func TestAnExpiredCursorIsToldSo(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			s := profileStore(t, e.open(t), e.dialect)
			for i := range 10 {
				b := changed(fmt.Sprint(i))
				b.Changes[0].RecordedAt = spring.Add(time.Duration(i) * time.Hour)
				require.NoError(t, s.Commit(ctx, b))
			}
			rows, err := s.Changes(ctx, 0, 100)
			require.NoError(t, err)
			require.Len(t, rows, 10)
			for range 2 {
				_, err := s.PurgeChanges(ctx, spring.Add(4*time.Hour))
				require.NoError(t, err)
				_, err = s.Changes(ctx, 3, 100)
				require.ErrorIs(t, err, profile.ErrCursorExpired)
				rows, err = s.Changes(ctx, 4, 100)
				require.NoError(t, err)
				require.Len(t, rows, 6)
				require.Equal(t, uint64(5), rows[0].Seq)
			}
			n, err := s.PurgeChanges(ctx, spring.AddDate(1, 0, 0))
			require.NoError(t, err)
			require.Equal(t, 6, n)
			_, err = s.Changes(ctx, 9, 100)
			require.ErrorIs(t, err, profile.ErrCursorExpired)
			require.NoError(t, s.Commit(ctx, changed("after")))
			rows, err = s.Changes(ctx, 10, 100)
			require.NoError(t, err)
			require.Len(t, rows, 1)
			require.Equal(t, uint64(11), rows[0].Seq)

			d, err := profile.New(profile.Config{Store: s})
			require.NoError(t, err)
			for _, err := range d.Changes(ctx, 2) {
				require.ErrorIs(t, err, profile.ErrCursorExpired)
			}
		})
	}
}
