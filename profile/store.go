package profile

import (
	"context"
	"errors"
	"time"
)

// ErrConflict reports that rows changed between Load and Commit: nothing was
// committed, and the decision has to be made again. A [Directory] does so itself.
var ErrConflict = errors.New("profile: rows changed since they were read")

// Store keeps a directory outside its process. A zero [Config] needs none: the
// directory then is its own state, without rows. [NewMemoryStore] is the one
// in this package; profiletest.TestStore says whether another is correct.
//
// All methods are safe for concurrent use and leave nothing half-done when
// their context is canceled. Rows given and taken are not modified afterwards.
type Store interface {
	// Load reads what a query names, at one instant: what is absent is left
	// out. See [Query] for what belongs to what.
	Load(ctx context.Context, q Query) (Rows, error)
	// Commit writes a batch whole, or not at all: with [ErrConflict] where a
	// row's version is not the one in the batch, an event to be inserted
	// exists, or a row to be changed is absent.
	Commit(ctx context.Context, b Batch) error
	// Events reads a page of a timeline in the order of time and event ID.
	Events(ctx context.Context, p TimelinePage) ([]EventRow, error)
	// Changes reads up to limit rows of the change feed after a position. They
	// are numbered from 1 without gap, and a reader that has seen position n
	// never later finds another row at or before n. A position before the
	// oldest row kept is [ErrCursorExpired].
	Changes(ctx context.Context, after uint64, limit int) ([]Change, error)
	// Scan reads up to limit profile IDs after one, in byte order.
	Scan(ctx context.Context, after ID, limit int) ([]ID, error)
}

// RulesStore is a [Store] that also remembers under which [Rules] its rows were
// resolved and can list them all. A directory on one refuses to work under other
// rules until it is told to [Directory.Reconfigure], which needs it; on a Store
// that is none, keeping to the same rules is the caller's care.
type RulesStore interface {
	Store
	// Rules reads the document that was last committed as Batch.Rules; it is
	// empty before the first.
	Rules(ctx context.Context) (string, error)
	// Keys reads up to limit keys of evidence after one, in byte order, that of
	// nobody's profile too.
	Keys(ctx context.Context, after EvidenceKey, limit int) ([]EvidenceKey, error)
}

// Purger is a [Store] whose change feed need not grow for ever.
type Purger interface {
	Store
	// PurgeChanges removes the rows of the feed from the first kept up to, but
	// without, the first that was recorded at or after a time, and returns how
	// many these were. What was broken off goes on when it is called again.
	PurgeChanges(ctx context.Context, before time.Time) (int, error)
}

// Query names rows to load.
type Query struct {
	// Events by ID, each with the row of its evidence.
	Events []string
	// Evidence by key, each with the row of its profile.
	Evidence []EvidenceKey
	// Names of identifiers, each with the row of its profile and with the names
	// that declarations tie it to. With a name that has no profile come the
	// evidence rows that hold it.
	Names []Name
	// Anchors by ID, each with its evidence.
	Anchors []ID
	// Profiles by present ID, with all that is theirs: their evidence, their
	// identifiers, and those that their evidence was refused at; and the
	// evidence of others that was refused at one of theirs, or at one that
	// theirs was refused at and that has no profile.
	Profiles []ID
	// Tombstones by hash.
	Tombstones []Hash
	// HandOvers asks for all of them.
	HandOvers bool
	// Arrivals is how many arrival numbers are wanted.
	Arrivals int
}

// Rows are what a query loaded, each row once, in no particular order.
type Rows struct {
	Events   []EventRow
	Evidence []EvidenceRow
	Names    []NameRow
	Anchors  []AnchorRow
	Profiles []ProfileRow
	// Tombstones are those of the hashes asked for.
	Tombstones []TombstoneRow
	HandOvers  []HandOver
	// Arrival is the first of the arrival numbers wanted. No two loads get the
	// same; later ones get greater ones.
	Arrival uint64
}

// Batch is what a decision changes. Version is that of the row as it was read,
// 0 for a row that was absent; a row written gets the next one.
type Batch struct {
	// Moves come first: all rows of one profile become another's. The row of
	// the former goes.
	Moves []Move
	// Events are inserted, or replaced where Known is set.
	Events   []EventRow
	Evidence []EvidenceRow
	Names    []NameRow
	Anchors  []AnchorRow
	Profiles []ProfileRow
	// Tombstones are inserted, or replace those of the same hash.
	Tombstones []TombstoneRow
	// HandOvers are inserted, but for those that are there.
	HandOvers []HandOver
	// Changes are appended to the feed; their Seq is the Store's to give.
	Changes []Change
	// Rules becomes the document of the rules where it is not empty; a document
	// other than FormerRules by then is an [ErrConflict]. For a [RulesStore].
	Rules, FormerRules string
}

// Move makes the evidence and identifiers of one profile another's.
type Move struct{ From, To ID }

// Name is a normalized identifier as a key. Era tells the owners of a value
// apart that was released and came to somebody else; it is empty for the first.
type Name struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
	Era   string `json:"era,omitempty"`
}

