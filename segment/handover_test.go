package segment_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

func TestAHandOverPassesRelationsOn(t *testing.T) {
	c := segmenttest.New(t, segment.Related("assistant").To("bo").As("assistant"), "")
	c.Add(act("e1", "2026-01-01", related("assistant", "an")))
	c.HandOver("assistant", "an", "bo", "2026-02-01")
	c.At("2026-01-15").Out().Until("2026-02-01")
	c.At("2026-02-01").In().Because("assistant", "assistant is bo").Forever()
	c.Add(act("e2", "2026-03-01", related("assistant", "an"))) // who comes to the former party stays there
	c.At("2026-02-01").In().Until("2026-03-01")
	c.At("2026-03-01").Out().Because("assistant", "assistant is an").Forever()
}

func TestHandOversFollowEachOther(t *testing.T) {
	c := segmenttest.New(t, segment.Related("outlet").Under("north/"), "")
	c.Add(act("e1", "2026-01-01", related("outlet", "south/1")))
	c.HandOver("outlet", "north/2", "south/3", "2026-03-01")
	c.HandOver("outlet", "south/1", "north/2", "2026-02-01")
	c.HandOver("assistant", "south/1", "north/9", "2026-01-05") // of another type
	c.At("2026-01-31").Out().Until("2026-02-01")
	c.At("2026-02-01").In().Until("2026-03-01")
	c.At("2026-03-01").Out().Forever()
}

func TestAHandOverEndsWithTheRelation(t *testing.T) {
	until := related("guardian", "an")
	until.Until = time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	c := segmenttest.New(t, segment.Related("guardian").To("bo"), "")
	c.Add(act("e1", "2026-01-01", until)).HandOver("guardian", "an", "bo", "2026-02-01")
	c.At("2026-02-01").In().Until("2026-02-10")
	c.At("2026-02-10").Out().Forever()
}

// A hand-over that the engine learns of late took effect at its instant, one to
// come takes effect when it comes, and a restart gives the same transitions.
func TestHandOversAreInputs(t *testing.T) {
	s := newShop(t)
	s.define("of bo", segment.Related("assistant").To("bo"))
	s.define("busy with bo", segment.All(segment.In("of bo"), segment.Events("visit").Within(segment.Days(1)).AtLeast(1)))
	require.NoError(t, s.history.Observe("c00", profile.Event{ID: "r0", Time: s.now, Relations: []profile.RelationAct{{Type: "assistant", Party: "an"}}}))
	require.NoError(t, s.engine.CatchUp(t.Context()))
	begin := s.now
	s.now = s.now.Add(48 * time.Hour)
	require.NoError(t, s.history.Observe("c00", profile.Event{ID: "late visit", Name: "visit", Time: s.now}))
	require.NoError(t, s.engine.CatchUp(t.Context()))

	over := profile.HandOver{Type: "assistant", From: "an", To: "bo", At: begin.Add(time.Hour)}
	require.NoError(t, s.engine.HandOver(t.Context(), over))
	require.NoError(t, s.engine.HandOver(t.Context(), over), "the same again")
	back := profile.HandOver{Type: "assistant", From: "bo", To: "an", At: begin.Add(72 * time.Hour)}
	require.NoError(t, s.engine.HandOver(t.Context(), back))
	require.False(t, s.engine.NextDue().After(back.At))
	require.NoError(t, s.engine.Advance(t.Context(), begin.Add(100*time.Hour)))

	var told []string
	for _, tr := range s.feed() {
		if tr.Cause.Kind != segment.ByDefinition {
			told = append(told, fmt.Sprintf("%s %s by %s at +%s", tr.Kind, tr.Segment, tr.Cause.Kind, tr.EffectiveAt.Sub(begin)))
		}
	}
	require.Equal(t, []string{
		"entered of bo by hand-over at +1h0m0s",
		"entered busy with bo by hand-over at +48h0m0s", // with the visit that counts now, not with that of the first day
		"exited of bo by time at +72h0m0s",
		"exited busy with bo by time at +72h0m0s",
	}, told)

	for _, checkpoint := range []bool{false, true} {
		if checkpoint {
			require.NoError(t, s.engine.Checkpoint(t.Context()))
		}
		again, err := segment.Resume(t.Context(), s.cfg)
		require.NoError(t, err)
		at := begin.Add(200 * time.Hour)
		want, err := s.engine.Explain(t.Context(), "of bo", "c00", at)
		require.NoError(t, err)
		got, err := again.Explain(t.Context(), "of bo", "c00", at)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, again.HandOver(t.Context(), over), "the same again, after a restart")
	}

	for _, bad := range []profile.HandOver{
		{},
		{Type: "assistant", From: "an", To: "an", At: begin},
		{Type: "assistant", From: "an", To: "bo"},
		{From: "an", To: "bo", At: begin},
	} {
		require.ErrorIs(t, s.engine.HandOver(t.Context(), bad), profile.ErrInvalidHandOver)
	}
}

