package segment

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Behavior is something that customers do: events of a name or orders, with
// filters, in a [Window]. Its methods return a changed copy.
type Behavior struct {
	source source
	event  string
	where  *node // nil for no filter
	window Window
}

type source uint8

const (
	sourceEvents source = iota + 1
	sourceOrders
	sourceNetOrders
	sourceRelations // what events report of relations
)

// ofOrders reports whether facts come of folded orders, else of single events.
func (s source) ofOrders() bool { return s == sourceOrders || s == sourceNetOrders }

// Events is the events of that name, each as often as it happened. An event
// counts at its own time, however late it arrives.
func Events(name string) Behavior { return Behavior{source: sourceEvents, event: name} }

// Orders is every order that was bought ([commerce.Order]), at the instant of
// buying, whatever came back since. An order whose facts contradict each other,
// as in two currencies, is none as long as they do; explanations
// tell how many are left out so.
//
// Its properties are number, source, outlet, currency, brand (texts), skus and
// categories (tags of what was bought) and amount, an integer of minor units.
func Orders() Behavior { return Behavior{source: sourceOrders} }

// NetOrders is the orders that count, net of returns and refunds: bought, not
// closed and not refunded for all their goods. An order counts at the instant
// of buying until the instant that undoes it. Its properties are those of
// [Orders], where amount is what was spent net of what went back so far and
// skus and categories are those of the pieces kept.
func NetOrders() Behavior { return Behavior{source: sourceNetOrders} }

// Where keeps what passes every rule. The rules are made of attribute tests,
// All, Any and Not; Attr names a property of the event or order. Of an event,
// source and brand are properties too where it has none of that name.
func (b Behavior) Where(rules ...Rule) Behavior {
	if b.where != nil {
		rules = append([]Rule{{b.where}}, rules...)
	}
	b.where = All(rules...).n
	if len(rules) == 1 {
		b.where = rules[0].n
	}
	return b
}

// Within keeps what lies in the window. Without it a behavior is of all time.
func (b Behavior) Within(w Window) Behavior {
	b.window = w
	return b
}

// AtLeast holds for n times or more.
func (b Behavior) AtLeast(n int) Rule { return b.Count().AtLeast(profile.Int(int64(n))) }

// AtMost holds for n times or fewer, never included.
func (b Behavior) AtMost(n int) Rule { return b.Count().AtMost(profile.Int(int64(n))) }

// Exactly holds for n times.
func (b Behavior) Exactly(n int) Rule { return b.Count().Equals(profile.Int(int64(n))) }

// Never holds where it did not happen.
func (b Behavior) Never() Rule { return b.Exactly(0) }

// FirstIn holds where the first ever lies in the window; the behavior itself
// is then without one.
func (b Behavior) FirstIn(w Window) Rule {
	return Rule{&node{kind: nodeDebut, first: b, window: w}}
}

// Then holds where one b, in its window, was followed by next within span:
// later than b and at most span after it. Both are events; next has no window.
func (b Behavior) Then(next Behavior, span time.Duration) Rule {
	return Rule{&node{kind: nodeSequence, first: b, next: next, span: span.Microseconds()}}
}

// Without holds where one b, in its window, was not followed by next within
// span. It holds from the end of the span on, not before.
func (b Behavior) Without(next Behavior, span time.Duration) Rule {
	return Rule{&node{kind: nodeSequence, first: b, next: next, span: span.Microseconds(), without: true}}
}

// Count measures how many times.
func (b Behavior) Count() Measure { return Measure{of: b, agg: aggCount} }

// Distinct measures how many different values the property takes. Numbers of
// equal worth are one value.
func (b Behavior) Distinct(property string) Measure { return Measure{b, aggDistinct, property} }

// Sum adds up the integers and decimals of a property, exactly; of nothing it
// is 0. What does not fit 64 bits loses decimal places, rounded half away from
// zero, and at last stays at the greatest number.
func (b Behavior) Sum(property string) Measure { return Measure{b, aggSum, property} }

// Average is the mean of the integers and decimals of a property, rounded half
// away from zero to six places; of nothing there is none.
func (b Behavior) Average(property string) Measure { return Measure{b, aggAverage, property} }

// Min is the least integer or decimal of a property; of nothing there is none.
func (b Behavior) Min(property string) Measure { return Measure{b, aggMin, property} }

// Max is the greatest integer or decimal of a property; of nothing there is none.
func (b Behavior) Max(property string) Measure { return Measure{b, aggMax, property} }

// First is the value of a property where it is known for the first time;
// among several at one instant the least.
func (b Behavior) First(property string) Measure { return Measure{b, aggFirst, property} }

// Last is the value of a property where it is known for the last time; among
// several at one instant the greatest.
func (b Behavior) Last(property string) Measure { return Measure{b, aggLast, property} }

