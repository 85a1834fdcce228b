package segmenttest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/internal/badtext"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// testTexts checks keys in which engines differ that fold, pad or quote, and
// times in any zone.
func testTexts(t *testing.T, s segment.Store) {
	var want []segment.Transition
	for i, v := range []string{
		"ＫＥＹ１", "key", "KEY", "key ", "it's \"quoted\"", `back\slash{,}`, "会员卡-①", "%_%", "$1", "NULL", `\x41`, "\u00fc", "u\u0308", "\u200b",
	} {
		tr := transitions(uint64(i+1), uint64(i+1))[0]
		tr.Segment, tr.Customer, tr.Cause.Event = v, profile.ID(v), v
		want = append(want, tr)
	}
	given := slices.Clone(want)
	for i := range given {
		given[i].EffectiveAt = given[i].EffectiveAt.In(time.FixedZone("east", 14*3600))
		given[i].DetectedAt = given[i].DetectedAt.In(time.FixedZone("west", -12*3600+1800))
	}
	commit(t, s, segment.Commit{Transitions: given})
	got, err := s.Transitions(t.Context(), 0, 100)
	must(t, err)
	for i := range got {
		if !got[i].EffectiveAt.Equal(want[i].EffectiveAt) || !got[i].DetectedAt.Equal(want[i].DetectedAt) {
			t.Errorf("times of %+v, given %+v", got[i], given[i])
		}
		got[i].EffectiveAt, got[i].DetectedAt = got[i].EffectiveAt.UTC(), got[i].DetectedAt.UTC()
	}
	if !slices.Equal(got, want) {
		t.Errorf("transitions\n%+v\nexpected\n%+v", got, want)
	}
	// Of keys that resemble one another, one is erased.
	commit(t, s, segment.Commit{Erased: []profile.ID{"key", `it's "quoted"`, `back\slash{,}`}})
	got, err = s.Transitions(t.Context(), 0, 100)
	must(t, err)
	for i, tr := range got {
		erased := want[i].Customer == "key" || want[i].Customer == `it's "quoted"` || want[i].Customer == `back\slash{,}`
		if (tr.Customer == "") != erased {
			t.Errorf("%q was erased: %t", want[i].Customer, tr.Customer == "")
		}
	}
}

func testHugePages(t *testing.T, s segment.Store) {
	const n = 1500
	commit(t, s, segment.Commit{Inputs: inputs(1, n), Transitions: transitions(1, n)})
	for _, limit := range []int{n + 1, math.MaxInt32, math.MaxInt} {
		for _, after := range []uint64{0, 1, n - 1} {
			in, err := s.Inputs(t.Context(), after, limit)
			if err != nil || len(in) != n-int(after) {
				t.Errorf("at most %d after %d: %d inputs, %v", limit, after, len(in), err)
			}
			tr, err := s.Transitions(t.Context(), after, limit)
			if err != nil || len(tr) != n-int(after) {
				t.Errorf("at most %d after %d: %d transitions, %v", limit, after, len(tr), err)
			}
		}
	}
}

func testLoops(t *testing.T, s segment.Store) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	e, err := segment.New(segment.Config{History: history, Store: s})
	must(t, err)
	must(t, e.Define(ctx, now, segment.Definition{Name: "seen", Rule: segment.Events("visit").AtLeast(1)}))
	visit := func(n int) {
		t.Helper()
		must(t, history.Observe(profile.ID(fmt.Sprint("c", n)), profile.Event{ID: fmt.Sprint("v", n), Name: "visit", Time: now}))
		must(t, e.CatchUp(ctx))
	}
	for n := range 9 {
		visit(n)
	}
	var seen []profile.ID
	for tr, err := range e.Transitions(ctx, 0) {
		must(t, err)
		seen = append(seen, tr.Customer)
		visit(10 + len(seen))
		if len(seen) == 7 {
			break
		}
	}
	if want := []profile.ID{"c0", "c1", "c2", "c3", "c4", "c5", "c6"}; !slices.Equal(seen, want) {
		t.Errorf("the loop saw %v, expected %v", seen, want)
	}
	for tr, err := range e.Export(ctx, "c1") {
		must(t, err)
		if tr.Customer != "c1" {
			t.Errorf("of another: %+v", tr)
		}
		visit(30)
		break
	}
}

func testBadTexts(t *testing.T, s segment.Store) {
	ctx := t.Context()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	e, err := segment.New(segment.Config{History: history, Store: s})
	must(t, err)
	refused := func(where string, err error) {
		t.Helper()
		for _, want := range []error{segment.ErrDefinition, segment.ErrRule, segment.ErrEvent, segment.ErrUnknownSegment, profile.ErrInvalidID, profile.ErrValue} {
			if err == nil || errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", where, err)
	}
	must(t, e.Define(ctx, now, segment.Definition{Name: "seen", Rule: segment.Events("visit").AtLeast(1)}))
	n := 0
	badtext.Each(func() profile.Event {
		n++
		return profile.Event{ID: fmt.Sprint("v", n), Source: "s", Name: "visit", Brand: "b", Time: now, Traits: profile.Values{"tier": profile.Text("gold")}}
	}, func(where string, x profile.Event) {
		if err := history.Observe("c", x); err != nil {
			refused("Event"+where, err)
			return
		}
		refused("Event"+where, e.CatchUp(ctx))
	})
	badtext.Each(func() string { return "" }, func(_, bad string) {
		if err := history.Observe(profile.ID(bad), profile.Event{ID: "of " + bad, Name: "visit", Time: now}); err != nil {
			refused("customer", err)
		} else {
			refused("customer", e.CatchUp(ctx))
		}
		refused("Define", e.Define(ctx, now, segment.Definition{Name: bad, Rule: segment.Attr("tier").Is("gold")}))
		refused("Define by value", e.Define(ctx, now, segment.Definition{Name: "value", Rule: segment.Attr("tier").Is(bad)}))
		refused("Drop", e.Drop(ctx, now, bad))
		refused("Erase", e.Erase(ctx, profile.ID(bad)))
		for _, err := range e.Export(ctx, profile.ID(bad)) {
			refused("Export", err)
		}
	})
	must(t, e.Checkpoint(ctx))
	_, err = segment.Resume(ctx, segment.Config{History: history, Store: s})
	must(t, err)
}
