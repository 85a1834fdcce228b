package journeytest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/journey/journeytest"
	"github.com/cxkit/cxkit/profile"
)

func consenting() contact.Row {
	return contact.Row{}.
		WithConsent(profile.ConsentAct{Purpose: "marketing", Granted: true}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).
		WithCredit(contact.Credit{ID: "1", Channel: "wechat", Template: "cart", Count: 1})
}

func cartExploration(j journey.Source) journeytest.Exploration {
	return journeytest.Exploration{
		Journeys: []journey.Source{j}, Policy: shop.ContactPolicy(),
		Start: "2026-11-10 20:30", Zone: "Asia/Shanghai", Customer: consenting(),
		Moves: []journeytest.Move{
			journeytest.Happens("cart.updated", "cart_id", "A", "sku", "boots"),
			journeytest.Happens("order.paid", "cart_id", "A"),
			journeytest.Withdraws("marketing", "wechat"),
			journeytest.Fails("sms"), journeytest.Hangs("wechat"),
		},
		Invariants: []journeytest.Invariant{
			journeytest.AtMost(2, 24*time.Hour), journeytest.NeverWithoutConsent("marketing"), journeytest.AlwaysEnds(),
		},
	}
}

func TestTheCartJourneyKeepsItsInvariants(t *testing.T) {
	var coverage journeytest.Coverage
	x := cartExploration(AbandonedCart())
	x.Coverage = &coverage
	found := x.Test(t)
	t.Logf("%d paths, %d states", found.Paths, found.States)
	require.Greater(t, found.Paths, 100)
	coverage.Require(t, 100)
}

func TestExplorationFindsSeededBugs(t *testing.T) {
	reminder := journey.Message{Template: "cart", Purpose: "marketing", Channels: []string{"sms"}, Vars: journey.Args{"item": journey.Data("sku")}}
	enter := func() *journey.Builder {
		j := journey.Define("seeded").Key("cart_id")
		j.Enter(journey.Event("cart.updated")).To("waiting")
		j.Goal("bought").On(journey.Event("order.paid"))
		return j
	}
	for name, c := range map[string]struct {
		build func() *journey.Builder
		want  string
		after string // the shortest way there
	}{
		"a loop": {func() *journey.Builder {
			j := enter()
			j.State("waiting").After(48 * time.Hour).To("again")
			j.State("again").Otherwise().To("waiting")
			return j
		}, "always ends", "cart.updated"},
		"a loop in which no time passes": {func() *journey.Builder {
			j := enter().Reentry(journey.Reentry{Rule: journey.Always})
			j.Enter(journey.Call("seeded")).To("waiting")
			j.State("waiting").Do(journey.Start("seeded", nil)).After(time.Hour).End("over")
			return j
		}, "no endless loop", "cart.updated"},
		"a double send": {func() *journey.Builder {
			j := enter()
			j.State("waiting").On(journey.Event("cart.updated")).Do(journey.Send(reminder)).To("waiting").After(time.Hour).End("over")
			return j
		}, "at most 2 messages within 24h", "cart.updated, then cart.updated, then cart.updated, then cart.updated"},
		"a missing consent check": {func() *journey.Builder {
			j := enter()
			m := reminder
			m.Purpose, m.Channels = contact.Transactional, []string{"wechat", "sms"}
			j.State("waiting").After(time.Hour).To("send")
			j.State("send").Send(m).After(time.Hour).End("over")
			return j
		}, "never without consent for marketing", "cart.updated, then withdraws marketing wechat"},
	} {
		t.Run(name, func(t *testing.T) {
			x := cartExploration(c.build())
			x.Policy.Caps = nil
			r := &recorder{TB: t}
			found := x.Test(r)
			require.Len(t, found.Violations, 1, found)
			require.Equal(t, c.want, found.Violations[0].Invariant)
			require.Contains(t, r.text, c.want+": ")
			require.Contains(t, r.text, "\n  after: "+c.after+"\n", "the shortest counter-example")
			require.Contains(t, r.text, "  seeded: starts in waiting (cart.updated)\n", "with its timeline")
		})
	}
}

func TestCoverageNamesWhatWasMissed(t *testing.T) {
	var coverage journeytest.Coverage
	t.Run("story", func(t *testing.T) {
		s := journeytest.New(t, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 10:00", "Asia/Shanghai").Cover(&coverage)
		li := s.Customer("li").Consent("marketing", "sms").Does("cart.updated", "cart_id", "C1", "sku", "boots")
		s.Branch("paid", func(s *journeytest.Scenario) { li.Does("order.paid", "cart_id", "C1") })
		s.After(48 * time.Hour)
	})
	require.Equal(t, map[string][]string{"abandoned-cart": {
		"state not reached",
		"state left behind",
		"waiting → waiting (cart.updated)",
		"first reminder → not reached (cart failed)",
		"first reminder → not reached (after 3d)",
		"second reminder → left behind (after 7d)",
	}}, coverage.Missed())
	r := &recorder{TB: t}
	coverage.Require(r, 80)
	require.Contains(t, r.text, "4 of 6 states were entered and 5 of 9 edges taken, 80 % are required; missed:\n  abandoned-cart: state not reached\n")
}

func TestGoldenTimelines(t *testing.T) {
	play := func(tb testing.TB) *journeytest.Scenario {
		s := journeytest.New(tb, AbandonedCart(), shop.ContactPolicy(), "2026-11-10 20:30", "Asia/Shanghai")
		s.Customer("wu").Does("cart.updated", "cart_id", "C2", "sku", "hat")
		s.Customer("li").Consent("marketing", "wechat", "sms").Credit("wechat", "cart", 1).Does("cart.updated", "cart_id", "C1", "sku", "boots")
		return s.After(30 * 24 * time.Hour)
	}
	play(t).Golden("testdata/cart.golden")

	other := filepath.Join(t.TempDir(), "other.golden")
	require.NoError(t, os.WriteFile(other, []byte("li\n"), 0o644))
	r := &recorder{TB: t}
	play(r).Golden(other)
	require.Contains(t, r.text, "line 2\n  want \n  got    2026-11-10 20:30  abandoned-cart: starts in waiting (cart.updated)")
}
