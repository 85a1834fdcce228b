package commerce_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile/commerce"
)

var (
	shop  = commerce.Key{Source: "shop", Number: "A1"}
	tmall = commerce.Key{Source: "tmall", Outlet: "flagship", Number: "9001"}
	till  = commerce.Key{Source: "till", Outlet: "s12", Number: "77"}
)

// at is an instant of the test's month: day and hour.
func at(d, hour int) time.Time { return time.Date(2026, 5, d, hour, 0, 0, 0, time.UTC) }

// fact is an event with an ID made of its kind and time.
func fact(kind commerce.EventKind, t time.Time, with ...func(*commerce.Event)) commerce.Event {
	e := commerce.Event{ID: fmt.Sprint(kind, t.Unix()), Order: shop, Kind: kind, Time: t}
	for _, f := range with {
		f(&e)
	}
	return e
}

func by(k commerce.Key) func(*commerce.Event) {
	return func(e *commerce.Event) { e.Order = k; e.ID += k.String() }
}

func known(as ...commerce.Key) func(*commerce.Event) {
	return func(e *commerce.Event) { e.Aliases = as }
}

func id(s string) func(*commerce.Event) { return func(e *commerce.Event) { e.ID = s } }

func ref(s string) func(*commerce.Event) { return func(e *commerce.Event) { e.Ref = s } }

func amount(n int64) func(*commerce.Event) { return func(e *commerce.Event) { e.Amount = n } }

func freight(n int64) func(*commerce.Event) { return func(e *commerce.Event) { e.Freight = n } }

func promised(t time.Time) func(*commerce.Event) { return func(e *commerce.Event) { e.PromisedBy = t } }

func tender(name string, n int64) func(*commerce.Event) {
	return func(e *commerce.Event) {
		e.Payments = append(e.Payments, commerce.Payment{Tender: name, Amount: n})
	}
}

func line(id string, quantity, net int64) func(*commerce.Event) {
	return func(e *commerce.Event) {
		e.Lines = append(e.Lines, commerce.Line{ID: id, SKU: "sku-" + id, Quantity: quantity, Net: net})
	}
}

func replacement(id string, quantity, net int64) func(*commerce.Event) {
	return func(e *commerce.Event) {
		e.Replacement = append(e.Replacement, commerce.Line{ID: id, SKU: "sku-" + id, Quantity: quantity, Net: net})
	}
}

func fold(t *testing.T, events ...commerce.Event) commerce.Order {
	t.Helper()
	o, err := commerce.Fold(events)
	require.NoError(t, err)
	return o
}

func bought(with ...func(*commerce.Event)) []commerce.Event {
	placed := fact(commerce.Placed, at(1, 9), append([]func(*commerce.Event){line("1", 2, 200), line("2", 1, 100), freight(10)}, with...)...)
	return []commerce.Event{placed, fact(commerce.Paid, at(1, 10), tender("card", 310))}
}

