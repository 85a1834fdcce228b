package loyaltytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// TestHistory posts a random history of commands to a ledger on s, checks the
// invariants given (none: all) as it goes, and returns what was answered, line
// by line. The same seed and invariants give the same lines on every correct store.
func TestHistory(t testing.TB, seed uint64, commands int, s loyalty.Store, check ...Invariant) []string {
	t.Helper()
	h := newHistory(t, seed, s)
	if len(check) > 0 {
		h.check = check
	}
	for range commands {
		h.step()
	}
	h.finish()
	return h.log
}

// TestSweeps posts one random history three times: without a sweep, with
// sweeps of everything, and with sweeps of one account at a time. The answers
// must be the same: a sweep only records.
func TestSweeps(t testing.TB, seed uint64, commands int, open func() loyalty.Store) {
	t.Helper()
	var first []string
	for mode := range 3 {
		h := newHistory(t, seed, open())
		h.check = []Invariant{BalanceIsLots}
		for range commands {
			h.step()
			h.log[len(h.log)-1], _, _ = strings.Cut(h.log[len(h.log)-1], " @ ")
			var err error
			switch mode {
			case 1:
				_, err = h.ledger.Sweep(ctx, h.now, 0)
			case 2:
				_, err = h.ledger.Sweep(ctx, h.now, 1)
			}
			h.must(err)
		}
		h.log = append(h.log, fmt.Sprintf("%+v", *h.view()))
		if mode == 0 {
			first = h.log
		}
		for i := range first {
			if h.log[i] != first[i] {
				h.fatalf("with sweeps in mode %d\n%s\nwithout\n%s", mode, h.log[i], first[i])
			}
		}
	}
}

// maxDebt is the floor of the unit that owes.
const maxDebt = 60

var units = []loyalty.UnitConfig{
	{Unit: loyalty.Points, Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 2}, Shortfall: loyalty.Owe, MaxDebt: maxDebt},
	{Unit: "stamps", Expiry: loyalty.Expiry{Kind: loyalty.ExpireIdleDays, N: 25}, Shortfall: loyalty.Clamp, ReinstateDays: 20},
	{Unit: "credit/CNY", Shortfall: loyalty.Refuse},
}

var policies = []loyalty.Expiry{
	{},
	{},
	{},
	{Kind: loyalty.ExpireNever},
	{Kind: loyalty.ExpireDays, N: 10},
	{Kind: loyalty.ExpireDays, N: 15, Clock: loyalty.ClockUsable},
	{Kind: loyalty.ExpireEndOfMonth},
	{Kind: loyalty.ExpireEndOfQuarter},
	{Kind: loyalty.ExpireEndOfYear},
	{Kind: loyalty.ExpireAnniversary, N: 1, Date: base},
	{Kind: loyalty.ExpireIdleMonths, N: 1},
}

type history struct {
	t       testing.TB
	seed    uint64
	check   []Invariant
	r       *rand.Rand
	now     time.Time
	store   loyalty.Store
	ledger  *loyalty.Ledger
	log     []string
	n       int
	posted  []posted
	awards  []string
	spent   []string // keys of redemptions, captures, adjustments, transfers
	holds   []string
	merges  []string
	probes  []probe
	lots    []loyalty.LotKey
	anchors []loyalty.Anchor
}

type posted struct {
	cmd     loyalty.Command
	receipt loyalty.Receipt
}

type probe struct {
	account string
	unit    loyalty.Unit
	at      loyalty.AsOf
	answer  string
}

var accounts = []string{"m0", "m1", "m2", "m3", "pool"}

func newHistory(t testing.TB, seed uint64, s loyalty.Store) *history {
	h := &history{
		t: t, seed: seed, check: Invariants(), r: rand.New(rand.NewPCG(seed, 7)), store: s,
		now: time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC),
	}
	zone := time.FixedZone("shop", 8*3600)
	l, err := loyalty.New(loyalty.Config{
		Store: s, Now: func() time.Time { return h.now }, Zone: zone, Units: units, MinimumValidity: 5,
		Program: fmt.Sprint("history", seed), Cache: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.ledger = l
	h.note("opened")
	h.post(loyalty.OpenPool{Key: "open", Account: "pool"})
	return h
}

func (h *history) fatalf(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("seed %d, command %d: %s", h.seed, h.n, fmt.Sprintf(format, args...))
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.fatalf("%v", err)
	}
}

