package feedback_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/text"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

const day = 24 * time.Hour

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func collect(t testing.TB, cfg feedback.Config) *feedback.Collector {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	c, err := feedback.New(cfg)
	require.NoError(t, err)
	return c
}

func invite(t testing.TB, c *feedback.Collector, id, survey string, who profile.ID, after time.Duration) feedback.Invitation {
	t.Helper()
	inv, err := c.Invite(t.Context(), feedback.Request{ID: id, Survey: survey, Customer: who, Time: noon.Add(after)})
	require.NoError(t, err)
	return inv
}

func codes(inv feedback.Invitation) []feedback.Code {
	var out []feedback.Code
	for _, r := range inv.Reasons {
		out = append(out, r.Code)
	}
	return out
}

func TestEachSurveyHasItsOwnCadence(t *testing.T) {
	quick, slow := nps("quick", feedback.Transactional), nps("slow", feedback.Relational)
	quick.Cadence, slow.Cadence = 10*day, 180*day
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{quick, slow}})
	assert.True(t, invite(t, c, "1", "quick", "li", 0).Given())
	assert.True(t, invite(t, c, "2", "slow", "li", time.Hour).Given(), "the clock of one survey is not the other's")
	early := invite(t, c, "3", "quick", "li", 10*day-time.Microsecond)
	assert.Equal(t, []feedback.Reason{{Code: feedback.TooSoon, Name: "quick", Until: noon.Add(10 * day)}}, early.Reasons)
	assert.True(t, invite(t, c, "4", "quick", "li", 10*day).Given(), "at the very instant she may be asked again")
	assert.True(t, invite(t, c, "5", "slow", "wu", 0).Given())
}

func TestAnUnsolicitedAnswerCountsForCadence(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = 10 * day
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Budgets: []feedback.Budget{{Name: "b", Limit: 1, Window: 100 * day}}})
	_, err := c.Record(t.Context(), feedback.Response{ID: "r", Survey: "s", Customer: "li", Time: noon, Answers: map[string]feedback.Answer{"recommend": feedback.Rate(3)}})
	require.NoError(t, err)
	assert.Equal(t, []feedback.Code{feedback.TooSoon}, codes(invite(t, c, "1", "s", "li", day)))
	assert.True(t, invite(t, c, "2", "s", "li", 10*day).Given(), "an answer takes nothing of a budget")
}

func TestBudgetsHoldAcrossSurveysAndBrands(t *testing.T) {
	a, b, x := nps("a", feedback.Transactional), stars("b"), stars("x")
	a.Brand, b.Brand, x.Brand = "one", "one", "two"
	c := collect(t, feedback.Config{
		Surveys: []feedback.Survey{a, b, x},
		Budgets: []feedback.Budget{
			{Name: "brand one", Limit: 1, Window: 7 * day, Brand: "one"},
			{Name: "group", Limit: 2, Window: 30 * day},
		},
	})
	assert.True(t, invite(t, c, "1", "a", "li", 0).Given())
	inv := invite(t, c, "2", "b", "li", day)
	assert.Equal(t, []feedback.Reason{{Code: feedback.BudgetSpent, Name: "brand one", Until: noon.Add(7 * day)}}, inv.Reasons)
	assert.True(t, invite(t, c, "3", "x", "li", day).Given())
	inv = invite(t, c, "4", "b", "li", 8*day)
	assert.Equal(t, []feedback.Reason{{Code: feedback.BudgetSpent, Name: "group", Until: noon.Add(30 * day)}}, inv.Reasons)
	assert.Equal(t, "b: not asked: all surveys together have asked often enough (group), again from 2026-03-31 12:00 UTC", inv.String())
}

