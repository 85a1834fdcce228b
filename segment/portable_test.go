package segment

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
)

// kindsOfSets are sets whose bitmaps have containers of every kind.
func kindsOfSets() map[string]*set {
	rng := rand.New(rand.NewPCG(4, 2))
	stretch := func(from, to uint32) (out []uint32) {
		for d := from; d < to; d++ {
			out = append(out, d)
		}
		return out
	}
	scattered := func(block uint32, share float64) (out []uint32) {
		for low := range uint32(blockSize) {
			if rng.Float64() < share {
				out = append(out, block<<blockBits|low)
			}
		}
		return out
	}
	sets := map[string]*set{
		"empty": setOf(nil), "zero": setOf([]uint32{0}), "greatest": setOf([]uint32{math.MaxUint32}),
		"array":                 setOf(scattered(0, 0.01)),
		"bitmap":                setOf(scattered(0, 0.5)),
		"run":                   setOf(stretch(1000, 50_000)),
		"full":                  setOf(stretch(0, blockSize)),
		"full blocks":           setOf(stretch(0, 4*blockSize)),
		"high":                  setOf(append(scattered(65_534, 0.3), stretch(65_535<<blockBits, math.MaxUint32)...)),
		"all kinds, far apart":  setOf(append(append(scattered(3, 0.02), scattered(700, 0.6)...), stretch(40_000<<blockBits, 40_000<<blockBits+30_000)...)),
		"alternating, 4096":     setOf(every(2, 4096)),
		"alternating, 4097":     setOf(every(2, 4097)),
		"three runs in a block": setOf(append(append(stretch(0, 9000), stretch(20_000, 30_000)...), stretch(60_000, blockSize)...)),
	}
	return sets
}

// every lists n numbers, step apart.
func every(step, n uint32) (out []uint32) {
	for i := range n {
		out = append(out, i*step)
	}
	return out
}

func TestPortableBitmapsAreReadBack(t *testing.T) {
	for name, s := range kindsOfSets() {
		t.Run(name, func(t *testing.T) {
			plain := roaring.New()
			s.each(func(d uint32) bool { plain.Add(d); return true })
			for _, b := range []*roaring.Bitmap{plain, roaringOf(s)} {
				raw, err := b.ToBytes()
				require.NoError(t, err)
				got, ok := readPortable(raw, 1<<32)
				require.True(t, ok)
				require.Equal(t, s.n, got.n)
				require.Zero(t, countOf(opXor, s, got))
				if s.n > 0 {
					_, ok = readPortable(raw, s.max())
					require.False(t, ok, "the greatest is out of bounds")
					_, ok = readPortable(raw, s.max()+1)
					require.True(t, ok)
				}
			}
		})
	}
}

func TestAnotherImplementationReadsPortableBitmaps(t *testing.T) {
	skip := t.Skipf
	if os.Getenv("CXKIT_REQUIRE_NODE") != "" {
		skip = t.Fatalf
	}
	dir := filepath.Join("testdata", "roaring-wasm")
	if _, err := exec.LookPath("node"); err != nil {
		skip("node is not here")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "roaring-wasm")); err != nil {
		skip("roaring-wasm is not installed: run npm ci in segment/%s", dir)
	}
	sets := kindsOfSets()
	rng := rand.New(rand.NewPCG(6, 6))
	for i := range 20 {
		p := plainSet{}
		for range rng.IntN(20_000) {
			p[randomNumber(rng)<<rng.IntN(12)] = true
		}
		sets["random "+string(rune('a'+i))] = setOf(p.sorted())
	}
	var in bytes.Buffer
	var names []string
	for name, s := range sets {
		raw, err := roaringOf(s).ToBytes()
		require.NoError(t, err)
		in.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
		names = append(names, name)
	}
	cmd := exec.CommandContext(t.Context(), "node", "read.mjs")
	cmd.Dir, cmd.Stdin = dir, &in
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	require.NoError(t, err, problems.String())
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<26)
	for _, name := range names {
		require.True(t, lines.Scan(), name)
		var read struct{ Members, Plain, Runs []byte }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &read))
		members := make([]uint32, len(read.Members)/4)
		for i := range members {
			members[i] = binary.LittleEndian.Uint32(read.Members[4*i:])
		}
		require.Zero(t, countOf(opXor, sets[name], setOf(members)), "%s: it reads another set", name)
		require.Len(t, members, sets[name].n, name)
		for _, raw := range [][]byte{read.Plain, read.Runs} {
			back, ok := readPortable(raw, 1<<32)
			require.True(t, ok, "%s: what it writes is not read", name)
			require.Zero(t, countOf(opXor, sets[name], back), "%s: what it writes is read as another set", name)
		}
	}
	require.False(t, lines.Scan())
}

// FuzzReadPortable holds the reader against the library: whatever it takes is a
// set that the library reads the same, and is written back the same.
func FuzzReadPortable(f *testing.F) {
	for name, s := range kindsOfSets() {
		if name == "high" || name == "bitmap" || s.n > 3*blockSize {
			continue
		}
		raw, err := roaringOf(s).ToBytes()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, ok := readPortable(raw, 1<<32)
		if !ok {
			return
		}
		theirs := roaring.New()
		if _, err := theirs.ReadFrom(bytes.NewReader(raw)); err != nil {
			t.Fatalf("the library does not read it: %v", err)
		}
		if theirs.GetCardinality() != uint64(s.n) || !theirs.Equals(roaringOf(s)) {
			t.Fatalf("the library reads %d members, not %d", theirs.GetCardinality(), s.n)
		}
		again, err := roaringOf(s).ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		if back, ok := readPortable(again, 1<<32); !ok || countOf(opXor, s, back) != 0 {
			t.Fatal("what is written is read differently")
		}
	})
}
