package profile_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// crowd makes events of customers with three identifiers and five traits each.
type crowd struct {
	ids   [][]profile.Identifier
	order []int
	start time.Time
}

func customers(n int, seed uint64) *crowd {
	c := &crowd{ids: make([][]profile.Identifier, n), start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range c.ids {
		c.ids[i] = []profile.Identifier{
			{Kind: "phone", Value: fmt.Sprintf("1%d%09d", 3+i%7, i)},
			{Kind: "wechat.openid/wx12ab", Value: fmt.Sprintf("o6_bmjrPTlm%08d", i)},
			{Kind: "device", Value: fmt.Sprintf("7f3c-%08d", i)},
		}
	}
	c.order = rand.New(rand.NewPCG(seed, 2)).Perm(n)
	return c
}

// at is the i-th event of a round, in which every customer has one.
func (c *crowd) at(i, round int) profile.Event {
	seq := round*len(c.ids) + i
	return profile.Event{
		ID: "event-" + strconv.Itoa(seq), Source: "mini", Name: "product.viewed",
		Time: c.start.Add(time.Duration(seq) * time.Second / 10), Identifiers: c.ids[c.order[i]],
		Traits: benchTraits, Properties: benchProperties,
	}
}

var (
	benchTraits = profile.Values{
		"city": profile.Text("Hangzhou"), "tier": profile.Text("gold"), "style": profile.Text("outdoor"),
		"visits": profile.Int(1), "newsletter": profile.Flag(true),
	}
	benchProperties = profile.Values{"sku": profile.Text("boots"), "category": profile.Text("shoes")}
)

// onCPU reports the processor time of an operation, all threads together: on a
// busy machine it says more than the time on the wall.
func onCPU(b *testing.B) func() {
	spent := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op") }
}

func benchDirectory(b *testing.B) *profile.Directory {
	d, err := profile.New(profile.Config{Traits: []profile.TraitRule{{Name: "visits", Policy: profile.Sum}}})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// An event of three identifiers and five traits: of a customer seen for the
// first time, and of one already known.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, kind := range []string{"new", "known"} {
			b.Run(fmt.Sprintf("%s/customers=%d", kind, n), func(b *testing.B) {
				events := customers(n, 1)
				ctx := b.Context()
				d := benchDirectory(b)
				round := 0
				if kind == "known" {
					for i := range n {
						if _, err := d.Observe(ctx, events.at(i, 0)); err != nil {
							b.Fatal(err)
						}
					}
					round = 1
				}
				runtime.GC()
				i := 0
				b.ReportAllocs()
				done := onCPU(b)
				for b.Loop() {
					if i == n {
						i = 0
						round++
						if kind == "new" {
							b.StopTimer()
							d = benchDirectory(b)
							runtime.GC()
							b.StartTimer()
						}
					}
					if _, err := d.Observe(ctx, events.at(i, round)); err != nil {
						b.Fatal(err)
					}
					i++
				}
				done()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// A feed as a shop has it: of customers at random, one event in ten the first
// sight of somebody.
func BenchmarkFeed(b *testing.B) {
	const n, first = 100_000, 10
	events := customers(2*n, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	ctx := b.Context()
	var d *profile.Directory
	seen, i := 0, 0
	observe := func(who int) {
		e := events.at(who, 0)
		e.ID, e.Time = "event-"+strconv.Itoa(i), events.start.Add(time.Duration(i)*time.Second/10)
		if _, err := d.Observe(ctx, e); err != nil {
			b.Fatal(err)
		}
		i++
	}
	fill := func() {
		d, i = benchDirectory(b), 0
		for seen = 0; seen < n; seen++ {
			observe(seen)
		}
		runtime.GC()
	}
	fill()
	b.ReportAllocs()
	done := onCPU(b)
	for b.Loop() {
		switch {
		case i%first > 0:
			observe(rng.IntN(seen))
		case seen < 2*n:
			observe(seen)
			seen++
		default:
			b.StopTimer()
			fill()
			b.StartTimer()
		}
	}
	done()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// filled is a directory with one event of each of n customers.
func filled(b *testing.B, n int) (*profile.Directory, *crowd, []profile.ID) {
	events := customers(n, 1)
	d := benchDirectory(b)
	ids := make([]profile.ID, n)
	for i := range n {
		r, err := d.Observe(b.Context(), events.at(i, 0))
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = r.Profile
	}
	runtime.GC()
	return d, events, ids
}

func BenchmarkGet(b *testing.B) {
	n := 10_000
	d, _, ids := filled(b, n)
	ctx := b.Context()
	i := 0
	b.ReportAllocs()
	done := onCPU(b)
	for b.Loop() {
		i = (i + 7919) % n
		if _, err := d.Get(ctx, ids[i]); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

// mega is a directory with one profile of n devices, a record of evidence for each.
func mega(b *testing.B, n int) (*profile.Directory, time.Time, []profile.EvidenceKey) {
	d := benchDirectory(b)
	ctx := b.Context()
	keys := make([]profile.EvidenceKey, n)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		r, err := d.Observe(ctx, profile.Event{
			ID: strconv.Itoa(i), Time: start.Add(time.Duration(i) * time.Minute),
			Identifiers: []profile.Identifier{{Kind: "phone", Value: "13800138000"}, {Kind: "device", Value: strconv.Itoa(i)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		keys[i] = r.Evidence
	}
	return d, start, keys
}

// Unlink in a neighborhood of 10,000 evidence records.
func BenchmarkUnlink(b *testing.B) {
	const n = 10_000
	d, _, keys := mega(b, n)
	ctx := b.Context()
	by := profile.Decision{Actor: "bench"}
	i := 0
	done := onCPU(b)
	for b.Loop() {
		i = (i + 7919) % n
		if err := d.Unlink(ctx, keys[i], by); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

// No caps: a profile of 10,000 identifiers. An event of an identifier that it
// has, of one more, and of one more that was seen before all others, for which
// all of it is folded again; and a look at the whole profile.
func BenchmarkMegaProfile(b *testing.B) {
	const n = 10_000
	phone := profile.Identifier{Kind: "phone", Value: "13800138000"}
	for _, c := range []struct {
		name  string
		event func(i int, start time.Time) (profile.Identifier, time.Time)
	}{
		{"known", func(i int, start time.Time) (profile.Identifier, time.Time) {
			return profile.Identifier{Kind: "device", Value: strconv.Itoa(i % n)}, start.Add(n*time.Minute + time.Duration(i)*time.Millisecond)
		}},
		{"another", func(i int, start time.Time) (profile.Identifier, time.Time) {
			return profile.Identifier{Kind: "device", Value: strconv.Itoa(n + i)}, start.Add(n*time.Minute + time.Duration(i)*time.Millisecond)
		}},
		{"late", func(i int, start time.Time) (profile.Identifier, time.Time) {
			return profile.Identifier{Kind: "device", Value: strconv.Itoa(n + i)}, start.Add(time.Duration(-i-1) * time.Minute)
		}},
	} {
		b.Run("observe="+c.name, func(b *testing.B) {
			d, start, _ := mega(b, n)
			i := 0
			done := onCPU(b)
			for b.Loop() {
				id, at := c.event(i, start)
				_, err := d.Observe(b.Context(), profile.Event{
					ID: "more" + strconv.Itoa(i), Time: at, Identifiers: []profile.Identifier{phone, id},
				})
				if err != nil {
					b.Fatal(err)
				}
				i++
			}
			done()
		})
	}
	b.Run("get", func(b *testing.B) {
		d, _, _ := mega(b, n)
		id, err := d.Lookup(b.Context(), phone)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := d.Get(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
}
