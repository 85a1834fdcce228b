package score

import (
	"fmt"
	"math"

	"github.com/cxkit/cxkit/feedback"
)

// Comparison is the difference of two scores of one instrument.
type Comparison struct {
	A, B Score
	// Difference is B less A, with its interval: adjusted Wald for NPS, Welch
	// for a mean.
	Difference float64
	Interval   Interval
	// P is the probability of a difference this large if there were none,
	// two-sided. It is 1 where either side has too few answers to tell.
	P float64
	// TopDifference is the difference of the shares of good answers with
	// Newcombe's interval (1998, method 10), −1 to 1.
	TopDifference float64
	TopInterval   Interval
}

// Significant reports whether the interval of the difference leaves out 0 and
// both sides have enough answers.
func (c Comparison) Significant() bool {
	return c.A.Enough() && c.B.Enough() && !c.Interval.Contains(0)
}

// String says whether the two differ.
func (c Comparison) String() string {
	switch {
	case !c.A.Enough() || !c.B.Enough():
		return fmt.Sprintf("too few answers to compare (%d and %d of %d)", c.A.N, c.B.N, c.A.Need)
	case !c.Significant():
		return fmt.Sprintf("no clear difference: %+.1f %s, p=%.3f", c.Difference, c.Interval, c.P)
	}
	return fmt.Sprintf("changed by %+.1f %s, p=%.3f", c.Difference, c.Interval, c.P)
}

// Compare compares two tallies of one instrument: two months, two shops. The
// error matches [ErrPooled] where they are of different ones.
//
// For NPS both sides are adjusted as in [NPS.AdjustedWald] before differencing.
// A mean uses Welch's unequal variances with Satterthwaite's degrees of freedom.
func Compare(a, b *Tally, o Options) (Comparison, error) {
	if a.of != b.of {
		return Comparison{}, poolError(a.of, b.of)
	}
	level := levelOr(o.Level)
	c := Comparison{A: a.Score(o), B: b.Score(o), P: 1}
	c.TopDifference = c.B.Top - c.A.Top
	c.TopInterval = newcombe(c.A, c.B, level)
	if a.of.Kind == feedback.NPS {
		c.compareNPS(a, b, level)
	} else {
		c.compareMeans(a, b, level)
	}
	return c, nil
}

func (c *Comparison) compareNPS(a, b *Tally, level float64) {
	c.Interval = Interval{-200, 200, level}
	if c.A.N == 0 || c.B.N == 0 {
		return
	}
	na, _ := a.NPS()
	nb, _ := b.NPS()
	va, sa := moments(float64(na.Promoters)+.75, float64(na.Detractors)+.75, float64(na.N())+3)
	vb, sb := moments(float64(nb.Promoters)+.75, float64(nb.Detractors)+.75, float64(nb.N())+3)
	se := math.Hypot(sa, sb)
	c.Difference = c.B.Value - c.A.Value
	half := normalQuantile(level) * se
	c.Interval = Interval{100 * (vb - va - half), 100 * (vb - va + half), level}.Clamp(-200, 200)
	c.P = normalTails((vb - va) / se)
}

func (c *Comparison) compareMeans(a, b *Tally, level float64) {
	span := float64(a.of.Scale.Max - a.of.Scale.Min)
	c.Interval = Interval{-span, span, level}
	if c.A.N < 2 || c.B.N < 2 {
		return
	}
	ma, da := a.Mean()
	mb, db := b.Mean()
	c.Difference = mb - ma
	qa, qb := da*da/float64(c.A.N), db*db/float64(c.B.N)
	se := math.Sqrt(qa + qb)
	if se == 0 {
		// All agree on either side: there is no spread to judge by.
		c.Interval = Interval{c.Difference, c.Difference, level}
		if c.Difference != 0 {
			c.P = 0
		}
		return
	}
	df := (qa + qb) * (qa + qb) / (qa*qa/float64(c.A.N-1) + qb*qb/float64(c.B.N-1))
	half := studentQuantile(level, df) * se
	c.Interval = Interval{c.Difference - half, c.Difference + half, level}.Clamp(-span, span)
	c.P = studentTails(c.Difference/se, df)
}

func newcombe(a, b Score, level float64) Interval {
	if a.N == 0 || b.N == 0 {
		return Interval{-1, 1, level}
	}
	d := b.Top - a.Top
	return Interval{
		d - math.Hypot(b.Top-b.TopInterval.Low, a.TopInterval.High-a.Top),
		d + math.Hypot(b.TopInterval.High-b.Top, a.Top-a.TopInterval.Low),
		level,
	}
}
