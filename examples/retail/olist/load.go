package olist

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/profile/commerce"
)

type customer struct {
	line                     int
	person, zip, city, state string
}

// loader turns tables into orders and reviews, and keeps account of what it leaves out.
type loader struct {
	zone        *time.Location
	people      map[string]customer // by customer_id
	products    map[string]string   // category by product_id
	orders      map[string]*order
	reviews     []reviewRow
	leftOut     map[string]bool // orders
	brokenKeys  map[string]bool // every key named in a broken row; rows that refer to one follow it
	used        []use
	counts      []input.FileCount
	rejects     []input.Reject
	unplaced    []input.Place
	orderRows   int
	zeroTenders int
	noCategory  int
}

// use is a sound row that belongs to an order and goes if the order goes.
type use struct {
	file  int // index into loader.counts
	line  int
	order string
}

type reviewRow struct {
	review
	line  int
	order string // by key, as long as its order may still go
}

// maxCents bounds a single amount, so that no sum can overflow.
const maxCents = 10_000_000_00

// reader takes the cells of one row and remembers the first fault.
type reader struct {
	row
	columns []string
	zone    *time.Location
	fault   string
	follow  bool // the fault lies in another row
}

func (r *reader) fail(i int, why string) {
	if r.fault == "" {
		r.fault = r.columns[i] + ": " + why
	}
}

func (r *reader) key(i int) string {
	if !isKey(r.cells[i]) {
		r.fail(i, fmt.Sprintf("%q is not a key of 32 hexadecimal digits", r.cells[i]))
	}
	return r.cells[i]
}

func (r *reader) text(i int) string {
	if r.cells[i] == "" {
		r.fail(i, "empty")
	}
	return r.cells[i]
}

func (r *reader) cents(i int) int64 {
	n, err := input.ParseCents(r.cells[i])
	if err != nil {
		r.fail(i, fmt.Sprintf("%q is not an amount with at most two decimals", r.cells[i]))
	}
	if n > maxCents {
		r.fail(i, fmt.Sprintf("%q is more than any order can cost", r.cells[i]))
	}
	return n
}

func (r *reader) count(i int, low, high int64) int64 {
	n, err := strconv.ParseInt(r.cells[i], 10, 64)
	if err != nil || n < low || n > high {
		r.fail(i, fmt.Sprintf("%q is not a number from %d to %d", r.cells[i], low, high))
	}
	return n
}

func (r *reader) time(i int) time.Time {
	t, err := input.ParseLocal(time.DateTime, r.cells[i], r.zone)
	if err != nil {
		r.fail(i, err.Error())
	}
	return t
}

func (r *reader) optionalTime(i int) time.Time {
	if r.cells[i] == "" {
		return time.Time{}
	}
	return r.time(i)
}

// follows marks a fault that lies in another row: this one only refers to it.
func (r *reader) follows(why string) {
	if r.fault == "" {
		r.fault, r.follow = why, true
	}
}

