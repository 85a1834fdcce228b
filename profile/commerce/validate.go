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
	v.key("order.", e.Order)
	for i, a := range e.Aliases {
		v.enter("aliases", i)
		v.key("", a)
		v.leave()
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
	switch {
	case v.err != nil || e.Amount == 0:
	case e.Freight > e.Amount:
		v.fail("freight", "is more than the amount")
	case e.Kind != Exchanged && goods > e.Amount-e.Freight,
		e.Kind != Exchanged && goods > 0 && e.Freight > 0 && goods != e.Amount-e.Freight:
		v.fail("amount", "is not the sum of its lines and freight")
	case len(e.Payments) > 0 && paid != e.Amount:
		v.fail("amount", "is not the sum of its payments")
	}
	if v.err != nil {
		return v.err
	}
	return nil
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

// validator keeps the first failure, and where in the event it is.
type validator struct {
	err  *FieldError
	path [2]struct {
		list string
		i    int
	}
	depth int
}

func (v *validator) enter(list string, i int) {
	v.path[v.depth].list, v.path[v.depth].i = list, i
	v.depth++
}

func (v *validator) leave() { v.depth-- }

func (v *validator) fail(field, reason string) {
	if v.err != nil {
		return
	}
	var at strings.Builder
	for _, p := range v.path[:v.depth] {
		fmt.Fprintf(&at, "%s[%d].", p.list, p.i)
	}
	v.err = &FieldError{Field: at.String() + field, Reason: reason}
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
	switch {
	case n < least && least == 0:
		v.fail(field, "is negative")
	case n < least:
		v.fail(field, "is less than 1")
	}
}

func (v *validator) key(prefix string, k Key) {
	switch {
	case k.Source == "":
		v.fail(prefix+"source", "is missing")
	case k.Number == "":
		v.fail(prefix+"number", "is missing")
	}
	v.text(prefix+"source", k.Source, false)
	v.text(prefix+"outlet", k.Outlet, false)
	v.text(prefix+"number", k.Number, false)
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
	for i, l := range lines {
		v.enter(field, i)
		v.text("id", l.ID, !back || l.SKU == "")
		v.text("sku", l.SKU, false)
		v.text("category", l.Category, false)
		v.atLeast("quantity", l.Quantity, 1)
		v.atLeast("list", l.List, 0)
		v.atLeast("net", l.Net, 0)
		net = v.sum("net", net, l.Net)
		var off int64
		for j, d := range l.Discounts {
			v.enter("discounts", j)
			v.text("funder", d.Funder, true)
			v.atLeast("amount", d.Amount, 0)
			off = v.sum("amount", off, d.Amount)
			v.leave()
		}
		if len(l.Discounts) > 0 && l.List-l.Net != off {
			v.fail("discounts", "do not sum to list less net")
		}
		v.leave()
	}
	if i := repeated(lines); i >= 0 {
		v.enter(field, i)
		v.fail("id", "is there twice")
		v.leave()
	}
	return net
}

// repeated is the first line whose ID an earlier one has, −1 for none.
func repeated(lines []Line) int {
	if len(lines) <= 8 {
		for i, l := range lines {
			for _, before := range lines[:i] {
				if l.ID != "" && l.ID == before.ID {
					return i
				}
			}
		}
		return -1
	}
	seen := make(map[string]struct{}, len(lines))
	for i, l := range lines {
		if _, ok := seen[l.ID]; ok && l.ID != "" {
			return i
		}
		seen[l.ID] = struct{}{}
	}
	return -1
}

func (v *validator) payments(ps []Payment) (sum int64) {
	for i, p := range ps {
		v.enter("payments", i)
		v.text("tender", p.Tender, true)
		v.atLeast("amount", p.Amount, 0)
		sum = v.sum("amount", sum, p.Amount)
		v.leave()
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
