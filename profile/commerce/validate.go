package commerce

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxTextBytes is the greatest length of any text of an [Event] in bytes.
const MaxTextBytes = 512

// ErrInvalidEvent reports an [Event] that is not well formed.
var ErrInvalidEvent = errors.New("commerce: invalid order event")

// FieldError is an [ErrInvalidEvent] that names the field by its path in the
// JSON form: "lines[2].quantity".
type FieldError struct {
	Field  string
	Reason string
}

func (e *FieldError) Error() string {
	return ErrInvalidEvent.Error() + ": " + e.Field + ": " + e.Reason
}

// Is reports whether target is [ErrInvalidEvent].
func (e *FieldError) Is(target error) bool { return target == ErrInvalidEvent }

// Identified returns e with the ID and time of the record that carries it
// where it has none of its own.
func (e Event) Identified(id string, at time.Time) Event {
	if e.ID == "" {
		e.ID = id
	}
	if e.Time.IsZero() {
		e.Time = at
	}
	return e
}

// Validate returns a [*FieldError] unless e is well formed: ID, time, source
// and number of the order present; text valid UTF-8 without NUL and at most
// [MaxTextBytes]; times within the years 1 to 9999; amounts at least 0,
// quantities at least 1; line IDs distinct; no field that the kind has no use
// for; and parts that are stated sum to the total that is stated, except that
// a refund may leave unsaid what of it is for freight. It looks at e alone:
// what does not fit the rest of the order is in [Order].Problems.
func (e Event) Validate() error {
	v := validator{}
	v.text("id", e.ID, true)
	v.text("ref", e.Ref, false)
	if e.Time.IsZero() {
		v.fail("time", "is missing")
	}
	v.time("time", e.Time)
	v.key("order", e.Order)
	for i, a := range e.Aliases {
		v.key(fmt.Sprintf("aliases[%d]", i), a)
	}
	use, known := uses[e.Kind]
	if !known {
		v.fail("kind", "is unknown")
	}
	if e.Currency != "" && !isCurrency(e.Currency) {
		v.fail("currency", "is not three capital letters")
	}
	v.allowed("lines", len(e.Lines) > 0, use.lines)
	v.allowed("replacement", len(e.Replacement) > 0, use.replacement)
	v.allowed("payments", len(e.Payments) > 0, use.payments)
	v.allowed("freight", e.Freight != 0, use.freight)
	v.allowed("amount", e.Amount != 0, use.amount)
	v.allowed("promised_by", !e.PromisedBy.IsZero(), use.promise)
	v.atLeast("freight", e.Freight, 0)
	v.atLeast("amount", e.Amount, 0)
	v.time("promised_by", e.PromisedBy)
	goods := v.lines("lines", e.Lines, use.back)
	v.lines("replacement", e.Replacement, false)
	paid := v.payments(e.Payments)
	if v.err != nil {
		return v.err
	}
	if e.Amount == 0 {
		return nil
	}
	switch {
	case e.Freight > e.Amount:
		v.fail("freight", "is more than the amount")
	case e.Kind != Exchanged && goods > e.Amount-e.Freight,
		e.Kind != Exchanged && goods > 0 && e.Freight > 0 && goods != e.Amount-e.Freight:
		v.fail("amount", "is not the sum of its lines and freight")
	case len(e.Payments) > 0 && paid != e.Amount:
		v.fail("amount", "is not the sum of its payments")
	}
	return v.err
}

// need says what a kind makes of a field.
type need uint8

const (
	no need = iota
	may
	must
)

type fields struct {
	lines, replacement, payments, freight, amount, promise need
	back                                                   bool // lines name goods that were ordered before
}

var uses = map[EventKind]fields{
	Placed:         {lines: may, payments: may, freight: may, promise: may},
	Paid:           {lines: may, payments: may, freight: may, promise: may},
	DepositPaid:    {lines: may, payments: may, freight: may, promise: may},
	BalancePaid:    {lines: may, payments: may, freight: may, promise: may},
	Shipped:        {lines: may, promise: may, back: true},
	Received:       {lines: may, back: true},
	Completed:      {},
	Closed:         {},
	Returned:       {lines: must, back: true},
	Refunded:       {lines: may, payments: may, freight: may, amount: must, back: true},
	Exchanged:      {lines: must, replacement: must, payments: may, amount: may, back: true},
	PriceProtected: {lines: may, payments: may, amount: must, back: true},
}

