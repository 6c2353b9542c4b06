package journal

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Run is the record of one run: who did what from where, and how far each step
// came. It holds no values, no manifests and no differences, so no secrets.
type Run struct {
	ID       string    `json:"run"` // of NewID: sorts by time
	Owner    string    `json:"owner"`
	Context  string    `json:"context"` // of the cluster that holds this copy, as the run named it
	Command  string    `json:"command"`
	Mode     string    `json:"mode"` // of plan.Mode
	Flotilla string    `json:"flotilla,omitempty"`
	Who      Who       `json:"who"`
	Job      *Job      `json:"job,omitempty"`      // nil: not started by a CI system that is known
	Writer   string    `json:"writer,omitempty"`   // state.Revision.Writer of what the run writes
	Unlocked bool      `json:"unlocked,omitempty"` // no lock keeps others out: only Updated tells whether it goes on
	Undoes   string    `json:"undoes,omitempty"`   // ID of the finished run that this one puts back; empty: of none
	Started  time.Time `json:"started"`
	Updated  time.Time `json:"updated"`           // when the run last gave a sign of life
	Finished time.Time `json:"finished,omitzero"` // zero: it runs, or was cut off

	Environment string   `json:"environment,omitempty"`
	Selector    []string `json:"selector,omitempty"`
	Commit      *Commit  `json:"commit,omitempty"` // nil: nobody knows
	Plan        Plan     `json:"plan"`
	Failure     Failure  `json:"failure"`

	Stage       Stage    `json:"stage,omitempty"`   // empty: StageApplying
	Verdict     *Verdict `json:"verdict,omitempty"` // of StageUndoing; nil: nobody knows
	Outcome     Outcome  `json:"outcome"`
	Interrupted bool     `json:"interrupted,omitempty"`
	Unchanged   int      `json:"unchanged,omitempty"` // releases on which nothing was to do

	Errors    []string `json:"errors,omitempty"`    // outside any step
	NotUndone []string `json:"notUndone,omitempty"` // what the undo could not put back

	// Resumed are the processes that went on with the run, the first one first.
	Resumed []Resumption `json:"resumed,omitempty"`

	Steps []Step `json:"steps"` // those that write, in the plan's order
	Edges []Edge `json:"edges,omitempty"`

	// Sequence grows with every write. A greater one than that of the writer says
	// that somebody else has written.
	Sequence int `json:"sequence"`
}

// Who started a run.
type Who struct {
	User string `json:"user,omitempty"`
	Host string `json:"host,omitempty"`
}

// Resumption is a process that went on with a run which another one had left.
type Resumption struct {
	At   time.Time `json:"at"`
	Who  Who       `json:"who"`
	Job  *Job      `json:"job,omitempty"`
	Undo bool      `json:"undo,omitempty"` // it was told to put everything back
	// Last is the Updated of the process before: the clocks of both may differ.
	Last time.Time `json:"last"`
}

// Stage is what a run is doing as a whole.
type Stage string

// The stages. Committing is stored before the first history of an uninstalled
// release is dropped: from then on the run is decided, and cannot be undone.
const (
	StageApplying   Stage = "applying"
	StageUndoing    Stage = "undoing"
	StageCommitting Stage = "committing"
)

// Verdict is how far a run is undone, which it decides when all of its steps have
// ended.
type Verdict struct {
	Undo      []int `json:"undo,omitempty"`      // indices of steps
	Tolerated bool  `json:"tolerated,omitempty"` // only what may fail did: the rest of the run counts
	// Lost is what cannot be put back, for a process that goes on when what tells it
	// has been put back.
	Lost []Lost `json:"lost,omitempty"`
}

// Lost is an object that an undo cannot put back.
type Lost struct {
	Step   int            `json:"step"` // its index
	Object state.ObjectID `json:"object"`
	Why    string         `json:"why"`
}

// Commit is the state of the repository that the state files are in.
type Commit struct {
	ID       string `json:"id"`
	Modified bool   `json:"modified,omitempty"` // what was read is not all as committed
}

// Plan identifies the plan that a run executes.
type Plan struct {
	Digest string `json:"digest"`         // of plan.Plan.Digest
	File   string `json:"file,omitempty"` // digest of the file of a saved plan; empty: made by the run
}

// Failure is what the run does when a step fails.
type Failure struct {
	Rollback  string `json:"rollback"` // of plan.Scope
	KeepGoing bool   `json:"keepGoing,omitempty"`
}

