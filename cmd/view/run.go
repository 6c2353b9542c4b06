package view

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/state"
)

func (h *human) Begin(p *plan.Plan) {
	h.names = namerOf(p)
	if !h.streams.Live {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live = newLive(h, p)
}

func (h *human) End() {
	h.mu.Lock()
	live := h.live
	h.live = nil
	h.mu.Unlock()
	if live != nil {
		live.close()
	}
}

// Event prints one line when a step ends, and where nothing is redrawn also one
// when it starts, so that a log of CI shows what hangs. A quiet run still tells
// what failed and what was undone for it.
func (h *human) Event(e executor.Event) {
	h.mu.Lock()
	live := h.live
	h.mu.Unlock()
	if live != nil {
		live.event(e)
	}
	switch {
	case e.Kind == executor.EventRetrying:
		if line := h.retries.line(e, h.names.name(e.Step.Release.ID)); line != "" {
			h.always(h.err.paint(yellow, "~") + " " + line + "\n")
		}
	case e.Kind == executor.EventStarted && live != nil:
	case e.Kind == executor.EventStarted:
		doing, _ := verbs(e.Step.Action)
		h.print(fmt.Sprintf("  %s %s\n", doing, h.names.name(e.Step.Release.ID)))
	case e.Outcome == executor.OutcomeUnchanged:
	case e.Undo || e.Err != nil:
		h.always(h.finished(e))
	default:
		h.print(h.finished(e))
	}
}

func (h *human) finished(e executor.Event) string {
	name := h.names.name(e.Step.Release.ID)
	done := doneWord(e.Step.Action, e.Left)
	switch e.Outcome {
	case executor.OutcomeDone:
		return fmt.Sprintf("%s %s %s %s\n", h.err.paint(green, "✓"), name, done, h.err.paint(dim, "("+elapsed(e.Elapsed)+")"))
	case executor.OutcomeFailed, executor.OutcomeCancelled:
		text := fmt.Sprintf("%s %s %s %s\n    %s\n", h.err.paint(red, "✗"), name, e.Outcome, h.err.paint(dim, "("+elapsed(e.Elapsed)+")"), whole(e.Err))
		var op *state.OperationError
		if errors.As(e.Err, &op) {
			text += troubles(op.Troubles)
		}
		return text
	case executor.OutcomeSkipped:
		return fmt.Sprintf("%s %s not started: %s\n", h.err.paint(yellow, "-"), name, e.Because)
	case executor.OutcomeUnchanged, executor.OutcomeUndone, executor.OutcomeUndoFailed:
		return ""
	default:
		return ""
	}
}

// oneLine is what an error says, without what it tells below that.
func oneLine(err error) string {
	cause, _ := parted(err)
	return cause
}

// whole is a line, and below it what the error tells further in, such as what a
// program wrote.
func whole(err error) string {
	cause, more := parted(err)
	if len(more) == 0 {
		return cause
	}
	return cause + "\n" + indent(strings.Join(more, "\n"), "    ")
}

// parted takes an error's lines apart. Those that begin with a blank belong to
// the line before.
func parted(err error) (cause string, more []string) {
	if err == nil {
		return "", nil
	}
	var causes []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		switch text := strings.Join(strings.Fields(line), " "); {
		case text == "":
		case strings.HasPrefix(line, " ") && len(causes) > 0:
			more = append(more, strings.TrimRight(line, " "))
		default:
			causes = append(causes, text)
		}
	}
	return strings.Join(causes, "; "), more
}

// Report says what was done, undone and skipped, and why; then what needs
// somebody's hand.
func (h *human) Report(r executor.Report, mode plan.Mode) {
	var b strings.Builder
	b.WriteString("\n" + h.err.paint(bold, reportLine(r)) + "\n")
	for _, x := range r.Results {
		switch x.Outcome {
		case executor.OutcomeFailed, executor.OutcomeCancelled:
			fmt.Fprintf(&b, "  %s %s: %s\n", h.err.paint(red, string(x.Outcome)), h.names.name(x.Step.Release.ID), oneLine(x.Err))
		case executor.OutcomeUndone:
			fmt.Fprintf(&b, "  %s %s\n", h.err.paint(yellow, "undone"), h.undone(x))
		case executor.OutcomeUndoFailed:
			fmt.Fprintf(&b, "  %s %s: %s\n", h.err.paint(red, "not undone"), h.names.name(x.Step.Release.ID), oneLine(x.Undo))
		case executor.OutcomeSkipped:
			fmt.Fprintf(&b, "  %s %s: %s\n", h.err.paint(dim, "skipped"), h.names.name(x.Step.Release.ID), x.Because)
		case executor.OutcomeDone, executor.OutcomeUnchanged:
		}
	}
	h.leftovers(&b, r)
	if r.Failed() || len(r.RecordErrs) > 0 {
		h.always(b.String())
		return
	}
	h.print(b.String())
}

func (h *human) undone(x executor.Result) string {
	text := h.names.name(x.Step.Release.ID)
	if x.Step.Before == nil {
		text += ": removed again"
	} else {
		text += fmt.Sprintf(": back to revision %d", x.Step.Before.Number)
	}
	if x.Err != nil {
		text += ", after " + oneLine(x.Err)
	}
	return text
}

func (h *human) leftovers(b *strings.Builder, r executor.Report) {
	if r.Fenced != nil && r.Failed() {
		fmt.Fprintf(b, "  %s%s; nothing was written since\n", h.err.paint(red, "Error: "), oneLine(r.Fenced))
	}
	if len(r.Lost) > 0 {
		b.WriteString("  Not put back:\n")
		for _, l := range r.Lost {
			fmt.Fprintf(b, "    %s of %s: %s\n", l.Object, h.names.name(l.Release), l.Why)
		}
	}
	for _, err := range r.HookErrs {
		fmt.Fprintf(b, "  %s%s\n", h.err.paint(red, "Error: "), whole(err))
	}
	for _, err := range r.RecordErrs {
		fmt.Fprintf(b, "  %s%s\n", h.err.paint(yellow, "Warning: "), whole(err))
	}
}

func reportLine(r executor.Report) string {
	counts := map[string]int{}
	order := []string{"installed", "upgraded", "reinstalled", "uninstalled", "unchanged", "failed", "cancelled", "undone", "not undone", "skipped"}
	for _, x := range r.Results {
		word := string(x.Outcome)
		switch x.Outcome {
		case executor.OutcomeDone:
			word = doneWord(x.Step.Action, x.Left)
		case executor.OutcomeUndoFailed:
			word = "not undone"
		case executor.OutcomeUnchanged, executor.OutcomeFailed, executor.OutcomeCancelled, executor.OutcomeSkipped, executor.OutcomeUndone:
		}
		counts[word]++
	}
	var parts []string
	for _, w := range order {
		if counts[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[w], w))
		}
	}
	head := "Done"
	switch {
	case r.Interrupted && r.FullyUndone():
		head = "Interrupted, everything was put back"
	case r.Interrupted:
		head = "Interrupted"
	case r.TimedOut && r.FullyUndone():
		head = "Out of time, everything was put back"
	case r.TimedOut:
		head = "Out of time"
	case r.UndoAsked && r.FullyUndone():
		head = "Put back"
	case r.UndoAsked:
		head = "Put back in part"
	case r.Failed() && r.FullyUndone():
		head = "Failed, everything was put back"
	case r.Failed():
		head = "Failed"
	}
	return fmt.Sprintf("%s: %s in %s.", head, strings.Join(parts, ", "), elapsed(r.Finished.Sub(r.Started)))
}
