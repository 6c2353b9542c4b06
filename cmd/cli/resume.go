package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

type resumeCmd struct {
	format
	reportFlags
	overlay
	diffFlags
	concurrency
	limitFlags
	lockFlags
	journalFlags
	gateFlags
	rawArgs
	templateFlags
	upgradeFlags
	installFlags
	trackFlags
	identities
	Undo   bool   `help:"Put back what the run did instead of finishing it. Needs nothing of the state files but whose they are, and with --plan not even that."`
	Replan bool   `help:"Go on with what the state files say now, also where that is not what the run began."`
	Plan   string `placeholder:"FILE" help:"The saved plan that the run applied: go on with exactly that, without state files, repositories and secret stores."`
	ID     string `arg:"" optional:"" name:"run" help:"ID of the run, or how it begins; default: the newest that was cut off or ended halfway."`

	saved *savedPlan // of Plan; nil: there is none
}

// resumeTimeout is how long resume waits for the lock: the lease of a run that was
// killed lasts a minute.
const resumeTimeout = 90 * time.Second

// Run finishes a run that was cut off, or puts it back.
func (c *resumeCmd) Run(ctx context.Context, s *session) error {
	switch {
	case c.Undo && c.Replan:
		return fmt.Errorf("%w: --undo puts back what the run did, and goes on with nothing: leave --replan out", errUsage)
	case c.Replan && c.Plan != "":
		return fmt.Errorf("%w: --replan and --plan exclude each other", errUsage)
	case len(c.Identity) > 0 && c.Plan == "":
		return fmt.Errorf("%w: --identity opens a saved plan: name its file with --plan", errUsage)
	}
	if err := c.check(); err != nil {
		return err
	}
	k, err := c.locate(ctx, s)
	if err != nil {
		return err
	}
	if err := s.unfinishable(k); err != nil {
		return err
	}
	return s.goOn(ctx, k, c.request(k), func(k *knownRun, q changeRequest) error {
		if !k.halfway() {
			return k.ended()
		}
		return c.proceed(ctx, s, k, q)
	})
}

// locate finds the run: one of the state files, or one that applied the saved plan,
// which says whose it is.
func (c *resumeCmd) locate(ctx context.Context, s *session) (*knownRun, error) {
	if c.Plan == "" {
		return s.locateRun(ctx, c.ID, (*pastRun).halfway)
	}
	// Advice that goes with the state files has their flags, too.
	if err := s.onlyOfTheRun("plan", "undo", "file", "environment", "namespace", "kube-context"); err != nil {
		return nil, err
	}
	saved, archives, err := s.readPlan(c.Plan, c.identities)
	if err != nil {
		return nil, err
	}
	c.saved = &savedPlan{saved, archives}
	if saved.Owner.ID == "" {
		return nil, fmt.Errorf("%w: the plan %s was saved by a version of flotilla whose runs cannot be gone on with", errUsage, c.Plan)
	}
	k, other, err := s.locateIn(ctx, runsOf{saved.Owner, contextsOf(saved.Plan)}, c.ID, func(r *pastRun) bool { return r.halfway() && r.Plan.File == s.planFile })
	switch {
	case err != nil:
		return nil, err
	case other != nil:
		return nil, fmt.Errorf("%w: run %s is of the owner %s, and the plan %s is of %s", errUsage, other.ID, other.Owner, c.Plan, saved.Owner.ID)
	case s.planFile != k.Plan.File:
		return nil, fmt.Errorf("%w: %s is not the plan that run %s applied", errUsage, c.Plan, k.ID)
	}
	return k, nil
}

