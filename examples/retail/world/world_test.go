package world_test

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
)

// far is after every delivery.
var far = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func create(t testing.TB, cfg world.Config) *world.World {
	t.Helper()
	w, err := world.New(cfg)
	require.NoError(t, err)
	return w
}

// known keeps worlds that tests only read.
var known = map[world.Config]*world.World{}

func read(t testing.TB, cfg world.Config) *world.World {
	t.Helper()
	if known[cfg] == nil {
		known[cfg] = create(t, cfg)
	}
	return known[cfg]
}

func small(t testing.TB, seed uint64) *world.World {
	t.Helper()
	return read(t, world.Config{Seed: seed, Customers: 400})
}

func whole(t testing.TB) *world.World {
	t.Helper()
	return read(t, world.Config{})
}

// fingerprint covers every byte of every delivery.
func fingerprint(t testing.TB, w *world.World) uint64 {
	t.Helper()
	h := fnv.New64a()
	enc := json.NewEncoder(h)
	for d, err := range w.Feed() {
		require.NoError(t, err)
		require.NoError(t, enc.Encode(d))
	}
	return h.Sum64()
}

func TestOneSeedGivesOneWorldAndAnotherSeedAnother(t *testing.T) {
	w := small(t, 1)
	one := fingerprint(t, w)
	assert.Equal(t, one, fingerprint(t, w), "the same feed read twice")
	assert.Equal(t, one, fingerprint(t, create(t, world.Config{Seed: 1, Customers: 400})), "the same seed again")
	assert.NotEqual(t, one, fingerprint(t, small(t, 2)), "another seed")
	assert.Equal(t, fingerprint(t, small(t, 0)), one, "seed 0 is seed 1")
}

