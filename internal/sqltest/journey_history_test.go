package sqltest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

var (
	journeyHistories = flag.Int("journey.histories", 6, "random histories of a store's operations on each engine")
	journeyRuns      = flag.Int("journey.runs", 3, "random runs of a journey engine on each engine")
)

var spring = time.Date(2026, 3, 1, 9, 0, 0, 250_001_000, time.UTC)

// TestJourneyStoresAreEqual does the same random operations, wrong versions and
// repeated inputs among them, on a store in memory and on one in a database.
func TestJourneyStoresAreEqual(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyJourneys(t, e)
			for seed := range uint64(*journeyHistories) {
				sameLines(t, seed, storeHistory(t, seed, journey.NewMemory()), storeHistory(t, seed, open(t)))
			}
		})
	}
}

// TestJourneyEnginesAreEqual runs the same journeys with the same inputs, on
// channels that fail now and then, on a store in memory and on one in a database.
func TestJourneyEnginesAreEqual(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			open := emptyJourneys(t, e)
			for seed := range uint64(*journeyRuns) {
				sameLines(t, seed, engineHistory(t, seed, journey.NewMemory()), engineHistory(t, seed, open(t)))
			}
		})
	}
}

func sameLines(t *testing.T, seed uint64, want, got []string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i], "seed %d, line %d", seed, i)
	}
	require.Len(t, got, len(want), "seed %d", seed)
}

