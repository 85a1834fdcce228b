package profile_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// told observes one event per value, a day apart from day 1, and returns the trait now.
func told(t *testing.T, cfg profile.Config, name string, values ...profile.Value) profile.Value {
	t.Helper()
	d := open(t, cfg)
	var id profile.ID
	for i, v := range values {
		e := event(fmt.Sprint(i), day(1+i), phone(li))
		e.Traits = profile.Values{name: v}
		id = observe(t, d, e).Profile
	}
	p, err := d.Get(t.Context(), id)
	require.NoError(t, err)
	return p.Trait(name)
}

func TestAffinityHalves(t *testing.T) {
	now := day(1)
	cfg := profile.Config{
		Now:    func() time.Time { return now },
		Traits: []profile.TraitRule{{Name: "likes.*", Policy: profile.Decay, HalfLife: 24 * time.Hour}},
	}
	d := open(t, cfg)
	for i, weight := range []int64{8, 4} {
		now = day(1 + i)
		e := event(fmt.Sprint(i), now, phone(li))
		e.Traits = profile.Values{"likes.shoes": profile.Int(weight)}
		observe(t, d, e)
	}
	for days, want := range map[int]profile.Value{
		2: profile.Int(8), 3: profile.Int(4), 5: profile.Int(1), 7: profile.Dec(25, 2), 60: profile.Int(0),
	} {
		now = day(days)
		who, err := d.Lookup(t.Context(), phone(li))
		require.NoError(t, err)
		p, err := d.Get(t.Context(), who)
		require.NoError(t, err)
		order, ok := p.Trait("likes.shoes").Compare(want)
		require.True(t, ok)
		require.Zero(t, order, "on day %d: %s", days, p.Trait("likes.shoes"))
	}
}

func TestTagsLapseEachAtItsInstant(t *testing.T) {
	now := day(2)
	d := open(t, profile.Config{
		Now:    func() time.Time { return now },
		Traits: []profile.TraitRule{{Name: "tags", Policy: profile.Union, TTL: 5 * 24 * time.Hour}, {Name: "mood", TTL: 24 * time.Hour}},
	})
	e := event("1", day(1), phone(li))
	e.Traits = profile.Values{"tags": profile.Tags("vip", "summer"), "mood": profile.Text("happy")}
	observe(t, d, e)
	e = event("2", day(2), phone(li))
	e.Traits = profile.Values{"tags": profile.Text("vip")}
	id := observe(t, d, e).Profile
	is := func(at time.Time, tags, mood string) {
		t.Helper()
		now = at
		p, err := d.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, tags, p.Trait("tags").String())
		require.Equal(t, mood, p.Trait("mood").String())
	}
	is(day(2).Add(-1*time.Microsecond), "summer, vip", "happy")
	is(day(2), "summer, vip", "")
	is(day(6).Add(-1*time.Microsecond), "summer, vip", "")
	is(day(6), "vip", "")
	is(day(7), "", "")
}

func TestSumIsExact(t *testing.T) {
	cfg := profile.Config{Traits: []profile.TraitRule{{Name: "n", Policy: profile.Sum}}}
	i, d := profile.Int, profile.Dec
	for _, c := range []struct {
		values []profile.Value
		want   profile.Value
	}{
		{[]profile.Value{i(1), i(-3), i(5)}, i(3)},
		{[]profile.Value{d(1, 1), d(2, 1)}, d(3, 1)},
		{[]profile.Value{i(1), d(-1, 2)}, d(99, 2)},
		{[]profile.Value{d(5, 1), d(5, 1)}, d(1, 0)},
		{[]profile.Value{i(math.MaxInt64), i(math.MaxInt64), i(-math.MaxInt64)}, i(math.MaxInt64)},
		{[]profile.Value{i(math.MaxInt64), i(1)}, i(math.MaxInt64)},
		{[]profile.Value{i(math.MinInt64), i(-1), i(1)}, i(math.MinInt64)},
		{[]profile.Value{d(math.MaxInt64, 18), d(math.MaxInt64, 18)}, d(1844674407370955161, 17)},
		{[]profile.Value{profile.Text("x"), i(2)}, i(2)},
	} {
		require.Equal(t, c.want, told(t, cfg, "n", c.values...), "%v", c.values)
	}
}