// describes reports whether the lines of such an event are what was ordered.
func (k EventKind) describes() bool {
	u := uses[k]
	return u.lines != no && !u.back
}

// validator keeps the first failure.
type validator struct{ err error }

func (v *validator) fail(field, reason string) {
	if v.err == nil {
		v.err = &FieldError{Field: field, Reason: reason}
	}
}

func (v *validator) allowed(field string, present bool, n need) {
	switch {
	case present && n == no:
		v.fail(field, "has no place in an event of this kind")
	case !present && n == must:
		v.fail(field, "is missing")
	}
}

func (v *validator) text(field, s string, required bool) {
	switch {
	case required && s == "":
		v.fail(field, "is missing")
	case len(s) > MaxTextBytes:
		v.fail(field, "is too long")
	case strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s):
		v.fail(field, "holds a NUL or is not UTF-8")
	}
}

func (v *validator) time(field string, t time.Time) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		v.fail(field, "is outside the years 1 to 9999")
	}
}

func (v *validator) atLeast(field string, n, least int64) {
	if n < least {
		v.fail(field, fmt.Sprintf("is below %d", least))
	}
}

func (v *validator) key(field string, k Key) {
	v.text(field+".source", k.Source, true)
	v.text(field+".outlet", k.Outlet, false)
	v.text(field+".number", k.Number, true)
}

func (v *validator) sum(field string, a, b int64) int64 {
	s, err := add(a, b)
	if err != nil {
		v.fail(field, "makes a sum out of range")
	}
	return s
}

// lines checks lines and returns the sum of what they cost.
func (v *validator) lines(field string, lines []Line, back bool) (net int64) {
	seen := make(map[string]bool, len(lines))
	for i, l := range lines {
		at := fmt.Sprintf("%s[%d]", field, i)
		v.text(at+".id", l.ID, !back || l.SKU == "")
		v.text(at+".sku", l.SKU, false)
		v.text(at+".category", l.Category, false)
		v.atLeast(at+".quantity", l.Quantity, 1)
		v.atLeast(at+".list", l.List, 0)
		v.atLeast(at+".net", l.Net, 0)
		if l.ID != "" && seen[l.ID] {
			v.fail(at+".id", "is there twice")
		}
		seen[l.ID] = true
		net = v.sum(at+".net", net, l.Net)
		var off int64
		for j, d := range l.Discounts {
			v.text(fmt.Sprintf("%s.discounts[%d].funder", at, j), d.Funder, true)
			v.atLeast(fmt.Sprintf("%s.discounts[%d].amount", at, j), d.Amount, 0)
			off = v.sum(at+".discounts", off, d.Amount)
		}
		if len(l.Discounts) > 0 && l.List-l.Net != off {
			v.fail(at+".discounts", "do not sum to list less net")
		}
	}
	return net
}

func (v *validator) payments(ps []Payment) (sum int64) {
	for i, p := range ps {
		v.text(fmt.Sprintf("payments[%d].tender", i), p.Tender, true)
		v.atLeast(fmt.Sprintf("payments[%d].amount", i), p.Amount, 0)
		sum = v.sum(fmt.Sprintf("payments[%d].amount", i), sum, p.Amount)
	}
	return sum
}

func isCurrency(s string) bool {
	return len(s) == 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// truncated returns e with its times at the microsecond in UTC.
func (e Event) truncated() Event {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	e.PromisedBy = e.PromisedBy.UTC().Truncate(time.Microsecond)
	return e
}

// Equal reports whether two events say the same: the same fields, times to the
// microsecond, lines, payments and aliases in the same order.
func (e Event) Equal(f Event) bool {
	e, f = e.truncated(), f.truncated()
	return e.ID == f.ID && e.Ref == f.Ref && e.Time.Equal(f.Time) && e.Order == f.Order &&
		slices.Equal(e.Aliases, f.Aliases) && e.Kind == f.Kind && e.Currency == f.Currency &&
		slices.EqualFunc(e.Lines, f.Lines, Line.equal) &&
		slices.EqualFunc(e.Replacement, f.Replacement, Line.equal) &&
		e.Freight == f.Freight && slices.Equal(e.Payments, f.Payments) &&
		e.Amount == f.Amount && e.PromisedBy.Equal(f.PromisedBy)
}

func (l Line) equal(m Line) bool {
	return l.ID == m.ID && l.SKU == m.SKU && l.Category == m.Category && l.Quantity == m.Quantity &&
		l.List == m.List && l.Net == m.Net && slices.Equal(l.Discounts, m.Discounts)
}
