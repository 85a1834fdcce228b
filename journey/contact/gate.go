package contact

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// Message is one message that wants to go out.
type Message struct {
	// Key makes it unique; the reservation carries it.
	Key string
	// Template names the text.
	Template string
	// Purpose is what consent is asked for: "marketing", "service", [Transactional].
	Purpose string
	// Category is what caps may count: "cart", "welcome".
	Category string
	// Brand is the scope within a group; "" is the whole group.
	Brand string
	// Channels are the ways that it may take, the preferred one first.
	Channels []string
	// NotAfter is when it is no longer of use; the zero time is never.
	NotAfter time.Time
	// NeedMet is set when what the message asks for has happened.
	NeedMet bool
	// Missing names the variables of the template that have no value.
	Missing []string
	// Refused are the channels that refused it before.
	Refused []string
}

// Permission is an answer about consent from outside the row, such as the
// customer directory's.
type Permission struct {
	// Granted is true where the customer agrees.
	Granted bool
	// Detail says why not.
	Detail string
}

// Facts are what the decision takes from outside policy and row.
type Facts struct {
	// Zone is the customer's time zone; nil is the policy's.
	Zone *time.Location
	// Consent answers by channel in place of the row's consents; nil leaves it
	// to the row. A channel that is not in it is not consented to.
	Consent map[string]Permission
}

// Decide answers whether the message may go out now, and returns the row to
// store. The row differs from the one given only when the message goes out:
// then it holds the reservation. The arguments are not changed.
//
// Cost: linear in the row's entries; caps are counted by a walk over the
// messages sent within the longest cap.
func (g *Gate) Decide(row Row, m Message, f Facts, now time.Time) (Decision, Row) {
	d := g.decide(&row, &m, &f, now)
	if d.Sends() {
		row.Sent = append(make([]Sent, 0, len(row.Sent)+1), row.Sent...)
		if g.channel(d.Channel).NeedsCredit {
			row.Credits = slices.Clone(row.Credits)
		}
		g.reserve(&row, &m, d.Channel, now)
	}
	return d, row
}

// decide changes nothing: who is told that the message goes out reserves it.
func (g *Gate) decide(row *Row, m *Message, f *Facts, now time.Time) Decision {
	switch {
	case m.NeedMet:
		return Decision{Verdict: Suppress, Reason: NeedMet}
	case !m.NotAfter.IsZero() && !now.Before(m.NotAfter):
		return Decision{Verdict: Suppress, Reason: Expired}
	case len(m.Missing) > 0:
		return Decision{Verdict: Suppress, Reason: MissingVariable, Detail: strings.Join(m.Missing, ", ")}
	case row.Restricted:
		return Decision{Verdict: Suppress, Reason: Restricted}
	case len(m.Channels) == 0:
		return Decision{Verdict: Suppress, Reason: NoChannel}
	}
	zone := f.Zone
	if zone == nil {
		zone = g.zone
	}
	exempt := g.exempt(m.Purpose)
	var first Refusal // and the further ones
	further := []Refusal{}
	refused := func(r Refusal) {
		if first.Reason == "" {
			first = r
		} else {
			further = append(further, r)
		}
	}
	for _, channel := range m.Channels {
		c := g.channel(channel)
		if refusal, ok := g.permits(row, m, f, c, exempt, channel, now); !ok {
			refused(refusal)
			continue
		}
		until, reason, detail := g.earliest(row, m, exempt, channel, zone, now)
		if until.After(now) {
			if late := until.Sub(now) > g.maxDefer || !m.NotAfter.IsZero() && !until.Before(m.NotAfter); late {
				refused(Refusal{channel, TooLate, string(reason) + " until " + until.Format("2006-01-02 15:04")})
				continue
			}
			d := Decision{Verdict: Defer, Channel: channel, Reason: reason, Detail: detail, Until: until}
			if first.Reason != "" {
				d.Passed = append([]Refusal{first}, further...)
			}
			return d
		}
		if first.Reason != "" {
			return Decision{Verdict: Fallback, Channel: channel, Cost: c.Cost, Reason: first.Reason, Detail: first.Detail, Passed: slices.Clip(further)}
		}
		return Decision{Verdict: Allow, Channel: channel, Cost: c.Cost}
	}
	return Decision{Verdict: Suppress, Reason: first.Reason, Detail: first.Detail, Passed: further}
}

