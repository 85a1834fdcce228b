package commerce

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fold makes an order of its distinct, valid events.
func fold(events []Event) (Order, error) {
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(a.Time.Compare(b.Time), a.Order.Compare(b.Order), strings.Compare(a.ID, b.ID))
	})
	f := folder{index: map[string]int{}, replacements: map[string][]int{}}
	f.o.Key = events[0].Order
	if err := f.names(events); err != nil {
		return Order{}, err
	}
	facts := oncePerSystem(events)
	if err := f.sums(facts); err != nil {
		return Order{}, err
	}
	f.describe(facts)
	f.instants(facts)
	for _, e := range facts {
		switch e.Kind {
		case Returned:
			f.giveBack(e)
		case Exchanged:
			f.exchange(e)
		case Refunded, PriceProtected:
			f.refund(e, f.dueFor(e), isStated(e.Lines))
		}
	}
	f.money()
	return f.o, nil
}

// folder is an order in the making.
type folder struct {
	o            Order
	index        map[string]int   // line ID → index in o.Lines
	replacements map[string][]int // event ID → indexes in o.Lines
	surcharges   []surcharge
	freight      int64 // refunded so far
}

// surcharge is what an exchange added to the price of the order.
type surcharge struct {
	at time.Time
	by int64
}

func (f *folder) problem(kind ProblemKind, event, line string, by int64) {
	f.o.Problems = append(f.o.Problems, Problem{Kind: kind, Event: event, Line: line, By: by})
}

// names collects keys and the currency.
func (f *folder) names(events []Event) error {
	for _, e := range events {
		for _, k := range append([]Key{e.Order}, e.Aliases...) {
			if k != f.o.Key {
				f.o.Aliases = append(f.o.Aliases, k)
			}
		}
		switch {
		case f.o.Currency == "":
			f.o.Currency = e.Currency
		case e.Currency != "" && e.Currency != f.o.Currency:
			return &EventError{Event: e.ID, Err: ErrCurrency}
		}
	}
	slices.SortFunc(f.o.Aliases, Key.Compare)
	f.o.Aliases = slices.Compact(f.o.Aliases)
	return nil
}

// sums refuses an order of which some total would not fit: whatever is added
// up later is a part of these.
func (f *folder) sums(facts []Event) error {
	var money, pieces int64
	for _, e := range facts {
		err := errors.Join(grow(&money, e.Freight), grow(&money, e.Amount))
		for _, lines := range [][]Line{e.Lines, e.Replacement} {
			for _, l := range lines {
				err = errors.Join(err, grow(&money, l.Net), grow(&pieces, l.Quantity))
			}
		}
		for _, p := range e.Payments {
			err = errors.Join(err, grow(&money, p.Amount))
		}
		if err != nil {
			return &EventError{Event: e.ID, Err: ErrOverflow}
		}
	}
	return nil
}

func grow(sum *int64, by int64) (err error) {
	*sum, err = add(*sum, by)
	return err
}

// oncePerSystem drops what another system has reported already; see [Fold].
// The facts are sorted by time.
func oncePerSystem(facts []Event) []Event {
	several := slices.ContainsFunc(facts, func(e Event) bool {
		return e.Order != facts[0].Order || e.Ref != ""
	})
	if !several {
		return facts
	}
	type bySystem struct {
		what string
		key  Key
	}
	said := map[bySystem]int{}
	kept := map[string]int{}
	var once []Event
	for _, e := range facts {
		what, adds := e.signature()
		if adds {
			by := bySystem{what, e.Order}
			if e.Ref != "" {
				by = bySystem{what: what} // a number is the same for all
			}
			said[by]++
			switch {
			case e.Ref == "" && said[by] > kept[what], said[by] == 1 && e.Ref != "":
				kept[what]++
			case e.Kind.describes():
				e.Payments = nil // what else it says stands
			default:
				continue
			}
		}
		once = append(once, e)
	}
	return once
}

