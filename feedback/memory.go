package feedback

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Memory is a [Store] in memory. A page costs a scan of all its records; a
// store on a database has indexes for that.
type Memory struct {
	mu          sync.RWMutex
	invitations table[string, Invitation]
	responses   table[string, Response]
	contacts    table[profile.ID, Contact]
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		invitations: table[string, Invitation]{},
		responses:   table[string, Response]{},
		contacts:    table[profile.ID, Contact]{},
	}
}

// table maps keys to records; all access is under the store's lock.
type table[K cmp.Ordered, R any] map[K]R

func (i Invitation) clone() Invitation {
	i.Reasons = slices.Clone(i.Reasons)
	return i
}

func (c Contact) clone() Contact {
	c.Entries = slices.Clone(c.Entries)
	return c
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, keys Keys) (Records, error) {
	if err := ctx.Err(); err != nil {
		return Records{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out Records
	for _, k := range keys.Invitations {
		if r, ok := m.invitations[k]; ok {
			out.Invitations = append(out.Invitations, r.clone())
		}
	}
	for _, k := range keys.Responses {
		if r, ok := m.responses[k]; ok {
			out.Responses = append(out.Responses, r.clone())
		}
	}
	for _, k := range keys.Contacts {
		if r, ok := m.contacts[k]; ok {
			out.Contacts = append(out.Contacts, r.clone())
		}
	}
	return out, nil
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, batch Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, part := range []Records{batch.Put, batch.Delete} {
		for _, r := range part.Invitations {
			if m.invitations[r.ID].Version != r.Version {
				return fmt.Errorf("%w: invitation", ErrConflict)
			}
		}
		for _, r := range part.Responses {
			if m.responses[r.ID].Version != r.Version {
				return fmt.Errorf("%w: response", ErrConflict)
			}
		}
		for _, r := range part.Contacts {
			if m.contacts[r.Customer].Version != r.Version {
				return fmt.Errorf("%w: contact", ErrConflict)
			}
		}
	}
	for _, r := range batch.Put.Invitations {
		r = r.clone()
		r.Version++
		m.invitations[r.ID] = r
	}
	for _, r := range batch.Put.Responses {
		r = r.clone()
		r.Version++
		m.responses[r.ID] = r
	}
	for _, r := range batch.Put.Contacts {
		r = r.clone()
		r.Version++
		m.contacts[r.Customer] = r
	}
	for _, r := range batch.Delete.Invitations {
		delete(m.invitations, r.ID)
	}
	for _, r := range batch.Delete.Responses {
		delete(m.responses, r.ID)
	}
	for _, r := range batch.Delete.Contacts {
		delete(m.contacts, r.Customer)
	}
	return nil
}

// Invitations implements [Store].
func (m *Memory) Invitations(ctx context.Context, q Query) ([]Invitation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Invitation
	for _, r := range m.invitations {
		if q.matches(r.Survey, r.Customer, r.Time, r.ID) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Invitation) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	out = slices.Clone(out[:min(len(out), q.limit())])
	for i := range out {
		out[i] = out[i].clone()
	}
	return out, nil
}

// Responses implements [Store].
func (m *Memory) Responses(ctx context.Context, q Query) ([]Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Response
	for _, r := range m.responses {
		if q.matches(r.Survey, r.Customer, r.Time, r.ID) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Response) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	out = slices.Clone(out[:min(len(out), q.limit())])
	for i := range out {
		out[i] = out[i].clone()
	}
	return out, nil
}

// Due implements [Store].
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) ([]Invitation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Invitation
	for _, r := range m.invitations {
		if d := r.Deadline(); !d.IsZero() && !d.After(now) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Invitation) int {
		return cmp.Or(a.Deadline().Compare(b.Deadline()), cmp.Compare(a.ID, b.ID))
	})
	out = slices.Clone(out[:min(len(out), max(limit, 0))])
	for i := range out {
		out[i] = out[i].clone()
	}
	return out, nil
}
