package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// phase is a world in which everything changes by the hour, told from customer and
// time alone.
type phase struct{}

func (phase) ContainsAt(_ context.Context, id profile.ID, at time.Time) (bool, error) {
	return (int(at.Unix()/3600)+len(id))%5 < 2, nil
}

func (phase) traits(_ context.Context, id profile.ID, names []string, at time.Time) (profile.Values, error) {
	v := profile.Values{}
	for _, name := range names {
		switch name {
		case "tier":
			v[name] = profile.Text([]string{"gold", "silver", "none"}[int(at.Unix()/7200)%3])
		case "birthday":
			v[name] = profile.Text(at.AddDate(-1, 0, len(id)-3).Format(time.DateOnly))
		}
	}
	return v, nil
}

// A simulation of many customers uses space again and leaves out what nobody reads.
// Customer by customer, in walks of their own, the same is done: random journeys,
// random inputs, with recorded draws, and with answers and without.
func TestASimulationIsItsWalks(t *testing.T) {
	ctx := context.Background()
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	messages, actions, endless := 0, 0, 0
	for n := range *randomRuns {
		r := rand.New(rand.NewPCG(seed, uint64(n)+1<<40))
		name := fmt.Sprintf("seed %d, run %d", seed, n)
		cfg := Simulation{
			Until: randomStart.Add(400 * time.Hour),
			Contact: contact.Policy{
				Quiet:    []contact.Quiet{{From: "22:00", To: "09:00"}},
				Caps:     []contact.Cap{{Max: 2, Calendar: contact.Day}, {Max: 3, Rolling: 60 * time.Hour}},
				Purposes: map[string]contact.Exempt{contact.Transactional: {Consent: true}},
				Channels: map[string]contact.Channel{"sms": {Cost: 3}},
			},
			Rows: func(id profile.ID) contact.Row {
				return contact.Row{Zone: randomZones[len(id)%3], Sent: []contact.Sent{{Key: "before", At: randomStart}}}
			},
			Draws: func(_ context.Context, id profile.ID) ([]Arm, error) {
				return []Arm{{"j", "s1", "s0"}, {"kid", "s0", "s1"}}[:len(id)%3], nil
			},
			Audiences: map[string]Audience{"vip": phase{}}, Checks: map[string]Check{"sunny": phase{}.ContainsAt}, Traits: phase{}.traits,
		}
		for _, s := range randomSpecs(r) {
			d, err := compile(*s)
			require.NoError(t, err)
			cfg.Journeys = append(cfg.Journeys, d)
		}
		if r.IntN(2) == 0 {
			cfg.Answer = func(_ context.Context, d Dispatch) Answer {
				if d.Effect.Name == "refused" {
					return Reject("no")
				}
				return Confirm("")
			}
		}
		sim, err := NewSimulator(cfg)
		require.NoError(t, err)
		var history []Input
		for i := range 60 {
			history = append(history, phaseInput(r, i))
		}
		got, err := sim.Run(ctx, given(history))
		if errors.Is(err, ErrLoop) {
			endless++
			continue
		}
		require.NoError(t, err, name)
		want := walked(ctx, t, sim, history)
		require.Equal(t, want.Messages, unfollowed(got.Messages), name)
		for i, d := range sim.journeys {
			w, g := want.Journeys[d.Name()], *got.Journeys[d.Name()]
			g.Followed = 0
			require.Equal(t, *w, g, "%s: %d", name, i)
			for _, n := range g.Actions {
				actions += n
			}
		}
		messages += len(got.Messages)
	}
	t.Logf("%d messages and %d actions; %d without an end", messages, actions, endless)
	require.Greater(t, messages, *randomRuns)
	require.Greater(t, actions, *randomRuns)
	require.Less(t, endless, *randomRuns/2)
}

func given(history []Input) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		for _, x := range history {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// phaseInput is something that happens to one of six customers, the i-th of all.
func phaseInput(r *rand.Rand, i int) Input {
	x := Input{
		ID: fmt.Sprintf("x%03d", i), Name: randomEvents[r.IntN(4)], Customer: profile.ID("cccccc"[:1+r.IntN(6)]),
		Time: randomStart.Add(time.Duration(r.IntN(200*60)) * time.Minute), Brand: []string{"", "", "luna", "sol"}[r.IntN(4)],
		Props: profile.Values{"n": profile.Int(int64(r.IntN(5))), "k": profile.Text([]string{"x", "y"}[r.IntN(2)])},
	}
	switch r.IntN(8) {
	case 0:
		x.Kind, x.Name = EnteredInput, "vip"
	case 1:
		x.Kind, x.Name = LeftInput, "vip"
	case 2:
		x.Kind, x.Name = CallInput, "hotline"
	case 3:
		x.Received = x.Time.Add(time.Duration(r.IntN(8)) * time.Hour)
	}
	if r.IntN(3) == 0 {
		x.Props["d"] = profile.Text(x.Time.AddDate(0, 0, r.IntN(9)-4).Format(time.DateOnly))
	}
	return x
}

// walked counts from the history that walks tell.
func walked(ctx context.Context, t *testing.T, sim *Simulator, history []Input) Simulated {
	out := Simulated{Journeys: map[string]*SimulatedJourney{}}
	for _, d := range sim.journeys {
		out.Journeys[d.Name()] = &SimulatedJourney{
			Ends: map[string]int{}, Actions: map[string]int{}, Deferred: map[contact.Reason]int{}, Dropped: map[contact.Reason]int{},
		}
	}
	history = slices.Clone(history)
	slices.SortFunc(history, func(a, b Input) int { // as a simulation takes them
		return cmp.Or(later(a.Time, a.Received).Compare(later(b.Time, b.Received)), a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	for n := 1; n <= 6; n++ {
		var w *Walk
		for _, x := range history {
			if len(x.Customer) != n {
				continue
			}
			if w == nil {
				w = sim.Walk(x.Customer, later(x.Time, x.Received))
				w.Listen(func(r Record) { recount(&out, &r) })
			}
			require.NoError(t, w.Ingest(ctx, x))
		}
		if w == nil {
			continue
		}
		require.NoError(t, w.Advance(ctx, sim.cfg.Until))
		for _, in := range w.Instances() {
			j := out.Journeys[in.Journey]
			j.Started++
			if in.Status == Ended {
				j.Ends[in.Outcome]++
			} else {
				j.Open++
			}
		}
	}
	return out
}

// recount counts a line of history.
func recount(out *Simulated, r *Record) {
	j := out.Journeys[r.Journey]
	switch {
	case r.Kind != EffectRecord || r.EffectKind == ReturnEffect:
	case r.State == Pending && r.Decision.Verdict == contact.Defer:
		j.Deferred[r.Decision.Reason]++
	case r.State == Suppressed:
		j.Dropped[r.Decision.Reason]++
	case r.State == Confirmed && r.EffectKind == MessageEffect:
		j.Sent++
		j.Cost += r.Decision.Cost
		out.Messages = append(out.Messages, SimulatedMessage{
			Customer: r.Customer, Journey: r.Journey, Template: r.Name, Channel: r.Decision.Channel, At: r.At, Cost: r.Decision.Cost,
		})
	case r.State == Confirmed:
		j.Actions[string(r.EffectKind)+" "+r.Name]++
	}
}

// unfollowed are the messages without what followed.
func unfollowed(list []SimulatedMessage) []SimulatedMessage {
	for i := range list {
		list[i].Followed = time.Time{}
	}
	return list
}
