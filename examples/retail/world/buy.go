package world

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// purchase is an order that somebody is about to place. With a cart, that one
// is emptied and holds the item; because names the message that brought them.
type purchase struct {
	at      time.Time
	brand   int
	ch      channel
	cart    string
	item    *product
	because string
}

// buy is one order from the cart to whatever comes of it.
func (g *generator) buy(p *person, x purchase) {
	if x.ch == till {
		g.buyAtTill(p, x)
		return
	}
	r := p.r
	t, brand, ch := x.at, x.brand, x.ch
	o := &Order{Person: p.id, Brand: brands[brand], Channel: ch.String(), Because: x.because, Cart: x.cart, buyer: p}
	f := daysFromFestival(t)
	o.Gift = chance(r, 0.05) || f >= -28 && f < 0 && chance(r, 0.35)

	var ids, keys []profile.Identifier
	var join bool
	if ch == tmall || ch == jd {
		ids, keys, join = g.maskedBuyer(p, brand, ch, t, o)
	} else {
		if !p.known[ch] && (ch == app || ch == web) || ch == web && !p.loggedIn[p.cookie(t).Value] {
			g.signIn(p, ch, brand, t.Add(-minutes(r, 12, 20)))
		}
		o.card = p.card(brand, t)
		if p.guestOf != nil && !p.known[mini] && ch == mini {
			g.browse(p, brand, mini, t.Add(-minutes(r, 61, 90)))
		}
		ids = p.seen(ch, brand, t, true)
		if p.anyCard(brand, t) == nil && ch == web && p.email != "" {
			ids = append(ids, p.phone(t))
		}
		p.known[ch] = true
	}
	g.number(o, brand, ch, t)
	g.basket(r, o, x)
	if ch != tmall && ch != jd && x.cart == "" {
		before := t.Add(-minutes(r, 25, 55))
		g.view(p, brand, ch, before, 1+r.IntN(3), ids, nil)
		o.Cart = g.newCart()
		products := g.catalog.products[brand]
		i := slices.IndexFunc(products, func(x product) bool { return x.sku == o.Lines[0].SKU })
		g.fillCart(p, brand, ch, t.Add(-minutes(r, 2, 10)), ids, o.Cart, products[i])
	}
	g.orders = append(g.orders, o)

	tell := g.teller(p, o, ch, ids, keys)
	o.PromisedBy = promise(r.IntN(2) == 0, ch, t)
	o.Placed = tell(feed.OrderPlaced, t, commerce.Event{
		Kind: commerce.Placed, Lines: o.Lines, Freight: o.Freight, PromisedBy: o.PromisedBy, Aliases: o.aliases(),
	})
	if chance(r, 0.05) { // never paid
		o.Closed = tell(feed.OrderClosed, t.Add(30*time.Minute), commerce.Event{Kind: commerce.Closed})
		return
	}
	paid := t.Add(time.Duration(20+r.IntN(240)) * time.Second)
	o.Paid = tell(feed.OrderPaid, paid, commerce.Event{Kind: commerce.Paid, Payments: o.Payments})
	if !o.Paid.Happened() {
		return
	}
	if join {
		g.join(p, brand, ch, paid.Add(minutes(r, 1, 30)), keys[:1])
	}
	if ch == mini && chance(r, 0.5) {
		g.emit(p, record{
			source: ch, name: feed.MessageGranted, brand: o.Brand, time: paid.Add(8 * time.Second), ids: ids,
			props: []pair{text("channel", "wechat"), text("template", "delivery")},
		})
	}
	if chance(r, 0.03) { // changed their mind before it left
		gone := paid.Add(minutes(r, 10, 300))
		g.refund(o, tell, gone.Add(minutes(r, 5, 600)), o.Lines, o.Freight, "canceled")
		o.Closed = tell(feed.OrderClosed, gone, commerce.Event{Kind: commerce.Closed})
		return
	}
	g.deliver(p, o, tell, paid, ch)
}

// tell emits a fact about one order.
type tell func(name string, t time.Time, e commerce.Event, props ...pair) Fact

func (g *generator) teller(p *person, o *Order, ch channel, ids, keys []profile.Identifier) tell {
	return func(name string, t time.Time, e commerce.Event, props ...pair) Fact {
		e.Order, e.Currency = o.Key, "CNY"
		all := append(make([]pair, 0, 6+len(props)), text("order_id", o.Key.Number))
		if name == feed.OrderPlaced || name == feed.OrderPaid || name == feed.OrderReceived {
			all = append(all, text("channel", o.Channel))
			if o.Cart != "" {
				all = append(all, text("cart_id", o.Cart))
			}
			if o.Cashier != "" {
				all = append(all, text("outlet", o.Outlet), text("cashier", o.Cashier))
			}
			if o.Gift {
				all = append(all, pair{"gift", profile.Flag(true)})
			}
		}
		if o.card != nil {
			o.Card = o.card.Card
			all = append(all, text("card", o.Card))
		}
		rec := record{
			source: ch, name: name, brand: o.Brand, time: t, ids: ids, keys: keys,
			props: append(all, props...), order: &e,
		}
		if o.CashierCard {
			rec.trap |= CashierCard
		}
		if (ch == tmall || ch == jd) && o.card == nil {
			rec.trap |= MaskedBuyer
		}
		return g.emit(p, rec)
	}
}

