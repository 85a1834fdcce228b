package journey

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/profile"
)

// crowd is an engine on random journeys whose customers have fixed answers.
type crowd struct {
	*Engine
	now time.Time
}

func newCrowd(t *testing.T, specs []*spec) *crowd {
	c := &crowd{now: randomStart}
	port := Port{HonorsKeys: true, Handle: func(_ context.Context, d Dispatch) Answer {
		if d.Effect.Name == "refused" {
			return Reject("no")
		}
		return Confirm("")
	}}
	lucky := func(_ context.Context, id profile.ID, _ time.Time) (bool, error) { return Draw("", "", id)%2 == 0, nil }
	var err error
	c.Engine, err = New(Config{
		Now: func() time.Time { return c.now }, Gather: 16,
		Channels: map[string]Port{"sms": port}, Actions: map[Binding]Port{{Kind: CustomEffect}: port},
		Audiences: map[string]Audience{"vip": audienceFunc(lucky)}, Checks: map[string]Check{"sunny": lucky},
		Traits: func(_ context.Context, id profile.ID, _ []string) (profile.Values, error) {
			return profile.Values{"tier": profile.Text([]string{"gold", "silver", "none"}[Draw("", "", id)%3])}, nil
		},
	})
	require.NoError(t, err)
	for _, i := range []int{1, 0} { // the one that is started first
		d, err := compile(*specs[i])
		require.NoError(t, err)
		require.NoError(t, c.Deploy(context.Background(), d))
	}
	return c
}

type audienceFunc func(context.Context, profile.ID, time.Time) (bool, error)

func (f audienceFunc) ContainsAt(ctx context.Context, id profile.ID, at time.Time) (bool, error) {
	return f(ctx, id, at)
}

// pass lets time come to an instant; everything happens when it is due. It is false
// where that does not end, because two journeys start each other.
func (c *crowd) pass(t *testing.T, to time.Time) bool {
	ctx := context.Background()
	for n := range 4000 {
		next, err := c.NextDue(ctx)
		require.NoError(t, err)
		if next.IsZero() || next.After(to) {
			c.now = to
			return true
		}
		if c.now = later(c.now, next); n == 3999 {
			break
		}
		_, err = c.RunDue(ctx, c.now)
		require.NoError(t, err)
	}
	return false
}

// tells is all that the crowd has lived through: each customer's history in order,
// where instances stand, and how effects ended.
func (c *crowd) tells(t *testing.T) []string {
	ctx := context.Background()
	var out []string
	n := map[string]int{}
	for r, err := range c.History(ctx, Filter{}) {
		require.NoError(t, err)
		n[r.Instance]++
		out = append(out, fmt.Sprintf("%s %s %04d %s %s %s", r.Customer, r.Instance, n[r.Instance], r.At, r.Input, r.String()))
	}
	for row, err := range c.Instances(ctx, Filter{}) {
		require.NoError(t, err)
		in := row.Instance
		out = append(out, fmt.Sprintf("%s %s in %s %s since %s due %s data %v", in.Customer, in.ID, in.Status, in.State, in.EnteredAt, in.Due, in.Data))
	}
	for row, err := range c.Effects(ctx, Filter{}) {
		require.NoError(t, err)
		out = append(out, fmt.Sprintf("%s %s is %s", row.Effect.Customer, row.Effect.Key, row.State))
	}
	slices.Sort(out)
	return out
}

// What comes together is one story: shuffled and repeated at will within a batch,
// taken one by one in the order of time, or with what came before delivered again,
// the same journeys make the same history, instances and effects. And the order in
// which the customers' inputs come is nobody's business.
func TestOrderWithinABatchChangesNothing(t *testing.T) {
	ctx := context.Background()
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	lines, endless := 0, 0
	for run := range max(*randomRuns/2, 1) {
		r := rand.New(rand.NewPCG(seed, uint64(run)))
		name := fmt.Sprintf("seed %d, run %d", seed, run)
		specs := randomSpecs(r)
		n := &naive{member: map[string]bool{}}
		var batches [][]Input
		at := randomStart
		for b := range 6 {
			at = at.Add(time.Duration(1+r.IntN(30)) * time.Hour)
			var batch []Input
			for i := range 1 + r.IntN(24) {
				x := randomInput(r, n, at)
				x.ID, x.Customer = fmt.Sprintf("%d.%d", b, i), profile.ID([]string{"a", "b", "c"}[r.IntN(3)])
				x.Time = x.Time.Add(-time.Duration(100-i) * time.Second) // no two of a customer at once
				x.Received = time.Time{}
				batch = append(batch, x)
			}
			slices.SortStableFunc(batch, func(a, b Input) int { return a.Time.Compare(b.Time) })
			batches = append(batches, batch)
		}
		play := func(take func(*crowd, int, []Input)) ([]string, bool) {
			c := newCrowd(t, specs)
			at := randomStart
			for i, batch := range batches {
				at = batchTime(batch, at)
				if !c.pass(t, at) {
					return nil, false
				}
				take(c, i, batch)
			}
			ended := c.pass(t, at.Add(100*time.Hour))
			return c.tells(t), ended
		}
		together := func(c *crowd, _ int, batch []Input) {
			_, err := c.IngestBatch(ctx, batch)
			require.NoError(t, err, name)
		}
		want, ended := play(together)
		if !ended {
			endless++
			continue
		}
		lines += len(want)
		for how, take := range map[string]func(*crowd, int, []Input){
			"one by one": func(c *crowd, _ int, batch []Input) {
				for _, x := range batch {
					_, err := c.Ingest(ctx, x)
					require.NoError(t, err, name)
				}
			},
			"shuffled and repeated": func(c *crowd, i int, batch []Input) {
				mixed := slices.Clone(batch)
				for _, x := range batch {
					if r.IntN(3) == 0 {
						mixed = append(mixed, x)
					}
				}
				for _, old := range batches[:i] { // at least once may be long after
					for _, x := range old {
						if r.IntN(5) == 0 {
							mixed = append(mixed, x)
						}
					}
				}
				r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
				together(c, i, mixed)
			},
			"customer by customer": func(c *crowd, i int, batch []Input) {
				for _, id := range []profile.ID{"c", "a", "b"} {
					for _, x := range batch {
						if x.Customer == id {
							_, err := c.Ingest(ctx, x)
							require.NoError(t, err, name)
						}
					}
				}
			},
		} {
			got, _ := play(take)
			if !slices.Equal(want, got) {
				i := 0
				for i < len(got) && i < len(want) && got[i] == want[i] {
					i++
				}
				show := func(l []string) string { return strings.Join(l[max(0, i-3):min(len(l), i+3)], "\n  ") }
				t.Fatalf("%s, %s, differs:\n  %s\nand not\n  %s", name, how, show(got), show(want))
			}
		}
	}
	t.Logf("%d lines compared, %d stories did not end", lines, endless)
	require.Greater(t, lines, 1000)
}

// batchTime is when a batch comes: after all that it tells of.
func batchTime(batch []Input, after time.Time) time.Time {
	at := after
	for _, x := range batch {
		at = later(at, x.Time)
	}
	return at.Truncate(time.Hour).Add(time.Hour)
}
