package profile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// An index is a map from number and text, under any order of puts and removals.
func TestIndexIsAMap(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		x := newIndex[*record](1 << rng.IntN(3))
		m := map[string]*record{}
		for range 500 {
			id := fmt.Sprint(rng.IntN(60))
			switch rng.IntN(3) {
			case 0:
				x.remove(0, id)
				delete(m, id)
			default:
				if m[id] == nil {
					m[id] = &record{id: id}
					x.put(0, id, m[id])
				}
			}
			id = fmt.Sprint(rng.IntN(60))
			require.True(t, m[id] == x.get(0, id), "seed %d", seed)
		}
		left := map[string]*record{}
		for rec := range x.all() {
			left[rec.id] = rec
		}
		require.Equal(t, m, left, "seed %d", seed)
	}
}

// Kinds do not share values.
func TestIndexTellsNumbersApart(t *testing.T) {
	x := newIndex[*node](1)
	for i := range 5 {
		n := &node{}
		n.init(name{kind: &scoped{index: i}, value: "1"})
		x.put(i, "1", n)
		require.True(t, x.get(i, "1") == n)
	}
	x.remove(2, "1")
	require.Nil(t, x.get(2, "1"))
	require.NotNil(t, x.get(3, "1"))
}
