package feedback

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// Occasion is what a survey asks about; every field is optional.
type Occasion struct {
	// Touchpoint is where customer and brand met: "delivery", "till", "call".
	Touchpoint string `json:"touchpoint,omitempty"`
	// Order is the order concerned.
	Order commerce.Key `json:"order,omitzero"`
	// Outlet is the shop, Product the SKU.
	Outlet  string `json:"outlet,omitempty"`
	Product string `json:"product,omitempty"`
	// Journey and Step name the journey and the state in it.
	Journey string `json:"journey,omitempty"`
	Step    string `json:"step,omitempty"`
	// Channel is how the customer is asked or has answered.
	Channel string `json:"channel,omitempty"`
	// At is when it happened; the zero time where that is not known.
	At time.Time `json:"at,omitzero"`
}

func (o Occasion) check() error {
	for _, s := range []string{
		o.Touchpoint, o.Order.Source, o.Order.Outlet, o.Order.Number,
		o.Outlet, o.Product, o.Journey, o.Step, o.Channel,
	} {
		if len(s) > maxKeyBytes {
			return fmt.Errorf("occasion: %d bytes, at most %d allowed", len(s), maxKeyBytes)
		}
		if err := checkText(s); err != nil {
			return fmt.Errorf("occasion: %w", err)
		}
	}
	return nil
}

// filledFrom returns o with what it leaves open taken from p.
func (o Occasion) filledFrom(p Occasion) Occasion {
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&o.Touchpoint, p.Touchpoint},
		{&o.Outlet, p.Outlet},
		{&o.Product, p.Product},
		{&o.Journey, p.Journey},
		{&o.Step, p.Step},
		{&o.Channel, p.Channel},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if o.Order == (commerce.Key{}) {
		o.Order = p.Order
	}
	if o.At.IsZero() {
		o.At = p.At
	}
	return o
}

// Answer is the answer to one question. [Rate], [Pick] and [Say] make them.
type Answer struct {
	// Rated says that Value is given.
	Rated bool `json:"rated,omitempty"`
	Value int  `json:"value,omitempty"`
	// Choices are the options picked, in the order of the question.
	Choices []string `json:"choices,omitempty"`
	// Text is the answer to a Text question, a comment on any other.
	Text string `json:"text,omitempty"`
}

// Rate answers a rating.
func Rate(v int) Answer { return Answer{Rated: true, Value: v} }

// Pick answers a choice.
func Pick(choices ...string) Answer { return Answer{Choices: choices} }

// Say answers in words.
func Say(text string) Answer { return Answer{Text: text} }

// Because adds a comment.
func (a Answer) Because(comment string) Answer {
	a.Text = comment
	return a
}

func (a Answer) empty() bool { return !a.Rated && len(a.Choices) == 0 && a.Text == "" }

func (a Answer) equal(b Answer) bool {
	return a.Rated == b.Rated && a.Value == b.Value && a.Text == b.Text && slices.Equal(a.Choices, b.Choices)
}

// MaxTextRunes is the greatest length of a text answer or comment.
const MaxTextRunes = 10_000

func (a Answer) check(q Question) error {
	switch {
	case q.Rated() && !a.Rated:
		return errors.New("not rated")
	case !q.Rated() && a.Rated:
		return errors.New("rated, but has no scale")
	case q.Rated() && !q.Scale.Contains(a.Value):
		return fmt.Errorf("%d is not on the scale from %d to %d", a.Value, q.Scale.Min, q.Scale.Max)
	case q.Kind != Choice && len(a.Choices) > 0:
		return errors.New("choices given, but has none")
	case q.Kind == Choice && len(a.Choices) == 0:
		return errors.New("nothing chosen")
	case q.Kind == Choice && len(a.Choices) > 1 && !q.Several:
		return errors.New("more than one chosen")
	case utf8.RuneCountInString(a.Text) > MaxTextRunes:
		return fmt.Errorf("text of more than %d characters", MaxTextRunes)
	}
	for i, c := range a.Choices {
		if !slices.Contains(q.Choices, c) || slices.Contains(a.Choices[:i], c) {
			return errors.New("a choice that is not offered, or twice")
		}
	}
	return checkText(a.Text)
}

// Response is what a customer answered.
type Response struct {
	// ID makes it unique in the store: that of the answering system, or
	// [ReviewID]. It outlives an erasure, so it must not name a person.
	ID string `json:"id"`
	// Survey names the survey. Program, Brand and Form are its own and are
	// filled in by the collector.
	Survey  string  `json:"survey"`
	Program Program `json:"program,omitempty"`
	Brand   string  `json:"brand,omitempty"`
	Form    string  `json:"form,omitempty"`
	// Invitation is the one answered; empty for feedback that nobody asked for.
	Invitation string `json:"invitation,omitempty"`
	// Customer may be empty: nobody knows who it was.
	Customer profile.ID `json:"customer,omitempty"`
	// Time is when the customer answered; Mode is Live or Backfill.
	Time time.Time    `json:"time"`
	Mode profile.Mode `json:"mode,omitempty"`
	// Occasion is what it is about; what is left open comes from the invitation.
	Occasion Occasion `json:"occasion,omitzero"`
	// Answers by the key of the question.
	Answers map[string]Answer `json:"answers,omitempty"`
	// RecordedAt is when the collector learned of it.
	RecordedAt time.Time `json:"recorded_at,omitzero"`
	// Erased says that the person, texts and occasion were taken out.
	Erased bool `json:"erased,omitempty"`
	// Trimmed says that its texts were dropped after their time.
	Trimmed bool `json:"trimmed,omitempty"`
	// Version counts the writes of the record; the store keeps it.
	Version uint64 `json:"version,omitempty"`
}

