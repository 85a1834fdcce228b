package journeysql

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
)

// claimSQLite makes SQLite's statements of Claim and Next. What is held is
// passed over by its claim; there are never many more of these than workers hold.
func (s *statements) claimSQLite() {
	d := s.dialect
	due := func(t *table, order string) string {
		return fmt.Sprintf("SELECT %s FROM %s t WHERE t.wake_at <= ? AND NOT EXISTS (SELECT 1 FROM journey_claim c WHERE %s) ORDER BY %s LIMIT 0 + ?",
			"t."+strings.ReplaceAll(names(t.columns), ", ", ", t."), t.name, t.holds(), order)
	}
	over := func(t *table, order string) string {
		return fmt.Sprintf("SELECT %s FROM journey_claim c JOIN %s t ON %s WHERE c.until_at <= ? ORDER BY %s LIMIT 0 + ?", t.list(d), t.name, t.holds(), order)
	}
	s.dueInstances = due(&instances, "t.wake_at, t.id")
	s.dueEffects = due(&effects, "t.wake_at, t.priority DESC, t.key")
	s.overInstances = over(&instances, "c.until_at, t.id")
	s.overEffects = over(&effects, "c.until_at, t.priority DESC, t.key")
	var stale []string
	for _, t := range []*table{&instances, &effects} {
		stale = append(stale, fmt.Sprintf("NOT EXISTS (SELECT 1 FROM %s t WHERE t.%s = c.key AND t.row_version = c.base)", t.name, t.columns[0].Name))
	}
	s.release = "DELETE FROM journey_claim AS c WHERE (c.token = ? OR c.until_at <= ?) AND CASE c.kind WHEN 'instance' THEN " + stale[0] + " ELSE " + stale[1] + " END"
	s.claim = "INSERT OR REPLACE INTO journey_claim (kind, key, base, token, until_at, claims) SELECT ?, key, value, ?, ?, 1 FROM json_each(?)"
	s.reclaim = "UPDATE journey_claim SET token = ?, until_at = ?, claims = claims + 1 WHERE kind = ? AND key IN (SELECT value FROM json_each(?))"
	var firsts []string
	for _, t := range []*table{&instances, &effects} {
		firsts = append(firsts, fmt.Sprintf(
			"SELECT wake_at FROM (SELECT t.wake_at FROM %s t WHERE t.wake_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM journey_claim c WHERE %s) ORDER BY t.wake_at LIMIT 1)",
			t.name, t.holds()),
			fmt.Sprintf("SELECT MIN(c.until_at) FROM journey_claim c JOIN %s t ON %s", t.name, t.holds()))
	}
	s.next = strings.Join(firsts, " UNION ALL ")
}

// claimer is PostgreSQL's statement of Claim. Rows that others hold are passed over.
type claimer struct {
	text  string
	width int
	at    [parts][]int
}

func (s *statements) claimPostgres() {
	d := s.dialect
	s.next = "SELECT MIN(wake_at) FROM journey_instance WHERE wake_at IS NOT NULL UNION ALL SELECT MIN(wake_at) FROM journey_effect WHERE wake_at IS NOT NULL"
	s.lockCustomers = "WITH c AS (SELECT t.customer FROM journey_contact t WHERE " + d.Any("t.customer", 1) + " ORDER BY t.customer FOR UPDATE OF t), " +
		"i AS (SELECT t.id FROM journey_instance t WHERE " + d.Any("t.customer", 2) + " AND t.status IN ('active', 'closing') ORDER BY t.id FOR UPDATE OF t) " +
		"SELECT (SELECT COUNT(*) FROM c) + (SELECT COUNT(*) FROM i)"
	// Both kinds of row share one result, as in a lookup.
	g := newGetter(d, []part{instancePart, effectPart})
	c := &claimer{width: g.width + 1, at: g.at}
	shaped := func(p part, source string) string {
		_, shape, _ := strings.Cut(g.text, fmt.Sprintf("SELECT %d AS part, ", p))
		shape, _, _ = strings.Cut(shape, " FROM ")
		return fmt.Sprintf("SELECT %d AS part, %s, t.was_at FROM %s t", p, shape, source)
	}
	c.text = `WITH
		i AS (SELECT id AS key, wake_at, 0::bigint AS priority, 1 AS part FROM journey_instance WHERE wake_at <= $1
			ORDER BY wake_at, id LIMIT $2 FOR UPDATE SKIP LOCKED),
		e AS (SELECT key, wake_at, priority, 2 AS part FROM journey_effect WHERE wake_at <= $1
			ORDER BY wake_at, priority DESC, key LIMIT $2 FOR UPDATE SKIP LOCKED),
		due AS (SELECT * FROM (SELECT * FROM i UNION ALL SELECT * FROM e) AS u ORDER BY wake_at, part, priority DESC, key LIMIT $2),
		taken_i AS (UPDATE journey_instance t SET wake_at = $3, token = $4, row_version = t.row_version + 1 FROM due
			WHERE due.part = 1 AND t.id = due.key RETURNING t.*, due.wake_at AS was_at),
		taken_e AS (UPDATE journey_effect t SET wake_at = $3, token = $4, row_version = t.row_version + 1 FROM due
			WHERE due.part = 2 AND t.key = due.key RETURNING t.*, due.wake_at AS was_at)
		` + shaped(instancePart, "taken_i") + ` UNION ALL ` + shaped(effectPart, "taken_e")
	s.claimer = c
}

