package sqltest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/segment"
)

// TestEverythingInOneTransaction: an order of the caller's own, who it was, the
// audience that they are in by that, their points, the input of their journey,
// the question what they thought and a case about it commit together, or not
// one row of them is there.
func TestEverythingInOneTransaction(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			require.NoError(t, migrateShop(ctx, db, e.dialect))
			s, err := openShop(ctx, db, e.dialect)
			require.NoError(t, err)
			require.NoError(t, s.journeys.Deploy(ctx, thanks()))
			require.NoError(t, s.audiences.follow(ctx, spring))

			everything := func() map[string][]string {
				out := map[string][]string{"shop_order": rowsOf(t, db, "shop_order")}
				for _, c := range components {
					for _, table := range c.tables(t, e.dialect) {
						out[table] = rowsOf(t, db, table)
					}
				}
				return out
			}
			const op = orderOp + "/1" // of city c1, and so of the segment "west"
			changedMind := errors.New("the customer changed their mind")
			order := func(fail error) error {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				defer tx.Rollback()
				if _, err := tx.Exec("INSERT INTO shop_order (number) VALUES ($1)", op); err != nil {
					return err
				}
				customers := s.customers.WithStore(s.profiles.WithTx(tx))
				if _, err := customers.Observe(ctx, s.event(op)); err != nil {
					return err
				}
				audiences, err := segment.Resume(ctx, segment.Config{History: customers, Store: s.groups.WithTx(tx)})
				if err != nil {
					return err
				}
				if err := audiences.CatchUp(ctx); err != nil {
					return err
				}
				if err := audiences.Advance(ctx, spring.Add(time.Minute)); err != nil {
					return err
				}
				if _, err := s.ledger.WithStore(s.points.WithTx(tx)).Post(ctx, loyalty.Earn{Key: op, Account: account(1), Amount: 5}); err != nil {
					return err
				}
				if _, err := s.journeys.WithStore(s.routes.WithTx(tx)).Ingest(ctx, s.input(op)); err != nil {
					return err
				}
				if _, err := s.surveys.WithStore(s.answers.WithTx(tx)).Invite(ctx, s.request(op)); err != nil {
					return err
				}
				opening := care.Opening{ID: op, Kind: care.Request, Customer: s.request(op).Customer, Time: spring}
				if _, err := s.desk.WithStore(s.answers.Care().WithTx(tx)).Open(ctx, opening); err != nil {
					return err
				}
				if fail != nil {
					return fail
				}
				return tx.Commit()
			}
			written := []string{
				"shop_order", "profile_event", "profile_customer", "profile_change", "segment_transition", "loyalty_transaction", "loyalty_lot",
				"journey_input", "journey_instance", "feedback_invitation", "care_case",
			}

			before := everything()
			require.ErrorIs(t, order(changedMind), changedMind)
			require.Equal(t, before, everything(), "after a rollback")

			require.NoError(t, order(nil))
			after := everything()
			for _, table := range written {
				require.Greater(t, len(after[table]), len(before[table]), table)
			}
			require.NoError(t, s.audiences.restart(ctx))
			members, err := s.audiences.engine.Select(ctx, s.audiences.engine.Clock(), segment.Definition{Name: "all", Rule: segment.In("west")})
			require.NoError(t, err)
			require.Equal(t, 1, members.Len())

			require.Error(t, order(nil), "the order is there already")
			require.Equal(t, after, everything(), "after the same order again")
		})
	}
}

// restart resumes the engine from its store.
func (a *audiences) restart(ctx context.Context) (err error) {
	a.engine, err = segment.Resume(ctx, a.cfg)
	return err
}
