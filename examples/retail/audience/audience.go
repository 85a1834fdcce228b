// Package audience holds the segments of the retail example: what marketing
// means by a lapsed gold member, a new member, a customer of high value, one
// who hesitates.
package audience

import (
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// The names of the audiences.
const (
	Lapsed     = "lapsed-vip"
	NewMembers = "new-member"
	HighValue  = "high-value"
	Hesitating = "hesitating"
)

// All lists the audiences, with calendar days in the given zone.
func All(zone string) []segment.Definition {
	return []segment.Definition{
		{Name: NewMembers, Rule: NewMember(), Zone: zone},
		{Name: HighValue, Rule: HighSpender(), Zone: zone},
		{Name: Hesitating, Rule: Hesitant(), Zone: zone},
		{Name: Lapsed, Rule: LapsedVIP(), Zone: zone},
	}
}

// LapsedVIP is a gold member with at least three net orders in 365 days, none
// of them in the last 90.
func LapsedVIP() segment.Rule {
	return segment.All(
		segment.Attr("tier").Is("gold"),
		segment.NetOrders().Within(segment.Days(365)).AtLeast(3).As("net_orders"),
		segment.NetOrders().Within(segment.Days(90)).Never().As("last_order"),
	)
}

// NewMember joined a brand in the last 30 days.
func NewMember() segment.Rule {
	return segment.Events(feed.MemberJoined).Within(segment.Days(30)).AtLeast(1).As("joined")
}

// HighSpender spent 5,000 yuan or more in 365 days, net of refunds.
func HighSpender() segment.Rule {
	return segment.NetOrders().Within(segment.Days(365)).Sum("amount").AtLeast(profile.Int(5_000_00)).As("net_spend")
}

// Hesitant came back three times or more within two days to at most two
// products and bought nothing.
func Hesitant() segment.Rule {
	views := segment.Events(feed.ProductViewed).Within(segment.Last(48 * time.Hour))
	return segment.All(
		views.AtLeast(3).As("views"),
		views.Distinct("sku").AtMost(profile.Int(2)).As("products"),
		segment.NetOrders().Within(segment.Last(48*time.Hour)).Never().As("bought"),
	)
}
