package profile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

var (
	oldKey = bytes.Repeat([]byte{1}, 32)
	newKey = bytes.Repeat([]byte{2}, 32)
)

func setOf(e profile.Event) string {
	var ids []string
	for _, id := range branded(e).Identifiers {
		ids = append(ids, fmt.Sprint(id))
	}
	sort.Strings(ids)
	return fmt.Sprint(slices.Compact(ids))
}

// Whoever is erased stays erased: the others are what a full fold without the
// person makes them, and neither a redelivery nor a re-export under other event
// IDs, in any order, brings anything of the person back.
func TestErasedStayErased(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		cfg.ErasureKeys = [][]byte{oldKey}
		w := chaos(rng)
		m := newModel(t, cfg)
		ids, sets := map[profile.Identifier]bool{}, map[string]bool{} // buried
		deliver := func(e profile.Event) {
			erased := sets[setOf(e)]
			for _, id := range branded(e).Identifiers {
				erased = erased || ids[id]
			}
			if erased && !m.gone[e.ID] {
				_, err := m.dir.Observe(t.Context(), e)
				require.ErrorIs(t, err, profile.ErrErased)
				return
			}
			m.observe(t, e)
		}
		order := rng.Perm(len(w.events))
		for i, at := range order {
			deliver(w.events[at])
			if rng.IntN(6) > 0 || len(m.events) == 0 {
				continue
			}
			victim := sortedIDs(m.events)[rng.IntN(len(m.events))]
			_, owner, err := m.dir.Event(t.Context(), victim)
			require.NoError(t, err)
			if owner == "" {
				continue
			}
			m.erase(t, owner, ids, sets)
			m.check(t, fmt.Sprint("erasure after ", i))
			_, err = m.dir.Get(t.Context(), owner)
			require.ErrorIs(t, err, profile.ErrGone)
		}
		for _, at := range rng.Perm(len(w.events)) {
			deliver(w.events[at])
			again := w.events[at]
			again.ID += "-again"
			if m.gone[w.events[at].ID] {
				deliver(again)
			}
		}
		m.check(t, "replay")
	})
}

// erase erases on both sides and notes what is buried.
func (m *model) erase(t testing.TB, owner profile.ID, ids map[profile.Identifier]bool, sets map[string]bool) {
	t.Helper()
	ctx := context.Background()
	var theirs []profile.Event
	for e, err := range m.dir.Timeline(ctx, owner) {
		require.NoError(t, err)
		theirs = append(theirs, e)
	}
	report, err := m.dir.Erase(ctx, owner, profile.Erasure{Decision: decided})
	require.NoError(t, err)
	require.Equal(t, owner, report.IDs[0])
	require.Equal(t, len(theirs), report.Events)
	for _, e := range theirs {
		sets[setOf(e)] = true
		m.forget(e.ID)
	}
	left := map[profile.Identifier]bool{}
	for _, e := range m.events {
		for _, id := range e.Identifiers {
			left[id] = true
		}
	}
	for _, e := range theirs {
		for _, id := range branded(e).Identifiers {
			if !left[id] {
				ids[id] = true
			}
		}
	}
	m.oracle.ties = slices.DeleteFunc(m.oracle.ties, func(o oracleTie) bool { return ids[o.a] || ids[o.b] })
}

func TestReturnAfterErasure(t *testing.T) {
	now := day(10)
	cfg := profile.Config{ErasureKeys: [][]byte{oldKey}, Now: func() time.Time { return now }}
	d := open(t, cfg)
	first := observe(t, d, event("1", day(1), phone(li), device("D1")))
	_, err := d.Erase(t.Context(), first.Profile, profile.Erasure{Decision: decided})
	require.NoError(t, err)

	now = day(20)
	_, err = d.Observe(t.Context(), event("2", day(9), phone(li)))
	require.ErrorIs(t, err, profile.ErrErased, "from before the erasure")
	_, err = d.Observe(t.Context(), event("3", day(10), phone(li)))
	require.ErrorIs(t, err, profile.ErrErased, "from the instant of the erasure")
	again := observe(t, d, event("4", day(11), phone(li)))
	require.NotEqual(t, first.Profile, again.Profile, "who returns is a new customer")
	r, err := d.Observe(t.Context(), event("5", day(9), phone(li)))
	require.ErrorIs(t, err, profile.ErrErased, "and the old events still stay out")
	require.Equal(t, profile.ReasonErased, r.Refused[0].Reason)
	p, err := d.Get(t.Context(), again.Profile)
	require.NoError(t, err)
	require.Equal(t, 1, p.Events)
}

func TestKeptOutForGood(t *testing.T) {
	now := day(10)
	d := open(t, profile.Config{ErasureKeys: [][]byte{oldKey}, Now: func() time.Time { return now }})
	id := observe(t, d, event("1", day(1), phone(li))).Profile
	_, err := d.Erase(t.Context(), id, profile.Erasure{Decision: decided, KeepOut: true})
	require.NoError(t, err)
	now = day(20)
	_, err = d.Observe(t.Context(), event("2", day(19), phone(li), device("D2")))
	require.ErrorIs(t, err, profile.ErrErased)
	observe(t, d, event("3", day(19), device("D2")))
}

