package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

func ExampleDirectory_Retain() {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	customers, err := profile.New(profile.Config{
		Now: func() time.Time { return now },
		Retention: profile.Retention{
			Visitors: 30 * 24 * time.Hour,
			Events:   map[string]time.Duration{"page.viewed": 90 * 24 * time.Hour},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	see := func(id string, ids ...profile.Identifier) {
		if _, err := customers.Observe(ctx, profile.Event{ID: id, Name: "page.viewed", Time: now, Identifiers: ids}); err != nil {
			fmt.Println(err)
		}
	}
	cookie := profile.Identifier{Kind: "cookie", Value: "c1"}
	see("1", cookie)
	see("2", profile.Identifier{Kind: "cookie", Value: "c2"}, profile.Identifier{Kind: "email", Value: "li@example.com"})

	now = now.AddDate(0, 0, 30)
	_, err = customers.Lookup(ctx, cookie)
	fmt.Println(err)
	fmt.Println(customers.Retain(ctx, now))
	now = now.AddDate(0, 0, 60)
	fmt.Println(customers.Retain(ctx, now))
	// Output:
	// profile: not found
	// 1 visitors removed with 1 events; 0 events stripped <nil>
	// 0 visitors removed with 0 events; 1 events stripped <nil>
}

// retaining opens a directory whose clock the test moves.
func retaining(t testing.TB, store profile.Store, now *time.Time, r profile.Retention) *profile.Directory {
	return open(t, profile.Config{
		Store: store, Now: func() time.Time { return *now }, Retention: r, ErasureKeys: [][]byte{oldKey},
		Kinds: append(profile.DefaultKinds(), profile.Kind{Name: "screen", Blocked: []string{"0"}}),
	})
}

func eachStore(t *testing.T, run func(t *testing.T, store profile.Store)) {
	t.Run("memory", func(t *testing.T) { run(t, nil) })
	t.Run("store", func(t *testing.T) { run(t, profile.NewMemoryStore()) })
}

func TestAVisitorIsOverAtTheInstantWhetherOrNotASweepHasRun(t *testing.T) {
	eachStore(t, func(t *testing.T, store profile.Store) {
		now := day(1)
		d := retaining(t, store, &now, profile.Retention{Visitors: 10 * 24 * time.Hour})
		visitor := observe(t, d, event("1", day(1), device("D1"), profile.Identifier{Kind: "cookie", Value: "C1"})).Profile
		known := observe(t, d, event("2", day(1), device("D2"), phone(li))).Profile
		byOrder := observe(t, d, event("3", day(1), device("D3"), profile.Identifier{Kind: "order", Value: "O1"})).Profile
		nobody := event("4", day(1), profile.Identifier{Kind: "screen", Value: "0"})
		require.Empty(t, observe(t, d, nobody).Profile)
		held := observe(t, d, event("5", day(1), device("D5"))).Profile
		require.NoError(t, d.Restrict(t.Context(), held, decided))

		answers := func() string {
			var out []any
			for _, id := range []profile.ID{visitor, known, byOrder, held} {
				p, err := d.Get(t.Context(), id)
				out = append(out, p.Events, err)
				for item, err := range d.Export(t.Context(), id) {
					out = append(out, item.Event != nil, err)
				}
				m, err := d.May(t.Context(), id, profile.ConsentQuery{Purpose: "x"}, now)
				out = append(out, m, err)
			}
			for _, id := range []profile.Identifier{device("D1"), device("D2"), device("D3"), device("D5"), {Kind: "cookie", Value: "C1"}, {Kind: "order", Value: "O1"}} {
				who, err := d.Lookup(t.Context(), id)
				x, err2 := d.Explain(t.Context(), id, phone(li))
				out = append(out, who, err, x.Profile, err2)
			}
			for _, id := range []string{"1", "2", "3", "4", "5"} {
				e, who, err := d.Event(t.Context(), id)
				out = append(out, e.Name, who, err)
			}
			r, err := d.Observe(t.Context(), event("1", day(1), device("D1"), profile.Identifier{Kind: "cookie", Value: "C1"}))
			out = append(out, r, err, d.Link(t.Context(), device("D1"), phone(li), decided))
			return fmt.Sprint(out...)
		}
		now = day(11).Add(-time.Microsecond)
		_, err := d.Get(t.Context(), visitor)
		require.NoError(t, err)
		swept, err := d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Zero(t, swept)

		now = day(11)
		_, err = d.Get(t.Context(), visitor)
		require.ErrorIs(t, err, profile.ErrGone)
		_, err = d.Lookup(t.Context(), device("D1"))
		require.ErrorIs(t, err, profile.ErrNotFound)
		_, _, err = d.Event(t.Context(), "4")
		require.ErrorIs(t, err, profile.ErrGone)
		before := answers()
		swept, err = d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, profile.Retained{Visitors: 1, Removed: 2}, swept)
		require.Equal(t, before, answers())
		for _, id := range []profile.ID{known, byOrder, held} {
			_, err := d.Resolve(t.Context(), id)
			require.NoError(t, err, "who has a phone, an order, or is restricted, stays")
		}
		swept, err = d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Zero(t, swept)
		var gone []profile.ID
		for c, err := range d.Changes(t.Context(), 0) {
			require.NoError(t, err)
			if c.Kind == profile.Erased {
				gone = append(gone, c.Profile)
			}
		}
		require.Equal(t, []profile.ID{visitor}, gone)
	})
}

// What is left of a visitor are IDs.
func TestNothingIsLeftOfAVisitor(t *testing.T) {
	store := profile.NewMemoryStore()
	now := day(1)
	d := retaining(t, store, &now, profile.Retention{Visitors: time.Hour})
	e := event("1", day(1), device("D1"), profile.Identifier{Kind: "cookie", Value: "C1"})
	e.Traits, e.Properties = profile.Values{"city": profile.Text("Hangzhou")}, profile.Values{"sku": profile.Text("boots")}
	e.Consents = []profile.ConsentAct{{Purpose: "cookies", Granted: true, Proof: "banner"}}
	e.Relations = []profile.RelationAct{{Type: "outlet", Party: "S1"}}
	id := observe(t, d, e).Profile
	observe(t, d, event("2", day(1), device("D1")))
	observe(t, d, event("3", day(1), profile.Identifier{Kind: "screen", Value: "0"}))
	require.NoError(t, d.Separate(t.Context(), device("D1"), profile.Identifier{Kind: "cookie", Value: "C1"}, decided))
	now = day(2)
	swept, err := d.Retain(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, 3, swept.Removed)
	left := dump(t, store)
	for _, personal := range []string{"D1", "C1", "Hangzhou", "boots", "banner", "S1", "screen"} {
		require.NotContains(t, left, personal)
	}
	require.Contains(t, left, string(id))
}

// A visitor who comes back in time lives on; after that, one who returns is a
// new one, whether or not a sweep has run in between.
func TestAVisitorReturns(t *testing.T) {
	for _, sweeps := range []bool{false, true} {
		eachStore(t, func(t *testing.T, store profile.Store) {
			now := day(1)
			d := retaining(t, store, &now, profile.Retention{Visitors: 10 * 24 * time.Hour})
			see := func(id string, n int, ids ...profile.Identifier) profile.Receipt {
				now = day(n)
				return observe(t, d, event(id, now, ids...))
			}
			first := see("1", 1, device("D1"))
			require.Equal(t, first.Profile, see("2", 9, device("D1")).Profile)
			now = day(19)
			if sweeps {
				_, err := d.Retain(t.Context(), now)
				require.NoError(t, err)
			}
			again := see("3", 19, device("D1"), phone(li))
			require.NotEqual(t, first.Profile, again.Profile)
			p, err := d.Get(t.Context(), again.Profile)
			require.NoError(t, err)
			require.Equal(t, 1, p.Events)
			_, err = d.Resolve(t.Context(), first.Profile)
			require.ErrorIs(t, err, profile.ErrGone)
			r := observe(t, d, event("1", day(1), device("D1")))
			require.True(t, r.Duplicate && r.Retracted, "an event of a visitor who is over stays out")
		})
	}
}

// History may be loaded in any order: a backfill joins what no sweep removed.
func TestABackfillJoinsVisitorsOfLongAgo(t *testing.T) {
	now := day(30)
	d := retaining(t, nil, &now, profile.Retention{Visitors: 24 * time.Hour})
	anonymous, named := event("1", day(1), device("D1")), event("2", day(2), device("D1"), phone(li))
	anonymous.Mode, named.Mode = profile.Backfill, profile.Backfill
	id := observe(t, d, anonymous).Profile
	_, err := d.Get(t.Context(), id)
	require.ErrorIs(t, err, profile.ErrGone)
	require.Equal(t, id, observe(t, d, named).Profile)
	p, err := d.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, 2, p.Events)
}

// After every sweep the state is a full fold of what still stands, and whoever
// ever said who they are stands.
func TestASweepIsExact(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		// A visitor whose last event is in the first seconds of the world is over
		// at the world's now, and one of x seconds later at x seconds after it.
		cfg.Retention = profile.Retention{Visitors: worldNow - 5*time.Second, Anonymous: []string{"d", "v"}}
		now := cfg.Now()
		worldsNow := now
		cfg.Now = func() time.Time { return now }
		w := chaos(rng)
		m := newModel(t, cfg)
		for _, at := range rng.Perm(len(w.events)) {
			e := w.events[at]
			e.Mode = profile.Backfill
			m.observe(t, e)
			if rng.IntN(3) == 0 {
				m.declare(t, rng)
			}
			if rng.IntN(4) > 0 {
				continue
			}
			now = worldsNow.Add(time.Duration(rng.IntN(40)) * time.Second)
			before := map[string]bool{}
			for _, id := range sortedIDs(m.events) {
				_, _, err := m.dir.Event(t.Context(), id)
				before[id] = errors.Is(err, profile.ErrGone)
			}
			_, err := m.dir.Retain(t.Context(), now)
			require.NoError(t, err)
			for _, id := range sortedIDs(m.events) {
				_, _, err := m.dir.Event(t.Context(), id)
				if require.Equal(t, before[id], err != nil, "the sweep changes no answer"); err == nil {
					continue
				}
				for _, i := range m.events[id].Identifiers {
					kind := m.oracle.kind(i).Name
					require.True(t, kind == "d" || kind == "v" || m.oracle.blocked(i), "somebody who had a name is gone")
				}
				m.forget(id)
			}
			stand := map[profile.Identifier]bool{}
			for _, e := range m.events {
				for _, i := range e.Identifiers {
					stand[i] = true
				}
			}
			m.oracle.ties = slices.DeleteFunc(m.oracle.ties, func(o oracleTie) bool { return !stand[o.a] || !stand[o.b] })
			now = worldsNow
			m.check(t, fmt.Sprint("the sweep after ", e.ID))
		}
	})
}

