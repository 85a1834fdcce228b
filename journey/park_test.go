package journey_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

func TestParkedInputs(t *testing.T) {
	ctx := context.Background()
	j := journey.Define("j")
	j.Enter(journey.Event("go")).If(journey.In("vip")).To("a")
	j.State("a").Patient().On(journey.Event("stop")).End("over")
	d := newDesk(t, func(c *journey.Config) { c.MaxAttempts = 4 }, j)
	d.vip["li"] = true
	x := journey.Input{
		ID: "1", Name: "go", Customer: "li", Time: d.now, Brand: "luna", Props: profile.Values{"sku": profile.Text("boots"), "n": profile.Int(3)},
		Consents: []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}},
	}
	require.ErrorIs(t, d.Park(ctx, x, nil), journey.ErrInput)
	require.ErrorIs(t, d.Park(ctx, journey.Input{ID: "2"}, errors.New("x")), journey.ErrInput)

	d.fail = errors.New("the segment is down")
	_, err := d.Ingest(ctx, x)
	require.ErrorIs(t, err, d.fail)
	for range 2 {
		require.NoError(t, d.Park(ctx, x, err))
	}
	due, err := d.NextDue(ctx)
	require.NoError(t, err)
	require.InDelta(t, time.Second, due.Sub(d.now), float64(time.Second)/4, "the backoff with its jitter")
	d.after(time.Hour)
	listed := 0
	for row, err := range d.Unsettled(ctx) {
		require.NoError(t, err)
		require.Equal(t, []any{"input/1", journey.Dead, 4}, []any{row.Effect.Key, row.State, row.Attempts})
		require.Contains(t, row.Detail, "the segment is down")
		listed++
	}
	require.Equal(t, 1, listed)
	require.Empty(t, d.states("li"))

	d.fail = nil
	require.NoError(t, d.Retry(ctx, "input/1", "the segment is back"))
	require.Equal(t, 1, d.run().Confirmed)
	require.Equal(t, []string{"a"}, d.states("li"))
	r, err := d.Ingest(ctx, x)
	require.NoError(t, err)
	require.True(t, r.Duplicate, "it is the same input")
	row, err := d.Contact(ctx, "li")
	require.NoError(t, err)
	ok, _ := row.Consented("marketing", "sms", "", d.now)
	require.True(t, ok)
	require.NoError(t, d.Erase(ctx, "li"))
	p, err := d.Export(ctx, "li")
	require.NoError(t, err)
	require.Empty(t, p.Effects)
}

// Every kind of effect goes through the outbox, under a key of its own.
func TestKindsOfEffect(t *testing.T) {
	kinds := []journey.EffectKind{
		journey.CustomEffect, journey.AwardEffect, journey.VoucherEffect, journey.CaseEffect, journey.TraitEffect, journey.TaskEffect,
	}
	one := journey.Const(profile.Int(1))
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(service("x")).
		Do(journey.Do("x", journey.Args{"n": one}), journey.Award("x", one), journey.Voucher("x", nil), journey.OpenCase("x", nil), journey.SetTrait("x", one), journey.Task("x", nil)).
		After(time.Hour).End("over")
	got := map[journey.EffectKind]journey.Dispatch{}
	port := journey.Port{HonorsKeys: true, Handle: func(_ context.Context, x journey.Dispatch) journey.Answer {
		got[x.Effect.Kind] = x
		return journey.Confirm("")
	}}
	d := newDesk(t, func(c *journey.Config) {
		c.Channels["sms"] = port
		for _, k := range kinds {
			c.Actions[journey.Binding{Kind: k}] = port
		}
	}, j)
	d.does("1", "go", "li")
	keys := map[string]bool{}
	for _, k := range append(kinds, journey.MessageEffect) {
		require.Equal(t, "x", got[k].Effect.Name, k)
		require.Equal(t, 1, got[k].Attempt)
		keys[got[k].Key] = true
	}
	require.Len(t, keys, 7)
	require.Equal(t, profile.Int(1), got[journey.AwardEffect].Effect.Args["points"])
	require.Equal(t, profile.Int(1), got[journey.TraitEffect].Effect.Args["value"])
}
