package journeytest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Scenario is a story about customers in virtual time. It is for one
// goroutine. Its methods stop the test at once on misuse; an expectation that is
// not met marks it failed and goes on.
type Scenario struct {
	t     testing.TB
	stage *stage
	world *world
}

// stage knows which world is being played, so that a customer acts in it.
type stage struct {
	playing  *Scenario
	people   map[profile.ID]*Customer
	coverage *Coverage
}

// localTime is how times are written in scenarios.
const localTime = "2006-01-02 15:04"

// New begins a story: a journey under a contact policy, at a local time such as
// "2026-11-10 20:30" in an IANA time zone, which is also that of the customers.
// Every channel and action confirms at once; see [Scenario.Answer].
func New(t testing.TB, src journey.Source, policy contact.Policy, start, zone string, options ...Option) *Scenario {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("journeytest: zone: %v", err)
	}
	at, err := time.ParseInLocation(localTime, start, loc)
	if err != nil {
		t.Fatalf("journeytest: %q is no time such as %q", start, localTime)
	}
	d, err := src.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	w := &world{
		plan:  &plan{journeys: []*journey.Definition{d}, policy: policy, zone: loc},
		store: journey.NewMemory(), now: at.UTC(), before: at.UTC(),
		traits: map[profile.ID]profile.Values{}, audiences: map[string]map[profile.ID]bool{},
		ports: map[string]func(journey.Dispatch) journey.Answer{}, claimed: map[claim]bool{}, unheard: map[profile.ID][]journey.Input{},
	}
	for _, o := range options {
		o(w)
	}
	if err := w.open(); err != nil {
		t.Fatalf("%v", err)
	}
	s := &Scenario{t: t, stage: &stage{people: map[profile.ID]*Customer{}}, world: w}
	s.stage.playing = s
	return s
}

// Option adds to the world of a story.
type Option func(*world)

// Calendar registers a calendar of the user's.
func Calendar(name string, c journey.Calendar) Option {
	return func(w *world) {
		if w.calendars == nil {
			w.calendars = map[string]journey.Calendar{}
		}
		w.calendars[name] = c
	}
}

// Also adds another journey, which customers run through at the same time.
func (s *Scenario) Also(src journey.Source) *Scenario {
	s.t.Helper()
	d, err := src.Build()
	s.must(err)
	p := *s.world.plan
	p.journeys = append(p.journeys[:len(p.journeys):len(p.journeys)], d)
	s.world.plan = &p
	s.must(s.world.open())
	return s
}

// Answer scripts what a channel, or the action of a name, answers from now on.
func (s *Scenario) Answer(name string, answer func(journey.Dispatch) journey.Answer) *Scenario {
	s.world.ports[name] = answer
	return s
}

func (s *Scenario) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v", err)
	}
}

// parse reads a local time.
func (s *Scenario) parse(local string) time.Time {
	s.t.Helper()
	at, err := time.ParseInLocation(localTime, local, s.world.plan.zone)
	if err != nil {
		s.t.Fatalf("journeytest: %q is no time such as %q", local, localTime)
	}
	return at.UTC()
}

// After moves the clock on. Expectations that follow are about that moment.
func (s *Scenario) After(d time.Duration) *Scenario {
	s.t.Helper()
	return s.move(s.world.now.Add(d), false)
}

// At moves the clock to a local time. Expectations that follow are about that moment.
func (s *Scenario) At(local string) *Scenario {
	s.t.Helper()
	return s.move(s.parse(local), false)
}

// Within moves the clock on. Expectations that follow are about the whole time
// since it stood before.
func (s *Scenario) Within(d time.Duration) *Scenario {
	s.t.Helper()
	return s.move(s.world.now.Add(d), true)
}

func (s *Scenario) move(to time.Time, within bool) *Scenario {
	s.t.Helper()
	if to.Before(s.world.now) {
		s.t.Fatalf("journeytest: it is %s already, %s has passed", s.local(s.world.now), s.local(to))
	}
	s.must(s.world.move(to))
	s.world.within = within
	return s
}

func (s *Scenario) local(at time.Time) string {
	return at.In(s.world.plan.zone).Format(localTime)
}

// Now is the time of the story.
func (s *Scenario) Now() time.Time { return s.world.now.In(s.world.plan.zone) }

