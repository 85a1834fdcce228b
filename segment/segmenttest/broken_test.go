package segmenttest_test

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

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
)

// broken are stores that are wrong in one way each.
var broken = map[string]func() segment.Store{
	"compare-and-swap is lost":                  func() segment.Store { return &careless{} },
	"only inputs are compared":                  func() segment.Store { return &careless{transitions: true} },
	"a commit is accepted twice":                func() segment.Store { return &again{} },
	"a commit is half applied":                  func() segment.Store { return &half{} },
	"a page of transitions skips":               func() segment.Store { return &skipping{transitions: true} },
	"a page of inputs skips":                    func() segment.Store { return &skipping{} },
	"a page is longer than was asked for":       func() segment.Store { return &generous{} },
	"the checkpoint read is stale":              func() segment.Store { return &stale{} },
	"inputs of a checkpoint are kept":           func() segment.Store { return &hoarding{} },
	"times are cut to the millisecond":          func() segment.Store { return &coarse{} },
	"an erasure forgets earlier transitions":    func() segment.Store { return &forgetful{} },
	"an erasure takes those who come later too": func() segment.Store { return &grudging{} },
	"writes though it was canceled":             func() segment.Store { return &deaf{} },
}

const brokenEnv = "CXKIT_BROKEN_STORE"

func TestTheSuiteCatchesBrokenStores(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenStore$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("the suite has passed it:\n%s", out)
			}
		})
	}
}

// TestBrokenStore is what the test above runs in processes of its own.
func TestBrokenStore(t *testing.T) {
	open := broken[os.Getenv(brokenEnv)]
	if open == nil {
		t.Skip("run by TestTheSuiteCatchesBrokenStores")
	}
	segmenttest.TestStore(t, func(testing.TB) segment.Store { return open() })
}

// careless takes whatever position there is for the one that was read.
type careless struct {
	segment.MemoryStore
	transitions bool // only of the feed
}

func (s *careless) Commit(ctx context.Context, c segment.Commit) error {
	if !s.transitions {
		in, err := s.Inputs(ctx, 0, 1<<20)
		if err != nil {
			return err
		}
		if len(in) > 0 {
			c.After = in[len(in)-1].Position
		}
	}
	tr, err := s.Transitions(ctx, 0, 1<<20)
	if err != nil {
		return err
	}
	c.Transitions = slices.Clone(c.Transitions)
	for i := range c.Transitions {
		c.Transitions[i].Seq = uint64(len(tr) + i + 1)
	}
	return s.MemoryStore.Commit(ctx, c)
}

type again struct{ segment.MemoryStore }

func (s *again) Commit(ctx context.Context, c segment.Commit) error {
	err := s.MemoryStore.Commit(ctx, c)
	if errors.Is(err, segment.ErrConflict) && len(c.Transitions) > 0 {
		there, _ := s.Transitions(ctx, c.Transitions[0].Seq-1, len(c.Transitions))
		if slices.Equal(there, c.Transitions) {
			return nil
		}
	}
	return err
}

type half struct{ segment.MemoryStore }

func (s *half) Commit(ctx context.Context, c segment.Commit) error {
	if err := s.MemoryStore.Commit(ctx, segment.Commit{After: c.After, Inputs: c.Inputs}); err != nil {
		return err
	}
	c.After += uint64(len(c.Inputs))
	c.Inputs = nil
	return s.MemoryStore.Commit(ctx, c)
}

type skipping struct {
	segment.MemoryStore
	transitions bool
}

func (s *skipping) Transitions(ctx context.Context, after uint64, limit int) ([]segment.Transition, error) {
	if s.transitions && after > 0 {
		after++
	}
	return s.MemoryStore.Transitions(ctx, after, limit)
}

func (s *skipping) Inputs(ctx context.Context, after uint64, limit int) ([]segment.Input, error) {
	if !s.transitions && after > 0 {
		after++
	}
	return s.MemoryStore.Inputs(ctx, after, limit)
}

type generous struct{ segment.MemoryStore }

func (s *generous) Inputs(ctx context.Context, after uint64, limit int) ([]segment.Input, error) {
	return s.MemoryStore.Inputs(ctx, after, limit+1)
}

type stale struct {
	segment.MemoryStore
	once sync.Once
	seen segment.Checkpoint
}

func (s *stale) Load(ctx context.Context) (segment.Checkpoint, error) {
	cp, err := s.MemoryStore.Load(ctx)
	if err == nil {
		s.once.Do(func() { s.seen = cp })
	}
	return s.seen, err
}

// hoarding gives out the inputs of a checkpoint too.
type hoarding struct {
	segment.MemoryStore
	mu  sync.Mutex
	all []segment.Input
}

func (s *hoarding) Commit(ctx context.Context, c segment.Commit) error {
	err := s.MemoryStore.Commit(ctx, c)
	if err == nil {
		s.mu.Lock()
		s.all = append(s.all, c.Inputs...)
		s.mu.Unlock()
	}
	return err
}

func (s *hoarding) Inputs(_ context.Context, after uint64, limit int) ([]segment.Input, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := min(uint64(len(s.all)), after)
	return slices.Clone(s.all[i:min(len(s.all), int(i)+limit)]), nil
}

type coarse struct{ segment.MemoryStore }

func (s *coarse) Commit(ctx context.Context, c segment.Commit) error {
	c.Transitions = slices.Clone(c.Transitions)
	for i := range c.Transitions {
		c.Transitions[i].DetectedAt = c.Transitions[i].DetectedAt.Truncate(time.Millisecond)
	}
	return s.MemoryStore.Commit(ctx, c)
}

type forgetful struct{ segment.MemoryStore }

func (s *forgetful) Commit(ctx context.Context, c segment.Commit) error {
	c.Transitions = slices.Clone(c.Transitions)
	for i := range c.Transitions {
		if slices.Contains(c.Erased, c.Transitions[i].Customer) {
			c.Transitions[i].Customer = ""
		}
	}
	c.Erased = nil
	return s.MemoryStore.Commit(ctx, c)
}

type grudging struct {
	segment.MemoryStore
	mu     sync.Mutex
	erased []profile.ID
}

func (s *grudging) Commit(ctx context.Context, c segment.Commit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erased = append(s.erased, c.Erased...)
	c.Erased = s.erased
	return s.MemoryStore.Commit(ctx, c)
}

type deaf struct{ segment.MemoryStore }

func (s *deaf) Commit(ctx context.Context, c segment.Commit) error {
	return s.MemoryStore.Commit(context.WithoutCancel(ctx), c)
}
