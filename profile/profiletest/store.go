// Package profiletest says whether an implementation of [profile.Store] is
// correct: a Store that passes [TestStore] is.
package profiletest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// TestStore runs the conformance suite. open returns an empty Store for every
// case; it registers its own cleanup.
func TestStore(t *testing.T, open func(testing.TB) profile.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, profile.Store)
	}{
		{"absent rows are left out", absent},
		{"rows come back as they were written", roundTrip},
		{"a stale version conflicts and nothing is written", conflicts},
		{"an event is inserted once", insertOnce},
		{"a row that went never returns under an old version", neverAgain},
		{"a move takes all rows of a profile", moves},
		{"a query brings what belongs to it", belongings},
		{"tombstones are found by hash", tombstones},
		{"arrival numbers are given once and grow", arrivals},
		{"a timeline pages by time and ID", timeline},
		{"the feed is gapless under concurrent writers", feed},
		{"an expired cursor is told so", purged},
		{"profiles are scanned in byte order", scan},
		{"the rules are remembered, and all evidence listed", rules},
		{"a canceled context leaves nothing", canceled},
		{"one writer of many wins", race},
		{"a directory on the Store is one in memory", seeded(directory, 5)},
		{"what is over goes, and what is exported is one in memory", seeded(retain, 8)},
		{"a release joins a profile that is there", seeded(retain, 126)},
		{"a release joins a profile and says all of it", seeded(retain, 146)},
		{"several directories share the Store", seeded(shared, 6)},
		{"other rules over the Store are other rules in memory", reconfigured},
		{"any text comes back as it was written", texts},
		{"a time in any zone is the same instant, to the microsecond", zones},
		{"pages may be huge", hugePages},
		{"a loop may write and stop early", loops},
		{"text that a store cannot hold is refused before it", badTexts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func seeded(run func(*testing.T, profile.Store, uint64), seed uint64) func(*testing.T, profile.Store) {
	return func(t *testing.T, s profile.Store) { run(t, s, seed) }
}

func at(second int) time.Time { return time.Unix(int64(1_700_000_000+second), 123_000).UTC() }

func key(n byte) profile.EvidenceKey { return profile.EvidenceKey{n, 0xff, 0, n} }

func name(v string) profile.Name { return profile.Name{Kind: "phone", Value: v} }

func load(t testing.TB, s profile.Store, q profile.Query) profile.Rows {
	t.Helper()
	rows, err := s.Load(context.Background(), q)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return rows
}

func commit(t testing.TB, s profile.Store, b profile.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func equal[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s:\nwant %+v\ngot  %+v", what, want, got)
	}
}

func event(id string, second int) profile.EventRow {
	return profile.EventRow{
		Event: profile.Event{
			ID: id, Source: "till", Name: "order.paid", Time: at(second),
			Identifiers: []profile.Identifier{{Kind: "phone", Value: "+8613800138000"}},
			Traits:      profile.Values{"city": profile.Text("杭州"), "spend": profile.Dec(1250, 2)},
			Properties:  profile.Values{"tags": profile.Tags("a", "b"), "at": profile.Time(at(1)), "n": profile.Int(-3), "ok": profile.Flag(true)},
			Consents:    []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true, ExpiresAt: at(9)}},
		},
		Evidence: key(1),
	}
}

// person is a profile of one evidence record and one identifier.
func person(id profile.ID, k profile.EvidenceKey, n profile.Name) profile.Batch {
	return profile.Batch{
		Evidence: []profile.EvidenceRow{{
			Key: k, Links: []profile.Name{n}, Profile: id, Anchor: id, Arrival: uint64(k[0]), First: at(1), Last: at(2), Events: 1,
		}},
		Names:    []profile.NameRow{{Name: n, Profile: id, Since: at(1), Uses: 1}},
		Anchors:  []profile.AnchorRow{{ID: id, Evidence: k}},
		Profiles: []profile.ProfileRow{{ID: id, Arrival: uint64(k[0]), Evidence: 1, Events: 1, First: at(1), Last: at(2)}},
		Changes:  []profile.Change{{Kind: profile.Created, Profile: id, RecordedAt: at(3)}},
	}
}

