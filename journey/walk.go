package journey

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Walk is one customer's life in virtual time: what an engine does, without a
// store, so that it can be copied and played in many ways. It is for one
// goroutine.
type Walk struct {
	s         *Simulator
	id        profile.ID
	now       time.Time
	book      contact.Book
	drawn     map[string]map[string]string // by journey, see Facts.Arms; those that were asked for
	instances []Instance
	of        []int // of each instance, which of the journeys it goes through
	open      []int // of instances, in the order in which an engine tries them
	outbox    []EffectRow
	entries   []EntryRow
	log       func(Record) // nil where nobody listens
	tally     *tally       // nil where nobody counts
	play      *play        // nil where the walk is somebody's
	// What is used again and again.
	effects []Effect
	moves   []Move
	before  []int
	er      EffectRow // the effect that is carried
}

// Walk begins a customer's life at a time.
func (s *Simulator) Walk(id profile.ID, at time.Time) *Walk {
	w := &Walk{s: s, id: id, now: micro(at)}
	if s.cfg.Rows != nil {
		w.book.Reset(s.cfg.Rows(id))
	}
	return w
}

// Clone is a copy whose life goes on by itself. It has no listener.
func (w *Walk) Clone() *Walk {
	c := *w
	c.instances, c.of, c.open = slices.Clone(w.instances), slices.Clone(w.of), slices.Clone(w.open)
	c.outbox, c.entries = slices.Clone(w.outbox), slices.Clone(w.entries)
	c.log, c.effects, c.moves, c.before = nil, nil, nil, nil
	c.drawn, c.book = maps.Clone(w.drawn), contact.Book{}
	c.book.Reset(w.book.Row())
	return &c
}

// Listen calls a function with every line of history from here on; nil stops it.
func (w *Walk) Listen(f func(Record)) { w.log = f }

// Now is the time of the walk.
func (w *Walk) Now() time.Time { return w.now }

// Contact is the customer's contact row.
func (w *Walk) Contact() contact.Row { return w.book.Row() }

// SetContact replaces the customer's contact row. Waits for a local time follow
// a new zone.
func (w *Walk) SetContact(ctx context.Context, row contact.Row) error {
	moves := row.Zone != w.book.Zone()
	for _, i := range slices.Clone(w.open) {
		if !moves {
			break
		}
		if err := w.elapse(ctx, i, w.now); err != nil { // what is over is over by the old clock
			return err
		}
	}
	w.book.Reset(row)
	if !moves {
		return nil
	}
	return w.again(ctx, nil)
}

// TraitsChanged lets waits for a date in a trait, and conditions on it, look at the
// traits of these names anew.
func (w *Walk) TraitsChanged(ctx context.Context, names ...string) error {
	return w.again(ctx, func(d *Definition) bool { return d.looksAt(names) })
}

// again lets open instances of journeys that are concerned look at the world anew;
// nil is all.
func (w *Walk) again(ctx context.Context, concerned func(*Definition) bool) error {
	for _, i := range slices.Clone(w.open) {
		if concerned != nil && !concerned(w.definition(i)) {
			continue
		}
		if err := w.elapse(ctx, i, w.now); err != nil {
			return err
		}
		in := &w.instances[i]
		x := Input{Kind: ZoneInput, Time: w.now}
		if concerned == nil {
			x.Mode = in.Mode
		}
		if err := w.step(ctx, i, &x, later(w.now, in.EnteredAt)); err != nil {
			return err
		}
	}
	return nil
}

// Instances are all instances so far, in the order in which they were started.
func (w *Walk) Instances() []Instance { return slices.Clone(w.instances) }

// Pending are the effects that are not finished.
func (w *Walk) Pending() []EffectRow { return slices.Clone(w.outbox) }

// Next is when something is due; the zero time is never.
func (w *Walk) Next() time.Time {
	_, _, at := w.earliest()
	return at
}

// earliest finds what is due first: an instance or an effect, −1 for none, in the
// order in which an engine claims.
func (w *Walk) earliest() (instance, effect int, at time.Time) {
	instance, effect = -1, -1
	for _, i := range w.open {
		in := &w.instances[i]
		if in.Due.IsZero() || in.Status != Active {
			continue
		}
		if c := in.Due.Compare(at); at.IsZero() || c < 0 || c == 0 && in.ID < w.instances[instance].ID {
			instance, at = i, in.Due
		}
	}
	for i := range w.outbox {
		er := &w.outbox[i]
		if er.Wake.IsZero() {
			continue
		}
		c := -1
		if !at.IsZero() {
			c = er.Wake.Compare(at)
		}
		if c < 0 || c == 0 && effect >= 0 && before(&er.Effect, &w.outbox[effect].Effect) {
			instance, effect, at = -1, i, er.Wake
		}
	}
	return instance, effect, at
}

