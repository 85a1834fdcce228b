package shop

import (
	"time"

	"github.com/cxkit/cxkit/journey/contact"
)

// ContactPolicy says when the group may write to a customer: never at night
// nor in the first days of the year of the horse, two marketing messages a day
// and five a week over all brands, and each channel by its own rules. What it
// costs is in fen.
func ContactPolicy() contact.Policy {
	return contact.Policy{
		Zone:  "Asia/Shanghai",
		Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
		Blackouts: []contact.BlackoutDates{
			{Name: "spring festival", From: "2026-02-16", To: "2026-02-18"},
		},
		Caps: []contact.Cap{
			{Max: 2, Calendar: contact.Day, Purpose: "marketing"},
			{Max: 5, Rolling: 7 * 24 * time.Hour, Purpose: "marketing"},
			{Max: 3, Rolling: 30 * 24 * time.Hour, Channel: "sms", Purpose: "marketing"},
		},
		Channels: map[string]contact.Channel{
			"wechat": {NeedsCredit: true, ReplyWindow: 48 * time.Hour},
			"sms":    {Cost: 4},
			"email":  {Cost: 1},
			"push":   {},
		},
		Purposes: map[string]contact.Exempt{
			// Word of a parcel that is late is part of the contract of sale.
			"service": {Consent: true, Caps: true},
		},
		MaxDefer: 72 * time.Hour,
	}
}
