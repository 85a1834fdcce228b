package journey

import (
	"context"
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

// naive interprets a description hour by hour, as plainly as it can be said:
// no due times, no compilation, no store. It shares nothing with the engine but
// the description and the IDs of instances.
type naive struct {
	s         *spec
	now       time.Time
	instances []*naiveInstance
	runs      map[string]int
	last      map[string]time.Time
	lines     []string
	outbox    []naiveEffect
	props     map[string]profile.Value // of the event at hand
}

type naiveInstance struct {
	id, key, state    string
	started, entered  time.Time
	tried             map[int]bool // waits of this visit
	data              map[string]profile.Value
	active, closing   bool
	pending, seq, end int
}

type naiveEffect struct {
	key, name string
	of        *naiveInstance
	seq       int
	message   bool
}

func (n *naive) say(in *naiveInstance, format string, args ...any) {
	n.lines = append(n.lines, n.now.Format("01-02 15:04 ")+in.id[:6]+" "+fmt.Sprintf(format, args...))
}

func (n *naive) find(name string) *stateSpec {
	for i := range n.s.States {
		if n.s.States[i].Name == name {
			return &n.s.States[i]
		}
	}
	return nil
}

// holds knows the conditions that the generator makes.
func (n *naive) holds(c *Cond, in *naiveInstance) bool {
	if c == nil || c.op == opAlways {
		return true
	}
	if c.op == opNot {
		return !n.holds(&c.subs[0], in)
	}
	v := in.data[c.field.name]
	if c.field.source == fromProp {
		v = n.props[c.field.name]
	}
	have, ok := v.Int()
	want, _ := c.value.Int()
	return ok && have >= want
}

func (n *naive) do(in *naiveInstance, list []actionSpec) {
	for _, a := range list {
		key := fmt.Sprintf("%s.%05d.%02d", in.id, in.seq, in.made(n))
		n.outbox = append(n.outbox, naiveEffect{key, a.Name, in, in.seq, a.Kind == MessageEffect})
		in.pending++
	}
}

// made is the number of effects of the present step so far.
func (in *naiveInstance) made(n *naive) int {
	made := 0
	for _, e := range n.outbox {
		if e.of == in && e.seq == in.seq {
			made++
		}
	}
	return made
}

func (n *naive) learn(in *naiveInstance) {
	for name, v := range n.props {
		if name == "n" {
			in.data[name] = v
		}
	}
}

// arrive enters a state and goes on through all that take no time.
func (n *naive) arrive(in *naiveInstance, state string) {
	in.state, in.entered, in.tried = state, n.now, map[int]bool{}
	st := n.find(state)
	n.do(in, st.Enter)
	if st.Final {
		if in.active = false; in.pending > 0 {
			in.closing = true
		}
		return
	}
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.When != nil && n.holds(t.When, in) && n.holds(t.If, in) {
			n.leave(in, st, t)
			return
		}
	}
	point, total := Draw(n.s.Name, state, "c"), 0
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.Share > 0 {
			if total += t.Share * 100; point < total {
				n.leave(in, st, t)
				return
			}
		}
	}
}

// leave follows a transition out of a state.
func (n *naive) leave(in *naiveInstance, st *stateSpec, t *transitionSpec) {
	if t.Stay {
		n.say(in, "%s → %s", in.state, in.state)
		n.do(in, t.Do)
		return
	}
	n.say(in, "%s → %s", in.state, t.To)
	n.do(in, st.Leave)
	n.do(in, t.Do)
	n.arrive(in, t.To)
}

// hear gives an instance an input; it reports whether the instance took it.
func (n *naive) hear(in *naiveInstance, kind InputKind, name, key string) bool {
	for _, list := range [][]transitionSpec{n.s.Goals, n.s.Exits} {
		for i := range list {
			t := &list[i]
			if (in.active || in.closing) && n.fits(in, t, kind, name, key) && n.holds(t.If, in) {
				in.seq++
				n.learn(in)
				n.say(in, "%s ends %s", in.state, t.Name)
				if in.active {
					n.do(in, n.find(in.state).Leave)
				}
				in.end = in.seq
				n.do(in, t.Do)
				in.active, in.closing = false, false
				return true
			}
		}
	}
	if !in.active {
		return false
	}
	st := n.find(in.state)
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.Trigger != nil && n.fits(in, t, kind, name, key) && n.holds(t.If, in) {
			in.seq++
			n.learn(in)
			n.leave(in, st, t)
			return true
		}
	}
	return n.awake(in, st)
}

