package segment

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrGap reports a change that is not the next one of the feed.
var ErrGap = errors.New("segment: change feed has a gap")

// Config sets up an [Engine].
type Config struct {
	// History is where payloads are read. Default: a new [MemoryHistory].
	History History
	// Store keeps what must survive a restart ([Resume]). Default: none;
	// transitions are then kept in memory.
	Store Store
	// Functions are the rules made by [Func], and by [Attribute.AnniversaryBy]
	// for its calendar, that resumed definitions may name. Default: none.
	Functions []Rule
	// Workers is how many goroutines may evaluate one question over all
	// customers, the caller's own among them; the others have ended when it is
	// answered, and the answer does not depend on them. A question that one
	// answers as soon as several is left to the caller. Default:
	// runtime.GOMAXPROCS as [New] finds it.
	Workers int
}

// Engine keeps the members of segments up to date with the change feed and
// with time. It reads nothing but the changes and instants that it is given
// and the payloads in its History, and starts no goroutine.
//
// Its clock is the latest instant that it was given, by a change or by
// [Engine.Advance]; it never runs backwards. All methods are safe for
// concurrent use.
type Engine struct {
	history   History
	store     Store
	durable   bool // the store is the caller's
	functions []Rule
	workers   int

	// writer is held by whoever changes the engine; state is held to touch
	// what readers see, and by questions to touch the catalog and to pin columns.
	writer sync.Mutex
	writes atomic.Uint64 // how often somebody began or ceased to
	state  sync.RWMutex

	clock    int64  // everything due up to and including it is done
	position uint64 // last change applied

	dict  *dictionary
	alive bitmap // those who are there; others were merged away or erased

	catalog *catalog
	attrs   map[string]*attrColumn
	series  []*seriesColumn // by stream index
	byEvent map[string]*routes[*seriesColumn]
	recent  struct { // the last one asked for
		name string
		to   *routes[*seriesColumn]
	}
	byOrder        []*seriesColumn
	orders         map[uint32]*orderBook // nil while no rule reads orders
	handOvers      handOvers
	leaves         map[*leaf]*leafState
	segments       map[string]*segmentState
	topology       []*segmentState // each after those that it is made of
	welcoming      []*segmentState // those to which one of whom nothing is known belongs
	functionLeaves []*leafState
	names          sync.Map // name to *segmentState, for readers that do not wait

	alarms  alarms
	waiting futureHeap
	epochs  map[uint32]int   // raised when a customer's waiting events are void
	happens map[uint32]cause // what waited for the instant that advance is at
	ahead   ahead

	dirty  []*segmentState
	turned []turned
	causes []detectedCause
	reader view  // used again and again
	walk   facts // the customer of the change, where the columns do not tell the past

	// unsaved is what the next commit takes to the store; seq is the position
	// of the last transition.
	unsaved Commit
	seq     uint64
	erased  bool // a checkpoint is due, to be rid of somebody's data
}

// segmentState is a segment with its members.
type segmentState struct {
	*compiled
	order   int // in the topology
	members bitmap
	blank   bool         // whether a customer of whom nothing is known belongs
	asLeaf  []*leafState // leaves of others that read this one
	leaves  []*leafState
	turns   *turnLog
	pending []uint32 // customers to look at
}

// New makes an engine without segments.
func New(cfg Config) (*Engine, error) {
	e := &Engine{
		history: cfg.History, store: cfg.Store, durable: cfg.Store != nil, functions: cfg.Functions, workers: cfg.Workers,
		dict: newDictionary(), catalog: newCatalog(),
		attrs: map[string]*attrColumn{}, byEvent: map[string]*routes[*seriesColumn]{},
		leaves: map[*leaf]*leafState{}, segments: map[string]*segmentState{},
		epochs: map[uint32]int{}, happens: map[uint32]cause{},
	}
	if cfg.Workers < 0 {
		return nil, fmt.Errorf("segment: Config.Workers is %d, not 0 or more", cfg.Workers)
	}
	if e.workers == 0 {
		e.workers = runtime.GOMAXPROCS(0)
	}
	if e.history == nil {
		e.history = &MemoryHistory{}
	}
	if e.store == nil {
		e.store = &MemoryStore{transitionsOnly: true}
	}
	if p := newParser(e.functions); p.err != nil {
		return nil, fmt.Errorf("segment: Config.Functions: %w", p.err)
	}
	return e, nil
}

// Position is the position of the last change applied, 0 before the first.
func (e *Engine) Position() uint64 {
	e.state.RLock()
	defer e.state.RUnlock()
	return e.position
}

// Clock is the instant up to which the engine is complete; the zero time
// before the first.
func (e *Engine) Clock() time.Time {
	e.state.RLock()
	defer e.state.RUnlock()
	if e.clock == 0 {
		return time.Time{}
	}
	return instant(e.clock)
}

