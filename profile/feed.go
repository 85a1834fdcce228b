package profile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// ErrCursorExpired reports a position in the change feed whose rows are no
// longer kept: the reader must rebuild from the profiles themselves.
var ErrCursorExpired = errors.New("profile: change feed no longer reaches back to the cursor")

const feedChunk = 4096

// feed is the change feed in memory: rows in chunks, the oldest dropped whole.
type feed struct {
	chunks  [][]change
	dropped uint64 // rows dropped
	next    uint64 // Seq of the next row
	keep    int
	clockAt int64

	names   [][]string
	nameIDs map[string]uint32
}

// change is a row of the feed as it is kept.
type change struct {
	profile ID
	other   ID
	event   string
	at      int64
	names   uint32
	kind    ChangeKind
	mode    Mode
}

func newFeed(keep int) feed {
	return feed{next: 1, keep: keep, names: [][]string{nil}, nameIDs: map[string]uint32{}}
}

// clock is the time of recording: it never runs backwards.
func (f *feed) clock(now time.Time) int64 {
	f.clockAt = max(f.clockAt, now.UnixMicro())
	return f.clockAt
}

func (f *feed) add(c change) uint64 {
	if n := len(f.chunks); n == 0 || len(f.chunks[n-1]) == feedChunk {
		room := feedChunk
		if n == 0 {
			room = 16 // of a Store, the feed of one decision
		}
		f.chunks = append(f.chunks, make([]change, 0, room))
		for f.keep > 0 && f.next-1-f.dropped >= uint64(f.keep)+feedChunk {
			f.chunks[0] = nil
			f.chunks = f.chunks[1:]
			f.dropped += feedChunk
		}
	}
	last := &f.chunks[len(f.chunks)-1]
	*last = append(*last, c)
	f.next++
	return f.next - 1
}

// drop lets go of full chunks all of whose rows were recorded before an instant.
func (f *feed) drop(before int64) (rows int) {
	for len(f.chunks) > 0 && len(f.chunks[0]) == feedChunk && f.chunks[0][feedChunk-1].at < before {
		f.chunks[0] = nil
		f.chunks = f.chunks[1:]
		f.dropped += feedChunk
		rows += feedChunk
	}
	return rows
}

func (f *feed) intern(ids []uint32, traits []*trait) uint32 {
	var stack [128]byte
	key := stack[:0]
	for _, id := range ids {
		key = binary.AppendUvarint(key, uint64(id))
	}
	if id, ok := f.nameIDs[string(key)]; ok {
		return id
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = traits[id].name
	}
	f.names = append(f.names, names)
	f.nameIDs[string(key)] = uint32(len(f.names) - 1)
	return uint32(len(f.names) - 1)
}

// all are the rows, not numbered.
func (f *feed) all() []Change {
	var out []Change
	for _, chunk := range f.chunks {
		for _, c := range chunk {
			out = append(out, f.change(c, 0))
		}
	}
	return out
}

func (f *feed) change(c change, seq uint64) Change {
	return Change{
		Seq: seq, Kind: c.kind, Profile: c.profile, Other: c.other, Event: c.event,
		Names: f.names[c.names], RecordedAt: time.UnixMicro(c.at).UTC(), Mode: c.mode,
	}
}

// page copies up to len(buf) rows after a position.
func (f *feed) page(after uint64, buf []Change) (int, error) {
	if after < f.dropped {
		return 0, ErrCursorExpired
	}
	n := 0
	for seq := after + 1; seq < f.next && n < len(buf); seq++ {
		i := seq - 1 - f.dropped
		buf[n] = f.change(f.chunks[i/feedChunk][i%feedChunk], seq)
		n++
	}
	return n, nil
}

// Changes yields the rows of the change feed after a position, in order, up to
// the last one recorded while it runs; 0 begins at the beginning. A reader that
// has seen position n never later finds a new row at or before n, so n is all
// that it needs to remember. RecordedAt never decreases. A position older than
// what Config.KeepChanges keeps, or than [Directory.PurgeChanges] has left, yields
// [ErrCursorExpired].
//
// The loop may write to the directory, break, or be canceled. Names are shared
// between rows and must not be modified.
func (d *Directory) Changes(ctx context.Context, after uint64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		buf := make([]Change, 256)
		for {
			if err := ctx.Err(); err != nil {
				yield(Change{}, err)
				return
			}
			n, err := d.changes(ctx, after, buf)
			if err != nil {
				yield(Change{}, err)
				return
			}
			if n == 0 {
				return
			}
			for _, c := range buf[:n] {
				if !yield(c, nil) {
					return
				}
			}
			after = buf[n-1].Seq
		}
	}
}

func (d *Directory) changes(ctx context.Context, after uint64, buf []Change) (int, error) {
	if d.store != nil {
		rows, err := d.store.Changes(ctx, after, len(buf))
		return copy(buf, rows), err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.graph.feed.page(after, buf)
}

// PurgeChanges removes from the change feed what was recorded before a time, from
// its beginning up to the first that was not, and returns how many rows that were;
// without a Store it does so by whole blocks of 4,096 rows. Keep the feed for longer
// than any of its readers may stand still: one whose position is older gets
// [ErrCursorExpired]. Customers, timelines and decisions do not depend on the feed.
// A Store that is no [Purger] is [errors.ErrUnsupported].
func (d *Directory) PurgeChanges(ctx context.Context, before time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if d.store != nil {
		if p, ok := d.store.(Purger); ok {
			return p.PurgeChanges(ctx, before.Truncate(time.Microsecond))
		}
		return 0, fmt.Errorf("profile: the Store keeps its change feed for ever: %w", errors.ErrUnsupported)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.graph.feed.drop(before.UnixMicro()), nil
}
