package segment_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/stretchr/testify/require"
)

func TestAudienceAsText(t *testing.T) {
	a := audienceOf(t, "wu", `li "the quick", junior`, "an")
	var b bytes.Buffer
	require.NoError(t, a.WriteCSV(&b))
	require.Equal(t, "customer\nan\n\"li \"\"the quick\"\", junior\"\nwu\n", b.String())
	b.Reset()
	require.NoError(t, a.WriteJSONLines(&b))
	require.Equal(t, "{\"customer\":\"an\"}\n{\"customer\":\"li \\\"the quick\\\", junior\"}\n{\"customer\":\"wu\"}\n", b.String())
}

func TestAudienceAsRoaring(t *testing.T) {
	a := audienceOf(t, "wu", "li", "xu")
	a = a.Minus(audienceOf(t, "li"))
	var bits, dict bytes.Buffer
	require.NoError(t, a.WriteRoaring(&bits, &dict))
	require.Equal(t, "number,customer\n0,wu\n2,xu\n", dict.String())
	read := roaring.New()
	_, err := read.ReadFrom(&bits)
	require.NoError(t, err)
	require.Equal(t, []uint32{0, 2}, read.ToArray())
	require.NoError(t, a.WriteRoaring(&bits, nil))
}

// brokenWriter takes some bytes and fails then.
type brokenWriter struct{ left int }

var errBroken = errors.New("disk full")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

func TestExportsReportTheErrorOfTheWriter(t *testing.T) {
	a := audienceOf(t, customers(5000)...)
	for left := range 3 {
		w := func() io.Writer { return &brokenWriter{left * 4000} }
		require.ErrorIs(t, a.WriteCSV(w()), errBroken)
		require.ErrorIs(t, a.WriteJSONLines(w()), errBroken)
		require.ErrorIs(t, a.WriteRoaring(io.Discard, w()), errBroken)
	}
	require.ErrorIs(t, a.WriteRoaring(&brokenWriter{}, nil), errBroken)
}

func TestAudienceContainer(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	for name, keys := range map[string][]profile.ID{"few": {"wu", "li", "李雷"}, "none": nil, "many": customers(70_000)} {
		t.Run(name, func(t *testing.T) {
			a, err := segment.NewAudience(at, keys...)
			require.NoError(t, err)
			b, err := a.MarshalBinary()
			require.NoError(t, err)
			back, err := segment.ReadAudience(b)
			require.NoError(t, err)
			require.Equal(t, a.Len(), back.Len())
			require.Equal(t, at, back.At())
			require.Equal(t, ids(a), ids(back))
			require.Zero(t, a.Xor(back).Len())
		})
	}
	b, err := audienceOf(t, "li").MarshalBinary()
	require.NoError(t, err)
	back, err := segment.ReadAudience(b)
	require.NoError(t, err)
	require.True(t, back.At().IsZero())
}

// TestADamagedContainerErrs flips every bit and cuts at every place.
func TestADamagedContainerErrs(t *testing.T) {
	good, err := audienceOf(t, customers(30)...).MarshalBinary()
	require.NoError(t, err)
	for i := range good {
		_, err := segment.ReadAudience(good[:i])
		require.Error(t, err, "cut at %d", i)
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			_, err := segment.ReadAudience(bad)
			require.Error(t, err, "byte %d, bit %d", i, bit)
			require.True(t, errors.Is(err, segment.ErrCorrupt) || errors.Is(err, segment.ErrFormat))
		}
	}
	_, err = segment.ReadAudience(append(bytes.Clone(good), 0))
	require.ErrorIs(t, err, segment.ErrCorrupt)
}