// TestNoOrderOfRequestsBreaksALimit: whatever the order in which requests
// arrive, given invitations keep every cadence and every budget window.
func TestNoOrderOfRequestsBreaksALimit(t *testing.T) {
	seed := uint64(11)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	a, b := nps("a", feedback.Transactional), nps("b", feedback.Transactional)
	a.Cadence, b.Cadence = 5*day, 9*day
	budget := feedback.Budget{Name: "all", Limit: 3, Window: 14 * day}
	for round := range 40 {
		c := collect(t, feedback.Config{Surveys: []feedback.Survey{a, b}, Budgets: []feedback.Budget{budget}})
		given := map[string][]time.Time{}
		var all []time.Time
		for n := range 60 {
			name := []string{"a", "b"}[rng.IntN(2)]
			at := time.Duration(rng.IntN(60*24)) * time.Hour
			inv := invite(t, c, fmt.Sprint(n), name, "li", at)
			if inv.Given() {
				given[name] = append(given[name], inv.Time)
				all = append(all, inv.Time)
				continue
			}
			require.NotEmpty(t, inv.Reasons)
			for _, r := range inv.Reasons {
				require.True(t, r.Until.After(inv.Time), "round %d: %v ends before it began", round, r)
			}
		}
		for _, s := range []feedback.Survey{a, b} {
			for i, x := range given[s.Name] {
				for _, y := range given[s.Name][:i] {
					require.GreaterOrEqual(t, x.Sub(y).Abs(), s.Cadence, "round %d", round)
				}
			}
		}
		for _, x := range all {
			n := 0
			for _, y := range all {
				if !y.Before(x) && y.Before(x.Add(budget.Window)) {
					n++
				}
			}
			require.LessOrEqual(t, n, budget.Limit, "round %d", round)
		}
	}
}

func TestConcurrentOccasionsTakeTheLastInvitationOnce(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = day
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Budgets: []feedback.Budget{{Name: "b", Limit: 5, Window: 30 * day}}})
	var mu sync.Mutex
	given := map[profile.ID]int{}
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			who := profile.ID([]string{"li", "wu"}[n%2])
			inv, err := c.Invite(t.Context(), feedback.Request{ID: fmt.Sprint(n), Survey: "s", Customer: who, Time: noon.Add(time.Duration(n/2) * day)})
			assert.NoError(t, err)
			if inv.Given() {
				mu.Lock()
				given[who]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for who, n := range given {
		// 32 days hold at most one window of 30 and two days of the next.
		assert.GreaterOrEqual(t, n, 5, who)
		assert.LessOrEqual(t, n, 7, who)
	}
}

func TestReasonsInTheirOrder(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence, s.MaxAge, s.Opens, s.Closes = 10*day, 7*day, noon, noon.Add(100*day)
	s.Audience, s.Exclude = "buyers", []string{"open case", "staff"}
	buyer, hasCase, staff := true, false, false
	c := collect(t, feedback.Config{
		Surveys: []feedback.Survey{s},
		Checks: map[string]feedback.Check{
			"buyers":    func(context.Context, feedback.Request) (bool, error) { return buyer, nil },
			"open case": func(context.Context, feedback.Request) (bool, error) { return hasCase, nil },
			"staff":     func(context.Context, feedback.Request) (bool, error) { return staff, nil },
		},
	})
	n := 0
	ask := func(change func(*feedback.Request)) []feedback.Code {
		n++
		r := feedback.Request{ID: fmt.Sprint(n), Survey: "s", Customer: "li", Time: noon}
		change(&r)
		inv, err := c.Invite(t.Context(), r)
		require.NoError(t, err)
		return codes(inv)
	}
	same := func(*feedback.Request) {}
	assert.Equal(t, []feedback.Code{feedback.Backfilled}, ask(func(r *feedback.Request) { r.Mode = profile.Backfill }))
	assert.Equal(t, []feedback.Code{feedback.SurveyNotOpen}, ask(func(r *feedback.Request) { r.Time = noon.Add(-1000) }))
	assert.Equal(t, []feedback.Code{feedback.SurveyNotOpen}, ask(func(r *feedback.Request) { r.Time = s.Closes }))
	assert.Equal(t, []feedback.Code{feedback.TooOld}, ask(func(r *feedback.Request) { r.Occasion.At = noon.Add(-7*day - 1000) }))
	buyer = false
	assert.Equal(t, []feedback.Code{feedback.OutsideAudience}, ask(same))
	buyer = true
	assert.Empty(t, ask(func(r *feedback.Request) { r.Occasion.At = noon.Add(-7 * day) }))
	hasCase, staff = true, true
	assert.Equal(t, []feedback.Code{feedback.Excluded, feedback.Excluded, feedback.TooSoon}, ask(same), "all that stands against it")
}

