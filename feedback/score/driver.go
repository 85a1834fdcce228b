package score

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/feedback"
)

// Method is a way to share out R² among correlated drivers.
type Method string

const (
	// LMG averages what a driver adds to R² over all orders in which the
	// drivers can enter (Lindeman, Merenda and Gold 1980; the Shapley value of
	// R²). It costs 2^drivers regressions; at most [MaxLMG] drivers.
	LMG Method = "lmg"
	// Johnson shares out by the closest orthogonal counterparts of the
	// drivers (Johnson 2000, relative weights): near LMG, at the cost of one
	// eigendecomposition.
	Johnson Method = "johnson"
)

// MaxLMG is the greatest number of drivers for [LMG].
const MaxLMG = 20

// Sample is what importance is computed from: one row of drivers and one
// outcome per respondent.
type Sample struct {
	// Names of the drivers, the columns of X.
	Names []string
	X     [][]float64
	// Y is the outcome.
	Y []float64
}

// DriverOptions say how importance is computed. The zero value is LMG without
// intervals.
type DriverOptions struct {
	Method Method
	// Resamples is the number of bootstrap samples from which intervals are
	// taken; 0 for none, 1,000 for a report. Seed draws them.
	Resamples int
	Seed      uint64
	// Level of the intervals; 0 means 0.95.
	Level float64
}

// Driver is the importance of one driver.
type Driver struct {
	Name string `json:"name"`
	// R2 is its part of R²; the parts add up to R².
	R2 float64 `json:"r2"`
	// Share is R2 over the whole R², 0 to 1.
	Share float64 `json:"share"`
	// Interval of R2 by percentile bootstrap; zero without resamples.
	Interval Interval `json:"interval,omitzero"`
	// Slope is the sign of its correlation with the outcome: −1, 0, +1.
	Slope int `json:"slope"`
}

// Drivers are the drivers of an outcome, in the order of the sample.
type Drivers struct {
	N       int      `json:"n"`
	R2      float64  `json:"r2"`
	Method  Method   `json:"method"`
	Drivers []Driver `json:"drivers"`
}

// String lists the drivers by importance.
func (d Drivers) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "R² %.3f, n=%d", d.R2, d.N)
	sorted := slices.Clone(d.Drivers)
	slices.SortStableFunc(sorted, func(a, b Driver) int { return cmp.Compare(b.R2, a.R2) })
	for _, x := range sorted {
		fmt.Fprintf(&b, "; %s %.0f%%", x.Name, 100*x.Share)
		if x.Interval != (Interval{}) {
			fmt.Fprintf(&b, " (R² %.3f to %.3f)", x.Interval.Low, x.Interval.High)
		}
	}
	return b.String()
}

// Importance shares out the R² of the linear regression of the outcome on the
// drivers. It says how outcome and drivers go together, not what causes what.
// The error matches [ErrInvalid] where there are fewer than drivers + 2 rows,
// values that are not finite, a driver or outcome without variation, drivers
// that determine each other, or too many of them.
//
// Drivers without effect have a share above 0 too: compare with the interval,
// not with 0.
func Importance(s Sample, o DriverOptions) (Drivers, error) {
	method := cmp.Or(o.Method, LMG)
	if err := s.validate(method); err != nil {
		return Drivers{}, err
	}
	rows := make([]int, len(s.Y))
	for i := range rows {
		rows[i] = i
	}
	parts, r, err := s.share(rows, method)
	if err != nil {
		return Drivers{}, err
	}
	out := Drivers{N: len(s.Y), Method: method, Drivers: make([]Driver, len(parts))}
	for _, x := range parts {
		out.R2 += x
	}
	for j, x := range parts {
		out.Drivers[j] = Driver{Name: s.Names[j], R2: x, Slope: cmp.Compare(r[j], 0)}
		if out.R2 > 0 {
			out.Drivers[j].Share = x / out.R2
		}
	}
	if o.Resamples > 0 {
		s.bootstrap(&out, o)
	}
	return out, nil
}

