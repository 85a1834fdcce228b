package main

import (
	"container/heap"
	"context"
	"errors"
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

// appointment is something that happens outside at a later time.
type appointment struct {
	at time.Time
	id int
	do func(context.Context) error
}

// agenda is a heap of appointments by time, then in the order made.
type agenda struct {
	list []appointment
	made int
}

func (a *agenda) Len() int { return len(a.list) }
func (a *agenda) Less(i, j int) bool {
	if a.list[i].at.Equal(a.list[j].at) {
		return a.list[i].id < a.list[j].id
	}
	return a.list[i].at.Before(a.list[j].at)
}
func (a *agenda) Swap(i, j int) { a.list[i], a.list[j] = a.list[j], a.list[i] }
func (a *agenda) Push(x any)    { a.list = append(a.list, x.(appointment)) }
func (a *agenda) Pop() any {
	last := a.list[len(a.list)-1]
	a.list = a.list[:len(a.list)-1]
	return last
}

// add makes an appointment.
func (a *agenda) add(at time.Time, do func(context.Context) error) {
	a.made++
	heap.Push(a, appointment{at, a.made, do})
}

// next is when the first appointment is; the zero time for none.
func (a *agenda) next() time.Time {
	if len(a.list) == 0 {
		return time.Time{}
	}
	return a.list[0].at
}

// channel is a gateway that takes every message, to a customer who may react.
func (l *loop) channel() journey.Port {
	return journey.Port{HonorsKeys: true, Handle: func(_ context.Context, d journey.Dispatch) journey.Answer {
		l.count.cost += d.Cost
		for _, later := range l.world.React(l.causes[d.Effect.Instance], d.Effect.Category, l.now) {
			l.scheduled.add(later.At, func(ctx context.Context) error { return l.take(ctx, later.Event) })
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
