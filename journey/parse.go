package journey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Parse reads what [Definition.MarshalJSON] writes, or a definition written by
// hand, with every check of [Builder.Build]. An unknown field is an error. Errors
// name the place: "states[2].transitions[0].wait".
func Parse(b []byte) (*Definition, error) {
	s, err := parseSpec(b)
	if err != nil {
		return nil, err
	}
	return compile(*s)
}

func parseSpec(b []byte) (*spec, error) {
	var s spec
	if err := strict(b, &s); err != nil {
		path, err := locate(b, reflect.TypeFor[spec](), err)
		why := strings.TrimPrefix(err.Error(), ErrDefinition.Error()+": ")
		if path != "" {
			why = strings.TrimPrefix(path, ".") + ": " + why
		}
		return nil, fmt.Errorf("%w: %s", ErrDefinition, why)
	}
	if s.Format != specFormat {
		return nil, fmt.Errorf("%w: format: %d, %d expected", ErrDefinition, s.Format, specFormat)
	}
	return &s, nil
}

// strict reads one JSON value and nothing else.
func strict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("text after the definition")
	}
	return nil
}

var errUnknownField = errors.New("unknown field")

// locate finds the innermost value that cannot be read, and says what is wrong
// with it; because is what is wrong with the whole.
func locate(b []byte, t reflect.Type, because error) (path string, err error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	inner := func(step string, b []byte, t reflect.Type) bool {
		wrong := strict(b, reflect.New(t).Interface())
		if wrong != nil {
			path, err = locate(b, t, wrong)
			path = step + path
		}
		return wrong != nil
	}
	var members map[string]json.RawMessage
	var items []json.RawMessage
	shape := t
	if t == reflect.TypeFor[Cond]() {
		shape = reflect.TypeFor[condJSON]()
	}
	readsItself := reflect.PointerTo(shape).Implements(reflect.TypeFor[json.Unmarshaler]())
	switch {
	case readsItself:
	case shape.Kind() == reflect.Struct && json.Unmarshal(b, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			f, ok := shape.FieldByNameFunc(func(field string) bool {
				f, _ := shape.FieldByName(field)
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				return strings.EqualFold(tag, name)
			})
			if !ok {
				return "." + name, errUnknownField
			}
			if inner("."+name, members[name], f.Type) {
				return path, err
			}
		}
	case shape.Kind() == reflect.Map && json.Unmarshal(b, &members) == nil:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if inner("."+name, members[name], shape.Elem()) {
				return path, err
			}
		}
	case shape.Kind() == reflect.Slice && json.Unmarshal(b, &items) == nil:
		for i := range items {
			if inner("["+strconv.Itoa(i)+"]", items[i], shape.Elem()) {
				return path, err
			}
		}
	}
	var typed *json.UnmarshalTypeError
	if errors.As(because, &typed) {
		return "", fmt.Errorf("%s in the wrong place", typed.Value)
	}
	return "", because
}
