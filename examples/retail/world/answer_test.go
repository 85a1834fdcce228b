package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

func TestAnswersFollowWhatHappened(t *testing.T) {
	w := read(t, world.Config{Customers: 1500})
	late := map[string]bool{}
	for _, o := range w.Truth().Orders() {
		late[o.Key.Number] = o.Late()
	}
	var asked, answered, texts int
	var sum, n [2]float64
	for d := range w.Feed() {
		if d.Event.Name != feed.OrderReceived || d.Event.Source == "till" {
			continue
		}
		asked++
		a, ok := w.Respond(d.Event.ID, "nps.delivery", d.At.Add(time.Hour))
		again, too := w.Respond(d.Event.ID, "nps.delivery", d.At.Add(time.Hour))
		require.Equal(t, a, again)
		require.Equal(t, ok, too)
		if !ok {
			continue
		}
		answered++
		require.True(t, a.Score >= 0 && a.Score <= 10)
		require.Positive(t, a.After)
		if a.Text != "" {
			texts++
		}
		i := 0
		if late[word(d.Event, "order_id")] {
			i = 1
		}
		sum[i] += float64(a.Score)
		n[i]++
	}
	rate := float64(answered) / float64(asked)
	assert.True(t, rate > 0.25 && rate < 0.45, "response rate %.3f", rate)
	assert.Positive(t, texts)
	assert.Greater(t, sum[0]/n[0], sum[1]/n[1]+1.5, "late parcels make for worse answers")
}

func TestScales(t *testing.T) {
	w := small(t, 1)
	for survey, most := range map[string]int{"nps": 10, "csat.return": 5, "stars": 5, "ces.repair": 7} {
		seen := map[int]bool{}
		for d := range w.Feed() {
			if a, ok := w.Respond(d.Event.ID, survey, d.At); ok {
				seen[a.Score] = true
				require.LessOrEqual(t, a.Score, most)
				require.GreaterOrEqual(t, a.Score, most%2)
			}
		}
		assert.GreaterOrEqual(t, len(seen), most-1, survey)
	}
	for d := range w.Feed() {
		_, ok := w.Respond(d.Event.ID, "thermometer", d.At)
		require.False(t, ok)
	}
	_, ok := w.Respond("of another world", "nps", w.Start())
	assert.False(t, ok)
	orders, persons := 0, 0
	for _, o := range w.Truth().Orders() {
		if _, ok := w.Respond(o.Key.Number, "nps", w.End()); ok {
			orders++
		}
		if _, ok := w.Respond(o.Person, "nps", w.End()); ok {
			persons++
		}
	}
	assert.Positive(t, orders, "asked by order")
	assert.Positive(t, persons, "asked by person")
}

func TestReactionsAreOrdersOfTheirOwn(t *testing.T) {
	w := create(t, world.Config{Customers: 1200})
	truth := w.Truth()
	before, original := len(truth.Orders()), fingerprint(t, w)
	emptied := map[string]bool{}
	for _, o := range truth.Orders() {
		emptied[o.Cart] = true
	}
	told, reacted := 0, 0
	var facts []commerce.Event
	carts := map[string]bool{}
	assigned := map[string]profile.ID{}
	for d := range w.Feed() {
		if d.Event.Order != nil {
			facts = append(facts, *d.Event.Order)
		}
		if d.Event.Name != feed.CartUpdated || carts[word(d.Event, "cart_id")] {
			continue
		}
		carts[word(d.Event, "cart_id")] = true
		if !emptied[word(d.Event, "cart_id")] {
			told++
		}
		at := d.At.Add(2 * time.Hour)
		got := w.React(d.Event.ID, world.CartMessage, at)
		require.Equal(t, got, w.React(d.Event.ID, world.CartMessage, at), "asked again")
		if len(got) == 0 {
			continue
		}
		reacted++
		require.False(t, emptied[word(d.Event, "cart_id")], "an order stands for this cart already")
		last := at
		for _, x := range got {
			require.False(t, x.At.Before(last))
			last = x.At
			who := truth.Person(x.Event.ID)
			require.NotEmpty(t, who)
			require.Equal(t, truth.Person(d.Event.ID), who)
			assigned[x.Event.ID] = profile.ID(who)
			if x.Event.Order != nil {
				facts = append(facts, *x.Event.Order)
				require.Equal(t, word(d.Event, "cart_id"), word(placed(got), "cart_id"))
			}
		}
	}
	orders, err := commerce.FoldAll(facts)
	require.NoError(t, err)
	assert.Len(t, orders, len(truth.Orders()), "the truth has them all")
	because := 0
	for _, o := range truth.Orders() {
		if o.Because == world.CartMessage {
			because++
		}
	}
	assert.Equal(t, reacted, because)
	assert.Equal(t, before+reacted, len(truth.Orders()))
	assert.InDelta(t, 0.14, float64(reacted)/float64(told), 0.04)
	assert.Equal(t, original, fingerprint(t, w), "the feed of the year is as it was")
	s := truth.Score(assigned)
	assert.Equal(t, 1.0, s.All.Precision())

	assert.Nil(t, w.React("of another world", world.CartMessage, w.Start()))
}

func placed(ds []feed.Delivery) profile.Event {
	for _, d := range ds {
		if d.Event.Name == feed.OrderPlaced {
			return d.Event
		}
	}
	return profile.Event{}
}

func TestAnApologyHelps(t *testing.T) {
	scores := func(sorry bool) (mean float64) {
		w := create(t, world.Config{Customers: 1000})
		var sum, n float64
		for d := range w.Feed() {
			if by, ok := d.Event.Properties["promised_by"].Time(); !ok || !d.Event.Time.After(by) {
				continue
			}
			if sorry {
				require.Empty(t, w.React(d.Event.ID, world.LateMessage, d.At))
			}
			if a, ok := w.Respond(d.Event.ID, "nps", d.At.Add(24*time.Hour)); ok {
				sum += float64(a.Score)
				n++
			}
		}
		return sum / n
	}
	assert.Greater(t, scores(true), scores(false)+0.4)
}
