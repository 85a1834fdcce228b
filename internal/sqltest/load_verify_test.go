package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// settle waits until the server has finished what clients that died had asked for.
func settle(t testing.TB, db *sql.DB, d sqlkit.Dialect) {
	t.Helper()
	if d != sqlkit.Postgres {
		return
	}
	require.Eventually(t, func() bool {
		var busy int
		err := db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'").Scan(&busy)
		return err == nil && busy == 0
	}, 30*time.Second, 5*time.Millisecond)
}

// column reads texts.
func column(t testing.TB, db *sql.DB, query string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	require.NoError(t, sqlkit.Scan(context.Background(), db, func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		if out[s] {
			return fmt.Errorf("twice: %s", s)
		}
		out[s] = true
		return err
	}, query))
	return out
}

// verify checks that what was acknowledged is there, and that nothing is there
// twice or by half. attempted are all that may be there.
func (s *shop) verify(t testing.TB, acknowledged, attempted map[string]bool) {
	t.Helper()
	orders := column(t, s.db, "SELECT number FROM shop_order")
	there := map[string]map[string]bool{
		earnOp:  {},
		spendOp: {},
		seenOp:  column(t, s.db, "SELECT id FROM profile_event"),
		inputOp: column(t, s.db, "SELECT id FROM journey_input"),
		askOp:   column(t, s.db, "SELECT id FROM feedback_invitation"),
		caseOp:  column(t, s.db, "SELECT id FROM care_case"),
	}
	holds, takes, bonuses := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for key := range column(t, s.db, "SELECT key FROM loyalty_transaction WHERE leg = 0") {
		held, isHold := strings.CutSuffix(key, "/hold")
		taken, isTake := strings.CutSuffix(key, "/take")
		kind, _ := split(key)
		switch {
		case strings.HasPrefix(key, fund):
		case isHold:
			holds[held] = true
		case isTake:
			takes[taken] = true
		case kind == spendOp:
			there[spendOp][key] = true
		case kind == earnOp || kind == orderOp:
			there[earnOp][key] = true
		default:
			bonuses[key] = true
		}
	}
	for op := range acknowledged {
		switch kind, _ := split(op); kind {
		case orderOp:
			require.True(t, orders[op], "acknowledged and lost: %s", op)
		case stepOp, followOp:
		default:
			require.True(t, there[kind][op], "acknowledged and lost: %s", op)
		}
	}
	for kind, ids := range there {
		for op := range ids {
			require.True(t, attempted[op], "nobody asked for %s", op)
			if k, _ := split(op); k == orderOp {
				require.True(t, orders[op], "%s without its order: %s", kind, op)
			}
		}
		for op := range orders {
			require.True(t, ids[op] || kind == spendOp || kind == caseOp, "an order without its %s: %s", kind, op)
		}
	}
	s.verifyPoints(t, there, holds, takes, len(bonuses))
	s.verifyCustomers(t, there[seenOp])
	s.verifyJourneys(t, there[inputOp], bonuses)
	s.verifyAnswers(t, acknowledged, there[askOp])
	s.verifyCases(t, acknowledged, there[caseOp])
	s.audiences.verify(t, acknowledged)
}

// Points: every key once, what was held is taken or still held, and the books
// are in order.
func (s *shop) verifyPoints(t testing.TB, there map[string]map[string]bool, holds, takes map[string]bool, bonuses int) {
	t.Helper()
	ctx := context.Background()
	want, open := map[string]int64{bonusAccount: int64(bonuses) * bonus}, map[string]int{}
	for n := range accounts {
		want[account(n)] = funds
	}
	for op := range there[earnOp] {
		_, n := split(op)
		want[account(n)] += amount(n)
	}
	for op := range there[spendOp] {
		_, n := split(op)
		require.True(t, takes[op], "spent and not captured before: %s", op)
		want[account(n)] -= amount(n)
	}
	for op := range takes {
		_, n := split(op)
		require.True(t, holds[op], "captured and never held: %s", op)
		want[account(n)] -= amount(n)
	}
	for op := range holds {
		if _, n := split(op); !takes[op] {
			open[account(n)]++ // what is not taken stays held: no hold here times out
		}
	}
	ledger, err := loyalty.New(loyalty.Config{Store: s.points})
	require.NoError(t, err)
	for id, points := range want {
		b, err := ledger.Balance(ctx, id, "", loyalty.AsOf{})
		require.NoError(t, err)
		require.Equal(t, points, b.Total(), id)
		found, err := ledger.Holds(ctx, id, loyalty.AsOf{})
		require.NoError(t, err)
		require.Len(t, found, open[id], id)
	}
	_, err = ledger.Verify(ctx, loyalty.Anchor{})
	require.NoError(t, err)
}

