package journey_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

func newsletter(when journey.Recurrence) *journey.Builder {
	j := journey.Define("news").Every("weekly", when, "everybody")
	j.Enter(journey.Tick("weekly")).To("a")
	j.State("a").Send(service("news")).After(time.Hour).End("over")
	return j
}

func members(d **desk, ids ...profile.ID) func(*journey.Config) {
	return func(c *journey.Config) {
		c.Members = map[string]journey.Listing{"everybody": func(context.Context, time.Time) iter.Seq2[profile.ID, error] {
			return func(yield func(profile.ID, error) bool) {
				for _, id := range ids {
					if err := (*d).fail; err != nil {
						yield("", err)
						return
					}
					if !yield(id, nil) {
						return
					}
				}
			}
		}}
	}
}

func TestSchedulesSurviveFailuresAndRestarts(t *testing.T) {
	var d *desk
	d = newDesk(t, members(&d, "li", "wu"), newsletter(journey.Daily("09:00")))
	d.fail = errors.New("the list is away")
	d.after(7 * time.Hour) // monday is 02:00 UTC
	require.Empty(t, d.sent)
	d.fail = nil
	d.after(10 * time.Minute)
	require.ElementsMatch(t, []string{"sms news li", "sms news wu"}, d.sent)
	var e *desk
	e = newDesk(t, func(c *journey.Config) { members(&e, "li", "wu")(c); c.Store = d.store }, newsletter(journey.Daily("09:00")))
	e.now = d.now
	e.after(time.Hour)
	require.Empty(t, e.sent, "the same day is over")
	e.after(24 * time.Hour)
	require.ElementsMatch(t, []string{"sms news li", "sms news wu"}, e.sent)
	require.Len(t, e.states("li"), 2, "schedules are no instances")

	require.NoError(t, e.Deploy(context.Background(), newsletter(journey.Monthly(1, "09:00"))))
	e.sent = nil
	e.after(3 * 24 * time.Hour)
	require.Empty(t, e.sent, "the new version follows its own schedule")
	require.NoError(t, e.Deploy(context.Background(), simple("news")))
	e.after(60 * 24 * time.Hour)
	require.Empty(t, e.sent, "the newest has none")
	next, err := e.NextDue(context.Background())
	require.NoError(t, err)
	require.Zero(t, next)
}

func TestSchedulesHearTheirOwnTicks(t *testing.T) {
	var d *desk
	d = newDesk(t, members(&d, "li"), newsletter(journey.Daily("09:00")))
	_, err := d.Ingest(context.Background(), journey.Input{ID: "1", Kind: journey.TickInput, Name: "weekly", Customer: "li", Time: d.now})
	require.NoError(t, err)
	require.Empty(t, d.states("li"), "a tick from outside is another one")
}
