package journey

import (
	"context"
	"time"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// Store keeps the state of an [Engine]. A Store that passes
// journeytest.TestStore is correct. It is safe for concurrent use, also by
// several engines. Times are kept at the microsecond. Slices and maps in the
// rows that it gives out may be shared: append to a clipped copy, as the
// methods of [contact.Row] do.
type Store interface {
	// Get reads what a lookup names, as of one moment.
	Get(ctx context.Context, l Lookup) (Found, error)
	// Commit writes a batch whole or not at all. A row is written only if its
	// stored version is the one given (0 for a row that is not there), and is
	// then stored with the next version; otherwise, or if one of the
	// batch's inputs is recorded already, nothing is written and the error matches [ErrConflict].
	Commit(ctx context.Context, b *Batch) error
	// Claim takes up to Limit instances and effects whose Wake is not after Now,
	// in order of (Wake, instances before effects, higher priority, key), and gives each the Token, Until
	// as its Wake and the next version, so that an older owner can no longer
	// commit it. It returns the rows as they are after that, with the Wake before it.
	Claim(ctx context.Context, c Claim) ([]Due, error)
	// Next is the earliest Wake of all; the zero time for none.
	Next(ctx context.Context) (time.Time, error)
	// Page lists rows in an order of the store's that does not change, and that
	// for history is the order of writing. A row that is there all the time is
	// listed once, whatever is written between pages.
	Page(ctx context.Context, q Query) (Page, error)
	// Purge removes up to Limit rows that are over by the times given, each
	// instance whole with its effects and history, and returns how many instances,
	// inputs and effects of no instance these were; fewer than Limit means that nothing is left to remove.
	Purge(ctx context.Context, p Purge) (int, error)
}

// Purge says what [Store.Purge] may remove; zero times remove nothing of the kind.
type Purge struct {
	// Ended removes instances that ended before, and have no effect that is
	// pending, leased, uncertain or dead.
	Ended time.Time
	// Inputs removes records of inputs whose Time is before: the same input given
	// again is then a new one; and finished effects of no instance, which are not dead,
	// whose At is before, with their history: inputs that were set aside and taken.
	Inputs time.Time
	// Limit is the greatest number of instances, inputs and such effects; at least 1.
	Limit int
}

// Gatherer is a [Store] that answers many lookups at once for what one would
// cost. One that is not is asked for each.
type Gatherer interface {
	// GetMany answers lookups in their order, as of one moment.
	GetMany(ctx context.Context, l []Lookup) ([]Found, error)
}

// getMany answers many lookups.
func getMany(ctx context.Context, s Store, l []Lookup) ([]Found, error) {
	if g, ok := s.(Gatherer); ok && len(l) > 1 {
		return g.GetMany(ctx, l)
	}
	out := make([]Found, len(l))
	for i := range l {
		var err error
		if out[i], err = s.Get(ctx, l[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Lookup names rows for [Store.Get]; empty fields ask for nothing.
type Lookup struct {
	// Customer asks for the open instances in order of (journey, key, run), and
	// for the contact row.
	Customer profile.ID
	// Contacts asks for the contact rows of these customers alone.
	Contacts []profile.ID
	// Input asks for a recorded input.
	Input string
	// Entries asks for the customer's entries.
	Entries []EntryKey
	// Instance and Effect ask for one row each.
	Instance string
	Effect   string
	// Definition asks for a stored definition; with an empty Version for the current one.
	Definition DefinitionKey
}

// Found is the answer to a [Lookup]; rows that are not there are nil or absent,
// and a contact row that is not there has version 0.
type Found struct {
	Instances  []InstanceRow
	Contact    ContactRow
	Contacts   []ContactRow // those that are there, in any order
	Input      *InputRow
	Entries    []EntryRow
	Instance   *InstanceRow
	Effect     *EffectRow
	Definition *DefinitionRow
}

// InstanceRow is an instance as stored.
type InstanceRow struct {
	Instance Instance
	// Version is for compare-and-swap; 0 is not there.
	Version uint64
	// Wake is when the instance wants attention: its Due, a retry, the end of a
	// claim; the zero time is never.
	Wake time.Time
	// Token is the last claim's.
	Token string
	// Attempts counts the failures in a row; Error is the last one's text.
	Attempts int
	Error    string
	// Dead is set when the engine has given up until Retry.
	Dead bool
}

// EffectState is where an effect of the outbox stands.
type EffectState uint8

// The states of an effect.
const (
	Pending    EffectState = iota + 1 // waiting for its time, perhaps deferred
	Leased                            // the request is stored and the call may be under way
	Confirmed                         // done
	Rejected                          // surely not done, and not tried again
	Uncertain                         // nobody knows whether it was done
	Suppressed                        // held back for good by the contact policy, or because it follows from a backfill
	Dead                              // given up after too many attempts; Retry resumes it
)

var effectStateNames = [...]string{"unknown", "pending", "leased", "confirmed", "rejected", "uncertain", "suppressed", "dead"}

func (s EffectState) String() string {
	if int(s) < len(effectStateNames) {
		return effectStateNames[s]
	}
	return effectStateNames[0]
}

// Finished reports whether nothing more will happen by itself.
func (s EffectState) Finished() bool {
	return s == Confirmed || s == Rejected || s == Suppressed || s == Dead
}

// EffectRow is an effect as stored.
type EffectRow struct {
	Effect  Effect
	Version uint64
	State   EffectState
	// Wake is when the effect wants attention: when it is due, when the lease is
	// over, when an uncertain one is asked again; the zero time is never.
	Wake time.Time
	// Token is the last claim's.
	Token string
	// Attempts counts the calls made.
	Attempts int
	// Doubtful is set from the first call whose result is not known until a call
	// with the same key has a definite one.
	Doubtful bool
	// Told is set when the instance has heard how it ended, or that nobody knows.
	Told bool
	// Refused are the channels that have refused it.
	Refused []string
	// Decision is the contact policy's last answer.
	Decision contact.Decision
	// Detail is what the handler said last.
	Detail string
}

// ContactRow is a customer's contact row as stored.
type ContactRow struct {
	Customer profile.ID
	Version  uint64
	Row      contact.Row
	// Former are customers that were merged into this one; some of their rows
	// stay under the ID that they were written with.
	Former []profile.ID
	// Arms are the branches of splits that the customer has drawn, each state of a
	// journey once.
	Arms []Arm
}

// Arm is a branch of a split that a customer has drawn: the state that splits and
// the one that the branch leads to.
type Arm struct {
	Journey string `json:"journey"`
	State   string `json:"state"`
	To      string `json:"to"`
}

// EntryKey names a customer's entries into a journey with one correlation key.
type EntryKey struct {
	Journey  string
	Customer profile.ID
	Key      string
}

// EntryRow is the last entry; it stays when instances are purged.
type EntryRow struct {
	EntryKey
	Version   uint64
	Run       int
	EnteredAt time.Time
}

// InputRow is an input that was recorded.
type InputRow struct {
	ID       string
	Digest   string
	Customer profile.ID
	At       time.Time
	// Instances are those that it started, moved or ended.
	Instances []string
}

// DefinitionKey names a version of a journey.
type DefinitionKey struct{ Journey, Version string }

// DefinitionRow is a deployed definition; JSON is its [Definition.MarshalJSON].
type DefinitionRow struct {
	DefinitionKey
	RowVersion uint64
	Current    bool
	DeployedAt time.Time
	JSON       []byte
}

// Batch is what one commit writes.
type Batch struct {
	Inputs      []InputRow
	Instances   []InstanceRow
	Effects     []EffectRow
	Contacts    []ContactRow
	Entries     []EntryRow
	Definitions []DefinitionRow
	History     []Record
	// Erase removes every row of these customers, before the rest is written.
	Erase []profile.ID
}

// Claim asks for due rows.
type Claim struct {
	Now, Until time.Time
	Token      string
	Limit      int
}

// Due is one claimed row: an instance or an effect.
type Due struct {
	At       time.Time
	Instance *InstanceRow
	Effect   *EffectRow
}

// PageKind says which rows a [Query] lists.
type PageKind uint8

// The kinds of rows.
const (
	InstancePage PageKind = iota
	EffectPage
	HistoryPage
	ContactPage
	DefinitionPage
)

// Query asks for a page; empty filters let everything through. Contacts are
// filtered by Customer, definitions by Journey, and neither by anything else.
type Query struct {
	Kind     PageKind
	Customer profile.ID
	Journey  string
	Instance string
	// After is the Next of the page before.
	After string
	// Limit is the greatest number of rows; at least 1.
	Limit int
}

// Page is some rows of one kind.
type Page struct {
	Instances   []InstanceRow
	Effects     []EffectRow
	History     []Record
	Contacts    []ContactRow
	Definitions []DefinitionRow
	// Next is where to go on; "" at the end.
	Next string
}