// A trait whose rule names a type refuses every other, and the event goes through.
func TestTypedTraitRefusesOtherTypes(t *testing.T) {
	d := open(t, profile.Config{Traits: []profile.TraitRule{{Name: "age", Type: profile.Integer}, {Name: "visits", Policy: profile.Sum}}})
	e := event("1", day(1), phone(li))
	e.Traits = profile.Values{"age": profile.Int(30), "visits": profile.Int(1)}
	observe(t, d, e)
	e = event("2", day(2), phone(li))
	e.Traits = profile.Values{"age": profile.Text("thirty"), "visits": profile.Flag(true), "city": profile.Text("Hangzhou")}
	r := observe(t, d, e)
	require.Equal(t, []string{"age", "visits"}, r.RefusedTraits)
	require.Equal(t, r.RefusedTraits, observe(t, d, e).RefusedTraits, "and the duplicate says so again")
	p, err := d.Get(t.Context(), r.Profile)
	require.NoError(t, err)
	require.Equal(t, profile.Values{"age": profile.Int(30), "visits": profile.Int(1), "city": profile.Text("Hangzhou")}, p.Values())
}

// Without a type, a trait that changes type is simply the newer value.
func TestUntypedTraitMayChangeType(t *testing.T) {
	require.Equal(t, profile.Text("thirty"), told(t, profile.Config{}, "age", profile.Int(30), profile.Text("thirty")))
	require.Equal(t, profile.Value{}, told(t, profile.Config{}, "age", profile.Int(30), profile.Value{}), "an absent value clears")
}

func TestTraitsHaveProvenance(t *testing.T) {
	d := open(t, profile.Config{Sources: []string{"crm"}})
	for i, source := range []string{"web", "crm", "till"} {
		e := event(fmt.Sprint(i), day(1), phone(li))
		e.Source, e.Traits = source, profile.Values{"city": profile.Text(source)}
		observe(t, d, e)
	}
	who, err := d.Lookup(t.Context(), phone(li))
	require.NoError(t, err)
	p, err := d.Get(t.Context(), who)
	require.NoError(t, err)
	require.Equal(t, []profile.Trait{{Name: "city", Value: profile.Text("crm"), Source: "crm", Event: "1", At: day(1)}}, p.Traits)
}

func TestConfigNamesTheField(t *testing.T) {
	kind := func(k profile.Kind) profile.Config { return profile.Config{Kinds: []profile.Kind{k}} }
	trait := func(r profile.TraitRule) profile.Config { return profile.Config{Traits: []profile.TraitRule{r}} }
	for want, cfg := range map[string]profile.Config{
		"Kinds: a name":               kind(profile.Kind{Name: "a/b"}),
		"Kinds: a: Use":               kind(profile.Kind{Name: "a", Use: 9}),
		"Kinds: a: Limit is negative": kind(profile.Kind{Name: "a", Limit: -1}),
		"Kinds: a: Limit is for":      kind(profile.Kind{Name: "a", Limit: 1, Use: profile.LooksUp}),
		"Kinds: a: Within":            kind(profile.Kind{Name: "a", Within: time.Second}),
		"Kinds: a: PerScope":          kind(profile.Kind{Name: "a", PerScope: true}),
		"Kinds: a: Unique":            kind(profile.Kind{Name: "a", Unique: true}),
		"Kinds: a: Normalizer":        kind(profile.Kind{Name: "a", Normalizer: "none"}),
		"Kinds: a: Blocked holds":     kind(profile.Kind{Name: "a", Normalizer: "email", Blocked: []string{"x"}}),
		"Kinds: a: BlockedPatterns":   kind(profile.Kind{Name: "a", BlockedPatterns: []string{"("}}),
		"Kinds: a is declared twice":  {Kinds: []profile.Kind{{Name: "a"}, {Name: "a"}}},
		"Traits: a name":              trait(profile.TraitRule{}),
		"Traits: a: Policy":           trait(profile.TraitRule{Name: "a", Policy: 99}),
		"Traits: a: Type":             trait(profile.TraitRule{Name: "a", Type: 99}),
		"Traits: a: HalfLife":         trait(profile.TraitRule{Name: "a", Policy: profile.Decay}),
		"Traits: a: TTL":              trait(profile.TraitRule{Name: "a", Policy: profile.Sum, TTL: time.Second}),
		"Traits: a is declared twice": {Traits: []profile.TraitRule{{Name: "a"}, {Name: "a"}}},
		"KeepChanges":                 {KeepChanges: -1},
	} {
		_, err := profile.New(cfg)
		require.ErrorIs(t, err, profile.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}
