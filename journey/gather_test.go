package journey_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// crowded is a store that turns away commits of more than one customer.
type crowded struct {
	*journey.Memory
	turned, taken int
}

func (s *crowded) Commit(ctx context.Context, b *journey.Batch) error {
	if len(b.Inputs) > 1 || len(b.Instances) > 1 {
		s.turned++
		return fmt.Errorf("%w: crowded", journey.ErrConflict)
	}
	s.taken++
	return s.Memory.Commit(ctx, b)
}

// everything in a store, by kind and key.
func contents(t testing.TB, s journey.Store) map[string]any {
	out := map[string]any{}
	for kind := journey.InstancePage; kind <= journey.ContactPage; kind++ {
		p, err := s.Page(context.Background(), journey.Query{Kind: kind, Limit: 100_000})
		require.NoError(t, err)
		for _, r := range p.Instances {
			r.Version, r.Token = 0, ""
			out["instance "+r.Instance.ID] = r
		}
		for _, r := range p.Effects {
			r.Version, r.Token = 0, ""
			out["effect "+r.Effect.Key] = r
		}
		for _, r := range p.Contacts {
			r.Version = 0
			out["contact "+string(r.Customer)] = r
		}
		n := map[string]int{}
		for _, r := range p.History {
			n[r.Instance]++
			out[fmt.Sprintf("history %s %d", r.Instance, n[r.Instance])] = r
		}
	}
	return out
}

// The same random inputs, some of them wrong or given twice, and the same sweeps:
// one by one, gathered, and gathered on a store that turns every crowd away.
func TestGatheredWorkIsTheSameWork(t *testing.T) {
	ctx := context.Background()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for run := range 30 {
		type side struct {
			e *journey.Engine
			s journey.Store
		}
		now := monday
		open := func(s journey.Store, gather int) side {
			e, err := journey.New(journey.Config{
				Store: s, Now: func() time.Time { return now }, Gather: gather, Contact: shopPolicy(),
				Channels: map[string]journey.Port{"wechat": confirming, "sms": confirming},
				Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: confirming},
			})
			require.NoError(t, err)
			require.NoError(t, e.Deploy(ctx, reminders()))
			return side{e, s}
		}
		crowd := &crowded{Memory: journey.NewMemory()}
		sides := []side{open(journey.NewMemory(), 1), open(journey.NewMemory(), 0), open(journey.NewMemory(), 3), open(crowd, 0)}
		r := rand.New(rand.NewPCG(seed, uint64(run)))
		for range 12 {
			inputs := make([]journey.Input, r.IntN(12))
			for i := range inputs {
				n := r.IntN(60)
				inputs[i] = journey.Input{
					ID: fmt.Sprint("x", n), Name: []string{"cart.updated", "order.paid", "unheard"}[n%3],
					Customer: profile.ID(fmt.Sprint("c", n%7)), Time: monday.Add(time.Duration(n) * time.Minute),
					Props: profile.Values{"cart_id": profile.Text(fmt.Sprint(n % 2)), "sku": profile.Text("boots")},
				}
				switch r.IntN(12) {
				case 0:
					inputs[i].Name = "" // cannot be recorded
				case 1:
					inputs[i].Props = nil // another content under the same ID
				case 2:
					inputs[i].Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: true}}
				}
			}
			slices.SortStableFunc(inputs, func(a, b journey.Input) int { return a.Time.Compare(b.Time) })
			want := make([]journey.Receipt, len(inputs))
			for i, x := range inputs {
				var err error
				want[i], err = sides[0].e.Ingest(ctx, x)
				want[i].Err = err
			}
			for i, s := range sides[1:] {
				got, err := s.e.IngestBatch(ctx, inputs)
				require.NoError(t, err)
				require.Equal(t, want, got, "seed %d, run %d, side %d", seed, run, i+1)
			}
			if r.IntN(2) == 0 {
				now = now.Add(time.Duration(r.IntN(30)) * time.Hour)
				want, err := sides[0].e.RunDue(ctx, now)
				require.NoError(t, err)
				for i, s := range sides[1:] {
					got, err := s.e.RunDue(ctx, now)
					require.NoError(t, err)
					require.Equal(t, want, got, "seed %d, run %d, side %d", seed, run, i+1)
				}
			}
			for i, s := range sides[1:] {
				require.Equal(t, contents(t, sides[0].s), contents(t, s.s), "seed %d, run %d, side %d", seed, run, i+1)
			}
		}
		require.Positive(t, crowd.turned)
		require.Positive(t, crowd.taken)
	}
}

// counting counts commits.
type counting struct {
	*journey.Memory
	commits int
}

func (s *counting) Commit(ctx context.Context, b *journey.Batch) error {
	s.commits++
	return s.Memory.Commit(ctx, b)
}

func TestManyCustomersShareACommit(t *testing.T) {
	ctx := context.Background()
	s := &counting{Memory: journey.NewMemory()}
	e, err := journey.New(journey.Config{Store: s, Now: func() time.Time { return monday }})
	require.NoError(t, err)
	j := journey.Define("j")
	j.Enter(journey.Event("start")).To("a")
	j.State("a").After(time.Hour).End("out")
	require.NoError(t, e.Deploy(ctx, j))
	s.commits = 0
	inputs := make([]journey.Input, 600)
	for i := range inputs {
		inputs[i] = journey.Input{ID: fmt.Sprint(i), Name: "start", Customer: profile.ID(fmt.Sprint("c", i)), Time: monday}
	}
	_, err = e.IngestBatch(ctx, inputs)
	require.NoError(t, err)
	require.Equal(t, 3, s.commits)
	p, err := e.RunDue(ctx, monday.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 600, p.Timers)
	require.Equal(t, 6, s.commits)
}

// A step that fails does not hold up its neighbors in a commit.
func TestAFailingStepAmongOthers(t *testing.T) {
	ctx := context.Background()
	sick := map[profile.ID]bool{"c3": true}
	check := func(_ context.Context, id profile.ID, _ time.Time) (bool, error) {
		if sick[id] {
			return false, context.DeadlineExceeded
		}
		return true, nil
	}
	e, err := journey.New(journey.Config{Now: func() time.Time { return monday }, Checks: map[string]journey.Check{"well": check}})
	require.NoError(t, err)
	j := journey.Define("j")
	j.Enter(journey.Event("start")).To("a")
	j.State("a").After(time.Hour).If(journey.Func("well")).End("out").After(2 * time.Hour).End("late")
	require.NoError(t, e.Deploy(ctx, j))
	var inputs []journey.Input
	for i := range 5 {
		inputs = append(inputs, journey.Input{ID: fmt.Sprint(i), Name: "start", Customer: profile.ID(fmt.Sprint("c", i)), Time: monday})
	}
	receipts, err := e.IngestBatch(ctx, inputs)
	require.NoError(t, err)
	for i, r := range receipts {
		if i == 3 {
			continue
		}
		require.NoError(t, r.Err)
		require.Len(t, r.Instances, 1)
	}
	p, err := e.RunDue(ctx, monday.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 4, p.Timers)
	require.Equal(t, 1, p.Failed)
	sick["c3"] = false
	p, err = e.RunDue(ctx, monday.Add(time.Hour+5*time.Second))
	require.NoError(t, err)
	require.Equal(t, 1, p.Timers)
}
