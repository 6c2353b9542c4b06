package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parseNeed reads [CONTEXT/][NAMESPACE/]NAME. What is left out is that of the
// release which needs it. A context may hold slashes, a name and a namespace
// cannot.
func parseNeed(s string, from ReleaseID) ReleaseID {
	parts := strings.Split(s, "/")
	id := ReleaseID{Context: from.Context, Namespace: from.Namespace, Name: parts[len(parts)-1]}
	if len(parts) > 1 {
		id.Namespace = parts[len(parts)-2]
	}
	if len(parts) > 2 {
		id.Context = strings.Join(parts[:len(parts)-2], "/")
	}
	return id
}

// resolveNeeds reads the needs of the file's releases. A need that names a
// release of the file as it was before --namespace and --kube-context means
// that release.
func (c *converter) resolveNeeds() {
	for i, raw := range c.raw {
		if i >= len(c.releases) {
			return
		}
		var needs []Need
		for j, text := range raw.Needs {
			id := parseNeed(text.Value, c.releases[i].ID)
			if k := slices.Index(c.declared, parseNeed(text.Value, c.declared[i])); k >= 0 {
				id = c.releases[k].ID
			}
			raw.Needs[j].Value = id.String()
			needs = append(needs, Need{ID: id, Pos: posOf(text.Pos)})
		}
		c.releases[i].Needs = needs
	}
}

// graph finds releases by id, those of the needing release's own file first.
type graph struct {
	all  []Release
	byID map[ReleaseID][]int // indexes into all
}

func newGraph(all []Release) *graph {
	g := &graph{all: all, byID: make(map[ReleaseID][]int, len(all))}
	for i, r := range all {
		g.byID[r.ID] = append(g.byID[r.ID], i)
	}
	return g
}

// targets lists what a need of a release means: releases of its own file, or,
// beyond helmfile, of any file.
func (g *graph) targets(r Release, id ReleaseID) []int {
	found := g.byID[id]
	var own []int
	for _, i := range found {
		if g.all[i].File == r.File {
			own = append(own, i)
		}
	}
	if len(own) > 0 {
		return own
	}
	return found
}

// undefined is the error for a need that no release answers.
func (g *graph) undefined(r Release, n Need, partial bool) error {
	err := fmt.Errorf("release %q needs %q, but no release named %q with that namespace and context is defined", r.ID, n.ID, n.ID.Name)
	var like []string
	for _, other := range g.all {
		if other.ID.Name == n.ID.Name {
			like = append(like, fmt.Sprintf("%q (%s)", other.ID, other.Pos))
		}
	}
	switch {
	case len(like) > 0:
		err = fmt.Errorf("%w; there is %s: write the need as [CONTEXT/][NAMESPACE/]NAME", err, strings.Join(like, " and "))
	case partial:
		err = fmt.Errorf("%w in a file that the selectors let load", err)
	}
	return &Error{Pos: n.Pos, Field: "needs", Err: err}
}

// CheckNeeds looks for needs that no release answers and for cycles, over all
// releases, selected or not.
func (s *Spec) CheckNeeds() error {
	g := newGraph(s.Releases)
	all := make([]int, len(s.Releases))
	var errs []error
	for i, r := range s.Releases {
		all[i] = i
		for _, n := range r.Needs {
			if len(g.targets(r, n.ID)) == 0 && !s.isPartial() {
				errs = append(errs, g.undefined(r, n, false))
			}
		}
	}
	return errors.Join(append(errs, g.cycles(all)...)...)
}

func (s *Spec) isPartial() bool { return s.loaded != nil && s.loaded.partial }

// cycles finds every cycle among some releases, each told once.
func (g *graph) cycles(among []int) []error {
	const (
		unseen = iota
		open
		done
	)
	inside := make(map[int]bool, len(among))
	for _, i := range among {
		inside[i] = true
	}
	state := make([]int, len(g.all))
	var path []int
	var errs []error
	var walk func(i int)
	walk = func(i int) {
		state[i] = open
		path = append(path, i)
		for _, n := range g.all[i].Needs {
			for _, t := range g.targets(g.all[i], n.ID) {
				switch {
				case !inside[t] || state[t] == done:
				case state[t] == open:
					errs = append(errs, g.cycleError(append(slices.Clone(path[slices.Index(path, t):]), t), n))
				default:
					walk(t)
				}
			}
		}
		path = path[:len(path)-1]
		state[i] = done
	}
	for _, i := range among {
		if state[i] == unseen {
			walk(i)
		}
	}
	return errs
}

func (g *graph) cycleError(path []int, n Need) error {
	names := make([]string, len(path))
	for i, r := range path {
		names[i] = g.all[r].ID.String()
	}
	return &Error{Pos: n.Pos, Field: "needs", Err: fmt.Errorf("%w: %s", ErrCycle, strings.Join(names, " -> "))}
}

// ErrCycle says that releases need each other in a circle.
var ErrCycle = errors.New("needs form a cycle")
