package sqltest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/internal/sqlkit"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/loyalty/loyaltysql"
	"github.com/cxkit/cxkit/loyalty/program"
	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/profile/profilesql"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmentsql"

	"github.com/cxkit/cxkit/feedback/feedbacksql"
	"github.com/cxkit/cxkit/journey/journeysql"
)

// past is a small history of a component: what is written of it, and what the
// store answers of it ever after. A version is that of the schema it is written under.
type past struct {
	component string
	write     func(t testing.TB, db *sql.DB, d sqlkit.Dialect, version int)
	read      func(t testing.TB, db *sql.DB, d sqlkit.Dialect, version int) []string
}

var pasts = []past{
	{"profile", writeProfiles, readProfiles},
	{"segment", writeSegments, readSegments},
	{"journey", writeJourneys, readJourneys},
	{"feedback", writeFeedback, readFeedback},
	{"loyalty", writeLoyalty, readLoyalty},
}

// march is when it happened.
var march = time.Date(2026, 3, 10, 10, 0, 0, 0, time.UTC)

// told writes down what a store answered.
type told struct {
	t     testing.TB
	lines []string
}

func (w *told) say(what string, v any, err error) {
	w.t.Helper()
	require.NoError(w.t, err, what)
	b, err := json.Marshal(v)
	require.NoError(w.t, err, what)
	w.lines = append(w.lines, what+": "+string(b))
}

func directory(t testing.TB, db *sql.DB, d sqlkit.Dialect) *profile.Directory {
	t.Helper()
	n := 0
	out, err := profile.New(profile.Config{
		Store: must(profilesql.New(db, d)), MaxAhead: 1000 * time.Hour, Now: func() time.Time { return march },
		NewID:       func() profile.ID { n++; return profile.ID("P" + strconv.Itoa(n)) },
		ErasureKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")},
	})
	require.NoError(t, err)
	return out
}

func phoneOf(n string) profile.Identifier { return profile.Identifier{Kind: "phone", Value: n} }

func writeProfiles(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) {
	ctx := context.Background()
	dir := directory(t, db, d)
	by := profile.Decision{Actor: "clerk", Reason: "asked"}
	li, wu, xu := phoneOf("13800138000"), phoneOf("13800138001"), phoneOf("13800138002")
	mail := profile.Identifier{Kind: "email", Value: "li@example.com"}
	device := profile.Identifier{Kind: "device", Value: "tablet"}
	for i, e := range []profile.Event{
		{Name: "order.paid", Source: "till", Identifiers: []profile.Identifier{li}, Traits: profile.Values{"city": profile.Text("杭州")}, Order: &commerce.Event{
			ID: "o1", Time: march, Order: commerce.Key{Source: "till", Number: "A1"}, Kind: commerce.Paid, Currency: "CNY",
			Payments: []commerce.Payment{{Tender: "cash", Amount: 599_00}},
		}},
		{Name: "visit", Source: "app", Identifiers: []profile.Identifier{li, mail}, Traits: profile.Values{"tier": profile.Text("gold")}},
		{Name: "visit", Source: "app", Identifiers: []profile.Identifier{mail, device}, Properties: profile.Values{"page": profile.Text("boots")}},
		{Name: "visit", Source: "app", Identifiers: []profile.Identifier{wu, device}, Consents: []profile.ConsentAct{{Purpose: "marketing", Channel: "sms", Granted: true}}},
		{Name: "visit", Source: "web", Identifiers: []profile.Identifier{xu}, Relations: []profile.RelationAct{{Type: "assistant", Party: "A7"}}},
		{Name: "visit", Source: "web", Identifiers: []profile.Identifier{phoneOf("13800138009")}},
	} {
		e.ID, e.Time = "e"+strconv.Itoa(i), march.Add(time.Duration(i)*time.Hour+time.Microsecond)
		_, err := dir.Observe(ctx, e)
		require.NoError(t, err)
	}
	require.NoError(t, dir.Link(ctx, li, xu, by))
	require.NoError(t, dir.HandOver(ctx, profile.HandOver{Type: "assistant", From: "A7", To: "A8", At: march.Add(24 * time.Hour), By: by}))
	require.NoError(t, dir.Retract(ctx, "e2", by))
	gone, err := dir.Lookup(ctx, phoneOf("13800138009"))
	require.NoError(t, err)
	_, err = dir.Erase(ctx, gone, profile.Erasure{Decision: by})
	require.NoError(t, err)
}

