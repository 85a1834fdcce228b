package journey_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey"
	"github.com/cxkit/cxkit/profile"
)

// started is a journey that begins with an event "go" in state a.
func started() *journey.Builder {
	j := journey.Define("j")
	j.Enter(journey.Event("go")).To("a")
	return j
}

func text(purpose string) journey.Message {
	return journey.Message{Template: "t", Purpose: purpose, Channels: []string{"sms"}}
}

func TestLints(t *testing.T) {
	hour := time.Hour
	for name, c := range map[string]struct {
		build func(j *journey.Builder)
		want  string // rule: place: text
	}{
		"an unknown state": {
			func(j *journey.Builder) { j.State("a").After(hour).To("b") },
			`state a, transition 1: unbound: state "b" does not exist`,
		},
		"a misspelled outcome": {
			func(j *journey.Builder) {
				j.State("a").Send(text("p")).On(journey.Done("tt")).End("e").After(hour).End("f")
			},
			`state a, transition 1: unbound: no message or action of this journey is called "tt"; correct the name, or do it somewhere`,
		},
		"the return of a journey that is never started": {
			func(j *journey.Builder) { j.State("a").On(journey.Returned("other")).End("e").After(hour).End("f") },
			`state a, transition 1: unbound: this journey never starts "other"; correct the name, or start it`,
		},
		"a goal on an outcome that never comes": {
			func(j *journey.Builder) {
				j.Goal("g").On(journey.Failed("x"))
				j.State("a").After(hour).End("f")
			},
			`goal g: unbound: no message or action of this journey is called "x"`,
		},
		"an event property where time led": {
			func(j *journey.Builder) {
				m := text("p")
				m.Vars = journey.Args{"item": journey.Prop("sku")}
				j.State("a").After(hour).To("b")
				j.State("b").Otherwise().To("c")
				j.State("c").Send(m).After(hour).End("e")
			},
			`state c, on entering, message "t": unbound: no event is at hand for prop.sku when time leads here; use Data("sku")`,
		},
		"an event property on leaving by time": {
			func(j *journey.Builder) {
				j.State("a").OnLeave(journey.Do("x", journey.Args{"item": journey.Prop("sku")})).After(hour).End("e")
			},
			`state a, on leaving, custom "x": unbound: no event is at hand for prop.sku when time leads out; use Data("sku")`,
		},
		"an unreachable state": {
			func(j *journey.Builder) { j.State("a").After(hour).End("e"); j.State("b").After(hour).End("e") },
			"state b: unreachable: nothing leads here",
		},
		"a dead end": {
			func(j *journey.Builder) { j.State("a") },
			"state a: dead end: nothing leads out",
		},
		"a wait without an end": {
			func(j *journey.Builder) { j.State("a").On(journey.Event("x")).End("e") },
			"state a: no timeout: an instance may wait here for ever",
		},
		"a wait that ends on a condition only": {
			func(j *journey.Builder) { j.State("a").After(hour).If(journey.Data("n").AtLeast(3)).End("e") },
			"state a: no timeout",
		},
		"a wait that ends where it began": {
			func(j *journey.Builder) { j.State("a").After(hour).Stay().On(journey.Event("x")).End("e") },
			"state a: no timeout",
		},
		"a wait for a date that may be missing": {
			func(j *journey.Builder) {
				j.State("a").OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true}).End("e")
			},
			"state a: no timeout: an instance may wait here for ever",
		},
		"no time passes in a wait": {
			func(j *journey.Builder) { j.State("a").After(0).End("e") },
			"state a, transition 1: zero-time loop: no time passes",
		},
		"a circle of conditions": {
			func(j *journey.Builder) {
				j.State("a").When(journey.Data("n").AtLeast(3)).To("b").After(hour).End("e")
				j.State("b").Otherwise().To("a")
			},
			"state a: zero-time loop: no time need pass on the way a → b → a",
		},
		"a circle over a date, which stays past": {
			func(j *journey.Builder) {
				j.State("a").OnDate(journey.Data("d"), journey.Shift{}).To("b").After(hour).End("e")
				j.State("b").Otherwise().To("a")
			},
			"zero-time loop",
		},
		"a circle over a deadline, which stays past": {
			func(j *journey.Builder) {
				j.State("a").OnDeadline(hour).To("b")
				j.State("b").Otherwise().To("a")
			},
			"zero-time loop",
		},
		"a circle over a failure, which may come at once": {
			func(j *journey.Builder) {
				j.State("a").Send(text("p")).On(journey.Failed("t")).To("b").After(hour).End("e")
				j.State("b").Otherwise().To("a")
			},
			"state a: zero-time loop: no time need pass on the way a → b → a",
		},
		"an action that its own outcome repeats": {
			func(j *journey.Builder) {
				j.State("a").Do(journey.Do("x", nil)).
					On(journey.Done("x")).Do(journey.Do("y", nil)).Stay().
					On(journey.Done("y")).Do(journey.Do("x", nil)).Stay().
					After(hour).End("e")
			},
			`state a: zero-time loop: the outcome of "x" does it again at once`,
		},
		"a condition that keeps where it is": {
			func(j *journey.Builder) {
				j.State("a").When(journey.Data("n").AtLeast(3)).Stay().After(hour).End("e")
			},
			"state a, transition 1: zero-time loop",
		},
		"a message without purpose": {
			func(j *journey.Builder) { j.State("a").Send(text("")).After(hour).End("e") },
			`state a, on entering, message "t": no purpose`,
		},
		"a message without channel": {
			func(j *journey.Builder) {
				j.State("a").Send(journey.Message{Template: "t", Purpose: "p"}).After(hour).End("e")
			},
			`message "t": incomplete: it has no channel`,
		},
		"a variable bound to nothing": {
			func(j *journey.Builder) {
				m := text("p")
				m.Vars = journey.Args{"item": {}}
				j.State("a").Send(m).After(hour).End("e")
			},
			`message "t": unbound: "item" is bound to nothing`,
		},
		"an event property when time passes": {
			func(j *journey.Builder) {
				j.State("a").After(hour).If(journey.Prop("n").AtLeast(3)).End("e").After(2 * hour).End("e")
			},
			`unbound: no event is at hand for prop.n when time passes; use Data("n")`,
		},
		"an action without a name": {
			func(j *journey.Builder) { j.State("a").Do(journey.Task("", nil)).After(hour).End("e") },
			"incomplete: it has no name",
		},
		"a split that does not add up": {
			func(j *journey.Builder) { j.State("a").Share(50).End("e").Share(40).End("f") },
			"state a: split: the shares add up to 90",
		},
		"a split that waits": {
			func(j *journey.Builder) { j.State("a").Share(50).End("e").Share(50).End("f").After(hour).End("g") },
			"state a: unreachable: it is left at once",
		},
		"waits behind Otherwise": {
			func(j *journey.Builder) { j.State("a").Otherwise().End("e").After(hour).End("g") },
			"state a: unreachable: it is left at once",
		},
		"two transitions on one event": {
			func(j *journey.Builder) {
				j.State("a").On(journey.Event("x")).End("e").On(journey.Event("x")).End("f").After(hour).End("g")
			},
			"state a, transition 2: overlap: transition 1 is always taken before it",
		},
		"a narrower one after a wider": {
			func(j *journey.Builder) {
				j.State("a").On(journey.Event("x")).End("e").On(journey.Event("x").Where(journey.Prop("n").Is("1"))).End("f").After(hour).End("g")
			},
			"state a, transition 2: overlap",
		},
		"two waits of one length": {
			func(j *journey.Builder) { j.State("a").After(hour).End("e").After(hour).End("f") },
			"state a, transition 2: overlap",
		},
		"a wait behind a shorter one": {
			func(j *journey.Builder) { j.State("a").After(2 * hour).End("e").After(hour).End("f") },
			"state a, transition 1: overlap: transition 2 is always taken before it",
		},
		"a day among those of an earlier wait": {
			func(j *journey.Builder) {
				j.State("a").AtLocal("09:00", time.Monday, time.Friday).End("e").AtLocal("09:00", time.Friday).End("f")
			},
			"state a, transition 2: overlap: transition 1 is always taken before it",
		},
		"the same condition twice": {
			func(j *journey.Builder) {
				old := journey.Prop("age").AtLeast(60)
				j.State("a").On(journey.Event("x")).If(old).End("e").On(journey.Event("x").Where(old)).If(journey.Data("n").Is("1")).End("f").After(hour).End("g")
			},
			"state a, transition 2: overlap: transition 1 is always taken before it",
		},
		"a condition within another": {
			func(j *journey.Builder) {
				vip, old := journey.In("vip"), journey.Trait("age").AtLeast(60)
				j.State("a").When(vip).End("e").When(journey.All(old, vip)).End("f").Otherwise().End("g")
			},
			"state a, transition 2: overlap: transition 1 is always taken before it",
		},
		"two entries on one event": {
			func(j *journey.Builder) {
				j.Enter(journey.Event("go").Where(journey.Prop("n").Is("1"))).To("a")
				j.State("a").After(hour).End("f")
			},
			"entry 2: overlap: entry 1 is always taken before it; drop one, or give the earlier one a condition",
		},
		"an exit behind a goal": {
			func(j *journey.Builder) {
				j.Goal("g").On(journey.Event("x"))
				j.Exit("e").On(journey.Event("x"))
				j.State("a").After(hour).End("f")
			},
			`exit e: overlap: "g" is reached before it; drop one, or give the earlier one a condition`,
		},
		"a transition that a goal takes": {
			func(j *journey.Builder) {
				j.Goal("g").On(journey.Event("x"))
				j.State("a").On(journey.Event("x")).End("e").After(hour).End("f")
			},
			`state a, transition 1: overlap: "g" is reached before it`,
		},
		"a final state with a way out": {
			func(j *journey.Builder) { j.State("a").Final().After(hour).End("e") },
			"state a: unreachable: nothing leads out of a final state",
		},
		"a transition that is not finished": {
			func(j *journey.Builder) { j.State("a").After(hour).If(journey.In("x")) },
			"state a, transition 1: incomplete: it leads nowhere",
		},
		"a goal that nothing reaches": {
			func(j *journey.Builder) { j.Goal("g"); j.State("a").After(hour).End("e") },
			"goal g: incomplete: exactly one of On and When",
		},
		"an outcome that starts a journey": {
			func(j *journey.Builder) { j.Enter(journey.Done("x")); j.State("a").After(hour).End("e") },
			"entry 2: incomplete: an outcome cannot start a journey",
		},
		"a clock that is none": {
			func(j *journey.Builder) { j.State("a").AtLocal("9 am").End("e") },
			"is no time of day",
		},
		"a zone that is none": {
			func(j *journey.Builder) { j.Zone("Mars/Olympus"); j.State("a").After(hour).End("e") },
			"journey: incomplete: its time zone is not known",
		},
		"an empty condition": {
			func(j *journey.Builder) { j.State("a").When(journey.All()).End("e").After(hour).End("f") },
			"of nothing",
		},
		"a re-entry rule that does not exist": {
			func(j *journey.Builder) {
				j.Reentry(journey.Reentry{Rule: "sometimes"})
				j.State("a").After(hour).End("e")
			},
			`re-entry rule "sometimes" does not exist`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := started()
			c.build(j)
			_, err := j.Build()
			require.ErrorIs(t, err, journey.ErrDefinition)
			require.ErrorContains(t, err, c.want)
			var lints *journey.LintError
			require.ErrorAs(t, err, &lints)
			for _, l := range lints.Lints {
				require.NotEmpty(t, l.Remedy, l.String())
			}
		})
	}
}

