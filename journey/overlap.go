package journey

import (
	"fmt"
	"reflect"
	"slices"
)

// overlaps finds transitions that are never taken because another one always is.
func (l *linter) overlaps(place string, st *stateSpec) {
	for i := range st.Transitions {
		t := &st.Transitions[i]
		at := fmt.Sprintf("%s, transition %d", place, i+1)
		for j := range st.Transitions {
			u := &st.Transitions[j]
			if j < i && covers(u, t) || j != i && sooner(u, t) {
				l.add("overlap", at, fmt.Sprintf("transition %d is always taken before it", j+1), "drop one, or give the earlier one a condition")
			}
		}
		for _, ends := range [][]transitionSpec{l.s.Goals, l.s.Exits} {
			for j := range ends {
				if u := &ends[j]; t.Trigger != nil && u.Trigger != nil && covers(u, t) {
					l.add("overlap", at, fmt.Sprintf("%q is reached before it", u.Name), "drop it, or give the goal or exit a condition")
				}
			}
		}
	}
}

// covers reports whether u, tried first, is always taken where t would be.
func covers(u, t *transitionSpec) bool {
	if !contains(conditions(t), conditions(u)) {
		return false
	}
	switch {
	case u.Trigger != nil && t.Trigger != nil:
		a, b := u.Trigger, t.Trigger
		return a.Kind == b.Kind && a.Name == b.Name && (a.AnyKey || !b.AnyKey && a.KeyIn == b.KeyIn)
	case u.Wait != nil && t.Wait != nil && !u.Stay: // after a wait that stays, the next is tried
		a, b := u.Wait, t.Wait
		return a.After == b.After && a.Deadline == b.Deadline && a.Local == b.Local && reflect.DeepEqual(a.Date, b.Date) && reflect.DeepEqual(a.Shift, b.Shift) &&
			(len(a.Days) == 0 || len(b.Days) > 0 && contains(a.Days, b.Days))
	}
	return u.When != nil && t.When != nil
}

// sooner reports whether u is over before t whenever the state is entered.
func sooner(u, t *transitionSpec) bool {
	if u.Wait == nil || t.Wait == nil || u.Stay || u.If != nil {
		return false
	}
	return u.Wait.After > 0 && u.Wait.After < t.Wait.After || u.Wait.Deadline > 0 && u.Wait.Deadline < t.Wait.Deadline
}

// conditions are all that must hold for the transition, beside what takes it.
func conditions(t *transitionSpec) []Cond {
	var out []Cond
	var add func(c Cond)
	add = func(c Cond) {
		switch c.op {
		case opAlways:
		case opAll:
			for _, sub := range c.subs {
				add(sub)
			}
		default:
			out = append(out, c)
		}
	}
	if t.Trigger != nil {
		for _, c := range t.Trigger.Where {
			add(c)
		}
	}
	for _, c := range []*Cond{t.When, t.If} {
		if c != nil {
			add(*c)
		}
	}
	return out
}

// contains reports whether every part is in the whole.
func contains[T any](whole, parts []T) bool {
	for _, p := range parts {
		if !slices.ContainsFunc(whole, func(w T) bool { return reflect.DeepEqual(w, p) }) {
			return false
		}
	}
	return true
}

// eventless finds values of an event that are wanted where none is at hand: on
// ways that time or an outcome takes, and those that follow at once.
func (l *linter) eventless() {
	led := make([]bool, len(l.s.States))
	var todo []int
	visit := func(t *transitionSpec) {
		if i := l.index[t.To]; !t.Stay && !led[i] {
			led[i] = true
			todo = append(todo, i)
		}
	}
	check := func(place, when string, list []actionSpec) {
		for _, a := range list {
			for _, f := range a.Args {
				if f.source == fromProp {
					l.add("unbound", fmt.Sprintf("%s, %s %q", place, a.Kind, a.Name), fmt.Sprintf("no event is at hand for %s when time %s", f, when), fmt.Sprintf("use Data(%q)", f.name))
				}
			}
		}
	}
	for i := range l.s.States {
		st := &l.s.States[i]
		leaves := false
		for j := range st.Transitions {
			t := &st.Transitions[j]
			if t.Wait == nil && (t.Trigger == nil || !outcome(InputKind(t.Trigger.Kind))) {
				continue
			}
			leaves = leaves || !t.Stay
			if t.Trigger != nil {
				check(fmt.Sprintf("state %s, transition %d", st.Name, j+1), "passes", t.Do)
			}
			visit(t)
		}
		if leaves {
			check("state "+st.Name+", on leaving", "leads out", st.Leave)
		}
	}
	for len(todo) > 0 {
		st := &l.s.States[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		check("state "+st.Name+", on entering", "leads here", st.Enter)
		for j := range st.Transitions {
			if t := &st.Transitions[j]; t.When != nil || t.Share > 0 {
				check(fmt.Sprintf("state %s, transition %d", st.Name, j+1), "leads here", t.Do)
				visit(t)
			}
		}
	}
}
