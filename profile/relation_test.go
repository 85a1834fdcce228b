package profile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func relate(id string, at time.Time, acts ...profile.RelationAct) profile.Event {
	e := event(id, at, phone(li))
	e.Relations = acts
	return e
}

func TestRelations(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store, Now: func() time.Time { return day(20) }})
			events := []profile.Event{
				relate("1", day(1), profile.RelationAct{Type: "assistant", Party: "wang"}, profile.RelationAct{Type: "household", Party: "h1"}),
				relate("2", day(5), profile.RelationAct{Type: "assistant", Party: "zhao"}),
				relate("3", day(8), profile.RelationAct{Type: "household", Party: "h2", Until: day(12)}),
				relate("4", day(9), profile.RelationAct{Type: "household", Party: "h1", Ended: true}),
			}
			var id profile.ID
			for _, i := range rand.Perm(len(events)) {
				id = observe(t, d, events[i]).Profile
			}
			is := func(at time.Time, want ...string) {
				t.Helper()
				relations, err := d.Relations(t.Context(), id, at)
				require.NoError(t, err)
				var got []string
				for _, r := range relations {
					got = append(got, fmt.Sprint(r.Type, " ", r.Party, " since ", r.Since.Day()))
				}
				require.Equal(t, want, got)
			}
			is(day(0))
			is(day(1), "assistant wang since 1", "household h1 since 1")
			is(day(8), "assistant zhao since 5", "household h1 since 1", "household h2 since 8")
			is(day(9), "assistant zhao since 5", "household h2 since 8")
			is(day(12), "assistant zhao since 5")

			// Zhao leaves on day 10 and Sun takes over; Sun leaves for Wu on day 15.
			leaves := profile.HandOver{Type: "assistant", From: "zhao", To: "sun", At: day(10), By: decided}
			require.NoError(t, d.HandOver(t.Context(), profile.HandOver{Type: "assistant", From: "sun", To: "wu", At: day(15), By: decided}))
			require.NoError(t, d.HandOver(t.Context(), leaves))
			require.NoError(t, d.HandOver(t.Context(), leaves))
			is(day(9), "assistant zhao since 5", "household h2 since 8")
			is(day(10), "assistant sun since 10", "household h2 since 8")
			is(day(15), "assistant wu since 15")
			p, err := d.Get(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, []profile.Relation{{Type: "assistant", Party: "wu", Since: day(15), Event: "2", Former: "zhao"}}, p.Relations)
			for party, want := range map[string]int{"wu": 1, "zhao": 0} {
				n := 0
				for who, err := range d.Related(t.Context(), "assistant", party, day(20)) {
					require.NoError(t, err)
					require.Equal(t, id, who)
					n++
				}
				require.Equal(t, want, n, party)
			}

			// Who is assigned to Zhao's key after that stays there.
			observe(t, d, relate("5", day(16), profile.RelationAct{Type: "assistant", Party: "zhao"}))
			is(day(17), "assistant zhao since 16")
			require.NoError(t, d.Retract(t.Context(), "5", decided))
			is(day(17), "assistant wu since 15")
		})
	}
}

func TestHandOverNamesTwoParties(t *testing.T) {
	d := open(t, profile.Config{})
	h := profile.HandOver{Type: "assistant", From: "a", To: "a", At: day(1), By: decided}
	require.ErrorIs(t, d.HandOver(t.Context(), h), profile.ErrInvalidHandOver)
	h.To, h.At = "b", time.Time{}
	require.ErrorIs(t, d.HandOver(t.Context(), h), profile.ErrInvalidHandOver)
	h.At, h.By = day(1), profile.Decision{}
	require.ErrorIs(t, d.HandOver(t.Context(), h), profile.ErrInvalidDecision)
	e := event("1", day(1), phone(li))
	e.Relations = []profile.RelationAct{{Type: "assistant"}}
	_, err := d.Observe(t.Context(), e)
	require.ErrorIs(t, err, profile.ErrInvalidEvent)
}
