package spec

import (
	"errors"
	"fmt"
)

// Declared gives every release that a selector matches, also those that their
// condition switches off, in order of declaration: what list shows. Needs are
// not looked at. The error is ErrNothingMatched, or joins an *Error for each
// release that its file declares twice.
func (s *Spec) Declared(sel Selector) ([]Release, error) {
	var out []Release
	for _, r := range s.Releases {
		if s.matches(sel, r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, s.nothing(sel)
	}
	return out, errors.Join(declaredOnce(out), s.unlocked(out))
}

// declaredOnce refuses two of these releases with one id in one file. helmfile
// does so in every command, also in those that only show what is declared, and
// also where a condition switches one of the two off.
func declaredOnce(rs []Release) error {
	type key struct {
		file int
		id   ReleaseID
	}
	first := map[key]Release{}
	var errs []error
	for _, r := range rs {
		k := key{r.File, r.ID}
		if other, ok := first[k]; ok {
			errs = append(errs, twice(r, other))
			continue
		}
		first[k] = r
	}
	return errors.Join(errs...)
}

// twice is the error for a release whose id another one has.
func twice(r, other Release) error {
	return &Error{Pos: r.Pos, Field: "releases." + r.ID.Name, Err: fmt.Errorf("found duplicate releases with ID %q, the other one is at %s", r.ID, other.Pos)}
}
