package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Check answers a question about a customer that another package knows: is a
// case open, is she in an audience. It runs before the reservation and outside
// its commit, perhaps several times.
type Check func(ctx context.Context, r Request) (bool, error)

// Code is the kind of a reason.
type Code string

// The reasons not to ask.
const (
	Backfilled      Code = "backfill"         // history invites nobody
	SurveyNotOpen   Code = "survey_not_open"  // before Opens, or from Closes on
	TooOld          Code = "too_old"          // the occasion is older than MaxAge
	NotSampled      Code = "not_sampled"      // the occasion is not in the sample
	OutsideAudience Code = "outside_audience" // the check named by Audience does not hold
	Excluded        Code = "excluded"         // a check named by Exclude holds
	TooSoon         Code = "too_soon"         // within the cadence of the survey
	BudgetSpent     Code = "budget_spent"     // a budget across surveys is spent
)

// Reason is one thing that stands against asking.
type Reason struct {
	Code Code `json:"code"`
	// Name is the check, the survey or the budget.
	Name string `json:"name,omitempty"`
	// Until is the instant at which the reason ends if nothing else happens;
	// zero where that is not known.
	Until time.Time `json:"until,omitzero"`
}

// String explains the reason to a shop assistant.
func (r Reason) String() string {
	var text string
	switch r.Code {
	case Backfilled:
		return "the occasion was loaded from history"
	case SurveyNotOpen:
		text = "the survey is not open"
	case TooOld:
		return "the occasion is too long ago"
	case NotSampled:
		return "the occasion is not in the sample"
	case OutsideAudience:
		return "not in the audience " + r.Name
	case Excluded:
		return "left out: " + r.Name
	case TooSoon:
		text = "this survey has asked or heard the customer lately"
	case BudgetSpent:
		text = "all surveys together have asked often enough (" + r.Name + ")"
	default:
		return string(r.Code)
	}
	if !r.Until.IsZero() {
		text += ", again from " + stamp(r.Until)
	}
	return text
}

// outer are the reasons that need no look at the customer's other invitations.
func (c *Collector) outer(ctx context.Context, s Survey, r Request) ([]Reason, error) {
	switch {
	case r.Mode == profile.Backfill:
		return []Reason{{Code: Backfilled}}, nil
	case !s.Opens.IsZero() && r.Time.Before(s.Opens):
		return []Reason{{Code: SurveyNotOpen, Until: s.Opens}}, nil
	case !s.Closes.IsZero() && !r.Time.Before(s.Closes):
		return []Reason{{Code: SurveyNotOpen}}, nil
	case s.MaxAge > 0 && !r.Occasion.At.IsZero() && r.Time.Sub(r.Occasion.At) > s.MaxAge:
		return []Reason{{Code: TooOld}}, nil
	case !sampled(s, r.ID):
		return []Reason{{Code: NotSampled}}, nil
	}
	if s.Audience != "" {
		in, err := c.checks[s.Audience](ctx, r)
		if err != nil {
			return nil, fmt.Errorf("feedback: audience %q: %w", s.Audience, err)
		}
		if !in {
			return []Reason{{Code: OutsideAudience, Name: s.Audience}}, nil
		}
	}
	var reasons []Reason
	for _, name := range s.Exclude {
		out, err := c.checks[name](ctx, r)
		if err != nil {
			return nil, fmt.Errorf("feedback: exclusion %q: %w", name, err)
		}
		if out {
			reasons = append(reasons, Reason{Code: Excluded, Name: name})
		}
	}
	return reasons, nil
}

// sampled draws by hash of survey and occasion: the same occasion always has
// the same draw, and a larger sample contains the smaller one.
func sampled(s Survey, id string) bool {
	if s.SampleBP == 0 || s.SampleBP == 10_000 {
		return true
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%q %q", s.Name, id))
	return binary.BigEndian.Uint64(h[:8])%10_000 < uint64(s.SampleBP)
}

// inner are the reasons that the customer's other invitations give.
func (c *Collector) inner(s Survey, r Request, contacts []Contact) []Reason {
	var reasons []Reason
	var soonest time.Time
	tooSoon := false
	for _, contact := range contacts {
		for _, e := range contact.Entries {
			if e.Survey != s.Name || lapsed(e, r.Time) || e.ID == r.ID {
				continue
			}
			if d := r.Time.Sub(e.At).Abs(); d < s.Cadence {
				tooSoon = true
			}
			if until := e.At.Add(s.Cadence); until.After(soonest) {
				soonest = until
			}
		}
	}
	if tooSoon {
		reasons = append(reasons, Reason{Code: TooSoon, Name: s.Name, Until: soonest})
	}
	for _, b := range c.budgets {
		if !b.covers(s.Name, s.Brand) {
			continue
		}
		var times []time.Time
		for _, contact := range contacts {
			for _, e := range contact.Entries {
				if !e.Answer && !lapsed(e, r.Time) && b.covers(e.Survey, e.Brand) {
					times = append(times, e.At)
				}
			}
		}
		if !b.allows(times, r.Time) {
			reasons = append(reasons, Reason{Code: BudgetSpent, Name: b.Name, Until: b.next(times, r.Time)})
		}
	}
	return reasons
}
