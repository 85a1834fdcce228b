package journeytest_test

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
	"github.com/cxkit/cxkit/profile"
)

const day = 24 * time.Hour

// Welcome greets a new member, and gives who has not bought within ten days a voucher.
func Welcome() *journey.Builder {
	j := journey.Define("welcome").Title("Welcome a new member").Zone("Asia/Shanghai").
		MaxAge(7 * day). // enrolments that arrive late are not greeted
		Reentry(journey.Reentry{Rule: journey.Once})
	j.Enter(journey.Event("member.joined")).To("greet")
	j.Goal("first order").On(journey.Event("order.paid"))
	j.State("greet").Title("Greet").
		Send(journey.Message{
			Template: "welcome", Purpose: "service", Channels: []string{"wechat", "sms"},
			Vars: journey.Args{"card": journey.Data("card")}, Within: 2 * day,
		}).
		After(10 * day).To("who")
	j.State("who").Title("A regular of the till?").
		When(journey.Trait("till_orders").AtLeast(1)).End("buys at the till").
		Otherwise().To("gift")
	j.State("gift").Title("First-purchase gift").
		Do(journey.Voucher("first-purchase", nil)).
		Send(journey.Message{Template: "gift", Purpose: "marketing", Channels: []string{"wechat", "sms", "email"}}).
		After(30 * day).End("quiet")
	return j
}

// Hesitation helps who looks at much and buys nothing: with advice by message,
// by a shop assistant, or, for comparison, not at all.
func Hesitation() *journey.Builder {
	j := journey.Define("hesitation").Title("Help who hesitates").Zone("Asia/Shanghai").
		Reentry(journey.OneAtATime.Resting(60 * day))
	j.Enter(journey.Entered("hesitating")).To("evening")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.Exit("lost interest").On(journey.Left("hesitating"))
	j.State("evening").Title("Wait for the evening").AtLocal("19:30").To("offer")
	j.State("offer").Title("Which help?").
		Share(45).To("advice").
		Share(45).To("assistant").
		Share(10).To("holdout")
	j.State("advice").Title("Advice by message").
		Send(journey.Message{Template: "advice", Purpose: "marketing", Channels: []string{"wechat", "email"}}).
		After(14 * day).End("undecided")
	j.State("assistant").Title("A shop assistant calls").
		Do(journey.Task("call the customer", journey.Args{"outlet": journey.Trait("home_outlet")})).
		On(journey.Failed("call the customer")).To("advice").
		After(14 * day).End("undecided")
	j.State("holdout").Title("No help (holdout)").After(14 * day).End("undecided")
	return j
}

// LateDelivery says sorry on the day after the promised one, and asks the
// carrier after three more.
func LateDelivery() *journey.Builder {
	j := journey.Define("late-delivery").Title("Late delivery").Key("order_id").Zone("Asia/Shanghai")
	j.Enter(journey.Event("order.shipped")).If(journey.Prop("promised_by").Exists()).To("under way")
	j.Goal("arrived").On(journey.Event("order.received"))
	j.Exit("called off").On(journey.Event("order.closed"))
	j.State("under way").
		OnDate(journey.Data("promised_by"), journey.Shift{Days: 1, Clock: "10:00"}).To("late").
		OnDeadline(60 * day).End("no news")
	j.State("late").Title("Say sorry").
		Send(journey.Message{
			Template: "late", Purpose: "service", Channels: []string{"wechat", "sms"},
			Vars: journey.Args{"order": journey.Data("order_id")}, Within: day,
		}).
		Do(journey.Award("late delivery", journey.Const(profile.Int(200)))).
		After(3 * day).To("ask")
	j.State("ask").Title("Ask the carrier").
		Do(journey.OpenCase("lost parcel", journey.Args{"order": journey.Data("order_id")})).
		After(30 * day).End("handed over")
	return j
}

