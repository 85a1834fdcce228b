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
	mu         sync.RWMutex
	cases      map[string]Case
	loans      map[string]Loan
	byTime     ordered.Index
	byCustomer map[profile.ID]*ordered.Index
	due        ordered.Index
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{cases: map[string]Case{}, loans: map[string]Loan{}, byCustomer: map[profile.ID]*ordered.Index{}}
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
		if c, ok := m.cases[k]; ok {
			out.Cases = append(out.Cases, c.clone())
		}
	}
	for _, k := range keys.Loans {
		if l, ok := m.loans[k]; ok {
			out.Loans = append(out.Loans, l)
		}
	}
	return out, nil
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, put Records) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range put.Cases {
		if m.cases[c.ID].Version != c.Version {
			return fmt.Errorf("%w: case", ErrConflict)
		}
	}
	for _, l := range put.Loans {
		if m.loans[l.Item].Version != l.Version {
			return fmt.Errorf("%w: loan", ErrConflict)
		}
	}
	for _, c := range put.Cases {
		m.remove(c.ID)
		c.Version++
		m.add(c.clone())
	}
	for _, l := range put.Loans {
		l.Version++
		m.loans[l.Item] = l
	}
	return nil
}

func (m *Memory) add(c Case) {
	m.cases[c.ID] = c
	key := ordered.Key{Time: c.Time, ID: c.ID}
	m.byTime.Add(key)
	if m.byCustomer[c.Customer] == nil {
		m.byCustomer[c.Customer] = &ordered.Index{}
	}
	m.byCustomer[c.Customer].Add(key)
	if !c.NextDue.IsZero() {
		m.due.Add(ordered.Key{Time: c.NextDue, ID: c.ID})
	}
}

func (m *Memory) remove(id string) {
	c, ok := m.cases[id]
	if !ok {
		return
	}
	key := ordered.Key{Time: c.Time, ID: c.ID}
	delete(m.cases, id)
	m.byTime.Remove(key)
	if m.byCustomer[c.Customer].Remove(key); m.byCustomer[c.Customer].Len() == 0 {
		delete(m.byCustomer, c.Customer)
	}
	m.due.Remove(ordered.Key{Time: c.NextDue, ID: c.ID})
}

// Page implements [Store].
func (m *Memory) Page(ctx context.Context, q Query) ([]Case, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	index := &m.byTime
	if q.Customer != "" {
		if index = m.byCustomer[q.Customer]; index == nil {
			return nil, nil
		}
	}
	from := ordered.Key{Time: q.From}
	if after := ordered.Key(q.After); q.After != (Position{}) && after.Compare(from) > 0 {
		from = after
	}
	var out []Case
	for key := range index.From(from) {
		if len(out) == q.limit() || !q.To.IsZero() && !key.Time.Before(q.To) {
			break
		}
		c := m.cases[key.ID]
		if Position(key) != q.After && (q.Kind == "" || q.Kind == c.Kind) && !(q.Open && c.Phase.Done()) {
			out = append(out, c.clone())
		}
	}
	return out, nil
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
		out = append(out, m.cases[key.ID].clone())
	}
	return out, nil
}
