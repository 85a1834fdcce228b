package feedback

import (
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Request asks whether a customer may be asked about an occasion.
type Request struct {
	// ID is the invitation's, derived by the caller from the cause:
	// "nps/order/A1". It outlives nothing: an erasure removes it.
	ID string `json:"id"`
	// Survey names the survey.
	Survey string `json:"survey"`
	// Customer is who would be asked.
	Customer profile.ID `json:"customer"`
	// Time is when the invitation would go out; zero means [Config.Now]. A
	// request repeated at another time is the same request.
	Time time.Time `json:"time"`
	// Mode is Live or Backfill; a backfill is always withheld.
	Mode profile.Mode `json:"mode,omitempty"`
	// Occasion is what the survey asks about.
	Occasion Occasion `json:"occasion,omitzero"`
}

func (r Request) validate() error {
	if err := checkName(r.ID); err != nil {
		return fmt.Errorf("%w: request: ID: %w", ErrInvalid, err)
	}
	if err := r.Customer.Validate(); err != nil {
		return fmt.Errorf("%w: request: %w", ErrInvalid, err)
	}
	if r.Mode > profile.Backfill {
		return fmt.Errorf("%w: request: unknown mode", ErrInvalid)
	}
	if err := checkYear(r.Time); err != nil && !r.Time.IsZero() {
		return fmt.Errorf("%w: request: %w", ErrInvalid, err)
	}
	if err := r.Occasion.check(); err != nil {
		return fmt.Errorf("%w: request: %w", ErrInvalid, err)
	}
	return nil
}

// sameAs reports whether a request repeats the recorded one: the same survey
// and occasion. When it is asked again, and in which mode, does not matter; the
// customer is compared by the collector, which knows their other IDs.
func (r Request) sameAs(stored Request) bool {
	return r.Survey == stored.Survey && r.Occasion == stored.Occasion
}

// State is where an invitation stands.
type State string

// The states of an invitation.
const (
	Withheld State = "withheld" // not given; Reasons say why
	Reserved State = "reserved" // given and counted, not yet sent
	Sent     State = "sent"     // on its way or there
	Answered State = "answered" // a response came
	Expired  State = "expired"  // its time to be sent or answered is over
	Canceled State = "canceled" // taken back before it was sent; counts nowhere
)

// Invitation is a request with what was decided on it and what became of it.
type Invitation struct {
	Request
	// Program and Brand are the survey's.
	Program Program `json:"program,omitempty"`
	Brand   string  `json:"brand,omitempty"`
	// State is the recorded one; [Invitation.StateAt] takes time into account.
	State State `json:"state"`
	// Reasons are all that stood against asking; empty when given.
	Reasons []Reason `json:"reasons,omitempty"`
	// HoldUntil ends a reservation that was never sent; zero for no end.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	// SentAt is when it was sent, ExpiresAt the first instant at which it can
	// no longer be answered.
	SentAt    time.Time `json:"sent_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// AnsweredAt and Response are set by the response.
	AnsweredAt time.Time `json:"answered_at,omitzero"`
	Response   string    `json:"response,omitempty"`
	// DecidedAt is when the collector decided.
	DecidedAt time.Time `json:"decided_at"`
	// Version counts the writes of the record; the store keeps it.
	Version uint64 `json:"version,omitempty"`
}

// Given reports whether the customer may be or was asked.
func (i Invitation) Given() bool { return i.State != Withheld && i.State != "" }

// Deadline is the instant at which the invitation expires by itself; zero
// where it does not.
func (i Invitation) Deadline() time.Time {
	switch i.State {
	case Reserved:
		return i.HoldUntil
	case Sent:
		return i.ExpiresAt
	}
	return time.Time{}
}

// StateAt is the state at t. An invitation past its deadline has expired,
// whether or not a sweep has seen it.
func (i Invitation) StateAt(t time.Time) State {
	if d := i.Deadline(); !d.IsZero() && !t.Before(d) {
		return Expired
	}
	return i.State
}

// String says what was decided, and why, without naming the customer.
func (i Invitation) String() string {
	switch i.State {
	case Withheld:
		texts := make([]string, len(i.Reasons))
		for n, r := range i.Reasons {
			texts[n] = r.String()
		}
		return fmt.Sprintf("%s: not asked: %s", i.Survey, strings.Join(texts, "; "))
	case Reserved:
		if i.HoldUntil.IsZero() {
			return fmt.Sprintf("%s: may be asked", i.Survey)
		}
		return fmt.Sprintf("%s: may be asked, to be sent before %s", i.Survey, stamp(i.HoldUntil))
	case Sent:
		return fmt.Sprintf("%s: asked on %s, may be answered before %s", i.Survey, stamp(i.SentAt), stamp(i.ExpiresAt))
	case Answered:
		return fmt.Sprintf("%s: answered on %s", i.Survey, stamp(i.AnsweredAt))
	}
	return fmt.Sprintf("%s: %s", i.Survey, i.State)
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }
