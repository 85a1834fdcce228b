package care

import (
	"context"
	"fmt"

	"github.com/cxkit/cxkit/profile"
)

// Dossier is everything held on a customer.
type Dossier struct {
	Customer profile.ID `json:"customer"`
	Cases    []Case     `json:"cases,omitempty"`
	Products []Product  `json:"products,omitempty"`
}

// Export returns everything held on a customer, under all IDs that
// [Config.SameAs] gives.
func (d *Desk) Export(ctx context.Context, id profile.ID) (Dossier, error) {
	if err := id.Validate(); err != nil {
		return Dossier{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ids, err := d.known(ctx, id)
	if err != nil {
		return Dossier{}, err
	}
	out := Dossier{Customer: id}
	for _, id := range ids {
		for c, err := range d.Cases(ctx, Query{Customer: id}) {
			if err != nil {
				return Dossier{}, err
			}
			out.Cases = append(out.Cases, c)
		}
		for p, err := range d.Products(ctx, id) {
			if err != nil {
				return Dossier{}, err
			}
			out.Products = append(out.Products, p)
		}
	}
	return out, nil
}

// Erase takes a person out, under all IDs that [Config.SameAs] gives. Their
// products are deleted. What remains of a case is what happened when: kind,
// states, clocks, lapses, outlets, SKU. The customer, order, serial number,
// response, tracking numbers, undelivered notices and all free text go. An open
// case stays open and can be closed; a late repetition of its opening or of an
// action brings nothing back.
//
// Each case is one commit that fails as a whole; Erase may be repeated.
func (d *Desk) Erase(ctx context.Context, id profile.ID) error {
	held, err := d.Export(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range held.Cases {
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
	for _, p := range held.Products {
		_, err := retry(ctx, func() (struct{}, error) {
			got, err := d.store.Get(ctx, Keys{Products: []string{p.ID}})
			if err != nil || len(got.Products) == 0 || got.Products[0].Customer != p.Customer {
				return struct{}{}, err // passed on meanwhile
			}
			return struct{}{}, d.store.Commit(ctx, Batch{Delete: Records{Products: got.Products}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Case) anonymous() Case {
	c = c.withoutTexts()
	c.Opening = Opening{
		ID: c.ID, Kind: c.Kind, Time: c.Time, Mode: c.Mode, Brand: c.Brand, Priority: c.Priority,
		Topic: c.Topic, Product: c.Product, Outlet: c.Outlet, PickUp: c.PickUp,
	}
	c.Erased, c.Trimmed, c.Pending = true, false, nil
	for i := range c.Legs {
		c.Legs[i].Tracking, c.Legs[i].From, c.Legs[i].To = "", "", ""
	}
	for i := range c.History {
		a := &c.History[i].Action
		a.Arrived, a.Ship.Tracking, a.Ship.From, a.Ship.To = "", "", "", ""
	}
	return c
}

// Apply consumes the change feed of a directory: an erasure there erases here.
// Every other change is nothing to this package.
func (d *Desk) Apply(ctx context.Context, change profile.Change) error {
	if change.Kind != profile.Erased {
		return nil
	}
	// A row of a former ID names it in Other.
	if change.Other != "" {
		if err := d.Erase(ctx, change.Other); err != nil {
			return err
		}
	}
	return d.Erase(ctx, change.Profile)
}
