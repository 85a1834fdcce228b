package segment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// told is an event with whose it is.
type told struct {
	id    profile.ID
	event profile.Event
}

// tale is a random history of two customers up to an instant, with two rules.
type tale struct {
	*world
	events []told
	end    time.Time
	zone   string
	r, q   Rule
}

func newTale(seed uint64) *tale {
	t := &tale{world: newWorld(seed)}
	t.zone = t.world.zone
	t.r, t.q = t.rule(nil, 2), t.rule(nil, 2)
	for range 14 {
		t.events = append(t.events, told{profile.ID(pick(t.world, "li", "wu")), t.event()})
	}
	// Nobody is there by events alone that a case takes away.
	for _, id := range []profile.ID{"li", "wu"} {
		t.events = append(t.events, told{id, profile.Event{ID: "first of " + string(id), Time: t.start}})
	}
	t.end = t.start.Add(time.Duration(5+t.rng.IntN(12)) * 24 * time.Hour)
	return t
}

// ending is an engine to which everything was told, with its history.
type ending struct {
	e *Engine
	h *MemoryHistory
}

func (t *tale) definition(name string, r Rule) Definition {
	return Definition{Name: name, Zone: t.zone, Rule: r}
}

// tell lets an engine with some definitions, the first ones from the
// beginning, hear the events in their order.
func (t *tale) tell(events []told, early int, definitions ...Definition) (ending, error) {
	ctx := context.Background()
	now := t.start
	h := &MemoryHistory{Now: func() time.Time { return now }}
	e, err := New(Config{History: h})
	if err != nil {
		return ending{}, err
	}
	for _, d := range definitions[:early] {
		if err := e.Define(ctx, now, d); err != nil {
			return ending{}, err
		}
	}
	for i, x := range events {
		if x.event.Time.After(now) && !x.event.Time.After(t.end) {
			now = x.event.Time
		}
		if err := h.Observe(x.id, x.event); err != nil {
			return ending{}, err
		}
		if i%3 > 0 {
			if err := e.CatchUp(ctx); err != nil {
				return ending{}, err
			}
		}
	}
	if err := e.CatchUp(ctx); err != nil {
		return ending{}, err
	}
	now = t.end
	for _, d := range definitions[early:] {
		if err := e.Define(ctx, now, d); err != nil {
			return ending{}, err
		}
	}
	return ending{e, h}, e.Advance(ctx, t.end)
}

// members of a segment among the customers.
func (x ending) members(name string, of ...profile.ID) []profile.ID {
	v, err := x.e.View(name)
	if err != nil {
		return nil
	}
	var out []profile.ID
	for _, id := range of {
		if v.Contains(id) {
			out = append(out, id)
		}
	}
	return out
}

// TestWhatMustNotMatter changes random histories and rules in ways that leave
// the members what they are, or make them something that is known.
func TestWhatMustNotMatter(t *testing.T) {
	n := *worlds / 4
	cases, err := EachSeed(*seed, n, func(seed uint64) (int, error) { return newTale(seed).relations() })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases (a rule over a history and a relation), seeds %d to %d (-worlds, -seed)", cases, *seed, *seed+uint64(n)-1)
}