// signature is equal for events that report the same: of equal Ref, or of
// equal amounts and goods whatever the line IDs and the clock of each system.
// It adds up only what would count twice: payments, arrivals of single lines,
// goods and money that go back.
func (e Event) signature() (what string, adds bool) {
	kind := e.Kind
	switch {
	case kind.describes():
		kind, e.Lines, e.Freight, adds = Paid, nil, 0, len(e.Payments) > 0
	case kind == Received:
		adds = len(e.Lines) > 0
	default:
		adds = kind == Returned || kind == Exchanged || kind == Refunded || kind == PriceProtected
	}
	if !adds {
		return "", false
	}
	if e.Ref != "" {
		return string(kind) + "\x00" + e.Ref, true
	}
	goods := func(lines []Line) string {
		parts := make([]string, len(lines))
		for i, l := range lines {
			parts[i] = fmt.Sprintf("%q %d %d", cmp.Or(l.SKU, l.ID), l.Quantity, l.Net)
		}
		slices.Sort(parts)
		return strings.Join(parts, ",")
	}
	tenders := make([]string, len(e.Payments))
	for i, p := range e.Payments {
		tenders[i] = fmt.Sprintf("%q %d", p.Tender, p.Amount)
	}
	slices.Sort(tenders)
	return fmt.Sprintf("%s|%d|%d|%s|%s|%s", kind, e.Amount, e.Freight,
		strings.Join(tenders, ","), goods(e.Lines), goods(e.Replacement)), true
}

// describe takes over lines, freight, payments and promises.
func (f *folder) describe(facts []Event) {
	var by Key // the system whose lines count
	for _, e := range facts {
		if e.Kind.describes() {
			if by == (Key{}) && len(e.Lines) > 0 {
				by = e.Order
			}
			if e.Order == by {
				f.addLines(e.Lines, time.Time{})
			}
			if f.o.Freight == 0 {
				f.o.Freight = e.Freight
			}
		}
		if !e.PromisedBy.IsZero() {
			f.o.Promises = append(f.o.Promises, Promise{At: e.Time, By: e.PromisedBy})
		}
		if e.Kind.describes() || e.Kind == Exchanged && e.Amount == 0 {
			for _, p := range e.Payments {
				f.o.Payments = append(f.o.Payments, Tender{Payment: p, At: e.Time, Event: e.ID, Kind: e.Kind})
			}
		}
	}
	for _, e := range facts {
		if e.Kind == Exchanged {
			f.addReplacements(e)
		}
	}
}

func (f *folder) addLines(lines []Line, since time.Time) {
	for _, l := range lines {
		if _, ok := f.index[l.ID]; ok {
			continue
		}
		f.index[l.ID] = len(f.o.Lines)
		f.o.Lines = append(f.o.Lines, OrderLine{Line: l, Since: since})
	}
}

// addReplacements adds the lines that go out, under IDs that are free.
func (f *folder) addReplacements(e Event) {
	for _, l := range e.Replacement {
		for {
			if _, taken := f.index[l.ID]; !taken {
				break
			}
			l.ID += "/" + e.ID
		}
		f.replacements[e.ID] = append(f.replacements[e.ID], len(f.o.Lines))
		f.addLines([]Line{l}, e.Time)
	}
}

// instants takes over when what happened.
func (f *folder) instants(facts []Event) {
	first := func(t *time.Time, e Event) {
		if t.IsZero() {
			*t = e.Time
		}
	}
	for _, e := range facts {
		switch e.Kind {
		case Placed:
			first(&f.o.PlacedAt, e)
			if len(e.Payments) > 0 {
				first(&f.o.PaidAt, e)
			}
		case Paid, BalancePaid:
			first(&f.o.PaidAt, e)
		case DepositPaid:
			first(&f.o.DepositAt, e)
		case Shipped:
			first(&f.o.ShippedAt, e)
		case Received:
			if f.arrive(e) {
				first(&f.o.ReceivedAt, e)
			}
		case Completed:
			first(&f.o.CompletedAt, e)
		case Closed:
			first(&f.o.ClosedAt, e)
		}
		switch e.Kind {
		case Paid, BalancePaid, Shipped, Received, Completed:
			first(&f.o.BoughtAt, e)
		case Placed:
			if len(e.Payments) > 0 {
				first(&f.o.BoughtAt, e)
			}
		}
	}
}

