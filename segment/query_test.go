package segment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// A question needs no name, so that it never takes that of a segment.
func TestAQuestionHasTheNameOfNoSegment(t *testing.T) {
	s := newShop(t)
	for _, name := range []string{"query", "query'"} {
		s.define(name, atLeastPoints(9))
	}
	rule := segment.All(segment.In("query"), segment.In("query'"))
	n, err := s.engine.Count(t.Context(), time.Time{}, segment.Definition{Rule: rule})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	_, err = s.engine.Count(t.Context(), time.Time{}, segment.Definition{Name: "query", Rule: rule})
	require.ErrorIs(t, err, segment.ErrCycle, "asked for under the name")
}

// What the engine has left behind it does not know well enough to explain or
// to search.
func TestThePastIsNotAskedAbout(t *testing.T) {
	s := newShop(t)
	s.define("rich", atLeastPoints(9))
	s.now = s.now.Add(time.Hour)
	require.NoError(t, s.engine.Advance(t.Context(), s.now))
	past := s.now.Add(-time.Microsecond)
	def := segment.Definition{Rule: atLeastPoints(9)}
	_, err := s.engine.Explain(t.Context(), "rich", "c10", past)
	require.ErrorIs(t, err, segment.ErrPast)
	_, err = s.engine.Select(t.Context(), past, def)
	require.ErrorIs(t, err, segment.ErrPast)
	_, err = s.engine.Plan(t.Context(), past, def)
	require.ErrorIs(t, err, segment.ErrPast)
	why, err := s.engine.Explain(t.Context(), "rich", "c10", time.Time{})
	require.NoError(t, err)
	require.True(t, why.Member)
	require.Equal(t, s.now, why.At, "the zero time is the clock")
}

// Thousands of events may lie ahead, as of a calendar that is booked: what will
// be is asked of each customer with their own.
func TestManyEventsLieAhead(t *testing.T) {
	s := newShop(t)
	s.define("guests", segment.Events("stay").Within(segment.Days(2)).AtLeast(1))
	for i := range 4000 {
		require.NoError(t, s.history.Observe(customer(i), profile.Event{
			ID: "stay of " + string(customer(i)), Name: "stay", Time: s.now.Add(time.Duration(1+i%5) * 24 * time.Hour),
		}))
	}
	require.NoError(t, s.engine.CatchUp(t.Context()))
	at := s.now.Add(3 * 24 * time.Hour)
	guests, err := s.engine.Select(t.Context(), at, segment.Definition{Rule: segment.Events("stay").Within(segment.Days(2)).AtLeast(1)})
	require.NoError(t, err)
	require.Equal(t, 1600, guests.Len(), "those of the last two days of five")
	v, err := s.engine.View("guests")
	require.NoError(t, err)
	for i := range 100 {
		in, err := v.ContainsAt(t.Context(), customer(i), at)
		require.NoError(t, err)
		require.Equal(t, guests.Contains(customer(i)), in)
	}
}
