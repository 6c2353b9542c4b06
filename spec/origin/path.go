package origin

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Step is one step of a path: a key of a map, or an element of a list.
type Step struct {
	Key    string
	Index  int
	InList bool // Index counts, Key does not
}

// Path leads from the root of values to one of them; empty: the root.
type Path []Step

// Key makes a step into a map.
func Key(name string) Step { return Step{Key: name} }

// Index makes a step into a list.
func Index(i int) Step { return Step{Index: i, InList: true} }

// Keys makes a path of keys alone.
func Keys(names ...string) Path {
	p := make(Path, len(names))
	for i, name := range names {
		p[i] = Key(name)
	}
	return p
}

// With gives the path one step longer; p stays as it is.
func (p Path) With(s Step) Path { return append(p[:len(p):len(p)], s) }

// Join gives p followed by rest; both stay as they are.
func (p Path) Join(rest Path) Path { return append(p[:len(p):len(p)], rest...) }

// HasPrefix reports whether p leads through prefix.
func (p Path) HasPrefix(prefix Path) bool {
	if len(prefix) > len(p) {
		return false
	}
	for i, s := range prefix {
		if p[i] != s {
			return false
		}
	}
	return true
}

// String prints a path as ParsePath reads it: a.b[0]."c.d".
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.InList:
			fmt.Fprintf(&b, "[%d]", s.Index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(KeyText(s.Key))
	}
	return b.String()
}

// KeyText prints a key as a path has it: in quotes where it would not be read as
// one key otherwise.
func KeyText(key string) string {
	if key == "" || strings.ContainsAny(key, ".[]\"\\ \t\r\n") {
		return strconv.Quote(key)
	}
	return key
}

// ParsePath reads a path as people type it: keys with dots between, [N] for an
// element of a list, and a key in double quotes, or with a backslash before its
// dots as in Helm's --set, where it holds dots itself. Empty text is the root.
func ParsePath(text string) (Path, error) {
	var p Path
	rest := strings.TrimPrefix(text, ".")
	for rest != "" {
		s, left, err := nextStep(rest)
		if err != nil {
			return nil, fmt.Errorf("%q is no path: %w", text, err)
		}
		p = append(p, s)
		if left == "" {
			break
		}
		switch {
		case left[0] == '[':
		case left[0] == '.' && len(left) > 1:
			left = left[1:]
		case left[0] == '.':
			return nil, fmt.Errorf("%q is no path: it ends with a dot", text)
		default:
			return nil, fmt.Errorf("%q is no path: expected a dot or [ before %q", text, left)
		}
		rest = left
	}
	return p, nil
}

func nextStep(text string) (s Step, rest string, err error) {
	switch text[0] {
	case '[':
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return s, "", errors.New("a [ without its ]")
		}
		i, err := strconv.Atoi(text[1:end])
		if err != nil || i < 0 {
			return s, "", fmt.Errorf("[%s] is no element of a list, expected a number from 0 on", text[1:end])
		}
		return Index(i), text[end+1:], nil
	case '"':
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return s, "", errors.New("a key in quotes that do not end")
		}
		key, err := strconv.Unquote(quoted)
		return Key(key), text[len(quoted):], err
	default:
		return bareKey(text)
	}
}

func bareKey(text string) (Step, string, error) {
	var key strings.Builder
	escaped := false
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
			continue
		case c == '.', c == '[':
			if key.Len() == 0 {
				return Step{}, "", errors.New("two dots with nothing between")
			}
			return Key(key.String()), text[i:], nil
		}
		key.WriteRune(c)
	}
	return Key(key.String()), "", nil
}

// Lookup follows a path through maps and lists.
func Lookup(v any, p Path) (any, bool) {
	for _, s := range p {
		if s.InList {
			list, ok := v.([]any)
			if !ok || s.Index >= len(list) {
				return nil, false
			}
			v = list[s.Index]
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[s.Key]; !ok {
			return nil, false
		}
	}
	return v, true
}
