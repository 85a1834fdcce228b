package journey

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/profile"
)

// naive interprets descriptions hour by hour, as plainly as it can be said: no due
// times, no compilation, no store, no outbox but a list. It shares nothing with the
// engine but the description, the hash of a split and the IDs of instances.
type naive struct {
	specs     []*spec // by name
	now       time.Time
	instances []*naiveInstance
	runs      map[string]int
	last      map[string]time.Time
	lines     []string
	outbox    []naiveEffect
	traits    map[string]profile.Value
	member    map[string]bool // of audiences, and what checks say
	in        naiveInput      // at hand; the zero input while time passes
}

type naiveInput struct {
	kind     InputKind
	name     string
	brand    string
	props    map[string]profile.Value
	at       time.Time // when it happened
	backfill bool
}

type naiveInstance struct {
	of                *spec
	id, key, state    string
	brand             string
	parent            *naiveInstance
	started, entered  time.Time
	tried             map[int]bool // waits of this visit
	fired             time.Time    // the last of them
	data              map[string]profile.Value
	active, closing   bool
	pending, seq, end int
	keyed, made       int // effects made in the step keyed
	outcome           string
	success, backfill bool
	withheld          []string // effects of the present step that follow from a backfill
}

type naiveEffect struct {
	key      string
	of       *naiveInstance
	a        actionSpec
	seq      int
	props    map[string]profile.Value
	backfill bool
}

func (n *naive) say(in *naiveInstance, format string, args ...any) {
	n.lines = append(n.lines, n.now.UTC().Format("01-02 15:04 ")+in.id[:6]+" "+fmt.Sprintf(format, args...))
}

func (s *spec) find(name string) *stateSpec {
	for i := range s.States {
		if s.States[i].Name == name {
			return &s.States[i]
		}
	}
	return nil
}

func (n *naive) value(f Field, in *naiveInstance) profile.Value {
	switch f.source {
	case fromProp:
		return n.in.props[f.name]
	case fromTrait:
		return n.traits[f.name]
	case fromConst:
		return f.value
	}
	return in.data[f.name]
}

// holds knows the conditions that the generator makes.
func (n *naive) holds(c *Cond, in *naiveInstance) bool {
	if c == nil {
		return true
	}
	switch c.op {
	case opAlways:
		return true
	case opNot:
		return !n.holds(&c.subs[0], in)
	case opAll:
		return n.holds(&c.subs[0], in) && n.holds(&c.subs[1], in)
	case opAny:
		return n.holds(&c.subs[0], in) || n.holds(&c.subs[1], in)
	case opIn, opFunc:
		return n.member[c.name]
	}
	v := n.value(c.field, in)
	switch c.op {
	case opExists:
		return !v.IsZero()
	case opOneOf, opIs:
		for _, w := range append(slices.Clone(c.list), c.value) {
			if text, ok := w.Text(); ok && v == profile.Text(text) {
				return true
			}
		}
		return false
	}
	have, ok := v.Int()
	want, _ := c.value.Int()
	return ok && have >= want
}

func (n *naive) allows(t *transitionSpec, in *naiveInstance) bool {
	if t.Trigger != nil {
		for i := range t.Trigger.Where {
			if !n.holds(&t.Trigger.Where[i], in) {
				return false
			}
		}
	}
	return n.holds(t.When, in) && n.holds(t.If, in)
}

// emit makes an effect with the next key of the step.
func (n *naive) emit(in *naiveInstance, a actionSpec, props map[string]profile.Value) {
	if in.keyed != in.seq {
		in.keyed, in.made = in.seq, 0
	}
	key := fmt.Sprintf("%s.%05d.%02d", in.id, in.seq, in.made)
	in.made++
	n.outbox = append(n.outbox, naiveEffect{key, in, a, in.seq, props, in.backfill})
}

func (n *naive) do(in *naiveInstance, list []actionSpec) {
	for _, a := range list {
		in.pending++
		props := map[string]profile.Value{}
		for name, f := range a.Args {
			if v := n.value(f, in); !v.IsZero() {
				props[name] = v
			}
		}
		n.emit(in, a, props)
		if in.backfill && a.Kind != StartEffect { // the place in the step is taken all the same
			n.outbox = n.outbox[:len(n.outbox)-1]
			n.say(in, "%s dropped", a.Name)
			in.withheld = append(in.withheld, a.Name)
		}
	}
}

