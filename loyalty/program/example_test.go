package program_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

func Example() {
	ctx := context.Background()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p, err := program.New(program.Config{
		Now: func() time.Time { return now },
		Definition: program.Definition{
			Rules: []program.Rule{
				{Name: "base", Points: 1, Per: 100},
				{Name: "spend", Unit: "spend", Points: 1, Per: 1, AtOnce: true},
				{Name: "gold", Points: 1, Per: 100, Tiers: []string{"gold"}},
			},
			ReturnDays: 7,
			Tiers: &program.Ladder{
				Unit: "spend", WindowMonths: 12, ReviewMonths: 12,
				Tiers: []program.Tier{{Name: "silver", Threshold: 500_00}, {Name: "gold", Threshold: 2000_00}},
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	key := commerce.Key{Source: "shop", Number: "A1"}
	facts := []commerce.Event{
		{ID: "1", Time: now, Order: key, Kind: commerce.Placed, Currency: "CNY", Lines: []commerce.Line{
			{ID: "1", Quantity: 1, Net: 600_00}, {ID: "2", Quantity: 1, Net: 99_00},
		}},
		{ID: "2", Time: now, Order: key, Kind: commerce.Paid, Currency: "CNY", Payments: []commerce.Payment{{Tender: "wechat", Amount: 699_00}}},
	}
	learn := func(more ...commerce.Event) {
		facts = append(facts, more...)
		order, err := commerce.Fold(facts)
		if err != nil {
			fmt.Println(err)
			return
		}
		done, err := p.Apply(ctx, "card-7", order, profile.Live)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, r := range append(append(done.Awarded, done.Vested...), done.Returned...) {
			fmt.Println(r)
		}
		if done.Tier != nil {
			fmt.Println(done.Tier)
		}
	}
	learn()
	now = now.AddDate(0, 0, 2)
	learn(commerce.Event{ID: "3", Time: now, Order: key, Kind: commerce.Received})
	now = now.AddDate(0, 0, 1)
	learn(commerce.Event{ID: "4", Time: now, Order: key, Kind: commerce.Refunded, Currency: "CNY", Amount: 99_00, Lines: []commerce.Line{{ID: "2", Quantity: 1, Net: 99_00}}})
	now = now.AddDate(0, 0, 8)
	b, _ := p.Ledger().Balance(ctx, "card-7", loyalty.Points, loyalty.AsOf{})
	fmt.Println(b)
	// Output:
	// earned 699 points, pending until received; 0 points available, 699 pending
	// earned 69900 spend; 69900 spend available
	// reached: tier "" to "silver" on 2026-03-01, 69900 spend in the window
	// vesting set; 0 points available, 699 pending
	// taken back 99 points; 0 points available, 600 pending
	// taken back 9900 spend; 60000 spend available
	// 600 points available
}
