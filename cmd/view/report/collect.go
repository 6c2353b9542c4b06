package report

import (
	"slices"
	"sync"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
)

// Collector is a view that passes everything on to another one and keeps what
// reports are made of. Safe for concurrent use.
type Collector struct {
	view.View

	mu  sync.Mutex
	run Run
}

var _ view.View = (*Collector)(nil)

// Collect makes a collector in front of a view. What it is told must be without
// secrets.
func Collect(next view.View) *Collector { return &Collector{View: next} }

// Plan keeps the newest plan.
func (c *Collector) Plan(p *plan.Plan, opts view.PlanOptions) {
	c.keep(func(r *Run) { r.Plan, r.Show = p, opts })
	c.View.Plan(p, opts)
}

// Replan keeps which releases of a saved plan were planned anew.
func (c *Collector) Replan(n plan.Renewals, opts view.PlanOptions) {
	c.keep(func(r *Run) { r.Renewals = &n })
	c.View.Replan(n, opts)
}

// Begin keeps the plan that is executed, where it was not shown as one.
func (c *Collector) Begin(p *plan.Plan) {
	c.keep(func(r *Run) {
		if r.Plan == nil {
			r.Plan, r.Show = p, view.PlanOptions{Brief: true}
		}
	})
	c.View.Begin(p)
}

// Report keeps how a run went.
func (c *Collector) Report(x executor.Report, mode plan.Mode) {
	c.keep(func(r *Run) { r.Executed, r.Mode = &x, mode })
	c.View.Report(x, mode)
}

// Drift keeps what is not as it was deployed.
func (c *Collector) Drift(d drift.Report, opts view.DriftOptions) {
	c.keep(func(r *Run) { r.Drift, r.Look = &d, opts })
	c.View.Drift(d, opts)
}

// Warn keeps a warning.
func (c *Collector) Warn(message string) {
	c.keep(func(r *Run) { r.Warnings = append(r.Warnings, message) })
	c.View.Warn(message)
}

// Error keeps every error of those that are joined.
func (c *Collector) Error(err error) {
	c.keep(func(r *Run) { r.Errors = append(r.Errors, view.Flatten(err)...) })
	c.View.Error(err)
}

// Tell lets the caller fill in what no view is told.
func (c *Collector) Tell(about func(*Run)) { c.keep(about) }

// Run gives what was kept, warnings in an order that does not hang on which of
// two releases was looked at first.
func (c *Collector) Run() Run {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.run
	r.Errors, r.Warnings = slices.Clone(r.Errors), slices.Clone(r.Warnings)
	slices.Sort(r.Warnings)
	r.Warnings = slices.Compact(r.Warnings)
	return r
}

func (c *Collector) keep(change func(*Run)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.run)
}
