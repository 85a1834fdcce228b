package score_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
	"github.com/cxkit/cxkit/profile/commerce"
)

func survey(name string, k feedback.Kind, p feedback.Program) feedback.Survey {
	return feedback.Survey{Name: name, Program: p, Questions: []feedback.Question{{Key: "q", Kind: k, Scale: feedback.UsualScale(k)}}}
}

func tally(t testing.TB, s feedback.Survey, counts map[int]int64) *score.Tally {
	t.Helper()
	out, err := score.NewTally(s, "")
	require.NoError(t, err)
	for v, n := range counts {
		require.NoError(t, out.AddN(v, n))
	}
	return out
}

func response(s feedback.Survey, id string, at time.Time, v int) feedback.Response {
	return feedback.Response{
		ID: id, Survey: s.Name, Program: s.Program, Brand: s.Brand, Form: s.Form(), Time: at,
		Answers: map[string]feedback.Answer{"q": feedback.Rate(v)},
	}
}

func TestStreamingEqualsBatchToTheLastBit(t *testing.T) {
	seed := uint64(5)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	for _, k := range []feedback.Kind{feedback.NPS, feedback.CSAT, feedback.CES, feedback.Stars} {
		s := survey("s", k, feedback.Transactional)
		scale := feedback.UsualScale(k)
		var all []int
		for range 500 {
			all = append(all, scale.Min+rng.IntN(scale.Max-scale.Min+1))
		}
		batch := tally(t, s, nil)
		for _, v := range all {
			require.NoError(t, batch.Add(v))
		}
		parts := make([]*score.Tally, 7)
		for i := range parts {
			parts[i] = batch.Empty()
		}
		for _, i := range rng.Perm(len(all)) {
			p := parts[rng.IntN(len(parts))]
			require.NoError(t, p.Add(all[i]))
			require.NoError(t, p.Add(all[0])) // a duplicate that is taken back
			require.NoError(t, p.Remove(all[0]))
		}
		stream := batch.Empty()
		for _, i := range rng.Perm(len(parts)) {
			require.NoError(t, stream.Merge(parts[i]))
		}
		assert.Equal(t, batch.Score(score.Options{}), stream.Score(score.Options{}))
	}
}

func TestInstrumentsAreNotPooled(t *testing.T) {
	a := tally(t, survey("s", feedback.NPS, feedback.Transactional), nil)
	for name, s := range map[string]feedback.Survey{
		"program":  survey("s", feedback.NPS, feedback.Relational),
		"survey":   survey("other", feedback.NPS, feedback.Transactional),
		"question": {Name: "s", Program: feedback.Transactional, Questions: []feedback.Question{{Key: "p", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}}},
		"brand":    {Name: "s", Brand: "b", Program: feedback.Transactional, Questions: []feedback.Question{{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}}},
	} {
		b := tally(t, s, map[int]int64{3: 1})
		assert.ErrorIs(t, a.Merge(b), score.ErrPooled, name)
		_, err := score.Compare(a, b, score.Options{})
		assert.ErrorIs(t, err, score.ErrPooled, name)
		_, err = a.AddResponse(response(s, "r", time.Time{}, 9))
		assert.ErrorIs(t, err, score.ErrPooled, name)
	}
	assert.Zero(t, a.N())
}

func TestValuesOffTheScaleAreRefused(t *testing.T) {
	x := tally(t, survey("s", feedback.CSAT, ""), map[int]int64{5: 1})
	for _, v := range []int{0, 6, -1, math.MaxInt} {
		assert.ErrorIs(t, x.Add(v), score.ErrInvalid)
		assert.Zero(t, x.Count(v))
	}
	assert.ErrorIs(t, x.Remove(1), score.ErrInvalid, "none to take back")
	assert.ErrorIs(t, x.AddN(5, -1), score.ErrInvalid)
	assert.ErrorIs(t, x.AddN(5, math.MaxInt64), score.ErrInvalid)
	assert.EqualValues(t, 1, x.N())
	_, err := score.NewTally(feedback.Survey{Name: "s", Questions: []feedback.Question{{Key: "t", Kind: feedback.Text}}}, "t")
	assert.ErrorIs(t, err, score.ErrInvalid)
}

