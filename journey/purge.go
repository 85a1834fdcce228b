package journey

import (
	"context"
	"fmt"
	"time"
)

// Retention says how long records are kept; 0 keeps a kind for ever.
type Retention struct {
	// Ended keeps instances that have ended, with their effects and history. One
	// with an effect that still needs somebody, see [Engine.Unsettled], stays
	// whatever its age. Entries and drawn branches stay, so that re-entry rules and
	// splits go on to hold.
	Ended time.Duration
	// Inputs keeps the records of inputs by which duplicates are known, counted
	// from when the input happened, and of those set aside by [Engine.Park] and taken since: it must be more than the longest time after
	// which an input may be delivered again.
	Inputs time.Duration
}

// Purge removes what is older than the retention at a time, page by page, and
// returns how many instances, inputs and parked inputs that were. What was broken off goes on
// when it is called again; any number of engines may purge at once.
func (e *Engine) Purge(ctx context.Context, now time.Time, r Retention) (int, error) {
	if r.Ended < 0 || r.Inputs < 0 {
		return 0, fmt.Errorf("%w: Retention: negative", ErrConfig)
	}
	p := Purge{Limit: pageSize}
	if r.Ended > 0 {
		p.Ended = micro(now.Add(-r.Ended))
	}
	if r.Inputs > 0 {
		p.Inputs = micro(now.Add(-r.Inputs))
	}
	total := 0
	for {
		n, err := e.store.Purge(ctx, p)
		if total += n; err != nil || n < p.Limit {
			return total, err
		}
	}
}