func TestAnOrderCountsFromItsPaymentUntilItsGoodsAreRefundedOrItIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		then  []commerce.Event
		until time.Time
		net   int64 // in the end
		stage commerce.Stage
	}{
		"kept":                       {nil, time.Time{}, 310, commerce.StagePaid},
		"partly refunded":            {[]commerce.Event{fact(commerce.Refunded, at(4, 0), amount(299))}, time.Time{}, 11, commerce.StagePaid},
		"refunded but for freight":   {[]commerce.Event{fact(commerce.Refunded, at(4, 0), amount(300))}, at(4, 0), 10, commerce.StageRefunded},
		"refunded in two steps":      {[]commerce.Event{fact(commerce.Refunded, at(4, 0), amount(200)), fact(commerce.Refunded, at(6, 0), amount(110))}, at(6, 0), 0, commerce.StageRefunded},
		"freight alone refunded":     {[]commerce.Event{fact(commerce.Refunded, at(4, 0), amount(10), freight(10))}, time.Time{}, 300, commerce.StagePaid},
		"goods and price protection": {[]commerce.Event{fact(commerce.PriceProtected, at(4, 0), amount(50)), fact(commerce.Refunded, at(5, 0), amount(250))}, at(5, 0), 10, commerce.StageRefunded},
		"closed without a refund":    {[]commerce.Event{fact(commerce.Closed, at(2, 0))}, at(2, 0), 0, commerce.StageClosed},
		"returned, not yet refunded": {[]commerce.Event{fact(commerce.Returned, at(4, 0), line("1", 2, 0), line("2", 1, 0))}, time.Time{}, 310, commerce.StagePaid},
		"refunded more than owed":    {[]commerce.Event{fact(commerce.Refunded, at(4, 0), amount(400))}, at(4, 0), 0, commerce.StageRefunded},
	} {
		t.Run(name, func(t *testing.T) {
			o := fold(t, append(bought(), c.then...)...)
			from, until := o.Counts()
			assert.Equal(t, at(1, 10), from)
			assert.Equal(t, c.until, until)
			assert.Equal(t, c.net, o.NetSpendAt(at(30, 0)))
			assert.Equal(t, c.stage, o.StageAt(at(30, 0)))
			assert.False(t, o.CountsAt(at(1, 10).Add(-time.Microsecond)))
			assert.True(t, o.CountsAt(at(1, 10)))
			if !c.until.IsZero() {
				assert.True(t, o.CountsAt(c.until.Add(-time.Microsecond)))
				assert.False(t, o.CountsAt(c.until))
			}
		})
	}
}

func TestPlacingOrADepositAloneIsNotBuying(t *testing.T) {
	o := fold(t, fact(commerce.Placed, at(1, 9), line("1", 1, 100)), fact(commerce.DepositPaid, at(1, 10), tender("card", 20)))
	assert.False(t, o.CountsAt(at(30, 0)))
	assert.Zero(t, o.NetSpendAt(at(30, 0)))
	assert.Empty(t, o.Steps())
	assert.Equal(t, commerce.StageDeposit, o.StageAt(at(2, 0)))
	assert.Equal(t, commerce.StagePlaced, o.StageAt(at(1, 9)))
	assert.Equal(t, int64(20), o.Paid())

	o = fold(t, fact(commerce.Placed, at(1, 9), line("1", 1, 100)), fact(commerce.DepositPaid, at(1, 10), tender("card", 20)),
		fact(commerce.BalancePaid, at(9, 0), tender("card", 70), tender("voucher", 10)))
	assert.Equal(t, at(9, 0), o.BoughtAt)
	assert.Equal(t, int64(100), o.NetSpendAt(at(9, 0)))
	assert.Equal(t, int64(90), o.PaidBy("card"))
}

func TestGoodsThatWentOutAreBoughtEvenIfNoSystemReportsThePayment(t *testing.T) {
	cod := []commerce.Event{
		fact(commerce.Placed, at(1, 9), line("1", 1, 100)),
		fact(commerce.Shipped, at(2, 0)),
		fact(commerce.Received, at(4, 0)),
	}
	assert.Equal(t, at(2, 0), fold(t, cod...).BoughtAt)
	// The payment on delivery does not move it.
	assert.Equal(t, at(2, 0), fold(t, append(cod, fact(commerce.Paid, at(4, 0), tender("cash", 100)))...).BoughtAt)
}

func TestATillReceiptIsOneEvent(t *testing.T) {
	o := fold(t, fact(commerce.Paid, at(1, 9), line("1", 1, 100), tender("cash", 100)))
	assert.Equal(t, int64(100), o.NetSpendAt(at(1, 9)))
	o = fold(t, fact(commerce.Placed, at(1, 9), line("1", 1, 100), tender("cash", 100)))
	assert.Equal(t, at(1, 9), o.PaidAt)
	assert.True(t, o.CountsAt(at(1, 9)))
}

