package care

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Kind is the kind of a case.
type Kind string

// The kinds with a flow of their own; any other Kind needs one in [Config.Flows].
const (
	Complaint Kind = "complaint"
	Return    Kind = "return"
	Exchange  Kind = "exchange"
	Repair    Kind = "repair"
	Request   Kind = "request"
)

// Phase is what a state means to clocks and to other packages.
type Phase string

// The phases.
const (
	Waiting  Phase = "waiting"  // nobody has taken it up
	Working  Phase = "working"  // the ball is with the shop
	Paused   Phase = "paused"   // the ball is with the customer: clocks stand
	Resolved Phase = "resolved" // done, may be reopened
	Closed   Phase = "closed"   // over
)

// Done reports whether the case is resolved or closed.
func (p Phase) Done() bool { return p == Resolved || p == Closed }

// Flow is the state machine of a kind of case.
//
// Its JSON form carries "format":1 and refuses unknown fields.
type Flow struct {
	Kind Kind
	// Start is the state of a new case.
	Start string
	// States maps each state to its phase.
	States map[string]Phase
	// Moves are all that may happen.
	Moves []Move
}

// Move leads from any of the states From to To when Verb is done.
type Move struct {
	Verb string   `json:"verb"`
	From []string `json:"from"`
	To   string   `json:"to"`
}

// Verbs lists what can be done in a state, in the order of Moves.
func (f Flow) Verbs(state string) []string {
	var out []string
	for _, m := range f.Moves {
		if slices.Contains(m.From, state) {
			out = append(out, m.Verb)
		}
	}
	return out
}

func (f Flow) next(state, verb string) (to string, ok bool) {
	for _, m := range f.Moves {
		if m.Verb == verb && slices.Contains(m.From, state) {
			return m.To, true
		}
	}
	return "", false
}

// Validate says what is wrong with the flow; the error matches [ErrInvalid].
// Every state must be reachable, and from every state an end must be.
func (f Flow) Validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: flow %q: %s", ErrInvalid, f.Kind, fmt.Sprintf(format, args...))
	}
	if f.Kind == "" || len(f.Kind) > maxKeyBytes {
		return fail("kind: empty or too long")
	}
	for _, name := range slices.Sorted(maps.Keys(f.States)) {
		switch f.States[name] {
		case Waiting, Working, Paused, Resolved, Closed:
		default:
			return fail("state %q: phase %q is unknown", name, f.States[name])
		}
		if name == "" {
			return fail("a state without a name")
		}
	}
	if f.States[f.Start] == "" {
		return fail("start %q is no state", f.Start)
	}
	type from struct{ state, verb string }
	seen := map[from]bool{}
	forward, backward := map[string][]string{}, map[string][]string{}
	for _, m := range f.Moves {
		if m.Verb == "" || len(m.From) == 0 {
			return fail("a move to %q without verb or origin", m.To)
		}
		if f.States[m.To] == "" {
			return fail("move %q leads to %q, which is no state", m.Verb, m.To)
		}
		for _, s := range m.From {
			if f.States[s] == "" {
				return fail("move %q comes from %q, which is no state", m.Verb, s)
			}
			if seen[from{s, m.Verb}] {
				return fail("move %q leaves %q twice", m.Verb, s)
			}
			seen[from{s, m.Verb}] = true
			forward[s] = append(forward[s], m.To)
			backward[m.To] = append(backward[m.To], s)
		}
	}
	reached := closure(forward, f.Start)
	var ends []string
	for name, phase := range f.States {
		if phase == Closed {
			ends = append(ends, name)
		}
	}
	ending := closure(backward, ends...)
	for _, name := range slices.Sorted(maps.Keys(f.States)) {
		if !reached[name] {
			return fail("state %q cannot be reached", name)
		}
		if !ending[name] {
			return fail("state %q never ends", name)
		}
	}
	return nil
}

func closure(edges map[string][]string, from ...string) map[string]bool {
	seen := map[string]bool{}
	for len(from) > 0 {
		s := from[len(from)-1]
		from = from[:len(from)-1]
		if !seen[s] {
			seen[s] = true
			from = append(from, edges[s]...)
		}
	}
	return seen
}

type flowJSON struct {
	Format int              `json:"format"`
	Kind   Kind             `json:"kind"`
	Start  string           `json:"start"`
	States map[string]Phase `json:"states"`
	Moves  []Move           `json:"moves"`
}

// MarshalJSON writes the flow with its format version.
func (f Flow) MarshalJSON() ([]byte, error) {
	return json.Marshal(flowJSON{formatVersion, f.Kind, f.Start, f.States, f.Moves})
}

