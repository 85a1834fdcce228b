package loyaltytest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cxkit/cxkit/internal/badtext"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

func testZones(t *testing.T, s loyalty.Store) {
	l, err := loyalty.New(loyalty.Config{Store: s, Now: func() time.Time { return base.AddDate(1, 0, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+1800)} {
		key := fmt.Sprint("k", i)
		if _, err := l.Post(ctx, loyalty.Earn{Key: key, Account: "A", Amount: 1, At: base.Add(999).In(zone)}); err != nil {
			t.Fatal(err)
		}
		if got := load(t, s, loyalty.Query{Program: l.Program(), Keys: []string{key}}).Transactions[0].Effective; !got.Equal(base) {
			t.Fatalf("earned at %s plus 999 ns, read %s", base, got)
		}
	}
}

func testHugePages(t *testing.T, s loyalty.Store) {
	const n = 400
	var ps []loyalty.Posting
	for i := range n {
		p := posting(fmt.Sprintf("A%04d", i), 1, fmt.Sprint("k", i))
		p.Accounts[0].Due = base
		ps = append(ps, p, posting("B", uint64(i+1), fmt.Sprint("b", i)))
	}
	commit(t, s, ps...)
	for _, limit := range []int{n + 2, math.MaxInt32, math.MaxInt} {
		ts, err := s.Entries(ctx, scope, "B", 0, limit)
		if err != nil || len(ts) != n {
			t.Errorf("at most %d: %d transactions, %v", limit, len(ts), err)
		}
		ts, err = s.Entries(ctx, scope, "B", 1, limit)
		if err != nil || len(ts) != n-1 {
			t.Errorf("at most %d after the first: %d transactions, %v", limit, len(ts), err)
		}
		as, err := s.Accounts(ctx, scope, "", limit)
		if err != nil || len(as) != n+1 {
			t.Errorf("at most %d: %d accounts, %v", limit, len(as), err)
		}
		as, err = s.Due(ctx, scope, base, loyalty.Account{}, limit)
		if err != nil || len(as) != n {
			t.Errorf("at most %d: %d due, %v", limit, len(as), err)
		}
	}
}

func testBadTexts(t *testing.T, s loyalty.Store) {
	l, err := loyalty.New(loyalty.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(where string, err error) {
		t.Helper()
		for _, want := range []error{loyalty.ErrInvalid, loyalty.ErrNotFound, loyalty.ErrInsufficient, profile.ErrInvalidID} {
			if err == nil || errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", where, err)
	}
	if _, err := l.Post(ctx, loyalty.Earn{Key: "good", Account: "A", Amount: 1000}); err != nil {
		t.Fatal(err)
	}
	n := 0
	badtext.Each(func() loyalty.Earn {
		n++
		return loyalty.Earn{
			Key: fmt.Sprint(n), Account: "A", Unit: loyalty.Points, Lines: []loyalty.EarnLine{{Line: "1", Amount: 5}}, Order: "o", Rule: "r", Actor: "a",
		}
	}, func(where string, c loyalty.Earn) {
		_, err := l.Post(ctx, c)
		refused("Earn"+where, err)
	})
	badtext.Each(func() loyalty.Redeem {
		n++
		return loyalty.Redeem{Key: fmt.Sprint(n), Account: "A", Amount: 1, Order: "o", Reason: "r", Actor: "a"}
	}, func(where string, c loyalty.Redeem) {
		_, err := l.Post(ctx, c)
		refused("Redeem"+where, err)
	})
	badtext.Each(func() loyalty.Hold {
		n++
		return loyalty.Hold{Key: fmt.Sprint(n), Account: "A", Amount: 1, Order: "o", Actor: "a"}
	}, func(where string, c loyalty.Hold) {
		_, err := l.Post(ctx, c)
		refused("Hold"+where, err)
	})
	badtext.Each(func() loyalty.Transfer {
		n++
		return loyalty.Transfer{Key: fmt.Sprint(n), From: "A", To: "B", Amount: 1, Reason: "r", Actor: "a"}
	}, func(where string, c loyalty.Transfer) {
		_, err := l.Post(ctx, c)
		refused("Transfer"+where, err)
	})
	badtext.Each(func() loyalty.Adjust {
		n++
		return loyalty.Adjust{Key: fmt.Sprint(n), Account: "A", Amount: 1, Reason: "r", Actor: "a"}
	}, func(where string, c loyalty.Adjust) {
		_, err := l.Post(ctx, c)
		refused("Adjust"+where, err)
	})
	badtext.Each(func() loyalty.Binding {
		n++
		return loyalty.Binding{Profile: profile.ID(fmt.Sprint("p", n)), Account: "A", From: base, Reason: "r", Actor: "a"}
	}, func(where string, b loyalty.Binding) { refused("Binding"+where, l.Bind(ctx, b)) })
	badtext.Each(func() string { return "" }, func(_, bad string) {
		_, err := l.Post(ctx, loyalty.Return{Key: "back", Award: bad})
		refused("Return", err)
		_, err = l.Post(ctx, loyalty.Return{Key: "line", Award: "good", Lines: []loyalty.ReturnLine{{Line: bad}}})
		refused("Return of a line", err)
		_, err = l.Post(ctx, loyalty.Capture{Key: "take", Hold: bad})
		refused("Capture", err)
		_, err = l.Lookup(ctx, bad)
		refused("Lookup", err)
		_, err = l.Balance(ctx, bad, "", loyalty.AsOf{})
		refused("Balance", err)
		_, err = l.Award(ctx, bad)
		refused("Award", err)
		_, err = l.Export(ctx, profile.ID(bad))
		refused("Export", err)
		refused("Erase", l.Erase(ctx, profile.ID(bad)))
		for _, err := range l.Transactions(ctx, bad) {
			refused("Transactions", err)
		}
	})
	if _, err := l.Verify(ctx, loyalty.Anchor{}); err != nil {
		t.Error(err)
	}
}
