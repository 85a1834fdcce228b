package profile_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// customers makes events of customers with three identifiers and five traits each.
func customers(n, events int) []profile.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	type person struct{ ids []profile.Identifier }
	people := make([]person, n)
	for i := range people {
		people[i].ids = []profile.Identifier{
			{Kind: "phone", Value: fmt.Sprintf("1%d%09d", 3+i%7, i)},
			{Kind: "wechat.openid/wx12ab", Value: fmt.Sprintf("o6_bmjrPTlm%08d", i)},
			{Kind: "device", Value: fmt.Sprintf("7f3c-%08d", i)},
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	out := make([]profile.Event, events)
	for i := range out {
		who := i % n
		if i >= n {
			who = rng.IntN(n)
		}
		out[i] = profile.Event{
			ID: fmt.Sprintf("event-%09d", i), Source: "mini", Name: "product.viewed",
			Time: start.Add(time.Duration(i) * time.Second / 10), Identifiers: people[who].ids,
			Traits: profile.Values{
				"city": profile.Text("Hangzhou"), "tier": profile.Text("gold"), "style": profile.Text("outdoor"),
				"visits": profile.Int(1), "newsletter": profile.Flag(true),
			},
			Properties: profile.Values{"sku": profile.Text("boots"), "category": profile.Text("shoes")},
		}
	}
	return out
}

func benchDirectory(b *testing.B) *profile.Directory {
	d, err := profile.New(profile.Config{Traits: []profile.TraitRule{{Name: "visits", Policy: profile.Sum}}})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// An event of three identifiers and five traits; four in five are of customers
// already known.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			events := customers(n, 5*n)
			ctx := b.Context()
			var d *profile.Directory
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i%len(events) == 0 {
					b.StopTimer()
					d = benchDirectory(b)
					runtime.GC()
					b.StartTimer()
				}
				if _, err := d.Observe(ctx, events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			events := customers(n, n)
			d := benchDirectory(b)
			if _, err := d.ObserveBatch(b.Context(), events); err != nil {
				b.Fatal(err)
			}
			ctx := b.Context()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				i = (i + 7919) % n
				if _, err := d.Lookup(ctx, events[i].Identifiers[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	n := 10_000
	events := customers(n, n)
	d := benchDirectory(b)
	receipts, err := d.ObserveBatch(b.Context(), events)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 7919) % n
		if _, err := d.Get(ctx, receipts[i].Profile); err != nil {
			b.Fatal(err)
		}
	}
}
