package intake_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

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

// A mapping as JSON, rehearsed before it is let loose.
func ExampleImporter_DryRun() {
	mapping, err := intake.ParseMapping(strings.NewReader(`{
		"format": 1, "source": "crm", "mode": "backfill", "zone": "Asia/Shanghai", "ignore": ["remark"],
		"events": [{
			"time": "joined",
			"identifiers": [{"kind": "member/lumen", "value": "card"}, {"kind": "email", "value": "mail"}],
			"traits": {"tier": {"column": "tier", "values": {"1": "silver", "2": "gold"}}}
		}]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	importer, err := intake.New(intake.Config{Mapping: mapping})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := importer.DryRun(context.Background(), intake.Input{Name: "members.csv", Reader: strings.NewReader(
		"card,mail,joined,tier,remark\nM1,li@example.com,2025-11-11 09:00:00,2,\nM2,,2025-11-11 09:05:00,9,\n")})
	fmt.Print(report)
	fmt.Println(err)

	_, err = importer.DryRun(context.Background(), intake.Input{Name: "members.csv", Reader: strings.NewReader("card,mail,joined\n")})
	fmt.Println(err)
	// Output:
	// members.csv: 2 rows, 1 events, 0 duplicates, 0 rows skipped, 1 rows rejected
	//   from 2025-11-11T01:00:00Z to 2025-11-11T01:00:00Z
	//   events            1  (no name)
	//   identifiers       1  email
	//   identifiers       1  member
	//   traits            1  tier
	//   rejected    line 3: column tier: holds a value that the mapping does not list
	// <nil>
	// intake: column is missing: members.csv:1: ["tier"]
}

// Messages as a web page sends them to the backend's endpoint.
func ExampleImporter_Receive() {
	customers, err := profile.New(profile.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	importer, err := intake.New(intake.Config{Spec: &intake.Spec{Source: "web", Mode: intake.Live}, Sink: customers})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The browser's clock is an hour slow.
	body := `{"sentAt": "2026-03-01T11:00:05Z", "batch": [
		{"type": "identify", "messageId": "a1", "anonymousId": "c9", "userId": "li", "timestamp": "2026-03-01T11:00:00Z", "traits": {"tier": "gold"}},
		{"type": "track", "messageId": "a2", "anonymousId": "c9", "event": "cart.updated", "timestamp": "2026-03-01T11:00:04Z", "properties": {"sku": "boots"}},
		{"type": "track", "messageId": "a3", "anonymousId": "c9"}
	]}`
	received := time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC)
	report, err := importer.Receive(context.Background(), []byte(body), received)
	fmt.Println(report.Events, report.Rejects, err)
	id, err := customers.Lookup(context.Background(), profile.Identifier{Kind: "cookie", Value: "c9"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range customers.Timeline(context.Background(), id) {
		fmt.Println(e.Time.Format(time.TimeOnly), e.Name, e.Traits["tier"], err)
	}
	// Output:
	// 2 [line 1: message 3 of 3: field event: is missing] <nil>
	// 12:00:00  gold <nil>
	// 12:00:04 cart.updated  <nil>
}
