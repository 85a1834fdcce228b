package segmenttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// TestStore checks that a Store keeps what segment.Store promises. open gives a
// new, empty one.
func TestStore(t *testing.T, open func(testing.TB) segment.Store) {
	t.Run("empty", func(t *testing.T) { testEmpty(t, open(t)) })
	t.Run("pages", func(t *testing.T) { testPages(t, open(t)) })
	t.Run("conflict", func(t *testing.T) { testConflict(t, open(t)) })
	t.Run("checkpoint", func(t *testing.T) { testCheckpoint(t, open(t)) })
	t.Run("erasure", func(t *testing.T) { testErasure(t, open(t)) })
	t.Run("canceled", func(t *testing.T) { testCanceled(t, open(t)) })
	t.Run("own data", func(t *testing.T) { testOwnData(t, open(t)) })
	t.Run("purge", func(t *testing.T) { testPurge(t, open(t)) })
	t.Run("two writers", func(t *testing.T) { testTwoWriters(t, open(t)) })
	t.Run("an engine whose feed is purged", func(t *testing.T) { testPurgedEngine(t, open) })
	t.Run("any text, any zone", func(t *testing.T) { testTexts(t, open(t)) })
	t.Run("huge pages", func(t *testing.T) { testHugePages(t, open(t)) })
	t.Run("writes inside a loop, early end", func(t *testing.T) { testLoops(t, open(t)) })
	t.Run("texts that no store can hold", func(t *testing.T) { testBadTexts(t, open(t)) })
	t.Run("crash at every commit", func(t *testing.T) { testCrashes(t, open) })
}

func inputs(from, to uint64) []segment.Input {
	var out []segment.Input
	for p := from; p <= to; p++ {
		out = append(out, segment.Input{Position: p, Data: fmt.Appendf(nil, `{"input":%d}`, p)})
	}
	return out
}

