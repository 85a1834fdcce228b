package segment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// ErrConflict reports that a Store has moved on since it was loaded: another
// engine writes to it. The engine that meets it cannot go on; [Resume] makes one that can.
var ErrConflict = errors.New("segment: store was changed by another engine")

// ErrCursorExpired reports a position in the feed of transitions behind which
// some are no longer kept: the reader must begin anew from the members of the
// segments. The error is an [*ExpiredError].
var ErrCursorExpired = errors.New("segment: feed of transitions no longer reaches back to the cursor")

// ExpiredError says how far back the feed of transitions goes. It matches [ErrCursorExpired].
type ExpiredError struct {
	// Oldest is the least position behind which all are kept.
	Oldest uint64
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("%v: it goes back to %d", ErrCursorExpired, e.Oldest)
}

// Is reports whether the target is [ErrCursorExpired].
func (e *ExpiredError) Is(target error) bool { return target == ErrCursorExpired }

// Store keeps what an [Engine] must not lose over a restart: a checkpoint of its
// state, the inputs since, and the feed of transitions. [MemoryStore] is one;
// one that passes segmenttest.TestStore is correct.
type Store interface {
	// Load returns the newest checkpoint, zero for none.
	Load(ctx context.Context) (Checkpoint, error)
	// Inputs lists up to limit inputs after a position, in order.
	Inputs(ctx context.Context, after uint64, limit int) ([]Input, error)
	// Commit adds inputs, transitions and a checkpoint, all or nothing.
	// It is ErrConflict where c.After is not the position of the last input
	// (0 before the first), or the first transition does not follow the last.
	Commit(ctx context.Context, c Commit) error
	// Transitions lists up to limit transitions after a position, in order. A
	// position behind which some were purged is an [*ExpiredError].
	Transitions(ctx context.Context, after uint64, limit int) ([]Transition, error)
}

// Purger is a [Store] whose feed of transitions need not grow for ever.
type Purger interface {
	Store
	// Purge removes the transitions from the first kept up to, but without, the
	// first that was detected at or after a time, and returns how many these were.
	// What was broken off goes on when it is called again.
	Purge(ctx context.Context, before time.Time) (int, error)
}

// Checkpoint is the state of an engine after some inputs, as a container.
type Checkpoint struct {
	// Position is that of the last input contained.
	Position uint64
	Data     []byte
}

// Input is one thing that an engine was given, with the payloads that it read.
type Input struct {
	// Position numbers the inputs from 1, without gaps.
	Position uint64
	Data     []byte
}

// Commit is what a [Store] takes in at once.
type Commit struct {
	// After is the position of the last input before these.
	After       uint64
	Inputs      []Input
	Transitions []Transition
	// Checkpoint, if not nil, replaces the one before. It and the inputs up to
	// its Position, which may be one of these, are deleted.
	Checkpoint *Checkpoint
	// Erased are customers whose key is removed from all transitions, these
	// and earlier ones. The transitions themselves stay.
	Erased []profile.ID
}

// MemoryStore is a [Store] in memory. The zero MemoryStore is empty. All
// methods are safe for concurrent use.
type MemoryStore struct {
	// transitionsOnly keeps nothing that only a restart needs.
	transitionsOnly bool

	mu          sync.RWMutex
	checkpoint  Checkpoint
	inputs      []Input // after the checkpoint
	last        uint64
	purged      uint64 // transitions before those here
	transitions []Transition
}

// Load implements [Store].
func (m *MemoryStore) Load(ctx context.Context) (Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return Checkpoint{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.checkpoint, nil
}

// Inputs implements [Store].
func (m *MemoryStore) Inputs(ctx context.Context, after uint64, limit int) ([]Input, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, _ := slices.BinarySearchFunc(m.inputs, after+1, func(in Input, p uint64) int { return cmp.Compare(in.Position, p) })
	return slices.Clone(m.inputs[i:][:min(len(m.inputs)-i, max(limit, 0))]), nil
}

// Transitions implements [Store].
func (m *MemoryStore) Transitions(ctx context.Context, after uint64, limit int) ([]Transition, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if after < m.purged {
		return nil, &ExpiredError{m.purged}
	}
	n := uint64(len(m.transitions))
	from := min(after-m.purged, n)
	return slices.Clone(m.transitions[from:min(n, from+uint64(max(limit, 0)))]), nil
}

// Purge implements [Purger].
func (m *MemoryStore) Purge(ctx context.Context, before time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := slices.IndexFunc(m.transitions, func(t Transition) bool { return !t.DetectedAt.Before(before) })
	if n < 0 {
		n = len(m.transitions)
	}
	m.transitions = slices.Clone(m.transitions[n:])
	m.purged += uint64(n)
	return n, nil
}

// Commit implements [Store].
func (m *MemoryStore) Commit(ctx context.Context, c Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.After != m.last || len(c.Transitions) > 0 && c.Transitions[0].Seq != m.purged+uint64(len(m.transitions))+1 {
		return ErrConflict
	}
	m.last += uint64(len(c.Inputs))
	m.transitions = append(m.transitions, c.Transitions...)
	for i := range m.transitions {
		if len(c.Erased) > 0 && slices.Contains(c.Erased, m.transitions[i].Customer) {
			m.transitions[i].Customer = ""
		}
	}
	if m.transitionsOnly {
		return nil
	}
	m.inputs = append(m.inputs, c.Inputs...)
	if c.Checkpoint != nil {
		m.checkpoint = *c.Checkpoint
		m.inputs = slices.DeleteFunc(m.inputs, func(in Input) bool { return in.Position <= c.Checkpoint.Position })
	}
	return nil
}
