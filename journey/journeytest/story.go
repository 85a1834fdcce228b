package journeytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Story is a fixed run of journeys: who the customers are, what they do and when.
// It is played through on a store that fails, to prove that nothing goes out
// twice and nothing is lost.
type Story struct {
	// Journeys are the definitions.
	Journeys []journey.Source
	// Policy is the contact policy.
	Policy contact.Policy
	// Contacts are the contact rows at the beginning.
	Contacts map[profile.ID]contact.Row
	// Inputs are what happens, in order of Time; each is received at its Time.
	Inputs []journey.Input
	// Holds must be true of the outbox at the end of every playing, whatever fails
	// and in whatever order inputs come; nil asks for nothing beyond what the
	// methods say.
	Holds func(outbox []journey.EffectRow) error
	// Open makes an empty store; nil is memory. A store that keeps its state
	// after its process has died must be one on which a new engine goes on.
	Open func(tb testing.TB) journey.Store
}

// CrashEverywhere plays the story once for every write that it makes, and lets
// the process die there, before the write and after it. The next process gets
// every input again and goes on. On channels that honor keys the outbox must end as
// without the crash and each effect be carried out once; on channels that do not,
// nothing may be called twice, and what is not confirmed must be listed as
// uncertain. It returns the number of crashes.
func (s Story) CrashEverywhere(t testing.TB) int {
	t.Helper()
	whole, writes := s.play(t, true, -1, false)
	crashes := 0
	for k := range writes {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("death at write %d of %d, after it: %t", k+1, writes, after)
			h, _ := s.play(t, true, k, after)
			if got, want := h.ends(t), whole.ends(t); got != want {
				t.Errorf("%s: the outbox ends as\n%s\nnot as\n%s", name, got, want)
			}
			h.check(t, name)
			h, _ = s.play(t, false, k, after)
			h.check(t, name+", without keys")
			crashes += 2
		}
	}
	return crashes
}

// Repeat plays the story with every input delivered so many times, and demands
// that the outbox ends as with one.
func (s Story) Repeat(t testing.TB, times int) {
	t.Helper()
	once, _ := s.play(t, true, -1, false)
	many := s
	many.Inputs = nil
	for _, x := range s.Inputs {
		for range times {
			many.Inputs = append(many.Inputs, x)
		}
	}
	h, _ := many.play(t, true, -1, false)
	if got, want := h.ends(t), once.ends(t); got != want {
		t.Errorf("with every input %d times the outbox ends as\n%s\nnot as\n%s", times, got, want)
	}
	h.check(t, "repeated")
}

// Shuffle plays the story with its inputs delivered in another order each time,
// some of them twice, and demands that nothing is called twice or left undone, and
// what Holds does. What is sent may differ: an order that is heard of before its
// cart is another story. The seed makes the orders; print it with what fails.
func (s Story) Shuffle(t testing.TB, seed uint64, times int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range times {
		other := s
		other.Inputs = slices.Clone(s.Inputs)
		for _, x := range s.Inputs {
			if r.IntN(3) == 0 {
				other.Inputs = append(other.Inputs, x)
			}
		}
		r.Shuffle(len(other.Inputs), func(i, j int) { other.Inputs[i], other.Inputs[j] = other.Inputs[j], other.Inputs[i] })
		for _, keys := range []bool{true, false} {
			h, _ := other.play(t, keys, -1, false)
			h.check(t, fmt.Sprintf("order %d of seed %d, keys honored: %t", n, seed, keys))
		}
	}
}

// errDead is what a store answers to a process that has died.
var errDead = errors.New("journeytest: the process has died")

// mortal is a store as one process sees it, who dies at a chosen write.
type mortal struct {
	journey.Store
	writes int // so far
	dies   int // at which write; negative is never
	after  bool
	dead   bool
}

func (m *mortal) write(do func() error) error {
	if m.dead {
		return errDead
	}
	if m.writes++; m.writes-1 == m.dies {
		m.dead = true
		if m.after {
			return errors.Join(errDead, do())
		}
		return errDead
	}
	return do()
}

func (m *mortal) Commit(ctx context.Context, b *journey.Batch) error {
	return m.write(func() error { return m.Store.Commit(ctx, b) })
}

func (m *mortal) Claim(ctx context.Context, c journey.Claim) (due []journey.Due, err error) {
	err = m.write(func() error {
		due, err = m.Store.Claim(ctx, c)
		return err
	})
	return due, err
}

func (m *mortal) Get(ctx context.Context, l journey.Lookup) (journey.Found, error) {
	if m.dead {
		return journey.Found{}, errDead
	}
	return m.Store.Get(ctx, l)
}

// production is one playing of a story.
type production struct {
	store  journey.Store
	engine *journey.Engine
	now    time.Time
	keys   bool
	holds  func([]journey.EffectRow) error
	called map[string]int // by key
}

