package loyaltytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// testLedger runs what a ledger promises on the store, with several ledgers on
// one store standing for several processes.
func testLedger(t *testing.T, open func(testing.TB) loyalty.Store) {
	t.Run("callers who redeem one balance succeed as often as it allows", func(t *testing.T) {
		testDoubleRedemption(t, open(t))
	})
	t.Run("partial captures never exceed their hold", func(t *testing.T) { testCaptures(t, open(t)) })
	t.Run("retries of a key have one effect", func(t *testing.T) { testRetries(t, open(t)) })
	t.Run("of two contents under one key one takes effect", func(t *testing.T) { testTwoContents(t, open(t)) })
	t.Run("canceled callers leave whole commands", func(t *testing.T) { testCancellation(t, open(t)) })
	t.Run("binding, export and erasure", func(t *testing.T) { testErasure(t, open(t)) })
	t.Run("random histories keep the invariants and equal those in memory", func(t *testing.T) {
		for seed := range uint64(4) {
			TestHistory(t, seed, 60, open(t))
		}
	})
}

// ledgers are several ledgers on one store: with and without group commit.
func ledgers(t *testing.T, s loyalty.Store) []*loyalty.Ledger {
	t.Helper()
	var out []*loyalty.Ledger
	for _, cfg := range []loyalty.Config{{}, {Batch: 4}, {Batch: 1, Lanes: 4}} {
		cfg.Store = s
		cfg.Now = func() time.Time { return base }
		l, err := loyalty.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func testDoubleRedemption(t *testing.T, s loyalty.Store) {
	ls := ledgers(t, s)
	const callers, balance, price = 64, 100, 7
	for i := range 4 {
		if _, err := ls[0].Post(ctx, loyalty.Earn{Key: fmt.Sprint("earn", i), Account: "A", Amount: balance / 4}); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, callers)
	together(callers, func(i int) {
		_, errs[i] = ls[i%len(ls)].Post(ctx, loyalty.Redeem{Key: fmt.Sprint("redeem", i), Account: "A", Amount: price})
	})
	done := 0
	for _, err := range errs {
		switch {
		case err == nil:
			done++
		case !errors.Is(err, loyalty.ErrInsufficient):
			t.Fatal(err)
		}
	}
	if done != balance/price {
		t.Fatalf("%d redemptions succeeded, want %d", done, balance/price)
	}
	for _, l := range ls {
		if b, err := l.Balance(ctx, "A", "", loyalty.AsOf{}); err != nil || b.Available() != balance%price {
			t.Fatalf("balance %v, %v", b, err)
		}
	}
	verify(t, ls[0])
}

func verify(t *testing.T, l *loyalty.Ledger) {
	t.Helper()
	a, err := l.Anchor(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(ctx, a); err != nil {
		t.Fatal(err)
	}
}

func testCaptures(t *testing.T, s loyalty.Store) {
	ls := ledgers(t, s)
	for _, cmd := range []loyalty.Command{
		loyalty.Earn{Key: "e1", Account: "A", Amount: 60},
		loyalty.Earn{Key: "e2", Account: "A", Amount: 60},
		loyalty.Hold{Key: "h", Account: "A", Amount: 100},
	} {
		if _, err := ls[0].Post(ctx, cmd); err != nil {
			t.Fatal(err)
		}
	}
	errs := make([]error, 32)
	together(len(errs), func(i int) {
		_, errs[i] = ls[i%len(ls)].Post(ctx, loyalty.Capture{Key: fmt.Sprint("c", i), Hold: "h", Amount: 9})
	})
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, loyalty.ErrInsufficient) {
			t.Fatal(err)
		}
	}
	if done != 11 {
		t.Fatalf("%d captures of 9 out of 100 succeeded, want 11", done)
	}
	if _, err := ls[2].Post(ctx, loyalty.Capture{Key: "rest", Hold: "h"}); err != nil {
		t.Fatal(err)
	}
	_, err := ls[1].Post(ctx, loyalty.Capture{Key: "more", Hold: "h", Amount: 1})
	fails(t, err, loyalty.ErrHoldOver)
	if b, err := ls[0].Balance(ctx, "A", "", loyalty.AsOf{}); err != nil || b.Available() != 20 || b.Held != 0 {
		t.Fatalf("balance %v, %v", b, err)
	}
	verify(t, ls[0])
}

func testRetries(t *testing.T, s loyalty.Store) {
	ls := ledgers(t, s)
	const retries = 100
	receipts, errs := make([]loyalty.Receipt, retries), make([]error, retries)
	together(retries, func(i int) {
		receipts[i], errs[i] = ls[i%len(ls)].Post(ctx, loyalty.Earn{Key: "once", Account: "A", Amount: 5})
	})
	first := 0
	for i, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
		if !receipts[i].Replayed {
			first++
		}
		equal(t, "receipt", receipts[i].String(), receipts[0].String())
	}
	if first != 1 {
		t.Fatalf("%d receipts say that they are the first", first)
	}
	if b, err := ls[0].Balance(ctx, "A", "", loyalty.AsOf{}); err != nil || b.Total() != 5 {
		t.Fatalf("balance %v, %v", b, err)
	}
	_, err := ls[0].Post(ctx, loyalty.Earn{Key: "once", Account: "A", Amount: 6})
	fails(t, err, loyalty.ErrKeyReused)
	_, err = ls[1].Post(ctx, loyalty.Redeem{Key: "once", Account: "A", Amount: 5})
	fails(t, err, loyalty.ErrKeyReused)
	// A rejected command leaves its key free.
	_, err = ls[0].Post(ctx, loyalty.Redeem{Key: "free", Account: "A", Amount: 6})
	fails(t, err, loyalty.ErrInsufficient)
	if _, err := ls[2].Post(ctx, loyalty.Redeem{Key: "free", Account: "A", Amount: 5}); err != nil {
		t.Fatal(err)
	}
	// A retry of what succeeded succeeds, though it could not be done again.
	if r, err := ls[1].Post(ctx, loyalty.Redeem{Key: "free", Account: "A", Amount: 5}); err != nil || !r.Replayed {
		t.Fatalf("%v, %v", r, err)
	}
}

