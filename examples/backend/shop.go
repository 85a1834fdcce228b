package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/profilesql"
)

// shop is the service: its own database, and three packages in it.
type shop struct {
	db  *sql.DB
	log *slog.Logger

	customers *profile.Directory
	ledger    *loyalty.Ledger
	journeys  *journey.Engine

	profiles *profilesql.Store
	points   *loyaltysql.Store
	ways     *journeysql.Store
}

const ordersTable = `CREATE TABLE IF NOT EXISTS shop_order (
	number TEXT PRIMARY KEY NOT NULL,
	phone  TEXT NOT NULL,
	sku    TEXT NOT NULL,
	cents  BIGINT NOT NULL
)`

func openShop(ctx context.Context, file, postgres string, log *slog.Logger) (s *shop, err error) {
	driver, source, dialect := "sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_txlock=immediate", profilesql.SQLite
	if postgres != "" {
		driver, source, dialect = "pgx", postgres, profilesql.Postgres
	}
	s = &shop{log: log}
	if s.db, err = sql.Open(driver, source); err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(8)
	s.db.SetMaxIdleConns(8)
	if err := s.embed(ctx, dialect); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// embed makes the packages on the shop's database.
func (s *shop) embed(ctx context.Context, dialect profilesql.Dialect) (err error) {
	if s.profiles, err = profilesql.New(s.db, dialect); err != nil {
		return err
	}
	if s.points, err = loyaltysql.New(s.db, dialect); err != nil {
		return err
	}
	if s.ways, err = journeysql.New(s.db, dialect); err != nil {
		return err
	}
	for _, migrate := range []func(context.Context) error{s.profiles.Migrate, s.points.Migrate, s.ways.Migrate} {
		if err := migrate(ctx); err != nil {
			return err
		}
	}
	if _, err := s.db.ExecContext(ctx, ordersTable); err != nil {
		return err
	}
	if s.customers, err = profile.New(profile.Config{Store: s.profiles}); err != nil {
		return err
	}
	if s.ledger, err = loyalty.New(loyalty.Config{Store: s.points}); err != nil {
		return err
	}
	s.journeys, err = journey.New(journey.Config{
		Store: s.ways, Poll: time.Second,
		Lease: 5 * time.Second, // how long the work of a process that died has to wait
		Actions: map[journey.Binding]journey.Port{
			{Kind: journey.AwardEffect}: {Handle: s.award, HonorsKeys: true},
		},
	})
	if err != nil {
		return err
	}
	return s.journeys.Deploy(ctx, thanks())
}

// thanks gives five points extra a moment after each order.
func thanks() *journey.Builder {
	b := journey.Define("thanks").Key("order")
	b.Enter(journey.Event("order.paid")).To("paid")
	b.State("paid").After(100 * time.Millisecond).To("thanked")
	b.State("thanked").Do(journey.Award("thanks", journey.Const(profile.Int(bonus)))).After(time.Hour).End("done")
	return b
}

// bonus is what the journey awards, perYuan what an order earns.
const (
	bonus   = 5
	perYuan = 1
)

// award is where the journey's points are posted, under the effect's own key:
// carried out twice, it counts once.
func (s *shop) award(ctx context.Context, d journey.Dispatch) journey.Answer {
	points, _ := d.Effect.Args["points"].Int()
	_, err := s.ledger.Post(ctx, loyalty.Earn{Key: d.Key, Account: cardOf(d.Effect.Customer), Amount: points, Rule: d.Effect.Name})
	if err != nil {
		return journey.Later(err.Error(), time.Second)
	}
	return journey.Confirm(d.Key)
}

// work runs what happens by itself until the context ends.
func (s *shop) work(ctx context.Context) error { return s.journeys.Run(ctx) }

func (s *shop) close() error { return s.db.Close() }

// order is what a client sends; the number is its key.
type order struct {
	Number string `json:"number"`
	Phone  string `json:"phone"`
	SKU    string `json:"sku"`
	Cents  int64  `json:"cents"`
}

// errTaken reports an order number that is another order's.
var errTaken = errors.New("the number is another order's")

// place records an order, whose customer it is, the points that it earns and the
// journey that it starts: in one transaction, so that all of it is there or
// nothing. The same order again changes nothing.
func (s *shop) place(ctx context.Context, o order, now time.Time) error {
	const attempts = 10
	for attempt := 1; ; attempt++ {
		err := s.placeOnce(ctx, o, now)
		again := errors.Is(err, profile.ErrConflict) || errors.Is(err, loyalty.ErrConflict) || errors.Is(err, journey.ErrConflict)
		if !again || attempt == attempts {
			return err
		}
		s.log.DebugContext(ctx, "conflict", "order", o.Number, "attempt", attempt)
	}
}

func (s *shop) placeOnce(ctx context.Context, o order, now time.Time) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, notDone(tx.Rollback()))
		}
	}()
	done, err := tx.ExecContext(ctx, "INSERT INTO shop_order (number, phone, sku, cents) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		o.Number, o.Phone, o.SKU, o.Cents)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return s.known(ctx, tx, o)
	}

	id := "order/" + o.Number
	receipt, err := s.customers.WithStore(s.profiles.WithTx(tx)).Observe(ctx, profile.Event{
		ID: id, Source: "shop", Name: "order.paid", Time: now,
		Identifiers: []profile.Identifier{{Kind: "phone", Value: o.Phone}},
		Properties:  profile.Values{"sku": profile.Text(o.SKU)},
	})
	if err != nil {
		return err
	}
	if _, err := s.ledger.WithStore(s.points.WithTx(tx)).Post(ctx, loyalty.Earn{
		Key: id, Account: cardOf(receipt.Profile), Amount: o.Cents / 100 * perYuan, Order: o.Number,
	}); err != nil {
		return err
	}
	if _, err := s.journeys.WithStore(s.ways.WithTx(tx)).Ingest(ctx, journey.Input{
		ID: id, Name: "order.paid", Customer: receipt.Profile, Time: now, Received: now,
		Props: profile.Values{"order": profile.Text(o.Number)},
	}); err != nil {
		return err
	}
	return tx.Commit()
}

// known ends a transaction that met the order's number.
func (s *shop) known(ctx context.Context, tx *sql.Tx, o order) error {
	var was order
	err := tx.QueryRowContext(ctx, "SELECT number, phone, sku, cents FROM shop_order WHERE number = $1", o.Number).
		Scan(&was.Number, &was.Phone, &was.SKU, &was.Cents)
	if err != nil {
		return err
	}
	if was != o {
		return fmt.Errorf("order %s: %w", o.Number, errTaken)
	}
	return tx.Rollback()
}

func notDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// cardOf is the account of a customer who has not joined a club: a real shop
// binds a membership to the profile instead.
func cardOf(id profile.ID) string { return "card-" + string(id) }

// customer is what the service tells of one.
type customer struct {
	ID     profile.ID `json:"id"`
	Orders int        `json:"orders"`
	Points int64      `json:"points"`
}

// find looks a customer up by phone; the error is profile.ErrNotFound for nobody.
func (s *shop) find(ctx context.Context, phone string) (customer, error) {
	id, err := s.customers.Lookup(ctx, profile.Identifier{Kind: "phone", Value: phone})
	if err != nil {
		return customer{}, err
	}
	p, err := s.customers.Get(ctx, id)
	if err != nil {
		return customer{}, err
	}
	b, err := s.ledger.Balance(ctx, cardOf(id), loyalty.Points, loyalty.AsOf{})
	return customer{ID: id, Orders: p.Events, Points: b.Total()}, err
}
