package commerce_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile/commerce"
)

// seeded prints its seed when the test fails.
func seeded(t *testing.T, seed uint64) *rand.Rand {
	t.Helper()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func total(ns []int64) (sum int64) {
	for _, n := range ns {
		sum += n
	}
	return sum
}

func TestSplitGivesUnitsLeftOverToTheLargestRemainders(t *testing.T) {
	for name, c := range map[string]struct {
		total   int64
		weights []int64
		want    []int64
	}{
		"even":                {100, []int64{1, 1}, []int64{50, 50}},
		"ties go left":        {100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		"largest remainder":   {10, []int64{15, 15, 70}, []int64{2, 1, 7}},
		"zero weight":         {7, []int64{0, 3, 0}, []int64{0, 7, 0}},
		"all weights zero":    {3, []int64{0, 0}, []int64{2, 1}},
		"nothing to give":     {0, []int64{5, 5}, []int64{0, 0}},
		"no weights, nothing": {0, nil, []int64{}},
		"128-bit product":     {math.MaxInt64, []int64{math.MaxInt64 / 2, math.MaxInt64 / 2}, []int64{math.MaxInt64/2 + 1, math.MaxInt64 / 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := commerce.Split(c.total, c.weights)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestSplitRefusesWhatHasNoAnswer(t *testing.T) {
	for name, split := range map[string]func() ([]int64, error){
		"negative total":      func() ([]int64, error) { return commerce.Split(-1, []int64{1}) },
		"negative weight":     func() ([]int64, error) { return commerce.Split(1, []int64{2, -1}) },
		"nobody to give to":   func() ([]int64, error) { return commerce.Split(1, nil) },
		"more than is left":   func() ([]int64, error) { return commerce.SplitNext([]int64{5}, []int64{3}, 3) },
		"given above weight":  func() ([]int64, error) { return commerce.SplitNext([]int64{5, 9}, []int64{6, 0}, 1) },
		"lengths that differ": func() ([]int64, error) { return commerce.SplitNext([]int64{5, 9}, []int64{1}, 1) },
		"negative amount":     func() ([]int64, error) { return commerce.SplitNext([]int64{5}, []int64{1}, -1) },
		"zero whole":          func() ([]int64, error) { _, err := commerce.Cumulative(1, 0, 0); return nil, err },
		"done above whole":    func() ([]int64, error) { _, err := commerce.Cumulative(1, 3, 2); return nil, err },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := split()
			assert.ErrorIs(t, err, commerce.ErrSplit)
		})
	}
	_, err := commerce.Split(1, []int64{math.MaxInt64, 1})
	assert.ErrorIs(t, err, commerce.ErrOverflow)
}

func TestSplitIsWithinOneUnitOfTheExactShareAndSumsToTheTotal(t *testing.T) {
	rng := seeded(t, 11)
	for range 2000 {
		weights := make([]int64, 1+rng.IntN(6))
		for i := range weights {
			weights[i] = rng.Int64N(1 << rng.IntN(60))
		}
		whole := total(weights)
		amount := rng.Int64N(1 << rng.IntN(62))
		got, err := commerce.Split(amount, weights)
		require.NoError(t, err)
		require.Equal(t, amount, total(got))
		for i, w := range weights {
			if whole == 0 {
				continue
			}
			exact := new(big.Int).Mul(big.NewInt(amount), big.NewInt(w))
			low := exact.Div(exact, big.NewInt(whole)).Int64()
			require.True(t, got[i] == low || got[i] == low+1, "share %d of %v is %d, exact %d", i, weights, got[i], low)
		}
	}
}

func TestSplitNextEndsAtTheWeightsHoweverTheSeriesIsCut(t *testing.T) {
	rng := seeded(t, 12)
	for range 2000 {
		weights := make([]int64, 1+rng.IntN(6))
		for i := range weights {
			weights[i] = rng.Int64N(1 << rng.IntN(40))
		}
		done := make([]int64, len(weights))
		for left := total(weights); left > 0; {
			amount := 1 + rng.Int64N(left)
			if rng.IntN(2) == 0 {
				amount = 1 + rng.Int64N(min(left, 7))
			}
			if rng.IntN(3) == 0 || left > 1<<20 {
				amount = left/2 + 1
			}
			shares, err := commerce.SplitNext(weights, done, amount)
			require.NoError(t, err)
			require.Equal(t, amount, total(shares))
			for i, s := range shares {
				require.GreaterOrEqual(t, s, int64(0))
				done[i] += s
				require.LessOrEqual(t, done[i], weights[i])
			}
			left -= amount
			if left > 0 && left < 1<<20 && rng.IntN(50) == 0 {
				break
			}
		}
		rest := make([]int64, len(weights))
		for i := range rest {
			rest[i] = weights[i] - done[i]
		}
		last, err := commerce.SplitNext(weights, done, total(rest))
		require.NoError(t, err)
		require.Equal(t, rest, last)
	}
}

func TestCumulativeDifferencesSumToTheWhole(t *testing.T) {
	rng := seeded(t, 13)
	for range 2000 {
		amount, pieces := rng.Int64N(1<<62), 1+rng.Int64N(1<<rng.IntN(62))
		var sum, before int64
		for done := int64(0); done < pieces; {
			done += 1 + rng.Int64N(pieces-done)
			now, err := commerce.Cumulative(amount, done, pieces)
			require.NoError(t, err)
			require.GreaterOrEqual(t, now, before)
			sum += now - before
			before = now
		}
		require.Equal(t, amount, sum)
	}
}
