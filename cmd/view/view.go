// Package view prints: it is the only package that writes to a terminal. Every
// format renders the same values. Results go to Out; progress, warnings and
// errors go to Err.
package view

import (
	"fmt"
	"io"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// View shows what a run plans, does and did.
type View interface {
	// Plan shows every step that writes, with its differences.
	Plan(p *plan.Plan, opts PlanOptions)
	// Replan shows which releases of a saved plan were planned anew.
	Replan(r plan.Renewals, opts PlanOptions)
	// Begin is called before the first event of a run; End after the last.
	Begin(p *plan.Plan)
	Event(e executor.Event)
	End()
	Report(r executor.Report, mode plan.Mode)
	// Drift shows what is not as it was deployed.
	Drift(r drift.Report, opts DriftOptions)
	Hook(event spec.HookEvent, name, line string)
	// Gate tells which gate a release is verified by. It may be called by several
	// goroutines at once, as Hook may.
	Gate(release spec.ReleaseID, text string)
	Warn(message string)
	Ask(question string)
	Error(err error)
}

// PlanOptions are the ways to show a plan.
type PlanOptions struct {
	Context        int      // lines around a difference; negative: all
	Suppress       []string // kinds whose objects are not shown
	Brief          bool     // one line a release, no differences
	Names          bool     // name the objects only
	NamesOnInstall bool     // of a release that is not there yet, name the objects only
	Form           Form     // how differences are laid out for people; FormatJSON and FormatYAML have one form
	FoldLabels     bool     // tell changes of version labels once for all objects of a release
	Undo           bool     // it puts back what a run did
	Conflicts      string   // what to do about conflicts; empty: what holds for an apply

	Saved *plan.Saved // what the plan was read from; nil: it was made just now
}

// Streams are where a view prints.
type Streams struct {
	Out      io.Writer
	Err      io.Writer
	Color    bool // Out shows colours
	ErrColor bool // Err does
	Quiet    bool // no progress: results, warnings and errors only
	Live     bool // Err is a terminal on which lines can be redrawn
	Width    func() (columns, rows int)
	Columns  func() int // of Out; 0: no terminal. Nil: none, too
}

// Format names a view.
type Format string

// The formats.
const (
	FormatHuman Format = "text"
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
)

// New makes the view of that format.
func New(f Format, s Streams, now func() time.Time) (View, error) {
	switch f {
	case FormatHuman, "":
		return newHuman(s, now), nil
	case FormatJSON:
		return &jsonView{out: s.Out, err: s.Err, now: now, encode: JSON}, nil
	case FormatYAML:
		return &jsonView{out: s.Out, err: s.Err, now: now, encode: document}, nil
	default:
		return nil, fmt.Errorf("unknown output format %q: expected text, json or yaml", f)
	}
}
