package view

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	livediff "github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/state"
)

// Description is a step in the words that the view for people has, for formats
// that lay them out in their own way. What is empty is not told.
type Description struct {
	Sign       string // of the action: + ~ - < =
	Headline   string // what happens and why: action, chart, revision, reason
	Because    string // what makes the release change
	Drift      []string
	Objects    []ObjectText
	Folds      []string // version labels that change in many objects alike
	Hidden     string   // what is suppressed, counted
	Objections []string
}

// ObjectText is one object of a step that differs.
type ObjectText struct {
	Sign  string // + ~ - or, of one that moves, >
	Title string
	Notes []string
	Lines []diff.Line // none where only the name is to be shown
}

// Describe tells of a step what the options let a view show.
func Describe(s plan.Step, opts PlanOptions) Description {
	sign, _ := symbol(s.Action)
	d := Description{Sign: sign, Headline: headline(s), Objections: objectionLines(s)}
	if opts.Brief {
		return d
	}
	d.Because, d.Drift = because(s.Causes), driftLines(s)
	if s.Release.Options.SuppressDiff {
		return d
	}
	shown := diff.Show(s.Changes, opts.selection(s))
	for _, i := range shown.Items {
		o := ObjectText{Title: painter{}.title(i)}
		o.Sign, _ = opSymbol(i.Op)
		if !opts.nameOnly(i, s) {
			o.Notes, o.Lines = notes(i), i.Unified(opts.Context)
		}
		d.Objects = append(d.Objects, o)
	}
	for _, f := range shown.Folds {
		d.Folds = append(d.Folds, foldLine(f))
	}
	if shown.Hidden() > 0 {
		d.Hidden = hiddenLine(shown)
	}
	return d
}

// Summary counts in one line what a plan does.
func Summary(p *plan.Plan, opts PlanOptions) string { return planSummary(p, opts) }

// Ending counts in one line how the steps of a run ended.
func Ending(r executor.Report) string { return reportLine(r) }

// Troubles are the lines on what the cluster tells of the objects at fault;
// empty: the error does not know of any.
func Troubles(err error) string {
	var op *state.OperationError
	if !errors.As(err, &op) {
		return ""
	}
	return troubles(op.Troubles)
}

// nameOnly reports whether of an object nothing but its name is shown. What is
// removed is named; its content is in the cluster.
func (o PlanOptions) nameOnly(i diff.Item, s plan.Step) bool {
	return o.Names || i.Op == diff.OpRemove && !i.Hook || o.NamesOnInstall && s.Action == plan.ActionInstall
}

// driftLines say in one line each who changed which field behind the release's
// back.
func driftLines(s plan.Step) []string {
	var lines []string
	for _, d := range s.Drift {
		for _, f := range d.Fields {
			if f.By == "" || f.By == livediff.Manager {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %s was set by %s%s", d.Object, strings.TrimPrefix(f.Path, "."), f.By, when(f.At)))
		}
	}
	return lines
}

// objectionLines say what speaks against a step.
func objectionLines(s plan.Step) []string {
	var lines []string
	for _, o := range s.Objections {
		what := o.Object.String()
		if o.Field != "" {
			what += " " + strings.TrimPrefix(o.Field, ".")
		}
		lines = append(lines, what+": "+objectionText(o))
	}
	return lines
}
