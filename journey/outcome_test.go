package journey_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

func TestEffectsOfAFinalStateAreAwaited(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("bye")
	j.Goal("bought").On(journey.Event("paid"))
	j.State("bye").Send(journey.Message{Template: "bye", Purpose: "quiet", Channels: []string{"sms"}}).Final()
	policy := func(c *journey.Config) {
		c.Contact = contact.Policy{Quiet: []contact.Quiet{{From: "00:00", To: "09:00"}}, Purposes: map[string]contact.Exempt{"quiet": {Consent: true}}}
	}
	d := newDesk(t, policy, j)
	id := d.does("1", "go", "li").Instances[0]
	require.Equal(t, journey.Closing, d.instance(id).Status)
	d.after(24 * time.Hour)
	require.Equal(t, []string{"sms bye li"}, d.sent)
	require.Equal(t, "bye", d.instance(id).Outcome)
	require.Equal(t, journey.Ended, d.instance(id).Status)

	d = newDesk(t, policy, j)
	id = d.does("1", "go", "li").Instances[0]
	d.does("2", "paid", "li") // while the farewell is deferred
	d.after(24 * time.Hour)
	require.Empty(t, d.sent)
	require.True(t, d.instance(id).Success)
}

func TestThanksOnReachingTheGoalGoOut(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.Goal("bought").On(journey.Event("paid")).Do(journey.Send(service("thanks")))
	j.State("a").Send(service("hello")).After(time.Hour).End("over")
	d := newDesk(t, nil, j)
	d.does("1", "go", "li")
	d.does("2", "paid", "li")
	require.Equal(t, []string{"sms hello li", "sms thanks li"}, d.sent)
}

func TestBackfillMovesAndSendsNothing(t *testing.T) {
	j := simple("j")
	d := newDesk(t, nil, j)
	_, err := d.Ingest(context.Background(), journey.Input{ID: "1", Name: "go", Customer: "li", Time: monday.Add(-30 * time.Minute), Mode: profile.Backfill})
	require.NoError(t, err)
	d.after(time.Hour)
	require.Equal(t, []string{"send"}, d.states("li"), "its wait counts from when it happened")
	require.Empty(t, d.sent)
	_, err = d.Ingest(context.Background(), journey.Input{ID: "2", Name: "go", Customer: "wu", Time: monday.Add(-30 * time.Minute), Mode: profile.Backfill})
	require.NoError(t, err)
	d.after(30 * 24 * time.Hour)
	require.Equal(t, []string{"=over"}, d.states("wu"))
	require.Empty(t, d.sent)
	for r, err := range d.History(context.Background(), journey.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, profile.Backfill, r.Mode, r.String())
	}
}

func TestALiveInputWakesABackfilledInstance(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").On(journey.Event("step")).To("b").Patient()
	j.State("b").Send(service("hello")).After(time.Hour).End("over")
	d := newDesk(t, nil, j)
	_, err := d.Ingest(context.Background(), journey.Input{ID: "1", Name: "go", Customer: "li", Time: monday.Add(-time.Hour), Mode: profile.Backfill})
	require.NoError(t, err)
	d.does("2", "step", "li")
	require.Equal(t, []string{"sms hello li"}, d.sent)
}

func TestAMissingVariableBlocksTheMessage(t *testing.T) {
	m := service("hello")
	m.Vars = journey.Args{"item": journey.Data("sku"), "name": journey.Trait("name")}
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(m).On(journey.Failed("hello")).End("not sent").After(time.Hour).End("over")
	d := newDesk(t, nil, j)
	d.traits = profile.Values{"name": profile.Text("Li")}
	d.does("1", "go", "li")
	d.does("2", "go", "wu", "sku", "boots")
	require.Equal(t, []string{"sms hello wu"}, d.sent)
	require.Equal(t, []string{"=not sent"}, d.states("li"))
}

func TestARefusingChannelFallsBackUnderAnotherKey(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(service("hello", "sms", "mail")).On(journey.Failed("hello")).End("nobody").After(time.Hour).End("over")
	d := newDesk(t, nil, j)
	keys := map[string]bool{}
	d.answer = func(x journey.Dispatch) journey.Answer {
		keys[x.Key] = true
		if x.Channel == "sms" || x.Effect.Customer == "wu" {
			return journey.Reject("full")
		}
		return journey.Confirm("")
	}
	d.does("1", "go", "li")
	d.does("2", "go", "wu")
	require.Equal(t, []string{"mail hello li"}, d.sent)
	require.Len(t, keys, 4)
	require.Equal(t, []string{"=nobody"}, d.states("wu"))
	row, err := d.Contact(context.Background(), "wu")
	require.NoError(t, err)
	require.Empty(t, row.Sent, "the reservations were given back")
}

