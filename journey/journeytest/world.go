package journeytest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// world is everything that a branch copies.
type world struct {
	plan      *plan
	store     *journey.Memory
	engine    *journey.Engine
	now       time.Time
	before    time.Time // the clock before it was last moved
	within    bool      // expectations look at all since before
	inputs    int
	traits    map[profile.ID]profile.Values
	audiences map[string]map[profile.ID]bool
	ports     map[string]func(journey.Dispatch) journey.Answer
	calendars map[string]journey.Calendar
	claimed   map[claim]bool // records that an expectation has met
	// unheard are inputs that no journey took: they started and moved nothing.
	unheard map[profile.ID][]journey.Input
}

// claim is the n-th record of a customer.
type claim struct {
	customer profile.ID
	n        int
}

// plan is what all branches share.
type plan struct {
	journeys []*journey.Definition
	policy   contact.Policy
	zone     *time.Location
}

// open starts the engine of a world.
func (w *world) open() error {
	cfg := journey.Config{
		Store: w.store, Contact: w.plan.policy,
		Now:       func() time.Time { return w.now },
		Channels:  map[string]journey.Port{},
		Actions:   map[journey.Binding]journey.Port{},
		Audiences: map[string]journey.Audience{},
		Checks:    map[string]journey.Check{},
		Members:   map[string]journey.Listing{},
		Traits: func(_ context.Context, id profile.ID, names []string) (profile.Values, error) {
			out := profile.Values{}
			for _, n := range names {
				if v, ok := w.traits[id][n]; ok {
					out[n] = v
				}
			}
			return out, nil
		},
	}
	for _, k := range []journey.EffectKind{
		journey.CustomEffect, journey.AwardEffect, journey.VoucherEffect,
		journey.CaseEffect, journey.TraitEffect, journey.TaskEffect,
	} {
		cfg.Actions[journey.Binding{Kind: k}] = w.port("")
	}
	for _, d := range w.plan.journeys {
		u := d.Uses()
		for _, c := range u.Channels {
			cfg.Channels[c] = w.port(c)
		}
		for _, a := range u.Audiences {
			cfg.Audiences[a] = audience{w, a}
		}
		for _, a := range u.Listed {
			cfg.Members[a] = audience{w, a}.list
		}
		cfg.Calendars = w.calendars
		for _, c := range u.Checks {
			cfg.Checks[c] = func(_ context.Context, id profile.ID, _ time.Time) (bool, error) {
				return w.audiences["check:"+c][id], nil
			}
		}
	}
	var err error
	if w.engine, err = journey.New(cfg); err != nil {
		return err
	}
	for _, d := range w.plan.journeys {
		if err := w.engine.Deploy(context.Background(), d); err != nil {
			return err
		}
	}
	return nil
}

// port answers as scripted; without a script it confirms everything.
func (w *world) port(channel string) journey.Port {
	return journey.Port{HonorsKeys: true, Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
		name := channel
		if name == "" {
			name = d.Effect.Name
		}
		if answer := w.ports[name]; answer != nil {
			return answer(d)
		}
		return journey.Confirm("")
	}}
}

type audience struct {
	w    *world
	name string
}

func (a audience) ContainsAt(_ context.Context, id profile.ID, _ time.Time) (bool, error) {
	return a.w.audiences[a.name][id], nil
}

// list yields the members in order of their keys.
func (a audience) list(context.Context, time.Time) iter.Seq2[profile.ID, error] {
	members := slices.Sorted(maps.Keys(a.w.audiences[a.name]))
	return func(yield func(profile.ID, error) bool) {
		for _, id := range members {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (w *world) fork() (*world, error) {
	c := &world{
		plan: w.plan, store: w.store.Clone(), now: w.now, before: w.before, within: w.within, inputs: w.inputs,
		traits: map[profile.ID]profile.Values{}, audiences: map[string]map[profile.ID]bool{},
		ports: maps.Clone(w.ports), calendars: w.calendars, claimed: maps.Clone(w.claimed), unheard: map[profile.ID][]journey.Input{},
	}
	for id, list := range w.unheard {
		c.unheard[id] = slices.Clone(list)
	}
	for id, v := range w.traits {
		c.traits[id] = maps.Clone(v)
	}
	for name, ids := range w.audiences {
		c.audiences[name] = maps.Clone(ids)
	}
	return c, c.open()
}

// maxTurns bounds the due times that one move of the clock may pass.
const maxTurns = 100_000

// move runs everything due up to a time, each at its own time.
func (w *world) move(to time.Time) error {
	w.before = w.now
	for range maxTurns {
		if err := w.run(); err != nil {
			return err
		}
		next, err := w.engine.NextDue(context.Background())
		if err != nil {
			return err
		}
		if next.IsZero() || next.After(to) {
			w.now = to
			return w.run()
		}
		if next.After(w.now) {
			w.now = next
		}
	}
	return fmt.Errorf("journeytest: more than %d due times up to %s: the journey seems to go in circles", maxTurns, to)
}

func (w *world) run() error {
	_, err := w.engine.RunDue(context.Background(), w.now)
	return err
}

// records are a customer's history, oldest first.
func (w *world) records(id profile.ID) ([]journey.Record, error) {
	var out []journey.Record
	q := journey.Query{Kind: journey.HistoryPage, Customer: id, Limit: 1000}
	for {
		p, err := w.store.Page(context.Background(), q)
		if err != nil {
			return nil, err
		}
		out = append(out, p.History...)
		if q.After = p.Next; q.After == "" {
			return out, nil
		}
	}
}

// instances are a customer's, in the order in which they were started.
func (w *world) instances(id profile.ID) ([]journey.Instance, error) {
	p, err := w.store.Page(context.Background(), journey.Query{Kind: journey.InstancePage, Customer: id, Limit: 10_000})
	var out []journey.Instance
	for _, row := range p.Instances {
		out = append(out, row.Instance)
	}
	return out, err
}

func (w *world) ingest(x journey.Input) error {
	w.inputs++
	x.ID = fmt.Sprintf("input-%d", w.inputs)
	if x.Time.IsZero() {
		x.Time = w.now
	}
	receipt, err := w.engine.Ingest(context.Background(), x)
	if err != nil {
		return err
	}
	if len(receipt.Instances) == 0 {
		w.unheard[x.Customer] = append(w.unheard[x.Customer], x)
	}
	return w.run()
}

// values turns pairs of name and value into properties.
func values(pairs []any) (profile.Values, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("journeytest: %d names and values do not pair up", len(pairs))
	}
	out := profile.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		name, ok := pair[0].(string)
		if !ok {
			return nil, fmt.Errorf("journeytest: %v is no name", pair[0])
		}
		switch v := pair[1].(type) {
		case string:
			out[name] = profile.Text(v)
		case int:
			out[name] = profile.Int(int64(v))
		case int64:
			out[name] = profile.Int(v)
		case bool:
			out[name] = profile.Flag(v)
		case time.Time:
			out[name] = profile.Time(v)
		case []string:
			out[name] = profile.Tags(v...)
		case profile.Value:
			out[name] = v
		default:
			return nil, fmt.Errorf("journeytest: %q has a value of type %T", name, v)
		}
	}
	return out, nil
}
