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
	switch {
	case m.NeedMet:
		return suppress(NeedMet, "", nil), row
	case !m.NotAfter.IsZero() && !now.Before(m.NotAfter):
		return suppress(Expired, "", nil), row
	case len(m.Missing) > 0:
		return suppress(MissingVariable, strings.Join(m.Missing, ", "), nil), row
	case row.Restricted:
		return suppress(Restricted, "", nil), row
	case len(m.Channels) == 0:
		return suppress(NoChannel, "", nil), row
	}
	zone := f.Zone
	if zone == nil {
		zone = g.zone
	}
	exempt := g.exempt(m.Purpose)
	var passed []Refusal
	for _, channel := range m.Channels {
		if refusal, ok := g.permits(row, m, f, exempt, channel, now); !ok {
			passed = append(passed, refusal)
			continue
		}
		until, reason, detail := g.earliest(row, m, exempt, channel, zone, now)
		if until.After(now) {
			late := until.Sub(now) > g.maxDefer || !m.NotAfter.IsZero() && !until.Before(m.NotAfter)
			if !late {
				return Decision{Verdict: Defer, Channel: channel, Reason: reason, Detail: detail, Until: until, Passed: passed}, row
			}
			passed = append(passed, Refusal{channel, TooLate, string(reason) + " until " + until.Format("2006-01-02 15:04")})
			continue
		}
		d := Decision{Verdict: Allow, Channel: channel, Cost: g.policy.Channels[channel].Cost, Passed: passed}
		if len(passed) > 0 {
			d.Verdict, d.Reason, d.Detail, d.Passed = Fallback, passed[0].Reason, passed[0].Detail, passed[1:]
			d.Passed = slices.Clip(d.Passed)
		}
		return d, g.reserve(row, m, exempt, channel, now)
	}
	return suppress(passed[0].Reason, passed[0].Detail, passed[1:]), row
}

func suppress(r Reason, detail string, passed []Refusal) Decision {
	return Decision{Verdict: Suppress, Reason: r, Detail: detail, Passed: passed}
}

// permits asks whether the channel may be used at all.
func (g *Gate) permits(row Row, m Message, f Facts, exempt Exempt, channel string, now time.Time) (Refusal, bool) {
	if slices.Contains(m.Refused, channel) {
		return Refusal{channel, Refused, ""}, false
	}
	if !exempt.Consent {
		ok, detail := false, ""
		if f.Consent != nil {
			p := f.Consent[channel]
			ok, detail = p.Granted, p.Detail
		} else {
			ok, detail = row.Consented(m.Purpose, channel, m.Brand, now)
		}
		if !ok {
			return Refusal{channel, NoConsent, detail}, false
		}
	}
	c := g.policy.Channels[channel]
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

func (r Row) follows(channel, brand string) bool {
	return slices.ContainsFunc(r.Follows, func(f Follow) bool {
		return f.Channel == channel && f.Following && (f.Brand == brand || f.Brand == "")
	})
}

func (r Row) windowOpen(channel, brand string, window time.Duration, now time.Time) bool {
	return slices.ContainsFunc(r.Replies, func(p Reply) bool {
		return p.Channel == channel && (p.Brand == brand || p.Brand == "") && now.Sub(p.At) < window
	})
}

// earliest is the first instant from now on at which neither the moment nor a
// cap stands against the message, with the first thing that does now.
func (g *Gate) earliest(row Row, m Message, exempt Exempt, channel string, zone *time.Location, now time.Time) (at time.Time, reason Reason, detail string) {
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
func (g *Gate) obstacle(row Row, m Message, exempt Exempt, channel string, zone *time.Location, at time.Time) (time.Time, Reason, string) {
	if !exempt.Hours {
		minute := localtime.MinuteOf(at, zone)
		for _, q := range g.quiet {
			if binds(q.rule.Channels, channel) && q.holds(minute) {
				return localtime.Next(at, q.to, zone), QuietHours, q.rule.From + "–" + q.rule.To
			}
		}
		today := localtime.DateOf(at, zone)
		for _, b := range g.blackouts {
			if binds(b.rule.Channels, channel) && (b.rule.Brand == "" || b.rule.Brand == m.Brand) &&
				b.from.Compare(today) <= 0 && today.Compare(b.to) <= 0 {
				return b.to.Plus(1).At(0, zone), Blackout, b.rule.Name
			}
		}
	}
	if !exempt.Caps {
		for _, c := range g.policy.Caps {
			if next, ok := c.frees(row.Sent, m, channel, zone, at); !ok {
				return next, Capped, c.String()
			}
		}
	}
	return time.Time{}, "", ""
}

func binds(channels []string, channel string) bool {
	return len(channels) == 0 || slices.Contains(channels, channel)
}

func (q quiet) holds(minute int) bool {
	if q.from < q.to {
		return q.from <= minute && minute < q.to
	}
	return minute >= q.from || minute < q.to
}

// frees reports whether the cap leaves room at an instant, or else when it will.
func (c Cap) frees(sent []Sent, m Message, channel string, zone *time.Location, at time.Time) (time.Time, bool) {
	if c.Channel != "" && c.Channel != channel || c.Category != "" && c.Category != m.Category ||
		c.Purpose != "" && c.Purpose != m.Purpose || c.Brand != "" && c.Brand != m.Brand {
		return time.Time{}, true
	}
	var begin time.Time
	if c.Rolling > 0 {
		begin = at.Add(-c.Rolling)
	} else {
		begin = c.Calendar.start(at, zone).Add(-1)
	}
	left := c.Max
	for i := len(sent) - 1; i >= 0; i-- {
		s := sent[i]
		if s.Uncounted || !s.At.After(begin) || c.Channel != "" && c.Channel != s.Channel || c.Category != "" && c.Category != s.Category ||
			c.Purpose != "" && c.Purpose != s.Purpose || c.Brand != "" && c.Brand != s.Brand || c.PerBrand && s.Brand != m.Brand {
			continue
		}
		if left--; left == 0 {
			if c.Rolling > 0 {
				return s.At.Add(c.Rolling), false
			}
			return c.Calendar.end(at, zone), false
		}
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

// reserve counts the message and takes its credit.
func (g *Gate) reserve(row Row, m Message, exempt Exempt, channel string, now time.Time) Row {
	s := Sent{
		Key: m.Key, At: now, Held: true, Channel: channel,
		Category: m.Category, Purpose: m.Purpose, Brand: m.Brand, Uncounted: exempt.Caps,
	}
	c := g.policy.Channels[channel]
	open := c.ReplyWindow > 0 && row.windowOpen(channel, m.Brand, c.ReplyWindow, now)
	if c.NeedsCredit && !open {
		if i := row.credit(m, channel, now); i >= 0 {
			row.Credits = slices.Clone(row.Credits)
			row.Credits[i].Used++
			s.Credit = row.Credits[i].ID
		}
	}
	kept := make([]Sent, 0, len(row.Sent)+1)
	for _, old := range row.Sent {
		if old.Held || now.Sub(old.At) <= g.horizon {
			kept = append(kept, old)
		}
	}
	i := len(kept)
	for i > 0 && kept[i-1].At.After(now) { // the clock of another worker may be ahead
		i--
	}
	row.Sent = slices.Insert(kept, i, s)
	return row
}
