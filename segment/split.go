package segment

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/bits"
	"math/rand/v2"

	"github.com/cxkit/cxkit/profile"
)

// Buckets is how many buckets [Bucket] deals customers into.
const Buckets = 10_000

// Bucket deals a customer into one of [Buckets] buckets, 0 to 9,999, by a hash of
// salt and key. It depends on nothing else, so that it stays as audiences
// grow; another salt deals anew, independently.
func Bucket(salt string, id profile.ID) int {
	h := fnv.New64a()
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(salt)))
	h.Write(size[:])
	h.Write([]byte(salt))
	h.Write([]byte(id))
	// FNV leaves patterns in its upper bits; these steps, of the finalizer of
	// MurmurHash3, mix them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	hi, _ := bits.Mul64(x, Buckets)
	return int(hi)
}

// Slice keeps the members whose bucket under salt is from or above and below
// to. Slices of one salt that do not overlap are exclusive layers: an
// experiment in one touches nobody in the other. Inside a layer a split of
// another salt is independent of it.
//
//	search := a.Slice("layers 2026", 0, 5000)
//	prices := a.Slice("layers 2026", 5000, segment.Buckets)
func (a *Audience) Slice(salt string, from, to int) *Audience {
	return a.where(func(d uint32) bool {
		b := Bucket(salt, a.dict.key(d))
		return from <= b && b < to
	})
}

// Holdout parts the audience into those whom campaigns may reach and those who
// are held out of all of them, to measure what campaigns do as a whole: the
// first buckets of [Buckets] under a salt that all campaigns share.
func (a *Audience) Holdout(salt string, buckets int) (reached, held *Audience) {
	return a.Slice(salt, buckets, Buckets), a.Slice(salt, 0, buckets)
}

// Split deals the members into arms in proportion to weights, by their bucket
// under salt. A customer stays in the arm when the audience grows. Weights are
// at least 0 and not all 0.
func (a *Audience) Split(salt string, weights ...int) ([]*Audience, error) {
	total := 0
	for _, w := range weights {
		if w < 0 || w > Buckets {
			return nil, fmt.Errorf("segment: a weight is 0 to %d", Buckets)
		}
		total += w
	}
	if total == 0 {
		return nil, fmt.Errorf("segment: a split needs a weight above 0")
	}
	arms := make([]*Audience, len(weights))
	before := 0
	for i, w := range weights {
		arms[i] = a.Slice(salt, before*Buckets/total, (before+w)*Buckets/total)
		before += w
	}
	return arms, nil
}

// Sample draws n members at random, each set of n with the same probability;
// all of them where there are no more. The same audience and seed give the
// same sample.
func (a *Audience) Sample(n int, seed uint64) *Audience {
	if n >= a.Len() {
		return a
	}
	rng := rand.New(rand.NewPCG(seed, seed))
	left, wanted := a.Len(), max(n, 0)
	// Selection sampling, algorithm S of Knuth, The Art of Computer
	// Programming, volume 2, section 3.4.2.
	return a.where(func(uint32) bool {
		take := rng.IntN(left) < wanted
		left--
		if take {
			wanted--
		}
		return take
	})
}
