package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmentsql"
)

// shop is a backend on the five packages and a table of its own, under load. What
// an operation does follows from its name, kind and number, alone, so that
// whoever repeats it repeats the same.
type shop struct {
	db *sql.DB

	customers *profile.Directory
	ledger    *loyalty.Ledger
	journeys  *journey.Engine
	surveys   *feedback.Collector
	desk      *care.Desk
	audiences audiences

	profiles *profilesql.Store
	points   *loyaltysql.Store
	routes   *journeysql.Store
	answers  *feedbacksql.Store
	groups   *segmentsql.Store
}

// The kinds of operations.
const (
	earnOp   = "earn"   // points
	spendOp  = "spend"  // points held and then taken, and others taken at once
	seenOp   = "seen"   // an event of a customer
	inputOp  = "input"  // an input of a journey
	stepOp   = "step"   // what is due in journeys, which awards points
	askOp    = "ask"    // an invitation and its answer
	caseOp   = "case"   // a repair, for which a watch is lent
	followOp = "follow" // segments catch up with the customers
	orderOp  = "order"  // an order, its event, points, input and invitation, in one transaction
)

// kinds are each of them once, ops what a load is made of.
var (
	kinds = []string{earnOp, spendOp, seenOp, inputOp, stepOp, askOp, caseOp, followOp, orderOp}
	ops   = append([]string{orderOp}, kinds...)
)

// migrateShop makes the tables.
func migrateShop(ctx context.Context, db *sql.DB, d sqlkit.Dialect) error {
	s, err := openShop(ctx, db, d)
	if err != nil {
		return err
	}
	for _, migrate := range []func(context.Context) error{s.profiles.Migrate, s.points.Migrate, s.routes.Migrate, s.answers.Migrate, s.groups.Migrate} {
		if err := migrate(ctx); err != nil {
			return err
		}
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE shop_order (number TEXT PRIMARY KEY)"); err != nil {
		return err
	}
	for n := range accounts {
		if _, err := s.ledger.Post(ctx, loyalty.Earn{Key: fund + account(n), Account: account(n), Amount: funds}); err != nil {
			return err
		}
	}
	return s.journeys.Deploy(ctx, thanks())
}

// What accounts have from the beginning, so that every redemption can be made,
// and what the journey awards.
const (
	fund  = "fund/"
	funds = int64(1) << 40
	bonus = 3
)

