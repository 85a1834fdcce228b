package segment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plan says how a rule is evaluated over all customers, and what came of it.
type Plan struct {
	// Customers is how many there are.
	Customers int
	// Root is the whole rule.
	Root PlanStep
}

// PlanStep is one place of a plan; its parts stand in the order of evaluation.
// Each part is asked only about those customers whom the parts before it left
// open.
type PlanStep struct {
	// Clause is the name of the clause, or its text.
	Clause string
	// Access says how it is found out: by a set, bit planes, or customer by customer.
	Access string
	// Estimate is how many customers were expected to pass, of all.
	Estimate int
	// Actual is how many passed of those who were asked about.
	Actual int
	Parts  []PlanStep
}

// Plan evaluates a definition like [Engine.Count] and tells how.
func (e *Engine) Plan(ctx context.Context, t time.Time, def Definition) (Plan, error) {
	q, err := e.query(ctx, t, def)
	if err != nil {
		return Plan{}, err
	}
	q.trace = true
	if _, err := q.set(ctx); err != nil {
		return Plan{}, err
	}
	return Plan{Customers: q.alive.n, Root: q.root.report()}, nil
}

// String writes the plan, a step a line.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d customers\n", p.Customers)
	p.Root.write(&b, 0)
	return b.String()
}

func (s PlanStep) write(b *strings.Builder, depth int) {
	fmt.Fprintf(b, "%s%s: %d (estimated %d)", strings.Repeat("  ", depth), s.Clause, s.Actual, s.Estimate)
	if s.Access != "" {
		fmt.Fprintf(b, ", by %s", s.Access)
	}
	b.WriteByte('\n')
	for _, p := range s.Parts {
		p.write(b, depth+1)
	}
}

// planStep is a place of a rule with the way in which it is evaluated.
type planStep struct {
	kind   nodeKind // all, any, not; 0 for a leaf
	node   *node
	kids   []*planStep
	access access
	// fusedKids are the first of the kids of all, where they are sets.
	fusedKids []bySet
	share     float64 // of all customers that is expected to pass
	cost      float64 // nanoseconds for each customer in question
	total     int     // customers there are
	actual    int
}

func (s *planStep) report() PlanStep {
	out := PlanStep{Clause: s.node.name, Estimate: int(s.share*float64(s.total) + 0.5), Actual: s.actual}
	if out.Clause == "" {
		out.Clause = s.node.text()
	}
	if s.access != nil {
		out.Access = s.access.String()
	}
	for _, k := range s.kids {
		out.Parts = append(out.Parts, k.report())
	}
	return out
}

// plain gives the set that the step is, if it is one whose members are all there.
func (s *planStep) plain() *set {
	if set, without := s.fused(); !without {
		return set
	}
	return nil
}

// fused gives the set by which the step narrows.
func (s *planStep) fused() (members *set, without bool) {
	by, ok := s.access.(bySet)
	if !ok {
		if s.kind != nodeNot {
			return nil, false
		}
		if by, ok = s.kids[0].access.(bySet); !ok {
			return nil, false
		}
		return by.set, !by.without
	}
	return by.set, by.without
}

// plan chooses how each leaf is evaluated; the state lock must be held.
func (e *Engine) plan(x *expr, q *query) *planStep {
	s := &planStep{kind: x.kind, node: x.node, total: q.alive.n}
	for _, k := range x.kids {
		s.kids = append(s.kids, e.plan(k, q))
	}
	if x.leaf == nil {
		return s
	}
	l := x.leaf
	now := q.t == e.clock
	switch state := e.leaves[l]; {
	case l.node.kind == nodeIn && now && l.needs[0].state != nil:
		s.access = bySet{set: l.needs[0].state.members.snapshot()}
	case state != nil && state.ready() && (now || l.node.kind == nodeAttr):
		// The engine keeps the answer. Who is gone is in no set.
		s.access = bySet{state.flipped.snapshot(), state.blank}
	case l.node.kind == nodeAttr:
		col := e.attrs[l.node.attr]
		col.watch(l.node.pred, e.dict.len())
		index := col.pin(l.node.pred)
		s.access = byIndex{index}
		if one := index.single(); one != nil {
			s.access = bySet{set: one}
		}
	default:
		q.pin(e, l)
		s.access = byCustomer{l}
	}
	return s
}

// sampleBlocks is how many blocks are looked at to estimate a leaf.
const sampleBlocks = 4

// order estimates every step and puts parts into the order of evaluation: those
// first that decide most for what they cost.
func (q *query) order(s *planStep) {
	for _, k := range s.kids {
		q.order(k)
	}
	switch s.kind {
	case nodeNot:
		s.share, s.cost = 1-s.kids[0].share, s.kids[0].cost
	case nodeAll:
		slices.SortStableFunc(s.kids, func(a, b *planStep) int {
			return cmp.Compare(a.cost/(1.0001-a.share), b.cost/(1.0001-b.share))
		})
		s.share = 1
		for i, k := range s.kids {
			s.cost += s.share * k.cost
			s.share *= k.share
			if set, without := k.fused(); set != nil && len(s.fusedKids) == i && i < fuseMax-1 {
				s.fusedKids = append(s.fusedKids, bySet{set, without})
			}
		}
	case nodeAny:
		slices.SortStableFunc(s.kids, func(a, b *planStep) int {
			return cmp.Compare(a.cost/(0.0001+a.share), b.cost/(0.0001+b.share))
		})
		open := 1.0
		for _, k := range s.kids {
			s.cost += open * k.cost
			open *= 1 - k.share
		}
		s.share = 1 - open
	default:
		q.estimate(s)
	}
}

// The costs of asking about one customer, in nanoseconds, from measurement;
// only their ratios matter.
const (
	costSet      = 0.01
	costMember   = 0.1 // to put into a set
	costIndex    = 0.3
	costCustomer = 100
	// A function, and what it declares.
	costFunction = 4
	costAttr     = 4
	costMeasure  = 40
	costSegment  = 4
)

// cost estimates a call with what it may read.
func (f *goFunc) cost() float64 {
	return costFunction + costAttr*float64(len(f.attrs)) + costMeasure*float64(len(f.measures)) + costSegment*float64(len(f.deps.Segments))
}

func (q *query) estimate(s *planStep) {
	all := float64(max(q.alive.n, 1))
	switch by := s.access.(type) {
	case bySet:
		s.cost, s.share = costSet, float64(by.set.n)/all
		if by.without {
			s.share = 1 - s.share
		}
	case byIndex:
		s.cost = costIndex
		// The blocks of the sample are spread over all.
		hit, asked := 0, 0
		var w words
		for k := range min(sampleBlocks, q.blocks) {
			i := k * q.blocks / sampleBlocks
			q.everyone(i, &w)
			asked += onesOf(&w)
			if by.narrow(q, i, &w) {
				hit += onesOf(&w)
			}
		}
		s.share = float64(hit) / float64(max(asked, 1))
	default:
		s.cost, s.share = costCustomer, 0.5
		if s.node.kind == nodeFunc {
			s.cost = s.node.fn.cost()
		}
	}
}
