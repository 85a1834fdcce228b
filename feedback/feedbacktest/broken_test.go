package feedbacktest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacktest"
	"github.com/cxkit/cxkit/profile"
)

// broken are stores that are wrong in one way each.
var broken = map[string]func() feedback.Store{
	"commits whatever the version":     func() feedback.Store { return &careless{Store: feedback.NewMemory()} },
	"applies half of a refused batch":  func() feedback.Store { return halfway{feedback.NewMemory()} },
	"skips a row at the end of a page": func() feedback.Store { return skipping{feedback.NewMemory()} },
	"reads what was":                   func() feedback.Store { return &stale{Store: feedback.NewMemory(), seen: map[string]feedback.Records{}} },
	"writes though canceled":           func() feedback.Store { return deaf{feedback.NewMemory()} },
	"keeps what is deleted":            func() feedback.Store { return hoarding{feedback.NewMemory()} },
	"is late by a microsecond":         func() feedback.Store { return tardy{feedback.NewMemory()} },
	"creates what exists":              func() feedback.Store { return doubling{feedback.NewMemory()} },
	"forgets the zone of a time":       func() feedback.Store { return zoneless{feedback.NewMemory()} },
}

var brokenCare = map[string]func() care.Store{
	"care applies half of a refused batch": func() care.Store { return halfCare{care.NewMemory()} },
	"care shows closed cases as open":      func() care.Store { return openCare{care.NewMemory()} },
	"care forgets the time of a page":      func() care.Store { return pageCare{care.NewMemory()} },
	"care commits whatever the version":    func() care.Store { return carelessCare{Store: care.NewMemory()} },
	"care lends what is lent":              func() care.Store { return carelessCare{Store: care.NewMemory(), loans: true} },
	"care skips a case":                    func() care.Store { return skippingCare{Store: care.NewMemory()} },
	"care skips a product":                 func() care.Store { return skippingCare{Store: care.NewMemory(), products: true} },
	"care reads what was":                  func() care.Store { return &staleCare{Store: care.NewMemory(), seen: map[string]care.Records{}} },
	"care writes though canceled":          func() care.Store { return deafCare{care.NewMemory()} },
	"care is late by a microsecond":        func() care.Store { return tardyCare{care.NewMemory()} },
}

const brokenEnv = "CXKIT_BROKEN_STORE"

// TestBroken runs a suite on a broken store, in a process of its own.
func TestBroken(t *testing.T) {
	name := os.Getenv(brokenEnv)
	if open := broken[name]; open != nil {
		feedbacktest.TestStore(t, func(testing.TB) feedback.Store { return open() })
		return
	}
	if open := brokenCare[name]; open != nil {
		feedbacktest.TestCareStore(t, func(testing.TB) care.Store { return open() })
	}
}

func TestTheSuitesCatchBrokenStores(t *testing.T) {
	var names []string
	for name := range broken {
		names = append(names, name)
	}
	for name := range brokenCare {
		names = append(names, name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.timeout=20s")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("a store that %s has passed:\n%s", name, out)
			}
		})
	}
}

type careless struct {
	feedback.Store
	mu sync.Mutex
}

func (s *careless) Commit(ctx context.Context, b feedback.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.Put.Contacts {
		c := &b.Put.Contacts[i]
		got, err := s.Get(ctx, feedback.Keys{Contacts: []profile.ID{c.Customer}})
		if err != nil {
			return err
		}
		c.Version = 0
		if len(got.Contacts) > 0 {
			c.Version = got.Contacts[0].Version
		}
	}
	return s.Store.Commit(ctx, b)
}

type halfway struct{ feedback.Store }

func (s halfway) Commit(ctx context.Context, b feedback.Batch) error {
	first := feedback.Batch{Put: feedback.Records{Invitations: b.Put.Invitations}}
	if err := s.Store.Commit(ctx, first); err != nil {
		return err
	}
	b.Put.Invitations = nil
	return s.Store.Commit(ctx, b)
}

type skipping struct{ feedback.Store }

func (s skipping) Responses(ctx context.Context, q feedback.Query) ([]feedback.Response, error) {
	rows, err := s.Store.Responses(ctx, q)
	if len(rows) > 1 && len(rows) == q.Limit {
		rows[len(rows)-2] = rows[len(rows)-1]
	}
	return rows, err
}

type stale struct {
	feedback.Store
	mu   sync.Mutex
	seen map[string]feedback.Records
}

func (s *stale) Get(ctx context.Context, k feedback.Keys) (feedback.Records, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(k.Invitations) == 1 && len(k.Responses)+len(k.Contacts) > 0 {
		if r, ok := s.seen[k.Invitations[0]]; ok {
			return r, nil
		}
	}
	r, err := s.Store.Get(ctx, k)
	if len(k.Invitations) == 1 {
		s.seen[k.Invitations[0]] = r
	}
	return r, err
}

type deaf struct{ feedback.Store }

