package campaign

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/journey"
)

// AbandonedCart reminds of a cart two hours after it was last touched, and
// once more a day after the first reminder. Paying for the cart, in whatever
// channel, ends it.
func AbandonedCart() *journey.Builder {
	reminder := journey.Message{
		Template: "cart", Purpose: "marketing", Category: "cart",
		Channels: []string{"wechat", "push", "sms"},
		Vars:     journey.Args{"item": journey.Data("sku")},
		Within:   24 * time.Hour,
	}
	b := journey.Define("abandoned-cart").Title("Abandoned cart").Zone(zone).Key("cart_id").MaxAge(6 * time.Hour)
	b.Enter(journey.Event(feed.CartUpdated)).To("filled")
	b.Goal("paid").On(journey.Event(feed.OrderPaid))
	b.State("filled").Title("Cart filled").
		On(journey.Event(feed.CartUpdated)).To("filled").
		After(2 * time.Hour).To("reminded")
	b.State("reminded").Title("Reminded").Send(reminder).
		After(24 * time.Hour).To("reminded again")
	b.State("reminded again").Title("Reminded again").Send(reminder).
		After(7 * 24 * time.Hour).End("left behind")
	return b
}