func (s Sample) validate(m Method) error {
	p := len(s.Names)
	switch {
	case m != LMG && m != Johnson:
		return fmt.Errorf("%w: method %q is unknown", ErrInvalid, m)
	case p == 0 || m == LMG && p > MaxLMG:
		return fmt.Errorf("%w: %d drivers; LMG takes 1 to %d", ErrInvalid, p, MaxLMG)
	case len(s.X) != len(s.Y):
		return fmt.Errorf("%w: %d rows of drivers, %d outcomes", ErrInvalid, len(s.X), len(s.Y))
	case len(s.Y) < p+2:
		return fmt.Errorf("%w: %d rows for %d drivers", ErrInvalid, len(s.Y), p)
	}
	for i, row := range s.X {
		if len(row) != p {
			return fmt.Errorf("%w: row %d has %d values for %d drivers", ErrInvalid, i, len(row), p)
		}
		for _, v := range append(slices.Clone(row), s.Y[i]) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%w: row %d has a value that is not finite", ErrInvalid, i)
			}
		}
	}
	return nil
}

// share computes the parts of R² over the given rows, and the correlations of
// drivers and outcome.
func (s Sample) share(rows []int, m Method) (parts, r []float64, err error) {
	c, err := s.correlations(rows)
	if err != nil {
		return nil, nil, err
	}
	p := len(s.Names)
	r = slices.Clone(c[p][:p])
	if m == Johnson {
		parts, err = relativeWeights(c)
	} else {
		parts, err = lmg(c)
	}
	return parts, r, err
}

// correlations is the matrix of drivers and, last, the outcome.
func (s Sample) correlations(rows []int) ([][]float64, error) {
	p := len(s.Names)
	at := func(i, j int) float64 {
		if j == p {
			return s.Y[i]
		}
		return s.X[i][j]
	}
	mean := make([]float64, p+1)
	for _, i := range rows {
		for j := range mean {
			mean[j] += at(i, j)
		}
	}
	for j := range mean {
		mean[j] /= float64(len(rows))
	}
	c := matrix(p + 1)
	for _, i := range rows {
		for j := range c {
			dj := at(i, j) - mean[j]
			for k := range j + 1 {
				c[j][k] += dj * (at(i, k) - mean[k])
			}
		}
	}
	deviation := make([]float64, p+1)
	for j := range c {
		if deviation[j] = math.Sqrt(c[j][j]); !(deviation[j] > 1e-12*(1+math.Abs(mean[j]))) {
			name := "the outcome"
			if j < p {
				name = fmt.Sprintf("driver %q", s.Names[j])
			}
			return nil, fmt.Errorf("%w: %s does not vary", ErrInvalid, name)
		}
	}
	for j := range c {
		for k := range j + 1 {
			c[j][k] /= deviation[j] * deviation[k]
			c[k][j] = c[j][k]
		}
		c[j][j] = 1
	}
	return c, nil
}

func matrix(n int) [][]float64 {
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, n)
	}
	return m
}

var errCollinear = fmt.Errorf("%w: drivers determine each other", ErrInvalid)

// minPivot is the least part of a driver's variance that the others may leave.
const minPivot = 1e-10

