package feedback_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
	"github.com/cxkit/cxkit/profile/commerce"
)

// A shop asks after an order has arrived, at most once in 90 days, and records
// the answer.
func Example() {
	ctx := context.Background()
	purchase := feedback.Survey{
		Name:    "purchase",
		Program: feedback.Transactional,
		Questions: []feedback.Question{
			{Key: "recommend", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)},
			{Key: "why", Kind: feedback.Text, Optional: true},
		},
		Cadence: 90 * 24 * time.Hour,
	}
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	c, err := feedback.New(feedback.Config{
		Surveys: []feedback.Survey{purchase},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	order := feedback.Occasion{Touchpoint: "delivery", Order: commerce.Key{Source: "web", Number: "A1"}, Outlet: "web"}
	inv, _ := c.Invite(ctx, feedback.Request{ID: "purchase/A1", Survey: "purchase", Customer: "li", Occasion: order})
	fmt.Println(inv)
	_, _ = c.Sent(ctx, inv.ID, now)

	now = now.Add(26 * time.Hour)
	_, _ = c.Record(ctx, feedback.Response{
		ID: "R1", Survey: "purchase", Invitation: inv.ID, Time: now,
		Answers: map[string]feedback.Answer{"recommend": feedback.Rate(9), "why": feedback.Say("quick")},
	})

	inv, _ = c.Invite(ctx, feedback.Request{ID: "purchase/A2", Survey: "purchase", Customer: "li"})
	fmt.Println(inv)

	tallies, _ := score.Collect(c.Responses(ctx, feedback.Query{Survey: "purchase"}), purchase, "recommend", score.ByMonth(time.UTC))
	fmt.Println("March:", tallies["2026-03"].Score(score.Options{MinSample: -1}))
	// Output:
	// purchase: may be asked
	// purchase: not asked: this survey has asked or heard the customer lately, again from 2026-05-31 12:00 UTC
	// March: NPS 100.0 [-48.5, 100.0], n=1
}
