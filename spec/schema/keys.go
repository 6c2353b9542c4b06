package schema

import (
	"reflect"
	"strings"
)

// Keys lists every key of a state file, dotted: releases.name, hooks.events,
// releases.set.name. A list or map adds nothing to the path, and a structure
// that appears in several places is listed where it is met first. What only
// "build" prints is left out.
func Keys() []string {
	seen := map[reflect.Type]bool{}
	var out []string
	var walk func(t reflect.Type, path string)
	walk = func(t reflect.Type, path string) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		plain := t == reflect.TypeFor[Text]() || t == reflect.TypeFor[Entry]()
		if t.Kind() != reflect.Struct || plain || seen[t] {
			return
		}
		seen[t] = true
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if name == "-" || name == "filepath" || name == "renderedvalues" {
				continue
			}
			out = append(out, path+name)
			walk(t.Field(i).Type, path+name+".")
		}
	}
	walk(reflect.TypeFor[State](), "")
	return out
}
