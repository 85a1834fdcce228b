package campaign

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
)

const day = 24 * time.Hour

func TestWelcome(t *testing.T) { // within the hour, then once more, unless they buy
	s := journeytest.New(t, Welcome(), shop.ContactPolicy(), "2026-03-02 12:00", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "email")
	li.Does(feed.MemberJoined, "card", "L1")
	s.After(30*time.Minute).ExpectSent(li, "email", "welcome")
	s.Branch("buys on the third day", func(s *journeytest.Scenario) {
		s.After(3 * day)
		li.Does(feed.OrderPaid, "order_id", "A1")
		s.After(60*day).ExpectNothing(li).ExpectEnded(li, "bought")
	})
	s.After(7*day).ExpectSent(li, "email", "bestsellers")
	s.After(60*day).ExpectNothing(li).ExpectEnded(li, "not yet")
}

func TestNobodyIsWelcomedLate(t *testing.T) { // enrolments of a sales day arrive days later
	s := journeytest.New(t, Welcome(), shop.ContactPolicy(), "2026-11-13 12:00", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "email")
	li.Did("2026-11-11 20:00", feed.MemberJoined, "card", "L1")
	s.After(60 * day).ExpectNotStarted(li)
}

func TestHesitation(t *testing.T) { // half are helped, half are left alone, nobody twice a month
	s := journeytest.New(t, Hesitation(), shop.ContactPolicy(), "2026-03-02 12:00", "Asia/Shanghai")
	helped := 0
	for _, name := range []string{"li", "wang", "zhang", "zhao", "chen", "liu", "yang", "huang"} {
		c := s.Customer(name).Consent("marketing", "push")
		c.Enters(audience.Hesitating)
		if s.State(c) == "helped" {
			helped++
			s.After(0).ExpectSent(c, "push", "free-returns")
		} else {
			s.After(time.Minute).ExpectNothing(c)
		}
		c.Leaves(audience.Hesitating).Enters(audience.Hesitating)
		s.After(time.Minute).ExpectNothing(c)
	}
	if helped == 0 || helped == 8 {
		t.Errorf("%d of 8 customers were helped: the coin has one side", helped)
	}
}

func TestLateDelivery(t *testing.T) { // the customer hears of it before they ask
	s := journeytest.New(t, LateDelivery(), shop.ContactPolicy(), "2026-03-02 12:00", "Asia/Shanghai")
	promised := time.Date(2026, 3, 5, 16, 0, 0, 0, time.UTC) // the end of 5 March in Shanghai
	li := s.Customer("li")
	li.Does(feed.OrderPlaced, "order_id", "A1", "promised_by", promised)
	s.Branch("arrives in time", func(s *journeytest.Scenario) {
		s.At("2026-03-05 18:00")
		li.Does(feed.OrderReceived, "order_id", "A1")
		s.After(60*day).ExpectNothing(li).ExpectEnded(li, "arrived")
	})
	s.At("2026-03-06 00:00").ExpectDeferred(li, "sms", contact.QuietHours, "2026-03-06 09:00")
	s.Branch("arrives in the morning", func(s *journeytest.Scenario) {
		s.At("2026-03-06 08:00")
		li.Does(feed.OrderReceived, "order_id", "A1")
		s.At("2026-03-06 09:00").ExpectDropped(li, contact.NeedMet)
	})
	s.At("2026-03-06 09:00").ExpectSent(li, "sms", "late", "order", "A1") // service needs no marketing consent
	s.At("2026-03-11 00:00").ExpectDone(li, journey.CaseEffect, "complaint", "topic", "late")
}

func TestWinBack(t *testing.T) { // a message, then a call of the shop assistant, then peace
	s := journeytest.New(t, WinBack(), shop.ContactPolicy(), "2026-03-02 12:00", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "sms")
	li.Enters(audience.Lapsed)
	s.After(0).ExpectSent(li, "sms", "we-miss-you")
	s.Branch("comes back", func(s *journeytest.Scenario) {
		s.After(3 * day)
		li.Does(feed.OrderPaid, "order_id", "A9")
		s.After(60*day).ExpectNothing(li).ExpectEnded(li, "back")
	})
	s.After(14*day).ExpectDone(li, journey.TaskEffect, "call")
	s.After(30*day).ExpectNothing(li).ExpectEnded(li, "lost")
}

func TestEveryCampaignBuilds(t *testing.T) {
	for _, b := range All() {
		if _, err := b.Build(); err != nil {
			t.Error(err)
		}
	}
}
