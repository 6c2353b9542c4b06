// Package report writes what a command found and did into files for other
// programs: pipelines, dashboards, comments on a change. It tells what the views
// tell, of the same values, when the command has ended.
//
// # Decisions
//
// An unchanged cluster gives the same bytes each time, so that a report can be
// compared and committed: times and durations are told only of a run that
// executed something, and nothing of the machine is. FormatPrometheus alone has
// the time of the run, for without it nobody sees that a job does not run any
// more.
//
// What could not be seen is an error in every format, and never "no changes".
package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// Format names a form of report.
type Format string

// The formats: one JSON object; the XML of test results that CI systems show;
// Markdown for a comment on a change; samples for the textfile collector of
// Prometheus' node exporter; SARIF 2.1.0 for code scanning.
const (
	FormatJSON       Format = "json"
	FormatJUnit      Format = "junit"
	FormatMarkdown   Format = "markdown"
	FormatPrometheus Format = "prometheus"
	FormatSARIF      Format = "sarif"
)

// Formats are all formats.
func Formats() []Format {
	return []Format{FormatJSON, FormatJUnit, FormatMarkdown, FormatPrometheus, FormatSARIF}
}

// Run is one command that has ended. It holds no secrets.
type Run struct {
	Command     string // as it is typed, such as apply
	Environment string // empty: nobody knows, as of a saved plan of an earlier version
	Owner       string // empty: it was not found out
	Flotilla    string // version
	StateFile   string // the top one; empty: none was read
	ExitCode    int
	Declared    map[spec.ReleaseID]spec.Pos // where releases are declared, as far as it is known

	Plan     *plan.Plan // nil: there was none
	Show     view.PlanOptions
	Renewals *plan.Renewals
	Executed *executor.Report // nil: nothing was executed
	Mode     plan.Mode        // of what was executed
	Drift    *drift.Report    // nil: nobody looked for it
	Look     view.DriftOptions
	Errors   []error // what went wrong beside steps
	Warnings []string
	Ended    time.Time
}

// Options are the ways to write a report. The zero value is usable.
type Options struct {
	Limit int    // bytes of FormatMarkdown; zero: 60,000
	Dir   string // absolute folder that relative paths start from
	Root  string // absolute folder that SARIF tells paths from, such as the repository; empty: Dir
}

const defaultLimit = 60_000

// Write writes a report. It fails where w does.
func Write(w io.Writer, f Format, run Run, opts Options) error {
	var b bytes.Buffer
	r := factsOf(run)
	var err error
	switch f {
	case FormatJSON:
		err = writeJSON(&b, r)
	case FormatJUnit:
		err = writeJUnit(&b, r)
	case FormatMarkdown:
		writeMarkdown(&b, r, opts.limit())
	case FormatPrometheus:
		writePrometheus(&b, r)
	case FormatSARIF:
		err = writeSARIF(&b, r, opts)
	default:
		err = fmt.Errorf("unknown report format %q: expected %s", f, Names())
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// Names lists the formats for a message.
func Names() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (o Options) limit() int {
	if o.Limit <= 0 {
		return defaultLimit
	}
	return o.Limit
}

// facts are a run with what all formats ask of it.
type facts struct {
	Run
	releases []release                          // those that a run ended with, in their order, then what else was planned
	looked   []spec.ReleaseID                   // those of a look for drift, and those that there is something to say of; sorted
	found    map[spec.ReleaseID][]drift.Finding // without what drift --fix has put back
	contexts bool                               // there are releases in more than one, so that names tell theirs
}

// release is what is known of one release.
type release struct {
	id     spec.ReleaseID
	step   *plan.Step
	result *executor.Result // nil: nothing was executed
	asked  bool             // the run was to put everything back
}

func factsOf(r Run) *facts {
	f := &facts{Run: r, looked: lookedAt(r.Drift), found: map[spec.ReleaseID][]drift.Finding{}}
	seen := map[string]bool{}
	for _, id := range f.looked {
		seen[id.Context] = true
	}
	f.releases = releasesOf(r)
	for _, one := range f.releases {
		seen[one.id.Context] = true
	}
	if r.Drift != nil {
		results := map[spec.ReleaseID]*executor.Result{}
		for _, one := range f.releases {
			results[one.id] = one.result
		}
		for _, one := range r.Drift.Findings {
			if x := results[one.Release]; x == nil || x.Outcome != executor.OutcomeDone || !one.Fixable() {
				f.found[one.Release] = append(f.found[one.Release], one)
			}
		}
	}
	f.contexts = len(seen) > 1
	return f
}

// releasesOf are the releases of a run and of its plan. A run that goes on with
// another one ends with more of them than it planned: with what that one did.
func releasesOf(r Run) []release {
	var all []release
	at := map[spec.ReleaseID]int{}
	if r.Executed != nil {
		for i := range r.Executed.Results {
			x := &r.Executed.Results[i]
			at[x.Step.Release.ID] = len(all)
			all = append(all, release{id: x.Step.Release.ID, step: unplanned(x.Step), result: x, asked: r.Executed.UndoAsked})
		}
	}
	if r.Plan == nil {
		return all
	}
	for i := range r.Plan.Steps {
		s := &r.Plan.Steps[i]
		if n, ran := at[s.Release.ID]; ran {
			all[n].step = s
		} else {
			all = append(all, release{id: s.Release.ID, step: s})
		}
	}
	return all
}

// unplanned is a step of an earlier run, of which the record knows what was done and
// not to which content.
func unplanned(s plan.Step) *plan.Step {
	s.Changes, s.Drift, s.Causes = nil, nil, nil
	if s.After != nil && s.After.Chart.Name == "" {
		s.After = nil
	}
	return &s
}

// failed reports whether the step did not end well.
func (r release) failed() bool {
	if r.result == nil {
		return false
	}
	switch r.result.Outcome {
	case executor.OutcomeUndone:
		return !r.asked
	case executor.OutcomeFailed, executor.OutcomeCancelled, executor.OutcomeUndoFailed:
		return true
	case executor.OutcomeUnchanged, executor.OutcomeDone, executor.OutcomeSkipped:
		return false
	default:
		return true
	}
}

// trouble tells why a step did not end well.
func (r release) trouble() string {
	x := r.result
	var texts []string
	for _, err := range []error{x.Err, x.Undo} {
		if err != nil {
			texts = append(texts, strings.TrimRight(err.Error()+"\n"+view.Troubles(err), "\n"))
		}
	}
	if x.Undo != nil && len(texts) > 0 {
		texts[len(texts)-1] = "undoing it: " + texts[len(texts)-1]
	}
	if len(texts) == 0 && x.Outcome == executor.OutcomeUndone {
		texts = append(texts, "undone with the rest of the run")
	}
	return strings.Join(texts, "\n")
}

// faults are the errors that belong to no step.
func (r *facts) faults() []error {
	all := slices.Clone(r.Errors)
	if x := r.Executed; x != nil {
		all = append(all, x.HookErrs...)
		if x.Fenced != nil && x.Failed() {
			all = append(all, x.Fenced)
		}
	}
	return all
}

// interrupted reports whether the command was stopped from outside.
func (r *facts) interrupted() bool { return r.ExitCode >= 128 }

// name is how a release is called in a text.
func (r *facts) name(id spec.ReleaseID) string {
	if !r.contexts {
		id.Context = ""
	}
	return id.String()
}
