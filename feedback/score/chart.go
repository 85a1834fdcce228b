package score

import (
	"errors"
	"fmt"
	"math"

	"github.com/cxkit/cxkit/feedback"
)

// Limits are the control limits of one point of a chart.
type Limits struct {
	Low    float64 `json:"low"`
	Center float64 `json:"center"`
	High   float64 `json:"high"`
}

// Outside reports whether x signals a change.
func (l Limits) Outside(x float64) bool { return x < l.Low || x > l.High }

// PLimits are the limits of a p-chart (Shewhart) for a share with the given
// center among n: center ± sigmas·√(center(1−center)/n), cut to 0 and 1.
// sigmas is commonly 3.
func PLimits(center float64, n int64, sigmas float64) Limits {
	half := sigmas * math.Sqrt(center*(1-center)/float64(n))
	return Limits{max(center-half, 0), center, min(center+half, 1)}
}

// Period is a stretch of time with its answers.
type Period struct {
	Label string
	Tally *Tally
}

// ChartOptions say how a chart is drawn; the zero value takes the center from
// all periods and limits at three sigma.
type ChartOptions struct {
	// Baseline is how many of the first periods give the center; 0 means all.
	Baseline int
	// Sigmas is the distance of the limits, above 0; 0 means 3.
	Sigmas float64
	// Laney widens the limits by the variation between the baseline periods
	// beyond that of sampling (Laney 2002, p′-chart). With thousands of answers
	// a period, a plain chart signals ordinary differences between days.
	Laney bool
}

// ChartPoint is a period on a chart.
type ChartPoint struct {
	Label string `json:"label"`
	N     int64  `json:"n"`
	// Value is the NPS, −100 to 100, or the share of good answers, 0 to 1. It
	// is 0 without answers.
	Value  float64 `json:"value"`
	Limits Limits  `json:"limits"`
	// Signal says that the value lies outside the limits.
	Signal bool `json:"signal,omitempty"`
}

// String says where the point lies.
func (p ChartPoint) String() string {
	where := "within"
	if p.Signal {
		where = "outside"
	}
	return fmt.Sprintf("%s: %.4g %s %.4g to %.4g, n=%d", p.Label, p.Value, where, p.Limits.Low, p.Limits.High, p.N)
}

// Chart draws a control chart of periods of one instrument: NPS for that kind
// of question, else the share of good answers (p-chart). The limits of a period
// follow from its number of answers and the center; a period without answers
// has the widest limits and no signal. The error matches [ErrPooled] or
// [ErrInvalid].
func Chart(periods []Period, o ChartOptions) ([]ChartPoint, error) {
	if o.Baseline < 0 || o.Baseline > len(periods) || o.Sigmas < 0 {
		return nil, fmt.Errorf("%w: chart options", ErrInvalid)
	}
	if len(periods) == 0 {
		return nil, nil
	}
	base := periods
	if o.Baseline > 0 {
		base = periods[:o.Baseline]
	}
	sigmas := o.Sigmas
	if sigmas == 0 {
		sigmas = 3
	}
	for _, p := range periods {
		if p.Tally == nil {
			return nil, fmt.Errorf("%w: period %q has no tally", ErrInvalid, p.Label)
		}
	}
	pooled := periods[0].Tally.Empty()
	for _, p := range periods {
		if p.Tally.of != pooled.of {
			return nil, poolError(pooled.of, p.Tally.of)
		}
	}
	for _, p := range base {
		if err := pooled.Merge(p.Tally); err != nil {
			return nil, err
		}
	}
	if pooled.N() == 0 {
		return nil, fmt.Errorf("%w: no answers in the baseline", ErrInvalid)
	}
	center, spread := pooled.level()
	if o.Laney {
		spread *= betweenPeriods(base, center, spread)
	}
	low, high := 0.0, 1.0
	if pooled.of.Kind == feedback.NPS {
		low, high = -100, 100
	}
	out := make([]ChartPoint, len(periods))
	for i, p := range periods {
		point := ChartPoint{Label: p.Label, N: p.Tally.N(), Limits: Limits{low, center, high}}
		if point.N > 0 {
			point.Value, _ = p.Tally.level()
			half := sigmas * spread / math.Sqrt(float64(point.N))
			point.Limits.Low, point.Limits.High = max(center-half, low), min(center+half, high)
			point.Signal = point.Limits.Outside(point.Value)
		}
		out[i] = point
	}
	return out, nil
}

