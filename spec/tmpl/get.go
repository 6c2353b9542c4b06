package tmpl

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// errNoValue says that a path leads nowhere.
var errNoValue = errors.New("no value")

// get PATH [DEFAULT] OBJECT walks maps and struct fields. Without a default a
// path that leads nowhere is an error.
func get(path string, args ...any) (any, error) {
	switch len(args) {
	case 1:
		return walk(path, args[0])
	case 2:
		v, err := walk(path, args[1])
		if errors.Is(err, errMissingKey) {
			return args[0], nil
		}
		return v, err
	default:
		return nil, fmt.Errorf("get takes a path, maybe a default, and an object; it was given %d values", len(args)+1)
	}
}

// errMissingKey is the errNoValue that a default stands in for: the key is not
// there. A step into something that has no keys stays an error, as in helmfile.
var errMissingKey = fmt.Errorf("%w: missing key", errNoValue)

// getOrNil is get with nil for a path that leads nowhere.
func getOrNil(path string, object any) (any, error) {
	v, err := walk(path, object)
	if errors.Is(err, errNoValue) {
		return nil, nil
	}
	return v, err
}

func walk(path string, object any) (any, error) {
	if path == "" {
		return object, nil
	}
	for _, key := range strings.Split(path, ".") {
		next, err := step(key, object)
		if err != nil {
			return nil, err
		}
		object = next
	}
	return object, nil
}

func step(key string, object any) (any, error) {
	v := reflect.ValueOf(object)
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%w: the map that should have the key %q has keys of another kind", errNoValue, key)
		}
		elem := v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key()))
		if !elem.IsValid() {
			return nil, fmt.Errorf("%w %q", errMissingKey, key)
		}
		return elem.Interface(), nil
	case reflect.Struct:
		f := v.FieldByName(key)
		if !f.IsValid() || !f.CanInterface() {
			return nil, fmt.Errorf("%w %q", errMissingKey, key)
		}
		return f.Interface(), nil
	default:
		return nil, fmt.Errorf("%w for key %q: a %T has no keys", errNoValue, key, object)
	}
}

// setValueAtPath PATH VALUE MAP changes the map; the maps on the way must be
// there.
func setValueAtPath(path string, value any, object map[string]any) (map[string]any, error) {
	keys := strings.Split(path, ".")
	current := object
	for _, key := range keys[:len(keys)-1] {
		next, ok := current[key]
		if !ok {
			return nil, fmt.Errorf("setting %q: there is no key %q among %q", path, key, slices.Sorted(maps.Keys(current)))
		}
		m, ok := next.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("setting %q: the value of key %q is a %T, not a map", path, key, next)
		}
		current = m
	}
	current[keys[len(keys)-1]] = value
	return object, nil
}
