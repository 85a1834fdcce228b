package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Retention says how long a directory keeps what, by kind of record. A zero
// period keeps for ever.
//
// What is over by it is over at its instant: reads answer as if it were gone,
// and [Directory.Retain] only frees the room. Other records have periods of
// their own: values and tags of traits TraitRule.TTL, the change feed
// Config.KeepChanges, what an erasure is remembered by the key in
// Config.ErasureKeys. Consent acts, as proof, stay as long as their customer.
type Retention struct {
	// Visitors is how long after their last event visitors live who never
	// identified themselves: profiles all of whose identifiers are Anonymous.
	// Then all of it goes: events, traits, consents, identifiers. Their IDs are
	// [ErrGone], an event delivered again stays out, and who returns live is a
	// new visitor. A profile whose processing is restricted stays.
	Visitors time.Duration `json:"visitors,omitempty"`
	// Anonymous are the kinds, without scope, that tell a browser or a device
	// and not a person. Default: "device" and "cookie".
	Anonymous []string `json:"anonymous,omitempty"`
	// Events is how long after its time an event keeps its name, properties and
	// order, by name; "*" stands for names that are not listed. What is derived
	// stays: to which customer its identifiers belong, traits and counters,
	// consents, relations, first and last sight. For that the event keeps its
	// ID, source, time, brand, identifiers, traits, consents and relations, and so
	// everything that may still be decided about it stays exact.
	// Orders fold from events: give those of orders as long as figures need them.
	Events map[string]time.Duration `json:"events,omitempty"`
}

// retention is a Retention made ready, in microseconds.
type retention struct {
	visitors  int64
	anonymous map[string]bool
	events    map[string]int64
}

func compileRetention(r Retention, kinds map[string]*kind) (retention, error) {
	out := retention{visitors: r.Visitors.Microseconds(), anonymous: map[string]bool{}, events: map[string]int64{}}
	if r.Visitors < 0 {
		return out, fmt.Errorf("%w: Retention: Visitors is negative", ErrConfig)
	}
	for _, name := range r.Anonymous {
		if kinds[name] == nil {
			return out, fmt.Errorf("%w: Retention: Anonymous: %.64q is no kind", ErrConfig, name)
		}
		out.anonymous[name] = true
	}
	if r.Anonymous == nil {
		out.anonymous = map[string]bool{"device": true, "cookie": true}
	}
	for name, period := range r.Events {
		if period < 0 {
			return out, fmt.Errorf("%w: Retention: Events: a period is negative", ErrConfig)
		}
		out.events[name] = period.Microseconds()
	}
	return out, nil
}

// bare reports whether the content of an event is over.
func (r *retention) bare(name string, at, now int64) bool {
	if len(r.events) == 0 {
		return false
	}
	period, ok := r.events[name]
	if !ok {
		period = r.events["*"]
	}
	return period > 0 && now-at >= period
}

// strip takes away of an event what is over.
func (r *retention) strip(e *Event, now int64) {
	if r.bare(e.Name, e.Time.UnixMicro(), now) {
		e.Name, e.Properties, e.Order = "", nil, nil
	}
}

// strip is the same for a record; false where there is nothing to take away.
func (g *graph) strip(rec *record, now int64) bool {
	hasMore := rec.more != nil && rec.more.order != nil
	if !g.rules.retention.bare(g.words.names[rec.name], rec.at, now) ||
		rec.name == g.words.id("") && rec.properties == "" && !hasMore {
		return false
	}
	rec.name, rec.stripped = g.words.id(""), true
	rec.properties = ""
	if hasMore {
		rec.more = &more{consents: rec.more.consents, relations: rec.more.relations}
	}
	return true
}

// anonymous reports whether a cluster is of a visitor who never identified
// themselves.
func (g *graph) anonymous(c *cluster) bool {
	person := func(n *node) bool { return !n.blocked() && !g.rules.retention.anonymous[n.kind.Name] }
	if slices.ContainsFunc(c.nodes, person) {
		return false
	}
	return !slices.ContainsFunc(c.evidence, func(e *evidence) bool {
		return slices.ContainsFunc(e.links, person) || slices.ContainsFunc(e.others(), person)
	})
}