// testTwoContents: callers retry a key at once, some with other content. One
// content takes effect, once; its callers have its receipt, the others an error.
func testTwoContents(t *testing.T, s loyalty.Store) {
	ls := ledgers(t, s)
	const callers = 40
	receipts, errs := make([]loyalty.Receipt, callers), make([]error, callers)
	together(callers, func(i int) {
		receipts[i], errs[i] = ls[i%len(ls)].Post(ctx, loyalty.Earn{Key: "once", Account: fmt.Sprint("A", i%2), Amount: int64(5 + i%2)})
	})
	won, err := ls[0].Lookup(ctx, "once")
	if err != nil {
		t.Fatal(err)
	}
	first := 0
	for i, err := range errs {
		if won.Transaction.Links[0].Account != fmt.Sprint("A", i%2) {
			fails(t, err, loyalty.ErrKeyReused)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !receipts[i].Replayed {
			first++
		}
		equal(t, "receipt", receipts[i].Transaction, won.Transaction)
	}
	if first != 1 {
		t.Fatalf("%d receipts say that they are the first", first)
	}
	var total int64
	for _, account := range []string{"A0", "A1"} {
		b, err := ls[1].Balance(ctx, account, "", loyalty.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		total += b.Total()
	}
	equal(t, "the sum of both accounts", total, won.Balance().Total())
	verify(t, ls[0])
}

func testCancellation(t *testing.T, s loyalty.Store) {
	ls := ledgers(t, s)
	const callers = 48
	errs := make([]error, callers)
	together(callers, func(i int) {
		c, cancel := context.WithCancel(ctx)
		if i%3 == 0 {
			go cancel()
		}
		_, errs[i] = ls[i%len(ls)].Post(c, loyalty.Earn{Key: fmt.Sprint("k", i), Account: "A", Amount: 1})
		cancel()
	})
	var done int64
	for i, err := range errs {
		_, lookup := ls[0].Lookup(ctx, fmt.Sprint("k", i))
		switch {
		case err == nil && lookup != nil:
			t.Fatalf("command %d succeeded and is not there: %v", i, lookup)
		case err != nil && !errors.Is(err, context.Canceled):
			t.Fatal(err)
		case err != nil && !errors.Is(err, loyalty.ErrOutcomeUnknown) && lookup == nil:
			t.Fatalf("command %d was given up for certain and is there", i)
		}
		if lookup == nil {
			done++
		}
	}
	if b, err := ls[1].Balance(ctx, "A", "", loyalty.AsOf{}); err != nil || b.Total() != done {
		t.Fatalf("balance %v, %v; %d commands are there", b, err, done)
	}
	verify(t, ls[0])
}

func testErasure(t *testing.T, s loyalty.Store) {
	l := ledgers(t, s)[0]
	for _, account := range []string{"A", "B"} {
		if err := l.Bind(ctx, loyalty.Binding{Profile: "anna", Account: account, Actor: "app"}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Post(ctx, loyalty.Earn{Key: "e" + account, Account: account, Amount: 3}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Bind(ctx, loyalty.Binding{Profile: "bert", Account: "A"}); err != nil {
		t.Fatal(err)
	}
	r, err := l.Export(ctx, "anna")
	if err != nil || len(r.Bindings) != 2 || len(r.Accounts) != 2 || len(r.Accounts[0].Transactions) != 1 || len(r.Accounts[0].Lots) != 1 {
		t.Fatalf("export %+v, %v", r, err)
	}
	if err := l.Revoke(ctx, "anna", "B", base, "left", ""); err != nil {
		t.Fatal(err)
	}
	ms, err := l.Memberships(ctx, "anna", base)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "memberships", ms, []string{"A"})
	if err := l.Erase(ctx, "anna"); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Export(ctx, "anna"); err != nil || len(r.Bindings)+len(r.Accounts) > 0 {
		t.Fatalf("export after erasure %+v, %v", r, err)
	}
	bs, err := l.Bindings(ctx, loyalty.BindingQuery{Account: "A"})
	if err != nil || len(bs) != 1 || bs[0].Profile != "bert" {
		t.Fatalf("bindings of A %v, %v", bs, err)
	}
	verify(t, l)
}
