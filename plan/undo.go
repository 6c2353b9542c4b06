package plan

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Lost is something that an undo cannot put back.
type Lost struct {
	Release spec.ReleaseID
	Object  state.ObjectID
	Why     string
	Hook    bool // a Job or Pod that a hook starts: it may be at work still
}

// Undo is the plan that puts back what this plan did to the touched releases:
// upgraded ones return to the revision before, installed ones are removed,
// uninstalled ones are restored. left is what each of them left behind: a step
// of the undo carries it, so that it can tell whether somebody else has worked
// on the release since. Its edges are this plan's, reversed. What no plan can put
// back is listed in lost: hooks and Jobs that ran, in the undo too, CRDs, which Helm never
// deletes, and what goes away together with a deleted object.
func (p *Plan) Undo(touched map[spec.ReleaseID]bool, left map[spec.ReleaseID]state.Trace) (undo *Plan, lost []Lost) {
	undo = &Plan{Mode: ModeUndo}
	for _, s := range slices.Backward(p.Steps) {
		if !touched[s.Release.ID] || !s.Action.Writes() {
			continue
		}
		trace := left[s.Release.ID]
		undo.Steps = append(undo.Steps, inverse(s, trace))
		for _, l := range slices.Concat(irreversible(s, trace), collateral(s.Release.ID, s.Changes), collateral(s.Release.ID, reinstalled(s, trace))) {
			if !slices.Contains(lost, l) {
				lost = append(lost, l)
			}
		}
	}
	for _, e := range slices.Backward(p.Edges) {
		undo.Edges = append(undo.Edges, Edge{From: e.To, To: e.From, Kind: e.Kind})
	}
	return undo, lost
}

func inverse(s Step, left state.Trace) Step {
	u := Step{Release: s.Release, Have: s.Have, Base: s.Base, Reason: ReasonUndo, Before: s.After, Left: left}
	if s.Before == nil {
		u.Action = ActionRemove
		return u
	}
	u.Action = ActionRollback
	u.After = s.Before
	return u
}

func irreversible(s Step, left state.Trace) []Lost {
	id := s.Release.ID
	var lost []Lost
	switch s.Action {
	case ActionInstall:
		lost = effects(s, s.After, state.HookPreInstall, state.HookPostInstall)
		for _, crd := range left.CRDs {
			lost = append(lost, Lost{Release: id, Object: crd, Why: "Helm never deletes the CRDs of a chart"})
		}
	case ActionUpgrade:
		events := []state.HookEvent{state.HookPreUpgrade, state.HookPostUpgrade}
		if left.Reinstalled {
			events = append(events, state.HookPreDelete, state.HookPostDelete, state.HookPreInstall, state.HookPostInstall)
		}
		lost = effects(s, s.After, events...)
	case ActionUninstall:
		lost = effects(s, s.Before, state.HookPreDelete, state.HookPostDelete)
	case ActionNone, ActionRollback, ActionRemove:
		return nil
	default:
		return nil
	}
	return append(lost, ofUndo(s)...)
}

// ofUndo is what the hooks leave that the undo of a step itself runs.
func ofUndo(s Step) []Lost {
	if s.Before == nil {
		return effects(s, s.After, state.HookPreDelete, state.HookPostDelete)
	}
	return effects(s, s.Before, state.HookPreRollback, state.HookPostRollback)
}

// collateral is what changes of objects bring about beside the objects.
func collateral(release spec.ReleaseID, changes []diff.Change) []Lost {
	var lost []Lost
	for _, c := range changes {
		why := ""
		switch {
		case c.Hook:
		case c.Op != diff.OpRemove && c.Object.Group == "batch" && c.Object.Kind == "Job":
			why = "a Job may have run"
		case c.Op == diff.OpRemove && !strings.Contains(c.Before, keepPolicy):
			why = takenAlong(c)
		}
		if why != "" {
			lost = append(lost, Lost{Release: release, Object: c.Object, Why: why})
		}
	}
	return lost
}