func TestAnOrderWithoutKnownLinesIsWorthWhatWasPaid(t *testing.T) {
	o := fold(t, fact(commerce.Paid, at(1, 9), tender("card", 80), tender("voucher", 20)),
		fact(commerce.Refunded, at(2, 0), amount(30)))
	assert.Equal(t, int64(100), o.GrossAt(at(3, 0)))
	assert.Equal(t, int64(70), o.NetSpendAt(at(3, 0)))
	assert.Equal(t, []commerce.Payment{{Tender: "card", Amount: 24}, {Tender: "voucher", Amount: 6}}, o.Refunds[0].Payments)
	o = fold(t, fact(commerce.Paid, at(1, 9), tender("card", 100)), fact(commerce.Refunded, at(2, 0), amount(100)))
	assert.False(t, o.CountsAt(at(2, 0)))
}

func TestWhereNothingWasOwedTheReturnTakesThePlaceOfTheRefund(t *testing.T) {
	gift := []commerce.Event{fact(commerce.Placed, at(1, 9), line("1", 2, 0)), fact(commerce.Shipped, at(2, 0))}
	assert.True(t, fold(t, gift...).CountsAt(at(30, 0)))
	half := append(gift, fact(commerce.Returned, at(5, 0), line("1", 1, 0)))
	assert.True(t, fold(t, half...).CountsAt(at(30, 0)))
	back := append(half, fact(commerce.Returned, at(6, 0), line("1", 1, 0)))
	assert.False(t, fold(t, back...).CountsAt(at(6, 0)))
}

func TestLateIsReceivedAfterTheFirstPromise(t *testing.T) {
	events := append(bought(promised(at(5, 0))), fact(commerce.Shipped, at(3, 0), promised(at(7, 0))))
	o := fold(t, events...)
	assert.Equal(t, at(5, 0), o.PromisedBy())
	assert.Len(t, o.Promises, 2)
	assert.False(t, o.Late())
	assert.False(t, o.OverdueAt(at(5, 0)))
	assert.True(t, o.OverdueAt(at(5, 1)))

	o = fold(t, append(events, fact(commerce.Received, at(6, 0)))...)
	assert.True(t, o.Late())
	assert.True(t, o.OverdueAt(at(5, 1)))
	assert.False(t, o.OverdueAt(at(6, 0)))

	o = fold(t, append(events, fact(commerce.Received, at(5, 0)))...)
	assert.False(t, o.Late(), "the promised instant itself is in time")
	assert.False(t, fold(t, bought()...).OverdueAt(at(30, 0)), "no promise, no delay")
}

func TestAnOrderInSeveralParcelsIsReceivedWithTheLastPiece(t *testing.T) {
	events := append(bought(), fact(commerce.Received, at(3, 0), line("1", 1, 0)), fact(commerce.Received, at(4, 0), line("2", 1, 0)))
	assert.Zero(t, fold(t, events...).ReceivedAt)
	events = append(events, fact(commerce.Received, at(6, 0), line("1", 1, 0)))
	assert.Equal(t, at(6, 0), fold(t, events...).ReceivedAt)
}