// EventRow is an event and the evidence that it is part of.
type EventRow struct {
	Event    Event       `json:"event"`
	Evidence EvidenceKey `json:"evidence"`
	// Retracted leaves the ID and nothing else.
	Retracted bool `json:"retracted,omitempty"`
	// Known is set in a batch for an event that is there already.
	Known bool `json:"-"`
}

// EvidenceRow is a record of evidence with what was reported under it.
type EvidenceRow struct {
	Key     EvidenceKey `json:"key"`
	Version uint64      `json:"version"`
	Deleted bool        `json:"deleted,omitempty"`
	// Links are the identifiers that it ties together, Holds the others: looked
	// up only, blocked, or refused.
	Links     []Name        `json:"links"`
	Holds     []Name        `json:"holds,omitempty"`
	Profile   ID            `json:"profile,omitempty"`
	Anchor    ID            `json:"anchor"`
	Arrival   uint64        `json:"arrival"`
	First     time.Time     `json:"first"`
	Last      time.Time     `json:"last"`
	Events    int           `json:"events"`
	Traits    []TraitRow    `json:"traits,omitempty"`
	Consents  []ConsentRow  `json:"consents,omitempty"`
	Relations []RelationRow `json:"relations,omitempty"`
	Refused   []RefusedRow  `json:"refused,omitempty"`
	// Formers are the IDs whose evidence went into this when a value of it was
	// released.
	Formers    []ID      `json:"formers,omitempty"`
	Unlinked   *Decision `json:"unlinked,omitempty"`
	Restricted *Decision `json:"restricted,omitempty"`
}

// TraitRow is what a policy keeps of a trait: per source on evidence, golden on
// a profile.
type TraitRow struct {
	Name   string    `json:"name"`
	Source string    `json:"source,omitempty"`
	Value  Value     `json:"value"`
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
	// Exact is what an accumulating policy keeps where Value alone does not
	// hold it, as text.
	Exact string `json:"exact,omitempty"`
}

// RelationRow is a relation act in its place.
type RelationRow struct {
	Event string      `json:"event"`
	At    time.Time   `json:"at"`
	Act   RelationAct `json:"act"`
}

// ConsentRow is a consent act in its place.
type ConsentRow struct {
	Event string     `json:"event"`
	At    time.Time  `json:"at"`
	Act   ConsentAct `json:"act"`
}

// RefusedRow is a link that was refused, with both sides at that instant.
type RefusedRow struct {
	Name   Name    `json:"name"`
	Reason Reason  `json:"reason"`
	Limit  string  `json:"limit,omitempty"`
	Near   SideRow `json:"near,omitzero"`
	Far    SideRow `json:"far,omitzero"`
}

// SideRow is what of a profile counts when a link is decided.
type SideRow struct {
	Values []SightRow `json:"values,omitempty"`
	Apart  []Name     `json:"apart,omitempty"`
}

// SightRow is an identifier with its first sight, the zero time where a
// declared link alone placed it.
type SightRow struct {
	Name  Name      `json:"name"`
	Since time.Time `json:"since,omitzero"`
}

// NameRow is an identifier that evidence holds.
type NameRow struct {
	Name    Name      `json:"name"`
	Version uint64    `json:"version"`
	Deleted bool      `json:"deleted,omitempty"`
	Profile ID        `json:"profile,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Uses    int       `json:"uses"`
	Ties    []TieRow  `json:"ties,omitempty"`
	// Releases are when the value came to somebody else, on the name without era.
	Releases []time.Time `json:"releases,omitempty"`
}

// TieRow is a declaration about an identifier and another.
type TieRow struct {
	Other    Name     `json:"other"`
	Apart    bool     `json:"apart,omitempty"`
	Beaten   bool     `json:"beaten,omitempty"`
	Decision Decision `json:"decision"`
}

// AnchorRow says which evidence minted an ID; none where it is gone.
type AnchorRow struct {
	ID       ID          `json:"id"`
	Evidence EvidenceKey `json:"evidence,omitzero"`
}

// ProfileRow is a profile without its evidence.
type ProfileRow struct {
	ID       ID         `json:"id"`
	Version  uint64     `json:"version"`
	Deleted  bool       `json:"deleted,omitempty"`
	Arrival  uint64     `json:"arrival"`
	Evidence int        `json:"evidence"`
	Events   int        `json:"events"`
	First    time.Time  `json:"first"`
	Last     time.Time  `json:"last"`
	Latest   PlaceRow   `json:"latest"`
	Side     SideRow    `json:"side,omitzero"`
	Traits   []TraitRow `json:"traits,omitempty"`
}

// PlaceRow is the position of evidence in the order of folding.
type PlaceRow struct {
	At       time.Time   `json:"at"`
	Evidence EvidenceKey `json:"evidence"`
}

// TimelinePage asks for events of a profile, or of evidence where Profile is empty.
type TimelinePage struct {
	Profile   ID
	Evidence  EvidenceKey
	AfterTime time.Time // with AfterID, the last event seen; zero from the beginning
	AfterID   string
	Limit     int
}
