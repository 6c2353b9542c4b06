package plan

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Without is the saved plan without the steps of some releases, and without the
// edges to and from them. It shares the rest.
func (s *Saved) Without(ids map[spec.ReleaseID]bool) *Saved {
	gone := func(n Node) bool { return n.Gate == "" && ids[n.Release] }
	rest := *s
	rest.Plan = &Plan{Mode: s.Plan.Mode}
	rest.Plan.Steps = slices.DeleteFunc(slices.Clone(s.Plan.Steps), func(x Step) bool { return ids[x.Release.ID] })
	rest.Plan.Edges = slices.DeleteFunc(slices.Clone(s.Plan.Edges), func(e Edge) bool { return gone(e.From) || gone(e.To) })
	rest.Bases = slices.DeleteFunc(slices.Clone(s.Bases), func(b Base) bool { return ids[b.Release] })
	rest.Hooks = slices.DeleteFunc(slices.Clone(s.Hooks), func(h StepHooks) bool { return ids[h.Release] })
	return &rest
}

// Renew gives the plan with new steps in place of those that it lacks: rest is
// what Without left, Onto what the cluster holds, and fresh has the others. The
// order of files is that of the saved plan; needs are those of the steps.
func (s *Saved) Renew(rest, fresh *Plan) (*Plan, error) {
	known := map[spec.ReleaseID]Step{}
	for _, step := range slices.Concat(rest.Steps, fresh.Steps) {
		known[step.Release.ID] = step
	}
	p := &Plan{Mode: s.Plan.Mode}
	for _, step := range declared(s.Plan.Steps) {
		is, ok := known[step.Release.ID]
		if !ok {
			return nil, fmt.Errorf("%s was not planned anew", step.Release.ID)
		}
		is.Release.Index = step.Release.Index // the order of declaration is that of the saved plan
		p.Steps = append(p.Steps, is)
	}
	// From here on as order does it, so that what did not move comes out as it
	// was.
	p.Edges = slices.Concat(needsEdges(p.Steps), refiled(p.Steps, s.Plan.Edges), groupEdges(p.Steps), pruneEdges(p.Steps))
	var err error
	if p.Steps, err = sortSteps(p); err != nil {
		return nil, untangled(p, err)
	}
	p.Edges = asBefore(append(p.Edges, inferredEdges(p)...), s.Plan.Edges)
	p.Steps, err = sortSteps(p)
	return p, err
}

// declared puts steps in the order of declaration, from which plans are sorted.
func declared(steps []Step) []Step {
	return slices.SortedStableFunc(slices.Values(steps), func(a, b Step) int { return cmp.Compare(a.Release.Index, b.Release.Index) })
}

// The two kinds of gates; see fileEdges.
const (
	gateApplied = "applied "
	gateDeleted = "deleted "
)

// refiled gives the edges of the order of files once more, for steps that may
// delete now what they applied, or the other way round. Everything about the
// files is in the edges that were saved.
func refiled(steps []Step, saved []Edge) []Edge {
	file := map[spec.ReleaseID]string{}
	var gates, edges []Edge
	for _, e := range saved {
		switch {
		case e.Kind != EdgeFileOrder:
		case e.From.Gate != "" && e.To.Gate != "":
			gates = append(gates, e)
		case e.To.Gate != "":
			path := strings.TrimPrefix(strings.TrimPrefix(e.To.Gate, gateApplied), gateDeleted)
			file[e.From.Release] = path
		}
	}
	for _, s := range steps {
		path, ok := file[s.Release.ID]
		if !ok {
			continue
		}
		node, own := Node{Release: s.Release.ID}, Node{Gate: gateApplied + path}
		if s.Action.Deletes() {
			own.Gate = gateDeleted + path
		}
		edges = append(edges, Edge{From: node, To: own, Kind: EdgeFileOrder})
		for _, g := range gates {
			if g.To == own {
				edges = append(edges, Edge{From: g.From, To: node, Kind: EdgeFileOrder})
			}
		}
	}
	return append(edges, gates...)
}

