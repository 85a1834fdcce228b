package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cxkit/cxkit/profile"
)

// Cond is a condition on the event at hand, the instance and the customer. A
// field that is absent satisfies no comparison. The zero Cond is always true.
type Cond struct {
	op    condOp
	field Field
	name  string // audience or function
	value profile.Value
	list  []profile.Value
	subs  []Cond
}

type condOp uint8

const (
	opAlways condOp = iota
	opAll
	opAny
	opNot
	opIn
	opFunc
	opExists
	opIs
	opOneOf
	opLess
	opAtMost
	opAtLeast
	opMore
	opHas
)

var opNames = [...]string{"always", "all", "any", "not", "in", "func", "exists", "is", "one_of", "less", "at_most", "at_least", "more", "has"}

// All is true where each of the conditions is.
func All(conds ...Cond) Cond { return Cond{op: opAll, subs: conds} }

// Any is true where at least one of the conditions is.
func Any(conds ...Cond) Cond { return Cond{op: opAny, subs: conds} }

// Not is true where the condition is not.
func Not(c Cond) Cond { return Cond{op: opNot, subs: []Cond{c}} }

// In is true where the customer belongs to the audience at the time of the
// step; see [Config].Audiences.
func In(audience string) Cond { return Cond{op: opIn, name: audience} }

// Func is true where the function registered under the name says so; see
// [Config].Checks.
func Func(name string) Cond { return Cond{op: opFunc, name: name} }

// Exists is true where the field has a value.
func (f Field) Exists() Cond { return Cond{op: opExists, field: f} }

// Is is true where the field is this text.
func (f Field) Is(s string) Cond { return f.Equals(profile.Text(s)) }

// Equals is true where the field has this value.
func (f Field) Equals(v profile.Value) Cond { return Cond{op: opIs, field: f, value: v} }

// OneOf is true where the field is one of these texts.
func (f Field) OneOf(texts ...string) Cond {
	c := Cond{op: opOneOf, field: f}
	for _, s := range texts {
		c.list = append(c.list, profile.Text(s))
	}
	return c
}

// Has is true where the field is a set of tags that holds this one.
func (f Field) Has(tag string) Cond { return Cond{op: opHas, field: f, value: profile.Text(tag)} }

// Less is true where the field is below the value.
func (f Field) Less(v profile.Value) Cond { return Cond{op: opLess, field: f, value: v} }

// AtMost is true where the field is a number of at most n.
func (f Field) AtMost(n int64) Cond { return Cond{op: opAtMost, field: f, value: profile.Int(n)} }

// AtLeast is true where the field is a number of at least n.
func (f Field) AtLeast(n int64) Cond { return Cond{op: opAtLeast, field: f, value: profile.Int(n)} }

// More is true where the field is above the value.
func (f Field) More(v profile.Value) Cond { return Cond{op: opMore, field: f, value: v} }