// arrive adds what e says arrived, the pieces that had not before, and reports
// whether all that was ordered is there.
func (f *folder) arrive(e Event) bool {
	a := Arrival{At: e.Time, Event: e.ID}
	add := func(i int, pieces int64) {
		l := &f.o.Lines[i]
		if pieces = min(pieces, l.Quantity-l.Received); pieces > 0 {
			a.Lines = append(a.Lines, l.share(l.Received, pieces))
			l.Received += pieces
		}
	}
	for _, l := range e.Lines {
		if len(f.o.Lines) == 0 {
			break // not known, or not yet
		}
		i, ok := f.find(l)
		if !ok {
			f.problem(UnknownLine, e.ID, cmp.Or(l.ID, l.SKU), l.Quantity)
			continue
		}
		add(i, l.Quantity)
	}
	if len(e.Lines) == 0 {
		for i, l := range f.o.Lines {
			if !l.Since.After(e.Time) {
				add(i, l.Quantity)
			}
		}
	}
	if len(a.Lines) > 0 {
		f.o.Arrivals = append(f.o.Arrivals, a)
	}
	return !slices.ContainsFunc(f.o.Lines, func(l OrderLine) bool { return l.Since.IsZero() && l.Received < l.Quantity })
}

// find is the line of the order that l names: by ID, else by SKU where one
// line of it has pieces left.
func (f *folder) find(l Line) (int, bool) {
	if i, ok := f.index[l.ID]; ok {
		return i, true
	}
	found := -1
	for i, have := range f.o.Lines {
		if l.SKU != "" && have.SKU == l.SKU && have.Returned < have.Quantity {
			if found >= 0 {
				return 0, false
			}
			found = i
		}
	}
	return found, found >= 0
}

// part is what done more pieces of a line add to its running share of total.
func part(total, before, done, whole int64) int64 {
	a, _ := mulDiv(total, before, whole)
	b, _ := mulDiv(total, before+done, whole)
	return b - a
}

// giveBack takes the pieces of e out of its lines and returns their value.
func (f *folder) giveBack(e Event) (value int64) {
	r := Return{At: e.Time, Event: e.ID, Kind: e.Kind}
	for _, l := range e.Lines {
		i, ok := f.find(l)
		if !ok {
			f.problem(UnknownLine, e.ID, cmp.Or(l.ID, l.SKU), l.Quantity)
			continue
		}
		have := &f.o.Lines[i]
		pieces := min(l.Quantity, have.Quantity-have.Returned)
		if over := l.Quantity - pieces; over > 0 {
			f.problem(OverReturned, e.ID, have.ID, over)
		}
		if pieces == 0 {
			continue
		}
		amount := part(have.Net, have.Returned, pieces, have.Quantity)
		discounts := slices.Clone(have.Discounts)
		for i, d := range have.Discounts {
			discounts[i].Amount = part(d.Amount, have.Returned, pieces, have.Quantity)
		}
		have.Returned += pieces
		if e.Kind == Exchanged {
			have.moved += amount
		}
		value += amount
		r.Lines = append(r.Lines, Share{Line: have.ID, Quantity: pieces, Amount: amount, Discounts: discounts})
	}
	if len(r.Lines) > 0 {
		f.o.Returns = append(f.o.Returns, r)
	}
	return value
}

// exchange moves value from the lines that go back to those that go out. Only
// what the replacement costs more changes what is owed: what it costs less is
// owed until it is refunded.
func (f *folder) exchange(e Event) {
	before := len(f.o.Returns)
	value := f.giveBack(e)
	out := f.replacements[e.ID]
	var worth int64
	pieces := make([]int64, len(out))
	for n, i := range out {
		worth += f.o.Lines[i].Net
		pieces[n] = f.o.Lines[i].Quantity
	}
	if worth == 0 { // like for like
		worth = max(0, value-e.Amount)
		for n, share := range split(worth, pieces) {
			f.o.Lines[out[n]].Net = share
		}
	}
	if worth > value {
		f.surcharges = append(f.surcharges, surcharge{e.Time, worth - value})
	}
	if e.Amount > 0 {
		var back []Share
		if len(f.o.Returns) > before {
			back = slices.Clone(f.o.Returns[before].Lines)
			for i := range back {
				back[i].Discounts = nil
			}
		}
		f.refund(e, back, false)
	}
}

// isStated reports whether a refund says what of it is for which line.
func isStated(lines []Line) bool {
	return slices.ContainsFunc(lines, func(l Line) bool { return l.Net > 0 })
}

