package main

import (
	"container/heap"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// outside is what the loop cannot decide: whether an invited customer answers.
type outside interface {
	// Respond answers a survey that was sent because of an event; ok is false
	// where no answer comes.
	Respond(eventID, survey string, at time.Time) (a answer, ok bool)
	// React is what a message does to whom it reaches: what they do because of
	// it, as further deliveries.
	React(eventID, category string, at time.Time) []feed.Delivery
}

// answer is what a customer says to a survey, and how long after the invitation.
type answer struct {
	score int
	text  string
	after time.Duration
}

// nobody is the outside of recorded data: nobody can be asked any more.
type nobody struct{}

func (nobody) Respond(string, string, time.Time) (answer, bool) { return answer{}, false }

func (nobody) React(string, string, time.Time) []feed.Delivery { return nil }

// appointment is something that happens at a later time. It is data, so that
// it can be kept.
type appointment struct {
	At   time.Time `json:"at"`
	N    int       `json:"n"`
	What what      `json:"what"`
	// Event is what is delivered; an answer has the time at which it comes.
	Event profile.Event `json:"event,omitzero"`
	// Case goes through Verbs.
	Case  string   `json:"case,omitempty"`
	Verbs []string `json:"verbs,omitempty"`
}

// what is the kind of an appointment.
type what string

const (
	nightRun what = "nightly"
	delivery what = "delivery"
	reply    what = "answer"
	desk     what = "case"
)

// do keeps an appointment.
func (l *loop) do(ctx context.Context, a appointment) error {
	switch a.What {
	case nightRun:
		return l.nightly(ctx)
	case desk:
		return l.advance(ctx, a.Case, a.Verbs)
	case reply:
		a.Event.Time = l.now
	}
	return l.take(ctx, a.Event)
}

// schedule makes an appointment.
func (l *loop) schedule(a appointment) error {
	l.scheduled.made++
	a.N = l.scheduled.made
	heap.Push(&l.scheduled, a)
	return l.note(appointmentRecord, strconv.Itoa(a.N), a)
}

// due is the next appointment, if its time has come.
func (l *loop) due() (appointment, bool) {
	if next := l.scheduled.next(); next.IsZero() || next.After(l.now) {
		return appointment{}, false
	}
	a := heap.Pop(&l.scheduled).(appointment)
	l.forget(appointmentRecord, strconv.Itoa(a.N))
	return a, true
}

// agenda is a heap of appointments by time, then in the order made.
type agenda struct {
	list []appointment
	made int
}

func (a *agenda) Len() int { return len(a.list) }
func (a *agenda) Less(i, j int) bool {
	if a.list[i].At.Equal(a.list[j].At) {
		return a.list[i].N < a.list[j].N
	}
	return a.list[i].At.Before(a.list[j].At)
}
func (a *agenda) Swap(i, j int) { a.list[i], a.list[j] = a.list[j], a.list[i] }
func (a *agenda) Push(x any)    { a.list = append(a.list, x.(appointment)) }
func (a *agenda) Pop() any {
	last := a.list[len(a.list)-1]
	a.list = a.list[:len(a.list)-1]
	return last
}

// next is when the first appointment is; the zero time for none.
func (a *agenda) next() time.Time {
	if len(a.list) == 0 {
		return time.Time{}
	}
	return a.list[0].At
}

// channel is a gateway that takes every message, to a customer who may react.
func (l *loop) channel() journey.Port {
	return journey.Port{HonorsKeys: true, Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
		l.count.cost += d.Cost
		r := reaction{l.causes[d.Effect.Instance], d.Effect.Category, l.now}
		if err := l.reacted(r); err != nil {
			return journey.Later(err.Error(), 0)
		}
		for _, later := range l.world.React(r.Event, r.Message, r.At) {
			if err := l.schedule(appointment{At: later.At, What: delivery, Event: later.Event}); err != nil {
				return journey.Later(err.Error(), 0)
			}
		}
		return journey.Confirm(d.Key)
	}}
}

// mayWrite asks the customer's directory for consent.
func (l *loop) mayWrite(ctx context.Context, q journey.ConsentQuestion) (contact.Permission, error) {
	p, err := l.customers.May(ctx, q.Customer, profile.ConsentQuery{Purpose: q.Purpose, Channel: q.Channel, Brand: q.Brand}, q.At)
	if errors.Is(err, profile.ErrGone) || errors.Is(err, profile.ErrNotFound) {
		return contact.Permission{Detail: "no such customer"}, nil
	}
	return contact.Permission{Granted: p.Granted, Detail: p.String()}, err
}
