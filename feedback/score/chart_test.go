package score_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
)

func TestPLimitsReproduceTheReference(t *testing.T) {
	l := score.PLimits(.2313, 50, 3)
	assert.InDelta(t, .0524, l.Low, .00005)
	assert.InDelta(t, .4102, l.High, .00005)
	l = score.PLimits(.16, 200, 3)
	assert.InDelta(t, .0822, l.Low, .00005)
	assert.InDelta(t, .2378, l.High, .00005)
	assert.Zero(t, score.PLimits(.01, 10, 3).Low, "cut at 0")
}

// The observations are those of the NIST/SEMATECH e-Handbook, 6.3.2.3.
func TestCUSUMReproducesTheNISTExample(t *testing.T) {
	c := score.CUSUM{Target: 325, K: .3175, H: 4.1959}
	series := []float64{
		324.925, 324.675, 324.725, 324.350, 325.350, 325.225, 324.125, 324.525, 325.225, 324.600,
		324.625, 325.150, 328.325, 327.250, 327.825, 328.500, 326.675, 327.775, 326.875, 328.350,
	}
	for i, x := range series {
		signal := c.Add(x)
		if i+1 < 14 {
			require.Zero(t, signal, "observation %d", i+1)
			continue
		}
		if i+1 == 14 {
			assert.InDelta(t, 4.94, c.Up, .005)
		}
		require.Equal(t, 1, signal, "observation %d", i+1)
	}
}

func TestAverageRunLengthsReproduceTheReference(t *testing.T) {
	for _, x := range []struct{ k, h, shift, want float64 }{
		{.5, 4, 0, 167.68}, {.5, 4, 1, 8.38}, {.5, 5, 0, 465.44}, {.5, 5, 1, 10.38},
	} {
		got, err := score.CUSUMRunLength(x.k, x.h, x.shift)
		require.NoError(t, err)
		assert.InDelta(t, x.want, got, .005, "CUSUM %+v", x)
	}
	for _, x := range []struct{ lambda, l, shift, want, within float64 }{
		{.1, 2.703, 0, 371.9, .05}, {.1, 2.703, 1, 9.75, .005}, {.2, 2.859, 0, 370, .5},
	} {
		got, err := score.EWMARunLength(x.lambda, x.l, x.shift)
		require.NoError(t, err)
		assert.InDelta(t, x.want, got, x.within, "EWMA %+v", x)
	}
	_, err := score.CUSUMRunLength(0, 4, 0)
	assert.ErrorIs(t, err, score.ErrInvalid)
	_, err = score.EWMARunLength(.1, math.NaN(), 0)
	assert.ErrorIs(t, err, score.ErrInvalid)
}

// TestTheChartsRunAsLongAsComputed simulates both charts.
func TestTheChartsRunAsLongAsComputed(t *testing.T) {
	seed := uint64(3)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 6))
	const runs = 3000
	mean := func(start func() func(float64) int, shift float64) float64 {
		total := 0
		for range runs {
			add := start()
			for n := 1; ; n++ {
				if add(rng.NormFloat64()+shift) != 0 {
					total += n
					break
				}
			}
		}
		return float64(total) / runs
	}
	cusum := func() func(float64) int { c := score.CUSUM{K: .5, H: 4}; return c.Add }
	assert.InEpsilon(t, 8.38, mean(cusum, 1), .05)
	assert.InEpsilon(t, 8.38, mean(cusum, -1), .05)
	ewma := func() func(float64) int { e := score.EWMA{Sigma: 1, Lambda: .2, L: 2.859, N: 1000}; return e.Add }
	want, err := score.EWMARunLength(.2, 2.859, 1)
	require.NoError(t, err)
	assert.InEpsilon(t, want, mean(ewma, 1), .05)
}

func TestEWMALimitsWidenFromTheFirstObservation(t *testing.T) {
	e := score.EWMA{Target: 50, Sigma: 2.0539, Lambda: .3, L: 3}
	assert.Zero(t, e.Add(52))
	assert.InDelta(t, 50.6, e.Average, 1e-12)
	assert.InDelta(t, 50+3*2.0539*.3, e.Limits().High, 1e-9)
	for range 200 {
		e.Add(50)
	}
	// NIST/SEMATECH e-Handbook 6.3.2.4: 50 ± 3(.4201)(2.0539).
	assert.InDelta(t, 52.5884, e.Limits().High, .001)
	assert.InDelta(t, 47.4115, e.Limits().Low, .001)
}