func before(a, b *Effect) bool {
	switch {
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	case a.Key != "":
		return a.Key < b.Key
	case a.Instance != b.Instance: // without keys, see play
		return a.Instance < b.Instance
	}
	return a.Seq < b.Seq // and those of one step lie in their order
}

// Advance lives up to a time: everything due happens at its own time.
func (w *Walk) Advance(ctx context.Context, to time.Time) error {
	to = micro(to)
	for range maxDue {
		instance, effect, at := w.earliest()
		if at.IsZero() || at.After(to) {
			w.now = later(w.now, to)
			return nil
		}
		w.now = later(w.now, at)
		var err error
		if instance >= 0 {
			err = w.elapse(ctx, instance, w.now)
		} else {
			err = w.carry(ctx, effect)
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %d due times on the way", ErrLoop, maxDue)
}

// maxDue bounds the due times of one Advance.
const maxDue = 1_000_000

// Ingest takes an input at its time of receipt (that of the event where it has
// none), after everything that was due by then. It does not look at IDs.
func (w *Walk) Ingest(ctx context.Context, x Input) error {
	return w.hear(ctx, &x, w.s.routeOf(listen{x.Kind, x.Name}))
}

// hear is Ingest of an input that is the walk's to change.
func (w *Walk) hear(ctx context.Context, x *Input, r *route) error {
	x.Customer = w.id
	x.Time = micro(x.Time)
	if x.Received = micro(x.Received); x.Received.IsZero() {
		x.Received = x.Time
	}
	if x.Received.After(w.now) {
		if err := w.Advance(ctx, x.Received); err != nil {
			return err
		}
	}
	x.Received = w.now
	return w.ingest(ctx, x, r, "")
}

func (w *Walk) ingest(ctx context.Context, x *Input, r *route, parent string) error {
	x.play = w.play
	for i := range x.Consents {
		w.book.Consent(x.Consents[i], x.Time)
	}
	if r == nil {
		return nil
	}
	now := x.Received
	if x.Mode == profile.Backfill {
		now = x.Time
	}
	before := append(w.before[:0], w.open...)
	w.before = before
	var moved []string
	for _, i := range before {
		in := &w.instances[i]
		if x.Instance != "" && in.ID != x.Instance {
			continue
		}
		if err := w.elapse(ctx, i, now); err != nil {
			return err
		}
		in = &w.instances[i]
		was := Instance{Burst: in.Burst, BurstAt: in.BurstAt}
		if err := w.step(ctx, i, x, later(now, in.EnteredAt)); err != nil {
			return err
		}
		if in = &w.instances[i]; in.hasMoved(&was) {
			moved = append(moved, in.ID)
		}
	}
	if x.Instance != "" {
		return nil
	}
	for _, j := range r.starts {
		if err := w.admit(ctx, j, x, now, parent, before, moved); err != nil {
			return err
		}
	}
	return nil
}

// admit is what an engine does with an entry.
func (w *Walk) admit(ctx context.Context, j int, x *Input, now time.Time, parent string, before []int, moved []string) error {
	d := w.s.journeys[j]
	key, ok := d.entryKey(x)
	if !ok {
		return nil
	}
	e := slices.IndexFunc(w.entries, func(r EntryRow) bool { return r.Journey == d.spec.Name && r.Key == key })
	entry := EntryRow{EntryKey: EntryKey{d.spec.Name, w.id, key}}
	if e >= 0 {
		entry = w.entries[e]
	}
	if !d.admits(x, &entry, now) {
		return nil
	}
	var active []int
	for _, i := range before {
		in := &w.instances[i]
		switch d.meets(in, key, slices.Contains(moved, in.ID)) {
		case meetsHeard:
			return nil
		case meetsActive:
			active = append(active, i)
		}
	}
	if len(active) > 0 && !d.repeats() {
		return nil
	}
	i := len(w.instances)
	w.instances, w.of = append(w.instances, Instance{Run: entry.Run + 1, Parent: parent}), append(w.of, j)
	in := &w.instances[i]
	if by := w.index(parent); by >= 0 {
		in.BurstAt, in.Burst = w.instances[by].BurstAt, w.instances[by].Burst
	}
	err := w.facts(ctx, d, d.Needs(in), x, now)
	var effects []Effect
	if err == nil {
		w.moves = w.moves[:0]
		effects, err = w.take(d, in, x, now)
	}
	if err != nil || in.Status == 0 {
		w.instances, w.of = w.instances[:i], w.of[:i]
		return err
	}
	run := in.Run
	if in.Open() {
		at, _ := slices.BinarySearchFunc(w.open, in, func(j int, in *Instance) int { return compareInstances(&w.instances[j], in) })
		w.open = slices.Insert(w.open, at, i)
	}
	if err := w.after(ctx, d, i, x, now, effects); err != nil {
		return err
	}
	if d.spec.Reentry.Rule == Restart {
		for _, j := range active {
			w.stop(j, now)
		}
	}
	entry.Run, entry.EnteredAt = run, now
	if e < 0 {
		w.entries = append(w.entries, entry)
	} else {
		w.entries[e] = entry
	}
	return nil
}

// stop ends an instance that was started anew.
func (w *Walk) stop(i int, now time.Time) {
	in := &w.instances[i]
	r := restarted(in, now)
	if w.log != nil {
		w.log(r)
	}
	if f, ok := farewell(in, now); ok {
		if w.play.isBare() {
			f.Key = ""
		}
		w.outbox = append(w.outbox, EffectRow{Effect: f, State: Pending, Wake: now})
	}
	w.shut(i)
}

// shut takes an instance that has ended off the open ones.
func (w *Walk) shut(i int) {
	if j := slices.Index(w.open, i); j >= 0 && !w.instances[i].Open() {
		w.open = slices.Delete(w.open, j, j+1)
	}
}

// wanted is where moves are noted, nil where nobody listens.
func (w *Walk) wanted() *[]Move {
	if w.log == nil {
		return nil
	}
	return &w.moves
}

func (w *Walk) elapse(ctx context.Context, i int, until time.Time) error {
	for range maxChain {
		in := &w.instances[i]
		due, seq := in.Due, in.Seq
		if in.Status != Active || due.IsZero() || due.After(until) {
			return nil
		}
		if err := w.step(ctx, i, &Input{Kind: TimerInput, Time: due, Mode: in.Mode, play: w.play}, due); err != nil {
			return err
		}
		if w.instances[i].Seq == seq {
			return fmt.Errorf("%w: a wait that does not end", ErrLoop)
		}
	}
	return fmt.Errorf("%w: %d waits at once", ErrLoop, maxChain)
}

func (w *Walk) step(ctx context.Context, i int, x *Input, at time.Time) error {
	d := w.definition(i)
	if err := w.facts(ctx, d, d.Needs(&w.instances[i]), x, at); err != nil {
		return err
	}
	w.moves = w.moves[:0]
	in := &w.instances[i]
	seq := in.Seq
	effects, err := w.take(d, in, x, at)
	if err != nil || in.Seq == seq {
		return err
	}
	return w.after(ctx, d, i, x, at, effects)
}

// take is a step of an instance. In a simulation, which ends where one fails, it goes
// without the copy that would be the way back.
func (w *Walk) take(d *Definition, in *Instance, x *Input, at time.Time) ([]Effect, error) {
	if w.play == nil {
		return d.step(in, x, at, w.effects[:0], w.wanted())
	}
	if d.plain(in, x, at, nil) {
		return w.effects[:0], nil
	}
	seq, fired, firedAt := in.Seq, in.Fired, in.FiredAt
	effects, err := d.drive(in, x, at, w.effects[:0], nil)
	if in.Seq == seq {
		in.Fired, in.FiredAt = fired, firedAt
	}
	return effects, err
}

func (w *Walk) definition(i int) *Definition { return w.s.journeys[w.of[i]] }

// facts asks the world what a step may need to know.
func (w *Walk) facts(ctx context.Context, d *Definition, n *Needs, x *Input, at time.Time) error {
	x.Facts = Facts{Zone: w.s.zoneNamed(w.book.Zone(), d), Calendars: w.s.calendars}
	if d.splits && w.s.cfg.Draws != nil {
		arms, asked := w.drawn[d.spec.Name]
		if !asked {
			drawn, err := w.s.cfg.Draws(ctx, w.id)
			if err != nil {
				return fmt.Errorf("journey: draws: %w", err)
			}
			arms = (&ContactRow{Arms: drawn}).arms(d)
			if w.drawn == nil {
				w.drawn = map[string]map[string]string{}
			}
			w.drawn[d.spec.Name] = arms
		}
		x.Facts.Arms = arms
	}
	return w.s.ask(ctx, &x.Facts, n, w.id, at)
}

// after notes what a step did.
func (w *Walk) after(ctx context.Context, d *Definition, i int, x *Input, at time.Time, effects []Effect) error {
	w.effects = effects[:0]
	in := &w.instances[i]
	if w.log != nil {
		for _, m := range w.moves {
			w.log(movedRecord(d, in, m, x, at))
		}
	}
	withheld := 0
	for j := range effects {
		w.outbox = append(w.outbox, EffectRow{})
		er := &w.outbox[len(w.outbox)-1]
		er.plan(&effects[j])
		if w.log != nil {
			w.log(effectRecord(er, in, at))
		}
		if er.State != Pending {
			withheld++
			w.outbox = w.outbox[:len(w.outbox)-1]
		}
	}
	w.shut(i)
	if withheld == 0 {
		return nil
	}
	for _, f := range slices.Clone(effects) {
		if f.withheld() {
			if err := w.step(ctx, i, &Input{Kind: FailedInput, Name: f.Name, Time: at, Mode: profile.Backfill}, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// carry brings an effect of the outbox forward.
func (w *Walk) carry(ctx context.Context, i int) error {
	er, now := &w.outbox[i], w.now
	switch er.Effect.Kind {
	case StartEffect, ReturnEffect:
		return w.relay(ctx, i)
	case MessageEffect:
		if er.State == Uncertain {
			break
		}
		owner := w.index(er.Effect.Instance)
		m := er.message(owner < 0 || w.instances[owner].NeedUntil > er.Effect.Seq)
		facts := contact.Facts{Zone: w.s.location(w.book.Zone())}
		var err error
		if facts.Consent, err = w.s.consents(ctx, &er.Effect, now); err != nil {
			return err
		}
		er.Decision = w.book.Decide(w.s.gate, &m, facts, now)
		switch er.Decision.Verdict {
		case contact.Defer:
			er.Wake, er.Detail = micro(er.Decision.Until), ""
			if w.log != nil {
				w.log(effectRecord(er, effectOwner(er), now))
			}
			if w.tally != nil && owner >= 0 {
				w.tally.deferred(w.of[owner], er)
			}
			return nil
		case contact.Suppress:
			er.State, er.Wake, er.Detail = Suppressed, time.Time{}, ""
			return w.finish(ctx, i)
		}
	}
	er.State = Leased
	er.Attempts++
	a := Confirm("")
	if w.s.cfg.Answer != nil {
		a = w.s.cfg.Answer(ctx, dispatchOf(er, now))
	}
	return w.settle(ctx, i, a)
}

// relay carries the i-th effect from one journey to another. What follows at once is
// put behind it.
func (w *Walk) relay(ctx context.Context, i int) error {
	a, f := Confirm(""), w.outbox[i].Effect
	if f.Kind == StartEffect {
		n := len(w.instances)
		x := childInput(&f, w.now)
		if err := w.ingest(ctx, &x, w.s.routeOf(listen{x.Kind, x.Name}), f.Instance); err != nil {
			return err
		}
		if len(w.instances) == n {
			a = Reject("not admitted")
		}
	} else if by := w.index(f.Instance); by >= 0 && w.instances[by].Parent != "" {
		x := returnInput(&f, w.instances[by].Parent, w.now)
		if err := w.ingest(ctx, &x, w.s.routeOf(listen{x.Kind, x.Name}), ""); err != nil {
			return err
		}
	}
	return w.settle(ctx, i, a)
}

// index finds an instance, −1 for none.
func (w *Walk) index(id string) int {
	for i := range w.instances {
		if w.instances[i].ID == id {
			return i
		}
	}
	return -1
}

// settle is what an engine does with an answer, on a channel that honors keys.
func (w *Walk) settle(ctx context.Context, i int, a Answer) error {
	w.s.retries.settled(&w.outbox[i], a, w.now, true)
	return w.finish(ctx, i)
}

// finish puts the i-th effect where it belongs and tells its instance.
func (w *Walk) finish(ctx context.Context, i int) error {
	er := &w.outbox[i]
	if er.State.Finished() || er.Wake.IsZero() {
		if last := len(w.outbox) - 1; i == last {
			w.outbox = w.outbox[:last] // er stays as it is until something is appended
		} else {
			w.er = *er
			er = &w.er
			w.outbox = slices.Delete(w.outbox, i, i+1)
		}
	}
	if w.log != nil {
		w.log(effectRecord(er, effectOwner(er), w.now))
	}
	if result, over := er.result(); over && er.Effect.Kind == MessageEffect {
		w.book.Settle(er.Effect.Key, result)
	}
	owner := w.index(er.Effect.Instance)
	if owner < 0 {
		return nil
	}
	if w.tally != nil {
		if err := w.tally.finished(ctx, w, owner, er); err != nil {
			return err
		}
	}
	in := &w.instances[owner]
	if !er.tells() || !in.Open() && in.Pending == 0 {
		return nil
	}
	x := er.outcome(w.now)
	x.play = w.play
	if err := w.elapse(ctx, owner, w.now); err != nil {
		return err
	}
	return w.step(ctx, owner, &x, w.now)
}

// reset begins another customer's life in the same space.
func (w *Walk) reset(id profile.ID, at time.Time) {
	clear(w.instances)
	clear(w.drawn)
	w.instances, w.of, w.open, w.outbox, w.entries = w.instances[:0], w.of[:0], w.open[:0], w.outbox[:0], w.entries[:0]
	w.play.again()
	w.id, w.now = id, micro(at)
	row := contact.Row{}
	if w.s.cfg.Rows != nil {
		row = w.s.cfg.Rows(id)
	}
	w.book.Reset(row)
}
