package journey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// SimulatedMessage is a message that would have gone out.
type SimulatedMessage struct {
	Customer profile.ID
	Journey  string
	Template string
	Channel  string
	// At is when, Cost what the policy says it costs, in minor units.
	At   time.Time
	Cost int64
	// Followed is when the history first has, within the window after the message,
	// an input that a goal of the journey waits for; the zero time for never. It
	// is what followed, not what the message caused.
	Followed time.Time
}

// Simulated is the outcome of a simulation.
type Simulated struct {
	// Customers and Inputs are what the history held; members of scheduled audiences
	// are customers too.
	Customers, Inputs int
	// Journeys are the figures by journey.
	Journeys map[string]*SimulatedJourney
	// Messages are those that would have gone out, by customer and time.
	Messages []SimulatedMessage
}

// SimulatedJourney are the figures of one journey.
type SimulatedJourney struct {
	// Started counts instances, Ends how they ended, Open those that are not over.
	Started, Open int
	Ends          map[string]int
	// Sent counts confirmed messages, Followed those after which the history has
	// what they asked for, Cost is what they cost, in minor units.
	Sent, Followed int
	Cost           int64
	// Actions counts other confirmed effects, by kind and name.
	Actions map[string]int
	// Deferred counts deferrals, Dropped suppressed messages, by reason.
	Deferred, Dropped map[contact.Reason]int
}

// tally counts while customers are simulated.
type tally struct {
	s        *Simulator
	lot      []*happening         // the history of the customer at hand
	journeys []figures            // as Simulator.journeys
	messages [][]SimulatedMessage // in blocks
}

// figures are those of a journey; what is counted by name is few and counted in lists.
type figures struct {
	started, open, sent, followed int
	cost                          int64
	ends, deferred, dropped       counts
	actions                       counts // by kind and name
}

// counts are numbers by name.
type counts []struct {
	kind, name string
	n          int
}

func (c *counts) add(kind, name string) {
	for i := range *c {
		if k := &(*c)[i]; k.name == name && k.kind == kind {
			k.n++
			return
		}
	}
	*c = append(*c, struct {
		kind, name string
		n          int
	}{kind, name, 1})
}

func newTally(s *Simulator) *tally { return &tally{s: s, journeys: make([]figures, len(s.journeys))} }

func (t *tally) add(m SimulatedMessage) {
	last := len(t.messages) - 1
	if last < 0 || len(t.messages[last]) == blockSize {
		last++
		t.messages = append(t.messages, make([]SimulatedMessage, 0, blockSize))
	}
	t.messages[last] = append(t.messages[last], m)
}

// deferred counts a message that is put off.
func (t *tally) deferred(journey int, er *EffectRow) {
	t.journeys[journey].deferred.add("", string(er.Decision.Reason))
}

// finished counts an effect of an instance that is finished.
func (t *tally) finished(ctx context.Context, w *Walk, owner int, er *EffectRow) error {
	j := &t.journeys[w.of[owner]]
	switch {
	case er.Effect.Kind == ReturnEffect:
	case er.State == Suppressed:
		j.dropped.add("", string(er.Decision.Reason))
	case er.State == Confirmed && er.Effect.Kind != MessageEffect:
		j.actions.add(string(er.Effect.Kind), er.Effect.Name)
	case er.State == Confirmed:
		followed, err := t.follows(ctx, w, owner)
		if err != nil {
			return err
		}
		j.sent++
		j.cost += er.Decision.Cost
		if !followed.IsZero() {
			j.followed++
		}
		t.add(SimulatedMessage{
			Customer: er.Effect.Customer, Journey: er.Effect.Journey, Template: er.Effect.Name,
			Channel: er.Decision.Channel, At: w.now, Cost: er.Decision.Cost, Followed: followed,
		})
	}
	return nil
}

// follows is when the history has what the instance's journey wants, after now; the
// zero time for never.
func (t *tally) follows(ctx context.Context, w *Walk, owner int) (time.Time, error) {
	d, now := w.definition(owner), w.now.UnixMicro()
	until := w.now.Add(t.s.cfg.Window).UnixMicro()
	for i := range t.lot {
		p := t.lot[i]
		if p.time <= now || p.time > until {
			continue
		}
		for j := range d.ends {
			e := &d.ends[j]
			if !e.goal || e.trigger == nil || p.kind != InputKind(e.trigger.Kind) || p.name != e.trigger.Name {
				continue
			}
			x := p.input()
			if !d.speaks(&x) {
				continue
			}
			in := &w.instances[owner]
			if err := w.facts(ctx, d, d.Needs(in), &x, x.Time); err != nil {
				return time.Time{}, err
			}
			ok, err := e.fits(in, &x)
			if err != nil {
				return time.Time{}, err
			}
			if ok {
				return x.Time, nil
			}
		}
	}
	return time.Time{}, nil
}

