package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
)

// shop is a backend on four packages and a table of its own, under load. What
// an operation does follows from its name, kind and number, alone, so that
// whoever repeats it repeats the same.
type shop struct {
	db *sql.DB

	customers *profile.Directory
	ledger    *loyalty.Ledger
	journeys  *journey.Engine
	surveys   *feedback.Collector

	profiles *profilesql.Store
	points   *loyaltysql.Store
	routes   *journeysql.Store
	answers  *feedbacksql.Store
}

// The kinds of operations.
const (
	earnOp  = "earn"  // points
	seenOp  = "seen"  // an event of a customer
	inputOp = "input" // an input of a journey
	askOp   = "ask"   // an invitation
	orderOp = "order" // all of it, and an order, in one transaction
)

var ops = []string{earnOp, seenOp, inputOp, askOp, orderOp, orderOp}

// migrateShop makes the tables.
func migrateShop(ctx context.Context, db *sql.DB, d sqlkit.Dialect) error {
	s, err := openShop(ctx, db, d)
	if err != nil {
		return err
	}
	for _, migrate := range []func(context.Context) error{s.profiles.Migrate, s.points.Migrate, s.routes.Migrate, s.answers.Migrate} {
		if err := migrate(ctx); err != nil {
			return err
		}
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE shop_order (number TEXT PRIMARY KEY)"); err != nil {
		return err
	}
	return s.journeys.Deploy(ctx, thanks())
}

func thanks() *journey.Builder {
	j := journey.Define("thanks").Key("order")
	j.Enter(journey.Event("order.paid")).To("waiting")
	j.State("waiting").After(time.Hour).End("done")
	return j
}

