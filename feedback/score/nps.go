package score

import "math"

// NPS are the counts of which a net promoter score is made: promoters answer 9
// or 10, detractors 0 to 6, passives 7 or 8.
type NPS struct {
	Promoters  int64 `json:"promoters"`
	Passives   int64 `json:"passives"`
	Detractors int64 `json:"detractors"`
}

// N is the number of answers.
func (n NPS) N() int64 { return n.Promoters + n.Passives + n.Detractors }

// Value is the share of promoters less that of detractors, −100 to 100; NaN
// without answers.
func (n NPS) Value() float64 {
	return 100 * float64(n.Promoters-n.Detractors) / float64(n.N())
}

// StdErr is the standard error of Value: 100·√((p + d − (p − d)²)/n).
func (n NPS) StdErr() float64 {
	v, se := moments(float64(n.Promoters), float64(n.Detractors), float64(n.N()))
	if math.IsNaN(v) {
		return v
	}
	return 100 * se
}

// Wald is the plain normal interval, Value ± z·StdErr, not cut to what is
// possible. It is too narrow for few answers and has no width where all agree:
// prefer [NPS.AdjustedWald].
func (n NPS) Wald(level float64) Interval {
	return around(float64(n.Promoters), float64(n.Detractors), float64(n.N()), level)
}

// AdjustedWald is the interval of Wald after adding 3 answers, ¾ a promoter
// and ¾ a detractor (Bonett and Price 2012, recommended for NPS by Rocks 2016).
// It is not cut to −100 to 100, and its center is not Value.
func (n NPS) AdjustedWald(level float64) Interval {
	return around(float64(n.Promoters)+0.75, float64(n.Detractors)+0.75, float64(n.N())+3, level)
}

func moments(promoters, detractors, n float64) (value, stdErr float64) {
	p, d := promoters/n, detractors/n
	return p - d, math.Sqrt(max(p+d-(p-d)*(p-d), 0) / n)
}

func around(promoters, detractors, n, level float64) Interval {
	v, se := moments(promoters, detractors, n)
	half := normalQuantile(level) * se
	return Interval{100 * (v - half), 100 * (v + half), level}
}

// SampleForNPS is the number of answers with which the interval of an NPS is
// at most ±margin points whatever the answers are: half promoters, half
// detractors is the worst case. The margin is above 0; level 0 means 0.95.
func SampleForNPS(margin, level float64) int64 {
	if !(margin > 0) {
		return math.MaxInt64
	}
	z := 100 * normalQuantile(levelOr(level)) / margin
	return int64(min(math.Ceil(z*z), math.MaxInt64/2))
}

func levelOr(level float64) float64 {
	if level > 0 && level < 1 {
		return level
	}
	return DefaultLevel
}
