package program

import "math/bits"

// Deferral is revenue that a sale defers for the points that it gave, under
// IFRS 15 (B39 to B42 and the worked example on a customer loyalty program):
// it is recognized as points are redeemed, in the proportion of the points
// redeemed so far to the points that are expected to be redeemed in all.
type Deferral struct {
	// Allocated is the part of the price allocated to the points, in minor units.
	Allocated int64 `json:"allocated"`
}

// Recognized is the revenue recognized in all once redeemed of expected points
// are redeemed, rounded down. The expectation may change from one period to the
// next: revenue of a period is the difference to what was recognized before.
// Once all that is expected is redeemed, everything is recognized; without an
// expectation, nothing.
func (d Deferral) Recognized(redeemed, expected int64) int64 {
	switch {
	case redeemed <= 0 || expected <= 0 || d.Allocated <= 0:
		return 0
	case redeemed >= expected:
		return d.Allocated
	}
	hi, lo := bits.Mul64(uint64(d.Allocated), uint64(redeemed))
	q, _ := bits.Div64(hi, lo, uint64(expected))
	return int64(q)
}

// Liability is what remains deferred.
func (d Deferral) Liability(redeemed, expected int64) int64 {
	return d.Allocated - d.Recognized(redeemed, expected)
}
