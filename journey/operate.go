package journey

import (
	"context"
	"fmt"
	"time"
)

// Cancel ends an instance; messages that have not gone out are dropped. The
// reason goes into the history. One that has ended is left as it is.
func (e *Engine) Cancel(ctx context.Context, instance, reason string) error {
	return e.intervene(ctx, instance, func(u *unit, row *InstanceRow) error {
		u.live(ctx, row)
		if row.Instance.Status != Ended {
			u.stop(row, "canceled", reason, u.now)
		}
		return nil
	})
}

// Redirect moves an active instance to another state, as if a transition led
// there: leaving and entering actions are carried out.
func (e *Engine) Redirect(ctx context.Context, instance, state, reason string) error {
	return e.intervene(ctx, instance, func(u *unit, row *InstanceRow) error {
		u.live(ctx, row)
		in := &row.Instance
		if in.Status != Active {
			return fmt.Errorf("%w: the instance is %s", ErrState, in.Status)
		}
		d, err := e.version(ctx, DefinitionKey{in.Journey, in.Version})
		if err != nil {
			return err
		}
		to, ok := d.byName[state]
		if !ok {
			return fmt.Errorf("%w: journey %q has no state %q", ErrNotFound, in.Journey, state)
		}
		needs := newNeedSet()
		needs.enter(d, to, map[int]bool{})
		if from := d.stateOf(in); from >= 0 {
			needs.do(d.states[from].leave)
		}
		n := needs.sorted()
		x := Input{Kind: CallInput, Name: "redirect", Time: u.now, Mode: in.Mode}
		if x.Facts, err = u.facts(ctx, d, &n, in.Customer, u.now); err != nil {
			return err
		}
		r := newRecord(in, OperatorRecord, u.now)
		r.From, r.To, r.Cause, r.Detail = in.State, state, "redirected to "+state, reason
		u.batch.History = append(u.batch.History, r)
		u.moves = u.moves[:0]
		next, effects, err := d.jump(*in, to, x, later(u.now, in.EnteredAt), &u.moves)
		if err != nil {
			return err
		}
		*in, row.Dead = next, false
		return u.after(ctx, d, row, &x, u.now, effects)
	})
}

// live lets an instance live up to now before somebody intervenes, as far as it
// can: one that fails on the way is left as it was.
func (u *unit) live(ctx context.Context, row *InstanceRow) {
	kept, lines, effects := *row, len(u.batch.History), len(u.batch.Effects)
	if err := u.elapse(ctx, row, u.now); err != nil {
		*row, u.batch.History, u.batch.Effects = kept, u.batch.History[:lines], u.batch.Effects[:effects]
	}
}

// jump is a transition that no edge of the definition describes.
func (d *Definition) jump(in Instance, to int, x Input, now time.Time, moves *[]Move) (Instance, []Effect, error) {
	r := run{d: d, now: now.UTC().Truncate(time.Microsecond), moves: moves}
	next := in
	next.Seq++
	if from := d.stateOf(&in); from >= 0 {
		if err := r.act(&next, &x, d.states[from].leave, in.State); err != nil {
			return in, nil, err
		}
	}
	if err := r.enter(&next, &x, to); err != nil {
		return in, nil, err
	}
	return next, r.out, nil
}

// intervene changes one instance in one commit.
func (e *Engine) intervene(ctx context.Context, instance string, change func(*unit, *InstanceRow) error) error {
	now := e.now()
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Instance: instance})
		if err != nil {
			return err
		}
		if f.Instance == nil {
			return fmt.Errorf("%w: instance", ErrNotFound)
		}
		c, err := e.store.Get(ctx, Lookup{Customer: f.Instance.Instance.Customer})
		if err != nil {
			return err
		}
		u := e.unit(now, &Found{Contact: c.Contact})
		u.rows = append(u.rows, f.Instance)
		if err := change(u, f.Instance); err != nil {
			return err
		}
		return u.commit(ctx)
	})
}

// Retry resumes what was given up: an instance whose steps failed, by its ID,
// or a dead effect, by its key. Attempts are counted anew. It fails with
// [ErrState] where nothing was given up.
func (e *Engine) Retry(ctx context.Context, id, reason string) error {
	now := e.now()
	return again(ctx, func() error {
		f, err := e.store.Get(ctx, Lookup{Instance: id, Effect: id})
		if err != nil {
			return err
		}
		r := Record{At: now, Kind: OperatorRecord, Cause: "retried", Detail: reason}
		switch {
		case f.Instance != nil && f.Instance.Dead:
			row := f.Instance
			row.Dead, row.Attempts, row.Error, row.Wake = false, 0, "", now
			r.Instance, r.Journey, r.Customer = row.Instance.ID, row.Instance.Journey, row.Instance.Customer
			b := Batch{Instances: []InstanceRow{*row}, History: []Record{r}}
			for er, err := range e.Effects(ctx, Filter{Instance: id}) {
				if err != nil {
					return err
				}
				if er.tells() && !er.Told { // it has not heard of these yet
					er.Wake = now
					b.Effects = append(b.Effects, er)
				}
			}
			err = e.store.Commit(ctx, &b)
		case f.Effect != nil && f.Effect.State == Dead:
			row := f.Effect
			row.State, row.Attempts, row.Wake, row.Detail = Pending, 0, now, ""
			r.Instance, r.Journey, r.Customer, r.Effect = row.Effect.Instance, row.Effect.Journey, row.Effect.Customer, row.Effect.Key
			err = e.store.Commit(ctx, &Batch{Effects: []EffectRow{*row}, History: []Record{r}})
		case f.Instance == nil && f.Effect == nil:
			return fmt.Errorf("%w: instance or effect", ErrNotFound)
		default:
			return fmt.Errorf("%w: it was not given up", ErrState)
		}
		if err == nil {
			e.wake()
		}
		return err
	})
}

// Resolve says what became of an effect whose fate was uncertain, as its
// handler would have. It fails with [ErrState] for any other effect.
func (e *Engine) Resolve(ctx context.Context, key string, a Answer) error {
	if a.result == answerUnclear {
		return fmt.Errorf("%w: the answer must be clear", ErrState)
	}
	f, err := e.store.Get(ctx, Lookup{Effect: key})
	switch {
	case err != nil:
		return err
	case f.Effect == nil:
		return fmt.Errorf("%w: effect", ErrNotFound)
	case f.Effect.State != Uncertain:
		return fmt.Errorf("%w: the effect is %s", ErrState, f.Effect.State)
	}
	f.Effect.Doubtful = false
	var p Progress
	return e.settle(ctx, f.Effect, a, e.now(), &p)
}
