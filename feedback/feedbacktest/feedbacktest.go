// Package feedbacktest proves stores of packages feedback and care.
//
// A Store that passes [TestStore] or [TestCareStore] is correct: compare-and-swap,
// all or nothing, pages in order, copies, cancellation, erasure.
package feedbacktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// start is the time from which the cases count; microseconds matter.
var start = time.Date(2026, 2, 28, 23, 59, 59, 123_456_000, time.UTC)

// TestStore runs the conformance suite. open returns an empty store each time;
// it may register cleanups.
func TestStore(t *testing.T, open func(testing.TB) feedback.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, feedback.Store)
	}{
		{"records come back as they were put", testRoundTrip},
		{"a commit needs the stored version", testVersions},
		{"a commit is all or nothing", testAtomic},
		{"nothing is shared with the caller", testCopies},
		{"pages are in order of time and ID, without gaps", testPages},
		{"queries filter", testFilters},
		{"due follows the deadline", testDue},
		{"a canceled context changes nothing", testCanceled},
		{"concurrent commits lose nothing", testConcurrent},
		{"concurrent invitations keep the budget", testReservation},
		{"a loop may write and stop early", testIteration},
		{"an erasure leaves nothing of the person", testErasure},
		{"a time in any zone is the same instant, to the microsecond", testZones},
		{"pages may be huge", testHugePages},
		{"text that a store cannot hold is refused before it", testBadTexts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func invitation(id string, at time.Time) feedback.Invitation {
	return feedback.Invitation{
		Request: feedback.Request{ID: id, Survey: "s", Customer: "c", Time: at},
		State:   feedback.Reserved, HoldUntil: at.Add(time.Hour), DecidedAt: at,
	}
}

func response(id string, at time.Time) feedback.Response {
	return feedback.Response{
		ID: id, Survey: "s", Customer: "c", Time: at, RecordedAt: at,
		Answers: map[string]feedback.Answer{"q": feedback.Rate(3)},
	}
}

func fullRecords() feedback.Records {
	inv := invitation("邀请/１", start)
	inv.Program, inv.Brand, inv.State = feedback.Transactional, "黑", feedback.Withheld
	inv.Mode = profile.Backfill
	inv.Occasion = feedback.Occasion{
		Touchpoint: "配送", Order: commerce.Key{Source: "web", Outlet: "1", Number: "A‑1"}, Outlet: "o", Product: "p",
		Journey: "j", Step: "s", Channel: "wechat", At: start.Add(-time.Microsecond),
	}
	inv.Reasons = []feedback.Reason{
		{Code: feedback.TooSoon, Name: "s", Until: start.Add(time.Hour)},
		{Code: feedback.Excluded, Name: "open case"},
	}
	inv.SentAt, inv.ExpiresAt, inv.AnsweredAt, inv.Response = start, start.Add(time.Hour), start.Add(time.Minute), "r"
	r := response("r", start)
	r.Program, r.Brand, r.Form, r.Invitation, r.Mode = feedback.Relational, "b", "f", inv.ID, profile.Backfill
	r.Occasion, r.Erased, r.Trimmed = inv.Occasion, true, true
	r.Answers = map[string]feedback.Answer{
		"q": feedback.Rate(0).Because("很好 👍\n\"quoted\""), "m": feedback.Pick("a", "ｂ"), "t": feedback.Say("x"),
	}
	return feedback.Records{
		Invitations: []feedback.Invitation{inv},
		Responses:   []feedback.Response{r},
		Contacts: []feedback.Contact{{Customer: "c", Entries: []feedback.Touch{
			{ID: inv.ID, Survey: "s", Brand: "b", At: start, HoldUntil: start.Add(time.Hour)},
			{ID: "r", Survey: "s", At: start.Add(time.Microsecond), Answer: true},
		}}},
	}
}

func allKeys(r feedback.Records) feedback.Keys {
	var k feedback.Keys
	for _, x := range r.Invitations {
		k.Invitations = append(k.Invitations, x.ID)
	}
	for _, x := range r.Responses {
		k.Responses = append(k.Responses, x.ID)
	}
	for _, x := range r.Contacts {
		k.Contacts = append(k.Contacts, x.Customer)
	}
	return k
}

func testRoundTrip(t *testing.T, s feedback.Store) {
	want := fullRecords()
	keys := allKeys(want)
	empty := get(t, s, keys)
	if len(empty.Invitations)+len(empty.Responses)+len(empty.Contacts) > 0 {
		t.Fatalf("an empty store has %s", dump(empty))
	}
	put(t, s, want)
	for n := range uint64(3) {
		want.Invitations[0].Version, want.Responses[0].Version, want.Contacts[0].Version = n+1, n+1, n+1
		same(t, want, get(t, s, keys))
		put(t, s, want)
	}
	keys.Responses = append(keys.Responses, "absent")
	if got := get(t, s, keys); len(got.Responses) != 1 {
		t.Fatalf("asked for one that exists and one that does not, got %d", len(got.Responses))
	}
}

func testVersions(t *testing.T, s feedback.Store) {
	first := fullRecords()
	put(t, s, first)
	conflict(t, "creating what exists", s.Commit(t.Context(), feedback.Batch{Put: first}))
	for name, stale := range map[string]feedback.Records{
		"invitation": {Invitations: first.Invitations},
		"response":   {Responses: first.Responses},
		"contact":    {Contacts: first.Contacts},
	} {
		conflict(t, "putting a stale "+name, s.Commit(t.Context(), feedback.Batch{Put: stale}))
		conflict(t, "deleting a stale "+name, s.Commit(t.Context(), feedback.Batch{Delete: stale}))
	}
	now := get(t, s, allKeys(first))
	if err := s.Commit(t.Context(), feedback.Batch{Delete: now}); err != nil {
		t.Fatalf("deleting the stored version: %v", err)
	}
	conflict(t, "putting what was deleted", s.Commit(t.Context(), feedback.Batch{Put: now}))
	if err := s.Commit(t.Context(), feedback.Batch{Delete: first}); err != nil {
		t.Fatalf("version 0 says that there is none, and there is none: %v", err)
	}
	put(t, s, first)
}

func testAtomic(t *testing.T, s feedback.Store) {
	put(t, s, feedback.Records{Contacts: []feedback.Contact{{Customer: "c"}}})
	batch := fullRecords() // its contact is at version 0
	conflict(t, "one stale record of three", s.Commit(t.Context(), feedback.Batch{Put: batch}))
	got := get(t, s, allKeys(batch))
	if len(got.Invitations)+len(got.Responses) > 0 || len(got.Contacts[0].Entries) > 0 {
		t.Fatalf("a refused batch has left %s", dump(got))
	}
}

func testCopies(t *testing.T, s feedback.Store) {
	batch := fullRecords()
	want := dump(batch.Responses[0].Answers) + dump(batch.Invitations[0].Reasons) + dump(batch.Contacts[0].Entries)
	put(t, s, batch)
	spoil := func(r feedback.Records) {
		r.Invitations[0].Reasons[0].Name = "spoiled"
		r.Contacts[0].Entries[0].Survey = "spoiled"
		r.Responses[0].Answers["q"] = feedback.Say("spoiled")
		if c := r.Responses[0].Answers["m"].Choices; len(c) > 0 {
			c[0] = "spoiled"
		}
	}
	spoil(batch)
	spoil(get(t, s, allKeys(batch)))
	got := get(t, s, allKeys(batch))
	if have := dump(got.Responses[0].Answers) + dump(got.Invitations[0].Reasons) + dump(got.Contacts[0].Entries); have != want {
		t.Fatalf("records changed through a copy:\nwant %s\ngot  %s", want, have)
	}
}

func testPages(t *testing.T, s feedback.Store) {
	var want []string
	var batch feedback.Records
	for hour := range 4 {
		at := start.Add(time.Duration(hour) * time.Microsecond)
		for _, id := range []string{"B", "a", "ä", "ｚ"} { // byte order
			id = fmt.Sprintf("%s%d", id, hour)
			want = append(want, id)
			batch.Invitations = append([]feedback.Invitation{invitation(id, at)}, batch.Invitations...)
			batch.Responses = append([]feedback.Response{response(id, at)}, batch.Responses...)
		}
	}
	put(t, s, batch)
	for limit := 1; limit <= len(want)+1; limit++ {
		var invitations, responses []string
		q := feedback.Query{Limit: limit}
		for {
			page, err := s.Invitations(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page {
				invitations = append(invitations, i.ID)
				q.After = feedback.Position{Time: i.Time, ID: i.ID}
			}
			if len(page) < limit {
				break
			}
		}
		q.After = feedback.Position{}
		for {
			page, err := s.Responses(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				responses = append(responses, r.ID)
				q.After = feedback.Position{Time: r.Time, ID: r.ID}
			}
			if len(page) < limit {
				break
			}
		}
		same(t, want, invitations)
		same(t, want, responses)
	}
}

func testFilters(t *testing.T, s feedback.Store) {
	var batch feedback.Records
	for i, survey := range []string{"s1", "s2"} {
		for j, customer := range []profile.ID{"", "li", "wu"} {
			for k := range 3 {
				id := fmt.Sprint(i, j, k)
				r := response(id, start.Add(time.Duration(k)*time.Hour))
				r.Survey, r.Customer = survey, customer
				batch.Responses = append(batch.Responses, r)
				inv := invitation(id, r.Time)
				inv.Survey, inv.Customer = survey, customer
				batch.Invitations = append(batch.Invitations, inv)
			}
		}
	}
	put(t, s, batch)
	for _, c := range []struct {
		q    feedback.Query
		want int
	}{
		{feedback.Query{}, 18},
		{feedback.Query{Survey: "s1"}, 9},
		{feedback.Query{Survey: "s1", Customer: "li"}, 3},
		{feedback.Query{Customer: "nobody"}, 0},
		{feedback.Query{From: start.Add(time.Hour)}, 12},
		{feedback.Query{To: start.Add(time.Hour)}, 6},
		{feedback.Query{From: start.Add(time.Hour), To: start.Add(time.Hour + time.Microsecond)}, 6},
		{feedback.Query{Customer: "wu", From: start.Add(time.Microsecond), Limit: 3}, 3},
	} {
		invitations, err := s.Invitations(t.Context(), c.q)
		if err != nil || len(invitations) != c.want {
			t.Errorf("%+v: %d invitations, want %d (%v)", c.q, len(invitations), c.want, err)
		}
		responses, err := s.Responses(t.Context(), c.q)
		if err != nil || len(responses) != c.want {
			t.Errorf("%+v: %d responses, want %d (%v)", c.q, len(responses), c.want, err)
		}
	}
}

func testDue(t *testing.T, s feedback.Store) {
	a, b, c := invitation("a", start), invitation("b", start), invitation("c", start)
	b.State, b.ExpiresAt = feedback.Sent, start.Add(30*time.Minute)
	c.State = feedback.Answered
	put(t, s, feedback.Records{Invitations: []feedback.Invitation{a, b, c}})
	due := func(after time.Duration, limit int) string {
		got, err := s.Due(t.Context(), start.Add(after), limit)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, i := range got {
			ids = append(ids, i.ID)
		}
		return strings.Join(ids, " ")
	}
	same(t, "", due(30*time.Minute-time.Microsecond, 9))
	same(t, "b", due(30*time.Minute, 9))
	same(t, "b a", due(time.Hour, 9))
	same(t, "b", due(time.Hour, 1))
	b.State, b.Version = feedback.Expired, 1
	put(t, s, feedback.Records{Invitations: []feedback.Invitation{b}})
	same(t, "a", due(time.Hour, 9))
}

func testCanceled(t *testing.T, s feedback.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	records := fullRecords()
	if err := s.Commit(ctx, feedback.Batch{Put: records}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a commit under a canceled context: %v", err)
	}
	if _, err := s.Get(ctx, allKeys(records)); !errors.Is(err, context.Canceled) {
		t.Fatalf("a read under a canceled context: %v", err)
	}
	if got := get(t, s, allKeys(records)); len(got.Contacts) > 0 {
		t.Fatal("a canceled commit was written")
	}
}

func testConcurrent(t *testing.T, s feedback.Store) {
	const writers, writes = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range writes {
				for {
					got, err := s.Get(t.Context(), feedback.Keys{Contacts: []profile.ID{"c"}})
					if err != nil {
						t.Error(err)
						return
					}
					c := feedback.Contact{Customer: "c"}
					if len(got.Contacts) > 0 {
						c = got.Contacts[0]
					}
					c.Entries = append(c.Entries, feedback.Touch{ID: fmt.Sprint(w, "/", n), At: start})
					err = s.Commit(t.Context(), feedback.Batch{Put: feedback.Records{Contacts: []feedback.Contact{c}}})
					if err == nil {
						break
					}
					if !errors.Is(err, feedback.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	c := get(t, s, feedback.Keys{Contacts: []profile.ID{"c"}}).Contacts[0]
	if len(c.Entries) != writers*writes || c.Version != writers*writes {
		t.Fatalf("%d entries at version %d after %d commits", len(c.Entries), c.Version, writers*writes)
	}
}

// collector asks one NPS question under a budget of three in a week.
func collector(t *testing.T, s feedback.Store) *feedback.Collector {
	t.Helper()
	c, err := feedback.New(feedback.Config{
		Store: s, Now: func() time.Time { return start },
		Surveys: []feedback.Survey{{
			Name: "nps", Program: feedback.Transactional,
			Questions: []feedback.Question{
				{Key: "q", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)},
				{Key: "why", Kind: feedback.Text, Optional: true},
			},
		}},
		Budgets: []feedback.Budget{{Name: "week", Limit: 3, Window: 7 * 24 * time.Hour}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func testReservation(t *testing.T, s feedback.Store) {
	c := collector(t, s)
	var given atomic.Int64
	var wg sync.WaitGroup
	for n := range 24 {
		wg.Go(func() {
			inv, err := c.Invite(t.Context(), feedback.Request{
				ID: fmt.Sprint("i", n), Survey: "nps", Customer: "li", Time: start.Add(time.Duration(n%5) * time.Hour),
			})
			if err != nil {
				t.Error(err)
			}
			if inv.Given() {
				given.Add(1)
			}
		})
	}
	wg.Wait()
	if given.Load() != 3 {
		t.Fatalf("%d invitations given under a budget of 3", given.Load())
	}
}

func testIteration(t *testing.T, s feedback.Store) {
	c := collector(t, s)
	for n := range 5 {
		record(t, c, fmt.Sprint("r", n), "", start.Add(time.Duration(n)*time.Hour))
	}
	seen := 0
	for r, err := range c.Responses(t.Context(), feedback.Query{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		record(t, c, "copy of "+r.ID, "", r.Time.Add(-24*time.Hour)) // behind the loop
		if seen == 4 {
			break
		}
	}
	if seen != 4 {
		t.Fatalf("saw %d responses, want 4", seen)
	}
}

func record(t *testing.T, c *feedback.Collector, id string, customer profile.ID, at time.Time) {
	t.Helper()
	_, err := c.Record(t.Context(), feedback.Response{
		ID: id, Survey: "nps", Customer: customer, Time: at,
		Occasion: feedback.Occasion{Outlet: "o1", Order: commerce.Key{Source: "web", Number: "secret-order"}},
		Answers:  map[string]feedback.Answer{"q": feedback.Rate(9), "why": feedback.Say("secret-text")},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testErasure(t *testing.T, s feedback.Store) {
	c := collector(t, s)
	for n, customer := range []profile.ID{"secret-person", "wu"} {
		_, err := c.Invite(t.Context(), feedback.Request{
			ID: "nps/" + string(customer), Survey: "nps", Customer: customer,
			Occasion: feedback.Occasion{Order: commerce.Key{Number: "secret-order"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		record(t, c, fmt.Sprint("r", n), customer, start)
	}
	if err := c.Apply(t.Context(), profile.Change{Kind: profile.Erased, Profile: "secret-person"}); err != nil {
		t.Fatal(err)
	}
	dossier, err := c.Export(t.Context(), "secret-person")
	if err != nil || len(dossier.Invitations)+len(dossier.Responses)+len(dossier.Contacts) > 0 {
		t.Fatalf("left after an erasure: %s (%v)", dump(dossier), err)
	}
	var rows []feedback.Response
	for r, err := range c.Responses(t.Context(), feedback.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Customer != "wu" {
			rows = append(rows, r)
		}
	}
	if len(rows) != 1 || rows[0].Answers["q"].Value != 9 {
		t.Fatalf("the rating of an erased person counts on; got %s", dump(rows))
	}
	if text := dump(rows); strings.Contains(text, "secret") {
		t.Fatalf("left after an erasure: %s", text)
	}
	record(t, c, rows[0].ID, "secret-person", start) // a late repetition
	if dossier, _ := c.Export(t.Context(), "secret-person"); len(dossier.Responses) > 0 {
		t.Fatal("a repeated response has brought an erased person back")
	}
	if dossier, _ := c.Export(t.Context(), "wu"); len(dossier.Invitations) != 1 || len(dossier.Responses) != 1 {
		t.Fatalf("an erasure has touched another person: %s", dump(dossier))
	}
}

func get(t *testing.T, s feedback.Store, k feedback.Keys) feedback.Records {
	t.Helper()
	r, err := s.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t *testing.T, s feedback.Store, r feedback.Records) {
	t.Helper()
	if err := s.Commit(t.Context(), feedback.Batch{Put: r}); err != nil {
		t.Fatal(err)
	}
}

func conflict(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, feedback.ErrConflict) {
		t.Fatalf("%s: got %v, want ErrConflict", what, err)
	}
}

// same compares by JSON, which shows every stored field.
func same(t *testing.T, want, got any) {
	t.Helper()
	if w, g := dump(want), dump(got); w != g {
		t.Fatalf("want %s\ngot  %s", w, g)
	}
}

func dump(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