// request is how the run goes on: as it was begun.
func (c *resumeCmd) request(k *knownRun) changeRequest {
	r := toChange(c.overlay, c.diffFlags, c.rawArgs, helmFlags{template: c.templateFlags, upgrade: c.upgradeFlags, install: c.installFlags, track: c.trackFlags})
	r.limit, r.policy = c.Concurrency, spec.NeedsIgnore
	q := changeRequest{
		request: r, mode: plan.Mode(k.Mode), format: c.format, diff: c.diffFlags, skipGates: c.SkipGates, owner: k.owner,
		run: runFlags{
			Rollback: plan.Scope(k.Failure.Rollback), KeepGoing: k.Failure.KeepGoing,
			limitFlags: c.limitFlags, lockFlags: c.lockFlags, journalFlags: c.journalFlags,
		},
	}
	if q.run.LockTimeout == 0 {
		q.run.LockTimeout = resumeTimeout
	}
	return q
}

// ended tells what can be done about a run with which nobody can go on.
func (k *knownRun) ended() error {
	if k.Outcome == journal.OutcomeDone && k.Undoes == "" && !k.fixes() {
		return fmt.Errorf("%w: run %s is done; to undo it: flotilla rollback --run %s", errUsage, k.ID, k.ID)
	}
	return fmt.Errorf("%w: run %s has ended (%s): there is nothing to go on with", errUsage, k.ID, k.Outcome)
}

// goOn does something as the run itself.
func (s *session) goOn(ctx context.Context, k *knownRun, q changeRequest, work func(*knownRun, changeRequest) error) error {
	s.run = k.ID
	return s.alone(ctx, k, q, work)
}

// alone does something with a run while no other process of its owner writes. Its
// record and its releases are looked at when that is so.
func (s *session) alone(ctx context.Context, k *knownRun, q changeRequest, work func(*knownRun, changeRequest) error) error {
	lock, err := s.lockIn(ctx, k.clusters(), q)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer s.release(ctx, lock)
	q.lock = lock
	if k, err = s.lookAgain(ctx, k); err != nil {
		return err
	}
	if now := s.env.Now(); (k.Unlocked || !lock.Held()) && k.Outlook(now) == journal.OutcomeRunning {
		return fmt.Errorf("%w: run %s, by %s, gave a sign of life %s ago, and without a lock nobody can tell whether it still goes on; try again when it has ended",
			plan.ErrBusy, k.ID, k.by(), took(now.Sub(k.Updated)))
	}
	if err := s.survey(ctx, k); err != nil {
		return err
	}
	return work(k, q)
}

// undoAsked reports whether somebody wanted everything back already, and the process
// that was to do it did not come to its end.
func (r *pastRun) undoAsked() bool {
	n := len(r.Resumed)
	return r.Undoes != "" || n > 0 && r.Resumed[n-1].Undo
}

// direction is what a run is to do next.
func (k *knownRun) direction(undo bool) journal.Stage {
	ended := !k.Finished.IsZero()
	switch {
	case k.Stage == journal.StageCommitting && !ended:
		return journal.StageCommitting
	case undo:
		return journal.StageUndoing
	case ended && k.Outcome == journal.OutcomeFailed:
		return journal.StageApplying // it was to leave things as they are
	case k.Stage == journal.StageUndoing, k.Outcome == journal.OutcomeUndoIncomplete:
		return journal.StageUndoing
	}
	scope := plan.Scope(k.Failure.Rollback)
	for i, one := range k.steps {
		failed := one.Standing == journal.StandingFailed && !k.tolerates(i)
		if k.Steps[i].State == journal.StateUndoing || failed && !k.Failure.KeepGoing && scope != plan.ScopeNone {
			return journal.StageUndoing
		}
	}
	return journal.StageApplying
}

func (c *resumeCmd) proceed(ctx context.Context, s *session, k *knownRun, q changeRequest) error {
	switch k.Stage {
	case "", journal.StageApplying, journal.StageUndoing, journal.StageCommitting:
	default:
		return fmt.Errorf("run %s is in the stage %q, which this version of flotilla does not know", k.ID, k.Stage)
	}
	asked := c.Undo || k.undoAsked()
	switch d := k.direction(asked); d {
	case journal.StageUndoing:
		return s.putBack(ctx, k, q, undoing{asked: asked})
	case journal.StageCommitting:
		if c.Undo {
			return fmt.Errorf("%w: run %s is done, and was dropping the history of what it uninstalled: flotilla resume %s ends that", errUsage, k.ID, k.ID)
		}
		return s.commit(ctx, k, q)
	case journal.StageApplying:
		return c.finish(ctx, s, k, q)
	default:
		return fmt.Errorf("run %s is in the stage %q, which this version of flotilla does not know", k.ID, d)
	}
}

