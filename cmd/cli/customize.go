package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
)

// customized adds to what is rendered what the state file says of the chart's
// output. The values must be there already: templates of patches see them.
func (f *fleet) customized(ctx context.Context, in engine.RenderInput) (engine.RenderInput, error) {
	r := in.Release
	patches, err := f.spec.PatchesOf(ctx, r, in.Values)
	if err != nil {
		return in, err
	}
	in.Patches = patches
	in.Namespace = f.spec.DeclaredNamespace(r)
	in.Template = func(ctx context.Context, dir, file string) ([]byte, error) {
		return f.spec.RenderManifest(ctx, r, dir, file)
	}
	return in, nil
}

// made gives charts with, in place of folders of manifests, the charts that
// releases make of them.
func (t *tools) made(ctx context.Context, f *fleet, charts []*chart.Chart) ([]*chart.Chart, error) {
	out := slices.Clone(charts)
	errs := make([]error, len(charts))
	for i, c := range charts {
		if c == nil || c.Folder == "" {
			continue
		}
		out[i], errs[i] = t.chartOf(ctx, f, f.releases[i])
	}
	return out, errors.Join(errs...)
}

// chartOf gives the chart that a release is rendered from.
func (t *tools) chartOf(ctx context.Context, f *fleet, r spec.Release) (*chart.Chart, error) {
	values, err := f.spec.ValuesOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if r, err = f.withSets(ctx, r); err != nil {
		return nil, err
	}
	in, err := f.customized(ctx, engine.RenderInput{Release: r, Values: values})
	if err != nil {
		return nil, err
	}
	return t.engine.Chart(ctx, in)
}
