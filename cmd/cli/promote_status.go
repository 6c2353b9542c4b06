package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
)

// status shows what runs in every environment.
func (c *promoteCmd) status(ctx context.Context, s *session) error {
	names, err := c.environments(ctx, s)
	if err != nil {
		return interrupted(ctx, err)
	}
	m := view.Matrix{Environments: names}
	cells := make([]map[string]view.MatrixCell, len(names))
	errs := make([]error, len(names))
	for i, name := range names { // one after the other: their files are loaded by the same cache
		cells[i], errs[i] = c.column(ctx, s, name)
		m.Unseen = append(m.Unseen, errs[i] != nil)
		if errs[i] != nil {
			errs[i] = fmt.Errorf("environment %s: %w", name, errs[i])
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.Fill(cells)
	if c.Output == formatJSON {
		err = view.JSON(s.env.Streams.Out, view.MatrixJSON(m, s.env.Now()))
	} else {
		err = view.Text(s.env.Streams.Out, view.MatrixText(m, s.env.Now()))
	}
	return errors.Join(append(errs, err)...)
}

// environments are those of promotion.order, then all others.
func (c *promoteCmd) environments(ctx context.Context, s *session) ([]string, error) {
	in := s.in(spec.DefaultEnvironment, nil)
	outline, err := spec.OutlineOf(ctx, in.globals.File, in.loadOptions(request{}))
	if err != nil {
		return nil, err
	}
	names := outline.Order
	for _, name := range outline.Environments {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{spec.DefaultEnvironment}
	}
	return names, nil
}

// column looks at one environment.
func (c *promoteCmd) column(ctx context.Context, s *session, environment string) (map[string]view.MatrixCell, error) {
	in, err := s.side(ctx, c, environment)
	if errors.Is(err, spec.ErrNothingMatched) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	looks, err := in.session.healths(ctx, in.tools, in.fleet)
	if err != nil {
		return nil, err
	}
	out := map[string]view.MatrixCell{}
	var errs []error
	for _, r := range in.fleet.releases {
		if !r.Installed {
			continue
		}
		seen := looks[r.ID]
		cell := view.MatrixCell{Release: r.ID, Installed: seen.Installed, Status: seen.Status, Drift: len(seen.Drift), Unready: len(seen.Unready)}
		if seen.deployed != nil {
			cell.Chart, cell.Version, cell.Revision, cell.Deployed = seen.deployed.Chart.Name, seen.deployed.Chart.Version, seen.deployed.Number, seen.deployed.Deployed
			images, err := imagesOf(seen.deployed)
			errs = append(errs, err)
			for _, i := range images {
				cell.Images = append(cell.Images, i.String())
			}
		}
		if seen.Failed && seen.deployed == nil && seen.Number == 0 {
			errs = append(errs, fmt.Errorf("looking at %s: %s", r.ID, seen.Why))
		}
		name := r.ID.Name
		if slices.ContainsFunc(in.fleet.releases, func(other spec.Release) bool { return other.Index != r.Index && other.ID.Name == name }) {
			name = r.ID.Namespace + "/" + name
		}
		out[name] = cell
	}
	return out, errors.Join(errs...)
}
