package journey

import (
	"context"
	"slices"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Person is everything that is stored about a customer; it marshals to JSON.
type Person struct {
	Format    int         `json:"format"`
	Customer  profile.ID  `json:"customer"`
	Contact   contact.Row `json:"contact"`
	Arms      []Arm       `json:"arms,omitempty"`
	Instances []Instance  `json:"instances"`
	Effects   []Effect    `json:"effects"`
	History   []Record    `json:"history"`
}

// Export gives everything that is stored about a customer.
func (e *Engine) Export(ctx context.Context, id profile.ID) (Person, error) {
	p := Person{Format: 1, Customer: id, Instances: []Instance{}, Effects: []Effect{}, History: []Record{}}
	found, err := e.store.Get(ctx, Lookup{Customer: id})
	if err != nil {
		return Person{}, err
	}
	p.Contact, p.Arms = found.Contact.Row, found.Contact.Arms
	for _, id := range append([]profile.ID{id}, found.Contact.Former...) {
		if err := e.export(ctx, id, &p); err != nil {
			return Person{}, err
		}
	}
	return p, nil
}

func (e *Engine) export(ctx context.Context, id profile.ID, p *Person) error {
	f := Filter{Customer: id}
	for row, err := range e.Instances(ctx, f) {
		if err != nil {
			return err
		}
		p.Instances = append(p.Instances, row.Instance)
	}
	for row, err := range e.Effects(ctx, f) {
		if err != nil {
			return err
		}
		p.Effects = append(p.Effects, row.Effect)
	}
	for r, err := range e.History(ctx, f) {
		if err != nil {
			return err
		}
		p.History = append(p.History, r)
	}
	return nil
}

// Erase removes everything that is stored about a customer: instances, outbox,
// history, entries, inputs and contact row. What is being sent at this moment
// still goes out, but leaves no trace.
func (e *Engine) Erase(ctx context.Context, id profile.ID) error {
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Customer: id})
		if err != nil {
			return err
		}
		return e.store.Commit(ctx, &Batch{Erase: append([]profile.ID{id}, f.Contact.Former...)})
	})
}

// Apply follows a change of the customer directory. Of two merged customers the
// open instances and the contact row go on under the present ID, and so does what
// either has drawn in splits, the present ID's first; history stays under the one
// that it was written with, and the entries of both count for re-entry rules. Where
// both were in the same journey, with the same key unless its re-entry rule is per
// customer, and the rule allows one at a time, the one started first goes on and the
// other ends. After a split, what is under way stays with the
// ID that it has. Waits for a date that a changed trait holds, and conditions on it, are
// looked at again. A restriction stops every message, until it is lifted. An erasure
// removes everything. Other changes are of no concern. Applying a change again
// changes nothing.
func (e *Engine) Apply(ctx context.Context, c profile.Change) error {
	switch c.Kind {
	case profile.Merged:
		return e.merge(ctx, c.Other, c.Profile)
	case profile.TraitChanged:
		return e.recount(ctx, c)
	case profile.Restricted, profile.Resumed:
		return e.Restrict(ctx, c.Profile, c.Kind == profile.Restricted)
	case profile.Erased:
		// A row of a former ID names it in Other.
		if c.Other != "" {
			if err := e.Erase(ctx, c.Other); err != nil {
				return err
			}
		}
		return e.Erase(ctx, c.Profile)
	}
	return nil
}

// recount lets the open instances of a customer in journeys that look at changed
// traits do so anew.
func (e *Engine) recount(ctx context.Context, c profile.Change) error {
	now := e.now()
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Customer: c.Profile})
		if err != nil {
			return err
		}
		u := e.unit(now, &f)
		for _, row := range u.rows {
			d, err := e.version(ctx, DefinitionKey{row.Instance.Journey, row.Instance.Version})
			if err != nil {
				return err
			}
			if !d.looksAt(c.Names) {
				continue
			}
			if _, err := u.hear(ctx, row, Input{Kind: ZoneInput, Time: now, Mode: c.Mode}, now); err != nil {
				return err
			}
		}
		return u.commit(ctx)
	})
}

