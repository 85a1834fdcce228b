package journeytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// ExpectSent expects that a message went out on a channel and was confirmed, with
// at least these variables; pairs as for [Customer.Does]. Each expectation
// meets one message of its own.
func (s *Scenario) ExpectSent(c *Customer, channel, template string, variables ...any) *Scenario {
	s.t.Helper()
	want, err := values(variables)
	s.must(err)
	what := fmt.Sprintf("%s to be sent on %s%s", template, channel, described(want))
	return s.expect(c, what, func(r *journey.Record) string {
		switch {
		case r.EffectKind != journey.MessageEffect || r.State != journey.Confirmed:
			return unless(r, journey.MessageEffect, template, "that is not sent")
		case r.Name != template:
			return "that is " + r.Name
		case r.Decision.Channel != channel:
			return "that is on " + r.Decision.Channel
		}
		return differing(want, r.Args)
	})
}

// unless tells of what was wanted and came to something else.
func unless(r *journey.Record, kind journey.EffectKind, name, why string) string {
	if r.EffectKind != kind || r.Name != name || r.State == journey.Pending && r.Decision.Verdict == 0 {
		return notIt
	}
	return why
}

// ExpectDone expects that an action was carried out and confirmed, with at least
// these arguments.
func (s *Scenario) ExpectDone(c *Customer, kind journey.EffectKind, name string, args ...any) *Scenario {
	s.t.Helper()
	want, err := values(args)
	s.must(err)
	what := fmt.Sprintf("%s %s to be done%s", kind, name, described(want))
	return s.expect(c, what, func(r *journey.Record) string {
		switch {
		case r.EffectKind != kind || r.State != journey.Confirmed:
			return unless(r, kind, name, "that is not done")
		case r.Name != name:
			return "that is " + r.Name
		}
		return differing(want, r.Args)
	})
}

// ExpectDeferred expects that a message for a channel was put off for a reason to
// a local time.
func (s *Scenario) ExpectDeferred(c *Customer, channel string, reason contact.Reason, until string) *Scenario {
	s.t.Helper()
	at := s.parse(until)
	what := fmt.Sprintf("a message on %s to be deferred to %s: %s", channel, until, reason)
	return s.expect(c, what, func(r *journey.Record) string {
		d := r.Decision
		switch {
		case r.State != journey.Pending || d.Verdict != contact.Defer:
			return notIt
		case d.Channel != channel:
			return "that is on " + d.Channel
		case d.Reason != reason:
			return "that is because of " + string(d.Reason)
		case !d.Until.Equal(at):
			return "that is to " + s.local(d.Until)
		}
		return ""
	})
}

// ExpectDropped expects that a message was given up for a reason.
func (s *Scenario) ExpectDropped(c *Customer, reason contact.Reason) *Scenario {
	s.t.Helper()
	return s.expect(c, fmt.Sprintf("a message to be dropped: %s", reason), func(r *journey.Record) string {
		switch {
		case r.State != journey.Suppressed || r.Decision.Verdict != contact.Suppress:
			return notIt
		case r.Decision.Reason != reason:
			return "that is because of " + string(r.Decision.Reason)
		}
		return ""
	})
}

// ExpectNothing expects that nothing was planned, sent, deferred, dropped or done
// since the clock was last moved, but for what other expectations have met and
// what led there.
func (s *Scenario) ExpectNothing(c *Customer) *Scenario {
	s.t.Helper()
	records, err := s.world.records(c.id)
	s.must(err)
	met := map[string]int{} // by effect: the last record that an expectation has met
	for i := range records {
		if s.world.claimed[claim{c.id, i}] {
			met[records[i].Effect] = i + 1
		}
	}
	for i := range records {
		r := &records[i]
		if r.Kind == journey.EffectRecord && r.At.After(s.world.before) && i >= met[r.Effect] {
			s.fail(c, "nothing to happen", fmt.Sprintf("%s: %s", s.local(r.At), r))
			return s
		}
	}
	return s
}

// ExpectState expects that an instance of the customer stands in a state.
func (s *Scenario) ExpectState(c *Customer, state string) *Scenario {
	s.t.Helper()
	return s.expectInstance(c, "to be in "+state, func(in *journey.Instance) bool {
		return in.Status == journey.Active && in.State == state
	})
}

