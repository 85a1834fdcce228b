package feedback_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/profile"
)

// A row of an erasure may name a former ID of the person in Other: what is
// recorded under it goes as well.
func TestErasureReachesFormerIDs(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	c, err := feedback.New(feedback.Config{
		Now: func() time.Time { return at },
		Surveys: []feedback.Survey{{
			Name: "stars", Questions: []feedback.Question{{Key: "stars", Kind: feedback.Stars, Scale: feedback.UsualScale(feedback.Stars)}},
		}},
	})
	require.NoError(t, err)
	desk, err := care.New(care.Config{Now: func() time.Time { return at }})
	require.NoError(t, err)
	for _, id := range []profile.ID{"present", "former"} {
		_, err = c.Record(t.Context(), feedback.Response{
			ID: "r-" + string(id[:1]), Survey: "stars", Customer: id, Time: at, Answers: map[string]feedback.Answer{"stars": feedback.Rate(4).Because("in her own words")},
		})
		require.NoError(t, err)
		_, err = desk.Open(t.Context(), care.Opening{ID: "c-" + string(id[:1]), Kind: care.Complaint, Customer: id, Time: at, Text: "in her own words"})
		require.NoError(t, err)
	}

	gone := profile.Change{Kind: profile.Erased, Profile: "present", Other: "former"}
	require.NoError(t, c.Apply(t.Context(), gone))
	require.NoError(t, desk.Apply(t.Context(), gone))
	for _, id := range []profile.ID{"present", "former"} {
		d, err := c.Export(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, d.Responses, id)
		cases, err := desk.Export(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, cases.Cases, id)
	}
}