// wake is what every step ends with: the instance hears of what is withheld.
func (n *naive) wake(in *naiveInstance) {
	list := in.withheld
	in.withheld = nil
	for _, name := range list {
		n.in = naiveInput{kind: FailedInput, name: name, backfill: true}
		n.hears(in)
	}
}

// hears is an instance learning how an effect ended.
func (n *naive) hears(in *naiveInstance) {
	in.pending--
	if !in.active && !in.closing {
		in.seq++
		return
	}
	if !n.hear(in, "") {
		in.seq++
	}
	n.close(in)
	n.wake(in)
}

// close ends an instance in a final state that waits for nothing more.
func (n *naive) close(in *naiveInstance) {
	if in.closing && in.pending == 0 {
		in.closing = false
		n.report(in)
	}
}

func (n *naive) report(in *naiveInstance) {
	if in.parent != nil {
		n.emit(in, actionSpec{Kind: ReturnEffect, Name: in.of.Name},
			map[string]profile.Value{"outcome": profile.Text(in.outcome), "success": profile.Flag(in.success)})
	}
}

// learn is what taking an edge does beside the edge.
func (n *naive) learn(in *naiveInstance) {
	switch n.in.kind {
	case TimerInput, DoneInput, FailedInput:
	default:
		in.backfill = n.in.backfill
	}
	for name, v := range n.in.props {
		if n.in.kind != ReturnedInput {
			in.data[name] = v
		}
	}
}

// arrive enters a state and goes on through all that take no time.
func (n *naive) arrive(in *naiveInstance, state string) {
	in.state, in.entered, in.tried, in.fired = state, n.now, map[int]bool{}, time.Time{}
	st := in.of.find(state)
	n.do(in, st.Enter)
	if st.Final {
		in.active, in.closing, in.outcome = false, true, state
		n.close(in)
		return
	}
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.When != nil && n.allows(t, in) {
			n.leave(in, st, t)
			return
		}
	}
	point, total := Draw(in.of.Name, state, "c"), 0
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

// over takes the first goal or exit that is reached.
func (n *naive) over(in *naiveInstance, key string) bool {
	for k, list := range [][]transitionSpec{in.of.Goals, in.of.Exits} {
		for i := range list {
			t := &list[i]
			if t.Trigger != nil && !n.fits(in, t.Trigger, key) || !n.allows(t, in) {
				continue
			}
			in.seq++
			n.learn(in)
			n.say(in, "%s ends %s", in.state, t.Name)
			if in.active {
				n.do(in, in.of.find(in.state).Leave)
			}
			in.end = in.seq
			n.do(in, t.Do)
			in.active, in.closing, in.outcome, in.success = false, false, t.Name, k == 0
			n.report(in)
			return true
		}
	}
	return false
}

// hear gives an open instance the input at hand; it reports whether it took it.
func (n *naive) hear(in *naiveInstance, key string) bool {
	if in.of.Brand != "" && n.in.brand != "" && in.of.Brand != n.in.brand {
		return false
	}
	if n.over(in, key) {
		return true
	}
	if !in.active {
		return false
	}
	st := in.of.find(in.state)
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.Trigger != nil && n.fits(in, t.Trigger, key) && n.allows(t, in) {
			in.seq++
			n.learn(in)
			n.leave(in, st, t)
			return true
		}
	}
	return n.awake(in, st)
}

// fits tells whether the input at hand is the trigger's, for this instance.
func (n *naive) fits(in *naiveInstance, t *triggerSpec, key string) bool {
	if InputKind(t.Kind) != n.in.kind || t.Name != n.in.name {
		return false
	}
	if in.of.Key == "" && t.KeyIn == "" || t.AnyKey || n.in.kind != EventInput && n.in.kind != CallInput {
		return true
	}
	v, ok := n.in.props[cmp.Or(t.KeyIn, in.of.Key)]
	if !ok {
		return n.in.kind == CallInput
	}
	text, _ := v.Text()
	return text == in.key
}

