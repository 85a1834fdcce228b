package journeytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Exploration tries every way that a customer can take through journeys up to a
// number of moves, shortest first, and holds each against invariants. Besides the
// moves that are listed, time may always pass to the next thing that is due.
type Exploration struct {
	// Journeys are the definitions.
	Journeys []journey.Source
	// Policy is the contact policy.
	Policy contact.Policy
	// Start and Zone are as for [New].
	Start, Zone string
	// Customer is the contact row at the beginning.
	Customer contact.Row
	// Moves are what may happen.
	Moves []Move
	// Depth is the greatest number of moves; 0 is 5.
	Depth int
	// Horizon is how long life goes on after the last move; 0 is 400 days.
	Horizon time.Duration
	// Invariants must hold on every path.
	Invariants []Invariant
	// Coverage gathers the edges taken; nil gathers none.
	Coverage *Coverage
}

// Move is one thing that may happen to the customer.
type Move struct {
	Name string
	do   func(ctx context.Context, n *node) error
}

// Happens is an event; properties are as for [Customer.Does].
func Happens(event string, properties ...any) Move {
	return input(journey.EventInput, event, properties)
}

// Called is a call of the program.
func Called(name string, properties ...any) Move {
	return input(journey.CallInput, name, properties)
}

func input(kind journey.InputKind, name string, properties []any) Move {
	return Move{name, func(ctx context.Context, n *node) error {
		props, err := values(properties)
		if err != nil {
			return err
		}
		return n.walk.Ingest(ctx, journey.Input{Kind: kind, Name: name, Time: n.walk.Now(), Props: props})
	}}
}

// Enters makes the customer a member of an audience and reports it.
func Enters(audience string) Move {
	return Move{"enters " + audience, func(ctx context.Context, n *node) error {
		n.member[audience] = true
		return n.walk.Ingest(ctx, journey.Input{Kind: journey.EnteredInput, Name: audience, Time: n.walk.Now()})
	}}
}

// Leaves ends the membership of an audience and reports it.
func Leaves(audience string) Move {
	return Move{"leaves " + audience, func(ctx context.Context, n *node) error {
		delete(n.member, audience)
		return n.walk.Ingest(ctx, journey.Input{Kind: journey.LeftInput, Name: audience, Time: n.walk.Now()})
	}}
}

// Passes lets time pass.
func Passes(d time.Duration) Move {
	return Move{d.String() + " later", func(ctx context.Context, n *node) error {
		return n.walk.Advance(ctx, n.walk.Now().Add(d))
	}}
}

// Withdraws takes back consent on a channel; "" is every channel.
func Withdraws(purpose, channel string) Move {
	return Move{"withdraws " + strings.TrimSpace(purpose+" "+channel), func(ctx context.Context, n *node) error {
		act := profile.ConsentAct{Purpose: purpose, Channel: channel}
		return n.walk.SetContact(ctx, n.walk.Contact().WithConsent(act, n.walk.Now()))
	}}
}

// Fails makes a channel, or the action of a name, refuse everything from then on.
func Fails(name string) Move {
	return Move{name + " fails", func(_ context.Context, n *node) error {
		n.fails[name] = true
		return nil
	}}
}

// Hangs leaves it unclear, from then on, whether a channel, or the action of a
// name, did anything.
func Hangs(name string) Move {
	return Move{name + " hangs", func(_ context.Context, n *node) error {
		n.hangs[name] = true
		return nil
	}}
}

// Invariant is what must hold on every path.
type Invariant struct {
	Name string
	// Each looks at every line of history as it is written, with all lines before
	// it; nil does not. An error is a violation.
	Each func(r journey.Record, before []journey.Record, w *journey.Walk) error
	// End looks at the end of every path, when the horizon is reached; nil does not.
	End func(story []journey.Record, w *journey.Walk) error
}

// AtMost allows so many messages within any stretch of time.
func AtMost(messages int, within time.Duration) Invariant {
	return Invariant{
		Name: fmt.Sprintf("at most %d messages within %s", messages, within),
		Each: func(r journey.Record, before []journey.Record, _ *journey.Walk) error {
			if !sent(&r) {
				return nil
			}
			n := 1
			for i := range before {
				if sent(&before[i]) && r.At.Sub(before[i].At) < within {
					n++
				}
			}
			if n > messages {
				return fmt.Errorf("%d messages within %s", n, within)
			}
			return nil
		},
	}
}

func sent(r *journey.Record) bool {
	return r.EffectKind == journey.MessageEffect && r.State == journey.Confirmed
}

// NeverWithoutConsent demands consent for a purpose, on its channel, for every
// message, whatever purpose the message itself and the policy speak of.
func NeverWithoutConsent(purpose string) Invariant {
	return Invariant{
		Name: "never without consent for " + purpose,
		Each: func(r journey.Record, _ []journey.Record, w *journey.Walk) error {
			if !sent(&r) {
				return nil
			}
			if ok, why := w.Contact().Consented(purpose, r.Decision.Channel, "", r.At); !ok {
				return fmt.Errorf("%s on %s: %s", r.Name, r.Decision.Channel, why)
			}
			return nil
		},
	}
}

