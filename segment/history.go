package segment

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/profile"
)

// History is where an [Engine] reads what a change only names.
// *profile.Directory is one, [MemoryHistory] another.
type History interface {
	// Get gives the golden traits of a customer, and the present ID where a
	// former one is asked for. The error matches profile.ErrNotFound or
	// profile.ErrGone for one who is not there. One who is Restricted is in no
	// segment until processing may go on.
	Get(ctx context.Context, id profile.ID) (profile.Profile, error)
	// Timeline yields the customer's events; errors as for Get.
	Timeline(ctx context.Context, id profile.ID) iter.Seq2[profile.Event, error]
	// Event gives one event; errors as for Get.
	Event(ctx context.Context, eventID string) (profile.Event, profile.ID, error)
	// Changes yields the change feed after a position.
	Changes(ctx context.Context, after uint64) iter.Seq2[profile.Change, error]
}

// absent reports an error that says that the customer or event is not there.
func absent(err error) bool {
	return errors.Is(err, profile.ErrNotFound) || errors.Is(err, profile.ErrGone)
}

// load reads all that is known of a customer; ok is false for one who is not
// there, lives on under another ID, or is restricted.
func load(ctx context.Context, h History, id profile.ID) (r Record, ok bool, err error) {
	p, err := h.Get(ctx, id)
	switch {
	case err != nil && absent(err):
		return r, false, nil
	case err != nil:
		return r, false, fmt.Errorf("segment: read traits: %w", err)
	case p.ID != id, p.Restricted:
		return r, false, nil
	}
	r = Record{ID: id, Traits: make(profile.Values, len(p.Traits))}
	for _, t := range p.Traits {
		r.Traits[t.Name] = t.Value
	}
	for e, err := range h.Timeline(ctx, id) {
		switch {
		case err != nil && absent(err):
			return Record{}, false, nil
		case err != nil:
			return Record{}, false, fmt.Errorf("segment: read timeline: %w", err)
		}
		r.Events = append(r.Events, e)
	}
	return r, true, nil
}

// MemoryHistory keeps customers under keys of the caller's own, for programs
// that use segment without a profile.Directory, and for tests. It does not
// resolve identities: the caller says whose an event is. Of a trait the value
// with the latest event time counts, ties go to the greater event ID; an
// absent value clears the trait. The zero MemoryHistory is empty and records
// by time.Now. All methods are safe for concurrent use.
type MemoryHistory struct {
	// Now is the clock of recording. Default: time.Now. It must not be changed
	// once the history is in use.
	Now func() time.Time

	mu        sync.RWMutex
	customers map[profile.ID]*kept
	events    map[string]profile.ID // "" for one that was retracted or erased
	changes   []profile.Change
}

// kept is one customer of a MemoryHistory.
type kept struct {
	events []profile.Event // by time, then ID
	traits map[string]profile.Trait
}

// ErrEvent reports an event that a MemoryHistory cannot keep.
var ErrEvent = errors.New("segment: invalid event")

// ErrEventConflict reports an event ID that is used for another customer or
// another content.
var ErrEventConflict = errors.New("segment: event ID used for another event")

