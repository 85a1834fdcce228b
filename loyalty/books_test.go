package loyalty_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/loyalty"
)

// books is a ledger with a clock that a test moves.
type books struct {
	*loyalty.Ledger
	t   *testing.T
	now time.Time
}

func newBooks(t *testing.T, units ...loyalty.UnitConfig) *books {
	t.Helper()
	b := &books{t: t, now: day("2026-02-01")}
	var err error
	b.Ledger, err = loyalty.New(loyalty.Config{Now: func() time.Time { return b.now }, Units: units})
	require.NoError(t, err)
	return b
}

func (b *books) post(cmds ...loyalty.Command) (r loyalty.Receipt) {
	b.t.Helper()
	for _, cmd := range cmds {
		var err error
		r, err = b.Post(b.t.Context(), cmd)
		require.NoError(b.t, err, "%+v", cmd)
	}
	return r
}

func (b *books) refused(cmd loyalty.Command, want error) {
	b.t.Helper()
	_, err := b.Post(b.t.Context(), cmd)
	require.ErrorIs(b.t, err, want, "%+v", cmd)
}

func (b *books) at(account, date string) loyalty.Balance {
	b.t.Helper()
	got, err := b.Balance(b.t.Context(), account, "", loyalty.AsOf{Effective: day(date)})
	require.NoError(b.t, err)
	return got
}

func (b *books) balance(account string) loyalty.Balance {
	b.t.Helper()
	got, err := b.Balance(b.t.Context(), account, "", loyalty.AsOf{})
	require.NoError(b.t, err)
	return got
}

func TestABackdatedReturnCountsNotBeforeItsPointsCame(t *testing.T) {
	b := newBooks(t)
	b.post(loyalty.Earn{Key: "e", Account: "old", Amount: 100, At: day("2026-01-01")}, loyalty.Earn{Key: "x", Account: "new", Amount: 1})
	b.post(loyalty.Merge{Key: "m", From: "old", Into: "new"})
	b.now = day("2026-02-10")
	r := b.post(loyalty.Return{Key: "r", Award: "e", At: day("2026-01-15")})
	require.Equal(t, day("2026-02-01"), r.Transaction.Effective, "when the lot came to the account that has it")
	require.Equal(t, int64(100), b.at("old", "2026-01-20").Total())
	require.Zero(t, b.at("new", "2026-01-20").Total())
	require.Equal(t, int64(1), b.at("new", "2026-02-01").Total())
}

func TestABackdatedReturnOfWhatExpiredCountsFromTheExpiry(t *testing.T) {
	b := newBooks(t)
	b.post(loyalty.Earn{Key: "e", Account: "m", Amount: 100, At: day("2026-01-01"), Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 10}})
	r := b.post(loyalty.Return{Key: "r", Award: "e", At: day("2026-01-05")})
	require.Equal(t, day("2026-01-12"), r.Transaction.Effective)
	require.Equal(t, int64(100), b.at("m", "2026-01-08").Usable, "they were there")
	require.Zero(t, b.at("m", "2026-01-12").Total())
}

func TestAnAwardThatSettlesADebtCountsFromTheDebt(t *testing.T) {
	b := newBooks(t)
	b.post(
		loyalty.Earn{Key: "e", Account: "m", Amount: 50, At: day("2026-01-01")},
		loyalty.Redeem{Key: "s", Account: "m", Amount: 50},
	)
	b.now = day("2026-02-02")
	b.post(loyalty.Return{Key: "r", Award: "e"})
	b.now = day("2026-02-20")
	late := b.post(loyalty.Earn{Key: "late", Account: "m", Amount: 80, At: day("2026-01-10")})
	require.Equal(t, day("2026-02-02"), late.Transaction.Effective)
	require.Equal(t, day("2026-01-10"), late.Transaction.Opens[0].EarnedAt, "expiry counts from the earning all the same")
	require.Zero(t, b.at("m", "2026-01-20").Debt, "no debt, and no negative one, before it arose")
	require.Equal(t, int64(30), b.balance("m").Total())
}

func TestVestingInThePastExpiresNothingBeforeIt(t *testing.T) {
	b := newBooks(t)
	b.post(loyalty.Earn{
		Key: "e", Account: "m", Amount: 10, At: day("2026-01-01"), UsableFrom: loyalty.Forever,
		Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 5, Clock: loyalty.ClockUsable},
	})
	b.post(loyalty.Vest{Key: "v", Award: "e", UsableFrom: day("2026-01-02")})
	require.Zero(t, b.balance("m").Total(), "its five days are over")
	require.Equal(t, int64(10), b.at("m", "2026-01-20").Total(), "nobody knew until it vested")
	_, err := b.Sweep(t.Context(), b.now, 0)
	require.NoError(t, err)
	require.Equal(t, int64(10), b.at("m", "2026-01-20").Total(), "and a sweep changes no read")
}

func TestAMergeIsSplitOnce(t *testing.T) {
	b := newBooks(t)
	b.post(
		loyalty.Earn{Key: "e", Account: "a", Amount: 10}, loyalty.Earn{Key: "f", Account: "b", Amount: 1},
		loyalty.Earn{Key: "g", Account: "c", Amount: 1},
		loyalty.Merge{Key: "ab", From: "a", Into: "b"}, loyalty.Split{Key: "s1", Merge: "ab"},
		loyalty.Earn{Key: "h", Account: "a", Amount: 5},
		loyalty.Merge{Key: "ac", From: "a", Into: "c"},
	)
	b.refused(loyalty.Split{Key: "s2", Merge: "ab"}, loyalty.ErrReversed)
	require.Equal(t, int64(16), b.balance("c").Total())
	b.post(loyalty.Split{Key: "s3", Merge: "ac"})
	require.Equal(t, int64(15), b.balance("a").Total())
	require.Equal(t, int64(1), b.balance("c").Total())
}

func TestASplitReturnsTheDebtWithTheAccount(t *testing.T) {
	b := newBooks(t)
	b.post(
		loyalty.Earn{Key: "e", Account: "a", Amount: 40}, loyalty.Redeem{Key: "s", Account: "a", Amount: 40}, loyalty.Return{Key: "r", Award: "e"},
		loyalty.Earn{Key: "f", Account: "b", Amount: 100},
		loyalty.Merge{Key: "m", From: "a", Into: "b"},
	)
	require.Equal(t, int64(40), b.balance("b").Debt)
	b.post(loyalty.Earn{Key: "g", Account: "b", Amount: 15}) // settles a part
	b.post(loyalty.Split{Key: "u", Merge: "m"})
	require.Zero(t, b.balance("b").Debt, "what others bought is not paid with it")
	require.Equal(t, int64(25), b.balance("a").Debt)
	_, err := b.Verify(t.Context(), loyalty.Anchor{})
	require.NoError(t, err)
}

func TestMergesOfMergesSplitInAnyOrder(t *testing.T) {
	for _, order := range [][]string{{"ab", "bc"}, {"bc", "ab"}} {
		b := newBooks(t)
		b.post(
			loyalty.Earn{Key: "a", Account: "A", Amount: 1}, loyalty.Earn{Key: "b", Account: "B", Amount: 10}, loyalty.Earn{Key: "c", Account: "C", Amount: 100},
			loyalty.Merge{Key: "ab", From: "A", Into: "B"}, loyalty.Merge{Key: "bc", From: "B", Into: "C"},
		)
		require.Equal(t, int64(111), b.balance("C").Total())
		for _, m := range order {
			b.post(loyalty.Split{Key: "split-" + m, Merge: m})
		}
		for account, want := range map[string]int64{"A": 1, "B": 10, "C": 100} {
			require.Equal(t, want, b.balance(account).Total(), "%s after %v", account, order)
		}
	}
}

