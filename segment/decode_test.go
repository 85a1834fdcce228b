package segment

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cxkit/cxkit/profile"
	"github.com/stretchr/testify/require"
)

func TestRuleJSON(t *testing.T) {
	rule := All(
		Attr("tier").Is("gold", "platinum").As("tier"),
		Any(
			Attr("birthday").Anniversary(7),
			Attr("spend").Between(profile.Int(100), profile.Dec(2505, 1)),
			Not(Attr("likes").Has("boots")),
		),
		NetOrders().Where(Attr("amount").AtLeast(profile.Int(500_00))).Within(Days(90)).Never(),
		Events("cart.updated").Without(Events("order.paid"), 2*time.Hour),
		Orders().Within(Previous(1, Month)).Sum("amount").Rising(),
		In("newsletter"),
	)
	const want = `{"all":[` +
		`{"as":"tier","attr":"tier","is":["gold","platinum"]},` +
		`{"any":[{"attr":"birthday","anniversary":7},` +
		`{"attr":"spend","at_least":100,"at_most":{"decimal":"250.5"}},` +
		`{"not":{"attr":"likes","has":["boots"]}}]},` +
		`{"count":{"orders":"net","where":{"attr":"amount","at_least":50000},"within":{"last":"90d"}},"is":[0]},` +
		`{"sequence":{"events":"cart.updated"},"without":{"events":"order.paid"},"span":"2h0m0s"},` +
		`{"sum":{"orders":"bought","within":{"previous":{"n":1,"unit":"month"}}},"property":"amount","trend":"rising"},` +
		`{"in":"newsletter"}]}`
	got, err := json.Marshal(rule)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	back, err := ParseRule(got)
	require.NoError(t, err)
	require.Equal(t, rule, back)
}

// TestRandomRulesRoundTrip writes and reads the rules of the differential test.
func TestRandomRulesRoundTrip(t *testing.T) {
	for seed := range uint64(2000) {
		w := newWorld(seed)
		rule := w.rule([]string{"s0"}, 3)
		def := Definition{Name: "a", Zone: w.zone, Rule: rule}
		b, err := json.Marshal(def)
		require.NoError(t, err, "seed %d", seed)
		back, err := ParseDefinition(b, functionsOf(rule)...)
		require.NoError(t, err, "seed %d: %s", seed, b)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(b), string(again), "seed %d", seed)
		require.Equal(t, def.Hash(), back.Hash())
	}
}

func functionsOf(r Rule) []Rule {
	var out []Rule
	var walk func(n *node)
	walk = func(n *node) {
		if n.kind == nodeFunc || n.date.foreign {
			out = append(out, Rule{n})
		}
		for _, k := range n.kids {
			walk(k)
		}
	}
	walk(r.n)
	return out
}

