package journeytest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/cxkit/cxkit/journey"
)

func TestMemoryStore(t *testing.T) {
	TestStore(t, func(testing.TB) journey.Store { return journey.NewMemory() })
}

func TestClonedMemoryStore(t *testing.T) {
	TestStore(t, func(testing.TB) journey.Store { return journey.NewMemory().Clone() })
}

// recorder is a testing.TB that keeps what it is told.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failures runs a test that is expected to fail, and gives what it said.
func failures(t testing.TB, run func(testing.TB)) []string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil { // a row that is not there
				r.Errorf("panic: %v", p)
			}
		}()
		run(r)
	}()
	<-done
	return r.errors
}

// broken is a store with one fault.
type broken struct {
	*journey.Memory
	commit func(*journey.Memory, *journey.Batch) error
	get    func(*journey.Memory, journey.Lookup) (journey.Found, error)
	claim  func(*journey.Memory, journey.Claim) ([]journey.Due, error)
	page   func(*journey.Memory, journey.Query) (journey.Page, error)
	next   func(*journey.Memory) (time.Time, error)
	purge  func(*journey.Memory, journey.Purge) (int, error)
	stale  bool
	mu     *sync.Mutex
	was    *journey.Memory // as it was before the last commit; mu guards it
}

// versions is a fault of Commit that changes the rows first.
func versions(change func(*journey.Memory, *journey.Batch)) func(*journey.Memory, *journey.Batch) error {
	return func(m *journey.Memory, b *journey.Batch) error {
		c := *b
		c.Instances, c.Effects, c.Entries, c.Definitions = slices.Clone(b.Instances), slices.Clone(b.Effects), slices.Clone(b.Entries), slices.Clone(b.Definitions)
		change(m, &c)
		return m.Commit(context.Background(), &c)
	}
}

func (b *broken) Commit(ctx context.Context, x *journey.Batch) error {
	if b.commit != nil && ctx.Err() == nil {
		return b.commit(b.Memory, x)
	}
	if b.stale {
		b.mu.Lock()
		b.was = b.Memory.Clone()
		b.mu.Unlock()
	}
	return b.Memory.Commit(ctx, x)
}

func (b *broken) Get(ctx context.Context, l journey.Lookup) (journey.Found, error) {
	if b.get != nil && ctx.Err() == nil {
		return b.get(b.Memory, l)
	}
	b.mu.Lock()
	was := b.was
	b.was = nil
	b.mu.Unlock()
	if was != nil {
		return was.Get(ctx, l)
	}
	return b.Memory.Get(ctx, l)
}

func (b *broken) Claim(ctx context.Context, c journey.Claim) ([]journey.Due, error) {
	if b.claim != nil && ctx.Err() == nil {
		return b.claim(b.Memory, c)
	}
	return b.Memory.Claim(ctx, c)
}

func (b *broken) Page(ctx context.Context, q journey.Query) (journey.Page, error) {
	if b.page != nil && ctx.Err() == nil {
		return b.page(b.Memory, q)
	}
	return b.Memory.Page(ctx, q)
}

func (b *broken) Next(ctx context.Context) (time.Time, error) {
	if b.next != nil && ctx.Err() == nil {
		return b.next(b.Memory)
	}
	return b.Memory.Next(ctx)
}

func (b *broken) Purge(ctx context.Context, p journey.Purge) (int, error) {
	if b.purge != nil && ctx.Err() == nil {
		return b.purge(b.Memory, p)
	}
	return b.Memory.Purge(ctx, p)
}

