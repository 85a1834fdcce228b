package loyaltytest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// Invariant names one promise of the ledger that [TestHistory] checks.
type Invariant string

// The invariants.
const (
	EntriesSumToZero  Invariant = "the entries of a transaction sum to zero per unit"
	BalanceIsFold     Invariant = "a balance is the fold of the entries"
	BalanceIsLots     Invariant = "a balance is usable and pending lots less debt"
	LotsAddUp         Invariant = "a lot is what remains and what went where"
	AboveFloor        Invariant = "available is not below its floor"
	HoldPartsSum      Invariant = "the parts of a hold sum to it"
	SameKeySameResult Invariant = "the same key gives the same result"
	ReturnsSumToAward Invariant = "returns by line sum to the award"
	ReverseRestores   Invariant = "redeem then reverse restores the lots"
	AsOfIsFixed       Invariant = "an answer as of a known time never changes"
	BooksAtAnyTime    Invariant = "as of any instant lots and entries make the balance"
	SweepChangesNone  Invariant = "a sweep changes no read"
	MovementsTie      Invariant = "opening and movements make closing"
	PoolIsItsFlows    Invariant = "a pool is its contributions less its uses"
	RejectedIsNothing Invariant = "a rejected command changes nothing"
	ChainVerifies     Invariant = "the chain verifies against every anchor"
)

// Invariants lists them all.
func Invariants() []Invariant {
	return []Invariant{
		EntriesSumToZero, BalanceIsFold, BalanceIsLots, LotsAddUp, AboveFloor, HoldPartsSum, SameKeySameResult, ReturnsSumToAward,
		ReverseRestores, AsOfIsFixed, BooksAtAnyTime, SweepChangesNone, MovementsTie, PoolIsItsFlows, RejectedIsNothing, ChainVerifies,
	}
}

func (h *history) checkReceipt(r loyalty.Receipt) {
	h.t.Helper()
	if h.checks(EntriesSumToZero) {
		sums := map[loyalty.Unit]int64{}
		for _, e := range r.Transaction.Entries {
			sums[e.Unit] += e.Amount
			if e.Amount == 0 {
				h.fatalf("an entry of nothing")
			}
		}
		for u, sum := range sums {
			if sum != 0 {
				h.fatalf("entries of %s sum to %d", u, sum)
			}
		}
	}
	for _, b := range r.Balances {
		h.checkBalance(b)
		h.checkAccount(b.Account, b.Unit)
	}
}

// checkBalance compares the balance of a receipt with what is read.
func (h *history) checkBalance(b loyalty.Balance) {
	h.t.Helper()
	if !h.checks(BalanceIsLots) {
		return
	}
	got, err := h.ledger.Balance(ctx, b.Account, b.Unit, loyalty.AsOf{})
	h.must(err)
	if got != b {
		h.fatalf("the receipt says %+v, the balance is %+v", b, got)
	}
}

// checkAccount checks what is there now of a unit.
func (h *history) checkAccount(account string, unit loyalty.Unit) {
	h.t.Helper()
	if !h.checks(BalanceIsLots) && !h.checks(LotsAddUp) && !h.checks(AboveFloor) && !h.checks(HoldPartsSum) {
		return
	}
	b, err := h.ledger.Balance(ctx, account, unit, loyalty.AsOf{})
	h.must(err)
	lots, err := h.ledger.Lots(ctx, account, unit, loyalty.AsOf{})
	h.must(err)
	var usable, pending, held int64
	for i := range lots {
		l := &lots[i]
		if h.checks(LotsAddUp) {
			h.checkLot(l)
		}
		held += l.Held
		if l.UsableFrom.After(h.now) {
			pending += l.Remaining
		} else {
			usable += l.Remaining
		}
		if !l.Expires.After(h.now) && l.Held != l.Remaining {
			h.fatalf("lot %s is expired and still there", l.ID)
		}
		if i > 0 && lots[i-1].Expires.After(l.Expires) {
			h.fatalf("lots are out of the order of consumption")
		}
	}
	if h.checks(BalanceIsLots) && (b.Usable != usable || b.Pending != pending || b.Held != held || b.Total() != usable+pending-b.Debt) {
		h.fatalf("balance %+v, lots have %d usable, %d pending, %d held", b, usable, pending, held)
	}
	if h.checks(AboveFloor) {
		h.checkFloor(b)
	}
	if h.checks(HoldPartsSum) {
		h.checkHolds(account, unit, held)
	}
}

