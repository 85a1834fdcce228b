package loyalty_test

import (
	"flag"
	"testing"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltytest"
)

var histories = flag.Int("loyalty.histories", 500, "random histories of 100 commands")

func TestMemoryStore(t *testing.T) {
	loyaltytest.TestStore(t, func(testing.TB) loyalty.Store { return loyalty.NewMemoryStore() })
}

func TestRandomHistories(t *testing.T) {
	for seed := range uint64(*histories) {
		loyaltytest.TestHistory(t, seed, 100, loyalty.NewMemoryStore())
	}
}

func TestHistoriesDoNotDependOnWhatIsCached(t *testing.T) {
	for seed := range uint64(20) {
		want := loyaltytest.TestHistory(t, seed, 60, loyalty.NewMemoryStore())
		for range 3 { // the cache drops accounts at random
			got := loyaltytest.TestHistory(t, seed, 60, loyalty.NewMemoryStore())
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("seed %d, line %d:\n%s\n%s", seed, i, want[i], got[i])
				}
			}
		}
	}
}
