package commerce

import (
	"fmt"
	"slices"
	"time"
)

// Order is what the known facts about one order come to. It is made by [Fold];
// its slices are shared by copies and must not be written to. An instant that
// has not come is the zero time.
type Order struct {
	// Key is the name under which the earliest fact knows the order.
	Key Key
	// Aliases are its other names, in byte order.
	Aliases []Key
	// Currency is that of every amount; empty where no fact says.
	Currency string
	// Lines are what was ordered and what went out in exchange.
	Lines []OrderLine
	// Freight is what was owed for delivery.
	Freight int64
	// Payments are the tenders in order of time.
	Payments []Tender
	// Arrivals are the goods that arrived, in order of time.
	Arrivals []Arrival
	// Returns are the goods that went back, in order of time, exchanges included.
	Returns []Return
	// Refunds are the money that went back, in order of time: refunds, price
	// protections, and what an exchange paid back.
	Refunds []Refund
	// Promises are the promised arrivals in order of their making.
	Promises []Promise

	// PlacedAt is the first placing.
	PlacedAt time.Time
	// DepositAt is the first deposit of a presale.
	DepositAt time.Time
	// PaidAt is the first payment that is not a deposit.
	PaidAt time.Time
	// ShippedAt is the first shipment.
	ShippedAt time.Time
	// ReceivedAt is when the last piece arrived, or the whole order did.
	ReceivedAt time.Time
	// CompletedAt is when nothing more was expected.
	CompletedAt time.Time
	// ClosedAt is when the order was called off.
	ClosedAt time.Time
	// BoughtAt is the earliest of paid, shipped, received and completed.
	BoughtAt time.Time

	// Problems are what does not fit together, or not yet.
	Problems []Problem

	steps []Step
}

// OrderLine is a line with what became of it.
type OrderLine struct {
	Line
	// Since is when a replacement went out; the zero time for what was ordered.
	Since time.Time
	// Received is the number of pieces that arrived, at most Quantity.
	Received int64
	// Returned is the number of pieces that went back, at most Quantity.
	Returned int64
	// Refunded is the money that went back for the line.
	Refunded int64

	moved  int64 // value that went over to replacements
	pieces int64 // pieces refunded
	rebate int64 // money back that was not for pieces, on the pieces not refunded
}

// Tender is one payment and the fact that reported it.
type Tender struct {
	Payment
	At    time.Time
	Event string
	// Kind is that of the fact: paid, deposit_paid, balance_paid, placed, exchanged.
	Kind EventKind
}

// Share is the part of one line in a return or refund.
type Share struct {
	// Line is the ID of the line.
	Line string
	// Quantity is the number of pieces.
	Quantity int64
	// Amount is what was owed for them in a return or of what is kept, the
	// money in a refund.
	Amount int64
	// Discounts are the parts of the line's discounts that fall on these pieces,
	// in a return or of what is kept: what a platform or a voucher bore of them.
	Discounts []Discount
}

// Arrival is goods that arrived.
type Arrival struct {
	At    time.Time
	Event string
	// Lines are the pieces that had not arrived before, and what was owed for
	// them: their running share of the line's price and discounts.
	Lines []Share
}

// Return is goods that went back.
type Return struct {
	At    time.Time
	Event string
	// Kind is returned or exchanged.
	Kind EventKind
	// Lines are the pieces and what the customer had owed for them.
	Lines []Share
}

// Refund is money that went back.
type Refund struct {
	At    time.Time
	Event string
	// Kind is refunded, price_protected or exchanged.
	Kind EventKind
	// Amount is the whole.
	Amount int64
	// Freight is the part for delivery.
	Freight int64
	// Lines divide the rest: as stated, else by what the pieces named cost,
	// else over all lines by what is left of them.
	Lines []Share
	// Payments divide Amount: as stated, else by what is left of each tender.
	Payments []Payment
}

// Promise is an arrival promised to the customer.
type Promise struct {
	At time.Time // when it was made
	By time.Time // until when the goods would arrive
}

// Step is the state of the money from At until the next step.
type Step struct {
	At time.Time
	// Counts reports whether the order is a net order.
	Counts bool
	// Gross is what the customer owes for goods and freight, before refunds.
	Gross int64
	// Net is Gross less what was refunded, at least 0; 0 once closed.
	Net int64
}

// ProblemKind says what does not fit.
type ProblemKind string

// The kinds of problem. Each may vanish with a fact that comes late.
const (
	UnknownLine  ProblemKind = "unknown_line"  // a fact names a line that was not ordered
	OverReturned ProblemKind = "over_returned" // more pieces went back than were there
	OverRefunded ProblemKind = "over_refunded" // more money went back than was owed
)

