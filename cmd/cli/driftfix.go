package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// fixFlags are for putting back what drifted.
type fixFlags struct {
	Fix            bool       `help:"Put back what was deployed, of the objects that drifted: a new revision of each release with the content of the deployed one. What the state files want now is not looked at. What is not of that sort, such as a release that failed or is not installed, is named and left alone, with exit code 2."`
	ForceConflicts bool       `help:"With --fix, take drifted fields from the managers that have them. All other fields stay with theirs."`
	Rollback       plan.Scope `enum:"plan,group,release,none" default:"plan" help:"What to undo when a release cannot be put back: everything this run did (plan), the failed release's atomicGroup and what needs it (group), only the failed release (release), or nothing (none)."`
	KeepGoing      bool       `help:"Let releases that do not need a failed one go on."`
	lockFlags
	journalFlags
}

func (f fixFlags) check(against plan.Level) error {
	switch {
	case f.Fix && against == plan.LevelRelease:
		return fmt.Errorf("%w: --fix needs a look at objects: --against live or server", errUsage)
	case f.ForceConflicts && !f.Fix:
		return fmt.Errorf("%w: --force-conflicts is for --fix", errUsage)
	}
	return nil
}

// fix puts back what drifted, as a plan that is shown before.
func (l *lookout) fix(ctx context.Context, report drift.Report) error {
	s := l.session
	p, of, err := l.restoration(ctx, report)
	if err != nil {
		return interrupted(ctx, err)
	}
	switch {
	case p.Changed():
	case report.Drifted():
		return s.tell("Nothing that was found can be put back.")
	default:
		return s.tell("Nothing to put back.")
	}
	s.view.Plan(p, view.PlanOptions{Context: 3, Conflicts: "take the drifted fields back from those who have them with --force-conflicts, or keep the change: in the chart or its values, or with drift.ignore"})
	if err := objected(p); err != nil {
		return err
	}
	if s.globals.Interactive {
		if yes, err := s.question(ctx, "Do you really want to put this back?"); err != nil || !yes {
			return err
		}
	}
	q, err := changeRequest{
		request: request{limit: l.Concurrency}, mode: plan.ModeApply,
		run: runFlags{Rollback: l.Rollback, KeepGoing: l.KeepGoing, lockFlags: l.lockFlags, journalFlags: l.journalFlags},
	}.of(l.fleet)
	if err != nil {
		return err
	}
	return s.executeAlone(ctx, executor.Workers{Releases: restorer{l.tools.engine, of}, Undo: l.tools.engine, Hooks: noHooks{}}, p, q)
}

// restorer executes the steps of such a plan: an upgrade puts back the revision
// that the release has.
type restorer struct {
	*engine.Engine
	of map[spec.ReleaseID]state.Drifted
}

// Upgrade implements executor.Releaser.
func (r restorer) Upgrade(ctx context.Context, release spec.Release, have state.Release, _ *state.Revision) (state.Trace, error) {
	return r.Restore(ctx, release, have, r.of[release.ID])
}

// noHooks: nothing is released, so no lifecycle hook has its moment.
type noHooks struct{}

// Fire implements executor.HookRunner.
func (noHooks) Fire(context.Context, spec.HookEvent, spec.Release, error) error { return nil }

// restoration plans to put back what the report found, and says which fields of
// which objects those are.
func (l *lookout) restoration(ctx context.Context, report drift.Report) (*plan.Plan, map[spec.ReleaseID]state.Drifted, error) {
	of := map[spec.ReleaseID]state.Drifted{}
	var all []plan.Restoration
	refused, err := l.ask(ctx, report)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range l.sights {
		id := s.subject.Release.ID
		r := plan.Restoration{Release: s.subject.Release, Have: s.subject.Have}
		r.Release.Options.DisableHooks = true // none runs, so that none leaves anything behind
		r.Objections = refused[id]
		r.Release.Options.ForceConflicts = r.Release.Options.ForceConflicts || l.ForceConflicts
		found := report.Of(id)
		of[id] = drift.DriftedOf(found)
		for _, d := range s.subject.Deviations {
			if _, drifted := of[id][d.Object]; !drifted {
				continue
			}
			if err := l.restore(&r, s.input, d, found); err != nil {
				return nil, nil, err
			}
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b plan.Restoration) int { return a.Release.Index - b.Release.Index })
	p, err := plan.Restore(all, l.all.Files)
	return p, of, err
}

