package spec

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// ErrNothingMatched says that no release is selected.
var ErrNothingMatched = errors.New("no releases match")

// NeedsPolicy says what selecting does with needs that point outside of the
// selection.
type NeedsPolicy string

// The policies. The empty policy is NeedsSkip.
const (
	NeedsSkip    NeedsPolicy = "skip"    // --skip-needs: such needs are ignored
	NeedsInclude NeedsPolicy = "include" // --include-needs: everything needed is selected, too, even where its condition is false
	NeedsRequire NeedsPolicy = "require" // --skip-needs=false: such a need is an error
	NeedsIgnore  NeedsPolicy = "ignore"  // needs are not looked at, duplicates only within a file: for list and build
)

// Select gives the releases that a selector chooses, in order of declaration,
// by helmfile's rules: releases whose condition is false are left out, nested
// files with selectors of their own use those in place of sel unless the two
// contradict each other. Needs are checked as the policy says. The error is
// ErrNothingMatched, or joins an *Error for each mistake.
func (s *Spec) Select(sel Selector, needs NeedsPolicy) ([]Release, error) {
	chosen := make(map[int]bool)
	for i, r := range s.Releases {
		if r.Enabled && s.matches(sel, r) {
			chosen[i] = true
		}
	}
	if len(chosen) == 0 {
		return nil, s.nothing(sel)
	}
	g := newGraph(s.Releases)
	var err error
	switch needs {
	case NeedsInclude:
		g.close(chosen)
		err = s.check(g, chosen, needs)
	case "", NeedsSkip, NeedsRequire:
		err = s.check(g, chosen, needs)
	case NeedsIgnore:
	default:
		err = fmt.Errorf("the needs policy %q is unknown", needs)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Release, 0, len(chosen))
	for i, r := range s.Releases {
		if chosen[i] {
			out = append(out, r)
		}
	}
	if needs == NeedsIgnore {
		err = declaredOnce(out)
	}
	return out, errors.Join(err, s.unlocked(out))
}

func (s *Spec) nothing(sel Selector) error {
	if sel.Empty() {
		return fmt.Errorf("%w in environment %q", ErrNothingMatched, s.Environment)
	}
	return fmt.Errorf("%w %s in environment %q", ErrNothingMatched, sel, s.Environment)
}

// matches applies the selector in effect for the release's file.
func (s *Spec) matches(sel Selector, r Release) bool {
	if s.loaded == nil || r.File >= len(s.loaded.files) {
		return sel.Matches(s.LabelsOf(r))
	}
	f := s.loaded.files[r.File]
	for _, explicit := range f.chain {
		if sel.contradicts(explicit) {
			return false
		}
	}
	if f.explicit {
		sel = f.selectors[0]
	}
	return sel.Matches(s.LabelsOf(r))
}

// LabelsOf gives the labels of a release with those that helmfile adds, and
// that selectors see: name, namespace (empty unless a state file or a flag
// says it) and chart (the last part of the reference).
func (s *Spec) LabelsOf(r Release) map[string]string {
	out := make(map[string]string, len(r.Labels)+3)
	maps.Copy(out, r.Labels)
	namespace, chart := r.ID.Namespace, r.Chart.Declared
	if s.loaded != nil && r.Index < len(s.loaded.releases) {
		namespace = s.loaded.releases[r.Index].namespace
	}
	maps.Copy(out, builtinLabels(r.ID.Name, namespace, orText(chart, r.Chart.Ref)))
	return out
}

func builtinLabels(name, namespace, chart string) map[string]string {
	return map[string]string{"name": name, "namespace": namespace, "chart": chart[strings.LastIndexByte(chart, '/')+1:]}
}

// close adds everything that the chosen releases need.
func (g *graph) close(chosen map[int]bool) {
	var todo []int
	for i := range g.all {
		if chosen[i] {
			todo = append(todo, i)
		}
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range g.all[i].Needs {
			for _, t := range g.targets(g.all[i], n.ID) {
				if !chosen[t] {
					chosen[t] = true
					todo = append(todo, t)
				}
			}
		}
	}
}

// check looks at duplicates, needs and cycles of the chosen releases.
func (s *Spec) check(g *graph, chosen map[int]bool, needs NeedsPolicy) error {
	var errs []error
	var among []int
	first := map[ReleaseID]Release{}
	for i, r := range g.all {
		if !chosen[i] {
			continue
		}
		among = append(among, i)
		if other, ok := first[r.ID]; ok {
			errs = append(errs, twice(r, other))
		} else {
			first[r.ID] = r
		}
		for _, n := range r.Needs {
			errs = append(errs, s.checkNeed(g, chosen, r, n, needs))
		}
	}
	return errors.Join(append(errs, g.cycles(among)...)...)
}

func (s *Spec) checkNeed(g *graph, chosen map[int]bool, r Release, n Need, needs NeedsPolicy) error {
	targets := g.targets(r, n.ID)
	if len(targets) == 0 {
		if s.isPartial() && needs != NeedsInclude && needs != NeedsRequire {
			return nil // it may be in a file that the selectors left out
		}
		return g.undefined(r, n, s.isPartial())
	}
	for _, t := range targets {
		if chosen[t] {
			s.warnNotInstalled(r, g.all[t])
			return nil
		}
	}
	if needs != NeedsRequire {
		return nil
	}
	return &Error{Pos: n.Pos, Field: "needs", Err: fmt.Errorf(
		"release %q needs %q, which is not selected: add --selector name=%s, or --include-needs, or --skip-needs", r.ID, n.ID, n.ID.Name)}
}

func (s *Spec) warnNotInstalled(r, needed Release) {
	if s.loaded != nil && r.Installed && !needed.Installed {
		s.loaded.loader.opts.Warn(fmt.Sprintf("%s: release %q needs %q, which has installed: false", r.Pos, r.ID, needed.ID))
	}
}