func absent(t *testing.T, s profile.Store) {
	rows := load(t, s, profile.Query{
		Events: []string{"e"}, Evidence: []profile.EvidenceKey{key(1)}, Names: []profile.Name{name("1")},
		Anchors: []profile.ID{"A"}, Profiles: []profile.ID{"A"},
	})
	rows.Arrival = 0
	if n := len(rows.Events) + len(rows.Evidence) + len(rows.Names) + len(rows.Anchors) + len(rows.Profiles); n > 0 {
		t.Fatalf("%d rows in an empty Store", n)
	}
	events, err := s.Events(context.Background(), profile.TimelinePage{Profile: "A", Limit: 10})
	if err != nil || len(events) > 0 {
		t.Fatalf("Events: %v, %v", events, err)
	}
	changes, err := s.Changes(context.Background(), 0, 10)
	if err != nil || len(changes) > 0 {
		t.Fatalf("Changes: %v, %v", changes, err)
	}
}

func roundTrip(t *testing.T, s profile.Store) {
	b := person("A", key(1), name("1"))
	by := profile.Decision{Actor: "li", Reason: "asked"}
	side := profile.SideRow{Values: []profile.SightRow{{Name: name("1"), Since: at(1)}, {Name: name("2")}}, Apart: []profile.Name{name("3")}}
	b.Evidence[0].Traits = []profile.TraitRow{{Name: "spend", Source: "till", Value: profile.Dec(1250, 2), Event: "e1", At: at(1), Exact: "{}"}}
	b.Evidence[0].Consents = []profile.ConsentRow{{Event: "e1", At: at(1), Act: profile.ConsentAct{Purpose: "marketing", Granted: true}}}
	b.Evidence[0].Refused = []profile.RefusedRow{{Name: profile.Name{Kind: "phone", Value: "2", Era: "1"}, Reason: profile.ReasonLimit, Limit: "phone", Near: side, Far: side}}
	b.Evidence[0].Unlinked, b.Evidence[0].Restricted = &by, &by
	b.Names[0].Releases = []time.Time{at(5)}
	b.Evidence[0].Relations = []profile.RelationRow{{Event: "e1", At: at(1), Act: profile.RelationAct{Type: "outlet", Party: "7", Until: at(8)}}}
	b.HandOvers = []profile.HandOver{{Type: "outlet", From: "7", To: "8", At: at(9), By: by}}
	b.Names[0].Ties = []profile.TieRow{{Other: name("2"), Apart: true, Decision: by}}
	b.Profiles[0].Side = side
	b.Profiles[0].Latest = profile.PlaceRow{At: at(4), Evidence: key(1)}
	b.Profiles[0].Traits = b.Evidence[0].Traits
	b.Events = []profile.EventRow{event("e1", 1)}
	commit(t, s, b)
	rows := load(t, s, profile.Query{Events: []string{"e1"}, Names: []profile.Name{name("1")}, Anchors: []profile.ID{"A"}})
	if len(rows.Events) != 1 || len(rows.Evidence) != 1 || len(rows.Names) != 1 || len(rows.Anchors) != 1 || len(rows.Profiles) != 1 {
		t.Fatalf("each row once, please: %+v", rows)
	}
	if rows.Evidence[0].Version == 0 || rows.Names[0].Version == 0 || rows.Profiles[0].Version == 0 {
		t.Fatal("a row that is there has a version above 0")
	}
	rows.Evidence[0].Version, rows.Names[0].Version, rows.Profiles[0].Version = 0, 0, 0
	equal(t, "event", b.Events[0], rows.Events[0])
	equal(t, "evidence", b.Evidence[0], rows.Evidence[0])
	equal(t, "name", b.Names[0], rows.Names[0])
	equal(t, "anchor", b.Anchors[0], rows.Anchors[0])
	equal(t, "profile", b.Profiles[0], rows.Profiles[0])
	commit(t, s, profile.Batch{HandOvers: b.HandOvers})
	equal(t, "hand-overs", b.HandOvers, load(t, s, profile.Query{HandOvers: true}).HandOvers)
}

