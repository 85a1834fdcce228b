package segment

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// Apply takes the next changes of the feed, in order. Before each, everything
// that fell due up to its recorded time takes effect. A change that was applied
// before is skipped, one that leaves a gap is [ErrGap]. On an error the changes
// before it are applied and the one at fault is not at all; Position tells
// where to go on.
//
// A new event or trait costs what the rules that read it cost, wherever in
// time it lies. Merges, splits, retractions and erasures read the customers
// concerned anew from the History.
func (e *Engine) Apply(ctx context.Context, changes ...profile.Change) error {
	return e.write(ctx, func() error {
		for len(changes) > 0 {
			n := min(len(changes), applyAhead)
			if err := e.applySome(ctx, changes[:n]); err != nil {
				return err
			}
			changes = changes[n:]
		}
		return nil
	})
}

// applySome reads all payloads first, so that what they are about to change
// can be fetched at once.
func (e *Engine) applySome(ctx context.Context, changes []profile.Change) error {
	for len(changes) > 0 && changes[0].Seq <= e.position {
		changes = changes[1:]
	}
	inputs, problem := e.readAll(ctx, changes)
	e.touchAll(changes, inputs)
	for i, in := range inputs {
		c := &changes[i]
		if c.Seq <= e.position {
			continue
		}
		if e.needsPast(c, &in) {
			r, there, err := e.load(ctx, c.Profile, c.Seq)
			if err != nil {
				return err
			}
			if there {
				in.Past = &r
			}
		}
		if err := e.log(journal{Change: c, Input: in}); err != nil {
			return err
		}
		e.step(c, in)
		// An erasure ends a commit: the key may be given to someone new.
		if e.erased || len(e.unsaved.Inputs) >= commitInputs || len(e.turned) >= commitTransitions {
			if err := e.commit(ctx); err != nil {
				return err
			}
		}
	}
	return problem
}