func TestAMeanHasAStudentInterval(t *testing.T) {
	// 1, 2, 3, 4, 5: mean 3, s = √2.5, t(.975; 4) = 2.776445.
	s := tally(t, survey("s", feedback.CSAT, ""), map[int]int64{1: 1, 2: 1, 3: 1, 4: 1, 5: 1}).Score(score.Options{MinSample: -1})
	assert.InDelta(t, 3, s.Value, 1e-12)
	near(t, 3-2.776445*math.Sqrt(.5), 3+2.776445*math.Sqrt(.5), s.Interval, 1e-6)
	assert.InDelta(t, .4, s.Top, 1e-12)
	near(t, score.Wilson(2, 5, .95).Low, score.Wilson(2, 5, .95).High, s.TopInterval, 0)
}

// TestIntervalsCoverTheTruth draws samples from a known distribution: the
// intervals must hold it about as often as they say.
func TestIntervalsCoverTheTruth(t *testing.T) {
	seed := uint64(99)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 5))
	weights := map[feedback.Kind][]float64{
		feedback.NPS:  {.02, .01, .01, .02, .02, .05, .07, .15, .2, .2, .25},
		feedback.CSAT: {.05, .1, .15, .3, .4},
	}
	for _, k := range []feedback.Kind{feedback.NPS, feedback.CSAT} {
		w := weights[k]
		s := survey("s", k, feedback.Transactional)
		scale := feedback.UsualScale(k)
		var mean, top, bottom float64
		for i, p := range w {
			mean += p * float64(i+scale.Min)
			if scale.IsTop(i + scale.Min) {
				top += p
			}
			if scale.IsBottom(i + scale.Min) {
				bottom += p
			}
		}
		truth := mean
		if k == feedback.NPS {
			truth = 100 * (top - bottom)
		}
		for _, n := range []int{20, 60} {
			const runs = 3000
			hit, hitTop := 0, 0
			for range runs {
				x := tally(t, s, nil)
				for range n {
					u, i := rng.Float64(), 0
					for ; i < len(w)-1 && u >= w[i]; i++ {
						u -= w[i]
					}
					require.NoError(t, x.Add(i+scale.Min))
				}
				got := x.Score(score.Options{})
				if got.Interval.Contains(truth) {
					hit++
				}
				if got.TopInterval.Contains(top) {
					hitTop++
				}
			}
			assert.InDelta(t, .95, float64(hit)/runs, .03, "%s n=%d", k, n)
			assert.InDelta(t, .95, float64(hitTop)/runs, .03, "%s top n=%d", k, n)
		}
	}
}

func TestTooFewAnswersShowNoFigure(t *testing.T) {
	s := survey("s", feedback.NPS, feedback.Transactional)
	few := tally(t, s, map[int]int64{10: 29})
	assert.Equal(t, "nps: too few answers (29 of 30)", few.Score(score.Options{}).String())
	assert.Equal(t, "NPS 100.0 [78.0, 100.0], n=29", few.Score(score.Options{MinSample: 10}).String())
	none := tally(t, s, nil).Score(score.Options{})
	assert.Equal(t, score.Interval{Low: -100, High: 100, Level: .95}, none.Interval)
	assert.False(t, none.Enough() || math.IsNaN(none.Value))
	c, err := score.Compare(few, tally(t, s, map[int]int64{0: 400}), score.Options{})
	require.NoError(t, err)
	assert.False(t, c.Significant())
	assert.Equal(t, "too few answers to compare (29 and 400 of 30)", c.String())
}

