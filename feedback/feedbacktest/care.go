package feedbacktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// TestCareStore runs the conformance suite for stores of cases. open returns
// an empty store each time; it may register cleanups.
func TestCareStore(t *testing.T, open func(testing.TB) care.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, care.Store)
	}{
		{"records come back as they were put", testCaseRoundTrip},
		{"a commit needs the stored version, and is all or nothing", testCaseVersions},
		{"nothing is shared with the caller", testCaseCopies},
		{"pages are in order of time and ID, and filter", testCasePages},
		{"pages of products are in order of time and ID, and filter", testProductPages},
		{"due follows the next due time", testCaseDue},
		{"a canceled context changes nothing", testCaseCanceled},
		{"one loaner goes to one of many cases", testLoanerRace},
		{"notices arrive though the listener fails", testNotices},
		{"an erasure leaves nothing of the person", testCaseErasure},
		{"a time in any zone is the same instant, to the microsecond", testCaseZones},
		{"pages may be huge", testCaseHugePages},
		{"a loop may write and stop early", testCaseIteration},
		{"text that a store cannot hold is refused before it", testCaseBadTexts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func fullCase() care.Case {
	o := care.Opening{
		ID: "案件/１", Kind: care.Repair, Customer: "c", Time: start, Mode: profile.Backfill, Brand: "b", Priority: "high",
		Topic: "zip", Text: "拉链坏了 \"now\"", Order: commerce.Key{Source: "web", Outlet: "o", Number: "1"}, Product: "p",
		Serial: "s", Outlet: "o1", PickUp: "o2", Response: "r", Actor: "a",
	}
	act := care.Action{
		ID: "a1", Case: o.ID, Time: start.Add(time.Second), Mode: profile.Backfill, Actor: "x", Verb: "drop_off", Reply: true,
		Note: "n", Assign: "y", Promise: start.Add(time.Hour), Lend: "L", Reclaim: "M",
		Ship: care.Leg{Carrier: "sf", Tracking: "t", From: "o1", To: "w"}, Arrived: "u",
	}
	leg := act.Ship
	leg.SentAt, leg.ArrivedAt = start, start.Add(time.Microsecond)
	return care.Case{
		Opening: o, State: "received", Phase: care.Working, Assignee: "y",
		Clocks: []care.Clock{{
			Target: care.Target{
				Name: "t", Goal: care.Done, Within: time.Hour, Calendar: "k", EscalateAt: []int{50, 80}, ThroughPauses: true,
			},
			Consumed: time.Minute, Since: start, DoneAt: start.Add(time.Minute),
		}},
		Lapses:        []care.Lapse{{Target: "t", Percent: 50, At: start, Round: 1}},
		Promises:      []care.Promise{{By: start, MadeAt: start, Actor: "a", Reason: "r", Mode: profile.Backfill, KeptAt: start}},
		WarrantyUntil: start.Add(time.Hour),
		Loaner:        "L", Legs: []care.Leg{leg},
		History: []care.Entry{{Action: act, From: "registered", To: "received", RecordedAt: start}},
		Pending: []care.Notice{{
			ID: "n", What: care.Escalated, Case: o.ID, Kind: o.Kind, Customer: "c", Brand: "b", Order: o.Order,
			EffectiveAt: start, DetectedAt: start, Mode: profile.Backfill, Verb: "v", From: "f", To: "t", Phase: care.Working,
			Target: "t", Percent: 50, Promise: start,
		}},
		Announced: []string{"t/0/50@1"}, NextDue: start.Add(time.Hour), RecordedAt: start, Erased: true,
		Trimmed: true, Failures: 3, RetryAt: start.Add(time.Minute),
	}
}

func getCases(t *testing.T, s care.Store, k care.Keys) care.Records {
	t.Helper()
	r, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func putCases(t *testing.T, s care.Store, r care.Records) {
	t.Helper()
	if err := s.Commit(t.Context(), care.Batch{Put: r}); err != nil {
		t.Fatal(err)
	}
}

func testCaseRoundTrip(t *testing.T, s care.Store) {
	want := care.Records{
		Cases: []care.Case{fullCase()}, Loans: []care.Loan{{Item: "L", Case: "案件/１"}}, Products: []care.Product{product("表/１", "c", 0)},
	}
	keys := care.Keys{Cases: []string{"案件/１", "absent"}, Loans: []string{"L", "absent"}, Products: []string{"表/１", "absent"}}
	same(t, care.Records{}, getCases(t, s, keys))
	putCases(t, s, want)
	for n := range uint64(3) {
		want.Cases[0].Version, want.Loans[0].Version, want.Products[0].Version = n+1, n+1, n+1
		same(t, want, getCases(t, s, keys))
		putCases(t, s, want)
	}
}

func testCaseVersions(t *testing.T, s care.Store) {
	c, l, p := fullCase(), care.Loan{Item: "L"}, product("p", "c", 0)
	first := care.Records{Cases: []care.Case{c}, Products: []care.Product{p}}
	putCases(t, s, first)
	for name, r := range map[string]care.Records{
		"a stale case":                  {Cases: []care.Case{c}},
		"a stale case with a new loan":  {Cases: []care.Case{c}, Loans: []care.Loan{l}},
		"a stale product":               {Products: []care.Product{p}, Loans: []care.Loan{l}},
		"a loan that there should be":   {Loans: []care.Loan{{Item: "L", Version: 1}}},
		"a case that there is not (v1)": {Cases: []care.Case{{Opening: care.Opening{ID: "x"}, Version: 1}}},
	} {
		if err := s.Commit(t.Context(), care.Batch{Put: r}); !errors.Is(err, care.ErrConflict) {
			t.Errorf("putting %s: got %v, want ErrConflict", name, err)
		}
		if err := s.Commit(t.Context(), care.Batch{Delete: r}); !errors.Is(err, care.ErrConflict) {
			t.Errorf("deleting %s: got %v, want ErrConflict", name, err)
		}
	}
	if got := getCases(t, s, care.Keys{Loans: []string{"L"}}); len(got.Loans) > 0 {
		t.Error("a refused batch has left a loan")
	}
	keys := care.Keys{Cases: []string{c.ID}, Products: []string{p.ID}}
	putCases(t, s, care.Records{Loans: []care.Loan{l}})
	if err := s.Commit(t.Context(), care.Batch{Put: care.Records{Loans: []care.Loan{l}}}); !errors.Is(err, care.ErrConflict) {
		t.Errorf("lending what is lent: got %v, want ErrConflict", err)
	}
	now := getCases(t, s, keys)
	if err := s.Commit(t.Context(), care.Batch{Delete: now}); err != nil {
		t.Fatalf("deleting the stored version: %v", err)
	}
	same(t, care.Records{}, getCases(t, s, keys))
	for _, q := range []care.Query{{}, {Customer: "c"}} {
		if left, err := s.Page(t.Context(), q); err != nil || len(left) > 0 {
			t.Errorf("a page shows what was deleted (%v)", err)
		}
		if left, err := s.Products(t.Context(), q); err != nil || len(left) > 0 {
			t.Errorf("a page shows a product that was deleted (%v)", err)
		}
	}
	if left, err := s.Due(t.Context(), start.AddDate(9, 0, 0), 9); err != nil || len(left) > 0 {
		t.Errorf("a deleted case is due (%v)", err)
	}
	putCases(t, s, first)
}

func product(id string, customer profile.ID, after time.Duration) care.Product {
	return care.Product{
		ID: id, Customer: customer, SKU: "手表", Order: commerce.Key{Source: "web", Number: "1"}, BoughtAt: start.Add(after),
		WarrantyUntil: start.Add(after + time.Hour), PassedOn: true,
	}
}

func testProductPages(t *testing.T, s care.Store) {
	var put care.Records
	var want []string
	for n := range 3 {
		for _, id := range []string{"B", "a", "ä"} {
			id = fmt.Sprint(id, n)
			want = append(want, id)
			put.Products = append([]care.Product{product(id, profile.ID("c"+fmt.Sprint(n)), time.Duration(n)*time.Microsecond)}, put.Products...)
		}
	}
	putCases(t, s, put)
	for limit := 1; limit < 11; limit++ {
		var got []string
		q := care.Query{Limit: limit}
		for {
			page, err := s.Products(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page {
				got = append(got, p.ID)
				q.After = care.Position{Time: p.BoughtAt, ID: p.ID}
			}
			if len(page) < limit {
				break
			}
		}
		same(t, want, got)
	}
	for _, c := range []struct {
		q    care.Query
		want int
	}{
		{care.Query{Customer: "c1"}, 3},
		{care.Query{Customer: "nobody"}, 0},
		{care.Query{From: start.Add(time.Microsecond)}, 6},
		{care.Query{To: start.Add(time.Microsecond)}, 3},
	} {
		if page, err := s.Products(t.Context(), c.q); err != nil || len(page) != c.want {
			t.Errorf("%+v: %d products, want %d (%v)", c.q, len(page), c.want, err)
		}
	}
}

func testCaseCopies(t *testing.T, s care.Store) {
	c := fullCase()
	want := dump(c.History) + dump(c.Clocks) + dump(c.Announced)
	putCases(t, s, care.Records{Cases: []care.Case{c}})
	spoil := func(c care.Case) {
		c.History[0].Note, c.Clocks[0].Target.EscalateAt[0], c.Announced[0] = "spoiled", 1, "spoiled"
	}
	spoil(c)
	keys := care.Keys{Cases: []string{c.ID}}
	spoil(getCases(t, s, keys).Cases[0])
	got := getCases(t, s, keys).Cases[0]
	same(t, want, dump(got.History)+dump(got.Clocks)+dump(got.Announced))
}

func testCasePages(t *testing.T, s care.Store) {
	var put care.Records
	var want []string
	for n := range 6 {
		for _, id := range []string{"B", "a", "ä"} {
			c := care.Case{Opening: care.Opening{
				ID: fmt.Sprint(id, n), Kind: care.Complaint, Customer: profile.ID(id),
				Time: start.Add(time.Duration(n/2) * time.Microsecond),
			}, State: "new", Phase: care.Waiting}
			if n%3 == 0 {
				c.Kind, c.Phase = care.Repair, care.Closed
			}
			put.Cases = append([]care.Case{c}, put.Cases...)
		}
	}
	for n := 0; n < 6; n += 2 {
		for _, id := range []string{"B", "a", "ä"} {
			want = append(want, fmt.Sprint(id, n), fmt.Sprint(id, n+1))
		}
	}
	putCases(t, s, put)
	for limit := 1; limit < 20; limit++ {
		var got []string
		q := care.Query{Limit: limit}
		for {
			page, err := s.Page(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page {
				got = append(got, c.ID)
				q.After = care.Position{Time: c.Time, ID: c.ID}
			}
			if len(page) < limit {
				break
			}
		}
		same(t, want, got)
	}
	for _, c := range []struct {
		q    care.Query
		want int
	}{
		{care.Query{Customer: "a"}, 6},
		{care.Query{Customer: "a", Open: true}, 4},
		{care.Query{Kind: care.Repair}, 6},
		{care.Query{Kind: care.Repair, Open: true}, 0},
		{care.Query{From: start.Add(time.Microsecond)}, 12},
		{care.Query{To: start.Add(time.Microsecond)}, 6},
		{care.Query{Customer: "a", Open: true, Limit: 1}, 1},
	} {
		if page, err := s.Page(t.Context(), c.q); err != nil || len(page) != c.want {
			t.Errorf("%+v: %d cases, want %d (%v)", c.q, len(page), c.want, err)
		}
	}
}

func testCaseDue(t *testing.T, s care.Store) {
	var put care.Records
	for id, after := range map[string]time.Duration{"a": 2, "b": 1, "c": 1, "never": 0} {
		c := care.Case{Opening: care.Opening{ID: id, Time: start}}
		if after > 0 {
			c.NextDue = start.Add(after * time.Hour)
		}
		put.Cases = append(put.Cases, c)
	}
	putCases(t, s, put)
	due := func(after time.Duration, limit int) string {
		got, err := s.Due(t.Context(), start.Add(after), limit)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range got {
			ids = append(ids, c.ID)
		}
		return strings.Join(ids, " ")
	}
	same(t, "", due(time.Hour-time.Microsecond, 9))
	same(t, "b c", due(time.Hour, 9))
	same(t, "b c a", due(2*time.Hour, 9))
	same(t, "b c", due(2*time.Hour, 2))
	b := getCases(t, s, care.Keys{Cases: []string{"b"}}).Cases[0]
	b.NextDue = time.Time{}
	putCases(t, s, care.Records{Cases: []care.Case{b}})
	same(t, "c a", due(2*time.Hour, 9))
}

func testCaseCanceled(t *testing.T, s care.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Commit(ctx, care.Batch{Put: care.Records{Cases: []care.Case{fullCase()}}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a commit under a canceled context: %v", err)
	}
	if got := getCases(t, s, care.Keys{Cases: []string{fullCase().ID}}); len(got.Cases) > 0 {
		t.Fatal("a canceled commit was written")
	}
}

func desk(t *testing.T, s care.Store, notify func(context.Context, care.Notice) error) *care.Desk {
	t.Helper()
	d, err := care.New(care.Config{
		Store: s, Now: func() time.Time { return start }, Notify: notify,
		Policies: []care.Policy{{Targets: []care.Target{{Name: "resolve", Goal: care.Done, Within: time.Hour}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testLoanerRace(t *testing.T, s care.Store) {
	d := desk(t, s, nil)
	var lent atomic.Int64
	var wg sync.WaitGroup
	for n := range 8 {
		id := fmt.Sprint("repair", n)
		if _, err := d.Open(t.Context(), care.Opening{ID: id, Kind: care.Repair, Time: start}); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			_, err := d.Act(t.Context(), care.Action{ID: "lend", Case: id, Time: start, Lend: "watch-1"})
			switch {
			case err == nil:
				lent.Add(1)
			case !errors.Is(err, care.ErrLoaner):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if lent.Load() != 1 {
		t.Fatalf("one watch was lent %d times", lent.Load())
	}
}

func testNotices(t *testing.T, s care.Store) {
	var got []string
	fail := true
	d := desk(t, s, func(_ context.Context, n care.Notice) error {
		if fail {
			return errors.New("the listener is down")
		}
		got = append(got, string(n.What))
		return nil
	})
	if _, err := d.Open(t.Context(), care.Opening{ID: "c", Kind: care.Complaint, Time: start}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RunDue(t.Context(), start.Add(2*time.Hour), 9); err == nil {
		t.Error("RunDue hides that the listener fails")
	}
	fail = false
	for n := range 3 { // tried again after a minute, delivered once
		if _, err := d.RunDue(t.Context(), start.Add(2*time.Hour+time.Duration(n)*time.Minute), 9); err != nil {
			t.Fatal(err)
		}
	}
	same(t, []string{"opened", "breached"}, got)
}

func testCaseErasure(t *testing.T, s care.Store) {
	d := desk(t, s, func(context.Context, care.Notice) error { return errors.New("down") })
	opening := care.Opening{
		ID: "c1", Kind: care.Repair, Customer: "secret-person", Time: start, Text: "secret", Outlet: "o1",
		Order: commerce.Key{Number: "secret"}, Serial: "secret", Response: "secret", Actor: "secret-person",
	}
	act := care.Action{
		ID: "a", Case: "c1", Time: start, Verb: "drop_off", Note: "secret", Promise: start.Add(time.Hour),
		Ship: care.Leg{Carrier: "sf", Tracking: "secret", From: "secret", To: "o1"},
	}
	other := opening
	other.ID, other.Customer = "c2", "wu"
	for _, o := range []care.Opening{opening, other} {
		if _, err := d.Open(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Act(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Register(t.Context(), product("secret-serial", "secret-person", 0)); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(t.Context(), profile.Change{Kind: profile.Erased, Profile: "secret-person"}); err != nil {
		t.Fatal(err)
	}
	if left, err := d.Export(t.Context(), "secret-person"); err != nil || len(left.Cases)+len(left.Products) > 0 {
		t.Fatalf("left after an erasure: %s (%v)", dump(left), err)
	}
	// Late repetitions bring nothing back.
	if _, err := d.Open(t.Context(), opening); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Act(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	c := getCases(t, s, care.Keys{Cases: []string{"c1"}}).Cases[0]
	if text := dump(c); strings.Contains(text, "secret") {
		t.Fatalf("left after an erasure: %s", text)
	}
	if c.State != "received" || len(c.History) != 1 {
		t.Fatal("an erasure has changed what happened when")
	}
	if left, _ := d.Export(t.Context(), "wu"); len(left.Cases) != 1 || left.Cases[0].Text != "secret" {
		t.Fatal("an erasure has touched another person")
	}
}