// Branch plays what follows in a copy of the world, as a subtest; then the
// story goes on as if nothing had happened. Customers act in the innermost
// branch that is being played.
func (s *Scenario) Branch(name string, play func(s *Scenario)) *Scenario {
	s.t.Helper()
	run := func(t testing.TB) {
		t.Helper()
		w, err := s.world.fork()
		if err != nil {
			t.Fatalf("%v", err)
		}
		branch := &Scenario{t: t, stage: s.stage, world: w}
		before := s.stage.playing
		s.stage.playing = branch
		defer func() { s.stage.playing = before }()
		play(branch)
		branch.cover()
	}
	if t, ok := s.t.(*testing.T); ok {
		t.Run(name, func(t *testing.T) { run(t) })
	} else {
		run(s.t)
	}
	return s
}

// Customer is someone in the story, known to the engine by the name; the same
// name is the same customer.
func (s *Scenario) Customer(name string) *Customer {
	s.t.Helper()
	id := profile.ID(name)
	if c := s.stage.people[id]; c != nil {
		return c
	}
	c := &Customer{stage: s.stage, id: id}
	s.stage.people[id] = c
	return c.contact(func(r contact.Row) contact.Row {
		r.Zone = s.world.plan.zone.String()
		return r
	})
}

// Customer acts in the world that is being played.
type Customer struct {
	stage *stage
	id    profile.ID
	brand string
}

// ID is the customer's key.
func (c *Customer) ID() profile.ID { return c.id }

func (c *Customer) play() (*Scenario, *world) {
	s := c.stage.playing
	s.t.Helper()
	return s, s.world
}

func (c *Customer) contact(change func(contact.Row) contact.Row) *Customer {
	s, w := c.play()
	s.t.Helper()
	s.must(w.engine.UpdateContact(context.Background(), c.id, change))
	s.must(w.run())
	return c
}

// Brand sets the brand of what the customer does from here on.
func (c *Customer) Brand(brand string) *Customer { c.brand = brand; return c }

// Consent agrees to messages for a purpose on the channels, or on all of them
// where none is named.
func (c *Customer) Consent(purpose string, channels ...string) *Customer {
	return c.consents(purpose, channels, true)
}

// Withdraw takes consent back.
func (c *Customer) Withdraw(purpose string, channels ...string) *Customer {
	return c.consents(purpose, channels, false)
}

func (c *Customer) consents(purpose string, channels []string, granted bool) *Customer {
	s, w := c.play()
	s.t.Helper()
	if len(channels) == 0 {
		channels = []string{""}
	}
	return c.contact(func(r contact.Row) contact.Row {
		for _, ch := range channels {
			r = r.WithConsent(profile.ConsentAct{Purpose: purpose, Channel: ch, Brand: c.brand, Granted: granted}, w.now)
		}
		return r
	})
}

// Credit grants message credits on a channel, for one template or, with "", any.
func (c *Customer) Credit(channel, template string, count int) *Customer {
	s, w := c.play()
	s.t.Helper()
	w.inputs++
	id := fmt.Sprintf("credit-%d", w.inputs)
	return c.contact(func(r contact.Row) contact.Row {
		return r.WithCredit(contact.Credit{ID: id, Channel: channel, Template: template, Brand: c.brand, Count: count})
	})
}

// Follows records that the customer follows the account on a channel, or left it.
func (c *Customer) Follows(channel string, following bool) *Customer {
	s, w := c.play()
	s.t.Helper()
	return c.contact(func(r contact.Row) contact.Row { return r.WithFollow(channel, c.brand, following, w.now) })
}

// Replies records a message of the customer on a channel.
func (c *Customer) Replies(channel string) *Customer {
	s, w := c.play()
	s.t.Helper()
	return c.contact(func(r contact.Row) contact.Row { return r.WithReply(channel, c.brand, w.now) })
}

// Zone moves the customer to another time zone.
func (c *Customer) Zone(name string) *Customer {
	s, _ := c.play()
	s.t.Helper()
	return c.contact(func(r contact.Row) contact.Row { r.Zone = name; return r })
}

