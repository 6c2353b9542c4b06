package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
)

type outdatedCmd struct {
	concurrency
	Output           string `short:"o" enum:"table,text,json" default:"table" help:"Output format: table (also text), json."`
	All              bool   `help:"List charts that are up to date, too."`
	DetailedExitcode bool   `help:"Exit with 2 when a chart is outdated."`
}

// dated is a row of outdated.
type dated struct {
	Release string `json:"release"`
	Chart   string `json:"chart"`
	Asked   string `json:"asked,omitempty"` // as declared: a version or a range; empty: the newest
	Used    string `json:"used"`
	Allowed string `json:"allowed"` // newest within what is asked
	Newest  string `json:"newest"`
}

// outdated reports whether there is a version beyond the one in use.
func (d dated) outdated() bool { return d.Used != d.Allowed || d.Used != d.Newest }

// Run lists the charts of which there is a newer version than the one that a run
// would take. Charts without versions to choose from, such as folders, are left out.
func (c *outdatedCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, request{limit: c.Concurrency, policy: spec.NeedsIgnore})
	if err != nil {
		return err
	}
	rows, err := c.look(ctx, s.tools(f), f)
	if ctx.Err() != nil {
		return err
	}
	if len(rows) > 0 || err == nil { // what could be looked up is told all the same
		err = errors.Join(c.print(s, rows), err)
	}
	if err != nil {
		return err
	}
	for _, r := range rows {
		if c.DetailedExitcode && r.outdated() {
			return told{exitChanges}
		}
	}
	return nil
}

// look asks for the versions of every chart. Its error is of those that could not be
// asked for; the others are told.
func (c *outdatedCmd) look(ctx context.Context, t *tools, f *fleet) ([]dated, error) {
	found := make([]chart.Latest, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) {
		r := f.releases[i]
		if !r.Installed {
			return
		}
		if found[i], errs[i] = t.charts.Latest(ctx, r.Chart); errs[i] != nil {
			errs[i] = fmt.Errorf("looking for newer versions of the chart of %s: %w", r.ID, errs[i])
		}
	})
	rows := []dated{}
	for i, r := range f.releases {
		row := dated{r.ID.String(), r.Chart.Ref, r.Chart.Asked, found[i].Used, found[i].Allowed, found[i].Newest}
		if row.Used != "" && (c.All || row.outdated()) {
			rows = append(rows, row)
		}
	}
	return rows, interrupted(ctx, errors.Join(errs...))
}

func (c *outdatedCmd) print(s *session, rows []dated) error {
	if c.Output == formatJSON {
		return view.JSON(s.env.Streams.Out, rows)
	}
	if len(rows) == 0 {
		return s.tell("No chart is outdated. Folders and URLs have no versions to choose from.")
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, []string{r.Release, r.Chart, r.Asked, r.Used, r.Allowed, r.Newest})
	}
	view.Table(s.env.Streams.Out, []string{"RELEASE", "CHART", "DECLARED", "USED", "ALLOWED", "NEWEST"}, cells)
	return nil
}
