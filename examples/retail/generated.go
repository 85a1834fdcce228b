package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/feed"
	"github.com/cxkit/cxkit/examples/retail/progress"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/examples/retail/world"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile"
)

// people is the outside of the generated year: its customers answer surveys
// and react to messages.
type people struct{ *world.World }

func (p people) Respond(eventID, survey string, at time.Time) (answer, bool) {
	a, ok := p.World.Respond(eventID, survey, at)
	return answer{a.Score, a.Text, a.After}, ok
}

func (p people) React(eventID, category string, at time.Time) []feed.Delivery {
	return p.World.React(eventID, category, at)
}

// earn is the rule by which the generator computes points on its own.
var earn = world.Earn{PerYuan: 1, Rounding: world.ByOrder, ReturnDays: 7, Silver: 1000, Gold: 5000}

// live runs the loop over a generated year.
func live(ctx context.Context, cfg world.Config, keep *storage, bar *progress.Progress) (*loop, *world.World, error) {
	w, err := world.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	s := setting{zone: "Asia/Shanghai", currency: "CNY", world: people{w}, clubs: map[string]shop.Club{}, keep: keep}
	s.input = fmt.Sprintf("the generated year %d of %d persons", max(cfg.Seed, 1), cfg.Customers)
	for _, o := range w.Outlets() {
		s.tablets = append(s.tablets, o.Tablets...)
	}
	for _, brand := range []string{world.Lumen, world.Hearth} {
		s.clubs[brand] = shop.Club{
			Program: brand, Currency: "CNY", Zone: "Asia/Shanghai", Card: world.KindMember + "/" + brand,
			ReturnDays: earn.ReturnDays, Silver: earn.Silver, Gold: earn.Gold,
		}
	}
	l, err := newLoop(ctx, w.Start(), s)
	if err != nil {
		return nil, nil, err
	}
	deliveries := 0
	for range w.Feed() {
		deliveries++
	}
	stage := bar.Stage("twelve months", "deliveries", int64(deliveries))
	err = l.run(ctx, w.Feed(), w.End(), func() { stage.Add(1) })
	stage.Done()
	return l, w, err
}

// generated reports on a generated year, scored against its truth.
func generated(ctx context.Context, cfg world.Config, keep *storage, bar *progress.Progress) (report.Report, error) {
	cfg.Earn = earn
	l, w, err := live(ctx, cfg, keep, bar)
	if err != nil {
		return report.Report{}, err
	}
	truth, err := scoreboard(ctx, l, w)
	if err != nil {
		return report.Report{}, err
	}
	sections, err := l.sections(ctx, period{from: w.Start(), to: w.End(), zone: world.Zone, marks: []report.Mark{
		{At: time.Date(w.Start().Year(), 11, 11, 0, 0, 0, 0, world.Zone), Name: "sales day"},
		{At: world.SpringFestival(w.Start().Year() + 1), Name: "spring festival"},
	}})
	if err != nil {
		return report.Report{}, err
	}
	return report.Report{
		Title:    "Twelve months of a retail group",
		Subtitle: fmt.Sprintf("generated with seed %d", max(cfg.Seed, 1)),
		From:     w.Start(), To: w.End(),
		Headline: truth.headline, Sections: append([]report.Section{truth.section}, sections...),
	}, nil
}

// verdict is what the library computed, held against the truth.
type verdict struct {
	identity     world.IdentityScore
	right, cards int
	headline     []report.Figure
	section      report.Section
}