// Rating returns the rating of a question; ok is false where there is none.
func (r Response) Rating(question string) (v int, ok bool) {
	a := r.Answers[question]
	return a.Value, a.Rated
}

// ReviewID is the response ID of a review of a marketplace. The key of a
// review is the review and the order together, since platforms give one review
// to several orders and several reviews to one order. The ID is a hash: it does
// not show the order's number after an erasure.
func ReviewID(source, review, order string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q", source, review, order)
	return "review_" + hex.EncodeToString(h.Sum(nil)[:16])
}

// prepare validates r against its survey and fills in what follows from it.
// Choices are brought to the order of the question and empty answers dropped,
// so that equal answers are equal records.
func (r Response) prepare(s Survey) (Response, error) {
	r = r.clone()
	for key, a := range r.Answers {
		q, ok := s.Question(key)
		if !ok || key == "" {
			return r, fmt.Errorf("%w: survey %q has no question %q", ErrInvalid, s.Name, key)
		}
		if a.empty() {
			delete(r.Answers, key)
			continue
		}
		if err := a.check(q); err != nil {
			return r, fmt.Errorf("%w: survey %q: question %q: %w", ErrInvalid, s.Name, key, err)
		}
		slices.SortFunc(a.Choices, func(x, y string) int {
			return slices.Index(q.Choices, x) - slices.Index(q.Choices, y)
		})
		r.Answers[key] = a
	}
	for _, q := range s.Questions {
		if _, ok := r.Answers[q.Key]; !ok && !q.Optional {
			return r, fmt.Errorf("%w: survey %q: question %q: no answer", ErrInvalid, s.Name, q.Key)
		}
	}
	r.Program, r.Brand, r.Form = s.Program, s.Brand, s.Form()
	r.Time, r.Occasion.At = micro(r.Time), micro(r.Occasion.At)
	r.Erased, r.Trimmed, r.Version = false, false, 0
	return r, nil
}

func (r Response) validateKeys() error {
	if err := checkName(r.ID); err != nil {
		return fmt.Errorf("%w: response: ID: %w", ErrInvalid, err)
	}
	if err := checkText(r.Invitation); err != nil {
		return fmt.Errorf("%w: response: invitation: %w", ErrInvalid, err)
	}
	if r.Time.IsZero() {
		return fmt.Errorf("%w: response: no time", ErrInvalid)
	}
	if err := checkYear(r.Time); err != nil {
		return fmt.Errorf("%w: response: %w", ErrInvalid, err)
	}
	if r.Customer != "" {
		if err := r.Customer.Validate(); err != nil {
			return fmt.Errorf("%w: response: %w", ErrInvalid, err)
		}
	}
	if r.Mode > profile.Backfill {
		return fmt.Errorf("%w: response: unknown mode", ErrInvalid)
	}
	if err := r.Occasion.check(); err != nil {
		return fmt.Errorf("%w: response: %w", ErrInvalid, err)
	}
	return nil
}

// sameAs reports whether a delivery repeats the record: everything that the
// caller states, but for the mode and what an invitation filled in. The
// customer is compared by the collector, which knows their other IDs.
func (r Response) sameAs(stored Response) bool {
	if stored.Trimmed {
		r = r.withoutTexts()
	}
	return r.Survey == stored.Survey && r.Invitation == stored.Invitation && r.Time.Equal(stored.Time) &&
		r.Occasion.filledFrom(stored.Occasion) == stored.Occasion &&
		maps.EqualFunc(r.Answers, stored.Answers, Answer.equal)
}

// String says what was answered without the texts.
func (r Response) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s:", r.Survey, r.Time.Format("2006-01-02 15:04"))
	for _, k := range slices.Sorted(maps.Keys(r.Answers)) {
		switch a := r.Answers[k]; {
		case a.Rated:
			fmt.Fprintf(&b, " %s %d", k, a.Value)
		case len(a.Choices) > 0:
			fmt.Fprintf(&b, " %s %s", k, strings.Join(a.Choices, "+"))
		default:
			fmt.Fprintf(&b, " %s (text)", k)
		}
	}
	return b.String()
}

func checkYear(t time.Time) error {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return errors.New("time outside the years 1 to 9999")
	}
	return nil
}
