package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

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
	var err error
	if about.Journey, about.Step, err = l.station(ctx, e, id); err != nil {
		return err
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
		return l.schedule(appointment{At: l.now.Add(a.after), What: reply, Event: profile.Event{
			ID: "answer/" + inv.ID, Source: "survey", Name: feed.SurveyAnswered, Brand: e.Brand, Identifiers: e.Identifiers,
			Properties: profile.Values{
				"survey": profile.Text(survey), "invitation": profile.Text(inv.ID),
				"score": profile.Int(int64(a.score)), "text": profile.Text(a.text),
			},
		}})
	}
	return nil
}

// station is the state of the delivery journey in which the order of the event is,
// or was when it arrived, so that answers tell how each state is lived through.
func (l *loop) station(ctx context.Context, e profile.Event, id profile.ID) (name, state string, err error) {
	order, _ := e.Properties["order_id"].Text()
	if e.Name != feed.OrderReceived || order == "" {
		return "", "", nil
	}
	const delivery = "late-delivery"
	for row, err := range l.journeys.Instances(ctx, journey.Filter{Customer: id, Journey: delivery}) {
		if err != nil {
			return "", "", err
		}
		if row.Instance.Key == order {
			name, state = delivery, row.Instance.State
		}
	}
	return name, state, nil
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
		return nil
	}
	if err != nil {
		return err
	}
	reactions, err := l.desk.React(ctx, survey, r)
	for _, reaction := range reactions {
		if reaction.Case != "" {
			err = errors.Join(err, l.handle(reaction.Case))
		}
	}
	return err
}
