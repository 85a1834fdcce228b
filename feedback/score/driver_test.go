package score_test

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
)

// dataFile finds reference data by CXKIT_DATA, then beside the repository.
func dataFile(t *testing.T, path string) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("CXKIT_DATA"), "../../../shared/data"} {
		if name := filepath.Join(dir, path); dir != "" {
			if _, err := os.Stat(name); err == nil {
				return name
			}
		}
	}
	t.Skipf("no %s under CXKIT_DATA or ../shared/data beside the repository", path)
	return ""
}

func readSample(t *testing.T, path, outcome string, skip int) score.Sample {
	t.Helper()
	f, err := os.Open(dataFile(t, path))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var s score.Sample
	for j, name := range rows[0][skip:] {
		if name != outcome {
			s.Names = append(s.Names, name)
		}
		for i, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[skip+j], 64)
			require.NoError(t, err)
			if name == outcome {
				s.Y = append(s.Y, v)
				continue
			}
			for len(s.X) <= i {
				s.X = append(s.X, nil)
			}
			s.X[i] = append(s.X[i], v)
		}
	}
	return s
}

func TestImportanceReproducesRelaimpo(t *testing.T) {
	for _, c := range []struct {
		file, outcome string
		skip          int
		method        score.Method
		r2            float64
		want          map[string]float64
	}{
		{"drivers/swiss.csv", "Fertility", 1, score.LMG, .706735, map[string]float64{
			"Agriculture": .057091, "Examination": .171173, "Education": .260135, "Catholic": .105570, "Infant.Mortality": .112766,
		}},
		{"drivers/swiss.csv", "Fertility", 1, score.Johnson, .706735, map[string]float64{
			"Agriculture": .048417, "Examination": .154708, "Education": .271964, "Catholic": .114680, "Infant.Mortality": .116966,
		}},
		{"drivers/attitude.csv", "rating", 0, score.LMG, .732602, map[string]float64{
			"complaints": .370816, "learning": .155766, "raises": .120345, "privileges": .050904, "advance": .028182, "critical": .006589,
		}},
	} {
		got, err := score.Importance(readSample(t, c.file, c.outcome, c.skip), score.DriverOptions{Method: c.method})
		require.NoError(t, err)
		assert.InDelta(t, c.r2, got.R2, 5e-7, "%s %s", c.file, c.method)
		for _, d := range got.Drivers {
			assert.InDelta(t, c.want[d.Name], d.R2, 5e-7, "%s %s %s", c.file, c.method, d.Name)
		}
	}
}

// drivers draws correlated drivers of which b gives the effects.
func drivers(rng *rand.Rand, n int, b ...float64) score.Sample {
	s := score.Sample{Names: []string{"a", "b", "c", "d", "e", "f", "g", "h"}[:len(b)]}
	for range n {
		common, row, y := rng.NormFloat64(), make([]float64, len(b)), rng.NormFloat64()
		for j := range b {
			row[j] = common + rng.NormFloat64()
			y += b[j] * row[j]
		}
		s.X, s.Y = append(s.X, row), append(s.Y, y)
	}
	return s
}

// TestLMGIsTheMeanOverAllOrders enumerates the orders and refits every time.
func TestLMGIsTheMeanOverAllOrders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	s := drivers(rng, 60, 1, .5, 0, -.5)
	got, err := score.Importance(s, score.DriverOptions{})
	require.NoError(t, err)
	p := len(s.Names)
	want := make([]float64, p)
	orders := 0
	var permute func(order []int, used int)
	permute = func(order []int, used int) {
		if len(order) == p {
			orders++
			before := 0.0
			for i, j := range order {
				r2 := rSquared(s, order[:i+1])
				want[j] += r2 - before
				before = r2
			}
			return
		}
		for j := range p {
			if used>>j&1 == 0 {
				permute(append(order[:len(order):len(order)], j), used|1<<j)
			}
		}
	}
	permute(nil, 0)
	for j, d := range got.Drivers {
		assert.InDelta(t, want[j]/float64(orders), d.R2, 1e-10)
	}
	assert.InDelta(t, rSquared(s, []int{0, 1, 2, 3}), got.R2, 1e-10)
}

// rSquared fits by gradient-free Gram–Schmidt on the columns.
func rSquared(s score.Sample, cols []int) float64 {
	center := func(v []float64) []float64 {
		var m float64
		for _, x := range v {
			m += x / float64(len(v))
		}
		out := make([]float64, len(v))
		for i, x := range v {
			out[i] = x - m
		}
		return out
	}
	dot := func(a, b []float64) (d float64) {
		for i := range a {
			d += a[i] * b[i]
		}
		return d
	}
	y := center(s.Y)
	var basis [][]float64
	var explained float64
	for _, j := range cols {
		col := make([]float64, len(s.X))
		for i := range s.X {
			col[i] = s.X[i][j]
		}
		col = center(col)
		for _, b := range basis {
			f := dot(col, b) / dot(b, b)
			for i := range col {
				col[i] -= f * b[i]
			}
		}
		basis = append(basis, col)
		explained += dot(col, y) * dot(col, y) / dot(col, col)
	}
	return explained / dot(y, y)
}

