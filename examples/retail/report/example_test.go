package report_test

import (
	"fmt"
	"os"

	"github.com/cxkit/cxkit/examples/retail/report"
)

func Example() {
	r := report.Report{
		Title: "Points of a week",
		Sections: []report.Section{{Title: "Movement", Blocks: []report.Block{
			report.Movement{
				Opening: 1000,
				Steps:   []report.Flow{{Name: "Earned", Delta: 480}, {Name: "Redeemed", Delta: -200}, {Name: "Expired", Delta: -30}},
				Closing: 1250,
			},
		}}},
	}
	if err := r.Text(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Points of a week
	// ════════════════
	//
	// ── Movement ────────────────────────────────────────────────────────────────────────────────────────
	//
	//   Opening   1,000
	//   Earned     +480
	//   Redeemed   −200
	//   Expired     −30
	//   Closing   1,250  ties: opening and movements make the closing balance
}