func TestRefundsAreProratedOverLinesAndTenders(t *testing.T) {
	placed := fact(commerce.Placed, at(1, 9), line("1", 3, 100), line("2", 1, 50), freight(10))
	paid := fact(commerce.Paid, at(1, 10), tender("card", 100), tender("voucher", 60))
	shares := func(e ...commerce.Event) commerce.Refund {
		o := fold(t, append([]commerce.Event{placed, paid}, e...)...)
		return o.Refunds[len(o.Refunds)-1]
	}
	for name, c := range map[string]struct {
		refund  commerce.Event
		lines   []commerce.Share
		freight int64
	}{
		"by the price of the pieces": {
			fact(commerce.Refunded, at(2, 0), amount(83), line("1", 1, 0), line("2", 1, 0)),
			[]commerce.Share{{Line: "1", Quantity: 1, Amount: 33}, {Line: "2", Quantity: 1, Amount: 50}},
			0,
		},
		"a restocking fee in proportion": {
			fact(commerce.Refunded, at(2, 0), amount(75), line("1", 3, 0), line("2", 1, 0)),
			[]commerce.Share{{Line: "1", Quantity: 3, Amount: 50}, {Line: "2", Quantity: 1, Amount: 25}},
			0,
		},
		"as stated": {
			fact(commerce.Refunded, at(2, 0), amount(75), freight(5), line("1", 3, 70)),
			[]commerce.Share{{Line: "1", Quantity: 3, Amount: 70}},
			5,
		},
		"as stated, the rest for freight": {
			fact(commerce.Refunded, at(2, 0), amount(78), line("1", 3, 70)),
			[]commerce.Share{{Line: "1", Quantity: 3, Amount: 70}},
			8,
		},
		"over all lines": {
			fact(commerce.Refunded, at(2, 0), amount(30)),
			[]commerce.Share{{Line: "1", Amount: 20}, {Line: "2", Amount: 10}},
			0,
		},
		"what lines cannot take is freight": {
			fact(commerce.Refunded, at(2, 0), amount(157)),
			[]commerce.Share{{Line: "1", Amount: 100}, {Line: "2", Amount: 50}},
			7,
		},
		"by SKU alone": {
			fact(commerce.Refunded, at(2, 0), amount(50), func(e *commerce.Event) {
				e.Lines = []commerce.Line{{SKU: "sku-2", Quantity: 1}}
			}),
			[]commerce.Share{{Line: "2", Quantity: 1, Amount: 50}},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := shares(c.refund)
			assert.Equal(t, c.lines, r.Lines)
			assert.Equal(t, c.freight, r.Freight)
			var byTender int64
			for _, p := range r.Payments {
				byTender += p.Amount
			}
			assert.Equal(t, c.refund.Amount, byTender)
		})
	}
	first := fact(commerce.Refunded, at(2, 0), amount(50), tender("voucher", 50), line("2", 1, 0))
	assert.Equal(t, []commerce.Payment{{Tender: "voucher", Amount: 50}}, shares(first).Payments, "stated tenders stand")
	rest := fact(commerce.Refunded, at(3, 0), amount(110))
	assert.Equal(t, []commerce.Payment{{Tender: "card", Amount: 100}, {Tender: "voucher", Amount: 10}}, shares(first, rest).Payments)
	early := fact(commerce.Refunded, at(1, 9), amount(80))
	assert.Equal(t, []commerce.Payment{{Tender: "card", Amount: 50}, {Tender: "voucher", Amount: 30}}, shares(early).Payments,
		"a refund before the payment, by the source's clock, is divided by what was paid later")
}

func TestARefundForTheWholeOrderDoesNotGoToPiecesThatWereExchanged(t *testing.T) {
	o := fold(t, append(bought(),
		fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 0)),
		fact(commerce.Refunded, at(4, 0), amount(30)))...)
	assert.Equal(t, []commerce.Share{{Line: "1", Amount: 20}, {Line: "3", Amount: 10}}, o.Refunds[0].Lines)
}

func TestAnOrderThatWasRefundedInFullDoesNotCountAgain(t *testing.T) {
	o := fold(t, append(bought(),
		fact(commerce.Refunded, at(3, 0), amount(310)),
		fact(commerce.Exchanged, at(4, 0), line("2", 1, 0), replacement("3", 1, 500)))...)
	assert.False(t, o.CountsAt(at(9, 0)))
	assert.Equal(t, int64(400), o.NetSpendAt(at(9, 0)))
}

