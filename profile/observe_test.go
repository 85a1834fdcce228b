package profile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

func day(n int) time.Time { return time.Date(2026, 3, n, 10, 0, 0, 0, time.UTC) }

func phone(v string) profile.Identifier  { return profile.Identifier{Kind: "phone", Value: v} }
func device(v string) profile.Identifier { return profile.Identifier{Kind: "device", Value: v} }
func member(v string) profile.Identifier { return profile.Identifier{Kind: "member/a", Value: v} }

func event(id string, at time.Time, ids ...profile.Identifier) profile.Event {
	return profile.Event{ID: id, Source: "test", Name: "seen", Time: at, Identifiers: ids}
}

func observe(t testing.TB, d *profile.Directory, e profile.Event) profile.Receipt {
	t.Helper()
	r, err := d.Observe(context.Background(), e)
	require.NoError(t, err)
	return r
}

const li = "13800138000"

func TestSameEventTwiceIsOneEvent(t *testing.T) {
	d := open(t, profile.Config{})
	e := event("1", day(1), phone(li))
	e.Traits = profile.Values{"city": profile.Text("Hangzhou")}
	e.Order = &commerce.Event{Order: commerce.Key{Source: "till", Number: "7"}, Kind: commerce.Completed}
	e.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true, ExpiresAt: day(2).In(time.FixedZone("CST", 8*3600))}}
	first := observe(t, d, e)
	require.False(t, first.Duplicate)

	e.Mode = profile.Backfill // how it was delivered is not what it says
	e.Time = e.Time.Add(300 * time.Nanosecond).In(time.FixedZone("CST", 8*3600))
	again := observe(t, d, e)
	require.True(t, again.Duplicate)
	require.Equal(t, first.Profile, again.Profile)
	require.Equal(t, first.Seq, again.Seq)

	for name, change := range map[string]func(*profile.Event){
		"name":       func(e *profile.Event) { e.Name = "other" },
		"source":     func(e *profile.Event) { e.Source = "other" },
		"brand":      func(e *profile.Event) { e.Brand = "b" },
		"time":       func(e *profile.Event) { e.Time = day(2) },
		"identifier": func(e *profile.Event) { e.Identifiers = []profile.Identifier{phone("13900139000")} },
		"trait":      func(e *profile.Event) { e.Traits = profile.Values{"city": profile.Text("Beijing")} },
		"property":   func(e *profile.Event) { e.Properties = profile.Values{"city": profile.Text("Hangzhou")} },
		"moved":      func(e *profile.Event) { e.Properties, e.Traits = e.Traits, nil },
		"order":      func(e *profile.Event) { e.Order = &commerce.Event{Order: e.Order.Order, Kind: commerce.Closed} },
		"no order":   func(e *profile.Event) { e.Order = nil },
		"consent":    func(e *profile.Event) { e.Consents = nil },
	} {
		other := e
		change(&other)
		_, err := d.Observe(t.Context(), other)
		require.ErrorIs(t, err, profile.ErrEventConflict, name)
	}
	p, err := d.Get(t.Context(), first.Profile)
	require.NoError(t, err)
	require.Equal(t, 1, p.Events)
}

func TestObserveCopiesTheEvent(t *testing.T) {
	d := open(t, profile.Config{})
	e := event("1", day(1), phone(li))
	e.Traits = profile.Values{"city": profile.Text("Hangzhou")}
	e.Properties = profile.Values{"sku": profile.Text("boots")}
	e.Order = &commerce.Event{
		Order: commerce.Key{Source: "till", Number: "7"}, Kind: commerce.Placed,
		Lines: []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, Net: 100}},
	}
	observe(t, d, e)
	e.Traits["city"], e.Properties["sku"] = profile.Int(1), profile.Int(1)
	e.Identifiers[0].Value, e.Order.Lines[0].SKU = "x", "x"

	got, _, err := d.Event(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, profile.Values{"city": profile.Text("Hangzhou")}, got.Traits)
	require.Equal(t, profile.Values{"sku": profile.Text("boots")}, got.Properties)
	require.Equal(t, []profile.Identifier{phone(li)}, got.Identifiers)
	require.Equal(t, "boots", got.Order.Lines[0].SKU)
	require.Equal(t, "1", got.Order.ID)
	require.True(t, got.Order.Time.Equal(day(1)))
}

