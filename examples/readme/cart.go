package readme

import (
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
)

// AbandonedCart reminds of a cart two hours after its last change, once more a
// day later, and not at all once it is paid, wherever that was.
func AbandonedCart() *journey.Builder {
	reminder := journey.Message{
		Template: "cart", Purpose: "marketing", Channels: []string{"wechat", "sms"},
		Vars: journey.Args{"item": journey.Data("sku")},
	}
	j := journey.Define("abandoned-cart").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("filled")
	j.Goal("paid").On(journey.Event("order.paid"))
	j.State("filled").
		On(journey.Event("cart.updated")).To("filled"). // the two hours begin anew
		After(2 * time.Hour).To("reminded")
	j.State("reminded").Send(reminder).After(24 * time.Hour).To("reminded again")
	j.State("reminded again").Send(reminder).After(7 * 24 * time.Hour).End("left behind")
	return j
}

// ContactPolicy is what every message of the house obeys.
func ContactPolicy() contact.Policy {
	return contact.Policy{
		Zone:     "Asia/Shanghai",
		Quiet:    []contact.Quiet{{From: "22:00", To: "09:00"}},
		Caps:     []contact.Cap{{Max: 2, Calendar: contact.Day, Purpose: "marketing"}},
		Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}, "sms": {Cost: 4}},
	}
}
