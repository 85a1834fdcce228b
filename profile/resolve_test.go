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
	worlds = flag.Int("worlds", 100, "generated worlds per property")
	seed   = flag.Uint64("seed", 1, "seed of the first generated world")
)

// eachWorld runs a property over generated worlds, on a directory in memory and
// on one over a Store; a failure names the seed.
func eachWorld(t *testing.T, property func(t *testing.T, cfg profile.Config, rng *rand.Rand)) {
	t.Helper()
	t.Logf("seeds %d to %d; -worlds and -seed replay", *seed, *seed+uint64(*worlds)-1)
	run := func(where string, s uint64, store profile.Store) {
		rng, cfg := rand.New(rand.NewPCG(s, 7)), chaosConfig()
		if rng.IntN(2) == 0 {
			cfg = vary(rng, cfg)
		}
		cfg.Store = store
		ok := t.Run(fmt.Sprintf("%s/seed=%d", where, s), func(t *testing.T) { property(t, cfg, rng) })
		if !ok {
			t.FailNow()
		}
	}
	for i := range uint64(*worlds) {
		run("memory", *seed+i, nil)
		if i%8 == 0 {
			run("store", *seed+i, profile.NewMemoryStore())
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
		v.profiles = append(v.profiles, string(owner)+": "+profileText(timeline, ids, p.Values(), p.Evidence))
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

// model drives a directory and the oracle side by side.
type model struct {
	dir    *profile.Directory
	oracle *oracle
	events map[string]profile.Event // that stand
	gone   map[string]bool          // retracted
	keys   map[string]profile.EvidenceKey
	minted int
	ask    func(profile.WhatIf) // before every decision, nil for not
}

func newModel(t testing.TB, cfg profile.Config) *model {
	return &model{
		dir: open(t, cfg), oracle: newOracle(cfg),
		events: map[string]profile.Event{}, gone: map[string]bool{}, keys: map[string]profile.EvidenceKey{},
	}
}

func (m *model) observe(t testing.TB, e profile.Event) {
	t.Helper()
	r, err := m.dir.Observe(context.Background(), e)
	require.NoError(t, err)
	_, known := m.events[e.ID]
	require.Equal(t, known || m.gone[e.ID], r.Duplicate)
	require.Equal(t, m.gone[e.ID], r.Retracted)
	if r.Duplicate {
		return
	}
	m.events[e.ID], m.keys[e.ID] = branded(e), r.Evidence
	if m.oracle.anchors[r.Evidence] == "" {
		m.minted++
		m.oracle.anchors[r.Evidence] = profile.ID(fmt.Sprintf("P%04d", m.minted))
	}
}

func (m *model) retract(t testing.TB, id string) {
	t.Helper()
	require.NoError(t, m.dir.Retract(context.Background(), id, decided))
	m.forget(id)
}

func (m *model) forget(id string) {
	key := m.keys[id]
	delete(m.events, id)
	delete(m.keys, id)
	m.gone[id] = true
	for _, k := range m.keys {
		if k == key {
			return
		}
	}
	delete(m.oracle.anchors, key)
	delete(m.oracle.unlinked, key)
}

func (m *model) check(t testing.TB, after string) {
	t.Helper()
	m.oracle.fold(m.events, m.keys)
	require.Equal(t, m.oracle.view(), viewOf(t, m.dir, m.events), "after "+after)
}

var decided = profile.Decision{Actor: "test", Reason: "because"}

// The path event by event, in any order and with any duplication, ends where a
// full fold of the distinct events ends; and after every single event it is
// where a full fold of the events so far is.
func TestOrderDoesNotMatter(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		stepwise := *worlds <= 1000 || rng.IntN(8) == 0
		for permutation := range 3 {
			if cfg.Store != nil {
				cfg.Store = profile.NewMemoryStore()
			}
			m := newModel(t, cfg)
			events := slices.Clone(w.events)
			for range len(events) / 3 {
				events = append(events, w.events[rng.IntN(len(w.events))])
			}
			rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			for _, e := range events {
				m.observe(t, e)
				if permutation == 0 && stepwise {
					m.check(t, e.ID)
				}
			}
			m.check(t, "all")
		}
	})
}

// Whatever people decide between events, the state is a full fold of what
// stands: events not retracted, links not taken away, declarations not withdrawn.
func TestDecisionsAreExact(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		m := newModel(t, cfg)
		order := rng.Perm(len(w.events))
		for len(order) > 0 {
			if rng.IntN(3) > 0 {
				m.observe(t, w.events[order[0]])
				order = order[1:]
				continue
			}
			what := m.decide(t, rng)
			m.check(t, what)
		}
		for _, e := range w.events {
			m.observe(t, e) // a redelivery: what was retracted stays out
		}
		m.check(t, "redelivery")
	})
}

