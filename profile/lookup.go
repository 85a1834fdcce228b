package profile

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"
)

var (
	// ErrNotFound reports a customer, identifier or event that the directory does not know.
	ErrNotFound = errors.New("profile: not found")
	// ErrGone reports a former ID whose evidence was retracted or erased.
	ErrGone = errors.New("profile: customer is gone")
	// ErrAmbiguous reports an identifier that looks up several customers.
	ErrAmbiguous = errors.New("profile: identifier names several customers")
)

// RefusedError reports an identifier that belongs to nobody because every link
// to it was refused. It matches [ErrNotFound].
type RefusedError struct {
	// Refusals say by which evidence and why, oldest evidence first.
	Refusals []Refusal
}

func (e *RefusedError) Error() string {
	return "profile: not found: every link to the identifier was refused"
}

// Is matches ErrNotFound.
func (e *RefusedError) Is(target error) bool { return target == ErrNotFound }

// AmbiguousError lists the customers that an identifier looks up. It matches [ErrAmbiguous].
type AmbiguousError struct {
	// Profiles are in byte order.
	Profiles []ID
}

func (e *AmbiguousError) Error() string { return ErrAmbiguous.Error() }

// Is matches ErrAmbiguous.
func (e *AmbiguousError) Is(target error) bool { return target == ErrAmbiguous }

// Profile is the golden record of a customer.
type Profile struct {
	// ID is the present one, whatever former ID was asked for.
	ID ID `json:"id"`
	// Traits are the golden values now, by name: what lapses or decays does so
	// without a row in the change feed.
	Traits []Trait `json:"traits,omitempty"`
	// Identifiers are those that the profile's evidence holds and uses, by
	// kind and value.
	Identifiers []KnownIdentifier `json:"identifiers,omitempty"`
	// FirstSeen and LastSeen are the least and the greatest time of its events.
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Events is how many events are in its timeline.
	Events int `json:"events"`
	// Evidence is how many records of evidence it unites.
	Evidence int `json:"evidence"`
	// Relations are those of now, by type and party.
	Relations []Relation `json:"relations,omitempty"`
	// Restricted is true where processing was stopped: store, do nothing else.
	Restricted bool `json:"restricted,omitempty"`
	// Refused are the links of its evidence that were refused, oldest evidence first.
	Refused []Refusal `json:"refused,omitempty"`
}

// KnownIdentifier is an identifier of a profile.
type KnownIdentifier struct {
	Identifier
	// Since is its first sight on the profile.
	Since time.Time `json:"since"`
	// Links is false for one that only looks up.
	Links bool `json:"links"`
}

// Trait returns the golden value of a trait, the zero Value where it is absent.
func (p *Profile) Trait(name string) Value {
	i := sort.Search(len(p.Traits), func(i int) bool { return p.Traits[i].Name >= name })
	if i < len(p.Traits) && p.Traits[i].Name == name {
		return p.Traits[i].Value
	}
	return Value{}
}

// Values returns the golden values of all traits.
func (p *Profile) Values() Values {
	v := make(Values, len(p.Traits))
	for _, t := range p.Traits {
		v[t.Name] = t.Value
	}
	return v
}

// Lookup finds the customer to whom an identifier belongs now. It normalizes
// the value as Observe does. An unknown identifier, or one that can never be
// used, is [ErrNotFound]; one that was refused by all evidence a
// [*RefusedError]; one that only looks up and is on several profiles an
// [*AmbiguousError], unless its kind is Unique.
func (d *Directory) Lookup(ctx context.Context, id Identifier) (ID, error) {
	return d.lookup(ctx, id, unseen)
}

// LookupAt finds the customer to whom a value belonged at a time, where it was
// released in between; see [Directory.Release]. Whose it is follows, as for
// Lookup, from all that is known now.
func (d *Directory) LookupAt(ctx context.Context, id Identifier, at time.Time) (ID, error) {
	return d.lookup(ctx, id, at.UnixMicro())
}

func (d *Directory) lookup(ctx context.Context, id Identifier, at int64) (ID, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	nm, reason := d.rules().name(id, "")
	if reason != 0 {
		return "", ErrNotFound
	}
	if d.store == nil {
		d.mu.RLock()
		defer d.mu.RUnlock()
		return d.graph.lookup(nm, at)
	}
	var found ID
	err := d.view(ctx, Query{Names: []Name{nm.row()}}, func(g *graph) (err error) {
		found, err = g.lookup(nm, at)
		return err
	})
	return found, err
}

// lookup finds the owner at an instant; unseen stands for now.
func (g *graph) lookup(nm name, at int64) (ID, error) {
	n := g.findNode(nm)
	if n != nil && len(n.releases()) > 0 {
		if at == unseen {
			at = g.now().UnixMicro()
		}
		n = g.nodeAt(nm, at)
	}
	switch {
	case n == nil || g.rules.retention.visitors > 0 && g.over(n.home, g.now().UnixMicro()):
		return "", ErrNotFound
	case n.home != nil && n.home.anchor != "" && n.since != unseen:
		return n.home.anchor, nil
	case n.answers():
		return g.looksUp(n)
	case len(n.refusals()) > 0:
		return "", n.refused()
	}
	return "", ErrNotFound
}

