package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// ahead is what is still to do of a run, and what it is done with.
type ahead struct {
	run     *knownRun
	replan  bool // what is wanted may be something else than it was
	fleet   map[spec.ReleaseID]spec.Release
	want    map[spec.ReleaseID]*state.Revision
	workers executor.Workers

	plan  *plan.Plan
	prior map[spec.ReleaseID]executor.Prior
	steps []journal.Step // of the record that goes on
}

// finish does what is left of a run: as the saved plan says that it applied, or as
// the state files do.
func (c *resumeCmd) finish(ctx context.Context, s *session, k *knownRun, q changeRequest) error {
	switch {
	case c.Plan != "":
		return c.finishSaved(ctx, s, k, q)
	case k.Plan.File != "" && !c.Replan:
		return fmt.Errorf("%w: run %s applied a saved plan: give its file with --plan, or put the run back with --undo", errUsage, k.ID)
	}
	if err := s.asRecorded(k); err != nil {
		return err
	}
	t, f, err := s.bound(ctx, q.request)
	if err != nil {
		return err
	}
	if q, err = q.of(f); err != nil {
		return err
	}
	a := &ahead{run: k, replan: c.Replan, fleet: map[spec.ReleaseID]spec.Release{}, workers: t.workers()}
	f.releases = slices.DeleteFunc(f.releases, func(r spec.Release) bool { return !k.unfinished(r.ID) })
	return t.around(ctx, f, func(f *fleet) error {
		if f, err = marked(f); err != nil {
			return err
		}
		for _, r := range f.releases {
			a.fleet[r.ID] = r
		}
		if a.want, err = t.desired(ctx, f, a.bases(), engine.RenderInput{}); err != nil {
			return err
		}
		if err := s.assemble(ctx, a); err != nil {
			return err
		}
		if err := t.gates(ctx, f, a.plan); err != nil {
			return err
		}
		return s.goAhead(ctx, a, q)
	})
}

// finishSaved goes on with the saved plan that the run applied.
func (c *resumeCmd) finishSaved(ctx context.Context, s *session, k *knownRun, q changeRequest) error {
	saved := c.saved.Saved
	if err := errors.Join(s.mayStart(c.Plan, saved), s.sameClusters(ctx, saved)); err != nil {
		return err
	}
	charts, err := imported(c.saved.charts)
	if err != nil {
		return fmt.Errorf("reading the plan %s: %w", c.Plan, err)
	}
	e := s.engine(charts)
	a := &ahead{
		run: k, fleet: map[spec.ReleaseID]spec.Release{}, want: map[spec.ReleaseID]*state.Revision{},
		workers: executor.Workers{Releases: e, Undo: e, Hooks: s.frozen(saved), Verify: s.gatekeeper(e), Resume: e, Look: e},
	}
	for _, step := range saved.Plan.Steps {
		a.fleet[step.Release.ID] = step.Release
		if step.After != nil && step.Action.Writes() {
			a.want[step.Release.ID] = step.After
		}
	}
	if err := s.assemble(ctx, a); err != nil {
		return err
	}
	return s.goAhead(ctx, a, q)
}

// asRecorded refuses another environment or selector than the record has. What
// was selected, the steps of the record say.
func (s *session) asRecorded(k *knownRun) error {
	if k.Environment != "" && k.Environment != s.globals.Environment {
		return fmt.Errorf("%w: run %s is of the environment %s", errUsage, k.ID, k.Environment)
	}
	if s.given["selector"] && !slices.Equal(s.globals.Selector, k.Selector) {
		return fmt.Errorf("%w: run %s had the selector %q: leave --selector out", errUsage, k.ID, strings.Join(k.Selector, " or "))
	}
	s.globals.Selector = nil
	return nil
}

// settledAt reports whether a step is not run again. Of a run that has ended, what
// failed or was put back is.
func (k *knownRun) settledAt(i int) bool {
	switch one := k.steps[i]; one.Standing {
	case journal.StandingDone:
		return !one.Unended
	case journal.StandingFailed:
		return k.Finished.IsZero()
	case journal.StandingMoved:
		return k.Steps[i].State == journal.StateDone
	case journal.StandingNotBegun, journal.StandingCutOff, journal.StandingUndone:
		return false
	default:
		return false
	}
}

