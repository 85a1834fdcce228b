// Package commerce is the order model that every package of cxkit shares: what
// was ordered, paid, shipped, received, returned and refunded, by line, in
// minor units of one currency.
//
// An [Event] is one fact about an order. Facts arrive late, twice and out of
// order; [Fold] makes the same [Order] of them in any order and with any
// duplication, [FoldAll] does so for many orders and for orders that several
// systems know under names of their own ([Event].Aliases).
//
// The Order answers as of any instant: whether it counts as a net order, what
// the customer spent on it net of what went back, which pieces were kept, which
// had arrived, what deposit was forfeited. A refund is a new fact with a time of
// its own and changes nothing before it.
//
// An order is bought at the earliest of paid, balance paid, shipped, received
// and completed: placing it, or paying a deposit, is not enough. It counts from
// then until it is closed or its goods are refunded in full.
//
// Amounts are int64 in minor units and all sums are checked. What has to be
// divided is divided by largest remainder against running totals ([Split],
// [SplitNext], [Cumulative]), so that parts always sum to the whole.
//
// Nothing here holds state: all functions are safe for concurrent use.
package commerce

import (
	"time"
)

// Key names an order: the system that took it, the outlet or shop, the number
// there. The same order seen by several systems has several keys (aliases).
type Key struct {
	Source string `json:"source"`
	Outlet string `json:"outlet,omitempty"`
	Number string `json:"number"`
}

// EventKind says what happened to an order.
type EventKind string

// The kinds of order event.
const (
	Placed         EventKind = "placed"          // ordered: Lines, Freight, PromisedBy; Payments where it was paid at once
	Paid           EventKind = "paid"            // Payments; Lines and Freight where this is all that is reported, as by a till
	Shipped        EventKind = "shipped"         // goods left, all or Lines; PromisedBy where the courier says another
	Received       EventKind = "received"        // goods arrived, all or Lines
	Completed      EventKind = "completed"       // nothing is expected any more
	Closed         EventKind = "closed"          // the whole order is off, before fulfilment or after its full refund
	Returned       EventKind = "returned"        // Lines go back
	Refunded       EventKind = "refunded"        // Amount goes back, Freight of it for the delivery, with Lines where it is for lines
	Exchanged      EventKind = "exchanged"       // Lines go back, Replacement goes out; Amount is paid back, or else Payments are the surcharge
	PriceProtected EventKind = "price_protected" // Amount goes back because the price fell, with Lines where it is for lines
	DepositPaid    EventKind = "deposit_paid"    // presale: Payments; Lines and Freight as when placed
	BalancePaid    EventKind = "balance_paid"    // presale: Payments; from here the order is bought
)

// Event is one fact about an order. [Event.Validate] states what is well formed.
type Event struct {
	// ID makes the fact unique; in a profile event it is the event's.
	ID string `json:"id,omitempty"`
	// Ref is the number of the payment, return or refund itself, where several
	// systems report the same one: of the facts of one kind, order and Ref only
	// the earliest counts. Without it, equal facts of different systems are one.
	Ref string `json:"ref,omitempty"`
	// Time is when it happened; in a profile event it is the event's.
	Time time.Time `json:"time,omitzero"`
	// Order names the order.
	Order Key `json:"order"`
	// Aliases are further names of the same order.
	Aliases []Key `json:"aliases,omitempty"`
	// Kind says what happened.
	Kind EventKind `json:"kind"`
	// Currency is the ISO 4217 code of every amount of the order.
	Currency string `json:"currency,omitempty"`
	// Lines are the lines concerned: all of them when placed, those that go
	// back when returned or exchanged.
	Lines []Line `json:"lines,omitempty"`
	// Replacement are the lines that go out in an exchange. Where the order has
	// a line of that ID already, the event's ID is added to it after a slash; where
	// all leave Net 0, they are worth what goes back for them.
	Replacement []Line `json:"replacement,omitempty"`
	// Freight is what the customer pays for delivery; in a refund the part of
	// Amount that is for it. Where a refund leaves it 0, what its lines do not
	// come to is for freight, as far as that was owed.
	Freight int64 `json:"freight,omitempty"`
	// Payments are the tenders of a payment or of a refund.
	Payments []Payment `json:"payments,omitempty"`
	// Amount is the total of a refund or a price protection.
	Amount int64 `json:"amount,omitempty"`
	// PromisedBy is the promised arrival; the zero time promises nothing.
	PromisedBy time.Time `json:"promised_by,omitzero"`
}

// Line is one line of an order. Amounts are totals of the line, not per piece.
type Line struct {
	// ID is unique in the order. A line that goes back may be named by its SKU
	// alone where the order has one line of it.
	ID string `json:"id"`
	// SKU names the product.
	SKU string `json:"sku,omitempty"`
	// Category is the product's.
	Category string `json:"category,omitempty"`
	// Quantity is the number of pieces.
	Quantity int64 `json:"quantity"`
	// List is the total before discounts.
	List int64 `json:"list,omitempty"`
	// Net is what the customer owes for the line, after all discounts. On a
	// line that goes back it is the refund for it; where every line of a refund
	// leaves it 0 the amount is prorated over them.
	Net int64 `json:"net"`
	// Discounts say who bears the difference of List and Net.
	Discounts []Discount `json:"discounts,omitempty"`
}

// Discount is the part of a price cut that one funder bears.
type Discount struct {
	// Funder is "merchant", "platform", "voucher" or "points".
	Funder string `json:"funder"`
	Amount int64  `json:"amount"`
}

// Payment is what was paid by one tender: "wechat", "alipay", "card", "cash",
// "voucher", "points".
type Payment struct {
	Tender string `json:"tender"`
	Amount int64  `json:"amount"`
}