// ExpectEnded expects that an instance of the customer has ended: in that final
// state, goal or exit.
func (s *Scenario) ExpectEnded(c *Customer, outcome string) *Scenario {
	s.t.Helper()
	return s.expectInstance(c, "to have ended with "+outcome, func(in *journey.Instance) bool {
		return in.Status == journey.Ended && in.Outcome == outcome
	})
}

// ExpectNotStarted expects that the customer never was in a journey.
func (s *Scenario) ExpectNotStarted(c *Customer) *Scenario {
	s.t.Helper()
	instances, err := s.world.instances(c.id)
	s.must(err)
	if len(instances) > 0 {
		s.fail(c, "no journey to be started", "")
	}
	return s
}

func (s *Scenario) expectInstance(c *Customer, what string, fits func(*journey.Instance) bool) *Scenario {
	s.t.Helper()
	instances, err := s.world.instances(c.id)
	s.must(err)
	var seen []string
	for i := range instances {
		in := &instances[i]
		if fits(in) {
			return s
		}
		if in.Status == journey.Ended {
			seen = append(seen, fmt.Sprintf("%s ended with %s", in.Journey, in.Outcome))
		} else {
			seen = append(seen, fmt.Sprintf("%s is in %s", in.Journey, in.State))
		}
	}
	s.fail(c, what, strings.Join(seen, "; "))
	return s
}

// notIt is the answer of a matcher to a record of another sort.
const notIt = "another sort"

// expect looks for a record that no expectation has met yet; match says what is
// wrong with a record, "" for nothing.
func (s *Scenario) expect(c *Customer, what string, match func(*journey.Record) string) *Scenario {
	s.t.Helper()
	w := s.world
	records, err := w.records(c.id)
	s.must(err)
	var near []string
	for i := range records {
		r := &records[i]
		if r.Kind != journey.EffectRecord {
			continue
		}
		wrong := match(r)
		inTime := r.At.Equal(w.now) || w.within && r.At.After(w.before)
		switch {
		case wrong == notIt:
		case wrong == "" && inTime && !w.claimed[claim{c.id, i}]:
			w.claimed[claim{c.id, i}] = true
			return s
		case wrong == "" && inTime:
			near = append(near, fmt.Sprintf("%s %s: another expectation has met that one", s.local(r.At), r))
		case wrong == "" && !w.claimed[claim{c.id, i}]:
			near = append(near, fmt.Sprintf("%s %s: not at this time", s.local(r.At), r))
		case wrong != "" && inTime:
			near = append(near, fmt.Sprintf("%s %s: %s", s.local(r.At), r, wrong))
		}
	}
	s.fail(c, what, strings.Join(near, "\n    "))
	return s
}

// fail prints what was expected, what came near and the whole timeline.
func (s *Scenario) fail(c *Customer, what, near string) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "at %s expected %s: %s", s.local(s.world.now), c.id, what)
	if near != "" {
		b.WriteString("\n  but\n    " + near)
	}
	b.WriteString("\n  timeline of " + string(c.id))
	timeline := strings.TrimRight(s.Timeline(c), "\n")
	if timeline == "" {
		timeline = "(nothing has happened)"
	}
	b.WriteString("\n    " + strings.ReplaceAll(timeline, "\n", "\n    "))
	for _, x := range s.world.unheard[c.id] {
		fmt.Fprintf(&b, "\n  at %s no journey took %s", s.local(x.Time), x.Name)
		if len(x.Props) == 0 {
			b.WriteString(", which has no properties")
		} else {
			b.WriteString(described(x.Props))
		}
	}
	instances, err := s.world.instances(c.id)
	s.must(err)
	for i := range instances {
		in := &instances[i]
		if in.Open() {
			fmt.Fprintf(&b, "\n  %s is in %s", in.Journey, in.State)
			if !in.Due.IsZero() {
				b.WriteString(" until " + s.local(in.Due))
			}
		}
	}
	s.t.Errorf("%s", b.String())
}

// differing says which of the wanted values is missing or another.
func differing(want, got profile.Values) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			return fmt.Sprintf("%s is %q, not %q", name, got[name], want[name])
		}
	}
	return ""
}

func described(v profile.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		parts = append(parts, name+" "+v[name].String())
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