// looksUp finds the profiles that hold an identifier that does not link.
func (g *graph) looksUp(n *node) (ID, error) {
	now := g.now().UnixMicro()
	holders := slices.DeleteFunc(slices.Clone(n.holders()), func(e *evidence) bool { return g.over(e.home, now) })
	if len(holders) == 0 {
		return "", ErrNotFound
	}
	first := slices.MinFunc(holders, func(a, b *evidence) int { return a.position().compare(b.position()) })
	if n.kind.Unique {
		return first.home.id(), nil
	}
	var ids []ID
	for _, e := range holders {
		ids = append(ids, e.home.id())
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 1 {
		return ids[0], nil
	}
	return "", &AmbiguousError{Profiles: ids}
}

func (n *node) refused() error {
	rs := slices.Clone(n.refusals())
	slices.SortFunc(rs, func(a, b *refusal) int { return a.evidence.position().compare(b.evidence.position()) })
	err := &RefusedError{}
	for _, r := range rs {
		err.Refusals = append(err.Refusals, r.refusal())
	}
	return err
}

// find resolves a present or former ID.
func (g *graph) find(id ID) (*cluster, error) {
	e, ok := g.anchors.get(id)
	switch {
	case !ok:
		return nil, ErrNotFound
	case e == nil || e.home == nil || g.over(e.home, g.now().UnixMicro()):
		return nil, ErrGone
	}
	return e.home, nil
}

// Resolve gives the present ID for a present or former one: [ErrNotFound] if it
// never was, [ErrGone] if its evidence was retracted or erased.
func (d *Directory) Resolve(ctx context.Context, id ID) (ID, error) {
	var present ID
	err := d.view(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		c, err := g.find(id)
		present = c.id()
		return err
	})
	return present, err
}

// Get returns the golden record of a customer by a present or former ID;
// errors as for [Directory.Resolve].
func (d *Directory) Get(ctx context.Context, id ID) (Profile, error) {
	var p Profile
	err := d.view(ctx, Query{Anchors: []ID{id}, HandOvers: true}, func(g *graph) error {
		c, err := g.whole(id)
		if err == nil {
			p = g.profile(c)
		}
		return err
	})
	return p, err
}

// whole is find for a reader that needs the evidence and identifiers.
func (g *graph) whole(id ID) (*cluster, error) {
	c, err := g.find(id)
	if err == nil && c.partial {
		g.wholly(c)
		return nil, ErrNotFound
	}
	return c, err
}

func (g *graph) profile(c *cluster) Profile {
	p := Profile{
		ID:         c.id(),
		FirstSeen:  time.UnixMicro(c.first).UTC(),
		LastSeen:   time.UnixMicro(c.last).UTC(),
		Events:     c.events,
		Evidence:   c.size,
		Restricted: c.restricted(),
	}
	p.Relations = g.relationsAt(c, g.now().UnixMicro())
	golden := c.traitsOf()
	p.Traits = make([]Trait, 0, len(golden))
	now := g.now().UnixMicro()
	for i := range golden {
		x := &golden[i]
		t := g.traits[x.trait]
		value := t.valueAt(x, now)
		if value.IsZero() {
			continue
		}
		p.Traits = append(p.Traits, Trait{
			Name: t.name, Value: value, Source: g.sources.names[x.src],
			Event: x.rec.id, At: time.UnixMicro(x.at).UTC(),
		})
	}
	slices.SortFunc(p.Traits, func(a, b Trait) int { return strings.Compare(a.Name, b.Name) })
	p.Identifiers = make([]KnownIdentifier, 0, len(c.nodes))
	for _, n := range c.nodes {
		if n.since == unseen {
			continue
		}
		p.Identifiers = append(p.Identifiers, KnownIdentifier{n.identifier(), time.UnixMicro(n.since).UTC(), true})
	}
	others := 0
	var refused []*refusal
	for _, e := range c.evidence {
		for _, n := range e.others() {
			if n.answers() {
				p.Identifiers = append(p.Identifiers, KnownIdentifier{n.identifier(), time.UnixMicro(e.first).UTC(), false})
				others++
			}
		}
		refused = append(refused, e.verdicts()...)
	}
	slices.SortStableFunc(refused, func(a, b *refusal) int { return a.evidence.position().compare(b.evidence.position()) })
	for _, r := range refused {
		p.Refused = append(p.Refused, r.refusal())
	}
	slices.SortFunc(p.Identifiers, compareKnown)
	if others > 1 {
		p.Identifiers = slices.CompactFunc(p.Identifiers, func(a, b KnownIdentifier) bool { return a.Identifier == b.Identifier })
	}
	return p
}

func compareKnown(a, b KnownIdentifier) int {
	if c := strings.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.Value, b.Value); c != 0 {
		return c
	}
	return a.Since.Compare(b.Since)
}

// Event returns an event and the customer to whom it belongs now: [ErrNotFound]
// if there is none, [ErrGone] if it was retracted or erased. Its
// identifiers, order and consents are shared and must not be modified.
func (d *Directory) Event(ctx context.Context, eventID string) (Event, ID, error) {
	var e Event
	var owner ID
	err := d.view(ctx, Query{Events: []string{eventID}}, func(g *graph) error {
		e, owner = Event{}, ""
		rec := g.events.get(0, eventID)
		switch {
		case rec == nil:
			return ErrNotFound
		case rec.evidence == nil || g.over(rec.evidence.home, g.now().UnixMicro()) || g.nobodys(rec.evidence, g.now().UnixMicro()):
			return ErrGone
		}
		e, owner = g.eventOf(rec), rec.evidence.home.id()
		g.rules.retention.strip(&e, g.now().UnixMicro())
		return nil
	})
	return e, owner, err
}
