package profile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func matchesOf(t testing.TB, d *profile.Directory, m profile.Matching) []profile.Match {
	t.Helper()
	var out []profile.Match
	for match, err := range d.MatchCandidates(context.Background(), m) {
		require.NoError(t, err)
		out = append(out, match)
	}
	return out
}

// named is an event that says who somebody is.
func named(id string, n int, name, birthday string, ids ...profile.Identifier) profile.Event {
	e := event(id, day(n), ids...)
	e.Traits = profile.Values{"name": profile.Text(name), "birthday": profile.Text(birthday)}
	return e
}

func orderNumber(v string) profile.Identifier { return profile.Identifier{Kind: "order", Value: v} }

func ExampleDirectory_MatchCandidates() {
	ctx := context.Background()
	minted := sequence()
	customers, err := profile.New(profile.Config{NewID: minted})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Two membership cards, one phone: only one of the cards gets it.
	for _, e := range []profile.Event{
		named("1", 1, "Li Lei", "1990-05-01", member("M1"), phone(li)),
		named("2", 2, "LI  lei", "1990-05-01", member("M2"), phone(li)),
		named("3", 3, "Han Meimei", "1991-06-01", member("M3")),
	} {
		if _, err := customers.Observe(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	for m, err := range customers.MatchCandidates(ctx, profile.Matching{}) {
		fmt.Println(m.Profile, m.Other, m, err)
	}
	// Output:
	// P0001 P0002 79 of 100: same name and birthday; phone of both, not linked for a limit <nil>
}

func TestWhatSpeaksForAMatch(t *testing.T) {
	for name, c := range map[string]struct {
		events []profile.Event
		ask    profile.Matching
		then   func(d *profile.Directory) error
		want   string
	}{
		"nothing":            {events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "y", device("D"))}},
		"name and birthday":  {events: []profile.Event{named("1", 1, "Ａ b", "x", phone(li)), named("2", 1, " a  B", "x", device("D"))}, want: "70 of 100: same name and birthday"},
		"an absent birthday": {events: []profile.Event{named("1", 1, "A", "", phone(li)), named("2", 1, "A", "", device("D"))}},
		"other traits": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "y", device("D"))},
			ask:    profile.Matching{Traits: []profile.TraitMatch{{Traits: []string{"name"}, Weight: 5}}}, want: "5 of 100: same name",
		},
		"an identifier that only looks up": {
			events: []profile.Event{event("1", day(1), phone(li), orderNumber("O1")), event("2", day(2), device("D"), orderNumber("O1"))},
			want:   "40 of 100: one order on both",
		},
		"a refused link": {
			events: []profile.Event{event("1", day(1), phone(li), member("M1")), event("2", day(2), phone(li), member("M2"))},
			want:   "30 of 100: phone of both, not linked for a limit",
		},
		"several refused links of one identifier": {
			events: []profile.Event{
				event("1", day(1), phone(li), member("M1")), event("2", day(2), phone(li), member("M2")),
				event("3", day(3), phone(li), member("M2"), device("D9")),
			},
			want: "30 of 100: phone of both, not linked for a limit",
		},
		"refused twice": {
			events: []profile.Event{
				event("1", day(1), phone(li), device("D1"), member("M1")), event("2", day(2), phone(li), device("D1"), member("M2")),
			},
			want: "51 of 100: device of both, not linked for a limit; phone of both, not linked for a limit",
		},
		"declared apart": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "x", device("D"))},
			then: func(d *profile.Directory) error {
				return d.Separate(context.Background(), phone(li), device("D"), decided)
			},
		},
		"linked": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "x", device("D"))},
			then:   func(d *profile.Directory) error { return d.Link(context.Background(), phone(li), device("D"), decided) },
		},
		"unlinked": {
			events: []profile.Event{event("1", day(1), phone(li), device("D1"))},
			then: func(d *profile.Directory) error {
				r, err := d.Observe(context.Background(), event("2", day(2), device("D1")))
				if err != nil {
					return err
				}
				e, _, err := d.Event(context.Background(), "1")
				if err != nil || r.Profile == "" {
					return err
				}
				r, err = d.Observe(context.Background(), e)
				if err != nil {
					return err
				}
				return d.Unlink(context.Background(), r.Evidence, decided)
			},
		},
		"restricted": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "x", device("D"))},
			then: func(d *profile.Directory) error {
				id, err := d.Lookup(context.Background(), phone(li))
				if err != nil {
					return err
				}
				return d.Restrict(context.Background(), id, decided)
			},
		},
		"too weak": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "x", device("D"))},
			ask:    profile.Matching{MinScore: 71},
		},
		"what too many share": {
			events: []profile.Event{named("1", 1, "A", "x", phone(li)), named("2", 1, "A", "x", device("D1")), named("3", 1, "A", "x", device("D2"))},
			ask:    profile.Matching{MostShared: 2},
		},
		"not asked for": {
			events: []profile.Event{event("1", day(1), phone(li), member("M1"), orderNumber("O")), event("2", day(2), phone(li), member("M2"), orderNumber("O"))},
			ask:    profile.Matching{LookUp: -1, Refused: -1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, store profile.Store) {
				d := open(t, profile.Config{Store: store})
				for _, e := range c.events {
					observe(t, d, e)
				}
				if c.then != nil {
					require.NoError(t, c.then(d))
				}
				var got []string
				for _, m := range matchesOf(t, d, c.ask) {
					require.Less(t, m.Profile, m.Other)
					got = append(got, m.String())
				}
				require.Equal(t, c.want, strings.Join(got, "|"))
			})
		})
	}
}

