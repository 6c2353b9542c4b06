package journal

import (
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Standing is how far a step really came: what the record says, held against
// what the cluster does.
type Standing string

// The standings. CutOff: it was begun and neither ended nor was put back, so that
// it can be run or undone again. Moved: somebody else has worked on the release.
const (
	StandingNotBegun Standing = "not begun"
	StandingCutOff   Standing = "cut off"
	StandingDone     Standing = "done"
	StandingFailed   Standing = "failed"
	StandingUndone   Standing = "undone"
	StandingMoved    Standing = "moved"
)

// Recovered is what is known of a step whose process may be gone.
type Recovered struct {
	Standing Standing
	Left     state.Trace     // what undoing the step has to take back
	Unended  bool            // of Done: Helm is, but what comes after may not have happened
	Now      *state.Revision // the newest revision; nil: there is none
}

// Sight is what the clusters hold of the releases of a run.
type Sight struct {
	Have       state.Snapshot            // with superseded revisions
	Namespaces map[spec.ReleaseID]string // UIDs of the releases' namespaces that carry the ID of the run
	Newer      []*Run                    // runs of the same owner that began after this one
}

// grace is how long after its last sign of life a run may still have written.
const grace = time.Minute

// Recover finds out how far each step came, in the order of Steps. It is pure.
func (r *Run) Recover(now Sight) []Recovered {
	all := make([]Recovered, len(r.Steps))
	for i, s := range r.Steps {
		c := recovery{run: r, step: s, others: now.Newer}
		if history := now.Have[s.Release].History; len(history) > 0 {
			c.newest, c.history = &history[len(history)-1], history
		}
		one := c.standing()
		one.Now = c.newest
		one.Left = c.recorded().Then(one.Left)
		if one.Left.Namespace == "" && s.MakesNamespace {
			one.Left.Namespace = now.Namespaces[s.Release]
		}
		one.Left.Unsure = s.Options.TakeOwnership && !c.deletes() && one.Left.Revision > 0
		all[i] = one
	}
	return all
}

// recovery is one step and what the cluster holds of its release.
type recovery struct {
	run     *Run
	step    Step
	others  []*Run
	history []state.Revision
	newest  *state.Revision
}

// recorded is what the step left by its record.
func (c recovery) recorded() state.Trace {
	if c.step.Left == nil {
		return state.Trace{}
	}
	return *c.step.Left
}

// wrote is the trace of an operation that left the newest record.
func (c recovery) wrote() state.Trace {
	t := state.Trace{Revision: c.newest.Number, Status: c.newest.Status, Began: true}
	if c.step.Left == nil {
		t.CRDs = c.step.CRDs
	}
	return t
}

// unwritten is the trace of an operation that was cut off before its record.
// Helm brings CRDs, and runs the hooks of an uninstall, before that.
func (c recovery) unwritten() state.Trace {
	if c.step.Left != nil || !c.begun() {
		return state.Trace{}
	}
	return state.Trace{Began: c.deletes() || len(c.step.CRDs) > 0, CRDs: c.step.CRDs}
}

func (c recovery) deletes() bool  { return c.step.Action == "uninstall" }
func (c recovery) installs() bool { return c.step.Action == "install" }

// begun reports whether the record knows that the step was started.
func (c recovery) begun() bool { return c.step.Begun() }

// undoing reports whether the record knows that undoing the step was started.
func (c recovery) undoing() bool {
	return c.step.State == StateUndoing || c.step.State == StateUndoFailed
}

func (c recovery) standing() Recovered {
	s, newest := c.step, c.newest
	switch {
	case s.State == StateUndone:
		return Recovered{Standing: StandingUndone}
	case newest == nil && s.Base == 0:
		return c.nothing()
	case newest == nil && c.deletes() && (s.State == StateDone || c.run.Stage == StageCommitting):
		return Recovered{Standing: StandingDone} // and its history is dropped
	case newest == nil, newest.Number < s.Base:
		return Recovered{Standing: StandingMoved}
	case newest.Number == s.Base:
		return c.atBase()
	case !c.ours():
		return Recovered{Standing: StandingMoved}
	case newest.RolledBack > 0 && newest.RolledBack == s.Back:
		return c.rolledBack()
	default:
		return c.forward()
	}
}

// nothing is a release that is not there and was not there before.
func (c recovery) nothing() Recovered {
	switch c.step.State {
	case StatePending, StateSkipped:
		return Recovered{Standing: StandingNotBegun}
	case StateRunning:
		return Recovered{Standing: StandingCutOff, Left: c.unwritten()}
	case StateUndoing, StateUndoFailed, StateUndone:
		return Recovered{Standing: StandingUndone}
	case StateFailed, StateCancelled:
		if c.recorded().Revision == 0 {
			return Recovered{Standing: c.ended()}
		}
	case StateDone:
	}
	return Recovered{Standing: StandingMoved}
}

// ended is the standing of a step that the record calls failed, cancelled or, if
// undoing was begun since, whichever of them it was.
func (c recovery) ended() Standing {
	switch c.step.State {
	case StateFailed:
		return StandingFailed
	case StateDone:
		return StandingDone
	case StateUndoing, StateUndoFailed:
		if c.step.Error != "" {
			return StandingFailed
		}
		return StandingDone
	case StatePending, StateRunning, StateCancelled, StateSkipped, StateUndone:
		return StandingCutOff
	default:
		return StandingCutOff
	}
}

// atBase is a release whose newest revision was there before the step.
func (c recovery) atBase() Recovered {
	s, status := c.step, c.newest.Status
	other := !s.BaseAt.IsZero() && !s.BaseAt.Equal(c.newest.Deployed)
	switch {
	case other:
		return Recovered{Standing: StandingMoved}
	case status == s.BaseStatus && c.recorded().Revision == 0:
		return c.asBefore()
	case c.installs() && c.undoing() && status == s.BaseStatus:
		return Recovered{Standing: StandingUndone} // what was installed over a kept history is gone
	case c.deletes():
		return c.uninstall()
	case !c.begun(), s.State == StateDone:
		return Recovered{Standing: StandingMoved}
	case s.BaseStatus.Pending() && status == state.StatusFailed:
		return Recovered{Standing: StandingCutOff} // what was pending is marked as failed first
	case c.installs() && (status == state.StatusUninstalled || status == state.StatusSuperseded):
		return Recovered{Standing: StandingCutOff, Left: c.wrote()}
	default:
		return Recovered{Standing: StandingMoved}
	}
}

// asBefore is a release that no record says anything new of.
func (c recovery) asBefore() Recovered {
	switch c.step.State {
	case StatePending, StateSkipped:
		return Recovered{Standing: StandingNotBegun}
	case StateUndoing, StateUndoFailed, StateUndone:
		return Recovered{Standing: StandingUndone}
	case StateRunning, StateFailed, StateCancelled:
		return Recovered{Standing: c.ended(), Left: c.unwritten()}
	case StateDone:
	}
	return Recovered{Standing: StandingMoved}
}

// uninstall is an uninstall that is seen in the newest record, which it keeps.
func (c recovery) uninstall() Recovered {
	s, status := c.step, c.newest.Status
	switch {
	case s.State == StatePending, s.State == StateSkipped:
		return Recovered{Standing: StandingMoved}
	case status == state.StatusUninstalling:
		return Recovered{Standing: StandingCutOff, Left: c.wrote()}
	case status == state.StatusUninstalled && s.State == StateRunning:
		return Recovered{Standing: StandingDone, Unended: true, Left: c.wrote()}
	case status == state.StatusUninstalled:
		return Recovered{Standing: c.ended(), Left: c.wrote()}
	case status == state.StatusFailed && s.State == StateRunning:
		return Recovered{Standing: StandingFailed, Left: c.wrote()}
	case status == state.StatusFailed && s.State != StateDone:
		return Recovered{Standing: c.ended(), Left: c.wrote()}
	default:
		return Recovered{Standing: StandingMoved}
	}
}

// ours reports whether this run wrote the newest record: as it ended the step, or
// else by the program that writes its records, while it was there to do so, and
// nobody of the same owner since. A record of another owner never is this run's.
func (c recovery) ours() bool {
	if c.foreign() || c.neverBegan() && !c.owned() {
		return false
	}
	left := c.recorded()
	if left.Revision == c.newest.Number && left.Status == c.newest.Status {
		return true
	}
	if left.Revision > 0 && c.quiet() && (c.step.Back == 0 || c.newest.RolledBack != c.step.Back) {
		return false
	}
	if !c.begun() && c.run.Stage == StageCommitting || c.run.Writer != "" && c.newest.Writer != c.run.Writer {
		return false
	}
	for _, other := range c.others {
		for _, s := range other.Steps {
			if s.Release == c.step.Release && (!s.Started.IsZero() || s.Undo != nil) {
				return false
			}
		}
	}
	last := c.run.Updated
	for _, r := range c.run.Resumed {
		if r.Last.After(last) {
			last = r.Last
		}
	}
	return !c.newest.Deployed.After(last.Add(grace))
}

// foreign reports whether the newest record is labelled as another owner's. Helm
// gives a rollback the labels of the revision that it goes back to, so that they do
// not tell who rolled back.
func (c recovery) foreign() bool {
	owner, labelled := c.newest.Labels[state.OwnerLabel]
	return labelled && c.run.Owner != "" && c.newest.RolledBack == 0 && owner != state.OwnerValue(c.run.Owner)
}

// owned reports whether the newest record is labelled as this owner's, and is no
// rollback to another revision than the one that an undo of this step returns to.
func (c recovery) owned() bool {
	owner, labelled := c.newest.Labels[state.OwnerLabel]
	return labelled && owner == state.OwnerValue(c.run.Owner) && (c.newest.RolledBack == 0 || c.newest.RolledBack == c.step.Back)
}

// neverBegan reports whether the step was never begun, by a record that is stored before
// anything is written. A run whose record is lost goes on without it: only the label
// of its owner tells then that a revision may be its own.
func (c recovery) neverBegan() bool { return !c.begun() && c.step.Started.IsZero() }

// quiet reports whether the step has ended and nothing more was to come of it.
func (c recovery) quiet() bool {
	s := c.step.State
	return s == StateDone || s == StateFailed || s == StateCancelled
}

// rolledBack is a release whose newest revision was made of the one before the run.
func (c recovery) rolledBack() Recovered {
	switch status := c.newest.Status; {
	case status == state.StatusDeployed:
		return Recovered{Standing: StandingUndone}
	case status == state.StatusFailed, status.Pending():
		return Recovered{Standing: StandingCutOff, Left: c.wrote()}
	default:
		return Recovered{Standing: StandingMoved}
	}
}

// forward is a release whose newest revision the step itself wrote.
func (c recovery) forward() Recovered {
	left := c.wrote()
	left.Reinstalled = c.reinstalled()
	switch status := c.newest.Status; status {
	case state.StatusPendingInstall, state.StatusPendingUpgrade, state.StatusPendingRollback:
		return Recovered{Standing: StandingCutOff, Left: left}
	case state.StatusDeployed:
		if !c.begun() || c.step.State == StateRunning {
			return Recovered{Standing: StandingDone, Unended: true, Left: left}
		}
		return Recovered{Standing: c.ended(), Left: left}
	case state.StatusFailed:
		// Who goes on with an operation marks it first, and may be killed then.
		marked := c.step.State == StateRunning && strings.HasPrefix(c.newest.Description, state.Interrupted)
		if c.step.State == StateCancelled || marked {
			return Recovered{Standing: StandingCutOff, Left: left}
		}
		return Recovered{Standing: StandingFailed, Left: left}
	case state.StatusUninstalling, state.StatusUninstalled, state.StatusSuperseded:
		return c.removed(left)
	case state.StatusUnknown:
		return Recovered{Standing: StandingMoved}
	default:
		return Recovered{Standing: StandingMoved}
	}
}

// removed is a revision of the step that is uninstalled, or being so: an install
// that is undone, or an upgrade that uninstalls first.
func (c recovery) removed(left state.Trace) Recovered {
	switch {
	case !c.begun(), c.deletes():
		return Recovered{Standing: StandingMoved}
	case !c.installs():
		left.Reinstalled = true
		return Recovered{Standing: StandingCutOff, Left: left}
	case c.undoing(): // the history above the base may not be dropped yet
		return Recovered{Standing: StandingCutOff, Left: left}
	default:
		return Recovered{Standing: StandingMoved}
	}
}

// reinstalled reports whether an upgrade came to install the release anew: Helm
// supersedes what is uninstalled just before the record of an install, and
// nothing else that the run itself wrote, as long as it is not undone.
func (c recovery) reinstalled() bool {
	if c.installs() || c.deletes() {
		return false
	}
	for _, rev := range c.history {
		if rev.Number > c.step.Base && rev.Number < c.newest.Number && rev.Status == state.StatusSuperseded {
			return true
		}
	}
	return false
}

// Describe names the newest revision, by whom and when.
func (r Recovered) Describe() string {
	if r.Now == nil {
		return "no record of it is left"
	}
	by := ""
	if r.Now.Writer != "" {
		by = " by " + r.Now.Writer
	}
	return fmt.Sprintf("it is at revision %d (%s%s at %s)", r.Now.Number, r.Now.Status, by, r.Now.Deployed.UTC().Format(time.RFC3339))
}
