package feedback

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retention says how long records are kept, counted from their Time; 0 keeps
// them forever. Invitations that can still be sent or answered are kept
// whatever their age.
type Retention struct {
	// Invitations deletes them. Their IDs are free then: keep them longer than
	// deliveries may be repeated, or an old occasion invites again.
	Invitations time.Duration
	// Texts drops texts and comments from responses; the rest of the answers
	// stays.
	Texts time.Duration
	// Responses deletes them; scores over that time change. Their IDs are free
	// then.
	Responses time.Duration
}

// Purged counts what a purge has changed.
type Purged struct {
	Invitations int
	Texts       int
	Responses   int
}

// Purge drops what retention does not keep as of now. Each record is a commit
// of its own; a purge that was cut short goes on when run again.
func (c *Collector) Purge(ctx context.Context, now time.Time, r Retention) (Purged, error) {
	var out Purged
	if r.Invitations < 0 || r.Texts < 0 || r.Responses < 0 {
		return out, fmt.Errorf("%w: retention: negative", ErrInvalid)
	}
	now = micro(now)
	over := func(at time.Time, keep time.Duration) bool { return keep > 0 && !at.Add(keep).After(now) }
	if r.Invitations > 0 {
		for inv, err := range c.Invitations(ctx, Query{To: now.Add(-r.Invitations + time.Microsecond)}) {
			if err != nil {
				return out, err
			}
			if s := inv.StateAt(now); s == Reserved || s == Sent {
				continue
			}
			if err := c.purge(ctx, Batch{Delete: Records{Invitations: []Invitation{inv}}}, &out.Invitations); err != nil {
				return out, err
			}
		}
	}
	if r.Texts == 0 && r.Responses == 0 {
		return out, nil
	}
	for resp, err := range c.Responses(ctx, Query{To: now}) {
		if err != nil {
			return out, err
		}
		var batch Batch
		n := &out.Responses
		switch {
		case over(resp.Time, r.Responses):
			batch.Delete.Responses = []Response{resp}
		case over(resp.Time, r.Texts) && resp.hasTexts():
			n = &out.Texts
			batch.Put.Responses = []Response{resp.withoutTexts()}
		default:
			continue
		}
		if err := c.purge(ctx, batch, n); err != nil {
			return out, err
		}
	}
	return out, nil
}

// purge commits and counts; what has changed meanwhile is left to the next purge.
func (c *Collector) purge(ctx context.Context, b Batch, n *int) error {
	err := c.store.Commit(ctx, b)
	if err == nil {
		*n++
	} else if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

func (r Response) hasTexts() bool {
	for _, a := range r.Answers {
		if a.Text != "" {
			return true
		}
	}
	return false
}

func (r Response) withoutTexts() Response {
	r = r.clone()
	r.Trimmed = true
	for key, a := range r.Answers {
		a.Text = ""
		if a.empty() {
			delete(r.Answers, key)
			continue
		}
		r.Answers[key] = a
	}
	return r
}
