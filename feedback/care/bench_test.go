package care_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback/care"
)

// BenchmarkCase is a whole case: opened, taken up, resolved, with two clocks
// over a business calendar.
func BenchmarkCase(b *testing.B) {
	d := newDesk(b, care.Config{Policies: officeHours(16*time.Hour, 50, 75)})
	n := 0
	for b.Loop() {
		id, at := fmt.Sprint(n), monday.Add(time.Duration(n)*time.Second)
		if _, err := d.Open(b.Context(), care.Opening{ID: id, Kind: care.Complaint, Customer: "li", Time: at}); err != nil {
			b.Fatal(err)
		}
		for i, verb := range []string{"start", "resolve"} {
			if _, err := d.Act(b.Context(), care.Action{ID: verb, Case: id, Verb: verb, Time: at.Add(time.Duration(i+1) * time.Hour)}); err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
}
