package journey_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// desk is an engine in virtual time that confirms everything unless told otherwise.
type desk struct {
	*journey.Engine
	t      testing.TB
	store  *journey.Memory
	now    time.Time
	mu     sync.Mutex
	sent   []string // channel template customer, in order
	answer func(journey.Dispatch) journey.Answer
	traits profile.Values
	vip    map[profile.ID]bool
	fail   error // of the audience
}

func (d *desk) ContainsAt(_ context.Context, id profile.ID, _ time.Time) (bool, error) {
	return d.vip[id], d.fail
}

func newDesk(t testing.TB, change func(*journey.Config), journeys ...journey.Source) *desk {
	d := &desk{t: t, store: journey.NewMemory(), now: monday, vip: map[profile.ID]bool{}}
	port := journey.Port{HonorsKeys: true, Handle: func(_ context.Context, x journey.Dispatch) journey.Answer {
		if d.answer != nil {
			if a := d.answer(x); a != journey.Confirm("") {
				return a
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.sent = append(d.sent, strings.TrimSpace(x.Channel+" "+x.Effect.Name+" "+string(x.Effect.Customer)))
		return journey.Confirm("")
	}}
	cfg := journey.Config{
		Store: d.store, Now: func() time.Time { return d.now },
		Contact:   contact.Policy{Purposes: map[string]contact.Exempt{"service": {Consent: true}}},
		Channels:  map[string]journey.Port{"sms": port, "mail": port},
		Actions:   map[journey.Binding]journey.Port{{Kind: journey.CustomEffect}: port, {Kind: journey.AwardEffect}: port},
		Audiences: map[string]journey.Audience{"vip": d},
		Traits: func(context.Context, profile.ID, []string) (profile.Values, error) {
			return d.traits, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	e, err := journey.New(cfg)
	require.NoError(t, err)
	d.Engine = e
	for _, j := range journeys {
		require.NoError(t, e.Deploy(context.Background(), j))
	}
	return d
}

// does ingests an event now, and does what is due.
func (d *desk) does(id, name, customer string, props ...string) journey.Receipt {
	d.t.Helper()
	v := profile.Values{}
	for i := 0; i+1 < len(props); i += 2 {
		v[props[i]] = profile.Text(props[i+1])
	}
	r, err := d.Ingest(context.Background(), journey.Input{ID: id, Name: name, Customer: profile.ID(customer), Time: d.now, Props: v})
	require.NoError(d.t, err)
	d.run()
	return r
}

func (d *desk) run() journey.Progress {
	d.t.Helper()
	p, err := d.RunDue(context.Background(), d.now)
	require.NoError(d.t, err)
	return p
}

// after lets time pass, every due time by itself.
func (d *desk) after(by time.Duration) {
	d.t.Helper()
	end := d.now.Add(by)
	for {
		next, err := d.NextDue(context.Background())
		require.NoError(d.t, err)
		if next.IsZero() || next.After(end) {
			d.now = end
			return
		}
		d.now = later(d.now, next)
		d.run()
	}
}

func (d *desk) instance(id string) journey.Instance {
	d.t.Helper()
	x, err := d.Explain(context.Background(), id)
	require.NoError(d.t, err)
	return x.Row.Instance
}

// states lists where a customer's instances are: "state" or "=outcome".
func (d *desk) states(customer string) []string {
	d.t.Helper()
	out := []string{}
	for row, err := range d.Instances(context.Background(), journey.Filter{Customer: profile.ID(customer)}) {
		require.NoError(d.t, err)
		if row.Instance.Status == journey.Ended {
			out = append(out, "="+row.Instance.Outcome)
		} else {
			out = append(out, row.Instance.State)
		}
	}
	return out
}

func service(template string, channels ...string) journey.Message {
	if len(channels) == 0 {
		channels = []string{"sms"}
	}
	return journey.Message{Template: template, Purpose: "service", Channels: channels}
}

// simple waits an hour and sends a message.
func simple(name string) *journey.Builder {
	j := journey.Define(name)
	j.Enter(journey.Event("go")).To("wait")
	j.Goal("done").On(journey.Event("paid"))
	j.State("wait").After(time.Hour).To("send")
	j.State("send").Send(service("hello")).After(time.Hour).End("over")
	return j
}

func TestTheSameInputTwiceIsOne(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	first := d.does("1", "go", "li")
	require.Len(t, first.Instances, 1)
	again := d.does("1", "go", "li")
	require.True(t, again.Duplicate)
	require.Equal(t, first.Instances, again.Instances)
	_, err := d.Ingest(context.Background(), journey.Input{ID: "1", Name: "go", Customer: "wu", Time: d.now})
	require.ErrorIs(t, err, journey.ErrInputConflict)
	require.NotContains(t, err.Error(), "wu")
	require.Empty(t, d.states("wu"))
}

func TestInputsThatCannotBeRecorded(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	good := journey.Input{ID: "1", Name: "go", Customer: "li", Time: d.now}
	for name, change := range map[string]func(*journey.Input){
		"no ID":             func(x *journey.Input) { x.ID = "" },
		"no name":           func(x *journey.Input) { x.Name = "" },
		"no customer":       func(x *journey.Input) { x.Customer = "" },
		"no time":           func(x *journey.Input) { x.Time = time.Time{} },
		"an unknown kind":   func(x *journey.Input) { x.Kind = 99 },
		"the engine's kind": func(x *journey.Input) { x.Kind = journey.TimerInput },
		"an unknown mode":   func(x *journey.Input) { x.Mode = 7 },
	} {
		x := good
		change(&x)
		_, err := d.Ingest(context.Background(), x)
		require.ErrorIs(t, err, journey.ErrInput, name)
	}
	_, err := d.Ingest(context.Background(), good)
	require.NoError(t, err, "a refused input leaves its ID free")
}

func TestReentry(t *testing.T) {
	for name, c := range map[string]struct {
		rule journey.Reentry
		want []string // after go, go at once, go in an hour, paid, go, and go a week later
	}{
		"one at a time":     {journey.Reentry{}, []string{"=done", "wait"}},
		"with a rest":       {journey.OneAtATime.Resting(48 * time.Hour), []string{"=done", "wait"}},
		"once":              {journey.Reentry{Rule: journey.Once}, []string{"=done"}},
		"restart":           {journey.Reentry{Rule: journey.Restart}, []string{"=restarted", "=restarted", "=done", "=over", "wait"}},
		"always":            {journey.Reentry{Rule: journey.Always}, []string{"=done", "=done", "=done", "=over", "wait"}},
		"restart with rest": {journey.Restart.Resting(50 * time.Minute), []string{"=restarted", "=done", "wait"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, nil, simple("j").Reentry(c.rule))
			d.does("1", "go", "li")
			d.does("2", "go", "li")
			d.after(time.Hour)
			d.does("3", "go", "li")
			d.does("4", "paid", "li")
			if c.rule.Rule == journey.Restart || c.rule.Rule == journey.Always {
				d.does("5", "go", "li")
			}
			d.after(7 * 24 * time.Hour)
			d.does("6", "go", "li")
			require.Equal(t, c.want, d.states("li"))
		})
	}
}

func TestReentryPerCustomerCountsAllKeys(t *testing.T) {
	j := simple("j").Key("cart").Reentry(journey.Reentry{PerCustomer: true})
	d := newDesk(t, nil, j)
	d.does("1", "go", "li", "cart", "A")
	d.does("2", "go", "li", "cart", "B")
	require.Equal(t, []string{"wait"}, d.states("li"))
	d.does("3", "go", "wu", "cart", "A")
	require.Equal(t, []string{"wait"}, d.states("wu"))
}

func TestKeysTellInstancesApart(t *testing.T) {
	j := simple("j").Key("cart")
	j.Exit("gone").On(journey.Event("moved").AnyKey())
	j.Exit("closed").On(journey.Event("closed").KeyIn("basket"))
	d := newDesk(t, nil, j)
	d.does("1", "go", "li", "cart", "A")
	d.does("2", "go", "li", "cart", "B")
	d.does("3", "go", "li", "cart", "C")
	d.does("4", "go", "li") // without a key nothing starts
	require.Equal(t, []string{"wait", "wait", "wait"}, d.states("li"))
	d.does("5", "paid", "li", "cart", "B")
	require.Equal(t, []string{"wait", "=done", "wait"}, d.states("li"))
	d.does("6", "paid", "li")
	require.Equal(t, []string{"wait", "=done", "wait"}, d.states("li"), "an event without the key reaches none")
	d.does("7", "closed", "li", "basket", "A")
	require.Equal(t, []string{"=closed", "=done", "wait"}, d.states("li"))
	d.does("8", "moved", "li")
	require.Equal(t, []string{"=closed", "=done", "=gone"}, d.states("li"))
}

func TestGoLiveAndAge(t *testing.T) {
	d := newDesk(t, nil, simple("j").GoLive(monday).MaxAge(3*time.Hour))
	start := func(id string, at, received time.Duration) int {
		x := journey.Input{ID: id, Name: "go", Customer: profile.ID("c" + id), Time: monday.Add(at), Received: monday.Add(received)}
		r, err := d.Ingest(context.Background(), x)
		require.NoError(t, err)
		return len(r.Instances)
	}
	require.Equal(t, 0, start("1", -time.Microsecond, 0), "before it went live")
	require.Equal(t, 1, start("2", 0, 0))
	require.Equal(t, 1, start("3", 0, 3*time.Hour))
	require.Equal(t, 0, start("4", 0, 3*time.Hour+time.Microsecond), "too old on arrival")
}

func TestBrandsHearTheirOwn(t *testing.T) {
	own := simple("own").Brand("luna")
	all := simple("all")
	d := newDesk(t, nil, own, all)
	for i, brand := range []string{"luna", "sol", ""} {
		id := string(rune('a' + i))
		_, err := d.Ingest(context.Background(), journey.Input{ID: id, Name: "go", Customer: profile.ID(id), Time: d.now, Brand: brand})
		require.NoError(t, err)
	}
	require.Len(t, d.states("a"), 2)
	require.Len(t, d.states("b"), 1)
	require.Len(t, d.states("c"), 2)
	d.after(time.Hour)
	brands := []string{}
	for row, err := range d.Effects(context.Background(), journey.Filter{}) {
		require.NoError(t, err)
		brands = append(brands, row.Effect.Journey+":"+row.Effect.Brand)
	}
	require.ElementsMatch(t, []string{"own:luna", "all:luna", "all:sol", "own:luna", "all:"}, brands)
}

// A sweep changes no answer: an engine that is swept at every due time and one that
// is swept at the end only have the same history, but for when effects went out.
func TestALateSweepChangesNothing(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").After(90 * time.Minute).To("b").On(journey.Event("early")).End("early")
	j.State("b").Do(journey.Do("note", nil)).After(90 * time.Minute).To("c").On(journey.Event("early")).End("b early")
	j.State("c").After(time.Hour).End("late")
	moves := func(d *desk) (out []string) {
		for r, err := range d.History(context.Background(), journey.Filter{Customer: "li"}) {
			require.NoError(t, err)
			if r.Kind == journey.MovedRecord {
				out = append(out, r.At.Format(time.TimeOnly)+" "+r.String())
			}
		}
		return out
	}
	swept, late := newDesk(t, nil, j), newDesk(t, nil, j)
	for _, d := range []*desk{swept, late} {
		d.does("1", "go", "li")
	}
	swept.after(100 * time.Minute)
	late.now = late.now.Add(100 * time.Minute)
	for _, d := range []*desk{swept, late} {
		d.does("2", "early", "li") // an hour and forty minutes: too early for c, too late for a
	}
	require.Equal(t, []string{"02:00:00 starts in a (go)", "03:30:00 a → b (after 1h30m)", "03:40:00 b → b early (early)"}, moves(swept))
	require.Equal(t, moves(swept), moves(late))
}

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

func TestAFailingFactLeavesTheInputUnrecorded(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).If(journey.In("vip")).To("a")
	j.State("a").After(time.Hour).End("over")
	d := newDesk(t, nil, j)
	d.vip["li"], d.fail = true, errors.New("away")
	x := journey.Input{ID: "1", Name: "go", Customer: "li", Time: d.now}
	_, err := d.Ingest(context.Background(), x)
	require.ErrorIs(t, err, d.fail)
	d.fail = nil
	r, err := d.Ingest(context.Background(), x)
	require.NoError(t, err)
	require.False(t, r.Duplicate)
	require.Len(t, r.Instances, 1)
}

func TestInterventions(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	li, wu := d.does("1", "go", "li").Instances[0], d.does("2", "go", "wu").Instances[0]
	require.NoError(t, d.Redirect(ctx, li, "send", "she asked for it"))
	d.run()
	require.Equal(t, []string{"sms hello li"}, d.sent)
	require.ErrorIs(t, d.Redirect(ctx, li, "nowhere", ""), journey.ErrNotFound)
	require.NoError(t, d.Cancel(ctx, wu, "moved abroad"))
	require.NoError(t, d.Cancel(ctx, wu, "again"))
	require.ErrorIs(t, d.Redirect(ctx, wu, "send", ""), journey.ErrState)
	require.ErrorIs(t, d.Cancel(ctx, "nobody", ""), journey.ErrNotFound)
	d.after(5 * time.Hour)
	require.Equal(t, []string{"sms hello li"}, d.sent)
	require.Equal(t, []string{"=canceled"}, d.states("wu"))
	x, err := d.Explain(ctx, wu)
	require.NoError(t, err)
	require.Contains(t, x.String(), "canceled: moved abroad")
}

func TestCancelingDropsWhatHasNotGoneOut(t *testing.T) {
	d := newDesk(t, func(c *journey.Config) {
		c.Contact.Quiet = []contact.Quiet{{From: "00:00", To: "09:00"}}
	}, simple("j"))
	id := d.does("1", "go", "li").Instances[0]
	d.after(2 * time.Hour)
	require.NoError(t, d.Cancel(context.Background(), id, ""))
	d.after(24 * time.Hour)
	require.Empty(t, d.sent)
}

func TestSubJourneys(t *testing.T) {
	child := journey.Define("child")
	child.Enter(journey.Call("child")).To("ask")
	child.Goal("answered").On(journey.Event("answer"))
	child.State("ask").Send(service("ask")).After(24 * time.Hour).End("silent")
	parent := journey.Define("parent")
	parent.Enter(journey.Event("go")).To("first")
	parent.State("first").Do(journey.Start("child", nil)).
		On(journey.Returned("child").Where(journey.Prop("outcome").Is("answered"))).End("happy").
		On(journey.Returned("child")).End("sad").
		On(journey.Failed("child")).End("impossible").
		After(72 * time.Hour).End("lost")
	for event, want := range map[string][]string{"answer": {"=happy", "=answered"}, "": {"=sad", "=silent"}} {
		d := newDesk(t, nil, child, parent)
		d.does("1", "go", "li")
		d.does("2", "go", "li") // one at a time
		require.Equal(t, []string{"first", "ask"}, d.states("li"))
		if event != "" {
			d.does("3", event, "li")
		}
		d.after(100 * time.Hour)
		require.Equal(t, want, d.states("li"))
	}
	d := newDesk(t, nil, child, parent)
	_, err := d.Ingest(context.Background(), journey.Input{ID: "0", Kind: journey.CallInput, Name: "child", Customer: "li", Time: d.now})
	require.NoError(t, err)
	d.does("1", "go", "li") // the customer is in the child journey already
	require.Equal(t, []string{"ask", "=impossible"}, d.states("li"))
}

// What an instance lived through before it failed is not written, so that it can
// live through it again.
func TestASickInstanceGoesOnAfterRetry(t *testing.T) {
	ctx := context.Background()
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").On(journey.Event("x")).To("a").After(10 * time.Minute).Do(journey.Do("act", nil)).To("b")
	j.State("b").On(journey.Event("y")).To("b").After(100 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	id := d.does("go", "go", "li").Instances[0]
	for i := range 999 { // one more change is allowed within the hour
		d.does(fmt.Sprint(i), "x", "li")
	}
	d.now = d.now.Add(20 * time.Minute)
	_, err := d.Ingest(ctx, journey.Input{ID: "y", Name: "y", Customer: "li", Time: d.now})
	require.NoError(t, err, "it does not hold up the feed")
	x, err := d.Explain(ctx, id)
	require.NoError(t, err)
	require.True(t, x.Row.Dead)
	require.Empty(t, x.Effects)
	d.now = d.now.Add(2 * time.Hour)
	require.NoError(t, d.Retry(ctx, id, "looked after"))
	d.run()
	require.Equal(t, []string{"b"}, d.states("li"))
	require.Equal(t, []string{"act li"}, d.sent)
}

// A date that is learned of late, and lies in the past by then, leads out at once.
func TestADateLearnedOfLate(t *testing.T) {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").After(10*time.Hour).Do(journey.Do("remind", nil)).Stay().
		On(journey.Event("promise")).Stay().
		OnDate(journey.Data("day"), journey.Shift{Plus: time.Hour}).To("b").
		After(100 * time.Hour).End("over")
	j.State("b").After(10 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	id := d.does("1", "go", "li").Instances[0]
	d.after(20 * time.Hour)
	require.Equal(t, []string{"remind li"}, d.sent)
	d.does("2", "promise", "li", "day", monday.Add(3*time.Hour).Format(time.RFC3339))
	require.Equal(t, []string{"b"}, d.states("li"))
	require.Equal(t, d.now, d.instance(id).EnteredAt, "not before it was known")
}

// Whoever intervenes before a late sweep finds what was over before.
func TestInterventionsComeAfterWhatIsOver(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	a, b := d.does("1", "go", "li").Instances[0], d.does("2", "go", "wu").Instances[0]
	d.now = d.now.Add(90 * time.Minute) // nobody looks
	require.NoError(t, d.Cancel(ctx, a, "asked to"))
	require.NoError(t, d.Redirect(ctx, b, "wait", "once more"))
	var moves []string
	for r, err := range d.History(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if r.Kind == journey.MovedRecord && r.From == "wait" {
			moves = append(moves, r.At.Sub(monday).String()+" "+r.To)
		}
	}
	require.Equal(t, []string{"1h0m0s send", "1h0m0s send"}, moves)
	require.Equal(t, []string{"=canceled"}, d.states("li"))
	require.Equal(t, []string{"wait"}, d.states("wu"))
}

// A late sweep does not let a customer's move undo what was over before.
func TestAMoveUndoesNoWait(t *testing.T) {
	j := journey.Define("j").Zone("Asia/Shanghai")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").AtLocal("12:00").To("b")
	j.State("b").After(100 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	id := d.does("1", "go", "li").Instances[0] // 10:00 in Shanghai
	d.now = d.now.Add(5 * time.Hour)           // nobody looks
	require.NoError(t, d.UpdateContact(context.Background(), "li", func(r contact.Row) contact.Row { r.Zone = "Europe/London"; return r }))
	require.Equal(t, []string{"b"}, d.states("li"))
	require.Equal(t, monday.Add(2*time.Hour), d.instance(id).EnteredAt)
}

// A wait follows the trait that it looks at, and a condition sees it.
func TestWaitsAndConditionsFollowTraits(t *testing.T) {
	ctx := context.Background()
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true}).To("party").
		When(journey.Trait("tier").Is("gold")).To("gold").
		OnDeadline(10_000 * time.Hour).End("over")
	j.State("party").Send(service("party")).After(10_000 * time.Hour).End("over")
	j.State("gold").Send(service("gold")).After(10_000 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	id := d.does("1", "go", "li").Instances[0]
	d.does("2", "go", "wu")
	change := func(who, trait, value string, mode profile.Mode) {
		d.traits = profile.Values{trait: profile.Text(value)}
		require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.TraitChanged, Profile: profile.ID(who), Names: []string{trait}, Mode: mode}))
		d.run()
	}
	change("li", "birthday", "1990-12-24", profile.Live)
	require.Equal(t, "2026-12-24", d.instance(id).Due.Format(time.DateOnly))
	change("li", "birthday", "1990-11-20", profile.Live)
	require.Equal(t, "2026-11-20", d.instance(id).Due.Format(time.DateOnly))
	d.after(15 * 24 * time.Hour)
	require.Equal(t, []string{"party"}, d.states("li"))
	change("wu", "tier", "gold", profile.Backfill)
	require.Equal(t, []string{"gold"}, d.states("wu"))
	require.Equal(t, []string{"sms party li"}, d.sent, "history that is filled in sends nothing")
}

// A wait that is counted anew, because a trait has changed, is no answer to the
// input that brought it up.
func TestAWaitCountedAnewTakesNoInput(t *testing.T) {
	j := journey.Define("j").Reentry(journey.Reentry{Rule: journey.Restart})
	j.Enter(journey.Event("go")).To("a")
	j.State("a").OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true}).End("party").OnDeadline(10_000 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	d.does("1", "go", "li")
	d.traits = profile.Values{"birthday": profile.Text("1990-12-24")}
	d.does("2", "go", "li")
	require.Equal(t, []string{"=restarted", "a"}, d.states("li"))
}

