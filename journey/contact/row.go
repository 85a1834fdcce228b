package contact

import (
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Row is what contact knows of one customer: permissions given, credits left,
// messages sent. It is a value: every method returns a new Row and leaves the
// old one, its slices included, as it was. The zero Row is a customer who has
// given no consent and received nothing.
type Row struct {
	// Zone is the customer's IANA time zone; "" is not known.
	Zone string `json:"zone,omitempty"`
	// Restricted stops every message, transactional ones too.
	Restricted bool `json:"restricted,omitempty"`
	// Consents are the latest acts, one per scope.
	Consents []Consent `json:"consents,omitempty"`
	// Credits are the message credits granted.
	Credits []Credit `json:"credits,omitempty"`
	// Replies are the customer's last messages, one per channel and brand.
	Replies []Reply `json:"replies,omitempty"`
	// Follows are the accounts followed or left, one per channel and brand.
	Follows []Follow `json:"follows,omitempty"`
	// Sent are the messages that count against caps, oldest first. What no cap
	// looks back to any more is dropped.
	Sent []Sent `json:"sent,omitempty"`
}

// Consent is an act of consent and when the customer did it.
type Consent struct {
	profile.ConsentAct
	At time.Time `json:"at"`
}

// Credit is the customer's leave for a number of messages, each of which uses
// one up.
type Credit struct {
	// ID makes the grant unique; granting it again changes nothing.
	ID string `json:"id"`
	// Channel is where it counts.
	Channel string `json:"channel"`
	// Template limits it to one template; "" is any.
	Template string `json:"template,omitempty"`
	// Brand limits it to one brand; "" is any.
	Brand string `json:"brand,omitempty"`
	// Count is how many messages were granted.
	Count int `json:"count"`
	// Used is how many of them are used or reserved.
	Used int `json:"used,omitempty"`
	// ExpiresAt ends it; the zero time never does.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Reply is the customer's last message to a brand on a channel.
type Reply struct {
	Channel string    `json:"channel"`
	Brand   string    `json:"brand,omitempty"`
	At      time.Time `json:"at"`
}

// Follow says whether the customer follows a brand's account on a channel.
type Follow struct {
	Channel   string    `json:"channel"`
	Brand     string    `json:"brand,omitempty"`
	Following bool      `json:"following"`
	At        time.Time `json:"at"`
}

// Sent is one message that counts against caps.
type Sent struct {
	// Key is the message's.
	Key string `json:"key"`
	// At is when it went out or was reserved.
	At time.Time `json:"at"`
	// Held is true until the channel has confirmed it.
	Held bool `json:"held,omitempty"`
	// Channel, Category, Purpose and Brand are what caps filter by.
	Channel  string `json:"channel"`
	Category string `json:"category,omitempty"`
	Purpose  string `json:"purpose,omitempty"`
	Brand    string `json:"brand,omitempty"`
	// Credit is the ID of the credit that it uses; "" for none.
	Credit string `json:"credit,omitempty"`
	// Uncounted messages are kept for their credit only.
	Uncounted bool `json:"uncounted,omitempty"`
}

// WithConsent records an act of consent done at a time. Within a scope the
// latest explicit act stays; among inferred acts, and at equal times, the one
// that withholds. An inferred act never replaces an explicit one.
func (r Row) WithConsent(act profile.ConsentAct, at time.Time) Row {
	i, c, news := r.weigh(act, at)
	switch {
	case !news:
	case i < 0:
		r.Consents = append(slices.Clip(r.Consents), c)
	default:
		r.Consents = slices.Clone(r.Consents)
		r.Consents[i] = c
	}
	return r
}

// weigh says where an act of consent belongs, −1 for behind all, and whether it
// changes anything.
func (r *Row) weigh(act profile.ConsentAct, at time.Time) (i int, c Consent, news bool) {
	c = Consent{act, at.Truncate(time.Microsecond)}
	for i := range r.Consents {
		d := &r.Consents[i]
		if d.Purpose == c.Purpose && d.Channel == c.Channel && d.Brand == c.Brand && d.Address == c.Address && d.Inferred == c.Inferred {
			return i, c, outranks(&c, d)
		}
	}
	return -1, c, true
}

// outranks reports whether act c decides where c and d both apply.
func outranks(c, d *Consent) bool {
	switch {
	case c.Inferred != d.Inferred:
		return d.Inferred
	case c.Inferred:
		return !c.Granted && d.Granted || c.Granted == d.Granted && c.At.After(d.At)
	case !c.At.Equal(d.At):
		return c.At.After(d.At)
	}
	return !c.Granted
}

// Consented reports whether the customer has agreed to messages for a purpose on
// a channel from a brand, as of a time; detail says why not.
// Of the acts that cover them and are not over, the latest explicit one decides.
// An act for a single address counts for its whole channel, because the message
// does not say yet which address it will take; [Facts.Consent] can be finer.
func (r Row) Consented(purpose, channel, brand string, at time.Time) (ok bool, detail string) {
	return r.consented(purpose, channel, brand, at)
}

func (r *Row) consented(purpose, channel, brand string, at time.Time) (ok bool, detail string) {
	var best *Consent
	for i := range r.Consents {
		c := &r.Consents[i]
		switch {
		case c.Purpose != purpose,
			c.Channel != "" && c.Channel != channel,
			c.Brand != "" && c.Brand != brand,
			c.At.After(at):
			continue
		}
		if !c.ExpiresAt.IsZero() && !at.Before(c.ExpiresAt) {
			if best == nil {
				detail = "over since " + c.ExpiresAt.Format(time.DateOnly)
			}
			continue
		}
		if best == nil || outranks(c, best) {
			best = c
		}
	}
	switch {
	case best == nil && detail == "":
		return false, "never given for " + purpose
	case best == nil:
		return false, detail
	case !best.Granted:
		return false, "withdrawn " + best.At.Format(time.DateOnly)
	}
	return true, ""
}

// WithCredit records a grant of message credits. A grant whose ID is known
// changes nothing.
func (r Row) WithCredit(c Credit) Row {
	if c.Count < 1 || slices.ContainsFunc(r.Credits, func(d Credit) bool { return d.ID == c.ID }) {
		return r
	}
	r.Credits = append(slices.Clip(r.Credits), c)
	return r
}

// credit finds the credit that a message would use: the one that is over first,
// then the narrower one, then the older grant. It returns −1 for none.
func (r *Row) credit(m *Message, channel string, at time.Time) int {
	best := -1
	for i := range r.Credits {
		c := &r.Credits[i]
		if c.Channel != channel || c.Used >= c.Count ||
			c.Template != "" && c.Template != m.Template || c.Brand != "" && c.Brand != m.Brand ||
			!c.ExpiresAt.IsZero() && !at.Before(c.ExpiresAt) {
			continue
		}
		if best < 0 || soonerOver(c, &r.Credits[best]) {
			best = i
		}
	}
	return best
}

func soonerOver(c, d *Credit) bool {
	switch {
	case !c.ExpiresAt.Equal(d.ExpiresAt):
		return d.ExpiresAt.IsZero() || !c.ExpiresAt.IsZero() && c.ExpiresAt.Before(d.ExpiresAt)
	case (c.Template == "") != (d.Template == ""):
		return c.Template != ""
	}
	return c.Brand != "" && d.Brand == ""
}

// WithReply records that the customer wrote on a channel, which opens its reply
// window. An older message than the one known changes nothing.
func (r Row) WithReply(channel, brand string, at time.Time) Row {
	reply := Reply{channel, brand, at.Truncate(time.Microsecond)}
	i := slices.IndexFunc(r.Replies, func(o Reply) bool { return o.Channel == channel && o.Brand == brand })
	switch {
	case i < 0:
		r.Replies = append(slices.Clip(r.Replies), reply)
	case reply.At.After(r.Replies[i].At):
		r.Replies = slices.Clone(r.Replies)
		r.Replies[i] = reply
	}
	return r
}

// WithFollow records that the customer follows a brand's account or left it.
// An older act than the one known changes nothing.
func (r Row) WithFollow(channel, brand string, following bool, at time.Time) Row {
	f := Follow{channel, brand, following, at.Truncate(time.Microsecond)}
	i := slices.IndexFunc(r.Follows, func(o Follow) bool { return o.Channel == channel && o.Brand == brand })
	switch {
	case i < 0:
		r.Follows = append(slices.Clip(r.Follows), f)
	case f.At.After(r.Follows[i].At):
		r.Follows = slices.Clone(r.Follows)
		r.Follows[i] = f
	}
	return r
}

// Result is how a reserved message ended.
type Result uint8

// The results. What is uncertain stays reserved: it is not settled.
const (
	Confirmed Result = iota + 1 // the channel took it
	Rejected                    // the channel did not take it
)

// Settle ends the reservation of the message with this key: a confirmed one
// counts for good, a rejected one gives back its place and its credit. A key
// that is not held changes nothing.
func (r Row) Settle(key string, result Result) Row {
	i := r.held(key)
	if i < 0 {
		return r
	}
	r.Sent = slices.Clone(r.Sent)
	if result != Confirmed && r.Sent[i].Credit != "" {
		r.Credits = slices.Clone(r.Credits)
	}
	r.settle(i, result)
	return r
}

// held finds the message with this key that is reserved, −1 for none.
func (r *Row) held(key string) int {
	for i := range r.Sent {
		if s := &r.Sent[i]; s.Held && s.Key == key {
			return i
		}
	}
	return -1
}

// settle is Settle of the i-th message, in place.
func (r *Row) settle(i int, result Result) {
	sent := &r.Sent[i]
	if result == Confirmed && !sent.Uncounted {
		sent.Held = false
		return
	}
	if result != Confirmed && sent.Credit != "" {
		if j := slices.IndexFunc(r.Credits, func(c Credit) bool { return c.ID == sent.Credit }); j >= 0 {
			r.Credits[j].Used--
		}
	}
	r.Sent = slices.Delete(r.Sent, i, i+1)
}

// Merge is the row of a customer who turned out to be two: acts, credits and
// messages of both. The zone is r's unless it has none; restriction of one
// restricts both.
func (r Row) Merge(o Row) Row {
	if r.Zone == "" {
		r.Zone = o.Zone
	}
	r.Restricted = r.Restricted || o.Restricted
	for _, c := range o.Consents {
		r = r.WithConsent(c.ConsentAct, c.At)
	}
	for _, c := range o.Credits {
		if i := slices.IndexFunc(r.Credits, func(d Credit) bool { return d.ID == c.ID }); i >= 0 && c.Used > r.Credits[i].Used {
			r.Credits = slices.Clone(r.Credits)
			r.Credits[i].Used = c.Used
		}
		r = r.WithCredit(c)
	}
	for _, p := range o.Replies {
		r = r.WithReply(p.Channel, p.Brand, p.At)
	}
	for _, f := range o.Follows {
		r = r.WithFollow(f.Channel, f.Brand, f.Following, f.At)
	}
	r.Sent = slices.Clone(r.Sent)
	for _, s := range o.Sent {
		if !slices.ContainsFunc(r.Sent, func(t Sent) bool { return t.Key == s.Key }) {
			r.Sent = append(r.Sent, s)
		}
	}
	slices.SortStableFunc(r.Sent, func(a, b Sent) int { return a.At.Compare(b.At) })
	return r
}
