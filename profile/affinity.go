package profile

import (
	"math"
	"slices"
	"strings"
)

// A decayed sum at a time T is the sum of w·2^(−(T−t)/H) over its contributions
// w at t. With t = k·H + r it is that of w·2^(r/H) over the half-lives k,
// times 2^(k−T/H): so it is enough to keep one integer per half-life, and
// integers add up the same in every order.
type weight struct {
	Period int64 `json:"period"` // k
	Sum    int64 `json:"sum"`    // millionths of w·2^(r/H)
}

const (
	million = 1_000_000
	// heaviest is the bound of a contribution, far from overflow.
	heaviest = 1_000_000_000
)

// weightOf reads a number as a weight; false for what is none, or is too great.
func weightOf(v Value) (float64, bool) {
	n, places, ok := v.Dec()
	w := float64(n) / float64(pow10(places))
	return w, ok && math.Abs(w) <= heaviest
}

func (t *trait) weigh(w float64, at int64) weight {
	period, rest := split(at, t.half)
	return weight{period, int64(math.Round(w * math.Exp2(rest) * million))}
}

// split cuts an instant into whole half-lives since 1970 and the share of the next.
func split(at, half int64) (period int64, rest float64) {
	period = at / half
	if at%half < 0 {
		period--
	}
	return period, float64(at-period*half) / float64(half)
}

// affinity is the decayed sum at an instant.
func (t *trait) affinity(weights []weight, at int64) Value {
	period, rest := split(at, t.half)
	sum := 0.0
	for _, w := range weights {
		sum += float64(w.Sum) * math.Exp2(float64(w.Period-period)-rest)
	}
	if math.Abs(sum) > math.MaxInt64/2 {
		sum = math.Copysign(math.MaxInt64/2, sum)
	}
	return Dec(int64(math.Round(sum)), 6)
}

// joinWeights adds two sums up, each by period.
func joinWeights(a, b []weight) []weight {
	out := make([]weight, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Period < b[0].Period:
			out, a = append(out, a[0]), a[1:]
		case b[0].Period < a[0].Period:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, weight{a[0].Period, a[0].Sum + b[0].Sum})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// stamp is when a tag was last reported.
type stamp struct {
	Tag string `json:"tag"`
	At  int64  `json:"at"`
}

func stampsOf(tags Value, at int64) []stamp {
	var out []stamp
	for _, tag := range tags.Tags() {
		out = append(out, stamp{tag, at})
	}
	return out
}

// restamp joins two sets of stamps and reports whether a tag that had lapsed is back.
func (t *trait) restamp(a, b *gathered) (*gathered, bool) {
	out := slices.Clone(a.Stamps)
	lapsed := false
	for _, s := range b.Stamps {
		i, found := slices.BinarySearchFunc(out, s.Tag, func(x stamp, tag string) int { return strings.Compare(x.Tag, tag) })
		switch {
		case !found:
			out = slices.Insert(out, i, s)
		case s.At > out[i].At:
			lapsed = lapsed || s.At-out[i].At >= t.ttl
			out[i].At = s.At
		}
	}
	return &gathered{Stamps: out}, lapsed
}

// sound reports whether a candidate holds what its policy needs.
func (t *trait) sound(c *candidate) bool {
	switch {
	case t.policy == Decay:
		return c.more != nil && len(c.more.Weights) > 0
	case t.policy == Union && t.ttl > 0:
		return c.more != nil && len(c.more.Stamps) > 0
	case t.policy == Sum:
		return t.accepts(c.val) && (c.more == nil || c.more.Total != nil)
	}
	return c.more == nil
}

// valueAt is what a candidate reads as at an instant.
func (t *trait) valueAt(c *candidate, at int64) Value {
	switch {
	case t.policy == Decay:
		return t.affinity(c.more.Weights, at)
	case t.ttl == 0 || c.val.kind == None:
		return c.val
	case t.policy == Union:
		var tags []string
		for _, s := range c.more.Stamps {
			if at-s.At < t.ttl {
				tags = append(tags, s.Tag)
			}
		}
		if len(tags) == 0 {
			return Value{}
		}
		return Tags(tags...)
	case at-c.at >= t.ttl:
		return Value{}
	}
	return c.val
}