// Random acts and hand-overs, told in any order: the engine says of every party
// and customer what the directory says.
func TestHandOversAreThoseOfTheDirectory(t *testing.T) {
	const seeds = 150
	parties := []string{"an", "bo", "ci", "du"}
	ctx := context.Background()
	_, err := segment.EachSeed(1, seeds, func(seed uint64) (int, error) {
		rng := rand.New(rand.NewPCG(seed, 21))
		begin := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
		now := begin.Add(20 * 24 * time.Hour)
		at := func() time.Time { return begin.Add(time.Duration(rng.IntN(20)) * 24 * time.Hour) }
		directory, err := profile.New(profile.Config{Now: func() time.Time { return now }})
		if err != nil {
			return 0, err
		}
		engine, err := segment.New(segment.Config{History: directory})
		if err != nil {
			return 0, err
		}
		kind := []string{"assistant", "friend"}[rng.IntN(2)]
		for _, p := range parties {
			if err := engine.Define(ctx, begin, segment.Definition{Name: p, Rule: segment.Related(kind).To(p)}); err != nil {
				return 0, err
			}
		}
		for i := range 12 {
			if rng.IntN(3) == 0 {
				from := rng.IntN(len(parties))
				h := profile.HandOver{
					Type: kind, From: parties[from], To: parties[(from+1+rng.IntN(len(parties)-1))%len(parties)], At: at(),
					By: profile.Decision{Actor: "manager"},
				}
				if err := directory.HandOver(ctx, h); err != nil {
					return 0, err
				}
				if err := engine.HandOver(ctx, h); err != nil {
					return 0, err
				}
				continue
			}
			a := profile.RelationAct{Type: kind, Party: parties[rng.IntN(len(parties))], Ended: rng.IntN(5) == 0}
			phone := fmt.Sprintf("+8613800000%03d", rng.IntN(3))
			e := profile.Event{
				ID: fmt.Sprint("e", i), Time: at(), Relations: []profile.RelationAct{a},
				Identifiers: []profile.Identifier{{Kind: "phone", Value: phone}},
			}
			if _, err := directory.Observe(ctx, e); err != nil {
				return 0, err
			}
			if rng.IntN(2) == 0 {
				if err := engine.CatchUp(ctx); err != nil {
					return 0, err
				}
			}
		}
		if err := engine.CatchUp(ctx); err != nil {
			return 0, err
		}
		for day := range 25 {
			then := begin.Add(time.Duration(20+day) * 24 * time.Hour)
			for id, err := range directory.Profiles(ctx) {
				if err != nil {
					return 0, err
				}
				stand, err := directory.Relations(ctx, id, then)
				if err != nil {
					return 0, err
				}
				for _, p := range parties {
					v, err := engine.View(p)
					if err != nil {
						return 0, err
					}
					in, err := v.ContainsAt(ctx, id, then)
					if err != nil {
						return 0, err
					}
					if want := slices.ContainsFunc(stand, func(r profile.Relation) bool { return r.Party == p }); in != want {
						return 0, fmt.Errorf("%s of %s at %s: %t, the directory says %t", id, p, then, in, want)
					}
				}
			}
		}
		return 1, nil
	})
	require.NoError(t, err)
}