func thanks() *journey.Builder {
	j := journey.Define("thanks").Key("order")
	j.Enter(journey.Event("order.paid")).To("waiting")
	j.State("waiting").After(time.Hour).To("thanked")
	j.State("thanked").Do(journey.Award("thanks", journey.Const(profile.Int(bonus)))).After(time.Hour).End("done")
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
	if s.groups, err = segmentsql.New(db, d); err != nil {
		return nil, err
	}
	now := func() time.Time { return spring }
	if s.customers, err = profile.New(profile.Config{Store: s.profiles, Now: now, MaxAhead: ahead, ErasureKeys: [][]byte{[]byte("0123456789abcdef")}}); err != nil {
		return nil, err
	}
	if s.ledger, err = loyalty.New(loyalty.Config{Store: s.points}); err != nil {
		return nil, err
	}
	s.audiences.cfg = segment.Config{History: s.customers, Store: s.groups}
	if s.desk, err = care.New(care.Config{Store: s.answers.Care(), Now: now}); err != nil {
		return nil, err
	}
	s.journeys, err = journey.New(journey.Config{
		Store: s.routes, Now: now, Lease: time.Second, MaxAttempts: 1 << 20,
		Actions: map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: {Handle: s.award, HonorsKeys: true}},
	})
	if err != nil {
		return nil, err
	}
	s.surveys, err = feedback.New(feedback.Config{Store: s.answers, Now: now, Surveys: []feedback.Survey{{
		Name: "nps", Program: feedback.Transactional,
		Questions: []feedback.Question{{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
	}}})
	return s, err
}

// award posts the points of a journey under the effect's own key.
func (s *shop) award(ctx context.Context, d journey.Dispatch) journey.Answer {
	if _, err := s.ledger.Post(ctx, loyalty.Earn{Key: d.Key, Account: bonusAccount, Amount: bonus}); err != nil {
		return journey.Later(err.Error(), time.Second)
	}
	return journey.Confirm(d.Key)
}

const bonusAccount = "card-bonus"

func split(op string) (kind string, n int) {
	kind, number, _ := strings.Cut(op, "/")
	n, _ = strconv.Atoi(number)
	return kind, n
}

const accounts = 7

func account(n int) string { return "card-" + strconv.Itoa(n%accounts) }

func amount(n int) int64 { return 1 + int64(n%5) }

func (s *shop) event(op string) profile.Event {
	_, n := split(op)
	return profile.Event{
		ID: op, Source: "till", Name: "order.paid", Time: moment(n),
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

// ahead is how far operations may be ahead of the clock, which stands.
const ahead = 1 << 20 * time.Second

// moment is the time of an operation.
func moment(n int) time.Time { return spring.Add(time.Duration(n) * time.Second) }

func watch(n int) string { return "watch-" + strconv.Itoa(n) }

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
	case spendOp:
		for _, c := range []loyalty.Command{
			loyalty.Hold{Key: op + "/hold", Account: account(n), Amount: amount(n)},
			loyalty.Capture{Key: op + "/take", Hold: op + "/hold"},
			loyalty.Redeem{Key: op, Account: account(n), Amount: amount(n)},
		} {
			if _, err := s.ledger.Post(ctx, c); err != nil {
				return err
			}
		}
	case stepOp:
		_, err = s.journeys.RunDue(ctx, moment(n).Add(time.Hour))
	case askOp:
		if _, err := s.surveys.Invite(ctx, s.request(op)); err != nil {
			return err
		}
		if _, err := s.surveys.Sent(ctx, op, spring); err != nil {
			return err
		}
		_, err = s.surveys.Record(ctx, feedback.Response{
			ID: op + "/answer", Survey: "nps", Invitation: op, Customer: s.request(op).Customer, Time: spring.Add(time.Minute),
			Answers: map[string]feedback.Answer{"q": feedback.Rate(n % 11)},
		})
	case caseOp:
		o := care.Opening{ID: op, Kind: care.Repair, Customer: s.request(op).Customer, Time: spring, Outlet: "o1"}
		if _, err := s.desk.Open(ctx, o); err != nil {
			return err
		}
		_, err = s.desk.Act(ctx, care.Action{ID: "in", Case: op, Time: spring.Add(time.Minute), Verb: "drop_off", Lend: watch(n)})
	case followOp:
		err = s.audiences.follow(ctx, moment(n))
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
			errors.Is(err, feedback.ErrConflict) ||
			errors.Is(err, care.ErrConflict) || errors.Is(err, segment.ErrConflict) || sqlkit.Retryable(err)
		switch {
		case conflict:
		case other != nil && other(err):
			time.Sleep(5 * time.Millisecond) // an outage is not over at once
		default:
			return err
		}
	}
}

// audiences are the segments of one process. After a failure the engine is made
// anew from its store: there it shows whether the commit that failed took place.
type audiences struct {
	cfg    segment.Config
	mu     sync.Mutex
	engine *segment.Engine
}

var segments = []segment.Definition{
	{Name: "regular", Rule: segment.Events("order.paid").Within(segment.Last(10 * time.Minute)).AtLeast(3)},
	{Name: "west", Rule: segment.Attr("city").Is("c1")},
	{Name: "quiet", Rule: segment.All(segment.Attr("city").Is("c2"), segment.Not(segment.In("regular")))},
}

// follow takes in what is new about customers, and lets time pass.
func (a *audiences) follow(ctx context.Context, now time.Time) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() {
		if err != nil {
			a.engine = nil
		}
	}()
	if a.engine == nil {
		if a.engine, err = segment.Resume(ctx, a.cfg); err != nil {
			return err
		}
		for _, def := range segments {
			if _, err := a.engine.View(def.Name); err == nil {
				continue
			}
			if err := a.engine.Define(ctx, spring, def); err != nil {
				return err
			}
		}
	}
	if err := a.engine.CatchUp(ctx); err != nil {
		return err
	}
	if now.Second()%20 == 0 {
		if err := a.engine.Checkpoint(ctx); err != nil {
			return err
		}
	}
	return a.engine.Advance(ctx, now)
}
