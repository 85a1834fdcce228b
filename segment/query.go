package segment

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrPast reports an instant before the engine's clock.
var ErrPast = errors.New("segment: instant lies before the engine's clock")

// Select evaluates a definition over all customers, which need not be defined
// before, and gives those who belong at t; the zero t is the engine's clock, an
// earlier one is [ErrPast]. What lies between the clock and t is taken to be
// what is known to come.
//
// What the rule reads and the engine does not hold yet is read from the History
// first, and is held from then on. The evaluation itself runs on a snapshot,
// and neither waits for writers nor holds them up.
func (e *Engine) Select(ctx context.Context, t time.Time, def Definition) (*Audience, error) {
	q, err := e.query(ctx, t, def)
	if err != nil {
		return nil, err
	}
	return q.audience(ctx)
}

func (q *query) audience(ctx context.Context) (*Audience, error) {
	s, err := q.set(ctx)
	if err != nil {
		return nil, err
	}
	return &Audience{dict: q.dict, set: s, at: instant(q.t)}, nil
}

// Count is the number of customers whom [Engine.Select] would give, without
// making the set.
func (e *Engine) Count(ctx context.Context, t time.Time, def Definition) (int, error) {
	q, err := e.query(ctx, t, def)
	if err != nil {
		return 0, err
	}
	return q.count(ctx)
}

// query is an evaluation over all customers at an instant, on pinned columns.
type query struct {
	dict   *dictionary
	t      int64
	alive  *set
	root   *planStep
	view   pinned
	blocks int
	trace  bool // every step is counted on its own
}

// pinned is what a query reads customer by customer.
type pinned struct {
	dict    *dictionary
	attrs   map[string]*attrColumn
	series  map[*stream]*seriesColumn
	members map[*compiled]*set // at the engine's clock
	clock   int64
	coming  map[uint32]*foresight
}

// query compiles a definition, brings in the columns that it needs and pins them.
func (e *Engine) query(ctx context.Context, t time.Time, def Definition) (*query, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if def.Name == "" {
		def.Name = "query"
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	c, err := e.compile(def)
	if err != nil {
		return nil, err
	}
	need, err := e.gather(ctx, c)
	defer func() { e.catalog.release(c, e.leaves, e.series) }()
	if err != nil {
		return nil, err
	}
	e.state.Lock()
	defer e.state.Unlock()
	e.adopt(need)
	return e.pinned(t, c)
}

// pinned plans the evaluation of a rule whose columns are there, on the state
// as it is; the state lock must be held.
func (e *Engine) pinned(t time.Time, c *compiled) (*query, error) {
	q := &query{dict: e.dict, t: e.clock}
	if !t.IsZero() {
		q.t = micros(t)
	}
	if q.t < e.clock {
		return nil, ErrPast
	}
	q.alive = e.alive.snapshot()
	q.blocks = len(q.alive.blocks)
	q.view = pinned{
		dict: e.dict, clock: e.clock, attrs: map[string]*attrColumn{}, series: map[*stream]*seriesColumn{},
		members: map[*compiled]*set{}, coming: map[uint32]*foresight{},
	}
	q.root = e.plan(c.root, q)
	q.order(q.root)
	return q, nil
}

// pin takes what a leaf reads customer by customer.
func (q *query) pin(e *Engine, l *leaf) {
	v := &q.view
	for _, name := range l.node.attrs() {
		if col := e.attrs[name]; col != nil && v.attrs[name] == nil {
			v.attrs[name] = col.view()
		}
	}
	for _, s := range l.of {
		if _, ok := v.series[s]; !ok {
			v.series[s] = e.series[s.index].pin()
		}
	}
	for _, c := range l.needs {
		if q.t == e.clock && c.state != nil {
			if v.members[c] == nil {
				v.members[c] = c.state.members.snapshot()
			}
			continue
		}
		for _, inner := range c.leaves {
			q.pin(e, inner)
		}
	}
	if q.t == e.clock || len(v.coming) > 0 {
		return
	}
	for i := range e.waiting {
		d := e.waiting[i].d
		if v.coming[d] != nil {
			continue
		}
		if f, ok := e.foresee(d).(*foresight); ok {
			v.coming[d] = f
		}
	}
}

// one reads a single customer from a query's pinned columns.
type one struct {
	p *pinned
	d uint32
	t int64
}

func (o *one) key() profile.ID { return o.p.dict.key(o.d) }

func (o *one) attr(name string) profile.Value {
	if c := o.p.attrs[name]; c != nil {
		return c.get(o.d)
	}
	return profile.Value{}
}

func (o *one) run(s *stream) run {
	r := o.p.series[s].get(o.d)
	if f := o.p.coming[o.d]; f != nil {
		return f.merge(s, r)
	}
	return r
}

func (o *one) member(c *compiled, t int64) (bool, int64) {
	if s := o.p.members[c]; s != nil {
		return s.has(o.d), never
	}
	return eval(o, c.root, t)
}

// words is the part of a set that lies in one block.
type words = [blockWords]uint64

// set evaluates everything into a set.
func (q *query) set(ctx context.Context) (*set, error) {
	out := &set{blocks: make([]*block, q.blocks)}
	result := new(words)
	for i := range q.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !q.eval(i, q.root, result) {
			continue
		}
		b := blockOf(result, true)
		out.blocks[i] = b
		out.n += b.len()
		if b != nil && b.words == result {
			result = new(words)
		}
	}
	for len(out.blocks) > 0 && out.blocks[len(out.blocks)-1] == nil {
		out.blocks = out.blocks[:len(out.blocks)-1]
	}
	return out, nil
}

