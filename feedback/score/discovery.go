package score

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Adjust corrects p-values for having looked at many (Benjamini and Hochberg
// 1995): calling everything with an adjusted value at or below q a finding
// keeps the expected share of false ones among them at or below q, for
// independent or positively dependent tests. NaN counts as 1. The result is in
// the order given.
func Adjust(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	value := func(i int) float64 {
		if math.IsNaN(p[i]) {
			return 1
		}
		return p[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value(a), value(b)) })
	out := make([]float64, len(p))
	least := 1.0
	for rank := len(order); rank > 0; rank-- {
		i := order[rank-1]
		least = min(least, value(i)*float64(len(p))/float64(rank))
		out[i] = least
	}
	return out
}

// Finding is a group held against all others together.
type Finding struct {
	Group string
	// Comparison has the others as A and the group as B.
	Comparison Comparison
	// Q is the p-value adjusted for the number of groups compared.
	Q float64
	// Stands says that the group differs, at the rate of false findings asked for.
	Stands bool
}

// String names the group and how it differs.
func (f Finding) String() string {
	if !f.Stands {
		return fmt.Sprintf("%s: %s", f.Group, "no clear difference to the others")
	}
	return fmt.Sprintf("%s: %+.1f against the others %s, q=%.3f", f.Group, f.Comparison.Difference, f.Comparison.Interval, f.Q)
}

// Scan compares each group (outlet, touchpoint, product) with all others
// together and keeps the expected share of false findings at or below rate,
// such as 0.05. Groups with too few answers by the options are not compared and
// do not count. Findings come in order of Q, then of the group's name. Errors:
// [ErrPooled], [ErrInvalid].
func Scan(groups map[string]*Tally, rate float64, o Options) ([]Finding, error) {
	if !(rate > 0 && rate < 1) {
		return nil, fmt.Errorf("%w: rate of false findings %v", ErrInvalid, rate)
	}
	var out []Finding
	names := slices.Sorted(maps.Keys(groups))
	for _, name := range names {
		if groups[name].N() < o.minSample() {
			continue
		}
		rest := groups[name].Empty()
		for _, other := range names {
			if other == name {
				continue
			}
			if err := rest.Merge(groups[other]); err != nil {
				return nil, err
			}
		}
		if rest.N() < o.minSample() {
			continue
		}
		c, err := Compare(rest, groups[name], o)
		if err != nil {
			return nil, err
		}
		out = append(out, Finding{Group: name, Comparison: c})
	}
	p := make([]float64, len(out))
	for i := range out {
		p[i] = out[i].Comparison.P
	}
	for i, q := range Adjust(p) {
		out[i].Q, out[i].Stands = q, q <= rate
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Q, b.Q) })
	return out, nil
}