// Each finding in full, as people read it.
func TestFindingsNamePlaceAndRemedy(t *testing.T) {
	hour := time.Hour
	for _, c := range []struct {
		build func(j *journey.Builder)
		want  string
	}{
		{
			func(j *journey.Builder) { j.State("a").After(hour).End("e"); j.State("b").After(hour).End("e") },
			"state b: unreachable: nothing leads here; lead to it or drop it",
		},
		{
			func(j *journey.Builder) { j.State("a") },
			"state a: dead end: nothing leads out; add a transition, or Final",
		},
		{
			func(j *journey.Builder) {
				j.State("a").When(journey.In("x")).To("b").After(hour).End("e")
				j.State("b").Otherwise().To("a")
			},
			"state a: zero-time loop: no time need pass on the way a → b → a; put a wait into the circle",
		},
		{
			func(j *journey.Builder) { j.State("a").On(journey.Event("x")).End("e") },
			"state a: no timeout: an instance may wait here for ever; add After, AtLocal or OnDeadline without a condition, or Patient",
		},
		{
			func(j *journey.Builder) { j.State("a").Send(text("")).After(hour).End("e") },
			`state a, on entering, message "t": no purpose: consent cannot be asked for; set Purpose`,
		},
		{
			func(j *journey.Builder) { j.State("a").After(hour).To("nowhere") },
			`state a, transition 1: unbound: state "nowhere" does not exist; declare it with State, or End for a final one`,
		},
		{
			func(j *journey.Builder) { j.State("a").Share(50).End("e").Share(49).End("f") },
			"state a: split: the shares add up to 99; make them add up to 100",
		},
		{
			func(j *journey.Builder) {
				j.State("a").On(journey.Event("x")).End("e").On(journey.Event("x")).End("f").After(hour).End("g")
			},
			"state a, transition 2: overlap: transition 1 is always taken before it; drop one, or give the earlier one a condition",
		},
	} {
		j := started()
		c.build(j)
		_, err := j.Build()
		require.EqualError(t, err, "journey: invalid definition: \"j\" has 1 finding:\n  "+c.want)
	}
}

