package care_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/feedback/care"
)

// A complaint has to be answered within four working hours. The desk works
// split shifts and is closed on the Friday of a holiday, but works the Saturday.
func Example() {
	ctx := context.Background()
	office, err := care.NewCalendar(care.Hours{
		Zone: "Asia/Shanghai",
		Week: care.MondayToFriday("09:00-12:00 13:30-18:00"),
		Days: map[string]string{"2026-05-01": "", "2026-05-09": "09:00-12:00 13:30-18:00"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	desk, err := care.New(care.Config{
		Calendars: map[string]*care.Calendar{"office": office},
		Policies: []care.Policy{{Kind: care.Complaint, Targets: []care.Target{
			{Name: "first response", Goal: care.Responded, Within: 4 * time.Hour, Calendar: "office", EscalateAt: []int{75}},
		}}},
		Notify: func(_ context.Context, n care.Notice) error {
			fmt.Println(n)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	shanghai := time.FixedZone("CST", 8*3600)
	opened := time.Date(2026, 4, 30, 16, 0, 0, 0, shanghai) // Thursday
	_, _ = desk.Open(ctx, care.Opening{ID: "C1", Kind: care.Complaint, Customer: "li", Time: opened, Topic: "delivery"})

	// Two hours until 18:00, nothing on Friday and the week-end, two from Monday 9:00.
	status, _ := desk.Status(ctx, "C1", opened.Add(time.Hour))
	fmt.Println(status.In(shanghai))

	_, _ = desk.RunDue(ctx, time.Date(2026, 5, 4, 11, 0, 0, 0, shanghai), 100)
	_, _ = desk.Act(ctx, care.Action{ID: "a1", Case: "C1", Verb: "resolve", Time: time.Date(2026, 5, 4, 11, 30, 0, 0, shanghai)})
	// Output:
	// 2026-04-30 08:00 UTC: complaint C1 opened
	// complaint C1 is new since 2026-04-30 16:00; first response: due before 2026-05-04 11:00, 1h00m of 4h00m used
	// 2026-05-04 02:00 UTC: complaint C1: 75% of the time for "first response" has passed
	// 2026-05-04 03:00 UTC: complaint C1: the time for "first response" is over
	// 2026-05-04 03:30 UTC: complaint C1: resolve: new → resolved
}
