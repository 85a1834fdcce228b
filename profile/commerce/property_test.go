package commerce_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile/commerce"
)

// history makes up the facts about one order, in order of time: it is placed
// first, everything else may happen in any order, sensible or not.
func history(rng *rand.Rand, keys ...commerce.Key) []commerce.Event {
	lines := 1 + rng.IntN(3)
	now := at(1, 0)
	event := func(kind commerce.EventKind) commerce.Event {
		e := fact(kind, now, id(fmt.Sprint("e", now.Unix())))
		e.Order = keys[rng.IntN(len(keys))]
		if rng.IntN(3) == 0 {
			e.Aliases = []commerce.Key{keys[0]}
		}
		// Several facts may share an instant.
		now = now.Add(time.Duration(rng.IntN(3)) * time.Hour)
		e.ID = fmt.Sprint(e.ID, "-", rng.Uint64())
		return e
	}
	some := func(e *commerce.Event) {
		for i := range lines {
			if rng.IntN(2) == 0 {
				line(fmt.Sprint(i), 1+rng.Int64N(3), 0)(e)
			}
		}
		if len(e.Lines) == 0 {
			line(fmt.Sprint(rng.IntN(lines+1)), 1, 0)(e)
		}
	}
	placed := event(commerce.Placed)
	placed.Order, placed.Aliases = keys[0], keys[1:]
	now = now.Add(time.Minute)
	freight(rng.Int64N(20))(&placed)
	for i := range lines {
		line(fmt.Sprint(i), 1+rng.Int64N(5), rng.Int64N(3)*rng.Int64N(10000))(&placed)
		if l := &placed.Lines[i]; rng.IntN(2) == 0 {
			l.Discounts = []commerce.Discount{{Funder: "platform", Amount: rng.Int64N(500)}, {Funder: "points", Amount: rng.Int64N(500)}}
			l.List = l.Net + l.Discounts[0].Amount + l.Discounts[1].Amount
		}
	}
	events := []commerce.Event{placed}
	for range 1 + rng.IntN(12) {
		var e commerce.Event
		switch rng.IntN(9) {
		case 0, 1:
			e = event([]commerce.EventKind{commerce.Paid, commerce.DepositPaid, commerce.BalancePaid}[rng.IntN(3)])
			for _, name := range []string{"card", "voucher", "points"}[:rng.IntN(4)] {
				tender(name, rng.Int64N(20000))(&e)
			}
		case 2:
			e = event([]commerce.EventKind{commerce.Shipped, commerce.Completed}[rng.IntN(2)])
		case 3:
			e = event(commerce.Received)
			if rng.IntN(2) == 0 {
				some(&e)
			}
		case 4:
			e = event(commerce.Returned)
			some(&e)
		case 5:
			e = event(commerce.Exchanged)
			some(&e)
			replacement("r"+e.ID, 1+rng.Int64N(3), rng.Int64N(2)*rng.Int64N(9000))(&e)
			amount(rng.Int64N(2) * rng.Int64N(3000))(&e)
		case 6:
			e = event(commerce.PriceProtected)
			amount(1 + rng.Int64N(2000))(&e)
			if rng.IntN(2) == 0 {
				some(&e)
			}
		case 7:
			e = event(commerce.Refunded)
			amount(1 + rng.Int64N(20000))(&e)
			if rng.IntN(2) == 0 {
				some(&e)
			}
			freight(rng.Int64N(2) * min(e.Amount, rng.Int64N(20)))(&e)
		default:
			if rng.IntN(4) > 0 {
				continue
			}
			e = event(commerce.Closed)
		}
		events = append(events, e)
	}
	return events
}

