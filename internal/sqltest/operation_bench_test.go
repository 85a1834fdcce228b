package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/journeysql"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
)

// operation is a single write of a store, as a backend does it all day.
type operation struct {
	name string
	// component is whose tables it writes.
	component string
	// looks are the tables in which the caller's keys are looked up first, found
	// or not; what is found and changed is read anyway.
	looks []string
	// begin opens what the operation works on, brings so many customers to where
	// it begins, and returns it.
	begin func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(ctx context.Context, i int) error
}

func benchCustomer(i int) profile.ID {
	return profile.ID(fmt.Sprintf("0195b6d0-%04x-7000-8000-%012x", i>>16, i))
}

var operations = []operation{
	{"observe", "profile", []string{"profile_event", "profile_evidence", "profile_identifier"}, observing(0)},
	{"observe-known", "profile", []string{"profile_event", "profile_evidence", "profile_identifier"}, observing(1)},
	{"apply", "segment", nil, func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
		ctx := context.Background()
		people, err := profile.New(profile.Config{MaxAhead: -1})
		require.NoError(b, err)
		for i := range customers {
			_, err := people.Observe(ctx, benchEvent(i))
			require.NoError(b, err)
		}
		var feed [][]profile.Change // by event
		for c, err := range people.Changes(ctx, 0) {
			require.NoError(b, err)
			if c.Kind == profile.Created {
				feed = append(feed, nil)
			}
			feed[len(feed)-1] = append(feed[len(feed)-1], c)
		}
		require.Len(b, feed, customers)
		e, err := segment.New(segment.Config{History: people, Store: segmentStore(b, db, d)})
		require.NoError(b, err)
		require.NoError(b, e.Define(ctx, spring, segment.Definition{Name: "local", Rule: segment.Attr("city").Is("Hangzhou")}))
		return func(ctx context.Context, i int) error { return e.Apply(ctx, feed[i]...) }
	}},
	{"step", "journey", []string{"journey_input", "journey_instance"}, func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
		ctx := context.Background()
		s, err := journeysql.New(db, d)
		require.NoError(b, err)
		require.NoError(b, s.Migrate(ctx))
		e, err := journey.New(journey.Config{Store: s, Now: func() time.Time { return spring }})
		require.NoError(b, err)
		j := journey.Define("order").Key("order")
		j.Enter(journey.Event("order.placed")).To("placed")
		j.State("placed").Patient().On(journey.Event("order.paid")).To("paid")
		j.State("paid").After(time.Hour).End("done")
		require.NoError(b, e.Deploy(ctx, j))
		input := func(name string, i int) journey.Input {
			order := fmt.Sprintf("order-%08d", i)
			return journey.Input{
				ID: name + " of " + order, Name: name, Customer: benchCustomer(i), Time: spring, Received: spring,
				Props: profile.Values{"order": profile.Text(order)},
			}
		}
		for i := range customers {
			_, err := e.Ingest(ctx, input("order.placed", i))
			require.NoError(b, err)
		}
		return func(ctx context.Context, i int) error {
			_, err := e.Ingest(ctx, input("order.paid", i))
			return err
		}
	}},
	{"response", "feedback", []string{"feedback_response"}, func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
		ctx := context.Background()
		c, err := feedback.New(feedback.Config{
			Store: feedbackStore(b, db, d), Now: func() time.Time { return spring.Add(time.Hour) },
			Surveys: []feedback.Survey{{
				Name: "nps", Program: feedback.Transactional,
				Questions: []feedback.Question{{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)}},
			}},
		})
		require.NoError(b, err)
		invitation := func(i int) string { return fmt.Sprintf("invitation %08d", i) }
		for i := range customers {
			_, err := c.Invite(ctx, feedback.Request{ID: invitation(i), Survey: "nps", Customer: benchCustomer(i), Time: spring})
			require.NoError(b, err)
			_, err = c.Sent(ctx, invitation(i), spring)
			require.NoError(b, err)
		}
		return func(ctx context.Context, i int) error {
			_, err := c.Record(ctx, feedback.Response{
				ID: fmt.Sprintf("response %08d", i), Survey: "nps", Invitation: invitation(i), Customer: benchCustomer(i), Time: spring.Add(time.Minute),
				Answers: map[string]feedback.Answer{"q": feedback.Rate(i % 11)},
			})
			return err
		}
	}},
	{"post", "loyalty", []string{"loyalty_account"}, func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
		ctx := context.Background()
		l, err := loyalty.New(loyalty.Config{Store: loyaltyStore(b, db, d), Batch: 1})
		require.NoError(b, err)
		earn := func(kind string, i int) loyalty.Command {
			return loyalty.Earn{Key: fmt.Sprintf("%s-%08d", kind, i), Account: fmt.Sprintf("card-%08d", i), Amount: 100, Order: fmt.Sprintf("order-%08d", i)}
		}
		for i := range customers {
			_, err := l.Post(ctx, earn("first", i))
			require.NoError(b, err)
		}
		return func(ctx context.Context, i int) error {
			_, err := l.Post(ctx, earn("second", i))
			return err
		}
	}},
}

// observing is one event of each customer, who has sent so many before.
func observing(known int) func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
	return func(b testing.TB, db *sql.DB, d sqlkit.Dialect, customers int) func(context.Context, int) error {
		dir, err := profile.New(profile.Config{Store: profileStore(b, db, d), MaxAhead: -1})
		require.NoError(b, err)
		event := func(n, i int) profile.Event {
			e := benchEvent(i)
			e.ID = fmt.Sprintf("bench %d %08d", n, i)
			e.Time = e.Time.Add(time.Duration(n) * time.Hour)
			return e
		}
		for n := range known {
			for i := range customers {
				_, err := dir.Observe(context.Background(), event(n, i))
				require.NoError(b, err)
			}
		}
		return func(ctx context.Context, i int) error {
			_, err := dir.Observe(ctx, event(known, i))
			return err
		}
	}
}

func benchEvent(i int) profile.Event {
	return profile.Event{
		ID: fmt.Sprintf("bench %08d", i), Source: "till", Name: "order.paid", Time: spring.Add(time.Duration(i) * time.Millisecond),
		Identifiers: []profile.Identifier{{Kind: "phone", Value: fmt.Sprintf("138%08d", i)}},
		Traits:      profile.Values{"city": profile.Text("Hangzhou")},
	}
}
