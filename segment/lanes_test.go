package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// TestFunctionReadsTheSameOfMany asks a function about all and about few, of
// values of every kind that change their kind, and about nobody else.
func TestFunctionReadsTheSameOfMany(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 64))
		e, err := New(Config{})
		require.NoError(t, err)
		value := func() profile.Value {
			switch rng.IntN(9) {
			case 0:
				return profile.Value{}
			case 1:
				return profile.Text(fmt.Sprint("text ", rng.IntN(9)))
			case 2:
				return profile.Time(time.UnixMicro(rng.Int64N(1 << 50)))
			case 3:
				return profile.Flag(rng.IntN(2) == 0)
			case 4:
				if seed%2 == 1 { // else all numbers are whole
					return plainNumber(profile.Dec(rng.Int64N(10_000), uint8(rng.IntN(9))))
				}
				return profile.Tags("a", "b")
			}
			return profile.Int(rng.Int64() >> rng.IntN(64))
		}
		want := map[profile.ID]profile.Value{}
		col, few := newAttrColumn("v"), newAttrColumn("few")
		e.attrs["v"], e.attrs["few"] = col, few
		for i := range 3 * chunkSize {
			id := profile.ID(fmt.Sprint("c", i))
			d := e.admit(id)
			for range 1 + rng.IntN(2) {
				want[id] = value()
				col.set(d, want[id])
			}
			switch rng.IntN(50) {
			case 0: // a number that is nobody's any more
				e.alive.set(d, false)
				delete(want, id)
			case 1:
				few.set(d, profile.Flag(true))
			}
		}
		asked := 0
		f := Func("f", Deps{Attrs: []string{"unknown", "v"}}, func(c Customer) bool {
			asked++
			w, there := want[c.ID()]
			if v := c.Attr("v"); !there || v != w || v != c.Attr("v") {
				t.Errorf("seed %d: %s reads %s, has %s, there %t", seed, c.ID(), v, w, there)
			}
			return c.Attr("unknown").IsZero() && c.Attr("few").IsZero() && !c.In("v") && c.Measure("v").IsZero()
		})
		n, err := e.Count(t.Context(), time.Time{}, Definition{Rule: f})
		require.NoError(t, err)
		require.Equal(t, len(want), n)
		require.Equal(t, len(want), asked, "once each")
		asked = 0
		n, err = e.Count(t.Context(), time.Time{}, Definition{Rule: All(Attr("few").True(), f)})
		require.NoError(t, err)
		require.Positive(t, n)
		require.Equal(t, n, asked, "nobody whom the other part left out")
	}
}
