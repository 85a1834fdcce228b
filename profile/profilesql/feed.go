package profilesql

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/profile"
)

// numberAtOnce is how many rows of the feed are numbered under one lock.
const numberAtOnce = 4096

// Changes implements [profile.Store]. On PostgreSQL writers leave the rows of
// the feed without numbers, and who reads to the end gives them out, under one
// short lock: a commit that comes late gets a late number, and a row never comes
// before one that its commit had seen. On SQLite, where commits queue up,
// each numbers its own.
func (s *Store) Changes(ctx context.Context, after uint64, limit int) ([]profile.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		out, pending, err := s.page(ctx, after, limit)
		if err != nil || !pending || len(out) >= limit {
			return out, err
		}
		if err := s.numberRows(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *Store) page(ctx context.Context, after uint64, limit int) (out []profile.Change, pending bool, err error) {
	var dropped int64
	err = s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var c profile.Change
			var seq sql.NullInt64
			var kind, id, other, event, traits, mode sql.NullString
			var at sqlkit.Time
			if err := r.Scan(&dropped, &pending, &seq, &kind, &id, &other, &event, &traits, &at, &mode); err != nil || !seq.Valid {
				return err
			}
			if err := c.Kind.UnmarshalText([]byte(kind.String)); err != nil {
				return err
			}
			if traits.Valid {
				if err := json.Unmarshal([]byte(traits.String), &c.Names); err != nil {
					return err
				}
			}
			if mode.String == profile.Backfill.String() {
				c.Mode = profile.Backfill
			}
			c.Seq, c.Profile, c.Other = uint64(seq.Int64), profile.ID(id.String), profile.ID(other.String)
			c.Event, c.RecordedAt = event.String, at.Time
			out = append(out, c)
			return nil
		}, s.readChanges, int64(min(after, 1<<62)), int64(limit))
	})
	if err == nil && after < uint64(dropped) {
		err = wrap(profile.ErrCursorExpired)
	}
	if err != nil {
		return nil, false, err
	}
	return out, pending, nil
}

// numberRows numbers committed rows, the oldest first. Whoever waited for the
// lock sees what the one before has done, because the statement that numbers
// begins after.
func (s *Store) numberRows(ctx context.Context) error {
	return s.write(ctx, func(ex sqlkit.Executor) error {
		var last int64
		if err := ex.QueryRowContext(ctx, "SELECT last FROM profile_feed WHERE id = 1 FOR UPDATE").Scan(&last); err != nil {
			return err
		}
		_, err := ex.ExecContext(ctx, s.number, int64(numberAtOnce))
		return err
	})
}
