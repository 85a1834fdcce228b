package campaign

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/journey"
)

// WinBack writes to a gold member who has not bought for a quarter, lets the
// shop assistant call if that brings nobody back, and then lets go.
func WinBack() *journey.Builder {
	b := journey.Define("win-back").Title("Win-back").Zone(zone).
		Reentry(journey.OneAtATime.Resting(180 * 24 * time.Hour))
	b.Enter(journey.Entered(audience.Lapsed)).To("written to")
	b.Goal("back").On(journey.Event(feed.OrderPaid))
	b.State("written to").Title("Written to").
		Send(journey.Message{
			Template: "we-miss-you", Purpose: "marketing", Category: "win-back",
			Channels: []string{"wechat", "push", "sms", "email"},
			Within:   72 * time.Hour,
		}).
		After(14 * 24 * time.Hour).To("called")
	b.State("called").Title("Assistant calls").
		Do(journey.Task("call", journey.Args{"reason": journey.Text("gold member, 90 days without an order")})).
		After(30 * 24 * time.Hour).End("lost")
	return b
}
