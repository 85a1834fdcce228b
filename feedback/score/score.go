package score

import (
	"fmt"
	"math"

	"github.com/cxkit/cxkit/feedback"
)

// Options say how a score is reported; the zero value means 0.95 and 30.
type Options struct {
	// Level of the interval, above 0 and below 1.
	Level float64
	// MinSample is the number of answers below which no figure is shown;
	// negative shows every figure.
	MinSample int64
}

// DefaultMinSample is the number of answers below which a score is not shown.
const DefaultMinSample = 30

func (o Options) minSample() int64 {
	switch {
	case o.MinSample < 0:
		return 1
	case o.MinSample == 0:
		return DefaultMinSample
	}
	return o.MinSample
}

// Score is a figure with its interval.
type Score struct {
	Of Instrument `json:"of"`
	// N is the number of answers, Need how many were asked for.
	N    int64 `json:"n"`
	Need int64 `json:"need"`
	// Value is the NPS (−100 to 100) or the mean on the question's scale. It
	// is 0 without answers.
	Value float64 `json:"value"`
	// Interval of Value: adjusted Wald for NPS, Student for a mean, both cut
	// to what is possible and never without Value. With fewer than two answers a mean's is the whole scale.
	Interval Interval `json:"interval"`
	// Top is the share of good answers, 0 to 1, TopInterval its Wilson interval.
	Top         float64  `json:"top"`
	TopInterval Interval `json:"top_interval"`
}

// Enough reports whether there are as many answers as asked for.
func (s Score) Enough() bool { return s.N >= s.Need }

// String shows the figure with interval and number of answers, or that there
// are too few of them.
func (s Score) String() string {
	if !s.Enough() {
		return fmt.Sprintf("%s: too few answers (%d of %d)", s.Of.Kind, s.N, s.Need)
	}
	if s.Of.Kind == feedback.NPS {
		return fmt.Sprintf("NPS %.1f %s, n=%d", s.Value, s.Interval, s.N)
	}
	return fmt.Sprintf("%s %.2f [%.2f, %.2f], %.1f%% good %s, n=%d", s.Of.Kind,
		s.Value, s.Interval.Low, s.Interval.High, 100*s.Top, s.TopInterval.scaled(100), s.N)
}

// Score reports the figure of a tally: NPS for that kind of question, else the
// mean.
func (t *Tally) Score(o Options) Score {
	level := levelOr(o.Level)
	s := Score{Of: t.of, N: t.N(), Need: o.minSample()}
	low, high := float64(t.of.Scale.Min), float64(t.of.Scale.Max)
	nps, isNPS := t.NPS()
	if isNPS {
		low, high = -100, 100
	}
	s.Interval = Interval{low, high, level}
	s.TopInterval = Wilson(t.Top(), s.N, level)
	if s.N == 0 {
		return s
	}
	s.Top = float64(t.Top()) / float64(s.N)
	if isNPS {
		s.Value = nps.Value()
		s.Interval = nps.AdjustedWald(level).Clamp(low, high)
		// Adding three answers moves the center away from a unanimous score.
		s.Interval.Low, s.Interval.High = min(s.Interval.Low, s.Value), max(s.Interval.High, s.Value)
		return s
	}
	mean, deviation := t.Mean()
	s.Value = mean
	if s.N > 1 {
		half := studentQuantile(level, float64(s.N-1)) * deviation / math.Sqrt(float64(s.N))
		s.Interval = Interval{mean - half, mean + half, level}.Clamp(low, high)
	}
	return s
}
