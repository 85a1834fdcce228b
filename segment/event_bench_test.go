package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// traffic is an engine by dense number, without a history, and events for it: of
// a name, by random customers, two a customer in 90 days, at whole seconds.
type traffic struct {
	e     *Engine
	n     int
	batch [applyAhead]dense // what Apply reads at once
	ahead [applyAhead]uint32
	next  int
	at    int64  // of the next event, microseconds
	gap   int64  // between events
	seed  uint64 // SplitMix64, which takes a nanosecond or two of each event
	ev    profile.Event

	counter *seriesColumn // events go to it and nowhere else
}

type dense struct {
	at int64
	d  uint32
}

func newTraffic(b *testing.B, customers int, rules ...Rule) *traffic {
	b.Helper()
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t := &traffic{
		e: e, n: customers, next: applyAhead, at: start.UnixMicro(), gap: 90 * microsPerDay / int64(2*customers), seed: 9,
		ev: profile.Event{ID: "e", Name: "order", Properties: profile.Values{"category": profile.Text("boots")}},
	}
	for d := range uint32(customers) {
		e.alive.set(d, true)
	}
	for i, r := range rules {
		if err := e.Define(b.Context(), start, Definition{Name: fmt.Sprint("s", i), Rule: r}); err != nil {
			b.Fatal(err)
		}
	}
	e.dict.n = uint32(customers)
	return t
}

// counterOnly leaves the incremental structure of the one rule by itself: the
// instants that count, who has reached the number, and who is due to lapse when.
func (t *traffic) counterOnly() {
	for _, l := range t.e.leaves {
		t.counter = l.column
		l.users = nil
	}
}

func (t *traffic) refill() {
	for i := range t.batch {
		t.seed += 0x9e3779b97f4a7c15
		z := (t.seed ^ t.seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		d := uint32((z >> 32) * uint64(t.n) >> 32)
		t.at += t.gap
		t.batch[i], t.ahead[i] = dense{t.at - t.at%1_000_000, d}, d
	}
	t.next = 0
	t.e.touch(t.ev.Name, t.ahead[:])
	t.e.turned, t.e.causes = t.e.turned[:0], t.e.causes[:0]
}

// warm lets every customer reach the steady state.
func (t *traffic) warm() {
	for range 3 * t.n {
		t.step()
	}
}

// step is one event: what is due before it lapses, it counts, and who belongs
// anew enters.
func (t *traffic) step() {
	if t.next == len(t.batch) {
		t.refill()
	}
	e, x := t.e, &t.batch[t.next]
	t.next++
	e.advance(x.at)
	if t.counter != nil {
		e.count(t.counter, x.d, x.at)
		return
	}
	t.ev.Time = time.UnixMicro(x.at)
	e.take(x.d, &t.ev)
	e.settle(cause{Cause: Cause{Kind: ByEvent, Change: 1}, floor: x.at}, e.clock)
}

func (t *traffic) measure(b *testing.B) {
	for b.Loop() {
		t.step()
	}
}

// bytes is the memory of what the rules read and keep, and of the membership history.
func (t *traffic) bytes() (state, history float64) {
	for _, col := range t.e.series {
		state += float64(col.bytes())
	}
	for _, l := range t.e.leaves {
		state += float64(l.bytes())
	}
	for _, s := range t.e.topology {
		state += float64(s.members.bytes())
		history += float64(s.turns.bytes())
	}
	return state / float64(t.n), history / float64(t.n)
}

func often(name string, days int) Rule { return Events(name).Within(Days(days)).AtLeast(3) }

// BenchmarkThreeIn90Days is the cost of one event by dense number for "3 or more
// in 90 days" at several sizes, beside as many lookups in a map: of the
// incremental structure by itself (counter), lapses at their instants and who
// has the number included, and of the engine with all that follows (event), the
// transitions in the membership history too, but not written to the feed. About
// every other event brings a transition.
func BenchmarkThreeIn90Days(b *testing.B) {
	var firstMap float64
	first := map[string]float64{}
	for _, n := range []int{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			var perMap float64
			b.Run("map", func(b *testing.B) {
				m := make(map[uint32]uint32, n)
				for d := range uint32(n) {
					m[d] = d
				}
				rng, keys, i, sum := rand.New(rand.NewPCG(1, 9)), make([]uint32, 1<<14), 1<<14, uint32(0)
				for b.Loop() {
					if i == len(keys) {
						b.StopTimer()
						for j := range keys {
							keys[j] = uint32(rng.IntN(n))
						}
						i = 0
						b.StartTimer()
					}
					sum += m[keys[i]]
					i++
				}
				perMap = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				if firstMap == 0 {
					firstMap = perMap
				}
			})
			for _, name := range []string{"counter", "event"} {
				b.Run(name, func(b *testing.B) {
					t := newTraffic(b, n, often("order", 90))
					if name == "counter" {
						t.counterOnly()
					}
					t.warm()
					b.ResetTimer()
					t.measure(b)
					per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
					state, history := t.bytes()
					b.ReportMetric(state, "B/profile")
					if name == "event" {
						b.ReportMetric(history, "B/profile-of-history")
					}
					if first[name] == 0 {
						first[name] = per
					}
					b.ReportMetric(per/first[name], "x-of-100k")
					b.ReportMetric(perMap/firstMap, "x-of-100k-in-a-map")
				})
			}
		})
	}
}