// The suite has to find these faults.
func TestTheSuiteCatchesBrokenStores(t *testing.T) {
	ctx := context.Background()
	for name, fault := range map[string]broken{
		"compare-and-swap is lost": {commit: func(m *journey.Memory, b *journey.Batch) error {
			c := *b
			c.Contacts = append([]journey.ContactRow(nil), b.Contacts...)
			for i := range c.Contacts {
				f, _ := m.Get(ctx, journey.Lookup{Customer: c.Contacts[i].Customer})
				c.Contacts[i].Version = f.Contact.Version
			}
			return m.Commit(ctx, &c)
		}},
		"a batch is applied by halves": {commit: func(m *journey.Memory, b *journey.Batch) error {
			half := journey.Batch{History: b.History}
			rest := *b
			rest.History = nil
			return errors.Join(m.Commit(ctx, &half), m.Commit(ctx, &rest))
		}},
		"a duplicate input is taken": {commit: func(m *journey.Memory, b *journey.Batch) error {
			c := *b
			c.Inputs = slices.DeleteFunc(slices.Clone(b.Inputs), func(x journey.InputRow) bool {
				f, _ := m.Get(ctx, journey.Lookup{Input: x.ID})
				return f.Input != nil
			})
			return m.Commit(ctx, &c)
		}},
		"a page skips": {page: func(m *journey.Memory, q journey.Query) (journey.Page, error) {
			p, err := m.Page(ctx, q)
			if len(p.Instances) > 1 && q.After == "" {
				p.Instances = p.Instances[1:]
			}
			return p, err
		}},
		"a listing reads ended instances as open": {get: func(m *journey.Memory, l journey.Lookup) (journey.Found, error) {
			f, err := m.Get(ctx, l)
			if l.Customer != "" {
				p, _ := m.Page(ctx, journey.Query{Customer: l.Customer, Limit: 100})
				f.Instances = p.Instances
			}
			return f, err
		}},
		"a claim keeps the version": {claim: func(m *journey.Memory, c journey.Claim) ([]journey.Due, error) {
			due, err := m.Claim(ctx, c)
			for _, d := range due {
				if d.Instance != nil {
					d.Instance.Version--
				}
			}
			return due, err
		}},
		"a claim is without order": {claim: func(m *journey.Memory, c journey.Claim) ([]journey.Due, error) {
			due, err := m.Claim(ctx, c)
			for i, j := 0, len(due)-1; i < j; i, j = i+1, j-1 {
				due[i], due[j] = due[j], due[i]
			}
			return due, err
		}},
		"times are cut to the millisecond": {commit: func(m *journey.Memory, b *journey.Batch) error {
			c := *b
			c.Entries = append([]journey.EntryRow(nil), b.Entries...)
			for i := range c.Entries {
				c.Entries[i].EnteredAt = c.Entries[i].EnteredAt.Truncate(time.Millisecond)
			}
			return m.Commit(ctx, &c)
		}},
		"erasure forgets the history": {commit: func(m *journey.Memory, b *journey.Batch) error {
			var kept []journey.Record
			for _, id := range b.Erase {
				p, _ := m.Page(ctx, journey.Query{Kind: journey.HistoryPage, Customer: id, Limit: 100})
				kept = append(kept, p.History...)
			}
			err := m.Commit(ctx, b)
			if err == nil && len(kept) > 0 {
				err = m.Commit(ctx, &journey.Batch{History: kept})
			}
			return err
		}},
		"a purge takes what somebody has to look at": {purge: func(m *journey.Memory, p journey.Purge) (int, error) {
			page, _ := m.Page(ctx, journey.Query{Kind: journey.EffectPage, Limit: 100})
			var settled []journey.EffectRow
			for _, row := range page.Effects {
				if row.State == journey.Uncertain {
					row.State = journey.Confirmed
					settled = append(settled, row)
				}
			}
			if err := m.Commit(ctx, &journey.Batch{Effects: settled}); err != nil {
				return 0, err
			}
			return m.Purge(ctx, p)
		}},
		"compare-and-swap is lost on instances": {commit: versions(func(m *journey.Memory, b *journey.Batch) {
			for i := range b.Instances {
				if f, _ := m.Get(ctx, journey.Lookup{Instance: b.Instances[i].Instance.ID}); f.Instance != nil {
					b.Instances[i].Version = f.Instance.Version
				}
			}
		})},
		"compare-and-swap is lost on effects": {commit: versions(func(m *journey.Memory, b *journey.Batch) {
			for i := range b.Effects {
				if f, _ := m.Get(ctx, journey.Lookup{Effect: b.Effects[i].Effect.Key}); f.Effect != nil {
					b.Effects[i].Version = f.Effect.Version
				}
			}
		})},
		"compare-and-swap is lost on entries": {commit: versions(func(m *journey.Memory, b *journey.Batch) {
			for i := range b.Entries {
				if f, _ := m.Get(ctx, journey.Lookup{Entries: []journey.EntryKey{b.Entries[i].EntryKey}}); len(f.Entries) > 0 {
					b.Entries[i].Version = f.Entries[0].Version
				}
			}
		})},
		"compare-and-swap is lost on definitions": {commit: versions(func(m *journey.Memory, b *journey.Batch) {
			for i := range b.Definitions {
				if f, _ := m.Get(ctx, journey.Lookup{Definition: b.Definitions[i].DefinitionKey}); f.Definition != nil {
					b.Definitions[i].RowVersion = f.Definition.RowVersion
				}
			}
		})},
		"a row that is not there is made anew": {commit: versions(func(m *journey.Memory, b *journey.Batch) {
			for i := range b.Instances {
				if f, _ := m.Get(ctx, journey.Lookup{Instance: b.Instances[i].Instance.ID}); f.Instance == nil {
					b.Instances[i].Version = 0
				}
			}
		})},
		"a read lags behind the commit before it": {stale: true},
		"open instances are without order": {get: func(m *journey.Memory, l journey.Lookup) (journey.Found, error) {
			f, err := m.Get(ctx, l)
			slices.Reverse(f.Instances)
			return f, err
		}},
		"a page gives its last row again": {page: func(m *journey.Memory, q journey.Query) (journey.Page, error) {
			p, err := m.Page(ctx, q)
			if n := len(p.History); n > 1 && q.After == "" && p.Next != "" {
				before := q
				before.Limit = n - 1
				cut, err := m.Page(ctx, before)
				p.Next = cut.Next
				return p, err
			}
			return p, err
		}},
		"a page ends too soon": {page: func(m *journey.Memory, q journey.Query) (journey.Page, error) {
			p, err := m.Page(ctx, q)
			p.Next = ""
			return p, err
		}},
		"a filter lets others through": {page: func(m *journey.Memory, q journey.Query) (journey.Page, error) {
			q.Journey = ""
			return m.Page(ctx, q)
		}},
		"a claim takes more than it may": {claim: func(m *journey.Memory, c journey.Claim) ([]journey.Due, error) {
			c.Limit++
			return m.Claim(ctx, c)
		}},
		"a claim takes what is not due": {claim: func(m *journey.Memory, c journey.Claim) ([]journey.Due, error) {
			c.Now = c.Now.Add(time.Second)
			return m.Claim(ctx, c)
		}},
		"a purge takes young inputs": {purge: func(m *journey.Memory, p journey.Purge) (int, error) {
			if !p.Inputs.IsZero() {
				p.Inputs = p.Inputs.Add(time.Microsecond)
			}
			return m.Purge(ctx, p)
		}},
		"next is stale": {next: func(m *journey.Memory) (time.Time, error) {
			next, err := m.Next(ctx)
			return next.Add(time.Microsecond), err
		}},
	} {
		found := 0
		for _, c := range storeCases {
			b := fault
			b.Memory, b.mu = journey.NewMemory(), &sync.Mutex{}
			if len(failures(t, func(tb testing.TB) { c.run(tb, &b) })) > 0 {
				found++
			}
		}
		assert.Positive(t, found, name)
	}
}