// A journey that hears of a start, but is not started by it, is not taken for the
// one that was.
func TestAStartThatOnlyMovesIsRefused(t *testing.T) {
	kid := journey.Define("kid").Reentry(journey.Reentry{Rule: journey.Once})
	kid.Enter(journey.Call("kid")).To("a")
	kid.State("a").Patient().On(journey.Call("kid")).To("b")
	kid.State("b").Patient().On(journey.Event("stop")).End("over")
	j := journey.Define("j").Reentry(journey.Reentry{Rule: journey.Always})
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Do(journey.Start("kid", nil)).On(journey.Done("kid")).End("started").On(journey.Failed("kid")).End("refused").After(time.Hour).End("neither")
	d := newDesk(t, nil, kid, j)
	d.does("1", "go", "li")
	d.does("2", "go", "li")
	require.ElementsMatch(t, []string{"=started", "b", "=refused"}, d.states("li"))
}

// A journey that starts itself for ever is stopped, and stands among what
// somebody has to look at.
func TestJourneysThatStartThemselvesAreStopped(t *testing.T) {
	j := journey.Define("j").Reentry(journey.Reentry{Rule: journey.Always})
	j.Enter(journey.Event("go")).To("a")
	j.Enter(journey.Call("j")).To("a")
	j.State("a").Do(journey.Start("j", nil)).After(48 * time.Hour).End("over")
	d := newDesk(t, nil, j)
	d.does("1", "go", "li")
	require.Len(t, d.states("li"), 1001)
	d.after(time.Hour - time.Second)
	dead := 0
	for row, err := range d.Unsettled(context.Background()) {
		require.NoError(t, err)
		require.Equal(t, journey.StartEffect, row.Effect.Kind)
		require.Contains(t, row.Detail, "endless loop")
		dead++
	}
	require.Equal(t, 1, dead)
}

