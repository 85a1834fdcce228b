package world_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// book is a ledger kept by hand: it hears deliveries and knows nothing else.
type book struct {
	rule   world.Earn
	seen   map[string]bool
	orders map[commerce.Key]*entry
	spent  map[string][]spending
}

type entry struct {
	card         string
	lines        []commerce.Line
	payments     []commerce.Payment
	received     time.Time
	placed, paid bool
	returned     []commerce.Event
}

type spending struct {
	at     time.Time
	points int64
}

func newBook(rule world.Earn) *book {
	return &book{rule: rule, seen: map[string]bool{}, orders: map[commerce.Key]*entry{}, spent: map[string][]spending{}}
}

func word(e profile.Event, name string) string {
	s, _ := e.Properties[name].Text()
	return s
}

func (b *book) hear(e profile.Event) {
	if b.seen[e.ID] {
		return
	}
	b.seen[e.ID] = true
	if e.Name == feed.PointsRedeemed {
		n, _ := e.Properties["points"].Int()
		b.spent[word(e, "card")] = append(b.spent[word(e, "card")], spending{e.Time, n})
	}
	if e.Order == nil {
		return
	}
	o := b.orders[e.Order.Order]
	if o == nil {
		o = &entry{}
		b.orders[e.Order.Order] = o
	}
	if c := word(e, "card"); c != "" {
		o.card = c
	}
	switch e.Name {
	case feed.OrderPlaced:
		o.lines, o.placed = e.Order.Lines, true
	case feed.OrderPaid:
		o.payments, o.paid = e.Order.Payments, true
	case feed.OrderReceived:
		o.received = e.Time
	case feed.OrderReturned:
		o.returned = append(o.returned, *e.Order)
	}
}

// balance is what a card has at an instant: usable and pending.
func (b *book) balance(card string, at time.Time) (usable, pending int64) {
	for _, o := range b.orders {
		if o.card != card || !o.placed || !o.paid || o.received.IsZero() || o.received.After(at) {
			continue
		}
		// The base of each line, in fen: less the voucher's share.
		weights := make([]int64, len(o.lines))
		for i, l := range o.lines {
			weights[i] = l.Net
		}
		base := slices.Clone(weights)
		for _, p := range o.payments {
			if p.Tender == "voucher" {
				parts, err := commerce.Split(p.Amount, weights)
				if err != nil {
					panic(err)
				}
				for i := range base {
					base[i] -= parts[i]
				}
			}
		}
		var n int64
		for i, l := range o.lines {
			kept := base[i]
			for _, r := range o.returned {
				for _, back := range r.Lines {
					if back.ID == l.ID && !r.Time.After(at) {
						if back.Quantity == l.Quantity {
							kept = 0
						} else {
							kept -= back.Net
						}
					}
				}
			}
			n += kept / 100 * b.rule.PerYuan
		}
		if at.Before(o.received.Add(b.rule.Window)) {
			pending += n
		} else {
			usable += n
		}
	}
	for _, s := range b.spent[card] {
		if !s.at.After(at) {
			usable -= s.points
		}
	}
	return usable, pending
}

var week = world.Earn{PerYuan: 1, Window: 7 * 24 * time.Hour}

func TestPointsAreWhatALedgerKeptByHandSays(t *testing.T) {
	for seed := range uint64(2) {
		w := small(t, seed+1)
		b := newBook(week)
		for d := range w.Feed() {
			b.hear(d.Event)
		}
		for _, m := range w.Truth().Memberships() {
			for _, at := range []time.Time{w.Start().AddDate(0, 3, 7), w.Start().AddDate(0, 7, 19), w.End(), far} {
				usable, pending := b.balance(m.Card, at)
				p := w.Truth().Points(m.Card, at, far)
				require.Equal(t, usable, p.Usable, "seed %d, card %s at %v", seed+1, m.Card, at)
				require.Equal(t, pending, p.Pending, "seed %d, card %s at %v", seed+1, m.Card, at)
				require.Equal(t, p.Usable+p.Pending, p.Earned-p.TakenOff-p.Redeemed)
			}
		}
	}
}