func transitions(from, to uint64) []segment.Transition {
	var out []segment.Transition
	for seq := from; seq <= to; seq++ {
		out = append(out, segment.Transition{
			Seq: seq, ID: fmt.Sprintf("%032x", seq), Segment: "vip", Definition: "0123456789abcdef",
			Customer: profile.ID(fmt.Sprint("customer ", seq%3)), Kind: segment.Entered,
			EffectiveAt: time.UnixMicro(int64(seq)).UTC(), DetectedAt: time.UnixMicro(int64(seq) + 7).UTC(),
			Cause: segment.Cause{Kind: segment.ByEvent, Change: seq, Event: "e"}, Mode: profile.Backfill,
		})
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func commit(t testing.TB, s segment.Store, c segment.Commit) {
	t.Helper()
	must(t, s.Commit(t.Context(), c))
}

// holds compares everything that a store holds.
func holds(t testing.TB, s segment.Store, cp segment.Checkpoint, in []segment.Input, tr []segment.Transition) {
	t.Helper()
	ctx := t.Context()
	got, err := s.Load(ctx)
	must(t, err)
	if got.Position != cp.Position || string(got.Data) != string(cp.Data) {
		t.Errorf("checkpoint %d %q, expected %d %q", got.Position, got.Data, cp.Position, cp.Data)
	}
	gotIn, err := s.Inputs(ctx, cp.Position, 1000)
	must(t, err)
	same := func(a, b segment.Input) bool { return a.Position == b.Position && string(a.Data) == string(b.Data) }
	if !slices.EqualFunc(gotIn, in, same) {
		t.Errorf("inputs %v, expected %v", gotIn, in)
	}
	gotTr, err := s.Transitions(ctx, 0, 1000)
	must(t, err)
	if !slices.Equal(gotTr, tr) {
		t.Errorf("transitions\n%+v\nexpected\n%+v", gotTr, tr)
	}
}

func testEmpty(t *testing.T, s segment.Store) {
	holds(t, s, segment.Checkpoint{}, nil, nil)
	commit(t, s, segment.Commit{})
	holds(t, s, segment.Checkpoint{}, nil, nil)
}

func testPages(t *testing.T, s segment.Store) {
	commit(t, s, segment.Commit{Inputs: inputs(1, 5), Transitions: transitions(1, 4)})
	commit(t, s, segment.Commit{After: 5, Inputs: inputs(6, 7), Transitions: transitions(5, 9)})
	holds(t, s, segment.Checkpoint{}, inputs(1, 7), transitions(1, 9))
	in, err := s.Inputs(t.Context(), 3, 2)
	must(t, err)
	if len(in) != 2 || in[0].Position != 4 || in[1].Position != 5 {
		t.Errorf("page of inputs: %v", in)
	}
	tr, err := s.Transitions(t.Context(), 7, 100)
	must(t, err)
	if !slices.Equal(tr, transitions(8, 9)) {
		t.Errorf("page of transitions: %v", tr)
	}
	for _, after := range []uint64{9, 10, 1 << 40} {
		if tr, err = s.Transitions(t.Context(), after, 10); err != nil || len(tr) != 0 {
			t.Errorf("after %d: %v, %v", after, tr, err)
		}
	}
}

func testConflict(t *testing.T, s segment.Store) {
	commit(t, s, segment.Commit{Inputs: inputs(1, 3), Transitions: transitions(1, 2)})
	for name, c := range map[string]segment.Commit{
		"behind":         {After: 2, Inputs: inputs(3, 4)},
		"ahead":          {After: 4, Inputs: inputs(5, 5)},
		"feed behind":    {After: 3, Inputs: inputs(4, 4), Transitions: transitions(2, 3)},
		"feed ahead":     {After: 3, Inputs: inputs(4, 4), Transitions: transitions(4, 4)},
		"again":          {After: 0, Inputs: inputs(1, 3), Transitions: transitions(1, 2)},
		"old checkpoint": {After: 1, Checkpoint: &segment.Checkpoint{Position: 1, Data: []byte("old")}},
	} {
		if err := s.Commit(t.Context(), c); !errors.Is(err, segment.ErrConflict) {
			t.Errorf("%s: %v, expected ErrConflict", name, err)
		}
	}
	holds(t, s, segment.Checkpoint{}, inputs(1, 3), transitions(1, 2))
}

func testCheckpoint(t *testing.T, s segment.Store) {
	first := segment.Checkpoint{Position: 0, Data: []byte("first")}
	commit(t, s, segment.Commit{Checkpoint: &first})
	holds(t, s, first, nil, nil)
	commit(t, s, segment.Commit{Inputs: inputs(1, 4), Transitions: transitions(1, 1)})
	holds(t, s, first, inputs(1, 4), transitions(1, 1))
	second := segment.Checkpoint{Position: 5, Data: []byte("second")}
	commit(t, s, segment.Commit{After: 4, Inputs: inputs(5, 6), Checkpoint: &second})
	holds(t, s, second, inputs(6, 6), transitions(1, 1))
	if in, err := s.Inputs(t.Context(), 0, 10); err != nil || !slices.EqualFunc(in, inputs(6, 6), func(a, b segment.Input) bool { return a.Position == b.Position }) {
		t.Errorf("inputs up to a checkpoint are still there: %v, %v", in, err)
	}
	commit(t, s, segment.Commit{After: 6, Inputs: inputs(7, 7)})
	holds(t, s, second, inputs(6, 7), transitions(1, 1))
}

func testErasure(t *testing.T, s segment.Store) {
	commit(t, s, segment.Commit{Inputs: inputs(1, 1), Transitions: transitions(1, 4)})
	commit(t, s, segment.Commit{After: 1, Transitions: transitions(5, 6), Erased: []profile.ID{"customer 1", "nobody"}})
	want := transitions(1, 6)
	for i := range want {
		if want[i].Customer == "customer 1" {
			want[i].Customer = ""
		}
	}
	holds(t, s, segment.Checkpoint{}, inputs(1, 1), want)
	// The key may be given to someone new.
	commit(t, s, segment.Commit{After: 1, Transitions: transitions(7, 7)})
	holds(t, s, segment.Checkpoint{}, inputs(1, 1), append(want, transitions(7, 7)...))
}

func testCanceled(t *testing.T, s segment.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, segment.Commit{Inputs: inputs(1, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v", err)
	}
	holds(t, s, segment.Checkpoint{}, nil, nil)
}

// testOwnData checks that a store neither keeps nor gives out memory that
// others write to.
func testOwnData(t *testing.T, s segment.Store) {
	in, tr := inputs(1, 2), transitions(1, 2)
	commit(t, s, segment.Commit{Inputs: in, Transitions: tr})
	in[0], tr[0] = segment.Input{}, segment.Transition{}
	got, err := s.Transitions(t.Context(), 0, 10)
	must(t, err)
	got[1] = segment.Transition{}
	holds(t, s, segment.Checkpoint{}, inputs(1, 2), transitions(1, 2))
}

// testPurge checks a Store that is a [segment.Purger]: what went is told to who
// comes for it, and what comes is numbered on.
func testPurge(t *testing.T, s segment.Store) {
	p, ok := s.(segment.Purger)
	if !ok {
		t.Skip("the Store is no Purger")
	}
	ctx := t.Context()
	purge := func(before time.Time, want int) {
		t.Helper()
		n, err := p.Purge(ctx, before)
		must(t, err)
		if n != want {
			t.Errorf("purged %d, expected %d", n, want)
		}
	}
	oldest := func(want uint64) {
		t.Helper()
		for after := range want {
			var expired *segment.ExpiredError
			if tr, err := s.Transitions(ctx, after, 10); !errors.Is(err, segment.ErrCursorExpired) || !errors.As(err, &expired) || expired.Oldest != want {
				t.Fatalf("after %d: %v, %v; expected to hear of %d", after, tr, err, want)
			}
		}
	}
	purge(time.UnixMicro(100), 0)
	commit(t, s, segment.Commit{Inputs: inputs(1, 2), Transitions: transitions(1, 9)})
	purge(time.UnixMicro(4+7), 3) // the fourth was detected then
	purge(time.UnixMicro(4+7), 0)
	oldest(3)
	if tr, err := s.Transitions(ctx, 3, 100); err != nil || !slices.Equal(tr, transitions(4, 9)) {
		t.Errorf("what is kept: %v, %v", tr, err)
	}
	if in, err := s.Inputs(ctx, 0, 10); err != nil || len(in) != 2 {
		t.Errorf("inputs: %v, %v", in, err)
	}
	purge(time.UnixMicro(1000), 6)
	oldest(9)
	if tr, err := s.Transitions(ctx, 9, 100); err != nil || len(tr) != 0 {
		t.Errorf("at the end: %v, %v", tr, err)
	}
	if err := s.Commit(ctx, segment.Commit{After: 2, Transitions: transitions(9, 9)}); !errors.Is(err, segment.ErrConflict) {
		t.Errorf("a number that was given: %v", err)
	}
	commit(t, s, segment.Commit{After: 2, Inputs: inputs(3, 3), Transitions: transitions(10, 12)})
	if tr, err := s.Transitions(ctx, 9, 100); err != nil || !slices.Equal(tr, transitions(10, 12)) {
		t.Errorf("goes on: %v, %v", tr, err)
	}
	oldest(9)
	later := transitions(13, 13)
	later[0].DetectedAt = time.UnixMicro(5) // by a clock that was set back
	commit(t, s, segment.Commit{After: 3, Transitions: later})
	purge(time.UnixMicro(11+7), 1)
	oldest(10)
	if tr, err := s.Transitions(ctx, 10, 100); err != nil || len(tr) != 3 {
		t.Errorf("none goes from the middle: %v, %v", tr, err)
	}
}

// testPurgedEngine checks that what an engine answers, and what another resumes
// from the Store, does not depend on what is left of the feed.
func testPurgedEngine(t *testing.T, open func(testing.TB) segment.Store) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	cfg := segment.Config{History: history, Store: open(t)}
	if _, ok := cfg.Store.(segment.Purger); !ok {
		t.Skip("the Store is no Purger")
	}
	engine, err := segment.New(cfg)
	must(t, err)
	must(t, engine.Define(ctx, now, segment.Definition{Name: "active", Rule: segment.Events("visit").Within(segment.Days(3)).AtLeast(1)}))
	for i := range 12 {
		must(t, history.Observe("li", profile.Event{ID: fmt.Sprint("visit ", i), Name: "visit", Time: now}))
		must(t, engine.CatchUp(ctx))
		if i == 5 {
			must(t, engine.Checkpoint(ctx))
		}
		now = now.Add(4 * 24 * time.Hour)
		must(t, engine.Advance(ctx, now))
	}
	var all []segment.Transition
	for tr, err := range engine.Transitions(ctx, 0) {
		must(t, err)
		all = append(all, tr)
	}
	if len(all) != 24 {
		t.Fatalf("%d transitions", len(all))
	}
	for _, kept := range []int{21, 7, 0} { // purged up to before the checkpoint, after it, to the end
		before := now.Add(time.Hour)
		if kept > 0 {
			before = all[len(all)-kept].DetectedAt
		}
		_, err := engine.Purge(ctx, before)
		must(t, err)
		resumed, err := segment.Resume(ctx, cfg)
		must(t, err)
		for _, e := range []*segment.Engine{engine, resumed} {
			view, err := e.View("active")
			must(t, err)
			for _, tr := range all {
				got, err := view.ContainsAt(ctx, "li", tr.EffectiveAt)
				must(t, err)
				if got != (tr.Kind == segment.Entered) {
					t.Errorf("%d kept: at %v a member: %t", kept, tr.EffectiveAt, got)
				}
			}
			var exported []segment.Transition
			for tr, err := range e.Export(ctx, "li") {
				must(t, err)
				exported = append(exported, tr)
			}
			if !slices.Equal(exported, all[len(all)-kept:]) {
				t.Errorf("%d kept: exported %d", kept, len(exported))
			}
		}
	}
}

func testTwoWriters(t *testing.T, s segment.Store) {
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			errs <- s.Commit(context.Background(), segment.Commit{Inputs: inputs(1, 3), Transitions: transitions(1, 3)})
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) || a != nil && !errors.Is(a, segment.ErrConflict) || b != nil && !errors.Is(b, segment.ErrConflict) {
		t.Errorf("of two writers one wins: %v, %v", a, b)
	}
	holds(t, s, segment.Checkpoint{}, inputs(1, 3), transitions(1, 3))
}

// errCrash is what a store says that fails at will.
var errCrash = errors.New("segmenttest: crash")

// crashing fails one commit, before or after it is done.
type crashing struct {
	segment.Store
	left  int
	after bool
}

func (c *crashing) Commit(ctx context.Context, x segment.Commit) error {
	if c.left--; c.left != 0 {
		return c.Store.Commit(ctx, x)
	}
	if c.after {
		if err := c.Store.Commit(ctx, x); err != nil {
			return err
		}
	}
	return errCrash
}

// testCrashes loses an engine at each of its commits, resumes another from the
// store and goes on: the feed of transitions is that of an uninterrupted run.
func testCrashes(t *testing.T, open func(testing.TB) segment.Store) {
	want, commits := season(t, &crashing{Store: open(t)})
	if len(want) < 10 || commits < 10 {
		t.Fatalf("the season has %d transitions in %d commits", len(want), commits)
	}
	for at := 1; at <= commits; at++ {
		for _, after := range []bool{false, true} {
			got, _ := season(t, &crashing{Store: open(t), left: at, after: after})
			if !slices.Equal(got, want) {
				t.Errorf("crash at commit %d (done: %t): transitions\n%+v\nexpected\n%+v", at, after, got, want)
			}
		}
	}
}

// season runs a small shop through an engine that is replaced when its store
// fails.
func season(t testing.TB, store *crashing) (feed []segment.Transition, commits int) {
	t.Helper()
	ctx := t.Context()
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now := begin
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	cfg := segment.Config{History: history, Store: store}
	engine, err := segment.New(cfg)
	must(t, err)
	// try repeats what failed with the engine that the store resumes.
	try := func(operation func() error) {
		t.Helper()
		for {
			err := operation()
			if err == nil {
				return
			}
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			engine, err = segment.Resume(ctx, cfg)
			must(t, err)
		}
	}
	define := func(name string, r segment.Rule) {
		t.Helper()
		try(func() error { return engine.Define(ctx, now, segment.Definition{Name: name, Rule: r}) })
	}
	define("active", segment.Events("visit").Within(segment.Days(3)).AtLeast(2))
	define("quiet", segment.All(segment.Attr("tier").Is("gold"), segment.Not(segment.In("active"))))
	customers := []profile.ID{"li", "wu", "xu"}
	for i := range 12 {
		id := customers[i%len(customers)]
		e := profile.Event{ID: fmt.Sprint("visit ", i), Name: "visit", Time: now.Add(-time.Duration(i%4) * time.Hour)}
		if i%3 == 0 {
			e.Time = now.Add(30 * time.Hour) // by a clock that runs fast
		}
		if i < 6 {
			e.Traits = profile.Values{"tier": profile.Text([]string{"gold", "basic"}[i%2])}
		}
		must(t, history.Observe(id, e))
		switch i {
		case 4:
			define("late", segment.Events("visit").Within(segment.Days(1)).Never())
		case 7:
			must(t, history.Merge("wu", "xu"))
		case 9:
			must(t, history.Erase("wu"))
		case 10:
			must(t, history.Retract("visit 0"))
			try(func() error { return engine.Checkpoint(ctx) })
		}
		try(func() error { return engine.CatchUp(ctx) })
		now = now.Add(17 * time.Hour)
		try(func() error { return engine.Advance(ctx, now) })
	}
	try(func() error {
		err := engine.Drop(ctx, now, "late")
		if errors.Is(err, segment.ErrUnknownSegment) {
			return nil // it was done before the crash was seen
		}
		return err
	})
	for tr, err := range engine.Transitions(ctx, 0) {
		must(t, err)
		feed = append(feed, tr)
	}
	return feed, -store.left
}
