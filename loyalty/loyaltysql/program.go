package loyaltysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/program"
)

// Tiers is the store of package program on the same database, and in the same
// transaction where the store is bound to one.
func (s *Store) Tiers() *TierStore { return &TierStore{s} }

// TierStore is a [program.Store] on a database.
type TierStore struct{ s *Store }

var _ program.Store = (*TierStore)(nil)

// tierStatements are the texts of the statements on tiers.
type tierStatements struct {
	insert, update, changes *sqlkit.Statement
	one, count, page        string
	review, reviewAfter     string
}

const tierList = "account, tier, since_at, review_at, version"

func newTierStatements() tierStatements {
	return tierStatements{
		insert: sqlkit.Insert("loyalty_tier", sqlkit.Columns("program account tier since_at:timestamptz review_at:timestamptz version:bigint"), ""),
		update: sqlkit.Update("loyalty_tier", sqlkit.Columns("tier since_at:timestamptz review_at:timestamptz version:bigint"),
			sqlkit.Columns("program account"), sqlkit.Columns("version:bigint")),
		changes: sqlkit.Insert("loyalty_tier_change", sqlkit.Columns("program account n:bigint from_tier to_tier changed_at:timestamptz "+
			"qualifying:bigint unit window_from:timestamptz review:bigint merged_account"), ""),
		one:   `SELECT ` + tierList + ` FROM loyalty_tier WHERE program = $1 AND account = $2`,
		count: `SELECT COUNT(*) FROM loyalty_tier_change WHERE program = $1 AND account = $2`,
		page: `SELECT from_tier, to_tier, changed_at, qualifying, unit, window_from, review, merged_account FROM loyalty_tier_change
			WHERE program = $1 AND account = $2 AND n >= $3 ORDER BY n LIMIT $4`,
		review: `SELECT ` + tierList + ` FROM loyalty_tier WHERE program = $1 AND review_at <= $2 ORDER BY review_at, account LIMIT $3`,
		reviewAfter: `SELECT ` + tierList + ` FROM loyalty_tier WHERE program = $1 AND review_at <= $2
			AND (review_at > $3 OR (review_at = $4 AND account > $5)) AND review_at >= $6 ORDER BY review_at, account LIMIT $7`,
	}
}

// Tier implements [program.Store].
func (t *TierStore) Tier(ctx context.Context, name, account string) (program.TierState, error) {
	out := program.TierState{Account: account}
	states, err := t.states(ctx, t.s.tiers.one, name, account)
	if len(states) > 0 {
		out = states[0]
	}
	return out, err
}

// Commit implements [program.Store].
func (t *TierStore) Commit(ctx context.Context, u program.TierUpdate) error {
	d, st := t.s.dialect, &u.State
	err := t.s.write(ctx, func(ex sqlkit.Executor) error {
		var n int64
		if len(u.Changes) > 0 {
			if err := ex.QueryRowContext(ctx, t.s.tiers.count, u.Program, st.Account).Scan(&n); err != nil {
				return err
			}
		}
		state := sqlkit.Part{Statement: t.s.tiers.insert, Rows: [][]any{{
			u.Program, st.Account, st.Tier, d.Time(st.Since), due(d, st.ReviewAt), int64(st.Version),
		}}}
		if st.Version > 1 {
			state = sqlkit.Part{Statement: t.s.tiers.update, Rows: [][]any{{
				st.Tier, d.Time(st.Since), due(d, st.ReviewAt), int64(st.Version), u.Program, st.Account, int64(st.Version - 1),
			}}}
		}
		changes := sqlkit.Part{Statement: t.s.tiers.changes}
		for i, c := range u.Changes {
			changes.Rows = append(changes.Rows, []any{
				u.Program, st.Account, n + int64(i), c.From, c.To, d.Time(c.At), c.Qualifying, string(c.Unit), d.Time(c.WindowFrom),
				flag(c.Review), sqlkit.Text(c.Merged),
			})
		}
		return sqlkit.Exec(ctx, d, ex, []sqlkit.Part{state, changes})
	})
	if errors.Is(err, sqlkit.ErrGuard) || sqlkit.IsUnique(err) || errors.Is(err, loyalty.ErrConflict) {
		return fmt.Errorf("%w: %w", program.ErrConflict, err)
	}
	return wrap(err)
}

// History implements [program.Store].
func (t *TierStore) History(ctx context.Context, name, account string, after, limit int) ([]program.TierChange, error) {
	var out []program.TierChange
	err := t.s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			c := program.TierChange{Account: account}
			var at, from sqlkit.Time
			var review int64
			var merged sql.NullString
			err := r.Scan(&c.From, &c.To, &at, &c.Qualifying, &c.Unit, &from, &review, &merged)
			c.At, c.WindowFrom, c.Review, c.Merged = at.Time, from.Time, review != 0, merged.String
			out = append(out, c)
			return err
		}, t.s.tiers.page, name, account, int64(after), int64(limit))
	})
	return out, err
}

// Reviews implements [program.Store].
func (t *TierStore) Reviews(ctx context.Context, name string, now time.Time, after program.TierState, limit int) ([]program.TierState, error) {
	d := t.s.dialect
	if after.Account == "" {
		return t.states(ctx, t.s.tiers.review, name, d.Time(now), int64(limit))
	}
	from := d.Time(after.ReviewAt)
	return t.states(ctx, t.s.tiers.reviewAfter, name, d.Time(now), from, from, after.Account, from, int64(limit))
}

func (t *TierStore) states(ctx context.Context, text string, args ...any) ([]program.TierState, error) {
	var out []program.TierState
	err := t.s.one(ctx, func(ex sqlkit.Executor) error {
		out = nil
		return sqlkit.Scan(ctx, ex, func(r *sql.Rows) error {
			var st program.TierState
			var since, review sqlkit.Time
			var version int64
			err := r.Scan(&st.Account, &st.Tier, &since, &review, &version)
			st.Since, st.ReviewAt, st.Version = since.Time, review.Time, uint64(version)
			if st.ReviewAt.IsZero() {
				st.ReviewAt = loyalty.Forever
			}
			out = append(out, st)
			return err
		}, text, args...)
	})
	return out, err
}