// When a member redeems, the backend has heard of enough points.
func TestRedemptionsAreCovered(t *testing.T) {
	w := small(t, 5)
	b := newBook(week)
	n := 0
	for d := range w.Feed() {
		if d.Event.Name == feed.PointsRedeemed && !b.seen[d.Event.ID] {
			points, _ := d.Event.Properties["points"].Int()
			usable, _ := b.balance(word(d.Event, "card"), d.Event.Time)
			require.GreaterOrEqual(t, usable, points, "card %s at %v", word(d.Event, "card"), d.At)
			n++
		}
		b.hear(d.Event)
	}
	assert.Positive(t, n)
}

// By what had been reported at an instant, points are those of a ledger that
// had heard the deliveries up to then.
func TestPointsByWhatWasReported(t *testing.T) {
	w := small(t, 6)
	b := newBook(week)
	cut, behind := w.Start().AddDate(0, 0, 20), 0
	for d := range w.Feed() {
		for ; d.At.After(cut); cut = cut.AddDate(0, 0, 20) {
			for _, m := range w.Truth().Memberships() {
				usable, pending := b.balance(m.Card, cut)
				p := w.Truth().Points(m.Card, cut, cut)
				require.Equal(t, usable, p.Usable, "card %s at %v", m.Card, cut)
				require.Equal(t, pending, p.Pending, "card %s at %v", m.Card, cut)
				if p != w.Truth().Points(m.Card, cut, far) {
					behind++
				}
			}
		}
		b.hear(d.Event)
	}
	assert.Positive(t, behind, "somebody's report is still on its way")
}

func TestByOrderRoundsOnceAndReturnsTakeTheirShare(t *testing.T) {
	w := read(t, world.Config{Customers: 400, Earn: world.Earn{PerYuan: 2, Rounding: world.ByOrder}})
	for _, m := range w.Truth().Memberships() {
		var want, worst int64
		for _, o := range w.Truth().Orders() {
			if o.Card != m.Card || !o.Received.Happened() || len(o.Returns) > 0 {
				continue
			}
			var base int64
			for _, l := range o.Lines {
				base += l.Net
			}
			for _, p := range o.Payments {
				if p.Tender == "voucher" {
					base -= p.Amount
				}
			}
			want += base / 100 * 2
		}
		p := w.Truth().Points(m.Card, far, far)
		for _, o := range w.Truth().Orders() {
			if o.Card == m.Card && len(o.Returns) > 0 {
				worst += o.Total() / 100 * 2
			}
		}
		require.GreaterOrEqual(t, p.Earned, want)
		require.LessOrEqual(t, p.Earned, want+worst)
		require.LessOrEqual(t, p.TakenOff, p.Earned-want)
	}
}

func TestTheCashierGetsGuestsPoints(t *testing.T) {
	truth := whole(t).Truth()
	f := truth.Fraud()
	require.NotEmpty(t, f.Orders)
	for _, o := range truth.Orders() {
		if !slices.Contains(f.Orders, o.Key.Number) {
			require.False(t, o.CashierCard)
			continue
		}
		require.True(t, o.CashierCard)
		require.Equal(t, f.Card, o.Card)
		require.Equal(t, f.Cashier, o.Cashier)
		require.NotEqual(t, f.Person, o.Person)
	}
	p := truth.Points(f.Card, far, far)
	assert.Equal(t, p.Usable, p.OfGuests)
	assert.Positive(t, p.OfGuests)
}

func TestSomebodyOwesPoints(t *testing.T) {
	truth := whole(t).Truth()
	tiers, debts := map[string]int{}, 0
	for _, m := range truth.Memberships() {
		tiers[truth.Tier(m.Card, far, far)]++
		if truth.Points(m.Card, far, far).Usable < 0 {
			debts++
		}
	}
	t.Log("tiers", fmt.Sprint(tiers), "debts", debts)
	assert.Positive(t, debts, "returned after the points were spent")
	assert.Greater(t, tiers[""], tiers["silver"])
	assert.Greater(t, tiers["silver"], tiers["gold"])
	assert.Positive(t, tiers["gold"])
}
