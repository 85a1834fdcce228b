package segment_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// shop is an engine over a few customers: spenders by number, of whom the even
// ones are gold and every third has visited.
type shop struct {
	*testing.T
	now     time.Time
	history *segment.MemoryHistory
	engine  *segment.Engine
	cfg     segment.Config
}

func newShop(t *testing.T) *shop {
	s := &shop{T: t, now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	s.history = &segment.MemoryHistory{Now: func() time.Time { return s.now }}
	s.cfg = segment.Config{History: s.history, Store: &segment.MemoryStore{}}
	var err error
	s.engine, err = segment.New(s.cfg)
	require.NoError(t, err)
	for i := range 12 {
		e := profile.Event{ID: fmt.Sprint("trait ", i), Time: s.now, Traits: profile.Values{"points": profile.Int(int64(i))}}
		if i%2 == 0 {
			e.Traits["tier"] = profile.Text("gold")
		}
		require.NoError(t, s.history.Observe(customer(i), e))
		if i%3 == 0 {
			require.NoError(t, s.history.Observe(customer(i), profile.Event{ID: fmt.Sprint("visit ", i), Name: "visit", Time: s.now}))
		}
	}
	require.NoError(t, s.engine.CatchUp(t.Context()))
	return s
}

func customer(i int) profile.ID { return profile.ID(fmt.Sprintf("c%02d", i)) }

func (s *shop) define(name string, r segment.Rule) {
	s.Helper()
	require.NoError(s, s.engine.Define(s.Context(), s.now, segment.Definition{Name: name, Rule: r}))
}

func (s *shop) members(name string) []profile.ID {
	s.Helper()
	v, err := s.engine.View(name)
	require.NoError(s, err)
	a, err := v.Audience()
	require.NoError(s, err)
	return ids(a)
}

func (s *shop) feed() []segment.Transition {
	s.Helper()
	var out []segment.Transition
	for t, err := range s.engine.Transitions(s.Context(), 0) {
		require.NoError(s, err)
		out = append(out, t)
	}
	return out
}

func atLeastPoints(n int) segment.Rule { return segment.Attr("points").AtLeast(profile.Int(int64(n))) }

func TestRedefineTellsWhoEntersAndLeaves(t *testing.T) {
	s := newShop(t)
	s.define("rich", atLeastPoints(8))
	s.define("rich gold", segment.All(segment.In("rich"), segment.Attr("tier").Is("gold")))
	s.define("poor", segment.Not(segment.In("rich gold")))
	s.define("visitors", segment.Events("visit").AtLeast(1))
	before := len(s.feed())
	richer := segment.Definition{Name: "rich", Rule: segment.All(atLeastPoints(5), segment.In("visitors"))}

	s.now = s.now.Add(time.Hour)
	check := func(got []segment.Redefined) {
		t.Helper()
		require.Len(t, got, 3)
		for i, want := range []struct {
			name              string
			entering, leaving []profile.ID
		}{
			{"rich", []profile.ID{"c06"}, []profile.ID{"c08", "c10", "c11"}},
			{"rich gold", []profile.ID{"c06"}, []profile.ID{"c08", "c10"}},
			{"poor", []profile.ID{"c08", "c10"}, []profile.ID{"c06"}},
		} {
			require.Equal(t, want.name, got[i].Segment)
			require.Equal(t, want.entering, ids(got[i].Entering), want.name)
			require.Equal(t, want.leaving, ids(got[i].Leaving), want.name)
		}
	}

	would, err := s.engine.Redefine(t.Context(), s.now, richer, segment.RedefineOptions{DryRun: true})
	require.NoError(t, err)
	check(would)
	require.Equal(t, []profile.ID{"c08", "c09", "c10", "c11"}, s.members("rich"), "a dry run changes nothing")
	require.Len(t, s.feed(), before)

	did, err := s.engine.Redefine(t.Context(), s.now, richer, segment.RedefineOptions{})
	require.NoError(t, err)
	check(did)
	require.Equal(t, []profile.ID{"c06", "c09"}, s.members("rich"))
	require.Equal(t, []profile.ID{"c06"}, s.members("rich gold"))
	feed := s.feed()[before:]
	require.Len(t, feed, 4+3+3)
	for _, tr := range feed {
		require.Equal(t, segment.ByDefinition, tr.Cause.Kind)
		require.Equal(t, profile.Backfill, tr.Mode)
		require.Equal(t, s.now, tr.EffectiveAt)
	}

	// What happens next goes by the new rules, through all of them.
	require.NoError(t, s.history.Observe("c10", profile.Event{ID: "late visit", Name: "visit", Time: s.now}))
	require.NoError(t, s.engine.CatchUp(t.Context()))
	require.Equal(t, []profile.ID{"c06", "c10"}, s.members("rich gold"))

	// Membership of before is by the rule of before.
	v, err := s.engine.View("rich")
	require.NoError(t, err)
	old, err := v.MembersAt(s.now.Add(-time.Minute))
	require.NoError(t, err)
	require.Equal(t, []profile.ID{"c08", "c09", "c10", "c11"}, ids(old))

	// The same once more is nothing, and a restart knows the new rules.
	again, err := s.engine.Redefine(t.Context(), s.now, richer, segment.RedefineOptions{})
	require.NoError(t, err)
	require.Empty(t, again)
	resumed, err := segment.Resume(t.Context(), s.cfg)
	require.NoError(t, err)
	s.engine = resumed
	require.Equal(t, []profile.ID{"c06", "c10"}, s.members("rich gold"))
	// Back to the first: the IDs of transitions stay distinct.
	_, err = s.engine.Redefine(t.Context(), s.now, segment.Definition{Name: "rich", Rule: atLeastPoints(8)}, segment.RedefineOptions{})
	require.NoError(t, err)
	_, err = s.engine.Redefine(t.Context(), s.now, richer, segment.RedefineOptions{})
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, tr := range s.feed() {
		require.False(t, seen[tr.ID], "two transitions %s", tr.ID)
		seen[tr.ID] = true
	}
}

func TestRedefineRefuses(t *testing.T) {
	s := newShop(t)
	s.define("a", atLeastPoints(3))
	s.define("b", segment.Not(segment.In("a")))
	s.define("c", segment.In("b"))
	for _, dry := range []bool{true, false} {
		try := func(name string, r segment.Rule) error {
			_, err := s.engine.Redefine(t.Context(), s.now, segment.Definition{Name: name, Rule: r}, segment.RedefineOptions{DryRun: dry})
			return err
		}
		require.ErrorIs(t, try("a", segment.In("c")), segment.ErrCycle)
		require.ErrorIs(t, try("a", segment.In("a")), segment.ErrCycle)
		require.ErrorIs(t, try("nobody", segment.In("a")), segment.ErrUnknownSegment)
		require.ErrorIs(t, try("a", segment.In("nobody")), segment.ErrUnknownSegment)
		require.ErrorIs(t, try("a", segment.Rule{}), segment.ErrRule)
	}
	_, err := s.engine.Redefine(t.Context(), s.now.Add(-time.Hour), segment.Definition{Name: "a", Rule: atLeastPoints(1)}, segment.RedefineOptions{DryRun: true})
	require.ErrorIs(t, err, segment.ErrPast)
	require.True(t, slices.Equal(s.members("a"), s.members("a")))
	require.Len(t, s.members("c"), 3)
	require.ErrorIs(t, s.engine.Drop(t.Context(), s.now, "a"), segment.ErrInUse)
}

// A function may go by the customer's key alone.
func TestFuncByKey(t *testing.T) {
	s := newShop(t)
	s.define("odd", segment.Func("odd", segment.Deps{}, func(c segment.Customer) bool { return (c.ID()[2]-'0')%2 == 1 }))
	require.Len(t, s.members("odd"), 6)
	require.NoError(t, s.history.Observe("c13", profile.Event{ID: "new", Time: s.now}))
	require.NoError(t, s.engine.CatchUp(t.Context()))
	require.Len(t, s.members("odd"), 7)
}
