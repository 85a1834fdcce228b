package profiletest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// config has limits low enough that every other event collides.
func config(store profile.Store) profile.Config {
	n := 0
	var mu sync.Mutex
	return profile.Config{
		Store: store,
		Kinds: []profile.Kind{
			{Name: "member", Priority: 1, Limit: 1, PerScope: true},
			{Name: "phone", Priority: 2, Limit: 2, Blocked: []string{"0"}},
			{Name: "mail", Priority: 3, Limit: 1, Within: 5 * time.Second},
			{Name: "device", Priority: 4},
			{Name: "order", Use: profile.LooksUp, Priority: 5, Unique: true},
		},
		Traits: []profile.TraitRule{{Name: "spend", Policy: profile.Sum}, {Name: "likes", Policy: profile.Union}},
		Now:    func() time.Time { return at(1000) },

		ErasureKeys: [][]byte{[]byte("0123456789abcdef")},
		NewID: func() profile.ID {
			mu.Lock()
			defer mu.Unlock()
			n++
			return profile.ID(fmt.Sprintf("P%05d", n))
		},
	}
}

// history is a seeded set of events of few people, with late ones among them.
func history(rng *rand.Rand, size int) []profile.Event {
	kinds := []string{"member/a", "member/b", "phone", "mail", "device", "device", "order"}
	events := make([]profile.Event, size)
	for i := range events {
		e := profile.Event{
			ID: fmt.Sprintf("e%03d", i), Source: fmt.Sprint("s", rng.IntN(2)), Name: "seen", Time: at(rng.IntN(40)),
			Traits: profile.Values{"spend": profile.Int(int64(rng.IntN(9))), "city": profile.Text(fmt.Sprint(rng.IntN(3))), "likes": profile.Text(fmt.Sprint(rng.IntN(4)))},
		}
		for range 1 + rng.IntN(3) {
			e.Identifiers = append(e.Identifiers, profile.Identifier{Kind: kinds[rng.IntN(len(kinds))], Value: fmt.Sprint(rng.IntN(6))})
		}
		if i > 0 && rng.IntN(3) == 0 {
			e.Identifiers = events[rng.IntN(i)].Identifiers
		}
		events[i] = e
	}
	return events
}

