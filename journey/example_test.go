package journey_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func Example() {
	// A reminder two hours after the last change of the cart, unless it is paid.
	j := journey.Define("abandoned-cart").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("waiting")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("waiting").
		On(journey.Event("cart.updated")).To("waiting").
		After(2 * time.Hour).To("reminder")
	j.State("reminder").
		Send(journey.Message{
			Template: "cart", Purpose: "marketing", Channels: []string{"wechat", "sms"},
			Vars: journey.Args{"item": journey.Data("sku")},
		}).
		After(7 * 24 * time.Hour).End("left behind")

	// The engine, at night, in virtual time.
	now := time.Date(2026, 11, 10, 20, 30, 0, 0, time.FixedZone("CST", 8*3600))
	engine, err := journey.New(journey.Config{
		Now: func() time.Time { return now },
		Contact: contact.Policy{
			Zone:  "Asia/Shanghai",
			Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
		},
		Channels: map[string]journey.Port{
			"wechat": {Handle: func(context.Context, journey.Dispatch) journey.Answer {
				return journey.Reject("blocked by the customer")
			}},
			"sms": {Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
				fmt.Println(d.Channel, "to", d.Effect.Customer, "about", d.Effect.Args["item"])
				return journey.Confirm("")
			}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := engine.Deploy(ctx, j); err != nil {
		fmt.Println(err)
		return
	}

	receipt, err := engine.Ingest(ctx, journey.FromEvent(profile.Event{
		ID: "e1", Name: "cart.updated", Time: now,
		Properties: profile.Values{"cart_id": profile.Text("C1"), "sku": profile.Text("boots")},
		Consents:   []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
	}, "li"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 { // what Run(ctx) does in real time
		if now, err = engine.NextDue(ctx); err != nil {
			fmt.Println(err)
			return
		}
		if _, err = engine.RunDue(ctx, now); err != nil {
			fmt.Println(err)
			return
		}
	}
	why, err := engine.Explain(ctx, receipt.Instances[0])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(why)
	// Output:
	// sms to li about boots
	// abandoned-cart, started 2026-11-10 20:30 for C1
	// ended 2026-11-17 22:30: left behind
	// 2026-11-10 20:30  starts in waiting (cart.updated)
	// 2026-11-10 22:30  waiting → reminder (after 2h)
	// 2026-11-10 22:30  message cart planned
	// 2026-11-10 22:30  message cart deferred to 2026-11-11 09:00 +0800 on wechat: quiet hours (22:00–09:00)
	// 2026-11-11 09:00  message cart not taken by wechat: blocked by the customer
	// 2026-11-11 09:00  message cart confirmed on sms instead: refused
	// 2026-11-17 22:30  reminder → left behind (after 7d)
}
