package journeytest_test

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
)

// shop stands for the package in which a shop keeps its policy.
var shop shopPackage

type shopPackage struct{}

// ContactPolicy is quiet at night and uses message credits in the mini program.
func (shopPackage) ContactPolicy() contact.Policy {
	return contact.Policy{
		Zone:     "Asia/Shanghai",
		Quiet:    []contact.Quiet{{From: "22:00", To: "09:00"}},
		Caps:     []contact.Cap{{Max: 2, Calendar: contact.Day, Purpose: "marketing"}},
		Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}, "sms": {Cost: 5}},
	}
}

// AbandonedCart reminds twice of a cart that nobody paid for.
func AbandonedCart() *journey.Builder {
	reminder := journey.Message{
		Template: "cart", Purpose: "marketing", Channels: []string{"wechat", "sms"},
		Vars: journey.Args{"item": journey.Data("sku")},
	}
	j := journey.Define("abandoned-cart").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("waiting")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("waiting").
		On(journey.Event("cart.updated")).To("waiting"). // a change restarts the clock
		After(2 * time.Hour).To("first reminder")
	j.State("first reminder").Send(reminder).
		On(journey.Done("cart")).To("second chance").
		On(journey.Failed("cart")).End("not reached").
		After(3 * 24 * time.Hour).End("not reached")
	j.State("second chance").
		After(24 * time.Hour).To("second reminder")
	j.State("second reminder").Send(reminder).
		After(7 * 24 * time.Hour).End("left behind")
	return j
}

func TestAbandonedCart(t *testing.T) {
	s := journeytest.New(t, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 20:30", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "wechat", "sms").Credit("wechat", "cart", 1)
	li.Does("cart.updated", "cart_id", "C1", "sku", "boots")
	s.After(2*time.Hour).ExpectDeferred(li, "wechat", contact.QuietHours, "2026-11-11 09:00")
	s.Branch("paid at the till overnight", func(s *journeytest.Scenario) {
		li.Does("order.paid", "cart_id", "C1", "channel", "till")
		s.At("2026-11-11 09:00").ExpectDropped(li, contact.NeedMet)
	})
	s.At("2026-11-11 09:00").ExpectSent(li, "wechat", "cart", "item", "boots")
	s.After(24*time.Hour).ExpectSent(li, "sms", "cart", "item", "boots") // credit spent: fallback
	s.After(30 * 24 * time.Hour).ExpectNothing(li)
}
