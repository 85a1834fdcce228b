// Package segmenttest tests segments in the words in which they are meant: a
// history of one customer, and who belongs when, and why.
//
// Each assertion asks every evaluator that package segment has, with the
// history in order, shuffled, duplicated, late and defined afterwards, and
// fails where one of them differs from what is expected or from another.
//
//	c := segmenttest.New(t, LapsedVIP(), "Asia/Shanghai").Trait("tier", "gold").
//		Order("A1", "2026-01-05", 599_00)
//	c.At("2026-08-30 10:00").In().Because("last_order", "no net orders in 90 days")
//
// Instants are written "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"
// in the zone of the case, or as RFC 3339.
package segmenttest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

const (
	customer = profile.ID("customer")
	tested   = "segment under test"
)

// Case is one customer and one segment. What is added to it counts for the
// assertions that follow.
type Case struct {
	t           testing.TB
	loc         *time.Location
	definitions []segment.Definition
	traits      profile.Values
	events      []profile.Event
	orders      map[string]bool
	handOvers   []profile.HandOver
}

// New begins a case for a rule in a zone ("" is UTC). A zone that is not known
// fails the test at once, a rule that is not valid at the first assertion.
func New(t testing.TB, rule segment.Rule, zone string) *Case {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatalf("segmenttest: %v", err)
	}
	c := &Case{t: t, loc: loc, traits: profile.Values{}, orders: map[string]bool{}}
	c.definitions = []segment.Definition{{Name: tested, Rule: rule, Zone: zone}}
	return c
}

// Segment defines another segment, for rules that are made of it. It has the
// zone of the case.
func (c *Case) Segment(name string, rule segment.Rule) *Case {
	c.definitions = append(c.definitions, segment.Definition{Name: name, Rule: rule, Zone: c.definitions[0].Zone})
	return c
}

// Trait gives the customer a text trait.
func (c *Case) Trait(name, text string) *Case { return c.Has(name, profile.Text(text)) }

// Has gives the customer a trait of any kind; the zero Value takes it away.
func (c *Case) Has(name string, v profile.Value) *Case {
	c.t.Helper()
	c.traits[name] = v
	if v.IsZero() {
		delete(c.traits, name)
	}
	return c.Add(profile.Event{ID: c.next("trait"), Time: c.epoch(), Traits: profile.Values{name: v}})
}

// epoch is an instant before all that a case is about; later traits are later.
func (c *Case) epoch() time.Time { return time.Unix(int64(len(c.events)), 0).UTC() }

func (c *Case) next(kind string) string { return kind + "-" + strconv.Itoa(len(c.events)+1) }

// Does adds an event with text properties: name, value, name, value.
func (c *Case) Does(name, at string, properties ...string) *Case {
	c.t.Helper()
	if len(properties)%2 != 0 {
		c.t.Fatalf("segmenttest: properties come as name and value")
	}
	values := profile.Values{}
	for i := 0; i < len(properties); i += 2 {
		values[properties[i]] = profile.Text(properties[i+1])
	}
	return c.DoesWith(name, at, values)
}

// DoesWith adds an event with properties of any kind.
func (c *Case) DoesWith(name, at string, properties profile.Values) *Case {
	c.t.Helper()
	return c.Add(profile.Event{ID: c.next("event"), Name: name, Time: c.parse(at), Properties: properties})
}

// Order adds an order of one line, bought and paid at the instant, in minor units.
func (c *Case) Order(number, at string, amount int64) *Case {
	c.t.Helper()
	c.orders[number] = true
	return c.commerce("order.paid", at, commerce.Event{
		Order: commerce.Key{Source: "shop", Number: number}, Kind: commerce.Paid,
		Lines:    []commerce.Line{{ID: "1", Quantity: 1, Net: amount}},
		Payments: []commerce.Payment{{Tender: "card", Amount: amount}},
	})
}

// Refund adds a refund of an order added by Order, in minor units. That of an
// order that was not added fails the test at once.
func (c *Case) Refund(number, at string, amount int64) *Case {
	c.t.Helper()
	if !c.orders[number] {
		c.t.Fatalf("segmenttest: refund of order %q, which was not added", number)
	}
	return c.commerce("order.refunded", at, commerce.Event{
		Order: commerce.Key{Source: "shop", Number: number}, Kind: commerce.Refunded, Amount: amount,
	})
}

