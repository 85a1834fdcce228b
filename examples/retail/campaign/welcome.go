package campaign

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/journey"
)

// Welcome greets a new member within the hour, and shows who has not bought
// after a week what the brand is good at. Enrolments that arrive days late, as
// after a sales day, are too old to be greeted.
func Welcome() *journey.Builder {
	b := journey.Define("welcome").Title("Welcome").Zone(zone).Key("card").
		MaxAge(24 * time.Hour).Reentry(journey.Reentry{Rule: journey.Once})
	b.Enter(journey.Event(feed.MemberJoined)).To("joined")
	b.State("joined").Title("Joined").
		After(30 * time.Minute).To("greeted")
	b.State("greeted").Title("Greeted").
		Send(journey.Message{
			Template: "welcome", Purpose: "marketing", Category: "welcome",
			Channels: []string{"wechat", "push", "sms", "email"},
			Within:   48 * time.Hour,
		}).
		On(journey.Event(feed.OrderPaid).AnyKey()).End("bought").
		After(7 * 24 * time.Hour).To("shown around")
	b.State("shown around").Title("Shown around").
		Send(journey.Message{
			Template: "bestsellers", Purpose: "marketing", Category: "welcome",
			Channels: []string{"wechat", "push", "email"},
			Within:   48 * time.Hour,
		}).
		On(journey.Event(feed.OrderPaid).AnyKey()).End("bought").
		After(23 * 24 * time.Hour).End("not yet")
	return b
}
