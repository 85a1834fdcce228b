package segment

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cxkit/cxkit/profile"
)

// Relation is a type of relation that customers have to others, as their events
// report it (profile.RelationAct). Its methods make rules.
//
// A relation holds from the time of the act that reports it until its Until, or
// until a later act says otherwise. Of "assistant" and "outlet" a customer has
// one at a time, as with profile.Directory by default: a newer one replaces it.
// Of other types there may be several, and the latest act about each party
// counts. [Relation.OneAtATime] says so for another type.
//
// What a party has by an act from before a hand-over ([Engine.HandOver]) is the
// other party's from its time on.
type Relation struct {
	kind   string
	single bool
}

// Related is the relation of a type, such as "assistant" or "guardian".
func Related(kind string) Relation { return Relation{kind, singleByDefault(kind)} }

func singleByDefault(kind string) bool { return kind == "assistant" || kind == "outlet" }

// OneAtATime says whether a new relation of the type ends the former.
func (r Relation) OneAtATime(single bool) Relation {
	r.single = single
	return r
}

// Exists holds for those who have the relation to anybody.
func (r Relation) Exists() Rule { return r.test(relationTest{}) }

// To holds for those who have it to one of the parties.
func (r Relation) To(parties ...string) Rule {
	sorted := slices.Sorted(slices.Values(parties))
	return r.test(relationTest{to: slices.Compact(sorted), listed: true})
}

// Under holds for those who have it to a party whose key begins so: an
// assistant at outlet 12 is Related("assistant").Under("outlet-12/") where the
// keys of assistants are like "outlet-12/assistant-7".
func (r Relation) Under(prefix string) Rule {
	return r.test(relationTest{under: prefix, listed: prefix == ""})
}

func (r Relation) test(t relationTest) Rule {
	t.Relation = r
	return Rule{&node{kind: nodeRelation, relation: t}}
}

// relationTest asks for a relation to certain parties: those listed, or those
// whose key begins with under, which is empty for all.
type relationTest struct {
	Relation
	to     []string
	listed bool
	under  string
}

func (t relationTest) check(path string) error {
	switch {
	case t.kind == "":
		return fmt.Errorf("%w: %s: a relation needs a type", ErrRule, path)
	case t.listed && (len(t.to) == 0 || slices.Contains(t.to, "")):
		return fmt.Errorf("%w: %s: a relation to nobody", ErrRule, path)
	}
	return nil
}

func (t relationTest) holds(party string) bool {
	if t.listed {
		_, found := slices.BinarySearch(t.to, party)
		return found
	}
	return strings.HasPrefix(party, t.under)
}

func (t relationTest) String() string {
	switch {
	case t.listed:
		return "has " + t.kind + " " + strings.Join(t.to, " or ")
	case t.under != "":
		return "has " + t.kind + " under " + t.under
	}
	return "has " + t.kind
}

// stream is the flow of facts that the test reads: for each event the acts of
// the type in it, as one fact.
func (t relationTest) stream() Behavior { return Behavior{source: sourceRelations, event: t.kind} }

// relationAct is an act as a fact holds it.
type relationAct struct {
	at    int64 // the fact's
	party string
	until int64 // never for none
	ended bool
}

// packActs writes the acts of a type in an event as one value. Such values are
// in the order of the events' IDs, which decides among facts of one instant.
// ok is false where there is no such act.
func packActs(e *profile.Event, kind string) (v profile.Value, ok bool) {
	var b []byte
	for _, act := range e.Relations {
		if act.Type != kind {
			continue
		}
		ended := byte(0)
		if act.Ended {
			ended = 1
		}
		until := never
		if !act.Until.IsZero() {
			until = micros(act.Until)
		}
		b = append(b, ended)
		b = binary.AppendVarint(b, until)
		b = binary.AppendUvarint(b, uint64(len(act.Party)))
		b = append(b, act.Party...)
	}
	if b == nil {
		return v, false
	}
	out := append([]byte(e.ID), 0)
	out = append(out, b...)
	return profile.Text(string(binary.BigEndian.AppendUint32(out, uint32(len(b))))), true
}

// unpackActs reads what packActs writes. A container may hold anything: what
// cannot be read is left out.
func unpackActs(v profile.Value) []relationAct {
	s, _ := v.Text()
	b := []byte(s)
	if len(b) < 4 {
		return nil
	}
	n := binary.BigEndian.Uint32(b[len(b)-4:])
	if b = b[:len(b)-4]; uint64(n) > uint64(len(b)) {
		return nil
	}
	var acts []relationAct
	for b = b[len(b)-int(n):]; len(b) > 1; {
		act := relationAct{ended: b[0] == 1}
		until, size := binary.Varint(b[1:])
		if size <= 0 {
			return acts
		}
		act.until, b = until, b[1+size:]
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return acts
		}
		act.party, b = string(b[size:size+int(length)]), b[size+int(length):]
		acts = append(acts, act)
	}
	return acts
}

// related lists the parties of the relation at t, in byte order, each once.
// until is the next instant after t at which that may change, or never.
func related(r Relation, c clocks, facts run, h handOvers, t int64) (parties []string, until int64) {
	in, until := facts.in(c, Window{}, t)
	latest := map[string]relationAct{}
	for i := len(in.val) - 1; i >= 0; i-- { // the latest event first
		for _, act := range unpackActs(in.val[i]) {
			key := act.party
			if r.single {
				key = ""
			}
			if _, newer := latest[key]; !newer {
				act.at = in.at[i]
				latest[key] = act
			}
		}
	}
	for _, act := range latest {
		if !act.ended && act.until > t {
			party, passes := h.follow(r.kind, act.party, act.at, t)
			parties = append(parties, party)
			until = min(until, act.until, passes)
		}
	}
	slices.Sort(parties)
	return slices.Compact(parties), until
}

// at evaluates the test at t.
func (t relationTest) at(c clocks, facts run, h handOvers, at int64) (holds bool, until int64) {
	parties, until := related(t.Relation, c, facts, h, at)
	return slices.ContainsFunc(parties, t.holds), until
}
