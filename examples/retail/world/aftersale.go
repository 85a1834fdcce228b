package world

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// promise is the last instant of the day by which an order should arrive.
// Around the spring festival half of the promises know that couriers rest.
func promise(honest bool, ch channel, t time.Time) time.Time {
	days := 4
	if ch == tmall || ch == jd {
		days = 5
	}
	local := t.In(Zone)
	if f := daysFromFestival(t); honest && f >= -6 && f < 6 {
		days += 7 - f
	}
	return time.Date(local.Year(), local.Month(), local.Day()+days, 23, 59, 59, 0, Zone)
}

// couriers carry what is ordered online. The second is often late, until the
// group gives it up nine months into the year.
var couriers = [...]string{"kestrel", "tortoise"}

// deliver is the parcel's way, and what follows.
func (g *generator) deliver(p *person, o *Order, tell tell, paid time.Time, ch channel) {
	r := p.r
	sent := paid.Add(minutes(r, 8*60, 40*60))
	if l := paid.In(Zone); l.Month() == time.November && l.Day() >= 10 && l.Day() <= 12 {
		sent = sent.Add(minutes(r, 0, 4*24*60))
	}
	if f := daysFromFestival(sent); f >= -4 && f <= 6 {
		sent = sent.Add(time.Duration(7-f)*day + minutes(r, 0, 48*60))
	}
	courier, tail := 0, 0.04
	if chance(r, 0.4) && sent.Before(g.start.AddDate(0, 9, 0)) {
		courier, tail = 1, 0.16
	}
	arrives := sent.Add(minutes(r, 20*60, 60*60))
	if chance(r, tail) {
		arrives = arrives.Add(minutes(r, 36*60, 7*24*60))
	}
	o.Shipped = tell(feed.OrderShipped, sent, commerce.Event{Kind: commerce.Shipped}, text("courier", couriers[courier]))
	if !o.Shipped.Happened() {
		return
	}
	if chance(r, 0.006) { // not accepted at the door
		back := arrives.Add(minutes(r, 5, 60))
		if f := tell(feed.OrderReturned, back, commerce.Event{Kind: commerce.Returned, Lines: o.Lines}); f.Happened() {
			o.Returns = append(o.Returns, Return{Fact: f, Lines: o.Lines, Refused: true})
			g.refund(o, tell, back.Add(minutes(r, 24*60, 96*60)), o.Lines, o.Freight, "refused")
		}
		return
	}
	o.Received = tell(feed.OrderReceived, arrives, commerce.Event{Kind: commerce.Received}, promised(o)...)
	if arrives.After(o.PromisedBy) {
		days := arrives.Sub(o.PromisedBy).Hours() / 24
		p.lives = append(p.lives, experience{o.PromisedBy, -1.2 - 0.4*min(days, 5), "late"})
		if chance(r, 0.15) {
			g.complain(p, o, o.PromisedBy.Add(minutes(r, 8*60, 30*60)), "late", ch)
		}
		if o.Freight > 0 && chance(r, 0.5) {
			g.refund(o, tell, arrives.Add(minutes(r, 60, 48*60)), nil, o.Freight, "freight")
		}
	} else if o.Received.Happened() {
		p.lives = append(p.lives, experience{arrives, 0.3, "delivery"})
	}
	if o.Received.Happened() {
		g.after(p, o, tell, ch)
	}
}

func promised(o *Order) []pair {
	if o.PromisedBy.IsZero() {
		return nil
	}
	return []pair{{"promised_by", profile.Time(o.PromisedBy)}}
}

