package readme

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
)

// Shop is a backend with an order table of its own.
type Shop struct {
	db     *sql.DB
	points *loyaltysql.Store
	ledger *loyalty.Ledger
}

// NewShop makes a shop on a database that the caller opened.
func NewShop(ctx context.Context, db *sql.DB, dialect loyaltysql.Dialect) (*Shop, error) {
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, cents BIGINT NOT NULL)"); err != nil {
		return nil, err
	}
	points, err := loyaltysql.New(db, dialect)
	if err != nil {
		return nil, err
	}
	if err := points.Migrate(ctx); err != nil { // its own tables, loyalty_…
		return nil, err
	}
	ledger, err := loyalty.New(loyalty.Config{Store: points})
	return &Shop{db, points, ledger}, err
}

// Pay records an order and its points: both or neither.
func (s *Shop) Pay(ctx context.Context, number, card string, cents int64) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (number, cents) VALUES ($1, $2)", number, cents); err != nil {
		return err
	}
	inside := s.ledger.WithStore(s.points.WithTx(tx))
	points := loyalty.Earn{Key: "paid/" + number, Account: card, Amount: cents / 100, Order: number}
	if _, err := inside.Post(ctx, points); err != nil {
		return fmt.Errorf("points of order %s: %w", number, err)
	}
	return tx.Commit()
}
