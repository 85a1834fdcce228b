package segment

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Purge removes from the feed what was detected before a time, from its beginning
// up to the first that was not, and returns how many transitions that were. Keep
// the feed for longer than any of its readers may stand still: one whose position
// is older gets [ErrCursorExpired]. Who is a member, who was at an instant, and
// what a restart comes to do not depend on the feed. Any number of processes may
// purge a Store at once, beside its engine. A Store that is no [Purger] is
// [errors.ErrUnsupported].
func (e *Engine) Purge(ctx context.Context, before time.Time) (int, error) {
	p, ok := e.store.(Purger)
	if !ok {
		return 0, fmt.Errorf("segment: the Store keeps its feed for ever: %w", errors.ErrUnsupported)
	}
	return p.Purge(ctx, before.Truncate(time.Microsecond))
}
