package feedback

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cxkit/cxkit/feedback/internal/ordered"
	"github.com/cxkit/cxkit/profile"
)

// Memory is a [Store] in memory. Pages are read from indexes by time and by
// customer; a filter by survey alone scans what lies in the span of time.
type Memory struct {
	mu          sync.RWMutex
	invitations shelf[Invitation]
	responses   shelf[Response]
	contacts    map[profile.ID]Contact
	deadlines   ordered.Index
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		invitations: newShelf[Invitation](), responses: newShelf[Response](),
		contacts: map[profile.ID]Contact{},
	}
}

// entry is a record with a time, such as [Invitation] and [Response].
type entry[R any] interface {
	place() (ordered.Key, profile.ID)
	survey() string
	clone() R
}

func (i Invitation) place() (ordered.Key, profile.ID) {
	return ordered.Key{Time: i.Time, ID: i.ID}, i.Customer
}
func (i Invitation) survey() string { return i.Survey }
func (i Invitation) clone() Invitation {
	i.Reasons = slices.Clone(i.Reasons)
	return i
}

func (r Response) place() (ordered.Key, profile.ID) {
	return ordered.Key{Time: r.Time, ID: r.ID}, r.Customer
}
func (r Response) survey() string { return r.Survey }

// clone returns a response that shares no memory with r.
func (r Response) clone() Response {
	r.Answers = maps.Clone(r.Answers)
	for k, a := range r.Answers {
		a.Choices = slices.Clone(a.Choices)
		r.Answers[k] = a
	}
	return r
}

// shelf holds records of one kind; all access is under the store's lock.
type shelf[R entry[R]] struct {
	byID       map[string]R
	byTime     *ordered.Index
	byCustomer map[profile.ID]*ordered.Index
}

func newShelf[R entry[R]]() shelf[R] {
	return shelf[R]{map[string]R{}, &ordered.Index{}, map[profile.ID]*ordered.Index{}}
}

func (s shelf[R]) put(id string, r R) {
	s.remove(id)
	s.byID[id] = r.clone()
	key, customer := r.place()
	s.byTime.Add(key)
	if s.byCustomer[customer] == nil {
		s.byCustomer[customer] = &ordered.Index{}
	}
	s.byCustomer[customer].Add(key)
}

func (s shelf[R]) remove(id string) {
	old, ok := s.byID[id]
	if !ok {
		return
	}
	key, customer := old.place()
	delete(s.byID, id)
	s.byTime.Remove(key)
	if s.byCustomer[customer].Remove(key); s.byCustomer[customer].Len() == 0 {
		delete(s.byCustomer, customer)
	}
}

func (s shelf[R]) page(q Query) []R {
	index := s.byTime
	if q.Customer != "" {
		if index = s.byCustomer[q.Customer]; index == nil {
			return nil
		}
	}
	from := ordered.Key{Time: q.From}
	if after := ordered.Key(q.After); q.After != (Position{}) && after.Compare(from) > 0 {
		from = after
	}
	var out []R
	for key := range index.From(from) {
		if len(out) == q.limit() || !q.To.IsZero() && !key.Time.Before(q.To) {
			break
		}
		r := s.byID[key.ID]
		if Position(key) != q.After && (q.Survey == "" || q.Survey == r.survey()) {
			out = append(out, r.clone())
		}
	}
	return out
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
		if r, ok := m.invitations.byID[k]; ok {
			out.Invitations = append(out.Invitations, r.clone())
		}
	}
	for _, k := range keys.Responses {
		if r, ok := m.responses.byID[k]; ok {
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
			if m.invitations.byID[r.ID].Version != r.Version {
				return fmt.Errorf("%w: invitation", ErrConflict)
			}
		}
		for _, r := range part.Responses {
			if m.responses.byID[r.ID].Version != r.Version {
				return fmt.Errorf("%w: response", ErrConflict)
			}
		}
		for _, r := range part.Contacts {
			if m.contacts[r.Customer].Version != r.Version {
				return fmt.Errorf("%w: contact", ErrConflict)
			}
		}
	}
	for _, r := range batch.Delete.Invitations {
		m.unschedule(r.ID)
		m.invitations.remove(r.ID)
	}
	for _, r := range batch.Delete.Responses {
		m.responses.remove(r.ID)
	}
	for _, r := range batch.Delete.Contacts {
		delete(m.contacts, r.Customer)
	}
	for _, r := range batch.Put.Invitations {
		r.Version++
		m.unschedule(r.ID)
		m.invitations.put(r.ID, r)
		if d := r.Deadline(); !d.IsZero() {
			m.deadlines.Add(ordered.Key{Time: d, ID: r.ID})
		}
	}
	for _, r := range batch.Put.Responses {
		r.Version++
		m.responses.put(r.ID, r)
	}
	for _, r := range batch.Put.Contacts {
		r = r.clone()
		r.Version++
		m.contacts[r.Customer] = r
	}
	return nil
}

func (m *Memory) unschedule(id string) {
	if old, ok := m.invitations.byID[id]; ok {
		m.deadlines.Remove(ordered.Key{Time: old.Deadline(), ID: id})
	}
}

// Invitations implements [Store].
func (m *Memory) Invitations(ctx context.Context, q Query) ([]Invitation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.invitations.page(q), nil
}

// Responses implements [Store].
func (m *Memory) Responses(ctx context.Context, q Query) ([]Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.responses.page(q), nil
}

// Due implements [Store].
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) ([]Invitation, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Invitation
	for key := range m.deadlines.From(ordered.Key{}) {
		if len(out) >= limit || key.Time.After(now) {
			break
		}
		out = append(out, m.invitations.byID[key.ID].clone())
	}
	return out, nil
}
