package profile

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Policy says which value of a trait is the golden one when evidence differs.
type Policy uint8

const (
	// Latest keeps the value with the latest event time; ties go to the
	// better source, then to the greater event ID. An absent value clears the
	// trait. It is the zero Policy.
	Latest Policy = iota
	// First keeps the value with the earliest event time; ties go to the
	// better source, then to the lesser event ID.
	First
	// Trusted keeps the value of the best source, the latest of that source.
	Trusted
	// Max keeps the greatest value, as first reported.
	Max
	// Min keeps the least value, as first reported.
	Min
	// Sum adds integers and decimals, exactly; it is a counter.
	Sum
	// Union joins texts and tag sets into one tag set.
	Union
)

var policyNames = [...]string{"latest", "first", "trusted", "max", "min", "sum", "union"}

func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return "unknown"
}

// MarshalText writes the name of p.
func (p Policy) MarshalText() ([]byte, error) {
	if int(p) >= len(policyNames) {
		return nil, fmt.Errorf("%w: policy %d", ErrConfig, p)
	}
	return []byte(policyNames[p]), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *Policy) UnmarshalText(b []byte) error {
	i := slices.Index(policyNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%w: unknown policy %q", ErrConfig, b)
	}
	*p = Policy(i)
	return nil
}

// TraitRule declares how a trait is reduced to its golden value. A trait
// without a rule is Latest of any type.
type TraitRule struct {
	// Name is the trait's.
	Name string `json:"name"`
	// Policy picks or combines the values.
	Policy Policy `json:"policy,omitempty"`
	// Type is the only kind of value accepted; None accepts every kind that
	// the policy can use. Other values are refused, and the receipt says so.
	Type ValueKind `json:"type,omitempty"`
	// Sources ranks the sources for this trait, best first; those not listed
	// rank last. Empty takes Config.Sources.
	Sources []string `json:"sources,omitempty"`
}

// Trait is the golden value of a trait and where it comes from.
type Trait struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
	// Source and Event reported it, At was the time of the event; for Sum and
	// Union, the last that contributed.
	Source string    `json:"source,omitempty"`
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
}

// trait is a TraitRule made ready, under its interned number.
type trait struct {
	name   string
	policy Policy
	typ    ValueKind
	ranks  map[string]int
}

// accepts reports whether a value can take part.
func (t *trait) accepts(v Value) bool {
	if v.kind == None {
		return t.policy == Latest || t.policy == Trusted
	}
	if t.typ != None && v.kind != t.typ {
		return false
	}
	switch t.policy {
	case Sum:
		return v.kind == Integer || v.kind == Decimal
	case Union:
		return v.kind == String || v.kind == TagSet
	}
	return true
}

// candidate is what a policy keeps: of one event, of one evidence record and
// source, or of a whole profile. Candidates of a trait form a commutative
// monoid under combine, so no order of events, evidence or merges matters.
type candidate struct {
	val   Value
	at    int64
	rec   *record
	total *total // Sum only, where the value alone does not hold it
	trait uint32
	src   uint32
}

// combine folds d into c and reports whether the value changed.
func (t *trait) combine(c, d *candidate, sources *sources) bool {
	before := c.val
	switch t.policy {
	case Sum:
		c.add(d)
		c.touch(d)
	case Union:
		c.val = union(c.val, d.val)
		c.touch(d)
	default:
		if t.beats(d, c, sources) {
			*c = *d
		}
	}
	return c.val != before
}

// add is exact: in 64 bits where that is enough, else in a total.
func (c *candidate) add(d *candidate) {
	if c.total == nil && d.total == nil && c.val.kind == Integer && d.val.kind == Integer {
		if sum := c.val.num + d.val.num; (sum > c.val.num) == (d.val.num > 0) {
			c.val = Int(sum)
			return
		}
	}
	sum := c.sum()
	more := d.sum()
	sum.add(&more)
	c.total = &sum
	c.val = sum.value()
}

func (c *candidate) sum() total {
	if c.total != nil {
		return *c.total
	}
	return totalOf(c.val)
}

// touch moves the provenance of an accumulating trait to the later contribution.
func (c *candidate) touch(d *candidate) {
	if d.at > c.at || d.at == c.at && d.rec.id > c.rec.id {
		c.at, c.rec, c.src = d.at, d.rec, d.src
	}
}