// ask has the API servers say what they have against putting back what drifted.
func (l *lookout) ask(ctx context.Context, report drift.Report) (map[spec.ReleaseID][]plan.Objection, error) {
	type asked struct {
		release  spec.ReleaseID
		proposal state.Proposal
	}
	byContext := map[string][]asked{}
	for _, s := range l.sights {
		id := s.subject.Release.ID
		drifted := drift.DriftedOf(report.Of(id))
		for _, d := range s.subject.Deviations {
			if _, counts := drifted[d.Object]; counts {
				byContext[id.Context] = append(byContext[id.Context], asked{id, s.input.Restoring(d, id)})
			}
		}
	}
	refused := map[spec.ReleaseID][]plan.Objection{}
	for _, name := range slices.Sorted(maps.Keys(byContext)) {
		var proposals []state.Proposal
		for _, a := range byContext[name] {
			proposals = append(proposals, a.proposal)
		}
		answers, err := l.tools.clusters.DryRun(ctx, name, proposals)
		if err != nil {
			return nil, err
		}
		for i, a := range byContext[name] {
			if answers[i].Object == nil {
				refused[a.release] = append(refused[a.release], plan.Objection{Object: a.proposal.ObjectID, Kind: plan.ObjectionRefused, Message: l.session.why(a.proposal.ObjectID, answers[i])})
			}
		}
	}
	return refused, nil
}

// restore adds one object.
func (l *lookout) restore(r *plan.Restoration, in live.Input, d live.Deviation, found []drift.Finding) error {
	counted := map[string]bool{}
	for _, f := range found {
		if f.Object != d.Object || !f.Fixable() {
			continue
		}
		counted[f.Field] = true
		if o, conflicts := conflictOf(f, *r); conflicts {
			r.Objections = append(r.Objections, o)
		}
	}
	spare := map[string]bool{}
	change := live.Drift{}
	for _, f := range d.Fields {
		if counted[f.Path] {
			change.Fields = append(change.Fields, f.Field)
		} else {
			spare[f.Path] = true
		}
	}
	back, err := in.PutBack(d, spare)
	if err != nil {
		return err
	}
	r.Changes = append(r.Changes, back)
	change.Change = back
	change.Before, change.After = back.After, back.Before
	if back.Op == diff.OpAdd {
		change.Op = diff.OpRemove
	}
	r.Drift = append(r.Drift, change)
	return nil
}

// conflictOf tells what a server-side apply would have against putting a field
// back: another manager has it, and nobody said to take it.
func conflictOf(f drift.Finding, r plan.Restoration) (plan.Objection, bool) {
	options, last := r.Release.Options, r.Have.Last()
	applied := last.ApplyMethod == string(state.ApplyServerSide) && options.ServerSide != "false" || options.ServerSide == "true"
	plain := f.Object.Kind == "Secret" && strings.HasPrefix(f.Field, ".stringData") // others have its data, which is another field
	if f.Kind != drift.KindChanged || f.Manager == "" || f.Manager == live.Manager || options.ForceConflicts || !applied || plain {
		return plan.Objection{}, false
	}
	message := fmt.Sprintf("conflict with %q", f.Manager)
	if f.Subresource != "" {
		message += fmt.Sprintf(" with subresource %q", f.Subresource)
	}
	return plan.Objection{Object: f.Object, Kind: plan.ObjectionConflict, Field: f.Field, Message: message}, true
}
