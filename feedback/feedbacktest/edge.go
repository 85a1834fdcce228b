package feedbacktest

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/internal/badtext"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

func testZones(t *testing.T, s feedback.Store) {
	for i, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+1800)} {
		id := fmt.Sprint(i)
		put(t, s, feedback.Records{
			Invitations: []feedback.Invitation{invitation(id, start.In(zone))}, Responses: []feedback.Response{response(id, start.In(zone))},
		})
		got := get(t, s, feedback.Keys{Invitations: []string{id}, Responses: []string{id}})
		if !got.Invitations[0].Time.Equal(start) || !got.Invitations[0].HoldUntil.Equal(start.Add(time.Hour)) || !got.Responses[0].Time.Equal(start) {
			t.Fatalf("put at %s, read %s", start.In(zone), dump(got))
		}
	}
	c := collector(t, s)
	record(t, c, "finer", "", start.Add(999).In(time.FixedZone("east", 8*3600)))
	if got := get(t, s, feedback.Keys{Responses: []string{"finer"}}).Responses[0]; !got.Time.Equal(start) {
		t.Fatalf("recorded at %s plus 999 ns, read at %s", start, got.Time)
	}
}

func testHugePages(t *testing.T, s feedback.Store) {
	const n = 1200
	var batch feedback.Records
	for i := range n {
		id := fmt.Sprintf("%04d", i)
		batch.Invitations = append(batch.Invitations, invitation(id, start))
		batch.Responses = append(batch.Responses, response(id, start))
	}
	put(t, s, batch)
	for _, limit := range []int{n + 1, math.MaxInt32, math.MaxInt} {
		invitations, err := s.Invitations(t.Context(), feedback.Query{Limit: limit})
		if err != nil || len(invitations) != n {
			t.Errorf("at most %d: %d invitations, %v", limit, len(invitations), err)
		}
		responses, err := s.Responses(t.Context(), feedback.Query{Limit: limit})
		if err != nil || len(responses) != n {
			t.Errorf("at most %d: %d responses, %v", limit, len(responses), err)
		}
		due, err := s.Due(t.Context(), start.Add(time.Hour), limit)
		if err != nil || len(due) != n {
			t.Errorf("at most %d: %d due, %v", limit, len(due), err)
		}
	}
	if got := get(t, s, allKeys(batch)); len(got.Invitations) != n || len(got.Responses) != n {
		t.Errorf("asked for %d of each, got %d and %d", n, len(got.Invitations), len(got.Responses))
	}
}

// refusals says what came of texts that no store can hold: they are refused, or
// what is kept in their place is.
func refusals(t *testing.T, typed ...error) func(where string, err error) {
	return func(where string, err error) {
		t.Helper()
		for _, want := range typed {
			if err == nil || errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", where, err)
	}
}

func testBadTexts(t *testing.T, s feedback.Store) {
	ctx := t.Context()
	c := collector(t, s)
	refused := refusals(t, feedback.ErrInvalid, feedback.ErrNotFound, feedback.ErrUnknownSurvey, profile.ErrInvalidID)
	occasion := feedback.Occasion{
		Touchpoint: "t", Order: commerce.Key{Source: "web", Outlet: "o", Number: "1"}, Outlet: "o", Product: "p", Journey: "j", Step: "s", Channel: "c",
	}
	n := 0
	badtext.Each(func() feedback.Request {
		n++
		return feedback.Request{ID: fmt.Sprint(n), Survey: "nps", Customer: profile.ID(fmt.Sprint("c", n)), Time: start, Occasion: occasion}
	}, func(where string, r feedback.Request) {
		_, err := c.Invite(ctx, r)
		refused("Request"+where, err)
	})
	badtext.Each(func() feedback.Response {
		n++
		return feedback.Response{
			ID: fmt.Sprint("r", n), Survey: "nps", Customer: profile.ID(fmt.Sprint("c", n)), Time: start, Brand: "b", Form: "f", Occasion: occasion,
			Answers: map[string]feedback.Answer{"q": feedback.Rate(3).Because("x"), "why": feedback.Say("x")},
		}
	}, func(where string, r feedback.Response) {
		_, err := c.Record(ctx, r)
		refused("Response"+where, err)
	})
	badtext.Each(func() string { return "" }, func(_, bad string) {
		_, err := c.Invitation(ctx, bad)
		refused("Invitation", err)
		_, err = c.Sent(ctx, bad, start)
		refused("Sent", err)
		_, err = c.Export(ctx, profile.ID(bad))
		refused("Export", err)
		refused("Erase", c.Erase(ctx, profile.ID(bad)))
		for _, err := range c.Responses(ctx, feedback.Query{Survey: bad}) {
			refused("Responses", err)
		}
		for _, err := range c.Invitations(ctx, feedback.Query{Customer: profile.ID(bad)}) {
			refused("Invitations", err)
		}
	})
}

func testCaseZones(t *testing.T, s care.Store) {
	for i, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+1800)} {
		id := fmt.Sprint(i)
		c := care.Case{Opening: care.Opening{ID: id, Time: start.In(zone)}, NextDue: start.Add(time.Microsecond).In(zone)}
		p := product(id, "c", 0)
		p.BoughtAt = start.In(zone)
		putCases(t, s, care.Records{Cases: []care.Case{c}, Products: []care.Product{p}})
		got := getCases(t, s, care.Keys{Cases: []string{id}, Products: []string{id}})
		if !got.Cases[0].Time.Equal(start) || !got.Cases[0].NextDue.Equal(start.Add(time.Microsecond)) || !got.Products[0].BoughtAt.Equal(start) {
			t.Fatalf("put at %s, read %s", c.Time, dump(got))
		}
	}
	d := desk(t, s, nil)
	c, err := d.Open(t.Context(), care.Opening{ID: "finer", Kind: care.Repair, Time: start.Add(999).In(time.FixedZone("east", 8*3600))})
	if err != nil || !c.Time.Equal(start) {
		t.Fatalf("opened at %s plus 999 ns, read at %s, %v", start, c.Time, err)
	}
}

