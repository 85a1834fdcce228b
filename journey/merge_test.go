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

func merged(into, from profile.ID) profile.Change {
	return profile.Change{Kind: profile.Merged, Profile: into, Other: from}
}

// What either customer entered before the merge counts for the re-entry rule after it.
func TestEntriesOfBothCountAfterAMerge(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		rule    journey.Reentry
		started []int // an hour after the last entry of the former ID, and three days later
	}{
		"once":        {journey.Reentry{Rule: journey.Once}, []int{0, 0}},
		"with a rest": {journey.OneAtATime.Resting(48 * time.Hour), []int{0, 1}},
		"always":      {journey.Reentry{Rule: journey.Always}, []int{1, 1}},
	} {
		for _, batch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, batch %t", name, batch), func(t *testing.T) {
				d := newDesk(t, nil, simple("j").Reentry(c.rule))
				d.does("1", "go", "older")
				d.does("2", "go", "old")
				d.after(time.Hour)
				require.NoError(t, d.Apply(ctx, merged("old", "older")))
				require.NoError(t, d.Apply(ctx, merged("new", "old")))
				d.after(10 * time.Minute)
				for i, wait := range []time.Duration{0, 72 * time.Hour} {
					d.after(wait)
					x := journey.Input{ID: fmt.Sprint("again ", i), Name: "go", Customer: "new", Time: d.now}
					if batch {
						r, err := d.IngestBatch(ctx, []journey.Input{x, {ID: x.ID + " bystander", Name: "go", Customer: "b", Time: d.now}})
						require.NoError(t, err)
						require.Len(t, r[0].Instances, c.started[i])
						continue
					}
					r, err := d.Ingest(ctx, x)
					require.NoError(t, err)
					require.Len(t, r.Instances, c.started[i])
				}
			})
		}
	}
}

// A rule per customer holds for all keys of the customers that become one.
func TestAMergeKeepsTheRulePerCustomer(t *testing.T) {
	ctx := context.Background()
	d := newDesk(t, nil, simple("j").Key("cart").Reentry(journey.Reentry{PerCustomer: true}))
	d.does("1", "go", "old", "cart", "A")
	d.after(time.Minute)
	d.does("2", "go", "new", "cart", "B")
	require.NoError(t, d.Apply(ctx, merged("new", "old")))
	require.ElementsMatch(t, []string{"wait", "=merged"}, d.states("new"))
	d.after(3 * time.Hour)
	require.Equal(t, []string{"sms hello new"}, d.sent, "once, for the one that started first")

	d = newDesk(t, nil, simple("j").Key("cart").Reentry(journey.Reentry{Rule: journey.Always, PerCustomer: true}))
	d.does("1", "go", "old", "cart", "A")
	d.does("2", "go", "new", "cart", "B")
	require.NoError(t, d.Apply(ctx, merged("new", "old")))
	require.Equal(t, []string{"wait", "wait"}, d.states("new"))
}

