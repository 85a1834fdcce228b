package readme

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/score"
	"github.com/cxkit/cxkit/feedback/text"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/intake"
	"github.com/cxkit/cxkit/segment"
)

var (
	ctx = context.Background()
	day = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
)

func Example_profile() {
	customers := must(profile.New(profile.Config{}))
	openid := profile.Identifier{Kind: "wechat.openid/wx12ab", Value: "o6_bmjrPTl"}
	phone := profile.Identifier{Kind: "phone", Value: "138 0013 8000"}
	masked := profile.Identifier{Kind: "phone", Value: "138****8000"}
	see := func(id, name string, seen ...profile.Identifier) profile.Receipt {
		return must(customers.Observe(ctx, profile.Event{ID: id, Name: name, Time: day, Identifiers: seen}))
	}
	see("mini-1", "product.viewed", openid) // two strangers
	see("till-7", "order.paid", phone)
	joined := see("mini-2", "member.joined", openid, phone, masked) // who are one

	li := must(customers.Get(ctx, must(customers.Lookup(ctx, phone))))
	fmt.Println(li.Events, "events of one customer;", joined.Refused[0])
	fmt.Println(must(customers.May(ctx, li.ID, profile.ConsentQuery{Purpose: "marketing"}, day)))
	// Output:
	// 3 events of one customer; phone is masked
	// the customer was never asked
}

func Example_commerce() {
	a1 := commerce.Key{Source: "shop", Number: "A1"}
	refunded := day.AddDate(0, 0, 8)
	order := must(commerce.Fold([]commerce.Event{
		{ID: "3", Time: refunded, Order: a1, Kind: commerce.Refunded, Amount: 90_00, Lines: []commerce.Line{{ID: "2", Quantity: 3}}},
		{ID: "2", Time: day, Order: a1, Kind: commerce.Paid, Payments: []commerce.Payment{{Tender: "wechat", Amount: 689_00}}},
		{ID: "1", Time: day, Order: a1, Kind: commerce.Placed, Currency: "CNY", Lines: []commerce.Line{
			{ID: "1", SKU: "boots", Quantity: 1, Net: 599_00},
			{ID: "2", SKU: "socks", Quantity: 3, Net: 90_00},
		}},
	}))
	fmt.Println(order.NetSpendAt(day), order.NetSpendAt(refunded), order.StageAt(refunded))
	// Output:
	// 68900 59900 paid
}

func Example_intake() {
	customers := must(profile.New(profile.Config{}))
	const file = `receipt,paid,phone,sku,price
1001,2026-03-01 10:15,13800138000,boots,599.00
1002,2026-03-01 11:40,13900139000,socks,30.005
`
	till := must(intake.New(intake.Config{Sink: customers, Mapping: intake.Mapping{
		Source: "till", Mode: intake.Backfill, Zone: "Asia/Shanghai", Layouts: []string{"2006-01-02 15:04"},
		Events: []intake.EventMap{{
			Name: "order.paid", ID: intake.Fields{intake.Column("receipt")}, Time: intake.Column("paid"),
			Identifiers: []intake.IdentifierMap{{Kind: "phone", Value: intake.Column("phone")}},
			Order: &intake.OrderMap{
				Kind: commerce.Paid, Key: intake.KeyMap{Number: intake.Column("receipt")},
				Lines: []intake.LineMap{{SKU: intake.Column("sku"), Net: intake.Column("price")}},
			},
		}},
	}}))
	report := must(till.Import(ctx, intake.Input{Name: "till.csv", Reader: strings.NewReader(file)}))
	fmt.Println(report.Events, "event;", report.Rejects[0])
	// Output:
	// 1 event; line 3: column price: has more decimals than the mapping says
}

// seven is a customer with two orders.
func seven() *profile.Directory {
	customers := must(profile.New(profile.Config{Now: func() time.Time { return day }}))
	for id, at := range map[string]time.Time{"A1": day.AddDate(0, 0, -300), "A2": day} {
		must(customers.Observe(ctx, profile.Event{
			ID: id, Name: "order.paid", Time: at, Identifiers: []profile.Identifier{{Kind: "member", Value: "M7"}},
			Order: &commerce.Event{
				Kind: commerce.Paid, Order: commerce.Key{Source: "shop", Number: id},
				Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 600_00}},
			},
		}))
	}
	return customers
}