// lmg walks all subsets depth first. A node holds the matrix after sweeping
// its drivers out; its last corner is 1 − R² of the subset.
func lmg(c [][]float64) ([]float64, error) {
	p := len(c) - 1
	r2 := make([]float64, 1<<p)
	stack := make([][][]float64, p+1)
	for d := range stack {
		stack[d] = matrix(p + 1)
	}
	for i := range c {
		copy(stack[0][i], c[i])
	}
	var walk func(depth, from int, set uint32) error
	walk = func(depth, from int, set uint32) error {
		m := stack[depth]
		r2[set] = 1 - m[p][p]
		for j := from; j < p; j++ {
			pivot := m[j][j]
			if pivot < minPivot {
				return errCollinear
			}
			next := stack[depth+1]
			// Only what later drivers need: rows and columns behind j.
			for a := j + 1; a <= p; a++ {
				f := m[a][j] / pivot
				for b := j + 1; b <= p; b++ {
					next[a][b] = m[a][b] - f*m[j][b]
				}
			}
			if err := walk(depth+1, j+1, set|1<<j); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(0, 0, 0); err != nil {
		return nil, err
	}
	// weight[k] is k!(p−1−k)!/p!, the chance that a driver enters after k
	// given others.
	weight := make([]float64, p)
	for k := range weight {
		weight[k] = 1 / float64(p)
		for i := range k {
			weight[k] *= float64(i+1) / float64(p-1-i)
		}
	}
	out := make([]float64, p)
	for set := range r2 {
		size := 0
		for j := range p {
			size += set >> j & 1
		}
		for j := range p {
			if set>>j&1 == 0 {
				out[j] += weight[size] * (r2[set|1<<j] - r2[set])
			}
		}
	}
	return out, nil
}

// relativeWeights: with R = P·D²·Pᵀ and Λ = P·D·Pᵀ, the parts are
// Λ²·(Λ⁻¹r)², squares element by element.
func relativeWeights(c [][]float64) ([]float64, error) {
	p := len(c) - 1
	r := matrix(p)
	for i := range r {
		copy(r[i], c[i][:p])
	}
	values, vectors := eigen(r)
	root, inverse := matrix(p), matrix(p)
	for k, v := range values {
		if v < minPivot {
			return nil, errCollinear
		}
		s := math.Sqrt(v)
		for i := range p {
			for j := range p {
				root[i][j] += vectors[i][k] * s * vectors[j][k]
				inverse[i][j] += vectors[i][k] / s * vectors[j][k]
			}
		}
	}
	out := make([]float64, p)
	for k := range p {
		var beta float64
		for j := range p {
			beta += inverse[k][j] * c[p][j]
		}
		for i := range p {
			out[i] += root[i][k] * root[i][k] * beta * beta
		}
	}
	return out, nil
}

// eigen decomposes a symmetric matrix by cyclic Jacobi rotations; it overwrites
// a. Column k of vectors belongs to values[k].
func eigen(a [][]float64) (values []float64, vectors [][]float64) {
	n := len(a)
	vectors = matrix(n)
	for i := range n {
		vectors[i][i] = 1
	}
	for range 100 {
		var off float64
		for i := range n {
			for j := range i {
				off += a[i][j] * a[i][j]
			}
		}
		if off < 1e-30 {
			break
		}
		for p := range n {
			for q := p + 1; q < n; q++ {
				if a[p][q] == 0 {
					continue
				}
				theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
				t := 1 / (math.Abs(theta) + math.Hypot(theta, 1))
				if theta < 0 {
					t = -t
				}
				c := 1 / math.Hypot(t, 1)
				s := t * c
				for k := range n {
					a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
				}
				for k := range n {
					a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
					vectors[k][p], vectors[k][q] = c*vectors[k][p]-s*vectors[k][q], s*vectors[k][p]+c*vectors[k][q]
				}
			}
		}
	}
	values = make([]float64, n)
	for i := range n {
		values[i] = a[i][i]
	}
	return values, vectors
}

// bootstrap draws respondents with replacement. A draw without variation or
// with drivers that determine each other is left out.
func (s Sample) bootstrap(d *Drivers, o DriverOptions) {
	rng := rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))
	rows := make([]int, len(s.Y))
	draws := make([][]float64, len(d.Drivers))
	for range o.Resamples {
		for i := range rows {
			rows[i] = rng.IntN(len(s.Y))
		}
		parts, _, err := s.share(rows, d.Method)
		if err != nil {
			continue
		}
		for j, x := range parts {
			draws[j] = append(draws[j], x)
		}
	}
	level := levelOr(o.Level)
	for j := range d.Drivers {
		if len(draws[j]) == 0 {
			continue
		}
		slices.Sort(draws[j])
		last := float64(len(draws[j]) - 1)
		d.Drivers[j].Interval = Interval{
			draws[j][int(math.Round(last*(1-level)/2))],
			draws[j][int(math.Round(last*(1+level)/2))],
			level,
		}
	}
}

// SampleOf takes the ratings of one outcome question and several driver
// questions of a survey from its responses. A response that leaves one of them
// open is left out; left says how many were. Errors: [ErrInvalid], [ErrPooled].
func SampleOf(responses iter.Seq2[feedback.Response, error], s feedback.Survey, outcome string, drivers ...string) (out Sample, left int, err error) {
	for _, key := range append([]string{outcome}, drivers...) {
		if q, ok := s.Question(key); !ok || !q.Rated() || key == "" {
			return Sample{}, 0, fmt.Errorf("%w: survey %q has no rated question %q", ErrInvalid, s.Name, key)
		}
	}
	form := s.Form()
	out.Names = slices.Clone(drivers)
	for r, err := range responses {
		if err != nil {
			return Sample{}, 0, err
		}
		if r.Survey != s.Name || r.Form != form {
			return Sample{}, 0, fmt.Errorf("%w: survey %q into %q", ErrPooled, r.Survey, s.Name)
		}
		y, complete := r.Rating(outcome)
		row := make([]float64, len(drivers))
		for j, key := range drivers {
			v, ok := r.Rating(key)
			row[j], complete = float64(v), complete && ok
		}
		if !complete {
			left++
			continue
		}
		out.X, out.Y = append(out.X, row), append(out.Y, float64(y))
	}
	return out, left, nil
}
