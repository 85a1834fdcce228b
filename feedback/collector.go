package feedback

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Config configures a [Collector]. The zero Config works, in memory and
// without surveys.
type Config struct {
	// Store keeps the records; nil means a new [Memory].
	Store Store
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Surveys are those that may be asked and answered, with distinct names.
	Surveys []Survey
	// Budgets cap invitations across surveys; all that cover a survey must allow it.
	Budgets []Budget
	// Checks are the functions that surveys name in Audience and Exclude.
	Checks map[string]Check
	// Hold is how long a reservation counts without being sent, so that a lost
	// message does not keep a customer from being asked; 0 means until it is
	// sent or canceled.
	Hold time.Duration
	// SameAs gives all IDs under which a customer is on record, former ones
	// included, so that cadence and budgets hold across merged profiles; nil
	// means the ID alone.
	SameAs func(ctx context.Context, id profile.ID) ([]profile.ID, error)
	// Mask takes personal data out of texts and comments before they are
	// stored; text.Mask is one. It must give equal texts for equal ones. Nil
	// stores texts as they come.
	Mask func(text string) string
}

// Collector invites customers and records what they answer. It is safe for
// concurrent use; several collectors may share a store.
type Collector struct {
	store   Store
	now     func() time.Time
	surveys map[string]Survey
	budgets []Budget
	checks  map[string]Check
	hold    time.Duration
	keep    time.Duration
	sameAs  func(ctx context.Context, id profile.ID) ([]profile.ID, error)
	mask    func(text string) string
}

