package score

import (
	"fmt"
	"math"
)

// CUSUMRunLength is the average number of observations until a two-sided
// [CUSUM] signals, for independent normal observations whose mean lies shift
// standard deviations from the target; k and h are in standard deviations, both
// above 0. Without a shift it is the mean time between false alarms: choose h by
// it. The error matches [ErrInvalid].
//
// Each side's run length L solves L(u) = 1 + L(0)·Φ(k−u−δ) + ∫₀ʰ L(x)·φ(x+k−u−δ)dx
// (Page 1954; Goel and Wu 1971), here by Gauss–Legendre quadrature; the sides
// combine as 1/L = 1/L⁺ + 1/L⁻ (Kemp 1961).
func CUSUMRunLength(k, h, shift float64) (float64, error) {
	if !(k > 0 && h > 0 && h <= 50 && k <= 50) || math.IsNaN(shift) || math.Abs(shift) > 50 {
		return 0, fmt.Errorf("%w: CUSUM with k %v, h %v, shift %v", ErrInvalid, k, h, shift)
	}
	up, err := cusumSide(k, h, shift)
	if err != nil {
		return 0, err
	}
	down, err := cusumSide(k, h, -shift)
	if err != nil {
		return 0, err
	}
	return 1 / (1/up + 1/down), nil
}

func cusumSide(k, h, shift float64) (float64, error) {
	nodes, weights := legendre(64)
	n := len(nodes)
	at := make([]float64, n+1) // the start at 0, then the nodes on [0, h]
	for i, x := range nodes {
		at[i+1] = h * (1 + x) / 2
	}
	a := make([][]float64, n+1)
	b := make([]float64, n+1)
	for i, u := range at {
		a[i] = make([]float64, n+1)
		a[i][i] = 1
		a[i][0] -= normalCDF(k - u - shift)
		for j, x := range at[1:] {
			a[i][j+1] -= weights[j] * h / 2 * normalDensity(x+k-u-shift)
		}
		b[i] = 1
	}
	l, err := solve(a, b)
	if err != nil {
		return 0, err
	}
	return l[0], nil
}

// EWMARunLength is the average number of observations until an [EWMA] with
// constant (asymptotic) limits signals, for independent normal observations
// whose mean lies shift standard deviations from the target; lambda is above 0
// and at most 1, l above 0. The error matches [ErrInvalid].
//
// The run length solves L(u) = 1 + (1/λ)·∫ L(x)·φ((x−(1−λ)u)/λ − δ)dx within
// the limits (Crowder 1987), here by Gauss–Legendre quadrature.
func EWMARunLength(lambda, l, shift float64) (float64, error) {
	if !(lambda > 0 && lambda <= 1 && l > 0 && l <= 10) || math.IsNaN(shift) || math.Abs(shift) > 50 {
		return 0, fmt.Errorf("%w: EWMA with λ %v, L %v, shift %v", ErrInvalid, lambda, l, shift)
	}
	h := l * math.Sqrt(lambda/(2-lambda))
	// The kernel is λ wide on an interval 2h wide: a small λ needs more nodes.
	nodes, weights := legendre(min(400, 64+int(4*h/lambda)))
	n := len(nodes)
	a := make([][]float64, n)
	b := make([]float64, n)
	kernel := func(u, x float64) float64 { return normalDensity((x-(1-lambda)*u)/lambda-shift) / lambda }
	for i, u := range nodes {
		a[i] = make([]float64, n)
		for j, x := range nodes {
			a[i][j] = -weights[j] * h * kernel(h*u, h*x)
		}
		a[i][i]++
		b[i] = 1
	}
	at, err := solve(a, b)
	if err != nil {
		return 0, err
	}
	start := 1.0
	for j, x := range nodes {
		start += weights[j] * h * at[j] * kernel(0, h*x)
	}
	return start, nil
}

func normalDensity(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// legendre returns the nodes and weights of Gauss–Legendre quadrature on
// [−1, 1], by Newton's method on the Legendre polynomial.
func legendre(n int) (nodes, weights []float64) {
	nodes, weights = make([]float64, n), make([]float64, n)
	for i := range (n + 1) / 2 {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var slope float64
		for range 100 {
			p, before := 1.0, 0.0
			for j := range n {
				p, before = (float64(2*j+1)*x*p-float64(j)*before)/float64(j+1), p
			}
			slope = float64(n) * (x*p - before) / (x*x - 1)
			step := p / slope
			x -= step
			if math.Abs(step) < 1e-15 {
				break
			}
		}
		w := 2 / ((1 - x*x) * slope * slope)
		nodes[i], weights[i] = -x, w
		nodes[n-1-i], weights[n-1-i] = x, w
	}
	return nodes, weights
}

// solve solves a·x = b by Gaussian elimination with partial pivoting; it
// overwrites both.
func solve(a [][]float64, b []float64) ([]float64, error) {
	n := len(b)
	for col := range n {
		pivot := col
		for r := col + 1; r < n; r++ {
			if math.Abs(a[r][col]) > math.Abs(a[pivot][col]) {
				pivot = r
			}
		}
		if math.Abs(a[pivot][col]) < 1e-14 {
			return nil, errSingular
		}
		a[col], a[pivot] = a[pivot], a[col]
		b[col], b[pivot] = b[pivot], b[col]
		for r := col + 1; r < n; r++ {
			f := a[r][col] / a[col][col]
			if f == 0 {
				continue
			}
			for j := col; j < n; j++ {
				a[r][j] -= f * a[col][j]
			}
			b[r] -= f * b[col]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			b[i] -= a[i][j] * b[j]
		}
		b[i] /= a[i][i]
	}
	return b, nil
}
