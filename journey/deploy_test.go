package journey_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// club is a journey with a schedule of its own; the next version drops a state, has
// another schedule and waits for less.
func club(next bool) *journey.Builder {
	j := journey.Define("club")
	j.Enter(journey.Event("joined")).To("welcome")
	j.Enter(journey.Tick("review")).To("review")
	j.Goal("bought").On(journey.Event("paid"))
	when, wait := journey.Weekly("10:00", time.Saturday), 72*time.Hour
	if next {
		when, wait = journey.Daily("11:00"), 48*time.Hour
	}
	j.Every("review", when, "members")
	j.State("welcome").Send(service("welcome")).After(wait).To("ask")
	if next {
		j.State("ask").Send(service("ask")).After(wait).End("over")
	} else {
		j.State("ask").Send(service("ask")).On(journey.Event("answered")).To("talk").After(wait).End("over")
		j.State("talk").Do(journey.Do("call", nil)).After(wait).End("over")
	}
	j.State("review").Do(journey.Do("look", nil)).After(wait).End("over")
	return j
}

const clubMembers = 60

// clubDesk is an engine on the club's store.
func clubDesk(t testing.TB, s journey.Store, now time.Time) *desk {
	var d *desk
	d = newDesk(t, func(c *journey.Config) {
		members(&d, "m1", "m2")(c)
		c.Members = map[string]journey.Listing{"members": c.Members["everybody"]}
		c.Store = s
	})
	d.now = now
	return d
}

// grownClub is a store with customers in every state, most of them waiting, and the
// time that it is there.
func grownClub(t testing.TB) (*journey.Memory, time.Time) {
	s := journey.NewMemory()
	d := clubDesk(t, s, monday)
	require.NoError(t, d.Deploy(context.Background(), club(false)))
	for i := range clubMembers {
		d.does(fmt.Sprint("in ", i), "joined", fmt.Sprint("c", i))
		d.after(2 * time.Hour)
	}
	for i := range clubMembers {
		if i%7 == 0 {
			d.does(fmt.Sprint("answer ", i), "answered", fmt.Sprint("c", i))
		}
	}
	return s, d.now.Add(5 * time.Hour) // some waits are over, and nobody has looked
}

// clubTells is what the store holds: definitions, where instances stand, what they
// lived through and how effects ended.
func clubTells(t testing.TB, s journey.Store) (out []string) {
	current := 0
	page := func(kind journey.PageKind, each func(*journey.Page)) {
		q := journey.Query{Kind: kind, Limit: 100}
		for {
			p, err := s.Page(context.Background(), q)
			require.NoError(t, err)
			each(&p)
			if q.After = p.Next; q.After == "" {
				return
			}
		}
	}
	page(journey.DefinitionPage, func(p *journey.Page) {
		for _, row := range p.Definitions {
			if row.Current {
				current++
			}
			out = append(out, fmt.Sprintf("version %s current %t", row.Version, row.Current))
		}
	})
	require.Equal(t, 1, current, "one version is current at any time")
	moved := map[string]int{} // by instance, lines that say that it was migrated
	page(journey.HistoryPage, func(p *journey.Page) {
		for _, r := range p.History {
			if r.Kind == journey.OperatorRecord {
				moved[r.Instance]++
			}
			out = append(out, fmt.Sprintf("%s %s %s", r.Instance, r.At, r.String()))
		}
	})
	page(journey.InstancePage, func(p *journey.Page) {
		for _, row := range p.Instances {
			in := row.Instance
			out = append(out, fmt.Sprintf("%s %s on %s in %s since %s due %s", in.ID, in.Status, in.Version, in.State, in.EnteredAt, in.Due))
			require.LessOrEqual(t, moved[in.ID], 1, "moved once")
		}
	})
	page(journey.EffectPage, func(p *journey.Page) {
		for _, row := range p.Effects {
			out = append(out, fmt.Sprintf("%s %s", row.Effect.Key, row.State))
		}
	})
	slices.Sort(out)
	return out
}

var clubMove = journey.Migration{States: map[string]string{"talk": "ask"}}