// HandOver passes all relations of a type of one party on to another, as of an
// instant.
func (c *Case) HandOver(relation, from, to, at string) *Case {
	c.t.Helper()
	c.handOvers = append(c.handOvers, profile.HandOver{Type: relation, From: from, To: to, At: c.parse(at)})
	return c
}

func (c *Case) commerce(name, at string, e commerce.Event) *Case {
	c.t.Helper()
	return c.Add(profile.Event{ID: c.next("order"), Name: name, Time: c.parse(at), Order: &e})
}

// Add adds any event of the customer; its ID must be new.
func (c *Case) Add(e profile.Event) *Case {
	c.t.Helper()
	if e.Order != nil {
		if err := e.Order.Identified(e.ID, e.Time).Validate(); err != nil {
			c.t.Fatalf("segmenttest: %v", err)
		}
	}
	c.events = append(c.events, e)
	return c
}

func (c *Case) parse(at string) time.Time {
	c.t.Helper()
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02 15:04:05.999999"} {
		if t, err := time.ParseInLocation(layout, at, c.loc); err == nil {
			return t
		}
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		c.t.Fatalf("segmenttest: %q is no instant", at)
	}
	return t
}

// Moment is the case at an instant.
type Moment struct {
	c  *Case
	at time.Time
	// asked is set once every evaluator has been asked, changes being the next
	// change that each of them foresees.
	asked   bool
	answers []answer
	changes []foreseen
}

// foreseen is when an evaluator expects the next change.
type foreseen struct {
	evaluator string
	at        time.Time
}

// At looks at the case at an instant.
func (c *Case) At(at string) *Moment {
	c.t.Helper()
	return &Moment{c: c, at: c.parse(at)}
}

// In asserts that the customer is a member.
func (m *Moment) In() *Moment {
	m.c.t.Helper()
	m.expect(true)
	return m
}

// Out asserts that the customer is no member.
func (m *Moment) Out() *Moment {
	m.c.t.Helper()
	m.expect(false)
	return m
}

// Because asserts that the explanation has a clause of that name (see
// segment.Rule.As), whose text contains text.
func (m *Moment) Because(clause, text string) *Moment {
	m.c.t.Helper()
	x := m.explain()
	m.expect(x.Member)
	found, ok := x.Find(clause)
	switch {
	case !ok:
		m.c.t.Errorf("no clause %q in: %s", clause, outline(x.Rule, 0))
	case !strings.Contains(found.Text, text):
		m.c.t.Errorf("clause %q says %q, not %q", clause, found.Text, text)
	}
	return m
}

// Until asserts that membership next changes at the instant, if nothing happens.
func (m *Moment) Until(at string) *Moment {
	m.c.t.Helper()
	m.next(m.c.parse(at))
	return m
}

// Forever asserts that membership never changes if nothing happens.
func (m *Moment) Forever() *Moment {
	m.c.t.Helper()
	m.next(time.Time{})
	return m
}

func (m *Moment) next(want time.Time) {
	m.c.t.Helper()
	x := m.explain()
	m.expect(x.Member)
	var others []string
	same := true
	for _, f := range m.changes {
		same = same && f.at.Equal(m.changes[0].at)
		if !f.at.Equal(want) {
			others = append(others, fmt.Sprintf("%s (%s)", m.text(f.at), f.evaluator))
		}
	}
	if same && others != nil {
		others = []string{m.text(m.changes[0].at) + " (every evaluator)"}
	}
	if others != nil {
		m.c.t.Errorf("at %s: next change not at %s but at %s\n%s", m.text(m.at), m.text(want), strings.Join(others, ", "), outline(x.Rule, 1))
	}
}

func (m *Moment) text(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.In(m.c.loc).Format("2006-01-02 15:04:05.999999")
}

func (m *Moment) record() segment.Record {
	return segment.Record{ID: customer, Traits: m.c.traits, Events: m.c.events, HandOvers: m.c.handOvers}
}

func (m *Moment) rules() *segment.Ruleset {
	m.c.t.Helper()
	rules, err := segment.Compile(m.c.definitions...)
	if err != nil {
		m.c.t.Fatalf("segmenttest: %v", err)
	}
	return rules
}

