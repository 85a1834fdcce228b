package journey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Park sets an input aside that [Engine.Ingest] could not take, so that it does not
// hold up the feed behind it: RunDue gives it to Ingest again after the backoff,
// with the jitter, of Config, and gives it up after MaxAttempts. Then
// [Engine.Unsettled] lists it, with what went wrong, and [Engine.Retry] resumes it
// by its key, "input/" and the ID. Its customer's later inputs may be taken before
// it. Parking it again changes nothing; an input that can never be taken, because
// it is not valid, is refused with [ErrInput].
func (e *Engine) Park(ctx context.Context, x Input, cause error) error {
	if x.Received.IsZero() {
		x.Received = e.now()
	}
	if err := x.check(); err != nil {
		return err
	}
	if cause == nil {
		return fmt.Errorf("%w: nothing is wrong with it", ErrInput)
	}
	text, err := json.Marshal(parkedInput{
		x.ID, x.Kind.String(), x.Name, x.Customer, x.Time, x.Received, x.Mode, x.Brand, x.Props, x.Consents, x.Instance,
	})
	if err != nil {
		return fmt.Errorf("%w: %v", ErrInput, err)
	}
	now := e.now()
	er := EffectRow{
		Effect: Effect{
			Key: "input/" + x.ID, Kind: InputEffect, Name: x.Name, Customer: x.Customer,
			Args: profile.Values{"input": profile.Text(string(text))}, At: now, Mode: x.Mode,
		},
		State: Pending, Attempts: 1, Detail: cause.Error(),
	}
	er.Wake = now.Add(e.retries.after(er.Effect.Key, 1)).Truncate(time.Microsecond)
	found, err := e.store.Get(ctx, Lookup{Effect: er.Effect.Key})
	if err != nil || found.Effect != nil {
		return err
	}
	if err = e.write(ctx, &er, now); isConflict(err) { // parked by another worker
		return nil
	}
	return err
}

// parkedInput is an input as it is kept.
type parkedInput struct {
	ID       string               `json:"id"`
	Kind     string               `json:"kind"`
	Name     string               `json:"name"`
	Customer profile.ID           `json:"customer"`
	Time     time.Time            `json:"time"`
	Received time.Time            `json:"received"`
	Mode     profile.Mode         `json:"mode,omitempty"`
	Brand    string               `json:"brand,omitempty"`
	Props    profile.Values       `json:"props,omitempty"`
	Consents []profile.ConsentAct `json:"consents,omitempty"`
	Instance string               `json:"instance,omitempty"`
}

func (p *parkedInput) input() (Input, error) {
	x := Input{
		ID: p.ID, Name: p.Name, Customer: p.Customer, Time: p.Time, Received: p.Received,
		Mode: p.Mode, Brand: p.Brand, Props: p.Props, Consents: p.Consents, Instance: p.Instance,
	}
	for kind, name := range inputKindNames {
		if name == p.Kind {
			x.Kind = InputKind(kind)
			return x, nil
		}
	}
	return x, fmt.Errorf("%w: unknown kind %q", ErrInput, p.Kind)
}

// unpark gives a parked input to Ingest again.
func (e *Engine) unpark(ctx context.Context, er *EffectRow, now time.Time, p *Progress) error {
	var kept parkedInput
	text, _ := er.Effect.Args["input"].Text()
	err := json.Unmarshal([]byte(text), &kept)
	if err == nil {
		var x Input
		if x, err = kept.input(); err == nil {
			_, err = e.Ingest(ctx, x)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	er.Attempts++
	answer := Confirm("")
	switch {
	case errors.Is(err, ErrInput), errors.Is(err, ErrInputConflict):
		answer = Reject(err.Error())
	case err != nil:
		answer = Later(err.Error(), 0)
	}
	return e.settle(ctx, er, answer, now, p)
}
