package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// recorded is the plan that a run executed, as far as its record and the clusters
// tell: enough to put it back, and to go on with what needs no new revision.
func (s *session) recorded(ctx context.Context, k *knownRun) (*plan.Plan, error) {
	ids := make([]spec.ReleaseID, len(k.Steps))
	for i, step := range k.Steps {
		ids[i] = step.Release
	}
	scoped, err := s.clusters().ClusterScoped(ctx, ids)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	p := &plan.Plan{Mode: plan.Mode(k.Mode)}
	for i := range k.Steps {
		one := k.recorded(i)
		options := diff.Options{Namespace: one.Release.ID.Namespace, ClusterScoped: scoped[one.Release.ID.Context], Redact: s.secrets.met.Redact}
		if one.Changes, err = diff.Revisions(one.Before, one.After, options); err != nil {
			one.Changes = nil // Helm could not have read it either
		}
		p.Steps = append(p.Steps, one)
	}
	for _, e := range k.Edges {
		p.Edges = append(p.Edges, plan.Edge{From: k.node(e.From), To: k.node(e.To), Kind: plan.EdgeFileOrder})
	}
	return p, nil
}

// recorded is one step of the run, with revisions as they are stored.
func (k *knownRun) recorded(i int) plan.Step {
	was, is := k.Steps[i], k.steps[i]
	have := k.sight.Have[was.Release]
	have.ID = was.Release
	step := plan.Step{
		Release: spec.Release{ID: was.Release, Index: i, AtomicGroup: was.Group, Options: was.Options, Installed: was.Action != string(plan.ActionUninstall)},
		Action:  plan.Action(was.Action), Have: have, Base: was.Base,
	}
	for _, n := range was.Needs {
		step.Release.Needs = append(step.Release.Needs, spec.Need{ID: k.Steps[n].Release})
	}
	if was.Back > 0 {
		step.Before = revisionOf(have, was.Back)
		step.Before.Status = was.BackStatus
	}
	if step.Release.Installed {
		number := was.Intended
		if is.Left.Revision > was.Base {
			number = is.Left.Revision
		}
		step.After = revisionOf(have, number)
	}
	return step
}

// revisionOf is a revision of a release, or at least its number.
func revisionOf(have state.Release, number int) *state.Revision {
	for _, rev := range have.History {
		if rev.Number == number {
			return &rev
		}
	}
	return &state.Revision{Number: number}
}

// node is what a number of an edge stands for.
func (k *knownRun) node(i int) plan.Node {
	if i < len(k.Steps) {
		return plan.Node{Release: k.Steps[i].Release}
	}
	return plan.Node{Gate: fmt.Sprint("gate ", i)}
}

// prior is what the processes before did, for one that puts it back.
func (k *knownRun) prior() map[spec.ReleaseID]executor.Prior {
	all := map[spec.ReleaseID]executor.Prior{}
	for i, one := range k.steps {
		all[k.Steps[i].Release] = k.priorOf(i, one)
	}
	return all
}

func (k *knownRun) priorOf(i int, one journal.Recovered) executor.Prior {
	p := executor.Prior{Left: one.Left}
	switch one.Standing {
	case journal.StandingNotBegun:
		return executor.Prior{Because: k.because(i)}
	case journal.StandingCutOff:
	case journal.StandingDone:
		p.Outcome = executor.OutcomeDone
	case journal.StandingFailed:
		p.Outcome, p.Err = executor.OutcomeFailed, k.errorOf(i)
	case journal.StandingUndone:
		p.Outcome = executor.OutcomeUndone
		if k.Steps[i].Error != "" { // what else is undone depends on what had failed
			p.Err = k.errorOf(i)
		}
	case journal.StandingMoved:
		if !k.begun(i) {
			return executor.Prior{Because: k.because(i)}
		}
		if one.Now == nil && k.Steps[i].Base == 0 {
			p.Outcome = executor.OutcomeUndone // it is gone, as it was
			return p
		}
		p.Outcome, p.Err = executor.OutcomeUndoFailed, movedError{k.left(i) + "; " + one.Describe()}
	default:
		p.Outcome, p.Err = executor.OutcomeUndoFailed, fmt.Errorf("no way to undo a step that is %q is known", one.Standing)
	}
	return p
}

// movedError says that somebody else has worked on a release, whose name stands
// beside it. It is state.ErrStale.
type movedError struct{ text string }

// Error says what the run left, and what is there.
func (e movedError) Error() string { return e.text + "; somebody else has worked on it" }

// Is makes it state.ErrStale.
func (e movedError) Is(target error) bool { return target == state.ErrStale }

func (k *knownRun) begun(i int) bool { return k.Steps[i].Begun() }

// because says why a step was never begun.
func (k *knownRun) because(i int) string {
	switch {
	case k.Steps[i].Because != "":
		return k.Steps[i].Because
	case k.Finished.IsZero():
		return "the run was cut off before"
	default:
		return "the run had ended before"
	}
}

// left says what the run left of a release, by its record.
func (k *knownRun) left(i int) string {
	if left := k.Steps[i].Left; left != nil && left.Revision > 0 {
		return fmt.Sprintf("the run left revision %d (%s)", left.Revision, left.Status)
	}
	return fmt.Sprintf("the run was to write revision %d", max(k.Steps[i].Intended, k.Steps[i].Base))
}

func (k *knownRun) errorOf(i int) error {
	err := errors.New("its operation had failed when the run was cut off")
	if text := k.Steps[i].Error; text != "" {
		err = errors.New(strings.TrimSpace(text))
	}
	if k.Steps[i].OfGroup {
		return &executor.GroupError{Group: k.Steps[i].Group, Tolerated: k.tolerates(i), Err: err}
	}
	return err
}

// tolerates reports whether the run goes on past the failure of a step: that of a
// group's gate if all members may fail.
func (k *knownRun) tolerates(i int) bool {
	if !k.Steps[i].OfGroup {
		return k.Steps[i].Options.ContinueOnError
	}
	return !slices.ContainsFunc(k.Steps, func(s journal.Step) bool {
		return s.Group == k.Steps[i].Group && !s.Options.ContinueOnError
	})
}

// verdict is how far the run is undone; nil: no process has decided that.
func (k *knownRun) verdict() *executor.Verdict {
	if k.Stage != journal.StageUndoing || k.Verdict == nil {
		return nil
	}
	v := &executor.Verdict{Tolerated: k.Verdict.Tolerated}
	for _, i := range k.Verdict.Undo {
		v.Undo = append(v.Undo, k.Steps[i].Release)
	}
	for _, l := range k.Verdict.Lost {
		v.Lost = append(v.Lost, plan.Lost{Release: k.Steps[l.Step].Release, Object: l.Object, Why: l.Why})
	}
	return v
}

// settled is the record with what was found out, for whoever goes on.
func (k *knownRun) settled() journal.Run {
	r := k.Run
	r.Steps = append([]journal.Step(nil), r.Steps...)
	for i := range r.Steps {
		step, one := &r.Steps[i], k.steps[i]
		if one.Standing == journal.StandingNotBegun || one.Standing == journal.StandingMoved {
			continue
		}
		step.Left = &one.Left
		switch {
		case one.Standing == journal.StandingUndone:
			step.State = journal.StateUndone
		case step.State != journal.StateRunning && step.State != journal.StatePending:
		case one.Standing == journal.StandingFailed:
			step.State, step.Error = journal.StateFailed, k.errorOf(i).Error()
		case one.Standing == journal.StandingDone && !one.Unended:
			step.State = journal.StateDone
		}
	}
	return r
}
