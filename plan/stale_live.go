package plan

import (
	"errors"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
)

// LooksAtObjects reports whether the plan was decided on live objects, so that
// they have to be looked at again before it is executed.
func (s *Saved) LooksAtObjects() bool { return Policy{Against: s.Policy.Against}.looks() }

// MovedLive compares the objects as they are now with what the plan was decided
// on, in the fields that it declares. Each release of which an object moved is a
// *StaleError that names objects, fields and who set them; all are joined.
// Releases that now says nothing of are left out.
func (s *Saved) MovedLive(now map[spec.ReleaseID]live.Result) error {
	var errs []error
	for _, b := range s.Bases {
		if is, ok := now[b.Release]; ok {
			if moved := is.Moved(b.Seen); len(moved) > 0 {
				errs = append(errs, &StaleError{Release: b.Release, Moved: strings.Join(moved, "; ")})
			}
		}
	}
	return errors.Join(errs...)
}
