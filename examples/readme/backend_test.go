package readme

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

func TestAnErasureReachesEveryPackageUnderEveryID(t *testing.T) {
	now := day
	clock := func() time.Time { return now }
	port := journey.Port{Handle: func(context.Context, journey.Dispatch) journey.Answer { return journey.Confirm("") }}
	stars := feedback.Question{Key: "stars", Kind: feedback.Stars, Scale: feedback.UsualScale(feedback.Stars)}
	b := Backend{
		customers: must(profile.New(profile.Config{Now: clock, ErasureKeys: [][]byte{[]byte("sixteen bytes or more, kept secret")}})),
		journeys:  must(journey.New(journey.Config{Now: clock, Contact: ContactPolicy(), Channels: map[string]journey.Port{"sms": port, "wechat": port}})),
		surveys:   must(feedback.New(feedback.Config{Now: clock, Surveys: []feedback.Survey{{Name: "order", Questions: []feedback.Question{stars}}}})),
		desk:      must(care.New(care.Config{Now: clock})),
		ledger:    must(loyalty.New(loyalty.Config{Now: clock})),
	}
	b.audiences = must(segment.New(segment.Config{History: b.customers}))
	must(0, b.audiences.Define(ctx, now, segment.Definition{Name: "shoppers", Rule: segment.Events("cart.updated").AtLeast(1)}))
	must(0, b.journeys.Deploy(ctx, AbandonedCart()))

	// Two strangers fill carts, complain, answer, have cards; then they turn out to be one.
	card, phone := profile.Identifier{Kind: "member", Value: "M7"}, profile.Identifier{Kind: "phone", Value: "138 0013 8000"}
	see := func(id string, who ...profile.Identifier) profile.ID {
		e := profile.Event{ID: id, Name: "cart.updated", Time: now, Identifiers: who, Properties: profile.Values{"cart_id": profile.Text(id)}}
		customer := must(b.customers.Observe(ctx, e)).Profile
		require.NoError(t, b.Follow(ctx))
		must(b.journeys.Ingest(ctx, journey.FromEvent(e, customer)))
		return customer
	}
	ids := []profile.ID{see("C1", card), see("C2", phone)}
	for i, id := range ids {
		must(b.surveys.Record(ctx, feedback.Response{ID: fmt.Sprint("R", i), Survey: "order", Customer: id, Time: now, Answers: map[string]feedback.Answer{"stars": feedback.Rate(4)}}))
		must(b.desk.Open(ctx, care.Opening{ID: fmt.Sprint("K", i), Kind: care.Complaint, Customer: id, Time: now, Text: "it is I"}))
		must(0, b.ledger.Bind(ctx, loyalty.Binding{Profile: id, Account: fmt.Sprint("card-", i)}))
	}
	require.Equal(t, ids[0], see("C3", card, phone))

	// held is everything that any package keeps under an ID.
	held := func(id profile.ID) (n int) {
		for transition, err := range b.audiences.Export(ctx, id) {
			require.NotZero(t, must(transition, err))
			n++
		}
		journeys, surveys, cases := must(b.journeys.Export(ctx, id)), must(b.surveys.Export(ctx, id)), must(b.desk.Export(ctx, id))
		n += len(journeys.Instances) + len(journeys.History) + len(surveys.Responses) + len(cases.Cases)
		return n + len(must(b.ledger.Export(ctx, id)).Bindings)
	}
	require.NotZero(t, held(ids[0]))
	require.NotZero(t, held(ids[1]))

	now = now.Add(time.Hour)
	must(b.customers.Erase(ctx, ids[1], profile.Erasure{Decision: profile.Decision{Actor: "privacy desk"}}))
	require.NoError(t, b.Follow(ctx))
	require.Zero(t, held(ids[0]))
	require.Zero(t, held(ids[1]))
	_, err := b.customers.Get(ctx, ids[0])
	require.ErrorIs(t, err, profile.ErrGone)
}
