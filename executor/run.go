package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Run executes a plan and tells what it did; there is no error beside the
// report. Cancelling ctx starts nothing new, ends what runs, and undoes as the
// scope says. Losing the fence cuts off what runs, and nothing is undone: the
// report tells what is left. Run returns when no goroutine of it is left.
func Run(ctx context.Context, p *plan.Plan, w Workers, opts Options) Report {
	opts = opts.withDefaults()
	report := Report{Started: opts.Now()}
	w = opts.persistent(opts.gate.guard(opts.resuming(w)))
	if err := preApply(ctx, p, w, opts); err != nil {
		report.HookErrs = append(report.HookErrs, err)
		report.Results = untouched(p, "a preapply hook failed")
		return finish(ctx, report, opts)
	}
	gates := newVerification(p, w.Verify, opts.Prior)
	timed, expire := opts.timed(ctx)
	defer expire()
	fenced, stop := opts.gate.until(timed)
	defer stop()
	late := func(steps context.Context) (func() context.Context, func()) { return opts.late(ctx, steps) }
	s := newSchedule(p, opts, func(ctx context.Context, step plan.Step) (state.Trace, error) {
		if p.Mode == plan.ModeDestroy {
			return act(ctx, step, doers{w, gates, late})
		}
		left, err := perform(ctx, step, doers{w, gates, late})
		if err == nil {
			err = gates.group(ctx, step)
		}
		return left, err
	})
	s.remember()
	report.Results = spread(s.run(fenced))
	report.Interrupted, report.Fenced = ctx.Err() != nil, opts.gate.was()
	report.TimedOut = errors.Is(context.Cause(timed), ErrTimeout) && report.Count(OutcomeSkipped)+report.Count(OutcomeCancelled) > 0
	if report.Failed() {
		report = undo(ctx, p, report, w, opts)
	}
	if !report.Failed() || report.Tolerated {
		report = commit(ctx, report, w, opts)
	}
	report.HookErrs = append(report.HookErrs, cleanup(fenced, p.Mode, report, doers{w, gates, late})...)
	return finish(ctx, report, opts)
}

func finish(ctx context.Context, r Report, opts Options) Report {
	r.Interrupted, r.Fenced = r.Interrupted || ctx.Err() != nil, opts.gate.was()
	r.Finished = opts.Now()
	return r
}

func untouched(p *plan.Plan, because string) []Result {
	results := make([]Result, len(p.Steps))
	for i, s := range p.Steps {
		results[i] = Result{Step: s, Outcome: OutcomeSkipped, Because: because}
		if !s.Action.Writes() {
			results[i].Outcome, results[i].Because = OutcomeUnchanged, ""
		}
	}
	return results
}

// preApply fires as helmfile does: in an apply that changes something, for
// every release of the run, in reverse order, one at a time. A run that goes on
// has done that.
func preApply(ctx context.Context, p *plan.Plan, w Workers, opts Options) error {
	if p.Mode != plan.ModeApply || !p.Changed() || len(opts.Prior) > 0 {
		return nil
	}
	for _, s := range slices.Backward(p.Steps) {
		if err := w.Hooks.Fire(ctx, spec.EventPreApply, s.Release, nil); err != nil {
			return err
		}
	}
	return nil
}