// after is what can follow on receipt: an exchange, a return, a complaint, a
// review, a repair; and the end of the order.
func (g *generator) after(p *person, o *Order, tell tell, ch channel) {
	r := p.r
	got := o.Received.At
	switch {
	case o.Brand == Lumen && chance(r, 0.02):
		g.exchange(o, tell, got.Add(minutes(r, 12*60, 6*24*60)), p)
	case g.sendsBack(r, o, ch):
		g.sendBack(p, o, tell, got)
	}
	if len(o.Returns) == 0 && chance(r, 0.012) {
		topic := [...]string{"quality", "wrong item", "service"}[r.IntN(3)]
		p.lives = append(p.lives, experience{got, -2, topic})
		g.complain(p, o, got.Add(minutes(r, 3*60, 9*24*60)), topic, ch)
		if topic != "service" && !o.Exchanged.Happened() && o.cash && chance(r, 0.5) {
			// The money goes back and the goods stay.
			g.refund(o, tell, got.Add(minutes(r, 10*24*60, 14*24*60)), o.Lines[:1:1], 0, "goodwill")
		}
	}
	if chance(r, 0.12) {
		g.review(p, o, got.Add(minutes(r, 60, 8*24*60)), ch)
	}
	if ch != till {
		o.Completed = tell(feed.OrderCompleted, got.Add(15*day), commerce.Event{Kind: commerce.Completed})
	}
	if o.Brand == Hearth && chance(r, 0.035) {
		g.repair(p, o, got.Add(minutes(r, 20*24*60, 150*24*60)))
	}
}

func (g *generator) sendsBack(r *rand.Rand, o *Order, ch channel) bool {
	share := g.catalog.returns[o.Lines[0].Category]
	if ch == till {
		share /= 4
	}
	return chance(r, share)
}

// sendBack returns the whole order or a part of it, mostly within the window
// and sometimes weeks later, and gets the money.
func (g *generator) sendBack(p *person, o *Order, tell tell, got time.Time) {
	r := p.r
	var lines []commerce.Line
	switch {
	case !o.cash || len(o.Lines) == 1 && o.Lines[0].Quantity == 1 || chance(r, 0.4):
		lines = slices.Clone(o.Lines)
	case len(o.Lines) > 1:
		lines = []commerce.Line{o.Lines[r.IntN(len(o.Lines))]}
	default:
		lines = slices.Clone(o.Lines)
	}
	if len(lines) == 1 && o.cash && lines[0].Quantity > 1 {
		if some, ok := part(lines[0], 1+r.Int64N(lines[0].Quantity-1)); ok {
			lines[0] = some
		}
	}
	back := got.Add(minutes(r, 12*60, 6*24*60+12*60))
	if chance(r, 0.2) {
		back = got.Add(minutes(r, 8*24*60, 40*24*60))
	}
	g.takeBack(p, o, tell, back, lines)
}

// takeBack is the goods' way back, and the money.
func (g *generator) takeBack(p *person, o *Order, tell tell, back time.Time, lines []commerce.Line) {
	r := p.r
	f := tell(feed.OrderReturned, back, commerce.Event{Kind: commerce.Returned, Lines: lines})
	if !f.Happened() {
		return
	}
	o.Returns = append(o.Returns, Return{Fact: f, Lines: lines})
	wait := minutes(r, 60, 4*24*60)
	if o.Channel == till.String() {
		wait = time.Minute
	}
	p.lives = append(p.lives, experience{back.Add(wait), 0.6 - wait.Hours()/48, "return"})
	g.refund(o, tell, back.Add(wait), lines, 0, "return")
}

// refund pays back what lines cost, and freight.
func (g *generator) refund(o *Order, tell tell, t time.Time, lines []commerce.Line, freight int64, reason string) {
	x := Refund{Amount: netOf(lines) + freight, Freight: freight, Lines: lines, Reason: reason}
	if x.Amount == 0 {
		return // a line may have cost nothing
	}
	x.Fact = tell(feed.OrderRefunded, t, commerce.Event{
		Kind: commerce.Refunded, Amount: x.Amount, Freight: x.Freight, Lines: x.Lines, Payments: o.tendersOf(x.Amount),
	}, text("reason", x.Reason))
	if x.Happened() {
		o.Refunds = append(o.Refunds, x)
	}
}

// exchange swaps the first line for another size at the same price.
func (g *generator) exchange(o *Order, tell tell, t time.Time, p *person) {
	old := o.Lines[0]
	fresh := old
	fresh.ID = old.ID + "x"
	o.Exchanged = tell(feed.OrderExchanged, t, commerce.Event{
		Kind: commerce.Exchanged, Lines: []commerce.Line{old}, Replacement: []commerce.Line{fresh},
	})
	p.lives = append(p.lives, experience{t, -0.2, "return"})
}

