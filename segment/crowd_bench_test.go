package segment

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// BenchmarkThreeOfMany is the cost of one event that concerns 3 segments, of
// which there are 100, or 10 or 1,000: of other events, or of the same event
// with another category.
func BenchmarkThreeOfMany(b *testing.B) {
	var ten float64
	for _, segments := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			var rules []Rule
			for i := range segments {
				name, category := "order", "boots"
				switch {
				case i < 3:
				case i%2 == 0:
					name = fmt.Sprint("event ", i)
				default:
					category = fmt.Sprint("category ", i)
				}
				b := Events(name).Where(Attr("category").Is(category)).Within(Days(90 - i%3))
				rules = append(rules, b.AtLeast(2+i%3))
			}
			t := newTraffic(b, 100_000, rules...)
			t.warm()
			b.ResetTimer()
			t.measure(b)
			per := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			if ten == 0 {
				ten = per
			}
			b.ReportMetric(per/ten, "x-of-10-segments")
		})
	}
}

// BenchmarkFunc is a function of the caller's over all customers, beside bare
// calls of the same function over the same values.
func BenchmarkFunc(b *testing.B) {
	const n = 1_000_000
	e := filled(b, n, map[string]func(*rand.Rand) profile.Value{
		"spend":  func(rng *rand.Rand) profile.Value { return profile.Int(rng.Int64N(1_000_000)) },
		"visits": func(rng *rand.Rand) profile.Value { return profile.Int(rng.Int64N(200)) },
	})
	decide := func(spend, visits profile.Value) bool {
		s, _ := spend.Int()
		v, _ := visits.Int()
		return s/(v+1) > 5_000
	}
	type customer struct{ spend, visits profile.Value }
	all := make([]customer, n)
	for d := range all {
		all[d] = customer{e.attrs["spend"].get(uint32(d)), e.attrs["visits"].get(uint32(d))}
	}
	def := Definition{Rule: Func("worth", Deps{Attrs: []string{"spend", "visits"}}, func(c Customer) bool {
		return decide(c.Attr("spend"), c.Attr("visits"))
	})}
	deps := Deps{Attrs: []string{"spend"}, Measures: map[string]Measure{"visits": Events("visit").Within(Days(30)).Count()}}
	counting := Definition{Rule: Func("worth by visits", deps, func(c Customer) bool {
		return decide(c.Attr("spend"), c.Measure("visits"))
	})}
	var bare float64
	want := 0
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			want = 0
			for i := range all {
				if decide(all[i].spend, all[i].visits) {
					want++
				}
			}
		}
		bare = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	})
	ask := func(def Definition, workers, want int) func(b *testing.B) {
		return func(b *testing.B) {
			e.workers = workers
			for b.Loop() {
				got, err := e.Count(b.Context(), time.Time{}, def)
				if err != nil || bare > 0 && got != want && want >= 0 {
					b.Fatal(got, want, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/bare, "x-of-bare")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/customer")
		}
	}
	b.Run("segment by one worker", ask(def, 1, want))
	b.Run("segment", ask(def, runtime.GOMAXPROCS(0), want))
	if _, err := e.Count(b.Context(), time.Time{}, counting); err != nil {
		b.Fatal(err)
	}
	for _, col := range e.series {
		for d := range uint32(n) {
			for i := range int64(3) {
				col.add(d, (i-2)*20*microsPerDay, profile.Value{})
			}
		}
	}
	b.Run("segment, a measure by one worker", ask(counting, 1, -1))
}

// BenchmarkReaders asks who is a member, at rest and beside a writer that does
// nothing but apply events, and reports the 99th percentile of batches of 16.
func BenchmarkReaders(b *testing.B) {
	t := newTraffic(b, 100_000, often("order", 90), often("order", 30), often("order", 7))
	keys := make([]profile.ID, t.n)
	for d := range keys { // newTraffic numbers customers without keys
		keys[d] = profile.ID(fmt.Sprintf("customer-%06d", d))
	}
	t.e.dict.n = 0
	for _, id := range keys {
		t.e.dict.add(id)
	}
	t.warm()
	v, err := t.e.View("s0")
	if err != nil {
		b.Fatal(err)
	}
	var rest float64
	p99 := func(b *testing.B) float64 {
		rng, spans := rand.New(rand.NewPCG(1, 4)), make([]time.Duration, 0, 1<<18)
		members := 0
		for b.Loop() {
			first := rng.IntN(len(keys) - 16)
			begin := time.Now()
			for _, id := range keys[first : first+16] {
				if v.Contains(id) {
					members++
				}
			}
			if len(spans) < cap(spans) {
				spans = append(spans, time.Since(begin))
			}
		}
		slices.Sort(spans)
		return float64(spans[len(spans)*99/100].Nanoseconds()) / 16
	}
	b.Run("at rest", func(b *testing.B) {
		rest = p99(b)
		b.ReportMetric(rest, "p99-ns/Contains")
	})
	b.Run("beside a writer", func(b *testing.B) {
		var stop atomic.Bool
		done := make(chan int)
		go func() {
			n := 0
			for ; !stop.Load(); n++ {
				t.e.locked(t.step)
			}
			done <- n
		}()
		got := p99(b)
		stop.Store(true)
		written := <-done
		b.ReportMetric(got, "p99-ns/Contains")
		b.ReportMetric(got/rest, "x-of-rest")
		b.ReportMetric(float64(written)/b.Elapsed().Seconds(), "writes/s")
	})
}
