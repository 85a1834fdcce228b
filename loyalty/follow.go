package loyalty

import (
	"context"

	"github.com/cxkit/cxkit/profile"
)

// Apply consumes the change feed of a directory: an erasure there erases the
// bindings here, those of former IDs too. Bindings made under an ID that has
// been merged since stay, so that points never move by themselves; resolve the
// ID where they are read. Other changes are of no concern.
func (l *Ledger) Apply(ctx context.Context, c profile.Change) error {
	if c.Kind != profile.Erased {
		return nil
	}
	if c.Other != "" {
		if err := l.Erase(ctx, c.Other); err != nil {
			return err
		}
	}
	return l.Erase(ctx, c.Profile)
}
