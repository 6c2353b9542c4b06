package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/spec"
)

// groupEdges lets what needs a member of a group wait for all members that are
// changed: the gates of the group are passed after the last of them.
func groupEdges(steps []Step) []Edge {
	members := map[string][]spec.ReleaseID{} // that are changed, of groups with gates
	group := map[spec.ReleaseID]string{}
	for _, s := range steps {
		r := s.Release
		if len(r.GroupVerify) == 0 {
			continue
		}
		group[r.ID] = r.AtomicGroup
		if s.Action.Writes() {
			members[r.AtomicGroup] = append(members[r.AtomicGroup], r.ID)
		}
	}
	var edges []Edge
	for _, s := range steps {
		if s.Action.Deletes() {
			continue // it goes before what it needs
		}
		waits := map[string]bool{}
		for _, n := range s.Release.Needs {
			name := group[n.ID]
			if name == "" || waits[name] || name == s.Release.AtomicGroup {
				continue
			}
			waits[name] = true
			for _, id := range members[name] {
				edges = append(edges, Edge{From: Node{Release: id}, To: Node{Release: s.Release.ID}, Kind: EdgeGroup})
			}
		}
	}
	return slices.DeleteFunc(edges, func(e Edge) bool { return needs(steps, e.To.Release, e.From.Release) })
}

// needs reports whether a declared need already says that one release waits for
// another.
func needs(steps []Step, one, other spec.ReleaseID) bool {
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Release.ID == one })
	return slices.ContainsFunc(steps[i].Release.Needs, func(n spec.Need) bool { return n.ID == other })
}

// untangled explains a cycle that there is only because of the gates of groups.
func untangled(p *Plan, err error) error {
	if !errors.Is(err, ErrCycle) {
		return err
	}
	rest := *p
	rest.Edges = slices.DeleteFunc(slices.Clone(p.Edges), func(e Edge) bool { return e.Kind == EdgeGroup })
	if _, without := sortSteps(&rest); without != nil {
		return err
	}
	return fmt.Errorf("the gates of a group come after all of its members, and before everything that needs one of them; that cannot be where a release stands between two members (put it into the group, too): %w", err)
}

// SameGates reports whether two releases have to pass the same gates, wherever
// these are written.
func SameGates(a, b spec.Release) bool {
	text := func(r spec.Release) string {
		var all [2][]spec.Gate
		for i, list := range [][]spec.Gate{r.Verify, r.GroupVerify} {
			for _, g := range list {
				g.Pos, g.File = spec.Pos{}, 0
				all[i] = append(all[i], g)
			}
		}
		return fmt.Sprintf("%+v", all) // maps in order of keys
	}
	return text(a) == text(b)
}