// offline are workers that take back and drop, for which no chart is needed.
func (s *session) offline() executor.Workers {
	e := s.engine(chart.NewStore(chart.Options{Freshness: chart.Offline}))
	return executor.Workers{Releases: e, Undo: e, Resume: e, Look: e, Hooks: noneToFire{}}
}

// noneToFire fires no lifecycle hooks: an undo has none.
type noneToFire struct{}

// Fire implements executor.HookRunner.
func (noneToFire) Fire(context.Context, spec.HookEvent, spec.Release, error) error { return nil }

// undoing says how a process goes on with a run.
type undoing struct {
	asked bool         // somebody wants everything back
	run   *journal.Run // the record to go on with; nil: as it was left
}

// putBack undoes what a run did, as far as its scope says, or wholly where that is
// asked for.
func (s *session) putBack(ctx context.Context, k *knownRun, q changeRequest, u undoing) error {
	if u.asked {
		q.run.Rollback = plan.ScopePlan
	}
	p, err := s.recorded(ctx, k)
	if err != nil {
		return err
	}
	opts := executor.Options{Prior: k.prior(), Asked: u.asked, Verdict: k.verdict(), Scope: q.run.Rollback, KeepGoing: q.run.KeepGoing}
	if err := s.showUndo(ctx, k, p, opts, q); err != nil {
		return err
	}
	if yes, err := s.sure(ctx, fmt.Sprintf("Do you really want to undo run %s?", k.subject())); err != nil || !yes {
		return err
	}
	record, err := s.goOnRecording(ctx, k, q, u)
	if err != nil {
		return err
	}
	s.view.Begin(p)
	report := executor.Undo(ctx, p, s.offline(), s.executing(opts, record, q))
	return s.told(ctx, report, p, record)
}

// commit drops the history that a run's uninstalls kept, which is all that is left
// of it to do.
func (s *session) commit(ctx context.Context, k *knownRun, q changeRequest) error {
	p, err := s.recorded(ctx, k)
	if err != nil {
		return err
	}
	if err := s.tell(k.title() + " is done but for dropping the history of what it uninstalled."); err != nil {
		return err
	}
	record, err := s.goOnRecording(ctx, k, q, undoing{})
	if err != nil {
		return err
	}
	s.view.Begin(p)
	report := executor.Commit(ctx, p, s.offline(), s.executing(executor.Options{Prior: k.prior()}, record, q))
	return s.told(ctx, report, p, record)
}

// executing adds to what is executed how this process does it.
func (s *session) executing(opts executor.Options, record *recording, q changeRequest) executor.Options {
	opts.Concurrency, opts.Observe, opts.Record = q.limit, s.view.Event, record
	held := &reins{lock: q.lock}
	if record.log != nil {
		held.taken = record.log.Taken()
	}
	s.fence.reins.Store(held)
	opts.Fence, opts.Now, opts.Abort = held, s.env.Now, s.env.Abort
	return s.limited(opts, q)
}

// told shows how a run ended, and what can be done if it ended halfway.
func (s *session) told(ctx context.Context, report executor.Report, p *plan.Plan, record *recording) error {
	record.finish(ctx, s, report)
	s.view.End()
	s.view.Report(report, p.Mode)
	s.advise(report, record)
	if code := reportCode(report); code != exitDone {
		return told{code}
	}
	return nil
}

