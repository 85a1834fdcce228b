package journeytest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
)

// recorder is a testing.TB that keeps what it is told.
type recorder struct {
	testing.TB
	text string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) + "\n" }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// fails plays a story that is expected to fail, and gives what it printed.
func fails(t *testing.T, play func(s *journeytest.Scenario, li *journeytest.Customer)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := journeytest.New(r, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 20:30", "Asia/Shanghai")
		li := s.Customer("li").Consent("marketing", "wechat", "sms").Credit("wechat", "cart", 1)
		li.Does("cart.updated", "cart_id", "C1", "sku", "boots")
		play(s, li)
	}()
	<-done
	return r.text
}

func TestUnmetExpectationsSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		play func(s *journeytest.Scenario, li *journeytest.Customer)
		want []string
	}{
		"too early": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 08:00").ExpectSent(li, "wechat", "cart")
			},
			[]string{"at 2026-11-11 08:00 expected li: cart to be sent on wechat", "22:30  abandoned-cart: message cart deferred to 2026-11-11 09:00"},
		},
		"too late": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 10:00").ExpectSent(li, "wechat", "cart")
			},
			[]string{"2026-11-11 09:00 message cart confirmed on wechat: not at this time"},
		},
		"another channel": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 09:00").ExpectSent(li, "sms", "cart")
			},
			[]string{"that is on wechat"},
		},
		"another template": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 09:00").ExpectSent(li, "wechat", "welcome")
			},
			[]string{"that is cart"},
		},
		"another variable": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 09:00").ExpectSent(li, "wechat", "cart", "item", "hat")
			},
			[]string{`item is "boots", not "hat"`},
		},
		"one message does not meet two expectations": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.At("2026-11-11 09:00").ExpectSent(li, "wechat", "cart").ExpectSent(li, "wechat", "cart")
			},
			[]string{"another expectation has met that one"},
		},
		"deferred to another time": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.After(2*time.Hour).ExpectDeferred(li, "wechat", contact.QuietHours, "2026-11-11 08:00")
			},
			[]string{"that is to 2026-11-11 09:00"},
		},
		"deferred for another reason": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.After(2*time.Hour).ExpectDeferred(li, "wechat", contact.Capped, "2026-11-11 09:00")
			},
			[]string{"that is because of quiet hours"},
		},
		"dropped for another reason": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.After(3 * time.Hour)
				li.Does("order.paid", "cart_id", "C1")
				s.At("2026-11-11 09:00").ExpectDropped(li, contact.Expired)
			},
			[]string{"that is because of need met", "waiting → first reminder", "first reminder → ends (bought: order.paid)"},
		},
		"something happened": {
			func(s *journeytest.Scenario, li *journeytest.Customer) { s.After(3 * time.Hour).ExpectNothing(li) },
			[]string{"expected li: nothing to happen", "2026-11-10 22:30: message cart planned"},
		},
		"another state": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.ExpectState(li, "second chance").ExpectEnded(li, "bought").ExpectNotStarted(li)
			},
			[]string{"abandoned-cart is in waiting until 2026-11-10 22:30", "to have ended with bought", "no journey to be started"},
		},
		"the clock does not go back": {
			func(s *journeytest.Scenario, li *journeytest.Customer) { s.At("2026-11-10 20:00") },
			[]string{"it is 2026-11-10 20:30 already, 2026-11-10 20:00 has passed"},
		},
		"a time that is none": {
			func(s *journeytest.Scenario, li *journeytest.Customer) { s.At("tomorrow") },
			[]string{`"tomorrow" is no time such as "2006-01-02 15:04"`},
		},
		"properties that do not pair up": {
			func(s *journeytest.Scenario, li *journeytest.Customer) { li.Does("x", "cart_id") },
			[]string{"1 names and values do not pair up"},
		},
		"a failing branch": {
			func(s *journeytest.Scenario, li *journeytest.Customer) {
				s.Branch("b", func(s *journeytest.Scenario) { s.ExpectState(li, "nowhere") })
			},
			[]string{"to be in nowhere"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := fails(t, c.play)
			for _, want := range c.want {
				require.Contains(t, text, want)
			}
		})
	}
}

