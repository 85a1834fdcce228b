package journey

import (
	"fmt"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// RecordKind says what a [Record] is about.
type RecordKind uint8

// The kinds of record.
const (
	MovedRecord    RecordKind = iota + 1 // an edge was taken: entry, transition, goal, exit
	EffectRecord                         // an effect came to a state, or was deferred
	OperatorRecord                       // somebody intervened: canceled, redirected, retried, resolved, migrated
	ErrorRecord                          // a step failed
)

// Record is one line of an instance's history. It is never changed.
type Record struct {
	// Instance, Journey and Customer say whose history it is.
	Instance string     `json:"instance"`
	Journey  string     `json:"journey"`
	Customer profile.ID `json:"customer"`
	// At is when it happened.
	At   time.Time  `json:"at"`
	Kind RecordKind `json:"kind"`
	// Version is the definition's, Edge the number of the edge, From and To the
	// states, of a move. Input is the ID of the input that caused it, "" for a
	// timer or an outcome; Cause says it in words.
	Version string `json:"version,omitempty"`
	Edge    int    `json:"edge,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Input   string `json:"input,omitempty"`
	Cause   string `json:"cause,omitempty"`
	// Effect is the key, EffectKind, Name and Args what it is, State where it
	// has come to, Decision what the contact policy said.
	Effect     string           `json:"effect,omitempty"`
	EffectKind EffectKind       `json:"effect_kind,omitempty"`
	Name       string           `json:"name,omitempty"`
	Args       profile.Values   `json:"args,omitempty"`
	State      EffectState      `json:"state,omitempty"`
	Decision   contact.Decision `json:"decision,omitzero"`
	// Detail is free text for people: the handler's answer, the operator's reason.
	Detail string `json:"detail,omitempty"`
	// Mode is Backfill for what fills in history.
	Mode profile.Mode `json:"mode,omitempty"`
}

// String is the record as a line for people, without the time.
func (r Record) String() string {
	var b strings.Builder
	switch r.Kind {
	case MovedRecord:
		switch {
		case r.From == "":
			fmt.Fprintf(&b, "starts in %s", r.To)
		case r.To == "":
			fmt.Fprintf(&b, "%s → ends", r.From)
		case r.From == r.To:
			fmt.Fprintf(&b, "%s goes on", r.From)
		default:
			fmt.Fprintf(&b, "%s → %s", r.From, r.To)
		}
		if r.Cause != "" {
			b.WriteString(" (" + r.Cause + ")")
		}
	case EffectRecord:
		fmt.Fprintf(&b, "%s %s ", r.EffectKind, r.Name)
		d := r.Decision
		switch {
		case r.State == Pending && d.Verdict == 0:
			b.WriteString("planned")
		case r.State == Pending && d.Sends():
			b.WriteString("not taken by " + d.Channel)
		case r.State == Pending, r.State == Suppressed && d.Verdict != 0:
			b.WriteString(d.String())
		case d.Sends():
			b.WriteString(r.State.String() + " on " + d.Channel)
			if d.Verdict == contact.Fallback {
				b.WriteString(" instead: " + string(d.Reason))
			}
		default:
			b.WriteString(r.State.String())
		}
	case OperatorRecord, ErrorRecord:
		b.WriteString(r.Cause)
	}
	if r.Detail != "" {
		b.WriteString(": " + r.Detail)
	}
	if r.Mode == profile.Backfill {
		b.WriteString(" [backfill]")
	}
	return b.String()
}

func newRecord(in *Instance, kind RecordKind, at time.Time) Record {
	return Record{Instance: in.ID, Journey: in.Journey, Customer: in.Customer, At: at, Kind: kind, Mode: in.Mode}
}

// movedRecord is an edge taken by an input.
func movedRecord(d *Definition, in *Instance, m Move, x *Input, at time.Time) Record {
	r := newRecord(in, MovedRecord, at)
	e := d.edges[m.Edge]
	r.Version, r.Edge, r.From, r.To, r.Input, r.Cause = in.Version, m.Edge, m.From, m.To, x.ID, e.words
	if e.from < 0 && e.to < 0 {
		r.Cause = e.spec.Name + ": " + r.Cause
	}
	return r
}

// effectRecord is an effect that has come to a state.
func effectRecord(er *EffectRow, in *Instance, at time.Time) Record {
	r := newRecord(in, EffectRecord, at)
	r.Effect, r.EffectKind, r.Name, r.Args = er.Effect.Key, er.Effect.Kind, er.Effect.Name, er.Effect.Args
	r.State, r.Decision, r.Detail, r.Mode = er.State, er.Decision, er.Detail, er.Effect.Mode
	return r
}
