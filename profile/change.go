package profile

import (
	"fmt"
	"slices"
	"time"
)

// ChangeKind says what happened to a profile.
type ChangeKind uint8

// The kinds of change.
const (
	Created      ChangeKind = iota + 1 // a profile came to be
	Observed                           // an event was recorded (Event names it)
	TraitChanged                       // the golden value of traits changed (Names)
	ConsentActed                       // a consent act was recorded
	Linked                             // an identifier came to Profile, from Other if that is known, and no evidence did
	Unlinked                           // an identifier left Profile, for Other if that is known, and no evidence did
	Retracted                          // evidence was removed with its events
	Merged                             // Other ended and lives on in Profile
	Split                              // Other came out of Profile
	Restricted                         // processing was stopped
	Erased                             // the person was erased
	Resumed                            // processing may go on
)

var changeKindNames = [...]string{
	"unknown", "created", "observed", "trait", "consent", "linked", "unlinked",
	"retracted", "merged", "split", "restricted", "erased", "resumed",
}

func (k ChangeKind) String() string {
	if int(k) < len(changeKindNames) {
		return changeKindNames[k]
	}
	return changeKindNames[0]
}

// MarshalText writes the name of k.
func (k ChangeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *ChangeKind) UnmarshalText(b []byte) error {
	i := slices.Index(changeKindNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("profile: unknown kind of change %q", b)
	}
	*k = ChangeKind(i)
	return nil
}

// Change is one row of the change feed. It carries keys, never payloads: read
// the event or the profile for what they hold now.
type Change struct {
	// Seq is the gapless position in the feed, from 1.
	Seq uint64 `json:"seq"`
	// Kind says what happened.
	Kind ChangeKind `json:"kind"`
	// Profile is the customer concerned, by the ID at the time of the change.
	Profile ID `json:"profile"`
	// Other is the second customer of a merge or split. An erasure has a row
	// without it, and a row for each former ID of the person, which is then in it.
	Other ID `json:"other,omitempty"`
	// Event is the event observed or removed.
	Event string `json:"event,omitempty"`
	// Names are the traits that changed.
	Names []string `json:"names,omitempty"`
	// RecordedAt is when the directory learned of it.
	RecordedAt time.Time `json:"recorded_at"`
	// Mode is that of the input that caused the change.
	Mode Mode `json:"mode,omitempty"`
}
