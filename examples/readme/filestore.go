package readme

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"

	"github.com/cxkit/cxkit/segment"
)

// FileStore is a segment.Store in one JSON file.
type FileStore struct {
	path string
	mu   sync.Mutex
	rows rows
}

type rows struct {
	Checkpoint  segment.Checkpoint
	Inputs      []segment.Input // since the checkpoint
	Last        uint64
	Transitions []segment.Transition
}

func OpenFileStore(path string) (*FileStore, error) {
	f := &FileStore{path: path}
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	return f, json.Unmarshal(b, &f.rows)
}

func (f *FileStore) Commit(ctx context.Context, c segment.Commit) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.After != f.rows.Last || len(c.Transitions) > 0 && c.Transitions[0].Seq != uint64(len(f.rows.Transitions))+1 {
		return segment.ErrConflict
	}
	next := f.rows
	next.Last += uint64(len(c.Inputs))
	next.Inputs = slices.Concat(next.Inputs, c.Inputs)
	next.Transitions = slices.Concat(next.Transitions, c.Transitions)
	for i, t := range next.Transitions {
		if slices.Contains(c.Erased, t.Customer) {
			next.Transitions[i].Customer = ""
		}
	}
	if c.Checkpoint != nil {
		next.Checkpoint = *c.Checkpoint
		next.Inputs = slices.DeleteFunc(next.Inputs, func(in segment.Input) bool { return in.Position <= c.Checkpoint.Position })
	}
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.path+".new", b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		return err // nothing is changed, in memory either
	}
	f.rows = next
	return nil
}

func (f *FileStore) Load(ctx context.Context) (segment.Checkpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rows.Checkpoint, ctx.Err()
}

func (f *FileStore) Inputs(ctx context.Context, after uint64, limit int) ([]segment.Input, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	behind := slices.IndexFunc(f.rows.Inputs, func(in segment.Input) bool { return in.Position > after })
	return page(f.rows.Inputs, behind, limit), ctx.Err()
}

func (f *FileStore) Transitions(ctx context.Context, after uint64, limit int) ([]segment.Transition, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	behind := slices.IndexFunc(f.rows.Transitions, func(t segment.Transition) bool { return t.Seq > after })
	return page(f.rows.Transitions, behind, limit), ctx.Err()
}

func page[T any](all []T, from, limit int) []T {
	if from < 0 {
		return nil
	}
	rest := all[from:]
	return slices.Clone(rest[:min(limit, len(rest))]) // a limit may be of any size
}
