package input

import (
	"fmt"
	"strconv"
	"strings"
)

// Count writes a whole number with thousands separated: 8,135.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	var b strings.Builder
	for i, c := range []byte(s) {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(c)
	}
	return sign + b.String()
}

// Cents writes an amount of minor units with two decimals: 1,428,602.81.
func Cents(n int64) string {
	whole, part, sign := n/100, n%100, ""
	if n < 0 {
		whole, part, sign = -whole, -part, "−"
	}
	return sign + Count(whole) + fmt.Sprintf(".%02d", part)
}

// Percent writes part of whole to two decimals, rounded half up: 6.62 %. It is
// a dash where whole is zero.
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "–"
	}
	q := (part*20000 + whole) / (2 * whole)
	return fmt.Sprintf("%d.%02d %%", q/100, q%100)
}
