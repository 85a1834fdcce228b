package score_test

import (
	"fmt"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/score"
)

// Two months of the same survey, compared.
func Example() {
	survey := feedback.Survey{
		Name: "purchase", Program: feedback.Transactional,
		Questions: []feedback.Question{{Key: "recommend", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
	}
	march, err := score.NewTally(survey, "recommend")
	if err != nil {
		fmt.Println(err)
		return
	}
	april := march.Empty()
	for _, c := range []struct {
		to       *score.Tally
		value, n int
	}{{march, 10, 50}, {march, 8, 30}, {march, 3, 20}, {april, 9, 65}, {april, 7, 30}, {april, 5, 5}} {
		_ = c.to.AddN(c.value, int64(c.n))
	}
	fmt.Println("March:", march.Score(score.Options{}))
	fmt.Println("April:", april.Score(score.Options{}))
	diff, _ := score.Compare(march, april, score.Options{})
	fmt.Println(diff)
	fmt.Println("answers needed for ±10:", score.SampleForNPS(10, 0.95))
	// Output:
	// March: NPS 30.0 [14.1, 44.2], n=100
	// April: NPS 60.0 [46.7, 69.8], n=100
	// changed by +30.0 [10.2, 48.1], p=0.003
	// answers needed for ±10: 385
}
