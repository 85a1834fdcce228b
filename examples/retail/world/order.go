package world

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/profile/commerce"
)

// Fact is when something happened and when the feed first said so; both zero
// if it did not happen before the end of the year.
type Fact struct {
	At, Arrived time.Time
	record      int32
}

// Happened reports whether the fact is one by the end of the year.
func (f Fact) Happened() bool { return !f.At.IsZero() }

// By reports whether it happened at or before the first instant and was
// reported at or before the second.
func (f Fact) By(happened, arrived time.Time) bool {
	return f.Happened() && !f.At.After(happened) && !f.Arrived.After(arrived)
}

// Order is an order as it truly went.
type Order struct {
	Key     commerce.Key
	Person  string // who bought
	Card    string // the membership that it was booked on, "" for none
	Brand   string
	Channel string // mini, app, web, tmall, jd or till
	Outlet  string // of a till
	Cashier string
	Cart    string
	Gift    bool
	// Because names the message that brought the order about, see [World.React].
	Because string
	// CashierCard marks a guest's receipt on the card of the cashier.
	CashierCard bool

	Lines    []commerce.Line
	Freight  int64
	Payments []commerce.Payment
	// PromisedBy is zero at a till.
	PromisedBy time.Time

	Placed, Paid, Shipped, Received, Completed, Closed, Exchanged Fact

	Returns []Return
	Refunds []Refund

	buyer  *person
	card   *Membership
	repaid [2]int64 // of each payment
	cash   bool     // no part was paid by voucher, so that parts of lines can go back
}

// Return is goods on their way back. A line of it is a part of the order's
// line of the same ID: whole, or some pieces with their part of every amount.
type Return struct {
	Fact
	Lines []commerce.Line
	// Refused marks a parcel that was not accepted.
	Refused bool
}

// Refund is money that went back. Lines are nil where it is for freight alone;
// those of a goodwill refund stay with the customer.
type Refund struct {
	Fact
	Amount  int64 // with Freight
	Freight int64
	Lines   []commerce.Line
	Reason  string // "return", "refused", "canceled", "freight", "goodwill"
}

// Total is what the customer owes: Net of all lines, and freight.
func (o *Order) Total() int64 {
	sum := o.Freight
	for _, l := range o.Lines {
		sum += l.Net
	}
	return sum
}

// PaidBy is what had been paid, given what happened by the first instant and
// was reported by the second.
func (o *Order) PaidBy(happened, arrived time.Time) int64 {
	if !o.Paid.By(happened, arrived) {
		return 0
	}
	return sum(o.Payments)
}

// RefundedBy is what had been refunded.
func (o *Order) RefundedBy(happened, arrived time.Time) int64 {
	var s int64
	for _, f := range o.Refunds {
		if f.By(happened, arrived) {
			s += f.Amount
		}
	}
	return s
}

// NetBy is what had been paid and not refunded; nothing once the order is closed.
func (o *Order) NetBy(happened, arrived time.Time) int64 {
	if o.Closed.By(happened, arrived) {
		return 0
	}
	return o.PaidBy(happened, arrived) - o.RefundedBy(happened, arrived)
}

// CountsBy reports whether it was a net order: paid, not closed, and not all
// that the goods cost refunded.
func (o *Order) CountsBy(happened, arrived time.Time) bool {
	if !o.Paid.By(happened, arrived) || o.Closed.By(happened, arrived) {
		return false
	}
	goods := netOf(o.Lines)
	for _, f := range o.Refunds {
		if f.By(happened, arrived) {
			goods -= f.Amount - f.Freight
		}
	}
	return goods > 0
}

// Late reports whether the order arrived after the promised day.
func (o *Order) Late() bool {
	return !o.PromisedBy.IsZero() && o.Received.Happened() && o.Received.At.After(o.PromisedBy)
}

func sum(payments []commerce.Payment) int64 {
	var s int64
	for _, p := range payments {
		s += p.Amount
	}
	return s
}

// basket fills the lines, the freight and the payments of o.
func (g *generator) basket(r *rand.Rand, o *Order, x purchase) {
	products, ch := g.catalog.products[x.brand], x.ch
	for i := range 1 + pick(r, []float64{0, 0.58, 0.85, 0.96, 1}, 0, 4) {
		p := products[r.IntN(len(products))]
		if i == 0 && x.item != nil {
			p = *x.item
		}
		qty := int64(1)
		if chance(r, 0.12) {
			qty = int64(2 + r.IntN(2))
		}
		l := commerce.Line{
			ID: strconv.Itoa(i + 1), SKU: p.sku, Category: p.category,
			Quantity: qty, List: p.price * qty, Net: p.price * qty,
		}
		if off := g.promotion(r, x.at); off > 0 {
			discount(&l, "merchant", p.price*off/100/100*100*qty)
		}
		o.Lines = append(o.Lines, l)
	}
	goods := netOf(o.Lines)
	switch {
	case ch == tmall || ch == jd:
		if steps := goods / 300_00; steps > 0 && chance(r, 0.35) {
			spread(o.Lines, "platform", min(steps, 4)*40_00)
		}
		if goods < 99_00 {
			o.Freight = 12_00
		}
	case goods >= 200_00 && o.card != nil && chance(r, 0.12):
		spread(o.Lines, "voucher", min(goods/200_00, 3)*20_00)
	}
	if (ch == mini || ch == app || ch == web) && goods < 99_00 {
		o.Freight = 10_00
	}
	o.pay(r, ch)
}

