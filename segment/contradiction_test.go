package segment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

// An order whose facts contradict each other is none from then on, for every
// evaluator, and is one again when what contradicts is retracted.
func TestContradictoryOrdersAreNone(t *testing.T) {
	s := newShop(t)
	s.define("buyers", segment.Orders().AtLeast(1))
	paid := func(id, currency string, at time.Time) profile.Event {
		return profile.Event{ID: id, Name: "paid", Time: at, Order: &commerce.Event{
			Order: commerce.Key{Source: "till", Number: "1"}, Kind: commerce.Paid, Currency: currency,
			Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 100}}, Payments: []commerce.Payment{{Tender: id, Amount: 100}},
		}}
	}
	first, second := paid("a", "CNY", s.now), paid("b", "EUR", s.now.Add(time.Hour))
	check := func(want bool, events ...profile.Event) {
		t.Helper()
		require.NoError(t, s.engine.CatchUp(t.Context()))
		require.NoError(t, s.engine.Advance(t.Context(), s.now))
		require.Equal(t, want, len(s.members("buyers")) == 1)
		def := segment.Definition{Name: "buyers", Rule: segment.Orders().AtLeast(1)}
		batch, err := s.engine.Select(t.Context(), s.now, segment.Definition{Rule: def.Rule})
		require.NoError(t, err)
		require.Equal(t, want, batch.Len() == 1)
		why, err := s.engine.Explain(t.Context(), "buyers", "c00", s.now)
		require.NoError(t, err)
		refused := 0
		if !want {
			refused = 1
			require.Contains(t, why.String(), "0 of 1 orders ever, and 1 order is left out, as its facts contradict each other")
		}
		require.Equal(t, refused, why.Rule.Refused)
		rules, err := segment.Compile(def)
		require.NoError(t, err)
		for _, evaluate := range []func(string, segment.Record, time.Time) (bool, error){rules.Match, rules.Recount} {
			in, err := evaluate("buyers", segment.Record{ID: "c00", Events: events}, s.now)
			require.NoError(t, err)
			require.Equal(t, want, in)
		}
		why, err = rules.Explain("buyers", segment.Record{ID: "c00", Events: events}, s.now)
		require.NoError(t, err)
		require.Equal(t, refused, why.Rule.Refused)
	}
	require.NoError(t, s.history.Observe("c00", first))
	check(true, first)
	s.now = s.now.Add(2 * time.Hour)
	require.NoError(t, s.history.Observe("c00", second))
	check(false, first, second)
	require.NoError(t, s.history.Retract("b"))
	check(true, first)
}
