package profile

import (
	"fmt"
	"slices"
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
	// Decay adds integers and decimals, each losing half of its weight per
	// HalfLife: an affinity. It reads as a decimal of six places.
	Decay
)

var policyNames = [...]string{"latest", "first", "trusted", "max", "min", "sum", "union", "decay"}

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
	// Name is the trait's; with an asterisk at its end, of every trait whose
	// name begins so: "likes.*". The longest that fits applies.
	Name string `json:"name"`
	// Policy picks or combines the values.
	Policy Policy `json:"policy,omitempty"`
	// Type is the only kind of value accepted; None accepts every kind that
	// the policy can use. Other values are refused, and the receipt says so.
	Type ValueKind `json:"type,omitempty"`
	// Sources ranks the sources for this trait, best first; those not listed
	// rank last. Empty takes Config.Sources.
	Sources []string `json:"sources,omitempty"`
	// HalfLife is for Decay, and required there.
	HalfLife time.Duration `json:"half_life,omitempty"`
	// TTL is for Latest and Union: a value, or a tag, is over that long after it
	// was last reported. 0 keeps it.
	TTL time.Duration `json:"ttl,omitempty"`
}

func (r TraitRule) check() error {
	bad := func(why string) error { return fmt.Errorf("%w: Traits: %s: %s", ErrConfig, r.Name, why) }
	switch {
	case r.Name == "" || len(r.Name) > maxName || checkText(r.Name) != nil:
		return fmt.Errorf("%w: Traits: a name is 1 to %d bytes of text", ErrConfig, maxName)
	case r.Policy > Decay:
		return bad("Policy is unknown")
	case r.Type > TagSet:
		return bad("Type is unknown")
	case (r.Policy == Decay) != (r.HalfLife > 0) || r.HalfLife < 0:
		return bad("HalfLife is for Decay, and above 0")
	case r.HalfLife%time.Microsecond != 0 || r.TTL%time.Microsecond != 0:
		return bad("HalfLife and TTL are whole microseconds")
	case r.TTL < 0 || r.TTL > 0 && r.Policy != Latest && r.Policy != Union:
		return bad("TTL is for Latest and Union, and above 0")
	}
	return nil
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
	half   int64 // microseconds
	ttl    int64 // microseconds; 0 for none
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
	case Decay:
		_, ok := weightOf(v)
		return ok
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
	more  *gathered // of an accumulating policy, what the value alone does not hold
	trait uint32
	src   uint32
}

// gathered is what an accumulating policy keeps beside the value.
type gathered struct {
	Total   *total   `json:"total,omitempty"`
	Weights []weight `json:"weights,omitempty"`
	Stamps  []stamp  `json:"stamps,omitempty"`
}

// candidateOf is what a policy keeps of one event.
func (t *trait) candidateOf(rec *record, f field) candidate {
	c := candidate{val: f.value, at: rec.at, rec: rec, trait: f.name, src: rec.source}
	switch {
	case t.policy == Union:
		c.val = Tags(tagsOf(f.value)...)
		if t.ttl > 0 {
			c.more = &gathered{Stamps: stampsOf(c.val, c.at)}
		}
	case t.policy == Decay:
		w, _ := weightOf(f.value)
		c.more = &gathered{Weights: []weight{t.weigh(w, c.at)}}
	}
	return c
}

// combine folds d into c and reports whether the value changed.
func (t *trait) combine(c, d *candidate, sources *sources) bool {
	before := c.val
	switch t.policy {
	case Sum:
		c.add(d)
		c.touch(d)
	case Union:
		lapsed := false
		if t.ttl > 0 {
			c.more, lapsed = t.restamp(c.more, d.more)
		}
		c.val = union(c.val, d.val)
		c.touch(d)
		return lapsed || c.val != before
	case Decay:
		c.more = &gathered{Weights: joinWeights(c.more.Weights, d.more.Weights)}
		if c.touch(d) {
			c.val = d.val // the last report's, in any order
		}
		return true
	default:
		if t.beats(d, c, sources) {
			renewed := t.ttl > 0 && d.at-c.at >= t.ttl
			*c = *d
			return renewed || c.val != before
		}
	}
	return c.val != before
}

// add is exact: in 64 bits where that is enough, else in a total.
func (c *candidate) add(d *candidate) {
	if c.more == nil && d.more == nil && c.val.kind == Integer && d.val.kind == Integer {
		if sum := c.val.num + d.val.num; (sum > c.val.num) == (d.val.num > 0) {
			c.val = Int(sum)
			return
		}
	}
	sum, more := c.sum(), d.sum()
	sum.add(&more)
	c.more = &gathered{Total: &sum}
	c.val = sum.value()
}

func (c *candidate) sum() total {
	if c.more != nil {
		return *c.more.Total
	}
	return totalOf(c.val)
}

// touch moves the provenance of an accumulating trait to the later contribution;
// false where that is its own.
func (c *candidate) touch(d *candidate) bool {
	if d.at < c.at || d.at == c.at && d.rec.id <= c.rec.id {
		return false
	}
	c.at, c.rec, c.src = d.at, d.rec, d.src
	return true
}

// equal reports whether two golden candidates of a trait read the same at all times.
func (c *candidate) equal(d *candidate) bool {
	if c.val != d.val || c.more == nil || d.more == nil {
		return c.val == d.val
	}
	return slices.Equal(c.more.Weights, d.more.Weights)
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
