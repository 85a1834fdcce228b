package journeytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cxkit/cxkit/internal/badtext"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

func storeHugePages(t testing.TB, s journey.Store) {
	const n = 400
	var b journey.Batch
	for i := range n {
		id := fmt.Sprintf("%04d", i)
		b.Instances = append(b.Instances, instanceRow(id, "c", 0))
		b.Effects = append(b.Effects, effectRow(id, id, "c", 0, 0))
		b.Contacts = append(b.Contacts, journey.ContactRow{Customer: profile.ID(id)})
		b.History = append(b.History, journey.Record{Instance: id, Journey: "j", Customer: "c", At: day0, Kind: journey.MovedRecord})
	}
	commit(t, s, b)
	for _, limit := range []int{n, n + 1, math.MaxInt32, math.MaxInt} {
		for kind := journey.InstancePage; kind <= journey.ContactPage; kind++ {
			p, err := s.Page(context.Background(), journey.Query{Kind: kind, Limit: limit})
			if rows := len(p.Instances) + len(p.Effects) + len(p.History) + len(p.Contacts); err != nil || rows != n || p.Next != "" {
				t.Errorf("at most %d: %d rows of kind %d, next %q, %v", limit, rows, kind, p.Next, err)
			}
		}
	}
	due, err := s.Claim(context.Background(), journey.Claim{Now: day0, Until: day0.Add(time.Minute), Token: "t", Limit: math.MaxInt})
	if err != nil || len(due) != 2*n {
		t.Errorf("claimed %d rows: %v", len(due), err)
	}
}

func storeZones(t testing.TB, s journey.Store) {
	for i, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+1800)} {
		id := fmt.Sprint(i)
		in, ef := instanceRow(id, "c", 1), effectRow(id, id, "c", 1, 0)
		in.Instance.StartedAt, in.Wake, ef.Effect.At, ef.Wake = day0.In(zone), in.Wake.In(zone), day0.In(zone), ef.Wake.In(zone)
		commit(t, s, journey.Batch{
			Instances: []journey.InstanceRow{in}, Effects: []journey.EffectRow{ef},
			History: []journey.Record{{Instance: id, Journey: "j", Customer: "c", At: day0.In(zone), Kind: journey.MovedRecord}},
		})
		f := get(t, s, journey.Lookup{Instance: id, Effect: id})
		h := list(t, s, journey.Query{Kind: journey.HistoryPage, Instance: id}).History
		for what, got := range map[string]time.Time{"started": f.Instance.Instance.StartedAt, "effect": f.Effect.Effect.At, "history": h[0].At} {
			if !got.Equal(day0) {
				t.Errorf("%s at %s, written %s", what, got, day0.In(zone))
			}
		}
		if !f.Instance.Wake.Equal(in.Wake) || !f.Effect.Wake.Equal(ef.Wake) {
			t.Errorf("wakes at %s and %s, written %s", f.Instance.Wake, f.Effect.Wake, in.Wake)
		}
	}
	same(t, "claims", len(claimDue(t, s, day0.Add(time.Hour-time.Microsecond), 10)), 0)
	same(t, "claims", len(claimDue(t, s, day0.Add(time.Hour), 10)), 6)
}

// doorEngine runs one journey over a store.
func doorEngine(t testing.TB, s journey.Store) *journey.Engine {
	t.Helper()
	e, err := journey.New(journey.Config{Store: s, Now: func() time.Time { return day0 }})
	if err == nil {
		j := journey.Define("door").Key("order")
		j.Enter(journey.Event("order.paid")).To("waiting")
		j.State("waiting").After(time.Hour).End("done")
		err = e.Deploy(context.Background(), j)
	}
	if err != nil {
		t.Fatalf("deploy: %v", err)
	}
	return e
}

func paid(id string) journey.Input {
	return journey.Input{
		ID: id, Name: "order.paid", Customer: "c", Time: day0, Received: day0, Brand: "b",
		Props:    profile.Values{"order": profile.Text(id), "sku": profile.Text("x")},
		Consents: []profile.ConsentAct{{Purpose: "m", Channel: "sms", Brand: "b", Guardian: "g", Policy: "v", Proof: "p"}},
	}
}

func storeLoops(t testing.TB, s journey.Store) {
	ctx := context.Background()
	e := doorEngine(t, s)
	ingest := func(id string) {
		t.Helper()
		if _, err := e.Ingest(ctx, paid(id)); err != nil {
			t.Fatalf("ingest: %v", err)
		}
	}
	for i := range 6 {
		ingest(fmt.Sprint(i))
	}
	seen := map[string]bool{}
	for row, err := range e.Instances(ctx, journey.Filter{Customer: "c"}) {
		if err != nil {
			t.Fatalf("instances: %v", err)
		}
		if seen[row.Instance.ID] {
			t.Fatalf("%s comes twice", row.Instance.ID)
		}
		seen[row.Instance.ID] = true
		ingest(fmt.Sprint("on ", len(seen)))
		if len(seen) == 4 {
			break
		}
	}
	n := 0
	for _, err := range e.History(ctx, journey.Filter{}) {
		if err != nil {
			t.Fatalf("history: %v", err)
		}
		if n++; n == 8 {
			break
		}
		ingest(fmt.Sprint("at line ", n))
	}
	same(t, "lines read", n, 8)
}

func storeBadTexts(t testing.TB, s journey.Store) {
	ctx := context.Background()
	e := doorEngine(t, s)
	refused := func(where string, err error) {
		t.Helper()
		for _, want := range []error{journey.ErrInput, journey.ErrDefinition, journey.ErrNotFound, journey.ErrVersion, profile.ErrInvalidID, profile.ErrValue} {
			if err == nil || errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", where, err)
	}
	n := 0
	badtext.Each(func() journey.Input { n++; return paid(fmt.Sprint(n)) }, func(where string, x journey.Input) {
		_, err := e.Ingest(ctx, x)
		refused("Input"+where, err)
	})
	for _, v := range []profile.Value{profile.Text("a\x00b"), profile.Text("a\xffb"), profile.Tags("a\x00b")} {
		n++
		x := paid(fmt.Sprint(n))
		x.Props["sku"] = v
		_, err := e.Ingest(ctx, x)
		refused("a value", err)
		n++
		x = paid(fmt.Sprint(n))
		x.Props["order"] = v
		_, err = e.Ingest(ctx, x)
		refused("a key", err)
	}
	badtext.Each(func() string { return "" }, func(_, bad string) {
		_, err := e.Explain(ctx, bad)
		refused("Explain", err)
		_, err = e.Export(ctx, profile.ID(bad))
		refused("Export", err)
		refused("Cancel", e.Cancel(ctx, bad, "reason"))
		refused("Resolve", e.Resolve(ctx, bad, journey.Confirm("")))
		refused("Erase", e.Erase(ctx, profile.ID(bad)))
		for _, err := range e.Instances(ctx, journey.Filter{Customer: profile.ID(bad), Journey: bad}) {
			refused("Instances", err)
		}
		for _, err := range e.History(ctx, journey.Filter{Instance: bad}) {
			refused("History", err)
		}
		j := journey.Define(bad).Key("order")
		j.Enter(journey.Event("order.paid")).To("waiting")
		j.State("waiting").After(time.Hour).End("done")
		refused("Deploy", e.Deploy(ctx, j))
	})
	if _, err := e.RunDue(ctx, day0.Add(2*time.Hour)); err != nil {
		t.Errorf("what was taken in cannot be run: %v", err)
	}
}
