package segment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// After an erasure neither the feed, nor what the store keeps, nor the engine
// names the customer any more, under the present ID or one of before a merge.
func TestErasureOfFormerIDs(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	dir, err := profile.New(profile.Config{
		Now:   func() time.Time { return now },
		Kinds: []profile.Kind{{Name: "card"}, {Name: "phone"}}, ErasureKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")},
	})
	require.NoError(t, err)
	store := &segment.MemoryStore{}
	cfg := segment.Config{History: dir, Store: store}
	e, err := segment.New(cfg)
	require.NoError(t, err)
	require.NoError(t, e.Define(ctx, now, segment.Definition{Name: "visitors", Rule: segment.Events("visit").Within(segment.Days(9)).AtLeast(1)}))
	n := 0
	visit := func(ids ...profile.Identifier) profile.ID {
		t.Helper()
		n++
		now = now.Add(time.Hour)
		seen, err := dir.Observe(ctx, profile.Event{ID: fmt.Sprint("visit ", n), Name: "visit", Time: now, Source: "till", Identifiers: ids})
		require.NoError(t, err)
		require.NoError(t, e.CatchUp(ctx))
		return seen.Profile
	}
	card, phone := profile.Identifier{Kind: "card", Value: "4711"}, profile.Identifier{Kind: "phone", Value: "0815"}
	first := visit(card)
	former := visit(phone)
	other := visit(profile.Identifier{Kind: "card", Value: "9999"})
	require.NotEqual(t, first, former)
	now = now.Add(time.Hour)
	require.Equal(t, first, visit(card, phone), "the two are one by now")

	named := func() map[profile.ID]int {
		out := map[profile.ID]int{}
		for tr, err := range e.Transitions(ctx, 0) {
			require.NoError(t, err)
			out[tr.Customer]++
		}
		return out
	}
	require.Contains(t, named(), former, "what happened before the merge is told of the former ID")
	view, err := e.View("visitors")
	require.NoError(t, err)
	in, err := view.ContainsAt(ctx, former, now)
	require.NoError(t, err)
	require.True(t, in, "a former ID stands for the present one")

	total := 0
	for _, k := range named() {
		total += k
	}
	_, err = dir.Erase(ctx, first, profile.Erasure{Decision: profile.Decision{Actor: "clerk", Reason: "asked for"}})
	require.NoError(t, err)
	require.NoError(t, e.CatchUp(ctx))
	for name, engine := range map[string]func() *segment.Engine{
		"the engine": func() *segment.Engine { return e },
		"one that resumes": func() *segment.Engine {
			resumed, err := segment.Resume(ctx, cfg)
			require.NoError(t, err)
			return resumed
		},
	} {
		e = engine()
		left := named()
		require.NotContains(t, left, first, name)
		require.NotContains(t, left, former, name)
		require.Equal(t, 1, left[other], name)
		require.Equal(t, total, left[""]-1+left[other], "%s: transitions stay, without the customer, and one says that she left", name)
		view, err := e.View("visitors")
		require.NoError(t, err)
		require.Equal(t, 1, view.Len(), name)
		for _, id := range []profile.ID{first, former} {
			for _, at := range []time.Time{now.Add(-90 * time.Minute), now, now.Add(time.Hour)} {
				in, err := view.ContainsAt(ctx, id, at)
				require.NoError(t, err)
				require.False(t, in, name)
			}
		}
	}
	cp, err := store.Load(ctx)
	require.NoError(t, err)
	inputs, err := store.Inputs(ctx, cp.Position, 1000)
	require.NoError(t, err)
	for _, trace := range []string{string(first), string(former), "4711", "0815", "visit 1", "visit 2"} {
		require.NotContains(t, string(cp.Data), trace)
		for _, in := range inputs {
			require.NotContains(t, string(in.Data), trace)
		}
	}
}
