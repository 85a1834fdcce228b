package journey

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// Lint is one finding of [Builder.Build].
type Lint struct {
	// Rule is the kind of finding: "unreachable", "dead end", "zero-time loop",
	// "no timeout", "no purpose", "unbound", "split", "overlap", "incomplete".
	Rule string
	// Place is where: "state waiting, transition 2 (after 2h)".
	Place string
	// Text says what is wrong, Remedy what to do about it.
	Text, Remedy string
}

func (l Lint) String() string {
	return fmt.Sprintf("%s: %s: %s; %s", l.Place, l.Rule, l.Text, l.Remedy)
}

// LintError is what Build returns for a description with findings. It matches
// [ErrDefinition].
type LintError struct {
	Journey string
	Lints   []Lint
}

func (e *LintError) Error() string {
	lines := make([]string, len(e.Lints))
	for i, l := range e.Lints {
		lines[i] = "\n  " + l.String()
	}
	return fmt.Sprintf("%v: %q has %s:%s", ErrDefinition, e.Journey, plural(len(lines), "finding", "findings"), strings.Join(lines, ""))
}

// Is makes the error match [ErrDefinition].
func (e *LintError) Is(target error) bool { return target == ErrDefinition }

// linter collects findings about one description.
type linter struct {
	s     *spec
	found []Lint
	index map[string]int
	does  map[EffectKind]map[string]bool // names of all that the journey may do
}

func lint(s *spec) []Lint {
	l := &linter{s: s, index: map[string]int{}, does: map[EffectKind]map[string]bool{}}
	l.names()
	l.head()
	for i := range s.States {
		l.index[s.States[i].Name] = i
	}
	l.entries()
	l.ends()
	for i := range s.States {
		l.state(&s.States[i])
	}
	if len(l.found) == 0 { // the graph is worth looking at only when it is whole
		l.reach()
		l.loops()
		l.eventless()
	}
	return l.found
}

func (l *linter) add(rule, place, text, remedy string) {
	l.found = append(l.found, Lint{rule, place, text, remedy})
}

func (l *linter) head() {
	s := l.s
	if s.Name == "" {
		l.add("incomplete", "journey", "it has no name", "give Define a name")
	}
	if _, err := time.LoadLocation(s.Zone); err != nil {
		l.add("incomplete", "journey", "its time zone is not known", "use an IANA name such as Asia/Shanghai")
	}
	if s.MaxAge < 0 || s.Reentry.Rest < 0 {
		l.add("incomplete", "journey", "a negative age or rest", "use a positive duration")
	}
	switch s.Reentry.Rule {
	case "", OneAtATime, Once, Restart, Always:
	default:
		l.add("unbound", "journey", fmt.Sprintf("re-entry rule %q does not exist", s.Reentry.Rule), "use one of one_at_a_time, once, restart, always")
	}
	if len(s.States) == 0 {
		l.add("incomplete", "journey", "it has no state", "declare one with State")
	}
	for _, sch := range s.Schedules {
		place := fmt.Sprintf("schedule %q", sch.Name)
		if sch.Name == "" || sch.Audience == "" {
			l.add("incomplete", place, "it has no name or no audience", "name both")
		}
		if wrong := sch.When.check(); wrong != "" {
			l.add("incomplete", place, wrong, "use Daily, Weekly, Monthly, Yearly or OnCalendar")
		}
	}
	if len(s.Entries) == 0 {
		l.add("incomplete", "journey", "nothing starts it", "add Enter")
	}
	seen := map[string]bool{}
	for _, st := range s.States {
		if st.Name == "" || seen[st.Name] {
			l.add("incomplete", fmt.Sprintf("state %q", st.Name), "its name is empty or used twice", "give every state a name of its own")
		}
		seen[st.Name] = true
	}
}

func (l *linter) entries() {
	for i := range l.s.Entries {
		e := &l.s.Entries[i]
		place := fmt.Sprintf("entry %d", i+1)
		if e.Trigger == nil || e.Wait != nil || e.When != nil || e.Share != 0 || e.Stay {
			l.add("incomplete", place, "it is not started by an input", "use Enter with a trigger")
			continue
		}
		switch InputKind(e.Trigger.Kind) {
		case EventInput, EnteredInput, LeftInput, TickInput, CallInput:
		default:
			l.add("incomplete", place, "an outcome cannot start a journey", "use an event, an audience, a schedule or a call")
		}
		l.trigger(place, e.Trigger)
		l.cond(place, e.If, false)
		l.do(place, e.Do)
		if e.To != "" {
			l.target(place, e.To)
		}
		for j := range i {
			if u := &l.s.Entries[j]; u.Trigger != nil && covers(u, e) {
				l.add("overlap", place, fmt.Sprintf("entry %d is always taken before it", j+1), "drop one, or give the earlier one a condition")
			}
		}
	}
}

