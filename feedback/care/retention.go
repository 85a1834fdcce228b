package care

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retention says how long what is over is kept, counted from the last action on
// a closed case or the end of a warranty; 0 keeps it forever. Open and resolved
// cases are kept whatever their age.
type Retention struct {
	// Texts drops the customer's words and all notes.
	Texts time.Duration
	// Cases deletes the case. Its ID is free then: keep cases longer than
	// deliveries may be repeated.
	Cases time.Duration
	// Products deletes products whose warranty is over.
	Products time.Duration
}

// Purged counts what a purge has changed.
type Purged struct {
	Texts    int
	Cases    int
	Products int
}

// Purge drops what retention does not keep as of now. Each record is a commit
// of its own; a purge that was cut short goes on when run again.
func (d *Desk) Purge(ctx context.Context, now time.Time, r Retention) (Purged, error) {
	var out Purged
	if r.Texts < 0 || r.Cases < 0 || r.Products < 0 {
		return out, fmt.Errorf("%w: retention: negative", ErrInvalid)
	}
	now = micro(now)
	over := func(since time.Time, keep time.Duration) bool {
		return keep > 0 && !since.Add(keep).After(now)
	}
	for c, err := range d.Cases(ctx, Query{}) {
		if err != nil {
			return out, err
		}
		if c.Phase != Closed {
			continue
		}
		var batch Batch
		n := &out.Cases
		switch {
		case over(c.lastTime(), r.Cases):
			batch.Delete.Cases = []Case{c}
		case over(c.lastTime(), r.Texts) && c.hasTexts():
			n = &out.Texts
			batch.Put.Cases = []Case{c.withoutTexts()}
		default:
			continue
		}
		if err := d.purge(ctx, batch, n); err != nil {
			return out, err
		}
	}
	for p, err := range d.Products(ctx, "") {
		if err != nil {
			return out, err
		}
		if over(later(p.BoughtAt, p.WarrantyUntil), r.Products) {
			if err := d.purge(ctx, Batch{Delete: Records{Products: []Product{p}}}, &out.Products); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// purge commits and counts; what has changed meanwhile is left to the next purge.
func (d *Desk) purge(ctx context.Context, b Batch, n *int) error {
	err := d.store.Commit(ctx, b)
	if err == nil {
		*n++
	} else if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c *Case) hasTexts() bool {
	if c.Text != "" {
		return true
	}
	for _, e := range c.History {
		if e.Note != "" {
			return true
		}
	}
	for _, p := range c.Promises {
		if p.Reason != "" {
			return true
		}
	}
	return false
}

func (c Case) withoutTexts() Case {
	c = c.clone()
	c.Text, c.Trimmed = "", true
	for i := range c.Promises {
		c.Promises[i].Reason = ""
	}
	for i := range c.History {
		c.History[i].Note = ""
	}
	return c
}
