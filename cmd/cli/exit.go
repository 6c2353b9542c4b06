package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/lease"
)

// The exit codes; README and help list them.
const (
	exitDone       = 0
	exitFailed     = 1
	exitChanges    = 2
	exitUsage      = 3
	exitStale      = 4
	exitBusy       = 5
	exitUndone     = 6
	exitNotUndone  = 7
	exitRefused    = 8
	exitInterrupt  = 130
	exitTerminated = 143
)

// Interrupt is the cause with which main cancels the context of a run.
type Interrupt struct{ Signal os.Signal }

// Error names the signal as a shell does.
func (i Interrupt) Error() string {
	if i.Signal == syscall.SIGTERM {
		return "interrupted by SIGTERM"
	}
	return "interrupted"
}

// errTold marks an error that a view has already shown.
var errTold = errors.New("already shown")

// told carries an exit code for something that a view has already shown.
type told struct{ code int }

func (t told) Error() string        { return errTold.Error() }
func (t told) Is(target error) bool { return target == errTold }

// withoutTold leaves out of a joined error what a view has already shown.
func withoutTold(err error) error {
	return errors.Join(slices.DeleteFunc(view.Flatten(err), func(e error) bool { return errors.Is(e, errTold) })...)
}

// errUsage marks a mistake in how a command was called.
var errUsage = errors.New("usage")

// exitCode is the one place that turns an ending into a number.
func exitCode(ctx context.Context, err error) int {
	var code told
	switch {
	case errors.As(err, &code) && code.code == exitNotUndone:
		return exitNotUndone // also after an interrupt: it was no clean stop
	case ctx.Err() != nil:
		return interruptCode(ctx)
	case err == nil:
		return exitDone
	case errors.As(err, &code) && code.code == exitChanges && withoutTold(err) != nil:
		return exitFailed // changes are no news when the command itself failed
	case errors.As(err, &code):
		return code.code
	case errors.Is(err, errRefused):
		return exitRefused
	case errors.Is(err, state.ErrStale):
		return exitStale
	case errors.Is(err, plan.ErrBusy), errors.Is(err, lease.ErrHeld):
		return exitBusy
	case errors.Is(err, spec.ErrNothingMatched), errors.Is(err, errUsage), errors.Is(err, errNoRelease), errors.Is(err, errNoValue):
		return exitUsage
	default:
		return exitFailed
	}
}

func interruptCode(ctx context.Context) int {
	var i Interrupt
	if errors.As(context.Cause(ctx), &i) && i.Signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupt
}

// reportCode is what a run's report means: 6 only when the cluster is as it was
// before, 7 when the undo left something behind.
func reportCode(r executor.Report) int {
	switch {
	case !r.Failed(), r.UndoAsked && r.FullyUndone() && !r.Interrupted:
		return exitDone
	case r.Count(executor.OutcomeUndoFailed) > 0:
		return exitNotUndone
	case r.FullyUndone():
		return exitUndone
	default:
		return exitFailed
	}
}
