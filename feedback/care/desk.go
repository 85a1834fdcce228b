package care

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/profile"
)

// Config configures a [Desk]. The zero Config works, in memory, with the
// built-in flows and without clocks.
type Config struct {
	// Store keeps the records; nil means a new [Memory].
	Store Store
	// Now is the clock that dates records; nil means time.Now.
	Now func() time.Time
	// Flows replace or add to the built-in ones, by kind.
	Flows []Flow
	// Calendars are the business calendars that targets name.
	Calendars map[string]*Calendar
	// Policies give clocks to new cases; the first match applies.
	Policies []Policy
	// Rules open cases from responses in [Desk.React].
	Rules []Rule
	// Notify receives every notice at least once, the first time in order for one case,
	// outside of any lock; it may act on the desk. An error leaves the notice
	// to RunDue. Nil means that nobody listens and none are kept.
	Notify func(ctx context.Context, n Notice) error
	// SameAs gives all IDs under which a customer is on record, former ones
	// included; nil means the ID alone.
	SameAs func(ctx context.Context, id profile.ID) ([]profile.ID, error)
	// Mask takes personal data out of texts and notes before they are stored;
	// text.Mask is one. It must give equal texts for equal ones. Nil stores
	// texts as they come.
	Mask func(text string) string
}

// Desk runs cases. It is safe for concurrent use; several desks may share a store.
type Desk struct {
	store    Store
	now      func() time.Time
	flows    map[Kind]Flow
	clocks   clockwork
	policies []Policy
	rules    []Rule
	notify   func(ctx context.Context, n Notice) error
	deferred bool // notices wait for RunDue
	sameAs   func(ctx context.Context, id profile.ID) ([]profile.ID, error)
	mask     func(text string) string
}