func (l *linter) ends() {
	var earlier []*transitionSpec
	for k, list := range [][]transitionSpec{l.s.Goals, l.s.Exits} {
		for i := range list {
			e := &list[i]
			place := [...]string{"goal ", "exit "}[k] + e.Name
			if e.Name == "" {
				l.add("incomplete", place, "it has no name", "name it")
			}
			if (e.Trigger == nil) == (e.When == nil) || e.Wait != nil || e.Share != 0 || e.To != "" || e.Stay {
				l.add("incomplete", place, "exactly one of On and When must say what reaches it", "add On or When")
				continue
			}
			if e.Trigger != nil {
				l.trigger(place, e.Trigger)
			}
			l.cond(place, e.When, false)
			l.cond(place, e.If, false)
			l.do(place, e.Do)
			for _, u := range earlier {
				if covers(u, e) {
					l.add("overlap", place, fmt.Sprintf("%q is reached before it", u.Name), "drop one, or give the earlier one a condition")
				}
			}
			earlier = append(earlier, e)
		}
	}
}

func (l *linter) target(place, to string) {
	if _, ok := l.index[to]; !ok {
		l.add("unbound", place, fmt.Sprintf("state %q does not exist", to), "declare it with State, or End for a final one")
	}
}

// names collects what the journey may do.
func (l *linter) names() {
	do := func(list []actionSpec) {
		for _, a := range list {
			if l.does[a.Kind] == nil {
				l.does[a.Kind] = map[string]bool{}
			}
			l.does[a.Kind][a.Name] = true
		}
	}
	for _, list := range [][]transitionSpec{l.s.Entries, l.s.Goals, l.s.Exits} {
		for i := range list {
			do(list[i].Do)
		}
	}
	for i := range l.s.States {
		st := &l.s.States[i]
		do(st.Enter)
		do(st.Leave)
		for j := range st.Transitions {
			do(st.Transitions[j].Do)
		}
	}
}

func (l *linter) trigger(place string, t *triggerSpec) {
	kind := InputKind(t.Kind)
	switch {
	case t.Name == "":
		l.add("incomplete", place, "the trigger has no name", "name the event, audience, schedule or action")
	case kind == ReturnedInput && !l.does[StartEffect][t.Name]:
		l.add("unbound", place, fmt.Sprintf("this journey never starts %q", t.Name), "correct the name, or start it")
	case outcome(kind) && !slices.ContainsFunc(slices.Collect(maps.Values(l.does)), func(names map[string]bool) bool { return names[t.Name] }):
		l.add("unbound", place, fmt.Sprintf("no message or action of this journey is called %q", t.Name), "correct the name, or do it somewhere")
	}
	for i := range t.Where {
		l.cond(place, &t.Where[i], false)
	}
}

// cond checks a condition; timed ones have no event at hand.
func (l *linter) cond(place string, c *Cond, timed bool) {
	if c == nil {
		return
	}
	if err := c.check(); err != nil {
		l.add("incomplete", place, err.Error(), "complete the condition")
		return
	}
	c.walk(func(c *Cond) { l.field(place, c.field, timed) })
}

func (l *linter) field(place string, f Field, timed bool) {
	if timed && f.source == fromProp {
		l.add("unbound", place, fmt.Sprintf("no event is at hand for %s when time passes", f), fmt.Sprintf("use Data(%q)", f.name))
	}
	if f.source != 0 && f.source != fromConst && f.name == "" {
		l.add("incomplete", place, "a field has no name", "name it")
	}
}

