package score_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/cxkit/cxkit/feedback/score"
)

func TestNPSIntervalsReproduceTheReference(t *testing.T) {
	n := score.NPS{Promoters: 50, Passives: 30, Detractors: 20}
	assert.InDelta(t, 30, n.Value(), 1e-12)
	near(t, 14.69, 45.31, n.Wald(.95), .005)
	near(t, 14.05, 44.20, n.AdjustedWald(.95), .005)

	n = score.NPS{Promoters: 19, Passives: 9, Detractors: 8}
	assert.InDelta(t, 30.56, n.Value(), .005)
	assert.InDelta(t, 13.51, n.StdErr(), .005)
	near(t, 2.88, 53.53, n.AdjustedWald(.95), .005)

	near(t, -6.6, 106.6, score.NPS{Promoters: 3}.AdjustedWald(.95), .05)
}

func TestWorstCaseSampleSizes(t *testing.T) {
	assert.EqualValues(t, 385, score.SampleForNPS(10, .95))
	assert.EqualValues(t, 1537, score.SampleForNPS(5, 0))
}

func TestWilsonReproducesTheReference(t *testing.T) {
	for _, c := range []struct {
		hits, n   int64
		low, high float64
	}{
		{81, 263, .25529, .36621},
		{15, 148, .06239, .16049},
		{0, 20, 0, .16113},
		{1, 29, .00611, .17176},
		{20, 20, 1 - .16113, 1},
		{0, 0, 0, 1},
	} {
		near(t, c.low, c.high, score.Wilson(c.hits, c.n, .95), .000005)
	}
}

func near(t *testing.T, low, high float64, got score.Interval, tolerance float64) {
	t.Helper()
	assert.InDelta(t, low, got.Low, tolerance)
	assert.InDelta(t, high, got.High, tolerance)
}