// Problem is something that does not fit together. The order answers as if
// the excess, By, were not there.
type Problem struct {
	Kind  ProblemKind
	Event string // the fact that does not fit
	Line  string // the line, where there is one
	By    int64  // pieces or amount in excess
}

func (p Problem) String() string {
	switch p.Kind {
	case UnknownLine:
		return fmt.Sprintf("event %s names line %q, which is not in the order", p.Event, p.Line)
	case OverReturned:
		return fmt.Sprintf("event %s returns %d pieces of line %q too many", p.Event, p.By, p.Line)
	}
	return fmt.Sprintf("event %s refunds %d more than was owed", p.Event, p.By)
}

// Steps are the instants at which the money changes, in order, from BoughtAt;
// none for an order that was never bought. At an instant between two steps the
// earlier one holds, before the first nothing was bought.
func (o Order) Steps() []Step { return o.steps }

// At is the step that holds at t: the zero Step before the order was bought.
func (o Order) At(t time.Time) Step {
	var now Step
	for _, s := range o.steps {
		if s.At.After(t) {
			break
		}
		now = s
	}
	return now
}

// CountsAt reports whether the order is a net order at t: bought by then, not
// closed, and not refunded for all its goods. Where nothing was owed for the
// goods, the return of every piece takes the place of the refund.
func (o Order) CountsAt(t time.Time) bool { return o.At(t).Counts }

// Counts is the span in which the order is a net order: from inclusive, until
// exclusive. A zero until has no end in sight; both are zero where it never counts.
func (o Order) Counts() (from, until time.Time) {
	for _, s := range o.steps {
		switch {
		case s.Counts && from.IsZero():
			from = s.At
		case !s.Counts && !from.IsZero():
			return from, s.At
		}
	}
	return from, time.Time{}
}

// NetSpendAt is what the customer spent on the order as of t, in minor units:
// 0 before it was bought and from when it is closed, else what was owed for
// goods and freight less what was refunded, at least 0.
func (o Order) NetSpendAt(t time.Time) int64 { return o.At(t).Net }

// GrossAt is what the customer owed for goods and freight as of t, whatever
// was refunded since; 0 before it was bought. Of an order without known lines
// it is what was paid.
func (o Order) GrossAt(t time.Time) int64 { return o.At(t).Gross }

// RefundedAt is the money that went back until t, inclusive.
func (o Order) RefundedAt(t time.Time) int64 {
	var sum int64
	for _, r := range o.Refunds {
		if !r.At.After(t) {
			sum += r.Amount
		}
	}
	return sum
}

// Paid is the sum of all payments, refunds not deducted.
func (o Order) Paid() int64 {
	var sum int64
	for _, p := range o.Payments {
		sum += p.Amount
	}
	return sum
}

// PaidBy is the sum of the payments by one tender, refunds not deducted.
func (o Order) PaidBy(tender string) int64 {
	var sum int64
	for _, p := range o.Payments {
		if p.Tender == tender {
			sum += p.Amount
		}
	}
	return sum
}

