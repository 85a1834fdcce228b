package segment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/stretchr/testify/require"
)

func audienceOf(t *testing.T, ids ...profile.ID) *segment.Audience {
	t.Helper()
	a, err := segment.NewAudience(time.Time{}, ids...)
	require.NoError(t, err)
	return a
}

func ids(a *segment.Audience) []profile.ID { return slices.Collect(a.IDs()) }

func TestAudienceAlgebraMatchesByKey(t *testing.T) {
	a := audienceOf(t, "wu", "li", "xu", "li")
	b := audienceOf(t, "xu", "yu", "li")
	require.Equal(t, []profile.ID{"li", "wu", "xu"}, ids(a), "in the order of keys")
	require.Equal(t, []profile.ID{"li", "xu"}, ids(a.And(b)))
	require.Equal(t, []profile.ID{"li", "wu", "xu", "yu"}, ids(a.Or(b)))
	require.Equal(t, []profile.ID{"wu"}, ids(a.Minus(b)))
	require.Equal(t, []profile.ID{"wu", "yu"}, ids(a.Xor(b)))
	require.Equal(t, segment.Overlap{A: 3, B: 3, Both: 2}, a.Overlap(b))
	require.Equal(t, [][]int{{3, 2}, {2, 3}}, segment.OverlapMatrix(a, b))
	require.InDelta(t, 0.5, a.Overlap(b).Jaccard(), 1e-12)
}

func TestAudiencePages(t *testing.T) {
	a := audienceOf(t, "e", "b", "d", "a", "c")
	require.Equal(t, []profile.ID{"a", "b"}, a.Page("", 2))
	require.Equal(t, []profile.ID{"c", "d"}, a.Page("b", 2))
	require.Equal(t, []profile.ID{"e"}, a.Page("d", 2))
	require.Empty(t, a.Page("e", 2))
	require.Equal(t, []profile.ID{"c", "d", "e"}, a.Page("bb", 9), "a key that is no member")
}

func TestAudienceIsOfItsInstant(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	h := &segment.MemoryHistory{Now: func() time.Time { return now }}
	e, err := segment.New(segment.Config{History: h})
	require.NoError(t, err)
	require.NoError(t, e.Define(ctx, now, segment.Definition{
		Name: "active", Rule: segment.Events("visit").Within(segment.Days(1)).AtLeast(1),
	}))
	for _, id := range []profile.ID{"li", "wu"} {
		require.NoError(t, h.Observe(id, profile.Event{ID: "visit of " + string(id), Name: "visit", Time: now}))
	}
	require.NoError(t, e.CatchUp(ctx))
	v, err := e.View("active")
	require.NoError(t, err)
	before, err := v.Audience()
	require.NoError(t, err)
	require.NoError(t, e.Advance(ctx, now.Add(24*time.Hour)))
	after, err := v.Audience()
	require.NoError(t, err)
	require.Equal(t, 2, before.Len())
	require.Equal(t, 0, after.Len())
	require.Equal(t, 0, v.Len())
	require.Equal(t, []profile.ID{"li", "wu"}, ids(before.Minus(after)))
	require.Equal(t, now, before.At())
}
