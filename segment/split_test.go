package segment_test

import (
	"fmt"
	"testing"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/stretchr/testify/require"
)

func customers(n int) []profile.ID {
	out := make([]profile.ID, n)
	for i := range out {
		out[i] = profile.ID(fmt.Sprint("customer ", i))
	}
	return out
}

func TestSplitIsStableUnderGrowth(t *testing.T) {
	few, many := audienceOf(t, customers(4000)...), audienceOf(t, customers(20_000)...)
	before, err := few.Split("spring", 50, 30, 20)
	require.NoError(t, err)
	after, err := many.Split("spring", 50, 30, 20)
	require.NoError(t, err)
	sum := 0
	for i, weight := range []float64{0.5, 0.3, 0.2} {
		sum += after[i].Len()
		require.Zero(t, before[i].Minus(after[i]).Len(), "nobody leaves the arm")
		require.InDelta(t, weight*20_000, after[i].Len(), 400, "four standard deviations or more")
		for j := range i {
			require.Zero(t, after[i].Overlap(after[j]).Both)
		}
	}
	require.Equal(t, 20_000, sum, "everybody is in an arm")
	other, err := many.Split("summer", 50, 50)
	require.NoError(t, err)
	require.InDelta(t, after[0].Len()/2, after[0].Overlap(other[0]).Both, 300, "another salt deals anew")
	_, err = many.Split("spring", 0, 0)
	require.Error(t, err)
}

func TestSampleIsOfItsSizeAndUnbiased(t *testing.T) {
	a := audienceOf(t, customers(50)...)
	seen := map[profile.ID]int{}
	const draws = 4000
	for seed := range uint64(draws) {
		s := a.Sample(10, seed)
		require.Equal(t, 10, s.Len())
		for id := range s.IDs() {
			seen[id]++
		}
	}
	for id, n := range seen {
		require.InDelta(t, draws/5, n, 130, "%s: five standard deviations", id)
	}
	require.Len(t, seen, 50)
	require.Equal(t, ids(a.Sample(10, 7)), ids(a.Sample(10, 7)))
	require.Equal(t, 50, a.Sample(99, 1).Len())
	require.Zero(t, a.Sample(0, 1).Len())
	require.Equal(t, 0, segment.Bucket("x", "a")/segment.Buckets)
}
