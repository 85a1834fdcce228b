package journey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Config configures an [Engine]. The zero Config keeps everything in memory,
// uses time.Now, asks for consent before every message and knows no channel.
type Config struct {
	// Store keeps the state; nil is a new [Memory].
	Store Store
	// Now is the clock; nil is time.Now. Sweeps take their time as an argument.
	Now func() time.Time
	// Contact decides on messages; the zero Policy asks for consent only.
	Contact contact.Policy
	// Channels carry messages, by name.
	Channels map[string]Port
	// Actions carry out every other effect. A Binding without a name serves
	// every name of its kind that has no binding of its own.
	Actions map[Binding]Port
	// Audiences answer In, by name.
	Audiences map[string]Audience
	// Checks answer Func, by name: is it so for this customer at this time?
	Checks map[string]Check
	// Members list audiences by name, for schedules.
	Members map[string]Listing
	// Calendars are the user's own, by name, for schedules and dates.
	Calendars map[string]Calendar
	// Traits reads traits of a customer by name; nil has none. Those that the
	// customer lacks are left out.
	Traits Traits
	// Consent answers whether a message may use a channel, in place of the
	// consents on the contact row; nil leaves it to the row.
	Consent Consent
	// Resolve gives the present ID of a customer who may have been merged; nil
	// takes every ID as it is.
	Resolve func(ctx context.Context, id profile.ID) (profile.ID, error)
	// Lease is how long a claim and a call may take before another worker takes
	// over; 0 is one minute.
	Lease time.Duration
	// Poll is the longest that Run sleeps before it looks for work that other
	// engines have stored; 0 is one minute.
	Poll time.Duration
	// Batch is how many due rows are claimed at a time; 0 is 256.
	Batch int
	// Gather is how many customers may share one commit of [Engine.RunDue] and
	// [Engine.IngestBatch]; 0 is 256, 1 gives each customer a commit of their own.
	Gather int
	// MaxAttempts is how often a failing step or call is tried before it is
	// given up; 0 is 8.
	MaxAttempts int
	// Backoff is the wait after the first failure, doubled after each further
	// one up to 1,000 times, with a jitter of a quarter that is fixed by the key;
	// 0 is one second.
	Backoff time.Duration
}

// Binding names the effects that a handler carries out.
type Binding struct {
	Kind EffectKind
	Name string
}

// Port is where effects leave the engine.
type Port struct {
	// Handle carries out one effect. It should give up when the context ends.
	Handle Handler
	// HonorsKeys is set where a second call with the same key does nothing but
	// give the first result. Then an effect whose fate is uncertain is simply
	// asked again; otherwise it waits for Resolve.
	HonorsKeys bool
	// Timeout bounds a call; 0 is half of [Config].Lease. It must be less than
	// the lease.
	Timeout time.Duration
}

// Handler carries out one effect in the world and says how it went.
type Handler func(ctx context.Context, d Dispatch) Answer

// Dispatch is one call of a [Handler].
type Dispatch struct {
	// Key is the idempotency key: the same on every attempt, another one for
	// another channel.
	Key string
	// Effect is what to do.
	Effect Effect
	// Channel is the one chosen for a message.
	Channel string
	// Attempt counts the calls for this effect, from 1.
	Attempt int
	// Cost is what the contact policy says the message costs.
	Cost int64
	// At is the engine's time of the call.
	At time.Time
}

// Answer is how a call went. The zero Answer is Unclear.
type Answer struct {
	result answerKind
	detail string
	after  time.Duration
}

type answerKind uint8

const (
	answerUnclear answerKind = iota
	answerConfirmed
	answerRejected
	answerLater
)

// Confirm says that it was done; detail, such as the provider's number, goes
// into the history.
func Confirm(detail string) Answer { return Answer{result: answerConfirmed, detail: detail} }

// Reject says that it was surely not done and need not be tried again this
// way. A message then tries its next channel.
func Reject(detail string) Answer { return Answer{result: answerRejected, detail: detail} }

// Later says that it was surely not done, but may be tried again after a
// while; 0 is up to the backoff.
func Later(detail string, after time.Duration) Answer {
	return Answer{result: answerLater, detail: detail, after: after}
}

// Unclear says that it may have been done: the call broke off.
func Unclear(detail string) Answer { return Answer{result: answerUnclear, detail: detail} }

// Engine runs journeys on a store. It is safe for concurrent use, and several
// engines may share a store. It starts no goroutine of its own.
type Engine struct {
	*answers
	cfg     Config
	store   Store
	token   string
	retries retries
	woken   chan struct{} // tells Run of work stored by this engine
	within  bool          // on a store that after a conflict is of no more use

	mu      sync.RWMutex
	known   map[DefinitionKey]*Definition
	current map[string]*Definition
	order   []string  // names of current, sorted
	read    time.Time // when the definitions in the store were looked at
}

