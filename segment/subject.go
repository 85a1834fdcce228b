package segment

import "github.com/cxkit/cxkit/profile"

// subject is one customer's data made ready for evaluation at any instant.
type subject struct {
	id     profile.ID
	traits profile.Values
	events []profile.Event
	orders []orderStretch
	folded bool
	handed handOvers
	runs   []run
	have   []bool
}

func newSubject(c *catalog, r Record) *subject {
	s := &subject{
		id: r.ID, traits: r.Traits, events: distinctEvents(r.Events),
		runs: make([]run, c.next), have: make([]bool, c.next),
	}
	for _, h := range r.HandOvers {
		if x, err := handOverOf(h); err == nil { // what is none is left out
			s.handed, _ = s.handed.with(h.Type, x)
		}
	}
	return s
}

// distinctEvents keeps the first event of each ID.
func distinctEvents(events []profile.Event) []profile.Event {
	seen := make(map[string]struct{}, len(events))
	out := make([]profile.Event, 0, len(events))
	for _, e := range events {
		if _, dup := seen[e.ID]; !dup {
			seen[e.ID] = struct{}{}
			out = append(out, e)
		}
	}
	return out
}

func (s *subject) run(st *stream) run {
	if !s.have[st.index] {
		var orders []orderStretch
		if st.source.ofOrders() {
			orders = s.orderStretches()
		}
		s.runs[st.index], s.have[st.index] = st.runOf(s.events, orders), true
	}
	return s.runs[st.index]
}

func (s *subject) orderStretches() []orderStretch {
	if !s.folded {
		s.orders, s.folded = orderHistory(s.events), true
	}
	return s.orders
}

func (s *subject) handedOver() handOvers { return s.handed }

func (s *subject) attr(name string) profile.Value { return plainNumber(s.traits[name]) }

func (s *subject) key() profile.ID { return s.id }

func (s *subject) member(c *compiled, t int64) (bool, int64) { return eval(s, c.root, t) }