func TestEmptyJourneysAreRefused(t *testing.T) {
	_, err := journey.Define("").Build()
	for _, want := range []string{"it has no name", "it has no state", "nothing starts it"} {
		require.ErrorContains(t, err, want)
	}
}

func TestWhatIsSoundPassesTheLints(t *testing.T) {
	for name, build := range map[string]func(j *journey.Builder){
		"patience": func(j *journey.Builder) { j.State("a").Patient().On(journey.Event("x")).End("e") },
		"two conditions on one event": func(j *journey.Builder) {
			j.State("a").On(journey.Event("x")).If(journey.Prop("n").Is("1")).End("e").On(journey.Event("x")).End("f").After(time.Hour).End("g")
		},
		"a circle with time in it": func(j *journey.Builder) { j.State("a").After(time.Hour).To("b"); j.State("b").Otherwise().To("a") },
		"an anniversary comes every year": func(j *journey.Builder) {
			j.State("a").OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true}).To("b").OnDeadline(9999 * time.Hour).End("e")
			j.State("b").Otherwise().To("a")
		},
		"a reminder on the way, then the end": func(j *journey.Builder) {
			j.State("a").After(time.Hour).Do(journey.Do("remind", nil)).Stay().After(time.Hour).If(journey.In("vip")).End("e").After(2 * time.Hour).End("f")
		},
		"a property of the event that leads here": func(j *journey.Builder) {
			j.State("a").Do(journey.Do("x", journey.Args{"sku": journey.Prop("sku")})).After(time.Hour).End("f")
		},
		"other conditions on one event": func(j *journey.Builder) {
			j.State("a").On(journey.Event("x")).If(journey.In("vip")).End("e").On(journey.Event("x")).If(journey.In("new")).End("f").After(time.Hour).End("g")
		},
		"the key of another event": func(j *journey.Builder) {
			j.Key("k")
			j.State("a").On(journey.Event("x")).End("e").On(journey.Event("x").KeyIn("other")).End("f").After(time.Hour).End("g")
		},
	} {
		j := started()
		build(j)
		_, err := j.Build()
		require.NoError(t, err, name)
	}
}