// over reports whether the time of a cluster is over at an instant. Of a
// cluster that a session loaded in part it asks for the rest, and says no.
func (g *graph) over(c *cluster, now int64) bool {
	ttl := g.rules.retention.visitors
	if ttl == 0 || c == nil || c.size == 0 || now-c.last < ttl {
		return false
	}
	if c.partial {
		g.wholly(c)
		return false
	}
	return !c.restricted() && g.anonymous(c)
}

// nobodys reports whether evidence that belongs to nobody is over: that whose
// identifiers are all blocked.
func (g *graph) nobodys(e *evidence, now int64) bool {
	ttl := g.rules.retention.visitors
	return ttl > 0 && e.home == nil && now-e.last >= ttl
}

// lapse removes the visitors whom a prepared event would join and whose time is
// over; false where a Store has to be asked for more first.
func (g *graph) lapse(p *prepared) bool {
	now := p.now.UnixMicro()
	for _, nm := range p.names {
		n := g.findNode(nm)
		if n == nil {
			continue
		}
		var homes []*cluster
		if n.home != nil {
			homes = append(homes, n.home)
		}
		for _, e := range n.holders() {
			homes = append(homes, e.home)
		}
		for _, c := range homes {
			if g.over(c, now) && !g.dissolve(c) {
				return false
			}
			if g.missing.any() {
				return false
			}
		}
	}
	if e := g.evidence[p.key]; e != nil && g.nobodys(e, now) {
		if !g.complete(e) {
			return false
		}
		g.vanish(e)
	}
	return true
}

// dissolve removes a visitor whose time is over, without a trace but IDs; false
// where a Store has to be asked for more first.
func (g *graph) dissolve(c *cluster) bool {
	if !g.gather(c) {
		return false
	}
	g.erase(c, false, false)
	return true
}

// vanish removes evidence that belongs to nobody.
func (g *graph) vanish(e *evidence) {
	for _, rec := range e.records {
		*rec = record{id: rec.id}
	}
	e.records = nil
	g.remove([]*evidence{e}, g.feed.clock(g.now()))
}

// Retained says what a sweep freed.
type Retained struct {
	// Visitors is how many profiles went, Removed how many events with them.
	Visitors int `json:"visitors"`
	Removed  int `json:"removed"`
	// Stripped is how many events lost their name, properties and order.
	Stripped int `json:"stripped"`
}

func (r Retained) String() string {
	return fmt.Sprintf("%d visitors removed with %d events; %d events stripped", r.Visitors, r.Removed, r.Stripped)
}

// Retain frees what is over at now by Config.Retention. It changes no answer
// as of now or later, but one: a link that was refused because of a visitor's
// identifiers is decided anew without them. The feed tells of visitors who are
// gone as of people erased ([Erased]), so that other packages let go of them
// too, and of what joins. Each profile is a commit of its own, so that it may be stopped and run
// again at any time. Call it while no history is being loaded: what it removed
// does not join what a backfill brings later.
//
// The cost is that of reading every profile, and every event older than the
// shortest period. Evidence that belongs to nobody is found without a Store, and
// in one that is a [RulesStore].
func (d *Directory) Retain(ctx context.Context, now time.Time) (Retained, error) {
	var out Retained
	r := &d.rules().retention
	if r.visitors == 0 && len(r.events) == 0 {
		return out, nil
	}
	micro := now.UnixMicro()
	for id, err := range d.Profiles(ctx) {
		if err != nil {
			return out, err
		}
		gone, err := d.retainVisitor(ctx, id, micro, &out)
		if err == nil && !gone && len(r.events) > 0 {
			err = d.retainEvents(ctx, id, micro, &out)
		}
		if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, ErrNotFound) {
			return out, err
		}
	}
	return out, d.retainNobodys(ctx, micro, &out)
}