func line(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// storeHistory is what a store answers to random operations, line by line.
func storeHistory(t *testing.T, seed uint64, s journey.Store) []string {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 7))
	now := spring
	var log []string
	note := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	pick := func(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, r.IntN(n)) }
	when := func() time.Time {
		if r.IntN(4) == 0 {
			return time.Time{}
		}
		return now.Add(time.Duration(r.IntN(7200)) * time.Second)
	}
	customer := func() profile.ID { return profile.ID(pick("客", 5)) }
	props := func() profile.Values {
		switch r.IntN(4) {
		case 0:
			return nil
		case 1:
			return profile.Values{"sku": profile.Text("靴 \"b\\1\"\n"), "n": profile.Int(int64(r.IntN(9)) - 4), "at": profile.Time(now)}
		case 2:
			return profile.Values{"sku": profile.Text("boots"), "price": profile.Dec(int64(r.IntN(999)), 2), "tags": profile.Tags("a", "b"), "on": profile.Flag(true)}
		}
		return profile.Values{"sku": profile.Text("boots"), "n": profile.Int(1 << 60)}
	}
	wrong := func(v uint64) uint64 { // now and then
		if r.IntN(12) == 0 {
			return v + uint64(r.IntN(3))
		}
		return v
	}
	instance := func() journey.InstanceRow {
		id := pick("i", 12)
		f, err := s.Get(ctx, journey.Lookup{Instance: id})
		require.NoError(t, err)
		row := journey.InstanceRow{Instance: journey.Instance{
			ID: id, Journey: pick("j", 3), Version: "v", Customer: customer(), Key: pick("k", 2), StartedAt: now,
		}}
		if f.Instance != nil {
			row = *f.Instance
		}
		in := &row.Instance
		in.Status, in.State, in.EnteredAt, in.Data = journey.Status(1+r.IntN(3)), pick("s", 3), now, props()
		in.Seq++
		if r.IntN(10) == 0 {
			in.Customer = customer()
		}
		row.Version, row.Wake, row.Attempts, row.Dead = wrong(row.Version), when(), r.IntN(3), r.IntN(9) == 0
		return row
	}
	effect := func() journey.EffectRow {
		key := pick("e", 12)
		f, err := s.Get(ctx, journey.Lookup{Effect: key})
		require.NoError(t, err)
		row := journey.EffectRow{Effect: journey.Effect{
			Key: key, Kind: journey.MessageEffect, Name: "n", Customer: customer(), Instance: pick("i", 12), Journey: pick("j", 3),
			Channels: []string{"wechat", "sms"}, Args: props(), At: now, Priority: r.IntN(3) - 1,
		}}
		if f.Effect != nil {
			row = *f.Effect
		}
		row.State = journey.EffectState(1 + r.IntN(7))
		row.Version, row.Wake = wrong(row.Version), when()
		row.Decision = contact.Decision{Verdict: contact.Verdict(r.IntN(5)), Channel: "sms", Until: when()}
		return row
	}
	distinct := func(n int, add func(seen map[string]bool)) {
		seen := map[string]bool{}
		for range r.IntN(n) {
			add(seen)
		}
	}
	for step := range 150 {
		switch op := r.IntN(10); {
		case op < 6:
			var b journey.Batch
			distinct(3, func(seen map[string]bool) {
				if row := instance(); !seen[row.Instance.ID] {
					seen[row.Instance.ID] = true
					b.Instances = append(b.Instances, row)
				}
			})
			distinct(3, func(seen map[string]bool) {
				if row := effect(); !seen[row.Effect.Key] {
					seen[row.Effect.Key] = true
					b.Effects = append(b.Effects, row)
				}
			})
			if r.IntN(2) == 0 {
				id := customer()
				f, err := s.Get(ctx, journey.Lookup{Customer: id, Entries: []journey.EntryKey{{Journey: "j0", Customer: id}, {Journey: "j1", Customer: id, Key: "键"}}})
				require.NoError(t, err)
				f.Contact.Version = wrong(f.Contact.Version)
				f.Contact.Row = f.Contact.Row.WithReply("wechat", "", now)
				b.Contacts = append(b.Contacts, f.Contact)
				entry := journey.EntryRow{EntryKey: journey.EntryKey{Journey: "j1", Customer: id, Key: "键"}}
				for _, e := range f.Entries {
					if e.EntryKey == entry.EntryKey {
						entry = e
					}
				}
				entry.Run++
				entry.EnteredAt = now
				b.Entries = append(b.Entries, entry)
			}
			if r.IntN(2) == 0 {
				b.Inputs = []journey.InputRow{{ID: pick("x", 40), Digest: "d", Customer: customer(), At: now}}
			}
			for range r.IntN(3) {
				b.History = append(b.History, journey.Record{
					Instance: pick("i", 12), Journey: pick("j", 3), Customer: customer(), At: now, Kind: journey.RecordKind(1 + r.IntN(4)),
					Cause: fmt.Sprint(step), Args: props(), Edge: r.IntN(3),
				})
			}
			if r.IntN(15) == 0 {
				b.Erase = []profile.ID{customer(), "nobody"}
			}
			err := s.Commit(ctx, &b)
			if err != nil && !errors.Is(err, journey.ErrConflict) {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			note("commit %v", err == nil)
		case op < 8:
			now = now.Add(time.Duration(r.IntN(1800)) * time.Second)
			due, err := s.Claim(ctx, journey.Claim{Now: now, Until: now.Add(10 * time.Minute), Token: pick("w", 3), Limit: 1 + r.IntN(6)})
			require.NoError(t, err)
			for _, d := range due {
				note("claimed %s", line(d))
			}
		case op < 9:
			next, err := s.Next(ctx)
			require.NoError(t, err)
			note("next %s", next)
		default:
			id := customer()
			f, err := s.Get(ctx, journey.Lookup{Customer: id, Input: pick("x", 40), Contacts: []profile.ID{"客0", "客3"}})
			require.NoError(t, err)
			slices.SortFunc(f.Contacts, func(a, b journey.ContactRow) int { return strings.Compare(string(a.Customer), string(b.Customer)) })
			note("found %s", line(f))
		}
	}
	for kind := journey.InstancePage; kind <= journey.DefinitionPage; kind++ {
		for _, q := range []journey.Query{{}, {Customer: "客1"}, {Journey: "j1"}, {Customer: "客2", Journey: "j2"}, {Instance: "i3"}} {
			if kind > journey.HistoryPage && q.Instance != "" {
				continue
			}
			q.Kind = kind
			log = append(log, pagesOf(t, s, q)...)
		}
	}
	return log
}

