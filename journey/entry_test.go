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