// WinBack invites a good customer who has stayed away.
func WinBack() *journey.Builder {
	j := journey.Define("win-back").Title("Win back").Zone("Asia/Shanghai").
		Reentry(journey.OneAtATime.Resting(180 * day))
	j.Enter(journey.Entered("LapsedVIP")).To("invite")
	j.Goal("back").On(journey.Event("order.paid"))
	j.State("invite").
		AtLocal("10:00", time.Tuesday, time.Thursday).To("letter")
	j.State("letter").Title("Invitation").
		Send(journey.Message{Template: "we miss you", Purpose: "marketing", Channels: []string{"wechat", "sms"}}).
		After(7 * day).If(journey.In("LapsedVIP")).To("voucher").
		After(8 * day).End("moved on")
	j.State("voucher").
		Do(journey.Voucher("win-back", journey.Args{"tier": journey.Trait("tier")})).
		Send(journey.Message{Template: "voucher", Purpose: "marketing", Channels: []string{"wechat", "sms"}}).
		After(30 * day).End("gone")
	return j
}

func TestWelcome(t *testing.T) {
	s := journeytest.New(t, Welcome(), shop.ContactPolicy(), "2026-03-02 23:10", "Asia/Shanghai")
	mei := s.Customer("mei").Consent("service").Consent("marketing", "sms")
	mei.Does("member.joined", "card", "M-77")
	s.ExpectDeferred(mei, "sms", contact.QuietHours, "2026-03-03 09:00")
	s.At("2026-03-03 09:00").ExpectSent(mei, "sms", "welcome", "card", "M-77")
	s.Branch("buys", func(s *journeytest.Scenario) {
		mei.Does("order.paid", "order_id", "O1")
		s.ExpectEnded(mei, "first order").After(60 * day).ExpectNothing(mei)
	})
	s.Branch("joins again", func(s *journeytest.Scenario) {
		mei.Does("member.joined", "card", "M-78")
		s.ExpectNothing(mei)
	})
	s.Branch("known at the till", func(s *journeytest.Scenario) {
		mei.Trait("till_orders", 2)
		s.At("2026-03-12 23:10").ExpectEnded(mei, "buys at the till").ExpectNothing(mei)
	})
	s.At("2026-03-12 23:10").ExpectDone(mei, journey.VoucherEffect, "first-purchase").
		ExpectDeferred(mei, "sms", contact.QuietHours, "2026-03-13 09:00")
	s.At("2026-03-13 09:00").ExpectSent(mei, "sms", "gift")
	s.After(60*day).ExpectEnded(mei, "quiet").ExpectNothing(mei)
}

func TestWelcomeIsNotForOldEnrolments(t *testing.T) {
	s := journeytest.New(t, Welcome(), shop.ContactPolicy(), "2026-03-20 12:00", "Asia/Shanghai")
	bo := s.Customer("bo").Consent("service")
	bo.Did("2026-03-02 10:00", "member.joined", "card", "M-1")
	s.After(day).ExpectNotStarted(bo)
	an := s.Customer("an").Consent("service")
	an.Backfilled("2026-03-15 10:00", "member.joined", "card", "M-2")
	s.ExpectState(an, "greet")
	s.Within(70*day).ExpectEnded(an, "quiet") // moved, but nothing was sent
	if sent := s.Sent(an); len(sent) != 0 {
		t.Errorf("sent to a backfilled member: %v", sent)
	}
}

