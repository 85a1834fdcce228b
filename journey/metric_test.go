package journey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
)

// fitting asks how it fits, and answers to remarks without leaving.
func fitting() *journey.Builder {
	j := journey.Define("fitting").Key("order_id")
	j.Enter(journey.Event("go")).To("ask")
	j.Goal("bought").On(journey.Event("paid"))
	j.State("ask").Metric("fit").
		On(journey.Event("remark")).Stay().
		On(journey.Event("again")).To("ask").
		On(journey.Event("answer")).To("thank").
		After(10 * time.Hour).End("silent")
	j.State("thank").After(time.Hour).End("over")
	return j
}

func TestStateFigures(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, fitting())
	does := func(name string, who int) {
		d.does(fmt.Sprint(name, who, d.now), name, fmt.Sprint("c", who), "order_id", "A")
	}
	start := d.now
	for who := range 6 {
		does("go", who)
	}
	d.after(time.Hour)
	does("answer", 0) // one hour
	does("remark", 1) // stays
	does("again", 2)  // one hour, and anew
	d.after(time.Hour)
	does("answer", 1) // two hours
	does("paid", 3)   // two hours
	require.NoError(t, d.Cancel(ctx, journey.InstanceID("fitting", "c4", "A", 1, start), "asked to"))
	require.NoError(t, d.Redirect(ctx, journey.InstanceID("fitting", "c5", "A", 1, start), "thank", "she called"))
	d.after(30 * time.Minute)

	c, err := d.Counts(ctx, "fitting")
	require.NoError(t, err)
	require.Equal(t, map[string]journey.StateFigures{
		"ask": {Entered: 7, Now: 1, Left: 6, Median: 2 * time.Hour, Longest: 2 * time.Hour, Waiting: 90 * time.Minute, Metric: "fit"},
		// The first has left after an hour; the ends are not stayed in.
		"thank": {Entered: 3, Now: 2, Left: 1, Median: time.Hour, Longest: time.Hour, Waiting: 30 * time.Minute},
		"over":  {Entered: 1},
	}, c.States)

	c.Measure(d.Definition("fitting"), func(metric, state string) (journey.Score, bool) {
		require.Equal(t, []string{"fit", "ask"}, []string{metric, state})
		return journey.Score{Value: 30.56, Low: 2.88, High: 53.53, Answers: 36}, true
	})
	require.Equal(t, "30.6 (2.9 to 53.5), 36 answers", c.States["ask"].Score.String())
	require.Equal(t, "no answers", c.States["thank"].Score.String())
	require.Equal(t, "−4, 1 answer", journey.Score{Value: -4, Answers: 1}.String())
	require.Contains(t, journey.Diagram{Of: d.Definition("fitting"), Counts: &c}.Mermaid(),
		"1 here now<br/>typical stay 2\u00a0h<br/>fit: 30.6 (2.9 to 53.5), 36 answers")
	require.Contains(t, d.Definition("fitting").Mermaid(), "measured by fit")
}
