package world_test

import (
	"fmt"

	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
)

// A resolver that takes the first identifier of an event for the customer, as
// many reports do, and what the truth says of it.
func Example() {
	w, err := world.New(world.Config{Customers: 500})
	if err != nil {
		fmt.Println(err)
		return
	}
	assigned := map[string]profile.ID{}
	for d, err := range w.Feed() {
		if err != nil {
			fmt.Println(err)
			return
		}
		if ids := d.Event.Identifiers; len(ids) > 0 {
			assigned[d.Event.ID] = profile.ID(ids[0].Kind + " " + ids[0].Value)
		}
	}
	score := w.Truth().Score(assigned)
	fmt.Println("nearly one person a profile:", score.Knowable.Precision() > 0.9)
	fmt.Println("nearly one profile a person:", score.Knowable.Recall() > 0.9)
	// Output:
	// nearly one person a profile: true
	// nearly one profile a person: false
}