func TestAChartSignalsAShiftOfOneMonth(t *testing.T) {
	s := survey("s", feedback.NPS, feedback.Transactional)
	var periods []score.Period
	for m := range 12 {
		counts := map[int]int64{10: 100, 8: 60, 2: 40}
		if m == 9 {
			counts = map[int]int64{10: 60, 8: 60, 2: 80}
		}
		periods = append(periods, score.Period{Label: fmt.Sprint("month ", m), Tally: tally(t, s, counts)})
	}
	periods = append(periods, score.Period{Label: "empty", Tally: periods[0].Tally.Empty()})
	points, err := score.Chart(periods, score.ChartOptions{Baseline: 6})
	require.NoError(t, err)
	for i, p := range points {
		assert.Equal(t, i == 9, p.Signal, p)
	}
	assert.Equal(t, "month 9: -10 outside 13.43 to 46.57, n=200", points[9].String())
	_, err = score.Chart(append(periods, score.Period{Tally: tally(t, survey("s", feedback.NPS, feedback.Relational), nil)}), score.ChartOptions{})
	assert.ErrorIs(t, err, score.ErrPooled)
	_, err = score.Chart(periods[12:], score.ChartOptions{})
	assert.ErrorIs(t, err, score.ErrInvalid, "nothing to take a center from")
	_, err = score.Chart([]score.Period{{Label: "x"}}, score.ChartOptions{})
	assert.ErrorIs(t, err, score.ErrInvalid)
}

// TestLaneyLimitsBearOrdinaryDifferencesBetweenDays: with large days the plain
// chart cries wolf, Laney's does not.
func TestLaneyLimitsBearOrdinaryDifferencesBetweenDays(t *testing.T) {
	seed := uint64(8)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 7))
	s := survey("s", feedback.CSAT, "")
	var days []score.Period
	for d := range 100 {
		good := int64(10_000 * (.8 + .02*rng.NormFloat64()))
		days = append(days, score.Period{Label: fmt.Sprint(d), Tally: tally(t, s, map[int]int64{5: good, 1: 10_000 - good})})
	}
	signals := func(o score.ChartOptions) (n int) {
		points, err := score.Chart(days, o)
		require.NoError(t, err)
		for _, p := range points {
			if p.Signal {
				n++
			}
		}
		return n
	}
	assert.Greater(t, signals(score.ChartOptions{}), 30)
	assert.LessOrEqual(t, signals(score.ChartOptions{Laney: true}), 2)
}

func TestAdjustedPValues(t *testing.T) {
	// Benjamini and Hochberg 1995, the example of 15 tests: four stand at .05.
	p := []float64{.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1}
	n := 0
	for i, q := range score.Adjust(p) {
		assert.GreaterOrEqual(t, q, p[i])
		if q <= .05 {
			n++
		}
	}
	assert.Equal(t, 4, n)
	assert.Equal(t, []float64{1, 1}, score.Adjust([]float64{math.NaN(), 1}))
	assert.Empty(t, score.Adjust(nil))
}

// TestScanKeepsFalseFindingsRare: among many outlets of which a few are really
// worse, few of those reported are not.
func TestScanKeepsFalseFindingsRare(t *testing.T) {
	seed := uint64(21)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 8))
	s := survey("s", feedback.NPS, feedback.Transactional)
	found, wrong, raw := 0, 0, 0
	for range 20 {
		groups := map[string]*score.Tally{}
		for o := range 60 {
			bad := .15
			if o < 5 {
				bad = .45
			}
			x := tally(t, s, nil)
			for range 150 {
				v := 10
				if rng.Float64() < bad {
					v = 0
				}
				require.NoError(t, x.Add(v))
			}
			groups[fmt.Sprintf("outlet %02d", o)] = x
		}
		groups["new"] = tally(t, s, map[int]int64{0: 3})
		findings, err := score.Scan(groups, .1, score.Options{})
		require.NoError(t, err)
		require.Len(t, findings, 60, "a group with too few answers is not compared")
		for _, f := range findings {
			if f.Comparison.Difference > 0 {
				continue // the good ones are truly better than a rest with bad ones in it
			}
			if f.Comparison.P <= .1 && f.Group > "outlet 04" {
				raw++
			}
			if f.Stands {
				found++
				if f.Group > "outlet 04" {
					wrong++
				}
			}
		}
	}
	assert.GreaterOrEqual(t, found-wrong, 98, "of 100 bad outlets")
	assert.LessOrEqual(t, float64(wrong)/float64(found), .15)
	assert.Greater(t, raw, 3*wrong, "without the correction there would be many more")
}
