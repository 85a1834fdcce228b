package profile_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Two sources know the same woman by different names, until a third event
// carries both.
func Example() {
	ctx := context.Background()
	dir, err := profile.New(profile.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	at := func(day int) time.Time { return time.Date(2026, 3, day, 10, 0, 0, 0, time.UTC) }

	// The mini program sees an openid browse, the till a phone number pay.
	browsed, _ := dir.Observe(ctx, profile.Event{
		ID: "mp-1", Source: "mini", Name: "product.viewed", Time: at(1),
		Identifiers: []profile.Identifier{{Kind: "wechat.openid/wx12ab", Value: "o6_bmjrPTl"}},
		Traits:      profile.Values{"style": profile.Text("outdoor")},
	})
	paid, _ := dir.Observe(ctx, profile.Event{
		ID: "till-7", Source: "till", Name: "order.paid", Time: at(2),
		Identifiers: []profile.Identifier{{Kind: "phone", Value: "138 0013 8000"}},
		Traits:      profile.Values{"city": profile.Text("Hangzhou")},
	})
	fmt.Println("one customer:", browsed.Profile == paid.Profile)

	// She signs up: both are hers.
	joined, _ := dir.Observe(ctx, profile.Event{
		ID: "mp-2", Source: "mini", Name: "member.joined", Time: at(3),
		Identifiers: []profile.Identifier{
			{Kind: "wechat.openid/wx12ab", Value: "o6_bmjrPTl"},
			{Kind: "phone", Value: "＋８６１３８００１３８０００"},
			{Kind: "phone", Value: "138****8000"}, // masked: never a phone
		},
	})
	for _, r := range joined.Refused {
		fmt.Println("refused:", r)
	}
	who, _ := dir.Lookup(ctx, profile.Identifier{Kind: "phone", Value: "0086-13800138000"})
	li, _ := dir.Get(ctx, paid.Profile) // a former ID
	fmt.Println("one customer:", who == li.ID, li.Events, "events, from", li.Trait("city"), "likes", li.Trait("style"))
	for e, err := range dir.Timeline(ctx, li.ID) {
		fmt.Println(e.Time.Format(time.DateOnly), e.Source, e.Name, err)
	}
	for c := range dir.Changes(ctx, joined.Seq-3) {
		fmt.Println("feed:", c.Kind)
	}

	// Output:
	// one customer: false
	// refused: phone is masked
	// one customer: true 3 events, from Hangzhou likes outdoor
	// 2026-03-01 mini product.viewed <nil>
	// 2026-03-02 till order.paid <nil>
	// 2026-03-03 mini member.joined <nil>
	// feed: merged
	// feed: trait
	// feed: observed
}

// Before a value is blocked, Preview says whom that takes apart.
func ExampleDirectory_Preview() {
	ctx := context.Background()
	dir, err := profile.New(profile.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, phone := range []string{"13800138000", "13900139000"} {
		_, err := dir.Observe(ctx, profile.Event{
			ID: fmt.Sprint(i), Time: time.Date(2026, 3, 1+i, 10, 0, 0, 0, time.UTC),
			Identifiers: []profile.Identifier{{Kind: "phone", Value: phone}, {Kind: "device", Value: "kiosk-1"}},
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	rules := dir.Rules()
	for i := range rules.Kinds {
		if rules.Kinds[i].Name == "device" {
			rules.Kinds[i].BlockedPatterns = []string{"^kiosk-"}
		}
	}
	would, err := dir.Preview(ctx, profile.WhatIf{Rules: &rules})
	fmt.Println(would, err)
	did, err := dir.Reconfigure(ctx, rules)
	fmt.Println(did, err)
	for c := range dir.Changes(ctx, 0) {
		if c.Kind == profile.Split {
			fmt.Println("feed:", c.Kind, c.Mode)
		}
	}

	// Output:
	// 1 profile splits <nil>
	// 1 profile splits <nil>
	// feed: split backfill
}
