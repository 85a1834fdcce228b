package loyalty

import (
	"math"
	"math/bits"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Unit names what is counted: "points", "qualifying", "stamps",
// "credit/CNY". Amounts of a unit are whole numbers of its smallest part.
type Unit string

// Points is the unit of a command that names none.
const Points Unit = "points"

// MaxKeyBytes is the greatest length in bytes of an opaque key: of a command,
// account, order, line, rule, reason or actor.
const MaxKeyBytes = 128

// MaxAmount is the greatest amount of one command, 2^52: sums of two thousand
// of them still fit an int64.
const MaxAmount = 1 << 52

// Forever is the instant of what never happens: a lot that is usable from
// Forever is pending until [Vest] says otherwise.
var Forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// checkKey refuses what is not an opaque key. White space is refused so that
// free text, and with it personal data, cannot end up in an append-only ledger.
func checkKey(field, s string) error {
	switch {
	case s == "":
		return invalid("%s is empty", field)
	case len(s) > MaxKeyBytes:
		return invalid("%s has %d bytes, at most %d are allowed", field, len(s), MaxKeyBytes)
	}
	ascii := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return invalid("%s has white space or control characters", field)
		} else if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return invalid("%s is not UTF-8", field)
	}
	if strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return invalid("%s has white space or control characters", field)
	}
	return nil
}

func checkOptional(field, s string) error {
	if s == "" {
		return nil
	}
	return checkKey(field, s)
}

// checkCommandKey also refuses the prefix that the ledger keeps for the keys of
// what it writes on its own account.
func checkCommandKey(s string) error {
	if strings.HasPrefix(s, ownKeyPrefix) {
		return invalid("Key must not begin with %q", ownKeyPrefix)
	}
	return checkKey("Key", s)
}

const ownKeyPrefix = "~"

func checkAmount(field string, n int64) error {
	if n <= 0 || n > MaxAmount {
		return invalid("%s must be from 1 to %d", field, int64(MaxAmount))
	}
	return nil
}

var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

func checkTime(field string, t time.Time) error {
	if t.Before(earliest) || t.After(latest) {
		return invalid("%s is outside the years 1 to 9999", field)
	}
	return nil
}

// instant is t as every store keeps it: UTC, at the microsecond.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func add(a, b int64) (int64, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, ErrOverflow
	}
	return a + b, nil
}

// share is floor(n × part / whole) with a 128-bit product, for 0 ≤ part ≤ whole.
func share(n, part, whole int64) int64 {
	if part >= whole {
		return n
	}
	hi, lo := bits.Mul64(uint64(n), uint64(part))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return int64(q)
}