// retainVisitor removes a visitor whose time is over.
func (d *Directory) retainVisitor(ctx context.Context, id ID, now int64, sum *Retained) (gone bool, err error) {
	if d.rules().retention.visitors == 0 {
		return false, nil
	}
	events := 0
	err = d.update(ctx, Query{Anchors: []ID{id}}, func(g *graph) error {
		gone = false
		e, _ := g.anchors.get(id)
		if e == nil || e.home.id() != id {
			return nil // it went, or merged, meanwhile
		}
		if !g.over(e.home, now) {
			return nil
		}
		n := e.home.events
		if gone = g.dissolve(e.home); gone {
			events = n
		}
		return nil
	})
	if err == nil && gone {
		sum.Visitors++
		sum.Removed += events
	}
	return gone, err
}

// retainEvents strips the events of a profile that are over.
func (d *Directory) retainEvents(ctx context.Context, id ID, now int64, sum *Retained) error {
	page := TimelinePage{Limit: timelinePage}
	shortest := d.rules().retention.shortest()
	for {
		events, err := d.held(ctx, id, page)
		if err != nil {
			return err
		}
		var old []string
		for i := range events {
			e := &events[i]
			if now-e.Time.UnixMicro() < shortest {
				events = events[:i]
				break
			}
			if d.rules().retention.bare(e.Name, e.Time.UnixMicro(), now) && (e.Name != "" || len(e.Properties) > 0 || e.Order != nil) {
				old = append(old, e.ID)
			}
		}
		if len(old) > 0 {
			stripped := 0
			err := d.update(ctx, Query{Events: old}, func(g *graph) error {
				stripped = 0
				for _, id := range old {
					if rec := g.events.get(0, id); rec != nil && rec.evidence != nil && g.strip(rec, now) {
						stripped++
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			sum.Stripped += stripped
		}
		if len(events) < page.Limit {
			return nil
		}
		last := events[len(events)-1]
		page.AfterTime, page.AfterID = last.Time, last.ID
	}
}

// shortest is the least period of events, in microseconds.
func (r *retention) shortest() int64 {
	var least int64
	for _, period := range r.events {
		if period > 0 && (least == 0 || period < least) {
			least = period
		}
	}
	return least
}

// retainNobodys removes evidence that belongs to nobody and is over.
func (d *Directory) retainNobodys(ctx context.Context, now int64, sum *Retained) error {
	if d.rules().retention.visitors == 0 {
		return nil
	}
	const limit = 1024
	var after EvidenceKey
	for {
		keys, err := d.evidenceKeys(ctx, after, limit)
		if err != nil || len(keys) == 0 {
			return err
		}
		removed := 0
		err = d.update(ctx, Query{Evidence: keys}, func(g *graph) error {
			removed = 0
			var gone []*evidence
			for _, key := range keys {
				if e := g.evidence[key]; e != nil && g.nobodys(e, now) {
					g.complete(e)
					gone = append(gone, e)
				}
			}
			if g.missing.any() {
				return nil
			}
			for _, e := range gone {
				removed += len(e.records)
				g.vanish(e)
			}
			return nil
		})
		if err != nil {
			return err
		}
		sum.Removed += removed
		after = keys[len(keys)-1]
	}
}

// evidenceKeys are keys of evidence after one, in byte order: without a Store
// of what belongs to nobody, all at once.
func (d *Directory) evidenceKeys(ctx context.Context, after EvidenceKey, limit int) ([]EvidenceKey, error) {
	if d.store != nil {
		if all, ok := d.store.(RulesStore); ok {
			return all.Keys(ctx, after, limit)
		}
		return nil, ctx.Err()
	}
	var keys []EvidenceKey
	err := d.view(ctx, Query{}, func(g *graph) error {
		for key, e := range g.evidence {
			if e.home == nil && slices.Compare(key[:], after[:]) > 0 {
				keys = append(keys, key)
			}
		}
		return nil
	})
	slices.SortFunc(keys, func(a, b EvidenceKey) int { return slices.Compare(a[:], b[:]) })
	return keys, err
}