// advise names the command that goes on with a run that ended halfway and is
// recorded.
func (s *session) advise(report executor.Report, record *recording) {
	if record.log == nil {
		return
	}
	again := slices.ContainsFunc(report.Results, func(x executor.Result) bool {
		return x.Outcome == executor.OutcomeUndoFailed && !errors.Is(x.Undo, state.ErrStale)
	})
	open := slices.ContainsFunc(report.Results, func(x executor.Result) bool {
		return x.Outcome != executor.OutcomeDone && x.Outcome != executor.OutcomeUnchanged
	})
	gone := slices.ContainsFunc(report.Results, func(x executor.Result) bool { return x.Step.Action.Deletes() })
	outcome := outcomeOf(report)
	if strings.Fields(s.command)[0] == fixCommand {
		if outcome == journal.OutcomeUndoIncomplete || outcome == journal.OutcomeFailed {
			_ = s.tell("To go on: " + s.fixAgain(s.globals.Selector, "")) // that nobody reads it is no reason to fail
		}
		return
	}
	switch outcome {
	case journal.OutcomeUndoIncomplete:
		if !again {
			return // what somebody else has worked on stays
		}
		s.hint("To go on with the undo: flotilla resume %s --undo", s.run)
	case journal.OutcomeFailed:
		switch {
		case open:
			s.hint("To finish the run: flotilla resume %s; to put back what it did: flotilla resume %s --undo", s.run)
		case !gone: // what is gone has no history any more, or nobody knows
			_ = s.tell("All releases are done; to put them back: flotilla rollback --run " + s.run + s.where()) // as above
		}
	case journal.OutcomeDone, journal.OutcomeUndone, journal.OutcomeRunning, journal.OutcomeCutOff:
	}
}

// hint is a line of advice with the run in it.
func (s *session) hint(text, run string) {
	// That nobody reads it is no reason to fail.
	_ = s.tell(strings.ReplaceAll(text, "%s", run+s.where()+s.ofPlan()))
}

// ofPlan repeats the file of a saved plan, which going on with its run takes.
func (s *session) ofPlan() string {
	if s.planPath == "" {
		return ""
	}
	return " --plan " + s.planPath
}

// where repeats the flags without which a command would look at other state files.
func (s *session) where() string {
	var b strings.Builder
	for _, flag := range []struct{ name, value string }{
		{"file", s.globals.File}, {"environment", s.globals.Environment}, {"namespace", s.globals.Namespace}, {"kube-context", s.globals.KubeContext},
	} {
		if s.given[flag.name] && flag.value != "" {
			fmt.Fprintf(&b, " --%s %s", flag.name, flag.value)
		}
	}
	return b.String()
}

// sure asks when --interactive says so.
func (s *session) sure(ctx context.Context, question string) (bool, error) {
	if !s.globals.Interactive {
		return true, nil
	}
	return s.question(ctx, question)
}

// goOnRecording goes on with the record of a run.
func (s *session) goOnRecording(ctx context.Context, k *knownRun, q changeRequest, u undoing) (*recording, error) {
	r := k.settled()
	if u.run != nil {
		r = *u.run
	}
	now := s.env.Now().UTC()
	r.Resumed = append(r.Resumed[:len(r.Resumed):len(r.Resumed)], journal.Resumption{
		At: now, Who: who(), Job: journal.JobOf(s.env.Lookup), Undo: u.asked, Last: r.Updated,
	})
	r.Unlocked, r.Interrupted, r.Errors, r.NotUndone = !q.lock.Held(), false, nil, nil
	if !k.Finished.IsZero() && r.Stage == journal.StageCommitting {
		r.Stage = journal.StageApplying // what it was to drop is dropped
	}
	record, err := s.recordWith(ctx, k.clusters(), q, func(targets []journal.Target, opts journal.Options) (*journal.Log, error) {
		return journal.Resume(ctx, r, targets, opts)
	})
	if err == nil && k.Undoes != "" {
		record.asked = journal.OutcomeDone
	}
	return record, err
}