func readProfiles(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) []string {
	ctx := context.Background()
	dir, w := directory(t, db, d), told{t: t}
	for id, err := range dir.Profiles(ctx) {
		require.NoError(t, err)
		p, err := dir.Get(ctx, id)
		w.say("customer", p, err)
		for e, err := range dir.Timeline(ctx, id) {
			w.say("event", e, err)
		}
		may, err := dir.May(ctx, id, profile.ConsentQuery{Purpose: "marketing", Channel: "sms"}, march.Add(100*time.Hour))
		w.say("consent", may, err)
		assistants, err := dir.Relations(ctx, id, march.Add(100*time.Hour))
		w.say("relations", assistants, err)
	}
	for c, err := range dir.Changes(ctx, 0) {
		w.say("change", c, err)
	}
	_, err := dir.Lookup(ctx, phoneOf("13800138009"))
	require.ErrorIs(t, err, profile.ErrNotFound)
	_, err = dir.Observe(ctx, profile.Event{ID: "again", Time: march, Identifiers: []profile.Identifier{phoneOf("13800138009")}})
	require.ErrorIs(t, err, profile.ErrErased, "with an old event")
	merged, err := dir.Observe(ctx, profile.Event{
		ID: "joined", Time: march.Add(200 * time.Hour), Identifiers: []profile.Identifier{phoneOf("13800138002"), {Kind: "email", Value: "li@example.com"}},
	})
	w.say("an event more", merged.Profile, err)
	return w.lines
}

func engineOf(db *sql.DB, d sqlkit.Dialect) (segment.Config, *segment.MemoryHistory, *time.Time) {
	now := march
	history := &segment.MemoryHistory{Now: func() time.Time { return now }}
	return segment.Config{History: history, Store: must(segmentsql.New(db, d))}, history, &now
}

func writeSegments(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) {
	ctx := context.Background()
	cfg, history, now := engineOf(db, d)
	engine, err := segment.New(cfg)
	require.NoError(t, err)
	require.NoError(t, engine.Define(ctx, *now, segment.Definition{Name: "vip", Rule: segment.Events("visit").Within(segment.Days(3)).AtLeast(2)}))
	for i := range 8 {
		customer := profile.ID([]string{"li", "wu"}[i%2])
		require.NoError(t, history.Observe(customer, profile.Event{ID: fmt.Sprint("visit ", i), Name: "visit", Time: now.Add(time.Microsecond)}))
		*now = now.Add(9 * time.Hour)
		require.NoError(t, engine.CatchUp(ctx))
		require.NoError(t, engine.Advance(ctx, *now))
		if i == 3 {
			require.NoError(t, engine.Checkpoint(ctx))
		}
	}
	*now = now.Add(48 * time.Hour)
	require.NoError(t, engine.Advance(ctx, *now))
}

func readSegments(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) []string {
	ctx := context.Background()
	cfg, _, _ := engineOf(db, d)
	engine, err := segment.Resume(ctx, cfg)
	require.NoError(t, err)
	w := told{t: t}
	for _, id := range []profile.ID{"li", "wu"} {
		why, err := engine.Explain(ctx, "vip", id, engine.Clock())
		w.say(string(id), why.String(), err)
	}
	for tr, err := range engine.Transitions(ctx, 0) {
		w.say("transition", tr, err)
	}
	require.NoError(t, engine.Advance(ctx, engine.Clock().Add(1000*time.Hour)))
	n, err := engine.Count(ctx, engine.Clock(), segment.Definition{Name: "all", Rule: segment.In("vip")})
	w.say("vips a thousand hours later", n, err)
	return w.lines
}

