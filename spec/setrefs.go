package spec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/values"
)

// SetOf gives Release.Set with its secret references resolved, which loading
// leaves as they are written: whoever only lists releases needs no secrets.
// What the caller has appended to Release.Set counts, too. The result is in the
// order in which Helm applies its flags: by kind, and as written within a kind.
func (s *Spec) SetOf(ctx context.Context, r Release) ([]SetValue, error) {
	if s.loaded == nil || !slices.ContainsFunc(r.Set, func(v SetValue) bool { return values.Has(v.Value) }) {
		return inHelmsOrder(r.Set), nil
	}
	f := s.loaded.files[r.File].file
	c := &converter{loader: s.loaded.loader, file: f}
	refs := s.loaded.loader.refs(f.dir)
	resolve := func(text string) (string, error) { return refs.Text(ctx, text) }
	raw := s.loaded.releases[r.Index].raw
	written, err := c.set(raw, func(text string) (string, error) { return text, nil })
	errs := []error{err}
	set, err := c.set(raw, resolve)
	errs = append(errs, err)
	set = append(set, r.Set[min(len(written), len(r.Set)):]...)
	for i := range set {
		if i >= len(written) || set[i].Kind == SetRaw { // what the state file says is resolved, but not --set
			set[i], err = set[i].resolved(resolve)
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the values of release %s: %w", r.ID, err)
	}
	return inHelmsOrder(set), nil
}

// inHelmsOrder sorts a copy: a later kind wins over an earlier one, wherever it
// is written. Source: MergeValues of helm.sh/helm/v4/pkg/cli/values.
func inHelmsOrder(set []SetValue) []SetValue {
	rank := map[SetKind]int{SetJSON: 0, SetTyped: 1, SetRaw: 1, "": 1, SetString: 2, SetFile: 3, SetLiteral: 4}
	sorted := slices.Clone(set)
	slices.SortStableFunc(sorted, func(a, b SetValue) int { return rank[a.Kind] - rank[b.Kind] })
	return sorted
}

// resolved resolves the references in a set that is written as for Helm.
func (v SetValue) resolved(resolve func(string) (string, error)) (SetValue, error) {
	if !values.Has(v.Value) {
		return v, nil
	}
	var err error
	switch v.Kind {
	case SetRaw, SetTyped, SetString, "":
		v.Value, err = inExpression(v.Value, resolve)
	case SetLiteral:
		v.Value, err = resolve(v.Value)
	case SetFile, SetJSON: // a path, and JSON as it is, are no places for references
	default:
		err = fmt.Errorf("unknown kind of set %q", v.Kind)
	}
	if err != nil {
		return v, &Error{Pos: v.Pos, Field: strings.TrimSuffix("set."+v.Name, "."), Err: err}
	}
	return v, nil
}

// inExpression resolves the references in an expression of strvals, such as
// a=ref+x://y,l={ref+x://z}. A comma or brace that belongs to a reference has a
// backslash before it, as in any value; what comes in its place gets them, so
// that no secret is read as syntax.
func inExpression(text string, resolve func(string) (string, error)) (string, error) {
	var out strings.Builder
	for _, piece := range pieces(text) {
		at := strings.Index(piece, "ref+")
		if at < 0 {
			out.WriteString(piece)
			continue
		}
		value := strings.LastIndex(piece[:at], "=") + 1
		got, err := resolve(unescapeSet(piece[value:]))
		if err != nil {
			return "", err
		}
		out.WriteString(piece[:value] + strings.NewReplacer(`\`, `\\`, "{", `\{`, "}", `\}`, ",", `\,`).Replace(got))
	}
	return out.String(), nil
}

// pieces cuts before and after every comma and brace that is syntax.
func pieces(text string) []string {
	var out []string
	start, escaped := 0, false
	for i, c := range text {
		if !escaped && strings.ContainsRune(",{}", c) {
			out = append(out, text[start:i], text[i:i+1])
			start = i + 1
		}
		escaped = !escaped && c == '\\'
	}
	return append(out, text[start:])
}

func unescapeSet(text string) string {
	var out strings.Builder
	escaped := false
	for _, c := range text {
		if escaped = !escaped && c == '\\'; !escaped {
			out.WriteRune(c)
		}
	}
	return out.String()
}
