package segment

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cxkit/cxkit/profile"
	"github.com/stretchr/testify/require"
)

// plainSet is what a bitmap has to agree with.
type plainSet map[uint32]bool

func (p plainSet) sorted() []uint32 {
	var out []uint32
	for d := range p {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

func members(s *set) []uint32 {
	var out []uint32
	s.each(func(d uint32) bool { out = append(out, d); return true })
	return out
}

// randomNumber favors a few ranges, so that blocks become arrays and words.
func randomNumber(rng *rand.Rand) uint32 {
	switch rng.IntN(4) {
	case 0:
		return uint32(rng.IntN(2 * arrayMax))
	case 1:
		return blockSize + uint32(rng.IntN(arrayMax/2))
	case 2:
		return 2*blockSize + uint32(rng.IntN(blockSize))
	}
	return uint32(rng.IntN(5 * blockSize))
}

func TestBitmapIsASet(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var m bitmap
		want := plainSet{}
		type shot struct {
			taken *set
			want  []uint32
		}
		var shots []shot
		for range 8 {
			grow := rng.IntN(3) > 0
			for range 3000 {
				d := randomNumber(rng)
				in := grow == (rng.IntN(8) > 0)
				require.Equal(t, want[d] != in, m.set(d, in), "seed %d", seed)
				if in {
					want[d] = true
				} else {
					delete(want, d)
				}
				require.Equal(t, in, m.has(d))
			}
			require.Equal(t, len(want), m.len())
			shots = append(shots, shot{m.snapshot(), want.sorted()})
		}
		for i, s := range shots {
			require.Equal(t, s.want, members(s.taken), "seed %d: snapshot %d changed after it was taken", seed, i)
			require.Equal(t, len(s.want), s.taken.n)
		}
	}
}

func TestSetAlgebraIsThatOfPlainSets(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 4))
		random := func() (*set, plainSet) {
			p := plainSet{}
			for range rng.IntN(6000) {
				p[randomNumber(rng)] = true
			}
			return setOf(p.sorted()), p
		}
		a, pa := random()
		b, pb := random()
		for op, keep := range map[setOp]func(x, y bool) bool{
			opAnd:    func(x, y bool) bool { return x && y },
			opOr:     func(x, y bool) bool { return x || y },
			opAndNot: func(x, y bool) bool { return x && !y },
			opXor:    func(x, y bool) bool { return x != y },
		} {
			want := plainSet{}
			for _, p := range []plainSet{pa, pb} {
				for d := range p {
					if keep(pa[d], pb[d]) {
						want[d] = true
					}
				}
			}
			got := combineSets(op, a, b)
			require.Equal(t, want.sorted(), members(got), "seed %d op %d", seed, op)
			require.Equal(t, len(want), got.n)
			require.Equal(t, len(want), countOf(op, a, b), "count without making the set")
		}
	}
}

func TestDictionaryNumbersInOrderOfComing(t *testing.T) {
	d := newDictionary()
	const n = 20_000
	for i := range n {
		require.Equal(t, uint32(i), d.add(profile.ID(fmt.Sprint("customer ", i))))
	}
	for i := range n {
		number, ok := d.find(profile.ID(fmt.Sprint("customer ", i)))
		require.True(t, ok)
		require.Equal(t, uint32(i), number)
	}
	_, ok := d.find("nobody")
	require.False(t, ok)
	d.remove("customer 7")
	_, ok = d.find("customer 7")
	require.False(t, ok)
	require.Empty(t, d.key(7))
	require.Equal(t, uint32(n), d.add("customer 7"), "a number is never given twice")
	for i := range n {
		d.remove(profile.ID(fmt.Sprint("customer ", i)))
		d.add(profile.ID(fmt.Sprint("again ", i)))
	}
	number, ok := d.find("again 5")
	require.True(t, ok)
	require.Equal(t, uint32(n+1+5), number)
}

// TestReadersBesideTheWriter is for the race detector: what a reader finds was
// true at some moment, and what was set before it began is found.
func TestReadersBesideTheWriter(t *testing.T) {
	d := newDictionary()
	var m bitmap
	var lock sync.Mutex // the writer's
	const n = 5000
	for i := range n {
		number := d.add(profile.ID(fmt.Sprint(i)))
		m.set(number, i%2 == 0)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for r := range 3 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(r), 5))
			for {
				select {
				case <-stop:
					return
				default:
				}
				i := rng.IntN(n)
				number, ok := d.find(profile.ID(fmt.Sprint(i)))
				if !ok || m.has(number) != (i%2 == 0) {
					t.Errorf("customer %d: found %t, member %t", i, ok, m.has(number))
					return
				}
				if rng.IntN(50) == 0 {
					lock.Lock()
					s := m.snapshot()
					lock.Unlock()
					if got := len(members(s)); got != s.n {
						t.Errorf("snapshot of %d has %d", s.n, got)
						return
					}
				}
			}
		})
	}
	for i := range 30_000 {
		lock.Lock()
		number := d.add(profile.ID(fmt.Sprint("new ", i)))
		m.set(number, true)
		if i%3 == 0 {
			m.set(number, false)
			d.remove(profile.ID(fmt.Sprint("new ", i)))
		}
		lock.Unlock()
	}
	close(stop)
	readers.Wait()
}
