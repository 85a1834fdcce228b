package sqltest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

var segmentHistories = flag.Int("segment.histories", 8, "random histories of an engine of segments on each engine")

// TestSegmentHistoriesAreEqual runs an engine without a store through a random
// history, and beside it, over a memory store and over a database, one that
// crashes now and then before or after a commit and resumes: the same
// transitions and the same members, all the time.
func TestSegmentHistoriesAreEqual(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			db := e.open(t)
			s := segmentStore(t, db, e.dialect)
			for seed := range uint64(*segmentHistories) {
				for _, text := range []string{
					"DELETE FROM segment_transition", "DELETE FROM segment_input", "DELETE FROM segment_checkpoint",
					"UPDATE segment_head SET last_input = 0, last_transition = 0",
				} {
					_, err := db.Exec(text)
					require.NoError(t, err)
				}
				segmentHistory(t, seed, &segment.MemoryStore{}, s)
			}
		})
	}
}

// fragile fails commits at random, before or after they are done.
type fragile struct {
	segment.Store
	r *rand.Rand
}

var errFragile = errors.New("the process has died")

func (f *fragile) Commit(ctx context.Context, c segment.Commit) error {
	switch f.r.IntN(12) {
	case 0:
		return errFragile
	case 1:
		if err := f.Store.Commit(ctx, c); err != nil {
			return err
		}
		return errFragile
	}
	return f.Store.Commit(ctx, c)
}

func segmentHistory(t *testing.T, seed uint64, stores ...segment.Store) {
	t.Helper()
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 31))
	now := spring.Truncate(time.Hour)
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	plain, err := segment.New(segment.Config{History: history})
	require.NoError(t, err)
	engines := []*segment.Engine{plain}
	configs := []segment.Config{{}}
	for i, s := range stores {
		cfg := segment.Config{History: history, Store: &fragile{s, rand.New(rand.NewPCG(seed, uint64(i)))}}
		e, err := segment.New(cfg)
		require.NoError(t, err)
		engines, configs = append(engines, e), append(configs, cfg)
	}
	do := func(f func(e *segment.Engine) error) {
		t.Helper()
		for i := range engines {
			for attempt := 0; ; attempt++ {
				err := f(engines[i])
				if err == nil {
					break
				}
				require.Less(t, attempt, 50, "seed %d: %v", seed, err)
				require.ErrorIs(t, err, errFragile, "seed %d", seed)
				engines[i], err = segment.Resume(ctx, configs[i])
				require.NoError(t, err, "seed %d", seed)
			}
		}
	}
	rules := []segment.Rule{
		segment.Events("visit").Within(segment.Last(30 * time.Hour)).AtLeast(2),
		segment.Attr("tier").Is("金"),
		segment.Events("order.paid").Within(segment.Days(2)).Never(),
		segment.All(segment.Attr("tier").Is("金"), segment.Not(segment.In("a"))),
	}
	names := []string{"a", "b", "c", "d"}
	defined := map[string]bool{}
	customer := func() profile.ID { return profile.ID(fmt.Sprint("客", r.IntN(6))) }
	for step := range 80 {
		switch op := r.IntN(12); {
		case op < 6 || step < 4:
			e := profile.Event{
				ID: fmt.Sprint("e", r.IntN(150)), Name: []string{"visit", "visit", "order.paid"}[r.IntN(3)],
				Time: now.Add(time.Duration(r.IntN(40)-36) * time.Hour), Mode: profile.Mode(r.IntN(6) / 5),
			}
			if r.IntN(3) == 0 {
				e.Traits = profile.Values{"tier": profile.Text([]string{"金", "银"}[r.IntN(2)])}
			}
			if err := history.Observe(customer(), e); err != nil {
				require.ErrorIs(t, err, segment.ErrEventConflict)
			}
		case op < 7:
			if a, b := customer(), customer(); a != b {
				_ = history.Merge(a, b) // of those who are there
			}
		case op < 8:
			_ = history.Retract(fmt.Sprint("e", r.IntN(150)))
		case op < 9:
			if r.IntN(2) == 0 {
				_ = history.Erase(customer())
			}
		case op < 10:
			i := r.IntN(len(rules))
			if name := names[i]; !defined[name] && (i < 3 || defined["a"]) {
				defined[name] = true
				do(func(e *segment.Engine) error {
					if _, err := e.View(name); err == nil {
						return nil // it was done before the crash was seen
					}
					return e.Define(ctx, now, segment.Definition{Name: name, Rule: rules[i]})
				})
			}
		case op < 11:
			do(func(e *segment.Engine) error { return e.Checkpoint(ctx) })
		}
		do(func(e *segment.Engine) error { return e.CatchUp(ctx) })
		now = now.Add(time.Duration(r.IntN(20)) * time.Hour)
		do(func(e *segment.Engine) error { return e.Advance(ctx, now) })
		for i, e := range engines {
			for name := range defined {
				require.Equal(t, membersOf(t, plain, name), membersOf(t, e, name), "seed %d, step %d, segment %s of engine %d", seed, step, name, i)
			}
		}
	}
	want := feedOf(t, plain)
	for _, e := range engines[1:] {
		sameLines(t, seed, want, feedOf(t, e))
	}
	require.NotEmpty(t, want)
}