// Bad input is an error that names the field; nothing of it stays.
func TestBadEventsLeaveNoTrace(t *testing.T) {
	d := open(t, profile.Config{Now: func() time.Time { return day(20) }})
	long := strings.Repeat("x", 300)
	many := make([]profile.Identifier, 10_000)
	for i := range many {
		many[i] = device(fmt.Sprint(i))
	}
	traits := profile.Values{}
	for i := range 2000 {
		traits[fmt.Sprint(i)] = profile.Int(1)
	}
	for name, c := range map[string]struct {
		change func(*profile.Event)
		want   error
	}{
		"no ID":                       {func(e *profile.Event) { e.ID = "" }, profile.ErrInvalidEvent},
		"long ID":                     {func(e *profile.Event) { e.ID = long }, profile.ErrInvalidEvent},
		"NUL in ID":                   {func(e *profile.Event) { e.ID = "a\x00" }, profile.ErrInvalidEvent},
		"no time":                     {func(e *profile.Event) { e.Time = time.Time{} }, profile.ErrInvalidEvent},
		"year 0":                      {func(e *profile.Event) { e.Time = time.Date(0, 5, 1, 0, 0, 0, 0, time.UTC) }, profile.ErrInvalidEvent},
		"year 10000":                  {func(e *profile.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, profile.ErrInvalidEvent},
		"future":                      {func(e *profile.Event) { e.Time = day(22) }, profile.ErrInvalidEvent},
		"a microsecond over MaxAhead": {func(e *profile.Event) { e.Time = day(21).Add(time.Microsecond) }, profile.ErrInvalidEvent},
		"before year 1":               {func(e *profile.Event) { e.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, profile.ErrInvalidEvent},
		"bad UTF-8 in ID":             {func(e *profile.Event) { e.ID = "a\xff" }, profile.ErrInvalidEvent},
		"bad UTF-8 in a trait":        {func(e *profile.Event) { e.Traits = profile.Values{"a": profile.Text("\xff")} }, profile.ErrInvalidEvent},
		"a trait of year 0": {func(e *profile.Event) {
			e.Traits = profile.Values{"a": profile.Time(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))}
		}, profile.ErrInvalidEvent},
		"only control characters": {func(e *profile.Event) {
			e.Identifiers = []profile.Identifier{device("a\tb"), device("\u200b"), device("\x7f")}
		}, profile.ErrNoIdentifier},
		"only empty":        {func(e *profile.Event) { e.Identifiers = []profile.Identifier{device(""), device(" "), {}} }, profile.ErrNoIdentifier},
		"long name":         {func(e *profile.Event) { e.Name = long }, profile.ErrInvalidEvent},
		"bad UTF-8":         {func(e *profile.Event) { e.Source = "\xff" }, profile.ErrInvalidEvent},
		"unknown mode":      {func(e *profile.Event) { e.Mode = 9 }, profile.ErrInvalidEvent},
		"trait with NUL":    {func(e *profile.Event) { e.Traits = profile.Values{"a": profile.Text("\x00")} }, profile.ErrInvalidEvent},
		"trait no name":     {func(e *profile.Event) { e.Traits = profile.Values{"": profile.Int(1)} }, profile.ErrInvalidEvent},
		"too many traits":   {func(e *profile.Event) { e.Traits = traits }, profile.ErrInvalidEvent},
		"consent for what":  {func(e *profile.Event) { e.Consents = []profile.ConsentAct{{Granted: true}} }, profile.ErrInvalidEvent},
		"consent too long":  {func(e *profile.Event) { e.Consents = []profile.ConsentAct{{Purpose: "p", Proof: long}} }, profile.ErrInvalidEvent},
		"guardian too long": {func(e *profile.Event) { e.Consents = []profile.ConsentAct{{Purpose: "p", Guardian: long}} }, profile.ErrInvalidEvent},
		"guardian no text":  {func(e *profile.Event) { e.Consents = []profile.ConsentAct{{Purpose: "p", Guardian: "a\x00"}} }, profile.ErrInvalidEvent},
		"consent for ever": {func(e *profile.Event) {
			e.Consents = []profile.ConsentAct{{Purpose: "p", ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}
		}, profile.ErrInvalidEvent},
		"asked to withdraw": {func(e *profile.Event) { e.Consents = []profile.ConsentAct{{Purpose: "p", Pending: true}} }, profile.ErrInvalidEvent},
		"relation for ever": {func(e *profile.Event) {
			e.Relations = []profile.RelationAct{{Type: "a", Party: "b", Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}
		}, profile.ErrInvalidEvent},
		"bad order":         {func(e *profile.Event) { e.Order = &commerce.Event{Kind: commerce.Placed} }, profile.ErrInvalidEvent},
		"10000 identifiers": {func(e *profile.Event) { e.Identifiers = many }, profile.ErrInvalidEvent},
		"no identifier":     {func(e *profile.Event) { e.Identifiers = nil }, profile.ErrNoIdentifier},
		"only a token": {func(e *profile.Event) {
			e.Identifiers = []profile.Identifier{{Kind: "order.token/tmall", Value: "T1"}}
		}, profile.ErrNoIdentifier},
		"only masked": {func(e *profile.Event) { e.Identifiers = []profile.Identifier{phone("138****1234")} }, profile.ErrNoIdentifier},
	} {
		e := event("bad", day(1), phone(li))
		c.change(&e)
		r, err := d.Observe(t.Context(), e)
		require.ErrorIs(t, err, c.want, name)
		require.Equal(t, err, r.Err, name)
		require.NotContains(t, err.Error(), li, name)
	}
	_, err := d.Lookup(t.Context(), phone(li))
	require.ErrorIs(t, err, profile.ErrNotFound)
	for range d.Changes(t.Context(), 0) {
		t.Fatal("the feed tells something")
	}
	require.False(t, observe(t, d, event("bad", day(1), phone(li))).Duplicate, "the ID stayed free")
}

func TestUnusableIdentifiersDoNotStopTheEvent(t *testing.T) {
	cfg := profile.Config{Kinds: profile.DefaultKinds()}
	for i := range cfg.Kinds {
		if cfg.Kinds[i].Name == "phone" {
			cfg.Kinds[i].Blocked = []string{"13000000000"}
			cfg.Kinds[i].BlockedPatterns = []string{`^\+861(\d)\d*0000000$`}
		}
	}
	d := open(t, cfg)
	r := observe(t, d, event("1", day(1),
		device("D1"),
		phone("138****1234"), phone("13800138000-22"), phone("12345"), phone("13000000000"), phone("13900000000"),
		profile.Identifier{Kind: "fax", Value: "1"},
		profile.Identifier{Kind: "device", Value: ""},
		profile.Identifier{Kind: "device", Value: "a\x00b"},
		profile.Identifier{Kind: "device", Value: "a\nb"},
		profile.Identifier{Kind: "device", Value: "\xff"},
		profile.Identifier{Kind: "device", Value: strings.Repeat("x", 300)},
		profile.Identifier{Kind: "device", Value: "7f***3c"},
	))
	reasons := make([]profile.Reason, 0, len(r.Refused))
	for _, x := range r.Refused {
		reasons = append(reasons, x.Reason)
	}
	slices.Sort(reasons)
	require.Equal(t, []profile.Reason{
		profile.ReasonUnknownKind, profile.ReasonMalformed, profile.ReasonMalformed, profile.ReasonMalformed, profile.ReasonMalformed,
		profile.ReasonMalformed, profile.ReasonTooLong, profile.ReasonMasked, profile.ReasonMasked, profile.ReasonRelay,
		profile.ReasonBlocked, profile.ReasonBlocked,
	}, reasons)
	p, err := d.Get(t.Context(), r.Profile)
	require.NoError(t, err)
	require.Len(t, p.Identifiers, 1)
	_, err = d.Lookup(t.Context(), phone("13000000000"))
	require.ErrorIs(t, err, profile.ErrNotFound, "a blocked value looks nobody up")
}

// What is no text, or too long, is kept as far as it can be written anywhere,
// and a redelivery is still the same event.
func TestUnusableIdentifiersAreKeptAsText(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store})
			e := event("1", day(1), device("D1"), device("a\xffb"), device("a\x00b"), profile.Identifier{Kind: "\xff", Value: "1"}, phone(strings.Repeat("é", 10_000)))
			observe(t, d, e)
			require.True(t, observe(t, d, e).Duplicate)
			kept, _, err := d.Event(t.Context(), "1")
			require.NoError(t, err)
			require.Len(t, kept.Identifiers, 5)
			for _, id := range kept.Identifiers {
				require.LessOrEqual(t, len(id.Value), profile.MaxValueBytes)
				require.True(t, utf8.ValidString(id.Kind+id.Value))
				require.NotContains(t, id.Value, "\x00")
			}
			require.Equal(t, device("a\ufffdb"), kept.Identifiers[1])
			observe(t, d, event("2", day(1), kept.Identifiers...))
		})
	}
}

