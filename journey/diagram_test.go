package journey_test

import (
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

var update = flag.Bool("journey.update", false, "write the golden files")

// secondPurchase leads new customers to their second order: fifteen states, two
// ends of their own, a goal and two exits. The next version has no shop assistant,
// a last reminder, other shares, and asks later.
func secondPurchase(next bool) *journey.Builder {
	send := func(template string, channels ...string) journey.Message {
		return journey.Message{Template: template, Purpose: "marketing", Channels: channels}
	}
	day := 24 * time.Hour
	j := journey.Define("second-purchase").Title("To the second purchase").Zone("Asia/Shanghai")
	j.Enter(journey.Event("order.received").Where(journey.Prop("order_count").Equals(profile.Int(1)))).To("arrived")
	j.Goal("bought again").On(journey.Event("order.paid")).Do(journey.Award("second order", journey.Const(profile.Int(200))))
	j.Exit("sent it back").On(journey.Event("order.returned"))
	j.Exit("account closed").When(journey.Trait("closed").Exists())
	ask := 3 * day
	if next {
		ask = 5 * day
	}
	j.State("arrived").Title("Parcel has arrived").After(ask).To("ask")
	j.State("ask").Title("Ask how it fits").Metric("fit survey").Send(send("fit-question", "wechat", "sms")).
		On(journey.Event("survey.answered")).If(journey.Prop("stars").AtMost(2)).To("unhappy").
		On(journey.Event("survey.answered")).To("happy").
		After(4 * day).To("silent")
	j.State("unhappy").Title("Unhappy with it").Do(journey.OpenCase("complaint", nil)).
		On(journey.Event("case.closed")).To("comforted").
		After(14 * day).To("comforted")
	j.State("comforted").Title("Say sorry").Do(journey.Voucher("sorry-20", nil)).Send(send("sorry", "wechat", "sms")).
		After(10 * day).To("tier")
	j.State("happy").Title("Wrote reviews before?").When(journey.In("reviewers")).To("thank").Otherwise().To("review")
	j.State("review").Title("Ask for a review").Send(send("review-please", "wechat")).
		On(journey.Event("review.written")).Do(journey.Award("review", journey.Const(profile.Int(50)))).To("thank").
		After(5 * day).To("tier")
	j.State("thank").Title("Thank them").Send(send("thanks", "wechat", "sms")).After(2 * day).To("tier")
	j.State("silent").Title("No answer").AtLocal("10:00", time.Saturday, time.Sunday).To("tier")
	discount := 45
	if tier := j.State("tier").Title("Gold member?"); next {
		discount = 15
		tier.When(journey.Trait("tier").OneOf("gold", "platinum")).To("style").Otherwise().To("draw")
	} else {
		tier.When(journey.Trait("tier").OneOf("gold", "platinum")).To("assistant").Otherwise().To("draw")
		j.State("assistant").Title("Call by the shop assistant").Do(journey.Task("call-customer", nil)).
			On(journey.Done("call-customer")).To("waiting").
			On(journey.Failed("call-customer")).To("draw").
			After(7 * day).To("draw")
	}
	j.State("draw").Title("Which offer?").Share(90 - discount).To("style").Share(discount).To("discount").Share(10).To("control")
	j.State("style").Title("Style advice").Send(send("style", "wechat", "email")).After(7 * day).To("waiting")
	j.State("discount").Title("Ten percent off").Do(journey.Voucher("second-10", nil)).Send(send("ten-off", "wechat", "sms")).After(7 * day).To("waiting")
	j.State("control").Title("Control group").OnDeadline(60 * day).End("control group ends")
	waiting := j.State("waiting").Title("Time to decide").
		OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true, Days: -3, Clock: "10:00"}).To("style")
	if next {
		waiting.OnDeadline(50 * day).To("last")
		j.State("last").Title("Last reminder").Send(send("last-call", "sms")).OnDeadline(60 * day).End("did not come back")
	} else {
		waiting.OnDeadline(60 * day).End("did not come back")
	}
	return j
}

// figures are made up: of a thousand that come to a state, the ways out share.
func figures(d *journey.Definition) *journey.Counts {
	c := &journey.Counts{
		Started: 12840, At: map[string]int{}, Passed: map[int]int{}, States: map[string]journey.StateFigures{},
		Ends: map[string]int{"bought again": 3120, "sent it back": 702, "did not come back": 4300, "control group ends": 507},
	}
	ways := map[string]int{}
	for _, e := range d.Edges() {
		ways[e.From]++
	}
	reached := map[string]int{"": 12840}
	for range d.States() {
		for _, e := range d.Edges() {
			if e.End == "" && c.Passed[e.ID] == 0 {
				if e.From == "" {
					c.Passed[e.ID] = 12840
				} else if percent, err := strconv.Atoi(strings.TrimSuffix(e.Label, " %")); err == nil {
					c.Passed[e.ID] = reached[e.From] * percent / 100
				} else {
					c.Passed[e.ID] = reached[e.From] * 9 / 10 / ways[e.From]
				}
				reached[e.To] += c.Passed[e.ID]
			}
		}
	}
	for _, s := range d.States() {
		c.At[s] = reached[s] / 20
		c.States[s] = journey.StateFigures{Median: 52 * time.Hour}
	}
	c.Measure(d, func(metric, state string) (journey.Score, bool) {
		return journey.Score{Value: 31.04, Low: 25.2, High: 37, Answers: 1412}, metric == "fit survey" && state == "ask"
	})
	return c
}

func TestDiagrams(t *testing.T) {
	d, next := mustBuild(t, secondPurchase(false)), mustBuild(t, secondPurchase(true))
	for name, text := range map[string]string{
		"plain.dot": d.DOT(), "plain.mmd": d.Mermaid(),
		"counts.dot": journey.Diagram{Of: d, Counts: figures(d)}.DOT(), "counts.mmd": journey.Diagram{Of: d, Counts: figures(d)}.Mermaid(),
		"change.dot": journey.Diagram{Of: next, Since: d}.DOT(), "change.mmd": journey.Diagram{Of: next, Since: d}.Mermaid(),
		"words.mmd": mustBuild(t, everything()).Mermaid(),
	} {
		file := "testdata/diagram/" + name
		if *update {
			require.NoError(t, os.MkdirAll("testdata/diagram", 0o755))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), text, "%s: -journey.update writes it", name)
	}
}
