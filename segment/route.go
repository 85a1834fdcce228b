package segment

import (
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// routes tells which columns an event, or which leaves the change of a trait,
// concerns. Those that ask for certain values are found by the value, so that
// what asks for others costs nothing. T is compared by identity.
type routes[T comparable] struct {
	// always are those that any value may concern.
	always []T
	byName []namedRoutes[T]
}

// namedRoutes are those that ask for values or tags of one property.
type namedRoutes[T comparable] struct {
	property string
	values   map[profile.Value][]T
	tags     map[string][]T
}

// address is what a route asks for; without a property it is everything.
type address struct {
	property string
	tagged   bool
	values   []profile.Value
}

// addressOf finds a test that whatever passes the filter passes, and that asks
// for certain values.
func addressOf(filter *node) (a address) {
	if filter == nil {
		return a
	}
	switch filter.kind {
	case nodeAttr:
		if filter.pred.op == opEqual || filter.pred.op == opTagged {
			return address{filter.attr, filter.pred.op == opTagged, filter.pred.values}
		}
	case nodeAll:
		for _, k := range filter.kids {
			b := addressOf(k)
			if b.property != "" && (a.property == "" || len(b.values) < len(a.values)) {
				a = b
			}
		}
	}
	return a
}

func (r *routes[T]) add(a address, x T) {
	if a.property == "" {
		r.always = append(r.always, x)
		return
	}
	i := slices.IndexFunc(r.byName, func(n namedRoutes[T]) bool { return n.property == a.property })
	if i < 0 {
		i = len(r.byName)
		r.byName = append(r.byName, namedRoutes[T]{a.property, map[profile.Value][]T{}, map[string][]T{}})
	}
	n := &r.byName[i]
	for _, v := range a.values {
		if a.tagged {
			tag, _ := v.Text()
			n.tags[tag] = append(n.tags[tag], x)
		} else if v = plainNumber(v); !slices.Contains(n.values[v], x) {
			n.values[v] = append(n.values[v], x)
		}
	}
}

func (r *routes[T]) remove(a address, x T) {
	without := func(of []T) []T { return slices.DeleteFunc(of, func(y T) bool { return y == x }) }
	r.always = without(r.always)
	r.byName = slices.DeleteFunc(r.byName, func(n namedRoutes[T]) bool {
		if n.property != a.property {
			return false
		}
		for _, v := range a.values {
			tag, _ := v.Text()
			v = plainNumber(v)
			if n.tags[tag] = without(n.tags[tag]); len(n.tags[tag]) == 0 {
				delete(n.tags, tag)
			}
			if n.values[v] = without(n.values[v]); len(n.values[v]) == 0 {
				delete(n.values, v)
			}
		}
		return len(n.values)+len(n.tags) == 0
	})
}

func (r *routes[T]) empty() bool { return len(r.always)+len(r.byName) == 0 }

// each calls f for those that the properties may concern, each once. A property
// that is a number is given as a plain one.
func (r *routes[T]) each(property func(name string) profile.Value, f func(T)) {
	for _, x := range r.always {
		f(x)
	}
	for i := range r.byName {
		n := &r.byName[i]
		n.each(property(n.property), f)
	}
}

// each calls f for those that a value concerns, each once.
func (n *namedRoutes[T]) each(v profile.Value, f func(T)) {
	if v.IsZero() {
		return
	}
	for _, x := range n.values[v] {
		f(x)
	}
	if len(n.tags) == 0 || v.Kind() != profile.TagSet {
		return
	}
	var several []T
	for _, tag := range v.Tags() {
		for _, x := range n.tags[tag] {
			if !slices.Contains(several, x) {
				several = append(several, x)
				f(x)
			}
		}
	}
}