// each reads the rows of a table. decode reads one row and returns what to do
// with it if neither it nor its key is at fault. lose is told every key that a
// row left out by its own fault names, and says whether that places the loss.
func (l *loader) each(t *table, columns []string, primary []int, decode func(*reader) func(), lose func(key string) bool) {
	l.counts = append(l.counts, input.FileCount{File: t.file, Rows: len(t.rows) + len(t.broken)})
	count := &l.counts[len(l.counts)-1]
	refuse := func(line int, why, raw string) {
		place := input.Place{File: t.file, Line: line}
		count.Rejected++
		l.rejects = append(l.rejects, input.Reject{Place: place, Reason: why})
		placed := false
		for _, key := range keyPattern.FindAllString(raw, -1) {
			l.brokenKeys[key] = true
			placed = lose(key) || placed
		}
		if !placed {
			l.unplaced = append(l.unplaced, place)
		}
	}
	for _, b := range t.broken {
		refuse(b.line, b.reason, b.raw)
	}
	seen := map[string]row{}
	for _, row := range t.rows {
		r := &reader{row: row, columns: columns, zone: l.zone}
		commit := decode(r)
		if r.follow {
			count.Follows++
			l.rejects = append(l.rejects, input.Reject{Place: input.Place{File: t.file, Line: row.line}, Reason: r.fault, Follows: true})
			continue
		}
		if r.fault != "" {
			refuse(row.line, r.fault, fmt.Sprint(row.cells))
			continue
		}
		key := ""
		for _, i := range primary {
			key += row.cells[i] + " "
		}
		earlier, again := seen[key]
		switch {
		case !again:
			seen[key] = row
			commit()
		case slices.Equal(earlier.cells, row.cells):
			count.Rejected++
			l.rejects = append(l.rejects, input.Reject{
				Place: input.Place{File: t.file, Line: row.line}, Reason: fmt.Sprintf("repeats line %d", earlier.line),
			})
		default:
			refuse(row.line, fmt.Sprintf("contradicts line %d, which has the same key", earlier.line), fmt.Sprint(row.cells))
		}
	}
}

// loseNothing is for files whose rows concern no sum: every loss is placed.
func loseNothing(string) bool { return true }

// loseOrder leaves out the order named, whole.
func (l *loader) loseOrder(key string) bool {
	if l.orders[key] == nil && !l.leftOut[key] {
		return false
	}
	l.leftOut[key] = true
	return true
}

func (l *loader) use(line int, order string) {
	l.used = append(l.used, use{len(l.counts) - 1, line, order})
}

// orderOf looks up the order of an item, payment or review.
func (l *loader) orderOf(r *reader, i int) *order {
	key := r.key(i)
	o := l.orders[key]
	switch {
	case o != nil || r.fault != "":
	case l.leftOut[key] || l.brokenKeys[key]:
		l.leftOut[key] = true
		r.follows("its order is left out")
	default:
		l.leftOut[key] = true
		r.fail(i, "the order is not in "+ordersFile)
	}
	return o
}

func (l *loader) customerTable(t *table) {
	l.each(t, customerColumns, []int{0}, func(r *reader) func() {
		id := r.key(0)
		c := customer{person: r.key(1), zip: r.text(2), city: r.text(3), state: r.text(4), line: r.line}
		return func() { l.people[id] = c }
	}, func(key string) bool { delete(l.people, key); return true })
}

func (l *loader) productTable(t *table) {
	l.each(t, productColumns, []int{0}, func(r *reader) func() {
		id := r.key(0)
		for i := 2; i < len(r.cells); i++ {
			if r.cells[i] != "" {
				r.count(i, 0, 1_000_000)
			}
		}
		return func() { l.products[id] = r.cells[1] }
	}, func(key string) bool { delete(l.products, key); return true })
}

var states = []string{created, approved, processing, invoiced, shipped, delivered, canceled, unavailable}

func (l *loader) orderTable(t *table) {
	l.orderRows = len(t.rows) + len(t.broken)
	l.each(t, orderColumns, []int{0}, func(r *reader) func() {
		o := &order{
			line: r.line, id: r.key(0), customer: r.key(1), status: r.cells[2],
			purchased: r.time(3), approved: r.optionalTime(4), shipped: r.optionalTime(5), delivered: r.optionalTime(6),
		}
		if !slices.Contains(states, o.status) {
			r.fail(2, fmt.Sprintf("unknown state %q", o.status))
		}
		day, err := time.Parse(time.DateTime, r.cells[7])
		if err != nil {
			r.fail(7, fmt.Sprintf("%q is not a time like %q", r.cells[7], time.DateTime))
		}
		// The day ends where the next one begins, which a zone may do at one o'clock.
		next, err := input.ParseLocal(time.DateOnly, day.AddDate(0, 0, 1).Format(time.DateOnly), l.zone)
		if err != nil {
			r.fail(7, err.Error())
		}
		o.promised = next.Add(-time.Microsecond)
		who, ok := l.people[o.customer]
		switch {
		case ok || r.fault != "":
		case l.brokenKeys[o.customer]:
			l.leftOut[o.id] = true
			r.follows("its customer is left out")
		default:
			l.leftOut[o.id] = true
			r.fail(1, "the customer is not in "+customersFile)
		}
		o.person, o.zip, o.city, o.state = who.person, who.zip, who.city, who.state
		return func() {
			l.orders[o.id] = o
			l.use(o.line, o.id)
		}
	}, func(key string) bool {
		if _, ok := l.people[key]; !ok {
			l.leftOut[key] = true
		}
		return true
	})
}

