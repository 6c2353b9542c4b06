package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// subject names the run in a question.
func (k *knownRun) subject() string { return fmt.Sprintf("%s (%s by %s)", k.ID, k.Command, k.by()) }

// showUndo shows what an undo will do: as a plan where a program reads it, else
// release by release.
func (s *session) showUndo(ctx context.Context, k *knownRun, p *plan.Plan, opts executor.Options, q changeRequest) error {
	back, lost := executor.UndoPlan(p, opts)
	show := q.diff.show(q.format)
	show.Undo = true
	if q.format.view() != view.FormatHuman {
		s.view.Plan(back, show)
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s.\nUndo:\n", k.title(), k.soFar())
	for _, step := range back.Steps {
		fmt.Fprintf(&b, "  %s\n", k.undoLine(step))
	}
	for i := range k.Steps {
		if err := opts.Prior[k.Steps[i].Release].Err; opts.Prior[k.Steps[i].Release].Outcome == executor.OutcomeUndoFailed {
			fmt.Fprintf(&b, "  ! %s: stays as it is: %v\n", k.name(k.Steps[i].Release), err)
		}
	}
	lost = executor.StillRunning(ctx, lost, s.offline().Look)
	if len(lost) > 0 {
		b.WriteString("Cannot be put back:\n")
		for _, l := range lost {
			fmt.Fprintf(&b, "  %s of %s: %s\n", l.Object, k.name(l.Release), l.Why)
		}
	}
	b.WriteString(view.Summary(back, show) + "\n")
	s.reports.planned(back, show)
	return view.Text(s.env.Streams.Out, b.String())
}

// undoLine is what the undo does to one release.
func (k *knownRun) undoLine(step plan.Step) string {
	is := ""
	if step.Left.Revision > 0 {
		is = fmt.Sprintf(", from revision %d (%s)", step.Left.Revision, step.Left.Status)
	}
	name := k.name(step.Release.ID)
	switch {
	case step.Action == plan.ActionRemove && step.Left.Revision == 0:
		return fmt.Sprintf("- %s: nothing is installed yet", name)
	case step.Action == plan.ActionRemove:
		return fmt.Sprintf("- %s: remove it%s", name, is)
	case step.Left.Revision == 0:
		return fmt.Sprintf("~ %s: nothing is changed yet", name)
	case step.Left.Status == state.StatusUninstalled, step.Left.Status == state.StatusUninstalling:
		return fmt.Sprintf("+ %s: restore revision %d%s", name, step.After.Number, is)
	default:
		return fmt.Sprintf("~ %s: roll back to revision %d%s", name, step.After.Number, is)
	}
}

// soFar says how the run stands, now that the clusters have been looked at.
func (k *knownRun) soFar() string {
	counts := map[string]int{}
	var order []string
	for i, one := range k.steps {
		word := string(one.Standing)
		if one.Standing == "moved" && !k.begun(i) {
			word = "not begun"
		}
		if counts[word] == 0 {
			order = append(order, word)
		}
		counts[word]++
	}
	var parts []string
	for _, word := range order {
		parts = append(parts, fmt.Sprintf("%d %s", counts[word], word))
	}
	outcome := string(k.Outcome)
	if k.Finished.IsZero() {
		outcome = "was cut off"
	}
	return outcome + ", " + strings.Join(parts, ", ")
}

// name leaves the context out where the run has only one.
func (k *knownRun) name(id spec.ReleaseID) string {
	if len(k.clusters()) == 1 {
		id.Context = ""
	}
	return id.String()
}
