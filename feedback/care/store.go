package care

import (
	"context"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Store keeps cases, loans and products. [NewMemory] is one; a Store that passes
// feedbacktest.TestCareStore is correct. All methods may be called at once,
// return copies, and keep nothing of their arguments.
type Store interface {
	// Get returns the records that exist among those asked for, in any order.
	Get(ctx context.Context, keys Keys) (Records, error)
	// Commit writes all of the batch or nothing. Every record's Version must
	// equal that of the stored one (0 where there is none), else the error
	// matches [ErrConflict]. A record that is put is stored with Version+1.
	Commit(ctx context.Context, batch Batch) error
	// Page returns a page of the cases that match, ordered by (Time, ID).
	Page(ctx context.Context, q Query) ([]Case, error)
	// Products returns a page of the products that match by Customer, From and
	// To, ordered by (BoughtAt, ID).
	Products(ctx context.Context, q Query) ([]Product, error)
	// Due returns at most limit cases whose NextDue is set and not after now,
	// ordered by (NextDue, ID).
	Due(ctx context.Context, now time.Time, limit int) ([]Case, error)
}

// Keys names records.
type Keys struct {
	Cases    []string
	Loans    []string
	Products []string
}

// Records are records of every kind.
type Records struct {
	Cases    []Case
	Loans    []Loan
	Products []Product
}

// Batch is what one commit changes. Of what is deleted only key and Version count.
type Batch struct {
	Put    Records
	Delete Records
}

// Loan says which case has a loaner now; Case is empty when it is back.
type Loan struct {
	Item    string `json:"item"`
	Case    string `json:"case,omitempty"`
	Version uint64 `json:"version,omitempty"`
}

// Query selects cases or products. Empty fields select everything.
type Query struct {
	Customer profile.ID
	Kind     Kind
	// Open selects cases that are neither resolved nor closed.
	Open bool
	// From and To bound the time of opening or buying: From included, To not.
	From, To time.Time
	// After continues behind a case: its Time and ID.
	After Position
	// Limit is the size of the page; 0 means [DefaultPage].
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
