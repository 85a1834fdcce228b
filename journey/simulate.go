package journey

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
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
	// Draws gives the branches of splits that a customer has drawn before, as
	// [Engine.Draws] reads them; nil is none. Who has drawn none draws by hash, as in
	// an engine.
	Draws func(context.Context, profile.ID) ([]Arm, error)
	// Audiences, Checks and Consent are those of [Config], Traits tell what the
	// customer's were. All are asked as of the instant that is simulated.
	Audiences map[string]Audience
	Checks    map[string]Check
	Traits    TraitsAt
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
	routes   map[listen]*route
	others   *route // of what is in no route; nil if nobody hears it
	retries  retries
}

// route is who hears an input; where nobody does there is none.
type route struct {
	starts []int // the journeys that it may start
}

func (s *Simulator) routeOf(l listen) *route {
	if r := s.routes[l]; r != nil {
		return r
	}
	return s.others
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
		cfg:     cfg, routes: map[listen]*route{}, retries: retries{8, time.Second},
	}
	byName := map[string]*Definition{}
	for _, src := range cfg.Journeys {
		d, err := src.Build()
		if err != nil {
			return nil, err
		}
		if byName[d.Name()] != nil {
			return nil, fmt.Errorf("%w: Journeys: %q is there twice", ErrConfig, d.Name())
		}
		byName[d.Name()] = d
	}
	for j, name := range slices.Sorted(maps.Keys(byName)) {
		d := byName[name]
		s.journeys = append(s.journeys, d)
		if d.watchful {
			s.others = &route{}
		}
		for l := range d.listens {
			if s.routes[l] == nil {
				s.routes[l] = &route{}
			}
			if d.starts[l] {
				s.routes[l].starts = append(s.routes[l].starts, j)
			}
		}
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

// Run simulates a history. Inputs may come in any order and more than once; they
// count as live, by the time of receipt where they have one. Schedules come round
// between From and Until, for those who are members then. The result depends on
// the history and the members alone.
//
// Cost: the inputs that some journey listens to are held in memory, those of
// schedules too, some 200 bytes each.
func (s *Simulator) Run(ctx context.Context, history iter.Seq2[Input, error]) (Simulated, error) {
	var h heard
	inputs := 0
	for x, err := range history {
		if err != nil {
			return Simulated{}, err
		}
		inputs++
		r := s.routeOf(listen{x.Kind, x.Name})
		if r == nil && len(x.Consents) == 0 {
			h.customer(x.Customer)
			continue
		}
		if err := h.add(&x, r); err != nil {
			return Simulated{}, err
		}
	}
	if err := s.ticks(ctx, &h); err != nil {
		return Simulated{}, err
	}
	h.sort()
	w := &Walk{s: s, play: &play{bare: s.cfg.Answer == nil}, tally: newTally(s)}
	for id, lot := h.next(); len(lot) > 0; id, lot = h.next() {
		if err := ctx.Err(); err != nil {
			return Simulated{}, err
		}
		w.tally.lot = lot
		if err := s.live(ctx, w, id); err != nil {
			return Simulated{}, err
		}
	}
	out := w.tally.outcome()
	out.Inputs, out.Customers = inputs, len(h.customers)
	return out, nil
}

// ticks adds what the schedules bring.
func (s *Simulator) ticks(ctx context.Context, h *heard) error {
	from := s.cfg.From
	if from.IsZero() {
		var ok bool
		if from, ok = h.first(); !ok {
			return nil
		}
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
					x := d.tick(sch, id, at)
					if err := h.add(&x, s.routeOf(listen{x.Kind, x.Name})); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// live simulates one customer.
func (s *Simulator) live(ctx context.Context, w *Walk, id profile.ID) error {
	t := w.tally
	w.reset(id, time.UnixMicro(t.lot[0].received))
	for i := range t.lot {
		x := t.lot[i].input()
		if !x.Received.Before(s.cfg.Until) {
			break
		}
		if err := w.hear(ctx, &x, t.lot[i].route); err != nil {
			return err
		}
	}
	if err := w.Advance(ctx, s.cfg.Until); err != nil {
		return err
	}
	t.customer(w)
	return nil
}