func (h *history) checks(i Invariant) bool { return slices.Contains(h.check, i) }

func (h *history) chance(percent int) bool { return h.r.IntN(100) < percent }

func pick[T any](h *history, from []T) (one T) {
	if len(from) == 0 {
		return one
	}
	return from[h.r.IntN(len(from))]
}

func (h *history) account() string { return pick(h, accounts) }

func (h *history) unit() loyalty.Unit { return units[h.r.IntN(len(units))].Unit }

// key is mostly new.
func (h *history) key() string { return fmt.Sprint("k", h.n) }

// past is a time not long ago, or zero.
func (h *history) past() time.Time {
	if h.chance(70) {
		return time.Time{}
	}
	return h.now.Add(-time.Duration(h.r.IntN(20*24)) * time.Hour)
}

func (h *history) step() {
	h.n++
	switch {
	case h.chance(60):
		h.now = h.now.Add(time.Duration(h.r.IntN(36)) * time.Hour)
	case h.chance(8):
		h.now = h.now.Add(time.Duration(h.r.IntN(40*24)) * time.Hour)
	case h.chance(30):
		h.now = h.now.Add(time.Duration(h.r.IntN(1000)) * time.Microsecond)
	}
	switch n := h.r.IntN(100); {
	case n < 6 && h.checks(SweepChangesNone):
		h.sweep()
	case n < 12 && h.checks(SameKeySameResult):
		h.retry()
	case n < 16 && h.checks(AsOfIsFixed):
		h.ask()
	case n < 19 && h.checks(BooksAtAnyTime):
		h.lookBack()
	case n < 23 && h.checks(ReverseRestores):
		h.redeemAndReverse()
	case n < 24 && h.checks(ChainVerifies) && len(h.anchors) < 3:
		a, err := h.ledger.Anchor(ctx)
		h.must(err)
		h.anchors = append(h.anchors, a)
	default:
		h.post(h.command())
	}
}

func (h *history) command() loyalty.Command {
	key, account, unit := h.key(), h.account(), h.unit()
	amount := int64(1 + h.r.IntN(40))
	switch n := h.r.IntN(100); {
	case n < 30:
		return h.earn(key, account, unit)
	case n < 45:
		return loyalty.Redeem{Key: key, Account: account, Unit: unit, Amount: amount, Order: "o" + key}
	case n < 52:
		hold := loyalty.Hold{Key: key, Account: account, Unit: unit, Amount: amount}
		if h.chance(70) {
			hold.Until = h.now.Add(time.Duration(1+h.r.IntN(30*24)) * time.Hour)
		}
		return hold
	case n < 57:
		return loyalty.Capture{Key: key, Hold: h.some(h.holds), Amount: int64(h.r.IntN(15))}
	case n < 60:
		return loyalty.Release{Key: key, Hold: h.some(h.holds), Amount: int64(h.r.IntN(15))}
	case n < 68:
		back := loyalty.Return{Key: key, Award: h.some(h.awards), At: h.past()}
		if h.chance(60) {
			back.Lines = []loyalty.ReturnLine{{Line: pick(h, []string{"1", "2", ""}), Basis: int64(h.r.IntN(30))}}
		}
		return back
	case n < 75:
		return loyalty.Reverse{
			Key: key, Of: h.some(append(slices.Clone(h.spent), h.awards...)), Cause: pick(h, []loyalty.Cause{"", loyalty.ByMerchant, loyalty.ByCustomer}),
			Amount: int64(max(0, h.r.IntN(20)-10)),
		}
	case n < 79:
		return loyalty.Vest{Key: key, Award: h.some(h.awards), UsableFrom: h.now.Add(time.Duration(h.r.IntN(700)-600) * time.Hour)}
	case n < 86:
		return loyalty.Transfer{Key: key, From: account, To: h.account(), Unit: unit, Amount: amount}
	case n < 90:
		if !h.chance(50) {
			amount = -amount
		}
		return loyalty.Adjust{Key: key, Account: account, Unit: unit, Amount: amount, Reason: "test", Actor: "me", At: h.past()}
	case n < 92:
		return loyalty.Import{Key: key, Account: account, Unit: unit, Lots: []loyalty.ImportLot{
			{Amount: amount, EarnedAt: h.now.AddDate(0, -1, 0), Expires: h.now.Add(time.Duration(h.r.IntN(900)-100) * time.Hour)},
			{Amount: 3, EarnedAt: h.now.AddDate(-1, 0, 0), Order: "old"},
		}}
	case n < 94:
		return loyalty.Merge{Key: key, From: account, Into: h.account()}
	case n < 96:
		return loyalty.Split{Key: key, Merge: h.some(h.merges)}
	case n < 98:
		return loyalty.Extend{Key: key, Account: account, Unit: unit, Until: h.now.Add(time.Duration(h.r.IntN(1000)) * time.Hour)}
	}
	lot := loyalty.LotKey{Account: account, Lot: "none"}
	if len(h.lots) > 0 {
		lot = pick(h, h.lots)
	}
	return loyalty.Reinstate{Key: key, Account: lot.Account, Lots: []string{lot.Lot}, Until: h.now.Add(72 * time.Hour)}
}