// unfinished reports whether something is left to do with a release.
func (k *knownRun) unfinished(id spec.ReleaseID) bool {
	at := slices.IndexFunc(k.Steps, func(s journal.Step) bool { return s.Release == id })
	return at >= 0 && !k.settledAt(at)
}

// afresh reports whether a step starts from what is there now: it never began, or
// was put back, or somebody else has worked on the release.
func (k *knownRun) afresh(i int) bool {
	switch k.steps[i].Standing {
	case journal.StandingNotBegun, journal.StandingUndone, journal.StandingMoved:
		return true
	case journal.StandingCutOff, journal.StandingDone, journal.StandingFailed:
		return false
	default:
		return false
	}
}

// bases are the releases as the run found them, so that what is wanted is rendered
// as it was for the run: an install stays one although its revision is there.
func (a *ahead) bases() state.Snapshot {
	have := state.Snapshot{}
	for i, step := range a.run.Steps {
		now, known := a.run.sight.Have[step.Release]
		if known && !a.run.afresh(i) {
			now = baseOf(now, step)
			known = len(now.History) > 0
		}
		if known {
			have[step.Release] = now
		}
	}
	return have
}

// baseOf takes what a step wrote out of a release.
func baseOf(now state.Release, step journal.Step) state.Release {
	base := state.Release{ID: now.ID, Phase: state.PhaseAbsent}
	for _, rev := range now.History {
		switch {
		case rev.Number > step.Base:
			continue
		case rev.Number == step.Base:
			rev.Status = step.BaseStatus
		case rev.Number == step.Back:
			rev.Status = step.BackStatus
		}
		base.History = append(base.History, rev)
	}
	if last := base.Last(); last != nil {
		base.Phase = state.PhaseOf(last.Status)
	}
	return base
}

// assemble makes the plan of what is left to do: the steps of the record in its
// order, those that are not settled with what is wanted now.
func (s *session) assemble(ctx context.Context, a *ahead) error {
	k := a.run
	var err error
	if a.plan, err = s.recorded(ctx, k); err != nil {
		return err
	}
	a.prior, a.steps = map[spec.ReleaseID]executor.Prior{}, k.settled().Steps
	var refused []error
	for i := range k.Steps {
		id := k.Steps[i].Release
		a.prior[id] = a.priorOf(i)
		moved := a.moved(i)
		refused = append(refused, moved)
		if k.settledAt(i) || moved != nil {
			continue
		}
		if a.plan.Steps[i], err = a.step(i); err == nil {
			a.steps[i], err = a.record(i)
		}
		if errors.Is(err, state.ErrStale) {
			refused = append(refused, err)
		} else if err != nil {
			return err
		}
	}
	if err := errors.Join(refused...); err != nil {
		advice := fmt.Sprintf("run %s cannot be finished as it was begun: nothing was written; to go on with what is wanted now: flotilla resume %s --replan; to put back what the run did: flotilla resume %s --undo",
			k.ID, k.ID+s.where(), k.ID+s.where())
		return errors.Join(errors.New(advice), err)
	}
	return nil
}

// moved refuses to go on where somebody else has worked on a release.
func (a *ahead) moved(i int) error {
	if a.replan || a.run.steps[i].Standing != journal.StandingMoved {
		return nil
	}
	return &plan.StaleError{Release: a.run.Steps[i].Release, Moved: a.run.left(i) + "; " + a.run.steps[i].Describe()}
}

// priorOf is what an earlier process did, for one that goes on.
func (a *ahead) priorOf(i int) executor.Prior {
	k := a.run
	one := k.steps[i]
	switch {
	case k.settledAt(i) && one.Standing == journal.StandingFailed:
		return executor.Prior{Outcome: executor.OutcomeFailed, Left: one.Left, Err: k.errorOf(i)}
	case k.settledAt(i):
		return executor.Prior{Outcome: executor.OutcomeDone, Left: one.Left}
	case k.afresh(i):
		return executor.Prior{}
	default:
		return executor.Prior{Left: one.Left, Written: one.Standing == journal.StandingDone}
	}
}