func conflicts(t *testing.T, s profile.Store) {
	commit(t, s, person("A", key(1), name("1")))
	fresh := person("B", key(2), name("2"))
	for what, spoil := range map[string]func(*profile.Batch){
		"a name that exists":     func(b *profile.Batch) { b.Names = append(b.Names, profile.NameRow{Name: name("1")}) },
		"evidence that exists":   func(b *profile.Batch) { b.Evidence = append(b.Evidence, profile.EvidenceRow{Key: key(1)}) },
		"a profile that exists":  func(b *profile.Batch) { b.Profiles = append(b.Profiles, profile.ProfileRow{ID: "A"}) },
		"a name of a version":    func(b *profile.Batch) { b.Names[0].Version = 7 },
		"evidence of a version":  func(b *profile.Batch) { b.Evidence[0].Version = 7 },
		"a profile of a version": func(b *profile.Batch) { b.Profiles[0].Version = 7 },
		"a deletion of nothing":  func(b *profile.Batch) { b.Names[0].Version, b.Names[0].Deleted = 7, true },
		"retraction of no event": func(b *profile.Batch) {
			b.Events = []profile.EventRow{{Event: profile.Event{ID: "x"}, Retracted: true, Known: true}}
		},
		"a profile of late birth": func(b *profile.Batch) { b.Profiles = append(b.Profiles, profile.ProfileRow{ID: "A", Deleted: true}) },
	} {
		b := fresh
		b.Names, b.Evidence, b.Profiles = slices.Clone(b.Names), slices.Clone(b.Evidence), slices.Clone(b.Profiles)
		spoil(&b)
		if err := s.Commit(context.Background(), b); !errors.Is(err, profile.ErrConflict) {
			t.Fatalf("%s: want ErrConflict, got %v", what, err)
		}
		rows := load(t, s, profile.Query{Evidence: []profile.EvidenceKey{key(2)}, Names: []profile.Name{name("2")}, Anchors: []profile.ID{"B"}, Profiles: []profile.ID{"B"}})
		if len(rows.Evidence)+len(rows.Names)+len(rows.Anchors)+len(rows.Profiles) > 0 {
			t.Fatalf("%s: the batch was half written", what)
		}
	}
	changes, err := s.Changes(context.Background(), 0, 10)
	if err != nil || len(changes) != 1 {
		t.Fatalf("the feed holds %d rows, %v", len(changes), err)
	}
}

func insertOnce(t *testing.T, s profile.Store) {
	b := person("A", key(1), name("1"))
	b.Events = []profile.EventRow{event("e1", 1)}
	commit(t, s, b)
	moved := event("e1", 1)
	moved.Evidence, moved.Known = key(2), true
	commit(t, s, profile.Batch{Events: []profile.EventRow{moved}})
	equal(t, "evidence of the event", key(2), load(t, s, profile.Query{Events: []string{"e1"}}).Events[0].Evidence)
	again := profile.Batch{Events: []profile.EventRow{event("e1", 1)}}
	if err := s.Commit(context.Background(), again); !errors.Is(err, profile.ErrConflict) {
		t.Fatalf("want ErrConflict, got %v", err)
	}
	commit(t, s, profile.Batch{Events: []profile.EventRow{{Event: profile.Event{ID: "e1"}, Retracted: true, Known: true}}})
	rows := load(t, s, profile.Query{Events: []string{"e1"}})
	if len(rows.Events) != 1 || !rows.Events[0].Retracted || rows.Events[0].Event.Traits != nil {
		t.Fatalf("a retracted event keeps its ID and nothing else: %+v", rows.Events)
	}
	events, err := s.Events(context.Background(), profile.TimelinePage{Profile: "A", Limit: 10})
	if err != nil || len(events) > 0 {
		t.Fatalf("a retracted event is in no timeline: %v, %v", events, err)
	}
}

// purged checks a Store that is a [profile.Purger]: what went is never skipped in
// silence, what comes is numbered on, and customers stay as they are.
func purged(t *testing.T, s profile.Store) {
	p, ok := s.(profile.Purger)
	if !ok {
		t.Skip("the Store is no Purger")
	}
	ctx := context.Background()
	commit(t, s, person("A", key(1), name("1")))
	want := load(t, s, profile.Query{Names: []profile.Name{name("1")}})
	for i := range 9 {
		commit(t, s, profile.Batch{Changes: []profile.Change{{Kind: profile.Observed, Profile: "A", RecordedAt: at(4 + i)}}})
	}
	read := func(after, first uint64, n int) {
		t.Helper()
		rows, err := s.Changes(ctx, after, 100)
		if err != nil || len(rows) != n || n > 0 && rows[0].Seq != first {
			t.Fatalf("after %d: %d rows, %v; want %d from %d on", after, len(rows), err, n, first)
		}
	}
	expired := func(kept uint64) {
		t.Helper()
		for after := range kept {
			if rows, err := s.Changes(ctx, after, 100); !errors.Is(err, profile.ErrCursorExpired) {
				t.Fatalf("after %d: %v, %v; want ErrCursorExpired", after, rows, err)
			}
		}
	}
	purge := func(before time.Time, want int) {
		t.Helper()
		if n, err := p.PurgeChanges(ctx, before); err != nil || n != want {
			t.Fatalf("purged %d, %v; want %d", n, err, want)
		}
	}
	read(0, 1, 10)
	purge(at(3), 0)
	for _, n := range []int{4, 0} { // the fifth was recorded at that instant
		purge(at(7), n)
		expired(4)
		read(4, 5, 6)
	}
	purge(at(1000), 6)
	expired(10)
	read(10, 11, 0)
	commit(t, s, profile.Batch{Changes: []profile.Change{{Kind: profile.Observed, Profile: "A", RecordedAt: at(20)}}})
	read(10, 11, 1)
	equal(t, "customer", want, load(t, s, profile.Query{Names: []profile.Name{name("1")}}))
	d, err := profile.New(config(s))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range d.Changes(ctx, 2) {
		if !errors.Is(err, profile.ErrCursorExpired) {
			t.Fatalf("a directory's feed: %v", err)
		}
	}
	if n, err := d.PurgeChanges(ctx, at(1000)); err != nil || n != 1 {
		t.Fatalf("a directory purged %d, %v", n, err)
	}
}