// A deployment that moves a crowd is killed at each of its writes, before it and
// after it: whoever goes on, on whatever version, finds every instance on one version
// or the other, and called again it ends as if nothing had happened.
func TestADeploymentIsKilledAtEveryWrite(t *testing.T) {
	ctx := context.Background()
	base, now := grownClub(t)
	last := now.Add(30 * 24 * time.Hour)

	undisturbed := base.Clone()
	d := clubDesk(t, undisturbed, now)
	total, err := d.Migrate(ctx, club(true), clubMove)
	require.NoError(t, err)
	require.Greater(t, total, clubMembers/2)
	want := clubTells(t, undisturbed)
	d.after(last.Sub(now))
	wantEnd, wantSent := clubTells(t, undisturbed), slices.Sorted(slices.Values(d.sent))

	for _, after := range []bool{false, true} {
		for k := 0; ; k++ {
			name := fmt.Sprintf("death at write %d, after it: %t", k, after)
			s := base.Clone()
			dying := clubDesk(t, &failing{Store: s, left: k, after: after}, now)
			_, err := dying.Migrate(ctx, club(true), clubMove)
			if err == nil {
				require.Greater(t, k, total, "a write for each that moves, and one for the definition")
				break
			}
			require.ErrorIs(t, err, errDead)
			clubTells(t, s)
			d := clubDesk(t, s, now)
			_, err = d.Migrate(ctx, club(true), clubMove)
			require.NoError(t, err, name)
			require.Equal(t, want, clubTells(t, s), name)
			if k%10 == 0 {
				d.after(last.Sub(now))
				require.Equal(t, wantEnd, clubTells(t, s), name)
				require.Equal(t, wantSent, slices.Sorted(slices.Values(d.sent)), name)
			}
		}
	}
}

// busy lets somebody else work before each of a process's writes.
type busy struct {
	journey.Store
	others func()
	inside bool
}

func (b *busy) Commit(ctx context.Context, x *journey.Batch) error {
	if !b.inside {
		b.inside = true
		b.others()
		b.inside = false
	}
	return b.Store.Commit(ctx, x)
}

// Others do not stop for a deployment: engines on the former version take inputs and
// do what is due between any two of its writes, and on the very instance that it is
// about to move. Nothing is sent twice, nobody is lost.
func TestADeploymentAmidTheDaysWork(t *testing.T) {
	ctx := context.Background()
	s, now := grownClub(t)
	other := clubDesk(t, s, now)
	require.NoError(t, other.Deploy(ctx, club(false)))
	n := 0
	work := func() {
		n++
		i := n % clubMembers
		switch n % 3 {
		case 0:
			_, err := other.Ingest(ctx, journey.Input{ID: fmt.Sprint("paid ", n), Name: "paid", Customer: profile.ID(fmt.Sprint("c", i)), Time: now})
			require.NoError(t, err)
		case 1:
			_, err := other.Ingest(ctx, journey.Input{ID: fmt.Sprint("new ", n), Name: "joined", Customer: profile.ID(fmt.Sprint("new", n)), Time: now})
			require.NoError(t, err)
		case 2:
			for row, err := range other.Instances(ctx, journey.Filter{}) { // just those that come next
				require.NoError(t, err)
				if in := row.Instance; in.State == "talk" && in.Status == journey.Active {
					require.NoError(t, other.Redirect(ctx, in.ID, "talk", "once more"))
				}
			}
			_, err := other.RunDue(ctx, now)
			require.NoError(t, err)
		}
	}
	d := clubDesk(t, &busy{Store: s, others: work}, now)
	_, err := d.Migrate(ctx, club(true), clubMove)
	require.NoError(t, err)
	d = clubDesk(t, s, now)
	_, err = d.Migrate(ctx, club(true), clubMove) // those that came in meanwhile
	require.NoError(t, err)
	version := d.Definition("club").Version()
	for row, err := range d.Instances(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if in := row.Instance; in.Status == journey.Active {
			require.Equal(t, version, in.Version)
			require.NotEqual(t, "talk", in.State)
		}
	}
	d.after(30 * 24 * time.Hour)
	keys := map[string]int{}
	for r, err := range d.History(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if r.State == journey.Confirmed {
			keys[r.Effect]++
		}
	}
	for key, n := range keys {
		require.Equal(t, 1, n, key)
	}
	for row, err := range d.Instances(ctx, journey.Filter{}) {
		require.NoError(t, err)
		if in := row.Instance; in.StartedAt.Before(now) {
			require.Equal(t, journey.Ended, in.Status, "%s in %s", in.ID, in.State)
		}
	}
}

// Two engines deploy the first versions of a journey at once: one of them is current.
func TestTwoFirstDeploymentsAtOnce(t *testing.T) {
	ctx := context.Background()
	s := journey.NewMemory()
	first := true
	a := newDesk(t, func(c *journey.Config) {
		c.Store = &busy{Store: s, others: func() {
			if first {
				first = false
				require.NoError(t, newDesk(t, func(c *journey.Config) { c.Store = s }).Deploy(ctx, oldJourney()))
			}
		}}
	})
	require.NoError(t, a.Deploy(ctx, newJourney()))
	clubTells(t, s)
	f, err := s.Get(ctx, journey.Lookup{Definition: journey.DefinitionKey{Journey: "j"}})
	require.NoError(t, err)
	require.Equal(t, a.Definition("j").Version(), f.Definition.Version, "the later one")
}