func (s deaf) Commit(ctx context.Context, b feedback.Batch) error {
	return s.Store.Commit(context.WithoutCancel(ctx), b)
}

type hoarding struct{ feedback.Store }

func (s hoarding) Commit(ctx context.Context, b feedback.Batch) error {
	b.Delete.Invitations = nil
	return s.Store.Commit(ctx, b)
}

type tardy struct{ feedback.Store }

func (s tardy) Due(ctx context.Context, now time.Time, limit int) ([]feedback.Invitation, error) {
	return s.Store.Due(ctx, now.Add(-time.Microsecond), limit)
}

type halfCare struct{ care.Store }

func (s halfCare) Commit(ctx context.Context, b care.Batch) error {
	if err := s.Store.Commit(ctx, care.Batch{Put: care.Records{Loans: b.Put.Loans}}); err != nil {
		return err
	}
	b.Put.Loans = nil
	return s.Store.Commit(ctx, b)
}

type openCare struct{ care.Store }

func (s openCare) Page(ctx context.Context, q care.Query) ([]care.Case, error) {
	q.Open = false
	return s.Store.Page(ctx, q)
}

type pageCare struct{ care.Store }

func (s pageCare) Page(ctx context.Context, q care.Query) ([]care.Case, error) {
	q.From = time.Time{}
	return s.Store.Page(ctx, q)
}

// doubling takes a new invitation for the one that is there.
type doubling struct{ feedback.Store }

func (s doubling) Commit(ctx context.Context, b feedback.Batch) error {
	b.Put.Invitations = slices.Clone(b.Put.Invitations)
	for i := range b.Put.Invitations {
		inv := &b.Put.Invitations[i]
		got, err := s.Get(ctx, feedback.Keys{Invitations: []string{inv.ID}})
		if err == nil && inv.Version == 0 && len(got.Invitations) > 0 {
			inv.Version = got.Invitations[0].Version
		}
	}
	return s.Store.Commit(ctx, b)
}

// zoneless takes the time of day on the wall for the one in UTC.
type zoneless struct{ feedback.Store }

func (s zoneless) Commit(ctx context.Context, b feedback.Batch) error {
	b.Put.Responses = slices.Clone(b.Put.Responses)
	for i := range b.Put.Responses {
		at := b.Put.Responses[i].Time
		b.Put.Responses[i].Time = time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	}
	return s.Store.Commit(ctx, b)
}

// carelessCare takes the versions that are there, of cases or of loans.
type carelessCare struct {
	care.Store
	loans bool
}

func (s carelessCare) Commit(ctx context.Context, b care.Batch) error {
	b.Put.Cases, b.Put.Loans = slices.Clone(b.Put.Cases), slices.Clone(b.Put.Loans)
	for i := range b.Put.Cases {
		got, err := s.Get(ctx, care.Keys{Cases: []string{b.Put.Cases[i].ID}})
		if err == nil && !s.loans && len(got.Cases) > 0 {
			b.Put.Cases[i].Version = got.Cases[0].Version
		}
	}
	for i := range b.Put.Loans {
		got, err := s.Get(ctx, care.Keys{Loans: []string{b.Put.Loans[i].Item}})
		if err == nil && s.loans && len(got.Loans) > 0 {
			b.Put.Loans[i].Version = got.Loans[0].Version
		}
	}
	return s.Store.Commit(ctx, b)
}

type skippingCare struct {
	care.Store
	products bool
}

func (s skippingCare) Page(ctx context.Context, q care.Query) ([]care.Case, error) {
	rows, err := s.Store.Page(ctx, q)
	if n := len(rows); !s.products && n > 1 && n == q.Limit {
		rows = append(rows[:n-2], rows[n-1])
	}
	return rows, err
}

func (s skippingCare) Products(ctx context.Context, q care.Query) ([]care.Product, error) {
	rows, err := s.Store.Products(ctx, q)
	if n := len(rows); s.products && n > 1 && n == q.Limit {
		rows = append(rows[:n-2], rows[n-1])
	}
	return rows, err
}

type staleCare struct {
	care.Store
	mu   sync.Mutex
	seen map[string]care.Records
}

func (s *staleCare) Get(ctx context.Context, k care.Keys) (care.Records, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(k.Loans) != 1 {
		return s.Store.Get(ctx, k)
	}
	if r, ok := s.seen[k.Loans[0]]; ok {
		return r, nil
	}
	r, err := s.Store.Get(ctx, k)
	s.seen[k.Loans[0]] = r
	return r, err
}

type deafCare struct{ care.Store }

func (s deafCare) Commit(ctx context.Context, b care.Batch) error {
	return s.Store.Commit(context.WithoutCancel(ctx), b)
}

type tardyCare struct{ care.Store }

func (s tardyCare) Due(ctx context.Context, now time.Time, limit int) ([]care.Case, error) {
	return s.Store.Due(ctx, now.Add(-time.Microsecond), limit)
}