// Restrict stops every message to a customer, or allows them again.
func (e *Engine) Restrict(ctx context.Context, id profile.ID, restricted bool) error {
	return e.UpdateContact(ctx, id, func(r contact.Row) contact.Row {
		r.Restricted = restricted
		return r
	})
}

// merge moves the open instances and the contact row of one customer to another.
func (e *Engine) merge(ctx context.Context, from, into profile.ID) error {
	if from == into {
		return nil
	}
	now := e.now()
	return again(ctx, func() error {
		a, err := e.store.Get(ctx, Lookup{Customer: from})
		if err != nil {
			return err
		}
		b, err := e.store.Get(ctx, Lookup{Customer: into})
		if err != nil {
			return err
		}
		if slices.Contains(b.Contact.Former, from) && len(a.Instances) == 0 {
			return nil
		}
		u := e.unit(now, &b)
		for i := range a.Instances {
			row := &a.Instances[i]
			row.Instance.Customer = into
			for _, twin := range u.twins(row, e.reentry(row.Instance.Journey)) {
				if twin.Instance.StartedAt.After(row.Instance.StartedAt) {
					u.stop(twin, "merged", "the same customer was here before", now)
				} else {
					u.stop(row, "merged", "the same customer was here before", now)
					break
				}
			}
			r := newRecord(&row.Instance, OperatorRecord, now)
			r.Cause = "goes on under the ID of a merged customer"
			u.batch.History = append(u.batch.History, r)
			u.rows = append(u.rows, row)
			u.touch(row)
		}
		if !slices.Contains(u.contact.Former, from) {
			u.contact.Former = append(slices.Concat(u.contact.Former, a.Contact.Former), from)
		}
		for _, arm := range a.Contact.Arms {
			if !slices.ContainsFunc(u.contact.Arms, arm.same) {
				u.contact.drawn(arm)
			}
		}
		u.setContact(b.Contact.Row.Merge(a.Contact.Row))
		if a.Contact.Version != 0 {
			a.Contact.Row, a.Contact.Former, a.Contact.Arms = contact.Row{}, nil, nil
			u.batch.Contacts = append(u.batch.Contacts, a.Contact)
		}
		if err := e.moveEffects(ctx, u, from, into); err != nil {
			return err
		}
		return u.commit(ctx)
	})
}

// twins are the open instances beside which the re-entry rule lets the row not be.
func (u *unit) twins(row *InstanceRow, rule Reentry) []*InstanceRow {
	var out []*InstanceRow
	for _, other := range u.rows {
		a, b := &other.Instance, &row.Instance
		if a.Open() && a.Journey == b.Journey && (a.Key == b.Key || rule.PerCustomer) && rule.Rule != Always {
			out = append(out, other)
		}
	}
	return out
}

// reentry is the present re-entry rule of a journey.
func (e *Engine) reentry(journey string) Reentry {
	if d := e.Definition(journey); d != nil {
		return d.spec.Reentry
	}
	return Reentry{}
}

// moveEffects gives effects that are not finished the present ID, so that they
// ask the present contact row. One that is being carried out stays as it is, for its
// worker; its instance comes along and tells it, see [Engine.finish].
func (e *Engine) moveEffects(ctx context.Context, u *unit, from, into profile.ID) error {
	for row, err := range e.Effects(ctx, Filter{Customer: from}) {
		if err != nil {
			return err
		}
		switch {
		case row.Effect.Customer != from || row.State.Finished():
		case row.State == Pending:
			row.Effect.Customer = into
			u.batch.Effects = append(u.batch.Effects, row)
		case !slices.ContainsFunc(u.rows, func(r *InstanceRow) bool { return r.Instance.ID == row.Effect.Instance }):
			f, err := e.store.Get(ctx, Lookup{Instance: row.Effect.Instance})
			if err != nil {
				return err
			}
			if f.Instance != nil && f.Instance.Instance.Customer == from {
				f.Instance.Instance.Customer = into
				u.rows = append(u.rows, f.Instance)
				u.touch(f.Instance)
			}
		}
	}
	return nil
}
