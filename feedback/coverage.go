package feedback

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Coverage says how much of what happened a survey has asked about, over the
// live occasions whose invitation time lies in a span.
type Coverage struct {
	Survey string `json:"survey"`
	// Occasions are all live requests, Sampled those in audience and sample
	// while the survey was open.
	Occasions int `json:"occasions"`
	Sampled   int `json:"sampled"`
	// Given were granted: the sum of the five that follow.
	Given    int `json:"given"`
	Waiting  int `json:"waiting"` // reserved, not yet sent
	Open     int `json:"open"`    // sent, may still be answered
	Answered int `json:"answered"`
	Expired  int `json:"expired"`
	Canceled int `json:"canceled"`
	// Withheld counts refused requests by code. One may count under several.
	Withheld map[Code]int `json:"withheld,omitempty"`
	// Excluded counts the sampled occasions that each exclusion left out,
	// ExcludedAny those that at least one did.
	Excluded    map[string]int `json:"excluded,omitempty"`
	ExcludedAny int            `json:"excluded_any"`
	// Backfilled are occasions from history; no other figure counts them.
	Backfilled int `json:"backfilled"`
}

// ExcludedShare is the part of the sampled occasions that an exclusion left
// out, 0 to 1; "" means any exclusion. Customers with an open case would answer
// worse: a score is as flattered as this share is large.
func (c Coverage) ExcludedShare(exclusion string) float64 {
	if exclusion == "" {
		return share(c.ExcludedAny, c.Sampled)
	}
	return share(c.Excluded[exclusion], c.Sampled)
}

// ResponseRate is the part of the sent invitations that was answered, 0 to 1.
// Those that can still be answered count as unanswered.
func (c Coverage) ResponseRate() float64 {
	return share(c.Answered, c.Open+c.Answered+c.Expired)
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// String sums the coverage up in a line.
func (c Coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d occasions, %d sampled, %d asked, %d answered (%.1f%%)",
		c.Survey, c.Occasions, c.Sampled, c.Given-c.Canceled-c.Waiting, c.Answered, 100*c.ResponseRate())
	for _, name := range slices.Sorted(maps.Keys(c.Excluded)) {
		fmt.Fprintf(&b, ", %.1f%% left out: %s", 100*c.ExcludedShare(name), name)
	}
	return b.String()
}

// Coverage counts the requests of a survey with Time from from until before
// to, as things stand at Config.Now; zero times do not bound. It reads every
// one of them.
func (c *Collector) Coverage(ctx context.Context, survey string, from, to time.Time) (Coverage, error) {
	if _, err := c.survey(survey); err != nil {
		return Coverage{}, err
	}
	out := Coverage{Survey: survey, Withheld: map[Code]int{}, Excluded: map[string]int{}}
	now := micro(c.now())
	for inv, err := range c.Invitations(ctx, Query{Survey: survey, From: micro(from), To: micro(to)}) {
		if err != nil {
			return Coverage{}, err
		}
		out.count(inv, now)
	}
	return out, nil
}

func (c *Coverage) count(inv Invitation, now time.Time) {
	if len(inv.Reasons) > 0 && inv.Reasons[0].Code == Backfilled {
		c.Backfilled++
		return
	}
	c.Occasions++
	inSample, excluded := true, false
	for _, r := range inv.Reasons {
		c.Withheld[r.Code]++
		switch r.Code {
		case SurveyNotOpen, TooOld, NotSampled, OutsideAudience:
			inSample = false
		case Excluded:
			c.Excluded[r.Name]++
			excluded = true
		}
	}
	if inSample {
		c.Sampled++
	}
	if excluded {
		c.ExcludedAny++
	}
	if !inv.Given() {
		return
	}
	c.Given++
	switch inv.StateAt(now) {
	case Reserved:
		c.Waiting++
	case Sent:
		c.Open++
	case Answered:
		c.Answered++
	case Expired:
		if inv.SentAt.IsZero() {
			c.Canceled++ // never sent: void like a canceled one
		} else {
			c.Expired++
		}
	case Canceled:
		c.Canceled++
	}
}
