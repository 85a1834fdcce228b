package journey

import (
	"context"
	"errors"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Progress counts what a run did.
type Progress struct {
	// Timers are instances whose waits were over.
	Timers int
	// Confirmed, Rejected, Deferred, Suppressed, Uncertain, Retried and Dead count effects.
	Confirmed, Rejected, Deferred, Suppressed, Uncertain, Retried, Dead int
	// Failed counts steps that failed and will be tried again or are given up.
	Failed int
}

// RunDue does everything that is due by now: waits that are over, each at its
// own instant, and effects whose time has come, as of now. It returns when
// nothing is left, or with the context's error; what it had claimed by then
// comes back when the claim is over.
//
// Handlers are called one after the other, in order of due time. Several
// workers may run at once, in this program or in others on the same store.
//
// What a wait leads to is written as a whole. Up to Config.Gather customers share
// a commit, so that it costs little; where one of them is in the way (a row that
// another worker has changed), each is written by itself. An effect has two
// commits of its own, before and after the call.
func (e *Engine) RunDue(ctx context.Context, now time.Time) (Progress, error) {
	now = now.UTC().Truncate(time.Microsecond)
	var p Progress
	for {
		due, err := e.store.Claim(ctx, Claim{Now: now, Until: now.Add(e.cfg.Lease), Token: e.token, Limit: e.cfg.Batch})
		if err != nil || len(due) == 0 {
			return p, err
		}
		if err := e.runAll(ctx, due, now, &p); err != nil {
			return p, err
		}
	}
}

// runAll does claimed work in order. Waits that are over are gathered until
// something else of one of their customers is due.
func (e *Engine) runAll(ctx context.Context, due []Due, now time.Time, p *Progress) error {
	var timers []*InstanceRow
	waiting := map[profile.ID]bool{}
	flush := func() error {
		err := e.fireAll(ctx, timers, now, p)
		timers = timers[:0]
		clear(waiting)
		return err
	}
	for i := range due {
		if err := ctx.Err(); err != nil {
			return err
		}
		if row := due[i].Instance; row != nil && row.Instance.Customer != "" {
			if waiting[row.Instance.Customer] || len(timers) == max(e.cfg.Gather, readAtOnce) {
				if err := flush(); err != nil {
					return err
				}
			}
			timers = append(timers, row)
			waiting[row.Instance.Customer] = true
			continue
		}
		if er := due[i].Effect; er == nil || waiting[er.Effect.Customer] {
			if err := flush(); err != nil {
				return err
			}
		}
		var err error
		if due[i].Instance != nil {
			err = e.fire(ctx, due[i].Instance, now, p)
		} else {
			err = e.carry(ctx, due[i].Effect, now, p)
		}
		if err != nil && !takenOver(err) {
			return err
		}
	}
	return flush()
}

// takenOver reports that another worker has taken the row over.
func takenOver(err error) bool { return isConflict(err) || errors.Is(err, errLost) }

// NextDue is the next time at which RunDue has something to do; the zero time
// for never.
func (e *Engine) NextDue(ctx context.Context) (time.Time, error) { return e.store.Next(ctx) }

// Run does what is due, when it is due, until the context ends; then it returns
// nil. It sleeps to the next due time, and at most Config.Poll. An error of the
// store ends it.
func (e *Engine) Run(ctx context.Context) error {
	for {
		if _, err := e.RunDue(ctx, e.now()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		next, err := e.NextDue(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		sleep := e.cfg.Poll
		if !next.IsZero() {
			sleep = min(sleep, next.Sub(e.now()))
		}
		timer := time.NewTimer(max(sleep, 0))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-e.woken:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// fire lets an instance live through the waits that are over.
func (e *Engine) fire(ctx context.Context, row *InstanceRow, now time.Time, p *Progress) error {
	if row.Instance.Customer == "" {
		if err := e.tick(ctx, row, now); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.Failed++
			return e.fail(ctx, row, now, err)
		}
		p.Timers++
		row.Attempts, row.Error, row.Wake = 0, "", row.Instance.Due
		return e.store.Commit(ctx, &Batch{Instances: []InstanceRow{*row}})
	}
	f, err := e.store.Get(ctx, Lookup{Contacts: []profile.ID{row.Instance.Customer}})
	if err != nil {
		return err
	}
	contact := ContactRow{Customer: row.Instance.Customer}
	if len(f.Contacts) > 0 {
		contact = f.Contacts[0]
	}
	u := e.unit(now, &Found{Contact: contact})
	u.rows = append(u.rows, row)
	u.touch(row) // gives back the claim
	kept := *row
	if err := u.elapse(ctx, row, now); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.Failed++
		return e.fail(ctx, &kept, now, err)
	}
	p.Timers++
	return u.commit(ctx)
}

// fail puts a failing step on the retry schedule, or gives it up.
func (e *Engine) fail(ctx context.Context, row *InstanceRow, now time.Time, cause error) error {
	u := &unit{e: e, now: now, dirty: map[string]bool{}}
	u.refused(row, cause)
	if row.Wake = (time.Time{}); !row.Dead {
		row.Wake = now.Add(e.retries.after(row.Instance.ID, row.Attempts))
	}
	u.batch.Instances = []InstanceRow{*row}
	return e.store.Commit(ctx, &u.batch)
}

// refused counts a step of the instance that failed, and gives it up after too many.
func (u *unit) refused(row *InstanceRow, cause error) {
	row.Attempts++
	row.Error = cause.Error()
	r := newRecord(&row.Instance, ErrorRecord, u.now)
	r.Cause, r.Detail = "a step failed", row.Error
	if row.Dead = row.Dead || row.Attempts >= u.e.retries.attempts; row.Dead {
		r.Cause = "given up"
	}
	u.batch.History = append(u.batch.History, r)
	u.touch(row)
}

// carry brings one claimed effect forward.
func (e *Engine) carry(ctx context.Context, er *EffectRow, now time.Time, p *Progress) error {
	switch {
	case er.Effect.Kind == StartEffect:
		return e.startChild(ctx, er, now, p)
	case er.Effect.Kind == ReturnEffect:
		return e.returnToParent(ctx, er, now, p)
	case er.Effect.Kind == InputEffect:
		return e.unpark(ctx, er, now, p)
	}
	port, ok := e.portOf(er)
	switch er.State {
	case Leased: // the owner has vanished after storing the request
		er.State, er.Wake, er.Detail, er.Doubtful = Uncertain, time.Time{}, "the worker did not report back", true
		if port.HonorsKeys {
			er.Wake = now
		}
		p.Uncertain++
		return e.finish(ctx, er, now, p)
	case Uncertain:
		if !port.HonorsKeys {
			er.Wake = time.Time{}
			return e.finish(ctx, er, now, p)
		}
	case Pending:
		if er.Effect.Kind == MessageEffect {
			send, err := e.ask(ctx, er, now, p)
			if err != nil || !send {
				return err
			}
			if port, ok = e.portOf(er); !ok {
				return e.settle(ctx, er, Later("channel not registered", 0), now, p)
			}
		}
	default:
		if er.Wake = (time.Time{}); er.tells() && !er.Told { // the instance could not hear of it
			return e.finish(ctx, er, now, p)
		}
		return e.store.Commit(ctx, &Batch{Effects: []EffectRow{*er}})
	}
	if !ok {
		er.Attempts++
		return e.settle(ctx, er, Later("no handler registered", 0), now, p)
	}
	if er.State != Leased {
		if err := e.lease(ctx, er, now, nil); err != nil {
			return err
		}
	}
	call, cancel := context.WithTimeout(ctx, port.Timeout)
	answer := port.Handle(call, dispatchOf(er, now))
	cancel()
	return e.settle(context.WithoutCancel(ctx), er, answer, now, p)
}

func (e *Engine) portOf(er *EffectRow) (Port, bool) {
	if er.Effect.Kind == MessageEffect {
		p, ok := e.cfg.Channels[er.Decision.Channel]
		return p, ok
	}
	return e.port(er.Effect.Kind, er.Effect.Name)
}

// dispatchOf is the call of an effect. A message that another channel has refused
// goes out under a key of its own, because both may be behind one provider.
func dispatchOf(er *EffectRow, now time.Time) Dispatch {
	key := er.Effect.Key
	if er.Effect.Kind == MessageEffect && len(er.Refused) > 0 {
		key += "." + er.Decision.Channel
	}
	return Dispatch{Key: key, Effect: er.Effect, Channel: er.Decision.Channel, Attempt: er.Attempts, Cost: er.Decision.Cost, At: now}
}

// lease stores the request before the call, together with the reservation.
func (e *Engine) lease(ctx context.Context, er *EffectRow, now time.Time, c *ContactRow) error {
	er.State, er.Wake = Leased, now.Add(e.cfg.Lease)
	er.Attempts++
	b := Batch{Effects: []EffectRow{*er}}
	if c != nil {
		b.Contacts = []ContactRow{*c}
	}
	if err := e.store.Commit(ctx, &b); err != nil {
		return err
	}
	er.Version++
	return nil
}

// write stores an effect with its line of history.
func (e *Engine) write(ctx context.Context, er *EffectRow, now time.Time) error {
	u := &unit{e: e, now: now}
	u.putEffect(*er, effectOwner(er), now)
	return u.commit(ctx)
}

// effectOwner is as much of the instance as an effect knows.
func effectOwner(er *EffectRow) *Instance {
	f := &er.Effect
	return &Instance{ID: f.Instance, Journey: f.Journey, Customer: f.Customer, Mode: f.Mode}
}

// settle stores how a call went and tells the instance.
func (e *Engine) settle(ctx context.Context, er *EffectRow, a Answer, now time.Time, p *Progress) error {
	port, ok := e.portOf(er)
	next := *er
	e.retries.settled(&next, a, now, ok && port.HonorsKeys)
	p.count(&next)
	return e.finish(ctx, &next, now, p)
}

// count counts an effect that has come out of its lease.
func (p *Progress) count(er *EffectRow) {
	switch er.State {
	case Confirmed:
		p.Confirmed++
	case Rejected:
		p.Rejected++
	case Uncertain:
		p.Uncertain++
	case Dead:
		p.Dead++
	default:
		p.Retried++
	}
}

// finish stores an effect that has come out of its lease, the reservation that
// goes with it, and the instance that learns of it, all in one commit. It
// repeats when instance or contact row have moved, and fails with ErrConflict
// when the effect has: then the lease was lost. Where the instance cannot go on, how
// the effect ended is kept all the same, and the instance told again later.
func (e *Engine) finish(ctx context.Context, er *EffectRow, now time.Time, p *Progress) error {
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Customer: er.Effect.Customer, Instance: er.Effect.Instance, Effect: er.Effect.Key})
		if err != nil {
			return err
		}
		if f.Effect == nil || f.Effect.Version != er.Version {
			return errLost
		}
		stored := *er
		if in := f.Instance; in != nil && in.Instance.Customer != er.Effect.Customer { // merged meanwhile
			stored.Effect.Customer = in.Instance.Customer
			present, err := e.store.Get(ctx, Lookup{Contacts: []profile.ID{in.Instance.Customer}})
			if err != nil {
				return err
			}
			f.Contact = ContactRow{Customer: in.Instance.Customer}
			if len(present.Contacts) > 0 {
				f.Contact = present.Contacts[0]
			}
		}
		known := f.Effect.State == er.State && er.State.Finished() // all but the instance has been told
		put := func(u *unit) {
			if known {
				u.batch.Effects = append(u.batch.Effects, stored)
			} else {
				u.putEffect(stored, effectOwner(&stored), now)
			}
			if row, changed := stored.release(u.contact.Row); changed && er.Effect.Kind == MessageEffect {
				u.setContact(row)
			}
		}
		if f.Instance == nil || !er.tells() {
			stored.Told = stored.Told || er.tells()
			u := e.unit(now, &Found{Contact: f.Contact})
			put(u)
			return u.commit(ctx)
		}
		kept := *f.Instance
		u := e.unit(now, &Found{Contact: f.Contact})
		stored.Told = true
		put(u)
		u.rows = append(u.rows, f.Instance)
		if err = u.elapse(ctx, f.Instance, now); err == nil {
			err = u.outcome(ctx, f.Instance, er)
		}
		if err == nil {
			return u.commit(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.Failed++
		u = e.unit(now, &Found{Contact: f.Contact})
		u.rows = append(u.rows, &kept)
		u.refused(&kept, err)
		if stored.Told = er.Told; !kept.Dead {
			stored.Wake = now.Add(e.retries.after(er.Effect.Key, kept.Attempts))
		}
		put(u)
		return u.commit(ctx)
	})
}

// errLost reports a lease that another worker has taken over.
var errLost = errors.New("journey: lease lost")

// startChild starts the journey that an effect names.
func (e *Engine) startChild(ctx context.Context, er *EffectRow, now time.Time, p *Progress) error {
	receipt, err := e.ingest(ctx, childInput(&er.Effect, now), er.Effect.Instance)
	started := false
	if err == nil {
		started, err = e.started(ctx, receipt.Instances, er.Effect.Key)
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		er.Attempts++
		return e.settle(ctx, er, Later(err.Error(), 0), now, p)
	}
	answer := Confirm("")
	if !started {
		answer = Reject("not admitted")
	}
	return e.settle(ctx, er, answer, now, p)
}

// started reports whether an input started one of the instances, rather than moved
// them: then it stands in the first line of the history.
func (e *Engine) started(ctx context.Context, instances []string, input string) (bool, error) {
	for _, id := range instances {
		p, err := e.store.Page(ctx, Query{Kind: HistoryPage, Instance: id, Limit: 1})
		if err != nil || len(p.History) > 0 && p.History[0].Input == input {
			return err == nil, err
		}
	}
	return false, nil
}

// childInput starts the journey that an effect names.
func childInput(f *Effect, now time.Time) Input {
	return Input{
		ID: f.Key, Kind: CallInput, Name: f.Name, Customer: f.Customer, Time: f.At, Received: now,
		Mode: f.Mode, Brand: f.Brand, Props: f.Args,
	}
}

// returnInput tells an instance how the journey that it started ended.
func returnInput(f *Effect, parent string, now time.Time) Input {
	return Input{
		ID: f.Key, Kind: ReturnedInput, Name: f.Name, Customer: f.Customer, Time: f.At, Received: now,
		Mode: f.Mode, Props: f.Args, Instance: parent,
	}
}

// returnToParent tells the journey that started one how it ended.
func (e *Engine) returnToParent(ctx context.Context, er *EffectRow, now time.Time, p *Progress) error {
	found, err := e.store.Get(ctx, Lookup{Instance: er.Effect.Instance})
	if err != nil {
		return err
	}
	answer := Confirm("")
	if found.Instance != nil && found.Instance.Instance.Parent != "" {
		if _, err := e.ingest(ctx, returnInput(&er.Effect, found.Instance.Instance.Parent, now), ""); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			er.Attempts++
			answer = Later(err.Error(), 0)
		}
	}
	return e.settle(ctx, er, answer, now, p)
}
