package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Build makes the plan of one run. All errors are joined: busy releases, needs
// that form a cycle, and manifests that cannot be read.
func Build(in Input) (*Plan, error) {
	if in.Policy.Mode == "" {
		in.Policy.Mode = ModeApply
	}
	in.kinds = kindsOf(in.Want)
	in.Releases = slices.SortedStableFunc(slices.Values(in.Releases), func(a, b spec.Release) int { return cmp.Compare(a.Index, b.Index) })
	in.Releases = withUndeclared(in)
	errs := duplicates(in.Releases)
	steps := make([]Step, 0, len(in.Releases))
	for _, r := range in.Releases {
		s, err := step(r, in)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		steps = append(steps, s)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return order(&Plan{Mode: in.Policy.Mode, Steps: steps}, in.Files)
}

// withUndeclared are the releases of a run, in order of declaration, and then those
// that are not declared any more.
func withUndeclared(in Input) []spec.Release {
	after := 0
	for _, r := range in.Releases {
		after = max(after, r.Index+1)
	}
	return slices.Concat(in.Releases, undeclared(in.Undeclared, after))
}

// duplicates are told by spec already, but for those that only the defaults of
// the cluster make one: a release in no namespace, and one in "default".
func duplicates(releases []spec.Release) []error {
	var errs []error
	first := map[spec.ReleaseID]spec.Release{}
	for _, r := range releases {
		other, ok := first[r.ID]
		if !ok {
			first[r.ID] = r
			continue
		}
		errs = append(errs, &spec.Error{Pos: r.Pos, Err: fmt.Errorf("found duplicate releases with ID %q, the other one is at %s", r.ID, other.Pos)})
	}
	return errs
}

func step(r spec.Release, in Input) (Step, error) {
	have, ok := in.Have[r.ID]
	if !ok {
		have = state.Release{ID: r.ID, Phase: state.PhaseAbsent}
	}
	s := Step{Release: r, Have: have, Base: newest(have), Before: Stored(have)}
	want := in.Want[r.ID]
	wanted := want != nil && r.Installed && in.Policy.Mode != ModeDestroy
	if wanted {
		s.After = want
	}
	options := in.Policy.Diff
	options.Namespace, options.ClusterScoped = r.ID.Namespace, in.ClusterScoped[r.ID.Context]
	if options.Types == nil {
		options.Types = in.kinds.in(r.ID.Context)
	}
	changes, err := diff.Revisions(s.Before, s.After, options)
	if err != nil && s.After != nil {
		return Step{}, fmt.Errorf("comparing %s: %w", r.ID, err)
	}
	s.Changes = changes // none of a deletion whose stored manifest cannot be read: that keeps nobody from it
	left := strays(s, options)
	if in.Policy.looks() && r.File >= 0 {
		seen := in.Live[r.ID]
		s.Changes, s.Drift, s.Seen = slices.Concat(seen.Changes, ofHooks(changes)), seen.Drift, seen.Seen
	}
	s.Changes = append(s.Changes, left...)
	s.Action, s.Reason, err = Decide(Observation{
		Phase:   have.Phase,
		Wanted:  wanted,
		Changed: len(changes) > 0,
		Drifted: len(s.Drift) > 0,
		CutOff:  in.Pending[r.ID].CutOff,
	}, in.Policy)
	if err != nil {
		return Step{}, busy(r, have, in.Pending[r.ID].By, err)
	}
	if r.File < 0 {
		s.Reason = ReasonUndeclared
	}
	s.Causes = causes(s, options)
	if in.Policy.Against == LevelLive {
		s.Objections = conflicts(s, in.Live[r.ID])
	}
	return s, nil
}

// newest is the number of the newest revision; zero: there is none.
func newest(have state.Release) int {
	if last := have.Last(); last != nil {
		return last.Number
	}
	return 0
}

// ofHooks keeps the changes of hooks, which are in no cluster to look at.
func ofHooks(changes []diff.Change) []diff.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(c diff.Change) bool { return !c.Hook })
}

// Stored is the revision whose objects are in the cluster, by Helm's account: the
// newest deployed one, else the newest that was tried. It is nil where there is
// none, or only the history of what was uninstalled.
func Stored(have state.Release) *state.Revision {
	if have.Phase == state.PhaseUninstalled {
		return nil
	}
	if d := have.Deployed(); d != nil {
		return d
	}
	return have.Last()
}

func busy(r spec.Release, have state.Release, by string, err error) error {
	last := have.Last()
	if last == nil || !errors.Is(err, ErrBusy) {
		return fmt.Errorf("deciding on %s: %w", r.ID, err)
	}
	since := last.Deployed.UTC().Format(time.RFC3339)
	if by != "" {
		return fmt.Errorf("%s: %w: revision %d is %s since %s, by %s; wait for it to end (--lock-timeout does), or use --force-pending when you know that it is gone",
			r.ID, err, last.Number, last.Status, since, by)
	}
	writer := ""
	if last.Writer != "" {
		writer = ", written by " + last.Writer
	}
	return fmt.Errorf("%s: %w: revision %d is %s since %s%s, and nobody can tell from here whether it still goes on; wait for it to end, or use --force-pending when you know that whoever started it is gone",
		r.ID, err, last.Number, last.Status, since, writer)
}
