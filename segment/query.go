package segment

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
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
// first, after writers at work, and is held from then on. The evaluation itself
// runs on a snapshot, and neither waits for writers, were it a long
// [Engine.Define], nor holds them up.
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
	// workers is how many may evaluate at once.
	workers int
	trace   bool // every step is counted on its own
}

// pinned is what a query reads customer by customer.
type pinned struct {
	dict    *dictionary
	attrs   map[string]*attrColumn
	series  map[*stream]*seriesColumn
	members map[*compiled]*set // at the engine's clock
	clock   int64
	coming  map[uint32]*foresight
	handed  handOvers
}

// query compiles a definition, brings in the columns that it needs and pins them.
func (e *Engine) query(ctx context.Context, t time.Time, def Definition) (*query, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if def.Name == "" {
		def.Name = def.Rule.unnamed()
	}
	if q, err := e.held(t, def); q != nil || err != nil {
		return q, err
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	var c *compiled
	var err error
	e.locked(func() { c, err = e.compile(def, e.catalog) })
	if err != nil {
		return nil, err
	}
	need, err := e.gather(ctx, c)
	e.state.Lock()
	defer e.state.Unlock()
	defer e.releaseAll(c)
	if err != nil {
		return nil, err
	}
	e.adopt(need)
	return e.pinned(t, c)
}

// unnamed is a name that no segment of the rule has.
func (r Rule) unnamed() string {
	name := "query"
	if r.n == nil {
		return name
	}
	for others := r.n.segments(nil); slices.Contains(others, name); {
		name += "'"
	}
	return name
}

// held is a query of a definition of which the engine holds all that it reads;
// nil where it does not. It waits for no writer.
func (e *Engine) held(t time.Time, def Definition) (*query, error) {
	e.state.Lock()
	defer e.state.Unlock()
	c, err := e.compile(def, e.catalog.over())
	if err != nil {
		return nil, err
	}
	if n := e.missing(c); n.attrs != nil || n.series != nil {
		return nil, nil
	}
	return e.pinned(t, c)
}

// pinned plans the evaluation of a rule whose columns are there, on the state
// as it is; the state lock must be held.
func (e *Engine) pinned(t time.Time, c *compiled) (*query, error) {
	q := &query{dict: e.dict, t: e.clock, workers: e.workers}
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
		members: map[*compiled]*set{}, coming: map[uint32]*foresight{}, handed: e.handOvers,
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
	ahead := map[uint32][]profile.Event{}
	for i := range e.waiting {
		if f := &e.waiting[i]; f.epoch == e.epochs[f.d] {
			ahead[f.d] = append(ahead[f.d], f.event)
		}
	}
	for d, events := range ahead {
		v.coming[d] = e.foreseen(d, events)
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

func (o *one) handedOver() handOvers { return o.p.handed }

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
	err := q.eachBlock(ctx, costMember, func(i int, room *words) (keep bool) {
		if q.eval(i, q.root, room) {
			b := blockOf(room, true)
			out.blocks[i] = b
			keep = b != nil && b.words == room
		}
		return keep
	})
	if err != nil {
		return nil, err
	}
	for _, b := range out.blocks {
		out.n += b.len()
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
	case len(s.kids) == 2 && s.kids[0].plain() != nil && s.kids[1].plain() != nil:
		op := opAnd
		if s.kind == nodeAny {
			op = opOr
		}
		return countOf(op, s.kids[0].plain(), s.kids[1].plain()), nil
	}
	fused := q.root.kind == nodeAll && len(q.root.fusedKids) > 0 && len(q.root.fusedKids) == len(q.root.kids)
	var n atomic.Int64
	err := q.eachBlock(ctx, 0, func(i int, room *words) bool {
		if fused {
			n.Add(int64(q.fuse(i, q.root.fusedKids, nil)))
		} else if q.eval(i, q.root, room) {
			n.Add(int64(onesOf(room)))
		}
		return false
	})
	return int(n.Load()), err
}

// blocksAtOnce is how many blocks a worker takes at a time.
const blocksAtOnce = 4

// worthSharing is the estimated cost, in nanoseconds, of a question that one
// worker answers as soon as several: to begin takes another one about a tenth of it,
// and the processor that it wakes may be slow at first.
const worthSharing = 500_000

// eachBlock calls do for every block, with room of its own unless do has kept
// it, by the caller and as many workers as are worth it. It returns when all
// have ended, and passes on a panic of a function of the caller's. extra is what a
// customer costs beside the evaluation, in nanoseconds.
func (q *query) eachBlock(ctx context.Context, extra float64, do func(i int, room *words) (keep bool)) error {
	var next atomic.Int64
	work := func() error {
		room := new(words)
		for {
			from := int(next.Add(blocksAtOnce)) - blocksAtOnce
			for i := from; i < min(from+blocksAtOnce, q.blocks); i++ {
				if do(i, room) {
					room = new(words)
				}
			}
			if from+blocksAtOnce >= q.blocks || ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	workers := min(q.workers, q.blocks/blocksAtOnce)
	if workers <= 1 || q.trace || (q.root.cost+extra)*float64(q.root.total) < worthSharing {
		return work()
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	var panicked any
	noted := func() {
		defer func() {
			if p := recover(); p != nil {
				mu.Lock()
				panicked = p
				mu.Unlock()
			}
		}()
		if err := work(); err != nil {
			mu.Lock()
			failed = err
			mu.Unlock()
		}
	}
	for range workers - 1 {
		wait.Go(noted)
	}
	noted()
	wait.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return failed
}

// everyone writes those who are there.
func (q *query) everyone(i int, out *words) { q.alive.block(i).fill(out) }

// eval writes who passes in a block, and reports whether there may be any.
func (q *query) eval(i int, s *planStep, out *words) bool {
	if s.kind == nodeAll && len(s.fusedKids) > 0 && !q.trace {
		return q.fuse(i, s.fusedKids, out) > 0 && q.narrowAll(i, s.kids[len(s.fusedKids):], out)
	}
	if by, ok := s.access.(byIndex); ok && by.index.onlyPlanes() && !q.trace {
		return by.index.planes.within(i, by.index.lo, by.index.hi, out) // whoever has a number is there
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
	if a.leaf.node.kind == nodeFunc {
		return a.leaf.narrowByFunction(q, i, w)
	}
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