func (n *naive) fits(in *naiveInstance, t *transitionSpec, kind InputKind, name, key string) bool {
	return InputKind(t.Trigger.Kind) == kind && t.Trigger.Name == name &&
		(kind != EventInput || n.s.Key == "" || t.Trigger.AnyKey || key == in.key)
}

// awake looks at the conditions that any input may fulfil.
func (n *naive) awake(in *naiveInstance, st *stateSpec) bool {
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.When != nil && n.holds(t.When, in) && n.holds(t.If, in) {
			in.seq++
			n.learn(in)
			n.leave(in, st, t)
			return true
		}
	}
	return false
}

// clock tries the waits that are over, until nothing moves.
func (n *naive) clock(in *naiveInstance) {
	n.props = nil
	for again := true; again && in.active; {
		again = false
		st := n.find(in.state)
		waits := []int{}
		for i := range st.Transitions {
			if w := st.Transitions[i].Wait; w != nil && !in.tried[i] && !n.now.Before(n.over(in, w)) {
				waits = append(waits, i)
			}
		}
		slices.SortStableFunc(waits, func(i, j int) int {
			return n.over(in, st.Transitions[i].Wait).Compare(n.over(in, st.Transitions[j].Wait))
		})
		for _, i := range waits {
			t := &st.Transitions[i]
			in.tried[i], again = true, true
			if n.holds(t.If, in) {
				in.seq++
				n.leave(in, st, t)
			} else {
				if !n.awake(in, st) {
					in.seq++
				}
			}
			break
		}
	}
}

