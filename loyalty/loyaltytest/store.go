// Package loyaltytest proves stores of package loyalty: a store that passes
// [TestStore] is correct. [TestHistory] runs one random history on a store.
package loyaltytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/loyalty"
)

// TestStore runs the conformance suite. open makes an empty store each time;
// what it opens it should close in a cleanup.
func TestStore(t *testing.T, open func(testing.TB) loyalty.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, loyalty.Store)
	}{
		{"an empty store has nothing", testEmpty},
		{"what is committed is read as it was written", testRoundTrip},
		{"full-width keys and microseconds survive", testText},
		{"the expected sequence guards an account", testCompareAndSwap},
		{"a key is recorded once", testDuplicateKey},
		{"a failed posting leaves nothing and does not fail its neighbors", testPartialBatch},
		{"a posting sees the ones before it", testBatchOrder},
		{"an account is not read again at the sequence that the caller has", testConditionalLoad},
		{"a closed lot is found by its key and is not among the open ones", testClosedLot},
		{"holds come with their pins until they are over", testHolds},
		{"standings are replaced", testStandings},
		{"a transaction comes with those that continue it", testFollowers},
		{"a transaction of two accounts is in both chains", testTwoAccounts},
		{"entries come in pages in the order of the chain", testEntryPages},
		{"accounts come in pages in byte order", testAccountPages},
		{"due accounts come in the order of their instants", testDuePages},
		{"bindings are guarded by their version", testBindings},
		{"programs do not see each other", testPrograms},
		{"a canceled context leaves nothing", testCanceled},
		{"the store keeps nothing of what it is given", testOwnership},
		{"writing inside a loop over pages is allowed", testWriteInLoop},
		{"a time in any zone is the same instant, to the microsecond", testZones},
		{"pages may be huge", testHugePages},
		{"text that a store cannot hold is refused before it", testBadTexts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	t.Run("a ledger on it", func(t *testing.T) { testLedger(t, open) })
}

var (
	ctx  = context.Background()
	base = time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)
)

const scope = "main"

// hash is a made-up hash that differs by n.
func hash(n int) (h loyalty.Hash) {
	if n == 0 {
		return h
	}
	for i := range h {
		h[i] = byte(n + i)
	}
	return h
}

// posting is a posting of one transaction that gives an account its n-th lot.
func posting(account string, seq uint64, key string) loyalty.Posting {
	lot := loyalty.Lot{
		Account: account, ID: key + "~1", Unit: "points", Opened: key,
		Terms: loyalty.Terms{
			EarnedAt: base, UsableFrom: base.Add(time.Hour), Expires: loyalty.Forever,
			Policy: loyalty.Expiry{Kind: loyalty.ExpireNever}, UnitCost: 3, Order: "O1", Line: "1", Basis: 100,
			Rule: "base@1", Origin: account,
		},
	}
	opened := lot
	lot.Original, lot.Remaining, lot.Moved = 10, 10, base
	return loyalty.Posting{
		Program: scope,
		Accounts: []loyalty.AccountChange{{Expect: seq - 1, Before: hash(int(seq - 1)), Account: loyalty.Account{
			ID: account, Kind: loyalty.Membership, Seq: seq, Head: hash(int(seq)), Opened: base, Recorded: base,
			Due: loyalty.Forever,
		}}},
		Transactions: []loyalty.Transaction{{
			Key: key, Kind: loyalty.KindEarn, Effective: base, Recorded: base, Order: "O1", Actor: "till-1", Unit: "points",
			Fingerprint: loyalty.Fingerprint{1, 2, byte(seq)},
			Entries: []loyalty.Entry{
				{Book: loyalty.BookIssuer, Account: account, Unit: "points", Lot: lot.ID, Amount: -10},
				{Book: loyalty.BookMember, Account: account, Unit: "points", Lot: lot.ID, Amount: 10},
			},
			Opens: []loyalty.Lot{opened},
			Links: []loyalty.Link{{Account: account, Seq: seq, Hash: hash(int(seq))}},
		}},
		Lots: []loyalty.Lot{lot},
	}
}

