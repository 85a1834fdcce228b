package journeytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

// TestStore is the conformance suite of [journey.Store]: a store that passes it
// is correct. The function opens an empty store and closes it by tb.Cleanup.
func TestStore(t *testing.T, open func(tb testing.TB) journey.Store) {
	for _, c := range storeCases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// storeCase is one rule of the contract.
type storeCase struct {
	name string
	run  func(t testing.TB, s journey.Store)
}

var storeCases = []storeCase{
	{"an empty store has nothing", storeEmpty},
	{"rows come back as they were written", storeRoundTrip},
	{"a row is written over its present version only", storeVersions},
	{"a batch is written whole or not at all", storeAtomic},
	{"an input is recorded once", storeInputOnce},
	{"open instances come in order and ended ones do not", storeOpen},
	{"contact rows come alone", storeContacts},
	{"many lookups find what each of them finds", storeMany},
	{"due rows are claimed in order, once, up to the limit", storeClaimOrder},
	{"a claim is lost to the next one when it is over", storeClaimExpires},
	{"the next wake is the earliest", storeNext},
	{"pages list every row once, with writes between them", storePages},
	{"filters let through what they name", storeFilters},
	{"history keeps the order of writing", storeHistory},
	{"an erased customer is gone from every listing", storeErase},
	{"what is over is purged, and nothing else", storePurge},
	{"a customer's rows can move to another", storeMove},
	{"one definition is current", storeDefinitions},
	{"of concurrent writers one wins", storeConcurrentWrites},
	{"of concurrent claims one gets the row", storeConcurrentClaims},
	{"a canceled context leaves nothing half-done", storeCanceled},
	{"a time in any zone is the same instant", storeZones},
	{"pages may be huge", storeHugePages},
	{"a loop may write and stop early", storeLoops},
	{"text that a store cannot hold is refused before it", storeBadTexts},
}

// day0 is the time of the suite, at an odd microsecond.
var day0 = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// instanceRow is an active instance that is due n hours after day0.
func instanceRow(id, customer string, n int) journey.InstanceRow {
	due := day0.Add(time.Duration(n) * time.Hour)
	return journey.InstanceRow{
		Instance: journey.Instance{
			ID: id, Journey: "j", Version: "v", Customer: profile.ID(customer), Key: id, Run: 1, Status: journey.Active,
			State: "waiting", StartedAt: day0, EnteredAt: day0, Due: due, Seq: 1,
			Data: profile.Values{"sku": profile.Text("靴子　ＢＯＯＴＳ"), "n": profile.Int(7), "at": profile.Time(day0)},
		},
		Wake: due,
	}
}

func effectRow(key, instance, customer string, n, priority int) journey.EffectRow {
	return journey.EffectRow{
		Effect: journey.Effect{
			Key: key, Kind: journey.MessageEffect, Name: "cart", Customer: profile.ID(customer), Instance: instance, Journey: "j",
			State: "reminder", Seq: 2, Purpose: "marketing", Category: "cart", Channels: []string{"wechat", "sms"},
			Args: profile.Values{"item": profile.Text("靴子")}, At: day0, NotAfter: day0.Add(time.Hour), Priority: priority,
		},
		State: journey.Pending, Wake: day0.Add(time.Duration(n) * time.Hour),
		Decision: contact.Decision{Verdict: contact.Defer, Channel: "wechat", Reason: contact.QuietHours, Until: day0.Add(time.Hour)},
	}
}

func commit(t testing.TB, s journey.Store, b journey.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), &b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func get(t testing.TB, s journey.Store, l journey.Lookup) journey.Found {
	t.Helper()
	f, err := s.Get(context.Background(), l)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return f
}

func conflict(t testing.TB, s journey.Store, what string, b journey.Batch) {
	t.Helper()
	if err := s.Commit(context.Background(), &b); !errors.Is(err, journey.ErrConflict) {
		t.Fatalf("%s: %v, want ErrConflict", what, err)
	}
}

// list reads all pages of two rows.
func list(t testing.TB, s journey.Store, q journey.Query) journey.Page {
	t.Helper()
	var all journey.Page
	q.Limit = 2
	for range 1000 {
		p, err := s.Page(context.Background(), q)
		if err != nil {
			t.Fatalf("page: %v", err)
		}
		if n := len(p.Instances) + len(p.Effects) + len(p.History) + len(p.Contacts) + len(p.Definitions); n > q.Limit {
			t.Fatalf("a page of %d rows, %d asked for", n, q.Limit)
		}
		all.Instances = append(all.Instances, p.Instances...)
		all.Effects = append(all.Effects, p.Effects...)
		all.History = append(all.History, p.History...)
		all.Contacts = append(all.Contacts, p.Contacts...)
		all.Definitions = append(all.Definitions, p.Definitions...)
		if q.After = p.Next; q.After == "" {
			return all
		}
	}
	t.Fatalf("the listing does not end")
	return all
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func ids(rows []journey.InstanceRow) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Instance.ID)
	}
	return out
}

func keys(rows []journey.EffectRow) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Effect.Key)
	}
	return out
}

