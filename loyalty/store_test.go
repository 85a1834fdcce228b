package loyalty_test

import (
	"flag"
	"testing"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
)

// The figure is for all invariants together; -loyalty.histories 10000 posts a
// million commands.
var histories = flag.Int("loyalty.histories", 600, "random histories of 100 commands")

func TestMemoryStore(t *testing.T) {
	loyaltytest.TestStore(t, func(testing.TB) loyalty.Store { return loyalty.NewMemoryStore() })
}

func memory() loyalty.Store { return loyalty.NewMemoryStore() }

func TestInvariant(t *testing.T) {
	invariants := loyaltytest.Invariants()
	n := *histories
	if underRace {
		n = min(n, 200)
	}
	for i, invariant := range invariants {
		t.Run(string(invariant), func(t *testing.T) {
			t.Parallel()
			for seed := i; seed < n; seed += len(invariants) + 2 {
				loyaltytest.TestHistory(t, uint64(seed), 100, memory(), invariant)
			}
		})
	}
	t.Run("all in one history", func(t *testing.T) {
		t.Parallel()
		for seed := len(invariants); seed < n; seed += len(invariants) + 2 {
			loyaltytest.TestHistory(t, uint64(seed), 100, memory())
		}
	})
	t.Run("a sweep is independent of batch and order", func(t *testing.T) {
		t.Parallel()
		for seed := len(invariants) + 1; seed < n; seed += len(invariants) + 2 {
			loyaltytest.TestSweeps(t, uint64(seed), 100, memory)
		}
	})
}

func TestHistoriesDoNotDependOnWhatIsCached(t *testing.T) {
	for seed := range uint64(20) {
		want := loyaltytest.TestHistory(t, seed, 60, memory())
		for range 3 { // the cache drops accounts at random
			got := loyaltytest.TestHistory(t, seed, 60, memory())
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("seed %d, line %d:\n%s\n%s", seed, i, want[i], got[i])
				}
			}
		}
	}
}
