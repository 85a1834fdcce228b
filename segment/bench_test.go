package segment

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

var benchSize = flag.Int("customers", 1_000_000, "customers of the benchmarks")

// filled is an engine with customers and traits put in by number, without a
// history.
func filled(b *testing.B, n int, attrs map[string]func(rng *rand.Rand) profile.Value) *Engine {
	b.Helper()
	e, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	cols := map[string]*attrColumn{}
	for name := range attrs {
		cols[name] = newAttrColumn(name)
		e.attrs[name] = cols[name]
	}
	for i := range n {
		d := e.admit(profile.ID(fmt.Sprintf("customer-%08d", i)))
		for _, name := range []string{"half", "tenth", "hundredth", "spend", "visits", "city"} {
			if f := attrs[name]; f != nil {
				if v := f(rng); !v.IsZero() {
					cols[name].set(d, v)
				}
			}
		}
	}
	return e
}

func share(p float64) func(*rand.Rand) profile.Value {
	return func(rng *rand.Rand) profile.Value { return profile.Flag(rng.Float64() < p) }
}

func BenchmarkQuery(b *testing.B) {
	e := filled(b, *benchSize, map[string]func(*rand.Rand) profile.Value{
		"half": share(0.5), "tenth": share(0.1), "hundredth": share(0.01),
		"spend":  func(rng *rand.Rand) profile.Value { return profile.Int(rng.Int64N(1_000_000)) },
		"visits": func(rng *rand.Rand) profile.Value { return profile.Int(rng.Int64N(200)) },
		"city": func(rng *rand.Rand) profile.Value {
			return profile.Text(fmt.Sprint("city ", int(rng.ExpFloat64()*20)))
		},
	})
	spend := Attr("spend").Between(profile.Int(250_000), profile.Int(750_000))
	for name, r := range map[string]Rule{
		"two":   All(Attr("half").True(), Attr("tenth").True()),
		"three": All(Attr("half").True(), Attr("tenth").True(), Not(Attr("hundredth").True())),
		"range": spend,
		"eight": All(Attr("half").True(), Any(Attr("tenth").True(), Attr("city").Is("city 1", "city 2")), Not(Attr("hundredth").True()),
			spend, Attr("visits").AtLeast(profile.Int(50)), Attr("city").Known(), Not(Attr("city").Is("city 7"))),
	} {
		def := Definition{Rule: r}
		b.Run(name+"/count", func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Count(context.Background(), time.Time{}, def); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/keys", func(b *testing.B) {
			for b.Loop() {
				a, err := e.Select(context.Background(), time.Time{}, def)
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				for range a.Unordered() {
					n++
				}
				if n != a.Len() {
					b.Fatal(n)
				}
			}
		})
	}
	for name, col := range e.attrs {
		b.Logf("%s: %.2f bytes a customer", name, float64(col.bytes())/float64(*benchSize))
	}
}

// BenchmarkEvent is the cost of one event by dense number: the engine advances
// to it, counts it, and lets lapse what falls due.
func BenchmarkEvent(b *testing.B) {
	for _, segments := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			e := filled(b, *benchSize, nil)
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			ctx := context.Background()
			for i := range segments {
				name := "order"
				if i >= 3 {
					name = fmt.Sprint("event ", i)
				}
				r := Events(name).Within(Days(90 - i%3)).AtLeast(3)
				if err := e.Define(ctx, start, Definition{Name: fmt.Sprint("s", i), Rule: r}); err != nil {
					b.Fatal(err)
				}
			}
			rng := rand.New(rand.NewPCG(1, 9))
			at := start
			ev := profile.Event{ID: "e", Name: "order"}
			// 20 events for every 10 customers in 90 days.
			gap := 90 * 24 * time.Hour / time.Duration(2**benchSize)
			gap = max(gap.Truncate(time.Microsecond), time.Microsecond)
			step := func() {
				at = at.Add(gap)
				ev.Time = at.Truncate(time.Second)
				d := uint32(rng.IntN(*benchSize))
				e.advance(micros(at))
				e.take(d, &ev)
				e.settle(cause{Cause: Cause{Kind: ByEvent, Change: 1}, floor: micros(ev.Time)}, e.clock)
			}
			for range 2 * *benchSize {
				step()
			}
			b.ResetTimer()
			for b.Loop() {
				step()
				if len(e.turned) > 1<<12 {
					e.turned = e.turned[:0]
				}
			}
			bytes := 0
			for _, col := range e.series {
				bytes += col.bytes()
			}
			for _, l := range e.leaves {
				bytes += l.bytes()
			}
			b.ReportMetric(float64(bytes)/float64(*benchSize), "B/customer")
		})
	}
}