// decide does something random to both sides.
func (m *model) decide(t testing.TB, rng *rand.Rand) string {
	t.Helper()
	ctx := context.Background()
	ids := sortedIDs(m.events)
	if len(ids) == 0 {
		return "nothing"
	}
	id := ids[rng.IntN(len(ids))]
	key := m.keys[id]
	ask := func(w profile.WhatIf) {
		if m.ask != nil {
			m.ask(w)
		}
	}
	switch rng.IntN(6) {
	case 0:
		ask(profile.WhatIf{Retract: id})
		m.retract(t, id)
		return "retract " + id
	case 1:
		ask(profile.WhatIf{RetractEvidence: key})
		require.NoError(t, m.dir.RetractEvidence(ctx, key, decided))
		for _, other := range ids {
			if m.keys[other] == key {
				m.forget(other)
			}
		}
		return "retract evidence of " + id
	case 2:
		if m.oracle.unlinked[key] {
			ask(profile.WhatIf{Relink: key})
			require.NoError(t, m.dir.Relink(ctx, key, decided))
			delete(m.oracle.unlinked, key)
			return "relink " + id
		}
		ask(profile.WhatIf{Unlink: key})
		require.NoError(t, m.dir.Unlink(ctx, key, decided))
		m.oracle.unlinked[key] = true
		return "unlink " + id
	}
	var known []profile.Identifier
	for _, id := range ids {
		for _, i := range m.events[id].Identifiers {
			if m.oracle.kind(i).Use == profile.Links && !m.oracle.blocked(i) {
				known = append(known, i)
			}
		}
	}
	if len(known) == 0 {
		return "nothing"
	}
	a, b := known[rng.IntN(len(known))], known[rng.IntN(len(known))]
	if a == b {
		return "nothing"
	}
	if m.oracle.compareLinks(a, b) > 0 {
		a, b = b, a
	}
	tie := oracleTie{a, b, rng.IntN(2) == 0}
	if at := slices.IndexFunc(m.oracle.ties, func(o oracleTie) bool { return o.a == a && o.b == b }); at >= 0 {
		ask(profile.WhatIf{Withdraw: &[2]profile.Identifier{b, a}})
		require.NoError(t, m.dir.Withdraw(ctx, a, b, decided))
		m.oracle.ties = slices.DeleteFunc(m.oracle.ties, func(o oracleTie) bool { return o.a == a && o.b == b })
		return fmt.Sprint("withdraw ", a, b)
	}
	if tie.must {
		ask(profile.WhatIf{Link: &[2]profile.Identifier{a, b}})
		require.NoError(t, m.dir.Link(ctx, a, b, decided))
	} else {
		ask(profile.WhatIf{Separate: &[2]profile.Identifier{a, b}})
		require.NoError(t, m.dir.Separate(ctx, a, b, decided))
	}
	m.oracle.ties = append(m.oracle.ties, tie)
	return fmt.Sprint("declare ", tie)
}

// holding is what a reader of the feed keeps of a profile.
func holding(p profile.Profile) string {
	ids := make([]profile.Identifier, len(p.Identifiers))
	for i, k := range p.Identifiers {
		ids[i] = k.Identifier
	}
	return fmt.Sprint(p.Events, p.Values(), ids)
}

// reader follows the feed and, at each row, re-reads the profiles that the row names.
type reader struct {
	dir    *profile.Directory
	held   map[profile.ID]string
	cursor uint64
}

func newReader(d *profile.Directory) *reader { return &reader{dir: d, held: map[profile.ID]string{}} }

func (r *reader) follow(t testing.TB) {
	t.Helper()
	for c, err := range r.dir.Changes(t.Context(), r.cursor) {
		require.NoError(t, err)
		require.Equal(t, r.cursor+1, c.Seq)
		r.cursor = c.Seq
		for _, id := range []profile.ID{c.Profile, c.Other} {
			if id == "" {
				continue
			}
			p, err := r.dir.Get(t.Context(), id)
			if errors.Is(err, profile.ErrGone) || err == nil && p.ID != id {
				delete(r.held, id)
				continue
			}
			require.NoError(t, err)
			r.held[id] = holding(p)
		}
	}
}

// check compares what the reader holds with the directory.
func (r *reader) check(t testing.TB, m *model) {
	t.Helper()
	truth := map[profile.ID]string{}
	for id := range m.events {
		_, owner, err := m.dir.Event(t.Context(), id)
		require.NoError(t, err)
		if owner != "" {
			p, err := m.dir.Get(t.Context(), owner)
			require.NoError(t, err)
			truth[owner] = holding(p)
		}
	}
	require.Equal(t, truth, r.held)
}

// A reader that follows the feed and, at each row, re-reads the profiles that
// the row names always holds every profile as it is.
func TestFeedNamesAllThatChanged(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		m := newModel(t, cfg)
		held := newReader(m.dir)
		order := rng.Perm(len(w.events))
		for len(order) > 0 {
			if rng.IntN(3) > 0 {
				m.observe(t, w.events[order[0]])
				order = order[1:]
			} else {
				m.decide(t, rng)
			}
			held.follow(t)
			held.check(t, m)
		}
	})
}