func TestUnknownNamesAreRefusedOnDeploying(t *testing.T) {
	j := simple("j")
	j.State("send").Send(service("x", "pigeon")).Do(journey.Voucher("v", nil), journey.Start("other", nil)).
		When(journey.All(journey.In("nobody"), journey.Func("nothing"))).End("x")
	d := newDesk(t, nil)
	err := d.Deploy(context.Background(), j)
	require.ErrorIs(t, err, journey.ErrUnbound)
	for _, want := range []string{"channel pigeon", "voucher v", "journey other", "audience nobody", "check nothing"} {
		require.ErrorContains(t, err, want)
	}
	_, err = journey.Define("x").Build()
	require.ErrorIs(t, d.Deploy(context.Background(), journey.Define("x")), journey.ErrDefinition)
	require.ErrorIs(t, err, journey.ErrDefinition)
}

func TestInstancesStayOnTheirVersion(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	d.does("1", "go", "li")
	next := journey.Define("j")
	next.Enter(journey.Event("go")).To("other")
	next.State("other").After(time.Hour).End("new end")
	require.NoError(t, d.Deploy(ctx, next))
	require.NoError(t, d.Deploy(ctx, next))
	d.does("2", "go", "wu")

	// Another engine, which never saw the old version, goes on with it.
	e := newDesk(t, func(c *journey.Config) { c.Store = d.store }, next)
	e.now = d.now
	e.after(3 * time.Hour)
	require.Equal(t, []string{"=over"}, e.states("li"))
	require.Equal(t, []string{"=new end"}, e.states("wu"))
	require.Equal(t, []string{"sms hello li"}, e.sent)
}

