package profiletest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// retain runs one history on the Store and in memory, with sweeps between
// whose instants move on, releases, and what people decide: what can be asked,
// what an export holds and what the feed tells are equal after every step.
func retain(t *testing.T, s profile.Store, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	now := at(1000)
	open := func(s profile.Store) *profile.Directory {
		c := config(s)
		c.Now = func() time.Time { return now }
		c.Retention = profile.Retention{
			Visitors: 980 * time.Second, Anonymous: []string{"device", "order"},
			Events: map[string]time.Duration{"seen": 990 * time.Second},
		}
		d, err := profile.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	both := []*profile.Directory{open(s), open(nil)}
	by := profile.Decision{Actor: "test"}
	events := history(rng, 50)
	for i := range events {
		events[i].Properties = profile.Values{"secret": profile.Text(fmt.Sprint("content ", i))}
		events[i].Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: rng.IntN(2) == 0}}
		events[i].Relations = []profile.RelationAct{{Type: "assistant", Party: fmt.Sprint("A", rng.IntN(3))}}
		if rng.IntN(3) > 0 {
			events[i].Mode = profile.Backfill
		}
	}
	ctx := context.Background()
	for done := 0; done < len(events); {
		var results [2]string
		step := rng.IntN(10)
		next := events[done:min(len(events), done+1+rng.IntN(4))]
		old := events[rng.IntN(max(1, done))]
		to, from := fmt.Sprint("A", rng.IntN(3)), fmt.Sprint("A", rng.IntN(3))
		when := at(rng.IntN(40))
		for i, d := range both {
			var err error
			switch {
			case step < 4 || done == 0:
				var receipts []profile.Receipt
				receipts, err = d.ObserveBatch(ctx, next)
				for _, r := range receipts {
					r.Seq = 0
					results[i] += fmt.Sprintf("%+v", r)
				}
			case step < 6:
				var swept profile.Retained
				swept, err = d.Retain(ctx, now)
				results[i] = swept.String()
			case step == 6:
				results[i] = fmt.Sprint(d.Release(ctx, old.Identifiers[0], when, by))
			case step == 7:
				results[i] = fmt.Sprint(d.HandOver(ctx, profile.HandOver{Type: "assistant", From: from, To: to, At: when, By: by}))
			case step == 8:
				_, owner, gone := d.Event(ctx, old.ID)
				results[i] = fmt.Sprint(owner, gone, d.Restrict(ctx, owner, by))
			default:
				r, failed := d.Observe(ctx, old)
				results[i] = fmt.Sprint(r.Profile, r.Duplicate, r.Retracted, failed)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if step < 4 || done == 0 {
			done += len(next)
		} else if step < 6 {
			now = now.Add(time.Duration(rng.IntN(4)) * time.Second)
		}
		equal(t, "result", results[1], results[0])
		equal(t, "state", state(t, both[1], events[:done], true), state(t, both[0], events[:done], true))
		want, got := exports(t, both[1], events[:done]), exports(t, both[0], events[:done])
		for i := range min(len(want), len(got)) {
			equal(t, "export", want[i], got[i])
		}
		equal(t, "exports", len(want), len(got))
	}
	var feeds [2][]string
	for i, d := range both {
		for c, err := range d.Changes(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			feeds[i] = append(feeds[i], fmt.Sprint(c))
		}
	}
	equal(t, "feed", strings.Join(feeds[1], "\n"), strings.Join(feeds[0], "\n"))
}

// exports are what customers are given, without the bookkeeping of a Store.
func exports(t testing.TB, d *profile.Directory, events []profile.Event) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	seen := map[profile.ID]bool{}
	for _, e := range events {
		_, owner, err := d.Event(ctx, e.ID)
		if err != nil || owner == "" || seen[owner] {
			continue
		}
		seen[owner] = true
		for item, err := range d.Export(ctx, owner) {
			if err != nil {
				t.Fatal(err)
			}
			if item.Evidence != nil {
				item.Evidence.Arrival = 0
			}
			b, err := json.Marshal(item)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
		receipt, err := d.ConsentReceipt(ctx, owner, profile.ConsentTerms{}, at(1000))
		if err != nil {
			t.Fatal(err)
		}
		ids, err := d.IDs(ctx, owner)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(receipt, ids))
	}
	for m, err := range d.MatchCandidates(ctx, profile.Matching{Traits: []profile.TraitMatch{{Traits: []string{"city"}, Weight: 10}}}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(m))
	}
	return out
}
