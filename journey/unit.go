package journey

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// unit gathers what one commit will write about one customer.
type unit struct {
	e       *Engine
	now     time.Time
	rows    []*InstanceRow // in a fixed order; those of this commit's making at the end
	dirty   map[string]bool
	contact ContactRow
	input   *InputRow // nil where the commit takes none
	batch   Batch
	moves   []Move
	effects []Effect
}

// maxChain bounds the steps that one commit may take for one instance.
const maxChain = 1000

func (e *Engine) unit(now time.Time, f *Found) *unit {
	u := &unit{e: e, now: now, dirty: map[string]bool{}, contact: f.Contact}
	for i := range f.Instances {
		u.rows = append(u.rows, &f.Instances[i])
	}
	return u
}

// touch marks an instance to be written.
func (u *unit) touch(row *InstanceRow) { u.dirty[row.Instance.ID] = true }

// elapse lets an instance live through every wait that is over by a time, each
// at its own instant, so that a late sweep changes nothing.
func (u *unit) elapse(ctx context.Context, row *InstanceRow, until time.Time) error {
	for range maxChain {
		due := row.Instance.Due
		if row.Instance.Status != Active || due.IsZero() || due.After(until) || row.Dead {
			return nil
		}
		seq := row.Instance.Seq
		if err := u.step(ctx, row, Input{Kind: TimerInput, Time: due, Mode: row.Instance.Mode}, due); err != nil {
			return err
		}
		if row.Instance.Seq == seq {
			return fmt.Errorf("%w: a wait that does not end", ErrLoop)
		}
	}
	return fmt.Errorf("%w: %d waits at once", ErrLoop, maxChain)
}

// step takes an instance through one input and notes what follows.
func (u *unit) step(ctx context.Context, row *InstanceRow, x Input, at time.Time) error {
	in := &row.Instance
	d, err := u.e.version(ctx, DefinitionKey{in.Journey, in.Version})
	if err != nil {
		return err
	}
	if x.Facts, err = u.facts(ctx, d, d.Needs(in), in.Customer, at); err != nil {
		return err
	}
	u.moves, u.effects = u.moves[:0], u.effects[:0]
	seq := in.Seq
	effects, err := d.step(in, &x, at, u.effects, &u.moves)
	if err != nil || in.Seq == seq {
		return err
	}
	return u.after(ctx, d, row, &x, at, effects)
}

// facts asks the world, and recalls what the customer has drawn.
func (u *unit) facts(ctx context.Context, d *Definition, n *Needs, customer profile.ID, at time.Time) (Facts, error) {
	f, err := u.e.facts(ctx, d, n, customer, &u.contact.Row, at)
	f.Arms = u.contact.arms(d)
	return f, err
}

// start starts an instance if the input is an entry that admits the customer.
func (u *unit) start(ctx context.Context, d *Definition, in Instance, x Input, at time.Time) (*InstanceRow, error) {
	var err error
	if x.Facts, err = u.facts(ctx, d, d.Needs(&in), x.Customer, at); err != nil {
		return nil, err
	}
	u.moves, u.effects = u.moves[:0], u.effects[:0]
	effects, err := d.step(&in, &x, at, u.effects, &u.moves)
	if err != nil || in.Status == 0 {
		return nil, err
	}
	row := &InstanceRow{Instance: in}
	u.rows = append(u.rows, row)
	return row, u.after(ctx, d, row, &x, at, effects)
}

// revoke takes back an instance that this commit was to start.
func (u *unit) revoke(row *InstanceRow) {
	id := row.Instance.ID
	delete(u.dirty, id)
	u.rows = u.rows[:len(u.rows)-1]
	u.batch.History = slices.DeleteFunc(u.batch.History, func(r Record) bool { return r.Instance == id })
	u.batch.Effects = slices.DeleteFunc(u.batch.Effects, func(er EffectRow) bool { return er.Effect.Instance == id })
}