func TestPinnedInstancesHearInputsOfTheirVersion(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	d.does("1", "go", "li")
	next := journey.Define("j")
	next.Enter(journey.Event("go")).To("other")
	next.State("other").After(time.Hour).End("new end")
	e := newDesk(t, func(c *journey.Config) { c.Store = d.store }, next)
	e.does("2", "paid", "li") // a name that the new version does not know
	require.Equal(t, []string{"=done"}, e.states("li"))
}

func TestCustomersWhoMove(t *testing.T) {
	ctx := context.Background()
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").AtLocal("09:00").End("nine o'clock")
	d := newDesk(t, func(c *journey.Config) { c.Contact.Zone = "Asia/Shanghai" }, j)
	id := d.does("1", "go", "li").Instances[0] // Monday, 10:00 in Shanghai
	require.Equal(t, monday.Add(23*time.Hour), d.instance(id).Due)
	zone := func(name string) func(contact.Row) contact.Row {
		return func(r contact.Row) contact.Row { r.Zone = name; return r }
	}
	require.NoError(t, d.UpdateContact(ctx, "li", zone("Asia/Tokyo")))
	require.Equal(t, monday.Add(22*time.Hour), d.instance(id).Due)
	d.after(22*time.Hour + 30*time.Minute)
	require.Equal(t, []string{"=nine o'clock"}, d.states("li"))

	id = d.does("2", "go", "wu").Instances[0]
	require.NoError(t, d.UpdateContact(ctx, "wu", zone("America/New_York")))
	require.Equal(t, time.Date(2026, 11, 10, 14, 0, 0, 0, time.UTC), d.instance(id).Due)
}

