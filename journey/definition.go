package journey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// Definition is a journey that has passed every check. It is immutable and safe
// for concurrent use.
type Definition struct {
	spec       spec
	version    string
	zone       *time.Location
	states     []state
	byName     map[string]int
	entries    []edge
	ends       []edge // goals, then exits
	edges      []*edge
	capture    []string // names of Data that some field reads
	entryNeeds Needs
	listens    map[listen]bool
	starts     map[listen]bool
	splits     bool     // some state has shares
	traits     []string // names of Trait that some field reads
	// watchful definitions wait for conditions that any input may fulfil.
	watchful bool
}

// listen is what makes an input interesting to a definition.
type listen struct {
	kind InputKind
	name string
}

type state struct {
	spec   *stateSpec
	index  int
	enter  []action
	leave  []action
	inputs []edge // taken by an input
	waits  []edge // taken by time
	whens  []edge // taken at once or as soon as the condition holds
	shares []edge
	zoned  bool // some wait depends on the time zone
	calm   calm
	needs  Needs // of a step in this state, all states behind it that take no time included
}

// edge is a compiled transition, entry, goal or exit.
type edge struct {
	spec    *transitionSpec
	id      int
	from    int // −1 for entries, goals and exits
	to      int // −1 for stay, goals and exits
	goal    bool
	trigger *triggerSpec
	listens listen // what the trigger names
	keyProp string
	wait    wait
	cond    *Cond
	conds   []*Cond // all that must hold: of the trigger, of the edge, the guard
	do      []action
	words   string // what takes it
	plain   bool   // see Definition.plain
}

// wait is a compiled waitSpec.
type wait struct {
	kind   waitKind
	d      time.Duration
	minute int // −1 for none
	days   uint8
	field  Field
	shift  *shiftSpec
}

type waitKind uint8

const (
	waitAfter waitKind = iota + 1
	waitLocal
	waitDate
	waitDeadline
)

// action is a compiled actionSpec: the arguments in a fixed order.
type action struct {
	spec     *actionSpec
	args     []arg
	category string
}

type arg struct {
	name  string
	field Field
}

// Name is the identity of the journey across versions.
func (d *Definition) Name() string { return d.spec.Name }

// Title is what people call the journey.
func (d *Definition) Title() string {
	if d.spec.Title != "" {
		return d.spec.Title
	}
	return d.spec.Name
}

// Version is the hash of the content: two definitions are equal if their
// versions are.
func (d *Definition) Version() string { return d.version }

// States are the names of the states in the order of declaration.
func (d *Definition) States() []string {
	names := make([]string, len(d.states))
	for i := range d.states {
		names[i] = d.states[i].spec.Name
	}
	return names
}

// Edge is one way to start, move or end an instance.
type Edge struct {
	// ID is what histories call it: see [Record].Edge.
	ID int
	// From and To are states; From is "" for entries, goals and exits, To is ""
	// for goals and exits. An edge that stays has the same state twice.
	From, To string
	// End is the name of a goal or exit, Goal is true for a goal.
	End  string
	Goal bool
	// Label says in words what takes it.
	Label string
}

// Edges are all edges, by ID.
func (d *Definition) Edges() []Edge {
	out := make([]Edge, len(d.edges))
	for i, e := range d.edges {
		out[i] = Edge{ID: i, End: e.spec.Name, Goal: e.goal, Label: e.words}
		if e.from >= 0 {
			out[i].From = d.states[e.from].spec.Name
			out[i].To = out[i].From
		}
		if e.to >= 0 {
			out[i].To = d.states[e.to].spec.Name
		}
	}
	return out
}

// schedules reports whether a trigger is a schedule of this definition; its ticks
// carry the journey's name before theirs.
func (d *Definition) schedules(t *triggerSpec) bool {
	return InputKind(t.Kind) == TickInput && slices.ContainsFunc(d.spec.Schedules, func(s scheduleSpec) bool { return s.Name == t.Name })
}

// Build returns the definition itself, so that it is a [Source].
func (d *Definition) Build() (*Definition, error) { return d, nil }

// MarshalJSON writes the definition with its format version.
func (d *Definition) MarshalJSON() ([]byte, error) { return json.Marshal(&d.spec) }