// Customers: as if their events had come to a directory in memory, and each
// event once in the feed.
func (s *shop) verifyCustomers(t testing.TB, events map[string]bool) {
	t.Helper()
	ctx := context.Background()
	plain, err := profile.New(profile.Config{Now: func() time.Time { return spring }, MaxAhead: ahead})
	require.NoError(t, err)
	for _, op := range slices.Sorted(maps.Keys(events)) {
		_, err := plain.Observe(ctx, s.event(op))
		require.NoError(t, err)
	}
	require.Equal(t, groups(t, plain, events), groups(t, s.customers, events), "the same events make the same customers")
	observed := map[string]bool{}
	next := uint64(1)
	for c, err := range s.customers.Changes(ctx, 0) {
		require.NoError(t, err)
		require.Equal(t, next, c.Seq, "the feed has no gap")
		next++
		if c.Kind == profile.Observed {
			require.False(t, observed[c.Event], "observed twice: %s", c.Event)
			observed[c.Event] = true
		}
	}
	require.Equal(t, len(events), len(observed))
}

// Journeys: every input started one, and what a journey awarded is in the
// ledger, once.
func (s *shop) verifyJourneys(t testing.TB, inputs, bonuses map[string]bool) {
	t.Helper()
	started := column(t, s.db, "SELECT key FROM journey_instance")
	for op := range inputs {
		require.True(t, started[op], "an input that started nothing: %s", op)
	}
	require.Len(t, started, len(inputs))
	effects := column(t, s.db, "SELECT key FROM journey_effect")
	require.LessOrEqual(t, len(effects), len(started))
	for key := range column(t, s.db, "SELECT key FROM journey_effect WHERE status = 'confirmed'") {
		require.True(t, bonuses[key], "confirmed and not in the ledger: %s", key)
	}
	for key := range bonuses {
		require.True(t, effects[key], "awarded by nobody: %s", key)
	}
}

// finish lets journeys run to their ends.
func (s *shop) finish(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	now := spring
	for {
		due, err := s.routes.Next(ctx)
		require.NoError(t, err)
		if due.IsZero() {
			break
		}
		if due.After(now) {
			now = due
		}
		_, err = s.journeys.RunDue(ctx, now)
		require.NoError(t, err)
	}
	started := column(t, s.db, "SELECT key FROM journey_instance")
	require.Len(t, column(t, s.db, "SELECT key FROM journey_instance WHERE status = 'ended'"), len(started))
	require.Len(t, column(t, s.db, "SELECT key FROM journey_effect WHERE status = 'confirmed'"), len(started))
}

// Answers: one for each that was acknowledged, and the invitation knows it.
func (s *shop) verifyAnswers(t testing.TB, acknowledged, asked map[string]bool) {
	t.Helper()
	answered := map[string]bool{}
	for r, err := range s.surveys.Responses(context.Background(), feedback.Query{}) {
		require.NoError(t, err)
		require.True(t, asked[r.Invitation], "an answer to nothing: %s", r.ID)
		require.Equal(t, r.Invitation+"/answer", r.ID)
		answered[r.Invitation] = true
	}
	for i, err := range s.surveys.Invitations(context.Background(), feedback.Query{}) {
		require.NoError(t, err)
		kind, _ := split(i.ID)
		require.Equal(t, answered[i.ID], i.State == feedback.Answered, i.ID)
		require.True(t, answered[i.ID] || kind == orderOp || !acknowledged[i.ID], "acknowledged and lost: the answer to %s", i.ID)
	}
}

