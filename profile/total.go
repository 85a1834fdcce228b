package profile

import (
	"math"
	"math/bits"
)

// total is an exact sum: a 128-bit whole part and a fraction of 10^-18 units,
// 0 ≤ frac < 10^18, so that equal sums have one form.
type total struct {
	Hi      int64  `json:"hi"`
	Lo      uint64 `json:"lo"`
	Frac    int64  `json:"frac"`
	Decimal bool   `json:"decimal"` // a decimal took part, so the sum reads as one
}

const fracUnit = 1_000_000_000_000_000_000

func totalOf(v Value) total {
	unit := pow10(v.dec)
	whole, frac := v.num/unit, v.num%unit*pow10(18-v.dec)
	if frac < 0 {
		frac += fracUnit
		whole--
	}
	return total{Hi: whole >> 63, Lo: uint64(whole), Frac: frac, Decimal: v.kind == Decimal}
}

func (s *total) add(d *total) {
	s.Frac += d.Frac // both below 10^18: no overflow
	var carry uint64
	if s.Frac >= fracUnit {
		s.Frac -= fracUnit
		carry = 1
	}
	s.Lo, carry = bits.Add64(s.Lo, d.Lo, carry)
	s.Hi += d.Hi + int64(carry)
	s.Decimal = s.Decimal || d.Decimal
}

// value is the sum as a Value: with as many of its decimal places as fit in
// 64 bits, and held at the ends of int64 where even the whole part does not.
func (s *total) value() Value {
	whole := int64(s.Lo)
	if s.Hi != whole>>63 {
		whole = math.MaxInt64
		if s.Hi < 0 {
			whole = math.MinInt64
		}
		if !s.Decimal {
			return Int(whole)
		}
		return Dec(max(whole, -math.MaxInt64), 0)
	}
	if !s.Decimal {
		return Int(whole)
	}
	frac, places := s.Frac, uint8(18)
	for places > 0 {
		if frac%10 == 0 || !fits(whole, frac, places) {
			frac /= 10
			places--
			continue
		}
		break
	}
	return Dec(max(whole, -math.MaxInt64)*pow10(places)+frac, places)
}

func fits(whole, frac int64, places uint8) bool {
	unit := pow10(places)
	most := (math.MaxInt64 - frac) / unit
	return whole <= most && whole >= -most
}
