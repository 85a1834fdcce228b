// Package commerce is the order model that every package of cxkit shares: what
// was ordered, paid, shipped, received, returned and refunded, by line, in
// minor units of one currency. Facts arrive late, twice and out of order, and
// fold to the same order.
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
	Placed         EventKind = "placed"    // ordered: Lines, Freight, PromisedBy
	Paid           EventKind = "paid"      // Payments
	Shipped        EventKind = "shipped"   // goods left; PromisedBy where the courier says another
	Received       EventKind = "received"  // goods arrived
	Completed      EventKind = "completed" // nothing is expected any more
	Closed         EventKind = "closed"    // canceled before fulfilment
	Returned       EventKind = "returned"  // Lines go back
	Refunded       EventKind = "refunded"  // Amount goes back, with Lines where it is for lines
	Exchanged      EventKind = "exchanged" // Lines go back, Replacement goes out
	PriceProtected EventKind = "price_protected"
	DepositPaid    EventKind = "deposit_paid" // presale: Payments
	BalancePaid    EventKind = "balance_paid" // presale: Payments
)

// Event is one fact about an order.
type Event struct {
	// ID makes the fact unique; in a profile event it is the event's.
	ID string `json:"id,omitempty"`
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
	// Replacement are the lines that go out in an exchange.
	Replacement []Line `json:"replacement,omitempty"`
	// Freight is what the customer pays for delivery.
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
	// ID is unique in the order.
	ID string `json:"id"`
	// SKU names the product.
	SKU string `json:"sku,omitempty"`
	// Category is the product's.
	Category string `json:"category,omitempty"`
	// Quantity is the number of pieces.
	Quantity int64 `json:"quantity"`
	// List is the total before discounts.
	List int64 `json:"list,omitempty"`
	// Net is what the customer owes for the line, after all discounts.
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
