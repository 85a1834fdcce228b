package journeysql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
)

// Purge implements [journey.Store].
func (s *Store) Purge(ctx context.Context, p journey.Purge) (int, error) {
	n := 0
	err := s.write(ctx, func(ex sqlkit.Executor) error {
		if err := s.takeLock(ctx, ex); err != nil {
			return err
		}
		ended, err := s.over(ctx, ex, "SELECT t.id FROM journey_instance t WHERE t.status = 'ended' AND t.customer <> '' AND t.ended_at < $1"+
			" AND NOT EXISTS (SELECT 1 FROM journey_effect e WHERE e.instance = t.id AND e.status IN ('pending', 'leased', 'uncertain', 'dead'))"+limit(s.dialect, 2),
			p.Ended, max(p.Limit, 1))
		if err != nil {
			return err
		}
		if err := s.remove(ctx, ex, ended, s.purge); err != nil {
			return err
		}
		if n = len(ended); n >= max(p.Limit, 1) {
			return nil
		}
		known, err := s.over(ctx, ex, "SELECT id FROM journey_input WHERE happened_at < $1"+limit(s.dialect, 2), p.Inputs, max(p.Limit, 1)-n)
		n += len(known)
		if err != nil {
			return err
		}
		if err := s.remove(ctx, ex, known, []string{"DELETE FROM journey_input WHERE " + s.dialect.Any("id", 1)}); err != nil || n >= max(p.Limit, 1) {
			return err
		}
		parked, err := s.over(ctx, ex, "SELECT key FROM journey_effect WHERE instance = '' AND status IN ('confirmed', 'rejected', 'suppressed') AND planned_at < $1 LIMIT $2",
			p.Inputs, max(p.Limit, 1)-n)
		n += len(parked)
		if err != nil {
			return err
		}
		return s.remove(ctx, ex, parked, unparkTexts(s.dialect))
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// over are the keys of what is over by a time.
func (s *Store) over(ctx context.Context, ex sqlkit.Executor, text string, before time.Time, limit int) ([]string, error) {
	if before.IsZero() {
		return nil, nil
	}
	var keys []string
	err := sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	}, s.dialect.Bind(text), s.dialect.Time(before), limit)
	return keys, err
}

func (s *Store) remove(ctx context.Context, ex sqlkit.Executor, keys, statements []string) error {
	if len(keys) == 0 {
		return nil
	}
	for _, text := range statements {
		if _, err := ex.ExecContext(ctx, text, s.dialect.List(keys)); err != nil {
			return err
		}
	}
	return nil
}

// purgeTexts remove instances, on SQLite claims first.
func purgeTexts(d sqlkit.Dialect) []string {
	var out []string
	if d == sqlkit.SQLite {
		out = append(out,
			"DELETE FROM journey_claim WHERE kind = 'effect' AND key IN (SELECT key FROM journey_effect WHERE "+d.Any("instance", 1)+")",
			"DELETE FROM journey_claim WHERE kind = 'instance' AND "+d.Any("key", 1),
			"DELETE FROM journey_history_owner WHERE (customer, instance) IN (SELECT customer, instance FROM journey_history WHERE "+d.Any("instance", 1)+")")
	}
	for _, t := range []*table{&effects, &history} {
		out = append(out, fmt.Sprintf("DELETE FROM %s WHERE %s", t.name, d.Any("instance", 1)))
	}
	return append(out, "DELETE FROM journey_instance WHERE "+d.Any("id", 1))
}

// unparkTexts remove inputs that were set aside.
func unparkTexts(d sqlkit.Dialect) []string {
	var out []string
	if d == sqlkit.SQLite {
		out = append(out, "DELETE FROM journey_claim WHERE kind = 'effect' AND "+d.Any("key", 1))
	}
	return append(out, "DELETE FROM journey_history WHERE instance = '' AND "+d.Any("effect", 1), "DELETE FROM journey_effect WHERE "+d.Any("key", 1))
}
