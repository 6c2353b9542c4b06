package spec

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Selector chooses releases by label. The zero value chooses all of them.
type Selector struct {
	terms []term // any of them
}

// term is a list of conditions, all of which must hold.
type term []condition

type condition struct {
	key, value string
	not        bool
}

// ParseSelector reads selectors in helmfile's form: k=v or k!=v, a comma
// between conditions that must all hold, several terms of which any may hold.
func ParseSelector(terms []string) (Selector, error) {
	word := regexp.MustCompile(`^([a-zA-Z0-9_./+-]+)(!?=)([a-zA-Z0-9_./+-]+)$`)
	var out Selector
	var errs []error
	for _, text := range terms {
		var t term
		for _, part := range strings.Split(text, ",") {
			m := word.FindStringSubmatch(part)
			if m == nil {
				errs = append(errs, fmt.Errorf("bad selector %q: expected k=v or k!=v, found %q", text, part))
				continue
			}
			t = append(t, condition{key: m[1], value: m[3], not: m[2] == "!="})
		}
		out.terms = append(out.terms, t)
	}
	if len(errs) > 0 {
		return Selector{}, errors.Join(errs...)
	}
	return out, nil
}

// Empty says that the selector chooses everything.
func (s Selector) Empty() bool { return len(s.terms) == 0 }

// String prints the terms as they are written, with a blank between them.
func (s Selector) String() string {
	var terms []string
	for _, t := range s.terms {
		var parts []string
		for _, c := range t {
			op := "="
			if c.not {
				op = "!="
			}
			parts = append(parts, c.key+op+c.value)
		}
		terms = append(terms, strings.Join(parts, ","))
	}
	return strings.Join(terms, " ")
}

// Matches says whether labels are chosen. A condition k!=v also holds where
// there is no label k.
func (s Selector) Matches(labels map[string]string) bool {
	if s.Empty() {
		return true
	}
	for _, t := range s.terms {
		if t.matches(labels) {
			return true
		}
	}
	return false
}

func (t term) matches(labels map[string]string) bool {
	for _, c := range t {
		v, ok := labels[c.key]
		if same := ok && v == c.value; same == c.not {
			return false
		}
	}
	return true
}

// contradicts says that no release can match both: in every pair of terms one
// key would need two values. helmfile skips nested files by this rule.
func (s Selector) contradicts(other Selector) bool {
	if s.Empty() || other.Empty() {
		return false
	}
	for _, a := range s.terms {
		for _, b := range other.terms {
			if !a.contradicts(b) {
				return false
			}
		}
	}
	return true
}

func (t term) contradicts(other term) bool {
	for _, a := range t {
		for _, b := range other {
			if !a.not && !b.not && a.key == b.key && a.value != b.value {
				return true
			}
		}
	}
	return false
}