// dueFor names the lines of a refund with the weight of each: the amounts
// stated, else what is due for the pieces; nil where e names no line.
func (f *folder) dueFor(e Event) []Share {
	stated := isStated(e.Lines)
	due := make([]Share, 0, len(e.Lines))
	for _, l := range e.Lines {
		i, ok := f.find(l)
		if !ok {
			f.problem(UnknownLine, e.ID, cmp.Or(l.ID, l.SKU), l.Quantity)
			due = append(due, Share{Line: cmp.Or(l.ID, l.SKU), Quantity: l.Quantity, Amount: l.Net})
			continue
		}
		s := Share{Line: f.o.Lines[i].ID, Quantity: min(l.Quantity, f.o.Lines[i].Quantity), Amount: l.Net}
		switch {
		case stated:
		case e.Kind == PriceProtected:
			s.Amount = part(f.o.Lines[i].Net, 0, s.Quantity, f.o.Lines[i].Quantity)
		default:
			s.Amount = f.o.Lines[i].due(s.Quantity)
		}
		due = append(due, s)
	}
	return due
}

// due is what is to be refunded for so many more pieces of a line: their
// running share of its price, less what was given back on them already. With
// the last piece it is all that is left.
func (l OrderLine) due(pieces int64) int64 {
	left := l.Quantity - l.pieces
	pieces = min(pieces, left)
	if pieces == 0 {
		return 0
	}
	price := part(l.Net, l.pieces, pieces, l.Quantity)
	back := part(l.rebate, 0, pieces, left)
	return max(0, min(price-back, l.Net-l.Refunded))
}

// refund books the money of e: over the shares as they are if that is stated,
// else in proportion to them or, without any, over all lines. What is left is
// for freight, as far as that was owed, unless e says how much is.
func (f *folder) refund(e Event, over []Share, stated bool) {
	r := Refund{At: e.Time, Event: e.ID, Kind: e.Kind, Amount: e.Amount, Freight: e.Freight}
	forPieces := len(over) > 0 && e.Kind != PriceProtected
	switch {
	case stated:
	case len(over) > 0:
		spread(r.Amount-r.Freight, over)
	default:
		over = f.overAll(r)
	}
	rest := r.Amount
	for _, s := range over {
		rest -= s.Amount
		i, ok := f.index[s.Line]
		if !ok {
			continue
		}
		l := &f.o.Lines[i]
		l.Refunded += s.Amount
		if !forPieces {
			l.rebate += s.Amount
			continue
		}
		if left := l.Quantity - l.pieces; left > 0 {
			pieces := min(s.Quantity, left)
			l.rebate -= part(l.rebate, 0, pieces, left)
			l.pieces += pieces
		}
	}
	if r.Freight == 0 {
		r.Freight = max(0, min(rest, f.o.Freight-f.freight))
	}
	r.Lines = over
	f.freight += r.Freight
	r.Payments = e.Payments
	if len(r.Payments) == 0 {
		r.Payments = f.o.byTender(r.Amount, r.At)
	}
	f.o.Refunds = append(f.o.Refunds, r)
}

// spread divides amount by the amounts of the shares, or by pieces where those are 0.
func spread(amount int64, by []Share) {
	weights, pieces := make([]int64, len(by)), make([]int64, len(by))
	for i, s := range by {
		weights[i], pieces[i] = s.Amount, s.Quantity
	}
	if plainSum(weights) == 0 {
		weights = pieces
	}
	for i, share := range split(amount, weights) {
		by[i].Amount = share
	}
}

// overAll divides what r gives back for goods over what is left of the lines.
func (f *folder) overAll(r Refund) []Share {
	weights, done := make([]int64, len(f.o.Lines)), make([]int64, len(f.o.Lines))
	for i, l := range f.o.Lines {
		if !l.Since.After(r.At) {
			weights[i] = l.Net - l.moved
			done[i] = min(l.Refunded, weights[i])
		}
	}
	goods := min(r.Amount-r.Freight, plainSum(weights)-plainSum(done))
	var over []Share
	for i, share := range splitNext(weights, done, goods) {
		if share > 0 {
			over = append(over, Share{Line: f.o.Lines[i].ID, Amount: share})
		}
	}
	return over
}