// awake looks at the conditions that any input may fulfil.
func (n *naive) awake(in *naiveInstance, st *stateSpec) bool {
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.When != nil && n.allows(t, in) {
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
	for in.active {
		n.in = naiveInput{}
		n.in.kind = TimerInput
		st := in.of.find(in.state)
		var waits []int
		for i := range st.Transitions {
			if w := st.Transitions[i].Wait; w != nil {
				at, ok := n.due(in, w)
				if ok && !n.now.Before(at) && (!in.tried[i] || at.After(in.fired)) {
					waits = append(waits, i)
				}
			}
		}
		if len(waits) == 0 {
			return
		}
		slices.SortStableFunc(waits, func(i, j int) int {
			a, _ := n.due(in, st.Transitions[i].Wait)
			b, _ := n.due(in, st.Transitions[j].Wait)
			return a.Compare(b)
		})
		moved := n.over(in, "")
		for _, i := range waits {
			if moved {
				break
			}
			at, _ := n.due(in, st.Transitions[i].Wait)
			in.tried[i], in.fired = true, later(in.fired, at)
			if t := &st.Transitions[i]; n.allows(t, in) {
				in.seq++
				n.learn(in)
				n.leave(in, st, t)
				moved = true
			}
		}
		if !moved && !n.awake(in, st) {
			in.seq++
		}
		n.wake(in)
	}
}

// due is when a wait is over; false for never.
func (n *naive) due(in *naiveInstance, w *waitSpec) (time.Time, bool) {
	zone, _ := time.LoadLocation(in.of.Zone)
	switch {
	case w.After > 0:
		return in.entered.Add(time.Duration(w.After)), true
	case w.Deadline > 0:
		return in.started.Add(time.Duration(w.Deadline)), true
	case w.Local != "":
		for d := -1; ; d++ {
			at := shows(in.entered, d, w.Local, zone)
			if at.After(in.entered) && (len(w.Days) == 0 || slices.Contains(w.Days, at.In(zone).Weekday())) {
				return at, true
			}
		}
	}
	text, ok := n.value(*w.Date, in).Text()
	if !ok {
		return time.Time{}, false
	}
	day, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return time.Time{}, false
	}
	days, clock := 0, "00:00"
	if w.Shift != nil {
		days, clock = w.Shift.Days, cmp.Or(w.Shift.Clock, clock)
	}
	if w.Shift == nil || !w.Shift.Yearly {
		return shows(day.Add(12*time.Hour), days, clock, zone), true
	}
	for year := day.Year(); ; year++ {
		if year < in.entered.Year()-1 {
			continue
		}
		same := time.Date(year, day.Month(), day.Day(), 12, 0, 0, 0, zone)
		for same.Month() != day.Month() { // 29 February
			same = same.AddDate(0, 0, -1)
		}
		if at := shows(same, days, clock, zone); at.After(in.entered) {
			return at, true
		}
	}
}

// shows is when the clocks first show a time, on the day so many after that of t;
// where they skip it, when they go on.
func shows(t time.Time, days int, clock string, zone *time.Location) time.Time {
	return firstShown(t, days, clock, zone, 30*time.Minute)
}

// firstShown looks at the clocks in steps.
func firstShown(t time.Time, days int, clock string, zone *time.Location, step time.Duration) time.Time {
	y, m, d := t.In(zone).Date()
	noon := time.Date(y, m, d+days, 12, 0, 0, 0, zone)
	for at := noon.Add(-14 * time.Hour); ; at = at.Add(step) {
		if local := at.In(zone); local.Day() == noon.Day() && local.Format("15:04") >= clock {
			return at
		}
	}
}

// happens is something that comes in from outside, or from another instance.
func (n *naive) happens(x naiveInput, to, by *naiveInstance) (started bool) {
	var open, moved []*naiveInstance
	for _, in := range n.instances {
		if (in.active || in.closing) && (to == nil || in == to) {
			open = append(open, in)
		}
	}
	for _, in := range open {
		n.clock(in)
		if !in.active && !in.closing {
			continue
		}
		n.in = x
		if n.hear(in, "") {
			moved = append(moved, in)
			n.wake(in)
		}
	}
	if to != nil {
		return false
	}
	for _, s := range n.specs {
		n.in = x
		started = n.admit(s, open, moved, by) || started
	}
	return started
}

// changes is a trait taking another value: who looks at it does so anew.
func (n *naive) changes(trait string) {
	for _, in := range slices.Clone(n.instances) {
		text, _ := json.Marshal(in.of)
		if !in.active && !in.closing || !strings.Contains(string(text), `{"trait":"`+trait+`"}`) {
			continue
		}
		n.clock(in)
		if in.active || in.closing {
			n.in = naiveInput{kind: ZoneInput}
			n.hear(in, "")
			n.wake(in)
		}
	}
}

