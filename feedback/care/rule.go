package care

import (
	"context"
	"errors"
	"fmt"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/profile"
)

// Rule opens a case from a bad rating.
//
// Its JSON form carries "format":1 and refuses unknown fields.
type Rule struct {
	// Name is unique and part of the case's ID.
	Name string `json:"name"`
	// Survey and Question say which rating counts; an empty Question is the
	// survey's first.
	Survey   string `json:"survey"`
	Question string `json:"question,omitempty"`
	// Threshold is the best rating that still opens a case: 6 for NPS opens
	// for every detractor.
	Threshold int `json:"threshold"`
	// Kind, Priority and Topic of the case.
	Kind     Kind   `json:"kind"`
	Priority string `json:"priority,omitempty"`
	Topic    string `json:"topic,omitempty"`
	// EvenIfOpen opens another case where the customer has an open one about
	// the same order, or about no order where the response names none.
	EvenIfOpen bool `json:"even_if_open,omitempty"`
}

func (r Rule) validate(flows map[Kind]Flow) error {
	if r.Name == "" || r.Survey == "" || len(r.Name) > maxKeyBytes/2 {
		return fmt.Errorf("%w: rule %q: name or survey empty or too long", ErrInvalid, r.Name)
	}
	if _, ok := flows[r.Kind]; !ok {
		return fmt.Errorf("%w: rule %q: no flow for kind %q", ErrInvalid, r.Name, r.Kind)
	}
	return nil
}

// Reaction is what a rule made of a response.
type Reaction struct {
	Rule string `json:"rule"`
	// Case is the case opened; empty where none was, and Reason says why.
	Case   string `json:"case,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// String says what the rule did.
func (r Reaction) String() string {
	if r.Case != "" {
		return fmt.Sprintf("rule %s opened case %s", r.Rule, r.Case)
	}
	return fmt.Sprintf("rule %s opened no case: %s", r.Rule, r.Reason)
}

// React applies the rules for the survey to a recorded response. The case of a
// rule has an ID derived from rule and response, so that reacting twice opens
// one case. A response from history or from nobody known opens none.
func (d *Desk) React(ctx context.Context, s feedback.Survey, r feedback.Response) ([]Reaction, error) {
	if s.Name != r.Survey {
		return nil, fmt.Errorf("%w: response to survey %q, not %q", ErrInvalid, r.Survey, s.Name)
	}
	var out []Reaction
	for _, rule := range d.rules {
		if rule.Survey != s.Name {
			continue
		}
		reaction, err := d.react(ctx, rule, s, r)
		if err != nil {
			return out, err
		}
		out = append(out, reaction)
	}
	return out, nil
}

func (d *Desk) react(ctx context.Context, rule Rule, s feedback.Survey, r feedback.Response) (Reaction, error) {
	out := Reaction{Rule: rule.Name}
	q, ok := s.Question(rule.Question)
	if !ok || !q.Rated() {
		return out, fmt.Errorf("%w: rule %q: survey %q has no rated question %q", ErrInvalid, rule.Name, s.Name, rule.Question)
	}
	rating, rated := r.Rating(q.Key)
	switch {
	case !rated:
		out.Reason = "not rated"
	case q.Scale.Worse(rule.Threshold, rating):
		out.Reason = fmt.Sprintf("%s %d is better than %d", q.Key, rating, rule.Threshold)
	case r.Mode == profile.Backfill:
		out.Reason = "the response was loaded from history"
	case r.Customer == "":
		out.Reason = "the customer is not known"
	}
	if out.Reason != "" {
		return out, nil
	}
	id := "feedback/" + rule.Name + "/" + r.ID
	if _, err := d.Case(ctx, id); err == nil {
		out.Case = id
		return out, nil
	} else if !errors.Is(err, ErrNotFound) {
		return out, err
	}
	if !rule.EvenIfOpen {
		ids, err := d.known(ctx, r.Customer)
		if err != nil {
			return out, err
		}
		for _, customer := range ids {
			for c, err := range d.Cases(ctx, Query{Customer: customer, Open: true}) {
				if err != nil {
					return out, err
				}
				if c.Order == r.Occasion.Order {
					out.Reason = "case " + c.ID + " about it is open"
					return out, nil
				}
			}
		}
	}
	_, err := d.Open(ctx, Opening{
		ID: id, Kind: rule.Kind, Customer: r.Customer, Time: r.Time, Brand: r.Brand, Priority: rule.Priority,
		Topic: rule.Topic, Text: r.Answers[q.Key].Text, Order: r.Occasion.Order, Product: r.Occasion.Product,
		Outlet: r.Occasion.Outlet, Response: r.ID, Actor: "rule " + rule.Name,
	})
	if err != nil {
		return out, err
	}
	out.Case = id
	return out, nil
}