// compile makes a definition of a copy of the description.
func compile(from spec) (*Definition, error) {
	if lints := lint(&from); len(lints) > 0 {
		return nil, &LintError{Journey: from.Name, Lints: lints}
	}
	text, err := json.Marshal(&from)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDefinition, err)
	}
	s, err := parseSpec(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	d := &Definition{spec: *s, version: hex.EncodeToString(sum[:16]), byName: map[string]int{}, listens: map[listen]bool{}, starts: map[listen]bool{}}
	if d.zone, err = time.LoadLocation(s.Zone); err != nil {
		return nil, fmt.Errorf("%w: zone: %v", ErrDefinition, err)
	}
	for i := range d.spec.States {
		d.byName[d.spec.States[i].Name] = i
	}
	d.entries = d.edgesOf(d.spec.Entries, -1)
	for i := range d.entries {
		if d.entries[i].spec.To == "" {
			d.entries[i].to = 0
		}
		t := d.entries[i].trigger
		d.starts[listen{InputKind(t.Kind), t.Name}] = true
	}
	d.ends = d.edgesOf(d.spec.Goals, -1)
	for i := range d.ends {
		d.ends[i].goal = true
	}
	d.ends = append(d.ends, d.edgesOf(d.spec.Exits, -1)...)
	d.states = make([]state, len(d.spec.States))
	for i := range d.spec.States {
		d.compileState(i)
	}
	for _, e := range d.ends {
		d.watchful = d.watchful || e.spec.When != nil
	}
	for i := range d.states {
		s := &d.states[i]
		d.splits = d.splits || len(s.shares) > 0
		d.watchful = d.watchful || len(s.whens) > 0 && len(s.waits)+len(s.inputs) > 0 || s.spec.Patient && len(s.whens) > 0
	}
	d.findPlain()
	d.number()
	d.findCaptures()
	d.findNeeds()
	return d, nil
}

func (d *Definition) compileState(i int) {
	s := &d.states[i]
	s.spec, s.index = &d.spec.States[i], i
	s.enter, s.leave = actions(s.spec.Enter), actions(s.spec.Leave)
	for _, e := range d.edgesOf(s.spec.Transitions, i) {
		switch {
		case e.trigger != nil:
			s.inputs = append(s.inputs, e)
		case e.spec.Wait != nil:
			s.waits = append(s.waits, e)
			s.zoned = s.zoned || e.wait.kind == waitLocal || e.wait.kind == waitDate
		case e.spec.When != nil:
			s.whens = append(s.whens, e)
		default:
			s.shares = append(s.shares, e)
		}
	}
}

func (d *Definition) edgesOf(list []transitionSpec, from int) []edge {
	out := make([]edge, len(list))
	for i := range list {
		t := &list[i]
		e := edge{spec: t, from: from, to: -1, trigger: t.Trigger, cond: t.If, do: actions(t.Do)}
		if to, ok := d.byName[t.To]; ok && !t.Stay {
			e.to = to
		}
		if t.Trigger != nil {
			if d.schedules(t.Trigger) {
				own := *t.Trigger
				own.Name = d.spec.Name + "/" + own.Name
				e.trigger = &own
			}
			e.listens = listen{InputKind(e.trigger.Kind), e.trigger.Name}
			d.listens[e.listens] = true
			if e.keyProp = d.spec.Key; t.Trigger.KeyIn != "" {
				e.keyProp = t.Trigger.KeyIn
			}
			if t.Trigger.AnyKey {
				e.keyProp = ""
			}
		}
		if t.Wait != nil {
			e.wait = compileWait(t.Wait)
		}
		if t.Trigger != nil {
			for j := range e.trigger.Where {
				e.conds = append(e.conds, &e.trigger.Where[j])
			}
		}
		for _, c := range []*Cond{t.When, t.If} {
			if c != nil {
				e.conds = append(e.conds, c)
			}
		}
		out[i] = e
	}
	return out
}

func compileWait(w *waitSpec) wait {
	out := wait{minute: -1}
	switch {
	case w.After > 0:
		out.kind, out.d = waitAfter, time.Duration(w.After)
	case w.Local != "":
		out.kind = waitLocal
		out.minute, _ = localtime.Parse(w.Local)
		for _, day := range w.Days {
			out.days |= 1 << day
		}
	case w.Date != nil:
		out.kind, out.field, out.shift = waitDate, *w.Date, w.Shift
		if out.shift == nil {
			out.shift = &shiftSpec{}
		}
		if out.shift.Clock != "" {
			out.minute, _ = localtime.Parse(out.shift.Clock)
		}
	default:
		out.kind, out.d = waitDeadline, time.Duration(w.Deadline)
	}
	return out
}