func TestHoldoutAndLayersAreExclusive(t *testing.T) {
	a := audienceOf(t, customers(20_000)...)
	reached, held := a.Holdout("holdout 2026", 500)
	require.Equal(t, a.Len(), reached.Len()+held.Len())
	require.Zero(t, reached.Overlap(held).Both)
	require.InDelta(t, 1000, held.Len(), 130, "5 %, four standard deviations")
	more := audienceOf(t, append(customers(20_000), "somebody new")...)
	_, heldLater := more.Holdout("holdout 2026", 500)
	require.Zero(t, held.Minus(heldLater).Len(), "nobody leaves the holdout")

	layers := []*segment.Audience{a.Slice("layers", 0, 3000), a.Slice("layers", 3000, 6000), a.Slice("layers", 6000, segment.Buckets)}
	m := segment.OverlapMatrix(layers...)
	require.Equal(t, a.Len(), m[0][0]+m[1][1]+m[2][2])
	for i := range m {
		for j := range i {
			require.Zero(t, m[i][j])
		}
	}
	arms, err := layers[0].Split("prices", 1, 1)
	require.NoError(t, err)
	fair, err := segment.SampleRatio([]int{arms[0].Len(), arms[1].Len()}, []int{1, 1})
	require.NoError(t, err)
	require.False(t, fair.Mismatch(0.001), "a split is independent of the layer: %s", fair)
}

// TestSampleTakesEverySetAlike draws all pairs of six: by chi-square they come
// equally often.
func TestSampleTakesEverySetAlike(t *testing.T) {
	a := audienceOf(t, customers(6)...)
	counts := map[string]int{}
	const draws = 30_000
	rng := rand.New(rand.NewPCG(8, 8))
	for range draws {
		var key strings.Builder
		for id := range a.Sample(2, rng.Uint64()).IDs() {
			key.WriteString(string(id))
		}
		counts[key.String()]++
	}
	require.Len(t, counts, 15)
	var n, w []int
	for _, c := range counts {
		n, w = append(n, c), append(w, 1)
	}
	fair, err := segment.SampleRatio(n, w)
	require.NoError(t, err)
	require.Greater(t, fair.P, 0.001, fair)
	// The same of seeds that follow each other.
	first := map[profile.ID]int{}
	for seed := range uint64(6000) {
		for id := range a.Sample(1, seed).IDs() {
			first[id]++
		}
	}
	n, w = nil, nil
	for _, c := range first {
		n, w = append(n, c), append(w, 1)
	}
	fair, err = segment.SampleRatio(n, w)
	require.NoError(t, err)
	require.Greater(t, fair.P, 0.001, fair)
}

func TestSampleRatio(t *testing.T) {
	for _, c := range []struct {
		name            string
		counts, weights []int
		chi, p          float64
		freedom         int
	}{
		// The tails are those of tables of the chi-square distribution.
		{"even", []int{500, 500}, []int{1, 1}, 0, 1, 1},
		{"a known case of two arms", []int{821588, 815482}, []int{50, 50}, 22.774, 1.8e-6, 1},
		{"three arms", []int{110, 90, 100}, []int{1, 1, 1}, 2, 0.367879, 2},
		{"ten degrees", []int{120, 100, 90, 90, 100, 100, 100, 100, 100, 100, 100}, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 6, 0.815263, 10},
		{"uneven weights", []int{700, 300}, []int{2, 1}, 5, 0.0253473, 1},
		{"far off", []int{1000, 0}, []int{1, 1}, 1000, 0, 1},
		{"an arm of weight 0 with nobody", []int{60, 40, 0}, []int{1, 1, 0}, 4, 0.0455003, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := segment.SampleRatio(c.counts, c.weights)
			require.NoError(t, err)
			require.InDelta(t, c.chi, got.ChiSquare, 0.01+c.chi*1e-3)
			require.Equal(t, c.freedom, got.Freedom)
			require.InDelta(t, c.p, got.P, 1e-6+c.p*0.02)
		})
	}
	sure, err := segment.SampleRatio([]int{60, 40, 1}, []int{1, 1, 0})
	require.NoError(t, err)
	require.Zero(t, sure.P)
	require.True(t, sure.Mismatch(0.001))
	for name, c := range map[string][2][]int{
		"lengths": {{1}, {1, 1}}, "one arm": {{5, 0}, {1, 0}}, "nobody": {{0, 0}, {1, 1}},
		"negative count": {{-1, 2}, {1, 1}}, "negative weight": {{1, 2}, {1, -1}}, "nothing": {nil, nil},
	} {
		_, err := segment.SampleRatio(c[0], c[1])
		require.ErrorIs(t, err, segment.ErrRatio, name)
	}
}