func TestComparison(t *testing.T) {
	s := survey("s", feedback.NPS, feedback.Transactional)
	a := tally(t, s, map[int]int64{10: 50, 8: 30, 0: 20})
	same, err := score.Compare(a, a, score.Options{})
	require.NoError(t, err)
	assert.InDelta(t, 1, same.P, 1e-12)
	assert.False(t, same.Significant())
	b := tally(t, s, map[int]int64{10: 65, 8: 30, 0: 5})
	ab, err := score.Compare(a, b, score.Options{})
	require.NoError(t, err)
	ba, err := score.Compare(b, a, score.Options{})
	require.NoError(t, err)
	assert.InDelta(t, 30, ab.Difference, 1e-9)
	assert.InDelta(t, -ab.Difference, ba.Difference, 1e-9)
	assert.InDelta(t, -ab.Interval.Low, ba.Interval.High, 1e-9)
	assert.True(t, ab.Significant())

	// Newcombe 1998, method 10, 56/70 and 48/80: .2 [.0524, .3339].
	c := survey("c", feedback.CSAT, "")
	x, err := score.Compare(tally(t, c, map[int]int64{5: 48, 1: 32}), tally(t, c, map[int]int64{5: 56, 1: 14}), score.Options{})
	require.NoError(t, err)
	assert.InDelta(t, .2, x.TopDifference, 1e-12)
	near(t, .0524, .3339, x.TopInterval, .00005)
	// Welch on the means: t = .8/√(3.84·80/79/80 + 2.56·70/69/70).
	assert.InDelta(t, .8, x.Difference, 1e-12)
	assert.InDelta(t, .0068, x.P, .0005)
}

func TestMonthsAndOrders(t *testing.T) {
	s := survey("s", feedback.Stars, "")
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := time.Date(2026, 3, 31, 15, 59, 0, 0, time.UTC)
	var rows []feedback.Response
	for i, v := range []int{5, 4, 1, 2} {
		r := response(s, fmt.Sprint("r", i), at.Add(time.Duration(i)*time.Minute), v)
		r.Occasion.Order = commerce.Key{Source: "m", Number: []string{"o1", "o2", "o1", ""}[i]}
		rows = append(rows, r)
	}
	months, err := score.Collect(score.Each(rows), s, "q", score.ByMonth(shanghai))
	require.NoError(t, err)
	assert.EqualValues(t, 1, months["2026-03"].N())
	assert.EqualValues(t, 3, months["2026-04"].N(), "the month is that of the shop's zone")

	for range 2 {
		kept, left, err := score.LatestPerOrder(score.Each(rows))
		require.NoError(t, err)
		assert.Equal(t, 1, left)
		all, err := score.Collect(score.Each(kept), s, "q", nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, all[""].Count(1), "the later review of o1 counts")
		assert.Zero(t, all[""].Count(5))
		rows[0], rows[2] = rows[2], rows[0] // in any order
	}
}

func TestACollectionReportsTheErrorOfItsSource(t *testing.T) {
	down := errors.New("down")
	_, err := score.Collect(func(yield func(feedback.Response, error) bool) { yield(feedback.Response{}, down) }, survey("s", feedback.CSAT, ""), "", nil)
	assert.ErrorIs(t, err, down)
}

func TestATallyRoundTripsAsJSON(t *testing.T) {
	x := tally(t, survey("s", feedback.NPS, feedback.Relational), map[int]int64{10: 4, 0: 2})
	b, err := json.Marshal(x)
	require.NoError(t, err)
	var back score.Tally
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, x.Score(score.Options{}), back.Score(score.Options{}))
	require.NoError(t, back.Merge(x), "the same instrument")
	for _, bad := range []string{`{}`, `{"format":1}`, string(b[:len(b)-3]) + `]}`, `{"format":1,"of":{"survey":"s","question":"q","kind":"csat","scale":{"min":1,"max":5,"top":4,"bottom":2}},"counts":[1,1,1,1,-1]}`} {
		assert.ErrorIs(t, back.UnmarshalJSON([]byte(bad)), score.ErrInvalid, bad)
	}
}

func FuzzTally(f *testing.F) {
	f.Add([]byte(`{"format":1,"of":{"survey":"s","question":"q","kind":"csat","scale":{"min":1,"max":5,"top":4,"bottom":2}},"counts":[1,1,1,1,1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x score.Tally
		if json.Unmarshal(b, &x) != nil || x.N() == 0 {
			return
		}
		s := x.Score(score.Options{MinSample: -1})
		require.True(t, s.Interval.Contains(s.Value), "%v", s)
		require.True(t, s.TopInterval.Contains(s.Top), "%v", s)
	})
}