func storeEmpty(t testing.TB, s journey.Store) {
	f := get(t, s, journey.Lookup{
		Customer: "c", Input: "i", Instance: "x", Effect: "e", Entries: []journey.EntryKey{{Journey: "j", Customer: "c"}},
		Definition: journey.DefinitionKey{Journey: "j"},
	})
	if len(f.Instances)+len(f.Entries) > 0 || f.Input != nil || f.Instance != nil || f.Effect != nil || f.Definition != nil || f.Contact.Version != 0 {
		t.Fatalf("found %+v", f)
	}
	if next, err := s.Next(context.Background()); err != nil || !next.IsZero() {
		t.Fatalf("next is %s, %v", next, err)
	}
	due, err := s.Claim(context.Background(), journey.Claim{Now: day0, Until: day0.Add(time.Minute), Token: "t", Limit: 10})
	if err != nil || len(due) > 0 {
		t.Fatalf("claimed %v, %v", due, err)
	}
	for kind := journey.InstancePage; kind <= journey.DefinitionPage; kind++ {
		same(t, "page", list(t, s, journey.Query{Kind: kind}), journey.Page{})
	}
}

func storeRoundTrip(t testing.TB, s journey.Store) {
	in, ef := instanceRow("i1", "c", 1), effectRow("i1.2.0", "i1", "c", 1, 3)
	in.Attempts, in.Error = 2, "it failed"
	in.Instance.FiredAt, in.Instance.Pending, in.Instance.Zone, in.Instance.Parent, in.Instance.Brand = day0, 1, "Asia/Shanghai", "p", "luna"
	in.Instance.Fired, in.Instance.BurstAt, in.Instance.Burst = 2, day0, 3
	ef.Refused, ef.Detail, ef.Attempts, ef.Doubtful, ef.Told = []string{"wechat"}, "no", 1, true, true
	row := contact.Row{Zone: "Asia/Tokyo"}.
		WithConsent(profile.ConsentAct{Purpose: "marketing", Channel: "sms", Granted: true, ExpiresAt: day0}, day0).
		WithCredit(contact.Credit{ID: "k", Channel: "wechat", Count: 2, ExpiresAt: day0}).
		WithReply("wechat", "luna", day0).WithFollow("wechat", "luna", true, day0)
	row.Sent = []contact.Sent{{Key: "k", At: day0, Held: true, Channel: "sms"}}
	entry := journey.EntryRow{EntryKey: journey.EntryKey{Journey: "j", Customer: "c", Key: "购物车"}, Run: 3, EnteredAt: day0}
	input := journey.InputRow{ID: "e1", Digest: "d", Customer: "c", At: day0, Instances: []string{"i1"}}
	record := journey.Record{
		Instance: "i1", Journey: "j", Customer: "c", At: day0, Kind: journey.EffectRecord, Effect: "i1.2.0", EffectKind: journey.MessageEffect,
		Name: "cart", Args: profile.Values{"item": profile.Text("靴子")}, State: journey.Pending, Decision: ef.Decision, Detail: "x", Mode: profile.Backfill,
		Version: "v", Edge: 4, From: "a", To: "b", Input: "e1", Cause: "because",
	}
	def := journey.DefinitionRow{DefinitionKey: journey.DefinitionKey{Journey: "j", Version: "v"}, Current: true, DeployedAt: day0, JSON: []byte(`{"a":1}`)}
	commit(t, s, journey.Batch{
		Inputs: []journey.InputRow{input}, Instances: []journey.InstanceRow{in}, Effects: []journey.EffectRow{ef},
		Contacts: []journey.ContactRow{{Customer: "c", Row: row, Former: []profile.ID{"d"}, Arms: []journey.Arm{{Journey: "j", State: "split", To: "left"}}}},
		Entries:  []journey.EntryRow{entry}, History: []journey.Record{record}, Definitions: []journey.DefinitionRow{def},
	})
	in.Version, ef.Version, entry.Version, def.RowVersion = 1, 1, 1, 1
	f := get(t, s, journey.Lookup{
		Customer: "c", Input: "e1", Instance: "i1", Effect: "i1.2.0",
		Entries:    []journey.EntryKey{entry.EntryKey, {Journey: "j", Customer: "c", Key: "other"}},
		Definition: journey.DefinitionKey{Journey: "j", Version: "v"},
	})
	if f.Instance == nil || f.Effect == nil || f.Input == nil || f.Definition == nil {
		t.Fatalf("what was written is not there: %+v", f)
	}
	same(t, "instance", *f.Instance, in)
	same(t, "open instances", f.Instances, []journey.InstanceRow{in})
	same(t, "effect", *f.Effect, ef)
	same(t, "contact", f.Contact, journey.ContactRow{
		Customer: "c", Version: 1, Row: row, Former: []profile.ID{"d"}, Arms: []journey.Arm{{Journey: "j", State: "split", To: "left"}},
	})
	same(t, "entries", f.Entries, []journey.EntryRow{entry})
	same(t, "input", *f.Input, input)
	same(t, "definition", *f.Definition, def)
	same(t, "history", list(t, s, journey.Query{Kind: journey.HistoryPage}).History, []journey.Record{record})
}

