package world

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
)

// The messages that customers react to, see [World.React].
const (
	CartMessage       = "cart"       // about a cart left behind: 14 % order it, if told within 48 hours
	HesitationMessage = "hesitation" // about a product looked at again and again: 7 % order it
	WelcomeMessage    = "welcome"    // 8 % order
	WinBackMessage    = "win-back"   // 6 % of those without an order for 60 days order, 3 % of those who have left for good
	LateMessage       = "late"       // an apology for a late parcel: it takes some of the anger away
)

// React is what a message does to the person behind an event: it returns what
// they do because of it, as deliveries in order of arrival to be merged into
// the feed, and adds that to the truth. Most do nothing. The event is the cause
// of the message: the cart left behind, the product viewed, the membership
// joined; at is when the message arrives. Asking again about the same event and
// message gives the same deliveries again.
//
// What people do anyway is in the feed from the start, so that whoever gets no
// message is a fair comparison. React changes the world: it must not run
// beside another call, and the truth then depends on the calls made and their order.
func (w *World) React(eventID, message string, at time.Time) []feed.Delivery {
	g, t := w.gen, w.truth
	i, ok := t.events[eventID]
	if !ok || t.records[i].person < 0 {
		return nil
	}
	key := message + "\x00" + eventID
	if done, ok := g.reactions[key]; ok {
		return done
	}
	g.reactions[key] = nil
	p, cause := g.people[t.records[i].person], t.records[i]
	r := g.h.rand(g.h.text(eventID), g.h.text(message))
	if message == LateMessage {
		p.lives = append(p.lives, experience{at, 1, "service"})
		return nil
	}
	if p.kind != Customer || !chance(r, g.willingness(p, &cause, message, at)) {
		return nil
	}
	x := purchase{
		at: at.Add(minutes(r, 95, 20*60)).Truncate(time.Millisecond), brand: brandIndex(cause.brand), ch: cause.source,
		because: message,
	}
	if x.ch != app && x.ch != web {
		x.ch = mini
	}
	if !x.at.Before(g.end) {
		return nil
	}
	if message == CartMessage || message == HesitationMessage {
		x.cart = cause.property("cart_id")
		products := g.catalog.products[x.brand]
		if j := slices.IndexFunc(products, func(c product) bool { return c.sku == cause.property("sku") }); j >= 0 {
			x.item = &products[j]
		}
	}
	g.reactions[key] = g.act(p, func() {
		p.r = r
		g.buy(p, x)
	})
	return g.reactions[key]
}

// willingness is the chance that p orders because of a message.
func (g *generator) willingness(p *person, cause *record, message string, at time.Time) float64 {
	var last time.Time
	emptied := false
	cart := cause.property("cart_id")
	for _, o := range p.orders {
		if o.Paid.Happened() && !o.Paid.At.After(at) {
			last = later(last, o.Paid.At)
		}
		emptied = emptied || cart != "" && o.Cart == cart
	}
	switch {
	case message == CartMessage && cart != "" && !emptied && at.Sub(cause.time) <= 48*time.Hour:
		return 0.14
	case message == HesitationMessage && cause.name == feed.ProductViewed:
		return 0.07
	case message == WelcomeMessage:
		return 0.08
	case message == WinBackMessage && at.After(p.until):
		return 0.03
	case message == WinBackMessage && at.Sub(last) > 60*day:
		return 0.06
	}
	return 0
}

func (r *record) property(name string) string {
	for _, p := range r.props {
		if p.name == name {
			s, _ := p.value.Text()
			return s
		}
	}
	return ""
}

// act lets p do something after the year was generated, and returns what the
// feed gets to hear of it.
func (g *generator) act(p *person, do func()) []feed.Delivery {
	events, deliveries, orders := len(g.records), len(g.deliveries), len(g.orders)
	r := p.r
	do()
	p.r = r
	var out []feed.Delivery
	for _, d := range g.deliveries[deliveries:] {
		out = append(out, feed.Delivery{At: d.at, Event: g.records[d.record].event()})
	}
	g.deliveries = g.deliveries[:deliveries]
	slices.SortFunc(out, func(a, b feed.Delivery) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Event.ID, b.Event.ID))
	})
	for _, o := range g.orders[orders:] {
		o.book()
		g.truth.byNumber[o.Key.Number] = o
	}
	t := g.truth
	for i := events; i < len(g.records); i++ {
		t.events[g.records[i].id] = int32(i)
	}
	t.records, t.orders, t.complaints, t.repairs = g.records, g.orders, g.complaints, g.repairs
	t.stale = true
	return out
}

// book enters an order with the buyer and the card.
func (o *Order) book() {
	o.buyer.orders = append(o.buyer.orders, o)
	if o.card != nil {
		o.card.orders = append(o.card.orders, o)
	}
}
