package segment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Explanation says why a customer is in a segment at an instant, or not.
type Explanation struct {
	Segment  string
	Customer profile.ID
	At       time.Time
	// Member is the answer.
	Member bool
	// Changes is when the answer changes if nothing happens; the zero time for never.
	Changes time.Time
	// Rule is the clause of the whole rule, with those that it is made of.
	Rule Clause

	zone *time.Location
}

// Clause is one place of a rule with what was found there.
type Clause struct {
	// Name is the one given by [Rule.As], or else the text of the rule.
	Name string
	// Holds is the clause's own answer.
	Holds bool
	// Observed is the trait or measure that was compared, the zero Value where
	// it is missing or where there is no single one.
	Observed profile.Value
	// Text says what was found and what was wanted, in words.
	Text string
	// Changes is when Holds changes if nothing happens; the zero time for never.
	Changes time.Time
	// Clauses are the parts of a combination or of another segment.
	Clauses []Clause
	// Read is what a function read, in its order.
	Read []Reading
	// Refused is how many of the customer's orders a test of orders leaves out,
	// as their facts contradict each other.
	Refused int
}

// Explain says why the customer is in the segment at t, or not. The error
// matches [ErrUnknownSegment].
func (rs *Ruleset) Explain(segment string, r Record, t time.Time) (Explanation, error) {
	c, err := rs.find(segment)
	if err != nil {
		return Explanation{}, err
	}
	return explain(newSubject(rs.catalog, r), c, micros(t)), nil
}

func explain(s facts, c *compiled, t int64) Explanation {
	x := Explanation{
		Segment: c.def.Name, Customer: s.key(), At: instant(t), zone: c.clocks.loc,
		Changes: instant(nextChange(s, c.root, t)), Rule: explainExpr(s, c.root, c.clocks, t),
	}
	x.Member = x.Rule.Holds
	return x
}

func explainExpr(s facts, e *expr, c clocks, t int64) Clause {
	out := Clause{Name: e.node.name, Changes: instant(nextChange(s, e, t))}
	out.Holds, _ = eval(s, e, t)
	if out.Name == "" {
		out.Name = e.node.text()
	}
	if e.leaf != nil {
		e.leaf.explain(s, t, &out)
		return out
	}
	for _, k := range e.kids {
		out.Clauses = append(out.Clauses, explainExpr(s, k, c, t))
	}
	switch {
	case e.kind == nodeNot:
		out.Text = "not so: " + out.Clauses[0].Text
	case len(out.Clauses) == 0:
		out.Text = e.node.text()
	default:
		out.Text = out.reasons()
	}
	return out
}

// reasons are the texts of the parts that decide: all where they agree with
// the answer, else those that do.
func (c Clause) reasons() string {
	var texts []string
	for _, k := range c.Clauses {
		if k.Holds == c.Holds {
			texts = append(texts, k.Text)
		}
	}
	return strings.Join(texts, "; ")
}

func (l *leaf) explain(s facts, t int64, out *Clause) {
	l.find(s, t, out)
	told, ok := s.(interface{ orderStretches() []orderStretch })
	if !ok || !slices.ContainsFunc(l.of, func(s *stream) bool { return s.source.ofOrders() }) {
		return
	}
	switch out.Refused = refusedAt(told.orderStretches(), t); out.Refused {
	case 0:
	case 1:
		out.Text += ", and 1 order is left out, as its facts contradict each other"
	default:
		out.Text += fmt.Sprintf(", and %d orders are left out, as their facts contradict each other", out.Refused)
	}
}

