package sqltest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

var feedbackHistories = flag.Int("feedback.histories", 8, "random histories of surveys and cases on each engine")

// TestFeedbackHistoriesAreEqual does the same random things with surveys and
// cases in memory and on an engine: every answer, error, page and sweep is equal.
func TestFeedbackHistoriesAreEqual(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyFeedback(t, e)
			for seed := range uint64(*feedbackHistories) {
				s := open(t)
				sameLines(t, seed, surveyHistory(t, seed, feedback.NewMemory()), surveyHistory(t, seed, s))
				sameLines(t, seed, caseHistory(t, seed, care.NewMemory()), caseHistory(t, seed, s.Care()))
			}
		})
	}
}

// surveyHistory is what a collector says over a store.
func surveyHistory(t *testing.T, seed uint64, s feedback.Store) []string {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 21))
	now := spring
	question := feedback.Question{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}
	why := feedback.Question{Key: "why", Kind: feedback.Text, Optional: true}
	merged := map[profile.ID][]profile.ID{}
	c, err := feedback.New(feedback.Config{
		Store: s, Now: func() time.Time { return now }, Hold: 3 * time.Hour,
		Surveys: []feedback.Survey{
			{Name: "nps", Program: feedback.Transactional, Questions: []feedback.Question{question, why}, Cadence: 20 * time.Hour, Valid: 48 * time.Hour},
			{Name: "brand", Program: feedback.Relational, Brand: "b", Questions: []feedback.Question{question}, MaxAge: 30 * time.Hour, SampleBP: 7000},
		},
		Budgets: []feedback.Budget{{Name: "week", Limit: 3, Window: 7 * 24 * time.Hour}},
		SameAs:  func(_ context.Context, id profile.ID) ([]profile.ID, error) { return append(merged[id], id), nil },
	})
	require.NoError(t, err)
	var log []string
	note := func(what string, v any, err error) {
		if errors.Is(err, feedback.ErrConflict) {
			t.Fatalf("seed %d: a conflict with nobody: %v", seed, err)
		}
		log = append(log, fmt.Sprint(what, " ", line(v), " ", err))
	}
	customer := func() profile.ID { return profile.ID(fmt.Sprint("客", r.IntN(5))) }
	invitation := func() string { return fmt.Sprint("邀", r.IntN(60)) }
	survey := func() string { return []string{"nps", "nps", "brand", "none"}[r.IntN(4)] }
	when := func() time.Time { return now.Add(-time.Duration(r.IntN(40)) * time.Hour) }
	for range 150 {
		now = now.Add(time.Duration(r.IntN(300)) * time.Minute)
		switch op := r.IntN(20); {
		case op < 6:
			x, err := c.Invite(ctx, feedback.Request{
				ID: invitation(), Survey: survey(), Customer: customer(), Time: when(), Mode: profile.Mode(r.IntN(5) / 4),
				Occasion: feedback.Occasion{Touchpoint: "配送", Order: commerce.Key{Source: "web", Number: fmt.Sprint(r.IntN(9))}, At: when()},
			})
			note("invited", x, err)
		case op < 9:
			x, err := c.Sent(ctx, invitation(), when())
			note("sent", x, err)
		case op < 10:
			x, err := c.Cancel(ctx, invitation())
			note("canceled", x, err)
		case op < 15:
			x := feedback.Response{
				ID: fmt.Sprint("答", r.IntN(60)), Survey: survey(), Customer: customer(), Time: when(), Mode: profile.Mode(r.IntN(5) / 4),
				Answers: map[string]feedback.Answer{"q": feedback.Rate(r.IntN(13))},
			}
			if r.IntN(2) == 0 {
				x.Invitation = invitation()
				if i, err := c.Invitation(ctx, x.Invitation); err == nil {
					x.Survey, x.Customer = i.Survey, i.Customer
				}
			}
			if x.Survey == "nps" && r.IntN(2) == 0 {
				x.Answers["why"] = feedback.Say("很好 👍 \"quoted\"\n")
			}
			x, err := c.Record(ctx, x)
			note("recorded", x, err)
		case op < 17:
			n, err := c.RunDue(ctx, now, 1+r.IntN(9))
			note("swept", n, err)
		case op < 18:
			n, err := c.Purge(ctx, now, feedback.Retention{Invitations: 300 * time.Hour, Texts: 200 * time.Hour, Responses: 400 * time.Hour})
			note("purged", n, err)
		case op < 19:
			a, b := customer(), customer()
			if a != b && len(merged[b]) == 0 {
				merged[a] = append(merged[a], b)
			}
			x, err := c.Coverage(ctx, "nps", time.Time{}, now)
			note("covered", x, err)
		default:
			id := customer()
			if r.IntN(3) == 0 {
				note("erased", nil, c.Erase(ctx, id))
			}
			x, err := c.Export(ctx, id)
			note("exported", x, err)
		}
	}
	for _, q := range []feedback.Query{{}, {Survey: "nps", Limit: 3}, {Customer: "客1"}, {From: spring.Add(100 * time.Hour), To: spring.Add(200 * time.Hour)}} {
		for x, err := range c.Invitations(ctx, q) {
			note("page", x, err)
		}
		for x, err := range c.Responses(ctx, q) {
			note("page", x, err)
		}
	}
	return log
}

