package segment

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/cxkit/cxkit/profile"
)

// sumOf adds numbers exactly. Values that are no numbers are left out.
func sumOf(values []profile.Value) profile.Value {
	var hi, lo uint64 // a 128-bit two's complement sum
	for i, v := range values {
		n, ok := v.Int()
		if !ok {
			if v.Kind() == profile.Decimal {
				return decimalOf(bigSum(values, i, hi, lo))
			}
			continue
		}
		var carry uint64
		lo, carry = bits.Add64(lo, uint64(n), 0)
		hi, _ = bits.Add64(hi, uint64(n>>63), carry)
	}
	switch {
	case int64(hi) == int64(lo)>>63:
		return profile.Int(int64(lo))
	case int64(hi) < 0:
		return profile.Int(math.MinInt64)
	}
	return profile.Int(math.MaxInt64)
}

// bigSum goes on from the i-th value with decimals; the result is unscaled.
func bigSum(values []profile.Value, i int, hi, lo uint64) (sum *big.Int, places uint8) {
	sum = new(big.Int).Lsh(big.NewInt(int64(hi)), 64)
	sum.Add(sum, new(big.Int).SetUint64(lo))
	for _, v := range values[i:] {
		_, p, _ := v.Dec()
		places = max(places, p)
	}
	sum.Mul(sum, pow10(places))
	for _, v := range values[i:] {
		if n, p, ok := v.Dec(); ok {
			term := new(big.Int).Mul(big.NewInt(n), pow10(places-p))
			sum.Add(sum, term)
		}
	}
	return sum, places
}

// averageOf is the mean of the numbers among values to six places.
func averageOf(values []profile.Value) profile.Value {
	sum, places := bigSum(values, 0, 0, 0)
	n := int64(0)
	for _, v := range values {
		if numeric(v) {
			n++
		}
	}
	if n == 0 {
		return profile.Value{}
	}
	const wanted = 6
	sum.Mul(sum, pow10(wanted))
	divisor := new(big.Int).Mul(pow10(places), big.NewInt(n))
	return decimalOf(divideRounded(sum, divisor), wanted)
}

// decimalOf fits a number into a Value, giving up places before magnitude.
func decimalOf(n *big.Int, places uint8) profile.Value {
	for places > 18 || places > 0 && !n.IsInt64() {
		n = divideRounded(n, pow10(1))
		places--
	}
	switch {
	case !n.IsInt64() && n.Sign() < 0:
		return profile.Int(math.MinInt64)
	case !n.IsInt64():
		return profile.Int(math.MaxInt64)
	}
	return plainNumber(profile.Dec(n.Int64(), places))
}

// divideRounded rounds half away from zero.
func divideRounded(n, by *big.Int) *big.Int {
	quo, rem := new(big.Int).QuoRem(n, by, new(big.Int))
	if rem.Abs(rem).Lsh(rem, 1).Cmp(by) >= 0 {
		quo.Add(quo, big.NewInt(int64(n.Sign())))
	}
	return quo
}

func pow10(places uint8) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
}

// plainNumber turns a decimal without places into an integer, so that numbers
// of equal worth are equal values.
func plainNumber(v profile.Value) profile.Value {
	if n, places, ok := v.Dec(); ok && places == 0 {
		return profile.Int(n)
	}
	return v
}

// compareValues is a total order: within the kinds that have a common one by
// it, else by kind.
func compareValues(a, b profile.Value) int {
	if order, ok := a.Compare(b); ok {
		return order
	}
	return int(a.Kind()) - int(b.Kind())
}
