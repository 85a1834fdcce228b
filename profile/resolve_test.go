package profile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

var (
	worlds = flag.Int("worlds", 300, "generated worlds per property")
	seed   = flag.Uint64("seed", 1, "seed of the first generated world")
)

// eachWorld runs a property over generated worlds; a failure names the seed.
func eachWorld(t *testing.T, property func(t *testing.T, rng *rand.Rand)) {
	t.Helper()
	t.Logf("seeds %d to %d; -worlds and -seed replay", *seed, *seed+uint64(*worlds)-1)
	for i := range *worlds {
		s := *seed + uint64(i)
		ok := t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) { property(t, rand.New(rand.NewPCG(s, 7))) })
		if !ok {
			t.FailNow()
		}
	}
}

// sequence mints readable IDs in the order of asking.
func sequence() func() profile.ID {
	n := 0
	return func() profile.ID {
		n++
		return profile.ID(fmt.Sprintf("P%04d", n))
	}
}

func open(t testing.TB, cfg profile.Config) *profile.Directory {
	t.Helper()
	if cfg.NewID == nil {
		cfg.NewID = sequence()
	}
	d, err := profile.New(cfg)
	require.NoError(t, err)
	return d
}

// viewOf reads a directory back through its public face.
func viewOf(t testing.TB, d *profile.Directory, events map[string]profile.Event) view {
	t.Helper()
	ctx := context.Background()
	v := view{lookups: map[profile.Identifier]string{}}
	seen := map[profile.ID]string{}
	for _, id := range sortedIDs(events) {
		_, owner, err := d.Event(ctx, id)
		require.NoError(t, err)
		if owner == "" || seen[owner] != "" {
			continue
		}
		seen[owner] = id
		p, err := d.Get(ctx, owner)
		require.NoError(t, err)
		require.Equal(t, owner, p.ID)
		var timeline []profile.Event
		for e, err := range d.Timeline(ctx, owner) {
			require.NoError(t, err)
			timeline = append(timeline, e)
		}
		require.Len(t, timeline, p.Events)
		require.True(t, timeline[0].Time.Equal(p.FirstSeen))
		require.True(t, timeline[len(timeline)-1].Time.Equal(p.LastSeen))
		require.True(t, slices.IsSortedFunc(timeline, func(a, b profile.Event) int {
			if c := a.Time.Compare(b.Time); c != 0 {
				return c
			}
			return strings.Compare(a.ID, b.ID)
		}))
		var ids []string
		for _, k := range p.Identifiers {
			if k.Links {
				ids = append(ids, fmt.Sprint(k.Identifier, k.Since.UnixMicro()))
				v.lookups[k.Identifier] = id
				who, err := d.Lookup(ctx, k.Identifier)
				require.NoError(t, err)
				require.Equal(t, owner, who)
			} else {
				ids = append(ids, fmt.Sprint(k.Identifier))
			}
		}
		sort.Strings(ids)
		v.profiles = append(v.profiles, profileText(timeline, ids, p.Values(), p.Evidence))
		for _, r := range p.Refused {
			var witness []string
			for _, w := range r.Witness {
				witness = append(witness, fmt.Sprint(w))
			}
			sort.Strings(witness)
			v.refusals = append(v.refusals, fmt.Sprint(r.Evidence, r.Identifier, r.Reason, r.Kind, "<", strings.Join(witness, ","), ">"))
		}
	}
	sort.Strings(v.profiles)
	sort.Strings(v.refusals)
	return v
}

func sortedIDs(events map[string]profile.Event) []string {
	ids := make([]string, 0, len(events))
	for id := range events {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

// The path event by event, in any order and with any duplication, ends where a
// full fold of the distinct events ends; and after every single event it is
// where a full fold of the events so far is.
func TestOrderDoesNotMatter(t *testing.T) {
	eachWorld(t, func(t *testing.T, rng *rand.Rand) {
		w := chaos(rng)
		o := newOracle(w.cfg)
		for permutation := range 3 {
			d := open(t, w.cfg)
			events := slices.Clone(w.events)
			for range len(events) / 3 {
				events = append(events, w.events[rng.IntN(len(w.events))])
			}
			rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			known := map[string]profile.Event{}
			keys := map[string]profile.EvidenceKey{}
			for _, e := range events {
				r, err := d.Observe(t.Context(), e)
				require.NoError(t, err)
				_, duplicate := known[e.ID]
				require.Equal(t, duplicate, r.Duplicate)
				known[e.ID], keys[e.ID] = e, r.Evidence
				if permutation == 0 {
					o.fold(known, keys)
					require.Equal(t, o.view(), viewOf(t, d, known), "after %s", e.ID)
				}
			}
			o.fold(known, keys)
			require.Equal(t, o.view(), viewOf(t, d, known))
		}
	})
}

// holding is what a reader of the feed keeps of a profile.
func holding(p profile.Profile) string {
	ids := make([]profile.Identifier, len(p.Identifiers))
	for i, k := range p.Identifiers {
		ids[i] = k.Identifier
	}
	return fmt.Sprint(p.Events, p.Values(), ids)
}

// A reader that follows the feed and, at each row, re-reads the profiles that
// the row names always holds every profile as it is.
func TestFeedNamesAllThatChanged(t *testing.T) {
	eachWorld(t, func(t *testing.T, rng *rand.Rand) {
		w := chaos(rng)
		d := open(t, w.cfg)
		held := map[profile.ID]string{}
		var cursor uint64
		known := map[string]profile.Event{}
		read := func(id profile.ID) {
			if id == "" {
				return
			}
			p, err := d.Get(t.Context(), id)
			if errors.Is(err, profile.ErrGone) || err == nil && p.ID != id {
				delete(held, id)
				return
			}
			require.NoError(t, err)
			held[id] = holding(p)
		}
		for _, i := range rng.Perm(len(w.events)) {
			e := w.events[i]
			_, err := d.Observe(t.Context(), e)
			require.NoError(t, err)
			known[e.ID] = e
			for c, err := range d.Changes(t.Context(), cursor) {
				require.NoError(t, err)
				require.Equal(t, cursor+1, c.Seq)
				cursor = c.Seq
				read(c.Profile)
				read(c.Other)
			}
			truth := map[profile.ID]string{}
			for id := range known {
				_, owner, err := d.Event(t.Context(), id)
				require.NoError(t, err)
				if owner != "" {
					p, err := d.Get(t.Context(), owner)
					require.NoError(t, err)
					truth[owner] = holding(p)
				}
			}
			require.Equal(t, truth, held, "after %s", e.ID)
		}
	})
}
