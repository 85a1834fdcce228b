package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// Adding events and retracting them is the identity: profiles, IDs, traits,
// refusals are what they were, and of a Store every row.
func TestAddingThenRetractingIsTheIdentity(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		m := newModel(t, cfg)
		stay := 1 + rng.IntN(len(w.events)-1)
		rng.Shuffle(len(w.events), func(i, j int) { w.events[i], w.events[j] = w.events[j], w.events[i] })
		for _, e := range w.events[:stay] {
			m.observe(t, e)
			if rng.IntN(5) == 0 {
				m.decide(t, rng)
			}
		}
		var rows string
		store, stored := cfg.Store.(*profile.MemoryStore)
		if stored {
			rows = rowsOf(t, store)
		}
		m.check(t, "before")
		before := viewOf(t, m.dir, m.events)
		added := w.events[stay:]
		for _, e := range added {
			m.observe(t, e)
		}
		for _, i := range rng.Perm(len(added)) {
			m.retract(t, added[i].ID)
		}
		require.Equal(t, before, viewOf(t, m.dir, m.events))
		if stored {
			require.Equal(t, rows, rowsOf(t, store))
		}
	})
}

// rowsOf are the rows of evidence, identifiers and profiles in a Store, without
// their versions and what only bounds work.
func rowsOf(t testing.TB, s *profile.MemoryStore) string {
	t.Helper()
	var rows struct {
		Evidence []profile.EvidenceRow `json:"evidence"`
		Names    []profile.NameRow     `json:"names"`
		Profiles []profile.ProfileRow  `json:"profiles"`
	}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &rows))
	var out []string
	add := func(row any) {
		text, err := json.Marshal(row)
		require.NoError(t, err)
		out = append(out, string(text))
	}
	for _, row := range rows.Evidence {
		row.Version = 0
		add(row)
	}
	for _, row := range rows.Names {
		row.Version = 0
		add(row)
	}
	for _, row := range rows.Profiles {
		row.Version, row.Latest = 0, profile.PlaceRow{}
		add(row)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// twin is a directory in memory and one over a Store, to which the same is done.
type twin struct {
	memory, stored *profile.Directory
	events         []profile.Event
	keys           []profile.EvidenceKey
}

func (w *twin) both(t testing.TB, what string, do func(d *profile.Directory) (any, error)) error {
	t.Helper()
	a, errA := do(w.memory)
	b, errB := do(w.stored)
	require.Equal(t, fmt.Sprint(errA), fmt.Sprint(errB), what)
	if errA != nil {
		return errA
	}
	require.Equal(t, a, b, what)
	return nil
}

// stateOf is all that a directory tells of events, by present IDs.
func stateOf(t testing.TB, d *profile.Directory, events []profile.Event) []string {
	t.Helper()
	var out []string
	seen := map[profile.ID]bool{}
	for _, e := range events {
		_, owner, err := d.Event(t.Context(), e.ID)
		if err != nil {
			require.True(t, errors.Is(err, profile.ErrGone) || errors.Is(err, profile.ErrNotFound), "%v", err)
		}
		out = append(out, fmt.Sprint(e.ID, owner, err))
		if owner == "" || seen[owner] {
			continue
		}
		seen[owner] = true
		p, err := d.Get(t.Context(), owner)
		require.NoError(t, err)
		for i := range p.Refused {
			slices.SortFunc(p.Refused[i].Witness, func(a, b profile.Identifier) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		slices.SortFunc(p.Refused, func(a, b profile.Refusal) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		for i := range p.Traits { // of a sum, who contributed last is the same up to ties
			p.Traits[i].Source = ""
		}
		out = append(out, fmt.Sprintf("%+v", p))
	}
	slices.Sort(out)
	return out
}

// Whatever is done, in whatever order, a directory over a Store is one in memory:
// the same answers, the same errors, the same IDs, the same profiles.
func TestADirectoryOverAStoreIsOneInMemory(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		cfg.ErasureKeys = [][]byte{oldKey}
		stored := cfg
		cfg.Store, stored.Store = nil, profile.NewMemoryStore()
		world := chaos(rng)
		w := &twin{memory: open(t, cfg), stored: open(t, stored)}
		check := func(what string) {
			t.Helper()
			require.Equal(t, stateOf(t, w.memory, w.events), stateOf(t, w.stored, w.events), "after "+what)
		}
		order := rng.Perm(len(world.events))
		for len(order) > 0 {
			what := w.act(t, rng, &cfg, world.events[order[0]])
			if what == "observe" {
				order = order[1:]
			}
			check(what)
		}
		for _, e := range world.events {
			_ = w.both(t, "again", func(d *profile.Directory) (any, error) {
				r, err := d.Observe(t.Context(), e)
				return []any{r.Profile, r.Evidence, r.Duplicate, r.Retracted}, err
			})
		}
		check("redelivery")
	})
}

// act does something random to both; it says what.
func (w *twin) act(t testing.TB, rng *rand.Rand, cfg *profile.Config, next profile.Event) string {
	t.Helper()
	ctx := t.Context()
	pick := rng.IntN(16)
	if len(w.events) == 0 || pick < 8 {
		var key profile.EvidenceKey
		err := w.both(t, "observe", func(d *profile.Directory) (any, error) {
			r, err := d.Observe(ctx, next)
			key = r.Evidence
			return []any{r.Profile, r.Evidence, r.Duplicate, r.Retracted, r.RefusedTraits}, err
		})
		w.events = append(w.events, next)
		if err == nil {
			w.keys = append(w.keys, key)
		}
		return "observe"
	}
	e := w.events[rng.IntN(len(w.events))]
	other := w.events[rng.IntN(len(w.events))]
	a, b := branded(e).Identifiers[0], branded(other).Identifiers[0]
	var key profile.EvidenceKey
	if len(w.keys) > 0 {
		key = w.keys[rng.IntN(len(w.keys))]
	}
	at := time.Unix(int64(rng.IntN(40)), 0).UTC()
	flip := rng.IntN(2) == 0
	var what string
	do := func(name string, f func(d *profile.Directory) (any, error)) {
		what = name
		_ = w.both(t, name, f)
	}
	switch pick {
	case 8:
		do("retract", func(d *profile.Directory) (any, error) { return nil, d.Retract(ctx, e.ID, decided) })
	case 9:
		do("retract evidence", func(d *profile.Directory) (any, error) { return nil, d.RetractEvidence(ctx, key, decided) })
	case 10:
		do("unlink or relink", func(d *profile.Directory) (any, error) {
			if flip {
				return nil, d.Relink(ctx, key, decided)
			}
			return nil, d.Unlink(ctx, key, decided)
		})
	case 11:
		do("declare", func(d *profile.Directory) (any, error) {
			if flip {
				return nil, d.Link(ctx, a, b, decided)
			}
			return nil, d.Separate(ctx, a, b, decided)
		})
	case 12:
		do("withdraw", func(d *profile.Directory) (any, error) { return nil, d.Withdraw(ctx, a, b, decided) })
	case 13:
		do("release", func(d *profile.Directory) (any, error) { return nil, d.Release(ctx, a, at, decided) })
	case 14:
		if !flip {
			do("restrict", func(d *profile.Directory) (any, error) {
				_, owner, err := d.Event(ctx, e.ID)
				if err != nil {
					return nil, err
				}
				return nil, d.Restrict(ctx, owner, decided)
			})
			break
		}
		do("erase", func(d *profile.Directory) (any, error) {
			_, owner, err := d.Event(ctx, e.ID)
			if err != nil {
				return nil, err
			}
			r, err := d.Erase(ctx, owner, profile.Erasure{Decision: decided})
			return r, err
		})
	default:
		next := vary(rng, *cfg)
		do("other rules", func(d *profile.Directory) (any, error) {
			if said, err := d.Preview(ctx, profile.WhatIf{Rules: new(rulesOf(next))}); err != nil {
				return said, err
			}
			out, err := d.Reconfigure(ctx, rulesOf(next))
			if err == nil {
				*cfg = next
			}
			return out, err
		})
	}
	return what
}
