package journey_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Would a reminder after a day do as well as one after two hours? The history of a
// week says what each would have sent, and what customers did afterwards.
func ExampleCompare() {
	reminder := func(wait time.Duration) *journey.Builder {
		j := journey.Define("cart").Key("cart_id")
		j.Enter(journey.Event("cart.updated")).To("waiting")
		j.Goal("bought").On(journey.Event("order.paid"))
		j.State("waiting").After(wait).To("reminded")
		j.State("reminded").
			Send(journey.Message{Template: "your cart", Purpose: "marketing", Channels: []string{"sms"}}).
			After(7 * 24 * time.Hour).End("left behind")
		return j
	}
	monday := time.Date(2026, 11, 9, 10, 0, 0, 0, time.UTC)
	backTest := func(j journey.Source) *journey.Simulator {
		s, err := journey.NewSimulator(journey.Simulation{
			Journeys: []journey.Source{j},
			Contact: contact.Policy{
				Quiet:    []contact.Quiet{{From: "22:00", To: "09:00"}},
				Channels: map[string]contact.Channel{"sms": {Cost: 5}},
			},
			Until: monday.Add(14 * 24 * time.Hour),
		})
		if err != nil {
			panic(err)
		}
		return s
	}

	// In production the events come from the directory's timelines.
	history := func(yield func(journey.Input, error) bool) {
		event := func(customer profile.ID, name string, after time.Duration) bool {
			return yield(journey.FromEvent(profile.Event{
				ID: name + " of " + string(customer), Name: name, Time: monday.Add(after),
				Properties: profile.Values{"cart_id": profile.Text("C-" + string(customer))},
				Consents:   []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
			}, customer), nil)
		}
		_ = event("ann", "cart.updated", 0) && event("ann", "order.paid", 3*time.Hour) && // soon, by herself
			event("bo", "cart.updated", 6*time.Hour) && event("bo", "order.paid", 30*time.Hour) &&
			event("chen", "cart.updated", 11*time.Hour) && event("chen", "order.paid", 5*24*time.Hour) &&
			event("dee", "cart.updated", 24*time.Hour)
	}

	c, err := journey.Compare(context.Background(), backTest(reminder(2*time.Hour)), backTest(reminder(24*time.Hour)), history)
	if err != nil {
		panic(err)
	}
	fmt.Println(c)
	fmt.Println("\nOnly after two hours:")
	for _, m := range c.OnlyA {
		fmt.Println(m)
	}
	fmt.Println("\nOnly after a day:")
	for _, m := range c.OnlyB {
		fmt.Println(m)
	}
	// Output:
	//                             A     B  B − A
	// customers reached           4     3     −1
	// cart: started               4     4      =
	//   messages                  4     3     −1
	//   their cost               20    15     −5
	//   followed by the goal      3     1     −2
	//   of messages            75 %  33 %
	//   deferred: quiet hours     1     0     −1
	//   ended: bought             3     3      =
	//   ended: left behind        1     1      =
	// 0 messages in both, 4 only in A, 3 only in B
	// 1 customer reached only by A, 0 only by B
	//
	// Only after two hours:
	// 2026-11-09 12:00 UTC  your cart to ann by sms, cost 5; what it asked for came 1h later
	// 2026-11-09 18:00 UTC  your cart to bo by sms, cost 5; what it asked for came 22h later
	// 2026-11-10 09:00 UTC  your cart to chen by sms, cost 5; what it asked for came 4d later
	// 2026-11-10 12:00 UTC  your cart to dee by sms, cost 5; nothing followed
	//
	// Only after a day:
	// 2026-11-10 16:00 UTC  your cart to bo by sms, cost 5; nothing followed
	// 2026-11-10 21:00 UTC  your cart to chen by sms, cost 5; what it asked for came 4d later
	// 2026-11-11 10:00 UTC  your cart to dee by sms, cost 5; nothing followed
}