func storeVersions(t testing.TB, s journey.Store) {
	in, ef := instanceRow("i1", "c", 1), effectRow("e1", "i1", "c", 1, 0)
	c := journey.ContactRow{Customer: "c"}
	entry := journey.EntryRow{EntryKey: journey.EntryKey{Journey: "j", Customer: "c"}, Run: 1, EnteredAt: day0}
	batch := func() journey.Batch {
		return journey.Batch{
			Instances: []journey.InstanceRow{in}, Effects: []journey.EffectRow{ef},
			Contacts: []journey.ContactRow{c}, Entries: []journey.EntryRow{entry},
		}
	}
	in.Version = 1
	conflict(t, s, "an update of a row that is not there", batch())
	in.Version = 0
	for want := uint64(1); want <= 3; want++ {
		commit(t, s, batch())
		f := get(t, s, journey.Lookup{Customer: "c", Instance: "i1", Effect: "e1", Entries: []journey.EntryKey{entry.EntryKey}})
		same(t, "versions", []uint64{f.Instance.Version, f.Effect.Version, f.Contact.Version, f.Entries[0].Version}, []uint64{want, want, want, want})
		for name, b := range map[string]journey.Batch{
			"stale instance": {Instances: []journey.InstanceRow{in}}, "stale effect": {Effects: []journey.EffectRow{ef}},
			"stale contact": {Contacts: []journey.ContactRow{c}}, "stale entry": {Entries: []journey.EntryRow{entry}},
		} {
			conflict(t, s, name, b)
		}
		in, ef, c, entry = *f.Instance, *f.Effect, f.Contact, f.Entries[0]
		in.Instance.State, ef.Attempts, entry.Run = fmt.Sprint(want), int(want), int(want)
	}
}

func storeAtomic(t testing.TB, s journey.Store) {
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{instanceRow("old", "c", 1)}})
	conflict(t, s, "the last row is stale", journey.Batch{
		Inputs:    []journey.InputRow{{ID: "x", Customer: "c", At: day0}},
		Effects:   []journey.EffectRow{effectRow("e", "new", "c", 1, 0)},
		Contacts:  []journey.ContactRow{{Customer: "c"}},
		Entries:   []journey.EntryRow{{EntryKey: journey.EntryKey{Journey: "j", Customer: "c"}, EnteredAt: day0}},
		History:   []journey.Record{{Instance: "new", Customer: "c", At: day0, Kind: journey.MovedRecord}},
		Instances: []journey.InstanceRow{instanceRow("new", "c", 1), instanceRow("old", "c", 2)},
		Erase:     []profile.ID{"c"},
	})
	f := get(t, s, journey.Lookup{Customer: "c", Input: "x", Instance: "new", Effect: "e", Entries: []journey.EntryKey{{Journey: "j", Customer: "c"}}})
	same(t, "instances", ids(f.Instances), []string{"old"})
	if f.Input != nil || f.Instance != nil || f.Effect != nil || len(f.Entries) > 0 || f.Contact.Version != 0 {
		t.Fatalf("half of a batch was written: %+v", f)
	}
	if h := list(t, s, journey.Query{Kind: journey.HistoryPage}).History; len(h) > 0 {
		t.Fatalf("history was written: %+v", h)
	}
}

func storeInputOnce(t testing.TB, s journey.Store) {
	commit(t, s, journey.Batch{Inputs: []journey.InputRow{{ID: "x", Digest: "1", Customer: "c", At: day0}}})
	conflict(t, s, "the same input", journey.Batch{
		Inputs: []journey.InputRow{{ID: "x", Digest: "2", Customer: "d", At: day0}}, Instances: []journey.InstanceRow{instanceRow("i", "d", 1)},
	})
	conflict(t, s, "the same input among others", journey.Batch{Inputs: []journey.InputRow{{ID: "w", Customer: "d", At: day0}, {ID: "x", Customer: "d", At: day0}}})
	same(t, "digest", get(t, s, journey.Lookup{Input: "x"}).Input.Digest, "1")
	if f := get(t, s, journey.Lookup{Input: "w"}); f.Input != nil {
		t.Fatalf("half of the inputs were recorded: %+v", f.Input)
	}
	commit(t, s, journey.Batch{Inputs: []journey.InputRow{{ID: "w", Customer: "d", At: day0}, {ID: "v", Customer: "c", At: day0}}})
	same(t, "customer", get(t, s, journey.Lookup{Input: "v"}).Input.Customer, profile.ID("c"))
}

func storeOpen(t testing.TB, s journey.Store) {
	var b journey.Batch
	for i, spec := range []struct {
		id, journey, key string
		run              int
		status           journey.Status
	}{
		{"i5", "b", "", 1, journey.Active},
		{"i4", "a", "y", 2, journey.Closing},
		{"i3", "a", "y", 10, journey.Active},
		{"i2", "a", "Z", 1, journey.Active},
		{"i1", "a", "y", 1, journey.Ended},
	} {
		row := instanceRow(spec.id, "c", i)
		row.Instance.Journey, row.Instance.Key, row.Instance.Run, row.Instance.Status = spec.journey, spec.key, spec.run, spec.status
		b.Instances = append(b.Instances, row)
	}
	b.Instances = append(b.Instances, instanceRow("other", "d", 1))
	commit(t, s, b)
	same(t, "open, by journey, key in byte order, run", ids(get(t, s, journey.Lookup{Customer: "c"}).Instances), []string{"i2", "i4", "i3", "i5"})
	row := *get(t, s, journey.Lookup{Instance: "i4"}).Instance
	row.Instance.Status, row.Wake = journey.Ended, time.Time{}
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{row}})
	same(t, "open, after one has ended", ids(get(t, s, journey.Lookup{Customer: "c"}).Instances), []string{"i2", "i3", "i5"})
}

