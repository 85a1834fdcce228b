package segment

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cxkit/cxkit/profile"
)

// handOver is a hand-over of a type of relation.
type handOver struct {
	At   int64  `json:"at"`
	From string `json:"from"`
	To   string `json:"to"`
}

// handOvers are those of each type, by time, then parties. What evaluations
// hold is never changed.
type handOvers map[string][]handOver

// with is a copy that has one more; ok is false where it is there.
func (h handOvers) with(kind string, x handOver) (out handOvers, ok bool) {
	list := h[kind]
	at, found := slices.BinarySearchFunc(list, x, func(a, b handOver) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	if found {
		return h, false
	}
	out = maps.Clone(h)
	if out == nil {
		out = handOvers{}
	}
	out[kind] = slices.Insert(slices.Clone(list), at, x)
	return out, true
}

// follow gives the party that has at t what a party had since an instant, and
// the next instant after t at which that changes, or never.
func (h handOvers) follow(kind, party string, since, t int64) (now string, until int64) {
	for _, x := range h[kind] {
		switch {
		case x.From != party || x.At < since:
		case x.At > t:
			return party, x.At
		default:
			party, since = x.To, x.At
		}
	}
	return party, never
}

// handOverOf reads a hand-over of a directory.
func handOverOf(h profile.HandOver) (handOver, error) {
	if h.Type == "" || h.From == "" || h.To == "" || h.From == h.To || h.At.IsZero() || h.At.Year() < 1 || h.At.Year() > 9999 {
		return handOver{}, fmt.Errorf("segment: %w", profile.ErrInvalidHandOver)
	}
	return handOver{micros(h.At), h.From, h.To}, nil
}

// handedOver is a hand-over as an input.
type handedOver struct {
	Type string `json:"type"`
	handOver
	// Past is what is known of those whose membership it changes in the past,
	// where the columns do not tell.
	Past []Record `json:"past,omitempty"`
}

// HandOver takes in that all relations of a type of one party are another's
// from a time on. A change feed does not tell: whoever tells a
// profile.Directory tells the engine too, at any time and in any order. Who
// belongs anew by it enters at the instant of the hand-over, be it past or to
// come, by [ByHandOver]. The same one again changes nothing. The error matches
// profile.ErrInvalidHandOver for one that names nobody or the same party twice,
// or is that of ctx or the History, and nothing is handed over then, or of the
// Store, as with [Engine.Advance]. It costs a look at every customer who has a
// relation of the type that a rule asks for.
func (e *Engine) HandOver(ctx context.Context, h profile.HandOver) error {
	x, err := handOverOf(h)
	if err != nil {
		return err
	}
	return e.write(ctx, func() error {
		after, fresh := e.handOvers.with(h.Type, x)
		if !fresh {
			return nil
		}
		in := handedOver{Type: h.Type, handOver: x}
		if in.Past, err = e.pastOf(ctx, h.Type, x.At, after); err != nil {
			return err
		}
		if err := e.log(journal{HandOver: &in}); err != nil {
			return err
		}
		e.locked(func() { e.handOver(&in) })
		return nil
	})
}

// relationLeaves are those that ask for relations of a type.
func (e *Engine) relationLeaves(kind string) []*leafState {
	var out []*leafState
	for _, s := range e.topology {
		for _, l := range s.leaves {
			if n := l.leaf.node; n.kind == nodeRelation && n.relation.kind == kind && !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// pastOf reads the customers whom hand-overs turn in the past, where the
// columns cannot tell since when.
func (e *Engine) pastOf(ctx context.Context, kind string, at int64, after handOvers) (past []Record, err error) {
	if at >= e.clock {
		return nil, nil
	}
	var read []uint32
	for _, l := range e.relationLeaves(kind) {
		facts := e.series[l.leaf.of[0].index]
		for d := range e.dict.len() {
			if !e.alive.has(d) || facts.get(d).len() == 0 || slices.Contains(read, d) || !e.behind(l, d, at) {
				continue
			}
			if holds, _ := l.leaf.node.relation.at(l.leaf.clocks, facts.get(d), after, e.clock); holds == l.holds(d) {
				continue
			}
			r, there, err := e.load(ctx, e.dict.key(d), e.position)
			if err != nil {
				return nil, err
			}
			if there {
				read, past = append(read, d), append(past, r)
			}
		}
	}
	return past, nil
}

// handOver takes in a hand-over at the clock.
func (e *Engine) handOver(in *handedOver) {
	after, fresh := e.handOvers.with(in.Type, in.handOver)
	if !fresh {
		return
	}
	e.handOvers = after
	why := cause{Cause: Cause{Kind: ByHandOver}, floor: min(in.At, e.clock)}
	leaves := e.relationLeaves(in.Type)
	for d := range e.dict.len() {
		if !e.alive.has(d) {
			continue
		}
		for _, l := range leaves {
			if e.series[l.leaf.of[0].index].get(d).len() > 0 {
				e.look(l, d)
			}
		}
		if len(e.dirty) == 0 {
			continue
		}
		if i := slices.IndexFunc(in.Past, func(r Record) bool { return r.ID == e.dict.key(d) }); i >= 0 {
			e.recall(d, &in.Past[i])
		}
		e.settle(why, e.clock)
		e.walk = nil
	}
}
