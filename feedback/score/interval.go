package score

import (
	"fmt"
	"math"
)

// Interval is a confidence interval.
type Interval struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"` // such as 0.95
}

// Contains reports whether x lies in the interval.
func (i Interval) Contains(x float64) bool { return i.Low <= x && x <= i.High }

// Clamp cuts the interval to what is possible.
func (i Interval) Clamp(low, high float64) Interval {
	i.Low, i.High = max(i.Low, low), min(i.High, high)
	return i
}

// String writes "[14.1, 44.2]".
func (i Interval) String() string { return fmt.Sprintf("[%.1f, %.1f]", i.Low, i.High) }

func (i Interval) scaled(by float64) Interval {
	i.Low, i.High = i.Low*by, i.High*by
	return i
}

// DefaultLevel is the level of an interval where none is given.
const DefaultLevel = 0.95

// normalQuantile is z with P(|Z| ≤ z) = level for a standard normal Z.
func normalQuantile(level float64) float64 { return math.Sqrt2 * math.Erfinv(level) }

// normalTails is P(|Z| ≥ |z|).
func normalTails(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// Wilson is the score interval of a proportion of hits among n trials, from 0
// to 1 (E. B. Wilson 1927). It never leaves [0, 1] and holds for small n and
// for no hits at all. With n = 0 it is [0, 1].
func Wilson(hits, n int64, level float64) Interval {
	if n <= 0 {
		return Interval{0, 1, level}
	}
	z := normalQuantile(level)
	p, nf := float64(hits)/float64(n), float64(n)
	center := (p + z*z/(2*nf)) / (1 + z*z/nf)
	half := z / (1 + z*z/nf) * math.Sqrt(p*(1-p)/nf+z*z/(4*nf*nf))
	i := Interval{center - half, center + half, level}.Clamp(0, 1)
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}

// studentQuantile is t with P(|T| ≤ t) = level for T with df degrees of
// freedom, by bisection of the incomplete beta function.
func studentQuantile(level, df float64) float64 {
	if df > 1e6 {
		return normalQuantile(level)
	}
	low, high := 0.0, 1.0
	for 1-studentTails(high, df) < level {
		high *= 2
		if high > 1e12 {
			return high
		}
	}
	for range 200 {
		mid := (low + high) / 2
		if mid == low || mid == high {
			break
		}
		if 1-studentTails(mid, df) < level {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// studentTails is P(|T| ≥ |t|) for T with df degrees of freedom: the
// regularized incomplete beta function at df/(df+t²) with df/2 and 1/2
// (Abramowitz and Stegun 26.7.1).
func studentTails(t, df float64) float64 {
	return incompleteBeta(df/(df+t*t), df/2, 0.5)
}

// incompleteBeta is I_x(a, b), by the continued fraction of Abramowitz and
// Stegun 26.5.8 evaluated with Lentz's method.
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	const tiny = 1e-300
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	for m := 1.0; m < 10_000; m++ {
		for _, term := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			if d = 1 + term*d; math.Abs(d) < tiny {
				d = tiny
			}
			d = 1 / d
			if c = 1 + term/c; math.Abs(c) < tiny {
				c = tiny
			}
			f *= c * d
		}
		if math.Abs(c*d-1) < 1e-16 {
			break
		}
	}
	return front * f / a
}