func Example_segment() {
	customers := seven()
	m7 := must(customers.Lookup(ctx, profile.Identifier{Kind: "member", Value: "M7"}))

	audiences := must(segment.New(segment.Config{History: customers}))
	must(0, audiences.Define(ctx, day, segment.Definition{Name: "big", Zone: "Asia/Shanghai", Rule: segment.All(
		segment.NetOrders().Within(segment.Days(365)).Sum("amount").AtLeast(profile.Int(1000_00)),
		segment.Not(segment.Attr("staff").True()),
	)}))
	must(0, audiences.CatchUp(ctx))      // follow the directory's change feed
	must(0, audiences.Advance(ctx, day)) // let time pass

	big := must(audiences.View("big"))
	fmt.Println(big.Contains(m7), must(big.ContainsAt(ctx, m7, day.AddDate(0, 0, 65))))
	fmt.Println(must(audiences.Explain(ctx, "big", m7, day)))
	holdout := must(segment.NewAudience(day, m7))
	fmt.Println(must(big.Audience()).Minus(holdout).Len())
	// Output:
	// true false
	// in big at 2026-03-02 18:00: sum of amount of net orders in 365 days is 120000; not so: staff is unknown, wanted: is true; leaves 2026-05-06 18:00 if nothing happens
	// 0
}

func Example_journey() {
	now := day
	send := func(_ context.Context, d journey.Dispatch) journey.Answer {
		return journey.Confirm("provider's number") // or Reject, Later, Unclear; d.Key is the idempotency key
	}
	journeys := must(journey.New(journey.Config{
		Now:      func() time.Time { return now },
		Contact:  ContactPolicy(),
		Channels: map[string]journey.Port{"sms": {Handle: send, HonorsKeys: true}, "wechat": {Handle: send}},
	}))
	must(0, journeys.Deploy(ctx, AbandonedCart()))

	started := must(journeys.Ingest(ctx, journey.FromEvent(profile.Event{
		ID: "e1", Name: "cart.updated", Time: now,
		Properties: profile.Values{"cart_id": profile.Text("C1"), "sku": profile.Text("boots")},
		Consents:   []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}},
	}, "li")))
	now = now.Add(2 * time.Hour)
	must(journeys.RunDue(ctx, now)) // Run(ctx) does it in real time
	fmt.Println(must(journeys.Explain(ctx, started.Instances[0])))
	// Output:
	// abandoned-cart, started 2026-03-02 18:00 for C1
	// in reminded since 2026-03-02 20:00
	// waits: 2026-03-03 20:00, after 1d → reminded again
	// waits: order.paid → paid
	// 2026-03-02 18:00  starts in filled (cart.updated)
	// 2026-03-02 20:00  filled → reminded (after 2h)
	// 2026-03-02 20:00  message cart planned
	// 2026-03-02 20:00  message cart confirmed on sms instead: no consent: provider's number
}

func Example_contact() {
	gate := must(contact.New(ContactPolicy()))
	li := contact.Row{}.WithConsent(profile.ConsentAct{Purpose: "marketing", Granted: true}, day)
	offer := contact.Message{Key: "m1", Template: "offer", Purpose: "marketing", Channels: []string{"wechat", "sms"}}
	midnight := time.Date(2026, 3, 3, 0, 0, 0, 0, gate.Zone())
	decision, _ := gate.Decide(li, offer, contact.Facts{}, midnight)
	fmt.Println(decision)
	// Output:
	// deferred to 2026-03-03 09:00 +0800 on sms: quiet hours (22:00–09:00); wechat: no message credit
}

