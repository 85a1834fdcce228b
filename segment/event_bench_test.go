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
	batch []dense
	next  int
	start time.Time
	at    time.Time
	gap   time.Duration
	rng   *rand.Rand
	n     int
	ev    profile.Event
	ahead []uint32
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
	t := &traffic{e: e, n: customers, rng: rand.New(rand.NewPCG(1, 9)), batch: make([]dense, 1<<12)}
	for d := range uint32(customers) {
		e.alive.set(d, true)
	}
	t.start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t.at = t.start
	t.gap = 90 * 24 * time.Hour / time.Duration(2*customers)
	t.ev = profile.Event{ID: "e", Name: "order", Properties: profile.Values{"category": profile.Text("boots")}}
	for i, r := range rules {
		if err := e.Define(b.Context(), t.start, Definition{Name: fmt.Sprint("s", i), Rule: r}); err != nil {
			b.Fatal(err)
		}
	}
	e.dict.n = uint32(customers)
	return t
}

func (t *traffic) refill() {
	for i := range t.batch {
		t.at = t.at.Add(t.gap)
		t.batch[i] = dense{t.at.Truncate(time.Second).UnixMicro(), uint32(t.rng.IntN(t.n))}
	}
	t.next = 0
}

// warm lets every customer reach the steady state.
func (t *traffic) warm() {
	for range 3*t.n/len(t.batch) + 1 {
		t.refill()
		for range t.batch {
			t.step()
		}
	}
	t.refill()
}

// step is one event: what is due before it lapses, it counts, and who belongs
// anew enters.
func (t *traffic) step() {
	e := t.e
	if t.next%applyAhead == 0 {
		t.ahead = t.ahead[:0]
		for _, x := range t.batch[t.next : t.next+applyAhead] {
			t.ahead = append(t.ahead, x.d)
		}
		e.touch(t.ev.Name, t.ahead)
		e.turned, e.causes = e.turned[:0], e.causes[:0]
	}
	x := &t.batch[t.next]
	t.next++
	e.advance(x.at)
	t.ev.Time = time.UnixMicro(x.at)
	e.take(x.d, &t.ev)
	e.settle(cause{Cause: Cause{Kind: ByEvent, Change: 1}, floor: x.at}, e.clock)
}

func (t *traffic) measure(b *testing.B) {
	for b.Loop() {
		if t.next == len(t.batch) {
			b.StopTimer()
			t.refill()
			b.StartTimer()
		}
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
// in 90 days" at several sizes, beside as many lookups in a map. A transition is
// kept in the membership history, but not written to the feed.
func BenchmarkThreeIn90Days(b *testing.B) {
	var first, firstMap float64
	for _, n := range []int{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			m := make(map[uint32]uint32, n)
			for d := range uint32(n) {
				m[d] = d
			}
			var perMap float64
			b.Run("map", func(b *testing.B) {
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
			})
			b.Run("event", func(b *testing.B) {
				t := newTraffic(b, n, often("order", 90))
				t.warm()
				b.ResetTimer()
				t.measure(b)
				per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				state, history := t.bytes()
				b.ReportMetric(state, "B/profile")
				b.ReportMetric(history, "B/profile-of-history")
				if first == 0 {
					first, firstMap = per, perMap
				}
				b.ReportMetric(per/first, "x-of-100k")
				b.ReportMetric(perMap/firstMap, "x-of-100k-in-a-map")
			})
		})
	}
}