func TestAnExchangeMovesValueAndAddsOnlyTheSurcharge(t *testing.T) {
	for name, c := range map[string]struct {
		exchange commerce.Event
		more     []commerce.Event
		net      int64
		kept     []commerce.Share
	}{
		"like for like": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 0)),
			net:      310, kept: []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "3", Quantity: 1, Amount: 100}},
		},
		"dearer": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 130), tender("card", 30)),
			net:      340, kept: []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "3", Quantity: 1, Amount: 130}},
		},
		"cheaper, paid back at once": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 80), amount(20)),
			net:      290, kept: []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "3", Quantity: 1, Amount: 80}},
		},
		"cheaper, paid back later": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 80)),
			more:     []commerce.Event{fact(commerce.Refunded, at(4, 0), amount(20))},
			net:      290, kept: []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}, {Line: "3", Quantity: 1, Amount: 80}},
		},
		"one piece of two, under the ID of the line": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("1", 1, 0), replacement("1", 1, 0), id("x")),
			net:      310, kept: []commerce.Share{{Line: "1", Quantity: 1, Amount: 100}, {Line: "2", Quantity: 1, Amount: 100}, {Line: "1/x", Quantity: 1, Amount: 100}},
		},
		"and the replacement goes back too": {
			exchange: fact(commerce.Exchanged, at(3, 0), line("2", 1, 0), replacement("3", 1, 0)),
			more:     []commerce.Event{fact(commerce.Returned, at(4, 0), line("3", 1, 0)), fact(commerce.Refunded, at(4, 0), line("3", 1, 0), amount(100))},
			net:      210, kept: []commerce.Share{{Line: "1", Quantity: 2, Amount: 200}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := fold(t, append(append(bought(), c.exchange), c.more...)...)
			assert.Equal(t, c.net, o.NetSpendAt(at(9, 0)))
			assert.Equal(t, c.kept, o.KeptAt(at(9, 0)))
			assert.True(t, o.CountsAt(at(9, 0)))
			assert.Empty(t, o.Problems)
			assert.Equal(t, int64(310), o.NetSpendAt(at(2, 0)), "nothing changes before it")
		})
	}
}

func TestOneOrderSeenBySeveralSystemsCountsOnce(t *testing.T) {
	events := []commerce.Event{
		fact(commerce.Placed, at(1, 9), by(tmall), line("a", 1, 100), line("b", 1, 50)),
		fact(commerce.Paid, at(1, 10), by(tmall), tender("alipay", 150)),
		fact(commerce.Placed, at(1, 11), by(shop), known(tmall), line("1", 1, 100), line("2", 1, 50)),
		fact(commerce.Paid, at(1, 11), by(shop), tender("alipay", 150)),
		fact(commerce.Received, at(3, 0), by(shop)),
		fact(commerce.Refunded, at(5, 0), by(shop), amount(50)),
		fact(commerce.Refunded, at(5, 3), by(tmall), amount(50)),
		fact(commerce.Refunded, at(6, 0), by(tmall), amount(50)),
		fact(commerce.Returned, at(5, 0), by(till), known(shop), func(e *commerce.Event) {
			e.Lines = []commerce.Line{{SKU: "sku-b", Quantity: 1}}
		}),
	}
	o := fold(t, events...)
	assert.Equal(t, tmall, o.Key)
	assert.Equal(t, []commerce.Key{shop, till}, o.Aliases)
	assert.Equal(t, int64(150), o.Paid())
	assert.Len(t, o.Lines, 2)
	assert.Equal(t, int64(50), o.NetSpendAt(at(9, 0)), "two refunds of 50, one of them seen twice")
	require.Len(t, o.Returns, 1)
	assert.Equal(t, "b", o.Returns[0].Lines[0].Line)
	assert.Empty(t, o.Problems)

	// Numbers tell equal facts of different systems apart, and unequal ones together.
	o = fold(t,
		fact(commerce.Paid, at(1, 9), by(tmall), known(shop), tender("alipay", 150), ref("p1")),
		fact(commerce.Paid, at(1, 9), by(shop), tender("card", 150), ref("p1")),
		fact(commerce.Refunded, at(2, 0), by(tmall), amount(50), ref("r1")),
		fact(commerce.Refunded, at(2, 0), by(shop), amount(50), ref("r2")))
	assert.Equal(t, int64(150), o.Paid())
	assert.Equal(t, int64(50), o.NetSpendAt(at(9, 0)))
}

