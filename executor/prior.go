package executor

import (
	"cmp"
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Prior is what an earlier process of the same run did to a release. The zero
// value: nothing.
type Prior struct {
	// Outcome is OutcomeDone, OutcomeFailed or OutcomeUndone of a step that is not run
	// again, or OutcomeUndoFailed of one that cannot be put back; empty: it was cut off,
	// or never begun, and is run.
	Outcome Outcome
	Left    state.Trace // what the step left behind so far; undoing it covers that
	Err     error       // of OutcomeFailed, of OutcomeUndoFailed, and of OutcomeUndone: why it had failed; nil: it had not
	// Written: Helm has done its part of a step that was cut off. It is not done
	// again, only what comes after: gates and hooks.
	Written bool
	Because string // of a step that was never begun: what was in the way; empty: nobody knows
}

// settled reports whether the step is not run again.
func (p Prior) settled() bool { return p.Outcome != "" }

// errCutOff is what became of a step that an earlier process had begun, and this
// one did not come to.
var errCutOff = errors.New("it was cut off")

// Resumer does what the installing methods of a Releaser do, on top of what an
// operation left that was cut off.
type Resumer interface {
	// InstallAgain makes want the next revision, with what belongs to an install, of
	// a release whose install was cut off, or an upgrade in the middle of uninstalling
	// and installing. left is what the caller saw: state.ErrStale tells that it moved.
	InstallAgain(ctx context.Context, r spec.Release, left state.Trace, want *state.Revision) (state.Trace, error)
}

// resuming are the releases of a run that goes on.
type resuming struct {
	Releaser
	again Resumer
	prior map[spec.ReleaseID]Prior
}

// resuming gives workers that do not do again what an earlier process did.
func (o Options) resuming(w Workers) Workers {
	if len(o.Prior) > 0 {
		w.Releases = resuming{w.Releases, w.Resume, o.Prior}
	}
	return w
}

// Install implements Releaser.
func (r resuming) Install(ctx context.Context, release spec.Release, want *state.Revision) (state.Trace, error) {
	p := r.prior[release.ID]
	switch {
	case p.Written:
		return p.Left, nil
	case p.Left.Revision > 0:
		return r.again.InstallAgain(ctx, release, p.Left, want)
	default:
		return r.Releaser.Install(ctx, release, want)
	}
}

// Upgrade implements Releaser.
func (r resuming) Upgrade(ctx context.Context, release spec.Release, have state.Release, want *state.Revision) (state.Trace, error) {
	p := r.prior[release.ID]
	switch {
	case p.Written:
		return p.Left, nil
	case p.Left.Reinstalled:
		return r.again.InstallAgain(ctx, release, p.Left, want)
	default:
		return r.Releaser.Upgrade(ctx, release, have, want)
	}
}

// Uninstall implements Releaser.
func (r resuming) Uninstall(ctx context.Context, release spec.Release, have state.Release) (state.Trace, error) {
	if p := r.prior[release.ID]; p.Written {
		return p.Left, nil
	}
	return r.Releaser.Uninstall(ctx, release, have)
}

// before is the result of a step to which nothing has happened in this process.
func (o Options) before(s plan.Step) Result {
	p := o.Prior[s.Release.ID]
	switch {
	case p.Outcome == OutcomeUndoFailed:
		return Result{Step: s, Outcome: p.Outcome, Left: p.Left, Undo: p.Err}
	case p.settled():
		return Result{Step: s, Outcome: p.Outcome, Left: p.Left, Err: p.Err}
	case p.Left.Changed():
		return Result{Step: s, Outcome: OutcomeCancelled, Left: p.Left, Err: errCutOff}
	default:
		return Result{Step: s, Outcome: OutcomeSkipped}
	}
}

// settled reports whether a step of this pass ended in an earlier process.
func (s *schedule) settled(step int) bool {
	return step >= 0 && !s.undo && s.opts.Prior[s.plan.Steps[step].Release.ID].settled()
}

// remember starts nothing where a step of an earlier process failed that stops the
// run.
func (s *schedule) remember() {
	for _, r := range s.results {
		if r.Outcome == OutcomeFailed && !s.opts.KeepGoing && !tolerates(r.Step.Release, r.Err) {
			s.stop(r.Step.Release.ID.String() + " failed")
		}
	}
}

// owed reports whether a step is run although the run has stopped: an earlier
// process had begun it, and nothing is going to put it back.
func (s *schedule) owed(step int) bool {
	if step < 0 || s.undo || s.ended || s.opts.Scope != plan.ScopeNone || s.settled(step) {
		return false
	}
	return s.opts.Prior[s.plan.Steps[step].Release.ID].Left.Changed()
}

// recall lets a step count as it ended in an earlier process.
func (s *schedule) recall(i int) {
	r := s.results[s.nodes[i].step]
	if r.Outcome != OutcomeFailed {
		s.release(i, block{})
		return
	}
	s.release(i, block{because: r.Step.Release.ID.String() + " failed", tolerated: tolerates(r.Step.Release, r.Err)})
}

// Undo puts back what earlier processes did by the plan, as Options.Prior says it,
// and as far as their verdict or the scope goes. Nothing that is not begun starts.
// Its undo is recorded, fenced and told as that of Run is.
func Undo(ctx context.Context, p *plan.Plan, w Workers, opts Options) Report {
	opts = opts.withDefaults()
	report := opts.sofar(p)
	w = opts.persistent(opts.gate.guard(w))
	report = undo(ctx, p, report, w, opts)
	if report.Tolerated && opts.Verdict != nil { // what ends for good is not guessed
		report = commit(ctx, report, w, opts)
	}
	return finish(ctx, report, opts)
}

// Commit ends a run of which earlier processes, as Options.Prior says it, did all
// but dropping the history that its uninstalls kept. It does no step.
func Commit(ctx context.Context, p *plan.Plan, w Workers, opts Options) Report {
	opts = opts.withDefaults()
	report := opts.sofar(p)
	report.Tolerated = tolerated(report)
	return finish(ctx, commit(ctx, report, opts.gate.guard(w), opts), opts)
}

// UndoPlan is the plan that Undo executes, and what it cannot put back.
func UndoPlan(p *plan.Plan, opts Options) (*plan.Plan, []plan.Lost) {
	opts = opts.withDefaults()
	report := opts.sofar(p)
	back, lost, _ := undoPlan(p, &report, opts)
	return back, lost
}

// sofar is what earlier processes came to.
func (o Options) sofar(p *plan.Plan) Report {
	report := Report{Started: o.Now(), UndoAsked: o.Asked}
	for _, s := range p.Steps {
		r := o.before(s)
		if r.Outcome == OutcomeSkipped {
			r.Because = cmp.Or(o.Prior[s.Release.ID].Because, "it was never begun")
		}
		report.Results = append(report.Results, r)
	}
	report.Results = spread(report.Results)
	return report
}