// find says what is found and what was wanted.
func (l *leaf) find(s facts, t int64, out *Clause) {
	n := l.node
	switch n.kind {
	case nodeIn:
		inner := explainExpr(s, l.needs[0].root, l.needs[0].clocks, t)
		out.Clauses = []Clause{inner}
		word := "in segment "
		if !out.Holds {
			word = "not in segment "
		}
		out.Text = word + n.segment + " (" + inner.Text + ")"
	case nodeAttr:
		out.Observed = s.attr(n.attr)
		out.Text = n.attr + " is " + known(out.Observed)
		if !out.Holds {
			out.Text += ", wanted: " + n.pred.String()
		}
	case nodeDate:
		out.Observed = s.attr(n.attr)
		out.Text = n.attr + " is " + known(out.Observed)
		if at, ok := out.Observed.Time(); ok {
			out.Text = n.attr + " is " + l.when(micros(at))
		}
		word := ", wanted: "
		if out.Holds {
			word = ", "
		}
		out.Text += word + n.date.String()
	case nodeMeasure:
		in, _ := s.run(l.of[0]).in(l.clocks, n.measure.of.window, t)
		out.Observed = in.measure(n.measure.agg)
		out.Text = l.measured(in, out)
	case nodeTrend:
		past, _ := n.measure.of.window.before()
		now, _ := s.run(l.of[0]).in(l.clocks, n.measure.of.window, t)
		then, _ := s.run(l.of[0]).in(l.clocks, past, t)
		out.Observed = now.measure(n.measure.agg)
		out.Text = fmt.Sprintf("%s is %s, %s in the window before", n.measure, known(out.Observed), known(then.measure(n.measure.agg)))
	case nodeDebut:
		all, _ := s.run(l.of[0]).in(l.clocks, Window{}, t)
		if len(all.at) == 0 {
			out.Text = "no " + n.first.subject()
			break
		}
		out.Observed = profile.Time(instant(all.at[0]))
		out.Text = "first " + n.first.subject() + " " + l.when(all.at[0])
		if !out.Holds {
			out.Text += ", wanted: " + n.window.String()
		}
	case nodeRelation:
		parties, _ := related(n.relation.Relation, l.clocks, s.run(l.of[0]), s.handedOver(), t)
		out.Text = "no " + n.relation.kind
		if parties != nil {
			out.Observed = profile.Tags(parties...)
			out.Text = n.relation.kind + " is " + strings.Join(parties, " and ")
		}
		if !out.Holds {
			out.Text += ", wanted: " + n.relation.String()
		}
	case nodeFunc:
		n.fn.call(Customer{&customer{fn: n.fn, read: &factReader{facts: s, leaf: l, t: t}, note: &out.Read}})
		out.Text = n.text() + " says " + map[bool]string{true: "yes", false: "no"}[out.Holds]
		var read []string
		for _, r := range out.Read {
			text := r.Name + " is " + known(r.Value)
			if r.Undeclared {
				text = r.Name + " is not declared and reads as missing"
			}
			read = append(read, text)
		}
		if read != nil {
			out.Text += " (" + strings.Join(read, ", ") + ")"
		}
	default:
		word := "so: "
		if !out.Holds {
			word = "not so: "
		}
		out.Text = word + n.text()
	}
}

// measured says a measure beside what was wanted of it.
func (l *leaf) measured(in run, out *Clause) string {
	n := l.node
	m, p := n.measure, n.pred
	switch {
	case m.isNever(p) && out.Holds:
		return m.text(p)
	case m.isNever(p) && m.of.window.kind == windowRolling:
		return fmt.Sprintf("last of %s %s, under %s ago", m.of.subject(), l.when(in.at[len(in.at)-1]), spanText(m.of.window.span))
	case m.agg == aggCount && p.op == opRange && p.hi.value.IsZero() && !p.lo.strict:
		return fmt.Sprintf("%s of %s %s", out.Observed, p.lo.value, m.of)
	case out.Holds:
		return m.String() + " is " + known(out.Observed)
	}
	return m.String() + " is " + known(out.Observed) + ", wanted: " + p.String()
}

func (l *leaf) when(m int64) string {
	return time.UnixMicro(m).In(l.clocks.loc).Format("2006-01-02 15:04")
}

func known(v profile.Value) string {
	if v.IsZero() {
		return "unknown"
	}
	return v.String()
}

// Find returns the first clause of that name, in the order of the rule.
func (x Explanation) Find(name string) (Clause, bool) { return x.Rule.find(name) }

func (c Clause) find(name string) (Clause, bool) {
	if c.Name == name {
		return c, true
	}
	for _, k := range c.Clauses {
		if found, ok := k.find(name); ok {
			return found, true
		}
	}
	return Clause{}, false
}

// String says it in a sentence.
func (x Explanation) String() string {
	const layout = "2006-01-02 15:04"
	word, turn := "in", "leaves"
	if !x.Member {
		word, turn = "not in", "enters"
	}
	loc := x.zone
	if loc == nil {
		loc = time.UTC
	}
	s := fmt.Sprintf("%s %s at %s: %s", word, x.Segment, x.At.In(loc).Format(layout), x.Rule.Text)
	if !x.Changes.IsZero() {
		s += "; " + turn + " " + x.Changes.In(loc).Format(layout) + " if nothing happens"
	}
	return s
}