func commit(t *testing.T, s loyalty.Store, ps ...loyalty.Posting) {
	t.Helper()
	for i, err := range s.Commit(ctx, ps) {
		if err != nil {
			t.Fatalf("posting %d: %v", i, err)
		}
	}
}

func load(t *testing.T, s loyalty.Store, q loyalty.Query) loyalty.Answer {
	t.Helper()
	if q.Program == "" {
		q.Program = scope
	}
	a, err := s.Load(ctx, q)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return a
}

func contents(t *testing.T, s loyalty.Store, account string) loyalty.Contents {
	t.Helper()
	a := load(t, s, loyalty.Query{Accounts: []loyalty.Want{{Account: account}}})
	if len(a.Accounts) != 1 {
		t.Fatalf("account %s is not there", account)
	}
	return a.Accounts[0]
}

// equal compares by content: nil and empty slices are the same.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func fails(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func testEmpty(t *testing.T, s loyalty.Store) {
	a := load(t, s, loyalty.Query{
		Accounts: []loyalty.Want{{Account: "B"}, {Account: "A"}}, Keys: []string{"k"},
		Lots: []loyalty.LotKey{{Account: "A", Lot: "L"}}, Bindings: loyalty.BindingQuery{Profile: "p"},
	})
	equal(t, "answer", a, loyalty.Answer{Missing: []string{"B", "A"}})
	ts, err := s.Entries(ctx, scope, "A", 0, 10)
	if err != nil || len(ts) > 0 {
		t.Fatalf("Entries: %v, %v", ts, err)
	}
	as, err := s.Accounts(ctx, scope, "", 10)
	if err != nil || len(as) > 0 {
		t.Fatalf("Accounts: %v, %v", as, err)
	}
	as, err = s.Due(ctx, scope, base, loyalty.Account{}, 10)
	if err != nil || len(as) > 0 {
		t.Fatalf("Due: %v, %v", as, err)
	}
	if errs := s.Commit(ctx, nil); len(errs) > 0 {
		t.Fatalf("Commit of nothing: %v", errs)
	}
}

func testRoundTrip(t *testing.T, s loyalty.Store) {
	p := posting("A", 1, "k1")
	tx := &p.Transactions[0]
	tx.Of, tx.Reason, tx.Amount, tx.Until, tx.Forgiven, tx.Activity = "k0", "why", 7, base.Add(time.Minute), 3, true
	tx.Changes = []loyalty.LotChange{
		{Account: "A", Lot: "k1~1", Held: -2, Basis: 3, Returned: 4, UsableFrom: base, Expires: base.Add(time.Second)},
		{Account: "A", Lot: "k1~1", Held: 2},
	}
	l := &p.Lots[0]
	l.Policy = loyalty.Expiry{Kind: loyalty.ExpireAnniversary, N: 2, Date: base, Clock: loyalty.ClockUsable}
	tx.Opens[0].Policy = l.Policy
	l.Original, l.Remaining, l.Held, l.Redeemed, l.Expired, l.Clawed, l.Transferred, l.Adjusted = 100, 40, 5, 10, 20, 15, 8, 7
	l.BasisReturned, l.Returned, l.Moved = 33, 4, base.Add(time.Microsecond)
	l.UsableFrom, l.Expires = base.Add(2*time.Hour), base.Add(3*time.Hour)
	p.Accounts[0].Due, p.Accounts[0].MergedInto, p.Accounts[0].Kind = base.Add(3*time.Hour), "Z", loyalty.Pool
	commit(t, s, p)

	c := contents(t, s, "A")
	equal(t, "account", c.Account, p.Accounts[0].Account)
	equal(t, "lots", c.Lots, p.Lots)
	a := load(t, s, loyalty.Query{Keys: []string{"k1"}})
	if len(a.Transactions) != 1 {
		t.Fatalf("%d transactions", len(a.Transactions))
	}
	equal(t, "transaction", a.Transactions[0].Transaction, *tx)
	ts, err := s.Entries(ctx, scope, "A", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "entries", ts, p.Transactions)
	as, err := s.Accounts(ctx, scope, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "accounts", as, []loyalty.Account{p.Accounts[0].Account})
}

