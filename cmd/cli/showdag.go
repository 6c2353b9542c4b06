package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
)

type showDagCmd struct {
	SkipNeeds              bool `help:"Ignore needs that the selector leaves out."`
	IncludeNeeds           bool `help:"Also select what the selected releases need."`
	IncludeTransitiveNeeds bool `help:"Like --include-needs."`
}

// Run prints the needs of the selected releases, a table for each state file
// as helmfile does; one that the selector leaves out is a mistake. A group is
// the length of the longest chain of needs below a release; an apply has no
// such groups, it starts a release as soon as its own needs are done.
func (c *showDagCmd) Run(ctx context.Context, s *session) error {
	f, err := c.load(ctx, s)
	if err != nil {
		return err
	}
	return s.tools(f).around(ctx, f, func(f *fleet) error {
		for i := range f.spec.Files {
			var releases []spec.Release
			for _, r := range f.releases {
				if r.File == i {
					releases = append(releases, r)
				}
			}
			view.Table(s.env.Streams.Out, []string{"GROUP", "RELEASE", "DEPENDENCIES"}, dag(releases))
		}
		return nil
	})
}

// load selects as helmfile does here: without a selector also releases that a
// condition switches off are shown.
func (c *showDagCmd) load(ctx context.Context, s *session) (*fleet, error) {
	q := request{policy: spec.NeedsRequire}
	switch {
	case c.IncludeNeeds || c.IncludeTransitiveNeeds || len(s.globals.Selector) == 0:
		q.policy = spec.NeedsInclude
	case c.SkipNeeds:
		q.policy = spec.NeedsSkip
	}
	f, err := s.load(ctx, q)
	if err != nil && !errors.Is(err, spec.ErrNothingMatched) || len(s.globals.Selector) > 0 {
		return f, err
	}
	return s.loadAll(ctx)
}

func dag(releases []spec.Release) [][]string {
	groups := levels(releases)
	var rows [][]string
	for group := 1; slices.Contains(groups, group); group++ {
		for i, r := range releases {
			if groups[i] == group {
				rows = append(rows, []string{strconv.Itoa(group), r.ID.String(), needsOf(r)})
			}
		}
	}
	return rows
}

// levels numbers releases from 1 by the longest chain of needs below them, each
// within its file. A cycle, which only releases that are not selected can have,
// ends where it closes.
func levels(releases []spec.Release) []int {
	type key struct {
		file int
		id   spec.ReleaseID
	}
	index := make(map[key]int, len(releases))
	for i, r := range releases {
		index[key{r.File, r.ID}] = i
	}
	groups := make([]int, len(releases))
	var level func(i int) int
	level = func(i int) int {
		if groups[i] > 0 {
			return groups[i]
		}
		groups[i] = 1
		deepest := 0
		for _, n := range releases[i].Needs {
			if j, ok := index[key{releases[i].File, n.ID}]; ok {
				deepest = max(deepest, level(j))
			}
		}
		groups[i] = deepest + 1
		return groups[i]
	}
	for i := range releases {
		level(i)
	}
	return groups
}

// byNeeds orders the selected releases as helmfile prints them: file by file, in
// each what is needed first, else as declared. A need that is not selected
// counts as well: what needs it is printed as late as if it were there.
func (f *fleet) byNeeds() []spec.Release {
	groups := levels(f.spec.Releases)
	sorted := slices.Clone(f.releases)
	slices.SortStableFunc(sorted, func(a, b spec.Release) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(groups[a.Index], groups[b.Index]))
	})
	return sorted
}

func needsOf(r spec.Release) string {
	var names []string
	for _, n := range r.Needs {
		names = append(names, n.ID.String())
	}
	return strings.Join(names, ", ")
}
