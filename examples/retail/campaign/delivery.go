package campaign

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/journey"
)

// LateDelivery watches over every shipped order with a promised day. When the
// day is over and the parcel has not arrived, it tells the customer before the
// customer asks, and opens a case if nothing has come after five days more.
func LateDelivery() *journey.Builder {
	b := journey.Define("late-delivery").Title("Late delivery").Zone(zone).Key("order_id")
	b.Enter(journey.Event(feed.OrderPlaced)).If(journey.Prop("promised_by").Exists()).To("on its way")
	b.Goal("arrived").On(journey.Event(feed.OrderReceived))
	b.Exit("canceled").On(journey.Event(feed.OrderClosed))
	b.Exit("sent back").On(journey.Event(feed.OrderReturned))
	// Nobody gets here without a promised day.
	b.State("on its way").Title("On its way").Metric(shop.PurchaseNPS).Patient().
		OnDate(journey.Data("promised_by"), journey.Shift{}).To("late")
	b.State("late").Title("Late: customer told").Metric(shop.PurchaseNPS).
		Send(journey.Message{
			Template: "late", Purpose: "service", Category: "late",
			Channels: []string{"wechat", "sms", "email"},
			Vars:     journey.Args{"order": journey.Data("order_id")},
			Within:   48 * time.Hour,
		}).
		After(5 * 24 * time.Hour).To("lost")
	b.State("lost").Title("Case opened").Metric(shop.PurchaseNPS).
		Do(journey.OpenCase("complaint", journey.Args{"order_id": journey.Data("order_id"), "topic": journey.Text("late")})).
		After(30 * 24 * time.Hour).End("written off")
	return b
}