// Step is one release of a run.
type Step struct {
	Release  spec.ReleaseID `json:"release"`
	Group    string         `json:"group,omitempty"` // its atomicGroup
	Action   string         `json:"action"`          // of plan.Action
	Base     int            `json:"base"`            // newest revision when it was decided; zero: none
	Back     int            `json:"back"`            // revision that an undo returns to; zero: the release goes away
	Intended int            `json:"intended"`        // revision that the step writes
	State    State          `json:"state"`
	Started  time.Time      `json:"started,omitzero"`
	Finished time.Time      `json:"finished,omitzero"`
	Attempts int            `json:"attempts,omitempty"` // of that part which had to be tried most often; zero: none was tried again
	Because  string         `json:"because,omitempty"`  // of Skipped: what was in the way
	Error    string         `json:"error,omitempty"`
	// OfGroup: what failed is a gate of the step's group, all of whose members count
	// as failed.
	OfGroup bool         `json:"ofGroup,omitempty"`
	Undo    *Undo        `json:"undo,omitempty"` // nil: nobody tried
	Left    *state.Trace `json:"left,omitempty"` // what the step left behind; nil: it has not ended

	// What somebody needs who goes on with the run, or puts it back.
	BaseAt     time.Time        `json:"baseAt,omitzero"`      // when revision Base was written
	BaseStatus state.Status     `json:"baseStatus,omitempty"` // of revision Base, when the step was decided
	BackStatus state.Status     `json:"backStatus,omitempty"` // of revision Back, then
	Needs      []int            `json:"needs,omitempty"`      // indices of the steps whose releases this one needs
	Options    spec.Options     `json:"options,omitzero"`     // without what makes the revision, and without texts
	Wanted     string           `json:"wanted,omitempty"`     // plan.Step.Wanted
	CRDs       []state.ObjectID `json:"crds,omitempty"`       // that the wanted chart brings in its crds/ folder
	// MakesNamespace: the step creates the namespace of its release if it is not
	// there; it then carries state.RunAnnotation.
	MakesNamespace bool `json:"makesNamespace,omitempty"`
}

// Begun reports whether the record knows that the step was started.
func (s Step) Begun() bool { return s.State != StatePending && s.State != StateSkipped }

// Undo is how the taking back of a step went.
type Undo struct {
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Error    string    `json:"error,omitempty"`
}

// Edge says that To starts only when From has ended well. Numbers are indices of
// Steps; those from len(Steps) on are gates, which do nothing.
type Edge struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// State is how far a step came.
type State string

// The states. Undoing replaces what the run itself had reached.
const (
	StatePending    State = "pending"
	StateRunning    State = "running"
	StateDone       State = "done"
	StateFailed     State = "failed"
	StateCancelled  State = "cancelled"
	StateSkipped    State = "skipped"
	StateUndoing    State = "undoing"
	StateUndone     State = "undone"
	StateUndoFailed State = "undo failed"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes. Running and CutOff have no end: CutOff is never stored, Outlook
// tells it from how long a run has given no sign of life.
const (
	OutcomeRunning        Outcome = "running"
	OutcomeDone           Outcome = "done"
	OutcomeFailed         Outcome = "failed"
	OutcomeUndone         Outcome = "undone" // failed, and everything is as it was
	OutcomeUndoIncomplete Outcome = "undo incomplete"
	OutcomeCutOff         Outcome = "cut off"
)

const (
	// beat is how often a run that has nothing to write gives a sign of life.
	beat = 10 * time.Second
	// silence is how long a run without one is taken for alive: two lost beats
	// and clocks that differ a little.
	silence = 40 * time.Second
)

// Outlook is the outcome as it looks at a time: a run that has not ended and
// gives no sign of life any more was cut off.
func (r *Run) Outlook(now time.Time) Outcome {
	if r.Finished.IsZero() && now.Sub(r.Updated) > silence {
		return OutcomeCutOff
	}
	return r.Outcome
}

// Took is how long the run took, as far as anybody knows.
func (r *Run) Took() time.Duration {
	if r.Finished.IsZero() {
		return r.Updated.Sub(r.Started)
	}
	return r.Finished.Sub(r.Started)
}

// Count tells how many steps are in that state.
func (r *Run) Count(s State) int {
	n := 0
	for _, step := range r.Steps {
		if step.State == s {
			n++
		}
	}
	return n
}

// NewID names a run that starts now. Names sort by time, to the millisecond.
func NewID(now time.Time) string {
	random := make([]byte, 2)
	_, _ = rand.Read(random) // never fails
	at := strings.ReplaceAll(now.UTC().Format("20060102-150405.000"), ".", "")
	return at + "-" + hex.EncodeToString(random)
}