// count evaluates everything and counts. Up to two sets are counted by their
// sizes and what they share.
func (q *query) count(ctx context.Context) (int, error) {
	switch s := q.root; {
	case s.plain() != nil:
		return s.plain().n, nil
	case s.kind == nodeAny && len(s.kids) == 2 && s.kids[0].plain() != nil && s.kids[1].plain() != nil:
		return countOf(opOr, s.kids[0].plain(), s.kids[1].plain()), nil
	}
	n := 0
	fused := q.root.kind == nodeAll && len(q.root.fusedKids) > 0 && len(q.root.fusedKids) == len(q.root.kids)
	result := new(words)
	for i := range q.blocks {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if fused {
			n += q.fuse(i, q.root.fusedKids, nil)
		} else if q.eval(i, q.root, result) {
			n += onesOf(result)
		}
	}
	return n, nil
}

// everyone writes those who are there.
func (q *query) everyone(i int, out *words) { q.alive.block(i).fill(out) }

// eval writes who passes in a block, and reports whether there may be any.
func (q *query) eval(i int, s *planStep, out *words) bool {
	if s.kind == nodeAll && len(s.fusedKids) > 0 && !q.trace {
		return q.fuse(i, s.fusedKids, out) > 0 && q.narrowAll(i, s.kids[len(s.fusedKids):], out)
	}
	q.everyone(i, out)
	return q.narrow(i, s, out)
}

// narrow keeps of w, in a block, who passes, and reports whether there may be any.
func (q *query) narrow(i int, s *planStep, w *words) bool {
	some := true
	switch s.kind {
	case nodeNot:
		hits := *w
		if q.narrow(i, s.kids[0], &hits) {
			some = minus(w, &hits)
		}
	case nodeAll:
		some = q.narrowAll(i, s.kids, w)
	case nodeAny:
		some = q.narrowAny(i, s.kids, w)
	default:
		some = s.access.narrow(q, i, w)
	}
	if q.trace {
		s.actual += onesOf(w)
	}
	return some
}

func (q *query) narrowAll(i int, kids []*planStep, w *words) bool {
	for _, k := range kids {
		if !q.narrow(i, k, w) {
			return false
		}
	}
	return true
}

// narrowAny asks each part only about those whom the parts before it left out.
func (q *query) narrowAny(i int, kids []*planStep, w *words) bool {
	rest := *w
	clear(w[:])
	some := false
	var hits words
	for _, k := range kids {
		hits = rest
		if !q.narrow(i, k, &hits) {
			continue
		}
		some = true
		for j, x := range hits {
			w[j] |= x
		}
		if !minus(&rest, &hits) {
			break
		}
	}
	return some
}

