package segment_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// gated is a history whose timelines wait at a gate while it is shut.
type gated struct {
	*segment.MemoryHistory
	shut    bool
	reached chan struct{} // somebody waits
	open    chan struct{}
}

func (g *gated) Timeline(ctx context.Context, id profile.ID) iter.Seq2[profile.Event, error] {
	if g.shut {
		g.shut = false
		close(g.reached)
		<-g.open
	}
	return g.MemoryHistory.Timeline(ctx, id)
}

// A definition may read the history of everybody for minutes. Questions about
// what the engine holds already are answered meanwhile, as of before it.
func TestQuestionsDoNotWaitForADefinition(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	history := &gated{
		MemoryHistory: &segment.MemoryHistory{Now: func() time.Time { return now }},
		reached:       make(chan struct{}), open: make(chan struct{}),
	}
	for i := range 20 {
		require.NoError(t, history.Observe(customer(i), profile.Event{
			ID: fmt.Sprint("e", i), Name: "visit", Time: now,
			Traits: profile.Values{"points": profile.Int(int64(i))}, Properties: profile.Values{"n": profile.Int(1)},
		}))
	}
	engine, err := segment.New(segment.Config{History: history})
	require.NoError(t, err)
	require.NoError(t, engine.CatchUp(t.Context()))
	require.NoError(t, engine.Define(t.Context(), now, segment.Definition{Name: "rich", Rule: atLeastPoints(15)}))
	richer := segment.Definition{Rule: segment.All(segment.In("rich"), atLeastPoints(18))}
	prepared, err := engine.Prepare(t.Context(), richer)
	require.NoError(t, err)

	history.shut = true
	defined := make(chan error)
	visits := segment.Events("visit").Sum("n").AtLeast(profile.Int(1))
	go func() {
		defined <- engine.Define(t.Context(), now.Add(time.Hour), segment.Definition{
			Name: "visitors", Rule: segment.All(visits, atLeastPoints(18)),
		})
	}()
	<-history.reached

	n, err := engine.Count(t.Context(), time.Time{}, richer)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	chosen, err := engine.Select(t.Context(), time.Time{}, richer)
	require.NoError(t, err)
	require.Equal(t, 2, chosen.Len())
	_, err = engine.Plan(t.Context(), time.Time{}, richer)
	require.NoError(t, err)
	n, err = prepared.Count(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = engine.Count(t.Context(), time.Time{}, segment.Definition{Rule: segment.In("visitors")})
	require.ErrorIs(t, err, segment.ErrUnknownSegment, "not defined yet")

	close(history.open)
	require.NoError(t, <-defined)
	n, err = engine.Count(t.Context(), time.Time{}, segment.Definition{Rule: segment.In("visitors")})
	require.NoError(t, err)
	require.Equal(t, 2, n)

	// What was prepared meanwhile is not what is answered afterwards.
	now = now.Add(2 * time.Hour)
	require.NoError(t, history.Observe(customer(0), profile.Event{
		ID: "late fortune", Name: "visit", Time: now, Traits: profile.Values{"points": profile.Int(99)},
	}))
	require.NoError(t, engine.CatchUp(t.Context()))
	n, err = prepared.Count(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Equal(t, 3, n)
}