func storeContacts(t testing.TB, s journey.Store) {
	var b journey.Batch
	for _, id := range []profile.ID{"c", "d", "e"} {
		b.Contacts = append(b.Contacts, journey.ContactRow{Customer: id, Row: contact.Row{Zone: "zone of " + string(id)}})
		b.Instances = append(b.Instances, instanceRow("i-"+string(id), string(id), 1))
	}
	commit(t, s, b)
	for _, c := range []struct{ ask, want []profile.ID }{
		{nil, nil},
		{[]profile.ID{"d"}, []profile.ID{"d"}},
		{[]profile.ID{"e", "nobody", "c"}, []profile.ID{"c", "e"}},
	} {
		f := get(t, s, journey.Lookup{Contacts: c.ask})
		slices.SortFunc(f.Contacts, func(a, b journey.ContactRow) int { return cmp.Compare(a.Customer, b.Customer) })
		var want []journey.ContactRow
		for _, id := range c.want {
			want = append(want, journey.ContactRow{Customer: id, Version: 1, Row: contact.Row{Zone: "zone of " + string(id)}})
		}
		same(t, fmt.Sprint(c.ask), f.Contacts, want)
		if len(f.Instances) > 0 {
			t.Fatalf("nobody asked for instances")
		}
	}
	f := get(t, s, journey.Lookup{Customer: "c", Contacts: []profile.ID{"d", "e"}})
	if f.Contact.Customer != "c" || len(f.Contacts) != 2 || len(f.Instances) != 1 {
		t.Fatalf("one customer and two contact rows: %+v", f)
	}
}

func claimDue(t testing.TB, s journey.Store, now time.Time, limit int) []journey.Due {
	t.Helper()
	due, err := s.Claim(context.Background(), journey.Claim{Now: now, Until: now.Add(time.Minute), Token: "worker", Limit: limit})
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return due
}

func names(due []journey.Due) []string {
	out := []string{}
	for _, d := range due {
		if d.Instance != nil {
			out = append(out, d.Instance.Instance.ID)
		} else {
			out = append(out, d.Effect.Effect.Key)
		}
	}
	return out
}

func storeMany(t testing.TB, s journey.Store) {
	g, ok := s.(journey.Gatherer)
	if !ok {
		return
	}
	var lookups []journey.Lookup
	for i := range 6 {
		c, id := profile.ID(fmt.Sprintf("c%d", i)), fmt.Sprintf("i%d", i)
		key := journey.EntryKey{Journey: "j", Customer: c, Key: id}
		lookups = append(lookups, journey.Lookup{Customer: c, Input: "in-" + id, Entries: []journey.EntryKey{key, {Journey: "k", Customer: c}}})
		if i == 5 {
			break // of the last there is nothing
		}
		b := journey.Batch{
			Inputs:  []journey.InputRow{{ID: "in-" + id, Digest: "d" + id, Customer: c, At: day0, Instances: []string{id}}},
			Entries: []journey.EntryRow{{EntryKey: key, Run: i + 1, EnteredAt: day0}},
		}
		for n := range i { // c0 has no instance, c3 has three, one of which has ended
			row := instanceRow(fmt.Sprintf("%s-%d", id, n), string(c), n)
			if n == 2 {
				row.Instance.Status, row.Wake = journey.Ended, time.Time{}
			}
			b.Instances = append(b.Instances, row)
		}
		if i%2 == 0 {
			b.Contacts = []journey.ContactRow{{Customer: c, Row: contact.Row{Zone: "Asia/Shanghai"}}}
		}
		commit(t, s, b)
	}
	lookups = append(lookups, lookups[3], journey.Lookup{}, journey.Lookup{Input: "in-i1"}, journey.Lookup{Customer: "c2"})
	check := func(what string, l []journey.Lookup) {
		got, err := g.GetMany(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]journey.Found, len(l))
		for i := range l {
			want[i] = get(t, s, l[i])
			for _, f := range []*journey.Found{&want[i], &got[i]} {
				slices.SortFunc(f.Entries, func(a, b journey.EntryRow) int { return cmp.Compare(a.Key, b.Key) })
			}
		}
		same(t, what, got, want)
	}
	check("customers, inputs and entries", lookups)
	check("none", nil)
	check("other rows too", append(lookups, journey.Lookup{Instance: "i4-1"}))
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := g.GetMany(canceled, lookups); err == nil {
		t.Fatal("a canceled context was answered")
	}
}

func storeClaimOrder(t testing.TB, s journey.Store) {
	never := instanceRow("never", "c", 0)
	never.Wake = time.Time{}
	commit(t, s, journey.Batch{
		Instances: []journey.InstanceRow{instanceRow("k3", "c", 2), instanceRow("k1", "c", 1), never, instanceRow("k9", "d", 9)},
		Effects: []journey.EffectRow{
			effectRow("k2b", "k1", "c", 2, 0), effectRow("k2a", "k1", "c", 2, 0), effectRow("k2z", "k1", "c", 2, 5), effectRow("k8", "k1", "c", 8, 0),
		},
	})
	now := day0.Add(3 * time.Hour)
	due := claimDue(t, s, now, 2)
	same(t, "the first two", names(due), []string{"k1", "k3"})
	if !due[0].At.Equal(day0.Add(time.Hour)) || due[0].Instance.Version != 2 || due[0].Instance.Token != "worker" || !due[0].Instance.Wake.Equal(now.Add(time.Minute)) {
		t.Fatalf("claimed %+v of %s", due[0].Instance, due[0].At)
	}
	same(t, "the rest", names(claimDue(t, s, now, 10)), []string{"k2z", "k2a", "k2b"})
	same(t, "nothing twice", names(claimDue(t, s, now, 10)), []string{})
	same(t, "stored as returned", *get(t, s, journey.Lookup{Instance: "k1"}).Instance, *due[0].Instance)
}

