package loyalty_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
)

// Each history checks every invariant; -loyalty.histories 10000 posts more than
// a million commands.
var histories = flag.Int("loyalty.histories", 200, "random histories of 100 commands")

func TestMemoryStore(t *testing.T) {
	loyaltytest.TestStore(t, func(testing.TB) loyalty.Store { return loyalty.NewMemoryStore() })
}

func memory() loyalty.Store { return loyalty.NewMemoryStore() }

// TestInvariant checks all invariants together in random histories, and each by
// itself, with nothing in between that hides its failure, in some more.
func TestInvariant(t *testing.T) {
	invariants := loyaltytest.Invariants()
	n := *histories
	if underRace {
		n = min(n, 50)
	}
	for i, invariant := range invariants {
		t.Run(string(invariant), func(t *testing.T) {
			t.Parallel()
			for seed := i; seed < max(n/5, min(n, 200)); seed += len(invariants) {
				loyaltytest.TestHistory(t, uint64(n+seed), 100, memory(), invariant)
			}
		})
	}
	const shards = 4
	for shard := range shards {
		t.Run(fmt.Sprint("all together, part ", shard+1), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += shards {
				loyaltytest.TestHistory(t, uint64(seed), 100, memory())
			}
		})
	}
	t.Run("a sweep is independent of batch and order", func(t *testing.T) {
		t.Parallel()
		for seed := range (n + 19) / 20 {
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
