package segment_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

// A second opinion: rules with what they mean written out plainly beside them,
// from the documentation alone and with nothing of the package's own.

var (
	naiveWorlds = flag.Int("naive-worlds", 1_500, "histories of the comparison with the plain meaning of rules")
	naiveSeed   = flag.Uint64("naive-seed", 1, "seed of the first of them")
)

func (w *naive) event(i int, at time.Time) profile.Event {
	e := profile.Event{ID: fmt.Sprintf("e%03d", i), Time: at}
	switch w.IntN(5) {
	case 0:
		name := one(w, "tier", "points", "likes", "joined", "born")
		v := one(w, profile.Text("gold"), profile.Text("basic"), profile.Value{}, profile.Int(2)) // of whatever kind
		switch {
		case w.IntN(5) == 0:
		case name == "points":
			v = one(w, profile.Int(int64(w.IntN(5))), profile.Dec(int64(w.IntN(50)), 1))
		case name == "likes":
			v = profile.Tags(one(w, "boots", "bags"), one(w, "hats", "bags"))
		case name == "joined":
			v = profile.Time(w.instant())
		case name == "born":
			v = one(w, profile.Text("02-29"), profile.Text(w.instant().AddDate(-30, 0, 0).Format(time.DateOnly)), profile.Time(w.instant().AddDate(-7, 0, 0)))
		}
		e.Traits = profile.Values{name: v}
	case 1:
		amount := int64(1+w.IntN(3)) * 50
		e.Name = "paid"
		e.Order = &commerce.Event{
			Order: commerce.Key{Source: "shop", Number: e.ID}, Kind: commerce.Paid,
			Lines:    []commerce.Line{{ID: "1", Quantity: 1, Net: amount}},
			Payments: []commerce.Payment{{Tender: "card", Amount: amount}},
		}
	default:
		e.Name = one(w, "a", "a", "b")
		e.Properties = profile.Values{"k": profile.Text(one(w, "x", "y", "z"))}
		if w.IntN(4) > 0 {
			e.Properties["n"] = one(w, profile.Int(int64(w.IntN(5)-1)), profile.Dec(int64(w.IntN(30)-5), 1), profile.Text("many"))
		}
	}
	return e
}