// NeverTwice allows each message and action once per customer and correlation key.
func NeverTwice(name string) Invariant {
	return Invariant{
		Name: name + " never twice",
		Each: func(r journey.Record, before []journey.Record, w *journey.Walk) error {
			if r.Name != name || r.Kind != journey.EffectRecord || r.State != journey.Confirmed {
				return nil
			}
			for i := range before {
				if b := &before[i]; b.Name == name && b.State == journey.Confirmed && keyOf(w, b.Instance) == keyOf(w, r.Instance) {
					return fmt.Errorf("%s for the second time", name)
				}
			}
			return nil
		},
	}
}

func keyOf(w *journey.Walk, instance string) string {
	for _, in := range w.Instances() {
		if in.ID == instance {
			return in.Journey + " " + in.Key
		}
	}
	return ""
}

// AlwaysEnds demands that no instance is open when the horizon is reached.
func AlwaysEnds() Invariant {
	return Invariant{
		Name: "always ends",
		End: func(_ []journey.Record, w *journey.Walk) error {
			for _, in := range w.Instances() {
				if in.Open() {
					return fmt.Errorf("%s is still in %s", in.Journey, in.State)
				}
			}
			return nil
		},
	}
}

// Explored is what an exploration found.
type Explored struct {
	// Paths is how many ways were tried, States how many different situations met.
	Paths, States int
	// Violations are the shortest counter-examples, one per invariant.
	Violations []Violation
}

// shown bounds the lines of a timeline that are printed, at either end.
const shown = 15

// Violation is a path on which an invariant does not hold.
type Violation struct {
	Invariant string
	// Moves lead to it, Because says what is wrong, Timeline is all that happened.
	Moves    []string
	Because  string
	Timeline []journey.Record
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n  after: %s", v.Invariant, v.Because, strings.Join(v.Moves, ", then "))
	for i, r := range v.Timeline {
		if left := len(v.Timeline) - shown; i == shown && left > shown {
			fmt.Fprintf(&b, "\n    … %d more …", left-shown)
		}
		if i >= shown && i < len(v.Timeline)-shown {
			continue
		}
		fmt.Fprintf(&b, "\n    %s  %s: %s", r.At.Format(localTime), r.Journey, r)
	}
	return b.String()
}

// node is a situation: a life so far.
type node struct {
	walk   *journey.Walk
	member map[string]bool
	fails  map[string]bool
	hangs  map[string]bool
	moves  []string
	story  []journey.Record
}

// situation is how the world outside finds the node that is being played.
type situation struct{}

func (n *node) fork() *node {
	return &node{n.walk.Clone(), maps.Clone(n.member), maps.Clone(n.fails), maps.Clone(n.hangs), slices.Clip(n.moves), slices.Clip(n.story)}
}

// membership answers for the node that is being played.
type membership string

func (m membership) ContainsAt(ctx context.Context, _ profile.ID, _ time.Time) (bool, error) {
	n, _ := ctx.Value(situation{}).(*node)
	return n != nil && n.member[string(m)], nil
}