func TestMergedCustomers(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, func(c *journey.Config) {
		c.Resolve = func(_ context.Context, id profile.ID) (profile.ID, error) {
			if id == "old" {
				return "new", nil
			}
			return id, nil
		}
		c.Contact.Quiet = []contact.Quiet{{From: "00:00", To: "04:00"}}
	}, simple("j"), simple("k").Key("cart"))
	put := func(id, customer string, props ...string) {
		v := profile.Values{}
		if len(props) > 0 {
			v["cart"] = profile.Text(props[0])
		}
		_, err := d.Ingest(ctx, journey.Input{ID: id, Name: "go", Customer: profile.ID(customer), Time: d.now, Props: v})
		require.NoError(t, err)
	}
	// "old" is written as it was before the merge.
	before := newDesk(t, func(c *journey.Config) {
		c.Store, c.Contact.Quiet = d.store, []contact.Quiet{{From: "00:00", To: "04:00"}}
	}, simple("j"), simple("k").Key("cart"))
	before.does("1", "go", "old", "cart", "A")
	require.NoError(t, before.UpdateContact(ctx, "old", func(r contact.Row) contact.Row { r.Zone = "Asia/Tokyo"; return r }))
	d.now = d.now.Add(time.Minute)
	put("2", "new", "B")
	merged := profile.Change{Seq: 1, Kind: profile.Merged, Profile: "new", Other: "old"}
	require.NoError(t, d.Apply(ctx, merged))
	require.NoError(t, d.Apply(ctx, merged))
	require.ElementsMatch(t, []string{"=merged", "wait", "wait", "wait"}, d.states("new"))
	require.Empty(t, d.states("old"))
	row, err := d.Contact(ctx, "new")
	require.NoError(t, err)
	require.Equal(t, "Asia/Tokyo", row.Zone)
	d.does("3", "paid", "old", "cart", "A") // a former ID still reaches them
	require.ElementsMatch(t, []string{"=merged", "=done", "=done", "wait"}, d.states("new"))

	person, err := d.Export(ctx, "new")
	require.NoError(t, err)
	require.Len(t, person.Instances, 4)
	text, err := json.Marshal(person)
	require.NoError(t, err)
	require.Contains(t, string(text), `"from":"wait"`)
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Erased, Profile: "new"}))
	for _, id := range []profile.ID{"new", "old"} {
		p, err := d.Export(ctx, id)
		require.NoError(t, err)
		require.Equal(t, journey.Person{Format: 1, Customer: id, Instances: []journey.Instance{}, Effects: []journey.Effect{}, History: []journey.Record{}}, p)
	}
}

