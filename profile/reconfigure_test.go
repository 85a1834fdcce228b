package profile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// vary changes kinds and traits at random: who links, how many, in what order,
// what is blocked, which value is golden.
func vary(rng *rand.Rand, cfg profile.Config) profile.Config {
	cfg.Kinds, cfg.Traits = slices.Clone(cfg.Kinds), slices.Clone(cfg.Traits)
	for range 1 + rng.IntN(4) {
		k := &cfg.Kinds[rng.IntN(len(cfg.Kinds))]
		switch rng.IntN(5) {
		case 0:
			k.Priority = rng.IntN(6)
		case 1:
			k.Blocked = nil
			for range rng.IntN(3) {
				k.Blocked = append(k.Blocked, fmt.Sprint(k.Name, rng.IntN(4)))
			}
		case 2:
			k.Use, k.Unique = profile.Links, false
			if rng.IntN(3) == 0 {
				k.Use, k.Unique = profile.LooksUp, rng.IntN(2) == 0
				k.Limit, k.Within, k.PerScope = 0, 0, false
			}
		default:
			if k.Use != profile.Links {
				break
			}
			k.Limit, k.Within, k.PerScope = rng.IntN(4), 0, false
			if k.Limit > 0 {
				k.Within = []time.Duration{0, 0, 3 * time.Second, 10 * time.Second}[rng.IntN(4)]
				k.PerScope = rng.IntN(2) == 0
			}
		}
	}
	for i := range cfg.Traits {
		r := &cfg.Traits[i]
		if r.TTL == 0 && r.HalfLife == 0 && rng.IntN(4) == 0 {
			r.Policy = profile.Policy(rng.IntN(int(profile.Decay)))
		}
	}
	rng.Shuffle(len(cfg.Kinds), func(i, j int) { cfg.Kinds[i], cfg.Kinds[j] = cfg.Kinds[j], cfg.Kinds[i] })
	return cfg
}

func rulesOf(cfg profile.Config) profile.Rules {
	return profile.Rules{Kinds: cfg.Kinds, Traits: cfg.Traits, Sources: cfg.Sources, SingleRelations: cfg.SingleRelations}
}

// under puts the oracle under the rules of another configuration.
func (o *oracle) under(cfg profile.Config) {
	next := newOracle(cfg)
	o.kinds, o.traits, o.sources = next.kinds, next.traits, next.sources
	for i, t := range o.ties {
		if o.compareLinks(t.a, t.b) > 0 {
			o.ties[i].a, o.ties[i].b = t.b, t.a
		}
	}
}

// Under other rules everything is what a full fold under them makes it, and goes
// on so; Preview said beforehand what would merge and split; a reader of the
// feed that re-reads the profiles that it names holds them all as they are.
func TestReconfigureIsAFullFold(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		cfg = vary(rng, cfg)
		w := chaos(rng)
		m := newModel(t, cfg)
		held := newReader(m.dir)
		order := rng.Perm(len(w.events))
		for len(order) > 0 {
			switch r := rng.IntN(12); {
			case r < 8:
				m.observe(t, w.events[order[0]])
				order = order[1:]
			case r < 10:
				m.decide(t, rng)
				held.follow(t)
				held.check(t, m)
			default:
				next := vary(rng, cfg)
				before := m.owners(t)
				said, saidErr := m.dir.Preview(t.Context(), profile.WhatIf{Rules: new(rulesOf(next))})
				m.check(t, "preview")
				done, err := m.dir.Reconfigure(t.Context(), rulesOf(next))
				require.Equal(t, saidErr, err)
				if err != nil {
					require.ErrorIs(t, err, profile.ErrConfig)
					m.check(t, "a refused change of rules")
					break
				}
				cfg = next
				m.oracle.under(cfg)
				m.check(t, "other rules")
				require.Equal(t, said, done)
				require.Equal(t, between(before, m.owners(t)), done)
				held.follow(t)
				held.check(t, m)
			}
		}
		m.check(t, "all")
		held.follow(t)
		held.check(t, m)
	})
}