// Test explores and fails the test with every counter-example.
func (x Exploration) Test(t testing.TB) Explored {
	t.Helper()
	found, err := x.Run(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, v := range found.Violations {
		t.Errorf("%s", v)
	}
	return found
}

// Run explores. It stops looking for violations of an invariant at the first,
// which no shorter path has.
func (x Exploration) Run(ctx context.Context) (Explored, error) {
	if x.Depth == 0 {
		x.Depth = 5
	}
	if x.Horizon == 0 {
		x.Horizon = 400 * 24 * time.Hour
	}
	loc, err := time.LoadLocation(x.Zone)
	if err != nil {
		return Explored{}, fmt.Errorf("journeytest: zone: %w", err)
	}
	start, err := time.ParseInLocation(localTime, x.Start, loc)
	if err != nil {
		return Explored{}, fmt.Errorf("journeytest: %q is no time such as %q", x.Start, localTime)
	}
	sim, err := x.simulator()
	if err != nil {
		return Explored{}, err
	}
	root := &node{walk: sim.Walk("customer", start), member: map[string]bool{}, fails: map[string]bool{}, hangs: map[string]bool{}}
	row := x.Customer
	if row.Zone == "" {
		row.Zone = x.Zone
	}
	if err := root.walk.SetContact(ctx, row); err != nil {
		return Explored{}, err
	}
	e := explorer{x: x, seen: map[string]bool{}, broken: map[string]bool{}}
	return e.search(ctx, root)
}

func (x Exploration) simulator() (*journey.Simulator, error) {
	cfg := journey.Simulation{
		Journeys: x.Journeys, Contact: x.Policy,
		Audiences: map[string]journey.Audience{}, Checks: map[string]journey.Check{},
		Answer: func(ctx context.Context, d journey.Dispatch) journey.Answer {
			n, _ := ctx.Value(situation{}).(*node)
			if n != nil && (n.hangs[d.Channel] || n.hangs[d.Effect.Name]) {
				return journey.Unclear("hangs")
			}
			if n != nil && (n.fails[d.Channel] || n.fails[d.Effect.Name]) {
				return journey.Reject("fails")
			}
			return journey.Confirm("")
		},
	}
	for _, src := range x.Journeys {
		d, err := src.Build()
		if err != nil {
			return nil, err
		}
		for _, a := range d.Uses().Audiences {
			cfg.Audiences[a] = membership(a)
		}
		for _, c := range d.Uses().Checks {
			cfg.Checks[c] = func(context.Context, profile.ID, time.Time) (bool, error) { return false, nil }
		}
	}
	return journey.NewSimulator(cfg)
}

type explorer struct {
	x      Exploration
	seen   map[string]bool
	broken map[string]bool
	found  Explored
}

// search goes breadth first, so that the first violation is a shortest one.
func (e *explorer) search(ctx context.Context, root *node) (Explored, error) {
	level := []*node{root}
	for depth := 0; ; depth++ {
		var next []*node
		for _, n := range level {
			if err := e.end(ctx, n); err != nil {
				return e.found, err
			}
			if depth == e.x.Depth {
				continue
			}
			for _, m := range e.moves(n) {
				if err := ctx.Err(); err != nil {
					return e.found, err
				}
				c := n.fork()
				c.moves = append(c.moves, m.Name)
				if err := e.play(ctx, c, func(ctx context.Context) error { return m.do(ctx, c) }); err != nil {
					return e.found, err
				}
				if key := c.key(); !e.seen[key] {
					e.seen[key] = true
					next = append(next, c)
				}
			}
		}
		if len(next) == 0 || len(e.broken) == len(e.x.Invariants) && len(e.broken) > 0 {
			e.found.States = len(e.seen)
			return e.found, nil
		}
		level = next
	}
}

// moves are what may happen in a situation.
func (e *explorer) moves(n *node) []Move {
	due := n.walk.Next()
	if due.IsZero() {
		return e.x.Moves
	}
	return append(slices.Clip(e.x.Moves), Move{"time passes", func(ctx context.Context, n *node) error {
		return n.walk.Advance(ctx, due)
	}})
}

// end lets life go on without moves, and looks at what is left.
func (e *explorer) end(ctx context.Context, n *node) error {
	e.found.Paths++
	c := n.fork()
	err := e.play(ctx, c, func(ctx context.Context) error {
		return c.walk.Advance(ctx, c.walk.Now().Add(e.x.Horizon))
	})
	if err != nil {
		return err
	}
	for _, inv := range e.x.Invariants {
		if inv.End == nil {
			continue
		}
		if err := inv.End(c.story, c.walk); err != nil {
			e.report(inv.Name, c, err)
		}
	}
	return nil
}

// play lets something happen in a situation, under the eyes of the invariants.
// A loop that the journey cannot leave is a violation too.
func (e *explorer) play(ctx context.Context, n *node, do func(context.Context) error) error {
	n.walk.Listen(func(r journey.Record) {
		for _, inv := range e.x.Invariants {
			if inv.Each == nil {
				continue
			}
			if err := inv.Each(r, n.story, n.walk); err != nil {
				at := *n
				at.story = append(slices.Clone(n.story), r)
				e.report(inv.Name, &at, err)
			}
		}
		if e.x.Coverage != nil && r.Kind == journey.MovedRecord {
			for _, src := range e.x.Journeys {
				if d, err := src.Build(); err == nil && d.Version() == r.Version {
					e.x.Coverage.add(d, r.Edge)
				}
			}
		}
		n.story = append(n.story, r)
	})
	defer n.walk.Listen(nil)
	err := do(context.WithValue(ctx, situation{}, n))
	if errors.Is(err, journey.ErrLoop) {
		e.report("no endless loop", n, err)
		return nil
	}
	return err
}

func (e *explorer) report(invariant string, n *node, because error) {
	if e.broken[invariant] {
		return
	}
	e.broken[invariant] = true
	e.found.Violations = append(e.found.Violations, Violation{invariant, slices.Clone(n.moves), because.Error(), slices.Clone(n.story)})
}

// key tells situations apart: everything that can bear on what comes.
func (n *node) key() string {
	var messages []string
	for i := range n.story {
		if r := &n.story[i]; r.State == journey.Confirmed {
			messages = append(messages, r.Name+r.Instance+r.At.String())
		}
	}
	b, err := json.Marshal([]any{n.walk.Now(), n.walk.Instances(), n.walk.Pending(), n.walk.Contact(), n.member, n.fails, n.hangs, messages})
	if err != nil {
		return strings.Join(n.moves, "\x00")
	}
	return string(b)
}
