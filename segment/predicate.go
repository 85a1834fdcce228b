package segment

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/profile"
)

// predicate is a test of one value, free of time. A missing value fails every
// test but missing; a value that cannot be compared fails too.
type predicate struct {
	op     predicateOp
	values []profile.Value // equal, tagged: any of these
	lo, hi bound           // within
}

type predicateOp uint8

const (
	opExists predicateOp = iota + 1
	opMissing
	opEqual
	opTagged
	opRange
)

// bound is one end of a range; the zero bound is open.
type bound struct {
	value  profile.Value
	strict bool
}

func (p predicate) holds(v profile.Value) bool {
	switch p.op {
	case opExists:
		return !v.IsZero()
	case opMissing:
		return v.IsZero()
	case opEqual:
		for _, w := range p.values {
			if equal(v, w) {
				return true
			}
		}
	case opTagged:
		for _, w := range p.values {
			if tag, _ := w.Text(); v.HasTag(tag) {
				return true
			}
		}
	case opRange:
		return p.lo.below(v) && p.hi.above(v)
	}
	return false
}

// below reports whether the bound, as a lower one, admits v.
func (b bound) below(v profile.Value) bool {
	if b.value.IsZero() {
		return !v.IsZero()
	}
	order, ok := v.Compare(b.value)
	return ok && (order > 0 || order == 0 && !b.strict)
}

// above reports whether the bound, as an upper one, admits v.
func (b bound) above(v profile.Value) bool {
	if b.value.IsZero() {
		return !v.IsZero()
	}
	order, ok := v.Compare(b.value)
	return ok && (order < 0 || order == 0 && !b.strict)
}

// equal compares numbers by what they are worth and all else by content.
func equal(a, b profile.Value) bool {
	if a == b {
		return true
	}
	if !numeric(a) || !numeric(b) {
		return false
	}
	order, ok := a.Compare(b)
	return ok && order == 0
}

func numeric(v profile.Value) bool {
	return v.Kind() == profile.Integer || v.Kind() == profile.Decimal
}

// check reports what is wrong with the predicate, with the path to it.
func (p predicate) check(path string) error {
	wrong := func(at, what string) error { return fmt.Errorf("%w: %s%s: %s", ErrRule, path, at, what) }
	switch p.op {
	case opExists, opMissing:
		return nil
	case opEqual, opTagged:
		word := ".is"
		if p.op == opTagged {
			word = ".has"
		}
		if len(p.values) == 0 {
			return wrong(word, "nothing to compare with")
		}
		if slices.ContainsFunc(p.values, profile.Value.IsZero) {
			return wrong(word, "a comparison with no value")
		}
		return nil
	case opRange:
		lo, hi := p.lo.value, p.hi.value
		if lo.IsZero() && hi.IsZero() {
			return wrong("", "a range without a bound")
		}
		for _, v := range []profile.Value{lo, hi} {
			if k := v.Kind(); k == profile.Bool || k == profile.TagSet {
				return wrong("", "flags and tags have no order")
			}
		}
		if !lo.IsZero() && !hi.IsZero() {
			if order, ok := lo.Compare(hi); !ok || order > 0 {
				return wrong("", "a range that ends before it begins or mixes kinds")
			}
		}
		return nil
	}
	return wrong("", "no test")
}

// String says the test as in "at least 3".
func (p predicate) String() string {
	switch p.op {
	case opExists:
		return "known"
	case opMissing:
		return "unknown"
	case opEqual:
		return "is " + listText(p.values)
	case opTagged:
		return "has " + listText(p.values)
	case opRange:
		lo, hi := p.lo, p.hi
		switch {
		case !lo.value.IsZero() && !hi.value.IsZero() && !lo.strict && !hi.strict && lo.value == hi.value:
			return "exactly " + lo.value.String()
		case !lo.value.IsZero() && !hi.value.IsZero() && !lo.strict && !hi.strict:
			return "from " + lo.value.String() + " to " + hi.value.String()
		}
		var parts []string
		if !lo.value.IsZero() {
			word := "at least "
			if lo.strict {
				word = "above "
			}
			parts = append(parts, word+lo.value.String())
		}
		if !hi.value.IsZero() {
			word := "at most "
			if hi.strict {
				word = "below "
			}
			parts = append(parts, word+hi.value.String())
		}
		return strings.Join(parts, " and ")
	}
	return "?"
}

func listText(values []profile.Value) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, " or ")
}

// distinctValues orders values so that equal predicates look equal.
func distinctValues(values []profile.Value) []profile.Value {
	out := slices.Clone(values)
	slices.SortStableFunc(out, func(a, b profile.Value) int {
		if a.Kind() != b.Kind() {
			return int(a.Kind()) - int(b.Kind())
		}
		order, _ := a.Compare(b)
		return order
	})
	return slices.Compact(out)
}
