package profilesql

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
)

// purgeAtOnce is how many rows are removed in one transaction.
const purgeAtOnce = 10_000

// PurgeChanges implements [profile.Purger]. It may run beside everything else, in
// transactions of 10,000 rows.
func (s *Store) PurgeChanges(ctx context.Context, before time.Time) (removed int, err error) {
	for {
		var n int64
		err := s.write(ctx, func(ex sqlkit.Executor) error {
			var dropped, last int64
			err := ex.QueryRowContext(ctx, s.feedEnds).Scan(&dropped, &last)
			if err != nil {
				return err
			}
			upTo := last
			var kept int64
			err = ex.QueryRowContext(ctx, s.firstKept, dropped, s.d.Time(before)).Scan(&kept)
			switch {
			case err == nil:
				upTo = kept - 1
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
			upTo = min(upTo, dropped+purgeAtOnce)
			if n = upTo - dropped; n <= 0 {
				return nil
			}
			if _, err := ex.ExecContext(ctx, s.drop, upTo); err != nil {
				return err
			}
			_, err = ex.ExecContext(ctx, s.dropChanges, upTo)
			return err
		})
		if err != nil {
			return removed, err
		}
		removed += int(max(n, 0))
		if n < purgeAtOnce {
			return removed, nil
		}
	}
}
