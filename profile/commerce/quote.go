package commerce

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownLine reports a line that the order does not have.
var ErrUnknownLine = errors.New("commerce: line is not in the order")

// ErrTooMany reports more pieces than are left of a line.
var ErrTooMany = errors.New("commerce: more pieces than are left")

// Quote is the refund that is due if the pieces of lines (ID or SKU, and
// Quantity) were to go back at t, after all that the order knows: by line the
// running share of its price less what was given back on the pieces already,
// by tender what is left of each in proportion. Freight is not in it. However
// the pieces of an order are cut into quotes that are then refunded, each line
// gets back exactly what it cost; and once all that was paid has gone back, each
// tender has got back exactly what it paid.
//
// It fails with [ErrUnknownLine], and with [ErrTooMany] for pieces refunded already.
func (o Order) Quote(t time.Time, lines ...Line) (Refund, error) {
	r := Refund{At: t, Kind: Refunded}
	f := folder{o: o, index: make(map[string]int, len(o.Lines))}
	for i, l := range o.Lines {
		f.index[l.ID] = i
	}
	taken := map[int]int64{}
	for _, l := range lines {
		i, ok := f.find(l)
		switch {
		case !ok:
			return Refund{}, ErrUnknownLine
		case l.Quantity < 1 || l.Quantity > o.Lines[i].Quantity-o.Lines[i].pieces-taken[i]:
			return Refund{}, fmt.Errorf("%w: %d asked for", ErrTooMany, l.Quantity)
		}
		s := Share{Line: o.Lines[i].ID, Quantity: l.Quantity}
		s.Amount = o.Lines[i].due(taken[i]+l.Quantity) - o.Lines[i].due(taken[i])
		taken[i] += l.Quantity
		r.Amount += s.Amount
		r.Lines = append(r.Lines, s)
	}
	r.Payments = o.byTender(r.Amount, t)
	return r, nil
}
