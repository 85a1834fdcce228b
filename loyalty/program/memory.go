package program

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryStore keeps tiers in memory. Make it with [NewMemoryStore].
type MemoryStore struct {
	mu   sync.RWMutex
	rows map[memoryKey]*memoryTier
}

type memoryKey struct{ program, account string }

type memoryTier struct {
	state   TierState
	history []TierChange
}

// NewMemoryStore makes an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{rows: make(map[memoryKey]*memoryTier)}
}

// Tier implements [Store].
func (s *MemoryStore) Tier(ctx context.Context, program, account string) (TierState, error) {
	if err := ctx.Err(); err != nil {
		return TierState{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r, ok := s.rows[memoryKey{program, account}]; ok {
		return r.state, nil
	}
	return TierState{Account: account}, nil
}

// Commit implements [Store].
func (s *MemoryStore) Commit(ctx context.Context, u TierUpdate) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := memoryKey{u.Program, u.State.Account}
	r, ok := s.rows[key]
	if !ok {
		r = &memoryTier{}
	}
	if r.state.Version+1 != u.State.Version {
		return ErrConflict
	}
	r.state = u.State
	r.history = append(r.history, u.Changes...)
	s.rows[key] = r
	return nil
}

// History implements [Store].
func (s *MemoryStore) History(ctx context.Context, program, account string, after, limit int) ([]TierChange, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.rows[memoryKey{program, account}]
	if !ok || after >= len(r.history) {
		return nil, nil
	}
	return slices.Clone(r.history[after:min(after+limit, len(r.history))]), nil
}

// Reviews implements [Store].
func (s *MemoryStore) Reviews(ctx context.Context, program string, now time.Time, after TierState, limit int) ([]TierState, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	order := func(a, b TierState) int {
		return cmp.Or(a.ReviewAt.Compare(b.ReviewAt), strings.Compare(a.Account, b.Account))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []TierState
	for k, r := range s.rows {
		if k.program == program && !r.state.ReviewAt.After(now) && (after.Account == "" || order(r.state, after) > 0) {
			out = append(out, r.state)
		}
	}
	slices.SortFunc(out, order)
	return out[:min(len(out), limit)], nil
}

var _ Store = (*MemoryStore)(nil)
