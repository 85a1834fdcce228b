package loyaltytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
)

// TestProgramStore runs the conformance suite of a [program.Store]. open makes
// an empty store each time.
func TestProgramStore(t *testing.T, open func(testing.TB) program.Store) {
	state := func(account string, version uint64, review time.Time) program.TierState {
		return program.TierState{Account: account, Tier: fmt.Sprint("tier", version), Since: base, ReviewAt: review, Version: version}
	}
	change := func(account string, n int) program.TierChange {
		return program.TierChange{
			Account: account, From: fmt.Sprint("tier", n-1), To: fmt.Sprint("tier", n), At: base.Add(time.Duration(n) * time.Microsecond),
			Qualifying: int64(n), Unit: "spend", WindowFrom: base.AddDate(-1, 0, 0), Review: n%2 == 0, Merged: []string{"", "other"}[n%2],
		}
	}
	commit := func(s program.Store, u program.TierUpdate) error {
		if u.Program == "" {
			u.Program = "main"
		}
		return s.Commit(ctx, u)
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("what is committed is read as it was written", func(t *testing.T) {
		s := open(t)
		got, err := s.Tier(ctx, "main", "A")
		must(t, err)
		equal(t, "no tier", got, program.TierState{Account: "A"})
		u := program.TierUpdate{State: state("A", 1, base), Changes: []program.TierChange{change("A", 1), change("A", 2)}}
		must(t, commit(s, u))
		got, err = s.Tier(ctx, "main", "A")
		must(t, err)
		equal(t, "tier", got, u.State)
		changes, err := s.History(ctx, "main", "A", 0, 10)
		must(t, err)
		equal(t, "history", changes, u.Changes)
	})
	t.Run("the version guards an account", func(t *testing.T) {
		s := open(t)
		fails(t, commit(s, program.TierUpdate{State: state("A", 2, base)}), program.ErrConflict)
		must(t, commit(s, program.TierUpdate{State: state("A", 1, base)}))
		fails(t, commit(s, program.TierUpdate{State: state("A", 1, base), Changes: []program.TierChange{change("A", 1)}}), program.ErrConflict)
		fails(t, commit(s, program.TierUpdate{State: state("A", 3, base)}), program.ErrConflict)
		changes, err := s.History(ctx, "main", "A", 0, 10)
		must(t, err)
		if len(changes) > 0 {
			t.Fatalf("a failed update left %v", changes)
		}
		must(t, commit(s, program.TierUpdate{State: state("A", 2, base), Changes: []program.TierChange{change("A", 1)}}))
		got, err := s.Tier(ctx, "main", "A")
		must(t, err)
		equal(t, "tier", got, state("A", 2, base))
	})
	t.Run("history comes in pages", func(t *testing.T) {
		s := open(t)
		var want, got []program.TierChange
		for n := 1; n <= 7; n++ {
			want = append(want, change("A", n))
			must(t, commit(s, program.TierUpdate{State: state("A", uint64(n), base), Changes: want[n-1:]}))
		}
		for {
			part, err := s.History(ctx, "main", "A", len(got), 3)
			must(t, err)
			if len(part) == 0 {
				break
			}
			got = append(got, part...)
		}
		equal(t, "history", got, want)
	})
	t.Run("reviews come in the order of their instants", func(t *testing.T) {
		s := open(t)
		for id, at := range map[string]time.Time{
			"b": base, "B": base, "c": base.Add(-time.Hour), "d": base.Add(time.Microsecond), "e": loyalty.Forever,
		} {
			must(t, commit(s, program.TierUpdate{State: state(id, 1, at)}))
		}
		for _, limit := range []int{1, 2, 10} {
			var got []string
			for after := (program.TierState{}); ; {
				part, err := s.Reviews(ctx, "main", base, after, limit)
				must(t, err)
				if len(part) == 0 {
					break
				}
				for _, x := range part {
					got = append(got, x.Account)
				}
				after = part[len(part)-1]
			}
			equal(t, "reviews", got, []string{"c", "B", "b"})
		}
	})
	t.Run("programs do not see each other", func(t *testing.T) {
		s := open(t)
		must(t, commit(s, program.TierUpdate{State: state("A", 1, base)}))
		must(t, commit(s, program.TierUpdate{Program: "other", State: state("A", 1, base.Add(time.Hour))}))
		got, err := s.Tier(ctx, "main", "A")
		must(t, err)
		equal(t, "tier", got, state("A", 1, base))
	})
	t.Run("a canceled context leaves nothing", func(t *testing.T) {
		s := open(t)
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Commit(canceled, program.TierUpdate{Program: "main", State: state("A", 1, base)}); err == nil {
			t.Fatal("Commit succeeded")
		}
		must(t, commit(s, program.TierUpdate{State: state("A", 1, base)}))
	})
}