func scoreboard(ctx context.Context, l *loop, w *world.World) (verdict, error) {
	t := w.Truth()
	assigned, err := l.assigned(ctx)
	if err != nil {
		return verdict{}, err
	}
	id := t.Score(assigned)
	out := verdict{identity: id, section: report.Section{
		Title: "Held against the truth",
		Lead:  "The generator knows who every event is from, what every order came to and what every card has earned. Nothing of that is shown to the library.",
	}}

	identity := report.Figures{Title: "Who is who", Rows: []report.Figure{
		{Name: "Events of somebody", Value: report.Count(id.Events)},
		{Name: "Persons behind them", Value: report.Count(id.Persons)},
		{Name: "Profiles", Value: report.Count(id.Profiles)},
		{Name: "Precision, of what can be known", Value: ratio(id.Knowable.Precision()), Note: "pairs of events in one profile that are from one person"},
		{Name: "Recall, of what can be known", Value: ratio(id.Knowable.Recall()), Note: "pairs of events of one person that identifiers tie together and that are in one profile"},
		{Name: "Precision, all", Value: ratio(id.All.Precision())},
		{Name: "Recall, all", Value: ratio(id.All.Recall()), Note: "a visitor who never says who they are cannot be recognized"},
		{Name: "Customers exactly right", Value: report.Percent(int64(id.Exact), int64(id.Clusters)), Note: "one profile that holds all and nothing else"},
	}}
	traps := report.Table{
		Title:   "Where people look alike",
		Columns: []string{"trap", "events", "precision", "recall"}, Numeric: []bool{false, true, true, true},
		Caption: "Pairs of which at least one event carries the trap. A cashier's own card and a family's card are identifiers like any other: no rule over identifiers can tell them apart.",
	}
	for _, x := range id.Traps {
		traps.Rows = append(traps.Rows, []string{x.Trap.String(), report.Count(x.Events), ratio(x.Pairs.Precision()), ratio(x.Pairs.Recall())})
	}

	members := report.Table{
		Title:   "Who is in which audience at the end",
		Columns: []string{"audience", "should be in", "found", "precision", "recall"}, Numeric: []bool{false, true, true, true, true},
		Caption: "By the orders and cards that identifiers tie together.",
	}
	for _, name := range []string{audience.NewMembers, audience.HighValue, audience.Lapsed} {
		view, err := l.audiences.View(name)
		if err != nil {
			return verdict{}, err
		}
		s := t.ScoreAudience(name, l.now, l.now, assigned, view.Contains)
		members.Rows = append(members.Rows, []string{
			name, report.Count(s.Knowable.Expected), report.Count(s.Knowable.Found), ratio(s.Knowable.Precision()), ratio(s.Knowable.Recall()),
		})
	}

	points, right, cards, err := comparePoints(ctx, l, t)
	if err != nil {
		return verdict{}, err
	}
	out.right, out.cards = right, cards
	out.section.Blocks = []report.Block{identity, traps, members, points}
	out.headline = []report.Figure{
		{Name: "deliveries", Value: report.Count(l.count.deliveries)},
		{Name: "profiles", Value: report.Count(id.Profiles)},
		{Name: "identity F1", Value: ratio(id.Knowable.F1()), Note: "of what can be known"},
		{Name: "cards with the right points", Value: report.Percent(int64(right), int64(cards)), Tone: tone(right == cards)},
	}
	return out, nil
}

// assigned is the profile of every event that the directory recorded.
func (l *loop) assigned(ctx context.Context) (map[string]profile.ID, error) {
	out := map[string]profile.ID{}
	err := l.eachEvent(ctx, func(e profile.Event, id profile.ID) { out[e.ID] = id })
	return out, err
}

// comparePoints holds every card's balance against the generator's own sums.
func comparePoints(ctx context.Context, l *loop, t *world.Truth) (table report.Table, right, cards int, err error) {
	table = report.Table{
		Title:   "Points of every card",
		Columns: []string{"brand", "cards", "balance in the ledger", "balance in truth", "cards that differ", "tiers that differ"},
		Numeric: []bool{false, true, true, true, true, true},
		Caption: "The balance is usable and pending points less debt.",
	}
	type sum struct{ cards, have, want, off, tier int64 }
	sums := map[string]*sum{}
	for _, m := range t.Memberships() {
		if !m.Joined.By(l.now, l.now) {
			continue
		}
		s := sums[m.Brand]
		if s == nil {
			s = &sum{}
			sums[m.Brand] = s
		}
		c := l.clubs[m.Brand]
		b, err := c.ledger.Balance(ctx, m.Card, loyalty.Points, loyalty.AsOf{})
		if err != nil {
			return table, 0, 0, err
		}
		tier, err := c.Tier(ctx, m.Card)
		if err != nil {
			return table, 0, 0, err
		}
		want := t.Points(m.Card, l.now, l.now)
		s.cards++
		s.have += b.Total()
		s.want += want.Usable + want.Pending
		if b.Total() != want.Usable+want.Pending {
			s.off++
		}
		if tier.Tier != t.Tier(m.Card, l.now, l.now) {
			s.tier++
		}
	}
	for _, brand := range []string{world.Lumen, world.Hearth} {
		s := sums[brand]
		if s == nil {
			continue
		}
		table.Rows = append(table.Rows, []string{
			brand, report.Count(s.cards), report.Count(s.have), report.Count(s.want), report.Count(s.off), report.Count(s.tier),
		})
		cards += int(s.cards)
		right += int(s.cards - s.off)
	}
	return table, right, cards, nil
}

func ratio(x float64) string { return fmt.Sprintf("%.4f", x) }

func tone(good bool) report.Tone {
	if good {
		return report.Good
	}
	return report.Warn
}
