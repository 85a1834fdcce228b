package journeytest_test

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
	"github.com/cxkit/cxkit/profile"
)

// Newsletter goes to all subscribers every Friday.
func Newsletter() *journey.Builder {
	j := journey.Define("newsletter").Zone("Asia/Shanghai").
		Every("friday", journey.Weekly("10:00", time.Friday), "subscribers")
	j.Enter(journey.Tick("friday")).To("letter")
	j.State("letter").
		Send(journey.Message{Template: "news", Purpose: "marketing", Channels: []string{"email"}, Within: 12 * time.Hour}).
		After(2 * day).End("over")
	return j
}

func TestSchedules(t *testing.T) {
	s := journeytest.New(t, Newsletter(), contact.Policy{}, "2026-11-10 12:00", "Asia/Shanghai")
	li, wu := s.Customer("li").Consent("marketing").In("subscribers"), s.Customer("wu").Consent("marketing")
	s.At("2026-11-13 10:00").ExpectSent(li, "email", "news").ExpectNothing(wu)
	wu.In("subscribers")
	s.At("2026-11-20 10:00").ExpectSent(li, "email", "news").ExpectSent(wu, "email", "news")
	s.Branch("three weeks later, at once", func(s *journeytest.Scenario) {
		s.Within(21 * day)
		s.ExpectSent(li, "email", "news").ExpectSent(li, "email", "news").ExpectSent(li, "email", "news").ExpectNothing(li)
	})
}

// Birthday wishes well on the lunar birthday.
func Birthday() *journey.Builder {
	j := journey.Define("birthday").Zone("Asia/Shanghai")
	j.Enter(journey.Event("member.joined")).To("year")
	j.State("year").Patient().OnDate(journey.Trait("lunar_birthday"), journey.Shift{Calendar: "lunar", Clock: "10:00"}).To("wish")
	j.State("wish").
		Send(journey.Message{Template: "birthday", Purpose: "marketing", Channels: []string{"sms"}}).
		After(day).To("year")
	return j
}

func TestLunarBirthdays(t *testing.T) {
	// The first day of the lunar year.
	days := []string{"2026-02-17", "2027-02-06", "2028-01-26"}
	lunar := func(v profile.Value, after time.Time, zone *time.Location) (time.Time, bool) {
		for _, d := range days {
			at, err := time.ParseInLocation("2006-01-02 15:04", d+" 10:00", zone)
			if text, _ := v.Text(); err == nil && text == "1-1" && at.After(after) {
				return at, true
			}
		}
		return time.Time{}, false
	}
	s := journeytest.New(t, Birthday(), contact.Policy{}, "2026-03-01 12:00", "Asia/Shanghai", journeytest.Calendar("lunar", lunar))
	li := s.Customer("li").Consent("marketing").Trait("lunar_birthday", "1-1").Does("member.joined")
	wu := s.Customer("wu").Consent("marketing").Does("member.joined")
	s.At("2027-02-06 10:00").ExpectSent(li, "sms", "birthday")
	s.At("2028-01-26 10:00").ExpectSent(li, "sms", "birthday").ExpectNothing(wu)
}
