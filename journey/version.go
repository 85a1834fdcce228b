package journey

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Deploy makes a definition the current version of its journey, stored with
// the state, in one commit. New entries follow it; instances under way stay
// pinned to the version that they were started on until [Engine.Migrate] moves
// them. Deploying the current version again changes nothing. It fails with
// [ErrUnbound] where the definition names something that the engine does not
// know. Other engines on the store follow within Config.Poll.
func (e *Engine) Deploy(ctx context.Context, src Source) error {
	d, err := src.Build()
	if err != nil {
		return err
	}
	if err := e.bound(d); err != nil {
		return err
	}
	if err := again(ctx, func() error { return e.storeDefinition(ctx, d) }); err != nil {
		return err
	}
	e.mu.Lock()
	e.known[DefinitionKey{d.Name(), d.Version()}] = d
	e.setCurrent(d)
	e.read = time.Time{}
	e.mu.Unlock()
	e.wake()
	return e.refresh(ctx)
}

// setCurrent is called with the lock held.
func (e *Engine) setCurrent(d *Definition) {
	e.current[d.Name()] = d
	e.order = slices.Sorted(maps.Keys(e.current))
}

func (e *Engine) storeDefinition(ctx context.Context, d *Definition) error {
	key := DefinitionKey{d.Name(), d.Version()}
	former, err := e.store.Get(ctx, Lookup{Definition: DefinitionKey{Journey: d.Name()}})
	if err != nil {
		return err
	}
	if former.Definition != nil && former.Definition.DefinitionKey == key {
		return nil
	}
	same, err := e.store.Get(ctx, Lookup{Definition: key})
	if err != nil {
		return err
	}
	text, err := d.MarshalJSON()
	if err != nil {
		return err
	}
	row := DefinitionRow{DefinitionKey: key, Current: true, DeployedAt: e.now(), JSON: text}
	if same.Definition != nil {
		row.RowVersion = same.Definition.RowVersion
	}
	b := Batch{Definitions: []DefinitionRow{row}}
	if b.Instances, err = e.schedules(ctx, d, e.now()); err != nil {
		return err
	}
	if former.Definition != nil {
		former.Definition.Current = false
		b.Definitions = append(b.Definitions, *former.Definition)
	} else { // of two first versions that are deployed at once, one meets the other's row
		b.Entries = []EntryRow{{EntryKey: EntryKey{Journey: d.Name(), Key: "deployment"}, EnteredAt: row.DeployedAt}}
	}
	return e.store.Commit(ctx, &b)
}

// refresh reads what other engines have deployed, at most once per Config.Poll:
// older versions that instances may be pinned to, and newer current ones of the
// journeys that this engine runs.
func (e *Engine) refresh(ctx context.Context) error {
	now := e.cfg.Now()
	e.mu.RLock()
	fresh := !e.read.IsZero() && now.Sub(e.read) < e.cfg.Poll
	e.mu.RUnlock()
	if fresh {
		return nil
	}
	for row, err := range pages(ctx, e.store, Filter{}, DefinitionPage, func(p *Page) []DefinitionRow { return p.Definitions }) {
		if err != nil {
			return err
		}
		e.mu.RLock()
		d, current := e.known[row.DefinitionKey], e.current[row.Journey]
		e.mu.RUnlock()
		if d == nil {
			if d, err = Parse(row.JSON); err != nil {
				return err
			}
		}
		adopt := row.Current && current != nil && current.version != row.Version && e.bound(d) == nil
		e.mu.Lock()
		e.known[row.DefinitionKey] = d
		if adopt {
			e.setCurrent(d)
		}
		e.mu.Unlock()
	}
	e.mu.Lock()
	e.read = now
	e.mu.Unlock()
	return nil
}

// Definition is the current version of a journey, nil where none is deployed
// on this engine.
func (e *Engine) Definition(journey string) *Definition {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.current[journey]
}