// admit starts a journey if the input at hand may.
func (n *naive) admit(s *spec, open, moved []*naiveInstance, by *naiveInstance) bool {
	for i := range s.Entries {
		e := &s.Entries[i]
		if InputKind(e.Trigger.Kind) != n.in.kind || e.Trigger.Name != n.in.name || s.Brand != "" && n.in.brand != "" && s.Brand != n.in.brand {
			continue
		}
		key := ""
		if name := cmp.Or(e.Trigger.KeyIn, s.Key); name != "" && !e.Trigger.AnyKey {
			v, ok := n.in.props[name]
			if !ok && n.in.kind == EventInput {
				return false
			}
			key = v.String()
		}
		scope := s.Name + "\x00" + key
		if s.Reentry.PerCustomer {
			scope = s.Name + "\x00"
		}
		rule := s.Reentry.Rule
		switch {
		case n.in.at.Before(s.GoLive), s.MaxAge > 0 && !n.in.backfill && n.now.Sub(n.in.at) > time.Duration(s.MaxAge):
			return false
		case n.runs[scope] > 0 && (rule == Once || s.Reentry.Rest > 0 && n.now.Sub(n.last[scope]) < time.Duration(s.Reentry.Rest)):
			return false
		}
		var active []*naiveInstance
		for _, in := range open {
			if in.of != s || !s.Reentry.PerCustomer && in.key != key {
				continue
			}
			if rule != Always && slices.Contains(moved, in) {
				return false
			}
			if in.active || in.closing {
				active = append(active, in)
			}
		}
		if len(active) > 0 && rule != Restart && rule != Always {
			return false
		}
		in := &naiveInstance{of: s, key: key, parent: by, started: n.now, active: true, data: map[string]profile.Value{}, seq: 1, backfill: n.in.backfill, brand: cmp.Or(s.Brand, n.in.brand)}
		if !n.allows(e, in) {
			return false
		}
		in.id = InstanceID(s.Name, "c", key, n.runs[scope]+1, n.now)
		n.runs[scope]++
		n.last[scope] = n.now
		n.learn(in)
		n.say(in, "starts in %s", e.To)
		n.do(in, e.Do)
		n.arrive(in, e.To)
		n.instances = append(n.instances, in)
		n.wake(in)
		if rule == Restart {
			for _, old := range active {
				old.seq++
				old.end = old.seq
				old.active, old.closing, old.outcome = false, false, "restarted"
				backfill := old.backfill
				old.backfill = false // what a stopped journey tells is no part of a backfill
				n.report(old)
				old.backfill = backfill
			}
		}
		return true
	}
	return false
}

// settle lets the hour happen: waits first, then effects in the order of their keys.
// It is false where the hour does not end, because two journeys start each other.
func (n *naive) settle() bool {
	for range 300 {
		for _, in := range n.byID() {
			n.clock(in)
		}
		if len(n.outbox) == 0 {
			return true
		}
		slices.SortStableFunc(n.outbox, func(a, b naiveEffect) int {
			return cmp.Or(cmp.Compare(b.priority(), a.priority()), cmp.Compare(a.key, b.key))
		})
		e := n.outbox[0]
		n.outbox = n.outbox[1:]
		n.carry(&e)
	}
	return false
}

func (e *naiveEffect) priority() int {
	if e.a.Kind == ReturnEffect && e.of.outcome == "restarted" {
		return 0 // a farewell has none
	}
	return e.of.of.Priority
}

// carry carries an effect out, and tells its instance.
func (n *naive) carry(e *naiveEffect) {
	x := naiveInput{name: e.a.Name, props: e.props, at: n.now, backfill: e.backfill, brand: e.of.brand}
	done := true
	switch {
	case e.a.Kind == ReturnEffect:
		x.kind, x.brand = ReturnedInput, ""
		n.happens(x, e.of.parent, nil)
		n.say(e.of, "%s done", e.a.Name)
		return
	case e.a.Kind == StartEffect:
		x.kind = CallInput
		done = n.happens(x, nil, e.of)
	case e.a.Kind == MessageEffect && e.of.end > e.seq:
		done = false
		n.say(e.of, "%s dropped", e.a.Name)
	case e.a.Name == "refused":
		done = false
	}
	if done {
		n.say(e.of, "%s done", e.a.Name)
	}
	n.clock(e.of)
	n.in = naiveInput{kind: FailedInput, name: e.a.Name}
	if done {
		n.in.kind = DoneInput
	}
	n.hears(e.of)
}

func (n *naive) byID() []*naiveInstance {
	return slices.SortedFunc(slices.Values(n.instances), func(a, b *naiveInstance) int { return cmp.Compare(a.id, b.id) })
}
