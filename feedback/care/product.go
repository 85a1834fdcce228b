package care

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Product is one thing that a customer owns: the watch with that number.
type Product struct {
	// ID is its serial number, or a key made from the order's line.
	ID string `json:"id"`
	// Customer owns it now.
	Customer profile.ID `json:"customer"`
	// SKU is the kind of product, Order where it was bought.
	SKU   string       `json:"sku,omitempty"`
	Order commerce.Key `json:"order,omitzero"`
	// BoughtAt is when it was bought.
	BoughtAt time.Time `json:"bought_at"`
	// WarrantyUntil is the first instant without warranty; zero for none at
	// all. [WarrantyEnd] computes it.
	WarrantyUntil time.Time `json:"warranty_until,omitzero"`
	// PassedOn says that it has another owner than the one registered.
	PassedOn bool `json:"passed_on,omitempty"`
	// Version counts the writes of the record; the store keeps it.
	Version uint64 `json:"version,omitempty"`
}

// Covered reports whether the product is under warranty at t.
func (p Product) Covered(t time.Time) bool { return t.Before(p.WarrantyUntil) }

func (p Product) validate() error {
	fail := func(err error) error { return fmt.Errorf("%w: product: %w", ErrInvalid, err) }
	if p.ID == "" {
		return fail(errors.New("no ID"))
	}
	if err := checkKeys(p.ID, p.SKU, p.Order.Source, p.Order.Outlet, p.Order.Number); err != nil {
		return fail(err)
	}
	if err := p.Customer.Validate(); err != nil {
		return fail(err)
	}
	if err := checkTime(p.BoughtAt); err != nil {
		return fail(err)
	}
	if !p.WarrantyUntil.IsZero() {
		if err := checkTime(p.WarrantyUntil); err != nil {
			return fail(err)
		}
	}
	return nil
}

// WarrantyEnd is the first instant after a warranty of whole months: the start
// of the local day after the day of the month on which it was bought, in that
// month, or after the month's last day where it has no such day. Bought on
// 2026-01-31, one month ends when 2026-03-01 begins.
func WarrantyEnd(bought time.Time, months int, zone *time.Location) time.Time {
	y, m, day := bought.In(zone).Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	next := time.Date(y, m+time.Month(months), min(day, last)+1, 0, 0, 0, 0, time.UTC)
	return (&Calendar{zone: zone}).instant(next).UTC()
}

// Register records that a customer owns a product. Repeating it changes
// nothing. Errors: [ErrInvalid], [ErrMismatch] where the ID is registered with
// other content; [Desk.PassOn] changes the owner.
func (d *Desk) Register(ctx context.Context, p Product) (Product, error) {
	if err := p.validate(); err != nil {
		return Product{}, err
	}
	p.BoughtAt, p.WarrantyUntil, p.PassedOn, p.Version = micro(p.BoughtAt), micro(p.WarrantyUntil), false, 0
	return retry(ctx, func() (Product, error) {
		got, err := d.store.Get(ctx, Keys{Products: []string{p.ID}})
		if err != nil {
			return Product{}, err
		}
		if len(got.Products) > 0 {
			first := got.Products[0]
			same := p
			same.Version, same.PassedOn = first.Version, first.PassedOn
			if first.PassedOn {
				same.Customer, same.Order = first.Customer, first.Order
			}
			if same != first {
				return Product{}, fmt.Errorf("%w: product", ErrMismatch)
			}
			return first, nil
		}
		return d.putProduct(ctx, p)
	})
}

// PassOn gives a product to another customer: a gift, a sale. The warranty goes
// with it; the order, which is the former owner's, does not. Errors:
// [ErrInvalid], [ErrNotFound].
func (d *Desk) PassOn(ctx context.Context, product string, to profile.ID) (Product, error) {
	if err := to.Validate(); err != nil {
		return Product{}, fmt.Errorf("%w: product: %w", ErrInvalid, err)
	}
	return retry(ctx, func() (Product, error) {
		p, err := d.Product(ctx, product)
		if err != nil || p.Customer == to {
			return p, err
		}
		p.Customer, p.Order, p.PassedOn = to, commerce.Key{}, true
		return d.putProduct(ctx, p)
	})
}

func (d *Desk) putProduct(ctx context.Context, p Product) (Product, error) {
	if err := d.store.Commit(ctx, Batch{Put: Records{Products: []Product{p}}}); err != nil {
		return Product{}, err
	}
	p.Version++
	return p, nil
}

// Product returns a registered product; the error matches [ErrNotFound] where
// there is none.
func (d *Desk) Product(ctx context.Context, id string) (Product, error) {
	got, err := d.store.Get(ctx, Keys{Products: []string{id}})
	if err != nil {
		return Product{}, err
	}
	if len(got.Products) == 0 {
		return Product{}, fmt.Errorf("%w: product", ErrNotFound)
	}
	return got.Products[0], nil
}

// Products yields the products of a customer, ordered by (BoughtAt, ID), a page
// at a time; those of everyone for "".
func (d *Desk) Products(ctx context.Context, customer profile.ID) iter.Seq2[Product, error] {
	return pages(Query{Customer: customer}, func(q Query) ([]Product, error) { return d.store.Products(ctx, q) },
		func(p Product) Position { return Position{p.BoughtAt, p.ID} })
}