// TestRulesMeanWhatTheySay compares each evaluator with the plain meaning of
// random rules over random histories, in which events come late, early, twice
// and are retracted, orders are refunded, customers merged and split, around
// changes of the clocks. One case is one rule over one history, compared at
// every step of it.
func TestRulesMeanWhatTheySay(t *testing.T) {
	var checks atomic.Int64
	cases, err := segment.EachSeed(*naiveSeed, *naiveWorlds, func(seed uint64) (int, error) {
		c, k, err := naiveWorld(t, seed)
		checks.Add(int64(k))
		return c, err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases (a rule over a history), %d comparisons, seeds %d to %d (-naive-worlds, -naive-seed)",
		cases, checks.Load(), *naiveSeed, *naiveSeed+uint64(*naiveWorlds)-1)
}

var naiveZones = []struct{ name, start string }{
	{"UTC", "2027-02-20"},
	{"Europe/Berlin", "2025-10-18"},
	{"America/New_York", "2026-03-01"},
	{"America/Havana", "2025-10-25"},
	{"Australia/Lord_Howe", "2026-03-28"},
	{"America/Asuncion", "2023-09-24"},
	{"Asia/Shanghai", "2028-02-22"},
}

func naiveWorld(t *testing.T, seed uint64) (cases, checks int, err error) {
	w := &naive{Rand: rand.New(rand.NewPCG(seed, 3))}
	zone := one(w, naiveZones...)
	loc, err := time.LoadLocation(zone.name)
	if err != nil {
		return 0, 0, err
	}
	w.start, _ = time.ParseInLocation(time.DateOnly, zone.start, loc)
	w.grid = one(w, time.Hour, 6*time.Hour, 24*time.Hour)

	var rules []meant
	var definitions []segment.Definition
	for i := range 8 {
		rules = append(rules, w.rule(rules, 2))
		definitions = append(definitions, segment.Definition{Name: fmt.Sprint("s", i), Zone: zone.name, Rule: rules[i].rule})
	}
	ruleset, err := segment.Compile(definitions...)
	if err != nil {
		return 0, 0, err
	}
	now := w.start
	h := &segment.MemoryHistory{Now: func() time.Time { return now }}
	e, err := segment.New(segment.Config{History: h})
	if err != nil {
		return 0, 0, err
	}
	late := w.IntN(len(definitions) + 1) // those from here on are defined in the middle
	for _, d := range definitions[:late] {
		if err := e.Define(t.Context(), now, d); err != nil {
			return 0, 0, err
		}
	}

	begins := map[time.Time]time.Time{}
	people := map[profile.ID]*person{}
	owner := map[string]*person{}
	someone := func() *person {
		id := one(w, profile.ID("li"), profile.ID("wuwu"))
		if people[id] == nil {
			people[id] = &person{id: id, loc: loc, begins: begins}
		}
		return people[id]
	}
	observe := func(p *person, ev profile.Event) error {
		if owner[ev.ID] == nil {
			owner[ev.ID] = p
			p.events = append(p.events, ev)
		}
		return h.Observe(owner[ev.ID].id, ev)
	}
	take := func(p *person, id string) profile.Event {
		i := slices.IndexFunc(p.events, func(ev profile.Event) bool { return ev.ID == id })
		ev := p.events[i]
		p.events = slices.Delete(slices.Clone(p.events), i, i+1)
		return ev
	}
	var all []profile.Event
	var narrative []string
	for i := range 12 {
		if i == 6 {
			for _, d := range definitions[late:] {
				if err := e.Define(t.Context(), now, d); err != nil {
					return 0, 0, err
				}
			}
		}
		p := someone()
		switch k := w.IntN(20); {
		case k == 0 && len(all) > 0: // once more
			ev := one(w, all...)
			if owner[ev.ID] != nil && slices.ContainsFunc(owner[ev.ID].events, func(o profile.Event) bool { return o.ID == ev.ID }) {
				err = observe(owner[ev.ID], ev)
			}
		case k < 3 && len(all) > 0: // retracted
			ev := one(w, all...)
			if q := owner[ev.ID]; slices.ContainsFunc(q.events, func(o profile.Event) bool { return o.ID == ev.ID }) {
				take(q, ev.ID)
				err = h.Retract(ev.ID)
				narrative = append(narrative, "retract "+ev.ID)
			}
		case k == 3 && len(people) == 2: // merged
			a, b := p, people["li"]
			if a == b {
				b = people["wuwu"]
			}
			if err = h.Merge(a.id, b.id); err == nil {
				for _, ev := range b.events {
					owner[ev.ID] = a
				}
				a.events = append(slices.Clone(a.events), b.events...)
				delete(people, b.id)
				narrative = append(narrative, fmt.Sprint("merge ", b.id, " into ", a.id))
			}
		case k == 4 && len(people) == 2 && len(p.events) > 0: // one event goes to the other
			q := people["li"]
			if p == q {
				q = people["wuwu"]
			}
			ev := one(w, p.events...)
			if err = h.Split(p.id, q.id, ev.ID); err == nil {
				q.events = append(slices.Clone(q.events), take(p, ev.ID))
				owner[ev.ID] = q
				narrative = append(narrative, fmt.Sprint("split ", ev.ID, " to ", q.id))
			}
		case k < 7 && len(all) > 0 && slices.ContainsFunc(all, func(ev profile.Event) bool { return ev.Order != nil }): // refunded
			i := slices.IndexFunc(all, func(ev profile.Event) bool { return ev.Order != nil && ev.Order.Kind == commerce.Paid })
			paid := all[i]
			if q := owner[paid.ID]; slices.ContainsFunc(q.events, func(o profile.Event) bool { return o.ID == paid.ID }) {
				back := profile.Event{ID: fmt.Sprintf("r%03d", len(all)), Name: "refunded", Time: paid.Time.Add(time.Duration(1+w.IntN(9)) * w.grid), Order: &commerce.Event{
					Order: paid.Order.Order, Kind: commerce.Refunded, Amount: paid.Order.Payments[0].Amount / int64(1+w.IntN(2)),
				}}
				if !slices.ContainsFunc(all, func(ev profile.Event) bool {
					return ev.Order != nil && ev.ID != paid.ID && ev.Order.Order == paid.Order.Order
				}) {
					all = append(all, back)
					err = observe(q, back)
				}
			}
		default:
			at := w.instant()
			if w.IntN(2) == 0 {
				at = now
			}
			ev := w.event(len(all), at)
			all = append(all, ev)
			err = observe(p, ev)
		}
		if err != nil && !errors.Is(err, profile.ErrNotFound) { // of whom nothing has been seen yet
			return 0, 0, err
		}
		if w.IntN(4) == 0 {
			continue // the engine is behind
		}
		if err := e.CatchUp(t.Context()); err != nil {
			return 0, 0, err
		}
		then := now.Add(time.Duration(w.IntN(4)) * w.grid)
		for _, at := range []time.Time{e.Clock(), then} {
			k, err := secondOpinion(t, e, ruleset, definitions, rules, people, at, i%4 == 3)
			checks += k
			if err != nil {
				return 0, 0, fmt.Errorf("step %d: %w\n%s", i, err, strings.Join(narrative, "; "))
			}
			now = then
			if err := e.Advance(t.Context(), now); err != nil {
				return 0, 0, err
			}
		}
	}
	return len(rules), checks, nil
}

// secondOpinion asks every evaluator about every rule and customer at an
// instant that is not before the engine's clock.
func secondOpinion(t *testing.T, e *segment.Engine, ruleset *segment.Ruleset, definitions []segment.Definition, rules []meant, people map[profile.ID]*person, at time.Time, overAll bool) (checks int, err error) {
	for i, r := range rules {
		name := definitions[i].Name
		view, undefined := e.View(name)
		var batch *segment.Audience
		if undefined == nil && overAll {
			def := definitions[i]
			def.Name = ""
			if batch, err = e.Select(t.Context(), at, def); err != nil {
				return checks, err
			}
		}
		for id, p := range people {
			if len(p.events) == 0 {
				continue
			}
			want := r.holds(p, at)
			record := segment.Record{ID: id, Traits: profile.Values{}, Events: p.events}
			for _, trait := range []string{"tier", "points", "likes", "joined", "born"} {
				if v := p.trait(trait); !v.IsZero() {
					record.Traits[trait] = v
				}
			}
			match, err := ruleset.Match(name, record, at)
			if err != nil {
				return checks, err
			}
			recount, err := ruleset.Recount(name, record, at)
			if err != nil {
				return checks, err
			}
			change, err := ruleset.NextChange(name, record, at)
			if err != nil {
				return checks, err
			}
			checks += 3
			if match != want || recount != want {
				return checks, fmt.Errorf("%s at %s: it means %t, per customer %t, by recount %t\nrule: %s\nevents: %+v", id, at, want, match, recount, r.rule, p.events)
			}
			if !change.IsZero() && (r.holds(p, change) == want || r.holds(p, change.Add(-time.Microsecond)) != want) {
				return checks, fmt.Errorf("%s at %s: no change at %s\nrule: %s\nevents: %+v", id, at, change, r.rule, p.events)
			}
			if undefined != nil {
				continue
			}
			live, err := view.ContainsAt(t.Context(), id, at)
			if err != nil {
				return checks, err
			}
			checks++
			if live != want {
				return checks, fmt.Errorf("%s at %s: it means %t, engine %t\nrule: %s\nevents: %+v", id, at, want, live, r.rule, p.events)
			}
			if overAll {
				checks++
				if batch.Contains(id) != want {
					return checks, fmt.Errorf("%s at %s: it means %t, over all customers it does not\nrule: %s\nevents: %+v", id, at, want, r.rule, p.events)
				}
			}
			if at.Equal(e.Clock()) {
				checks++
				if view.Contains(id) != want {
					return checks, fmt.Errorf("%s at the clock %s: it means %t, the engine says otherwise\nrule: %s\nevents: %+v", id, at, want, r.rule, p.events)
				}
			}
		}
	}
	return checks, nil
}