func neverAgain(t *testing.T, s profile.Store) {
	b := person("A", key(1), name("1"))
	commit(t, s, b)
	q := profile.Query{Names: []profile.Name{name("1")}, Evidence: []profile.EvidenceKey{key(1)}}
	first := load(t, s, q)
	commit(t, s, profile.Batch{
		Names:    []profile.NameRow{{Name: name("1"), Version: first.Names[0].Version, Deleted: true}},
		Evidence: []profile.EvidenceRow{{Key: key(1), Version: first.Evidence[0].Version, Deleted: true}},
		Profiles: []profile.ProfileRow{{ID: "A", Version: first.Profiles[0].Version, Deleted: true}},
	})
	rows := load(t, s, q)
	if len(rows.Names)+len(rows.Evidence)+len(rows.Profiles) > 0 {
		t.Fatal("deleted rows are still there")
	}
	b.Anchors, b.Changes = nil, nil
	commit(t, s, b)
	second := load(t, s, q)
	if second.Names[0].Version == first.Names[0].Version || second.Evidence[0].Version == first.Evidence[0].Version ||
		second.Profiles[0].Version == first.Profiles[0].Version {
		t.Fatal("a version came twice: who read the first row would overwrite the second")
	}
}

func moves(t *testing.T, s profile.Store) {
	commit(t, s, person("A", key(1), name("1")))
	commit(t, s, person("B", key(2), name("2")))
	rows := load(t, s, profile.Query{Profiles: []profile.ID{"A", "B"}})
	versions := map[profile.ID]uint64{}
	for _, p := range rows.Profiles {
		versions[p.ID] = p.Version
	}
	stale := load(t, s, profile.Query{Names: []profile.Name{name("2")}}).Names[0]
	commit(t, s, profile.Batch{
		Moves: []profile.Move{{From: "B", To: "A"}},
		Profiles: []profile.ProfileRow{
			{ID: "A", Version: versions["A"], Arrival: 1, Evidence: 2, Events: 2, First: at(1), Last: at(2)},
			{ID: "B", Version: versions["B"], Deleted: true},
		},
	})
	rows = load(t, s, profile.Query{Profiles: []profile.ID{"A", "B"}})
	if len(rows.Profiles) != 1 || len(rows.Evidence) != 2 || len(rows.Names) != 2 {
		t.Fatalf("after the move: %+v", rows)
	}
	for _, e := range rows.Evidence {
		equal(t, "profile of evidence", "A", e.Profile)
	}
	for _, n := range rows.Names {
		equal(t, "profile of name", "A", n.Profile)
	}
	stale.Uses++
	if err := s.Commit(context.Background(), profile.Batch{Names: []profile.NameRow{stale}}); !errors.Is(err, profile.ErrConflict) {
		t.Fatalf("a moved row has a new version; got %v", err)
	}
}

