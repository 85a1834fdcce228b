package report_test

import (
	"math"
	"time"

	"github.com/cxkit/cxkit/examples/retail/input"
	"github.com/cxkit/cxkit/examples/retail/report"
)

const dot = `digraph "cart {abandoned}" {
	rankdir=LR;
	start [label="cart.updated\n2,140 entered", shape=ellipse];
	wait [label="wait 2 hours"];
	ask [label="paid meanwhile?", shape=diamond, style=filled, fillcolor="#fff6e0"];
	wechat [label="WeChat: cart\n1,302 sent · 211 deferred", fillcolor="#e3f4ee"];
	sms [label="SMS: cart\n498 sent", fillcolor="#e3f4ee"];
	done [label="goal: order.paid\n877", shape=ellipse, fillcolor="#dcebff"];
	end [label="exit\n1,263", shape=ellipse];
	start -> wait; wait -> ask; ask -> done [label="yes 612"]; ask -> wechat [label="no 1,528"];
	wechat -> sms [label="no credit, 24 h"]; wechat -> done [label="204"]; sms -> done [label="61"]; sms -> end; wechat -> end;
	link [label="<script>alert(1)</script>", URL="https://example.org/x", shape=box];
	end -> link [style=invis];
}`

// sample is a report with one block of every kind.
func sample() report.Report {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var weeks, months []time.Time
	for i := range 53 {
		weeks = append(weeks, start.AddDate(0, 0, 7*i))
	}
	for i := range 12 {
		months = append(months, start.AddDate(0, i, 0))
	}
	curve := func(scale, phase float64) []float64 {
		var v []float64
		for i := range weeks {
			v = append(v, math.Round(scale*(1.2+float64(i)/40+0.4*math.Sin(float64(i)/8+phase))))
		}
		return v
	}
	flow := func(scale int64, sign int64) []int64 {
		var v []int64
		for i := range months {
			v = append(v, sign*scale*int64(8+(i*7)%5+i)/10)
		}
		return v
	}
	marks := []report.Mark{
		{At: time.Date(2026, 2, 17, 0, 0, 0, 0, time.UTC), Name: "Spring Festival"},
		{At: time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC), Name: "Sales day 11.11"},
	}
	segments := report.Series{Title: "Audience sizes", Unit: "customers", At: weeks, Marks: marks, Lines: []report.Line{
		{Name: "Lapsed VIP", Values: curve(60, 0)}, {Name: "Active", Values: curve(420, 1)}, {Name: "New", Values: curve(130, 2)}, {Name: "At risk", Values: curve(70, 3)},
	}, Caption: "At every weekly close; a customer may be in several."}
	tiers := segments
	tiers.Title, tiers.Stacked, tiers.Marks, tiers.Caption = "Members by tier", true, nil, ""
	tiers.Lines = []report.Line{{Name: "Basic", Values: curve(500, 0)}, {Name: "Silver", Values: curve(180, 1)}, {Name: "Gold", Values: curve(60, 2)}}
	nps := report.Scores{Title: "NPS after purchase", Low: -100, High: 100, Decimals: 1, Marks: marks, Caption: "Adjusted Wald interval, 95 %. Customers with an open case are left out: 4.2 %."}
	for i, m := range months {
		v := 28 + 14*math.Sin(float64(i)/2)
		nps.Points = append(nps.Points, report.Score{At: m, N: int64(40 + 13*i), Value: v, Low: v - 18 + float64(i), High: v + 18 - float64(i)})
	}
	nps.Points[4] = report.Score{At: months[4]}
	return report.Report{
		Title: "Twelve months of a retail group", Subtitle: "2 brands, 8 channels, seed 1",
		From: start, To: start.AddDate(1, 0, -1),
		Headline: []report.Figure{
			{Name: "Customers", Value: report.Count(4213), Note: "from 9,871 identifiers"},
			{Name: "Orders", Value: report.Count(12880), Note: "net of 1,204 returns"},
			{Name: "Net sales", Value: "¥ " + report.Cents(812_345_678)},
			{Name: "Identity precision", Value: report.Percent(9981, 10000), Tone: report.Good},
			{Name: "Late deliveries", Value: report.Percent(662, 10000), Tone: report.Warn},
		},
		Sections: []report.Section{
			{Title: "Who the customers are", Lead: "Events of all channels were stitched into one customer each; the generator knows the truth.", Blocks: []report.Block{
				report.Figures{Title: "Identity against the truth", Rows: []report.Figure{
					{Name: "Pairs joined rightly", Value: report.Count(31820), Note: "of 32,011 true pairs"},
					{Name: "Precision", Value: "99.81 %", Tone: report.Good, Note: "shared tablets are the rest"},
					{Name: "Recall", Value: "97.02 %", Tone: report.Good},
				}},
				report.Notes{Title: "Left out <of> the input", Tone: report.Warn, Lines: []string{"orders.csv:17: order_status: unknown state \"lost\"", "1 of 8,135 orders whole"}},
			}},
			{Title: "Audiences", Lead: "Who entered and who lapsed, the moment it happened.", Blocks: []report.Block{
				segments, tiers,
				report.Table{Title: "Overlap of audiences", Columns: []string{"Audience", "Active", "New", "At risk"}, Numeric: []bool{false, true, true, true}, Rows: [][]string{{"Lapsed VIP", "0", "3", "61"}, {"Active", "980", "204", "12"}}},
			}},
			{Title: "Journeys", Lead: "What went out, what was held back, and why.", Blocks: []report.Block{
				report.Journey{Title: "Abandoned cart", DOT: dot, Figures: []report.Figure{{Name: "entered", Value: "2,140"}, {Name: "bought", Value: "877", Tone: report.Good}, {Name: "sent", Value: "1,800"}}},
				report.Funnel{Title: "From view to order", Steps: []report.Step{{Name: "Viewed a product", Count: 18230}, {Name: "Put into the cart", Count: 6140}, {Name: "Placed the order", Count: 3020}, {Name: "Paid", Count: 2877}, {Name: "Kept it", Count: 2610}}, Caption: "Customers, in this order within seven days."},
				report.Bars{Title: "Messages held back", Unit: "messages", Rows: []report.Bar{{Name: "quiet hours", Value: 1204, Note: "deferred"}, {Name: "no consent", Value: 811, Note: "suppressed"}, {Name: "frequency cap", Value: 640, Note: "deferred"}, {Name: "need met", Value: 133, Note: "dropped"}}},
			}},
			{Title: "What customers say", Lead: "Each score with its interval and its number of answers.", Blocks: []report.Block{nps}},
			{Title: "Points", Lead: "Double entry: what was earned, spent, expired and taken back.", Blocks: []report.Block{
				report.Movement{Title: "Points in the year", Unit: "points", Opening: 0, Steps: []report.Flow{{Name: "Earned", Delta: 1830112}, {Name: "Welcome gifts", Delta: 84200}, {Name: "Returned goods", Delta: -192004}, {Name: "Redeemed", Delta: -640100}, {Name: "Expired", Delta: -101900}}, Closing: 980308},
				report.Flows{Title: "By month", Unit: "points", At: months, Lines: []report.FlowLine{{Name: "Earned", Deltas: flow(100000, 1)}, {Name: "Gifts", Deltas: flow(9000, 1)}, {Name: "Redeemed", Deltas: flow(52000, -1)}, {Name: "Expired", Deltas: flow(11000, -1)}}},
				report.Explanations{Title: "Why", Items: []report.Explanation{
					{Question: "Why is customer 0193 in Lapsed VIP?", Answer: []string{"tier is gold (wanted: gold)", "net orders 4 in 365 days (at least 3), until 2026-12-04", "last order 96 days ago (over 90)"}},
					{Question: "Why were two customers joined?", Answer: []string{"phone +86138… seen with card 6021 on 3 March", "card 6021 seen with openid o6… on 9 May"}},
					{Question: "Why did points expire?", Answer: []string{"lot of 9 January, 12 months, clamped to the month's last day"}},
				}},
			}},
			{Title: "Reconciliation", Lead: "The same figures, counted once by the library and once straight from the rows.", Blocks: []report.Block{
				report.Reconciliation{Checks: []input.Check{
					{Figure: "Orders", Files: "8,135", Library: "8,135", Equal: true, Note: "distinct order_id"},
					{Figure: "Paid", Files: "BRL 1,393,427.64", Library: "BRL 1,393,427.64", Equal: true, Note: "every tender of the orders whose payment was approved, or that were delivered"},
					{Figure: "Late deliveries", Files: "342", Library: "415", Note: "day of delivery after the promised day"},
				}},
			}},
		},
	}
}
