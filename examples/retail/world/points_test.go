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
	card                   string
	lines                  []commerce.Line
	payments               []commerce.Payment
	paid, received, closed time.Time
	refunds                []commerce.Event
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
		o.lines = e.Order.Lines
	case feed.OrderPaid:
		o.payments, o.paid = e.Order.Payments, e.Time
	case feed.OrderReceived:
		o.received = e.Time
	case feed.OrderClosed:
		o.closed = e.Time
	case feed.OrderRefunded:
		o.refunds = append(o.refunds, *e.Order)
	}
}

// balance is what a card has at an instant: usable and pending.
func (b *book) balance(card string, at time.Time) (usable, pending int64) {
	for _, o := range b.orders {
		if o.card != card || o.lines == nil || o.paid.IsZero() || o.paid.After(at) || !o.closed.IsZero() && !o.closed.After(at) {
			continue
		}
		n := b.kept(o, at)
		// Seven days for returns, which end with the day.
		local := o.received.In(world.Zone)
		over := time.Date(local.Year(), local.Month(), local.Day(), 24, 0, 0, 0, world.Zone).AddDate(0, 0, 7)
		if o.received.IsZero() || at.Before(over) {
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

// kept is the points of an order that refunds have left.
func (b *book) kept(o *entry, at time.Time) int64 {
	nets := make([]int64, len(o.lines))
	var base, vouchers int64
	for i, l := range o.lines {
		nets[i] = l.Net
		base += l.Net
	}
	for _, p := range o.payments {
		if p.Tender == "voucher" {
			vouchers += p.Amount
		}
	}
	off, err := commerce.Split(vouchers, nets)
	if err != nil {
		panic(err)
	}
	bases := make([]int64, len(nets))
	for i := range nets {
		bases[i] = nets[i] - off[i]
	}
	points, err := commerce.Split((base-vouchers)*b.rule.PerYuan/100, bases)
	if err != nil {
		panic(err)
	}
	if b.rule.Rounding == world.ByLine {
		for i := range points {
			points[i] = bases[i] * b.rule.PerYuan / 100
		}
	}
	var kept int64
	for i, l := range o.lines {
		share := points[i]
		for _, r := range o.refunds {
			for _, back := range r.Lines {
				switch {
				case back.ID != l.ID || r.Time.After(at):
				case back.Net == l.Net:
					share = 0
				case b.rule.Rounding == world.ByLine:
					share = (bases[i] - back.Net) * b.rule.PerYuan / 100
				default:
					share -= points[i] * back.Net / l.Net
				}
			}
		}
		kept += share
	}
	return kept
}

var standard = world.Earn{PerYuan: 1}

func TestPointsAreWhatALedgerKeptByHandSays(t *testing.T) {
	for _, rule := range []world.Earn{standard, {PerYuan: 3, Rounding: world.ByLine}} {
		w := read(t, world.Config{Seed: 2, Customers: 400, Earn: rule})
		b := newBook(rule)
		for d := range w.Feed() {
			b.hear(d.Event)
		}
		for _, m := range w.Truth().Memberships() {
			for _, at := range []time.Time{w.Start().AddDate(0, 3, 7), w.Start().AddDate(0, 7, 19), w.End(), far} {
				usable, pending := b.balance(m.Card, at)
				p := w.Truth().Points(m.Card, at, far)
				require.Equal(t, usable, p.Usable, "rule %v, card %s at %v", rule, m.Card, at)
				require.Equal(t, pending, p.Pending, "rule %v, card %s at %v", rule, m.Card, at)
				require.Equal(t, p.Usable+p.Pending, p.Earned-p.TakenOff-p.Redeemed)
			}
		}
	}
}

// When a member redeems, the backend has heard of enough points.
func TestRedemptionsAreCovered(t *testing.T) {
	w := small(t, 5)
	b := newBook(standard)
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
	b := newBook(standard)
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

// A tier is the highest that the points of payments less refunds ever came to.
func TestTierIsTheHighestEverReached(t *testing.T) {
	w := small(t, 1)
	b := newBook(standard)
	for d := range w.Feed() {
		b.hear(d.Event)
	}
	for _, m := range w.Truth().Memberships() {
		var instants []time.Time
		for _, o := range b.orders {
			if o.card == m.Card && !o.paid.IsZero() {
				instants = append(instants, o.paid)
			}
		}
		var best int64
		for _, at := range instants {
			var sum int64
			for _, o := range b.orders {
				if o.card == m.Card && !o.paid.IsZero() && !o.paid.After(at) && (o.closed.IsZero() || o.closed.After(at)) {
					sum += b.kept(o, at)
				}
			}
			best = max(best, sum)
		}
		want := ""
		switch {
		case best >= 5000:
			want = "gold"
		case best >= 1000:
			want = "silver"
		}
		require.Equal(t, want, w.Truth().Tier(m.Card, w.End(), far), "card %s with %d", m.Card, best)
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
	assert.Equal(t, p.Earned-p.TakenOff, p.OfGuests)
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
