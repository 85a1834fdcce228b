package feedback

import (
	"context"
	"fmt"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// Dossier is everything held on a customer.
type Dossier struct {
	Customer    profile.ID   `json:"customer"`
	Invitations []Invitation `json:"invitations,omitempty"`
	Responses   []Response   `json:"responses,omitempty"`
	Contacts    []Contact    `json:"contacts,omitempty"`
}

// Export returns everything held on a customer, under all IDs that
// [Config.SameAs] gives.
func (c *Collector) Export(ctx context.Context, id profile.ID) (Dossier, error) {
	if err := id.Validate(); err != nil {
		return Dossier{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ids, err := c.known(ctx, id)
	if err != nil {
		return Dossier{}, err
	}
	out := Dossier{Customer: id}
	for _, id := range ids {
		for inv, err := range c.Invitations(ctx, Query{Customer: id}) {
			if err != nil {
				return Dossier{}, err
			}
			out.Invitations = append(out.Invitations, inv)
		}
		for r, err := range c.Responses(ctx, Query{Customer: id}) {
			if err != nil {
				return Dossier{}, err
			}
			out.Responses = append(out.Responses, r)
		}
	}
	got, err := c.store.Get(ctx, Keys{Contacts: ids})
	if err != nil {
		return Dossier{}, err
	}
	out.Contacts = got.Contacts
	slices.SortFunc(out.Contacts, func(a, b Contact) int {
		return slices.Index(ids, a.Customer) - slices.Index(ids, b.Customer)
	})
	return out, nil
}

// Erase takes a person out, under all IDs that [Config.SameAs] gives. Their
// invitations and contact are deleted. Of a response the ratings, choices,
// time, touchpoint, outlet, product and journey step remain, so that past
// scores do not change; customer, order, invitation and all texts go. The
// response's ID remains, and a late repetition of it brings nothing back.
//
// Each ID is one commit that fails as a whole; Erase may be repeated.
func (c *Collector) Erase(ctx context.Context, id profile.ID) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	ids, err := c.known(ctx, id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := retry(ctx, func() (struct{}, error) { return struct{}{}, c.erase(ctx, id) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *Collector) erase(ctx context.Context, id profile.ID) error {
	// The contact is read first and deleted under its version: whatever is
	// given or answered meanwhile changes it and makes this commit fail. Where
	// there is none, the deletion at version 0 says that there must be none.
	got, err := c.store.Get(ctx, Keys{Contacts: []profile.ID{id}})
	if err != nil {
		return err
	}
	if len(got.Contacts) == 0 {
		got.Contacts = []Contact{{Customer: id}}
	}
	batch := Batch{Delete: Records{Contacts: got.Contacts}}
	for inv, err := range c.Invitations(ctx, Query{Customer: id}) {
		if err != nil {
			return err
		}
		batch.Delete.Invitations = append(batch.Delete.Invitations, inv)
	}
	for r, err := range c.Responses(ctx, Query{Customer: id}) {
		if err != nil {
			return err
		}
		batch.Put.Responses = append(batch.Put.Responses, r.anonymous())
	}
	return c.store.Commit(ctx, batch)
}

func (r Response) anonymous() Response {
	r = r.withoutTexts()
	r.Customer, r.Invitation, r.Erased, r.Trimmed = "", "", true, false
	r.Occasion = Occasion{
		Touchpoint: r.Occasion.Touchpoint, Outlet: r.Occasion.Outlet, Product: r.Occasion.Product,
		Journey: r.Occasion.Journey, Step: r.Occasion.Step, Channel: r.Occasion.Channel,
	}
	return r
}

// Apply consumes the change feed of a directory: an erasure there erases here.
// Every other change is nothing to this package.
func (c *Collector) Apply(ctx context.Context, change profile.Change) error {
	if change.Kind != profile.Erased {
		return nil
	}
	// A row of a former ID names it in Other.
	if change.Other != "" {
		if err := c.Erase(ctx, change.Other); err != nil {
			return err
		}
	}
	return c.Erase(ctx, change.Profile)
}