// New makes an engine. Errors match [ErrConfig] and name the field.
func New(cfg Config) (*Engine, error) {
	refuse := func(field, text string) (*Engine, error) {
		return nil, fmt.Errorf("%w: %s: %s", ErrConfig, field, text)
	}
	gate, err := contact.New(cfg.Contact)
	if err != nil {
		return nil, fmt.Errorf("%w: Contact: %w", ErrConfig, err)
	}
	if cfg.Store == nil {
		cfg.Store = NewMemory()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		def   time.Duration
	}{{"Lease", &cfg.Lease, time.Minute}, {"Poll", &cfg.Poll, time.Minute}, {"Backoff", &cfg.Backoff, time.Second}} {
		if *d.value < 0 {
			return refuse(d.field, "negative")
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	if cfg.Batch < 0 || cfg.Gather < 0 || cfg.MaxAttempts < 0 {
		return refuse("Batch, Gather or MaxAttempts", "negative")
	}
	if cfg.Batch == 0 {
		cfg.Batch = 256
	}
	if cfg.Gather == 0 {
		cfg.Gather = 256
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 8
	}
	ports := func(field string, p *Port) error {
		if p.Timeout == 0 {
			p.Timeout = cfg.Lease / 2
		}
		if p.Handle == nil || p.Timeout < 0 || p.Timeout >= cfg.Lease {
			return fmt.Errorf("%w: %s: no handler, or a timeout that is not below the lease", ErrConfig, field)
		}
		return nil
	}
	cfg.Channels, cfg.Actions = maps.Clone(cfg.Channels), maps.Clone(cfg.Actions)
	for name, p := range cfg.Channels {
		if err := ports("Channels["+name+"]", &p); err != nil {
			return nil, err
		}
		cfg.Channels[name] = p
	}
	for b, p := range cfg.Actions {
		if err := ports(fmt.Sprintf("Actions[%s %s]", b.Kind, b.Name), &p); err != nil {
			return nil, err
		}
		if !b.Kind.known() || b.Kind == MessageEffect || b.Kind == StartEffect {
			return refuse("Actions", fmt.Sprintf("kind %q takes no handler", b.Kind))
		}
		cfg.Actions[b] = p
	}
	for name, a := range cfg.Audiences {
		if a == nil {
			return refuse("Audiences", fmt.Sprintf("%q is nil", name))
		}
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("journey: worker token: %w", err)
	}
	return &Engine{
		answers: &answers{gate: gate, audiences: cfg.Audiences, checks: cfg.Checks, traits: cfg.Traits.present(), consent: cfg.Consent, calendars: cfg.Calendars},
		cfg:     cfg, store: cfg.Store, token: id.String(), woken: make(chan struct{}, 1),
		retries: retries{cfg.MaxAttempts, cfg.Backoff},
		known:   map[DefinitionKey]*Definition{}, current: map[string]*Definition{},
	}, nil
}

// commitTries bounds the repetitions of a commit that meets others.
const commitTries = 50

// bound checks that the engine knows every name in the definition.
func (e *Engine) bound(d *Definition) error {
	missing := map[string]bool{}
	u := d.Uses()
	for _, c := range u.Channels {
		if _, ok := e.cfg.Channels[c]; !ok {
			missing["channel "+c] = true
		}
	}
	for _, b := range u.Actions {
		if _, ok := e.port(b.Kind, b.Name); !ok {
			missing[string(b.Kind)+" "+b.Name] = true
		}
	}
	for _, name := range u.Journeys {
		if e.Definition(name) == nil && name != d.Name() {
			missing["journey "+name] = true
		}
	}
	for _, a := range u.Audiences {
		if e.cfg.Audiences[a] == nil {
			missing["audience "+a] = true
		}
	}
	for _, c := range u.Checks {
		if e.cfg.Checks[c] == nil {
			missing["check "+c] = true
		}
	}
	for _, a := range u.Listed {
		if e.cfg.Members[a] == nil {
			missing["members of "+a] = true
		}
	}
	for _, c := range u.Calendars {
		if e.cfg.Calendars[c] == nil {
			missing["calendar "+c] = true
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: journey %q needs %q", ErrUnbound, d.Name(), slices.Sorted(maps.Keys(missing)))
	}
	return nil
}

func (e *Engine) port(kind EffectKind, name string) (Port, bool) {
	if p, ok := e.cfg.Actions[Binding{kind, name}]; ok {
		return p, true
	}
	p, ok := e.cfg.Actions[Binding{Kind: kind}]
	return p, ok
}

func (e *Engine) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Microsecond) }

// wake tells Run that something may be due sooner than it thinks.
func (e *Engine) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}
