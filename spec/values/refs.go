package values

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// maxRefDepth is how deep references may nest in each other, vals' number.
const maxRefDepth = 10

// ErrUnsupportedRef says that a reference names a back end that nobody here
// can reach.
var ErrUnsupportedRef = errors.New("this kind of secret reference is not supported here")

// Refs resolves references of the form ref+SCHEME://PATH[?QUERY][#/KEY/...]
// inside values, by the rules of vals (github.com/helmfile/vals): a value that
// is one reference takes the type of what it stands for, an embedded one ends
// at "+" or a space and is put in as text, secretref+ is the same, one
// reference may stand inside another, and a key that is a reference over a map
// is replaced by the YAML map that it stands for.
type Refs struct {
	// Fetch gets what references stand for, as YAML data, one result for each,
	// in order. References have no "ref+" in front.
	Fetch func(ctx context.Context, refs []string) []Fetched
}

// Fetched is what came of one reference.
type Fetched struct {
	Value any
	Err   error // does not name the reference, nor any value
}

// Has says whether a text may hold a reference.
func Has(text string) bool { return strings.Contains(text, "ref+") }

// Resolve resolves every reference in maps, lists and strings; it changes
// nothing it is given. All references are fetched at once, those that stand
// inside others before them. The error tells all that failed, each by its
// place and its reference without the query, never by a value.
func (r Refs) Resolve(ctx context.Context, v any) (any, error) {
	known := map[string]Fetched{}
	compiled := sync.OnceValue(patterns) // most values hold no reference
	for range maxRefDepth + 1 {
		e := expansion{known: known, missing: map[string]bool{}, patterns: compiled}
		out, err := e.value(v)
		if len(e.missing) == 0 {
			return out, err
		}
		refs := slices.Sorted(maps.Keys(e.missing))
		for i, f := range r.Fetch(ctx, refs) {
			known[refs[i]] = f
		}
	}
	return nil, fmt.Errorf("references stand inside each other deeper than %d times", maxRefDepth)
}

// Text resolves the references inside one string and prints the result.
func (r Refs) Text(ctx context.Context, s string) (string, error) {
	if !Has(s) {
		return s, nil
	}
	v, err := r.Resolve(ctx, s)
	if err != nil {
		return "", err
	}
	if v == nil {
		return "", fmt.Errorf("resolving %s: %w", Name(s), errNull)
	}
	return fmt.Sprint(v), nil
}

var errNull = errors.New("it stands for null, which cannot be part of a text")

// Name is a reference as errors may show it: without its query, which may hold
// credentials.
func Name(ref string) string {
	path, _, _ := strings.Cut(ref, "?")
	return path
}

// refPatterns are those of vals (pkg/expansion, DefaultRefRegexp), so that the
// same texts are references.
type refPatterns struct{ ref, prefix *regexp.Regexp }

func patterns() refPatterns {
	return refPatterns{
		ref:    regexp.MustCompile(`(?:secret)?ref\+([^\+:]*:\/\/[^\+\n ]+[^\+\n ",])\+?`),
		prefix: regexp.MustCompile(`(?:secret)?ref\+`),
	}
}

// expansion is one pass over a tree with what is known so far.
type expansion struct {
	patterns func() refPatterns
	known    map[string]Fetched
	missing  map[string]bool // references that the pass came across and nobody fetched yet
}

func (e *expansion) value(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if !Has(v) {
			return v, nil
		}
		return e.text(v)
	case map[string]any:
		return e.object(v)
	case []any:
		out := make([]any, len(v))
		var errs []error
		for i, item := range v {
			x, err := e.value(item)
			if err != nil {
				errs = append(errs, fmt.Errorf("[%d]: %w", i, err))
			}
			out[i] = x
		}
		return out, errors.Join(errs...)
	default:
		return v, nil
	}
}

