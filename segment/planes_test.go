package segment

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlanesCompareLikePlainNumbers(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 6))
		number := []func() int64{
			func() int64 { return int64(rng.IntN(10)) },
			func() int64 { return rng.Int64N(2_000_000) - 1_000_000 },
			func() int64 { return int64(rng.Uint64()) },
			func() int64 { return []int64{math.MinInt64, math.MaxInt64, 0, -1}[rng.IntN(4)] },
		}[seed%4]
		var p planes
		want := map[uint32]int64{}
		var pinned *planes
		var pinnedWant map[uint32]int64
		for step := range 3000 {
			d := uint32(rng.IntN(3 * chunkSize))
			if rng.IntN(5) == 0 {
				p.unset(d)
				delete(want, d)
			} else {
				n := number()
				p.set(d, n)
				want[d] = n
			}
			if step == 1500 {
				pinned, pinnedWant = p.pin(), map[uint32]int64{}
				for d, n := range want {
					pinnedWant[d] = n
				}
			}
		}
		check := func(p *planes, want map[uint32]int64) {
			require.Equal(t, len(want), p.n)
			for d := range uint32(3 * chunkSize) {
				n, ok := p.get(d)
				w, there := want[d]
				require.Equal(t, there, ok, "seed %d", seed)
				require.Equal(t, w, n, "seed %d", seed)
			}
			for d := uint32(0); d < 4*chunkSize; d += 64 {
				var numbers [64]int64
				has := p.group(d, &numbers)
				for i := range uint32(64) {
					w, there := want[d+i]
					require.Equal(t, there, has>>i&1 == 1, "seed %d", seed)
					if there {
						require.Equal(t, w, numbers[i], "seed %d", seed)
					}
				}
			}
			for range 30 {
				lo, hi := number(), number()
				switch rng.IntN(5) {
				case 0:
					lo = math.MinInt64
				case 1:
					hi = math.MaxInt64
				case 2:
					hi = lo
				}
				var out [blockWords]uint64
				p.within(0, lo, hi, &out)
				count := 0
				for d, n := range want {
					in := out[d/64]&(1<<(d%64)) != 0
					require.Equal(t, lo <= n && n <= hi, in, "seed %d: %d in [%d, %d]", seed, n, lo, hi)
					if in {
						count++
					}
				}
				for _, w := range out {
					count -= bits.OnesCount64(w)
				}
				require.Zero(t, count, "only those who have a number")
			}
		}
		check(&p, want)
		check(pinned, pinnedWant)
	}
}