func TestBranchesLeaveTheStoryAlone(t *testing.T) {
	s := journeytest.New(t, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 10:00", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "sms").Does("cart.updated", "cart_id", "C1", "sku", "boots")
	before := s.Timeline(li)
	s.Branch("outer", func(s *journeytest.Scenario) {
		s.After(2*time.Hour).ExpectSent(li, "sms", "cart")
		s.Branch("inner", func(s *journeytest.Scenario) {
			li.Withdraw("marketing")
			s.After(24*time.Hour).ExpectDropped(li, contact.NoConsent)
		})
		s.After(24*time.Hour).ExpectSent(li, "sms", "cart")
	})
	require.Equal(t, before, s.Timeline(li))
	s.After(2*time.Hour).ExpectSent(li, "sms", "cart")
}

func TestChannelsAnswerAsScripted(t *testing.T) {
	s := journeytest.New(t, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 10:00", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing").Credit("wechat", "cart", 5)
	s.Answer("wechat", func(journey.Dispatch) journey.Answer { return journey.Reject("not a friend any more") })
	li.Does("cart.updated", "cart_id", "C1", "sku", "boots")
	s.After(2*time.Hour).ExpectSent(li, "sms", "cart")
	require.True(t, strings.Contains(s.Timeline(li), "not taken by wechat: not a friend any more"), s.Timeline(li))
}

func TestScenariosRunInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := journeytest.New(t, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 10:00", "Asia/Shanghai")
		li := s.Customer("li").Consent("marketing", "sms").Does("cart.updated", "cart_id", "C1", "sku", "boots")
		s.After(2*time.Hour).ExpectSent(li, "sms", "cart")
	})
}

// What fails says why: what came instead, what nobody took, and when by the clock of
// the journey.
func TestFailuresTellTheReason(t *testing.T) {
	r := &recorder{TB: t}
	s := journeytest.New(r, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 20:30", "Asia/Shanghai")
	li := s.Customer("li").Consent("marketing", "wechat").Credit("wechat", "cart", 1).Does("cart.updated", "cart_id", "C1", "sku", "boots")
	wu := s.Customer("wu").Does("cart.updated", "sku", "hat")
	for _, c := range []struct {
		expect func()
		want   []string
	}{
		{func() { s.After(2*time.Hour).ExpectSent(li, "wechat", "cart") }, []string{
			"at 2026-11-10 22:30 expected li: cart to be sent on wechat\n  but\n    2026-11-10 22:30 message cart deferred to 2026-11-11 09:00",
			"quiet hours (22:00–09:00): that is not sent\n  timeline of li\n    2026-11-10 20:30  abandoned-cart: starts in waiting",
			"abandoned-cart is in first reminder until 2026-11-13 22:30",
		}},
		{func() {
			s.Branch("in another world", func(s *journeytest.Scenario) { s.ExpectState(wu, "waiting") })
		}, []string{"(nothing has happened)\n  at 2026-11-10 20:30 no journey took cart.updated (sku hat)"}},
		{func() { s.Golden("testdata/none.golden") }, []string{"there is no testdata/none.golden yet: UPDATE_GOLDEN=1 writes it"}},
	} {
		r.text = ""
		c.expect()
		for _, want := range c.want {
			require.Contains(t, r.text, want)
		}
	}
	x := cartExploration(AbandonedCart())
	x.Invariants = []journeytest.Invariant{journeytest.AtMost(0, 90*time.Minute)}
	found, err := x.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, found.Violations, 1)
	require.Contains(t, found.Violations[0].String(), "at most 0 messages within 1h30m: 1 messages")
	require.Contains(t, found.Violations[0].String(), "    "+x.Start+"  abandoned-cart: starts in waiting", "by the local clock")
}
