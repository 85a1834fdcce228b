package readme

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
)

func TestAbandonedCart(t *testing.T) {
	s := journeytest.New(t, AbandonedCart(), ContactPolicy(), "2026-11-10 20:30", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "wechat", "sms").Credit("wechat", "cart", 1)
	li.Does("cart.updated", "cart_id", "C1", "sku", "boots")
	s.After(2*time.Hour).ExpectDeferred(li, "wechat", contact.QuietHours, "2026-11-11 09:00")
	s.Branch("paid at the till overnight", func(s *journeytest.Scenario) {
		li.Does("order.paid", "cart_id", "C1", "channel", "till")
		s.At("2026-11-11 09:00").ExpectDropped(li, contact.NeedMet).ExpectEnded(li, "paid")
	})
	s.At("2026-11-11 09:00").ExpectSent(li, "wechat", "cart", "item", "boots")
	s.After(24*time.Hour).ExpectSent(li, "sms", "cart", "item", "boots") // the credit is spent: fallback
	s.After(30 * 24 * time.Hour).ExpectNothing(li)
}