// A phone that the husband's evidence holds too is his to keep; the wife's own
// events stay out.
func TestSharedIdentifiersStay(t *testing.T) {
	now := day(10)
	d := open(t, profile.Config{ErasureKeys: [][]byte{oldKey}, Now: func() time.Time { return now }})
	wife := observe(t, d, event("1", day(1), member("W"), phone(li)))
	husband := observe(t, d, event("2", day(2), member("H"), phone(li)))
	require.NotEqual(t, wife.Profile, husband.Profile)
	report, err := d.Erase(t.Context(), wife.Profile, profile.Erasure{Decision: decided})
	require.NoError(t, err)
	require.Equal(t, 1, report.Identifiers, "the card is hers alone")

	who, err := d.Lookup(t.Context(), phone(li))
	require.NoError(t, err)
	require.Equal(t, husband.Profile, who, "nobody stands against his link any more")
	_, err = d.Observe(t.Context(), event("3", day(1), member("W"), phone(li)))
	require.ErrorIs(t, err, profile.ErrErased)
	observe(t, d, event("4", day(3), member("H"), phone(li)))
}

func TestErasureKeysRotate(t *testing.T) {
	store := profile.NewMemoryStore()
	now := day(10)
	with := func(keys ...[]byte) *profile.Directory {
		return open(t, profile.Config{Store: store, ErasureKeys: keys, Now: func() time.Time { return now }})
	}
	_, err := open(t, profile.Config{}).Erase(t.Context(), "x", profile.Erasure{Decision: decided})
	require.ErrorIs(t, err, profile.ErrNoErasureKey)
	_, err = profile.New(profile.Config{ErasureKeys: [][]byte{{1}}})
	require.ErrorIs(t, err, profile.ErrConfig)

	d := with(oldKey)
	id := observe(t, d, event("1", day(1), phone(li))).Profile
	_, err = d.Erase(t.Context(), id, profile.Erasure{Decision: decided})
	require.NoError(t, err)
	_, err = with(newKey, oldKey).Observe(t.Context(), event("2", day(1), phone(li)))
	require.ErrorIs(t, err, profile.ErrErased, "the old key is still asked")
	observe(t, with(newKey), event("3", day(1), phone(li))) // it was dropped: what it remembered is forgotten
}

// What a Store holds after an erasure names nobody.
func TestNothingPersonalIsLeft(t *testing.T) {
	store := profile.NewMemoryStore()
	d := open(t, profile.Config{Store: store, ErasureKeys: [][]byte{oldKey}})
	e := event("1", day(1), phone(li), profile.Identifier{Kind: "email", Value: "li@example.com"})
	e.Traits = profile.Values{"name": profile.Text("Li Lei")}
	e.Consents = []profile.ConsentAct{{Purpose: "marketing", Address: phone(li), Granted: true}}
	id := observe(t, d, e).Profile
	observe(t, d, event("2", day(2), phone(li), device("D1")))
	require.NoError(t, d.Separate(t.Context(), phone(li), device("D1"), profile.Decision{Actor: "x", Reason: "Li Lei says so"}))
	require.Contains(t, dump(t, store), "13800138000")
	require.Contains(t, dump(t, store), "Li Lei")
	_, err := d.Erase(t.Context(), id, profile.Erasure{Decision: decided})
	require.NoError(t, err)
	_, _, err = d.Event(t.Context(), "2")
	require.ErrorIs(t, err, profile.ErrGone)
	once := observe(t, d, event("3", day(3), phone("13900139000")))
	require.NoError(t, d.Release(t.Context(), phone("13900139000"), day(5), decided))
	twice := observe(t, d, event("4", day(6), phone("13900139000")))
	for _, r := range []profile.Receipt{once, twice} {
		_, err = d.Erase(t.Context(), r.Profile, profile.Erasure{Decision: decided})
		require.NoError(t, err)
	}
	left := dump(t, store)
	for _, personal := range []string{"13800138000", "li@example.com", "Li Lei", "D1", "13900139000"} {
		require.NotContains(t, left, personal)
	}
	require.Contains(t, left, string(id), "the opaque ID stays, so that it is known to be gone")
}

// dump writes all that is in a Store.
func dump(t testing.TB, s *profile.MemoryStore) string {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return string(b)
}

func TestExportIsEverything(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store})
			e := event("1", day(1), phone(li), device("D1"))
			e.Traits = profile.Values{"city": profile.Text("Hangzhou")}
			e.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
			id := observe(t, d, e).Profile
			observe(t, d, event("2", day(2), device("D1")))
			observe(t, d, event("3", day(2), device("other")))
			require.NoError(t, d.Separate(t.Context(), phone(li), device("other"), decided))

			var kinds []string
			for item, err := range d.Export(t.Context(), id) {
				require.NoError(t, err)
				b, err := json.Marshal(item)
				require.NoError(t, err)
				var fields map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(b, &fields))
				require.Len(t, fields, 1)
				for k := range fields {
					kinds = append(kinds, k)
				}
				if item.Evidence != nil && item.Evidence.Events == 1 && len(item.Evidence.Consents) > 0 {
					require.Equal(t, "Hangzhou", item.Evidence.Traits[0].Value.String())
				}
				if item.Name != nil && item.Name.Name.Kind == "phone" {
					require.Equal(t, decided, item.Name.Ties[0].Decision)
				}
			}
			require.Equal(t, []string{"profile", "evidence", "evidence", "name", "name", "event", "event"}, kinds)
		})
	}
}
