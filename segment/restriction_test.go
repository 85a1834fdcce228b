package segment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// Who had the processing of their data stopped is in no audience, whatever they
// do meanwhile, and is back with all of it once they resume.
func TestTheRestrictedAreInNoAudience(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	dir, err := profile.New(profile.Config{Now: func() time.Time { return now }, Kinds: []profile.Kind{{Name: "card"}}})
	require.NoError(t, err)
	cfg := segment.Config{History: dir, Store: &segment.MemoryStore{}}
	e, err := segment.New(cfg)
	require.NoError(t, err)
	define := func(name string, r segment.Rule) {
		t.Helper()
		require.NoError(t, e.Define(ctx, now, segment.Definition{Name: name, Rule: r}))
	}
	define("visitors", segment.Events("visit").Within(segment.Days(9)).AtLeast(1))
	define("frequent", segment.Events("visit").Within(segment.Days(9)).AtLeast(2))
	define("strangers", segment.Not(segment.Events("buy").Within(segment.Days(9)).AtLeast(1)))
	n := 0
	visit := func() profile.ID {
		t.Helper()
		n++
		now = now.Add(time.Hour)
		seen, err := dir.Observe(ctx, profile.Event{
			ID: fmt.Sprint("visit ", n), Name: "visit", Time: now, Source: "till", Traits: profile.Values{"city": profile.Text("Hangzhou")},
			Identifiers: []profile.Identifier{{Kind: "card", Value: "4711"}},
		})
		require.NoError(t, err)
		return seen.Profile
	}
	in := func() (names []string) {
		t.Helper()
		for _, name := range []string{"visitors", "frequent", "strangers", "late"} {
			if view, err := e.View(name); err == nil && view.Len() > 0 {
				names = append(names, name)
			}
		}
		return names
	}
	id := visit()
	require.NoError(t, e.CatchUp(ctx))
	require.Equal(t, []string{"visitors", "strangers"}, in())

	clerk := profile.Decision{Actor: "clerk", Reason: "asked for"}
	now = now.Add(time.Hour)
	require.NoError(t, dir.Restrict(ctx, id, clerk))
	visit()
	require.NoError(t, e.CatchUp(ctx), "the restriction and what follows in one batch")
	require.Empty(t, in())
	visit()
	require.NoError(t, e.CatchUp(ctx))
	require.Empty(t, in())
	define("late", segment.Events("visit").Within(segment.Days(9)).AtLeast(1))
	require.Empty(t, in(), "nor in one defined meanwhile")
	e, err = segment.Resume(ctx, cfg)
	require.NoError(t, err)
	visit()
	require.NoError(t, e.CatchUp(ctx))
	require.Empty(t, in(), "nor after a restart")

	now = now.Add(time.Hour)
	require.NoError(t, dir.Resume(ctx, id, clerk))
	require.NoError(t, e.CatchUp(ctx))
	require.Equal(t, []string{"visitors", "frequent", "strangers", "late"}, in())
}