func belongings(t *testing.T, s profile.Store) {
	a, b := person("A", key(1), name("1")), person("B", key(2), name("2"))
	b.Evidence[0].Holds = []profile.Name{name("1"), name("3")} // refused at A's, and at nobody's
	b.Evidence[0].Refused = []profile.RefusedRow{{Name: name("1"), Reason: profile.ReasonLimit}, {Name: name("3"), Reason: profile.ReasonLimit}}
	b.Names = append(b.Names, profile.NameRow{Name: name("3"), Uses: 1, Ties: []profile.TieRow{{Other: name("4")}}})
	commit(t, s, a)
	commit(t, s, b)
	c := person("C", key(3), name("4"))
	c.Events = []profile.EventRow{event("e1", 1)}
	c.Events[0].Evidence = key(3)
	commit(t, s, c)

	check := func(what string, q profile.Query, evidence string, names string, profiles string) {
		t.Helper()
		rows := load(t, s, q)
		var e, n, p []string
		for _, r := range rows.Evidence {
			e = append(e, fmt.Sprint(r.Key[0]))
		}
		for _, r := range rows.Names {
			n = append(n, r.Name.Value)
		}
		for _, r := range rows.Profiles {
			p = append(p, string(r.ID))
		}
		slices.Sort(e)
		slices.Sort(n)
		slices.Sort(p)
		equal(t, what+": evidence", evidence, fmt.Sprint(e))
		equal(t, what+": names", names, fmt.Sprint(n))
		equal(t, what+": profiles", profiles, fmt.Sprint(p))
	}
	check("a name with a profile", profile.Query{Names: []profile.Name{name("1")}}, "[]", "[1]", "[A]")
	check("a name of nobody", profile.Query{Names: []profile.Name{name("3")}}, "[2]", "[3 4]", "[B C]")
	check("an event", profile.Query{Events: []string{"e1"}}, "[3]", "[]", "[C]")
	check("an anchor", profile.Query{Anchors: []profile.ID{"B"}}, "[2]", "[]", "[B]")
	check("a profile refused at others", profile.Query{Profiles: []profile.ID{"B"}}, "[2]", "[1 2 3 4]", "[B]")
	check("a profile at which others were refused", profile.Query{Profiles: []profile.ID{"A"}}, "[1 2]", "[1]", "[A B]")
}

func tombstones(t *testing.T, s profile.Store) {
	h := profile.Hash{1, 0xff}
	first := profile.TombstoneRow{Hash: h, At: at(1)}
	commit(t, s, profile.Batch{Tombstones: []profile.TombstoneRow{first, {Hash: profile.Hash{2}, At: at(2)}}})
	q := profile.Query{Tombstones: []profile.Hash{h, {9}}}
	equal(t, "tombstones", []profile.TombstoneRow{first}, load(t, s, q).Tombstones)
	first.At, first.KeepOut = at(3), true
	commit(t, s, profile.Batch{Tombstones: []profile.TombstoneRow{first}})
	equal(t, "tombstones", []profile.TombstoneRow{first}, load(t, s, q).Tombstones)
}

func arrivals(t *testing.T, s profile.Store) {
	var last uint64
	for range 3 {
		rows := load(t, s, profile.Query{Arrivals: 3})
		if rows.Arrival <= last {
			t.Fatalf("arrival %d after %d", rows.Arrival, last)
		}
		last = rows.Arrival + 2
	}
}

func timeline(t *testing.T, s profile.Store) {
	a := person("A", key(1), name("1"))
	a.Evidence = append(a.Evidence, profile.EvidenceRow{Key: key(2), Profile: "A", Anchor: "X", Arrival: 9, First: at(1), Last: at(1), Events: 1})
	for i := range 25 {
		e := event(fmt.Sprintf("e%02d", i), i/4)
		e.Evidence = key(byte(1 + i%2))
		a.Events = append(a.Events, e)
	}
	commit(t, s, a)
	read := func(p profile.TimelinePage) (ids []string) {
		for {
			rows, err := s.Events(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) > p.Limit {
				t.Fatalf("%d rows of at most %d", len(rows), p.Limit)
			}
			for _, r := range rows {
				ids = append(ids, r.Event.ID)
			}
			if len(rows) < p.Limit {
				return ids
			}
			p.AfterTime, p.AfterID = rows[len(rows)-1].Event.Time, rows[len(rows)-1].Event.ID
		}
	}
	var all, odd []string
	for i := range 25 {
		all = append(all, fmt.Sprintf("e%02d", i))
		if i%2 == 1 {
			odd = append(odd, fmt.Sprintf("e%02d", i))
		}
	}
	for _, limit := range []int{1, 5, 7, 25, 100} {
		equal(t, "timeline of the profile", all, read(profile.TimelinePage{Profile: "A", Limit: limit}))
		equal(t, "timeline of the evidence", odd, read(profile.TimelinePage{Evidence: key(2), Limit: limit}))
	}
}

