package program_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// club is a program under a clock that the test moves.
type club struct {
	*program.Program
	t   *testing.T
	now time.Time
	n   int
}

func newClub(t *testing.T, d program.Definition) *club {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	c := &club{t: t, now: time.Date(2026, 1, 15, 12, 0, 0, 0, zone)}
	c.Program, err = program.New(program.Config{Now: func() time.Time { return c.now }, Zone: zone, Definition: d})
	require.NoError(t, err)
	return c
}

func (c *club) spend(account string, amount int64) {
	c.t.Helper()
	c.n++
	_, err := c.Ledger().Post(context.Background(), loyalty.Earn{Key: fmt.Sprint("spend/", c.n), Account: account, Unit: "spend", Amount: amount})
	require.NoError(c.t, err)
}

func (c *club) review(account string) *program.TierChange {
	c.t.Helper()
	change, err := c.Review(context.Background(), account, c.now)
	require.NoError(c.t, err)
	return change
}

func (c *club) tier(account string) program.TierState {
	c.t.Helper()
	s, err := c.Tier(context.Background(), account)
	require.NoError(c.t, err)
	return s
}

var ladder = program.Ladder{
	Unit: "spend", WindowMonths: 12, ReviewMonths: 12,
	Tiers: []program.Tier{{Name: "silver", Threshold: 100}, {Name: "gold", Threshold: 500}},
}

func TestATierIsReachedAtOnceAndLostAtAReviewOnly(t *testing.T) {
	c := newClub(t, program.Definition{Tiers: &ladder})
	c.spend("card", 99)
	require.Nil(t, c.review("card"))
	c.spend("card", 401)
	change := c.review("card")
	require.Equal(t, "gold", change.To)
	require.Equal(t, int64(500), change.Qualifying)
	require.Equal(t, `reached: tier "" to "gold" on 2026-01-15, 500 spend in the window`, change.String())

	// The points leave the window after a year, or go back before; the tier stays.
	start := c.now
	_, err := c.Ledger().Post(t.Context(), loyalty.Return{Key: "back", Award: "spend/2"})
	require.NoError(t, err)
	c.now = start.AddDate(0, 11, 0)
	c.spend("card", 120)
	require.Nil(t, c.review("card"))
	require.Equal(t, "gold", c.tier("card").Tier)

	// The review is at the end of the day twelve months on, whenever it is held.
	require.Equal(t, "2027-01-15T16:00:00Z", c.tier("card").ReviewAt.UTC().Format(time.RFC3339))
	c.now = start.AddDate(1, 0, 3)
	change = c.review("card")
	require.Equal(t, "silver", change.To)
	require.True(t, change.Review)
	require.Equal(t, "2027-01-15T16:00:00Z", change.At.UTC().Format(time.RFC3339))
	require.Nil(t, c.review("card"), "held once")

	history, err := c.TierHistory(t.Context(), "card")
	require.NoError(t, err)
	require.Len(t, history, 2)
}

func TestAReviewIsHeldAsOfItsInstant(t *testing.T) {
	c := newClub(t, program.Definition{Tiers: &ladder})
	c.spend("card", 100)
	require.Equal(t, "silver", c.review("card").To)
	// Bought after the review: it does not save the tier, but earns it again.
	c.now = c.now.AddDate(1, 0, 2)
	c.spend("card", 100)
	change := c.review("card")
	require.Equal(t, "silver", change.To)
	history, err := c.TierHistory(t.Context(), "card")
	require.NoError(t, err)
	require.Len(t, history, 3)
	require.Equal(t, "", history[1].To)
}

func TestRunReviewsFindsWhatIsDue(t *testing.T) {
	c := newClub(t, program.Definition{Tiers: &ladder})
	for _, card := range []string{"a", "b", "c"} {
		c.spend(card, 100)
		c.review(card)
	}
	c.now = c.now.AddDate(0, 6, 0)
	changes, err := c.RunReviews(t.Context(), c.now, 0)
	require.NoError(t, err)
	require.Empty(t, changes)
	c.spend("b", 100)
	c.now = c.now.AddDate(0, 7, 0)
	changes, err = c.RunReviews(t.Context(), c.now, 0)
	require.NoError(t, err)
	require.Len(t, changes, 2, "a and c fall, b is confirmed")
	require.Equal(t, "silver", c.tier("b").Tier)
	changes, err = c.RunReviews(t.Context(), c.now, 0)
	require.NoError(t, err)
	require.Empty(t, changes)
}