func TestAReversalIsNotReversed(t *testing.T) {
	b := newBooks(t)
	b.post(
		loyalty.Earn{Key: "e", Account: "m", Amount: 10}, loyalty.Redeem{Key: "s", Account: "m", Amount: 4},
		loyalty.Reverse{Key: "r", Of: "s"},
	)
	b.refused(loyalty.Reverse{Key: "rr", Of: "r"}, loyalty.ErrNotReversible)
	b.refused(loyalty.Reverse{Key: "r2", Of: "s"}, loyalty.ErrReversed)
	require.Equal(t, int64(10), b.balance("m").Total())
}

func TestACaptureOfAnExpiredPinIsGivenBackByCause(t *testing.T) {
	for _, cause := range []loyalty.Cause{loyalty.ByMerchant, loyalty.ByCustomer} {
		b := newBooks(t)
		b.post(
			loyalty.Earn{Key: "e", Account: "m", Amount: 10, Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 3}},
			loyalty.Hold{Key: "h", Account: "m", Amount: 8, Until: day("2026-03-01")},
		)
		b.now = day("2026-02-20") // the lot is over, what the hold pins is not
		require.Equal(t, loyalty.Balance{Account: "m", Unit: "points", Usable: 8, Held: 8}, b.balance("m"))
		b.post(loyalty.Capture{Key: "c", Hold: "h", Amount: 5})
		b.refused(loyalty.Reverse{Key: "r", Of: "c"}, loyalty.ErrCauseRequired)
		b.post(loyalty.Reverse{Key: "r", Of: "c", Cause: cause})
		b.now = day("2026-03-01") // the hold has timed out
		if cause == loyalty.ByCustomer {
			require.Zero(t, b.balance("m").Total())
			continue
		}
		require.Equal(t, int64(8), b.balance("m").Available(), "for thirty days, with what was still pinned of the lot")
		b.now = day("2026-03-23")
		require.Zero(t, b.balance("m").Total())
	}
}

func TestSumsStayWithinInt64(t *testing.T) {
	b := newBooks(t)
	lots := make([]loyalty.ImportLot, 2049)
	for i := range lots {
		lots[i] = loyalty.ImportLot{Amount: loyalty.MaxAmount, EarnedAt: day("2026-01-01")}
	}
	b.refused(loyalty.Import{Key: "i", Account: "fresh", Lots: lots}, loyalty.ErrOverflow)
	b.post(loyalty.Import{Key: "j", Account: "a", Lots: lots[:2000]}, loyalty.Earn{Key: "e", Account: "b", Amount: 1})
	b.post(loyalty.Merge{Key: "m", From: "a", Into: "b"}, loyalty.Split{Key: "s", Merge: "m"})
	b.post(loyalty.Merge{Key: "m2", From: "a", Into: "b"})
	b.refused(loyalty.Import{Key: "k", Account: "b", Lots: lots[:100]}, loyalty.ErrOverflow)
	require.Equal(t, int64(2000*loyalty.MaxAmount+1), b.balance("b").Total())
}

func TestInsufficientSaysHowMuchIsOwed(t *testing.T) {
	b := newBooks(t)
	b.post(
		loyalty.Earn{Key: "e", Account: "m", Amount: 40}, loyalty.Redeem{Key: "s", Account: "m", Amount: 40}, loyalty.Return{Key: "r", Award: "e"},
	)
	_, err := b.Post(t.Context(), loyalty.Redeem{Key: "s2", Account: "m", Amount: 1})
	var short *loyalty.InsufficientError
	require.ErrorAs(t, err, &short)
	require.Equal(t, int64(-40), short.Available)
}

