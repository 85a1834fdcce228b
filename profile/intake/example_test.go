package intake_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
)

// The till exports one row for each line of a receipt. Rows of one receipt are
// one record, and a row that is broken does not stop the others.
func Example() {
	const file = `receipt,paid,card,phone,sku,qty,price,tender,total
1001,2026-03-01 10:15,M7,13800138000,boots,1,"1,599.00",wechat,"1,689.00"
1001,2026-03-01 10:15,M7,13800138000,socks,3,90.00,,
1002,2026-03-01 10:40,M8,,boots,1,1599.005,card,1599.00
1003,2026-03-01 11:02,M9,,belt,1,199.00,cash,199.00
`
	mapping := intake.Mapping{
		Source: "till", Mode: intake.Backfill, Brand: "lumen",
		Zone: "Asia/Shanghai", Layouts: []string{"2006-01-02 15:04"}, Thousands: ",",
		GroupBy: []string{"receipt"},
		Events: []intake.EventMap{{
			Name: "order.paid", ID: intake.Fields{intake.Column("receipt")}, Time: intake.Column("paid"),
			Identifiers: []intake.IdentifierMap{
				{Kind: "member", Value: intake.Column("card")},
				{Kind: "phone", Value: intake.Column("phone")},
			},
			Order: &intake.OrderMap{
				Kind: commerce.Paid, Currency: intake.Const("CNY"),
				Key:      intake.KeyMap{Number: intake.Column("receipt")},
				Lines:    []intake.LineMap{{Each: intake.Rows, SKU: intake.Column("sku"), Quantity: intake.Column("qty"), Net: intake.Column("price")}},
				Payments: []intake.PaymentMap{{Tender: intake.Column("tender"), Amount: intake.Column("total")}},
			},
		}},
	}
	customers, err := profile.New(profile.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	importer, err := intake.New(intake.Config{Mapping: mapping, Sink: customers})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	report, err := importer.Import(ctx, intake.Input{Name: "till.csv", Reader: strings.NewReader(file), Rejects: os.Stdout})
	fmt.Print(report)
	fmt.Println(err)
	again, err := importer.Import(ctx, intake.Input{Name: "till.csv", Reader: strings.NewReader(file)})
	fmt.Println(again.Events, "new,", again.Duplicates, "duplicates", err)
	// Output:
	// line,reason,row
	// 4,column price: has more decimals than the mapping says,"1002,2026-03-01 10:40,M8,,boots,1,1599.005,card,1599.00"
	// till.csv: 4 rows, 2 events, 0 duplicates, 0 rows skipped, 1 rows rejected
	//   from 2026-03-01T02:15:00Z to 2026-03-01T03:02:00Z
	//   events            2  order.paid
	//   identifiers       2  member
	//   identifiers       1  phone
	//   rejected    line 4: column price: has more decimals than the mapping says
	// <nil>
	// 0 new, 2 duplicates <nil>
}