func (n *naive) over(in *naiveInstance, w *waitSpec) time.Time {
	switch {
	case w.After > 0:
		return in.entered.Add(time.Duration(w.After))
	case w.Deadline > 0:
		return in.started.Add(time.Duration(w.Deadline))
	}
	var h int
	_, _ = fmt.Sscanf(w.Local, "%d:00", &h)
	at := time.Date(in.entered.Year(), in.entered.Month(), in.entered.Day(), h, 0, 0, 0, time.UTC)
	for !at.After(in.entered) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// event is something that the customer does.
func (n *naive) event(name, key string, props map[string]profile.Value) {
	var open, moved []*naiveInstance
	for _, in := range n.instances {
		if in.active || in.closing {
			open = append(open, in)
		}
	}
	for _, in := range open {
		n.clock(in)
		n.props = props
		if n.hear(in, EventInput, name, key) {
			moved = append(moved, in)
		}
	}
	n.props = props
	for i := range n.s.Entries {
		e := &n.s.Entries[i]
		if e.Trigger.Name != name {
			continue
		}
		entryKey := ""
		if n.s.Key != "" && !e.Trigger.AnyKey {
			entryKey = key
		}
		scope := entryKey
		if n.s.Reentry.PerCustomer {
			scope = ""
		}
		rule := n.s.Reentry.Rule
		if n.runs[scope] > 0 && (rule == Once || n.now.Sub(n.last[scope]) < time.Duration(n.s.Reentry.Rest)) {
			return
		}
		var active []*naiveInstance
		for _, in := range open {
			if !n.s.Reentry.PerCustomer && in.key != scope {
				continue
			}
			if rule != Always && slices.Contains(moved, in) {
				return
			}
			if in.active || in.closing {
				active = append(active, in)
			}
		}
		if len(active) > 0 && rule != Restart && rule != Always {
			return
		}
		in := &naiveInstance{key: entryKey, started: n.now, active: true, data: map[string]profile.Value{}, seq: 1}
		if !n.holds(e.If, in) {
			return
		}
		in.id = InstanceID(n.s.Name, "c", entryKey, n.runs[scope]+1)
		n.runs[scope]++
		n.last[scope] = n.now
		n.learn(in)
		n.say(in, "starts in %s", e.To)
		n.do(in, e.Do)
		n.arrive(in, e.To)
		n.instances = append(n.instances, in)
		if rule == Restart {
			for _, old := range active {
				old.seq++
				old.end = old.seq
				old.active, old.closing = false, false
			}
		}
		return
	}
}

// settle lets the hour happen: waits first, then effects in the order of their keys.
func (n *naive) settle() {
	for range 10_000 {
		for _, in := range n.byID() {
			n.clock(in)
		}
		if len(n.outbox) == 0 {
			return
		}
		slices.SortFunc(n.outbox, func(a, b naiveEffect) int { return strings.Compare(a.key, b.key) })
		e := n.outbox[0]
		n.outbox = n.outbox[1:]
		n.props = nil
		kind := DoneInput
		if e.message && e.of.end > e.seq {
			n.say(e.of, "%s dropped", e.name)
			kind = FailedInput
		} else {
			n.say(e.of, "%s done", e.name)
		}
		e.of.pending--
		if e.of.active || e.of.closing {
			if !n.hear(e.of, kind, e.name, "") {
				e.of.seq++
			}
			if e.of.closing && e.of.pending == 0 {
				e.of.closing = false
			}
		} else {
			e.of.seq++
		}
	}
}

func (n *naive) byID() []*naiveInstance {
	return slices.SortedFunc(slices.Values(n.instances), func(a, b *naiveInstance) int { return strings.Compare(a.id, b.id) })
}

// randomSpec makes a description of up to six states that passes the lints.
func randomSpec(r *rand.Rand) *spec {
	for {
		b := Define("j")
		if r.IntN(2) == 0 {
			b.Key("k")
		}
		b.Reentry(Reentry{Rule: []ReentryRule{"", OneAtATime, Once, Restart, Always}[r.IntN(5)], PerCustomer: r.IntN(3) == 0})
		if r.IntN(3) == 0 {
			b.spec.Reentry.Rest = Once.Resting(time.Duration(1+r.IntN(40)) * time.Hour).Rest
		}
		events := []string{"a", "b", "c", "d"}
		states := []string{"s0", "s1", "s2", "s3", "s4", "s5"}[:2+r.IntN(5)]
		event := func() Trigger {
			t := Event(events[r.IntN(len(events))])
			if r.IntN(4) == 0 {
				t = t.AnyKey()
			}
			return t
		}
		cond := func(f func(string) Field) Cond {
			c := f("n").AtLeast(int64(r.IntN(4)))
			if r.IntN(3) == 0 {
				return Not(c)
			}
			return c
		}
		acts := func() []Action {
			var out []Action
			for range r.IntN(2) {
				if r.IntN(2) == 0 {
					out = append(out, Do("act"+string(rune('0'+r.IntN(2))), nil))
				} else {
					out = append(out, Send(Message{Template: "msg", Purpose: contact.Transactional, Channels: []string{"sms"}}))
				}
			}
			return out
		}
		e := b.Enter(event())
		if r.IntN(3) == 0 {
			e.If(cond(Prop))
		}
		e.To("s0")
		if r.IntN(2) == 0 {
			g := b.Goal("goal").On(event()).Do(acts()...)
			if r.IntN(2) == 0 {
				g.If(cond(Prop))
			}
		}
		if r.IntN(3) == 0 {
			b.Exit("exit").On(event())
		}
		for i, name := range states {
			st := b.State(name).Patient().Do(acts()...)
			if i > 0 && r.IntN(4) == 0 {
				st.Final()
				continue
			}
			st.OnLeave(acts()...)
			if r.IntN(5) == 0 {
				st.Share(30).To(states[r.IntN(len(states))])
				st.Share(70).To(states[r.IntN(len(states))])
				continue
			}
			for range 1 + r.IntN(4) {
				var t *TransitionBuilder
				switch r.IntN(9) {
				case 0, 1, 2:
					t = st.On(event())
				case 3, 4:
					t = st.After(time.Duration(1+r.IntN(30)) * time.Hour)
				case 5:
					t = st.AtLocal(fmt.Sprintf("%02d:00", r.IntN(24)))
				case 6:
					t = st.OnDeadline(time.Duration(1+r.IntN(90)) * time.Hour)
				case 7:
					t = st.When(cond(Data))
				default:
					t = st.On(Done("act0"))
				}
				w := t.edge()
				if r.IntN(3) == 0 {
					t.If(cond(Data))
				}
				t.Do(acts()...)
				if w.When == nil && r.IntN(4) == 0 {
					t.Stay()
				} else {
					t.To(states[r.IntN(len(states))])
				}
			}
		}
		if len(lint(&b.spec)) == 0 {
			return &b.spec
		}
	}
}

// A random journey and random inputs: the engine, the walk of the simulation and
// the naive interpreter tell the same story.
func TestEngineEqualsTheNaiveInterpreter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	runs, moved := 300, 0
	if testing.Short() {
		runs = 100
	}
	for i := range runs {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s := randomSpec(r)
		lines := story(t, r, s, fmt.Sprintf("seed %d, run %d", seed, i))
		moved += lines
	}
	t.Logf("%d journeys, %d lines", runs, moved)
}

