package loyaltytest_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
	"github.com/cxkit/cxkit/loyalty/program"
)

// broken are stores that are wrong in one way each. The suite must catch them.
var broken = map[string]func(*loyalty.MemoryStore) loyalty.Store{
	"compare-and-swap is lost":      func(s *loyalty.MemoryStore) loyalty.Store { return &noSwap{s} },
	"only the sequence is compared": func(s *loyalty.MemoryStore) loyalty.Store { return &seqOnly{s} },
	"a duplicate key is accepted":   func(s *loyalty.MemoryStore) loyalty.Store { return &anyKey{s} },
	"a posting is half applied":     func(s *loyalty.MemoryStore) loyalty.Store { return &half{s} },
	"one failure fails the batch":   func(s *loyalty.MemoryStore) loyalty.Store { return &allOrNothing{s} },
	"a page skips a row":            func(s *loyalty.MemoryStore) loyalty.Store { return &skips{s} },
	"reads are stale": func(s *loyalty.MemoryStore) loyalty.Store {
		return &stale{MemoryStore: s, seen: map[string]loyalty.Answer{}}
	},
	"due accounts are out of order": func(s *loyalty.MemoryStore) loyalty.Store { return &unordered{s} },
	"times lose the microsecond":    func(s *loyalty.MemoryStore) loyalty.Store { return &coarse{s} },
	"standings are forgotten":       func(s *loyalty.MemoryStore) loyalty.Store { return &forgets{s} },
}

// brokenTiers are stores of tiers that are wrong in one way each.
var brokenTiers = map[string]func(*program.MemoryStore) program.Store{
	"tiers: compare-and-swap is lost":      func(s *program.MemoryStore) program.Store { return tierSwap{s} },
	"tiers: an update is accepted twice":   func(s *program.MemoryStore) program.Store { return tierTwice{s} },
	"tiers: a page of the history skips":   func(s *program.MemoryStore) program.Store { return tierSkips{s} },
	"tiers: a page of reviews skips":       func(s *program.MemoryStore) program.Store { return tierReviews{s} },
	"tiers: reads are stale":               func(s *program.MemoryStore) program.Store { return &tierStale{MemoryStore: s} },
	"tiers: times lose the microsecond":    func(s *program.MemoryStore) program.Store { return tierCoarse{s} },
	"tiers: writes though it was canceled": func(s *program.MemoryStore) program.Store { return tierDeaf{s} },
	"tiers: a refused update is half there": func(s *program.MemoryStore) program.Store {
		return &tierHalf{MemoryStore: s, more: map[string][]program.TierChange{}}
	},
}

func TestTheSuiteCatchesBrokenStores(t *testing.T) {
	names := slices.Collect(maps.Keys(broken))
	for _, name := range slices.AppendSeq(names, maps.Keys(brokenTiers)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenStore$")
			cmd.Env = append(os.Environ(), "LOYALTYTEST_BROKEN="+name)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("the suite passed it:\n%s", out)
			}
		})
	}
}

// TestBrokenStore is what the test above runs in processes of its own.
func TestBrokenStore(t *testing.T) {
	name := os.Getenv("LOYALTYTEST_BROKEN")
	if name == "" {
		t.Skip("run by TestTheSuiteCatchesBrokenStores")
	}
	if open := brokenTiers[name]; open != nil {
		loyaltytest.TestProgramStore(t, func(testing.TB) program.Store { return open(program.NewMemoryStore()) })
		return
	}
	loyaltytest.TestStore(t, func(testing.TB) loyalty.Store { return broken[name](loyalty.NewMemoryStore()) })
}

// present is where an account is now.
func present(ctx context.Context, s *loyalty.MemoryStore, program, account string) (uint64, loyalty.Hash) {
	a, err := s.Load(ctx, loyalty.Query{Program: program, Accounts: []loyalty.Want{{Account: account}}})
	if err != nil || len(a.Accounts) == 0 {
		return 0, loyalty.Hash{}
	}
	return a.Accounts[0].Seq, a.Accounts[0].Head
}

type noSwap struct{ *loyalty.MemoryStore }

func (s *noSwap) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	var errs []error
	for _, p := range ps {
		for i := range p.Accounts {
			p.Accounts[i].Expect, p.Accounts[i].Before = present(ctx, s.MemoryStore, p.Program, p.Accounts[i].ID)
		}
		errs = append(errs, s.MemoryStore.Commit(ctx, []loyalty.Posting{p})...)
	}
	return errs
}

type seqOnly struct{ *loyalty.MemoryStore }

func (s *seqOnly) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	var errs []error
	for _, p := range ps {
		for i := range p.Accounts {
			if seq, head := present(ctx, s.MemoryStore, p.Program, p.Accounts[i].ID); seq == p.Accounts[i].Expect {
				p.Accounts[i].Before = head
			}
		}
		errs = append(errs, s.MemoryStore.Commit(ctx, []loyalty.Posting{p})...)
	}
	return errs
}

type anyKey struct{ *loyalty.MemoryStore }

func (s *anyKey) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	errs := s.MemoryStore.Commit(ctx, ps)
	for i, err := range errs {
		if err == loyalty.ErrDuplicate {
			errs[i] = nil
		}
	}
	return errs
}

type half struct{ *loyalty.MemoryStore }

