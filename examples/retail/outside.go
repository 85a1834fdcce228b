package main

import (
	"container/heap"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
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
			l.count.reactions++
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
	l.handle(d.Key)
	return journey.Confirm(d.Key)
}

// handle lets the service desk answer a case of the shop's own within two
// working hours, and solve it within two working days.
func (l *loop) handle(id string) {
	act := func(after time.Duration, verbs ...string) {
		l.scheduled.add(l.office.Add(l.now, after), func(ctx context.Context) error {
			for _, verb := range verbs {
				if _, err := l.desk.Act(ctx, care.Action{ID: id + "/" + verb, Case: id, Time: l.now, Verb: verb, Reply: true}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	act(2*time.Hour, "start")
	act(18*time.Hour, "resolve", "close")
}

// invite asks a customer to answer a survey about an event, if the rules allow
// it, and lets the outside answer.
func (l *loop) invite(ctx context.Context, e profile.Event, id profile.ID, survey string) error {
	if id == "" {
		return nil
	}
	outlet, _ := e.Properties["outlet"].Text()
	about := feedback.Occasion{Touchpoint: e.Name, Outlet: outlet, Channel: e.Source, At: e.Time}
	if e.Order != nil {
		about.Order = e.Order.Order
	}
	inv, err := l.surveys.Invite(ctx, feedback.Request{
		ID: survey + "/" + e.ID, Survey: survey, Customer: id, Time: l.now, Mode: e.Mode, Occasion: about,
	})
	if errors.Is(err, feedback.ErrMismatch) {
		return nil // the same event again, at another time
	}
	if err != nil || inv.State != feedback.Reserved {
		return err
	}
	if _, err := l.surveys.Sent(ctx, inv.ID, l.now); err != nil {
		return err
	}
	if a, ok := l.world.Respond(e.ID, survey, l.now); ok {
		l.scheduled.add(l.now.Add(a.after), func(ctx context.Context) error {
			return l.take(ctx, profile.Event{
				ID: "answer/" + inv.ID, Source: "survey", Name: feed.SurveyAnswered, Time: l.now, Brand: e.Brand, Identifiers: e.Identifiers,
				Properties: profile.Values{
					"survey": profile.Text(survey), "invitation": profile.Text(inv.ID),
					"score": profile.Int(int64(a.score)), "text": profile.Text(a.text),
				},
			})
		})
	}
	return nil
}

// answered records an answer to an invitation.
func (l *loop) answered(ctx context.Context, e profile.Event, id profile.ID) error {
	survey, _ := e.Properties["survey"].Text()
	invitation, _ := e.Properties["invitation"].Text()
	value, _ := e.Properties["score"].Int()
	text, _ := e.Properties["text"].Text()
	return l.record(ctx, feedback.Response{
		ID: e.ID, Survey: survey, Invitation: invitation, Customer: id, Time: e.Time, Mode: e.Mode,
	}, int(value), text)
}

// review records the stars that a customer gave unasked. The key is the review
// and the order together.
func (l *loop) review(ctx context.Context, e profile.Event, id profile.ID) error {
	review, _ := e.Properties["review_id"].Text()
	order, _ := e.Properties["order_id"].Text()
	stars, _ := e.Properties["stars"].Int()
	text, _ := e.Properties["text"].Text()
	return l.record(ctx, feedback.Response{
		ID: feedback.ReviewID(e.Source, review, order), Survey: shop.Reviews, Customer: id, Time: e.Time, Mode: e.Mode,
		Occasion: feedback.Occasion{Touchpoint: "review", Order: commerce.Key{Source: e.Source, Number: order}, At: e.Time},
	}, int(stars), text)
}

// record keeps a response and opens the case that it calls for.
func (l *loop) record(ctx context.Context, r feedback.Response, value int, text string) error {
	survey, ok := l.surveys.Survey(r.Survey)
	if !ok {
		return errors.New("no survey " + strconv.Quote(r.Survey))
	}
	rated, why := survey.Questions[0].Key, survey.Questions[1].Key
	r.Answers = map[string]feedback.Answer{rated: feedback.Rate(value)}
	if strings.TrimSpace(text) != "" {
		r.Answers[why] = feedback.Say(text)
	}
	r, err := l.surveys.Record(ctx, r)
	if errors.Is(err, feedback.ErrNotOpen) {
		l.count.lateAnswers++
		return nil
	}
	if err != nil {
		return err
	}
	reactions, err := l.desk.React(ctx, survey, r)
	for _, reaction := range reactions {
		if reaction.Case != "" {
			l.handle(reaction.Case)
		}
	}
	return err
}