func (l *loader) itemTable(t *table) {
	l.each(t, itemColumns, []int{0, 1}, func(r *reader) func() {
		o := l.orderOf(r, 0)
		number, product := r.count(1, 1, 1000), r.key(2)
		r.key(3)
		r.time(4)
		price, freight := r.cents(5), r.cents(6)
		category, ok := l.products[product]
		switch {
		case ok || r.fault != "":
		case l.brokenKeys[product]:
			l.leftOut[o.id] = true
			r.follows("its product is left out")
		default:
			r.fail(2, "the product is not in "+productsFile)
		}
		return func() {
			if category == "" {
				l.noCategory++
			}
			o.lines = append(o.lines, commerce.Line{
				ID: strconv.FormatInt(number, 10), SKU: product, Category: category, Quantity: 1, List: price, Net: price,
			})
			o.freight += freight
			l.use(r.line, o.id)
		}
	}, l.loseOrder)
}

var tenders = []string{"credit_card", "boleto", Voucher, "debit_card", "not_defined"}

func (l *loader) paymentTable(t *table) {
	l.each(t, paymentColumns, []int{0, 1}, func(r *reader) func() {
		o := l.orderOf(r, 0)
		r.count(1, 1, 1000)
		tender := r.cells[2]
		if !slices.Contains(tenders, tender) {
			r.fail(2, fmt.Sprintf("unknown tender %q", tender))
		}
		r.count(3, 0, 1000)
		amount := r.cents(4)
		return func() {
			l.use(r.line, o.id)
			if amount == 0 {
				l.zeroTenders++
				return
			}
			o.payments = append(o.payments, commerce.Payment{Tender: tender, Amount: amount})
		}
	}, l.loseOrder)
}

func (l *loader) reviewTable(t *table) {
	l.each(t, reviewColumns, []int{0, 1}, func(r *reader) func() {
		v := review{
			id: r.key(0), stars: r.count(2, 1, 5), title: r.cells[3], text: r.cells[4],
			invited: r.time(5), posted: r.time(6),
		}
		o := l.orderOf(r, 1)
		return func() {
			l.reviews = append(l.reviews, reviewRow{v, r.line, o.id})
			l.use(r.line, o.id)
		}
	}, loseNothing)
}

// finish drops the orders that are left out with all their rows, and counts
// what is peculiar in the rest.
func (l *loader) finish() *Dataset {
	for _, u := range l.used {
		if l.leftOut[u.order] {
			f := &l.counts[u.file]
			f.Follows++
			l.rejects = append(l.rejects, input.Reject{Place: input.Place{File: f.File, Line: u.line}, Reason: "its order is left out", Follows: true})
		}
	}
	d := &Dataset{}
	kept := map[string]bool{} // customers
	for id, o := range l.orders {
		if l.leftOut[id] {
			l.brokenKeys[o.customer] = true
			continue
		}
		kept[o.customer] = true
		d.orders = append(d.orders, o)
	}
	slices.SortFunc(d.orders, func(a, b *order) int { return cmp.Compare(a.line, b.line) })
	for _, r := range l.reviews {
		if !l.leftOut[r.order] {
			r.review.order = l.orders[r.order]
			d.reviews = append(d.reviews, r.review)
		}
	}
	l.customersWithoutOrder(kept)
	rank := map[string]int{}
	for i, f := range l.counts {
		rank[f.File] = i
	}
	slices.SortFunc(l.rejects, func(a, b input.Reject) int {
		return cmp.Or(cmp.Compare(rank[a.Place.File], rank[b.Place.File]), cmp.Compare(a.Place.Line, b.Place.Line))
	})
	d.summary = input.Summary{
		Files: l.counts, Rejects: l.rejects, LeftOut: l.leftOut, Orders: l.orderRows, Unplaced: l.unplaced,
		Observations: l.observe(d),
	}
	return d
}

