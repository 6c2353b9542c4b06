package plan

import (
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// StaleError says that a release is not what a saved plan was made for. It is
// state.ErrStale.
type StaleError struct {
	Release spec.ReleaseID
	Moved   string // what is not as it was
}

// Error names the release and what moved.
func (e *StaleError) Error() string { return e.Release.String() + ": " + e.Moved }

// Is makes it state.ErrStale.
func (e *StaleError) Is(target error) bool { return target == state.ErrStale }

// Still says in what the cluster is not any more as the plan found it, of the
// releases that it writes to. Each that moved is a *StaleError; all are joined.
func (p *Plan) Still(have state.Snapshot) error {
	return p.unmoved(have, func(s Step) bool { return s.Action.Writes() })
}

// Unmoved is Still, of the releases with which nothing was to be done as well: where
// one of them moved, something may be to do now.
func (p *Plan) Unmoved(have state.Snapshot) error {
	return p.unmoved(have, func(Step) bool { return true })
}

func (p *Plan) unmoved(have state.Snapshot, of func(Step) bool) error {
	var errs []error
	for _, step := range p.Steps {
		if !of(step) {
			continue
		}
		is, ok := have[step.Release.ID]
		if !ok {
			is = state.Release{ID: step.Release.ID, Phase: state.PhaseAbsent}
		}
		was, err := baseOf(step.Have)
		if err != nil {
			return fmt.Errorf("comparing %s: %w", step.Release.ID, err)
		}
		now, err := baseOf(is)
		if err != nil {
			return fmt.Errorf("comparing %s: %w", step.Release.ID, err)
		}
		if moved := was.moved(now); moved != "" {
			errs = append(errs, &StaleError{Release: step.Release.ID, Moved: moved})
		}
	}
	return errors.Join(errs...)
}

// Onto gives the plan for what the cluster holds now, ready to be executed,
// provided that no release that it writes to has moved since it was made. Each
// that did is a *StaleError; all are joined.
func (s *Saved) Onto(have state.Snapshot) (*Plan, error) {
	var errs []error
	bases := make(map[spec.ReleaseID]Base, len(s.Bases))
	for _, b := range s.Bases {
		bases[b.Release] = b
	}
	p := &Plan{Mode: s.Plan.Mode, Edges: s.Plan.Edges}
	for _, step := range s.Plan.Steps {
		if step.Action.Writes() {
			is, ok := have[step.Release.ID]
			if !ok {
				is = state.Release{ID: step.Release.ID, Phase: state.PhaseAbsent}
			}
			was, ok := bases[step.Release.ID]
			if !ok {
				return nil, fmt.Errorf("%s: the plan does not say what it was decided on", step.Release.ID)
			}
			now, err := baseOf(is)
			if err != nil {
				return nil, fmt.Errorf("comparing %s: %w", step.Release.ID, err)
			}
			if moved := was.moved(now); moved != "" {
				errs = append(errs, &StaleError{Release: step.Release.ID, Moved: moved})
			}
			step.Have, step.Base, step.Before = is, newest(is), Stored(is)
		}
		p.Steps = append(p.Steps, step)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// moved says in what a release is not any more as it was; empty: in nothing.
func (b Base) moved(now Base) string {
	switch {
	case len(b.Revisions) == 0 && len(now.Revisions) == 0:
		return ""
	case len(b.Revisions) == 0:
		return "it was not installed, and " + now.Revisions[0].String() + " is there now"
	case len(now.Revisions) == 0:
		return b.Revisions[0].String() + " is gone"
	}
	was, is := b.Revisions[0], now.Revisions[0]
	switch {
	case was.Number != is.Number:
		return "it was at " + was.String() + " and is at " + is.String()
	case was.Status != is.Status:
		return fmt.Sprintf("%s is %s now", was, is.Status)
	case was.Digest != is.Digest:
		return fmt.Sprintf("it was at %s, and %s was written in its place", was, is)
	case len(b.Revisions) != len(now.Revisions), len(b.Revisions) > 1 && b.Revisions[1].Digest != now.Revisions[1].Digest:
		return fmt.Sprintf("%s is as it was, but the revision that is deployed is not", is)
	default:
		return ""
	}
}

// String names a revision.
func (r BaseRevision) String() string {
	by := ""
	if r.Writer != "" {
		by = " by " + r.Writer
	}
	return fmt.Sprintf("revision %d (%s%s at %s)", r.Number, r.Status, by, at(r.Deployed))
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ElsewhereError says that a context leads to another cluster than a saved plan
// was made for. It is state.ErrStale.
type ElsewhereError struct {
	Context string
	Why     string
}

// Error names the context and says what was seen.
func (e *ElsewhereError) Error() string { return "context " + e.Context + ": " + e.Why }

// Is makes it state.ErrStale.
func (e *ElsewhereError) Is(target error) bool { return target == state.ErrStale }

// Elsewhere refuses a plan whose contexts lead to other clusters now; each is an
// *ElsewhereError.
func (s *Saved) Elsewhere(now []state.ClusterID) error {
	seen := make(map[string]state.ClusterID, len(now))
	for _, c := range now {
		seen[c.Context] = c
	}
	var errs []error
	for _, was := range s.Clusters {
		is, ok := seen[was.Context]
		if !ok {
			continue // the plan writes nothing there
		}
		if why := was.Other(is); why != "" {
			errs = append(errs, &ElsewhereError{Context: was.Context, Why: why})
		}
	}
	return errors.Join(errs...)
}
