package segment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cxkit/cxkit/profile"
)

// write runs an operation that changes the engine, and commits what came of it,
// also where the operation fails on the way. What an earlier commit could not
// save goes first.
func (e *Engine) write(ctx context.Context, operation func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	e.writes.Add(1)
	defer e.writes.Add(1)
	if err := e.commit(ctx); err != nil {
		return err
	}
	err := operation()
	return errors.Join(err, e.commit(ctx))
}

// commit brings everything unsaved to the store. What fails stays unsaved.
func (e *Engine) commit(ctx context.Context) error {
	e.writeOut()
	c := &e.unsaved
	if e.durable && e.erased {
		if err := e.redefined(); err != nil {
			return err
		}
	}
	if len(c.Inputs) == 0 && len(c.Transitions) == 0 && c.Checkpoint == nil && len(c.Erased) == 0 {
		return nil
	}
	if err := e.store.Commit(ctx, *c); err != nil {
		return err
	}
	e.unsaved = Commit{After: c.After + uint64(len(c.Inputs))}
	e.erased = false
	return nil
}

// journal is an [Input] as the engine writes it: a change with its payloads, an
// instant or a hand-over.
type journal struct {
	Change   *profile.Change `json:"change,omitempty"`
	Input    input           `json:"input,omitzero"`
	Advance  int64           `json:"advance,omitempty"`
	HandOver *handedOver     `json:"hand_over,omitempty"`
}

// log notes an input for the next commit.
func (e *Engine) log(j journal) error {
	if !e.durable {
		return nil
	}
	b, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("segment: write input: %w", err)
	}
	e.unsaved.Inputs = append(e.unsaved.Inputs, Input{e.unsaved.After + uint64(len(e.unsaved.Inputs)) + 1, b})
	return nil
}

// redefined puts a checkpoint of the present state into the next commit.
func (e *Engine) redefined() error {
	if !e.durable {
		return nil
	}
	data, err := e.pack()
	if err != nil {
		return err
	}
	e.unsaved.Checkpoint = &Checkpoint{e.unsaved.After + uint64(len(e.unsaved.Inputs)), data}
	return nil
}

// Checkpoint writes the whole state to the Store, so that a restart has fewer
// inputs to go through. Define, Drop and erasures do so by themselves; for the
// rest the caller chooses when. It costs time and memory in proportion to what
// the engine holds. Without a Store it does nothing.
func (e *Engine) Checkpoint(ctx context.Context) error {
	return e.write(ctx, e.redefined)
}

// ErrResume reports that what an engine computes is not what the Store holds,
// as when a function was changed under its name.
var ErrResume = errors.New("segment: cannot resume")

// Resume makes an engine that goes on where the one before it left off: from
// the newest checkpoint in cfg.Store and the inputs since, which give exactly
// the transitions that the Store already has. [Engine.Position] then tells from
// where the change feed is to be applied. An empty Store gives an empty engine.
// The error matches [ErrResume], [ErrCorrupt] or [ErrFormat], is one of a
// definition whose functions are not in cfg.Functions, or is that of the Store.
func Resume(ctx context.Context, cfg Config) (*Engine, error) {
	e, err := New(cfg)
	if err != nil {
		return nil, err
	}
	cp, err := e.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	if cp.Data != nil {
		if err := e.unpack(cp.Data); err != nil {
			return nil, err
		}
	}
	e.unsaved.After = cp.Position
	if err := e.replay(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// replay goes through the inputs after the checkpoint.
func (e *Engine) replay(ctx context.Context) error {
	const page = 256
	known := e.seq
	for {
		inputs, err := e.store.Inputs(ctx, e.unsaved.After, page)
		if err != nil {
			return err
		}
		for _, in := range inputs {
			var j journal
			if err := json.Unmarshal(in.Data, &j); err != nil {
				return fmt.Errorf("%w: input %d: %w", ErrCorrupt, in.Position, err)
			}
			if in.Position != e.unsaved.After+1 {
				return fmt.Errorf("%w: input %d after %d", ErrCorrupt, in.Position, e.unsaved.After)
			}
			switch {
			case j.Change != nil:
				e.step(j.Change, j.Input)
			case j.HandOver != nil:
				e.handOver(j.HandOver)
			default:
				e.advance(j.Advance)
			}
			e.unsaved.After = in.Position
		}
		if known, err = e.checkAgainst(ctx, known); err != nil {
			return err
		}
		if len(inputs) < page {
			return nil
		}
	}
}

// checkAgainst compares the transitions that a replay gives with those stored,
// but for those that were purged since.
func (e *Engine) checkAgainst(ctx context.Context, after uint64) (uint64, error) {
	e.writeOut()
	mine := e.unsaved.Transitions
	for len(mine) > 0 {
		stored, err := e.store.Transitions(ctx, after, min(len(mine), transitionsPage))
		var expired *ExpiredError
		if errors.As(err, &expired) && expired.Oldest > after {
			mine = mine[min(uint64(len(mine)), expired.Oldest-after):]
			after = expired.Oldest
			continue
		}
		if err != nil {
			return after, err
		}
		if len(stored) == 0 {
			return after, fmt.Errorf("%w: transition %d is not in the store", ErrResume, after+1)
		}
		for i, t := range stored {
			if t.ID != mine[i].ID || t.Seq != mine[i].Seq {
				return after, fmt.Errorf("%w: transition %d of segment %s differs from the one stored", ErrResume, t.Seq, t.Segment)
			}
			after = t.Seq
		}
		mine = mine[len(stored):]
	}
	e.unsaved.Transitions = nil
	return after, nil
}