// level is what a chart shows of a tally with answers, and the standard
// deviation of one answer.
func (t *Tally) level() (value, deviation float64) {
	n := float64(t.N())
	if t.of.Kind == feedback.NPS {
		v, se := moments(float64(t.Top()), float64(t.Bottom()), n)
		return 100 * v, 100 * se * math.Sqrt(n)
	}
	p := float64(t.Top()) / n
	return p, math.Sqrt(p * (1 - p))
}

// betweenPeriods is Laney's sigma of z: the mean moving range of the
// standardized values over 1.128, at least 1.
func betweenPeriods(base []Period, center, spread float64) float64 {
	var last, sum float64
	n := -1
	for _, p := range base {
		if p.Tally.N() == 0 || spread == 0 {
			continue
		}
		v, _ := p.Tally.level()
		z := (v - center) / (spread / math.Sqrt(float64(p.Tally.N())))
		if n >= 0 {
			sum += math.Abs(z - last)
		}
		last = z
		n++
	}
	if n < 1 {
		return 1
	}
	return max(1, sum/float64(n)/1.128)
}

// CUSUM watches a series for a lasting shift (Page 1954): it adds up how far
// observations lie beyond Target ± K, in either direction, and signals when a
// sum exceeds H. It detects small shifts much sooner than a Shewhart chart.
// The zero sums are the start; set the three parameters, then call Add.
type CUSUM struct {
	// Target is the level in control, K the slack (half the shift to detect),
	// H the decision limit, all in the units of the observations.
	Target, K, H float64
	// Up and Down are the sums so far.
	Up, Down float64
}

// Add takes the next observation and reports whether the series has shifted: +1
// up, −1 down, 0 not. The sums go on; set them to 0 to start again.
func (c *CUSUM) Add(x float64) int {
	c.Up = max(0, c.Up+x-c.Target-c.K)
	c.Down = max(0, c.Down+c.Target-c.K-x)
	switch {
	case c.Up > c.H:
		return 1
	case c.Down > c.H:
		return -1
	}
	return 0
}

// EWMA watches a series by its exponentially weighted moving average (Roberts
// 1959) with limits that widen from the first observation on.
type EWMA struct {
	// Target and Sigma are mean and standard deviation in control, Lambda the
	// weight of the newest observation (above 0, at most 1), L the distance of
	// the limits in standard deviations of the average.
	Target, Sigma, Lambda, L float64
	// Average is the present one and N how many observations it holds; N = 0
	// starts at Target.
	Average float64
	N       int
}

// Add takes the next observation and reports whether the average has left its
// limits: +1 above, −1 below, 0 not.
func (e *EWMA) Add(x float64) int {
	if e.N == 0 {
		e.Average = e.Target
	}
	e.N++
	e.Average += e.Lambda * (x - e.Average)
	l := e.Limits()
	switch {
	case e.Average > l.High:
		return 1
	case e.Average < l.Low:
		return -1
	}
	return 0
}

// Limits are those of the present average:
// Target ± L·Sigma·√(λ/(2−λ)·(1−(1−λ)^2N)).
func (e *EWMA) Limits() Limits {
	half := e.L * e.Sigma * math.Sqrt(e.Lambda/(2-e.Lambda)*(1-math.Pow(1-e.Lambda, 2*float64(e.N))))
	return Limits{e.Target - half, e.Target, e.Target + half}
}

var errSingular = errors.New("score: singular system")
