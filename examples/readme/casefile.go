package readme

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cxkit/cxkit/feedback/care"
)

// CaseFile keeps the service cases of a small shop in one JSON file.
type CaseFile struct {
	Path string
	mu   sync.Mutex
}

type caseRows struct {
	Cases map[string]care.Case
	Loans map[string]care.Loan
}

// read gives copies: what it returns is the caller's.
func (f *CaseFile) read(ctx context.Context) (caseRows, error) {
	rows := caseRows{Cases: map[string]care.Case{}, Loans: map[string]care.Loan{}}
	if err := ctx.Err(); err != nil {
		return rows, err
	}
	b, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return rows, nil
	}
	if err != nil {
		return rows, err
	}
	return rows, json.Unmarshal(b, &rows)
}

func (f *CaseFile) Get(ctx context.Context, keys care.Keys) (found care.Records, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, err := f.read(ctx)
	for _, id := range keys.Cases {
		if c, ok := rows.Cases[id]; ok {
			found.Cases = append(found.Cases, c)
		}
	}
	for _, item := range keys.Loans {
		if l, ok := rows.Loans[item]; ok {
			found.Loans = append(found.Loans, l)
		}
	}
	return found, err
}

// Commit compares every version before it writes, and writes all or nothing.
func (f *CaseFile) Commit(ctx context.Context, put care.Records) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, err := f.read(ctx)
	if err != nil {
		return err
	}
	for _, c := range put.Cases {
		if rows.Cases[c.ID].Version != c.Version {
			return care.ErrConflict
		}
		c.Version++
		rows.Cases[c.ID] = c
	}
	for _, l := range put.Loans {
		if rows.Loans[l.Item].Version != l.Version {
			return care.ErrConflict
		}
		l.Version++
		rows.Loans[l.Item] = l
	}
	b, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.Path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(f.Path+".new", f.Path)
}

func (f *CaseFile) Page(ctx context.Context, q care.Query) ([]care.Case, error) {
	return f.list(ctx, cmp.Or(q.Limit, care.DefaultPage), func(c care.Case) time.Time { return c.Time }, func(c care.Case) bool {
		return (q.Customer == "" || c.Customer == q.Customer) && (q.Kind == "" || c.Kind == q.Kind) && !(q.Open && c.Phase.Done()) &&
			!c.Time.Before(q.From) && (q.To.IsZero() || c.Time.Before(q.To)) &&
			(q.After == care.Position{} || cmp.Or(c.Time.Compare(q.After.Time), strings.Compare(c.ID, q.After.ID)) > 0)
	})
}

func (f *CaseFile) Due(ctx context.Context, now time.Time, limit int) ([]care.Case, error) {
	return f.list(ctx, limit, func(c care.Case) time.Time { return c.NextDue }, func(c care.Case) bool {
		return !c.NextDue.IsZero() && !c.NextDue.After(now)
	})
}

// list gives the cases that match, in order of a time and then of the ID.
func (f *CaseFile) list(ctx context.Context, limit int, at func(care.Case) time.Time, match func(care.Case) bool) ([]care.Case, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows, err := f.read(ctx)
	var found []care.Case
	for _, c := range rows.Cases {
		if match(c) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b care.Case) int {
		return cmp.Or(at(a).Compare(at(b)), strings.Compare(a.ID, b.ID))
	})
	return found[:min(limit, len(found))], err
}
