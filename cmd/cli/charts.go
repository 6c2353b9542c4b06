package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine/chart"
)

// fetches is how many charts or repositories are asked for at once.
const fetches = 16

// listCharts has the charts of all releases, and lists them.
func (s *session) listCharts(ctx context.Context, t *tools, f *fleet) ([]*chart.Chart, error) {
	charts, err := t.get(ctx, f)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for i, r := range f.releases {
		rows = append(rows, []string{r.ID.String(), charts[i].Name, charts[i].Version, charts[i].Digest})
	}
	view.Table(s.env.Streams.Out, []string{"RELEASE", "CHART", "VERSION", "DIGEST"}, rows)
	return charts, nil
}

// get has the charts of all releases, in their order.
func (t *tools) get(ctx context.Context, f *fleet) ([]*chart.Chart, error) {
	charts := make([]*chart.Chart, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) {
		r := f.releases[i]
		if charts[i], errs[i] = t.charts.Get(ctx, r.Chart); errs[i] != nil {
			errs[i] = fmt.Errorf("fetching the chart of %s: %w", r.ID, errs[i])
		}
	})
	return charts, interrupted(ctx, errors.Join(errs...))
}

type reposCmd struct{ rawArgs }

// Run reads every declared repository once.
func (c *reposCmd) Run(ctx context.Context, s *session) error {
	f, err := s.loadAll(ctx)
	if err != nil {
		return err
	}
	if err := s.edit(f, request{raw: helmText{args: c.Args}}); err != nil {
		return err
	}
	repos := repositories(f.spec)
	for i := range repos {
		repos[i].PlainHTTP = repos[i].PlainHTTP || repos[i].OCI && s.globals.OCIPlainHTTP
	}
	t := s.tools(f)
	found := make([]int, len(repos))
	errs := make([]error, len(repos))
	each(len(repos), fetches, func(i int) { found[i], errs[i] = t.charts.Check(ctx, repos[i]) })
	var rows [][]string
	for i, r := range repos {
		what := "ok"
		switch {
		case errs[i] != nil:
			what = "failed"
		case !r.OCI:
			what = strconv.Itoa(found[i]) + " charts"
		}
		rows = append(rows, []string{r.Name, r.URL, what})
	}
	view.Table(s.env.Streams.Out, []string{"NAME", "URL", "RESULT"}, rows)
	return interrupted(ctx, errors.Join(errs...))
}

// each calls do for 0 to n-1, at most limit at once, and waits for all.
func each(n, limit int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(limit)
	for i := range n {
		group.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = group.Wait() // do keeps its own errors
}