// permits asks whether the channel may be used at all.
func (g *Gate) permits(row *Row, m *Message, f *Facts, c *Channel, exempt Exempt, channel string, now time.Time) (Refusal, bool) {
	if slices.Contains(m.Refused, channel) {
		return Refusal{channel, Refused, ""}, false
	}
	if !exempt.Consent {
		ok, detail := false, ""
		if f.Consent != nil {
			p := f.Consent[channel]
			ok, detail = p.Granted, p.Detail
		} else {
			ok, detail = row.consented(m.Purpose, channel, m.Brand, now)
		}
		if !ok {
			return Refusal{channel, NoConsent, detail}, false
		}
	}
	if c.NeedsFollow && !row.follows(channel, m.Brand) {
		return Refusal{channel, NotFollowing, ""}, false
	}
	open := c.ReplyWindow > 0 && row.windowOpen(channel, m.Brand, c.ReplyWindow, now)
	switch {
	case open:
	case c.NeedsCredit && row.credit(m, channel, now) < 0:
		return Refusal{channel, NoCredit, ""}, false
	case c.ReplyWindow > 0 && !c.NeedsCredit:
		return Refusal{channel, WindowClosed, ""}, false
	}
	return Refusal{}, true
}

func (r *Row) follows(channel, brand string) bool {
	return slices.ContainsFunc(r.Follows, func(f Follow) bool {
		return f.Channel == channel && f.Following && (f.Brand == brand || f.Brand == "")
	})
}

func (r *Row) windowOpen(channel, brand string, window time.Duration, now time.Time) bool {
	return slices.ContainsFunc(r.Replies, func(p Reply) bool {
		return p.Channel == channel && (p.Brand == brand || p.Brand == "") && now.Sub(p.At) < window
	})
}

// earliest is the first instant from now on at which neither the moment nor a
// cap stands against the message, with the first thing that does now.
func (g *Gate) earliest(row *Row, m *Message, exempt Exempt, channel string, zone *time.Location, now time.Time) (at time.Time, reason Reason, detail string) {
	at = now
	limit := now.Add(g.maxDefer)
	for {
		next, r, d := g.obstacle(row, m, exempt, channel, zone, at)
		if r == "" {
			return at, reason, detail
		}
		if reason == "" {
			reason, detail = r, d
		}
		at = next
		if at.After(limit) {
			return at, reason, detail
		}
	}
}

// obstacle is what stands against the message at one instant, and when that is over.
func (g *Gate) obstacle(row *Row, m *Message, exempt Exempt, channel string, zone *time.Location, at time.Time) (time.Time, Reason, string) {
	if !exempt.Hours && len(g.quiet) > 0 {
		minute := localtime.MinuteOf(at, zone)
		for i := range g.quiet {
			if q := &g.quiet[i]; q.holds(minute) && binds(q.rule.Channels, channel) {
				return localtime.Next(at, q.to, zone), QuietHours, q.words
			}
		}
	}
	if !exempt.Hours && len(g.blackouts) > 0 {
		today := localtime.DateOf(at, zone)
		for i := range g.blackouts {
			if b := &g.blackouts[i]; b.holds(today) && binds(b.rule.Channels, channel) && (b.rule.Brand == "" || b.rule.Brand == m.Brand) {
				return b.to.Plus(1).At(0, zone), Blackout, b.rule.Name
			}
		}
	}
	if !exempt.Caps {
		for i := range g.caps {
			c := &g.caps[i]
			if next, ok := c.frees(row.Sent, m, channel, zone, at); !ok {
				return next, Capped, c.words
			}
		}
	}
	return time.Time{}, "", ""
}

func binds(channels []string, channel string) bool {
	return len(channels) == 0 || slices.Contains(channels, channel)
}

func (q *quiet) holds(minute int) bool {
	if q.from < q.to {
		return q.from <= minute && minute < q.to
	}
	return minute >= q.from || minute < q.to
}

func (b *blackout) holds(day localtime.Date) bool {
	return b.from.Compare(day) <= 0 && day.Compare(b.to) <= 0
}

