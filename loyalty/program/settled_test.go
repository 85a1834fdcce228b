package program_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// facts of one order: 100 of goods and 10 of freight, 30 paid by voucher.
func settledOrder(now time.Time) (placed, paid, received commerce.Event) {
	key := commerce.Key{Source: "web", Number: "A1"}
	placed = commerce.Event{
		ID: "placed", Time: now, Order: key, Kind: commerce.Placed, Currency: "CNY", Freight: 10_00,
		Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 60_00}, {ID: "2", Quantity: 1, Net: 40_00}},
	}
	paid = commerce.Event{
		ID: "paid", Time: now.Add(time.Minute), Order: key, Kind: commerce.Paid, Currency: "CNY",
		Payments: []commerce.Payment{{Tender: "voucher", Amount: 30_00}, {Tender: "wechat", Amount: 80_00}},
	}
	received = commerce.Event{ID: "received", Time: now.Add(48 * time.Hour), Order: key, Kind: commerce.Received}
	return placed, paid, received
}

func balanceAfter(t *testing.T, rule program.Rule, facts ...commerce.Event) int64 {
	t.Helper()
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	p, err := program.New(program.Config{
		Now:        func() time.Time { return now.Add(30 * 24 * time.Hour) },
		Definition: program.Definition{Rules: []program.Rule{rule}},
	})
	require.NoError(t, err)
	for i := range facts {
		o, err := commerce.Fold(facts[:i+1])
		require.NoError(t, err)
		_, err = p.Apply(context.Background(), "card-1", o, profile.Live)
		require.NoError(t, err)
	}
	b, err := p.Ledger().Balance(context.Background(), "card-1", loyalty.Points, loyalty.AsOf{})
	require.NoError(t, err)
	return b.Total()
}

// The award stands as first recorded, so it waits until lines and payment are
// both known: in whatever order they arrive, the voucher and the freight earn nothing.
func TestAwardIsTheSameInWhateverOrderFactsArrive(t *testing.T) {
	placed, paid, received := settledOrder(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	for _, order := range [][]commerce.Event{
		{placed, paid, received},
		{placed, received, paid},
		{paid, placed, received},
		{paid, received, placed},
		{received, placed, paid},
		{received, paid, placed},
	} {
		var names []string
		for _, f := range order {
			names = append(names, f.ID)
		}
		require.Equal(t, int64(70), balanceAfter(t, program.Rule{Name: "base", Points: 1, Per: 100}, order...), "%v", names)
	}
}

// An order that was paid and completed and of which no line is known earns on
// what was paid.
func TestAwardWithoutLinesIsOnThePayment(t *testing.T) {
	_, paid, done := settledOrder(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	rule := program.Rule{Name: "base", Points: 1, Per: 100}
	require.Equal(t, int64(0), balanceAfter(t, rule, paid, done))
	done.ID, done.Kind = "completed", commerce.Completed
	require.Equal(t, int64(80), balanceAfter(t, rule, paid, done))
}

// A rule on all that was paid counts freight too, as one sum, and gives back in
// proportion to what is refunded.
func TestAwardOnAllThatWasPaid(t *testing.T) {
	placed, paid, received := settledOrder(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	rule := program.Rule{Name: "base", Points: 1, Per: 100, On: program.Paid}
	require.Equal(t, int64(80), balanceAfter(t, rule, placed, paid, received))
	half := commerce.Event{ID: "refund", Time: received.Time.Add(time.Hour), Order: placed.Order, Kind: commerce.Refunded, Currency: "CNY", Amount: 55_00}
	require.Equal(t, int64(40), balanceAfter(t, rule, placed, paid, received, half))

	_, err := program.New(program.Config{Definition: program.Definition{
		Rules: []program.Rule{{Name: "base", Points: 1, Per: 100, On: program.Paid, Categories: []string{"shoes"}}},
	}})
	require.ErrorIs(t, err, program.ErrDefinition)
}