// KeptAt lists what of the lines the customer has not given back by t: the
// pieces and what was owed for them. Lines without a piece left are not listed.
func (o Order) KeptAt(t time.Time) []Share {
	var kept []Share
	for _, l := range o.Lines {
		if l.Since.After(t) {
			continue
		}
		s := Share{Line: l.ID, Quantity: l.Quantity, Amount: l.Net, Discounts: slices.Clone(l.Discounts)}
		for _, r := range o.Returns {
			if r.At.After(t) {
				break
			}
			for _, back := range r.Lines {
				if back.Line == l.ID {
					s.Quantity -= back.Quantity
					s.Amount -= back.Amount
					for i, d := range back.Discounts {
						s.Discounts[i].Amount -= d.Amount
					}
				}
			}
		}
		if s.Quantity > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// ArrivedAt lists what of the lines had arrived by t, whatever went back since:
// the pieces and what was owed for them. Lines of which nothing had arrived are
// not listed. Goods that nobody reports as received, as at a till, have not arrived.
func (o Order) ArrivedAt(t time.Time) []Share {
	pieces := o.arrived(t)
	var out []Share
	for i, l := range o.Lines {
		if pieces[i] > 0 {
			out = append(out, l.share(0, pieces[i]))
		}
	}
	return out
}

// HeldAt lists what of the lines was received and kept as of t: the pieces that
// had arrived less those that went back, and what was owed for them. A piece that
// went back counts as one that had arrived. It is what [Order.KeptAt] lists,
// once all of that has arrived.
func (o Order) HeldAt(t time.Time) []Share {
	pieces, back := o.arrived(t), o.returned(t)
	var out []Share
	for i, l := range o.Lines {
		if held := pieces[i] - back[i]; held > 0 {
			out = append(out, l.share(back[i], held))
		}
	}
	return out
}

// share is so many pieces of a line after some others, with the running share of
// its price and discounts.
func (l OrderLine) share(after, pieces int64) Share {
	s := Share{Line: l.ID, Quantity: pieces, Amount: part(l.Net, after, pieces, l.Quantity), Discounts: slices.Clone(l.Discounts)}
	for i, d := range l.Discounts {
		s.Discounts[i].Amount = part(d.Amount, after, pieces, l.Quantity)
	}
	return s
}

// arrived and returned are the pieces of each line that had by t.
func (o Order) arrived(t time.Time) []int64 {
	sums := newTally(o)
	for _, a := range o.Arrivals {
		if !a.At.After(t) {
			sums.add(a.Lines)
		}
	}
	return sums.pieces
}

func (o Order) returned(t time.Time) []int64 {
	sums := newTally(o)
	for _, r := range o.Returns {
		if !r.At.After(t) {
			sums.add(r.Lines)
		}
	}
	return sums.pieces
}

// tally counts pieces by line.
type tally struct {
	index  map[string]int
	pieces []int64
}

func newTally(o Order) tally {
	t := tally{make(map[string]int, len(o.Lines)), make([]int64, len(o.Lines))}
	for i, l := range o.Lines {
		t.index[l.ID] = i
	}
	return t
}

func (t tally) add(shares []Share) {
	for _, s := range shares {
		t.pieces[t.index[s.Line]] += s.Quantity
	}
}

// ForfeitedAt is the deposit of a presale that was not given back as of t, in
// minor units: what was paid as deposits less what was refunded, of an order that
// is closed and was never bought. It is no purchase and in no other figure.
func (o Order) ForfeitedAt(t time.Time) int64 {
	if !reached(o.ClosedAt, t) || reached(o.BoughtAt, t) {
		return 0
	}
	var sum int64
	for _, p := range o.Payments {
		if p.Kind == DepositPaid && !p.At.After(t) {
			sum += p.Amount
		}
	}
	return max(0, sum-o.RefundedAt(t))
}

// PromisedBy is the first promise made, the zero time for none: what the
// customer was told when buying, not what a courier says later.
func (o Order) PromisedBy() time.Time {
	if len(o.Promises) == 0 {
		return time.Time{}
	}
	return o.Promises[0].By
}

// Late reports whether the order was received after [Order.PromisedBy]. The
// promise is an instant: a promised day ends where its caller says.
func (o Order) Late() bool {
	by := o.PromisedBy()
	return !by.IsZero() && o.ReceivedAt.After(by)
}

// OverdueAt reports whether at t the promised instant had passed and the order
// had neither been received nor closed.
func (o Order) OverdueAt(t time.Time) bool {
	by := o.PromisedBy()
	return !by.IsZero() && t.After(by) && !reached(o.ReceivedAt, t) && !reached(o.ClosedAt, t)
}

// Stage is how far an order has come.
type Stage string

// The stages of an order.
const (
	StagePlaced    Stage = "placed"
	StageDeposit   Stage = "deposit"
	StagePaid      Stage = "paid"
	StageShipped   Stage = "shipped"
	StageReceived  Stage = "received"
	StageCompleted Stage = "completed"
	StageRefunded  Stage = "refunded" // in full
	StageClosed    Stage = "closed"
)

// StageAt is the furthest stage that the order had reached at t, empty before
// any. Closed goes before refunded, refunded before the rest.
func (o Order) StageAt(t time.Time) Stage {
	now := o.At(t)
	switch {
	case reached(o.ClosedAt, t):
		return StageClosed
	case !now.At.IsZero() && !now.Counts:
		return StageRefunded
	case reached(o.CompletedAt, t):
		return StageCompleted
	case reached(o.ReceivedAt, t):
		return StageReceived
	case reached(o.ShippedAt, t):
		return StageShipped
	case reached(o.PaidAt, t):
		return StagePaid
	case reached(o.DepositAt, t):
		return StageDeposit
	case reached(o.PlacedAt, t):
		return StagePlaced
	}
	return ""
}

// reached reports whether the instant has come by t.
func reached(instant, t time.Time) bool { return !instant.IsZero() && !instant.After(t) }
