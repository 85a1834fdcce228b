package world_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile"
)

// assign gives every event of the feed the profile that rule names.
func assign(w *world.World, rule func(profile.Event, world.Event) string) map[string]profile.ID {
	out := map[string]profile.ID{}
	for d := range w.Feed() {
		e, _ := w.Truth().Event(d.Event.ID)
		if id := rule(d.Event, e); id != "" {
			out[d.Event.ID] = profile.ID(id)
		}
	}
	return out
}

func TestEveryEventIsKnown(t *testing.T) {
	w := small(t, 1)
	persons := map[string]world.Person{}
	for _, p := range w.Truth().Persons() {
		persons[p.ID] = p
	}
	for d := range w.Feed() {
		e, ok := w.Truth().Event(d.Event.ID)
		require.True(t, ok)
		if d.Event.Name == feed.PhoneReassigned {
			require.Empty(t, e.Person)
			continue
		}
		require.Contains(t, persons, e.Person)
		require.Equal(t, e.Knowable, e.Cluster >= 0)
	}
	_, ok := w.Truth().Event("of another world")
	assert.False(t, ok)
}

func TestScoreOfTheTruthIsPerfect(t *testing.T) {
	w := small(t, 1)
	s := w.Truth().Score(assign(w, func(_ profile.Event, e world.Event) string { return e.Person }))
	assert.Equal(t, 1.0, s.All.F1())
	assert.Equal(t, 1.0, s.Knowable.F1())
	assert.Equal(t, s.Clusters, s.Exact)
	assert.Equal(t, s.Persons, s.Profiles)
	assert.Zero(t, s.Missing)
	for _, x := range s.Traps {
		assert.Positive(t, x.Events, x.Trap)
		assert.Equal(t, 1.0, x.Pairs.F1(), x.Trap)
	}
}

func TestScoreOfOneProfileForAll(t *testing.T) {
	w := small(t, 1)
	s := w.Truth().Score(assign(w, func(profile.Event, world.Event) string { return "all" }))
	assert.Equal(t, 1.0, s.All.Recall())
	assert.Less(t, s.All.Precision(), 0.05)
	assert.Zero(t, s.Exact)
}

func TestScoreOfEachEventAlone(t *testing.T) {
	w := small(t, 1)
	alone := w.Truth().Score(assign(w, func(e profile.Event, _ world.Event) string { return e.ID }))
	assert.Equal(t, 1.0, alone.All.Precision())
	assert.Zero(t, alone.All.Recall())
	none := w.Truth().Score(nil)
	assert.Equal(t, alone.All, none.All, "an event without a profile is one of its own")
	assert.Equal(t, none.Events, none.Missing)
	empty := map[string]profile.ID{}
	for d := range w.Feed() {
		empty[d.Event.ID] = ""
	}
	assert.Equal(t, none, w.Truth().Score(empty), "and so is one with the empty ID")
}

// Whoever ties together all that identifiers tell, and nothing else, has found
// all that can be known.
func TestScoreOfWhatIsKnowable(t *testing.T) {
	w := small(t, 2)
	s := w.Truth().Score(assign(w, func(_ profile.Event, e world.Event) string {
		if !e.Knowable {
			return ""
		}
		return strconv.Itoa(e.Cluster)
	}))
	assert.Equal(t, 1.0, s.Knowable.F1())
	assert.Equal(t, s.Clusters, s.Exact)
	assert.Less(t, s.All.Recall(), 1.0, "not everything is knowable")
	assert.Equal(t, 1.0, s.All.Precision())
}

