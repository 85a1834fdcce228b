package profiletest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profiletest"
)

// broken are stores that are wrong in one way each.
var broken = map[string]func(*profile.MemoryStore) profile.Store{
	"compare-and-swap of identifiers is lost": func(s *profile.MemoryStore) profile.Store { return &careless{MemoryStore: s, names: true} },
	"compare-and-swap of evidence is lost":    func(s *profile.MemoryStore) profile.Store { return &careless{MemoryStore: s, evidence: true} },
	"compare-and-swap of profiles is lost":    func(s *profile.MemoryStore) profile.Store { return &careless{MemoryStore: s, profiles: true} },
	"an event is inserted twice":              func(s *profile.MemoryStore) profile.Store { return twice{s} },
	"a batch is half applied":                 func(s *profile.MemoryStore) profile.Store { return half{s} },
	"a refused batch is in the feed":          func(s *profile.MemoryStore) profile.Store { return talking{s} },
	"a page of the feed skips":                func(s *profile.MemoryStore) profile.Store { return skipping{MemoryStore: s, feed: true} },
	"a page of a timeline skips":              func(s *profile.MemoryStore) profile.Store { return skipping{MemoryStore: s, timeline: true} },
	"a page of profiles skips":                func(s *profile.MemoryStore) profile.Store { return skipping{MemoryStore: s, scan: true} },
	"profiles are in the order of a language": func(s *profile.MemoryStore) profile.Store { return folded{s} },
	"reads are stale": func(s *profile.MemoryStore) profile.Store {
		return &stale{MemoryStore: s, seen: map[string]profile.Rows{}}
	},
	"times are cut to the millisecond": func(s *profile.MemoryStore) profile.Store { return coarse{s} },
	"a move leaves identifiers behind": func(s *profile.MemoryStore) profile.Store { return clinging{s} },
	"what is retracted keeps its text": func(s *profile.MemoryStore) profile.Store { return keeping{s} },
	"tombstones are forgotten":         func(s *profile.MemoryStore) profile.Store { return forgetful{s} },
	"writes though it was canceled":    func(s *profile.MemoryStore) profile.Store { return deaf{s} },
	"arrival numbers come twice":       func(s *profile.MemoryStore) profile.Store { return stuck{s} },
}

const brokenEnv = "CXKIT_BROKEN_STORE"

func TestTheSuiteCatchesBrokenStores(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBrokenStore$", "-test.timeout=60s", "-test.failfast")
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
	profiletest.TestStore(t, func(testing.TB) profile.Store { return open(profile.NewMemoryStore()) })
}

// careless takes the version that is there for the one that was read.
type careless struct {
	*profile.MemoryStore
	names, evidence, profiles bool
}

func (s *careless) Commit(ctx context.Context, b profile.Batch) error {
	b.Names, b.Evidence, b.Profiles = slices.Clone(b.Names), slices.Clone(b.Evidence), slices.Clone(b.Profiles)
	for i := range b.Names {
		rows, err := s.Load(ctx, profile.Query{Names: []profile.Name{b.Names[i].Name}})
		for _, row := range rows.Names {
			if err == nil && s.names && row.Name == b.Names[i].Name {
				b.Names[i].Version = row.Version
			}
		}
	}
	for i := range b.Evidence {
		rows, err := s.Load(ctx, profile.Query{Evidence: []profile.EvidenceKey{b.Evidence[i].Key}})
		for _, row := range rows.Evidence {
			if err == nil && s.evidence && row.Key == b.Evidence[i].Key {
				b.Evidence[i].Version = row.Version
			}
		}
	}
	for i := range b.Profiles {
		rows, err := s.Load(ctx, profile.Query{Profiles: []profile.ID{b.Profiles[i].ID}})
		for _, row := range rows.Profiles {
			if err == nil && s.profiles && row.ID == b.Profiles[i].ID {
				b.Profiles[i].Version = row.Version
			}
		}
	}
	return s.MemoryStore.Commit(ctx, b)
}

type twice struct{ *profile.MemoryStore }

func (s twice) Commit(ctx context.Context, b profile.Batch) error {
	b.Events = slices.Clone(b.Events)
	for i := range b.Events {
		rows, err := s.Load(ctx, profile.Query{Events: []string{b.Events[i].Event.ID}})
		b.Events[i].Known = err == nil && len(rows.Events) > 0
	}
	return s.MemoryStore.Commit(ctx, b)
}

type half struct{ *profile.MemoryStore }

func (s half) Commit(ctx context.Context, b profile.Batch) error {
	if err := s.MemoryStore.Commit(ctx, profile.Batch{Anchors: b.Anchors}); err != nil {
		return err
	}
	b.Anchors = nil
	return s.MemoryStore.Commit(ctx, b)
}

type talking struct{ *profile.MemoryStore }

func (s talking) Commit(ctx context.Context, b profile.Batch) error {
	err := s.MemoryStore.Commit(ctx, b)
	if errors.Is(err, profile.ErrConflict) {
		return errors.Join(err, s.MemoryStore.Commit(ctx, profile.Batch{Changes: b.Changes}))
	}
	return err
}