// limit is a cap ready for use.
type limit struct {
	Cap
	span  time.Duration // no message that is older counts
	words string
}

// frees reports whether the cap leaves room at an instant, or else when it will.
func (c *limit) frees(sent []Sent, m *Message, channel string, zone *time.Location, at time.Time) (time.Time, bool) {
	if len(sent) < c.Max || c.Channel != "" && c.Channel != channel || c.Category != "" && c.Category != m.Category ||
		c.Purpose != "" && c.Purpose != m.Purpose || c.Brand != "" && c.Brand != m.Brand {
		return time.Time{}, true
	}
	// Where the calendar's period begins is asked only if enough messages may lie in it.
	begin := at.Add(-c.span)
	calendar := c.Rolling == 0
	left := c.Max
	for i := len(sent) - 1; i >= 0; i-- {
		s := &sent[i]
		if s.Uncounted || !s.At.After(begin) || c.Channel != "" && c.Channel != s.Channel || c.Category != "" && c.Category != s.Category ||
			c.Purpose != "" && c.Purpose != s.Purpose || c.Brand != "" && c.Brand != s.Brand || c.PerBrand && s.Brand != m.Brand {
			continue
		}
		if left--; left > 0 {
			continue
		}
		if c.Rolling > 0 {
			return s.At.Add(c.Rolling), false
		}
		if !calendar {
			return c.Calendar.end(at, zone), false
		}
		calendar = false
		begin, left, i = c.Calendar.start(at, zone).Add(-1), c.Max, len(sent)
	}
	return time.Time{}, true
}

// String says what the cap allows: "2 a day on sms".
func (c Cap) String() string {
	s := fmt.Sprintf("%d in %s", c.Max, c.Rolling)
	if c.Calendar != "" {
		s = fmt.Sprintf("%d a %s", c.Max, c.Calendar)
	}
	for _, part := range [...][2]string{{" on ", c.Channel}, {" of ", c.Category}, {" for ", c.Purpose}, {" from ", c.Brand}} {
		if part[1] != "" {
			s += part[0] + part[1]
		}
	}
	if c.PerBrand {
		s += " per brand"
	}
	return s
}

func (p Period) first(at time.Time, zone *time.Location) localtime.Date {
	d := localtime.DateOf(at, zone)
	switch p {
	case Week:
		sinceMonday := (int(d.Weekday()) + 6) % 7
		return d.Plus(-sinceMonday)
	case Month:
		return localtime.Date{Year: d.Year, Month: d.Month, Day: 1}
	}
	return d
}

func (p Period) start(at time.Time, zone *time.Location) time.Time {
	return p.first(at, zone).At(0, zone)
}

func (p Period) end(at time.Time, zone *time.Location) time.Time {
	d := p.first(at, zone)
	switch p {
	case Week:
		return d.Plus(7).At(0, zone)
	case Month:
		return d.AddMonths(1).At(0, zone)
	}
	return d.Plus(1).At(0, zone)
}

// reserve counts the message and takes its credit, in place.
func (g *Gate) reserve(row *Row, m *Message, channel string, now time.Time) {
	s := Sent{
		Key: m.Key, At: now, Held: true, Channel: channel,
		Category: m.Category, Purpose: m.Purpose, Brand: m.Brand, Uncounted: g.exempt(m.Purpose).Caps,
	}
	c := g.channel(channel)
	if c.NeedsCredit && (c.ReplyWindow == 0 || !row.windowOpen(channel, m.Brand, c.ReplyWindow, now)) {
		if i := row.credit(m, channel, now); i >= 0 {
			row.Credits[i].Used++
			s.Credit = row.Credits[i].ID
		}
	}
	for i := len(row.Sent) - 1; i >= 0; i-- {
		if old := &row.Sent[i]; !old.Held && now.Sub(old.At) > g.horizon {
			row.Sent = slices.Delete(row.Sent, i, i+1)
		}
	}
	i := len(row.Sent)
	for i > 0 && row.Sent[i-1].At.After(now) { // the clock of another worker may be ahead
		i--
	}
	row.Sent = slices.Insert(row.Sent, i, s)
}