func actions(list []actionSpec) []action {
	out := make([]action, len(list))
	for i := range list {
		a := action{spec: &list[i], category: list[i].Category}
		if a.category == "" {
			a.category = list[i].Name
		}
		for _, name := range slices.Sorted(maps.Keys(list[i].Args)) {
			a.args = append(a.args, arg{name, list[i].Args[name]})
		}
		out[i] = a
	}
	return out
}

// number gives every edge its ID: entries, goals and exits, then the states'
// in the order in which they are tried.
func (d *Definition) number() {
	add := func(list []edge) {
		for i := range list {
			list[i].id = len(d.edges)
			list[i].words = list[i].label()
			d.edges = append(d.edges, &list[i])
		}
	}
	add(d.entries)
	add(d.ends)
	for i := range d.states {
		s := &d.states[i]
		add(s.inputs)
		add(s.waits)
		add(s.whens)
		add(s.shares)
	}
}

// fields visits every field that the definition reads.
func (d *Definition) fields(visit func(Field)) {
	cond := func(c *Cond) {
		if c != nil {
			c.walk(func(c *Cond) { visit(c.field) })
		}
	}
	do := func(list []action) {
		for _, a := range list {
			for _, g := range a.args {
				visit(g.field)
			}
		}
	}
	for _, e := range d.edges {
		cond(e.cond)
		cond(e.spec.When)
		if e.trigger != nil {
			for i := range e.trigger.Where {
				cond(&e.trigger.Where[i])
			}
		}
		visit(e.wait.field)
		do(e.do)
	}
	for i := range d.states {
		do(d.states[i].enter)
		do(d.states[i].leave)
	}
}

// looksAt reports whether the definition reads one of the traits.
func (d *Definition) looksAt(traits []string) bool {
	return slices.ContainsFunc(traits, func(name string) bool { return slices.Contains(d.traits, name) })
}

func (d *Definition) findCaptures() {
	names, traits := map[string]bool{}, map[string]bool{}
	d.fields(func(f Field) {
		switch f.source {
		case fromData:
			names[f.name] = true
		case fromTrait:
			traits[f.name] = true
		}
	})
	d.capture, d.traits = slices.Sorted(maps.Keys(names)), slices.Sorted(maps.Keys(traits))
}

// label is an edge in words: what takes it.
func (e *edge) label() string {
	var s string
	switch {
	case e.trigger != nil:
		s = e.spec.Trigger.String()
	case e.spec.Wait != nil:
		s = e.spec.Wait.String()
	case e.spec.When != nil:
		if s = e.spec.When.String(); e.spec.When.op == opAlways {
			s = "otherwise"
		}
	default:
		s = strconv.Itoa(e.spec.Share) + " %"
	}
	if e.cond != nil {
		s += " [" + e.cond.String() + "]"
	}
	return s
}

// String is the wait in words: "after 2h", "at 09:00 on Mon".
func (w *waitSpec) String() string {
	switch {
	case w.After > 0:
		return "after " + shortDuration(time.Duration(w.After))
	case w.Local != "":
		s := "at " + w.Local
		for i, day := range w.Days {
			s += [...]string{" on ", ", "}[min(i, 1)] + day.String()[:3]
		}
		return s
	case w.Date != nil:
		s := "on " + w.Date.String()
		if w.Shift == nil {
			return s
		}
		if w.Shift.Yearly {
			s = "on the anniversary of " + w.Date.String()
		}
		if w.Shift.Calendar != "" {
			s = "on " + w.Date.String() + " by calendar " + w.Shift.Calendar
		}
		if w.Shift.Days != 0 {
			s += fmt.Sprintf(" %+d days", w.Shift.Days)
		}
		if w.Shift.Clock != "" {
			s += " at " + w.Shift.Clock
		}
		if w.Shift.Plus > 0 {
			s += " +" + shortDuration(time.Duration(w.Shift.Plus))
		} else if w.Shift.Plus < 0 {
			s += " −" + shortDuration(-time.Duration(w.Shift.Plus))
		}
		return s
	}
	return shortDuration(time.Duration(w.Deadline)) + " after the start"
}