// asBefore keeps the places of edges that were there before.
func asBefore(edges, before []Edge) []Edge {
	is := make(map[Edge]bool, len(edges))
	for _, e := range edges {
		is[e] = true
	}
	var out []Edge
	for _, e := range before {
		if is[e] {
			out = append(out, e)
			delete(is, e)
		}
	}
	for _, e := range edges {
		if is[e] {
			out = append(out, e)
			delete(is, e)
		}
	}
	return out
}

// Renewed is the saved plan for what Renew gave: steps that are not fresh stay
// as they were saved. from tells of the fresh ones, and of how they were made.
func (s *Saved) Renewed(p, fresh *Plan, from Origin) (*Saved, error) {
	anew := map[spec.ReleaseID]bool{}
	for _, step := range fresh.Steps {
		anew[step.Release.ID] = true
	}
	rest := s.Without(anew)
	from.Policy = s.Policy
	from.Secrets = union(s.Secrets, from.Secrets, strings.Compare)
	from.Files = union(s.Files, from.Files, SourceFile.compare)
	from.Clusters = slices.Clone(from.Clusters)
	for _, c := range s.Clusters {
		if !slices.ContainsFunc(from.Clusters, func(n state.ClusterID) bool { return n.Context == c.Context }) {
			from.Clusters = append(from.Clusters, c)
		}
	}
	slices.SortFunc(from.Clusters, func(a, b state.ClusterID) int { return strings.Compare(a.Context, b.Context) })
	all := slices.Concat(rest.Hooks, from.Hooks)
	from.Hooks = nil
	for _, step := range p.Steps {
		for _, h := range all {
			if h.Release == step.Release.ID {
				from.Hooks = append(from.Hooks, h)
			}
		}
	}
	next, err := p.Save(from)
	if err != nil {
		return nil, err
	}
	for _, step := range rest.Plan.Steps {
		at := slices.IndexFunc(next.Plan.Steps, func(n Step) bool { return n.Release.ID == step.Release.ID })
		next.Plan.Steps[at] = step
	}
	for _, b := range rest.Bases {
		at := slices.IndexFunc(next.Bases, func(n Base) bool { return n.Release == b.Release })
		next.Bases[at] = b
	}
	return next, nil
}

func union[E comparable](a, b []E, compare func(a, b E) int) []E {
	return slices.Compact(slices.SortedFunc(slices.Values(slices.Concat(a, b)), compare))
}

func (f SourceFile) compare(other SourceFile) int {
	return cmp.Or(strings.Compare(f.Path, other.Path), strings.Compare(f.Digest, other.Digest))
}

// FileMoves tells which files are not what the plan was made of, in order of
// path. Files are the same that have the same place relative to the state file.
func (s *Saved) FileMoves(now []SourceFile, made Made) []FileMove {
	was, is := digests(s.Files, s.Made), digests(now, made)
	var moves []FileMove
	for _, f := range now {
		place := f.place(made)
		switch {
		case was[place] == nil:
			moves = append(moves, FileMove{f.Path, FileNew})
		case !slices.ContainsFunc(is[place], func(d string) bool { return slices.Contains(was[place], d) }):
			moves = append(moves, FileMove{f.Path, FileChanged})
		}
	}
	for _, f := range s.Files {
		if is[f.place(s.Made)] == nil {
			moves = append(moves, FileMove{f.Path, FileGone})
		}
	}
	slices.SortFunc(moves, func(a, b FileMove) int { return strings.Compare(a.Path, b.Path) })
	return slices.Compact(moves)
}

func digests(files []SourceFile, made Made) map[string][]string {
	all := map[string][]string{}
	for _, f := range files {
		all[f.place(made)] = append(all[f.place(made)], f.Digest)
	}
	return all
}

// place is where a file is, seen from the state file.
func (f SourceFile) place(made Made) string {
	if place, err := filepath.Rel(filepath.Dir(made.File), f.Path); err == nil && f.Path != made.File {
		return place
	}
	return "" // the state file itself
}

// SameHooks reports whether a release has the same lifecycle hooks in both.
func SameHooks(a, b []StepHooks, id spec.ReleaseID) bool {
	of := func(all []StepHooks) []hooks.Frozen {
		var list []hooks.Frozen
		for _, h := range all {
			if h.Release == id {
				list = append(list, h.Hooks...)
			}
		}
		return list
	}
	return sameJSON(of(a), of(b))
}