func (t *tale) relations() (cases int, err error) {
	ctx := context.Background()
	r, q := t.definition("r", t.r), t.definition("q", t.q)
	base, err := t.tell(t.events, 1, r)
	if err != nil {
		return cases, err
	}
	both := []profile.ID{"li", "wu"}
	want := base.members("r", both...)
	same := func(relation string, x ending, name string, of ...profile.ID) error {
		cases++
		want := slices.DeleteFunc(slices.Clone(want), func(id profile.ID) bool { return !slices.Contains(of, id) })
		if got := x.members(name, of...); !slices.Equal(got, want) {
			return fmt.Errorf("%s: %v, expected %v\nrule: %s", relation, got, want, t.r)
		}
		return nil
	}

	// Order and repetition of arrival.
	shuffled := append(slices.Clone(t.events), t.events...)
	t.rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	x, err := t.tell(shuffled, 1, r)
	if err == nil {
		err = same("shuffled and repeated", x, "r", both...)
	}
	if err != nil {
		return cases, err
	}
	// When it is defined, what is defined beside it, and how it is written.
	x, err = t.tell(t.events, 1, q, r, t.definition("not", Not(r.Rule)), t.definition("not not", Not(In("not"))),
		t.definition("twice", All(t.r, t.r)), t.definition("or all", Any(t.r, All(t.r, t.q))),
		t.definition("both", All(t.r, t.q)), t.definition("morgan", Not(Any(Not(t.r), Not(In("q"))))))
	for _, name := range []string{"r", "not not", "twice", "or all"} {
		if err == nil {
			err = same("defined afterwards as "+name, x, name, both...)
		}
	}
	if a, b := x.members("both", both...), x.members("morgan", both...); err == nil && !slices.Equal(a, b) {
		err = fmt.Errorf("all of two is %v, by the law of De Morgan %v\nrules: %s; %s", a, b, t.r, t.q)
	}
	if err != nil {
		return cases, err
	}
	// Something that no rule is about.
	before := len(transitionsOf(base.e))
	if err := base.h.Observe("li", profile.Event{ID: "other", Name: "nothing of interest", Time: t.end}); err != nil {
		return cases, err
	}
	if err := base.e.CatchUp(ctx); err != nil {
		return cases, err
	}
	if after := len(transitionsOf(base.e)); after != before {
		return cases, fmt.Errorf("%d transitions by an event that no rule is about\nrule: %s", after-before, t.r)
	}
	// Redefined from another rule, and told beforehand.
	x, err = t.tell(t.events, 1, t.definition("r", t.q), t.definition("made of it", Not(In("r"))))
	if err != nil {
		return cases, err
	}
	would, err := x.e.Redefine(ctx, t.end, r, RedefineOptions{DryRun: true})
	if err != nil {
		return cases, err
	}
	did, err := x.e.Redefine(ctx, t.end, r, RedefineOptions{})
	if err != nil {
		return cases, err
	}
	if a, b := effectsOf(would), effectsOf(did); a != b {
		return cases, fmt.Errorf("a dry run told of %s, it became %s\nrules: %s; %s", a, b, t.q, t.r)
	}
	if err := same("redefined", x, "r", both...); err != nil {
		return cases, err
	}
	if err := consistent(x.e); err != nil {
		return cases, err
	}
	for _, id := range both {
		if slices.Contains(x.members("made of it", both...), id) == slices.Contains(want, id) {
			return cases, fmt.Errorf("what is made of a redefined segment did not follow\nrules: %s; %s", t.q, t.r)
		}
	}
	cases += 2
	// What was retracted has never been.
	gone := t.events[t.rng.IntN(14)]
	without := slices.DeleteFunc(slices.Clone(t.events), func(x told) bool { return x.event.ID == gone.event.ID })
	never, err := t.tell(without, 1, r)
	if err != nil {
		return cases, err
	}
	x, err = t.tell(t.events, 1, r)
	if err == nil {
		err = x.h.Retract(gone.event.ID)
	}
	if err == nil {
		err = x.e.CatchUp(ctx)
	}
	if err != nil {
		return cases, err
	}
	want = never.members("r", both...)
	if err := same("retracted", x, "r", both...); err != nil {
		return cases, err
	}
	// What follows is the same, too.
	later := t.end.Add(time.Duration(1+t.rng.IntN(8)) * t.grid)
	for _, y := range []ending{x, never} {
		if err := y.e.Advance(ctx, later); err != nil {
			return cases, err
		}
	}
	want = never.members("r", both...)
	if err := same("later, retracted", x, "r", both...); err != nil {
		return cases, err
	}
	return t.identity(r, same, &want, cases)
}

// identity merges and splits.
func (t *tale) identity(r Definition, same func(string, ending, string, ...profile.ID) error, want *[]profile.ID, cases int) (int, error) {
	ctx := context.Background()
	united := slices.Clone(t.events)
	for i := range united {
		united[i].id = "li"
	}
	whole, err := t.tell(united, 1, r)
	if err != nil {
		return cases, err
	}
	*want = whole.members("r", "li")
	x, err := t.tell(t.events, 1, r)
	if err == nil {
		err = x.h.Merge("li", "wu")
	}
	if err == nil {
		err = x.e.CatchUp(ctx)
	}
	if err == nil {
		err = same("merged", x, "r", "li")
	}
	if err == nil && x.members("r", "wu") != nil {
		err = fmt.Errorf("who was merged away is still a member")
	}
	if err != nil {
		return cases + 1, err
	}
	apart, err := t.tell(t.events, 1, r)
	if err != nil {
		return cases + 1, err
	}
	var hers []string
	for _, e := range t.events {
		if e.id == "wu" {
			hers = append(hers, e.event.ID)
		}
	}
	if err := whole.h.Split("li", "wu", hers...); err != nil {
		return cases + 1, err
	}
	if err := whole.e.CatchUp(ctx); err != nil {
		return cases + 1, err
	}
	for _, at := range []time.Duration{0, 2 * t.grid, 9 * t.grid} {
		for _, y := range []ending{whole, apart} {
			if err := y.e.Advance(ctx, t.end.Add(at)); err != nil {
				return cases + 1, err
			}
		}
		*want = apart.members("r", "li", "wu")
		if err := same(fmt.Sprint("split, after ", at), whole, "r", "li", "wu"); err != nil {
			return cases + 1, err
		}
	}
	return cases + 2, nil
}

