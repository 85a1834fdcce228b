package journey

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }

// Receipt says what an input did.
type Receipt struct {
	// Duplicate is set where the input had been recorded before; the rest is
	// then the first answer.
	Duplicate bool
	// Instances are those that it started, moved or ended.
	Instances []string
	// Err is set by [Engine.IngestBatch] where the input could not be taken.
	Err error
}

// Ingest takes one input: instances of the customer that wait for it move, and
// journeys that it starts begin; all of it in one commit. What is planned goes
// out at the next [Engine.RunDue]. An instance first lives through the waits that
// were over before the input came, so that a late sweep changes no answer.
//
// Inputs count in the order in which they are taken, at the time at which they were
// received: a late one meets its journeys as they stand by then, its own Time only
// decides on go-live and greatest age. Those that wait together for being taken are
// put in the order of their Time by [Engine.IngestBatch].
//
// An input that no deployed journey listens to is not recorded. The same ID
// again gives the first receipt; with other content, an error that matches
// [ErrInputConflict]. After an error nothing is recorded, and the same input
// may be given again, or set aside with [Engine.Park].
func (e *Engine) Ingest(ctx context.Context, x Input) (Receipt, error) {
	if x.Received.IsZero() {
		x.Received = e.now()
	}
	if err := x.admissible(); err != nil {
		return Receipt{}, err
	}
	return e.ingest(ctx, x, "")
}

// IngestTransition takes a customer's entering or leaving of an audience.
func (e *Engine) IngestTransition(ctx context.Context, t Transition) (Receipt, error) {
	return e.Ingest(ctx, t.input())
}

func (e *Engine) ingest(ctx context.Context, x Input, parent string) (Receipt, error) {
	if err := e.refresh(ctx); err != nil {
		return Receipt{}, err
	}
	a, err := e.arrive(ctx, x, parent)
	if a == nil {
		return Receipt{}, err
	}
	return e.alone(ctx, a)
}

// arrival is an input on its way in.
type arrival struct {
	x      Input
	digest string
	parent string
	starts []*Definition
	keys   []EntryKey // of starts; one without a journey does not start it
	// careful asks whether an instance is there although no entry tells of it: a
	// customer's entries may have been erased while an instance lives on under the ID
	// that the customer was merged into.
	careful bool
}

// arrive looks at an input before the store is asked; nil is one that no journey
// listens to.
func (e *Engine) arrive(ctx context.Context, x Input, parent string) (*arrival, error) {
	starts, heard := e.listeners(&x)
	if !heard && len(x.Consents) == 0 {
		return nil, nil
	}
	digest, err := x.digest()
	if err != nil {
		return nil, err
	}
	if e.cfg.Resolve != nil {
		if x.Customer, err = e.cfg.Resolve(ctx, x.Customer); err != nil {
			return nil, err
		}
	}
	a := &arrival{x: x, digest: digest, parent: parent, starts: starts, keys: make([]EntryKey, len(starts))}
	for i, d := range starts {
		if key, ok := d.entryKey(&x); ok {
			a.keys[i] = EntryKey{d.Name(), x.Customer, key}
		}
	}
	return a, nil
}

// lookup is what has to be known of the customer.
func (a *arrival) lookup() Lookup {
	l := Lookup{Customer: a.x.Customer, Input: a.x.ID, Instance: a.parent}
	for _, k := range a.keys {
		if k.Journey != "" {
			l.Entries = append(l.Entries, k)
		}
	}
	return l
}

// alone takes an input in a commit of its own.
func (e *Engine) alone(ctx context.Context, a *arrival) (Receipt, error) {
	var receipt Receipt
	err := again(ctx, func() error {
		f, err := e.store.Get(ctx, a.lookup())
		if err != nil {
			return err
		}
		u, r, err := e.take(ctx, a, &f)
		if err != nil {
			return err
		}
		receipt = r
		err = u.commit(ctx)
		a.careful = a.careful || isConflict(err)
		return err
	})
	if err != nil {
		return Receipt{}, err
	}
	return receipt, nil
}

// listeners are the current definitions that an input may start. It is heard
// if it may start or move an instance of any version.
func (e *Engine) listeners(x *Input) (starts []*Definition, heard bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	l := listen{x.Kind, x.Name}
	for _, name := range e.order {
		if d := e.current[name]; d.starts[l] {
			starts = append(starts, d)
		}
	}
	for _, d := range e.known {
		if d.watchful || d.listens[l] {
			return starts, true
		}
	}
	return starts, false
}

