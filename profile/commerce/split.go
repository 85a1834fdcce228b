package commerce

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// ErrOverflow reports a sum that does not fit an int64.
var ErrOverflow = errors.New("commerce: amount out of range")

// ErrSplit reports a division that has no answer: negative numbers, or more to
// give than there is room for.
var ErrSplit = errors.New("commerce: amount cannot be split")

// Split divides total in proportion to weights by largest remainder: each
// share is the exact one rounded down, and the units left over go one each to
// the largest remainders, the lower index first where they are equal. Shares
// sum to total. Weights that are all 0 count as equal. Negative numbers, and no
// weight for a total above 0, are [ErrSplit].
func Split(total int64, weights []int64) ([]int64, error) {
	if total < 0 || total > 0 && len(weights) == 0 {
		return nil, fmt.Errorf("%w: total %d over %d weights", ErrSplit, total, len(weights))
	}
	if _, err := sumOf(weights); err != nil {
		return nil, err
	}
	return split(total, weights), nil
}

// SplitNext divides the next amount of a series whose parts are given out in
// proportion to weights, of which done has been given already: done plus the
// result is as near to weights × (sum of done + amount) / (sum of weights) as
// whole units and shares of at least 0 allow, never above weights. However a
// series is cut, once it has given the sum of weights each has exactly its
// weight. An amount above what is left, or a done above its weight, is [ErrSplit].
func SplitNext(weights, done []int64, amount int64) ([]int64, error) {
	if len(weights) != len(done) || amount < 0 {
		return nil, fmt.Errorf("%w: %d weights, %d done, amount %d", ErrSplit, len(weights), len(done), amount)
	}
	whole, err := sumOf(weights)
	if err != nil {
		return nil, err
	}
	before, err := sumOf(done)
	if err != nil {
		return nil, err
	}
	for i := range done {
		if done[i] > weights[i] {
			return nil, fmt.Errorf("%w: more given than the weight", ErrSplit)
		}
	}
	if amount > whole-before {
		return nil, fmt.Errorf("%w: %d to give, %d left", ErrSplit, amount, whole-before)
	}
	return splitNext(weights, done, amount), nil
}

// Cumulative is total × done / whole rounded down: what of total is due once
// done of whole has happened. The difference of two calls is the part due
// between them, and any cut of whole sums to total. It needs
// 0 ≤ done ≤ whole, whole > 0 and total ≥ 0, else [ErrSplit].
func Cumulative(total, done, whole int64) (int64, error) {
	if total < 0 || done < 0 || whole <= 0 || done > whole {
		return 0, fmt.Errorf("%w: %d of %d", ErrSplit, done, whole)
	}
	q, _ := mulDiv(total, done, whole)
	return q, nil
}

// split is Split where it cannot fail.
func split(total int64, weights []int64) []int64 {
	shares := make([]int64, len(weights))
	if total == 0 {
		return shares
	}
	sum := plainSum(weights)
	if sum == 0 {
		weights = slices.Repeat([]int64{1}, len(weights))
		sum = int64(len(weights))
	}
	rest := make([]uint64, len(weights))
	left := total
	for i, w := range weights {
		shares[i], rest[i] = mulDiv(total, w, sum)
		left -= shares[i]
	}
	for _, i := range byLargest(rest)[:left] {
		shares[i]++
	}
	return shares
}

// splitNext is SplitNext where it cannot fail.
func splitNext(weights, done []int64, amount int64) []int64 {
	shares := make([]int64, len(weights))
	if amount == 0 {
		return shares
	}
	whole, after := plainSum(weights), plainSum(done)+amount
	rest := make([]uint64, len(weights))
	var need int64
	for i, w := range weights {
		target, r := mulDiv(after, w, whole)
		if target >= done[i] { // else it is ahead of its share and waits
			shares[i], rest[i] = target-done[i], r
			need += shares[i]
		}
	}
	if need >= amount {
		return split(amount, shares)
	}
	// Rounding down leaves fewer units than there are shares with a remainder,
	// and such a share is below its weight: one unit each always fits.
	for _, i := range byLargest(rest)[:amount-need] {
		shares[i]++
	}
	return shares
}

func plainSum(ns []int64) (sum int64) {
	for _, n := range ns {
		sum += n
	}
	return sum
}

// mulDiv is a × b / c with its remainder, for 0 ≤ b ≤ c, 0 ≤ a and 0 < c.
func mulDiv(a, b, c int64) (quo int64, rem uint64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	return int64(q), r
}

func add(a, b int64) (int64, error) {
	s := a + b
	if (s > a) != (b > 0) && b != 0 {
		return 0, ErrOverflow
	}
	return s, nil
}

// sumOf adds numbers of at least 0.
func sumOf(ns []int64) (int64, error) {
	var sum int64
	for _, n := range ns {
		if n < 0 {
			return 0, fmt.Errorf("%w: negative number", ErrSplit)
		}
		var err error
		if sum, err = add(sum, n); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// byLargest lists the indexes of ns, the largest first, the lower index first
// among equals.
func byLargest(ns []uint64) []int {
	order := make([]int, len(ns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ns[a] > ns[b]:
			return -1
		case ns[a] < ns[b]:
			return 1
		}
		return 0
	})
	return order
}
