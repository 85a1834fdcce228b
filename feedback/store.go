package feedback

import (
	"context"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Store keeps invitations, responses and contacts. [NewMemory] is one; a Store
// that passes feedbacktest.TestStore is correct. All methods may be called at
// once, return copies, and keep nothing of their arguments.
type Store interface {
	// Get returns the records that exist among those asked for, in any order.
	Get(ctx context.Context, keys Keys) (Records, error)
	// Commit writes all of the batch or nothing. Every record's Version must
	// equal that of the stored one (0 where there is none), else the error
	// matches [ErrConflict]. A record that is put is stored with Version+1.
	Commit(ctx context.Context, batch Batch) error
	// Invitations returns a page of those that match, ordered by (Time, ID).
	Invitations(ctx context.Context, q Query) ([]Invitation, error)
	// Responses returns a page of those that match, ordered by (Time, ID).
	Responses(ctx context.Context, q Query) ([]Response, error)
	// Due returns at most limit invitations whose Deadline is not after now,
	// ordered by (Deadline, ID).
	Due(ctx context.Context, now time.Time, limit int) ([]Invitation, error)
}

// Keys names records.
type Keys struct {
	Invitations []string
	Responses   []string
	Contacts    []profile.ID
}

// Records are records of every kind.
type Records struct {
	Invitations []Invitation
	Responses   []Response
	Contacts    []Contact
}

// Batch is what one commit changes. Of what is deleted only key and Version count.
type Batch struct {
	Put    Records
	Delete Records
}

// Query selects invitations or responses. Empty fields select everything.
type Query struct {
	Survey   string
	Customer profile.ID
	// From and To bound Time: From included, To not.
	From, To time.Time
	// After continues behind a record: its Time and ID.
	After Position
	// Limit is the size of the page; 0 means 500.
	Limit int
}

// Position is a place in the order of (Time, ID).
type Position struct {
	Time time.Time
	ID   string
}

// DefaultPage is the size of a page where a query has no limit.
const DefaultPage = 500

func (q Query) limit() int {
	if q.Limit <= 0 {
		return DefaultPage
	}
	return q.Limit
}
