package journey_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func sequence(inputs []journey.Input) iter.Seq2[journey.Input, error] {
	return func(yield func(journey.Input, error) bool) {
		for _, x := range inputs {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func shopPolicy() contact.Policy {
	return contact.Policy{
		Zone: "Asia/Shanghai", Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}},
		Caps:     []contact.Cap{{Max: 1, Calendar: contact.Day}},
		Channels: map[string]contact.Channel{"wechat": {NeedsCredit: true}, "sms": {Cost: 5}},
	}
}

// carts is a month of customers with carts, some of whom buy.
func carts(n int) []journey.Input {
	r := rand.New(rand.NewPCG(1, 2))
	var out []journey.Input
	for i := range n {
		id := profile.ID(fmt.Sprintf("c%07d", i))
		at := monday.Add(time.Duration(r.IntN(7*24*60)) * time.Minute)
		props := profile.Values{"cart_id": profile.Text("A"), "sku": profile.Text("boots")}
		out = append(out, journey.Input{
			ID: "a" + string(id), Name: "cart.updated", Customer: id, Time: at, Props: props,
			Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
		})
		if r.IntN(2) == 0 {
			out = append(out, journey.Input{ID: "b" + string(id), Name: "order.paid", Customer: id, Time: at.Add(time.Duration(r.IntN(96*60)) * time.Minute), Props: props})
		}
	}
	return out
}

func simulator(t testing.TB, journeys ...journey.Source) *journey.Simulator {
	s, err := journey.NewSimulator(journey.Simulation{Journeys: journeys, Contact: shopPolicy(), Until: monday.Add(40 * 24 * time.Hour)})
	require.NoError(t, err)
	return s
}

func TestSimulation(t *testing.T) {
	ctx := context.Background()
	history := carts(500)
	got, err := simulator(t, reminders()).Run(ctx, sequence(history))
	require.NoError(t, err)
	require.Equal(t, 500, got.Customers)
	require.Equal(t, len(history), got.Inputs)
	j := got.Journeys["reminders"]
	require.Equal(t, 500, j.Started)
	require.Zero(t, j.Open)
	require.Equal(t, 500, j.Ends["bought"]+j.Ends["left"])
	require.Equal(t, len(got.Messages), j.Sent)
	require.Equal(t, int64(5*j.Sent), j.Cost)
	require.Positive(t, j.Followed)
	require.Positive(t, j.Dropped[contact.NeedMet])
	require.Positive(t, j.Deferred[contact.QuietHours])
	require.GreaterOrEqual(t, j.Actions["award patience"], j.Ends["left"], "whoever is left was awarded")

	shuffled := append([]journey.Input(nil), history...)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
	again, err := simulator(t, reminders()).Run(ctx, sequence(append(shuffled, history...)))
	require.NoError(t, err)
	again.Inputs = got.Inputs
	require.Equal(t, got, again, "order and duplicates do not matter")
}

// The simulation does what the engine does, message by message.
func TestSimulationEqualsTheEngine(t *testing.T) {
	ctx := context.Background()
	history := carts(60)
	got, err := simulator(t, reminders()).Run(ctx, sequence(history))
	require.NoError(t, err)
	h := newHouse(mustBuild(t, reminders()), true)
	e, err := journey.New(journey.Config{
		Contact: shopPolicy(), Now: func() time.Time { return h.now },
		Channels: map[string]journey.Port{"wechat": confirming, "sms": confirming},
		Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: confirming},
	})
	require.NoError(t, err)
	require.NoError(t, e.Deploy(ctx, reminders()))
	slices.SortStableFunc(history, func(a, b journey.Input) int { return a.Time.Compare(b.Time) })
	for {
		next, err := e.NextDue(ctx)
		require.NoError(t, err)
		if len(history) > 0 && (next.IsZero() || !history[0].Time.After(next)) {
			h.now = history[0].Time
			_, err := e.RunDue(ctx, h.now)
			require.NoError(t, err)
			_, err = e.Ingest(ctx, history[0])
			require.NoError(t, err)
			history = history[1:]
			continue
		}
		if next.IsZero() {
			break
		}
		h.now = later(h.now, next)
		_, err = e.RunDue(ctx, h.now)
		require.NoError(t, err)
	}
	sent := map[journey.SimulatedMessage]bool{}
	for r, err := range e.History(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if r.EffectKind == journey.MessageEffect && r.State == journey.Confirmed {
			sent[journey.SimulatedMessage{Customer: r.Customer, Journey: r.Journey, Template: r.Name, Channel: r.Decision.Channel, At: r.At, Cost: r.Decision.Cost}] = true
		}
	}
	require.Len(t, got.Messages, len(sent))
	for _, m := range got.Messages {
		m.Followed = time.Time{}
		require.True(t, sent[m], "%+v", m)
	}
}

var confirming = journey.Port{HonorsKeys: true, Handle: func(context.Context, journey.Dispatch) journey.Answer { return journey.Confirm("") }}

func mustBuild(t testing.TB, src journey.Source) *journey.Definition {
	d, err := src.Build()
	require.NoError(t, err)
	return d
}

func TestCompare(t *testing.T) {
	eager := reminders()
	eager.State("pause").OnDeadline(12 * time.Hour).To("second") // too soon after the first for the cap
	c, err := journey.Compare(context.Background(), simulator(t, reminders()), simulator(t, eager), sequence(carts(200)))
	require.NoError(t, err)
	require.Equal(t, len(c.A.Messages), c.Both+len(c.OnlyA))
	require.Equal(t, len(c.B.Messages), c.Both+len(c.OnlyB))
	require.NotEmpty(t, c.OnlyA)
	require.NotEmpty(t, c.OnlyB)
	require.Contains(t, c.String(), "only in B")
	same, err := journey.Compare(context.Background(), simulator(t, reminders()), simulator(t, reminders()), sequence(carts(200)))
	require.NoError(t, err)
	require.Empty(t, same.OnlyA)
	require.Empty(t, same.OnlyB)
}

func TestSimulationsThatCannotRun(t *testing.T) {
	_, err := journey.NewSimulator(journey.Simulation{Contact: contact.Policy{Zone: "nowhere"}})
	require.ErrorIs(t, err, journey.ErrConfig)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{journey.Define("x")}})
	require.ErrorIs(t, err, journey.ErrDefinition)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{everything()}})
	require.ErrorIs(t, err, journey.ErrUnbound)
	_, err = journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{simple("j"), simple("j")}})
	require.ErrorIs(t, err, journey.ErrConfig)
}

// One customer for thirty days: three states, two messages and an award, quiet
// hours and caps.
func BenchmarkSimulatedJourney(b *testing.B) {
	s := simulator(b, reminders())
	ctx := context.Background()
	const batch = 20_000
	history := carts(batch)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := s.Run(ctx, sequence(history)); err != nil {
			b.Fatal(err)
		}
		n += batch
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "journeys/s")
}
