package values

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxIndex bounds a list index on the command line: l[999999999]=x would ask
// for that many elements.
const maxIndex = 1 << 16

// ParseSet reads the flags --state-values-set (typed) and
// --state-values-set-string (text) into one map. Typed: true, false (any
// case), null and decimal numbers without a leading zero get their type,
// everything else is a string. Typed flags win over text ones, whatever their
// order; an empty text drops its key. All of that is helmfile's.
func ParseSet(typed, text []string) (map[string]any, error) {
	out := map[string]any{}
	var errs []error
	for _, flag := range text {
		for _, pair := range textPairs(flag) {
			if err := set(out, pair[0], pair[1]); err != nil {
				errs = append(errs, fmt.Errorf("--state-values-set-string %s: %w", pair[0], err))
			}
		}
	}
	over := map[string]any{}
	for _, flag := range typed {
		for _, pair := range strings.Split(flag, ",") {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				errs = append(errs, fmt.Errorf("--state-values-set %q: expected name=value", pair))
				continue
			}
			if err := set(over, name, typedValue(value)); err != nil {
				errs = append(errs, fmt.Errorf("--state-values-set %s: %w", name, err))
			}
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return Elements(out, over), nil
}

// textPairs splits a=b,c=d; a comma inside quotes does not split, the quotes
// stay.
func textPairs(flag string) [][2]string {
	var out [][2]string
	re := regexp.MustCompile(`(?:,|^)([^\s=]+)=(['"][^'"]*['"]|[^,]+)`)
	for _, m := range re.FindAllStringSubmatch(flag, -1) {
		out = append(out, [2]string{m[1], m[2]})
	}
	return out
}

func typedValue(s string) any {
	switch {
	case strings.EqualFold(s, "true"):
		return true
	case strings.EqualFold(s, "false"):
		return false
	case strings.EqualFold(s, "null"):
		return nil
	case s == "0":
		return 0
	case s != "" && s[0] != '0':
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return int(i)
		}
	}
	return s
}

// set puts a value at a path: keys with dots between (\. is a dot inside a
// key), each with at most one index.
func set(m map[string]any, path string, value any) error {
	keys := splitPath(path)
	if len(keys) == 0 {
		return errors.New("the name is empty")
	}
	for i, key := range keys {
		name, index, err := splitIndex(key)
		if err != nil {
			return err
		}
		last := i == len(keys)-1
		if index < 0 {
			if last {
				m[name] = value
				return nil
			}
			next, err := asMap(m[name], name)
			if err != nil {
				return err
			}
			m[name], m = next, next
			continue
		}
		list, err := asList(m[name], name, index)
		if err != nil {
			return err
		}
		m[name] = list
		if last {
			list[index] = value
			return nil
		}
		next, err := asMap(list[index], key)
		if err != nil {
			return err
		}
		list[index], m = next, next
	}
	return nil
}

func asMap(v any, key string) (map[string]any, error) {
	switch v := v.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return v, nil
	default:
		return nil, fmt.Errorf("%s is set to a %T and cannot have keys", key, v)
	}
}

func asList(v any, key string, index int) ([]any, error) {
	list, ok := v.([]any)
	if v != nil && !ok {
		return nil, fmt.Errorf("%s is set to a %T and cannot have elements", key, v)
	}
	if index < len(list) {
		return list, nil
	}
	out := make([]any, index+1)
	copy(out, list)
	return out, nil
}

func splitPath(path string) []string {
	var keys []string
	var key strings.Builder
	escaped := false
	for _, c := range path {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case !escaped && c == '.':
			keys = append(keys, key.String())
			key.Reset()
		default:
			key.WriteRune(c)
		}
		escaped = false
	}
	if key.Len() > 0 {
		keys = append(keys, key.String())
	}
	return keys
}

// splitIndex splits name[2]; index is -1 without one.
func splitIndex(key string) (name string, index int, err error) {
	open := strings.IndexByte(key, '[')
	if open < 0 || !strings.HasSuffix(key, "]") {
		return key, -1, nil
	}
	i, err := strconv.Atoi(key[open+1 : len(key)-1])
	if err != nil || i < 0 || i > maxIndex || open == 0 {
		return "", 0, fmt.Errorf("bad index in %q: expected name[N] with N from 0 to %d", key, maxIndex)
	}
	return key[:open], i, nil
}
