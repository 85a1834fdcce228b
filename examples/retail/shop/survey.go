package shop

import (
	"time"

	"github.com/cxkit/cxkit/feedback"
)

// The surveys of the group.
const (
	PurchaseNPS = "nps.purchase" // transactional, after a parcel or a receipt
	ServiceCSAT = "csat.service" // after a case is closed
	Reviews     = "reviews"      // stars under an order, on marketplaces and in the mini program
)

// OpenCase is the check that leaves customers with an open case out of surveys.
const OpenCase = "open case"

const day = 24 * time.Hour

// Surveys says what is asked and how often: nobody is asked about a purchase
// more than once a quarter, nor about anything more than twice in thirty days.
func Surveys() ([]feedback.Survey, []feedback.Budget) {
	why := feedback.Question{Key: "why", Kind: feedback.Text, Optional: true}
	rated := func(key string, k feedback.Kind) feedback.Question {
		return feedback.Question{Key: key, Kind: k, Scale: feedback.UsualScale(k)}
	}
	surveys := []feedback.Survey{
		{
			Name: PurchaseNPS, Program: feedback.Transactional,
			Questions: []feedback.Question{rated("recommend", feedback.NPS), why},
			Cadence:   90 * day, MaxAge: 7 * day, Exclude: []string{OpenCase},
		},
		{
			Name: ServiceCSAT, Program: feedback.Transactional,
			Questions: []feedback.Question{rated("satisfied", feedback.CSAT), why},
			Cadence:   14 * day, MaxAge: 3 * day,
		},
		{
			Name: Reviews, Program: feedback.Transactional,
			Questions: []feedback.Question{rated("stars", feedback.Stars), why},
		},
	}
	return surveys, []feedback.Budget{{Name: "twice in thirty days", Limit: 2, Window: 30 * day}}
}