// After a split, what is under way stays with the ID that it has; who comes out
// starts afresh.
func TestSplitCustomers(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	d.does("1", "go", "both")
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Split, Profile: "both", Other: "out"}))
	require.Equal(t, []string{"wait"}, d.states("both"))
	require.Empty(t, d.states("out"))
	d.does("2", "go", "out")
	d.after(time.Hour)
	require.Equal(t, []string{"sms hello both", "sms hello out"}, slices.Sorted(slices.Values(d.sent)))
}

func TestRestrictedCustomersGetNothing(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	require.NoError(t, d.Restrict(ctx, "li", true))
	d.does("1", "go", "li")
	d.after(24 * time.Hour)
	require.Empty(t, d.sent)
	require.NoError(t, d.Restrict(ctx, "li", false))
	d.does("2", "go", "li")
	d.after(24 * time.Hour)
	require.Len(t, d.sent, 1)
}

func TestConsentFromTheDirectory(t *testing.T) {
	m := journey.Message{Template: "hello", Purpose: "marketing", Channels: []string{"sms", "mail"}}
	j := journey.Define("j").Brand("luna")
	j.Enter(journey.Event("go")).To("a")
	j.State("a").Send(m).After(time.Hour).End("over")
	d := newDesk(t, func(c *journey.Config) {
		c.Consent = func(_ context.Context, q journey.ConsentQuestion) (contact.Permission, error) {
			require.Equal(t, "luna", q.Brand)
			return contact.Permission{Granted: q.Channel == "mail" && q.Purpose == "marketing"}, nil
		}
	}, j)
	d.does("1", "go", "li")
	require.Equal(t, []string{"mail hello li"}, d.sent)
}