func TestTheExcludedShareIsReported(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Exclude, s.SampleBP = []string{"open case"}, 5000
	c := collect(t, feedback.Config{
		Surveys: []feedback.Survey{s},
		Checks: map[string]feedback.Check{"open case": func(_ context.Context, r feedback.Request) (bool, error) {
			return r.Customer[len(r.Customer)-1] == '0', nil // every tenth
		}},
	})
	for n := range 2000 {
		invite(t, c, fmt.Sprint("i", n), "s", profile.ID(fmt.Sprint("c", n)), 0)
	}
	for n := range 2000 { // delivered again: counted once
		invite(t, c, fmt.Sprint("i", n), "s", profile.ID(fmt.Sprint("c", n)), 0)
	}
	_, err := c.Invite(t.Context(), feedback.Request{ID: "old", Survey: "s", Customer: "x", Time: noon, Mode: profile.Backfill})
	require.NoError(t, err)
	cov, err := c.Coverage(t.Context(), "s", time.Time{}, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, 2000, cov.Occasions)
	assert.Equal(t, 1, cov.Backfilled)
	assert.InDelta(t, 1000, cov.Sampled, 80, "half of the occasions")
	assert.InDelta(t, .1, cov.ExcludedShare("open case"), .03)
	assert.Equal(t, cov.ExcludedShare("open case"), cov.ExcludedShare(""))
	assert.Equal(t, cov.Sampled, cov.Given+cov.ExcludedAny)
}

func TestALargerSampleContainsTheSmaller(t *testing.T) {
	small, large := nps("s", feedback.Transactional), nps("s", feedback.Transactional)
	small.SampleBP, large.SampleBP = 1000, 3000
	a, b := collect(t, feedback.Config{Surveys: []feedback.Survey{small}}), collect(t, feedback.Config{Surveys: []feedback.Survey{large}})
	inA, inB := 0, 0
	for n := range 1000 {
		id := fmt.Sprint("o", n)
		given := invite(t, b, id, "s", profile.ID(id), 0).Given()
		if invite(t, a, id, "s", profile.ID(id), 0).Given() {
			inA++
			assert.True(t, given)
		}
		if given {
			inB++
		}
	}
	assert.InDelta(t, 100, inA, 40)
	assert.InDelta(t, 300, inB, 60)
}

