package journey

import (
	"cmp"
	"maps"
	"slices"
)

// Needs names the facts that a step may ask for, sorted.
type Needs struct {
	Traits    []string
	Audiences []string
	Checks    []string
}

// None reports whether no fact is needed.
func (n *Needs) None() bool { return len(n.Traits)+len(n.Audiences)+len(n.Checks) == 0 }

// Needs names the facts that a step of the instance may ask for: those of its
// state, of the states behind it that take no time, and of goals and exits. For
// an instance that has not started they are those of the entries.
func (d *Definition) Needs(in *Instance) *Needs {
	if i := d.stateOf(in); i >= 0 {
		return &d.states[i].needs
	}
	return &d.entryNeeds
}

// needSet collects names of facts.
type needSet struct{ traits, audiences, checks map[string]bool }

func newNeedSet() needSet {
	return needSet{map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

func (n needSet) cond(c *Cond) {
	if c == nil {
		return
	}
	c.walk(func(c *Cond) {
		switch c.op {
		case opIn:
			n.audiences[c.name] = true
		case opFunc:
			n.checks[c.name] = true
		default:
			n.field(c.field)
		}
	})
}

func (n needSet) field(f Field) {
	if f.source == fromTrait {
		n.traits[f.name] = true
	}
}

func (n needSet) do(list []action) {
	for _, a := range list {
		for _, g := range a.args {
			n.field(g.field)
		}
	}
}

// edge adds what trying and taking the edge asks for; visited are the states
// entered on the way.
func (n needSet) edge(d *Definition, e *edge, visited map[int]bool) {
	n.cond(e.cond)
	n.cond(e.spec.When)
	if e.trigger != nil {
		for i := range e.trigger.Where {
			n.cond(&e.trigger.Where[i])
		}
	}
	n.field(e.wait.field)
	n.do(e.do)
	if e.to >= 0 {
		n.enter(d, e.to, visited)
	}
}

func (n needSet) enter(d *Definition, i int, visited map[int]bool) {
	if visited[i] {
		return
	}
	visited[i] = true
	s := &d.states[i]
	n.do(s.enter)
	n.do(s.leave)
	for j := range s.waits {
		n.field(s.waits[j].wait.field)
	}
	for _, list := range [][]edge{s.whens, s.shares} {
		for j := range list {
			n.edge(d, &list[j], visited)
		}
	}
}

func (n needSet) sorted() Needs {
	return Needs{slices.Sorted(maps.Keys(n.traits)), slices.Sorted(maps.Keys(n.audiences)), slices.Sorted(maps.Keys(n.checks))}
}

func (d *Definition) findNeeds() {
	for i := range d.states {
		s := &d.states[i]
		n, visited := newNeedSet(), map[int]bool{}
		n.do(s.leave)
		for _, list := range [][]edge{d.ends, s.inputs, s.waits, s.whens, s.shares} {
			for j := range list {
				n.edge(d, &list[j], visited)
			}
		}
		s.needs = n.sorted()
	}
	n, visited := newNeedSet(), map[int]bool{}
	for i := range d.entries {
		n.edge(d, &d.entries[i], visited)
	}
	d.entryNeeds = n.sorted()
}

// Uses names everything outside of it that the definition refers to, sorted.
type Uses struct {
	Channels  []string
	Templates []string
	Actions   []Binding
	Journeys  []string
	Audiences []string
	Checks    []string
	Traits    []string
	// Listed are the audiences whose members a schedule lists.
	Listed    []string
	Calendars []string
}

// Uses names what an engine must know to run the definition.
func (d *Definition) Uses() Uses {
	channels, templates, journeys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	bindings := map[Binding]bool{}
	do := func(list []action) {
		for _, a := range list {
			switch a.spec.Kind {
			case MessageEffect:
				templates[a.spec.Name] = true
				for _, c := range a.spec.Channels {
					channels[c] = true
				}
			case StartEffect:
				journeys[a.spec.Name] = true
			default:
				bindings[Binding{a.spec.Kind, a.spec.Name}] = true
			}
		}
	}
	n := newNeedSet()
	for _, e := range d.edges {
		do(e.do)
	}
	for i := range d.entries {
		n.edge(d, &d.entries[i], map[int]bool{})
	}
	for i := range d.states {
		s := &d.states[i]
		do(s.enter)
		do(s.leave)
		n.do(s.leave)
		for _, list := range [][]edge{d.ends, s.inputs, s.waits, s.whens, s.shares} {
			for j := range list {
				n.edge(d, &list[j], map[int]bool{})
			}
		}
	}
	facts := n.sorted()
	listed, calendars := map[string]bool{}, map[string]bool{}
	for _, s := range d.spec.Schedules {
		listed[s.Audience] = true
		if s.When.Calendar != "" {
			calendars[s.When.Calendar] = true
		}
	}
	for _, e := range d.edges {
		if e.wait.shift != nil && e.wait.shift.Calendar != "" {
			calendars[e.wait.shift.Calendar] = true
		}
	}
	actions := slices.SortedFunc(maps.Keys(bindings), func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return Uses{
		Channels: slices.Sorted(maps.Keys(channels)), Templates: slices.Sorted(maps.Keys(templates)),
		Actions: actions, Journeys: slices.Sorted(maps.Keys(journeys)),
		Audiences: facts.Audiences, Checks: facts.Checks, Traits: facts.Traits,
		Listed: slices.Sorted(maps.Keys(listed)), Calendars: slices.Sorted(maps.Keys(calendars)),
	}
}