// after writes down a step: the history of its moves, its effects as entries of
// the outbox. What follows from a backfill is withheld, and the instance told so.
func (u *unit) after(ctx context.Context, d *Definition, row *InstanceRow, x *Input, at time.Time, effects []Effect) error {
	in := &row.Instance
	row.Attempts, row.Error = 0, ""
	u.touch(row)
	for _, m := range u.moves {
		u.batch.History = append(u.batch.History, movedRecord(d, in, m, x, at))
		if d.edges[m.Edge].spec.Share > 0 && u.contact.drawn(Arm{d.Name(), m.From, m.To}) {
			u.putContact()
		}
	}
	var withheld []Effect
	for _, f := range effects {
		var er EffectRow
		er.plan(&f)
		if er.State != Pending {
			withheld = append(withheld, f)
		}
		u.putEffect(er, in, at)
	}
	for _, f := range withheld {
		if err := u.step(ctx, row, Input{Kind: FailedInput, Name: f.Name, Time: at, Mode: profile.Backfill}, at); err != nil {
			return err
		}
	}
	return nil
}

// withheld reports whether the effect follows from a backfill and is held back
// for good; what moves state only is not.
func (f *Effect) withheld() bool {
	return f.Mode == profile.Backfill && f.Kind != StartEffect && f.Kind != ReturnEffect
}

// plan makes a new entry of the outbox of an effect.
func (er *EffectRow) plan(f *Effect) {
	er.Effect, er.State, er.Wake = *f, Pending, f.At
	if f.withheld() {
		er.State, er.Wake, er.Told, er.Detail = Suppressed, time.Time{}, true, "follows from a backfill"
	}
}

// putEffect writes an effect and its line of history.
func (u *unit) putEffect(er EffectRow, in *Instance, at time.Time) {
	u.batch.Effects = append(u.batch.Effects, er)
	u.batch.History = append(u.batch.History, effectRecord(&er, in, at))
}

// tells reports whether the instance has to hear where the effect has come to.
func (er *EffectRow) tells() bool {
	return er.Effect.Kind != ReturnEffect && (er.State.Finished() || er.State == Uncertain && er.Wake.IsZero())
}

// outcome tells an instance how its effect ended.
func (u *unit) outcome(ctx context.Context, row *InstanceRow, er *EffectRow) error {
	if !row.Instance.Open() && row.Instance.Pending == 0 {
		return nil
	}
	return u.step(ctx, row, er.outcome(u.now), u.now)
}

// outcome is how an effect ended, as an input.
func (er *EffectRow) outcome(now time.Time) Input {
	x := Input{Kind: FailedInput, Name: er.Effect.Name, Time: now, Mode: er.Effect.Mode, told: er.Told}
	switch er.State {
	case Confirmed:
		x.Kind = DoneInput
	case Uncertain:
		x.Kind = DoubtInput
	}
	return x
}

// giveUp sets an instance aside that cannot go on, until Retry.
func (u *unit) giveUp(row *InstanceRow, now time.Time, cause error) {
	row.Dead, row.Error = true, cause.Error()
	r := newRecord(&row.Instance, ErrorRecord, now)
	r.Cause, r.Detail = "given up", row.Error
	u.batch.History = append(u.batch.History, r)
	u.touch(row)
}

// setContact writes the contact row.
func (u *unit) setContact(row contact.Row) {
	u.contact.Row = row
	u.putContact()
}

func (u *unit) putContact() {
	i := slices.IndexFunc(u.batch.Contacts, func(c ContactRow) bool { return c.Customer == u.contact.Customer })
	if i < 0 {
		u.batch.Contacts = append(u.batch.Contacts, u.contact)
		return
	}
	u.batch.Contacts[i] = u.contact
}

// seal completes the batch.
func (u *unit) seal() *Batch {
	for _, row := range u.rows {
		if !u.dirty[row.Instance.ID] {
			continue
		}
		if row.Wake = row.Instance.Due; row.Dead {
			row.Wake = time.Time{}
		}
		u.batch.Instances = append(u.batch.Instances, *row)
	}
	if u.input != nil {
		u.batch.Inputs = []InputRow{*u.input}
	}
	return &u.batch
}

// commit writes everything.
func (u *unit) commit(ctx context.Context) error { return u.e.commit(ctx, u.seal()) }

// commit writes a batch and tells Run of it.
func (e *Engine) commit(ctx context.Context, b *Batch) error {
	if b.empty() {
		return nil
	}
	err := e.store.Commit(ctx, b)
	if err == nil {
		e.wake()
	}
	return err
}

func (b *Batch) empty() bool {
	return len(b.Inputs)+len(b.Erase)+len(b.Instances)+len(b.Effects)+len(b.Contacts)+len(b.Entries)+len(b.History) == 0
}

// again runs an attempt until it meets no one else's commit.
func again(ctx context.Context, attempt func() error) error {
	var err error
	for range commitTries {
		if err = attempt(); !isConflict(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}
