package world

import (
	"math"
	"math/rand/v2"
)

// hasher derives values from the seed and the place where they are needed, so
// that one part of the world can change without moving the rest.
type hasher uint64

func (h hasher) mix(parts ...uint64) uint64 {
	x := uint64(h)
	for _, p := range parts {
		x = splitmix(x ^ splitmix(p))
	}
	return x
}

// splitmix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (h hasher) text(s string) uint64 {
	x := uint64(h)
	for i := range len(s) {
		x = (x ^ uint64(s[i])) * 1099511628211
	}
	return splitmix(x)
}

func (h hasher) rand(parts ...uint64) *rand.Rand {
	x := h.mix(parts...)
	return rand.New(rand.NewPCG(x, splitmix(x)))
}

const (
	base62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	hexa   = "0123456789abcdef"
	digits = "0123456789"
)

// token is prefix and n further characters of the alphabet.
func (h hasher) token(prefix, alphabet string, n int, parts ...uint64) string {
	b := make([]byte, 0, 64)
	b = append(b, prefix...)
	x := h.mix(parts...)
	for i := range n {
		if i%8 == 7 {
			x = splitmix(x)
		}
		b = append(b, alphabet[(x>>32)%uint64(len(alphabet))])
		x = x*6364136223846793005 + 1442695040888963407
	}
	return string(b)
}

// poisson draws from the Poisson distribution of mean m by Knuth's product of
// uniforms; m is below 100 here.
func poisson(r *rand.Rand, m float64) int {
	// Halving keeps the product away from underflow.
	if m > 30 {
		return poisson(r, m/2) + poisson(r, m/2)
	}
	limit, p, n := math.Exp(-m), 1.0, -1
	for p > limit {
		p *= r.Float64()
		n++
	}
	return max(n, 0)
}

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }
