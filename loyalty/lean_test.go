package loyalty_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
)

// clockedLedger is a ledger in memory with a clock that the test sets.
func clockedLedger(t *testing.T, units ...loyalty.UnitConfig) (*loyalty.Ledger, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, err := loyalty.New(loyalty.Config{Now: func() time.Time { return now }, Units: units})
	require.NoError(t, err)
	return l, &now
}

func mustPost(t *testing.T, l *loyalty.Ledger, cmd loyalty.Command) loyalty.Receipt {
	t.Helper()
	r, err := l.Post(t.Context(), cmd)
	require.NoError(t, err)
	return r
}

func TestCommandsOfAnAccountTakeEffectInTheirOrderInABatch(t *testing.T) {
	l, _ := clockedLedger(t)
	mustPost(t, l, loyalty.Earn{Key: "first", Account: "m", Amount: 50})
	mustPost(t, l, loyalty.Redeem{Key: "spent", Account: "m", Amount: 50}) // closes the award's lot
	for name, cmds := range map[string][]loyalty.Command{
		"a redemption before the award that would pay for it": {
			loyalty.Redeem{Key: "a1", Account: "m", Amount: 1000},
			loyalty.Earn{Key: "a2", Account: "m", Amount: 1000},
		},
		"behind one whose lot must be looked up": {
			loyalty.Return{Key: "b1", Award: "first"},
			loyalty.Redeem{Key: "b2", Account: "n", Amount: 1},
			loyalty.Earn{Key: "b3", Account: "n", Amount: 1},
			loyalty.Earn{Key: "b4", Account: "m", Amount: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			mustPost(t, l, loyalty.Earn{Key: "n" + name[:1], Account: "m", Amount: 1}) // the account is in the cache
			receipts, errs := l.PostBatch(t.Context(), cmds)
			var last uint64
			for i, r := range receipts {
				if _, redeems := cmds[i].(loyalty.Redeem); redeems {
					require.ErrorIs(t, errs[i], loyalty.ErrInsufficient, "it came before the award")
					continue
				}
				require.NoError(t, errs[i])
				if link := r.Transaction.Links[0]; link.Account == "m" {
					require.Greater(t, link.Seq, last)
					last = link.Seq
				}
			}
		})
	}
}

func TestARejectionBehindAnotherCommandOfItsAccountIsCertain(t *testing.T) {
	l, _ := clockedLedger(t)
	mustPost(t, l, loyalty.Earn{Key: "1", Account: "m", Amount: 10})
	mustPost(t, l, loyalty.Redeem{Key: "2", Account: "m", Amount: 1}) // its lots are in the cache now
	_, errs := l.PostBatch(t.Context(), []loyalty.Command{
		loyalty.Redeem{Key: "3", Account: "m", Amount: 6},
		loyalty.Redeem{Key: "4", Account: "m", Amount: 6},
		loyalty.Redeem{Key: "5", Account: "m", Amount: 3},
	})
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], loyalty.ErrInsufficient)
	require.NoError(t, errs[2])
}

// An account whose lots were left to the store answers as one that has them.
func TestAnAccountKnownByItsSumsAnswersAsOneWithLots(t *testing.T) {
	month := loyalty.UnitConfig{Unit: loyalty.Points, Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 10}}
	for name, step := range map[string]func(t *testing.T, l *loyalty.Ledger, now *time.Time){
		"a lot expires": func(_ *testing.T, _ *loyalty.Ledger, now *time.Time) { *now = now.AddDate(0, 0, 11) },
		"a lot vests":   func(_ *testing.T, _ *loyalty.Ledger, now *time.Time) { *now = now.AddDate(0, 0, 3) },
		"the clock was set back": func(t *testing.T, l *loyalty.Ledger, now *time.Time) {
			then := *now
			*now = now.Add(-time.Hour)
			b, err := l.Balance(t.Context(), "m", "", loyalty.AsOf{})
			require.NoError(t, err)
			require.Equal(t, int64(7), b.Pending, "nothing is usable yet")
			*now = then
		},
		"an award that is over already": func(t *testing.T, l *loyalty.Ledger, now *time.Time) {
			mustPost(t, l, loyalty.Earn{Key: "old", Account: "m", Amount: 7, At: now.AddDate(0, 0, -30)})
		},
		"an award in another unit's policy": func(t *testing.T, l *loyalty.Ledger, _ *time.Time) {
			mustPost(t, l, loyalty.Earn{
				Key: "idle", Account: "m", Amount: 7, Expiry: loyalty.Expiry{Kind: loyalty.ExpireIdleDays, N: 2},
			})
		},
		"an award of many lines": func(t *testing.T, l *loyalty.Ledger, _ *time.Time) {
			var lines []loyalty.EarnLine
			for i := range 20 {
				lines = append(lines, loyalty.EarnLine{Line: fmt.Sprint(i), Amount: int64(i)})
			}
			mustPost(t, l, loyalty.Earn{Key: "many", Account: "m", Lines: lines})
		},
		"an award is retried": func(t *testing.T, l *loyalty.Ledger, now *time.Time) {
			r := mustPost(t, l, loyalty.Earn{Key: "1", Account: "m", Amount: 1, At: now.Add(-time.Minute)})
			require.True(t, r.Replayed)
		},
		"its key comes with other content": func(t *testing.T, l *loyalty.Ledger, _ *time.Time) {
			_, err := l.Post(t.Context(), loyalty.Earn{Key: "1", Account: "m", Amount: 2})
			require.ErrorIs(t, err, loyalty.ErrKeyReused)
		},
		"a debt is settled": func(t *testing.T, l *loyalty.Ledger, _ *time.Time) {
			mustPost(t, l, loyalty.Redeem{Key: "spend", Account: "m", Amount: 2})
			mustPost(t, l, loyalty.Return{Key: "back", Award: "1"})
			mustPost(t, l, loyalty.Earn{Key: "pays", Account: "m", Amount: 10})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, now := clockedLedger(t, month)
			mustPost(t, l, loyalty.Earn{Key: "1", Account: "m", Amount: 1, At: now.Add(-time.Minute)})
			mustPost(t, l, loyalty.Earn{Key: "2", Account: "m", Amount: 2})
			mustPost(t, l, loyalty.Earn{Key: "3", Account: "m", Amount: 4, UsableFrom: now.AddDate(0, 0, 2)})
			step(t, l, now)
			check := func() {
				t.Helper()
				quick, err := l.Balance(t.Context(), "m", "", loyalty.AsOf{})
				require.NoError(t, err)
				folded, err := l.Balance(t.Context(), "m", "", loyalty.AsOf{Effective: *now})
				require.NoError(t, err)
				require.Equal(t, folded, quick)
				lots, err := l.Lots(t.Context(), "m", "", loyalty.AsOf{})
				require.NoError(t, err)
				var sum int64
				for _, lot := range lots {
					sum += lot.Remaining
				}
				require.Equal(t, quick.Usable+quick.Pending, sum)
			}
			check()
			r := mustPost(t, l, loyalty.Earn{Key: "next", Account: "m", Amount: 8})
			folded, err := l.Balance(t.Context(), "m", "", loyalty.AsOf{Effective: r.Transaction.Recorded})
			require.NoError(t, err)
			require.Equal(t, folded, r.Balance())
			check()
			_, err = l.Verify(t.Context(), loyalty.Anchor{})
			require.NoError(t, err)
		})
	}
}