type skipping struct {
	*profile.MemoryStore
	feed, timeline, scan bool
}

// skip leaves out the last but one row of a full page.
func skip[T any](rows []T, limit int) []T {
	if n := len(rows); n > 1 && n == limit {
		rows = append(slices.Clone(rows[:n-2]), rows[n-1])
	}
	return rows
}

func (s skipping) Changes(ctx context.Context, after uint64, limit int) ([]profile.Change, error) {
	rows, err := s.MemoryStore.Changes(ctx, after, limit)
	if s.feed {
		rows = skip(rows, limit)
	}
	return rows, err
}

func (s skipping) Events(ctx context.Context, p profile.TimelinePage) ([]profile.EventRow, error) {
	rows, err := s.MemoryStore.Events(ctx, p)
	if s.timeline {
		rows = skip(rows, p.Limit)
	}
	return rows, err
}

func (s skipping) Scan(ctx context.Context, after profile.ID, limit int) ([]profile.ID, error) {
	rows, err := s.MemoryStore.Scan(ctx, after, limit)
	if s.scan {
		rows = skip(rows, limit)
	}
	return rows, err
}

type folded struct{ *profile.MemoryStore }

func (s folded) Scan(ctx context.Context, after profile.ID, limit int) ([]profile.ID, error) {
	all, err := s.MemoryStore.Scan(ctx, "", 1<<20)
	lower := func(id profile.ID) string { return strings.ToLower(string(id)) }
	slices.SortFunc(all, func(a, b profile.ID) int { return strings.Compare(lower(a), lower(b)) })
	all = slices.DeleteFunc(all, func(id profile.ID) bool { return after != "" && lower(id) <= lower(after) })
	return all[:min(len(all), limit)], err
}

type stale struct {
	*profile.MemoryStore
	mu   sync.Mutex
	seen map[string]profile.Rows
}

func (s *stale) Load(ctx context.Context, q profile.Query) (profile.Rows, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(q.Names) == 0 || len(q.Events)+q.Arrivals > 0 {
		return s.MemoryStore.Load(ctx, q)
	}
	key := fmt.Sprint(q)
	if rows, ok := s.seen[key]; ok {
		return rows, nil
	}
	rows, err := s.MemoryStore.Load(ctx, q)
	s.seen[key] = rows
	return rows, err
}

type coarse struct{ *profile.MemoryStore }

func (s coarse) Commit(ctx context.Context, b profile.Batch) error {
	b.Evidence = slices.Clone(b.Evidence)
	for i := range b.Evidence {
		b.Evidence[i].First = b.Evidence[i].First.Truncate(time.Millisecond)
	}
	return s.MemoryStore.Commit(ctx, b)
}

type clinging struct{ *profile.MemoryStore }

func (s clinging) Commit(ctx context.Context, b profile.Batch) error {
	left := map[profile.Name]profile.ID{}
	for _, m := range b.Moves {
		rows, err := s.Load(ctx, profile.Query{Profiles: []profile.ID{m.From}})
		if err != nil {
			return err
		}
		for _, row := range rows.Names {
			if row.Profile == m.From {
				left[row.Name] = m.From
			}
		}
	}
	if err := s.MemoryStore.Commit(ctx, b); err != nil {
		return err
	}
	for name, from := range left {
		rows, err := s.Load(ctx, profile.Query{Names: []profile.Name{name}})
		if err != nil {
			return err
		}
		rows.Names[0].Profile = from
		if err := s.MemoryStore.Commit(ctx, profile.Batch{Names: rows.Names[:1]}); err != nil {
			return err
		}
	}
	return nil
}

type keeping struct{ *profile.MemoryStore }

func (s keeping) Commit(ctx context.Context, b profile.Batch) error {
	b.Events = slices.Clone(b.Events)
	for i := range b.Events {
		if !b.Events[i].Retracted {
			continue
		}
		rows, err := s.Load(ctx, profile.Query{Events: []string{b.Events[i].Event.ID}})
		if err == nil && len(rows.Events) > 0 {
			b.Events[i].Event = rows.Events[0].Event
		}
	}
	return s.MemoryStore.Commit(ctx, b)
}

type forgetful struct{ *profile.MemoryStore }

func (s forgetful) Commit(ctx context.Context, b profile.Batch) error {
	b.Tombstones = nil
	return s.MemoryStore.Commit(ctx, b)
}

type deaf struct{ *profile.MemoryStore }

func (s deaf) Commit(ctx context.Context, b profile.Batch) error {
	return s.MemoryStore.Commit(context.WithoutCancel(ctx), b)
}

type stuck struct{ *profile.MemoryStore }

func (s stuck) Load(ctx context.Context, q profile.Query) (profile.Rows, error) {
	rows, err := s.MemoryStore.Load(ctx, q)
	if q.Arrivals > 0 {
		rows.Arrival = 1
	}
	return rows, err
}