// New returns a desk; the error matches [ErrInvalid] and names the field.
func New(cfg Config) (*Desk, error) {
	d := &Desk{
		store: cfg.Store, now: cfg.Now, flows: map[Kind]Flow{}, clocks: clockwork{},
		rules: slices.Clone(cfg.Rules), notify: cfg.Notify, sameAs: cfg.SameAs, mask: cfg.Mask,
	}
	if d.store == nil {
		d.store = NewMemory()
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.mask == nil {
		d.mask = func(text string) string { return text }
	}
	for _, k := range []Kind{Complaint, Return, Exchange, Repair, Request} {
		d.flows[k], _ = DefaultFlow(k)
	}
	for i, f := range cfg.Flows {
		if err := f.Validate(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(cfg.Flows[:i], func(o Flow) bool { return o.Kind == f.Kind }) {
			return nil, fmt.Errorf("%w: Flows: %q twice", ErrInvalid, f.Kind)
		}
		d.flows[f.Kind] = f
	}
	for name, cal := range cfg.Calendars {
		if name == "" || cal == nil {
			return nil, fmt.Errorf("%w: Calendars: %q has no name or is nil", ErrInvalid, name)
		}
		d.clocks[name] = cal
	}
	for i, p := range cfg.Policies {
		if err := p.validate(d.clocks); err != nil {
			return nil, fmt.Errorf("%w (Policies[%d])", err, i)
		}
		p.Targets = slices.Clone(p.Targets)
		d.policies = append(d.policies, p)
	}
	for i, r := range d.rules {
		if err := r.validate(d.flows); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(d.rules[:i], func(o Rule) bool { return o.Name == r.Name }) {
			return nil, fmt.Errorf("%w: Rules: %q twice", ErrInvalid, r.Name)
		}
	}
	return d, nil
}

// WithStore returns a desk that is the same but for the store, such as one
// inside the caller's transaction. It delivers no notices itself: RunDue of the
// other desk does, after the transaction has committed.
func (d *Desk) WithStore(s Store) *Desk {
	c := *d
	c.store, c.deferred = s, true
	return &c
}

// Flow returns the flow of a kind.
func (d *Desk) Flow(k Kind) (Flow, bool) {
	f, ok := d.flows[k]
	return f, ok
}

// Open opens a case and starts its clocks at its Time. Errors: [ErrInvalid],
// [ErrMismatch], those of the store.
func (d *Desk) Open(ctx context.Context, o Opening) (Case, error) {
	if err := o.validate(); err != nil {
		return Case{}, err
	}
	if _, ok := d.flows[o.Kind]; !ok {
		return Case{}, fmt.Errorf("%w: opening: no flow for kind %q", ErrInvalid, o.Kind)
	}
	o.Time, o.Text = micro(o.Time), d.mask(o.Text)
	c, err := retry(ctx, func() (Case, error) {
		keys := Keys{Cases: []string{o.ID}}
		if o.Serial != "" {
			keys.Products = []string{o.Serial}
		}
		got, err := d.store.Get(ctx, keys)
		if err != nil {
			return Case{}, err
		}
		if len(got.Cases) > 0 {
			first := got.Cases[0]
			same := o
			same.Mode = first.Mode
			if first.Trimmed {
				same.Text = ""
			}
			if first.Erased || same == first.Opening {
				return first, nil
			}
			return Case{}, fmt.Errorf("%w: case", ErrMismatch)
		}
		now := micro(d.now())
		c := d.opened(o, now)
		if len(got.Products) > 0 {
			c.WarrantyUntil = got.Products[0].WarrantyUntil
		}
		if o.Mode == profile.Live {
			c.Clocks = d.clocksFor(o)
		}
		c.align(o.Time, false)
		d.post(&c, c.notice("opened", Opened, o.Time, now, o.Mode))
		return d.commit(ctx, c, nil)
	})
	if err != nil {
		return Case{}, err
	}
	return d.deliver(ctx, c), nil
}

func (d *Desk) clocksFor(o Opening) []Clock {
	for _, p := range d.policies {
		if p.matches(o) {
			clocks := make([]Clock, len(p.Targets))
			for i, t := range p.Targets {
				t.EscalateAt = slices.Clone(t.EscalateAt)
				clocks[i] = Clock{Target: t}
			}
			return clocks
		}
	}
	return nil
}

// Act does something on a case. What has lapsed by the time of the action is
// settled first. An action that arrives after later ones is put in its place:
// the case becomes what it would be had all come in order (clocks are counted
// again, by the calendars of today), unless what was done since would then not
// have been possible, or a loaner moves. Notices that went out stay out. Repeating an action changes nothing and returns the case as it
// is. Errors: [ErrInvalid], [ErrNotFound], [ErrNotAllowed], [ErrOutOfOrder],
// [ErrLoaner], [ErrMismatch], those of the store; the case is unchanged then.
func (d *Desk) Act(ctx context.Context, a Action) (Case, error) {
	if err := a.validate(); err != nil {
		return Case{}, err
	}
	a.Time, a.Promise, a.Note = micro(a.Time), micro(a.Promise), d.mask(a.Note)
	c, err := retry(ctx, func() (Case, error) {
		loans := slices.DeleteFunc([]string{a.Lend, a.Reclaim}, func(s string) bool { return s == "" })
		got, err := d.store.Get(ctx, Keys{Cases: []string{a.Case}, Loans: loans})
		if err != nil {
			return Case{}, err
		}
		if len(got.Cases) == 0 {
			return Case{}, fmt.Errorf("%w: case", ErrNotFound)
		}
		c := got.Cases[0]
		if done, err := c.repeats(a); done || err != nil {
			return c, err
		}
		changed, err := d.apply(&c, a, got.Loans)
		if err != nil {
			return Case{}, err
		}
		return d.commit(ctx, c, changed)
	})
	if err != nil {
		return Case{}, err
	}
	return d.deliver(ctx, c), nil
}

// repeats reports whether the action was done already.
func (c *Case) repeats(a Action) (bool, error) {
	for _, e := range c.History {
		if e.ID != a.ID {
			continue
		}
		a.Mode = e.Mode
		if c.Trimmed {
			a.Note = ""
		}
		if c.Erased || a == e.Action {
			return true, nil
		}
		return false, fmt.Errorf("%w: action", ErrMismatch)
	}
	return false, nil
}

// apply does the action on c and returns the loans that changed.
func (d *Desk) apply(c *Case, a Action, loans []Loan) ([]Loan, error) {
	now := micro(d.now())
	var changed []Loan
	var err error
	at := len(c.History)
	if a.Time.Before(c.lastTime()) {
		at, err = d.insert(c, a, now)
	} else {
		d.announce(c, a.Time, now)
		changed, err = d.step(c, a, loans, now)
	}
	if err != nil {
		return nil, err
	}
	d.announce(c, c.lastTime(), now)
	entry := c.History[at]
	n := c.notice("act/"+a.ID, Acted, a.Time, now, max(a.Mode, c.Mode))
	n.Verb, n.From, n.To = a.Verb, entry.From, entry.To
	d.post(c, n)
	return changed, nil
}

// step does an action that is not before the last one.
func (d *Desk) step(c *Case, a Action, loans []Loan, recorded time.Time) ([]Loan, error) {
	flow := d.flows[c.Kind]
	to := c.State
	if a.Verb != "" {
		next, ok := flow.next(c.State, a.Verb)
		if !ok {
			return nil, fmt.Errorf("%w: %q of a %s that is %s", ErrNotAllowed, a.Verb, c.Kind, c.State)
		}
		to = next
	}
	d.clocks.settle(c, a.Time)
	entry := Entry{Action: a, From: c.State, To: to, RecordedAt: recorded}
	c.State, c.Phase = to, flow.States[to]
	if a.Assign != "" {
		c.Assignee = a.Assign
	}
	changed, err := c.moveLoaner(a, loans)
	if err != nil {
		return nil, err
	}
	if err := c.moveGoods(a); err != nil {
		return nil, err
	}
	if !a.Promise.IsZero() {
		c.Promises = append(c.Promises, Promise{By: a.Promise, MadeAt: a.Time, Actor: a.Actor, Reason: a.Note, Mode: a.Mode})
	}
	c.align(a.Time, a.Reply)
	c.History = append(c.History, entry)
	return changed, nil
}

// insert puts an action that arrived late in its place, before what was done
// after it, and folds the case again from its opening. It fails if what was
// done since is then not possible any more.
func (d *Desk) insert(c *Case, a Action, now time.Time) (at int, err error) {
	if a.Time.Before(c.Time) || a.Lend != "" || a.Reclaim != "" || c.Erased {
		return 0, fmt.Errorf("%w: case", ErrOutOfOrder)
	}
	at = slices.IndexFunc(c.History, func(e Entry) bool { return e.Time.After(a.Time) })
	again := d.opened(c.Opening, c.RecordedAt)
	again.Clocks = make([]Clock, len(c.Clocks))
	for i, k := range c.Clocks {
		again.Clocks[i].Target = k.Target
	}
	again.align(c.Time, false)
	again.Pending, again.Announced, again.Version = c.Pending, c.Announced, c.Version
	again.Failures, again.RetryAt = c.Failures, c.RetryAt
	again.WarrantyUntil, again.Trimmed = c.WarrantyUntil, c.Trimmed
	for _, e := range slices.Insert(slices.Clone(c.History), at, Entry{Action: a, RecordedAt: now}) {
		// The loans of the past stand: only this case's own account is kept.
		loans := []Loan{{Item: e.Reclaim, Case: c.ID}, {Item: e.Lend}}
		if _, err := d.step(&again, e.Action, loans, e.RecordedAt); err != nil {
			return 0, fmt.Errorf("%w: what was done since does not fit: %w", ErrOutOfOrder, err)
		}
	}
	*c = again
	return at, nil
}

// opened is a case as it begins, without clocks.
func (d *Desk) opened(o Opening, recorded time.Time) Case {
	flow := d.flows[o.Kind]
	return Case{Opening: o, State: flow.Start, Phase: flow.States[flow.Start], RecordedAt: recorded}
}

// moveLoaner lends and reclaims, and refuses to close a case whose loaner is out.
func (c *Case) moveLoaner(a Action, loans []Loan) ([]Loan, error) {
	row := func(item string) Loan {
		if i := slices.IndexFunc(loans, func(l Loan) bool { return l.Item == item }); i >= 0 {
			return loans[i]
		}
		return Loan{Item: item}
	}
	var changed []Loan
	if a.Reclaim != "" {
		l := row(a.Reclaim)
		if c.Loaner != a.Reclaim || l.Case != c.ID {
			return nil, fmt.Errorf("%w: %q is not out on this case", ErrLoaner, a.Reclaim)
		}
		c.Loaner, l.Case = "", ""
		changed = append(changed, l)
	}
	if a.Lend != "" {
		l := row(a.Lend)
		switch {
		case a.Lend == a.Reclaim:
			return nil, fmt.Errorf("%w: %q lent and reclaimed at once", ErrLoaner, a.Lend)
		case c.Loaner != "":
			return nil, fmt.Errorf("%w: %q is out on this case already", ErrLoaner, c.Loaner)
		case l.Case != "":
			return nil, fmt.Errorf("%w: %q is out on another case", ErrLoaner, a.Lend)
		case c.Phase == Closed:
			return nil, fmt.Errorf("%w: none is lent on a closed case", ErrLoaner)
		}
		c.Loaner, l.Case = a.Lend, c.ID
		changed = append(changed, l)
	}
	if c.Phase == Closed && c.Loaner != "" {
		return nil, fmt.Errorf("%w: %q is still out: reclaim it before closing", ErrLoaner, c.Loaner)
	}
	return changed, nil
}

// moveGoods starts and ends courier legs.
func (c *Case) moveGoods(a Action) error {
	if a.Ship != (Leg{}) {
		if slices.ContainsFunc(c.Legs, func(l Leg) bool { return l.Tracking == a.Ship.Tracking }) {
			return fmt.Errorf("%w: action: tracking number twice", ErrInvalid)
		}
		leg := a.Ship
		leg.SentAt = a.Time
		c.Legs = append(c.Legs, leg)
	}
	if a.Arrived != "" {
		i := slices.IndexFunc(c.Legs, func(l Leg) bool { return l.Tracking == a.Arrived && l.ArrivedAt.IsZero() })
		if i < 0 {
			return fmt.Errorf("%w: action: no courier leg under way with that tracking number", ErrInvalid)
		}
		c.Legs[i].ArrivedAt = a.Time
	}
	return nil
}

// announce makes notices of what has lapsed by t and was not announced.
func (d *Desk) announce(c *Case, t, now time.Time) {
	for _, l := range slices.Concat(c.Lapses, d.clocks.upcoming(c)) {
		if !l.At.After(t) && !slices.Contains(c.Announced, l.announcement()) {
			c.Announced = append(c.Announced, l.announcement())
			d.post(c, c.lapseNotice(l, now))
		}
	}
}

func (d *Desk) post(c *Case, n Notice) {
	if d.notify != nil {
		c.Pending = append(c.Pending, n)
	}
}

// commit writes the case with its next due time.
func (d *Desk) commit(ctx context.Context, c Case, loans []Loan) (Case, error) {
	c.NextDue = time.Time{}
	for _, l := range d.clocks.upcoming(&c) {
		if !slices.Contains(c.Announced, l.announcement()) {
			c.NextDue = l.At
			break
		}
	}
	if len(c.Pending) == 0 {
		c.Failures, c.RetryAt = 0, time.Time{}
	} else if at := later(c.Pending[0].EffectiveAt, c.RetryAt); c.NextDue.IsZero() || at.Before(c.NextDue) {
		c.NextDue = at
	}
	if err := d.store.Commit(ctx, Batch{Put: Records{Cases: []Case{c}, Loans: loans}}); err != nil {
		return Case{}, err
	}
	c.Version++
	return c, nil
}

// deliver hands pending notices over unless the desk is inside a transaction.
// What fails is left to RunDue.
func (d *Desk) deliver(ctx context.Context, c Case) Case {
	if d.deferred {
		return c
	}
	if later, err := d.flush(ctx, c, time.Time{}); err == nil {
		return later
	}
	return c
}

// flush delivers the pending notices of a case in order and takes them off. A
// sweep at now that fails puts off the next attempt.
func (d *Desk) flush(ctx context.Context, c Case, now time.Time) (Case, error) {
	if d.notify == nil || len(c.Pending) == 0 {
		return c, nil
	}
	var failed error
	done := map[string]bool{}
	for _, n := range c.Pending {
		if failed = d.notify(ctx, n); failed != nil {
			break
		}
		done[n.ID] = true
	}
	if len(done) > 0 || failed != nil && !now.IsZero() {
		later, err := retry(ctx, func() (Case, error) {
			c, err := d.Case(ctx, c.ID)
			if err != nil {
				return Case{}, err
			}
			if len(done) > 0 {
				c.Failures, c.RetryAt = 0, time.Time{}
			}
			if failed != nil && !now.IsZero() {
				c.RetryAt = now.Add(backoff(c.Failures))
				c.Failures++
			}
			c.Pending = slices.DeleteFunc(c.Pending, func(n Notice) bool { return done[n.ID] })
			return d.commit(ctx, c, nil)
		})
		if err != nil {
			return c, errors.Join(failed, err)
		}
		c = later
	}
	return c, failed
}

// backoff is how long after so many failures a sweep tries again: a minute,
// doubling up to an hour.
func backoff(failures int) time.Duration {
	return min(time.Hour, time.Minute<<min(failures, 6))
}

// RunDue announces what has lapsed by now and delivers notices that were left,
// for at most limit cases, and returns how many. A notice that Notify refuses is
// tried again a minute later, then two, up to an hour, so that it does not stand
// in the way of others. It changes no answer: states,
// clocks and [Desk.Status] are the same whether or not it has run. The errors of
// Notify are returned joined, after all cases were tried.
func (d *Desk) RunDue(ctx context.Context, now time.Time, limit int) (int, error) {
	now = micro(now)
	due, err := d.store.Due(ctx, now, limit)
	if err != nil {
		return 0, err
	}
	var failed error
	for n, c := range due {
		c, err := retry(ctx, func() (Case, error) {
			c, err := d.Case(ctx, c.ID)
			if err != nil {
				return Case{}, err
			}
			before := len(c.Announced)
			d.announce(&c, now, micro(d.now()))
			if len(c.Announced) == before {
				return c, nil
			}
			return d.commit(ctx, c, nil)
		})
		if err != nil {
			return n, errors.Join(failed, err)
		}
		if !d.deferred {
			if _, err := d.flush(ctx, c, now); err != nil {
				failed = errors.Join(failed, err)
			}
		}
	}
	return len(due), failed
}

// Case returns a case; the error matches [ErrNotFound] where there is none.
func (d *Desk) Case(ctx context.Context, id string) (Case, error) {
	got, err := d.store.Get(ctx, Keys{Cases: []string{id}})
	if err != nil {
		return Case{}, err
	}
	if len(got.Cases) == 0 {
		return Case{}, fmt.Errorf("%w: case", ErrNotFound)
	}
	return got.Cases[0], nil
}

// Cases yields the cases that match, ordered by (Time, ID), a page at a time.
// The loop may write and may stop early.
func (d *Desk) Cases(ctx context.Context, q Query) iter.Seq2[Case, error] {
	return pages(q, func(q Query) ([]Case, error) { return d.store.Page(ctx, q) },
		func(c Case) Position { return Position{c.Time, c.ID} })
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

// HasOpen reports whether the customer of a request has a case that is neither
// resolved nor closed. It is a [feedback.Check] for [feedback.Survey.Exclude].
func (d *Desk) HasOpen(ctx context.Context, r feedback.Request) (bool, error) {
	ids, err := d.known(ctx, r.Customer)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		rows, err := d.store.Page(ctx, Query{Customer: id, Open: true, Limit: 1})
		if err != nil || len(rows) > 0 {
			return len(rows) > 0, err
		}
	}
	return false, nil
}

// known lists the IDs of a customer, sorted, without repetition.
func (d *Desk) known(ctx context.Context, id profile.ID) ([]profile.ID, error) {
	ids := []profile.ID{id}
	if d.sameAs != nil {
		more, err := d.sameAs(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("care: IDs of a customer: %w", err)
		}
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
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
