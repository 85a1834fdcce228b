package world

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
)

// Phenomenon is how often something occurs in the world.
type Phenomenon struct {
	Name  string
	Count int
}

// Phenomena counts what the feed holds, in a fixed order.
func (t *Truth) Phenomena() []Phenomenon { return t.phenomena }

func (g *generator) count() []Phenomenon {
	t := g.truth
	var out []Phenomenon
	add := func(name string, n int) { out = append(out, Phenomenon{name, n}) }
	tally := func(yes func(*record) bool) (n int) {
		for i := range g.records {
			if yes(&g.records[i]) {
				n++
			}
		}
		return n
	}
	kinds := map[PersonKind]int{}
	var relatives, shared int
	for _, p := range t.persons {
		kinds[p.Kind]++
		if p.Relative != "" {
			relatives++
		}
		if p.SharesCard {
			shared++
		}
	}
	add("customers", kinds[Customer])
	add("visitors", kinds[Visitor])
	add("guests of the cashier", kinds[Guest])
	add("memberships", len(g.members))
	add("events", len(g.records))
	add("deliveries", len(g.deliveries))
	add("deliveries again", len(g.deliveries)-len(g.records))
	add("events from before the start", tally(func(r *record) bool { return r.mode == profile.Backfill }))
	add("events late by an hour or more", tally(func(r *record) bool {
		return r.mode == profile.Live && r.arrived.Sub(r.time) >= time.Hour
	}))
	var latest time.Time
	var disorder int
	for _, d := range g.deliveries {
		at := g.records[d.record].time
		if at.Before(latest) {
			disorder++
		} else {
			latest = at
		}
	}
	add("deliveries after a later event", disorder)
	for _, trap := range Traps() {
		add("events: "+trap.String(), tally(func(r *record) bool { return r.trap&trap != 0 }))
	}
	add("events that nobody can attribute", tally(func(r *record) bool { return r.person >= 0 && r.cluster < 0 }))
	add("persons with a relative's phone", relatives)
	add("persons on one card with another", shared)
	add("recycled numbers", len(t.recycled))
	var unpaid, canceled, refused, whole, partial, exchanged, late, gift, refunds, vouchers, noLines int
	for _, o := range g.orders {
		switch {
		case o.Closed.Happened() && !o.Paid.Happened():
			unpaid++
		case o.Closed.Happened():
			canceled++
		}
		for _, r := range o.Returns {
			switch {
			case r.Refused:
				refused++
			case netOf(r.Lines) == netOf(o.Lines):
				whole++
			default:
				partial++
			}
		}
		if o.Exchanged.Happened() {
			exchanged++
		}
		if o.Late() {
			late++
		}
		if o.Gift {
			gift++
		}
		if !o.cash {
			vouchers++
		}
		refunds += len(o.Refunds)
		for _, f := range o.Refunds {
			if f.Lines == nil {
				noLines++
			}
		}
	}
	add("orders", len(g.orders))
	add("orders never paid", unpaid)
	add("orders canceled after payment", canceled)
	add("orders paid partly by voucher", vouchers)
	add("gift orders", gift)
	add("orders received after the promised day", late)
	add("parcels refused", refused)
	add("returns of the whole order", whole)
	add("returns of a part", partial)
	add("exchanges", exchanged)
	add("refunds", refunds)
	add("refunds without lines", noLines)
	add("carts left behind", g.abandoned)
	add("complaints", len(g.complaints))
	add("repairs", len(g.repairs))
	add("reviews", g.reviews)
	add("receipts on the cashier's card", len(t.cashier.Orders))
	var redeemed int
	for _, m := range g.members {
		redeemed += len(m.spent)
	}
	add("redemptions", redeemed)
	var grants, withdrawals int
	for i := range g.records {
		for _, c := range g.records[i].consents {
			switch {
			case c.Granted:
				grants++
			case g.records[i].name == feed.ConsentChanged:
				withdrawals++
			}
		}
	}
	add("consents given", grants)
	add("consents withdrawn", withdrawals)
	return out
}