// beats is the total order of the picking policies: whether d wins over c.
func (t *trait) beats(d, c *candidate, sources *sources) bool {
	switch t.policy {
	case Latest:
		if d.at != c.at {
			return d.at > c.at
		}
		if dr, cr := sources.rank(t, d.src), sources.rank(t, c.src); dr != cr {
			return dr < cr
		}
		return d.rec.id > c.rec.id
	case First:
		if d.at != c.at {
			return d.at < c.at
		}
		if dr, cr := sources.rank(t, d.src), sources.rank(t, c.src); dr != cr {
			return dr < cr
		}
		return d.rec.id < c.rec.id
	case Trusted:
		if dr, cr := sources.rank(t, d.src), sources.rank(t, c.src); dr != cr {
			return dr < cr
		}
		if d.at != c.at {
			return d.at > c.at
		}
		return d.rec.id > c.rec.id
	}
	order := compareAny(d.val, c.val)
	if order != 0 {
		return (order > 0) == (t.policy == Max)
	}
	if d.at != c.at {
		return d.at < c.at
	}
	return d.rec.id < c.rec.id
}

// compareAny orders all values: within the kinds that have a common order by
// it, else by kind. Equal numbers of two kinds are equal.
func compareAny(a, b Value) int {
	if order, ok := a.Compare(b); ok {
		return order
	}
	return compareInt(int64(a.kind), int64(b.kind))
}

func union(a, b Value) Value {
	if a == b && a.kind == TagSet {
		return a
	}
	all := append(tagsOf(a), tagsOf(b)...)
	return Tags(all...)
}

func tagsOf(v Value) []string {
	if s, ok := v.Text(); ok {
		return []string{s}
	}
	return v.Tags()
}

// sources numbers the names of sources and ranks them.
type sources struct {
	names  []string
	ids    map[string]uint32
	ranks  map[string]int
	ranked []int // by id, under the general ranking
}

func (s *sources) id(name string) uint32 {
	if id, ok := s.ids[name]; ok {
		return id
	}
	id := uint32(len(s.names))
	name = strings.Clone(name)
	s.names = append(s.names, name)
	s.ids[name] = id
	s.ranked = append(s.ranked, rankOf(s.ranks, name))
	return id
}

func rankOf(ranks map[string]int, name string) int {
	if r, ok := ranks[name]; ok {
		return r
	}
	return math.MaxInt
}

func (s *sources) rank(t *trait, id uint32) int {
	if t.ranks != nil {
		return rankOf(t.ranks, s.names[id])
	}
	return s.ranked[id]
}

func ranking(names []string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		m[n] = i
	}
	return m
}

// total is an exact sum: a 128-bit whole part and a fraction of 10^-18 units,
// 0 ≤ frac < 10^18, so that equal sums have one form.
type total struct {
	hi      int64
	lo      uint64
	frac    int64
	decimal bool // a decimal took part, so the sum reads as one
}

const fracUnit = 1_000_000_000_000_000_000

func totalOf(v Value) total {
	unit := pow10(v.dec)
	whole, frac := v.num/unit, v.num%unit*pow10(18-v.dec)
	if frac < 0 {
		frac += fracUnit
		whole--
	}
	return total{hi: whole >> 63, lo: uint64(whole), frac: frac, decimal: v.kind == Decimal}
}

func (s *total) add(d *total) {
	s.frac += d.frac // both below 10^18: no overflow
	var carry uint64
	if s.frac >= fracUnit {
		s.frac -= fracUnit
		carry = 1
	}
	s.lo, carry = bits.Add64(s.lo, d.lo, carry)
	s.hi += d.hi + int64(carry)
	s.decimal = s.decimal || d.decimal
}

// value is the sum as a Value: with as many of its decimal places as fit in
// 64 bits, and held at the ends of int64 where even the whole part does not.
func (s *total) value() Value {
	whole := int64(s.lo)
	if s.hi != whole>>63 {
		whole = math.MaxInt64
		if s.hi < 0 {
			whole = math.MinInt64
		}
		if !s.decimal {
			return Int(whole)
		}
		return Dec(max(whole, -math.MaxInt64), 0)
	}
	if !s.decimal {
		return Int(whole)
	}
	frac, places := s.frac, uint8(18)
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