func storeClaimExpires(t testing.TB, s journey.Store) {
	commit(t, s, journey.Batch{Effects: []journey.EffectRow{effectRow("e", "i", "c", 0, 0)}})
	first := claimDue(t, s, day0, 1)[0]
	same(t, "held", names(claimDue(t, s, day0.Add(59*time.Second), 1)), []string{})
	second := claimDue(t, s, day0.Add(time.Minute), 1)
	same(t, "claimed again", names(second), []string{"e"})
	conflict(t, s, "the first owner wakes up", journey.Batch{Effects: []journey.EffectRow{*first.Effect}})
	done := *second[0].Effect
	done.State, done.Wake = journey.Confirmed, time.Time{}
	commit(t, s, journey.Batch{Effects: []journey.EffectRow{done}})
	same(t, "done is done", names(claimDue(t, s, day0.Add(time.Hour), 1)), []string{})
}

func storeNext(t testing.TB, s journey.Store) {
	next := func(want time.Time) {
		t.Helper()
		got, err := s.Next(context.Background())
		if err != nil || !got.Equal(want) {
			t.Fatalf("next is %s, %v; want %s", got, err, want)
		}
	}
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{instanceRow("i", "c", 5)}})
	next(day0.Add(5 * time.Hour))
	commit(t, s, journey.Batch{Effects: []journey.EffectRow{effectRow("e", "i", "c", 2, 0)}})
	next(day0.Add(2 * time.Hour))
	claimDue(t, s, day0.Add(2*time.Hour), 1)
	next(day0.Add(2*time.Hour + time.Minute))
	row := *get(t, s, journey.Lookup{Effect: "e"}).Effect
	row.Wake = time.Time{}
	commit(t, s, journey.Batch{Effects: []journey.EffectRow{row}})
	next(day0.Add(5 * time.Hour))
	in := *get(t, s, journey.Lookup{Instance: "i"}).Instance
	in.Wake = day0.Add(9 * time.Hour)
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{in}})
	next(day0.Add(9 * time.Hour))
}

func storePages(t testing.TB, s journey.Store) {
	var b journey.Batch
	for i := range 9 {
		id := fmt.Sprintf("i%d", i)
		b.Instances = append(b.Instances, instanceRow(id, "c", i))
		b.Effects = append(b.Effects, effectRow("e"+id, id, "c", i, 0))
		b.Contacts = append(b.Contacts, journey.ContactRow{Customer: profile.ID(id)})
	}
	commit(t, s, b)
	for _, kind := range []journey.PageKind{journey.InstancePage, journey.EffectPage, journey.ContactPage} {
		seen := map[string]int{}
		q := journey.Query{Kind: kind, Limit: 2}
		for n := range 1000 {
			p, err := s.Page(context.Background(), q)
			if err != nil {
				t.Fatalf("page: %v", err)
			}
			for _, id := range ids(p.Instances) {
				seen[id]++
			}
			for _, key := range keys(p.Effects) {
				seen[key]++
			}
			for _, c := range p.Contacts {
				seen[string(c.Customer)]++
			}
			if q.After = p.Next; q.After == "" {
				break
			}
			if n >= 3 { // enough rows have been written and added under way
				continue
			}
			extra := fmt.Sprintf("%d-%d", kind, n)
			old := *get(t, s, journey.Lookup{Instance: "i3"}).Instance
			commit(t, s, journey.Batch{
				Instances: []journey.InstanceRow{instanceRow("a"+extra, "c", 1), instanceRow("z"+extra, "c", 1), old},
				Effects:   []journey.EffectRow{effectRow("a"+extra, "i1", "c", 1, 0), effectRow("z"+extra, "i1", "c", 1, 0)},
				Contacts:  []journey.ContactRow{{Customer: profile.ID("a" + extra)}, {Customer: profile.ID("z" + extra)}},
			})
		}
		for i := range 9 {
			id := fmt.Sprintf("i%d", i)
			if kind == journey.EffectPage {
				id = "e" + id
			}
			if seen[id] != 1 {
				t.Fatalf("kind %d: %s was listed %d times", kind, id, seen[id])
			}
		}
	}
}