// minus takes b out of a and reports whether anyone is left.
func minus(a, b *words) bool {
	left := uint64(0)
	for j := range a {
		a[j] &^= b[j]
		left |= a[j]
	}
	return left != 0
}

// fuse intersects sets, of which some are turned around, in one pass over a
// block, and counts. out may be nil.
func (q *query) fuse(i int, sets []bySet, out *words) int {
	var pos, neg [fuseMax]*words
	var posArray, negArray [fuseMax]*block
	np, nn, npa, nna := 0, 0, 0, 0
	for _, s := range sets {
		switch b := s.set.block(i); {
		case s.without && b == nil:
		case b == nil:
			if out != nil {
				clear(out[:])
			}
			return 0
		case s.without && b.words != nil:
			neg[nn] = b.words
			nn++
		case s.without:
			negArray[nna] = b
			nna++
		case b.words != nil:
			pos[np] = b.words
			np++
		default:
			posArray[npa] = b
			npa++
		}
	}
	if np+npa == 0 {
		var room words
		q.everyone(i, &room)
		pos[0], np = &room, 1
	}
	passes := func(low uint16) bool {
		word, bit := low>>6, uint64(1)<<(low&63)
		for _, w := range pos[:np] {
			if w[word]&bit == 0 {
				return false
			}
		}
		for _, w := range neg[:nn] {
			if w[word]&bit != 0 {
				return false
			}
		}
		return true
	}
	n := 0
	if npa > 0 { // few can pass
		if out != nil {
			clear(out[:])
		}
		for _, low := range posArray[0].array {
			if !passes(low) || !inAll(posArray[1:npa], low) || inAny(negArray[:nna], low) {
				continue
			}
			n++
			if out != nil {
				out[low>>6] |= 1 << (low & 63)
			}
		}
		return n
	}
	n = fuseWords(pos[:np], neg[:nn], out)
	if out == nil && nna == 1 && np <= 2 && nn == 0 {
		// The common case without a branch: those of two sets in the array.
		a, b := pos[0], pos[max(np, 1)-1]
		for _, low := range negArray[0].array {
			word := low >> 6
			n -= int(a[word] & b[word] >> (low & 63) & 1)
		}
		return n
	}
	for k, b := range negArray[:nna] {
		for _, low := range b.array {
			if !passes(low) || inAny(negArray[:k], low) {
				continue
			}
			n--
			if out != nil {
				out[low>>6] &^= 1 << (low & 63)
			}
		}
	}
	return n
}

// fuseMax is how many sets one pass takes, the mask included.
const fuseMax = 8

func inAll(blocks []*block, low uint16) bool {
	for _, b := range blocks {
		if !b.has(low) {
			return false
		}
	}
	return true
}

func inAny(blocks []*block, low uint16) bool {
	for _, b := range blocks {
		if b.has(low) {
			return true
		}
	}
	return false
}

// fuseWords intersects pos, of which there is at least one, without neg.
func fuseWords(pos, neg []*words, out *words) int {
	a, b := pos[0], pos[0]
	if len(pos) > 1 {
		b = pos[1]
	}
	c := &noWords
	if len(neg) > 0 {
		c = neg[0]
	}
	switch {
	case len(pos) <= 2 && len(neg) == 0 && out == nil:
		return onesOfAnd(a, b)
	case len(pos) <= 2 && len(neg) == 1 && out == nil:
		return onesOfAndNot(a, b, c)
	}
	var room words
	if out == nil {
		out = &room
	}
	for k := range a {
		out[k] = a[k] & b[k] &^ c[k]
	}
	for _, w := range pos[min(2, len(pos)):] {
		for k := range w {
			out[k] &= w[k]
		}
	}
	for _, w := range neg[min(1, len(neg)):] {
		for k := range w {
			out[k] &^= w[k]
		}
	}
	return onesOf(out)
}

var noWords words

// The loops that count take four words at a time into sums of their own, which
// the processor adds up side by side.