// declare ties two identifiers of the world on both sides.
func (m *model) declare(t testing.TB, rng *rand.Rand) {
	t.Helper()
	var known []profile.Identifier
	for _, id := range sortedIDs(m.events) {
		for _, i := range m.events[id].Identifiers {
			if m.oracle.kind(i).Use == profile.Links && !m.oracle.blocked(i) {
				known = append(known, i)
			}
		}
	}
	if len(known) == 0 {
		return
	}
	a, b := known[rng.IntN(len(known))], known[rng.IntN(len(known))]
	if m.oracle.compareLinks(a, b) > 0 {
		a, b = b, a
	}
	if a == b || slices.ContainsFunc(m.oracle.ties, func(o oracleTie) bool { return o.a == a && o.b == b }) {
		return
	}
	tie := oracleTie{a, b, rng.IntN(2) == 0}
	declare := m.dir.Separate
	if tie.must {
		declare = m.dir.Link
	}
	switch err := declare(context.Background(), a, b, decided); {
	case errors.Is(err, profile.ErrNotFound): // of a visitor who is over
	default:
		require.NoError(t, err)
		m.oracle.ties = append(m.oracle.ties, tie)
	}
}

func TestWhatIsDerivedOutlivesTheContentOfEvents(t *testing.T) {
	eachStore(t, func(t *testing.T, store profile.Store) {
		now := day(1)
		cfg := profile.Config{
			Store: store, Now: func() time.Time { return now }, Traits: []profile.TraitRule{{Name: "visits", Policy: profile.Sum}},
			Retention: profile.Retention{Events: map[string]time.Duration{"*": 10 * 24 * time.Hour, "order.paid": 0}},
		}
		d := open(t, cfg)
		viewed := event("1", day(1), device("D1"), phone(li))
		viewed.Name, viewed.Properties = "viewed", profile.Values{"sku": profile.Text("boots")}
		viewed.Traits = profile.Values{"visits": profile.Int(1), "city": profile.Text("Hangzhou")}
		viewed.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
		paid := event("2", day(1), phone(li))
		paid.Name = "order.paid"
		paid.Order = &commerce.Event{Kind: commerce.Paid, Order: commerce.Key{Source: "till", Number: "1"}, Payments: []commerce.Payment{{Tender: "cash", Amount: 5}}}
		bare := event("3", day(2), device("D1"))
		bare.Name, bare.Order = "paid", &commerce.Event{Kind: commerce.Paid, Order: commerce.Key{Source: "till", Number: "2"}, Payments: []commerce.Payment{{Tender: "cash", Amount: 5}}}
		id := observe(t, d, viewed).Profile
		observe(t, d, paid)
		now = day(2)
		observe(t, d, bare)

		read := func() string {
			p, err := d.Get(t.Context(), id)
			require.NoError(t, err)
			may, err := d.May(t.Context(), id, profile.ConsentQuery{Purpose: "marketing"}, now)
			require.NoError(t, err)
			b, err := json.Marshal([]any{p, may})
			require.NoError(t, err)
			return string(b)
		}
		timeline := func() (out []string) {
			for e, err := range d.Timeline(t.Context(), id) {
				require.NoError(t, err)
				out = append(out, fmt.Sprintf("%s %q properties %d, order %t, traits %d", e.ID, e.Name, len(e.Properties), e.Order != nil, len(e.Traits)))
			}
			return out
		}
		before := read()
		now = day(11)
		require.Equal(t, []string{
			`1 "" properties 0, order false, traits 2`,
			`2 "order.paid" properties 0, order true, traits 0`,
			`3 "paid" properties 0, order true, traits 0`,
		}, timeline(), "over at its instant")
		orders, err := d.Orders(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, orders, 2)
		unswept := timeline()
		swept, err := d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, profile.Retained{Stripped: 1}, swept)
		require.Equal(t, unswept, timeline())
		require.Equal(t, before, read(), "no answer changes")

		require.True(t, observe(t, d, viewed).Duplicate, "delivered again, it is the same event")
		other := viewed
		other.Traits = profile.Values{"visits": profile.Int(2), "city": profile.Text("Hangzhou")}
		_, err = d.Observe(t.Context(), other)
		require.ErrorIs(t, err, profile.ErrEventConflict)

		now = day(13)
		swept, err = d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, 1, swept.Stripped)
		orders, err = d.Orders(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, orders, 1)

		late := event("4", day(1), device("D9"))
		late.Name, late.Properties = "viewed", profile.Values{"sku": profile.Text("belt")}
		observe(t, d, late)
		swept, err = d.Retain(t.Context(), now)
		require.NoError(t, err)
		require.Zero(t, swept, "what comes when it is over is kept without content")
		require.NoError(t, d.Retract(t.Context(), "1", decided))
		who, err := d.Lookup(t.Context(), phone(li))
		require.NoError(t, err)
		p, err := d.Get(t.Context(), who)
		require.NoError(t, err)
		require.Empty(t, p.Traits, "and a retraction is still exact")
		_, err = d.Lookup(t.Context(), device("D1"))
		require.NoError(t, err)
		if s, ok := store.(*profile.MemoryStore); ok {
			require.NotContains(t, dump(t, s), "boots")
			require.NotContains(t, dump(t, s), "belt")
		}
	})
}

func TestRetentionIsChecked(t *testing.T) {
	for _, r := range []profile.Retention{
		{Visitors: -1},
		{Anonymous: []string{"fax"}},
		{Events: map[string]time.Duration{"x": -1}},
	} {
		_, err := profile.New(profile.Config{Retention: r})
		require.ErrorIs(t, err, profile.ErrConfig)
		require.ErrorContains(t, err, "Retention")
	}
	d := open(t, profile.Config{})
	swept, err := d.Retain(context.Background(), day(30))
	require.NoError(t, err)
	require.Zero(t, swept)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := day(1)
	_, err = retaining(t, nil, &now, profile.Retention{Visitors: time.Second}).Retain(ctx, day(30))
	require.ErrorIs(t, err, context.Canceled)
}
