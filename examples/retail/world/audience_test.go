package world_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
)

// Each audience again, the slow way.
func TestAudiences(t *testing.T) {
	w := read(t, world.Config{Customers: 1500})
	truth := w.Truth()
	for _, at := range []time.Time{w.Start().AddDate(0, 8, 3), w.End()} {
		net := map[string][]time.Time{}
		spend := map[string]int64{}
		for _, o := range truth.Orders() {
			if o.CountsBy(at, far) && at.Sub(o.Paid.At) < 365*24*time.Hour {
				net[o.Person] = append(net[o.Person], o.Paid.At)
				spend[o.Person] += o.NetBy(at, far)
			}
		}
		gold, fresh := map[string]bool{}, map[string]bool{}
		for _, m := range truth.Memberships() {
			if m.Joined.At.After(at) {
				continue
			}
			if truth.Tier(m.Card, at, far) == "gold" {
				gold[m.Person] = true
			}
			if at.Sub(m.Joined.At) < 30*24*time.Hour {
				fresh[m.Person] = true
			}
		}
		want := map[string][]string{}
		for _, p := range truth.Persons() {
			recent := slices.ContainsFunc(net[p.ID], func(x time.Time) bool { return at.Sub(x) < 90*24*time.Hour })
			if gold[p.ID] && len(net[p.ID]) >= 3 && !recent {
				want[world.LapsedVIP] = append(want[world.LapsedVIP], p.ID)
			}
			if fresh[p.ID] {
				want[world.NewMember] = append(want[world.NewMember], p.ID)
			}
			if spend[p.ID] >= 5000_00 {
				want[world.HighValue] = append(want[world.HighValue], p.ID)
			}
		}
		for _, name := range world.Audiences() {
			require.NotEmpty(t, want[name], "%s at %v", name, at)
			assert.Equal(t, want[name], truth.Audience(name, at, far), "%s at %v", name, at)
		}
	}
	assert.Empty(t, truth.Audience("nobody has heard of it", w.End(), far))
}

func TestScoreAudience(t *testing.T) {
	w := read(t, world.Config{Customers: 1500})
	truth := w.Truth()
	in := map[profile.ID]bool{}
	for _, p := range truth.Audience(world.HighValue, w.End(), far) {
		in[profile.ID(p)] = true
	}
	perfect := assign(w, func(_ profile.Event, e world.Event) string { return e.Person })
	s := truth.ScoreAudience(world.HighValue, w.End(), far, perfect, func(id profile.ID) bool { return in[id] })
	assert.Equal(t, world.Hits{Expected: len(in), Found: len(in), Right: len(in)}, s.All)
	assert.Less(t, s.Knowable.Expected, len(in), "some of it was bought behind a mask")

	none := truth.ScoreAudience(world.HighValue, w.End(), far, perfect, func(profile.ID) bool { return false })
	assert.Zero(t, none.All.Recall())
	assert.Equal(t, 1.0, none.All.Precision())

	all := truth.ScoreAudience(world.HighValue, w.End(), far, perfect, func(profile.ID) bool { return true })
	assert.Equal(t, 1.0, all.All.Recall())
	assert.Less(t, all.All.Precision(), 0.5)
}
