package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cxkit/cxkit/examples/retail/audience"
	"github.com/cxkit/cxkit/examples/retail/report"
	"github.com/cxkit/cxkit/examples/retail/shop"
	"github.com/cxkit/cxkit/feedback"
	"github.com/cxkit/cxkit/feedback/care"
	"github.com/cxkit/cxkit/feedback/score"
	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/loyalty"
	"github.com/cxkit/cxkit/profile/commerce"
	"github.com/cxkit/cxkit/segment"
)

// period is the time that a report is about.
type period struct {
	from, to time.Time
	zone     *time.Location
	marks    []report.Mark
}

// months are the beginnings of the calendar months in the period, and its end.
func (p period) months() []time.Time {
	var out []time.Time
	local := p.from.In(p.zone)
	for m := time.Date(local.Year(), local.Month(), 1, 0, 0, 0, 0, p.zone); m.Before(p.to); m = m.AddDate(0, 1, 0) {
		out = append(out, later(m, p.from))
	}
	return append(out, p.to)
}

// sections are what every run reports, whatever its input.
func (l *loop) sections(ctx context.Context, p period) ([]report.Section, error) {
	var out []report.Section
	for _, make := range []func(context.Context, period) (report.Section, error){
		l.aboutOrders, l.aboutAudiences, l.aboutJourneys, l.aboutMessages, l.aboutPoints, l.aboutFeedback, l.aboutService, l.reasons,
	} {
		s, err := make(ctx, p)
		if err != nil {
			return nil, err
		}
		if len(s.Blocks) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// aboutOrders folds the order table.
func (l *loop) aboutOrders(_ context.Context, p period) (report.Section, error) {
	orders, err := l.folded()
	if err != nil {
		return report.Section{}, err
	}
	months := p.months()
	gross, back := make([]int64, len(months)-1), make([]int64, len(months)-1)
	channels := map[string]int64{}
	var bought, net, refunded int64
	for _, o := range orders {
		at := o.BoughtAt
		if at.IsZero() || at.Before(p.from) || !at.Before(p.to) {
			continue
		}
		bought++
		channels[o.Key.Source]++
		if o.CountsAt(l.now) {
			net++
		}
		paid := o.Paid()
		gross[monthOf(months, at)] += paid
		for _, r := range o.Refunds {
			if r.At.Before(p.to) {
				refunded += r.Amount
				back[max(monthOf(months, r.At), 0)] -= r.Amount
			}
		}
	}
	flows := report.Flows{
		Title: "Paid and refunded", Unit: l.currency, At: months[:len(months)-1],
		Lines: []report.FlowLine{{Name: "paid", Deltas: hundreds(gross)}, {Name: "refunded", Deltas: hundreds(back)}},
	}
	var total int64
	for _, g := range gross {
		total += g
	}
	return report.Section{
		Title: "Orders",
		Lead:  "A refund is a new fact, not the deletion of an order: net orders are those that still count at the end.",
		Blocks: []report.Block{
			report.Figures{Rows: []report.Figure{
				{Name: "Orders bought", Value: report.Count(bought)},
				{Name: "Net orders", Value: report.Count(net)},
				{Name: "Paid", Value: l.currency + " " + report.Cents(total)},
				{Name: "Refunded", Value: l.currency + " " + report.Cents(refunded)},
			}},
			flows, bars("Orders by system", "orders", channels),
		},
	}, nil
}

// folded are all orders that the shop knows, by key.
func (l *loop) folded() ([]commerce.Order, error) {
	var out []commerce.Order
	for _, k := range slices.SortedFunc(maps.Keys(l.orders), commerce.Key.Compare) {
		o, err := commerce.Fold(l.orders[k])
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// aboutAudiences draws the sizes over time from the feed of transitions.
func (l *loop) aboutAudiences(ctx context.Context, p period) (report.Section, error) {
	months := p.months()
	defs := audience.All("")
	size, lines := map[string]int{}, make([]report.Line, len(defs))
	entered, left := map[string]int{}, map[string]int{}
	next := 0
	snapshot := func() {
		for i, d := range defs {
			lines[i].Name = d.Name
			lines[i].Values = append(lines[i].Values, float64(size[d.Name]))
		}
		next++
	}
	for t, err := range l.audiences.Transitions(ctx, 0) {
		if err != nil {
			return report.Section{}, err
		}
		for next < len(months) && t.DetectedAt.After(months[next]) {
			snapshot()
		}
		if t.Kind == segment.Entered {
			size[t.Segment]++
			entered[t.Segment]++
		} else {
			size[t.Segment]--
			left[t.Segment]++
		}
	}
	for next < len(months) {
		snapshot()
	}
	table := report.Table{
		Title:   "Movements",
		Columns: []string{"audience", "entered", "left", "members at the end"}, Numeric: []bool{false, true, true, true},
	}
	for _, d := range defs {
		table.Rows = append(table.Rows, []string{d.Name, report.Count(entered[d.Name]), report.Count(left[d.Name]), report.Count(size[d.Name])})
	}
	return report.Section{
		Title: "Audiences",
		Lead:  "Customers enter with the event that qualifies them and leave at the instant at which it lapses.",
		Blocks: []report.Block{
			report.Series{Title: "Members", Unit: "customers", At: months, Lines: lines, Marks: p.marks},
			table,
		},
	}, nil
}

// aboutJourneys draws every journey with what happened in it.
func (l *loop) aboutJourneys(ctx context.Context, _ period) (report.Section, error) {
	s := report.Section{
		Title: "Journeys",
		Lead:  "Every number is counted from the engine's history: who came in, which way they took, who waits where, how it ended.",
	}
	for _, name := range l.campaigns {
		d := l.journeys.Definition(name)
		c, err := l.journeys.Counts(ctx, name)
		if err != nil {
			return s, err
		}
		if c.Started == 0 {
			continue
		}
		said, err := l.saidOf(ctx, name, d.States())
		if err != nil {
			return s, err
		}
		c.Measure(d, said)
		j := report.Journey{Title: d.Title(), DOT: journey.Diagram{Of: d, Counts: &c}.DOT()}
		j.Figures = append(j.Figures, report.Figure{Name: "started", Value: report.Count(c.Started)})
		for _, end := range slices.Sorted(maps.Keys(c.Ends)) {
			j.Figures = append(j.Figures, report.Figure{Name: end, Value: report.Count(c.Ends[end]), Note: report.Percent(int64(c.Ends[end]), int64(c.Started))})
		}
		for _, state := range d.States() {
			if f := c.States[state]; f.Score.Answers > 0 {
				j.Figures = append(j.Figures, report.Figure{Name: f.Metric + ", " + state, Value: f.Score.String()})
			}
		}
		s.Blocks = append(s.Blocks, j)
		if name == "abandoned-cart" {
			funnel, err := l.cartFunnel(ctx)
			if err != nil {
				return s, err
			}
			s.Blocks = append(s.Blocks, funnel)
		}
		if name == "hesitation" {
			arms, err := l.hesitationArms(ctx)
			if err != nil {
				return s, err
			}
			s.Blocks = append(s.Blocks, arms)
		}
	}
	return s, nil
}

// saidOf gives the scores of the answers that name a state of the journey, by the
// survey that the state says it is measured by.
func (l *loop) saidOf(ctx context.Context, name string, states []string) (func(metric, state string) (journey.Score, bool), error) {
	tallies := map[string]map[string]*score.Tally{}
	for _, metric := range []string{shop.PurchaseNPS} {
		survey, _ := l.surveys.Survey(metric)
		by, err := score.Collect(l.surveys.Responses(ctx, feedback.Query{Survey: metric}), survey, "", func(r feedback.Response) string {
			if r.Occasion.Journey != name || !slices.Contains(states, r.Occasion.Step) {
				return ""
			}
			return r.Occasion.Step
		})
		if err != nil {
			return nil, err
		}
		tallies[metric] = by
	}
	return func(metric, state string) (journey.Score, bool) {
		t := tallies[metric][state]
		if t == nil {
			return journey.Score{}, false
		}
		x := t.Score(score.Options{MinSample: -1})
		return journey.Score{Value: x.Value, Low: x.Interval.Low, High: x.Interval.High, Answers: int(x.N)}, true
	}, nil
}

// cartFunnel follows the carts from filled to paid.
func (l *loop) cartFunnel(ctx context.Context) (report.Funnel, error) {
	reached := map[string]map[string]bool{"left": {}, "told": {}, "paid": {}}
	started := map[string]bool{}
	for r, err := range l.journeys.History(ctx, journey.Filter{Journey: "abandoned-cart"}) {
		if err != nil {
			return report.Funnel{}, err
		}
		switch {
		case r.Kind == journey.MovedRecord:
			started[r.Instance] = true
			if r.To == "reminded" {
				reached["left"][r.Instance] = true
			}
		case r.Kind == journey.EffectRecord && r.State == journey.Confirmed:
			reached["told"][r.Instance] = true
		}
	}
	for row, err := range l.journeys.Instances(ctx, journey.Filter{Journey: "abandoned-cart"}) {
		if err != nil {
			return report.Funnel{}, err
		}
		if row.Instance.Success && reached["told"][row.Instance.ID] {
			reached["paid"][row.Instance.ID] = true
		}
	}
	return report.Funnel{
		Title: "From a cart to an order",
		Steps: []report.Step{
			{Name: "cart filled", Count: int64(len(started))},
			{Name: "left for two hours", Count: int64(len(reached["left"]))},
			{Name: "reminded", Count: int64(len(reached["told"]))},
			{Name: "paid after a reminder", Count: int64(len(reached["paid"]))},
		},
	}, nil
}

// hesitationArms compares those who were helped with the control group.
func (l *loop) hesitationArms(ctx context.Context) (report.Table, error) {
	arm, started, bought := map[string]string{}, map[string]int64{}, map[string]int64{}
	for r, err := range l.journeys.History(ctx, journey.Filter{Journey: "hesitation"}) {
		if err != nil {
			return report.Table{}, err
		}
		if r.Kind == journey.MovedRecord && (r.To == "helped" || r.To == "control") {
			arm[r.Instance] = r.To
			started[r.To]++
		}
	}
	for row, err := range l.journeys.Instances(ctx, journey.Filter{Journey: "hesitation"}) {
		if err != nil {
			return report.Table{}, err
		}
		if row.Instance.Success {
			bought[arm[row.Instance.ID]]++
		}
	}
	t := report.Table{
		Title:   "Does the help help?",
		Columns: []string{"group", "customers", "bought", "share", "95 % interval"}, Numeric: []bool{false, true, true, true, true},
		Caption: "Drawn by lot. The interval is Wilson's; where the two overlap widely, nothing is proven.",
	}
	for _, a := range []string{"helped", "control"} {
		i := score.Wilson(bought[a], started[a], score.DefaultLevel)
		t.Rows = append(t.Rows, []string{
			a, report.Count(started[a]), report.Count(bought[a]), report.Percent(bought[a], started[a]),
			fmt.Sprintf("%.1f to %.1f %%", 100*i.Low, 100*i.High),
		})
	}
	return t, nil
}

// aboutMessages counts what the contact policy decided.
func (l *loop) aboutMessages(ctx context.Context, _ period) (report.Section, error) {
	var sent, fell int64
	reasons, channels := map[string]int64{}, map[string]int64{}
	for row, err := range l.journeys.Effects(ctx, journey.Filter{}) {
		if err != nil {
			return report.Section{}, err
		}
		if row.Effect.Kind != journey.MessageEffect {
			continue
		}
		switch row.State {
		case journey.Confirmed:
			sent++
			channels[row.Decision.Channel]++
			if len(row.Decision.Passed) > 0 {
				fell++
			}
		case journey.Suppressed:
			reasons[cmp.Or(string(row.Decision.Reason), "follows from history")]++
		}
	}
	return report.Section{
		Title: "Messages",
		Lead:  "A message asks for permission when it is about to go out, not when it was planned.",
		Blocks: []report.Block{
			report.Figures{Rows: []report.Figure{
				{Name: "Sent", Value: report.Count(sent)},
				{Name: "On another channel than the preferred one", Value: report.Count(fell)},
				{Name: "Cost", Value: l.currency + " " + report.Cents(l.count.cost)},
			}},
			bars("Sent by channel", "messages", channels),
			bars("Not sent, and why", "messages", reasons),
		},
	}, nil
}

func bars(title, unit string, counts map[string]int64) report.Bars {
	b := report.Bars{Title: title, Unit: unit}
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(a, c string) int {
		return cmp.Or(cmp.Compare(counts[c], counts[a]), cmp.Compare(a, c))
	}) {
		b.Rows = append(b.Rows, report.Bar{Name: name, Value: counts[name]})
	}
	return b
}

// aboutPoints ties the movement of points to the ledger.
func (l *loop) aboutPoints(ctx context.Context, p period) (report.Section, error) {
	months := p.months()
	s := report.Section{
		Title: "Points",
		Lead:  "Every figure is a sum of entries of the ledger, whose chains were recomputed for this report.",
	}
	for _, brand := range slices.Sorted(maps.Keys(l.clubs)) {
		c := l.clubs[brand]
		verified, err := c.ledger.Verify(ctx, loyalty.Anchor{})
		if err != nil {
			return s, err
		}
		if verified.Accounts == 0 {
			continue
		}
		move := func(from, to time.Time) (loyalty.Movement, error) {
			all, err := c.ledger.Movements(ctx, from, to, time.Time{})
			for _, m := range all {
				if m.Unit == loyalty.Points {
					return m, err
				}
			}
			return loyalty.Movement{}, err
		}
		year, err := move(p.from, later(p.to, l.now))
		if err != nil {
			return s, err
		}
		name := cmp.Or(brand, "All brands")
		steps := func(m loyalty.Movement) []report.Flow {
			return []report.Flow{
				{Name: "earned", Delta: m.Earned},
				{Name: "taken back", Delta: m.Returned},
				{Name: "redeemed", Delta: m.Redeemed},
				{Name: "restored", Delta: m.Restored},
				{Name: "expired", Delta: m.Expired},
			}
		}
		flows := report.Flows{Title: name + ": points by month", Unit: "points", At: months[:len(months)-1]}
		for _, f := range steps(loyalty.Movement{}) {
			flows.Lines = append(flows.Lines, report.FlowLine{Name: f.Name})
		}
		for i := range len(months) - 1 {
			m, err := move(months[i], months[i+1])
			if err != nil {
				return s, err
			}
			for j, f := range steps(m) {
				flows.Lines[j].Deltas = append(flows.Lines[j].Deltas, f.Delta)
			}
		}
		s.Blocks = append(s.Blocks,
			report.Movement{
				Title: name + ": movement of points", Unit: "points", Opening: year.Opening, Closing: year.Closing, Steps: steps(year),
				Caption: fmt.Sprintf("%s accounts, %s transactions and %s entries verified.",
					report.Count(verified.Accounts), report.Count(verified.Transactions), report.Count(verified.Entries)),
			}, flows)
		tiers, err := c.tiers(ctx, name)
		if err != nil {
			return s, err
		}
		s.Blocks = append(s.Blocks, tiers)
	}
	return s, nil
}

// tiers counts the members of every tier, and how they came and went.
func (c *club) tiers(ctx context.Context, name string) (report.Table, error) {
	t := report.Table{
		Title:   name + ": tiers",
		Columns: []string{"tier", "members at the end", "risen to it", "fallen to it at a review"}, Numeric: []bool{false, true, true, true},
		Caption: "A tier is reached the moment that enough is earned, and lost at a review only.",
	}
	members, risen, fallen := map[string]int{}, map[string]int{}, map[string]int{}
	for a, err := range c.ledger.Accounts(ctx) {
		if err != nil {
			return t, err
		}
		state, err := c.Tier(ctx, a.ID)
		if err != nil {
			return t, err
		}
		members[state.Tier]++
		history, err := c.TierHistory(ctx, a.ID)
		if err != nil {
			return t, err
		}
		for _, h := range history {
			if h.Review {
				fallen[h.To]++
			} else {
				risen[h.To]++
			}
		}
	}
	for _, tier := range []string{"gold", "silver", ""} {
		t.Rows = append(t.Rows, []string{cmp.Or(tier, "none"), report.Count(members[tier]), report.Count(risen[tier]), report.Count(fallen[tier])})
	}
	return t, nil
}

// aboutFeedback scores the surveys, with their intervals.
func (l *loop) aboutFeedback(ctx context.Context, p period) (report.Section, error) {
	s := report.Section{
		Title: "What customers say",
		Lead:  "A score without its margin is a rumor: each month is shown with its 95 % interval, and whom we did not ask is reported.",
	}
	for _, name := range []string{shop.PurchaseNPS, shop.ServiceCSAT, shop.Reviews} {
		survey, _ := l.surveys.Survey(name)
		q := feedback.Query{Survey: name}
		total, err := score.Collect(l.surveys.Responses(ctx, q), survey, "", nil)
		if err != nil {
			return s, err
		}
		if total[""] == nil {
			continue
		}
		byMonth, err := score.Collect(l.surveys.Responses(ctx, q), survey, "", score.ByMonth(p.zone))
		if err != nil {
			return s, err
		}
		all := total[""].Score(score.Options{})
		scale := survey.Questions[0].Scale
		chart := report.Scores{
			Title: surveyTitles[name] + " by month", Unit: "score", Low: float64(scale.Min), High: float64(scale.Max), Decimals: 2, Marks: p.marks,
		}
		if survey.Questions[0].Kind == feedback.NPS {
			chart.Low, chart.High, chart.Decimals = -100, 100, 1
		}
		for _, month := range slices.Sorted(maps.Keys(byMonth)) {
			at, err := time.ParseInLocation("2006-01", month, p.zone)
			if err != nil {
				return s, err
			}
			x := byMonth[month].Score(score.Options{MinSample: -1})
			chart.Points = append(chart.Points, report.Score{At: at, N: x.N, Value: x.Value, Low: x.Interval.Low, High: x.Interval.High})
		}
		rows := []report.Figure{{Name: surveyTitles[name], Value: all.String()}}
		cover, err := l.surveys.Coverage(ctx, name, p.from, later(p.to, l.now))
		if err != nil {
			return s, err
		}
		if cover.Occasions > 0 {
			rows = append(rows,
				report.Figure{Name: "Occasions", Value: report.Count(cover.Occasions)},
				report.Figure{Name: "Asked", Value: report.Count(cover.Given)},
				report.Figure{Name: "Answered", Value: report.Count(cover.Answered)},
				report.Figure{Name: "Left out for an open case", Value: report.Percent(int64(cover.ExcludedAny), int64(cover.Sampled)), Note: "they would have answered worse"},
			)
		}
		s.Blocks = append(s.Blocks, report.Figures{Title: surveyTitles[name], Rows: rows}, chart)
	}
	return s, nil
}

var surveyTitles = map[string]string{
	shop.PurchaseNPS: "NPS after a purchase",
	shop.ServiceCSAT: "Satisfaction with the service",
	shop.Reviews:     "Stars of reviews",
}

// aboutService counts cases and broken promises of the service desk.
func (l *loop) aboutService(ctx context.Context, _ period) (report.Section, error) {
	type tally struct{ cases, open, late int }
	kinds := map[care.Kind]*tally{}
	topics := map[string]int64{}
	for c, err := range l.desk.Cases(ctx, care.Query{}) {
		if err != nil {
			return report.Section{}, err
		}
		k := kinds[c.Kind]
		if k == nil {
			k = &tally{}
			kinds[c.Kind] = k
		}
		k.cases++
		topics[cmp.Or(c.Topic, string(c.Kind))]++
		st := l.desk.StatusOf(c, l.now)
		if st.Breached() {
			k.late++
		}
		if !st.Phase.Done() {
			k.open++
		}
	}
	if len(kinds) == 0 {
		return report.Section{}, nil
	}
	table := report.Table{Title: "Cases", Columns: []string{"kind", "cases", "open at the end", "over the promised time"}, Numeric: []bool{false, true, true, true}}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t := kinds[k]
		table.Rows = append(table.Rows, []string{string(k), report.Count(t.cases), report.Count(t.open), report.Percent(int64(t.late), int64(t.cases))})
	}
	return report.Section{
		Title:  "Service",
		Lead:   "The clocks run in the service desk's hours, with lunch breaks, Sundays and the spring festival.",
		Blocks: []report.Block{table, bars("What it was about", "cases", topics)},
	}, nil
}

// reasons lets the library explain itself, at the customer of whom most is known.
func (l *loop) reasons(ctx context.Context, _ period) (report.Section, error) {
	var items []report.Explanation
	for _, name := range []string{audience.Lapsed, audience.HighValue} {
		view, err := l.audiences.View(name)
		if err != nil {
			return report.Section{}, err
		}
		for t, err := range l.audiences.Transitions(ctx, 0) {
			if err != nil {
				return report.Section{}, err
			}
			id := t.Customer
			if t.Segment != name || t.Kind != segment.Entered || !view.Contains(id) {
				continue
			}
			x, err := l.audiences.Explain(ctx, name, id, l.now)
			if err != nil {
				return report.Section{}, err
			}
			items = append(items, report.Explanation{Question: "Why is this customer in " + name + "?", Answer: []string{x.String()}})
			break
		}
	}
	var first journey.EffectRow // by key: stores list in orders of their own
	for row, err := range l.journeys.Effects(ctx, journey.Filter{Journey: "abandoned-cart"}) {
		if err != nil {
			return report.Section{}, err
		}
		if len(row.Decision.Passed) > 0 && row.State == journey.Confirmed && (first.Effect.Key == "" || row.Effect.Key < first.Effect.Key) {
			first = row
		}
	}
	if first.Effect.Key != "" {
		items = append(items, report.Explanation{Question: "Why did this reminder go out on " + first.Decision.Channel + "?", Answer: []string{first.Decision.String()}})
	}
	return report.Section{Title: "Why", Blocks: []report.Block{report.Explanations{Items: items}}}, nil
}

func monthOf(months []time.Time, t time.Time) int {
	i, found := slices.BinarySearchFunc(months, t, time.Time.Compare)
	if !found {
		i--
	}
	return i
}

// hundreds turns minor units into whole ones.
func hundreds(minor []int64) []int64 {
	out := make([]int64, len(minor))
	for i, n := range minor {
		out[i] = n / 100
	}
	return out
}