// The counts by contingency tables are those of looking at every pair.
func TestScoreCountsPairs(t *testing.T) {
	w := create(t, world.Config{Seed: 9, Customers: 30})
	type row struct {
		world.Event
		profile profile.ID
	}
	n := 0
	assigned := assign(w, func(e profile.Event, x world.Event) string {
		n++
		if n%17 == 0 {
			return ""
		}
		if n%5 == 0 || len(e.Identifiers) == 0 {
			return "shared " + strconv.Itoa(n%40)
		}
		return e.Identifiers[len(e.Identifiers)-1].Value
	})
	var rows []row
	seen := map[string]bool{}
	for d := range w.Feed() {
		e, _ := w.Truth().Event(d.Event.ID)
		if e.Person == "" || seen[d.Event.ID] {
			continue
		}
		seen[d.Event.ID] = true
		home, ok := assigned[d.Event.ID]
		if !ok {
			home = profile.ID("alone " + d.Event.ID)
		}
		rows = append(rows, row{e, home})
	}
	var all, knowable world.Pairs
	traps := map[world.Trap]*world.Pairs{}
	for _, x := range world.Traps() {
		traps[x] = &world.Pairs{}
	}
	add := func(p *world.Pairs, same, together, right bool) {
		if same {
			p.Same++
		}
		if same && together {
			p.Found++
		}
		if together {
			p.Together++
		}
		if right && together {
			p.Right++
		}
	}
	for i, a := range rows {
		for _, b := range rows[:i] {
			same, together := a.Person == b.Person, a.profile == b.profile
			add(&all, same, together, same)
			if a.Knowable && b.Knowable {
				add(&knowable, a.Cluster == b.Cluster, together, same)
			}
			for x, p := range traps {
				if (a.Trap|b.Trap)&x != 0 {
					add(p, same, together, same)
				}
			}
		}
	}
	s := w.Truth().Score(assigned)
	assert.Equal(t, len(rows), s.Events)
	assert.Equal(t, all, s.All)
	assert.Equal(t, knowable, s.Knowable)
	for _, x := range s.Traps {
		assert.Equal(t, *traps[x.Trap], x.Pairs, x.Trap)
	}
}

func TestRecycledNumbersChangeHands(t *testing.T) {
	w := read(t, world.Config{Customers: 1500})
	numbers := map[string]world.Reassignment{}
	reported := 0
	for _, x := range w.Truth().Reassignments() {
		numbers[x.Number] = x
		if x.Reported {
			reported++
		}
	}
	require.NotEmpty(t, numbers)
	before, after, notices := 0, 0, 0
	for d := range w.Feed() {
		if d.Event.Name == feed.PhoneReassigned {
			require.Contains(t, numbers, word(d.Event, "phone"))
			require.Empty(t, d.Event.Identifiers)
			notices++
		}
		e, _ := w.Truth().Event(d.Event.ID)
		for _, id := range d.Event.Identifiers {
			x, ok := numbers[id.Value]
			switch {
			case !ok || id.Kind != world.KindPhone:
			case d.Event.Time.Before(x.At):
				require.Equal(t, x.From, e.Person)
				require.NotZero(t, e.Trap&world.RecycledPhone)
				before++
			default:
				require.Equal(t, x.To, e.Person)
				after++
			}
		}
	}
	assert.Positive(t, before)
	assert.Positive(t, after)
	assert.GreaterOrEqual(t, notices, reported)
	assert.Less(t, reported, len(numbers), "not every change is reported")
}

func TestFamiliesShareAPhoneAndSomeACard(t *testing.T) {
	truth := small(t, 1).Truth()
	persons := map[string]world.Person{}
	for _, p := range truth.Persons() {
		persons[p.ID] = p
	}
	phones, cards := 0, 0
	for _, p := range persons {
		if p.Relative == "" {
			continue
		}
		r := persons[p.Relative]
		require.Equal(t, p.ID, r.Relative)
		require.Contains(t, r.Phones, p.Phones[0])
		phones++
		if p.SharesCard {
			require.True(t, r.SharesCard)
			cards++
		}
	}
	assert.Positive(t, phones)
	assert.Positive(t, cards)
	assert.Less(t, cards, phones)
}

func TestTabletsAreUsedByMany(t *testing.T) {
	w := read(t, world.Config{Customers: 1500})
	users := map[string]map[string]bool{}
	listed := map[string]bool{}
	for _, o := range w.Outlets() {
		for _, tablet := range o.Tablets {
			listed[tablet] = true
		}
	}
	for d := range w.Feed() {
		if d.Event.Source != "tablet" {
			continue
		}
		e, _ := w.Truth().Event(d.Event.ID)
		id := d.Event.Identifiers[0]
		require.Equal(t, world.KindDevice, id.Kind)
		require.NotZero(t, e.Trap&world.SharedTablet)
		if users[id.Value] == nil {
			users[id.Value] = map[string]bool{}
		}
		users[id.Value][e.Person] = true
	}
	require.Len(t, users, 16)
	unlisted := 0
	for tablet, persons := range users {
		assert.Greater(t, len(persons), 3)
		if !listed[tablet] {
			unlisted++
		}
	}
	assert.Equal(t, 8, unlisted)
}
