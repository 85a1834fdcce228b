package journey

import (
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
)

// spec is a definition as data: what the builder fills in, what JSON carries,
// what the content hash covers.
type spec struct {
	Format    int                `json:"format"`
	Name      string             `json:"name"`
	Title     string             `json:"title,omitempty"`
	Brand     string             `json:"brand,omitempty"`
	Zone      string             `json:"zone,omitempty"`
	Key       string             `json:"key,omitempty"`
	Reentry   Reentry            `json:"reentry,omitzero"`
	GoLive    time.Time          `json:"go_live,omitzero"`
	MaxAge    localtime.Duration `json:"max_age,omitempty"`
	Priority  int                `json:"priority,omitempty"`
	Schedules []scheduleSpec     `json:"schedules,omitempty"`
	Entries   []transitionSpec   `json:"entries"`
	Goals     []transitionSpec   `json:"goals,omitempty"`
	Exits     []transitionSpec   `json:"exits,omitempty"`
	States    []stateSpec        `json:"states"`
}

// specFormat is the version of the JSON form.
const specFormat = 1

type stateSpec struct {
	Name string `json:"name"`
	// Title is what people call the state; "" is Name.
	Title string `json:"title,omitempty"`
	// Final states end the journey.
	Final bool `json:"final,omitempty"`
	// Patient states may wait without end.
	Patient     bool             `json:"patient,omitempty"`
	Metric      string           `json:"metric,omitempty"`
	Enter       []actionSpec     `json:"enter,omitempty"`
	Leave       []actionSpec     `json:"leave,omitempty"`
	Transitions []transitionSpec `json:"transitions,omitempty"`
}

// transitionSpec is an edge: exactly one of Trigger, Wait, When and Share says
// what takes it.
type transitionSpec struct {
	// Name is set on goals and exits.
	Name    string       `json:"name,omitempty"`
	Trigger *triggerSpec `json:"on,omitempty"`
	Wait    *waitSpec    `json:"wait,omitempty"`
	When    *Cond        `json:"when,omitempty"`
	Share   int          `json:"share,omitempty"`
	If      *Cond        `json:"if,omitempty"`
	Do      []actionSpec `json:"do,omitempty"`
	To      string       `json:"to,omitempty"`
	Stay    bool         `json:"stay,omitempty"`
}

// waitSpec is a time: exactly one of After, Local, Date and Deadline is set.
type waitSpec struct {
	After    localtime.Duration `json:"after,omitempty"`
	Local    string             `json:"local,omitempty"`
	Days     []time.Weekday     `json:"days,omitempty"`
	Date     *Field             `json:"date,omitempty"`
	Shift    *shiftSpec         `json:"shift,omitempty"`
	Deadline localtime.Duration `json:"deadline,omitempty"`
}

type shiftSpec struct {
	Days     int                `json:"days,omitempty"`
	Clock    string             `json:"clock,omitempty"`
	Plus     localtime.Duration `json:"plus,omitempty"`
	Yearly   bool               `json:"yearly,omitempty"`
	Calendar string             `json:"calendar,omitempty"`
}

type actionSpec struct {
	Kind     EffectKind         `json:"kind"`
	Name     string             `json:"name"`
	Purpose  string             `json:"purpose,omitempty"`
	Category string             `json:"category,omitempty"`
	Channels []string           `json:"channels,omitempty"`
	Args     Args               `json:"args,omitempty"`
	Within   localtime.Duration `json:"within,omitempty"`
}

// Shift moves a date: first to the next anniversary where Yearly or Calendar is set, then
// by Days of the calendar, then to the Clock of that day in the customer's
// local time, then by Plus. The zero Shift is the date itself.
type Shift struct {
	// Days of the calendar; negative is before.
	Days int
	// Clock is a time of day, "10:00"; "" keeps the date's own, midnight where
	// it has none.
	Clock string
	// Plus is added last; negative is before.
	Plus time.Duration
	// Yearly takes the next anniversary after the state was entered; 29 February
	// falls on the 28th in other years.
	Yearly bool
	// Calendar takes the next date after the state was entered that a calendar of
	// the user's gives for the field, such as a lunar birthday; see
	// [Config].Calendars. It replaces Yearly.
	Calendar string
}

// Reentry says whether a customer may start the journey again. Where the
// journey has a correlation key it applies to each key by itself.
type Reentry struct {
	// Rule is what happens to an entry while there was one before; "" is
	// [OneAtATime].
	Rule ReentryRule `json:"rule,omitempty"`
	// Rest is the least time since the last entry.
	Rest localtime.Duration `json:"rest,omitempty"`
	// PerCustomer applies the rule whatever the correlation key.
	PerCustomer bool `json:"per_customer,omitempty"`
}

// ReentryRule is how an entry meets an earlier one.
type ReentryRule string

// The rules.
const (
	// OneAtATime ignores an entry while an instance is active.
	OneAtATime ReentryRule = "one_at_a_time"
	// Once ignores every entry after the first.
	Once ReentryRule = "once"
	// Restart ends the active instance and starts anew.
	Restart ReentryRule = "restart"
	// Always starts another instance beside an active one.
	Always ReentryRule = "always"
)

// Resting is the rule with a least time since the last entry.
func (r ReentryRule) Resting(d time.Duration) Reentry {
	return Reentry{Rule: r, Rest: localtime.Duration(d)}
}
