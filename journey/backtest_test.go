package journey_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// since is an audience that customers join and leave, each at a day of their own.
type since map[profile.ID][2]int

func (s since) ContainsAt(_ context.Context, id profile.ID, t time.Time) (bool, error) {
	days, ok := s[id]
	day := int(t.Sub(monday) / (24 * time.Hour))
	return ok && day >= days[0] && day < days[1], nil
}

func (s since) list(ctx context.Context, at time.Time) iter.Seq2[profile.ID, error] {
	return func(yield func(profile.ID, error) bool) {
		for i := range 10 {
			id := profile.ID(fmt.Sprint("c", i))
			if in, _ := s.ContainsAt(ctx, id, at); in && !yield(id, nil) {
				return
			}
		}
	}
}

// letter goes to all subscribers, with another text for the vip of that moment.
func letter(every journey.Recurrence) *journey.Builder {
	m := func(template string) journey.Message {
		return journey.Message{Template: template, Purpose: "marketing", Channels: []string{"sms"}}
	}
	j := journey.Define("letter").Every("post", every, "subscribers")
	j.Enter(journey.Tick("post")).To("which")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("which").When(journey.In("vip")).To("best").Otherwise().To("plain")
	j.State("best").Send(m("best")).After(24 * time.Hour).End("over")
	j.State("plain").Send(m("plain")).After(24 * time.Hour).End("over")
	return j
}

func letters(t testing.TB, every journey.Recurrence) *journey.Simulator {
	s, err := journey.NewSimulator(journey.Simulation{
		Journeys: []journey.Source{letter(every)},
		Contact: contact.Policy{
			Purposes: map[string]contact.Exempt{"marketing": {Consent: true}}, Channels: map[string]contact.Channel{"sms": {Cost: 7}},
		},
		From: monday, Until: monday.Add(28 * 24 * time.Hour),
		Audiences: map[string]journey.Audience{"vip": since{"c1": {10, 20}}},
		Members:   map[string]journey.Listing{"subscribers": since{"c1": {0, 100}, "c2": {5, 12}}.list},
	})
	require.NoError(t, err)
	return s
}

// What would have been sent, to whom, when, at what cost, and what followed: with
// schedules, and audiences as they were then.
func TestSchedulesComeRoundInSimulations(t *testing.T) {
	ctx := context.Background()
	paid := journey.Input{ID: "1", Name: "order.paid", Customer: "c1", Time: monday.Add(12 * 24 * time.Hour)}
	weekly := letters(t, journey.Weekly("09:00", time.Monday))
	got, err := weekly.Run(ctx, sequence([]journey.Input{paid}))
	require.NoError(t, err)
	at := func(day int) time.Time {
		return time.Date(monday.Year(), monday.Month(), monday.Day(), 9, 0, 0, 0, time.UTC).Add(time.Duration(day) * 24 * time.Hour)
	}
	m := func(id profile.ID, template string, day int, followed time.Time) journey.SimulatedMessage {
		return journey.SimulatedMessage{Customer: id, Journey: "letter", Template: template, Channel: "sms", At: at(day), Cost: 7, Followed: followed}
	}
	require.Equal(t, []journey.SimulatedMessage{
		m("c1", "plain", 0, paid.Time), m("c1", "plain", 7, paid.Time), m("c1", "best", 14, time.Time{}), m("c1", "plain", 21, time.Time{}),
		m("c2", "plain", 7, time.Time{}),
	}, got.Messages)
	require.Equal(t, 2, got.Customers)
	require.Equal(t, int64(35), got.Journeys["letter"].Cost)
	require.Equal(t, 2, got.Journeys["letter"].Followed)

	c, err := journey.Compare(ctx, weekly, letters(t, journey.Monthly(16, "09:00")), sequence([]journey.Input{paid}))
	require.NoError(t, err)
	require.Equal(t, 2, c.Both)
	require.Equal(t, []journey.SimulatedMessage{m("c1", "plain", 0, paid.Time), m("c1", "best", 14, time.Time{}), m("c1", "plain", 21, time.Time{})}, c.OnlyA)
	require.Empty(t, c.OnlyB)
	require.Equal(t, `
                           A     B  B − A
customers reached          2     2      =
letter: started            5     2     −3
  messages                 5     2     −3
  their cost              35    14    −21
  followed by the goal     2     1     −1
  of messages           40 %  50 %
  ended: over              5     2     −3
2 messages in both, 3 only in A, 0 only in B
0 customers reached only by A, 0 only by B`, "\n"+c.String())
	require.Equal(t, "2026-11-09 09:00 UTC  plain to c1 by sms, cost 7; what it asked for came 12d later", c.OnlyA[0].String())
	require.Equal(t, "2026-11-23 09:00 UTC  best to c1 by sms, cost 7; nothing followed", c.OnlyA[1].String())
}

func TestSimulationsNeedTheirSchedulesBound(t *testing.T) {
	_, err := journey.NewSimulator(journey.Simulation{
		Journeys:  []journey.Source{letter(journey.OnCalendar("festivals"))},
		Audiences: map[string]journey.Audience{"vip": since{}},
	})
	require.ErrorIs(t, err, journey.ErrUnbound)
	require.ErrorContains(t, err, "festivals")
	_, err = journey.NewSimulator(journey.Simulation{
		Journeys:  []journey.Source{letter(journey.Daily("09:00"))},
		Audiences: map[string]journey.Audience{"vip": since{}},
	})
	require.ErrorIs(t, err, journey.ErrUnbound)
	require.ErrorContains(t, err, "subscribers")
}
