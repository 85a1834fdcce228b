package journey

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/journey/contact"
	"github.com/cxkit/cxkit/profile"
)

var (
	randomRuns = flag.Int("journey.random", 150, "random journeys to compare with the naive interpreter")
	randomSeed = flag.Uint64("journey.seed", 0, "seed of the random journeys; 0 draws one")
)

var (
	randomEvents = []string{"a", "b", "c", "d"}
	randomStart  = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC) // the clocks of New York change on the 8th
	randomZones  = []string{"", "Asia/Shanghai", "America/New_York"}
)

// generator makes random descriptions.
type generator struct {
	*rand.Rand
	name   string
	states []string
	starts string // a journey that it may start; "" for none
	does   map[string]bool
}

func oneOf[T any](r *generator, list ...T) T { return list[r.IntN(len(list))] }

func (r *generator) event() Trigger {
	t := Event(oneOf(r, randomEvents...))
	switch r.IntN(6) {
	case 0:
		t = t.AnyKey()
	case 1:
		t = t.KeyIn("k2")
	}
	return t
}

// input is an input from outside.
func (r *generator) input() Trigger {
	switch r.IntN(8) {
	case 0:
		return Entered("vip")
	case 1:
		return Left("vip")
	case 2:
		return Call("hotline")
	}
	return r.event()
}

func (r *generator) cond(number func(string) Field) Cond {
	switch r.IntN(10) {
	case 0:
		return Not(r.cond(number))
	case 1:
		return All(r.cond(number), r.cond(number))
	case 2:
		return Any(r.cond(number), r.cond(number))
	case 3:
		return In("vip")
	case 4:
		return Func("sunny")
	case 5:
		return Trait("tier").OneOf("gold", "silver")
	case 6:
		return Data("d").Exists()
	}
	return number("n").AtLeast(int64(r.IntN(4)))
}

func (r *generator) acts() []Action {
	var out []Action
	for range r.IntN(2) {
		if r.starts != "" && r.IntN(6) == 0 {
			out = append(out, Start(r.starts, Args{"n": Data("n"), "k": Data("k")}))
			r.does[r.starts] = true
			continue
		}
		name := oneOf(r, "act0", "act1", "msg", "refused")
		r.does[name] = true
		if name == "msg" || name == "refused" && r.IntN(2) == 0 {
			out = append(out, Send(Message{Template: name, Purpose: contact.Transactional, Channels: []string{"sms"}}))
		} else {
			out = append(out, Do(name, Args{"n": Data("n")}))
		}
	}
	return out
}

func (r *generator) to() string { return oneOf(r, r.states...) }

// way declares one way out of a state.
func (r *generator) way(st *StateBuilder) {
	var t *TransitionBuilder
	number := Data
	switch r.IntN(12) {
	case 0, 1, 2:
		t = st.On(r.input())
		number = oneOf(r, Data, Prop)
	case 3, 4:
		t = st.After(time.Duration(1+r.IntN(30)) * time.Hour)
	case 5:
		var days []time.Weekday
		for range r.IntN(3) {
			days = append(days, time.Weekday(r.IntN(7)))
		}
		t = st.AtLocal(fmt.Sprintf("%02d:00", r.IntN(24)), days...)
	case 6:
		t = st.OnDeadline(time.Duration(1+r.IntN(90)) * time.Hour)
	case 7:
		sh := Shift{Days: r.IntN(5) - 2, Yearly: r.IntN(3) == 0}
		if r.IntN(2) == 0 {
			sh.Clock = fmt.Sprintf("%02d:00", r.IntN(24))
		}
		t = st.OnDate(oneOf(r, Data("d"), Trait("birthday")), sh)
	case 8:
		t = st.When(r.cond(Data))
	case 9:
		t = st.On(Done(oneOf(r, "act0", "msg")))
	case 10:
		t = st.On(Failed(oneOf(r, "refused", "msg", "kid")))
	default:
		if r.starts == "" {
			t = st.On(r.event())
		} else if t = st.On(Returned(r.starts)); r.IntN(2) == 0 {
			t.edge().Trigger.Where = []Cond{Prop("outcome").OneOf("goal", "s1", "s2")}
		}
	}
	if r.IntN(3) == 0 {
		t.If(r.cond(number))
	}
	t.Do(r.acts()...)
	if t.edge().When == nil && r.IntN(4) == 0 {
		t.Stay()
	} else {
		t.To(r.to())
	}
}

