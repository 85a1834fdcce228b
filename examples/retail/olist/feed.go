package olist

import (
	"cmp"
	"slices"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// step is the place of an event in the life of an order. Events of one instant
// and order keep this order.
type step uint8

const (
	stepPlaced step = iota
	stepPending
	stepPaid
	stepShipped
	stepReceived
	stepCompleted
	stepClosed
	stepReview
)

var stepNames = [...]string{
	feed.OrderPlaced, feed.PaymentPending, feed.OrderPaid, feed.OrderShipped, feed.OrderReceived,
	feed.OrderCompleted, feed.OrderClosed, feed.ReviewPosted,
}

// moment is one event before it is built.
type moment struct {
	at     time.Time
	order  *order
	review *review
	step   step
}

// Deliveries is the number of events that Feed yields.
func (d *Dataset) Deliveries() int { return len(d.moments()) }

// Feed yields every event of the files in order of its time, which is also that
// of its delivery; events of one instant in the order of the files, and within
// an order as its life goes. Yielded errors are nil: what is broken is in the
// Summary. Events are [profile.Live]; who fills in history sets the mode.
func (d *Dataset) Feed() feed.Feed {
	return func(yield func(feed.Delivery, error) bool) {
		for _, m := range d.moments() {
			if !yield(feed.Delivery{At: m.at, Event: m.event()}, nil) {
				return
			}
		}
	}
}

func (d *Dataset) moments() []moment {
	all := make([]moment, 0, 5*len(d.orders)+len(d.reviews))
	for _, o := range d.orders {
		add := func(s step, at time.Time) { all = append(all, moment{at: at, order: o, step: s}) }
		add(stepPlaced, o.purchased)
		switch at, ok := o.paidAt(); {
		case ok:
			add(stepPaid, at)
		case len(o.payments) > 0:
			add(stepPending, o.purchased)
		}
		if !o.shipped.IsZero() {
			add(stepShipped, o.shipped)
		}
		switch o.status {
		case delivered:
			if o.delivered.IsZero() {
				add(stepCompleted, latest(o.latest(), o.promised))
			} else {
				add(stepReceived, o.delivered)
				add(stepCompleted, o.latest())
			}
		case canceled, unavailable:
			add(stepClosed, o.latest())
		}
	}
	for i := range d.reviews {
		r := &d.reviews[i]
		all = append(all, moment{at: r.posted, order: r.order, review: r, step: stepReview})
	}
	slices.SortStableFunc(all, func(a, b moment) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order.line, b.order.line), cmp.Compare(a.step, b.step))
	})
	return all
}

// paidAt is when the order was paid, false where nothing says that it was.
func (o *order) paidAt() (time.Time, bool) {
	switch {
	case len(o.payments) == 0:
		return time.Time{}, false
	case !o.approved.IsZero():
		return o.approved, true
	}
	return o.purchased, o.status == delivered
}

// latest instant that the order's row states as having happened.
func (o *order) latest() time.Time { return latest(o.purchased, o.approved, o.shipped, o.delivered) }

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

func (m moment) event() profile.Event {
	o := m.order
	e := profile.Event{
		ID: Source + "/" + o.id + "/" + stepNames[m.step], Source: Source, Name: stepNames[m.step], Time: m.at,
		Identifiers: []profile.Identifier{{Kind: PersonKind, Value: o.person}, {Kind: OrderTokenKind, Value: o.customer}},
		Properties:  profile.Values{"order_id": profile.Text(o.id)},
	}
	fact := func(kind commerce.EventKind) *commerce.Event {
		e.Order = &commerce.Event{Order: commerce.Key{Source: Source, Number: o.id}, Kind: kind, Currency: Currency}
		return e.Order
	}
	switch m.step {
	case stepPlaced:
		e.Traits = profile.Values{"city": profile.Text(o.city), "state": profile.Text(o.state), "zip_prefix": profile.Text(o.zip)}
		e.Properties["channel"] = profile.Text("marketplace")
		f := fact(commerce.Placed)
		f.Lines, f.Freight, f.PromisedBy = slices.Clone(o.lines), o.freight, o.promised
	case stepPending:
		e.Properties["amount"] = profile.Int(o.paid())
	case stepPaid:
		e.Properties["channel"] = profile.Text("marketplace")
		fact(commerce.Paid).Payments = slices.Clone(o.payments)
	case stepShipped:
		fact(commerce.Shipped)
	case stepReceived:
		e.Properties["promised_by"] = profile.Time(o.promised)
		fact(commerce.Received)
	case stepCompleted:
		fact(commerce.Completed)
	case stepClosed:
		fact(commerce.Closed)
	case stepReview:
		r := m.review
		e.ID = Source + "/" + r.id + "/" + o.id
		e.Properties["review_id"] = profile.Text(r.id)
		e.Properties["stars"] = profile.Int(r.stars)
		e.Properties["invited_at"] = profile.Time(r.invited)
		if r.title != "" {
			e.Properties["title"] = profile.Text(r.title)
		}
		if r.text != "" {
			e.Properties["text"] = profile.Text(r.text)
		}
	}
	return e
}

// paid is the sum of the tenders chosen.
func (o *order) paid() (sum int64) {
	for _, p := range o.payments {
		sum += p.Amount
	}
	return sum
}