func TestAnInvitationRunsItsCourse(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Valid = 7 * day
	now := noon
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Now: func() time.Time { return now }})
	occasion := feedback.Occasion{Touchpoint: "delivery", Order: commerce.Key{Source: "web", Number: "A1"}, Outlet: "o", Step: "s1"}
	inv, err := c.Invite(t.Context(), feedback.Request{ID: "i", Survey: "s", Customer: "li", Occasion: occasion})
	require.NoError(t, err)
	assert.Equal(t, feedback.Reserved, inv.State)
	inv, err = c.Sent(t.Context(), "i", noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, noon.Add(time.Hour+7*day), inv.ExpiresAt)
	again, err := c.Sent(t.Context(), "i", noon.Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, inv, again)
	_, err = c.Sent(t.Context(), "i", noon.Add(2*time.Hour))
	assert.ErrorIs(t, err, feedback.ErrMismatch)

	answer := feedback.Response{
		ID: "r", Survey: "s", Invitation: "i", Time: noon.Add(2 * day), Occasion: feedback.Occasion{Channel: "wechat"},
		Answers: map[string]feedback.Answer{"recommend": feedback.Rate(7)},
	}
	r, err := c.Record(t.Context(), answer)
	require.NoError(t, err)
	assert.Equal(t, profile.ID("li"), r.Customer)
	occasion.Channel = "wechat"
	assert.Equal(t, occasion, r.Occasion, "the occasion comes from the invitation")
	repeated, err := c.Record(t.Context(), answer)
	require.NoError(t, err)
	assert.Equal(t, r, repeated)
	other := answer
	other.Answers = map[string]feedback.Answer{"recommend": feedback.Rate(8)}
	_, err = c.Record(t.Context(), other)
	assert.ErrorIs(t, err, feedback.ErrMismatch)
	other.ID = "r2"
	_, err = c.Record(t.Context(), other)
	assert.ErrorIs(t, err, feedback.ErrNotOpen, "one answer to an invitation")
	inv, err = c.Invitation(t.Context(), "i")
	require.NoError(t, err)
	assert.Equal(t, "s: answered on 2026-03-03 12:00 UTC", inv.String())
}

func TestTheTimeOfTheAnswerDecidesWhetherItIsLate(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Valid = 7 * day
	for _, swept := range []bool{false, true} {
		c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}})
		for _, id := range []string{"a", "b"} {
			invite(t, c, id, "s", profile.ID(id), 0)
			_, err := c.Sent(t.Context(), id, noon)
			require.NoError(t, err)
		}
		if swept {
			n, err := c.RunDue(t.Context(), noon.Add(8*day), 10)
			require.NoError(t, err)
			assert.Equal(t, 2, n)
		}
		answer := func(id string, at time.Duration) error {
			_, err := c.Record(t.Context(), feedback.Response{
				ID: "r" + id, Survey: "s", Invitation: id, Time: noon.Add(at), Answers: map[string]feedback.Answer{"recommend": feedback.Rate(7)},
			})
			return err
		}
		assert.NoError(t, answer("a", 7*day-time.Microsecond), "arrived late, answered in time; swept=%t", swept)
		assert.ErrorIs(t, answer("b", 7*day), feedback.ErrNotOpen, "swept=%t", swept)
	}
}

func TestAReservationNotSentIsVoidAtItsInstant(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = 30 * day
	for _, swept := range []bool{false, true} {
		c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Hold: day})
		invite(t, c, "a", "s", "li", 0)
		if swept {
			_, err := c.RunDue(t.Context(), noon.Add(2*day), 10)
			require.NoError(t, err)
		}
		assert.False(t, invite(t, c, "b", "s", "li", day-time.Microsecond).Given())
		assert.True(t, invite(t, c, "c", "s", "li", day).Given())
		_, err := c.Sent(t.Context(), "a", noon.Add(day))
		assert.ErrorIs(t, err, feedback.ErrNotOpen)
	}
}

func TestCancelingFreesWhatWasReserved(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = 30 * day
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}})
	invite(t, c, "a", "s", "li", 0)
	for range 2 {
		inv, err := c.Cancel(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, feedback.Canceled, inv.State)
	}
	invite(t, c, "b", "s", "li", time.Hour)
	_, err := c.Sent(t.Context(), "b", noon.Add(time.Hour))
	require.NoError(t, err)
	_, err = c.Cancel(t.Context(), "b")
	assert.ErrorIs(t, err, feedback.ErrNotOpen)
}