func travels(t testing.TB, db *sql.DB, d sqlkit.Dialect) (*journey.Engine, *time.Time) {
	t.Helper()
	now := march
	engine, err := journey.New(journey.Config{
		Store: must(journeysql.New(db, d)), Now: func() time.Time { return now },
		Channels: map[string]journey.Port{
			"sms": {Handle: func(context.Context, journey.Dispatch) journey.Answer { return journey.Confirm("sent") }},
		},
	})
	require.NoError(t, err)
	return engine, &now
}

func writeJourneys(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) {
	ctx := context.Background()
	engine, now := travels(t, db, d)
	j := journey.Define("abandoned-cart").Key("cart_id")
	j.Enter(journey.Event("cart.updated")).To("waiting")
	j.Goal("bought").On(journey.Event("order.paid"))
	j.State("waiting").After(2 * time.Hour).To("reminder")
	j.State("reminder").
		Send(journey.Message{Template: "cart", Purpose: "marketing", Channels: []string{"sms"}, Vars: journey.Args{"item": journey.Data("sku")}}).
		After(7 * 24 * time.Hour).End("left behind")
	require.NoError(t, engine.Deploy(ctx, j))
	event := func(id, name string, customer profile.ID, cart string) {
		t.Helper()
		_, err := engine.Ingest(ctx, journey.FromEvent(profile.Event{
			ID: id, Name: name, Time: *now, Properties: profile.Values{"cart_id": profile.Text(cart), "sku": profile.Text("靴子")},
			Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
		}, customer))
		require.NoError(t, err)
	}
	event("e1", "cart.updated", "li", "C1")
	event("e2", "cart.updated", "wu", "C2")
	*now = now.Add(3 * time.Hour)
	_, err := engine.RunDue(ctx, *now)
	require.NoError(t, err)
	event("e3", "order.paid", "li", "C1")
	event("e4", "cart.updated", "xu", "C3")
}

func readJourneys(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) []string {
	ctx := context.Background()
	engine, now := travels(t, db, d)
	w := told{t: t}
	explain := func(what string) {
		for row, err := range engine.Instances(ctx, journey.Filter{}) {
			require.NoError(t, err)
			why, err := engine.Explain(ctx, row.Instance.ID)
			w.say(what, why.String(), err)
		}
		slices.Sort(w.lines) // the order of instances is the store's
	}
	explain("then")
	for _, id := range []profile.ID{"li", "wu", "xu"} {
		row, err := engine.Contact(ctx, id)
		w.say("contact", row, err)
	}
	again, err := engine.Ingest(ctx, journey.FromEvent(profile.Event{
		ID: "e1", Name: "cart.updated", Time: march, Properties: profile.Values{"cart_id": profile.Text("C1"), "sku": profile.Text("靴子")},
		Consents: []profile.ConsentAct{{Purpose: "marketing", Granted: true}},
	}, "li"))
	w.say("the same input", again.Duplicate, err)
	*now = march.Add(30 * 24 * time.Hour)
	for range 3 {
		_, err := engine.RunDue(ctx, *now)
		require.NoError(t, err)
	}
	explain("a month later")
	return w.lines
}

func desks(t testing.TB, db *sql.DB, d sqlkit.Dialect) (*feedback.Collector, *care.Desk, *time.Time) {
	t.Helper()
	now := march
	clock := func() time.Time { return now }
	s := must(feedbacksql.New(db, d))
	c, err := feedback.New(feedback.Config{Store: s, Now: clock, Surveys: []feedback.Survey{{
		Name: "nps", Program: feedback.Transactional, Cadence: 90 * 24 * time.Hour, Questions: []feedback.Question{
			{Key: "recommend", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)},
			{Key: "why", Kind: feedback.Text, Optional: true},
		},
	}}})
	require.NoError(t, err)
	desk, err := care.New(care.Config{Store: s.Care(), Now: clock})
	require.NoError(t, err)
	return c, desk, &now
}

