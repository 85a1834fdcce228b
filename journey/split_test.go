package journey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// offer gives a share of customers an offer; the others are the control group.
func offer(percent int) *journey.Builder {
	j := journey.Define("offer").Reentry(journey.Reentry{Rule: journey.Always})
	j.Enter(journey.Event("go")).To("draw")
	j.State("draw").Share(percent).To("offered").Share(100 - percent).End("holdout")
	j.State("offered").Patient().On(journey.Event("stop")).End("over")
	return j
}

func TestSharesAreKept(t *testing.T) {
	d := newDesk(t, nil, offer(30))
	held := 0
	const customers = 2000
	for i := range customers {
		name := fmt.Sprint("c", i)
		d.does(name, "go", name)
		if d.states(name)[0] == "=holdout" {
			held++
		}
	}
	require.InDelta(t, 0.7*customers, held, 100) // five standard deviations
}

// Other shares in a later version concern those who have not drawn.
func TestALaterChangeOfSharesMovesNobody(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, offer(50))
	first := map[string]string{}
	for i := range 200 {
		name := fmt.Sprint("c", i)
		d.does("1"+name, "go", name)
		first[name] = d.states(name)[0]
	}
	require.NoError(t, d.Deploy(ctx, offer(99)))
	offered := 0
	for i := range 200 {
		name := fmt.Sprint("c", i)
		d.does("2"+name, "go", name)
		require.Equal(t, []string{first[name], first[name]}, d.states(name))
		name = fmt.Sprint("new", i)
		d.does(name, "go", name)
		if d.states(name)[0] == "offered" {
			offered++
		}
	}
	require.Greater(t, offered, 185, "who has not drawn draws by the new shares")

	// Where the state no longer leads, a new branch is drawn and kept.
	other := journey.Define("offer").Reentry(journey.Reentry{Rule: journey.Always})
	other.Enter(journey.Event("go")).To("draw")
	other.State("draw").Share(50).End("left").Share(50).End("right")
	require.NoError(t, d.Deploy(ctx, other))
	d.does("3", "go", "c7")
	third := d.states("c7")[2]
	require.Contains(t, []string{"=left", "=right"}, third)
	p, err := d.Export(ctx, "c7")
	require.NoError(t, err)
	require.Equal(t, []journey.Arm{{Journey: "offer", State: "draw", To: third[1:]}}, p.Arms)
}

func TestDrawnBranchesComeAlongWithAMerge(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, offer(50))
	arms := map[string]string{}
	for i := 0; len(arms) < 2; i++ { // one of either branch
		name := fmt.Sprint("c", i)
		d.does(name, "go", name)
		arms[d.states(name)[0]] = name
	}
	a, b := arms["offered"], arms["=holdout"]
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Merged, Profile: profile.ID(a), Other: profile.ID(b)}))
	d.does("merged", "go", a)
	require.Equal(t, []string{"offered", "offered"}, d.states(a), "the present ID's draw stands")
	require.NoError(t, d.Deploy(ctx, offer(1)))
	require.NoError(t, d.Apply(ctx, profile.Change{Kind: profile.Merged, Profile: "new", Other: profile.ID(a)}))
	d.does("again", "go", "new")
	require.Equal(t, []string{"offered", "offered", "offered"}, d.states("new"))
	require.NoError(t, d.Erase(ctx, "new"))
	p, err := d.Export(ctx, "new")
	require.NoError(t, err)
	require.Empty(t, p.Arms)
}

func TestPurge(t *testing.T) {
	ctx := context.Background()
	day := 24 * time.Hour
	d := newDesk(t, nil, simple("j").Reentry(journey.Reentry{Rule: journey.Once}))
	_, err := d.Purge(ctx, d.now, journey.Retention{Ended: -1})
	require.ErrorIs(t, err, journey.ErrConfig)
	for i := range 1200 { // more than a page
		d.does(fmt.Sprint(i), "go", fmt.Sprint("c", i))
	}
	d.answer = func(x journey.Dispatch) journey.Answer {
		if x.Effect.Customer == "c3" {
			return journey.Reject("no")
		}
		return journey.Later("busy", 0)
	}
	d.after(day) // all messages but one are given up
	d.answer = nil
	for e, err := range d.Unsettled(ctx) {
		require.NoError(t, err)
		if e.Effect.Customer != "c5" {
			require.NoError(t, d.Retry(ctx, e.Effect.Key, ""))
		}
	}
	d.run()
	d.after(9 * day)
	d.does("young", "go", "young")
	d.after(day)

	n, err := d.Purge(ctx, d.now, journey.Retention{})
	require.NoError(t, err)
	require.Zero(t, n, "without a retention everything is kept")
	n, err = d.Purge(ctx, d.now, journey.Retention{Ended: 5 * day, Inputs: 10 * day})
	require.NoError(t, err)
	require.Equal(t, 1199+1200, n)
	require.Equal(t, []string{"=over"}, d.states("c5"), "somebody has to look at its message")
	require.Equal(t, []string{"=over"}, d.states("young"))
	require.Empty(t, d.states("c4"))
	for _, f := range []journey.Filter{{Customer: "c4"}, {Customer: "c3"}} {
		for r := range d.History(ctx, f) {
			t.Errorf("left behind: %s", r)
		}
		for row := range d.Effects(ctx, f) {
			t.Errorf("left behind: %s", row.Effect.Name)
		}
	}
	d.does("back", "go", "c4")
	require.Empty(t, d.states("c4"), "the re-entry rule goes on to hold")
	row, err := d.Contact(ctx, "c4")
	require.NoError(t, err)
	require.NotEqual(t, contact.Row{}, row, "what was sent still counts for caps")
}

// A back-test of what happened takes the branches that were drawn, not those that
// the definition of today would draw.
func TestABackTestTakesTheRecordedBranches(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, offer(50))
	var history []journey.Input
	first := map[string]int{}
	for i := range 200 {
		name := fmt.Sprint("c", i)
		d.does("1"+name, "go", name)
		first[d.states(name)[0]]++
		history = append(history, journey.Input{ID: "2" + name, Name: "go", Customer: profile.ID(name), Time: monday})
	}
	require.Greater(t, first["=holdout"], 60)
	holdout := func(draws func(context.Context, profile.ID) ([]journey.Arm, error)) int {
		s, err := journey.NewSimulator(journey.Simulation{Journeys: []journey.Source{offer(99)}, Draws: draws, Until: monday.Add(time.Hour)})
		require.NoError(t, err)
		got, err := s.Run(ctx, sequence(history))
		require.NoError(t, err)
		return got.Journeys["offer"].Ends["holdout"]
	}
	require.Equal(t, first["=holdout"], holdout(d.Draws))
	require.Less(t, holdout(nil), 15, "1 % of those who draw anew")
	s, err := journey.NewSimulator(journey.Simulation{
		Journeys: []journey.Source{offer(50)}, Until: monday.Add(time.Hour),
		Draws: func(context.Context, profile.ID) ([]journey.Arm, error) { return nil, context.DeadlineExceeded },
	})
	require.NoError(t, err)
	_, err = s.Run(ctx, sequence(history))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
