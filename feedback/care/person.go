package care

import (
	"context"
	"fmt"

	"github.com/cxkit/cxkit/profile"
)

// Export returns all cases of a customer, under all IDs that [Config.SameAs]
// gives, in order of opening for each ID.
func (d *Desk) Export(ctx context.Context, id profile.ID) ([]Case, error) {
	if err := id.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ids, err := d.known(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, id := range ids {
		for c, err := range d.Cases(ctx, Query{Customer: id}) {
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// Erase takes a person out of their cases, under all IDs that
// [Config.SameAs] gives. What remains is what happened when: kind, states,
// clocks, lapses, outlets, product. The customer, order, serial number,
// response, tracking numbers, undelivered notices and all free text go. An open
// case stays open and can be closed; a late repetition of its opening or of an
// action brings nothing back.
//
// Each case is one commit that fails as a whole; Erase may be repeated.
func (d *Desk) Erase(ctx context.Context, id profile.ID) error {
	cases, err := d.Export(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range cases {
		_, err := retry(ctx, func() (Case, error) {
			c, err := d.Case(ctx, c.ID)
			if err != nil || c.Erased {
				return c, err
			}
			return d.commit(ctx, c.anonymous(), nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Case) anonymous() Case {
	c = c.clone()
	c.Opening = Opening{
		ID: c.ID, Kind: c.Kind, Time: c.Time, Mode: c.Mode, Brand: c.Brand, Priority: c.Priority,
		Topic: c.Topic, Product: c.Product, Outlet: c.Outlet, PickUp: c.PickUp,
	}
	c.Erased, c.Pending = true, nil
	for i := range c.Promises {
		c.Promises[i].Reason = ""
	}
	for i := range c.Legs {
		c.Legs[i].Tracking, c.Legs[i].From, c.Legs[i].To = "", "", ""
	}
	for i := range c.History {
		a := &c.History[i].Action
		a.Note, a.Arrived = "", ""
		a.Ship.Tracking, a.Ship.From, a.Ship.To = "", "", ""
	}
	return c
}

// Apply consumes the change feed of a directory: an erasure there erases here.
// Every other change is nothing to this package.
func (d *Desk) Apply(ctx context.Context, change profile.Change) error {
	if change.Kind != profile.Erased {
		return nil
	}
	return d.Erase(ctx, change.Profile)
}
