package ordered_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback/internal/ordered"
)

// TestIndexAgainstASortedSet adds, removes and reads at random.
func TestIndexAgainstASortedSet(t *testing.T) {
	seed := uint64(1)
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 12))
	var x ordered.Index
	model := map[ordered.Key]bool{}
	for range 3000 {
		k := ordered.Key{Time: time.Unix(rng.Int64N(20), 0), ID: fmt.Sprint(rng.IntN(5))}
		if rng.IntN(3) > 0 {
			x.Add(k)
			model[k] = true
		} else {
			x.Remove(k)
			delete(model, k)
		}
		require.Equal(t, len(model), x.Len())
		var want []ordered.Key
		for m := range model {
			if m.Compare(k) >= 0 {
				want = append(want, m)
			}
		}
		slices.SortFunc(want, ordered.Key.Compare)
		var got []ordered.Key
		for key := range x.From(k) {
			if got = append(got, key); len(got) == 7 {
				break
			}
		}
		require.Equal(t, want[:min(7, len(want))], got)
	}
}
