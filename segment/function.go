package segment

import (
	"fmt"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// Deps declares all that a function of the caller's reads. The engine calls
// the function again when any of it changes, at the instant at which it does.
type Deps struct {
	// Attrs are names of traits.
	Attrs []string
	// Measures are computed values, under the name by which the function asks.
	Measures map[string]Measure
	// Segments are names of segments, defined before.
	Segments []string
}

// Func is a test in Go. The function must be pure: it decides by what it reads
// from the [Customer] alone, keeps nothing, and may be called concurrently.
// What is not declared in deps reads as missing. The name stands for the
// function in JSON, plans and the hash of a definition; a function that is
// changed gets a new name ("churn-risk/2").
func Func(name string, deps Deps, f func(Customer) bool) Rule {
	fn := &goFunc{name: name, deps: deps, call: f}
	fn.attrs = slices.Clone(deps.Attrs)
	for name := range deps.Measures {
		fn.measures = append(fn.measures, name)
	}
	slices.Sort(fn.measures)
	return Rule{&node{kind: nodeFunc, fn: fn}}
}

type goFunc struct {
	name     string
	deps     Deps
	attrs    []string
	measures []string // sorted names of deps.Measures
	call     func(Customer) bool
}

func (f *goFunc) check(path string) error {
	switch {
	case f == nil || f.name == "":
		return fmt.Errorf("%w: %s: a function needs a name", ErrRule, path)
	case f.call == nil:
		return fmt.Errorf("%w: %s: function %s is nil", ErrRule, path, f.name)
	}
	for _, a := range f.deps.Attrs {
		if a == "" {
			return fmt.Errorf("%w: %s: function %s: an attribute needs a name", ErrRule, path, f.name)
		}
	}
	for _, name := range f.measures {
		if err := f.deps.Measures[name].check(path + ".measures." + name); err != nil {
			return err
		}
	}
	for _, s := range f.deps.Segments {
		if s == "" {
			return fmt.Errorf("%w: %s: function %s: a segment needs a name", ErrRule, path, f.name)
		}
	}
	return nil
}

// Customer is what a function of the caller's sees of one customer at one
// instant. It must not be kept after the call.
type Customer struct{ c *customer }

// customer is what stands behind a Customer. Who asks about many sets up one
// for all of them, and changes the number.
type customer struct {
	fn   *goFunc
	read customerReader
	note *[]Reading // what is read, where somebody wants to know
	// lanes are the declared attributes by position, where many are asked
	// about; d is then the customer's number.
	lanes []attrLanes
	d     uint32
}

// Reading is something that a function read of a customer.
type Reading struct {
	// Name is that of the attribute, measure or segment.
	Name string
	// Value is what it read; of a segment a flag.
	Value profile.Value
	// Undeclared says that it is not among the function's [Deps]: it then
	// reads as missing, and no change of it is noticed.
	Undeclared bool
}

func (c Customer) noted(name string, v profile.Value, declared bool) profile.Value {
	if note := c.c.note; note != nil {
		if r := (Reading{name, v, !declared}); !slices.Contains(*note, r) {
			*note = append(*note, r)
		}
	}
	return v
}

// customerReader gives the declared dependencies by their position.
type customerReader interface {
	key() profile.ID
	funcAttr(i int) profile.Value
	funcMeasure(i int) profile.Value
	funcSegment(i int) bool
}

// ID is the customer's key.
func (c Customer) ID() profile.ID { return c.c.read.key() }

// Attr is a declared attribute, the zero Value where it is missing.
func (c Customer) Attr(name string) profile.Value {
	d := c.c.d
	for i := range c.c.lanes {
		l := &c.c.lanes[i]
		if l.name != name {
			continue
		}
		if l.have == d&^63 && l.whole>>(d&63)&1 == 1 {
			return profile.Int(l.numbers[d&63]) // the common case, without a call
		}
		return l.get(d)
	}
	if i := slices.Index(c.c.fn.attrs, name); i >= 0 {
		return c.noted(name, c.c.read.funcAttr(i), true)
	}
	return c.noted(name, profile.Value{}, false)
}

// Measure is a declared measure. One that is of nothing is the zero Value,
// except that counts and sums are 0.
func (c Customer) Measure(name string) profile.Value {
	for i, m := range c.c.fn.measures {
		if m == name {
			return c.noted(name, c.c.read.funcMeasure(i), true)
		}
	}
	return c.noted(name, profile.Value{}, false)
}

// In reports whether the customer is in a declared segment.
func (c Customer) In(segment string) bool {
	for i, s := range c.c.fn.deps.Segments {
		if s == segment {
			in := c.c.read.funcSegment(i)
			c.noted(segment, profile.Flag(in), true)
			return in
		}
	}
	c.noted(segment, profile.Value{}, false)
	return false
}
