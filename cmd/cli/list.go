package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type listCmd struct {
	Output      string `short:"o" default:"text" placeholder:"FORMAT" help:"json: a JSON array; anything else: a table."`
	KeepTempDir bool   `hidden:""`
	heldByLooking
}

// listed is a row of list; its JSON is helmfile's.
type listed struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Enabled   bool   `json:"enabled"`
	Installed bool   `json:"installed"`
	Labels    string `json:"labels"`
	Chart     string `json:"chart"`
	Version   string `json:"version"`
}

// Run lists what is declared, also what a condition switches off. As in helmfile
// stdout stays empty when nothing matched and that is allowed.
func (c *listCmd) Run(ctx context.Context, s *session) error {
	f, err := s.loadAll(ctx)
	if err != nil {
		return err
	}
	return s.lifecycle(f.spec).around(ctx, func() error { return c.print(s, f) })
}

func (c *listCmd) print(s *session, f *fleet) error {
	rows := make([]listed, 0, len(f.releases))
	for _, r := range f.releases {
		rows = append(rows, listed{r.ID.Name, r.ID.Namespace, r.Enabled, r.Installed, labels(f.spec.LabelsOf(r)), r.Chart.Declared, r.Chart.Version})
	}
	slices.SortStableFunc(rows, func(a, b listed) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	if len(rows) == 0 {
		return nil
	}
	if c.Output == formatJSON {
		return view.JSON(s.env.Streams.Out, rows)
	}
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, []string{r.Name, r.Namespace, strconv.FormatBool(r.Enabled), strconv.FormatBool(r.Installed), r.Labels, r.Chart, r.Version})
	}
	view.Table(s.env.Streams.Out, []string{"NAME", "NAMESPACE", "ENABLED", "INSTALLED", "LABELS", "CHART", "VERSION"}, cells)
	return nil
}

func labels(all map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, k+":"+all[k])
	}
	return strings.Join(parts, ",")
}