// everything uses each part of the builder once.
func everything() *journey.Builder {
	m := journey.Message{
		Template: "hello", Purpose: "marketing", Category: "greeting", Channels: []string{"wechat", "sms"},
		Vars: journey.Args{"name": journey.Trait("name"), "sku": journey.Data("sku"), "shop": journey.Text("Bund")}, Within: 48 * time.Hour,
	}
	j := journey.Define("everything").Title("Everything").Brand("luna").Zone("Asia/Shanghai").Key("order_id").
		Reentry(journey.Once.Resting(24 * time.Hour)).GoLive(monday).MaxAge(72 * time.Hour).Priority(3)
	j.Enter(journey.Event("go").Where(journey.Prop("stars").AtMost(2))).If(journey.In("members")).To("a")
	j.Enter(journey.Entered("vip")).To("a")
	j.Goal("goal").On(journey.Event("paid").AnyKey()).If(journey.Prop("amount").More(profile.Dec(125, 1))).Do(journey.Award("thanks", journey.Const(profile.Int(5))))
	j.Exit("exit").When(journey.All(journey.Trait("closed").Exists(), journey.Not(journey.Any(journey.Trait("tier").OneOf("gold", "vip"), journey.Func("friend")))))
	j.State("a").Title("A").Metric("nps").Send(m).
		OnLeave(journey.SetTrait("seen", journey.Const(profile.Flag(true)))).
		On(journey.Done("hello")).To("b").
		On(journey.Failed("hello").Where()).Stay().
		On(journey.Event("x").KeyIn("order")).Do(journey.Do("note", journey.Args{"v": journey.Prop("v")})).To("a").
		On(journey.Returned("everything")).To("b").
		On(journey.Call("skip")).To("b").
		On(journey.Tick("weekly")).To("b").
		On(journey.Left("vip")).To("b").
		AtLocal("09:30", time.Monday, time.Friday).If(journey.Trait("tags").Has("early")).To("b").
		OnDate(journey.Data("due"), journey.Shift{Days: -3, Clock: "10:00", Plus: time.Minute}).To("b").
		OnDate(journey.Trait("birthday"), journey.Shift{Yearly: true}).To("b").
		After(2 * time.Hour).To("b").
		OnDeadline(1000 * time.Hour).End("late")
	j.State("b").Share(90).To("c").Share(10).End("holdout")
	j.State("c").Do(journey.Voucher("v", nil), journey.OpenCase("case", nil), journey.Task("call", nil), journey.Start("everything", nil)).
		When(journey.Data("n").Less(profile.Int(3))).End("few").
		When(journey.Data("n").Equals(profile.Int(3))).End("three").
		Otherwise().End("many")
	return j
}