func story(t *testing.T, r *rand.Rand, s *spec, name string) int {
	ctx := context.Background()
	d, err := compile(*s)
	require.NoError(t, err)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	start := now
	port := Port{HonorsKeys: true, Handle: func(context.Context, Dispatch) Answer { return Confirm("") }}
	e, err := New(Config{
		Now: func() time.Time { return now }, Batch: 1,
		Channels: map[string]Port{"sms": port}, Actions: map[Binding]Port{{Kind: CustomEffect}: port},
	})
	require.NoError(t, err)
	require.NoError(t, e.Deploy(ctx, d))
	sim, err := NewSimulator(Simulation{Journeys: []Source{d}})
	require.NoError(t, err)
	walk := sim.Walk("c", now)
	var walked []string
	walk.Listen(func(r Record) {
		if line := told(&r); line != "" {
			walked = append(walked, line)
		}
	})
	n := &naive{s: &d.spec, runs: map[string]int{}, last: map[string]time.Time{}}
	id := 0
	for now.Before(start.Add(200 * time.Hour)) {
		n.now = now
		n.settle()
		_, err := e.RunDue(ctx, now)
		require.NoError(t, err, name)
		require.NoError(t, walk.Advance(ctx, now), name)
		for range r.IntN(3) {
			if r.IntN(4) > 0 {
				continue
			}
			id++
			x := Input{
				ID: fmt.Sprint(id), Name: []string{"a", "b", "c", "d"}[r.IntN(4)], Customer: "c", Time: now,
				Props: profile.Values{"k": profile.Text([]string{"x", "y"}[r.IntN(2)]), "n": profile.Int(int64(r.IntN(5)))},
			}
			key, _ := x.Props["k"].Text()
			n.event(x.Name, key, x.Props)
			n.settle()
			_, err := e.Ingest(ctx, x)
			require.NoError(t, err, name)
			_, err = e.RunDue(ctx, now)
			require.NoError(t, err, name)
			require.NoError(t, walk.Ingest(ctx, x), name)
			require.NoError(t, walk.Advance(ctx, now), name)
		}
		now = now.Add(time.Hour)
	}
	var got []string
	for rec, err := range e.History(ctx, Filter{}) {
		require.NoError(t, err)
		if line := told(&rec); line != "" {
			got = append(got, line)
		}
	}
	require.Equal(t, got, walked, "%s: the walk differs", name)
	slices.Sort(got)
	slices.Sort(n.lines)
	if !slices.Equal(n.lines, got) {
		text, _ := d.MarshalJSON()
		i := 0
		for i < len(got) && i < len(n.lines) && got[i] == n.lines[i] {
			i++
		}
		t.Fatalf("%s: line %d\nnaive  %s\nengine %s\n%s", name, i, strings.Join(n.lines[max(0, i-3):min(len(n.lines), i+3)], "\n       "),
			strings.Join(got[max(0, i-3):min(len(got), i+3)], "\n       "), text)
	}
	return len(got)
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
