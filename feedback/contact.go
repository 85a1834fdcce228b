package feedback

import (
	"slices"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// Contact is what cadence and budgets need to know of one customer. Every
// reservation is a compare-and-swap on it.
type Contact struct {
	Customer profile.ID `json:"customer"`
	Entries  []Touch    `json:"entries,omitempty"`
	Version  uint64     `json:"version,omitempty"`
}

// Touch is one invitation or one answer of a customer.
type Touch struct {
	// ID is that of the invitation or of the response.
	ID     string    `json:"id"`
	Survey string    `json:"survey"`
	Brand  string    `json:"brand,omitempty"`
	At     time.Time `json:"at"`
	// HoldUntil ends a reservation; zero for no end, and once it is sent.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	// Answer marks an answer: it counts for cadence, not for budgets.
	Answer bool `json:"answer,omitempty"`
}

// keepTouches is how long touches are kept at least, counted back from the
// newest one; twice the longest cadence or window where that is more.
const keepTouches = 400 * 24 * time.Hour

func (c *Contact) add(t Touch, keep time.Duration) {
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.ID == t.ID && e.Answer == t.Answer })
	c.Entries = append(c.Entries, t)
	slices.SortFunc(c.Entries, func(a, b Touch) int { return a.At.Compare(b.At) })
	oldest := c.Entries[len(c.Entries)-1].At.Add(-keep)
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.At.Before(oldest) })
}

func (c *Contact) remove(invitation string) {
	c.Entries = slices.DeleteFunc(c.Entries, func(e Touch) bool { return e.ID == invitation && !e.Answer })
}

// lapsed reports whether a touch is a reservation that was over by t.
func lapsed(e Touch, t time.Time) bool { return !e.HoldUntil.IsZero() && !t.Before(e.HoldUntil) }

func (c Contact) clone() Contact {
	c.Entries = slices.Clone(c.Entries)
	return c
}