func TestBusyChannelsAreTriedAgainAndGivenUp(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(service("hello")).On(journey.Failed("hello")).End("given up").After(24 * time.Hour).End("over")
	d := newDesk(t, func(c *journey.Config) { c.MaxAttempts = 3; c.Backoff = time.Minute }, j)
	calls := []time.Time{}
	d.answer = func(journey.Dispatch) journey.Answer {
		calls = append(calls, d.now)
		return journey.Later("busy", 0)
	}
	d.does("1", "go", "li")
	d.after(20 * time.Hour)
	require.Len(t, calls, 3)
	first, second := calls[1].Sub(calls[0]), calls[2].Sub(calls[1])
	require.InDelta(t, time.Minute, first, float64(15*time.Second))
	require.InDelta(t, 2*time.Minute, second, float64(30*time.Second))
	require.Equal(t, []string{"=given up"}, d.states("li"))
	var dead []journey.EffectRow
	for row, err := range d.Unsettled(context.Background()) {
		require.NoError(t, err)
		dead = append(dead, row)
	}
	require.Len(t, dead, 1)
	require.Equal(t, journey.Dead, dead[0].State)
	require.Equal(t, "busy", dead[0].Detail)
	d.answer = nil
	require.NoError(t, d.Retry(context.Background(), dead[0].Effect.Key, "line repaired"))
	d.run()
	require.Equal(t, []string{"sms hello li"}, d.sent)
}

func TestUncertainMessagesWaitForAPerson(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(service("hello")).On(journey.Done("hello")).End("sent").On(journey.Failed("hello")).End("not sent").After(24 * time.Hour).End("over")
	ctx := context.Background()
	for name, c := range map[string]struct {
		answer journey.Answer
		state  string
		sent   int
	}{
		"it was sent":               {journey.Confirm("seen in the log"), "=sent", 0},
		"it was not":                {journey.Reject("not in the log"), "=not sent", 0},
		"it was not, and try again": {journey.Later("not in the log", 0), "=sent", 1},
	} {
		d := newDesk(t, func(cfg *journey.Config) {
			p := cfg.Channels["sms"]
			p.HonorsKeys = false
			cfg.Channels["sms"] = p
		}, j)
		calls := 0
		d.answer = func(journey.Dispatch) journey.Answer {
			if calls++; calls == 1 {
				return journey.Unclear("timeout")
			}
			return journey.Confirm("")
		}
		d.does("1", "go", "li")
		d.after(time.Hour)
		require.Equal(t, 1, calls, name)
		require.Equal(t, []string{"a"}, d.states("li"), name)
		var keys []string
		for row, err := range d.Unsettled(ctx) {
			require.NoError(t, err)
			keys = append(keys, row.Effect.Key)
		}
		require.Len(t, keys, 1, name)
		require.ErrorIs(t, d.Resolve(ctx, keys[0], journey.Unclear("")), journey.ErrState)
		require.ErrorIs(t, d.Retry(ctx, keys[0], ""), journey.ErrState)
		require.NoError(t, d.Resolve(ctx, keys[0], c.answer), name)
		d.after(time.Hour)
		require.Equal(t, []string{c.state}, d.states("li"), name)
		require.Len(t, d.sent, c.sent, name)
		require.ErrorIs(t, d.Resolve(ctx, keys[0], c.answer), journey.ErrState)
	}
}

func TestFailingStepsAreRetriedAndGivenUp(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").After(time.Hour).If(journey.In("vip")).End("vip").After(2 * time.Hour).End("other")
	d := newDesk(t, func(c *journey.Config) { c.MaxAttempts = 4; c.Backoff = time.Minute }, j)
	ctx := context.Background()
	id := d.does("1", "go", "li").Instances[0]
	d.fail = errors.New("the segment is away")
	d.after(90 * time.Minute)
	x, err := d.Explain(ctx, id)
	require.Error(t, err, "its facts are away too")
	require.Zero(t, x)
	var stuck []journey.InstanceRow
	for row, err := range d.Stuck(ctx, d.now, time.Hour) {
		require.NoError(t, err)
		stuck = append(stuck, row)
	}
	require.Len(t, stuck, 1)
	require.True(t, stuck[0].Dead)
	require.Equal(t, 4, stuck[0].Attempts)
	require.Contains(t, stuck[0].Error, "the segment is away")
	d.fail, d.vip["li"] = nil, true
	d.after(time.Hour)
	require.Equal(t, []string{"a"}, d.states("li"), "nothing moves before Retry")
	require.NoError(t, d.Retry(ctx, id, "segment is back"))
	d.run()
	require.Equal(t, []string{"=vip"}, d.states("li"))
	require.ErrorIs(t, d.Retry(ctx, id, ""), journey.ErrState)
	require.ErrorIs(t, d.Retry(ctx, "nothing", ""), journey.ErrNotFound)
}