// An event whose every identifier is blocked is kept, and belongs to nobody.
func TestBlockedAloneBelongsToNobody(t *testing.T) {
	d := open(t, profile.Config{Kinds: []profile.Kind{{Name: "device", Blocked: []string{"unknown"}}}})
	r := observe(t, d, event("1", day(1), device("unknown")))
	require.Empty(t, r.Profile)
	_, owner, err := d.Event(t.Context(), "1")
	require.NoError(t, err)
	require.Empty(t, owner)
}

func TestBrandIsTheScopeOfAMembership(t *testing.T) {
	d := open(t, profile.Config{})
	e := event("1", day(1), profile.Identifier{Kind: "member", Value: "M1"})
	e.Brand = "a"
	f := e
	f.ID, f.Brand = "2", "b"
	a, b := observe(t, d, e), observe(t, d, f)
	require.NotEqual(t, a.Profile, b.Profile, "the same number in two brands is two people")
	who, err := d.Lookup(t.Context(), profile.Identifier{Kind: "member/b", Value: "M1"})
	require.NoError(t, err)
	require.Equal(t, b.Profile, who)
}

// A token for one order finds the buyer of the order and ties nothing.
func TestLookUpKindsDoNotLink(t *testing.T) {
	d := open(t, profile.Config{Kinds: append(profile.DefaultKinds(), profile.Kind{Name: "locker", Use: profile.LooksUp, Priority: 300})})
	order := profile.Identifier{Kind: "order/tmall", Value: "O1"}
	locker := profile.Identifier{Kind: "locker", Value: "L1"}
	a := observe(t, d, event("1", day(1), phone(li), order, locker))
	b := observe(t, d, event("2", day(2), phone("13900139000"), order, locker))
	require.NotEqual(t, a.Profile, b.Profile)

	who, err := d.Lookup(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, a.Profile, who, "a unique value answers to its first holder")

	_, err = d.Lookup(t.Context(), locker)
	require.ErrorIs(t, err, profile.ErrAmbiguous)
	var ambiguous *profile.AmbiguousError
	require.ErrorAs(t, err, &ambiguous)
	require.ElementsMatch(t, []profile.ID{a.Profile, b.Profile}, ambiguous.Profiles)

	alone := observe(t, d, event("3", day(3), profile.Identifier{Kind: "order/jd", Value: "O9"}))
	require.NotEmpty(t, alone.Profile, "what can be looked up is somebody")
	require.Equal(t, alone.Profile, observe(t, d, event("4", day(4), profile.Identifier{Kind: "order/jd", Value: "O9"})).Profile)
}

