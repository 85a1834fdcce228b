package segment_test

import (
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/cxkit/cxkit/segment"
	"github.com/cxkit/cxkit/segment/segmenttest"
	"github.com/stretchr/testify/require"
)

// history is one customer in Shanghai, whom every row of the table is about.
func history(t *testing.T, rule segment.Rule) *segmenttest.Case {
	c := segmenttest.New(t, rule, "Asia/Shanghai").
		Segment("gold", segment.Attr("tier").Is("gold")).
		Trait("tier", "gold").
		Has("likes", profile.Tags("boots", "hats")).
		Has("vip", profile.Flag(true)).
		Has("visits", profile.Int(12)).
		Has("balance", profile.Dec(19_95, 2)).
		Has("joined", profile.Time(time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC))). // 12:00
		Has("card ends", profile.Time(time.Date(2026, 6, 30, 16, 0, 0, 0, time.UTC))).
		Trait("birthday", "1996-02-29")
	view := func(at, sku string, seconds int64) {
		c.DoesWith("viewed", at, profile.Values{"sku": profile.Text(sku), "seconds": profile.Int(seconds)})
	}
	view("2026-05-02 10:00", "boots", 30)
	view("2026-05-30 10:00", "hats", 50)
	view("2026-06-01 09:00", "boots", 10)
	view("2026-06-01 10:00", "boots", 80)
	c.Does("cart", "2026-06-01 11:00").Does("paid", "2026-06-01 12:30").Does("cart", "2026-06-02 11:00")
	c.Order("A1", "2026-05-20 10:00", 300_00).Order("A2", "2026-06-01 12:30", 100_00).Refund("A2", "2026-06-03 09:00", 100_00)
	c.Add(profile.Event{ID: "related", Time: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Relations: []profile.RelationAct{{Type: "assistant", Party: "outlet-12/a7"}}})
	return c
}

