package commerce_test

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile/commerce"
)

func day(month time.Month, d int) time.Time { return time.Date(2026, month, d, 10, 0, 0, 0, time.UTC) }

// The refund arrives first and the payment twice: the order is the same.
func ExampleFold() {
	key := commerce.Key{Source: "shop", Number: "A1"}
	paid := commerce.Event{
		ID: "e2", Order: key, Kind: commerce.Paid, Time: day(3, 1),
		Payments: []commerce.Payment{{Tender: "wechat", Amount: 250_00}, {Tender: "voucher", Amount: 50_00}},
	}
	order, err := commerce.Fold([]commerce.Event{
		{
			ID: "e3", Order: key, Kind: commerce.Refunded, Time: day(3, 9), Amount: 100_00,
			Lines: []commerce.Line{{ID: "1", Quantity: 1}},
		},
		paid,
		{
			ID: "e1", Order: key, Kind: commerce.Placed, Time: day(3, 1), Currency: "CNY", Freight: 10_00,
			Lines: []commerce.Line{
				{ID: "1", SKU: "boots", Quantity: 2, Net: 200_00},
				{ID: "2", SKU: "socks", Quantity: 3, Net: 90_00},
			},
		},
		paid,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range []time.Time{day(2, 28), day(3, 1), day(3, 9)} {
		fmt.Println(t.Format(time.DateOnly), order.CountsAt(t), order.NetSpendAt(t))
	}
	fmt.Println(order.Refunds[0].Payments)
	rest, err := order.Quote(day(3, 20), commerce.Line{SKU: "boots", Quantity: 1}, commerce.Line{ID: "2", Quantity: 3})
	fmt.Println(rest.Amount, rest.Payments, err)
	// Output:
	// 2026-02-28 false 0
	// 2026-03-01 true 30000
	// 2026-03-09 true 20000
	// [{wechat 8333} {voucher 1667}]
	// 19000 [{wechat 15834} {voucher 3166}] <nil>
}