// customer counts how the instances of a customer ended.
func (t *tally) customer(w *Walk) {
	for i := range w.instances {
		in := &w.instances[i]
		j := &t.journeys[w.of[i]]
		j.started++
		if in.Status == Ended {
			j.ends.add("", in.Outcome)
		} else {
			j.open++
		}
	}
}

// outcome is what was counted.
func (t *tally) outcome() Simulated {
	out := Simulated{Journeys: map[string]*SimulatedJourney{}, Messages: slices.Concat(t.messages...)}
	for i, d := range t.s.journeys {
		f := &t.journeys[i]
		j := &SimulatedJourney{
			Started: f.started, Open: f.open, Ends: map[string]int{}, Sent: f.sent, Followed: f.followed, Cost: f.cost,
			Actions: map[string]int{}, Deferred: map[contact.Reason]int{}, Dropped: map[contact.Reason]int{},
		}
		for _, c := range f.ends {
			j.Ends[c.name] = c.n
		}
		for _, c := range f.actions {
			j.Actions[c.kind+" "+c.name] = c.n
		}
		for _, c := range f.deferred {
			j.Deferred[contact.Reason(c.name)] = c.n
		}
		for _, c := range f.dropped {
			j.Dropped[contact.Reason(c.name)] = c.n
		}
		out.Journeys[d.Name()] = j
	}
	return out
}

// reached is to how many customers something would have been sent.
func (s Simulated) reached() int { return s.reachedBeside(Simulated{}) }

// reachedBeside is how many of them the other simulation does not reach.
func (s Simulated) reachedBeside(o Simulated) int {
	n := 0
	others := o.Messages
	for i, m := range s.Messages { // by customer, like the others
		if i > 0 && m.Customer == s.Messages[i-1].Customer {
			continue
		}
		for len(others) > 0 && others[0].Customer < m.Customer {
			others = others[1:]
		}
		if len(others) == 0 || others[0].Customer != m.Customer {
			n++
		}
	}
	return n
}

// String is the message in a line: "2026-11-09 09:00 UTC  cart to li by sms, cost 5;
// what it asked for came 3d later".
func (m SimulatedMessage) String() string {
	s := fmt.Sprintf("%s  %s to %s by %s, cost %s", m.At.Format("2006-01-02 15:04 MST"), m.Template, m.Customer, m.Channel, grouped(int(m.Cost)))
	if m.Followed.IsZero() {
		return s + "; nothing followed"
	}
	unit, later := time.Minute, m.Followed.Sub(m.At)
	if later >= 48*time.Hour {
		unit = 24 * time.Hour
	}
	return s + "; what it asked for came " + shortDuration(later.Round(unit)) + " later"
}

// String is the outcome for people.
func (s Simulated) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s customers, %s inputs", grouped(s.Customers), grouped(s.Inputs))
	for _, name := range slices.Sorted(maps.Keys(s.Journeys)) {
		b.WriteString("\n" + name + ": " + s.Journeys[name].String())
	}
	return b.String()
}

// String is the figures in a line.
func (j *SimulatedJourney) String() string {
	s := fmt.Sprintf("%s started, %s open", grouped(j.Started), grouped(j.Open))
	for _, name := range slices.Sorted(maps.Keys(j.Ends)) {
		s += fmt.Sprintf(", %s %s", grouped(j.Ends[name]), name)
	}
	s += fmt.Sprintf("; %s messages at a cost of %s, %s of them followed by the goal", grouped(j.Sent), grouped(int(j.Cost)), grouped(j.Followed))
	for _, name := range slices.Sorted(maps.Keys(j.Actions)) {
		s += fmt.Sprintf("; %s %s", grouped(j.Actions[name]), name)
	}
	for _, r := range slices.Sorted(maps.Keys(j.Deferred)) {
		s += fmt.Sprintf("; %s deferred: %s", grouped(j.Deferred[r]), r)
	}
	for _, r := range slices.Sorted(maps.Keys(j.Dropped)) {
		s += fmt.Sprintf("; %s dropped: %s", grouped(j.Dropped[r]), r)
	}
	return s
}