// Cases: each has its watch, and each watch its case.
func (s *shop) verifyCases(t testing.TB, acknowledged, opened map[string]bool) {
	t.Helper()
	lent := map[string]bool{}
	for c, err := range s.desk.Cases(context.Background(), care.Query{}) {
		require.NoError(t, err)
		require.True(t, opened[c.ID])
		delete(opened, c.ID)
		_, n := split(c.ID)
		done := c.State == "received"
		require.True(t, done || !acknowledged[c.ID], "acknowledged and lost: what was done on %s", c.ID)
		require.Equal(t, done, len(c.History) == 1, "%s is %s", c.ID, c.State)
		require.Equal(t, done, c.Loaner == watch(n), c.ID)
		if done {
			lent[watch(n)] = true
		}
	}
	require.Empty(t, opened, "cases that no page shows")
	require.Equal(t, lent, column(t, s.db, "SELECT id FROM care_loan"))
}

// Segments: the feed has no gap, nothing is in it twice, it adds up to the
// members, and those are who an engine finds that knows no past.
func (a *audiences) verify(t testing.TB, acknowledged map[string]bool) {
	t.Helper()
	ctx := context.Background()
	a.mu.Lock()
	a.engine = nil // it may have been made before others wrote
	a.mu.Unlock()
	last := spring
	for op := range acknowledged {
		if kind, n := split(op); kind == followOp && moment(n).After(last) {
			last = moment(n)
		}
	}
	known, err := segment.Resume(ctx, a.cfg)
	require.NoError(t, err)
	require.False(t, known.Clock().Before(last) && len(acknowledged) > 0 && last.After(spring), "acknowledged and lost: an advance to %s, now %s", last, known.Clock())
	require.NoError(t, a.follow(ctx, known.Clock()))

	next := uint64(1)
	ids := map[string]bool{}
	members := map[string]map[profile.ID]bool{}
	for tr, err := range a.engine.Transitions(ctx, 0) {
		require.NoError(t, err)
		require.Equal(t, next, tr.Seq, "the feed has no gap")
		next++
		require.False(t, ids[tr.ID], "transition twice: %s", tr.ID)
		ids[tr.ID] = true
		if members[tr.Segment] == nil {
			members[tr.Segment] = map[profile.ID]bool{}
		}
		enters := tr.Kind == segment.Entered
		require.Equal(t, !enters, members[tr.Segment][tr.Customer], "%d: %s twice", tr.Seq, tr.Kind)
		if enters {
			members[tr.Segment][tr.Customer] = true
		} else {
			delete(members[tr.Segment], tr.Customer)
		}
	}
	fresh, err := segment.New(segment.Config{History: a.cfg.History})
	require.NoError(t, err)
	require.NoError(t, fresh.CatchUp(ctx))
	for _, def := range segments {
		require.NoError(t, fresh.Define(ctx, a.engine.Clock(), def))
		want, err := fresh.View(def.Name)
		require.NoError(t, err)
		audience, err := want.Audience()
		require.NoError(t, err)
		require.ElementsMatch(t, slices.Collect(audience.IDs()), slices.Collect(maps.Keys(members[def.Name])), def.Name)
	}
	require.Greater(t, next, uint64(3))
}

// groups are the events of each customer.
func groups(t testing.TB, d *profile.Directory, events map[string]bool) []string {
	t.Helper()
	by := map[profile.ID][]string{}
	for _, op := range slices.Sorted(maps.Keys(events)) {
		_, id, err := d.Event(context.Background(), op)
		require.NoError(t, err)
		by[id] = append(by[id], op)
	}
	var out []string
	for _, g := range by {
		out = append(out, strings.Join(g, " "))
	}
	slices.Sort(out)
	return out
}