func TestDefinitionsRoundTripThroughJSON(t *testing.T) {
	d, err := everything().Build()
	require.NoError(t, err)
	b, err := json.Marshal(d)
	require.NoError(t, err)
	e, err := journey.Parse(b)
	require.NoError(t, err)
	require.Equal(t, d.Version(), e.Version())
	require.Equal(t, d.DOT(), e.DOT())
	require.Equal(t, d.Uses(), e.Uses())
	require.Equal(t, []string{"a", "late", "b", "holdout", "c", "few", "three", "many"}, d.States())
	again, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, string(b), string(again))
}

func TestTheVersionFollowsTheContent(t *testing.T) {
	a, err := everything().Build()
	require.NoError(t, err)
	b, err := everything().Build()
	require.NoError(t, err)
	require.Equal(t, a.Version(), b.Version())
	c, err := everything().Priority(4).Build()
	require.NoError(t, err)
	require.NotEqual(t, a.Version(), c.Version())
}

func TestABuiltDefinitionDoesNotFollowItsBuilder(t *testing.T) {
	j := everything()
	d, err := j.Build()
	require.NoError(t, err)
	version := d.Version()
	j.State("a").Title("another")
	b, err := json.Marshal(d)
	require.NoError(t, err)
	require.Equal(t, version, d.Version())
	require.NotContains(t, string(b), `"another"`)
	e, err := journey.Parse(b)
	require.NoError(t, err)
	require.Equal(t, version, e.Version())
}