// customersWithoutOrder accounts for customers whose order was left out, or is
// nowhere to be found.
func (l *loader) customersWithoutOrder(kept map[string]bool) {
	for id, c := range l.people {
		if kept[id] {
			continue
		}
		r := input.Reject{Place: input.Place{File: customersFile, Line: c.line}, Reason: "no order names this customer"}
		if l.brokenKeys[id] {
			r.Reason, r.Follows = "its order is left out", true
			l.counts[0].Follows++
		} else {
			l.counts[0].Rejected++
		}
		l.rejects = append(l.rejects, r)
	}
}

func (l *loader) observe(d *Dataset) []input.Observation {
	var noItems, undated, cameCanceled, unapproved, paidUnapproved, earlyShipped, earlyDelivered, unequal int
	for _, o := range d.orders {
		owed := o.freight
		for _, line := range o.lines {
			owed += line.Net
		}
		tally(&noItems, len(o.lines) == 0)
		tally(&undated, o.status == delivered && o.delivered.IsZero())
		tally(&cameCanceled, o.status == canceled && !o.delivered.IsZero())
		tally(&unapproved, o.approved.IsZero() && o.status != delivered)
		tally(&paidUnapproved, o.approved.IsZero() && o.status == delivered)
		tally(&earlyShipped, !o.shipped.IsZero() && o.shipped.Before(o.approved))
		tally(&earlyDelivered, !o.delivered.IsZero() && o.delivered.Before(o.shipped))
		tally(&unequal, len(o.lines) > 0 && owed != o.paid())
	}
	var early, recurring, several int
	perReview, perOrder := map[string]int{}, map[string]int{}
	for _, r := range d.reviews {
		tally(&early, r.posted.Before(r.order.purchased))
		perReview[r.id]++
		perOrder[r.order.id]++
		tally(&recurring, perReview[r.id] == 2)
		tally(&several, perOrder[r.order.id] == 2)
	}
	var all []input.Observation
	for _, o := range []input.Observation{
		{Count: noItems, Text: "orders without items"},
		{Count: undated, Text: "delivered orders without a time of delivery: completed at the end of the promised day, left out of the late share"},
		{Count: cameCanceled, Text: "canceled orders with a time of delivery: taken as canceled"},
		{Count: unapproved, Text: "orders without approval of payment: tenders chosen, not paid"},
		{Count: paidUnapproved, Text: "delivered orders without approval of payment: taken as paid when ordered"},
		{Count: earlyShipped, Text: "orders shipped before their payment was approved"},
		{Count: earlyDelivered, Text: "orders delivered before they were shipped"},
		{Count: unequal, Text: "orders with items whose payments differ from price and freight"},
		{Count: l.zeroTenders, Text: "tenders of zero: dropped"},
		{Count: l.noCategory, Text: "items of products without a category"},
		{Count: early, Text: "reviews answered before the order that they name was placed"},
		{Count: recurring, Text: "reviews that recur across orders: each order counts"},
		{Count: several, Text: "orders with several reviews: each review counts"},
	} {
		if o.Count > 0 {
			all = append(all, o)
		}
	}
	return all
}

func tally(n *int, is bool) {
	if is {
		*n++
	}
}
