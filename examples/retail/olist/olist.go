// Package olist reads the public Olist files (a Brazilian marketplace, 2016 to
// 2018) as a feed of the retail example, and counts the same files a second
// time, on another path, so that what the library computed can be checked.
//
// The files are customers.csv, orders.csv, order_items.csv, order_payments.csv,
// order_reviews.csv and products.csv. They are read strictly: a missing file or
// column, or an unknown column, is an error; a broken row is left out with
// file, line and reason, and with it the whole order, so that every order that
// is used is complete. [input.Summary] says what was left out and whether the
// rest can be trusted.
//
// How the files are understood:
//
//   - Person: customer_unique_id, identifier kind [PersonKind]. customer_id is
//     new with every order; it comes along as [OrderTokenKind], which must never link.
//   - Time: wall time of [Zone]. A time that the zone skips moves forward by the
//     gap; one that occurs twice is the first.
//   - Promise: the parcel is promised by the end of the estimated day. It is late
//     if the day of delivery, as written, is after that day; arriving during the
//     promised day is in time.
//   - Payment: an order is paid at order_approved_at, by its payment rows. Where
//     there is no approval the tenders were chosen and never confirmed
//     (payment.pending), except that a delivered order counts as paid when
//     ordered. The tender "voucher" stays distinguishable; tenders of zero are dropped.
//   - Delivered: order.received at the time of delivery, if there is one, and
//     order.completed for every delivered order, at the latest time that its row
//     states (without a time of delivery: the end of the promised day).
//   - Canceled or unavailable: order.closed at the latest time that the row
//     states, since the files do not say when. A canceled order is never received,
//     although a few carry a time of delivery.
//   - Points: one for every whole real paid other than by voucher, per delivered order.
//   - Reviews: the key is review and order. Every distinct key counts once for
//     the mean: a review that recurs across orders speaks of each of them, and
//     an order that was reviewed twice was answered twice.
package olist

import (
	"time"
	_ "time/tzdata" // so that Zone exists on every machine

	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/profile/commerce"
)

// What the events of the feed are named by.
const (
	Source         = "olist"
	Currency       = "BRL"
	Zone           = "America/Sao_Paulo"    // of every wall time in the files
	PersonKind     = "olist.customer"       // customer_unique_id: links
	OrderTokenKind = "olist.order_customer" // customer_id: one per order, must never link
	Voucher        = "voucher"              // the tender that earns no points
	CentsPerPoint  = 100                    // one point per whole real
)

// The order states of the files.
const (
	created     = "created"
	approved    = "approved"
	processing  = "processing"
	invoiced    = "invoiced"
	shipped     = "shipped"
	delivered   = "delivered"
	canceled    = "canceled"
	unavailable = "unavailable"
)

// Dataset is the content of the files that was taken. It does not change.
type Dataset struct {
	orders  []*order // as in the file
	reviews []review
	summary input.Summary
}

type order struct {
	line                 int
	id, customer, person string
	zip, city, state     string
	status               string
	purchased, approved  time.Time // approved and what follows: zero where the file says nothing
	shipped, delivered   time.Time
	promised             time.Time // the last microsecond of the estimated day
	lines                []commerce.Line
	freight              int64
	payments             []commerce.Payment // without tenders of zero
}

type review struct {
	id          string
	order       *order
	stars       int64
	title, text string
	invited     time.Time
	posted      time.Time
}

// Open reads the files in dir. The error is an [*input.FormatError] where a file
// cannot be used at all. Broken rows are no error here: see [Dataset.Summary],
// whose Verdict says whether the rest can be trusted.
func Open(dir string) (*Dataset, error) {
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return nil, err
	}
	l := loader{
		zone: zone, people: map[string]customer{}, products: map[string]string{}, orders: map[string]*order{},
		leftOut: map[string]bool{}, brokenKeys: map[string]bool{},
	}
	for _, f := range []struct {
		file      string
		columns   []string
		multiline bool
		take      func(*table)
	}{
		{customersFile, customerColumns, false, l.customerTable},
		{productsFile, productColumns, false, l.productTable},
		{ordersFile, orderColumns, false, l.orderTable},
		{itemsFile, itemColumns, false, l.itemTable},
		{paymentsFile, paymentColumns, false, l.paymentTable},
		{reviewsFile, reviewColumns, true, l.reviewTable},
	} {
		t, err := readTable(dir, f.file, f.columns, f.multiline)
		if err != nil {
			return nil, err
		}
		f.take(t)
	}
	return l.finish(), nil
}

// Summary says what was taken, what was left out and why, and what was peculiar.
func (d *Dataset) Summary() input.Summary { return d.summary }

// Orders is the number of orders in the feed.
func (d *Dataset) Orders() int { return len(d.orders) }