// The pairs do not depend on how events arrived, nor on where they are kept, and
// page by page they are the same.
func TestMatchesAreTheSameForAnyArrival(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		ask := profile.Matching{
			Traits:     []profile.TraitMatch{{Traits: []string{"first"}, Weight: 20}, {Traits: []string{"latest", "max"}, Weight: 60}},
			MostShared: 4,
		}
		var want []profile.Match
		for round := range 3 {
			d := open(t, cfg)
			for _, e := range w.events { // in one order, so that IDs are equal
				observe(t, d, e)
			}
			for _, i := range rng.Perm(len(w.events)) {
				observe(t, d, w.events[i])
			}
			got := matchesOf(t, d, ask)
			if round == 0 {
				want = got
			}
			require.Equal(t, want, got)
			paged := profile.Matching{Traits: ask.Traits, MostShared: 4}
			var all []profile.Match
			for {
				n := 0
				for m, err := range d.MatchCandidates(t.Context(), paged) {
					require.NoError(t, err)
					all = append(all, m)
					if n++; n == 2 {
						break
					}
				}
				if n == 0 {
					break
				}
				paged.After = &all[len(all)-1]
			}
			require.Equal(t, want, all)
			if cfg.Store != nil {
				cfg.Store = profile.NewMemoryStore()
			}
		}
		require.True(t, slices.IsSortedFunc(want, func(a, b profile.Match) int { return b.Score - a.Score }))
	})
}

func TestMatchingIsChecked(t *testing.T) {
	d := open(t, profile.Config{})
	for _, m := range []profile.Matching{
		{Traits: []profile.TraitMatch{{Weight: 5}}},
		{Traits: []profile.TraitMatch{{Traits: []string{"x"}}}},
		{LookUp: 101},
		{Refused: 101},
		{MostShared: 1},
		{MinScore: -1},
	} {
		for _, err := range d.MatchCandidates(t.Context(), m) {
			require.ErrorIs(t, err, profile.ErrConfig)
		}
	}
}

func TestSuspects(t *testing.T) {
	eachStore(t, func(t *testing.T, store profile.Store) {
		kinds := profile.DefaultKinds()
		d := open(t, profile.Config{Store: store, Kinds: kinds})
		// A kiosk: the first card holder gets it, the others are refused.
		for i := range 4 {
			observe(t, d, event(fmt.Sprint("k", i), day(1+i), member(fmt.Sprint("K", i)), device("kiosk")))
		}
		// A till that reports one device for everybody, and no cards.
		for i := range 6 {
			e := named(fmt.Sprint("m", i), 1+i, fmt.Sprint("name ", i%5), "x", device("till"), device(fmt.Sprint("own ", i)))
			observe(t, d, e)
		}
		observe(t, d, named("1", 1, "A", "x", phone(li), device("mine")))
		read := func(s profile.Suspecting, after profile.ID) (out []string) {
			for x, err := range d.Suspects(t.Context(), s, after) {
				require.NoError(t, err)
				out = append(out, string(x.Profile)+" "+x.String())
			}
			return out
		}
		require.Equal(t, []string{"P0001 a device of 4 profiles", "P0005 5 values of name"}, read(profile.Suspecting{}, ""))
		require.Equal(t, []string{"P0005 5 values of name"}, read(profile.Suspecting{}, "P0001"))
		require.Equal(t, []string{"P0005 7 identifiers"}, read(profile.Suspecting{Identifiers: 6, Values: map[string]int{}, Profiles: -1}, ""))
		require.Empty(t, read(profile.Suspecting{Identifiers: -1, Values: map[string]int{"name": 5}, Profiles: 4}, ""))
		for _, x := range read(profile.Suspecting{}, "") {
			require.NotContains(t, x, "kiosk")
		}
		for range d.Suspects(t.Context(), profile.Suspecting{}, "") {
			break
		}
	})
}