func onesOf(a *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 4 {
		n0 += bits.OnesCount64(a[k])
		n1 += bits.OnesCount64(a[k+1])
		n2 += bits.OnesCount64(a[k+2])
		n3 += bits.OnesCount64(a[k+3])
	}
	return n0 + n1 + n2 + n3
}

func onesOfAnd(a, b *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 4 {
		n0 += bits.OnesCount64(a[k] & b[k])
		n1 += bits.OnesCount64(a[k+1] & b[k+1])
		n2 += bits.OnesCount64(a[k+2] & b[k+2])
		n3 += bits.OnesCount64(a[k+3] & b[k+3])
	}
	return n0 + n1 + n2 + n3
}

func onesOfAndNot(a, b, c *words) int {
	n0, n1, n2, n3 := 0, 0, 0, 0
	for k := 0; k < blockWords; k += 4 {
		n0 += bits.OnesCount64(a[k] & b[k] &^ c[k])
		n1 += bits.OnesCount64(a[k+1] & b[k+1] &^ c[k+1])
		n2 += bits.OnesCount64(a[k+2] & b[k+2] &^ c[k+2])
		n3 += bits.OnesCount64(a[k+3] & b[k+3] &^ c[k+3])
	}
	return n0 + n1 + n2 + n3
}

// intersect keeps of a who is in b and reports whether anyone is left.
func intersect(a, b *words) bool {
	left := uint64(0)
	for k := range a {
		a[k] &= b[k]
		left |= a[k]
	}
	return left != 0
}

// narrowBySet keeps of w who is in a block of a set, or who is not.
func narrowBySet(b *block, without bool, w *words) bool {
	switch {
	case b == nil && without:
		return true
	case b == nil:
		clear(w[:])
		return false
	case b.words != nil && without:
		return minus(w, b.words)
	case b.words != nil:
		return intersect(w, b.words)
	case without:
		for _, low := range b.array {
			w[low>>6] &^= 1 << (low & 63)
		}
		return true
	}
	// Few are left: take those out that are in w.
	var kept [arrayMax]uint16
	n := 0
	for _, low := range b.array {
		if w[low>>6]&(1<<(low&63)) != 0 {
			kept[n] = low
			n++
		}
	}
	clear(w[:])
	for _, low := range kept[:n] {
		w[low>>6] |= 1 << (low & 63)
	}
	return n > 0
}

// access is a way to find out who passes a leaf.
type access interface {
	// narrow keeps of w, in a block, who passes, and reports whether there may
	// be any.
	narrow(q *query, i int, w *words) bool
	String() string
}

// bySet is a leaf that is a set; without turns it around.
type bySet struct {
	set     *set
	without bool
}

func (a bySet) narrow(_ *query, i int, w *words) bool {
	return narrowBySet(a.set.block(i), a.without, w)
}

func (a bySet) String() string {
	if a.without {
		return "set, turned around"
	}
	return "set"
}

// byIndex is a leaf over an attribute.
type byIndex struct{ index *attrIndex }

func (a byIndex) narrow(_ *query, i int, w *words) bool {
	if a.index.onlyPlanes() {
		return a.index.planes.narrow(i, a.index.lo, a.index.hi, w)
	}
	var hits words
	a.index.eval(i, &hits)
	if a.index.pred.op == opMissing {
		return minus(w, &hits)
	}
	return intersect(w, &hits)
}

func (a byIndex) String() string {
	if a.index.planes != nil {
		return "bit planes"
	}
	return fmt.Sprintf("%d sets", len(a.index.sets))
}

// byCustomer is a leaf that is evaluated for each customer in question.
type byCustomer struct{ leaf *leaf }

func (a byCustomer) narrow(q *query, i int, w *words) bool {
	o := &one{p: &q.view, t: q.t}
	some := false
	for k, x := range w {
		hit := uint64(0)
		for rest := x; rest != 0; rest &= rest - 1 {
			bit := bits.TrailingZeros64(rest)
			o.d = uint32(i)<<blockBits | uint32(k)<<6 | uint32(bit)
			if holds, _ := a.leaf.eval(o, q.t); holds {
				hit |= 1 << bit
				some = true
			}
		}
		w[k] = hit
	}
	return some
}

func (a byCustomer) String() string { return "customer by customer" }