// version is the definition that an instance runs on, from the store if need be.
func (e *Engine) version(ctx context.Context, key DefinitionKey) (*Definition, error) {
	e.mu.RLock()
	d := e.known[key]
	e.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	f, err := e.store.Get(ctx, Lookup{Definition: key})
	if err != nil {
		return nil, err
	}
	if f.Definition == nil {
		return nil, fmt.Errorf("%w: journey %q, version %s", ErrVersion, key.Journey, key.Version)
	}
	if d, err = Parse(f.Definition.JSON); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[key] = d
	return d, nil
}

// Migration says how instances move to another version.
type Migration struct {
	// States leads from states of older versions to states of the new one; one
	// that is not listed leads to the state of the same name.
	States map[string]string
	// Timers says from when the waits of the new state count.
	Timers TimerPolicy
}

// TimerPolicy says from when the waits of a migrated instance count.
type TimerPolicy uint8

// The policies.
const (
	// CountFromEntry lets waits count from when the old state was entered, as if
	// the new version had been there then. What is over by now is due at once.
	CountFromEntry TimerPolicy = iota
	// CountFromNow starts all waits anew.
	CountFromNow
)

// Plan is what a migration would do.
type Plan struct {
	// Moves are the instances that would move, by old and new state.
	Moves []PlannedMove
	// Stranded are those that would stay on their version, by state and reason.
	Stranded []PlannedMove
	// Already is how many open instances are on the new version.
	Already int
}

// PlannedMove is a group of instances that move alike.
type PlannedMove struct {
	From, To string
	// Why is the reason for which stranded instances stay.
	Why string
	// Count is how many they are.
	Count int
	// Sooner, Later and Never count those whose next due time changes: comes
	// earlier, comes later, or goes away. AtOnce are due as soon as they move.
	Sooner, Later, Never, AtOnce int
	// Example is one of them.
	Example string
}

// String is the plan for people, a line per group.
func (p Plan) String() string {
	var lines []string
	for _, m := range p.Moves {
		s := fmt.Sprintf("%d move from %s to %s", m.Count, m.From, m.To)
		for _, part := range []struct {
			n    int
			text string
		}{{m.AtOnce, "due at once"}, {m.Sooner, "due sooner"}, {m.Later, "due later"}, {m.Never, "without a due time"}} {
			if part.n > 0 {
				s += fmt.Sprintf(", %d %s", part.n, part.text)
			}
		}
		lines = append(lines, s)
	}
	for _, m := range p.Stranded {
		lines = append(lines, fmt.Sprintf("%d stay in %s: %s", m.Count, m.From, m.Why))
	}
	lines = append(lines, fmt.Sprintf("%d are on this version", p.Already))
	return strings.Join(lines, "\n")
}

// PlanMigration says what [Engine.Migrate] would do now, and does nothing.
func (e *Engine) PlanMigration(ctx context.Context, src Source, m Migration) (Plan, error) {
	d, err := src.Build()
	if err != nil {
		return Plan{}, err
	}
	if err := e.mappable(d, m); err != nil {
		return Plan{}, err
	}
	var p Plan
	now := e.now()
	for row, err := range e.Instances(ctx, Filter{Journey: d.Name()}) {
		if err != nil {
			return Plan{}, err
		}
		in := row.Instance
		if !in.Open() {
			continue
		}
		if in.Version == d.Version() {
			p.Already++
			continue
		}
		c, err := e.store.Get(ctx, Lookup{Customer: in.Customer})
		if err != nil {
			return Plan{}, err
		}
		u := e.unit(now, &Found{Contact: c.Contact})
		u.live(ctx, &row)
		if in = row.Instance; !in.Open() {
			continue
		}
		next, _, why, err := e.migrated(ctx, d, in, m, &u.contact, now)
		if err != nil {
			return Plan{}, err
		}
		list := &p.Moves
		if why != "" {
			list = &p.Stranded
		}
		i := slices.IndexFunc(*list, func(g PlannedMove) bool { return g.From == in.State && g.To == next.State && g.Why == why })
		if i < 0 {
			i = len(*list)
			*list = append(*list, PlannedMove{From: in.State, To: next.State, Why: why, Example: in.ID})
		}
		g := &(*list)[i]
		g.Count++
		switch {
		case why != "" || next.Due.Equal(in.Due):
		case next.Due.IsZero():
			g.Never++
		case !next.Due.After(now):
			g.AtOnce++
		case in.Due.IsZero() || next.Due.Before(in.Due):
			g.Sooner++
		default:
			g.Later++
		}
	}
	return p, nil
}