func openShop(_ context.Context, db *sql.DB, d sqlkit.Dialect) (s *shop, err error) {
	s = &shop{db: db}
	if s.profiles, err = profilesql.New(db, d); err != nil {
		return nil, err
	}
	if s.points, err = loyaltysql.New(db, d); err != nil {
		return nil, err
	}
	if s.routes, err = journeysql.New(db, d); err != nil {
		return nil, err
	}
	if s.answers, err = feedbacksql.New(db, d); err != nil {
		return nil, err
	}
	if s.customers, err = profile.New(profile.Config{Store: s.profiles, MaxAhead: -1}); err != nil {
		return nil, err
	}
	if s.ledger, err = loyalty.New(loyalty.Config{Store: s.points}); err != nil {
		return nil, err
	}
	if s.journeys, err = journey.New(journey.Config{Store: s.routes, Now: func() time.Time { return spring }}); err != nil {
		return nil, err
	}
	s.surveys, err = feedback.New(feedback.Config{Store: s.answers, Now: func() time.Time { return spring }, Surveys: []feedback.Survey{{
		Name: "nps", Program: feedback.Transactional,
		Questions: []feedback.Question{{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
	}}})
	return s, err
}

func split(op string) (kind string, n int) {
	kind, number, _ := strings.Cut(op, "/")
	n, _ = strconv.Atoi(number)
	return kind, n
}

func account(n int) string { return "card-" + strconv.Itoa(n%7) }

func amount(n int) int64 { return 1 + int64(n%5) }

func (s *shop) event(op string) profile.Event {
	_, n := split(op)
	return profile.Event{
		ID: op, Source: "till", Name: "order.paid", Time: spring.Add(time.Duration(n%1000) * time.Second),
		Identifiers: []profile.Identifier{
			{Kind: "phone", Value: fmt.Sprintf("1380013%04d", n%13)}, {Kind: "device", Value: "d" + strconv.Itoa(n%29)},
		},
		Traits: profile.Values{"city": profile.Text("c" + strconv.Itoa(n%3))},
	}
}

func (s *shop) input(op string) journey.Input {
	_, n := split(op)
	return journey.Input{
		ID: op, Name: "order.paid", Customer: profile.ID("customer " + strconv.Itoa(n%11)), Time: spring, Received: spring,
		Props: profile.Values{"order": profile.Text(op)},
	}
}

func (s *shop) request(op string) feedback.Request {
	_, n := split(op)
	return feedback.Request{ID: op, Survey: "nps", Customer: profile.ID("customer " + strconv.Itoa(n%11))}
}

// try does an operation once. Doing it again is the same as having done it once.
func (s *shop) try(ctx context.Context, op string) error {
	kind, n := split(op)
	var err error
	switch kind {
	case earnOp:
		_, err = s.ledger.Post(ctx, loyalty.Earn{Key: op, Account: account(n), Amount: amount(n)})
	case seenOp:
		_, err = s.customers.Observe(ctx, s.event(op))
	case inputOp:
		_, err = s.journeys.Ingest(ctx, s.input(op))
	case askOp:
		_, err = s.surveys.Invite(ctx, s.request(op))
	default:
		err = s.order(ctx, op)
	}
	return err
}

func (s *shop) order(ctx context.Context, op string) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	_, n := split(op)
	if _, err := tx.ExecContext(ctx, "INSERT INTO shop_order (number) VALUES ($1) ON CONFLICT DO NOTHING", op); err != nil {
		return err
	}
	if _, err := s.customers.WithStore(s.profiles.WithTx(tx)).Observe(ctx, s.event(op)); err != nil {
		return err
	}
	if _, err := s.ledger.WithStore(s.points.WithTx(tx)).Post(ctx, loyalty.Earn{Key: op, Account: account(n), Amount: amount(n)}); err != nil {
		return err
	}
	if _, err := s.journeys.WithStore(s.routes.WithTx(tx)).Ingest(ctx, s.input(op)); err != nil {
		return err
	}
	if _, err := s.surveys.WithStore(s.answers.WithTx(tx)).Invite(ctx, s.request(op)); err != nil {
		return err
	}
	return tx.Commit()
}

// do does an operation until it is acknowledged; other is for errors that only
// a test brings about.
func (s *shop) do(ctx context.Context, op string, other func(error) bool) error {
	for attempt := 0; ; attempt++ {
		err := s.try(ctx, op)
		if err == nil || attempt > 2000 {
			return err
		}
		conflict := errors.Is(err, profile.ErrConflict) || errors.Is(err, loyalty.ErrConflict) || errors.Is(err, journey.ErrConflict) ||
			errors.Is(err, feedback.ErrConflict) || sqlkit.Retryable(err)
		switch {
		case conflict:
		case other != nil && other(err):
			time.Sleep(5 * time.Millisecond) // an outage is not over at once
		default:
			return err
		}
	}
}

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
	ctx := context.Background()
	orders := column(t, s.db, "SELECT number FROM shop_order")
	there := map[string]map[string]bool{
		earnOp:  column(t, s.db, "SELECT key FROM loyalty_transaction WHERE leg = 0"),
		seenOp:  column(t, s.db, "SELECT id FROM profile_event"),
		inputOp: column(t, s.db, "SELECT id FROM journey_input"),
		askOp:   column(t, s.db, "SELECT id FROM feedback_invitation"),
	}
	for op := range acknowledged {
		if kind, _ := split(op); kind == orderOp {
			require.True(t, orders[op], "acknowledged and lost: %s", op)
		} else {
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
			require.True(t, ids[op], "an order without its %s: %s", kind, op)
		}
	}

	// Points: every key once, and the books in order.
	want := map[string]int64{}
	for op := range there[earnOp] {
		_, n := split(op)
		want[account(n)] += amount(n)
	}
	ledger, err := loyalty.New(loyalty.Config{Store: s.points})
	require.NoError(t, err)
	for id, points := range want {
		b, err := ledger.Balance(ctx, id, "", loyalty.AsOf{})
		require.NoError(t, err)
		require.Equal(t, points, b.Total(), id)
	}
	_, err = ledger.Verify(ctx, loyalty.Anchor{})
	require.NoError(t, err)

	// Customers: as if their events had come to a directory in memory, and each
	// event once in the feed.
	plain, err := profile.New(profile.Config{MaxAhead: -1})
	require.NoError(t, err)
	for _, op := range slices.Sorted(maps.Keys(there[seenOp])) {
		_, err := plain.Observe(ctx, s.event(op))
		require.NoError(t, err)
	}
	require.Equal(t, groups(t, plain, there[seenOp]), groups(t, s.customers, there[seenOp]), "the same events make the same customers")
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
	require.Equal(t, len(there[seenOp]), len(observed))

	// Journeys: every input started one.
	started := column(t, s.db, "SELECT key FROM journey_instance")
	for op := range there[inputOp] {
		require.True(t, started[op], "an input that started nothing: %s", op)
	}
	require.Len(t, started, len(there[inputOp]))
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
