package readme

import (
	"cmp"
	"context"
	"errors"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// Backend holds the packages together.
type Backend struct {
	customers *profile.Directory
	audiences *segment.Engine
	journeys  *journey.Engine
	surveys   *feedback.Collector
	desk      *care.Desk
	ledger    *loyalty.Ledger
	seen      uint64 // keep it with your own data
}

// Follow hands on what the directory has learned: merges, splits, erasures.
func (b *Backend) Follow(ctx context.Context) error {
	for change, err := range b.customers.Changes(ctx, b.seen) {
		if err != nil {
			return err
		}
		if err := errors.Join(b.audiences.Apply(ctx, change), b.journeys.Apply(ctx, change)); err != nil {
			return err
		}
		if change.Kind == profile.Erased { // a row for each ID that the person ever had
			id := cmp.Or(change.Other, change.Profile)
			if err := errors.Join(b.audiences.Erase(ctx, id), b.journeys.Erase(ctx, id), b.surveys.Erase(ctx, id),
				b.desk.Erase(ctx, id), b.ledger.Erase(ctx, id)); err != nil {
				return err
			}
		}
		b.seen = change.Seq
	}
	return nil
}