func membersOf(t *testing.T, e *segment.Engine, name string) []profile.ID {
	t.Helper()
	v, err := e.View(name)
	require.NoError(t, err)
	a, err := v.Audience()
	require.NoError(t, err)
	return slices.Collect(a.IDs())
}

func feedOf(t *testing.T, e *segment.Engine) (out []string) {
	t.Helper()
	for tr, err := range e.Transitions(context.Background(), 0) {
		require.NoError(t, err)
		out = append(out, fmt.Sprintf("%+v", tr))
	}
	return out
}

// TestTransitionsUnderSeveralEngines: engines that write to one store by turns,
// as their commits come fast or slow, and a reader that remembers its position
// only: it meets every transition once, and none is ever found at or before
// where it has been.
func TestTransitionsUnderSeveralEngines(t *testing.T) {
	const writers, each = 4, 25
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			s := segmentStore(t, db, e.dialect)
			// after is where the feed ends.
			after := func() (input, transition uint64, err error) {
				err = db.QueryRow("SELECT last_input, last_transition FROM segment_head").Scan(&input, &transition)
				return input, transition, err
			}
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					r := rand.New(rand.NewPCG(41, uint64(w)))
					for n := 0; n < each; {
						input, last, err := after()
						if !assert.NoError(t, err) {
							return
						}
						c := segment.Commit{After: input, Inputs: []segment.Input{{Position: input + 1, Data: []byte("x")}}}
						for i := range uint64(1 + r.IntN(3)) {
							c.Transitions = append(c.Transitions, segment.Transition{
								Seq: last + 1 + i, ID: fmt.Sprint(w, "/", n, "/", i), Segment: "s", Customer: "c", Kind: segment.Entered,
								EffectiveAt: spring, DetectedAt: spring, Cause: segment.Cause{Kind: segment.ByTime},
							})
						}
						if r.IntN(2) == 0 {
							err = s.Commit(ctx, c)
						} else { // slowly
							tx, begun := db.BeginTx(ctx, nil)
							if !assert.NoError(t, begun) {
								return
							}
							if err = s.WithTx(tx).Commit(ctx, c); err == nil {
								err = tx.Commit()
							} else {
								assert.NoError(t, tx.Rollback())
							}
						}
						if err == nil {
							n++
						} else if !assert.ErrorIs(t, err, segment.ErrConflict) {
							return
						}
					}
				})
			}
			done := make(chan struct{})
			go func() { group.Wait(); close(done) }()
			cursor, ids := uint64(0), map[string]bool{}
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				rows, err := s.Transitions(ctx, cursor, 7)
				require.NoError(t, err)
				for _, tr := range rows {
					require.Equal(t, cursor+1, tr.Seq, "the feed has no gap")
					require.False(t, ids[tr.ID], "seen twice: %s", tr.ID)
					cursor, ids[tr.ID] = tr.Seq, true
				}
				running = running || len(rows) == 7
			}
			_, last, err := after()
			require.NoError(t, err)
			require.Equal(t, last, cursor)
			require.GreaterOrEqual(t, len(ids), writers*each)
		})
	}
}
