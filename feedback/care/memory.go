package care

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in memory. A page costs a scan of all its records; a
// store on a database has indexes for that.
type Memory struct {
	mu    sync.RWMutex
	cases map[string]Case
	loans map[string]Loan
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{cases: map[string]Case{}, loans: map[string]Loan{}}
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
		c = c.clone()
		c.Version++
		m.cases[c.ID] = c
	}
	for _, l := range put.Loans {
		l.Version++
		m.loans[l.Item] = l
	}
	return nil
}

// Page implements [Store].
func (m *Memory) Page(ctx context.Context, q Query) ([]Case, error) {
	return m.list(ctx, q.limit(), q.matches, func(a, b Case) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
}

// Due implements [Store].
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) ([]Case, error) {
	due := func(c *Case) bool { return !c.NextDue.IsZero() && !c.NextDue.After(now) }
	return m.list(ctx, max(limit, 0), due, func(a, b Case) int {
		return cmp.Or(a.NextDue.Compare(b.NextDue), cmp.Compare(a.ID, b.ID))
	})
}

func (m *Memory) list(ctx context.Context, limit int, in func(*Case) bool, order func(a, b Case) int) ([]Case, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Case
	for _, c := range m.cases {
		if in(&c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, order)
	out = slices.Clone(out[:min(len(out), limit)])
	for i := range out {
		out[i] = out[i].clone()
	}
	return out, nil
}