func shuffled(rng *rand.Rand, events []commerce.Event) []commerce.Event {
	out := slices.Clone(events)
	for range rng.IntN(4) {
		out = append(out, events[rng.IntN(len(events))])
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestFoldIsTheSameForAnyOrderAndDuplicationOfArrival(t *testing.T) {
	rng := seeded(t, 21)
	for range 1500 {
		events := history(rng, []commerce.Key{shop, tmall, till}[:1+rng.IntN(3)]...)
		want, err := commerce.Fold(events)
		require.NoError(t, err)
		for range 4 {
			got, err := commerce.Fold(shuffled(rng, events))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

func TestFoldAllFoldsEachOrderAsIfAlone(t *testing.T) {
	rng := seeded(t, 22)
	for range 300 {
		var all []commerce.Event
		want := map[commerce.Key]commerce.Order{}
		for n := range 1 + rng.IntN(5) {
			a, b := commerce.Key{Source: "a", Number: fmt.Sprint(n)}, commerce.Key{Source: "b", Number: fmt.Sprint(n)}
			events := history(rng, a, b)
			all = append(all, events...)
			want[a] = fold(t, events...)
		}
		orders, err := commerce.FoldAll(shuffled(rng, all))
		require.NoError(t, err)
		require.Len(t, orders, len(want))
		for _, o := range orders {
			require.Equal(t, want[o.Key], o)
		}
	}
}

// What was true at t stays true, whatever happens after: the answer as of t is
// that of the facts until t.
func TestLaterFactsDoNotChangeEarlierAnswers(t *testing.T) {
	rng := seeded(t, 23)
	for range 1500 {
		events := history(rng, shop)
		whole := fold(t, events...)
		for _, e := range events {
			now := e.Time
			var known []commerce.Event
			for _, k := range events {
				if !k.Time.After(now) {
					known = append(known, k)
				}
			}
			then := fold(t, known...)
			require.Equal(t, then.At(now), whole.At(now))
			require.Equal(t, then.RefundedAt(now), whole.RefundedAt(now))
			require.Equal(t, then.KeptAt(now), whole.KeptAt(now))
			require.Equal(t, then.StageAt(now), whole.StageAt(now))
			for i, r := range then.Refunds {
				require.Equal(t, r.Lines, whole.Refunds[i].Lines)
			}
		}
	}
}

// The rules of the package doc, word for word and slowly.
func TestNetFiguresFollowTheirDefinition(t *testing.T) {
	rng := seeded(t, 24)
	for range 1500 {
		events := slices.DeleteFunc(history(rng, shop), func(e commerce.Event) bool { return e.Kind == commerce.Exchanged })
		o := fold(t, events...)
		var goods int64
		for _, l := range events[0].Lines {
			goods += l.Net
		}
		gone := false
		for _, last := range events {
			now := last.Time
			var bought, closed bool
			var refunded, forGoods int64
			for _, e := range events {
				if e.Time.After(now) {
					continue
				}
				switch e.Kind {
				case commerce.Paid, commerce.BalancePaid, commerce.Shipped, commerce.Received, commerce.Completed:
					bought = true
				case commerce.Closed:
					closed = true
				case commerce.Refunded, commerce.PriceProtected:
					refunded += e.Amount
				}
			}
			for _, r := range o.Refunds {
				if !r.At.After(now) {
					forGoods += r.Amount - r.Freight
				}
			}
			if goods+events[0].Freight == 0 {
				gone = gone || bought && len(o.KeptAt(now)) == 0
			} else {
				gone = gone || bought && (refunded >= goods+events[0].Freight || goods > 0 && forGoods >= goods)
			}
			gone = gone || bought && closed
			require.Equal(t, bought && !gone, o.CountsAt(now))
			net := max(0, goods+events[0].Freight-refunded)
			if !bought || closed {
				net = 0
			}
			require.Equal(t, net, o.NetSpendAt(now))
			require.Equal(t, refunded, o.RefundedAt(now))
		}
	}
}

func TestSharesOfEveryRefundSumToIt(t *testing.T) {
	rng := seeded(t, 25)
	for range 1500 {
		o := fold(t, history(rng, shop, tmall)...)
		var refunded int64
		for _, r := range o.Refunds {
			var goods, tenders int64
			for _, s := range r.Lines {
				require.GreaterOrEqual(t, s.Amount, int64(0))
				goods += s.Amount
			}
			for _, p := range r.Payments {
				tenders += p.Amount
			}
			refunded += r.Amount
			require.LessOrEqual(t, goods+r.Freight, r.Amount)
			require.LessOrEqual(t, tenders, r.Amount)
			if refunded <= o.Paid() && !slices.ContainsFunc(o.Payments, func(p commerce.Tender) bool { return p.At.After(r.At) }) {
				require.Equal(t, r.Amount, tenders)
			}
		}
		for _, l := range o.Lines {
			require.LessOrEqual(t, l.Returned, l.Quantity)
			require.GreaterOrEqual(t, l.Returned, int64(0))
		}
	}
}

// What was returned and what was kept of a line are the line: pieces, price
// and who bore the discounts.
func TestWhatWasReturnedAndWhatWasKeptAreTheWhole(t *testing.T) {
	rng := seeded(t, 29)
	for range 1500 {
		o := fold(t, history(rng, shop)...)
		shares := o.KeptAt(at(30, 0))
		for _, r := range o.Returns {
			shares = append(shares, r.Lines...)
		}
		for _, l := range o.Lines {
			sum := commerce.Share{Line: l.ID, Discounts: slices.Clone(l.Discounts)}
			for i := range sum.Discounts {
				sum.Discounts[i].Amount = 0
			}
			for _, s := range shares {
				if s.Line != l.ID {
					continue
				}
				sum.Quantity += s.Quantity
				sum.Amount += s.Amount
				for i, d := range s.Discounts {
					require.GreaterOrEqual(t, d.Amount, int64(0))
					sum.Discounts[i].Amount += d.Amount
				}
			}
			require.Equal(t, commerce.Share{Line: l.ID, Quantity: l.Quantity, Amount: l.Net, Discounts: l.Discounts}, sum)
		}
	}
}

// However the goods go back in parts, each line and each tender gets back
// exactly what it was worth.
func TestQuotesOfPartialReturnsSumToTheWholeForAnyCut(t *testing.T) {
	rng := seeded(t, 26)
	for range 1000 {
		placed, paid := fact(commerce.Placed, at(1, 0)), fact(commerce.Paid, at(1, 0))
		var owed int64
		left := map[string]int64{}
		for i := range 1 + rng.IntN(4) {
			name, pieces := fmt.Sprint(i), 1+rng.Int64N(6)
			net := pieces*10 + rng.Int64N(1000)
			line(name, pieces, net)(&placed)
			left[name], owed = pieces, owed+net
		}
		for rest, i := owed, 0; rest > 0; i++ {
			part := 1 + rng.Int64N(rest)
			if i == 3 {
				part = rest
			}
			tender(fmt.Sprint("t", i), part)(&paid)
			rest -= part
		}
		events := []commerce.Event{placed, paid}
		protect := rng.IntN(3) // when the price falls, 0 for never
		for step := 1; len(left) > 0; step++ {
			now := at(2, step)
			if step == protect {
				// The price falls for the pieces of one line that are still there.
				o := fold(t, events...)
				i := slices.IndexFunc(o.Lines, func(l commerce.OrderLine) bool { return left[l.ID] > 0 })
				events = append(events, fact(commerce.PriceProtected, now,
					line(o.Lines[i].ID, left[o.Lines[i].ID], 0), amount((o.Lines[i].Net-o.Lines[i].Refunded)/2)))
			}
			var back []commerce.Line
			for _, l := range placed.Lines {
				if left[l.ID] > 0 && rng.IntN(2) == 0 {
					pieces := 1 + rng.Int64N(left[l.ID])
					back = append(back, commerce.Line{ID: l.ID, Quantity: pieces})
					if left[l.ID] -= pieces; left[l.ID] == 0 {
						delete(left, l.ID)
					}
				}
			}
			if len(back) == 0 {
				continue
			}
			quote, err := fold(t, events...).Quote(now, back...)
			require.NoError(t, err)
			refund := fact(commerce.Refunded, now, amount(quote.Amount))
			refund.Lines = back
			if rng.IntN(2) == 0 { // stated as quoted, or left to the fold
				refund.Payments = quote.Payments
				for i := range back {
					refund.Lines[i].Net = quote.Lines[i].Amount
				}
			}
			events = append(events, refund)
		}
		o := fold(t, events...)
		require.Equal(t, owed, o.RefundedAt(at(30, 0)))
		byTender := map[string]int64{}
		for _, r := range o.Refunds {
			for _, p := range r.Payments {
				byTender[p.Tender] += p.Amount
			}
		}
		for _, p := range paid.Payments {
			require.Equal(t, p.Amount, byTender[p.Tender])
		}
		for _, l := range o.Lines {
			require.Equal(t, l.Net, l.Refunded)
		}
		require.Empty(t, o.Problems)
	}
}

func TestQuoteRefusesWhatIsNotThere(t *testing.T) {
	o := fold(t, append(bought(), fact(commerce.Refunded, at(3, 0), line("1", 1, 0), amount(100)))...)
	_, err := o.Quote(at(4, 0), commerce.Line{ID: "9", Quantity: 1})
	assert.ErrorIs(t, err, commerce.ErrUnknownLine)
	_, err = o.Quote(at(4, 0), commerce.Line{ID: "1", Quantity: 2})
	assert.ErrorIs(t, err, commerce.ErrTooMany)
	_, err = o.Quote(at(4, 0), commerce.Line{ID: "1", Quantity: 1}, commerce.Line{SKU: "sku-1", Quantity: 1})
	assert.ErrorIs(t, err, commerce.ErrTooMany)
	r, err := o.Quote(at(4, 0), commerce.Line{ID: "1", Quantity: 1})
	require.NoError(t, err)
	assert.Equal(t, int64(100), r.Amount)
}

func FuzzFoldFromJSON(f *testing.F) {
	rng := rand.New(rand.NewPCG(27, 1))
	for range 8 {
		b, err := json.Marshal(history(rng, shop, tmall))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`[{"id":"1","time":"2026-01-01T00:00:00Z","order":{"source":"s","number":"n"},"kind":"refunded","amount":9223372036854775807}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var events []commerce.Event
		if json.Unmarshal(b, &events) != nil {
			return
		}
		orders, err := commerce.FoldAll(events)
		backwards := slices.Clone(events)
		slices.Reverse(backwards)
		again, errAgain := commerce.FoldAll(backwards)
		if (err == nil) != (errAgain == nil) || len(orders) != len(again) {
			t.Fatalf("arrival matters: %v and %v", err, errAgain)
		}
		for i, o := range orders {
			assert.Equal(t, o, again[i])
			for _, s := range o.Steps() {
				if s.Net < 0 || s.Gross < 0 {
					t.Fatalf("negative money in %+v", s)
				}
			}
			o.KeptAt(time.Now())
		}
	})
}