// Observe records an event of a customer. The same event again changes
// nothing; its ID with another customer or content is [ErrEventConflict].
// Identifiers and consents are of no use to segments and not kept.
func (h *MemoryHistory) Observe(id profile.ID, e profile.Event) error {
	if err := id.Validate(); err != nil {
		return err
	}
	if err := checkEvent(&e); err != nil {
		return err
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	e.Identifiers, e.Consents = nil, nil
	e.Traits, e.Properties, e.Relations = maps.Clone(e.Traits), maps.Clone(e.Properties), slices.Clone(e.Relations)
	h.mu.Lock()
	defer h.mu.Unlock()
	if owner, ok := h.events[e.ID]; ok {
		if owner != id || !sameEvent(h.customers[id].find(e.ID), e) {
			return ErrEventConflict
		}
		return nil
	}
	if h.events == nil {
		h.events, h.customers = map[string]profile.ID{}, map[profile.ID]*kept{}
	}
	c := h.customer(id, e.Mode)
	h.events[e.ID] = id
	c.insert(e)
	h.record(profile.Change{Kind: profile.Observed, Profile: id, Event: e.ID, Mode: e.Mode})
	if names := c.apply(e); len(names) > 0 {
		h.record(profile.Change{Kind: profile.TraitChanged, Profile: id, Event: e.ID, Names: names, Mode: e.Mode})
	}
	return nil
}

// checkEvent admits what can be kept and written as JSON.
func checkEvent(e *profile.Event) error {
	if e.ID == "" || e.Time.IsZero() || e.Time.Year() < 1 || e.Time.Year() > 9999 {
		return fmt.Errorf("%w: it needs an ID and a time within the years 1 to 9999", ErrEvent)
	}
	// What a Store cannot hold would stop the engine that meets it.
	storable := func(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
	valid := storable(e.ID) && storable(e.Name) && storable(e.Source) && storable(e.Brand)
	for _, values := range []profile.Values{e.Traits, e.Properties} {
		for name, v := range values {
			valid = valid && storable(name) && storable(v.String())
		}
	}
	if !valid {
		return fmt.Errorf("%w: text is UTF-8 without NUL", ErrEvent)
	}
	if e.Order != nil {
		if err := e.Order.Identified(e.ID, e.Time).Validate(); err != nil {
			return fmt.Errorf("%w: %w", ErrEvent, err)
		}
	}
	return nil
}

// customer finds or begins a customer.
func (h *MemoryHistory) customer(id profile.ID, mode profile.Mode) *kept {
	c := h.customers[id]
	if c == nil {
		c = &kept{traits: map[string]profile.Trait{}}
		h.customers[id] = c
		h.record(profile.Change{Kind: profile.Created, Profile: id, Mode: mode})
	}
	return c
}

func (h *MemoryHistory) record(c profile.Change) {
	now := time.Now
	if h.Now != nil {
		now = h.Now
	}
	c.RecordedAt = now().UTC().Truncate(time.Microsecond)
	if n := len(h.changes); n > 0 && c.RecordedAt.Before(h.changes[n-1].RecordedAt) {
		c.RecordedAt = h.changes[n-1].RecordedAt
	}
	c.Seq = uint64(len(h.changes)) + 1
	h.changes = append(h.changes, c)
}

func (c *kept) find(eventID string) profile.Event {
	for _, e := range c.events {
		if e.ID == eventID {
			return e
		}
	}
	return profile.Event{}
}

func (c *kept) insert(e profile.Event) {
	i, _ := slices.BinarySearchFunc(c.events, e, compareEvents)
	c.events = slices.Insert(c.events, i, e)
}

// apply takes the event's traits and names those that changed.
func (c *kept) apply(e profile.Event) (changed []string) {
	for name, v := range e.Traits {
		old, ok := c.traits[name]
		if ok && (e.Time.Before(old.At) || e.Time.Equal(old.At) && e.ID < old.Event) {
			continue
		}
		c.traits[name] = profile.Trait{Name: name, Value: v, Source: e.Source, Event: e.ID, At: e.Time}
		if old.Value != v {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// rebuild computes the traits from the events that are left.
func (c *kept) rebuild() {
	c.traits = map[string]profile.Trait{}
	for _, e := range c.events {
		c.apply(e)
	}
}

func compareEvents(a, b profile.Event) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

func sameEvent(a, b profile.Event) bool {
	return a.Name == b.Name && a.Source == b.Source && a.Brand == b.Brand && a.Time.Equal(b.Time) &&
		maps.Equal(a.Traits, b.Traits) && maps.Equal(a.Properties, b.Properties) &&
		slices.EqualFunc(a.Relations, b.Relations, sameAct) &&
		(a.Order == nil) == (b.Order == nil) && (a.Order == nil || a.Order.Equal(*b.Order))
}

func sameAct(a, b profile.RelationAct) bool {
	return a.Type == b.Type && a.Party == b.Party && a.Ended == b.Ended && a.Until.Equal(b.Until)
}

// Retract removes an event as if it had never been; its ID stays taken. The
// error matches profile.ErrNotFound or profile.ErrGone.
func (h *MemoryHistory) Retract(eventID string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	owner, ok := h.events[eventID]
	switch {
	case !ok:
		return profile.ErrNotFound
	case owner == "":
		return profile.ErrGone
	}
	c := h.customers[owner]
	c.events = slices.DeleteFunc(c.events, func(e profile.Event) bool { return e.ID == eventID })
	c.rebuild()
	h.events[eventID] = ""
	h.record(profile.Change{Kind: profile.Retracted, Profile: owner, Event: eventID})
	return nil
}

// Merge gives all that other has to id, and ends other. The error matches
// profile.ErrNotFound where either is unknown.
func (h *MemoryHistory) Merge(id, other profile.ID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, b := h.customers[id], h.customers[other]
	if a == nil || b == nil || id == other {
		return profile.ErrNotFound
	}
	for _, e := range b.events {
		a.insert(e)
		h.events[e.ID] = id
	}
	a.rebuild()
	delete(h.customers, other)
	h.record(profile.Change{Kind: profile.Merged, Profile: id, Other: other})
	return nil
}

// Split moves events of one customer to another, who may be new. The error
// matches profile.ErrNotFound for an event that is not id's; then nothing moves.
func (h *MemoryHistory) Split(id, other profile.ID, eventIDs ...string) error {
	if err := other.Validate(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.customers[id]
	if c == nil || id == other {
		return profile.ErrNotFound
	}
	for _, e := range eventIDs {
		if owner, ok := h.events[e]; !ok || owner != id {
			return profile.ErrNotFound
		}
	}
	to := h.customer(other, profile.Live)
	for _, e := range eventIDs {
		if h.events[e] == id {
			to.insert(c.find(e))
			h.events[e] = other
		}
	}
	c.events = slices.DeleteFunc(c.events, func(e profile.Event) bool { return h.events[e.ID] == other })
	c.rebuild()
	to.rebuild()
	h.record(profile.Change{Kind: profile.Split, Profile: id, Other: other})
	return nil
}

// Erase removes a customer with all events, whose IDs stay taken. The error
// matches profile.ErrNotFound.
func (h *MemoryHistory) Erase(id profile.ID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.customers[id]
	if c == nil {
		return profile.ErrNotFound
	}
	for _, e := range c.events {
		h.events[e.ID] = ""
	}
	delete(h.customers, id)
	h.record(profile.Change{Kind: profile.Erased, Profile: id})
	return nil
}

// Get implements [History].
func (h *MemoryHistory) Get(ctx context.Context, id profile.ID) (profile.Profile, error) {
	if err := ctx.Err(); err != nil {
		return profile.Profile{}, err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	c := h.customers[id]
	if c == nil {
		return profile.Profile{}, profile.ErrNotFound
	}
	p := profile.Profile{ID: id, Events: len(c.events)}
	if n := len(c.events); n > 0 {
		p.FirstSeen, p.LastSeen = c.events[0].Time, c.events[n-1].Time
	}
	for _, name := range slices.Sorted(maps.Keys(c.traits)) {
		if t := c.traits[name]; !t.Value.IsZero() {
			p.Traits = append(p.Traits, t)
		}
	}
	return p, nil
}

// Timeline implements [History]: the events as they are when the loop begins,
// in order of time, then ID.
func (h *MemoryHistory) Timeline(ctx context.Context, id profile.ID) iter.Seq2[profile.Event, error] {
	return func(yield func(profile.Event, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(profile.Event{}, err)
			return
		}
		h.mu.RLock()
		c := h.customers[id]
		var events []profile.Event
		if c != nil {
			events = slices.Clone(c.events)
		}
		h.mu.RUnlock()
		if c == nil {
			yield(profile.Event{}, profile.ErrNotFound)
			return
		}
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Event implements [History].
func (h *MemoryHistory) Event(ctx context.Context, eventID string) (profile.Event, profile.ID, error) {
	if err := ctx.Err(); err != nil {
		return profile.Event{}, "", err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	owner, ok := h.events[eventID]
	switch {
	case !ok:
		return profile.Event{}, "", profile.ErrNotFound
	case owner == "":
		return profile.Event{}, "", profile.ErrGone
	}
	return h.customers[owner].find(eventID), owner, nil
}

// Changes implements [History]. The loop may write to the history; what it
// writes is yielded too.
func (h *MemoryHistory) Changes(ctx context.Context, after uint64) iter.Seq2[profile.Change, error] {
	return func(yield func(profile.Change, error) bool) {
		for {
			if err := ctx.Err(); err != nil {
				yield(profile.Change{}, err)
				return
			}
			h.mu.RLock()
			page := h.changes[min(after, uint64(len(h.changes))):]
			h.mu.RUnlock()
			if len(page) == 0 {
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			after += uint64(len(page))
		}
	}
}