func testText(t *testing.T, s loyalty.Store) {
	for i, key := range []string{
		"\uff2b\uff25\uff39\uff11", "key'with\"quotes", `back\slash{,}`, "\u4f1a\u5458\u5361-\u2460", "%_%", "$1", "NULL", "\\x41",
		strings.Repeat("\u00fc", loyalty.MaxKeyBytes/2), "\u200b\u0301",
	} {
		p := posting(key, 1, "tx-"+key)
		p.Transactions[0].Recorded = base.Add(time.Duration(i) * time.Microsecond)
		commit(t, s, p)
		c := contents(t, s, key)
		equal(t, "account", c.Account, p.Accounts[0].Account)
		equal(t, "lots", c.Lots, p.Lots)
		equal(t, "transaction", load(t, s, loyalty.Query{Keys: []string{"tx-" + key}}).Transactions[0].Transaction, p.Transactions[0])
	}
	// A time in another zone is the same instant.
	p := posting("zone", 1, "tz")
	p.Transactions[0].Effective = base.In(time.FixedZone("east", 8*3600))
	commit(t, s, p)
	got := load(t, s, loyalty.Query{Keys: []string{"tz"}}).Transactions[0].Effective
	if !got.Equal(base) {
		t.Fatalf("effective is %v, want %v", got, base)
	}
}

func testCompareAndSwap(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k1"))
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("A", 1, "k2")})[0], loyalty.ErrConflict)
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("A", 3, "k2")})[0], loyalty.ErrConflict)
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("B", 2, "k2")})[0], loyalty.ErrConflict)
	other := posting("A", 2, "k2")
	other.Accounts[0].Before = hash(99)
	fails(t, s.Commit(ctx, []loyalty.Posting{other})[0], loyalty.ErrConflict)
	commit(t, s, posting("A", 2, "k2"))
	if c := contents(t, s, "A"); c.Seq != 2 || len(c.Lots) != 2 {
		t.Fatalf("sequence %d and %d lots, want 2 and 2", c.Seq, len(c.Lots))
	}
	equal(t, "missing", load(t, s, loyalty.Query{Accounts: []loyalty.Want{{Account: "B"}}}).Missing, []string{"B"})
}

func testDuplicateKey(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k"))
	before := fmt.Sprint(contents(t, s, "A"))
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("B", 1, "k")})[0], loyalty.ErrDuplicate)
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("A", 2, "k")})[0], loyalty.ErrDuplicate)
	// A duplicate is one whether or not the account has moved on.
	fails(t, s.Commit(ctx, []loyalty.Posting{posting("A", 1, "k")})[0], loyalty.ErrDuplicate)
	equal(t, "account", fmt.Sprint(contents(t, s, "A")), before)
	errs := s.Commit(ctx, []loyalty.Posting{posting("C", 1, "twice"), posting("D", 1, "twice")})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	fails(t, errs[1], loyalty.ErrDuplicate)
}