func TestConfigIsRefusedByField(t *testing.T) {
	for field, cfg := range map[string]world.Config{
		"Customers":       {Customers: -1},
		"Start":           {Start: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"Earn.PerYuan":    {Earn: world.Earn{PerYuan: -1}},
		"Earn.Rounding":   {Earn: world.Earn{Rounding: 7}},
		"Earn.ReturnDays": {Earn: world.Earn{ReturnDays: -1}},
		"Earn.Gold":       {Earn: world.Earn{Gold: 10}},
	} {
		_, err := world.New(cfg)
		require.ErrorIs(t, err, world.ErrConfig, field)
		assert.Contains(t, err.Error(), field)
	}
}

func TestFeedIsInOrderOfArrival(t *testing.T) {
	w := small(t, 1)
	var last time.Time
	n := 0
	for d, err := range w.Feed() {
		require.NoError(t, err)
		require.False(t, d.At.Before(last), "delivery %d arrives before the one ahead of it", n)
		require.False(t, d.At.Before(d.Event.Time), "delivery %d arrives before it happens", n)
		require.False(t, d.At.Before(w.Start()))
		require.True(t, d.Event.Time.Before(w.End()))
		require.Equal(t, d.Event.Mode == profile.Backfill, d.Event.Time.Before(w.Start()))
		last = d.At
		n++
	}
	require.Greater(t, n, 10_000)
}

func TestWhatIsDeliveredAgainIsTheSame(t *testing.T) {
	first := map[string]profile.Event{}
	again := 0
	for d := range small(t, 1).Feed() {
		if e, ok := first[d.Event.ID]; ok {
			require.Equal(t, e, d.Event)
			again++
			continue
		}
		first[d.Event.ID] = d.Event
	}
	assert.Positive(t, again)
}

// The reader owns what it gets: writing to it changes nothing for the next one.
func TestFeedHandsOutCopies(t *testing.T) {
	w := small(t, 1)
	before := fingerprint(t, w)
	for d := range w.Feed() {
		for i := range d.Event.Identifiers {
			d.Event.Identifiers[i].Value = "x"
		}
		for name := range d.Event.Properties {
			d.Event.Properties[name] = profile.Int(0)
		}
		if o := d.Event.Order; o != nil {
			o.Order.Number = "x"
			for i := range o.Lines {
				o.Lines[i].Net = -1
			}
			for i := range o.Payments {
				o.Payments[i].Amount = -1
			}
		}
	}
	assert.Equal(t, before, fingerprint(t, w))
}

// The feed must not tell what a resolver has to find out.
func TestFeedDoesNotNamePersons(t *testing.T) {
	w := small(t, 1)
	persons := w.Truth().Persons()
	for d := range w.Feed() {
		b, err := json.Marshal(d)
		require.NoError(t, err)
		e, _ := w.Truth().Event(d.Event.ID)
		if e.Person != "" {
			require.NotContains(t, string(b), `"`+e.Person+`"`)
			require.NotContains(t, d.Event.ID, e.Person)
		}
	}
	require.NotEmpty(t, persons)
}

func TestEverythingThatAFeedHasIsThere(t *testing.T) {
	w := whole(t)
	count := map[string]int{}
	for _, p := range w.Truth().Phenomena() {
		t.Logf("%-36s %7d", p.Name, p.Count)
		assert.Positive(t, p.Count, p.Name)
		count[p.Name] = p.Count
	}
	assert.Equal(t, 4000, count["customers"])
	events := count["events"]
	assert.Greater(t, events, 150_000)
	assert.Less(t, events, 300_000)
	share := func(name string, low, high float64) {
		t.Helper()
		s := float64(count[name]) / float64(events)
		assert.Truef(t, s > low && s < high, "%s: %.4f, want %.4f to %.4f", name, s, low, high)
	}
	share("deliveries again", 0.013, 0.017)
	share("events late by an hour or more", 0.02, 0.04)
	share("deliveries after a later event", 0.05, 0.3)

	names := map[string]int{}
	for d := range w.Feed() {
		names[d.Event.Name]++
	}
	for _, name := range []string{
		feed.ProductViewed, feed.CartUpdated, feed.MemberJoined, feed.OrderPlaced, feed.OrderPaid, feed.OrderShipped,
		feed.OrderReceived, feed.OrderCompleted, feed.OrderClosed, feed.OrderReturned, feed.OrderRefunded,
		feed.ReviewPosted, feed.ComplaintFiled, feed.ComplaintClosed, feed.RepairRequested, feed.RepairReturned,
		feed.CustomerIdentified, feed.ProfileUpdated, feed.ConsentChanged, feed.MessageGranted, feed.AssistantAdded,
		feed.AssistantChatted, feed.CallReceived, feed.PointsRedeemed, feed.OrderExchanged, feed.PhoneReassigned,
	} {
		assert.Positive(t, names[name], name)
	}
}

func TestIdentifiersAreAsDirtyAsClerksAndMarketplacesMakeThem(t *testing.T) {
	forms := map[string]int{}
	for d := range read(t, world.Config{Customers: 1500}).Feed() {
		for _, id := range d.Event.Identifiers {
			switch v := id.Value; {
			case id.Kind == world.KindPhone && v == "13800000000":
				forms["placeholder"]++
			case v == "":
				forms["empty"]++
			case id.Kind == world.KindPhone && strings.HasPrefix(v, "0086"):
				forms["0086"]++
			case id.Kind == world.KindPhone && strings.Contains(v, "****"):
				forms["masked"]++
			case id.Kind == world.KindPhone && strings.HasPrefix(v, "95013"):
				forms["relay"]++
			case id.Kind == world.KindPhone && strings.HasPrefix(v, "1841") && len(v) == 16:
				forms["relay with extension"]++
			case id.Kind == world.KindPhone && strings.ContainsRune(v, '０'):
				forms["full width"]++
			case strings.HasPrefix(id.Kind, world.KindTmall+"/"), strings.HasPrefix(id.Kind, world.KindJD+"/"):
				forms["token"]++
			}
		}
	}
	for _, form := range []string{"placeholder", "empty", "0086", "masked", "relay", "relay with extension", "full width", "token"} {
		assert.Positive(t, forms[form], form)
	}
}

func TestTheYearHasItsSeasons(t *testing.T) {
	w := whole(t)
	online, gifts, orders := map[string]int{}, map[string]int{}, map[string]int{}
	for _, o := range w.Truth().Orders() {
		if o.Placed.Happened() && o.Channel != "till" {
			online[o.Placed.At.In(world.Zone).Format(time.DateOnly)]++
		}
		month := o.Placed.At.In(world.Zone).Format("2006-01")
		orders[month]++
		if o.Gift {
			gifts[month]++
		}
	}
	days := make([]int, 0, len(online))
	for _, n := range online {
		days = append(days, n)
	}
	slices.Sort(days)
	median := days[len(days)/2]
	assert.Greater(t, online["2025-11-11"], 6*median, "the sales day")
	holiday := 0
	for d := range 6 {
		holiday += online[world.SpringFestival(2026).AddDate(0, 0, d).Format(time.DateOnly)]
	}
	assert.Less(t, holiday, 6*median/2, "the spring festival")
	assert.Greater(t, float64(gifts["2026-01"])/float64(orders["2026-01"]), 2*float64(gifts["2025-09"])/float64(orders["2025-09"]))

	var enrolled, late int
	for d := range w.Feed() {
		local := d.Event.Time.In(world.Zone)
		if d.Event.Name == feed.MemberJoined && (d.Event.Source == "tmall" || d.Event.Source == "jd") && local.Month() == time.November && local.Day() == 11 {
			enrolled++
			if d.At.Sub(d.Event.Time) > 24*time.Hour {
				late++
			}
		}
	}
	assert.Positive(t, enrolled, "enrollments of the sales day")
	assert.Equal(t, enrolled, late, "come late and in bulk")
}

func TestAnyStartHasItsOwnFestival(t *testing.T) {
	w := create(t, world.Config{Customers: 50, Start: time.Date(2023, 9, 15, 13, 0, 0, 0, time.UTC)})
	assert.Equal(t, time.Date(2023, 9, 15, 0, 0, 0, 0, world.Zone), w.Start())
	assert.Equal(t, time.Date(2024, 9, 15, 0, 0, 0, 0, world.Zone), w.End())
	assert.Equal(t, "2024-02-10", world.SpringFestival(2024).Format(time.DateOnly))
	assert.True(t, world.SpringFestival(2019).IsZero())
}

func TestAnySizeAndSeedMakesAWorld(t *testing.T) {
	for seed := range uint64(12) {
		w := create(t, world.Config{Seed: seed * 977, Customers: 1 + int(seed*seed)})
		ids, n := map[string]bool{}, 0
		for d := range w.Feed() {
			if !ids[d.Event.ID] {
				n++
			}
			ids[d.Event.ID] = true
		}
		events := 0
		for _, p := range w.Truth().Phenomena() {
			if p.Name == "events" {
				events = p.Count
			}
		}
		require.Equal(t, events, n, "every event has an ID of its own")
		numbers := map[string]bool{}
		for _, o := range w.Truth().Orders() {
			require.False(t, numbers[o.Key.Number], "order number %s", o.Key.Number)
			numbers[o.Key.Number] = true
			require.Same(t, o, w.Truth().Order(o.Key.Number))
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := world.New(world.Config{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	w := create(b, world.Config{})
	for b.Loop() {
		for range w.Feed() {
		}
	}
}