// pagesOf lists rows; those whose order is up to the store are sorted.
func pagesOf(t *testing.T, s journey.Store, q journey.Query) []string {
	var out []string
	q.Limit = 7
	for {
		p, err := s.Page(context.Background(), q)
		require.NoError(t, err)
		for i := range p.Instances {
			p.Instances[i].Token = ""
			out = append(out, line(p.Instances[i]))
		}
		for i := range p.Effects {
			p.Effects[i].Token = ""
			out = append(out, line(p.Effects[i]))
		}
		for _, row := range p.History {
			out = append(out, line(row))
		}
		for _, row := range p.Contacts {
			out = append(out, line(row))
		}
		for _, row := range p.Definitions {
			row.DeployedAt = time.Time{}
			out = append(out, line(row))
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if q.Kind != journey.HistoryPage {
		slices.Sort(out)
	}
	return out
}

// engineHistory plays random inputs and lets time pass.
func engineHistory(t *testing.T, seed uint64, s journey.Store) []string {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 11))
	now := spring
	var log []string
	answer := func(_ context.Context, d journey.Dispatch) journey.Answer {
		h := fnv.New32a()
		fmt.Fprint(h, seed, d.Key, d.Attempt)
		switch h.Sum32() % 8 {
		case 0:
			return journey.Reject("no")
		case 1:
			return journey.Later("busy", time.Minute)
		case 2:
			return journey.Unclear("it broke off")
		}
		return journey.Confirm("done")
	}
	port := journey.Port{Handle: answer, HonorsKeys: true}
	home := map[profile.ID]profile.ID{}
	resolve := func(_ context.Context, id profile.ID) (profile.ID, error) {
		for home[id] != "" {
			id = home[id]
		}
		return id, nil
	}
	e, err := journey.New(journey.Config{
		Store: s, Now: func() time.Time { return now }, Batch: 1 + r.IntN(20), Resolve: resolve,
		Contact:  contact.Policy{Zone: "Asia/Shanghai", Quiet: []contact.Quiet{{From: "22:00", To: "09:00"}}, Caps: []contact.Cap{{Max: 2, Calendar: contact.Day}}},
		Channels: map[string]journey.Port{"wechat": port, "sms": {Handle: answer}},
		Actions:  map[journey.Binding]journey.Port{{Kind: journey.AwardEffect}: port},
	})
	require.NoError(t, err)
	m := func(template string) journey.Message {
		return journey.Message{Template: template, Purpose: "marketing", Channels: []string{"wechat", "sms"}, Vars: journey.Args{"item": journey.Data("sku")}}
	}
	j := journey.Define("reminders").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("waiting")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("waiting").On(journey.Event("cart.updated")).To("waiting").After(2 * time.Hour).To("first")
	j.State("first").Send(m("first")).On(journey.Done("first")).To("pause").After(48 * time.Hour).To("pause")
	j.State("pause").After(24 * time.Hour).To("second")
	j.State("second").Send(m("second")).Do(journey.Award("patience", journey.Const(profile.Int(10)))).After(24 * time.Hour).End("left")
	require.NoError(t, e.Deploy(ctx, j))
	for n := range 60 {
		id := profile.ID(fmt.Sprint("c", r.IntN(6)))
		x := journey.Input{
			ID: fmt.Sprint("x", n-r.IntN(2)*r.IntN(3)), Name: "cart.updated", Customer: id, Time: now, Received: now,
			Props: profile.Values{"cart_id": profile.Text(fmt.Sprint("k", r.IntN(3))), "sku": profile.Text("靴子")},
		}
		switch r.IntN(6) {
		case 0:
			x.Name = "order.paid"
		case 1:
			x.Mode = profile.Backfill
		case 2:
			x.Consents = []profile.ConsentAct{{Purpose: "marketing", Granted: r.IntN(5) > 0}}
		}
		receipt, err := e.Ingest(ctx, x)
		if err != nil && !errors.Is(err, journey.ErrInputConflict) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		log = append(log, fmt.Sprint(line(receipt), err != nil))
		present, err := resolve(ctx, id)
		require.NoError(t, err)
		switch r.IntN(25) {
		case 0:
			other, err := resolve(ctx, profile.ID(fmt.Sprint("c", r.IntN(6))))
			require.NoError(t, err)
			if other != present {
				home[other] = present
				require.NoError(t, e.Apply(ctx, profile.Change{Kind: profile.Merged, Profile: present, Other: other}))
			}
		case 1:
			require.NoError(t, e.Erase(ctx, present))
		}
		now = now.Add(time.Duration(r.IntN(300)) * time.Minute)
		if r.IntN(2) == 0 {
			p, err := e.RunDue(ctx, now)
			require.NoError(t, err)
			next, err := e.NextDue(ctx)
			require.NoError(t, err)
			log = append(log, fmt.Sprintf("%+v %s", p, next))
		}
	}
	for kind := journey.InstancePage; kind <= journey.DefinitionPage; kind++ {
		log = append(log, pagesOf(t, s, journey.Query{Kind: kind})...)
	}
	return log
}