func TestConsentsComeWithEvents(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	x := journey.FromEvent(profile.Event{
		ID: "1", Name: "nobody.listens", Time: monday,
		Consents: []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}},
	}, "li")
	_, err := d.Ingest(context.Background(), x)
	require.NoError(t, err)
	row, err := d.Contact(context.Background(), "li")
	require.NoError(t, err)
	require.Len(t, row.Consents, 1)
}

func TestPriorityGoesFirst(t *testing.T) {
	one := func(name string, priority int) *journey.Builder {
		j := journey.Define(name).Priority(priority)
		j.Enter(journey.Event("go")).To("a")
		j.State("a").Send(journey.Message{Template: name, Purpose: "service", Channels: []string{"sms"}}).After(time.Hour).End("over")
		return j
	}
	d := newDesk(t, func(c *journey.Config) { c.Contact.Caps = []contact.Cap{{Max: 1, Calendar: contact.Day}} }, one("a", 0), one("b", 5), one("c", 1))
	d.does("1", "go", "li")
	require.Equal(t, []string{"sms b li"}, d.sent)
}

// soFar is what was sent, read while Run is at work.
func (d *desk) soFar() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.sent)
}

func TestRunInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		d := newDesk(t, func(c *journey.Config) { c.Now = nil }, simple("j"))
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		synctest.Wait()
		_, err := d.Ingest(ctx, journey.Input{ID: "1", Name: "go", Customer: "li", Time: time.Now()})
		require.NoError(t, err)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		require.Empty(t, d.soFar())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"sms hello li"}, d.soFar())
		time.Sleep(30 * 24 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"=over"}, d.states("li"))
		cancel()
		require.NoError(t, <-done)
	})
}

