package journey

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Audience answers whether a customer belonged to it at an instant. A live view
// of a segment is one.
type Audience interface {
	ContainsAt(ctx context.Context, id profile.ID, t time.Time) (bool, error)
}

// Check answers whether something is so for a customer at a time.
type Check func(ctx context.Context, customer profile.ID, at time.Time) (bool, error)

// Traits reads traits of a customer by name; those that the customer lacks are
// left out.
type Traits func(ctx context.Context, customer profile.ID, names []string) (profile.Values, error)

// present are the traits whatever the time asked for.
func (t Traits) present() TraitsAt {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, customer profile.ID, names []string, _ time.Time) (profile.Values, error) {
		return t(ctx, customer, names)
	}
}

// TraitsAt reads traits of a customer as they were at a time; those that the
// customer lacked are left out.
type TraitsAt func(ctx context.Context, customer profile.ID, names []string, at time.Time) (profile.Values, error)

// Consent answers whether a customer may be reached.
type Consent func(ctx context.Context, q ConsentQuestion) (contact.Permission, error)

// ConsentQuestion asks whether a customer may be reached for a purpose on a channel.
type ConsentQuestion struct {
	Customer                profile.ID
	Purpose, Channel, Brand string
	At                      time.Time
}

// answers is what engine and simulation ask the world outside.
type answers struct {
	gate      *contact.Gate
	audiences map[string]Audience
	checks    map[string]Check
	traits    TraitsAt
	consent   Consent
	calendars map[string]Calendar
	zones     sync.Map // name → *time.Location
}

// location is the time zone of a name; a name that is not known is nil.
func (w *answers) location(name string) *time.Location {
	if name == "" {
		return nil
	}
	if loc, ok := w.zones.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	w.zones.Store(name, loc)
	return loc
}

// zoneOf is the customer's time zone: their own, else the definition's, else
// the contact policy's.
func (w *answers) zoneOf(d *Definition, row *contact.Row) *time.Location {
	return w.zoneNamed(row.Zone, d)
}

func (w *answers) zoneNamed(own string, d *Definition) *time.Location {
	if loc := w.location(own); loc != nil {
		return loc
	}
	if d.spec.Zone != "" {
		return d.zone
	}
	return w.gate.Zone()
}

// facts asks the world what a step may need to know.
func (w *answers) facts(ctx context.Context, d *Definition, n *Needs, customer profile.ID, row *contact.Row, at time.Time) (Facts, error) {
	f := Facts{Zone: w.zoneOf(d, row), Calendars: w.calendars}
	return f, w.ask(ctx, &f, n, customer, at)
}

// ask adds the facts that a step may need to know of the customer.
func (w *answers) ask(ctx context.Context, f *Facts, n *Needs, customer profile.ID, at time.Time) error {
	if n.None() {
		return nil
	}
	if len(n.Audiences) > 0 {
		f.Audiences = make(map[string]bool, len(n.Audiences))
		for _, name := range n.Audiences {
			a := w.audiences[name]
			if a == nil {
				return fmt.Errorf("%w: audience %q", ErrUnbound, name)
			}
			in, err := a.ContainsAt(ctx, customer, at)
			if err != nil {
				return fmt.Errorf("journey: audience %q: %w", name, err)
			}
			f.Audiences[name] = in
		}
	}
	if len(n.Checks) > 0 {
		f.Checks = make(map[string]bool, len(n.Checks))
		for _, name := range n.Checks {
			check := w.checks[name]
			if check == nil {
				return fmt.Errorf("%w: check %q", ErrUnbound, name)
			}
			ok, err := check(ctx, customer, at)
			if err != nil {
				return fmt.Errorf("journey: check %q: %w", name, err)
			}
			f.Checks[name] = ok
		}
	}
	if len(n.Traits) > 0 && w.traits != nil {
		traits, err := w.traits(ctx, customer, n.Traits, at)
		if err != nil {
			return fmt.Errorf("journey: traits: %w", err)
		}
		f.Traits = traits
	}
	return nil
}

// consents asks the configured authority about every channel of a message; nil
// leaves the question to the contact row.
func (w *answers) consents(ctx context.Context, f *Effect, now time.Time) (map[string]contact.Permission, error) {
	if w.consent == nil {
		return nil, nil
	}
	out := make(map[string]contact.Permission, len(f.Channels))
	for _, c := range f.Channels {
		p, err := w.consent(ctx, ConsentQuestion{f.Customer, f.Purpose, c, f.Brand, now})
		if err != nil {
			return nil, err
		}
		out[c] = p
	}
	return out, nil
}