func writeFeedback(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) {
	ctx := context.Background()
	c, desk, now := desks(t, db, d)
	at := feedback.Occasion{Touchpoint: "delivery", Order: commerce.Key{Source: "web", Number: "A1"}, Outlet: "hangzhou-1", Channel: "sms"}
	for _, who := range []profile.ID{"li", "wu"} {
		inv, err := c.Invite(ctx, feedback.Request{ID: "nps/" + string(who), Survey: "nps", Customer: who, Occasion: at})
		require.NoError(t, err)
		_, err = c.Sent(ctx, inv.ID, *now)
		require.NoError(t, err)
	}
	*now = now.Add(time.Hour)
	_, err := c.Record(ctx, feedback.Response{ID: "R1", Survey: "nps", Invitation: "nps/li", Time: *now, Answers: map[string]feedback.Answer{
		"recommend": feedback.Rate(9), "why": feedback.Say("很快"),
	}})
	require.NoError(t, err)
	_, err = desk.Register(ctx, care.Product{ID: "W1", Customer: "li", SKU: "watch", BoughtAt: march, WarrantyUntil: march.AddDate(2, 0, 0)})
	require.NoError(t, err)
	for i, kind := range []care.Kind{care.Complaint, care.Repair} {
		_, err := desk.Open(ctx, care.Opening{ID: fmt.Sprint("C", i), Kind: kind, Customer: "li", Time: *now, Topic: "strap", Outlet: "hangzhou-1", Product: "W1"})
		require.NoError(t, err)
	}
	_, err = desk.Act(ctx, care.Action{ID: "a1", Case: "C0", Verb: "resolve", Time: now.Add(time.Hour)})
	require.NoError(t, err)
}

func readFeedback(t testing.TB, db *sql.DB, d sqlkit.Dialect, _ int) []string {
	ctx := context.Background()
	c, desk, now := desks(t, db, d)
	*now = march.Add(2 * time.Hour)
	w := told{t: t}
	for r, err := range c.Responses(ctx, feedback.Query{}) {
		w.say("response", r, err)
	}
	for i, err := range c.Invitations(ctx, feedback.Query{}) {
		w.say("invitation", i, err)
	}
	for x, err := range desk.Cases(ctx, care.Query{}) {
		w.say("case", x, err)
	}
	for p, err := range desk.Products(ctx, "li") {
		w.say("product", p, err)
	}
	again, err := c.Invite(ctx, feedback.Request{ID: "nps/again", Survey: "nps", Customer: "li"})
	w.say("asked again", again.String(), err)
	open, err := desk.HasOpen(ctx, feedback.Request{Customer: "li"})
	w.say("a case is open", open, err)
	return w.lines
}

// tiersSince is the version of the ledger's schema that brought tiers.
const tiersSince = 2

func cards(t testing.TB, db *sql.DB, d sqlkit.Dialect) (*loyalty.Ledger, *program.Program, *time.Time) {
	t.Helper()
	now := march
	clock := func() time.Time { return now }
	s := must(loyaltysql.New(db, d))
	ledger, err := loyalty.New(loyalty.Config{Store: s, Now: clock})
	require.NoError(t, err)
	p, err := program.New(program.Config{Ledger: ledger, Store: s.Tiers(), Now: clock, Definition: program.Definition{
		Rules: []program.Rule{{Name: "base", Points: 1, Per: 100}, {Name: "spend", Unit: "spend", Points: 1, Per: 1, AtOnce: true}},
		Tiers: &program.Ladder{Unit: "spend", WindowMonths: 12, ReviewMonths: 12, Tiers: []program.Tier{{Name: "silver", Threshold: 500_00}}},
	}})
	require.NoError(t, err)
	return ledger, p, &now
}