func (l *linter) do(place string, list []actionSpec) {
	for _, a := range list {
		where := fmt.Sprintf("%s, %s %q", place, a.Kind, a.Name)
		if !a.Kind.known() {
			l.add("unbound", where, "this kind of action does not exist", "use one of the kinds of effect")
		}
		if a.Name == "" {
			l.add("incomplete", where, "it has no name", "name the template or action")
		}
		if a.Within < 0 {
			l.add("incomplete", where, "a negative time", "use a positive duration")
		}
		for name, f := range a.Args {
			if f.source == 0 || f.source == fromConst && f.value.IsZero() || name == "" {
				l.add("unbound", where, fmt.Sprintf("%q is bound to nothing", name), "bind it to a property, remembered value, trait or constant")
			}
		}
		if a.Kind != MessageEffect {
			continue
		}
		if a.Purpose == "" {
			l.add("no purpose", where, "consent cannot be asked for", "set Purpose")
		}
		if len(a.Channels) == 0 {
			l.add("incomplete", where, "it has no channel", "set Channels, the preferred one first")
		}
	}
}

func (l *linter) state(st *stateSpec) {
	place := "state " + st.Name
	l.do(place+", on entering", st.Enter)
	l.do(place+", on leaving", st.Leave)
	if st.Final {
		if len(st.Transitions) > 0 || len(st.Leave) > 0 {
			l.add("unreachable", place, "nothing leads out of a final state", "drop Final or what comes after it")
		}
		return
	}
	if len(st.Transitions) == 0 {
		l.add("dead end", place, "nothing leads out", "add a transition, or Final")
		return
	}
	shares, whens, waits, sum, immediate := 0, 0, 0, 0, false
	for i := range st.Transitions {
		t := &st.Transitions[i]
		at := fmt.Sprintf("%s, transition %d", place, i+1)
		l.transition(at, t)
		switch {
		case t.Share != 0:
			shares++
			sum += t.Share
		case t.When != nil:
			whens++
			immediate = immediate || t.When.op == opAlways && t.If == nil
		case t.Wait != nil && t.If == nil && !t.Stay && (t.Wait.Date == nil || t.Wait.Date.source == fromConst): // another date may be missing
			waits++
		}
	}
	others := len(st.Transitions) - shares - whens
	if timed := slices.DeleteFunc(slices.Clone(st.Transitions), func(t transitionSpec) bool { return t.Wait == nil }); len(timed) > maxWaits {
		l.add("incomplete", place, fmt.Sprintf("%d waits", len(timed)), fmt.Sprintf("use at most %d, or several states", maxWaits))
	}
	switch {
	case shares > 0 && sum != 100:
		l.add("split", place, fmt.Sprintf("the shares add up to %d", sum), "make them add up to 100")
	case (shares > 0 || immediate) && others > 0:
		l.add("unreachable", place, "it is left at once, so that nothing waits here", "move the waits and inputs to the states behind it")
	case shares > 0 && immediate:
		l.add("unreachable", place, "Otherwise leaves nothing to the shares", "drop one of the two")
	case shares == 0 && !immediate && waits == 0 && !st.Patient:
		l.add("no timeout", place, "an instance may wait here for ever", "add After, AtLocal or OnDeadline without a condition, or Patient")
	}
	l.overlaps(place, st)
	l.echoes(place, st)
}

func (l *linter) transition(place string, t *transitionSpec) {
	n := 0
	for _, set := range []bool{t.Trigger != nil, t.Wait != nil, t.When != nil, t.Share != 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		l.add("incomplete", place, "exactly one thing must take it", "use one of On, After, AtLocal, OnDate, OnDeadline, When, Share")
		return
	}
	if (t.To == "") == !t.Stay {
		l.add("incomplete", place, "it leads nowhere", "finish it with To, Stay or End")
	} else if !t.Stay {
		l.target(place, t.To)
	}
	if t.Stay && (t.When != nil || t.Share != 0) {
		l.add("zero-time loop", place, "it would be taken again at once", "use On or a wait with Stay")
	}
	if t.Share < 0 || t.Share > 100 {
		l.add("split", place, "a share is a percentage from 1 to 100", "correct it")
	}
	if t.Trigger != nil {
		l.trigger(place, t.Trigger)
	}
	l.cond(place, t.When, false)
	l.cond(place, t.If, t.Wait != nil)
	l.do(place, t.Do)
	if t.Wait != nil {
		l.wait(place, t)
	}
}

