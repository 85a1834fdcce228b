package segment

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrUnknownCustomer reports a customer whom the engine does not know.
var ErrUnknownCustomer = errors.New("segment: unknown customer")

// View is a live look at one segment.
type View struct {
	e    *Engine
	name string
}

// View gives a live look at a segment. The error matches [ErrUnknownSegment].
func (e *Engine) View(segment string) (*View, error) {
	e.state.RLock()
	defer e.state.RUnlock()
	if e.segments[segment] == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownSegment, segment)
	}
	return &View{e, segment}, nil
}

// Len is the number of members at the engine's clock, 0 once the segment is dropped.
func (v *View) Len() int {
	v.e.state.RLock()
	defer v.e.state.RUnlock()
	if s := v.e.segments[v.name]; s != nil {
		return s.size
	}
	return 0
}

// Contains reports whether the customer is a member at the engine's clock.
func (v *View) Contains(id profile.ID) bool {
	v.e.state.RLock()
	defer v.e.state.RUnlock()
	s := v.e.segments[v.name]
	d, ok := v.e.numbers[id]
	return s != nil && ok && s.members.has(d)
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
	d, ok := e.numbers[id]
	switch {
	case !ok:
		return false, false, nil
	case m < e.clock:
		turns := s.turns[d]
		n := sort.Search(len(turns), func(i int) bool { return turns[i] > m })
		return n%2 == 1, e.alive.has(d) || n > 0, nil
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
		return view{e, d, false}
	}
	return foresight{view{e, d, false}, events}
}

// foresight is a view with the events that are known to come.
type foresight struct {
	view
	coming []profile.Event
}

func (f foresight) run(s *stream) run {
	r := f.view.run(s)
	if s.source != sourceEvents {
		book := &orderBook{}
		if have := f.e.orders[f.d]; have != nil {
			book.groups = append(book.groups, have.groups...)
		}
		for i := range f.coming {
			if fact, ok := orderFactOf(&f.coming[i]); ok {
				book.add(fact)
			}
		}
		return s.runOf(nil, book.stretches())
	}
	extra := s.runOf(f.coming, nil)
	if extra.len() == 0 {
		return r
	}
	all := run{at: append(append([]int64(nil), r.at...), extra.at...)}
	if s.property != "" {
		all.val = append(append([]profile.Value(nil), r.val...), extra.val...)
	}
	all.sort()
	return all
}

func (f foresight) member(c *compiled, t int64) (bool, int64) { return eval(f, c.root, t) }