func (r *generator) describe() *spec {
	b := Define(r.name).Zone(oneOf(r, randomZones...)).Priority(r.IntN(2))
	if r.IntN(2) == 0 {
		b.Key("k")
	}
	if r.IntN(4) == 0 {
		b.Brand("luna")
	}
	b.Reentry(Reentry{Rule: oneOf(r, "", OneAtATime, Once, Restart, Always), PerCustomer: r.IntN(3) == 0})
	if r.IntN(3) == 0 {
		b.spec.Reentry.Rest = Once.Resting(time.Duration(1+r.IntN(40)) * time.Hour).Rest
	}
	if r.IntN(4) == 0 {
		b.GoLive(randomStart.Add(time.Duration(r.IntN(50)) * time.Hour))
	}
	if r.IntN(4) == 0 {
		b.MaxAge(time.Duration(r.IntN(6)) * time.Hour)
	}
	r.states = []string{"s0", "s1", "s2", "s3", "s4", "s5"}[:2+r.IntN(5)]
	enter := func(t Trigger) {
		e := b.Enter(t)
		if r.IntN(3) == 0 {
			e.If(r.cond(Prop))
		}
		e.To(oneOf(r, "s0", r.to()))
	}
	if r.starts == "" { // the one that is started
		enter(Call(r.name))
	}
	if first := r.input(); r.starts != "" || r.IntN(2) == 0 {
		enter(first)
		if second := r.input(); first.spec.Kind != second.spec.Kind || first.spec.Name != second.spec.Name {
			enter(second)
		}
	}
	if r.IntN(2) == 0 {
		g := b.Goal("goal").Do(r.acts()...)
		if r.IntN(3) == 0 {
			g.When(r.cond(Data))
		} else if g.On(r.input()); r.IntN(2) == 0 {
			g.If(r.cond(Prop))
		}
	}
	if r.IntN(3) == 0 {
		b.Exit("exit").On(r.input())
	}
	for i, name := range r.states {
		st := b.State(name).Patient().Do(r.acts()...)
		if i > 0 && r.IntN(4) == 0 {
			st.Final()
			continue
		}
		st.OnLeave(r.acts()...)
		if r.IntN(5) == 0 {
			st.Share(30).To(r.to()).Share(50).To(r.to()).Share(20).To(r.to())
			continue
		}
		for range 1 + r.IntN(4) {
			r.way(st)
		}
	}
	return &b.spec
}