// A message is on its way when its customer is merged: what it has used up is given
// back to, and what is tried again is asked of, the customer that goes on.
func TestAMergeWhileAMessageIsUnderWay(t *testing.T) {
	ctx := context.Background()
	for _, ended := range []bool{false, true} { // the instance has ended by the time
		for name, c := range map[string]struct {
			answer journey.Answer
			sent   int
			used   int
		}{
			"rejected":    {journey.Reject("no"), 0, 0},
			"tried again": {journey.Later("busy", 0), 1, 1},
			"confirmed":   {journey.Confirm("7"), 0, 1},
			"uncertain":   {journey.Unclear("gone"), 1, 1},
		} {
			if ended && c.sent > 0 {
				continue // what is no longer needed is not tried again
			}
			t.Run(fmt.Sprintf("%s, ended %t", name, ended), func(t *testing.T) {
				d := newDesk(t, func(c *journey.Config) {
					c.Contact.Channels = map[string]contact.Channel{"sms": {NeedsCredit: true}}
				}, simple("j"))
				require.NoError(t, d.UpdateContact(ctx, "old", func(r contact.Row) contact.Row {
					return r.WithCredit(contact.Credit{ID: "c1", Channel: "sms", Template: "hello", Count: 1})
				}))
				calls := 0
				d.answer = func(journey.Dispatch) journey.Answer {
					if calls++; calls > 1 {
						return journey.Confirm("")
					}
					if ended {
						_, err := d.Ingest(ctx, journey.Input{ID: "2", Name: "paid", Customer: "old", Time: d.now})
						require.NoError(t, err)
					}
					require.NoError(t, d.Apply(ctx, merged("new", "old")))
					return c.answer
				}
				d.does("1", "go", "old")
				d.after(30 * time.Minute)
				d.after(10 * time.Hour)
				require.Len(t, d.sent, c.sent)
				row, err := d.Contact(ctx, "new")
				require.NoError(t, err)
				require.Len(t, row.Credits, 1)
				require.Equal(t, c.used, row.Credits[0].Used)
				for _, s := range row.Sent {
					require.False(t, s.Held, "the reservation is settled")
				}
				row, err = d.Contact(ctx, "old")
				require.NoError(t, err)
				require.Equal(t, contact.Row{}, row)
				for e, err := range d.Effects(ctx, journey.Filter{}) {
					require.NoError(t, err)
					require.Equal(t, profile.ID("new"), e.Effect.Customer)
				}
				p, err := d.Export(ctx, "new")
				require.NoError(t, err)
				require.Len(t, p.Instances, 1)
				require.Zero(t, p.Instances[0].Pending)
			})
		}
	}
}

// within is a store inside a caller's transaction: after an error it is of no more
// use, and the caller rolls back.
type within struct {
	*journey.Memory
	failed error
}

func (s *within) Commit(ctx context.Context, b *journey.Batch) error {
	if s.failed == nil {
		s.failed = s.Memory.Commit(ctx, b)
	}
	return s.failed
}

func (s *within) Get(ctx context.Context, l journey.Lookup) (journey.Found, error) {
	if s.failed != nil {
		return journey.Found{}, s.failed
	}
	return s.Memory.Get(ctx, l)
}

// Whoever comes back under a former ID whose entries were erased, while what was
// under way lives on, is somebody new: inside a caller's transaction too, which
// cannot look again after a conflict.
func TestReentryUnderAFormerIDWithinATransaction(t *testing.T) {
	ctx := context.Background()
	for _, batch := range []bool{false, true} {
		t.Run(fmt.Sprintf("batch %t", batch), func(t *testing.T) {
			d := newDesk(t, nil, simple("j").Reentry(journey.Reentry{Rule: journey.Always}))
			for i := range 3 {
				d.does(fmt.Sprint(i), "go", "old")
			}
			require.NoError(t, d.Apply(ctx, merged("new", "old")))
			require.NoError(t, d.Erase(ctx, "old"))
			e := d.WithStore(&within{Memory: d.store})
			x := journey.Input{ID: "back", Name: "go", Customer: "old", Time: d.now}
			var r journey.Receipt
			var err error
			if batch {
				var all []journey.Receipt
				all, err = e.IngestBatch(ctx, []journey.Input{x, {ID: "bystander", Name: "go", Customer: "b", Time: d.now}})
				r = all[0]
			} else {
				r, err = e.Ingest(ctx, x)
			}
			require.NoError(t, err)
			require.NoError(t, r.Err)
			require.Len(t, r.Instances, 1)
			require.Equal(t, 4, d.instance(r.Instances[0]).Run, "after the three that live on")
			require.Equal(t, []string{"wait"}, d.states("old"))
			require.Len(t, d.states("new"), 3)
			history := 0
			for range d.History(ctx, journey.Filter{Customer: "old"}) {
				history++
			}
			require.Equal(t, 1, history, "of what was tried first nothing is left")
		})
	}
}