// TestLineReturnsSumToTheAward returns the lines of random awards piece by piece
// in random order and cuts: whatever they are, each line gives back what it gave.
func TestLineReturnsSumToTheAward(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := newBooks(t)
		award := loyalty.Earn{Key: "e", Account: "m"}
		left := map[string]int64{}
		for _, line := range []string{"1", "2", "3"} {
			l := loyalty.EarnLine{Line: line, Amount: 1 + r.Int64N(500), Basis: 1 + r.Int64N(1000)}
			award.Lines = append(award.Lines, l)
			left[line] = l.Basis
		}
		b.post(award)
		if r.IntN(2) == 0 { // some of it is spent: the rest becomes a debt
			b.post(loyalty.Redeem{Key: "s", Account: "m", Amount: 1 + r.Int64N(3)})
		}
		for n := 0; len(left) > 0; n++ {
			line := award.Lines[r.IntN(3)].Line
			if left[line] == 0 {
				continue
			}
			cut := min(left[line], 1+r.Int64N(300))
			b.post(loyalty.Return{Key: "r" + time.Duration(n).String(), Award: "e", Lines: []loyalty.ReturnLine{{Line: line, Basis: cut}}})
			got, err := b.Award(t.Context(), "e")
			require.NoError(t, err)
			for _, l := range got.Lines {
				require.LessOrEqual(t, l.Returned, l.Amount, "seed %d", seed)
			}
			if left[line] -= cut; left[line] == 0 {
				delete(left, line)
			}
		}
		got, err := b.Award(t.Context(), "e")
		require.NoError(t, err)
		for _, l := range got.Lines {
			require.Equal(t, l.Amount, l.Returned, "seed %d, line %s", seed, l.Line)
		}
		spent := int64(0)
		if s, err := b.Lookup(t.Context(), "s"); err == nil {
			spent = -s.Moves()[0].Amount
		} else {
			require.True(t, errors.Is(err, loyalty.ErrNotFound))
		}
		require.Equal(t, -spent, b.balance("m").Total(), "seed %d", seed)
		b.refused(loyalty.Return{Key: "more", Award: "e"}, loyalty.ErrReversed)
	}
}

func TestReinstatedLotsOfSeveralUnitsShowInTheReceipt(t *testing.T) {
	week := loyalty.Expiry{Kind: loyalty.ExpireDays, N: 7}
	b := newBooks(t,
		loyalty.UnitConfig{Unit: loyalty.Points, Expiry: week, ReinstateDays: 10}, loyalty.UnitConfig{Unit: "stamps", Expiry: week, ReinstateDays: 10})
	b.post(loyalty.Earn{Key: "p", Account: "m", Amount: 5}, loyalty.Earn{Key: "s", Account: "m", Unit: "stamps", Amount: 2})
	b.now = day("2026-02-12")
	r := b.post(loyalty.Reinstate{Key: "r", Account: "m", Lots: []string{"p~1", "s~1"}, Until: day("2026-03-01")})
	require.Len(t, r.Balances, 2)
	require.Equal(t, int64(5), r.Balances[0].Usable)
	require.Equal(t, int64(2), r.Balances[1].Usable)
}

func TestARetriedAwardWhoseLotAHoldKeptOpenIsTheFirstResult(t *testing.T) {
	b := newBooks(t)
	award := loyalty.Earn{
		Key: "award", Account: "m1", Amount: 30, At: day("2026-01-27"),
		Expiry: loyalty.Expiry{Kind: loyalty.ExpireDays, N: 15},
	}
	first := b.post(award)
	b.post(loyalty.Hold{Key: "held", Account: "m1", Amount: 7, Until: day("2026-03-01")})
	b.now = day("2026-02-20")
	again := b.post(award)
	require.True(t, again.Replayed)
	require.Equal(t, first.Transaction, again.Transaction)
	require.Equal(t, int64(7), b.balance("m1").Held)
}