func TestMergedCustomersShareTheirCadence(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = 30 * day
	c := collect(t, feedback.Config{
		Surveys: []feedback.Survey{s},
		SameAs: func(_ context.Context, id profile.ID) ([]profile.ID, error) {
			if id == "new" || id == "old" {
				return []profile.ID{"new", "old"}, nil
			}
			return nil, nil
		},
	})
	assert.True(t, invite(t, c, "1", "s", "old", 0).Given())
	assert.False(t, invite(t, c, "2", "s", "new", day).Given())
	_, err := c.Sent(t.Context(), "1", noon)
	require.NoError(t, err)
	_, err = c.Record(t.Context(), feedback.Response{ID: "r", Survey: "s", Invitation: "1", Customer: "new", Time: noon, Answers: map[string]feedback.Answer{"recommend": feedback.Rate(1)}})
	require.NoError(t, err)
	repeated, err := c.Invite(t.Context(), feedback.Request{ID: "1", Survey: "s", Customer: "new", Time: noon.Add(5 * day)})
	require.NoError(t, err, "the same occasion again, later and under the new ID")
	assert.Equal(t, feedback.Answered, repeated.State)
	_, err = c.Invite(t.Context(), feedback.Request{ID: "1", Survey: "s", Customer: "wu"})
	assert.ErrorIs(t, err, feedback.ErrMismatch)
	d, err := c.Export(t.Context(), "new")
	require.NoError(t, err)
	assert.Len(t, d.Invitations, 2)
	assert.Len(t, d.Responses, 1)
}

func TestAReviewIsKeyedByReviewAndOrder(t *testing.T) {
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{stars("reviews")}})
	record := func(review, order string, n int) error {
		_, err := c.Record(t.Context(), feedback.Response{
			ID: feedback.ReviewID("olist", review, order), Survey: "reviews", Time: noon, Mode: profile.Backfill,
			Occasion: feedback.Occasion{Order: commerce.Key{Source: "olist", Number: order}},
			Answers:  map[string]feedback.Answer{"stars": feedback.Rate(n)},
		})
		return err
	}
	require.NoError(t, record("v1", "o1", 5))
	require.NoError(t, record("v1", "o1", 5))
	require.NoError(t, record("v1", "o2", 5), "one review of two orders")
	require.NoError(t, record("v2", "o1", 1), "two reviews of one order")
	assert.ErrorIs(t, record("v1", "o1", 4), feedback.ErrMismatch)
	assert.NotContains(t, feedback.ReviewID("olist", "v1", "o1"), "o1")
	n := 0
	for _, err := range c.Responses(t.Context(), feedback.Query{}) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 3, n)
}

func TestBadAnswersAreRefusedWithTheQuestionNamed(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Questions = append(s.Questions, feedback.Question{Key: "what", Kind: feedback.Choice, Choices: []string{"price", "fit"}, Optional: true})
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}})
	good := func() feedback.Response {
		return feedback.Response{ID: "r", Survey: "s", Time: noon, Answers: map[string]feedback.Answer{"recommend": feedback.Rate(5)}}
	}
	for says, spoil := range map[string]func(*feedback.Response){
		"no answer":       func(r *feedback.Response) { r.Answers = nil },
		"11 is not on":    func(r *feedback.Response) { r.Answers["recommend"] = feedback.Rate(11) },
		"not rated":       func(r *feedback.Response) { r.Answers["recommend"] = feedback.Say("ten") },
		`no question "x"`: func(r *feedback.Response) { r.Answers["x"] = feedback.Rate(1) },
		"has no scale":    func(r *feedback.Response) { r.Answers["why"] = feedback.Rate(1) },
		"not offered":     func(r *feedback.Response) { r.Answers["what"] = feedback.Pick("color") },
		"more than one":   func(r *feedback.Response) { r.Answers["what"] = feedback.Pick("price", "fit") },
		"NUL":             func(r *feedback.Response) { r.Answers["why"] = feedback.Say("a\x00b") },
		"characters": func(r *feedback.Response) {
			r.Answers["why"] = feedback.Say(string(make([]rune, feedback.MaxTextRunes+1)))
		},
		"ID: empty":           func(r *feedback.Response) { r.ID = "" },
		"no time":             func(r *feedback.Response) { r.Time = time.Time{} },
		"years 1 to 9999":     func(r *feedback.Response) { r.Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
		"invalid customer ID": func(r *feedback.Response) { r.Customer = "\xff" },
	} {
		r := good()
		spoil(&r)
		_, err := c.Record(t.Context(), r)
		require.ErrorIs(t, err, feedback.ErrInvalid, says)
		assert.ErrorContains(t, err, says)
	}
	r := good()
	r.Survey = "none"
	_, err := c.Record(t.Context(), r)
	assert.ErrorIs(t, err, feedback.ErrUnknownSurvey)
	_, err = c.Record(t.Context(), good())
	assert.NoError(t, err, "what was refused left the ID free")
}

