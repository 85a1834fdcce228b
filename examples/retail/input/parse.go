package input

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrMoney reports text that is no amount: digits, and at most two after a point.
var ErrMoney = errors.New("input: not an amount with at most two decimals")

// ParseCents reads "141", "141.4" or "141.46" as 14100, 14140 and 14146. Signs,
// exponents, separators and a third decimal are errors that match [ErrMoney];
// there is no float on the way.
func ParseCents(s string) (int64, error) {
	whole, frac, point := strings.Cut(s, ".")
	if whole == "" || point && (frac == "" || len(frac) > 2) || !digits(whole) || !digits(frac) {
		return 0, ErrMoney
	}
	n, err := strconv.ParseInt(whole+frac+"00"[len(frac):], 10, 64)
	if err != nil {
		return 0, ErrMoney
	}
	return n, nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// ParseLocal reads a wall time in the given layout as an instant in loc. A wall
// time that the zone skips (the clock went forward over it) moves forward by
// what was skipped; one that occurs twice means its first occurrence.
func ParseLocal(layout, s string, loc *time.Location) (time.Time, error) {
	wall, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time like %q", s, layout)
	}
	before, after := offset(wall.Add(-24*time.Hour), loc), offset(wall.Add(24*time.Hour), loc)
	first := wall.Add(-before).In(loc)
	if offset(first, loc) == before {
		return first, nil
	}
	if second := wall.Add(-after).In(loc); offset(second, loc) == after {
		return second, nil
	}
	return first, nil
}

func offset(t time.Time, loc *time.Location) time.Duration {
	_, seconds := t.In(loc).Zone()
	return time.Duration(seconds) * time.Second
}
