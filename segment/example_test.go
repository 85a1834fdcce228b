package segment_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

func Example() {
	ctx := context.Background()
	now := time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	engine, err := segment.New(segment.Config{History: history})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Gold members who looked at boots within a day and did not buy since.
	hesitant := segment.Definition{Name: "hesitant", Rule: segment.All(
		segment.Attr("tier").Is("gold"),
		segment.Events("product.viewed").
			Where(segment.Attr("category").Is("boots")).
			Within(segment.Days(1)).
			AtLeast(2),
		segment.NetOrders().Within(segment.Days(1)).Never(),
	)}
	if err := engine.Define(ctx, now, hesitant); err != nil {
		fmt.Println(err)
		return
	}

	// Here the history keeps the customers; with profile, the directory does.
	view := func(id string, at time.Time) profile.Event {
		return profile.Event{
			ID: id, Name: "product.viewed", Time: at,
			Traits:     profile.Values{"tier": profile.Text("gold")},
			Properties: profile.Values{"category": profile.Text("boots")},
		}
	}
	for i, at := range []time.Time{now.Add(-2 * time.Hour), now} {
		if err := history.Observe("li", view(fmt.Sprint("e", i), at)); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := engine.CatchUp(ctx); err != nil {
		fmt.Println(err)
		return
	}

	why, err := engine.Explain(ctx, "hesitant", "li", now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(why)

	// A day later the sweep finds that she left when the first view was a day old.
	if err := engine.Advance(ctx, now.Add(24*time.Hour)); err != nil {
		fmt.Println(err)
		return
	}
	for t, err := range engine.Transitions(ctx, 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(t.Customer, t.Kind, t.Segment, t.EffectiveAt.Format(time.DateTime))
	}
	// Output:
	// in hesitant at 2026-06-01 10:00: tier is gold; 2 of 2 product.viewed where category is boots in 1 day; no net orders in 1 day; leaves 2026-06-02 08:00 if nothing happens
	// li entered hesitant 2026-06-01 10:00:00
	// li exited hesitant 2026-06-02 08:00:00
}
