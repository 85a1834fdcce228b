package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Reason says why an identifier was not used. The zero Reason is no refusal.
type Reason uint8

// The reasons, at the door and in resolution.
const (
	ReasonUnknownKind Reason = iota + 1 // no such kind is configured
	ReasonMalformed                     // empty, not text, or not of the kind's form
	ReasonTooLong                       // over [MaxValueBytes]
	ReasonMasked                        // parts are hidden: 138****1234
	ReasonRelay                         // a relay that stands in for the address for a while
	ReasonBlocked                       // on the kind's list of values that say nothing
	ReasonErased                        // kept out since an erasure
	ReasonLimit                         // the profile would hold more values of a kind than its limit
	ReasonCannotLink                    // a person declared that the two are apart
	ReasonUnlinked                      // a person took the evidence's linking power away
)

var reasonNames = [...]string{
	"accepted", "unknown_kind", "malformed", "too_long", "masked", "relay", "blocked",
	"erased", "limit", "cannot_link", "unlinked",
}

func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "unknown"
}

// MarshalText writes the name of r.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *Reason) UnmarshalText(b []byte) error {
	i := slices.Index(reasonNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("profile: unknown reason %q", b)
	}
	*r = Reason(i)
	return nil
}

// Refusal says which identifier of an event was not used, and why. It holds
// personal data and belongs in an answer, not in a log.
type Refusal struct {
	// Identifier is the one refused: normalized where it could be, else as reported.
	Identifier Identifier `json:"identifier"`
	// Reason says why.
	Reason Reason `json:"reason"`
	// Evidence is the record that would have linked it; zero for a refusal at the door.
	Evidence EvidenceKey `json:"evidence,omitzero"`
	// Kind is the kind whose limit stood against the link; for [ReasonLimit].
	Kind string `json:"kind,omitempty"`
	// Witness are the values on the far side at that instant that stood
	// against the link; for [ReasonLimit] and [ReasonCannotLink].
	Witness []Identifier `json:"witness,omitempty"`
}

// String says it for people, without the values.
func (r Refusal) String() string {
	name, _, _ := strings.Cut(r.Identifier.Kind, "/")
	switch r.Reason {
	case ReasonUnknownKind:
		return "identifier of a kind that is not configured"
	case ReasonMalformed:
		return name + " is not of the form of its kind"
	case ReasonTooLong:
		return name + " is too long"
	case ReasonMasked:
		return name + " is masked"
	case ReasonRelay:
		return name + " is a relay, not the customer's own"
	case ReasonBlocked:
		return name + " is on the list of values that say nothing"
	case ReasonErased:
		return name + " belongs to someone who was erased"
	case ReasonLimit:
		return fmt.Sprintf("%s not linked: the customer would have too many values of %s", name, r.Kind)
	case ReasonCannotLink:
		return name + " not linked: the two were declared to be different people"
	case ReasonUnlinked:
		return name + " not linked: this evidence was unlinked"
	}
	return name + " accepted"
}
