package loyaltytest_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
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

func TestTheSuiteCatchesBrokenStores(t *testing.T) {
	for name := range broken {
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
