package journey

import (
	"slices"
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// Source yields a definition: a [Builder], or a [Definition] itself.
type Source interface {
	Build() (*Definition, error)
}

// Builder describes a journey; [Builder.Build] checks it and makes the
// [Definition]. A builder is for one goroutine; nothing fails before Build.
type Builder struct{ spec spec }

// Define begins the description of a journey. The name is its identity across
// versions. The state that is declared first is where entries lead that do not
// say otherwise.
func Define(name string) *Builder {
	return &Builder{spec{Format: specFormat, Name: name}}
}

// Title is what people call the journey.
func (b *Builder) Title(s string) *Builder { b.spec.Title = s; return b }

// Brand limits the journey to inputs of one brand and speaks in its name.
// Without it, inputs of every brand count, and messages carry the brand of the
// input that started the instance.
func (b *Builder) Brand(s string) *Builder { b.spec.Brand = s; return b }

// Zone is the IANA time zone of customers whose own is not known; "" is UTC.
func (b *Builder) Zone(s string) *Builder { b.spec.Zone = s; return b }

// Key names the property that tells instances of one customer apart, such as
// "cart_id"; see [Trigger.AnyKey]. Without it, a customer has one thread.
func (b *Builder) Key(property string) *Builder { b.spec.Key = property; return b }

// Reentry says whether a customer may start again; the default is [OneAtATime]
// without rest.
func (b *Builder) Reentry(r Reentry) *Builder { b.spec.Reentry = r; return b }

// GoLive ignores entries that happened before an instant.
func (b *Builder) GoLive(at time.Time) *Builder {
	b.spec.GoLive = at.UTC().Truncate(time.Microsecond)
	return b
}

// MaxAge ignores entries that happened longer ago when they arrive.
func (b *Builder) MaxAge(d time.Duration) *Builder { b.spec.MaxAge = localtime.Duration(d); return b }

// Priority lets the effects of this journey go first among those due at the
// same time; higher is earlier, 0 is the default.
func (b *Builder) Priority(n int) *Builder { b.spec.Priority = n; return b }

// Enter adds a way into the journey.
func (b *Builder) Enter(t Trigger) *EntryBuilder {
	b.spec.Entries = append(b.spec.Entries, transitionSpec{Trigger: &t.spec})
	return &EntryBuilder{b, len(b.spec.Entries) - 1}
}

// EntryBuilder describes one way into the journey.
type EntryBuilder struct {
	b *Builder
	i int
}

// If admits only customers for whom the condition holds.
func (e *EntryBuilder) If(c Cond) *EntryBuilder { e.b.spec.Entries[e.i].If = &c; return e }

// To names the first state.
func (e *EntryBuilder) To(state string) *Builder { e.b.spec.Entries[e.i].To = state; return e.b }

// Goal adds what the journey is for. It is checked before anything else on
// every input, in every state; reaching it ends the journey, and messages that
// have not gone out are dropped because the need is met.
func (b *Builder) Goal(name string) *EndBuilder {
	b.spec.Goals = append(b.spec.Goals, transitionSpec{Name: name})
	return &EndBuilder{b, &b.spec.Goals, len(b.spec.Goals) - 1}
}

// Exit adds a way out that is no success. It is checked like a goal, after the goals.
func (b *Builder) Exit(name string) *EndBuilder {
	b.spec.Exits = append(b.spec.Exits, transitionSpec{Name: name})
	return &EndBuilder{b, &b.spec.Exits, len(b.spec.Exits) - 1}
}

// EndBuilder describes a goal or an exit. A goal with several triggers is
// written as several goals of one name.
type EndBuilder struct {
	b    *Builder
	list *[]transitionSpec
	i    int
}

// On is the input that ends the journey.
func (e *EndBuilder) On(t Trigger) *EndBuilder { (*e.list)[e.i].Trigger = &t.spec; return e }

// When ends the journey as soon as a condition holds on any input. It replaces On.
func (e *EndBuilder) When(c Cond) *EndBuilder { (*e.list)[e.i].When = &c; return e }

// If adds a condition to On.
func (e *EndBuilder) If(c Cond) *EndBuilder { (*e.list)[e.i].If = &c; return e }

// Do acts on reaching it.
func (e *EndBuilder) Do(actions ...Action) *EndBuilder {
	(*e.list)[e.i].Do = append((*e.list)[e.i].Do, specs(actions)...)
	return e
}

// State declares a state, or goes on with the one declared before.
func (b *Builder) State(name string) *StateBuilder {
	i := slices.IndexFunc(b.spec.States, func(s stateSpec) bool { return s.Name == name })
	if i < 0 {
		i = len(b.spec.States)
		b.spec.States = append(b.spec.States, stateSpec{Name: name})
	}
	return &StateBuilder{b, i}
}

// StateBuilder describes one state: what is done on entering and leaving it,
// and what leads out of it.
type StateBuilder struct {
	b *Builder
	i int
}

func (s *StateBuilder) state() *stateSpec { return &s.b.spec.States[s.i] }

// Title is what people call the state.
func (s *StateBuilder) Title(text string) *StateBuilder { s.state().Title = text; return s }

// Metric names the measure of this state's experience, such as the survey whose
// answers name the state.
func (s *StateBuilder) Metric(name string) *StateBuilder { s.state().Metric = name; return s }

// Final makes the state an end. An instance there still waits for its
// unfinished effects; goals count until then.
func (s *StateBuilder) Final() *StateBuilder { s.state().Final = true; return s }

// Patient accepts that the state may wait for ever; Build asks for it where
// nothing leads out but an input, a condition, or a date that may be missing.
func (s *StateBuilder) Patient() *StateBuilder { s.state().Patient = true; return s }

// Send sends a message on entering: Do(Send(m)).
func (s *StateBuilder) Send(m Message) *StateBuilder { return s.Do(Send(m)) }

// Do acts on entering.
func (s *StateBuilder) Do(actions ...Action) *StateBuilder {
	s.state().Enter = append(s.state().Enter, specs(actions)...)
	return s
}

// OnLeave acts on leaving for another state, a goal or an exit.
func (s *StateBuilder) OnLeave(actions ...Action) *StateBuilder {
	s.state().Leave = append(s.state().Leave, specs(actions)...)
	return s
}

// On leads out on an input. Of several that fit, the one declared first is taken.
func (s *StateBuilder) On(t Trigger) *TransitionBuilder {
	return s.edge(transitionSpec{Trigger: &t.spec})
}

// After leads out when that long has passed since the state was entered.
func (s *StateBuilder) After(d time.Duration) *TransitionBuilder {
	return s.wait(waitSpec{After: localtime.Duration(d)})
}

// AtLocal leads out at the next time the customer's clock shows, "09:00", after
// the state was entered; on the given weekdays only, where there are any.
func (s *StateBuilder) AtLocal(clock string, days ...time.Weekday) *TransitionBuilder {
	return s.wait(waitSpec{Local: clock, Days: days})
}

// OnDate leads out at a date that a field holds, moved by the shift: an instant,
// or a text such as "2026-11-10" or RFC 3339. A date in the past leads out at
// once; a field without a date never does.
func (s *StateBuilder) OnDate(f Field, shift Shift) *TransitionBuilder {
	w := waitSpec{Date: &f}
	if shift != (Shift{}) {
		w.Shift = &shiftSpec{shift.Days, shift.Clock, localtime.Duration(shift.Plus), shift.Yearly, shift.Calendar}
	}
	return s.wait(w)
}

// OnDeadline leads out when that long has passed since the journey was started.
func (s *StateBuilder) OnDeadline(d time.Duration) *TransitionBuilder {
	return s.wait(waitSpec{Deadline: localtime.Duration(d)})
}

// When leads out as soon as the condition holds: on entering, and on every
// input after that.
func (s *StateBuilder) When(c Cond) *TransitionBuilder {
	return s.edge(transitionSpec{When: &c})
}

// Otherwise leads out at once where no When before it does.
func (s *StateBuilder) Otherwise() *TransitionBuilder { return s.When(Cond{}) }

// Share leads out at once for a percentage of customers. The shares of a state
// add up to 100. Which one a customer draws is fixed by a hash of journey, state
// and customer, and recorded by the engine: it stays the same on every visit, also
// in later versions with other shares, as long as the state still leads there. A
// control group is a share that leads to an end.
func (s *StateBuilder) Share(percent int) *TransitionBuilder {
	return s.edge(transitionSpec{Share: percent})
}

func (s *StateBuilder) wait(w waitSpec) *TransitionBuilder {
	return s.edge(transitionSpec{Wait: &w})
}

func (s *StateBuilder) edge(t transitionSpec) *TransitionBuilder {
	s.state().Transitions = append(s.state().Transitions, t)
	return &TransitionBuilder{s, len(s.state().Transitions) - 1}
}

// TransitionBuilder describes one way out of a state. It is finished by To,
// Stay or End, which go on with the state.
type TransitionBuilder struct {
	s *StateBuilder
	i int
}

func (t *TransitionBuilder) edge() *transitionSpec { return &t.s.state().Transitions[t.i] }

// If takes the transition only where the condition holds.
func (t *TransitionBuilder) If(c Cond) *TransitionBuilder { t.edge().If = &c; return t }

// Do acts on the way.
func (t *TransitionBuilder) Do(actions ...Action) *TransitionBuilder {
	t.edge().Do = append(t.edge().Do, specs(actions)...)
	return t
}

// To leads to a state; to the same one enters it anew, which restarts its waits.
func (t *TransitionBuilder) To(state string) *StateBuilder { t.edge().To = state; return t.s }

// Stay remains in the state: waits go on, nothing is left or entered, what the
// event brought is remembered.
func (t *TransitionBuilder) Stay() *StateBuilder { t.edge().Stay = true; return t.s }

// End leads to the final state of that name and declares it.
func (t *TransitionBuilder) End(name string) *StateBuilder {
	t.edge().To = name
	t.s.b.State(name).Final()
	return t.s
}

func specs(actions []Action) []actionSpec {
	out := make([]actionSpec, len(actions))
	for i, a := range actions {
		out[i] = a.spec
	}
	return out
}

// Build checks the description and makes the definition. What is wrong comes
// as a [*LintError] with every finding, its place and its remedy. The builder
// may be used on; the definition does not follow.
func (b *Builder) Build() (*Definition, error) { return compile(b.spec) }
