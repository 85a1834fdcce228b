package journey

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Trigger is the kind of input that starts, moves or ends an instance.
type Trigger struct{ spec triggerSpec }

// triggerSpec is a trigger as a definition holds it.
type triggerSpec struct {
	Kind   triggerKind `json:"kind"`
	Name   string      `json:"name,omitempty"`
	Where  []Cond      `json:"where,omitempty"`
	AnyKey bool        `json:"any_key,omitempty"`
	KeyIn  string      `json:"key_in,omitempty"`
}

// triggerKind is an InputKind that JSON carries by name.
type triggerKind InputKind

// Event is an event of the customer by name.
func Event(name string) Trigger { return trigger(EventInput, name) }

// Entered is the customer entering an audience.
func Entered(audience string) Trigger { return trigger(EnteredInput, audience) }

// Left is the customer leaving an audience.
func Left(audience string) Trigger { return trigger(LeftInput, audience) }

// Tick is a schedule coming round for the customer.
func Tick(schedule string) Trigger { return trigger(TickInput, schedule) }

// Call is the program asking for it by name.
func Call(name string) Trigger { return trigger(CallInput, name) }

// Done is the confirmation of a message or action of this instance, by template
// or name.
func Done(name string) Trigger { return trigger(DoneInput, name) }

// Failed is the definite failure of a message or action of this instance:
// rejected, suppressed or given up.
func Failed(name string) Trigger { return trigger(FailedInput, name) }

// InDoubt is the news that nobody knows whether a message or action of this
// instance was carried out, and that nobody will ask again. If it is resolved
// later, Done or Failed follows.
func InDoubt(name string) Trigger { return trigger(DoubtInput, name) }

// Returned is the end of a journey that this instance started; its property
// "outcome" is the name of the end.
func Returned(journey string) Trigger { return trigger(ReturnedInput, journey) }

func trigger(kind InputKind, name string) Trigger {
	return Trigger{triggerSpec{Kind: triggerKind(kind), Name: name}}
}

// Where narrows the trigger to inputs that satisfy the conditions.
func (t Trigger) Where(conds ...Cond) Trigger {
	t.spec.Where = append(slices.Clip(t.spec.Where), conds...)
	return t
}

// AnyKey lets the trigger match whatever the correlation key. Without it, an
// event reaches the instance with the same key only, and an event without the
// key property reaches none.
func (t Trigger) AnyKey() Trigger {
	t.spec.AnyKey = true
	return t
}

// KeyIn names the property that holds the correlation key where this event
// calls it by another name.
func (t Trigger) KeyIn(property string) Trigger {
	t.spec.KeyIn = property
	return t
}

// String is the trigger as a diagram shows it.
func (t Trigger) String() string { return t.spec.String() }

func (t triggerSpec) String() string {
	var s string
	switch InputKind(t.Kind) {
	case EventInput:
		s = t.Name
	case EnteredInput:
		s = "enters " + t.Name
	case LeftInput:
		s = "leaves " + t.Name
	case TickInput:
		s = "schedule " + t.Name
	case CallInput:
		s = "call " + t.Name
	case DoneInput:
		s = t.Name + " done"
	case FailedInput:
		s = t.Name + " failed"
	case DoubtInput:
		s = t.Name + " in doubt"
	case ReturnedInput:
		s = t.Name + " ended"
	default:
		s = "unknown"
	}
	for i := range t.Where {
		s += " [" + t.Where[i].String() + "]"
	}
	return s
}

// MarshalJSON writes the kind by name.
func (k triggerKind) MarshalJSON() ([]byte, error) { return json.Marshal(InputKind(k).String()) }

// UnmarshalJSON reads the kind by name; kinds that only the engine makes are refused.
func (k *triggerKind) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%w: trigger: %v", ErrDefinition, err)
	}
	for i, name := range inputKindNames {
		if name == s && InputKind(i) != TimerInput && InputKind(i) != ZoneInput {
			*k = triggerKind(i)
			return nil
		}
	}
	return fmt.Errorf("%w: unknown trigger %q", ErrDefinition, s)
}
