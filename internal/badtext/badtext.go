// Package badtext spoils the texts of a value, one after the other. The
// conformance suites use it to show that what one store would keep and another
// refuse is refused before it comes to any.
package badtext

import (
	"fmt"
	"reflect"
)

// bad are texts that PostgreSQL refuses: a NUL byte, and what is not UTF-8.
var bad = []string{"a\x00b", "a\xffb"}

// Each calls f once for every text in what fresh makes, and every way of being
// bad, with a value in which that one text is bad. where names it. Keys and
// values of maps, elements of slices and what pointers lead to are texts too;
// fields that are not exported are left alone.
func Each[T any](fresh func() T, f func(where string, v T)) {
	for _, text := range bad {
		for n := 0; ; n++ {
			v := fresh()
			s := spoiler{left: n, text: text}
			s.walk(reflect.ValueOf(&v).Elem(), "")
			if s.where == "" {
				break
			}
			f(fmt.Sprintf("%s = %q", s.where, text), v)
		}
	}
}

type spoiler struct {
	left  int // texts to pass by
	text  string
	where string // the one spoiled
}

func (s *spoiler) walk(v reflect.Value, path string) {
	if s.where != "" {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s.left == 0 {
			v.SetString(s.text)
			s.where = path
		}
		s.left--
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				s.walk(v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			s.walk(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		s.walkMap(v, path)
	}
}

// walkMap spoils in copies: what is in a map cannot be set.
func (s *spoiler) walkMap(v reflect.Value, path string) {
	for it := v.MapRange(); it.Next() && s.where == ""; {
		key, value := reflect.New(it.Key().Type()).Elem(), reflect.New(it.Value().Type()).Elem()
		key.Set(it.Key())
		value.Set(it.Value())
		s.walk(key, fmt.Sprintf("%s[key %v]", path, it.Key()))
		s.walk(value, fmt.Sprintf("%s[%v]", path, it.Key()))
		if s.where != "" {
			v.SetMapIndex(it.Key(), reflect.Value{})
			v.SetMapIndex(key, value)
			return
		}
	}
}