func paidOrder(t testing.TB) commerce.Order {
	t.Helper()
	key := commerce.Key{Source: "shop", Number: "A2"}
	o, err := commerce.Fold([]commerce.Event{
		{ID: "1", Time: march, Order: key, Kind: commerce.Placed, Currency: "CNY", Lines: []commerce.Line{{ID: "1", Quantity: 1, Net: 699_00}}},
		{ID: "2", Time: march, Order: key, Kind: commerce.Paid, Currency: "CNY", Payments: []commerce.Payment{{Tender: "wechat", Amount: 699_00}}},
	})
	require.NoError(t, err)
	return o
}

func writeLoyalty(t testing.TB, db *sql.DB, d sqlkit.Dialect, version int) {
	ctx := context.Background()
	ledger, p, now := cards(t, db, d)
	post := func(cmd loyalty.Command) {
		t.Helper()
		_, err := ledger.Post(ctx, cmd)
		require.NoError(t, err)
		*now = now.Add(time.Hour)
	}
	post(loyalty.Earn{Key: "paid/A1", Account: "card-7", Order: "A1", Lines: []loyalty.EarnLine{{Line: "1", Amount: 300, Basis: 300_00}, {Line: "2", Amount: 99, Basis: 99_00}}})
	post(loyalty.Earn{Key: "paid/B1", Account: "card-8", Amount: 50, Expiry: loyalty.Expiry{Kind: loyalty.ExpireMonths, N: 1}})
	post(loyalty.Return{Key: "refund/A1/2", Award: "paid/A1", Lines: []loyalty.ReturnLine{{Line: "2"}}})
	post(loyalty.Redeem{Key: "till/1", Account: "card-7", Amount: 120, Order: "B1"})
	post(loyalty.Hold{Key: "basket/1", Account: "card-7", Amount: 30})
	require.NoError(t, ledger.Bind(ctx, loyalty.Binding{Profile: "li", Account: "card-7", Reason: "enrolled"}))
	if version >= tiersSince {
		_, err := p.Apply(ctx, "card-7", paidOrder(t), profile.Live)
		require.NoError(t, err)
	}
}

func readLoyalty(t testing.TB, db *sql.DB, d sqlkit.Dialect, version int) []string {
	ctx := context.Background()
	ledger, p, now := cards(t, db, d)
	*now = march.Add(24 * time.Hour)
	w := told{t: t}
	_, err := ledger.Verify(ctx, loyalty.Anchor{})
	require.NoError(t, err)
	for a, err := range ledger.Accounts(ctx) {
		w.say("account", a, err)
		for _, at := range []time.Time{march.Add(90 * time.Minute), *now, march.AddDate(0, 2, 0)} {
			b, err := ledger.Balance(ctx, a.ID, "", loyalty.AsOf{Effective: at})
			w.say(a.ID+" at "+at.Format(time.DateTime), b, err)
		}
		for tx, err := range ledger.Transactions(ctx, a.ID) {
			w.say("transaction", tx, err)
		}
	}
	bound, err := ledger.Bindings(ctx, loyalty.BindingQuery{Profile: "li"})
	w.say("bindings", bound, err)
	if version >= tiersSince {
		tier, err := p.Tier(ctx, "card-7")
		w.say("tier", tier, err)
		changes, err := p.TierHistory(ctx, "card-7")
		w.say("tiers", changes, err)
	}
	r, err := ledger.Post(ctx, loyalty.Redeem{Key: "till/1", Account: "card-7", Amount: 120, Order: "B1"})
	require.NoError(t, err)
	require.True(t, r.Replayed, "the same command again")
	r, err = ledger.Post(ctx, loyalty.Capture{Key: "taken/1", Hold: "basket/1", Amount: 30})
	w.say("a post more", r.String(), err)
	_, err = ledger.Verify(ctx, loyalty.Anchor{})
	require.NoError(t, err)
	if version < tiersSince {
		_, err := p.Apply(ctx, "card-7", paidOrder(t), profile.Live)
		require.NoError(t, err, "what came with a later version works on rows of an earlier one")
	}
	return w.lines
}
