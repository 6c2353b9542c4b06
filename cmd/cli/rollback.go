package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

type rollbackCmd struct {
	format
	reportFlags
	concurrency
	graceFlags
	lockFlags
	journalFlags
	ID string `name:"run" required:"" placeholder:"RUN" help:"ID of the run to undo, or how it begins; flotilla history lists them."`
}

// Run puts back what a finished run did, provided that nobody has worked on its
// releases since. It is a run of its own.
func (c *rollbackCmd) Run(ctx context.Context, s *session) error {
	if c.ID == "" {
		return fmt.Errorf("%w: --run is empty: flotilla history lists the runs", errUsage)
	}
	k, err := s.locateRun(ctx, c.ID, func(*pastRun) bool { return true })
	if err != nil {
		return err
	}
	if err := k.reversible(s.env.Now()); err != nil {
		return err
	}
	q := changeRequest{
		request: request{limit: c.Concurrency}, mode: plan.ModeUndo, format: c.format, owner: k.owner,
		run: runFlags{Rollback: plan.ScopePlan, lockFlags: c.lockFlags, journalFlags: c.journalFlags},
	}
	return s.alone(ctx, k, q, func(k *knownRun, q changeRequest) error {
		if err := k.reversible(s.env.Now()); err != nil {
			return err
		}
		return s.rollBack(ctx, k, q)
	})
}

// reversible tells what else is to be done about a run that is not finished, or is
// undone already.
func (k *knownRun) reversible(now time.Time) error {
	switch {
	case k.fixes():
		return fmt.Errorf("%w: run %s cannot be undone: a fix put back what was deployed, and the drift that it took away is not kept", errUsage, k.ID)
	case k.Undoes != "":
		return fmt.Errorf("%w: run %s put run %s back; to have that again, apply it again", errUsage, k.ID, k.Undoes)
	case k.Outcome == journal.OutcomeUndone:
		return fmt.Errorf("%w: run %s is undone already", errUsage, k.ID)
	case k.Finished.IsZero() && k.Stage == journal.StageCommitting:
		return fmt.Errorf("%w: run %s has not ended (%s): it was dropping the history of what it uninstalled, which flotilla resume %s ends; it cannot be undone", errUsage, k.ID, k.Outlook(now), k.ID)
	case k.Finished.IsZero(), k.Outcome == journal.OutcomeUndoIncomplete, k.Stage == journal.StageUndoing && k.Outcome == journal.OutcomeFailed && k.Count(journal.StateUndoFailed) > 0:
		return fmt.Errorf("%w: run %s has not ended (%s): flotilla resume %s --undo puts it back", errUsage, k.ID, k.Outlook(now), k.ID)
	default:
		return nil
	}
}

func (s *session) rollBack(ctx context.Context, k *knownRun, q changeRequest) error {
	p, err := s.recorded(ctx, k)
	if err != nil {
		return err
	}
	opts := executor.Options{Prior: k.prior(), Asked: true, Scope: plan.ScopePlan}
	back, _ := executor.UndoPlan(p, opts)
	if err := k.refuse(back); err != nil {
		return err
	}
	if len(back.Steps) == 0 {
		return s.tell(k.title() + " left nothing to undo.")
	}
	if err := s.showUndo(ctx, k, p, opts, q); err != nil {
		return err
	}
	if yes, err := s.sure(ctx, fmt.Sprintf("Do you really want to undo run %s?", k.subject())); err != nil || !yes {
		return err
	}
	record, err := s.recordRollback(ctx, k, q)
	if err != nil {
		return err
	}
	s.view.Begin(p)
	report := executor.Undo(ctx, p, s.offline(), s.executing(opts, record, q))
	return s.told(ctx, report, p, record)
}

// refuse names every release that cannot be put back.
func (k *knownRun) refuse(back *plan.Plan) error {
	var errs []error
	for i, one := range k.steps {
		was := k.Steps[i]
		undone := slices.ContainsFunc(back.Steps, func(s plan.Step) bool { return s.Release.ID == was.Release })
		why := ""
		switch {
		case one.Standing == journal.StandingMoved && k.begun(i):
			why = k.left(i) + "; " + one.Describe()
		case !undone:
		case one.Now == nil && was.Base > 0:
			why = "it was uninstalled, and its history is dropped"
		case was.Back > 0 && one.Left.Revision > 0 && !has(k.sight.Have[was.Release], was.Back):
			why = fmt.Sprintf("revision %d, to which it would go back, is not in its history any more", was.Back)
		}
		if why != "" {
			errs = append(errs, &plan.StaleError{Release: was.Release, Moved: why})
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append([]error{fmt.Errorf("run %s cannot be undone: nothing was written", k.ID)}, errs...)...)
}

func has(r state.Release, number int) bool {
	return slices.ContainsFunc(r.History, func(rev state.Revision) bool { return rev.Number == number })
}

// recordRollback starts the record of a run that undoes another one. It has the
// steps of that one, done, of which each is undone.
func (s *session) recordRollback(ctx context.Context, k *knownRun, q changeRequest) (*recording, error) {
	now := s.env.Now().UTC()
	run := journal.Run{
		ID: s.runID(), Owner: k.Owner, Undoes: k.ID, Writer: writer, Unlocked: !q.lock.Held(), Command: strings.Fields(s.command)[0], Mode: k.Mode,
		Flotilla: s.env.Version.Flotilla, Who: who(), Job: journal.JobOf(s.env.Lookup), Started: now,
		Environment: k.Environment, Selector: k.Selector, Commit: k.Commit, Plan: k.Plan,
		Failure: journal.Failure{Rollback: string(plan.ScopePlan)}, Stage: journal.StageUndoing,
		Steps: k.settled().Steps, Edges: k.Edges, Unchanged: k.Unchanged,
	}
	for i := range run.Steps {
		run.Steps[i].Undo, run.Steps[i].Started, run.Steps[i].Finished = nil, time.Time{}, time.Time{}
	}
	record, err := s.recordWith(ctx, k.clusters(), q, func(targets []journal.Target, opts journal.Options) (*journal.Log, error) {
		return journal.Resume(ctx, run, targets, opts)
	})
	if record != nil {
		record.asked = journal.OutcomeDone
	}
	return record, err
}