func testPartialBatch(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k1"))
	two := posting("D", 1, "k4") // the first account is right, the second is not
	two.Accounts = append(two.Accounts, loyalty.AccountChange{Expect: 7, Account: loyalty.Account{ID: "A", Seq: 8, Due: loyalty.Forever}})
	errs := s.Commit(ctx, []loyalty.Posting{posting("B", 1, "k2"), posting("A", 5, "k3"), two, posting("C", 1, "k5")})
	if errs[0] != nil || errs[3] != nil {
		t.Fatalf("neighbors failed: %v", errs)
	}
	fails(t, errs[1], loyalty.ErrConflict)
	fails(t, errs[2], loyalty.ErrConflict)
	as, err := s.Accounts(ctx, scope, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range as {
		ids = append(ids, a.ID)
	}
	equal(t, "accounts", ids, []string{"A", "B", "C"})
	a := load(t, s, loyalty.Query{Keys: []string{"k3", "k4"}, Lots: []loyalty.LotKey{{Account: "D", Lot: "k4~1"}}})
	if len(a.Transactions) > 0 || len(a.Lots) > 0 {
		t.Fatalf("a failed posting left %v", a)
	}
}

func testBatchOrder(t *testing.T, s loyalty.Store) {
	p1, p2, p3 := posting("A", 1, "k1"), posting("A", 2, "k2"), posting("A", 3, "k3")
	p3.Lots = append(p3.Lots, p1.Lots[0])
	p3.Lots[1].Remaining, p3.Lots[1].Redeemed = 4, 6
	bad := posting("A", 2, "k4")
	errs := s.Commit(ctx, []loyalty.Posting{p1, p2, bad, p3})
	fails(t, errs[2], loyalty.ErrConflict)
	if errs[0] != nil || errs[1] != nil || errs[3] != nil {
		t.Fatal(errs)
	}
	c := contents(t, s, "A")
	slices.SortFunc(c.Lots, func(a, b loyalty.Lot) int { return strings.Compare(a.ID, b.ID) })
	if c.Seq != 3 || c.Head != hash(3) || len(c.Lots) != 3 || c.Lots[0].Remaining != 4 {
		t.Fatalf("got %+v", c)
	}
	ts, err := s.Entries(ctx, scope, "A", 0, 10)
	if err != nil || len(ts) != 3 {
		t.Fatalf("%d transactions, %v", len(ts), err)
	}
}

func testConditionalLoad(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k1"), posting("B", 1, "k2"), posting("B", 2, "k3"))
	a := load(t, s, loyalty.Query{Accounts: []loyalty.Want{{Account: "A", Have: 1}}})
	if len(a.Accounts)+len(a.Missing) > 0 {
		t.Fatalf("got %v", a)
	}
	a = load(t, s, loyalty.Query{Accounts: []loyalty.Want{{Account: "A", Have: 1}, {Account: "X", Have: 1}, {Account: "B", Have: 1}}})
	if len(a.Accounts) != 1 || a.Accounts[0].ID != "B" || len(a.Accounts[0].Lots) != 2 {
		t.Fatalf("got %+v", a.Accounts)
	}
	equal(t, "missing", a.Missing, []string{"X"})
}

func testClosedLot(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k1"))
	p := posting("A", 2, "k2")
	p.Lots[0].Remaining, p.Lots[0].Redeemed = 0, 10
	commit(t, s, p)
	if c := contents(t, s, "A"); len(c.Lots) != 1 || c.Lots[0].ID != "k1~1" {
		t.Fatalf("open lots %+v", c.Lots)
	}
	a := load(t, s, loyalty.Query{Lots: []loyalty.LotKey{
		{Account: "A", Lot: "k2~1"}, {Account: "A", Lot: "none"}, {Account: "B", Lot: "k1~1"},
	}})
	equal(t, "lots", a.Lots, p.Lots)
	// It may open again.
	p3 := posting("A", 3, "k3")
	p3.Lots = append(p3.Lots, p.Lots[0])
	p3.Lots[1].Remaining, p3.Lots[1].Redeemed = 10, 0
	commit(t, s, p3)
	if c := contents(t, s, "A"); len(c.Lots) != 3 {
		t.Fatalf("%d open lots, want 3", len(c.Lots))
	}
}

func testHolds(t *testing.T, s loyalty.Store) {
	p := posting("A", 1, "k1")
	p.Accounts[0].Holds = 2
	p.Holds = []loyalty.Reservation{
		{Account: "A", Key: "h1", Unit: "points", Amount: 9, Captured: 2, Released: 1, Until: base, Pins: []loyalty.Pin{{Lot: "a", Amount: 4}, {Lot: "b", Amount: 2}}},
		{Account: "A", Key: "h2", Unit: "points", Amount: 1, Until: loyalty.Forever, Pins: []loyalty.Pin{{Lot: "a", Amount: 1}}},
	}
	commit(t, s, p)
	c := contents(t, s, "A")
	slices.SortFunc(c.Holds, func(a, b loyalty.Reservation) int { return strings.Compare(a.Key, b.Key) })
	equal(t, "holds", c.Holds, p.Holds)
	p2 := posting("A", 2, "k2")
	p2.Accounts[0].Holds = 1
	h := p.Holds[0]
	h.Captured, h.Pins = 8, nil
	p2.Holds = []loyalty.Reservation{h}
	commit(t, s, p2)
	c = contents(t, s, "A")
	equal(t, "holds", c.Holds, p.Holds[1:])
}

func testStandings(t *testing.T, s loyalty.Store) {
	p := posting("A", 1, "k1")
	p.Accounts[0].Standings = []loyalty.Standing{{Unit: "a", Debt: 5, DebtAt: base.Add(time.Hour)}, {Unit: "b", Activity: base}}
	commit(t, s, p)
	equal(t, "standings", contents(t, s, "A").Standings, p.Accounts[0].Standings)
	p2 := posting("A", 2, "k2")
	p2.Accounts[0].Standings = []loyalty.Standing{{Unit: "a"}, {Unit: "b", Debt: 1, Activity: base.Add(time.Microsecond)}}
	commit(t, s, p2)
	equal(t, "standings", contents(t, s, "A").Standings, p2.Accounts[0].Standings)
}

func testFollowers(t *testing.T, s loyalty.Store) {
	commit(t, s, posting("A", 1, "k1"))
	p2, p3 := posting("A", 2, "k2"), posting("A", 3, "k3")
	p2.Transactions[0].Of, p3.Transactions[0].Of = "k1", "k1"
	commit(t, s, p2, p3)
	a := load(t, s, loyalty.Query{Keys: []string{"k1"}})
	equal(t, "followers", a.Transactions[0].Followers, []loyalty.Transaction{p2.Transactions[0], p3.Transactions[0]})
	a = load(t, s, loyalty.Query{Keys: []string{"k3", "none", "k2"}})
	if len(a.Transactions) != 2 || len(a.Transactions[0].Followers) > 0 {
		t.Fatalf("got %v", a.Transactions)
	}
}

func testTwoAccounts(t *testing.T, s loyalty.Store) {
	p := posting("A", 1, "k1")
	p.Accounts = append(p.Accounts, loyalty.AccountChange{Account: loyalty.Account{
		ID: "B", Kind: loyalty.Pool, Seq: 1, Head: hash(9), Opened: base, Recorded: base, Due: loyalty.Forever,
	}})
	p.Transactions[0].Links = append(p.Transactions[0].Links, loyalty.Link{Account: "B", Seq: 1, Hash: hash(9)})
	commit(t, s, p)
	for _, account := range []string{"A", "B"} {
		ts, err := s.Entries(ctx, scope, account, 0, 5)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, account, ts, p.Transactions)
	}
}