// TestEveryForm asks for each form of rule at instants at which it holds and at
// which it does not; every evaluator is asked, and the rule as read from its
// JSON too.
func TestEveryForm(t *testing.T) {
	attr, events, num := segment.Attr, segment.Events, func(n int64) profile.Value { return profile.Int(n) }
	viewed := events("viewed")
	boots := viewed.Where(attr("sku").Is("boots"))
	const forever = "2026-06-10"
	rich := segment.Func("rich", segment.Deps{
		Attrs: []string{"visits"}, Segments: []string{"gold"},
		Measures: map[string]segment.Measure{"spend": segment.NetOrders().Sum("amount")},
	}, func(c segment.Customer) bool {
		spend, _ := c.Measure("spend").Int()
		visits, _ := c.Attr("visits").Int()
		return c.In("gold") && visits == 12 && spend >= 400_00
	})
	for name, row := range map[string]struct {
		rule    segment.Rule
		in, out []string
	}{
		"category":            {attr("tier").Is("gold", "platinum"), []string{forever}, nil},
		"category, another":   {attr("tier").Is("silver"), nil, []string{forever}},
		"tags":                {attr("likes").Has("boots"), []string{forever}, nil},
		"tags, another":       {attr("likes").Has("bags"), nil, []string{forever}},
		"flag":                {attr("vip").True(), []string{forever}, nil},
		"integer":             {attr("visits").Between(num(10), num(12)), []string{forever}, nil},
		"integer, too low":    {attr("visits").Above(num(12)), nil, []string{forever}},
		"decimal money":       {attr("balance").AtLeast(profile.Dec(1995, 2)), []string{forever}, nil},
		"decimal and integer": {attr("balance").Below(num(20)), []string{forever}, nil},
		"money, a cent more":  {attr("balance").AtLeast(profile.Dec(1996, 2)), nil, []string{forever}},
		"time":                {attr("joined").Below(profile.Time(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC))), []string{forever}, nil},
		"missing":             {attr("email").Missing(), []string{forever}, nil},
		"known":               {attr("email").Known(), nil, []string{forever}},
		"not of a missing":    {segment.Not(attr("email").Is("a@b.c")), []string{forever}, nil},
		"another type":        {attr("tier").AtLeast(num(1)), nil, []string{forever}},

		"relative date":           {attr("joined").Within(segment.Days(30)), []string{"2026-03-31 11:59"}, []string{"2026-03-01 11:59", "2026-03-31 12:00"}},
		"relative date, ahead":    {attr("card ends").Ahead(7 * 24 * time.Hour), []string{"2026-06-24", "2026-06-30 23:59"}, []string{"2026-06-23 23:59", "2026-07-01"}},
		"anniversary, 29 Feb":     {attr("birthday").Anniversary(0), []string{"2026-02-28 23:59", "2028-02-29"}, []string{"2026-02-27 23:59", "2026-03-01", "2028-02-28"}},
		"birthday in seven days":  {attr("birthday").Anniversary(7), []string{"2026-02-21", "2026-02-28"}, []string{"2026-02-20 23:59", "2026-03-01"}},
		"lunar, by user calendar": {attr("tier").AnniversaryBy(tierDay, 1), []string{"2026-08-07", "2026-08-08 23:59"}, []string{"2026-08-06 23:59", "2026-08-09"}},

		"count, rolling":     {viewed.Within(segment.Days(1)).AtLeast(2), []string{"2026-06-01 10:00", "2026-06-02 08:59"}, []string{"2026-06-01 09:59", "2026-06-02 09:00"}},
		"count, this day":    {viewed.Within(segment.This(segment.Day)).AtLeast(2), []string{"2026-06-01 23:59"}, []string{"2026-06-02"}},
		"count, this week":   {viewed.Within(segment.This(segment.Week)).AtMost(1), []string{"2026-05-31 23:59", "2026-06-08"}, []string{"2026-06-01 10:00", "2026-06-07 23:59"}},
		"count, last month":  {viewed.Within(segment.Previous(1, segment.Month)).Exactly(2), []string{"2026-06-01", "2026-07-31 23:59"}, []string{"2026-05-31 23:59", "2026-08-01"}},
		"count, recent days": {viewed.Within(segment.Recent(2, segment.Day)).AtLeast(2), []string{"2026-06-02 23:59"}, []string{"2026-06-03"}},
		"count, coarse":      {viewed.Within(segment.Days(2).Grain(segment.Day)).AtLeast(2), []string{"2026-06-02 23:59"}, []string{"2026-06-03"}},
		"count, quarter":     {viewed.Within(segment.This(segment.Quarter)).AtLeast(4), []string{"2026-06-30 23:59"}, []string{"2026-07-01"}},
		"count, fixed":       {viewed.Within(segment.Between(time.Date(2026, 5, 31, 16, 0, 0, 0, time.UTC), time.Time{})).AtLeast(2), []string{"2026-06-01 10:00"}, []string{"2026-06-01 09:59"}},
		"distinct":           {viewed.Distinct("sku").AtLeast(num(2)), []string{"2026-05-30 10:00"}, []string{"2026-05-30 09:59"}},
		"sum":                {viewed.Within(segment.Days(3)).Sum("seconds").AtLeast(num(140)), []string{"2026-06-01 10:00", "2026-06-02 09:59"}, []string{"2026-06-02 10:00"}},
		"average":            {viewed.Average("seconds").Equals(profile.Dec(425, 1)), []string{"2026-06-01 10:00"}, []string{"2026-06-01 09:59"}},
		"min":                {viewed.Min("seconds").AtMost(num(10)), []string{"2026-06-01 09:00"}, []string{"2026-06-01 08:59"}},
		"max":                {viewed.Max("seconds").Between(num(50), num(60)), []string{"2026-05-30 10:00"}, []string{"2026-06-01 10:00"}},
		"first":              {viewed.First("sku").Equals(profile.Text("boots")), []string{"2026-06-01"}, []string{"2026-05-02 09:59"}},
		"last":               {viewed.Last("sku").Equals(profile.Text("hats")), []string{"2026-05-30 10:00"}, []string{"2026-06-01 09:00"}},
		"first in a window":  {viewed.FirstIn(segment.Days(7)), []string{"2026-05-02 10:00"}, []string{"2026-05-09 10:00", "2026-06-01 10:00"}},
		"never":              {events("paid").Never(), []string{"2026-06-01 12:29"}, []string{"2026-06-01 12:30"}},
		"never, in a window": {viewed.Within(segment.Days(10)).Never(), []string{"2026-05-12 10:00"}, []string{"2026-05-12 09:59", "2026-05-30 10:00"}},
		"A then B within W":  {events("cart").Then(events("paid"), 2*time.Hour), []string{"2026-06-01 12:30"}, []string{"2026-06-01 12:29"}},
		"A then B, too late": {events("cart").Then(events("paid"), time.Hour), nil, []string{"2026-06-01 12:30", forever}},
		"A without B within": {events("cart").Without(events("paid"), 2*time.Hour), []string{"2026-06-02 13:00"}, []string{"2026-06-01 13:00", "2026-06-02 12:59"}},
		"rising":             {viewed.Within(segment.This(segment.Month)).Count().Rising(), []string{"2026-05-02 10:00"}, []string{"2026-06-01 10:00", "2026-07-01"}},
		"rising, rolling":    {viewed.Within(segment.Days(7)).Sum("seconds").Rising(), []string{"2026-06-01 10:00"}, []string{"2026-06-09 10:00"}},
		"falling":            {viewed.Within(segment.This(segment.Month)).Count().Falling(), []string{"2026-06-01 08:59", "2026-07-01"}, []string{"2026-06-01 10:00", "2026-08-01"}},
		"property filter":    {boots.AtLeast(3), []string{"2026-06-01 10:00"}, []string{"2026-06-01 09:59"}},
		"filter of two":      {viewed.Where(attr("sku").Is("boots"), attr("seconds").AtLeast(num(30))).AtLeast(2), []string{"2026-06-01 10:00"}, []string{"2026-06-01 09:59"}},
		"orders, as bought":  {segment.Orders().AtLeast(2), []string{"2026-06-01 12:30", forever}, []string{"2026-06-01 12:29"}},
		"net of refunds":     {segment.NetOrders().AtLeast(2), []string{"2026-06-01 12:30", "2026-06-03 08:59"}, []string{"2026-06-03 09:00"}},
		"net spend":          {segment.NetOrders().Within(segment.Days(90)).Sum("amount").AtLeast(num(400_00)), []string{"2026-06-01 12:30"}, []string{"2026-06-03 09:00"}},
		"segments of segments": {
			segment.All(segment.In("gold"), viewed.AtLeast(2)), []string{"2026-05-30 10:00"}, []string{"2026-05-30 09:59"},
		},
		"relation":               {segment.Related("assistant").Under("outlet-12/"), []string{"2026-05-01 08:00"}, []string{"2026-05-01 07:59"}},
		"relation, other outlet": {segment.Related("assistant").Under("outlet-9/"), nil, []string{forever}},
		"relation to one":        {segment.Related("assistant").To("outlet-12/a7", "b"), []string{forever}, nil},
		"func":                   {rich, []string{"2026-06-01 12:30"}, []string{"2026-06-01 12:29", "2026-06-03 09:00"}},
		"any":                    {segment.Any(attr("tier").Is("silver"), events("paid").AtLeast(1)), []string{"2026-06-01 12:30"}, []string{"2026-06-01 12:29"}},
		"all of nothing":         {segment.All(), []string{forever}, nil},
		"any of nothing":         {segment.Any(), nil, []string{forever}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := row.rule.MarshalJSON()
			require.NoError(t, err)
			read, err := segment.ParseRule(doc, rich, attr("any").AnniversaryBy(tierDay, 0))
			require.NoError(t, err)
			require.Equal(t, row.rule.String(), read.String())
			c := history(t, read)
			for _, at := range row.in {
				c.At(at).In()
			}
			for _, at := range row.out {
				c.At(at).Out()
			}
		})
	}
}

// tierDay is 8 August, for whoever has a tier.
var tierDay = segment.NewCalendar("tier day", func(_ profile.Value, year int) []time.Time {
	return []time.Time{time.Date(year, time.August, 8, 0, 0, 0, 0, time.UTC)}
})
