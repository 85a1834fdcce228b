package sqltest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// mark is in everything that is known of the person in TestErasureInEveryTable.
const mark = "zhangsan"

// TestErasureInEveryTable lets one person leave something of themselves in every
// package, erases them through the feed, and reads every row of every table for
// a trace: none is left, of their words, their names or, outside of the
// directory, their ID. What callers name themselves, events, inputs, answers and
// cases, names nobody here. Another person's are all there.
func TestErasureInEveryTable(t *testing.T) {
	for _, e := range engines {
		if e.name == "sqlite on one connection" {
			continue // the same statements
		}
		t.Run(e.name, func(t *testing.T) {
			ctx := context.Background()
			db := e.open(t)
			require.NoError(t, migrateShop(ctx, db, e.dialect))
			s, err := openShop(ctx, db, e.dialect)
			require.NoError(t, err)
			require.NoError(t, s.journeys.Deploy(ctx, thanks()))
			leave := func(mark, phone string) profile.ID {
				t.Helper()
				r, err := s.customers.Observe(ctx, profile.Event{
					ID: "seen/" + phone[9:], Source: "till", Name: "order.paid", Time: spring,
					Identifiers: []profile.Identifier{{Kind: "phone", Value: phone}, {Kind: "device", Value: mark}},
					Traits:      profile.Values{"city": profile.Text("c1"), "name": profile.Text(mark)}, Properties: profile.Values{"note": profile.Text(mark)},
					Relations: []profile.RelationAct{{Type: "assistant", Party: mark}},
					Consents:  []profile.ConsentAct{{Purpose: "marketing", Granted: true, Proof: mark, Address: profile.Identifier{Kind: "phone", Value: phone}}},
				})
				require.NoError(t, err)
				id := r.Profile
				_, err = s.journeys.Ingest(ctx, journey.Input{
					ID: "input/" + phone[9:], Name: "order.paid", Customer: id, Time: spring, Received: spring,
					Props:    profile.Values{"order": profile.Text(mark), "note": profile.Text(mark)},
					Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true, Proof: mark}},
				})
				require.NoError(t, err)
				_, err = s.journeys.RunDue(ctx, spring.Add(time.Hour))
				require.NoError(t, err)
				occasion := feedback.Occasion{Order: commerce.Key{Source: "web", Number: mark}, Touchpoint: "till"}
				ask := "ask/" + phone[9:]
				_, err = s.surveys.Invite(ctx, feedback.Request{ID: ask, Survey: "nps", Customer: id, Occasion: occasion})
				require.NoError(t, err)
				_, err = s.surveys.Sent(ctx, ask, spring)
				require.NoError(t, err)
				_, err = s.surveys.Record(ctx, feedback.Response{
					ID: "answer/" + phone[9:], Survey: "nps", Invitation: ask, Customer: id, Time: spring.Add(time.Minute),
					Answers: map[string]feedback.Answer{"q": feedback.Rate(3).Because(mark)},
				})
				require.NoError(t, err)
				kase := "case " + mark[:1]
				_, err = s.desk.Open(ctx, care.Opening{
					ID: kase, Kind: care.Repair, Customer: id, Time: spring, Text: mark, Topic: "zip", Outlet: "o1", Serial: "serial of " + mark,
					Order: commerce.Key{Source: "web", Number: mark}, Response: "answer/" + phone[9:], Actor: mark,
				})
				require.NoError(t, err)
				_, err = s.desk.Act(ctx, care.Action{
					ID: "in", Case: kase, Time: spring.Add(time.Minute), Verb: "drop_off", Note: mark, Ship: care.Leg{Carrier: "sf", Tracking: mark, From: mark, To: "o1"},
				})
				require.NoError(t, err)
				_, err = s.desk.Register(ctx, care.Product{ID: "serial of " + mark, Customer: id, SKU: "watch", BoughtAt: spring, Order: commerce.Key{Source: "web", Number: mark}})
				require.NoError(t, err)
				require.NoError(t, s.ledger.Bind(ctx, loyalty.Binding{Profile: id, Account: account(1), From: spring, Reason: "enrolled"}))
				require.NoError(t, s.audiences.follow(ctx, spring.Add(20*time.Second)))
				return id
			}
			gone, stays := leave(mark, "13912345678"), leave("wangwu", "13887654321")
			traces := map[string]int{} // of the person, by component
			count := func(words ...string) {
				clear(traces)
				for _, c := range components {
					for _, table := range c.tables(t, e.dialect) {
						for _, row := range everything(t, db, table) {
							for _, word := range words {
								if bytes.Contains(row, []byte(word)) {
									traces[c.name]++
								}
							}
						}
					}
				}
			}
			count(mark, "13912345678", string(gone))
			for _, c := range components {
				require.Positive(t, traces[c.name], "nothing is there to be erased: %s", c.name)
			}
			count("wangwu", "13887654321", string(stays))
			before := fmt.Sprint(traces)

			seen := uint64(0)
			for c, err := range s.customers.Changes(ctx, 0) {
				require.NoError(t, err)
				seen = c.Seq
			}
			_, err = s.customers.Erase(ctx, gone, profile.Erasure{Decision: profile.Decision{Actor: "office"}})
			require.NoError(t, err)
			for c, err := range s.customers.Changes(ctx, seen) {
				require.NoError(t, err)
				for _, apply := range []func(context.Context, profile.Change) error{s.journeys.Apply, s.surveys.Apply, s.desk.Apply, s.ledger.Apply} {
					require.NoError(t, apply(ctx, c))
				}
			}
			require.NoError(t, s.audiences.follow(ctx, spring.Add(40*time.Second)))

			for _, c := range components {
				words := []string{mark, "13912345678"}
				if c.name != "profile" { // whose feed says who is gone
					words = append(words, string(gone))
				}
				for _, table := range c.tables(t, e.dialect) {
					for _, row := range everything(t, db, table) {
						for _, word := range words {
							require.NotContains(t, string(row), word, table)
						}
					}
				}
			}
			count("wangwu", "13887654321", string(stays))
			require.Equal(t, before, fmt.Sprint(traces), "of the other person")
		})
	}
}

// everything is every row of a table, all its columns as bytes.
func everything(t testing.TB, db *sql.DB, table string) (out [][]byte) {
	t.Helper()
	require.NoError(t, sqlkit.Scan(context.Background(), db, func(r *sql.Rows) error {
		names, err := r.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(names))
		dest := make([]any, len(names))
		for i := range dest {
			dest[i] = &values[i]
		}
		if err := r.Scan(dest...); err != nil {
			return err
		}
		var row []byte
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			row = fmt.Appendf(row, "%s=%v ", names[i], v)
		}
		out = append(out, row)
		return nil
	}, "SELECT * FROM "+table))
	return out
}
