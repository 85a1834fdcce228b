package journey

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/cxkit/cxkit/profile"
)

// Field names a value that a condition tests, a template shows or a date
// counts from.
type Field struct {
	source fieldSource
	name   string
	value  profile.Value
}

type fieldSource uint8

const (
	fromProp fieldSource = iota + 1
	fromData
	fromTrait
	fromConst
)

var sourceNames = [...]string{"", "prop", "data", "trait", "const"}

// Prop is a property of the event at hand; absent on a timer.
func Prop(name string) Field { return Field{source: fromProp, name: name} }

// Data is what the instance remembers: the latest value of a property among
// the event that started it and those that have moved it since. A definition
// keeps the properties that it names and no others.
func Data(name string) Field { return Field{source: fromData, name: name} }

// Trait is a trait of the customer as of the step.
func Trait(name string) Field { return Field{source: fromTrait, name: name} }

// Const is a fixed value.
func Const(v profile.Value) Field { return Field{source: fromConst, value: v} }

// Text is a fixed text: Const(profile.Text(s)).
func Text(s string) Field { return Const(profile.Text(s)) }

// String is the field as a diagram shows it: "data.sku".
func (f Field) String() string {
	if f.source == fromConst {
		return f.value.String()
	}
	if f.source == 0 || int(f.source) >= len(sourceNames) {
		return "nothing"
	}
	return sourceNames[f.source] + "." + f.name
}

// of reads the field; the zero Value stands for "absent".
func (f Field) of(in *Instance, x *Input) profile.Value {
	switch f.source {
	case fromProp:
		return x.Props[f.name]
	case fromData:
		return in.Data[f.name]
	case fromTrait:
		return x.Facts.Traits[f.name]
	case fromConst:
		return f.value
	}
	return profile.Value{}
}

// MarshalJSON writes {"data":"sku"}, {"const":5}.
func (f Field) MarshalJSON() ([]byte, error) {
	if f.source == 0 || int(f.source) >= len(sourceNames) {
		return nil, fmt.Errorf("%w: empty field", ErrDefinition)
	}
	if f.source == fromConst {
		return json.Marshal(map[string]profile.Value{"const": f.value})
	}
	return json.Marshal(map[string]string{sourceNames[f.source]: f.name})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Field) UnmarshalJSON(b []byte) error {
	var in struct {
		Prop  *string        `json:"prop"`
		Data  *string        `json:"data"`
		Trait *string        `json:"trait"`
		Const *profile.Value `json:"const"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("%w: field: %v", ErrDefinition, err)
	}
	var out []Field
	if in.Prop != nil {
		out = append(out, Prop(*in.Prop))
	}
	if in.Data != nil {
		out = append(out, Data(*in.Data))
	}
	if in.Trait != nil {
		out = append(out, Trait(*in.Trait))
	}
	if in.Const != nil {
		out = append(out, Const(*in.Const))
	}
	if len(out) != 1 {
		return fmt.Errorf("%w: a field is one of prop, data, trait, const", ErrDefinition)
	}
	*f = out[0]
	return nil
}

// Args are named values of a message or an action, read when it is created.
type Args map[string]Field
