package segment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/stretchr/testify/require"
)

// sealed puts a valid checksum under damaged content, which a fuzzer would not
// find by itself.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(slices.Clone(body), sum[:]...)
}

// smallWorlds are checkpoints of engines over small histories, without their
// checksums.
func smallWorlds(tb testing.TB, n uint64) [][]byte {
	tb.Helper()
	var out [][]byte
	for seed := range n {
		w := newWorld(seed)
		ctx := context.Background()
		now := w.start.Add(10 * 24 * time.Hour)
		h := &MemoryHistory{Now: func() time.Time { return now }}
		store := &MemoryStore{}
		e, err := New(Config{History: h, Store: store})
		require.NoError(tb, err)
		var seen []profile.Event
		for range 8 {
			require.NoError(tb, w.step(h, &seen))
		}
		var names []string
		for i := range 2 {
			rule := w.rule(names, 2)
			for functionsOf(rule) != nil {
				rule = w.rule(names, 2)
			}
			def := Definition{Name: fmt.Sprint("s", i), Rule: rule, Zone: w.zone}
			require.NoError(tb, e.Define(ctx, now, def))
			names = append(names, def.Name)
		}
		require.NoError(tb, e.CatchUp(ctx))
		require.NoError(tb, e.Checkpoint(ctx))
		data, err := store.Load(ctx)
		require.NoError(tb, err)
		out = append(out, data.Data[:len(data.Data)-sha256.Size])
	}
	return out
}

// openDamaged opens what may be a checkpoint: an error, or an engine whose
// members are those of its rules.
func openDamaged(body []byte) error {
	ctx := context.Background()
	store := &MemoryStore{}
	if err := store.Commit(ctx, Commit{Checkpoint: &Checkpoint{Data: sealed(body)}}); err != nil {
		return err
	}
	e, err := Resume(ctx, Config{Store: store})
	if err != nil {
		return err
	}
	for name, s := range e.segments {
		def := s.def
		def.Name = "query"
		a, err := e.Select(ctx, time.Time{}, def)
		if err != nil {
			return fmt.Errorf("after a restart: %w", err)
		}
		if countOf(opXor, a.set, s.members.snapshot()) != 0 {
			return fmt.Errorf("%w: %s", errWrongSet, name)
		}
	}
	return nil
}

var errWrongSet = errors.New("a damaged checkpoint gives a wrong set")

func TestACheckpointIsRead(t *testing.T) {
	for i, body := range smallWorlds(t, 40) {
		require.NoError(t, openDamaged(body), "world %d", i)
	}
}

// TestADamagedCheckpointErrs damages content under a valid checksum.
func TestADamagedCheckpointErrs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	accepted := 0
	const tries = 200
	worlds := smallWorlds(t, 12)
	for i, body := range worlds {
		for range tries {
			bad := slices.Clone(body)
			switch rng.IntN(4) {
			case 0:
				bad = bad[:rng.IntN(len(bad))]
			case 1:
				at := rng.IntN(len(bad))
				bad = slices.Insert(bad, at, byte(rng.Uint32()))
			case 2:
				at := rng.IntN(len(bad))
				bad = slices.Delete(bad, at, at+1)
			default:
				bad[rng.IntN(len(bad))] = byte(rng.Uint32())
			}
			switch err := openDamaged(bad); {
			case err == nil:
				accepted++ // another key, another value of a trait that no rule minds
			case errors.Is(err, errWrongSet):
				t.Fatalf("world %d: %v", i, err)
			}
		}
	}
	if accepted > len(worlds)*tries/2 {
		t.Errorf("%d of %d damaged checkpoints were taken", accepted, len(worlds)*tries)
	}
}

func FuzzContainer(f *testing.F) {
	for _, body := range smallWorlds(f, 12) {
		f.Add(body)
	}
	a, err := NewAudience(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "li", "wu", "xu")
	if err != nil {
		f.Fatal(err)
	}
	b, err := a.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:len(b)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := openDamaged(body); errors.Is(err, errWrongSet) {
			t.Fatal(err)
		}
		a, err := ReadAudience(sealed(body))
		if err != nil {
			return
		}
		again, err := a.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ReadAudience(again); err != nil || back.Len() != a.Len() || a.Xor(back).Len() != 0 {
			t.Fatalf("what is written is read differently: %v", err)
		}
	})
}
