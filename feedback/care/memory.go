package care

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cxkit/cxkit/feedback/internal/ordered"
	"github.com/cxkit/cxkit/profile"
)

// Memory is a [Store] in memory. Pages are read from indexes by time and by
// customer; other filters scan what lies in the span of time.
type Memory struct {
	mu       sync.RWMutex
	cases    shelf[Case]
	products shelf[Product]
	loans    map[string]Loan
	due      ordered.Index
}

// entry is a record with a time and a customer.
type entry[R any] interface {
	place() (ordered.Key, profile.ID)
	clone() R
}

func (c Case) place() (ordered.Key, profile.ID) {
	return ordered.Key{Time: c.Time, ID: c.ID}, c.Customer
}

func (p Product) place() (ordered.Key, profile.ID) {
	return ordered.Key{Time: p.BoughtAt, ID: p.ID}, p.Customer
}
func (p Product) clone() Product { return p }

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

func (s shelf[R]) page(q Query, in func(R) bool) []R {
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
		if r := s.byID[key.ID]; Position(key) != q.After && in(r) {
			out = append(out, r.clone())
		}
	}
	return out
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{cases: newShelf[Case](), products: newShelf[Product](), loans: map[string]Loan{}}
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, keys Keys) (Records, error) {
	if err := ctx.Err(); err != nil {
		return Records{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out Records
	for _, k := range keys.Cases {
		if c, ok := m.cases.byID[k]; ok {
			out.Cases = append(out.Cases, c.clone())
		}
	}
	for _, k := range keys.Loans {
		if l, ok := m.loans[k]; ok {
			out.Loans = append(out.Loans, l)
		}
	}
	for _, k := range keys.Products {
		if p, ok := m.products.byID[k]; ok {
			out.Products = append(out.Products, p)
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
		for _, c := range part.Cases {
			if m.cases.byID[c.ID].Version != c.Version {
				return fmt.Errorf("%w: case", ErrConflict)
			}
		}
		for _, l := range part.Loans {
			if m.loans[l.Item].Version != l.Version {
				return fmt.Errorf("%w: loan", ErrConflict)
			}
		}
		for _, p := range part.Products {
			if m.products.byID[p.ID].Version != p.Version {
				return fmt.Errorf("%w: product", ErrConflict)
			}
		}
	}
	for _, c := range batch.Delete.Cases {
		m.unschedule(c.ID)
		m.cases.remove(c.ID)
	}
	for _, l := range batch.Delete.Loans {
		delete(m.loans, l.Item)
	}
	for _, p := range batch.Delete.Products {
		m.products.remove(p.ID)
	}
	for _, c := range batch.Put.Cases {
		c.Version++
		m.unschedule(c.ID)
		m.cases.put(c.ID, c)
		if !c.NextDue.IsZero() {
			m.due.Add(ordered.Key{Time: c.NextDue, ID: c.ID})
		}
	}
	for _, l := range batch.Put.Loans {
		l.Version++
		m.loans[l.Item] = l
	}
	for _, p := range batch.Put.Products {
		p.Version++
		m.products.put(p.ID, p)
	}
	return nil
}

func (m *Memory) unschedule(id string) {
	if old, ok := m.cases.byID[id]; ok {
		m.due.Remove(ordered.Key{Time: old.NextDue, ID: id})
	}
}

// Page implements [Store].
func (m *Memory) Page(ctx context.Context, q Query) ([]Case, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.cases.page(q, func(c Case) bool {
		return (q.Kind == "" || q.Kind == c.Kind) && !(q.Open && c.Phase.Done())
	}), nil
}

// Products implements [Store].
func (m *Memory) Products(ctx context.Context, q Query) ([]Product, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.products.page(q, func(Product) bool { return true }), nil
}

// Due implements [Store].
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) ([]Case, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Case
	for key := range m.due.From(ordered.Key{}) {
		if len(out) >= limit || key.Time.After(now) {
			break
		}
		out = append(out, m.cases.byID[key.ID].clone())
	}
	return out, nil
}