func storeFilters(t testing.TB, s journey.Store) {
	var b journey.Batch
	for _, c := range []string{"c", "d"} {
		for _, j := range []string{"j", "k"} {
			in, ef := instanceRow(c+j, c, 1), effectRow("e"+c+j, c+j, c, 1, 0)
			in.Instance.Journey, ef.Effect.Journey = j, j
			b.Instances, b.Effects = append(b.Instances, in), append(b.Effects, ef)
			b.History = append(b.History, journey.Record{Instance: c + j, Journey: j, Customer: profile.ID(c), At: day0, Kind: journey.MovedRecord})
		}
		b.Contacts = append(b.Contacts, journey.ContactRow{Customer: profile.ID(c)})
	}
	commit(t, s, b)
	for _, c := range []struct {
		q    journey.Query
		want []string
	}{
		{journey.Query{}, []string{"cj", "ck", "dj", "dk"}},
		{journey.Query{Customer: "d"}, []string{"dj", "dk"}},
		{journey.Query{Journey: "k"}, []string{"ck", "dk"}},
		{journey.Query{Instance: "dj"}, []string{"dj"}},
		{journey.Query{Customer: "c", Journey: "k"}, []string{"ck"}},
		{journey.Query{Customer: "c", Instance: "dj"}, []string{}},
		{journey.Query{Customer: "nobody"}, []string{}},
	} {
		got := map[string]int{}
		for kind := journey.InstancePage; kind <= journey.HistoryPage; kind++ {
			c.q.Kind = kind
			p := list(t, s, c.q)
			for _, id := range ids(p.Instances) {
				got[id]++
			}
			for _, r := range p.Effects {
				got[r.Effect.Instance]++
			}
			for _, r := range p.History {
				got[r.Instance]++
			}
		}
		want := map[string]int{}
		for _, id := range c.want {
			want[id] = 3
		}
		same(t, fmt.Sprintf("%+v", c.q), got, want)
	}
	if p := list(t, s, journey.Query{Kind: journey.ContactPage, Customer: "d"}); len(p.Contacts) != 1 || p.Contacts[0].Customer != "d" {
		t.Fatalf("contacts of d: %+v", p.Contacts)
	}
}

func storeHistory(t testing.TB, s journey.Store) {
	var want []string
	for i := range 7 {
		cause := fmt.Sprint(i)
		// Written later, though it happened earlier.
		at := day0.Add(-time.Duration(i) * time.Hour)
		commit(t, s, journey.Batch{History: []journey.Record{
			{Instance: "i", Journey: "j", Customer: "c", At: at, Kind: journey.MovedRecord, Cause: cause + "a"},
			{Instance: "i", Journey: "j", Customer: "c", At: at, Kind: journey.MovedRecord, Cause: cause + "b"},
		}})
		want = append(want, cause+"a", cause+"b")
	}
	for _, q := range []journey.Query{{}, {Instance: "i"}, {Customer: "c"}, {Journey: "j"}} {
		q.Kind = journey.HistoryPage
		var got []string
		for _, r := range list(t, s, q).History {
			got = append(got, r.Cause)
		}
		same(t, "order", got, want)
	}
}

func storeErase(t testing.TB, s journey.Store) {
	for _, c := range []string{"c", "d", "e"} {
		commit(t, s, journey.Batch{
			Inputs:    []journey.InputRow{{ID: "in-" + c, Customer: profile.ID(c), At: day0}},
			Instances: []journey.InstanceRow{instanceRow("i-"+c, c, 1)},
			Effects:   []journey.EffectRow{effectRow("e-"+c, "i-"+c, c, 1, 0)},
			Contacts:  []journey.ContactRow{{Customer: profile.ID(c)}},
			Entries:   []journey.EntryRow{{EntryKey: journey.EntryKey{Journey: "j", Customer: profile.ID(c)}, EnteredAt: day0}},
			History:   []journey.Record{{Instance: "i-" + c, Journey: "j", Customer: profile.ID(c), At: day0, Kind: journey.MovedRecord}},
		})
	}
	commit(t, s, journey.Batch{Erase: []profile.ID{"c", "d", "nobody"}})
	for _, c := range []string{"c", "d", "e"} {
		f := get(t, s, journey.Lookup{
			Customer: profile.ID(c), Input: "in-" + c, Instance: "i-" + c, Effect: "e-" + c,
			Entries: []journey.EntryKey{{Journey: "j", Customer: profile.ID(c)}},
		})
		there := []bool{len(f.Instances) > 0, f.Input != nil, f.Instance != nil, f.Effect != nil, len(f.Entries) > 0, f.Contact.Version > 0}
		want := c == "e"
		same(t, c, there, []bool{want, want, want, want, want, want})
		for _, q := range []journey.Query{{Customer: profile.ID(c)}, {Instance: "i-" + c}, {Journey: "j"}, {}} {
			for kind := journey.InstancePage; kind <= journey.HistoryPage; kind++ {
				q.Kind = kind
				p := list(t, s, q)
				n := len(p.Instances) + len(p.Effects) + len(p.History)
				if one := q.Customer == "" && q.Instance == "" || want; one && n != 1 || !one && n != 0 {
					t.Fatalf("%+v lists %d rows", q, n)
				}
			}
		}
	}
	same(t, "claims", names(claimDue(t, s, day0.Add(9*time.Hour), 10)), []string{"i-e", "e-e"})
	// An erased customer may come back.
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{instanceRow("i-c", "c", 1)}, Contacts: []journey.ContactRow{{Customer: "c"}}})
}