// take is what an input does with what the store has found: a unit to commit,
// which for a duplicate is empty, and the receipt.
func (e *Engine) take(ctx context.Context, a *arrival, f *Found) (*unit, Receipt, error) {
	x := a.x
	if f.Input != nil {
		if f.Input.Digest != a.digest {
			return nil, Receipt{}, ErrInputConflict
		}
		return &unit{e: e}, Receipt{Duplicate: true, Instances: f.Input.Instances}, nil
	}
	if err := e.recall(ctx, a, f); err != nil {
		return nil, Receipt{}, err
	}
	now := x.Received
	if x.Mode == profile.Backfill {
		now = x.Time
	}
	u := e.unit(now, f)
	u.input = &InputRow{ID: x.ID, Digest: a.digest, Customer: x.Customer, At: x.Time}
	row := u.contact.Row
	for _, act := range x.Consents {
		row = row.WithConsent(act, x.Time)
	}
	if len(x.Consents) > 0 {
		u.setContact(row)
	}
	before := len(u.rows)
	for _, row := range u.rows[:before] {
		if x.Instance != "" && row.Instance.ID != x.Instance {
			continue
		}
		moved, err := u.hear(ctx, row, x, now)
		if err != nil {
			return nil, Receipt{}, err
		}
		if moved {
			u.input.Instances = append(u.input.Instances, row.Instance.ID)
		}
	}
	for i, d := range a.starts {
		if a.keys[i].Journey == "" || x.Instance != "" {
			continue
		}
		if err := u.admit(ctx, d, a, a.keys[i], f, now, before); err != nil {
			return nil, Receipt{}, err
		}
	}
	return u, Receipt{Instances: u.input.Instances}, nil
}

// recall adds the entries of customers that were merged into this one: they count
// for the re-entry rules as its own do.
func (e *Engine) recall(ctx context.Context, a *arrival, f *Found) error {
	var l Lookup
	for _, id := range f.Contact.Former {
		for _, k := range a.keys {
			if k.Journey != "" {
				l.Entries = append(l.Entries, EntryKey{k.Journey, id, k.Key})
			}
		}
	}
	if len(l.Entries) == 0 {
		return nil
	}
	former, err := e.store.Get(ctx, l)
	f.Entries = append(slices.Clip(f.Entries), former.Entries...)
	return err
}

// hear lets an instance live up to now and gives it an input; it reports whether
// that took an edge. An instance that is sick is set aside, as it was, so that it
// does not hold up the feed.
func (u *unit) hear(ctx context.Context, row *InstanceRow, x Input, now time.Time) (moved bool, err error) {
	kept, lines, effects := *row, len(u.batch.History), len(u.batch.Effects)
	err = u.elapse(ctx, row, now)
	was := row.Instance
	if err == nil {
		err = u.step(ctx, row, x, later(now, row.Instance.EnteredAt))
	}
	if errors.Is(err, ErrLoop) || errors.Is(err, ErrVersion) {
		*row, u.batch.History, u.batch.Effects = kept, u.batch.History[:lines], u.batch.Effects[:effects]
		u.giveUp(row, now, err)
		return false, nil
	}
	return err == nil && row.Instance.hasMoved(&was), err
}

// hasMoved reports whether the instance has taken an edge since it was as given; to
// have its waits counted anew is no move.
func (in *Instance) hasMoved(was *Instance) bool {
	return in.Burst != was.Burst || !in.BurstAt.Equal(was.BurstAt)
}

// later is the later of two times: a step never goes back behind the state's entry.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// entryKey is the correlation key under which an input may start the journey.
func (d *Definition) entryKey(x *Input) (string, bool) {
	for i := range d.entries {
		e := &d.entries[i]
		if x.Kind != InputKind(e.trigger.Kind) || x.Name != e.trigger.Name || !d.speaks(x) {
			continue
		}
		if e.keyProp == "" || d.spec.Reentry.PerCustomer {
			return "", true
		}
		v, has := x.Props[e.keyProp]
		if has || x.Kind != EventInput {
			return keyText(v), true
		}
	}
	return "", false
}

// admits reports whether go-live, age and earlier entries let the input in.
func (d *Definition) admits(x *Input, entry *EntryRow, now time.Time) bool {
	s := &d.spec
	if !s.GoLive.IsZero() && x.Time.Before(s.GoLive) || s.MaxAge > 0 && now.Sub(x.Time) > time.Duration(s.MaxAge) {
		return false
	}
	return entry.Run == 0 || s.Reentry.Rule != Once && (s.Reentry.Rest <= 0 || now.Sub(entry.EnteredAt) >= time.Duration(s.Reentry.Rest))
}