// readAll reads the payloads of changes up to the first that cannot be applied,
// and what is wrong with that one.
func (e *Engine) readAll(ctx context.Context, changes []profile.Change) ([]input, error) {
	inputs := make([]input, 0, len(changes))
	position := e.position
	for i := range changes {
		c := &changes[i]
		var in input
		switch {
		case c.Seq > position+1:
			return inputs, fmt.Errorf("%w: %d after %d", ErrGap, c.Seq, position)
		case c.Seq == position+1:
			err := ctx.Err()
			if err == nil {
				in, err = e.read(ctx, c)
			}
			if err != nil {
				return inputs, err
			}
			position++
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// touchAll brings nearer what the events among changes are about to change.
func (e *Engine) touchAll(changes []profile.Change, inputs []input) {
	var customers [applyAhead]uint32
	for i, in := range inputs {
		if in.Event == nil || e.routesOf(in.Event.Name) == nil {
			continue
		}
		if slices.ContainsFunc(inputs[:i], func(b input) bool { return b.Event != nil && b.Event.Name == in.Event.Name }) {
			continue // with the first of the name
		}
		n := 0
		for j := i; j < len(inputs); j++ {
			if b := inputs[j].Event; b == nil || b.Name != in.Event.Name {
				continue
			}
			if d, ok := e.dict.find(changes[j].Profile); ok {
				customers[n] = d
				n++
			}
		}
		e.touch(in.Event.Name, customers[:n])
	}
}

// A long Apply commits on the way, so that no commit is long.
const (
	commitInputs      = 256
	commitTransitions = 4096
)

// applyAhead is how many changes are read before the first of them is applied.
const applyAhead = 64

// routesOf finds whom events of a name concern, nil for nobody.
func (e *Engine) routesOf(name string) *routes[*seriesColumn] {
	if e.recent.to == nil || e.recent.name != name {
		e.recent.name, e.recent.to = name, e.byEvent[name]
	}
	return e.recent.to
}

// touch brings what events of a name are about to change nearer.
func (e *Engine) touch(name string, customers []uint32) {
	if to := e.routesOf(name); to != nil {
		for _, col := range to.always {
			if col.latest == nil || !col.latest.beyond(farRows) {
				continue
			}
			col.latest.touch(customers)
			if !col.latest.beyond(farAnswers) {
				continue
			}
			for _, l := range col.leaves {
				col.latest.touched += l.peek(col.latest, e.clock, customers)
			}
		}
	}
}

// step takes in one change.
func (e *Engine) step(c *profile.Change, in input) {
	e.state.Lock()
	defer e.state.Unlock()
	e.advance(micros(c.RecordedAt))
	e.apply(c, in)
	e.position = c.Seq
}

// CatchUp applies the changes of the History that are new, and returns when
// there are no more.
func (e *Engine) CatchUp(ctx context.Context) error {
	var batch []profile.Change
	for c, err := range e.history.Changes(ctx, e.Position()) {
		if err != nil {
			return fmt.Errorf("segment: read changes: %w", err)
		}
		if batch = append(batch, c); len(batch) == commitInputs {
			if err := e.Apply(ctx, batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return e.Apply(ctx, batch...)
}

// input is a change's payloads.
type input struct {
	Event  *profile.Event  `json:"event,omitempty"` // observed
	Owner  profile.ID      `json:"owner,omitempty"` // whose the event is by now
	Traits []profile.Trait `json:"traits,omitempty"`
	Golden bool            `json:"golden,omitempty"` // traits were read
	Since  int64           `json:"since,omitempty"`  // when they changed, 0 for unknown
	Loaded []loadedRecord  `json:"loaded,omitempty"`
	Past   *Record         `json:"past,omitempty"` // see needsPast
}

// loadedRecord is all that is known of a customer who has to be read anew.
type loadedRecord struct {
	ID     profile.ID `json:"id"`
	There  bool       `json:"there,omitempty"`
	Record Record     `json:"record,omitzero"`
}

func (e *Engine) read(ctx context.Context, c *profile.Change) (in input, err error) {
	switch c.Kind {
	case profile.Observed:
		event, owner, err := e.history.Event(ctx, c.Event)
		switch {
		case err == nil:
			in.Event, in.Owner = &event, owner
		case !absent(err):
			return in, fmt.Errorf("segment: read event: %w", err)
		}
	case profile.TraitChanged:
		if !slices.ContainsFunc(c.Names, func(name string) bool { return e.attrs[name] != nil }) {
			return in, nil
		}
		p, err := e.history.Get(ctx, c.Profile)
		switch {
		case err == nil && p.ID == c.Profile:
			in.Traits, in.Golden = p.Traits, true
		case err != nil && !absent(err):
			return in, fmt.Errorf("segment: read traits: %w", err)
		}
		event, _, err := e.history.Event(ctx, c.Event)
		switch {
		case err == nil:
			in.Since = micros(event.Time)
		case !absent(err):
			return in, fmt.Errorf("segment: read event: %w", err)
		}
	case profile.Unlinked, profile.Retracted, profile.Merged, profile.Split, profile.Restricted, profile.Resumed, profile.Erased:
		for _, id := range []profile.ID{c.Profile, c.Other} {
			switch {
			case id == "":
				continue
			case c.Kind == profile.Merged && id == c.Other, c.Kind == profile.Erased:
				// Whoever has the ID by now comes with changes to come.
				in.Loaded = append(in.Loaded, loadedRecord{ID: id})
				continue
			}
			r, there, err := e.load(ctx, id, c.Seq)
			if err != nil {
				return in, err
			}
			in.Loaded = append(in.Loaded, loadedRecord{id, there, r})
		}
	}
	return in, nil
}

// load reads a customer as of a position: the history may be ahead of it, and
// what it has in store will come as changes of their own.
func (e *Engine) load(ctx context.Context, id profile.ID, position uint64) (Record, bool, error) {
	r, ok, err := load(ctx, e.history, id)
	if err != nil || !ok {
		return Record{}, false, err
	}
	if err := e.ahead.refresh(ctx, e.history, position); err != nil {
		return Record{}, false, err
	}
	r.Events = slices.DeleteFunc(r.Events, func(ev profile.Event) bool { return e.ahead.events[ev.ID] > position })
	return r, true, nil
}

// ahead knows the events that the history has recorded and the engine has not
// applied yet.
type ahead struct {
	upTo   uint64
	events map[string]uint64
}

func (a *ahead) refresh(ctx context.Context, h History, position uint64) error {
	if a.events == nil {
		a.events = map[string]uint64{}
	}
	a.upTo = max(a.upTo, position)
	for c, err := range h.Changes(ctx, a.upTo) {
		if err != nil {
			return fmt.Errorf("segment: read changes: %w", err)
		}
		if c.Kind == profile.Observed {
			a.events[c.Event] = c.Seq
		}
		a.upTo = c.Seq
	}
	return nil
}

// needsPast reports whether the columns cannot tell since when a membership is
// what the change makes it: the change took effect in the past, and of a stream
// of which only the latest instants are kept there are later ones.
func (e *Engine) needsPast(c *profile.Change, in *input) bool {
	d, ok := e.dict.find(c.Profile)
	if !ok || !e.alive.has(d) {
		return false
	}
	floor := in.Since
	if in.Event != nil {
		floor = micros(in.Event.Time)
	}
	if in.Event == nil && in.Since == 0 || floor >= max(e.clock, micros(c.RecordedAt)) {
		return false
	}
	by := max(e.clock, micros(c.RecordedAt))
	asks := func(l *leafState) bool { return l.mayTurn(d, floor, by) && e.behind(l, d, floor) }
	if in.Event == nil {
		for _, name := range c.Names {
			if col := e.attrs[name]; col != nil && slices.ContainsFunc(col.leaves, asks) {
				return true
			}
		}
		return false
	}
	asked := false
	offer := func(col *seriesColumn) { asked = asked || slices.ContainsFunc(col.leaves, asks) }
	e.eachColumn(in.Event, offer)
	if in.Event.Order != nil {
		for _, col := range e.byOrder {
			offer(col)
		}
	}
	return asked
}

// behind reports whether a segment that a leaf may turn reads a stream of which
// only the latest instants are kept, and there are some after an instant.
func (e *Engine) behind(l *leafState, d uint32, floor int64) bool {
	var room [latestMax]int64
	for _, s := range l.users {
		for _, m := range s.leaves {
			if m.column == nil || m.column.latest == nil {
				continue
			}
			if at := m.column.instants(d, &room); len(at) > 0 && at[0] > floor {
				return true
			}
		}
		for _, other := range s.asLeaf {
			if e.behind(other, d, floor) {
				return true
			}
		}
	}
	return false
}

// apply takes in a change at the clock.
func (e *Engine) apply(c *profile.Change, in input) {
	if (c.Kind == profile.Observed || c.Kind == profile.TraitChanged) && e.dismissed(c.Profile) {
		delete(e.ahead.events, c.Event)
		return
	}
	why := cause{Cause: Cause{Kind: ByIdentity, Change: c.Seq}, floor: e.clock, mode: c.Mode}
	switch c.Kind {
	case profile.Created:
		e.admit(c.Profile)
	case profile.Observed:
		delete(e.ahead.events, c.Event)
		if in.Event == nil || in.Owner != c.Profile && !e.known(c.Profile) {
			return
		}
		d := e.admit(c.Profile)
		e.recall(d, in.Past)
		why.Kind, why.Event, why.floor = ByEvent, c.Event, micros(in.Event.Time)
		if why.floor > e.clock {
			heap.Push(&e.waiting, future{why.floor, c.Seq, d, e.epochs[d], *in.Event, why})
			break
		}
		e.take(d, in.Event)
	case profile.TraitChanged:
		if !in.Golden {
			return
		}
		d := e.admit(c.Profile)
		e.recall(d, in.Past)
		why.Kind, why.Event = ByTrait, c.Event
		if in.Since != 0 {
			why.floor = in.Since
		}
		for _, name := range c.Names {
			col := e.attrs[name]
			if col == nil {
				continue
			}
			var v profile.Value
			if i := slices.IndexFunc(in.Traits, func(t profile.Trait) bool { return t.Name == name }); i >= 0 {
				v = plainNumber(in.Traits[i].Value)
			}
			e.assign(col, d, v)
		}
	case profile.Unlinked, profile.Retracted, profile.Merged, profile.Split, profile.Restricted, profile.Resumed, profile.Erased:
		for _, l := range in.Loaded {
			if l.There {
				e.replace(e.admit(l.ID), &l.Record, why)
			} else {
				e.dismiss(l.ID)
			}
		}
	}
	e.settle(why, e.clock)
	e.walk = nil
	if c.Kind == profile.Erased {
		e.forget(c.Profile)
		if c.Other != "" { // a row of a former ID
			e.forget(c.Other)
		}
	}
}

// recall makes ready what was read of a customer's past.
func (e *Engine) recall(d uint32, r *Record) {
	if r != nil {
		e.walk = &recalled{view{e, d, false}, newSubject(e.catalog, *r)}
	}
}

// recalled is a view whose facts are from the history, all of them.
type recalled struct {
	view
	past *subject
}

func (r *recalled) run(s *stream) run { return r.past.run(s) }

func (r *recalled) member(c *compiled, t int64) (bool, int64) { return eval(r, c.root, t) }

func (e *Engine) known(id profile.ID) bool {
	d, ok := e.dict.find(id)
	return ok && e.alive.has(d)
}

// dismissed reports whether a customer went, or is restricted: whatever they do
// counts for nothing until a change of who they are brings them back, read anew.
func (e *Engine) dismissed(id profile.ID) bool {
	d, ok := e.dict.find(id)
	return ok && !e.alive.has(d)
}

// admit gives the number of a customer, who comes to be if need be.
func (e *Engine) admit(id profile.ID) uint32 {
	d, ok := e.dict.find(id)
	if !ok {
		d = e.dict.add(id)
	}
	if e.alive.set(d, true) {
		for _, s := range e.welcoming {
			e.concern(s, d)
		}
		e.lookAll(e.functionLeaves, d)
	}
	return d
}

// take counts an event that has happened.
func (e *Engine) take(d uint32, ev *profile.Event) {
	e.eachColumn(ev, func(col *seriesColumn) { e.offer(col, d, ev) })
	if e.orders == nil {
		return
	}
	if f, ok := orderFactOf(ev); ok {
		book := e.orders[d]
		if book == nil {
			book = &orderBook{}
			e.orders[d] = book
		}
		book.add(f)
		for _, col := range e.byOrder {
			col.set(d, col.stream.runOf(nil, book.stretches()))
			e.lookAll(col.leaves, d)
		}
	}
}

// eachColumn calls f for the columns that an event may concern, orders aside.
func (e *Engine) eachColumn(ev *profile.Event, f func(*seriesColumn)) {
	property := func(name string) profile.Value { return eventProperty(ev, name) }
	if to := e.routesOf(ev.Name); to != nil {
		to.each(property, f)
	}
	if len(ev.Relations) > 0 && ev.Name != "" {
		if to := e.byEvent[""]; to != nil {
			to.each(property, f)
		}
	}
}

// offer lets a column count an event, if it is one of its stream.
func (e *Engine) offer(col *seriesColumn, d uint32, ev *profile.Event) {
	at, v, ok := col.stream.take(ev)
	switch {
	case !ok:
	case col.latest != nil:
		e.count(col, d, at)
	default:
		col.add(d, at, v)
		e.lookAll(col.leaves, d)
	}
}

func (e *Engine) lookAll(leaves []*leafState, d uint32) {
	for _, l := range leaves {
		e.look(l, d)
	}
}

func (e *Engine) assign(col *attrColumn, d uint32, v profile.Value) {
	old := col.get(d)
	if old == v {
		return
	}
	col.set(d, v)
	e.lookAll(col.routes.always, d)
	for i := range col.routes.byName {
		look := func(l *leafState) { e.look(l, d) }
		col.routes.byName[i].each(old, look)
		col.routes.byName[i].each(v, look)
	}
}

// replace makes a customer what a record says.
func (e *Engine) replace(d uint32, r *Record, why cause) {
	e.epochs[d]++
	past := make([]profile.Event, 0, len(r.Events))
	for _, ev := range r.Events {
		at := micros(ev.Time)
		if at <= e.clock {
			past = append(past, ev)
			continue
		}
		later := why
		later.floor, later.Event = at, ev.ID
		heap.Push(&e.waiting, future{at, why.Change, d, e.epochs[d], ev, later})
	}
	for _, col := range e.attrs {
		col.set(d, plainNumber(r.Traits[col.name]))
	}
	e.fill(d, past, e.series)
	for _, l := range e.leaves {
		e.look(l, d)
	}
}

// fill sets the facts of some streams from the events that have happened.
func (e *Engine) fill(d uint32, past []profile.Event, columns []*seriesColumn) {
	if e.orders != nil {
		delete(e.orders, d)
		if book := orderBookOf(past); book != nil {
			e.orders[d] = book
		}
	}
	for _, col := range columns {
		if col == nil {
			continue
		}
		col.set(d, col.stream.runOf(past, e.orders[d].stretches()))
	}
}

// dismiss ends a customer.
func (e *Engine) dismiss(id profile.ID) {
	d, ok := e.dict.find(id)
	if !ok || !e.alive.set(d, false) {
		return
	}
	e.epochs[d]++
	for _, col := range e.attrs {
		col.set(d, profile.Value{})
	}
	e.fill(d, nil, e.series)
	for _, l := range e.leaves {
		l.unlook(d)
	}
	for _, s := range e.topology {
		if s.members.has(d) {
			e.concern(s, d)
		}
	}
}

// forget removes what still names a customer who was erased: transitions
// stay, without the customer.
func (e *Engine) forget(id profile.ID) {
	e.erased = true // the change itself names the customer
	d, ok := e.dict.find(id)
	if !ok {
		return
	}
	for _, s := range e.topology {
		s.turns.forget(d)
	}
	e.writeOut()
	for i := range e.unsaved.Transitions {
		if e.unsaved.Transitions[i].Customer == id {
			e.unsaved.Transitions[i].Customer = ""
		}
	}
	e.unsaved.Erased = append(e.unsaved.Erased, id)
	e.dict.remove(id)
}

// Erase forgets a customer as an erasure in the feed does: who was a member
// exits, and no transition, past or present, names the customer any more. With
// a Store it writes a checkpoint, so that nothing older is left. One who is
// not known is no error.
func (e *Engine) Erase(ctx context.Context, id profile.ID) error {
	return e.write(ctx, func() error {
		e.state.Lock()
		defer e.state.Unlock()
		e.dismiss(id)
		e.settle(cause{Cause: Cause{Kind: ByIdentity}, floor: e.clock}, e.clock)
		e.forget(id)
		return nil
	})
}

// Export yields what the engine holds on a customer: the transitions that are
// kept, oldest first.
func (e *Engine) Export(ctx context.Context, id profile.ID) iter.Seq2[Transition, error] {
	return func(yield func(Transition, error) bool) {
		var expired *ExpiredError
		for after, again := uint64(0), true; again; {
			again = false
			for t, err := range e.Transitions(ctx, after) {
				if errors.As(err, &expired) && expired.Oldest > after {
					after, again = expired.Oldest, true
					break
				}
				if err == nil {
					after = t.Seq
					if t.Customer != id {
						continue
					}
				}
				if !yield(t, err) {
					return
				}
			}
		}
	}
}