func (m *Moment) explain() segment.Explanation {
	m.c.t.Helper()
	x, err := m.rules().Explain(tested, m.record(), m.at)
	if err != nil {
		m.c.t.Fatalf("segmenttest: %v", err)
	}
	return x
}

// outline writes a clause with its parts, one a line.
func outline(c segment.Clause, depth int) string {
	mark := "no "
	if c.Holds {
		mark = "yes"
	}
	s := fmt.Sprintf("%s%s %s: %s\n", strings.Repeat("  ", depth), mark, c.Name, c.Text)
	for _, k := range c.Clauses {
		s += outline(k, depth+1)
	}
	return s
}

// expect compares what every evaluator says. Whoever differs is reported once,
// all together.
func (m *Moment) expect(want bool) {
	m.c.t.Helper()
	m.ask()
	var wrong, failed []string
	for _, a := range m.answers {
		switch {
		case a.err != nil:
			failed = append(failed, fmt.Sprintf("%s: %v", a.name, a.err))
		case a.in != want:
			wrong = append(wrong, a.name)
		}
	}
	if failed != nil {
		m.c.t.Errorf("at %s:\n%s", m.text(m.at), strings.Join(failed, "\n"))
	}
	if wrong == nil {
		return
	}
	who := "every evaluator"
	if len(wrong) < len(m.answers) {
		who = strings.Join(wrong, "; ")
	}
	word := map[bool]string{true: "in", false: "out"}
	x := m.explain()
	m.c.t.Errorf("at %s: expected %s, %s by %s\n%s\n%s", m.text(m.at), word[want], word[!want], who, x, outline(x.Rule, 1))
}

// ask asks every evaluator, once.
func (m *Moment) ask() {
	m.c.t.Helper()
	if m.asked {
		return
	}
	m.asked = true
	rules, x := m.rules(), m.explain()
	for _, problem := range undeclared(x.Rule) {
		m.c.t.Errorf("at %s: %s", m.text(m.at), problem)
	}
	h := fnv.New64a()
	fmt.Fprint(h, m.c.t.Name(), m.at)
	seed := h.Sum64()
	deliveries := m.deliveries(seed)
	for _, d := range deliveries[:2] { // in order, shuffled and duplicated
		r := m.record()
		r.Events = d.events
		match, err := rules.Match(tested, r, m.at)
		m.answers = append(m.answers, answer{"per customer, " + d.name, match, err})
		recount, err := rules.Recount(tested, r, m.at)
		m.answers = append(m.answers, answer{"recount, " + d.name, recount, err})
		change, err := rules.NextChange(tested, r, m.at)
		if err != nil {
			m.c.t.Errorf("%v", err)
		}
		m.changes = append(m.changes, foreseen{"per customer, " + d.name, change})
	}
	for _, d := range deliveries {
		name := fmt.Sprintf("engine, %s (seed %d)", d.name, seed)
		first, err := d.run(m)
		if err != nil {
			m.c.t.Errorf("%s: %v", name, err)
			continue
		}
		for _, a := range first.answers {
			m.answers = append(m.answers, answer{name + ", " + a.name, a.in, a.err})
		}
		if first.explained {
			m.changes = append(m.changes, foreseen{name, first.change})
		}
		again, err := d.run(m)
		if err != nil {
			m.c.t.Errorf("%s: %v", name, err)
			continue
		}
		if first.transitions != again.transitions {
			m.c.t.Errorf("%s: the same inputs gave\n%sand then\n%s", name, first.transitions, again.transitions)
		}
	}
}

// undeclared lists what functions read and do not declare.
func undeclared(c segment.Clause) (problems []string) {
	for _, r := range c.Read {
		if r.Undeclared {
			problems = append(problems, fmt.Sprintf("%s reads %q, which its Deps do not declare", c.Name, r.Name))
		}
	}
	for _, k := range c.Clauses {
		problems = append(problems, undeclared(k)...)
	}
	return problems
}

// delivery is a way in which the history reaches an engine.
type delivery struct {
	name   string
	events []profile.Event
	pace   pace
	// lateDefinition defines the segments after everything is there.
	lateDefinition bool
	// parted observes every second event as another customer, merged at the end.
	parted bool
}

type pace int

const (
	onTime  pace = iota // each event as it happens, or as soon as the shuffle allows
	overdue             // everything at the instant of the assertion
)

