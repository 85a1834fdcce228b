package care

import (
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// What says what a notice is about.
type What string

// The kinds of notice.
const (
	Opened        What = "opened"         // the case began
	Acted         What = "acted"          // an action; From and To differ if it moved
	Escalated     What = "escalated"      // a percentage of a target has passed
	Breached      What = "breached"       // all of a target has passed
	PromiseBroken What = "promise_broken" // the promised time has come and the case is not done
)

// Notice tells of one transition of a case. It carries no free text.
type Notice struct {
	// ID is the same on every delivery.
	ID   string `json:"id"`
	What What   `json:"what"`
	// Case and what identifies it to the receiver.
	Case     string       `json:"case"`
	Kind     Kind         `json:"kind"`
	Customer profile.ID   `json:"customer,omitempty"`
	Brand    string       `json:"brand,omitempty"`
	Order    commerce.Key `json:"order,omitzero"`
	// EffectiveAt is when it came about, DetectedAt when the desk noticed.
	EffectiveAt time.Time `json:"effective_at"`
	DetectedAt  time.Time `json:"detected_at"`
	// Mode is that of the action that caused it.
	Mode profile.Mode `json:"mode,omitempty"`
	// Verb, From and To tell of an action, Phase where the case stands after it.
	Verb  string `json:"verb,omitempty"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	Phase Phase  `json:"phase,omitempty"`
	// Target and Percent tell of a lapse.
	Target  string `json:"target,omitempty"`
	Percent int    `json:"percent,omitempty"`
	// Promise is the time last promised.
	Promise time.Time `json:"promise,omitzero"`
}

// String says what happened, without the customer.
func (n Notice) String() string {
	at := n.EffectiveAt.Format("2006-01-02 15:04 MST")
	switch n.What {
	case Opened:
		return fmt.Sprintf("%s: %s %s opened", at, n.Kind, n.Case)
	case Escalated:
		return fmt.Sprintf("%s: %s %s: %d%% of the time for %q has passed", at, n.Kind, n.Case, n.Percent, n.Target)
	case Breached:
		return fmt.Sprintf("%s: %s %s: the time for %q is over", at, n.Kind, n.Case, n.Target)
	case PromiseBroken:
		return fmt.Sprintf("%s: %s %s: the promised time has come", at, n.Kind, n.Case)
	}
	if n.From != n.To {
		return fmt.Sprintf("%s: %s %s: %s: %s → %s", at, n.Kind, n.Case, n.Verb, n.From, n.To)
	}
	return fmt.Sprintf("%s: %s %s: noted", at, n.Kind, n.Case)
}

func (c *Case) notice(id string, what What, effective, detected time.Time, mode profile.Mode) Notice {
	n := Notice{
		ID: c.ID + "/" + id, What: what, Case: c.ID, Kind: c.Kind, Customer: c.Customer, Brand: c.Brand,
		Order: c.Order, EffectiveAt: effective, DetectedAt: detected, Mode: mode, Phase: c.Phase,
	}
	if len(c.Promises) > 0 {
		n.Promise = c.Promises[len(c.Promises)-1].By
	}
	return n
}

func (c *Case) lapseNotice(l Lapse, detected time.Time) Notice {
	what := Escalated
	switch {
	case l.Target == promiseLapse:
		what = PromiseBroken
	case l.Percent == 100:
		what = Breached
	}
	n := c.notice("lapse/"+l.announcement(), what, l.At, detected, c.Mode)
	n.Target, n.Percent = l.Target, l.Percent
	return n
}