func TestPointsOfAReturnedOrderAreNotKeptByReversingWhatTheyBought(t *testing.T) {
	year := loyalty.Expiry{Kind: loyalty.ExpireOnDate, Date: day("2026-12-31")}
	spentAndReturned := func(t *testing.T, policy loyalty.Shortfall) *books {
		b := newBooks(t, loyalty.UnitConfig{Unit: loyalty.Points, Shortfall: policy, Expiry: year})
		b.post(
			loyalty.Earn{Key: "e", Account: "m", Amount: 100},
			loyalty.Redeem{Key: "spent", Account: "m", Amount: 100},
			loyalty.Return{Key: "r", Award: "e"},
		)
		return b
	}
	t.Run("forgiven", func(t *testing.T) {
		b := spentAndReturned(t, loyalty.Clamp)
		b.post(loyalty.Reverse{Key: "1", Of: "spent", Amount: 30})
		require.Zero(t, b.balance("m").Total())
		b.post(loyalty.Reverse{Key: "2", Of: "spent"})
		require.Zero(t, b.balance("m").Total())
		b.refused(loyalty.Reverse{Key: "3", Of: "spent"}, loyalty.ErrReversed)
	})
	t.Run("owed: the debt does not stay when the points expire", func(t *testing.T) {
		b := spentAndReturned(t, loyalty.Owe)
		require.Equal(t, int64(100), b.balance("m").Debt)
		b.post(loyalty.Reverse{Key: "1", Of: "spent", Amount: 30})
		require.Equal(t, loyalty.Balance{Account: "m", Unit: loyalty.Points, Debt: 70}, b.balance("m"))
		b.now = day("2027-02-01")
		b.post(loyalty.Reverse{Key: "2", Of: "spent", Cause: loyalty.ByCustomer})
		require.Zero(t, b.balance("m").Total())
	})
	t.Run("owed and paid by a later award: they come back", func(t *testing.T) {
		b := spentAndReturned(t, loyalty.Owe)
		b.post(loyalty.Earn{Key: "pays", Account: "m", Amount: 80}, loyalty.Reverse{Key: "1", Of: "spent"})
		require.Equal(t, loyalty.Balance{Account: "m", Unit: loyalty.Points, Usable: 80}, b.balance("m"))
	})
	t.Run("after a merge", func(t *testing.T) {
		b := newBooks(t)
		b.post(
			loyalty.Earn{Key: "e", Account: "old", Amount: 100},
			loyalty.Redeem{Key: "spent", Account: "old", Amount: 60},
			loyalty.Merge{Key: "m", From: "old", Into: "new"},
			loyalty.Redeem{Key: "more", Account: "new", Amount: 40},
			loyalty.Return{Key: "r", Award: "e"},
		)
		require.Equal(t, int64(100), b.balance("new").Debt)
		b.post(loyalty.Reverse{Key: "1", Of: "spent"}, loyalty.Reverse{Key: "2", Of: "more"})
		require.Equal(t, loyalty.Balance{Account: "new", Unit: loyalty.Points}, b.balance("new"))
		require.Zero(t, b.balance("old").Total())
	})
	t.Run("points that were passed on are the receiver's", func(t *testing.T) {
		b := newBooks(t)
		b.post(
			loyalty.Earn{Key: "e", Account: "m", Amount: 100},
			loyalty.Transfer{Key: "gift", From: "m", To: "friend", Amount: 100},
			loyalty.Redeem{Key: "spent", Account: "friend", Amount: 100},
			loyalty.Return{Key: "r", Award: "e"},
			loyalty.Reverse{Key: "1", Of: "spent"},
		)
		require.Equal(t, int64(100), b.balance("friend").Available())
		require.Equal(t, int64(100), b.balance("m").Debt)
	})
	t.Run("the books tie", func(t *testing.T) {
		b := spentAndReturned(t, loyalty.Owe)
		b.post(loyalty.Reverse{Key: "1", Of: "spent"})
		moves, err := b.Movements(t.Context(), day("2026-01-01"), day("2026-03-01"), time.Time{})
		require.NoError(t, err)
		require.Equal(t, []loyalty.Movement{{Unit: loyalty.Points, Earned: 100, Returned: -100, Redeemed: -100, Restored: 100}}, moves)
		_, err = b.Verify(t.Context(), loyalty.Anchor{})
		require.NoError(t, err)
	})
}