// byTender divides a refund by what is left of the tenders of payments until
// at, or of all payments where those do not suffice.
func (o Order) byTender(amount int64, at time.Time) []Payment {
	var names []string
	until, all, given := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, p := range o.Payments {
		if _, ok := all[p.Tender]; !ok {
			names = append(names, p.Tender)
		}
		all[p.Tender] += p.Amount
		if !p.At.After(at) {
			until[p.Tender] += p.Amount
		}
	}
	for _, r := range o.Refunds {
		for _, p := range r.Payments {
			given[p.Tender] += p.Amount
		}
	}
	weights, done := make([]int64, len(names)), make([]int64, len(names))
	var left int64
	for _, paid := range []map[string]int64{until, all} {
		for i, name := range names {
			weights[i] = paid[name]
			done[i] = min(given[name], paid[name])
		}
		if left = plainSum(weights) - plainSum(done); left >= amount {
			break
		}
	}
	var out []Payment
	for i, share := range splitNext(weights, done, min(left, amount)) {
		if share > 0 {
			out = append(out, Payment{Tender: names[i], Amount: share})
		}
	}
	return out
}

// money makes the steps and finds refunds above what was owed.
func (f *folder) money() {
	o := &f.o
	price := o.Freight
	for _, l := range o.Lines {
		if l.Since.IsZero() {
			price += l.Net
		}
	}
	known := true
	if len(o.Lines) == 0 {
		price = max(o.Paid(), o.Freight)
		known = price > 0
	}
	s := sweep{f: f, gross: price}
	for _, e := range f.turns() {
		s.advance(e, known)
	}
}

// turns are the instants at which the money may change, in order.
func (f *folder) turns() []time.Time {
	var at []time.Time
	for _, r := range f.o.Refunds {
		at = append(at, r.At)
	}
	for _, r := range f.o.Returns {
		at = append(at, r.At)
	}
	for _, s := range f.surcharges {
		at = append(at, s.at)
	}
	for _, t := range []time.Time{f.o.BoughtAt, f.o.ClosedAt} {
		if !t.IsZero() {
			at = append(at, t)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return slices.CompactFunc(at, time.Time.Equal)
}

// sweep runs over the turns of an order.
type sweep struct {
	f                         *folder
	gross, refunded, freight  int64 // until now
	refunds, returns, charges int   // taken in
	pieces                    int64 // returned
	over                      int64 // refunded above gross
	ended                     bool
}

func (s *sweep) advance(t time.Time, known bool) {
	o := &s.f.o
	for ; s.charges < len(s.f.surcharges) && !s.f.surcharges[s.charges].at.After(t); s.charges++ {
		s.gross += s.f.surcharges[s.charges].by
	}
	for ; s.returns < len(o.Returns) && !o.Returns[s.returns].At.After(t); s.returns++ {
		for _, l := range o.Returns[s.returns].Lines {
			s.pieces += l.Quantity
		}
	}
	for ; s.refunds < len(o.Refunds) && !o.Refunds[s.refunds].At.After(t); s.refunds++ {
		r := o.Refunds[s.refunds]
		s.refunded += r.Amount
		s.freight += r.Freight
		if over := max(0, s.refunded-s.gross); known && over > s.over {
			s.f.problem(OverRefunded, r.Event, "", over-s.over)
			s.over = over
		}
	}
	if o.BoughtAt.IsZero() || o.BoughtAt.After(t) {
		return
	}
	closed := reached(o.ClosedAt, t)
	s.ended = s.ended || closed || s.allBack(t)
	step := Step{At: t, Counts: !s.ended, Gross: s.gross, Net: max(0, s.gross-s.refunded)}
	if closed {
		step.Net = 0
	}
	if n := len(o.steps); n > 0 {
		last := o.steps[n-1]
		last.At = t
		if last == step {
			return
		}
	}
	o.steps = append(o.steps, step)
}

// allBack reports whether the goods are refunded in full, or returned in full
// where nothing was owed.
func (s *sweep) allBack(t time.Time) bool {
	o := &s.f.o
	if s.gross > 0 {
		goods := s.gross - o.Freight
		return s.refunded >= s.gross || goods > 0 && s.refunded-s.freight >= goods
	}
	var pieces int64
	for _, l := range o.Lines {
		if !l.Since.After(t) {
			pieces += l.Quantity
		}
	}
	return pieces > 0 && s.pieces >= pieces
}