func storePurge(t testing.TB, s journey.Store) {
	ctx := context.Background()
	at := func(days int) time.Time { return day0.Add(time.Duration(days) * 24 * time.Hour) }
	// Instances that ended a day apart; what became of their only effect; "open" has not ended.
	for i, c := range []struct {
		id    string
		state journey.EffectState
	}{
		{"i0", journey.Confirmed},
		{"i1", journey.Uncertain},
		{"i2", journey.Suppressed},
		{"i3", journey.Dead},
		{"i4", journey.Rejected},
		{"i5", journey.Confirmed},
		{"i6", journey.Pending},
		{"i7", journey.Leased},
		{"open", journey.Confirmed},
	} {
		in, ef := instanceRow(c.id, "c", 1), effectRow("e-"+c.id, c.id, "c", 1, 0)
		if c.id != "open" {
			in.Instance.Status, in.Instance.EndedAt, in.Instance.Due, in.Wake = journey.Ended, at(i), time.Time{}, time.Time{}
		}
		if ef.State = c.state; ef.State != journey.Pending && ef.State != journey.Leased {
			ef.Wake = time.Time{}
		}
		commit(t, s, journey.Batch{
			Inputs:    []journey.InputRow{{ID: "in-" + c.id, Customer: "c", At: at(i)}},
			Instances: []journey.InstanceRow{in}, Effects: []journey.EffectRow{ef},
			Entries: []journey.EntryRow{{EntryKey: journey.EntryKey{Journey: "j", Customer: "c", Key: c.id}, EnteredAt: at(i)}},
			History: []journey.Record{{Instance: c.id, Journey: "j", Customer: "c", At: at(i), Kind: journey.MovedRecord}},
		})
	}
	purge := func(p journey.Purge, want int) {
		t.Helper()
		n, err := s.Purge(ctx, p)
		if err != nil || n != want {
			t.Fatalf("purged %d: %v, want %d", n, err, want)
		}
	}
	there := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		var instances, effects, lines []string
		for _, row := range list(t, s, journey.Query{}).Instances {
			instances = append(instances, row.Instance.ID)
		}
		for _, row := range list(t, s, journey.Query{Kind: journey.EffectPage}).Effects {
			effects = append(effects, row.Effect.Instance)
		}
		for _, r := range list(t, s, journey.Query{Kind: journey.HistoryPage, Customer: "c"}).History {
			lines = append(lines, r.Instance)
		}
		for what, got := range map[string][]string{"instances": instances, "effects": effects, "history": lines} {
			slices.Sort(got)
			same(t, what, got, want)
		}
	}
	purge(journey.Purge{Limit: 10}, 0)
	purge(journey.Purge{Ended: at(5), Limit: 2}, 2)
	purge(journey.Purge{Ended: at(5), Limit: 10}, 1)
	there("i1", "i3", "i5", "i6", "i7", "open")
	purge(journey.Purge{Ended: at(100), Inputs: at(2), Limit: 2}, 2)
	purge(journey.Purge{Ended: at(100), Inputs: at(2), Limit: 2}, 1)
	purge(journey.Purge{Ended: at(100), Inputs: at(2), Limit: 2}, 0)
	there("i1", "i3", "i6", "i7", "open")
	for i, id := range []string{"in-i0", "in-i1", "in-i2", "in-open"} {
		if found := get(t, s, journey.Lookup{Input: id}).Input != nil; found != (i > 1) {
			t.Fatalf("%s is there: %t", id, found)
		}
	}
	// Inputs that were set aside go with the inputs, unless somebody has to look at them.
	for i, state := range []journey.EffectState{journey.Confirmed, journey.Rejected, journey.Dead, journey.Pending, journey.Confirmed} {
		ef := effectRow(fmt.Sprintf("input/%d", i), "", "p", 1, 0)
		ef.Effect.Kind, ef.Effect.At, ef.State, ef.Wake = journey.InputEffect, at(i), state, time.Time{}
		commit(t, s, journey.Batch{
			Effects: []journey.EffectRow{ef},
			History: []journey.Record{{Customer: "p", At: at(i), Kind: journey.EffectRecord, Effect: ef.Effect.Key, EffectKind: journey.InputEffect, State: state}},
		})
	}
	purge(journey.Purge{Ended: at(100), Limit: 10}, 0)
	purge(journey.Purge{Inputs: at(2), Limit: 1}, 1)
	purge(journey.Purge{Inputs: at(2), Limit: 10}, 1)
	var left, told []string
	for _, row := range list(t, s, journey.Query{Kind: journey.EffectPage, Customer: "p"}).Effects {
		left = append(left, row.Effect.Key)
	}
	for _, r := range list(t, s, journey.Query{Kind: journey.HistoryPage, Customer: "p"}).History {
		told = append(told, r.Effect)
	}
	same(t, "inputs set aside", left, []string{"input/2", "input/3", "input/4"})
	same(t, "their history", told, left)
	entry := journey.EntryKey{Journey: "j", Customer: "c", Key: "i0"}
	if len(get(t, s, journey.Lookup{Customer: "c", Entries: []journey.EntryKey{entry}}).Entries) != 1 {
		t.Fatalf("the entry of a purged instance is gone")
	}
	same(t, "claims", names(claimDue(t, s, at(1000), 10)), []string{"open", "e-i6", "e-i7"})
	// What is left of the customer can be erased.
	commit(t, s, journey.Batch{Erase: []profile.ID{"c", "p"}})
	there()
}