func newDirectory(t testing.TB, store profile.Store) *profile.Directory {
	t.Helper()
	d, err := profile.New(config(store))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// state is all that can be asked of a directory about a set of events. Without
// IDs it is the same for every order of arrival.
func state(t testing.TB, d *profile.Directory, events []profile.Event, withIDs bool) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	seen := map[profile.ID]bool{}
	for _, e := range events {
		_, owner, err := d.Event(ctx, e.ID)
		if errors.Is(err, profile.ErrGone) || errors.Is(err, profile.ErrNotFound) {
			out = append(out, fmt.Sprint(e.ID, err))
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if owner == "" || seen[owner] {
			continue
		}
		seen[owner] = true
		p, err := d.Get(ctx, owner)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(p.Events, p.Evidence, p.FirstSeen, p.LastSeen, p.Identifiers, p.Refused)
		if withIDs {
			text = string(p.ID) + text
		}
		for _, tr := range p.Traits {
			text += fmt.Sprint(tr)
		}
		for e, err := range d.Timeline(ctx, owner) {
			if err != nil {
				t.Fatal(err)
			}
			text += e.ID
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// TestHistories runs the random histories of a seed on empty Stores and in
// memory: of events and decisions, of sweeps, releases and hand-overs, and of
// several directories that write at once. All that can be asked is equal.
func TestHistories(t *testing.T, seed uint64, open func(testing.TB) profile.Store) {
	t.Helper()
	directory(t, open(t), seed)
	retain(t, open(t), seed)
	shared(t, open(t), seed)
}

// directory runs one history on the Store and in memory: the states are equal
// after every step, and so are the feeds.
func directory(t *testing.T, s profile.Store, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	stored, plain := newDirectory(t, s), newDirectory(t, nil)
	both := []*profile.Directory{stored, plain}
	by := profile.Decision{Actor: "test"}
	events := history(rng, 60)
	ctx := context.Background()
	for done := 0; done < len(events); {
		var results [2]string
		switch step := rng.IntN(8); {
		case step < 4 || done == 0:
			next := events[done:min(len(events), done+1+rng.IntN(4))]
			for i, d := range both {
				receipts, err := d.ObserveBatch(ctx, next)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range receipts {
					r.Seq = 0
					results[i] += fmt.Sprintf("%+v", r)
				}
			}
			done += len(next)
		case step < 5 && rng.IntN(3) == 0:
			id := events[rng.IntN(done)].ID
			for i, d := range both {
				_, owner, err := d.Event(ctx, id)
				if err == nil && owner != "" {
					removal, err := d.Erase(ctx, owner, profile.Erasure{Decision: by})
					results[i] = fmt.Sprint(removal, err)
				}
			}
		case step < 5:
			id := events[rng.IntN(done)].ID
			for i, d := range both {
				results[i] = fmt.Sprint(d.Retract(ctx, id, by))
			}
		default:
			a, b := events[rng.IntN(done)], events[rng.IntN(done)]
			x, y := a.Identifiers[0], b.Identifiers[0]
			for i, d := range both {
				switch step {
				case 5:
					results[i] = fmt.Sprint(d.Link(ctx, x, y, by))
				case 6:
					results[i] = fmt.Sprint(d.Separate(ctx, x, y, by))
				default:
					results[i] = fmt.Sprint(d.Withdraw(ctx, x, y, by))
				}
			}
		}
		equal(t, "result", results[1], results[0])
		equal(t, "state", state(t, plain, events[:done], true), state(t, stored, events[:done], true))
	}
	var feeds [2][]string
	for i, d := range both {
		for c, err := range d.Changes(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			feeds[i] = append(feeds[i], fmt.Sprint(c))
		}
	}
	equal(t, "feed", strings.Join(feeds[1], "\n"), strings.Join(feeds[0], "\n"))
}

// shared has several directories write one history to the Store at once: they
// end where one in memory ends.
func shared(t *testing.T, s profile.Store, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	events := history(rng, 40)
	plain := newDirectory(t, nil)
	if _, err := plain.ObserveBatch(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	cfg := config(s)
	var group sync.WaitGroup
	for range 4 {
		mine := slices.Clone(events)
		rng.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		group.Go(func() {
			d, err := profile.New(cfg)
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range mine {
				if _, err := d.Observe(context.Background(), e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	equal(t, "state", state(t, plain, events, false), state(t, newDirectory(t, s), events, false))
}

// reconfigured changes the rules over the Store and in memory, between events and
// decisions: the same preview, the same outcome, the same state, and a directory
// opened under the former rules is refused.
func reconfigured(t *testing.T, s profile.Store) {
	if _, ok := s.(profile.RulesStore); !ok {
		t.Skip("the Store does not remember rules")
	}
	const seed = 9
	t.Logf("seed %d", seed)
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(seed, 1))
	events := history(rng, 60)
	plain, stored := newDirectory(t, nil), newDirectory(t, s)
	by := profile.Decision{Actor: "test"}
	var rules profile.Rules
	for round := range 6 {
		for _, e := range events[10*round : 10*round+10] {
			a, errA := plain.Observe(ctx, e)
			b, errB := stored.Observe(ctx, e)
			if fmt.Sprint(errA) != fmt.Sprint(errB) || a.Profile != b.Profile {
				t.Fatalf("%s is %s's, %v; over the Store %s's, %v", e.ID, a.Profile, errA, b.Profile, errB)
			}
			if round == 2 && e.ID == "e025" {
				for _, d := range [...]*profile.Directory{plain, stored} {
					if err := d.Unlink(ctx, a.Evidence, by); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		rules = plain.Rules()
		for i := range rules.Kinds {
			k := &rules.Kinds[i]
			switch k.Name {
			case "device":
				k.Blocked = []string{fmt.Sprint(round)}
				k.Limit = round % 3
			case "phone":
				k.Priority, k.Blocked = round, nil
			case "mail":
				k.Within = time.Duration(round+1) * time.Second
			}
		}
		rules.Traits[0].Policy = []profile.Policy{profile.Sum, profile.Max, profile.Latest}[round%3]
		said, err := stored.Preview(ctx, profile.WhatIf{Rules: &rules})
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.Reconfigure(ctx, rules)
		if err != nil {
			t.Fatal(err)
		}
		got, err := stored.Reconfigure(ctx, rules)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "preview", fmt.Sprint(want), fmt.Sprint(said))
		equal(t, "outcome", fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got))
		known := events[:10*round+10]
		equal(t, "state", state(t, plain, known, true), state(t, stored, known, true))
	}
	if _, err := newDirectory(t, s).Observe(ctx, events[0]); !errors.Is(err, profile.ErrRules) {
		t.Fatalf("a directory under former rules: %v", err)
	}
}
