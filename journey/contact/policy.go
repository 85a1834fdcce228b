package contact

import (
	"errors"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// ErrPolicy reports a policy that cannot be used; the text names the field.
var ErrPolicy = errors.New("contact: invalid policy")

// DefaultMaxDefer is how long a message may be put off where the policy does
// not say: three days.
const DefaultMaxDefer = 72 * time.Hour

// Transactional is the purpose that [Policy.Purposes] presets: what the customer
// has asked for, such as a receipt or a code, needs no consent and waits for nothing.
const Transactional = "transactional"

// Policy says when messages may go out. The zero Policy asks for consent and
// nothing else. It is plain data and round-trips through JSON.
type Policy struct {
	// Zone is the IANA time zone of customers whose own is not known; "" is UTC.
	Zone string `json:"zone,omitempty"`
	// Quiet lists the hours in which nothing goes out.
	Quiet []Quiet `json:"quiet,omitempty"`
	// Blackouts lists the dates on which nothing goes out.
	Blackouts []BlackoutDates `json:"blackouts,omitempty"`
	// Caps bound the number of messages to one customer.
	Caps []Cap `json:"caps,omitempty"`
	// Channels describes the channels; one that is not listed costs nothing and
	// needs consent only.
	Channels map[string]Channel `json:"channels,omitempty"`
	// Purposes loosens the rules by purpose. [Transactional] is there unless
	// listed otherwise, with every rule lifted.
	Purposes map[string]Exempt `json:"purposes,omitempty"`
	// MaxDefer is the longest wait; a message that cannot go out by then is
	// suppressed or falls back. 0 is [DefaultMaxDefer].
	MaxDefer time.Duration `json:"max_defer,omitempty"`
}

// Quiet are hours of the day, in the customer's local time, in which nothing
// goes out. From after To spans midnight.
type Quiet struct {
	// From is the first minute of silence: "22:00".
	From string `json:"from"`
	// To is the first minute after it: "09:00".
	To string `json:"to"`
	// Channels limits the rule to these; none means all.
	Channels []string `json:"channels,omitempty"`
}

// BlackoutDates are days, in the customer's local time, on which nothing goes out.
type BlackoutDates struct {
	// Name is what people call them: "mourning day".
	Name string `json:"name,omitempty"`
	// From is the first day, "2026-04-04".
	From string `json:"from"`
	// To is the last day; "" is From.
	To string `json:"to,omitempty"`
	// Channels limits the rule to these; none means all.
	Channels []string `json:"channels,omitempty"`
	// Brand limits the rule to one brand; "" is every brand.
	Brand string `json:"brand,omitempty"`
}

// Period is a stretch of the calendar in the customer's local time.
type Period string

// The periods. A week begins on Monday.
const (
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

// Cap is a greatest number of messages to one customer in a time. Exactly one
// of Rolling and Calendar is set. A filter that is set counts and binds only
// the messages that it names.
type Cap struct {
	// Max is the number of messages that may go out; at least 1.
	Max int `json:"max"`
	// Rolling counts the messages of this long before now; a message exactly
	// that old no longer counts.
	Rolling time.Duration `json:"rolling,omitempty"`
	// Calendar counts the messages since the beginning of the local day, week or month.
	Calendar Period `json:"calendar,omitempty"`
	// Channel, Category, Purpose and Brand are the filters; "" is all.
	Channel  string `json:"channel,omitempty"`
	Category string `json:"category,omitempty"`
	Purpose  string `json:"purpose,omitempty"`
	Brand    string `json:"brand,omitempty"`
	// PerBrand counts each brand of the group by itself; otherwise the brands
	// share the cap.
	PerBrand bool `json:"per_brand,omitempty"`
}

// Channel is what the policy has to know of a way to reach people.
type Channel struct {
	// Cost is what one message costs, in minor units.
	Cost int64 `json:"cost,omitempty"`
	// NeedsCredit is set where each message uses up a credit that the customer
	// has granted, such as a one-time subscription in a mini program.
	NeedsCredit bool `json:"needs_credit,omitempty"`
	// ReplyWindow is how long after the customer's last message one may write;
	// 0 asks for none. With NeedsCredit, an open window does without the credit.
	ReplyWindow time.Duration `json:"reply_window,omitempty"`
	// NeedsFollow is set where only followers can be reached.
	NeedsFollow bool `json:"needs_follow,omitempty"`
}

// Exempt lists the rules that do not bind a purpose.
type Exempt struct {
	// Consent: the message needs none (a contract or the law asks for it).
	Consent bool `json:"consent,omitempty"`
	// Hours: quiet hours and blackout dates do not hold it up.
	Hours bool `json:"hours,omitempty"`
	// Caps: it is neither held up by caps nor counted.
	Caps bool `json:"caps,omitempty"`
}

// Gate is a policy ready for use. It is immutable and safe for concurrent use.
type Gate struct {
	policy    Policy
	zone      *time.Location
	quiet     []quiet
	blackouts []blackout
	caps      []limit
	channels  []namedChannel
	maxDefer  time.Duration
	horizon   time.Duration // how long a sent message matters to some cap
}

// namedChannel is a channel of the policy: there are few, so that they are looked
// through one by one.
type namedChannel struct {
	name string
	Channel
}

// channel is what the policy says of a channel, nothing if it is not listed.
func (g *Gate) channel(name string) *Channel {
	for i := range g.channels {
		if c := &g.channels[i]; c.name == name {
			return &c.Channel
		}
	}
	return &unlisted
}

var unlisted Channel

type quiet struct {
	from, to int
	rule     Quiet
	words    string
}

type blackout struct {
	from, to localtime.Date
	rule     BlackoutDates
}

// New checks the policy and makes it ready. Errors match [ErrPolicy] and name the field.
func New(p Policy) (*Gate, error) {
	g := &Gate{policy: p, maxDefer: p.MaxDefer}
	refuse := func(field string, err any) (*Gate, error) {
		return nil, fmt.Errorf("%w: %s: %v", ErrPolicy, field, err)
	}
	var err error
	if g.zone, err = time.LoadLocation(p.Zone); err != nil {
		return refuse("Zone", err)
	}
	switch {
	case p.MaxDefer < 0:
		return refuse("MaxDefer", "negative")
	case p.MaxDefer == 0:
		g.maxDefer = DefaultMaxDefer
	}
	for i, r := range p.Quiet {
		q := quiet{rule: r, words: r.From + "–" + r.To}
		if q.from, err = localtime.Parse(r.From); err != nil {
			return refuse(fmt.Sprintf("Quiet[%d].From", i), err)
		}
		if q.to, err = localtime.Parse(r.To); err != nil {
			return refuse(fmt.Sprintf("Quiet[%d].To", i), err)
		}
		if q.from == q.to {
			return refuse(fmt.Sprintf("Quiet[%d]", i), "no hour is left or none is quiet: From equals To")
		}
		g.quiet = append(g.quiet, q)
	}
	for i, r := range p.Blackouts {
		b := blackout{rule: r}
		if b.from, err = localtime.ParseDate(r.From); err != nil {
			return refuse(fmt.Sprintf("Blackouts[%d].From", i), err)
		}
		if b.to = b.from; r.To != "" {
			if b.to, err = localtime.ParseDate(r.To); err != nil {
				return refuse(fmt.Sprintf("Blackouts[%d].To", i), err)
			}
		}
		if b.to.Compare(b.from) < 0 {
			return refuse(fmt.Sprintf("Blackouts[%d]", i), "To is before From")
		}
		g.blackouts = append(g.blackouts, b)
	}
	for i, c := range p.Caps {
		switch {
		case c.Max < 1:
			return refuse(fmt.Sprintf("Caps[%d].Max", i), "less than 1")
		case c.Rolling < 0:
			return refuse(fmt.Sprintf("Caps[%d].Rolling", i), "negative")
		case (c.Rolling > 0) == (c.Calendar != ""):
			return refuse(fmt.Sprintf("Caps[%d]", i), "exactly one of Rolling and Calendar must be set")
		}
		span := c.Rolling
		switch c.Calendar {
		case "":
		case Day:
			span = 26 * time.Hour
		case Week:
			span = 8 * 24 * time.Hour
		case Month:
			span = 32 * 24 * time.Hour
		default:
			return refuse(fmt.Sprintf("Caps[%d].Calendar", i), "neither day, week nor month")
		}
		g.caps = append(g.caps, limit{c, span, c.String()})
		g.horizon = max(g.horizon, span)
	}
	for name, c := range p.Channels {
		if name == "" || c.Cost < 0 || c.ReplyWindow < 0 {
			return refuse(fmt.Sprintf("Channels[%q]", name), "empty name, negative cost or negative window")
		}
		g.channels = append(g.channels, namedChannel{name, c})
	}
	return g, nil
}

// Policy returns what the gate was made of.
func (g *Gate) Policy() Policy { return g.policy }

// Zone is the time zone of customers whose own is not known.
func (g *Gate) Zone() *time.Location { return g.zone }

func (g *Gate) exempt(purpose string) Exempt {
	if e, ok := g.policy.Purposes[purpose]; ok {
		return e
	}
	if purpose == Transactional {
		return Exempt{Consent: true, Hours: true, Caps: true}
	}
	return Exempt{}
}
