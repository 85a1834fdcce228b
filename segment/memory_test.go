package segment

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/cxkit/cxkit/profile"
	"github.com/stretchr/testify/require"
)

// liveHeap is what is alive.
func liveHeap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestMemoryIsWhatTheHeapHolds(t *testing.T) {
	const n = 300_000
	e, err := New(Config{})
	require.NoError(t, err)
	ids := make([]profile.ID, n)
	for i := range ids {
		ids[i] = profile.ID(fmt.Sprintf("customer-%08d", i))
	}
	before := liveHeap()
	for _, id := range ids {
		e.admit(id)
	}
	near := func(what string, want, got int) {
		t.Helper()
		t.Logf("%s: reported %d bytes, the heap grew by %d", what, got, want)
		require.InEpsilon(t, want, got, 0.2, what)
	}
	near("keys", liveHeap()-before, e.Memory().Keys)
	for name, value := range map[string]func(*rand.Rand) profile.Value{
		"flag":   func(rng *rand.Rand) profile.Value { return profile.Flag(rng.IntN(2) == 0) },
		"number": func(rng *rand.Rand) profile.Value { return profile.Int(rng.Int64N(1_000_000)) },
		"city":   func(rng *rand.Rand) profile.Value { return profile.Text(fmt.Sprint("city ", rng.IntN(300))) },
		"email":  func(rng *rand.Rand) profile.Value { return profile.Text(fmt.Sprintf("%016x@a.b", rng.Uint64())) },
	} {
		before := liveHeap()
		col := newAttrColumn(name)
		rng := rand.New(rand.NewPCG(1, 1))
		for d := range uint32(n) {
			col.set(d, value(rng))
		}
		grown := liveHeap() - before
		e.attrs[name] = col
		near(name, grown, col.bytes())
	}
	m := e.Memory()
	require.Equal(t, n, m.Customers)
	require.Len(t, m.Attributes, 4)
	require.Equal(t, "city", m.Attributes[0].Name)
	require.Contains(t, m.String(), "attribute number: ")
	require.Less(t, m.PerCustomer(m.Attributes[3].Bytes), 4.0, "20 bits a number, and whether there is one")
	runtime.KeepAlive(ids)
}

func TestMemoryNamesEveryPart(t *testing.T) {
	ctx := t.Context()
	h := &MemoryHistory{}
	e, err := New(Config{History: h})
	require.NoError(t, err)
	w := newWorld(1)
	require.NoError(t, h.Observe("li", profile.Event{ID: "e", Name: "order", Time: w.start, Order: w.order(), Traits: profile.Values{"tier": profile.Text("gold")}}))
	require.NoError(t, e.CatchUp(ctx))
	for _, def := range []Definition{
		{Name: "a", Rule: Attr("tier").Is("gold")},
		{Name: "b", Rule: NetOrders().AtLeast(1)},
		{Name: "c", Rule: All(In("a"), Events("visit").Never())},
	} {
		require.NoError(t, e.Define(ctx, w.start, def))
	}
	m := e.Memory()
	require.Equal(t, 1, m.Customers)
	require.Positive(t, m.Orders)
	require.Positive(t, m.Keys)
	require.Equal(t, "tier", m.Attributes[0].Name)
	require.Len(t, m.Behaviors, 2)
	require.Equal(t, `{"events":"visit"}`, m.Behaviors[0].Name)
	require.Len(t, m.Segments, 3)
	sum := m.Keys + m.Orders
	for _, parts := range [][]MemoryOf{m.Attributes, m.Behaviors, m.Segments} {
		for _, p := range parts {
			require.GreaterOrEqual(t, p.Bytes, 0)
			sum += p.Bytes
		}
	}
	require.Equal(t, sum, m.Total())
	require.InDelta(t, float64(sum), m.PerCustomer(sum), 1e-9)
	require.Zero(t, Memory{}.PerCustomer(5))
}