// promotion is the merchant's price cut at an instant, in percent.
func (g *generator) promotion(r *rand.Rand, t time.Time) int64 {
	t = t.In(Zone)
	switch m, d := t.Month(), t.Day(); {
	case m == time.November && d <= 12:
		return int64(15 + 5*r.IntN(4))
	case m == time.June && d >= 14 && d <= 18, m == time.December && d == 12:
		return int64(10 + 5*r.IntN(3))
	case chance(r, 0.15):
		return 10
	}
	return 0
}

func discount(l *commerce.Line, funder string, amount int64) {
	if amount <= 0 {
		return
	}
	l.Net -= amount
	l.Discounts = append(l.Discounts, commerce.Discount{Funder: funder, Amount: amount})
}

func netOf(lines []commerce.Line) int64 {
	var s int64
	for _, l := range lines {
		s += l.Net
	}
	return s
}

// spread takes amount off the lines in proportion to what they cost.
func spread(lines []commerce.Line, funder string, amount int64) {
	weights := make([]int64, len(lines))
	for i, l := range lines {
		weights[i] = l.Net
	}
	for i, part := range share(amount, weights) {
		discount(&lines[i], funder, part)
	}
}

// share splits amount in proportion to the weights by largest remainder, ties
// to the earlier part. Amounts of this world are far below overflow.
func share(amount int64, weights []int64) []int64 {
	parts := make([]int64, len(weights))
	var total int64
	for _, w := range weights {
		total += w
	}
	if total == 0 {
		return parts
	}
	left := amount
	order := make([]int, len(weights))
	for i, w := range weights {
		parts[i] = amount * w / total
		left -= parts[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return int(amount*weights[b]%total - amount*weights[a]%total)
	})
	for i := range left {
		parts[order[i]]++
	}
	return parts
}

// tenders are what people pay with, by channel, the usual one first.
var tenders = [6][]string{
	{"wechat"},
	{"wechat", "alipay"},
	{"alipay", "card"},
	{"alipay"},
	{"wechat", "card"},
	{"wechat", "alipay", "card", "cash"},
}

// pay settles the total, in some orders of the group's own channels partly by
// gift voucher.
func (o *Order) pay(r *rand.Rand, ch channel) {
	total := o.Total()
	o.cash = true
	if ch != tmall && ch != jd && chance(r, 0.03) {
		part := min(netOf(o.Lines), int64(1+r.IntN(4))*50_00)
		o.Payments = append(o.Payments, commerce.Payment{Tender: "voucher", Amount: part})
		o.cash = false
		total -= part
	}
	if total > 0 {
		ways := tenders[ch]
		way := ways[min(r.IntN(len(ways)+1), len(ways)-1)]
		o.Payments = append(o.Payments, commerce.Payment{Tender: way, Amount: total})
	}
}

// tendersOf splits a refund over what is left of the tenders of the payment.
func (o *Order) tendersOf(amount int64) []commerce.Payment {
	weights := make([]int64, len(o.Payments))
	for i, p := range o.Payments {
		weights[i] = p.Amount - o.repaid[i]
	}
	var out []commerce.Payment
	for i, part := range share(amount, weights) {
		o.repaid[i] += part
		if part > 0 {
			out = append(out, commerce.Payment{Tender: o.Payments[i].Tender, Amount: part})
		}
	}
	return out
}

// part is n of the pieces of a line; ok is false where an amount does not
// divide, or where the net price of a piece is not in whole yuan, so that
// every way of rounding points comes to the same.
func part(l commerce.Line, n int64) (p commerce.Line, ok bool) {
	if n == l.Quantity {
		return l, true
	}
	q := l.Quantity
	if l.Net%(q*100) != 0 || l.List%q != 0 {
		return l, false
	}
	p = l
	p.Quantity, p.List, p.Net = n, l.List/q*n, l.Net/q*n
	p.Discounts = slices.Clone(l.Discounts)
	for i, d := range p.Discounts {
		if d.Amount%q != 0 {
			return l, false
		}
		p.Discounts[i].Amount = d.Amount / q * n
	}
	return p, true
}