// complain files a complaint, by telephone, in the mini program or through the
// marketplace, and closes it days later.
func (g *generator) complain(p *person, o *Order, t time.Time, topic string, ch channel) {
	r := p.r
	g.cases++
	c := &Complaint{ID: "K" + strconv.Itoa(g.cases), Person: p.id, Order: o.Key.Number, Topic: topic}
	rec := record{
		source: ch, name: feed.ComplaintFiled, brand: o.Brand, time: t,
		props: []pair{text("case_id", c.ID), text("order_id", o.Key.Number), text("topic", topic), text("text", remark(r, topic, false))},
	}
	switch x := r.Float64(); {
	case x < 0.45 || ch == till:
		rec.source, rec.ids = call, []profile.Identifier{p.phone(t)}
	case ch == tmall || ch == jd:
		from := g.records[o.Placed.record]
		rec.ids, rec.keys = from.ids, from.keys
		if o.card == nil {
			rec.trap |= MaskedBuyer
		}
	default:
		rec.source, rec.ids = mini, p.wechat(brandIndex(o.Brand))
		p.known[mini] = true
	}
	c.Channel = rec.source.String()
	c.Filed = g.emit(p, rec)
	if !c.Filed.Happened() {
		return
	}
	took := minutes(r, 2*60, 6*24*60)
	p.lives = append(p.lives, experience{t, -1.5, topic})
	rec.name, rec.time, rec.props = feed.ComplaintClosed, t.Add(took), rec.props[:1:1]
	c.Closed = g.emit(p, rec)
	if c.Closed.Happened() {
		p.lives = append(p.lives, experience{c.Closed.At, 2.4 - took.Hours()/48, "service"})
	}
	g.complaints = append(g.complaints, c)
}

// review is stars and a remark under the order.
func (g *generator) review(p *person, o *Order, t time.Time, ch channel) {
	r := p.r
	feel, topic := p.feel(t)
	stars := int64(min(max((feel+r.NormFloat64())/2+0.5, 1), 5))
	from := g.records[o.Received.record]
	f := g.emit(p, record{
		source: ch, name: feed.ReviewPosted, brand: o.Brand, time: t, ids: from.ids, keys: from.keys, trap: from.trap & MaskedBuyer,
		props: []pair{
			text("review_id", "R"+strconv.Itoa(len(g.orders))), text("order_id", o.Key.Number),
			number("stars", stars), text("text", remark(r, topic, stars >= 4)),
		},
	})
	if f.Happened() {
		g.reviews++
	}
}

// repair brings an appliance to an outlet and fetches it again.
func (g *generator) repair(p *person, o *Order, t time.Time) {
	r := p.r
	i := slices.IndexFunc(o.Lines, func(l commerce.Line) bool { return l.Category != "filters" })
	if i < 0 || len(o.Returns) > 0 {
		return
	}
	g.cases++
	c := &Repair{
		ID: "F" + strconv.Itoa(g.cases), Person: p.id, Order: o.Key.Number,
		SKU: o.Lines[i].SKU, Outlet: g.outlets[p.outlet[brandIndex(o.Brand)]].ID, Loaner: chance(r, 0.3),
	}
	rec := record{
		source: till, name: feed.RepairRequested, brand: o.Brand, time: t, ids: []profile.Identifier{p.phone(t)},
		props: []pair{
			text("case_id", c.ID), text("sku", c.SKU), text("outlet", c.Outlet), text("order_id", o.Key.Number),
			{"loaner", profile.Flag(c.Loaner)},
		},
	}
	if m := p.card(brandIndex(o.Brand), t); m != nil {
		rec.ids = append(rec.ids, m.identifier())
	}
	c.Requested = g.emit(p, rec)
	if !c.Requested.Happened() {
		return
	}
	took := minutes(r, 4*24*60, 24*24*60)
	rec.name, rec.time, rec.props = feed.RepairReturned, t.Add(took), rec.props[:1:1]
	c.Returned = g.emit(p, rec)
	if c.Returned.Happened() {
		p.lives = append(p.lives, experience{c.Returned.At, 1.2 - took.Hours()/24/6, "repair"})
	}
	g.repairs = append(g.repairs, c)
}

func brandIndex(brand string) int {
	if brand == Hearth {
		return 1
	}
	return 0
}
