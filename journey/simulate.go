package journey

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Simulation drives journeys over history, stored or made up, in virtual time: a
// back-test of what would have been sent. Customers are independent of each
// other, so they are simulated one by one, in memory, without a store.
type Simulation struct {
	// Journeys are the definitions; one that starts another needs it here.
	Journeys []Source
	// Contact is the contact policy.
	Contact contact.Policy
	// From is when schedules begin to come round; the zero time is the first input.
	// Until is when the simulation ends.
	From, Until time.Time
	// Rows gives a customer's contact row at the beginning; nil is an empty one.
	// Consents in the inputs come on top.
	Rows func(profile.ID) contact.Row
	// Audiences, Checks, Traits and Consent are those of [Config]. Audiences are
	// asked as of the instant that is simulated.
	Audiences map[string]Audience
	Checks    map[string]Check
	Traits    Traits
	Consent   Consent
	Calendars map[string]Calendar
	// Members list audiences as of an instant, for schedules.
	Members map[string]Listing
	// Answer carries out effects; nil confirms them. All channels honor keys.
	Answer Handler
	// Window is how long after a message the history is searched for what it
	// asked for; 0 is 30 days.
	Window time.Duration
}

// Simulator is a [Simulation] ready to run. It is safe for concurrent use, but
// each [Walk] is for one goroutine.
type Simulator struct {
	*answers
	cfg      Simulation
	journeys []*Definition // sorted by name
	byName   map[string]*Definition
	listens  map[listen]bool
	watchful bool
	retries  retries
}

// NewSimulator checks the simulation. It fails with [ErrConfig], [ErrDefinition]
// or [ErrUnbound].
func NewSimulator(cfg Simulation) (*Simulator, error) {
	gate, err := contact.New(cfg.Contact)
	if err != nil {
		return nil, fmt.Errorf("%w: Contact: %w", ErrConfig, err)
	}
	if cfg.Window < 0 {
		return nil, fmt.Errorf("%w: Window: negative", ErrConfig)
	}
	if cfg.Window == 0 {
		cfg.Window = 30 * 24 * time.Hour
	}
	s := &Simulator{
		answers: &answers{gate: gate, audiences: cfg.Audiences, checks: cfg.Checks, traits: cfg.Traits, consent: cfg.Consent, calendars: cfg.Calendars},
		cfg:     cfg, byName: map[string]*Definition{}, listens: map[listen]bool{}, retries: retries{8, time.Second},
	}
	for _, src := range cfg.Journeys {
		d, err := src.Build()
		if err != nil {
			return nil, err
		}
		if s.byName[d.Name()] != nil {
			return nil, fmt.Errorf("%w: Journeys: %q is there twice", ErrConfig, d.Name())
		}
		s.byName[d.Name()] = d
		maps.Copy(s.listens, d.listens)
		s.watchful = s.watchful || d.watchful
	}
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		d := s.byName[name]
		s.journeys = append(s.journeys, d)
		u := d.Uses()
		for _, a := range u.Audiences {
			if cfg.Audiences[a] == nil {
				return nil, fmt.Errorf("%w: audience %q", ErrUnbound, a)
			}
		}
		for _, c := range u.Checks {
			if cfg.Checks[c] == nil {
				return nil, fmt.Errorf("%w: check %q", ErrUnbound, c)
			}
		}
		for _, c := range u.Calendars {
			if cfg.Calendars[c] == nil {
				return nil, fmt.Errorf("%w: calendar %q", ErrUnbound, c)
			}
		}
		for _, a := range u.Listed {
			if cfg.Members[a] == nil {
				return nil, fmt.Errorf("%w: members of %q", ErrUnbound, a)
			}
		}
	}
	return s, nil
}

func (s *Simulator) heard(l listen) bool { return s.watchful || s.listens[l] }

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