// reinstalled is every object of a release that was uninstalled and installed
// anew: all of them were deleted, not only those that differ. Which ones Helm
// keeps, the newest manifest that names them says.
func reinstalled(s Step, left state.Trace) []diff.Change {
	if !left.Reinstalled {
		return nil
	}
	options := diff.Options{Namespace: s.Release.ID.Namespace, NoHooks: true}
	added, err := diff.Revisions(nil, s.After, options)
	if err != nil {
		added = nil // Helm could not have read it either
	}
	removed, err := diff.Revisions(s.Before, nil, options)
	if err != nil {
		removed = nil
	}
	for i, c := range removed {
		at := slices.IndexFunc(added, func(a diff.Change) bool { return a.Object == c.Object })
		if at >= 0 {
			removed[i].Before = added[at].After
		}
	}
	return append(removed, added...)
}

// keepPolicy is the annotation, in canonical YAML, with which Helm deletes no
// object.
const keepPolicy = "helm.sh/resource-policy: keep\n"

// deleteClaims is what a StatefulSet says, in canonical YAML, whose claims do not
// outlive it.
const deleteClaims = "whenDeleted: Delete\n"

// takenAlong says what is gone with a deleted object that creating it again does
// not bring back.
func takenAlong(c diff.Change) string {
	switch (schema.GroupKind{Group: c.Object.Group, Kind: c.Object.Kind}) {
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		if strings.Contains(c.Before, deleteClaims) {
			return "the data of its volume claims may be gone"
		}
		return ""
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		return "its data may be gone"
	case schema.GroupKind{Kind: "Namespace"}:
		return "what else was in it may be gone"
	case schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:
		return "objects of its kind may be gone"
	default:
		return ""
	}
}

func effects(s Step, rev *state.Revision, events ...state.HookEvent) []Lost {
	if s.Release.Options.DisableHooks {
		return nil
	}
	var lost []Lost
	for _, e := range hooks.Irreversible(rev, events...) {
		l := Lost{Release: s.Release.ID, Object: e.Object, Why: "a hook's object stays"}
		if e.Kind == hooks.EffectRan {
			l.Why, l.Hook = "a hook may have run", true
		}
		lost = append(lost, l)
	}
	return lost
}

// Scope is how much of a run is undone when a step fails.
type Scope string

// The scopes of --rollback.
const (
	ScopePlan    Scope = "plan"    // every release that the run touched
	ScopeGroup   Scope = "group"   // those that share atomicGroup with a failed one, and those that need them
	ScopeRelease Scope = "release" // only the failed ones
	ScopeNone    Scope = "none"
)

// Touched narrows the releases that a run touched to those that the scope
// undoes, given the ones that failed.
func (p *Plan) Touched(scope Scope, touched, failed map[spec.ReleaseID]bool) map[spec.ReleaseID]bool {
	undo := map[spec.ReleaseID]bool{}
	switch scope {
	case ScopePlan:
		return touched
	case ScopeRelease:
		for id := range failed {
			undo[id] = touched[id]
		}
	case ScopeGroup:
		for id := range p.group(failed) {
			undo[id] = touched[id]
		}
	case ScopeNone:
	}
	return undo
}

// group is the failed releases, the members of their groups, and everything
// that comes after any of these by a need.
func (p *Plan) group(failed map[spec.ReleaseID]bool) map[spec.ReleaseID]bool {
	groups := map[string]bool{}
	for _, s := range p.Steps {
		if g := s.Release.AtomicGroup; g != "" && failed[s.Release.ID] {
			groups[g] = true
		}
	}
	members := map[spec.ReleaseID]bool{}
	for _, s := range p.Steps {
		if failed[s.Release.ID] || groups[s.Release.AtomicGroup] {
			members[s.Release.ID] = true
		}
	}
	for grown := true; grown; { // steps are not in the order of needs where releases are deleted
		grown = false
		for _, s := range p.Steps {
			needs := slices.ContainsFunc(s.Release.Needs, func(n spec.Need) bool { return members[n.ID] })
			if needs && !members[s.Release.ID] {
				members[s.Release.ID], grown = true, true
			}
		}
	}
	return members
}
