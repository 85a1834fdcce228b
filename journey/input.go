package journey

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cxkit/cxkit/profile"
)

// InputKind says what an [Input] reports.
type InputKind uint8

// The kinds of input. The engine itself makes timers and outcomes.
const (
	EventInput     InputKind = iota // the customer did something; the zero kind
	EnteredInput                    // the customer entered an audience
	LeftInput                       // the customer left an audience
	TickInput                       // a schedule came round for the customer
	CallInput                       // the program asked for it
	TimerInput                      // a wait is over
	DoneInput                       // an effect was confirmed
	FailedInput                     // an effect was rejected, suppressed or given up
	DoubtInput                      // nobody knows whether an effect was carried out
	ReturnedInput                   // a journey started by this one ended
	ZoneInput                       // the customer's time zone, or a trait that is looked at, changed
	inputKindCount                  // how many there are
)

var inputKindNames = [...]string{"event", "entered", "left", "tick", "call", "timer", "done", "failed", "in_doubt", "returned", "zone"}

func (k InputKind) String() string {
	if k < inputKindCount {
		return inputKindNames[k]
	}
	return "unknown"
}

// Input is one thing that happened to a customer. Its content is fixed by its ID.
// Its texts are UTF-8 without NUL.
type Input struct {
	// ID is unique among all inputs; the same ID with the same content is a
	// duplicate, with other content a conflict.
	ID string
	// Kind says what happened.
	Kind InputKind
	// Mode is Live or Backfill.
	Mode profile.Mode
	told bool // the instance has heard of this effect before
	// Name is the event, audience, schedule or call; for outcomes the template
	// or action, for a return the journey.
	Name string
	// Customer is who it happened to.
	Customer profile.ID
	// Time is when it happened.
	Time time.Time
	// Received is when the program learned of it; the zero time is [Config].Now.
	// It is not part of the content that the ID fixes.
	Received time.Time
	// Brand is the scope within a group.
	Brand string
	// Props describe what happened.
	Props profile.Values
	// Consents are acts of consent reported with it; they are recorded on the
	// contact row whether or not a journey listens.
	Consents []profile.ConsentAct
	// Instance is the only instance concerned; "" is every one of the customer.
	Instance string
	// Facts are answers from outside. The engine fills them in; who calls Step
	// directly gives those that [Definition.Needs] names.
	Facts Facts

	play *play // of the simulation that it is part of, nil elsewhere
}

// Facts are what a step may ask of the world, answered before it.
type Facts struct {
	// Zone is the customer's time zone; nil is the definition's.
	Zone *time.Location
	// Traits are the customer's; one that is absent has no value.
	Traits profile.Values
	// Audiences says whether the customer belongs, by name.
	Audiences map[string]bool
	// Checks are the answers of registered functions, by name.
	Checks map[string]bool
	// Calendars are the user's own, by name; they must be pure functions.
	Calendars map[string]Calendar
	// Arms are the branches of this journey's splits that the customer drew before,
	// by the state's name; one that is absent is drawn by hash, see [Draw].
	Arms map[string]string
}

// FromEvent makes the input that reports a profile event of a customer. Where
// the event carries an order and has no properties of these names itself,
// "order_number", "promised_by" and "amount" are the order's. The event's traits
// do not come along: the directory answers for them.
func FromEvent(e profile.Event, customer profile.ID) Input {
	x := Input{
		ID: e.ID, Kind: EventInput, Name: e.Name, Customer: customer, Time: e.Time,
		Mode: e.Mode, Brand: e.Brand, Props: e.Properties, Consents: e.Consents,
	}
	if e.Order == nil {
		return x
	}
	x.Props = profile.Values{"order_number": profile.Text(e.Order.Order.Number)}
	if !e.Order.PromisedBy.IsZero() {
		x.Props["promised_by"] = profile.Time(e.Order.PromisedBy)
	}
	if e.Order.Amount != 0 {
		x.Props["amount"] = profile.Int(e.Order.Amount)
	}
	maps.Copy(x.Props, e.Properties)
	return x
}

// Transition is a customer entering or leaving an audience, as a segment's
// transition feed reports it.
type Transition struct {
	// ID is unique among all inputs.
	ID string
	// Audience is the name of the segment.
	Audience string
	// Customer is who entered or left.
	Customer profile.ID
	// Entered is true for entering, false for leaving.
	Entered bool
	// EffectiveAt is when it came about, DetectedAt when it was found out.
	EffectiveAt, DetectedAt time.Time
	// Mode is Backfill for what follows from backfill or from a new definition
	// of the segment; such a transition starts nothing that is sent.
	Mode profile.Mode
}

// input is the transition as an input.
func (t Transition) input() Input {
	kind := LeftInput
	if t.Entered {
		kind = EnteredInput
	}
	return Input{ID: t.ID, Kind: kind, Name: t.Audience, Customer: t.Customer, Time: t.EffectiveAt, Received: t.DetectedAt, Mode: t.Mode}
}

// admissible refuses an input that does not come from outside, besides what check
// refuses.
func (x *Input) admissible() error {
	switch x.Kind {
	case TimerInput, DoneInput, FailedInput, DoubtInput, ReturnedInput, ZoneInput:
		return fmt.Errorf("%w: only the engine makes those of kind %s", ErrInput, x.Kind)
	}
	return x.check()
}

// check refuses an input that cannot be recorded and brings its times to the microsecond.
func (x *Input) check() error {
	switch {
	case x.ID == "":
		return fmt.Errorf("%w: no ID", ErrInput)
	case x.Name == "":
		return fmt.Errorf("%w: no name", ErrInput)
	case x.Kind >= inputKindCount:
		return fmt.Errorf("%w: unknown kind %d", ErrInput, x.Kind)
	case x.Time.IsZero():
		return fmt.Errorf("%w: no time", ErrInput)
	case x.Mode > profile.Backfill:
		return fmt.Errorf("%w: unknown mode %d", ErrInput, x.Mode)
	}
	if err := x.Customer.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if !x.storable() {
		return fmt.Errorf("%w: text is UTF-8 without NUL", ErrInput)
	}
	x.Time = x.Time.Truncate(time.Microsecond)
	x.Received = x.Received.Truncate(time.Microsecond)
	return nil
}

// storable reports whether every text is one that any [Store] can hold.
func (x *Input) storable() bool {
	ok := storable(x.ID) && storable(x.Name) && storable(x.Brand) && storable(x.Instance)
	for name, v := range x.Props {
		text, _ := v.Text()
		ok = ok && storable(name) && storable(text)
		if v.Kind() == profile.TagSet {
			for _, tag := range v.Tags() {
				ok = ok && storable(tag)
			}
		}
	}
	for _, c := range x.Consents {
		for _, s := range [...]string{c.Purpose, c.Channel, c.Address.Kind, c.Address.Value, c.Brand, c.Guardian, c.Policy, c.Proof} {
			ok = ok && storable(s)
		}
	}
	return ok
}

func storable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// digest is the hash of the content that the ID fixes.
func (x *Input) digest() (string, error) {
	b, err := json.Marshal(struct {
		Kind     InputKind
		Name     string
		Customer profile.ID
		Time     int64
		Mode     profile.Mode
		Brand    string
		Props    profile.Values
		Consents []profile.ConsentAct
		Instance string
	}{x.Kind, x.Name, x.Customer, x.Time.UnixMicro(), x.Mode, x.Brand, x.Props, x.Consents, x.Instance})
	if err != nil {
		return "", fmt.Errorf("%w: %v", ErrInput, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}
