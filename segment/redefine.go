package segment

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// RedefineOptions say how [Engine.Redefine] goes about it.
type RedefineOptions struct {
	// DryRun only tells what would change.
	DryRun bool
}

// Redefined is what a new definition does to the members of a segment: the one
// that is redefined, or one that is made of it.
type Redefined struct {
	Segment  string
	Entering *Audience
	Leaving  *Audience
}

// Redefine gives a segment another rule or zone as of now, and tells who enters
// and who leaves, first of the segment itself, then of those made of it, each
// after those that it is made of. Members who belong by both rules stay
// members, without a transition; the transitions of the others are marked
// ByDefinition and Backfill. Membership history goes on: [View.MembersAt] tells
// of an instant before what was true by the definition of the time.
//
// With DryRun nothing changes, and the clock stays where it is: what lies
// between it and now is taken to be what is known to come.
//
// The same definition again changes nothing. The error matches
// [ErrUnknownSegment] for a segment that is not defined or not known to the
// rule, [ErrCycle] for a rule made of itself, [ErrPast] for a dry run before the
// engine's clock, [ErrRule] or [ErrDefinition], or is that of ctx, the History
// or the Store; nothing is redefined then. It costs an evaluation over all
// customers, and a reading of the History where the rule reads what the engine
// does not hold yet. Questions are answered meanwhile, by the old rule.
func (e *Engine) Redefine(ctx context.Context, now time.Time, def Definition, opts RedefineOptions) ([]Redefined, error) {
	if opts.DryRun {
		return e.dryRun(ctx, now, def)
	}
	var out []Redefined
	err := e.write(ctx, func() error {
		var olds []*segmentState
		var news []*compiled
		var err error
		e.locked(func() {
			if olds, news, err = e.recompile(def); err == nil && news != nil {
				e.advance(micros(now))
			}
		})
		if err != nil || news == nil {
			return err
		}
		need, err := e.gather(ctx, news...)
		if err != nil {
			e.locked(func() { e.releaseAll(news...) })
			return err
		}
		out = e.replaceAll(olds, news, need)
		return e.redefined()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// recompile makes ready the definition and all that is made of it, beside what
// they are to replace; nothing where it is no other definition.
func (e *Engine) recompile(def Definition) (olds []*segmentState, news []*compiled, err error) {
	s := e.segments[def.Name]
	switch {
	case s == nil:
		return nil, nil, fmt.Errorf("%w: %s", ErrUnknownSegment, def.Name)
	case s.hash == def.Hash():
		return nil, nil, nil
	}
	olds = []*segmentState{s}
	known := make(map[string]*compiled, len(e.segments))
	for _, other := range e.topology {
		if other != s && !other.madeOfAny(olds) {
			known[other.def.Name] = other.compiled
		} else if other != s {
			olds = append(olds, other)
		}
	}
	if err := def.check(); err != nil {
		return nil, nil, err
	}
	for _, name := range def.Rule.n.segments(nil) {
		if slices.ContainsFunc(olds, func(o *segmentState) bool { return o.def.Name == name }) {
			return nil, nil, fmt.Errorf("%w: %s is made of %s", ErrCycle, def.Name, name)
		}
	}
	for i, old := range olds {
		d := old.def
		if i == 0 {
			d = def
		}
		c, err := e.catalog.compile(d, known)
		if err != nil {
			e.releaseAll(news...)
			return nil, nil, err
		}
		known[d.Name] = c
		news = append(news, c)
	}
	return olds, news, nil
}

func (s *segmentState) madeOfAny(of []*segmentState) bool {
	for _, l := range s.leaves {
		for _, c := range l.leaf.needs {
			if slices.Contains(of, c.state) {
				return true
			}
		}
	}
	return false
}

// releaseAll takes out of the catalog what only these brought and nobody keeps.
func (e *Engine) releaseAll(cs ...*compiled) {
	for _, c := range cs {
		e.catalog.release(c, e.leaves, e.series)
	}
}

// replaceAll builds the new states beside the old ones, and shows them all at
// once.
func (e *Engine) replaceAll(olds []*segmentState, news []*compiled, need needs) []Redefined {
	e.locked(func() { e.adopt(need) })
	states := make([]*segmentState, len(news))
	effects := make([]effect, len(news))
	for i, c := range news {
		s := e.build(c, true)
		s.members.assign(e.shot(&olds[i].members))
		for d := range e.dict.len() {
			if in := e.alive.has(d) && e.member(c.root, d); s.members.set(d, in) {
				effects[i].add(d, in)
			}
		}
		states[i] = s
	}
	out := make([]Redefined, len(news))
	why := e.byDefinition()
	e.locked(func() {
		for i, s := range states {
			s.turns = olds[i].turns
			effects[i].each(func(d uint32, in bool) { e.record(s, d, in, e.clock, e.clock, why) })
			out[i] = Redefined{s.def.Name, e.audience(setOf(effects[i].entering)), e.audience(setOf(effects[i].leaving))}
		}
		e.topology = slices.DeleteFunc(e.topology, func(o *segmentState) bool { return slices.Contains(olds, o) })
		e.publish(states...)
		for _, old := range slices.Backward(olds) {
			e.detach(old)
		}
	})
	return out
}

// effect is who enters and who leaves, each in ascending order.
type effect struct{ entering, leaving []uint32 }

func (f *effect) add(d uint32, in bool) {
	if in {
		f.entering = append(f.entering, d)
	} else {
		f.leaving = append(f.leaving, d)
	}
}

func (f *effect) each(do func(d uint32, in bool)) {
	for _, d := range f.entering {
		do(d, true)
	}
	for _, d := range f.leaving {
		do(d, false)
	}
}

func (e *Engine) audience(s *set) *Audience {
	return &Audience{dict: e.dict, set: s, at: instant(e.clock)}
}

// dryRun evaluates the old and the new rules over all customers.
func (e *Engine) dryRun(ctx context.Context, now time.Time, def Definition) ([]Redefined, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names, befores, afters, err := e.planRedefinition(ctx, now, def)
	if err != nil {
		return nil, err
	}
	out := make([]Redefined, len(afters))
	for i, q := range afters {
		before, err := befores[i].set(ctx)
		if err != nil {
			return nil, err
		}
		after, err := q.set(ctx)
		if err != nil {
			return nil, err
		}
		audience := func(s *set) *Audience { return &Audience{dict: e.dict, set: s, at: instant(q.t)} }
		out[i] = Redefined{names[i], audience(combineSets(opAndNot, after, before)), audience(combineSets(opAndNot, before, after))}
	}
	return out, nil
}

// planRedefinition pins what the evaluation of the old and the new rules reads.
func (e *Engine) planRedefinition(ctx context.Context, now time.Time, def Definition) (names []string, befores, afters []*query, err error) {
	e.writer.Lock()
	defer e.writer.Unlock()
	var olds []*segmentState
	var news []*compiled
	e.locked(func() { olds, news, err = e.recompile(def) })
	if err != nil {
		return nil, nil, nil, err
	}
	need, err := e.gather(ctx, news...)
	e.state.Lock()
	defer e.state.Unlock()
	defer e.releaseAll(news...)
	if err != nil {
		return nil, nil, nil, err
	}
	e.adopt(need)
	for i, c := range news {
		names = append(names, c.def.Name)
		for _, side := range []*compiled{olds[i].compiled, c} {
			q, err := e.pinned(now, side)
			if err != nil {
				return nil, nil, nil, err
			}
			if side == c {
				afters = append(afters, q)
			} else {
				befores = append(befores, q)
			}
		}
	}
	return names, befores, afters, nil
}