// Claim implements [journey.Store].
func (s *Store) Claim(ctx context.Context, c journey.Claim) ([]journey.Due, error) {
	if s.dialect == sqlkit.Postgres {
		return s.claimPostgres(ctx, c)
	}
	// A look before the lock: idle workers must not keep others from writing.
	next, err := s.Next(ctx)
	if err != nil || next.IsZero() || next.After(c.Now) {
		return nil, err
	}
	var out []journey.Due
	err = s.write(ctx, func(ex sqlkit.Executor) (err error) {
		out, err = s.claimSQLite(ctx, ex, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// candidate is a row that may be claimed; held says that it has a claim that is over.
type candidate struct {
	journey.Due
	held bool
}

func (s *Store) claimSQLite(ctx context.Context, ex sqlkit.Executor, c journey.Claim) ([]journey.Due, error) {
	var found []candidate
	now, until := s.dialect.Time(c.Now), s.dialect.Time(c.Until)
	// Claims that are over go first: that takes the write lock, too.
	if _, err := ex.ExecContext(ctx, s.release, sqlkit.Text(c.Token), now); err != nil {
		return nil, err
	}
	for _, q := range []struct {
		text         string
		effect, held bool
	}{{s.dueInstances, false, false}, {s.overInstances, false, true}, {s.dueEffects, true, false}, {s.overEffects, true, true}} {
		t := &instances
		if q.effect {
			t = &effects
		}
		r := newReader(len(t.columns))
		err := sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
			if err := rows.Scan(r.dest...); err != nil {
				return err
			}
			r.n = 0
			if q.effect {
				row := r.effect()
				found = append(found, candidate{journey.Due{At: row.Wake, Effect: &row}, q.held})
			} else {
				row := r.instance()
				found = append(found, candidate{journey.Due{At: row.Wake, Instance: &row}, q.held})
			}
			return r.err
		}, q.text, now, int64(c.Limit))
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return compareDue(&a.Due, &b.Due) })
	found = found[:min(len(found), c.Limit)]
	out := make([]journey.Due, len(found))
	fresh, over := map[string]*objects{}, map[string][]string{} // by kind: keys with versions, keys
	for i := range found {
		due := &found[i].Due
		kind, key, _ := place(due)
		version := uint64(0)
		if due.Instance != nil {
			version = due.Instance.Version
		} else {
			version = due.Effect.Version
		}
		if found[i].held {
			over[kind] = append(over[kind], key)
		} else {
			if fresh[kind] == nil {
				fresh[kind] = &objects{}
			}
			fresh[kind].add(key, version)
		}
		if due.Instance != nil {
			due.Instance.Version++
			due.Instance.Token, due.Instance.Wake = c.Token, c.Until
		} else {
			due.Effect.Version++
			due.Effect.Token, due.Effect.Wake = c.Token, c.Until
		}
		out[i] = *due
	}
	for kind, rows := range fresh {
		if _, err := ex.ExecContext(ctx, s.claim, kind, sqlkit.Text(c.Token), until, rows.String()); err != nil {
			return nil, err
		}
	}
	for kind, keys := range over {
		if _, err := ex.ExecContext(ctx, s.reclaim, sqlkit.Text(c.Token), until, kind, s.dialect.List(keys)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// objects writes keys with numbers as a JSON object.
type objects struct{ b []byte }

func (o *objects) add(key string, n uint64) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(appendText(o.b, key), ':')
	o.b = strconv.AppendUint(o.b, n, 10)
}

func (o *objects) String() string { return string(append(o.b, '}')) }

// place is where a due row stands: its kind, key and rank among those due at
// the same time.
func place(d *journey.Due) (kind, key string, rank [2]int) {
	if d.Instance != nil {
		return instances.claimed, d.Instance.Instance.ID, rank
	}
	return effects.claimed, d.Effect.Effect.Key, [2]int{1, -d.Effect.Effect.Priority}
}

func compareDue(a, b *journey.Due) int {
	_, k, r := place(a)
	_, l, s := place(b)
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(r[0], s[0]), cmp.Compare(r[1], s[1]), cmp.Compare(k, l))
}

func (s *Store) claimPostgres(ctx context.Context, c journey.Claim) ([]journey.Due, error) {
	var out []journey.Due
	err := s.read(ctx, func(ex sqlkit.Executor) error {
		out = nil
		g := s.claimer
		r := newReader(g.width)
		return sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
			if err := rows.Scan(r.dest...); err != nil {
				return err
			}
			r.at, r.n = nil, g.width-1
			due := journey.Due{At: r.time()}
			r.n = 0
			p := part(r.int())
			r.at, r.n = g.at[p], 0
			if p == instancePart {
				row := r.instance()
				due.Instance = &row
			} else {
				row := r.effect()
				due.Effect = &row
			}
			out = append(out, due)
			return r.err
		}, g.text, s.dialect.Time(c.Now), int64(c.Limit), s.dialect.Time(c.Until), sqlkit.Text(c.Token))
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b journey.Due) int { return compareDue(&a, &b) })
	return out, nil
}

// Next implements [journey.Store].
func (s *Store) Next(ctx context.Context) (time.Time, error) {
	var first time.Time
	err := s.read(ctx, func(ex sqlkit.Executor) error {
		first = time.Time{}
		return sqlkit.Scan(ctx, ex, func(rows *sql.Rows) error {
			var t sqlkit.Time
			if err := rows.Scan(&t); err != nil {
				return err
			}
			if !t.IsZero() && (first.IsZero() || t.Before(first)) {
				first = t.Time
			}
			return nil
		}, s.next)
	})
	return first, err
}
