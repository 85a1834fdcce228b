package main

import (
	"context"
	"errors"
	"time"

	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// open opens the case that an event tells of, takes it up, and hears what came
// too early.
func (l *loop) open(ctx context.Context, e profile.Event, o care.Opening, verbs ...string) error {
	o.ID, _ = e.Properties["case_id"].Text()
	o.Time, o.Mode, o.Brand = e.Time, e.Mode, e.Brand
	if _, err := l.desk.Open(ctx, o); err != nil {
		return err
	}
	if err := l.act(ctx, o.ID, e, verbs...); err != nil {
		return err
	}
	for _, waiting := range l.early[o.ID] {
		if err := l.respond(ctx, waiting, o.Customer); err != nil {
			return err
		}
	}
	delete(l.early, o.ID)
	l.forget(waitingRecord, o.ID)
	return nil
}

// closeCase closes a case and asks how it went. Word of a case that is not
// open yet waits for it.
func (l *loop) closeCase(ctx context.Context, e profile.Event, id profile.ID, verbs ...string) error {
	name, _ := e.Properties["case_id"].Text()
	err := l.act(ctx, name, e, verbs...)
	if errors.Is(err, care.ErrNotFound) {
		l.early[name] = append(l.early[name], e)
		return l.note(waitingRecord, name, l.early[name])
	}
	if err != nil {
		return err
	}
	return l.invite(ctx, e, id, shop.ServiceCSAT)
}

// act takes a case through some verbs at the time of an event.
func (l *loop) act(ctx context.Context, name string, e profile.Event, verbs ...string) error {
	for _, verb := range verbs {
		if _, err := l.desk.Act(ctx, care.Action{ID: e.ID + "/" + verb, Case: name, Time: e.Time, Mode: e.Mode, Verb: verb, Reply: true}); err != nil {
			return err
		}
	}
	return nil
}

// openCase opens a case that a journey asks for; the service desk takes it up
// and solves it within the second working day.
func (l *loop) openCase(ctx context.Context, d journey.Dispatch) journey.Answer {
	topic, _ := d.Effect.Args["topic"].Text()
	order, _ := d.Effect.Args["order_id"].Text()
	_, err := l.desk.Open(ctx, care.Opening{
		ID: d.Key, Kind: care.Kind(d.Effect.Name), Customer: d.Effect.Customer, Time: l.now, Brand: d.Effect.Brand,
		Topic: topic, Order: commerce.Key{Source: "journey", Number: order},
	})
	if err != nil {
		return journey.Later(err.Error(), 0)
	}
	if err := l.handle(d.Key); err != nil {
		return journey.Later(err.Error(), 0)
	}
	return journey.Confirm(d.Key)
}

// handle lets the service desk answer a case of the shop's own within two
// working hours, and solve it within two working days.
func (l *loop) handle(id string) error {
	act := func(after time.Duration, verbs ...string) error {
		return l.schedule(appointment{At: l.office.Add(l.now, after), What: desk, Case: id, Verbs: verbs})
	}
	return errors.Join(act(2*time.Hour, "start"), act(18*time.Hour, "resolve", "close"))
}

// advance takes a case of the shop's own through some verbs now.
func (l *loop) advance(ctx context.Context, id string, verbs []string) error {
	for _, verb := range verbs {
		if _, err := l.desk.Act(ctx, care.Action{ID: id + "/" + verb, Case: id, Time: l.now, Verb: verb, Reply: true}); err != nil {
			return err
		}
	}
	return nil
}