// Trait gives the customer a trait, and tells the engine of the change; values are as
// for Does.
func (c *Customer) Trait(name string, value any) *Customer {
	s, w := c.play()
	s.t.Helper()
	v, err := values([]any{name, value})
	s.must(err)
	if w.traits[c.id] == nil {
		w.traits[c.id] = profile.Values{}
	}
	w.traits[c.id][name] = v[name]
	s.must(w.engine.Apply(context.Background(), profile.Change{Kind: profile.TraitChanged, Profile: c.id, Names: []string{name}}))
	s.must(w.run())
	return c
}

// Does is an event of the customer, now. The properties are pairs of name and
// value: text, int, int64, bool, time.Time, []string for tags, or profile.Value.
func (c *Customer) Does(event string, properties ...any) *Customer {
	s, _ := c.play()
	s.t.Helper()
	return c.ingest(journey.Input{Kind: journey.EventInput, Name: event}, properties)
}

// Did is an event that happened at an earlier local time and arrives now.
func (c *Customer) Did(local, event string, properties ...any) *Customer {
	s, _ := c.play()
	s.t.Helper()
	return c.ingest(journey.Input{Kind: journey.EventInput, Name: event, Time: s.parse(local)}, properties)
}

// Backfilled is an event of an earlier local time that is loaded from history now.
func (c *Customer) Backfilled(local, event string, properties ...any) *Customer {
	s, _ := c.play()
	s.t.Helper()
	return c.ingest(journey.Input{Kind: journey.EventInput, Name: event, Time: s.parse(local), Mode: profile.Backfill}, properties)
}

// Called is a call of the program for the customer, now.
func (c *Customer) Called(name string, properties ...any) *Customer {
	s, _ := c.play()
	s.t.Helper()
	return c.ingest(journey.Input{Kind: journey.CallInput, Name: name}, properties)
}

// Enters makes the customer a member of an audience and reports it.
func (c *Customer) Enters(audience string) *Customer {
	s, _ := c.play()
	s.t.Helper()
	c.In(audience)
	return c.ingest(journey.Input{Kind: journey.EnteredInput, Name: audience}, nil)
}

// Leaves ends the membership of an audience and reports it.
func (c *Customer) Leaves(audience string) *Customer {
	s, w := c.play()
	s.t.Helper()
	delete(w.audiences[audience], c.id)
	return c.ingest(journey.Input{Kind: journey.LeftInput, Name: audience}, nil)
}

// In makes the customer a member of audiences without reporting it.
func (c *Customer) In(audiences ...string) *Customer {
	_, w := c.play()
	for _, a := range audiences {
		if w.audiences[a] == nil {
			w.audiences[a] = map[profile.ID]bool{}
		}
		w.audiences[a][c.id] = true
	}
	return c
}

// Passes makes registered checks answer yes for the customer.
func (c *Customer) Passes(checks ...string) *Customer {
	for _, check := range checks {
		c.In("check:" + check)
	}
	return c
}

func (c *Customer) ingest(x journey.Input, properties []any) *Customer {
	s, w := c.play()
	s.t.Helper()
	props, err := values(properties)
	s.must(err)
	x.Customer, x.Brand, x.Props = c.id, c.brand, props
	s.must(w.ingest(x))
	return c
}

// Timeline is the customer's history so far, a line per entry in local time.
func (s *Scenario) Timeline(c *Customer) string {
	s.t.Helper()
	records, err := s.world.records(c.id)
	s.must(err)
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%s  %s: %s\n", s.local(r.At), r.Journey, r)
	}
	return b.String()
}

// State is where the customer's latest open instance stands; "" where none is open.
func (s *Scenario) State(c *Customer) string {
	s.t.Helper()
	instances, err := s.world.instances(c.id)
	s.must(err)
	for i := len(instances) - 1; i >= 0; i-- {
		if instances[i].Open() {
			return instances[i].State
		}
	}
	return ""
}

// Sent lists what has gone out to the customer so far: every confirmed message.
func (s *Scenario) Sent(c *Customer) []journey.Record {
	s.t.Helper()
	records, err := s.world.records(c.id)
	s.must(err)
	var out []journey.Record
	for _, r := range records {
		if r.EffectKind == journey.MessageEffect && r.State == journey.Confirmed {
			out = append(out, r)
		}
	}
	return out
}