func (l *linter) wait(place string, t *transitionSpec) {
	w := t.Wait
	n := 0
	for _, set := range []bool{w.After != 0, w.Local != "", w.Date != nil, w.Deadline != 0} {
		if set {
			n++
		}
	}
	if n != 1 || w.After < 0 || w.Deadline < 0 {
		l.add("zero-time loop", place, "no time passes", "wait for a positive duration, or use Otherwise")
		return
	}
	if w.Local != "" {
		if _, err := localtime.Parse(w.Local); err != nil {
			l.add("incomplete", place, err.Error(), "write it as 09:00")
		}
		for _, d := range w.Days {
			if d < time.Sunday || d > time.Saturday {
				l.add("incomplete", place, "there is no such weekday", "use time.Monday and so on")
			}
		}
	}
	if w.Date != nil {
		l.field(place, *w.Date, true)
		if sh := w.Shift; sh != nil && (sh.Days > maxShift || sh.Days < -maxShift || sh.Plus > maxShift*24*localtime.Duration(time.Hour) || sh.Plus < -maxShift*24*localtime.Duration(time.Hour)) {
			l.add("incomplete", place, "the date is moved by more than ten years", "move it by less")
		}
		if w.Shift != nil && w.Shift.Yearly && w.Shift.Calendar != "" {
			l.add("incomplete", place, "an anniversary and a calendar", "use one of the two")
		}
		if w.Shift != nil && w.Shift.Clock != "" {
			if _, err := localtime.Parse(w.Shift.Clock); err != nil {
				l.add("incomplete", place, err.Error(), "write it as 10:00")
			}
		}
	}
	for _, a := range t.Do {
		for _, f := range a.Args {
			l.field(place, f, true)
		}
	}
}

// maxWaits bounds the waits of a state: an instance has a bit for each.
const maxWaits = 60

// maxShift bounds the days by which a date may be moved.
const maxShift = 3660

// echoes finds outcomes that a state answers with the same action again, without
// leaving.
func (l *linter) echoes(place string, st *stateSpec) {
	answers := map[string][]string{}
	for i := range st.Transitions {
		if t := &st.Transitions[i]; t.Stay && t.Trigger != nil && outcome(InputKind(t.Trigger.Kind)) {
			for _, a := range t.Do {
				answers[t.Trigger.Name] = append(answers[t.Trigger.Name], a.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		seen, todo := map[string]bool{}, answers[name]
		for len(todo) > 0 {
			next := todo[0]
			if todo = todo[1:]; next == name {
				l.add("zero-time loop", place, fmt.Sprintf("the outcome of %q does it again at once", name), "lead to a state that waits")
				break
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, answers[next]...)
			}
		}
	}
}

// reach finds states that no entry leads to.
func (l *linter) reach() {
	seen := make([]bool, len(l.s.States))
	var todo []int
	visit := func(i int) {
		if !seen[i] {
			seen[i] = true
			todo = append(todo, i)
		}
	}
	for _, e := range l.s.Entries {
		visit(l.index[e.To]) // an entry without a target leads to the first state, index 0
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, t := range l.s.States[i].Transitions {
			if !t.Stay {
				visit(l.index[t.To])
			}
		}
	}
	for i, ok := range seen {
		if !ok {
			l.add("unreachable", "state "+l.s.States[i].Name, "nothing leads here", "lead to it or drop it")
		}
	}
}

// loops finds circles in which no time need pass: of When, Otherwise and Share,
// of dates and deadlines, which stay over once they are, and of outcomes, which may
// come at once.
func (l *linter) loops() {
	const (
		fresh = iota
		open
		done
	)
	mark := make([]int, len(l.s.States))
	var path []string
	var visit func(i int)
	visit = func(i int) {
		mark[i] = open
		path = append(path, l.s.States[i].Name)
		for _, t := range l.s.States[i].Transitions {
			if t.Stay || t.Trigger != nil && !outcome(InputKind(t.Trigger.Kind)) || t.Wait != nil && (t.Wait.After > 0 || t.Wait.Local != "" || t.Wait.Shift != nil && (t.Wait.Shift.Yearly || t.Wait.Shift.Calendar != "")) {
				continue
			}
			switch j := l.index[t.To]; mark[j] {
			case fresh:
				visit(j)
			case open:
				l.add("zero-time loop", "state "+t.To, "no time need pass on the way "+strings.Join(path, " → ")+" → "+t.To, "put a wait into the circle")
			}
		}
		path = path[:len(path)-1]
		mark[i] = done
	}
	for i := range mark {
		if mark[i] == fresh {
			visit(i)
		}
	}
}