// holds evaluates the condition. It fails only on a fact that it needs and the
// input does not carry.
func (c *Cond) holds(in *Instance, x *Input) (bool, error) {
	switch c.op {
	case opLess, opAtMost, opAtLeast, opMore: // that is most of them
		order, ok := c.field.of(in, x).Compare(c.value)
		return ok && (order < 0 && c.op <= opAtMost || order > 0 && c.op >= opAtLeast || order == 0 && (c.op == opAtMost || c.op == opAtLeast)), nil
	case opExists, opIs, opOneOf, opHas:
		return c.compare(c.field.of(in, x)), nil
	}
	switch c.op {
	case opAll:
		for i := range c.subs {
			if ok, err := c.subs[i].holds(in, x); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case opAny:
		for i := range c.subs {
			if ok, err := c.subs[i].holds(in, x); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case opNot:
		ok, err := c.subs[0].holds(in, x)
		return !ok, err
	case opIn:
		ok, known := x.Facts.Audiences[c.name]
		if !known {
			return false, fmt.Errorf("%w: audience %q", ErrFact, c.name)
		}
		return ok, nil
	case opFunc:
		ok, known := x.Facts.Checks[c.name]
		if !known {
			return false, fmt.Errorf("%w: check %q", ErrFact, c.name)
		}
		return ok, nil
	}
	return true, nil // opAlways
}

func (c *Cond) compare(v profile.Value) bool {
	switch c.op {
	case opExists:
		return !v.IsZero()
	case opIs:
		return v == c.value || equal(v, c.value)
	case opOneOf:
		for _, w := range c.list {
			if v == w {
				return true
			}
		}
		return false
	case opHas:
		tag, _ := c.value.Text()
		return v.HasTag(tag)
	}
	return false
}

// equal is true for an integer and a decimal of the same size.
func equal(v, w profile.Value) bool {
	order, ok := v.Compare(w)
	return ok && order == 0
}

// String is the condition as a diagram shows it: "prop.channel is till".
func (c Cond) String() string {
	switch c.op {
	case opAlways:
		return "always"
	case opAll, opAny:
		words := map[condOp]string{opAll: " and ", opAny: " or "}
		parts := make([]string, len(c.subs))
		for i, s := range c.subs {
			if parts[i] = s.String(); len(s.subs) > 1 {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, words[c.op])
	case opNot:
		return "not " + c.subs[0].String()
	case opIn:
		return "in " + c.name
	case opFunc:
		return c.name
	case opExists:
		return c.field.String() + " is known"
	case opIs:
		return c.field.String() + " is " + c.value.String()
	case opOneOf:
		parts := make([]string, len(c.list))
		for i, v := range c.list {
			parts[i] = v.String()
		}
		return c.field.String() + " is " + strings.Join(parts, " or ")
	case opHas:
		return c.field.String() + " has " + c.value.String()
	}
	signs := map[condOp]string{opLess: " < ", opAtMost: " ≤ ", opAtLeast: " ≥ ", opMore: " > "}
	return c.field.String() + signs[c.op] + c.value.String()
}

// walk visits the condition and all below it.
func (c *Cond) walk(visit func(*Cond)) {
	visit(c)
	for i := range c.subs {
		c.subs[i].walk(visit)
	}
}

type condJSON struct {
	Op    string          `json:"op"`
	Field *Field          `json:"field,omitempty"`
	Name  string          `json:"name,omitempty"`
	Value *profile.Value  `json:"value,omitempty"`
	List  []profile.Value `json:"list,omitempty"`
	Of    []Cond          `json:"of,omitempty"`
}

// MarshalJSON writes {"op":"is","field":{"prop":"channel"},"value":"till"}.
func (c Cond) MarshalJSON() ([]byte, error) {
	out := condJSON{Op: opNames[c.op], Name: c.name, List: c.list, Of: c.subs}
	if c.field.source != 0 {
		out.Field = &c.field
	}
	if !c.value.IsZero() {
		out.Value = &c.value
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses a condition that is
// not complete.
func (c *Cond) UnmarshalJSON(b []byte) error {
	var in condJSON
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("%w: condition: %v", ErrDefinition, err)
	}
	out := Cond{name: in.Name, list: in.List, subs: in.Of}
	found := false
	for i, name := range opNames {
		if name == in.Op {
			out.op, found = condOp(i), true
		}
	}
	if !found {
		return fmt.Errorf("%w: unknown condition %q", ErrDefinition, in.Op)
	}
	if in.Field != nil {
		out.field = *in.Field
	}
	if in.Value != nil {
		out.value = *in.Value
	}
	if err := out.check(); err != nil {
		return err
	}
	*c = out
	return nil
}

// check refuses a condition that cannot be evaluated.
func (c *Cond) check() error {
	bad := func(what string) error { return fmt.Errorf("%w: condition %q: %s", ErrDefinition, opNames[c.op], what) }
	switch c.op {
	case opAlways:
	case opAll, opAny:
		if len(c.subs) == 0 {
			return bad("of nothing")
		}
	case opNot:
		if len(c.subs) != 1 {
			return bad("takes one condition")
		}
	case opIn, opFunc:
		if c.name == "" {
			return bad("has no name")
		}
	default:
		if c.field.source == 0 {
			return bad("has no field")
		}
		if c.op == opOneOf && len(c.list) == 0 {
			return bad("of nothing")
		}
		if c.op != opExists && c.op != opOneOf && c.value.IsZero() {
			return bad("has no value")
		}
	}
	for i := range c.subs {
		if err := c.subs[i].check(); err != nil {
			return err
		}
	}
	return nil
}
