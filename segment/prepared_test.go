package segment

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/stretchr/testify/require"
)

func TestAPreparedQueryFollowsTheEngine(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	h := &MemoryHistory{Now: func() time.Time { return now }}
	e, err := New(Config{History: h})
	require.NoError(t, err)
	q, err := e.Prepare(ctx, Definition{Rule: Events("visit").Within(Days(1)).AtLeast(1)})
	require.NoError(t, err)
	expect := func(at time.Time, want int) {
		t.Helper()
		n, err := q.Count(ctx, at)
		require.NoError(t, err)
		require.Equal(t, want, n)
		a, err := q.Select(ctx, at)
		require.NoError(t, err)
		require.Equal(t, want, a.Len())
		p, err := q.Plan(ctx, at)
		require.NoError(t, err)
		require.Equal(t, want, p.Root.Actual)
	}
	expect(time.Time{}, 0)
	require.NoError(t, h.Observe("li", profile.Event{ID: "e1", Name: "visit", Time: now}))
	require.NoError(t, e.CatchUp(ctx))
	expect(time.Time{}, 1)
	expect(now.Add(24*time.Hour), 0)
	expect(time.Time{}, 1)
	require.NoError(t, e.Advance(ctx, now.Add(24*time.Hour)))
	expect(time.Time{}, 0)
	_, err = q.Count(ctx, now)
	require.ErrorIs(t, err, ErrPast)
	require.NoError(t, h.Observe("wu", profile.Event{ID: "e2", Name: "visit", Time: now.Add(24 * time.Hour)}))
	require.NoError(t, e.CatchUp(ctx))
	expect(time.Time{}, 1)
	require.NoError(t, e.Erase(ctx, "wu"))
	expect(time.Time{}, 0)
}

// crowd is an engine of many blocks of customers with an attribute n.
func crowd(t *testing.T, workers int) *Engine {
	t.Helper()
	e, err := New(Config{Workers: workers})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(5, 5))
	col := newAttrColumn("n")
	e.attrs["n"] = col
	for i := range 12 * blockSize {
		d := e.admit(profile.ID(fmt.Sprint("c", i)))
		col.set(d, profile.Int(rng.Int64N(1000)))
	}
	return e
}

func TestWorkersChangeNoAnswer(t *testing.T) {
	odd := Func("odd", Deps{Attrs: []string{"n"}}, func(c Customer) bool {
		n, _ := c.Attr("n").Int()
		return n%2 == 1
	})
	defs := []Definition{
		{Rule: odd},
		{Rule: All(odd, Attr("n").Below(profile.Int(100)))},
		{Rule: Not(Attr("n").Between(profile.Int(3), profile.Int(998)))},
	}
	alone, together := crowd(t, 0), crowd(t, 3)
	for _, def := range defs {
		want, err := alone.Select(t.Context(), time.Time{}, def)
		require.NoError(t, err)
		q, err := together.Prepare(t.Context(), def)
		require.NoError(t, err)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				got, err := q.Select(t.Context(), time.Time{})
				if err != nil || countOf(opXor, got.set, want.set) != 0 {
					t.Errorf("%s: %v, %d of %d", def.Rule, err, got.Len(), want.Len())
				}
				if n, err := q.Count(t.Context(), time.Time{}); err != nil || n != want.Len() {
					t.Errorf("%s: %v, counted %d of %d", def.Rule, err, n, want.Len())
				}
			})
		}
		wait.Wait()
	}
	boom := Func("boom", Deps{Attrs: []string{"n"}}, func(Customer) bool { panic("boom") })
	require.PanicsWithValue(t, "boom", func() { _, _ = together.Count(t.Context(), time.Time{}, Definition{Rule: boom}) })
	_, err := New(Config{Workers: -1})
	require.ErrorContains(t, err, "Config.Workers")
}
