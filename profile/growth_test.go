package profile_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// asked is a sequence of customers at random, with their identifiers at hand as
// those of a request that was just read are.
type asked struct {
	who []int
	ids [][]profile.Identifier
}

func ask(events *crowd, seed uint64) asked {
	const n = 100_000
	rng := rand.New(rand.NewPCG(seed, 5))
	a := asked{who: make([]int, n), ids: make([][]profile.Identifier, n)}
	for i := range n {
		a.who[i] = rng.IntN(len(events.ids))
		for _, id := range events.ids[a.who[i]] {
			a.ids[i] = append(a.ids[i], profile.Identifier{Kind: id.Kind, Value: string([]byte(id.Value))})
		}
	}
	return a
}

// What growth from 10,000 to 1,000,000 customers costs an event of a known
// customer and a look-up, beside what it costs as many bare map lookups in the
// same run: "observe-x" and "lookup-x" are at most 1.3 times "map-x". Also the
// memory that a customer of one event takes, that event included.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{10_000, 1_000_000}
	type cost struct{ lookup, observe, bare float64 }
	for b.Loop() {
		var costs []cost
		for _, n := range sizes {
			before := heap()
			d, events, _ := filled(b, n)
			b.ReportMetric(float64(heap()-before)/float64(n), fmt.Sprintf("B/customer@%d", n))
			bare := make(map[string]*int, n)
			for i := range n {
				bare[string([]byte(events.ids[i][1].Value))] = new(int)
			}
			var c cost
			for round := range 2 {
				a := ask(events, uint64(round))
				c.lookup = best(c.lookup, len(a.ids), func(i int) {
					if _, err := d.Lookup(b.Context(), a.ids[i][1]); err != nil {
						b.Fatal(err)
					}
				})
				sum := 0
				c.bare = best(c.bare, len(a.ids), func(i int) { sum += *bare[a.ids[i][1].Value] })
				c.observe = best(c.observe, len(a.ids), func(i int) {
					_, err := d.Observe(b.Context(), profile.Event{
						ID: "again-" + strconv.Itoa(round*len(a.ids)+i), Source: "mini", Name: "product.viewed",
						Time: events.start.AddDate(0, 6, 0), Identifiers: a.ids[i], Traits: benchTraits, Properties: benchProperties,
					})
					if err != nil {
						b.Fatal(err)
					}
				})
			}
			b.ReportMetric(c.lookup, fmt.Sprintf("lookup-ns@%d", n))
			b.ReportMetric(c.observe, fmt.Sprintf("observe-ns@%d", n))
			b.ReportMetric(c.bare, fmt.Sprintf("map-ns@%d", n))
			costs = append(costs, c)
			runtime.KeepAlive(d)
		}
		from, to := costs[0], costs[1]
		b.ReportMetric(to.lookup/from.lookup, "lookup-x")
		b.ReportMetric(to.observe/from.observe, "observe-x")
		b.ReportMetric(to.bare/from.bare, "map-x")
	}
}

// heap is the memory in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// best is the lesser of a cost and that of n calls, in nanoseconds a call.
func best(before float64, n int, f func(i int)) float64 {
	began := time.Now()
	for i := range n {
		f(i)
	}
	took := float64(time.Since(began).Nanoseconds()) / float64(n)
	if before == 0 {
		return took
	}
	return min(before, took)
}

// A look-up at several sizes; at most a microsecond at any.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			d, events, _ := filled(b, n)
			a := ask(events, 1)
			ctx := b.Context()
			i := 0
			b.ReportAllocs()
			done := onCPU(b)
			for b.Loop() {
				i = (i + 1) % len(a.ids)
				if _, err := d.Lookup(ctx, a.ids[i][0]); err != nil {
					b.Fatal(err)
				}
			}
			done()
		})
	}
}