func TestMethodsAgreeInWhatMatters(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	s := drivers(rng, 2000, 2, 1, 0, 0, -1)
	for _, m := range []score.Method{score.LMG, score.Johnson} {
		got, err := score.Importance(s, score.DriverOptions{Method: m, Resamples: 200, Seed: 4})
		require.NoError(t, err)
		again, err := score.Importance(s, score.DriverOptions{Method: m, Resamples: 200, Seed: 4})
		require.NoError(t, err)
		assert.Equal(t, got, again, "the same seed gives the same intervals")
		d := got.Drivers
		assert.Greater(t, d[0].R2, d[1].R2, m)
		assert.Greater(t, d[1].R2, d[2].R2, m)
		var sum float64
		for _, x := range d {
			sum += x.Share
			assert.True(t, x.Interval.Contains(x.R2), m)
		}
		assert.InDelta(t, 1, sum, 1e-9)
		assert.Equal(t, 1, d[0].Slope)
	}
}

func TestScalesOfDriversDoNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	s := drivers(rng, 80, 1, 2)
	want, err := score.Importance(s, score.DriverOptions{})
	require.NoError(t, err)
	for i := range s.X {
		s.X[i][0] = 1e6*s.X[i][0] - 5
		s.Y[i] = -1e-3 * s.Y[i]
	}
	got, err := score.Importance(s, score.DriverOptions{})
	require.NoError(t, err)
	assert.InDelta(t, want.Drivers[0].R2, got.Drivers[0].R2, 1e-9)
	assert.Equal(t, -want.Drivers[1].Slope, got.Drivers[1].Slope)
}

func TestSamplesThatCannotTellAreRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 9))
	for says, spoil := range map[string]func(*score.Sample){
		"determine each other": func(s *score.Sample) {
			for i := range s.X {
				s.X[i][1] = 2*s.X[i][0] + 1
			}
		},
		`"b" does not vary`: func(s *score.Sample) {
			for i := range s.X {
				s.X[i][1] = 3
			}
		},
		"outcome does not vary": func(s *score.Sample) { clear(s.Y) },
		"not finite":            func(s *score.Sample) { s.X[3][0] = math.NaN() },
		"rows for":              func(s *score.Sample) { s.X, s.Y = s.X[:3], s.Y[:3] },
		"has 1 values":          func(s *score.Sample) { s.X[5] = s.X[5][:1] },
		"outcomes":              func(s *score.Sample) { s.Y = s.Y[1:] },
		"takes 1 to":            func(s *score.Sample) { s.Names = nil },
	} {
		s := drivers(rng, 30, 1, 1)
		spoil(&s)
		_, err := score.Importance(s, score.DriverOptions{})
		require.ErrorIs(t, err, score.ErrInvalid, says)
		assert.ErrorContains(t, err, says)
	}
	_, err := score.Importance(drivers(rng, 30, 1), score.DriverOptions{Method: "guess"})
	assert.ErrorIs(t, err, score.ErrInvalid)
}

func TestDriversOfASurvey(t *testing.T) {
	csat := feedback.UsualScale(feedback.CSAT)
	s := feedback.Survey{Name: "s", Questions: []feedback.Question{
		{Key: "all", Kind: feedback.CSAT, Scale: csat},
		{Key: "speed", Kind: feedback.CSAT, Scale: csat, Optional: true},
		{Key: "fit", Kind: feedback.CSAT, Scale: csat, Optional: true},
	}}
	rng := rand.New(rand.NewPCG(5, 9))
	var rows []feedback.Response
	for i := range 300 {
		speed, fit := 1+rng.IntN(5), 1+rng.IntN(5)
		r := feedback.Response{Survey: "s", Form: s.Form(), Time: time.Unix(int64(i), 0), Answers: map[string]feedback.Answer{
			"all": feedback.Rate(max(1, min(5, (3*speed+fit+rng.IntN(4))/4))), "speed": feedback.Rate(speed), "fit": feedback.Rate(fit),
		}}
		if i%10 == 0 {
			delete(r.Answers, "fit")
		}
		rows = append(rows, r)
	}
	sample, left, err := score.SampleOf(score.Each(rows), s, "all", "speed", "fit")
	require.NoError(t, err)
	assert.Equal(t, 30, left)
	got, err := score.Importance(sample, score.DriverOptions{})
	require.NoError(t, err)
	assert.Greater(t, got.Drivers[0].Share, .7, "%s", got)
	_, _, err = score.SampleOf(score.Each(rows), s, "all", "price")
	assert.ErrorIs(t, err, score.ErrInvalid)
}

func BenchmarkLMG15(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 9))
	s := score.Sample{}
	for j := range 15 {
		s.Names = append(s.Names, strconv.Itoa(j))
	}
	for range 500 {
		row := make([]float64, 15)
		for j := range row {
			row[j] = rng.NormFloat64()
		}
		s.X, s.Y = append(s.X, row), append(s.Y, row[0]+rng.NormFloat64())
	}
	for b.Loop() {
		if _, err := score.Importance(s, score.DriverOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