func TestAFailingCheckGivesNothing(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Exclude = []string{"open case"}
	down := errors.New("down")
	var failure error = down
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Checks: map[string]feedback.Check{
		"open case": func(context.Context, feedback.Request) (bool, error) { return false, failure },
	}})
	r := feedback.Request{ID: "i", Survey: "s", Customer: "li"}
	_, err := c.Invite(t.Context(), r)
	assert.ErrorIs(t, err, down)
	failure = nil
	inv, err := c.Invite(t.Context(), r)
	require.NoError(t, err)
	assert.True(t, inv.Given(), "the failed request left its ID free")
}

func TestCheckingRecordsNothing(t *testing.T) {
	s := nps("s", feedback.Transactional)
	s.Cadence = day
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}})
	for range 2 {
		inv, err := c.Check(t.Context(), feedback.Request{ID: "i", Survey: "s", Customer: "li"})
		require.NoError(t, err)
		assert.True(t, inv.Given())
	}
	_, err := c.Invitation(t.Context(), "i")
	assert.ErrorIs(t, err, feedback.ErrNotFound)
}

func TestTheDefaultClockWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := nps("s", feedback.Transactional)
		s.Cadence = 90 * day
		c, err := feedback.New(feedback.Config{Surveys: []feedback.Survey{s}})
		require.NoError(t, err)
		given := 0
		for n := range 365 {
			inv, err := c.Invite(t.Context(), feedback.Request{ID: fmt.Sprint(n), Survey: "s", Customer: "li"})
			require.NoError(t, err)
			if inv.Given() {
				given++
				_, err = c.Sent(t.Context(), inv.ID, time.Now())
				require.NoError(t, err)
			}
			time.Sleep(day)
		}
		assert.Equal(t, 5, given)
	})
}

func TestCommentsAreMaskedBeforeTheyAreStored(t *testing.T) {
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{nps("s", feedback.Transactional)}, Mask: text.Mask})
	r := feedback.Response{ID: "r", Survey: "s", Time: noon, Answers: map[string]feedback.Answer{
		"recommend": feedback.Rate(3).Because("请打13800138000"), "why": feedback.Say("li@example.com"),
	}}
	for range 2 {
		got, err := c.Record(t.Context(), r)
		require.NoError(t, err)
		assert.Equal(t, "请打[phone]", got.Answers["recommend"].Text)
		assert.Equal(t, "[email]", got.Answers["why"].Text)
	}
	assert.Equal(t, "li@example.com", r.Answers["why"].Text, "the caller's response is untouched")
}