func TestHesitation(t *testing.T) {
	s := journeytest.New(t, Hesitation(), shop.ContactPolicy(), "2026-05-04 08:00", "Asia/Shanghai")
	arms := map[string]int{}
	var adviced *journeytest.Customer
	for _, name := range []string{"c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12"} {
		c := s.Customer(name).Consent("marketing", "email").Trait("home_outlet", "Nanjing Road").Enters("hesitating")
		s.Branch(name, func(s *journeytest.Scenario) {
			s.At("2026-05-04 19:30")
			switch state := s.State(c); state {
			case "advice":
				s.ExpectSent(c, "email", "advice")
				adviced = c
				arms[state]++
			case "assistant":
				s.ExpectDone(c, journey.TaskEffect, "call the customer", "outlet", "Nanjing Road")
				arms[state]++
			case "holdout":
				s.ExpectNothing(c)
				arms[state]++
			default:
				t.Errorf("%s is in %q", name, state)
			}
		})
	}
	if len(arms) < 2 || adviced == nil {
		t.Fatalf("the split is one-sided: %v", arms)
	}
	s.Branch("loses interest before the evening", func(s *journeytest.Scenario) {
		s.After(time.Hour)
		adviced.Leaves("hesitating")
		s.At("2026-05-04 19:30").ExpectEnded(adviced, "lost interest").ExpectNothing(adviced)
	})
	s.Branch("hesitates again within two months", func(s *journeytest.Scenario) {
		s.At("2026-05-20 12:00").ExpectEnded(adviced, "undecided")
		adviced.Enters("hesitating")
		s.After(day).ExpectNothing(adviced)
		s.At("2026-07-05 12:00")
		adviced.Enters("hesitating")
		s.At("2026-07-05 19:30").ExpectSent(adviced, "email", "advice") // the same arm
	})
}

func TestLateDelivery(t *testing.T) {
	s := journeytest.New(t, LateDelivery(), shop.ContactPolicy(), "2026-06-01 15:00", "Asia/Shanghai")
	wu := s.Customer("wu").Consent("service", "sms")
	promise := s.Now().Add(2*day + 3*time.Hour) // 3 June, 18:00
	wu.Does("order.shipped", "order_id", "A", "promised_by", promise)
	wu.Does("order.shipped", "order_id", "B", "promised_by", "2026-06-05")
	wu.Does("order.shipped", "order_id", "C") // nothing was promised
	s.Branch("arrives in time", func(s *journeytest.Scenario) {
		s.At("2026-06-03 12:00")
		wu.Does("order.received", "order_id", "A")
		s.At("2026-06-04 10:00").ExpectNothing(wu)
		s.At("2026-06-06 10:00").ExpectSent(wu, "sms", "late", "order", "B")
	})
	s.At("2026-06-04 10:00").ExpectSent(wu, "sms", "late", "order", "A").
		ExpectDone(wu, journey.AwardEffect, "late delivery", "points", 200)
	s.Branch("arrives late", func(s *journeytest.Scenario) {
		wu.Does("order.received", "order_id", "A").Does("order.closed", "order_id", "B")
		s.After(90 * day).ExpectNothing(wu)
	})
	s.At("2026-06-06 10:00").ExpectSent(wu, "sms", "late", "order", "B").
		ExpectDone(wu, journey.AwardEffect, "late delivery", "points", 200)
	s.At("2026-06-07 10:00").ExpectDone(wu, journey.CaseEffect, "lost parcel", "order", "A")
}

func TestWinBack(t *testing.T) {
	s := journeytest.New(t, WinBack(), shop.ContactPolicy(), "2026-08-28 10:00", "Asia/Shanghai") // a Friday
	he := s.Customer("he").Consent("marketing").Trait("tier", "gold").Enters("LapsedVIP")
	s.At("2026-09-01 10:00").ExpectSent(he, "sms", "we miss you")
	s.Branch("comes back", func(s *journeytest.Scenario) {
		s.After(day)
		he.Does("order.paid", "order_id", "O9").Leaves("LapsedVIP")
		s.ExpectEnded(he, "back").After(60 * day).ExpectNothing(he)
	})
	s.Branch("left the segment otherwise", func(s *journeytest.Scenario) {
		he.Leaves("LapsedVIP")
		s.After(8*day).ExpectNothing(he).ExpectEnded(he, "moved on")
	})
	s.At("2026-09-08 10:00").ExpectDone(he, journey.VoucherEffect, "win-back", "tier", "gold").ExpectSent(he, "sms", "voucher")
	s.After(30*day).ExpectEnded(he, "gone").ExpectNothing(he)
}
