// Package executor runs a plan. It is the only scheduler: a step starts the
// moment everything before it has ended well and a slot is free. When a step
// fails it undoes what the run did, as far as the scope says, by running the
// plan's own undo plan.
//
// A release with continueOnError that fails stops nothing but what comes after
// it by a need, a CRD or a namespace; files that come later go on. When only
// such releases failed, they alone are put back (with the scope group, their
// group is), the run counts as failed, and never as fully undone. A failure of
// any other release, or an interrupt, undoes them together with the rest. Source:
// helmfile's pull request 2804, which leaves undoing to Helm.
package executor

import (
	"context"
	"errors"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Releaser does to one release what a step says. Every method ends with a valid
// Helm release, also when ctx is cancelled in the middle, and writes nothing
// when ctx is cancelled before. Doing what is already done is no error. All
// return state.ErrStale when the release is not any more what the plan was made
// for, and what they left behind, with an error as well as without.
type Releaser interface {
	Install(ctx context.Context, r spec.Release, want *state.Revision) (state.Trace, error)
	Upgrade(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) (state.Trace, error)
	// Uninstall keeps the history, so that the run can be undone.
	Uninstall(ctx context.Context, r spec.Release, have state.Release) (state.Trace, error)
}

// Undoer takes back what a Releaser left. All but the last return state.ErrStale, and
// change nothing, when the newest record is not the one that the Releaser left:
// somebody else has worked on the release since.
type Undoer interface {
	// Rollback also restores a release whose history an Uninstall kept. The trace is
	// what is there then, for whoever tries again.
	Rollback(ctx context.Context, r spec.Release, to *state.Revision, left state.Trace) (state.Trace, error)
	// Remove is an Uninstall of what an Install left.
	Remove(ctx context.Context, r spec.Release, left state.Trace) (state.Trace, error)
	// Forget drops what an Uninstall or Remove kept of the history above a revision;
	// zero: all of it.
	Forget(ctx context.Context, r spec.Release, left state.Trace, above int) error
	// DropNamespace deletes the namespace that an Install created. Its error
	// says why the namespace stays, such as what is in it.
	DropNamespace(ctx context.Context, r spec.Release, left state.Trace) error
}

// HookRunner fires a release's lifecycle hooks. cause is the failure that a
// hook may want to know of; nil: none. When ctx has ended no hook is started, which
// is an error, with the cause of ctx, only where one is due.
type HookRunner interface {
	Fire(ctx context.Context, event spec.HookEvent, r spec.Release, cause error) error
}

// Workers do the work that a plan says.
type Workers struct {
	Releases Releaser
	Undo     Undoer
	Hooks    HookRunner
	Verify   Verifier // nil: gates are left out
	Resume   Resumer  // nil: Options.Prior has nothing to go on with
	Look     Looker   // nil: nobody knows whether a hook still runs
}

// Recorder keeps what a run does where it outlives the process. Undo steps are
// recorded as those are that they take back: Event.Undo tells them apart.
type Recorder interface {
	// Begin returns when it is kept that the step starts. Its error keeps a step
	// from starting, which has failed then; an undo goes on all the same.
	Begin(ctx context.Context, started Event) error
	// End takes how a step ended, and does not wait until that is kept. What starts
	// after it does: its Begin keeps both.
	End(finished Event)
	// Undoing returns when it is kept that the run is undone, and how far. It is
	// undone with an error all the same, unless the fence is lost.
	Undoing(ctx context.Context, how Verdict) error
	// Committing returns when it is kept that the run is decided. It comes before the
	// first history is dropped that an uninstall kept: from then on the run cannot
	// be undone. Its error keeps the history.
	Committing(ctx context.Context) error
}

// Verdict is how far a run is undone: what a process that goes on with the undo
// cannot tell from how the steps ended.
type Verdict struct {
	Undo      []spec.ReleaseID // in the plan's order
	Tolerated bool             // Report.Tolerated
	Lost      []plan.Lost      // what cannot be put back: with what is put back goes the history that tells it
}

type unrecorded struct{}

func (unrecorded) Begin(context.Context, Event) error     { return nil }
func (unrecorded) End(Event)                              {}
func (unrecorded) Undoing(context.Context, Verdict) error { return nil }
func (unrecorded) Committing(context.Context) error       { return nil }

// Options are the ways to run a plan. The zero value undoes the whole plan on
// a failure.
type Options struct {
	Concurrency int        // steps at once; zero: as many as the graph allows, at most 64
	Limits      Limits     // of steps at once, beside Concurrency
	Scope       plan.Scope // empty: plan.ScopePlan
	KeepGoing   bool       // what does not need a failed step still runs
	Observe     func(Event)
	Record      Recorder         // nil: nobody keeps what the run does
	Fence       Fence            // nil: the run may always write
	Now         func() time.Time // nil: time.Now
	// Timeout bounds the steps of a run, but not what puts them back; zero: none.
	Timeout time.Duration
	// Retries is how often a step is tried again that failed for a reason which
	// passes; zero: 2; negative: not at all.
	Retries int
	// Expected is how long a step will take by what is known; zero: unknown. Nil:
	// nothing is known.
	Expected func(plan.Step) time.Duration
	// Abort, when closed, ends the undo too: whoever interrupts twice wants out.
	Abort <-chan struct{}
	// Prior is what earlier processes of the same run did; nil: there were none.
	Prior map[spec.ReleaseID]Prior
	// Asked: of Undo, somebody wants everything back, whether anything failed or not.
	Asked bool
	// Verdict, of Undo, is that of the process that began to undo; nil: there is none.
	// Asked goes before it.
	Verdict *Verdict

	gate *gate // of Fence
}

const maxConcurrency = 64

func (o Options) withDefaults() Options {
	if o.Concurrency <= 0 {
		o.Concurrency = maxConcurrency
	}
	if o.Scope == "" {
		o.Scope = plan.ScopePlan
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	if o.Record == nil {
		o.Record = unrecorded{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Retries == 0 {
		o.Retries = defaultRetries
	}
	o.gate = &gate{fence: o.Fence}
	return o
}

// Outcome is how a step ended.
type Outcome string

// The outcomes. Skipped steps never started; Cancelled ones were cut off by an
// interrupt and left a failed revision; Undone and UndoFailed replace what the
// run itself had reached.
const (
	OutcomeUnchanged  Outcome = "unchanged"
	OutcomeDone       Outcome = "done"
	OutcomeFailed     Outcome = "failed"
	OutcomeCancelled  Outcome = "cancelled"
	OutcomeSkipped    Outcome = "skipped"
	OutcomeUndone     Outcome = "undone"
	OutcomeUndoFailed Outcome = "undo failed"
)

// Result is what became of one step.
type Result struct {
	Step    plan.Step
	Outcome Outcome
	Left    state.Trace   // what the step left behind
	Err     error         // of Failed, Cancelled and UndoFailed
	Undo    error         // why the undo failed
	Because string        // of Skipped: which step was in the way
	Elapsed time.Duration // of the step itself, waiting not counted
}

// Untouched reports whether a step failed before it changed its release, so that
// there is nothing of it to undo: what is there now is not this run's.
func (r Result) Untouched() bool {
	recorded := r.Left.Revision > 0 || r.Left.Namespace != ""
	early := errors.As(r.Err, new(tooEarly)) || errors.Is(r.Err, state.ErrStale)
	return !r.Left.Changed() || early && !recorded
}

// Report tells what a run did. It has a result for every step of the plan, in
// the plan's order.
type Report struct {
	Results     []Result
	Lost        []plan.Lost // what the undo could not put back
	HookErrs    []error     // of lifecycle hooks outside any step
	RecordErrs  []error     // kept history that could not be dropped: harmless leftovers
	Tolerated   bool        // only releases with continueOnError failed: the rest of the run counts
	Interrupted bool
	TimedOut    bool  // Options.Timeout was over before the last step had ended
	Fenced      error // why the run had to stop writing before its end; nil: it had not
	UndoRan     bool
	UndoAsked   bool // the run is no failure: somebody wants everything back
	Started     time.Time
	Finished    time.Time
}

// Failed reports whether anything went wrong, interrupts included.
func (r Report) Failed() bool {
	if r.Interrupted || r.TimedOut || len(r.HookErrs) > 0 || r.Fenced != nil && r.Count(OutcomeSkipped) > 0 {
		return true
	}
	for _, x := range r.Results {
		switch x.Outcome {
		case OutcomeFailed, OutcomeCancelled, OutcomeUndone, OutcomeUndoFailed:
			return true
		case OutcomeUnchanged, OutcomeDone, OutcomeSkipped:
		}
	}
	return false
}

// Count tells how many steps ended in that way.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, x := range r.Results {
		if x.Outcome == o {
			n++
		}
	}
	return n
}

// FullyUndone reports whether the run failed and everything that it touched is
// back as it was.
func (r Report) FullyUndone() bool {
	if !r.UndoRan || r.Tolerated {
		return false
	}
	for _, x := range r.Results {
		switch x.Outcome {
		case OutcomeDone:
			if x.Step.Action.Writes() {
				return false
			}
		case OutcomeFailed, OutcomeCancelled:
			if !x.Untouched() {
				return false
			}
		case OutcomeUndoFailed:
			return false
		case OutcomeUnchanged, OutcomeSkipped, OutcomeUndone:
		}
	}
	return true
}

// EventKind is what an event tells.
type EventKind string

// The events, in the order in which a step meets them.
const (
	EventStarted  EventKind = "started"
	EventRetrying EventKind = "retrying"
	EventFinished EventKind = "finished"
)

// Event is something that happened to a step. Observe is called by one
// goroutine, never after Run has returned.
type Event struct {
	Kind    EventKind
	Time    time.Time
	Undo    bool // the step belongs to the undo plan
	Step    plan.Step
	Outcome Outcome     // of EventFinished
	Left    state.Trace // of EventFinished
	Because string
	Err     error
	Elapsed time.Duration
	Retry   state.Retry // of EventRetrying
	// Attempts, of EventFinished, is how often that part of the step was tried which
	// had to be tried most often; zero: nothing was tried.
	Attempts int
}