func TestAnEffectInDoubtDoesNotKeepAnInstanceOpen(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Do(journey.Do("slow", nil)).Send(service("hello")).
		On(journey.InDoubt("hello")).End("who knows").
		After(24 * time.Hour).End("over")
	d := newDesk(t, func(c *journey.Config) {
		p := c.Channels["sms"]
		p.HonorsKeys = false
		c.Channels["sms"] = p
	}, j)
	d.answer = func(x journey.Dispatch) journey.Answer {
		if x.Channel == "sms" {
			return journey.Unclear("timeout")
		}
		if d.now.Before(monday.Add(time.Hour)) {
			return journey.Later("busy", time.Hour)
		}
		return journey.Confirm("")
	}
	id := d.does("1", "go", "li").Instances[0]
	require.Equal(t, journey.Closing, d.instance(id).Status, "the other effect is not finished")
	for row, err := range d.Unsettled(context.Background()) {
		require.NoError(t, err)
		require.NoError(t, d.Resolve(context.Background(), row.Effect.Key, journey.Confirm("found it")))
	}
	require.Equal(t, journey.Closing, d.instance(id).Status, "an effect is counted once")
	d.after(2 * time.Hour)
	require.Equal(t, []string{"=who knows"}, d.states("li"))
}

// An instance that cannot hear how its effect ended, because what it asks for is
// away, holds up neither the effect nor anybody else; it hears of it once it can.
func TestAnOutcomeThatCannotBeHeardIsToldLater(t *testing.T) {
	ctx := context.Background()
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Do(journey.Do("act", nil)).On(journey.Done("act")).If(journey.In("vip")).End("vip").After(72 * time.Hour).End("late")
	for _, back := range []time.Duration{3 * time.Second, 24 * time.Hour} { // in time for a further attempt, and after it was given up
		d := newDesk(t, func(c *journey.Config) { c.MaxAttempts = 4 }, j, simple("other"))
		d.vip["li"], d.fail = true, errors.New("the segment is away")
		d.does("1", "go", "li")
		id := d.states("li")
		require.Equal(t, []string{"a", "wait"}, id)
		require.Equal(t, []string{"act li"}, d.sent)
		d.does("2", "go", "wu")
		d.after(back)
		require.Equal(t, []string{"a"}, d.states("li")[:1])
		var stuck []journey.InstanceRow
		for row, err := range d.Stuck(ctx, d.now, 90*time.Hour) {
			require.NoError(t, err)
			stuck = append(stuck, row)
		}
		require.Len(t, stuck, 2, "both are shown")
		require.Contains(t, stuck[0].Error, "the segment is away")
		d.fail = nil
		for _, row := range stuck {
			require.Equal(t, back > time.Hour, row.Dead)
			if row.Dead {
				require.NoError(t, d.Retry(ctx, row.Instance.ID, "the segment is back"))
			}
		}
		d.after(time.Minute)
		require.Equal(t, []string{"=vip"}, d.states("li")[:1])
		require.Equal(t, []string{"a"}, d.states("wu")[:1])
		confirmed := map[profile.ID]int{}
		for r, err := range d.History(ctx, journey.Filter{Journey: "j"}) {
			require.NoError(t, err)
			if r.State == journey.Confirmed {
				confirmed[r.Customer]++
			}
		}
		require.Equal(t, map[profile.ID]int{"li": 1, "wu": 1}, confirmed, "done once, written once")
		for row, err := range d.Instances(ctx, journey.Filter{Journey: "j"}) {
			require.NoError(t, err)
			require.Zero(t, row.Instance.Pending)
		}
		d.after(80 * time.Hour)
		require.Equal(t, []string{"=late"}, d.states("wu")[:1])
	}
}
