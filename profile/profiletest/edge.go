package profiletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cxkit/cxkit/internal/badtext"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
)

// anyText are keys in which engines differ that fold, pad or quote.
var anyText = []string{
	"ＫＥＹ１", "key", "KEY", "key ", "it's \"quoted\"", `back\slash{,}`, "会员卡-①", "%_%", "$1", "NULL", `\x41`, "\u00fc", "u\u0308", "\u200b",
}

func texts(t *testing.T, s profile.Store) {
	var names []profile.Name
	for i, v := range anyText {
		n := profile.Name{Kind: "kind/" + v, Value: v, Era: v}
		names = append(names, n)
		b := person(profile.ID(v), key(byte(i+1)), n)
		b.Events = []profile.EventRow{event(v, i)}
		b.Events[0].Event.Source, b.Events[0].Event.Name = v, v
		b.Events[0].Event.Properties = profile.Values{v: profile.Text(v)}
		b.Changes[0].Event, b.Changes[0].Names = v, []string{v}
		commit(t, s, b)
	}
	for i, v := range anyText {
		rows := load(t, s, profile.Query{Names: names[i : i+1], Events: []string{v}, Anchors: []profile.ID{profile.ID(v)}})
		if len(rows.Names) != 1 || len(rows.Events) != 1 || len(rows.Anchors) != 1 {
			t.Fatalf("%q: %+v", v, rows)
		}
		equal(t, "name", names[i], rows.Names[0].Name)
		equal(t, "event", v, rows.Events[0].Event.ID)
		equal(t, "properties", profile.Values{v: profile.Text(v)}, rows.Events[0].Event.Properties)
		equal(t, "anchor", profile.ID(v), rows.Anchors[0].ID)
	}
	changes, err := s.Changes(context.Background(), 0, len(anyText))
	if err != nil || len(changes) != len(anyText) {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	for i, c := range changes {
		equal(t, "change", anyText[i], c.Event)
		equal(t, "names of the change", anyText[i:i+1], c.Names)
	}
}

func zones(t *testing.T, s profile.Store) {
	ctx := context.Background()
	d := newDirectory(t, s)
	for i, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600+1800)} {
		e := profile.Event{ID: fmt.Sprint(i), Time: at(7).Add(999).In(zone), Identifiers: []profile.Identifier{{Kind: "phone", Value: "1"}}}
		if _, err := d.Observe(ctx, e); err != nil {
			t.Fatal(err)
		}
		got, _, err := d.Event(ctx, e.ID)
		if err != nil || !got.Time.Equal(at(7)) {
			t.Fatalf("observed at %s, read at %s, %v", e.Time, got.Time, err)
		}
	}
}

func hugePages(t *testing.T, s profile.Store) {
	const n = 1500
	b := person("A", key(1), name("1"))
	for i := range n {
		b.Events = append(b.Events, event(fmt.Sprintf("e%04d", i), i/7))
		b.Changes = append(b.Changes, profile.Change{Kind: profile.Observed, Profile: "A", RecordedAt: at(1)})
		b.Profiles = append(b.Profiles, profile.ProfileRow{ID: profile.ID(fmt.Sprintf("P%04d", i)), First: at(1), Last: at(1)})
	}
	commit(t, s, b)
	ctx := context.Background()
	for _, limit := range []int{n + 1, math.MaxInt32, math.MaxInt} {
		events, err := s.Events(ctx, profile.TimelinePage{Profile: "A", Limit: limit})
		if err != nil || len(events) != n {
			t.Fatalf("at most %d: %d events, %v", limit, len(events), err)
		}
		changes, err := s.Changes(ctx, 0, limit)
		if err != nil || len(changes) != n+1 {
			t.Fatalf("at most %d: %d changes, %v", limit, len(changes), err)
		}
		changes, err = s.Changes(ctx, 1, limit)
		if err != nil || len(changes) != n {
			t.Fatalf("at most %d after the first: %d changes, %v", limit, len(changes), err)
		}
		ids, err := s.Scan(ctx, "", limit)
		if err != nil || len(ids) != n+1 {
			t.Fatalf("at most %d: %d profiles, %v", limit, len(ids), err)
		}
	}
}