// checkFloor: where a unit owes, what is owed is bounded by member, and merges
// add it up; elsewhere nothing is owed.
func (h *history) checkFloor(b loyalty.Balance) {
	h.t.Helper()
	floor := int64(0)
	if b.Unit == loyalty.Points {
		floor = -maxDebt * int64(len(accounts))
	}
	if b.Debt < 0 || b.Available() < floor || b.Held > b.Usable {
		h.fatalf("balance %+v is below its floor", b)
	}
}

func (h *history) checkHolds(account string, unit loyalty.Unit, held int64) {
	h.t.Helper()
	holds, err := h.ledger.Holds(ctx, account, loyalty.AsOf{})
	h.must(err)
	var pinned int64
	for i := range holds {
		var pins int64
		for _, p := range holds[i].Pins {
			pins += p.Amount
		}
		if pins != holds[i].Open() || pins <= 0 {
			h.fatalf("hold %+v: its parts do not sum to it", holds[i])
		}
		if holds[i].Unit == unit {
			pinned += pins
		}
	}
	if pinned != held {
		h.fatalf("holds pin %d, lots say %d", pinned, held)
	}
}

func (h *history) checkLot(l *loyalty.Lot) {
	h.t.Helper()
	for _, n := range []int64{
		l.Remaining, l.Held, l.Redeemed, l.Expired, l.Clawed, l.Transferred, l.Adjusted, l.BasisReturned, l.Returned,
		l.Remaining - l.Held, l.Original - l.Remaining, l.Basis - l.BasisReturned,
	} {
		if n < 0 {
			h.fatalf("lot %+v", *l)
		}
	}
	if l.Original != l.Remaining+l.Redeemed+l.Expired+l.Clawed+l.Transferred+l.Adjusted {
		h.fatalf("lot %+v does not add up", *l)
	}
}

// view is everything that reads show at a moment.
type view struct {
	balances []loyalty.Balance
	lots     []loyalty.Lot
	holds    []loyalty.Reservation
}

func (h *history) view() *view {
	h.t.Helper()
	v := new(view)
	for _, account := range accounts {
		for _, u := range units {
			bal, err := h.ledger.Balance(ctx, account, u.Unit, loyalty.AsOf{})
			h.must(err)
			v.balances = append(v.balances, bal)
			lots, err := h.ledger.Lots(ctx, account, u.Unit, loyalty.AsOf{})
			h.must(err)
			v.lots = append(v.lots, lots...)
		}
		holds, err := h.ledger.Holds(ctx, account, loyalty.AsOf{})
		h.must(err)
		v.holds = append(v.holds, holds...)
	}
	return v
}

func (v *view) equal(o *view) bool {
	return slices.Equal(v.balances, o.balances) && slices.Equal(v.lots, o.lots) &&
		slices.EqualFunc(v.holds, o.holds, func(a, b loyalty.Reservation) bool {
			return fmt.Sprint(a) == fmt.Sprint(b)
		})
}

func (h *history) same(what string, before *view) {
	h.t.Helper()
	if after := h.view(); !after.equal(before) {
		h.fatalf("%s changed reads from\n%+v\nto\n%+v", what, *before, *after)
	}
}

