package campaign

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/journey"
)

// Hesitation helps a customer who comes back to the same product and does not
// buy: half of them are told about free returns, the other half are the
// control group that shows whether that helps.
func Hesitation() *journey.Builder {
	b := journey.Define("hesitation").Title("Hesitation").Zone(zone).
		Reentry(journey.OneAtATime.Resting(30 * 24 * time.Hour))
	b.Enter(journey.Entered(audience.Hesitating)).To("split")
	b.Goal("bought").On(journey.Event(feed.OrderPaid))
	b.State("split").Title("Coin toss").
		Share(50).To("helped").
		Share(50).To("control")
	b.State("helped").Title("Told about free returns").
		Send(journey.Message{
			Template: "free-returns", Purpose: "marketing", Category: "hesitation",
			Channels: []string{"wechat", "push", "sms"},
			Within:   24 * time.Hour,
		}).
		After(7 * 24 * time.Hour).End("helped in vain")
	b.State("control").Title("Control group").
		After(7 * 24 * time.Hour).End("left alone")
	return b
}