// An identifier that every link refuses is nobody's, and Lookup says who refused it.
func TestRefusedEverywhere(t *testing.T) {
	d := open(t, profile.Config{})
	observe(t, d, event("1", day(1), member("M1")))
	r := observe(t, d, event("2", day(2), member("M1"), member("M2")))
	require.Len(t, r.Refused, 1)
	require.Equal(t, profile.Refusal{
		Identifier: member("M2"), Reason: profile.ReasonLimit, Evidence: r.Evidence, Kind: "member/a",
		Witness: []profile.Identifier{member("M2")},
	}, r.Refused[0])
	_, err := d.Lookup(t.Context(), member("M2"))
	require.ErrorIs(t, err, profile.ErrNotFound)
	var refused *profile.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, r.Refused, refused.Refusals)
}

func TestBatchRecordsWhatItCan(t *testing.T) {
	d := open(t, profile.Config{})
	receipts, err := d.ObserveBatch(t.Context(), []profile.Event{
		event("1", day(1), phone(li)),
		event("", day(1), phone(li)),
		event("2", day(2), phone("138****8000")),
		event("1", day(1), phone(li)),
		event("1", day(2), phone(li)),
		event("3", day(3), phone("+86"+li), device("D1")),
	})
	require.NoError(t, err)
	require.NoError(t, receipts[0].Err)
	require.ErrorIs(t, receipts[1].Err, profile.ErrInvalidEvent)
	require.ErrorIs(t, receipts[2].Err, profile.ErrNoIdentifier)
	require.Equal(t, profile.ReasonMasked, receipts[2].Refused[0].Reason)
	require.True(t, receipts[3].Duplicate)
	require.ErrorIs(t, receipts[4].Err, profile.ErrEventConflict)
	require.Equal(t, receipts[0].Profile, receipts[5].Profile)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.ObserveBatch(canceled, []profile.Event{event("9", day(9), phone(li))})
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = d.Event(t.Context(), "9")
	require.ErrorIs(t, err, profile.ErrNotFound)
}