func (h *history) sweep() {
	h.t.Helper()
	account, unit := h.account(), h.unit()
	past := probe{account: account, unit: unit, at: loyalty.AsOf{Effective: h.now.Add(-time.Duration(h.r.IntN(800)) * time.Hour)}}
	past.answer = h.answer(past)
	before := h.view()
	st, err := h.ledger.Statement(ctx, account, unit, time.Time{}.AddDate(1, 0, 0), h.now.Add(time.Hour), time.Time{})
	h.must(err)
	n, err := h.ledger.Sweep(ctx, h.now.Add(-time.Duration(h.r.IntN(48))*time.Hour), h.r.IntN(4))
	h.must(err)
	h.note("swept %d", n)
	h.same("a sweep", before)
	after, err := h.ledger.Statement(ctx, account, unit, time.Time{}.AddDate(1, 0, 0), h.now.Add(time.Hour), time.Time{})
	h.must(err)
	if fmt.Sprint(st) != fmt.Sprint(after) {
		h.fatalf("a sweep changed a statement from\n%+v\nto\n%+v", st, after)
	}
	h.again(past)
}

func (h *history) retry() {
	h.t.Helper()
	if len(h.posted) == 0 {
		return
	}
	p := pick(h, h.posted)
	before := h.view()
	r, err := h.ledger.Post(ctx, p.cmd)
	h.must(err)
	if !r.Replayed || fmt.Sprint(r.Transaction, r.Balances) != fmt.Sprint(p.receipt.Transaction, p.receipt.Balances) {
		h.fatalf("the same key gave\n%+v\nafter\n%+v", r, p.receipt)
	}
	_, err = h.ledger.Post(ctx, loyalty.Adjust{Key: p.receipt.Transaction.Key, Account: "m0", Amount: 1, Reason: "x", Actor: "y"})
	if !errors.Is(err, loyalty.ErrKeyReused) {
		h.fatalf("a key was used twice: %v", err)
	}
	h.same("a retry", before)
}

// ask notes an answer as of two times and asks an earlier one again.
func (h *history) ask() {
	h.t.Helper()
	p := probe{account: h.account(), unit: h.unit()}
	p.at.Known = h.now.Add(-time.Duration(h.r.IntN(3)*h.r.IntN(200)) * time.Hour)
	p.at.Effective = h.now.Add(time.Duration(h.r.IntN(400)-300) * time.Hour)
	p.answer = h.answer(p)
	h.note("%s", p.answer)
	h.probes = append(h.probes, p)
	h.again(pick(h, h.probes))
}

// lookBack checks what reads as of an instant, mostly past, say: they show a
// state of the books that could have been, and the entries up to then make it.
func (h *history) lookBack() {
	h.t.Helper()
	account, unit := h.account(), h.unit()
	at := loyalty.AsOf{Effective: h.now.Add(time.Duration(h.r.IntN(1200)-1000) * time.Hour)}
	b, err := h.ledger.Balance(ctx, account, unit, at)
	h.must(err)
	lots, err := h.ledger.Lots(ctx, account, unit, at)
	h.must(err)
	st, err := h.ledger.Statement(ctx, account, unit, time.Time{}.AddDate(1, 0, 0), at.Effective.Add(time.Microsecond), time.Time{})
	h.must(err)
	if b.Total() != st.Closing {
		h.fatalf("as of %s the balance of %s is %+v, its entries sum to %d", at.Effective, account, b, st.Closing)
	}
	if b.Debt < 0 || b.Usable < 0 || b.Pending < 0 || b.Held < 0 || b.Held > b.Usable {
		h.fatalf("as of %s the balance of %s is %+v", at.Effective, account, b)
	}
	var sum int64
	for i := range lots {
		h.checkLot(&lots[i])
		sum += lots[i].Remaining
	}
	if sum != b.Usable+b.Pending {
		h.fatalf("as of %s the balance of %s is %+v, its lots hold %d", at.Effective, account, b, sum)
	}
	h.note("as of %s: %s", at.Effective.Format(time.RFC3339), b)
}

func (h *history) answer(p probe) string {
	h.t.Helper()
	b, err := h.ledger.Balance(ctx, p.account, p.unit, p.at)
	h.must(err)
	lots, err := h.ledger.Lots(ctx, p.account, p.unit, p.at)
	h.must(err)
	return fmt.Sprint(b, lots)
}