func TestParseErrorsNameThePlace(t *testing.T) {
	for doc, want := range map[string]string{
		`{"all":[{"attr":"tier","is":["gold"]},{"attr":"x"}]}`:          "rule.all[1]: no test",
		`{"not":{"attr":"tier","is":["gold"],"more":1}}`:                `rule.not: "more" is unknown here`,
		`{"count":{"events":"a","within":{"last":"90x"}},"at_least":1}`: "rule.count.within.last: a duration",
		`{"count":{"events":"a","within":{"last":"-1d"}},"at_least":1}`: "rule.count.within.last: a duration",
		`{"count":{"events":"a","within":{"last":"0d"}},"at_least":1}`:  "rule.count.within: a rolling window",
		`{"func":"score"}`:                        `rule.func: function "score" is not among those given`,
		`{"attr":"tier","attr":"x","is":[1]}`:     `rule: "attr" is there twice`,
		`{"attr":"tier","is":[]}`:                 "rule.is: nothing to compare with",
		`{"attr":"tier","is":[1.5e400]}`:          "rule.is[0]:",
		`{"sum":{"orders":"net"},"at_least":1}`:   "rule: sum needs a property",
		`{"sequence":{"events":"a"},"span":"1h"}`: "rule.then: missing",
		`{}`:           "rule: none of the kinds of rule",
		`[]`:           "rule: not a JSON object",
		`{"in":3}`:     "rule.in: not a text",
		`{"in":""}`:    "rule.in: it needs the name",
		`{"all":null}`: "rule.all: not a list",
		`{"count":{"events":"a","where":{"in":"x"}},"at_least":1}`:                                                   "rule.count.where: a filter is made of",
		`{"count":{"events":"a","within":{"recent":{"n":0,"unit":"day"}}},"at_least":1}`:                             "rule.count.within: a calendar window",
		`{"count":{"events":"a","within":{"recent":{"n":1,"unit":"moon"}}},"at_least":1}`:                            "rule.count.within.recent.unit:",
		`{"count":{"events":"a","within":{"from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z"}},"at_least":1}`: "rule.count.within: a fixed window must end after",
		`{"related":""}`:                                                         "rule: a relation needs a type",
		`{"related":"assistant","to":[]}`:                                        "rule: a relation to nobody",
		`{"related":"assistant","to":["a",3]}`:                                   "rule.to[1]: a party is a text",
		`{"related":"assistant","one_at_a_time":1}`:                              "rule.one_at_a_time: true or false",
		`{"attr":"b","anniversary":7,"calendar":"lunar"}`:                        `rule.calendar: calendar "lunar" is not among those given`,
		`{"attr":"b","anniversary":301}`:                                         "rule.anniversary: the days before",
		`{"all":[{"attr":"b","ahead":"0s"}]}`:                                    "rule.all[0].ahead: a time ahead",
		`{"sequence":{"events":"a"},"then":{"events":""},"span":"1h"}`:           "rule.then: events need a name",
		`{"attr":"a","at_least":3} {}`:                                           "rule: something follows",
		strings.Repeat(`{"not":`, 200) + `{"in":"a"}` + strings.Repeat(`}`, 200): "nested more than",
	} {
		_, err := ParseRule([]byte(doc))
		require.ErrorIs(t, err, ErrRule, doc)
		require.ErrorContains(t, err, want, doc)
	}
	_, err := ParseDefinition([]byte(`{"format":2,"name":"a","rule":{"in":"b"}}`))
	require.ErrorIs(t, err, ErrDefinition)
	_, err = ParseDefinition([]byte(`{"format":1,"name":"a","zone":"Atlantis","rule":{"in":"b"}}`))
	require.ErrorIs(t, err, ErrDefinition)
}

func FuzzParseRule(f *testing.F) {
	for seed := range uint64(40) {
		w := newWorld(seed)
		b, err := json.Marshal(w.rule([]string{"s0"}, 2))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"attr":"a","is":[{"time":"0000-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRule(b)
		if err != nil {
			return
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("a rule that was read cannot be written: %v", err)
		}
		again, err := ParseRule(out)
		if err != nil {
			t.Fatalf("%s: what was written cannot be read: %v", out, err)
		}
		if second, _ := json.Marshal(again); string(second) != string(out) {
			t.Fatalf("%s became %s", out, second)
		}
		// Whatever was read can be evaluated.
		def := Definition{Name: "a", Rule: r}
		rules, err := Compile(def, Definition{Name: "s0", Rule: All()})
		if err != nil {
			return
		}
		rec := Record{ID: "c", Traits: profile.Values{"a": profile.Int(1)}, Events: []profile.Event{{ID: "e", Name: "a", Time: time.Unix(0, 0)}}}
		at := time.Unix(86400, 0)
		in, err1 := rules.Match("a", rec, at)
		want, err2 := rules.Recount("a", rec, at)
		if err1 != nil || err2 != nil || in != want {
			t.Fatalf("%s: per customer %t (%v), by definition %t (%v)", out, in, err1, want, err2)
		}
	})
}
