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

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			d, events, _ := filled(b, n)
			ctx := b.Context()
			i := 0
			b.ReportAllocs()
			done := onCPU(b)
			for b.Loop() {
				i = (i + 7919) % n
				if _, err := d.Lookup(ctx, events.ids[i][0]); err != nil {
					b.Fatal(err)
				}
			}
			done()
		})
	}
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

// The measure for growth: bare map lookups by a string of the length of a key.
func BenchmarkBareMap(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("customers=%d", n), func(b *testing.B) {
			keys := make([]string, n)
			m := make(map[string]*int, n)
			for i := range n {
				keys[i] = fmt.Sprintf("o6_bmjrPTlm%08d", i)
				m[keys[i]] = new(int)
			}
			i, sum := 0, 0
			done := onCPU(b)
			for b.Loop() {
				i = (i + 7919) % n
				sum += *m[keys[i]]
			}
			done()
		})
	}
}

// Unlink in a neighborhood of 10,000 evidence records: one profile of 10,000 devices.
func BenchmarkUnlink(b *testing.B) {
	d := benchDirectory(b)
	ctx := b.Context()
	const n = 10_000
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