// Measure is a value computed from a behavior in its window, to be compared.
type Measure struct {
	of       Behavior
	agg      aggregate
	property string
}

type aggregate uint8

const (
	aggCount aggregate = iota + 1
	aggDistinct
	aggSum
	aggAverage
	aggMin
	aggMax
	aggFirst
	aggLast
)

var aggregateNames = [...]string{"", "count", "distinct", "sum", "average", "min", "max", "first", "last"}

func (m Measure) test(p predicate) Rule { return Rule{&node{kind: nodeMeasure, measure: m, pred: p}} }

// AtLeast holds where the measure is v or more.
func (m Measure) AtLeast(v profile.Value) Rule { return m.test(atLeast(v)) }

// AtMost holds where the measure is v or less.
func (m Measure) AtMost(v profile.Value) Rule { return m.test(atMost(v)) }

// Above holds where the measure is more than v.
func (m Measure) Above(v profile.Value) Rule { return m.test(above(v)) }

// Below holds where the measure is less than v.
func (m Measure) Below(v profile.Value) Rule { return m.test(below(v)) }

// Between holds where the measure is lo, hi or between them.
func (m Measure) Between(lo, hi profile.Value) Rule { return m.test(between(lo, hi)) }

// Equals holds where the measure is one of the values.
func (m Measure) Equals(values ...profile.Value) Rule {
	return m.test(predicate{op: opEqual, values: distinctValues(values)})
}

// Rising holds where the number is above that of the window before: the span
// of the same length that ends where a rolling window begins, or as many whole
// calendar units. A measure that is of nothing does not rise.
func (m Measure) Rising() Rule { return Rule{&node{kind: nodeTrend, measure: m}} }

// Falling holds where the number is below that of the window before.
func (m Measure) Falling() Rule { return Rule{&node{kind: nodeTrend, measure: m, falling: true}} }

// number reports whether the measure is always a number.
func (m Measure) number() bool { return m.agg >= aggCount && m.agg <= aggMax }

func (b Behavior) check(path string) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrRule, path, fmt.Sprintf(format, args...))
	}
	switch {
	case b.source != sourceEvents && !b.source.ofOrders():
		return wrong("no behavior")
	case b.source == sourceEvents && b.event == "":
		return wrong("events need a name")
	case b.window.err != "":
		return fmt.Errorf("%w: %s.within: %s", ErrRule, path, b.window.err)
	}
	if b.where == nil {
		return nil
	}
	return b.where.checkFilter(path+".where", 0)
}

// checkFilter admits attribute tests, All, Any and Not.
func (n *node) checkFilter(path string, depth int) error {
	if n != nil && n.kind != nodeAll && n.kind != nodeAny && n.kind != nodeNot && n.kind != nodeAttr {
		return fmt.Errorf("%w: %s: a filter is made of attribute tests, all, any and not", ErrRule, path)
	}
	if err := n.check(path, depth); err != nil {
		return err
	}
	for _, k := range n.kids {
		if err := k.checkFilter(path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (m Measure) check(path string) error {
	if m.agg < aggCount || m.agg > aggLast {
		return fmt.Errorf("%w: %s: no measure", ErrRule, path)
	}
	if m.agg != aggCount && m.property == "" {
		return fmt.Errorf("%w: %s: %s needs a property", ErrRule, path, aggregateNames[m.agg])
	}
	return m.of.check(path + "." + aggregateNames[m.agg])
}

// subject says what is counted, without the window: `order.paid where …`.
func (b Behavior) subject() string {
	s := b.event
	switch b.source {
	case sourceOrders:
		s = "orders"
	case sourceNetOrders:
		s = "net orders"
	}
	if b.where != nil {
		s += " where " + b.where.grouped()
	}
	return s
}

// String says the behavior as in "net orders in 90 days".
func (b Behavior) String() string { return b.subject() + " " + b.window.String() }

// String says the measure as in "sum of amount of net orders in 90 days".
func (m Measure) String() string {
	switch m.agg {
	case aggCount:
		return m.of.String()
	case aggDistinct:
		return "distinct " + m.property + " of " + m.of.String()
	}
	return aggregateNames[min(int(m.agg), len(aggregateNames)-1)] + " of " + m.property + " of " + m.of.String()
}

// text says a test of the measure: "at least 3 net orders in 365 days".
func (m Measure) text(p predicate) string {
	switch {
	case m.agg == aggCount && m.isNever(p):
		if m.of.window.kind == windowEver {
			return "never " + m.of.subject()
		}
		return "no " + m.of.String()
	case m.agg == aggCount:
		return p.String() + " " + m.of.String()
	}
	return m.String() + " " + p.String()
}

// isNever reports whether the test asks for none at all.
func (m Measure) isNever(p predicate) bool {
	zero := profile.Int(0)
	return m.agg == aggCount && p.op == opEqual && len(p.values) == 1 && p.values[0] == zero
}
