package score_test

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// TestRealReviews imports a real set of reviews, in which a review recurs across
// orders and an order has several reviews, twice over.
func TestRealReviews(t *testing.T) {
	f, err := os.Open(dataFile(t, "olist/order_reviews.csv"))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	rows = rows[1:]

	s := feedback.Survey{Name: "reviews", Questions: []feedback.Question{
		{Key: "stars", Kind: feedback.Stars, Scale: feedback.UsualScale(feedback.Stars)},
	}}
	c, err := feedback.New(feedback.Config{Surveys: []feedback.Survey{s}})
	require.NoError(t, err)
	type latest struct {
		at    time.Time
		id    string
		stars int64
	}
	orders := map[string]latest{} // counted without the library
	sum, n := int64(0), int64(0)
	for pass := range 2 {
		for _, row := range rows {
			at, err := time.Parse("2006-01-02 15:04:05", row[6])
			require.NoError(t, err)
			stars, err := strconv.Atoi(row[2])
			require.NoError(t, err)
			id := feedback.ReviewID("olist", row[0], row[1])
			_, err = c.Record(t.Context(), feedback.Response{
				ID: id, Survey: "reviews", Time: at, Mode: profile.Backfill,
				Occasion: feedback.Occasion{Order: commerce.Key{Source: "olist", Number: row[1]}},
				Answers:  map[string]feedback.Answer{"stars": feedback.Rate(stars)},
			})
			require.NoError(t, err)
			if pass > 0 {
				continue
			}
			sum, n = sum+int64(stars), n+1
			if o, ok := orders[row[1]]; !ok || at.After(o.at) || at.Equal(o.at) && id > o.id {
				orders[row[1]] = latest{at, id, int64(stars)}
			}
		}
	}
	all, err := score.Collect(c.Responses(t.Context(), feedback.Query{}), s, "stars", nil)
	require.NoError(t, err)
	assert.Equal(t, n, all[""].N(), "every review of every order, once")
	assert.InDelta(t, float64(sum)/float64(n), all[""].Score(score.Options{}).Value, 1e-12)

	kept, left, err := score.LatestPerOrder(c.Responses(t.Context(), feedback.Query{}))
	require.NoError(t, err)
	assert.Len(t, kept, len(orders))
	assert.Equal(t, int(n)-len(orders), left)
	perOrder, err := score.Collect(score.Each(kept), s, "stars", nil)
	require.NoError(t, err)
	sum = 0
	for _, o := range orders {
		sum += o.stars
	}
	assert.InDelta(t, float64(sum)/float64(len(orders)), perOrder[""].Score(score.Options{}).Value, 1e-12)
	t.Logf("all: %s; the latest of each order: %s; left out: %d", all[""].Score(score.Options{}), perOrder[""].Score(score.Options{}), left)
}
