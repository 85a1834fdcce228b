package journey_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
)

// oldJourney and newJourney are two versions of one journey.
func oldJourney() *journey.Builder {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("wait")
	j.State("wait").On(journey.Event("ask")).To("talk").On(journey.Event("leave")).To("limbo").After(10 * time.Hour).End("over")
	j.State("talk").After(10 * time.Hour).End("over")
	j.State("limbo").Patient().On(journey.Event("go")).End("over")
	return j
}

func newJourney() *journey.Builder {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("wait")
	j.State("wait").On(journey.Event("ask")).To("chat").After(4 * time.Hour).To("choose")
	j.State("choose").Share(50).End("left").Share(50).End("right")
	j.State("chat").Send(service("chat")).After(20 * time.Hour).End("over")
	return j
}

func TestMigration(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, oldJourney())
	d.does("1", "go", "early")
	d.after(5 * time.Hour)
	for i, name := range []string{"fresh", "talker", "lost", "mapped"} {
		d.does(name, "go", name)
		if i > 0 {
			d.does(name+"2", map[string]string{"talker": "ask", "lost": "leave", "mapped": "ask"}[name], name)
		}
	}
	d.after(time.Hour)
	m := journey.Migration{States: map[string]string{"talk": "chat"}}
	plan, err := d.PlanMigration(ctx, newJourney(), m)
	require.NoError(t, err)
	require.Equal(t, "2 move from wait to wait, 1 due at once, 1 due sooner\n"+
		"2 move from talk to chat, 2 due later\n"+
		"1 stay in limbo: the new version has no such state\n"+
		"0 are on this version", plan.String())
	require.Equal(t, []string{"wait"}, d.states("early"), "a plan changes nothing")

	_, err = d.PlanMigration(ctx, newJourney(), journey.Migration{States: map[string]string{"talk": "nowhere"}})
	require.ErrorIs(t, err, journey.ErrNotFound)
	plan, err = d.PlanMigration(ctx, newJourney(), journey.Migration{States: map[string]string{"talk": "choose", "wait": "choose"}})
	require.NoError(t, err)
	require.Empty(t, plan.Moves)
	require.Contains(t, plan.String(), `2 stay in talk: state "choose" takes no time`)

	moved, err := d.Migrate(ctx, newJourney(), m)
	require.NoError(t, err)
	require.Equal(t, 4, moved)
	moved, err = d.Migrate(ctx, newJourney(), m)
	require.NoError(t, err)
	require.Zero(t, moved, "what has moved stays")
	plan, err = d.PlanMigration(ctx, newJourney(), m)
	require.NoError(t, err)
	require.Equal(t, 4, plan.Already)

	d.run()
	require.Contains(t, []string{"=left", "=right"}, d.states("early")[0], "its wait was over by the new version")
	require.Equal(t, []string{"chat"}, d.states("talker"))
	require.Equal(t, []string{"limbo"}, d.states("lost"))
	require.Empty(t, d.sent, "no entering action on migrating")
	d.after(18 * time.Hour)
	require.Equal(t, []string{"chat"}, d.states("talker"))
	d.after(2 * time.Hour)
	require.Equal(t, []string{"=over"}, d.states("talker"))
	d.does("9", "go", "lost") // pinned to the old version
	require.Equal(t, []string{"=over"}, d.states("lost"))
}

func TestMigrationThatCountsFromNow(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, oldJourney())
	d.does("1", "go", "li")
	d.after(5 * time.Hour)
	m := journey.Migration{Timers: journey.CountFromNow}
	plan, err := d.PlanMigration(ctx, newJourney(), m)
	require.NoError(t, err)
	require.Equal(t, "1 move from wait to wait, 1 due sooner\n0 are on this version", plan.String())
	_, err = d.Migrate(ctx, newJourney(), m)
	require.NoError(t, err)
	d.after(3 * time.Hour)
	require.Equal(t, []string{"wait"}, d.states("li"))
	d.after(time.Hour)
	require.NotEqual(t, []string{"wait"}, d.states("li"))
}

func TestMigrationIntoAnEnd(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, oldJourney())
	d.does("1", "go", "li")
	_, err := d.Migrate(ctx, newJourney(), journey.Migration{States: map[string]string{"wait": "over"}})
	require.NoError(t, err)
	require.Equal(t, []string{"=over"}, d.states("li"))
}

// A migration that breaks off goes on where it was, on another engine too.
func TestMigrationIsResumable(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, oldJourney())
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		d.does(name, "go", name)
	}
	total := 0
	for left := 0; total < 5; left++ {
		e := newDesk(t, func(c *journey.Config) { c.Store = &failing{Store: d.store, left: left} })
		moved, err := e.Migrate(ctx, newJourney(), journey.Migration{})
		if total += moved; err == nil {
			break
		}
		require.ErrorIs(t, err, errDead)
	}
	require.Equal(t, 5, total)
}

func TestOtherEnginesFollowADeployment(t *testing.T) {
	ctx := context.Background()
	a := newDesk(t, nil, oldJourney())
	b := newDesk(t, func(c *journey.Config) { c.Store = a.store }, oldJourney())
	require.NoError(t, b.Deploy(ctx, newJourney()))
	a.now = a.now.Add(2 * time.Minute) // more than Poll
	a.does("1", "go", "li")
	want, err := newJourney().Build()
	require.NoError(t, err)
	require.Equal(t, want.Version(), a.Definition("j").Version())
	a.does("2", "ask", "li")
	require.Equal(t, []string{"chat"}, a.states("li"))
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

// A migration before a late sweep finds what was over before, and so does its plan.
func TestMigrationComesAfterWhatIsOver(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j"))
	li := d.does("1", "go", "li").Instances[0]
	d.now = d.now.Add(90 * time.Minute) // nobody looks
	next := simple("j").Title("the next one")
	m := journey.Migration{Timers: journey.CountFromNow}
	plan, err := d.PlanMigration(ctx, next, m)
	require.NoError(t, err)
	require.Equal(t, []journey.PlannedMove{{From: "send", To: "send", Count: 1, Later: 1, Example: li}}, plan.Moves)
	require.Equal(t, []string{"wait"}, d.states("li"), "a plan moves nobody")
	n, err := d.Migrate(ctx, next, m)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	d.run()
	require.Equal(t, []string{"sms hello li"}, d.sent)
	require.Equal(t, d.now.Add(time.Hour), d.instance(li).Due)
}