// caseHistory is what a desk says over a store.
func caseHistory(t *testing.T, seed uint64, s care.Store) []string {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 22))
	now := spring
	var log []string
	deaf := true // the listener is, now and then
	d, err := care.New(care.Config{
		Store: s, Now: func() time.Time { return now },
		Policies: []care.Policy{{Targets: []care.Target{
			{Name: "answer", Goal: care.Responded, Within: 4 * time.Hour}, {Name: "resolve", Goal: care.Done, Within: 30 * time.Hour, EscalateAt: []int{50}},
		}}},
		Notify: func(_ context.Context, n care.Notice) error {
			if deaf {
				return errors.New("not now")
			}
			log = append(log, "notice "+line(n))
			return nil
		},
	})
	require.NoError(t, err)
	note := func(what string, v any, err error) {
		if errors.Is(err, care.ErrConflict) {
			t.Fatalf("seed %d: a conflict with nobody: %v", seed, err)
		}
		log = append(log, fmt.Sprint(what, " ", line(v), " ", err))
	}
	customer := func() profile.ID { return profile.ID(fmt.Sprint("客", r.IntN(5))) }
	id := func() string { return fmt.Sprint("案", r.IntN(12)) }
	item := func() string { return fmt.Sprint("表", r.IntN(4)) }
	kinds := []care.Kind{care.Complaint, care.Return, care.Exchange, care.Repair, care.Request}
	for range 150 {
		now = now.Add(time.Duration(r.IntN(200)) * time.Minute)
		deaf = r.IntN(3) == 0
		switch op := r.IntN(20); {
		case op < 4:
			x, err := d.Open(ctx, care.Opening{
				ID: id(), Kind: kinds[r.IntN(len(kinds))], Customer: customer(), Time: now.Add(-time.Duration(r.IntN(3)) * time.Hour),
				Text: "拉链坏了", Serial: item(), Outlet: "o1", Mode: profile.Mode(r.IntN(6) / 5),
			})
			note("opened", x, err)
		case op < 13:
			a := care.Action{ID: fmt.Sprint("a", r.IntN(40)), Case: id(), Time: now, Actor: "x", Note: "注"}
			if c, err := d.Case(ctx, a.Case); err == nil && r.IntN(4) > 0 {
				if flow, ok := d.Flow(c.Kind); ok {
					if verbs := flow.Verbs(c.State); len(verbs) > 0 {
						a.Verb = verbs[r.IntN(len(verbs))]
					}
				}
			}
			switch r.IntN(6) {
			case 0:
				a.Lend = "L" + item()
			case 1:
				a.Reclaim = "L" + item()
			case 2:
				a.Promise = now.Add(time.Duration(r.IntN(60)) * time.Hour)
			case 3:
				a.Reply = true
			}
			x, err := d.Act(ctx, a)
			note("acted", x, err)
		case op < 14:
			x, err := d.Register(ctx, care.Product{ID: item(), Customer: customer(), SKU: "手表", BoughtAt: now, WarrantyUntil: now.Add(90 * time.Hour)})
			note("registered", x, err)
		case op < 15:
			x, err := d.PassOn(ctx, item(), customer())
			note("passed on", x, err)
		case op < 17:
			n, err := d.RunDue(ctx, now, 1+r.IntN(9))
			note("swept", n, err)
		case op < 18:
			n, err := d.Purge(ctx, now, care.Retention{Texts: 100 * time.Hour, Cases: 200 * time.Hour, Products: 100 * time.Hour})
			note("purged", n, err)
		default:
			who := customer()
			if r.IntN(4) == 0 {
				note("erased", nil, d.Erase(ctx, who))
			}
			x, err := d.Export(ctx, who)
			note("exported", x, err)
			y, err := d.Attainment(ctx, care.Query{}, now)
			note("attained", y, err)
		}
	}
	for _, q := range []care.Query{{}, {Kind: care.Repair, Limit: 2}, {Customer: "客1", Open: true}, {From: spring.Add(50 * time.Hour)}} {
		for x, err := range d.Cases(ctx, q) {
			note("page", x, err)
		}
	}
	for n := range 5 {
		for x, err := range d.Products(ctx, profile.ID(fmt.Sprint("客", n))) {
			note("product", x, err)
		}
	}
	return log
}
