package loyalty_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

func Example() {
	ctx := context.Background()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ledger, err := loyalty.New(loyalty.Config{
		Now: func() time.Time { return now },
		Units: []loyalty.UnitConfig{{
			Unit:   loyalty.Points,
			Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 12},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	// An order of two lines is paid: its points wait until the goods are kept.
	post := func(cmd loyalty.Command) loyalty.Receipt {
		r, err := ledger.Post(ctx, cmd)
		if err != nil {
			fmt.Println(err)
		}
		return r
	}
	post(loyalty.Earn{
		Key: "paid/A1", Account: "card-7", Order: "A1", UsableFrom: loyalty.Forever,
		Lines: []loyalty.EarnLine{{Line: "1", Amount: 300, Basis: 300_00}, {Line: "2", Amount: 99, Basis: 99_00}},
	})
	// Received: usable after seven days. Then line 2 comes back.
	now = now.AddDate(0, 0, 3)
	post(loyalty.Vest{Key: "received/A1", Award: "paid/A1", UsableFrom: now.AddDate(0, 0, 7)})
	fmt.Println(post(loyalty.Return{Key: "refund/A1/2", Award: "paid/A1", Lines: []loyalty.ReturnLine{{Line: "2"}}}))

	now = now.AddDate(0, 0, 8)
	fmt.Println(post(loyalty.Redeem{Key: "till/1", Account: "card-7", Amount: 120, Order: "B1"}))
	_, err = ledger.Post(ctx, loyalty.Redeem{Key: "till/2", Account: "card-7", Amount: 500})
	fmt.Println(err)

	soon, _ := ledger.Expiring(ctx, "card-7", loyalty.Points, loyalty.Forever)
	fmt.Println(soon[0].Amount, "until", soon[0].LastDay.Format(time.DateOnly))
	v, err := ledger.Verify(ctx, loyalty.Anchor{})
	fmt.Println(v.Transactions, "transactions verified:", err == nil)
	// Output:
	// taken back 99 points; 0 points available, 300 pending
	// redeemed 120 points from 1 lot; 180 points available
	// loyalty: not enough available: 500 points asked, 180 available
	// 180 until 2027-03-01
	// 4 transactions verified: true
}
