package segment_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// Whoever advances from one NextDue to the next always gets on: what is due
// lies ahead of the clock, or is done by advancing to it.
func TestNextDueLiesAhead(t *testing.T) {
	const seed = 20260206
	r := rand.New(rand.NewPCG(seed, 1))
	now := time.Date(2026, 2, 6, 0, 42, 12, 0, time.UTC)
	h := &segment.MemoryHistory{Now: func() time.Time { return now }}
	e, err := segment.New(segment.Config{History: h})
	require.NoError(t, err)
	viewed := segment.Events("viewed")
	for name, rule := range map[string]segment.Rule{
		"half an hour": viewed.Within(segment.Last(30 * time.Minute)).AtLeast(1),
		"two days":     viewed.Within(segment.Last(48 * time.Hour)).AtLeast(3),
		"distinct":     viewed.Within(segment.Last(2 * time.Hour)).Distinct("sku").AtLeast(profile.Int(2)),
		"today":        viewed.Within(segment.This(segment.Day)).AtLeast(2),
	} {
		require.NoError(t, e.Define(t.Context(), now, segment.Definition{Name: name, Rule: rule}))
	}
	for i := range 400 {
		now = now.Add(time.Duration(r.IntN(40)) * time.Minute)
		for steps := 0; ; steps++ {
			due := e.NextDue()
			if due.IsZero() || due.After(now) {
				break
			}
			require.NoError(t, e.Advance(t.Context(), due))
			require.Less(t, steps, 1000, "seed %d, event %d: advancing to what is due gets nowhere", seed, i)
		}
		require.NoError(t, e.Advance(t.Context(), now))
		late := time.Duration(r.IntN(3)) * time.Duration(r.IntN(90)) * time.Minute
		require.NoError(t, h.Observe(profile.ID("c"+strconv.Itoa(r.IntN(5))), profile.Event{
			ID: strconv.Itoa(i), Name: "viewed", Time: now.Add(-late), Properties: profile.Values{"sku": profile.Int(int64(r.IntN(3)))},
		}))
		require.NoError(t, e.CatchUp(t.Context()))
		if due := e.NextDue(); !due.IsZero() {
			require.True(t, due.After(e.Clock()), "seed %d, event %d: due %v, clock %v", seed, i, due, e.Clock())
		}
	}
}
