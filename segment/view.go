package segment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrUnknownCustomer reports a customer whom the engine does not know.
var ErrUnknownCustomer = errors.New("segment: unknown customer")

// View is a live look at one segment, whatever definition it has at the time.
type View struct {
	e    *Engine
	name string
}

// View gives a live look at a segment. The error matches [ErrUnknownSegment].
func (e *Engine) View(segment string) (*View, error) {
	v := &View{e, segment}
	if v.segment() == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownSegment, segment)
	}
	return v, nil
}

// segment finds the state without waiting, nil once the segment is dropped.
func (v *View) segment() *segmentState {
	s, ok := v.e.names.Load(v.name)
	if !ok {
		return nil
	}
	return s.(*segmentState)
}

// Len is the number of members at the engine's clock, 0 once the segment is
// dropped. It never waits.
func (v *View) Len() int {
	if s := v.segment(); s != nil {
		return s.members.len()
	}
	return 0
}

// Contains reports whether the customer is a member at the engine's clock. It
// never waits, not even for the engine.
func (v *View) Contains(id profile.ID) bool {
	s := v.segment()
	d, ok := v.e.dict.find(id)
	return s != nil && ok && s.members.has(d)
}

// Audience is the members at the engine's clock, as an immutable set. The error
// matches [ErrUnknownSegment].
func (v *View) Audience() (*Audience, error) {
	v.e.state.Lock()
	defer v.e.state.Unlock()
	s := v.e.segments[v.name]
	if s == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownSegment, v.name)
	}
	return &Audience{dict: v.e.dict, set: s.members.snapshot(), at: instant(v.e.clock)}, nil
}

// MembersAt is the members at an instant not after the engine's clock, by the
// transitions: those that have been detected since, too. The error matches
// [ErrUnknownSegment].
func (v *View) MembersAt(t time.Time) (*Audience, error) {
	e, m := v.e, micros(t)
	e.state.Lock()
	defer e.state.Unlock()
	s := e.segments[v.name]
	switch {
	case s == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnknownSegment, v.name)
	case m > e.clock:
		return nil, fmt.Errorf("segment: members at %s: the clock is not there yet", t.UTC().Format(time.RFC3339))
	}
	return &Audience{dict: e.dict, set: s.turns.membersAt(s.members.snapshot(), m), at: instant(m)}, nil
}

// ContainsAt reports whether the customer is a member at t. For t before the
// engine's clock that is what the transitions say; for a later t, what will be
// if nothing more happens, so that an answer does not depend on how recently
// the engine was advanced. A former ID stands for the present one, and a
// customer whom nobody knows is no member. The error matches
// [ErrUnknownSegment] or is that of the History.
func (v *View) ContainsAt(ctx context.Context, id profile.ID, t time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	in, known, err := v.containsAt(id, t)
	if known || err != nil {
		return in, err
	}
	p, err := v.e.history.Get(ctx, id)
	switch {
	case err != nil && absent(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("segment: resolve customer: %w", err)
	}
	in, _, err = v.containsAt(p.ID, t)
	return in, err
}

func (v *View) containsAt(id profile.ID, t time.Time) (in, known bool, err error) {
	e, m := v.e, micros(t)
	e.state.RLock()
	defer e.state.RUnlock()
	s := e.segments[v.name]
	if s == nil {
		return false, false, fmt.Errorf("%w: %s", ErrUnknownSegment, v.name)
	}
	d, ok := e.dict.find(id)
	switch {
	case !ok:
		return false, false, nil
	case m < e.clock:
		_, turned := s.turns.latest(d)
		return s.turns.contains(d, m), e.alive.has(d) || turned, nil
	case !e.alive.has(d):
		return false, false, nil
	case m == e.clock:
		return s.members.has(d), true, nil
	}
	in, _ = eval(e.foresee(d), s.root, m)
	return in, true, nil
}

// foresee reads a customer with the events that lie ahead.
func (e *Engine) foresee(d uint32) facts {
	var events []profile.Event
	for i := range e.waiting {
		if f := &e.waiting[i]; f.d == d && f.epoch == e.epochs[d] {
			events = append(events, f.event)
		}
	}
	if events == nil {
		return &view{e, d, false}
	}
	return e.foreseen(d, events)
}

// foreseen is a view of a customer with events that lie ahead.
func (e *Engine) foreseen(d uint32, events []profile.Event) *foresight {
	f := &foresight{view: view{e, d, false}, coming: events, runs: map[*stream]run{}}
	for i := range events {
		fact, ok := orderFactOf(&events[i])
		if !ok {
			continue
		}
		if f.book == nil {
			f.book = &orderBook{}
			if have := e.orders[d]; have != nil {
				f.book.groups = slices.Clone(have.groups)
			}
		}
		f.book.add(fact)
	}
	return f
}

// foresight is a view with the events that are known to come.
type foresight struct {
	view
	coming []profile.Event
	book   *orderBook // nil where no order event comes
	runs   map[*stream]run
}

func (f *foresight) run(s *stream) run {
	r, ok := f.runs[s]
	if !ok {
		r = f.merge(s, f.view.run(s))
		f.runs[s] = r
	}
	return r
}

func (f *foresight) orderStretches() []orderStretch {
	if f.book != nil {
		return f.book.stretches()
	}
	return f.view.orderStretches()
}

// merge adds what is to come to the facts of a stream so far.
func (f *foresight) merge(s *stream, r run) run {
	if s.source.ofOrders() {
		if f.book == nil {
			return r
		}
		return s.runOf(nil, f.book.stretches())
	}
	extra := s.runOf(f.coming, nil)
	if extra.len() == 0 {
		return r
	}
	all := run{at: slices.Concat(r.at, extra.at)}
	if s.property != "" {
		all.val = slices.Concat(r.val, extra.val)
	}
	all.sort()
	return all
}

func (f *foresight) member(c *compiled, t int64) (bool, int64) { return eval(f, c.root, t) }
