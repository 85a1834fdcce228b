package profile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

var persons = flag.Int("persons", 1000, "persons of the shared-device world")

// sighting is an event with the truth of whose it is.
type sighting struct {
	event   profile.Event
	person  int
	arrives time.Time
}

// households makes a town: families with tablets and a phone that children use
// too, kiosks in shops, numbers that come to somebody else after a year,
// visitors who browse before they sign in, deliveries that are late, twice and
// out of order.
func households(rng *rand.Rand, n int) []sighting {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []sighting
	var recycled []string
	seq := 0
	for first := 0; first < n; {
		family := min(n-first, 1+rng.IntN(4))
		tablet := device(fmt.Sprintf("tablet-%d", first))
		parentsPhone := phone(fmt.Sprintf("138%08d", first))
		for p := first; p < first+family; p++ {
			own := device(fmt.Sprintf("device-%d", p))
			if p > first && rng.IntN(20) < 13 {
				own = tablet // a child without a device
			}
			number := phone(fmt.Sprintf("139%08d", p))
			if p%50 == 49 && len(recycled) > 0 {
				number = phone(recycled[len(recycled)-1])
				recycled = recycled[:len(recycled)-1]
			}
			openid := profile.Identifier{Kind: "wechat.openid/wx1", Value: fmt.Sprintf("o-%d", p)}
			card := member(fmt.Sprintf("M%d", p))
			hasCard := rng.IntN(3) > 0
			moved := p%100 == 7 // gives the number up halfway
			if moved {
				recycled = append(recycled, number.Value)
			}
			for range 4 + rng.IntN(12) {
				when := start.Add(time.Duration(rng.IntN(365*24*3600)) * time.Second)
				dev := own
				switch r := rng.IntN(100); {
				case family > 1 && r < 30:
					dev = tablet
				case r < 31:
					dev = device(fmt.Sprintf("kiosk-%d", rng.IntN(1+n/500)))
				}
				var ids []profile.Identifier
				switch rng.IntN(5) {
				case 0:
					ids = []profile.Identifier{dev}
				case 1, 2:
					ids = []profile.Identifier{openid, dev}
				case 3:
					ids = []profile.Identifier{openid, number}
					if p > first && rng.IntN(3) == 0 {
						ids[1] = parentsPhone
					}
				default:
					ids = []profile.Identifier{number}
					if hasCard {
						ids = append(ids, card)
					}
				}
				if moved && when.After(start.AddDate(0, 6, 0)) {
					ids = slices.DeleteFunc(ids, func(id profile.Identifier) bool { return id == number })
				}
				if len(ids) == 0 {
					continue
				}
				seq++
				s := sighting{event: event(fmt.Sprintf("e%07d", seq), when, ids...), person: p, arrives: when}
				if rng.IntN(10) == 0 {
					s.arrives = when.Add(time.Duration(rng.IntN(14*24)) * time.Hour)
				}
				out = append(out, s)
				if rng.IntN(20) == 0 {
					s.arrives = s.arrives.Add(time.Hour)
					out = append(out, s)
				}
			}
		}
		first += family
	}
	slices.SortStableFunc(out, func(a, b sighting) int { return a.arrives.Compare(b.arrives) })
	return out
}

// A town with shared devices: what an event costs in evidence folded again, and
// how the profiles compare with the truth. -persons 50000 is the full size.
func TestSharedDevices(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 3))
	town := households(rng, *persons)
	d := open(t, profile.Config{})
	folded := make([]int, 0, len(town))
	began := time.Now()
	for _, s := range town {
		r, err := d.Observe(context.Background(), s.event)
		require.NoError(t, err)
		if !r.Duplicate {
			folded = append(folded, r.Folded)
		}
	}
	took := time.Since(began)
	users := map[profile.Identifier]map[int]bool{}
	for _, s := range town {
		for _, id := range s.event.Identifiers {
			if id.Kind == "device" {
				if users[id] == nil {
					users[id] = map[int]bool{}
				}
				users[id][s.person] = true
			}
		}
	}
	several := 0
	for _, persons := range users {
		if len(persons) > 1 {
			several++
		}
	}
	slices.Sort(folded)
	at := func(share float64) int { return folded[int(share*float64(len(folded)-1))] }

	type pair struct {
		person int
		owner  profile.ID
	}
	both, truth, found := map[pair]int{}, map[int]int{}, map[profile.ID]int{}
	seen := map[string]bool{}
	for _, s := range town {
		if seen[s.event.ID] {
			continue
		}
		seen[s.event.ID] = true
		_, owner, err := d.Event(context.Background(), s.event.ID)
		require.NoError(t, err)
		both[pair{s.person, owner}]++
		truth[s.person]++
		found[owner]++
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var hit, real, made float64
	for _, n := range both {
		hit += pairs(n)
	}
	for _, n := range truth {
		real += pairs(n)
	}
	for _, n := range found {
		made += pairs(n)
	}
	precision, recall := hit/made, hit/real
	shared := float64(several) / float64(len(users))
	t.Logf("seed %d: %d persons, %d events, %.0f %% of %d devices shared, %d profiles; folded again per event: p50 %d, p99 %d, most %d; pairs: precision %.3f, recall %.3f; %v",
		*seed, *persons, len(seen), 100*shared, len(users), len(found), at(.5), at(.99), at(1), precision, recall, took.Round(time.Millisecond))
	require.InDelta(t, .3, shared, .03)
	require.Greater(t, precision, .78)
	require.Greater(t, recall, .5)
	require.LessOrEqual(t, at(.99), 13) // what a model of the rule needs

	// Any other order of arrival ends in the same profiles.
	other := open(t, profile.Config{})
	folded = folded[:0]
	for _, i := range rng.Perm(len(town)) {
		r, err := other.Observe(context.Background(), town[i].event)
		require.NoError(t, err)
		folded = append(folded, r.Folded)
	}
	slices.Sort(folded)
	t.Logf("in random order: folded again per event: p50 %d, p99 %d, most %d", at(.5), at(.99), at(1))
	require.LessOrEqual(t, at(.99), 13)
	names := map[profile.ID]profile.ID{}
	for _, s := range town {
		_, a, err := d.Event(context.Background(), s.event.ID)
		require.NoError(t, err)
		_, b, err := other.Event(context.Background(), s.event.ID)
		require.NoError(t, err)
		if names[a] == "" {
			names[a] = b
		}
		require.Equal(t, names[a], b, "event %s", s.event.ID)
	}
	back := map[profile.ID]bool{}
	for _, b := range names {
		require.False(t, back[b])
		back[b] = true
	}
}
