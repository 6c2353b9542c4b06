package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

// What an argument names is not there: usage, for the exit code.
var (
	errNoValue   = errors.New("no value")
	errNoRelease = errors.New("there is no release")
)

// noValue is the error for a path at which there is nothing. It names what is
// near: a key that is written alike, values elsewhere that end so, or what there
// is in its place.
func noValue(r spec.Release, final map[string]any, path origin.Path) error {
	why := fmt.Errorf("release %s has %w %s", r.ID, errNoValue, path)
	there := len(path) - 1 // the length of the longest part of the path that exists
	for ; there > 0; there-- {
		if _, ok := origin.Lookup(final, path[:there]); ok {
			break
		}
	}
	above, missing := path[:there], path[there]
	switch at, _ := origin.Lookup(final, above); at := at.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(at))
		if near := schema.Nearest(missing.Key, keys); near != "" && !missing.InList {
			return fmt.Errorf("%w, did you mean %s?", why, above.With(origin.Key(near)))
		}
		if others := endingIn(final, path[len(path)-1]); len(others) > 0 {
			return fmt.Errorf("%w, did you mean %s?", why, few(others))
		}
		return fmt.Errorf("%w; %s has: %s", why, orRoot(above), few(keys))
	case []any:
		return fmt.Errorf("%w; %s is a list of %d, written %s[0] to [%d]", why, above, len(at), above, len(at)-1)
	default:
		return fmt.Errorf("%w; %s has nothing below it", why, above)
	}
}

func orRoot(p origin.Path) string {
	if len(p) == 0 {
		return "it"
	}
	return p.String()
}

// endingIn lists the paths whose last key is the given one.
func endingIn(v any, last origin.Step) []string {
	var found []string
	var walk func(path origin.Path, v any)
	walk = func(path origin.Path, v any) {
		m, _ := v.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			below := path.With(origin.Key(key))
			if below[len(below)-1] == last {
				found = append(found, below.String())
			}
			walk(below, m[key])
		}
	}
	walk(nil, v)
	return found
}

// few lists names, and counts those that would be too many.
func few(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
