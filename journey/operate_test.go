package journey_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
)

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
