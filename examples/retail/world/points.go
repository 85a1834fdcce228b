package world

import (
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Points is what a membership must have.
type Points struct {
	Earned   int64 // by all payments, before refunds
	TakenOff int64 // by refunds and closed orders
	Redeemed int64
	Pending  int64 // not yet received, or within the time for returns
	Usable   int64 // the balance; negative is debt: refunded after it was spent
	// OfGuests is the part of Earned less TakenOff that the cashier booked
	// from guests' receipts.
	OfGuests int64
}

// Points is the state of a card, given what happened by the first instant and
// had been reported by the second; the zero Points for an unknown card.
func (t *Truth) Points(card string, happened, arrived time.Time) Points {
	var p Points
	m := t.byCard[card]
	if m == nil {
		return p
	}
	for _, o := range m.orders {
		earned, taken := o.points(t.earn, happened, arrived)
		p.Earned += earned
		p.TakenOff += taken
		if o.Received.By(happened, arrived) && !happened.Before(t.earn.vests(o.Received.At)) {
			p.Usable += earned - taken
		} else {
			p.Pending += earned - taken
		}
		if o.CashierCard {
			p.OfGuests += earned - taken
		}
	}
	for _, s := range m.spent {
		if s.fact.By(happened, arrived) {
			p.Redeemed += s.points
			p.Usable -= s.points
		}
	}
	return p
}

// vests is when the points of goods received become usable.
func (e Earn) vests(received time.Time) time.Time {
	y, m, d := received.In(Zone).Date()
	return time.Date(y, m, d+e.ReturnDays+1, 0, 0, 0, 0, Zone)
}

// Tier is "gold", "silver" or "" for a card, by the same two instants as
// [Truth.Points]: the highest that its points ever reached by then.
func (t *Truth) Tier(card string, happened, arrived time.Time) string {
	m := t.byCard[card]
	if m == nil {
		return ""
	}
	type step struct {
		at    time.Time
		delta int64
	}
	var steps []step
	for _, o := range m.orders {
		earned, _ := o.points(t.earn, happened, arrived)
		if earned == 0 {
			continue
		}
		steps = append(steps, step{o.Paid.At, earned})
		var before int64
		changes := []Fact{o.Closed}
		for _, f := range o.Refunds {
			changes = append(changes, f.Fact)
		}
		slices.SortStableFunc(changes, func(a, b Fact) int { return a.At.Compare(b.At) })
		for _, f := range changes {
			if f.By(happened, arrived) {
				_, taken := o.points(t.earn, f.At, arrived)
				steps = append(steps, step{f.At, before - taken})
				before = taken
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })
	var sum, best int64
	for _, s := range steps {
		sum += s.delta
		best = max(best, sum)
	}
	switch {
	case best >= t.earn.Gold:
		return "gold"
	case best >= t.earn.Silver:
		return "silver"
	}
	return ""
}

// points is what the order has earned, and what refunds took off.
func (o *Order) points(rule Earn, happened, arrived time.Time) (earned, taken int64) {
	if o.card == nil || !o.Placed.By(happened, arrived) || !o.Paid.By(happened, arrived) {
		return 0, 0
	}
	base, award := o.award(rule)
	for _, a := range award {
		earned += a
	}
	if o.Closed.By(happened, arrived) {
		return earned, earned
	}
	for _, f := range o.Refunds {
		if !f.By(happened, arrived) {
			continue
		}
		for _, back := range f.Lines {
			i := slices.IndexFunc(o.Lines, func(l commerce.Line) bool { return l.ID == back.ID })
			switch {
			case back.Quantity == o.Lines[i].Quantity:
				taken += award[i]
			case rule.Rounding == ByLine:
				taken += award[i] - (base[i]-back.Net)*rule.PerYuan/100
			default:
				taken += award[i] * back.Quantity / o.Lines[i].Quantity
			}
		}
	}
	return earned, taken
}

// award is the base of each line in fen, and its points.
func (o *Order) award(rule Earn) (base, points []int64) {
	base = make([]int64, len(o.Lines))
	var all int64
	for i, l := range o.Lines {
		base[i] = l.Net
		all += l.Net
	}
	for _, p := range o.Payments {
		if p.Tender == "voucher" {
			for i, part := range share(p.Amount, base) {
				base[i] -= part
			}
			all -= p.Amount
		}
	}
	if rule.Rounding == ByOrder {
		return base, share(all*rule.PerYuan/100, base)
	}
	points = make([]int64, len(o.Lines))
	for i, b := range base {
		points[i] = b * rule.PerYuan / 100
	}
	return base, points
}

// redemption is points spent on a gift in the mini program.
type redemption struct {
	fact   Fact
	points int64
}

// redeem lets members spend points. What they spend, the backend has: by then
// the receipts behind it are reported, whatever is still on its way.
func (g *generator) redeem() {
	for _, o := range g.orders {
		o.book()
	}
	g.truth.byCard = map[string]*Membership{}
	for i, m := range g.members {
		if m.Staff || !m.Joined.Happened() {
			continue
		}
		g.truth.byCard[m.Card] = m
		r := g.h.rand(0x2edee, uint64(i))
		since := later(m.Joined.At, g.start).Add(day)
		for n := range poisson(r, 1.8) {
			t := g.cal.moment(r, mini, since, g.end)
			have := g.truth.Points(m.Card, t, t)
			// A refund that has happened and is not yet reported counts too.
			have.Usable = min(have.Usable, g.truth.Points(m.Card, t, g.end.AddDate(1, 0, 0)).Usable)
			points := have.Usable * int64(60+r.IntN(41)) / 100 / 100 * 100
			if points < 200 {
				continue
			}
			since = t.Add(day)
			b := brandIndex(m.Brand)
			f := g.emit(m.owner, record{
				source: mini, name: feed.PointsRedeemed, brand: m.Brand, time: t,
				ids: append(m.owner.wechat(b), m.identifier()),
				props: []pair{
					text("card", m.Card), text("redemption_id", m.Card+"-"+strconv.Itoa(n)), number("points", points),
				},
			})
			m.spent = append(m.spent, redemption{f, points})
			if chance(r, 0.04) {
				g.returnTheRest(m, t)
			}
			if since.After(g.end.AddDate(0, 0, -2)) {
				break
			}
		}
	}
}

// returnTheRest sends back the last order whose points were just spent.
func (g *generator) returnTheRest(m *Membership, spent time.Time) {
	for _, o := range slices.Backward(m.orders) {
		if o.Received.By(spent, spent) && len(o.Returns) == 0 && len(o.Refunds) == 0 && !o.Exchanged.Happened() && !o.CashierCard {
			p := o.buyer
			from := g.records[o.Received.record]
			tell := g.teller(p, o, from.source, from.ids, from.keys)
			back := later(spent, o.Received.At).Add(minutes(p.r, 24*60, 9*24*60))
			g.takeBack(p, o, tell, back, o.Lines)
			return
		}
	}
}