func TestWhatDoesNotFitIsToldAndLeftOut(t *testing.T) {
	o := fold(t, append(bought(),
		fact(commerce.Returned, at(3, 0), line("1", 3, 0), id("r1")),
		fact(commerce.Returned, at(3, 1), line("9", 1, 0), id("r2")),
		fact(commerce.Refunded, at(4, 0), amount(300), id("m1")),
		fact(commerce.Refunded, at(5, 0), amount(20), id("m2")))...)
	assert.Equal(t, []commerce.Problem{
		{Kind: commerce.OverReturned, Event: "r1", Line: "1", By: 1},
		{Kind: commerce.UnknownLine, Event: "r2", Line: "9", By: 1},
		{Kind: commerce.OverRefunded, Event: "m2", By: 10},
	}, o.Problems)
	assert.Equal(t, "event m2 refunds 10 more than was owed", o.Problems[2].String())
	assert.Equal(t, []commerce.Share{{Line: "2", Quantity: 1, Amount: 100}}, o.KeptAt(at(9, 0)))
	assert.Equal(t, int64(320), o.RefundedAt(at(9, 0)))
	assert.Zero(t, o.NetSpendAt(at(9, 0)))
}

func TestAFactThatComesLateHealsTheOrder(t *testing.T) {
	ret := fact(commerce.Returned, at(3, 0), line("1", 1, 0))
	o := fold(t, ret)
	assert.Equal(t, commerce.UnknownLine, o.Problems[0].Kind)
	assert.Empty(t, fold(t, append(bought(), ret)...).Problems)
}

func TestOneIDHasOneContent(t *testing.T) {
	a, b := fact(commerce.Paid, at(1, 9), tender("card", 1)), fact(commerce.Paid, at(1, 9), tender("card", 2))
	for _, events := range [][]commerce.Event{{a, b}, {b, a}, {a, a, b}} {
		_, err := commerce.Fold(events)
		require.ErrorIs(t, err, commerce.ErrConflict)
		var of *commerce.EventError
		require.ErrorAs(t, err, &of)
		assert.Equal(t, a.ID, of.Event)
	}
	c := a
	c.Time = a.Time.In(time.FixedZone("", 8*3600)).Add(300 * time.Nanosecond)
	assert.Equal(t, int64(1), fold(t, a, c).Paid(), "zone and what is below the microsecond do not matter")
}

func TestFoldAllKeepsGoodOrdersApartFromBadOnes(t *testing.T) {
	orders, err := commerce.FoldAll([]commerce.Event{
		fact(commerce.Paid, at(1, 9), by(tmall), tender("card", 5)),
		fact(commerce.Paid, at(1, 9), by(till), tender("card", -5)),
		fact(commerce.Paid, at(1, 9), by(shop), tender("card", 7), func(e *commerce.Event) { e.Currency = "CNY" }),
		fact(commerce.Refunded, at(1, 9), by(shop), amount(7), func(e *commerce.Event) { e.Currency = "EUR" }),
	})
	require.ErrorIs(t, err, commerce.ErrInvalidEvent)
	require.ErrorIs(t, err, commerce.ErrCurrency)
	var field *commerce.FieldError
	require.ErrorAs(t, err, &field)
	assert.Equal(t, "payments[0].amount", field.Field)
	require.Len(t, orders, 1)
	assert.Equal(t, tmall, orders[0].Key)
}

func TestFoldTakesExactlyOneOrder(t *testing.T) {
	_, err := commerce.Fold(nil)
	assert.ErrorIs(t, err, commerce.ErrNoEvents)
	_, err = commerce.Fold([]commerce.Event{fact(commerce.Closed, at(1, 9)), fact(commerce.Closed, at(1, 9), by(till))})
	assert.ErrorIs(t, err, commerce.ErrSeveralOrders)
}

