package view

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// human writes for people: plain lines where nothing can be redrawn, and a live
// table below them where it can.
type human struct {
	mu      sync.Mutex
	painter         // of results
	err     painter // of everything else
	streams Streams
	now     func() time.Time
	names   namer
	live    *live
	retries retries // of the one goroutine that tells events
}

var _ View = (*human)(nil)

func newHuman(s Streams, now func() time.Time) *human {
	return &human{painter: painter{on: s.Color}, err: painter{on: s.ErrColor}, streams: s, now: now}
}

// namer prints release ids; the kube context only where a plan has several.
type namer struct{ contexts bool }

func namerOf(p *plan.Plan) namer {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		seen[s.Release.ID.Context] = true
	}
	return namer{contexts: len(seen) > 1}
}

func (n namer) name(id spec.ReleaseID) string {
	if !n.contexts {
		id.Context = ""
	}
	return id.String()
}

func (h *human) Plan(p *plan.Plan, opts PlanOptions) {
	h.names = namerOf(p)
	if from := opts.Saved; from != nil {
		h.print(fmt.Sprintf("Planned at %s by flotilla %s.\n", from.Created.Format(time.RFC3339), from.Flotilla))
	}
	var b strings.Builder
	for _, s := range p.Steps {
		if !s.Action.Writes() {
			continue
		}
		h.step(&b, s, opts)
	}
	b.WriteString(h.paint(bold, planSummary(p, opts)) + "\n")
	fmt.Fprint(h.streams.Out, b.String())
}

func (h *human) step(b *strings.Builder, s plan.Step, opts PlanOptions) {
	sign, st := symbol(s.Action)
	fmt.Fprintf(b, "%s %s  %s\n", h.paint(st, sign), h.paint(bold, h.names.name(s.Release.ID)), h.paint(dim, headline(s)))
	if opts.Brief {
		h.objections(b, s, opts)
		return
	}
	h.why(b, s)
	h.gates(b, s)
	h.drift(b, s)
	if !s.Release.Options.SuppressDiff {
		h.changes(b, s.Changes, s, opts)
	}
	h.objections(b, s, opts)
	b.WriteString("\n")
}

// headline says in one line what happens and why.
func headline(s plan.Step) string {
	parts := []string{string(s.Action)}
	switch {
	case s.After != nil && s.Before != nil && chartOf(s.Before) != chartOf(s.After):
		parts = append(parts, "chart "+chartOf(s.Before)+" -> "+chartOf(s.After))
	case s.After != nil:
		parts = append(parts, "chart "+chartOf(s.After))
	case s.Before != nil:
		parts = append(parts, "chart "+chartOf(s.Before))
	}
	if s.Before != nil {
		parts = append(parts, fmt.Sprintf("revision %d", s.Before.Number))
	}
	if s.Reason != plan.ReasonChanged && s.Reason != plan.ReasonNew {
		parts = append(parts, string(s.Reason))
	}
	if s.Action == plan.ActionUpgrade && len(s.Changes) == 0 {
		parts = append(parts, "no object changes")
	}
	return strings.Join(parts, ", ")
}

func chartOf(r *state.Revision) string { return r.Chart.Name + "-" + r.Chart.Version }

func planSummary(p *plan.Plan, opts PlanOptions) string {
	switch {
	case opts.Undo:
		return fmt.Sprintf("Plan: %d to roll back, %d to remove.", p.Count(plan.ActionRollback), p.Count(plan.ActionRemove))
	case p.Changed():
	case p.Mode == plan.ModeDestroy:
		return "Nothing to uninstall: none of the selected releases is installed."
	default:
		return fmt.Sprintf("No changes: %s as declared.", are(len(p.Steps), "release"))
	}
	return fmt.Sprintf("Plan: %d to install, %d to upgrade, %d to uninstall, %d unchanged.",
		p.Count(plan.ActionInstall), p.Count(plan.ActionUpgrade), p.Count(plan.ActionUninstall), p.Count(plan.ActionNone))
}

func are(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

func (h *human) Hook(event spec.HookEvent, name, line string) {
	h.print(fmt.Sprintf("hook[%s] %s | %s\n", event, name, line))
}

func (h *human) Warn(message string) {
	h.always(h.err.paint(yellow, "Warning: ") + message + "\n")
}

func (h *human) Ask(question string) {
	h.always(h.err.paint(bold, question) + " [y/n]: ")
}

// Error prints every joined error once, each on lines of its own.
func (h *human) Error(err error) {
	var b strings.Builder
	for _, e := range Flatten(err) {
		fmt.Fprintf(&b, "%s%s\n", h.err.paint(red, "Error: "), e.Error())
		var op *state.OperationError
		if errors.As(e, &op) {
			b.WriteString(troubles(op.Troubles))
		}
	}
	h.always(b.String())
}

// Flatten opens what errors.Join put together, at any depth; an error that only
// wraps several others is one message and stays whole. Nil has no errors.
func Flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	var texts []string
	for _, e := range joined.Unwrap() {
		all = append(all, Flatten(e)...)
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	return all
}

// print writes progress.
func (h *human) print(text string) {
	if !h.streams.Quiet {
		h.always(text)
	}
}

// always writes above the live table, if there is one.
func (h *human) always(text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live != nil {
		h.live.above(text)
		return
	}
	fmt.Fprint(h.streams.Err, text)
}
