package plan

import (
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// undeclared makes the releases that no state file declares any more: Installed is
// false, and File is none. Of what they needed only what goes, too, is known: what
// stays is not in their way.
func undeclared(gone []state.Release, after int) []spec.Release {
	var all []spec.Release
	for i, have := range gone {
		r := spec.Release{ID: have.ID, File: -1, Index: after + i, Enabled: true}
		if last := have.Last(); last != nil {
			r.Labels = last.Labels
		}
		for _, other := range gone {
			if other.ID != have.ID && other.ID.Context == have.ID.Context && state.Needed(r.Labels[state.NeedsLabel], other.ID) {
				r.Needs = append(r.Needs, spec.Need{ID: other.ID})
			}
		}
		all = append(all, r)
	}
	return acyclic(all)
}

// acyclic drops needs that close a cycle: what was once written down may be of
// different times.
func acyclic(releases []spec.Release) []spec.Release {
	index := map[spec.ReleaseID]int{}
	for i, r := range releases {
		index[r.ID] = i
	}
	kept := make([][]spec.Need, len(releases))
	var reaches func(from, to int, seen map[int]bool) bool
	reaches = func(from, to int, seen map[int]bool) bool {
		if from == to {
			return true
		}
		if seen[from] {
			return false
		}
		seen[from] = true
		return slices.ContainsFunc(kept[from], func(n spec.Need) bool { return reaches(index[n.ID], to, seen) })
	}
	for i, r := range releases {
		for _, n := range r.Needs {
			if !reaches(index[n.ID], i, map[int]bool{}) {
				kept[i] = append(kept[i], n)
			}
		}
	}
	for i := range releases {
		releases[i].Needs = kept[i]
	}
	return releases
}

// pruneGate stands for everything that is declared.
const pruneGate = "everything that is declared"

// pruneEdges let releases go that are not declared any more when all others have
// ended well.
func pruneEdges(steps []Step) []Edge {
	if !slices.ContainsFunc(steps, func(s Step) bool { return s.Reason == ReasonUndeclared }) {
		return nil
	}
	var edges []Edge
	for _, s := range steps {
		e := Edge{From: Node{Release: s.Release.ID}, To: Node{Gate: pruneGate}, Kind: EdgePrune}
		if s.Reason == ReasonUndeclared {
			e.From, e.To = e.To, e.From
		}
		edges = append(edges, e)
	}
	return edges
}

// Pruned are the steps that uninstall what is not declared any more.
func (p *Plan) Pruned() []Step {
	var all []Step
	for _, s := range p.Steps {
		if s.Reason == ReasonUndeclared {
			all = append(all, s)
		}
	}
	return all
}

// Holds names the objects of a step's release whose data may be lost when they are
// deleted: claims of volumes, what has such, and what takes other objects along.
// unread: what the release has cannot be read, so nobody knows.
func (s Step) Holds() (objects []state.ObjectID, unread bool) {
	looked := []*state.Revision{s.Before}
	if last := s.Have.Last(); last != nil && (s.Before == nil || last.Number != s.Before.Number) {
		looked = append(looked, last) // Helm uninstalls what the newest revision has
	}
	for _, rev := range looked {
		if rev == nil {
			continue
		}
		changes, err := diff.Revisions(rev, nil, diff.Options{Namespace: s.Release.ID.Namespace, NoHooks: true})
		if err != nil {
			return nil, true
		}
		for _, c := range changes {
			if holdsData(c) && !slices.Contains(objects, c.Object) {
				objects = append(objects, c.Object)
			}
		}
	}
	slices.SortFunc(objects, state.ObjectID.Compare)
	return objects, false
}

func holdsData(c diff.Change) bool {
	if strings.Contains(c.Before, keepPolicy) {
		return false
	}
	switch {
	case c.Object.Group == "apps" && c.Object.Kind == "StatefulSet":
		return strings.Contains(c.Before, "\n  volumeClaimTemplates:\n")
	default:
		return takenAlong(c) != ""
	}
}
