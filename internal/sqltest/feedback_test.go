package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/feedback/feedbacktest"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

func feedbackStore(t testing.TB, db *sql.DB, d feedbacksql.Dialect) *feedbacksql.Store {
	t.Helper()
	s, err := feedbacksql.New(db, d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(context.Background()))
	return s
}

func emptyFeedback(t testing.TB, e engine) func(testing.TB) *feedbacksql.Store {
	db := e.open(t)
	s := feedbackStore(t, db, e.dialect)
	return func(t testing.TB) *feedbacksql.Store {
		for _, table := range []string{"feedback_invitation", "feedback_response", "feedback_contact", "care_case", "care_loan", "care_product"} {
			_, err := db.Exec("DELETE FROM " + table)
			require.NoError(t, err)
		}
		return s
	}
}

func TestFeedbackStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyFeedback(t, e)
			feedbacktest.TestStore(t, func(t testing.TB) feedback.Store { return open(t) })
		})
	}
}

func TestCareStore(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyFeedback(t, e)
			feedbacktest.TestCareStore(t, func(t testing.TB) care.Store { return open(t).Care() })
		})
	}
}

// TestAnOrderAJourneyAndASurveyInOneTransaction: all of it is there, or nothing.
func TestAnOrderAJourneyAndASurveyInOneTransaction(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			journeys, surveys := journeyStore(t, db, e.dialect), feedbackStore(t, db, e.dialect)
			_, err := db.Exec("CREATE TABLE orders (number TEXT PRIMARY KEY)")
			require.NoError(t, err)
			now := func() time.Time { return spring }
			eng, err := journey.New(journey.Config{Store: journeys, Now: now})
			require.NoError(t, err)
			j := journey.Define("thanks").Key("order")
			j.Enter(journey.Event("order.paid")).To("waiting")
			j.State("waiting").After(time.Hour).End("done")
			require.NoError(t, eng.Deploy(ctx, j))
			collector, err := feedback.New(feedback.Config{Store: surveys, Now: now, Surveys: []feedback.Survey{{
				Name: "nps", Program: feedback.Transactional,
				Questions: []feedback.Question{{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
			}}})
			require.NoError(t, err)

			order := func(number string, fail error) error {
				tx, err := db.BeginTx(ctx, nil)
				require.NoError(t, err)
				defer tx.Rollback()
				if _, err := tx.Exec("INSERT INTO orders (number) VALUES ($1)", number); err != nil {
					return err
				}
				x := journey.Input{
					ID: "paid/" + number, Name: "order.paid", Customer: "li", Time: spring, Received: spring,
					Props: profile.Values{"order": profile.Text(number)},
				}
				receipt, err := eng.WithStore(journeys.WithTx(tx)).Ingest(ctx, x)
				if err != nil {
					return err
				}
				require.Len(t, receipt.Instances, 1)
				_, err = collector.WithStore(surveys.WithTx(tx)).Invite(ctx, feedback.Request{ID: "nps/" + number, Survey: "nps", Customer: "li"})
				if err != nil {
					return err
				}
				if fail != nil {
					return fail
				}
				return tx.Commit()
			}
			count := func(table string) (n int) {
				require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM "+table).Scan(&n))
				return n
			}
			tables := []string{"orders", "journey_instance", "journey_input", "journey_history", "feedback_invitation"}

			require.NoError(t, order("1", nil))
			for _, table := range tables {
				require.Equal(t, 1, count(table), table)
			}
			boom := errors.New("the customer changed their mind")
			require.ErrorIs(t, order("2", boom), boom)
			for _, table := range tables {
				require.Equal(t, 1, count(table), table)
			}
			require.NoError(t, order("2", nil))
			for _, table := range tables {
				require.Equal(t, 2, count(table), table)
			}

			// After a conflict the store of the transaction is of no more use.
			f, err := journeys.Get(ctx, journey.Lookup{Customer: "li"})
			require.NoError(t, err)
			require.Len(t, f.Instances, 2)
			stale := f.Instances[0]
			stale.Version = 9
			tx, err := db.BeginTx(ctx, nil)
			require.NoError(t, err)
			inside := journeys.WithTx(tx)
			half := journey.Batch{Inputs: []journey.InputRow{{ID: "half", Customer: "li", At: spring}}, Instances: []journey.InstanceRow{stale}}
			require.ErrorIs(t, inside.Commit(ctx, &half), journey.ErrConflict)
			_, err = inside.Get(ctx, journey.Lookup{Input: "half"})
			require.ErrorIs(t, err, journey.ErrConflict)
			require.NoError(t, tx.Rollback())
			require.Equal(t, 2, count("journey_input"))
		})
	}
}
