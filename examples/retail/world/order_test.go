package world_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/profile/commerce"
)

func total(payments []commerce.Payment) (s int64) {
	for _, p := range payments {
		s += p.Amount
	}
	return s
}

func TestSumsTie(t *testing.T) {
	for seed := range uint64(3) {
		for _, o := range small(t, seed+1).Truth().Orders() {
			owed := o.Freight
			lines := map[string]commerce.Line{}
			for _, l := range o.Lines {
				var cut int64
				for _, d := range l.Discounts {
					require.Positive(t, d.Amount)
					cut += d.Amount
				}
				require.Equal(t, l.List-cut, l.Net, "seed %d, order %v, line %s", seed+1, o.Key, l.ID)
				require.GreaterOrEqual(t, l.Net, int64(0))
				owed += l.Net
				lines[l.ID] = l
			}
			require.Equal(t, owed, total(o.Payments), "order %v", o.Key)
			require.Equal(t, owed, o.Total())
			var back int64
			for _, f := range o.Refunds {
				require.Positive(t, f.Amount)
				back += f.Amount
			}
			require.LessOrEqual(t, back, total(o.Payments), "order %v", o.Key)
			for _, r := range o.Returns {
				for _, l := range r.Lines {
					whole, ok := lines[l.ID]
					require.True(t, ok)
					require.Positive(t, l.Quantity)
					require.LessOrEqual(t, l.Quantity, whole.Quantity)
					require.Equal(t, whole.Net*l.Quantity, l.Net*whole.Quantity, "pieces share a line evenly")
				}
			}
		}
	}
}

// What the feed says about orders folds to what the truth says of them.
func TestFeedFoldsToTheTruth(t *testing.T) {
	w := small(t, 3)
	var facts []commerce.Event
	for d := range w.Feed() {
		if e := d.Event.Order; e != nil {
			require.Equal(t, d.Event.ID, e.ID)
			require.True(t, e.Time.Equal(d.Event.Time))
			require.NoError(t, e.Validate(), "event %s", e.ID)
			facts = append(facts, *e)
		}
	}
	orders, err := commerce.FoldAll(facts)
	require.NoError(t, err)
	folded := map[commerce.Key]commerce.Order{}
	for _, o := range orders {
		require.Empty(t, o.Problems, "order %v", o.Key)
		folded[o.Key] = o
		for _, k := range o.Aliases {
			folded[k] = o
		}
	}
	truth := w.Truth().Orders()
	require.Len(t, orders, len(truth))
	for _, o := range truth {
		f := folded[o.Key]
		require.Equal(t, o.Late(), f.Late(), "order %v", o.Key)
		for at := w.Start(); !at.After(w.End()); at = at.AddDate(0, 0, 5) {
			require.Equal(t, o.NetBy(at, far), f.NetSpendAt(at), "net spend of %v on %v", o.Key, at)
			require.Equal(t, o.CountsBy(at, far), f.CountsAt(at), "order %v on %v", o.Key, at)
			require.Equal(t, o.RefundedBy(at, far), f.RefundedAt(at))
		}
		for _, p := range o.Payments {
			if o.Paid.Happened() {
				require.Equal(t, p.Amount, f.PaidBy(p.Tender))
			}
		}
	}
}

func TestFactsOfAnOrderFollowEachOther(t *testing.T) {
	for _, o := range small(t, 4).Truth().Orders() {
		require.True(t, o.Placed.Happened())
		for name, f := range map[string][2]world.Fact{
			"paid":     {o.Placed, o.Paid},
			"shipped":  {o.Paid, o.Shipped},
			"received": {o.Paid, o.Received},
		} {
			if f[1].Happened() {
				require.True(t, f[0].Happened(), "%s of %v", name, o.Key)
				require.True(t, f[1].At.After(f[0].At), "%s of %v", name, o.Key)
				require.False(t, f[1].Arrived.Before(f[1].At))
			}
		}
		assert.False(t, o.Closed.Happened() && o.Received.Happened(), "order %v is closed and received", o.Key)
		for _, r := range o.Returns {
			require.Equal(t, r.Refused, !o.Received.Happened(), "order %v", o.Key)
		}
		if o.Channel == "till" {
			require.True(t, o.PromisedBy.IsZero())
			require.NotEmpty(t, o.Cashier)
		} else {
			require.True(t, o.PromisedBy.After(o.Placed.At.Add(3*24*time.Hour)), "order %v: %v %v", o.Key, o.Placed.At, o.PromisedBy)
		}
	}
}