func testCaseHugePages(t *testing.T, s care.Store) {
	const n = 1200
	var batch care.Records
	for i := range n {
		id := fmt.Sprintf("%04d", i)
		batch.Cases = append(batch.Cases, care.Case{Opening: care.Opening{ID: id, Time: start}, NextDue: start})
		batch.Products = append(batch.Products, product(id, "c", 0))
	}
	putCases(t, s, batch)
	for _, limit := range []int{n + 1, math.MaxInt32, math.MaxInt} {
		cases, err := s.Page(t.Context(), care.Query{Limit: limit})
		if err != nil || len(cases) != n {
			t.Errorf("at most %d: %d cases, %v", limit, len(cases), err)
		}
		products, err := s.Products(t.Context(), care.Query{Limit: limit})
		if err != nil || len(products) != n {
			t.Errorf("at most %d: %d products, %v", limit, len(products), err)
		}
		due, err := s.Due(t.Context(), start, limit)
		if err != nil || len(due) != n {
			t.Errorf("at most %d: %d due, %v", limit, len(due), err)
		}
	}
}

func testCaseIteration(t *testing.T, s care.Store) {
	ctx := t.Context()
	d := desk(t, s, nil)
	open := func(id string, at time.Time) {
		t.Helper()
		if _, err := d.Open(ctx, care.Opening{ID: id, Kind: care.Repair, Customer: "c", Time: at}); err != nil {
			t.Fatal(err)
		}
		p := product(id, "c", 0)
		p.BoughtAt = at
		if _, err := d.Register(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		open(fmt.Sprint(i), start.Add(time.Duration(i)*time.Hour))
	}
	var seen, products []string
	for c, err := range d.Cases(ctx, care.Query{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, c.ID)
		if _, err := d.Act(ctx, care.Action{ID: "in", Case: c.ID, Time: c.Time, Verb: "drop_off"}); err != nil {
			t.Fatal(err)
		}
		open("copy of "+c.ID, c.Time.Add(-24*time.Hour)) // behind the loop
		if len(seen) == 4 {
			break
		}
	}
	same(t, []string{"0", "1", "2", "3"}, seen)
	for p, err := range d.Products(ctx, "c") {
		if err != nil {
			t.Fatal(err)
		}
		if products = append(products, p.ID); len(products) == 3 {
			break
		}
		if _, err := d.PassOn(ctx, p.ID, "d"); err != nil {
			t.Fatal(err)
		}
	}
	same(t, []string{"copy of 0", "copy of 1", "copy of 2"}, products)
}

func testCaseBadTexts(t *testing.T, s care.Store) {
	ctx := t.Context()
	d := desk(t, s, nil)
	refused := refusals(t, care.ErrInvalid, care.ErrNotFound, care.ErrNotAllowed, care.ErrLoaner, care.ErrMismatch, profile.ErrInvalidID)
	n := 0
	badtext.Each(func() care.Opening {
		n++
		return care.Opening{
			ID: fmt.Sprint(n), Kind: care.Repair, Customer: "c", Time: start, Brand: "b", Priority: "high", Topic: "zip", Text: "x",
			Order: commerce.Key{Source: "web", Outlet: "o", Number: "1"}, Product: "p", Serial: "s", Outlet: "o1", PickUp: "o2", Response: "r", Actor: "a",
		}
	}, func(where string, o care.Opening) {
		_, err := d.Open(ctx, o)
		refused("Opening"+where, err)
	})
	if _, err := d.Open(ctx, care.Opening{ID: "good", Kind: care.Repair, Time: start}); err != nil {
		t.Fatal(err)
	}
	badtext.Each(func() care.Action {
		n++
		return care.Action{
			ID: fmt.Sprint("a", n), Case: "good", Time: start, Actor: "x", Note: "n", Assign: "y", Lend: "",
			Ship: care.Leg{Carrier: "sf", Tracking: fmt.Sprint("t", n), From: "a", To: "b"},
		}
	}, func(where string, a care.Action) {
		_, err := d.Act(ctx, a)
		refused("Action"+where, err)
	})
	badtext.Each(func() care.Product {
		n++
		p := product(fmt.Sprint("p", n), "c", 0)
		p.PassedOn = false
		return p
	}, func(where string, p care.Product) {
		_, err := d.Register(ctx, p)
		refused("Product"+where, err)
	})
	badtext.Each(func() string { return "" }, func(_, bad string) {
		_, err := d.Case(ctx, bad)
		refused("Case", err)
		_, err = d.Product(ctx, bad)
		refused("Product", err)
		_, err = d.Export(ctx, profile.ID(bad))
		refused("Export", err)
		refused("Erase", d.Erase(ctx, profile.ID(bad)))
		_, err = d.Act(ctx, care.Action{ID: "lend", Case: "good", Time: start, Lend: bad})
		refused("Lend", err)
		_, err = d.PassOn(ctx, bad, "d")
		refused("PassOn", err)
		for _, err := range d.Cases(ctx, care.Query{Customer: profile.ID(bad)}) {
			refused("Cases", err)
		}
	})
}
