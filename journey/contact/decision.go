package contact

import (
	"fmt"
	"strings"
	"time"
)

// Verdict is the answer to a message that wants to go out.
type Verdict uint8

// The verdicts.
const (
	Allow    Verdict = iota + 1 // send now on the preferred channel
	Defer                       // ask again at Until
	Fallback                    // send now, but on another channel
	Suppress                    // never send
)

var verdictNames = [...]string{"unknown", "allow", "defer", "fallback", "suppress"}

func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return verdictNames[0]
}

// Reason says why a message does not go out at once on the preferred channel.
type Reason string

// The reasons.
const (
	NeedMet         Reason = "need met"                  // what the message asks for has happened
	Expired         Reason = "expired"                   // NotAfter has passed
	MissingVariable Reason = "missing variable"          // the template would go out with a gap
	Restricted      Reason = "restricted"                // processing of this customer is stopped
	NoChannel       Reason = "no channel"                // the message names none, or none is left
	NoConsent       Reason = "no consent"                // not given, withdrawn or over
	NotFollowing    Reason = "not following"             // the channel needs a follower
	WindowClosed    Reason = "reply window closed"       // the customer's last message is too long ago
	NoCredit        Reason = "no message credit"         // none granted, all used or over
	QuietHours      Reason = "quiet hours"               // local time of day
	Blackout        Reason = "blackout date"             // local date
	Capped          Reason = "cap reached"               // enough messages already
	Refused         Reason = "refused"                   // the channel refused the message before
	TooLate         Reason = "cannot go out soon enough" // the wait is longer than MaxDefer or runs past NotAfter
)

// Refusal is one channel that was passed over, and why.
type Refusal struct {
	Channel string `json:"channel"`
	Reason  Reason `json:"reason"`
	Detail  string `json:"detail,omitempty"`
}

func (r Refusal) String() string {
	s := r.Channel + ": " + string(r.Reason)
	if r.Detail != "" {
		s += " (" + r.Detail + ")"
	}
	return s
}

// Decision is the answer of a [Gate] with its reason.
type Decision struct {
	// Verdict is the answer.
	Verdict Verdict `json:"verdict"`
	// Channel is the one to use or, when deferred, the one that is waited for;
	// empty when suppressed.
	Channel string `json:"channel,omitempty"`
	// Reason says why the message does not go out at once on the preferred
	// channel; empty for Allow.
	Reason Reason `json:"reason,omitempty"`
	// Detail names the rule in words: "22:00–09:00", "2 of 2 a day on sms".
	Detail string `json:"detail,omitempty"`
	// Until is when to ask again; set for Defer only.
	Until time.Time `json:"until,omitzero"`
	// Cost is what the channel charges, in minor units; 0 unless the message goes out.
	Cost int64 `json:"cost,omitempty"`
	// Passed lists the channels that were asked before, in order.
	Passed []Refusal `json:"passed,omitempty"`
}

// Sends reports whether the message goes out now.
func (d Decision) Sends() bool { return d.Verdict == Allow || d.Verdict == Fallback }

// String is a sentence for people: "deferred to 2026-11-11 09:00 +0800 on
// wechat: quiet hours (22:00–09:00)".
func (d Decision) String() string {
	var b strings.Builder
	switch d.Verdict {
	case Allow:
		b.WriteString("allowed on " + d.Channel)
	case Fallback:
		b.WriteString("falls back to " + d.Channel)
	case Defer:
		fmt.Fprintf(&b, "deferred to %s on %s", d.Until.Format("2006-01-02 15:04 -0700"), d.Channel)
	case Suppress:
		b.WriteString("suppressed")
	default:
		return "undecided"
	}
	if d.Reason != "" {
		b.WriteString(": " + string(d.Reason))
		if d.Detail != "" {
			b.WriteString(" (" + d.Detail + ")")
		}
	}
	for _, p := range d.Passed {
		b.WriteString("; " + p.String())
	}
	return b.String()
}