func feed(t *testing.T, s profile.Store) {
	const writers, each = 8, 25
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				err := s.Commit(context.Background(), profile.Batch{Changes: []profile.Change{
					{Kind: profile.Observed, Profile: "A", Event: fmt.Sprintf("%d-%d", w, i), RecordedAt: at(i), Names: []string{"x", "y"}},
					{Kind: profile.Merged, Profile: "A", Other: "B", RecordedAt: at(i), Mode: profile.Backfill},
				}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	var cursor uint64
	for cursor < 2*writers*each && !t.Failed() {
		rows, err := s.Changes(context.Background(), cursor, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 7 {
			t.Fatalf("%d rows of at most 7", len(rows))
		}
		for _, c := range rows {
			if c.Seq != cursor+1 {
				t.Fatalf("row %d after row %d", c.Seq, cursor)
			}
			cursor = c.Seq
			if c.Kind == profile.Observed && !slices.Equal(c.Names, []string{"x", "y"}) || c.Kind == profile.Merged && (c.Other != "B" || c.Mode != profile.Backfill) {
				t.Fatalf("row %+v", c)
			}
		}
	}
	group.Wait()
}

func scan(t *testing.T, s profile.Store) {
	want := []profile.ID{"", "B", "a", "b", "é"}[1:]
	for i, id := range []profile.ID{"b", "é", "B", "a"} {
		commit(t, s, person(id, key(byte(i+1)), name(string(id))))
	}
	for _, limit := range []int{1, 2, 10} {
		var got []profile.ID
		var after profile.ID
		for {
			page, err := s.Scan(context.Background(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			after = page[len(page)-1]
		}
		equal(t, "scan", want, got)
	}
}

// rules is for a Store that is a [profile.RulesStore].
func rules(t *testing.T, s profile.Store) {
	r, ok := s.(profile.RulesStore)
	if !ok {
		t.Skip("the Store does not remember rules")
	}
	ctx := context.Background()
	holds := func(want string) {
		t.Helper()
		got, err := r.Rules(ctx)
		if err != nil || got != want {
			t.Fatalf("rules %q, %v, want %q", got, err, want)
		}
	}
	holds("")
	b := person("A", key(2), name("1"))
	b.Rules = `{"version":1}`
	commit(t, s, b)
	holds(`{"version":1}`)
	commit(t, s, profile.Batch{Evidence: []profile.EvidenceRow{{Key: key(1)}, {Key: key(3)}}})
	holds(`{"version":1}`)
	late := person("B", key(9), name("9"))
	late.Rules = `{"version":2}`
	if err := s.Commit(ctx, late); !errors.Is(err, profile.ErrConflict) {
		t.Fatalf("rules replaced that were not read: %v", err)
	}
	late.FormerRules = b.Rules
	commit(t, s, late)
	holds(late.Rules)

	var keys []profile.EvidenceKey
	for {
		var after profile.EvidenceKey
		if len(keys) > 0 {
			after = keys[len(keys)-1]
		}
		page, err := r.Keys(ctx, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, page...)
		if len(page) < 3 {
			break
		}
	}
	equal(t, "keys", []profile.EvidenceKey{key(1), key(2), key(3), key(9)}, keys)
}

func canceled(t *testing.T, s profile.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Commit(ctx, person("A", key(1), name("1"))); !errors.Is(err, context.Canceled) {
		t.Fatalf("Commit: %v", err)
	}
	if _, err := s.Load(ctx, profile.Query{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Load: %v", err)
	}
	if rows := load(t, s, profile.Query{Anchors: []profile.ID{"A"}, Profiles: []profile.ID{"A"}}); len(rows.Anchors)+len(rows.Profiles) > 0 {
		t.Fatal("a canceled commit wrote")
	}
}

func race(t *testing.T, s profile.Store) {
	commit(t, s, person("A", key(1), name("1")))
	const writers, each = 8, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for won := 0; won < each; {
				rows, err := s.Load(context.Background(), profile.Query{Names: []profile.Name{name("1")}})
				if err != nil {
					t.Error(err)
					return
				}
				row := rows.Names[0]
				row.Uses++
				switch err := s.Commit(context.Background(), profile.Batch{Names: []profile.NameRow{row}}); {
				case err == nil:
					won++
				case !errors.Is(err, profile.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	equal(t, "uses", 1+writers*each, load(t, s, profile.Query{Names: []profile.Name{name("1")}}).Names[0].Uses)
}