// step is what is left to do of a release. Its error is state.ErrStale where that
// is something else than the run began.
func (a *ahead) step(i int) (plan.Step, error) {
	k, was := a.run, a.run.Steps[i]
	step := a.plan.Steps[i]
	r, declared := a.fleet[was.Release]
	switch {
	case declared:
	case was.Action == string(plan.ActionUninstall) && k.steps[i].Standing != journal.StandingMoved:
		r, r.File, r.Enabled = step.Release, -1, true // it needs no declaration to go
	default:
		return step, &plan.StaleError{Release: was.Release, Moved: "it is not declared any more, or not selected"}
	}
	step.Release, step.After = r, a.want[was.Release]
	if k.Mode == string(plan.ModeDestroy) {
		step.After = nil
	}
	if k.afresh(i) {
		step.Base, step.Before = 0, plan.Stored(step.Have)
		if last := step.Have.Last(); last != nil {
			step.Base = last.Number
		}
	}
	wanted, err := step.Wanted()
	switch {
	case err != nil:
		return step, err
	case a.replan && k.afresh(i): // it may be there by now, or be gone
		seen := plan.Observation{Phase: cmp.Or(step.Have.Phase, state.PhaseAbsent), Wanted: step.After != nil, Changed: true,
			CutOff: k.steps[i].Standing == journal.StandingNotBegun} // it is as it was when the run decided on it
		if step.Action, _, err = plan.Decide(seen, plan.Policy{Mode: a.plan.Mode}); err != nil {
			return step, fmt.Errorf("deciding on %s: %w", was.Release, err)
		}
	case wanted == was.Wanted:
	case !a.replan:
		return step, &plan.StaleError{Release: was.Release, Moved: "what is wanted of it is not what it was"}
	case step.After == nil:
		step.Action = plan.ActionUninstall
	case step.Action == plan.ActionUninstall:
		step.Action = plan.ActionUpgrade
	}
	if step.Action == plan.ActionUninstall && step.Have.Last() == nil {
		step.Action = plan.ActionNone
	}
	step.Reason = k.reason(i, step.Action)
	if step.Reason == plan.ReasonNotWanted && r.File < 0 {
		step.Reason = plan.ReasonUndeclared
	}
	step.Changes, err = diff.Revisions(step.Before, step.After, diff.Options{Namespace: r.ID.Namespace})
	return step, err
}

// reason is why a step is still to do.
func (k *knownRun) reason(i int, a plan.Action) plan.Reason {
	switch {
	case !k.afresh(i):
		return plan.ReasonPending
	case k.Mode == string(plan.ModeDestroy):
		return plan.ReasonDestroy
	case a == plan.ActionUninstall:
		return plan.ReasonNotWanted
	case a == plan.ActionInstall:
		return plan.ReasonNew
	default:
		return plan.ReasonChanged
	}
}

// record is the step as the record goes on with it.
func (a *ahead) record(i int) (journal.Step, error) {
	was, is := a.steps[i], a.plan.Steps[i]
	next, err := stepOf(is)
	if err != nil {
		return next, err
	}
	next.Needs, next.State = was.Needs, journal.StatePending
	if a.run.afresh(i) {
		return next, nil
	}
	next.BaseAt, next.BaseStatus, next.Back, next.BackStatus = was.BaseAt, was.BaseStatus, was.Back, was.BackStatus
	next.State, next.Started, next.Left = journal.StateRunning, was.Started, was.Left
	next.CRDs, next.MakesNamespace = was.CRDs, was.MakesNamespace
	return next, nil
}

// goAhead shows what is left to do, and does it.
func (s *session) goAhead(ctx context.Context, a *ahead, q changeRequest) error {
	k := a.run
	w, err := s.gated(a.workers, a.plan, q)
	if err != nil {
		return err
	}
	if err := s.tell(k.title() + ": " + k.soFar() + ". What is left:"); err != nil {
		return err
	}
	left := &plan.Plan{Mode: a.plan.Mode}
	for i, step := range a.plan.Steps {
		if !k.settledAt(i) {
			left.Steps = append(left.Steps, step)
		}
	}
	s.view.Plan(left, q.diff.show(q.format))
	if yes, err := s.sure(ctx, fmt.Sprintf("Do you really want to finish run %s?", k.subject())); err != nil || !yes {
		return err
	}
	run := k.Run
	run.Steps, run.Stage, run.Verdict = a.steps, journal.StageApplying, nil
	record, err := s.goOnRecording(ctx, k, q, undoing{run: &run})
	if err != nil {
		return err
	}
	s.view.Begin(a.plan)
	opts := executor.Options{Prior: a.prior, Scope: q.run.Rollback, KeepGoing: q.run.KeepGoing}
	report := executor.Run(ctx, a.plan, w, s.executing(opts, record, q))
	return s.told(ctx, report, a.plan, record)
}