func TestSumsOutOfRangeAreRefused(t *testing.T) {
	_, err := commerce.Fold([]commerce.Event{
		fact(commerce.Paid, at(1, 9), tender("card", math.MaxInt64-1)),
		fact(commerce.Paid, at(1, 10), tender("card", 2)),
	})
	assert.ErrorIs(t, err, commerce.ErrOverflow)
	_, err = commerce.Fold([]commerce.Event{fact(commerce.Paid, at(1, 9), tender("card", math.MaxInt64), tender("cash", 1))})
	assert.ErrorIs(t, err, commerce.ErrInvalidEvent)
	_, err = commerce.Fold([]commerce.Event{fact(commerce.Placed, at(1, 9), line("1", math.MaxInt64, 1), line("2", 1, 1))})
	assert.ErrorIs(t, err, commerce.ErrOverflow)
}

func TestValidateNamesTheField(t *testing.T) {
	ok := fact(commerce.Placed, at(1, 9), line("1", 1, 1))
	require.NoError(t, ok.Validate())
	require.Error(t, commerce.Event{}.Validate())
	for field, broken := range map[string]func(*commerce.Event){
		"id":                           id(""),
		"time":                         func(e *commerce.Event) { e.Time = time.Time{} },
		"promised_by":                  promised(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
		"order.source":                 func(e *commerce.Event) { e.Order.Source = "" },
		"order.number":                 func(e *commerce.Event) { e.Order.Number = "a\x00b" },
		"order.outlet":                 func(e *commerce.Event) { e.Order.Outlet = "\xff" },
		"aliases[0].number":            known(commerce.Key{Source: "x"}),
		"kind":                         func(e *commerce.Event) { e.Kind = "lost" },
		"currency":                     func(e *commerce.Event) { e.Currency = "rmb" },
		"amount":                       amount(5),
		"freight":                      freight(-1),
		"lines[1].id":                  line("1", 1, 1),
		"lines[1].quantity":            line("2", 0, 1),
		"lines[1].net":                 line("2", 1, -1),
		"lines[0].list":                func(e *commerce.Event) { e.Lines[0].List = -1 },
		"payments[0].tender":           tender("", 1),
		"replacement":                  replacement("3", 1, 1),
		"ref":                          ref(string(make([]byte, 600))),
		"lines[0].discounts":           func(e *commerce.Event) { e.Lines[0].Discounts = []commerce.Discount{{Funder: "platform", Amount: 3}} },
		"lines[0].discounts[0].funder": func(e *commerce.Event) { e.Lines[0].Discounts = []commerce.Discount{{Amount: 3}} },
	} {
		t.Run(field, func(t *testing.T) {
			e := fact(commerce.Placed, at(1, 9), line("1", 1, 1))
			broken(&e)
			var f *commerce.FieldError
			require.ErrorAs(t, e.Validate(), &f)
			assert.Equal(t, field, f.Field)
			assert.ErrorIs(t, f, commerce.ErrInvalidEvent)
		})
	}
	for name, e := range map[string]commerce.Event{
		"a refund of nothing":         fact(commerce.Refunded, at(1, 9)),
		"a refund below its lines":    fact(commerce.Refunded, at(1, 9), amount(7), line("1", 1, 8)),
		"a refund unlike its parts":   fact(commerce.Refunded, at(1, 9), amount(10), freight(1), line("1", 1, 8)),
		"a refund unlike its tenders": fact(commerce.Refunded, at(1, 9), amount(9), tender("card", 8)),
		"freight above the refund":    fact(commerce.Refunded, at(1, 9), amount(9), freight(10)),
		"a return of nothing":         fact(commerce.Returned, at(1, 9)),
		"an exchange for nothing":     fact(commerce.Exchanged, at(1, 9), line("1", 1, 0)),
		"closing a line":              fact(commerce.Closed, at(1, 9), line("1", 1, 0)),
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorIs(t, e.Validate(), commerce.ErrInvalidEvent) })
	}
}

func TestIdentifiedFillsInWhatTheCarrierKnows(t *testing.T) {
	e := commerce.Event{Order: shop, Kind: commerce.Closed}.Identified("e1", at(1, 9))
	assert.Equal(t, "e1", e.ID)
	assert.Equal(t, at(1, 9), e.Time)
	assert.Equal(t, e, e.Identified("e2", at(2, 9)))
}