// A configuration is told from another when a Store is opened.
func TestStoreRemembersItsRules(t *testing.T) {
	kinds := profile.DefaultKinds()
	store := profile.NewMemoryStore()
	d := open(t, profile.Config{Store: store})
	a := observe(t, d, event("1", day(1), phone(li), device("kiosk")))
	require.Equal(t, a.Profile, observe(t, d, event("2", day(2), phone("13900139000"), device("kiosk"))).Profile)

	slices.Reverse(kinds)
	same := open(t, profile.Config{Store: store, Kinds: kinds})
	_, err := same.Resolve(t.Context(), a.Profile)
	require.NoError(t, err, "the order of the kinds says nothing")

	for i := range kinds {
		if kinds[i].Name == "device" {
			kinds[i].Blocked = []string{"kiosk"}
		}
	}
	other := open(t, profile.Config{Store: store, Kinds: kinds})
	_, err = other.Resolve(t.Context(), a.Profile)
	require.ErrorIs(t, err, profile.ErrRules)
	_, err = other.Observe(t.Context(), event("3", day(3), phone(li)))
	require.ErrorIs(t, err, profile.ErrRules)

	said, err := other.Preview(t.Context(), profile.WhatIf{Rules: new(other.Rules())})
	require.NoError(t, err)
	require.Equal(t, "1 profile splits", said.String())
	done, err := other.Reconfigure(t.Context(), other.Rules())
	require.NoError(t, err)
	require.Equal(t, said, done)
	b, err := other.Lookup(t.Context(), phone("13900139000"))
	require.NoError(t, err)
	require.NotEqual(t, a.Profile, b)
	_, err = d.Resolve(t.Context(), a.Profile)
	require.NoError(t, err, "who was there keeps on: stop it before")
	again := open(t, profile.Config{Store: store, Kinds: kinds})
	_, err = again.Resolve(t.Context(), b)
	require.NoError(t, err)
}

// plainStore hides what a Store offers besides.
type plainStore struct{ profile.Store }

func TestReconfigureNeedsAStoreThatKeepsRules(t *testing.T) {
	d := open(t, profile.Config{Store: plainStore{profile.NewMemoryStore()}})
	observe(t, d, event("1", day(1), phone(li)))
	_, err := d.Reconfigure(t.Context(), d.Rules())
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// A kind that is declared later links the past too; one that is dropped links it
// no more; an event with none left is nobody's; IDs go on resolving.
func TestKindsComeAndGo(t *testing.T) {
	for _, store := range []profile.Store{nil, profile.NewMemoryStore()} {
		d := open(t, profile.Config{Store: store, Kinds: []profile.Kind{{Name: "phone", Priority: 1}, {Name: "cookie", Priority: 2}}})
		face := profile.Identifier{Kind: "face", Value: "F1"}
		cookie := profile.Identifier{Kind: "cookie", Value: "C1"}
		a := observe(t, d, event("1", day(1), phone("1"), face))
		b := observe(t, d, event("2", day(2), phone("2"), face))
		c := observe(t, d, event("3", day(3), cookie))
		require.NotEqual(t, a.Profile, b.Profile)
		require.Equal(t, profile.ReasonUnknownKind, a.Refused[0].Reason)

		rules := d.Rules()
		rules.Kinds = []profile.Kind{{Name: "phone", Priority: 1}, {Name: "face", Priority: 3}}
		done, err := d.Reconfigure(t.Context(), rules)
		require.NoError(t, err)
		require.Equal(t, profile.Outcome{
			Merged:   []profile.Regrouping{{Profile: a.Profile, Parts: []profile.Part{{Profile: a.Profile, Evidence: 1}, {Profile: b.Profile, Evidence: 1}}}},
			Ended:    []profile.ID{c.Profile},
			Evidence: 2,
		}, done)
		who, err := d.Resolve(t.Context(), b.Profile)
		require.NoError(t, err)
		require.Equal(t, a.Profile, who)
		_, err = d.Resolve(t.Context(), c.Profile)
		require.ErrorIs(t, err, profile.ErrGone)
		_, owner, err := d.Event(t.Context(), "3")
		require.NoError(t, err)
		require.Empty(t, owner)
		require.True(t, observe(t, d, event("2", day(2), phone("2"), face)).Duplicate)

		rules.Kinds = append(rules.Kinds, profile.Kind{Name: "cookie", Priority: 2})
		done, err = d.Reconfigure(t.Context(), rules)
		require.NoError(t, err)
		require.Equal(t, profile.Outcome{Created: []profile.ID{c.Profile}, Evidence: 1}, done)
		who, err = d.Lookup(t.Context(), cookie)
		require.NoError(t, err)
		require.Equal(t, c.Profile, who)
	}
}

// A directory under other rules is one that had them from the start, whatever
// kinds came and went, up to the IDs.
func TestReconfigureIsAFreshStart(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		subset := func() profile.Config {
			next := vary(rng, cfg)
			next.Kinds = slices.DeleteFunc(next.Kinds, func(k profile.Kind) bool { return k.Name != "d" && rng.IntN(3) == 0 })
			for i := range next.Kinds {
				if k := &next.Kinds[i]; k.Name == "l" && rng.IntN(3) == 0 {
					*k = profile.Kind{Name: k.Name, Use: profile.Kept, Priority: k.Priority}
				}
			}
			return next
		}
		from, to := subset(), subset()
		d := open(t, from)
		var kept []profile.Event
		for _, e := range w.events {
			_, err := d.Observe(t.Context(), e)
			if err == nil {
				kept = append(kept, e)
				continue
			}
			require.ErrorIs(t, err, profile.ErrNoIdentifier)
		}
		_, err := d.Reconfigure(t.Context(), rulesOf(to))
		require.NoError(t, err)
		to.Store = nil
		fresh := open(t, to)
		var known []profile.Event
		for _, e := range kept {
			if _, err := fresh.Observe(t.Context(), e); err == nil {
				known = append(known, e)
				continue
			}
			_, owner, err := d.Event(t.Context(), e.ID)
			require.NoError(t, err)
			require.Empty(t, owner, "an event without identifiers is nobody's")
		}
		require.Equal(t, partition(t, fresh, known), partition(t, d, known))
		for _, e := range w.events { // and it goes on so
			_, errA := d.Observe(t.Context(), e)
			_, errB := fresh.Observe(t.Context(), e)
			require.Equal(t, errB, errA)
		}
	})
}

