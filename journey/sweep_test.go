package journey_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

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
