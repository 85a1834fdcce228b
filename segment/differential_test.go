package segment

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

var (
	worlds = flag.Int("worlds", 2_500, "random worlds of the differential test")
	seed   = flag.Uint64("seed", 1, "seed of the first world of the differential test")
)

// TestEvaluatorsAgree lets random rules meet random histories: late, early,
// duplicate and retracted events, refunds, merges, splits, erasures, clock
// changes. After every step every evaluator gives the same members.
func TestEvaluatorsAgree(t *testing.T) {
	n := *worlds
	if testing.Short() {
		n = min(n, 1000)
	}
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	_, err := EachSeed(*seed, n, func(seed uint64) (int, error) {
		_, err := runWorld(seed, nil)
		return 1, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRestartsChangeNothing resumes the engine from its store in the middle of
// random worlds. The transitions are those of a run without restarts.
func TestRestartsChangeNothing(t *testing.T) {
	n := *worlds / 10
	t.Logf("%d worlds from seed %d (-worlds, -seed)", n, *seed)
	_, err := EachSeed(*seed, n, func(seed uint64) (int, error) {
		want, err := runWorld(seed, nil)
		if err != nil {
			return 0, err
		}
		got, err := runWorld(seed, rand.New(rand.NewPCG(seed, 11)))
		if err != nil {
			return 0, fmt.Errorf("with restarts: %w", err)
		}
		if !slices.Equal(got, want) {
			return 0, fmt.Errorf("with restarts\n%+v\nwithout\n%+v", got, want)
		}
		return 1, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func runWorld(seed uint64, restarts *rand.Rand) ([]Transition, error) {
	w := newWorld(seed)
	ctx := context.Background()
	now := w.start.Add(time.Duration(w.rng.IntN(10)) * 24 * time.Hour)
	h := &MemoryHistory{Now: func() time.Time { return now }}
	var defs []Definition
	var names []string
	for i := range 2 + w.rng.IntN(2) {
		def := Definition{Name: fmt.Sprint("s", i), Rule: w.rule(names, 2), Zone: pick(w, w.zone, "")}
		defs = append(defs, def)
		names = append(names, def.Name)
	}
	rules, err := Compile(defs...)
	if err != nil {
		return nil, err
	}
	cfg := Config{History: h, Workers: 2}
	if restarts != nil {
		cfg.Store = &MemoryStore{}
		for _, d := range defs {
			cfg.Functions = append(cfg.Functions, functionsOf(d.Rule)...)
		}
	}
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	restart := func() error {
		if restarts == nil || restarts.IntN(3) > 0 {
			return nil
		}
		e, err = Resume(ctx, cfg)
		return err
	}
	// Some segments are defined at once, some in the middle, some at the end.
	toDefine := slices.Clone(defs)
	define := func(upTo int) error {
		for len(toDefine) > 0 && len(defs)-len(toDefine) < upTo {
			if err := e.Define(ctx, now, toDefine[0]); err != nil {
				return err
			}
			toDefine = toDefine[1:]
		}
		return nil
	}
	if err := define(w.rng.IntN(3)); err != nil {
		return nil, err
	}
	var seen []profile.Event
	var cursor uint64
	const steps = 14
	for i := range steps {
		if err := w.step(h, &seen); err != nil {
			return nil, err
		}
		if w.rng.IntN(3) == 0 {
			if err := define(w.rng.IntN(len(defs) + 1)); err != nil {
				return nil, err
			}
		}
		if i == steps-1 {
			if err := define(len(defs)); err != nil {
				return nil, err
			}
		}
		if i < steps-1 && w.rng.IntN(3) == 0 {
			continue // the engine falls behind
		}
		if err := e.CatchUp(ctx); err != nil {
			return nil, err
		}
		if w.rng.IntN(8) == 0 {
			if err := e.HandOver(ctx, w.handOver()); err != nil {
				return nil, err
			}
		}
		if err := restart(); err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		if err := agree(e, rules, h, e.Clock(), i%5 == 4); err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		before := e.Clock()
		if w.rng.IntN(2) == 0 {
			now = now.Add(time.Duration(w.rng.Int64N(int64(4*24*time.Hour/w.grid))) * w.grid)
			if err := agreeAt(e, rules, h, now, i%5 == 0); err != nil {
				return nil, fmt.Errorf("step %d, before the sweep: %w", i, err)
			}
			if err := e.Advance(ctx, now); err != nil {
				return nil, err
			}
			if err := agree(e, rules, h, now, i%5 == 1); err != nil {
				return nil, fmt.Errorf("step %d, after the sweep: %w", i, err)
			}
		}
		for tr, err := range e.Transitions(ctx, cursor) {
			if err != nil {
				return nil, err
			}
			cursor = tr.Seq
			if tr.Cause.Kind == ByTime && tr.EffectiveAt.After(before) {
				if err := lapsed(e, rules, h, tr); err != nil {
					return nil, fmt.Errorf("step %d: %w", i, err)
				}
			}
		}
	}
	return transitionsOf(e), consistent(e)
}

// recordOf is all that is known of a customer, hand-overs included.
func recordOf(e *Engine, h *MemoryHistory, id profile.ID) (Record, bool, error) {
	r, there, err := load(context.Background(), h, id)
	for kind, list := range e.handOvers {
		for _, x := range list {
			r.HandOvers = append(r.HandOvers, profile.HandOver{Type: kind, From: x.From, To: x.To, At: instant(x.At)})
		}
	}
	return r, there, err
}

// agree compares everything known of the present.
func agree(e *Engine, rules *Ruleset, h *MemoryHistory, now time.Time, batch bool) error {
	for name, s := range e.segments {
		size := 0
		for _, id := range []profile.ID{"li", "wu", "xu", "yu"} {
			r, there, err := recordOf(e, h, id)
			if err != nil {
				return err
			}
			v, err := e.View(name)
			if err != nil {
				return err
			}
			got := v.Contains(id)
			if got {
				size++
			}
			if !there {
				if got {
					return fmt.Errorf("%s: %s is a member and not there", name, id)
				}
				continue
			}
			want, err := rules.Recount(name, r, now)
			if err != nil {
				return err
			}
			match, err := rules.Match(name, r, now)
			if err != nil {
				return err
			}
			if match != want || got != want {
				return fmt.Errorf("%s of %s at %s: by definition %t, per customer %t, engine %t\nrule: %s\nevents: %+v\ntraits: %v",
					id, name, now, want, match, got, s.def.Rule, r.Events, r.Traits)
			}
		}
		if batch {
			if err := batchAgrees(e, s.def, time.Time{}, s.members.snapshot()); err != nil {
				return err
			}
		}
		if size != s.members.len() {
			return fmt.Errorf("%s: %d members, size %d", name, size, s.members.len())
		}
	}
	return nil
}

// batchAgrees compares the members with those of an evaluation over all customers.
func batchAgrees(e *Engine, def Definition, at time.Time, want *set) error {
	def.Name = "query"
	a, err := e.Select(context.Background(), at, def)
	if err != nil {
		return err
	}
	n, err := e.Count(context.Background(), at, def)
	if err != nil {
		return err
	}
	if n != a.Len() || !slices.Equal(members(a.set), members(want)) {
		plan, _ := e.Plan(context.Background(), at, def)
		return fmt.Errorf("batch at %s gives %v, counts %d, expected %v\nrule: %s\n%s", at, members(a.set), n, members(want), def.Rule, plan)
	}
	return nil
}

// agreeAt compares what the engine says of an instant before it gets there.
func agreeAt(e *Engine, rules *Ruleset, h *MemoryHistory, at time.Time, batch bool) error {
	ctx := context.Background()
	for name, s := range e.segments {
		var all []uint32
		for _, id := range []profile.ID{"li", "wu", "xu", "yu"} {
			r, there, err := recordOf(e, h, id)
			if err != nil {
				return err
			}
			want := false
			if there {
				if want, err = rules.Recount(name, r, at); err != nil {
					return err
				}
			}
			if d, ok := e.dict.find(id); ok && want {
				all = append(all, d)
			}
			v, err := e.View(name)
			if err != nil {
				return err
			}
			if got, err := v.ContainsAt(ctx, id, at); err != nil || got != want {
				return fmt.Errorf("%s of %s ahead at %s: by definition %t, engine %t (%v)\nrule: %s", id, name, at, want, got, err, s.def.Rule)
			}
			if !there {
				continue
			}
			x, err := e.Explain(ctx, name, id, e.Clock())
			if err != nil {
				return err
			}
			for _, probe := range []time.Duration{-time.Microsecond, 0} {
				if x.Changes.IsZero() {
					break
				}
				in, err := rules.Recount(name, r, x.Changes.Add(probe))
				if err != nil {
					return err
				}
				if (in == x.Member) != (probe < 0) {
					return fmt.Errorf("%s of %s: change at %s is wrong %v from it\nrule: %s", id, name, x.Changes, probe, s.def.Rule)
				}
			}
		}
		if !batch {
			continue
		}
		slices.Sort(all)
		if err := batchAgrees(e, s.def, at, setOf(all)); err != nil {
			return err
		}
	}
	return nil
}

// lapsed checks that membership turned exactly at the instant of a lapse.
func lapsed(e *Engine, rules *Ruleset, h *MemoryHistory, tr Transition) error {
	r, _, err := recordOf(e, h, tr.Customer)
	if err != nil {
		return err
	}
	at, err := rules.Recount(tr.Segment, r, tr.EffectiveAt)
	if err != nil {
		return err
	}
	before, err := rules.Recount(tr.Segment, r, tr.EffectiveAt.Add(-time.Microsecond))
	if err != nil {
		return err
	}
	if in := tr.Kind == Entered; at != in || before == in {
		return fmt.Errorf("%s %s %s at %s: %t at it, %t just before\nevents: %+v\ntraits: %v", tr.Customer, tr.Kind, tr.Segment, tr.EffectiveAt, at, before, r.Events, r.Traits)
	}
	return nil
}

// consistent checks the feed of transitions against itself and the members.
func consistent(e *Engine) error {
	ids := map[string]bool{}
	members := map[string]map[profile.ID]bool{}
	last := map[string]time.Time{}
	for i, tr := range transitionsOf(e) {
		switch {
		case tr.Seq != uint64(i)+1:
			return fmt.Errorf("transition %d has position %d", i, tr.Seq)
		case ids[tr.ID]:
			return fmt.Errorf("two transitions %s", tr.ID)
		case tr.EffectiveAt.After(tr.DetectedAt):
			return fmt.Errorf("transition detected before it took effect: %+v", tr)
		case (tr.Cause.Kind == ByDefinition) && tr.Mode != profile.Backfill:
			return fmt.Errorf("transition by definition is not marked: %+v", tr)
		}
		ids[tr.ID] = true
		if tr.Customer == "" {
			continue
		}
		key := tr.Segment + "\x00" + string(tr.Customer)
		if tr.EffectiveAt.Before(last[key]) {
			return fmt.Errorf("effect runs backwards: %+v", tr)
		}
		last[key] = tr.EffectiveAt
		if members[tr.Segment] == nil {
			members[tr.Segment] = map[profile.ID]bool{}
		}
		if members[tr.Segment][tr.Customer] == (tr.Kind == Entered) {
			return fmt.Errorf("%s %s %s twice in a row", tr.Customer, tr.Kind, tr.Segment)
		}
		members[tr.Segment][tr.Customer] = tr.Kind == Entered
	}
	for name, s := range e.segments {
		for d := range e.dict.len() {
			if id := e.dict.key(d); id != "" && s.members.has(d) != members[name][id] {
				return fmt.Errorf("transitions of %s in %s do not lead to the members", e.dict.key(d), name)
			}
		}
		if err := pastIsThatOfTheFeed(e, name); err != nil {
			return err
		}
	}
	return nil
}

// pastIsThatOfTheFeed checks the members of a segment at and just before every
// instant at which somebody turned against the transitions up to then, however
// late they were detected.
func pastIsThatOfTheFeed(e *Engine, name string) error {
	v, err := e.View(name)
	if err != nil {
		return err
	}
	feed := slices.DeleteFunc(transitionsOf(e), func(tr Transition) bool { return tr.Segment != name || tr.Customer == "" })
	for _, turn := range feed {
		for _, at := range []time.Time{turn.EffectiveAt, turn.EffectiveAt.Add(-time.Microsecond)} {
			members := map[profile.ID]bool{}
			for _, tr := range feed {
				if !tr.EffectiveAt.After(at) {
					members[tr.Customer] = tr.Kind == Entered
				}
			}
			past, err := v.MembersAt(at)
			if err != nil {
				return err
			}
			size := 0
			for id, in := range members {
				if in {
					size++
				}
				if past.Contains(id) != in {
					return fmt.Errorf("%s in %s at %s: %t by MembersAt, %t by the feed", id, name, at, !in, in)
				}
				if at.Equal(e.Clock()) {
					continue
				}
				if got, err := v.ContainsAt(context.Background(), id, at); err != nil || got != in {
					return fmt.Errorf("%s in %s at %s: %t by ContainsAt, %t by the feed (%w)", id, name, at, got, in, err)
				}
			}
			if past.Len() != size {
				return fmt.Errorf("%s at %s: %d by MembersAt, %d by the feed", name, at, past.Len(), size)
			}
		}
	}
	return nil
}

func transitionsOf(e *Engine) []Transition {
	var out []Transition
	for t, err := range e.Transitions(context.Background(), 0) {
		if err != nil {
			panic(err)
		}
		out = append(out, t)
	}
	return out
}
