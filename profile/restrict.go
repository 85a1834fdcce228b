package profile

import (
	"context"
	"slices"
)

// Restrict stops the processing of a customer's data, by a present or former
// ID: [Directory.May] answers no to everything, [Profile].Restricted is set and
// the feed tells those who act: segment takes the customer out of every
// audience, journey stops every message. Events are still recorded. The mark is on the
// evidence, so a profile that unites restricted evidence with other is
// restricted. To restrict again changes nothing. Errors as for
// [Directory.Resolve], and [ErrInvalidDecision].
func (d *Directory) Restrict(ctx context.Context, id ID, by Decision) error {
	return d.restrict(ctx, id, by, true)
}

// Resume takes back what Restrict did.
func (d *Directory) Resume(ctx context.Context, id ID, by Decision) error {
	return d.restrict(ctx, id, by, false)
}

func (d *Directory) restrict(ctx context.Context, id ID, by Decision, on bool) error {
	if err := by.check(); err != nil {
		return err
	}
	return d.update(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		c, err := g.whole(id)
		if err != nil {
			return err
		}
		changed := false
		for _, e := range c.evidence {
			switch {
			case on && e.restricted() == nil:
				e.more().restricted, changed = &by, true
			case !on && e.restricted() != nil:
				e.extra.restricted, changed = nil, true
			}
		}
		if changed {
			kind := Restricted
			if !on {
				kind = Resumed
			}
			g.feed.add(change{kind: kind, profile: c.id(), at: g.feed.clock(g.now())})
		}
		return nil
	})
}

func (e *evidence) restricted() *Decision {
	if e.extra == nil {
		return nil
	}
	return e.extra.restricted
}

func (c *cluster) restricted() bool {
	return slices.ContainsFunc(c.evidence, func(e *evidence) bool { return e.restricted() != nil })
}