func (s *half) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	errs := s.MemoryStore.Commit(ctx, ps)
	for i, err := range errs {
		if err != nil && len(ps[i].Accounts) > 1 {
			p := ps[i]
			p.Accounts = p.Accounts[:1]
			s.MemoryStore.Commit(ctx, []loyalty.Posting{p})
		}
	}
	return errs
}

type allOrNothing struct{ *loyalty.MemoryStore }

func (s *allOrNothing) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	errs := s.MemoryStore.Commit(ctx, ps)
	for _, err := range errs {
		if err != nil {
			for i := range errs {
				errs[i] = err
			}
		}
	}
	return errs
}

type skips struct{ *loyalty.MemoryStore }

func (s *skips) Entries(ctx context.Context, program, account string, after uint64, limit int) ([]loyalty.Transaction, error) {
	if after > 0 {
		after++
	}
	return s.MemoryStore.Entries(ctx, program, account, after, limit)
}

type stale struct {
	*loyalty.MemoryStore
	mu   sync.Mutex
	seen map[string]loyalty.Answer
}

func (s *stale) Load(ctx context.Context, q loyalty.Query) (loyalty.Answer, error) {
	a, err := s.MemoryStore.Load(ctx, q)
	if err != nil || len(q.Accounts) != 1 || len(q.Keys) > 0 {
		return a, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := q.Program + " " + q.Accounts[0].Account
	if old, ok := s.seen[key]; ok {
		return old, nil
	}
	s.seen[key] = a
	return a, nil
}

type unordered struct{ *loyalty.MemoryStore }

func (s *unordered) Due(ctx context.Context, program string, now time.Time, after loyalty.Account, limit int) ([]loyalty.Account, error) {
	as, err := s.MemoryStore.Due(ctx, program, now, after, limit)
	for i, j := 0, len(as)-1; i < j; i, j = i+1, j-1 {
		as[i], as[j] = as[j], as[i]
	}
	return as, err
}

type coarse struct{ *loyalty.MemoryStore }

func (s *coarse) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	for _, p := range ps {
		for i := range p.Lots {
			p.Lots[i].EarnedAt = p.Lots[i].EarnedAt.Truncate(time.Millisecond)
		}
	}
	return s.MemoryStore.Commit(ctx, ps)
}

type forgets struct{ *loyalty.MemoryStore }

func (s *forgets) Commit(ctx context.Context, ps []loyalty.Posting) []error {
	for _, p := range ps {
		for i := range p.Accounts {
			p.Accounts[i].Standings = nil
		}
	}
	return s.MemoryStore.Commit(ctx, ps)
}

type tierSwap struct{ *program.MemoryStore }

func (s tierSwap) Commit(ctx context.Context, u program.TierUpdate) error {
	was, err := s.Tier(ctx, u.Program, u.State.Account)
	if err != nil {
		return err
	}
	u.State.Version = was.Version + 1
	return s.MemoryStore.Commit(ctx, u)
}

type tierTwice struct{ *program.MemoryStore }

func (s tierTwice) Commit(ctx context.Context, u program.TierUpdate) error {
	err := s.MemoryStore.Commit(ctx, u)
	if was, _ := s.Tier(ctx, u.Program, u.State.Account); errors.Is(err, program.ErrConflict) && was.Version == u.State.Version {
		return nil
	}
	return err
}

type tierSkips struct{ *program.MemoryStore }

func (s tierSkips) History(ctx context.Context, id, account string, after, limit int) ([]program.TierChange, error) {
	if after > 0 {
		after++
	}
	return s.MemoryStore.History(ctx, id, account, after, limit)
}

type tierReviews struct{ *program.MemoryStore }

func (s tierReviews) Reviews(ctx context.Context, id string, now time.Time, after program.TierState, limit int) ([]program.TierState, error) {
	rows, err := s.MemoryStore.Reviews(ctx, id, now, after, limit)
	if n := len(rows); n > 1 && n == limit {
		rows = append(rows[:n-2], rows[n-1])
	}
	return rows, err
}

type tierStale struct {
	*program.MemoryStore
	once sync.Once
	seen program.TierState
}

func (s *tierStale) Tier(ctx context.Context, id, account string) (program.TierState, error) {
	now, err := s.MemoryStore.Tier(ctx, id, account)
	s.once.Do(func() { s.seen = now })
	return s.seen, err
}

type tierCoarse struct{ *program.MemoryStore }

func (s tierCoarse) Commit(ctx context.Context, u program.TierUpdate) error {
	u.State.Since = u.State.Since.Truncate(time.Millisecond)
	return s.MemoryStore.Commit(ctx, u)
}

type tierDeaf struct{ *program.MemoryStore }

func (s tierDeaf) Commit(ctx context.Context, u program.TierUpdate) error {
	return s.MemoryStore.Commit(context.WithoutCancel(ctx), u)
}

// tierHalf keeps the changes of updates that it refused.
type tierHalf struct {
	*program.MemoryStore
	more map[string][]program.TierChange
}

func (s *tierHalf) Commit(ctx context.Context, u program.TierUpdate) error {
	err := s.MemoryStore.Commit(ctx, u)
	if err != nil {
		s.more[u.State.Account] = append(s.more[u.State.Account], u.Changes...)
	}
	return err
}

func (s *tierHalf) History(ctx context.Context, id, account string, after, limit int) ([]program.TierChange, error) {
	rows, err := s.MemoryStore.History(ctx, id, account, 0, 1<<20)
	rows = append(rows, s.more[account]...)
	return rows[min(len(rows), after):min(len(rows), after+limit)], err
}