func testEntryPages(t *testing.T, s loyalty.Store) {
	for i := range 25 {
		commit(t, s, posting("A", uint64(i+1), fmt.Sprintf("k%d", 99-i)), posting("B", uint64(i+1), fmt.Sprintf("b%d", i)))
	}
	var keys []string
	for after := uint64(0); ; {
		ts, err := s.Entries(ctx, scope, "A", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(ts) == 0 {
			break
		}
		for i := range ts {
			keys = append(keys, ts[i].Key)
			after++
			if ts[i].Links[0].Seq != after || len(ts[i].Entries) != 2 || len(ts[i].Opens) != 1 {
				t.Fatalf("transaction %d is %+v", after, ts[i])
			}
		}
	}
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("k%d", 99-i))
	}
	equal(t, "keys", keys, want)
}

func testAccountPages(t *testing.T, s loyalty.Store) {
	ids := []string{"b", "B", "a", "\u00e4", "\uff21", "Z", "10", "9", "a-b", "a.b", "ab"}
	for i, id := range ids {
		commit(t, s, posting(id, 1, fmt.Sprint("k", i)))
	}
	slices.Sort(ids)
	var got []string
	for after := ""; ; {
		as, err := s.Accounts(ctx, scope, after, 4)
		if err != nil {
			t.Fatal(err)
		}
		if len(as) == 0 {
			break
		}
		for _, a := range as {
			got = append(got, a.ID)
		}
		after = as[len(as)-1].ID
	}
	equal(t, "accounts", got, ids)
}