func TestWhatRulesCannotBecome(t *testing.T) {
	d := open(t, profile.Config{})
	observe(t, d, event("1", day(1), phone(li), device("D1")))
	observe(t, d, event("2", day(2), device("D2")))
	require.NoError(t, d.Link(t.Context(), device("D1"), device("D2"), decided))
	with := func(change func(*profile.Kind)) profile.Rules {
		r := d.Rules()
		for i := range r.Kinds {
			if r.Kinds[i].Name == "device" {
				change(&r.Kinds[i])
			}
		}
		return r
	}
	for name, r := range map[string]profile.Rules{
		"another normalizer":           with(func(k *profile.Kind) { k.Normalizer = "email" }),
		"brand as scope":               with(func(k *profile.Kind) { k.ByBrand = true }),
		"a declaration about what not": with(func(k *profile.Kind) { k.Blocked = []string{"D2"} }),
		"a declaration about a kind":   {Kinds: []profile.Kind{{Name: "phone", Normalizer: "phone.cn"}}},
		"invalid":                      with(func(k *profile.Kind) { k.Limit = -1 }),
	} {
		_, err := d.Reconfigure(t.Context(), r)
		require.ErrorIs(t, err, profile.ErrConfig, name)
		require.NotContains(t, err.Error(), "D2")
	}
	a, err := d.Lookup(t.Context(), phone(li))
	require.NoError(t, err)
	b, err := d.Lookup(t.Context(), device("D2"))
	require.NoError(t, err)
	require.Equal(t, a, b, "nothing changed")
}