func (h *history) some(keys []string) string {
	if len(keys) == 0 || h.chance(3) {
		return "nowhere"
	}
	return keys[len(keys)-1-h.r.IntN(min(len(keys), 12))]
}

func (h *history) earn(key, account string, unit loyalty.Unit) loyalty.Earn {
	e := loyalty.Earn{
		Key: key, Account: account, Unit: unit, At: h.past(), Expiry: pick(h, policies), Order: "o" + key, Rule: "r@1", UnitCost: 5,
	}
	switch h.r.IntN(4) {
	case 0:
		e.UsableFrom = loyalty.Forever
	case 1:
		e.UsableFrom = h.now.Add(time.Duration(h.r.IntN(600)-300) * time.Hour)
	}
	if h.chance(50) {
		e.Amount = int64(1 + h.r.IntN(60))
		return e
	}
	e.Lines = []loyalty.EarnLine{
		{Line: "1", Amount: int64(1 + h.r.IntN(50)), Basis: int64(1 + h.r.IntN(50))},
		{Line: "2", Amount: int64(h.r.IntN(50)), Basis: int64(h.r.IntN(50))},
	}
	return e
}

// conditions are the errors that a command may meet.
var conditions = []error{
	loyalty.ErrInvalid, loyalty.ErrInsufficient, loyalty.ErrNotFound, loyalty.ErrHoldOver, loyalty.ErrReversed, loyalty.ErrNotReversible,
	loyalty.ErrCauseRequired, loyalty.ErrShortfall, loyalty.ErrMerged, loyalty.ErrOpenHolds, loyalty.ErrKeyReused,
}

func (h *history) post(cmd loyalty.Command) (loyalty.Receipt, error) {
	h.t.Helper()
	var before *view
	if h.chance(20) && h.checks(RejectedIsNothing) {
		before = h.view()
	}
	r, err := h.ledger.Post(ctx, cmd)
	if err != nil {
		if !slices.ContainsFunc(conditions, func(c error) bool { return errors.Is(err, c) }) {
			h.fatalf("%T: %v", cmd, err)
		}
		h.note("%T: %v", cmd, err)
		if before != nil {
			h.same("a rejected command", before)
		}
		return r, err
	}
	h.note("%s @ %s", r, r.Transaction.Links[0].Hash)
	h.posted = append(h.posted, posted{cmd, r})
	h.checkReceipt(r)
	t := &r.Transaction
	for i := range t.Opens {
		h.lots = append(h.lots, loyalty.LotKey{Account: t.Opens[i].Account, Lot: t.Opens[i].ID})
	}
	switch t.Kind {
	case loyalty.KindEarn, loyalty.KindImport:
		h.awards = append(h.awards, t.Key)
	case loyalty.KindRedeem, loyalty.KindCapture, loyalty.KindTransfer:
		h.spent = append(h.spent, t.Key)
	case loyalty.KindAdjust:
		h.spent = append(h.spent, t.Key)
	case loyalty.KindHold:
		h.holds = append(h.holds, t.Key)
	case loyalty.KindMerge:
		h.merges = append(h.merges, t.Key)
	}
	return r, err
}

func (h *history) note(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf("%d %s ", h.n, h.now.Format(time.RFC3339Nano))+fmt.Sprintf(format, args...))
}
