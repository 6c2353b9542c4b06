package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/state/journal"
)

// fixCommand is how drift --fix, which alone of drift writes, is named in the record
// of a run and in the lock.
const fixCommand = "drift"

// fixes reports whether the run put back what drifted. What it took away is kept
// nowhere, and what it was to put back is found by looking again: nobody undoes it
// or goes on with it.
func (r *pastRun) fixes() bool { return r.Command == fixCommand }

// unfinishable tells what to do instead of going on with a fix.
func (s *session) unfinishable(k *knownRun) error {
	if !k.fixes() {
		return nil
	}
	if !k.halfway() {
		return k.ended()
	}
	return fmt.Errorf("%w: run %s is a fix: nobody goes on with it, and it cannot be undone, for the drift that it took away is not kept; %s",
		errUsage, k.ID, s.fixAgain(k.Selector, k.Environment))
}

// fixNext tells what to do about a fix that ended halfway.
func (s *session) fixNext(r *pastRun, now time.Time) string {
	switch r.Outlook(now) {
	case journal.OutcomeCutOff, journal.OutcomeUndoIncomplete, journal.OutcomeFailed:
		return "\nIt is a fix: " + s.fixAgain(r.Selector, r.Environment) + "\n"
	case journal.OutcomeDone, journal.OutcomeUndone, journal.OutcomeRunning:
		return ""
	default:
		return ""
	}
}

// fixAgain is what to do about a fix that did not end, in the state files and the
// releases that it looked at.
func (s *session) fixAgain(selector []string, environment string) string {
	return fmt.Sprintf("flotilla drift --fix%[1]s puts back what still drifts; flotilla apply%[1]s takes over a release that was left pending or failed, with what the state files want", s.alike(selector, environment))
}

// alike repeats the flags that name the same state files and releases.
func (s *session) alike(selector []string, environment string) string {
	var b strings.Builder
	for _, one := range selector {
		b.WriteString(" --selector '" + one + "'")
	}
	if environment != "" && environment != "default" && !s.given["environment"] {
		b.WriteString(" --environment " + environment)
	}
	b.WriteString(s.where())
	return b.String()
}
