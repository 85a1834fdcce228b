package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // in a backend: return it
	}
	return v
}

func main() {
	ctx, now, seen := context.Background(), time.Now(), uint64(0)
	customers := must(profile.New(profile.Config{}))                   // who is it
	audiences := must(segment.New(segment.Config{History: customers})) // in which audience
	hesitant := segment.All(segment.Events("product.viewed").Within(segment.Days(1)).AtLeast(2), segment.NetOrders().Never())
	must(0, audiences.Define(ctx, now, segment.Definition{Name: "hesitant", Rule: hesitant}))
	sms := func(_ context.Context, d journey.Dispatch) journey.Answer {
		fmt.Println("sms:", d.Effect.Name)
		return journey.Confirm("")
	}
	journeys := must(journey.New(journey.Config{Channels: map[string]journey.Port{"sms": {Handle: sms}}, Resolve: customers.Resolve}))
	help := journey.Define("help").Enter(journey.Entered("hesitant")).To("advise") // what happens next
	help.Goal("bought").On(journey.Event("order.paid"))
	advice := journey.Message{Template: "advice", Purpose: "marketing", Channels: []string{"sms"}}
	help.State("advise").Send(advice).After(72 * time.Hour).End("left alone")
	must(0, journeys.Deploy(ctx, help))
	rules := program.Definition{Rules: []program.Rule{{Name: "base", Points: 1, Per: 100, AtOnce: true}}}
	club := must(program.New(program.Config{Definition: rules})) // what is earned
	take := func(e profile.Event) {                              // the way of one event
		id := must(customers.Observe(ctx, e)).Profile
		must(0, audiences.CatchUp(ctx))
		for t, err := range audiences.Transitions(ctx, seen) {
			move := journey.Transition{ID: must(t.ID, err), Audience: t.Segment, Customer: t.Customer, EffectiveAt: t.EffectiveAt, Mode: t.Mode}
			move.Entered, seen = t.Kind == segment.Entered, t.Seq
			must(journeys.IngestTransition(ctx, move))
		}
		must(journeys.Ingest(ctx, journey.FromEvent(e, id)))
		must(journeys.RunDue(ctx, time.Now()))
		for _, order := range must(customers.Orders(ctx, id)) {
			fmt.Println(must(club.Apply(ctx, "card-7", order, e.Mode)).Awarded)
		}
	}
	cookie, phone := profile.Identifier{Kind: "cookie", Value: "c1"}, profile.Identifier{Kind: "phone", Value: "138 0013 8000"}
	agreed := []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
	bought := commerce.Event{Kind: commerce.Paid, Order: commerce.Key{Source: "shop", Number: "A1"}, Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 599_00}}, Payments: []commerce.Payment{{Tender: "card", Amount: 599_00}}}
	take(profile.Event{ID: "1", Name: "product.viewed", Time: now, Identifiers: []profile.Identifier{cookie}})
	take(profile.Event{ID: "2", Name: "product.viewed", Time: now, Identifiers: []profile.Identifier{cookie, phone}, Consents: agreed})
	take(profile.Event{ID: "3", Name: "order.paid", Time: now, Identifiers: []profile.Identifier{phone}, Order: &bought})
}