// mappable refuses a migration to states that the definition does not have.
func (e *Engine) mappable(d *Definition, m Migration) error {
	for from, to := range m.States {
		if _, ok := d.byName[to]; !ok {
			return fmt.Errorf("%w: %q leads to state %q", ErrNotFound, from, to)
		}
	}
	return nil
}

// migrated is an instance as it would be on another version; why says what keeps
// it from moving.
func (e *Engine) migrated(ctx context.Context, d *Definition, in Instance, m Migration, c *ContactRow, now time.Time) (next Instance, effects []Effect, why string, err error) {
	if in.Status == Closing {
		return in, nil, "it is about to end", nil
	}
	name, ok := m.States[in.State]
	if !ok {
		name = in.State
	}
	i, ok := d.byName[name]
	if !ok {
		return in, nil, "the new version has no such state", nil
	}
	s := &d.states[i]
	if len(s.shares) > 0 || slices.ContainsFunc(s.whens, func(g edge) bool { return g.spec.When.op == opAlways && g.cond == nil }) {
		return in, nil, fmt.Sprintf("state %q takes no time", name), nil
	}
	x := Input{Kind: ZoneInput, Mode: in.Mode}
	if x.Facts, err = e.facts(ctx, d, &s.needs, in.Customer, &c.Row, now); err != nil {
		return in, nil, "", err
	}
	next = in
	next.Version, next.State, next.at = d.version, name, uint16(i)
	next.Seq++
	if m.Timers == CountFromNow {
		next.EnteredAt = later(now, in.EnteredAt)
	}
	next.FiredAt, next.Fired = time.Time{}, 0
	r := run{d: d, now: now}
	if s.spec.Final {
		next.Outcome = name
		r.close(&next, &x)
	} else {
		r.arm(&next, &x, s, r.due(&next, &x, s))
	}
	return next, r.out, "", nil
}

// Migrate deploys a definition and moves open instances of older versions to
// it. Each moves in a commit of its own, after the waits that were over by now and
// without entering or leaving actions;
// what was broken off goes on when Migrate is called again. Those that
// [Engine.PlanMigration] calls stranded stay where they are. It returns how
// many moved.
func (e *Engine) Migrate(ctx context.Context, src Source, m Migration) (int, error) {
	d, err := src.Build()
	if err != nil {
		return 0, err
	}
	if err := e.mappable(d, m); err != nil {
		return 0, err
	}
	if err := e.Deploy(ctx, d); err != nil {
		return 0, err
	}
	moved := 0
	for row, err := range e.Instances(ctx, Filter{Journey: d.Name()}) {
		if err != nil {
			return moved, err
		}
		if !row.Instance.Open() || row.Instance.Version == d.version {
			continue
		}
		did := false
		err := e.intervene(ctx, row.Instance.ID, func(u *unit, row *InstanceRow) error {
			in := &row.Instance
			if did = false; !in.Open() || in.Version == d.version {
				return nil
			}
			if u.live(ctx, row); !in.Open() {
				return nil
			}
			next, effects, why, err := e.migrated(ctx, d, *in, m, &u.contact, u.now)
			if err != nil || why != "" {
				return err
			}
			r := newRecord(in, OperatorRecord, u.now)
			r.From, r.To, r.Version, r.Cause = in.State, next.State, d.version, "migrated to "+next.State
			u.batch.History = append(u.batch.History, r)
			*in = next
			for _, f := range effects {
				u.putEffect(EffectRow{Effect: f, State: Pending, Wake: f.At}, in, u.now)
			}
			did = true
			u.touch(row)
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return moved, err
		}
		if did {
			moved++
		}
	}
	return moved, nil
}