func (h *history) again(p probe) {
	h.t.Helper()
	if got := h.answer(p); got != p.answer {
		h.fatalf("as of %+v was\n%s\nand is now\n%s", p.at, p.answer, got)
	}
}

func (h *history) redeemAndReverse() {
	h.t.Helper()
	account, unit := h.account(), h.unit()
	lots, err := h.ledger.Lots(ctx, account, unit, loyalty.AsOf{})
	h.must(err)
	key := h.key()
	r, err := h.post(loyalty.Redeem{Key: key, Account: account, Unit: unit, Amount: int64(1 + h.r.IntN(30))})
	if err != nil {
		return
	}
	h.now = h.now.Add(time.Microsecond)
	back, err := h.post(loyalty.Reverse{Key: key + "-back", Of: key})
	if errors.Is(err, loyalty.ErrCauseRequired) {
		return
	}
	h.must(err)
	reclaimed := func(e loyalty.Entry) bool { return e.Book == loyalty.BookDebt || e.Book == loyalty.BookIssuer }
	if slices.ContainsFunc(back.Transaction.Entries, reclaimed) {
		return // of an award that was returned: what comes back is not the member's
	}
	after, err := h.ledger.Lots(ctx, r.Balance().Account, unit, loyalty.AsOf{})
	h.must(err)
	if unit != "stamps" && r.Balance().Account == account && !sameAmounts(lots, after) {
		h.fatalf("redeem and reverse made\n%+v\nof\n%+v", after, lots)
	}
}

// sameAmounts compares lots but for expiry that activity moved.
func sameAmounts(a, b []loyalty.Lot) bool {
	amounts := func(ls []loyalty.Lot) map[string][2]int64 {
		m := map[string][2]int64{}
		for i := range ls {
			m[ls[i].ID] = [2]int64{ls[i].Remaining, ls[i].Redeemed}
		}
		return m
	}
	return maps.Equal(amounts(a), amounts(b))
}

func (h *history) finish() {
	h.t.Helper()
	for _, p := range h.probes {
		h.again(p)
	}
	if h.checks(MovementsTie) {
		h.checkMovements()
	}
	var before *view
	if h.checks(SweepChangesNone) {
		before = h.view()
	}
	_, err := h.ledger.Sweep(ctx, h.now, 0)
	h.must(err)
	if before != nil {
		h.same("the last sweep", before)
	}
	for _, p := range h.probes {
		h.again(p)
	}
	if h.checks(BalanceIsFold) || h.checks(PoolIsItsFlows) {
		h.checkFold()
	}
	if h.checks(LotsAddUp) {
		h.checkLots()
	}
	if h.checks(ReturnsSumToAward) {
		h.checkReturns()
	}
	if h.checks(ChainVerifies) {
		for _, a := range append(h.anchors, loyalty.Anchor{}) {
			v, err := h.ledger.Verify(ctx, a)
			h.must(err)
			h.note("verified %+v", v)
		}
	}
	if len(h.check) == len(Invariants()) {
		h.log = append(h.log, fmt.Sprintf("%+v", *h.view()))
	}
}

// checkMovements ties two periods and each account's statement.
func (h *history) checkMovements() {
	h.t.Helper()
	from, middle, to := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), h.now.AddDate(0, -1, 0), h.now.Add(time.Hour)
	first, err := h.ledger.Movements(ctx, from, middle, time.Time{})
	h.must(err)
	second, err := h.ledger.Movements(ctx, middle, to, time.Time{})
	h.must(err)
	closing := map[loyalty.Unit]int64{}
	for _, m := range first {
		closing[m.Unit] = m.Closing
		if !m.Check() || m.Opening != 0 {
			h.fatalf("movement %+v does not tie", m)
		}
	}
	for _, m := range second {
		if !m.Check() || m.Opening != closing[m.Unit] {
			h.fatalf("movement %+v does not tie to %d", m, closing[m.Unit])
		}
		var total int64
		for _, account := range accounts {
			st, err := h.ledger.Statement(ctx, account, m.Unit, middle, to, time.Time{})
			h.must(err)
			total += st.Closing
			run := st.Opening
			for _, l := range st.Lines {
				run += l.Amount
				if run != l.Balance {
					h.fatalf("statement %+v does not add up", st)
				}
			}
			b, err := h.ledger.Balance(ctx, account, m.Unit, loyalty.AsOf{Effective: to.Add(-time.Microsecond)})
			h.must(err)
			if run != st.Closing || b.Total() != st.Closing {
				h.fatalf("statement %+v ends at %d, the balance is %d", st, run, b.Total())
			}
		}
		if total != m.Closing {
			h.fatalf("statements close at %d, the movement at %d", total, m.Closing)
		}
		h.note("%+v", m)
	}
}