// Run simulates a history. Inputs may come in any order and more than once; they
// count as live, by the time of receipt where they have one. Schedules come round
// between From and Until, for those who are members then. The result depends on
// the history and the members alone.
//
// Cost: the inputs that some journey listens to are held in memory, those of
// schedules too.
func (s *Simulator) Run(ctx context.Context, history iter.Seq2[Input, error]) (Simulated, error) {
	byCustomer := map[profile.ID][]Input{}
	out := Simulated{Journeys: map[string]*SimulatedJourney{}}
	for _, d := range s.journeys {
		out.Journeys[d.Name()] = &SimulatedJourney{
			Ends: map[string]int{}, Actions: map[string]int{},
			Deferred: map[contact.Reason]int{}, Dropped: map[contact.Reason]int{},
		}
	}
	others := map[profile.ID]struct{}{} // of whom nothing is heard
	for x, err := range history {
		if err != nil {
			return Simulated{}, err
		}
		out.Inputs++
		if !s.heard(listen{x.Kind, x.Name}) && len(x.Consents) == 0 {
			others[x.Customer] = struct{}{}
			continue
		}
		if x.Received.IsZero() {
			x.Received = x.Time
		}
		x.Mode = profile.Live
		own := byCustomer[x.Customer]
		if own == nil {
			own = make([]Input, 0, 2)
		}
		byCustomer[x.Customer] = append(own, x)
	}
	if err := s.ticks(ctx, byCustomer); err != nil {
		return Simulated{}, err
	}
	out.Customers = len(byCustomer)
	for id := range others {
		if byCustomer[id] == nil {
			out.Customers++
		}
	}
	out.Messages = slices.Grow(out.Messages, 2*len(byCustomer))
	var inputs []Input
	actions := map[Binding]string{}
	w := s.Walk("", time.Time{})
	w.bare = s.cfg.Answer == nil
	w.sent = func(er *EffectRow, at time.Time) { s.tally(er, at, inputs, actions, &out) }
	w.put = func(er *EffectRow) { out.Journeys[er.Effect.Journey].Deferred[er.Decision.Reason]++ }
	for _, id := range slices.Sorted(maps.Keys(byCustomer)) {
		if err := ctx.Err(); err != nil {
			return Simulated{}, err
		}
		inputs = byCustomer[id]
		if len(inputs) > 1 {
			slices.SortStableFunc(inputs, func(a, b Input) int {
				return cmp.Or(a.Received.Compare(b.Received), a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
			})
		}
		inputs = slices.CompactFunc(inputs, func(a, b Input) bool { return a.ID != "" && a.ID == b.ID })
		w.reset(id, inputs[0].Received)
		if err := s.live(ctx, w, inputs, &out); err != nil {
			return Simulated{}, err
		}
	}
	return out, nil
}

// ticks adds what the schedules bring.
func (s *Simulator) ticks(ctx context.Context, byCustomer map[profile.ID][]Input) error {
	from := s.cfg.From
	if from.IsZero() {
		for _, inputs := range byCustomer {
			for i := range inputs {
				if at := inputs[i].Received; from.IsZero() || at.Before(from) {
					from = at
				}
			}
		}
	}
	if from.IsZero() {
		return nil
	}
	for _, d := range s.journeys {
		for i := range d.spec.Schedules {
			sch := &d.spec.Schedules[i]
			at, ok := sch.When.next(from.Add(-time.Microsecond), d.zone, s.calendars)
			for ; ok && at.Before(s.cfg.Until); at, ok = sch.When.next(at, d.zone, s.calendars) {
				for id, err := range s.cfg.Members[sch.Audience](ctx, at) {
					if err != nil {
						return fmt.Errorf("journey: members of %q: %w", sch.Audience, err)
					}
					byCustomer[id] = append(byCustomer[id], d.tick(sch, id, at))
				}
			}
		}
	}
	return nil
}

// live simulates one customer.
func (s *Simulator) live(ctx context.Context, w *Walk, inputs []Input, out *Simulated) error {
	for i := range inputs {
		if !inputs[i].Received.Before(s.cfg.Until) {
			break
		}
		if err := w.hear(ctx, &inputs[i]); err != nil {
			return err
		}
	}
	if err := w.Advance(ctx, s.cfg.Until); err != nil {
		return err
	}
	for i := range w.instances {
		in := &w.instances[i]
		j := out.Journeys[in.Journey]
		j.Started++
		if in.Status == Ended {
			j.Ends[in.Outcome]++
		} else {
			j.Open++
		}
	}
	return nil
}

// tally counts an effect that is finished; actions are the names of those counted.
func (s *Simulator) tally(er *EffectRow, at time.Time, inputs []Input, actions map[Binding]string, out *Simulated) {
	j := out.Journeys[er.Effect.Journey]
	switch {
	case er.Effect.Kind == ReturnEffect:
	case er.State == Suppressed:
		j.Dropped[er.Decision.Reason]++
	case er.State == Confirmed && er.Effect.Kind != MessageEffect:
		b := Binding{er.Effect.Kind, er.Effect.Name}
		if actions[b] == "" {
			actions[b] = string(b.Kind) + " " + b.Name
		}
		j.Actions[actions[b]]++
	case er.State == Confirmed:
		m := SimulatedMessage{
			Customer: er.Effect.Customer, Journey: er.Effect.Journey, Template: er.Effect.Name,
			Channel: er.Decision.Channel, At: at, Cost: er.Decision.Cost,
			Followed: s.followed(s.byName[er.Effect.Journey], at, inputs),
		}
		j.Sent++
		j.Cost += m.Cost
		if !m.Followed.IsZero() {
			j.Followed++
		}
		out.Messages = append(out.Messages, m)
	}
}

// followed is when the history has what the journey wants, after a time.
func (s *Simulator) followed(d *Definition, at time.Time, inputs []Input) time.Time {
	for i := range inputs {
		x := &inputs[i]
		if !x.Time.After(at) || x.Time.Sub(at) > s.cfg.Window {
			continue
		}
		for j := range d.ends {
			if t := d.ends[j].trigger; d.ends[j].goal && t != nil && x.Kind == InputKind(t.Kind) && x.Name == t.Name {
				return x.Time
			}
		}
	}
	return time.Time{}
}

// Comparison sets two simulations of the same history side by side.
type Comparison struct {
	A, B Simulated
	// OnlyA and OnlyB are messages that but one of them sends; Both counts those
	// to the same customer, of the same template and channel, at the same time.
	OnlyA, OnlyB []SimulatedMessage
	Both         int
}

// Compare runs two simulations over one history.
func Compare(ctx context.Context, a, b *Simulator, history iter.Seq2[Input, error]) (Comparison, error) {
	var kept []Input
	for x, err := range history {
		if err != nil {
			return Comparison{}, err
		}
		kept = append(kept, x)
	}
	replay := func(yield func(Input, error) bool) {
		for _, x := range kept {
			if !yield(x, nil) {
				return
			}
		}
	}
	var c Comparison
	var err error
	if c.A, err = a.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	if c.B, err = b.Run(ctx, replay); err != nil {
		return Comparison{}, err
	}
	key := func(m SimulatedMessage) SimulatedMessage {
		return SimulatedMessage{Customer: m.Customer, Template: m.Template, Channel: m.Channel, At: m.At}
	}
	inB := map[SimulatedMessage]int{}
	for _, m := range c.B.Messages {
		inB[key(m)]++
	}
	for _, m := range c.A.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.Both++
		} else {
			c.OnlyA = append(c.OnlyA, m)
		}
	}
	for _, m := range c.B.Messages {
		if inB[key(m)] > 0 {
			inB[key(m)]--
			c.OnlyB = append(c.OnlyB, m)
		}
	}
	return c, nil
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

// String says what changes from A to B, for people.
func (c Comparison) String() string {
	return fmt.Sprintf("A: %s\nB: %s\n%s messages in both, %s only in A, %s only in B",
		c.A, c.B, grouped(c.Both), grouped(len(c.OnlyA)), grouped(len(c.OnlyB)))
}