func testDuePages(t *testing.T, s loyalty.Store) {
	due := map[string]time.Time{
		"a": base, "B": base, "c": base.Add(-time.Microsecond), "d": base.Add(time.Microsecond), "e": loyalty.Forever,
		"f": base.AddDate(-1, 0, 0), "g": base,
	}
	n := 0
	for id, at := range due {
		p := posting(id, 1, fmt.Sprint("k", n))
		p.Accounts[0].Due = at
		commit(t, s, p)
		n++
	}
	read := func(limit int) (got []string) {
		for after := (loyalty.Account{}); ; {
			as, err := s.Due(ctx, scope, base, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(as) == 0 {
				return got
			}
			for _, a := range as {
				got = append(got, a.ID)
			}
			after = as[len(as)-1]
		}
	}
	for _, limit := range []int{1, 2, 100} {
		equal(t, "due", read(limit), []string{"f", "c", "B", "a", "g"})
	}
	p := posting("f", 2, "later")
	p.Accounts[0].Due = loyalty.Forever
	commit(t, s, p)
	equal(t, "due", read(100), []string{"c", "B", "a", "g"})
}

func testBindings(t *testing.T, s loyalty.Store) {
	bind := func(bs ...loyalty.Binding) error {
		return s.Commit(ctx, []loyalty.Posting{{Program: scope, Bindings: bs}})[0]
	}
	b := loyalty.Binding{Profile: "p1", Account: "A", From: base, Until: loyalty.Forever, Reason: "enrolled", Actor: "app", Version: 1}
	other := loyalty.Binding{Profile: "p2", Account: "A", From: base, Until: loyalty.Forever, Version: 1}
	if err := bind(b); err != nil {
		t.Fatal(err)
	}
	fails(t, bind(b), loyalty.ErrConflict)
	fails(t, bind(other, b), loyalty.ErrConflict) // as a whole or not at all
	equal(t, "of p2", load(t, s, loyalty.Query{Bindings: loyalty.BindingQuery{Profile: "p2"}}).Bindings, []loyalty.Binding(nil))
	if err := bind(other); err != nil {
		t.Fatal(err)
	}
	b.Until, b.Version = base.Add(time.Hour), 2
	if err := bind(b); err != nil {
		t.Fatal(err)
	}
	fails(t, bind(b), loyalty.ErrConflict)
	equal(t, "of A", load(t, s, loyalty.Query{Bindings: loyalty.BindingQuery{Account: "A"}}).Bindings, []loyalty.Binding{b, other})
	equal(t, "of p1", load(t, s, loyalty.Query{Bindings: loyalty.BindingQuery{Profile: "p1"}}).Bindings, []loyalty.Binding{b})
	equal(t, "of both", load(t, s, loyalty.Query{Bindings: loyalty.BindingQuery{Profile: "p1", Account: "B"}}).Bindings, []loyalty.Binding(nil))
	if err := bind(loyalty.Binding{Profile: "p1", Account: "A", From: base, Version: 3}); err != nil {
		t.Fatal(err)
	}
	equal(t, "of A", load(t, s, loyalty.Query{Bindings: loyalty.BindingQuery{Account: "A"}}).Bindings, []loyalty.Binding{other})
}

func testPrograms(t *testing.T, s loyalty.Store) {
	p, q := posting("A", 1, "k"), posting("A", 1, "k")
	q.Program = "other"
	q.Lots[0].Remaining = 3
	commit(t, s, p)
	commit(t, s, q)
	if got := contents(t, s, "A").Lots[0].Remaining; got != 10 {
		t.Fatalf("remaining is %d", got)
	}
	a := load(t, s, loyalty.Query{Program: "other", Accounts: []loyalty.Want{{Account: "A"}}, Keys: []string{"k"}})
	if a.Accounts[0].Lots[0].Remaining != 3 || len(a.Transactions) != 1 {
		t.Fatalf("got %+v", a)
	}
}

func testCanceled(t *testing.T, s loyalty.Store) {
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Commit(canceled, []loyalty.Posting{posting("A", 1, "k")})[0]; err == nil {
		t.Fatal("Commit succeeded")
	}
	if _, err := s.Load(canceled, loyalty.Query{Program: scope, Accounts: []loyalty.Want{{Account: "A"}}}); err == nil {
		t.Fatal("Load succeeded")
	}
	if _, err := s.Entries(canceled, scope, "A", 0, 1); err == nil {
		t.Fatal("Entries succeeded")
	}
	if _, err := s.Accounts(canceled, scope, "", 1); err == nil {
		t.Fatal("Accounts succeeded")
	}
	if _, err := s.Due(canceled, scope, base, loyalty.Account{}, 1); err == nil {
		t.Fatal("Due succeeded")
	}
	equal(t, "missing", load(t, s, loyalty.Query{Accounts: []loyalty.Want{{Account: "A"}}}).Missing, []string{"A"})
	commit(t, s, posting("A", 1, "k"))
}

func testOwnership(t *testing.T, s loyalty.Store) {
	p := posting("A", 1, "k")
	p.Accounts[0].Standings = []loyalty.Standing{{Unit: "points", Debt: 1}}
	p.Accounts[0].Holds = 1
	p.Holds = []loyalty.Reservation{{Account: "A", Key: "h", Unit: "points", Amount: 5, Until: base, Pins: []loyalty.Pin{{Lot: "k~1", Amount: 5}}}}
	commit(t, s, p)
	want := fmt.Sprint(contents(t, s, "A"), load(t, s, loyalty.Query{Keys: []string{"k"}}).Transactions)
	scribble := func(c *loyalty.Contents, tx *loyalty.Transaction) {
		c.Standings[0].Debt, c.Lots[0].Remaining, c.Holds[0].Pins[0].Amount = 77, 77, 77
		tx.Entries[0].Amount, tx.Links[0].Seq, tx.Opens[0].Basis = 77, 77, 77
	}
	c := loyalty.Contents{Account: p.Accounts[0].Account, Lots: p.Lots, Holds: p.Holds}
	scribble(&c, &p.Transactions[0])
	read := contents(t, s, "A")
	tx := load(t, s, loyalty.Query{Keys: []string{"k"}}).Transactions[0]
	equal(t, "after writing to what was given", fmt.Sprint(read, []loyalty.Recorded{tx}), want)
	scribble(&read, &tx.Transaction)
	equal(t, "after writing to what was read", fmt.Sprint(contents(t, s, "A"), load(t, s, loyalty.Query{Keys: []string{"k"}}).Transactions), want)
}

func testWriteInLoop(t *testing.T, s loyalty.Store) {
	l, err := loyalty.New(loyalty.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		commit(t, s, posting(fmt.Sprint("A", i), 1, fmt.Sprint("k", i)))
	}
	n := 0
	for a, err := range l.Accounts(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Post(ctx, loyalty.Earn{Key: "in-loop-" + a.ID, Account: a.ID, Amount: 1}); err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	for tx, err := range l.Transactions(ctx, "A0") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Post(ctx, loyalty.Earn{Key: "again-" + tx.Key, Account: "A0", Amount: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := l.Balance(ctx, "A0", "", loyalty.AsOf{}); err != nil || b.Total() != 13 {
		t.Fatalf("balance %v, %v", b, err)
	}
}