func Example_feedback() {
	desk := must(care.New(care.Config{
		Rules: []care.Rule{{Name: "detractor", Survey: "purchase", Threshold: 6, Kind: care.Complaint}},
		Mask:  text.Mask,
	}))
	purchase := feedback.Survey{
		Name: "purchase", Program: feedback.Transactional, Cadence: 90 * 24 * time.Hour, Exclude: []string{"open case"},
		Questions: []feedback.Question{{Key: "recommend", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
	}
	surveys := must(feedback.New(feedback.Config{
		Surveys: []feedback.Survey{purchase},
		Checks:  map[string]feedback.Check{"open case": desk.HasOpen},
		Mask:    text.Mask,
	}))

	asked := must(surveys.Invite(ctx, feedback.Request{ID: "purchase/A1", Survey: "purchase", Customer: "li", Time: day}))
	must(surveys.Sent(ctx, asked.ID, day)) // after the message went out
	answer := must(surveys.Record(ctx, feedback.Response{
		ID: "R1", Survey: "purchase", Invitation: asked.ID, Customer: "li", Time: day.Add(time.Hour),
		Answers: map[string]feedback.Answer{"recommend": feedback.Rate(3).Because("delivery was slow, call 13800138000")},
	}))
	fmt.Println(must(desk.React(ctx, purchase, answer))[0])
	again := feedback.Request{ID: "purchase/A2", Survey: "purchase", Customer: "li", Time: day.Add(2 * time.Hour)}
	fmt.Println(must(surveys.Invite(ctx, again)))

	tallies := must(score.Collect(surveys.Responses(ctx, feedback.Query{}), purchase, "recommend", nil))
	fmt.Println(tallies[""].Score(score.Options{MinSample: 1}))
	topics := must(text.NewRules(text.RetailTopics(), must(text.NewLexicon(nil))))
	fmt.Println(answer.Answers["recommend"].Text, topics.Tag(answer.Answers["recommend"].Text))
	// Output:
	// rule detractor opened case feedback/detractor/R1
	// purchase: not asked: left out: open case; this survey has asked or heard the customer lately, again from 2026-05-31 11:00 UTC
	// NPS -100.0 [-100.0, 48.5], n=1
	// delivery was slow, call [phone] [delivery/speed -1.0 at 0–8]
}

func Example_loyalty() {
	ledger := must(loyalty.New(loyalty.Config{
		Zone:  day.Location(),
		Units: []loyalty.UnitConfig{{Unit: loyalty.Points, Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 12}}},
	}))
	for _, cmd := range []loyalty.Command{
		loyalty.Earn{Key: "paid/A1", Account: "card-7", Amount: 599, Order: "A1"},
		loyalty.Redeem{Key: "till/1", Account: "card-7", Amount: 200},
		loyalty.Redeem{Key: "till/1", Account: "card-7", Amount: 200}, // delivered twice: nothing happens
		loyalty.Return{Key: "refund/A1", Award: "paid/A1"},
	} {
		fmt.Println(must(ledger.Post(ctx, cmd)))
	}
	_, err := ledger.Post(ctx, loyalty.Redeem{Key: "till/2", Account: "card-7", Amount: 1})
	fmt.Println(err)
	verified := must(ledger.Verify(ctx, loyalty.Anchor{}))
	fmt.Println(verified.Transactions, "transactions verified")
	// Output:
	// earned 599 points; 599 points available
	// redeemed 200 points from 1 lot; 399 points available
	// redeemed 200 points from 1 lot; 399 points available
	// taken back 399 points, 200 more owed because they were spent; -200 points available, 200 owed
	// loyalty: not enough available: 1 points asked, -200 available
	// 3 transactions verified
}

func Example_program() {
	club := must(program.New(program.Config{
		Now: func() time.Time { return day },
		Definition: program.Definition{
			ReturnDays: 7, // points are usable seven days after the goods came
			Rules: []program.Rule{
				{Name: "base", Points: 1, Per: 100},                             // a point for each yuan paid
				{Name: "spend", Unit: "spend", Points: 1, Per: 1, AtOnce: true}, // what tiers go by
			},
			Tiers: &program.Ladder{Unit: "spend", WindowMonths: 12, Tiers: []program.Tier{{Name: "gold", Threshold: 500_00}}},
		},
	}))
	a1 := commerce.Key{Source: "shop", Number: "A1"}
	facts := []commerce.Event{{
		ID: "1", Time: day, Order: a1, Kind: commerce.Paid, Payments: []commerce.Payment{{Tender: "wechat", Amount: 689_00}},
		Lines: []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, Net: 599_00}, {ID: "2", SKU: "socks", Quantity: 3, Net: 90_00}},
	}}
	done := must(club.Apply(ctx, "card-7", must(commerce.Fold(facts)), profile.Live))
	fmt.Println(done.Awarded[0])
	fmt.Println(done.Tier)

	facts = append(facts, commerce.Event{ID: "2", Time: day, Order: a1, Kind: commerce.Refunded, Amount: 90_00, Lines: []commerce.Line{{ID: "2", Quantity: 3}}})
	done = must(club.Apply(ctx, "card-7", must(commerce.Fold(facts)), profile.Live)) // again after every new fact
	fmt.Println(done.Returned[0])
	// Output:
	// earned 689 points, pending until received; 0 points available, 689 pending
	// reached: tier "" to "gold" on 2026-03-02, 68900 spend in the window
	// taken back 90 points; 0 points available, 599 pending
}
