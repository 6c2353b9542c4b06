// Package plan decides what a run will do: for every release an action with
// its reason, and one graph of what has to come first. It is pure: it has no
// clock and does no I/O, and equal inputs give an equal plan.
package plan

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Plan is what a run does, in an order that respects every edge. Executing it
// must be driven by nothing else.
type Plan struct {
	Mode  Mode
	Steps []Step // topologically sorted, ties in order of declaration
	Edges []Edge
}

// Step is one release and what happens to it.
type Step struct {
	Release spec.Release
	Action  Action
	Reason  Reason
	Have    state.Release   // what the cluster held when the plan was made
	Base    int             // newest revision before the run, which may have been cut off and go on; zero: none
	Before  *state.Revision // the revision that a rollback would return to; nil: none
	After   *state.Revision // what will be stored; nil for uninstall and remove
	Changes []diff.Change
	Left    state.Trace // of an undo: what the step that it takes back left

	// Drift are the stored objects that are not in the cluster as they were
	// stored. Empty at LevelRelease.
	Drift []live.Drift
	// Causes say why the release changes; none of what is installed or uninstalled.
	Causes []Cause
	// Seen is, beyond LevelRelease, what of the live objects the step was decided
	// on. A saved plan has it among its Bases.
	Seen []live.Seen
	// Objections speak against applying the step, in order of objects.
	Objections []Objection
}

// Action is what a step does to its release.
type Action string

// The actions. Remove is an uninstall that leaves no history: it undoes an
// install.
const (
	ActionNone      Action = "none"
	ActionInstall   Action = "install"
	ActionUpgrade   Action = "upgrade"
	ActionUninstall Action = "uninstall"
	ActionRollback  Action = "rollback"
	ActionRemove    Action = "remove"
)

// Writes reports whether the action changes the cluster.
func (a Action) Writes() bool { return a != ActionNone }

// Deletes reports whether the release is gone after the action.
func (a Action) Deletes() bool { return a == ActionUninstall || a == ActionRemove }

// Reason is why an action was chosen.
type Reason string

// The reasons.
const (
	ReasonNew          Reason = "not installed"
	ReasonChanged      Reason = "changed"
	ReasonDrifted      Reason = "drifted"
	ReasonUnchanged    Reason = "unchanged"
	ReasonSync         Reason = "sync applies every release"
	ReasonFailed       Reason = "the last operation failed"
	ReasonPending      Reason = "an operation was cut off"
	ReasonUninstalling Reason = "an uninstall was cut off"
	ReasonUninstalled  Reason = "uninstalled before, only history is left"
	ReasonNotWanted    Reason = "installed: false"
	ReasonDestroy      Reason = "destroy"
	ReasonAbsent       Reason = "not wanted and not installed"
	ReasonUndo         Reason = "undo"
	ReasonUndeclared   Reason = "no longer declared"
)

// Mode is what kind of run is planned.
type Mode string

// The modes: Apply touches what changed, Sync every release, Destroy
// uninstalls all, Undo puts back what another plan did.
const (
	ModeApply   Mode = "apply"
	ModeSync    Mode = "sync"
	ModeDestroy Mode = "destroy"
	ModeUndo    Mode = "undo"
)

// Policy is what the user decided about a run. The zero value is the safe
// apply.
type Policy struct {
	Mode         Mode  // empty: ModeApply
	Against      Level // empty: LevelRelease
	ForcePending bool  // take over an operation that may still be running
	Diff         diff.Options
}

// Input is everything a plan is made of.
type Input struct {
	Releases []spec.Release // selected ones
	// Undeclared are releases that no state file declares any more. They are
	// uninstalled after everything else; Have has them, too.
	Undeclared []state.Release
	Files      []spec.File // for the order of files
	Have       state.Snapshot
	Want       map[spec.ReleaseID]*state.Revision // rendered; nothing for what is not wanted
	Policy     Policy
	Pending    map[spec.ReleaseID]Pending // what is known of operations that seem to be under way
	// ClusterScoped are the kinds of each context that have no namespace, beside
	// those of Kubernetes itself and those whose definition is in a release.
	ClusterScoped map[string]map[schema.GroupKind]bool
	// Live is, at LevelLive and LevelServer, how every release compares with the
	// objects that are in the cluster, from Stored to what is wanted.
	Live map[spec.ReleaseID]live.Result

	kinds kinds
}

// Pending is what is known of an operation that a release says is under way.
type Pending struct {
	CutOff bool   // a run of the same owner was at it, and is gone
	By     string // who is at it, for people; empty: nobody knows
}

// EdgeKind is why one node comes after another.
type EdgeKind string

// The kinds of edges. Declared edges (needs, file order, group) come first; inferred
// ones (CRD, namespace) are added only where they close no cycle.
const (
	EdgeNeeds     EdgeKind = "needs"
	EdgeFileOrder EdgeKind = "file order"
	EdgeCRD       EdgeKind = "custom resource definition"
	EdgeNamespace EdgeKind = "namespace"
	EdgeGroup     EdgeKind = "gates of a group"
	EdgePrune     EdgeKind = "prune comes last"
)

// Node is a step or a gate. A gate does nothing and stands for "all releases
// of that file": it keeps the order of two files with n and m releases at n+m
// edges.
type Node struct {
	Release spec.ReleaseID
	Gate    string // empty for a step
}

// Edge says that To starts only when From has ended well.
type Edge struct {
	From Node
	To   Node
	Kind EdgeKind
}

// Changed reports whether the plan writes anything.
func (p *Plan) Changed() bool {
	for _, s := range p.Steps {
		if s.Action.Writes() {
			return true
		}
	}
	return false
}

// Count tells how many steps have that action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == a {
			n++
		}
	}
	return n
}