// meeting is how an entry meets an instance that was open before it.
type meeting uint8

const (
	meetsNobody meeting = iota // another journey or key, or one that has ended by the input
	meetsActive
	meetsHeard // the instance has taken the input for itself
)

func (d *Definition) meets(in *Instance, key string, heard bool) meeting {
	rule := d.spec.Reentry
	switch {
	case in.Journey != d.spec.Name || !rule.PerCustomer && in.Key != key:
		return meetsNobody
	case heard && rule.Rule != Always:
		return meetsHeard
	case in.Open():
		return meetsActive
	}
	return meetsNobody
}

// repeats reports whether an entry may start beside or instead of an active one.
func (d *Definition) repeats() bool {
	return d.spec.Reentry.Rule == Restart || d.spec.Reentry.Rule == Always
}

// admit starts the journey where re-entry, go-live and age let it.
func (u *unit) admit(ctx context.Context, d *Definition, a *arrival, key EntryKey, f *Found, now time.Time, before int) error {
	x := a.x
	entry, last := EntryRow{EntryKey: key}, EntryRow{}
	for _, r := range f.Entries {
		if r.EntryKey == key {
			entry = r
		}
		if r.Journey == key.Journey && r.Key == key.Key && (last.Run == 0 || r.EnteredAt.After(last.EnteredAt)) {
			last = r
		}
	}
	if !d.admits(&x, &last, now) {
		return nil
	}
	var active []*InstanceRow
	for _, row := range u.rows[:before] {
		switch d.meets(&row.Instance, key.Key, slices.Contains(u.input.Instances, row.Instance.ID)) {
		case meetsHeard:
			return nil
		case meetsActive:
			active = append(active, row)
		}
	}
	if len(active) > 0 && !d.repeats() {
		return nil
	}
	in := Instance{Run: entry.Run + 1, Parent: a.parent}
	if f.Instance != nil {
		in.BurstAt, in.Burst = f.Instance.Instance.BurstAt, f.Instance.Instance.Burst
	}
	row, err := u.start(ctx, d, in, x, now)
	for err == nil && row != nil && (a.careful || u.e.within) {
		there, err := u.e.store.Get(ctx, Lookup{Instance: row.Instance.ID})
		if err != nil {
			return err
		}
		if there.Instance == nil {
			break
		}
		u.revoke(row)
		in.Run++
		if row, err = u.start(ctx, d, in, x, now); err != nil {
			return err
		}
	}
	if err != nil || row == nil {
		return err
	}
	if d.spec.Reentry.Rule == Restart {
		for _, old := range active {
			u.close(old, restarted(&old.Instance, now))
		}
	}
	u.input.Instances = append(u.input.Instances, row.Instance.ID)
	entry.Run, entry.EnteredAt = row.Instance.Run, now
	u.batch.Entries = append(u.batch.Entries, entry)
	return nil
}

// restarted ends an instance whose customer starts anew.
func restarted(in *Instance, now time.Time) Record { return in.stop("restarted", "started anew", now) }

// stop ends an instance from outside; its messages are no longer needed.
func (in *Instance) stop(outcome, why string, at time.Time) Record {
	in.Seq++
	in.Status, in.Outcome, in.Success, in.NeedUntil = Ended, outcome, false, in.Seq
	in.EndedAt, in.Due = later(at, in.EnteredAt), time.Time{}
	r := newRecord(in, OperatorRecord, at)
	r.From, r.Cause, r.Detail = in.State, outcome, why
	return r
}

// farewell is what an instance that was stopped tells the journey that started it.
func farewell(in *Instance, at time.Time) (Effect, bool) {
	return Effect{
		Key: effectKey(in, 0), Kind: ReturnEffect, Name: in.Journey,
		Customer: in.Customer, Instance: in.ID, Journey: in.Journey, Seq: in.Seq, At: at,
		Args: profile.Values{"outcome": profile.Text(in.Outcome), "success": profile.Flag(false)},
	}, in.Parent != ""
}

// stop ends an instance from outside.
func (u *unit) stop(row *InstanceRow, outcome, why string, at time.Time) {
	u.close(row, row.Instance.stop(outcome, why, at))
}

// close writes down an instance that was stopped.
func (u *unit) close(row *InstanceRow, r Record) {
	row.Attempts, row.Error, row.Dead = 0, "", false
	u.batch.History = append(u.batch.History, r)
	if f, ok := farewell(&row.Instance, r.At); ok {
		u.putEffect(EffectRow{State: Pending, Wake: r.At, Effect: f}, &row.Instance, r.At)
	}
	u.touch(row)
}
