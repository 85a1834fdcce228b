package journeytest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
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
	// Calendars are the user's own, by name.
	Calendars map[string]journey.Calendar
	// Horizon is how long life goes on after the last move; 0 is 400 days.
	Horizon time.Duration
	// Invariants must hold on every path.
	Invariants []Invariant
	// Coverage gathers the edges taken; nil gathers none.
	Coverage *Coverage
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

	zone *time.Location // of the exploration
}

// String tells the moves and the timeline, in the exploration's local time.
func (v Violation) String() string {
	var b strings.Builder
	zone := cmp.Or(v.zone, time.UTC)
	fmt.Fprintf(&b, "%s: %s\n  after: %s", v.Invariant, v.Because, strings.Join(v.Moves, ", then "))
	for i, r := range v.Timeline {
		if left := len(v.Timeline) - shown; i == shown && left > shown {
			fmt.Fprintf(&b, "\n    … %d more …", left-shown)
		}
		if i >= shown && i < len(v.Timeline)-shown {
			continue
		}
		fmt.Fprintf(&b, "\n    %s  %s: %s", r.At.In(zone).Format(localTime), r.Journey, r)
	}
	return b.String()
}

// node is a situation: a life so far.
type node struct {
	walk   *journey.Walk
	member map[string]bool
	fails  map[string]bool
	hangs  map[string]bool
	traits profile.Values
	moves  []string
	story  []journey.Record
}

// situation is how the world outside finds the node that is being played.
type situation struct{}

func (n *node) fork() *node {
	return &node{n.walk.Clone(), maps.Clone(n.member), maps.Clone(n.fails), maps.Clone(n.hangs), maps.Clone(n.traits), slices.Clip(n.moves), slices.Clip(n.story)}
}

// membership answers for the node that is being played.
type membership string

func (m membership) ContainsAt(ctx context.Context, _ profile.ID, _ time.Time) (bool, error) {
	n, _ := ctx.Value(situation{}).(*node)
	return n != nil && n.member[string(m)], nil
}

// traits answers for the node that is being played.
func traits(ctx context.Context, _ profile.ID, names []string, _ time.Time) (profile.Values, error) {
	out := profile.Values{}
	if n, _ := ctx.Value(situation{}).(*node); n != nil {
		for _, name := range names {
			if v, ok := n.traits[name]; ok {
				out[name] = v
			}
		}
	}
	return out, nil
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
	root := &node{
		walk: sim.Walk("customer", start), member: map[string]bool{}, fails: map[string]bool{}, hangs: map[string]bool{}, traits: profile.Values{},
	}
	row := x.Customer
	if row.Zone == "" {
		row.Zone = x.Zone
	}
	if err := root.walk.SetContact(ctx, row); err != nil {
		return Explored{}, err
	}
	e := explorer{x: x, seen: map[string]bool{}, broken: map[string]bool{}, zone: loc}
	return e.search(ctx, root)
}

func (x Exploration) simulator() (*journey.Simulator, error) {
	cfg := journey.Simulation{
		Journeys: x.Journeys, Contact: x.Policy,
		Audiences: map[string]journey.Audience{}, Checks: map[string]journey.Check{},
		Calendars: x.Calendars, Members: map[string]journey.Listing{}, Traits: traits,
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
		for _, a := range d.Uses().Listed { // schedules come round as moves
			cfg.Members[a] = func(context.Context, time.Time) iter.Seq2[profile.ID, error] {
				return func(func(profile.ID, error) bool) {}
			}
		}
		for _, c := range d.Uses().Checks {
			cfg.Checks[c] = func(ctx context.Context, id profile.ID, at time.Time) (bool, error) {
				return membership("check:"+c).ContainsAt(ctx, id, at)
			}
		}
	}
	return journey.NewSimulator(cfg)
}

type explorer struct {
	x      Exploration
	seen   map[string]bool
	broken map[string]bool
	found  Explored
	zone   *time.Location
}

// search goes breadth first, so that the first violation is a shortest one.
func (e *explorer) search(ctx context.Context, root *node) (Explored, error) {
	level := []*node{root}
	for depth := 0; ; depth++ {
		var next []*node
		for _, n := range level {
			ends, err := e.end(ctx, n)
			if err != nil {
				return e.found, err
			}
			if !ends || depth == e.x.Depth { // behind an endless loop nothing is to be found
				continue
			}
			for _, m := range e.moves(n) {
				if err := ctx.Err(); err != nil {
					return e.found, err
				}
				c := n.fork()
				c.moves = append(c.moves, m.Name)
				plays, err := e.play(ctx, c, func(ctx context.Context) error { return m.do(ctx, c) })
				if err != nil {
					return e.found, err
				}
				if key := c.key(); plays && !e.seen[key] {
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

// end lets life go on without moves, and looks at what is left. It is false where
// that runs in circles.
func (e *explorer) end(ctx context.Context, n *node) (bool, error) {
	e.found.Paths++
	c := n.fork()
	ends, err := e.play(ctx, c, func(ctx context.Context) error {
		return c.walk.Advance(ctx, c.walk.Now().Add(e.x.Horizon))
	})
	if err != nil || !ends {
		return ends, err
	}
	for _, inv := range e.x.Invariants {
		if inv.End == nil {
			continue
		}
		if err := inv.End(c.story, c.walk); err != nil {
			e.report(inv.Name, c, err)
		}
	}
	return true, nil
}

// play lets something happen in a situation, under the eyes of the invariants.
// A loop that the journey cannot leave is a violation too; then it is false.
func (e *explorer) play(ctx context.Context, n *node, do func(context.Context) error) (bool, error) {
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
		return false, nil
	}
	return err == nil, err
}

func (e *explorer) report(invariant string, n *node, because error) {
	if e.broken[invariant] {
		return
	}
	e.broken[invariant] = true
	e.found.Violations = append(e.found.Violations, Violation{invariant, slices.Clone(n.moves), because.Error(), slices.Clone(n.story), e.zone})
}

// key tells situations apart: everything that can bear on what comes.
func (n *node) key() string {
	var messages []string
	for i := range n.story {
		if r := &n.story[i]; r.State == journey.Confirmed {
			messages = append(messages, r.Name+r.Instance+r.At.String())
		}
	}
	b, err := json.Marshal([]any{n.walk.Now(), n.walk.Instances(), n.walk.Pending(), n.walk.Contact(), n.member, n.fails, n.hangs, n.traits, messages})
	if err != nil {
		return strings.Join(n.moves, "\x00")
	}
	return string(b)
}
