package cli

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/state"
)

type statusCmd struct {
	concurrency
	rawArgs
	Output string `short:"o" enum:"text,json" default:"text" help:"Output format (text, json)."`
	needsFlags
}

type releaseStatus struct {
	Context     string       `json:"context"`
	Namespace   string       `json:"namespace"`
	Name        string       `json:"name"`
	Status      state.Status `json:"status"`
	Revision    int          `json:"revision,omitempty"`
	Chart       string       `json:"chart,omitempty"`
	AppVersion  string       `json:"appVersion,omitempty"`
	Updated     string       `json:"updated,omitempty"`
	Description string       `json:"description,omitempty"`
}

const statusAbsent state.Status = "not installed"

// Run shows what Helm's records say of the selected releases. Like helm status
// it fails when one that should be there is not.
func (c *statusCmd) Run(ctx context.Context, s *session) error {
	t, f, err := s.bound(ctx, request{needs: c.needsFlags, limit: c.Concurrency, raw: helmText{args: c.Args}})
	if err != nil {
		return err
	}
	return t.observed(ctx, f, func(f *fleet, have state.Snapshot) error { return c.print(s, f, have) })
}

func (c *statusCmd) print(s *session, f *fleet, have state.Snapshot) error {
	var missing error
	rows := make([]releaseStatus, 0, len(f.releases))
	for _, r := range f.releases {
		row := releaseStatus{Context: r.ID.Context, Namespace: r.ID.Namespace, Name: r.ID.Name, Status: statusAbsent}
		if last := have[r.ID].Last(); last != nil {
			row.Status, row.Revision = last.Status, last.Number
			row.Chart, row.AppVersion = last.Chart.Name+"-"+last.Chart.Version, last.Chart.AppVersion
			row.Updated, row.Description = last.Deployed.UTC().Format(time.RFC3339), last.Description
		} else if r.Installed {
			missing = told{exitFailed} // the row says which
		}
		rows = append(rows, row)
	}
	if c.Output == formatJSON {
		return errors.Join(missing, view.JSON(s.env.Streams.Out, rows))
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		revision := ""
		if r.Revision > 0 {
			revision = strconv.Itoa(r.Revision)
		}
		cells = append(cells, []string{r.Name, r.Namespace, string(r.Status), revision, r.Chart, r.AppVersion, r.Updated, r.Description})
	}
	view.Table(s.env.Streams.Out, []string{"NAME", "NAMESPACE", "STATUS", "REVISION", "CHART", "APP VERSION", "UPDATED", "DESCRIPTION"}, cells)
	return missing
}
