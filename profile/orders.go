package profile

import (
	"context"
	"fmt"

	"github.com/cxkit/cxkit/profile/commerce"
)

// Orders folds the commerce facts in a customer's timeline to orders, in the
// byte order of their keys, by a present or former ID; errors as for
// [Directory.Resolve]. Facts about one order that reached other customers are
// not in it. Orders that [commerce.Fold] refuses are left out and joined to the
// error, beside the others. The cost is that of reading the timeline.
func (d *Directory) Orders(ctx context.Context, id ID) ([]commerce.Order, error) {
	var facts []commerce.Event
	for e, err := range d.Timeline(ctx, id) {
		if err != nil {
			return nil, err
		}
		if e.Order != nil {
			facts = append(facts, *e.Order)
		}
	}
	orders, err := commerce.FoldAll(facts)
	if err != nil {
		return orders, fmt.Errorf("profile: some orders cannot be folded: %w", err)
	}
	return orders, nil
}