func loops(t *testing.T, s profile.Store) {
	ctx := context.Background()
	d := newDirectory(t, s)
	observe := func(id string, second int) profile.ID {
		t.Helper()
		r, err := d.Observe(ctx, profile.Event{ID: id, Time: at(second), Identifiers: []profile.Identifier{{Kind: "phone", Value: "1"}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Profile
	}
	var owner profile.ID
	for i := range 6 {
		owner = observe(fmt.Sprint(i), 100+i)
	}
	var seen []string
	for e, err := range d.Timeline(ctx, owner) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, e.ID)
		observe("before "+e.ID, len(seen)) // behind the loop
		if len(seen) == 4 {
			break
		}
	}
	equal(t, "timeline", []string{"0", "1", "2", "3"}, seen)
	last := uint64(0)
	for c, err := range d.Changes(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Seq != last+1 {
			t.Fatalf("change %d after %d", c.Seq, last)
		}
		last = c.Seq
		if c.Seq <= 3 {
			observe(fmt.Sprint("on change ", c.Seq), 200)
		}
		if c.Seq == 9 {
			break
		}
	}
	if last != 9 {
		t.Fatalf("the loop ended at change %d", last)
	}
}

func badTexts(t *testing.T, s profile.Store) {
	ctx := context.Background()
	d := newDirectory(t, s)
	refused := func(where string, err error) {
		t.Helper()
		for _, want := range []error{
			profile.ErrInvalidEvent, profile.ErrInvalidDecision, profile.ErrInvalidHandOver, profile.ErrInvalidID, profile.ErrValue, profile.ErrNotFound,
		} {
			if err == nil || errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: %v", where, err)
	}
	n := 0
	phone := profile.Identifier{Kind: "phone", Value: "1"}
	badtext.Each(func() profile.Event {
		n++
		return profile.Event{
			ID: fmt.Sprint(n), Source: "till", Name: "n", Time: at(1), Brand: "b", Identifiers: []profile.Identifier{phone, {Kind: "member/a", Value: "1"}},
			Traits: profile.Values{"city": profile.Text("x")}, Properties: profile.Values{"p": profile.Text("x")},
			Relations: []profile.RelationAct{{Type: "outlet", Party: "7"}},
			Consents:  []profile.ConsentAct{{Purpose: "m", Channel: "sms", Address: phone, Brand: "b", Guardian: "g", Policy: "v", Proof: "p"}},
			Order: &commerce.Event{
				Order: commerce.Key{Source: "web", Outlet: "o", Number: "1"}, Kind: commerce.Placed, Currency: "CNY",
				Lines: []commerce.Line{{ID: "1", SKU: "boots", Quantity: 1, List: 100, Net: 100}},
			},
		}
	}, func(where string, e profile.Event) {
		_, err := d.Observe(ctx, e)
		refused("Event"+where, err)
	})
	for _, values := range []profile.Values{{"x": profile.Text("a\x00b")}, {"x": profile.Text("a\xffb")}, {"x": profile.Tags("a\x00b")}} {
		for _, e := range []profile.Event{{Traits: values}, {Properties: values}} {
			n++
			e.ID, e.Time, e.Identifiers = fmt.Sprint(n), at(1), []profile.Identifier{phone}
			_, err := d.Observe(ctx, e)
			refused(fmt.Sprint("values of ", e), err)
		}
	}
	if _, err := d.Observe(ctx, profile.Event{ID: "good", Time: at(1), Identifiers: []profile.Identifier{phone, {Kind: "device", Value: "1"}}}); err != nil {
		t.Fatal(err)
	}
	badtext.Each(func() profile.Decision { return profile.Decision{Actor: "a", Reason: "r"} }, func(where string, by profile.Decision) {
		refused("Link"+where, d.Link(ctx, phone, profile.Identifier{Kind: "device", Value: "1"}, by))
		refused("Restrict"+where, d.Restrict(ctx, "P00001", by))
		refused("Release"+where, d.Release(ctx, phone, at(2), by))
		refused("Retract"+where, d.Retract(ctx, "none", by))
	})
	badtext.Each(func() profile.HandOver {
		return profile.HandOver{Type: "outlet", From: "7", To: "8", At: at(1), By: profile.Decision{Actor: "a", Reason: "r"}}
	}, func(where string, h profile.HandOver) { refused("HandOver"+where, d.HandOver(ctx, h)) })
	badtext.Each(func() string { return "x" }, func(where, bad string) {
		_, _, err := d.Event(ctx, bad)
		refused("Event", err)
		_, err = d.Get(ctx, profile.ID(bad))
		refused("Get", err)
		_, err = d.Resolve(ctx, profile.ID(bad))
		refused("Resolve", err)
		_, err = d.Lookup(ctx, profile.Identifier{Kind: "phone", Value: bad})
		refused("Lookup", err)
		_, err = d.Erase(ctx, profile.ID(bad), profile.Erasure{Decision: profile.Decision{Actor: "a"}})
		refused("Erase", err)
		for _, err := range d.Timeline(ctx, profile.ID(bad)) {
			refused("Timeline", err)
		}
	})
}