// checkFold compares each balance with the plain sum of the entries, which
// after a sweep needs no rule of time; and the pool's with its flows.
func (h *history) checkFold() {
	h.t.Helper()
	for _, account := range accounts {
		sums, in, out := map[loyalty.Unit]int64{}, map[loyalty.Unit]int64{}, map[loyalty.Unit]int64{}
		for t, err := range h.ledger.Transactions(ctx, account) {
			h.must(err)
			for _, e := range t.Entries {
				if e.Account != account || e.Book != loyalty.BookMember && e.Book != loyalty.BookPool && e.Book != loyalty.BookDebt {
					continue
				}
				sums[e.Unit] += e.Amount
				switch {
				case e.Book != loyalty.BookPool:
				case e.Amount > 0:
					in[e.Unit] += e.Amount
				default:
					out[e.Unit] -= e.Amount
				}
			}
		}
		for _, u := range units {
			b, err := h.ledger.Balance(ctx, account, u.Unit, loyalty.AsOf{})
			h.must(err)
			if b.Total() != sums[u.Unit] {
				h.fatalf("%s of %s: balance %d, entries sum to %d", u.Unit, account, b.Total(), sums[u.Unit])
			}
			if account == "pool" && b.Total()+b.Debt != in[u.Unit]-out[u.Unit] {
				h.fatalf("%s of the pool: %+v, %d went in and %d out", u.Unit, b, in[u.Unit], out[u.Unit])
			}
		}
	}
}

func (h *history) checkLots() {
	h.t.Helper()
	if len(h.lots) == 0 {
		return
	}
	a, err := h.store.Load(ctx, loyalty.Query{Program: h.ledger.Program(), Lots: h.lots})
	h.must(err)
	if len(a.Lots) != len(h.lots) {
		h.fatalf("%d of %d lots are there", len(a.Lots), len(h.lots))
	}
	for i := range a.Lots {
		h.checkLot(&a.Lots[i])
	}
}

// checkReturns returns every award line in cuts and compares the sum.
func (h *history) checkReturns() {
	h.t.Helper()
	for i, key := range h.awards {
		a, err := h.ledger.Award(ctx, key)
		h.must(err)
		for j, l := range a.Lines {
			if l.Basis > 0 && l.Returned != l.Amount*l.BasisReturned/l.Basis {
				h.fatalf("award %s line %s: %d of %d points returned for %d of %d", key, l.Line, l.Returned, l.Amount, l.BasisReturned, l.Basis)
			}
			if left := l.Basis - l.BasisReturned; left > 1 && h.chance(20) && a.Transaction.Kind == loyalty.KindEarn {
				cut := 1 + h.r.Int64N(left-1)
				for n, basis := range []int64{cut, left - cut} {
					_, err := h.post(loyalty.Return{
						Key: fmt.Sprintf("all-%d-%d-%d", i, j, n), Award: key, Lines: []loyalty.ReturnLine{{Line: l.Line, Basis: basis}},
					})
					if errors.Is(err, loyalty.ErrShortfall) {
						break
					}
					h.must(err)
				}
				after, err := h.ledger.Award(ctx, key)
				h.must(err)
				if x := after.Lines[j]; x.BasisReturned == x.Basis && x.Returned != x.Amount {
					h.fatalf("award %s line %s: all is returned, %d of %d points were", key, l.Line, x.Returned, x.Amount)
				}
			}
		}
	}
}
