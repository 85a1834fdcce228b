package feedback_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/profile"
)

// BenchmarkAskAndAnswer is a whole invitation: decided, sent, answered.
func BenchmarkAskAndAnswer(b *testing.B) {
	s := nps("s", feedback.Transactional)
	s.Cadence = 90 * day
	c := collect(b, feedback.Config{Surveys: []feedback.Survey{s}, Budgets: []feedback.Budget{{Name: "b", Limit: 3, Window: 30 * day}}})
	n := 0
	for b.Loop() {
		id, who, at := fmt.Sprint(n), profile.ID(fmt.Sprint("c", n)), noon.Add(time.Duration(n)*time.Second)
		if inv := invite(b, c, id, "s", who, time.Duration(n)*time.Second); !inv.Given() {
			b.Fatal(inv)
		}
		if _, err := c.Sent(b.Context(), id, at); err != nil {
			b.Fatal(err)
		}
		_, err := c.Record(b.Context(), feedback.Response{ID: "r" + id, Survey: "s", Invitation: id, Time: at, Answers: map[string]feedback.Answer{"recommend": feedback.Rate(9)}})
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
}
