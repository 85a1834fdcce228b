package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrValue reports a value that cannot be represented: text with a NUL byte or
// invalid UTF-8, a decimal of more than 18 places, a time outside the years 1 to 9999.
var ErrValue = errors.New("profile: value cannot be represented")

// ValueKind says what a [Value] holds.
type ValueKind uint8

// The kinds of value. The zero Value is of kind None and stands for "absent".
const (
	None    ValueKind = iota
	String            // UTF-8 text
	Integer           // int64; money is an integer of minor units
	Decimal           // an integer times a power of ten
	Bool              // a flag
	Instant           // a point in time, at the microsecond
	TagSet            // a set of texts
)

var valueKindNames = [...]string{"none", "string", "integer", "decimal", "bool", "instant", "tags"}

func (k ValueKind) String() string {
	if int(k) < len(valueKindNames) {
		return valueKindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText writes the name of k.
func (k ValueKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *ValueKind) UnmarshalText(b []byte) error {
	i := slices.Index(valueKindNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%w: unknown kind of value", ErrValue)
	}
	*k = ValueKind(i)
	return nil
}

// Value is a typed trait or property. It is a small comparable struct: values
// of equal kind and content are ==, may be map keys and cost no allocation to
// compare. There are no floats, because sums of floats depend on their order.
type Value struct {
	text string // String; TagSet: sorted tags, each followed by NUL
	num  int64  // Integer, Bool (0 or 1), Instant (Unix microseconds), Decimal (unscaled)
	kind ValueKind
	dec  uint8 // Decimal: digits after the point, trailing zeros removed
}

// Values maps the names of traits or properties to what they hold.
type Values map[string]Value

// Text is a value of kind String.
func Text(s string) Value { return Value{kind: String, text: s} }

// Int is a value of kind Integer.
func Int(n int64) Value { return Value{kind: Integer, num: n} }

// Flag is a value of kind Bool.
func Flag(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// Time is a value of kind Instant, truncated to the microsecond.
func Time(t time.Time) Value { return Value{kind: Instant, num: t.UnixMicro()} }

// Dec is the decimal unscaled × 10^-places; Dec(1250, 2) is 12.5. Equal numbers
// are equal values whatever the places. More than 18 places yield the zero Value.
func Dec(unscaled int64, places uint8) Value {
	if places > 18 {
		return Value{}
	}
	for places > 0 && unscaled%10 == 0 {
		unscaled /= 10
		places--
	}
	return Value{kind: Decimal, num: unscaled, dec: places}
}

// Tags is a value of kind TagSet: the distinct tags, in byte order.
func Tags(tags ...string) Value {
	sorted := slices.Compact(slices.Sorted(slices.Values(tags)))
	var b strings.Builder
	for _, t := range sorted {
		b.WriteString(t)
		b.WriteByte(0)
	}
	return Value{kind: TagSet, text: b.String()}
}

// Kind says what the value holds; None for the zero Value.
func (v Value) Kind() ValueKind { return v.kind }

// IsZero reports whether v is the zero Value, "absent".
func (v Value) IsZero() bool { return v == Value{} }

// Text returns the text of a String; ok is false for every other kind.
func (v Value) Text() (s string, ok bool) { return v.text, v.kind == String }

// Int returns the number of an Integer; ok is false for every other kind.
func (v Value) Int() (n int64, ok bool) { return v.num, v.kind == Integer }

// Flag returns the truth of a Bool; ok is false for every other kind.
func (v Value) Flag() (b, ok bool) { return v.num == 1, v.kind == Bool }

// Time returns the instant of an Instant in UTC; ok is false for every other kind.
func (v Value) Time() (t time.Time, ok bool) {
	if v.kind != Instant {
		return time.Time{}, false
	}
	return time.UnixMicro(v.num).UTC(), true
}

// Dec returns the unscaled number and the places of a Decimal, or of an
// Integer with no places; ok is false for every other kind.
func (v Value) Dec() (unscaled int64, places uint8, ok bool) {
	return v.num, v.dec, v.kind == Decimal || v.kind == Integer
}

// Tags returns the tags of a TagSet in byte order; nil for every other kind.
func (v Value) Tags() []string {
	if v.kind != TagSet || v.text == "" {
		return nil
	}
	return strings.Split(v.text[:len(v.text)-1], "\x00")
}

// HasTag reports whether v is a TagSet that holds tag. It does not allocate.
func (v Value) HasTag(tag string) bool {
	if v.kind != TagSet {
		return false
	}
	for rest := v.text; rest != ""; {
		t, after, _ := strings.Cut(rest, "\x00")
		if t == tag {
			return true
		}
		rest = after
	}
	return false
}

// Compare orders two values: −1, 0 or +1. ok is false where the kinds have no
// common order; integers and decimals have one.
func (v Value) Compare(w Value) (order int, ok bool) {
	switch {
	case v.kind == w.kind && (v.kind == String || v.kind == TagSet):
		return strings.Compare(v.text, w.text), true
	case v.kind == w.kind && v.kind != Decimal && v.kind != None:
		return compareInt(v.num, w.num), true
	case (v.kind == Integer || v.kind == Decimal) && (w.kind == Integer || w.kind == Decimal):
		return compareDecimal(v.num, v.dec, w.num, w.dec), true
	}
	return 0, false
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// compareDecimal compares whole parts first, then the fractions brought to
// the same number of places, which cannot overflow below 10^18.
func compareDecimal(a int64, ap uint8, b int64, bp uint8) int {
	pa, pb := pow10(ap), pow10(bp)
	if c := compareInt(a/pa, b/pb); c != 0 {
		return c
	}
	fa, fb := a%pa, b%pb
	if ap < bp {
		fa *= pow10(bp - ap)
	} else {
		fb *= pow10(ap - bp)
	}
	return compareInt(fa, fb)
}

func pow10(n uint8) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// String writes the value for people: "gold", "12.5", "true",
// "2026-03-01T10:00:00Z", "a, b"; "" for the zero Value.
func (v Value) String() string {
	switch v.kind {
	case String:
		return v.text
	case Integer:
		return strconv.FormatInt(v.num, 10)
	case Decimal:
		return formatDecimal(v.num, v.dec)
	case Bool:
		return strconv.FormatBool(v.num == 1)
	case Instant:
		return time.UnixMicro(v.num).UTC().Format(time.RFC3339Nano)
	case TagSet:
		return strings.Join(v.Tags(), ", ")
	}
	return ""
}

func formatDecimal(n int64, places uint8) string {
	if places == 0 {
		return strconv.FormatInt(n, 10)
	}
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "-", -uint64(n)
	}
	s := strconv.FormatUint(abs, 10)
	if pad := int(places) + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	point := len(s) - int(places)
	return sign + s[:point] + "." + s[point:]
}

func parseDecimal(s string) (Value, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil || len(frac) > 18 || strings.ContainsAny(frac, "+-") {
		return Value{}, false
	}
	return Dec(n, uint8(len(frac))), true
}

// MarshalJSON writes text, integers and flags as JSON's own types, tags as an
// array, and the rest as {"decimal":"12.5"} and {"time":"2026-03-01T10:00:00Z"}.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case None:
		return []byte("null"), nil
	case String:
		return json.Marshal(v.text)
	case TagSet:
		tags := v.Tags()
		if tags == nil {
			tags = []string{}
		}
		return json.Marshal(tags)
	case Decimal:
		return json.Marshal(map[string]string{"decimal": v.String()})
	case Instant:
		return json.Marshal(map[string]string{"time": v.String()})
	}
	return []byte(v.String()), nil
}

// UnmarshalJSON reads what MarshalJSON writes; a number with a fraction becomes
// a Decimal. A number that fits neither form is an error that matches [ErrValue].
func (v *Value) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	var x any
	if err := dec.Decode(&x); err != nil {
		return err
	}
	switch x := x.(type) {
	case nil:
		*v = Value{}
		return nil
	case string:
		*v = Text(x)
		return nil
	case bool:
		*v = Flag(x)
		return nil
	case json.Number:
		if n, err := x.Int64(); err == nil {
			*v = Int(n)
			return nil
		}
		if d, ok := parseDecimal(x.String()); ok {
			*v = d
			return nil
		}
	case []any:
		tags := make([]string, len(x))
		for i, e := range x {
			s, ok := e.(string)
			if !ok || strings.Contains(s, "\x00") {
				return fmt.Errorf("%w: a tag must be text without NUL", ErrValue)
			}
			tags[i] = s
		}
		*v = Tags(tags...)
		return nil
	case map[string]any:
		if s, ok := x["decimal"].(string); ok && len(x) == 1 {
			if d, ok := parseDecimal(s); ok {
				*v = d
				return nil
			}
		}
		if s, ok := x["time"].(string); ok && len(x) == 1 {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				*v = Time(t)
				return nil
			}
		}
	}
	return fmt.Errorf("%w: JSON of an unknown form", ErrValue)
}

// minInstant and maxInstant bound the times that JSON and SQL can carry.
var (
	minInstant = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxInstant = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
)

func (v Value) check() error {
	switch v.kind {
	case String:
		return checkText(v.text)
	case TagSet:
		return checkText(strings.ReplaceAll(v.text, "\x00", ""))
	case Instant:
		if v.num < minInstant || v.num > maxInstant {
			return fmt.Errorf("%w: time outside the years 1 to 9999", ErrValue)
		}
	case Decimal:
		if v.num == math.MinInt64 {
			return fmt.Errorf("%w: decimal out of range", ErrValue)
		}
	}
	return nil
}
