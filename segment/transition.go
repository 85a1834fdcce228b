package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// TransitionKind says which way a customer went.
type TransitionKind uint8

// The kinds of transition.
const (
	Entered TransitionKind = iota + 1
	Exited
)

func (k TransitionKind) String() string {
	switch k {
	case Entered:
		return "entered"
	case Exited:
		return "exited"
	}
	return "unknown"
}

// CauseKind says what made a membership change.
type CauseKind uint8

// The kinds of cause.
const (
	ByEvent      CauseKind = iota + 1 // an event of the customer's
	ByTrait                           // a trait has another value
	ByTime                            // time passed
	ByIdentity                        // profiles merged or split, evidence went, a customer came to be or was erased
	ByDefinition                      // the segment was defined, changed or dropped
	ByHandOver                        // relations became another party's
)

var causeNames = [...]string{"unknown", "event", "trait", "time", "identity", "definition", "hand-over"}

func (k CauseKind) String() string {
	if int(k) < len(causeNames) {
		return causeNames[k]
	}
	return causeNames[0]
}

// Cause is what made a membership change.
type Cause struct {
	Kind CauseKind
	// Change is the position in the change feed; 0 for what is not of it.
	Change uint64
	// Event is the event that did it, where it was one.
	Event string
}

// Transition is one change of membership.
type Transition struct {
	// Seq is the position in the feed of transitions, from 1, without gaps.
	Seq uint64
	// ID is the same whenever the same inputs are processed again: 32
	// hexadecimal digits of a hash.
	ID string
	// Segment and Definition name the segment and the hash of its definition.
	Segment    string
	Definition string
	Customer   profile.ID
	Kind       TransitionKind
	// EffectiveAt is when membership changed: the instant of the event, or of
	// the lapse, however late it was learned of. For one customer and segment it
	// never runs backwards.
	EffectiveAt time.Time
	// DetectedAt is when the engine knew: the recorded time of the change, or
	// the instant given to Advance or Define.
	DetectedAt time.Time
	Cause      Cause
	// Mode is Backfill where a definition or a backfilled input is the cause.
	// Such transitions start nothing by default.
	Mode profile.Mode
}

// identify computes the transition's ID from what it follows from.
func (t *Transition) identify() {
	var b []byte
	part := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	part(t.Segment)
	part(t.Definition)
	part(string(t.Customer))
	b = append(b, byte(t.Kind), byte(t.Cause.Kind))
	part(t.Cause.Event)
	b = binary.AppendUvarint(b, t.Cause.Change)
	b = binary.AppendVarint(b, t.EffectiveAt.UnixMicro())
	if t.Cause.Kind == ByDefinition || t.Cause.Kind == ByHandOver { // which may come twice at one instant
		b = binary.AppendUvarint(b, t.Seq)
	}
	sum := sha256.Sum256(b)
	t.ID = hex.EncodeToString(sum[:16])
}