// play runs the story to its end. It returns the number of writes of the first process.
func (s Story) play(t testing.TB, honorsKeys bool, dies int, after bool) (*production, int) {
	t.Helper()
	var base journey.Store = journey.NewMemory()
	if s.Open != nil {
		base = s.Open(t)
	}
	h := &production{keys: honorsKeys, holds: s.Holds, called: map[string]int{}}
	first := &mortal{Store: base, dies: dies, after: after}
	h.store = first
	if len(s.Inputs) == 0 {
		t.Fatalf("journeytest: a story without inputs")
	}
	h.now = s.Inputs[0].Time
	delivered := 0
	setup := func() error {
		if err := h.boot(s); err != nil {
			return err
		}
		for id, row := range s.Contacts {
			if err := h.engine.UpdateContact(t.Context(), id, row.Merge); err != nil {
				return err
			}
		}
		return nil
	}
	survive := func(do func() error) {
		t.Helper()
		err := do()
		if !errors.Is(err, errDead) {
			if err != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		h.store = base
		again := []func() error{setup}
		for _, x := range s.Inputs[:delivered] {
			again = append(again, func() error { _, err := h.engine.Ingest(t.Context(), x); return err })
		}
		for _, step := range append(again, do) {
			if err := step(); err != nil {
				t.Fatalf("after the crash: %v", err)
			}
		}
	}
	survive(setup)
	for range 100_000 {
		var due time.Time
		survive(func() (err error) { due, err = h.engine.NextDue(t.Context()); return err })
		switch {
		case delivered < len(s.Inputs) && (due.IsZero() || !s.Inputs[delivered].Time.After(due)):
			x := s.Inputs[delivered]
			h.now = latest(h.now, x.Time)
			survive(func() error { _, err := h.engine.Ingest(t.Context(), x); return err })
			delivered++
		case due.IsZero():
			return h, first.writes
		default:
			h.now = latest(h.now, due)
			survive(func() error { _, err := h.engine.RunDue(t.Context(), h.now); return err })
		}
	}
	t.Fatalf("journeytest: the story does not end")
	return h, 0
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// boot starts a process on the store.
func (h *production) boot(s Story) error {
	port := journey.Port{HonorsKeys: h.keys, Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
		h.called[d.Key]++
		return journey.Confirm("")
	}}
	cfg := journey.Config{
		Store: h.store, Contact: s.Policy, Now: func() time.Time { return h.now },
		Channels: map[string]journey.Port{}, Actions: map[journey.Binding]journey.Port{},
		Audiences: map[string]journey.Audience{}, Checks: map[string]journey.Check{},
	}
	var built []*journey.Definition
	for _, src := range s.Journeys {
		d, err := src.Build()
		if err != nil {
			return err
		}
		built = append(built, d)
		u := d.Uses()
		for _, c := range u.Channels {
			cfg.Channels[c] = port
		}
		for _, b := range u.Actions {
			cfg.Actions[b] = port
		}
		for _, a := range u.Audiences {
			cfg.Audiences[a] = membership(a)
		}
		for _, c := range u.Checks {
			cfg.Checks[c] = func(context.Context, profile.ID, time.Time) (bool, error) { return false, nil }
		}
	}
	var err error
	if h.engine, err = journey.New(cfg); err != nil {
		return err
	}
	for _, d := range built {
		if err := h.engine.Deploy(context.Background(), d); err != nil {
			return err
		}
	}
	return nil
}

// outbox lists every effect.
func (h *production) outbox(t testing.TB) []journey.EffectRow {
	t.Helper()
	var out []journey.EffectRow
	for row, err := range h.engine.Effects(t.Context(), journey.Filter{}) {
		if err != nil {
			t.Fatalf("%v", err)
		}
		out = append(out, row)
	}
	return out
}

// ends says how every effect ended, a line each.
func (h *production) ends(t testing.TB) string {
	t.Helper()
	var lines []string
	for _, row := range h.outbox(t) {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", row.Effect.Key, row.Effect.Name, row.Effect.Customer, row.State, row.Decision.Channel))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// check holds the outbox against what was called.
func (h *production) check(t testing.TB, name string) {
	t.Helper()
	if h.holds != nil {
		if err := h.holds(h.outbox(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, row := range h.outbox(t) {
		key := row.Effect.Key
		if row.Effect.Kind == journey.StartEffect || row.Effect.Kind == journey.ReturnEffect {
			continue
		}
		n := h.called[key]
		switch {
		case !h.keys && n > 1:
			t.Errorf("%s: %s was called %d times", name, key, n)
		case row.State == journey.Confirmed && n == 0:
			t.Errorf("%s: %s is confirmed and was never called", name, key)
		case row.State == journey.Suppressed && n > 0:
			t.Errorf("%s: %s is suppressed and was called", name, key)
		case row.State == journey.Pending || row.State == journey.Leased:
			t.Errorf("%s: %s is left %s", name, key, row.State)
		}
	}
}
