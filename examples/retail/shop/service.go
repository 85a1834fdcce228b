package shop

import (
	"time"

	"github.com/cxkit/cxkit/feedback/care"
)

// ServiceHours are those of the call centre: every day, with a lunch break on
// weekends, and closed on the first three days of the lunar year.
func ServiceHours() care.Hours {
	h := care.Hours{
		Zone: "Asia/Shanghai",
		Week: care.MondayToFriday("09:00-21:00"),
		Days: map[string]string{"2026-02-17": "", "2026-02-18": "", "2026-02-19": ""},
	}
	h.Week[time.Saturday], h.Week[time.Sunday] = "10:00-12:00 13:00-18:00", "10:00-12:00 13:00-18:00"
	return h
}

// ServicePolicies are the promises of the service desk, in working hours.
func ServicePolicies() []care.Policy {
	return []care.Policy{
		{Kind: care.Complaint, Targets: []care.Target{
			{Name: "first answer", Goal: care.Responded, Within: 4 * time.Hour, Calendar: "service", EscalateAt: []int{75}},
			{Name: "solution", Goal: care.Done, Within: 36 * time.Hour, Calendar: "service"},
		}},
		{Kind: care.Repair, Targets: []care.Target{
			{Name: "ready", Goal: care.Done, Within: 120 * time.Hour, Calendar: "service", EscalateAt: []int{80}},
		}},
	}
}

// ServiceRules open a case for whoever would advise against the shop.
func ServiceRules() []care.Rule {
	return []care.Rule{
		{Name: "detractor", Survey: PurchaseNPS, Threshold: 6, Kind: care.Complaint, Topic: "survey"},
		{Name: "one star", Survey: Reviews, Threshold: 1, Kind: care.Complaint, Topic: "review"},
	}
}