// Advance moves the clock to now and lets everything take effect that time
// brings about, each at its own instant, in order. An instant before the clock
// changes nothing. Errors are those of ctx, before anything is done, and of the
// Store.
func (e *Engine) Advance(ctx context.Context, now time.Time) error {
	return e.write(ctx, func() error {
		if micros(now) <= e.clock {
			return nil
		}
		e.state.Lock()
		defer e.state.Unlock()
		e.advance(micros(now))
		return e.log(journal{Advance: e.clock})
	})
}

// NextDue is the next instant at which [Engine.Advance] may find something to
// do, the zero time for none.
func (e *Engine) NextDue() time.Time {
	e.state.RLock()
	defer e.state.RUnlock()
	return instant(e.nextDue())
}

func (e *Engine) nextDue() int64 {
	due := never
	if len(e.alarms) > 0 {
		due = e.alarms[0].alarm
	}
	if len(e.waiting) > 0 {
		due = min(due, e.waiting[0].at)
	}
	return due
}

// future is an event that lies after the clock.
type future struct {
	at    int64
	seq   uint64 // ties in the order of arrival, then of the events' IDs
	d     uint32
	epoch int
	event profile.Event
	cause cause
}

type futureHeap []future

func (h futureHeap) Len() int { return len(h) }
func (h futureHeap) Less(i, j int) bool {
	a, b := &h[i], &h[j]
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq), cmp.Compare(a.event.ID, b.event.ID)) < 0
}
func (h futureHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *futureHeap) Push(x any)   { *h = append(*h, x.(future)) }
func (h *futureHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// cause is a Cause with the earliest instant at which it can have had effect.
type cause struct {
	Cause
	floor int64
	mode  profile.Mode
}

// advance brings the clock to now, one due instant after the other.
func (e *Engine) advance(now int64) {
	if now < e.clock {
		return
	}
	for {
		due := e.nextDue()
		if due > now {
			break
		}
		e.clock = max(e.clock, due)
		for len(e.waiting) > 0 && e.waiting[0].at <= e.clock {
			f := heap.Pop(&e.waiting).(future)
			if f.epoch == e.epochs[f.d] {
				e.take(f.d, &f.event)
				e.happens[f.d] = f.cause
			}
		}
		for len(e.alarms) > 0 && e.alarms[0].alarm <= e.clock {
			e.ring(e.alarms[0])
		}
		// What happens and what lapses at one instant takes effect as one.
		e.settle(cause{Cause: Cause{Kind: ByTime}, floor: e.clock}, now)
		if len(e.happens) > 0 {
			clear(e.happens)
		}
	}
	e.clock = now
}

// concern notes that a customer's membership has to be looked at.
func (e *Engine) concern(s *segmentState, d uint32) {
	if len(s.pending) == 0 {
		e.dirty = append(e.dirty, s)
	}
	s.pending = append(s.pending, d)
}

// settle brings the members of all segments noted in line with the leaves, in
// the order of the topology, then of the customers' arrival.
func (e *Engine) settle(why cause, detected int64) {
	for len(e.dirty) > 0 {
		first := 0
		for i, s := range e.dirty {
			if s.order < e.dirty[first].order {
				first = i
			}
		}
		s := e.dirty[first]
		e.dirty = slices.Delete(e.dirty, first, first+1)
		pending := s.pending
		s.pending = nil
		slices.Sort(pending)
		for _, d := range slices.Compact(pending) {
			in := e.alive.has(d) && e.member(s.root, d)
			if !s.members.set(d, in) {
				continue
			}
			why := why
			if len(e.happens) > 0 {
				if event, ok := e.happens[d]; ok {
					why = event
				}
			}
			e.turn(s, d, in, e.effective(s, d, in, why), detected, why)
		}
		if cap(pending) > cap(s.pending) {
			s.pending = pending[:0]
		}
	}
}

// member combines what is known of the leaves.
func (e *Engine) member(x *expr, d uint32) bool {
	switch x.kind {
	case nodeNot:
		return !e.member(x.kids[0], d)
	case nodeAll:
		for _, k := range x.kids {
			if !e.member(k, d) {
				return false
			}
		}
		return true
	case nodeAny:
		for _, k := range x.kids {
			if e.member(k, d) {
				return true
			}
		}
		return false
	}
	return x.state.holds(d)
}

// turned is a transition before it is written out.
type turned struct {
	segment   *segmentState
	effective int64
	d         uint32
	in        bool
	why       uint32 // place in the engine's causes
}

// detectedCause is what several transitions have in common.
type detectedCause struct {
	cause
	detected int64
}

// turn records that a customer has entered or exited, and looks at what is made
// of the segment.
func (e *Engine) turn(s *segmentState, d uint32, in bool, effective, detected int64, why cause) {
	e.record(s, d, in, effective, detected, why)
	if e.alive.has(d) {
		e.lookAll(s.asLeaf, d)
	}
}

func (e *Engine) record(s *segmentState, d uint32, in bool, effective, detected int64, why cause) {
	s.turns.add(d, effective, in)
	if n := len(e.causes); n == 0 || e.causes[n-1] != (detectedCause{why, detected}) {
		e.causes = append(e.causes, detectedCause{why, detected})
	}
	e.turned = append(e.turned, turned{s, effective, d, in, uint32(len(e.causes) - 1)})
}

// writeOut puts what turned into the next commit.
func (e *Engine) writeOut() {
	for i := range e.turned {
		x := &e.turned[i]
		why := &e.causes[x.why]
		kind := Exited
		if x.in {
			kind = Entered
		}
		e.seq++
		t := Transition{
			Seq: e.seq, Segment: x.segment.def.Name, Definition: x.segment.hash, Customer: e.dict.key(x.d), Kind: kind,
			EffectiveAt: instant(x.effective), DetectedAt: instant(why.detected), Cause: why.Cause, Mode: why.mode,
		}
		t.identify()
		e.unsaved.Transitions = append(e.unsaved.Transitions, t)
	}
	clear(e.turned)
	clear(e.causes)
	e.turned, e.causes = e.turned[:0], e.causes[:0]
}

// effective finds the instant at which membership became what it is, not
// before the cause and not before the last transition. What is known now is
// taken to have been so all along.
func (e *Engine) effective(s *segmentState, d uint32, in bool, why cause) int64 {
	from := why.floor
	if from >= e.clock {
		return e.clock // which no transition lies after
	}
	if at, ok := s.turns.latest(d); ok {
		from = max(from, at)
	}
	if from >= e.clock || why.Kind == ByTime || !e.alive.has(d) {
		return min(from, e.clock)
	}
	known := e.walk
	if known == nil {
		e.reader = view{e, d, false}
		known = &e.reader
	}
	since := from
	now, until := eval(known, s.root, from)
	for until <= e.clock {
		at := until
		var then bool
		if then, until = eval(known, s.root, at); then != now {
			now, since = then, at
		}
	}
	return since
}

// view reads a customer from the engine's columns.
type view struct {
	e *Engine
	d uint32
	// live takes other segments as they stand at the clock: their changes come
	// as turns, not by the instant of the next change.
	live bool
}

func (v *view) key() profile.ID { return v.e.dict.key(v.d) }

func (v *view) attr(name string) profile.Value {
	if c := v.e.attrs[name]; c != nil {
		return c.get(v.d)
	}
	return profile.Value{}
}

func (v *view) run(s *stream) run {
	return v.e.series[s.index].get(v.d)
}

func (v *view) handedOver() handOvers { return v.e.handOvers }

func (v *view) orderStretches() []orderStretch { return v.e.orders[v.d].stretches() }

// counts is the evaluation of a counting leaf without a run.
func (v *view) counts(l *leaf, t int64) (holds bool, until int64) {
	c := l.counting
	var room [latestMax]int64
	at := v.e.series[l.of[0].index].instants(v.d, &room)
	lo, hi := c.window.bounds(l.clocks, t)
	until = never
	for len(at) > 0 && at[0] > hi { // not yet
		until = at[0]
		at = at[1:]
	}
	n := 0
	for n < len(at) && n < c.k && at[n] > lo {
		n++
	}
	if n > 0 {
		until = min(until, later(c.window.leave(l.clocks, at[n-1]), t))
	}
	return c.holds[n], until
}

func (v *view) member(c *compiled, t int64) (bool, int64) {
	if v.live {
		return c.state.members.has(v.d), never
	}
	return eval(v, c.root, t)
}

// Transitions yields the feed of transitions after a position, in order: one
// who remembers the Seq of the last one seen misses none and sees none twice.
// A transition is there once it is in the Store. The loop may use the engine;
// what it causes is yielded too. A position behind which some were purged, 0 too,
// yields an [*ExpiredError]; see [Engine.Purge].
func (e *Engine) Transitions(ctx context.Context, after uint64) iter.Seq2[Transition, error] {
	return func(yield func(Transition, error) bool) {
		for {
			page, err := e.store.Transitions(ctx, after, transitionsPage)
			if err != nil {
				yield(Transition{}, err)
				return
			}
			for _, t := range page {
				if !yield(t, nil) {
					return
				}
				after = t.Seq
			}
			if len(page) < transitionsPage {
				return
			}
		}
	}
}

const transitionsPage = 256

// Explain says why the customer is in the segment at t, or not, by the facts
// that the engine knows; the zero t is its clock, an earlier one is [ErrPast].
// Of a count it may know no more than what the rules ask for: of seven orders,
// where three are asked for, three. The error matches [ErrUnknownSegment],
// [ErrUnknownCustomer] or ErrPast.
func (e *Engine) Explain(ctx context.Context, segment string, id profile.ID, t time.Time) (Explanation, error) {
	if err := ctx.Err(); err != nil {
		return Explanation{}, err
	}
	e.state.RLock()
	defer e.state.RUnlock()
	s := e.segments[segment]
	if s == nil {
		return Explanation{}, fmt.Errorf("%w: %s", ErrUnknownSegment, segment)
	}
	d, ok := e.dict.find(id)
	if !ok || !e.alive.has(d) {
		return Explanation{}, ErrUnknownCustomer
	}
	at := e.clock
	if !t.IsZero() {
		at = micros(t)
	}
	if at < e.clock {
		return Explanation{}, ErrPast
	}
	return explain(e.foresee(d), s.compiled, at), nil
}
