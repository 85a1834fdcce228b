package intake

import (
	"errors"
	"math"
	"strings"

	"github.com/cxkit/cxkit/profile"
)

var (
	errNumber = errors.New("is not a number of the form that the mapping says")
	errRange  = errors.New("is a number out of range")
	errPlaces = errors.New("has more decimals than the mapping says")
)

// numerals is how numbers are written.
type numerals struct {
	point, thousands string
}

// digits reads a number as its digits without the point, and how many of them
// come after it. Trailing zeros after the point do not count.
func (n numerals) digits(s string) (unscaled int64, places int, err error) {
	negative := false
	switch {
	case strings.HasPrefix(s, "-"):
		negative, s = true, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	whole, fraction, _ := strings.Cut(s, n.point)
	if n.thousands != "" && strings.Contains(whole, n.thousands) {
		groups := strings.Split(whole, n.thousands)
		if len(groups[0]) == 0 || len(groups[0]) > 3 {
			return 0, 0, errNumber
		}
		for _, g := range groups[1:] {
			if len(g) != 3 {
				return 0, 0, errNumber
			}
		}
		whole = strings.Join(groups, "")
	}
	if whole == "" || strings.HasSuffix(s, n.point) {
		return 0, 0, errNumber
	}
	fraction = strings.TrimRight(fraction, "0")
	for _, d := range []byte(whole + fraction) {
		if d < '0' || d > '9' {
			return 0, 0, errNumber
		}
		if unscaled > (math.MaxInt64-int64(d-'0'))/10 {
			return 0, 0, errRange
		}
		unscaled = unscaled*10 + int64(d-'0')
	}
	if negative {
		unscaled = -unscaled
	}
	return unscaled, len(fraction), nil
}

// money reads an amount into minor units of so many places, exactly.
func (n numerals) money(s string, places int) (int64, error) {
	amount, has, err := n.digits(s)
	if err != nil {
		return 0, err
	}
	if has > places {
		return 0, errPlaces
	}
	for range places - has {
		if amount > math.MaxInt64/10 || amount < -math.MaxInt64/10 {
			return 0, errRange
		}
		amount *= 10
	}
	return amount, nil
}

func (n numerals) integer(s string) (int64, error) { return n.money(s, 0) }

func (n numerals) decimal(s string) (profile.Value, error) {
	unscaled, places, err := n.digits(s)
	if err == nil && places > 18 {
		err = errPlaces
	}
	if err != nil {
		return profile.Value{}, err
	}
	return profile.Dec(unscaled, uint8(places)), nil
}