func storeMove(t testing.TB, s journey.Store) {
	commit(t, s, journey.Batch{
		Instances: []journey.InstanceRow{instanceRow("i", "c", 1)}, Effects: []journey.EffectRow{effectRow("e", "i", "c", 1, 0)},
	})
	f := get(t, s, journey.Lookup{Instance: "i", Effect: "e"})
	f.Instance.Instance.Customer, f.Effect.Effect.Customer = "d", "d"
	commit(t, s, journey.Batch{Instances: []journey.InstanceRow{*f.Instance}, Effects: []journey.EffectRow{*f.Effect}})
	for customer, want := range map[profile.ID]int{"c": 0, "d": 1} {
		if n := len(get(t, s, journey.Lookup{Customer: customer}).Instances); n != want {
			t.Fatalf("%s has %d open instances", customer, n)
		}
		if n := len(list(t, s, journey.Query{Customer: customer}).Instances); n != want {
			t.Fatalf("%s has %d instances", customer, n)
		}
		if n := len(list(t, s, journey.Query{Kind: journey.EffectPage, Customer: customer}).Effects); n != want {
			t.Fatalf("%s has %d effects", customer, n)
		}
	}
}

func storeDefinitions(t testing.TB, s journey.Store) {
	row := func(version string, current bool) journey.DefinitionRow {
		return journey.DefinitionRow{DefinitionKey: journey.DefinitionKey{Journey: "j", Version: version}, Current: current, DeployedAt: day0, JSON: []byte(version)}
	}
	commit(t, s, journey.Batch{Definitions: []journey.DefinitionRow{row("1", true)}})
	conflict(t, s, "the same version", journey.Batch{Definitions: []journey.DefinitionRow{row("1", true)}})
	former := row("1", false)
	former.RowVersion = 1
	commit(t, s, journey.Batch{Definitions: []journey.DefinitionRow{row("2", true), former}})
	same(t, "current", get(t, s, journey.Lookup{Definition: journey.DefinitionKey{Journey: "j"}}).Definition.Version, "2")
	same(t, "the other is kept", string(get(t, s, journey.Lookup{Definition: former.DefinitionKey}).Definition.JSON), "1")
	same(t, "listed", len(list(t, s, journey.Query{Kind: journey.DefinitionPage, Journey: "j"}).Definitions), 2)
}

func storeConcurrentWrites(t testing.TB, s journey.Store) {
	const writers, each = 4, 10
	commit(t, s, journey.Batch{Contacts: []journey.ContactRow{{Customer: "c"}}, Instances: []journey.InstanceRow{instanceRow("i", "c", 1)}})
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				f, err := s.Get(context.Background(), journey.Lookup{Customer: "c", Instance: "i"})
				if err == nil && f.Instance == nil {
					err = errors.New("the instance that was written is not there")
				}
				if err == nil {
					f.Instance.Instance.Seq++
					f.Contact.Row.Sent = append(slices.Clip(f.Contact.Row.Sent), contact.Sent{Key: "k", At: day0})
					err = s.Commit(context.Background(), &journey.Batch{Instances: []journey.InstanceRow{*f.Instance}, Contacts: []journey.ContactRow{f.Contact}})
				}
				switch {
				case err == nil:
					done++
				case !errors.Is(err, journey.ErrConflict):
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Fatalf("a writer failed: %v", err)
	}
	f := get(t, s, journey.Lookup{Customer: "c", Instance: "i"})
	if f.Instance.Instance.Seq != 1+writers*each || len(f.Contact.Row.Sent) != writers*each {
		t.Fatalf("updates were lost: %d and %d of %d", f.Instance.Instance.Seq-1, len(f.Contact.Row.Sent), writers*each)
	}
}

func storeConcurrentClaims(t testing.TB, s journey.Store) {
	const rows = 40
	var b journey.Batch
	for i := range rows {
		b.Effects = append(b.Effects, effectRow(fmt.Sprintf("e%02d", i), "i", "c", 0, 0))
	}
	commit(t, s, b)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	var failed error
	for range 4 {
		wg.Go(func() {
			for {
				due, err := s.Claim(context.Background(), journey.Claim{Now: day0, Until: day0.Add(time.Minute), Token: "t", Limit: 3})
				mu.Lock()
				for _, name := range names(due) {
					seen[name]++
				}
				if err != nil {
					failed = err
				}
				mu.Unlock()
				if err != nil || len(due) == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	if failed != nil {
		t.Fatalf("claim: %v", failed)
	}
	if len(seen) != rows {
		t.Fatalf("%d of %d rows were claimed", len(seen), rows)
	}
	for name, n := range seen {
		if n != 1 {
			t.Fatalf("%s was claimed %d times", name, n)
		}
	}
}

func storeCanceled(t testing.TB, s journey.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := journey.Batch{Instances: []journey.InstanceRow{instanceRow("i", "c", 1)}}
	if err := s.Commit(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Fatalf("commit: %v", err)
	}
	commit(t, s, b)
	if _, err := s.Get(ctx, journey.Lookup{Customer: "c"}); !errors.Is(err, context.Canceled) {
		t.Fatalf("get: %v", err)
	}
	if _, err := s.Claim(ctx, journey.Claim{Now: day0.Add(time.Hour), Until: day0.Add(2 * time.Hour), Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("claim: %v", err)
	}
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("next: %v", err)
	}
	if _, err := s.Page(ctx, journey.Query{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("page: %v", err)
	}
	same(t, "claims", names(claimDue(t, s, day0.Add(time.Hour), 10)), []string{"i"})
}