func (m *Moment) deliveries(seed uint64) []delivery {
	rng := rand.New(rand.NewPCG(seed, 1))
	shuffled := func() []profile.Event {
		events := append(append([]profile.Event(nil), m.c.events...), m.c.events...)
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		return events
	}
	return []delivery{
		{name: "in order", events: m.c.events},
		{name: "shuffled and duplicated", events: shuffled()},
		{name: "shuffled, all late", events: shuffled(), pace: overdue},
		{name: "defined afterwards", events: shuffled(), lateDefinition: true},
		{name: "two customers merged", events: shuffled(), parted: true},
	}
}

type outcome struct {
	answers     []answer
	change      time.Time // as the engine explains
	explained   bool
	transitions string
}

type answer struct {
	name string
	in   bool
	err  error
}

// run feeds an engine of its own and asks it.
func (d delivery) run(m *Moment) (out outcome, err error) {
	ctx := context.Background()
	now := time.Unix(0, 0).UTC()
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	engine, err := segment.New(segment.Config{History: history})
	if err != nil {
		return out, err
	}
	if d.pace == overdue {
		now = m.at
	}
	if !d.lateDefinition {
		if err := m.define(ctx, engine, now); err != nil {
			return out, err
		}
	}
	for i, e := range d.events {
		if e.Time.After(now) && !e.Time.After(m.at) {
			now = e.Time
		}
		id := customer
		if d.parted && eventNumber(e.ID)%2 == 1 {
			id = "other half"
		}
		if err := history.Observe(id, e); err != nil {
			return out, err
		}
		if i == len(d.events)/2 { // before some events and after others
			if err := m.handOver(ctx, engine); err != nil {
				return out, err
			}
		}
		if i%3 != 0 { // the engine is sometimes behind
			if err := engine.CatchUp(ctx); err != nil {
				return out, err
			}
		}
	}
	if d.parted {
		err := history.Merge(customer, "other half")
		if err != nil && !errors.Is(err, profile.ErrNotFound) {
			return out, err
		}
		if _, err := history.Get(ctx, customer); err != nil && len(d.events) > 0 {
			return out, nil // all events were the other half's
		}
	}
	if err := engine.CatchUp(ctx); err != nil {
		return out, err
	}
	if d.lateDefinition {
		if err := m.define(ctx, engine, now); err != nil {
			return out, err
		}
	}
	view, err := engine.View(tested)
	if err != nil {
		return out, err
	}
	if len(d.events) == 0 {
		return out, nil
	}
	in, err := view.ContainsAt(ctx, customer, m.at)
	out.answers = append(out.answers, answer{"before the sweep", in, err})
	if err := engine.Advance(ctx, m.at); err != nil {
		return out, err
	}
	out.answers = append(out.answers, answer{"after the sweep", view.Contains(customer), nil})
	def := m.c.definitions[0]
	all, err := engine.Select(ctx, m.at, segment.Definition{Rule: def.Rule, Zone: def.Zone})
	out.answers = append(out.answers, answer{"over all customers", err == nil && all.Contains(customer), err})
	x, err := engine.Explain(ctx, tested, customer, m.at)
	if err != nil {
		return out, err
	}
	out.answers = append(out.answers, answer{"as explained", x.Member, nil})
	out.change, out.explained = x.Changes, true
	var b strings.Builder
	entered := false
	for t, err := range engine.Transitions(ctx, 0) {
		if err != nil {
			return out, err
		}
		fmt.Fprintf(&b, "%+v\n", t)
		if t.Segment == tested && t.Customer == customer {
			entered = t.Kind == segment.Entered
		}
	}
	out.transitions = b.String()
	out.answers = append(out.answers, answer{"by its transitions", entered, nil})
	return out, nil
}

func (m *Moment) handOver(ctx context.Context, e *segment.Engine) error {
	for _, h := range m.c.handOvers {
		if err := e.HandOver(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

func eventNumber(id string) int {
	n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	if err != nil {
		return len(id)
	}
	return n
}

// define gives the engine every definition, those that others are made of first.
func (m *Moment) define(ctx context.Context, e *segment.Engine, now time.Time) error {
	for _, d := range m.rules().Definitions() {
		if err := e.Define(ctx, now, d); err != nil {
			return err
		}
	}
	return nil
}