// What evidence was told and what was decided about it stays: released numbers,
// unlinked evidence, restrictions, consents, relations, erasures.
func TestReconfigureKeepsDecisions(t *testing.T) {
	for _, store := range []profile.Store{nil, profile.NewMemoryStore()} {
		d := open(t, profile.Config{Store: store, ErasureKeys: [][]byte{oldKey}, Now: func() time.Time { return day(28) }})
		ctx := t.Context()
		old := observe(t, d, event("1", day(1), phone(li), device("D1")))
		recent := observe(t, d, event("2", day(20), phone(li), device("D2")))
		require.NoError(t, d.Release(ctx, phone(li), day(10), decided))
		unlinked := observe(t, d, event("3", day(3), device("D3"), device("D4")))
		require.NoError(t, d.Unlink(ctx, unlinked.Evidence, decided))
		e := event("4", day(4), device("D5"))
		e.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
		e.Relations = []profile.RelationAct{{Type: "outlet", Party: "7"}}
		restricted := observe(t, d, e)
		require.NoError(t, d.Restrict(ctx, restricted.Profile, decided))
		erased := observe(t, d, event("5", day(5), device("D6")))
		_, err := d.Erase(ctx, erased.Profile, profile.Erasure{Decision: decided})
		require.NoError(t, err)
		before := partition(t, d, []profile.Event{event("1", day(1)), event("2", day(2)), event("3", day(3)), event("4", day(4))})

		rules := d.Rules()
		rules.Traits = []profile.TraitRule{{Name: "visits", Policy: profile.Sum}}
		done, err := d.Reconfigure(ctx, rules)
		require.NoError(t, err)
		require.Equal(t, profile.Outcome{}, done)
		require.Equal(t, before, partition(t, d, []profile.Event{event("1", day(1)), event("2", day(2)), event("3", day(3)), event("4", day(4))}))
		then, err := d.LookupAt(ctx, phone(li), day(5))
		require.NoError(t, err)
		require.Equal(t, old.Profile, then)
		now, err := d.Lookup(ctx, phone(li))
		require.NoError(t, err)
		_, owner, err := d.Event(ctx, "2")
		require.NoError(t, err)
		require.Equal(t, owner, now)
		require.NotEqual(t, then, now)
		_ = recent
		p, err := d.Get(ctx, restricted.Profile)
		require.NoError(t, err)
		require.True(t, p.Restricted)
		require.Len(t, p.Relations, 1)
		_, err = d.Observe(ctx, event("6", day(5), device("D6")))
		require.ErrorIs(t, err, profile.ErrErased)
		_, err = d.Get(ctx, erased.Profile)
		require.ErrorIs(t, err, profile.ErrGone)
		var changes int
		for c, err := range d.Changes(ctx, 0) {
			require.NoError(t, err)
			changes++
			require.EqualValues(t, changes, c.Seq)
		}
		require.NoError(t, d.Relink(ctx, unlinked.Evidence, decided))
	}
}

// Writers and readers go on while the rules change, and nothing is lost.
func TestRulesChangeUnderWriters(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d, err := profile.New(profile.Config{Store: store})
			require.NoError(t, err)
			const writers, each = 4, 40
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for i := range each {
						e := event(fmt.Sprint(w, "-", i), day(1+i%20), device(fmt.Sprint(i%9)), phone(fmt.Sprintf("139%08d", i%7)))
						if _, err := d.Observe(t.Context(), e); err != nil {
							t.Error(err)
						}
						_, err := d.Lookup(t.Context(), device(fmt.Sprint(i%9)))
						if err != nil && !errors.Is(err, profile.ErrNotFound) {
							t.Error(err)
						}
					}
				})
			}
			rules := d.Rules()
			for round := range 6 {
				for i := range rules.Kinds {
					if rules.Kinds[i].Name == "device" {
						rules.Kinds[i].Limit = round % 3
					}
				}
				if _, err := d.Reconfigure(t.Context(), rules); err != nil {
					t.Error(err)
				}
			}
			group.Wait()
			fresh := open(t, profile.Config{Kinds: rules.Kinds})
			var events []profile.Event
			for w := range writers {
				for i := range each {
					e, _, err := d.Event(t.Context(), fmt.Sprint(w, "-", i))
					require.NoError(t, err)
					observe(t, fresh, e)
					events = append(events, e)
				}
			}
			require.Equal(t, partition(t, fresh, events), partition(t, d, events))
		})
	}
}

func TestRulesAsJSON(t *testing.T) {
	rules := rulesOf(chaosConfig())
	rules.SingleRelations = []string{"assistant"}
	text, err := json.Marshal(rules)
	require.NoError(t, err)
	require.Contains(t, string(text), `"version":1`)
	require.Contains(t, string(text), `"within":"5s"`)
	var back profile.Rules
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, rules, back)

	for name, text := range map[string]string{
		"no version":             `{"kinds":[]}`,
		"another version":        `{"version":2,"kinds":[]}`,
		"an unknown field":       `{"version":1,"kinds":[],"limit":3}`,
		"an unknown kind field":  `{"version":1,"kinds":[{"name":"phone","limmit":3}]}`,
		"an unknown trait field": `{"version":1,"kinds":[],"traits":[{"name":"x","plicy":"sum"}]}`,
		"an unknown use":         `{"version":1,"kinds":[{"name":"phone","use":"guess"}]}`,
		"a number of duration":   `{"version":1,"kinds":[{"name":"phone","limit":1,"within":5}]}`,
		"a bad duration":         `{"version":1,"kinds":[{"name":"phone","limit":1,"within":"a month"}]}`,
		"no JSON":                `{`,
	} {
		require.Error(t, json.Unmarshal([]byte(text), new(profile.Rules)), name)
		if name != "no JSON" {
			require.ErrorIs(t, json.Unmarshal([]byte(text), new(profile.Rules)), profile.ErrConfig, name)
		}
	}
}