func TestRecordsAreKeptAsLongAsStated(t *testing.T) {
	s := nps("s", feedback.Transactional)
	now := noon.Add(100 * day)
	c := collect(t, feedback.Config{Surveys: []feedback.Survey{s}, Now: func() time.Time { return now }})
	answer := func(id string, age time.Duration) feedback.Response {
		return feedback.Response{ID: id, Survey: "s", Customer: "li", Time: now.Add(-age), Answers: map[string]feedback.Answer{
			"recommend": feedback.Rate(3).Because("late"), "why": feedback.Say("long"),
		}}
	}
	for id, age := range map[string]time.Duration{"old": 90 * day, "aged": 30 * day, "new": 30*day - time.Microsecond} {
		_, err := c.Record(t.Context(), answer(id, age))
		require.NoError(t, err)
	}
	invite(t, c, "withheld", "s", "wu", 0)
	_, err := c.Cancel(t.Context(), "withheld")
	require.NoError(t, err)
	invite(t, c, "waiting", "s", "zhu", 0)
	kept := feedback.Retention{Invitations: 60 * day, Texts: 30 * day, Responses: 90 * day}
	got, err := c.Purge(t.Context(), now, kept)
	require.NoError(t, err)
	assert.Equal(t, feedback.Purged{Invitations: 1, Texts: 1, Responses: 1}, got)
	got, err = c.Purge(t.Context(), now, kept)
	require.NoError(t, err)
	assert.Zero(t, got, "nothing is left to do")
	texts := map[string]string{}
	for r, err := range c.Responses(t.Context(), feedback.Query{}) {
		require.NoError(t, err)
		texts[r.ID] = r.Answers["recommend"].Text + r.Answers["why"].Text
	}
	assert.Equal(t, map[string]string{"aged": "", "new": "latelong"}, texts)
	_, err = c.Record(t.Context(), answer("aged", 30*day))
	assert.NoError(t, err, "a repeated delivery is still the same")
	_, err = c.Invitation(t.Context(), "waiting")
	assert.NoError(t, err, "what is open is kept")
	_, err = c.Purge(t.Context(), now, feedback.Retention{Texts: -1})
	assert.ErrorIs(t, err, feedback.ErrInvalid)
}

// faulty fails commits at random, before or after they are done.
type faulty struct {
	feedback.Store
	rng *rand.Rand
}

var errLost = errors.New("connection lost")

func (f faulty) Commit(ctx context.Context, b feedback.Batch) error {
	switch f.rng.IntN(4) {
	case 0:
		return errLost
	case 1:
		if err := f.Store.Commit(ctx, b); err != nil {
			return err
		}
		return errLost // done, but nobody was told
	}
	return f.Store.Commit(ctx, b)
}

// TestRetriesAfterFaultsHaveOneEffect repeats every call until it succeeds.
func TestRetriesAfterFaultsHaveOneEffect(t *testing.T) {
	seed := uint64(23)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 11))
	s := nps("s", feedback.Transactional)
	c := collect(t, feedback.Config{
		Store: faulty{feedback.NewMemory(), rng}, Surveys: []feedback.Survey{s}, Budgets: []feedback.Budget{{Name: "b", Limit: 2, Window: 7 * day}},
	})
	until := func(call func() error) {
		for range 100 {
			err := call()
			if err == nil {
				return
			}
			require.ErrorIs(t, err, errLost)
		}
		t.Fatal("never succeeded")
	}
	given := 0
	for n := range 60 {
		id, at := fmt.Sprint(n), noon.Add(time.Duration(n)*day)
		var inv feedback.Invitation
		until(func() (err error) {
			inv, err = c.Invite(t.Context(), feedback.Request{ID: id, Survey: "s", Customer: "li", Time: at})
			return err
		})
		if !inv.Given() {
			continue
		}
		given++
		until(func() error { _, err := c.Sent(t.Context(), id, at); return err })
		until(func() error {
			_, err := c.Record(t.Context(), feedback.Response{ID: "r" + id, Survey: "s", Invitation: id, Time: at, Answers: map[string]feedback.Answer{"recommend": feedback.Rate(9)}})
			return err
		})
	}
	assert.Equal(t, 18, given, "2 in each of 8 weeks and 2 in the rest")
	d, err := c.Export(t.Context(), "li")
	require.NoError(t, err)
	assert.Len(t, d.Responses, given)
	cov, err := c.Coverage(t.Context(), "s", time.Time{}, time.Time{})
	require.NoError(t, err)
	assert.Equal(t, given, cov.Answered)
	assert.Equal(t, 60, cov.Occasions)
}