// New returns a collector; the error matches [ErrInvalid] and names the field.
func New(cfg Config) (*Collector, error) {
	c := &Collector{
		store: cfg.Store, now: cfg.Now, surveys: make(map[string]Survey, len(cfg.Surveys)),
		budgets: slices.Clone(cfg.Budgets), checks: maps.Clone(cfg.Checks), hold: cfg.Hold,
		keep: keepTouches, sameAs: cfg.SameAs, mask: cfg.Mask,
	}
	if c.store == nil {
		c.store = NewMemory()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.hold < 0 {
		return nil, fmt.Errorf("%w: Hold: negative", ErrInvalid)
	}
	for name, check := range c.checks {
		if check == nil {
			return nil, fmt.Errorf("%w: Checks: %q is nil", ErrInvalid, name)
		}
	}
	for _, s := range cfg.Surveys {
		if err := s.Validate(); err != nil {
			return nil, err
		}
		if _, ok := c.surveys[s.Name]; ok {
			return nil, fmt.Errorf("%w: Surveys: %q twice", ErrInvalid, s.Name)
		}
		for _, name := range slices.Concat(s.Exclude, nonEmpty(s.Audience)) {
			if c.checks[name] == nil {
				return nil, fmt.Errorf("%w: survey %q: Checks has no %q", ErrInvalid, s.Name, name)
			}
		}
		c.surveys[s.Name] = s
		c.keep = max(c.keep, 2*s.Cadence)
	}
	for i, b := range c.budgets {
		if err := b.validate(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.budgets[:i], func(o Budget) bool { return o.Name == b.Name }) {
			return nil, fmt.Errorf("%w: Budgets: %q twice", ErrInvalid, b.Name)
		}
		c.keep = max(c.keep, 2*b.Window)
	}
	return c, nil
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// WithStore returns a collector that is the same but for the store, such as
// one inside the caller's transaction.
func (c *Collector) WithStore(s Store) *Collector {
	d := *c
	d.store = s
	return &d
}

// Survey returns the survey of that name.
func (c *Collector) Survey(name string) (Survey, bool) {
	s, ok := c.surveys[name]
	return s, ok
}

func (c *Collector) survey(name string) (Survey, error) {
	s, ok := c.surveys[name]
	if !ok {
		return Survey{}, fmt.Errorf("%w: %q", ErrUnknownSurvey, name)
	}
	return s, nil
}

// Invite decides whether the customer may be asked and, if so, reserves the
// invitation in the same commit: of any number of concurrent requests no more
// are given than cadence and budgets allow. The decision is recorded either
// way under the ID of the request, so that a repeated delivery gets the first
// answer and [Collector.Coverage] counts each occasion once.
//
// What stands against asking is found in this order: backfill, the opening
// times of the survey, the age of the occasion, the sample, the audience (each
// of which ends the search), then exclusions, cadence and budgets, all of them.
//
// The caller sends the message, then calls [Collector.Sent], without which it
// cannot be answered; a reservation not sent within [Config.Hold] is void. Errors: [ErrInvalid], [ErrUnknownSurvey],
// [ErrMismatch], those of checks and store.
func (c *Collector) Invite(ctx context.Context, r Request) (Invitation, error) {
	s, r, err := c.admit(r)
	if err != nil {
		return Invitation{}, err
	}
	return retry(ctx, func() (Invitation, error) {
		got, err := c.store.Get(ctx, Keys{Invitations: []string{r.ID}})
		if err != nil {
			return Invitation{}, err
		}
		if len(got.Invitations) > 0 {
			first := got.Invitations[0]
			same, err := c.isSame(ctx, r.Customer, first.Customer)
			if err != nil {
				return Invitation{}, err
			}
			if !same || !r.sameAs(first.Request) {
				return Invitation{}, fmt.Errorf("%w: request", ErrMismatch)
			}
			return first, nil
		}
		inv, contacts, err := c.decide(ctx, s, r)
		if err != nil {
			return Invitation{}, err
		}
		put := Records{Invitations: []Invitation{inv}}
		if inv.Given() {
			own := ownContact(contacts, r.Customer)
			contacts[own].add(Touch{
				ID: inv.ID, Survey: s.Name, Brand: s.Brand, At: inv.Time, HoldUntil: inv.HoldUntil,
			}, c.keep)
			put.Contacts = contacts
		}
		if err := c.store.Commit(ctx, Batch{Put: put}); err != nil {
			return Invitation{}, err
		}
		inv.Version++
		return inv, nil
	})
}

// Check decides as [Collector.Invite] would and records nothing.
func (c *Collector) Check(ctx context.Context, r Request) (Invitation, error) {
	s, r, err := c.admit(r)
	if err != nil {
		return Invitation{}, err
	}
	inv, _, err := c.decide(ctx, s, r)
	return inv, err
}

// admit validates a request; a zero Time stays zero until decide.
func (c *Collector) admit(r Request) (Survey, Request, error) {
	if err := r.validate(); err != nil {
		return Survey{}, r, err
	}
	s, err := c.survey(r.Survey)
	r.Time, r.Occasion.At = micro(r.Time), micro(r.Occasion.At)
	return s, r, err
}

func (c *Collector) decide(ctx context.Context, s Survey, r Request) (Invitation, []Contact, error) {
	now := micro(c.now())
	if r.Time.IsZero() {
		r.Time = now
	}
	inv := Invitation{Request: r, Program: s.Program, Brand: s.Brand, State: Withheld, DecidedAt: now}
	reasons, err := c.outer(ctx, s, r)
	if err != nil {
		return Invitation{}, nil, err
	}
	if len(reasons) > 0 && reasons[0].Code != Excluded {
		inv.Reasons = reasons
		return inv, nil, nil
	}
	contacts, err := c.contacts(ctx, r.Customer)
	if err != nil {
		return Invitation{}, nil, err
	}
	inv.Reasons = append(reasons, c.inner(s, r, contacts)...)
	if len(inv.Reasons) == 0 {
		inv.State = Reserved
		if c.hold > 0 {
			inv.HoldUntil = r.Time.Add(c.hold)
		}
	}
	return inv, contacts, nil
}

// contacts returns the contact rows of a customer under all IDs; the row of
// the ID itself is there even if nothing is stored yet.
func (c *Collector) contacts(ctx context.Context, id profile.ID) ([]Contact, error) {
	ids, err := c.known(ctx, id)
	if err != nil {
		return nil, err
	}
	got, err := c.store.Get(ctx, Keys{Contacts: ids})
	if err != nil {
		return nil, err
	}
	out := got.Contacts
	if ownContact(out, id) < 0 {
		out = append(out, Contact{Customer: id})
	}
	return out, nil
}

// known lists the IDs of a customer, sorted, without repetition.
func (c *Collector) known(ctx context.Context, id profile.ID) ([]profile.ID, error) {
	ids := []profile.ID{id}
	if c.sameAs != nil {
		more, err := c.sameAs(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("feedback: IDs of a customer: %w", err)
		}
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// isSame reports whether a customer as stated now is the one on record; "" is
// anyone.
func (c *Collector) isSame(ctx context.Context, stated, recorded profile.ID) (bool, error) {
	if stated == "" || stated == recorded {
		return true, nil
	}
	ids, err := c.known(ctx, stated)
	return slices.Contains(ids, recorded), err
}

func ownContact(contacts []Contact, id profile.ID) int {
	return slices.IndexFunc(contacts, func(c Contact) bool { return c.Customer == id })
}

// Sent records that an invitation went out at the given time; from then it may
// be answered for [Survey.Valid]. Repeating it changes nothing. The error
// matches [ErrNotOpen] where the invitation was withheld, canceled, or its hold
// was over at that time, [ErrMismatch] where it was sent at another time.
func (c *Collector) Sent(ctx context.Context, invitation string, at time.Time) (Invitation, error) {
	at = micro(at)
	return retry(ctx, func() (Invitation, error) {
		inv, err := c.Invitation(ctx, invitation)
		if err != nil {
			return Invitation{}, err
		}
		if !inv.SentAt.IsZero() {
			if inv.SentAt.Equal(at) {
				return inv, nil
			}
			return inv, fmt.Errorf("%w: sent at another time", ErrMismatch)
		}
		s, err := c.survey(inv.Survey)
		if err != nil {
			return inv, err
		}
		// A sweep may have run before the report arrived: the time of sending
		// decides, as it would have without the sweep.
		swept := inv.State == Expired && inv.SentAt.IsZero() && at.Before(inv.HoldUntil)
		if at.Before(inv.Time) || !swept && inv.StateAt(at) != Reserved {
			return inv, fmt.Errorf("%w: %s at %s", ErrNotOpen, inv.StateAt(at), stamp(at))
		}
		inv.State, inv.SentAt, inv.ExpiresAt = Sent, at, at.Add(s.valid())
		return c.update(ctx, inv, func(contact *Contact) {
			contact.add(Touch{ID: inv.ID, Survey: inv.Survey, Brand: inv.Brand, At: inv.Time}, c.keep)
		})
	})
}

// Cancel takes back a reservation that will not be sent, and frees what it
// took of cadence and budgets. Repeating it changes nothing; the error matches
// [ErrNotOpen] where it was sent.
func (c *Collector) Cancel(ctx context.Context, invitation string) (Invitation, error) {
	return retry(ctx, func() (Invitation, error) {
		inv, err := c.Invitation(ctx, invitation)
		if err != nil || inv.State == Canceled || inv.State == Withheld {
			return inv, err
		}
		if !inv.SentAt.IsZero() || inv.State == Answered {
			return inv, fmt.Errorf("%w: it was sent", ErrNotOpen)
		}
		inv.State = Canceled
		return c.update(ctx, inv, func(contact *Contact) { contact.remove(inv.ID) })
	})
}

// update commits an invitation with the contact row under which it was given.
func (c *Collector) update(ctx context.Context, inv Invitation, change func(*Contact)) (Invitation, error) {
	got, err := c.store.Get(ctx, Keys{Contacts: []profile.ID{inv.Customer}})
	if err != nil {
		return Invitation{}, err
	}
	contact := Contact{Customer: inv.Customer}
	if len(got.Contacts) > 0 {
		contact = got.Contacts[0]
	}
	change(&contact)
	put := Records{Invitations: []Invitation{inv}, Contacts: []Contact{contact}}
	if err := c.store.Commit(ctx, Batch{Put: put}); err != nil {
		return Invitation{}, err
	}
	inv.Version++
	return inv, nil
}

// Invitation returns the recorded invitation; the error matches [ErrNotFound]
// where there is none.
func (c *Collector) Invitation(ctx context.Context, id string) (Invitation, error) {
	got, err := c.store.Get(ctx, Keys{Invitations: []string{id}})
	if err != nil {
		return Invitation{}, err
	}
	if len(got.Invitations) == 0 {
		return Invitation{}, fmt.Errorf("%w: invitation", ErrNotFound)
	}
	return got.Invitations[0], nil
}

// Record keeps a response and closes the invitation that it answers. An
// unsolicited response has no invitation, an anonymous one no customer. Whether
// an invitation was still open is judged by the time of the answer, not of its
// arrival. Errors: [ErrInvalid], [ErrUnknownSurvey], [ErrNotFound] and
// [ErrNotOpen] for the invitation, [ErrMismatch].
func (c *Collector) Record(ctx context.Context, r Response) (Response, error) {
	if err := r.validateKeys(); err != nil {
		return Response{}, err
	}
	s, err := c.survey(r.Survey)
	if err != nil {
		return Response{}, err
	}
	if r, err = r.prepare(s); err != nil {
		return Response{}, err
	}
	r.RecordedAt = micro(c.now())
	if c.mask != nil {
		for key, a := range r.Answers {
			a.Text = c.mask(a.Text)
			r.Answers[key] = a
		}
	}
	return retry(ctx, func() (Response, error) { return c.record(ctx, s, r) })
}

func (c *Collector) record(ctx context.Context, s Survey, r Response) (Response, error) {
	keys := Keys{Responses: []string{r.ID}, Invitations: nonEmpty(r.Invitation)}
	if r.Customer != "" {
		keys.Contacts = []profile.ID{r.Customer}
	}
	got, err := c.store.Get(ctx, keys)
	if err != nil {
		return Response{}, err
	}
	if len(got.Responses) > 0 {
		first := got.Responses[0]
		same, err := c.isSame(ctx, r.Customer, first.Customer)
		if err != nil {
			return Response{}, err
		}
		if !first.Erased && (!same || !r.sameAs(first)) {
			return Response{}, fmt.Errorf("%w: response", ErrMismatch)
		}
		return first, nil
	}
	var put Records
	if r.Invitation != "" {
		if len(got.Invitations) == 0 {
			return Response{}, fmt.Errorf("%w: invitation", ErrNotFound)
		}
		inv, err := answered(got.Invitations[0], r)
		if err != nil {
			return Response{}, err
		}
		same, err := c.isSame(ctx, r.Customer, inv.Customer)
		if err != nil {
			return Response{}, err
		}
		if !same {
			return Response{}, fmt.Errorf("%w: the invitation is another customer's", ErrInvalid)
		}
		if r.Customer == "" {
			r.Customer = inv.Customer
		}
		r.Occasion = r.Occasion.filledFrom(inv.Occasion)
		put.Invitations = []Invitation{inv}
	}
	if r.Customer != "" {
		if len(keys.Contacts) == 0 { // the invitation has said whose it is
			if got, err = c.store.Get(ctx, Keys{Contacts: []profile.ID{r.Customer}}); err != nil {
				return Response{}, err
			}
		}
		contact := Contact{Customer: r.Customer}
		if len(got.Contacts) > 0 {
			contact = got.Contacts[0]
		}
		contact.add(Touch{ID: r.ID, Survey: s.Name, Brand: s.Brand, At: r.Time, Answer: true}, c.keep)
		put.Contacts = []Contact{contact}
	}
	put.Responses = []Response{r}
	if err := c.store.Commit(ctx, Batch{Put: put}); err != nil {
		return Response{}, err
	}
	r.Version++
	return r.clone(), nil
}

// answered returns the invitation with the response noted, or why it cannot be.
func answered(inv Invitation, r Response) (Invitation, error) {
	if inv.Survey != r.Survey {
		return inv, fmt.Errorf("%w: the invitation is for survey %q", ErrInvalid, inv.Survey)
	}
	swept := inv.State == Expired && !inv.SentAt.IsZero() && r.Time.Before(inv.ExpiresAt)
	switch {
	case inv.State == Answered:
		return inv, fmt.Errorf("%w: answered already", ErrNotOpen)
	case !swept && inv.StateAt(r.Time) != Sent:
		return inv, fmt.Errorf("%w: %s at the time of the answer", ErrNotOpen, inv.StateAt(r.Time))
	case r.Time.Before(inv.SentAt):
		return inv, fmt.Errorf("%w: answered before it was sent", ErrNotOpen)
	}
	inv.State, inv.AnsweredAt, inv.Response = Answered, r.Time, r.ID
	return inv, nil
}

// RunDue marks the invitations that have expired by now, at most limit of them,
// and returns how many. It only keeps the recorded states tidy: no answer
// changes, because every read takes time into account.
func (c *Collector) RunDue(ctx context.Context, now time.Time, limit int) (int, error) {
	due, err := c.store.Due(ctx, micro(now), limit)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, inv := range due {
		inv.State = Expired
		err := c.store.Commit(ctx, Batch{Put: Records{Invitations: []Invitation{inv}}})
		switch {
		case err == nil:
			n++
		case !errors.Is(err, ErrConflict):
			return n, err
		}
	}
	return n, nil
}

// Invitations yields the invitations that match, ordered by (Time, ID), a page
// at a time. The loop may write and may stop early. What is recorded behind
// the position of the loop is not seen.
func (c *Collector) Invitations(ctx context.Context, q Query) iter.Seq2[Invitation, error] {
	return pages(q, func(q Query) ([]Invitation, error) { return c.store.Invitations(ctx, q) },
		func(i Invitation) Position { return Position{i.Time, i.ID} })
}

// Responses yields the responses that match, as [Collector.Invitations] does.
func (c *Collector) Responses(ctx context.Context, q Query) iter.Seq2[Response, error] {
	return pages(q, func(q Query) ([]Response, error) { return c.store.Responses(ctx, q) },
		func(r Response) Position { return Position{r.Time, r.ID} })
}

func pages[T any](q Query, page func(Query) ([]T, error), at func(T) Position) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := q
		for {
			rows, err := page(q)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if len(rows) < q.limit() {
				return
			}
			q.After = at(rows[len(rows)-1])
		}
	}
}

// maxAttempts bounds the retries of a commit; every failed one means that
// another caller's succeeded.
const maxAttempts = 256

func retry[T any](ctx context.Context, do func() (T, error)) (T, error) {
	var out T
	var err error
	for range maxAttempts {
		if err = ctx.Err(); err != nil {
			return out, err
		}
		if out, err = do(); !errors.Is(err, ErrConflict) {
			return out, err
		}
	}
	return out, err
}
