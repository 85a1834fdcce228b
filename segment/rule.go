package segment

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRule reports a rule that is not well formed. The message gives the path
// to the place.
var ErrRule = errors.New("segment: invalid rule")

// Rule decides whether a customer belongs to a segment at an instant. Rules are
// immutable values built by [All], [Any], [Not], [In], [Func] and the methods
// of [Attribute], [Behavior] and [Measure]. Building never fails: what is wrong
// is reported, with its place, by whatever takes the rule. The zero Rule is
// not valid.
type Rule struct{ n *node }

// node is one place of a rule. Its kind says which fields count.
type node struct {
	kind nodeKind
	name string // how explanations call the clause
	kids []*node

	segment  string       // in
	attr     string       // attr, date
	pred     predicate    // attr, measure
	date     dateTest     // date
	measure  Measure      // measure, trend
	falling  bool         // trend
	first    Behavior     // sequence, debut
	next     Behavior     // sequence
	span     int64        // sequence: microseconds
	without  bool         // sequence
	window   Window       // debut
	relation relationTest // relation
	fn       *goFunc      // func
}

type nodeKind uint8

const (
	nodeAll nodeKind = iota + 1
	nodeAny
	nodeNot
	nodeIn       // member of another segment
	nodeAttr     // an attribute passes a predicate
	nodeDate     // an instant or a date stands in a relation to t
	nodeMeasure  // a measure passes a predicate
	nodeTrend    // a measure is above or below that of the window before
	nodeSequence // one behavior follows another, or does not
	nodeDebut    // the first of a behavior lies in a window
	nodeRelation // there is a relation to a party
	nodeFunc     // a function of the caller's
)

// All holds where every rule holds. All of nothing holds for everyone.
func All(rules ...Rule) Rule { return combine(nodeAll, rules) }

// Any holds where at least one rule holds. Any of nothing holds for no one.
func Any(rules ...Rule) Rule { return combine(nodeAny, rules) }

// Not holds where the rule does not. It turns around what missing values do:
// Not(Attr("tier").Is("gold")) holds for a customer without a tier.
func Not(r Rule) Rule { return combine(nodeNot, []Rule{r}) }

func combine(kind nodeKind, rules []Rule) Rule {
	n := &node{kind: kind, kids: make([]*node, len(rules))}
	for i, r := range rules {
		n.kids[i] = r.n
	}
	return Rule{n}
}

// In holds for the members of another segment, by its name. The other segment
// has to be defined first; its own zone applies to it.
func In(segment string) Rule { return Rule{&node{kind: nodeIn, segment: segment}} }

// As names the rule as a clause: explanations, plans and tests call it so.
func (r Rule) As(name string) Rule {
	if r.n == nil {
		return r
	}
	n := *r.n
	n.name = name
	return Rule{&n}
}

// String writes the rule for people, on one line.
func (r Rule) String() string {
	if r.n == nil {
		return "invalid"
	}
	return r.n.text()
}

func (n *node) text() string {
	if n == nil {
		return "invalid"
	}
	switch n.kind {
	case nodeAll:
		return joined(n.kids, " and ", "everyone")
	case nodeAny:
		return joined(n.kids, " or ", "no one")
	case nodeNot:
		return "not " + n.kids[0].grouped()
	case nodeIn:
		return "in segment " + n.segment
	case nodeAttr:
		return n.attr + " " + n.pred.String()
	case nodeDate:
		return n.attr + " " + n.date.String()
	case nodeMeasure:
		return n.measure.text(n.pred)
	case nodeTrend:
		word := "rising"
		if n.falling {
			word = "falling"
		}
		return n.measure.String() + " " + word + " against the window before"
	case nodeSequence:
		word := "then"
		if n.without {
			word = "without"
		}
		return fmt.Sprintf("%s %s %s within %s", n.first, word, n.next.subject(), spanText(n.span))
	case nodeDebut:
		return "first " + n.first.subject() + " " + n.window.String()
	case nodeRelation:
		return n.relation.String()
	case nodeFunc:
		return "func " + n.fn.name
	}
	return "invalid"
}

func (n *node) grouped() string {
	if n != nil && (n.kind == nodeAll || n.kind == nodeAny) && len(n.kids) > 1 {
		return "(" + n.text() + ")"
	}
	return n.text()
}

func joined(kids []*node, word, empty string) string {
	if len(kids) == 0 {
		return empty
	}
	texts := make([]string, len(kids))
	for i, k := range kids {
		texts[i] = k.grouped()
	}
	return strings.Join(texts, word)
}

// maxDepth bounds the nesting of rules, so that no document can exhaust the stack.
const maxDepth = 100

// check reports what is wrong in the rule, with the path to it.
func (n *node) check(path string, depth int) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrRule, path, fmt.Sprintf(format, args...))
	}
	switch {
	case n == nil:
		return wrong("no rule")
	case depth > maxDepth:
		return wrong("nested more than %d deep", maxDepth)
	}
	switch n.kind {
	case nodeAll, nodeAny:
		word := "all"
		if n.kind == nodeAny {
			word = "any"
		}
		for i, k := range n.kids {
			if err := k.check(fmt.Sprintf("%s.%s[%d]", path, word, i), depth+1); err != nil {
				return err
			}
		}
		return nil
	case nodeNot:
		return n.kids[0].check(path+".not", depth+1)
	case nodeIn:
		if n.segment == "" {
			return fmt.Errorf("%w: %s.in: it needs the name of a segment", ErrRule, path)
		}
		return nil
	case nodeAttr, nodeDate:
		if n.attr == "" {
			return wrong("an attribute needs a name")
		}
		if n.kind == nodeDate {
			if msg := n.date.check(); msg != "" {
				return fmt.Errorf("%w: %s.%s: %s", ErrRule, path, dateNames[n.date.kind], msg)
			}
			return nil
		}
		return n.pred.check(path)
	case nodeMeasure:
		if err := n.measure.check(path); err != nil {
			return err
		}
		return n.pred.check(path)
	case nodeTrend:
		if err := n.measure.check(path); err != nil {
			return err
		}
		if _, ok := n.measure.of.window.before(); !ok {
			return wrong("only a rolling or calendar window has one before it")
		}
		if !n.measure.number() {
			return wrong("only a number rises or falls")
		}
		return nil
	case nodeSequence:
		if n.span <= 0 || n.span > maxDays*microsPerDay {
			return fmt.Errorf("%w: %s.span: the span of a sequence must be positive, at most %d days", ErrRule, path, maxDays)
		}
		if n.first.source != sourceEvents || n.next.source != sourceEvents {
			return wrong("a sequence is of events")
		}
		if n.next.window != (Window{}) {
			return wrong("what follows in a sequence has no window of its own")
		}
		if err := n.first.check(path + ".sequence"); err != nil {
			return err
		}
		if n.without {
			return n.next.check(path + ".without")
		}
		return n.next.check(path + ".then")
	case nodeDebut:
		if n.window.err != "" {
			return fmt.Errorf("%w: %s.within: %s", ErrRule, path, n.window.err)
		}
		if n.first.window != (Window{}) {
			return wrong("the first of all is looked for without a window")
		}
		return n.first.check(path + ".debut")
	case nodeRelation:
		return n.relation.check(path)
	case nodeFunc:
		return n.fn.check(path)
	}
	return wrong("no rule")
}