func TestWrongJSONIsRefusedByPlace(t *testing.T) {
	d, err := everything().Build()
	require.NoError(t, err)
	good, err := json.Marshal(d)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown field":                {`"format":1`, `"format":1,"colour":"red"`, "colour: unknown field"},
		"an unknown field of a state":     {`"metric":"nps"`, `"metrics":"nps"`, "states[0].metrics: unknown field"},
		"an unknown field of an edge":     {`"share":90`, `"percent":90`, "states[2].transitions[0].percent: unknown field"},
		"an unknown field of a wait":      {`"days":[1,5]`, `"weekdays":[1,5]`, "states[0].transitions[7].wait.weekdays: unknown field"},
		"an unknown field of a condition": {`"op":"at_most"`, `"op":"at_most","than":2`, "entries[0].on.where[0].than: unknown field"},
		"a number for a text":             {`"title":"A"`, `"title":7`, "states[0].title: number in the wrong place"},
		"a text for a number":             {`"share":90`, `"share":"most"`, "states[2].transitions[0].share: string in the wrong place"},
		"another format":                  {`"format":1`, `"format":2`, "format: 2, 1 expected"},
		"an unknown trigger":              {`"kind":"entered"`, `"kind":"arrived"`, `entries[1].on.kind: unknown trigger "arrived"`},
		"the engine's trigger":            {`"kind":"entered"`, `"kind":"timer"`, `entries[1].on.kind: unknown trigger "timer"`},
		"an unknown condition":            {`"op":"at_most"`, `"op":"about"`, `entries[0].on.where[0]: unknown condition "about"`},
		"a field of two":                  {`{"prop":"stars"}`, `{"prop":"stars","data":"x"}`, "entries[0].on.where[0].field: "},
		"a field of none":                 {`{"prop":"stars"}`, `{}`, "entries[0].on.where[0].field: a field is one of prop, data, trait, const"},
		"a bound variable of none":        {`"sku":{"data":"sku"}`, `"sku":{}`, "states[0].enter[0].args.sku: a field is one of"},
		"a duration in words":             {`"max_age":"72h0m0s"`, `"max_age":"three days"`, `max_age: `},
		"an instant in words":             {`"go_live":"2026-11-09T02:00:00Z"`, `"go_live":"on Monday"`, "go_live: "},
		"text after it":                   {"", "{}", "text after the definition"},
		"nothing":                         {string(good), "", "EOF"},
		"an array":                        {string(good), "[]", "array in the wrong place"},
		"half of it":                      {string(good), string(good[:len(good)/2]), "unexpected EOF"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if c.old == "" {
			bad = string(good) + c.new
		}
		require.NotEqual(t, string(good), bad, name)
		_, err := journey.Parse([]byte(bad))
		require.ErrorIs(t, err, journey.ErrDefinition, name)
		require.ErrorContains(t, err, "journey: invalid definition: "+c.want, name)
	}
}

func FuzzParse(f *testing.F) {
	d, err := everything().Build()
	require.NoError(f, err)
	b, err := json.Marshal(d)
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"format":1,"name":"x","entries":[{"on":{"kind":"event","name":"e"}}],"states":[{"name":"s","final":true}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := journey.Parse(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		e, err := journey.Parse(text)
		if err != nil || e.Version() != d.Version() {
			t.Fatalf("does not round-trip: %v", err)
		}
		_ = d.Mermaid()
		in, _, err := d.Step(journey.Instance{}, journey.Input{Name: "e", Customer: "c", Props: profile.Values{"k": profile.Int(1)}}, monday, nil)
		for range 5 {
			if err != nil || in.Due.IsZero() {
				return
			}
			in, _, err = d.Step(in, journey.Input{Kind: journey.TimerInput}, in.Due, nil)
		}
	})
}