func TestMergingMemberships(t *testing.T) {
	for name, policy := range map[string]program.MergePolicy{
		"the older card":        {Once: []string{"welcome"}},
		"the newer card":        {Card: program.CardNewer, Once: []string{"welcome"}},
		"the higher tier":       {Card: program.CardTier, Once: []string{"welcome"}},
		"the card used last":    {Card: program.CardLatest, Once: []string{"welcome"}},
		"tier by the joint sum": {Tier: program.TierRequalify, Once: []string{"welcome"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := newClub(t, program.Definition{
				Rules: []program.Rule{{Name: "welcome", Points: 1, Per: 1}},
				Tiers: &ladder, Merge: policy,
			})
			gift := func(card string) {
				_, err := c.Ledger().Post(ctx, loyalty.Earn{Key: "welcome/" + card, Account: card, Amount: 50, Rule: "welcome@1"})
				require.NoError(t, err)
			}
			gift("old")
			require.NoError(t, c.Ledger().Bind(ctx, loyalty.Binding{Profile: "anna", Account: "old"}))
			c.now = c.now.Add(time.Hour)
			gift("new")
			require.NoError(t, c.Ledger().Bind(ctx, loyalty.Binding{Profile: "anna-2", Account: "new"}))
			c.spend("new", 300)
			c.review("new")
			c.now = c.now.Add(time.Hour)
			c.spend("old", 250)
			c.review("old")
			c.now = c.now.Add(time.Minute)
			c.spend("new", 200)
			c.review("new")
			require.Equal(t, "silver", c.tier("old").Tier)
			require.Equal(t, "gold", c.tier("new").Tier)

			proposals, err := c.ProposeMerges(ctx, "anna", "anna-2")
			require.NoError(t, err)
			require.Len(t, proposals, 1)
			p := proposals[0]
			want := "old"
			if policy.Card == program.CardNewer || policy.Card == program.CardTier || policy.Card == program.CardLatest {
				want = "new"
			}
			require.Equal(t, want, p.Into, p.String())
			require.Equal(t, []program.Duplicate{{Award: "welcome/new", Rule: "welcome", Account: "new"}}, p.Duplicates, "the first gift stays")

			for range 2 { // a second time changes nothing
				_, err = c.Merge(ctx, p, "same-person", "desk")
				require.NoError(t, err)
				b, err := c.Ledger().Balance(ctx, p.Into, "", loyalty.AsOf{})
				require.NoError(t, err)
				require.Equal(t, int64(50), b.Total(), "one welcome gift")
				b, err = c.Ledger().Balance(ctx, p.Into, "spend", loyalty.AsOf{})
				require.NoError(t, err)
				require.Equal(t, int64(750), b.Total())
				require.Equal(t, "gold", c.tier(p.Into).Tier)
				for _, id := range []profile.ID{"anna", "anna-2"} {
					ms, err := c.Ledger().Memberships(ctx, id, time.Time{})
					require.NoError(t, err)
					require.Equal(t, []string{p.Into}, ms)
				}
			}
			proposals, err = c.ProposeMerges(ctx, "anna", "anna-2")
			require.NoError(t, err)
			require.Empty(t, proposals)
			_, err = c.Ledger().Verify(ctx, loyalty.Anchor{})
			require.NoError(t, err)
		})
	}
}

// TestDeferredRevenue reproduces the worked example of IFRS 15.
func TestDeferredRevenue(t *testing.T) {
	d := program.Deferral{Allocated: 9000}
	first := d.Recognized(4500, 9700)
	require.Equal(t, int64(4175), first)
	require.Equal(t, int64(3552), d.Recognized(8500, 9900)-first)
	require.Equal(t, int64(4140), d.Recognized(8500, 9200)-first)
	require.Equal(t, int64(9000), d.Recognized(9900, 9900))
	require.Equal(t, int64(9000), d.Liability(0, 9900))
	require.Zero(t, d.Recognized(5, 0))
}

func TestBackfillAwardsNothing(t *testing.T) {
	c := newClub(t, program.Definition{Rules: []program.Rule{{Name: "base", Points: 1, Per: 100}}})
	o, err := commerce.Fold([]commerce.Event{{
		ID: "1", Time: c.now, Order: commerce.Key{Source: "till", Number: "1"}, Kind: commerce.Paid, Currency: "CNY",
		Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 500_00}}, Payments: []commerce.Payment{{Tender: "cash", Amount: 500_00}},
	}})
	require.NoError(t, err)
	done, err := c.Apply(t.Context(), "card", o, profile.Backfill)
	require.NoError(t, err)
	require.Equal(t, program.Historic, done.Skipped)
	done, err = c.Apply(t.Context(), "card", o, profile.Live)
	require.NoError(t, err)
	require.Len(t, done.Awarded, 1)
	require.Empty(t, done.Skipped)
}
