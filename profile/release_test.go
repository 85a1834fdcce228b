package profile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// A number that was reassigned is two people's, whenever the events arrive and
// whenever the release becomes known.
func TestReassignedNumberDoesNotLink(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store, Now: func() time.Time { return day(30) }})
			old := observe(t, d, event("1", day(1), phone(li), device("old")))
			observe(t, d, event("2", day(5), phone(li)))
			mixed := observe(t, d, event("3", day(20), phone(li)))
			fresh := observe(t, d, event("4", day(21), phone(li), device("new")))
			require.Equal(t, old.Profile, mixed.Profile)
			require.Equal(t, old.Profile, fresh.Profile)

			require.NoError(t, d.Release(t.Context(), phone(li), day(10), decided))
			require.NoError(t, d.Release(t.Context(), phone(li), day(10), decided))
			now, err := d.Lookup(t.Context(), phone(li))
			require.NoError(t, err)
			then, err := d.LookupAt(t.Context(), phone(li), day(9))
			require.NoError(t, err)
			require.Equal(t, old.Profile, then)
			require.NotEqual(t, now, then)
			for id, want := range map[string]profile.ID{"1": then, "2": then, "3": now, "4": now} {
				_, owner, err := d.Event(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, want, owner, id)
			}
			later := observe(t, d, event("5", day(7), phone(li)))
			require.Equal(t, then, later.Profile, "a late event goes to the owner of its time")
			require.Equal(t, now, observe(t, d, event("6", day(29), phone(li), device("new"))).Profile)
			p, err := d.Get(t.Context(), now)
			require.NoError(t, err)
			require.Equal(t, 3, p.Events)
			require.Contains(t, fmt.Sprint(p.Identifiers), "+86"+li)
			require.ErrorIs(t, d.Release(t.Context(), phone("13900139000"), day(1), decided), profile.ErrNotFound)
		})
	}
}

// Releasing values as of random times, between events in any order, is the same
// as if the owners had had values of their own from the beginning.
func TestReleaseIsAnotherValue(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		for i := range w.events { // one instant each: keys, which order ties, differ between the two
			w.events[i] = branded(w.events[i])
			w.events[i].Time = time.Unix(int64(rng.IntN(40)), int64(i)*1000).UTC()
		}
		type release struct {
			id profile.Identifier
			at time.Time
		}
		var releases []release
		for range 1 + rng.IntN(3) {
			e := w.events[rng.IntN(len(w.events))]
			if id := e.Identifiers[0]; id.Kind == "b" || newOracle(cfg).blocked(id) {
				continue // of many scopes; blocked: nobody's in every period
			}
			releases = append(releases, release{e.Identifiers[0], time.Unix(int64(rng.IntN(40)), 0).UTC()})
		}
		released, other := open(t, cfg), open(t, inMemory(cfg))
		pending := slices.Clone(releases)
		for _, i := range rng.Perm(len(w.events)) {
			observe(t, released, w.events[i])
			if len(pending) > 0 && rng.IntN(5) == 0 {
				if err := released.Release(t.Context(), pending[0].id, pending[0].at, decided); err == nil {
					pending = pending[1:]
				}
			}
		}
		for _, r := range pending {
			require.NoError(t, released.Release(t.Context(), r.id, r.at, decided))
		}
		for _, e := range w.events {
			e.Identifiers = slices.Clone(e.Identifiers)
			for i, id := range e.Identifiers {
				var last time.Time
				for _, r := range releases {
					if r.id == id && !r.at.After(e.Time) && (last.IsZero() || r.at.After(last)) {
						last = r.at
					}
				}
				if !last.IsZero() {
					e.Identifiers[i].Value = fmt.Sprintf("%s!%d", id.Value, last.UnixMicro())
				}
			}
			observe(t, other, e)
		}
		require.Equal(t, partition(t, other, w.events), partition(t, released, w.events))
	})
}

// partition tells for every profile its events, traits and identifiers.
func partition(t testing.TB, d *profile.Directory, events []profile.Event) []string {
	t.Helper()
	var out []string
	seen := map[profile.ID]bool{}
	for _, e := range events {
		_, owner, err := d.Event(t.Context(), e.ID)
		require.NoError(t, err)
		if owner == "" || seen[owner] {
			continue
		}
		seen[owner] = true
		p, err := d.Get(t.Context(), owner)
		require.NoError(t, err)
		var ids []string
		for e, err := range d.Timeline(t.Context(), owner) {
			require.NoError(t, err)
			ids = append(ids, e.ID)
		}
		for _, k := range p.Identifiers {
			value, _, _ := strings.Cut(k.Value, "!")
			ids = append(ids, fmt.Sprint(k.Kind, value, k.Links))
		}
		for _, r := range p.Refused {
			value, _, _ := strings.Cut(r.Identifier.Value, "!")
			ids = append(ids, fmt.Sprint(r.Identifier.Kind, value, r.Reason, r.Kind, len(r.Witness)))
		}
		slices.Sort(ids)
		out = append(out, fmt.Sprint(p.Events, p.Evidence, p.Values(), slices.Compact(ids)))
	}
	slices.Sort(out)
	return out
}

func inMemory(cfg profile.Config) profile.Config {
	cfg.Store = nil
	return cfg
}
