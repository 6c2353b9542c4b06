package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// DriftIgnore is a rule of drift.ignore: what a finding has to be like so that it
// does not count. What is empty matches anything.
type DriftIgnore struct {
	Kind      string    // such as Deployment
	Name      string    // glob, see path.Match
	Namespace string    // glob
	Pointer   []string  // tokens of a JSON pointer; * is any element or key. What is below it counts, too
	Manager   string    // glob, of field managers
	Reason    string    // never empty
	Expires   time.Time // the rule counts until the end of this day, UTC; zero: always
	Pos       Pos
	File      int // index into Spec.Files: it counts for releases of this file and of those that it nests
}

// Expired reports whether the rule's day is over.
func (d DriftIgnore) Expired(now time.Time) bool {
	return !d.Expires.IsZero() && !now.Before(d.Expires.AddDate(0, 0, 1))
}

// String names the rule by what it matches.
func (d DriftIgnore) String() string {
	var parts []string
	add := func(key, text string) {
		if text != "" {
			parts = append(parts, key+" "+text)
		}
	}
	add("kind", d.Kind)
	add("name", d.Name)
	add("namespace", d.Namespace)
	if len(d.Pointer) > 0 {
		escape := strings.NewReplacer("~", "~0", "/", "~1")
		var b strings.Builder
		for _, token := range d.Pointer {
			b.WriteString("/" + escape.Replace(token))
		}
		add("pointer", b.String())
	}
	add("manager", d.Manager)
	return strings.Join(parts, ", ")
}

// DriftIgnores are the rules of all files, in their order.
func (s *Spec) DriftIgnores() []DriftIgnore {
	var all []DriftIgnore
	for _, f := range s.Files {
		all = append(all, f.DriftIgnores...)
	}
	return all
}

// Holds reports whether the rule is one for releases of a file.
func (d DriftIgnore) Holds(s *Spec, file int) bool {
	for at := file; at >= 0 && at < len(s.Files); at = s.Files[at].Parent {
		if at == d.File {
			return true
		}
	}
	return false
}

// addDrift reads what a file says of drift.
func (l *loader) addDrift(f *stateFile, index int) error {
	var errs []error
	for i, one := range f.state.Drift.Ignore {
		d, wrong := driftIgnore(one)
		d.File, d.Pos = index, posOf(one.Pos)
		for _, err := range wrong {
			errs = append(errs, mistake(one.Pos, fmt.Sprintf("drift.ignore[%d]", i), err))
		}
		l.spec.Files[index].DriftIgnores = append(l.spec.Files[index].DriftIgnores, d)
	}
	return errors.Join(errs...)
}

func driftIgnore(in schema.DriftIgnore) (DriftIgnore, []error) {
	d := DriftIgnore{Kind: in.Kind, Name: in.Name, Namespace: in.Namespace, Manager: in.Manager, Reason: strings.TrimSpace(in.Reason)}
	var errs []error
	if d.Reason == "" {
		errs = append(errs, errors.New("reason is missing: say why this is no drift, for whoever reads it in a year"))
	}
	for _, glob := range []string{d.Name, d.Namespace, d.Manager} {
		if _, err := path.Match(glob, ""); err != nil {
			errs = append(errs, fmt.Errorf("%q is no glob such as web-*: %w", glob, err))
		}
	}
	if in.Pointer != "" {
		var err error
		if d.Pointer, err = pointerOf(in.Pointer); err != nil {
			errs = append(errs, err)
		}
	}
	if in.Expires != "" {
		var err error
		if d.Expires, err = time.Parse(time.DateOnly, in.Expires); err != nil {
			errs = append(errs, fmt.Errorf("expires %q is no day: write it as 2026-12-31", in.Expires))
		}
	}
	if d.Kind == "" && d.Name == "" && d.Namespace == "" && d.Pointer == nil && d.Manager == "" {
		errs = append(errs, errors.New("it would ignore everything: say a kind, name, namespace, pointer or manager"))
	}
	return d, errs
}

// pointerOf takes a JSON pointer (RFC 6901) apart.
func pointerOf(text string) ([]string, error) {
	if !strings.HasPrefix(text, "/") || text == "/" {
		return nil, fmt.Errorf("pointer %q is no JSON pointer such as /spec/replicas", text)
	}
	tokens := strings.Split(text[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, token := range tokens {
		if rest := strings.NewReplacer("~0", "", "~1", "").Replace(token); strings.Contains(rest, "~") {
			return nil, fmt.Errorf("pointer %q: a ~ of a key is written as ~0, and a / as ~1", text)
		}
		tokens[i] = unescape.Replace(token)
	}
	return slices.Clip(tokens), nil
}