// randomSpecs makes two journeys that pass the lints, of which the first may start
// the second.
func randomSpecs(r *rand.Rand) []*spec {
	var out []*spec
	for _, g := range []generator{{name: "j", starts: "kid"}, {name: "kid"}} {
		for {
			g.Rand, g.does = r, map[string]bool{}
			s := g.describe()
			if len(lint(s)) == 0 {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// A random journey and random inputs: the engine, the walk of the simulation and
// the naive interpreter tell the same story.
func TestEngineEqualsTheNaiveInterpreter(t *testing.T) {
	seed := *randomSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	runs, told := *randomRuns, map[string]int{}
	if testing.Short() {
		runs = min(runs, 100)
	}
	for i := range runs {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for _, line := range story(t, r, randomSpecs(r), fmt.Sprintf("seed %d, run %d", seed, i)) {
			told[strings.Fields(line)[len(strings.Fields(line))-1]]++
		}
	}
	t.Logf("%d journeys: %v", runs, told)
	for _, word := range []string{"done", "dropped", "goal", "exit", "s5"} {
		require.Positive(t, told[word], word)
	}
}

// world answers for the customer of a random story.
type randomWorld struct{ n *naive }

func (w randomWorld) ContainsAt(context.Context, profile.ID, time.Time) (bool, error) {
	return w.n.member["vip"], nil
}

func (w randomWorld) check(context.Context, profile.ID, time.Time) (bool, error) {
	return w.n.member["sunny"], nil
}

func (w randomWorld) traits(context.Context, profile.ID, []string) (profile.Values, error) {
	return w.n.traits, nil
}

func story(t *testing.T, r *rand.Rand, specs []*spec, name string) []string {
	ctx := context.Background()
	now := randomStart
	n := &naive{runs: map[string]int{}, last: map[string]time.Time{}, traits: map[string]profile.Value{}, member: map[string]bool{}}
	w := randomWorld{n}
	answer := func(_ context.Context, d Dispatch) Answer {
		if d.Effect.Name == "refused" {
			return Reject("no")
		}
		return Confirm("")
	}
	port := Port{HonorsKeys: true, Handle: answer}
	e, err := New(Config{
		Now: func() time.Time { return now }, Batch: 1,
		Channels: map[string]Port{"sms": port}, Actions: map[Binding]Port{{Kind: CustomEffect}: port},
		Audiences: map[string]Audience{"vip": w}, Checks: map[string]Check{"sunny": w.check}, Traits: w.traits,
	})
	require.NoError(t, err)
	var definitions []Source
	for _, s := range []int{1, 0} { // the one that is started first
		d, err := compile(*specs[s])
		require.NoError(t, err)
		require.NoError(t, e.Deploy(ctx, d))
		definitions = append(definitions, d)
	}
	for i := range definitions {
		n.specs = append(n.specs, &definitions[1-i].(*Definition).spec)
	}
	sim, err := NewSimulator(Simulation{
		Journeys: definitions, Answer: answer,
		Audiences: map[string]Audience{"vip": w}, Checks: map[string]Check{"sunny": w.check}, Traits: Traits(w.traits).present(),
	})
	require.NoError(t, err)
	walk := sim.Walk("c", now)
	var walked []string
	walk.Listen(func(r Record) {
		if line := told(&r); line != "" {
			walked = append(walked, line)
		}
	})
	id := 0
	ends := true
	for ends && now.Before(randomStart.Add(200*time.Hour)) {
		n.now = now
		settle := func() {
			if ends = ends && n.settle(); !ends {
				return
			}
			_, err := e.RunDue(ctx, now)
			require.NoError(t, err, name)
			require.NoError(t, walk.Advance(ctx, now), name)
		}
		if settle(); !ends {
			break
		}
		switch r.IntN(30) {
		case 0:
			n.member["sunny"] = !n.member["sunny"]
		case 1, 2:
			trait, text := "tier", []string{"gold", "silver", "none"}[r.IntN(3)]
			if r.IntN(2) == 0 {
				trait, text = "birthday", now.AddDate(-r.IntN(3), 0, r.IntN(9)-3).Format(time.DateOnly)
			}
			n.traits[trait] = profile.Text(text)
			n.changes(trait)
			require.NoError(t, e.Apply(ctx, profile.Change{Kind: profile.TraitChanged, Profile: "c", Names: []string{trait}}), name)
			require.NoError(t, walk.TraitsChanged(ctx, trait), name)
			settle()
		}
		for range r.IntN(3) {
			if r.IntN(4) > 0 || !ends {
				continue
			}
			id++
			x := randomInput(r, n, now)
			x.ID = fmt.Sprint(id)
			n.happens(naiveInput{x.Kind, x.Name, x.Brand, x.Props, x.Time, x.Mode == profile.Backfill}, nil, nil)
			_, err := e.Ingest(ctx, x)
			require.NoError(t, err, name)
			require.NoError(t, walk.Ingest(ctx, x), name)
			settle()
		}
		now = now.Add(time.Hour)
	}
	var got []string
	unheard := func(string) bool { return false }
	if !ends { // of the hour that does not end nothing can be said
		hour := n.now.Format("01-02 15:04 ")
		of := func(line string) bool { return strings.HasPrefix(line, hour) }
		n.lines, walked = slices.DeleteFunc(n.lines, of), slices.DeleteFunc(walked, of)
		unheard = of
	}
	for rec, err := range e.History(ctx, Filter{}) {
		require.NoError(t, err)
		if line := told(&rec); line != "" && !unheard(line) {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, walked) {
		differ(t, name+": walk", got, walked, definitions)
	}
	slices.Sort(got)
	slices.Sort(n.lines)
	if !slices.Equal(n.lines, got) {
		differ(t, name+": naive", got, n.lines, definitions)
	}
	return got
}

// differ shows where two tellings of a story part.
func differ(t *testing.T, name string, got, other []string, definitions []Source) {
	i := 0
	for i < len(got) && i < len(other) && got[i] == other[i] {
		i++
	}
	around := func(lines []string) string { return strings.Join(lines[max(0, i-5):min(len(lines), i+4)], "\n       ") }
	text := fmt.Sprintf("%s differs in line %d\nother  %s\nengine %s", name, i, around(other), around(got))
	for _, d := range definitions {
		b, err := d.(*Definition).MarshalJSON()
		require.NoError(t, err)
		text += "\n" + string(b)
	}
	t.Fatal(text)
}

// randomInput is something that happens now, or did some hours ago; who enters and
// leaves an audience is a member accordingly.
func randomInput(r *rand.Rand, n *naive, now time.Time) Input {
	x := Input{Kind: EventInput, Name: randomEvents[r.IntN(4)], Customer: "c", Time: now, Received: now}
	switch r.IntN(8) {
	case 0:
		x.Kind, x.Name = EnteredInput, "vip"
		if n.member["vip"] = !n.member["vip"]; !n.member["vip"] {
			x.Kind = LeftInput
		}
		return x
	case 1:
		x.Kind, x.Name = CallInput, "hotline"
	case 2:
		x.Mode = profile.Backfill
	case 3:
		x.Time = now.Add(-time.Duration(r.IntN(8)) * time.Hour)
	}
	x.Brand = []string{"", "", "luna", "sol"}[r.IntN(4)]
	x.Props = profile.Values{"n": profile.Int(int64(r.IntN(5)))}
	for _, name := range []string{"k", "k2"} {
		if r.IntN(5) > 0 {
			x.Props[name] = profile.Text([]string{"x", "y"}[r.IntN(2)])
		}
	}
	if r.IntN(3) == 0 {
		x.Props["d"] = profile.Text(now.AddDate(0, 0, r.IntN(9)-4).Format(time.DateOnly))
	}
	return x
}

// told is a line of history as the naive interpreter writes it; "" for none.
func told(r *Record) string {
	at := r.At.Format("01-02 15:04 ") + r.Instance[:6] + " "
	switch {
	case r.Kind == MovedRecord && r.From == "":
		return at + "starts in " + r.To
	case r.Kind == MovedRecord && r.To == "":
		return at + r.From + " ends " + strings.SplitN(r.Cause, ":", 2)[0]
	case r.Kind == MovedRecord:
		return at + r.From + " → " + r.To
	case r.State == Confirmed:
		return at + r.Name + " done"
	case r.State == Suppressed:
		return at + r.Name + " dropped"
	}
	return ""
}
