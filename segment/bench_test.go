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
