package journey

import (
	"time"

	"github.com/cxkit/cxkit/journey/internal/localtime"
	"github.com/cxkit/cxkit/profile"
)

// Message is something to send. Whether, when and on which channel it goes out
// is decided by the contact policy at that time.
type Message struct {
	// Template names the text at the channels.
	Template string
	// Purpose is what consent is asked for; required.
	Purpose string
	// Category is what caps may count by; "" is the template.
	Category string
	// Channels are the ways that it may take, the preferred one first.
	Channels []string
	// Vars are the template's variables. One without a value blocks the message.
	Vars Args
	// Within is how long after it was due the message is still of use; 0 is for
	// ever, as far as the policy lets it wait.
	Within time.Duration
}

// Action is something to do on entering or leaving a state or on a transition.
// It becomes an [Effect] in the outbox.
type Action struct{ spec actionSpec }

// Send sends a message.
func Send(m Message) Action {
	return Action{actionSpec{
		Kind: MessageEffect, Name: m.Template, Purpose: m.Purpose, Category: m.Category,
		Channels: m.Channels, Args: m.Vars, Within: localtime.Duration(m.Within),
	}}
}

// Do calls the custom action registered under the name.
func Do(name string, args Args) Action {
	return Action{actionSpec{Kind: CustomEffect, Name: name, Args: args}}
}

// Award awards points; the reason names the rule in the ledger.
func Award(reason string, points Field) Action {
	return Action{actionSpec{Kind: AwardEffect, Name: reason, Args: Args{"points": points}}}
}

// Voucher issues a voucher of a campaign.
func Voucher(campaign string, args Args) Action {
	return Action{actionSpec{Kind: VoucherEffect, Name: campaign, Args: args}}
}

// OpenCase opens a service case of a kind.
func OpenCase(kind string, args Args) Action {
	return Action{actionSpec{Kind: CaseEffect, Name: kind, Args: args}}
}

// SetTrait gives the customer a trait.
func SetTrait(name string, value Field) Action {
	return Action{actionSpec{Kind: TraitEffect, Name: name, Args: Args{"value": value}}}
}

// Task gives a shop assistant something to do.
func Task(name string, args Args) Action {
	return Action{actionSpec{Kind: TaskEffect, Name: name, Args: args}}
}

// Start starts another journey for the same customer, with the given values as
// the properties of its entry; its end comes back as [Returned].
func Start(journey string, args Args) Action {
	return Action{actionSpec{Kind: StartEffect, Name: journey, Args: args}}
}

// EffectKind says what an effect is.
type EffectKind string

// The kinds of effect.
const (
	MessageEffect EffectKind = "message"
	CustomEffect  EffectKind = "custom"
	AwardEffect   EffectKind = "award"   // Args: points
	VoucherEffect EffectKind = "voucher" // Name: campaign
	CaseEffect    EffectKind = "case"    // Name: kind of case
	TraitEffect   EffectKind = "trait"   // Name: trait; Args: value
	TaskEffect    EffectKind = "task"
	StartEffect   EffectKind = "start"  // Name: journey; handled by the engine
	ReturnEffect  EffectKind = "return" // the end of a started journey; handled by the engine
	InputEffect   EffectKind = "input"  // an input set aside by Park; handled by the engine
)

// known reports whether a definition may use the kind.
func (k EffectKind) known() bool {
	switch k {
	case MessageEffect, CustomEffect, AwardEffect, VoucherEffect, CaseEffect, TraitEffect, TaskEffect, StartEffect:
		return true
	}
	return false
}

// Effect is what a step wants done in the world: one entry of the outbox.
type Effect struct {
	// Key is unique and derived from the cause: instance, step and place in it.
	// The same step yields the same keys, however often it is repeated.
	Key string `json:"key"`
	// Kind and Name say what: the template of a message, the name of an action.
	Kind EffectKind `json:"kind"`
	Name string     `json:"name"`
	// Customer is who it concerns.
	Customer profile.ID `json:"customer"`
	// Instance, Journey, State and Seq are where it comes from.
	Instance string `json:"instance"`
	Journey  string `json:"journey"`
	State    string `json:"state,omitempty"`
	Seq      uint32 `json:"seq"`
	// Brand is the scope within a group.
	Brand string `json:"brand,omitempty"`
	// Purpose, Category and Channels are the message's.
	Purpose  string   `json:"purpose,omitempty"`
	Category string   `json:"category,omitempty"`
	Channels []string `json:"channels,omitempty"`
	// Args are the values of the variables; Missing names those without one.
	Args    profile.Values `json:"args,omitempty"`
	Missing []string       `json:"missing,omitempty"`
	// At is when the step took place; NotAfter when the effect is of no more use.
	At       time.Time `json:"at"`
	NotAfter time.Time `json:"not_after,omitzero"`
	// Priority goes first among effects due at the same time; higher is earlier.
	Priority int `json:"priority,omitempty"`
	// Mode is Backfill for what must be withheld.
	Mode profile.Mode `json:"mode,omitempty"`
}