// maskedBuyer is what a marketplace shows of p: a token, and a phone that is
// none. Who has joined through the marketplace shows the card as well; join
// says that this order is when it happens.
func (g *generator) maskedBuyer(p *person, brand int, ch channel, t time.Time, o *Order) (ids, keys []profile.Identifier, join bool) {
	r := p.r
	n := uint64(len(g.orders))
	token := profile.Identifier{Kind: KindTmall + "/" + brands[brand] + "-flagship", Value: g.h.token("", base62, 40, 0x0a1d, n)}
	if ch == jd {
		week := uint64(t.Unix() / (7 * 24 * 3600))
		token = profile.Identifier{
			Kind:  KindJD + "/" + brands[brand] + "-flagship",
			Value: g.h.token("", base62, 40, 0x71d, uint64(p.index), uint64(brand), week),
		}
	}
	keys = []profile.Identifier{token}
	if due := p.joins[brand]; p.joinVia == tmall || p.joinVia == jd {
		join = p.cards[brand].card == nil && !due.IsZero() && !t.Before(due)
	}
	if m := p.card(brand, t); m != nil && (p.joinVia == tmall || p.joinVia == jd) {
		o.card = m
		keys = append(keys, m.identifier())
	}
	number := p.phone(t).Value
	switch {
	case ch == tmall && chance(r, 0.7):
		number = number[:3] + "****" + number[7:]
	case ch == tmall:
		number = fmt.Sprintf("1841%07d-%04d", r.IntN(10_000_000), r.IntN(10_000))
	default:
		number = fmt.Sprintf("95013%011d", r.IntN(100_000_000))
	}
	ids = append(slices.Clone(keys), profile.Identifier{Kind: KindPhone, Value: number})
	return ids, keys, join
}

// number names the order as its channel does.
func (g *generator) number(o *Order, brand int, ch channel, t time.Time) {
	n := uint64(len(g.orders)) + 1
	o.Key.Source = ch.String()
	switch ch {
	case tmall, jd:
		o.Key.Outlet = brands[brand] + "-flagship"
		o.Key.Number = g.h.token(channelDigit[ch], digits, 10, 0x02de2, n) + fmt.Sprintf("%07d", n)
	case till:
		o.Key.Outlet = o.Outlet
		o.Key.Number = o.Outlet + "-" + t.In(Zone).Format("060102") + "-" + fmt.Sprintf("%06d", n)
	default:
		o.Key.Number = t.In(Zone).Format("20060102") + channelDigit[ch] + fmt.Sprintf("%07d", n)
	}
}

var channelDigit = [...]string{mini: "1", app: "2", web: "3", tmall: "4", jd: "5", till: "6"}

// aliases are the number under which the group's own order system keeps a
// marketplace order.
func (o *Order) aliases() []commerce.Key {
	if o.Channel != tmall.String() && o.Channel != jd.String() {
		return nil
	}
	return []commerce.Key{{Source: "oms", Number: "M" + o.Key.Number[len(o.Key.Number)-7:]}}
}

func (g *generator) newCart() string {
	g.carts++
	return "C" + strconv.FormatUint(uint64(g.carts), 10)
}

func (g *generator) newCard(brand int) string {
	g.cards++
	n := (g.cards*7_368_787 + uint64(g.h)%10_000_000) % 100_000_000
	return fmt.Sprintf("%d8%08d", brand+6, n)
}

// buyAtTill is a receipt. Only receipts with somebody on them are in the feed.
func (g *generator) buyAtTill(p *person, x purchase) {
	r := p.r
	t, brand := x.at, x.brand
	outlet := g.outlets[p.outlet[brand]]
	if p.kind == Customer && chance(r, 0.12) {
		if other := g.outlets[brand*outletsPerBrand+r.IntN(outletsPerBrand)]; other.Brand == brands[brand] {
			outlet = other // on a journey
		}
	}
	o := &Order{
		Person: p.id, Brand: brands[brand], Channel: till.String(), buyer: p,
		Outlet: outlet.ID, Cashier: outlet.Cashiers[r.IntN(len(outlet.Cashiers))],
		Because: x.because, Cart: x.cart, card: p.card(brand, t),
	}
	var ids, keys []profile.Identifier
	switch {
	case o.card == nil && chance(r, 0.5):
		ids = []profile.Identifier{{Kind: KindPhone, Value: [...]string{"13800000000", "13800000000", ""}[r.IntN(3)]}}
		keys = []profile.Identifier{}
	case o.card == nil:
		return
	case chance(r, 0.78):
		ids = []profile.Identifier{o.card.identifier()}
	default:
		ids = []profile.Identifier{p.phone(t)}
	}
	g.receipt(p, o, x, ids, keys)
}

// receipt is an order that is placed, paid and taken home within a minute.
func (g *generator) receipt(p *person, o *Order, x purchase, ids, keys []profile.Identifier) {
	r, t := p.r, x.at
	f := daysFromFestival(t)
	o.Gift = f >= -28 && f < 0 && chance(r, 0.2)
	g.number(o, x.brand, till, t)
	g.basket(r, o, x)
	g.orders = append(g.orders, o)
	tell := g.teller(p, o, till, ids, keys)
	o.Placed = tell(feed.OrderPlaced, t, commerce.Event{Kind: commerce.Placed, Lines: o.Lines})
	o.Paid = tell(feed.OrderPaid, t.Add(20*time.Second), commerce.Event{Kind: commerce.Paid, Payments: o.Payments})
	o.Received = tell(feed.OrderReceived, t.Add(40*time.Second), commerce.Event{Kind: commerce.Received})
	if o.Received.Happened() && p.kind == Customer {
		g.after(p, o, tell, till)
	}
}