func effectsOf(all []Redefined) string {
	s := ""
	for _, r := range all {
		s += fmt.Sprintln(r.Segment, slices.Collect(r.Entering.IDs()), slices.Collect(r.Leaving.IDs()))
	}
	return s
}

// TestRestartAnywhere stops an engine after any commit of random worlds, by a
// store that fails, and resumes another: the feed is that of an uninterrupted run.
func TestRestartAnywhere(t *testing.T) {
	n := *worlds / 25
	run := func(seed uint64) (int, error) {
		tale := newTale(seed)
		whole, _, err := tale.interrupted(nil)
		if err != nil {
			return 0, err
		}
		got, k, err := tale.interrupted(rand.New(rand.NewPCG(seed, 5)))
		if err != nil {
			return k, fmt.Errorf("interrupted: %w", err)
		}
		if !slices.Equal(got, whole) {
			return k, fmt.Errorf("interrupted\n%+v\nuninterrupted\n%+v", got, whole)
		}
		return k, nil
	}
	// Two events of a merged customer lie ahead, at one instant.
	if _, err := EachSeed(900480, 1, run); err != nil {
		t.Fatal(err)
	}
	stops, err := EachSeed(*seed, n, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d histories stopped %d times, seeds %d to %d (-worlds, -seed)", n, stops, *seed, *seed+uint64(n)-1)
}

// failing is a store that loses a commit, or loses what it says of one, when
// told so by chance.
type failing struct {
	*MemoryStore
	chance *rand.Rand
	stops  int
}

var errStopped = fmt.Errorf("stopped")

func (f *failing) Commit(ctx context.Context, c Commit) error {
	if f.chance == nil || f.chance.IntN(3) > 0 {
		return f.MemoryStore.Commit(ctx, c)
	}
	f.stops++
	if f.chance.IntN(2) == 0 {
		if err := f.MemoryStore.Commit(ctx, c); err != nil {
			return err
		}
	}
	return errStopped
}

func (t *tale) interrupted(chance *rand.Rand) ([]Transition, int, error) {
	ctx := context.Background()
	now := t.start
	h := &MemoryHistory{Now: func() time.Time { return now }}
	store := &failing{MemoryStore: &MemoryStore{}, chance: chance}
	cfg := Config{History: h, Store: store, Functions: append(functionsOf(t.r), functionsOf(t.q)...)}
	e, err := New(cfg)
	if err != nil {
		return nil, 0, err
	}
	try := func(operation func() error) error {
		for {
			err := operation()
			if err == nil {
				return nil
			}
			if chance == nil {
				return err
			}
			if e, err = Resume(ctx, cfg); err != nil {
				return err
			}
		}
	}
	defined := func(d Definition) error {
		return try(func() error { return e.Define(ctx, now, d) })
	}
	if err := defined(t.definition("r", t.r)); err != nil {
		return nil, store.stops, err
	}
	for i, x := range t.events {
		if x.event.Time.After(now) && x.event.Time.Before(t.end) {
			now = x.event.Time
		}
		if err := h.Observe(x.id, x.event); err != nil {
			return nil, store.stops, err
		}
		switch i {
		case 5:
			err = defined(t.definition("q", Any(t.q, In("r"))))
		case 8:
			err = h.Merge("li", "wu")
			if err != nil && absent(err) {
				err = nil
			}
		case 11:
			err = try(func() error { return e.Checkpoint(ctx) })
		case 13:
			err = try(func() error {
				_, err := e.Redefine(ctx, now, t.definition("r", Not(t.r)), RedefineOptions{})
				return err
			})
		}
		if err == nil {
			err = try(func() error { return e.CatchUp(ctx) })
		}
		if err == nil {
			err = try(func() error { return e.Advance(ctx, now) })
		}
		if err != nil {
			return nil, store.stops, err
		}
	}
	if err := try(func() error { return e.Advance(ctx, t.end) }); err != nil {
		return nil, store.stops, err
	}
	store.chance = nil
	return transitionsOf(e), store.stops, consistent(e)
}
