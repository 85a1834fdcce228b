package segment

import (
	"errors"
	"fmt"
	"math"
)

// ErrRatio reports counts and weights that no test of their ratio is possible of.
var ErrRatio = errors.New("segment: no ratio to test")

// RatioTest tells whether arms of an experiment have the sizes that they should
// have. Arms that do not, for no reason known, are the sign of a fault in how
// customers were assigned or counted, and their results are not to be trusted.
type RatioTest struct {
	// ChiSquare is Pearson's statistic, the sum of (observed−expected)²/expected.
	ChiSquare float64
	// Freedom is the degrees of freedom: one less than the arms of weight above 0.
	Freedom int
	// P is the probability of a ChiSquare as great or greater by chance alone.
	P float64
}

// Mismatch reports whether P is below alpha. As the test is made often and
// seldom on purpose, a small alpha such as 0.001 is usual.
func (r RatioTest) Mismatch(alpha float64) bool { return r.P < alpha }

func (r RatioTest) String() string {
	return fmt.Sprintf("chi-square %.3f with %d degrees of freedom, p %.3g", r.ChiSquare, r.Freedom, r.P)
}

// SampleRatio tests whether the arms, such as those of [Audience.Split] as they
// were counted in the experiment, have sizes in proportion to the weights.
// There are as many weights as counts, none of them negative, at least two
// weights above 0, and someone is in an arm; else the error is [ErrRatio].
// Someone in an arm of weight 0 is a mismatch for sure: P is 0.
func SampleRatio(counts, weights []int) (RatioTest, error) {
	if len(counts) != len(weights) {
		return RatioTest{}, fmt.Errorf("%w: %d counts and %d weights", ErrRatio, len(counts), len(weights))
	}
	n, total, r := 0.0, 0.0, RatioTest{Freedom: -1}
	for i, w := range weights {
		if w < 0 || counts[i] < 0 {
			return RatioTest{}, fmt.Errorf("%w: arm %d is negative", ErrRatio, i)
		}
		n += float64(counts[i])
		total += float64(w)
		if w > 0 {
			r.Freedom++
		}
	}
	if r.Freedom < 1 || n == 0 {
		return RatioTest{}, fmt.Errorf("%w: fewer than two arms, or nobody", ErrRatio)
	}
	for i, w := range weights {
		expected := n * float64(w) / total
		switch off := float64(counts[i]) - expected; {
		case w > 0:
			r.ChiSquare += off * off / expected
		case counts[i] > 0:
			r.ChiSquare = math.Inf(1)
		}
	}
	r.P = upperGamma(float64(r.Freedom)/2, r.ChiSquare/2)
	return r, nil
}

// upperGamma is the regularized upper incomplete gamma function Q(a, x) for
// a > 0 and x ≥ 0, which gives the tail of the chi-square distribution: by the
// series of NIST's Digital Library of Mathematical Functions 8.7.1 for small x,
// else by its continued fraction 8.9.2 in Lentz's way.
func upperGamma(a, x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	const (
		steps   = 100_000
		epsilon = 1e-15
		tiny    = 1e-300
	)
	lg, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(x) - x - lg)
	if x < a+1 {
		sum, term := 1/a, 1/a
		for k := 1; k < steps && term > sum*epsilon; k++ {
			term *= x / (a + float64(k))
			sum += term
		}
		return max(0, 1-front*sum)
	}
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for k := 1; k < steps; k++ {
		an := -float64(k) * (float64(k) - a)
		b += 2
		if d = an*d + b; math.Abs(d) < tiny {
			d = tiny
		}
		if c = b + an/c; math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		h *= d * c
		if math.Abs(d*c-1) < epsilon {
			break
		}
	}
	return min(1, front*h)
}