func (e *expansion) object(in map[string]any) (any, error) {
	out := make(map[string]any, len(in))
	extends := map[string]any{}
	var errs []error
	for _, k := range sortedKeys(in) {
		replaced, err := e.key(k, in[k], extends)
		if err != nil {
			errs = append(errs, err)
		}
		if replaced || err != nil {
			continue
		}
		v, err := e.value(in[k])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", Name(k), err))
		}
		out[k] = v
	}
	for k, v := range extends {
		out[k] = v
	}
	return out, errors.Join(errs...)
}

// key puts the map that a key stands for into extends, when the key is a
// reference over a map.
func (e *expansion) key(k string, over any, extends map[string]any) (bool, error) {
	if _, ok := over.(map[string]any); !ok || !Has(k) {
		return false, nil
	}
	v, err := e.text(k)
	if err != nil {
		return false, err
	}
	text, ok := v.(string)
	if !ok || text == k {
		return false, nil
	}
	m := map[string]any{}
	if yaml.Unmarshal([]byte(text), &m) != nil { // its error quotes the text
		return false, fmt.Errorf("resolving %s: it stands for no YAML map", Name(k))
	}
	for key, value := range m {
		extends[key] = value
	}
	return true, nil
}

// text resolves one string. What cannot be resolved yet gives nil and is noted
// in missing.
func (e *expansion) text(s string) (any, error) {
	s, ready, err := e.inner(s)
	if err != nil || !ready {
		return nil, err
	}
	at := e.patterns().ref.FindStringSubmatchIndex(s)
	if at == nil {
		return s, nil
	}
	if at[0] == 0 && at[1] == len(s) {
		v, _, err := e.lookup(s[at[2]:at[3]])
		return v, err
	}
	var out strings.Builder
	for ; at != nil; at = e.patterns().ref.FindStringSubmatchIndex(s) {
		v, found, err := e.lookup(s[at[2]:at[3]])
		if err == nil && found && v == nil {
			err = fmt.Errorf("resolving ref+%s: %w", Name(s[at[2]:at[3]]), errNull)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s%v", s[:at[0]], v)
		s = s[at[1]:]
	}
	out.WriteString(s)
	return out.String(), nil
}

// inner resolves the references that stand inside others, from the innermost
// outwards; not ready: one of them is missing.
func (e *expansion) inner(s string) (out string, ready bool, err error) {
	for range maxRefDepth {
		ref, start, end := e.nested(s)
		if ref == "" {
			return s, true, nil
		}
		v, found, err := e.lookup(ref)
		if err != nil || !found {
			return "", false, err
		}
		switch v.(type) {
		case nil, map[string]any, []any:
			return "", false, fmt.Errorf("resolving ref+%s: it stands inside another reference, but for no scalar", Name(ref))
		}
		s = s[:start] + fmt.Sprint(v) + s[end:]
	}
	return "", false, fmt.Errorf("references stand inside each other deeper than %d times", maxRefDepth)
}

// nested finds the last reference that stands inside another one: nothing that
// separates two references is between their beginnings.
func (e *expansion) nested(s string) (ref string, start, end int) {
	positions := e.patterns().prefix.FindAllStringIndex(s, -1)
	for i := len(positions) - 1; i >= 1; i-- {
		if strings.ContainsAny(s[positions[i-1][1]:positions[i][0]], " \n\r\t\",+") {
			continue
		}
		start := positions[i][0]
		if at := e.patterns().ref.FindStringSubmatchIndex(s[start:]); at != nil {
			return s[start+at[2] : start+at[3]], start + at[0], start + at[1]
		}
	}
	return "", 0, 0
}

func (e *expansion) lookup(ref string) (v any, found bool, err error) {
	f, ok := e.known[ref]
	if !ok {
		e.missing[ref] = true
		return nil, false, nil
	}
	if f.Err != nil {
		return nil, true, fmt.Errorf("resolving ref+%s: %w", Name(ref), f.Err)
	}
	return f.Value, true, nil
}