// cleanup fires once for every release that the run looked at, whatever ended,
// and tells of no failure; a destroy fires it only for what was not there. So
// does helmfile (its pkg/state/state.go and pkg/app/app.go, TriggerCleanupEvent).
func cleanup(ctx context.Context, mode plan.Mode, r Report, w doers) []error {
	late, end := w.late(ctx)
	defer end()
	var errs []error
	for _, x := range r.Results {
		if x.Outcome == OutcomeSkipped || mode == plan.ModeDestroy && x.Step.Action.Writes() {
			continue
		}
		if err := w.Hooks.Fire(late(), spec.EventCleanup, x.Step.Release, nil); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// undo runs the plan's undo on what the scope says, and folds its results into
// the report. It outlives the interrupt that may have caused it, but not Abort.
func undo(ctx context.Context, p *plan.Plan, r Report, w Workers, opts Options) Report {
	back, lost, how := undoPlan(p, &r, opts)
	if len(back.Steps) == 0 && r.Count(OutcomeUndone) == 0 {
		r.UndoRan = opts.Scope == plan.ScopePlan && !r.Tolerated
		return r
	}
	undoCtx, cancel := UntilAbort(ctx, opts.Abort)
	defer cancel()
	_ = opts.Record.Undoing(undoCtx, how) // what is in the cluster matters more
	s := newSchedule(back, opts, func(ctx context.Context, step plan.Step) (state.Trace, error) {
		return state.Trace{}, putBack(ctx, step, w)
	})
	outcome := map[spec.ReleaseID]Result{}
	for _, u := range s.run(undoCtx) {
		outcome[u.Step.Release.ID] = u
	}
	r.UndoRan, r.Lost = true, lost
	for i := range r.Results {
		u, ok := outcome[r.Results[i].Step.Release.ID]
		switch {
		case !ok:
		case u.Outcome == OutcomeDone:
			r.Results[i].Outcome = OutcomeUndone
		default:
			r.Results[i].Outcome = OutcomeUndoFailed
			r.Results[i].Undo = undoError(u)
		}
	}
	r.Lost = append(r.Lost, dropNamespaces(undoCtx, r.Results, w)...)
	r.Lost = StillRunning(undoCtx, r.Lost, w.Look)
	return r
}

// undoPlan says what is put back of a run that ended that way, and what cannot be,
// of what is undone already, too.
func undoPlan(p *plan.Plan, r *Report, opts Options) (*plan.Plan, []plan.Lost, Verdict) {
	failed := ids(r.Results, Result.wentWrong)
	touched := ids(r.Results, func(x Result) bool {
		return x.Outcome != OutcomeUndone && x.wentWrong() && !x.Untouched() || x.Outcome == OutcomeDone && x.Step.Action.Writes()
	})
	scope := opts.Scope
	if r.Tolerated = !r.UndoAsked && tolerated(*r); r.Tolerated && scope == plan.ScopePlan {
		scope = plan.ScopeRelease
	}
	narrowed, left := p.Touched(scope, touched, failed), traces(r.Results)
	if v := opts.Verdict; v != nil && !r.UndoAsked {
		r.Tolerated, narrowed = v.Tolerated, map[spec.ReleaseID]bool{}
		for _, id := range v.Undo {
			narrowed[id] = touched[id]
		}
	}
	back, _ := p.Undo(narrowed, left)
	told, how := maps.Clone(narrowed), Verdict{Tolerated: r.Tolerated}
	for _, x := range r.Results { // a process that undid it may not have come to tell
		id := x.Step.Release.ID
		if told[id] = told[id] || x.Outcome == OutcomeUndone; told[id] {
			how.Undo = append(how.Undo, id)
		}
	}
	_, how.Lost = p.Undo(told, left)
	if opts.Verdict != nil {
		how.Lost = alsoLost(how.Lost, opts.Verdict.Lost)
	}
	return back, how.Lost, how
}

// alsoLost adds what an earlier process knew to be lost.
func alsoLost(now, then []plan.Lost) []plan.Lost {
	for _, l := range then {
		if !slices.ContainsFunc(now, func(x plan.Lost) bool { return x.Release == l.Release && x.Object == l.Object }) {
			now = append(now, l)
		}
	}
	return now
}

// dropNamespaces deletes the namespaces that installs created which are undone.
// It comes last, because several releases may share one; as long as one of them
// stays, so does the namespace.
func dropNamespaces(ctx context.Context, results []Result, w Workers) []plan.Lost {
	var lost []plan.Lost
	for _, x := range slices.Backward(results) {
		id := x.Step.Release.ID
		stays := slices.ContainsFunc(results, func(other Result) bool {
			o := other.Step.Release.ID
			return o.Context == id.Context && o.Namespace == id.Namespace && other.Outcome == OutcomeDone && !other.Step.Action.Deletes()
		})
		if x.Left.Namespace == "" || x.Outcome != OutcomeUndone || stays {
			continue
		}
		if err := w.Undo.DropNamespace(ctx, x.Step.Release, x.Left); err != nil {
			lost = append(lost, plan.Lost{Release: id, Object: state.ObjectID{Kind: "Namespace", Name: id.Namespace}, Why: err.Error()})
		}
	}
	return lost
}

// wentWrong reports whether a step failed or was cut off; it may have been undone
// since.
func (r Result) wentWrong() bool {
	return r.Outcome == OutcomeFailed || r.Outcome == OutcomeCancelled || r.Outcome == OutcomeUndone && r.Err != nil
}

// tolerated reports whether something failed, and nothing but releases with
// continueOnError.
func tolerated(r Report) bool {
	if r.Interrupted || r.TimedOut || r.Fenced != nil {
		return false
	}
	failed := false
	for _, x := range r.Results {
		if !x.wentWrong() {
			continue
		}
		failed = true
		if x.Outcome == OutcomeCancelled || !x.Step.Release.Options.ContinueOnError {
			return false
		}
	}
	return failed
}

func undoError(u Result) error {
	if u.Err != nil {
		return u.Err
	}
	return fmt.Errorf("not tried: %s", u.Because)
}

// UntilAbort gives a context for what has to be done after an interrupt, too:
// it outlives ctx, but ends when abort is closed (nil: never).
func UntilAbort(ctx context.Context, abort <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if abort == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-abort:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// commit drops the history that uninstalls kept for an undo. What was undone
// keeps it, since it is a release again; and so does what a failed run has
// uninstalled and that is not put back: somebody may yet want that.
func commit(ctx context.Context, r Report, w Workers, opts Options) Report {
	ctx, cancel := UntilAbort(ctx, opts.Abort)
	defer cancel()
	kept := slices.DeleteFunc(slices.Clone(r.Results), func(x Result) bool {
		return x.Outcome != OutcomeDone || x.Step.Action != plan.ActionUninstall
	})
	if len(kept) == 0 {
		return r
	}
	if err := opts.Record.Committing(ctx); err != nil {
		r.RecordErrs = append(r.RecordErrs, fmt.Errorf("recording that the run is done, so the history of what it uninstalled stays: %w", err))
		return r
	}
	for _, x := range kept {
		if err := w.Undo.Forget(ctx, x.Step.Release, x.Left, 0); err != nil {
			r.RecordErrs = append(r.RecordErrs, fmt.Errorf("dropping the history of %s: %w", x.Step.Release.ID, err))
		}
	}
	return r
}

// doers are the workers of a run, its gates, and the time of hooks that come after
// what may have been cut off.
type doers struct {
	Workers
	gates *verification
	late  func(steps context.Context) (now func() context.Context, end func())
}

// perform does one step with the lifecycle hooks around it: presync before,
// postsync after success and failure alike, also of the release's gates. A destroy
// has only the uninstall hooks, as in helmfile.
func perform(ctx context.Context, s plan.Step, w doers) (state.Trace, error) {
	var left state.Trace
	err := before(w.Hooks.Fire(ctx, spec.EventPreSync, s.Release, nil))
	if err == nil {
		left, err = act(ctx, s, w)
	}
	if err == nil {
		err = w.gates.release(ctx, s)
	}
	return left, errors.Join(err, w.after(ctx, spec.EventPostSync, s.Release, err))
}

// after fires what comes also after a step that was cut off.
func (w doers) after(ctx context.Context, event spec.HookEvent, r spec.Release, cause error) error {
	late, end := w.late(ctx)
	defer end()
	return w.Hooks.Fire(late(), event, r, cause)
}

// tooEarly marks the failure of a hook that came before the release was touched.
type tooEarly struct{ error }

// Unwrap gives the hook's own error.
func (e tooEarly) Unwrap() error { return e.error }

func before(err error) error {
	if err == nil {
		return nil
	}
	return tooEarly{err}
}

func act(ctx context.Context, s plan.Step, w doers) (state.Trace, error) {
	switch s.Action {
	case plan.ActionInstall:
		return w.Releases.Install(ctx, s.Release, s.After)
	case plan.ActionUpgrade:
		return w.Releases.Upgrade(ctx, s.Release, s.Have, s.After)
	case plan.ActionUninstall:
		if err := before(w.Hooks.Fire(ctx, spec.EventPreUninstall, s.Release, nil)); err != nil {
			return state.Trace{}, err
		}
		left, err := w.Releases.Uninstall(ctx, s.Release, s.Have)
		return left, errors.Join(err, w.after(ctx, spec.EventPostUninstall, s.Release, err))
	case plan.ActionNone, plan.ActionRollback, plan.ActionRemove:
		return state.Trace{}, fmt.Errorf("action %q does not belong into a plan of mode apply, sync or destroy", s.Action)
	default:
		return state.Trace{}, fmt.Errorf("unknown action %q", s.Action)
	}
}

func putBack(ctx context.Context, s plan.Step, w Workers) error {
	switch s.Action {
	case plan.ActionRollback:
		_, err := w.Undo.Rollback(ctx, s.Release, s.After, s.Left)
		return err
	case plan.ActionRemove:
		left, err := w.Undo.Remove(ctx, s.Release, s.Left)
		if err != nil && !errors.Is(err, state.ErrAdopted) {
			return err
		}
		if left.Revision == 0 {
			left = s.Left // it is uninstalled already, perhaps by a process that was cut off
		}
		if left.Revision == 0 {
			return err
		}
		// What an uninstall before this run kept stays.
		return errors.Join(err, w.Undo.Forget(ctx, s.Release, left, s.Base))
	case plan.ActionNone, plan.ActionInstall, plan.ActionUpgrade, plan.ActionUninstall:
		return fmt.Errorf("action %q does not belong into an undo", s.Action)
	default:
		return fmt.Errorf("unknown action %q", s.Action)
	}
}
