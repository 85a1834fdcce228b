package feedback

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Check answers a question about a customer that another package knows: is a
// case open, is she in an audience. It runs before the reservation and outside
// its commit, perhaps several times.
type Check func(ctx context.Context, r Request) (bool, error)

// Budget caps the invitations of one customer across surveys.
//
// Its JSON form carries "format":1, the window as Go text, and refuses unknown
// fields.
type Budget struct {
	// Name appears in reasons.
	Name string
	// Limit is the greatest number of invitations in any span of length
	// Window; a span holds its start and not its end.
	Limit  int
	Window time.Duration
	// Brand limits the budget to the surveys of a brand, Surveys to those
	// named; empty means all.
	Brand   string
	Surveys []string
}

type budgetJSON struct {
	Format  int      `json:"format"`
	Name    string   `json:"name"`
	Limit   int      `json:"limit"`
	Window  string   `json:"window"`
	Brand   string   `json:"brand,omitempty"`
	Surveys []string `json:"surveys,omitempty"`
}

// MarshalJSON writes the budget with its format version.
func (b Budget) MarshalJSON() ([]byte, error) {
	return json.Marshal(budgetJSON{formatVersion, b.Name, b.Limit, b.Window.String(), b.Brand, b.Surveys})
}

// UnmarshalJSON reads what MarshalJSON writes and validates it; the error
// matches [ErrInvalid].
func (b *Budget) UnmarshalJSON(data []byte) error {
	var w budgetJSON
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("%w: budget: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: budget %q: format %d, want %d", ErrInvalid, w.Name, w.Format, formatVersion)
	}
	window, err := time.ParseDuration(w.Window)
	if err != nil {
		return fmt.Errorf("%w: budget %q: window: %q is no duration", ErrInvalid, w.Name, w.Window)
	}
	out := Budget{w.Name, w.Limit, window, w.Brand, w.Surveys}
	if err := out.validate(); err != nil {
		return err
	}
	*b = out
	return nil
}

func (b Budget) validate() error {
	fail := func(text string) error { return fmt.Errorf("%w: budget %q: %s", ErrInvalid, b.Name, text) }
	if err := checkName(b.Name); err != nil {
		return fail("name: " + err.Error())
	}
	switch {
	case b.Limit < 1:
		return fail("limit below 1")
	case b.Window <= 0:
		return fail("window not above 0")
	}
	return nil
}

func (b Budget) covers(survey, brand string) bool {
	return (b.Brand == "" || b.Brand == brand) && (len(b.Surveys) == 0 || slices.Contains(b.Surveys, survey))
}

// allows reports whether one more invitation at t keeps every span of the
// window within the limit. The times need not be before t: requests may arrive
// out of order.
func (b Budget) allows(times []time.Time, t time.Time) bool {
	all := append(slices.Clone(times), t)
	slices.SortFunc(all, time.Time.Compare)
	for i := 0; i+b.Limit < len(all); i++ {
		first, last := all[i], all[i+b.Limit]
		if !t.Before(first) && !t.After(last) && last.Sub(first) < b.Window {
			return false
		}
	}
	return true
}

// next is the first instant from t on at which the budget allows one more.
func (b Budget) next(times []time.Time, t time.Time) time.Time {
	ends := make([]time.Time, len(times))
	for i, at := range times {
		ends[i] = at.Add(b.Window)
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, e := range ends {
		if !e.Before(t) && b.allows(times, e) {
			return e
		}
	}
	return time.Time{}
}

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

// Contact is what cadence and budgets need to know of one customer. Every
// reservation is a compare-and-swap on it.
type Contact struct {
	Customer profile.ID `json:"customer"`
	Entries  []Touch    `json:"entries,omitempty"`
	Version  uint64     `json:"version,omitempty"`
}

// Touch is one invitation or one answer of a customer.
type Touch struct {
	// ID is that of the invitation or of the response.
	ID     string    `json:"id"`
	Survey string    `json:"survey"`
	Brand  string    `json:"brand,omitempty"`
	At     time.Time `json:"at"`
	// HoldUntil ends a reservation; zero for no end, and once it is sent.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	// Answer marks an answer: it counts for cadence, not for budgets.
	Answer bool `json:"answer,omitempty"`
}

// keepTouches is how long touches are kept at least, counted back from the
// newest one; twice the longest cadence or window where that is more.
const keepTouches = 400 * 24 * time.Hour

func (c *Contact) add(t Touch, keep time.Duration) {
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.ID == t.ID && e.Answer == t.Answer })
	c.Entries = append(c.Entries, t)
	slices.SortFunc(c.Entries, func(a, b Touch) int { return a.At.Compare(b.At) })
	oldest := c.Entries[len(c.Entries)-1].At.Add(-keep)
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.At.Before(oldest) })
}

func (c *Contact) remove(invitation string) {
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.ID == invitation && !e.Answer })
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

// lapsed reports whether a touch is a reservation that was over by t.
func lapsed(e Touch, t time.Time) bool { return !e.HoldUntil.IsZero() && !t.Before(e.HoldUntil) }

// Errors of this package; match them with errors.Is.
var (
	// ErrInvalid reports input or configuration that breaks a stated rule.
	ErrInvalid = errors.New("feedback: invalid")
	// ErrUnknownSurvey reports a survey that the collector does not have.
	ErrUnknownSurvey = errors.New("feedback: unknown survey")
	// ErrMismatch reports an ID that is already used with other content.
	ErrMismatch = errors.New("feedback: ID already used with other content")
	// ErrNotFound reports an invitation or response that does not exist.
	ErrNotFound = errors.New("feedback: not found")
	// ErrNotOpen reports an invitation that cannot be sent or answered any
	// more, or not yet: withheld, canceled, expired, or answered already.
	ErrNotOpen = errors.New("feedback: invitation is not open")
	// ErrConflict reports that records changed between read and commit. A
	// collector retries; inside the caller's transaction it means roll back
	// and run again.
	ErrConflict = errors.New("feedback: concurrent change")
)