func TestWrongConfigurationsAreRefusedByField(t *testing.T) {
	port := journey.Port{Handle: func(context.Context, journey.Dispatch) journey.Answer { return journey.Confirm("") }}
	slow := port
	slow.Timeout = time.Hour
	for field, c := range map[string]journey.Config{
		"Lease":          {Lease: -1},
		"Poll":           {Poll: -1},
		"Backoff":        {Backoff: -1},
		"Batch":          {Batch: -1},
		"Contact":        {Contact: contact.Policy{Zone: "nowhere"}},
		"Channels[sms]":  {Channels: map[string]journey.Port{"sms": {}}},
		"Channels[mail]": {Channels: map[string]journey.Port{"mail": slow}},
		"Actions":        {Actions: map[journey.Binding]journey.Port{{Kind: "dance"}: port}},
		"Audiences":      {Audiences: map[string]journey.Audience{"vip": nil}},
	} {
		_, err := journey.New(c)
		require.ErrorIs(t, err, journey.ErrConfig, field)
		require.ErrorContains(t, err, field)
	}
	_, err := journey.New(journey.Config{})
	require.NoError(t, err)
}

func TestACanceledContextLeavesNothingHalfDone(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := d.Ingest(ctx, journey.Input{ID: "1", Name: "go", Customer: "li", Time: d.now})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.states("li"))
	d.does("1", "go", "li")
	d.now = d.now.Add(time.Hour)
	_, err = d.RunDue(ctx, d.now)
	require.ErrorIs(t, err, context.Canceled)
	d.after(3 * time.Hour)
	require.Equal(t, []string{"sms hello li"}, d.sent)
}

func TestExplain(t *testing.T) {
	j := simple("j").Title("Say hello").Zone("Asia/Shanghai")
	j.State("wait").Title("waiting").OnDate(journey.Data("date"), journey.Shift{}).To("send")
	d := newDesk(t, nil, j)
	id := d.does("1", "go", "li", "date", "2026-11-09T10:20:00+08:00").Instances[0]
	x, err := d.Explain(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"Say hello, started 2026-11-09 10:00",
		"in waiting since 2026-11-09 10:00",
		"waits: 2026-11-09 10:20, on data.date → send",
		"waits: 2026-11-09 11:00, after 1h → send",
		"waits: paid → done",
		"2026-11-09 10:00  starts in wait (go)",
	}, "\n"), x.String())
	_, err = d.Explain(context.Background(), "nothing")
	require.ErrorIs(t, err, journey.ErrNotFound)
}

func TestCounts(t *testing.T) {
	d := newDesk(t, nil, simple("j"))
	for _, id := range []string{"a", "b", "c"} {
		d.does(id, "go", id)
	}
	d.after(time.Hour)
	d.does("x", "paid", "a")
	d.does("y", "go", "y")
	c, err := d.Counts(context.Background(), "j")
	require.NoError(t, err)
	require.Equal(t, journey.Counts{
		Started: 4, Active: 3, At: map[string]int{"send": 2, "wait": 1}, Ends: map[string]int{"done": 1},
		Passed: map[int]int{0: 4, 1: 1, 2: 3}, Sent: map[string]map[string]int{"hello": {"sms": 3}},
		States: map[string]journey.StateFigures{
			"wait": {Entered: 4, Now: 1, Left: 3, Median: time.Hour, Longest: time.Hour},
			"send": {Entered: 3, Now: 2, Left: 1},
		},
	}, c)
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