// UnmarshalJSON reads what MarshalJSON writes and validates it; the error
// matches [ErrInvalid].
func (f *Flow) UnmarshalJSON(b []byte) error {
	var w flowJSON
	if err := decodeStrict(b, &w); err != nil {
		return fmt.Errorf("%w: flow: %w", ErrInvalid, err)
	}
	if w.Format != formatVersion {
		return fmt.Errorf("%w: flow %q: format %d, want %d", ErrInvalid, w.Kind, w.Format, formatVersion)
	}
	out := Flow{Kind: w.Kind, Start: w.Start, States: w.States, Moves: w.Moves}
	if err := out.Validate(); err != nil {
		return err
	}
	*f = out
	return nil
}

// DefaultFlow returns the built-in flow of a kind; ok is false for a kind that
// has none. The verbs, in their usual order:
//
//	complaint, request: start, ask, resume, resolve, close, reopen
//	return:             approve, reject, ship, receive, inspect, refund, close, reopen
//	exchange:           approve, reject, ship, receive, inspect, send, close, reopen
//	repair:             drop_off, diagnose, quote, accept, decline, repair, finish, dispatch, arrive, pick_up, reopen
//
// Every open case can also be withdrawn ("withdraw"), and a complaint or
// request resolved or closed from any open state.
func DefaultFlow(k Kind) (f Flow, ok bool) {
	switch k {
	case Complaint, Request:
		return Flow{
			Kind: k, Start: "new",
			States: map[string]Phase{
				"new": Waiting, "in_progress": Working, "waiting_customer": Paused,
				"resolved": Resolved, "closed": Closed, "withdrawn": Closed,
			},
			Moves: []Move{
				{"start", []string{"new"}, "in_progress"},
				{"ask", []string{"new", "in_progress"}, "waiting_customer"},
				{"resume", []string{"waiting_customer"}, "in_progress"},
				{"resolve", []string{"new", "in_progress", "waiting_customer"}, "resolved"},
				{"close", []string{"new", "in_progress", "waiting_customer", "resolved"}, "closed"},
				{"reopen", []string{"resolved", "closed"}, "in_progress"},
				{"withdraw", []string{"new", "in_progress", "waiting_customer"}, "withdrawn"},
			},
		}, true
	case Return:
		return goodsBack(Return, "refund", "refunded"), true
	case Exchange:
		return goodsBack(Exchange, "send", "replaced"), true
	case Repair:
		return Flow{
			Kind: Repair, Start: "registered",
			States: map[string]Phase{
				"registered": Waiting, "received": Working, "diagnosed": Working, "quoted": Paused,
				"repairing": Working, "repaired": Working, "in_transit": Working,
				"ready": Resolved, "picked_up": Closed, "withdrawn": Closed,
			},
			Moves: []Move{
				{"drop_off", []string{"registered"}, "received"},
				{"diagnose", []string{"received"}, "diagnosed"},
				{"quote", []string{"received", "diagnosed"}, "quoted"},
				{"accept", []string{"quoted"}, "repairing"},
				{"decline", []string{"quoted"}, "repaired"},
				{"repair", []string{"received", "diagnosed"}, "repairing"},
				{"finish", []string{"repairing"}, "repaired"},
				{"dispatch", []string{"repaired"}, "in_transit"},
				{"arrive", []string{"repaired", "in_transit"}, "ready"},
				{"pick_up", []string{"ready"}, "picked_up"},
				{"reopen", []string{"ready", "picked_up"}, "received"},
				{"withdraw", []string{"registered", "received", "diagnosed", "quoted", "repairing", "repaired"}, "withdrawn"},
			},
		}, true
	}
	return Flow{}, false
}

// goodsBack is the flow of goods that come back, for money or for other goods.
func goodsBack(k Kind, verb, end string) Flow {
	return Flow{
		Kind: k, Start: "requested",
		States: map[string]Phase{
			"requested": Waiting, "approved": Paused, "in_transit": Paused, "received": Working,
			"inspected": Working, end: Resolved, "rejected": Resolved, "closed": Closed, "withdrawn": Closed,
		},
		Moves: []Move{
			{"approve", []string{"requested"}, "approved"},
			{"reject", []string{"requested", "inspected"}, "rejected"},
			{"ship", []string{"approved"}, "in_transit"},
			{"receive", []string{"requested", "approved", "in_transit"}, "received"},
			{"inspect", []string{"received"}, "inspected"},
			{verb, []string{"requested", "approved", "received", "inspected"}, end},
			{"close", []string{end, "rejected"}, "closed"},
			{"reopen", []string{end, "rejected", "closed"}, "received"},
			{"withdraw", []string{"requested", "approved", "in_transit"}, "withdrawn"},
		},
	}
}
