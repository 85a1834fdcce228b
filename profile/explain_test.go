package profile_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

func TestExplainGivesTheShortestChain(t *testing.T) {
	for name, store := range map[string]profile.Store{"memory": nil, "store": profile.NewMemoryStore()} {
		t.Run(name, func(t *testing.T) {
			d := open(t, profile.Config{Store: store})
			observe(t, d, event("1", day(1), device("A"), device("B")))
			observe(t, d, event("2", day(2), device("B"), device("C")))
			cd := observe(t, d, event("3", day(3), device("C"), device("D")))
			bc := observe(t, d, event("4", day(4), device("B"), device("C")))
			observe(t, d, event("5", day(5), device("D"), device("E")))
			x, err := d.Explain(t.Context(), device("B"), device("D"))
			require.NoError(t, err)
			require.Equal(t, profile.Explanation{
				Profile: bc.Profile, Other: bc.Profile,
				Chain: []profile.ChainLink{
					{From: device("B"), To: device("C"), Evidence: bc.Evidence, Events: 2, First: day(2), Last: day(4)},
					{From: device("C"), To: device("D"), Evidence: cd.Evidence, Events: 1, First: day(3), Last: day(3)},
				},
			}, x)
			require.Equal(t, "one customer\ndevice and device: seen together in 2 events, 2026-03-02 to 2026-03-04\n"+
				"device and device: seen together on 2026-03-03", x.String())

			observe(t, d, event("6", day(6), phone(li)))
			none, err := d.Explain(t.Context(), phone(li), device("A"))
			require.NoError(t, err)
			require.Equal(t, "two customers\nno evidence holds identifiers of both", none.String())

			require.NoError(t, d.Link(t.Context(), phone(li), device("A"), decided))
			x, err = d.Explain(t.Context(), phone(li), device("A"))
			require.NoError(t, err)
			require.Equal(t, "one customer\nphone and device: declared by test", x.String())

			require.NoError(t, d.Separate(t.Context(), phone(li), device("A"), decided))
			x, err = d.Explain(t.Context(), phone(li), device("A"))
			require.NoError(t, err)
			require.Equal(t, "two customers\nphone and device: declared by test to be apart", x.String())

			_, err = d.Explain(t.Context(), phone("13900139000"), device("A"))
			require.ErrorIs(t, err, profile.ErrNotFound)
		})
	}
}

func TestExplainSaysWhatStandsAgainst(t *testing.T) {
	d := open(t, profile.Config{})
	observe(t, d, event("1", day(1), member("W"), phone(li)))
	r := observe(t, d, event("2", day(2), member("H"), phone(li)))
	x, err := d.Explain(t.Context(), member("H"), member("W"))
	require.NoError(t, err)
	require.Equal(t, r.Refused, x.Refused)
	require.Equal(t, "two customers\nphone not linked: the customer would have too many values of member/a", x.String())

	refused := observe(t, d, event("3", day(3), member("H"), member("X")))
	x, err = d.Explain(t.Context(), member("X"), member("H"))
	require.NoError(t, err)
	require.Equal(t, refused.Refused, x.Refused)
	require.Contains(t, x.String(), "belongs to nobody")
}

// Identifiers are one customer's exactly where there is a chain, and every link
// of it stands.
func TestExplainHoldsEverywhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, cfg profile.Config, rng *rand.Rand) {
		w := chaos(rng)
		m := newModel(t, cfg)
		for _, e := range w.events {
			m.observe(t, e)
			if rng.IntN(4) == 0 {
				m.decide(t, rng)
			}
		}
		m.oracle.fold(m.events, m.keys)
		for range 20 {
			a, b := w.events[rng.IntN(len(w.events))].Identifiers[0], w.events[rng.IntN(len(w.events))].Identifiers[0]
			if a == b || m.oracle.at[a] == nil || m.oracle.at[b] == nil || m.oracle.at[a].since[a] < 0 || m.oracle.at[b].since[b] < 0 {
				continue
			}
			x, err := m.dir.Explain(t.Context(), a, b)
			require.NoError(t, err)
			require.Equal(t, m.oracle.at[a] == m.oracle.at[b], x.Profile == x.Other)
			require.Equal(t, x.Profile == x.Other, len(x.Chain) > 0, "%v %v", a, b)
			at := a
			for _, l := range x.Chain {
				require.Equal(t, at, l.From)
				at = l.To
				require.NotEqual(t, l.Declared == nil, l.Evidence.IsZero())
			}
			if len(x.Chain) > 0 {
				require.Equal(t, b, at)
			}
		}
	})
}