// 64 goroutines that see the same people leave what one alone would.
func TestManyWritersEndWhereOneWould(t *testing.T) {
	for s := range uint64(20) {
		rng := rand.New(rand.NewPCG(*seed+s, 11))
		w := chaos(rng)
		m := newModel(t, chaosConfig())
		var group sync.WaitGroup
		shuffled := make([][]profile.Event, 64)
		for i := range shuffled {
			shuffled[i] = slices.Clone(w.events)
			rng.Shuffle(len(w.events), func(a, b int) { shuffled[i][a], shuffled[i][b] = shuffled[i][b], shuffled[i][a] })
		}
		for _, events := range shuffled {
			group.Go(func() {
				for _, e := range events {
					r, err := m.dir.Observe(context.Background(), e)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := m.dir.Get(context.Background(), r.Profile); r.Profile != "" && err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		for _, e := range w.events {
			r := observe(t, m.dir, e)
			require.True(t, r.Duplicate)
			m.events[e.ID], m.keys[e.ID] = branded(e), r.Evidence
		}
		m.oracle.fold(m.events, m.keys)
		want, got := m.oracle.view(), viewOf(t, m.dir, m.events)
		for _, v := range []*view{&want, &got} { // IDs depend on who came first
			for i, p := range v.profiles {
				_, v.profiles[i], _ = strings.Cut(p, ": ")
			}
			slices.Sort(v.profiles)
		}
		require.Equal(t, want, got, "seed %d", *seed+s)
	}
}

func TestWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, profile.Config{})
		time.Sleep(24 * 30 * time.Hour)
		r := observe(t, d, event("1", time.Now(), phone(li)))
		for c, err := range d.Changes(t.Context(), 0) {
			require.NoError(t, err)
			require.True(t, c.RecordedAt.Equal(time.Now().Truncate(time.Microsecond)))
			require.Equal(t, r.Profile, c.Profile)
		}
	})
}
